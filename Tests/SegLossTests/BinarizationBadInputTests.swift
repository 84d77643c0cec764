import CLossKernels
import SegLoss
import XCTest

/// What is refused of DBNet's loss, by the C call and by the facade: the message says which map, where, what, and what
/// was expected, and nothing is written.
final class BinarizationBadInputTests: XCTestCase {
    func testCRefusalsNameTheMapAndWriteNothing() {
        var g = SplitMix64(seed: 3)
        let good = Head.random(samples: 2, voxels: 100, logits: false, using: &g)
        func refused(_ status: closs_status, _ part: String, _ change: (inout Head) -> Void) {
            var head = good
            change(&head)
            let answer = head.evaluate()
            XCTAssertEqual(answer.status, status, answer.message)
            XCTAssert(answer.message.contains(part), answer.message)
            XCTAssert((answer.map + answer.threshold).allSatisfy { $0 == -7 }, part)
            XCTAssertEqual(answer.result.value, 0)
        }
        refused(CLOSS_BAD_PROBABILITY, "map: ") { $0.P[5] = .nan }
        refused(CLOSS_BAD_PROBABILITY, "map: ") { $0.P[105] = 1.5 }
        refused(CLOSS_BAD_PROBABILITY, "threshold: ") { $0.T[150] = .infinity }
        refused(CLOSS_NOT_FINITE, "map: ") {
            $0.logits = true
            $0.P[5] = .nan
        }
        refused(CLOSS_NOT_FINITE, "threshold: ") {
            $0.logits = true
            $0.T[199] = -.infinity
        }
        refused(CLOSS_BAD_PROBABILITY, "threshold: ") { $0.T[0] = -0.5 }
        refused(CLOSS_BAD_TARGET, "threshold: ") {
            $0.thresholdMap[7] = 1.5
            $0.thresholdMask[7] = 1
        }
        refused(CLOSS_BAD_TARGET, "map: ") {
            $0.targets[7] = 2
            $0.mask[7] = 1
        }
        for bad in [0, -1, .nan, .infinity, 1e-60, 1e60] as [Double] {
            refused(CLOSS_BAD_OPTION, "steepness") { $0.k = bad }
        }
        for bad in [-1, .nan, .infinity] as [Double] {
            refused(CLOSS_BAD_OPTION, "negative_ratio") { $0.ratio = bad }
            refused(CLOSS_BAD_OPTION, "smooth_l1_beta") { $0.beta = bad }
        }
        refused(CLOSS_BAD_OPTION, "minimum_negatives") { $0.minimum = -1 }
        refused(CLOSS_BAD_OPTION, "fallback_negatives") { $0.fallback = -1 }
        refused(CLOSS_BAD_OPTION, "map_weight") { $0.weights.map = .nan }
        refused(CLOSS_BAD_OPTION, "threshold_weight") { $0.weights.threshold = .infinity }
        refused(CLOSS_BAD_OPTION, "binary_weight") { $0.weights.binary = .nan }

        func spoiled(_ status: closs_status, _ part: String, _ spoil: (inout closs_binarization_batch) -> Void) {
            let answer = good.evaluate(spoil: spoil)
            XCTAssertEqual(answer.status, status, answer.message)
            XCTAssert(answer.message.contains(part), answer.message)
            XCTAssert((answer.map + answer.threshold).allSatisfy { $0 == -7 }, part)
        }
        spoiled(CLOSS_NULL_POINTER, "map is NULL") { $0.map.values = nil }
        spoiled(CLOSS_NULL_POINTER, "threshold is NULL") { $0.threshold.values = nil }
        spoiled(CLOSS_NULL_POINTER, "map: ") { $0.targets = nil }
        spoiled(CLOSS_NULL_POINTER, "threshold: ") { $0.threshold_map = nil }
        spoiled(CLOSS_WRONG_SIZE, "map.count") { $0.map.count = 299 }
        spoiled(CLOSS_WRONG_SIZE, "map: ") { $0.targets_count -= 1 }
        spoiled(CLOSS_WRONG_SIZE, "threshold: ") { $0.threshold_mask_count += 1 }
        spoiled(CLOSS_BAD_OPTION, "threshold.stride") { $0.threshold.stride = 99 }
        spoiled(CLOSS_BAD_OPTION, "target is") { $0.target = CLOSS_LABELS_U8 }

        func meets(
            _ status: closs_status, _ part: String,
            _ spoil: (inout closs_binarization_gradient, closs_binarization_batch) -> Void
        ) {
            let answer = good.evaluate(spoilGradient: spoil)
            XCTAssertEqual(answer.status, status, answer.message)
            XCTAssert(answer.message.contains(part), answer.message)
            XCTAssert((answer.map + answer.threshold).allSatisfy { $0 == -7 }, part)
            XCTAssertEqual(answer.result.value, 0)
        }
        meets(CLOSS_OVERLAP, "gradient.map and map overlap") { gradient, batch in
            gradient.map.values = UnsafeMutablePointer(mutating: batch.map.values)
        }
        meets(CLOSS_OVERLAP, "gradient.threshold and gradient.map overlap") { gradient, _ in
            gradient.threshold.values -= 1
        }
        meets(CLOSS_OVERLAP, "gradient.threshold and threshold overlap") { gradient, batch in
            gradient.threshold.values = UnsafeMutablePointer(mutating: batch.threshold.values)
        }
        // The mask of the other map.
        meets(CLOSS_OVERLAP, "gradient.threshold and mask overlap") { gradient, batch in
            gradient.threshold = closs_map_gradient(
                values: UnsafeMutableRawPointer(mutating: batch.mask!).assumingMemoryBound(to: Float.self),
                count: 300, stride: 200)
        }
        meets(CLOSS_NULL_POINTER, "gradient.map is NULL") { gradient, _ in gradient.map.values = nil }
        meets(CLOSS_BAD_OPTION, "scale") { gradient, _ in gradient.scale = .nan }
    }

