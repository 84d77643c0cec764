import Foundation
import SegLoss
import SegLossReference
import XCTest

/// Input with nothing in it to learn from: the results are defined, finite, and those of the formulas in closs.h and
/// docs/arithmetic.md, here written out as numbers. All probabilities are 1/2 or 1/4 unless a test says otherwise.
final class DefinedResultsTests: XCTestCase {
    private typealias Term = SegLossReference.Term
    private typealias Kind = SegLossReference.Term.Kind

    private static let log2 = log(2.0)

    // MARK: Nothing counts

    /// Everything ignored, or everything masked: pointwise and balanced terms are 0, a Dice term is what its smoothing
    /// makes of nothing, and no voxel has a gradient.
    func testNothingCounts() throws {
        for isMasked in [false, true] {
            func nothing(_ activation: Problem.Activation, _ classes: Int, _ terms: [Kind]) -> Problem {
                var problem = flat(activation, classes: classes, labels: Array(repeating: 0, count: 100), terms)
                if isMasked {
                    problem.mask = Array(repeating: 0, count: 100)
                } else {
                    problem.labels = Array(repeating: 7, count: 100)
                    problem.ignoreIndex = 7
                }
                return problem
            }
            for divisor in [Term.Divisor.weight, .valid, .all, .constant(3)] {
                for kind in [
                    Kind.crossEntropy(classWeights: nil, labelSmoothing: 0, divisor: divisor),
                    .crossEntropy(classWeights: [1, 2], labelSmoothing: 0.1, divisor: divisor),
                ] {
                    try expect(nothing(.softmax, 2, [kind]), terms: [0], gradient: zeros(200))
                }
                for activation in [Problem.Activation.sigmoid, .probabilities] {
                    for kind in [
                        Kind.binaryCrossEntropy(positiveWeights: nil, divisor: divisor),
                        .focal(gamma: 2, alpha: 0.25, divisor: divisor),
                        .focal(gamma: 1.5, alpha: nil, divisor: divisor),
                    ] {
                        try expect(
                            nothing(activation, 1, [kind]), terms: [0], perClass: [0], gradient: zeros(100))
                    }
                }
            }
            for scope in [Term.Scope.sample, .batch] {
                for epsilon in [0, 1e-6] {
                    try expect(
                        nothing(.sigmoid, 1, [balanced(3, 5, epsilon, scope)]), terms: [0], gradient: zeros(100))
                }
                for isSquared in [false, true] {
                    for (numerator, denominator, loss) in [(0, 0, 0.0), (1, 1, 0), (1, 0, 0), (0, 1, 1), (1, 4, 0.75)] {
                        let kind = dice(Double(numerator), Double(denominator), isSquared, scope)
                        for (activation, classes) in [(Problem.Activation.softmax, 2), (.sigmoid, 1)] {
                            try expect(
                                nothing(activation, classes, [kind]), terms: [loss],
                                perClass: Array(repeating: loss, count: classes), gradient: zeros(100 * classes))
                        }
                    }
                }
            }
        }
    }

    /// Dense targets that are all ignored, channel by channel.
    func testOneChannelIgnored() throws {
        var problem = flat(.sigmoid, classes: 2, labels: zeros(50).map { Int64($0) }, [binary()])
        problem.target = .dense((0..<100).map { $0 < 50 ? 9 : 1 }, byte: true)
        problem.ignoreIndex = 9
        try expect(
            problem, terms: [Self.log2], perClass: [0, Self.log2],
            gradient: (0..<100).map { $0 < 50 ? 0 : -0.5 / 50 })
    }

    // MARK: A class without voxels

