import CLossKernels

/// A good call of the C library, to be spoiled by a test: small buffers of its own, all of them between guards, and the
/// structs that point to them. Made for what the facade cannot express.
final class RawCall {
    let plan: OpaquePointer
    let shape: closs_shape
    var batch = closs_batch()
    var gradient = closs_gradient_buffer()
    var result = closs_result()
    var totals: UnsafeMutablePointer<Int64>?
    var totalsCount: Int
    var coefficients: UnsafeMutablePointer<Int64>?
    var coefficientsCount: Int
    var scratch: UnsafeMutableRawPointer?
    var scratchBytes: Int

    private var blocks: [UnsafeMutableRawBufferPointer] = []

    /// The batch's logits and the gradient's values, which are floats here.
    var logits: UnsafePointer<Float>? {
        get { batch.logits.map { $0.assumingMemoryBound(to: Float.self) } }
        set { batch.logits = UnsafeRawPointer(newValue) }
    }
    var gradientValues: UnsafeMutablePointer<Float>? {
        get { gradient.values.map { $0.assumingMemoryBound(to: Float.self) } }
        set { gradient.values = UnsafeMutableRawPointer(newValue) }
    }

    struct Answer {
        var status: closs_status
        /// As the error struct says it.
        var errorStatus: closs_status
        var index: Int64
        var message: String
        /// No byte of the caller's buffers (scratch apart) is other than before.
        var isUntouched: Bool
    }

    /// Logits 0.25 apart, labels in turn, of this shape; masks and weights are not given.
    init(_ spec: closs_spec, target: closs_target = CLOSS_LABELS_U8) {
        var spec = spec
        var created: OpaquePointer?
        let status = closs_plan_create(&spec, &created, nil)
        precondition(status == CLOSS_OK, "the call is not good: \(status)")
        plan = created!
        shape = spec.shape
        totalsCount = closs_totals_count(plan)
        coefficientsCount = closs_coefficients_count(plan)
        scratchBytes = closs_scratch_bytes(plan)
        let voxels = Int(shape.samples * shape.voxels)
        let values = voxels * Int(shape.classes)

        let logits = block(Float.self, values) { Float($0 % 7) * 0.125 }
        batch.logits = UnsafeRawPointer(logits)
        batch.logits_count = values
        batch.target = target
        if target == CLOSS_DENSE_F32 {
            batch.targets = UnsafeRawPointer(block(Float.self, values) { Float($0 % 2) })
            batch.targets_count = values
        } else {
            batch.targets = UnsafeRawPointer(block(UInt8.self, voxels) { UInt8($0 % max(2, Int(shape.classes))) })
            batch.targets_count = voxels
        }
        gradient.values = UnsafeMutableRawPointer(block(Float.self, values) { 0.5 + Float($0) })
        gradient.count = values
        gradient.write = CLOSS_OVERWRITE
        gradient.scale = 1
        totals = block(Int64.self, totalsCount) { _ in 0 }
        coefficients = block(Int64.self, coefficientsCount) { _ in 0 }
        scratch = UnsafeMutableRawPointer(block(UInt8.self, scratchBytes) { _ in 0xEE })
        blocks.removeLast()  // scratch is the library's to overwrite
        result.value = 12.5
        result.terms = block(Double.self, spec.term_count) { _ in -3 }
        result.terms_count = spec.term_count
        result.per_class_count = spec.term_count * Int(shape.classes)
        result.per_class = block(Double.self, result.per_class_count) { _ in -4 }
    }

    deinit {
        closs_plan_destroy(plan)
        for block in blocks { block.deallocate() }
    }

    /// Memory for `count` values with 64 bytes before them and much after them: a buffer that a test moves to the end
    /// of another reaches no third one.
    func block<Value>(_ type: Value.Type, _ count: Int, _ value: (Int) -> Value) -> UnsafeMutablePointer<Value> {
        let bytes = UnsafeMutableRawBufferPointer.allocate(
            byteCount: count * MemoryLayout<Value>.stride + 8192, alignment: 64)
        bytes.initializeMemory(as: UInt8.self, repeating: 0xA5)
        blocks.append(bytes)
        let values = (bytes.baseAddress! + 64).bindMemory(to: type, capacity: count)
        for i in 0..<count { values[i] = value(i) }
        return values
    }

    /// Writes a mask, or weights, of 1 into the batch.
    func addMask() {
        batch.mask_count = Int(shape.samples * shape.voxels)
        batch.mask = UnsafePointer(block(UInt8.self, batch.mask_count) { _ in 1 })
    }

    func addWeights() {
        batch.weights_count = Int(shape.samples * shape.voxels)
        batch.weights = UnsafePointer(block(Float.self, batch.weights_count) { _ in 1 })
    }

    // MARK: Verbs

