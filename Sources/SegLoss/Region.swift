/// A region term: a formula of sums over a region, such as Dice, and what is made of it.
///
/// The functions of ``Loss`` named after the formulas
/// (``Loss/dice(smooth:denominator:scope:classes:classWeights:intersection:absent:leastDenominator:voxelWeights:)`` and
/// so on) make the usual ones; here every choice can be looked at or changed, and ``Loss/region(_:)`` makes a loss of
/// it.
///
/// Of each class, over the valid voxels of a sample or of the batch,
///
///     I = sum p g,    P = sum p,    G = sum g,    V = number of valid values
///
/// give a score D (see ``Formula``), D a loss of the class (see ``Value`` and ``Exponent``), and the term is the mean
/// of the classes that take part, then of the samples.
public struct Region: Sendable, Hashable {
    /// From the sums to a score, 1 where prediction and target agree.
    public enum Formula: Sendable, Hashable {
        /// `(2 I + n) / (P + G + d)`
        case dice
        /// `(I + n) / (P + G - I + d)`, also called intersection over union
        case jaccard
        /// `(I + n) / (I + a (P - I) + b (G - I) + d)`: Salehi et al. (2017)
        case tversky(falsePositives: Double, falseNegatives: Double)
        /// `(2 sum_c w_c I_c + n) / (sum_c w_c (P_c + G_c) + d)`: Sudre et al. (2017). For a pooled ``Scope``.
        case generalizedDice(VolumeWeights)
        /// Matthews' correlation `(TP TN - FP FN + n) / (sqrt((TP+FP) (TP+FN) (TN+FP) (TN+FN) + smoothProduct) + d)` of
        /// the soft counts TP = I, FP = P - I, FN = G - I, TN = V - P - G + I, to each of which `smoothCounts` is
        /// added; 0 where it would be 0/0. With `perfectIsOne` it is 1 where nothing is wrong, P = I = G before
        /// smoothing, also for an absent class that is not predicted (MONAI). Both smoothings are from 0 to 1e30.
        case matthews(smoothCounts: Double, smoothProduct: Double = 0, perfectIsOne: Bool = false)
        /// `1 - a (1 - (I + n) / (P + d)) - b (1 - (I + n) / (G + d))`: weights of what precision and recall lack
        case leakyDice(falsePositives: Double, falseNegatives: Double)
    }

    /// What is made of the score D.
    public enum Value: Sendable, Hashable {
        /// `1 - D`
        case oneMinusScore
        /// `-D`, nnU-Net's way
        case minusScore
        /// `-log max(D, least)`; the gradient is 0 where D is below that
        case minusLogScore(least: Double)
        /// `log cosh(1 - D)`: Jadon (2020)
        case logCosh
    }

    /// To what power the loss is raised; a loss that is not positive gives 0.
    public enum Exponent: Sendable, Hashable {
        /// It is not.
        case none
        /// Each class's loss
        case classes(Double)
        /// The mean of the classes
        case mean(Double)
        /// Each class's loss to a power of its own
        case each([Float])
    }

    /// Whether the voxel weights of a call enter.
    public enum VoxelWeights: Sendable, Hashable {
        /// They do not.
        case unused
        /// They are factors in every sum: I = sum v p g, P = sum v p, and so on; the gradient is times v. All region
        /// terms of a loss must agree in this.
        case inSums
    }

    /// From the sums to a score.
    public var formula: Formula
    /// What is added to numerator and denominator, each at least 0.
    public var smooth: Smooth
    /// Whether the denominator sums values or squares; squares for Dice and Jaccard only.
    public var denominator: Denominator
    /// How prediction and target meet.
    public var intersection: Intersection
    /// Over what the sums are taken.
    public var scope: Scope
    /// Which classes take part.
    public var classes: Classes
    /// Weights of the classes, and where they enter; `nil`: all 1.
    public var classWeights: ClassWeights?
    /// What is made of the score.
    public var value: Value
    /// To what power the loss is raised.
    public var exponent: Exponent
    /// What a class counts that the target lacks.
    public var absent: Absent
    /// The denominator is held there, at least 0, without a gradient.
    public var leastDenominator: Double
    /// The intersection is held there, at least 0 (nnU-Net's `clip_tp`); Dice only.
    public var leastIntersection: Double
    /// Whether voxel weights enter.
    public var voxelWeights: VoxelWeights

