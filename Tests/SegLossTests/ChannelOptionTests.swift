import Foundation
import SegLoss
import SegLossReference
import XCTest

/// Options of the losses of single channels, one by one: what their formulas say, and the oracle's gradient of each
/// against differences of its value. Random problems have all of them together (ParityTests, OracleTests).
final class ChannelOptionTests: XCTestCase {
    private typealias Kind = SegLossReference.Term.Kind
    private typealias Options = SegLossReference.Term.FocalOptions

    private func focal(
        _ gamma: Double, _ alpha: Double? = nil, classWeights: [Float]? = nil,
        _ divisor: SegLossReference.Term.Divisor = .weight, perChannel: Bool = false, _ change: (inout Options) -> Void
    ) -> Kind {
        var options = Options()
        change(&options)
        return .focal(
            gamma: gamma, alpha: alpha, classWeights: classWeights, divisor: divisor, perChannel: perChannel,
            options: options)
    }

    private func binary(
        _ divisor: SegLossReference.Term.Divisor = .weight, classWeights: [Float]? = nil, perChannel: Bool = false,
        _ change: (inout SegLossReference.Term.BinaryOptions) -> Void
    ) -> Kind {
        var options = SegLossReference.Term.BinaryOptions()
        change(&options)
        return .binaryCrossEntropy(
            positiveWeights: [0.5, 3, 1], classWeights: classWeights, divisor: divisor, perChannel: perChannel,
            options: options)
    }

    /// Every option of its own, with every gamma and divisor that it meets.
    private func kinds(_ activation: Problem.Activation) -> [Kind] {
        var kinds: [Kind] = []
        let inside = activation == .softmax
        let weights: [Float] = [2, 0, 0.5]
        for gamma in [0, 0.5, 1, 2, 3, 3.7] {
            kinds.append(focal(gamma, perChannel: inside) { $0.classAlphas = [0.1, 0.9, 1] })
            kinds.append(focal(gamma, 0.25, perChannel: inside) { $0.alphaOfPositives = true })
            kinds.append(focal(gamma, 0.25, perChannel: inside) { $0.positiveWeights = [0.5, 3, 0] })
            for threshold in [0.5, 0.3, 1] {
                kinds.append(focal(gamma, perChannel: inside) { $0.reducedThreshold = threshold })
            }
            kinds.append(focal(gamma, 0.25, classWeights: weights, .target, perChannel: inside) { $0.positivesOnly = true })
            if activation != .probabilities { kinds.append(focal(gamma, perChannel: inside) { $0.byLogit = true }) }
            if !inside {
                kinds.append(focal(gamma, 0.25, .factors(least: 1e-6)) { _ in })
                kinds.append(focal(gamma, classWeights: weights, .factors(least: 0)) { $0.reducedThreshold = 0.5 })
                kinds.append(focal(gamma, nil, .factors(least: 1e6)) { _ in })
            }
            if activation == .probabilities {
                kinds.append(focal(gamma, 0.25) { $0.logOffset = 1e-3 })
                kinds.append(focal(gamma, nil, .factors(least: 0)) { $0.logOffset = 0.5 })
                kinds.append(focal(gamma, nil, .target) { ($0.positivesOnly, $0.logOffset) = (true, 1e-10) })
            }
        }
        kinds.append(binary(.target, classWeights: weights, perChannel: inside) { _ in })
        kinds.append(binary(perChannel: inside) { $0.positivesOnly = true })
        if !inside {
            kinds.append(binary { $0.weighsPositives = true })
            kinds.append(binary(.target) { ($0.weighsPositives, $0.positivesOnly) = (true, true) })
            for gamma in [0.5, 1, 3] { kinds.append(.absoluteError(classWeights: [Float(gamma), 1, 2], divisor: .target)) }
        }
        if activation == .probabilities {
            kinds.append(binary { $0.logOffset = 1e-3 })
            kinds.append(binary(.target) { ($0.positivesOnly, $0.logOffset) = (true, 1e-10) })
        }
        if activation == .sigmoid {
            for shift in [0, 0.75, -2] {
                for alpha in [nil, 0.25] as [Double?] {
                    kinds.append(.focalStar(gamma: 1.5, shift: shift, alpha: alpha, classWeights: nil, divisor: .weight))
                    kinds.append(.focalStar(gamma: 0.5, shift: shift, alpha: alpha, classWeights: weights, divisor: .target))
                }
            }
        }
        return kinds
    }