    // MARK: The C call

    func testCNullPointersAndMemory() throws {
        var error = closs_error()
        var made: OpaquePointer?
        var spec = closs_binarization_spec()
        XCTAssertEqual(closs_binarization_create(&spec, nil, &error), CLOSS_NULL_POINTER)
        XCTAssertEqual(closs_binarization_create(nil, &made, &error), CLOSS_NULL_POINTER)
        XCTAssertNil(made)
        XCTAssertEqual(closs_binarization_scratch_bytes(nil), 0)
        closs_binarization_destroy(nil)

        var g = SplitMix64(seed: 23)
        let head = Head.random(samples: 1, voxels: 70, logits: false, using: &g)
        spec = head.spec
        XCTAssertEqual(closs_binarization_create(&spec, &made, nil), CLOSS_OK)
        defer { closs_binarization_destroy(made) }
        let bytes = closs_binarization_scratch_bytes(made)
        var scratch = [UInt8](repeating: 0, count: bytes)
        var result = closs_binarization_result()
        result.value = 3
        var batch = closs_binarization_batch()
        XCTAssertEqual(closs_binarization_evaluate(nil, &batch, nil, &result, &scratch, bytes, &error), CLOSS_NULL_POINTER)
        XCTAssertEqual(closs_binarization_evaluate(made, nil, nil, &result, &scratch, bytes, &error), CLOSS_NULL_POINTER)
        XCTAssertEqual(closs_binarization_evaluate(made, &batch, nil, nil, &scratch, bytes, &error), CLOSS_NULL_POINTER)
        XCTAssertEqual(closs_binarization_evaluate(made, &batch, nil, &result, nil, bytes, &error), CLOSS_NULL_POINTER)
        XCTAssertEqual(
            closs_binarization_evaluate(made, &batch, nil, &result, &scratch, bytes - 1, &error), CLOSS_TOO_SMALL)
        XCTAssertEqual(closs_binarization_evaluate(made, &batch, nil, &result, &scratch, bytes, nil), CLOSS_BAD_OPTION)
        XCTAssertEqual(result.value, 3)
    }

