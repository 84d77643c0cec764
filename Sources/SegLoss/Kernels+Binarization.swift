// The calls into C for DBNet's loss.

internal import CLossKernels

/// A `closs_binarization`, freed with its last owner. Sendable because it never changes after its creation and every
/// call brings memory of its own.
@safe final class BinarizationPlan: @unchecked Sendable {
    private let pointer: OpaquePointer
    /// Elements of one channel of one sample, of one sample, and of the whole head.
    private let voxels: Int
    private let stride: Int
    private let count: Int

    init(
        _ loss: BinarizationLoss, shape: Shape, activation: Activation, options: Options
    ) throws(LossError) {
        // The C library sees neither the extents nor the channels, so these are checked here.
        if let extent = shape.extents.first(where: { $0 < 1 }) {
            throw LossError(kind: .badShape, message: "an extent is \(extent); expected 1 or more in \(shape.extents)")
        }
        guard (1...Int(CLOSS_MAX_CLASSES)).contains(shape.classes) else {
            throw LossError(
                kind: .badShape,
                message: "the head has \(shape.classes) channels; expected 1 to \(CLOSS_MAX_CLASSES)")
        }
        guard options.ignoreIndex == nil else {
            throw LossError(
                kind: .badOption, message: "ignoreIndex is set; expected none: a mask leaves values out")
        }
        guard !options.perSample, !options.perClass else {
            let name = options.perSample ? "perSample" : "perClass"
            throw LossError(kind: .badOption, message: "\(name) is set; expected false: this loss has parts of its own")
        }
        let (stride, isTooLong) = shape.voxels.multipliedReportingOverflow(by: shape.classes)
        let (count, isTooLarge) = stride.multipliedReportingOverflow(by: shape.samples)
        guard !isTooLong, !isTooLarge else {
            throw LossError(kind: .badShape, message: "the shape \(shape) has more values than any memory")
        }
        (voxels, self.stride, self.count) = (shape.voxels, stride, count)

        var spec = closs_binarization_spec(loss, shape: shape)
        spec.activation = activation.code
        spec.threads = Int32(clamping: options.threads)
        spec.isa = options.instructionSet.code
        var created: OpaquePointer?
        try unsafe refusing { error in
            unsafe closs_binarization_create(&spec, &created, error)
        }
        guard let pointer = unsafe created else {
            preconditionFailure("closs_binarization_create made nothing and no error")
        }
        unsafe self.pointer = unsafe pointer
    }

    deinit {
        unsafe closs_binarization_destroy(pointer)
    }

    /// Memory for calls.
    func makeScratch() throws(LossError) -> [UInt8] {
        try unsafe SegLoss.makeScratch(bytes: closs_binarization_scratch_bytes(pointer))
    }
}

// MARK: - Calls

extension BinarizationPlan {
    /// The value, the maps being the first channels of one head.
    func evaluate<T: DenseTarget>(
        head: Span<Float>, targets: Span<T>, mask: Span<UInt8>?, thresholdMap: Span<Float>, thresholdMask: Span<UInt8>?,
        scratch: inout [UInt8]
    ) throws(LossError) -> BinarizationEvaluation {
        try check(head.count, "head")
        var result = closs_binarization_result()
        try unsafe refusing { error in
            unsafe withKnown(targets, mask, thresholdMap, thresholdMask) { batch in
                unsafe head.withUnsafeBufferPointer { head in
                    unsafe (batch.map, batch.threshold) = channels(head)
                    return unsafe evaluate(&batch, nil, &result, &scratch, error)
                }
            }
        }
        return BinarizationEvaluation(result)
    }

