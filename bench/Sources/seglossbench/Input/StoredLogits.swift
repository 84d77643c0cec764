import SegLoss

/// A batch's logits in other types and orders, made when they are first asked for.
final class StoredLogits {
    private let shape: BatchShape
    private let planar: Buffer<Float>
    private var buffers: [Storage: AnyObject] = [:]

    init(_ shape: BatchShape, _ planar: Buffer<Float>) {
        self.shape = shape
        self.planar = planar
    }

    func buffer<Z: StoredLogit>(_ type: Z.Type, _ storage: Storage) -> Buffer<Z> {
        if let known = buffers[storage] as? Buffer<Z> { return known }
        let made = Buffer<Z>(count: planar.count)
        for index in 0..<planar.count { made.values[storage.place(index, shape)] = Z(planar.values[index]) }
        buffers[storage] = made
        return made
    }

    /// Makes what a call would otherwise have to wait for.
    func prepare(_ storage: Storage) {
        switch storage.type {
        case .float: if storage.isChannelsLast { _ = buffer(Float.self, storage) }
        case .half: _ = buffer(Float16.self, storage)
        case .bfloat: _ = buffer(BFloat16.self, storage)
        }
    }
}

/// A type of logits that a number can be rounded to.
protocol StoredLogit: Logit {
    init(_ value: Float)
}

extension Float: StoredLogit {}
extension Float16: StoredLogit {}
extension BFloat16: StoredLogit {}

extension Buffer<Float> {
    /// The memory as elements of another type, no larger.
    func elements<Z: StoredLogit>(of type: Z.Type, count: Int) -> UnsafeMutableBufferPointer<Z> {
        precondition(count * MemoryLayout<Z>.stride <= bytes.count)
        let start = UnsafeMutableRawPointer(values.baseAddress!).assumingMemoryBound(to: Z.self)
        return UnsafeMutableBufferPointer(start: start, count: count)
    }
}
