import CLossKernels
import SegLoss
import SegLossReference
import XCTest

/// Several scales in one call: the bits of the calls one by one, all or nothing, and nnU-Net's numbers.
final class DeepSupervisionTests: XCTestCase {
    private let loss: Loss = .dice(smooth: .both(1e-5), classes: .foreground) + .crossEntropy()

    /// Every scale has the bits of its own call with labels that were sampled beforehand.
    func testScalesAreTheCallsOneByOne() throws {
        let seed = testSeed(301)
        var random = SplitMix64(seed: seed)
        let losses: [(Loss, Activation)] = [
            (loss, .softmax), (.crossEntropy(), .softmax), (.dice() + .focal(), .sigmoid), (.binaryCrossEntropy(), .sigmoid),
            (.balancedBinaryCrossEntropy(), .sigmoid),
        ]
        for (loss, activation) in losses {
            for sampling in [DeepSupervision.Sampling.nearest, .center] {
                for checks in [Checks.beforeWriting, .whileWriting] {
                    let extents = [[8, 12, 20], [4, 6, 10], [4, 3, 5]]
                    let shapes = extents.map { Shape(samples: 2, classes: 3, extents: $0) }
                    let weights = [0.7, 0, -0.2]
                    let options = Options(checks: checks)
                    var supervision = try DeepSupervision(
                        loss, shapes: shapes, weights: weights, activation: activation, options: options,
                        sampling: sampling)
                    let labels = (0..<2 * shapes[0].voxels).map { _ in UInt8(random.below(3)) }
                    let logits = shapes.map { shape in (0..<6 * shape.voxels).map { _ in random.normal() } }
                    var gradients = logits.map { $0.map { _ in Float.nan } }
                    let result = try supervision.evaluate(
                        logits: logits, labels: labels, gradients: &gradients, write: .overwrite(scale: 3))
                    let alone = try supervision.evaluate(logits: logits, labels: labels)
                    XCTAssertEqual(alone.value.bitPattern, result.value.bitPattern)
                    var sum = 0.0
                    for scale in shapes.indices {
                        var evaluator = try Evaluator(loss, shape: shapes[scale], activation: activation, options: options)
                        var own = [Float](repeating: .nan, count: logits[scale].count)
                        let sampled = sample(labels, extents[0], extents[scale], sampling)
                        let one = try evaluator.evaluate(
                            logits: logits[scale], labels: sampled, gradient: &own,
                            write: .overwrite(scale: Float(weights[scale] * 3)))
                        sum += weights[scale] * one.value
                        XCTAssertEqual(one.value.bitPattern, result.scales[scale].value.bitPattern, "seed \(seed)")
                        XCTAssertEqual(one.terms.map(\.perClass), result.scales[scale].terms.map(\.perClass))
                        XCTAssertTrue(sameBits(own, gradients[scale]), "\(loss), scale \(scale), seed \(seed)")
                    }
                    XCTAssertEqual(sum.bitPattern, result.value.bitPattern)
                }
            }
        }
    }

    /// Mask and voxel weights of the full size, read by each scale as its labels are.
    func testMaskAndWeightsAreSampledLikeTheLabels() throws {
        let seed = testSeed(302)
        var random = SplitMix64(seed: seed)
        let extents = [[4, 12, 20], [4, 6, 10], [2, 3, 5]]
        let shapes = extents.map { Shape(samples: 2, classes: 3, extents: $0) }
        let factors = [0.5, 0.25, 0.125]
        let voxels = 2 * shapes[0].voxels
        let loss: Loss = .dice(voxelWeights: .inSums) + .crossEntropy()
        for (hasMask, hasWeights) in [(true, false), (false, true), (true, true)] {
            for sampling in [DeepSupervision.Sampling.nearest, .center] {
                let labels = (0..<voxels).map { _ in UInt16(random.below(3)) }
                let mask = hasMask ? (0..<voxels).map { _ in UInt8(random.below(3)) } : nil
                let weights = hasWeights ? (0..<voxels).map { _ in Float(random.below(5)) / 2 } : nil
                let logits = shapes.map { shape in (0..<6 * shape.voxels).map { _ in random.normal() } }
                var supervision = try DeepSupervision(
                    loss, shapes: shapes, weights: factors, activation: .softmax, sampling: sampling)
                var gradients = logits.map { $0.map { _ in Float.nan } }
                let result = try supervision.evaluate(
                    logits: logits, labels: labels, mask: mask, weights: weights, gradients: &gradients)
                let alone = try supervision.evaluate(logits: logits, labels: labels, mask: mask, weights: weights)
                XCTAssertEqual(alone, result)
                XCTAssertNotEqual(result.value, try supervision.evaluate(logits: logits, labels: labels).value)
                for scale in shapes.indices {
                    func sampled<Element>(_ map: [Element]) -> [Element] {
                        sample(map, extents[0], extents[scale], sampling)
                    }
                    var evaluator = try Evaluator(loss, shape: shapes[scale], activation: .softmax)
                    var own = [Float](repeating: .nan, count: logits[scale].count)
                    let one = try evaluator.evaluate(
                        logits: logits[scale], labels: sampled(labels), mask: mask.map(sampled),
                        weights: weights.map(sampled), gradient: &own, write: .overwrite(scale: Float(factors[scale])))
                    XCTAssertEqual(one, result.scales[scale], "scale \(scale), seed \(seed)")
                    XCTAssertTrue(sameBits(own, gradients[scale]), "scale \(scale), seed \(seed)")
                }
            }
        }
    }

