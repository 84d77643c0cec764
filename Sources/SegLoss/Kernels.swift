// Every call into C and every unsafe line of the module is in this file. Nothing here computes: spans become pointers
// for the length of one call, options become the C library's structs, and its refusals become `LossError`.
// What C is given without its extent, and so could not refuse itself, is checked here: the comments say where.

internal import CLossKernels

// MARK: - Plan

/// A `closs_plan`, freed with its last owner. Sendable because a plan never changes after its creation and every call
/// brings memory of its own (closs.h, THREADS).
@safe final class Plan: @unchecked Sendable {
    private let pointer: OpaquePointer
    /// The plan itself.
    var handle: OpaquePointer { unsafe pointer }
    /// How often a batch must be accumulated.
    let stageCount: Int
    /// Words of the plan's totals.
    let totalsCount: Int
    private let termCount: Int
    private let classes: Int
    /// Samples that results have a value of: all, or none.
    let valuedSamples: Int
    private let purpose: Purpose

    /// What the words of totals depend on.
    private struct Purpose: Equatable {
        let loss: Loss
        let shape: Shape
        let activation: Activation
        let ignoreIndex: Int?
        let perSample: Bool
        let perClass: Bool
    }

    init(_ loss: Loss, shape: Shape, activation: Activation, options: Options) throws(LossError) {
        // The C library sees the product of the extents only, so these are checked here.
        if let extent = shape.extents.first(where: { $0 < 1 }) {
            throw LossError(kind: .badShape, message: "an extent is \(extent); expected 1 or more in \(shape.extents)")
        }

        try loss.checkDemands(shape, activation)
        try loss.checkNamedClasses(of: shape)
        try loss.checkDistances(of: shape)

        var created: OpaquePointer?
        try unsafe refusing { error in
            unsafe withSpec(loss, shape: shape, activation: activation, options: options) { spec in
                unsafe closs_plan_create(&spec, &created, error)
            }
        }
        guard let pointer = unsafe created else { preconditionFailure("closs_plan_create made no plan and no error") }
        unsafe self.pointer = unsafe pointer
        stageCount = unsafe Int(closs_stage_count(pointer))
        totalsCount = unsafe closs_totals_count(pointer)
        termCount = loss.terms.count
        classes = shape.classes
        valuedSamples = options.perSample ? shape.samples : 0
        purpose = Purpose(
            loss: loss,
            shape: loss.measuresDistances
                ? shape : .flat(samples: shape.samples, classes: shape.classes, voxels: shape.voxels),
            activation: activation, ignoreIndex: options.ignoreIndex, perSample: options.perSample,
            perClass: options.perClass)
    }

    deinit {
        unsafe closs_plan_destroy(pointer)
    }

    /// Throws unless the totals of the other plan are totals of this one: the words alone do not tell.
    func checkAgreement(with other: Plan) throws(LossError) {
        guard self !== other, purpose != other.purpose else { return }
        throw LossError(
            kind: .badTerm,
            message: "the totals are of another loss, shape, activation, ignored label, perSample or perClass than "
                + "the evaluator's")
    }

    /// The instruction set that the plan's calls use; never `best`.
    var instructionSet: InstructionSet {
        switch unsafe closs_plan_isa(pointer) {
        case CLOSS_ISA_AVX2: .avx2
        case CLOSS_ISA_AVX512: .avx512
        default: .generic
        }
    }

    /// The threads that the plan's calls use at most.
    var threads: Int { unsafe Int(closs_plan_threads(pointer)) }

    /// Memory for calls with the plan.
    func makeWorkspace() throws(LossError) -> Workspace {
        let numbers = termCount * (1 + classes + valuedSamples)
        let coefficients = unsafe closs_coefficients_count(pointer)
        try checkMemory(bytes: unsafe closs_scratch_bytes(pointer) &+ 8 * (numbers + coefficients))
        return try unsafe Workspace(
            scratch: makeScratch(bytes: closs_scratch_bytes(pointer)), numbers: Array(repeating: 0, count: numbers),
            coefficients: Array(repeating: 0, count: coefficients), termCount: termCount, classes: classes)
    }
}

