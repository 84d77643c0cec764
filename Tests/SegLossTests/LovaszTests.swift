import SegLoss
import SegLossReference
import XCTest

/// The Lovász terms: bits on every instruction set and any number of threads, values, and what is defined.
final class LovaszTests: XCTestCase {
    typealias Kind = SegLossReference.Term.Kind
    typealias Scope = SegLossReference.Term.Scope

    private static let scopes: [Scope] = [.sample, .batch, .samplePooled, .batchPooled]

    private func kinds(_ activation: Problem.Activation, _ options: Lovasz) -> [Kind] {
        activation == .sigmoid ? [.lovaszSoftmax(options), .lovaszHinge(options)] : [.lovaszSoftmax(options)]
    }

    // MARK: Bits

    /// Sizes around vector and block, ties, absent classes, everything ignored; alone and beside other terms.
    func testSizes() {
        let seed = testSeed(701)
        var generator = Generator(seed: seed)
        for voxels in [1, 15, 63, 64, 65, 129, 1000, 4097] {
            for activation in Problem.Activation.allCases {
                for subject in [Subject.blobs, .bytes, .absentClass, .background, .allIgnored] {
                    let classes = activation == .softmax ? 2 + generator.random.below(5) : 1 + generator.random.below(3)
                    let others = generator.terms(activation, classes: classes)
                    for kind in (0..<3).map({ _ in generator.lovasz(activation, classes: classes) }) {
                        for terms in [[], [others[0]]] {
                            let problem = generator.problem(
                                activation, samples: 2, classes: classes, voxels: voxels,
                                terms: terms + [SegLossReference.Term(kind, weight: 0.75)],
                                flavour: generator.random.element(of: [.ties, .ordinary, .saturated]), subject: subject,
                                ignoring: generator.random.chance(0.5), masked: generator.random.chance(0.3),
                                weighted: generator.random.chance(0.3))
                            let expected = Reference.evaluate(problem)
                            for set in InstructionSet.available where voxels < 200 || set != .generic {
                                var configuration = Configuration()
                                configuration.instructionSet = set
                                configuration.threads = 1 + generator.random.below(3)
                                assertSameBits(problem, configuration, expected, "\(subject), seed \(seed)")
                            }
                        }
                    }
                }
            }
        }
    }

    /// Problems that are sorted side by side, and by several threads together; ties across the chunks.
    func testThreads() {
        let seed = testSeed(702)
        var generator = Generator(seed: seed)
        for (samples, classes, voxels) in [(2, 3, 70_001), (1, 2, 66_000), (5, 2, 9000)] {
            for scope in Self.scopes {
                for flavour in [Flavour.ordinary, .ties, .confidentlyRight] {
                    let activation = generator.random.element(of: Problem.Activation.allCases)
                    let kind = generator.random.element(of: kinds(activation, Lovasz(scope, presentOnly: true)))
                    let problem = generator.problem(
                        activation, samples: samples, classes: classes, voxels: voxels, terms: [.init(kind)],
                        flavour: flavour, ignoring: true)
                    let expected = Reference.evaluate(problem)
                    for threads in [1, 2, 3, 7] {
                        var configuration = Configuration()
                        configuration.threads = threads
                        assertSameBits(problem, configuration, expected, "\(kind), \(flavour), seed \(seed)")
                    }
                    var value = Configuration()
                    value.threads = 7
                    value.wantsGradient = false
                    assertSameBits(problem, value, expected.valueOnly, "\(kind), \(flavour), seed \(seed)")
                }
            }
        }
    }

    /// Parts of whole samples, their gradients in any order, the same bits as the whole.
    func testParts() {
        let seed = testSeed(703)
        var generator = Generator(seed: seed)
        for activation in Problem.Activation.allCases {
            for scope in Self.scopes {
                for kind in kinds(activation, Lovasz(scope)) {
                    let problem = generator.problem(
                        activation, samples: 4, classes: 3, voxels: 300,
                        terms: [.init(kind), .init(.absoluteError(classWeights: nil, divisor: .all))], masked: true)
                    var expected = Reference.evaluate(problem)
                    expected.perSample = Reference.perSample(problem)
                    var configuration = Configuration()
                    configuration.parts = Part.randomCut(problem, wholeSamples: true, using: &generator.random)
                    configuration.mergeOrder = configuration.parts!.indices.shuffled(using: &generator.random)
                    configuration.perSample = true
                    configuration.inPlace = generator.random.chance(0.5)
                    assertSameBits(problem, configuration, expected, "\(kind), seed \(seed)")
                }
            }
        }
    }

