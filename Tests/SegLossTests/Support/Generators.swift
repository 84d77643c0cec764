import Foundation
import SegLossReference

/// The generator of all random tests: 64 bits of state, the same numbers everywhere (Steele, Lea, Flood 2014).
struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Uniform in [0, 1), a multiple of 2^-24.
    mutating func unit() -> Float { Float(next() >> 40) * 0x1p-24 }

    /// About normal, mean 0 and deviation 1, between -3.47 and 3.47.
    mutating func normal() -> Float { (unit() + unit() + unit() + unit() - 2) * 1.7320508 }

    mutating func chance(_ probability: Float) -> Bool { unit() < probability }

    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

    mutating func element<Element>(of values: [Element]) -> Element { values[below(values.count)] }
}

/// The seed of random tests: SEGLOSS_SEED, or the test's own. Tests put it in their messages.
func testSeed(_ standard: UInt64) -> UInt64 {
    let seed = ProcessInfo.processInfo.environment["SEGLOSS_SEED"].flatMap(UInt64.init) ?? standard
    print("SEGLOSS_SEED=\(seed)")
    return seed
}

/// What the logits are like.
enum Flavour: CaseIterable {
    /// Noise with a bias to the right class.
    case ordinary
    /// Up to +-60, mostly right.
    case saturated
    /// +-1e4, mostly right.
    case extreme
    /// +-60, all confidently right: losses and gradients down to 1e-26.
    case confidentlyRight
    /// +-60, all confidently wrong.
    case confidentlyWrong
    /// Few levels, so that many values are equal.
    case ties
}

/// What the targets are like.
enum Subject: CaseIterable {
    /// Blobs of all classes.
    case blobs
    /// Everything is class 0.
    case background
    /// Blobs without the last class.
    case absentClass
    /// Everything is ignored.
    case allIgnored
    /// Values in [0, 1] for each channel; of a softmax, distributions.
    case soft
    /// 0, 1 or the ignore index for each channel; of a softmax, one-hot.
    case bytes
}

/// Makes problems.
struct Generator {
    var random: SplitMix64
    static let ignoreIndex = 255
    /// Region terms of every formula and option, some of which are too steep for tolerances: for tests of bits.
    var takesAnyRegion = false
    /// Terms that rank losses too, of which a float's and a Double's may be in another order: for tests of bits.
    var takesRankings = false
    /// Terms that measure distances too: for tests that give extents, and cut batches at samples.
    var takesDistances = false

    init(seed: UInt64) { random = SplitMix64(seed: seed) }

    /// Labels in blobs: runs along the voxels that change class now and then.
    mutating func labels(_ samples: Int, _ classes: Int, _ voxels: Int) -> [Int64] {
        let top = max(classes, 2)
        var labels = [Int64](repeating: 0, count: samples * voxels)
        var current: Int64 = 0
        for at in labels.indices {
            if random.below(24) == 0 { current = random.chance(0.5) ? 0 : Int64(random.below(top)) }
            labels[at] = current
        }
        return labels
    }

