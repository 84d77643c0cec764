import CKernelProbe
import SegLoss
import SegLossReference
import XCTest

/// The caller's floating-point environment, whatever it is, changes no bit, and is left as it was.
final class EnvironmentTests: XCTestCase {
    private typealias Term = SegLossReference.Term

    private struct Environment {
        var rounding: probe_rounding
        var flush: Bool
        var name: String

        static let all = [
            ("nearest", PROBE_NEAREST), ("down", PROBE_DOWN), ("up", PROBE_UP), ("to zero", PROBE_TO_ZERO),
        ].flatMap { name, rounding in
            [false, true].map { Environment(rounding: rounding, flush: $0, name: "\(name), flush \($0)") }
        }

        /// Runs `body` with the environment set, and fails unless it still is afterwards.
        func during<Result>(_ message: String, _ body: () throws -> Result) rethrows -> Result {
            let before = probe_environment_set(rounding, flush ? 1 : 0)
            defer { probe_environment_restore(before) }
            let set = probe_environment()
            let result = try body()
            let after = probe_environment()
            if after != set {
                probe_environment_restore(before)
                XCTFail("\(message): the environment was \(set) and is \(after)")
            }
            return result
        }
    }

    /// The environments are really set, or the tests below would test nothing.
    func testTheEnvironmentIsSet() {
        let third: Float = 1 / 3
        for environment in Environment.all {
            let (oneThird, subnormal) = environment.during(environment.name) { (probe_third(), probe_subnormal()) }
            let isDown = environment.rounding == PROBE_DOWN || environment.rounding == PROBE_TO_ZERO
            XCTAssertEqual(oneThird, isDown ? third.nextDown : third, environment.name)
            XCTAssertEqual(subnormal, environment.flush ? 0 : .leastNonzeroMagnitude, environment.name)
        }
        XCTAssertEqual(probe_third(), third)
    }

    /// Every verb of an evaluator made in an ordinary environment.
    func testCalls() throws {
        for (what, problem) in problems() {
            var different: [String] = []
            for threads in [1, 2] {
                for checks in [Checks.beforeWriting, .whileWriting] {
                    let made = try Evaluator(problem, Options(threads: threads, checks: checks))
                    let expected = try everything(made, problem)
                    for environment in Environment.all {
                        let message = "\(what), \(threads) threads, \(environment.name)"
                        let found = try environment.during(message) { try everything(made, problem) }
                        different += differences(found, expected, message)
                    }
                }
            }
            report(different)
        }
    }

    /// Planning too: the constants of a term are rounded then.
    func testPlanning() throws {
        for (what, problem) in problems() {
            var different: [String] = []
            let expected = try everything(Evaluator(problem, Options(threads: 1)), problem)
            for environment in Environment.all {
                let message = "\(what), planned in \(environment.name)"
                let made = try environment.during(message) { try Evaluator(problem, Options(threads: 1)) }
                different += differences(try everything(made, problem), expected, message)
            }
            report(different)
        }
    }

    /// A refused call leaves the environment as it was too.
    func testRefusedCalls() throws {
        for (what, problem) in problems() {
            var bad = problem
            bad.logits[bad.logits.count - 1] = .nan
            for threads in [1, 2] {
                var evaluator = try Evaluator(problem, Options(threads: threads))
                for environment in Environment.all {
                    var batch = Batch(bad)
                    environment.during(what) {
                        do throws(LossError) {
                            _ = try batch.evaluateGradient(&evaluator)
                            XCTFail("\(what): not refused")
                        } catch {
                            XCTAssertTrue(error.kind == .notFinite || error.kind == .badProbability, what)
                        }
                    }
                }
            }
        }
    }

    /// What stands beside the losses too: maps and metrics.
    func testTools() throws {
        let shape = Shape.planar(samples: 1, classes: 3, height: 40, width: 50)
        func stripes(_ width: Int, _ height: Int) -> [UInt8] {
            (0..<2000).map { i -> UInt8 in
                let stripe: Int = i / width + i / height
                return UInt8(stripe % 3)
            }
        }
        let labels = stripes(5, 400)
        let predicted = stripes(6, 300)
        let probabilities = (0..<6000).map { i -> Float in Float(i * 37 % 1009) / 1009 }
        func everything() throws -> (maps: [[Float]], scores: [Double]) {
            var distances = try DistanceTransform(of: shape, form: .signed(.half), spacing: [0.7, 1.3])
            var weights = try BoxWeights(of: shape, window: [9, 6], classes: [1])
            var separation = try CellWeights(of: shape, sigma: 1.7, balanced: true, spacing: [0.7, 1.3])
            var counts = ClassCounts(classes: 3)
            try counts.add(predicted, samples: 1)
            let frequencies = [
                try counts.weights(.balanced, norm: .voxels), try counts.weights(.logarithmic()),
                try counts.weights(.effective(beta: 0.999)),
            ]
            let ofClasses = try ClassWeightMap(frequencies[1])(labels)
            var surfaces = try SurfaceMetric(of: shape, spacing: [0.7, 1.3])
            var thresholds = try ThresholdCounter(of: shape, activation: .sigmoid)
            let apart = try surfaces.distances(predictions: predicted, labels: labels)
            let scored = try thresholds.count(probabilities, labels: labels)
            return (
                [try distances(labels), try weights(labels), try separation(labels), ofClasses] + frequencies,
                apart.values.flatMap { [$0.average, $0.hausdorffPercentile] } + scored.scores(.iou, empty: .one)
            )
        }
        let expected = try everything()
        for environment in Environment.all {
            let found = try environment.during(environment.name) { try everything() }
            for (map, same) in zip(found.maps, expected.maps) {
                XCTAssertEqual(map.map(\.bitPattern), same.map(\.bitPattern), environment.name)
            }
            XCTAssertEqual(found.scores.map(\.bitPattern), expected.scores.map(\.bitPattern), environment.name)
        }
    }

