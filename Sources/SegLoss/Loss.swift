/// A weighted sum of loss terms on top of one activation.
///
/// Losses are made by the functions below and composed with `+` and `*`:
///
///     let loss: Loss = .dice(smooth: .both(1e-5)) + 0.5 * .crossEntropy(labelSmoothing: 0.1)
///
/// A loss is a plain value: it holds what is to be computed and computes nothing. An ``Evaluator`` checks it against a
/// shape and an activation and evaluates it; the sum costs as many sweeps over the memory as its dearest term alone.
///
/// In the formulas `i` runs over the voxels of all samples, `c` over the classes or channels, `p` is the probability
/// that the ``Activation`` gives, `g` the target (for labels 1 where the label is `c`, otherwise 0), `y` the label, and
/// `v` the voxel weight that a call may bring along, else 1. Voxels that are masked or ignored take no part in any sum.
/// Logarithms are natural and every value is a pure number: there are no units.
public struct Loss: Sendable, Hashable {
    /// A term and its factor in the loss.
    public struct WeightedTerm: Sendable, Hashable {
        /// The term's factor in the loss: finite, negative ones included.
        public var weight: Double
        /// What is weighted.
        public var term: Term

        /// A term with its factor.
        public init(weight: Double = 1, term: Term) {
            self.weight = weight
            self.term = term
        }
    }

    /// The terms in the order in which they were added, 1 to 8 of them; ``Evaluation/terms`` has the same order.
    public var terms: [WeightedTerm]

    /// What presets among them take for granted of a plan. No part of the value: a loss is what its terms are.
    var demands: [Demand] = []

    /// The sum of `terms`.
    public init(terms: [WeightedTerm]) {
        self.terms = terms
    }

    private init(_ term: Term) {
        self.init(terms: [WeightedTerm(term: term)])
    }
}

extension Loss {
    /// Whether both have the same terms with the same weights in the same order.
    public static func == (left: Loss, right: Loss) -> Bool { left.terms == right.terms }

    /// Hashes the terms.
    public func hash(into hasher: inout Hasher) { hasher.combine(terms) }
}

extension Loss {
    /// The sum of two losses: the terms of `left`, then those of `right`.
    public static func + (left: Loss, right: Loss) -> Loss {
        var sum = left
        sum.terms += right.terms
        sum.demands += right.demands
        return sum
    }

    /// `loss` with each term's weight multiplied by `factor`.
    public static func * (factor: Double, loss: Loss) -> Loss {
        var product = loss
        for index in product.terms.indices { product.terms[index].weight *= factor }
        return product
    }
}

extension Loss {
    /// Softmax cross entropy with label smoothing, class weights, and voxel weights.
    ///
    ///     sum_i v_i [ (1-e) w[y_i] nll_i(y_i)^x + e/C sum_c w_c nll_i(c) ] / divisor,    nll_i(c) = -log p_i(c)
    ///
    /// The formula of PyTorch's `CrossEntropyLoss`, whose `reduction="mean"` is the divisor ``Divisor/weight``. With
    /// dense targets, which must add up to 1 at every valid voxel within 0.001, `sum_c g_ic w_c nll_i(c)^x` stands in
    /// place of `w[y_i] nll_i(y_i)^x`: PyTorch's class probabilities, whose mean is ``Divisor/valid``. The exponent
    /// makes the cross-entropy half of the exponential logarithmic loss: Wong et al., "3D Segmentation with Exponential
    /// Logarithmic Loss for Highly Unbalanced Object Sizes" (2018). For ``Activation/softmax``.
    ///
    /// - Parameters:
    ///   - classWeights: `w`, one for each class, each at least 0 and not all 0; `nil`: all 1.
    ///   - labelSmoothing: `e`, from 0 to 1.
    ///   - exponent: `x`, at least 0; 0 and 1: none. Any other takes no label smoothing. Below 1 the slope is held where
    ///     the negative log-likelihood is below 2^-126.
    ///   - divisor: What the sum is divided by.
    public static func crossEntropy(
        classWeights: [Float]? = nil,
        labelSmoothing: Double = 0,
        exponent: Double = 1,
        divisor: Divisor = .weight
    ) -> Loss {
        Loss(
            .crossEntropy(
                .init(
                    classWeights: classWeights, labelSmoothing: labelSmoothing, exponent: exponent, divisor: divisor)))
    }

