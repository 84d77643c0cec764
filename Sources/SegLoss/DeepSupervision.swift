/// One loss at several scales of a network's output, with one full-size label map (deep supervision): the sum over the
/// scales of weight times loss, and the gradient of each scale, scaled by its weight.
///
///     let shapes = [512, 256, 128].map { Shape.planar(samples: 2, classes: 4, height: $0, width: $0) }
///     var supervision = try DeepSupervision(
///         loss, shapes: shapes, weights: DeepSupervision.halvingWeights(3), activation: .softmax)
///     let result = try supervision.evaluate(logits: outputs, labels: labels, gradients: &gradients)
///     result.value; result.scales[0].value
///
/// The labels of a smaller scale are not made: they are read from the full-size map, every second, fourth, ... voxel of
/// each direction, and so are its mask and voxel weights. All scales are checked before any gradient is written, as far
/// as an ``Evaluator`` does.
public struct DeepSupervision: Sendable {
    /// Which voxel of the full-size map a smaller scale's label, mask and weight are.
    public enum Sampling: Sendable, Hashable {
        /// The first of each group: PyTorch's `nearest`.
        case nearest
        /// The one in (or just after) the middle of each group: PyTorch's `nearest-exact`.
        case center
    }

    /// The scales' own evaluators, in the order of the shapes.
    public let evaluators: [Evaluator]
    /// The scales' factors in the loss.
    public let weights: [Double]
    /// Which labels the smaller scales take.
    public let sampling: Sampling
    private let steps: [[Int]]
    private var workspaces: [Workspace]
    private var scratch: [UInt8]

    /// Plans the evaluation of a loss at several scales.
    ///
    /// - Parameters:
    ///   - loss: The loss of every scale.
    ///   - shapes: The scales, 1 to 16: the first is that of the label map, and every extent of it is a multiple of the
    ///     other scales'. Samples and classes are the same.
    ///   - weights: The scales' factors, finite.
    ///   - activation: What turns the input into probabilities.
    ///   - options: How to compute.
    ///   - sampling: Which labels the smaller scales take.
    /// - Throws: ``LossError`` where a scale does not fit, or what an ``Evaluator`` refuses.
    public init(
        _ loss: Loss, shapes: [Shape], weights: [Double], activation: Activation, options: Options = Options(),
        sampling: Sampling = .nearest
    ) throws(LossError) {
        guard (1...Self.mostScales).contains(shapes.count) else {
            throw LossError(
                kind: .badShape, message: "there are \(shapes.count) scales; expected 1 to \(Self.mostScales)")
        }
        guard weights.count == shapes.count else {
            throw LossError(
                kind: .wrongSize, message: "there are \(weights.count) weights; expected \(shapes.count), one a scale")
        }
        if let scale = weights.firstIndex(where: { !$0.isFinite }) {
            throw LossError(
                kind: .badOption, message: "the weight of scale \(scale) is \(weights[scale]); expected a finite number")
        }
        var evaluators: [Evaluator] = []
        var steps: [[Int]] = []
        for (scale, shape) in shapes.enumerated() {
            evaluators.append(try Evaluator(loss, shape: shape, activation: activation, options: options))
            steps.append(try Self.steps(from: shapes[0], to: shape, scale: scale))
        }
        self.evaluators = evaluators
        self.weights = weights
        self.sampling = sampling
        self.steps = steps
        workspaces = evaluators.map(\.workspace)
        scratch = try makeScratch(bytes: evaluators.reduce(0) { $0 + $1.workspace.scratch.count })
    }

    /// Scales that one call takes at most.
    public static let mostScales = 16

    /// The same weight, 1, for every scale: MONAI's `weight_mode="same"`.
    public static func equalWeights(_ count: Int) -> [Double] { Array(repeating: 1, count: max(count, 0)) }

    /// 1, 1/2, 1/4, ..., the last scale left out with 0, all divided by their sum: nnU-Net's. With one scale: 1.
    public static func nnUNetWeights(_ count: Int) -> [Double] {
        var weights = halvingWeights(count, least: 0)
        if count > 1 { weights[count - 1] = 0 }
        let sum = weights.reduce(0, +)
        return weights.map { $0 / sum }
    }

    /// 1, 1/2, 1/4, ..., none below `least`: MONAI's `weight_mode="exp"`, whose least is 1/16.
    public static func halvingWeights(_ count: Int, least: Double = 0.0625) -> [Double] {
        var weight = 2.0
        return (0..<max(count, 0)).map { _ in
            weight /= 2
            return max(weight, least)
        }
    }

    /// 1, then 1/2 for all others: MONAI's `weight_mode="two"`.
    public static func twoWeights(_ count: Int) -> [Double] { (0..<max(count, 0)).map { $0 == 0 ? 1 : 0.5 } }

