extension Loss {
    /// PyTorch's losses, as of PyTorch 2.15.
    public static var pyTorch: PyTorch { PyTorch() }

    /// The losses of PyTorch: `let loss: Loss = .pyTorch.crossEntropy(labelSmoothing: 0.1)`.
    ///
    /// `ignore_index` is ``Options/ignoreIndex``; PyTorch's default of -100 needs labels of a signed type. A `weight`
    /// of `BCEWithLogitsLoss` and `BCELoss` that has the input's shape is a call's voxel weights where it is the same
    /// for all channels; otherwise plan the channels as samples of one channel, so that every value is a voxel.
    public struct PyTorch: Sendable {
        /// `CrossEntropyLoss`: `sum_i w[y_i] nll_i / sum_i w[y_i]`, for ``Activation/softmax``.
        ///
        /// With everything ignored PyTorch's mean is NaN; here it is 0, with PyTorch's gradient of 0.
        ///
        /// - Parameters:
        ///   - weight: `w`, one for each class.
        ///   - labelSmoothing: How much of the target is spread evenly over the classes.
        ///   - softTargets: The targets are dense, class probabilities; PyTorch's mean then divides by the number of
        ///     voxels, whatever they weigh.
        ///   - reduction: Mean or sum.
        public func crossEntropy(
            weight: [Float]? = nil, labelSmoothing: Double = 0, softTargets: Bool = false,
            reduction: Reduction = .mean
        ) -> Loss {
            .crossEntropy(
                classWeights: weight, labelSmoothing: labelSmoothing,
                divisor: reduction.divisor(mean: softTargets ? .valid : .weight))
        }

        /// `BCEWithLogitsLoss`, for ``Activation/sigmoid``: `w_c (-a_c g log p - (1-g) log(1-p))` of all values.
        ///
        /// - Parameters:
        ///   - weight: `w`, one for each channel.
        ///   - posWeight: `a`, one for each channel.
        ///   - reduction: Mean (of all values, whatever they weigh) or sum.
        public func bceWithLogits(
            weight: [Float]? = nil, posWeight: [Float]? = nil, reduction: Reduction = .mean
        ) -> Loss {
            .binaryCrossEntropy(
                positiveWeights: posWeight, classWeights: weight, divisor: reduction.divisor(mean: .valid))
        }

        /// `BCELoss`, for ``Activation/probabilities``. Logarithms are held at -100, the gradient's denominator at
        /// 1e-12.
        ///
        /// - Parameters:
        ///   - weight: One for each channel.
        ///   - reduction: Mean (of all values, whatever they weigh) or sum.
        public func bce(weight: [Float]? = nil, reduction: Reduction = .mean) -> Loss {
            .binaryCrossEntropy(classWeights: weight, divisor: reduction.divisor(mean: .valid))
        }

        /// `L1Loss` of the probability.
        ///
        /// - Parameter reduction: Mean or sum.
        public func l1(reduction: Reduction = .mean) -> Loss {
            .absoluteError(divisor: reduction.divisor(mean: .valid))
        }

        /// `SmoothL1Loss` of the probability.
        ///
        /// - Parameters:
        ///   - beta: The error below which its square counts.
        ///   - reduction: Mean or sum.
        public func smoothL1(beta: Double = 1, reduction: Reduction = .mean) -> Loss {
            .smoothL1(beta: beta, divisor: reduction.divisor(mean: .valid))
        }

        /// `HuberLoss` of the probability: delta times smooth L1.
        ///
        /// - Parameters:
        ///   - delta: The error below which half its square counts, above 0.
        ///   - reduction: Mean or sum.
        public func huber(delta: Double = 1, reduction: Reduction = .mean) -> Loss {
            let loss = delta * smoothL1(beta: delta, reduction: reduction)
            return delta > 0
                ? loss : loss.demanding("pyTorch.huber", .impossible("delta is \(delta); expected above 0"))
        }

        /// `MSELoss` of the probability.
        ///
        /// - Parameter reduction: Mean or sum.
        public func mse(reduction: Reduction = .mean) -> Loss {
            .squaredError(divisor: reduction.divisor(mean: .valid))
        }
    }
}
