import CBandwidth

/// How fast this machine's memory can be moved, measured whenever it is asked for.
///
/// A virtual machine's memory may be half as fast from one second to the next, with where its processors happen to run:
/// what is timed from memory has its limit measured again and again meanwhile.
final class Memory {
    private let arrays: OpaquePointer

    /// Far more than the cache holds, and little enough not to take long.
    init(cacheBytes: Int) throws {
        let bytes = max(8 * cacheBytes, 256 << 20)
        guard let arrays = bandwidth_arrays_create(bytes) else {
            throw BenchError("no memory to measure the memory's speed with: twice \(bytes >> 20) MiB")
        }
        self.arrays = arrays
    }

    deinit {
        bandwidth_arrays_destroy(arrays)
    }

    /// Bytes per second of useful traffic, now.
    func speed(_ traffic: Traffic, threads: Int, repeats: Int) throws -> Double {
        let kind = traffic == .copy ? BANDWIDTH_COPY : BANDWIDTH_READ
        let speed = bandwidth_measure(arrays, kind, Int32(threads), Int32(repeats))
        guard speed > 0 else { throw BenchError("the memory's speed could not be measured with \(threads) threads") }
        return speed
    }
}

/// What a pass does to memory.
enum Traffic {
    /// Reads and writes; the limit is a copy with non-temporal stores.
    case copy
    case read
}

extension Pass {
    /// A value alone only reads. A map of losses is read ten times as much as it is written.
    var traffic: Traffic { self == .gradient || self == .map ? .copy : .read }
}
