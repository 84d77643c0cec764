import CBandwidth
import Foundation
import SegLoss

/// What this run is measured on, and the limits that its memory sets.
struct Machine {
    let cpu: String
    let threads: Int
    /// Processes that wanted to run in the minute before the bench began: other people's work.
    let loadBefore = Machine.loadAverage()
    /// Of all last-level caches together.
    let cacheBytes = LastLevelCache.bytes
    /// Best first.
    let instructionSets: [InstructionSet]
    /// By number of threads, as they were measured in the course of the run.
    private var measurements: [Int: [MemoryLimit]] = [:]

    init(threads: Int) {
        self.threads = threads
        cpu = Self.cpuName()
        instructionSets = [.avx512, .avx2, .generic].filter(\.isAvailable)
    }

    var bestInstructionSet: InstructionSet { instructionSets[0] }
    /// 1 and all.
    var threadCounts: [Int] { threads > 1 ? [threads, 1] : [1] }

    /// Measures the memory with each number of threads that kernels will be timed with.
    mutating func measureLimits() throws {
        for threads in threadCounts { measurements[threads] = [try measuredLimit(threads: threads, repeats: 40)] }
    }

    /// The memory's speed now. A virtual machine's may change twofold from one second to the next, with where its
    /// processors happen to run: what is timed from memory has its limit measured right before and after.
    func measuredLimit(threads: Int, repeats: Int = 9) throws -> MemoryLimit {
        // Far more than the cache holds, and little enough not to take long.
        let bytes = max(8 * cacheBytes, 256 << 20)
        var measured = bandwidth()
        guard bandwidth_measure(bytes, Int32(threads), Int32(repeats), &measured) == 0 else {
            throw BenchError("the memory's bandwidth could not be measured with \(threads) threads")
        }
        return MemoryLimit(copy: measured.copy_bytes_per_second, read: measured.read_bytes_per_second)
    }

    mutating func add(_ limit: MemoryLimit, threads: Int) { measurements[threads, default: []].append(limit) }

    /// The median of what was measured so far.
    func limit(_ pass: Pass, threads: Int) -> Double {
        let sorted = measurements[threads]!.map { $0.limit(pass) }.sorted()
        return sorted[sorted.count / 2]
    }

    /// Load of others makes every figure with all threads too slow, and no statistics can mend that.
    var isQuiet: Bool { loadBefore < 0.25 }

    private static func loadAverage() -> Double {
        let text = (try? String(contentsOfFile: "/proc/loadavg", encoding: .utf8)) ?? ""
        return text.split(separator: " ").first.flatMap { Double($0) } ?? 0
    }

    private static func cpuName() -> String {
        let info = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let line = info.split(separator: "\n").first { $0.hasPrefix("model name") }
        let name = line?.split(separator: ":").last?.trimmingCharacters(in: .whitespaces)
        return name ?? "unknown"
    }
}

/// Bytes per second of useful traffic.
struct MemoryLimit {
    /// Read and written, by a copy with non-temporal stores.
    let copy: Double
    let read: Double

    /// A value alone only reads.
    /// A map of losses is read ten times as much as it is written.
    func limit(_ pass: Pass) -> Double { pass == .gradient || pass == .map ? copy : read }
}

extension InstructionSet {
    var name: String {
        switch self {
        case .best: "best"
        case .generic: "generic"
        case .avx2: "avx2"
        case .avx512: "avx512"
        }
    }
}
