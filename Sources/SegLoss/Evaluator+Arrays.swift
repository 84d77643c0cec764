// The whole-batch verbs for arrays. Each hands the arrays' spans to the method of the same name.

extension Evaluator {
    /// The value of a batch with labels, from arrays.
    ///
    /// - Parameters:
    ///   - logits: The network's output, or probabilities: `[samples][classes][voxels]`.
    ///   - labels: Class indices: `[samples][voxels]`; see ``Label``.
    ///   - mask: `[samples][voxels]`: 0 takes the voxel out of everything; `nil`: all are in.
    ///   - weights: `[samples][voxels]`, each at least 0: factors of the pointwise terms; `nil`: all 1.
    ///   - maps: `[samples][classes][voxels]`: what a linear or a balanced L1 term takes; `nil`: none.
    /// - Returns: The loss and its parts.
    /// - Throws: ``LossError`` where a buffer has the wrong count or a value is refused: ``LossError/index`` is the
    ///   value's place in its buffer.
    public mutating func evaluate<L: Label>(
        logits: [Float], labels: [L], mask: [UInt8]? = nil, weights: [Float]? = nil,
        maps: [Float]? = nil
    ) throws(LossError) -> Evaluation {
        try evaluate(logits: logits.span, labels: labels.span, mask: mask?.span, weights: weights?.span,
            maps: maps?.span)
    }

    /// The value of a batch with dense targets, from arrays.
    ///
    /// - Parameters:
    ///   - logits: The network's output, or probabilities: `[samples][classes][voxels]`.
    ///   - targets: `[samples][classes][voxels]`; see ``DenseTarget``.
    ///   - mask: `[samples][voxels]`: 0 takes the voxel out of everything; `nil`: all are in.
    ///   - weights: `[samples][voxels]`, each at least 0: factors of the pointwise terms; `nil`: all 1.
    ///   - maps: `[samples][classes][voxels]`: what a linear or a balanced L1 term takes; `nil`: none.
    /// - Returns: The loss and its parts.
    /// - Throws: ``LossError`` where a buffer has the wrong count or a value is refused: ``LossError/index`` is the
    ///   value's place in its buffer.
    public mutating func evaluate<T: DenseTarget>(
        logits: [Float], targets: [T], mask: [UInt8]? = nil, weights: [Float]? = nil,
        maps: [Float]? = nil
    ) throws(LossError) -> Evaluation {
        try evaluate(logits: logits.span, targets: targets.span, mask: mask?.span, weights: weights?.span,
            maps: maps?.span)
    }

    /// The value of a batch with labels, and the gradient with respect to its logits, from and to arrays.
    ///
    /// - Parameters:
    ///   - logits: The network's output, or probabilities: `[samples][classes][voxels]`.
    ///   - labels: Class indices: `[samples][voxels]`; see ``Label``.
    ///   - mask: `[samples][voxels]`: 0 takes the voxel out of everything; `nil`: all are in.
    ///   - weights: `[samples][voxels]`, each at least 0: factors of the pointwise terms; `nil`: all 1.
    ///   - maps: `[samples][classes][voxels]`: what a linear or a balanced L1 term takes; `nil`: none.
    ///   - gradient: Where the gradient goes: `[samples][classes][voxels]`; it keeps its count.
    ///   - write: How the gradient is written.
    /// - Returns: The loss and its parts.
    /// - Throws: ``LossError`` where a buffer has the wrong count or a value is refused: ``LossError/index`` is the
    ///   value's place in its buffer. The gradient is then as it was, unless ``Checks/whileWriting`` was chosen.
    public mutating func evaluate<L: Label>(
        logits: [Float], labels: [L], mask: [UInt8]? = nil, weights: [Float]? = nil,
        maps: [Float]? = nil,
        gradient: inout [Float], write: Write = .overwrite
    ) throws(LossError) -> Evaluation {
        var span = gradient.mutableSpan
        return try evaluate(
            logits: logits.span, labels: labels.span, mask: mask?.span, weights: weights?.span, maps: maps?.span,
            gradient: &span, write: write)
    }

