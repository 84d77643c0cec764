// The calls into C for weight maps.

internal import CLossKernels

/// Samples and three extents of a map, checked as far as C cannot: to it, an extent of 0 stands for 1.
struct MapExtents: Sendable {
    let samples: Int
    let extents: [Int]
    /// Values of a map, as far as they can be counted.
    let values: Int

    init(_ shape: Shape) throws(LossError) {
        guard (1...3).contains(shape.extents.count) else {
            throw LossError(
                kind: .badShape, message: "the shape has \(shape.extents.count) extents; expected one, two or three")
        }
        if let extent = shape.extents.first(where: { $0 < 1 }) {
            throw LossError(kind: .badShape, message: "an extent is \(extent); expected 1 or more in \(shape.extents)")
        }
        samples = shape.samples
        extents = Array(repeating: 1, count: 3 - shape.extents.count) + shape.extents
        let (all, areTooMany) = shape.voxels.multipliedReportingOverflow(by: shape.samples)
        values = areTooMany ? .max : all
    }

    var code: closs_extents {
        closs_extents(planes: Int64(extents[0]), rows: Int64(extents[1]), columns: Int64(extents[2]))
    }
}

/// Lets a call pass that is refused for want of buffers alone: its spec is right.
private func checkingSpec(_ call: (UnsafeMutablePointer<closs_error>) -> closs_status) throws(LossError) {
    do {
        try unsafe refusing { error in unsafe call(error) }
    } catch {
        guard error.kind == .nullPointer else { throw error }
    }
}

// MARK: - Box averages

/// What a `closs_box_weights_spec` is made of, checked once.
struct BoxWeightsPlan: Sendable {
    private let extents: MapExtents
    private let window: [Int]
    private let classes: [Int64]
    private let form: BoxWeightForm
    private let padding: BoxPadding
    private let mean: WeightsMean
    private let options: Options

    var values: Int { extents.values }

    init(
        shape: Shape, window: [Int], classes: [Int]?, form: BoxWeightForm, padding: BoxPadding, mean: WeightsMean,
        options: Options
    ) throws(LossError) {
        extents = try MapExtents(shape)
        guard window.count == shape.extents.count else {
            throw LossError(
                kind: .badOption,
                message: "the window has \(window.count) extents; expected one for each of \(shape.extents.count)")
        }
        guard options.ignoreIndex == nil else {
            throw LossError(
                kind: .badOption,
                message: "ignoreIndex is set; expected none: a label that is not among the classes is outside them")
        }
        guard classes?.isEmpty != true else {
            throw LossError(kind: .badOption, message: "there are no classes; expected the labels that are inside")
        }
        self.window = Array(repeating: 1, count: 3 - window.count) + window
        self.classes = (classes ?? []).map(Int64.init)
        (self.form, self.padding, self.mean, self.options) = (form, padding, mean, options)
        let target = classes == nil ? CLOSS_DENSE_U8 : CLOSS_LABELS_I64
        try unsafe checkingSpec { error in
            unsafe withSpec { spec in unsafe closs_box_weights(spec, target, nil, 0, nil, 0, nil, 0, error) }
        }
    }

    /// Memory for calls.
    func makeScratch() throws(LossError) -> [UInt8] {
        let bytes = unsafe withSpec { spec in unsafe closs_box_weights_scratch_bytes(spec) }
        return try SegLoss.makeScratch(bytes: bytes)
    }

    func write<L: BitwiseCopyable>(
        _ labels: Span<L>, as format: TargetFormat, into map: inout MutableSpan<Float>, scratch: inout [UInt8]
    ) throws(LossError) {
        try unsafe refusing { error in
            unsafe withSpec { spec in
                unsafe labels.withUnsafeBufferPointer { labels in
                    unsafe map.withUnsafeMutableBufferPointer { map in
                        unsafe scratch.withUnsafeMutableBytes { scratch in
                            // An empty buffer has no address; its count is what is refused.
                            unsafe closs_box_weights(
                                spec, format.code, labels.baseAddress ?? UnsafePointer(bitPattern: 64)!, labels.count,
                                map.baseAddress ?? UnsafeMutablePointer(bitPattern: 64)!, map.count,
                                scratch.baseAddress, scratch.count, error)
                        }
                    }
                }
            }
        }
    }

