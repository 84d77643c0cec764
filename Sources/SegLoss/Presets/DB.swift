extension Loss {
    /// The losses of DB's code that are of one map; the whole of it is ``BinarizationLoss/db``.
    public static var db: DB { DB() }

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
}
