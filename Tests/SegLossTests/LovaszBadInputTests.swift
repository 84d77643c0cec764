import SegLoss
import SegLossReference
import XCTest

/// What is refused of Lovász terms, and that a refused call leaves the gradient alone.
final class LovaszBadInputTests: XCTestCase {
    private let shape = Shape.flat(samples: 2, classes: 2, voxels: 128)
    private static let activations: [Activation] = [.softmax, .sigmoid, .probabilities]

    private func refuse(
        _ kind: LossError.Kind, _ word: String, _ loss: Loss, _ activation: Activation = .softmax, index: Int = 0,
        shape other: Shape? = nil, line: UInt = #line
    ) {
        do throws(LossError) {
            _ = try Evaluator(loss, shape: other ?? shape, activation: activation)
            XCTFail("planned; expected \(kind)", line: line)
        } catch {
            XCTAssertEqual(error.kind, kind, error.message, line: line)
            XCTAssertEqual(error.index, index, error.message, line: line)
            XCTAssertTrue(error.message.contains(word), "'\(error.message)' lacks '\(word)'", line: line)
        }
    }

    func testOptions() throws {
        for weight in [-1, .nan, .infinity, 0x1p19] as [Float] {
            refuse(.badOption, "class_weights[1]", .lovaszSoftmax(classWeights: [1, weight]))
            refuse(.badOption, "class_weights[1]", .lovaszHinge(classWeights: [1, weight]), .sigmoid)
        }
        refuse(.badOption, "class_weights is 0", .lovaszSoftmax(classWeights: [0, 0]))
        refuse(.badOption, "class_weights is 0", .lovaszSoftmax(classes: .foreground, classWeights: [1, 0]))
        refuse(.wrongSize, "class_weights", .lovaszSoftmax(classWeights: [1]))
        for scope in [Scope.samplePooled, .batchPooled] {
            refuse(.badOption, "pooled", .lovaszHinge(scope: scope, classWeights: [1, 1]), .sigmoid)
        }
        for named in [[-1], [2], [0, 1, 512]] { refuse(.badOption, "class", .lovaszSoftmax(classes: .only(named))) }
        refuse(.badOption, "empty", .lovaszHinge(classes: .only([])), .sigmoid)
        refuse(
            .badOption, "leaves no class", .lovaszHinge(classes: .foreground), .sigmoid,
            shape: .flat(samples: 1, classes: 1, voxels: 9))
        for activation in [Activation.softmax, .probabilities] {
            refuse(.badTerm, "sigmoid", .dice() + .lovaszHinge(), activation, index: 1)
        }
        for weight in [Double.nan, .infinity] { refuse(.badOption, "weight", weight * .lovaszSoftmax()) }
    }

    func testNeighbors() throws {
        refuse(.badTerm, "second", .lovaszHinge() + .dice() + .lovaszSoftmax(), .sigmoid, index: 2)
        let weighted = Loss.region(Region(.dice, voxelWeights: .inSums))
        refuse(.badTerm, "weighted", .lovaszSoftmax() + weighted)
        refuse(.badTerm, "weighted", weighted + .lovaszSoftmax(), index: 1)
        // Of channels the two are apart.
        _ = try Evaluator(weighted + .lovaszSoftmax(), shape: shape, activation: .sigmoid)
        for activation in Self.activations {
            _ = try Evaluator(.topK() + .lovaszSoftmax() + .dice(), shape: shape, activation: activation)
        }
    }

    func testTooManyValues() {
        let large = Shape.flat(samples: 2, classes: 2, voxels: 1 << 30)
        for loss in [Loss.lovaszSoftmax(scope: .batch), .lovaszSoftmax(scope: .samplePooled)] {
            refuse(.badShape, "2147483520", loss, shape: large)
        }
    }

    /// The error of a call, whose gradient must stay as it was.
    private func error(
        _ loss: Loss, _ activation: Activation, line: UInt = #line,
        _ change: (_ logits: inout [Float], _ labels: inout [UInt8], _ weights: inout [Float]?) -> Void
    ) throws -> LossError? {
        var evaluator = try Evaluator(loss, shape: shape, activation: activation)
        var logits = (0..<512).map { Float($0 % 17) / 17 }
        var labels = [UInt8](repeating: 1, count: 256)
        var weights: [Float]?
        change(&logits, &labels, &weights)
        var gradient = [Float](repeating: 7, count: 512)
        do throws(LossError) {
            _ = try evaluator.evaluate(logits: logits, labels: labels, weights: weights, gradient: &gradient)
            return nil
        } catch {
            XCTAssertTrue(gradient.allSatisfy { $0 == 7 }, "the gradient was touched", line: line)
            return error
        }
    }

