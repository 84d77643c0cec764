extension Loss {
    /// The mask losses of SAM 2.
    public static var sam2: SAM2 { SAM2() }

    /// The mask losses of SAM 2: `let loss: Loss = .sam2.mask(masks: 12, objects: 12)`.
    ///
    /// A mask is a sample of one channel: plan `.planar(samples: masks, classes: 1, height: height, width: width)` and
    /// ``Activation/sigmoid``. The choice among candidate masks and the losses of the predicted overlap and of the
    /// object's presence are the trainer's.
    public struct SAM2: Sendable {
        /// `loss_mask` and `loss_dice`: per mask the mean focal loss and `1 - (2 I + 1) / (P + G + 1)`, added up over
        /// the masks and divided by the number of objects.
        ///
        /// - Parameters:
        ///   - masks: How many masks a batch has: the samples.
        ///   - objects: `num_objects`: the objects of a batch, in the original averaged over the ranks, at least 1.
        ///   - weightMask: The weight of the focal loss.
        ///   - weightDice: The weight of Dice.
        ///   - alpha: The weight of the positives, negatives having the rest of 1; `nil` or -1 for none.
        ///   - gamma: How strongly easy values are counted less.
        public func mask(
            masks: Int, objects: Double, weightMask: Double = 20, weightDice: Double = 1, alpha: Double? = 0.25,
            gamma: Double = 2
        ) -> Loss {
            weightMask * focal(masks: masks, objects: objects, alpha: alpha, gamma: gamma)
                + weightDice * dice(masks: masks, objects: objects)
        }

        /// `sigmoid_focal_loss`: the mean over the voxels of each mask, added up and divided by the number of objects.
        ///
        /// - Parameters:
        ///   - masks: How many masks a batch has: the samples.
        ///   - objects: `num_objects`.
        ///   - alpha: The weight of the positives, negatives having the rest of 1; `nil` or -1 for none.
        ///   - gamma: How strongly easy values are counted less.
        public func focal(masks: Int, objects: Double, alpha: Double? = 0.25, gamma: Double = 2) -> Loss {
            Double(masks) / objects
                * Loss.focal(gamma: gamma, alpha: alphaOrNone(alpha), divisor: .valid).ofChannels("sam2.focal")
                .demanding("sam2.focal", .samples(masks, given: counted(masks, "mask")))
        }

        /// `dice_loss`: `1 - (2 I + 1) / (P + G + 1)` of each mask, added up and divided by the number of objects; soft
        /// masks in the L1 form, `I = (P + G - sum |p - g|) / 2`.
        ///
        /// - Parameters:
        ///   - masks: How many masks a batch has: the samples.
        ///   - objects: `num_objects`.
        public func dice(masks: Int, objects: Double) -> Loss {
            Double(masks) / objects
                * Loss.dice(smooth: .both(1), intersection: .minimum)
                .demanding("sam2.dice", .samples(masks, given: counted(masks, "mask")))
        }
    }
}
