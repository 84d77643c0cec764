/// How often prediction and truth are which, of one class or channel. Whole numbers, never rounded.
public struct ConfusionCounts: Sendable, Hashable {
    /// Predicted and true.
    public var truePositives: Int64
    /// Predicted, but not true.
    public var falsePositives: Int64
    /// True, but not predicted.
    public var falseNegatives: Int64
    /// Neither.
    public var trueNegatives: Int64

    /// Counts; 0 unless given.
    public init(
        truePositives: Int64 = 0, falsePositives: Int64 = 0, falseNegatives: Int64 = 0, trueNegatives: Int64 = 0
    ) {
        self.truePositives = truePositives
        self.falsePositives = falsePositives
        self.falseNegatives = falseNegatives
        self.trueNegatives = trueNegatives
    }

    /// One score of these counts; NaN where one is negative.
    public func score(_ kind: Score, empty: EmptyScore = .excluded) -> Double { scoreInC(kind, empty) }

    /// 2 TP / (2 TP + FP + FN), the F1 score; NaN where that is 0/0.
    public var dice: Double { score(.dice) }
    /// TP / (TP + FP + FN), the Jaccard index; NaN where that is 0/0.
    public var iou: Double { score(.iou) }
    /// TP / (TP + FP); NaN where nothing is predicted.
    public var precision: Double { score(.precision) }
    /// TP / (TP + FN), the sensitivity; NaN where nothing is true.
    public var recall: Double { score(.recall) }

    /// Adds other counts.
    public static func += (into: inout ConfusionCounts, other: ConfusionCounts) {
        into.truePositives += other.truePositives
        into.falsePositives += other.falsePositives
        into.falseNegatives += other.falseNegatives
        into.trueNegatives += other.trueNegatives
    }
}

/// A score of confusion counts.
public enum Score: Sendable, Hashable, CaseIterable {
    /// 2 TP / (2 TP + FP + FN), the F1 score.
    case dice
    /// TP / (TP + FP + FN), the Jaccard index.
    case iou
    /// TP / (TP + FP).
    case precision
    /// TP / (TP + FN), the sensitivity.
    case recall
    /// TN / (TN + FP).
    case specificity
    /// (TP + TN) / (TP + FP + FN + TN).
    case accuracy
    /// TN / (TN + FP + FN).
    case backgroundIoU
    /// The mean of ``iou`` and ``backgroundIoU``, whatever ``EmptyScore`` says without one that is empty; it is empty
    /// itself where both are. With ``EmptyScore/zero`` TensorFlow's MeanIoU of two classes.
    case twoClassIoU
}

/// What a score is whose denominator is 0.
public enum EmptyScore: Sendable, Hashable, CaseIterable {
    /// NaN, and means leave it out.
    case excluded
    /// 1.
    case one
    /// 0.
    case zero
    /// NaN wherever nothing is true, whatever was predicted: MONAI's `ignore_empty`.
    case targetExcluded
    /// NaN where nothing is true and nothing predicted, otherwise 0: torchmetrics, and scikit-learn without `labels`, both
    /// with `zero_division` 0.
    case absentExcluded
}

/// How the scores of samples and classes become one number. A NaN is left out of every mean; a mean of nothing is NaN.
public enum Average: Sendable, Hashable, CaseIterable {
    /// Counts are added over the samples; the mean of the classes' scores.
    case macro
    /// Counts are added over samples and classes; one score.
    case micro
    /// Of each sample the mean of its classes' scores; the mean of those.
    case macroPerSample
    /// Of each sample the score of the counts added over its classes; the mean of those.
    case microPerSample
}
