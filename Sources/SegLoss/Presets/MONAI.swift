extension Loss {
    /// MONAI's losses, as of MONAI 1.6.
    public static var monai: MONAI { MONAI() }

    /// The losses of MONAI: `let loss: Loss = .monai.diceCE(includeBackground: false)`.
    ///
    /// `softmax=True` and `sigmoid=True` are the ``Activation``, chosen in planning, and `to_onehot_y` is not needed.
    /// Class weights multiply and are not normalized: weights of 2 double a loss. `MaskedDiceLoss` is `dice`
    /// and a mask: masked voxels leave all sums, as in MONAI since 1.6 (before, they stayed with a probability of 1/2).
    public struct MONAI: Sendable {
        /// How values become one.
        public enum Reduction: Sendable, Hashable {
            /// `"mean"`
            case mean
            /// `"sum"`, over samples and classes; a focal or boundary loss is averaged over the voxels first, as in
            /// MONAI. These are the batch's samples and classes (or channels), the background included.
            case sum(samples: Int, classes: Int)
        }

        /// Whether class 0 counts in losses of single channels.
        public enum Background: Sendable, Hashable {
            /// `include_background=True`
            case included
            /// `include_background=False`, of so many classes with the background.
            case excluded(classes: Int)
        }
    }
}

// MARK: - Overlaps

extension Loss.MONAI {
    /// `DiceLoss`: `mean of w_c (1 - (2 I + nr) / (P + G + dr))`, per sample and class.
    ///
    /// - Parameters:
    ///   - includeBackground: Whether class 0 takes part.
    ///   - squaredPred: The denominator is `sum p^2 + sum g^2`.
    ///   - jaccard: `(2 I + nr) / (2 (P + G - I) + dr)`: Jaccard, with half the smoothing of Dice.
    ///   - smoothNr: `nr`
    ///   - smoothDr: `dr`
    ///   - batch: Sums are over the batch rather than each sample.
    ///   - weight: `w`, one for each class that takes part: one fewer without background. As in the original, that of a
    ///     single class has no effect.
    ///   - softLabel: The L1 form for soft targets: `I = (P + G - sum |p - g|) / 2`. Beside `squaredPred` it is the
    ///     product form, as in the original.
    ///   - reduction: Mean or sum.
    public func dice(
        includeBackground: Bool = true, squaredPred: Bool = false, jaccard: Bool = false, smoothNr: Double = 1e-5,
        smoothDr: Double = 1e-5, batch: Bool = false, weight: [Float]? = nil, softLabel: Bool = false,
        reduction: Reduction = .mean
    ) -> Loss {
        let half = jaccard ? 0.5 : 1
        // The original weighs classes against each other alone.
        let weights = weight.flatMap { $0.count == 1 ? nil : $0 }
        let region = Region(
            jaccard ? .jaccard : .dice, smooth: .separate(numerator: half * smoothNr, denominator: half * smoothDr),
            denominator: squaredPred ? .squared : .linear,
            intersection: softLabel && !squaredPred ? .minimum : .product, scope: batch ? .batch : .sample,
            classes: includeBackground ? .all : .foreground,
            classWeights: weights.map { .multiplied(includeBackground ? $0 : [0] + $0) })
        let loss = reduction.sum("monai.dice", includeBackground, batch, .region(region))
        return loss.demanding("monai.dice", lists(ofAll: includeBackground, weight: weight))
    }

    /// That lists have a number for each class of the plan, or for each but the background.
    private func lists(ofAll: Bool, alpha: [Float]? = nil, weight: [Float]? = nil) -> [Demand.Expected] {
        let besides = ofAll ? "" : ", one for each class but the background"
        return [(alpha, "alpha"), (weight, "weight")].compactMap { list, name in
            guard let count = list?.count else { return nil }
            return .classes(count + (ofAll ? 0 : 1), given: counted(count, name) + besides)
        }
    }