    /// Binary cross entropy of each channel, with positive weights and voxel weights.
    ///
    ///     sum_ic w_c v_i [ -a_c h log p - (1-h) log(1-p) ] / divisor,    h = g (1-s) + (1-g) s
    ///
    /// The formula of PyTorch's `BCEWithLogitsLoss`, and from probabilities that of `BCELoss`, whose logarithms are
    /// held at -100. For ``Activation/sigmoid`` and ``Activation/probabilities``; `perChannel` also for
    /// ``Activation/softmax``.
    ///
    /// With `positivesOnly` and a `logOffset` o from probabilities, divided by ``Divisor/target``, the cross entropy of
    /// the true class as it is written for one-hot targets, `-sum_ic g_ic log(p_ic + o) / sum_ic g_ic` (LIVIAETS, o
    /// 1e-10).
    ///
    /// - Parameters:
    ///   - positiveWeights: `a`, one for each channel, each at least 0; `nil`: all 1.
    ///   - classWeights: `w`, one for each channel, each at least 0 and not all 0; `nil`: all 1. A weight of 0 leaves
    ///     the channel out, of the sum of weights too.
    ///   - labelSmoothing: `s`, from 0 to 1: how far each target is moved towards its opposite.
    ///   - positivesOnly: Only `-a_c g log p` is summed; then no label smoothing.
    ///   - logOffset: `log(p + o)` and `log(1 - p + o)` stand in place of the logarithms: 0, or 1e-30 to 1, which is for
    ///     probabilities. Where `p + o` is above 1 the loss is below 0.
    ///   - voxelWeights: Whether `v` is a factor of the whole loss of a voxel, or of `-a_c h log p` alone: TensorFlow's
    ///     weighted cross entropy with a map. Inside a softmax only the former.
    ///   - perChannel: With a softmax, where it must be true: the loss of each logit's sigmoid, beside other terms of the
    ///     softmax of the same logits. Without a softmax it changes nothing.
    ///   - divisor: What the sum is divided by. `a` does not count in the sum of weights, `w` does.
    public static func binaryCrossEntropy(
        positiveWeights: [Float]? = nil, classWeights: [Float]? = nil, labelSmoothing: Double = 0,
        positivesOnly: Bool = false, logOffset: Double = 0, voxelWeights: WeightForm = .all,
        perChannel: Bool = false, divisor: Divisor = .weight
    ) -> Loss {
        Loss(
            .binaryCrossEntropy(
                .init(
                    positiveWeights: positiveWeights, classWeights: classWeights, labelSmoothing: labelSmoothing,
                    positivesOnly: positivesOnly, logOffset: logOffset, voxelWeights: voxelWeights,
                    perChannel: perChannel, divisor: divisor)))
    }

