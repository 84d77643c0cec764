import Foundation

/// The Python side of a metric's row.
enum MetricPeers {
    static func run(_ row: MetricRow, threads: Int) throws {
        let bench = SegLossBench.repository.appending(path: "bench")
        let scratch = FileManager.default.temporaryDirectory.appending(path: "segloss-metrics-\(ProcessInfo.processInfo.processIdentifier)")
        try FileManager.default.createDirectory(at: scratch, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: scratch) }
        let input = row.input
        for (name, bytes) in [
            ("labels", input.labels.bytes), ("predicted", input.predicted.bytes), ("values", input.values.bytes),
        ] {
            try Data(bytes).write(to: scratch.appending(path: name))
        }
        let process = Process()
        process.executableURL = bench.appending(path: ".venv/bin/python")
        process.arguments = [
            bench.appending(path: "peers/metric_peers.py").path, "\(row.kind)", "\(row.predictions)", scratch.path,
            "\(threads)", "\(input.shape.classes)",
        ] + input.shape.extents.map(String.init)
        fflush(nil)
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw BenchError("peers of \(row.name): metric_peers.py ended with status \(process.terminationStatus)")
        }
    }
}