    enum Verb: CaseIterable { case value, evaluate, accumulate, finish, gradient, merge }

    func call(_ verb: Verb) -> Answer {
        switch verb {
        case .value: evaluate(withGradient: false)
        case .evaluate: evaluate()
        case .accumulate: accumulate()
        case .finish: finish()
        case .gradient: gradientOfPart()
        case .merge: merge()
        }
    }

    func evaluate(withGradient: Bool = true) -> Answer {
        watched { error in
            withGradient
                ? closs_evaluate(plan, &batch, &gradient, &result, scratch, scratchBytes, error)
                : closs_evaluate(plan, &batch, nil, &result, scratch, scratchBytes, error)
        }
    }

    func accumulate(stage: Int32 = 0) -> Answer {
        watched { closs_accumulate(plan, stage, &batch, totals, totalsCount, scratch, scratchBytes, $0) }
    }

    func finish() -> Answer {
        watched { closs_finish(plan, totals, totalsCount, &result, coefficients, coefficientsCount, $0) }
    }

    func gradientOfPart() -> Answer {
        watched {
            closs_gradient(plan, coefficients, coefficientsCount, &batch, &gradient, scratch, scratchBytes, $0)
        }
    }

    func merge(stage: Int32 = 0, from: UnsafePointer<Int64>? = nil, count: Int? = nil) -> Answer {
        let other = block(Int64.self, totalsCount) { _ in 1 }
        return watched {
            closs_merge(plan, stage, totals, totalsCount, from ?? UnsafePointer(other), count ?? totalsCount, $0)
        }
    }

    /// Makes a call and looks at every block, and at the result's value, afterwards.
    func watched(_ call: (UnsafeMutablePointer<closs_error>?) -> closs_status) -> Answer {
        let before = blocks.map { Array($0) }
        let value = result.value
        var error = closs_error()
        error.index = -77
        let status = call(&error)
        let isUntouched = zip(before, blocks).allSatisfy { sameBits($0, Array($1)) } && result.value == value
        let message = withUnsafeBytes(of: error.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        return Answer(
            status: status, errorStatus: error.status, index: error.index, message: message, isUntouched: isUntouched)
    }
}

// MARK: - Specs

/// Terms that live as long as the process: specs point to them, and tests make few.
func rawTerms(_ terms: [closs_term]) -> UnsafePointer<closs_term> {
    let memory = UnsafeMutablePointer<closs_term>.allocate(capacity: max(terms.count, 1))
    memory.initialize(from: terms, count: terms.count)
    return UnsafePointer(memory)
}

extension closs_spec {
    init(
        _ activation: closs_activation, samples: Int64 = 2, classes: Int64 = 3, voxels: Int64 = 70,
        _ terms: [closs_term]
    ) {
        self.init()
        shape = closs_shape(samples: samples, classes: classes, voxels: voxels)
        self.activation = activation
        self.terms = rawTerms(terms)
        term_count = terms.count
        threads = 1
    }
}

extension closs_term {
    static func crossEntropy(_ change: (inout closs_cross_entropy) -> Void = { _ in }) -> closs_term {
        var term = closs_term()
        term.kind = CLOSS_CROSS_ENTROPY
        term.weight = 1
        term.of.cross_entropy = closs_cross_entropy()
        change(&term.of.cross_entropy)
        return term
    }

    static func binary(_ change: (inout closs_binary_cross_entropy) -> Void = { _ in }) -> closs_term {
        var term = closs_term()
        term.kind = CLOSS_BINARY_CROSS_ENTROPY
        term.weight = 1
        term.of.binary_cross_entropy = closs_binary_cross_entropy()
        change(&term.of.binary_cross_entropy)
        return term
    }

    static func focal(_ change: (inout closs_focal) -> Void = { _ in }) -> closs_term {
        var term = closs_term()
        term.kind = CLOSS_FOCAL
        term.weight = 1
        term.of.focal = closs_focal()
        term.of.focal.gamma = 2
        change(&term.of.focal)
        return term
    }

    static func dice(_ change: (inout closs_region) -> Void = { _ in }) -> closs_term {
        var term = closs_term()
        term.kind = CLOSS_DICE
        term.weight = 1
        term.of.region = closs_region()
        change(&term.of.region)
        return term
    }

    static func balanced(
        _ change: (inout closs_balanced_binary_cross_entropy) -> Void = { _ in }
    ) -> closs_term {
        var term = closs_term()
        term.kind = CLOSS_BALANCED_BINARY_CROSS_ENTROPY
        term.weight = 1
        term.of.balanced_binary_cross_entropy = closs_balanced_binary_cross_entropy()
        term.of.balanced_binary_cross_entropy.negative_ratio = 3
        change(&term.of.balanced_binary_cross_entropy)
        return term
    }
}
