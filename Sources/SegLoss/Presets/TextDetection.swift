extension Loss {
    /// The losses of DB's code that are of one map; the whole of it is ``BinarizationLoss/db``.
    public static var db: DB { DB() }
    /// PaddleOCR's losses of one map; the whole is ``BinarizationLoss/paddleOCR``.
    public static var paddleOCR: PaddleOCR { PaddleOCR() }
    /// MMOCR's losses of one map, as of 1.0; the whole is ``BinarizationLoss/mmOCR``.
    public static var mmOCR: MMOCR { MMOCR() }

    /// The losses of DB (`MhLiao/DB`): `let loss: Loss = .db.balancedCrossEntropy()`. For ``Activation/probabilities``,
    /// with a mask.
    public struct DB: Sendable {
        /// `BalanceCrossEntropyLoss`: all positives and the hardest negatives of the batch.
        ///
        /// - Parameters:
        ///   - negativeRatio: How many negatives are taken for each positive.
        ///   - eps: What is added to the divisor.
        public func balancedCrossEntropy(negativeRatio: Double = 3, eps: Double = 1e-6) -> Loss {
            .balancedBinaryCrossEntropy(negativeRatio: negativeRatio, epsilon: eps)
        }

        /// `MaskL1Loss` of the threshold map: the mean absolute error within the mask, 0 where that is empty.
        public func maskL1() -> Loss {
            .absoluteError(divisor: .valid)
        }

        /// `DiceLoss`: `1 - 2 I / (P + G + eps)` over the batch; without text it is 1 with a zero gradient.
        ///
        /// - Parameters:
        ///   - eps: What is added to the denominator.
        ///   - weighted: The voxel weights of a call enter all sums.
        public func dice(eps: Double = 1e-6, weighted: Bool = false) -> Loss {
            .dice(smooth: .denominator(eps), scope: .batchPooled, voxelWeights: weighted ? .inSums : .unused)
        }

        /// `BalanceL1Loss` of the threshold map: the mean absolute error within the mask, and that of the hardest
        /// values outside it. The mask goes in as `maps`, 1 within and 0 outside. A mean over nothing is 0, where the
        /// original divides by 0.
        ///
        /// - Parameter negativeRatio: How many values outside are taken for each within.
        public func balancedL1(negativeRatio: Double = 3) -> Loss {
            .balancedL1(negativeRatio: negativeRatio)
        }

        /// `LeakyDiceLoss`: `1 - I / (P + eps) + scale (1 - I / (G + eps))` over the batch.
        ///
        /// - Parameters:
        ///   - eps: What is added to both denominators.
        ///   - coverageScale: How much more missed text costs than background taken for text.
        public func leakyDice(eps: Double = 1e-6, coverageScale: Double = 5) -> Loss {
            .leakyDice(
                falsePositives: 1, falseNegatives: coverageScale, smooth: .denominator(eps), scope: .batchPooled)
        }
    }

    /// The losses of PaddleOCR's DBNet: `let loss: Loss = .paddleOCR.dice()`. For ``Activation/probabilities``, with a
    /// mask.
    public struct PaddleOCR: Sendable {
        /// `BalanceLoss` with its default `DiceLoss`: DB's Dice.
        ///
        /// The original then mines negatives from copies of this one number, which changes it by a part in 10^6 of the
        /// values taken; for mined negatives use ``balancedCrossEntropy(negativeRatio:eps:)``.
        ///
        /// - Parameters:
        ///   - eps: What is added to the denominator.
        ///   - weighted: The voxel weights of a call enter all sums.
        public func dice(eps: Double = 1e-6, weighted: Bool = false) -> Loss {
            .db.dice(eps: eps, weighted: weighted)
        }

        /// `BalanceLoss` with `main_loss_type="BCELoss"`: DB's balanced cross entropy.
        ///
        /// - Parameters:
        ///   - negativeRatio: How many negatives are taken for each positive.
        ///   - eps: What is added to the divisor.
        public func balancedCrossEntropy(negativeRatio: Double = 3, eps: Double = 1e-6) -> Loss {
            .db.balancedCrossEntropy(negativeRatio: negativeRatio, eps: eps)
        }

        /// `MaskL1Loss`: the mean absolute error within the mask, 0 where that is empty. The original adds 1e-6 to the
        /// number of values.
        public func maskL1() -> Loss {
            .db.maskL1()
        }
    }

    /// The losses of MMOCR: `let loss: Loss = .mmOCR.maskedSquareDice()`. With a mask.
    public struct MMOCR: Sendable {
        /// `MaskedBalancedBCELoss`, for ``Activation/probabilities``, and `MaskedBalancedBCEWithLogitsLoss`, for
        /// ``Activation/sigmoid``: all positives and the hardest negatives of the batch.
        ///
        /// - Parameters:
        ///   - negativeRatio: How many negatives are taken for each positive.
        ///   - fallbackNegativeNum: How many negatives are taken where there are no positives.
        ///   - eps: What is added to the divisor.
        public func maskedBalancedBCE(
            negativeRatio: Double = 3, fallbackNegativeNum: Int = 0, eps: Double = 1e-6
        ) -> Loss {
            .balancedBinaryCrossEntropy(
                negativeRatio: negativeRatio, fallbackNegatives: fallbackNegativeNum, epsilon: eps)
        }

        /// `MaskedDiceLoss`: `1 - 2 I / (P + G + eps)` over the batch.
        ///
        /// - Parameter eps: What is added to the denominator.
        public func maskedDice(eps: Double = 1e-6) -> Loss {
            .db.dice(eps: eps)
        }

        /// `MaskedSquareDiceLoss`: `1 - 2 I / ((sum p^2 + eps) + (sum g^2 + eps))` of each sample, over all its
        /// channels.
        ///
        /// - Parameter eps: What is added to each sum of the denominator.
        public func maskedSquareDice(eps: Double = 1e-3) -> Loss {
            .mmDetection.dice(eps: eps)
        }

        /// `MaskedSmoothL1Loss`: the mean smooth L1 within the mask, 0 where that is empty. The original adds 1e-6 to
        /// the number of values.
        ///
        /// - Parameter beta: The error below which its square counts; DBNet's head asks for 0, the absolute error.
        public func maskedSmoothL1(beta: Double = 1) -> Loss {
            .smoothL1(beta: beta, divisor: .valid)
        }
    }
}

extension BinarizationLoss {
    /// PaddleOCR's `DBLoss` with its default main loss, Dice: weights 5, 10 and 1.
    ///
    /// Its mining of negatives takes copies of that one number, to no effect; for mined negatives use ``db``, which is
    /// its `main_loss_type="BCELoss"`.
    public static let paddleOCR = BinarizationLoss(main: .dice)

    /// MMOCR's `DBModuleLoss`: the numbers of DB's code. Its smooth L1 has a beta of 0, which is the absolute error.
    public static let mmOCR = BinarizationLoss.db
}
