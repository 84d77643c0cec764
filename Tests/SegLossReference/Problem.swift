/// What a loss is computed of: the whole input in plain arrays, in the layout of `closs.h`.
///
/// The reference and the Double oracle both take it. It says what the library's specification says, in types of its
/// own, so that neither depends on the library.
public struct Problem: Sendable {
    public enum Activation: Sendable, CaseIterable { case softmax, sigmoid, probabilities }

    public enum Target: Sendable {
        /// Class indices, [samples][voxels].
        case labels([Int64])
        /// One value for each channel, [samples][classes][voxels]. `byte` tells `uint8_t` targets (which may hold
        /// the ignore index) from float ones (which never do).
        case dense([Float], byte: Bool)
    }

    public var samples: Int
    public var classes: Int
    public var voxels: Int
    public var activation: Activation
    public var terms: [Term]
    /// Logits, or probabilities: [samples][classes][voxels].
    public var logits: [Float]
    public var target: Target
    /// [samples][voxels]; 0 takes the voxel out.
    public var mask: [UInt8]?
    /// [samples][voxels].
    public var weights: [Float]?
    /// What a linear term multiplies, in the logits' layout.
    public var maps: [Float]?
    public var ignoreIndex: Int?
    /// Planes, rows, columns of a sample: their product is `voxels`.
    public var extents: [Int]

    public init(
        samples: Int, classes: Int, voxels: Int, activation: Activation, terms: [Term], logits: [Float],
        target: Target, mask: [UInt8]? = nil, weights: [Float]? = nil, maps: [Float]? = nil,
        ignoreIndex: Int? = nil, extents: [Int]? = nil
    ) {
        self.samples = samples
        self.classes = classes
        self.voxels = voxels
        self.activation = activation
        self.terms = terms
        self.logits = logits
        self.target = target
        self.mask = mask
        self.weights = weights
        self.maps = maps
        self.ignoreIndex = ignoreIndex
        self.extents = extents ?? [1, 1, voxels]
    }
}

/// One term of a loss and its factor.
public struct Term: Sendable {
    public enum Divisor: Sendable, Hashable { case weight, valid, all, constant(Double), target, factors(least: Double) }
    public enum Scope: Sendable, Hashable { case sample, batch, samplePooled, batchPooled }

    public enum Kind: Sendable {
        case crossEntropy(classWeights: [Float]?, labelSmoothing: Double, divisor: Divisor, exponent: Double = 1)
        case binaryCrossEntropy(
            positiveWeights: [Float]?, classWeights: [Float]? = nil, labelSmoothing: Double = 0, divisor: Divisor,
            perChannel: Bool = false, options: BinaryOptions = .init())
        /// Per channel: of each logit's sigmoid, though the activation is a softmax.
        case focal(
            gamma: Double, alpha: Double?, classWeights: [Float]? = nil, divisor: Divisor, classGammas: [Float]? = nil,
            perChannel: Bool = false, options: FocalOptions = .init())
        case focalStar(gamma: Double, shift: Double, alpha: Double?, classWeights: [Float]?, divisor: Divisor)
        case region(Region)
        case balancedBinaryCrossEntropy(
            negativeRatio: Double, minimumNegatives: Int, fallbackNegatives: Int = 0, epsilon: Double, scope: Scope)
        case topK(
            percent: Double, classWeights: [Float]? = nil, labelSmoothing: Double = 0, ignoredCount: Bool = true,
            scope: Scope)
        case onlineHardExampleMining(
            threshold: Double, minimumKept: Int, classWeights: [Float]? = nil, divisor: Divisor = .weight, scope: Scope)
        /// The problem's maps say which values are positive.
        case balancedL1(negativeRatio: Double, minimumNegatives: Int, scope: Scope)
        case lovaszSoftmax(Lovasz)
        case lovaszHinge(Lovasz)
        case absoluteError(classWeights: [Float]?, divisor: Divisor)
        case smoothL1(beta: Double, classWeights: [Float]?, divisor: Divisor)
        case squaredError(classWeights: [Float]?, divisor: Divisor)
        case linear(classWeights: [Float]?, divisor: Divisor)
        case boundary(DistanceLoss)
        case hausdorff(DistanceLoss)
    }

    /// What binary cross entropy has beyond its positive weights (docs/arithmetic.md, 5.6).
    public struct BinaryOptions: Sendable, Hashable {
        public var positivesOnly = false
        public var logOffset = 0.0
        /// The voxel weight is a factor of the positives alone.
        public var weighsPositives = false

