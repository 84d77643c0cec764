import ArgumentParser
import Foundation

@main
struct SegLossBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "seglossbench",
        abstract: "Verifies every kernel against the scalar reference, then times it against the memory's limit.",
        subcommands: [Pictures.self, Metrics.self])

    @Flag(help: "About 20 seconds: the headline figures and one medium size of each kernel.")
    var quick = false

    @Flag(help: "Time PyTorch, torch.compile, MONAI and torchvision beside the headline figures.")
    var peers = false

    @Option(help: "A folder of label maps (.png) and logits (.npy) to use instead of the seeded scenes.")
    var data: String?

    @Option(help: "Only rows whose kernel or shape contains this text.")
    var only: String?

    @Option(help: "Threads; by default as many as this process may use.")
    var threads: Int?

    @Option(help: "Seconds for each row.")
    var budget: Double?

    @Option(help: "Where report.json, report.html and results.svg go.")
    var out: String = Self.bench.appending(path: "out").path

    /// The folder `bench` of the checkout.
    private static let bench = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    /// The checkout.
    static let repository = bench.deletingLastPathComponent()

    func validate() throws {
        guard (threads ?? 1) >= 1 else { throw ValidationError("--threads must be at least 1") }
        guard (budget ?? 1) > 0 else { throw ValidationError("--budget must be more than 0 seconds") }
        guard data == nil || !peers else {
            throw ValidationError("--peers compares at the seeded scenes, not at --data")
        }
    }

    func run() throws {
        try refuseDebugBuild()
        let outFolder = URL(filePath: out)
        try FileManager.default.createDirectory(at: outFolder, withIntermediateDirectories: true)
        let peersSide = try peers
            ? Peers(bench: Self.bench, scratch: outFolder.appending(path: "peers"), secondsPerPeer: quick ? 1 : 6) : nil
        let entries: [Entry]
        var notes: [String]
        (entries, notes) = try selectedEntries()

        let machine = try Machine(threads: threads ?? ProcessInfo.processInfo.activeProcessorCount)
        let progress = Progress(total: entries.count)
        describe(machine, progress)
        if !machine.isQuiet {
            notes.append(
                "The machine was not quiet: its load was \(machine.loadBefore) before the run. "
                    + "Figures with all threads are too slow, of peers too.")
            progress.say(notes.last!)
        }
        var runner = Runner(
            machine: machine, effort: TimingEffort(budget: budget ?? (quick ? 0.1 : 0.4)), peers: peersSide,
            progress: progress)
        try runner.run(entries)

        let report = Report(
            machine: Report.MachineInfo(runner.machine), rows: runner.rows, peerVersions: runner.peerVersions,
            notes: notes + runner.notes)
        try report.writeJSON(to: outFolder.appending(path: "report.json"))
        try HTMLPage(report).text.write(to: outFolder.appending(path: "report.html"), atomically: true, encoding: .utf8)
        try HeadlinePicture(report).svg.write(
            to: outFolder.appending(path: "results.svg"), atomically: true, encoding: .utf8)
        progress.say("wrote report.json, report.html and results.svg to \(outFolder.path)")
    }

    /// Unoptimised Swift around the kernels, and an unoptimised reference, would make every figure a lie.
    private func refuseDebugBuild() throws {
        var isDebug = false
        assert(
            {
                isDebug = true
                return true
            }())
        if isDebug { throw BenchError("this is a debug build; build with -c release") }
    }

    private func selectedEntries() throws -> (entries: [Entry], notes: [String]) {
        var notes: [String] = []
        var entries = quick ? Catalogue.quick : Catalogue.full
        if let data {
            let real = try RealData(folder: URL(filePath: data))
            notes = real.notes
            entries = real.batches.flatMap(Catalogue.entries(for:))
        }
        if let only {
            entries = entries.filter { "\($0.kernel.name) \($0.shape.text)".contains(only) }
        }
        guard !entries.isEmpty else { throw BenchError("nothing to time") }
        return (entries, notes)
    }

    private func describe(_ machine: Machine, _ progress: Progress) {
        print("\(machine.cpu), \(machine.threads) threads, \(machine.bestInstructionSet.name)")
        for threads in machine.threadCounts {
            let copy = machine.limit(.copy, threads: threads) * 1e-9
            let read = machine.limit(.read, threads: threads) * 1e-9
            print(
                "limit with \(threads) threads: non-temporal copy \(Format.digits(copy)) GB/s, "
                    + "read \(Format.digits(read)) GB/s")
        }
        progress.head()
    }
}
