import SegLoss
import SegLossReference
import XCTest

/// What is refused of the errors of the probability and of maps, and that a refused call leaves the gradient alone.
final class ErrorBadInputTests: XCTestCase {
    private let shape = Shape.flat(samples: 1, classes: 2, voxels: 70)

    private func refuse(
        _ kind: LossError.Kind, _ word: String, _ loss: Loss, _ activation: Activation = .sigmoid,
        line: UInt = #line
    ) {
        do throws(LossError) {
            _ = try Evaluator(loss, shape: shape, activation: activation)
            XCTFail("planned; expected \(kind)", line: line)
        } catch {
            XCTAssertEqual(error.kind, kind, error.message, line: line)
            XCTAssertEqual(error.index, 0, error.message, line: line)
            XCTAssertTrue(error.message.contains(word), "'\(error.message)' lacks '\(word)'", line: line)
        }
    }

    func testOptions() throws {
        let makers: [([Float]?, Divisor) -> Loss] = [
            { .absoluteError(classWeights: $0, divisor: $1) }, { .squaredError(classWeights: $0, divisor: $1) },
            { .smoothL1(classWeights: $0, divisor: $1) }, { .linear(classWeights: $0, divisor: $1) },
        ]
        for make in makers {
            _ = try Evaluator(make(nil, .weight), shape: shape, activation: .softmax)
            refuse(.wrongSize, "class_weights", make([1], .weight))
            for bad in [-1, .nan, .infinity, 0x1p19] as [Float] {
                refuse(.badOption, "class_weights[1]", make([1, bad], .weight))
            }
            refuse(.badOption, "class_weights", make([0, 0], .weight))
            for bad in [0, -1, .nan, .infinity] { refuse(.badOption, "divisor_value", make(nil, .constant(bad))) }
            _ = try Evaluator(make([0, 1], .all), shape: shape, activation: .probabilities)
        }
        for bad in [-0.5, .nan, .infinity, 1e39] { refuse(.badOption, "beta", .smoothL1(beta: bad)) }
        _ = try Evaluator(.smoothL1(beta: 0), shape: shape, activation: .sigmoid)
    }

    /// The error of a call, whose gradient must stay as it was.
    private func error(
        _ loss: Loss, _ activation: Activation = .sigmoid, maps: [Float]?, mask: [UInt8]? = nil, line: UInt = #line
    ) throws -> LossError? {
        var evaluator = try Evaluator(loss, shape: shape, activation: activation)
        let logits = [Float](repeating: 0.5, count: 140)
        let labels = [UInt8](repeating: 1, count: 70)
        var gradient = [Float](repeating: 7, count: 140)
        do throws(LossError) {
            _ = try evaluator.evaluate(logits: logits, labels: labels, mask: mask, maps: maps, gradient: &gradient)
            return nil
        } catch {
            XCTAssertTrue(gradient.allSatisfy { $0 == 7 }, "the gradient was touched", line: line)
            return error
        }
    }

    func testMaps() throws {
        for activation in [Activation.sigmoid, .softmax] { try maps(activation) }
    }

    private func maps(_ activation: Activation) throws {
        func error(_ loss: Loss, maps: [Float]?, mask: [UInt8]? = nil) throws -> LossError? {
            try self.error(loss, activation, maps: maps, mask: mask)
        }
        let good = [Float](repeating: -2, count: 140)
        XCTAssertNil(try error(.linear(), maps: good))
        let missing = try error(.linear(), maps: nil)
        XCTAssertEqual(missing?.kind, .nullPointer)
        XCTAssertEqual(
            missing?.message,
            "maps are missing: a linear term takes maps, such as distance maps: expected 140 floats")
        XCTAssertEqual(try error(.linear(), maps: [1, 2])?.kind, .wrongSize)
        XCTAssertEqual(try error(.absoluteError(), maps: good)?.kind, .badTerm)
        XCTAssertNil(try error(.absoluteError(), maps: nil))
        for bad in [.nan, .infinity, -.infinity] as [Float] {
            for index in [0, 64, 69, 139] {
                var maps = good
                maps[index] = bad
                let masked: [UInt8] = (0..<70).map { $0 == index % 70 ? 0 : 1 }
                for mask in [nil, masked] {
                    let error = try XCTUnwrap(error(.linear() + .dice(), maps: maps, mask: mask))
                    XCTAssertEqual(error.kind, .notFinite, error.message)
                    XCTAssertEqual(error.index, index, error.message)
                    XCTAssertTrue(error.message.contains("maps[\(index)]"), error.message)
                    XCTAssertEqual(try self.error(.linear(), activation, maps: maps, mask: mask)?.index, index)
                }
            }
        }
        for large in [0x1p19, -0x1p20] as [Float] {
            var maps = good
            maps[70] = large * 4
            XCTAssertEqual(try error(.linear(), maps: maps)?.kind, .outOfRange)
        }
    }

    /// Losses below zero are as exact as those above.
    func testSignOfMaps() throws {
        var evaluator = try Evaluator(.linear(divisor: .constant(1)), shape: shape, activation: .probabilities)
        let p = (0..<140).map { Float($0) / 140 }
        let maps = (0..<140).map { Float($0 % 9) * 1000 - 3000.25 }
        let labels = [UInt8](repeating: 0, count: 70)
        let value = try evaluator.evaluate(logits: p, labels: labels, maps: maps).value
        let opposite = try evaluator.evaluate(logits: p, labels: labels, maps: maps.map { -$0 }).value
        XCTAssertEqual(value, -opposite)
        let expected = zip(p, maps).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
        XCTAssertTrue(abs(value - expected) <= 1e-6 * 70 * 4000, "\(value), not \(expected)")
    }
}
