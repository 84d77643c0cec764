import CLossKernels
import SegLoss
import SegLossReference
import XCTest

/// A head of two maps and what is known about its images, for the C calls and the facade's.
struct Head {
    var samples, voxels: Int
    var logits: Bool
    var P, T, targets, thresholdMap: [Float]
    var mask, thresholdMask: [UInt8]
    var weights = (map: 5.0, threshold: 10.0, binary: 1.0)
    var dice = false
    var ratio = 3.0
    var minimum = 0
    var fallback = 0
    var beta = 0.0
    var k = 50.0
    var bytes = true

    struct Answer {
        var status: closs_status
        var message: String
        var index: Int64 = -1
        var result = closs_binarization_result()
        var map, threshold: [Float]
    }

    static func random(samples: Int, voxels: Int, logits: Bool, using g: inout some RandomNumberGenerator) -> Head {
        let count = samples * voxels
        func values(_ range: ClosedRange<Float>) -> [Float] {
            // Coarse steps, so that there are ties.
            (0..<count).map { _ in (Float.random(in: range, using: &g) * 64).rounded() / 64 }
        }
        let range: ClosedRange<Float> = logits ? -9...9 : 0...1
        return Head(
            samples: samples, voxels: voxels, logits: logits, P: values(range), T: values(range),
            targets: (0..<count).map { _ in Int.random(in: 0..<9, using: &g) == 0 ? 1 : 0 },
            thresholdMap: values(0...1),
            mask: (0..<count).map { _ in Int.random(in: 0..<5, using: &g) == 0 ? 0 : 1 },
            thresholdMask: (0..<count).map { _ in Int.random(in: 0..<3, using: &g) == 0 ? 0 : 1 })
    }

    var problem: BinarizationProblem {
        let activation: Problem.Activation = logits ? .sigmoid : .probabilities
        let main: SegLossReference.Term.Kind =
            dice
            ? .dice(
                smoothNumerator: 0, smoothDenominator: 1e-6, squared: false, scope: .batch, excludeBackground: false,
                classWeights: nil)
            : .balancedBinaryCrossEntropy(
                negativeRatio: ratio, minimumNegatives: minimum, fallbackNegatives: fallback, epsilon: 1e-6,
                scope: .batch)
        let l1: SegLossReference.Term.Kind =
            beta > 0
            ? .smoothL1(beta: beta, classWeights: nil, divisor: .valid)
            : .absoluteError(classWeights: nil, divisor: .valid)
        return BinarizationProblem(
            map: Problem(
                samples: samples, classes: 1, voxels: voxels, activation: activation,
                terms: [SegLossReference.Term(main, weight: weights.map)], logits: P, target: .dense(targets, byte: bytes), mask: mask),
            threshold: Problem(
                samples: samples, classes: 1, voxels: voxels, activation: activation,
                terms: [SegLossReference.Term(l1, weight: weights.threshold)], logits: T, target: .dense(thresholdMap, byte: false),
                mask: thresholdMask),
            binaryWeight: weights.binary, steepness: k, diceEpsilon: 1e-6)
    }

    var spec: closs_binarization_spec {
        var spec = closs_binarization_spec()
        spec.samples = Int64(samples)
        spec.voxels = Int64(voxels)
        spec.activation = logits ? CLOSS_SIGMOID : CLOSS_PROBABILITIES
        spec.map_weight = weights.map
        spec.threshold_weight = weights.threshold
        spec.binary_weight = weights.binary
        spec.steepness = k
        spec.main = dice ? CLOSS_BINARIZATION_DICE : CLOSS_BINARIZATION_BALANCED
        spec.negative_ratio = ratio
        spec.minimum_negatives = Int64(minimum)
        spec.fallback_negatives = Int64(fallback)
        spec.balance_epsilon = 1e-6
        spec.dice_epsilon = 1e-6
        spec.smooth_l1_beta = beta
        return spec
    }

