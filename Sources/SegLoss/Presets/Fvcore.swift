extension Loss {
    /// fvcore's losses.
    public static var fvcore: FVCore { FVCore() }

    /// The focal loss of fvcore: `let loss: Loss = .fvcore.sigmoidFocal()`.
    public struct FVCore: Sendable {
        /// `sigmoid_focal_loss`, for ``Activation/sigmoid``: torchvision's formula, without alpha unless one is given.
        ///
        /// - Parameters:
        ///   - alpha: The weight of the positives, negatives having the rest of 1; `nil` or -1 for none.
        ///   - gamma: How strongly easy values are counted less.
        ///   - reduction: Mean or sum; the original's default is neither.
        public func sigmoidFocal(alpha: Double? = nil, gamma: Double = 2, reduction: Reduction = .mean) -> Loss {
            Loss.focal(gamma: gamma, alpha: alphaOrNone(alpha), divisor: reduction.divisor(mean: .valid))
                .ofChannels("fvcore.sigmoidFocal")
        }

        /// `sigmoid_focal_loss_star`, for ``Activation/sigmoid``: `-a_t log sigmoid(gamma x (2 g - 1)) / gamma` of the
        /// logit x.
        ///
        /// - Parameters:
        ///   - alpha: The weight of the positives, negatives having the rest of 1; `nil` or -1 for none.
        ///   - gamma: How steep the loss is.
        ///   - reduction: Mean or sum; the original's default is neither.
        public func sigmoidFocalStar(
            alpha: Double? = nil, gamma: Double = 1, reduction: Reduction = .mean
        ) -> Loss {
            .focalStar(gamma: gamma, alpha: alphaOrNone(alpha), divisor: reduction.divisor(mean: .valid))
        }
    }
}

/// fvcore's focal loss, and those that descend from it, take an alpha of -1 for none.
func alphaOrNone(_ alpha: Double?) -> Double? { alpha == -1 ? nil : alpha }
