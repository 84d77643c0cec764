// The calls into C for metrics.

internal import CLossKernels

/// What predictions are made of.
enum PredictionFormat {
    case labels(LabelFormat)
    case logits(LogitFormat)
}

/// Runs `body` with a batch for metrics. An empty buffer has no address; its count is what is refused.
private func withMetricBatch<P: BitwiseCopyable, T: BitwiseCopyable>(
    _ predictions: Span<P>, _ format: PredictionFormat, _ targets: Span<T>, _ target: TargetFormat,
    _ mask: Span<UInt8>?, _ body: (UnsafePointer<closs_metric_batch>) -> closs_status
) -> closs_status {
    unsafe predictions.withUnsafeBufferPointer { predictions in
        unsafe targets.withUnsafeBufferPointer { targets in
            unsafe withPointer(mask) { mask in
                let nowhere = unsafe UnsafeRawPointer(bitPattern: 64)!
                var batch = unsafe closs_metric_batch()
                unsafe batch.predictions = UnsafeRawPointer(predictions.baseAddress) ?? nowhere
                unsafe batch.predictions_count = predictions.count
                switch format {
                case .labels(let format): unsafe batch.predicted = TargetFormat.labels(format).code
                case .logits(let format): unsafe batch.predictions_type = format.code
                }
                unsafe batch.target = target.code
                unsafe batch.targets = UnsafeRawPointer(targets.baseAddress) ?? nowhere
                unsafe batch.targets_count = targets.count
                if let mask = unsafe mask {
                    unsafe batch.mask = mask.baseAddress ?? nowhere.assumingMemoryBound(to: UInt8.self)
                    unsafe batch.mask_count = mask.count
                }
                return unsafe body(&batch)
            }
        }
    }
}

/// Memory of as many bytes as a spec takes. One that is refused takes none: `call`, without buffers, says why.
private func makeScratch(
    bytes: Int, refusedBy call: (UnsafeMutablePointer<closs_error>) -> closs_status
) throws(LossError) -> [UInt8] {
    if bytes == 0 { try unsafe refusing(call) }
    return try makeScratch(bytes: bytes)
}

/// To C, a shape's voxels are one number.
private func checkExtents(_ shape: Shape) throws(LossError) {
    if let extent = shape.extents.first(where: { $0 < 1 }) {
        throw LossError(kind: .badShape, message: "an extent is \(extent); expected 1 or more in \(shape.extents)")
    }
}

extension Shape {
    fileprivate var inC: closs_shape {
        closs_shape(samples: Int64(samples), classes: Int64(classes), voxels: Int64(voxels))
    }
}

// MARK: - Confusion

extension ConfusionCounter {
    func makeScratch() throws(LossError) -> [UInt8] {
        try checkExtents(shape)
        var spec = spec(of: CLOSS_PREDICTED_LABELS)
        let bytes = unsafe closs_confusion_scratch_bytes(&spec)
        return try unsafe SegLoss.makeScratch(bytes: bytes) { error in
            unsafe closs_confusion(&spec, nil, nil, 0, nil, 0, error)
        }
    }

    private func spec(of prediction: closs_prediction_kind) -> closs_confusion_spec {
        var spec = closs_confusion_spec()
        spec.shape = shape.inC
        spec.prediction = prediction
        spec.has_ignore_index = options.ignoreIndex == nil ? 0 : 1
        spec.ignore_index = Int64(options.ignoreIndex ?? 0)
        spec.threads = Int32(clamping: options.threads)
        spec.isa = options.instructionSet.code
        return spec
    }

    @inline(never)
    mutating func countInC<P: BitwiseCopyable, L: Label>(
        _ predictions: Span<P>, of format: PredictionFormat, _ labels: Span<L>, _ mask: Span<UInt8>?
    ) throws(LossError) -> ConfusionMatrix {
        let kind = if case .labels = format { CLOSS_PREDICTED_LABELS } else { CLOSS_PREDICTED_LOGITS }
        var spec = spec(of: kind)
        var matrix = [Int64](repeating: 0, count: shape.samples * shape.classes * shape.classes)
        try unsafe refusing { error in
            unsafe withMetricBatch(predictions, format, labels, .labels(L.labelFormat), mask) { batch in
                unsafe matrix.withUnsafeMutableBufferPointer { matrix in
                    unsafe scratch.withUnsafeMutableBytes { scratch in
                        unsafe closs_confusion(
                            &spec, batch, matrix.baseAddress, matrix.count, scratch.baseAddress, scratch.count, error)
                    }
                }
            }
        }
        return ConfusionMatrix(
            samples: shape.samples, classes: shape.classes, values: matrix,
            counts: classCounts(matrix, samples: shape.samples, classes: shape.classes))
    }
}

