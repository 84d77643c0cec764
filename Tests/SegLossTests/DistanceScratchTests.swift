import CLossKernels
import Foundation
import SegLoss
import XCTest

/// The memory that distance maps, boundary and Hausdorff losses ask for is what the header says: it grows with the
/// threads that have a block to work on, and no further.
final class DistanceScratchTests: XCTestCase {
    private struct Case {
        var samples = 1
        var classes = 1
        var extents: [Int]
        var spacing: [Double] = [1, 1, 1]

        var voxels: Int { extents.reduce(1, *) }
        var values: Int { samples * classes * voxels }
        var longest: Int { max(extents[0], extents[1]) }
        var lanes: Int { spacing == [1, 1, 1] ? 32 : 16 }

        /// What a thread's room for a block takes.
        var room: Int {
            let lines = 2 * longest + (extents[0] > 1 ? extents[0] * extents[1] : 0)
            return 128 * lines + 16 * longest
        }

        /// Threads that have a block, of so many maps.
        func rooms(_ threads: Int, maps: Int) -> Int {
            min(max(1, min(threads, maps * voxels / 16384)), maps * ((extents[2] + lanes - 1) / lanes))
        }

        var code: closs_extents {
            closs_extents(planes: Int64(extents[0]), rows: Int64(extents[1]), columns: Int64(extents[2]))
        }
    }

    /// Of full blocks, of blocks with few columns, and of small samples.
    private let cases = [
        Case(extents: [1, 512, 512]), Case(samples: 2, classes: 4, extents: [1, 512, 512]),
        Case(classes: 2, extents: [128, 128, 128]), Case(extents: [512, 512, 32]),
        Case(classes: 3, extents: [512, 512, 3]), Case(samples: 64, extents: [1, 32, 256]),
        Case(extents: [1, 512, 512], spacing: [1, 0.5, 2]), Case(classes: 4, extents: [64, 128, 128], spacing: [2, 1, 1]),
        Case(samples: 8, classes: 3, extents: [1, 16, 16]), Case(extents: [1, 1, 100_000]),
    ]
    private let threads = [1, 8, 64]

    private func assertBytes(
        _ bytes: Int, _ said: Int, slack: Int, _ what: @autoclosure () -> String, line: UInt = #line
    ) {
        XCTAssertTrue(
            bytes >= said && bytes <= said + slack, "\(bytes) bytes, not \(said) and up to \(slack) more: \(what())",
            line: line)
    }

    private func mapBytes(_ c: Case, _ threads: Int, _ type: closs_distance_type = CLOSS_DISTANCE_FLOAT32) -> Int {
        var spec = closs_distance_spec()
        (spec.samples, spec.class_count, spec.extents) = (Int64(c.samples), Int32(c.classes), c.code)
        (spec.spacing, spec.threads, spec.type) = ((c.spacing[0], c.spacing[1], c.spacing[2]), Int32(threads), type)
        return closs_distance_scratch_bytes(&spec)
    }

    func testMaps() {
        for c in cases {
            // The squares of all steps along planes and rows, and what rounding takes.
            let slack = 32 * c.longest + 128 * 66
            for threads in threads {
                let said = c.rooms(Threads.planned(threads), maps: c.samples * c.classes) * c.room
                assertBytes(mapBytes(c, threads), said, slack: slack, "\(c), \(threads) threads")
                assertBytes(
                    mapBytes(c, threads, CLOSS_DISTANCE_INT16), said + 4 * c.values, slack: slack,
                    "\(c), \(threads) threads")
            }
        }
        // What the documents promise for each value, of any number of threads.
        let promises: [(Case, Double)] = [
            (cases[1], 8.6), (cases[2], 4.2), (cases[3], 4.1), (cases[6], 17.1), (cases[7], 8.5),
        ]
        for (c, promise) in promises {
            for threads in threads + [1024] {
                XCTAssertLessThanOrEqual(Double(mapBytes(c, threads)) / Double(c.values), promise, "\(c)")
            }
        }
    }

    private func termBytes(_ kind: closs_term_kind, _ c: Case, _ threads: Int) -> Int {
        var term = closs_term()
        (term.kind, term.weight) = (kind, 1)
        term.of.distance.spacing = (c.spacing[0], c.spacing[1], c.spacing[2])
        if kind == CLOSS_HAUSDORFF { term.of.distance.alpha = 2 }
        var plan: OpaquePointer?
        let status = withUnsafePointer(to: term) { terms in
            var spec = closs_spec()
            spec.shape = closs_shape(samples: Int64(c.samples), classes: Int64(c.classes), voxels: Int64(c.voxels))
            (spec.extents, spec.activation, spec.threads) = (c.code, CLOSS_SIGMOID, Int32(threads))
            (spec.terms, spec.term_count) = (terms, 1)
            return closs_plan_create(&spec, &plan, nil)
        }
        XCTAssertEqual(status, CLOSS_OK)
        defer { closs_plan_destroy(plan) }
        return closs_scratch_bytes(plan)
    }

