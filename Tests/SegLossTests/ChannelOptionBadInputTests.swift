import SegLoss
import XCTest

/// What is refused of the options that losses of single channels have.
final class ChannelOptionBadInputTests: XCTestCase {
    private let shape = Shape.flat(samples: 1, classes: 2, voxels: 70)

    private func refuse(
        _ kind: LossError.Kind, _ word: String, _ loss: Loss, _ activation: Activation = .sigmoid, line: UInt = #line
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

    private func accept(_ loss: Loss, _ activation: Activation = .sigmoid) throws {
        _ = try Evaluator(loss, shape: shape, activation: activation)
    }

    func testArrays() throws {
        for count in [0, 1, 3] {
            let values = [Float](repeating: 0.5, count: count)
            refuse(.wrongSize, "class_alphas has \(count)", .focal(classAlphas: values))
            refuse(.wrongSize, "positive_weights has \(count)", .focal(positiveWeights: values))
        }
        for bad in [-0.1, 1.5, .nan, .infinity] as [Float] {
            refuse(.badOption, "class_alphas[1]", .focal(classAlphas: [0, bad]))
        }
        for bad in [-1, .nan, .infinity, 0x1p19] as [Float] {
            refuse(.badOption, "positive_weights[1]", .focal(positiveWeights: [1, bad]))
        }
        try accept(.focal(classAlphas: [0, 1], positiveWeights: [0, 0]))
        try accept(.focal(classAlphas: [0, 1], positiveWeights: [3, 0.5], perChannel: true), .softmax)
    }

    func testReducedThreshold() throws {
        for bad in [-0.5, 1e-3, 1.5, .nan, .infinity] {
            refuse(.badOption, "reduced_threshold", .focal(reducedThreshold: bad))
        }
        refuse(.badOption, "2^19", .focal(gamma: 20, reducedThreshold: 0.5))
        try accept(.focal(gamma: 19, reducedThreshold: 0.5))
        try accept(.focal(gamma: 1e30, reducedThreshold: 1))
    }

    func testLogOffset() throws {
        for bad in [-1e-10, 1e-31, 2, .nan, .infinity] {
            refuse(.badOption, "log_offset", .binaryCrossEntropy(logOffset: bad), .probabilities)
            refuse(.badOption, "log_offset", .focal(logOffset: bad), .probabilities)
        }
        for activation in [Activation.sigmoid, .softmax] {
            refuse(.badTerm, "log_offset", .binaryCrossEntropy(logOffset: 1e-10, perChannel: true), activation)
            refuse(.badTerm, "log_offset", .focal(logOffset: 1e-10, perChannel: true), activation)
        }
        try accept(.binaryCrossEntropy(logOffset: 1), .probabilities)
        try accept(.focal(logOffset: 1e-30), .probabilities)
    }

    func testCombinations() {
        refuse(.badOption, "label_smoothing", .binaryCrossEntropy(labelSmoothing: 0.1, positivesOnly: true))
        refuse(.badOption, "positives_only", .focal(modulation: .logit, positivesOnly: true))
        refuse(.badTerm, "modulation", .focal(modulation: .logit), .probabilities)
        refuse(
            .badTerm, "voxel weights of the positives", .binaryCrossEntropy(voxelWeights: .positives, perChannel: true),
            .softmax)
    }

    /// The classes of a softmax have none of them.
    func testSoftmax() {
        refuse(.badTerm, "class_alphas", .focal(classAlphas: [0.5, 0.5]), .softmax)
        refuse(.badTerm, "alpha_form", .focal(alphaForm: .positives), .softmax)
        refuse(.badTerm, "positive_weights", .focal(positiveWeights: [1, 2]), .softmax)
        refuse(.badTerm, "reduced_threshold", .focal(reducedThreshold: 0.5), .softmax)
        refuse(.badTerm, "modulation", .focal(modulation: .logit), .softmax)
        refuse(.badTerm, "positives_only", .focal(positivesOnly: true), .softmax)
        refuse(.badTerm, "log_offset", .focal(logOffset: 1e-10), .softmax)
        refuse(.badTerm, "focal loss star", .focalStar(), .softmax)
        refuse(.badTerm, "focal loss star", .focalStar(), .probabilities)
    }

    func testDivisors() throws {
        for loss in [Loss.crossEntropy(divisor: .target), .focal(divisor: .target), .focal(divisor: .factors())] {
            refuse(.badOption, "divisor", loss, .softmax)
        }
        refuse(.badOption, "divisor", .focal(perChannel: true, divisor: .factors()), .softmax)
        for loss in [
            Loss.binaryCrossEntropy(divisor: .factors()), .absoluteError(divisor: .factors()),
            .smoothL1(divisor: .factors()), .linear(divisor: .factors()), .focalStar(divisor: .factors()),
        ] {
            refuse(.badOption, "divisor", loss)
        }
        for bad in [-1, .nan, .infinity] {
            refuse(.badOption, "divisor_value", .focal(divisor: .factors(least: bad)))
        }
        try accept(.focal(perChannel: true, divisor: .target), .softmax)
        try accept(.focal(divisor: .factors(least: 0)))
    }

    func testFocalStar() throws {
        for bad in [0, -1, 0x1p20, 0x1p-20, .nan, .infinity] {
            refuse(.badOption, "gamma", .focalStar(gamma: bad))
        }
        for bad in [0x1p20, -0x1p20, .nan, .infinity] { refuse(.badOption, "shift", .focalStar(shift: bad)) }
        for bad in [-0.1, 1.1, .nan] { refuse(.badOption, "alpha", .focalStar(alpha: bad)) }
        for count in [0, 1, 3] {
            refuse(.wrongSize, "class_weights", .focalStar(classWeights: [Float](repeating: 1, count: count)))
        }
        refuse(.badOption, "class_weights", .focalStar(classWeights: [0, 0]))
        refuse(.badOption, "divisor_value", .focalStar(divisor: .constant(0)))
        try accept(.focalStar(gamma: 0x1p19, shift: -0x1p19, alpha: 1, classWeights: [0, 2]))
    }

    /// Logits whose loss cannot be summed are refused before anything is written, also where a small gamma or large
    /// weights make the loss of a moderate logit large.
    func testLossesBeyondTheRange() throws {
        let small = Shape.flat(samples: 1, classes: 1, voxels: 70)
        let cases: [(Loss, Float)] = [
            (.focalStar(gamma: 0x1p-19, shift: -4), 0), (.focalStar(gamma: 2), -0x1p20),
            (.focal(gamma: 0, alpha: nil, positiveWeights: [0x1p18]), -10),
            (.binaryCrossEntropy(positiveWeights: [0x1p18], positivesOnly: true), -10),
        ]
        for (loss, logit) in cases {
            var evaluator = try Evaluator(loss, shape: small, activation: .sigmoid)
            var gradient = [Float](repeating: 7, count: 70)
            do throws(LossError) {
                _ = try evaluator.evaluate(
                    logits: [Float](repeating: logit, count: 70), labels: [UInt8](repeating: 1, count: 70),
                    gradient: &gradient)
                XCTFail("evaluated")
            } catch {
                XCTAssertEqual(error.kind, .outOfRange, error.message)
            }
            XCTAssertTrue(gradient.allSatisfy { $0 == 7 })
        }
    }
}
