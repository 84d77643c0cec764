import SegLoss

/// Evaluates a kernel's formula, whichever call it is.
struct LossEvaluator {
    // One of the three: an enum's payload would be copied for each call, and its memory with it.
    private var terms: Evaluator?
    private var binarization: BinarizationEvaluator?
    private var maps: MapEvaluator?
    private let storage: Storage

    init(_ kernel: Kernel, _ batch: Batch, threads: Int, instructionSet: InstructionSet) throws {
        let shape = batch.shape.facade
        storage = kernel.storage
        switch kernel.formula {
        case .terms(let loss):
            terms = try Evaluator(
                loss, shape: shape, activation: kernel.activation,
                options: Options(
                    ignoreIndex: batch.ignoreIndex, threads: threads, instructionSet: instructionSet,
                    checks: kernel.checks))
        case .binarization(let loss):
            batch.text.prepare()
            binarization = try BinarizationEvaluator(
                loss, shape: shape, activation: kernel.activation,
                options: Options(threads: threads, instructionSet: instructionSet))
        case .map(let maker):
            maps = try MapEvaluator(maker, batch, threads: threads, instructionSet: instructionSet)
        }
    }

    /// Values of a map of labels.
    var mapCount: Int { maps!.count }

    /// Of a map of labels: its values, at the beginning of the buffer.
    mutating func map(of batch: Batch, into buffer: Buffer<Float>) throws {
        try maps!.write(batch, into: buffer)
    }

    mutating func value(of batch: Batch) throws -> Double {
        if let value = try binarization?.value(of: batch) { return value }
        return try terms!.value(of: batch, storage)
    }

    mutating func value(of batch: Batch, gradient: Buffer<Float>) throws -> Double {
        if let value = try binarization?.value(of: batch, gradient: gradient) { return value }
        return try terms!.value(of: batch, gradient: gradient, storage)
    }

    /// Of a loss of terms.
    mutating func lossMap(of batch: Batch, into buffer: Buffer<Float>) throws {
        try terms!.lossMap(of: batch, into: buffer)
    }
}

extension BinarizationEvaluator {
    fileprivate mutating func value(of batch: Batch) throws -> Double {
        let text = batch.text
        return try value(batch.logits, batch.labels, text.mask, text.thresholdMap, text.thresholdMask)
    }

    fileprivate mutating func value(of batch: Batch, gradient: Buffer<Float>) throws -> Double {
        let text = batch.text
        return try value(batch.logits, batch.labels, text.mask, text.thresholdMap, text.thresholdMask, gradient)
    }

    // Not inlined: Swift 6.3.1's optimiser stops with an ownership error where spans are made beside other work.
    @inline(never)
    private mutating func value(
        _ head: Buffer<Float>, _ targets: Buffer<UInt8>, _ mask: Buffer<UInt8>, _ thresholdMap: Buffer<Float>,
        _ thresholdMask: Buffer<UInt8>
    ) throws -> Double {
        try evaluate(
            head: head.values.span, targets: targets.values.span, mask: mask.values.span,
            thresholdMap: thresholdMap.values.span, thresholdMask: thresholdMask.values.span
        ).value
    }

    @inline(never)
    private mutating func value(
        _ head: Buffer<Float>, _ targets: Buffer<UInt8>, _ mask: Buffer<UInt8>, _ thresholdMap: Buffer<Float>,
        _ thresholdMask: Buffer<UInt8>, _ gradient: Buffer<Float>
    ) throws -> Double {
        var span = gradient.values.mutableSpan
        return try evaluate(
            head: head.values.span, targets: targets.values.span, mask: mask.values.span,
            thresholdMap: thresholdMap.values.span, thresholdMask: thresholdMask.values.span, gradient: &span
        ).value
    }
}
