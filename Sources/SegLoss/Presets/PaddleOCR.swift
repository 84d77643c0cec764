extension Loss {
    /// PaddleOCR's losses of one map; the whole is ``BinarizationLoss/paddleOCR``.
    public static var paddleOCR: PaddleOCR { PaddleOCR() }

    /// The losses of PaddleOCR's DBNet: `let loss: Loss = .paddleOCR.dice()`. For ``Activation/probabilities``, with a
    /// mask.
    public struct PaddleOCR: Sendable {
        /// `BalanceLoss` with its default `DiceLoss`: DB's Dice.
        ///
        /// The original then mines negatives from copies of this one number, which changes it by a part in 10^6 of the
        /// values taken, and makes it 0 without text, where it is 1 here, with a zero gradient either way; for mined
        /// negatives use ``balancedCrossEntropy(negativeRatio:eps:)``.
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
}

extension BinarizationLoss {
    /// PaddleOCR's `DBLoss` with its default main loss, Dice: weights 5, 10 and 1.
    ///
    /// Its mining of negatives takes copies of that one number, to no effect but that the main loss is 0 without text,
    /// where it is 1 here; for mined negatives use ``db``, which is its `main_loss_type="BCELoss"`.
    public static let paddleOCR = BinarizationLoss(main: .dice)
}