    func testTerms() {
        for c in cases {
            let slack = 32 * c.longest + 128 * 80
            for threads in threads {
                for kind in [CLOSS_BOUNDARY, CLOSS_HAUSDORFF] {
                    let values = c.classes * c.voxels, planned = Threads.planned(threads)
                    let together =
                        kind == CLOSS_BOUNDARY ? c.samples : min(c.samples, (planned * 16384 + values - 1) / values)
                    let maps = together * c.classes
                    let rows = min(max(1, min(planned, maps * c.voxels / 16384)), maps * c.extents[0] * c.extents[1])
                    let said =
                        4 * c.values + c.rooms(planned, maps: maps) * c.room + rows * ((c.extents[2] + 127) / 128 * 128)
                        + (kind == CLOSS_HAUSDORFF ? 5 * together * values : 0)
                    assertBytes(termBytes(kind, c, threads), said, slack: slack, "\(kind), \(c), \(threads) threads")
                }
            }
        }
        // 4 for the maps, 5 for predictions, and rooms.
        for (c, rooms) in [(cases[1], 9.1), (cases[2], 4.3), (cases[5], 9.1), (cases[6], 17.3), (cases[7], 8.6)] {
            for threads in threads + [.max >> 33] {
                let (boundary, hausdorff) = (termBytes(CLOSS_BOUNDARY, c, threads), termBytes(CLOSS_HAUSDORFF, c, threads))
                XCTAssertLessThanOrEqual(Double(boundary) / Double(c.values), 4 + rooms, "\(c), \(threads) threads")
                XCTAssertLessThanOrEqual(Double(hausdorff) / Double(c.values), 9 + rooms, "\(c), \(threads) threads")
            }
        }
    }

    /// Scratch that was sized for one thread does for a call on eight, also where it is OpenMP's default that changed.
    func testScratchOfOtherThreads() throws {
        var spec = closs_distance_spec()
        (spec.samples, spec.class_count) = (2, 3)
        spec.extents = closs_extents(planes: 3, rows: 90, columns: 200)
        spec.form = CLOSS_DISTANCE_SIGNED
        let voxels = 2 * 3 * 90 * 200
        let labels = (0..<voxels).map { (i: Int) -> UInt8 in UInt8(i / 37 % 5 % 3) }
        func map(_ threads: Int32, _ bytes: Int) -> (closs_status, [Float]) {
            var map = [Float](repeating: -7, count: 3 * voxels)
            var scratch = [UInt8](repeating: 0xee, count: bytes)
            spec.threads = threads
            let status = closs_distance_map(
                &spec, CLOSS_LABELS_U8, labels, voxels, &map, map.count, &scratch, bytes, nil)
            return (status, map)
        }
        spec.threads = 1
        let least = closs_distance_scratch_bytes(&spec)
        let expected = map(1, least).1
        spec.threads = 8
        let most = closs_distance_scratch_bytes(&spec)
        XCTAssertEqual(least < most, Threads.canBeMany)
        for bytes in [least, (least + most) / 2, max(least, most - 1), most, most + 5000] {
            for threads in [1, 2, 8] as [Int32] {
                let (status, got) = map(threads, bytes)
                XCTAssertEqual(status, CLOSS_OK, "\(bytes) bytes, \(threads) threads")
                XCTAssertEqual(got, expected, "\(bytes) bytes, \(threads) threads")
            }
        }
        XCTAssertEqual(map(8, least - 1).0, CLOSS_TOO_SMALL)
    }

    func testOpenMPsDefaultMayChange() throws {
        // Which library it is, only the linker knows.
        guard let program = dlopen(nil, RTLD_NOW), let set = dlsym(program, "omp_set_num_threads"),
            let get = dlsym(program, "omp_get_max_threads")
        else { throw XCTSkip("no OpenMP") }
        let setThreads = unsafeBitCast(set, to: (@convention(c) (Int32) -> Void).self)
        let defaults = unsafeBitCast(get, to: (@convention(c) () -> Int32).self)()
        defer { setThreads(defaults) }
        let shape = Shape(samples: 2, classes: 3, extents: [130, 240])
        let voxels = shape.samples * shape.voxels
        let labels = (0..<voxels).map { (i: Int) -> UInt8 in UInt8(i / 41 % 5 % 3) }
        var maps: [[Float]] = []
        for (planned, called) in [(1, 1), (1, 8), (8, 1)] as [(Int32, Int32)] {
            setThreads(planned)
            var transform = try DistanceTransform(of: shape, form: .signed(.half))
            setThreads(called)
            maps.append(try transform(labels))
        }
        XCTAssertEqual(maps[1], maps[0])
        XCTAssertEqual(maps[2], maps[0])
    }
}
