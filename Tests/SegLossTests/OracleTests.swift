import Foundation
import SegLoss
import SegLossReference
import XCTest

/// How far float32 results may be from the Double oracle: 1e-6 of each term and of the largest gradient. Where weights
/// have both signs, the gradients of the terms cancel in their sum; then the largest gradient is that of a single term.
///
/// Input that is not ordinary takes away what an error is relative to; `Floors` says what is put in its place.
final class OracleTests: XCTestCase {
    typealias Term = SegLossReference.Term

    enum Floors {
        /// Plain relative errors.
        case none
        /// A Dice term is 1 less a ratio that may be near 1: the error counts relative to the ratio. And sums are held
        /// in whole quanta, which shows where next to nothing is left to sum (`Oracle.evaluateWithResolution`).
        case values
        /// Also, where every voxel is right, the two parts of a Dice derivative all but cancel, and the distance of two
        /// logits is rounded before the softmax sees it: the largest gradient is that of this problem, the same with
        /// moderate input.
        case gradients(moderate: Problem)
    }

    static let slow: Bool = {
        #if DEBUG
            ProcessInfo.processInfo.environment["SEGLOSS_SLOW_TESTS"] != nil
        #else
            true
        #endif
    }()

    static let softmaxTerms: [Term] = [
        Term(.crossEntropy(classWeights: nil, labelSmoothing: 0.1, divisor: .weight), weight: 0.75),
        Term(
            .dice(
                smoothNumerator: 1e-5, smoothDenominator: 1e-5, squared: false, scope: .sample,
                excludeBackground: true, classWeights: nil)),
    ]
    /// Every pointwise term of a softmax beside another: they share the work.
    static let softmaxPointwiseTerms: [Term] = [
        Term(.focal(gamma: 2, alpha: 0.25, divisor: .valid)),
        Term(.focal(gamma: 1.5, alpha: nil, divisor: .weight), weight: 0.5),
        Term(.crossEntropy(classWeights: nil, labelSmoothing: 0, divisor: .weight, exponent: 0.3)),
        Term(.crossEntropy(classWeights: nil, labelSmoothing: 0, divisor: .weight, exponent: 0.75)),
        Term(.focal(gamma: 2, alpha: nil, divisor: .all, perChannel: true), weight: 2),
        Term(.binaryCrossEntropy(positiveWeights: nil, divisor: .weight, perChannel: true)),
    ]
    /// Errors of the classes' probabilities beside a region term: both are derivatives by the probability.
    static let softmaxErrorTerms: [Term] = [
        Term(.absoluteError(classWeights: nil, divisor: .weight)),
        Term(.smoothL1(beta: 0.3, classWeights: [1, 2, 0.5], divisor: .valid), weight: 2),
        Term(.squaredError(classWeights: nil, divisor: .all)),
        Term(.linear(classWeights: [0, 1, 1], divisor: .weight), weight: 0.1),
        Term(
            .dice(
                smoothNumerator: 1, smoothDenominator: 1, squared: false, scope: .sample, excludeBackground: false,
                classWeights: nil)),
    ]
    static let sigmoidTerms: [Term] = [
        Term(.binaryCrossEntropy(positiveWeights: nil, divisor: .valid)),
        Term(.focal(gamma: 2, alpha: 0.25, divisor: .all), weight: 5),
        Term(
            .dice(
                smoothNumerator: 1, smoothDenominator: 1, squared: true, scope: .batch, excludeBackground: false,
                classWeights: nil)),
        Term(
            .balancedBinaryCrossEntropy(negativeRatio: 3, minimumNegatives: 0, epsilon: 1e-6, scope: .batch),
            weight: 0.5),
    ]

    // MARK: The library

    /// Every size around the block of 64 voxels and the parallel splits, ordinary input: plain relative errors.
    func testOrdinaryInputOfManySizes() throws {
        let seed = testSeed(11)
        var generator = Generator(seed: seed)
        for voxels in [1, 2, 15, 16, 17, 63, 64, 65, 127, 129, 1000, 4113, 1 << 16] {
            for (activation, classes, terms) in cases {
                let problem = generator.problem(
                    activation, samples: 2, classes: classes, voxels: voxels, terms: terms)
                try compare(problem, "seed \(seed), \(activation), \(voxels) voxels")
            }
        }
    }

