extension Loss {
    /// torchvision's loss, as of torchvision 0.29.
    public static var torchvision: Torchvision { Torchvision() }

    /// The focal loss of torchvision: `let loss: Loss = .torchvision.sigmoidFocal()`.
    public struct Torchvision: Sendable {
        /// `sigmoid_focal_loss`, for ``Activation/sigmoid`` (and ``Activation/probabilities``): `a_t (1 - p_t)^gamma`
        /// times the binary cross entropy.
        ///
        /// The original's gradient is NaN for `gamma` below 1 where a logit is saturated; here it is the right one, 0.
        ///
        /// - Parameters:
        ///   - alpha: The weight of the positives, negatives having the rest of 1; `nil` or -1 for none.
        ///   - gamma: How strongly easy values are counted less.
        ///   - reduction: Mean or sum; the original's default is neither.
        public func sigmoidFocal(alpha: Double? = 0.25, gamma: Double = 2, reduction: Reduction = .mean) -> Loss {
            Loss.focal(gamma: gamma, alpha: alphaOrNone(alpha), divisor: reduction.divisor(mean: .valid))
                .ofChannels("torchvision.sigmoidFocal")
        }
    }
}
