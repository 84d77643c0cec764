/// The connected parts of what is not label 0, as cells with a number each: made when they are first asked for.
final class Cells {
    private let shape: BatchShape
    private let labels: Buffer<UInt8>
    private(set) lazy var buffer = made()

    init(_ shape: BatchShape, _ labels: Buffer<UInt8>) {
        self.shape = shape
        self.labels = labels
    }

    /// Voxels side by side in a row or a column are of one part.
    private func made() -> Buffer<Int32> {
        let cells = Buffer<Int32>(count: labels.count)
        var next: Int32 = 0
        var open: [Int] = []
        for start in 0..<labels.count where labels.values[start] != 0 && cells.values[start] == 0 {
            next += 1
            cells.values[start] = next
            open.append(start)
            while let voxel = open.popLast() {
                for other in neighbors(voxel) where labels.values[other] != 0 && cells.values[other] == 0 {
                    cells.values[other] = next
                    open.append(other)
                }
            }
        }
        return cells
    }

    private func neighbors(_ voxel: Int) -> [Int] {
        let (y, x) = (voxel % shape.plane / shape.width, voxel % shape.width)
        var found: [Int] = []
        if x > 0 { found.append(voxel - 1) }
        if x + 1 < shape.width { found.append(voxel + 1) }
        if y > 0 { found.append(voxel - shape.width) }
        if y + 1 < shape.height { found.append(voxel + shape.width) }
        return found
    }
}
