import CLossKernels
import SegLoss
import SegLossReference
import XCTest

/// The values of single samples have the bits of plans for one sample, and change nothing else. (ParityTests compares
/// them with the reference, in parts and in one call.)
final class PerSampleTests: XCTestCase {
    typealias Term = SegLossReference.Term

    /// As the library itself computes each sample alone.
    func testOfOneSampleEach() throws {
        let seed = testSeed(401)
        var generator = Generator(seed: seed)
        generator.takesAnyRegion = true
        generator.takesRankings = true
        for round in 0..<ParityTests.rounds / 2 {
            let problem = generator.anything()
            let message = "round \(round), seed \(seed), \(problem.terms)"
            let options = Options(
                ignoreIndex: problem.ignoreIndex, checks: generator.random.element(of: [.beforeWriting, .whileWriting]))
            var asked = options
            asked.perSample = true
            var evaluator = try Evaluator(problem, asked)
            var batch = Batch(problem)
            let withGradient = round % 2 == 0
            let evaluation = try withGradient ? batch.evaluateGradient(&evaluator) : batch.evaluate(&evaluator)

            var plain = try Evaluator(problem, options)
            var other = Batch(problem)
            let without = try withGradient ? other.evaluateGradient(&plain) : other.evaluate(&plain)
            XCTAssertEqual(evaluation.value.bitPattern, without.value.bitPattern, message)
            XCTAssertEqual(evaluation.terms.map(\.value), without.terms.map(\.value), message)
            XCTAssertEqual(evaluation.terms.map(\.perClass), without.terms.map(\.perClass), message)
            XCTAssertTrue(sameBits(batch.gradient, other.gradient), message)
            XCTAssertTrue(without.perSample.isEmpty && without.terms.allSatisfy { $0.perSample.isEmpty }, message)

            XCTAssertEqual(evaluation.perSample.count, problem.samples, message)
            for sample in 0..<problem.samples {
                let alone = problem.sample(sample)
                var one = try Evaluator(alone, options)
                let expected = try Batch(alone).evaluate(&one)
                var sum = 0.0
                for (i, term) in problem.terms.enumerated() {
                    let value = term.kind.selectsInBatch ? 0 : expected.terms[i].value
                    XCTAssertEqual(
                        evaluation.terms[i].perSample[sample].bitPattern, value.bitPattern,
                        "term \(i) of sample \(sample), \(message)")
                    sum += term.weight * value
                }
                XCTAssertEqual(evaluation.perSample[sample], sum, message)
            }
        }
    }

    /// Many samples on several threads, with runs that end within samples.
    func testThreads() throws {
        let seed = testSeed(402)
        var generator = Generator(seed: seed)
        for activation in Problem.Activation.allCases {
            let terms = generator.terms(activation, classes: 3)
            let problem = generator.problem(
                activation, samples: 5, classes: 3, voxels: 30_001, terms: terms, masked: true, weighted: true)
            var expected = Reference.evaluate(problem)
            expected.perSample = Reference.perSample(problem)
            for threads in [1, 2, 3, 8] {
                var configuration = Configuration()
                configuration.threads = threads
                configuration.perSample = true
                assertSameBits(problem, configuration, expected, "seed \(seed)")
            }
        }
    }

