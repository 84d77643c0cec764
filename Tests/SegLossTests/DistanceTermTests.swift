import Foundation
import SegLoss
import SegLossReference
import XCTest

/// Boundary and Hausdorff losses, whose maps of distances are made inside the call.
final class DistanceTermTests: XCTestCase {
    typealias Term = SegLossReference.Term

    private func terms(_ kind: Term.Kind) -> [Term] { [Term(kind, weight: 0.75)] }

    /// A problem of blobs in two or three dimensions.
    private func problem(
        _ generator: inout Generator, _ activation: Problem.Activation, extents: [Int], classes: Int, samples: Int = 2,
        _ terms: [Term], subject: Subject = .blobs, ignoring: Bool = false, masked: Bool = false,
        weighted: Bool = false
    ) -> Problem {
        var problem = generator.problem(
            activation, samples: samples, classes: classes, voxels: extents.reduce(1, *), terms: terms,
            subject: subject,
            ignoring: ignoring, masked: masked, weighted: weighted)
        problem.extents = extents
        return problem
    }

    private static let shapes: [[Int]] = {
        let small = [[1, 1, 1], [1, 1, 70], [1, 9, 1], [1, 13, 21], [4, 5, 13], [7, 1, 11]]
        return OracleTests.slow ? small + [[1, 67, 130]] : small
    }()

    // MARK: - Bits

    /// Every option of each kind, on every instruction set, in every shape.
    func testBits() {
        let seed = testSeed(1301)
        var generator = Generator(seed: seed)
        for extents in Self.shapes {
            for activation in Problem.Activation.allCases {
                for round in 0..<6 {
                    let classes = activation == .softmax ? 2 + generator.random.below(4) : 1 + generator.random.below(3)
                    let options = generator.distances(classes, isHausdorff: round % 2 == 1)
                    let terms = terms(round % 2 == 1 ? .hausdorff(options) : .boundary(options))
                    let subject = generator.random.element(of: [
                        Subject.blobs, .absentClass, .background, .soft, .bytes,
                    ])
                    let problem = problem(
                        &generator, activation, extents: extents, classes: classes, terms, subject: subject,
                        ignoring: generator.random.chance(0.4), masked: generator.random.chance(0.4),
                        weighted: generator.random.chance(0.4))
                    let expected = Reference.evaluate(problem)
                    for set in InstructionSet.available {
                        for threads in [1, 3] {
                            var configuration = Configuration()
                            configuration.instructionSet = set
                            configuration.threads = threads
                            configuration.labels = [generator.random.element(of: Configuration.LabelType.allCases)]
                            configuration.misalignment = generator.random.below(4)
                            configuration.checks = generator.random.element(of: [.beforeWriting, .whileWriting])
                            assertSameBits(
                                problem, configuration, expected, "extents \(extents), round \(round), seed \(seed)")
                        }
                    }
                }
            }
        }
    }

    /// Enough voxels for several threads, in one sample, in several, and in many together of which none has enough.
    func testThreads() throws {
        var generator = Generator(seed: testSeed(1307))
        for (samples, extents) in [(1, [1, 210, 300]), (3, [9, 50, 70]), (70, [1, 8, 40])] {
            for activation in Problem.Activation.allCases {
                for kind in 0..<2 {
                    let options = generator.distances(3, isHausdorff: kind == 1)
                    let terms = terms(kind == 1 ? .hausdorff(options) : .boundary(options))
                    let problem = problem(
                        &generator, activation, extents: extents, classes: 3, samples: samples, terms,
                        ignoring: kind == 0, masked: generator.random.chance(0.5))
                    var configuration = Configuration()
                    configuration.instructionSet = InstructionSet.available[0]
                    let expected = try Library.evaluate(problem, configuration)
                    for set in InstructionSet.available {
                        for threads in [1, 2, 3, 8] {
                            configuration.instructionSet = set
                            configuration.threads = threads
                            assertSameBits(problem, configuration, expected, "\(extents)")
                        }
                    }
                }
            }
        }
    }

