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
            /// `"sum"`, over samples and classes; a focal loss is averaged over the voxels first, as MONAI's is. These
            /// are the batch's samples and classes (or channels), the background included.
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
    ///   - weight: `w`, one for each class that takes part: one fewer without background.
    ///   - softLabel: The L1 form for soft targets: `I = (P + G - sum |p - g|) / 2`. Beside `squaredPred` it is the
    ///     product form, as in the original.
    ///   - reduction: Mean or sum.
    public func dice(
        includeBackground: Bool = true, squaredPred: Bool = false, jaccard: Bool = false, smoothNr: Double = 1e-5,
        smoothDr: Double = 1e-5, batch: Bool = false, weight: [Float]? = nil, softLabel: Bool = false,
        reduction: Reduction = .mean
    ) -> Loss {
        let half = jaccard ? 0.5 : 1
        let region = Region(
            jaccard ? .jaccard : .dice, smooth: .separate(numerator: half * smoothNr, denominator: half * smoothDr),
            denominator: squaredPred ? .squared : .linear,
            intersection: softLabel && !squaredPred ? .minimum : .product, scope: batch ? .batch : .sample,
            classes: includeBackground ? .all : .foreground,
            classWeights: weight.map { .multiplied(includeBackground ? $0 : [0] + $0) })
        return reduction.count(includeBackground, batch) * .region(region)
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
        return reduction.count(includeBackground, batch) * .region(region)
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
        return reduction.sampleCount(batch) * .region(region)
    }

    /// `MCCLoss` (new in 1.6): one minus Matthews' correlation, per sample and class.
    ///
    /// - Parameters:
    ///   - includeBackground: Whether class 0 takes part.
    ///   - smoothNr: What is added to the numerator.
    ///   - smoothDr: What is added to the denominator.
    ///   - batch: Counts are over the batch rather than each sample.
    ///   - reduction: Mean or sum.
    public func mcc(
        includeBackground: Bool = true, smoothNr: Double = 0, smoothDr: Double = 1e-5, batch: Bool = false,
        reduction: Reduction = .mean
    ) -> Loss {
        let region = Region(
            .matthews(smoothCounts: 0), smooth: .separate(numerator: smoothNr, denominator: smoothDr),
            scope: batch ? .batch : .sample, classes: includeBackground ? .all : .foreground)
        return reduction.count(includeBackground, batch) * .region(region)
    }
}

// MARK: - Focal

extension Loss.MONAI {
    /// `FocalLoss` of each channel's sigmoid, the default: `w_c a_t (1 - p_t)^gamma` times the binary cross entropy,
    /// averaged over all values.
    ///
    /// With `ignore_index` MONAI's mean divides by the valid voxels and is as many times larger as there are channels.
    /// Here it stays the mean of the valid values.
    ///
    /// - Parameters:
    ///   - background: Whether channel 0 counts.
    ///   - gamma: How strongly easy values are counted less.
    ///   - alpha: The weight of the positives, negatives having the rest of 1; `nil`: none.
    ///   - weight: `w`, one for each channel that counts.
    ///   - softTargets: Targets are between 0 and 1: MONAI's factor of those, `sigmoid(x (1 - 2 g))^gamma` of the logit
    ///     x. For ``Activation/sigmoid``. For targets of 0 and 1 it is the same factor.
    ///   - reduction: Mean or sum.
    public func focal(
        background: Background = .included, gamma: Double = 2, alpha: Double? = nil, weight: [Float]? = nil,
        softTargets: Bool = false, reduction: Reduction = .mean
    ) -> Loss {
        let (factor, weights) = channels(background, weight, reduction)
        return factor
            * .focal(
                gamma: gamma, alpha: alpha, classWeights: weights, modulation: softTargets ? .logit : .probability,
                perChannel: true, divisor: .valid)
    }