/// Each class against the others, from matrices that C has made.
private func classCounts(_ matrix: [Int64], samples: Int, classes: Int) -> [ConfusionCounts] {
    var counts = [closs_counts](repeating: closs_counts(), count: samples * classes)
    let status = unsafe matrix.withUnsafeBufferPointer { matrix in
        unsafe counts.withUnsafeMutableBufferPointer { counts in
            unsafe closs_confusion_counts(
                Int64(samples), Int64(classes), matrix.baseAddress, matrix.count, counts.baseAddress, counts.count, nil)
        }
    }
    precondition(status == CLOSS_OK, "counts of a counted matrix")
    return counts.map(ConfusionCounts.init)
}

// MARK: - Thresholds

extension ThresholdCounter {
    func makeScratch() throws(LossError) -> [UInt8] {
        try checkExtents(shape)
        let bytes = unsafe withSpec { spec in unsafe closs_threshold_scratch_bytes(spec) }
        return try unsafe SegLoss.makeScratch(bytes: bytes) { error in
            unsafe withSpec { spec in unsafe closs_threshold_counts(spec, nil, nil, 0, nil, 0, error) }
        }
    }

    private func withSpec<Result>(_ body: (UnsafePointer<closs_threshold_spec>) -> Result) -> Result {
        unsafe thresholds.withUnsafeBufferPointer { thresholds in
            var spec = unsafe closs_threshold_spec()
            unsafe spec.shape = shape.inC
            unsafe spec.activation = activation.code
            unsafe spec.thresholds = thresholds.baseAddress ?? UnsafePointer(bitPattern: 64)!
            unsafe spec.threshold_count = Int32(clamping: thresholds.count)
            unsafe spec.has_ignore_index = options.ignoreIndex == nil ? 0 : 1
            unsafe spec.ignore_index = Int64(options.ignoreIndex ?? 0)
            unsafe spec.threads = Int32(clamping: options.threads)
            unsafe spec.isa = options.instructionSet.code
            return unsafe withUnsafePointer(to: spec) { spec in unsafe body(spec) }
        }
    }

    @inline(never)
    mutating func countInC<Z: Logit, T: BitwiseCopyable>(
        _ predictions: Span<Z>, _ targets: Span<T>, _ format: TargetFormat, _ mask: Span<UInt8>?
    ) throws(LossError) -> ThresholdCounts {
        var memory = scratch
        scratch = []
        defer { scratch = memory }
        var counts = [closs_counts](
            repeating: closs_counts(), count: shape.samples * shape.classes * thresholds.count)
        try unsafe refusing { error in
            unsafe withSpec { spec in
                unsafe withMetricBatch(predictions, .logits(Z.logitFormat), targets, format, mask) { batch in
                    unsafe counts.withUnsafeMutableBufferPointer { counts in
                        unsafe memory.withUnsafeMutableBytes { memory in
                            unsafe closs_threshold_counts(
                                spec, batch, counts.baseAddress, counts.count, memory.baseAddress, memory.count, error)
                        }
                    }
                }
            }
        }
        return ThresholdCounts(
            samples: shape.samples, channels: shape.classes, thresholds: thresholds,
            counts: counts.map(ConfusionCounts.init))
    }
}

// MARK: - Scores

extension ConfusionCounts {
    init(_ counts: closs_counts) {
        self.init(
            truePositives: counts.true_positives, falsePositives: counts.false_positives,
            falseNegatives: counts.false_negatives, trueNegatives: counts.true_negatives)
    }

    fileprivate var inC: closs_counts {
        closs_counts(
            true_positives: truePositives, false_positives: falsePositives, false_negatives: falseNegatives,
            true_negatives: trueNegatives)
    }

    func scoreInC(_ kind: Score, _ empty: EmptyScore) -> Double {
        var counts = inC
        return unsafe closs_score(&counts, kind.code, empty.code)
    }
}

/// The scores at each threshold, and their mean. The counts are those of a batch, so that nothing is refused.
func scoresInC(
    _ counts: [ConfusionCounts], samples: Int, classes: Int, thresholds: Int, _ kind: Score, _ average: Average,
    _ empty: EmptyScore, _ includesBackground: Bool
) -> (values: [Double], mean: Double) {
    var spec = closs_score_spec()
    spec.samples = Int64(samples)
    spec.classes = Int64(classes)
    spec.thresholds = Int32(thresholds)
    spec.kind = kind.code
    spec.average = average.code
    spec.empty = empty.code
    spec.first_class = includesBackground || classes == 1 ? 0 : 1
    var values = [Double](repeating: 0, count: thresholds)
    var mean = 0.0
    let all = counts.map(\.inC)
    let status = unsafe all.withUnsafeBufferPointer { all in
        unsafe values.withUnsafeMutableBufferPointer { values in
            unsafe closs_scores(&spec, all.baseAddress, all.count, values.baseAddress, values.count, &mean, nil)
        }
    }
    precondition(status == CLOSS_OK, "scores of counts that were counted")
    return (values, mean)
}

// MARK: - Surfaces

extension SurfaceMetric {
    func makeScratch() throws(LossError) -> [UInt8] {
        try shape.checkMeasured(classes, spacing)
        let bytes = unsafe withSpec { spec in unsafe closs_surface_scratch_bytes(spec) }
        return try unsafe SegLoss.makeScratch(bytes: bytes) { error in
            unsafe withSpec { spec in unsafe closs_surface(spec, nil, nil, 0, nil, 0, error) }
        }
    }

