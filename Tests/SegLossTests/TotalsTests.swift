import SegLoss
import SegLossReference
import XCTest

/// Totals are integers: those of parts add up to those of the whole, in any order and by any means, and they are exact.
final class TotalsTests: XCTestCase {
    private typealias Term = SegLossReference.Term

    private static let rounds: Int = {
        #if DEBUG
            25
        #else
            150
        #endif
    }()

    // MARK: Parts and the whole

    /// The words' values of parts' totals add up to those of the whole batch's, stage by stage, and merging them in
    /// any order gives the same words.
    func testPartsAddUp() throws {
        let seed = testSeed(201)
        var generator = Generator(seed: seed)
        for round in 0..<Self.rounds {
            let problem = generator.anything()
            let parts = parts(of: problem, &generator)
            var evaluator = try Evaluator(problem)
            var whole = evaluator.makeTotals()
            for stage in 0..<evaluator.stageCount {
                let before = whole
                let separate = try parts.map { part in
                    var totals = before
                    try Batch(problem.cut(part)).accumulate(&evaluator, part: part, stage: stage, into: &totals)
                    return totals
                }
                try Batch(problem).accumulate(&evaluator, stage: stage, into: &whole)

                var merged = before
                for totals in separate { try merged.merge(totals, stage: stage) }
                XCTAssertEqual(values(merged), values(whole), "round \(round), stage \(stage), seed \(seed)")
                var shuffled = before
                for totals in separate.shuffled(using: &generator.random) { try shuffled.merge(totals, stage: stage) }
                XCTAssertEqual(shuffled, merged, "round \(round), stage \(stage), seed \(seed)")

                // In pairs: a + b = b + a.
                var (ab, ba) = (separate[0], separate[separate.count - 1])
                try ab.merge(separate[separate.count - 1], stage: stage)
                try ba.merge(separate[0], stage: stage)
                let range = try ab.wordRange(ofStage: stage)
                XCTAssertEqual(ab.words[range], ba.words[range], "round \(round), stage \(stage), seed \(seed)")
                // One after another into the same totals is the same again.
                var serial = before
                for part in parts.reversed() {
                    try Batch(problem.cut(part)).accumulate(&evaluator, part: part, stage: stage, into: &serial)
                }
                XCTAssertEqual(values(serial), values(whole), "round \(round), stage \(stage), seed \(seed)")
            }
        }
    }

    /// Two ranks with half of the samples each, different machines by any measure, that add words with an all-reduce.
    /// Each gets the bits of the single call: value, parts, and its share of the gradient.
    func testTwoRanks() throws {
        let seed = testSeed(202)
        var generator = Generator(seed: seed)
        for round in 0..<Self.rounds {
            var problem = generator.anything()
            while problem.samples < 2 { problem = generator.anything() }
            let message = "round \(round), seed \(seed), \(problem.terms)"
            let cut = 1 + generator.random.below(problem.samples - 1)
            let parts = [Part(samples: 0..<cut), Part(samples: cut..<problem.samples)]
            let sets = InstructionSet.available
            let options = [
                Options(threads: 1, instructionSet: sets[0]), Options(threads: 2, instructionSet: sets[sets.count - 1]),
            ]
            let labels: [Configuration.LabelType] = [.uint8, .int64]

            var single = try Evaluator(problem)
            var batch = Batch(problem)
            let expected = try batch.evaluateGradient(&single)

            var ranks = try (0..<2).map { rank in
                try Rank(problem, parts[rank], options[rank], labels[rank])
            }
            for stage in 0..<single.stageCount {
                let range = try ranks[0].totals.wordRange(ofStage: stage)
                for rank in 0..<2 { try ranks[rank].accumulate(stage) }
                let sums = range.map { ranks[0].totals.words[$0] + ranks[1].totals.words[$0] }
                for rank in 0..<2 { ranks[rank].totals.words.replaceSubrange(range, with: sums) }
            }
            XCTAssertEqual(ranks[0].totals, ranks[1].totals, message)
            var gradient: [Float] = []
            for rank in 0..<2 {
                let (evaluation, share) = try ranks[rank].finish(inPlace: round % 2 == 0)
                XCTAssertEqual(evaluation, expected, message)
                gradient += share
            }
            XCTAssertTrue(sameBits(gradient, batch.gradient), message)
        }
    }

