import SegLossReference
import XCTest

/// The oracle's gradient against differences of the oracle's value, for every term kind and option.
final class GradientTests: XCTestCase {
    func testCrossEntropy() {
        for weights in [nil, [0.5, 0, 2]] as [[Float]?] {
            for smoothing in [0, 0.1, 1] {
                for divisor in divisors {
                    check(
                        .softmax,
                        [.crossEntropy(classWeights: weights, labelSmoothing: smoothing, divisor: divisor)])
                }
            }
        }
    }

    func testSoftmaxPointwiseTerms() {
        for divisor in divisors {
            for exponent in [0.3, 2, 3.3] {
                check(
                    .softmax,
                    [.crossEntropy(classWeights: [0.5, 0, 2], labelSmoothing: 0, divisor: divisor, exponent: exponent)])
            }
            check(
                .softmax,
                [.binaryCrossEntropy(positiveWeights: [0.5, 0, 2], divisor: divisor, perChannel: true)])
            let options: [(weights: [Float]?, gammas: [Float]?, perChannel: Bool)] = [
                (nil, nil, false), ([0.5, 0, 2], nil, false), (nil, [0, 2.5, 1], false), ([0.5, 0, 2], nil, true),
            ]
            for (weights, gammas, perChannel) in options {
                for gamma in [0, 0.5, 1, 2, 3, 3.7] {
                    for alpha in [nil, 0.25] as [Double?] {
                        check(
                            .softmax,
                            [
                                .focal(
                                    gamma: gamma, alpha: alpha, classWeights: weights, divisor: divisor,
                                    classGammas: gammas, perChannel: perChannel)
                            ])
                    }
                }
            }
        }
    }

    func testBinaryCrossEntropy() {
        for activation in channelwise {
            for weights in [nil, [0.5, 0, 2]] as [[Float]?] {
                for divisor in divisors {
                    check(activation, [.binaryCrossEntropy(positiveWeights: weights, divisor: divisor)])
                    check(
                        activation,
                        [
                            .binaryCrossEntropy(
                                positiveWeights: weights, classWeights: [2, 0, 0.5], labelSmoothing: 0.1,
                                divisor: divisor)
                        ])
                }
            }
        }
    }

    func testFocal() {
        for activation in channelwise {
            for gamma in [0, 0.5, 1, 1.5, 2, 3, 3.7] {
                for alpha in [nil, 0, 0.25, 1] as [Double?] {
                    check(activation, [.focal(gamma: gamma, alpha: alpha, divisor: .weight)])
                }
            }
            for divisor in divisors {
                check(activation, [.focal(gamma: 2, alpha: 0.25, divisor: divisor)])
                check(activation, [.focal(gamma: 1.5, alpha: 0.25, classWeights: [2, 0, 0.5], divisor: divisor)])
            }
        }
    }

    /// More of it in ChannelOptionTests.
    func testFocalStar() {
        for divisor in divisors {
            for (gamma, shift) in [(0.5, 1), (1, 0), (3, -0.5)] {
                check(
                    .sigmoid,
                    [
                        .focalStar(
                            gamma: gamma, shift: shift, alpha: 0.25, classWeights: [2, 0, 0.5], divisor: divisor)
                    ])
            }
        }
    }

    func testDice() {
        for activation in Problem.Activation.allCases {
            for squared in [false, true] {
                for scope in [Term.Scope.sample, .batch] {
                    for exclude in [false, true] {
                        for weights in [nil, [0.5, 0, 2]] as [[Float]?] {
                            for (nr, dr) in [(0, 0), (1e-5, 1e-5), (2, 1), (0, 1e-6)] {
                                check(
                                    activation,
                                    [
                                        .dice(
                                            smoothNumerator: nr, smoothDenominator: dr, squared: squared, scope: scope,
                                            excludeBackground: exclude, classWeights: weights)
                                    ])
                            }
                        }
                    }
                }
            }
        }
    }

    /// Every formula with every option by itself, and then together with others at random.
    func testRegion() {
        for activation in Problem.Activation.allCases {
            for formula in Region.Formula.allCases {
                for variant in variants(of: formula) { check(activation, [.region(variant)]) }
            }
        }
    }

