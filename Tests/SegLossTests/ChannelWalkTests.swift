import SegLoss
import SegLossReference
import XCTest

/// The walks that common losses have over targets of 0 or 1: each with every type of label, with and without what a
/// call may bring along, has the reference's bits, and refuses what the general walk refuses.
final class ChannelWalkTests: XCTestCase {
    private typealias Kind = SegLossReference.Term.Kind
    private typealias ReferenceTerm = SegLossReference.Term

    private func losses(_ classes: Int) -> [[Kind]] {
        let weights = (0..<classes).map { Float($0) + 0.5 }
        let dice = Kind.dice(
            smoothNumerator: 1, smoothDenominator: 1, squared: false, scope: .sample, excludeBackground: false,
            classWeights: nil)
        let squaredDice = Kind.dice(
            smoothNumerator: 0, smoothDenominator: 1e-5, squared: true, scope: .batch, excludeBackground: false,
            classWeights: nil)
        let weighted = Kind.binaryCrossEntropy(positiveWeights: weights, divisor: .weight)
        let focal = Kind.focal(gamma: 2, alpha: 0.25, divisor: .all)
        return [
            [.binaryCrossEntropy(positiveWeights: nil, divisor: .weight)], [weighted], [focal], [dice], [squaredDice],
            [.binaryCrossEntropy(positiveWeights: weights, classWeights: weights, labelSmoothing: 0.1, divisor: .valid)],
            [.binaryCrossEntropy(positiveWeights: nil, labelSmoothing: 1, divisor: .all)],
            [.focal(gamma: 2, alpha: nil, classWeights: weights, divisor: .weight)],
            [dice, .binaryCrossEntropy(positiveWeights: nil, divisor: .weight)], [squaredDice, weighted, dice],
            [dice, focal], [.absoluteError(classWeights: weights, divisor: .weight)],
            [.smoothL1(beta: 0.5, classWeights: nil, divisor: .valid)],
            [.smoothL1(beta: 0, classWeights: nil, divisor: .valid)],
            [.squaredError(classWeights: nil, divisor: .all)], [.linear(classWeights: weights, divisor: .weight)],
            [.balancedBinaryCrossEntropy(negativeRatio: 3, minimumNegatives: 2, epsilon: 1e-6, scope: .batch)],
        ]
    }

    func testBits() {
        let seed = testSeed(74)
        var round: UInt64 = 0
        for classes in [1, 3] {
            for kinds in losses(classes) {
                let isBalanced = if case .balancedBinaryCrossEntropy = kinds[0] { true } else { false }
                for bits in 0..<8 {
                    for subject in [Subject.blobs, .bytes] {
                        round += 1
                        var generator = Generator(seed: seed &+ round)
                        let problem = generator.problem(
                            .sigmoid, samples: 2, classes: classes, voxels: 333,
                            terms: kinds.map { ReferenceTerm($0, weight: 0.75) },
                            flavour: round % 4 == 0 ? .saturated : .ordinary, subject: subject, ignoring: bits & 1 > 0,
                            masked: bits & 2 > 0, weighted: bits & 4 > 0 && !isBalanced)
                        check(problem, &generator, round, "seed \(seed), round \(round), \(subject)")
                    }
                }
            }
        }
    }

    private func check(_ problem: Problem, _ generator: inout Generator, _ round: UInt64, _ message: String) {
        let expected = Reference.evaluate(problem)
        for set in InstructionSet.available {
            var configuration = Configuration()
            configuration.instructionSet = set
            configuration.checks = round % 2 == 0 ? .beforeWriting : .whileWriting
            for labels in [.uint8, Configuration.LabelType.allCases[1 + Int(round % 4)]] {
                configuration.labels = [labels]
                configuration.wantsGradient = true
                assertSameBits(problem, configuration, expected, message)
                configuration.wantsGradient = false
                assertSameBits(problem, configuration, expected.valueOnly, message + ", value only")
            }
        }
        var configuration = Configuration()
        configuration.misalignment = 1
        configuration.labels = Configuration.LabelType.allCases
        configuration.parts = Part.randomCut(problem, wholeSamples: true, using: &generator.random)
        assertSameBits(problem, configuration, expected, message + ", in parts")
    }