    /// 2^20 copies of a batch's totals, by doubling: a million times each value, without a word running over.
    func testManyMerges() throws {
        var generator = Generator(seed: testSeed(203))
        for activation in Problem.Activation.allCases {
            let problem = generator.problem(
                activation, samples: 2, classes: 3, voxels: 300,
                terms: generator.terms(activation, classes: 3))
            var evaluator = try Evaluator(problem)
            var totals = evaluator.makeTotals()
            try Batch(problem).accumulate(&evaluator, into: &totals)
            let range = try totals.wordRange(ofStage: 0)
            let once = totals.words[range]
            for _ in 0..<20 { try totals.merge(totals) }
            XCTAssertEqual(Array(totals.words[range]), once.map { $0 << 20 })
        }
    }

    // MARK: Stages

    /// The stages' words lie one after another and are all there are; a stage adds to its own alone.
    func testStages() throws {
        var generator = Generator(seed: testSeed(204))
        for scope in [Term.Scope.sample, .batch] {
            let balanced = Term(
                .balancedBinaryCrossEntropy(negativeRatio: 0.3, minimumNegatives: 0, epsilon: 0, scope: scope))
            let dice = Term(
                .dice(
                    smoothNumerator: 1, smoothDenominator: 1, squared: false, scope: scope, excludeBackground: false,
                    classWeights: nil))
            let mined = Term(
                .onlineHardExampleMining(threshold: 0.01, minimumKept: 99, classWeights: [1, 3], scope: scope))
            for (terms, stages) in [([balanced], 4), ([dice, balanced], 4), ([dice], 1), ([mined], 5)] {
                let problem = generator.problem(
                    .sigmoid, samples: 3, classes: 2, voxels: 500, terms: terms, flavour: .ties)
                var evaluator = try Evaluator(problem)
                XCTAssertEqual(evaluator.stageCount, scope == .batch ? stages : 1)
                var totals = evaluator.makeTotals()
                XCTAssertEqual(totals.words, Array(repeating: 0, count: totals.words.count))
                var end = 0
                for stage in 0..<evaluator.stageCount {
                    let range = try totals.wordRange(ofStage: stage)
                    XCTAssertEqual(range.lowerBound, end)
                    XCTAssertFalse(range.isEmpty)
                    end = range.upperBound
                    let before = totals.words
                    try Batch(problem).accumulate(&evaluator, stage: stage, into: &totals)
                    XCTAssertNotEqual(totals.words[range], before[range], "stage \(stage) found nothing")
                    XCTAssertEqual(totals.words[..<range.lowerBound], before[..<range.lowerBound])
                    XCTAssertEqual(totals.words[range.upperBound...], before[range.upperBound...])
                    // A second batch's words are added to what is there. (A sample with a ranking of its own has its
                    // threshold among the words: such a sample can be accumulated once only.)
                    var twice = totals
                    if stage == 0 && (stages == 1 || scope == .batch) {
                        try Batch(problem).accumulate(&evaluator, stage: stage, into: &twice)
                        XCTAssertEqual(values(twice), values(totals).map { 2 * $0 })
                    }
                }
                XCTAssertEqual(end, totals.words.count)
                let expected = try Batch(problem).evaluate(&evaluator)
                XCTAssertEqual(try evaluator.finish(totals).evaluation, expected)
                // For another batch.
                totals.reset()
                XCTAssertEqual(totals, evaluator.makeTotals())
            }
        }
    }

    // MARK: Exactness

