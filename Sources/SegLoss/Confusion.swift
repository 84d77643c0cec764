/// Counts how many voxels of each class were predicted to be of which.
///
///     var counter = try ConfusionCounter(of: .planar(samples: 2, classes: 4, height: 512, width: 512))
///     let matrix = try counter.count(logits: logits.span, labels: labels.span)
///     matrix.score(.dice), matrix.counts(sample: 0, class: 2).recall
///
/// **Predictions** are label maps, or logits (or probabilities), of which the class of the largest counts, of equal
/// ones the first. **Voxels** that are masked or labelled ``Options/ignoreIndex`` are not counted; their logits must be
/// finite all the same.
///
/// Counts are whole numbers: the same on any number of threads and every instruction set (arithmetic 15.1). Making a
/// counter allocates what its calls work in, for as many threads as they take then; a call allocates its result alone.
public struct ConfusionCounter: Sendable {
    /// The shape of the logits.
    public let shape: Shape
    let options: Options
    var scratch: [UInt8]

    /// Plans counts, and allocates what they take.
    ///
    /// - Parameters:
    ///   - shape: Samples, 1 to 512 classes, and any extents.
    ///   - options: Threads, instruction set and ``Options/ignoreIndex``.
    /// - Throws: ``LossError`` where the shape or an option is refused.
    public init(of shape: Shape, options: Options = Options()) throws(LossError) {
        self.shape = shape
        self.options = options
        scratch = []
        scratch = try makeScratch()
    }

    /// Counts of predicted labels, `[samples][extents...]`.
    ///
    /// - Parameters:
    ///   - predictions: Classes.
    ///   - labels: Classes, or ``Options/ignoreIndex``.
    ///   - mask: 0 where a voxel is not counted; `nil`: all are.
    /// - Throws: ``LossError`` where a buffer has the wrong count, or a counted label is no class.
    public mutating func count<P: Label, L: Label>(
        predictions: Span<P>, labels: Span<L>, mask: Span<UInt8>? = nil
    ) throws(LossError) -> ConfusionMatrix {
        try countInC(predictions, of: .labels(P.labelFormat), labels, mask)
    }

    /// Counts of the classes with the largest logits, `[samples][classes][extents...]`.
    ///
    /// - Parameters:
    ///   - logits: Logits or probabilities; the smallest class counts of equal ones.
    ///   - labels: `[samples][extents...]`.
    ///   - mask: As above.
    /// - Throws: ``LossError`` where a buffer has the wrong count, a counted label is no class, or a logit is not finite.
    public mutating func count<Z: Logit, L: Label>(
        logits: Span<Z>, labels: Span<L>, mask: Span<UInt8>? = nil
    ) throws(LossError) -> ConfusionMatrix {
        try countInC(logits, of: .logits(Z.logitFormat), labels, mask)
    }

    /// ``count(predictions:labels:mask:)``.
    public mutating func count<P: Label, L: Label>(
        predictions: [P], labels: [L], mask: [UInt8]? = nil
    ) throws(LossError) -> ConfusionMatrix {
        try count(predictions: predictions.span, labels: labels.span, mask: mask?.span)
    }

    /// ``count(logits:labels:mask:)``.
    public mutating func count<Z: Logit, L: Label>(
        logits: [Z], labels: [L], mask: [UInt8]? = nil
    ) throws(LossError) -> ConfusionMatrix {
        try count(logits: logits.span, labels: labels.span, mask: mask?.span)
    }
}

/// How many voxels of each class were predicted to be of which, for each sample.
public struct ConfusionMatrix: Sendable, Hashable {
    /// Samples: those of a batch, and those that were appended.
    public private(set) var samples: Int
    /// Classes.
    public let classes: Int
    /// `[samples][classes][classes]`: the class of the row is true, that of the column was predicted.
    public private(set) var values: [Int64]
    /// `[samples][classes]`: each class against the others.
    public private(set) var counts: [ConfusionCounts]

