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
            let shape = Shape.planar(samples: 8, classes: 4, height: 2048, width: 2048)
            try refused { _ = try Evaluator(.lovaszSoftmax(), shape: shape, activation: .softmax) }
            try refused { _ = try Evaluator(.hausdorff(), shape: shape, activation: .softmax) }
            try refused { _ = try DistanceTransform(of: shape, as: Int16.self, classes: [0, 1, 2, 3]) }
            try refused { _ = try CellWeights(of: .planar(samples: 32, classes: 1, height: 2048, width: 2048)) }
        }

        /// The scales' plans have room; what a call over all of them writes to has none beside them.
        func testTooLittleMemoryForAllScales() throws {
            guard probe_heap_is_watched() != 0 else { throw XCTSkip("the memory is a sanitizer's") }
            // One thread: a build without OpenMP has no more, and each sorts in memory of its own.
            let shape = Shape.planar(samples: 1, classes: 2, height: 2048, width: 1024), options = Options(threads: 1)
            try withLittleMemory {
                _ = try Evaluator(.lovaszSoftmax(), shape: shape, activation: .softmax, options: options)
            }
            try refused {
                _ = try DeepSupervision(
                    .lovaszSoftmax(), shapes: [shape], weights: [1], activation: .softmax, options: options)
            }
        }

        /// Sizes that C counts beyond what Swift's integers hold.
        func testSizesBeyondInt() throws {
            for samples in [1 << 40, 1 << 49, 1 << 50, (1 << 56) - 1] {
                for loss in [Loss.dice(), .hausdorff(), .crossEntropy()] {
                    let shape = Shape.flat(samples: samples, classes: 2, voxels: 1)
                    XCTAssertThrowsError(
                        try Evaluator(loss, shape: shape, activation: .softmax, options: Options(perSample: true))
                    ) { error in
                        let kind = (error as? LossError)?.kind
                        XCTAssert(kind == .outOfMemory || kind == .badShape, "\(error)")
                    }
                }
            }
        }

        private func refused(_ make: () throws -> Void, line: UInt = #line) throws {
            XCTAssertThrowsError(try withLittleMemory(make), line: line) { error in
                guard let error = error as? LossError else { return XCTFail("\(error)", line: line) }
                XCTAssertEqual(error.kind, .outOfMemory, line: line)
                XCTAssert(error.message.contains("bytes of scratch memory"), error.message, line: line)
            }
        }

        private func withLittleMemory(_ body: () throws -> Void) throws {
            // OpenMP, too, needs memory when it is first asked how many threads there are.
            _ = try Evaluator(.dice(), shape: .flat(samples: 1, classes: 2, voxels: 16), activation: .softmax)
            let kind = __rlimit_resource_t(RLIMIT_AS.rawValue)
            var allowed = rlimit()
            XCTAssertEqual(getrlimit(kind, &allowed), 0)
            var little = allowed
            little.rlim_cur = rlim_t(try mapped() + Self.spare)
            XCTAssertEqual(setrlimit(kind, &little), 0)
            defer { setrlimit(kind, &allowed) }
            try body()
        }

        /// Bytes of address space that this process has.
        private func mapped() throws -> Int {
            let pages = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).prefix { $0 != " " }
            return try XCTUnwrap(Int(pages)) * sysconf(Int32(_SC_PAGESIZE))
        }
    }
#endif