    /// A problem with the given terms. `ignoring`, `masked` and `weighted` add labels to ignore, a mask, and voxel
    /// weights some of which are 0.
    mutating func problem(
        _ activation: Problem.Activation, samples: Int, classes: Int, voxels: Int, terms: [Term],
        flavour: Flavour = .ordinary, subject: Subject = .blobs,
        ignoring: Bool = false, masked: Bool = false, weighted: Bool = false
    ) -> Problem {
        var labels = labels(samples, classes, voxels)
        var ignoreIndex: Int?
        switch subject {
        case .background:
            for at in labels.indices { labels[at] = 0 }
        case .absentClass:
            for at in labels.indices where labels[at] == Int64(max(classes, 2) - 1) { labels[at] = 0 }
        case .blobs, .allIgnored, .soft, .bytes: break
        }

        var logits = [Float](repeating: 0, count: samples * classes * voxels)
        for n in 0..<samples {
            for c in 0..<classes {
                for i in 0..<voxels {
                    let label = labels[n * voxels + i]
                    let isRight = label == (classes == 1 ? 1 : Int64(c))
                    logits[(n * classes + c) * voxels + i] = logit(isRight, flavour, activation)
                }
            }
        }
        if activation == .probabilities {
            for at in logits.indices { logits[at] = probability(logits[at], flavour) }
        }

        var target = Problem.Target.labels(labels)
        if subject == .soft || subject == .bytes {
            var dense = [Float](repeating: 0, count: logits.count)
            for n in 0..<samples {
                for c in 0..<classes {
                    for i in 0..<voxels {
                        let isRight = labels[n * voxels + i] == (classes == 1 ? 1 : Int64(c))
                        let hard: Float = isRight ? 1 : 0
                        var value = hard
                        if subject == .soft {
                            value = random.chance(0.3) ? hard : hard * 0.5 + random.unit() * 0.5
                        } else if ignoring && activation != .softmax && random.chance(0.15) {
                            value = Float(Self.ignoreIndex)
                        }
                        dense[(n * classes + c) * voxels + i] = value
                    }
                }
            }
            if activation == .softmax { normalize(&dense, samples, classes, voxels) }
            target = .dense(dense, byte: subject == .bytes)
            if subject == .bytes && ignoring && activation != .softmax { ignoreIndex = Self.ignoreIndex }
        } else if subject == .allIgnored || ignoring {
            for at in labels.indices where subject == .allIgnored || random.chance(0.15) {
                labels[at] = Int64(Self.ignoreIndex)
            }
            target = .labels(labels)
            ignoreIndex = Self.ignoreIndex
        }

        var problem = Problem(
            samples: samples, classes: classes, voxels: voxels, activation: activation, terms: terms,
            logits: logits, target: target, ignoreIndex: ignoreIndex)
        if masked { problem.mask = labels.indices.map { _ in random.chance(0.8) ? UInt8(1 + random.below(255)) : 0 } }
        if weighted { problem.weights = labels.indices.map { _ in random.chance(0.2) ? 0 : random.unit() * 3 } }
        if terms.contains(where: \.measures) { problem.extents = extents(voxels) }
        if terms.contains(where: \.takesMaps) { problem.maps = logits.map { _ in random.normal() * 3 } }
        return problem
    }

    /// Makes the targets of each voxel add up to 1, but for the rounding.
    private func normalize(_ dense: inout [Float], _ samples: Int, _ classes: Int, _ voxels: Int) {
        for n in 0..<samples {
            for i in 0..<voxels {
                let at = (0..<classes).map { (n * classes + $0) * voxels + i }
                let sum = at.reduce(0) { $0 + dense[$1] }
                if sum == 0 { dense[at[0]] = 1 } else { for k in at { dense[k] /= sum } }
            }
        }
    }

    private mutating func logit(_ isRight: Bool, _ flavour: Flavour, _ activation: Problem.Activation) -> Float {
        let direction: Float = isRight ? 1 : -1
        switch flavour {
        case .ordinary: return random.normal() + direction
        case .saturated:
            let size = random.chance(0.5) ? 60 * random.unit() : 3 * random.unit()
            return (random.chance(0.9) ? direction : -direction) * size
        case .extreme:
            let size = random.chance(0.5) ? 1e4 * random.unit() : 3 * random.unit()
            return (random.chance(0.9) ? direction : -direction) * size
        case .confidentlyRight: return direction * (30 + 30 * random.unit())
        case .confidentlyWrong: return -direction * (30 + 30 * random.unit())
        case .ties: return Float(random.below(5)) * 0.75 - 1.5 + 0.5 * direction
        }
    }

    /// A probability for a logit, rounded to a multiple of 2^-10 for ties, with some exact 0 and 1 where saturated.
    private mutating func probability(_ logit: Float, _ flavour: Flavour) -> Float {
        let p = Float(1 / (1 + exp(-Double(logit))))
        switch flavour {
        case .ties: return (p * 0x1p10).rounded() * 0x1p-10
        case .ordinary: return min(max(p, 0x1p-20), 1 - 0x1p-20)
        case .saturated, .extreme: return random.chance(0.1) ? p.rounded() : p
        case .confidentlyRight, .confidentlyWrong: return p
        }
    }

    // MARK: Terms

    mutating func divisor() -> Term.Divisor {
        random.element(of: [.weight, .valid, .all, .constant(1), .constant(37.5)])
    }

