/// Why a call was refused: what was wrong, where, and what was expected.
///
/// A refused call leaves totals, logits and gradients as they were; the one exception is asked for with
/// ``Checks/whileWriting``.
public struct LossError: Error, Sendable, Hashable {
    /// What was wrong.
    public enum Kind: Sendable, Hashable, CaseIterable {
        /// A buffer that the call needs is missing: maps, where the loss has a term that takes them.
        case nullPointer
        /// A buffer's count is not the one that the shape gives.
        case wrongSize
        /// Totals, coefficients or scratch memory hold less than is needed: those of another evaluator, or
        /// ``Totals/words`` cut short.
        case tooSmall
        /// A zero, negative or too large extent, or too few or too many classes.
        case badShape
        /// An option is negative, not finite, or outside its range.
        case badOption
        /// A term does not fit the activation, the targets or the other terms.
        case badTerm
        /// A part of a batch is empty, lies outside the shape, or is not cut at 64 voxels.
        case badPart
        /// A label is no class and not the ignored one.
        case badLabel
        /// A dense target is outside [0, 1], or not 0 or 1 where a term needs that.
        case badTarget
        /// A voxel weight is negative or not finite.
        case badWeight
        /// A logit is NaN or infinite.
        case notFinite
        /// A probability is outside [0, 1].
        case badProbability
        /// A sum would leave the range in which totals are exact.
        case outOfRange
        /// Buffers overlap that must not. Not to be met from Swift.
        case overlap
        /// This machine or build lacks the instruction set asked for.
        case unsupportedInstructionSet
        /// A negative thread count.
        case badThreads
        /// There is no memory for a plan, or for what its calls write to.
        case outOfMemory
    }

    /// What was wrong.
    public var kind: Kind
    /// The index of the offending value in its buffer, or of the offending term in ``Loss/terms``; `nil` where neither
    /// applies.
    public var index: Int?
    /// One English sentence: what was wrong, where, and what was expected.
    public var message: String

    /// An error.
    public init(kind: Kind, index: Int? = nil, message: String) {
        self.kind = kind
        self.index = index
        self.message = message
    }
}

extension LossError: CustomStringConvertible {
    /// The message.
    public var description: String { message }
}