    func testSaturatedInput() throws {
        let seed = testSeed(12)
        var generator = Generator(seed: seed)
        for flavour in Flavour.allCases {
            for (activation, classes, terms) in cases {
                for term in terms.map({ [$0] }) + [terms] {
                    let problem = generator.problem(
                        activation, samples: 2, classes: classes, voxels: 1500, terms: term, flavour: flavour)
                    let floors: Floors =
                        flavour == .confidentlyRight
                        ? .gradients(moderate: generator.moderate(problem)) : .values
                    try compare(problem, "seed \(seed), \(activation), \(flavour), \(term.map(\.kind))", floors)
                }
            }
        }
    }

    /// Cross entropies, and Dice behind a softmax, keep their digits where every voxel is right by 30 to 120: their
    /// largest gradient is 1e-13 and less, and the library's differs by no more than the rounding of the logits'
    /// distance, 2^-18. (The focal term's is less than a Float can hold.)
    func testConfidentVoxelsKeepTheirDigits() throws {
        let seed = testSeed(16)
        var generator = Generator(seed: seed)
        for (activation, classes, terms) in cases where activation != .probabilities {
            for term in terms where term.keepsDigits(activation) {
                let problem = generator.problem(
                    activation, samples: 2, classes: classes, voxels: 1500, terms: [term.withoutSmoothing],
                    flavour: .confidentlyRight)
                let exact = Oracle.evaluate(problem)
                let what = "seed \(seed), \(activation), \(term.kind)"
                XCTAssertTrue(largestMagnitude(exact.gradient) < 1e-11, what)
                for (who, outcome) in [
                    ("reference", Reference.evaluate(problem)), ("library", try Library.evaluate(problem)),
                ] {
                    let error = gradientError(outcome.gradient.map(Double.init), exact.gradient)
                    XCTAssertTrue(error <= 5e-6, "\(what), \(who): gradient off by \(error) of the largest")
                }
            }
        }
    }

    /// Where a class fills the image, next to nothing is left of what a voxel adds to the intersection and to the
    /// prediction: all of Matthews' gradient, and that of a Tversky term that hardly asks for what is missed.
    func testClassesThatFillTheImage() throws {
        let seed = testSeed(17)
        var generator = Generator(seed: seed)
        var matthews = Region(.matthews)
        matthews.smoothCounts = 1e-5
        var tversky = Region(.tversky)
        (tversky.alpha, tversky.beta, tversky.smoothDenominator) = (0.99, 0.01, 1e-5)
        var precision = Region(.tversky)
        (precision.alpha, precision.smoothNumerator, precision.smoothDenominator) = (1, 0.5, 1)
        var minimum = tversky
        minimum.minimum = true
        for region in [matthews, tversky, precision, minimum] {
            for (activation, classes) in [(Problem.Activation.softmax, 2), (.sigmoid, 1), (.probabilities, 1)] {
                for subject in [Subject.blobs, .bytes, .soft] {
                    var problem = generator.problem(
                        activation, samples: 2, classes: classes, voxels: 300, terms: [Term(.region(region))],
                        subject: subject)
                    problem.fillLastClass()
                    try compare(problem, "seed \(seed), \(activation), \(subject), \(region.formula)")
                }
            }
        }
    }

    /// A squared Dice term's gradient where every voxel is right is what the probabilities are short of 1; that of the
    /// sums of their squares is rounded. Where the probabilities themselves were taken it was off by 1e-5 with a
    /// sigmoid, and by 1e-4 with a softmax whose voxels are about equally right.
    func testSquaredDiceOfConfidentVoxels() throws {
        let seed = testSeed(18)
        var generator = Generator(seed: seed)
        let dice = Term(
            .dice(
                smoothNumerator: 1e-5, smoothDenominator: 1e-5, squared: true, scope: .batch, excludeBackground: false,
                classWeights: nil))
        let cases: [(Problem.Activation, right: Float, noise: Float, bound: Double)] = [
            (.sigmoid, 9, 1, 3e-6), (.softmax, 4.5, 1, 3e-6), (.softmax, 4.5, 0.2, 4e-5),
        ]
        for (activation, right, noise, bound) in cases {
            for subject in [Subject.blobs, .bytes] {
                var problem = generator.problem(
                    activation, samples: 2, classes: 3, voxels: 1500, terms: [dice], subject: subject)
                for at in problem.logits.indices {
                    problem.logits[at] = (problem.isPositive(at) ? right : -right) + noise * generator.random.normal()
                }
                let exact = Oracle.evaluate(problem)
                let what = "seed \(seed), \(activation), \(right), \(subject)"
                for (who, outcome) in [
                    ("reference", Reference.evaluate(problem)), ("library", try Library.evaluate(problem)),
                ] {
                    let error = gradientError(outcome.gradient.map(Double.init), exact.gradient)
                    XCTAssertTrue(error <= bound, "\(what), \(who): gradient off by \(error) of the largest")
                }
            }
        }
    }