    /// `TverskyLoss`: `mean of 1 - (I + nr) / (I + alpha (P - I) + beta (G - I) + dr)`, per sample and class.
    ///
    /// - Parameters:
    ///   - includeBackground: Whether class 0 takes part.
    ///   - alpha: The weight of false positives.
    ///   - beta: The weight of false negatives.
    ///   - smoothNr: `nr`
    ///   - smoothDr: `dr`
    ///   - batch: Sums are over the batch rather than each sample.
    ///   - softLabel: The L1 form for soft targets.
    ///   - reduction: Mean or sum.
    public func tversky(
        includeBackground: Bool = true, alpha: Double = 0.5, beta: Double = 0.5, smoothNr: Double = 1e-5,
        smoothDr: Double = 1e-5, batch: Bool = false, softLabel: Bool = false, reduction: Reduction = .mean
    ) -> Loss {
        let region = Region(
            .tversky(falsePositives: alpha, falseNegatives: beta),
            smooth: .separate(numerator: smoothNr, denominator: smoothDr),
            intersection: softLabel ? .minimum : .product, scope: batch ? .batch : .sample,
            classes: includeBackground ? .all : .foreground)
        return reduction.sum("monai.tversky", includeBackground, batch, .region(region))
    }

    /// `GeneralizedDiceLoss`: `1 - (2 sum_c w_c I_c + nr) / (sum_c w_c (P_c + G_c) + dr)` of each sample.
    ///
    /// An absent class has the largest weight of the others; where all are absent the loss is 0.
    ///
    /// - Parameters:
    ///   - includeBackground: Whether class 0 takes part.
    ///   - wType: `w_c`: `"square"`, `"simple"` or `"uniform"`.
    ///   - smoothNr: `nr`
    ///   - smoothDr: `dr`
    ///   - batch: Sums are over the batch rather than each sample.
    ///   - softLabel: The L1 form for soft targets.
    ///   - reduction: Mean or sum (over the samples).
    public func generalizedDice(
        includeBackground: Bool = true, wType: VolumeWeights = .square(), smoothNr: Double = 1e-5,
        smoothDr: Double = 1e-5, batch: Bool = false, softLabel: Bool = false, reduction: Reduction = .mean
    ) -> Loss {
        let region = Region(
            .generalizedDice(wType), smooth: .separate(numerator: smoothNr, denominator: smoothDr),
            intersection: softLabel ? .minimum : .product, scope: batch ? .batchPooled : .samplePooled,
            classes: includeBackground ? .all : .foreground)
        return reduction.sumOfSamples("monai.generalizedDice", batch, .region(region))
    }

    /// `MCCLoss` (new in 1.6): one minus Matthews' correlation, per sample and class.
    ///
    ///     1 - (TP TN - FP FN + nr) / sqrt((TP+FP) (TP+FN) (TN+FP) (TN+FN) + dr),    0 where FP = FN = 0
    ///
    /// - Parameters:
    ///   - includeBackground: Whether class 0 takes part.
    ///   - smoothNr: `nr`
    ///   - smoothDr: `dr`, under the root.
    ///   - batch: Counts are over the batch rather than each sample.
    ///   - reduction: Mean or sum.
    public func mcc(
        includeBackground: Bool = true, smoothNr: Double = 0, smoothDr: Double = 1e-5, batch: Bool = false,
        reduction: Reduction = .mean
    ) -> Loss {
        let region = Region(
            .matthews(smoothCounts: 0, smoothProduct: smoothDr, perfectIsOne: true), smooth: .numerator(smoothNr),
            scope: batch ? .batch : .sample, classes: includeBackground ? .all : .foreground)
        return reduction.sum("monai.mcc", includeBackground, batch, .region(region))
    }
}

// MARK: - Focal

extension Loss.MONAI {
    /// `FocalLoss` of each channel's sigmoid, the default: `w_c a_t (1 - p_t)^gamma` times the binary cross entropy,
    /// averaged over all values.
    ///
    /// With `ignore_index` MONAI's mean divides by the valid voxels and is as many times larger as there are channels.
    /// Here it stays the mean of the valid values. Its sum then takes the mean of each sample over that sample's own
    /// valid voxels; here one mean over the batch is multiplied. Both are the same where the samples have equally many;
    /// for the original call sample by sample.
    ///
    /// - Parameters:
    ///   - background: Whether channel 0 counts.
    ///   - gamma: How strongly easy values are counted less.
    ///   - alpha: The weight of the positives, negatives having the rest of 1; `nil`: none.
    ///   - weight: `w`, one for each channel that counts.
    ///   - softTargets: Targets are between 0 and 1: MONAI's factor of those, `sigmoid(x (1 - 2 g))^gamma` of the logit
    ///     x. For ``Activation/sigmoid`` and ``Activation/softmax``. For targets of 0 and 1 it is the same factor.
    ///   - reduction: Mean or sum.
    public func focal(
        background: Background = .included, gamma: Double = 2, alpha: Double? = nil, weight: [Float]? = nil,
        softTargets: Bool = false, reduction: Reduction = .mean
    ) -> Loss {
        let loss: Loss = .focal(
            gamma: gamma, alpha: alpha, classWeights: weights(background, weight),
            modulation: softTargets ? .logit : .probability, perChannel: true, divisor: .valid)
        return ofChannels(background, softTargets, reduction, loss, weight: weight)
    }

