import SegLoss
import SegLossReference
import XCTest

/// Errors of the probability inside a softmax, where the random tests of the other files do not look.
final class SoftmaxErrorTests: XCTestCase {
    typealias Term = SegLossReference.Term

    private func compare(_ problem: Problem, _ message: String, line: UInt = #line) {
        let expected = Reference.evaluate(problem)
        XCTAssertTrue(expected.gradient.allSatisfy(\.isFinite), message, line: line)
        for set in InstructionSet.available {
            var configuration = Configuration()
            configuration.instructionSet = set
            assertSameBits(problem, configuration, expected, message, line: line)
        }
    }

    /// Every term at every class count with a kernel of its own, and many more; labels and dense targets.
    func testClassCounts() {
        let seed = testSeed(431)
        var generator = Generator(seed: seed)
        for classes in [2, 3, 4, 5, 8, 33, 512] {
            for kind in [
                Term.Kind.absoluteError(classWeights: nil, divisor: .weight),
                .smoothL1(beta: 0.3, classWeights: (0..<classes).map { 0.5 + Float($0 % 3) }, divisor: .valid),
                .squaredError(classWeights: nil, divisor: .all), .linear(classWeights: nil, divisor: .weight),
            ] {
                for subject in [Subject.blobs, .soft] {
                    let problem = generator.problem(
                        .softmax, samples: 1, classes: classes, voxels: 150, terms: [Term(kind)], subject: subject,
                        masked: true, weighted: subject == .soft)
                    var configuration = Configuration()
                    configuration.labels = [.uint16]
                    assertSameBits(problem, configuration, Reference.evaluate(problem), "\(classes), seed \(seed)")
                }
            }
        }
    }

    /// A confident voxel keeps the digits of its error: p - 1 is not 0 where the others have something.
    func testConfidentVoxels() {
        let gap: Float = 30
        let problem = Problem(
            samples: 1, classes: 2, voxels: 1, activation: .softmax,
            terms: [Term(.absoluteError(classWeights: nil, divisor: .constant(1)))], logits: [gap, 0],
            target: .labels([0]))
        let exact = Oracle.evaluate(problem)
        let ours = Reference.evaluate(problem)
        XCTAssertTrue(exact.value > 1e-13 && exact.value < 1e-12)
        for (a, b) in zip(ours.gradient, exact.gradient) {
            XCTAssertTrue(b != 0 && abs(Double(a) - b) <= 1e-6 * abs(b), "\(a), not \(b)")
        }
        compare(problem, "confident")
    }

    /// Maps so large, of classes so improbable, that their derivative is none of float's: it is held, never NaN.
    func testHugeMaps() {
        let maps: [Float] = [1, 2, -3e29, 0.5, 3e29, 3e29, -2, 0, -1]
        for weight in [1e10, -1e10, 1e20] {
            for terms in [
                [Term(.linear(classWeights: nil, divisor: .constant(1)), weight: weight)],
                [
                    Term(.linear(classWeights: [0.3, 1, 2], divisor: .constant(1)), weight: weight),
                    Term(.crossEntropy(classWeights: nil, labelSmoothing: 0, divisor: .weight)),
                    Term(
                        .dice(
                            smoothNumerator: 1, smoothDenominator: 1, squared: false, scope: .sample,
                            excludeBackground: false, classWeights: nil)),
                ],
            ] {
                var problem = Problem(
                    samples: 1, classes: 3, voxels: 3, activation: .softmax, terms: terms,
                    logits: [0, 1, -80, -1, -80, -82, 0.5, 0.5, 3], target: .labels([0, 1, 2]))
                problem.maps = maps
                compare(problem, "weight \(weight)")
            }
        }
    }

    /// What is infinite is refused before the gradient is written, also where the voxel weights are all 0.
    func testInfiniteLossesOfNoWeight() throws {
        let shape = Shape.flat(samples: 1, classes: 2, voxels: 70)
        var logits = [Float](repeating: 0, count: 140)
        let labels = [UInt8](repeating: 0, count: 70)
        let weights = [Float](repeating: 0, count: 70)
        var maps = [Float](repeating: 0, count: 140)
        (logits[3], logits[73]) = (-3e38, 3e38)
        (maps[5], maps[75]) = (3.4e38, 3.4e38)
        for loss in [Loss.crossEntropy(), .focal(), .linear(classWeights: [1.99, 1.99])] {
            var evaluator = try Evaluator(loss, shape: shape, activation: .softmax)
            let isLinear = loss == .linear(classWeights: [1.99, 1.99])
            var gradient = [Float](repeating: 7, count: 140)
            do throws(LossError) {
                _ = try evaluator.evaluate(
                    logits: isLinear ? [Float](repeating: 0, count: 140) : logits, labels: labels, weights: weights,
                    maps: isLinear ? maps : nil, gradient: &gradient)
                XCTFail("accepted: \(loss)")
            } catch {
                XCTAssertEqual(error.kind, .outOfRange, error.message)
            }
            XCTAssertTrue(gradient.allSatisfy { $0 == 7 }, "the gradient was touched")
        }
    }

    /// The multiclass Brier score by hand.
    func testBrierScore() throws {
        var evaluator = try Evaluator(
            .squaredError(divisor: .constant(2)), shape: .flat(samples: 1, classes: 3, voxels: 2), activation: .softmax)
        let logits: [Float] = [0, 0, 0, Float(2.0.squareRoot()), 0, 0]  // [classes][voxels]
        let value = try evaluator.evaluate(logits: logits, labels: [0, 1] as [UInt8]).value
        let e = [1, 1.0, 1], f = [1, exp(2.0.squareRoot()), 1]
        func score(_ e: [Double], _ label: Int) -> Double {
            let sum = e.reduce(0, +)
            return e.indices.map { (e[$0] / sum - ($0 == label ? 1 : 0)) * (e[$0] / sum - ($0 == label ? 1 : 0)) }
                .reduce(0, +)
        }
        XCTAssertTrue(abs(value - (score(e, 0) + score(f, 1)) / 2) <= 1e-6, "\(value)")
    }
}
