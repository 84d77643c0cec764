/// What the default input shows.
enum Scene: Hashable, CustomStringConvertible {
    /// Objects of a street, as unevenly distributed as CamVid's classes.
    case street
    /// A few ellipses on background, of this share of the image.
    case lesion(positive: Double)
    /// The same as text in photos, for a head of two maps: where the text is, and the threshold map.
    case text(positive: Double)
    /// Many round cells, which may touch.
    case cells

    var description: String {
        switch self {
        case .street: "street"
        case .lesion(let positive): "lesion \(positive)"
        case .text(let positive): "text \(positive)"
        case .cells: "cells"
        }
    }

    /// A batch of this scene, the same for the same shape every time.
    func batch(_ shape: BatchShape) -> Batch {
        let batch = Batch(shape: shape)
        var seeded = Seeded(0x5e61_0055 &+ UInt64(shape.voxels) &* 31 &+ UInt64(shape.classes))
        for sample in 0..<shape.samples {
            let labels = batch.labels.values[sample * shape.plane..<(sample + 1) * shape.plane]
            var canvas = Canvas(
                labels: UnsafeMutableBufferPointer(rebasing: labels), height: shape.height, width: shape.width)
            switch self {
            case .street: canvas.paintStreet(classes: shape.classes, &seeded)
            case .lesion(let positive), .text(let positive): canvas.paintLesions(positive: positive, &seeded)
            case .cells: canvas.paintCells(&seeded)
            }
        }
        if case .text = self {
            LogitModel(classes: 1).fillMaps(batch, &seeded)
        } else {
            LogitModel(classes: shape.classes).fill(batch, &seeded)
        }
        return batch
    }
}

/// How often the classes of a street occur: CamVid's 11 and void, most frequent first (20 label maps of 480x360).
enum StreetFrequencies {
    static let camVid = [0.31, 0.23, 0.16, 0.11, 0.065, 0.042, 0.035, 0.014, 0.011, 0.010, 0.007, 0.002]

    /// For any number of classes: up to 12 are picked evenly from the ranking, so that the rarest stays in; beyond
    /// that the ranking repeats at half the frequency.
    static func forClasses(_ classes: Int) -> [Double] {
        let picked = (0..<classes).map { index in
            guard classes <= camVid.count else {
                return camVid[index % camVid.count] / Double(1 << (index / camVid.count))
            }
            return camVid[index * (camVid.count - 1) / max(classes - 1, 1)]
        }
        let total = picked.reduce(0, +)
        return picked.map { $0 / total }
    }
}
