extension Loss {
    /// The mask losses of Mask2Former.
    public static var mask2Former: Mask2Former { Mask2Former() }

    /// The mask losses of Mask2Former: `let loss: Loss = .mask2Former.mask(masks: 30, objects: 30)`.
    ///
    /// A mask is a sample of one channel, or of the points sampled from it: plan with ``Activation/sigmoid``.
    public struct Mask2Former: Sendable {
        /// `loss_mask` and `loss_dice`: per mask the mean binary cross entropy and `1 - (2 I + 1) / (P + G + 1)`, added
        /// up over the masks and divided by their number.
        ///
        /// - Parameters:
        ///   - masks: How many masks a batch has: the samples.
        ///   - objects: `num_masks`: in the original the average of the ranks, at least 1.
        ///   - weightMask: The weight of the cross entropy.
        ///   - weightDice: The weight of Dice.
        public func mask(masks: Int, objects: Double, weightMask: Double = 5, weightDice: Double = 5) -> Loss {
            weightMask * crossEntropy(masks: masks, objects: objects)
                + weightDice * dice(masks: masks, objects: objects)
        }

        /// `sigmoid_ce_loss`: the mean over the voxels of each mask, added up and divided by the number of masks.
        ///
        /// - Parameters:
        ///   - masks: How many masks a batch has: the samples.
        ///   - objects: `num_masks`.
        public func crossEntropy(masks: Int, objects: Double) -> Loss {
            Double(masks) / objects
                * Loss.binaryCrossEntropy(divisor: .valid)
                .demanding("mask2Former.crossEntropy", .samples(masks, given: counted(masks, "mask")))
        }

        /// `dice_loss`: `1 - (2 I + 1) / (P + G + 1)` of each mask, added up and divided by the number of masks.
        ///
        /// - Parameters:
        ///   - masks: How many masks a batch has: the samples.
        ///   - objects: `num_masks`.
        public func dice(masks: Int, objects: Double) -> Loss {
            Double(masks) / objects
                * Loss.dice(smooth: .both(1))
                .demanding("mask2Former.dice", .samples(masks, given: counted(masks, "mask")))
        }
    }
}