    func testValues() throws {
        for activation in Self.activations {
            var losses: [Loss] = [.lovaszSoftmax(), .lovaszSoftmax(scope: .sample), .dice() + .lovaszSoftmax()]
            if activation == .sigmoid { losses += [.lovaszHinge(), .lovaszHinge(scope: .batchPooled)] }
            for loss in losses {
                XCTAssertNil(try error(loss, activation) { _, _, _ in })
                for bad in [Float.nan, .infinity, -.infinity] {
                    let found = try XCTUnwrap(error(loss, activation) { logits, _, _ in logits[477] = bad })
                    XCTAssertEqual(found.kind, activation == .probabilities ? .badProbability : .notFinite)
                    XCTAssertEqual(found.index, 477)
                }
                let label = try XCTUnwrap(error(loss, activation) { _, labels, _ in labels[200] = 2 })
                XCTAssertEqual(label.kind, .badLabel)
                XCTAssertEqual(label.index, 200)
                for bad in [-1, .nan, .infinity] as [Float] {
                    let found = try XCTUnwrap(
                        error(loss, activation) { _, _, weights in
                            weights = [Float](repeating: 1, count: 256)
                            weights![99] = bad
                        })
                    XCTAssertEqual(found.kind, .badWeight, found.message)
                    XCTAssertEqual(found.index, 99)
                }
            }
        }
    }

    /// Targets between 0 and 1 have no foreground.
    func testSoftTargets() throws {
        for activation in Self.activations {
            for loss in [Loss.lovaszSoftmax(), .lovaszSoftmax() + .dice()] {
                var evaluator = try Evaluator(loss, shape: shape, activation: activation)
                let logits = [Float](repeating: 0.25, count: 512)
                var gradient = [Float](repeating: 7, count: 512)
                for bad in [0.5, -1, 2, .nan] as [Float] {
                    var targets = [Float](repeating: 0, count: 512)
                    targets[300] = bad
                    do throws(LossError) {
                        _ = try evaluator.evaluate(logits: logits, targets: targets, gradient: &gradient)
                        XCTFail("evaluated")
                    } catch {
                        XCTAssertEqual(error.kind, .badTarget, error.message)
                        XCTAssertEqual(error.index, 300)
                        if bad == 0.5 { XCTAssertTrue(error.message.contains("0 or 1"), error.message) }
                    }
                }
                XCTAssertTrue(gradient.allSatisfy { $0 == 7 })
                let ones = [Float](repeating: 1, count: 512)
                _ = try evaluator.evaluate(logits: logits, targets: ones, gradient: &gradient)
            }
        }
    }

    /// Parts are whole samples, or the whole batch.
    func testParts() throws {
        func error(_ loss: Loss, _ part: Part, _ voxels: Int) throws -> LossError? {
            var evaluator = try Evaluator(loss, shape: shape, activation: .softmax)
            var totals = evaluator.makeTotals()
            let logits = [Float](repeating: 0, count: 2 * voxels)
            let labels = [UInt8](repeating: 0, count: voxels)
            do throws(LossError) {
                try evaluator.accumulate(logits: logits.span, labels: labels.span, part: part, into: &totals)
                return nil
            } catch {
                return error
            }
        }
        for scope in [Scope.sample, .batch] {
            let found = try XCTUnwrap(error(.lovaszSoftmax(scope: scope), Part(voxels: 0..<64), 128))
            XCTAssertEqual(found.kind, .badPart)
            XCTAssertTrue(found.message.contains("whole samples"), found.message)
        }
        for scope in [Scope.batch, .batchPooled] {
            let found = try XCTUnwrap(error(.lovaszSoftmax(scope: scope), Part(samples: 0..<1), 128))
            XCTAssertEqual(found.kind, .badPart)
            XCTAssertTrue(found.message.contains("whole batch"), found.message)
        }
        XCTAssertNil(try error(.lovaszSoftmax(scope: .sample), Part(samples: 1..<2), 128))
        XCTAssertNil(try error(.lovaszSoftmax(scope: .batch), .whole, 256))
    }

    /// A map has no room for what is no loss of a single voxel.
    func testLossMap() throws {
        var evaluator = try Evaluator(.crossEntropy() + .lovaszSoftmax(), shape: shape, activation: .softmax)
        var map = [Float](repeating: 7, count: 256)
        let logits = [Float](repeating: 0, count: 512)
        let labels = [UInt8](repeating: 0, count: 256)
        do throws(LossError) {
            _ = try evaluator.lossMap(logits: logits, labels: labels, term: 1)
            XCTFail("mapped")
        } catch {
            XCTAssertEqual(error.kind, .badTerm, error.message)
        }
        map = try evaluator.lossMap(logits: logits, labels: labels)
        XCTAssertTrue(map.allSatisfy { abs($0 - 0.6931472) <= 1e-6 })
    }
}