    private func eachProblem(
        _ seed: UInt64, voxels: Int, _ body: (inout Generator, Problem, String) throws -> Void
    ) rethrows {
        for activation in Problem.Activation.allCases {
            for kind in kinds(activation) {
                for subject in [Subject.blobs, .soft, .bytes] {
                    var generator = Generator(seed: seed)
                    let everything = subject != .blobs
                    let problem = generator.problem(
                        activation, samples: 2, classes: 3, voxels: voxels, terms: [Term(kind, weight: 1.5)],
                        subject: subject, ignoring: everything && activation != .softmax, masked: everything,
                        weighted: everything)
                    try body(&generator, problem, "seed \(seed), \(activation), \(subject), \(kind)")
                }
            }
        }
    }

    /// The derivative of the oracle by differences, away from the thresholds' jumps.
    func testGradients() {
        eachProblem(testSeed(71), voxels: 7) { generator, problem, message in
            var problem = problem
            let levels = (0..<problem.logits.count).shuffled(using: &generator.random)
            for (at, level) in levels.enumerated() {
                let unit = (Float(level) + 0.5) / Float(levels.count)
                problem.logits[at] = problem.activation == .probabilities ? 0.05 + 0.9 * unit : 5 * unit - 2.5
            }
            let gradient = Oracle.evaluate(problem).gradient
            let numeric = problem.logits.indices.map { Oracle.centralDifference(problem, at: $0, step: 1e-5) }
            let bound = 1e-7 * largestMagnitude(gradient) + 1e-9
            let error = largestMagnitude(zip(gradient, numeric).lazy.map { $0 - $1 })
            XCTAssertTrue(error <= bound, "\(message): off by \(error)")
        }
    }

    /// The library has the reference's bits, on every instruction set, as a whole and in parts.
    func testBits() {
        eachProblem(testSeed(72), voxels: 333) { generator, problem, message in
            let expected = Reference.evaluate(problem)
            for set in InstructionSet.available {
                var configuration = Configuration()
                configuration.instructionSet = set
                assertSameBits(problem, configuration, expected, message)
            }
            var configuration = Configuration()
            configuration.parts = Part.randomCut(problem, wholeSamples: false, using: &generator.random)
            configuration.write = .overwrite
            assertSameBits(problem, configuration, expected, message + ", in parts")
        }
    }

    /// The library is near the oracle.
    func testValues() throws {
        try eachProblem(testSeed(73), voxels: 1000) { _, problem, message in
            let exact = Oracle.evaluateWithResolution(problem)
            let outcome = try Library.evaluate(problem)
            let bound = 2e-6 * abs(exact.value) + 1.5 * exact.resolutions[0]
            XCTAssertTrue(abs(outcome.value - exact.value) <= bound, "\(message): \(outcome.value), not \(exact.value)")
            let error = gradientError(outcome.gradient.map(Double.init), exact.gradient)
            XCTAssertTrue(error <= 2e-6, "\(message): gradient off by \(error) of the largest")
        }
    }

    // MARK: What options are the same as

    private func value(_ loss: Loss, _ activation: Activation, weights: [Float]? = nil) throws -> Double {
        let count = 200
        let inputs = (0..<count).map { at in
            let x = Float((at * 37) % 101) / 25 - 2
            return activation == .probabilities ? 1 / (1 + exp(-x)) : x
        }
        let labels = (0..<count).map { UInt8($0 % 3 == 0 ? 1 : 0) }
        var evaluator = try Evaluator(
            loss, shape: .flat(samples: 1, classes: 1, voxels: count), activation: activation)
        var gradient = [Float](repeating: .nan, count: count)
        let result = try evaluator.evaluate(
            logits: inputs, labels: labels, weights: weights, gradient: &gradient)
        XCTAssertTrue(gradient.allSatisfy(\.isFinite))
        return result.value
    }

