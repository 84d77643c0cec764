extension Loss {
    /// mmsegmentation's losses, as of 1.0.
    public static var mmSegmentation: MMSegmentation { MMSegmentation() }

    /// The losses of mmsegmentation: `let loss: Loss = .mmSegmentation.dice()`.
    ///
    /// `ignore_index`, 255 there, is ``Options/ignoreIndex``; `loss_weight` is a factor: `0.4 *
    /// .mmSegmentation.dice()`.
    public struct MMSegmentation: Sendable {
        /// `CrossEntropyLoss`, for ``Activation/softmax``: class weights multiply, the mean divides by the voxels.
        ///
        /// In 1.2 the mean divides by the weights that entered where class weights are given: that is
        /// `.pyTorch.crossEntropy(weight:)`.
        ///
        /// - Parameters:
        ///   - classWeight: One for each class.
        ///   - avgNonIgnore: The mean is over the voxels that are not ignored rather than all, the original's default.
        ///   - reduction: Mean or sum.
        public func crossEntropy(
            classWeight: [Float]? = nil, avgNonIgnore: Bool = false, reduction: Reduction = .mean
        ) -> Loss {
            .crossEntropy(
                classWeights: classWeight, divisor: reduction.divisor(mean: avgNonIgnore ? .valid : .all))
        }

        /// `LovaszLoss`, for ``Activation/softmax``.
        ///
        /// - Parameters:
        ///   - classes: Which classes count.
        ///   - perImage: The loss of each image, then their mean. The original asks for a reduction of `"none"` where
        ///     it is not, to the same effect.
        ///   - classWeight: One for each class; the mean is not divided by them.
        public func lovasz(
            classes: Berman.Counted = .present, perImage: Bool = false, classWeight: [Float]? = nil
        ) -> Loss {
            Loss.lovaszSoftmax(
                scope: perImage ? .sample : .batch, classes: classes.taken, presentOnly: classes == .present,
                classWeights: classWeight
            ).ofClasses("mmSegmentation.lovasz")
        }

        /// `LovaszLoss` with `loss_type="binary"`, for ``Activation/sigmoid`` of one channel.
        ///
        /// - Parameter perImage: The loss of each image, then their mean.
        public func lovaszBinary(perImage: Bool = false) -> Loss {
            Loss.lovaszHinge(scope: perImage ? .sample : .batch).ofOneSigmoid("mmSegmentation.lovaszBinary")
        }

        /// `OhemCrossEntropy`, for ``Activation/softmax``: the mean of the cross entropies of hard voxels, those whose
        /// label has a probability below the threshold, and at least so many.
        ///
        /// Where no more than `minKept` voxels are valid the original drops the easiest; here all are kept.
        ///
        /// - Parameters:
        ///   - thresh: The threshold; with 0 none is kept for that alone.
        ///   - minKept: How many voxels of the batch are kept at least; 0 stands for 1.
        ///   - classWeight: One for each class. They multiply the losses of the voxels that are kept, and change
        ///     neither which these are nor what the mean divides by: their number.
        public func ohemCrossEntropy(
            thresh: Double = 0.7, minKept: Int = 100_000, classWeight: [Float]? = nil
        ) -> Loss {
            Loss.onlineHardExampleMining(
                threshold: threshold(thresh, classWeight), minimumKept: minKept == 0 ? 1 : minKept,
                classWeights: classWeight
            ).ofSoftmax("mmSegmentation.ohemCrossEntropy")
        }

        /// `CrossEntropyLoss` under an `OHEMPixelSampler`, for ``Activation/softmax``: the sum over the hard voxels of
        /// the batch, divided by all voxels.
        ///
        /// In 1.2 it is divided by the weights of all labels where class weights are given, which no plan can know:
        /// ``Loss/onlineHardExampleMining(threshold:minimumKept:classWeights:divisor:scope:)`` with a divisor of
        /// `.constant(1)`, divided by them outside.
        ///
        /// - Parameters:
        ///   - images: How many images a batch has: the samples.
        ///   - thresh: Voxels whose label has a lower probability are kept; `nil`: none for that alone.
        ///   - minKept: How many voxels are kept at least, for each image.
        ///   - classWeight: One for each class, of the cross entropy. They multiply, and without a threshold the voxels
        ///     are ranked with them.
        ///   - avgNonIgnore: The sum is divided by the voxels that are not ignored.
        public func ohemPixelSampler(
            images: Int, thresh: Double? = nil, minKept: Int = 100_000, classWeight: [Float]? = nil,
            avgNonIgnore: Bool = false
        ) -> Loss {
            Loss.onlineHardExampleMining(
                threshold: thresh.map { threshold($0, classWeight) } ?? 0, minimumKept: product(minKept, images),
                classWeights: classWeight, divisor: avgNonIgnore ? .valid : .all
            )
            .ofSoftmax("mmSegmentation.ohemPixelSampler")
            .demanding("mmSegmentation.ohemPixelSampler", .samples(images, given: counted(images, "image")))
        }

        /// A threshold of 0 would rank with the class weights: one below every probability in its place.
        private func threshold(_ thresh: Double, _ classWeight: [Float]?) -> Double {
            thresh == 0 && classWeight != nil ? .leastNormalMagnitude : thresh
        }

        /// What is more than all voxels keeps them all.
        private func product(_ kept: Int, _ images: Int) -> Int {
            let (product, isTooLarge) = kept.multipliedReportingOverflow(by: images)
            return isTooLarge ? ((kept < 0) == (images < 0) ? .max : .min) : product
        }

        /// `CrossEntropyLoss` with `use_sigmoid`, for ``Activation/sigmoid``: binary cross entropy of each channel.
        ///
        /// - Parameters:
        ///   - classWeight: One weight of the positives for each channel, as the original means it; there it meets the
        ///     columns of an image, not its channels.
        ///   - avgNonIgnore: The mean is over the values that are not ignored rather than all, the original's default.
        ///   - reduction: Mean or sum.
        public func binaryCrossEntropy(
            classWeight: [Float]? = nil, avgNonIgnore: Bool = false, reduction: Reduction = .mean
        ) -> Loss {
            .binaryCrossEntropy(
                positiveWeights: classWeight, divisor: reduction.divisor(mean: avgNonIgnore ? .valid : .all))
        }

        /// `FocalLoss`, for ``Activation/sigmoid``: class weights multiply, ignored values count in the mean.
        ///
        /// - Parameters:
        ///   - gamma: How strongly easy values are counted less.
        ///   - alpha: The weight of the positives, negatives having the rest of 1.
        ///   - classWeight: One for each channel.
        ///   - reduction: Mean or sum.
        public func focal(
            gamma: Double = 2, alpha: Double = 0.5, classWeight: [Float]? = nil, reduction: Reduction = .mean
        ) -> Loss {
            Loss.focal(
                gamma: gamma, alpha: alpha, classWeights: classWeight, divisor: reduction.divisor(mean: .all)
            ).ofChannels("mmSegmentation.focal")
        }

        /// `FocalLoss` with an alpha for each channel, for ``Activation/sigmoid``.
        ///
        /// - Parameters:
        ///   - gamma: How strongly easy values are counted less.
        ///   - alpha: One for each channel: the weight of the positives, negatives having the rest of 1.
        ///   - classWeight: One for each channel.
        ///   - reduction: Mean or sum.
        public func focal(
            gamma: Double = 2, alpha: [Float], classWeight: [Float]? = nil, reduction: Reduction = .mean
        ) -> Loss {
            Loss.focal(
                gamma: gamma, alpha: nil, classWeights: classWeight, classAlphas: alpha,
                divisor: reduction.divisor(mean: .all)
            ).ofChannels("mmSegmentation.focal")
        }

        /// `DiceLoss`, for ``Activation/softmax``: `1 - (2 I + s) / (sum p^2 + sum g^2 + s)` per sample and class.
        ///
        /// The original masks ignored voxels in the numerator alone and takes them for the last class in the
        /// denominator: a perfect prediction then has a loss. Here they leave all sums.
        ///
        /// - Parameters:
        ///   - smooth: `s`
        ///   - squared: `exponent=2`; without, `exponent=1`, the linear denominator.
        ///   - classWeight: One for each class; they multiply.
        public func dice(smooth: Double = 1, squared: Bool = true, classWeight: [Float]? = nil) -> Loss {
            .dice(
                smooth: .both(smooth), denominator: squared ? .squared : .linear,
                classWeights: classWeight.map { .multiplied($0) })
        }

        /// `TverskyLoss`, for ``Activation/softmax``: `1 - (I + s) / (I + alpha (P - I) + beta (G - I) + s)` per sample
        /// and class.
        ///
        /// - Parameters:
        ///   - smooth: `s`
        ///   - alpha: The weight of false positives.
        ///   - beta: The weight of false negatives.
        ///   - classWeight: One for each class; they multiply.
        public func tversky(
            smooth: Double = 1, alpha: Double = 0.3, beta: Double = 0.7, classWeight: [Float]? = nil
        ) -> Loss {
            .tversky(
                falsePositives: alpha, falseNegatives: beta, smooth: .both(smooth),
                classWeights: classWeight.map { .multiplied($0) })
        }
    }
}