    /// The value and the gradients, the maps and the gradients each being the first channels of one head.
    func evaluate<T: DenseTarget>(
        head: Span<Float>, targets: Span<T>, mask: Span<UInt8>?, thresholdMap: Span<Float>, thresholdMask: Span<UInt8>?,
        gradient: inout MutableSpan<Float>, write: Write, scratch: inout [UInt8]
    ) throws(LossError) -> BinarizationEvaluation {
        try check(head.count, "head")
        try check(gradient.count, "gradient")
        var result = closs_binarization_result()
        try unsafe refusing { error in
            unsafe withKnown(targets, mask, thresholdMap, thresholdMask) { batch in
                unsafe head.withUnsafeBufferPointer { head in
                    unsafe gradient.withUnsafeMutableBufferPointer { gradient in
                        unsafe (batch.map, batch.threshold) = channels(head)
                        let (map, threshold) = unsafe channels(UnsafeBufferPointer(gradient))
                        var into = unsafe closs_binarization_gradient(
                            map: closs_map_gradient(map), threshold: closs_map_gradient(threshold),
                            write: write.mode.code, scale: write.scale)
                        return unsafe evaluate(&batch, &into, &result, &scratch, error)
                    }
                }
            }
        }
        return BinarizationEvaluation(result)
    }

    /// The value, the maps being apart.
    func evaluate<T: DenseTarget>(
        map: Span<Float>, threshold: Span<Float>, stride: Int,
        targets: Span<T>, mask: Span<UInt8>?, thresholdMap: Span<Float>, thresholdMask: Span<UInt8>?,
        scratch: inout [UInt8]
    ) throws(LossError) -> BinarizationEvaluation {
        var result = closs_binarization_result()
        try unsafe refusing { error in
            unsafe withKnown(targets, mask, thresholdMap, thresholdMask) { batch in
                unsafe withMaps(map, threshold, stride, &batch) { batch in
                    unsafe evaluate(batch, nil, &result, &scratch, error)
                }
            }
        }
        return BinarizationEvaluation(result)
    }

    /// The value and the gradients, all maps being apart.
    func evaluate<T: DenseTarget>(
        map: Span<Float>, threshold: Span<Float>, stride: Int,
        targets: Span<T>, mask: Span<UInt8>?, thresholdMap: Span<Float>, thresholdMask: Span<UInt8>?,
        mapGradient: inout MutableSpan<Float>, thresholdGradient: inout MutableSpan<Float>, gradientStride: Int,
        write: Write, scratch: inout [UInt8]
    ) throws(LossError) -> BinarizationEvaluation {
        var result = closs_binarization_result()
        try unsafe refusing { error in
            unsafe withKnown(targets, mask, thresholdMap, thresholdMask) { batch in
                unsafe withMaps(map, threshold, stride, &batch) { batch in
                    unsafe mapGradient.withUnsafeMutableBufferPointer { map in
                        unsafe thresholdGradient.withUnsafeMutableBufferPointer { threshold in
                            var into = unsafe closs_binarization_gradient(
                                map: closs_map_gradient(closs_map(UnsafeBufferPointer(map), gradientStride)),
                                threshold: closs_map_gradient(
                                    closs_map(UnsafeBufferPointer(threshold), gradientStride)),
                                write: write.mode.code, scale: write.scale)
                            return unsafe evaluate(batch, &into, &result, &scratch, error)
                        }
                    }
                }
            }
        }
        return BinarizationEvaluation(result)
    }

    private func evaluate(
        _ batch: UnsafePointer<closs_binarization_batch>, _ gradient: UnsafePointer<closs_binarization_gradient>?,
        _ result: inout closs_binarization_result, _ scratch: inout [UInt8], _ error: UnsafeMutablePointer<closs_error>
    ) -> closs_status {
        unsafe scratch.withUnsafeMutableBytes { scratch in
            unsafe closs_binarization_evaluate(
                pointer, batch, gradient, &result, scratch.baseAddress, scratch.count, error)
        }
    }

    /// A head is a whole number of channels, which C does not see.
    private func check(_ elements: Int, _ name: String) throws(LossError) {
        guard stride > voxels else {
            throw LossError(
                kind: .badShape, message: "the shape has 1 channel; expected 2 at least where the maps are in one head")
        }
        guard elements == count else {
            throw LossError(kind: .wrongSize, message: "\(name) has \(elements) elements; expected \(count)")
        }
    }

