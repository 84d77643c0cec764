import Foundation

/// The Python side: one process for each comparison, right after the kernel was timed.
struct Peers {
    private let python: URL
    private let script: URL
    private let scratch: URL
    private let secondsPerPeer: Double

    struct Answer: Decodable {
        struct Measured: Decodable {
            let seconds: Double
            let runs: Int
            let value: Double
        }
        let peers: [String: Measured]
        let failed: [String: String]
        let versions: [String: String]
    }

    private struct Request: Encodable {
        let `case`: String
        let shape: [Int]
        let threads: Int
        let logits: String
        let labels: String
        /// What else is known of a batch with text: name to file.
        let known: [String: String]?
        let secondsPerPeer: Double
        let minimumRuns = 3
    }

    init(bench: URL, scratch: URL, secondsPerPeer: Double) throws {
        python = bench.appending(path: ".venv/bin/python")
        script = bench.appending(path: "peers/peers.py")
        self.scratch = scratch
        self.secondsPerPeer = secondsPerPeer
        guard FileManager.default.isExecutableFile(atPath: python.path) else {
            throw BenchError("\(python.path) is missing: run bench/peers/setup.sh first")
        }
    }

    /// Times every peer of the case on the very values of `batch`.
    func measure(_ name: String, _ batch: Batch, isText: Bool = false, threads: Int) throws -> Answer {
        try FileManager.default.createDirectory(at: scratch, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: scratch) }
        let (logits, labels) = (scratch.appending(path: "logits.f32"), scratch.appending(path: "labels.u8"))
        try write(batch.logits.bytes, to: logits)
        try write(batch.labels.bytes, to: labels)
        let request = Request(
            case: name, shape: batch.shape.extents, threads: threads, logits: logits.path, labels: labels.path,
            known: isText ? try write(batch.text) : nil, secondsPerPeer: secondsPerPeer)
        let (question, answer) = (scratch.appending(path: "request.json"), scratch.appending(path: "answer.json"))
        try JSONEncoder().encode(request).write(to: question)
        try run([script.path, question.path, answer.path], named: name)
        return try JSONDecoder().decode(Answer.self, from: Data(contentsOf: answer))
    }

    private func write(_ text: KnownText) throws -> [String: String] {
        let buffers = [
            ("mask", text.mask.bytes), ("threshold_map", text.thresholdMap.bytes),
            ("threshold_mask", text.thresholdMask.bytes),
        ]
        var files: [String: String] = [:]
        for (name, bytes) in buffers {
            let file = scratch.appending(path: name)
            try write(bytes, to: file)
            files[name] = file.path
        }
        return files
    }

    private func write(_ bytes: UnsafeRawBufferPointer, to url: URL) throws {
        let data = Data(
            bytesNoCopy: UnsafeMutableRawPointer(mutating: bytes.baseAddress!), count: bytes.count, deallocator: .none)
        try data.write(to: url)
    }

    private func run(_ arguments: [String], named name: String) throws {
        let process = Process()
        process.executableURL = python
        process.arguments = arguments
        process.standardOutput = FileHandle.standardError
        try process.run()
        // Compilation takes most of it, and a peer that hangs must not hang the bench.
        let deadline = Date.now.addingTimeInterval(240 + 10 * secondsPerPeer)
        while process.isRunning && Date.now < deadline { Thread.sleep(forTimeInterval: 0.05) }
        guard !process.isRunning else {
            process.terminate()
            throw BenchError("peers of \(name): no answer in time")
        }
        guard process.terminationStatus == 0 else {
            throw BenchError("peers of \(name): peers.py ended with status \(process.terminationStatus)")
        }
    }
}
