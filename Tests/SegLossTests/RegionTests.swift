import SegLoss
import SegLossReference
import XCTest

/// What region terms come to where a formula says nothing by itself, and what they must not depend on.
final class RegionTests: XCTestCase {
    typealias Region = SegLossReference.Region
    typealias Term = SegLossReference.Term

    private func outcome(_ region: Region, _ problem: Problem) throws -> Outcome {
        var problem = problem
        problem.terms = [Term(.region(region))]
        return try Library.evaluate(problem)
    }

    private func problem(_ activation: Problem.Activation = .softmax, _ subject: Subject, seed: UInt64 = 3) -> Problem {
        var generator = Generator(seed: seed)
        return generator.problem(
            activation, samples: 2, classes: 3, voxels: 200, terms: [], flavour: .ordinary, subject: subject)
    }

    /// Every formula, value and rule on an absent class, on nothing but ignored voxels, and on saturated input.
    func testFiniteEverywhere() throws {
        let seed = testSeed(301)
        var generator = Generator(seed: seed)
        for round in 0..<300 {
            let subject: Subject = generator.random.element(of: [.absentClass, .allIgnored, .background])
            let activation = generator.random.element(of: Problem.Activation.allCases)
            let problem = generator.problem(
                activation, samples: 2, classes: 3, voxels: 70,
                terms: [Term(generator.region(3, weighted: generator.random.chance(0.3)))],
                flavour: generator.random.element(of: Flavour.allCases), subject: subject)
            let outcome = try Library.evaluate(problem)
            XCTAssertTrue(outcome.value.isFinite, "round \(round), seed \(seed), \(problem.terms)")
            XCTAssertTrue(outcome.gradient.allSatisfy(\.isFinite), "round \(round), seed \(seed), \(problem.terms)")
        }
    }

    /// The rules for an absent class.
    func testAbsentClass() throws {
        let absent = problem(.softmax, .absentClass)
        var region = Region(.dice)
        (region.smoothNumerator, region.smoothDenominator) = (1, 1)
        region.scope = .batch
        region.classes = [false, false, true]
        region.absent = .natural
        let natural = try outcome(region, absent)
        XCTAssertTrue(natural.value > 0 && natural.value < 1)
        XCTAssertTrue(natural.gradient.contains { $0 != 0 })
        for (rule, value) in [(Region.Absent.zero, 0.0), (.skipped, 0), (.one, 1)] {
            region.absent = rule
            let ruled = try outcome(region, absent)
            XCTAssertEqual(ruled.value, value)
            XCTAssertTrue(ruled.gradient.allSatisfy { $0 == 0 }, "\(rule)")
        }
        region.classes = nil
        region.absent = .skipped
        let ofPresent = try outcome(region, absent)
        region.absent = .zero
        let ofAll = try outcome(region, absent)
        XCTAssertTrue(abs(ofPresent.value * 2 - ofAll.value * 3) <= 1e-12)
    }

    /// A generalized Dice of classes none of which is there.
    func testGeneralizedDiceOfNothing() throws {
        var region = Region(.generalizedDice)
        region.scope = .samplePooled
        region.volumeWeighting = .square
        region.smoothDenominator = 1
        region.classes = [false, false, true]
        let outcome = try outcome(region, problem(.softmax, .absentClass))
        XCTAssertEqual(outcome.value, 0)
        XCTAssertTrue(outcome.gradient.allSatisfy { $0 == 0 })
    }

    /// For hard targets the two ways for prediction and target to meet have the same bits.
    func testMinimumOfHardTargets() throws {
        for activation in Problem.Activation.allCases {
            let problem = problem(activation, .blobs)
            for formula in [Region.Formula.dice, .jaccard, .tversky] {
                var region = Region(formula)
                (region.smoothNumerator, region.smoothDenominator, region.alpha, region.beta) = (1, 1, 0.3, 0.7)
                let product = try outcome(region, problem)
                region.minimum = true
                XCTAssertNil(firstDifference(try outcome(region, problem), product), "\(formula), \(activation)")
            }
        }
    }

    /// One class pooled is one class.
    func testPoolOfOne() throws {
        var region = Region(.dice)
        (region.smoothNumerator, region.smoothDenominator) = (1, 1)
        region.classes = [false, true, false]
        let apart = try outcome(region, problem(.sigmoid, .blobs))
        region.scope = .samplePooled
        let pooled = try outcome(region, problem(.sigmoid, .blobs))
        XCTAssertEqual(apart.value, pooled.value)
        XCTAssertEqual(apart.gradient, pooled.gradient)
    }