    // MARK: Values

    /// 1e-6 of the value and of the largest gradient, of errors that a Float holds as they are.
    func testOracle() throws {
        let seed = testSeed(704)
        var generator = Generator(seed: seed)
        for activation in Problem.Activation.allCases {
            for scope in Self.scopes {
                for present in [true, false] {
                    for kind in kinds(activation, Lovasz(scope, presentOnly: present)) {
                        for subject in [Subject.blobs, .absentClass, .bytes] {
                            var problem = generator.problem(
                                activation, samples: 2, classes: 3, voxels: 700, terms: [.init(kind, weight: 1.5)],
                                subject: subject, ignoring: subject == .blobs, masked: true)
                            // Steps of 2^-9: sums with 1 are exact, and equal ones equal.
                            for i in problem.logits.indices {
                                problem.logits[i] = (problem.logits[i] * 0x1p9).rounded() * 0x1p-9
                            }
                            let exact = Oracle.evaluate(problem)
                            let outcome = try Library.evaluate(problem)
                            let message = "\(activation), \(subject), \(kind), seed \(seed)"
                            XCTAssertTrue(exact.value > 0, message)
                            let error = relativeError(outcome.value, exact.value)
                            XCTAssertTrue(error <= 1e-6, "\(message): value off by \(error)")
                            // Of other errors a Float has another order.
                            guard isExact(kind, activation) else { continue }
                            let slope = gradientError(outcome.gradient.map(Double.init), exact.gradient)
                            XCTAssertTrue(slope <= 1e-6, "\(message): gradient off by \(slope)")
                        }
                    }
                }
            }
        }
    }

    /// A network that is sure of everything and wrong once: one large error, and so many small ones, all equal, that what
    /// rounding leaves of each adds up. With one wrong background value J goes up by 1 / (F + 1) at each value.
    func testSmallErrorsBesideALargeOne() throws {
        let F = 1 << 18
        for small in [1e-5, 3e-6, 1e-6, 5e-7] as [Float] {
            let p = 1 - small
            let problem = probabilities([Float](repeating: p, count: F) + [1], [Int64](repeating: 1, count: F) + [0], Lovasz())
            let expected = (1 + Double(1 - p) * Double(F)) / Double(F + 1)
            let error = relativeError(try Library.evaluate(problem).value, expected)
            XCTAssertTrue(error <= 1e-6, "errors of \(small): off by \(error)")
        }
    }

    private func isExact(_ kind: Kind, _ activation: Problem.Activation) -> Bool {
        if case .lovaszHinge = kind { true } else { activation == .probabilities }
    }

    private func probabilities(_ p: [Float], _ labels: [Int64], _ options: Lovasz, classes: Int = 1) -> Problem {
        Problem(
            samples: 1, classes: classes, voxels: labels.count, activation: .probabilities,
            terms: [.init(.lovaszSoftmax(options))], logits: p, target: .labels(labels))
    }

    /// By hand: foreground errors 3/4 and 1/4, background errors 1/2 and 1/8.
    func testByHand() throws {
        let problem = probabilities([0.25, 0.5, 0.75, 0.125], [1, 0, 1, 0], Lovasz())
        let outcome = try Library.evaluate(problem)
        // F = 2: J is 1/2, then 1 - 1/3, 1, 1.
        let steps: [Float] = [1 / 2, 1 / 6, 1 / 3, 0]
        XCTAssertEqual(outcome.value, 0.75 / 2 + 0.5 / 6 + 0.25 / 3, accuracy: 1e-7)
        for (gradient, expected) in zip(outcome.gradient, [-steps[0], steps[1], -steps[2], 0]) {
            XCTAssertEqual(gradient, expected, accuracy: 1e-7)
        }
    }

    /// Among equal errors the lowest index comes first; an error of 0 has no gradient, like PyTorch's |0|.
    func testTiesAndZeros() throws {
        let equal = try Library.evaluate(probabilities([0.5, 0.5, 0.5], [0, 1, 0], Lovasz()))
        XCTAssertEqual(equal.value, 0.5, accuracy: 1e-7)
        XCTAssertEqual(equal.gradient, [0.5, -0.5, 0])
        let zero = try Library.evaluate(probabilities([1, 0, 0.5], [1, 0, 0], Lovasz()))
        XCTAssertEqual(zero.value, 0.25, accuracy: 1e-7)
        XCTAssertEqual(zero.gradient, [0, 0, 0.5])
        // A probability of -0 is 0.
        let minus = try Library.evaluate(probabilities([-0.0, -0.0], [0, 0], Lovasz(presentOnly: true)))
        XCTAssertEqual(minus.value, 0)
    }

