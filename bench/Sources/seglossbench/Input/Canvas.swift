/// A label map being painted.
struct Canvas {
    let labels: UnsafeMutableBufferPointer<UInt8>
    let height: Int
    let width: Int

    /// The most frequent class everywhere, then the others over it, the rarest last so that it keeps its share.
    mutating func paintStreet(classes: Int, _ seeded: inout Seeded) {
        let frequencies = StreetFrequencies.forClasses(classes)
        labels.update(repeating: 0)
        for label in (1..<classes).sorted(by: { frequencies[$0] > frequencies[$1] }) {
            paint(UInt8(label), share: frequencies[label], roundShapes: label % 2 == 1, objects: 6, &seeded)
        }
    }

    mutating func paintLesions(positive: Double, _ seeded: inout Seeded) {
        labels.update(repeating: 0)
        paint(1, share: positive, roundShapes: true, objects: 5, &seeded)
    }

    /// Discs over a third of the image, about 100 for each 512 x 512.
    mutating func paintCells(_ seeded: inout Seeded) {
        labels.update(repeating: 0)
        paint(1, share: 0.35, roundShapes: true, objects: max(4, labels.count / 2600), &seeded)
    }

    /// Paints blobs, about `objects` of them, until the label covers its share of the image.
    private mutating func paint(
        _ label: UInt8, share: Double, roundShapes: Bool, objects: Int, _ seeded: inout Seeded
    ) {
        var missing = Int((share * Double(labels.count)).rounded(.up))
        let area = Double(missing) / Double(objects)
        while missing > 0 {
            let stretch = 0.4 + 1.6 * seeded.unit()
            let blob = Blob(
                centerY: seeded.integer(below: height), centerX: seeded.integer(below: width),
                radiusY: max(1, Int((area * stretch).squareRoot() / 2)),
                radiusX: max(1, Int((area / stretch).squareRoot() / 2)),
                isRound: roundShapes)
            missing -= fill(blob, with: label)
        }
    }

    /// Fills a blob and returns the number of voxels that changed.
    private mutating func fill(_ blob: Blob, with label: UInt8) -> Int {
        var changed = 0
        for y in max(0, blob.centerY - blob.radiusY)..<min(height, blob.centerY + blob.radiusY) {
            let half = blob.halfWidth(y)
            for x in max(0, blob.centerX - half)..<min(width, blob.centerX + half) {
                changed += labels[y * width + x] == label ? 0 : 1
                labels[y * width + x] = label
            }
        }
        return changed
    }
}

/// A rectangle or an ellipse.
private struct Blob {
    var centerY: Int
    var centerX: Int
    var radiusY: Int
    var radiusX: Int
    var isRound: Bool

    func halfWidth(_ y: Int) -> Int {
        guard isRound else { return radiusX }
        let offset = (Double(y - centerY) + 0.5) / Double(radiusY)
        return max(1, Int(Double(radiusX) * (1 - offset * offset).squareRoot()))
    }
}
