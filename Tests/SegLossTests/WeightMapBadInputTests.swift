import CLossKernels
import SegLoss
import XCTest

final class WeightMapBadInputTests: XCTestCase {
    private let shape = Shape(samples: 2, classes: 1, extents: [3, 5])

    private func refused(
        _ kind: LossError.Kind, _ words: String..., line: UInt = #line, _ make: () throws -> Void
    ) {
        XCTAssertThrowsError(try make(), line: line) { error in
            guard let error = error as? LossError else { return XCTFail("\(error)", line: line) }
            XCTAssertEqual(error.kind, kind, error.message, line: line)
            for word in words { XCTAssertTrue(error.message.contains(word), error.message, line: line) }
        }
    }

    private func box(
        _ shape: Shape? = nil, _ window: [Int] = [3, 3], classes: [Int]? = [1], _ form: BoxWeightForm = .boundary(),
        options: Options = Options()
    ) throws {
        _ = try BoxWeights(of: shape ?? self.shape, window: window, classes: classes, form: form, options: options)
    }

    func testBoxes() throws {
        refused(.badOption, "window[1], of rows, is 0") { try self.box(nil, [0, 3]) }
        refused(.badOption, "window[2], of columns, is -1") { try self.box(nil, [3, -1]) }
        refused(.badOption, "16777216 voxels") { try self.box(nil, [4097, 4096]) }
        refused(.badOption, "16777216 voxels") { try self.box(nil, [.max, .max]) }
        refused(.badOption, "1 extents") { try self.box(nil, [3]) }
        refused(.badOption, "no classes") { try self.box(classes: []) }
        refused(.badOption, "amplitude is 0") { try self.box(nil, [3, 3], .boundary(amplitude: 0)) }
        refused(.badOption, "amplitude is nan") { try self.box(nil, [3, 3], .boundary(amplitude: .nan)) }
        refused(.badOption, "amplitude is -1") { try self.box(nil, [3, 3], .border(amplitude: -1)) }
        refused(.badOption, "amplitude is inf") { try self.box(nil, [3, 3], .border(amplitude: .infinity)) }
        refused(.badOption, "steepness is -1") { try self.box(nil, [3, 3], .boundary(steepness: -1)) }
        refused(.badOption, "steepness is 33") { try self.box(nil, [3, 3], .boundary(steepness: 33)) }
        refused(.badOption, "steepness is nan") { try self.box(nil, [3, 3], .boundary(steepness: .nan)) }
        refused(.badOption, "lower < upper") { try self.box(nil, [3, 3], .border(above: 0.5, below: 0.5)) }
        refused(.badOption, "lower < upper") { try self.box(nil, [3, 3], .border(above: .nan)) }
        refused(.badOption, "lower < upper") { try self.box(nil, [3, 3], .border(below: 1.5)) }
        refused(.badOption, "ignoreIndex") { try self.box(options: Options(ignoreIndex: 255)) }
        refused(.badThreads, "threads is -1") { try self.box(options: Options(threads: -1)) }
        refused(.badShape, "extent is 0") { try self.box(Shape(samples: 1, classes: 1, extents: [3, 0])) }
        refused(.badShape, "4 extents") { try self.box(Shape(samples: 1, classes: 1, extents: [1, 1, 3, 3]), [1, 1, 1, 1]) }
        refused(.badShape, "samples is 0") { try self.box(Shape(samples: 0, classes: 1, extents: [3, 3])) }
        refused(.badShape, "extents.columns is 20000000") {
            try self.box(Shape(samples: 1, classes: 1, extents: [1, 20_000_000]))
        }
    }

