// The verbs for buffers of other types than `Float` and for those that are not contiguous. They are the verbs of the
// same names, with the same bits.

extension Evaluator {
    /// The value of a batch with labels, of any type of logits and any layout.
    ///
    /// - Parameters:
    ///   - logits: The network's output, or probabilities; see ``Logit``.
    ///   - labels: Class indices; see ``Label``.
    ///   - mask: 0 takes the voxel out of everything; `nil`: all are in.
    ///   - weights: Each at least 0: factors of the pointwise terms; `nil`: all 1.
    ///   - maps: What a linear or a balanced L1 term takes, like the logits; `nil` without such a term.
    ///   - layout: How the buffers lie.
    /// - Returns: The loss and its parts.
    /// - Throws: ``LossError`` where a buffer is too short for its view, or a value is refused: ``LossError/index`` is
    ///   the value's place in its buffer.
    public mutating func evaluate<Z: Logit, L: Label>(
        logits: Span<Z>, labels: Span<L>, mask: Span<UInt8>? = nil, weights: Span<Float>? = nil,
        maps: Span<Float>? = nil, layout: Layout = .contiguous
    ) throws(LossError) -> Evaluation {
        let value = try plan.evaluate(
            logits: logits, targets: labels, format: .labels(L.labelFormat), mask: mask, weights: weights, maps: maps,
            layout: Resolved(layout, shape), workspace: &workspace)
        return evaluation(value)
    }

    /// The value of a batch with dense targets, of any type of logits and any layout; see
    /// ``evaluate(logits:labels:mask:weights:maps:layout:)``.
    public mutating func evaluate<Z: Logit, T: DenseTarget>(
        logits: Span<Z>, targets: Span<T>, mask: Span<UInt8>? = nil, weights: Span<Float>? = nil,
        maps: Span<Float>? = nil, layout: Layout = .contiguous
    ) throws(LossError) -> Evaluation {
        let value = try plan.evaluate(
            logits: logits, targets: targets, format: .dense(T.denseFormat), mask: mask, weights: weights, maps: maps,
            layout: Resolved(layout, shape), workspace: &workspace)
        return evaluation(value)
    }

    /// The value of a batch with labels, and its gradient, of any type of logits and gradient and any layout.
    ///
    /// - Parameters:
    ///   - logits: The network's output, or probabilities; see ``Logit``.
    ///   - labels: Class indices; see ``Label``.
    ///   - mask: 0 takes the voxel out of everything; `nil`: all are in.
    ///   - weights: Each at least 0: factors of the pointwise terms; `nil`: all 1.
    ///   - maps: What a linear or a balanced L1 term takes, like the logits; `nil` without such a term.
    ///   - layout: How the buffers lie.
    ///   - gradient: Where the gradient goes; its type need not be the logits'.
    ///   - write: How the gradient is written. What is added is added as `Float`, and the sum is rounded once.
    /// - Returns: The loss and its parts.
    /// - Throws: ``LossError`` where a buffer is too short for its view, or a value is refused: ``LossError/index`` is
    ///   the value's place in its buffer. The gradient is then as it was, unless ``Checks/whileWriting`` was chosen.
    public mutating func evaluate<Z: Logit, L: Label, G: Logit>(
        logits: Span<Z>, labels: Span<L>, mask: Span<UInt8>? = nil, weights: Span<Float>? = nil,
        maps: Span<Float>? = nil, layout: Layout = .contiguous, gradient: inout MutableSpan<G>, write: Write = .overwrite
    ) throws(LossError) -> Evaluation {
        let value = try plan.evaluate(
            logits: logits, targets: labels, format: .labels(L.labelFormat), mask: mask, weights: weights, maps: maps,
            layout: Resolved(layout, shape), gradient: &gradient, write: write, workspace: &workspace)
        return evaluation(value)
    }

    /// The value of a batch with dense targets, and its gradient, of any type of logits and gradient and any layout;
    /// see ``evaluate(logits:labels:mask:weights:maps:layout:gradient:write:)``.
    public mutating func evaluate<Z: Logit, T: DenseTarget, G: Logit>(
        logits: Span<Z>, targets: Span<T>, mask: Span<UInt8>? = nil, weights: Span<Float>? = nil,
        maps: Span<Float>? = nil, layout: Layout = .contiguous, gradient: inout MutableSpan<G>, write: Write = .overwrite
    ) throws(LossError) -> Evaluation {
        let value = try plan.evaluate(
            logits: logits, targets: targets, format: .dense(T.denseFormat), mask: mask, weights: weights, maps: maps,
            layout: Resolved(layout, shape), gradient: &gradient, write: write, workspace: &workspace)
        return evaluation(value)
    }

