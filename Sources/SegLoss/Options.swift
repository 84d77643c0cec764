/// How an ``Evaluator`` computes. Of these only `ignoreIndex` changes what is computed.
public struct Options: Sendable, Hashable {
    /// Voxels with this label take no part in anything; `nil`: there is no such label. For dense `UInt8` targets it
    /// takes out that channel's value alone; dense `Float` targets go without.
    public var ignoreIndex: Int?
    /// Threads that a call uses at most; 0: OpenMP's default. Small inputs use fewer. No number changes a bit of any
    /// result.
    public var threads: Int
    /// The instruction set to compute with. None changes a bit of any result.
    public var instructionSet: InstructionSet
    /// When a call that writes a gradient looks for values that it must refuse.
    public var checks: Checks
    /// Whether results also hold the value of each sample: ``TermResult/perSample``. Totals are then larger: they are
    /// kept for each sample.
    public var perSample: Bool
    /// Whether results also hold what each class adds to the pointwise terms of a softmax: ``TermResult/perClass``.
    /// The sweeps are then slower. Parts of region terms and of channels are always there.
    public var perClass: Bool

    /// Options; each has its usual value unless given.
    public init(
        ignoreIndex: Int? = nil,
        threads: Int = 0,
        instructionSet: InstructionSet = .best,
        checks: Checks = .beforeWriting,
        perSample: Bool = false,
        perClass: Bool = false
    ) {
        self.ignoreIndex = ignoreIndex
        self.threads = threads
        self.instructionSet = instructionSet
        self.checks = checks
        self.perSample = perSample
        self.perClass = perClass
    }
}

/// An instruction set. Each computes what the others do, bit for bit; only the time differs.
public enum InstructionSet: Sendable, Hashable, CaseIterable {
    /// The fastest that this machine has.
    case best
    /// What the compiler takes for granted: NEON on AArch64; on x86-64 without FMA, and slow.
    case generic
    /// AVX2 and FMA.
    case avx2
    /// AVX-512 F, BW, DQ and VL.
    case avx512
}

/// When a call that writes a gradient looks for values that it must refuse.
///
/// A loss with a Dice or balanced term looks at everything before it writes, whatever is chosen. One of pointwise terms
/// alone needs a single sweep for value and gradient; there it is a choice.
public enum Checks: Sendable, Hashable {
    /// Everything is read once more first: a refused call leaves the gradient untouched.
    case beforeWriting
    /// One sweep: a refused call still says why, but has overwritten the gradient. In-place calls look at everything
    /// before all the same. The gradient of a part is then taken without looking again at what was accumulated.
    case whileWriting
}

/// How a gradient is written.
public struct Write: Sendable, Hashable {
    /// What becomes of the values that are there.
    public enum Mode: Sendable, Hashable {
        /// They are replaced.
        case overwrite
        /// They are added to; the scaled gradient is rounded before it is added.
        case add
    }

    /// What becomes of the values that are there.
    public var mode: Mode
    /// The factor of the gradient, finite.
    public var scale: Float

    /// A way to write.
    public init(mode: Mode, scale: Float = 1) {
        self.mode = mode
        self.scale = scale
    }

    /// `gradient = dL/dlogits`.
    public static let overwrite = Write(mode: .overwrite)
    /// `gradient = scale * dL/dlogits`.
    public static func overwrite(scale: Float) -> Write { Write(mode: .overwrite, scale: scale) }
    /// `gradient += dL/dlogits`.
    public static let add = Write(mode: .add)
    /// `gradient += scale * dL/dlogits`.
    public static func add(scale: Float) -> Write { Write(mode: .add, scale: scale) }
}
