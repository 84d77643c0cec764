/// Of what the voxel weights of a binary cross entropy are factors. Their sum is the same for both.
public enum WeightForm: Sendable, Hashable {
    /// Of the whole loss of a voxel.
    case all
    /// Of the part of the positives alone: TensorFlow's weighted cross entropy with a map.
    case positives
}

/// Which weight the negatives of a focal loss have beside an alpha.
public enum AlphaForm: Sendable, Hashable {
    /// 1 - alpha.
    case balanced
    /// 1: alpha is a weight of the positives alone, as in MONAI with an alpha for each class.
    case positives
}

/// What a focal loss raises to gamma, for targets between 0 and 1. For targets of 0 and 1 both are the same.
public enum Modulation: Sendable, Hashable {
    /// 1 - p_t.
    case probability
    /// sigmoid(x (1 - 2 g)) of the logit x: MONAI's. Not from probabilities.
    case logit
}

extension Term {
    /// The options of focal loss star.
    public struct FocalStar: Sendable, Hashable {
        /// How steep the loss is, 2^-19 to 2^19.
        public var gamma: Double
        /// How far the logit is shifted, of magnitude 2^19 at most.
        public var shift: Double
        /// The weight of the positives, from 0 to 1; `nil`: positives and negatives weigh 1.
        public var alpha: Double?
        /// One weight for each channel; `nil`: all 1.
        public var classWeights: [Float]?
        /// What the sum is divided by.
        public var divisor: Divisor
    }
}