    /// The value of a batch with labels, whose logits (or probabilities), of any type and layout, are replaced by the
    /// gradient. The layout's ``Layout/gradient`` is of no meaning: the gradient lies where the logits lay.
    public mutating func evaluateInPlace<Z: Logit, L: Label>(
        logits: inout MutableSpan<Z>, labels: Span<L>, mask: Span<UInt8>? = nil, weights: Span<Float>? = nil,
        maps: Span<Float>? = nil, layout: Layout = .contiguous, scale: Float = 1
    ) throws(LossError) -> Evaluation {
        let value = try plan.evaluateInPlace(
            logits: &logits, targets: labels, format: .labels(L.labelFormat), mask: mask, weights: weights, maps: maps,
            layout: Resolved(layout, shape), scale: scale, workspace: &workspace)
        return evaluation(value)
    }

    /// The value of a batch with dense targets, whose logits (or probabilities), of any type and layout, are replaced
    /// by the gradient. The layout's ``Layout/gradient`` is of no meaning: the gradient lies where the logits lay.
    public mutating func evaluateInPlace<Z: Logit, T: DenseTarget>(
        logits: inout MutableSpan<Z>, targets: Span<T>, mask: Span<UInt8>? = nil, weights: Span<Float>? = nil,
        maps: Span<Float>? = nil, layout: Layout = .contiguous, scale: Float = 1
    ) throws(LossError) -> Evaluation {
        let value = try plan.evaluateInPlace(
            logits: &logits, targets: targets, format: .dense(T.denseFormat), mask: mask, weights: weights, maps: maps,
            layout: Resolved(layout, shape), scale: scale, workspace: &workspace)
        return evaluation(value)
    }

    /// Adds the sums of a part with labels, of any type of logits and any layout, to totals.
    public mutating func accumulate<Z: Logit, L: Label>(
        logits: Span<Z>, labels: Span<L>, mask: Span<UInt8>? = nil, weights: Span<Float>? = nil,
        maps: Span<Float>? = nil, layout: Layout = .contiguous, part: Part = .whole, stage: Int = 0, into totals: inout Totals
    ) throws(LossError) {
        try plan.checkAgreement(with: totals.plan)
        try plan.accumulate(
            logits: logits, targets: labels, format: .labels(L.labelFormat), mask: mask, weights: weights, maps: maps,
            layout: Resolved(layout, shape), part: part, stage: stage, totals: &totals.words, workspace: &workspace)
    }

    /// Adds the sums of a part with dense targets, of any type of logits and any layout, to totals.
    public mutating func accumulate<Z: Logit, T: DenseTarget>(
        logits: Span<Z>, targets: Span<T>, mask: Span<UInt8>? = nil, weights: Span<Float>? = nil,
        maps: Span<Float>? = nil, layout: Layout = .contiguous, part: Part = .whole, stage: Int = 0, into totals: inout Totals
    ) throws(LossError) {
        try plan.checkAgreement(with: totals.plan)
        try plan.accumulate(
            logits: logits, targets: targets, format: .dense(T.denseFormat), mask: mask, weights: weights, maps: maps,
            layout: Resolved(layout, shape), part: part, stage: stage, totals: &totals.words, workspace: &workspace)
    }

    /// The gradient of a part with labels, of any type of logits and gradient and any layout.
    public mutating func gradient<Z: Logit, L: Label, G: Logit>(
        logits: Span<Z>, labels: Span<L>, mask: Span<UInt8>? = nil, weights: Span<Float>? = nil,
        maps: Span<Float>? = nil, layout: Layout = .contiguous, part: Part = .whole, coefficients: Coefficients,
        into gradient: inout MutableSpan<G>, write: Write = .overwrite
    ) throws(LossError) {
        try plan.gradient(
            logits: logits, targets: labels, format: .labels(L.labelFormat), mask: mask, weights: weights, maps: maps,
            layout: Resolved(layout, shape), part: part, coefficients: coefficients.words, gradient: &gradient,
            write: write, workspace: &workspace)
    }

    /// The gradient of a part with dense targets, of any type of logits and gradient and any layout.
    public mutating func gradient<Z: Logit, T: DenseTarget, G: Logit>(
        logits: Span<Z>, targets: Span<T>, mask: Span<UInt8>? = nil, weights: Span<Float>? = nil,
        maps: Span<Float>? = nil, layout: Layout = .contiguous, part: Part = .whole, coefficients: Coefficients,
        into gradient: inout MutableSpan<G>, write: Write = .overwrite
    ) throws(LossError) {
        try plan.gradient(
            logits: logits, targets: targets, format: .dense(T.denseFormat), mask: mask, weights: weights, maps: maps,
            layout: Resolved(layout, shape), part: part, coefficients: coefficients.words, gradient: &gradient,
            write: write, workspace: &workspace)
    }
}