    func testRandomProblems() throws {
        let seed = testSeed(13)
        for round in 0..<UInt64(Self.slow ? 1000 : 150) {
            var generator = Generator(seed: seed &+ round)
            let problem = generator.anything()
            try compare(problem, "seed \(seed), round \(round)", .gradients(moderate: generator.moderate(problem)))
        }
    }

    func testLargeInput() throws {
        let seed = testSeed(14)
        var generator = Generator(seed: seed)
        for voxels in Self.slow ? [1 << 20, 1 << 24] : [1 << 18] {
            for (activation, classes, terms) in [
                (Problem.Activation.softmax, 2, Self.softmaxTerms), (.sigmoid, 1, Self.sigmoidTerms),
            ] {
                for flavour in [Flavour.ordinary, .saturated] {
                    let problem = generator.problem(
                        activation, samples: 1, classes: classes, voxels: voxels, terms: terms, flavour: flavour)
                    try compare(
                        problem, "seed \(seed), \(activation), \(flavour), \(voxels) voxels",
                        flavour == .ordinary ? .none : .values)
                }
            }
        }
    }

    // MARK: The reference

    /// Whose bits the library has to match, so that a failure here is one of the arithmetic and not of the kernels.
    func testTheReference() throws {
        let seed = testSeed(15)
        for flavour in Flavour.allCases {
            for round in 0..<UInt64(Self.slow ? 300 : 40) {
                var generator = Generator(seed: seed &+ round)
                let problem = generator.anything(flavour: flavour)
                compare(
                    problem, Reference.evaluate(problem), "reference, seed \(seed), \(flavour), round \(round)",
                    .gradients(moderate: generator.moderate(problem)))
            }
        }
    }

    /// Bounds that hold for nothing: the comparison must notice small errors and NaN.
    func testTheComparisonNotices() {
        XCTAssertFalse(gradientError([1, 2.00001], [1, 2]) <= 1e-6)
        XCTAssertFalse(gradientError([1, .nan], [1, 2]) <= 1e-6)
        XCTAssertFalse(gradientError([1, 2], [.nan, 2]) <= 1e-6)
        XCTAssertFalse(gradientError([0, 1e-30], [0, 0]) <= 1e-6)
        XCTAssertFalse(gradientError([.infinity, 1], [.infinity, 1]) <= 1e-6)
        XCTAssertTrue(gradientError([0, 0], [0, 0]) <= 0)
        XCTAssertFalse(relativeError(.nan, 1) <= 1e-6)
        XCTAssertFalse(relativeError(1.00001, 1) <= 1e-6)
        XCTAssertFalse(relativeError(1e-30, 0) <= 1e-6)
    }

    // MARK: Help

    var cases: [(Problem.Activation, Int, [Term])] {
        [
            (.softmax, 2, Self.softmaxTerms), (.softmax, 5, Self.softmaxTerms),
            (.softmax, 3, Self.softmaxPointwiseTerms), (.softmax, 3, Self.softmaxErrorTerms),
            (.sigmoid, 1, Self.sigmoidTerms),
            (.sigmoid, 3, Self.sigmoidTerms), (.probabilities, 1, Self.sigmoidTerms),
            (.probabilities, 2, Self.sigmoidTerms),
        ]
    }

    /// Through the library.
    private func compare(_ problem: Problem, _ message: String, _ floors: Floors = .none) throws {
        var configuration = Configuration()
        configuration.threads = 0
        compare(problem, try Library.evaluate(problem, configuration), message, floors)
    }