    private func withSpec<Result>(_ body: (UnsafePointer<closs_surface_spec>) -> Result) -> Result {
        let missing = 3 - shape.extents.count
        let extents = Array(repeating: 1, count: missing) + shape.extents
        let lengths = Array(repeating: 1, count: missing) + spacing
        let labels = classes.map(Int64.init)
        return unsafe labels.withUnsafeBufferPointer { labels in
            var spec = unsafe closs_surface_spec()
            unsafe spec.samples = Int64(shape.samples)
            unsafe spec.extents = closs_extents(
                planes: Int64(extents[0]), rows: Int64(extents[1]), columns: Int64(extents[2]))
            unsafe spec.spacing = (lengths[0], lengths[1], lengths[2])
            unsafe spec.classes = labels.baseAddress
            unsafe spec.class_count = Int32(clamping: labels.count)
            unsafe spec.percentile = percentile
            unsafe spec.absent = absent.code
            unsafe spec.has_ignore_index = options.ignoreIndex == nil ? 0 : 1
            unsafe spec.ignore_index = Int64(options.ignoreIndex ?? 0)
            unsafe spec.threads = Int32(clamping: options.threads)
            unsafe spec.isa = options.instructionSet.code
            return unsafe withUnsafePointer(to: spec) { spec in unsafe body(spec) }
        }
    }

    @inline(never)
    mutating func distancesInC<P: Label, L: Label>(
        _ predictions: Span<P>, _ labels: Span<L>, _ mask: Span<UInt8>?
    ) throws(LossError) -> SurfaceDistances {
        var memory = scratch
        scratch = []
        defer { scratch = memory }
        var distances = [closs_surface_distances](
            repeating: closs_surface_distances(), count: shape.samples * shape.classes)
        try unsafe refusing { error in
            unsafe withSpec { spec in
                unsafe withMetricBatch(
                    predictions, .labels(P.labelFormat), labels, .labels(L.labelFormat), mask
                ) { batch in
                    unsafe distances.withUnsafeMutableBufferPointer { distances in
                        unsafe memory.withUnsafeMutableBytes { memory in
                            unsafe closs_surface(
                                spec, batch, distances.baseAddress, distances.count, memory.baseAddress, memory.count,
                                error)
                        }
                    }
                }
            }
        }
        return SurfaceDistances(
            samples: shape.samples, classes: classes, values: distances.map(SurfaceDistances.Distances.init))
    }
}

extension SurfaceDistances.Distances {
    fileprivate init(_ d: closs_surface_distances) {
        self.init(
            predictedVoxels: Int(d.predicted_voxels), targetVoxels: Int(d.target_voxels), hausdorff: d.hausdorff,
            hausdorffPercentile: d.hausdorff_percentile, pooledPercentile: d.pooled_percentile, average: d.average,
            toTarget: SurfaceDistances.Directed(
                maximum: d.maximum_to_target, percentile: d.percentile_to_target, average: d.average_to_target),
            toPredicted: SurfaceDistances.Directed(
                maximum: d.maximum_to_predicted, percentile: d.percentile_to_predicted,
                average: d.average_to_predicted))
    }
}

// MARK: - Codes

extension Score {
    fileprivate var code: closs_score_kind {
        switch self {
        case .dice: CLOSS_SCORE_DICE
        case .iou: CLOSS_SCORE_IOU
        case .precision: CLOSS_SCORE_PRECISION
        case .recall: CLOSS_SCORE_RECALL
        case .specificity: CLOSS_SCORE_SPECIFICITY
        case .accuracy: CLOSS_SCORE_ACCURACY
        case .backgroundIoU: CLOSS_SCORE_BACKGROUND_IOU
        case .twoClassIoU: CLOSS_SCORE_TWO_CLASS_IOU
        }
    }
}

extension EmptyScore {
    fileprivate var code: closs_empty {
        switch self {
        case .excluded: CLOSS_EMPTY_EXCLUDED
        case .one: CLOSS_EMPTY_ONE
        case .zero: CLOSS_EMPTY_ZERO
        case .targetExcluded: CLOSS_EMPTY_TARGET_EXCLUDED
        case .absentExcluded: CLOSS_EMPTY_ABSENT_EXCLUDED
        }
    }
}

extension Average {
    fileprivate var code: closs_average {
        switch self {
        case .macro: CLOSS_AVERAGE_MACRO
        case .micro: CLOSS_AVERAGE_MICRO
        case .macroPerSample: CLOSS_AVERAGE_MACRO_PER_SAMPLE
        case .microPerSample: CLOSS_AVERAGE_MICRO_PER_SAMPLE
        }
    }
}

extension SurfaceAbsent {
    fileprivate var code: closs_surface_absent {
        switch self {
        case .infinite: CLOSS_SURFACE_INFINITE
        case .diagonal: CLOSS_SURFACE_DIAGONAL
        case .excluded: CLOSS_SURFACE_EXCLUDED
        }
    }
}