    /// `FocalLoss` with an alpha for each channel: weights of the positives alone, negatives having 1. For every
    /// ``Activation``.
    ///
    /// A target between 0 and 1 is for MONAI no positive and weighs 1; here it is one in part, `alpha g + 1 - g`.
    ///
    /// - Parameters:
    ///   - background: Whether channel 0 counts.
    ///   - gamma: How strongly easy values are counted less.
    ///   - alpha: One for each channel that counts, from 0 to 1.
    ///   - weight: `w`, one for each channel that counts.
    ///   - softTargets: Targets are between 0 and 1; for logits.
    ///   - reduction: Mean or sum.
    public func focal(
        background: Background = .included, gamma: Double = 2, alpha: [Float], weight: [Float]? = nil,
        softTargets: Bool = false, reduction: Reduction = .mean
    ) -> Loss {
        let loss: Loss = .focal(
            gamma: gamma, alpha: nil, classWeights: weights(background, weight),
            classAlphas: allChannels(background, alpha, 0), alphaForm: .positives,
            modulation: softTargets ? .logit : .probability, perChannel: true, divisor: .valid)
        return ofChannels(background, softTargets, reduction, loss, alpha: alpha, weight: weight)
    }

    /// The weights of all channels.
    private func weights(_ background: Background, _ weight: [Float]?) -> [Float]? {
        guard case .excluded(let classes) = background else { return weight }
        return [0] + (weight ?? ones(butFirstOf: classes))
    }

    /// A mean over all channels as that of those that count.
    private func ofChannels(
        _ background: Background, _ softTargets: Bool, _ reduction: Reduction, _ loss: Loss, alpha: [Float]? = nil,
        weight: [Float]?
    ) -> Loss {
        let lists = lists(ofAll: background == .included, alpha: alpha, weight: weight)
        let logits: [Demand.Expected] = softTargets ? [.activation([.sigmoid, .softmax])] : []
        let sum = reduction.sum("monai.focal", background == .included, false, loss)
            .demanding("monai.focal", background.demands + logits + lists)
        guard case .excluded(let classes) = background, classes > 1 else { return sum }
        return Double(classes) / (Double(classes) - 1) * sum  // the divisor counts channel 0 too
    }

    /// Numbers of the channels that count, and one for channel 0 where it does not.
    private func allChannels(_ background: Background, _ numbers: [Float], _ first: Float) -> [Float] {
        background == .included ? numbers : [first] + numbers
    }

    /// A one for every class but the first. More classes than any shape has are cut short: planning refuses either.
    fileprivate func ones(butFirstOf classes: Int) -> [Float] {
        Array(repeating: 1, count: min(max(classes, 1), 1024) - 1)
    }

    /// `FocalLoss` with `use_softmax`: `a[y] w[y] (1 - p(y))^gamma nll(y)`, for ``Activation/softmax``.
    ///
    /// MONAI's mean divides by the classes too, unless `ignore_index` is given. Its sum with an `ignore_index` takes
    /// the mean of each sample over that sample's own valid voxels; here one mean over the batch is multiplied.
    ///
    /// `include_background=False` drops channel 0 before MONAI's softmax, which makes it a loss of other probabilities:
    /// plan one class fewer with a view of the logits that begins at channel 1 (``Layout``), give labels less 1, and
    /// ignore those of the background, which MONAI counts as zeros. Its gradient of channel 0 is 0.
    ///
    /// - Parameters:
    ///   - classes: How many classes there are, the background included.
    ///   - includeBackground: Without: the plan is of the other classes, as said above, and `alpha` has no effect, as
    ///     in the original.
    ///   - gamma: How strongly easy voxels are counted less.
    ///   - alpha: The weight of all classes but class 0, which has the rest of 1; `nil`: none.
    ///   - weight: `w`, one for each class that counts.
    ///   - ignoring: An `ignore_index` is given: the mean divides by the valid voxels alone. Not beside
    ///     `includeBackground: false`, where MONAI's number of valid voxels is the caller's to count.
    ///   - reduction: Mean or sum.
    public func softmaxFocal(
        classes: Int, includeBackground: Bool = true, gamma: Double = 2, alpha: Double? = nil, weight: [Float]? = nil,
        ignoring: Bool = false, reduction: Reduction = .mean
    ) -> Loss {
        softmaxFocal(
            classes, includeBackground, gamma, includeBackground ? alpha : nil, weight, ignoring, reduction)
    }

