import CKernelProbe
import CLossKernels
import XCTest

extension XCTestCase {
    /// That the call, which is made several times, asks the heap for nothing.
    func assertAllocatesNothing(_ what: String, _ call: () -> closs_status) throws {
        guard probe_heap_is_watched() != 0 else { throw XCTSkip("the heap is not watched here") }
        XCTAssertEqual(call(), CLOSS_OK, what)
        // What a call allocates, it allocates every time; a thread that another test left behind may, now and then.
        let allocations = (0..<5).map { _ in
            let before = probe_allocations()
            let status = call()
            let after = probe_allocations()
            XCTAssertEqual(status, CLOSS_OK, what)
            return after - before
        }
        XCTAssertEqual(allocations.min(), 0, "\(what): \(allocations)")
    }
}