    mutating func scope() -> Term.Scope { random.element(of: [.sample, .batch]) }

    /// Weights of which some may be 0, but not all.
    mutating func classWeights(_ classes: Int, from first: Int = 0) -> [Float]? {
        guard random.chance(0.5) else { return nil }
        var weights = (0..<classes).map { _ in random.chance(0.15) ? 0 : 0.25 + 3 * random.unit() }
        if weights[first...].allSatisfy({ $0 == 0 }) { weights[classes - 1] = 1.5 }
        return weights
    }

    mutating func dice(_ classes: Int) -> Term.Kind {
        let exclude = classes > 1 && random.chance(0.4)
        let smooth = random.element(of: [(0, 0), (1e-5, 1e-5), (1, 1), (0, 1e-6), (2, 1)])
        return .dice(
            smoothNumerator: smooth.0, smoothDenominator: smooth.1, squared: random.chance(0.5), scope: scope(),
            excludeBackground: exclude, classWeights: classWeights(classes, from: exclude ? 1 : 0))
    }

    /// A region term of any formula and options that planning accepts.
    mutating func region(_ classes: Int, weighted: Bool) -> Term.Kind {
        var region = Region(random.element(of: Region.Formula.allCases))
        let smooth = random.element(of: [(0, 0), (1e-5, 1e-5), (1, 1), (0, 1e-6), (2, 1)])
        (region.smoothNumerator, region.smoothDenominator) = smooth
        region.weighted = weighted
        region.minimum = random.chance(0.3)
        region.absent = random.element(of: Region.Absent.allCases)
        region.excludeBackground = classes > 1 && random.chance(0.3)
        if classes > 2 && random.chance(0.3) {
            region.classes = (0..<classes).map { $0 == classes - 1 || random.chance(0.6) }
        }
        if [.dice, .jaccard].contains(region.formula) { region.squared = random.chance(0.3) }
        if region.formula != .matthews && random.chance(0.3) { region.leastDenominator = 1e-7 }
        if region.formula == .dice && !region.squared && random.chance(0.2) { region.leastIntersection = 1 }
        if [.tversky, .leakyDice].contains(region.formula) {
            (region.alpha, region.beta) = random.element(of: [(0.3, 0.7), (0.5, 0.5), (1, 1), (0, 2)])
        }
        if region.formula == .matthews {
            region.smoothCounts = random.element(of: [0, 1e-5, 1])
            region.smoothProduct = random.element(of: [0, 0, 1e-5, 10])
            region.perfectIsOne = random.chance(0.5)
        }
        if region.formula == .generalizedDice {
            region.scope = random.element(of: [.samplePooled, .batchPooled])
            region.volumeWeighting = random.element(of: Region.VolumeWeighting.allCases)
            region.volumeOffset = random.element(of: [0, 0, 1e-3])
            if random.chance(0.3) { region.mostVolumeWeight = 0.5 }
        } else {
            region.scope = random.element(of: [.sample, .batch, .samplePooled, .batchPooled])
        }
        let pooled = region.scope == .samplePooled || region.scope == .batchPooled
        let first = region.classes == nil ? (region.excludeBackground ? 1 : 0) : classes - 1
        region.classWeights = classWeights(classes, from: first)
        region.weighting = pooled ? .inside : random.element(of: [.multiplied, .normalized])
        region.value = random.element(of: Region.Value.allCases)
        if region.value == .minusLogScore { region.leastScore = random.element(of: [0, 1e-7, 0.01]) }
        if region.value != .minusScore {
            region.exponent = random.element(of: [0, 0, 1, 2, 0.75])
            region.exponentOfMean = random.chance(0.3)
            if !pooled && random.chance(0.2) {
                (region.exponent, region.exponentOfMean) = (0, false)
                region.classExponents = (0..<classes).map { _ in 0.5 + random.unit() }
            }
        }
        return .region(region)
    }

    private mutating func anyRegion(_ classes: Int, _ weighted: Bool) -> Term.Kind {
        takesAnyRegion ? region(classes, weighted: weighted) : dice(classes)
    }