    func testCRefusesOverlapsOfWhatIsWritten() {
        var g = SplitMix64(seed: 29)
        let good = Head.random(samples: 2, voxels: 100, logits: false, using: &g)
        typealias Gradient = closs_binarization_gradient
        func refused(_ part: String, _ spoil: (inout Gradient, closs_binarization_batch) -> Void, line: UInt = #line) {
            let answer = good.evaluate(spoilGradient: spoil)
            XCTAssertEqual(answer.status, CLOSS_OVERLAP, answer.message, line: line)
            XCTAssertTrue(answer.message.contains(part), answer.message, line: line)
            XCTAssertTrue((answer.map + answer.threshold).allSatisfy { $0 == -7 }, line: line)
        }
        // Gradients have 200 values of which the last are never reached: a stride of 100 fits every other buffer.
        func over(_ start: UnsafeRawPointer?) -> closs_map_gradient {
            closs_map_gradient(
                values: UnsafeMutableRawPointer(mutating: start!).assumingMemoryBound(to: Float.self), count: 200,
                stride: 0)
        }
        refused("overlap") { gradient, batch in gradient.map = over(batch.threshold_map) }
        refused("overlap") { gradient, batch in gradient.threshold = over(batch.threshold_map) }
        refused("overlap") { gradient, batch in gradient.map = over(UnsafeRawPointer(batch.map.values)) }
        refused("overlap") { gradient, batch in gradient.map = gradient.threshold }
    }

    // MARK: The facade

    private var good: Head {
        var g = SplitMix64(seed: 31)
        var head = Head.random(samples: 2, voxels: 100, logits: false, using: &g)
        head.mask = head.mask.map { _ in 1 }
        head.thresholdMask = head.mask
        return head
    }

    /// A call with gradients must be refused so, whichever way the maps come, and the value alone likewise.
    private func refuse(
        _ kind: LossError.Kind, index: Int? = nil, _ parts: [String], line: UInt = #line,
        _ change: (inout Head) -> Void
    ) {
        var head = good
        change(&head)
        for channels in [1, 2] {
            do throws(LossError) {
                var evaluator = try head.evaluator(channels: channels)
                // In a head, samples of a map are twice as far apart.
                let place = index.map { channels == 2 && parts[0] != "of" ? $0 / 100 * 200 + $0 % 100 : $0 }
                for wantsGradient in [true, false] {
                    let error = head.error(&evaluator, wantsGradient: wantsGradient, line: line)
                    XCTAssertEqual(error?.kind, kind, error?.message ?? "accepted", line: line)
                    XCTAssertEqual(error?.index, place, error?.message ?? "", line: line)
                    for part in parts where part != "of" {
                        let said = part.replacing("[#]", with: "[\(place ?? -1)]")
                        XCTAssertTrue(
                            error?.message.contains(said) == true, "'\(error?.message ?? "")' lacks '\(said)'",
                            line: line)
                    }
                }
            } catch {
                XCTFail("not made: \(error.message)", line: line)
            }
        }
    }

