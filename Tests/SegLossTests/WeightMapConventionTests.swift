import Foundation
import SegLoss
import XCTest

/// Weight maps beside those that scripts make with PyTorch, SciPy and scikit-learn
/// (Fixtures/make_weight_map_fixtures.py): the paddings, roundings and divisors that the pages name are those libraries'
/// own.
final class WeightMapConventionTests: XCTestCase {
    private struct Golden: Decodable {
        struct Box: Decodable {
            let extents, window: [Int]
            let counted, boundary, mean: Bool
            let labels: [UInt8]
            let weights: [Double]
        }
        struct Cells: Decodable {
            let extents: [Int]
            let spacing: [Double]
            let balanced: Bool
            let labels: [UInt8]
            let weights: [Double]
        }
        struct Classes: Decodable {
            let labels: [UInt8]
            let weights: [Double]
        }
        let boxes: [Box]
        let cells: [Cells]
        let classes: [Classes]
    }

    private func golden() throws -> Golden {
        let url = try XCTUnwrap(
            Bundle.module.url(forResource: "weight_maps", withExtension: "json", subdirectory: "Fixtures"))
        return try JSONDecoder().decode(Golden.self, from: Data(contentsOf: url))
    }

    private func compare(_ got: [Float], _ wanted: [Double], _ what: String, line: UInt = #line) {
        XCTAssertEqual(got.count, wanted.count, what, line: line)
        let wrong = zip(got, wanted).filter { got, wanted in !(abs(Double(got) - wanted) <= 2e-6 * wanted) }
        XCTAssertTrue(wrong.isEmpty, "\(what): \(wrong.count) wrong, first \(wrong.first as Any)", line: line)
    }

    func testBoxes() throws {
        let boxes = try golden().boxes
        XCTAssertEqual(boxes.count, 8)
        for b in boxes {
            var weights = try BoxWeights(
                of: Shape(samples: 2, classes: 1, extents: b.extents), window: b.window, classes: [2],
                form: b.boundary ? .boundary() : .border(), padding: b.counted ? .counted : .excluded,
                mean: b.mean ? .ofBatch : .free)
            compare(try weights(b.labels), b.weights, "\(b.extents), \(b.window), counted \(b.counted)")
        }
    }

    func testCells() throws {
        let cells = try golden().cells
        XCTAssertEqual(cells.count, 5)
        for c in cells {
            var weights = try CellWeights(
                of: Shape(samples: 1, classes: 1, extents: c.extents), balanced: c.balanced, spacing: c.spacing)
            compare(try weights(c.labels), c.weights, "\(c.extents), \(c.spacing)")
        }
    }

    func testClasses() throws {
        let classes = try golden().classes
        XCTAssertEqual(classes.count, 2)
        for c in classes {
            var counts = ClassCounts(classes: c.weights.count)
            try counts.add(c.labels, samples: 1)
            compare(try counts.weights(.balanced), c.weights, "\(c.weights.count) classes")
        }
    }
}
