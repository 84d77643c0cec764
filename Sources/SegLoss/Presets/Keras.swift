extension Loss {
    /// Keras's losses, as of Keras 3.
    public static var keras: Keras { Keras() }

    /// The losses of Keras: `let loss: Loss = .keras.categoricalFocalCrossentropy()`.
    ///
    /// `from_logits` is the ``Activation``. Keras holds probabilities within 1e-7 of 0 and 1, also those that it makes
    /// of logits for its focal losses; here saturated values keep their loss and gradient. Means are over the values
    /// (or voxels) that are neither masked nor ignored, whatever they weigh; a `sample_weight` of each voxel is a
    /// call's weights.
    public struct Keras: Sendable {
        /// `BinaryCrossentropy`, for ``Activation/sigmoid`` and ``Activation/probabilities``.
        ///
        /// - Parameter labelSmoothing: `s`: targets become `g (1-s) + s/2`.
        public func binaryCrossentropy(labelSmoothing: Double = 0) -> Loss {
            .binaryCrossEntropy(labelSmoothing: labelSmoothing / 2, divisor: .valid)
        }

        /// `CategoricalCrossentropy` and `SparseCategoricalCrossentropy`, for ``Activation/softmax``.
        ///
        /// - Parameter labelSmoothing: `s`: targets become `g (1-s) + s/C`.
        public func categoricalCrossentropy(labelSmoothing: Double = 0) -> Loss {
            .crossEntropy(labelSmoothing: labelSmoothing, divisor: .valid)
        }

        /// `BinaryFocalCrossentropy`, for ``Activation/sigmoid`` and ``Activation/probabilities``; without smoothed
        /// labels.
        ///
        /// - Parameters:
        ///   - applyClassBalancing: Whether `alpha` counts.
        ///   - alpha: The weight of the positives, negatives having the rest of 1.
        ///   - gamma: How strongly easy values are counted less.
        public func binaryFocalCrossentropy(
            applyClassBalancing: Bool = false, alpha: Double = 0.25, gamma: Double = 2
        ) -> Loss {
            Loss.focal(gamma: gamma, alpha: applyClassBalancing ? alpha : nil, divisor: .valid)
                .ofChannels("keras.binaryFocalCrossentropy")
        }

        /// `CategoricalFocalCrossentropy`, for ``Activation/softmax``: `alpha (1 - p(y))^gamma nll(y)`.
        ///
        /// - Parameters:
        ///   - alpha: A factor of all classes alike.
        ///   - gamma: How strongly easy voxels are counted less.
        public func categoricalFocalCrossentropy(alpha: Double = 0.25, gamma: Double = 2) -> Loss {
            alpha
                * Loss.focal(gamma: gamma, alpha: nil, divisor: .valid)
                .ofSoftmax("keras.categoricalFocalCrossentropy")
        }

        /// `CategoricalFocalCrossentropy` with an alpha for each class.
        ///
        /// - Parameters:
        ///   - alpha: One factor for each class.
        ///   - gamma: How strongly easy voxels are counted less.
        public func categoricalFocalCrossentropy(alpha: [Float], gamma: Double = 2) -> Loss {
            Loss.focal(gamma: gamma, alpha: nil, classWeights: alpha, divisor: .valid)
                .ofSoftmax("keras.categoricalFocalCrossentropy")
        }

        /// `Dice`: `1 - 2 I / (P + G + 1e-7)` over batch and classes together.
        public func dice() -> Loss {
            .dice(smooth: .denominator(1e-7), scope: .batchPooled)
        }

        /// `Tversky`: `1 - I / (I + alpha (P - I) + beta (G - I) + 1e-7)` over batch and classes together.
        ///
        /// The original's documentation says this, but its code has the two exchanged: there `alpha` weighs the false
        /// negatives and `beta` the false positives.
        ///
        /// - Parameters:
        ///   - alpha: The weight of false positives.
        ///   - beta: The weight of false negatives.
        public func tversky(alpha: Double = 0.5, beta: Double = 0.5) -> Loss {
            .tversky(
                falsePositives: alpha, falseNegatives: beta, smooth: .denominator(1e-7), scope: .batchPooled)
        }
    }
}