    /// Class 3 of 4 has no label: its Dice loss is 1 - numerator / (P + denominator), P = 96 / 4.
    func testAbsentClass() throws {
        let labels = (0..<96).map { Int64($0 % 3) }
        // Of a class that is there: I = 32 / 4, P = 24, G = 32; squared: S = 96 / 16.
        for (numerator, denominator) in [(0.0, 0.0), (1, 1), (0, 2)] {
            let present = 1 - (16 + numerator) / (56 + denominator)
            let absent = 1 - numerator / (24 + denominator)
            try expect(
                flat(.softmax, classes: 4, labels: labels, [dice(numerator, denominator)]),
                terms: [(3 * present + absent) / 4], perClass: [present, present, present, absent])
            let presentSquared = 1 - (16 + numerator) / (38 + denominator)
            let absentSquared = 1 - numerator / (6 + denominator)
            try expect(
                flat(.softmax, classes: 4, labels: labels, [dice(numerator, denominator, true)]),
                terms: [(3 * presentSquared + absentSquared) / 4],
                perClass: [presentSquared, presentSquared, presentSquared, absentSquared])
        }
        // Unseen and not predicted either: without smoothing the class counts as perfect, without a gradient.
        var perfect = flat(.probabilities, classes: 2, labels: zeros(64).map { Int64($0) }, [dice(0, 0)])
        perfect.logits = (0..<128).map { $0 < 64 ? 0.5 : 0 }
        try expect(perfect, terms: [(1 - 64.0 / 96) / 2], perClass: [1 - 64.0 / 96, 0])
        let gradient = try Library.evaluate(perfect).gradient
        XCTAssertEqual(gradient[64...].map(\.magnitude), Array(repeating: 0, count: 64))
        // With smoothing it is perfect too: 1 - s / s.
        perfect.terms = [Term(dice(1e-5, 1e-5))]
        try expect(perfect, perClass: [1 - (64 + 1e-5) / (96 + 1e-5), 0])
        // Its cross entropy is not asked for; the others' is.
        try expect(flat(.softmax, classes: 4, labels: labels, [crossEntropy()]), terms: [2 * Self.log2])
    }

    // MARK: Background only

    func testBackgroundOnly() throws {
        let none = Array(repeating: Int64(0), count: 128)
        // (1/2 - 0) / 128 at every voxel.
        try expect(
            flat(.sigmoid, classes: 1, labels: none, [binary()]), terms: [Self.log2], perClass: [Self.log2],
            gradient: Array(repeating: 0.5 / 128, count: 128))
        // 3/4 (1/2)^2 log 2; its derivative by x is 3/4 [ 2 p (p q) (-log q) + p^2 p ] = 3/4 [ log(2) / 4 + 1 / 8 ].
        let slope = 0.75 * (Self.log2 / 4 + 1.0 / 8) / 128
        try expect(
            flat(.sigmoid, classes: 1, labels: none, [.focal(gamma: 2, alpha: 0.25, divisor: .weight)]),
            terms: [0.75 * 0.25 * Self.log2], gradient: Array(repeating: Float(slope), count: 128))
        // I = G = 0 and P = 64: the loss is 1, and nothing a voxel could do would change that.
        try expect(
            flat(.sigmoid, classes: 1, labels: none, [dice(0, 0)]), terms: [1], perClass: [1], gradient: zeros(128))
        // 1 - 1 / 65; by p 1 / 65^2, by x a quarter of that.
        try expect(
            flat(.sigmoid, classes: 1, labels: none, [dice(1, 1)]), terms: [1 - 1.0 / 65],
            gradient: Array(repeating: Float(0.25 / (65.0 * 65)), count: 128))
        // Softmax without its background: class 1 is absent, P = 64.
        var excluded = flat(
            .softmax, classes: 2, labels: none,
            [
                .dice(
                    smoothNumerator: 0, smoothDenominator: 0, squared: false, scope: .sample, excludeBackground: true,
                    classWeights: nil)
            ])
        try expect(excluded, terms: [1], perClass: [0, 1], gradient: zeros(256))
        // Confidently right down to the last digit: p of class 1 underflows every quantum.
        excluded.logits = (0..<256).map { $0 < 128 ? 60 : -60 }
        try expect(excluded, terms: [0], perClass: [0, 0], gradient: zeros(256))
        try expect(flat(.softmax, classes: 2, labels: none, [crossEntropy()]), terms: [Self.log2])
    }

