/// U-Net's voxel weights (Ronneberger et al. 2015), made of instance labels:
///
///     w = w_c + w_0 exp(-(d1 + d2)^2 / (2 sigma^2)) in the background,   w_c in cells,
///
/// d1 and d2 the exact distances to the nearest voxel of the nearest and of the second nearest cell: narrow gaps
/// between cells weigh most.
///
///     var weights = try CellWeights(of: .planar(samples: 1, classes: 1, height: 512, width: 512))
///     let map = try weights(instances)
///
/// **Cells.** A cell is all voxels of one label other than the background's, touching or not; labels are at most 32
/// bits wide. Without two cells in a sample, and where the exponent is below -87.25, the exponential is 0.
///
/// **Cost.** It grows with the distance between cells, up to 13.3 sigma, and not with their number. A sample without
/// two cells costs least.
///
/// **Memory.** A plan allocates everything; a call allocates nothing. It has 16 bytes for each voxel of one sample, and
/// a room for each thread that works on a block of 32 columns, 512 bytes for each row of the sample: with threads
/// enough about 16 more for each voxel. Blocks have 16 columns where spacings differ or the diagonal has 32768 voxels or
/// more: then these 16 are 32.
///
/// **Threads.** To make maps from several tasks at once, give each a copy.
public struct CellWeights: Sendable {
    /// The shape of the labels and maps; its classes play no part.
    public let shape: Shape
    /// w_0.
    public let amplitude: Double
    /// The length over which the weight falls off, in the spacing's unit.
    public let sigma: Double
    /// w_c in the background and in cells.
    public let classWeights: (background: Double, cells: Double)

    let plan: CellWeightsPlan
    var scratch: [UInt8]

    /// Plans weight maps, and allocates what they take.
    ///
    /// - Parameters:
    ///   - shape: Samples and one to three extents.
    ///   - amplitude: w_0, 0 to 65536.
    ///   - sigma: Above 0.
    ///   - classWeights: w_c in the background and in cells, 0 to 65536 each.
    ///   - balanced: Whether w_c is multiplied by N / (2 n), n of a sample's N voxels being background, or cells.
    ///   - background: The label between cells, one that the labels' type can hold, of 32 bits at most.
    ///   - spacing: The lengths between voxels along each extent, all positive; `nil`: 1.
    ///   - options: Threads, instruction set, and a label that is neither cell nor background: it weighs 0.
    /// - Throws: ``LossError`` where the shape or an option is refused.
    public init(
        of shape: Shape, amplitude: Double = 10, sigma: Double = 5,
        classWeights: (background: Double, cells: Double) = (1, 1), balanced: Bool = false, background: Int = 0,
        spacing: [Double]? = nil, options: Options = Options()
    ) throws(LossError) {
        self.shape = shape
        self.amplitude = amplitude
        self.sigma = sigma
        self.classWeights = classWeights
        plan = try CellWeightsPlan(
            shape: shape, amplitude: amplitude, sigma: sigma, classWeights: classWeights, balanced: balanced,
            background: background, spacing: spacing ?? shape.extents.map { _ in 1 }, options: options)
        scratch = try plan.makeScratch()
    }

    /// Writes the maps of a batch of instance labels.
    ///
    /// - Parameters:
    ///   - labels: `[samples][extents...]`.
    ///   - map: `[samples][extents...]`; what it holds is overwritten.
    /// - Throws: ``LossError`` where a buffer has the wrong count, a label is wider than 32 bits, or the background is
    ///   no label that this type can hold. The map is then as it was.
    public mutating func write<L: Label>(_ labels: Span<L>, into map: inout MutableSpan<Float>) throws(LossError) {
        try plan.write(labels, into: &map, scratch: &scratch)
    }

    /// The maps of a batch of instance labels: `[samples][extents...]`.
    public mutating func callAsFunction<L: Label>(_ labels: [L]) throws(LossError) -> [Float] {
        var map = [Float](repeating: 0, count: plan.values)
        try write(labels, into: &map)
        return map
    }

    /// Writes the maps of a batch of instance labels.
    public mutating func write<L: Label>(_ labels: [L], into map: inout [Float]) throws(LossError) {
        var span = map.mutableSpan
        try write(labels.span, into: &span)
    }
}