    private func variants(of formula: Region.Formula) -> [Region] {
        var plain = Region(formula)
        (plain.smoothNumerator, plain.smoothDenominator) = (0.5, 1)
        (plain.alpha, plain.beta, plain.smoothCounts) = (0.3, 0.7, 0.5)
        if formula == .generalizedDice { plain.scope = .samplePooled }
        let pooled = formula == .generalizedDice
        func changed(_ change: (inout Region) -> Void) -> Region {
            var region = plain
            change(&region)
            return region
        }
        var regions = [plain]
        regions += Region.Value.allCases.map { value in changed { $0.value = value } }
        regions += Region.Absent.allCases.map { absent in changed { $0.absent = absent } }
        regions += [Term.Scope.samplePooled, .batchPooled].map { scope in
            changed {
                $0.scope = scope
                $0.classWeights = [0.5, 0, 2]
                $0.weighting = .inside
            }
        }
        regions.append(changed { $0.minimum = true })
        regions.append(changed { $0.weighted = true })
        regions.append(changed { $0.exponent = 0.75 })
        regions.append(changed { $0.classes = [false, true, true] })
        if !pooled {
            regions.append(changed { $0.scope = .batch })
            regions.append(changed { ($0.exponent, $0.exponentOfMean) = (1.5, true) })
            regions.append(changed { $0.classExponents = [0.5, 1, 2] })
            regions.append(changed { ($0.classWeights, $0.weighting) = ([0.5, 0, 2], .normalized) })
        }
        if pooled {
            regions += [.simple, .square].map { volumes in changed { $0.volumeWeighting = volumes } }
            regions.append(changed { ($0.volumeWeighting, $0.volumeOffset, $0.mostVolumeWeight) = (.square, 0.1, 0.2) })
        }
        if formula == .dice || formula == .jaccard { regions.append(changed { $0.squared = true }) }
        if formula == .dice { regions.append(changed { $0.leastIntersection = 3 }) }
        if formula == .matthews {
            regions.append(changed { ($0.smoothCounts, $0.smoothProduct, $0.perfectIsOne) = (0, 5, true) })
            regions.append(changed { $0.smoothProduct = 100 })
        }
        if formula != .matthews { regions.append(changed { $0.leastDenominator = 8 }) }
        return regions
    }

    func testBalancedBinaryCrossEntropy() {
        for activation in channelwise {
            for ratio in [0, 0.5, 1, 3, 100] {
                for minimum in [0, 4] {
                    for scope in [Term.Scope.sample, .batch] {
                        check(
                            activation,
                            [
                                .balancedBinaryCrossEntropy(
                                    negativeRatio: ratio, minimumNegatives: minimum, epsilon: 1e-6, scope: scope)
                            ])
                    }
                }
            }
        }
    }

    func testTopK() {
        for activation in Problem.Activation.allCases {
            for weights in [nil, [0.5, 0, 2]] as [[Float]?] {
                for percent in [1, 30, 100.0] {
                    for scope in [Term.Scope.sample, .batch] {
                        for counted in [true, false] {
                            check(
                                activation,
                                [.topK(percent: percent, classWeights: weights, ignoredCount: counted, scope: scope)])
                            if activation == .softmax {
                                check(
                                    activation,
                                    [.topK(percent: percent, classWeights: weights, labelSmoothing: 0.2, scope: scope)])
                            }
                        }
                    }
                }
            }
        }
    }

    func testOnlineHardExampleMining() {
        for activation in Problem.Activation.allCases {
            for threshold in [0, 0.3, 0.7, 1] {
                for kept in [1, 5, 100] {
                    for scope in [Term.Scope.sample, .batch] {
                        for divisor in divisors {
                            check(
                                activation,
                                [
                                    .onlineHardExampleMining(
                                        threshold: threshold, minimumKept: kept, divisor: divisor, scope: scope)
                                ])
                        }
                        check(
                            activation,
                            [
                                .onlineHardExampleMining(
                                    threshold: threshold, minimumKept: kept, classWeights: [0.5, 1, 3], scope: scope)
                            ])
                    }
                }
            }
        }
    }

    func testBalancedL1() {
        for activation in channelwise {
            for ratio in [0, 0.3, 3] {
                for minimum in [0, 4] {
                    for scope in [Term.Scope.sample, .batch] {
                        check(
                            activation, [.balancedL1(negativeRatio: ratio, minimumNegatives: minimum, scope: scope)])
                    }
                }
            }
        }
    }

    func testLovasz() {
        for scope in [Term.Scope.sample, .batch, .samplePooled, .batchPooled] {
            for present in [true, false] {
                for classes in [nil, [true, false, true]] as [[Bool]?] {
                    let isPooled = scope == .samplePooled || scope == .batchPooled
                    let weights: [Float]? = classes == nil || isPooled ? nil : [0.5, 1, 2]
                    let options = Lovasz(scope, presentOnly: present, classes: classes, classWeights: weights)
                    for activation in Problem.Activation.allCases { check(activation, [.lovaszSoftmax(options)]) }
                    check(.sigmoid, [.lovaszHinge(options)])
                }
            }
        }
    }

