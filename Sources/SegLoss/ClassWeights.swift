/// How often classes are there: what weights of class frequencies are made of. Counts add up over batches and ranks.
///
///     var counts = ClassCounts(classes: 4)
///     for labels in batches { try counts.add(labels, samples: 2) }
///     let weights = try counts.weights(.median)
public struct ClassCounts: Sendable, Hashable {
    /// The voxels of each class.
    public private(set) var voxels: [Int]
    /// For each class the counted voxels of all samples in which it is.
    public private(set) var voxelsOfSamples: [Int]

    /// Counts of nothing yet.
    ///
    /// - Parameter classes: Labels are `0 ..< classes`; 1 to 512.
    public init(classes: Int) {
        voxels = Array(repeating: 0, count: max(classes, 0))
        voxelsOfSamples = voxels
    }

    /// Adds a batch of labels, `[samples][...]`.
    ///
    /// - Throws: ``LossError`` where a label is no class and not ``Options/ignoreIndex``, or the count of labels is no
    ///   multiple of the samples. The counts are then as they were.
    public mutating func add<L: Label>(
        _ labels: Span<L>, samples: Int, options: Options = Options()
    ) throws(LossError) {
        var words = voxels + voxelsOfSamples
        try ClassKernels(classes: voxels.count, samples: samples, labels: labels.count, options: options)
            .count(labels, into: &words)
        let classes = voxels.count
        voxels = Array(words[..<classes])
        voxelsOfSamples = Array(words[classes...])
    }

    /// Adds a batch of labels, `[samples][...]`.
    public mutating func add<L: Label>(_ labels: [L], samples: Int, options: Options = Options()) throws(LossError) {
        try add(labels.span, samples: samples, options: options)
    }

    /// Adds the counts of other samples.
    ///
    /// - Throws: ``LossError`` where they are of another number of classes, or a sum leaves 64 bits. The counts are then
    ///   as they were.
    public mutating func merge(_ other: ClassCounts) throws(LossError) {
        guard other.voxels.count == voxels.count else {
            throw LossError(
                kind: .wrongSize,
                message: "the other counts are of \(other.voxels.count) classes; expected \(voxels.count)")
        }
        var sums = voxels + voxelsOfSamples
        for (i, more) in (other.voxels + other.voxelsOfSamples).enumerated() {
            let (sum, isTooLarge) = sums[i].addingReportingOverflow(more)
            guard !isTooLarge else {
                throw LossError(
                    kind: .outOfRange, index: i,
                    message: "counts of \(sums[i]) and \(more) add up to more than 64 bits")
            }
            sums[i] = sum
        }
        (voxels, voxelsOfSamples) = (Array(sums[..<voxels.count]), Array(sums[voxels.count...]))
    }

    /// A weight for each class.
    ///
    /// - Parameters:
    ///   - weighting: The formula.
    ///   - absent: The weight of a class without a voxel.
    ///   - norm: What is rescaled to a mean of 1.
    /// - Throws: ``LossError`` where a parameter is outside its range.
    public func weights(
        _ weighting: ClassWeighting = .balanced, absent: AbsentClassWeight = .zero, norm: ClassWeightsNorm = .none
    ) throws(LossError) -> [Float] {
        try ClassKernels.weights(of: voxels + voxelsOfSamples, weighting: weighting, absent: absent, norm: norm)
    }
}

/// The weight of a class with n of N voxels, f = n / N, among C classes.
public enum ClassWeighting: Sendable, Hashable {
    /// N / (C n): scikit-learn's "balanced".
    case balanced
    /// N / n.
    case inverse
    /// (N - n) / n: the positive weight of a binary cross entropy.
    case odds
    /// The median of the classes' F, divided by F = n / voxels of the samples with the class (Eigen and Fergus 2015;
    /// SegNet).
    case median
    /// 1 / log(offset + f), offset above 1, at most 100 (ENet).
    case logarithmic(offset: Double = 1.02)
    /// (1 - beta) / (1 - beta^n), beta in [0, 1): the effective number of samples (Cui et al. 2019).
    case effective(beta: Double)
}

/// The weight of a class without a voxel.
public enum AbsentClassWeight: Sendable, Hashable, CaseIterable {
    /// 0.
    case zero
    /// 1.
    case one
    /// The largest of the other classes; 0 without any.
    case largest
    /// The formula's, of the logarithmic one alone.
    case formula
}

/// What class weights are rescaled to. Where all weights or counts are 0, nothing is.
public enum ClassWeightsNorm: Sendable, Hashable, CaseIterable {
    /// Nothing.
    case none
    /// A mean of 1 over the classes.
    case classes
    /// A mean of 1 over the counted voxels.
    case voxels
}

/// Voxel weights of classes: at each voxel the weight of its class, 0 where it is ignored.
public struct ClassWeightMap: Sendable, Hashable {
    /// The weight of each class, finite and not negative.
    public var weights: [Float]
    /// Threads, instruction set, and the label that is ignored.
    public var options: Options

    /// Maps of these weights.
    public init(_ weights: [Float], options: Options = Options()) {
        self.weights = weights
        self.options = options
    }

    /// Writes the map of labels.
    ///
    /// - Throws: ``LossError`` where a label is no class and not ignored, a weight is negative or not finite, or the
    ///   map has another count than the labels. The map is then as it was.
    public func write<L: Label>(_ labels: Span<L>, into map: inout MutableSpan<Float>) throws(LossError) {
        try ClassKernels(classes: weights.count, samples: 1, labels: labels.count, options: options)
            .map(labels, weights: weights, into: &map)
    }

    /// The map of labels.
    public func callAsFunction<L: Label>(_ labels: [L]) throws(LossError) -> [Float] {
        var map = [Float](repeating: 0, count: labels.count)
        try write(labels, into: &map)
        return map
    }

    /// Writes the map of labels.
    public func write<L: Label>(_ labels: [L], into map: inout [Float]) throws(LossError) {
        var span = map.mutableSpan
        try write(labels.span, into: &span)
    }
}
