/// Evaluates one loss on batches of one shape: its value, its parts, and its gradient, written straight into the
/// caller's memory.
///
///     let loss: Loss = .dice(smooth: .both(1e-5)) + 0.5 * .crossEntropy(labelSmoothing: 0.1)
///     let shape: Shape = .planar(samples: 2, classes: 4, height: 512, width: 512)
///     var evaluator = try Evaluator(loss, shape: shape, activation: .softmax)
///     var gradient = gradients.mutableSpan
///     let result = try evaluator.evaluate(logits: logits.span, labels: labels.span, gradient: &gradient)
///     result.value; result.terms[0].perClass
///
/// **Buffers.** Logits (or probabilities) and gradient are `[samples][classes][voxels]`, labels, mask and weights
/// `[samples][voxels]`, dense targets like the logits; see ``Shape``. A mask value of 0 takes its voxel out of
/// everything. Weights are at least 0 and multiply the pointwise terms. Inputs must be finite, including those of
/// voxels that are masked or ignored.
///
/// **The same bits.** Same input, same bits: at any number of threads, with any instruction set, and however a batch is
/// split into parts.
///
/// **Memory.** Making an evaluator allocates everything that its calls need. A call allocates nothing, as long as the
/// results of the call before it are no longer held; if they are, they stay as they were and the call makes room for
/// its own. A call that throws allocates its message.
///
/// **Threads.** Calls are mutating because they reuse the evaluator's scratch memory. To evaluate from several tasks at
/// once, give each a copy: copies share the plan, and each gets scratch memory of its own with its first call.
public struct Evaluator: Sendable {
    /// What is evaluated.
    public let loss: Loss
    /// The shape of a whole batch.
    public let shape: Shape
    /// What turns the input into probabilities.
    public let activation: Activation
    /// How it is evaluated, as asked for.
    public let options: Options

    let plan: Plan
    var workspace: Workspace

    /// Plans the evaluation of a loss. This is where everything that does not depend on a batch is checked, and where
    /// memory is allocated.
    ///
    /// - Parameters:
    ///   - loss: A sum of 1 to 8 terms that fit the activation and each other.
    ///   - shape: The shape of a whole batch, however many parts it will come in.
    ///   - activation: What turns the input into probabilities.
    ///   - options: How to compute.
    /// - Throws: ``LossError`` where the shape, a term or an option is refused: ``LossError/index`` is the term's.
    public init(
        _ loss: Loss, shape: Shape, activation: Activation, options: Options = Options()
    ) throws(LossError) {
        plan = try Plan(loss, shape: shape, activation: activation, options: options)
        workspace = try plan.makeWorkspace()
        self.loss = loss
        self.shape = shape
        self.activation = activation
        self.options = options
    }

    /// The instruction set that calls use; never ``InstructionSet/best``.
    public var instructionSet: InstructionSet { plan.instructionSet }

    /// The threads that calls use at most.
    public var threads: Int { plan.threads }

    func evaluation(_ value: Double) -> Evaluation {
        Evaluation(value: value, of: self, numbers: workspace.numbers)
    }
}

// MARK: - Value

extension Evaluator {
    /// The value of a batch with labels.
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
        logits: Span<Float>, labels: Span<L>, mask: Span<UInt8>? = nil, weights: Span<Float>? = nil,
        maps: Span<Float>? = nil
    ) throws(LossError) -> Evaluation {
        let value = try plan.evaluate(
            logits: logits, targets: labels, format: .labels(L.labelFormat), mask: mask, weights: weights,
            maps: maps,
            workspace: &workspace)
        return evaluation(value)
    }

    /// The value of a batch with dense targets.
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
        logits: Span<Float>, targets: Span<T>, mask: Span<UInt8>? = nil, weights: Span<Float>? = nil,
        maps: Span<Float>? = nil
    ) throws(LossError) -> Evaluation {
        let value = try plan.evaluate(
            logits: logits, targets: targets, format: .dense(T.denseFormat), mask: mask, weights: weights,
            maps: maps,
            workspace: &workspace)
        return evaluation(value)
    }
}

// MARK: - Value and gradient