/// The memory that calls with a plan write to, apart from the caller's. Arrays, so that whoever keeps results keeps
/// them unchanged, and copies of an evaluator never write to the same memory.
struct Workspace: Sendable {
    var scratch: [UInt8]
    /// The value of each term, then for each term its parts of each class, then, where they are wanted, its values of
    /// each sample.
    private(set) var numbers: [Double]
    private(set) var coefficients: [Int64]
    private let termCount, classes: Int

    fileprivate init(scratch: [UInt8], numbers: [Double], coefficients: [Int64], termCount: Int, classes: Int) {
        self.scratch = scratch
        self.numbers = numbers
        self.coefficients = coefficients
        self.termCount = termCount
        self.classes = classes
    }
}

// MARK: - Whole batches

extension Plan {
    /// The value of a whole batch.
    func evaluate<Target: BitwiseCopyable>(
        logits: Span<Float>, targets: Span<Target>, format: TargetFormat,
        mask: Span<UInt8>?, weights: Span<Float>?, maps: Span<Float>?,
        workspace: inout Workspace
    ) throws(LossError) -> Double {
        var value = 0.0
        try unsafe refusing { error in
            unsafe logits.withUnsafeBufferPointer { logits in
                unsafe withBatch(logits, targets, format, mask, weights, maps, .whole) { batch in
                    unsafe evaluate(batch, nil, &value, &workspace, error)
                }
            }
        }
        return value
    }

    /// The value of a whole batch, and its gradient in other memory than the logits'.
    func evaluate<Target: BitwiseCopyable>(
        logits: Span<Float>, targets: Span<Target>, format: TargetFormat,
        mask: Span<UInt8>?, weights: Span<Float>?, maps: Span<Float>?,
        gradient: inout MutableSpan<Float>, write: Write,
        workspace: inout Workspace
    ) throws(LossError) -> Double {
        var value = 0.0
        try unsafe refusing { error in
            unsafe logits.withUnsafeBufferPointer { logits in
                unsafe withBatch(logits, targets, format, mask, weights, maps, .whole) { batch in
                    unsafe gradient.withUnsafeMutableBufferPointer { gradient in
                        var buffer = unsafe closs_gradient_buffer(gradient, write)
                        return unsafe evaluate(batch, &buffer, &value, &workspace, error)
                    }
                }
            }
        }
        return value
    }

    /// The value of a whole batch, and its gradient in the place of its logits.
    func evaluateInPlace<Target: BitwiseCopyable>(
        logits: inout MutableSpan<Float>, targets: Span<Target>, format: TargetFormat,
        mask: Span<UInt8>?, weights: Span<Float>?, maps: Span<Float>?,
        scale: Float,
        workspace: inout Workspace
    ) throws(LossError) -> Double {
        var value = 0.0
        try unsafe refusing { error in
            unsafe logits.withUnsafeMutableBufferPointer { logits in
                unsafe withBatch(UnsafeBufferPointer(logits), targets, format, mask, weights, maps, .whole) { batch in
                    var buffer = unsafe closs_gradient_buffer(logits, .overwrite(scale: scale))
                    return unsafe evaluate(batch, &buffer, &value, &workspace, error)
                }
            }
        }
        return value
    }

    func evaluate(
        _ batch: UnsafePointer<closs_batch>, _ gradient: UnsafePointer<closs_gradient_buffer>?,
        _ value: inout Double, _ workspace: inout Workspace, _ error: UnsafeMutablePointer<closs_error>
    ) -> closs_status {
        var result = unsafe closs_result()
        let status = unsafe workspace.withMemory(&result) { result, scratch, _ in
            unsafe closs_evaluate(pointer, batch, gradient, result, scratch.baseAddress, scratch.count, error)
        }
        value = unsafe result.value
        return status
    }
}

// MARK: - Parts of a batch

extension Plan {
    /// Adds a part's sums to `totals`.
    func accumulate<Target: BitwiseCopyable>(
        logits: Span<Float>, targets: Span<Target>, format: TargetFormat,
        mask: Span<UInt8>?, weights: Span<Float>?, maps: Span<Float>?, part: Part,
        stage: Int, totals: inout [Int64],
        workspace: inout Workspace
    ) throws(LossError) {
        try part.check()
        try unsafe refusing { error in
            unsafe logits.withUnsafeBufferPointer { logits in
                unsafe withBatch(logits, targets, format, mask, weights, maps, part) { batch in
                    unsafe accumulate(batch, stage, &totals, &workspace, error)
                }
            }
        }
    }