    /// `FocalLoss` with `use_softmax` and an alpha for each class: a further class weight.
    ///
    /// - Parameters:
    ///   - classes: How many classes there are, the background included.
    ///   - includeBackground: Without: the plan is of the other classes.
    ///   - gamma: How strongly easy voxels are counted less.
    ///   - alpha: One for each class that counts.
    ///   - weight: `w`, one for each class that counts.
    ///   - ignoring: An `ignore_index` is given.
    ///   - reduction: Mean or sum.
    public func softmaxFocal(
        classes: Int, includeBackground: Bool = true, gamma: Double = 2, alpha: [Float], weight: [Float]? = nil,
        ignoring: Bool = false, reduction: Reduction = .mean
    ) -> Loss {
        let both = weight.map { zip(alpha, $0).map(*) } ?? alpha
        return softmaxFocal(classes, includeBackground, gamma, nil, both, ignoring, reduction)
            .demanding("monai.softmaxFocal", lists(ofAll: true, alpha: alpha, weight: weight))
    }

    private func softmaxFocal(
        _ classes: Int, _ includeBackground: Bool, _ gamma: Double, _ alpha: Double?, _ weight: [Float]?,
        _ ignoring: Bool, _ reduction: Reduction
    ) -> Loss {
        // A sum adds up the means over the voxels of each class: all of them make one of a voxel's loss.
        let planned = includeBackground ? classes : max(classes, 1) - 1
        let given = "\(counted(classes, "class", "classes"))\(includeBackground ? "" : " with the background")"
        let loss = Loss.focal(
            gamma: gamma, alpha: alpha, classWeights: weight, divisor: includeBackground ? .valid : .all
        ).ofSoftmax("monai.softmaxFocal").demanding("monai.softmaxFocal", .classes(planned, given: given))
        guard reduction == .mean else { return reduction.sumOfSamples("monai.softmaxFocal", false, loss) }
        return ignoring ? loss : 1 / Double(planned) * loss
    }

