import CLossKernels
import Foundation
import SegLossReference
import XCTest

/// A head of two maps and what is known about its images, for the C calls.
private struct Head {
    var samples, voxels: Int
    var logits: Bool
    var P, T, targets, thresholdMap: [Float]
    var mask, thresholdMask: [UInt8]
    var weights = (map: 5.0, threshold: 10.0, binary: 1.0)
    var dice = false
    var ratio = 3.0
    var minimum = 0
    var beta = 0.0
    var k = 50.0
    var bytes = true

    struct Answer {
        var status: closs_status
        var message: String
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
        let main: Term.Kind =
            dice
            ? .dice(
                smoothNumerator: 0, smoothDenominator: 1e-6, squared: false, scope: .batch, excludeBackground: false,
                classWeights: nil)
            : .balancedBinaryCrossEntropy(
                negativeRatio: ratio, minimumNegatives: minimum, epsilon: 1e-6, scope: .batch)
        let l1: Term.Kind =
            beta > 0
            ? .smoothL1(beta: beta, classWeights: nil, divisor: .valid)
            : .absoluteError(classWeights: nil, divisor: .valid)
        return BinarizationProblem(
            map: Problem(
                samples: samples, classes: 1, voxels: voxels, activation: activation,
                terms: [Term(main, weight: weights.map)], logits: P, target: .dense(targets, byte: bytes), mask: mask),
            threshold: Problem(
                samples: samples, classes: 1, voxels: voxels, activation: activation,
                terms: [Term(l1, weight: weights.threshold)], logits: T, target: .dense(thresholdMap, byte: false),
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
        var answer = Answer(status: status, message: message(), map: [], threshold: [])
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
        for s in 0..<samples {
            answer.map += gradient[(s * stride)..<(s * stride + voxels)]
            answer.threshold += gradient[(s * stride + voxels)..<(s * stride + 2 * voxels)]
        }
        return answer
    }
}

final class BinarizationTests: XCTestCase {
    private func check(
        _ answer: Head.Answer, _ expected: BinarizationProblem.Outcome, _ what: String,
        file: StaticString = #filePath, line: UInt = #line
    ) {
        XCTAssertEqual(answer.status, CLOSS_OK, "\(what): \(answer.message)", file: file, line: line)
        let got = [answer.result.value, answer.result.main, answer.result.l1, answer.result.dice].map(\.bitPattern)
        let wanted = [expected.value, expected.main, expected.l1, expected.dice].map(\.bitPattern)
        XCTAssertEqual(got, wanted, what, file: file, line: line)
        XCTAssert(
            zip(answer.map, expected.mapGradient).allSatisfy { $0.bitPattern == $1.bitPattern },
            "gradient by P, \(what)", file: file, line: line)
        XCTAssert(
            zip(answer.threshold, expected.thresholdGradient).allSatisfy { $0.bitPattern == $1.bitPattern },
            "gradient by T, \(what)", file: file, line: line)
    }

    func testEqualsReferenceBitForBit() {
        let seed = UInt64.random(in: 0..<UInt64.max)
        var g = Seeded(state: seed)
        for voxels in [1, 63, 64, 65, 200, 16383, 16385, 40000] {
            for logits in [false, true] {
                var head = Head.random(samples: voxels > 20000 ? 3 : 2, voxels: voxels, logits: logits, using: &g)
                head.dice = Bool.random(using: &g)
                head.beta = Bool.random(using: &g) ? 0.25 : 0
                head.minimum = Int.random(in: 0...5, using: &g)
                head.bytes = Bool.random(using: &g)
                let expected = head.problem.evaluate(scale: 0.75)
                for isa in [CLOSS_ISA_GENERIC, CLOSS_ISA_AVX2, CLOSS_ISA_AVX512] where closs_isa_available(isa) != 0 {
                    for threads: Int32 in [1, 2, 5] {
                        check(
                            head.evaluate(isa: isa, threads: threads, channels: 2 + Int(threads) % 2, scale: 0.75),
                            expected, "seed \(seed), \(voxels) voxels, isa \(isa.rawValue), \(threads) threads")
                    }
                }
                let valueOnly = head.evaluate(wantsGradient: false)
                XCTAssertEqual(valueOnly.result.value.bitPattern, expected.value.bitPattern, "seed \(seed)")
                XCTAssert((valueOnly.map + valueOnly.threshold).allSatisfy { $0 == -7 })
                let old = [Float](repeating: 0.3, count: head.P.count)
                check(
                    head.evaluate(scale: -2, adding: 0.3), head.problem.evaluate(scale: -2, adding: (old, old)),
                    "seed \(seed), \(voxels) voxels, added")
            }
        }
    }