    func testBoxCalls() throws {
        var weights = try BoxWeights(of: shape, window: [3, 3], classes: [1, 300])
        var map = [Float](repeating: -7, count: 30)
        refused(.badOption, "classes[1] is 300", "0 .. 255") { try weights.write([UInt8](repeating: 0, count: 30), into: &map) }
        refused(.wrongSize, "labels_count is 29", "30") { try weights.write([UInt16](repeating: 0, count: 29), into: &map) }
        refused(.wrongSize, "labels_count is 0") { try weights.write([UInt16](), into: &map) }
        refused(.badOption, "class_count is 2", "mask") { try weights.write(mask: [UInt8](repeating: 0, count: 30), into: &map) }
        XCTAssertTrue(map.allSatisfy { $0 == -7 })
        try weights.write([UInt16](repeating: 0, count: 30), into: &map)
        var negative = try BoxWeights(of: shape, window: [3, 3], classes: [-1])
        refused(.badOption, "classes[0] is -1") { try negative.write([UInt16](repeating: 0, count: 30), into: &map) }
        try negative.write([Int32](repeating: -1, count: 30), into: &map)
        var mask = try BoxWeights(of: shape, window: [3, 3])
        var short = [Float](repeating: -7, count: 29)
        refused(.wrongSize, "map_count is 29") { try mask.write(mask: [UInt8](repeating: 0, count: 30), into: &short) }
        refused(.badOption, "class_count is 0") { try mask.write([UInt8](repeating: 0, count: 30), into: &short) }
        XCTAssertTrue(short.allSatisfy { $0 == -7 })
    }

    func testClasses() throws {
        var counts = ClassCounts(classes: 2)
        try counts.add([0, 1, 1, 0] as [UInt8], samples: 2)
        let before = counts
        refused(.badLabel, "labels[3] is 2", "0 to 1", "no ignore_index") { try counts.add([0, 0, 0, 2] as [UInt8], samples: 2) }
        refused(.badLabel, "labels[1] is -1") { try counts.add([0, -1] as [Int32], samples: 1) }
        refused(.badLabel, "labels[1] is 7", "0 to 1, or the ignore_index 255") {
            try counts.add([255, 7] as [Int64], samples: 1, options: Options(ignoreIndex: 255))
        }
        refused(.badShape, "there are 3 labels; expected as many in each of the 2 samples") { try counts.add([0, 0, 0] as [UInt8], samples: 2) }
        for samples in [0, -1] {
            refused(.badShape, "samples is \(samples); expected 1 or more") {
                try counts.add([0, 0, 0] as [UInt8], samples: samples)
            }
        }
        refused(.badShape, "voxels is 0") { try counts.add([UInt8](), samples: 1) }
        refused(.badThreads, "threads is -2") { try counts.add([0] as [UInt8], samples: 1, options: Options(threads: -2)) }
        refused(.wrongSize, "3 classes") { try counts.merge(ClassCounts(classes: 3)) }
        XCTAssertEqual(counts, before)
        // Counts that are merged with themselves until no more fit.
        var twice = counts
        for _ in 0..<60 {
            let same = twice
            try twice.merge(same)
        }
        XCTAssertEqual(twice.voxelsOfSamples, [1 << 62, 1 << 62])
        let full = twice
        refused(.outOfRange, "4611686018427387904", "64 bits") { try twice.merge(full) }
        XCTAssertEqual(twice, full)
        refused(.badShape, "class_count is 0") { _ = try ClassCounts(classes: 0).weights() }
        refused(.badShape, "class_count is 513") { _ = try ClassCounts(classes: 513).weights() }
        for offset in [1, 0.5, 101, .nan] {
            refused(.badOption, "parameter") { _ = try counts.weights(.logarithmic(offset: offset)) }
        }
        for beta in [-0.1, 1, .nan] { refused(.badOption, "parameter") { _ = try counts.weights(.effective(beta: beta)) } }
        refused(.badOption, "asks for the formula's value") { _ = try counts.weights(.inverse, absent: .formula) }
        var map = [Float](repeating: -7, count: 3)
        refused(.badLabel, "labels[2] is 2") { try ClassWeightMap([1, 2]).write([0, 1, 2] as [UInt8], into: &map) }
        refused(.badWeight, "weights[1] is nan") { try ClassWeightMap([1, .nan]).write([0, 1, 0] as [UInt8], into: &map) }
        refused(.badWeight, "weights[0] is -1") { try ClassWeightMap([-1, 1]).write([0, 1, 0] as [UInt8], into: &map) }
        refused(.badWeight, "weights[0] is inf") { try ClassWeightMap([.infinity, 1]).write([0, 1, 0] as [UInt8], into: &map) }
        refused(.wrongSize, "map_count is 3") { try ClassWeightMap([1, 1]).write([0, 1] as [UInt8], into: &map) }
        XCTAssertTrue(map.allSatisfy { $0 == -7 })
    }

