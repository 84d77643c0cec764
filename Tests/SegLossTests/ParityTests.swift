import SegLoss
import SegLossReference
import XCTest

/// The library gives the bits of the scalar reference, whatever must not matter: the instruction set, threads, sizes,
/// addresses, label types, how the batch is cut, and how the gradient is written.
final class ParityTests: XCTestCase {
    typealias Term = SegLossReference.Term

    /// Rounds of a random test: fewer in a debug build, where the reference is slow.
    static let rounds: Int = {
        #if DEBUG
            30
        #else
            1000
        #endif
    }()

    /// Sizes around the vector, the block, and the run of a kernel.
    static let sizes = [1, 2, 15, 16, 17, 63, 64, 65, 100, 127, 128, 129, 1000, 4095, 4097, 16384, 16385, 40000]

    private func terms(_ activation: Problem.Activation) -> [[Term]] {
        let dice = Term(
            .dice(
                smoothNumerator: 1e-5, smoothDenominator: 1e-5, squared: false, scope: .sample,
                excludeBackground: false, classWeights: nil))
        let squared = Term(
            .dice(
                smoothNumerator: 0, smoothDenominator: 1, squared: true, scope: .batch, excludeBackground: false,
                classWeights: nil))
        if activation == .softmax {
            let plain = Term(.crossEntropy(classWeights: nil, labelSmoothing: 0, divisor: .weight))
            let smooth = Term(.crossEntropy(classWeights: nil, labelSmoothing: 0.1, divisor: .valid), weight: 0.5)
            return [[dice], [squared], [plain], [smooth], [dice, plain], [squared, smooth, plain]]
        }
        let binary = Term(.binaryCrossEntropy(positiveWeights: nil, divisor: .weight))
        let focals = [0, 0.5, 1, 2, 3, 3.7].map { Term(.focal(gamma: $0, alpha: 0.25, divisor: .all)) }
        let balanced = Term(
            .balancedBinaryCrossEntropy(negativeRatio: 3, minimumNegatives: 4, epsilon: 1e-6, scope: .batch))
        return [[dice], [squared], [binary], [balanced], [dice, binary], [dice, balanced, focals[1]]]
            + focals.map { [$0] }
    }

    private func eachInstructionSet(
        _ problem: Problem, _ message: String, _ base: Configuration = .init(), file: StaticString = #filePath,
        line: UInt = #line
    ) {
        var expected = Reference.evaluate(problem, classParts: base.perClass)
        if base.perSample { expected.perSample = Reference.perSample(problem) }
        for instructionSet in InstructionSet.available {
            var configuration = base
            configuration.instructionSet = instructionSet
            assertSameBits(problem, configuration, expected, message, file: file, line: line)
        }
    }

    /// Every family by itself and together, at every size, on every instruction set.
    func testSizes() {
        let seed = testSeed(101)
        var generator = Generator(seed: seed)
        for voxels in Self.sizes {
            for activation in Problem.Activation.allCases {
                for terms in terms(activation) where voxels < 4000 || terms.count == 1 {
                    let classes = activation == .softmax ? 2 + generator.random.below(4) : 1 + generator.random.below(2)
                    let problem = generator.problem(
                        activation, samples: voxels < 4000 ? 2 : 1, classes: classes, voxels: voxels, terms: terms)
                    eachInstructionSet(problem, "\(voxels) voxels, seed \(seed)")
                }
            }
        }
    }

    /// Every class count with a kernel of its own, and many more.
    func testClassCounts() {
        let seed = testSeed(102)
        var generator = Generator(seed: seed)
        for classes in [2, 3, 4, 5, 7, 8, 16, 19, 33, 105, 256, 512] {
            for terms in terms(.softmax) {
                var problem = generator.problem(
                    .softmax, samples: 1, classes: classes, voxels: 150, terms: terms, masked: true)
                problem.ignoreIndex = nil
                var configuration = Configuration()
                configuration.labels = [.uint16]
                eachInstructionSet(problem, "\(classes) classes, seed \(seed)", configuration)
            }
        }
    }

    /// The number of threads.
    func testThreads() {
        let seed = testSeed(103)
        var generator = Generator(seed: seed)
        for activation in Problem.Activation.allCases {
            for terms in terms(activation) {
                let problem = generator.problem(
                    activation, samples: 3, classes: 3, voxels: 70_001, terms: terms, flavour: .ties, masked: true)
                let expected = Reference.evaluate(problem)
                for threads in [1, 2, 3, 8] {
                    var configuration = Configuration()
                    configuration.threads = threads
                    assertSameBits(problem, configuration, expected, "seed \(seed)")
                }
            }
        }
    }

