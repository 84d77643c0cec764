/// Evaluates DBNet's loss on batches of one shape: its value, its parts, and the gradients of both maps, written
/// straight into the caller's memory.
///
///     // The network's head: [16][2][640][640], channel 0 the probability map, channel 1 the threshold map.
///     let shape: Shape = .planar(samples: 16, classes: 2, height: 640, width: 640)
///     var evaluator = try BinarizationEvaluator(.db, shape: shape, activation: .probabilities)
///     var gradient = gradients.mutableSpan
///     let result = try evaluator.evaluate(
///         head: head.span, targets: text.span, mask: mask.span, thresholdMap: thresholds.span,
///         thresholdMask: thresholdMask.span, gradient: &gradient)
///     result.value; result.main; result.l1; result.dice
///
/// **Buffers.** A head is `[samples][channels][extents...]`, channel 0 the probability map P and channel 1 the
/// threshold map T. What other channels it has is neither read nor written: a third one, the binary map that networks
/// put out beside these two, is computed anew. Or the maps come apart, each `[samples][extents...]`, with a stride
/// where there is something between their samples. Targets, mask, threshold map and threshold mask are
/// `[samples][extents...]`: targets 0 or 1 (with ``BinarizationLoss/Main/dice`` any number in [0, 1]), the threshold
/// map in [0, 1], and a mask's 0 takes its voxel out: `mask` out of the main loss and of Dice, `thresholdMask` out of
/// L1.
///
/// **The whole batch.** Hard negatives and Dice are of the batch as a whole, so a call takes a whole batch.
///
/// **The same bits** on any number of threads and any instruction set, however the maps lie in memory.
///
/// **Memory.** Making an evaluator allocates everything that its calls need; a call allocates nothing. One that throws
/// allocates its message.
///
/// **Refusals.** A call that throws has written nothing. Its message begins with the map at fault, `map` or
/// `threshold`; an index is counted from that map's first value, with the samples as far apart as they lie.
///
/// **Threads.** As with ``Evaluator``: to evaluate from several tasks at once, give each a copy.
public struct BinarizationEvaluator: Sendable {
    /// What is evaluated.
    public let loss: BinarizationLoss
    /// The shape of a whole batch's head; its classes are the head's channels.
    public let shape: Shape
    /// Whether the maps are probabilities, or logits whose sigmoids are meant.
    public let activation: Activation
    /// How it is evaluated, as asked for.
    public let options: Options

    let plan: BinarizationPlan
    var scratch: [UInt8]

    /// Plans the evaluation of a loss, and allocates what that takes.
    ///
    /// - Parameters:
    ///   - loss: What to evaluate.
    ///   - shape: The shape of a whole batch's head: 2 channels or more, or 1 where the maps come apart.
    ///   - activation: ``Activation/probabilities``, as DB's networks put them out, or ``Activation/sigmoid`` where the
    ///     maps are logits; the gradients are with respect to what comes in.
    ///   - options: Threads and instruction set. There is no ``Options/ignoreIndex``: masks leave values out. Everything
    ///     is looked at before anything is written, whatever ``Options/checks`` says.
    /// - Throws: ``LossError`` where the shape, an option or the activation is refused.
    public init(
        _ loss: BinarizationLoss, shape: Shape, activation: Activation, options: Options = Options()
    ) throws(LossError) {
        plan = try BinarizationPlan(loss, shape: shape, activation: activation, options: options)
        scratch = try plan.makeScratch()
        self.loss = loss
        self.shape = shape
        self.activation = activation
        self.options = options
    }
}

// MARK: - Spans