    func accumulate(
        _ batch: UnsafePointer<closs_batch>, _ stage: Int, _ totals: inout [Int64], _ workspace: inout Workspace,
        _ error: UnsafeMutablePointer<closs_error>
    ) -> closs_status {
        unsafe totals.withUnsafeMutableBufferPointer { totals in
            unsafe workspace.scratch.withUnsafeMutableBytes { scratch in
                unsafe closs_accumulate(
                    pointer, Int32(clamping: stage), batch, totals.baseAddress, totals.count,
                    scratch.baseAddress, scratch.count, error)
            }
        }
    }

    /// The gradient of a part in other memory than the logits'.
    func gradient<Target: BitwiseCopyable>(
        logits: Span<Float>, targets: Span<Target>, format: TargetFormat,
        mask: Span<UInt8>?, weights: Span<Float>?, maps: Span<Float>?, part: Part,
        coefficients: [Int64],
        gradient: inout MutableSpan<Float>, write: Write,
        workspace: inout Workspace
    ) throws(LossError) {
        try part.check()
        try unsafe refusing { error in
            unsafe logits.withUnsafeBufferPointer { logits in
                unsafe withBatch(logits, targets, format, mask, weights, maps, part) { batch in
                    unsafe gradient.withUnsafeMutableBufferPointer { gradient in
                        var buffer = unsafe closs_gradient_buffer(gradient, write)
                        return unsafe self.gradient(batch, &buffer, coefficients, &workspace, error)
                    }
                }
            }
        }
    }

    /// The gradient of a part in the place of its logits.
    func gradientInPlace<Target: BitwiseCopyable>(
        logits: inout MutableSpan<Float>, targets: Span<Target>, format: TargetFormat,
        mask: Span<UInt8>?, weights: Span<Float>?, maps: Span<Float>?, part: Part,
        coefficients: [Int64], scale: Float,
        workspace: inout Workspace
    ) throws(LossError) {
        try part.check()
        try unsafe refusing { error in
            unsafe logits.withUnsafeMutableBufferPointer { logits in
                unsafe withBatch(UnsafeBufferPointer(logits), targets, format, mask, weights, maps, part) { batch in
                    var buffer = unsafe closs_gradient_buffer(logits, .overwrite(scale: scale))
                    return unsafe gradient(batch, &buffer, coefficients, &workspace, error)
                }
            }
        }
    }

    func gradient(
        _ batch: UnsafePointer<closs_batch>, _ gradient: UnsafePointer<closs_gradient_buffer>,
        _ coefficients: [Int64], _ workspace: inout Workspace, _ error: UnsafeMutablePointer<closs_error>
    ) -> closs_status {
        unsafe workspace.scratch.withUnsafeMutableBytes { scratch in
            unsafe coefficients.withUnsafeBufferPointer { coefficients in
                unsafe closs_gradient(
                    pointer, coefficients.baseAddress, coefficients.count, batch, gradient,
                    scratch.baseAddress, scratch.count, error)
            }
        }
    }

    /// The value that `totals` amount to; the parts and the coefficients are left in the workspace.
    func finish(_ totals: [Int64], workspace: inout Workspace) throws(LossError) -> Double {
        var result = unsafe closs_result()
        try unsafe refusing { error in
            unsafe totals.withUnsafeBufferPointer { totals in
                unsafe workspace.withMemory(&result) { result, _, coefficients in
                    unsafe closs_finish(
                        pointer, totals.baseAddress, totals.count, result, coefficients.baseAddress, coefficients.count,
                        error)
                }
            }
        }
        return unsafe result.value
    }

    /// Adds the words of one stage.
    func merge(_ from: [Int64], into: inout [Int64], stage: Int) throws(LossError) {
        try unsafe refusing { error in
            unsafe into.withUnsafeMutableBufferPointer { into in
                unsafe from.withUnsafeBufferPointer { from in
                    unsafe closs_merge(
                        pointer, Int32(clamping: stage), into.baseAddress, into.count, from.baseAddress, from.count,
                        error)
                }
            }
        }
    }