    // MARK: Mining

    func testMiningWithoutPositives() throws {
        let none = Array(repeating: Int64(0), count: 100)
        for scope in [Term.Scope.sample, .batch] {
            // k = max(floor(3 * 0), 0) = 0.
            for epsilon in [0, 1e-6, 1] {
                try expect(
                    flat(.sigmoid, classes: 1, labels: none, [balanced(3, 0, epsilon, scope)]), terms: [0],
                    gradient: zeros(100))
            }
            // The 5 that must be taken are the first of equals.
            try expect(
                flat(.sigmoid, classes: 1, labels: none, [balanced(3, 5, 1, scope)]),
                terms: [5 * Self.log2 / 6], gradient: (0..<100).map { $0 < 5 ? 0.5 / 6 : 0 })
            // No more than there are.
            try expect(
                flat(.sigmoid, classes: 1, labels: none, [balanced(3, 1000, 0, scope)]), terms: [Self.log2],
                gradient: Array(repeating: 0.5 / 100, count: 100))
        }
    }

    func testMiningWithoutNegativesTaken() throws {
        let labels = (0..<100).map { Int64($0 % 10 == 0 ? 1 : 0) }
        for scope in [Term.Scope.sample, .batch] {
            // k = 0: the positives alone.
            try expect(
                flat(.sigmoid, classes: 1, labels: labels, [balanced(0, 0, 0, scope)]), terms: [Self.log2],
                gradient: labels.map { $0 == 1 ? -0.5 / 10 : 0 })
            try expect(
                flat(.sigmoid, classes: 1, labels: labels, [balanced(0.09, 0, 0, scope)]), terms: [Self.log2],
                gradient: labels.map { $0 == 1 ? -0.5 / 10 : 0 })
            // floor(0.1 * 10) = 1, and it is the first.
            try expect(
                flat(.sigmoid, classes: 1, labels: labels, [balanced(0.1, 0, 0, scope)]), terms: [Self.log2],
                gradient: labels.enumerated().map { $1 == 1 ? -0.5 / 11 : $0 == 1 ? 0.5 / 11 : 0 })
            // Only positives.
            try expect(
                flat(.sigmoid, classes: 1, labels: labels.map { _ in 1 }, [balanced(3, 7, 0, scope)]),
                terms: [Self.log2], gradient: Array(repeating: -0.5 / 100, count: 100))
            // A ratio so great that the product is no integer any more.
            try expect(
                flat(.sigmoid, classes: 1, labels: labels, [balanced(1e300, .max, 0, scope)]), terms: [Self.log2],
                gradient: labels.map { ($0 == 1 ? -0.5 : 0.5) / 100 })
        }
        // A sample without anything has its share of the mean: (log 2 + 0) / 2.
        var two = flat(.sigmoid, classes: 1, labels: labels + labels.map { _ in 0 }, [balanced(3, 0, 0, .sample)])
        (two.samples, two.voxels) = (2, 100)
        let gradient = labels.enumerated().map { at, label -> Float in
            let isTaken = label == 1 || at < 34 && at % 10 != 0  // the first 30 negatives: 1 to 33 without 10, 20, 30
            return isTaken ? (label == 1 ? -0.25 : 0.25) / 40 : 0
        }
        try expect(two, terms: [Self.log2 / 2], gradient: gradient + zeros(100))
    }

    // MARK: Weights of zero

