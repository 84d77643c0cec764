import SegLoss
import SegLossReference
import XCTest

/// What the classes add to the pointwise terms of a softmax. (ParityTests compares the bits with the reference, in
/// parts and in one call.)
final class ClassPartsTests: XCTestCase {
    typealias Term = SegLossReference.Term

    private func asked(_ change: (inout Options) -> Void = { _ in }) -> Options {
        var options = Options(perClass: true)
        change(&options)
        return options
    }

    /// Nothing else changes by a bit, whatever walk the loss would take otherwise.
    func testChangesNothingElse() throws {
        let seed = testSeed(441)
        var generator = Generator(seed: seed)
        generator.takesAnyRegion = true
        for round in 0..<ParityTests.rounds / 2 {
            var problem = generator.anything()
            if round % 3 == 0 {
                // What has walks of its own.
                problem = generator.problem(
                    .softmax, samples: 2, classes: 2 + round % 4, voxels: 300,
                    terms: [Term(.crossEntropy(classWeights: nil, labelSmoothing: 0, divisor: .weight))]
                        + (round % 2 == 0 ? [Term(generator.dice(2 + round % 4))] : []))
            }
            let checks = generator.random.element(of: [Checks.beforeWriting, .whileWriting])
            var evaluator = try Evaluator(problem, asked { $0.checks = checks })
            var plain = try Evaluator(problem, Options(checks: checks))
            var (batch, other) = (Batch(problem), Batch(problem))
            let ours = try batch.evaluateGradient(&evaluator)
            let without = try other.evaluateGradient(&plain)
            let message = "round \(round), seed \(seed), \(problem.terms)"
            XCTAssertEqual(ours.value.bitPattern, without.value.bitPattern, message)
            XCTAssertEqual(ours.terms.map(\.value), without.terms.map(\.value), message)
            XCTAssertTrue(sameBits(batch.gradient, other.gradient), message)
            for (term, (a, b)) in zip(problem.terms, zip(ours.terms, without.terms)) {
                if problem.activation == .softmax, !term.isRegion {
                    XCTAssertEqual(a.perClass.count, problem.classes, message)
                    XCTAssertEqual(b.perClass, [], message)
                } else {
                    XCTAssertEqual(a.perClass, b.perClass, message)
                }
            }
            XCTAssertEqual(try batch.evaluate(&evaluator), ours, message)
        }
    }

    /// The voxels labelled c add what the loss is where all others are masked, to the last bit where the divisor is a
    /// constant.
    func testOfTheVoxelsAlone() throws {
        let seed = testSeed(442)
        var generator = Generator(seed: seed)
        for round in 0..<ParityTests.rounds / 5 {
            let classes = 2 + generator.random.below(5)
            let kind: Term.Kind =
                switch generator.random.below(3) {
                case 0: generator.crossEntropy(classes)
                case 1: .focal(gamma: generator.random.element(of: [0.5, 1, 2, 3.7]), alpha: 0.25, divisor: .all)
                default: .focal(gamma: 2, alpha: 0.25, divisor: .all, classGammas: (0..<classes).map { Float($0) })
                }
            var problem = generator.problem(
                .softmax, samples: 2, classes: classes, voxels: 1 + generator.random.below(300),
                terms: [Term(kind.divided(by: 7.5))], ignoring: generator.random.chance(0.5),
                masked: true, weighted: generator.random.chance(0.5))
            var evaluator = try Evaluator(problem, asked())
            let parts = try Batch(problem).evaluate(&evaluator).terms[0].perClass
            let mask = try XCTUnwrap(problem.mask)
            for c in 0..<classes {
                problem.mask = mask.indices.map { problem.labels[$0] == Int64(c) ? mask[$0] : 0 }
                var alone = try Evaluator(problem)
                let expected = try Batch(problem).evaluate(&alone).terms[0].value
                XCTAssertEqual(
                    parts[c].bitPattern, expected.bitPattern, "class \(c) of round \(round), seed \(seed), \(kind)")
            }
        }
    }

    /// What the values of class c add to a term that is a sum over classes is what it is without the others.
    func testOfTheClassAlone() throws {
        let seed = testSeed(443)
        var generator = Generator(seed: seed)
        for subject in [Subject.blobs, .soft, .bytes] {
            func kinds(_ weights: [Float]?) -> [Term.Kind] {
                [
                    .focal(gamma: 2, alpha: 0.25, classWeights: weights, divisor: .constant(3), perChannel: true),
                    .binaryCrossEntropy(
                        positiveWeights: nil, classWeights: weights, divisor: .constant(3), perChannel: true),
                    .absoluteError(classWeights: weights, divisor: .constant(3)),
                    .smoothL1(beta: 0.5, classWeights: weights, divisor: .constant(3)),
                    .squaredError(classWeights: weights, divisor: .constant(3)),
                    .linear(classWeights: weights, divisor: .constant(3)),
                ]
            }
            var problem = generator.problem(
                .softmax, samples: 2, classes: 4, voxels: 500, terms: kinds(nil).map { Term($0) }, subject: subject,
                masked: true, weighted: true)
            var evaluator = try Evaluator(problem, asked())
            let parts = try Batch(problem).evaluate(&evaluator).terms.map(\.perClass)
            for c in 0..<4 {
                problem.terms = kinds((0..<4).map { $0 == c ? 1 : 0 }).map { Term($0) }
                var alone = try Evaluator(problem)
                let expected = try Batch(problem).evaluate(&alone)
                for (i, term) in expected.terms.enumerated() {
                    XCTAssertEqual(parts[i][c].bitPattern, term.value.bitPattern, "\(subject), \(i), seed \(seed)")
                }
            }
        }
    }