    /// A boundary loss is a linear loss whose maps a transform made, bit for bit, as long as nothing is scaled.
    func testBoundaryIsLinear() throws {
        let seed = testSeed(1302)
        var generator = Generator(seed: seed)
        for activation in Problem.Activation.allCases {
            for inner in InnerBoundary.allCases {
                let shape = Shape(samples: 2, classes: 3, extents: [41, 67])
                let problem = generator.problem(activation, samples: 2, classes: 3, voxels: 41 * 67, terms: [])
                guard case .labels(let labels) = problem.target else { return XCTFail("labels") }
                var transform = try DistanceTransform(of: shape, form: .signed(inner), spacing: [2, 0.5])
                let maps = try transform(labels.map { UInt8($0) })
                var inside = try Evaluator(
                    .boundary(innerBoundary: inner, spacing: [2, 0.5], divisor: .all), shape: shape,
                    activation: activated(activation))
                var given = try Evaluator(.linear(divisor: .all), shape: shape, activation: activated(activation))
                var ours = [Float](repeating: 0, count: maps.count)
                var theirs = ours
                let value = try inside.evaluate(
                    logits: problem.logits, labels: labels.map { UInt8($0) }, gradient: &ours)
                let expected = try given.evaluate(
                    logits: problem.logits, labels: labels.map { UInt8($0) }, maps: maps, gradient: &theirs)
                XCTAssertEqual(
                    value.value.bitPattern, expected.value.bitPattern, "\(activation), \(inner), seed \(seed)")
                XCTAssertEqual(
                    ours.map(\.bitPattern), theirs.map(\.bitPattern), "\(activation), \(inner), seed \(seed)")
            }
        }
    }

    private func activated(_ activation: Problem.Activation) -> Activation {
        switch activation {
        case .softmax: .softmax
        case .sigmoid: .sigmoid
        case .probabilities: .probabilities
        }
    }

    /// Units of length are the caller's: in ones 2^k as large the loss is 2^-k, or 2^-(2 k), of what it was.
    func testUnitsOfLength() throws {
        var generator = Generator(seed: testSeed(1303))
        for k in [-12.0, 9, 20] {
            var options = DistanceLoss()
            options.boundary = .half
            var boundary = problem(&generator, .softmax, extents: [1, 30, 40], classes: 3, terms(.boundary(options)))
            var hausdorff = boundary
            hausdorff.terms = terms(.hausdorff(options))
            let plain = try (Library.evaluate(boundary), Library.evaluate(hausdorff))
            options.spacing = [1, pow(2, k), pow(2, k)]
            boundary.terms = terms(.boundary(options))
            hausdorff.terms = terms(.hausdorff(options))
            let scaled = try (Library.evaluate(boundary), Library.evaluate(hausdorff))
            XCTAssertTrue(relativeError(scaled.0.value * pow(2, -k), plain.0.value) <= 1e-6)
            XCTAssertTrue(relativeError(scaled.1.value * pow(2, -2 * k), plain.1.value) <= 1e-6)
            let factor = Float(pow(2, -k))
            for i in plain.0.gradient.indices {
                XCTAssertTrue(abs(scaled.0.gradient[i] * factor - plain.0.gradient[i]) <= 1e-6)
            }
        }
    }

    // MARK: - Values

