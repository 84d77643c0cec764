import SegLoss
import SegLossReference
import XCTest

/// What is refused of the terms that select, and that a refused call leaves the gradient alone.
final class SelectionBadInputTests: XCTestCase {
    private let shape = Shape.flat(samples: 1, classes: 2, voxels: 128)
    private static let activations: [Activation] = [.softmax, .sigmoid, .probabilities]

    private func refuse(
        _ kind: LossError.Kind, _ word: String, _ loss: Loss, _ activation: Activation = .softmax, index: Int = 0,
        line: UInt = #line
    ) {
        do throws(LossError) {
            _ = try Evaluator(loss, shape: shape, activation: activation)
            XCTFail("planned; expected \(kind)", line: line)
        } catch {
            XCTAssertEqual(error.kind, kind, error.message, line: line)
            XCTAssertEqual(error.index, index, error.message, line: line)
            XCTAssertTrue(error.message.contains(word), "'\(error.message)' lacks '\(word)'", line: line)
        }
    }

    func testOptions() throws {
        for percent in [0, -1, 100.0001, .nan, .infinity, -.infinity] {
            refuse(.badOption, "percent", .topK(percent: percent))
        }
        for weight in [-1, .nan, .infinity, 0x1p19] as [Float] {
            refuse(.badOption, "class_weights[1]", .topK(classWeights: [1, weight]))
            refuse(.badOption, "class_weights[1]", .onlineHardExampleMining(classWeights: [1, weight]))
        }
        for weigh in [{ Loss.topK(classWeights: $0) }, { .onlineHardExampleMining(classWeights: $0) }] {
            refuse(.badOption, "class_weights", weigh([0, 0]))
            refuse(.wrongSize, "class_weights", weigh([1]))
        }
        for smoothing in [-0.1, 1.1, .nan, .infinity] {
            refuse(.badOption, "label_smoothing", .topK(labelSmoothing: smoothing))
        }
        refuse(.badOption, "without a softmax", .topK(labelSmoothing: 0.1), .sigmoid)
        for threshold in [-0.1, 1.1, .nan, .infinity] {
            refuse(.badOption, "threshold", .onlineHardExampleMining(threshold: threshold))
        }
        for kept in [-1, .min] { refuse(.badOption, "minimum_kept", .onlineHardExampleMining(minimumKept: kept)) }
        refuse(.badOption, "both 0", .onlineHardExampleMining(threshold: 0, minimumKept: 0))
        for constant in [0, -1, .nan, .infinity] {
            refuse(.badOption, "divisor_value", .onlineHardExampleMining(divisor: .constant(constant)))
        }
        for fallback in [-1, .min] {
            refuse(
                .badOption, "fallback_negatives", .balancedBinaryCrossEntropy(fallbackNegatives: fallback), .sigmoid)
        }
        for ratio in [-1, .nan, .infinity] {
            refuse(.badOption, "negative_ratio", .balancedL1(negativeRatio: ratio), .sigmoid)
        }
        for minimum in [-1, .min] {
            refuse(.badOption, "minimum_negatives", .balancedL1(minimumNegatives: minimum), .sigmoid)
        }
        refuse(.badTerm, "sigmoid or probabilities", .balancedL1())
        // The maps would be two things at once.
        refuse(.badTerm, "linear", .balancedL1() + .linear(), .sigmoid)
        refuse(.badTerm, "linear", .linear() + .balancedL1(), .probabilities, index: 1)
        for scope in [Scope.samplePooled, .batchPooled] {
            refuse(.badOption, "scope", .balancedL1(scope: scope), .sigmoid)
            refuse(.badOption, "scope", .topK(scope: scope))
            refuse(.badOption, "scope", .onlineHardExampleMining(scope: scope))
        }
        for activation in Self.activations {
            for loss in [
                Loss.topK(percent: 100), .topK(percent: 1e-300, classWeights: [0, 3], ignored: .excluded),
                .onlineHardExampleMining(threshold: 1, minimumKept: .max), .onlineHardExampleMining(threshold: 1e-320),
            ] {
                _ = try Evaluator(loss, shape: shape, activation: activation)
            }
        }
    }

    /// One term that selects.
    func testSecond() {
        let selecting = [Loss.topK(), .onlineHardExampleMining(), .balancedBinaryCrossEntropy(), .balancedL1()]
        for first in selecting {
            for second in selecting { refuse(.badTerm, "second", first + .dice() + second, .sigmoid, index: 2) }
        }
    }

    func testTooManyValues() {
        for (loss, activation) in [(Loss.topK(), Activation.softmax), (.onlineHardExampleMining(), .sigmoid)] {
            do throws(LossError) {
                _ = try Evaluator(
                    loss, shape: .flat(samples: 1, classes: 2, voxels: 1 << 32), activation: activation)
                XCTFail("planned")
            } catch {
                XCTAssertEqual(error.kind, .badShape, error.message)
                XCTAssertTrue(error.message.contains("4294967295"), error.message)
            }
        }
    }

    /// The error of a call, whose gradient must stay as it was.
    private func error(
        _ loss: Loss, _ activation: Activation, line: UInt = #line,
        _ change: (_ logits: inout [Float], _ labels: inout [UInt8], _ weights: inout [Float]?) -> Void
    ) throws -> LossError? {
        var evaluator = try Evaluator(loss, shape: shape, activation: activation)
        var logits = (0..<256).map { Float($0 % 17) / 17 }
        var labels = [UInt8](repeating: 1, count: 128)
        var weights: [Float]?
        change(&logits, &labels, &weights)
        var gradient = [Float](repeating: 7, count: 256)
        do throws(LossError) {
            _ = try evaluator.evaluate(logits: logits, labels: labels, weights: weights, gradient: &gradient)
            return nil
        } catch {
            XCTAssertTrue(gradient.allSatisfy { $0 == 7 }, "the gradient was touched", line: line)
            return error
        }
    }