    /// Tversky's weights make it Dice, and Jaccard.
    func testTverskyIsDiceAndJaccard() throws {
        let problem = problem(.softmax, .blobs)
        for (formula, weight, smooth) in [(Region.Formula.dice, 0.5, 2.0), (.jaccard, 1, 1)] {
            var other = Region(formula)
            (other.smoothNumerator, other.smoothDenominator) = (smooth, smooth)
            var tversky = Region(.tversky)
            (tversky.smoothNumerator, tversky.smoothDenominator) = (1, 1)
            (tversky.alpha, tversky.beta) = (weight, weight)
            XCTAssertTrue(abs(try outcome(other, problem).value - outcome(tversky, problem).value) <= 1e-14)
        }
    }

    /// With one weight alone it is the precision or the recall, whose harmonic mean is Dice.
    func testLeakyDiceIsPrecisionAndRecall() throws {
        let problem = problem(.sigmoid, .blobs)
        func loss(_ falsePositives: Double, _ falseNegatives: Double) throws -> Outcome {
            var region = Region(.leakyDice)
            (region.alpha, region.beta) = (falsePositives, falseNegatives)
            region.classes = [false, true, false]
            region.scope = .batch
            return try outcome(region, problem)
        }
        var dice = Region(.dice)
        dice.classes = [false, true, false]
        dice.scope = .batch
        let (precision, recall) = (1 - (try loss(1, 0).value), 1 - (try loss(0, 1).value))
        XCTAssertTrue(precision != recall)
        XCTAssertTrue(abs(1 - (try outcome(dice, problem).value) - 2 / (1 / precision + 1 / recall)) <= 1e-14)
        XCTAssertTrue(abs(try loss(2, 5).value - (2 * (1 - precision) + 5 * (1 - recall))) <= 1e-13)
    }

    /// Weights of 1 change nothing but the quantum of the sums; weights of 2 only what smoothing is worth.
    func testWeightedDice() throws {
        var problem = problem(.sigmoid, .blobs)
        var region = Region(.dice)
        let plain = try outcome(region, problem)
        region.weighted = true
        for weight in [Float(1), 2] {
            problem.weights = [Float](repeating: weight, count: 400)
            let weighted = try outcome(region, problem)
            XCTAssertTrue(abs(weighted.value - plain.value) <= 1e-8)
        }
    }

    /// The shared functions in Double, whose bits both sides share: their errors.
    func testReal() {
        let seed = testSeed(302)
        var random = SplitMix64(seed: seed)
        for _ in 0..<100_000 {
            let x = (Double(random.unit()) - 0.5) * 80
            XCTAssertTrue(abs(Real.exp(x) / exp(x) - 1) <= 4 * 0x1p-53, "exp(\(x)), seed \(seed)")
            let y = exp(x)
            XCTAssertTrue(abs(Real.log(y) - log(y)) <= 4 * 0x1p-53 * max(abs(log(y)), 0x1p-20), "log(\(y)), seed \(seed)")
            let z = abs(x) / 40
            let expected = z < 1e-5 ? z * z / 2 : log(cosh(z))
            XCTAssertTrue(abs(Real.logCosh(z) - expected) <= 1e-9 * expected + 1e-16, "logCosh(\(z)), seed \(seed)")
        }
        XCTAssertEqual(Real.log(1), 0)
        XCTAssertEqual(Real.exp(0), 1)
        XCTAssertEqual(Real.logCosh(0), 0)
    }

    // MARK: Bad input

    private func refused(
        _ region: SegLoss.Region, _ words: String..., classes: Int = 3, file: StaticString = #filePath,
        line: UInt = #line
    ) {
        do {
            _ = try Evaluator(
                .crossEntropy() + .region(region), shape: .flat(samples: 2, classes: classes, voxels: 10),
                activation: .softmax)
            XCTFail("not refused", file: file, line: line)
        } catch {
            XCTAssertEqual(error.index, 1, file: file, line: line)
            for word in words + ["terms[1]"] {
                XCTAssertTrue(error.message.contains(word), "'\(error.message)' lacks '\(word)'", file: file, line: line)
            }
        }
    }