    /// `AsymmetricUnifiedFocalLoss`: `weight` times an asymmetric focal loss and the rest of 1 times an asymmetric
    /// focal Tversky loss, for ``Activation/softmax``.
    ///
    ///     focal:    (1-delta) (1-p_0)^gamma nll of the background, delta nll of the other classes; the mean over
    ///               voxels and classes
    ///     Tversky:  1 - T_0 of the background, (1 - T_c)^(1-gamma) of the others, false negatives weighing delta,
    ///               false positives 1-delta; the mean over samples and classes
    ///
    /// From Yeung et al., "Unified Focal loss" (2022). The original of MONAI 1.6.1 has two classes and takes their
    /// probabilities, or that of the foreground alone, which it holds at 1e-7 and 1 - 1e-7. Here logits go in and
    /// nothing is held: those of a probability p are 0 and log(p / (1 - p)). Three classes and more,
    /// `includeBackground` and `epsilon` are this library's: the same formula. With an `ignore_index` the original
    /// divides the focal part by all voxels; here it is the mean of the valid ones.
    ///
    /// - Parameters:
    ///   - classes: How many classes there are, the background included.
    ///   - weight: From 0 to 1. At 1 there is no Tversky part (`AsymmetricFocalLoss`), at 0 no focal part
    ///     (`AsymmetricFocalTverskyLoss`).
    ///   - gamma: At least 0, and with a Tversky part below 1: of 1 the original's has no slope in the foreground.
    ///   - delta: The weight of the foreground, from 0 to 1.
    ///   - includeBackground: Whether class 0 takes part.
    ///   - epsilon: The smoothing of the Tversky scores.
    public func asymmetricUnifiedFocal(
        classes: Int = 2, weight: Double = 0.5, gamma: Double = 0.5, delta: Double = 0.7,
        includeBackground: Bool = true, epsilon: Double = 1e-7
    ) -> Loss {
        let foreground = ones(butFirstOf: classes)
        let focal: Loss = .focal(
            gamma: gamma, alpha: delta, classWeights: includeBackground ? nil : [0] + foreground,
            classGammas: [Float(gamma)] + foreground.map { _ in 0 }, divisor: .valid)
        let tversky = Region(
            .tversky(falsePositives: 1 - delta, falseNegatives: delta), smooth: .both(epsilon),
            classes: includeBackground ? .all : .foreground,
            exponent: .each([1] + foreground.map { _ in Float(1 - gamma) }))
        let name = "monai.asymmetricUnifiedFocal", included = Double(classes) - (includeBackground ? 0 : 1)
        let focalPart = weight / included * focal, tverskyPart = (1 - weight) * .region(tversky)
        let sum = weight == 1 ? focalPart : weight == 0 ? tverskyPart : focalPart + tverskyPart
        let wrong = [
            0 <= delta && delta <= 1 ? nil : "delta is \(delta); expected 0 to 1",
            0 <= weight && weight <= 1 ? nil : "weight is \(weight); expected 0 to 1",
            gamma >= 0 ? nil : "gamma is \(gamma); expected at least 0",
            gamma < 1 || weight == 1 ? nil : "gamma is \(gamma); expected below 1 with a Tversky part",
        ].compactMap { $0 }
        return sum.ofSoftmax(name, classes: classes).demanding(name, wrong.map { .impossible($0) })
    }
}

// MARK: - Boundary

extension Loss.MONAI {
    /// `BoundaryLoss` (new in 1.6): the mean of `p phi` over samples, classes and voxels, phi the signed distance maps
    /// of a call, negative inside. For every ``Activation``.
    ///
    /// - Parameters:
    ///   - background: Whether class 0 takes part.
    ///   - batch: A sum is of the classes, of each the mean of its samples. The mean is the same either way.
    ///   - reduction: Mean or sum: of the means over the voxels.
    public func boundary(
        background: Background = .included, batch: Bool = false, reduction: Reduction = .mean
    ) -> Loss {
        let loss: Loss = .linear(classWeights: weights(background, nil))
        return reduction.sum("monai.boundary", background == .included, batch, loss)
            .demanding("monai.boundary", background.demands)
    }
}

// MARK: - Sums

extension Loss.MONAI {
    /// `DiceCELoss` of several channels: Dice and cross entropy, for ``Activation/softmax``.
    ///
    /// - Parameters:
    ///   - includeBackground: Whether class 0 takes part in Dice; in the cross entropy it always does.
    ///   - squaredPred: The denominator of Dice is `sum p^2 + sum g^2`.
    ///   - jaccard: Jaccard in place of Dice, with half the smoothing.
    ///   - smoothNr: What is added to Dice's numerator.
    ///   - smoothDr: What is added to Dice's denominator.
    ///   - batch: Dice's sums are over the batch.
    ///   - weight: One for each class, the background included; the cross entropy is divided by those that entered,
    ///     Dice is not. As in the original, Dice of a single class goes without.
    ///   - lambdaDice: The weight of Dice.
    ///   - lambdaCE: The weight of the cross entropy.
    ///   - labelSmoothing: Of the cross entropy.
    ///   - softTargets: The targets are dense; as for `.pyTorch.crossEntropy`.
    ///   - reduction: Mean, or sum: of Dice over samples and classes, of the cross entropy over the voxels.
    public func diceCE(
        includeBackground: Bool = true, squaredPred: Bool = false, jaccard: Bool = false, smoothNr: Double = 1e-5,
        smoothDr: Double = 1e-5, batch: Bool = false, weight: [Float]? = nil, lambdaDice: Double = 1,
        lambdaCE: Double = 1, labelSmoothing: Double = 0, softTargets: Bool = false, reduction: Reduction = .mean
    ) -> Loss {
        let dice = dice(
            includeBackground: includeBackground, squaredPred: squaredPred, jaccard: jaccard, smoothNr: smoothNr,
            smoothDr: smoothDr, batch: batch,
            weight: weight.map { includeBackground ? $0 : Array($0.dropFirst()) }, reduction: reduction)
        let crossEntropy: Loss = .pyTorch.crossEntropy(
            weight: weight, labelSmoothing: labelSmoothing, softTargets: softTargets, reduction: reduction.ofVoxels)
        return lambdaDice * dice + lambdaCE * crossEntropy
    }

