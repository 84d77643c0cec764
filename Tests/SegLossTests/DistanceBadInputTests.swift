import CLossKernels
import SegLoss
import XCTest

final class DistanceBadInputTests: XCTestCase {
    private let shape = Shape(samples: 2, classes: 2, extents: [3, 5])

    private func refused(
        _ kind: LossError.Kind, _ words: String..., line: UInt = #line, _ make: () throws -> Void
    ) {
        XCTAssertThrowsError(try make(), line: line) { error in
            guard let error = error as? LossError else { return XCTFail("\(error)", line: line) }
            XCTAssertEqual(error.kind, kind, error.message, line: line)
            for word in words { XCTAssertTrue(error.message.contains(word), error.message, line: line) }
        }
    }

    func testSpecs() {
        refused(.badShape, "2 classes", "expected 1") {
            _ = try DistanceTransform(of: Shape(samples: 1, classes: 1, extents: [3, 5]), classes: [0, 1])
        }
        refused(.badShape, "extent is 0") { _ = try DistanceTransform(of: Shape(samples: 1, classes: 1, extents: [3, 0])) }
        refused(.badShape, "4 extents") { _ = try DistanceTransform(of: Shape(samples: 1, classes: 1, extents: [3, 1, 1, 1])) }
        refused(.badShape, "samples is 0") { _ = try DistanceTransform(of: Shape(samples: 0, classes: 1, extents: [3, 3])) }
        refused(.badShape, "class_count is 0") { _ = try DistanceTransform(of: Shape(samples: 1, classes: 0, extents: [3, 3])) }
        refused(.badShape, "extents.columns is 20000000") {
            _ = try DistanceTransform(of: Shape(samples: 1, classes: 1, extents: [1, 20_000_000]))
        }
        refused(.badOption, "classes[1] is 3") { _ = try DistanceTransform(of: self.shape, classes: [3, 3]) }
        refused(.badOption, "spacing 1 is 0.0") { _ = try DistanceTransform(of: self.shape, spacing: [1, 0]) }
        refused(.badOption, "spacing 0 is nan") { _ = try DistanceTransform(of: self.shape, spacing: [.nan, 1]) }
        refused(.badOption, "spacing 1 is -2") { _ = try DistanceTransform(of: self.shape, spacing: [1, -2]) }
        refused(.badOption, "spacing[2], of columns", "inf") {
            _ = try DistanceTransform(of: self.shape, spacing: [1, .infinity])
        }
        refused(.badOption, "1 spacings") { _ = try DistanceTransform(of: self.shape, spacing: [1]) }
        refused(.badOption, "spacing[2]", "too small beside") {
            _ = try DistanceTransform(of: self.shape, spacing: [1, 1e-9])
        }
        refused(.badOption, "scale is -1") { _ = try DistanceTransform(of: self.shape, as: Int16.self, scale: -1) }
        refused(.badOption, "scale is 2", "16-bit") { _ = try DistanceTransform(of: self.shape, scale: 2) }
        refused(.badThreads, "threads is -1") { _ = try DistanceTransform(of: self.shape, options: Options(threads: -1)) }
        refused(.badOption, "ignoreIndex") { _ = try DistanceTransform(of: self.shape, options: Options(ignoreIndex: 255)) }
    }

