// The verbs for a batch that comes in parts: accumulate, finish, gradient.

/// The few numbers that the gradient of a whole batch needs. Their inside is the library's own.
///
/// They share memory with the evaluator that made them, as an ``Evaluation`` does and with the same consequence.
public struct Coefficients: Sendable, Hashable {
    let words: [Int64]
}

/// What the totals of a whole batch amount to.
public struct Finished: Sendable, Hashable {
    /// The loss and its parts.
    public let evaluation: Evaluation
    /// What the gradient of every part needs.
    public let coefficients: Coefficients
}

// MARK: - Accumulate

extension Evaluator {
    /// How often a batch must be accumulated, in stages 0, 1, ...: once, but four times with a term that selects over
    /// the batch, whose threshold is found digit by digit, and five times where that is a
    /// ``Loss/onlineHardExampleMining(threshold:minimumKept:classWeights:divisor:scope:)`` with class weights beside a
    /// threshold. After each stage the totals of all parts must be merged; the next stage reads them.
    public var stageCount: Int { plan.stageCount }

    /// Totals for ``accumulate(logits:labels:mask:weights:maps:part:stage:into:)``, all zero. They may be used for
    /// batch after batch: see ``Totals/reset()``.
    public func makeTotals() -> Totals {
        Totals(plan: plan)
    }

    /// Adds the sums of a part with labels to totals.
    ///
    /// - Parameters:
    ///   - logits: The network's output, or probabilities: `[samples][classes][voxels]` of the part.
    ///   - labels: Class indices: `[samples][voxels]` of the part; see ``Label``.
    ///   - mask: `[samples][voxels]` of the part: 0 takes the voxel out of everything; `nil`: all are in.
    ///   - weights: `[samples][voxels]` of the part, each at least 0: factors of the pointwise terms; `nil`: all 1.
    ///   - maps: `[samples][classes][voxels]` of the part: what a linear or a balanced L1 term takes.
    ///   - part: Which samples and voxels these are.
    ///   - stage: From 0 to ``stageCount`` less one.
    ///   - totals: What is added to.
    /// - Throws: ``LossError`` where a buffer has the wrong count or a value is refused: ``LossError/index`` is the
    ///   value's place in its buffer. The totals are then as they were.
    public mutating func accumulate<L: Label>(
        logits: Span<Float>, labels: Span<L>, mask: Span<UInt8>? = nil, weights: Span<Float>? = nil,
        maps: Span<Float>? = nil,
        part: Part = .whole, stage: Int = 0, into totals: inout Totals
    ) throws(LossError) {
        try plan.checkAgreement(with: totals.plan)
        try plan.accumulate(
            logits: logits, targets: labels, format: .labels(L.labelFormat), mask: mask, weights: weights,
            maps: maps, part: part,
            stage: stage, totals: &totals.words, workspace: &workspace)
    }

    /// Adds the sums of a part with dense targets to totals.
    ///
    /// - Parameters:
    ///   - logits: The network's output, or probabilities: `[samples][classes][voxels]` of the part.
    ///   - targets: `[samples][classes][voxels]` of the part; see ``DenseTarget``.
    ///   - mask: `[samples][voxels]` of the part: 0 takes the voxel out of everything; `nil`: all are in.
    ///   - weights: `[samples][voxels]` of the part, each at least 0: factors of the pointwise terms; `nil`: all 1.
    ///   - maps: `[samples][classes][voxels]` of the part: what a linear or a balanced L1 term takes.
    ///   - part: Which samples and voxels these are.
    ///   - stage: From 0 to ``stageCount`` less one.
    ///   - totals: What is added to.
    /// - Throws: ``LossError`` where a buffer has the wrong count or a value is refused: ``LossError/index`` is the
    ///   value's place in its buffer. The totals are then as they were.
    public mutating func accumulate<T: DenseTarget>(
        logits: Span<Float>, targets: Span<T>, mask: Span<UInt8>? = nil, weights: Span<Float>? = nil,
        maps: Span<Float>? = nil,
        part: Part = .whole, stage: Int = 0, into totals: inout Totals
    ) throws(LossError) {
        try plan.checkAgreement(with: totals.plan)
        try plan.accumulate(
            logits: logits, targets: targets, format: .dense(T.denseFormat), mask: mask, weights: weights,
            maps: maps, part: part,
            stage: stage, totals: &totals.words, workspace: &workspace)
    }
}