    /// Both maps, and both gradients, as the channels of a buffer [samples][channels][voxels] each.
    func evaluate(
        isa: closs_isa = CLOSS_ISA_BEST, threads: Int32 = 0, channels: Int = 2, scale: Float = 1,
        adding: Float? = nil, wantsGradient: Bool = true,
        spoil: (inout closs_binarization_batch) -> Void = { _ in },
        spoilGradient: (inout closs_binarization_gradient, closs_binarization_batch) -> Void = { _, _ in }
    ) -> Answer {
        var error = closs_error()
        var spec = self.spec
        spec.isa = isa
        spec.threads = threads
        var made: OpaquePointer?
        var status = closs_binarization_create(&spec, &made, &error)
        defer { closs_binarization_destroy(made) }
        func message() -> String {
            withUnsafeBytes(of: &error.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        }
        var answer = Answer(status: status, message: message(), index: error.index, map: [], threshold: [])
        if status != CLOSS_OK { return answer }
        let stride = channels * voxels
        var input = [Float](repeating: .nan, count: samples * stride)
        var gradient = [Float](repeating: adding ?? -7, count: samples * stride)
        for s in 0..<samples {
            for i in 0..<voxels {
                input[s * stride + i] = P[s * voxels + i]
                input[s * stride + voxels + i] = T[s * voxels + i]
            }
        }
        var scratch = [UInt8](repeating: 0, count: closs_binarization_scratch_bytes(made))
        let byteTargets = targets.map { UInt8($0) }
        let count = samples * voxels
        input.withUnsafeBufferPointer { input in
            gradient.withUnsafeMutableBufferPointer { gradient in
                targets.withUnsafeBytes { floats in
                    byteTargets.withUnsafeBytes { bytePointer in
                        mask.withUnsafeBufferPointer { mask in
                            thresholdMask.withUnsafeBufferPointer { thresholdMask in
                                thresholdMap.withUnsafeBufferPointer { thresholdMap in
                                    var batch = closs_binarization_batch()
                                    batch.map = closs_map(
                                        values: input.baseAddress, count: input.count, stride: Int64(stride))
                                    batch.threshold = closs_map(
                                        values: input.baseAddress! + voxels, count: input.count - voxels,
                                        stride: Int64(stride))
                                    batch.target = bytes ? CLOSS_DENSE_U8 : CLOSS_DENSE_F32
                                    batch.targets = (bytes ? bytePointer : floats).baseAddress
                                    batch.targets_count = count
                                    batch.mask = mask.baseAddress
                                    batch.mask_count = count
                                    batch.threshold_map = thresholdMap.baseAddress
                                    batch.threshold_map_count = count
                                    batch.threshold_mask = thresholdMask.baseAddress
                                    batch.threshold_mask_count = count
                                    spoil(&batch)
                                    var into = closs_binarization_gradient()
                                    into.map = closs_map_gradient(
                                        values: gradient.baseAddress, count: gradient.count, stride: Int64(stride))
                                    into.threshold = closs_map_gradient(
                                        values: gradient.baseAddress! + voxels, count: gradient.count - voxels,
                                        stride: Int64(stride))
                                    into.write = adding == nil ? CLOSS_OVERWRITE : CLOSS_ADD
                                    into.scale = scale
                                    spoilGradient(&into, batch)
                                    withUnsafePointer(to: into) {
                                        status = closs_binarization_evaluate(
                                            made, &batch, wantsGradient ? $0 : nil, &answer.result, &scratch,
                                            scratch.count, &error)
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        answer.status = status
        answer.message = message()
        answer.index = error.index
        for s in 0..<samples {
            answer.map += gradient[(s * stride)..<(s * stride + voxels)]
            answer.threshold += gradient[(s * stride + voxels)..<(s * stride + 2 * voxels)]
        }
        return answer
    }
}

// MARK: - The facade

extension Head {
    /// How the facade is given the maps.
    enum Way: CaseIterable {
        /// Two channels of one head, or three.
        case head, deepHead
        /// Two buffers; or two with gaps between their samples.
        case apart, gaps
    }

    struct Outcome: Equatable {
        var evaluation: BinarizationEvaluation
        var map, threshold: [Float]
    }

    var loss: BinarizationLoss {
        BinarizationLoss(
            weights: .init(map: weights.map, threshold: weights.threshold, binary: weights.binary),
            main: dice
                ? .dice
                : .balanced(negativeRatio: ratio, minimumNegatives: minimum, fallbackNegatives: fallback),
            steepness: k, smoothL1Beta: beta)
    }

    func evaluator(channels: Int = 2, options: Options = Options()) throws(LossError) -> BinarizationEvaluator {
        try BinarizationEvaluator(
            loss, shape: .flat(samples: samples, classes: channels, voxels: voxels),
            activation: logits ? .sigmoid : .probabilities, options: options)
    }

    /// Values of both maps as the channels of a head [samples][channels][voxels].
    func joined(_ map: [Float], _ threshold: [Float], channels: Int) -> [Float] {
        let rest = [Float](repeating: .nan, count: (channels - 2) * voxels)
        var head: [Float] = []
        for s in 0..<samples {
            head += map[(s * voxels)..<((s + 1) * voxels)]
            head += threshold[(s * voxels)..<((s + 1) * voxels)]
            head += rest
        }
        return head
    }

    /// A channel of a head with a stride.
    func channel(_ head: [Float], from first: Int, stride: Int) -> [Float] {
        (0..<samples).flatMap { head[($0 * stride + first)..<($0 * stride + first + voxels)] }
    }

    /// The facade's value and gradients; the gradients' old values are `old`, what lies beside them too.
    func outcome(
        _ way: Way = .head, write: Write = .overwrite, old: Float = -7, options: Options = Options(),
        spans: Bool = true
    ) throws -> Outcome {
        bytes
            ? try outcome(way, write, old, options, spans, targets.map { UInt8($0) })
            : try outcome(way, write, old, options, spans, targets)
    }

    private func outcome<G: DenseTarget>(
        _ way: Way, _ write: Write, _ old: Float, _ options: Options, _ spans: Bool, _ targets: [G]
    ) throws -> Outcome {
        switch way {
        case .head, .deepHead:
            let channels = way == .head ? 2 : 3
            var evaluator = try evaluator(channels: channels, options: options)
            let head = joined(P, T, channels: channels)
            var gradient = [Float](repeating: old, count: head.count)
            let evaluation = try call(&evaluator, head, targets, write, spans, &gradient)
            let value = try evaluator.evaluate(
                head: head, targets: targets, mask: mask, thresholdMap: thresholdMap, thresholdMask: thresholdMask)
            XCTAssertEqual(value, evaluation)
            let stride = channels * voxels
            if way == .deepHead {
                XCTAssertTrue(channel(gradient, from: 2 * voxels, stride: stride).allSatisfy { $0 == old })
            }
            return Outcome(
                evaluation: evaluation, map: channel(gradient, from: 0, stride: stride),
                threshold: channel(gradient, from: voxels, stride: stride))
        case .apart, .gaps:
            var evaluator = try evaluator(channels: 1, options: options)
            let stride = way == .apart ? voxels : voxels + 3
            let map = spread(P, stride), threshold = spread(T, stride)
            var mapGradient = [Float](repeating: old, count: map.count)
            var thresholdGradient = mapGradient
            let evaluation = try call(
                &evaluator, map, threshold, way == .apart ? 0 : stride, targets, write, spans, &mapGradient,
                &thresholdGradient)
            let value = try evaluator.evaluate(
                map: map, threshold: threshold, stride: stride, targets: targets, mask: mask,
                thresholdMap: thresholdMap, thresholdMask: thresholdMask)
            XCTAssertEqual(value, evaluation)
            return Outcome(
                evaluation: evaluation, map: channel(mapGradient, from: 0, stride: stride),
                threshold: channel(thresholdGradient, from: 0, stride: stride))
        }
    }

    /// Samples with a gap behind each.
    private func spread(_ values: [Float], _ stride: Int) -> [Float] {
        let gap = [Float](repeating: .nan, count: stride - voxels)
        var spread: [Float] = []
        for s in 0..<samples {
            spread += values[(s * voxels)..<((s + 1) * voxels)]
            spread += gap
        }
        return spread
    }

    // Not inlined: Swift 6.3.1's optimiser stops where a mutable span is made beside a loop.
    @inline(never)
    private func call<G: DenseTarget>(
        _ evaluator: inout BinarizationEvaluator, _ head: [Float], _ targets: [G], _ write: Write, _ spans: Bool,
        _ gradient: inout [Float]
    ) throws(LossError) -> BinarizationEvaluation {
        guard spans else {
            return try evaluator.evaluate(
                head: head, targets: targets, mask: mask, thresholdMap: thresholdMap, thresholdMask: thresholdMask,
                gradient: &gradient, write: write)
        }
        var span = gradient.mutableSpan
        return try evaluator.evaluate(
            head: head.span, targets: targets.span, mask: mask.span, thresholdMap: thresholdMap.span,
            thresholdMask: thresholdMask.span, gradient: &span, write: write)
    }

    @inline(never)
    private func call<G: DenseTarget>(
        _ evaluator: inout BinarizationEvaluator, _ map: [Float], _ threshold: [Float], _ stride: Int, _ targets: [G],
        _ write: Write, _ spans: Bool, _ mapGradient: inout [Float], _ thresholdGradient: inout [Float]
    ) throws(LossError) -> BinarizationEvaluation {
        guard spans else {
            return try evaluator.evaluate(
                map: map, threshold: threshold, stride: stride, targets: targets, mask: mask,
                thresholdMap: thresholdMap, thresholdMask: thresholdMask, mapGradient: &mapGradient,
                thresholdGradient: &thresholdGradient, gradientStride: stride, write: write)
        }
        var mapSpan = mapGradient.mutableSpan
        var thresholdSpan = thresholdGradient.mutableSpan
        return try evaluator.evaluate(
            map: map.span, threshold: threshold.span, stride: stride, targets: targets.span, mask: mask.span,
            thresholdMap: thresholdMap.span, thresholdMask: thresholdMask.span, mapGradient: &mapSpan,
            thresholdGradient: &thresholdSpan, gradientStride: stride, write: write)
    }
}

/// Floats that begin a cache line.
final class AlignedFloats {
    let values: UnsafeMutableBufferPointer<Float>

    init(_ contents: [Float]) {
        let memory = UnsafeMutableRawPointer.allocate(
            byteCount: max(contents.count, 1) * MemoryLayout<Float>.stride, alignment: 64)
        values = UnsafeMutableBufferPointer(
            start: memory.bindMemory(to: Float.self, capacity: contents.count), count: contents.count)
        _ = values.initialize(from: contents)
    }

    deinit {
        UnsafeMutableRawPointer(values.baseAddress!).deallocate()
    }
}
