import SegLoss
import SegLossReference
import XCTest

/// A softmax over so many classes that a block's logits are read while the block before is computed has the
/// reference's bits, and refuses what other walks refuse.
final class SoftmaxWalkTests: XCTestCase {
    typealias Term = SegLossReference.Term

    /// Above and below where reading ahead begins.
    private static let classCounts = [47, 48, 105]

    private static let losses: [[Term]] = {
        let squared = Term(
            .dice(
                smoothNumerator: 1e-5, smoothDenominator: 1e-5, squared: true, scope: .sample,
                excludeBackground: false, classWeights: nil))
        let dice = Term(
            .dice(
                smoothNumerator: 1, smoothDenominator: 1, squared: false, scope: .batch, excludeBackground: false,
                classWeights: nil))
        let plain = Term(.crossEntropy(classWeights: nil, labelSmoothing: 0, divisor: .weight))
        let smooth = Term(.crossEntropy(classWeights: nil, labelSmoothing: 0.1, divisor: .valid), weight: 0.5)
        return [[dice], [squared], [plain], [dice, plain], [squared, plain], [smooth]]
    }()

    /// One block and several, whole ones and a rest.
    func testSameBits() {
        let seed = testSeed(230)
        var generator = Generator(seed: seed)
        for classes in Self.classCounts {
            for terms in Self.losses {
                for voxels in [64, 65, 128, 345] {
                    let problem = generator.problem(
                        .softmax, samples: 2, classes: classes, voxels: voxels, terms: terms,
                        ignoring: generator.random.chance(0.5))
                    check(problem, "\(classes) classes, \(voxels) voxels, \(terms), seed \(seed)")
                }
            }
        }
    }

    private func check(_ problem: Problem, _ message: String) {
        let expected = Reference.evaluate(problem)
        for set in InstructionSet.available {
            var configuration = Configuration()
            configuration.instructionSet = set
            assertSameBits(problem, configuration, expected, message)
            configuration.inPlace = true
            assertSameBits(problem, configuration, expected, message + ", in place")
            configuration.inPlace = false
            configuration.checks = .whileWriting
            configuration.write = .add
            assertSameBits(problem, configuration, expected, message + ", added")
        }
    }

    // MARK: What is refused

    /// Six blocks and a rest of 48 classes. Region terms take the largest logits in every block.
    func testRefusals() throws {
        let voxels = 6 * 64 + 10
        let labels = (0..<voxels).map { UInt8($0 / 100) }
        let losses: [(Loss, large: Float)] = [
            (.dice(), 3e38), (.crossEntropy(), 1e5), (.dice() + .crossEntropy(), 1e5),
        ]
        for (loss, large) in losses {
            for set in InstructionSet.available {
                var evaluator = try Evaluator(
                    loss, shape: .flat(samples: 1, classes: 48, voxels: voxels), activation: .softmax,
                    options: Options(instructionSet: set))
                for voxel in [0, 63, 64, 200, 320, 383, 384, 393] {
                    for channel in [0, 1, 46, 47] {
                        let at = channel * voxels + voxel
                        for bad in [Float.nan, .infinity, -.infinity] {
                            try check(at, bad, labels, &evaluator, isRefused: true)
                        }
                        try check(at, large, labels, &evaluator, isRefused: false)
                    }
                }
            }
        }
    }

    private func check(
        _ at: Int, _ logit: Float, _ labels: [UInt8], _ evaluator: inout Evaluator, isRefused: Bool
    ) throws {
        var logits = [Float](repeating: 0.5, count: 48 * labels.count)
        logits[at] = logit
        var gradient = [Float](repeating: 7, count: logits.count)
        do throws(LossError) {
            _ = try evaluator.evaluate(logits: logits, labels: labels, gradient: &gradient)
            XCTAssertFalse(isRefused, "\(logit) at \(at) passed")
        } catch {
            XCTAssertTrue(isRefused, "\(logit) at \(at): \(error.message)")
            XCTAssertEqual(error.kind, .notFinite, error.message)
            XCTAssertEqual(error.index, at, error.message)
            XCTAssertTrue(gradient.allSatisfy { $0 == 7 }, "a refused call wrote; \(logit) at \(at)")
        }
    }
}
