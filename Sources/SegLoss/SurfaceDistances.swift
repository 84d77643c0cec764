/// Distances between the surfaces of predicted and true classes: Hausdorff distance, its percentiles, average surface
/// distance.
///
///     var metric = try SurfaceMetric(
///         of: .volume(samples: 1, classes: 3, depth: 64, height: 256, width: 256), spacing: [2.5, 1, 1])
///     let distances = try metric.distances(predictions: predictions.span, labels: labels.span)
///     distances[sample: 0, class: 2].hausdorffPercentile      // HD95 of label 2
///
/// A class's surface is those of its voxels that have a neighbour outside it across a face, or lie at the image's
/// border (MONAI's definition); axes of extent 1 have no neighbours. Masked and ignored voxels are outside both
/// classes. The distance of a surface voxel is that to the nearest of the other surface, exact, and all surface voxels
/// weigh alike (arithmetic 15.4).
///
/// **Memory.** Making a metric allocates what its calls work in, for as many threads as they take then. Of one sample it is about 12 bytes for each voxel, 8
/// for each row of voxels and, for each room of a block of columns, 128 for each of 2 max(planes, rows) + planes * rows
/// lines (in 2-D: 2 rows). There are as many rooms as threads, but no more than blocks: 2 ceil(columns / 32), or / 16
/// where spacings differ.
public struct SurfaceMetric: Sendable {
    /// The shape: samples, how many classes are compared, and the extents of label maps.
    public let shape: Shape
    /// The labels that are compared.
    public let classes: [Int]
    /// The lengths between voxels, along each extent.
    public let spacing: [Double]
    /// Which percentile, 0 to 100.
    public let percentile: Double
    /// What the distances are where a surface is missing.
    public let absent: SurfaceAbsent
    let options: Options
    var scratch: [UInt8]

    /// Plans distances, and allocates what they take.
    ///
    /// - Parameters:
    ///   - shape: Samples, the number of classes that are compared, and two or three extents.
    ///   - classes: The labels of these classes, `shape.classes` of them, without ``Options/ignoreIndex``; `nil`:
    ///     `0 ..< shape.classes`.
    ///   - spacing: The lengths between voxels along each extent, all positive; `nil`: 1.
    ///   - percentile: Which, 0 to 100; linear between two distances, as NumPy's and PyTorch's default is.
    ///   - absent: What the distances are where a surface is missing.
    ///   - options: Threads, instruction set and ``Options/ignoreIndex``.
    /// - Throws: ``LossError`` where the shape, the classes, a spacing or an option is refused.
    public init(
        of shape: Shape, classes: [Int]? = nil, spacing: [Double]? = nil, percentile: Double = 95,
        absent: SurfaceAbsent = .infinite, options: Options = Options()
    ) throws(LossError) {
        self.shape = shape
        self.classes = classes ?? Array(0..<max(shape.classes, 0))
        self.spacing = spacing ?? shape.extents.map { _ in 1 }
        self.percentile = percentile
        self.absent = absent
        self.options = options
        scratch = []
        scratch = try makeScratch()
    }

    /// The distances of a batch.
    ///
    /// - Parameters:
    ///   - predictions: Label maps, `[samples][extents...]`. A label that is not among the classes is outside all.
    ///   - labels: The true ones.
    ///   - mask: 0 where a voxel is outside all classes of both; `nil`: nowhere.
    /// - Throws: ``LossError`` where a buffer has the wrong count, or its type cannot hold one of the classes.
    public mutating func distances<P: Label, L: Label>(
        predictions: Span<P>, labels: Span<L>, mask: Span<UInt8>? = nil
    ) throws(LossError) -> SurfaceDistances {
        try distancesInC(predictions, labels, mask)
    }

    /// ``distances(predictions:labels:mask:)``.
    public mutating func distances<P: Label, L: Label>(
        predictions: [P], labels: [L], mask: [UInt8]? = nil
    ) throws(LossError) -> SurfaceDistances {
        try distances(predictions: predictions.span, labels: labels.span, mask: mask?.span)
    }
}

/// What surface distances are where a surface is missing.
public enum SurfaceAbsent: Sendable, Hashable, CaseIterable {
    /// Infinity where one is, NaN where both are: as MONAI, but that its percentiles are NaN where one is.
    case infinite
    /// The length of the image's diagonal where one is, 0 where both are.
    case diagonal
    /// NaN.
    case excluded
}

/// The distances of each sample and class.
public struct SurfaceDistances: Sendable, Hashable {
    /// Of one sample and class.
    public struct Distances: Sendable, Hashable {
        /// Surface voxels.
        public var predictedVoxels, targetVoxels: Int
        /// The larger of both maxima.
        public var hausdorff: Double
        /// The larger of both percentiles: HD95 of MONAI. (DeepMind's surface-distance has other surfaces: elements
        /// between voxels, weighted by area.)
        public var hausdorffPercentile: Double
        /// The percentile of the distances of both surfaces together: MedPy's hd95.
        public var pooledPercentile: Double
        /// The mean of the distances of both surfaces: average symmetric surface distance.
        public var average: Double
        /// From the predicted surface to the true one.
        public var toTarget: Directed
        /// From the true surface to the predicted one.
        public var toPredicted: Directed
    }

    /// From the voxels of one surface to the other.
    public struct Directed: Sendable, Hashable {
        /// The largest distance: the directed Hausdorff distance.
        public var maximum: Double
        /// The percentile.
        public var percentile: Double
        /// The mean: the average surface distance.
        public var average: Double
    }

    /// Samples.
    public let samples: Int
    /// The labels that were compared.
    public let classes: [Int]
    /// `[samples][classes]`.
    public let values: [Distances]

    /// Of one sample and of the class with a label, which is one of ``classes``.
    public subscript(sample sample: Int, class label: Int) -> Distances {
        check(sample, named: "sample", isBelow: samples)
        guard let place = classes.firstIndex(of: label) else {
            preconditionFailure("class is \(label): expected one of those that were compared, \(classes)")
        }
        return values[sample * classes.count + place]
    }
}
