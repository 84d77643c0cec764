import Foundation
import SegLoss
import XCTest

/// Lookups by sample, class, channel and threshold: a place that there is not must end the program, since another's
/// numbers lie there.
final class MetricLookupTests: XCTestCase {
    private func matrix() throws -> ConfusionMatrix {
        var counter = try ConfusionCounter(of: .flat(samples: 2, classes: 2, voxels: 2))
        return try counter.count(predictions: [0, 1, 1, 1] as [UInt8], labels: [0, 1, 0, 0] as [UInt8])
    }

    private func counts() throws -> ThresholdCounts {
        var counter = try ThresholdCounter(
            of: .flat(samples: 2, classes: 2, voxels: 1), thresholds: [0.25, 0.75], activation: .probabilities)
        return try counter.count([0.1, 0.5, 0.9, 0.3] as [Float], labels: [0, 1] as [UInt8])
    }

    private func distances() throws -> SurfaceDistances {
        var metric = try SurfaceMetric(of: Shape(samples: 2, classes: 2, extents: [1, 4]), classes: [2, 1])
        return try metric.distances(
            predictions: [2, 1, 1, 0, 0, 0, 2, 1] as [UInt8], labels: [0, 2, 1, 0, 0, 0, 2, 1] as [UInt8])
    }

    func testClassesOfSurfacesAreLabels() throws {
        let d = try distances()
        XCTAssertEqual(d[sample: 0, class: 2], d.values[0])
        XCTAssertEqual(d[sample: 0, class: 1], d.values[1])
        XCTAssertEqual(d[sample: 1, class: 1], d.values[3])
        XCTAssertEqual([d[sample: 0, class: 1].predictedVoxels, d[sample: 0, class: 1].targetVoxels], [2, 1])
        XCTAssertEqual(d[sample: 0, class: 2].hausdorff, 1)
    }

    private var lookups: [(String, () throws -> Void)] {
        [
            ("matrix, class", { _ = try self.matrix().counts(sample: 0, class: 2) }),
            ("matrix, negative class", { _ = try self.matrix().counts(sample: 1, class: -1) }),
            ("matrix, class of all", { _ = try self.matrix().counts(class: 2) }),
            ("matrix, sample", { _ = try self.matrix().counts(sample: -1, class: 3) }),
            ("matrix, target", { _ = try self.matrix()[sample: 0, target: 2, predicted: 0] }),
            ("matrix, predicted", { _ = try self.matrix()[sample: 0, target: 0, predicted: 2] }),
            ("matrix, predicted, negative", { _ = try self.matrix()[sample: 1, target: 1, predicted: -1] }),
            ("thresholds, threshold", { _ = try self.counts().counts(sample: 0, channel: 0, threshold: 2) }),
            ("thresholds, channel", { _ = try self.counts().counts(sample: 0, channel: 2, threshold: 0) }),
            ("thresholds, sample", { _ = try self.counts().counts(sample: -1, channel: 3, threshold: 0) }),
            ("surfaces, class", { _ = try self.distances()[sample: 0, class: 0] }),
            ("surfaces, sample", { _ = try self.distances()[sample: -1, class: 1] }),
        ]
    }

    private static let name = "SEGLOSS_LOOKUP"

    /// Run by the test below, in a process of its own for each lookup; otherwise it does nothing.
    func testOneLookup() throws {
        guard let place = ProcessInfo.processInfo.environment[Self.name].flatMap(Int.init) else { return }
        print("looking up")
        fflush(nil)
        try lookups[place].1()
        print("got an answer")
        fflush(nil)
    }

    func testPlacesOutOfRangeEndTheProgram() throws {
        guard ProcessInfo.processInfo.environment[Self.name] == nil else { return }
        let program = "/proc/self/exe"
        guard FileManager.default.isReadableFile(atPath: program) else { throw XCTSkip("no \(program)") }
        for (place, (what, _)) in lookups.enumerated() {
            let process = Process(), output = Pipe()
            process.executableURL = URL(fileURLWithPath: program).resolvingSymlinksInPath()
            process.arguments = ["SegLossTests.MetricLookupTests/testOneLookup"]
            // Neither Swift's reports nor a sanitizer's are to take the signal.
            process.environment = ProcessInfo.processInfo.environment.merging([
                Self.name: "\(place)", "SWIFT_BACKTRACE": "enable=no",
                "ASAN_OPTIONS": "detect_leaks=0:handle_sigill=0:handle_sigtrap=0:handle_abort=0",
            ]) { $1 }
            process.standardOutput = output
            process.standardError = FileHandle.nullDevice
            try process.run()
            let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            XCTAssertTrue(text.contains("looking up"), "\(what): \(text)")
            XCTAssertFalse(text.contains("got an answer"), what)
            XCTAssertEqual(process.terminationReason, .uncaughtSignal, what)
        }
    }
}