    init(samples: Int, classes: Int, values: [Int64], counts: [ConfusionCounts]) {
        self.samples = samples
        self.classes = classes
        self.values = values
        self.counts = counts
    }

    /// How many voxels of one class were predicted to be of another.
    public subscript(sample sample: Int, target target: Int, predicted predicted: Int) -> Int64 {
        check(sample, named: "sample", isBelow: samples)
        check(target, named: "target", isBelow: classes)
        check(predicted, named: "predicted", isBelow: classes)
        return values[(sample * classes + target) * classes + predicted]
    }

    /// A class of a sample against the others.
    public func counts(sample: Int, class c: Int) -> ConfusionCounts {
        check(sample, named: "sample", isBelow: samples)
        check(c, named: "class", isBelow: classes)
        return counts[sample * classes + c]
    }

    /// A class against the others, over all samples.
    public func counts(class c: Int) -> ConfusionCounts {
        check(c, named: "class", isBelow: classes)
        var all = ConfusionCounts()
        for sample in 0..<samples { all += counts[sample * classes + c] }
        return all
    }

    /// One score over samples and classes.
    ///
    /// - Parameters:
    ///   - kind: Which.
    ///   - average: How samples and classes become one number.
    ///   - empty: What a score is whose denominator is 0.
    ///   - includesBackground: Whether class 0 takes part. Where it is the only class it does.
    public func score(
        _ kind: Score, average: Average = .macro, empty: EmptyScore = .excluded, includesBackground: Bool = true
    ) -> Double {
        scoresInC(
            counts, samples: samples, classes: classes, thresholds: 1, kind, average, empty, includesBackground
        ).mean
    }

    /// `[samples][classes]` scores.
    public func scores(_ kind: Score, empty: EmptyScore = .excluded) -> [Double] {
        counts.map { $0.score(kind, empty: empty) }
    }

    /// The score of each class.
    ///
    /// - Parameters:
    ///   - kind: Which.
    ///   - perSample: Whether it is the mean of the samples' scores, without a NaN; otherwise that of the counts added
    ///     over the samples.
    ///   - empty: What a score is whose denominator is 0.
    public func classScores(_ kind: Score, perSample: Bool = false, empty: EmptyScore = .excluded) -> [Double] {
        (0..<classes).map { c in
            guard perSample else { return counts(class: c).score(kind, empty: empty) }
            return scoresInC(
                (0..<samples).map { counts[$0 * classes + c] }, samples: samples, classes: 1, thresholds: 1, kind,
                .macroPerSample, empty, true
            ).mean
        }
    }

    /// Appends the samples of another batch, of any number: a data set, batch by batch.
    ///
    /// Every average is then that over all samples. Where none of single samples is wanted, ``add(_:)`` keeps less.
    ///
    /// - Throws: ``LossError`` where the classes differ.
    public mutating func append(_ other: ConfusionMatrix) throws(LossError) {
        guard other.classes == classes else {
            throw LossError(
                kind: .wrongSize,
                message: "a matrix of \(other.classes) classes cannot be appended to one of \(classes)")
        }
        values += other.values
        counts += other.counts
        samples += other.samples
    }

    /// Adds the counts of another batch of the same shape: sample 0 to sample 0, and so on. So averages over samples are
    /// no longer of single ones: ``append(_:)`` keeps them apart.
    ///
    /// - Throws: ``LossError`` where samples or classes differ.
    public mutating func add(_ other: ConfusionMatrix) throws(LossError) {
        guard other.samples == samples, other.classes == classes else {
            throw LossError(
                kind: .wrongSize,
                message: "a matrix of \(other.samples) samples and \(other.classes) classes cannot be added to one of "
                    + "\(samples) and \(classes)")
        }
        for i in values.indices { values[i] += other.values[i] }
        for i in counts.indices { counts[i] += other.counts[i] }
    }
}
