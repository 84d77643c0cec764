import SegLoss
import SegLossReference
import XCTest

/// The terms that take the largest losses: top-k, online hard example mining and balanced L1.
final class RankingTests: XCTestCase {
    typealias Kind = SegLossReference.Term.Kind

    private func kinds(_ classes: Int, weighted: Bool) -> [Kind] {
        let weights = (0..<classes).map { Float($0 % 3) * 0.75 + 0.25 }
        var kinds: [Kind] = []
        for scope in [SegLossReference.Term.Scope.batch, .sample] {
            kinds += [
                .topK(percent: 10, scope: scope),
                .topK(percent: 37.5, classWeights: weights, ignoredCount: false, scope: scope),
            ]
            if weighted { continue }
            kinds += [
                .onlineHardExampleMining(threshold: 0.7, minimumKept: 30, scope: scope),
                .onlineHardExampleMining(threshold: 0, minimumKept: 25, divisor: .all, scope: scope),
                .onlineHardExampleMining(threshold: 0.4, minimumKept: 30, classWeights: weights, scope: scope),
                .onlineHardExampleMining(
                    threshold: 0, minimumKept: 25, classWeights: weights, divisor: .valid, scope: scope),
            ]
        }
        return kinds
    }

    /// Those that rank errors by the maps; they take no weights.
    private func errors(_ activation: Problem.Activation, weighted: Bool) -> [Kind] {
        guard activation != .softmax && !weighted else { return [] }
        return [SegLossReference.Term.Scope.batch, .sample].flatMap { scope -> [Kind] in
            [
                .balancedL1(negativeRatio: 0.2, minimumNegatives: 0, scope: scope),
                .balancedL1(negativeRatio: 3, minimumNegatives: 9, scope: scope),
            ]
        }
    }

    private func sameBits(
        _ problem: Problem, _ message: String, _ base: Configuration = .init(), generic: Bool = true
    ) {
        let expected = Reference.evaluate(problem)
        for set in InstructionSet.available where generic || set != .generic {
            var configuration = base
            configuration.instructionSet = set
            assertSameBits(problem, configuration, expected, message)
        }
    }

    // MARK: Bits

    /// Sizes around vector and block, every kind of target, ties, and other terms in the same sweep.
    func testSizes() {
        let seed = testSeed(301)
        var generator = Generator(seed: seed)
        for voxels in [1, 15, 63, 64, 65, 129, 1000, 4097] {
            for activation in Problem.Activation.allCases {
                for subject in [Subject.blobs, .soft, .bytes, .allIgnored] {
                    let classes = activation == .softmax ? 2 + generator.random.below(5) : 1 + generator.random.below(3)
                    let weighted = generator.random.chance(0.4)
                    for kind in kinds(classes, weighted: weighted) + errors(activation, weighted: weighted) {
                        var others = generator.terms(activation, classes: classes)
                        while others[0].takesMaps { others = generator.terms(activation, classes: classes) }
                        for terms in [[], [others[0]]] {
                            let problem = generator.problem(
                                activation, samples: 2, classes: classes, voxels: voxels,
                                terms: terms + [SegLossReference.Term(kind, weight: 0.75)],
                                flavour: generator.random.element(of: [.ties, .ordinary, .saturated]), subject: subject,
                                ignoring: generator.random.chance(0.5), masked: generator.random.chance(0.3),
                                weighted: weighted)
                            let message = "\(voxels) voxels, \(subject), \(kind), seed \(seed)"
                            sameBits(problem, message, generic: voxels < 200)
                        }
                    }
                }
            }
        }
    }

    func testManyClasses() {
        let seed = testSeed(302)
        var generator = Generator(seed: seed)
        for classes in [2, 3, 4, 5, 19, 105, 512] {
            for kind in kinds(classes, weighted: false) {
                var problem = generator.problem(
                    .softmax, samples: 2, classes: classes, voxels: 150, terms: [.init(kind)], masked: true)
                problem.ignoreIndex = nil
                var configuration = Configuration()
                configuration.labels = [.uint16]
                sameBits(problem, "\(classes) classes, seed \(seed)", configuration)
            }
        }
    }