// MARK: - Finish

extension Evaluator {
    /// The loss that the totals of a whole batch amount to, and the coefficients of its gradient.
    ///
    /// - Parameter totals: Every part of the batch, accumulated in every stage.
    /// - Returns: The loss with its parts, and the coefficients.
    /// - Throws: ``LossError`` where the totals are not those of this loss, shape and activation.
    public mutating func finish(_ totals: Totals) throws(LossError) -> Finished {
        try plan.checkAgreement(with: totals.plan)
        let value = try plan.finish(totals.words, workspace: &workspace)
        return Finished(
            evaluation: evaluation(value), coefficients: Coefficients(words: workspace.coefficients))
    }
}

// MARK: - Gradient

extension Evaluator {
    /// The gradient of a part with labels, by the coefficients of the whole batch.
    ///
    /// - Parameters:
    ///   - logits: The network's output, or probabilities: `[samples][classes][voxels]` of the part.
    ///   - labels: Class indices: `[samples][voxels]` of the part; see ``Label``.
    ///   - mask: `[samples][voxels]` of the part: 0 takes the voxel out of everything; `nil`: all are in.
    ///   - weights: `[samples][voxels]` of the part, each at least 0: factors of the pointwise terms; `nil`: all 1.
    ///   - maps: `[samples][classes][voxels]` of the part: what a linear or a balanced L1 term takes.
    ///   - part: Which samples and voxels these are.
    ///   - coefficients: What ``finish(_:)`` made of the whole batch's totals.
    ///   - gradient: Where the part's gradient goes: `[samples][classes][voxels]` of the part.
    ///   - write: How the gradient is written.
    /// - Throws: ``LossError`` where a buffer has the wrong count or a value is refused: ``LossError/index`` is the
    ///   value's place in its buffer. The gradient is then as it was. With ``Checks/whileWriting``
    ///   the part's values are taken to be those that were accumulated, and are not looked at again.
    public mutating func gradient<L: Label>(
        logits: Span<Float>, labels: Span<L>, mask: Span<UInt8>? = nil, weights: Span<Float>? = nil,
        maps: Span<Float>? = nil,
        part: Part = .whole, coefficients: Coefficients,
        into gradient: inout MutableSpan<Float>, write: Write = .overwrite
    ) throws(LossError) {
        try plan.gradient(
            logits: logits, targets: labels, format: .labels(L.labelFormat), mask: mask, weights: weights,
            maps: maps, part: part,
            coefficients: coefficients.words, gradient: &gradient, write: write, workspace: &workspace)
    }

    /// The gradient of a part with dense targets, by the coefficients of the whole batch.
    ///
    /// - Parameters:
    ///   - logits: The network's output, or probabilities: `[samples][classes][voxels]` of the part.
    ///   - targets: `[samples][classes][voxels]` of the part; see ``DenseTarget``.
    ///   - mask: `[samples][voxels]` of the part: 0 takes the voxel out of everything; `nil`: all are in.
    ///   - weights: `[samples][voxels]` of the part, each at least 0: factors of the pointwise terms; `nil`: all 1.
    ///   - maps: `[samples][classes][voxels]` of the part: what a linear or a balanced L1 term takes.
    ///   - part: Which samples and voxels these are.
    ///   - coefficients: What ``finish(_:)`` made of the whole batch's totals.
    ///   - gradient: Where the part's gradient goes: `[samples][classes][voxels]` of the part.
    ///   - write: How the gradient is written.
    /// - Throws: ``LossError`` where a buffer has the wrong count or a value is refused: ``LossError/index`` is the
    ///   value's place in its buffer. The gradient is then as it was. With ``Checks/whileWriting``
    ///   the part's values are taken to be those that were accumulated, and are not looked at again.
    public mutating func gradient<T: DenseTarget>(
        logits: Span<Float>, targets: Span<T>, mask: Span<UInt8>? = nil, weights: Span<Float>? = nil,
        maps: Span<Float>? = nil,
        part: Part = .whole, coefficients: Coefficients,
        into gradient: inout MutableSpan<Float>, write: Write = .overwrite
    ) throws(LossError) {
        try plan.gradient(
            logits: logits, targets: targets, format: .dense(T.denseFormat), mask: mask, weights: weights,
            maps: maps, part: part,
            coefficients: coefficients.words, gradient: &gradient, write: write, workspace: &workspace)
    }

