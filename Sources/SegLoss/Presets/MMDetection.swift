extension Loss {
    /// mmdetection's Dice loss, as of 3.0.
    public static var mmDetection: MMDetection { MMDetection() }

    /// The Dice loss of mmdetection: `let loss: Loss = .mmDetection.dice()`.
    public struct MMDetection: Sendable {
        /// `DiceLoss`, for ``Activation/sigmoid``: one Dice for each sample (or instance), over all its channels.
        ///
        ///     1 - 2 I / ((sum p^2 + eps) + (sum g^2 + eps)),    or    1 - (2 I + eps) / (P + G + eps)
        ///
        /// - Parameters:
        ///   - naiveDice: The second, linear form.
        ///   - eps: The smoothing.
        public func dice(naiveDice: Bool = false, eps: Double = 1e-3) -> Loss {
            .dice(
                smooth: naiveDice ? .both(eps) : .each(eps), denominator: naiveDice ? .linear : .squared,
                scope: .samplePooled)
        }
    }
}
