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
        case .distances(let row): return distances(row, batch)
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

    /// By looking at every pair of voxels.
    private static func distances(_ row: DistanceRow, _ batch: Batch) -> [Float] {
        let shape = row.shape(batch.shape)
        var problem = DistanceProblem(
            extents: [Int](repeating: 1, count: 3 - shape.extents.count) + shape.extents, spacing: [1, 1, 1],
            form: row.form == .unsigned ? .unsigned : .signed)
        problem.far = .zero
        return (0..<shape.samples).flatMap { sample in
            let labels = batch.labels.values[sample * shape.voxels..<(sample + 1) * shape.voxels]
            return row.classes(batch.shape).flatMap { label in
                problem.values(of: labels.map { Int($0) == label }, at: 0..<shape.voxels)
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