    private func compare(_ problem: Problem, _ outcome: Outcome, _ message: String, _ floors: Floors) {
        let exact = Oracle.evaluateWithResolution(problem)
        XCTAssertEqual(outcome.terms.count, problem.terms.count, message)
        XCTAssertEqual(outcome.gradient.count, problem.logits.count, message)
        var valueBound = 0.0
        var isResolved = true
        for (index, term) in problem.terms.enumerated() {
            var bound = 1e-6 * magnitude(problem, index, exact.terms[index])
            if !floors.areNone {
                if case .region(let region) = term.kind {
                    let used = region.classWeights.map { $0.dropFirst(region.excludeBackground ? 1 : 0).map(Double.init) }
                    let mean = used.map { $0.reduce(0, +) / Double($0.count) } ?? 1
                    bound = max(bound, 0x1p-22 * mean)
                    isResolved = isResolved && exact.resolutions[index] <= 1e-7
                }
                bound += exact.resolutions[index]
            }
            let error = abs(outcome.terms[index] - exact.terms[index])
            XCTAssertTrue(
                error <= bound,
                "\(message): term \(index) is \(outcome.terms[index]), not \(exact.terms[index]); \(term.kind)")
            valueBound += abs(term.weight) * bound
        }
        XCTAssertTrue(
            abs(outcome.value - exact.value) <= valueBound,
            "\(message): value \(outcome.value), not \(exact.value)")

        // A Dice term without a denominator left is a constant to the library.
        guard isResolved else {
            XCTAssertTrue(outcome.gradient.allSatisfy(\.isFinite), message)
            return
        }
        var scale = largestGradient(problem, exact.gradient)
        if case .gradients(let moderate) = floors {
            scale = max(scale, largestGradient(moderate, Oracle.evaluate(moderate).gradient))
        }
        let error = largestMagnitude(zip(outcome.gradient, exact.gradient).lazy.map { Double($0) - $1 })
        XCTAssertTrue(
            error <= 1e-6 * scale + 1e-35,  // below which floats run out
            "\(message): gradient off by \(error / scale) of the largest, \(scale); \(problem.activation) "
                + "\(problem.terms)")
    }

    /// What a term's error is relative to: its value, or where maps of both signs cancel, what is added up.
    private func magnitude(_ problem: Problem, _ index: Int, _ value: Double) -> Double {
        guard problem.terms[index].takesMaps, let maps = problem.maps else { return abs(value) }
        var single = problem
        single.terms = [problem.terms[index]]
        single.maps = maps.map(abs)
        return abs(Oracle.evaluate(single).terms[0])
    }

    /// The largest magnitude of a problem's gradient, and where weights have both signs of the single terms'.
    private func largestGradient(_ problem: Problem, _ gradient: [Double]) -> Double {
        var largest = largestMagnitude(gradient)
        guard problem.terms.contains(where: { $0.weight < 0 }) else { return largest }
        for term in problem.terms {
            var single = problem
            single.terms = [term]
            largest = max(largest, largestMagnitude(Oracle.evaluate(single).gradient))
        }
        return largest
    }
}

extension OracleTests.Floors {
    fileprivate var areNone: Bool {
        if case .none = self { true } else { false }
    }
}

extension SegLossReference.Term {
    var isDice: Bool {
        if case .region = kind { true } else { false }
    }

    var isCrossEntropy: Bool {
        switch kind {
        case .crossEntropy, .binaryCrossEntropy, .balancedBinaryCrossEntropy, .topK, .onlineHardExampleMining: true
        case .focal, .focalStar, .region, .balancedL1, .lovaszSoftmax, .lovaszHinge, .absoluteError, .smoothL1,
            .squaredError, .linear, .boundary, .hausdorff:
            false
        }
    }

    /// Whether the gradient of confident voxels is what their distance from certainty is, and no power of that.
    func keepsDigits(_ activation: Problem.Activation) -> Bool {
        guard activation == .softmax else { return isCrossEntropy }
        if case .crossEntropy(_, _, _, let exponent) = kind { return exponent == 1 }
        return isDice
    }

    /// A cross entropy with plain targets; any other term as it is.
    var withoutSmoothing: SegLossReference.Term {
        guard case .crossEntropy(let weights, _, let divisor, let exponent) = kind else { return self }
        return .init(
            .crossEntropy(classWeights: weights, labelSmoothing: 0, divisor: divisor, exponent: exponent),
            weight: weight)
    }
}

extension Problem {
    /// Makes every voxel one of the last class.
    fileprivate mutating func fillLastClass() {
        switch target {
        case .labels(let labels):
            target = .labels(labels.map { _ in Int64(max(classes - 1, 1)) })
        case .dense(let values, let byte):
            target = .dense(values.indices.map { $0 / voxels % classes == classes - 1 ? 1 : 0 }, byte: byte)
        }
    }

    /// Whether a value's target is 1.
    fileprivate func isPositive(_ at: Int) -> Bool {
        let (sample, channel, voxel) = (at / voxels / classes, at / voxels % classes, at % voxels)
        switch target {
        case .labels(let labels): return labels[sample * voxels + voxel] == (classes == 1 ? 1 : channel)
        case .dense(let values, _): return values[at] == 1
        }
    }
}

extension Generator {
    /// The problem with moderate logits in place of its own.
    mutating func moderate(_ problem: Problem) -> Problem {
        var moderate = problem
        for at in moderate.logits.indices {
            moderate.logits[at] = problem.activation == .probabilities ? 0.1 + 0.8 * random.unit() : random.normal()
        }
        return moderate
    }
}