    /// So many voxels that a sample tells where to look: ordinary losses, ties, a sample that misleads, a threshold
    /// that keeps enough by itself, and one that does not.
    func testSampledRanking() {
        let seed = testSeed(303)
        var generator = Generator(seed: seed)
        for (scope, samples, voxels) in [(SegLossReference.Term.Scope.batch, 3, 100_000), (.sample, 1, 270_000)] {
            let kinds: [Kind] = [
                .topK(percent: 10, scope: scope), .topK(percent: 0.001, ignoredCount: false, scope: scope),
                .topK(percent: 100, scope: scope),
                .onlineHardExampleMining(threshold: 0.7, minimumKept: 10, scope: scope),
                .onlineHardExampleMining(threshold: 0.01, minimumKept: 50_000, scope: scope),
                .onlineHardExampleMining(threshold: 0.7, minimumKept: 10, classWeights: [0.75, 3], scope: scope),
                .onlineHardExampleMining(threshold: 0.01, minimumKept: 50_000, classWeights: [0.75, 3], scope: scope),
                .balancedL1(negativeRatio: 0.3, minimumNegatives: 0, scope: scope),
                .balancedL1(negativeRatio: 0, minimumNegatives: 0, scope: scope),
            ]
            for kind in kinds {
                for flavour in [Flavour.ordinary, .ties, .saturated] {
                    for activation in [Problem.Activation.softmax, .sigmoid] {
                        if case .balancedL1 = kind, activation == .softmax { continue }
                        var classes = activation == .softmax ? 2 : 1
                        if case .onlineHardExampleMining(_, _, let weights?, _, _) = kind { classes = weights.count }
                        var problem = generator.problem(
                            activation, samples: samples, classes: classes, voxels: voxels, terms: [.init(kind)],
                            flavour: flavour, ignoring: flavour == .ordinary)
                        if activation == .sigmoid && flavour == .saturated {
                            // The hard values stand where no sample looks.
                            for i in problem.logits.indices where i % voxels > voxels - 9000 { problem.logits[i] *= 5 }
                        }
                        var configuration = Configuration()
                        configuration.threads = 2
                        configuration.wantsGradient = generator.random.chance(0.7)
                        var expected = Reference.evaluate(problem)
                        if !configuration.wantsGradient { expected = expected.valueOnly }
                        assertSameBits(problem, configuration, expected, "\(kind), \(flavour), seed \(seed)")
                    }
                }
            }
        }
    }

    // MARK: Values

    /// 1e-6 of the value and of the largest gradient, of losses that are apart.
    func testOracle() throws {
        let seed = testSeed(304)
        var generator = Generator(seed: seed)
        for activation in Problem.Activation.allCases {
            for weighted in [false, true] {
                for subject in [Subject.blobs, .soft] {
                    for kind in kinds(3, weighted: weighted) + errors(activation, weighted: weighted) {
                        let problem = generator.problem(
                            activation, samples: 2, classes: 3, voxels: 700, terms: [.init(kind, weight: 1.5)],
                            subject: subject, ignoring: subject == .blobs, masked: true, weighted: weighted)
                        let exact = Oracle.evaluate(problem)
                        let outcome = try Library.evaluate(problem)
                        let message = "\(activation), \(subject), \(kind), seed \(seed)"
                        XCTAssertTrue(exact.value > 0, message)
                        let error = relativeError(outcome.value, exact.value)
                        XCTAssertTrue(error <= 1e-6, "\(message): value off by \(error)")
                        let slope = gradientError(outcome.gradient.map(Double.init), exact.gradient)
                        XCTAssertTrue(slope <= 1e-6, "\(message): gradient off by \(slope)")
                    }
                }
            }
        }
    }

    private func flat(_ kind: Kind, voxels: Int = 100, ignored: Int = 0) -> Problem {
        let labels = (0..<voxels).map { Int64($0 < ignored ? 255 : 1) }
        return Problem(
            samples: 1, classes: 2, voxels: voxels, activation: .softmax, terms: [.init(kind)],
            logits: [Float](repeating: 0, count: 2 * voxels), target: .labels(labels), ignoreIndex: 255)
    }

    /// The numbers of the values whose gradient is not 0.
    private func taken(_ problem: Problem) throws -> [Int] {
        let gradient = try Library.evaluate(problem).gradient
        return (0..<problem.voxels).filter { gradient[$0] != 0 }
    }