extension BinarizationEvaluator {
    /// The value of a batch, the maps in one head.
    ///
    /// - Parameters:
    ///   - head: The network's output: `[samples][channels][extents...]`.
    ///   - targets: `[samples][extents...]`: 1 where there is text; see ``DenseTarget``.
    ///   - mask: `[samples][extents...]`: 0 takes the voxel out of the main loss and of Dice; `nil`: all are in.
    ///   - thresholdMap: `[samples][extents...]`: what T should be, in [0, 1].
    ///   - thresholdMask: `[samples][extents...]`: 0 takes the voxel out of L1; `nil`: all are in.
    /// - Returns: The loss and its parts.
    /// - Throws: ``LossError`` where a buffer has the wrong count or a value is refused.
    public mutating func evaluate<T: DenseTarget>(
        head: Span<Float>,
        targets: Span<T>, mask: Span<UInt8>? = nil, thresholdMap: Span<Float>, thresholdMask: Span<UInt8>? = nil
    ) throws(LossError) -> BinarizationEvaluation {
        try plan.evaluate(
            head: head,
            targets: targets, mask: mask, thresholdMap: thresholdMap, thresholdMask: thresholdMask,
            scratch: &scratch)
    }

    /// The value of a batch and the gradients with respect to both maps, the maps in one head.
    ///
    /// - Parameters:
    ///   - head: The network's output: `[samples][channels][extents...]`.
    ///   - targets: `[samples][extents...]`: 1 where there is text; see ``DenseTarget``.
    ///   - mask: `[samples][extents...]`: 0 takes the voxel out of the main loss and of Dice; `nil`: all are in.
    ///   - thresholdMap: `[samples][extents...]`: what T should be, in [0, 1].
    ///   - thresholdMask: `[samples][extents...]`: 0 takes the voxel out of L1; `nil`: all are in.
    ///   - gradient: Where both gradients go: `[samples][channels][extents...]`; only channels 0 and 1 are written.
    ///   - write: How the gradients are written.
    /// - Returns: The loss and its parts.
    /// - Throws: ``LossError`` where a buffer has the wrong count or a value is refused. The gradient is then as it was.
    public mutating func evaluate<T: DenseTarget>(
        head: Span<Float>,
        targets: Span<T>, mask: Span<UInt8>? = nil, thresholdMap: Span<Float>, thresholdMask: Span<UInt8>? = nil,
        gradient: inout MutableSpan<Float>, write: Write = .overwrite
    ) throws(LossError) -> BinarizationEvaluation {
        try plan.evaluate(
            head: head,
            targets: targets, mask: mask, thresholdMap: thresholdMap, thresholdMask: thresholdMask,
            gradient: &gradient, write: write, scratch: &scratch)
    }

    /// The value of a batch, the maps apart.
    ///
    /// - Parameters:
    ///   - map: P: `[samples][extents...]`, the samples `stride` elements apart.
    ///   - threshold: T, likewise.
    ///   - stride: Elements from one sample of a map to the next; 0: the samples follow one another.
    ///   - targets: `[samples][extents...]`: 1 where there is text; see ``DenseTarget``.
    ///   - mask: `[samples][extents...]`: 0 takes the voxel out of the main loss and of Dice; `nil`: all are in.
    ///   - thresholdMap: `[samples][extents...]`: what T should be, in [0, 1].
    ///   - thresholdMask: `[samples][extents...]`: 0 takes the voxel out of L1; `nil`: all are in.
    /// - Returns: The loss and its parts.
    /// - Throws: ``LossError`` where a buffer has the wrong count or a value is refused.
    public mutating func evaluate<T: DenseTarget>(
        map: Span<Float>, threshold: Span<Float>, stride: Int = 0,
        targets: Span<T>, mask: Span<UInt8>? = nil, thresholdMap: Span<Float>, thresholdMask: Span<UInt8>? = nil
    ) throws(LossError) -> BinarizationEvaluation {
        try plan.evaluate(
            map: map, threshold: threshold, stride: stride,
            targets: targets, mask: mask, thresholdMap: thresholdMap, thresholdMask: thresholdMask,
            scratch: &scratch)
    }