    private func withSpec<Result>(_ body: (UnsafePointer<closs_box_weights_spec>) -> Result) -> Result {
        unsafe classes.withUnsafeBufferPointer { classes in
            var spec = unsafe closs_box_weights_spec()
            unsafe spec.samples = Int64(extents.samples)
            unsafe spec.extents = extents.code
            unsafe spec.window = (Int64(window[0]), Int64(window[1]), Int64(window[2]))
            unsafe spec.classes = classes.isEmpty ? nil : classes.baseAddress
            unsafe spec.class_count = Int32(clamping: classes.count)
            unsafe spec.padding = padding == .counted ? CLOSS_PADDING_COUNTED : CLOSS_PADDING_EXCLUDED
            unsafe spec.mean = mean.code
            switch form {
            case .boundary(let amplitude, let steepness):
                unsafe spec.form = CLOSS_BOX_BOUNDARY
                unsafe spec.amplitude = amplitude
                unsafe spec.steepness = steepness
            case .border(let amplitude, let above, let below):
                unsafe spec.form = CLOSS_BOX_BORDER
                unsafe spec.amplitude = amplitude
                unsafe spec.lower = above
                unsafe spec.upper = below
            }
            unsafe spec.threads = Int32(clamping: options.threads)
            unsafe spec.isa = options.instructionSet.code
            return unsafe withUnsafePointer(to: spec) { spec in unsafe body(spec) }
        }
    }
}

extension WeightsMean {
    fileprivate var code: closs_weights_mean {
        switch self {
        case .ofBatch: CLOSS_MEAN_OF_BATCH
        case .ofSample: CLOSS_MEAN_OF_SAMPLE
        case .free: CLOSS_MEAN_FREE
        }
    }
}

// MARK: - Classes

/// Counts and maps of one call's labels.
struct ClassKernels {
    private var spec = closs_class_counts_spec()

    init(classes: Int, samples: Int, labels: Int, options: Options) throws(LossError) {
        guard samples >= 1 else {
            throw LossError(kind: .badShape, message: "samples is \(samples); expected 1 or more")
        }
        guard labels % samples == 0 else {
            throw LossError(
                kind: .badShape,
                message: "there are \(labels) labels; expected as many in each of the \(samples) samples")
        }
        spec.samples = Int64(samples)
        spec.voxels = Int64(labels / samples)
        spec.class_count = Int32(clamping: classes)
        spec.has_ignore_index = options.ignoreIndex == nil ? 0 : 1
        spec.ignore_index = Int64(options.ignoreIndex ?? 0)
        spec.threads = Int32(clamping: options.threads)
        spec.isa = options.instructionSet.code
    }

    func count<L: Label>(_ labels: Span<L>, into words: inout [Int]) throws(LossError) {
        var counts = words.map(Int64.init)
        try unsafe refusing { error in
            unsafe labels.withUnsafeBufferPointer { labels in
                unsafe counts.withUnsafeMutableBufferPointer { counts in
                    var spec = spec
                    return unsafe closs_class_counts(
                        &spec, TargetFormat.labels(L.labelFormat).code, labels.baseAddress, labels.count,
                        counts.baseAddress, counts.count, error)
                }
            }
        }
        words = counts.map(Int.init)
    }

    func map<L: Label>(_ labels: Span<L>, weights: [Float], into map: inout MutableSpan<Float>) throws(LossError) {
        try unsafe refusing { error in
            unsafe labels.withUnsafeBufferPointer { labels in
                unsafe weights.withUnsafeBufferPointer { weights in
                    unsafe map.withUnsafeMutableBufferPointer { map in
                        var spec = spec
                        return unsafe closs_class_weight_map(
                            &spec, TargetFormat.labels(L.labelFormat).code, labels.baseAddress, labels.count,
                            weights.baseAddress, weights.count,
                            map.baseAddress ?? UnsafeMutablePointer(bitPattern: 64)!, map.count, error)
                    }
                }
            }
        }
    }

    static func weights(
        of counts: [Int], weighting: ClassWeighting, absent: AbsentClassWeight, norm: ClassWeightsNorm
    ) throws(LossError) -> [Float] {
        var spec = closs_class_weights_spec()
        spec.class_count = Int32(clamping: counts.count / 2)
        (spec.weighting, spec.parameter) = weighting.code
        spec.absent = absent.code
        spec.norm = norm.code
        var weights = [Float](repeating: 0, count: counts.count / 2)
        let counts = counts.map(Int64.init)
        try unsafe refusing { error in
            unsafe counts.withUnsafeBufferPointer { counts in
                unsafe weights.withUnsafeMutableBufferPointer { weights in
                    unsafe closs_class_weights(
                        &spec, counts.baseAddress, counts.count, weights.baseAddress, weights.count, error)
                }
            }
        }
        return weights
    }
}

