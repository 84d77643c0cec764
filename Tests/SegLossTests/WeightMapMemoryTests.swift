import CKernelProbe
import CLossKernels
import XCTest

/// Scratch of weight maps: how much it is, with how little of it calls work, and that they ask the heap for nothing.
final class WeightMapMemoryTests: XCTestCase {
    private func boxes(_ planes: Int64, _ rows: Int64, _ columns: Int64, threads: Int32) -> closs_box_weights_spec {
        var spec = closs_box_weights_spec()
        spec.samples = 2
        spec.extents = closs_extents(planes: planes, rows: rows, columns: columns)
        spec.window = (min(planes, 3), 5, 8)
        (spec.amplitude, spec.steepness) = (5, 5)
        spec.threads = threads
        return spec
    }

    private func cells(_ planes: Int64, _ rows: Int64, _ columns: Int64, threads: Int32) -> closs_cell_weights_spec {
        var spec = closs_cell_weights_spec()
        spec.samples = 1
        spec.extents = closs_extents(planes: planes, rows: rows, columns: columns)
        (spec.amplitude, spec.sigma, spec.background_weight, spec.cell_weight) = (10, 2, 1, 1)
        spec.threads = threads
        return spec
    }

    private func labels(_ count: Int, columns: Int64) -> [UInt8] {
        (0..<count).map { i -> UInt8 in
            let (y, x) = (i / Int(columns), i % Int(columns))
            return y % 11 < 6 && x % 13 < 9 ? UInt8(1 + (y / 11 + x / 13) % 5) : 0
        }
    }

    // MARK: How much

    /// 16 bytes a voxel, and no more rooms than there are blocks, however many threads are asked for.
    func testScratchOfCells() {
        for (planes, rows, columns) in [(1, 512, 512), (128, 128, 128), (32, 256, 256), (4, 512, 512), (512, 512, 4)] {
            let (p, r, c) = (Int64(planes), Int64(rows), Int64(columns))
            for (spacing, lanes) in [(0.0, 32), (1.3, 16)] {
                for threads in [1, 2, 16, 1000, Int.max] {
                    var spec = cells(p, r, c, threads: Int32(clamping: threads))
                    spec.spacing.1 = spacing
                    let blocks = (columns + lanes - 1) / lanes
                    let lines = max(planes, rows) + (planes > 1 ? planes * rows : 0)
                    let most = 16 * planes * rows * columns + 512 * min(threads, blocks) * lines + 1024
                    let bytes = closs_cell_weights_scratch_bytes(&spec)
                    XCTAssertTrue(bytes > 0 && bytes <= most, "\(planes) x \(rows) x \(columns), \(threads): \(bytes)")
                }
            }
        }
    }

    /// What the header says, and no more rooms than there are lines.
    func testScratchOfBoxes() {
        for (planes, rows, columns) in [(1, 512, 512), (4, 512, 512), (2, 3, 100_000), (1, 2, 1_000_000)] {
            for threads in [1, 4, 16, Int.max] {
                var spec = boxes(Int64(planes), Int64(rows), Int64(columns), threads: Int32(clamping: threads))
                let padded = (columns + 63) / 64 * 64
                let lines = 2 * (planes > 1 ? planes : rows)
                let room = 23 * padded + 4 * 8 + (planes > 1 ? 4 * rows * padded : 0) + 1024
                let most = min(threads, lines) * room + 2 * 36 + 2 * planes * rows * padded / 16 + 1024
                let bytes = closs_box_weights_scratch_bytes(&spec)
                XCTAssertTrue(bytes > 0 && bytes <= most, "\(planes) x \(rows) x \(columns), \(threads): \(bytes)")
            }
        }
    }

    /// More threads than 1024 are 1024: what they would need might not be countable.
    func testThreadsAreCapped() {
        var most = boxes(1, 1 << 18, 1 << 12, threads: 1024), more = most
        more.threads = .max
        XCTAssertEqual(closs_box_weights_scratch_bytes(&more), closs_box_weights_scratch_bytes(&most))
        var mostCells = cells(1, 1 << 6, 1 << 24, threads: 1024), moreCells = mostCells
        moreCells.threads = .max
        XCTAssertEqual(closs_cell_weights_scratch_bytes(&moreCells), closs_cell_weights_scratch_bytes(&mostCells))
    }

    /// The largest maps have a scratch that can be said; larger ones are refused.
    func testSizesDoNotWrap() {
        var box = boxes(1, 1, 1, threads: 1)
        box.samples = 1 << 56
        XCTAssertTrue(closs_box_weights_scratch_bytes(&box) >= 36 << 56)
        box.samples += 1
        XCTAssertEqual(closs_box_weights_scratch_bytes(&box), 0)
        var cell = cells(1 << 10, 1 << 17, 1 << 18, threads: .max)
        XCTAssertTrue(closs_cell_weights_scratch_bytes(&cell) >= 16 << 45)
        cell.samples = 2
        XCTAssertEqual(closs_cell_weights_scratch_bytes(&cell), 0)
    }

    // MARK: How little

