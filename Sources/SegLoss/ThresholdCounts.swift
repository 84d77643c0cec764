/// Confusion counts of single channels at every threshold of a list, in one sweep: mean IoU over thresholds, curves of
/// precision and recall.
///
///     var counter = try ThresholdCounter(
///         of: .planar(samples: 8, classes: 1, height: 512, width: 512), thresholds: ThresholdCounter.meanIoU,
///         activation: .sigmoid)
///     let counts = try counter.count(logits.span, labels: labels.span)
///     counts.mean(.iou, average: .macroPerSample)
///
/// A channel is predicted where p > t, strictly. Logits are not turned into probabilities: of them x > b is counted,
/// where b is log t - log(1 - t), rounded to a `Float` (arithmetic 15.2). Every value is compared with every threshold, so
/// that time grows with their number. Making a counter allocates what its calls work in, for as many threads as they take
/// then.
public struct ThresholdCounter: Sendable {
    /// 0.50 to 0.95 in steps of 0.05.
    public static let meanIoU: [Float] = [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95]

    /// The shape of the predictions.
    public let shape: Shape
    /// In [0, 1], strictly increasing.
    public let thresholds: [Float]
    /// What predictions are: ``Activation/probabilities``, or ``Activation/sigmoid`` for logits.
    public let activation: Activation
    let options: Options
    var scratch: [UInt8]

    /// Plans counts, and allocates what they take.
    ///
    /// - Parameters:
    ///   - shape: Samples, 1 to 512 channels, and any extents.
    ///   - thresholds: 1 to 1024 numbers in [0, 1], strictly increasing.
    ///   - activation: What predictions are; no softmax.
    ///   - options: Threads, instruction set and ``Options/ignoreIndex``.
    /// - Throws: ``LossError`` where the shape, a threshold or an option is refused.
    public init(
        of shape: Shape, thresholds: [Float] = ThresholdCounter.meanIoU, activation: Activation,
        options: Options = Options()
    ) throws(LossError) {
        self.shape = shape
        self.thresholds = thresholds
        self.activation = activation
        self.options = options
        scratch = []
        scratch = try makeScratch()
    }

    /// Counts of a batch.
    ///
    /// - Parameters:
    ///   - predictions: Probabilities or logits, `[samples][channels][extents...]`.
    ///   - labels: `[samples][extents...]`: the channel whose target is 1; of one channel alone 0 and 1.
    ///   - mask: `[samples][extents...]`, 0 where a voxel is not counted; `nil`: all are.
    /// - Throws: ``LossError`` where a buffer has the wrong count, a counted label is no class, a probability is outside
    ///   [0, 1] or a logit not finite, wherever it stands.
    public mutating func count<Z: Logit, L: Label>(
        _ predictions: Span<Z>, labels: Span<L>, mask: Span<UInt8>? = nil
    ) throws(LossError) -> ThresholdCounts {
        try countInC(predictions, labels, .labels(L.labelFormat), mask)
    }

    /// The same with a target of 0 or 1 for each channel, `[samples][channels][extents...]`.
    public mutating func count<Z: Logit, T: DenseTarget>(
        _ predictions: Span<Z>, targets: Span<T>, mask: Span<UInt8>? = nil
    ) throws(LossError) -> ThresholdCounts {
        try countInC(predictions, targets, .dense(T.denseFormat), mask)
    }

    /// ``count(_:labels:mask:)``.
    public mutating func count<Z: Logit, L: Label>(
        _ predictions: [Z], labels: [L], mask: [UInt8]? = nil
    ) throws(LossError) -> ThresholdCounts {
        try count(predictions.span, labels: labels.span, mask: mask?.span)
    }

    /// ``count(_:targets:mask:)``.
    public mutating func count<Z: Logit, T: DenseTarget>(
        _ predictions: [Z], targets: [T], mask: [UInt8]? = nil
    ) throws(LossError) -> ThresholdCounts {
        try count(predictions.span, targets: targets.span, mask: mask?.span)
    }
}

/// Confusion counts of each sample and channel at each threshold.
public struct ThresholdCounts: Sendable, Hashable {
    /// Samples: those of a batch, and those that were appended.
    public private(set) var samples: Int
    /// Channels.
    public let channels: Int
    /// The thresholds, ascending.
    public let thresholds: [Float]
    /// `[samples][channels][thresholds]`.
    public private(set) var counts: [ConfusionCounts]

    init(samples: Int, channels: Int, thresholds: [Float], counts: [ConfusionCounts]) {
        self.samples = samples
        self.channels = channels
        self.thresholds = thresholds
        self.counts = counts
    }

    /// The counts of a sample and channel at a threshold, which is a place among ``thresholds``.
    public func counts(sample: Int, channel: Int, threshold: Int) -> ConfusionCounts {
        check(sample, named: "sample", isBelow: samples)
        check(channel, named: "channel", isBelow: channels)
        check(threshold, named: "threshold", isBelow: thresholds.count)
        return counts[(sample * channels + channel) * thresholds.count + threshold]
    }

    /// A score over samples and channels, at each threshold.
    ///
    /// - Parameters:
    ///   - kind: Which.
    ///   - average: How samples and channels become one number.
    ///   - empty: What a score is whose denominator is 0.
    ///   - includesBackground: Whether channel 0 takes part. Where it is the only channel it does.
    public func scores(
        _ kind: Score, average: Average = .macro, empty: EmptyScore = .excluded, includesBackground: Bool = true
    ) -> [Double] {
        values(kind, average, empty, includesBackground).values
    }

    /// The mean of ``scores(_:average:empty:includesBackground:)`` over the thresholds, without a NaN: mean IoU.
    public func mean(
        _ kind: Score, average: Average = .macro, empty: EmptyScore = .excluded, includesBackground: Bool = true
    ) -> Double {
        values(kind, average, empty, includesBackground).mean
    }

    private func values(
        _ kind: Score, _ average: Average, _ empty: EmptyScore, _ includesBackground: Bool
    ) -> (values: [Double], mean: Double) {
        scoresInC(
            counts, samples: samples, classes: channels, thresholds: thresholds.count, kind, average, empty,
            includesBackground)
    }

    /// Appends the samples of another batch, of any number: a data set, batch by batch.
    ///
    /// - Throws: ``LossError`` where channels or thresholds differ.
    public mutating func append(_ other: ThresholdCounts) throws(LossError) {
        guard other.channels == channels, other.thresholds == thresholds else {
            throw LossError(
                kind: .wrongSize,
                message: "counts of \(other.channels) channels and \(other.thresholds.count) thresholds cannot be "
                    + "appended to those of \(channels) and \(thresholds.count): expected the same thresholds too")
        }
        counts += other.counts
        samples += other.samples
    }

    /// Adds the counts of another batch of the same shape and thresholds: sample 0 to sample 0, and so on. So averages
    /// over samples are no longer of single ones: ``append(_:)`` keeps them apart.
    ///
    /// - Throws: ``LossError`` where samples, channels or thresholds differ.
    public mutating func add(_ other: ThresholdCounts) throws(LossError) {
        guard other.samples == samples, other.channels == channels, other.thresholds == thresholds else {
            throw LossError(
                kind: .wrongSize,
                message: "counts of \(other.samples) samples, \(other.channels) channels and "
                    + "\(other.thresholds.count) thresholds cannot be added to those of \(samples), \(channels) and "
                    + "\(thresholds.count): expected the same thresholds too")
        }
        for i in counts.indices { counts[i] += other.counts[i] }
    }
}