    /// `FocalLoss` with an alpha for each channel: weights of the positives alone, negatives having 1. For
    /// ``Activation/sigmoid`` and ``Activation/probabilities``.
    ///
    /// - Parameters:
    ///   - background: Whether channel 0 counts.
    ///   - gamma: How strongly easy values are counted less.
    ///   - alpha: One for each channel that counts, from 0 to 1.
    ///   - weight: `w`, one for each channel that counts.
    ///   - softTargets: Targets are between 0 and 1; for ``Activation/sigmoid``.
    ///   - reduction: Mean or sum.
    public func focal(
        background: Background = .included, gamma: Double = 2, alpha: [Float], weight: [Float]? = nil,
        softTargets: Bool = false, reduction: Reduction = .mean
    ) -> Loss {
        let (factor, weights) = channels(background, weight, reduction)
        return factor
            * .focal(
                gamma: gamma, alpha: nil, classWeights: weights,
                classAlphas: background == .included ? alpha : [0] + alpha, alphaForm: .positives,
                modulation: softTargets ? .logit : .probability, perChannel: true, divisor: .valid)
    }

    /// The factor of a mean over all channels, and the weights of all.
    private func channels(
        _ background: Background, _ weight: [Float]?, _ reduction: Reduction
    ) -> (factor: Double, weights: [Float]?) {
        let factor = reduction.count(background == .included, false)
        guard case .excluded(let classes) = background else { return (factor, weight) }
        // The divisor counts channel 0 too.
        return (
            factor * Double(classes) / Double(classes - 1),
            [0] + (weight ?? Array(repeating: 1, count: max(classes - 1, 0)))
        )
    }

    /// `FocalLoss` with `use_softmax`: `a[y] w[y] (1 - p(y))^gamma nll(y)`, for ``Activation/softmax``.
    ///
    /// MONAI's mean divides by the classes too, unless `ignore_index` is given. `include_background=False` drops
    /// channel 0 before MONAI's softmax, which makes it a loss of other probabilities: there is no such option here.
    ///
    /// - Parameters:
    ///   - classes: How many classes there are.
    ///   - gamma: How strongly easy voxels are counted less.
    ///   - alpha: The weight of all classes but class 0, which has the rest of 1; `nil`: none.
    ///   - weight: `w`, one for each class.
    ///   - ignoring: An `ignore_index` is given: the mean divides by the valid voxels alone.
    public func softmaxFocal(
        classes: Int, gamma: Double = 2, alpha: Double? = nil, weight: [Float]? = nil, ignoring: Bool = false
    ) -> Loss {
        (ignoring ? 1 : 1 / Double(classes))
            * .focal(gamma: gamma, alpha: alpha, classWeights: weight, divisor: .valid)
    }

    /// `AsymmetricUnifiedFocalLoss`: `weight` times an asymmetric focal loss and the rest of 1 times an asymmetric
    /// focal Tversky loss, for ``Activation/softmax``.
    ///
    ///     focal:    (1-delta) (1-p_0)^gamma nll of the background, delta nll of the other classes; the mean over
    ///               voxels and classes
    ///     Tversky:  1 - T_0 of the background, (1 - T_c)^(1-gamma) of the others, false negatives weighing delta,
    ///               false positives 1-delta; the mean over samples and classes
    ///
    /// From Yeung et al., "Unified Focal loss" (2022). The original takes probabilities unless told otherwise, holds
    /// them at 1e-7 and 1 - 1e-7, and in releases before 1.6 knew two classes alone and did not divide the focal part
    /// by the classes; here logits go in and nothing is held.
    ///
    /// - Parameters:
    ///   - classes: How many classes there are, the background included.
    ///   - weight: From 0 to 1.
    ///   - delta: The weight of the foreground, from 0 to 1.
    ///   - gamma: From 0 to 1.
    ///   - includeBackground: Whether class 0 takes part.
    ///   - epsilon: The smoothing of the Tversky scores.
    public func asymmetricUnifiedFocal(
        classes: Int, weight: Double = 0.5, delta: Double = 0.6, gamma: Double = 0.5, includeBackground: Bool = true,
        epsilon: Double = 1e-7
    ) -> Loss {
        let foreground = max(classes - 1, 0)
        let focal: Loss = .focal(
            gamma: gamma, alpha: delta,
            classWeights: includeBackground ? nil : [0] + Array(repeating: 1, count: foreground),
            classGammas: [Float(gamma)] + Array(repeating: 0, count: foreground), divisor: .valid)
        let tversky = Region(
            .tversky(falsePositives: 1 - delta, falseNegatives: delta), smooth: .both(epsilon),
            classes: includeBackground ? .all : .foreground,
            exponent: .each([1] + Array(repeating: Float(1 - gamma), count: foreground)))
        let counted = Double(includeBackground ? classes : foreground)
        return weight / counted * focal + (1 - weight) * .region(tversky)
    }
}