    /// The parts add up to the term, but for the rounding of sums.
    func testSum() throws {
        let seed = testSeed(444)
        var generator = Generator(seed: seed)
        for round in 0..<200 {
            let classes = 2 + generator.random.below(5)
            let terms = generator.terms(.softmax, classes: classes)
            let problem = generator.problem(
                .softmax, samples: 2, classes: classes, voxels: 300, terms: terms, masked: true, weighted: true)
            var evaluator = try Evaluator(problem, asked { $0.threads = 2 })
            let evaluation = try Batch(problem).evaluate(&evaluator)
            for (term, result) in zip(terms, evaluation.terms) where !term.isRegion {
                let sum = result.perClass.reduce(0, +)
                let size = result.perClass.reduce(0) { $0 + abs($1) }
                XCTAssertTrue(
                    abs(sum - result.value) <= 1e-6 * size, "\(sum), not \(result.value); round \(round), \(term)")
            }
        }
    }

    /// Dense targets belong to several classes: nothing is said of terms of the classes together.
    func testDenseTargets() throws {
        var generator = Generator(seed: testSeed(445))
        let problem = generator.problem(
            .softmax, samples: 1, classes: 3, voxels: 100,
            terms: [Term(.crossEntropy(classWeights: nil, labelSmoothing: 0, divisor: .weight))], subject: .soft)
        var evaluator = try Evaluator(problem, asked())
        XCTAssertEqual(try Batch(problem).evaluate(&evaluator).terms[0].perClass, [0, 0, 0])
    }

    /// By hand: two voxels of class 0, one of class 1, none of class 2.
    func testKnownValues() throws {
        var evaluator = try Evaluator(
            .crossEntropy(classWeights: [1, 2, 4]), shape: .flat(samples: 1, classes: 3, voxels: 3),
            activation: .softmax, options: asked())
        let logits = [Float](repeating: 0, count: 9)
        let parts = try evaluator.evaluate(logits: logits, labels: [0, 1, 0] as [UInt8]).terms[0].perClass
        for (ours, exact) in zip(parts, [log(3.0) / 2, log(3.0) / 2, 0]) {
            XCTAssertTrue(abs(ours - exact) <= 1e-6, "\(parts)")
        }
        let none = try evaluator.evaluate(logits: logits, labels: [0, 1, 0] as [UInt8], mask: [0, 0, 0])
        XCTAssertEqual(none.terms[0].perClass, [0, 0, 0])
    }

    /// Totals with parts and without do not merge.
    func testAgreement() throws {
        let shape = Shape.flat(samples: 2, classes: 2, voxels: 64)
        let plain = try Evaluator(.crossEntropy(), shape: shape, activation: .softmax)
        let parts = try Evaluator(.crossEntropy(), shape: shape, activation: .softmax, options: asked())
        var totals = plain.makeTotals()
        do throws(LossError) {
            try totals.merge(parts.makeTotals())
            XCTFail("merged")
        } catch {
            XCTAssertEqual(error.kind, .badTerm)
            XCTAssertTrue(error.message.contains("perClass"), error.message)
        }
    }

    /// Parts of a signed loss that are too large where their sum is not: refused, and nothing is touched.
    func testPartsOutOfRange() throws {
        let shape = Shape.flat(samples: 1, classes: 2, voxels: 64)
        let labels = [UInt8](repeating: 0, count: 64)
        let logits = [Float](repeating: 0, count: 128)
        let maps = (0..<128).map { $0 < 64 ? Float(0x1p19) : -0x1p19 }
        var plain = try Evaluator(.linear(), shape: shape, activation: .softmax)
        XCTAssertEqual(try plain.evaluate(logits: logits, labels: labels, maps: maps).value, 0)
        var evaluator = try Evaluator(.linear(), shape: shape, activation: .softmax, options: asked())
        var gradient = [Float](repeating: 7, count: 128)
        do throws(LossError) {
            _ = try evaluator.evaluate(logits: logits, labels: labels, maps: maps, gradient: &gradient)
            XCTFail("accepted")
        } catch {
            XCTAssertEqual(error.kind, .outOfRange, error.message)
        }
        XCTAssertTrue(gradient.allSatisfy { $0 == 7 })
    }
}

extension SegLossReference.Term {
    fileprivate var isRegion: Bool {
        if case .region = kind { true } else { false }
    }
}

extension SegLossReference.Term.Kind {
    fileprivate func divided(by constant: Double) -> Self {
        switch self {
        case .crossEntropy(let w, let s, _, let x):
            .crossEntropy(classWeights: w, labelSmoothing: s, divisor: .constant(constant), exponent: x)
        case .focal(let gamma, let alpha, let w, _, let gammas, let c, let options):
            .focal(
                gamma: gamma, alpha: alpha, classWeights: w, divisor: .constant(constant), classGammas: gammas,
                perChannel: c, options: options)
        default: self
        }
    }
}
