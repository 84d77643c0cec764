import Foundation
import SegLoss

/// Walks the entries: verify, time, compare, report each row as it comes.
struct Runner {
    private(set) var machine: Machine
    private let effort: TimingEffort
    private let peers: Peers?
    private let progress: Progress
    private var verification: Verification
    private(set) var rows: [Report.Row] = []
    private(set) var notes: [String] = []
    private(set) var peerVersions: [String: String] = [:]

    init(machine: Machine, effort: TimingEffort, peers: Peers?, progress: Progress) {
        self.machine = machine
        self.effort = effort
        self.peers = peers
        self.progress = progress
        verification = Verification(machine: machine)
    }

    mutating func run(_ entries: [Entry]) throws {
        // Entries with the same batch one after the other: it is made once and kept no longer than needed.
        let keys = entries.map(\.source.key)
        for key in keys.firstOccurrences() {
            let group = entries.filter { $0.source.key == key }
            progress.say("input: \(key)")
            let rotation = Rotation(group[0].source.batch(), cacheBytes: machine.cacheBytes)
            for entry in group { try run(entry, rotation) }
        }
        rows = inOrder(of: entries)
    }

    // MARK: - One entry

    private mutating func run(_ entry: Entry, _ rotation: Rotation) throws {
        progress.begin("\(entry.kernel.name) \(entry.shape.text)")
        let cost = try verification.verify(entry)
        var fingerprint: Fingerprint?
        for (index, configuration) in configurations(entry).enumerated() {
            var workload = try Workload(configuration, rotation)
            // Others than the best set are timed where all work is done, to bound the time.
            let passes = configuration.instructionSet == machine.bestInstructionSet ? entry.passes : [entry.passes.last!]
            for pass in passes {
                let timing = try timed(entry, configuration, pass, &workload)
                var row = row(entry, configuration, pass, timing, cost)
                if index == 0, pass == entry.passes.last, entry.isHeadline {
                    let value = pass == .map ? try workload.meanSquareOfMap() : workload.value
                    try addPeers(to: &row, entry, rotation.batches[0], threads: configuration.threads, value)
                }
                rows.append(row)
                progress.show(row)
            }
            try requireSameBits(workload.fingerprint(passes.last!), as: &fingerprint, configuration, entry)
        }
        progress.end()
    }

    /// A pass's times, and the memory's limit beside them. What stays in the cache is held against the run's limit.
    private mutating func timed(
        _ entry: Entry, _ configuration: Configuration, _ pass: Pass, _ workload: inout Workload
    ) throws -> TimingBesideMemory {
        let (threads, effort) = (configuration.threads, effort)
        guard entry.shape.values * MemoryLayout<Float>.stride > machine.cacheBytes else {
            let timing = try effort.measure { try workload.run(pass) }
            return TimingBesideMemory(timing, limit: machine.limit(pass.traffic, threads: threads))
        }
        return try effort.measure {
            try workload.run(pass)
        } besideLimit: {
            try machine.measuredLimit(pass.traffic, threads: threads)
        }
    }

    /// All threads and one with the best instruction set; all threads with the others.
    private func configurations(_ entry: Entry) -> [Configuration] {
        let best = machine.bestInstructionSet
        let others = entry.everyInstructionSet ? machine.instructionSets.dropFirst() : []
        return machine.threadCounts.map { Configuration(kernel: entry.kernel, threads: $0, instructionSet: best) }
            + others.map { Configuration(kernel: entry.kernel, threads: machine.threads, instructionSet: $0) }
    }

    /// The reference has seen a small batch only; at this size every configuration must agree with the first.
    private func requireSameBits(
        _ fingerprint: Fingerprint, as first: inout Fingerprint?, _ configuration: Configuration, _ entry: Entry
    ) throws {
        guard let expected = first else {
            first = fingerprint
            return
        }
        guard fingerprint == expected else {
            throw BenchError(
                "\(entry.kernel.name) \(entry.shape.text): \(configuration.instructionSet.name) with "
                    + "\(configuration.threads) threads gives other bits than \(machine.bestInstructionSet.name) with "
                    + "\(machine.threads)")
        }
    }

    private func row(
        _ entry: Entry, _ configuration: Configuration, _ pass: Pass, _ timing: TimingBesideMemory,
        _ cost: ReferenceCost
    ) -> Report.Row {
        let shape = entry.shape
        let bytes = entry.kernel.bytes.perVoxel(pass, classes: shape.classes) * shape.voxels
        return Report.Row(
            name: entry.kernel.name, family: entry.kernel.family.rawValue, shape: shape.text, pass: pass,
            threads: configuration.threads, isa: configuration.instructionSet.name, isHeadline: entry.isHeadline,
            timing: timing, voxels: shape.voxels, minimumBytes: bytes,
            scalarReferenceSeconds: cost.seconds(pass, voxels: shape.voxels))
    }

    // MARK: - Peers

    private mutating func addPeers(
        to row: inout Report.Row, _ entry: Entry, _ batch: Batch, threads: Int, _ value: Double
    ) throws {
        guard let peers, let name = entry.kernel.peers else { return }
        progress.say("peers of \(name) ...")
        let isText = if case .binarization = entry.kernel.formula { true } else { false }
        let answer = try peers.measure(name, batch, isText: isText, threads: threads)
        peerVersions = answer.versions
        for (peer, measured) in answer.peers {
            // Their sums are float32; more than that apart, and they computed something else.
            guard abs(measured.value - value) <= 1e-3 * abs(value) else {
                note("\(peer) of \(row.name) \(row.shape) gives \(measured.value) instead of \(value): not compared.")
                continue
            }
            row.peers[peer] = measured.seconds
        }
        for (peer, reason) in answer.failed { note("\(peer) of \(row.name) \(row.shape) did not run: \(reason)") }
    }

    private mutating func note(_ text: String) {
        notes.append(text)
        progress.say(text)
    }

    // MARK: -

    /// The rows as the catalogue lists them, not as they were measured.
    private func inOrder(of entries: [Entry]) -> [Report.Row] {
        entries.flatMap { entry in rows.filter { $0.name == entry.kernel.name && $0.shape == entry.shape.text } }
    }
}