    func testEmptyMasksAndNoText() {
        var g = Seeded(state: 7)
        for step in 0..<3 {
            var head = Head.random(samples: 2, voxels: 130, logits: false, using: &g)
            if step != 1 { head.targets = head.targets.map { _ in 0 } }
            if step != 0 { head.mask = head.mask.map { _ in 0 } }
            if step != 0 { head.thresholdMask = head.thresholdMask.map { _ in 0 } }
            let answer = head.evaluate()
            check(answer, head.problem.evaluate(scale: 1), "step \(step)")
            XCTAssert((answer.map + answer.threshold).allSatisfy(\.isFinite))
            XCTAssertEqual(answer.result.main, 0)
        }
    }

    /// The formula in Double, and its central differences.
    func testGradientAgainstCentralDifferences() {
        var g = Seeded(state: 11)
        var head = Head.random(samples: 2, voxels: 40, logits: true, using: &g)
        head.k = 7
        head.ratio = 1000
        // Apart from the kink of the absolute error.
        let answer = head.evaluate()
        XCTAssertEqual(answer.status, CLOSS_OK, answer.message)
        let P = head.P.map(Double.init)
        let T = head.T.map(Double.init)
        XCTAssertEqual(answer.result.value, oracle(head, P, T), accuracy: 1e-5)
        for i in stride(from: 0, to: P.count, by: 7) {
            for (index, gradient) in [answer.map[i], answer.threshold[i]].enumerated() {
                func at(_ step: Double) -> Double {
                    var p = P
                    var t = T
                    if index == 0 { p[i] += step } else { t[i] += step }
                    return oracle(head, p, t)
                }
                XCTAssertEqual((at(1e-5) - at(-1e-5)) / 2e-5, Double(gradient), accuracy: 2e-6, "\(i), map \(index)")
            }
        }
    }

    private func oracle(_ head: Head, _ logitsP: [Double], _ logitsT: [Double]) -> Double {
        func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }
        var cross = 0.0, count = 0.0, l1 = 0.0, inside = 0.0, I = 0.0, U = 0.0
        for i in logitsP.indices {
            let p = sigmoid(logitsP[i])
            let t = sigmoid(logitsT[i])
            let y = Double(head.targets[i])
            if head.mask[i] != 0 {
                let b = sigmoid(head.k * (p - t))
                cross -= y * log(p) + (1 - y) * log(1 - p)
                count += 1
                I += b * y
                U += b + y
            }
            if head.thresholdMask[i] != 0 {
                l1 += abs(t - Double(head.thresholdMap[i]))
                inside += 1
            }
        }
        return 5 * cross / (count + 1e-6) + 10 * l1 / inside + 1 - 2 * I / (U + 1e-6)
    }

    private struct Book: Decodable {
        struct Case: Decodable {
            let name, input, main: String
            let weights: [Double]
            let value: Double
            let map, threshold: [Double]
        }
        let inputs: [String: [String: [Double]]]
        let cases: [Case]
    }

    func testOriginals() throws {
        let url = try XCTUnwrap(
            Bundle.module.url(forResource: "binarization", withExtension: "json", subdirectory: "Fixtures"))
        let book = try JSONDecoder().decode(Book.self, from: Data(contentsOf: url))
        XCTAssertEqual(book.cases.count, 8)
        for one in book.cases {
            let input = try XCTUnwrap(book.inputs[one.input])
            func floats(_ key: String) throws -> [Float] { try XCTUnwrap(input[key]).map { Float($0) } }
            func bytes(_ key: String) throws -> [UInt8] { try floats(key).map { UInt8($0) } }
            let P = try floats("P")
            let samples = one.input == "db" ? 2 : 1
            var head = Head(
                samples: samples, voxels: P.count / samples, logits: false, P: P, T: try floats("T"),
                targets: try floats("gt"), thresholdMap: try floats("threshold_map"), mask: try bytes("mask"),
                thresholdMask: try bytes("threshold_mask"))
            head.weights = (one.weights[0], one.weights[1], one.weights[2])
            head.dice = one.main == "dice"
            let answer = head.evaluate()
            XCTAssertEqual(answer.status, CLOSS_OK, "\(one.name): \(answer.message)")
            XCTAssertEqual(answer.result.value, one.value, accuracy: 1e-6 * max(1, abs(one.value)), one.name)
            for (ours, theirs) in [(answer.map, one.map), (answer.threshold, one.threshold)] {
                let bound = 3e-6 * (theirs.map(abs).max() ?? 0) + 1e-12
                let error = zip(ours, theirs).map { abs(Double($0) - $1) }.max() ?? .infinity
                XCTAssert(error <= bound, "\(one.name): \(error) is more than \(bound)")
            }
        }
    }

    func testRefusalsNameTheMapAndWriteNothing() {
        var g = Seeded(state: 3)
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
}

/// splitmix64
private struct Seeded: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