    /// The words that a stage adds to. `closs_stage_words` cannot refuse, so the stage is checked here.
    func wordRange(ofStage stage: Int) throws(LossError) -> Range<Int> {
        guard (0..<stageCount).contains(stage) else {
            throw LossError(kind: .badOption, message: "the stage is \(stage); expected 0 to \(stageCount - 1)")
        }
        var first = 0
        var count = 0
        unsafe closs_stage_words(pointer, Int32(stage), &first, &count)
        return first..<first + count
    }
}

extension Part {
    /// An empty range would mean "all" to the C library, so it is refused here.
    func check() throws(LossError) {
        if samples?.isEmpty == true || voxels?.isEmpty == true {
            throw LossError(kind: .badPart, message: "the part is empty; expected one sample and one voxel at least")
        }
    }
}

// MARK: - From Swift's memory to C's

extension Workspace {
    /// Runs `body` with a result that points to the numbers, with the scratch memory and the coefficients.
    mutating func withMemory(
        _ result: inout closs_result,
        _ body: (
            _ result: UnsafeMutablePointer<closs_result>, _ scratch: UnsafeMutableRawBufferPointer,
            _ coefficients: UnsafeMutableBufferPointer<Int64>
        ) -> closs_status
    ) -> closs_status {
        let (termCount, classes) = (termCount, classes)
        return unsafe numbers.withUnsafeMutableBufferPointer { numbers in
            unsafe scratch.withUnsafeMutableBytes { scratch in
                unsafe coefficients.withUnsafeMutableBufferPointer { coefficients in
                    unsafe result.terms = numbers.baseAddress
                    unsafe result.terms_count = termCount
                    unsafe result.per_class = numbers.baseAddress.map { unsafe $0 + termCount }
                    unsafe result.per_class_count = termCount * classes
                    if numbers.count > termCount * (1 + classes) {
                        unsafe result.per_sample = numbers.baseAddress.map { unsafe $0 + termCount * (1 + classes) }
                        unsafe result.per_sample_count = numbers.count - termCount * (1 + classes)
                    }
                    return unsafe body(&result, scratch, coefficients)
                }
            }
        }
    }
}

/// Runs `body` with the batch that the buffers make.
func withBatch<Z: Logit, Target: BitwiseCopyable>(
    _ logits: UnsafeBufferPointer<Z>, _ targets: Span<Target>, _ format: TargetFormat,
    _ mask: Span<UInt8>?, _ weights: Span<Float>?, _ maps: Span<Float>?, _ part: Part,
    _ body: (UnsafePointer<closs_batch>) -> closs_status
) -> closs_status {
    unsafe targets.withUnsafeBytes { targets in
        unsafe withPointer(mask) { mask in
            unsafe withPointers(weights, maps) { weights, maps in
                var batch = unsafe closs_batch()
                unsafe batch.logits = UnsafeRawPointer(logits.start)
                unsafe batch.logits_count = logits.count
                unsafe batch.target = format.code
                unsafe batch.targets = targets.baseAddress ?? UnsafeRawPointer(logits.start)
                unsafe batch.targets_count = targets.count / format.size
                unsafe batch.mask = mask?.start
                unsafe batch.mask_count = mask?.count ?? 0
                unsafe batch.weights = weights?.start
                unsafe batch.weights_count = weights?.count ?? 0
                unsafe batch.maps = maps?.start
                unsafe batch.maps_count = maps?.count ?? 0
                if let samples = part.samples {
                    unsafe batch.first_sample = Int64(samples.lowerBound)
                    // A range too long to be counted comes out negative, and is refused as that.
                    unsafe batch.sample_count = Int64(samples.upperBound &- samples.lowerBound)
                }
                if let voxels = part.voxels {
                    unsafe batch.first_voxel = Int64(voxels.lowerBound)
                    unsafe batch.voxel_count = Int64(voxels.upperBound &- voxels.lowerBound)
                }
                return unsafe body(&batch)
            }
        }
    }
}