    /// Voxel weights of all magnitudes, one to a lane: loss and weight are the sums of their quanta, taken as integers
    /// from the floats' bits. With p = 0 and g = 1 a loss is 100 v.
    func testExactness() throws {
        let seed = testSeed(205)
        var random = SplitMix64(seed: seed)
        let voxels = 64 * 700 + 11
        var problem = Problem(
            samples: 1, classes: 1, voxels: voxels, activation: .probabilities,
            terms: [Term(.binaryCrossEntropy(positiveWeights: nil, divisor: .weight))],
            logits: Array(repeating: 0, count: voxels), target: .labels(Array(repeating: 1, count: voxels)),
            weights: Array(repeating: 0, count: voxels))
        var loss: Int128 = 0
        var weight: Int128 = 0
        for i in 0..<voxels where i % 64 < 16 {
            let special: [Float] = [
                0x1p12, 0x1.fffffep11, 0x1p-32, 0x1.8p-32, 0x1p-33, 0x1.000002p-33, 0x1.4p-31, .leastNonzeroMagnitude,
                0x1p-149, 1, 0x1.000002p0, 0x1p-9, 0x1.fffffep-10,
            ]
            let v = random.chance(0.5) ? random.element(of: special) : random.unit() * 4096
            problem.weights![i] = v
            loss += quanta(100 * v)
            weight += quanta(v)
        }
        XCTAssertTrue(loss > Int128(Int64.max) / 16, "not large")
        for set in InstructionSet.available {
            for threads in [1, 2] {
                var evaluator = try Evaluator(problem, Options(threads: threads, instructionSet: set))
                var totals = evaluator.makeTotals()
                try Batch(problem).accumulate(&evaluator, into: &totals)
                XCTAssertEqual(values(totals), [loss, weight, Int128(voxels)], "\(set), \(threads), seed \(seed)")
                let expected = Double(loss) / Double(weight)
                XCTAssertEqual(try evaluator.finish(totals).evaluation.value, expected)
                XCTAssertEqual(try Batch(problem).evaluate(&evaluator).value, expected)
            }
        }
    }

    /// Sums that pass 2^63 quanta: 200,000 losses of nearly 2^19.
    func testSumsBeyondOneWord() throws {
        let voxels = 200_000
        let v: Float = 0x1.4p12  // 512,000 with the loss of 100
        var problem = Problem(
            samples: 1, classes: 1, voxels: voxels, activation: .probabilities,
            terms: [Term(.binaryCrossEntropy(positiveWeights: nil, divisor: .constant(1)))],
            logits: Array(repeating: 0, count: voxels),
            target: .labels((0..<voxels).map { $0 % 64 < 16 ? 1 : 0 }), weights: Array(repeating: v, count: voxels))
        problem.mask = (0..<voxels).map { $0 % 64 < 16 ? 1 : 0 }
        let count = Int128((0..<voxels).count { $0 % 64 < 16 })
        var evaluator = try Evaluator(problem)
        var totals = evaluator.makeTotals()
        try Batch(problem).accumulate(&evaluator, into: &totals)
        let sum = count * (512_000 << 32)
        XCTAssertTrue(sum > Int128(Int64.max))
        XCTAssertEqual(values(totals), [sum, count * (5120 << 32), count])
        XCTAssertEqual(try evaluator.finish(totals).evaluation.value, Double(count) * 512_000)
    }

    /// Probabilities and soft targets as integers: multiples of 2^-20 of all sizes, whose products and trees are exact.
    func testExactRegionSums() throws {
        let seed = testSeed(206)
        var random = SplitMix64(seed: seed)
        let voxels = 64 * 300 + 5
        func value() -> Float {
            random.element(of: [0, 1, 0x1p-10, 1 - 0x1p-10, 0.5, Float(random.below(1025)) / 1024])
        }
        let p = (0..<voxels).map { _ in value() }
        let g = (0..<voxels).map { _ in value() }
        let problem = Problem(
            samples: 1, classes: 1, voxels: voxels, activation: .probabilities,
            terms: [
                Term(
                    .dice(
                        smoothNumerator: 0, smoothDenominator: 0, squared: true, scope: .sample,
                        excludeBackground: false, classWeights: nil))
            ], logits: p, target: .dense(g, byte: false))
        func units(_ value: Float) -> Int128 { Int128(value * 1024) }
        let sums = [
            zip(p, g).reduce(0) { $0 + units($1.0) * units($1.1) } << 28, p.reduce(0) { $0 + units($1) } << 38,
            p.reduce(0) { $0 + units($1) * units($1) } << 28, g.reduce(0) { $0 + units($1) } << 38,
            g.reduce(0) { $0 + units($1) * units($1) } << 28,
        ]
        for set in InstructionSet.available {
            var evaluator = try Evaluator(problem, Options(instructionSet: set))
            var totals = evaluator.makeTotals()
            try Batch(problem).accumulate(&evaluator, into: &totals)
            XCTAssertEqual(Array(values(totals).prefix(5)), sums, "\(set), seed \(seed)")
        }
    }