    /// Scratch that was sized for one thread, or for two, is enough; a byte less than for one is not. Nothing beyond it
    /// is written.
    private func check(
        _ what: String, voxels: Int, bytes: (Int32) -> Int,
        call: (Int32, UnsafeMutablePointer<Float>, UnsafeMutableRawPointer, Int) -> closs_status
    ) {
        let map = UnsafeMutablePointer<Float>.allocate(capacity: voxels)
        defer { map.deallocate() }
        var expected: [UInt32]?
        XCTAssertEqual(bytes(1) < bytes(2) && bytes(2) < bytes(4), Threads.canBeMany, what)
        for given in [bytes(4), bytes(4) - 1, bytes(2), bytes(1), bytes(1) - 1] {
            for threads in [Int32(4), 0] {
                let guarded = 256
                let scratch = UnsafeMutableRawPointer.allocate(byteCount: given + guarded, alignment: 8)
                defer { scratch.deallocate() }
                scratch.initializeMemory(as: UInt8.self, repeating: 0xA5, count: given + guarded)
                map.initialize(repeating: -7, count: voxels)
                let status = call(threads, map, scratch, given)
                let found = (0..<voxels).map { map[$0].bitPattern }
                if given < bytes(1) {
                    XCTAssertEqual(status, CLOSS_TOO_SMALL, "\(what), \(given), \(threads)")
                    XCTAssertTrue(found.allSatisfy { $0 == Float(-7).bitPattern }, what)
                    continue
                }
                XCTAssertEqual(status, CLOSS_OK, "\(what), \(given), \(threads)")
                expected = expected ?? found
                XCTAssertTrue(found == expected, "\(what): other bits with \(given) bytes, \(threads) threads")
                let beyond = UnsafeRawBufferPointer(start: scratch + given, count: guarded)
                XCTAssertTrue(beyond.allSatisfy { $0 == 0xA5 }, "\(what): \(given) bytes were not enough")
            }
        }
    }

    func testLessScratchIsFewerThreads() {
        for (planes, rows, columns) in [(Int64(1), Int64(300), Int64(260)), (20, 40, 90)] {
            let what = "\(planes) x \(rows) x \(columns)"
            let voxels = Int(planes * rows * columns)
            let of = labels(2 * voxels, columns: columns)
            check("boxes of \(what)", voxels: 2 * voxels) { threads in
                var spec = boxes(planes, rows, columns, threads: threads)
                return closs_box_weights_scratch_bytes(&spec)
            } call: { threads, map, scratch, given in
                var spec = boxes(planes, rows, columns, threads: threads)
                return closs_box_weights(
                    &spec, CLOSS_DENSE_U8, of, 2 * voxels, map, 2 * voxels, scratch, given, nil)
            }
            check("cells of \(what)", voxels: voxels) { threads in
                var spec = cells(planes, rows, columns, threads: threads)
                return closs_cell_weights_scratch_bytes(&spec)
            } call: { threads, map, scratch, given in
                var spec = cells(planes, rows, columns, threads: threads)
                return closs_cell_weights(&spec, CLOSS_LABELS_U8, of, voxels, map, voxels, scratch, given, nil)
            }
        }
    }

    // MARK: Nothing of the heap

    func testCallsAllocateNothing() throws {
        let side: Int64 = 200, voxels = Int(2 * side * side)
        let labels = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: voxels)
        let map = UnsafeMutablePointer<Float>.allocate(capacity: voxels)
        let counts = UnsafeMutablePointer<Int64>.allocate(capacity: 12)
        let weights = UnsafeMutablePointer<Float>.allocate(capacity: 6)
        _ = labels.initialize(from: self.labels(voxels, columns: side))
        counts.initialize(repeating: 0, count: 12)
        var box = boxes(1, side, side, threads: 2), cell = cells(1, side, side, threads: 2)
        cell.samples = 2
        let bytes = max(closs_box_weights_scratch_bytes(&box), closs_cell_weights_scratch_bytes(&cell))
        let scratch = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
        defer {
            labels.deallocate()
            map.deallocate()
            counts.deallocate()
            weights.deallocate()
            scratch.deallocate()
        }
        let of = UnsafeRawPointer(labels.baseAddress!)
        for form in [CLOSS_BOX_BOUNDARY, CLOSS_BOX_BORDER] {
            box.form = form
            box.steepness = form == CLOSS_BOX_BOUNDARY ? 5 : 0
            box.upper = form == CLOSS_BOX_BOUNDARY ? 0 : 0.9
            try assertAllocatesNothing("boxes") {
                closs_box_weights(&box, CLOSS_DENSE_U8, of, voxels, map, voxels, scratch, bytes, nil)
            }
        }
        try assertAllocatesNothing("cells") {
            closs_cell_weights(&cell, CLOSS_LABELS_U8, of, voxels, map, voxels, scratch, bytes, nil)
        }
        var classes = closs_class_counts_spec()
        (classes.samples, classes.voxels, classes.class_count, classes.threads) = (2, side * side, 6, 2)
        try assertAllocatesNothing("class counts") { closs_class_counts(&classes, CLOSS_LABELS_U8, of, voxels, counts, 12, nil) }
        var frequencies = closs_class_weights_spec()
        frequencies.class_count = 6
        try assertAllocatesNothing("class weights") { closs_class_weights(&frequencies, counts, 12, weights, 6, nil) }
        try assertAllocatesNothing("class maps") {
            closs_class_weight_map(&classes, CLOSS_LABELS_U8, of, voxels, weights, 6, map, voxels, nil)
        }
    }
}
