import SegLoss
import SegLossReference

/// A map of labels by the scalar reference.
enum MapReference {
    static func map(_ maker: MapMaker, _ batch: Batch) -> [Float] {
        let shape = batch.shape
        let extents = [1, shape.height, shape.width]
        func samples(_ body: (Range<Int>) -> [Float]) -> [Float] {
            (0..<shape.samples).flatMap { body($0 * shape.plane..<($0 + 1) * shape.plane) }
        }
        func box(_ window: Int, _ form: BoxWeightProblem.Form) -> [Float] {
            BoxWeightProblem(
                samples: shape.samples, extents: extents, window: [1, window, window], countsPadding: false, form: form,
                mean: .batch
            ).map(of: batch.labels.values.map { $0 == 1 })
        }
        switch maker {
        case .distances:
            var problem = DistanceProblem(extents: extents, spacing: [1, 1, 1], form: .signed)
            problem.boundary = .zero
            problem.far = .zero
            return samples { range in
                (0..<shape.classes).flatMap { c in
                    problem.values(of: range.map { Int(batch.labels.values[$0]) == c }, at: 0..<shape.plane)
                }
            }
        case .boundary(let window): return box(window, .boundary(amplitude: 5, steepness: 5))
        case .border(let window): return box(window, .border(amplitude: 2, above: 0.005, below: 0.995))
        case .frequencies: return frequencies(batch)
        case .cells:
            let problem = CellWeightProblem(
                extents: extents, spacing: [1, 1, 1], amplitude: 10, sigma: 5, background: 1, cells: 1, balanced: false)
            return samples { range in
                let labels = range.map { Int(batch.cells.buffer.values[$0]) }
                return problem.map(of: labels.map { $0 == 0 ? nil : $0 }, ignored: labels.map { _ in false })
            }
        }
    }

    private static func frequencies(_ batch: Batch) -> [Float] {
        let shape = batch.shape
        let labels = batch.labels.values.map(Int.init)
        let classes = max(shape.classes, 2)
        var counts = [Int](repeating: 0, count: classes)
        var ofSamples = counts
        for sample in 0..<shape.samples {
            let valid = labels[sample * shape.plane..<(sample + 1) * shape.plane].filter { $0 != batch.ignoreIndex }
            for c in Set(valid) { ofSamples[c] += valid.count }
            for c in valid { counts[c] += 1 }
        }
        let weights = ClassWeightReference.weights(counts, ofSamples, .median, .zero, .none)
        return labels.map { $0 == batch.ignoreIndex ? 0 : weights[$0] }
    }
}