    /// The value of a batch with dense targets, and the gradient with respect to its logits, from and to arrays.
    ///
    /// - Parameters:
    ///   - logits: The network's output, or probabilities: `[samples][classes][voxels]`.
    ///   - targets: `[samples][classes][voxels]`; see ``DenseTarget``.
    ///   - mask: `[samples][voxels]`: 0 takes the voxel out of everything; `nil`: all are in.
    ///   - weights: `[samples][voxels]`, each at least 0: factors of the pointwise terms; `nil`: all 1.
    ///   - maps: `[samples][classes][voxels]`: what a linear or a balanced L1 term takes; `nil`: none.
    ///   - gradient: Where the gradient goes: `[samples][classes][voxels]`; it keeps its count.
    ///   - write: How the gradient is written.
    /// - Returns: The loss and its parts.
    /// - Throws: ``LossError`` where a buffer has the wrong count or a value is refused: ``LossError/index`` is the
    ///   value's place in its buffer. The gradient is then as it was, unless ``Checks/whileWriting`` was chosen.
    public mutating func evaluate<T: DenseTarget>(
        logits: [Float], targets: [T], mask: [UInt8]? = nil, weights: [Float]? = nil,
        maps: [Float]? = nil,
        gradient: inout [Float], write: Write = .overwrite
    ) throws(LossError) -> Evaluation {
        var span = gradient.mutableSpan
        return try evaluate(
            logits: logits.span, targets: targets.span, mask: mask?.span, weights: weights?.span, maps: maps?.span,
            gradient: &span, write: write)
    }

    /// The value of a batch with labels, whose array of logits is replaced by the gradient.
    ///
    /// - Parameters:
    ///   - logits: The network's output, or probabilities: `[samples][classes][voxels]`; the gradient takes its place.
    ///   - labels: Class indices: `[samples][voxels]`; see ``Label``.
    ///   - mask: `[samples][voxels]`: 0 takes the voxel out of everything; `nil`: all are in.
    ///   - weights: `[samples][voxels]`, each at least 0: factors of the pointwise terms; `nil`: all 1.
    ///   - maps: `[samples][classes][voxels]`: what a linear or a balanced L1 term takes; `nil`: none.
    ///   - scale: The gradient's factor, finite.
    /// - Returns: The loss and its parts.
    /// - Throws: ``LossError`` where a buffer has the wrong count or a value is refused: ``LossError/index`` is the
    ///   value's place in its buffer. The logits are then as they were.
    public mutating func evaluateInPlace<L: Label>(
        logits: inout [Float], labels: [L], mask: [UInt8]? = nil, weights: [Float]? = nil,
        maps: [Float]? = nil,
        scale: Float = 1
    ) throws(LossError) -> Evaluation {
        var span = logits.mutableSpan
        return try evaluateInPlace(
            logits: &span, labels: labels.span, mask: mask?.span, weights: weights?.span,
            maps: maps?.span, scale: scale)
    }

    /// The value of a batch with dense targets, whose array of logits is replaced by the gradient.
    ///
    /// - Parameters:
    ///   - logits: The network's output, or probabilities: `[samples][classes][voxels]`; the gradient takes its place.
    ///   - targets: `[samples][classes][voxels]`; see ``DenseTarget``.
    ///   - mask: `[samples][voxels]`: 0 takes the voxel out of everything; `nil`: all are in.
    ///   - weights: `[samples][voxels]`, each at least 0: factors of the pointwise terms; `nil`: all 1.
    ///   - maps: `[samples][classes][voxels]`: what a linear or a balanced L1 term takes; `nil`: none.
    ///   - scale: The gradient's factor, finite.
    /// - Returns: The loss and its parts.
    /// - Throws: ``LossError`` where a buffer has the wrong count or a value is refused: ``LossError/index`` is the
    ///   value's place in its buffer. The logits are then as they were.
    public mutating func evaluateInPlace<T: DenseTarget>(
        logits: inout [Float], targets: [T], mask: [UInt8]? = nil, weights: [Float]? = nil,
        maps: [Float]? = nil,
        scale: Float = 1
    ) throws(LossError) -> Evaluation {
        var span = logits.mutableSpan
        return try evaluateInPlace(
            logits: &span, targets: targets.span, mask: mask?.span, weights: weights?.span,
            maps: maps?.span, scale: scale)
    }
}