extension ClassWeighting {
    fileprivate var code: (closs_class_weighting, Double) {
        switch self {
        case .balanced: (CLOSS_WEIGHTING_BALANCED, 0)
        case .inverse: (CLOSS_WEIGHTING_INVERSE, 0)
        case .odds: (CLOSS_WEIGHTING_ODDS, 0)
        case .median: (CLOSS_WEIGHTING_MEDIAN, 0)
        case .logarithmic(let offset): (CLOSS_WEIGHTING_LOGARITHMIC, offset)
        case .effective(let beta): (CLOSS_WEIGHTING_EFFECTIVE, beta)
        }
    }
}

extension AbsentClassWeight {
    fileprivate var code: closs_absent_weight {
        switch self {
        case .zero: CLOSS_ABSENT_WEIGHT_ZERO
        case .one: CLOSS_ABSENT_WEIGHT_ONE
        case .largest: CLOSS_ABSENT_WEIGHT_LARGEST
        case .formula: CLOSS_ABSENT_WEIGHT_FORMULA
        }
    }
}

extension ClassWeightsNorm {
    fileprivate var code: closs_weights_norm {
        switch self {
        case .none: CLOSS_NORM_NONE
        case .classes: CLOSS_NORM_CLASSES
        case .voxels: CLOSS_NORM_VOXELS
        }
    }
}

// MARK: - Cells

/// What a `closs_cell_weights_spec` is made of, checked once.
struct CellWeightsPlan: Sendable {
    private let extents: MapExtents
    private let spacing: [Double]
    private let amplitude: Double
    private let sigma: Double
    private let classWeights: (background: Double, cells: Double)
    private let balanced: Bool
    private let background: Int
    private let options: Options

    var values: Int { extents.values }

    init(
        shape: Shape, amplitude: Double, sigma: Double, classWeights: (background: Double, cells: Double),
        balanced: Bool, background: Int, spacing: [Double], options: Options
    ) throws(LossError) {
        extents = try MapExtents(shape)
        guard spacing.count == shape.extents.count else {
            throw LossError(
                kind: .badOption,
                message: "there are \(spacing.count) spacings; expected one for each of \(shape.extents.count) extents")
        }
        if let axis = spacing.firstIndex(where: { !($0 > 0) }) {
            throw LossError(
                kind: .badOption, index: axis,
                message: "spacing \(axis) is \(spacing[axis]); expected a positive length")
        }
        self.spacing = Array(repeating: 1, count: 3 - spacing.count) + spacing
        (self.amplitude, self.sigma, self.classWeights) = (amplitude, sigma, classWeights)
        (self.balanced, self.background, self.options) = (balanced, background, options)
        // Which type the labels have is not known yet: this one can hold every background.
        try unsafe checkingSpec { error in
            unsafe withSpec { spec in unsafe closs_cell_weights(spec, CLOSS_LABELS_I64, nil, 0, nil, 0, nil, 0, error) }
        }
    }

    /// Memory for calls.
    func makeScratch() throws(LossError) -> [UInt8] {
        let bytes = unsafe withSpec { spec in unsafe closs_cell_weights_scratch_bytes(spec) }
        return try SegLoss.makeScratch(bytes: bytes)
    }

    func write<L: Label>(
        _ labels: Span<L>, into map: inout MutableSpan<Float>, scratch: inout [UInt8]
    ) throws(LossError) {
        try unsafe refusing { error in
            unsafe withSpec { spec in
                unsafe labels.withUnsafeBufferPointer { labels in
                    unsafe map.withUnsafeMutableBufferPointer { map in
                        unsafe scratch.withUnsafeMutableBytes { scratch in
                            // An empty buffer has no address; its count is what is refused.
                            unsafe closs_cell_weights(
                                spec, TargetFormat.labels(L.labelFormat).code,
                                labels.baseAddress ?? UnsafePointer(bitPattern: 64)!, labels.count,
                                map.baseAddress ?? UnsafeMutablePointer(bitPattern: 64)!, map.count,
                                scratch.baseAddress, scratch.count, error)
                        }
                    }
                }
            }
        }
    }

    private func withSpec<Result>(_ body: (UnsafePointer<closs_cell_weights_spec>) -> Result) -> Result {
        var spec = closs_cell_weights_spec()
        spec.samples = Int64(extents.samples)
        spec.extents = extents.code
        spec.spacing = (spacing[0], spacing[1], spacing[2])
        spec.background = Int64(background)
        spec.has_ignore_index = options.ignoreIndex == nil ? 0 : 1
        spec.ignore_index = Int64(options.ignoreIndex ?? 0)
        spec.amplitude = amplitude
        spec.sigma = sigma
        spec.background_weight = classWeights.background
        spec.cell_weight = classWeights.cells
        spec.balanced = balanced ? 1 : 0
        spec.threads = Int32(clamping: options.threads)
        spec.isa = options.instructionSet.code
        return unsafe withUnsafePointer(to: spec) { spec in unsafe body(spec) }
    }
}
