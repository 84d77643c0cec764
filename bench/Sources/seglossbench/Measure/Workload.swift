import SegLoss

/// A kernel with a shape, an instruction set and a number of threads.
struct Configuration {
    var kernel: Kernel
    var threads: Int
    var instructionSet: InstructionSet

    func evaluator(for batch: Batch) throws -> LossEvaluator {
        try LossEvaluator(kernel, batch, threads: threads, instructionSet: instructionSet)
    }
}

extension Evaluator {
    /// A linear term takes maps, and a balanced L1 term.
    fileprivate func maps(of batch: Batch) -> Buffer<Float>? {
        let takesMaps = loss.terms.contains {
            switch $0.term {
            case .linear, .balancedL1: true
            default: false
            }
        }
        return takesMaps ? batch.maps.buffer : nil
    }

    mutating func value(of batch: Batch) throws -> Double {
        if let maps = maps(of: batch) { return try value(of: batch, maps: maps) }
        return try valueWithoutMaps(of: batch)
    }

    // Not inlined, like those below: Swift 6.3.1's optimiser stops with an ownership error.
    @inline(never)
    private mutating func value(of batch: Batch, maps: Buffer<Float>) throws -> Double {
        try evaluate(
            logits: batch.logits.values.span, labels: batch.labels.values.span, maps: maps.values.span
        ).value
    }

    @inline(never)
    private mutating func valueWithoutMaps(of batch: Batch) throws -> Double {
        try evaluate(logits: batch.logits.values.span, labels: batch.labels.values.span).value
    }

    mutating func value(of batch: Batch, gradient: Buffer<Float>) throws -> Double {
        if let maps = maps(of: batch) { return try value(of: batch, maps: maps, gradient: gradient) }
        return try valueWithoutMaps(of: batch, gradient: gradient)
    }

    @inline(never)
    private mutating func value(of batch: Batch, maps: Buffer<Float>, gradient: Buffer<Float>) throws -> Double {
        var span = gradient.values.mutableSpan
        return try evaluate(
            logits: batch.logits.values.span, labels: batch.labels.values.span, maps: maps.values.span, gradient: &span
        ).value
    }

    // Not inlined: Swift 6.3.1's optimiser stops with an ownership error where a mutable span is made beside a loop.
    @inline(never)
    private mutating func valueWithoutMaps(of batch: Batch, gradient: Buffer<Float>) throws -> Double {
        var span = gradient.values.mutableSpan
        return try evaluate(
            logits: batch.logits.values.span, labels: batch.labels.values.span, gradient: &span
        ).value
    }
}

extension Evaluator {
    /// Values of a map of one loss for each voxel, at the beginning of a buffer.
    @inline(never)
    mutating func lossMap(of batch: Batch, into buffer: Buffer<Float>) throws {
        var map = UnsafeMutableBufferPointer(rebasing: buffer.values[..<batch.shape.voxels]).mutableSpan
        try lossMap(logits: batch.logits.values.span, labels: batch.labels.values.span, into: &map)
    }
}

/// Batches of one content and gradients to write to, used in turn.
///
/// A batch that fits the cache would be found there again by the next call, as it is not in training, where a network
/// runs in between: from 1 MiB on there are as many copies as it takes to leave the cache. Smaller ones are timed where
/// they are, in the cache: they show what a call costs.
struct Rotation {
    let batches: [Batch]
    let gradients: [Buffer<Float>]

    init(_ batch: Batch, cacheBytes: Int) {
        let bytes = batch.shape.values * 8 + batch.shape.voxels
        let leavesCache = 4 * cacheBytes
        let copies = bytes < 1 << 20 ? 1 : max(1, (leavesCache + bytes - 1) / bytes)
        batches = [batch] + (1..<copies).map { _ in batch.copy() }
        gradients = (0..<copies).map { _ in Buffer(count: batch.shape.values) }
    }
}

/// One configuration, ready to be called again and again. A call allocates nothing.
struct Workload {
    private var evaluator: LossEvaluator
    private let rotation: Rotation
    private var turn = 0
    private(set) var value = 0.0

    init(_ configuration: Configuration, _ rotation: Rotation) throws {
        evaluator = try configuration.evaluator(for: rotation.batches[0])
        if case .binarization = configuration.kernel.formula { rotation.batches.forEach { $0.text.prepare() } }
        if case .map(.cells) = configuration.kernel.formula { rotation.batches.forEach { _ = $0.cells.buffer } }
        self.rotation = rotation
        for batch in rotation.batches { batch.stored.prepare(configuration.kernel.storage) }
    }

    mutating func run(_ pass: Pass) throws {
        let batch = rotation.batches[turn]
        let gradient = rotation.gradients[turn]
        turn = (turn + 1) % rotation.batches.count
        switch pass {
        case .forward: value = try evaluator.value(of: batch)
        case .gradient: value = try evaluator.value(of: batch, gradient: gradient)
        case .lossMap: try evaluator.lossMap(of: batch, into: gradient)
        case .map: try evaluator.map(of: batch, into: gradient)
        }
    }

    /// What tells one map of labels from another.
    mutating func meanSquareOfMap() throws -> Double {
        turn = 0
        try run(.map)
        let map = rotation.gradients[0].values[..<evaluator.mapCount]
        return map.reduce(0) { $0 + Double($1) * Double($1) } / Double(map.count)
    }

    /// What a call comes to, to the last bit. A call of its own: on a slow machine the timed ones may be fewer than
    /// there are gradients, some of which would then be another kernel's.
    mutating func fingerprint(_ pass: Pass) throws -> Fingerprint {
        rotation.gradients[0].values.update(repeating: .nan)
        turn = 0
        try run(pass)
        return Fingerprint(value: value.bitPattern, gradient: rotation.gradients[0].digest)
    }
}

/// The bits of a value and of a gradient.
struct Fingerprint: Equatable {
    let value: UInt64
    let gradient: UInt64
}
