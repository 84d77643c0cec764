import SegLoss
import XCTest

/// What is refused of the options that binary cross entropy and focal loss have for each channel.
final class ChannelBadInputTests: XCTestCase {
    private let shape = Shape.flat(samples: 1, classes: 2, voxels: 70)

    private func refuse(_ kind: LossError.Kind, _ word: String, _ loss: Loss, line: UInt = #line) {
        do throws(LossError) {
            _ = try Evaluator(loss, shape: shape, activation: .sigmoid)
            XCTFail("planned; expected \(kind)", line: line)
        } catch {
            XCTAssertEqual(error.kind, kind, error.message, line: line)
            XCTAssertEqual(error.index, 0, error.message, line: line)
            XCTAssertTrue(error.message.contains(word), "'\(error.message)' lacks '\(word)'", line: line)
        }
    }

    func testClassWeights() throws {
        // With positive weights before them in the same memory, and without.
        let makers: [([Float]) -> Loss] = [
            { .binaryCrossEntropy(classWeights: $0) },
            { .binaryCrossEntropy(positiveWeights: [3, 0], classWeights: $0) },
            { .focal(classWeights: $0) },
        ]
        for make in makers {
            for count in [0, 1, 3] {
                refuse(.wrongSize, "class_weights has \(count)", make([Float](repeating: 1, count: count)))
            }
            for bad in [-1, .nan, .infinity, 0x1p19] as [Float] {
                refuse(.badOption, "class_weights[1]", make([1, bad]))
            }
            refuse(.badOption, "class_weights", make([0, 0]))
            _ = try Evaluator(make([0, 2]), shape: shape, activation: .sigmoid)
        }
    }

    func testLabelSmoothing() throws {
        for bad in [-0.1, 1.1, .nan, .infinity] {
            refuse(.badOption, "label_smoothing", .binaryCrossEntropy(labelSmoothing: bad))
        }
        for good in [0, 0.5, 1.0] {
            _ = try Evaluator(.binaryCrossEntropy(labelSmoothing: good), shape: shape, activation: .sigmoid)
        }
    }

    /// A channel without weight counts in nothing: the loss is that of the others alone.
    func testAChannelLeftOut() throws {
        let logits = (0..<140).map { Float($0 % 11) / 3 - 1.5 }
        let targets = (0..<140).map { UInt8($0 % 2) }
        let makers: [([Float]?) -> Loss] = [
            { .binaryCrossEntropy(classWeights: $0) }, { .focal(classWeights: $0) },
        ]
        for make in makers {
            var both = try Evaluator(make([0, 2]), shape: shape, activation: .sigmoid)
            var one = try Evaluator(
                make(nil), shape: .flat(samples: 1, classes: 1, voxels: 70), activation: .sigmoid)
            var gradient = [Float](repeating: .nan, count: 140)
            var second = [Float](repeating: .nan, count: 70)
            let left = try both.evaluate(logits: logits, targets: targets, gradient: &gradient)
            let right = try one.evaluate(
                logits: Array(logits[70...]), targets: Array(targets[70...]), gradient: &second)
            XCTAssertEqual(left.value, right.value)
            XCTAssertEqual(left.terms[0].perClass, [0, right.value])
            XCTAssertEqual(Array(gradient[70...]), second)
            XCTAssertTrue(gradient[..<70].allSatisfy { $0 == 0 })
        }
    }
}