    /// What the whole library must hold to: value and gradient against the Double oracle.
    func testOracle() throws {
        let seed = testSeed(1304)
        for round in 0..<UInt64(OracleTests.slow ? 200 : 30) {
            var generator = Generator(seed: seed &+ round)
            let activation = generator.random.element(of: Problem.Activation.allCases)
            let classes = activation == .softmax ? 2 + generator.random.below(4) : 1 + generator.random.below(3)
            let isHausdorff = generator.random.chance(0.5)
            let options = generator.distances(classes, isHausdorff: isHausdorff)
            let extents = generator.random.element(of: [[1, 14, 19], [3, 6, 9], [1, 1, 90]])
            let problem = problem(
                &generator, activation, extents: extents, classes: classes,
                terms(isHausdorff ? .hausdorff(options) : .boundary(options)),
                subject: generator.random.element(of: [.blobs, .absentClass, .background, .soft, .bytes]),
                ignoring: generator.random.chance(0.4), masked: generator.random.chance(0.4),
                weighted: generator.random.chance(0.4))
            let exact = Oracle.evaluateWithResolution(problem)
            let outcome = try Library.evaluate(problem)
            // Where maps of both signs cancel, an error is relative to what is added up.
            var summed = problem
            let formulas = Formulas(problem)
            summed.maps = formulas.distanceMaps(options, isHausdorff: isHausdorff).map { Float(abs($0)) }
            summed.terms = terms(.linear(classWeights: formulas.measured(options), divisor: options.divisor))
            let size = isHausdorff ? abs(exact.terms[0]) : abs(Oracle.evaluate(summed).terms[0])
            let error = abs(outcome.terms[0] - exact.terms[0])
            XCTAssertTrue(
                error <= 2e-6 * size + exact.resolutions[0],
                "seed \(seed), round \(round): \(outcome.terms[0]), not \(exact.terms[0]); \(options)")
            let gradientError = gradientError(outcome.gradient.map(Double.init), exact.gradient)
            XCTAssertTrue(gradientError <= 2e-6, "seed \(seed), round \(round): off by \(gradientError); \(options)")
        }
    }

    /// Powers of distances near the ends of what planning accepts.
    func testPowers() throws {
        var generator = Generator(seed: testSeed(1305))
        for (alpha, length) in [(10.0, 100.0), (0.01, 1e6), (10, 1e-3), (4, 1), (2, 1e5), (1, 1e-4)] {
            var options = DistanceLoss()
            options.alpha = alpha
            options.spacing = [1, length, length]
            let problem = problem(&generator, .sigmoid, extents: [1, 12, 12], classes: 2, terms(.hausdorff(options)))
            let exact = Oracle.evaluateWithResolution(problem)
            let outcome = try Library.evaluate(problem)
            XCTAssertTrue(
                abs(outcome.value - exact.value) <= 3e-6 * exact.value + exact.resolutions[0],
                "\(alpha), \(length): \(outcome.value), not \(exact.value)")
            let error = gradientError(outcome.gradient.map(Double.init), exact.gradient)
            XCTAssertTrue(error <= 3e-6, "\(alpha), \(length): gradient off by \(error)")
        }
    }

    /// Maps are scaled for the longest distance there could be; short ones must not vanish beside it, neither in the
    /// value nor, with the logarithm, in the gradient.
    func testShortDistancesInALargeImage() throws {
        var generator = Generator(seed: testSeed(1306))
        for activation in Problem.Activation.allCases {
            for (alpha, logarithm) in [(2.0, false), (3, true), (4, false), (4, true), (6, true)] {
                var options = DistanceLoss()
                (options.alpha, options.logarithm) = (alpha, logarithm)
                var problem = problem(
                    &generator, activation, extents: [1, 1, 3000], classes: 2, samples: 1,
                    terms(.hausdorff(options)))
                problem.target = .labels((0..<3000).map { $0 / 8 % 2 })
                problem.logits = (0..<6000).map {
                    let sign: Float = $0 / 3000 == $0 % 3000 / 8 % 2 ? 1 : -1
                    let logit = sign + 0.5 * generator.random.normal()
                    return activation == .probabilities ? 1 / (1 + exp(-logit)) : logit
                }
                let exact = Oracle.evaluate(problem)
                var configuration = Configuration()
                configuration.perClass = activation == .softmax
                let outcome = try Library.evaluate(problem, configuration)
                let what = "\(activation), alpha \(alpha), logarithm \(logarithm)"
                XCTAssertTrue(
                    relativeError(outcome.value, exact.value) <= 3e-6, "\(what): \(outcome.value), not \(exact.value)")
                let error = gradientError(outcome.gradient.map(Double.init), exact.gradient)
                XCTAssertTrue(error <= 3e-6, "\(what): gradient off by \(error)")
                let total = outcome.perClass.reduce(0, +), term = logarithm ? expm1(exact.terms[0]) : exact.terms[0]
                XCTAssertTrue(relativeError(total, term) <= 3e-6, "\(what): parts are \(total), not \(term)")
            }
        }
    }

