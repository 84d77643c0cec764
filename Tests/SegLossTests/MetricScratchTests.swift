import CLossKernels
import SegLossReference
import XCTest

/// What scratch is asked for, and that one made for other threads does: OpenMP's default may change between both.
final class MetricScratchTests: XCTestCase {
    private let extents = closs_extents(planes: 12, rows: 50, columns: 130)
    private var voxels: Int { Int(extents.planes * extents.rows * extents.columns) }

    private func words(_ error: closs_error) -> String {
        withUnsafeBytes(of: error.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    /// Queries for each of some thread numbers, calls with each, and compares with the bytes of the first call.
    private func check(
        _ what: String, results: Int, bytes: (Int32) -> Int,
        call: (Int32, UnsafeMutableRawPointer, UnsafeMutableRawPointer, Int, inout closs_error) -> closs_status
    ) {
        var first: [UInt8]?
        var error = closs_error()
        let numbers: [Int32] = [1, 2, 3, 8]
        XCTAssertEqual(bytes(1) < bytes(8), Threads.canBeMany, what)
        for asked in numbers {
            let count = bytes(asked)
            for used in numbers {
                let scratch = UnsafeMutableRawPointer.allocate(byteCount: count, alignment: 1)
                let result = UnsafeMutableRawPointer.allocate(byteCount: results, alignment: 16)
                defer {
                    scratch.deallocate()
                    result.deallocate()
                }
                result.initializeMemory(as: UInt8.self, repeating: 0xaa, count: results)
                let status = call(used, result, scratch, count, &error)
                XCTAssertEqual(status, CLOSS_OK, "\(what), asked for \(asked), on \(used): \(words(error))")
                let got = Array(UnsafeRawBufferPointer(start: result, count: results))
                XCTAssertTrue(got == first ?? got, "\(what), asked for \(asked), on \(used)")
                first = first ?? got
                guard asked == 1 else { continue }
                XCTAssertEqual(call(used, result, scratch, count - 1, &error), CLOSS_TOO_SMALL, what)
                XCTAssertEqual(words(error), "scratch_bytes is \(count - 1): expected at least \(count)")
            }
        }
    }

    func testScratchOfOtherThreads() {
        let seed = testSeed(1721)
        var g = SplitMix64(seed: seed)
        let count = voxels
        let labels = (0..<count).map { _ in UInt8.random(in: 0...2, using: &g) }
        let predicted = labels.map { Bool.random(using: &g) ? $0 : UInt8.random(in: 0...2, using: &g) }
        let values = (0..<3 * count).map { _ in Float.random(in: 0...1, using: &g) }
        let thresholds: [Float] = [0.25, 0.5]
        labels.withUnsafeBytes { labels in
            predicted.withUnsafeBytes { predicted in
                values.withUnsafeBytes { values in
                    thresholds.withUnsafeBufferPointer { thresholds in
                        checkAll(labels, predicted, values, thresholds)
                    }
                }
            }
        }
    }

    private func checkAll(
        _ labels: UnsafeRawBufferPointer, _ predicted: UnsafeRawBufferPointer, _ values: UnsafeRawBufferPointer,
        _ thresholds: UnsafeBufferPointer<Float>
    ) {
        var ofLabels = closs_metric_batch()
        (ofLabels.predicted, ofLabels.target) = (CLOSS_LABELS_U8, CLOSS_LABELS_U8)
        (ofLabels.predictions, ofLabels.targets) = (predicted.baseAddress, labels.baseAddress)
        (ofLabels.predictions_count, ofLabels.targets_count) = (voxels, voxels)
        var ofValues = ofLabels
        (ofValues.predictions, ofValues.predictions_count) = (values.baseAddress, 3 * voxels)
        let shape = closs_shape(samples: 1, classes: 3, voxels: Int64(voxels))

        var confusion = closs_confusion_spec()
        (confusion.shape, confusion.prediction) = (shape, CLOSS_PREDICTED_LOGITS)
        check("confusion", results: 72) {
            confusion.threads = $0
            return closs_confusion_scratch_bytes(&confusion)
        } call: { threads, result, scratch, bytes, error in
            confusion.threads = threads
            return closs_confusion(
                &confusion, &ofValues, result.assumingMemoryBound(to: Int64.self), 9, scratch, bytes, &error)
        }

        var threshold = closs_threshold_spec()
        (threshold.shape, threshold.activation) = (shape, CLOSS_PROBABILITIES)
        (threshold.thresholds, threshold.threshold_count) = (thresholds.baseAddress, 2)
        check("thresholds", results: 6 * MemoryLayout<closs_counts>.stride) {
            threshold.threads = $0
            return closs_threshold_scratch_bytes(&threshold)
        } call: { threads, result, scratch, bytes, error in
            threshold.threads = threads
            return closs_threshold_counts(
                &threshold, &ofValues, result.assumingMemoryBound(to: closs_counts.self), 6, scratch, bytes, &error)
        }

        var surface = closs_surface_spec()
        (surface.samples, surface.extents, surface.class_count, surface.percentile) = (1, extents, 3, 95)
        check("surface", results: 3 * MemoryLayout<closs_surface_distances>.stride) {
            surface.threads = $0
            return closs_surface_scratch_bytes(&surface)
        } call: { threads, result, scratch, bytes, error in
            surface.threads = threads
            return closs_surface(
                &surface, &ofLabels, result.assumingMemoryBound(to: closs_surface_distances.self), 3, scratch, bytes,
                &error)
        }

        for type in [CLOSS_DISTANCE_FLOAT32, CLOSS_DISTANCE_INT16] {
            var map = closs_distance_spec()
            (map.samples, map.extents, map.class_count, map.type) = (1, extents, 3, type)
            let element = type == CLOSS_DISTANCE_FLOAT32 ? 4 : 2
            check("distance map", results: 3 * voxels * element) {
                map.threads = $0
                return closs_distance_scratch_bytes(&map)
            } call: { threads, result, scratch, bytes, error in
                map.threads = threads
                return closs_distance_map(
                    &map, CLOSS_LABELS_U8, labels.baseAddress, voxels, result, 3 * voxels, scratch, bytes, &error)
            }
        }
    }

    /// No more than 1024 threads have rooms, whatever is asked for.
    func testRoomsAreBounded() {
        var confusion = closs_confusion_spec(), threshold = closs_threshold_spec()
        let level: [Float] = [0.5]
        level.withUnsafeBufferPointer { level in
            confusion.shape = closs_shape(samples: 1, classes: 2, voxels: 1 << 40)
            threshold.shape = confusion.shape
            (threshold.activation, threshold.thresholds, threshold.threshold_count) = (
                CLOSS_PROBABILITIES, level.baseAddress, 1
            )
            func bytes(_ threads: Int32) -> [Int] {
                (confusion.threads, threshold.threads) = (threads, threads)
                return [closs_confusion_scratch_bytes(&confusion), closs_threshold_scratch_bytes(&threshold)]
            }
            XCTAssertEqual(bytes(1024), bytes(.max))
            XCTAssertEqual(zip(bytes(1023), bytes(1024)).filter { $0 < $1 }.count, Threads.canBeMany ? 2 : 0)
        }
    }

    /// The formula that the header gives, and what it comes to where columns are few and threads many.
    func testSurfaceScratchIsWhatIsSaid() {
        let cases: [(planes: Int, rows: Int, columns: Int, threads: Int)] = [
            (512, 512, 4, 16), (64, 256, 256, 16), (64, 256, 256, 1), (1, 2048, 2048, 16), (1, 4000, 3, 64),
        ]
        for c in cases {
            var spec = closs_surface_spec()
            (spec.samples, spec.class_count, spec.percentile, spec.threads) = (3, 2, 95, Int32(c.threads))
            spec.extents = closs_extents(planes: Int64(c.planes), rows: Int64(c.rows), columns: Int64(c.columns))
            let voxels = c.planes * c.rows * c.columns, rows = c.planes * c.rows
            let useful = max(1, min(Threads.planned(c.threads), voxels / 16384))
            let rooms = min(useful, 2 * ((c.columns + 31) / 32))
            let lines = 2 * max(c.planes, c.rows) + (c.planes > 1 ? rows : 0)
            let said = 12 * voxels + 8 * rows + 128 * rooms * lines
            let needed = closs_surface_scratch_bytes(&spec)
            XCTAssertGreaterThanOrEqual(needed, said, "\(c)")
            XCTAssertLessThanOrEqual(Double(needed), 1.02 * Double(said) + 65536 * Double(rooms + 1), "\(c)")
        }
    }
}
