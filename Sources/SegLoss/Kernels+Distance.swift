// The calls into C for distance maps.

internal import CLossKernels

/// What a `closs_distance_spec` is made of, checked once.
struct DistancePlan: Sendable {
    /// Values of a map.
    let values: Int
    private let shape: Shape
    private let extents: [Int]
    private let spacing: [Double]
    private let classes: [Int64]
    private let form: DistanceForm
    private let far: DistanceFar
    private let format: DistanceFormat
    private let scale: Double
    private let options: Options

    init(
        shape: Shape, format: DistanceFormat, classes: [Int], form: DistanceForm, far: DistanceFar, spacing: [Double],
        scale: Double?, options: Options
    ) throws(LossError) {
        try shape.checkMeasured(classes, spacing)
        if let scale, !(scale > 0) {
            throw LossError(kind: .badOption, message: "scale is \(scale); expected a positive length")
        }
        guard options.ignoreIndex == nil else {
            throw LossError(
                kind: .badOption,
                message: "ignoreIndex is set; expected none: a label that is not among the classes is outside them")
        }
        let missing = 3 - shape.extents.count
        self.shape = shape
        extents = Array(repeating: 1, count: missing) + shape.extents
        self.spacing = Array(repeating: 1, count: missing) + spacing
        self.classes = classes.map(Int64.init)
        (self.form, self.far, self.format, self.options) = (form, far, format, options)
        self.scale = scale ?? 0
        let (values, isTooLarge) = shape.voxels.multipliedReportingOverflow(by: shape.classes)
        let (all, areTooMany) = values.multipliedReportingOverflow(by: shape.samples)
        self.values = isTooLarge || areTooMany ? .max : all
        // Refused for want of buffers alone, once the spec is right.
        do {
            try unsafe refusing { error in
                unsafe withSpec { spec in unsafe closs_distance_map(spec, CLOSS_LABELS_U8, nil, 0, nil, 0, nil, 0, error) }
            }
        } catch {
            guard error.kind == .nullPointer else { throw error }
        }
    }

    /// Memory for calls.
    func makeScratch() throws(LossError) -> [UInt8] {
        let bytes = unsafe withSpec { spec in unsafe closs_distance_scratch_bytes(spec) }
        return try SegLoss.makeScratch(bytes: bytes)
    }

    func write<L: Label, Element: DistanceElement>(
        _ labels: Span<L>, into map: inout MutableSpan<Element>, scratch: inout [UInt8]
    ) throws(LossError) {
        try unsafe refusing { error in
            unsafe withSpec { spec in
                unsafe labels.withUnsafeBufferPointer { labels in
                    unsafe map.withUnsafeMutableBufferPointer { map in
                        unsafe scratch.withUnsafeMutableBytes { scratch in
                            // An empty buffer has no address; its count is what is refused.
                            unsafe closs_distance_map(
                                spec, TargetFormat.labels(L.labelFormat).code, labels.baseAddress ?? UnsafePointer(bitPattern: 64)!,
                                labels.count, map.baseAddress ?? UnsafeMutablePointer(bitPattern: 64)!, map.count,
                                scratch.baseAddress, scratch.count, error)
                        }
                    }
                }
            }
        }
    }

    private func withSpec<Result>(_ body: (UnsafePointer<closs_distance_spec>) -> Result) -> Result {
        unsafe classes.withUnsafeBufferPointer { classes in
            var spec = unsafe closs_distance_spec()
            unsafe spec.samples = Int64(shape.samples)
            unsafe spec.extents = closs_extents(
                planes: Int64(extents[0]), rows: Int64(extents[1]), columns: Int64(extents[2]))
            unsafe spec.spacing = (spacing[0], spacing[1], spacing[2])
            unsafe spec.classes = classes.baseAddress
            unsafe spec.class_count = Int32(clamping: classes.count)
            unsafe spec.form = form.code
            unsafe spec.boundary = form.boundary
            unsafe spec.far = far.code
            unsafe spec.type = format.code
            unsafe spec.scale = scale
            unsafe spec.threads = Int32(clamping: options.threads)
            unsafe spec.isa = options.instructionSet.code
            return unsafe withUnsafePointer(to: spec) { spec in unsafe body(spec) }
        }
    }
}

// MARK: - Codes

extension DistanceForm {
    fileprivate var code: closs_distance_form {
        switch self {
        case .unsigned: CLOSS_DISTANCE_UNSIGNED
        case .squared: CLOSS_DISTANCE_SQUARED
        case .signed: CLOSS_DISTANCE_SIGNED
        }
    }

    fileprivate var boundary: closs_inner_boundary {
        guard case .signed(let boundary) = self else { return CLOSS_INNER_MINUS_ONE }
        return boundary.code
    }
}

extension InnerBoundary {
    var code: closs_inner_boundary {
        switch self {
        case .minusOne: CLOSS_INNER_MINUS_ONE
        case .half: CLOSS_INNER_HALF
        case .zero: CLOSS_INNER_ZERO
        case .zeroUnit: CLOSS_INNER_ZERO_UNIT
        }
    }
}

extension DistanceFar {
    var code: closs_distance_far {
        switch self {
        case .zero: CLOSS_FAR_ZERO
        case .diagonal: CLOSS_FAR_DIAGONAL
        case .infinity: CLOSS_FAR_INFINITY
        }
    }
}

extension DistanceFormat {
    fileprivate var code: closs_distance_type {
        switch self {
        case .float: CLOSS_DISTANCE_FLOAT32
        case .half: CLOSS_DISTANCE_FLOAT16
        case .int16: CLOSS_DISTANCE_INT16
        }
    }
}
