// The terms that rank losses and take the largest.

extension Loss {
    /// The mean of the `k` largest losses.
    ///
    ///     [ sum of the k largest losses ] / k,    k = floor(N percent / 100), at least 1
    ///
    /// With ``Activation/softmax`` the losses are those of the `N` voxels,
    /// `v_i [ (1-e) w[y_i] nll_i(y_i) + e/C sum_c w_c nll_i(c) ]`: nnU-Net's `TopKLoss` and the half of its
    /// `DC_and_topk_loss`, whose weights are ranked with the losses and divide nothing. With dense targets, which must
    /// add up to 1 at every valid voxel within 0.001, `sum_c g_ic w_c nll_i(c)` stands for `w[y_i] nll_i(y_i)`. With
    /// ``Activation/sigmoid`` and ``Activation/probabilities`` they are those of the `N` values of all channels,
    /// `w_c v_i [ -g log p - (1-g) log(1-p) ]`.
    ///
    /// Among equal losses the one with the lowest index is taken; the value does not depend on that. A loss has one
    /// term at most that selects: this one, ``onlineHardExampleMining(threshold:minimumKept:classWeights:divisor:scope:)``,
    /// ``balancedL1(negativeRatio:minimumNegatives:scope:)`` or
    /// ``balancedBinaryCrossEntropy(negativeRatio:minimumNegatives:fallbackNegatives:epsilon:scope:)``.
    ///
    /// - Parameters:
    ///   - percent: How many of a hundred values are taken, above 0 and at most 100.
    ///   - classWeights: `w`, one for each class or channel, each at least 0 and not all 0; `nil`: all 1.
    ///   - labelSmoothing: `e`, from 0 to 1; 0 without a softmax. As that of
    ///     ``crossEntropy(classWeights:labelSmoothing:divisor:exponent:)``, it enters the losses that are ranked.
    ///   - ignored: Whether `N` counts the values that are masked or ignored, with a loss of 0 (nnU-Net), or not.
    ///   - scope: Whether each sample has a ranking of its own or the batch has one. Over the batch, accumulating parts
    ///     takes several stages: see ``Evaluator/stageCount``.
    public static func topK(
        percent: Double = 10, classWeights: [Float]? = nil, labelSmoothing: Double = 0,
        ignored: IgnoredValues = .counted, scope: Scope = .batch
    ) -> Loss {
        let term = Term.TopK(
            percent: percent, classWeights: classWeights, labelSmoothing: labelSmoothing, ignored: ignored,
            scope: scope)
        return Loss(terms: [WeightedTerm(term: .topK(term))])
    }

    /// Cross entropy of the hard examples: those whose target has a probability below a threshold, and at least so
    /// many.
    ///
    ///     [ sum over the values kept ] / divisor
    ///
    /// Kept are the values whose loss is above `-log(threshold)`; where they are fewer than `minimumKept`, the
    /// `minimumKept` values of greatest loss (all, where there are fewer), among equals those of the lowest index. The
    /// losses are the cross entropies of voxels (``Activation/softmax``), or the binary cross entropies of values
    /// (``Activation/sigmoid``, ``Activation/probabilities``). That is mmsegmentation's `OhemCrossEntropy`; with the
    /// divisor ``Divisor/all``, and for each image as many as its `min_kept`, its `OHEMPixelSampler` under a mean.
    /// Voxel weights are refused; a loss has one term at most that selects.
    ///
    /// Class weights are factors of the losses that are added up, and never enter the divisor. Beside a threshold they
    /// leave alone what is kept; with a threshold of 0 the greatest weighted losses are kept.
    ///
    /// - Parameters:
    ///   - threshold: From 0 to 1. With 0 none is kept for its loss alone: the `minimumKept` largest losses are.
    ///   - minimumKept: How many values are kept at least, of each sample or of the batch as `scope` says.
    ///   - classWeights: One for each class or channel, each at least 0 and not all 0; `nil`: all 1.
    ///   - divisor: ``Divisor/weight`` is the number of values kept.
    ///   - scope: Whether each sample has a selection of its own or the batch has one. Over the batch, accumulating
    ///     parts takes several stages: see ``Evaluator/stageCount``.
    public static func onlineHardExampleMining(
        threshold: Double = 0.7, minimumKept: Int = 100_000, classWeights: [Float]? = nil, divisor: Divisor = .weight,
        scope: Scope = .batch
    ) -> Loss {
        let term = Term.HardExamples(
            threshold: threshold, minimumKept: minimumKept, classWeights: classWeights, divisor: divisor, scope: scope)
        return Loss(terms: [WeightedTerm(term: .onlineHardExampleMining(term))])
    }