    func testValues() {
        for bad in [.nan, .infinity, -.infinity, -0x1p-149, 1.0000001] as [Float] {
            for index in [0, 63, 64, 99, 100, 199] {
                refuse(.badProbability, index: index, ["map: probabilities[#] is", "expected a number in [0, 1]"]) {
                    $0.P[index] = bad
                    $0.mask[index] = 0  // those that are masked too
                }
                refuse(.badProbability, index: index, ["threshold: probabilities[#] is", "expected a number in"]) {
                    $0.T[index] = bad
                    $0.thresholdMask[index] = 0
                }
                refuse(.badTarget, index: index, ["of", "threshold: threshold_map[#] is", "in [0, 1]"]) {
                    $0.thresholdMap[index] = bad
                }
            }
        }
        for bad in [.nan, .infinity, -.infinity] as [Float] {
            for index in [0, 64, 199] {
                refuse(.notFinite, index: index, ["map: logits[#] is", "expected a finite number"]) {
                    $0.logits = true
                    $0.P[index] = bad
                }
                refuse(.notFinite, index: index, ["threshold: logits[#] is", "expected a finite number"]) {
                    $0.logits = true
                    $0.T[index] = bad
                }
            }
        }
        for bad in [0.5, 2, -1, .nan] as [Float] {
            refuse(.badTarget, index: 150, ["of", "map: targets[#] is", "needs 0 or 1"]) {
                $0.bytes = false
                $0.targets[150] = bad
            }
        }
        refuse(.badTarget, index: 150, ["of", "map: targets[#] is 2", "expected 0 to 1"]) { $0.targets[150] = 2 }
        for bad in [1.5, -0.5, .nan] as [Float] {
            refuse(.badTarget, index: 70, ["of", "map: targets[#] is", "in [0, 1]"]) {
                $0.dice = true
                $0.bytes = false
                $0.targets[70] = bad
            }
        }
        // Of two faults the map's comes first.
        refuse(.badProbability, index: 199, ["map: "]) {
            $0.P[199] = 2
            $0.T[0] = 2
        }
    }

    /// Under a mask targets and threshold map may be anything; with Dice a target may be any probability.
    func testWhatMasksHide() throws {
        var head = good
        head.bytes = false
        head.targets[5] = .nan
        head.mask[5] = 0
        head.thresholdMap[7] = -3
        head.thresholdMask[7] = 0
        let outcome = try head.outcome()
        XCTAssertTrue((outcome.map + outcome.threshold).allSatisfy(\.isFinite))
        head = good
        head.bytes = false
        head.dice = true
        head.targets[5] = 0.5
        _ = try head.outcome()
    }

    func testOptions() {
        func refused(
            _ kind: LossError.Kind, _ part: String, activation: Activation = .probabilities, samples: Int = 2,
            channels: Int = 2, extents: [Int] = [10, 10], options: Options = Options(), line: UInt = #line,
            _ change: (inout BinarizationLoss) -> Void = { _ in }
        ) {
            var loss = BinarizationLoss.db
            change(&loss)
            do throws(LossError) {
                _ = try BinarizationEvaluator(
                    loss, shape: Shape(samples: samples, classes: channels, extents: extents), activation: activation,
                    options: options)
                XCTFail("made; expected \(kind)", line: line)
            } catch {
                XCTAssertEqual(error.kind, kind, error.message, line: line)
                XCTAssertTrue(error.message.contains(part), "'\(error.message)' lacks '\(part)'", line: line)
            }
        }
        for bad in [.nan, .infinity, -.infinity] as [Double] {
            refused(.badOption, "map_weight") { $0.weights.map = bad }
            refused(.badOption, "threshold_weight") { $0.weights.threshold = bad }
            refused(.badOption, "binary_weight") { $0.weights.binary = bad }
        }
        for bad in [.nan, .infinity, -.infinity, -1] as [Double] {
            refused(.badOption, "negative_ratio") { $0.main = .balanced(negativeRatio: bad) }
            refused(.badOption, "balance_epsilon") { $0.main = .balanced(epsilon: bad) }
            refused(.badOption, "dice_epsilon") { $0.diceEpsilon = bad }
            refused(.badOption, "smooth_l1_beta") { $0.smoothL1Beta = bad }
        }
        for bad in [0, -1, .nan, .infinity, 1e-60, 1e60] as [Double] {
            refused(.badOption, "steepness") { $0.steepness = bad }
        }
        refused(.badOption, "minimum_negatives is -1") { $0.main = .balanced(minimumNegatives: -1) }
        refused(.badOption, "fallback_negatives is -1") { $0.main = .balanced(fallbackNegatives: -1) }
        refused(.badOption, "activation", activation: .softmax)
        refused(.badOption, "ignoreIndex", options: Options(ignoreIndex: 255))
        refused(.badOption, "perSample", options: Options(perSample: true))
        refused(.badOption, "perClass", options: Options(perClass: true))
        refused(.badThreads, "threads", options: Options(threads: -1))
        refused(.badShape, "channels", channels: 0)
        refused(.badShape, "channels", channels: 513)
        refused(.badShape, "samples", samples: 0)
        refused(.badShape, "samples", samples: -1)
        refused(.badShape, "extent", extents: [10, 0])
        refused(.badShape, "extent", extents: [-10, -10])
        refused(.badShape, "more values", extents: [.max, 2])
        refused(.badShape, "more values", samples: .max / 100, extents: [100])
    }

