/// One term of a ``Loss``, with its options. Terms are made by the functions of ``Loss``, which hold the formulas and
/// the defaults; here a program can look at the options, or change them.
public enum Term: Sendable, Hashable {
    /// See ``Loss/crossEntropy(classWeights:labelSmoothing:exponent:divisor:)``.
    case crossEntropy(CrossEntropy)
    /// See
    /// ``Loss/binaryCrossEntropy(positiveWeights:classWeights:labelSmoothing:positivesOnly:logOffset:voxelWeights:perChannel:divisor:)``.
    case binaryCrossEntropy(BinaryCrossEntropy)
    /// See
    /// ``Loss/focal(gamma:alpha:classWeights:classGammas:classAlphas:alphaForm:positiveWeights:reducedThreshold:modulation:positivesOnly:logOffset:perChannel:divisor:)``.
    case focal(Focal)
    /// See ``Loss/focalStar(gamma:shift:alpha:classWeights:divisor:)``.
    case focalStar(FocalStar)
    /// Dice, Jaccard, Tversky and their kin: see ``Region``.
    case region(Region)
    /// See ``Loss/balancedBinaryCrossEntropy(negativeRatio:minimumNegatives:fallbackNegatives:epsilon:scope:)``.
    case balancedBinaryCrossEntropy(BalancedBinaryCrossEntropy)
    /// See ``Loss/topK(percent:classWeights:labelSmoothing:ignored:scope:)``.
    case topK(TopK)
    /// See ``Loss/onlineHardExampleMining(threshold:minimumKept:classWeights:divisor:scope:)``.
    case onlineHardExampleMining(HardExamples)
    /// See ``Loss/balancedL1(negativeRatio:minimumNegatives:scope:)``.
    case balancedL1(BalancedL1)
    /// See ``Loss/lovaszSoftmax(scope:classes:presentOnly:classWeights:)``.
    case lovaszSoftmax(Lovasz)
    /// See ``Loss/lovaszHinge(scope:classes:presentOnly:classWeights:)``.
    case lovaszHinge(Lovasz)
    /// See ``Loss/absoluteError(classWeights:divisor:)``.
    case absoluteError(ProbabilityError)
    /// See ``Loss/smoothL1(beta:classWeights:divisor:)``.
    case smoothL1(SmoothL1)
    /// See ``Loss/squaredError(classWeights:divisor:)``.
    case squaredError(ProbabilityError)
    /// See ``Loss/linear(classWeights:divisor:)``.
    case linear(ProbabilityError)

    /// See ``Loss/boundary(classes:classWeights:innerBoundary:far:spacing:divisor:)``.
    case boundary(Boundary)
    /// See ``Loss/hausdorff(alpha:prediction:sides:classes:classWeights:far:spacing:logarithm:divisor:)``.
    case hausdorff(Hausdorff)

    /// The options of softmax cross entropy.
    public struct CrossEntropy: Sendable, Hashable {
        /// One weight for each class; `nil`: all 1.
        public var classWeights: [Float]?
        /// How much of the target is spread evenly over the classes, from 0 to 1.
        public var labelSmoothing: Double
        /// The power of each negative log-likelihood, at least 0; 0 and 1: none.
        public var exponent: Double
        /// What the sum is divided by.
        public var divisor: Divisor
    }

    /// The options of binary cross entropy.
    public struct BinaryCrossEntropy: Sendable, Hashable {
        /// One weight of the positives for each channel; `nil`: all 1.
        public var positiveWeights: [Float]?
        /// One weight for each channel; `nil`: all 1.
        public var classWeights: [Float]?
        /// How far targets are moved towards their opposites, from 0 to 1.
        public var labelSmoothing: Double
        /// Without the part of the negatives.
        public var positivesOnly: Bool
        /// What is added to probabilities before the logarithm: 0, or 1e-30 to 1.
        public var logOffset: Double
        /// Of what the voxel weights of a call are factors.
        public var voxelWeights: WeightForm
        /// With a softmax: of each logit's sigmoid.
        public var perChannel: Bool
        /// What the sum is divided by.
        public var divisor: Divisor
    }