    /// An option at its neutral value, or another way to say the same.
    func testEquivalents() throws {
        let pairs: [(Loss, Loss)] = [
            (.focal(alpha: 0.25), .focal(alpha: nil, classAlphas: [0.25])),
            (.focal(alpha: nil), .focal(alpha: nil, alphaForm: .positives)),
            (.focal(alpha: 0.25, alphaForm: .positives), .focal(alpha: nil, positiveWeights: [0.25])),
            (.focal(alpha: nil), .focal(alpha: nil, modulation: .logit)),
            (.focal(gamma: 0, alpha: nil), .binaryCrossEntropy()),
            (.focal(gamma: 0, alpha: nil, divisor: .factors()), .binaryCrossEntropy()),
            // No probability is 1: every factor is.
            (.focal(gamma: 3, alpha: nil, reducedThreshold: 1), .binaryCrossEntropy()),
        ]
        for (at, (left, right)) in pairs.enumerated() {
            XCTAssertEqual(try value(left, .sigmoid), try value(right, .sigmoid), accuracy: 1e-6, "pair \(at)")
        }
        // Held at a divisor that the factors do not reach.
        XCTAssertEqual(
            try value(.focal(alpha: nil, divisor: .constant(1000)), .sigmoid),
            try value(.focal(alpha: nil, divisor: .factors(least: 1000)), .sigmoid))
        // gamma 1 and no shift: the cross entropy itself.
        XCTAssertEqual(try value(.focalStar(), .sigmoid), try value(.binaryCrossEntropy(), .sigmoid), accuracy: 1e-6)
        // Both halves of the cross entropy.
        let positives = try value(.binaryCrossEntropy(positivesOnly: true, divisor: .constant(1)), .probabilities)
        let weighted = try value(
            .binaryCrossEntropy(voxelWeights: .positives, divisor: .constant(1)), .probabilities,
            weights: [Float](repeating: 3, count: 200))
        let all = try value(.binaryCrossEntropy(divisor: .constant(1)), .probabilities)
        XCTAssertEqual(weighted, all + 2 * positives, accuracy: 1e-5 * all)
    }

    /// Losses and factors of a confident network are far below the steps of other sums; their quotient is not.
    func testNormalizedOfAConfidentNetwork() throws {
        for margin in [6, 8, 9, 10, 12] as [Float] {
            let logits = (0..<6400).map { i in margin + Float(i % 64) / 64 - 0.5 }.enumerated().map { i, x in
                i % 3 == 0 ? x : -x
            }
            let labels = (0..<6400).map { UInt8($0 % 3 == 0 ? 1 : 0) }
            var losses = 0.0
            var factors = 0.0
            for logit in logits {
                let x = Double(abs(logit))
                let q = 1 / (1 + exp(x))
                losses += q * q * log1p(exp(-x))
                factors += q * q
            }
            var evaluator = try Evaluator(
                .focal(gamma: 2, alpha: nil, divisor: .factors(least: 0)),
                shape: .flat(samples: 1, classes: 1, voxels: 6400), activation: .sigmoid)
            var gradient = [Float](repeating: .nan, count: 6400)
            let value = try evaluator.evaluate(logits: logits, labels: labels, gradient: &gradient).value
            XCTAssertLessThanOrEqual(abs(value - losses / factors), 1e-6 * losses / factors, "margin \(margin)")
            let slopes = logits.map { logit in
                let x = Double(abs(logit))
                let (p, q, n) = (1 / (1 + exp(-x)), 1 / (1 + exp(x)), log1p(exp(-x)))
                return (-q * q * (2 * p * n + q) + 2 * q * q * p * losses / factors) / factors * (logit > 0 ? 1 : -1)
            }
            let largest = slopes.map(abs).max()!
            for (found, expected) in zip(gradient, slopes) {
                XCTAssertLessThanOrEqual(abs(Double(found) - expected), 5e-6 * largest, "margin \(margin)")
            }
        }
    }

    /// A confident network's factors all but vanish: what is divided by is held, and nothing is NaN.
    func testNormalizedWithoutFactors() throws {
        for (x, gamma) in [(40, 2.0), (3e38, 2), (40, 0.5)] as [(Float, Double)] {
            var evaluator = try Evaluator(
                .focal(gamma: gamma, alpha: nil, divisor: .factors(least: 0)),
                shape: .flat(samples: 1, classes: 1, voxels: 70), activation: .sigmoid)
            var gradient = [Float](repeating: .nan, count: 70)
            let result = try evaluator.evaluate(
                logits: [Float](repeating: -x, count: 70), labels: [UInt8](repeating: 0, count: 70), gradient: &gradient)
            XCTAssertTrue(result.value >= 0 && result.value.isFinite)
            XCTAssertTrue(gradient.allSatisfy(\.isFinite))
        }
    }

    /// No target at all: the divisor is 0, and so are loss and gradient.
    func testNoTarget() throws {
        for loss in [
            Loss.binaryCrossEntropy(divisor: .target), .focal(divisor: .target), .absoluteError(divisor: .target),
        ] {
            var evaluator = try Evaluator(
                loss, shape: .flat(samples: 1, classes: 1, voxels: 70), activation: .sigmoid)
            var gradient = [Float](repeating: .nan, count: 70)
            let result = try evaluator.evaluate(
                logits: [Float](repeating: 0.5, count: 70), labels: [UInt8](repeating: 0, count: 70), gradient: &gradient)
            XCTAssertEqual(result.value, 0)
            XCTAssertTrue(gradient.allSatisfy { $0 == 0 })
        }
    }
}