    /// Every buffer one element too short, one too long, and empty.
    func testCounts() throws {
        let head = good
        for channels in [1, 2] {
            for delta in [-1, 1, -200] {
                let buffers = ["map", "threshold", "targets", "mask", "thresholdMap", "thresholdMask", "gradient"]
                for buffer in buffers where channels == 1 || buffer != "threshold" {
                    var bad = head
                    var gradientCount = 200 * channels
                    var headCount = 200 * channels
                    switch buffer {
                    case "map" where channels == 2: headCount = max(0, headCount + 2 * delta)
                    case "map": bad.P = resized(bad.P, delta)
                    case "threshold": bad.T = resized(bad.T, delta)
                    case "targets": bad.targets = resized(bad.targets, delta)
                    case "mask": bad.mask = resized(bad.mask, delta)
                    case "thresholdMap": bad.thresholdMap = resized(bad.thresholdMap, delta)
                    case "thresholdMask": bad.thresholdMask = resized(bad.thresholdMask, delta)
                    default: gradientCount = max(0, gradientCount + delta)
                    }
                    var evaluator = try head.evaluator(channels: channels)
                    let error = bad.error(
                        &evaluator, wantsGradient: true, gradientCount: gradientCount, headCount: headCount)
                    XCTAssertEqual(error?.kind, .wrongSize, "\(buffer) \(delta): \(error?.message ?? "accepted")")
                    XCTAssertEqual(error?.message.contains("expected"), true, error?.message ?? "")
                }
            }
        }
    }

    private func resized<T: ExpressibleByIntegerLiteral>(_ values: [T], _ delta: Int) -> [T] {
        delta < 0 ? Array(values.dropLast(-delta)) : values + Array(repeating: 0, count: delta)
    }

    func testHeadsNeedTwoChannelsAndStridesASample() throws {
        let head = good
        var evaluator = try head.evaluator(channels: 1)
        XCTAssertThrowsError(
            try evaluator.evaluate(head: head.P + head.T, targets: head.targets, thresholdMap: head.thresholdMap)
        ) { XCTAssertEqual(($0 as? LossError)?.kind, .badShape) }
        for stride in [99, -100, 1, .min, .max] {
            XCTAssertThrowsError(
                try evaluator.evaluate(
                    map: head.P, threshold: head.T, stride: stride, targets: head.targets,
                    thresholdMap: head.thresholdMap)
            ) {
                XCTAssertEqual(($0 as? LossError)?.kind, .badOption, "\($0)")
                XCTAssertTrue("\($0)".contains("map.stride"), "\($0)")
            }
            var (byMap, byThreshold) = (head.P, head.T)
            XCTAssertThrowsError(
                try evaluator.evaluate(
                    map: head.P, threshold: head.T, targets: head.targets, thresholdMap: head.thresholdMap,
                    mapGradient: &byMap, thresholdGradient: &byThreshold, gradientStride: stride)
            ) { XCTAssertTrue("\($0)".contains("gradient.map.stride"), "\($0)") }
            XCTAssertTrue(byMap == head.P && byThreshold == head.T)
        }
        // A stride of a head that is shorter than it should be.
        XCTAssertThrowsError(
            try evaluator.evaluate(
                map: head.P, threshold: head.T, stride: 101, targets: head.targets, thresholdMap: head.thresholdMap)
        ) { XCTAssertEqual(($0 as? LossError)?.kind, .wrongSize, "\($0)") }
    }