/// Runs `body` with the elements of a span that need not be there.
func withPointer<Element>(
    _ span: Span<Element>?, _ body: (UnsafeBufferPointer<Element>?) -> closs_status
) -> closs_status {
    guard let span else { return body(nil) }
    return unsafe span.withUnsafeBufferPointer { unsafe body($0) }
}

/// The same of two spans.
private func withPointers<Element>(
    _ first: Span<Element>?, _ second: Span<Element>?,
    _ body: (UnsafeBufferPointer<Element>?, UnsafeBufferPointer<Element>?) -> closs_status
) -> closs_status {
    unsafe withPointer(first) { first in
        unsafe withPointer(second) { second in unsafe body(first, second) }
    }
}

extension UnsafeBufferPointer {
    /// The first element's address. An empty buffer has one too, never to be read: to the C library NULL means that
    /// there is no buffer, and a buffer of the wrong size is to be refused as that.
    var start: UnsafePointer<Element> {
        unsafe baseAddress ?? UnsafePointer(bitPattern: MemoryLayout<Element>.alignment)!
    }
}

extension closs_gradient_buffer {
    init<G: Logit>(_ values: UnsafeMutableBufferPointer<G>, _ write: Write) {
        unsafe self.init()
        unsafe self.values = UnsafeMutableRawPointer(mutating: UnsafeBufferPointer(values).start)
        unsafe count = values.count
        unsafe self.write = write.mode.code
        unsafe scale = write.scale
    }
}

/// Runs `body` with the spec that a loss and its options make.
private func withSpec(
    _ loss: Loss, shape: Shape, activation: Activation, options: Options,
    _ body: (inout closs_spec) -> closs_status
) -> closs_status {
    // The arrays of all terms, one after another, so that a single closure holds them in place.
    let arrays = loss.terms.flatMap { $0.term.arrays.flatMap { $0 ?? [] } }
    return unsafe arrays.withUnsafeBufferPointer { arrays in
        var next = unsafe arrays.start
        let terms = unsafe loss.terms.map { weighted in
            let arrays = unsafe weighted.term.arrays.map { values -> ClassArray in
                defer { unsafe next += values?.count ?? 0 }
                return unsafe ClassArray(values: values == nil ? nil : next, count: values?.count ?? 0)
            }
            return unsafe closs_term(weighted, arrays)
        }
        return unsafe terms.withUnsafeBufferPointer { terms in
            var spec = unsafe closs_spec()
            unsafe spec.shape = closs_shape(
                samples: Int64(shape.samples), classes: Int64(shape.classes), voxels: Int64(shape.voxels))
            unsafe spec.activation = activation.code
            unsafe spec.has_ignore_index = options.ignoreIndex == nil ? 0 : 1
            unsafe spec.ignore_index = Int64(options.ignoreIndex ?? 0)
            unsafe spec.terms = unsafe terms.start
            unsafe spec.term_count = terms.count
            unsafe spec.threads = Int32(clamping: options.threads)
            unsafe spec.isa = options.instructionSet.code
            unsafe spec.checks = options.checks.code
            unsafe spec.per_sample = options.perSample ? 1 : 0
            unsafe spec.per_class = options.perClass ? 1 : 0
            unsafe spec.extents = closs_extents(shape)
            return unsafe body(&spec)
        }
    }
}

/// One value for each class, or none.
@unsafe struct ClassArray {
    let values: UnsafePointer<Float>?
    let count: Int
}

