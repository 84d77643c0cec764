import SegLoss

/// What a metric is computed of: balls of classes 1 and up, and predictions of them that are a little off.
struct MetricInput {
    enum Predictions { case labels, logits, probabilities }

    let shape: Shape
    let labels: Buffer<UInt8>
    let predicted: Buffer<UInt8>
    /// Empty where predictions are labels.
    let values: Buffer<Float>
    let kind: Predictions

    init(_ kind: Predictions, classes: Int, extents: [Int]) {
        shape = Shape(samples: 1, classes: classes, extents: extents)
        self.kind = kind
        let voxels = shape.voxels
        labels = Buffer(count: voxels)
        predicted = Buffer(count: voxels)
        values = Buffer(count: kind == .labels ? 1 : classes * voxels)
        var seeded = Seeded(UInt64(voxels + classes))
        let balls = max(classes, 2)
        for i in 0..<voxels {
            labels.values[i] = Self.ball(i, extents, balls, off: 0)
            let isSpeck = seeded.integer(below: 500) == 0
            predicted.values[i] = isSpeck ? UInt8(seeded.integer(below: balls)) : Self.ball(i, extents, balls, off: 0.01)
        }
        guard kind != .labels else { return }
        for c in 0..<classes {
            for i in 0..<voxels {
                let isRight = classes == 1 ? predicted.values[i] == 1 : Int(predicted.values[i]) == c
                let noise = seeded.unit()
                values.values[c * voxels + i] =
                    kind == .logits ? Float(4 * noise) + (isRight ? 2 : 0) : Float(isRight ? 1 - noise * noise : noise * noise)
            }
        }
    }

    /// The class of a voxel: rings around the middle, the innermost the last.
    private static func ball(_ voxel: Int, _ extents: [Int], _ classes: Int, off: Double) -> UInt8 {
        var (rest, squared) = (voxel, 0.0)
        for extent in extents.reversed() {
            let place = Double(rest % extent) / Double(extent) - 0.5 - off
            squared += place * place
            rest /= extent
        }
        return UInt8(max(0, Double(classes) * (1 - squared.squareRoot() / 0.4)).rounded(.down).clamped(to: classes - 1))
    }

    /// Values that predictions are made of.
    var predictions: Int { kind == .labels ? shape.voxels : shape.classes * shape.voxels }
    /// Bytes that must be read.
    var bytes: Int { shape.voxels + (kind == .labels ? shape.voxels : 4 * predictions) }
    var text: String { ([shape.classes] + shape.extents).map(String.init).joined(separator: "x") }
}

extension Double {
    fileprivate func clamped(to most: Int) -> Double { Swift.min(self, Double(most)) }
}