    func testBadMaskAndWeights() throws {
        let shapes = [[8, 8], [4, 4]].map { Shape(samples: 1, classes: 2, extents: $0) }
        let logits = shapes.map { [Float](repeating: 0, count: 2 * $0.voxels) }
        let labels = [UInt8](repeating: 0, count: 64)
        let mask = [UInt8](repeating: 1, count: 64)
        let weights = [Float](repeating: 1, count: 64)
        for sampling in [DeepSupervision.Sampling.nearest, .center] {
            var supervision = try DeepSupervision(
                loss, shapes: shapes, weights: [1, 1], activation: .softmax, sampling: sampling)
            func refused(
                _ mask: [UInt8]?, _ weights: [Float]?, _ kind: LossError.Kind, _ word: String, line: UInt = #line
            ) {
                var gradients = logits
                XCTAssertThrowsError(
                    try supervision.evaluate(
                        logits: logits, labels: labels, mask: mask, weights: weights, gradients: &gradients), line: line
                ) {
                    XCTAssertEqual(($0 as? LossError)?.kind, kind, "\($0)", line: line)
                    XCTAssertTrue("\($0)".contains(word), "\($0)", line: line)
                }
                XCTAssertEqual(gradients, logits, "a gradient was written", line: line)
            }
            refused(Array(mask.dropLast()), nil, .wrongSize, "scale 0: mask has 63")
            refused(mask + [1], nil, .wrongSize, "scale 0: mask has 65")
            refused([], nil, .wrongSize, "scale 0: mask has 0")
            refused(nil, Array(weights.dropLast()), .wrongSize, "scale 0: weights has 63")
            refused(nil, [], .wrongSize, "scale 0: weights has 0")
            for bad in [-1, .nan, .infinity] as [Float] {
                var some = weights
                some[9] = bad  // the first scale's, and the second's where it takes the middle
                refused(nil, some, .badWeight, "scale 0: weights[9]")
            }
            var good = logits
            XCTAssertNoThrow(
                try supervision.evaluate(
                    logits: logits, labels: labels, mask: mask, weights: weights, gradients: &good))
            XCTAssertNotEqual(good, logits)
        }
    }

    private func sample<Element>(
        _ labels: [Element], _ full: [Int], _ small: [Int], _ sampling: DeepSupervision.Sampling
    ) -> [Element] {
        let step = zip(full, small).map { $0 / $1 }
        let offset = step.map { sampling == .center ? $0 / 2 : 0 }
        var sampled: [Element] = []
        for n in 0..<labels.count / full.reduce(1, *) {
            for z in 0..<small[0] {
                for y in 0..<small[1] {
                    for x in 0..<small[2] {
                        let (z, y, x) = (z * step[0] + offset[0], y * step[1] + offset[1], x * step[2] + offset[2])
                        sampled.append(labels[((n * full[0] + z) * full[1] + y) * full[2] + x])
                    }
                }
            }
        }
        return sampled
    }