    /// Everything at once: random sums of terms, options, targets, label types, addresses, checks.
    func testRandomProblems() {
        let seed = testSeed(104)
        var generator = Generator(seed: seed)
        generator.takesAnyRegion = true
        generator.takesRankings = true
        generator.takesDistances = true
        for round in 0..<Self.rounds {
            let problem = generator.anything()
            var configuration = Configuration()
            configuration.labels = [generator.random.element(of: Configuration.LabelType.allCases)]
            configuration.misalignment = generator.random.below(4)
            configuration.threads = 1 + generator.random.below(3)
            configuration.checks = generator.random.element(of: [.beforeWriting, .whileWriting])
            configuration.perSample = generator.random.chance(0.3)
            configuration.perClass = generator.random.chance(0.3)
            eachInstructionSet(problem, "round \(round), seed \(seed)", configuration)
        }
    }

    /// Byte labels some of which are ignored, nothing else: the walks for simple runs have blocks of one label, of
    /// several, and with ignored ones among them.
    func testIgnoredBytes() {
        let seed = testSeed(110)
        var generator = Generator(seed: seed)
        for activation in [Problem.Activation.softmax, .sigmoid] {
            for terms in terms(activation) {
                for classes in [2, 3, 4, 11] {
                    var problem = generator.problem(
                        activation, samples: 2, classes: classes, voxels: 2000, terms: terms)
                    guard case .labels(var labels) = problem.target else { return XCTFail("labels") }
                    for i in 0..<labels.count where i % 1000 < 200 || i % 1000 == 640 { labels[i] = 255 }
                    problem.target = .labels(labels)
                    problem.ignoreIndex = 255
                    eachInstructionSet(problem, "\(classes) classes, seed \(seed)")
                }
            }
        }
    }

    /// Ties that are taken in part, at every size: which ones, by the gradient.
    func testTies() {
        let seed = testSeed(109)
        var generator = Generator(seed: seed)
        for voxels in Self.sizes where voxels < 20_000 {
            for scope in [Term.Scope.batch, .sample] {
                let term = Term(
                    .balancedBinaryCrossEntropy(
                        negativeRatio: 0.5, minimumNegatives: voxels / 2, epsilon: 1e-6, scope: scope))
                for subject in [Subject.blobs, .background, .bytes] {
                    let problem = generator.problem(
                        .sigmoid, samples: 2, classes: 1 + generator.random.below(2), voxels: voxels, terms: [term],
                        flavour: .ties, subject: subject)
                    eachInstructionSet(problem, "\(voxels) voxels, \(subject), seed \(seed)")
                }
            }
        }
    }

    /// A batch cut into parts, accumulated apart, merged in any order.
    func testParts() {
        let seed = testSeed(105)
        var generator = Generator(seed: seed)
        generator.takesAnyRegion = true
        generator.takesRankings = true
        generator.takesDistances = true
        for round in 0..<Self.rounds {
            let problem = generator.anything()
            let wholeSamples = problem.terms.contains { $0.selects || $0.measures }
            var configuration = Configuration()
            configuration.perSample = generator.random.chance(0.3)
            configuration.perClass = generator.random.chance(0.3)
            var expected = Reference.evaluate(problem, classParts: configuration.perClass)
            if configuration.perSample { expected.perSample = Reference.perSample(problem) }
            configuration.labels = [.uint8, .int64, .uint16, .int32]
            configuration.parts = Part.randomCut(problem, wholeSamples: wholeSamples, using: &generator.random)
            configuration.mergeOrder = configuration.parts!.indices.shuffled(using: &generator.random)
            configuration.inPlace = generator.random.chance(0.3)
            assertSameBits(problem, configuration, expected, "round \(round), seed \(seed)")
        }
    }