    func testCells() throws {
        refused(.badOption, "spacing 1 is 0.0") { _ = try CellWeights(of: self.shape, spacing: [1, 0]) }
        refused(.badOption, "spacing 0 is -1") { _ = try CellWeights(of: self.shape, spacing: [-1, 1]) }
        refused(.badOption, "spacing 0 is nan") { _ = try CellWeights(of: self.shape, spacing: [.nan, 1]) }
        refused(.badOption, "spacing[2], of columns") { _ = try CellWeights(of: self.shape, spacing: [1, .infinity]) }
        refused(.badOption, "1 spacings") { _ = try CellWeights(of: self.shape, spacing: [1]) }
        for sigma in [0, -1, .nan, .infinity] {
            refused(.badOption, "sigma is") { _ = try CellWeights(of: self.shape, sigma: sigma) }
        }
        for weight in [-1, .nan, .infinity, 1e6] {
            refused(.badOption, "amplitude is") { _ = try CellWeights(of: self.shape, amplitude: weight) }
            refused(.badOption, "background_weight is") { _ = try CellWeights(of: self.shape, classWeights: (weight, 1)) }
            refused(.badOption, "cell_weight is") { _ = try CellWeights(of: self.shape, classWeights: (1, weight)) }
        }
        refused(.badOption, "as is background") { _ = try CellWeights(of: self.shape, options: Options(ignoreIndex: 0)) }
        refused(.badShape, "samples is 0") { _ = try CellWeights(of: Shape(samples: 0, classes: 1, extents: [3, 3])) }
        refused(.badShape, "extent is 0") { _ = try CellWeights(of: Shape(samples: 1, classes: 1, extents: [0, 3])) }
        refused(.badThreads, "threads is -1") { _ = try CellWeights(of: self.shape, options: Options(threads: -1)) }
        var weights = try CellWeights(of: shape)
        var map = [Float](repeating: -7, count: 30)
        refused(.wrongSize, "labels_count is 29") { try weights.write([UInt8](repeating: 0, count: 29), into: &map) }
        var wide = [Int64](repeating: 0, count: 30)
        wide[4] = 1 << 31
        refused(.badLabel, "labels[4] is 2147483648", "32 bits") { try weights.write(wide, into: &map) }
        XCTAssertTrue(map.allSatisfy { $0 == -7 })
        var short = [Float](repeating: -7, count: 29)
        refused(.wrongSize, "map_count is 29") { try weights.write([UInt8](repeating: 0, count: 30), into: &short) }
        XCTAssertTrue(short.allSatisfy { $0 == -7 })
    }

    /// A background that no voxel can have would make every voxel a cell.
    func testBackgroundsThatNoLabelCanBe() throws {
        var map = [Float](repeating: -7, count: 30)
        var large = try CellWeights(of: shape, background: 300)
        refused(.badOption, "background is 300", "0 .. 255") {
            try large.write([UInt8](repeating: 0, count: 30), into: &map)
        }
        var negative = try CellWeights(of: shape, background: -1)
        refused(.badOption, "background is -1", "0 .. 65535") {
            try negative.write([UInt16](repeating: 0, count: 30), into: &map)
        }
        for background in [1 << 31, -(1 << 31) - 1] {
            refused(.badOption, "background is \(background)", "-2147483648 .. 2147483647") {
                _ = try CellWeights(of: self.shape, background: background)
            }
        }
        XCTAssertTrue(map.allSatisfy { $0 == -7 })
        try large.write([UInt16](repeating: 300, count: 30), into: &map)
        try negative.write([Int64](repeating: -1, count: 30), into: &map)
        XCTAssertTrue(map.allSatisfy { $0 == 1 })
    }

