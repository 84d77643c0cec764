/// Exact Euclidean distance maps of label maps: for each class and voxel the distance to the nearest voxel of the
/// class,
///
///     d = min over those voxels of sqrt(sum over the axes of (spacing * steps)^2),
///
/// and in signed maps, inside the class, to the nearest voxel outside it.
///
///     var transform = try DistanceTransform(
///         of: .planar(samples: 2, classes: 4, height: 512, width: 512), form: .signed(.minusOne))
///     var map = [Float](repeating: 0, count: 2 * 4 * 512 * 512)
///     var span = map.mutableSpan
///     try transform.write(labels.span, into: &span)
///
/// **Exact.** Squared distances are sums of whole numbers and none is approximated: a map is, bit for bit, what looking
/// at every pair of voxels gives, whatever the number of threads or the instruction set. Where spacings differ, their
/// squares are first rounded to whole multiples of a common unit, by 2^-21 of themselves at most (arithmetic 12.1). An
/// extent is at most 2^24, and where spacings differ the sample's diagonal at most 46340 times the least of them.
///
/// **Shape.** One to three extents; labels are `[samples][extents...]`, maps
/// `[samples][classes][extents...]`. A label that is not among the classes is outside all of them.
///
/// **Memory.** Making a transform allocates everything that its calls need; a call allocates nothing. That is 4 bytes
/// for each value of maps of 16 bits, and a room for a block of 32 columns for each thread that has one: with a thread
/// for every block 9 bytes for each value in 2-D, 4 in 3-D, twice that where spacings differ. However few the columns
/// are, a block has room for 32.
///
/// **Threads.** To transform from several tasks at once, give each a copy.
public struct DistanceTransform<Element: DistanceElement>: Sendable {
    /// The shape of the maps.
    public let shape: Shape
    /// The labels that maps are made of, in the maps' order.
    public let classes: [Int]
    /// What a map holds.
    public let form: DistanceForm
    /// What a map holds where there is nothing to be far from.
    public let far: DistanceFar
    /// The lengths between voxels, along each extent.
    public let spacing: [Double]

    let plan: DistancePlan
    var scratch: [UInt8]

    /// Plans distance maps, and allocates what they take.
    ///
    /// - Parameters:
    ///   - shape: Samples, the number of classes, and one to three extents.
    ///   - element: What maps are kept as.
    ///   - classes: The labels to make maps of, `shape.classes` of them; `nil`: `0 ..< shape.classes`.
    ///   - form: What the maps hold.
    ///   - far: What they hold in a sample without the class and, as a negative, inside a class that fills its sample.
    ///   - spacing: The lengths between voxels along each extent, all positive; `nil`: 1.
    ///   - scale: Of `Int16` maps: the length of one step. They hold `value / scale`, rounded, at most 32767 in
    ///     magnitude; `nil`: 1.
    ///   - options: Threads and instruction set. There is no ``Options/ignoreIndex`` here.
    /// - Throws: ``LossError`` where the shape, the classes, a spacing or an option is refused, or where squared distances
    ///   would be too large to be exact.
    public init(
        of shape: Shape, as element: Element.Type = Float.self, classes: [Int]? = nil, form: DistanceForm = .unsigned,
        far: DistanceFar = .zero, spacing: [Double]? = nil, scale: Double? = nil, options: Options = Options()
    ) throws(LossError) {
        self.shape = shape
        self.classes = classes ?? Array(0..<max(shape.classes, 0))
        self.form = form
        self.far = far
        self.spacing = spacing ?? shape.extents.map { _ in 1 }
        plan = try DistancePlan(
            shape: shape, format: Element.distanceFormat, classes: self.classes, form: form, far: far,
            spacing: self.spacing, scale: scale, options: options)
        scratch = try plan.makeScratch()
    }

    /// Writes the maps of a batch.
    ///
    /// - Parameters:
    ///   - labels: `[samples][extents...]`.
    ///   - map: `[samples][classes][extents...]`; what it holds is overwritten.
    /// - Throws: ``LossError`` where a buffer has the wrong count, or the labels' type cannot hold one of the classes. The
    ///   map is then as it was.
    public mutating func write<L: Label>(_ labels: Span<L>, into map: inout MutableSpan<Element>) throws(LossError) {
        try plan.write(labels, into: &map, scratch: &scratch)
    }

    /// The maps of a batch: `[samples][classes][extents...]`.
    public mutating func callAsFunction<L: Label>(_ labels: [L]) throws(LossError) -> [Element] {
        var map = [Element](repeating: Element.none, count: plan.values)
        try write(labels, into: &map)
        return map
    }

    /// Writes the maps of a batch.
    public mutating func write<L: Label>(_ labels: [L], into map: inout [Element]) throws(LossError) {
        var span = map.mutableSpan
        try write(labels.span, into: &span)
    }
}

/// What a distance map holds.
public enum DistanceForm: Sendable, Hashable {
    /// d; 0 inside.
    case unsigned
    /// d squared; 0 inside.
    case squared
    /// d outside; inside, the distance to the outside as a negative number.
    case signed(InnerBoundary)
}

/// What a signed map says of the voxels inside that touch the outside, voxels being one length apart. `s` is the least
/// spacing of an axis with several voxels.
public enum InnerBoundary: Sendable, Hashable, CaseIterable {
    /// -1: inside is `-d`. The outer boundary is +1, and no voxel is 0.
    case minusOne
    /// -1/2: inside is `s/2 - d`, outside `d - s/2`: the border between voxels is 0.
    case half
    /// 0: inside is `s - d`, outside `d`.
    case zero
    /// Inside is `1 - d`, whatever the spacing (positive where `d` is below 1), outside `d`: the map of the boundary
    /// loss as published (Kervadec et al., Boundary loss for highly unbalanced segmentation, 2019).
    case zeroUnit
}

/// What a distance map holds where there is nothing to be far from.
public enum DistanceFar: Sendable, Hashable, CaseIterable {
    /// 0: such a sample has no say.
    case zero
    /// The length of the sample's diagonal, which no distance reaches; its square in squared maps.
    case diagonal
    /// Infinity; of `Int16` maps 32767.
    case infinity
}

/// What distance maps are kept as: `Float`, `Float16` or `Int16`.
public protocol DistanceElement: BitwiseCopyable, Sendable {
    /// How the type lies in memory.
    static var distanceFormat: DistanceFormat { get }
    /// 0.
    static var none: Self { get }
}

/// How distance maps lie in memory.
public enum DistanceFormat: Sendable, Hashable {
    /// As `Float`.
    case float
    /// As `Float16`: values are rounded once, to nearest even. Planning refuses shapes whose values may be 65520 or
    /// more, which would be infinite: squared distances of 256 steps, for one.
    case half
    /// As `Int16`: values are divided by a scale, and rounded to nearest even.
    case int16
}

extension Float: DistanceElement {
    /// ``DistanceFormat/float``.
    public static var distanceFormat: DistanceFormat { .float }
    /// 0.
    public static var none: Float { 0 }
}

extension Int16: DistanceElement {
    /// ``DistanceFormat/int16``.
    public static var distanceFormat: DistanceFormat { .int16 }
    /// 0.
    public static var none: Int16 { 0 }
}

#if !(os(macOS) && arch(x86_64))
    extension Float16: DistanceElement {
        /// ``DistanceFormat/half``.
        public static var distanceFormat: DistanceFormat { .half }
        /// 0.
        public static var none: Float16 { 0 }
    }
#endif