    /// Replaces the logits (or probabilities) of a part with labels by the part's gradient.
    ///
    /// - Parameters:
    ///   - logits: The network's output, or probabilities: `[samples][classes][voxels]` of the part;
    ///     the gradient takes its place.
    ///   - labels: Class indices: `[samples][voxels]` of the part; see ``Label``.
    ///   - mask: `[samples][voxels]` of the part: 0 takes the voxel out of everything; `nil`: all are in.
    ///   - weights: `[samples][voxels]` of the part, each at least 0: factors of the pointwise terms; `nil`: all 1.
    ///   - maps: `[samples][classes][voxels]` of the part: what a linear or a balanced L1 term takes.
    ///   - part: Which samples and voxels these are.
    ///   - coefficients: What ``finish(_:)`` made of the whole batch's totals.
    ///   - scale: The gradient's factor, finite.
    /// - Throws: ``LossError`` where a buffer has the wrong count or a value is refused: ``LossError/index`` is the
    ///   value's place in its buffer. The logits are then as they were.
    public mutating func gradientInPlace<L: Label>(
        logits: inout MutableSpan<Float>, labels: Span<L>, mask: Span<UInt8>? = nil, weights: Span<Float>? = nil,
        maps: Span<Float>? = nil,
        part: Part = .whole, coefficients: Coefficients, scale: Float = 1
    ) throws(LossError) {
        try plan.gradientInPlace(
            logits: &logits, targets: labels, format: .labels(L.labelFormat), mask: mask, weights: weights,
            maps: maps, part: part,
            coefficients: coefficients.words, scale: scale, workspace: &workspace)
    }

    /// Replaces the logits (or probabilities) of a part with dense targets by the part's gradient.
    ///
    /// - Parameters:
    ///   - logits: The network's output, or probabilities: `[samples][classes][voxels]` of the part;
    ///     the gradient takes its place.
    ///   - targets: `[samples][classes][voxels]` of the part; see ``DenseTarget``.
    ///   - mask: `[samples][voxels]` of the part: 0 takes the voxel out of everything; `nil`: all are in.
    ///   - weights: `[samples][voxels]` of the part, each at least 0: factors of the pointwise terms; `nil`: all 1.
    ///   - maps: `[samples][classes][voxels]` of the part: what a linear or a balanced L1 term takes.
    ///   - part: Which samples and voxels these are.
    ///   - coefficients: What ``finish(_:)`` made of the whole batch's totals.
    ///   - scale: The gradient's factor, finite.
    /// - Throws: ``LossError`` where a buffer has the wrong count or a value is refused: ``LossError/index`` is the
    ///   value's place in its buffer. The logits are then as they were.
    public mutating func gradientInPlace<T: DenseTarget>(
        logits: inout MutableSpan<Float>, targets: Span<T>, mask: Span<UInt8>? = nil, weights: Span<Float>? = nil,
        maps: Span<Float>? = nil,
        part: Part = .whole, coefficients: Coefficients, scale: Float = 1
    ) throws(LossError) {
        try plan.gradientInPlace(
            logits: &logits, targets: targets, format: .dense(T.denseFormat), mask: mask, weights: weights,
            maps: maps, part: part,
            coefficients: coefficients.words, scale: scale, workspace: &workspace)
    }
}
