import CBandwidth

/// Memory of the bench's own: cache-line aligned, every page touched, not managed by an array that might copy it.
final class Buffer<Element: BitwiseCopyable> {
    let values: UnsafeMutableBufferPointer<Element>

    /// `count` values of zero bytes.
    init(count: Int) {
        guard let memory = bench_allocate(count * MemoryLayout<Element>.stride) else {
            fatalError("seglossbench: no memory for \(count) values of \(Element.self)")
        }
        values = UnsafeMutableBufferPointer(start: memory.bindMemory(to: Element.self, capacity: count), count: count)
    }

    convenience init(copying other: Buffer) {
        self.init(count: other.values.count)
        _ = values.update(fromContentsOf: other.values)
    }

    deinit {
        bench_free(values.baseAddress)
    }

    var count: Int { values.count }
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(values) }
}

extension Buffer<Float> {
    /// A number that tells one content from another, to the last bit.
    var digest: UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for value in values {
            hash = (hash ^ UInt64(value.bitPattern)) &* 0x9e37_79b9_7f4a_7c15
            hash ^= hash >> 29
        }
        return hash
    }
}