    /// The value of a batch and the gradients with respect to both maps, the maps apart.
    ///
    /// - Parameters:
    ///   - map: P: `[samples][extents...]`, the samples `stride` elements apart.
    ///   - threshold: T, likewise.
    ///   - stride: Elements from one sample of a map to the next; 0: the samples follow one another.
    ///   - targets: `[samples][extents...]`: 1 where there is text; see ``DenseTarget``.
    ///   - mask: `[samples][extents...]`: 0 takes the voxel out of the main loss and of Dice; `nil`: all are in.
    ///   - thresholdMap: `[samples][extents...]`: what T should be, in [0, 1].
    ///   - thresholdMask: `[samples][extents...]`: 0 takes the voxel out of L1; `nil`: all are in.
    ///   - mapGradient: Where the gradient with respect to P goes: `[samples][extents...]`.
    ///   - thresholdGradient: Where that with respect to T goes.
    ///   - gradientStride: Elements from one sample of a gradient to the next; 0: the samples follow one another.
    ///   - write: How the gradients are written.
    /// - Returns: The loss and its parts.
    /// - Throws: ``LossError`` where a buffer has the wrong count or a value is refused. The gradients are then as they were.
    public mutating func evaluate<T: DenseTarget>(
        map: Span<Float>, threshold: Span<Float>, stride: Int = 0,
        targets: Span<T>, mask: Span<UInt8>? = nil, thresholdMap: Span<Float>, thresholdMask: Span<UInt8>? = nil,
        mapGradient: inout MutableSpan<Float>, thresholdGradient: inout MutableSpan<Float>, gradientStride: Int = 0,
        write: Write = .overwrite
    ) throws(LossError) -> BinarizationEvaluation {
        try plan.evaluate(
            map: map, threshold: threshold, stride: stride,
            targets: targets, mask: mask, thresholdMap: thresholdMap, thresholdMask: thresholdMask,
            mapGradient: &mapGradient, thresholdGradient: &thresholdGradient,
            gradientStride: gradientStride, write: write, scratch: &scratch)
    }
}

// MARK: - Arrays

extension BinarizationEvaluator {
    /// The value of a batch, the maps in one head, from arrays.
    ///
    /// - Parameters:
    ///   - head: The network's output: `[samples][channels][extents...]`.
    ///   - targets: `[samples][extents...]`: 1 where there is text; see ``DenseTarget``.
    ///   - mask: `[samples][extents...]`: 0 takes the voxel out of the main loss and of Dice; `nil`: all are in.
    ///   - thresholdMap: `[samples][extents...]`: what T should be, in [0, 1].
    ///   - thresholdMask: `[samples][extents...]`: 0 takes the voxel out of L1; `nil`: all are in.
    /// - Returns: The loss and its parts.
    /// - Throws: ``LossError`` where a buffer has the wrong count or a value is refused.
    public mutating func evaluate<T: DenseTarget>(
        head: [Float],
        targets: [T], mask: [UInt8]? = nil, thresholdMap: [Float], thresholdMask: [UInt8]? = nil
    ) throws(LossError) -> BinarizationEvaluation {
        try evaluate(
            head: head.span,
            targets: targets.span, mask: mask?.span, thresholdMap: thresholdMap.span,
            thresholdMask: thresholdMask?.span)
    }

    /// The value of a batch and the gradients with respect to both maps, the maps in one head, from and to arrays.
    ///
    /// - Parameters:
    ///   - head: The network's output: `[samples][channels][extents...]`.
    ///   - targets: `[samples][extents...]`: 1 where there is text; see ``DenseTarget``.
    ///   - mask: `[samples][extents...]`: 0 takes the voxel out of the main loss and of Dice; `nil`: all are in.
    ///   - thresholdMap: `[samples][extents...]`: what T should be, in [0, 1].
    ///   - thresholdMask: `[samples][extents...]`: 0 takes the voxel out of L1; `nil`: all are in.
    ///   - gradient: Where both gradients go: `[samples][channels][extents...]`; only channels 0 and 1 are written.
    ///   - write: How the gradients are written.
    /// - Returns: The loss and its parts.
    /// - Throws: ``LossError`` where a buffer has the wrong count or a value is refused. The gradient is then as it was.
    public mutating func evaluate<T: DenseTarget>(
        head: [Float],
        targets: [T], mask: [UInt8]? = nil, thresholdMap: [Float], thresholdMask: [UInt8]? = nil,
        gradient: inout [Float], write: Write = .overwrite
    ) throws(LossError) -> BinarizationEvaluation {
        var span = gradient.mutableSpan
        return try evaluate(
            head: head.span,
            targets: targets.span, mask: mask?.span, thresholdMap: thresholdMap.span,
            thresholdMask: thresholdMask?.span,
            gradient: &span, write: write)
    }