    /// The options of focal loss.
    public struct Focal: Sendable, Hashable {
        /// How strongly easy values are counted less, at least 0.
        public var gamma: Double
        /// The weight of the positives, from 0 to 1; `nil`: positives and negatives weigh 1.
        public var alpha: Double?
        /// One weight for each channel or class; `nil`: all 1.
        public var classWeights: [Float]?
        /// With a softmax: one gamma for each class; `nil`: `gamma` for all.
        public var classGammas: [Float]?
        /// One alpha for each channel; `nil`: `alpha` for all.
        public var classAlphas: [Float]?
        /// Which weight the negatives have beside an alpha.
        public var alphaForm: AlphaForm
        /// One more weight of the positives for each channel; `nil`: all 1.
        public var positiveWeights: [Float]?
        /// The probability of the target below which its factor is 1, 1/64 to 1; 0: none.
        public var reducedThreshold: Double
        /// What is raised to gamma.
        public var modulation: Modulation
        /// Without the part of the negatives.
        public var positivesOnly: Bool
        /// What is added to probabilities before the logarithm: 0, or 1e-30 to 1.
        public var logOffset: Double
        /// With a softmax: of each logit's sigmoid.
        public var perChannel: Bool
        /// What the sum is divided by.
        public var divisor: Divisor
    }

    /// The options of balanced binary cross entropy.
    public struct BalancedBinaryCrossEntropy: Sendable, Hashable {
        /// How many negatives are taken for each positive, at least 0.
        public var negativeRatio: Double
        /// How many negatives are taken at least.
        public var minimumNegatives: Int
        /// How many negatives are taken at least where there are no positives.
        public var fallbackNegatives: Int
        /// What is added to the divisor, at least 0.
        public var epsilon: Double
        /// Over what the negatives are ranked.
        public var scope: Scope
    }
}

extension Term {
    /// The options of a loss of the probability itself.
    public struct ProbabilityError: Sendable, Hashable {
        /// One weight for each class; `nil`: all 1.
        public var classWeights: [Float]?
        /// What the sum is divided by.
        public var divisor: Divisor
    }

    /// The options of smooth L1.
    public struct SmoothL1: Sendable, Hashable {
        /// The error below which its square counts, at least 0.
        public var beta: Double
        /// One weight for each class; `nil`: all 1.
        public var classWeights: [Float]?
        /// What the sum is divided by.
        public var divisor: Divisor
    }
}

/// What a pointwise term's sum is divided by. Where that comes to zero, because everything is masked or ignored, the
/// term is 0 with a zero gradient.
public enum Divisor: Sendable, Hashable {
    /// The sum of the weights that entered: class weight of the label times voxel weight.
    case weight
    /// The number of values that are neither masked nor ignored.
    case valid
    /// The number of values, ignored ones too.
    case all
    /// A constant greater than 0; 1 leaves the sum.
    case constant(Double)
    /// The sum of the targets times the weights that entered. For losses of channels.
    case target
    /// The sum of a focal loss's modulating factors times the weights that entered, or `least`, which is at least 0,
    /// where that is more. The gradient goes through the sum. Not inside a softmax.
    case factors(least: Double = 1e-6)
}

extension Term {
    /// The term's arrays with one number for each class, in the order in which its C struct names them.
    var arrays: [[Float]?] {
        switch self {
        case .crossEntropy(let options): [options.classWeights]
        case .binaryCrossEntropy(let options): [options.positiveWeights, options.classWeights]
        case .focal(let options):
            [options.classWeights, options.classGammas, options.classAlphas, options.positiveWeights]
        case .focalStar(let options): [options.classWeights]
        case .region(let options): [options.classWeights?.values, options.exponent.values]
        case .absoluteError(let options), .squaredError(let options), .linear(let options): [options.classWeights]
        case .smoothL1(let options): [options.classWeights]
        case .topK(let options): [options.classWeights]
        case .boundary(let options): [options.classWeights]
        case .hausdorff(let options): [options.classWeights]
        case .lovaszSoftmax(let options), .lovaszHinge(let options): [options.classWeights]
        case .onlineHardExampleMining(let options): [options.classWeights]
        case .balancedBinaryCrossEntropy, .balancedL1: []
        }
    }

    /// The classes that take part in a term that may leave some out.
    var classes: Classes {
        switch self {
        case .region(let region): region.classes
        case .lovaszSoftmax(let options), .lovaszHinge(let options): options.classes
        default: measured?.classes ?? .all
        }
    }

    /// Whether the term's value has parts that belong to single classes; `always`: also that of a pointwise term of a
    /// softmax.
    func hasClassParts(_ activation: Activation, always: Bool) -> Bool {
        switch self {
        case .region, .lovaszSoftmax, .lovaszHinge: true
        case .balancedBinaryCrossEntropy, .topK, .onlineHardExampleMining, .balancedL1: false
        case .crossEntropy, .binaryCrossEntropy, .focal, .focalStar, .absoluteError, .smoothL1, .squaredError, .linear,
            .boundary, .hausdorff:
            activation != .softmax || always
        }
    }
}