    // MARK: Copies

    /// A copy of an evaluator computes the same and disturbs nothing, in the middle of a batch too.
    func testForks() throws {
        let seed = testSeed(207)
        var generator = Generator(seed: seed)
        for round in 0..<Self.rounds / 5 {
            let problem = generator.anything()
            let other = generator.moderate(problem)
            var evaluator = try Evaluator(problem)
            var totals = evaluator.makeTotals()
            let expected = try Batch(problem).evaluate(&evaluator)
            for stage in 0..<evaluator.stageCount {
                var fork = evaluator
                var forked = totals
                try Batch(problem).accumulate(&evaluator, stage: stage, into: &totals)
                // The fork goes elsewhere, and comes back.
                _ = try Batch(other).evaluate(&fork)
                try Batch(problem).accumulate(&fork, stage: stage, into: &forked)
                XCTAssertEqual(forked, totals, "round \(round), seed \(seed)")
            }
            var fork = evaluator
            let finished = try evaluator.finish(totals)
            let again = try fork.finish(totals)
            XCTAssertEqual(again, finished, "round \(round), seed \(seed)")
            XCTAssertEqual(finished.evaluation, expected, "round \(round), seed \(seed)")
            var batch = Batch(problem)
            try batch.gradient(&fork, finished.coefficients)
            var direct = Batch(problem)
            _ = try direct.evaluateGradient(&evaluator)
            XCTAssertTrue(sameBits(batch.gradient, direct.gradient), "round \(round), seed \(seed)")
        }
    }

    // MARK: Help

    /// One rank of a data-parallel step.
    private struct Rank {
        let part: Part
        var evaluator: Evaluator
        var batch: Batch
        var totals: Totals

        init(_ problem: Problem, _ part: Part, _ options: Options, _ labels: Configuration.LabelType) throws {
            self.part = part
            evaluator = try Evaluator(problem, options)
            batch = Batch(problem.cut(part), labels: labels)
            totals = evaluator.makeTotals()
        }

        mutating func accumulate(_ stage: Int) throws {
            try batch.accumulate(&evaluator, part: part, stage: stage, into: &totals)
        }

        /// The loss, and this rank's share of the gradient.
        mutating func finish(inPlace: Bool) throws -> (Evaluation, [Float]) {
            let finished = try evaluator.finish(totals)
            if inPlace {
                try batch.gradientInPlace(&evaluator, part: part, finished.coefficients)
                return (finished.evaluation, batch.logits)
            }
            try batch.gradient(&evaluator, part: part, finished.coefficients)
            return (finished.evaluation, batch.gradient)
        }
    }

    private func parts(of problem: Problem, _ generator: inout Generator) -> [Part] {
        Part.randomCut(
            problem, wholeSamples: problem.terms.contains(where: \.isBalanced), using: &generator.random)
    }

    /// What totals stand for: a word and the next one are 2^32 of the first and one of the second (arithmetic 6.4).
    /// Words that are counts of their own come in pairs too, which changes nothing about equality.
    private func values(_ totals: Totals) -> [Int128] {
        stride(from: 0, to: totals.words.count, by: 2).map { at in
            let low = at + 1 < totals.words.count ? totals.words[at + 1] : 0
            return Int128(totals.words[at]) << 32 + Int128(low)
        }
    }

    /// A float that is not negative in units of 2^-32, to nearest, ties to even, by its bits alone.
    private func quanta(_ value: Float) -> Int128 {
        let exponent = Int(value.bitPattern >> 23)
        let fraction = Int128(value.bitPattern & 0x7f_ffff)
        let significand = exponent == 0 ? fraction : fraction + 0x80_0000
        let shift = max(exponent, 1) - 150 + 32
        if shift >= 0 { return significand << Int128(shift) }
        if shift < -30 { return 0 }
        let floor = significand >> Int128(-shift)
        let rest = significand - floor << Int128(-shift)
        let half = Int128(1) << Int128(-shift - 1)
        return rest > half || rest == half && floor & 1 == 1 ? floor + 1 : floor
    }
}