extension closs_term {
    fileprivate init(_ weighted: Loss.WeightedTerm, _ arrays: [ClassArray]) {
        let weights = unsafe arrays.first?.values
        let count = unsafe arrays.first?.count ?? 0
        unsafe self.init()
        unsafe weight = weighted.weight
        switch weighted.term {
        case .crossEntropy(let options):
            unsafe kind = CLOSS_CROSS_ENTROPY
            unsafe of.cross_entropy = closs_cross_entropy(
                class_weights: weights, class_weights_count: count, label_smoothing: options.labelSmoothing,
                divisor: options.divisor.code, divisor_value: options.divisor.value, exponent: options.exponent)
        case .binaryCrossEntropy(let options):
            unsafe kind = CLOSS_BINARY_CROSS_ENTROPY
            unsafe of.binary_cross_entropy = closs_binary_cross_entropy(options, arrays)
        case .focal(let options):
            unsafe kind = CLOSS_FOCAL
            unsafe of.focal = closs_focal(options, arrays)
        case .focalStar(let options):
            unsafe kind = CLOSS_FOCAL_STAR
            unsafe of.focal_star = closs_focal_star(
                gamma: options.gamma, shift: options.shift, has_alpha: options.alpha == nil ? 0 : 1,
                alpha: options.alpha ?? 0, divisor: options.divisor.code, divisor_value: options.divisor.value,
                class_weights: weights, class_weights_count: count)
        case .region(let options):
            unsafe kind = options.formula.kind
            unsafe of.region = closs_region(options, weights: arrays[0], exponents: arrays[1])
        case .balancedBinaryCrossEntropy(let options):
            unsafe kind = CLOSS_BALANCED_BINARY_CROSS_ENTROPY
            unsafe of.balanced_binary_cross_entropy = closs_balanced_binary_cross_entropy(
                negative_ratio: options.negativeRatio, minimum_negatives: Int64(options.minimumNegatives),
                epsilon: options.epsilon, scope: options.scope.code,
                fallback_negatives: Int64(options.fallbackNegatives))
        case .topK(let options):
            unsafe kind = CLOSS_TOP_K
            unsafe of.top_k = closs_top_k(
                percent: options.percent,
                ignored: options.ignored == .counted ? CLOSS_IGNORED_COUNTED : CLOSS_IGNORED_EXCLUDED,
                scope: options.scope.code, class_weights: weights, class_weights_count: count,
                label_smoothing: options.labelSmoothing)
        case .onlineHardExampleMining(let options):
            unsafe kind = CLOSS_OHEM
            unsafe of.ohem = closs_ohem(
                threshold: options.threshold, minimum_kept: Int64(options.minimumKept),
                divisor: options.divisor.code, divisor_value: options.divisor.value, scope: options.scope.code,
                class_weights: weights, class_weights_count: count)
        case .balancedL1(let options):
            unsafe kind = CLOSS_BALANCED_L1
            unsafe of.balanced_l1 = closs_balanced_l1(
                negative_ratio: options.negativeRatio, minimum_negatives: Int64(options.minimumNegatives),
                scope: options.scope.code)
        case .lovaszSoftmax(let options):
            unsafe kind = CLOSS_LOVASZ_SOFTMAX
            unsafe of.lovasz = closs_lovasz(options, weights: arrays[0])
        case .lovaszHinge(let options):
            unsafe kind = CLOSS_LOVASZ_HINGE
            unsafe of.lovasz = closs_lovasz(options, weights: arrays[0])
        case .absoluteError(let options):
            unsafe kind = CLOSS_ABSOLUTE_ERROR
            unsafe of.probability_error = closs_probability_error(
                class_weights: weights, class_weights_count: count, beta: 0,
                divisor: options.divisor.code, divisor_value: options.divisor.value)
        case .squaredError(let options):
            unsafe kind = CLOSS_SQUARED_ERROR
            unsafe of.probability_error = closs_probability_error(
                class_weights: weights, class_weights_count: count, beta: 0,
                divisor: options.divisor.code, divisor_value: options.divisor.value)
        case .smoothL1(let options):
            unsafe kind = CLOSS_SMOOTH_L1
            unsafe of.probability_error = closs_probability_error(
                class_weights: weights, class_weights_count: count, beta: options.beta,
                divisor: options.divisor.code, divisor_value: options.divisor.value)
        case .linear(let options):
            unsafe kind = CLOSS_LINEAR_MAP
            unsafe of.linear_map = closs_linear_map(
                class_weights: weights, class_weights_count: count,
                divisor: options.divisor.code, divisor_value: options.divisor.value)
        case .boundary(let options):
            unsafe kind = CLOSS_BOUNDARY
            unsafe of.distance = closs_distance_term(options, arrays[0])
        case .hausdorff(let options):
            unsafe kind = CLOSS_HAUSDORFF
            unsafe of.distance = closs_distance_term(options, arrays[0])
        }
    }
}