    /// What spacings that differ allow, and what the message says of it.
    func testSpacingsThatDiffer() throws {
        func answer(_ rows: Int64, _ columns: Int64, _ spacing: (Double, Double)) -> (bytes: Int, words: String) {
            var spec = closs_distance_spec(), error = closs_error()
            (spec.samples, spec.class_count) = (1, 1)
            spec.extents = closs_extents(planes: 1, rows: rows, columns: columns)
            spec.spacing = (1, spacing.0, spacing.1)
            let status = closs_distance_map(&spec, CLOSS_LABELS_U8, nil, 0, nil, 0, nil, 0, &error)
            let bytes = closs_distance_scratch_bytes(&spec)
            XCTAssertEqual(status, bytes == 0 ? CLOSS_BAD_OPTION : CLOSS_NULL_POINTER)
            return (
                bytes, withUnsafeBytes(of: error.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            )
        }
        XCTAssertGreaterThan(answer(32768, 32768, (0.2525, 0.2530)).bytes, 0)
        let long = answer(100_000, 64, (0.2525, 0.2530))
        XCTAssertEqual(long.bytes, 0)
        for word in ["spacing[1], of rows, is 0.2525", "diagonal of 25249.8", "at most 46340 times"] {
            XCTAssertTrue(long.words.contains(word), long.words)
        }
        // A diagonal of 46340 times the least spacing is enough, wherever the power of two lies.
        for unit in [1, 1.1, 1.25, 1.4, 1.6, 1.9] {
            XCTAssertGreaterThan(answer(2, 1001, (unit, unit * 46.339)).bytes, 0, "\(unit)")
            XCTAssertEqual(answer(2, 1001, (unit, unit * 65.54)).bytes, 0, "\(unit)")
        }
    }

    #if !(os(macOS) && arch(x86_64))
        /// Distances that halves cannot hold would be infinite.
        func testHalves() throws {
            func plan(_ columns: Int, _ form: DistanceForm, _ far: DistanceFar = .zero, spacing: Double = 1) throws {
                let shape = Shape(samples: 1, classes: 1, extents: [2, columns])
                _ = try DistanceTransform(
                    of: shape, as: Float16.self, form: form, far: far, spacing: [spacing, spacing])
            }
            let row = Shape(samples: 1, classes: 1, extents: [256])
            var squared = try DistanceTransform(of: row, as: Float16.self, classes: [1], form: .squared)
            let map = try squared((0..<256).map { UInt8($0 == 0 ? 1 : 0) })
            XCTAssertEqual(map[255], 65024)
            XCTAssertTrue(map.allSatisfy { $0.isFinite })
            refused(.badOption, "type is float16", "expected less than 65520") { try plan(400, .squared) }
            refused(.badOption, "may reach 65537") { try plan(257, .squared) }
            refused(.badOption, "may reach 65540") { try plan(256, .squared, .diagonal) }
            refused(.badOption, "may reach 66007.6") { try plan(67, .signed(.half), spacing: 1000) }
            try plan(255, .squared, .infinity)
            try plan(66, .signed(.zeroUnit), spacing: 990)
            try plan(400, .unsigned, .diagonal)
        }
    #endif

    func testBuffers() throws {
        var transform = try DistanceTransform(of: shape)
        var map = [Float](repeating: -7, count: 60)
        refused(.wrongSize, "labels_count is 29", "30") { try transform.write([UInt8](repeating: 0, count: 29), into: &map) }
        refused(.wrongSize, "labels_count is 0") { try transform.write([UInt8](), into: &map) }
        XCTAssertTrue(map.allSatisfy { $0 == -7 })
        var short = [Float](repeating: -7, count: 30)
        refused(.wrongSize, "map_count is 30", "60", "2 classes") {
            try transform.write([UInt8](repeating: 0, count: 30), into: &short)
        }
        XCTAssertTrue(short.allSatisfy { $0 == -7 })
    }

    /// A class that labels of the type cannot be is a mistake, not an absent class.
    func testClassesThatTypesLack() throws {
        let values = [UInt8](repeating: 0, count: 30)
        var map = [Float](repeating: -7, count: 60)
        for (label, position) in [(300, 1), (-1, 0), (256, 0)] {
            let classes = position == 0 ? [label, 5] : [5, label]
            var transform = try DistanceTransform(of: shape, classes: classes)
            refused(.badOption, "classes[\(position)] is \(label): labels of this type are 0 .. 255") {
                try transform.write(values, into: &map)
            }
            XCTAssertTrue(map.allSatisfy { $0 == -7 })
            _ = try transform(values.map(Int32.init))
        }
        var wide = try DistanceTransform(of: shape, classes: [70000, 1])
        refused(.badOption, "classes[0] is 70000: labels of this type are 0 .. 65535") {
            try wide.write(values.map(UInt16.init), into: &map)
        }
        var far = try DistanceTransform(of: shape, classes: [1, 1 << 40])
        refused(.badOption, "classes[1] is 1099511627776: labels of this type are -2147483648 .. 2147483647") {
            try far.write(values.map(Int32.init), into: &map)
        }
        _ = try far(values.map(Int64.init))
    }

    /// What Swift cannot say.
    func testCalls() {
        var spec = closs_distance_spec()
        spec.samples = 1
        spec.extents = closs_extents(planes: 0, rows: 2, columns: 3)
        spec.class_count = 1
        var labels = [UInt8](repeating: 0, count: 6), map = [Float](repeating: -7, count: 6)
        var scratch = [UInt8](repeating: 0, count: closs_distance_scratch_bytes(&spec))
        func call(
            _ target: closs_target = CLOSS_LABELS_U8, short: Int = 0, _ change: (inout closs_distance_spec) -> Void = { _ in }
        ) -> (closs_status, String) {
            var other = spec, error = closs_error()
            change(&other)
            let status = closs_distance_map(
                &other, target, &labels, 6, &map, 6, &scratch, scratch.count - short, &error)
            return (status, withUnsafeBytes(of: error.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) })
        }
        XCTAssertEqual(call().0, CLOSS_OK)
        map = map.map { _ in -7 }
        let huge = closs_extents(planes: 1 << 24, rows: 1 << 24, columns: 1)
        let bad: [(closs_status, (closs_status, String), String)] = [
            (CLOSS_BAD_OPTION, call(CLOSS_DENSE_U8), "target is 5"),
            (CLOSS_TOO_SMALL, call(short: 1), "scratch_bytes"),
            (CLOSS_BAD_OPTION, call { $0.form = closs_distance_form(rawValue: 9) }, "form is 9"),
            (CLOSS_BAD_OPTION, call { $0.boundary = CLOSS_INNER_HALF }, "signed maps"),
            (CLOSS_BAD_OPTION, call { $0.far = closs_distance_far(rawValue: 9) }, "far is 9"),
            (CLOSS_BAD_OPTION, call { $0.type = closs_distance_type(rawValue: 9) }, "type is 9"),
            (CLOSS_BAD_SHAPE, call { $0.extents.rows = -2 }, "extents.rows is -2"),
            (CLOSS_BAD_SHAPE, call { ($0.samples, $0.class_count) = (.max, 2) }, "at most 2^45"),
            (CLOSS_BAD_SHAPE, call { ($0.samples, $0.class_count) = (1 << 61, 8) }, "at most 2^45"),
            (CLOSS_BAD_SHAPE, call { $0.extents = huge }, "at most 2^45"),
            (CLOSS_UNSUPPORTED_ISA, call { $0.isa = closs_isa(rawValue: 9) }, "isa is 9"),
        ]
        for (status, answer, words) in bad {
            XCTAssertEqual(answer.0, status, answer.1)
            XCTAssertTrue(answer.1.contains(words), answer.1)
        }
        XCTAssertEqual(closs_distance_map(nil, CLOSS_LABELS_U8, &labels, 6, &map, 6, &scratch, scratch.count, nil), CLOSS_NULL_POINTER)
        XCTAssertEqual(closs_distance_map(&spec, CLOSS_LABELS_U8, nil, 6, &map, 6, &scratch, scratch.count, nil), CLOSS_NULL_POINTER)
        XCTAssertEqual(closs_distance_map(&spec, CLOSS_LABELS_U8, &labels, 6, nil, 6, &scratch, scratch.count, nil), CLOSS_NULL_POINTER)
        XCTAssertEqual(closs_distance_map(&spec, CLOSS_LABELS_U8, &labels, 6, &map, 6, nil, 0, nil), CLOSS_NULL_POINTER)
        XCTAssertEqual(closs_distance_scratch_bytes(nil), 0)
        scratch.withUnsafeMutableBytes { scratch in
            XCTAssertEqual(
                closs_distance_map(
                    &spec, CLOSS_LABELS_U8, scratch.baseAddress, 6, &map, 6, scratch.baseAddress, scratch.count, nil),
                CLOSS_OVERLAP)
        }
        XCTAssertTrue(map.allSatisfy { $0 == -7 })
    }
}
