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
    private let memory: Memory
    /// As they were measured in the course of the run.
    private var limits: [LimitKey: [Double]] = [:]

    private struct LimitKey: Hashable {
        let traffic: Traffic
        let threads: Int
    }

    /// Measures the memory with each number of threads that kernels will be timed with.
    init(threads: Int) throws {
        self.threads = threads
        cpu = Self.cpuName()
        instructionSets = [.avx512, .avx2, .generic].filter(\.isAvailable)
        memory = try Memory(cacheBytes: cacheBytes)
        for threads in threadCounts {
            for traffic in [Traffic.copy, .read] { _ = try measuredLimit(traffic, threads: threads, repeats: 40) }
        }
    }

    var bestInstructionSet: InstructionSet { instructionSets[0] }
    /// 1 and all.
    var threadCounts: [Int] { threads > 1 ? [threads, 1] : [1] }

    /// The memory's speed now.
    mutating func measuredLimit(_ traffic: Traffic, threads: Int, repeats: Int = 3) throws -> Double {
        let limit = try memory.speed(traffic, threads: threads, repeats: repeats)
        limits[LimitKey(traffic: traffic, threads: threads), default: []].append(limit)
        return limit
    }

    /// The median of what was measured so far.
    func limit(_ traffic: Traffic, threads: Int) -> Double {
        limits[LimitKey(traffic: traffic, threads: threads)]!.median
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