    /// The value of a batch, the maps apart, from arrays.
    ///
    /// - Parameters:
    ///   - map: P: `[samples][extents...]`, the samples `stride` elements apart.
    ///   - threshold: T, likewise.
    ///   - stride: Elements from one sample of a map to the next; 0: the samples follow one another.
    ///   - targets: `[samples][extents...]`: 1 where there is text; see ``DenseTarget``.
    ///   - mask: `[samples][extents...]`: 0 takes the voxel out of the main loss and of Dice; `nil`: all are in.
    ///   - thresholdMap: `[samples][extents...]`: what T should be, in [0, 1].
    ///   - thresholdMask: `[samples][extents...]`: 0 takes the voxel out of L1; `nil`: all are in.
    /// - Returns: The loss and its parts.
    /// - Throws: ``LossError`` where a buffer has the wrong count or a value is refused.
    public mutating func evaluate<T: DenseTarget>(
        map: [Float], threshold: [Float], stride: Int = 0,
        targets: [T], mask: [UInt8]? = nil, thresholdMap: [Float], thresholdMask: [UInt8]? = nil
    ) throws(LossError) -> BinarizationEvaluation {
        try evaluate(
            map: map.span, threshold: threshold.span, stride: stride,
            targets: targets.span, mask: mask?.span, thresholdMap: thresholdMap.span,
            thresholdMask: thresholdMask?.span)
    }

    /// The value of a batch and the gradients with respect to both maps, the maps apart, from and to arrays.
    ///
    /// - Parameters:
    ///   - map: P: `[samples][extents...]`, the samples `stride` elements apart.
    ///   - threshold: T, likewise.
    ///   - stride: Elements from one sample of a map to the next; 0: the samples follow one another.
    ///   - targets: `[samples][extents...]`: 1 where there is text; see ``DenseTarget``.
    ///   - mask: `[samples][extents...]`: 0 takes the voxel out of the main loss and of Dice; `nil`: all are in.
    ///   - thresholdMap: `[samples][extents...]`: what T should be, in [0, 1].
    ///   - thresholdMask: `[samples][extents...]`: 0 takes the voxel out of L1; `nil`: all are in.
    ///   - mapGradient: Where the gradient with respect to P goes: `[samples][extents...]`.
    ///   - thresholdGradient: Where that with respect to T goes.
    ///   - gradientStride: Elements from one sample of a gradient to the next; 0: the samples follow one another.
    ///   - write: How the gradients are written.
    /// - Returns: The loss and its parts.
    /// - Throws: ``LossError`` where a buffer has the wrong count or a value is refused. The gradients are then as they were.
    public mutating func evaluate<T: DenseTarget>(
        map: [Float], threshold: [Float], stride: Int = 0,
        targets: [T], mask: [UInt8]? = nil, thresholdMap: [Float], thresholdMask: [UInt8]? = nil,
        mapGradient: inout [Float], thresholdGradient: inout [Float], gradientStride: Int = 0,
        write: Write = .overwrite
    ) throws(LossError) -> BinarizationEvaluation {
        var mapSpan = mapGradient.mutableSpan
        var thresholdSpan = thresholdGradient.mutableSpan
        return try evaluate(
            map: map.span, threshold: threshold.span, stride: stride,
            targets: targets.span, mask: mask?.span, thresholdMap: thresholdMap.span,
            thresholdMask: thresholdMask?.span,
            mapGradient: &mapSpan, thresholdGradient: &thresholdSpan, gradientStride: gradientStride,
            write: write)
    }
}