    mutating func crossEntropy(_ classes: Int) -> Term.Kind {
        let smoothing = random.element(of: [0, 0, 0.1, 1])
        return .crossEntropy(
            classWeights: classWeights(classes), labelSmoothing: smoothing, divisor: divisor(),
            exponent: smoothing == 0 ? random.element(of: [0, 1, 1, 1, 0.3, 0.75]) : 1)
    }

    mutating func softmaxFocal(_ classes: Int) -> Term.Kind {
        if random.chance(0.4) { return focal(classes, .softmax) }
        let gammas: [Float] = (0..<classes).map { _ in random.element(of: [0, 0.5, 1, 2, 2.5]) }
        return .focal(
            gamma: random.element(of: [0, 0.5, 1, 1.5, 2, 3, 3.7, 5]),
            alpha: random.element(of: [nil, 0.25, 0.75, 0, 1]), classWeights: classWeights(classes), divisor: divisor(),
            classGammas: random.chance(0.5) ? gammas : nil)
    }

    mutating func error(_ classes: Int) -> Term.Kind {
        switch random.below(4) {
        case 0: .absoluteError(classWeights: classWeights(classes), divisor: channelDivisor())
        case 1:
            .smoothL1(
                beta: random.element(of: [0, 0.1, 0.5, 1, 4]), classWeights: classWeights(classes),
                divisor: channelDivisor())
        case 2: .squaredError(classWeights: classWeights(classes), divisor: channelDivisor())
        default: .linear(classWeights: classWeights(classes), divisor: channelDivisor())
        }
    }

    mutating func balanced() -> Term.Kind {
        .balancedBinaryCrossEntropy(
            negativeRatio: random.element(of: [0, 0.7, 1, 3, 1000]), minimumNegatives: random.element(of: [0, 0, 5]),
            fallbackNegatives: random.element(of: [0, 0, 0, 7]), epsilon: random.element(of: [0, 1e-6]), scope: scope())
    }

    mutating func topK(_ classes: Int, _ activation: Problem.Activation) -> Term.Kind {
        .topK(
            percent: random.element(of: [1e-9, 3, 10, 29, 50, 100]), classWeights: classWeights(classes),
            labelSmoothing: activation == .softmax ? random.element(of: [0, 0, 0.1, 1]) : 0,
            ignoredCount: random.chance(0.5), scope: scope())
    }

    mutating func hardExamples(_ classes: Int) -> Term.Kind {
        let threshold = random.element(of: [0, 0.3, 0.7, 1])
        let minimum = random.element(of: [threshold == 0 ? 2 : 0, 1, 40, 300, .max])
        return .onlineHardExampleMining(
            threshold: threshold, minimumKept: minimum, classWeights: classWeights(classes), divisor: divisor(),
            scope: scope())
    }

    mutating func balancedL1() -> Term.Kind {
        .balancedL1(
            negativeRatio: random.element(of: [0, 0.2, 0.7, 3, 1000]), minimumNegatives: random.element(of: [0, 0, 5]),
            scope: scope())
    }

    /// One to five terms that fit the activation, with weights of both signs. A balanced term is among them at most
    /// once, and only where `balancedAllowed` (hard targets, no voxel weights).
    mutating func terms(_ activation: Problem.Activation, classes: Int, balancedAllowed: Bool = false) -> [Term] {
        var terms: [Term] = []
        var balancedAllowed = balancedAllowed
        let weightedRegions = takesAnyRegion && random.chance(0.3)
        for _ in 0...random.below(5) {
            let kind: Term.Kind
            if activation == .softmax {
                switch random.below(10) {
                case 8, 9: kind = error(classes)
                case 0...2: kind = crossEntropy(classes)
                case 3, 4: kind = softmaxFocal(classes)
                case 5: kind = random.chance(0.5) ? binaryCrossEntropy(classes, activation) : anyRegion(classes, weightedRegions)
                default: kind = anyRegion(classes, weightedRegions)
                }
            } else {
                switch random.below(balancedAllowed ? 5 : 4) {
                case 0: kind = binaryCrossEntropy(classes, activation)
                case 1: kind = focal(classes, activation)
                case 2: kind = anyRegion(classes, weightedRegions)
                case 3: kind = error(classes)
                default:
                    kind = balanced()
                    balancedAllowed = false
                }
            }
            terms.append(Term(kind, weight: random.element(of: [1, 0.5, 2, 0.3, 1.25, -0.4])))
        }
        return takesDistances ? addingDistances(terms, classes: classes) : terms
    }