    private static func steps(from full: Shape, to shape: Shape, scale: Int) throws(LossError) -> [Int] {
        guard shape.samples == full.samples, shape.classes == full.classes, shape.extents.count == full.extents.count,
            shape.extents.count <= 3
        else {
            throw LossError(
                kind: .badShape,
                message: "scale \(scale) is \(shape); expected the samples, classes and dimensions of \(full), 3 at most")
        }
        var steps: [Int] = []
        for (large, small) in zip(full.extents, shape.extents) {
            guard large % small == 0 else {
                throw LossError(
                    kind: .badShape,
                    message: "scale \(scale) has the extents \(shape.extents); expected divisors of \(full.extents)")
            }
            steps.append(large / small)
        }
        return Array(repeating: 1, count: 3 - steps.count) + steps
    }

    /// The view of a full-size label map, mask or weight map that a scale has, and where it begins.
    public func labels(ofScale scale: Int) -> (view: View, start: Int) {
        let step = steps[scale]
        if step == [1, 1, 1] { return (.contiguous, 0) }
        let full = View.labels(evaluators[0].shape)
        let view = full.every(planes: step[0], rows: step[1], columns: step[2])
        guard sampling == .center else { return (view, 0) }
        return (view, full.place(plane: step[0] / 2, row: step[1] / 2, column: step[2] / 2))
    }
}

/// What a loss came to at several scales.
public struct ScalesEvaluation: Sendable, Hashable {
    /// The sum over the scales of weight times value.
    public let value: Double
    /// Each scale's own, without its weight.
    public let scales: [Evaluation]
}

extension DeepSupervision {
    /// The value at all scales, with the labels of the first.
    ///
    /// - Parameters:
    ///   - logits: Of each scale: `[samples][classes][voxels]`; see ``Logit``.
    ///   - labels: Of the first scale: `[samples][voxels]`; see ``Label``.
    ///   - mask: Of the first scale: 0 takes the voxel out of everything; `nil`: all are in.
    ///   - weights: Of the first scale, each at least 0: factors of the pointwise terms; `nil`: all 1.
    /// - Returns: The loss and its scales.
    /// - Throws: ``LossError`` where a buffer has the wrong count or a value is refused: the message begins with the
    ///   scale's number.
    public mutating func evaluate<Z: Logit, L: Label>(
        logits: [[Z]], labels: [L], mask: [UInt8]? = nil, weights: [Float]? = nil
    ) throws(LossError) -> ScalesEvaluation {
        try check(logits.count, "logits")
        var none: [[Float]]?
        return try evaluate(logits, FullSizeMaps(labels: labels, mask: mask, weights: weights), &none, .overwrite)
    }

    /// The value at all scales, with the labels of the first, and the gradient of each scale.
    ///
    /// - Parameters:
    ///   - logits: Of each scale: `[samples][classes][voxels]`; see ``Logit``.
    ///   - labels: Of the first scale: `[samples][voxels]`; see ``Label``.
    ///   - mask: Of the first scale: 0 takes the voxel out of everything; `nil`: all are in.
    ///   - weights: Of the first scale, each at least 0: factors of the pointwise terms; `nil`: all 1.
    ///   - gradients: Of each scale, of the logits' shapes; its weight is in it.
    ///   - write: How the gradients are written.
    /// - Returns: The loss and its scales.
    /// - Throws: ``LossError`` where a buffer has the wrong count or a value is refused: the message begins with the
    ///   scale's number. All gradients are then as they were, unless ``Checks/whileWriting`` was chosen.
    public mutating func evaluate<Z: Logit, L: Label, G: Logit>(
        logits: [[Z]], labels: [L], mask: [UInt8]? = nil, weights: [Float]? = nil, gradients: inout [[G]],
        write: Write = .overwrite
    ) throws(LossError) -> ScalesEvaluation {
        try check(logits.count, "logits")
        try check(gradients.count, "gradients")
        var some: [[G]]? = gradients
        gradients = []  // the arrays have one owner: nothing is copied
        defer { gradients = some! }
        return try evaluate(logits, FullSizeMaps(labels: labels, mask: mask, weights: weights), &some, write)
    }

    private func check(_ count: Int, _ name: String) throws(LossError) {
        guard count != evaluators.count else { return }
        throw LossError(
            kind: .wrongSize, message: "\(name) has \(count) scales; expected \(evaluators.count)")
    }

    private mutating func evaluate<Z: Logit, L: Label, G: Logit>(
        _ logits: [[Z]], _ maps: FullSizeMaps<L>, _ gradients: inout [[G]]?, _ write: Write
    ) throws(LossError) -> ScalesEvaluation {
        let views = evaluators.indices.map { self.labels(ofScale: $0) }
        let value = try evaluateScales(
            evaluators, weights, views, logits, maps, &gradients, write, &workspaces, &scratch)
        let scales = evaluators.indices.map { scale in
            Evaluation(value: value.scales[scale], of: evaluators[scale], numbers: workspaces[scale].numbers)
        }
        return ScalesEvaluation(value: value.sum, scales: scales)
    }
}
