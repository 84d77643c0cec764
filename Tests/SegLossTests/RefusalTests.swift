import CLossKernels
import SegLoss
import SegLossReference
import XCTest

/// Refusals that went wrong once: each of these tests failed before its mend.
final class RefusalTests: XCTestCase {
    typealias Term = SegLossReference.Term

    private func refusal(_ problem: Problem, _ change: (inout Configuration) -> Void) -> LossError? {
        var configuration = Configuration()
        change(&configuration)
        do {
            _ = try Library.evaluate(problem, configuration)
            return nil
        } catch {
            return error as? LossError
        }
    }

    /// A sweep that looks at targets only must not be blamed for a logit, or what is named depends on how it was cut.
    func testThreadsNameTheSameValue() {
        var generator = Generator(seed: testSeed(401))
        let binary = Term(.binaryCrossEntropy(positiveWeights: nil, divisor: .weight))
        let balanced = Term(
            .balancedBinaryCrossEntropy(negativeRatio: 3, minimumNegatives: 0, epsilon: 0, scope: .batch))
        for terms in [[binary], [balanced], [binary, balanced]] {
            var problem = generator.problem(
                .sigmoid, samples: 1, classes: 1, voxels: 4352 * 64, terms: terms, masked: true)
            problem.mask![2100 * 64] = 1
            problem.mask![2200 * 64] = 1
            problem.logits[2100 * 64] = .nan
            guard case .labels(var labels) = problem.target else { return XCTFail("labels") }
            labels[2200 * 64] = 9
            problem.target = .labels(labels)
            for checks in [Checks.beforeWriting, .whileWriting] {
                let found = [1, 2, 3].map { threads in
                    refusal(problem) {
                        $0.threads = threads
                        $0.checks = checks
                    }
                }
                XCTAssertNotNil(found[0])
                XCTAssertEqual(Set(found.map { $0?.message ?? "" }).count, 1, "\(found)")
            }
        }
    }

    /// Voxel weights do not enter region terms, on any activation: large ones are no reason to refuse.
    func testWeightsBesideARegionTermAlone() {
        var generator = Generator(seed: testSeed(402))
        let dice = Term(
            .dice(
                smoothNumerator: 1, smoothDenominator: 1, squared: false, scope: .sample, excludeBackground: false,
                classWeights: nil))
        for activation in Problem.Activation.allCases {
            var problem = generator.problem(activation, samples: 1, classes: 2, voxels: 300, terms: [dice])
            let expected = Reference.evaluate(problem)
            problem.weights = Array(repeating: 1e6, count: 300)
            assertSameBits(problem, Configuration(), expected)
        }
    }

    /// The gradient of a part in place of its logits looks before it writes, whatever the plan was asked for.
    func testGradientInPlaceLooksFirst() throws {
        let loss: Loss = .crossEntropy()
        var evaluator = try Evaluator(
            loss, shape: .flat(samples: 1, classes: 2, voxels: 100), activation: .softmax,
            options: Options(checks: .whileWriting))
        let labels = [UInt8](repeating: 1, count: 100)
        var logits = [Float](repeating: 0.5, count: 200)
        var totals = evaluator.makeTotals()
        try evaluator.accumulate(logits: logits.span, labels: labels.span, into: &totals)
        let finished = try evaluator.finish(totals)
        logits[120] = .nan
        let before = logits.map(\.bitPattern)
        let error = gradientInPlace(&evaluator, &logits, labels, finished.coefficients)
        XCTAssertEqual(error?.kind, .notFinite)
        XCTAssertEqual(error?.index, 120)
        XCTAssertEqual(logits.map(\.bitPattern), before)
    }

    // By itself, because the optimiser of Swift 6.3 fails on a mutable span beside a catch.
    @inline(never)
    private func gradientInPlace(
        _ evaluator: inout Evaluator, _ logits: inout [Float], _ labels: [UInt8], _ coefficients: Coefficients
    ) -> LossError? {
        var span = logits.mutableSpan
        return Result { () throws(LossError) in
            try evaluator.gradientInPlace(logits: &span, labels: labels.span, coefficients: coefficients)
        }.failure
    }

    /// Totals know what they are totals of.
    func testForeignTotals() throws {
        let shape: Shape = .planar(samples: 1, classes: 2, height: 4, width: 8)
        var evaluator = try Evaluator(.dice(), shape: shape, activation: .softmax)
        let other = try Evaluator(.dice(denominator: .squared), shape: shape, activation: .softmax)
        let same = try Evaluator(.dice(), shape: shape, activation: .softmax, options: Options(threads: 1))
        XCTAssertThrowsError(try evaluator.finish(other.makeTotals())) {
            XCTAssertEqual(($0 as? LossError)?.kind, .badTerm)
        }
        var totals = evaluator.makeTotals()
        XCTAssertThrowsError(try totals.merge(other.makeTotals()))
        XCTAssertNoThrow(try totals.merge(same.makeTotals()))
        XCTAssertNoThrow(try evaluator.finish(totals))
    }

    /// closs_finish must not be given one buffer for what it reads and what it writes.
    func testFinishRefusesOverlap() {
        var dice = closs_term()
        dice.kind = CLOSS_DICE
        dice.weight = 1
        dice.of.region.smooth_denominator = 1
        withUnsafePointer(to: dice) { terms in
            var spec = closs_spec()
            spec.shape = closs_shape(samples: 1, classes: 2, voxels: 10)
            spec.terms = terms
            spec.term_count = 1
            var plan: OpaquePointer?
            XCTAssertEqual(closs_plan_create(&spec, &plan, nil), CLOSS_OK)
            defer { closs_plan_destroy(plan) }
            let count = max(closs_totals_count(plan), closs_coefficients_count(plan))
            let words = UnsafeMutablePointer<Int64>.allocate(capacity: count)
            words.initialize(repeating: 0, count: count)
            defer { words.deallocate() }
            var result = closs_result()
            var error = closs_error()
            XCTAssertEqual(closs_finish(plan, words, count, &result, words, count, &error), CLOSS_OVERLAP)
            XCTAssertEqual(closs_finish(plan, words, count, &result, nil, 0, &error), CLOSS_OK)
            // A plan that could not be made is none, and may be destroyed.
            var none: OpaquePointer? = OpaquePointer(bitPattern: 0x10)
            spec.term_count = 0
            XCTAssertEqual(closs_plan_create(&spec, &none, &error), CLOSS_BAD_OPTION)
            XCTAssertNil(none)
        }
    }

    /// A weighted mean does not depend on the scale of its class weights, however small they are.
    func testSmallClassWeights() throws {
        var generator = Generator(seed: testSeed(403))
        let weights: [Float] = [0.25, 1, 3.25]
        func problem(_ scale: Float, _ base: Problem?) -> Problem {
            let term = Term(
                .crossEntropy(classWeights: weights.map { $0 * scale }, labelSmoothing: 0.1, divisor: .weight))
            guard var problem = base else {
                return generator.problem(.softmax, samples: 1, classes: 3, voxels: 500, terms: [term])
            }
            problem.terms = [term]
            return problem
        }
        let base = problem(1, nil)
        let expected = try Library.evaluate(base)
        for exponent in [-20, -60, -100, 15] {
            let scaled = try Library.evaluate(problem(Float(sign: .plus, exponent: exponent, significand: 1), base))
            XCTAssertNil(firstDifference(scaled, expected), "2^\(exponent)")
        }
    }
}

extension Result {
    fileprivate var failure: Failure? {
        if case .failure(let failure) = self { failure } else { nil }
    }
}