// MARK: - Boundary

extension Loss.MONAI {
    /// `BoundaryLoss` (new in 1.6): the mean of `p phi` over samples, classes and voxels, phi the signed distance maps
    /// of a call, negative inside. For every ``Activation``.
    ///
    /// - Parameter background: Whether class 0 takes part.
    public func boundary(background: Background = .included) -> Loss {
        guard case .excluded(let classes) = background else { return .linear() }
        return .linear(classWeights: [0] + Array(repeating: 1, count: max(classes - 1, 0)))
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
    ///     Dice is not.
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
        return lambdaDice * dice + lambdaCE * crossEntropy
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
    ///   - weight: One for each class that takes part, multiplied in both.
    ///   - lambdaDice: The weight of Dice.
    ///   - lambdaFocal: The weight of the focal loss.
    ///   - reduction: Mean or sum.
    public func diceFocal(
        background: Background = .included, squaredPred: Bool = false, jaccard: Bool = false, smoothNr: Double = 1e-5,
        smoothDr: Double = 1e-5, batch: Bool = false, gamma: Double = 2, alpha: Double? = nil,
        weight: [Float]? = nil, lambdaDice: Double = 1, lambdaFocal: Double = 1, reduction: Reduction = .mean
    ) -> Loss {
        let dice = dice(
            includeBackground: background == .included, squaredPred: squaredPred, jaccard: jaccard,
            smoothNr: smoothNr, smoothDr: smoothDr, batch: batch, weight: weight, reduction: reduction)
        let focal = focal(background: background, gamma: gamma, alpha: alpha, weight: weight, reduction: reduction)
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
    ///   - reduction: Mean or sum.
    public func generalizedDiceFocal(
        background: Background = .included, wType: VolumeWeights = .square(), smoothNr: Double = 1e-5,
        smoothDr: Double = 1e-5, batch: Bool = false, gamma: Double = 2, weight: [Float]? = nil,
        lambdaGDL: Double = 1, lambdaFocal: Double = 1, reduction: Reduction = .mean
    ) -> Loss {
        let dice = generalizedDice(
            includeBackground: background == .included, wType: wType, smoothNr: smoothNr, smoothDr: smoothDr,
            batch: batch, reduction: reduction)
        return lambdaGDL * dice
            + lambdaFocal * focal(background: background, gamma: gamma, weight: weight, reduction: reduction)
    }
}

extension Loss.MONAI.Reduction {
    /// How many means of single classes a sum adds up.
    fileprivate func count(_ includeBackground: Bool, _ batch: Bool) -> Double {
        switch self {
        case .mean: 1
        case .sum(let samples, let classes): Double((batch ? 1 : samples) * (includeBackground ? classes : classes - 1))
        }
    }

    /// How many losses of whole samples a sum adds up.
    fileprivate func sampleCount(_ batch: Bool) -> Double {
        switch self {
        case .mean: 1
        case .sum(let samples, _): batch ? 1 : Double(samples)
        }
    }

    fileprivate var ofVoxels: Loss.Reduction { self == .mean ? .mean : .sum }
}