    /// A square of 2 x 2 in the middle of 4 x 4, by hand.
    func testByHand() throws {
        let labels: [UInt8] = [0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0]
        let shape = Shape.planar(samples: 1, classes: 1, height: 4, width: 4)
        let p = [Float](repeating: 0.25, count: 16)
        // Eight voxels at 1, four corners at sqrt 2; inside 0 as published.
        var boundary = try Evaluator(.boundary(divisor: .constant(1)), shape: shape, activation: .probabilities)
        let expected = 0.25 * (8 + 4 * 2.0.squareRoot())
        XCTAssertTrue(relativeError(try boundary.evaluate(logits: p, labels: labels).value, expected) <= 1e-7)
        // Nothing is predicted, and nothing is far from it: the target's squares alone, 1 x 8 + 2 x 4 and 1 x 4 inside.
        var hausdorff = try Evaluator(.hausdorff(divisor: .constant(1)), shape: shape, activation: .probabilities)
        let squares = 0.0625 * (8 + 8) + 0.5625 * 4
        XCTAssertTrue(relativeError(try hausdorff.evaluate(logits: p, labels: labels).value, squares) <= 1e-7)
        var inside = try Evaluator(
            .hausdorff(sides: .inside, logarithm: true, divisor: .constant(1)), shape: shape, activation: .probabilities
        )
        XCTAssertTrue(relativeError(try inside.evaluate(logits: p, labels: labels).value, log1p(0.5625 * 4)) <= 1e-7)
        // A prediction of everything is as far from nothing; with the diagonal it is that far.
        let all = [Float](repeating: 0.75, count: 16)
        let background = [UInt8](repeating: 0, count: 16)
        XCTAssertEqual(try hausdorff.evaluate(logits: all, labels: background).value, 0)
        var far = try Evaluator(
            .hausdorff(far: .diagonal, divisor: .constant(1)), shape: shape, activation: .probabilities)
        XCTAssertEqual(try far.evaluate(logits: all, labels: background).value, 16 * 0.5625 * (32 + 32))
    }

    /// Ignored and masked voxels are outside every region, and have no loss and no gradient.
    func testIgnoredVoxels() throws {
        let labels: [UInt8] = [1, 1, 255, 0, 0, 0]
        var evaluator = try Evaluator(
            .boundary(innerBoundary: .minusOne, divisor: .constant(1)),
            shape: .planar(samples: 1, classes: 1, height: 1, width: 6),
            activation: .probabilities, options: Options(ignoreIndex: 255))
        var gradient = [Float](repeating: 9, count: 6)
        let p: [Float] = [1, 1, 1, 1, 1, 1]
        let value = try evaluator.evaluate(logits: p, labels: labels, gradient: &gradient).value
        XCTAssertEqual(gradient, [-2, -1, 0, 2, 3, 4])
        XCTAssertEqual(value, 6)
        var masked = try Evaluator(
            .boundary(innerBoundary: .minusOne, divisor: .constant(1)),
            shape: .planar(samples: 1, classes: 1, height: 1, width: 6),
            activation: .probabilities)
        let mask: [UInt8] = [1, 1, 0, 1, 1, 1]
        _ = try masked.evaluate(logits: p, labels: [1, 1, 1, 0, 0, 0] as [UInt8], mask: mask, gradient: &gradient)
        XCTAssertEqual(gradient, [-2, -1, 0, 2, 3, 4])
    }

    // MARK: - Outputs

    /// Values of samples, parts of classes and losses of voxels.
    func testOutputs() throws {
        let seed = testSeed(1306)
        for round in 0..<UInt64(60) {
            var generator = Generator(seed: seed &+ round)
            let activation = generator.random.element(of: Problem.Activation.allCases)
            let isHausdorff = generator.random.chance(0.5)
            let options = generator.distances(3, isHausdorff: isHausdorff)
            let problem = problem(
                &generator, activation, extents: [1, 15, 17], classes: 3,
                terms(isHausdorff ? .hausdorff(options) : .boundary(options)), ignoring: generator.random.chance(0.5),
                masked: generator.random.chance(0.3), weighted: generator.random.chance(0.3))
            var configuration = Configuration()
            configuration.perSample = true
            configuration.perClass = true
            var expected = Reference.evaluate(problem, classParts: true)
            expected.perSample = Reference.perSample(problem)
            assertSameBits(problem, configuration, expected, "round \(round), seed \(seed)")

            guard case .labels(let labels) = problem.target else { return XCTFail("labels") }
            var evaluator = try Evaluator(
                Library.loss(problem.terms), shape: Shape(samples: 2, classes: 3, extents: problem.extents),
                activation: activated(activation), options: Options(ignoreIndex: problem.ignoreIndex))
            for term in [nil, 0] as [Int?] {
                let map = Reference.lossMap(problem, term: term)
                let ours = try evaluator.lossMap(
                    logits: problem.logits, labels: labels.map { Int32($0) }, mask: problem.mask,
                    weights: problem.weights,
                    term: term)
                XCTAssertEqual(ours.map(\.bitPattern), map.map(\.bitPattern), "round \(round), seed \(seed)")
            }
        }
    }