    /// The stored numbers of nnU-Net's wrapper: the value and the gradients of both scales, by one call.
    func testNNUNet() throws {
        let cases = try Fixtures.golden().filter { $0.name.hasPrefix("nnunet/deep_supervision") }
        XCTAssertEqual(cases.count, 2)
        let weights = [2.0 / 3, 1.0 / 3]
        XCTAssertEqual(DeepSupervision.nnUNetWeights(3), weights + [0])
        try withScales(cases.map(\.problem), weights) { value, gradients in
            let expected = try XCTUnwrap(cases[0].sumOfScales)
            let exact = zip(weights, cases).map { $0 * Oracle.evaluate($1.problem).value }.reduce(0, +)
            XCTAssertTrue(
                abs(exact - expected) <= cases[0].exactTolerance * expected, "oracle \(exact), not \(expected)")
            for (scale, golden) in cases.enumerated() {
                let want = golden.gradient.map { $0 * weights[scale] }
                let error = gradientError(gradients[scale].map(Double.init), want)
                XCTAssertTrue(error <= golden.gradientTolerance, "\(golden.name): off by \(error)")
            }
            XCTAssertTrue(abs(value - expected) <= 1e-6 * abs(expected), "\(value), not \(expected)")
        }
    }

    /// One call of the C library with scales whose labels are arrays of their own.
    private func withScales(
        _ problems: [Problem], _ weights: [Double], _ body: (Double, [[Float]]) throws -> Void
    ) throws {
        var terms = closs_term.dice { $0.smooth_numerator = 1e-5; $0.smooth_denominator = 1e-5; $0.exclude_background = 1 }
        terms.weight = 1
        let calls = problems.map { problem in
            let call = RawCall(
                closs_spec(
                    CLOSS_SOFTMAX, samples: Int64(problem.samples), classes: Int64(problem.classes),
                    voxels: Int64(problem.voxels), [terms, .crossEntropy()]))
            let logits = call.block(Float.self, problem.logits.count) { problem.logits[$0] }
            call.batch.logits = UnsafeRawPointer(logits)
            guard case .labels(let labels) = problem.target else { preconditionFailure("labels") }
            call.batch.targets = UnsafeRawPointer(call.block(UInt8.self, labels.count) { UInt8(labels[$0]) })
            return call
        }
        let value = try Self.evaluate(calls, weights).get()
        try body(value, calls.map { call in (0..<call.gradient.count).map { call.gradientValues![$0] } })
    }

    struct Refusal: Error {
        let status: closs_status
        let message: String
    }