    /// A region term; each choice is the usual one unless given.
    public init(
        _ formula: Formula,
        smooth: Smooth = .both(1e-5),
        denominator: Denominator = .linear,
        intersection: Intersection = .product,
        scope: Scope = .sample,
        classes: Classes = .all,
        classWeights: ClassWeights? = nil,
        value: Value = .oneMinusScore,
        exponent: Exponent = .none,
        absent: Absent = .natural,
        leastDenominator: Double = 0,
        leastIntersection: Double = 0,
        voxelWeights: VoxelWeights = .unused
    ) {
        self.formula = formula
        self.smooth = smooth
        self.denominator = denominator
        self.intersection = intersection
        self.scope = scope
        self.classes = classes
        self.classWeights = classWeights
        self.value = value
        self.exponent = exponent
        self.absent = absent
        self.leastDenominator = leastDenominator
        self.leastIntersection = leastIntersection
        self.voxelWeights = voxelWeights
    }
}

/// What a region term adds to its numerator and its denominator, each at least 0.
public enum Smooth: Sendable, Hashable {
    /// Nothing.
    case none
    /// The same to numerator and denominator.
    case both(Double)
    /// To the numerator only.
    case numerator(Double)
    /// To the denominator only.
    case denominator(Double)
    /// To each of the two sums of the denominator (mmdetection).
    case each(Double)
    /// One value to the numerator, another to the denominator.
    case separate(numerator: Double, denominator: Double)
}

/// What the denominator of a region term sums.
public enum Denominator: Sendable, Hashable {
    /// `sum p + sum g`.
    case linear
    /// `sum p^2 + sum g^2`, as in V-Net.
    case squared
}

/// How prediction and target meet in the intersection I. For targets of 0 and 1 both are the same.
public enum Intersection: Sendable, Hashable {
    /// `sum p g`
    case product
    /// `sum min(p, g)`, which is `(sum p + sum g - sum |p - g|) / 2`: the L1 form for soft targets, whose loss is least
    /// where p = g. Its derivative is 1 where p < g, 0 where p > g, and 1/2 where they are equal.
    case minimum
}

/// Over what a term's sums are taken before its formula is applied.
public enum Scope: Sendable, Hashable {
    /// The formula for each sample (and class), then the mean of the samples.
    case sample
    /// The formula once (for each class), on sums over the batch.
    case batch
    /// For each sample, on sums over all classes that take part ("micro"); region and Lovász terms.
    case samplePooled
    /// Once, on sums over batch and classes; region and Lovász terms.
    case batchPooled
}

/// Which classes take part in a term. The others still have their share in a softmax.
public enum Classes: Sendable, Hashable {
    /// All.
    case all
    /// All but class 0. Region and Lovász terms need two classes or more then; to boundary and Hausdorff losses a
    /// single channel is no background, and takes part.
    case foreground
    /// Those named.
    case only([Int])
}

/// Weights of the classes of a region term, one for each class, each at least 0 and not all 0 among those that take
/// part; and where they enter. An array alone is ``multiplied(_:)``.
public enum ClassWeights: Sendable, Hashable, ExpressibleByArrayLiteral {
    /// `sum_c w_c L_c / number of classes`: MONAI's way, in which weights of 2 double the loss.
    case multiplied([Float])
    /// `sum_c w_c L_c / sum_c w_c`
    case normalized([Float])
    /// Within the sums of a pooled ``Scope``.
    case inside([Float])

    /// ``multiplied(_:)``.
    public init(arrayLiteral weights: Float...) {
        self = .multiplied(weights)
    }

    var values: [Float] {
        switch self {
        case .multiplied(let values), .normalized(let values), .inside(let values): values
        }
    }
}

/// The weights of the classes in a generalized Dice, from their volumes G = sum g. That of an absent class without an
/// offset is the largest of the others.
public enum VolumeWeights: Sendable, Hashable {
    /// 1
    case uniform
    /// `1 / (G + offset)`, no more than `most`
    case simple(offset: Double = 0, most: Double? = nil)
    /// `1 / (G^2 + offset)`, no more than `most`
    case square(offset: Double = 0, most: Double? = nil)
}

/// What a class (or a pool of classes) counts whose sum g is 0. All rules but the natural one have a zero gradient.
public enum Absent: Sendable, Hashable {
    /// What the formula gives: `1 - n / (sum p + d)` for Dice. Where that is 0/0 the score is 1.
    case natural
    /// 0, and it counts in the mean (segmentation_models.pytorch).
    case zero
    /// Nothing: the mean is of the other classes (kornia).
    case skipped
    /// 1, and it counts in the mean.
    case one
}

extension Region.Exponent {
    var values: [Float]? {
        if case .each(let values) = self { values } else { nil }
    }
}