extension Evaluator {
    /// The value of a batch with labels, and the gradient with respect to its logits (or probabilities).
    ///
    /// - Parameters:
    ///   - logits: The network's output, or probabilities: `[samples][classes][voxels]`.
    ///   - labels: Class indices: `[samples][voxels]`; see ``Label``.
    ///   - mask: `[samples][voxels]`: 0 takes the voxel out of everything; `nil`: all are in.
    ///   - weights: `[samples][voxels]`, each at least 0: factors of the pointwise terms; `nil`: all 1.
    ///   - maps: `[samples][classes][voxels]`: what a linear or a balanced L1 term takes; `nil`: none.
    ///   - gradient: Where the gradient goes: `[samples][classes][voxels]`.
    ///   - write: How the gradient is written.
    /// - Returns: The loss and its parts.
    /// - Throws: ``LossError`` where a buffer has the wrong count or a value is refused: ``LossError/index`` is the
    ///   value's place in its buffer. The gradient is then as it was, unless ``Checks/whileWriting`` was chosen.
    public mutating func evaluate<L: Label>(
        logits: Span<Float>, labels: Span<L>, mask: Span<UInt8>? = nil, weights: Span<Float>? = nil,
        maps: Span<Float>? = nil,
        gradient: inout MutableSpan<Float>, write: Write = .overwrite
    ) throws(LossError) -> Evaluation {
        let value = try plan.evaluate(
            logits: logits, targets: labels, format: .labels(L.labelFormat), mask: mask, weights: weights,
            maps: maps,
            gradient: &gradient, write: write, workspace: &workspace)
        return evaluation(value)
    }

    /// The value of a batch with dense targets, and the gradient with respect to its logits (or probabilities).
    ///
    /// - Parameters:
    ///   - logits: The network's output, or probabilities: `[samples][classes][voxels]`.
    ///   - targets: `[samples][classes][voxels]`; see ``DenseTarget``.
    ///   - mask: `[samples][voxels]`: 0 takes the voxel out of everything; `nil`: all are in.
    ///   - weights: `[samples][voxels]`, each at least 0: factors of the pointwise terms; `nil`: all 1.
    ///   - maps: `[samples][classes][voxels]`: what a linear or a balanced L1 term takes; `nil`: none.
    ///   - gradient: Where the gradient goes: `[samples][classes][voxels]`.
    ///   - write: How the gradient is written.
    /// - Returns: The loss and its parts.
    /// - Throws: ``LossError`` where a buffer has the wrong count or a value is refused: ``LossError/index`` is the
    ///   value's place in its buffer. The gradient is then as it was, unless ``Checks/whileWriting`` was chosen.
    public mutating func evaluate<T: DenseTarget>(
        logits: Span<Float>, targets: Span<T>, mask: Span<UInt8>? = nil, weights: Span<Float>? = nil,
        maps: Span<Float>? = nil,
        gradient: inout MutableSpan<Float>, write: Write = .overwrite
    ) throws(LossError) -> Evaluation {
        let value = try plan.evaluate(
            logits: logits, targets: targets, format: .dense(T.denseFormat), mask: mask, weights: weights,
            maps: maps,
            gradient: &gradient, write: write, workspace: &workspace)
        return evaluation(value)
    }

    /// The value of a batch with labels, whose logits (or probabilities) are replaced by the gradient.
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
        logits: inout MutableSpan<Float>, labels: Span<L>, mask: Span<UInt8>? = nil, weights: Span<Float>? = nil,
        maps: Span<Float>? = nil,
        scale: Float = 1
    ) throws(LossError) -> Evaluation {
        let value = try plan.evaluateInPlace(
            logits: &logits, targets: labels, format: .labels(L.labelFormat), mask: mask, weights: weights,
            maps: maps,
            scale: scale, workspace: &workspace)
        return evaluation(value)
    }

    /// The value of a batch with dense targets, whose logits (or probabilities) are replaced by the gradient.
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
        logits: inout MutableSpan<Float>, targets: Span<T>, mask: Span<UInt8>? = nil, weights: Span<Float>? = nil,
        maps: Span<Float>? = nil,
        scale: Float = 1
    ) throws(LossError) -> Evaluation {
        let value = try plan.evaluateInPlace(
            logits: &logits, targets: targets, format: .dense(T.denseFormat), mask: mask, weights: weights,
            maps: maps,
            scale: scale, workspace: &workspace)
        return evaluation(value)
    }
}
