import SegLoss
import SegLossReference
import XCTest

/// What is refused of the terms of a softmax and of its dense targets, and that a refused call leaves the gradient
/// alone.
final class SoftmaxBadInputTests: XCTestCase {
    private let shape = Shape.flat(samples: 2, classes: 3, voxels: 70)

    private func refuse(
        _ kind: LossError.Kind, _ word: String, _ loss: Loss, _ activation: Activation = .softmax, line: UInt = #line
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

    func testExponents() throws {
        for bad in [-1, -0.5, .nan, .infinity, 1e39] { refuse(.badOption, "exponent", .crossEntropy(exponent: bad)) }
        refuse(.badOption, "label_smoothing", .crossEntropy(labelSmoothing: 0.1, exponent: 0.5))
        for good in [0, 1] as [Double] {
            _ = try Evaluator(
                .crossEntropy(labelSmoothing: 0.1, exponent: good), shape: shape, activation: .softmax)
        }
    }

    func testFocalOptions() throws {
        for bad in [-1, .nan, .infinity] as [Float] {
            refuse(.badOption, "class_weights[1]", .focal(classWeights: [1, bad, 1]))
            refuse(.badOption, "class_gammas[1]", .focal(classGammas: [1, bad, 1]))
        }
        for perChannel in [false, true] {
            refuse(.wrongSize, "class_weights", .focal(classWeights: [1], perChannel: perChannel))
            refuse(.badOption, "class_weights", .focal(classWeights: [0, 0, 0], perChannel: perChannel))
        }
        refuse(.wrongSize, "class_gammas", .focal(classGammas: [1, 2, 3, 4]))
        refuse(.wrongSize, "class_gammas", .focal(classGammas: []))
        refuse(.badTerm, "class_gammas", .focal(classGammas: [1, 2, 3], perChannel: true))
        refuse(.badOption, "gamma", .focal(gamma: -1))
        refuse(.badOption, "alpha", .focal(alpha: 1.5))
        for activation in [Activation.sigmoid, .probabilities] {
            refuse(.badTerm, "class_gammas", .focal(classGammas: [1, 1, 1]), activation)
            _ = try Evaluator(.focal(perChannel: true), shape: shape, activation: activation)
        }
        refuse(.badTerm, "sigmoid", .binaryCrossEntropy())
        _ = try Evaluator(.binaryCrossEntropy(perChannel: true), shape: shape, activation: .softmax)
    }

    // MARK: Dense targets

    /// The error of a call with distributions of which one value is changed; the gradient must stay as it was.
    private func error<Target: DenseTarget>(
        _ loss: Loss, _ targets: [Target], mask: [UInt8]? = nil, checks: Checks = .beforeWriting, line: UInt = #line
    ) throws -> LossError? {
        var evaluator = try Evaluator(loss, shape: shape, activation: .softmax, options: Options(checks: checks))
        let logits = (0..<420).map { Float($0 % 7) / 7 }
        var gradient = [Float](repeating: 7, count: 420)
        do throws(LossError) {
            _ = try evaluator.evaluate(logits: logits, targets: targets, mask: mask, gradient: &gradient)
            return nil
        } catch {
            if checks == .beforeWriting {
                XCTAssertTrue(gradient.allSatisfy { $0 == 7 }, "the gradient was touched", line: line)
            }
            return error
        }
    }

    private let pointwise: [Loss] = [.crossEntropy(), .focal(), .crossEntropy() + .dice()]
    private let others: [Loss] = [.dice(), .dice() + .focal(perChannel: true), .binaryCrossEntropy(perChannel: true)]

    func testDistributions() throws {
        let good = [Float](repeating: 0.25, count: 70) + [Float](repeating: 0.5, count: 70)
            + [Float](repeating: 0.25, count: 70)
        for loss in pointwise + others { XCTAssertNil(try error(loss, good + good)) }
        for index in [0, 63, 64, 69, 75, 209, 210, 419] {
            var targets = good + good
            targets[index] += 0.0009
            for loss in pointwise { XCTAssertNil(try error(loss, targets)) }
            targets[index] += 0.0003
            let first = index / 210 * 210 + index % 70
            let mask = (0..<140).map { $0 == index / 210 * 70 + index % 70 ? UInt8(0) : 1 }
            for loss in pointwise {
                for checks in [Checks.beforeWriting, .whileWriting] {
                    let refusal = try XCTUnwrap(error(loss, targets, checks: checks))
                    XCTAssertEqual(refusal.kind, .badTarget, refusal.message)
                    XCTAssertEqual(refusal.index, first, refusal.message)
                    XCTAssertTrue(refusal.message.contains("targets[\(first)]"), refusal.message)
                    XCTAssertTrue(refusal.message.contains("expected 1"), refusal.message)
                }
                XCTAssertNil(try error(loss, targets, mask: mask))
            }
            for loss in others { XCTAssertNil(try error(loss, targets)) }
            for bad in [-0.25, 1.25, .nan, .infinity] as [Float] {
                targets[index] = bad
                for loss in pointwise + others {
                    let refusal = try XCTUnwrap(error(loss, targets))
                    XCTAssertEqual(refusal.kind, .badTarget, refusal.message)
                    XCTAssertEqual(refusal.index, index, refusal.message)
                    XCTAssertNil(try error(loss, targets, mask: mask))
                }
            }
        }
    }

    func testOneHot() throws {
        let good = (0..<420).map { UInt8(($0 / 70) % 3 == 1 ? 1 : 0) }
        for loss in pointwise + others { XCTAssertNil(try error(loss, good)) }
        for index in [0, 69, 70, 419] {
            var targets = good
            targets[index] = 1 - targets[index]
            let first = index / 210 * 210 + index % 70
            for loss in pointwise { XCTAssertEqual(try error(loss, targets)?.index, first) }
            for loss in others { XCTAssertNil(try error(loss, targets)) }
            targets[index] = 2
            for loss in pointwise + others {
                let refusal = try XCTUnwrap(error(loss, targets))
                XCTAssertEqual(refusal.kind, .badTarget, refusal.message)
                XCTAssertEqual(refusal.index, index, refusal.message)
                // There is no ignore_index to be set.
                XCTAssertTrue(refusal.message.contains("targets[\(index)] is 2: expected 0 or 1"), refusal.message)
                XCTAssertFalse(refusal.message.contains("ignore_index"), refusal.message)
            }
        }
    }

    /// One-hot floats, one-hot bytes and labels are the same targets: the same value, and the same gradient but for the
    /// rounding of a sum in place of a choice.
    func testOneHotIsTheLabel() throws {
        let labels = (0..<140).map { UInt8($0 * 5 % 3) }
        var bytes = [UInt8](repeating: 0, count: 420)
        for (at, label) in labels.enumerated() { bytes[at / 70 * 210 + Int(label) * 70 + at % 70] = 1 }
        let logits = (0..<420).map { Float(($0 * 37) % 101) / 10 - 5 }
        let loss: Loss = .crossEntropy(classWeights: [1, 2, 0.5]) + .dice(denominator: .squared)
            + .focal(gamma: 1.5, perChannel: true)
        var evaluator = try Evaluator(loss, shape: shape, activation: .softmax)
        var gradients = [[Float]](repeating: [Float](repeating: 0, count: 420), count: 3)
        let values = [
            try evaluator.evaluate(logits: logits, labels: labels, gradient: &gradients[0]).value,
            try evaluator.evaluate(logits: logits, targets: bytes, gradient: &gradients[1]).value,
            try evaluator.evaluate(logits: logits, targets: bytes.map(Float.init), gradient: &gradients[2]).value,
        ]
        XCTAssertEqual(values[0], values[1])
        XCTAssertEqual(values[0], values[2])
        XCTAssertEqual(gradients[1], gradients[2])
        let largest = gradients[0].map(abs).max()!
        for (a, b) in zip(gradients[0], gradients[1]) { XCTAssertTrue(abs(a - b) <= 1e-6 * largest, "\(a), \(b)") }
    }
}