    func testErrorsOfTheProbability() {
        for activation in Problem.Activation.allCases {
            for weights in [nil, [0.5, 0, 2]] as [[Float]?] {
                for divisor in divisors {
                    check(activation, [.absoluteError(classWeights: weights, divisor: divisor)])
                    check(activation, [.squaredError(classWeights: weights, divisor: divisor)])
                    check(activation, [.linear(classWeights: weights, divisor: divisor)])
                    for beta in [0, 0.3, 1] {
                        check(activation, [.smoothL1(beta: beta, classWeights: weights, divisor: divisor)])
                    }
                }
            }
        }
    }

    /// Distances are constants: they are those of the input before it is moved.
    func testDistances() {
        for activation in Problem.Activation.allCases {
            for divisor in divisors {
                var options = DistanceLoss()
                options.classWeights = [0.5, 0, 2]
                options.divisor = divisor
                check(activation, [.boundary(options)])
                for alpha in [2, 1, 1.7] {
                    for isLogarithm in [false, true] {
                        options.alpha = alpha
                        options.logarithm = isLogarithm
                        options.insideAlone = alpha == 1
                        options.predictsLargest = alpha != 1
                        check(activation, [.hausdorff(options)])
                    }
                }
            }
        }
    }

    func testSums() {
        let seed = testSeed(21)
        for round in 0..<UInt64(60) {
            var generator = Generator(seed: seed &+ round)
            let activation = generator.random.element(of: Problem.Activation.allCases)
            let terms = generator.terms(activation, classes: 3, balancedAllowed: true)
            checkAll(activation, terms, "seed \(seed), round \(round)", seed &+ round)
        }
    }

    /// Where a value is saturated, differences tell nothing; the gradient must be finite, and the value's direction.
    func testSaturatedInputIsFinite() {
        let seed = testSeed(22)
        for flavour in Flavour.allCases {
            for round in 0..<UInt64(50) {
                var generator = Generator(seed: seed &+ round)
                let result = Oracle.evaluate(generator.anything(flavour: flavour))
                XCTAssertTrue(result.value.isFinite, "seed \(seed), round \(round), \(flavour)")
                XCTAssertTrue(result.gradient.allSatisfy(\.isFinite), "seed \(seed), round \(round), \(flavour)")
            }
        }
    }

    // MARK: Help

    private let divisors: [Term.Divisor] = [.weight, .valid, .all, .constant(7.5)]
    private let channelwise: [Problem.Activation] = [.sigmoid, .probabilities]

    private func check(_ activation: Problem.Activation, _ kinds: [Term.Kind]) {
        checkAll(activation, kinds.map { Term($0, weight: 1.5) }, "fixed seed 20", 20)
    }

    /// With labels; with labels to ignore, mask and weights; with soft targets; with bytes to ignore.
    private func checkAll(_ activation: Problem.Activation, _ terms: [Term], _ message: String, _ seed: UInt64) {
        var generator = Generator(seed: seed)
        // A correlation of few voxels bends much over a step.
        let hasMatthews = terms.contains { if case .region(let r) = $0.kind { r.formula == .matthews } else { false } }
        let isBalanced = terms.contains {
            if case .balancedBinaryCrossEntropy = $0.kind { true } else { $0.isLovasz }
        }
        let isMining = terms.contains {
            switch $0.kind {
            case .onlineHardExampleMining, .balancedL1: true
            default: false
            }
        }
        var inputs: [(Subject, Bool)] = [(.blobs, false), (.blobs, true), (.absentClass, false)]
        if activation != .softmax { inputs += isBalanced ? [(.bytes, true)] : [(.soft, true), (.bytes, true)] }
        for (subject, everything) in inputs {
            var problem = generator.problem(
                activation, samples: 2, classes: 3, voxels: 7, terms: terms, subject: subject,
                ignoring: everything, masked: everything, weighted: everything && !isBalanced && !isMining)
            // Distances between the values, and between them and the others' opposites, that no step bridges, so that
            // the ranking of negatives, or of losses, stays as it is.
            let levels = (0..<problem.logits.count).shuffled(using: &generator.random)
            for (at, level) in levels.enumerated() {
                let unit = (Float(level) + 0.3) / Float(levels.count)
                problem.logits[at] = activation == .probabilities ? 0.05 + 0.9 * unit : 5 * unit - 2.5
            }
            let gradient = Oracle.evaluate(problem).gradient
            let numeric = problem.logits.indices.map { Oracle.centralDifference(problem, at: $0, step: 1e-4) }
            // Rounding of the value over the step, and the gradient's own size.
            let bound = (hasMatthews ? 1e-6 : 1e-8) * largestMagnitude(gradient) + 1e-11
            let error = largestMagnitude(zip(gradient, numeric).lazy.map { $0 - $1 })
            XCTAssertTrue(error <= bound, "\(message): off by \(error), \(activation), \(subject), \(terms)")
        }
    }
}
