extension Loss {
    /// nnU-Net's losses, as of nnU-Net v2 2.8.
    public static var nnUNet: NNUNet { NNUNet() }

    /// The losses of nnU-Net: `let loss: Loss = .nnUNet.diceCE()` is what its trainer minimizes.
    ///
    /// Its Dice is -D, from -1 to 0, so that sums may be negative. The ignore label is ``Options/ignoreIndex``, or a
    /// mask for regions. The weights of deep supervision, 1, 1/2, 1/4 and so on with the last 0, come to 1.
    public struct NNUNet: Sendable {
        /// `MemoryEfficientSoftDiceLoss` and `SoftDiceLoss`: `-(2 I + s) / max(P + G + s, 1e-8)`, the mean of the
        /// classes.
        ///
        /// - Parameters:
        ///   - batchDice: Sums are over the batch; the planner chooses.
        ///   - doBackground: Whether class 0 takes part. Trainers say `false` for labels and `true` for regions.
        ///   - smooth: `s`; the trainer's is 1e-5, that of `nnUNetTrainerDiceCELoss_noSmooth` 0.
        ///   - clipTP: Where the intersection is held, in `SoftDiceLoss`.
        public func dice(
            batchDice: Bool = false, doBackground: Bool = true, smooth: Double = 1, clipTP: Double = 0
        ) -> Loss {
            .region(
                Region(
                    .dice, smooth: .both(smooth), scope: batchDice ? .batch : .sample,
                    classes: doBackground ? .all : .foreground, value: .minusScore, leastDenominator: 1e-8,
                    leastIntersection: clipTP))
        }

        /// `RobustCrossEntropyLoss`: PyTorch's cross entropy, for ``Activation/softmax``.
        ///
        /// - Parameters:
        ///   - weight: One for each class.
        ///   - labelSmoothing: How much of the target is spread evenly over the classes.
        public func robustCrossEntropy(weight: [Float]? = nil, labelSmoothing: Double = 0) -> Loss {
            .pyTorch.crossEntropy(weight: weight, labelSmoothing: labelSmoothing)
        }

        /// `DC_and_CE_loss`, the trainer's loss of labels: Dice of the foreground and cross entropy, for
        /// ``Activation/softmax``. Dice's defaults are the trainer's.
        ///
        /// - Parameters:
        ///   - batchDice: Dice's sums are over the batch.
        ///   - doBackground: Whether class 0 takes part in Dice.
        ///   - smooth: Dice's smoothing.
        ///   - clipTP: Where Dice's intersection is held, in `SoftDiceLoss`.
        ///   - weightCE: The weight of the cross entropy.
        ///   - weightDice: The weight of Dice.
        ///   - weight: One for each class, in the cross entropy.
        ///   - labelSmoothing: In the cross entropy.
        public func diceCE(
            batchDice: Bool = false, doBackground: Bool = false, smooth: Double = 1e-5, clipTP: Double = 0,
            weightCE: Double = 1, weightDice: Double = 1, weight: [Float]? = nil, labelSmoothing: Double = 0
        ) -> Loss {
            weightDice * dice(batchDice: batchDice, doBackground: doBackground, smooth: smooth, clipTP: clipTP)
                + weightCE * robustCrossEntropy(weight: weight, labelSmoothing: labelSmoothing)
        }

        /// `DC_and_BCE_loss`, the trainer's loss of regions: Dice of all channels and binary cross entropy, for
        /// ``Activation/sigmoid``. Dice's defaults are the trainer's.
        ///
        /// With an ignore label the original divides the cross entropy's sum over all channels by the valid voxels,
        /// which makes it as many times the masked mean as there are channels. Here it is the masked mean;
        /// `weightCE` times the channels gives the original's number.
        ///
        /// - Parameters:
        ///   - batchDice: Dice's sums are over the batch.
        ///   - doBackground: Whether channel 0 takes part in Dice.
        ///   - smooth: Dice's smoothing.
        ///   - clipTP: Where Dice's intersection is held, in `SoftDiceLoss`.
        ///   - weightCE: The weight of the cross entropy.
        ///   - weightDice: The weight of Dice.
        ///   - weight: One for each channel, in the cross entropy.
        ///   - posWeight: One weight of the positives for each channel, in the cross entropy.
        public func diceBCE(
            batchDice: Bool = false, doBackground: Bool = true, smooth: Double = 1e-5, clipTP: Double = 0,
            weightCE: Double = 1, weightDice: Double = 1, weight: [Float]? = nil, posWeight: [Float]? = nil
        ) -> Loss {
            weightDice * dice(batchDice: batchDice, doBackground: doBackground, smooth: smooth, clipTP: clipTP)
                + weightCE * .pyTorch.bceWithLogits(weight: weight, posWeight: posWeight)
        }

        /// `TopKLoss`: the mean of the k per cent largest cross entropies of all voxels, for ``Activation/softmax``.
        /// Ignored voxels count as zeros; weights are factors of the losses and divide nothing.
        ///
        /// The original's k of a tiny input is 0 and its loss NaN; here at least one voxel is taken.
        ///
        /// - Parameters:
        ///   - k: How many of a hundred voxels are taken.
        ///   - weight: One for each class.
        ///   - labelSmoothing: That of the cross entropies.
        public func topK(k: Double = 10, weight: [Float]? = nil, labelSmoothing: Double = 0) -> Loss {
            Loss.topK(percent: k, classWeights: weight, labelSmoothing: labelSmoothing).ofSoftmax("nnUNet.topK")
        }

        /// `DC_and_topk_loss`, of `nnUNetTrainerDiceTopK10Loss`: Dice of the foreground and the top-k cross entropy,
        /// for ``Activation/softmax``.
        ///
        /// - Parameters:
        ///   - batchDice: Dice's sums are over the batch.
        ///   - doBackground: Whether class 0 takes part in Dice.
        ///   - smooth: Dice's smoothing.
        ///   - clipTP: Where Dice's intersection is held, in `SoftDiceLoss`.
        ///   - k: How many of a hundred voxels are taken.
        ///   - weightCE: The weight of the cross entropy.
        ///   - weightDice: The weight of Dice.
        ///   - weight: One for each class, in the cross entropy.
        ///   - labelSmoothing: In the cross entropy.
        public func diceTopK(
            batchDice: Bool = false, doBackground: Bool = false, smooth: Double = 1e-5, clipTP: Double = 0,
            k: Double = 10, weightCE: Double = 1, weightDice: Double = 1, weight: [Float]? = nil,
            labelSmoothing: Double = 0
        ) -> Loss {
            weightDice * dice(batchDice: batchDice, doBackground: doBackground, smooth: smooth, clipTP: clipTP)
                + weightCE * topK(k: k, weight: weight, labelSmoothing: labelSmoothing)
        }
    }
}
