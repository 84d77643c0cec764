import Foundation

/// What the person at the terminal sees: rows on standard output, everything else on standard error.
final class Progress {
    private let total: Int
    private var done = 0
    private let clock = ContinuousClock()
    private let start: ContinuousClock.Instant

    init(total: Int) {
        self.total = total
        start = clock.now
    }

    /// The table's head.
    func head() {
        let numbers = ["median", "p10-p90", "Gvox/s", "GB/s", "limit", "scalar"]
        print(Self.line("kernel", "shape", "pass", "threads", "isa", numbers))
    }

    func begin(_ title: String) {
        say("[\(done + 1)/\(total), \(Int((clock.now - start).seconds)) s] \(title)")
    }

    func end() {
        done += 1
    }

    func say(_ text: String) {
        FileHandle.standardError.write(Data((text + "\n").utf8))
    }

    func show(_ row: Report.Row) {
        let spread = (row.p90Seconds - row.p10Seconds) / row.medianSeconds
        print(
            Self.line(
                row.name, row.shape, Self.short(row.pass), "\(row.threads)", row.isa,
                [
                    Format.time(row.medianSeconds), Format.percent(spread), Format.digits(row.gigavoxelsPerSecond),
                    Format.digits(row.gigabytesPerSecond), Format.percent(row.fractionOfLimit),
                    Format.ratio(row.speedUpOverScalar),
                ]))
        for (peer, seconds) in row.peers.sorted(by: { $0.value < $1.value }) {
            print("    \(Format.ratio(seconds / row.medianSeconds)) faster than \(peer) (\(Format.time(seconds)))")
        }
        fflush(nil)
    }

    private static func short(_ pass: Pass) -> String {
        switch pass {
        case .forward: "fwd"
        case .gradient: "fwd+grad"
        case .lossMap, .map: "map"
        }
    }

    private static func line(
        _ name: String, _ shape: String, _ pass: String, _ threads: String, _ isa: String, _ numbers: [String]
    ) -> String {
        func left(_ text: String, _ width: Int) -> String {
            text + String(repeating: " ", count: max(1, width - text.count))
        }
        func right(_ text: String) -> String { String(repeating: " ", count: max(1, 9 - text.count)) + text }
        return left(name, 46) + left(shape, 16) + left(pass, 9) + left(threads, 8) + left(isa, 8)
            + numbers.map(right).joined()
    }
}