    func testValues() throws {
        let losses: [Loss] = [
            .topK(), .topK(scope: .sample), .onlineHardExampleMining(), .onlineHardExampleMining(minimumKept: 3),
            .onlineHardExampleMining(minimumKept: 3, classWeights: [2, 1]),
            .dice() + .topK(),
        ]
        for loss in losses {
            for activation in Self.activations {
                XCTAssertNil(try error(loss, activation) { _, _, _ in })
                for bad in [Float.nan, .infinity, -.infinity] {
                    let found = try XCTUnwrap(error(loss, activation) { logits, _, _ in logits[77] = bad })
                    let kind: LossError.Kind = activation == .probabilities ? .badProbability : .notFinite
                    XCTAssertEqual(found.kind, kind, found.message)
                    XCTAssertEqual(found.index, 77)
                }
                let label = try XCTUnwrap(error(loss, activation) { _, labels, _ in labels[100] = 2 })
                XCTAssertEqual(label.kind, .badLabel)
                XCTAssertEqual(label.index, 100)
            }
            // A loss beyond the range is refused whether it would be taken or not: all are ranked.
            for activation in [Activation.softmax, .sigmoid] {
                let found = try XCTUnwrap(error(loss, activation) { logits, _, _ in logits[70] = 0x1p20 })
                XCTAssertEqual(found.kind, .outOfRange, found.message)
            }
        }
        // So is one that only its class weight takes there, though the ranking leaves that out.
        for scope in [Scope.sample, .batch] {
            let weighted = Loss.onlineHardExampleMining(classWeights: [1, 3], scope: scope)
            for activation in [Activation.softmax, .sigmoid] {
                XCTAssertNil(try error(.onlineHardExampleMining(), activation) { x, _, _ in x[198] = -0x1.cp18 })
                let found = try XCTUnwrap(error(weighted, activation) { x, _, _ in x[198] = -0x1.cp18 })
                XCTAssertEqual(found.kind, .outOfRange, found.message)
            }
        }
    }

    func testWeights() throws {
        let ones = [Float](repeating: 1, count: 128)
        for activation in Self.activations {
            XCTAssertNil(try error(.topK(), activation) { _, _, weights in weights = ones })
            let mining = try XCTUnwrap(
                error(.dice() + .onlineHardExampleMining(), activation) { _, _, weights in weights = ones })
            XCTAssertEqual(mining.kind, .badTerm)
            XCTAssertEqual(mining.index, 1)
            for bad in [-1, .nan, .infinity] as [Float] {
                let found = try XCTUnwrap(
                    error(.topK(), activation) { _, _, weights in
                        weights = ones
                        weights![99] = bad
                    })
                XCTAssertEqual(found.kind, .badWeight, found.message)
                XCTAssertEqual(found.index, 99)
            }
        }
    }

    /// The maps that say what is positive, and the weights that are refused.
    func testMaps() throws {
        var evaluator = try Evaluator(.dice() + .balancedL1(), shape: shape, activation: .probabilities)
        let p = [Float](repeating: 0.25, count: 256), targets = p
        let weights = [Float](repeating: 1, count: 128)
        var gradient = [Float](repeating: 7, count: 256)
        func found(_ maps: [Float]?, _ weights: [Float]? = nil) -> LossError? {
            do throws(LossError) {
                _ = try evaluator.evaluate(
                    logits: p, targets: targets, weights: weights, maps: maps, gradient: &gradient)
                return nil
            } catch {
                return error
            }
        }
        let good = [Float](repeating: 1, count: 256)
        XCTAssertEqual(found(nil)?.kind, .nullPointer)
        XCTAssertEqual(
            found(nil)?.message,
            "maps are missing: a balanced L1 takes the map of its positives: expected 256 floats")
        XCTAssertEqual(found([1, 2])?.kind, .wrongSize)
        XCTAssertEqual(found(good, weights)?.kind, .badTerm)
        for bad in [Float.nan, .infinity, -.infinity] {
            var maps = good
            maps[200] = bad
            let error = try XCTUnwrap(found(maps))
            XCTAssertEqual(error.kind, .notFinite, error.message)
            XCTAssertEqual(error.index, 200)
        }
        XCTAssertTrue(gradient.allSatisfy { $0 == 7 })
        XCTAssertNil(found(good))
    }

    /// Parts are whole samples.
    func testParts() throws {
        for loss in [Loss.topK(), .onlineHardExampleMining(scope: .sample)] {
            var evaluator = try Evaluator(loss, shape: shape, activation: .softmax)
            var totals = evaluator.makeTotals()
            let logits = [Float](repeating: 0, count: 128)
            let labels = [UInt8](repeating: 0, count: 64)
            do throws(LossError) {
                try evaluator.accumulate(
                    logits: logits.span, labels: labels.span, part: Part(voxels: 0..<64), into: &totals)
                XCTFail("accumulated")
            } catch {
                XCTAssertEqual(error.kind, .badPart, error.message)
                XCTAssertTrue(error.message.contains("whole samples"), error.message)
            }
        }
    }
}
