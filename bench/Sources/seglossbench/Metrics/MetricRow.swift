import SegLoss
import SegLossReference

/// One metric of one input.
struct MetricRow {
    enum Kind { case confusion, thresholds, surface }

    let name: String
    let kind: Kind
    let predictions: MetricInput.Predictions
    let classes: Int
    let extents: [Int]
    let input: MetricInput
    /// Distances are bound by what they compute.
    var isBoundByMemory: Bool { kind != .surface }

    init(_ name: String, _ kind: Kind, _ predictions: MetricInput.Predictions, classes: Int, extents: [Int]) {
        (self.name, self.kind, self.predictions) = (name, kind, predictions)
        (self.classes, self.extents) = (classes, extents)
        input = MetricInput(predictions, classes: classes, extents: extents)
    }

    /// Made one after the other, so that one input alone is in memory.
    static var all: some Sequence<MetricRow> {
        let made: [() -> MetricRow] = [
            { MetricRow("mean IoU, 10 thresholds", .thresholds, .probabilities, classes: 1, extents: [4096, 4096]) },
            { MetricRow("mean IoU, 10 thresholds, logits", .thresholds, .logits, classes: 1, extents: [4096, 4096]) },
            { MetricRow("confusion of logits", .confusion, .logits, classes: 4, extents: [512, 512]) },
            { MetricRow("confusion of logits", .confusion, .logits, classes: 4, extents: [2048, 2048]) },
            { MetricRow("confusion of label maps", .confusion, .labels, classes: 4, extents: [512, 512]) },
            { MetricRow("confusion of label maps", .confusion, .labels, classes: 19, extents: [2048, 2048]) },
            { MetricRow("HD95", .surface, .labels, classes: 2, extents: [512, 512]) },
            { MetricRow("HD95", .surface, .labels, classes: 2, extents: [128, 128, 128]) },
        ]
        return made.lazy.map { $0() }
    }

    /// What a call gives, as numbers.
    func call(_ input: MetricInput, _ options: Options) throws -> () throws -> [Double] {
        let (labels, predicted, values) = (input.labels, input.predicted, input.values)
        switch kind {
        case .confusion:
            var counter = try ConfusionCounter(of: input.shape, options: options)
            if predictions == .labels {
                return {
                    try counter.count(predictions: predicted.values.span, labels: labels.values.span).values.map(Double.init)
                }
            }
            return { try counter.count(logits: values.values.span, labels: labels.values.span).values.map(Double.init) }
        case .thresholds:
            var counter = try ThresholdCounter(
                of: input.shape, activation: predictions == .logits ? .sigmoid : .probabilities, options: options)
            return {
                let counts = try counter.count(values.values.span, labels: labels.values.span).counts
                return counts.flatMap {
                    [$0.truePositives, $0.falsePositives, $0.falseNegatives, $0.trueNegatives].map(Double.init)
                }
            }
        case .surface:
            // One class, as the peers have it.
            var metric = try SurfaceMetric(
                of: Shape(samples: 1, classes: 1, extents: input.shape.extents), classes: [1], options: options)
            return {
                let d = try metric.distances(predictions: predicted.values.span, labels: labels.values.span).values[0]
                return [d.hausdorff, d.hausdorffPercentile, d.average]
            }
        }
    }

    /// Of what a call gives, the numbers that the peers print, by their names.
    func comparable(_ values: [Double]) -> [(name: String, value: Double)] {
        switch kind {
        case .confusion: return [("voxels of class 1 found", values[classes + 1])]
        case .thresholds:
            let ious = stride(from: 0, to: values.count, by: 4).map { at -> Double in
                values[at] / (values[at] + values[at + 1] + values[at + 2])
            }
            return [
                ("mean IoU", ious.reduce(0, +) / Double(ious.count)),
                ("recall at 0.5", values[0] / (values[0] + values[2])),
            ]
        case .surface: return [("HD95", values[1])]
        }
    }

    /// A small input, against the reference.
    func verify() throws {
        let small = MetricInput(predictions, classes: classes, extents: extents.map { min($0, extents.count > 2 ? 14 : 60) })
        let call = try call(small, Options())
        let got = try call(), wanted = reference(small)
        guard got == wanted else { throw BenchError("\(name): \(got) instead of the reference's \(wanted)") }
    }

    private func reference(_ input: MetricInput) -> [Double] {
        let labels = Array(input.labels.values), predicted = Array(input.predicted.values)
        let values = Array(input.values.values), voxels = input.shape.voxels
        switch kind {
        case .confusion:
            let classes = (0..<voxels).map {
                predictions == .labels
                    ? Int(predicted[$0])
                    : ReferenceMetrics.predictedClass(values[...], classes: self.classes, voxels: voxels, voxel: $0)
            }
            return ReferenceMetrics.matrix(labels: labels.map { Int($0) }, predictions: classes, classes: self.classes)
                .map(Double.init)
        case .thresholds:
            return ThresholdCounter.meanIoU.flatMap { threshold -> [Double] in
                let c = ReferenceMetrics.counts(
                    values: values, targets: labels.map { $0 == 1 },
                    bound: ReferenceMetrics.bound(of: threshold, logits: predictions == .logits))
                return [c.truePositives, c.falsePositives, c.falseNegatives, c.trueNegatives].map(Double.init)
            }
        case .surface:
            let extents = Array(repeating: 1, count: 3 - input.shape.extents.count) + input.shape.extents
            let answer = SurfaceProblem(extents: extents, spacing: [1, 1, 1], percentile: 95).answer(
                predicted: predicted.map { $0 == 1 }, target: labels.map { $0 == 1 }) { _ in .nan }
            return [answer.numbers[0], answer.numbers[1], answer.numbers[3]]
        }
    }
}
