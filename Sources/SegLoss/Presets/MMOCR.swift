extension Loss {
    /// MMOCR's losses of one map, as of 1.0; the whole is ``BinarizationLoss/mmOCR``.
    public static var mmOCR: MMOCR { MMOCR() }

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
    /// MMOCR's `DBModuleLoss`: the numbers of DB's code. Its smooth L1 has a beta of 0, which is the absolute error.
    ///
    /// For a `fallback_negative_num` of its main loss, 0 by default, set ``main``: `.balanced(fallbackNegatives: 500)`.
    public static let mmOCR = BinarizationLoss.db
}