    func testWeightsOfZero() throws {
        let labels = (0..<90).map { Int64($0 % 2) }
        for divisor in [Term.Divisor.weight, .valid, .all, .constant(0.5)] {
            for (problem, values) in [
                (flat(.softmax, classes: 2, labels: labels, [crossEntropy(divisor)]), 180),
                (
                    flat(
                        .softmax, classes: 2, labels: labels,
                        [.crossEntropy(classWeights: [1, 3], labelSmoothing: 0.2, divisor: divisor)]), 180
                ),
                (flat(.sigmoid, classes: 1, labels: labels, [binary(divisor)]), 90),
                (
                    flat(.probabilities, classes: 1, labels: labels, [.focal(gamma: 2, alpha: nil, divisor: divisor)]),
                    90
                ),
            ] {
                var problem = problem
                problem.weights = zeros(90)
                try expect(problem, terms: [0], gradient: zeros(values))
            }
        }
        // They do not enter a Dice term: I = 45 / 2, P = G = 45.
        var region = flat(.sigmoid, classes: 1, labels: labels, [dice(0, 0)])
        let unweighted = try Library.evaluate(region)
        region.weights = zeros(90)
        try expect(region, terms: [0.5])
        assertSameBits(region, Configuration(), unweighted)
    }

    /// No label's class weighs anything: the sum of weights is 0, and so is the term. Divided by something else it is
    /// what the smoothing leaves: e/2 (0 nll_0 + 1 nll_1).
    func testClassWeightsOfZero() throws {
        let none = Array(repeating: Int64(0), count: 80)
        for smoothing in [0, 0.5] {
            let kind = { (divisor: Term.Divisor) in
                Kind.crossEntropy(classWeights: [0, 1], labelSmoothing: smoothing, divisor: divisor)
            }
            try expect(flat(.softmax, classes: 2, labels: none, [kind(.weight)]), terms: [0], gradient: zeros(160))
            try expect(
                flat(.softmax, classes: 2, labels: none, [kind(.valid)]), terms: [smoothing / 2 * Self.log2],
                gradient: (0..<160).map { Float(smoothing / 2 * ($0 < 80 ? 0.5 : -0.5) / 80) })
        }
        // Positive weights of 0 take the positives' losses out, not their weight.
        let positive = Array(repeating: Int64(1), count: 80)
        try expect(
            flat(
                .sigmoid, classes: 1, labels: positive, [.binaryCrossEntropy(positiveWeights: [0], divisor: .weight)]),
            terms: [0], gradient: zeros(80))
    }

    /// A term's factor of 0: the term is reported, and adds nothing.
    func testFactorOfZero() throws {
        var problem = flat(.sigmoid, classes: 1, labels: (0..<90).map { Int64($0 % 2) }, [binary(), dice(0, 0)])
        for at in problem.terms.indices { problem.terms[at].weight = 0 }
        try expect(problem, value: 0, terms: [Self.log2, 0.5], gradient: zeros(90))
    }

    // MARK: Ends of the range

    /// -log of 0 is held at 100; the derivative's divisor at 1e-12.
    func testCertainProbabilities() throws {
        var wrong = flat(.probabilities, classes: 1, labels: (0..<64).map { Int64($0 % 2) }, [binary()])
        wrong.logits = wrong.labels.map { 1 - Float($0) }
        try expect(
            wrong, terms: [100], perClass: [100], gradient: wrong.labels.map { ($0 == 1 ? -1e12 : 1e12) / 64 })
        var right = wrong
        right.logits = wrong.labels.map { Float($0) }
        try expect(right, terms: [0], perClass: [0], gradient: zeros(64))
        right.terms = [Term(dice(0, 0))]
        try expect(right, terms: [0], perClass: [0])
    }

    /// Logits of -3e38 rule classes out.
    func testClassesRuledOut() throws {
        var problem = flat(.softmax, classes: 3, labels: (0..<64).map { Int64($0 % 2) }, [crossEntropy(), dice(0, 0)])
        for i in 128..<192 { problem.logits[i] = -3e38 }
        // Of two classes left, each is 1/2: I = 16, P = G = 32. Class 2 is perfect: nothing of it is there, but for
        // e^-87.25 of every voxel, which is below a quantum.
        try expect(problem, terms: [Self.log2, 1.0 / 3], perClass: [0, 0, 0, 0.5, 0.5, 0])
        problem.logits = problem.logits.map { $0 == 0 ? 3e38 : $0 }
        try expect(problem, terms: [Self.log2, 1.0 / 3], perClass: [0, 0, 0, 0.5, 0.5, 0])
    }