        public init() {}
    }

    /// What a focal loss of channels has beyond gamma and alpha.
    public struct FocalOptions: Sendable, Hashable {
        public var classAlphas: [Float]?
        /// Negatives weigh 1, not 1 - alpha.
        public var alphaOfPositives = false
        public var positiveWeights: [Float]?
        /// 0: none.
        public var reducedThreshold = 0.0
        /// The factor is sigmoid(x (1 - 2 g))^gamma.
        public var byLogit = false
        public var positivesOnly = false
        public var logOffset = 0.0

        public init() {}
    }

    public var weight: Double
    public var kind: Kind

    public init(_ kind: Kind, weight: Double = 1) {
        self.kind = kind
        self.weight = weight
    }
}

/// The options of a Lovász term (docs/arithmetic.md, 8.8), as those of `closs_lovasz`.
public struct Lovasz: Sendable, Hashable {
    public var scope: Term.Scope
    /// A class without foreground does not count.
    public var presentOnly: Bool
    /// Which classes take part; `nil`: all.
    public var classes: [Bool]?
    public var classWeights: [Float]?

    public init(
        _ scope: Term.Scope = .sample, presentOnly: Bool = false, classes: [Bool]? = nil, classWeights: [Float]? = nil
    ) {
        self.scope = scope
        self.presentOnly = presentOnly
        self.classes = classes
        self.classWeights = classWeights
    }
}

/// A region term (docs/arithmetic.md, 7.2), with the options of `closs_region`.
public struct Region: Sendable {
    public enum Formula: Sendable, CaseIterable { case dice, jaccard, tversky, generalizedDice, matthews, leakyDice }
    public enum Value: Sendable, CaseIterable { case oneMinusScore, minusScore, minusLogScore, logCosh }
    public enum Absent: Sendable, CaseIterable { case natural, zero, skipped, one }
    public enum Weighting: Sendable { case multiplied, normalized, inside }
    public enum VolumeWeighting: Sendable, CaseIterable { case uniform, simple, square }

    public var formula: Formula
    public var smoothNumerator = 0.0
    public var smoothDenominator = 0.0
    public var squared = false
    public var scope = Term.Scope.sample
    public var excludeBackground = false
    public var classWeights: [Float]?
    public var weighting = Weighting.multiplied
    /// Which classes take part; `nil`: all.
    public var classes: [Bool]?
    /// The intersection is sum min(p, g).
    public var minimum = false
    public var value = Value.oneMinusScore
    public var leastScore = 0.0
    /// 0 and 1: none.
    public var exponent = 0.0
    public var exponentOfMean = false
    public var classExponents: [Float]?
    public var absent = Absent.natural
    public var leastDenominator = 0.0
    public var leastIntersection = 0.0
    public var alpha = 0.0
    public var beta = 0.0
    public var smoothCounts = 0.0
    /// Under Matthews' root.
    public var smoothProduct = 0.0
    /// Matthews' score is 1 where P = I = G.
    public var perfectIsOne = false
    public var volumeWeighting = VolumeWeighting.uniform
    public var volumeOffset = 0.0
    public var mostVolumeWeight = 0.0
    /// Voxel weights enter the sums.
    public var weighted = false

    public init(_ formula: Formula) {
        self.formula = formula
    }
}

extension Term.Kind {
    /// The commonest region term.
    public static func dice(
        smoothNumerator: Double, smoothDenominator: Double, squared: Bool, scope: Term.Scope,
        excludeBackground: Bool, classWeights: [Float]?
    ) -> Term.Kind {
        var region = Region(.dice)
        region.smoothNumerator = smoothNumerator
        region.smoothDenominator = smoothDenominator
        region.squared = squared
        region.scope = scope
        region.excludeBackground = excludeBackground
        region.classWeights = classWeights
        return .region(region)
    }
}

/// What a loss came to.
public struct Outcome: Sendable {
    public var value: Double
    /// Each term without its weight.
    public var terms: [Double]
    /// [terms][classes], as `closs_result.per_class`.
    public var perClass: [Double]
    /// [terms][samples], as `closs_result.per_sample`; empty where it was not asked for.
    public var perSample: [Double] = []
    /// dL/dlogits (or dL/dp) times the scale; [samples][classes][voxels].
    public var gradient: [Float]

    public init(value: Double, terms: [Double], perClass: [Double], gradient: [Float]) {
        self.value = value
        self.terms = terms
        self.perClass = perClass
        self.gradient = gradient
    }
}
