#if canImport(Glibc)
    import CKernelProbe
    import Foundation
    import SegLoss
    import XCTest

    /// Plans whose calls need more memory than there is: an error, where an array would end the program.
    final class ScratchTests: XCTestCase {
        /// What the process may map beyond what it has mapped: less than each of the plans below needs.
        private static let spare = 64 << 20

        func testTooLittleMemory() throws {
            // Sanitizers map what they need as they need it, and end the program where they cannot.
            guard probe_heap_is_watched() != 0 else { throw XCTSkip("the memory is a sanitizer's") }
            // OpenMP, too, needs memory when it is first asked how many threads there are.
            _ = try Evaluator(.dice(), shape: .planar(samples: 1, classes: 2, height: 4, width: 4), activation: .softmax)
            let shape = Shape.planar(samples: 8, classes: 4, height: 2048, width: 2048)
            try refused { _ = try Evaluator(.lovaszSoftmax(), shape: shape, activation: .softmax) }
            try refused {
                _ = try DeepSupervision(.lovaszSoftmax(), shapes: [shape], weights: [1], activation: .softmax)
            }
            try refused { _ = try Evaluator(.hausdorff(), shape: shape, activation: .softmax) }
            try refused { _ = try DistanceTransform(of: shape, as: Int16.self, classes: [0, 1, 2, 3]) }
            try refused { _ = try CellWeights(of: .planar(samples: 8, classes: 1, height: 2048, width: 2048)) }
        }

        private func refused(_ make: () throws -> Void, line: UInt = #line) throws {
            var allowed = rlimit()
            XCTAssertEqual(getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &allowed), 0)
            var little = allowed
            little.rlim_cur = rlim_t(try mapped() + Self.spare)
            XCTAssertEqual(setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &little), 0)
            defer { setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &allowed) }
            XCTAssertThrowsError(try make(), line: line) { error in
                guard let error = error as? LossError else { return XCTFail("\(error)", line: line) }
                XCTAssertEqual(error.kind, .outOfMemory, line: line)
                XCTAssert(error.message.contains("bytes of scratch memory"), error.message, line: line)
            }
        }

        /// Bytes of address space that this process has.
        private func mapped() throws -> Int {
            let pages = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).prefix { $0 != " " }
            return try XCTUnwrap(Int(pages)) * sysconf(Int32(_SC_PAGESIZE))
        }
    }
#endif