    /// The first two channels of a head that was checked.
    private func channels(_ head: UnsafeBufferPointer<Float>) -> (closs_map, closs_map) {
        let start = unsafe head.start
        return unsafe (
            closs_map(values: start, count: head.count, stride: Int64(stride)),
            closs_map(values: start + voxels, count: head.count - voxels, stride: Int64(stride))
        )
    }
}

// MARK: - From Swift's memory to C's

/// Runs `body` with a batch that holds all but the maps.
private func withKnown<T: DenseTarget>(
    _ targets: Span<T>, _ mask: Span<UInt8>?, _ thresholdMap: Span<Float>, _ thresholdMask: Span<UInt8>?,
    _ body: (inout closs_binarization_batch) -> closs_status
) -> closs_status {
    unsafe targets.withUnsafeBufferPointer { targets in
        unsafe thresholdMap.withUnsafeBufferPointer { thresholdMap in
            unsafe withPointer(mask) { mask in
                unsafe withPointer(thresholdMask) { thresholdMask in
                    var batch = unsafe closs_binarization_batch()
                    unsafe batch.target = TargetFormat.dense(T.denseFormat).code
                    unsafe batch.targets = UnsafeRawPointer(targets.start)
                    unsafe batch.targets_count = targets.count
                    unsafe batch.mask = mask?.start
                    unsafe batch.mask_count = mask?.count ?? 0
                    unsafe batch.threshold_map = thresholdMap.start
                    unsafe batch.threshold_map_count = thresholdMap.count
                    unsafe batch.threshold_mask = thresholdMask?.start
                    unsafe batch.threshold_mask_count = thresholdMask?.count ?? 0
                    return unsafe body(&batch)
                }
            }
        }
    }
}

/// Runs `body` with a batch that has both maps too.
private func withMaps(
    _ map: Span<Float>, _ threshold: Span<Float>, _ stride: Int, _ batch: inout closs_binarization_batch,
    _ body: (UnsafePointer<closs_binarization_batch>) -> closs_status
) -> closs_status {
    unsafe map.withUnsafeBufferPointer { map in
        unsafe threshold.withUnsafeBufferPointer { threshold in
            unsafe batch.map = closs_map(map, stride)
            unsafe batch.threshold = closs_map(threshold, stride)
            return unsafe body(&batch)
        }
    }
}

extension closs_map {
    fileprivate init(_ values: UnsafeBufferPointer<Float>, _ stride: Int) {
        unsafe self.init(values: values.start, count: values.count, stride: Int64(stride))
    }
}

extension closs_map_gradient {
    /// Of a map that was made of mutable memory.
    fileprivate init(_ map: closs_map) {
        unsafe self.init(values: UnsafeMutablePointer(mutating: map.values), count: map.count, stride: map.stride)
    }
}

extension closs_binarization_spec {
    fileprivate init(_ loss: BinarizationLoss, shape: Shape) {
        self.init()
        samples = Int64(shape.samples)
        voxels = Int64(shape.voxels)
        map_weight = loss.weights.map
        threshold_weight = loss.weights.threshold
        binary_weight = loss.weights.binary
        steepness = loss.steepness
        dice_epsilon = loss.diceEpsilon
        smooth_l1_beta = loss.smoothL1Beta
        switch loss.main {
        case .balanced(let ratio, let minimum, let fallback, let epsilon):
            main = CLOSS_BINARIZATION_BALANCED
            negative_ratio = ratio
            minimum_negatives = Int64(minimum)
            fallback_negatives = Int64(fallback)
            balance_epsilon = epsilon
        case .dice: main = CLOSS_BINARIZATION_DICE
        }
    }
}

extension BinarizationEvaluation {
    fileprivate init(_ result: closs_binarization_result) {
        self.init(value: result.value, main: result.main, l1: result.l1, dice: result.dice)
    }
}
