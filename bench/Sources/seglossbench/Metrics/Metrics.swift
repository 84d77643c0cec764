import ArgumentParser
import Foundation
import SegLoss

/// Times the metrics: confusion counts, counts at thresholds, surface distances.
struct Metrics: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Verifies and times confusion counts, mean IoU over thresholds and surface distances.")

    @Option(help: "Threads; by default as many as this process may use.")
    var threads: Int?

    @Option(help: "Seconds for each row.")
    var budget = 0.5

    @Flag(help: "Time scikit-learn, torchmetrics and MONAI beside them.")
    var peers = false

    func run() throws {
        var machine = try Machine(threads: threads ?? ProcessInfo.processInfo.activeProcessorCount)
        let effort = TimingEffort(budget: budget)
        print("\(machine.cpu), \(machine.bestInstructionSet.name)")
        for row in MetricRow.all {
            try row.verify()
            try require(sameCounts: row, machine)
            for threads in machine.threadCounts {
                let call = try row.call(row.input, Options(threads: threads))
                let timing = try effort.measure {
                    _ = try call()
                } besideLimit: {
                    try machine.measuredLimit(.read, threads: threads)
                }
                print(line(row, threads, timing))
            }
            guard peers else { continue }
            try print("    here: \(comparison(of: row))")
            try MetricPeers.run(row, threads: machine.threads)
        }
    }

    /// What the peers must give too.
    private func comparison(of row: MetricRow) throws -> String {
        let call = try row.call(row.input, Options(threads: 1))
        return row.comparable(try call()).map { "gives \(String(format: "%.6g", $0.value)), \($0.name)" }
            .joined(separator: "; ")
    }

    /// At the full size every instruction set and number of threads must give what the first one does.
    private func require(sameCounts row: MetricRow, _ machine: Machine) throws {
        var first: [Double]?
        for set in machine.instructionSets {
            for threads in machine.threadCounts {
                let call = try row.call(row.input, Options(threads: threads, instructionSet: set))
                let values = try call()
                guard values == first ?? values, !values.isEmpty else {
                    throw BenchError("\(row.name): \(set.name) with \(threads) threads gives other numbers")
                }
                first = values
            }
        }
    }

    private func line(_ row: MetricRow, _ threads: Int, _ beside: TimingBesideMemory) -> String {
        let (input, timing) = (row.input, beside.timing)
        let each = Format.digits(timing.median / Double(input.predictions) * 1e9)
        var text = "\(row.name), \(input.text), \(threads) threads: \(Format.time(timing.median)), \(each) ns a value"
        if row.isBoundByMemory {
            text += ", \(Format.digits(Double(input.bytes) / beside.movableBytes)) of the read limit"
        }
        return text + ", spread \(Format.percent(timing.spread))"
    }
}