    /// Without foreground a class's loss is its greatest error, or it does not count.
    func testAbsentClass() throws {
        let all = try Library.evaluate(probabilities([0.25, 0.5, 0.5], [0, 0, 0], Lovasz()))
        XCTAssertEqual(all.value, 0.5)
        XCTAssertEqual(all.gradient, [0, 1, 0])
        let present = try Library.evaluate(probabilities([0.25, 0.5, 0.5], [0, 0, 0], Lovasz(presentOnly: true)))
        XCTAssertEqual(present.value, 0)
        XCTAssertTrue(present.gradient.allSatisfy { $0 == 0 && $0.sign == .plus })
        // Class 0 has the errors 1/4 and 1/2, class 1 none of its own.
        let p: [Float] = [0.75, 0.5, 0.25, 0.5]
        let both = try Library.evaluate(probabilities(p, [0, 0], Lovasz(), classes: 2))
        XCTAssertEqual(both.value, ((0.5 / 2 + 0.25 / 2) + 0.5) / 2, accuracy: 1e-7)
        let one = try Library.evaluate(probabilities(p, [0, 0], Lovasz(presentOnly: true), classes: 2))
        XCTAssertEqual(one.value, 0.5 / 2 + 0.25 / 2, accuracy: 1e-7)
        let named = try Library.evaluate(probabilities(p, [0, 0], Lovasz(classes: [false, true]), classes: 2))
        XCTAssertEqual(named.value, 0.5)
        XCTAssertEqual(named.perClass, [0, 0.5])
    }

    func testNothingValid() throws {
        var generator = Generator(seed: testSeed(705))
        for activation in Problem.Activation.allCases {
            for scope in Self.scopes {
                for kind in kinds(activation, Lovasz(scope)) {
                    let problem = generator.problem(
                        activation, samples: 2, classes: 3, voxels: 70, terms: [.init(kind)], subject: .allIgnored)
                    let outcome = try Library.evaluate(problem)
                    XCTAssertEqual(outcome.value, 0)
                    XCTAssertTrue(outcome.gradient.allSatisfy { $0 == 0 && $0.sign == .plus })
                }
            }
        }
    }

    /// Errors of any size: the hinge of huge logits, and probabilities next to nothing.
    func testMagnitudes() throws {
        var hinge = probabilities([3e38, -3e38, 0, 2], [0, 1, 1, 0], Lovasz())
        hinge.activation = .sigmoid
        hinge.terms = [.init(.lovaszHinge(Lovasz()))]
        let outcome = try Library.evaluate(hinge)
        XCTAssertNil(firstDifference(outcome, Reference.evaluate(hinge)))
        XCTAssertTrue(relativeError(outcome.value, Oracle.evaluate(hinge).value) <= 1e-6)
        let tiny = probabilities([1, 1e-30, 3e-40, 2e-38], [1, 0, 0, 0], Lovasz())
        let small = try Library.evaluate(tiny)
        XCTAssertNil(firstDifference(small, Reference.evaluate(tiny)))
        XCTAssertTrue(relativeError(small.value, Oracle.evaluate(tiny).value) <= 1e-6)
    }

    /// Class weights multiply, and divide nothing.
    func testClassWeights() throws {
        var generator = Generator(seed: testSeed(706))
        let problem = generator.problem(
            .softmax, samples: 2, classes: 3, voxels: 200, terms: [.init(.lovaszSoftmax(Lovasz(.batch)))])
        let plain = try Library.evaluate(problem)
        var weighted = problem
        weighted.terms = [.init(.lovaszSoftmax(Lovasz(.batch, classWeights: [0, 2, 0.5])))]
        let outcome = try Library.evaluate(weighted)
        XCTAssertEqual(outcome.perClass, plain.perClass)
        XCTAssertEqual(outcome.value, (2 * plain.perClass[1] + 0.5 * plain.perClass[2]) / 3, accuracy: 1e-12)
    }
}