    /// `DiceCELoss` of a single channel: Dice and binary cross entropy, for ``Activation/sigmoid``.
    ///
    /// - Parameters:
    ///   - squaredPred: The denominator of Dice is `sum p^2 + sum g^2`.
    ///   - jaccard: Jaccard in place of Dice, with half the smoothing.
    ///   - smoothNr: What is added to Dice's numerator.
    ///   - smoothDr: What is added to Dice's denominator.
    ///   - batch: Dice's sums are over the batch.
    ///   - weight: The weight of the positives in the cross entropy; Dice goes without.
    ///   - lambdaDice: The weight of Dice.
    ///   - lambdaCE: The weight of the cross entropy.
    ///   - reduction: Mean or sum.
    public func diceBCE(
        squaredPred: Bool = false, jaccard: Bool = false, smoothNr: Double = 1e-5, smoothDr: Double = 1e-5,
        batch: Bool = false, weight: Float? = nil, lambdaDice: Double = 1, lambdaCE: Double = 1,
        reduction: Reduction = .mean
    ) -> Loss {
        let dice = dice(
            squaredPred: squaredPred, jaccard: jaccard, smoothNr: smoothNr, smoothDr: smoothDr, batch: batch,
            reduction: reduction)
        let crossEntropy: Loss = .pyTorch.bceWithLogits(
            posWeight: weight.map { [$0] }, reduction: reduction.ofVoxels)
        return lambdaDice * dice + (lambdaCE * crossEntropy).ofOneSigmoid("monai.diceBCE")
    }

    /// `DiceFocalLoss`: Dice and the focal loss of each channel's sigmoid, which it is in MONAI even with
    /// `softmax=True`. For every ``Activation``.
    ///
    /// - Parameters:
    ///   - background: Whether class 0 takes part in both.
    ///   - squaredPred: The denominator of Dice is `sum p^2 + sum g^2`.
    ///   - jaccard: Jaccard in place of Dice, with half the smoothing.
    ///   - smoothNr: What is added to Dice's numerator.
    ///   - smoothDr: What is added to Dice's denominator.
    ///   - batch: Dice's sums are over the batch.
    ///   - gamma: How strongly easy values are counted less.
    ///   - alpha: The weight of the positives, negatives having the rest of 1; `nil`: none.
    ///   - weight: One for each class that takes part, multiplied in both; a single one in the focal loss alone.
    ///   - lambdaDice: The weight of Dice.
    ///   - lambdaFocal: The weight of the focal loss.
    ///   - softTargets: Targets are between 0 and 1: MONAI's factor of those in the focal loss; for logits.
    ///   - reduction: Mean or sum.
    public func diceFocal(
        background: Background = .included, squaredPred: Bool = false, jaccard: Bool = false, smoothNr: Double = 1e-5,
        smoothDr: Double = 1e-5, batch: Bool = false, gamma: Double = 2, alpha: Double? = nil,
        weight: [Float]? = nil, lambdaDice: Double = 1, lambdaFocal: Double = 1, softTargets: Bool = false,
        reduction: Reduction = .mean
    ) -> Loss {
        let dice = dice(
            includeBackground: background == .included, squaredPred: squaredPred, jaccard: jaccard,
            smoothNr: smoothNr, smoothDr: smoothDr, batch: batch, weight: weight, reduction: reduction)
        let focal = focal(
            background: background, gamma: gamma, alpha: alpha, weight: weight, softTargets: softTargets,
            reduction: reduction)
        return lambdaDice * dice + lambdaFocal * focal
    }