    /// Value only; the gradient in place, scaled, and added to what is there.
    func testWaysToWrite() {
        let seed = testSeed(106)
        var generator = Generator(seed: seed)
        generator.takesAnyRegion = true
        generator.takesRankings = true
        generator.takesDistances = true
        for round in 0..<Self.rounds {
            let problem = generator.anything()
            let expected = Reference.evaluate(problem)
            let message = "round \(round), seed \(seed)"
            var configuration = Configuration()
            configuration.checks = generator.random.element(of: [.beforeWriting, .whileWriting])

            configuration.wantsGradient = false
            assertSameBits(problem, configuration, expected.valueOnly, message)
            configuration.wantsGradient = true

            let scale = generator.random.element(of: [Float(2), -0.3, 0, 1e-3])
            let scaled = Reference.evaluate(problem, scale: scale)
            configuration.write = .overwrite(scale: scale)
            configuration.inPlace = generator.random.chance(0.5)
            assertSameBits(problem, configuration, scaled, message)
            configuration.inPlace = false

            let old = problem.logits.map { _ in generator.random.normal() }
            var added = scaled
            for i in old.indices { added.gradient[i] = old[i] + scaled.gradient[i] }
            configuration.write = .add(scale: scale)
            configuration.oldGradient = old
            assertSameBits(problem, configuration, added, message)
        }
    }

    /// Mining in so many values that a sample tells where to look: ordinary ones, many ties, a threshold around 0,
    /// samples that mislead, and the extremes of what can be wanted.
    func testSampledSelection() {
        let seed = testSeed(108)
        var generator = Generator(seed: seed)
        let voxels = 150_000
        for scope in [Term.Scope.batch, .sample] {
            for (ratio, minimum) in [(3.0, 0), (0.0, 0), (1000.0, 0), (0.5, 70_000), (0.01, 1)] {
                for flavour in [Flavour.ordinary, .ties, .saturated] {
                    for activation in [Problem.Activation.sigmoid, .probabilities] {
                        let term = Term(
                            .balancedBinaryCrossEntropy(
                                negativeRatio: ratio, minimumNegatives: minimum, epsilon: 1e-6, scope: scope))
                        var problem = generator.problem(
                            activation, samples: scope == .batch ? 3 : 1, classes: scope == .batch ? 1 : 3,
                            voxels: voxels, terms: [term], flavour: flavour, subject: .bytes, ignoring: true)
                        if ratio == 3 && activation == .sigmoid && flavour == .ordinary {
                            // The hard negatives stand where no sample looks: at the end of every row of blocks.
                            for i in problem.logits.indices where i % voxels > voxels - 20_000 { problem.logits[i] += 4 }
                        }
                        let expected = Reference.evaluate(problem)
                        for instructionSet in InstructionSet.available where instructionSet != .generic {
                            var configuration = Configuration()
                            configuration.threads = 2
                            configuration.instructionSet = instructionSet
                            assertSameBits(problem, configuration, expected, "ratio \(ratio), \(flavour), seed \(seed)")
                        }
                    }
                }
            }
        }
    }

    /// Gradients so large that they go past the cache, where their address allows it and where not.
    func testStreamedGradients() {
        let seed = testSeed(107)
        var generator = Generator(seed: seed)
        for (activation, classes) in [(Problem.Activation.softmax, 4), (.sigmoid, 1)] {
            let terms = terms(activation)[activation == .softmax ? 4 : 2]
            let voxels = (5 << 20) / 4 / classes / 64 * 64
            let problem = generator.problem(activation, samples: 1, classes: classes, voxels: voxels, terms: terms)
            let expected = Reference.evaluate(problem)
            for misalignment in [0, 1] {
                var configuration = Configuration()
                configuration.threads = 2
                configuration.misalignment = misalignment
                assertSameBits(problem, configuration, expected, "misaligned by \(misalignment), seed \(seed)")
            }
        }
    }

    /// The comparison notices a single bit.
    func testTheComparisonNotices() {
        let problem = Generator.small
        let outcome = Reference.evaluate(problem)
        var other = outcome
        other.gradient[5] = other.gradient[5].nextUp
        XCTAssertNotNil(firstDifference(outcome, other))
        XCTAssertNil(firstDifference(outcome, outcome))
        other = outcome
        other.value = other.value.nextDown
        XCTAssertNotNil(firstDifference(outcome, other))
    }
}

extension Generator {
    /// Some problem.
    static var small: Problem {
        var generator = Generator(seed: 1)
        return generator.problem(
            .softmax, samples: 1, classes: 3, voxels: 10,
            terms: [Term(.crossEntropy(classWeights: nil, labelSmoothing: 0, divisor: .weight))])
    }
}