    /// Parts of a batch are whole samples, each with the maps of its own.
    func testPartsAreWholeSamples() throws {
        let shape = Shape.planar(samples: 2, classes: 2, height: 8, width: 16)
        for loss in [Loss.boundary(), .hausdorff()] {
            var evaluator = try Evaluator(loss + .crossEntropy(), shape: shape, activation: .softmax)
            var totals = evaluator.makeTotals()
            let logits = [Float](repeating: 0, count: 2 * 64)
            XCTAssertThrowsError(
                try evaluator.accumulate(
                    logits: logits.span, labels: [UInt8](repeating: 0, count: 64).span,
                    part: Part(samples: 0..<1, voxels: 0..<64),
                    into: &totals)
            ) { error in
                XCTAssertEqual((error as? LossError)?.kind, .badPart)
                XCTAssertTrue((error as? LossError)?.message.contains("whole samples") == true, "\(error)")
            }
        }
    }

    /// Totals of one shape are none of another with as many voxels: the distances are others.
    func testTotalsAreOfAShape() throws {
        let a = try Evaluator(
            .boundary(), shape: .planar(samples: 1, classes: 2, height: 8, width: 16), activation: .softmax)
        var b = try Evaluator(
            .boundary(), shape: .planar(samples: 1, classes: 2, height: 16, width: 8), activation: .softmax)
        XCTAssertThrowsError(try b.finish(a.makeTotals()))
    }
}

/// The strategies of the boundary loss.
final class BoundaryScheduleTests: XCTestCase {
    private func check(
        _ schedule: BoundarySchedule, _ epoch: Int, _ region: Double, _ boundary: Double, line: UInt = #line
    ) {
        let weights = schedule.weights(epoch: epoch)
        XCTAssertTrue(abs(weights.region - region) <= 1e-12, "\(weights)", line: line)
        XCTAssertTrue(abs(weights.boundary - boundary) <= 1e-12, "\(weights)", line: line)
    }

    func testWeights() {
        check(.constant(alpha: 0.3), 0, 1, 0.3)
        check(.constant(alpha: 0.3), 500, 1, 0.3)
        check(.increase(), 0, 1, 0.01)
        check(.increase(), 9, 1, 0.1)
        check(.increase(from: 0, by: 0.5), 10, 1, 5)
        check(.rebalance(), 0, 0.99, 0.01)
        check(.rebalance(), 49, 0.5, 0.5)
        check(.rebalance(), 99, 0, 1)
        check(.rebalance(), 1000, 0, 1)
        check(.rebalance(from: 0, most: 0.99), 0, 1, 0)
        check(.rebalance(from: 0, most: 0.99), 1000, 0.01, 0.99)
        check(.steal(), 0, 1, 0.01)
        check(.steal(), 50, 0.5, 0.51)
        check(.steal(), 200, 0.1, 2.01)
        check(.increase(), -3, 1, 0.01)
    }

    func testLoss() {
        let loss = BoundarySchedule.rebalance(from: 0.25, by: 0.25).loss(
            region: .dice(), boundary: .boundary(), epoch: 1)
        XCTAssertEqual(loss.terms.map(\.weight), [0.5, 0.5])
        XCTAssertEqual(loss.terms.map(\.term), (Loss.dice() + .boundary()).terms.map(\.term))
    }
}