    /// The terms with one that ranks losses in the place of one of them, or beside them.
    private mutating func ranking(
        _ terms: [Term], _ activation: Problem.Activation, classes: Int, weighted: Bool
    ) -> [Term] {
        guard takesRankings, random.chance(0.4), !terms.contains(where: \.selects) else { return terms }
        var kind = weighted || random.chance(0.5) ? topK(classes, activation) : hardExamples(classes)
        let takesErrors = activation != .softmax && !weighted && !terms.contains(where: \.takesMaps)
        if takesErrors && random.chance(0.4) { kind = balancedL1() }
        let term = Term(kind, weight: random.element(of: [1, 0.5, -0.4]))
        if random.chance(0.5) { return [term] + terms }
        return terms.dropLast() + [term]
    }

    /// A Lovász term of any options that planning accepts.
    mutating func lovasz(_ activation: Problem.Activation, classes: Int) -> Term.Kind {
        var options = Lovasz(random.element(of: [.sample, .batch, .samplePooled, .batchPooled]))
        options.presentOnly = random.chance(0.5)
        if classes > 1 && random.chance(0.3) {
            options.classes = (0..<classes).map { $0 == classes - 1 || random.chance(0.6) }
        }
        if options.scope == .sample || options.scope == .batch {
            options.classWeights = classWeights(classes, from: options.classes == nil ? 0 : classes - 1)
        }
        return activation == .sigmoid && random.chance(0.5) ? .lovaszHinge(options) : .lovaszSoftmax(options)
    }

    /// The terms with a Lovász term in the place of one of them, or beside them.
    private mutating func withLovasz(_ terms: [Term], _ activation: Problem.Activation, classes: Int) -> [Term] {
        let hasWeightedRegion = terms.contains {
            if case .region(let region) = $0.kind { region.weighted } else { false }
        }
        guard takesRankings, random.chance(0.3), activation != .softmax || !hasWeightedRegion else { return terms }
        let term = Term(lovasz(activation, classes: classes), weight: random.element(of: [1, 0.5, -0.4]))
        return random.chance(0.5) ? [term] + terms : terms.dropFirst() + [term]
    }

    /// A problem of any kind, small enough to be looked at from every side.
    mutating func anything(flavour: Flavour? = nil) -> Problem {
        let activation = random.element(of: Problem.Activation.allCases)
        let subject = random.element(of: Subject.allCases)
        let weighted = random.chance(0.4)
        let classes = activation == .softmax ? 2 + random.below(6) : 1 + random.below(5)
        let terms = terms(activation, classes: classes, balancedAllowed: !weighted && subject != .soft)
        var all = ranking(terms, activation, classes: classes, weighted: weighted)
        if subject != .soft { all = withLovasz(all, activation, classes: classes) }
        return problem(
            activation, samples: 1 + random.below(3), classes: classes, voxels: 1 + random.below(400),
            terms: all,
            flavour: flavour ?? random.element(of: Flavour.allCases), subject: subject,
            ignoring: random.chance(0.4), masked: random.chance(0.4), weighted: weighted)
    }
}

extension Term {
    /// Whether it selects among values: parts of a batch must be of whole samples.
    var selects: Bool {
        switch kind {
        case .balancedBinaryCrossEntropy, .topK, .onlineHardExampleMining, .balancedL1, .lovaszSoftmax, .lovaszHinge:
            true
        default: false
        }
    }

    /// Whether it ranks the errors of a whole batch together: the batch must be one part.
    var ranksBatch: Bool {
        switch kind {
        case .lovaszSoftmax(let options), .lovaszHinge(let options):
            options.scope == .batch || options.scope == .batchPooled
        default: false
        }
    }

    /// Whether it takes targets of 0 and 1 alone.
    var isLovasz: Bool {
        switch kind {
        case .lovaszSoftmax, .lovaszHinge: true
        default: false
        }
    }

    /// Whether a problem with it must have maps.
    var takesMaps: Bool {
        switch kind {
        case .linear, .balancedL1: true
        default: false
        }
    }
}