    func testScales() throws {
        var head = good
        head.k = 500
        var evaluator = try head.evaluator()
        for scale in [.nan, .infinity, -.infinity] as [Float] {
            let error = head.error(&evaluator, wantsGradient: true, write: .overwrite(scale: scale))
            XCTAssertEqual(error?.kind, .badOption, error?.message ?? "accepted")
        }
        let error = head.error(&evaluator, wantsGradient: true, write: .add(scale: .greatestFiniteMagnitude))
        XCTAssertEqual(error?.kind, .outOfRange, error?.message ?? "accepted")
    }

    /// Without an epsilon and with next to nothing in both sums the binary map's gradient leaves the range of floats;
    /// the value does not.
    func testTinyDenominators() throws {
        var loss = BinarizationLoss.db
        loss.diceEpsilon = 1e-300
        loss.steepness = 100
        var evaluator = try BinarizationEvaluator(
            loss, shape: .flat(samples: 1, classes: 2, voxels: 1), activation: .probabilities)
        let head: [Float] = [0, 1]
        let nothing: [UInt8] = [0]
        let value = try evaluator.evaluate(head: head, targets: nothing, thresholdMap: [0.5])
        XCTAssertEqual(value.dice, 1)
        var gradient: [Float] = [7, 7]
        XCTAssertThrowsError(
            try evaluator.evaluate(head: head, targets: nothing, thresholdMap: [0.5], gradient: &gradient)
        ) { XCTAssertEqual(($0 as? LossError)?.kind, .outOfRange, "\($0)") }
        XCTAssertEqual(gradient, [7, 7])
    }
}

extension Head {
    /// What the facade refuses this head with, by its shape's channels as a head or apart; the gradients must stay as
    /// they were.
    func error(
        _ evaluator: inout BinarizationEvaluator, wantsGradient: Bool, write: Write = .overwrite,
        gradientCount: Int? = nil, headCount: Int? = nil, line: UInt = #line
    ) -> LossError? {
        let channels = evaluator.shape.classes
        var gradient = [Float](repeating: -7, count: gradientCount ?? 200 * channels)
        var other = gradient
        defer { XCTAssertTrue((gradient + other).allSatisfy { $0 == -7 }, "the gradient was touched", line: line) }
        var head: [Float] = []
        if channels == 2 {
            head = joined(P, T, channels: 2)
            let count = headCount ?? head.count
            head = count <= head.count ? Array(head.prefix(count)) : head + Array(repeating: 0, count: count - head.count)
        }
        do throws(LossError) {
            if bytes {
                try call(&evaluator, head, targets.map { UInt8($0) }, wantsGradient, write, &gradient, &other)
            } else {
                try call(&evaluator, head, targets, wantsGradient, write, &gradient, &other)
            }
            return nil
        } catch {
            return error
        }
    }

    @inline(never)
    private func call<G: DenseTarget>(
        _ evaluator: inout BinarizationEvaluator, _ head: [Float], _ targets: [G], _ wantsGradient: Bool,
        _ write: Write, _ gradient: inout [Float], _ other: inout [Float]
    ) throws(LossError) {
        if head.isEmpty && evaluator.shape.classes == 1 {
            if wantsGradient {
                _ = try evaluator.evaluate(
                    map: P, threshold: T, targets: targets, mask: mask, thresholdMap: thresholdMap,
                    thresholdMask: thresholdMask, mapGradient: &gradient, thresholdGradient: &other, write: write)
            } else {
                _ = try evaluator.evaluate(
                    map: P, threshold: T, targets: targets, mask: mask, thresholdMap: thresholdMap,
                    thresholdMask: thresholdMask)
            }
        } else if wantsGradient {
            _ = try evaluator.evaluate(
                head: head, targets: targets, mask: mask, thresholdMap: thresholdMap, thresholdMask: thresholdMask,
                gradient: &gradient, write: write)
        } else {
            _ = try evaluator.evaluate(
                head: head, targets: targets, mask: mask, thresholdMap: thresholdMap, thresholdMask: thresholdMask)
        }
    }
}