    /// `DiceFocalLoss` with an alpha for each channel: weights of the positives alone, negatives having 1.
    ///
    /// - Parameters:
    ///   - background: Whether class 0 takes part in both.
    ///   - squaredPred: The denominator of Dice is `sum p^2 + sum g^2`.
    ///   - jaccard: Jaccard in place of Dice, with half the smoothing.
    ///   - smoothNr: What is added to Dice's numerator.
    ///   - smoothDr: What is added to Dice's denominator.
    ///   - batch: Dice's sums are over the batch.
    ///   - gamma: How strongly easy values are counted less.
    ///   - alpha: One for each class that takes part, from 0 to 1.
    ///   - weight: One for each class that takes part, multiplied in both; a single one in the focal loss alone.
    ///   - lambdaDice: The weight of Dice.
    ///   - lambdaFocal: The weight of the focal loss.
    ///   - softTargets: Targets are between 0 and 1; for logits.
    ///   - reduction: Mean or sum.
    public func diceFocal(
        background: Background = .included, squaredPred: Bool = false, jaccard: Bool = false, smoothNr: Double = 1e-5,
        smoothDr: Double = 1e-5, batch: Bool = false, gamma: Double = 2, alpha: [Float], weight: [Float]? = nil,
        lambdaDice: Double = 1, lambdaFocal: Double = 1, softTargets: Bool = false, reduction: Reduction = .mean
    ) -> Loss {
        let dice = dice(
            includeBackground: background == .included, squaredPred: squaredPred, jaccard: jaccard,
            smoothNr: smoothNr, smoothDr: smoothDr, batch: batch, weight: weight, reduction: reduction)
        let focal = focal(
            background: background, gamma: gamma, alpha: alpha, weight: weight, softTargets: softTargets,
            reduction: reduction)
        return lambdaDice * dice + lambdaFocal * focal
    }

    /// `GeneralizedDiceFocalLoss`: generalized Dice and the focal loss of each channel's sigmoid. For every
    /// ``Activation``.
    ///
    /// - Parameters:
    ///   - background: Whether class 0 takes part in both.
    ///   - wType: The weights of the classes in generalized Dice.
    ///   - smoothNr: What is added to its numerator.
    ///   - smoothDr: What is added to its denominator.
    ///   - batch: Its sums are over the batch.
    ///   - gamma: How strongly easy values are counted less.
    ///   - weight: One for each class that takes part, in the focal loss.
    ///   - lambdaGDL: The weight of generalized Dice.
    ///   - lambdaFocal: The weight of the focal loss.
    ///   - softTargets: Targets are between 0 and 1: MONAI's factor of those in the focal loss; for logits.
    ///   - reduction: Mean or sum.
    public func generalizedDiceFocal(
        background: Background = .included, wType: VolumeWeights = .square(), smoothNr: Double = 1e-5,
        smoothDr: Double = 1e-5, batch: Bool = false, gamma: Double = 2, weight: [Float]? = nil,
        lambdaGDL: Double = 1, lambdaFocal: Double = 1, softTargets: Bool = false, reduction: Reduction = .mean
    ) -> Loss {
        let dice = generalizedDice(
            includeBackground: background == .included, wType: wType, smoothNr: smoothNr, smoothDr: smoothDr,
            batch: batch, reduction: reduction)
        return lambdaGDL * dice
            + lambdaFocal
            * focal(
                background: background, gamma: gamma, weight: weight, softTargets: softTargets, reduction: reduction)
    }
}

extension Loss.MONAI.Background {
    fileprivate var demands: [Demand.Expected] {
        guard case .excluded(let classes) = self else { return [] }
        guard classes > 1 else { return [.impossible(".excluded(classes: \(classes)) leaves no class")] }
        return [.classes(classes, given: counted(classes, "class", "classes"))]
    }
}

extension Loss.MONAI.Reduction {
    /// A mean over samples and classes as the sum of them.
    fileprivate func sum(_ preset: String, _ includeBackground: Bool, _ batch: Bool, _ mean: Loss) -> Loss {
        guard case .sum(_, let classes) = self else { return mean }
        let included = Double(classes) - (includeBackground ? 0 : 1)
        return included * sumOfSamples(preset, batch, mean)
            .demanding(preset, .classes(classes, given: "a sum over \(counted(classes, "class", "classes"))"))
    }

    /// A mean over samples as the sum of them.
    fileprivate func sumOfSamples(_ preset: String, _ batch: Bool, _ mean: Loss) -> Loss {
        guard case .sum(let samples, _) = self else { return mean }
        return (batch ? 1 : Double(samples))
            * mean.demanding(preset, .samples(samples, given: "a sum over \(counted(samples, "sample"))"))
    }

    fileprivate var ofVoxels: Loss.Reduction { self == .mean ? .mean : .sum }
}
