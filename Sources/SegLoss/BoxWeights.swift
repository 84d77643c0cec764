/// Voxel weights of box averages: large where a window around the voxel is half inside, half outside.
///
///     var weights = try BoxWeights(
///         of: .planar(samples: 2, classes: 1, height: 512, width: 512), window: [50, 50], classes: [1])
///     let map = try weights(labels)
///
/// With a the average, over the window, of whether voxels are inside, a map holds what ``BoxWeightForm`` says, by
/// default 5 exp(-5 |a - 1/2|), rescaled to a mean of 1.
///
/// **Window.** It reaches (w - 1) / 2 voxels back and w / 2 on along each extent, rounded down, as TensorFlow pads
/// ("SAME"). What a voxel costs does not depend on it, but for the window's lines that each thread reads before its
/// own.
///
/// **Exact.** Averages are counts: a map's bits depend on the labels alone (arithmetic 14).
///
/// **Memory.** A plan allocates everything; a call allocates nothing. It has a room for each thread, of no more
/// threads than all samples have rows (of volumes: planes): about 22 bytes for each column of a row and 4 for each
/// column of the window, and of a volume 4 for each voxel of a plane; 36 bytes for each sample; and, where weights are
/// rescaled, 4 bytes for each 64 voxels of a row.
///
/// **Threads.** To make maps from several tasks at once, give each a copy.
public struct BoxWeights: Sendable {
    /// The shape of the labels and maps; its classes play no part.
    public let shape: Shape
    /// The labels that are inside; `nil`: maps are made of masks.
    public let classes: [Int]?
    /// Voxels of the window along each extent.
    public let window: [Int]
    /// What a map holds.
    public let form: BoxWeightForm

    let plan: BoxWeightsPlan
    var scratch: [UInt8]

    /// Plans weight maps, and allocates what they take.
    ///
    /// - Parameters:
    ///   - shape: Samples and one to three extents.
    ///   - window: Voxels along each extent, at least 1 each, at most 2^24 together. It may be larger than the sample.
    ///   - classes: The labels that are inside, as a union; `nil`: masks are given, inside where they are not 0.
    ///   - form: What the maps hold.
    ///   - padding: What an average near an edge is divided by.
    ///   - mean: What is rescaled to a mean of 1.
    ///   - options: Threads and instruction set. There is no ``Options/ignoreIndex`` here.
    /// - Throws: ``LossError`` where the shape, the window or an option is refused.
    public init(
        of shape: Shape, window: [Int], classes: [Int]? = nil, form: BoxWeightForm = .boundary(),
        padding: BoxPadding = .excluded, mean: WeightsMean = .ofBatch, options: Options = Options()
    ) throws(LossError) {
        self.shape = shape
        self.classes = classes
        self.window = window
        self.form = form
        plan = try BoxWeightsPlan(
            shape: shape, window: window, classes: classes, form: form, padding: padding, mean: mean, options: options)
        scratch = try plan.makeScratch()
    }

    /// Writes the maps of a batch of labels.
    ///
    /// - Parameters:
    ///   - labels: `[samples][extents...]`.
    ///   - map: `[samples][extents...]`; what it holds is overwritten.
    /// - Throws: ``LossError`` where a buffer has the wrong count, or a class is none that the labels' type can hold.
    ///   The map is then as it was.
    public mutating func write<L: Label>(_ labels: Span<L>, into map: inout MutableSpan<Float>) throws(LossError) {
        try plan.write(labels, as: .labels(L.labelFormat), into: &map, scratch: &scratch)
    }

    /// Writes the maps of a batch of masks, inside where they are not 0.
    public mutating func write(mask: Span<UInt8>, into map: inout MutableSpan<Float>) throws(LossError) {
        try plan.write(mask, as: .dense(.uint8), into: &map, scratch: &scratch)
    }

    /// The maps of a batch of labels: `[samples][extents...]`.
    public mutating func callAsFunction<L: Label>(_ labels: [L]) throws(LossError) -> [Float] {
        var map = [Float](repeating: 0, count: plan.values)
        try write(labels, into: &map)
        return map
    }

    /// The maps of a batch of masks: `[samples][extents...]`.
    public mutating func callAsFunction(mask: [UInt8]) throws(LossError) -> [Float] {
        var map = [Float](repeating: 0, count: plan.values)
        try write(mask: mask, into: &map)
        return map
    }

    /// Writes the maps of a batch of labels.
    public mutating func write<L: Label>(_ labels: [L], into map: inout [Float]) throws(LossError) {
        var span = map.mutableSpan
        try write(labels.span, into: &span)
    }

    /// Writes the maps of a batch of masks.
    public mutating func write(mask: [UInt8], into map: inout [Float]) throws(LossError) {
        var span = map.mutableSpan
        try write(mask: mask.span, into: &span)
    }
}

/// What a map of box averages holds, a being the average of whether voxels are inside.
public enum BoxWeightForm: Sendable, Hashable {
    /// amplitude exp(-steepness |a - 1/2|), amplitude above 0, steepness 0 to 32. Scripts in circulation have 5 and 5,
    /// with a window of 50 x 50.
    case boundary(amplitude: Double = 5, steepness: Double = 5)
    /// 1 + amplitude where above < a < below, else 1. Scripts in circulation have 2, with a window of 11 x 11, or 21 or
    /// 41 for larger images.
    case border(amplitude: Double = 2, above: Double = 0.005, below: Double = 0.995)
}

/// What an average near an edge is divided by.
public enum BoxPadding: Sendable, Hashable, CaseIterable {
    /// The window's voxels within the sample: TensorFlow's average pooling.
    case excluded
    /// All of the window's, as if zeros lay outside: PyTorch's average pooling, unless told otherwise.
    case counted
}

/// What weights are rescaled to.
public enum WeightsMean: Sendable, Hashable, CaseIterable {
    /// A mean of 1 over the batch.
    case ofBatch
    /// A mean of 1 over each sample.
    case ofSample
    /// Nothing: weights are as the form says.
    case free
}
