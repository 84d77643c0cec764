import Foundation

/// The third-level caches as Linux lists them. (`sysconf` will not do: in a virtual machine it may tell those of the
/// whole host.)
enum LastLevelCache {
    /// Bytes of all of them together; 32 MiB where the system does not tell.
    static let bytes: Int = {
        let root = "/sys/devices/system/cpu"
        let processors = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        var sizes: [String: Int] = [:]
        for processor in processors where processor.wholeMatch(of: /cpu[0-9]+/) != nil {
            let cache = "\(root)/\(processor)/cache/index3"
            guard let size = line("\(cache)/size"), let sharers = line("\(cache)/shared_cpu_list") else { continue }
            // "32768K"; processors with the same list share one cache.
            sizes[sharers] = (Int(size.dropLast()) ?? 0) << 10
        }
        let total = sizes.values.reduce(0, +)
        return total > 0 ? total : 32 << 20
    }()

    private static func line(_ path: String) -> String? {
        (try? String(contentsOfFile: path, encoding: .utf8))?.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
