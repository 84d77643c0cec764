import Foundation

/// What bench/out/report.json holds.
struct Report: Codable {
    var machine: MachineInfo
    var rows: [Row]
    var peerVersions: [String: String]
    var notes: [String]

    struct MachineInfo: Codable {
        var cpu: String
        var threads: Int
        var isa: String
        /// With all threads.
        var copyNonTemporalGBps: Double
        var readGBps: Double
        var limits: [Limit]
        /// Processes that others had running in the minute before.
        var loadBefore: Double
    }

    /// The memory's bandwidth with a number of threads.
    struct Limit: Codable {
        var threads: Int
        var copyNonTemporalGBps: Double
        var readGBps: Double
    }

    struct Row: Codable {
        var name: String
        var family: String
        var shape: String
        var pass: Pass
        var threads: Int
        var isa: String
        var isHeadline: Bool
        var medianSeconds: Double
        var p10Seconds: Double
        var p90Seconds: Double
        var runs: Int
        var gigavoxelsPerSecond: Double
        var minimumBytes: Int
        /// Of the minimum bytes.
        var gigabytesPerSecond: Double
        /// The minimum bytes, of what the memory could have moved meanwhile.
        var fractionOfLimit: Double
        /// The limit, as it was measured between the runs where the batch does not stay in the cache.
        var limitGBps: Double
        /// Measured on a small batch, times the voxels of this one.
        var scalarReferenceSeconds: Double
        /// Median seconds of others for the same work in the same run.
        var peers: [String: Double] = [:]
    }
}

extension Report.Row {
    init(
        name: String, family: String, shape: String, pass: Pass, threads: Int, isa: String, isHeadline: Bool,
        timing beside: TimingBesideMemory, voxels: Int, minimumBytes: Int, scalarReferenceSeconds: Double
    ) {
        let timing = beside.timing
        self.init(
            name: name, family: family, shape: shape, pass: pass, threads: threads, isa: isa, isHeadline: isHeadline,
            medianSeconds: timing.median, p10Seconds: timing.p10, p90Seconds: timing.p90, runs: timing.runs,
            gigavoxelsPerSecond: Double(voxels) / timing.median * 1e-9, minimumBytes: minimumBytes,
            gigabytesPerSecond: Double(minimumBytes) / timing.median * 1e-9,
            fractionOfLimit: Double(minimumBytes) / beside.movableBytes, limitGBps: beside.limit * 1e-9,
            scalarReferenceSeconds: scalarReferenceSeconds)
    }

    var speedUpOverScalar: Double { scalarReferenceSeconds / medianSeconds }
    var title: String { "\(name), \(shape)" }
}

extension Report.MachineInfo {
    init(_ machine: Machine) {
        let limits = machine.threadCounts.map { threads in
            Report.Limit(
                threads: threads, copyNonTemporalGBps: machine.limit(.copy, threads: threads) * 1e-9,
                readGBps: machine.limit(.read, threads: threads) * 1e-9)
        }
        self.init(
            cpu: machine.cpu, threads: machine.threads, isa: machine.bestInstructionSet.name,
            copyNonTemporalGBps: limits[0].copyNonTemporalGBps, readGBps: limits[0].readGBps, limits: limits,
            loadBefore: machine.loadBefore)
    }
}

extension Report {
    func writeJSON(to url: URL) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try encoder.encode(self).write(to: url)
    }
}