    /// The mean absolute error of the positives, and that of the hardest negatives.
    ///
    ///     [ sum over positives |p - g| ] / positives + [ sum over the k negatives of greatest |p - g| ] / k,
    ///     k = min(negatives, max(floor(negativeRatio * positives), minimumNegatives))
    ///
    /// DB's `BalanceL1Loss` of the threshold map. The batch's `maps` say what is positive: values above 0, where DB has
    /// its mask; the others are negative, whatever their target, which may be any number from 0 to 1. A mean over
    /// nothing is 0. Among negatives of equal error the one with the lowest index is taken. Voxel weights are refused,
    /// and so is a ``linear(classWeights:divisor:)`` beside it, which would take the same maps; a loss has one term at
    /// most that selects. For ``Activation/sigmoid`` and ``Activation/probabilities``.
    ///
    /// - Parameters:
    ///   - negativeRatio: How many negatives are taken for each positive, at least 0.
    ///   - minimumNegatives: How many negatives are taken at least, where there are that many.
    ///   - scope: Whether each sample has a ranking of its own or the batch has one; each over all channels. Over the
    ///     batch, accumulating parts takes several stages: see ``Evaluator/stageCount``.
    public static func balancedL1(
        negativeRatio: Double = 3, minimumNegatives: Int = 0, scope: Scope = .batch
    ) -> Loss {
        let term = Term.BalancedL1(negativeRatio: negativeRatio, minimumNegatives: minimumNegatives, scope: scope)
        return Loss(terms: [WeightedTerm(term: .balancedL1(term))])
    }
}

/// What a top-k term takes a share of.
public enum IgnoredValues: Sendable, Hashable, CaseIterable {
    /// All values: those that are masked or ignored count with a loss of 0.
    case counted
    /// The values that are neither masked nor ignored.
    case excluded
}

extension Term {
    /// The options of a top-k term.
    public struct TopK: Sendable, Hashable {
        /// How many of a hundred values are taken, above 0 and at most 100.
        public var percent: Double
        /// One weight for each class; `nil`: all 1.
        public var classWeights: [Float]?
        /// How much of the target goes to all classes alike, from 0 to 1.
        public var labelSmoothing: Double
        /// Whether masked and ignored values count among those of which a share is taken.
        public var ignored: IgnoredValues
        /// Over what the losses are ranked.
        public var scope: Scope
    }

    /// The options of balanced L1.
    public struct BalancedL1: Sendable, Hashable {
        /// How many negatives are taken for each positive, at least 0.
        public var negativeRatio: Double
        /// How many negatives are taken at least.
        public var minimumNegatives: Int
        /// Over what the negatives are ranked.
        public var scope: Scope
    }

    /// The options of online hard example mining.
    public struct HardExamples: Sendable, Hashable {
        /// The probability of the target below which a value is kept, from 0 to 1.
        public var threshold: Double
        /// How many values are kept at least.
        public var minimumKept: Int
        /// One weight for each class; `nil`: all 1.
        public var classWeights: [Float]?
        /// What the sum is divided by; `weight` is the number of values kept.
        public var divisor: Divisor
        /// Over what the losses are ranked.
        public var scope: Scope
    }
}