    // MARK: What is refused

    private struct Bad {
        var label: Int64 = 0
        var weight: Float = 1
        var logit: Float = 0
        var mask: UInt8 = 1
        var error: LossError.Kind?
    }

    private static let cases = [
        Bad(label: 7, error: .badLabel), Bad(label: -1, error: .badLabel), Bad(label: 256, error: .badLabel),
        Bad(label: 7, mask: 0), Bad(weight: -1, error: .badWeight), Bad(weight: .nan, error: .badWeight),
        Bad(weight: .infinity, error: .badWeight), Bad(weight: -0.0), Bad(weight: -1, mask: 0, error: .badWeight),
        Bad(logit: .nan, error: .notFinite), Bad(logit: .infinity, mask: 0, error: .notFinite),
    ]

    private static let losses: [Loss] = [
        .binaryCrossEntropy(), .binaryCrossEntropy(positiveWeights: [2]), .focal(), .dice() + .focal(),
        .dice() + .binaryCrossEntropy(), .absoluteError(), .dice(),
    ]

    /// One bad value anywhere in whole blocks, with a mask, and with weights or without.
    func testRefusals() throws {
        for loss in Self.losses {
            for checks in [Checks.beforeWriting, .whileWriting] {
                var evaluator = try Evaluator(
                    loss, shape: Self.shape, activation: .sigmoid, options: Options(ignoreIndex: 255, checks: checks))
                for bad in Self.cases {
                    for place in Self.places {
                        try check(bad, at: place, weighted: true, &evaluator, checks, "\(loss)")
                        if bad.weight == 1 {
                            try check(bad, at: place, weighted: false, &evaluator, checks, "\(loss)")
                        }
                    }
                }
            }
        }
    }

    private static let shape = Shape.flat(samples: 1, classes: 1, voxels: 192)
    private static let places = [0, 100, 191]

    private func check(
        _ bad: Bad, at place: Int, weighted: Bool, _ evaluator: inout Evaluator, _ checks: Checks, _ message: String
    ) throws {
        var logits = [Float](repeating: 0.5, count: 192)
        var weights = [Float](repeating: 1, count: 192)
        var labels = (0..<192).map { Int64($0 % 3 == 0 ? 1 : $0 % 5 == 0 ? 255 : 0) }
        var mask = (0..<192).map { UInt8($0 % 7 == 0 ? 0 : 2) }
        (logits[place], weights[place]) = (bad.logit, bad.weight)
        (labels[place], mask[place]) = (bad.label, bad.mask)
        var gradient = [Float](repeating: 7, count: 192)
        do throws(LossError) {
            _ = try evaluator.evaluate(
                logits: logits, labels: labels, mask: mask, weights: weighted ? weights : nil, gradient: &gradient)
            XCTAssertNil(bad.error, "\(message): \(bad) passed")
        } catch {
            XCTAssertEqual(error.kind, bad.error, "\(message): \(bad), \(error.message)")
            XCTAssertEqual(error.index, place, error.message)
            if checks == .beforeWriting { XCTAssertTrue(gradient.allSatisfy { $0 == 7 }) }
        }
    }

    /// The same of the simplest runs: labels of one byte, and nothing beside them.
    func testRefusalsOfSimpleRuns() throws {
        for loss in Self.losses {
            for checks in [Checks.beforeWriting, .whileWriting] {
                var evaluator = try Evaluator(
                    loss, shape: Self.shape, activation: .sigmoid, options: Options(checks: checks))
                for place in Self.places {
                    var labels = (0..<192).map { UInt8($0 % 3 == 0 ? 1 : 0) }
                    let logits = [Float](repeating: 0.5, count: 192)
                    var gradient = [Float](repeating: 7, count: 192)
                    labels[place] = 7
                    XCTAssertThrowsError(
                        try evaluator.evaluate(logits: logits, labels: labels, gradient: &gradient), "\(loss)"
                    ) { error in
                        XCTAssertEqual((error as? LossError)?.kind, .badLabel)
                        XCTAssertEqual((error as? LossError)?.index, place)
                    }
                    if checks == .beforeWriting { XCTAssertTrue(gradient.allSatisfy { $0 == 7 }) }
                }
            }
        }
    }
}