    // MARK: Help

    private func zeros(_ count: Int) -> [Float] { Array(repeating: 0, count: count) }

    private func crossEntropy(_ divisor: Term.Divisor = .weight) -> Kind {
        .crossEntropy(classWeights: nil, labelSmoothing: 0, divisor: divisor)
    }

    private func binary(_ divisor: Term.Divisor = .weight) -> Kind {
        .binaryCrossEntropy(positiveWeights: nil, divisor: divisor)
    }

    private func dice(
        _ numerator: Double, _ denominator: Double, _ isSquared: Bool = false, _ scope: Term.Scope = .sample
    ) -> Kind {
        .dice(
            smoothNumerator: numerator, smoothDenominator: denominator, squared: isSquared, scope: scope,
            excludeBackground: false, classWeights: nil)
    }

    private func balanced(_ ratio: Double, _ minimum: Int, _ epsilon: Double, _ scope: Term.Scope) -> Kind {
        .balancedBinaryCrossEntropy(negativeRatio: ratio, minimumNegatives: minimum, epsilon: epsilon, scope: scope)
    }

    /// One sample with logits of 0, or probabilities of 1/2.
    private func flat(_ activation: Problem.Activation, classes: Int, labels: [Int64], _ terms: [Kind]) -> Problem {
        Problem(
            samples: 1, classes: classes, voxels: labels.count, activation: activation, terms: terms.map { Term($0) },
            logits: Array(repeating: activation == .probabilities ? 0.5 : 0, count: classes * labels.count),
            target: .labels(labels))
    }

    /// Fails unless the library gives these numbers in every way: to 1e-6 of them, and exactly 0 where they are 0.
    private func expect(
        _ problem: Problem, value: Double? = nil, terms: [Double]? = nil, perClass: [Double]? = nil,
        gradient: [Float]? = nil, file: StaticString = #filePath, line: UInt = #line
    ) throws {
        for set in InstructionSet.available {
            for checks in [Checks.beforeWriting, .whileWriting] {
                for isInParts in [false, true] {
                    var configuration = Configuration()
                    configuration.instructionSet = set
                    configuration.checks = checks
                    if isInParts { configuration.parts = [.whole] }
                    let outcome = try Library.evaluate(problem, configuration)
                    let message = "\(set), \(checks), \(problem.terms)"
                    func compare(_ name: String, _ found: [Double], _ expected: [Double]?) {
                        guard let expected else { return }
                        XCTAssertEqual(found.count, expected.count, "\(name), \(message)", file: file, line: line)
                        for (at, pair) in zip(found, expected).enumerated()
                        where !(abs(pair.0 - pair.1) <= 1e-6 * abs(pair.1)) {
                            return XCTFail(
                                "\(name)[\(at)] is \(pair.0), not \(pair.1); \(message)", file: file, line: line)
                        }
                    }
                    compare("terms", outcome.terms, terms)
                    compare("perClass", outcome.perClass, perClass)
                    compare("gradient", outcome.gradient.map(Double.init), gradient?.map(Double.init))
                    let sum = zip(problem.terms, outcome.terms).reduce(0) { $0 + $1.0.weight * $1.1 }
                    compare("value", [outcome.value], [value ?? sum])
                    XCTAssertTrue(outcome.value.isFinite, message, file: file, line: line)
                    XCTAssertTrue(outcome.perClass.allSatisfy(\.isFinite), message, file: file, line: line)
                    XCTAssertTrue(outcome.gradient.allSatisfy(\.isFinite), message, file: file, line: line)
                }
            }
        }
    }
}