    /// k is nnU-Net's; among equal losses the lowest indices are taken; the value does not depend on that.
    func testCounts() throws {
        let log2 = 0.6931471805599453
        for (percent, k) in [(10, 10), (29, 29), (7, 7), (1e-9, 1), (0.5, 1), (100, 100), (99.999, 99)] {
            for scope in [SegLossReference.Term.Scope.batch, .sample] {
                let problem = flat(.topK(percent: percent, scope: scope))
                XCTAssertEqual(try taken(problem), Array(0..<k), "\(percent)")
                XCTAssertEqual(try Library.evaluate(problem).value, log2, accuracy: 1e-7)
            }
        }
        // 40 of 100 are ignored: they count as zeros, or not at all.
        let counted = flat(.topK(percent: 80, scope: .batch), ignored: 40)
        XCTAssertEqual(try taken(counted), Array(40..<100))
        XCTAssertEqual(try Library.evaluate(counted).value, log2 * 60 / 80, accuracy: 1e-7)
        let excluded = flat(.topK(percent: 50, ignoredCount: false, scope: .batch), ignored: 40)
        XCTAssertEqual(try taken(excluded), Array(40..<70))
        XCTAssertEqual(try Library.evaluate(excluded).value, log2, accuracy: 1e-7)

        // Every probability is 1/2.
        for (threshold, kept, expected) in [(0.6, 0, 100), (0.6, 7, 100), (0.4, 7, 7), (0.4, 0, 0), (0.4, 1000, 100)] {
            let problem = flat(.onlineHardExampleMining(threshold: threshold, minimumKept: kept, scope: .batch))
            XCTAssertEqual(try taken(problem), Array(0..<expected), "\(threshold), \(kept)")
            XCTAssertEqual(try Library.evaluate(problem).value, expected == 0 ? 0 : log2, accuracy: 1e-7)
        }
        // Of 40 of the first class and 60 of the second equal losses, so many of the first that are taken.
        for (kept, mean) in [(20, 1.0), (70, (40 + 30 * 0.25) / 70)] {
            var problem = flat(
                .onlineHardExampleMining(threshold: 0.4, minimumKept: kept, classWeights: [1, 0.25], scope: .batch))
            problem.target = .labels((0..<100).map { $0 < 40 ? 0 : 1 })
            XCTAssertEqual(try taken(problem), Array(0..<kept), "\(kept)")
            XCTAssertEqual(try Library.evaluate(problem).value, log2 * mean, accuracy: 1e-7)
        }
        for (divisor, share) in [
            (SegLossReference.Term.Divisor.weight, 1.0), (.valid, 5.0 / 60), (.all, 0.05), (.constant(2), 2.5),
        ] {
            let problem = flat(
                .onlineHardExampleMining(threshold: 0, minimumKept: 5, divisor: divisor, scope: .sample), ignored: 40)
            XCTAssertEqual(try taken(problem), Array(40..<45))
            XCTAssertEqual(try Library.evaluate(problem).value, log2 * share, accuracy: 1e-7)
        }
    }

    func testNothingValid() throws {
        for kind in kinds(2, weighted: false) {
            let outcome = try Library.evaluate(flat(kind, ignored: 100))
            XCTAssertEqual(outcome.value, 0)
            XCTAssertTrue(outcome.gradient.allSatisfy { $0 == 0 && $0.sign == .plus })
        }
    }

    /// MMOCR's fall-back: so many negatives, only where there is no positive.
    func testFallbackNegatives() throws {
        for (positives, expected) in [(0, 9), (1, 4), (2, 7)] {
            for scope in [SegLossReference.Term.Scope.batch, .sample] {
                let labels = (0..<100).map { Int64($0 < positives ? 1 : 0) }
                let term = Kind.balancedBinaryCrossEntropy(
                    negativeRatio: 2.5, minimumNegatives: 3, fallbackNegatives: 9, epsilon: 0, scope: scope)
                let problem = Problem(
                    samples: 1, classes: 1, voxels: 100, activation: .sigmoid, terms: [.init(term)],
                    logits: [Float](repeating: 0, count: 100), target: .labels(labels))
                let outcome = try Library.evaluate(problem)
                let count = outcome.gradient.count { $0 != 0 }
                XCTAssertEqual(count, positives == 1 ? 1 + 3 : expected, "\(positives) positives")
                XCTAssertNil(firstDifference(outcome, Reference.evaluate(problem)))
            }
        }
    }

