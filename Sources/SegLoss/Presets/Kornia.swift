extension Loss {
    /// kornia's losses, as of kornia 0.9.
    public static var kornia: Kornia { Kornia() }

    /// The losses of kornia: `let loss: Loss = .kornia.dice(average: .macro)`.
    ///
    /// The numbers are those of kornia 0.9. Before, its one-hot targets were not quite 0 and 1, and its Tversky loss
    /// added up all classes, where false positives and false negatives are equally many.
    public struct Kornia: Sendable {
        /// Over what Dice's sums are taken.
        public enum Average: Sendable, Hashable {
            /// One Dice for all classes of a sample.
            case micro
            /// One Dice for each class that the sample has, then their mean.
            case macro
        }

        /// `dice_loss`: `1 - 2 I / (P + G + eps)` of each sample, for ``Activation/softmax``.
        ///
        /// With `macro` a sample without a class that counts, as all of it is ignored or its classes weigh 0, has a
        /// loss of 0; in kornia it is 1. It has no gradient either way.
        ///
        /// - Parameters:
        ///   - average: Over what the sums are taken.
        ///   - eps: What is added to the denominator.
        ///   - weight: One for each class: inside the sums of `micro`, a weighted mean of `macro`.
        public func dice(average: Average = .micro, eps: Double = 1e-8, weight: [Float]? = nil) -> Loss {
            switch average {
            case .micro:
                .dice(smooth: .denominator(eps), scope: .samplePooled, classWeights: weight.map { .inside($0) })
            case .macro:
                .dice(smooth: .denominator(eps), classWeights: weight.map { .normalized($0) }, absent: .skipped)
            }
        }

        /// `tversky_loss`: `1 - I / (I + alpha (P - I) + beta (G - I) + eps)` of each class that the sample has, for
        /// ``Activation/softmax``. A sample that is ignored as a whole has a loss of 0; in kornia it is 1.
        ///
        /// - Parameters:
        ///   - alpha: The weight of false positives.
        ///   - beta: The weight of false negatives.
        ///   - eps: What is added to the denominator.
        public func tversky(alpha: Double, beta: Double, eps: Double = 1e-8) -> Loss {
            .tversky(falsePositives: alpha, falseNegatives: beta, smooth: .denominator(eps), absent: .skipped)
        }

        /// `lovasz_softmax_loss`: of each sample, over all classes, for ``Activation/softmax``. Before 0.9 kornia
        /// sorted class numbers in place of indicators.
        ///
        /// - Parameter weight: One for each class; the mean is not divided by them.
        public func lovaszSoftmax(weight: [Float]? = nil) -> Loss {
            Loss.lovaszSoftmax(scope: .sample, presentOnly: false, classWeights: weight)
                .ofClasses("kornia.lovaszSoftmax")
        }

        /// `lovasz_hinge_loss`: of each sample, for ``Activation/sigmoid`` of one channel.
        public func lovaszHinge() -> Loss { Loss.lovaszHinge().ofOneSigmoid("kornia.lovaszHinge") }

        /// `focal_loss`: `a[y] w[y] (1 - p(y))^gamma nll(y)`, for ``Activation/softmax``.
        ///
        /// kornia's mean divides by the classes too, and by ignored voxels.
        ///
        /// - Parameters:
        ///   - classes: How many classes there are.
        ///   - alpha: The weight of all classes but class 0, which has the rest of 1; `nil`: none.
        ///   - gamma: How strongly easy voxels are counted less.
        ///   - weight: `w`, one for each class.
        ///   - reduction: Mean or sum; the original's default is neither.
        public func focal(
            classes: Int, alpha: Double?, gamma: Double = 2, weight: [Float]? = nil, reduction: Reduction = .mean
        ) -> Loss {
            (reduction == .mean ? 1 / Double(classes) : 1)
                * Loss.focal(
                    gamma: gamma, alpha: alpha, classWeights: weight, divisor: reduction.divisor(mean: .all)
                ).ofSoftmax("kornia.focal", classes: classes)
        }

        /// `binary_focal_loss_with_logits`, for ``Activation/sigmoid`` and targets of 0 and 1. Ignored values count in
        /// the mean.
        ///
        /// Of a target g between them kornia weighs both halves by themselves, `a g (1 - p)^gamma (-log p) + (1 - a)
        /// (1 - g) p^gamma (-log (1 - p))`; here it is torchvision's formula. The first half is ``Loss/focal`` with
        /// `positivesOnly`.
        ///
        /// - Parameters:
        ///   - alpha: The weight of the positives, negatives having the rest of 1; `nil`: none.
        ///   - gamma: How strongly easy values are counted less.
        ///   - posWeight: What the positives weigh besides, one for each channel.
        ///   - weight: One for each channel.
        ///   - reduction: Mean or sum; the original's default is neither.
        public func binaryFocal(
            alpha: Double? = 0.25, gamma: Double = 2, posWeight: [Float]? = nil, weight: [Float]? = nil,
            reduction: Reduction = .mean
        ) -> Loss {
            Loss.focal(
                gamma: gamma, alpha: alpha, classWeights: weight, positiveWeights: posWeight,
                divisor: reduction.divisor(mean: .all)
            ).ofChannels("kornia.binaryFocal")
        }
    }
}
