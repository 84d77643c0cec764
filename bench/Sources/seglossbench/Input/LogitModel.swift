import Foundation

/// Logits of a network that is right about 85 % of the time: noise, and a lift for the right class.
struct LogitModel {
    private static let accuracy = 0.85
    /// Trained networks are surer than noise of deviation 1 would look.
    private static let deviation: Float = 1.5

    private let classes: Int
    private let lift: Float

    init(classes: Int) {
        self.classes = classes
        lift = Self.deviation * Float(Self.lift(classes: classes))
    }

    /// Writes logits for the batch's labels. Ignored labels get noise alone.
    func fill(_ batch: Batch, _ seeded: inout Seeded) {
        let (shape, labels, logits) = (batch.shape, batch.labels.values, batch.logits.values)
        for sample in 0..<shape.samples {
            for channel in 0..<classes {
                let first = (sample * classes + channel) * shape.plane
                for voxel in 0..<shape.plane {
                    let label = Int(labels[sample * shape.plane + voxel])
                    logits[first + voxel] = Self.deviation * seeded.noise() + lift(channel: channel, label: label)
                }
            }
        }
    }

    /// Writes a text detector's maps for the batch's labels: the first channel tells text, the second is a threshold
    /// map, about 0.3 everywhere.
    func fillMaps(_ batch: Batch, _ seeded: inout Seeded) {
        let (shape, labels, logits) = (batch.shape, batch.labels.values, batch.logits.values)
        for sample in 0..<shape.samples {
            let first = sample * shape.classes * shape.plane
            for voxel in 0..<shape.plane {
                let label = Int(labels[sample * shape.plane + voxel])
                logits[first + voxel] = Self.deviation * seeded.noise() + lift(channel: 0, label: label)
                logits[first + shape.plane + voxel] = 0.3 * seeded.noise() - 0.85
            }
        }
    }

    private func lift(channel: Int, label: Int) -> Float {
        if classes == 1 { return label == 1 ? lift : -lift }
        return label == channel ? lift : 0
    }

    /// The lift, in deviations of the noise, that makes the right class the greatest with the wanted probability.
    private static func lift(classes: Int) -> Double {
        var (low, high) = (0.0, 12.0)
        for _ in 0..<40 {
            let middle = (low + high) / 2
            let isTooLow = probabilityOfBeingRight(lift: middle, classes: classes) < accuracy
            (low, high) = isTooLow ? (middle, high) : (low, middle)
        }
        return low
    }

    /// With one channel right is the sign; with several, the right logit above all others: the integral of
    /// phi(x - lift) Phi(x)^(classes - 1).
    private static func probabilityOfBeingRight(lift: Double, classes: Int) -> Double {
        if classes == 1 { return normalBelow(lift) }
        let step = 0.02
        return stride(from: -6.0, through: 18.0, by: step).reduce(0) { sum, x in
            let density = exp(-(x - lift) * (x - lift) / 2) / (2 * Double.pi).squareRoot()
            return sum + density * pow(normalBelow(x), Double(classes - 1)) * step
        }
    }

    private static func normalBelow(_ x: Double) -> Double {
        erfc(-x / 2.0.squareRoot()) / 2
    }
}