    /// Focal loss of each channel: binary cross entropy that counts easy values less.
    ///
    ///     sum_ic w_c v_i a_t (1 - p_t)^gamma [ -g log p - (1-g) log(1-p) ] / divisor,
    ///     p_t = p g + (1-p)(1-g),    a_t = a g + (1-a)(1-g)
    ///
    /// From Lin et al., "Focal Loss for Dense Object Detection" (2017), in the form of torchvision's
    /// `sigmoid_focal_loss`. For ``Activation/sigmoid`` and ``Activation/probabilities``.
    ///
    /// With ``Activation/softmax`` the focal loss of the classes, as kornia's `focal_loss` and MONAI's `FocalLoss` with
    /// `use_softmax` (which both divide by the number of classes too):
    ///
    ///     sum_i v_i a[y_i] w[y_i] (1 - p_i(y_i))^gamma nll_i(y_i) / divisor,    a_0 = 1-a, the other classes' a
    ///
    /// or with dense targets, which must add up to 1 at every valid voxel within 0.001, `sum_c g_ic a_c w_c (1 -
    /// p_i(c))^gamma nll_i(c)`. With a softmax and `perChannel` the channels' formula on the sigmoid of each logit,
    /// times `w_c`: what MONAI's `DiceFocalLoss` adds to its softmax Dice.
    ///
    /// - Parameters:
    ///   - gamma: How strongly easy values are counted less, at least 0; 0 leaves the weighted cross entropy.
    ///   - alpha: `a`, from 0 to 1, the weight of the positives; `nil` (torchvision writes -1):
    ///     `a_t` is 1.
    ///   - classWeights: `w`, one for each channel or class, each at least 0 and not all 0; `nil`: all 1.
    ///   - classGammas: One gamma for each class of a softmax, in place of `gamma`; not with `perChannel`.
    ///   - classAlphas: One alpha from 0 to 1 for each channel, in place of `alpha`. This and the following are not for the
    ///     classes of a softmax, whose class weights serve.
    ///   - alphaForm: Whether negatives weigh `1 - a`, or 1 as in MONAI with an alpha for each class.
    ///   - positiveWeights: `f`, one for each channel, each at least 0: `a_t = a f g + (1-a)(1-g)`; `nil`: all 1.
    ///   - reducedThreshold: `T` from 1/64 to 1, or 0 for none: the factor is `((1 - p_t) / T)^gamma`, and 1 where
    ///     `p_t < T` (reduced focal loss, Sergievskiy and Ponamarev 2019, as in segmentation_models). `T^-gamma` may
    ///     be 2^19 at most.
    ///   - modulation: What is raised to gamma where targets are between 0 and 1.
    ///   - positivesOnly: Only `-a g (1-p)^gamma log p` is summed.
    ///   - logOffset: `log(p + o)` and `log(1 - p + o)` stand in place of the logarithms: 0, or 1e-30 to 1, which is for
    ///     probabilities.
    ///   - perChannel: With a softmax: the loss of each logit's sigmoid. Without a softmax it changes nothing.
    ///   - divisor: What the sum is divided by. ``Divisor/factors(least:)`` makes it the normalized focal loss of
    ///     segmentation_models.
    public static func focal(
        gamma: Double = 2,
        alpha: Double? = 0.25,
        classWeights: [Float]? = nil,
        classGammas: [Float]? = nil,
        classAlphas: [Float]? = nil,
        alphaForm: AlphaForm = .balanced,
        positiveWeights: [Float]? = nil,
        reducedThreshold: Double = 0,
        modulation: Modulation = .probability,
        positivesOnly: Bool = false,
        logOffset: Double = 0,
        perChannel: Bool = false,
        divisor: Divisor = .weight
    ) -> Loss {
        Loss(
            .focal(
                .init(
                    gamma: gamma, alpha: alpha, classWeights: classWeights, classGammas: classGammas,
                    classAlphas: classAlphas, alphaForm: alphaForm, positiveWeights: positiveWeights,
                    reducedThreshold: reducedThreshold, modulation: modulation, positivesOnly: positivesOnly,
                    logOffset: logOffset, perChannel: perChannel, divisor: divisor)))
    }

    /// Focal loss star of each channel: a cross entropy of a steeper, shifted logit.
    ///
    ///     sum_ic w_c v_i a_t [ -log sigmoid(gamma x (2g - 1) + shift) / gamma ] / divisor,    a_t = a g + (1-a)(1-g)
    ///
    /// FL* of Lin et al., "Focal Loss for Dense Object Detection" (2017), appendix; with a shift of 0 fvcore's
    /// `sigmoid_focal_loss_star`. `x` is the logit: for ``Activation/sigmoid``.
    ///
    /// - Parameters:
    ///   - gamma: How steep the loss is, 2^-19 to 2^19.
    ///   - shift: The paper's beta, of magnitude 2^19 at most.
    ///   - alpha: `a`, from 0 to 1, the weight of the positives; `nil`: `a_t` is 1.
    ///   - classWeights: `w`, one for each channel, each at least 0 and not all 0; `nil`: all 1.
    ///   - divisor: What the sum is divided by.
    public static func focalStar(
        gamma: Double = 1, shift: Double = 0, alpha: Double? = nil, classWeights: [Float]? = nil,
        divisor: Divisor = .weight
    ) -> Loss {
        Loss(
            .focalStar(
                .init(gamma: gamma, shift: shift, alpha: alpha, classWeights: classWeights, divisor: divisor)))
    }