    /// Calls `closs_evaluate_scales` with the calls' buffers.
    private static func evaluate(_ calls: [RawCall], _ weights: [Double], short: Int = 0) -> Result<Double, Refusal> {
        let scales = calls.enumerated().map { i, call in
            var scale = closs_scale()
            scale.plan = call.plan
            scale.batch = UnsafePointer(call.block(closs_batch.self, 1) { _ in call.batch })
            scale.gradient = UnsafePointer(call.block(closs_gradient_buffer.self, 1) { _ in call.gradient })
            scale.weight = weights[i]
            scale.result = call.block(closs_result.self, 1) { _ in call.result }
            return scale
        }
        var scratch = [UInt8](repeating: 0, count: closs_scales_scratch_bytes(scales, scales.count) - short)
        var value = 0.0
        var error = closs_error()
        let status = closs_evaluate_scales(scales, scales.count, &value, &scratch, scratch.count, &error)
        let message = withUnsafeBytes(of: error.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        return status == CLOSS_OK ? .success(value) : .failure(Refusal(status: status, message: message))
    }

    private func pair(_ terms: [closs_term] = [.dice(), .crossEntropy()]) -> [RawCall] {
        [RawCall(closs_spec(.init(0), terms)), RawCall(closs_spec(.init(0), voxels: 33, terms))]
    }

    private func refused(
        _ calls: [RawCall], weights: [Double] = [1, 0.5], short: Int = 0, _ status: closs_status, _ words: String...,
        line: UInt = #line
    ) {
        let before = calls.map { call in (0..<call.gradient.count).map { call.gradientValues![$0] } }
        switch Self.evaluate(calls, weights, short: short) {
        case .success(let value): XCTFail("accepted: \(value)", line: line)
        case .failure(let refusal):
            XCTAssertEqual(refusal.status, status, refusal.message, line: line)
            for word in words { XCTAssertTrue(refusal.message.contains(word), refusal.message, line: line) }
        }
        let after = calls.map { call in (0..<call.gradient.count).map { call.gradientValues![$0] } }
        XCTAssertEqual(before, after, "a gradient was written", line: line)
    }

    /// What the last scale is refused for leaves the first one's gradient as it was.
    func testAllOrNothing() {
        for terms in [[closs_term.dice(), .crossEntropy()], [.crossEntropy()]] {
            let calls = pair(terms)
            UnsafeMutablePointer(mutating: calls[1].logits!)[5] = .nan
            refused(calls, CLOSS_NOT_FINITE, "scale 1: logits[5] is nan")
            let labels = pair(terms)
            UnsafeMutableRawPointer(mutating: labels[1].batch.targets!).storeBytes(of: 7, toByteOffset: 3, as: UInt8.self)
            refused(labels, CLOSS_BAD_LABEL, "scale 1: labels[3] is 7")
            refused(pair(terms), weights: [.nan, 1], CLOSS_BAD_OPTION, "scale 0", "weight")
            refused(pair(terms), weights: [1, 1e300], CLOSS_BAD_OPTION, "scale 1", "scale is not finite")
            refused(pair(terms), short: 1, CLOSS_TOO_SMALL, "scratch")
            let counts = pair(terms)
            counts[1].batch.logits_count -= 1
            refused(counts, CLOSS_WRONG_SIZE, "scale 1: logits has")
            let shared = pair(terms)
            shared[1].gradientValues = shared[0].gradientValues! + 3
            refused(shared, CLOSS_OVERLAP, "gradient")
            let read = pair(terms)
            read[1].gradientValues = .init(mutating: read[0].logits)
            refused(read, CLOSS_OVERLAP, "logits", "gradient")
        }
        XCTAssertNotNil(try? Self.evaluate(pair(), [1, 0.5]).get())
        var error = closs_error()
        var value = 1.5, room = 0.0
        XCTAssertEqual(closs_evaluate_scales(nil, 1, &value, &room, 8, &error), CLOSS_NULL_POINTER)
        let none = [closs_scale](repeating: closs_scale(), count: 17)
        XCTAssertEqual(closs_evaluate_scales(none, 0, &value, &room, 8, &error), CLOSS_WRONG_SIZE)
        XCTAssertEqual(closs_evaluate_scales(none, 17, &value, &room, 8, &error), CLOSS_WRONG_SIZE)
        XCTAssertEqual(closs_evaluate_scales(none, 2, &value, &room, 8, &error), CLOSS_NULL_POINTER)
        XCTAssertEqual(value, 1.5)
    }

    func testWeights() {
        XCTAssertEqual(DeepSupervision.halvingWeights(6), [1, 0.5, 0.25, 0.125, 0.0625, 0.0625])
        XCTAssertEqual(DeepSupervision.twoWeights(3), [1, 0.5, 0.5])
        XCTAssertEqual(DeepSupervision.equalWeights(2), [1, 1])
        XCTAssertEqual(DeepSupervision.nnUNetWeights(1), [1])
        let five = DeepSupervision.nnUNetWeights(5)
        XCTAssertEqual(five, [8.0 / 15, 4.0 / 15, 2.0 / 15, 1.0 / 15, 0])
    }

    func testShapesThatDoNotFit() throws {
        func refused(_ extents: [[Int]], _ weights: [Double], _ kind: LossError.Kind, line: UInt = #line) {
            let shapes = extents.map { Shape(samples: 1, classes: 2, extents: $0) }
            XCTAssertThrowsError(
                try DeepSupervision(loss, shapes: shapes, weights: weights, activation: .softmax), line: line
            ) { XCTAssertEqual(($0 as? LossError)?.kind, kind, "\($0)", line: line) }
        }
        refused([], [], .badShape)
        refused([[8, 8], [4, 4]], [1], .wrongSize)
        refused([[8, 8], [4, 3]], [1, 1], .badShape)
        refused([[8, 8], [8, 8, 1]], [1, 1], .badShape)
        refused([[8, 8], [4, 4]], [1, .infinity], .badOption)
        refused([[8, 8], [0, 4]], [1, 1], .badShape)
        refused(Array(repeating: [8, 8], count: 17), Array(repeating: 1, count: 17), .badShape)
        var good = try DeepSupervision(
            loss, shapes: [[8, 8], [4, 4]].map { Shape(samples: 1, classes: 2, extents: $0) }, weights: [1, 1],
            activation: .softmax)
        let labels = [UInt8](repeating: 0, count: 64)
        let logits = [[Float](repeating: 0, count: 128), [Float](repeating: 0, count: 32)]
        XCTAssertThrowsError(try good.evaluate(logits: [logits[0]], labels: labels))
        XCTAssertThrowsError(try good.evaluate(logits: logits, labels: [UInt8](labels.dropLast(12))))
        XCTAssertThrowsError(try good.evaluate(logits: logits, labels: labels + [0]))
        var one = [logits[0]]
        XCTAssertThrowsError(try good.evaluate(logits: logits, labels: labels, gradients: &one))
        XCTAssertEqual(one, [logits[0]])
        XCTAssertNoThrow(try good.evaluate(logits: logits, labels: labels))
    }
}