    private func errors(_ kind: Kind, positives: [Bool], samples: Int = 1) -> Problem {
        var problem = Problem(
            samples: samples, classes: 1, voxels: positives.count / samples, activation: .probabilities,
            terms: [.init(kind)], logits: positives.indices.map { Float($0 + 1) / 16 },
            target: .dense([Float](repeating: 0, count: positives.count), byte: false))
        problem.maps = positives.map { $0 ? 0.25 : -1 }
        return problem
    }

    /// Both means, each where the other is empty, and none.
    func testBalancedL1() throws {
        func kind(_ ratio: Double, _ minimum: Int = 0, _ scope: SegLossReference.Term.Scope = .batch) -> Kind {
            .balancedL1(negativeRatio: ratio, minimumNegatives: minimum, scope: scope)
        }
        // Errors 1/16 .. 8/16; the positives are 1/16 and 2/16.
        let some = [true, true, false, false, false, false, false, false]
        for (kind, value, slopes) in [
            (kind(1), 1.5 / 16 + 7.5 / 16, [0.5, 0.5, 0, 0, 0, 0, 0.5, 0.5]),
            (kind(0.75), 1.5 / 16 + 8.0 / 16, [0.5, 0.5, 0, 0, 0, 0, 0, 1]),
            (kind(0), 1.5 / 16, [0.5, 0.5, 0, 0, 0, 0, 0, 0]),
            (kind(0, 4), 1.5 / 16 + 6.5 / 16, [0.5, 0.5, 0, 0, 0.25, 0.25, 0.25, 0.25]),
            (kind(9), 1.5 / 16 + 5.5 / 16, [0.5, 0.5] + [Float](repeating: 1 / 6, count: 6)),
        ] as [(Kind, Double, [Float])] {
            let outcome = try Library.evaluate(errors(kind, positives: some))
            XCTAssertEqual(outcome.value, value, accuracy: 1e-9)
            XCTAssertEqual(outcome.gradient, slopes)
        }
        let none = [Bool](repeating: false, count: 4)
        XCTAssertEqual(try Library.evaluate(errors(kind(3), positives: none)).value, 0)
        XCTAssertEqual(try Library.evaluate(errors(kind(3, 2), positives: none)).value, 3.5 / 16, accuracy: 1e-9)
        let all = try Library.evaluate(errors(kind(3), positives: [true, true]))
        XCTAssertEqual(all.value, 1.5 / 16, accuracy: 1e-9)
        XCTAssertEqual(all.gradient, [0.5, 0.5])
        // Each of two samples by itself: positives 1/16 and 5/16, hardest negatives 4/16 and 8/16.
        let each = try Library.evaluate(
            errors(kind(1, 0, .sample), positives: [true, false, false, false, true, false, false, false], samples: 2))
        XCTAssertEqual(each.value, (5.0 / 16 + 13.0 / 16) / 2, accuracy: 1e-9)
        XCTAssertEqual(each.gradient, [0.5, 0, 0, 0.5, 0.5, 0, 0, 0.5])
    }

    /// A map of 0 is no positive; among equal errors the lowest indices are taken.
    func testTiesOfErrors() throws {
        let kind = Kind.balancedL1(negativeRatio: 2, minimumNegatives: 0, scope: .batch)
        var problem = errors(kind, positives: [true] + [Bool](repeating: false, count: 5))
        problem.maps = [1, 0, 0, -0.0, 0, 0]
        problem.logits = [0.5, 0.25, 0.75, 0.75, 0.75, 0.25]
        let outcome = try Library.evaluate(problem)
        XCTAssertEqual(outcome.value, 1.25)
        XCTAssertEqual(outcome.gradient, [1, 0, 0.5, 0.5, 0, 0])
    }

    func testStages() throws {
        let weights: [Float] = [1, 2, 3]
        for (loss, stages) in [
            (Loss.topK(classWeights: weights), 4), (.topK(scope: .sample), 1), (.onlineHardExampleMining(), 4),
            (.onlineHardExampleMining(classWeights: weights), 5),
            (.onlineHardExampleMining(threshold: 0, classWeights: weights), 4),
            (.onlineHardExampleMining(classWeights: weights, scope: .sample), 1),
        ] {
            let evaluator = try Evaluator(
                loss, shape: .flat(samples: 2, classes: 3, voxels: 50), activation: .softmax)
            XCTAssertEqual(evaluator.stageCount, stages)
        }
    }
}