// MARK: - From Swift's names to C's

extension InstructionSet {
    /// Whether this build and this machine can compute with it.
    public var isAvailable: Bool { closs_isa_available(code) != 0 }

    var code: closs_isa {
        switch self {
        case .best: CLOSS_ISA_BEST
        case .generic: CLOSS_ISA_GENERIC
        case .avx2: CLOSS_ISA_AVX2
        case .avx512: CLOSS_ISA_AVX512
        }
    }
}

extension Activation {
    var code: closs_activation {
        switch self {
        case .softmax: CLOSS_SOFTMAX
        case .sigmoid: CLOSS_SIGMOID
        case .probabilities: CLOSS_PROBABILITIES
        }
    }
}

extension Checks {
    fileprivate var code: closs_checks {
        switch self {
        case .beforeWriting: CLOSS_CHECK_BEFORE_WRITING
        case .whileWriting: CLOSS_CHECK_WHILE_WRITING
        }
    }
}

extension Write.Mode {
    var code: closs_write {
        switch self {
        case .overwrite: CLOSS_OVERWRITE
        case .add: CLOSS_ADD
        }
    }
}

extension TargetFormat {
    var code: closs_target {
        switch self {
        case .labels(.uint8): CLOSS_LABELS_U8
        case .labels(.uint16): CLOSS_LABELS_U16
        case .labels(.int32): CLOSS_LABELS_I32
        case .labels(.int64): CLOSS_LABELS_I64
        case .dense(.uint8): CLOSS_DENSE_U8
        case .dense(.float): CLOSS_DENSE_F32
        }
    }
}

extension Divisor {
    var code: closs_divisor {
        switch self {
        case .weight: CLOSS_DIVIDE_BY_WEIGHT
        case .valid: CLOSS_DIVIDE_BY_VALID
        case .all: CLOSS_DIVIDE_BY_ALL
        case .constant: CLOSS_DIVIDE_BY_CONSTANT
        case .target: CLOSS_DIVIDE_BY_TARGET
        case .factors: CLOSS_DIVIDE_BY_FACTORS
        }
    }

    var value: Double {
        switch self {
        case .constant(let value), .factors(let value): value
        case .weight, .valid, .all, .target: 1
        }
    }
}

// MARK: - From C's refusals to Swift's

/// Runs a C call and throws what it refuses with.
func refusing(_ call: (UnsafeMutablePointer<closs_error>) -> closs_status) throws(LossError) {
    var error = closs_error()
    let status = unsafe call(&error)
    guard status == CLOSS_OK else { throw LossError(status, error) }
}

extension LossError {
    fileprivate init(_ status: closs_status, _ error: closs_error) {
        let message = unsafe withUnsafeBytes(of: error.message) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        self.init(kind: Kind(status), index: error.index < 0 ? nil : Int(error.index), message: message)
    }
}

extension LossError.Kind {
    fileprivate init(_ status: closs_status) {
        switch status {
        case CLOSS_NULL_POINTER: self = .nullPointer
        case CLOSS_WRONG_SIZE: self = .wrongSize
        case CLOSS_TOO_SMALL: self = .tooSmall
        case CLOSS_BAD_SHAPE: self = .badShape
        case CLOSS_BAD_OPTION: self = .badOption
        case CLOSS_BAD_TERM: self = .badTerm
        case CLOSS_BAD_PART: self = .badPart
        case CLOSS_BAD_LABEL: self = .badLabel
        case CLOSS_BAD_TARGET: self = .badTarget
        case CLOSS_BAD_WEIGHT: self = .badWeight
        case CLOSS_NOT_FINITE: self = .notFinite
        case CLOSS_BAD_PROBABILITY: self = .badProbability
        case CLOSS_OUT_OF_RANGE: self = .outOfRange
        case CLOSS_OVERLAP: self = .overlap
        case CLOSS_UNSUPPORTED_ISA: self = .unsupportedInstructionSet
        case CLOSS_BAD_THREADS: self = .badThreads
        case CLOSS_OUT_OF_MEMORY: self = .outOfMemory
        default: preconditionFailure("LossError.Kind has no case for closs_status \(status.rawValue)")
        }
    }
}