    /// Binary cross entropy over all positives and the hardest negatives.
    ///
    ///     [ sum over positives + sum over the k negatives of greatest loss ] / (positives + k + epsilon),
    ///     k = min(negatives, max(floor(negativeRatio * positives), minimumNegatives))
    ///
    /// and, without any positive, at least `fallbackNegatives` of them.
    ///
    /// The balanced cross entropy of DBNet: Liao et al., "Real-time Scene Text Detection with Differentiable
    /// Binarization" (2020). Among negatives of equal loss the one with the lowest index is taken. Targets must be 0 or
    /// 1; voxel weights are refused; a loss has one term at most that selects. For ``Activation/sigmoid`` and
    /// ``Activation/probabilities``.
    ///
    /// - Parameters:
    ///   - negativeRatio: How many negatives are taken for each positive, at least 0.
    ///   - minimumNegatives: How many negatives are taken at least, where there are that many.
    ///   - fallbackNegatives: How many negatives are taken at least where there are no positives (MMOCR's
    ///     `fallback_negative_num`).
    ///   - epsilon: What is added to the divisor, at least 0. Where that comes to 0 the term is 0 with a zero gradient.
    ///   - scope: Whether each sample has a ranking of its own or the batch has one; each over all channels. Over the
    ///     batch, accumulating parts takes several stages: see ``Evaluator/stageCount``.
    public static func balancedBinaryCrossEntropy(
        negativeRatio: Double = 3,
        minimumNegatives: Int = 0,
        fallbackNegatives: Int = 0,
        epsilon: Double = 1e-6,
        scope: Scope = .batch
    ) -> Loss {
        Loss(
            .balancedBinaryCrossEntropy(
                .init(
                    negativeRatio: negativeRatio, minimumNegatives: minimumNegatives,
                    fallbackNegatives: fallbackNegatives, epsilon: epsilon, scope: scope)))
    }
}

// MARK: - Errors of the probability

extension Loss {
    /// Absolute error (L1) of the probability; the target may be any number from 0 to 1.
    ///
    ///     sum_ic w_c v_i |p - g| / divisor
    ///
    /// With a mask and the divisor ``Divisor/valid`` DBNet's loss of the threshold map (Liao et al. 2020); where the
    /// mask is empty it is 0. The derivative where `p = g` is 0. For every activation, through
    /// whose gradient it goes; with ``Activation/softmax`` of each class's probability.
    ///
    /// - Parameters:
    ///   - classWeights: `w`, one for each channel, each at least 0 and not all 0; `nil`: all 1. A weight of 0 leaves
    ///     the channel out, of the sum of weights too.
    ///   - divisor: What the sum is divided by.
    public static func absoluteError(classWeights: [Float]? = nil, divisor: Divisor = .weight) -> Loss {
        Loss(.absoluteError(.init(classWeights: classWeights, divisor: divisor)))
    }

    /// Smooth L1 of the probability: squared error where it is small, absolute error elsewhere.
    ///
    ///     sum_ic w_c v_i s(p - g) / divisor,    s(d) = d^2 / (2 beta) where |d| < beta, else |d| - beta / 2
    ///
    /// The formula of PyTorch's `SmoothL1Loss`; `beta` 0 is the absolute error. For every activation; with
    /// ``Activation/softmax`` of each class's probability.
    ///
    /// - Parameters:
    ///   - beta: The error below which its square counts, at least 0.
    ///   - classWeights: `w`, one for each channel, each at least 0 and not all 0; `nil`: all 1.
    ///   - divisor: What the sum is divided by.
    public static func smoothL1(
        beta: Double = 1, classWeights: [Float]? = nil, divisor: Divisor = .weight
    ) -> Loss {
        Loss(.smoothL1(.init(beta: beta, classWeights: classWeights, divisor: divisor)))
    }

    /// Squared error of the probability: the Brier score.
    ///
    ///     sum_ic w_c v_i (p - g)^2 / divisor
    ///
    /// For every activation; with ``Activation/softmax`` of each class's probability.
    ///
    /// - Parameters:
    ///   - classWeights: `w`, one for each channel, each at least 0 and not all 0; `nil`: all 1.
    ///   - divisor: What the sum is divided by.
    public static func squaredError(classWeights: [Float]? = nil, divisor: Divisor = .weight) -> Loss {
        Loss(.squaredError(.init(classWeights: classWeights, divisor: divisor)))
    }

    /// The probability times a map `m` that comes with each batch and may have any sign.
    ///
    ///     sum_ic w_c v_i p m / divisor
    ///
    /// With signed distance maps, negative inside, the boundary loss of Kervadec et al., "Boundary loss for highly
    /// unbalanced segmentation" (2019). For every activation; with ``Activation/softmax`` of each class's probability
    /// and a map for each class.
    ///
    /// - Parameters:
    ///   - classWeights: `w`, one for each channel, each at least 0 and not all 0; `nil`: all 1. A weight of 0 leaves
    ///     the channel out, of the sum of weights too.
    ///   - divisor: What the sum is divided by.
    public static func linear(classWeights: [Float]? = nil, divisor: Divisor = .weight) -> Loss {
        Loss(.linear(.init(classWeights: classWeights, divisor: divisor)))
    }
}