    /// A call of C that is refused, with what it says.
    private func refuses(
        _ status: closs_status, _ message: String, line: UInt = #line,
        _ call: (UnsafeMutablePointer<closs_error>) -> closs_status
    ) {
        var error = closs_error()
        XCTAssertEqual(call(&error), status, line: line)
        let said = withUnsafeBytes(of: error.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        XCTAssertEqual(said, message, line: line)
    }

    /// Sizes whose bytes could not be counted: the bound is said.
    func testMapsThatAreTooLarge() {
        var box = closs_box_weights_spec()
        box.samples = 1 << 59
        box.window = (1, 1, 1)
        (box.amplitude, box.steepness) = (5, 5)
        XCTAssertEqual(closs_box_weights_scratch_bytes(&box), 0)
        refuses(
            CLOSS_BAD_SHAPE,
            "the map's 576460752303423488 samples make too many values of 1 each: expected at most 2^56"
        ) { closs_box_weights(&box, CLOSS_DENSE_U8, nil, 0, nil, 0, nil, 0, $0) }
        box.samples = 1
        box.extents = closs_extents(planes: 1 << 24, rows: 1 << 24, columns: 1 << 9)
        refuses(CLOSS_BAD_SHAPE, "the map's extents make too many values: expected at most 2^56") {
            closs_box_weights(&box, CLOSS_DENSE_U8, nil, 0, nil, 0, nil, 0, $0)
        }
        var cell = closs_cell_weights_spec()
        cell.samples = 1
        cell.extents = box.extents
        cell.sigma = 1
        refuses(
            CLOSS_BAD_SHAPE, "the map's samples, classes and extents make too many values: expected at most 2^45"
        ) { closs_cell_weights(&cell, CLOSS_LABELS_U8, nil, 0, nil, 0, nil, 0, $0) }
        var counts = closs_class_counts_spec()
        (counts.samples, counts.voxels, counts.class_count) = (3, 1 << 62, 2)
        refuses(
            CLOSS_BAD_SHAPE, "voxels is 4611686018427387904, in each of 3 samples: expected at most 2^56 in all"
        ) { closs_class_counts(&counts, CLOSS_LABELS_U8, nil, 0, nil, 0, $0) }
        counts.voxels = 0
        refuses(CLOSS_BAD_SHAPE, "voxels is 0: expected at least 1") {
            closs_class_counts(&counts, CLOSS_LABELS_U8, nil, 0, nil, 0, $0)
        }
    }

    /// What is added to must be counts, and stay some: the same is asked of them as where weights are made of them.
    func testCountsThatAreNone() {
        var spec = closs_class_counts_spec()
        (spec.samples, spec.voxels, spec.class_count) = (2, 2, 2)
        let labels: [UInt8] = [0, 1, 1, 1]
        func count(_ counts: [Int64]) -> (status: closs_status, index: Int64, counts: [Int64]) {
            var counts = counts
            var error = closs_error()
            let status = closs_class_counts(&spec, CLOSS_LABELS_U8, labels, 4, &counts, 4, &error)
            return (status, error.index, counts)
        }
        let most = Int64.max
        for (counts, index) in [
            ([-100, 0, 0, 0], 0), ([0, -1, 0, 0], 1), ([0, 0, 0, -1], 3), ([most - 1, 0, most - 1, 0], 0),
            ([most - 3, 0, most - 3, 0], 0), ([0, 0, most - 3, 0], 2), ([most - 5, 2, most - 5, 2], 1),
            ([5, 0, 4, 0], 2),
        ] as [([Int64], Int64)] {
            let found = count(counts)
            XCTAssertEqual(found.status, CLOSS_OUT_OF_RANGE, "\(counts)")
            XCTAssertEqual(found.index, index, "\(counts)")
            XCTAssertEqual(found.counts, counts)
        }
        let full = count([most - 6, 2, most - 4, 2])
        XCTAssertEqual(full.status, CLOSS_OK)
        XCTAssertEqual(full.counts, [most - 5, 5, most - 2, 6])
    }

    /// Every pair of buffers of which one is written, by one byte or one element.
    func testOverlaps() {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 1 << 16, alignment: 128)
        defer { memory.deallocate() }
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: 1 << 16)
        func floats(_ at: Int) -> UnsafeMutablePointer<Float> { (memory + at).assumingMemoryBound(to: Float.self) }
        func words(_ at: Int) -> UnsafeMutablePointer<Int64> { (memory + at).assumingMemoryBound(to: Int64.self) }
        func bytes(_ at: Int) -> UnsafeRawPointer { UnsafeRawPointer(memory + at) }
        var box = closs_box_weights_spec(), cell = closs_cell_weights_spec()
        box.samples = 1
        cell.samples = 1
        box.extents = closs_extents(planes: 1, rows: 4, columns: 8)
        cell.extents = box.extents
        box.window = (1, 3, 3)
        (box.amplitude, box.steepness, cell.sigma) = (5, 5, 1)
        let boxBytes = closs_box_weights_scratch_bytes(&box), cellBytes = closs_cell_weights_scratch_bytes(&cell)
        // Labels have 32 bytes, maps 128.
        let labels = 0, map = 1024, scratch = 2048
        for (words, l, m, s) in [
            ("labels and map overlap", map + 127, map, scratch), ("labels and map overlap", map - 31, map, scratch),
            ("labels and scratch overlap", scratch - 31, map, scratch),
            ("map and scratch overlap", labels, scratch - 124, scratch),
        ] {
            refuses(CLOSS_OVERLAP, words) {
                closs_box_weights(&box, CLOSS_DENSE_U8, bytes(l), 32, floats(m), 32, memory + s, boxBytes, $0)
            }
            refuses(CLOSS_OVERLAP, words) {
                closs_cell_weights(&cell, CLOSS_LABELS_U8, bytes(l), 32, floats(m), 32, memory + s, cellBytes, $0)
            }
        }
        var counts = closs_class_counts_spec(), frequencies = closs_class_weights_spec()
        (counts.samples, counts.voxels, counts.class_count, frequencies.class_count) = (1, 32, 2, 2)
        for at in [map - 31, map + 31] {
            refuses(CLOSS_OVERLAP, "labels and counts overlap") {
                closs_class_counts(&counts, CLOSS_LABELS_U8, bytes(at), 32, words(map), 4, $0)
            }
        }
        for at in [map - 4, map + 28] {
            refuses(CLOSS_OVERLAP, "counts and weights overlap") {
                closs_class_weights(&frequencies, words(map), 4, floats(at), 2, $0)
            }
        }
        for (words, l, w) in [
            ("labels and map overlap", map - 31, scratch), ("labels and map overlap", map + 127, scratch),
            ("weights and map overlap", labels, map - 4), ("weights and map overlap", labels, map + 124),
        ] {
            refuses(CLOSS_OVERLAP, words) {
                closs_class_weight_map(&counts, CLOSS_LABELS_U8, bytes(l), 32, floats(w), 2, floats(map), 32, $0)
            }
        }
        XCTAssertTrue(UnsafeRawBufferPointer(start: memory, count: 1 << 16).allSatisfy { $0 == 0 })
        // Side by side they may lie.
        XCTAssertEqual(
            closs_cell_weights(
                &cell, CLOSS_LABELS_U8, bytes(map - 32), 32, floats(map), 32, memory + map + 128, cellBytes, nil),
            CLOSS_OK)
        XCTAssertEqual(
            closs_class_counts(&counts, CLOSS_LABELS_U8, bytes(labels), 32, words(labels + 32), 4, nil), CLOSS_OK)
    }

    /// What Swift cannot say.
    func testCalls() {
        var labels = [UInt8](repeating: 0, count: 6), map = [Float](repeating: -7, count: 6)
        var classes: [Int64] = [1]
        classes.withUnsafeMutableBufferPointer { classes in
            var spec = closs_box_weights_spec()
            spec.samples = 1
            spec.extents = closs_extents(planes: 0, rows: 2, columns: 3)
            spec.window = (1, 3, 3)
            spec.classes = UnsafePointer(classes.baseAddress)
            spec.class_count = 1
            spec.amplitude = 5
            spec.steepness = 5
            var scratch = [UInt8](repeating: 0, count: closs_box_weights_scratch_bytes(&spec))
            func call(
                _ target: closs_target = CLOSS_LABELS_U8, short: Int = 0,
                _ change: (inout closs_box_weights_spec) -> Void = { _ in }
            ) -> closs_status {
                var other = spec
                change(&other)
                return closs_box_weights(&other, target, &labels, 6, &map, 6, &scratch, scratch.count - short, nil)
            }
            XCTAssertEqual(call(), CLOSS_OK)
            map = map.map { _ in -7 }
            XCTAssertEqual(call(CLOSS_DENSE_F32), CLOSS_BAD_OPTION)
            XCTAssertEqual(call(short: 1), CLOSS_TOO_SMALL)
            XCTAssertEqual(call { $0.form = closs_box_form(rawValue: 9) }, CLOSS_BAD_OPTION)
            XCTAssertEqual(call { $0.padding = closs_box_padding(rawValue: 9) }, CLOSS_BAD_OPTION)
            XCTAssertEqual(call { $0.mean = closs_weights_mean(rawValue: 9) }, CLOSS_BAD_OPTION)
            XCTAssertEqual(call { $0.lower = 0.5 }, CLOSS_BAD_OPTION)
            XCTAssertEqual(call { ($0.form, $0.upper) = (CLOSS_BOX_BORDER, 1) }, CLOSS_BAD_OPTION)
            XCTAssertEqual(call { $0.class_count = 0 }, CLOSS_BAD_OPTION)
            XCTAssertEqual(call { $0.classes = nil }, CLOSS_BAD_OPTION)
            XCTAssertEqual(call { $0.class_count = 513 }, CLOSS_BAD_OPTION)
            XCTAssertEqual(call { $0.window.0 = 0 }, CLOSS_BAD_OPTION)
            XCTAssertEqual(call { $0.isa = closs_isa(rawValue: 9) }, CLOSS_UNSUPPORTED_ISA)
            XCTAssertEqual(closs_box_weights(nil, CLOSS_LABELS_U8, &labels, 6, &map, 6, &scratch, scratch.count, nil), CLOSS_NULL_POINTER)
            XCTAssertEqual(closs_box_weights(&spec, CLOSS_LABELS_U8, nil, 6, &map, 6, &scratch, scratch.count, nil), CLOSS_NULL_POINTER)
            XCTAssertEqual(closs_box_weights(&spec, CLOSS_LABELS_U8, &labels, 6, nil, 6, &scratch, scratch.count, nil), CLOSS_NULL_POINTER)
            XCTAssertEqual(closs_box_weights(&spec, CLOSS_LABELS_U8, &labels, 6, &map, 6, nil, 0, nil), CLOSS_NULL_POINTER)
            scratch.withUnsafeMutableBytes { scratch in
                XCTAssertEqual(
                    closs_box_weights(
                        &spec, CLOSS_LABELS_U8, scratch.baseAddress, 6, &map, 6, scratch.baseAddress, scratch.count, nil),
                    CLOSS_OVERLAP)
            }
        }
        XCTAssertEqual(closs_box_weights_scratch_bytes(nil), 0)
        XCTAssertEqual(closs_cell_weights_scratch_bytes(nil), 0)
        XCTAssertEqual(closs_cell_weights(nil, CLOSS_LABELS_U8, &labels, 6, &map, 6, nil, 0, nil), CLOSS_NULL_POINTER)
        XCTAssertEqual(closs_class_counts(nil, CLOSS_LABELS_U8, &labels, 6, nil, 0, nil), CLOSS_NULL_POINTER)
        XCTAssertEqual(closs_class_weights(nil, nil, 0, &map, 6, nil), CLOSS_NULL_POINTER)
        XCTAssertEqual(closs_class_weight_map(nil, CLOSS_LABELS_U8, &labels, 6, nil, 0, &map, 6, nil), CLOSS_NULL_POINTER)
        var frequencies = closs_class_weights_spec()
        frequencies.class_count = 2
        for counts in [[-1, 0, 0, 0], [5, 0, 4, 0], [.max, 1, .max, 1]] as [[Int64]] {
            XCTAssertEqual(closs_class_weights(&frequencies, counts, 4, &map, 2, nil), CLOSS_OUT_OF_RANGE)
        }
        frequencies.parameter = 1
        XCTAssertEqual(closs_class_weights(&frequencies, [1, 0, 1, 0], 4, &map, 2, nil), CLOSS_BAD_OPTION)
        XCTAssertTrue(map.allSatisfy { $0 == -7 })
    }
}