    /// Channels that lie side by side are staged together.
    func testChannelsLast() throws {
        var generator = Generator(seed: testSeed(403))
        let terms: [Term] = [
            Term(.focal(gamma: 2, alpha: 0.25, divisor: .weight)),
            Term(.binaryCrossEntropy(positiveWeights: nil, classWeights: [1, 2, 3], divisor: .valid)),
        ]
        let problem = generator.problem(.sigmoid, samples: 3, classes: 3, voxels: 500, terms: terms, weighted: true)
        let shape = Shape.flat(samples: 3, classes: 3, voxels: 500)
        var last = problem.logits
        for n in 0..<3 {
            for c in 0..<3 {
                for i in 0..<500 { last[(n * 500 + i) * 3 + c] = problem.logits[(n * 3 + c) * 500 + i] }
            }
        }
        var evaluator = try Evaluator(
            Library.loss(terms), shape: shape, activation: .sigmoid, options: Options(perSample: true))
        var gradient = last.map { _ in Float.nan }
        let labels = problem.labels.map { UInt8($0) }
        let weights = try XCTUnwrap(problem.weights)
        var span = gradient.mutableSpan
        let evaluation = try evaluator.evaluate(
            logits: last.span, labels: labels.span, weights: weights.span, layout: .channelsLast(shape),
            gradient: &span)
        XCTAssertEqual(evaluation.terms.flatMap(\.perSample), Reference.perSample(problem))
        let value = try evaluator.evaluate(
            logits: last.span, labels: labels.span, weights: weights.span, layout: .channelsLast(shape))
        XCTAssertEqual(value, evaluation)
    }

    /// A sample of which nothing counts has the value of an empty batch.
    func testEmptySamples() throws {
        var generator = Generator(seed: testSeed(404))
        for activation in Problem.Activation.allCases {
            var problem = generator.problem(
                activation, samples: 3, classes: 2, voxels: 70, terms: generator.terms(activation, classes: 2))
            problem.mask = (0..<210).map { $0 / 70 == 1 ? 0 : 1 }
            var expected = Reference.evaluate(problem)
            expected.perSample = Reference.perSample(problem)
            var configuration = Configuration()
            configuration.perSample = true
            assertSameBits(problem, configuration, expected)
        }
    }

    /// Totals by sample and totals of the batch do not merge.
    func testAgreement() throws {
        let shape = Shape.flat(samples: 2, classes: 2, voxels: 64)
        let batch = try Evaluator(.crossEntropy(), shape: shape, activation: .softmax)
        let samples = try Evaluator(
            .crossEntropy(), shape: shape, activation: .softmax, options: Options(perSample: true))
        var totals = batch.makeTotals()
        do throws(LossError) {
            try totals.merge(samples.makeTotals())
            XCTFail("merged")
        } catch {
            XCTAssertEqual(error.kind, .badTerm)
            XCTAssertTrue(error.message.contains("perSample"), error.message)
        }
    }

    // MARK: Bad calls

    private func call(perSample: Bool) -> RawCall {
        var spec = closs_spec(CLOSS_SOFTMAX, [.dice(), .crossEntropy()])
        spec.per_sample = perSample ? 1 : 0
        let call = RawCall(spec)
        call.result.per_sample_count = 4
        call.result.per_sample = call.block(Double.self, 4) { _ in -5 }
        return call
    }

    private func refused(
        _ answer: RawCall.Answer, _ status: closs_status, _ words: String..., line: UInt = #line
    ) {
        XCTAssertEqual(answer.status, status, answer.message, line: line)
        XCTAssertEqual(answer.index, -1, line: line)
        XCTAssertTrue(answer.isUntouched, "touched; \(answer.message)", line: line)
        for word in words { XCTAssertTrue(answer.message.contains(word), answer.message, line: line) }
    }

    func testBadCalls() {
        for verb in [RawCall.Verb.value, .evaluate, .finish] {
            XCTAssertEqual(call(perSample: true).call(verb).status, CLOSS_OK)
            refused(call(perSample: false).call(verb), CLOSS_BAD_OPTION, "result.per_sample", "made with per_sample")
            var spoiled = call(perSample: true)
            spoiled.result.per_sample_count = 3
            refused(spoiled.call(verb), CLOSS_TOO_SMALL, "result.per_sample", "3", "4")
            spoiled = call(perSample: true)
            spoiled.result.per_sample = spoiled.result.per_class! + 2
            refused(spoiled.call(verb), CLOSS_OVERLAP, "result.per_class and result.per_sample")
            // Not wanted after all.
            spoiled = call(perSample: true)
            spoiled.result.per_sample = nil
            spoiled.result.per_sample_count = 0
            XCTAssertEqual(spoiled.call(verb).status, CLOSS_OK)
        }
    }
}