    func testRefusedNumbers() {
        for bad in [-1, -1e-30, .nan, .infinity] as [Double] {
            refused(.init(.dice, smooth: .numerator(bad)), "smooth_numerator")
            refused(.init(.dice, smooth: .denominator(bad)), "smooth_denominator")
            refused(.init(.dice, leastDenominator: bad), "least_denominator")
            refused(.init(.dice, leastIntersection: bad), "least_intersection")
            refused(.init(.dice, value: .minusLogScore(least: bad)), "least_score")
            refused(.init(.dice, exponent: .classes(bad)), "exponent")
            refused(.init(.dice, exponent: .mean(bad)), "exponent")
            refused(.init(.dice, exponent: .each([1, 1, Float(bad)])), "class_exponents[2]")
            refused(.init(.tversky(falsePositives: bad, falseNegatives: 1)), "alpha")
            refused(.init(.tversky(falsePositives: 1, falseNegatives: bad)), "beta")
            refused(.init(.leakyDice(falsePositives: bad, falseNegatives: 1)), "alpha")
            refused(.init(.leakyDice(falsePositives: 1, falseNegatives: bad)), "beta")
            refused(.init(.matthews(smoothCounts: bad)), "smooth_counts")
            refused(.init(.matthews(smoothCounts: 0, smoothProduct: bad)), "smooth_product")
            refused(.init(.generalizedDice(.square(offset: bad)), scope: .batchPooled), "volume_offset")
            refused(.init(.generalizedDice(.square(most: bad)), scope: .batchPooled), "most_volume_weight")
            refused(.init(.dice, classWeights: .normalized([1, 1, Float(bad)])), "class_weights[2]")
        }
        refused(.init(.dice, value: .minusLogScore(least: 1.5)), "least_score", "1.5")
        refused(.init(.matthews(smoothCounts: 1e31)), "smooth_counts", "1e+31")
        refused(.init(.matthews(smoothCounts: 0, smoothProduct: 1e31)), "smooth_product", "1e+31")
    }

    func testRefusedCombinations() {
        refused(.init(.generalizedDice(.square())), "pooled")
        refused(.init(.dice, scope: .batchPooled, classWeights: [1, 2, 3]), "inside the sums")
        refused(.init(.dice, classWeights: .inside([1, 2, 3])), "inside the sums", "pooled")
        refused(.init(.dice, scope: .samplePooled, exponent: .each([1, 1, 1])), "class_exponents", "pooled")
        refused(.init(.jaccard, leastIntersection: 1), "least_intersection")
        refused(.init(.tversky(falsePositives: 0, falseNegatives: 0), smooth: .none), "alpha", "beta")
        refused(.init(.tversky(falsePositives: 1, falseNegatives: 1), denominator: .squared), "squared")
        refused(.init(.leakyDice(falsePositives: 0, falseNegatives: 0)), "alpha", "beta")
        refused(.init(.leakyDice(falsePositives: 1, falseNegatives: 1), denominator: .squared), "squared")
        refused(.init(.leakyDice(falsePositives: 1, falseNegatives: 1), leastIntersection: 1), "least_intersection")
        refused(.init(.matthews(smoothCounts: 0), denominator: .squared), "squared")
        refused(.init(.matthews(smoothCounts: 0), leastDenominator: 1), "least_denominator")
        refused(.init(.dice, value: .minusScore, exponent: .mean(2)), "exponent", "minus the score")
        let loss: Loss = .dice() + .dice(voxelWeights: .inSums)
        XCTAssertThrowsError(
            try Evaluator(loss, shape: .flat(samples: 1, classes: 3, voxels: 9), activation: .softmax)
        ) { XCTAssertTrue("\($0)".contains("weighted"), "\($0)") }
    }

    func testRefusedClasses() {
        refused(.init(.dice, classes: .only([])), "classes", "empty")
        refused(.init(.dice, classes: .only([3])), "classes", "3", "0 to 2")
        refused(.init(.dice, classes: .only([-1])), "classes", "-1")
        refused(.init(.dice, classes: .only([0, 511])), "511")
        refused(.init(.dice, classes: .only([1 << 40])), "classes")
        refused(.init(.dice, classes: .only([1, 2]), classWeights: [1, 0, 0]), "class_weights")
        refused(.init(.dice, classWeights: .normalized([1, 1])), "2", "3")
        refused(.init(.dice, exponent: .each([1, 1, 1, 1])), "class_exponents", "4")
    }
}