    // MARK: Help

    /// Everything that a call gives.
    private struct Everything {
        var whole, finished: Evaluation
        var totals: [Int64]
        var gradient, inParts, map: [Float]
    }

    private func everything(_ made: Evaluator, _ problem: Problem) throws -> Everything {
        var evaluator = made
        var batch = Batch(problem)
        let whole = try batch.evaluateGradient(&evaluator)
        let gradient = batch.gradient
        var totals = evaluator.makeTotals()
        for stage in 0..<evaluator.stageCount { try batch.accumulate(&evaluator, stage: stage, into: &totals) }
        let finished = try evaluator.finish(totals)
        try batch.gradient(&evaluator, finished.coefficients)
        let isPointwise = problem.terms.contains {
            switch $0.kind {
            case .region, .balancedBinaryCrossEntropy, .topK, .onlineHardExampleMining, .balancedL1, .lovaszSoftmax,
                .lovaszHinge:
                false
            default: true
            }
        }
        let map = try isPointwise
            ? evaluator.lossMap(
                logits: problem.logits, labels: problem.labels, mask: problem.mask, weights: problem.weights) : []
        return Everything(
            whole: whole, finished: finished.evaluation, totals: totals.words, gradient: gradient,
            inParts: batch.gradient, map: map)
    }

    /// What is different, in words.
    private func differences(_ found: Everything, _ expected: Everything, _ message: String) -> [String] {
        var different: [String] = []
        if found.whole != expected.whole { different.append("value \(found.whole.value), not \(expected.whole.value)") }
        if found.finished != expected.finished { different.append("value of totals \(found.finished.value)") }
        if found.totals != expected.totals { different.append("totals") }
        if !sameBits(found.gradient, expected.gradient) { different.append("gradient") }
        if !sameBits(found.inParts, expected.inParts) { different.append("gradient by coefficients") }
        if !sameBits(found.map, expected.map) { different.append("loss map") }
        return different.isEmpty ? [] : ["\(message): \(different.joined(separator: ", "))"]
    }

    private func report(_ different: [String], file: StaticString = #filePath, line: UInt = #line) {
        guard let first = different.first else { return }
        XCTFail("\(first) (and in \(different.count - 1) more ways)", file: file, line: line)
    }

    /// One problem for each family, with inputs, weights and ties among the subnormals.
    private func problems() -> [(String, Problem)] {
        var generator = Generator(seed: testSeed(601))
        let crossEntropy = Term(
            .crossEntropy(classWeights: [0.1, 0.7, 1.3], labelSmoothing: 0.1, divisor: .weight), weight: 0.3)
        let tinyWeights = Term(
            .crossEntropy(classWeights: [0x1p-130, 0.7, 0x1p-128], labelSmoothing: 0.05, divisor: .constant(0.7)))
        let dice = Term(
            .dice(
                smoothNumerator: 1e-5, smoothDenominator: 1e-5, squared: true, scope: .sample,
                excludeBackground: true, classWeights: [1, 0.3, 0.9]), weight: 0.7)
        let binary = Term(.binaryCrossEntropy(positiveWeights: [0.1, 1.7, 0x1p-130], divisor: .weight))
        let focal = Term(.focal(gamma: 1.7, alpha: 0.3, divisor: .valid), weight: 0.7)
        func balanced(_ scope: Term.Scope) -> Term {
            Term(
                .balancedBinaryCrossEntropy(negativeRatio: 1.7, minimumNegatives: 5, epsilon: 1e-6, scope: scope),
                weight: 0.7)
        }
        var all: [(String, Problem)] = []
        for (what, activation, terms) in [
            ("cross entropy", Problem.Activation.softmax, [crossEntropy]), ("tiny weights", .softmax, [tinyWeights]),
            ("softmax dice", .softmax, [dice, crossEntropy]), ("binary", .sigmoid, [binary]),
            ("focal", .sigmoid, [focal]), ("sigmoid dice", .sigmoid, [dice, binary]),
            ("balanced, sample", .sigmoid, [balanced(.sample)]), ("balanced, batch", .sigmoid, [balanced(.batch)]),
            ("probabilities", .probabilities, [dice, focal, binary, balanced(.sample)]),
        ] {
            let isBalanced = terms.contains { if case .balancedBinaryCrossEntropy = $0.kind { true } else { false } }
            // Enough voxels for two threads.
            var problem = generator.problem(
                activation, samples: 2, classes: 3, voxels: 6000, terms: terms, ignoring: true, masked: true,
                weighted: !isBalanced)
            for i in stride(from: 0, to: 600, by: 3) {
                problem.logits[i] = Float(bitPattern: UInt32(1 + i % 5))
                problem.weights?[i] = Float(bitPattern: UInt32(1 + i))
            }
            all.append((what, problem))
        }
        // The threshold is a tie among subnormals, which only some of the tied negatives pass.
        var ties = generator.problem(
            .sigmoid, samples: 2, classes: 1, voxels: 2000, terms: [balanced(.batch)], subject: .background)
        for i in ties.logits.indices { ties.logits[i] = Float(bitPattern: UInt32(i % 7)) }
        ties.labels = ties.labels.indices.map { $0 % 10 == 3 ? 1 : 0 }
        all.append(("subnormal ties, batch", ties))
        ties.terms = [balanced(.sample)]
        all.append(("subnormal ties, sample", ties))
        return all
    }
}
