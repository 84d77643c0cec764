/// What is known of photos with text, beside where it is: the threshold map with its mask, and what is not to be
/// judged. Made of a batch's labels when it is first asked for.
final class KnownText {
    /// What the threshold map should be: 0.3 to 0.7 near text.
    private(set) lazy var thresholdMap = makeThresholdMap()
    /// Text and what is near it.
    private(set) lazy var thresholdMask = makeThresholdMask()
    /// All but a strip of each image.
    private(set) lazy var mask = makeMask()

    private let shape: BatchShape
    private let labels: Buffer<UInt8>

    init(_ shape: BatchShape, _ labels: Buffer<UInt8>) {
        self.shape = shape
        self.labels = labels
    }

    /// Makes everything that a call would otherwise have to wait for.
    func prepare() {
        _ = (thresholdMap, mask)
    }

    private func makeThresholdMap() -> Buffer<Float> {
        let map = Buffer<Float>(count: shape.voxels)
        var seeded = Seeded(0x7e87)
        for voxel in 0..<shape.voxels {
            let value = Float(0.3 + 0.4 * seeded.unit())
            map.values[voxel] = thresholdMask.values[voxel] != 0 ? value : 0
        }
        return map
    }

    private func makeThresholdMask() -> Buffer<UInt8> {
        let mask = Buffer<UInt8>(count: shape.voxels)
        let reach = 4
        for row in 0..<shape.voxels / shape.width {
            let line = row * shape.width
            for column in 0..<shape.width {
                let near = max(0, column - reach)..<min(shape.width, column + reach + 1)
                mask.values[line + column] = near.contains { labels.values[line + $0] != 0 } ? 1 : 0
            }
        }
        return mask
    }

    private func makeMask() -> Buffer<UInt8> {
        let mask = Buffer<UInt8>(count: shape.voxels)
        let hidden = shape.height / 16
        for voxel in 0..<shape.voxels {
            mask.values[voxel] = voxel / shape.width % shape.height < hidden ? 0 : 1
        }
        return mask
    }
}
