import CLossKernels
import SegLoss
import XCTest

/// Calls of the C library that Swift cannot express: NULL, counts that lie, values that no enum has, overlap, memory
/// that is too small. Each is refused with the right status and leaves every byte of the caller's as it was.
final class BadCallTests: XCTestCase {
    private func refused(
        _ answer: RawCall.Answer, _ status: closs_status, index: Int64 = -1, _ words: String...,
        file: StaticString = #filePath, line: UInt = #line
    ) {
        XCTAssertEqual(answer.status, status, answer.message, file: file, line: line)
        XCTAssertEqual(answer.errorStatus, status, answer.message, file: file, line: line)
        XCTAssertEqual(answer.index, index, answer.message, file: file, line: line)
        XCTAssertTrue(answer.isUntouched, "touched; \(answer.message)", file: file, line: line)
        for word in words {
            XCTAssertTrue(
                answer.message.contains(word), "'\(answer.message)' lacks '\(word)'", file: file, line: line)
        }
    }

    private func accepted(_ answer: RawCall.Answer, file: StaticString = #filePath, line: UInt = #line) {
        XCTAssertEqual(answer.status, CLOSS_OK, answer.message, file: file, line: line)
        XCTAssertEqual(answer.errorStatus, CLOSS_OK, file: file, line: line)
        XCTAssertEqual(answer.index, -1, file: file, line: line)
        XCTAssertEqual(answer.message, "", file: file, line: line)
    }

    /// Plans are refused and none is made.
    private func refused(
        _ spec: closs_spec, _ status: closs_status, index: Int64 = -1, _ words: String...,
        file: StaticString = #filePath, line: UInt = #line
    ) {
        var spec = spec
        let sentinel = OpaquePointer(bitPattern: 0x5A5A)
        var plan = sentinel
        var error = closs_error()
        let found = closs_plan_create(&spec, &plan, &error)
        let message = withUnsafeBytes(of: error.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        XCTAssertEqual(found, status, message, file: file, line: line)
        XCTAssertEqual(error.status, status, message, file: file, line: line)
        XCTAssertEqual(error.index, index, message, file: file, line: line)
        XCTAssertNil(plan, "what a refused creation leaves may be destroyed", file: file, line: line)
        for word in words {
            XCTAssertTrue(message.contains(word), "'\(message)' lacks '\(word)'", file: file, line: line)
        }
        XCTAssertEqual(closs_plan_create(&spec, &plan, nil), status, "without an error", file: file, line: line)
    }

    private func call() -> RawCall { RawCall(closs_spec(CLOSS_SOFTMAX, [.dice(), .crossEntropy()])) }
    private func sigmoidCall() -> RawCall { RawCall(closs_spec(CLOSS_SIGMOID, [.binary(), .focal()])) }
    private let withBatch: [RawCall.Verb] = [.value, .evaluate, .accumulate, .gradient]

    /// What is spoiled below is good before.
    func testGoodCalls() {
        for verb in RawCall.Verb.allCases {
            accepted(call().call(verb))
            accepted(sigmoidCall().call(verb))
        }
        XCTAssertFalse(call().evaluate().isUntouched, "the look at the buffers notices nothing")
        XCTAssertFalse(call().merge().isUntouched)
        XCTAssertFalse(call().finish().isUntouched)
        // Every array of a result may be left out, counts may be greater than needed.
        let call = call()
        call.result.terms = nil
        call.result.per_class = nil
        call.result.terms_count = 0
        call.result.per_class_count = 0
        accepted(call.evaluate())
        accepted(call.finish())
        XCTAssertNotEqual(call.result.value, 12.5)
        call.coefficients = nil
        call.coefficientsCount = 0
        accepted(call.finish())
        call.batch.sample_count = 2
        call.batch.voxel_count = 70
        accepted(call.evaluate())
        let large = self.call()
        large.result.terms_count += 1000
        large.result.per_class_count += 1000
        accepted(large.evaluate())
    }

    // MARK: NULL

    func testNull() {
        var error = closs_error()
        XCTAssertEqual(closs_plan_create(nil, nil, &error), CLOSS_NULL_POINTER)
        var plan: OpaquePointer?
        XCTAssertEqual(closs_plan_create(nil, &plan, &error), CLOSS_NULL_POINTER)
        XCTAssertNil(plan)
        var spec = closs_spec(CLOSS_SOFTMAX, [.dice()])
        XCTAssertEqual(closs_plan_create(&spec, nil, &error), CLOSS_NULL_POINTER)
        spec.terms = nil
        refused(spec, CLOSS_NULL_POINTER, "terms")

        closs_plan_destroy(nil)
        XCTAssertEqual(closs_scratch_bytes(nil), 0)
        XCTAssertEqual(closs_totals_count(nil), 0)
        XCTAssertEqual(closs_coefficients_count(nil), 0)
        XCTAssertEqual(closs_plan_threads(nil), 0)

        for (weights, name) in [
            (closs_term.crossEntropy { $0.class_weights_count = 3 }, "class_weights"),
            (closs_term.dice { $0.class_weights_count = 3 }, "class_weights"),
        ] {
            refused(closs_spec(CLOSS_SOFTMAX, [.dice(), weights]), CLOSS_NULL_POINTER, index: 1, name)
        }
        refused(
            closs_spec(CLOSS_SIGMOID, [.binary { $0.positive_weights_count = 3 }]), CLOSS_NULL_POINTER, index: 0,
            "positive_weights")

        for verb in withBatch {
            var spoiled = call()
            spoiled.logits = nil
            refused(spoiled.call(verb), CLOSS_NULL_POINTER, "logits")
            spoiled = call()
            spoiled.batch.targets = nil
            refused(spoiled.call(verb), CLOSS_NULL_POINTER, "labels")
            spoiled = call()
            spoiled.batch.mask_count = 140
            refused(spoiled.call(verb), CLOSS_NULL_POINTER, "mask")
            spoiled = call()
            spoiled.batch.weights_count = 140
            refused(spoiled.call(verb), CLOSS_NULL_POINTER, "weights")
            spoiled = call()
            spoiled.scratch = nil
            refused(spoiled.call(verb), CLOSS_NULL_POINTER, "scratch")
        }
        for verb in [RawCall.Verb.evaluate, .gradient] {
            let spoiled = call()
            spoiled.gradientValues = nil
            refused(spoiled.call(verb), CLOSS_NULL_POINTER, "gradient")
        }
        for verb in [RawCall.Verb.accumulate, .finish, .merge] {
            let spoiled = call()
            spoiled.totals = nil
            refused(spoiled.call(verb), CLOSS_NULL_POINTER, verb == .merge ? "into" : "totals")
        }
        let c = call()
        c.coefficients = nil
        refused(c.gradientOfPart(), CLOSS_NULL_POINTER, "coefficients")
        let g = call()
        refused(
            g.watched {
                closs_gradient(
                    g.plan, g.coefficients, g.coefficientsCount, &g.batch, nil, g.scratch,
                    g.scratchBytes, $0)
            }, CLOSS_NULL_POINTER, "gradient")
        refused(
            g.watched { closs_merge(g.plan, 0, g.totals, g.totalsCount, nil, g.totalsCount, $0) },
            CLOSS_NULL_POINTER, "from")
        refused(
            g.watched { closs_finish(g.plan, g.totals, g.totalsCount, nil, g.coefficients, g.coefficientsCount, $0) },
            CLOSS_NULL_POINTER, "result")
        refused(
            g.watched { closs_evaluate(g.plan, &g.batch, &g.gradient, nil, g.scratch, g.scratchBytes, $0) },
            CLOSS_NULL_POINTER, "result")
        refused(
            g.watched { closs_evaluate(g.plan, nil, &g.gradient, &g.result, g.scratch, g.scratchBytes, $0) },
            CLOSS_NULL_POINTER, "batch")
        refused(
            g.watched { closs_accumulate(g.plan, 0, nil, g.totals, g.totalsCount, g.scratch, g.scratchBytes, $0) },
            CLOSS_NULL_POINTER, "batch")
        refused(
            g.watched {
                closs_gradient(
                    g.plan, g.coefficients, g.coefficientsCount, nil, &g.gradient, g.scratch,
                    g.scratchBytes, $0)
            }, CLOSS_NULL_POINTER, "batch")
        // Without a plan.
        refused(
            g.watched { closs_evaluate(nil, &g.batch, &g.gradient, &g.result, g.scratch, g.scratchBytes, $0) },
            CLOSS_NULL_POINTER, "plan")
        refused(
            g.watched { closs_accumulate(nil, 0, &g.batch, g.totals, g.totalsCount, g.scratch, g.scratchBytes, $0) },
            CLOSS_NULL_POINTER, "plan")
        refused(
            g.watched { closs_finish(nil, g.totals, g.totalsCount, &g.result, nil, 0, $0) }, CLOSS_NULL_POINTER, "plan")
        refused(
            g.watched { closs_merge(nil, 0, g.totals, g.totalsCount, g.totals, g.totalsCount, $0) },
            CLOSS_NULL_POINTER, "plan")
        refused(
            g.watched {
                closs_gradient(
                    nil, g.coefficients, g.coefficientsCount, &g.batch, &g.gradient, g.scratch,
                    g.scratchBytes, $0)
            }, CLOSS_NULL_POINTER, "plan")
        var (first, count) = (5, 5)
        closs_stage_words(nil, 0, &first, &count)
        XCTAssertEqual(count, 0)
    }

    /// A refused call works without an error to write to.
    func testWithoutError() {
        let bad = call()
        bad.batch.logits_count = 1
        XCTAssertEqual(
            bad.watched { _ in
                closs_evaluate(bad.plan, &bad.batch, &bad.gradient, &bad.result, bad.scratch, bad.scratchBytes, nil)
            }.status, CLOSS_WRONG_SIZE)
        let good = call()
        XCTAssertEqual(
            closs_evaluate(good.plan, &good.batch, nil, &good.result, good.scratch, good.scratchBytes, nil), CLOSS_OK)
    }

    // MARK: Counts and memory

    func testCounts() {
        for verb in withBatch {
            for (change, of) in [(-1, 420), (1, 420), (Int.min, 420)] {
                func changed(_ count: Int) -> Int { change == .min ? 0 : count + change }
                var spoiled = call()
                spoiled.batch.logits_count = changed(of)
                refused(spoiled.call(verb), CLOSS_WRONG_SIZE, "logits", "\(changed(420))", "420")
                spoiled = call()
                spoiled.batch.targets_count = changed(140)
                refused(spoiled.call(verb), CLOSS_WRONG_SIZE, "labels", "\(changed(140))", "140")
                spoiled = call()
                spoiled.addMask()
                accepted(spoiled.call(verb))
                spoiled.batch.mask_count = changed(140)
                refused(spoiled.call(verb), CLOSS_WRONG_SIZE, "mask", "\(changed(140))", "140")
                spoiled = call()
                spoiled.addWeights()
                accepted(spoiled.call(verb))
                spoiled.batch.weights_count = changed(140)
                refused(spoiled.call(verb), CLOSS_WRONG_SIZE, "weights", "\(changed(140))", "140")
                if verb == .evaluate || verb == .gradient {
                    spoiled = call()
                    spoiled.gradient.count = changed(420)
                    refused(spoiled.call(verb), CLOSS_WRONG_SIZE, "gradient", "\(changed(420))", "420")
                }
            }
            let dense = RawCall(closs_spec(CLOSS_SIGMOID, [.focal()]), target: CLOSS_DENSE_F32)
            accepted(dense.call(verb))
            dense.batch.targets_count = 140
            refused(dense.call(verb), CLOSS_WRONG_SIZE, "targets", "140", "420")
        }
    }

    func testTooSmall() {
        for verb in withBatch {
            for bytes in [0, 1, call().scratchBytes - 1] {
                let spoiled = call()
                spoiled.scratchBytes = bytes
                refused(spoiled.call(verb), CLOSS_TOO_SMALL, "scratch", "\(bytes)", "\(call().scratchBytes)")
            }
        }
        for verb in [RawCall.Verb.accumulate, .finish, .merge] {
            for words in [0, call().totalsCount - 1] {
                let spoiled = call()
                spoiled.totalsCount = words
                refused(spoiled.call(verb), CLOSS_TOO_SMALL, verb == .merge ? "into" : "totals", "\(words)")
            }
        }
        let m = call()
        refused(m.merge(count: m.totalsCount - 1), CLOSS_TOO_SMALL, "from")
        for verb in [RawCall.Verb.finish, .gradient] {
            let spoiled = call()
            spoiled.coefficientsCount -= 1
            refused(spoiled.call(verb), CLOSS_TOO_SMALL, "coefficients")
        }
        for verb in [RawCall.Verb.finish, .value, .evaluate] {
            var spoiled = call()
            spoiled.result.terms_count = 1
            refused(spoiled.call(verb), CLOSS_TOO_SMALL, "result.terms", "1", "2")
            spoiled = call()
            spoiled.result.per_class_count = 5
            refused(spoiled.call(verb), CLOSS_TOO_SMALL, "result.per_class", "5", "6")
        }
    }

    // MARK: Values that no enum has

    func testUnknownValues() {
        func spec(_ change: (inout closs_spec) -> Void) -> closs_spec {
            var spec = closs_spec(CLOSS_SIGMOID, [.dice(), .focal()])
            change(&spec)
            return spec
        }
        for raw in [99, UInt32.max] {
            refused(spec { $0.activation = closs_activation(rawValue: raw) }, CLOSS_BAD_OPTION, "activation")
            refused(spec { $0.checks = closs_checks(rawValue: raw) }, CLOSS_BAD_OPTION, "checks")
            refused(spec { $0.isa = closs_isa(rawValue: raw) }, CLOSS_UNSUPPORTED_ISA, "isa")
            XCTAssertEqual(closs_isa_available(closs_isa(rawValue: raw)), 0)
        }
        refused(spec { $0.activation = closs_activation(rawValue: 3) }, CLOSS_BAD_OPTION, "activation", "3")
        refused(spec { $0.checks = closs_checks(rawValue: 2) }, CLOSS_BAD_OPTION, "checks", "2")
        refused(spec { $0.isa = closs_isa(rawValue: 4) }, CLOSS_UNSUPPORTED_ISA, "isa", "4")
        for (isa, name) in [(CLOSS_ISA_AVX2, "AVX2"), (CLOSS_ISA_AVX512, "AVX-512")] where closs_isa_available(isa) == 0 {
            refused(spec { $0.isa = isa }, CLOSS_UNSUPPORTED_ISA, "isa is \(name)")
        }
        refused(spec { $0.threads = -1 }, CLOSS_BAD_THREADS, "threads", "-1")
        refused(spec { $0.threads = .min }, CLOSS_BAD_THREADS, "threads")
        for count in [0, 9, .max] {
            refused(spec { $0.term_count = count }, CLOSS_BAD_OPTION, "term_count", "\(count)")
        }
        refused(spec { $0.shape.voxels = -7 }, CLOSS_BAD_SHAPE, "voxels", "-7")
        refused(spec { $0.shape.voxels = 0 }, CLOSS_BAD_SHAPE, "voxels", "0")
        refused(spec { $0.shape.samples = 0 }, CLOSS_BAD_SHAPE, "samples", "0")
        refused(spec { $0.shape.classes = .min }, CLOSS_BAD_SHAPE, "classes")
        refused(spec { $0.shape.voxels = .max }, CLOSS_BAD_SHAPE, "too large")

        for raw in [UInt32(2), 77, .max] {
            let scope = closs_scope(rawValue: raw + (raw == 2 ? 2 : 0))
            let denominator = closs_denominator(rawValue: raw)
            refused(
                closs_spec(CLOSS_SIGMOID, [.focal(), .dice { $0.scope = scope }]), CLOSS_BAD_OPTION, index: 1, "scope")
            refused(
                closs_spec(CLOSS_SIGMOID, [.focal(), .dice { $0.denominator = denominator }]), CLOSS_BAD_OPTION,
                index: 1, "denominator")
            refused(
                closs_spec(CLOSS_SIGMOID, [.focal(), .balanced { $0.scope = scope }]), CLOSS_BAD_OPTION, index: 1,
                "scope")
        }
        for raw in [UInt32(6), 77, .max] {
            let divisor = closs_divisor(rawValue: raw)
            refused(
                closs_spec(CLOSS_SIGMOID, [.dice(), .focal { $0.divisor = divisor }]), CLOSS_BAD_OPTION, index: 1,
                "divisor")
            refused(
                closs_spec(CLOSS_SIGMOID, [.dice(), .binary { $0.divisor = divisor }]), CLOSS_BAD_OPTION, index: 1,
                "divisor")
            refused(
                closs_spec(CLOSS_SOFTMAX, [.dice(), .crossEntropy { $0.divisor = divisor }]), CLOSS_BAD_OPTION,
                index: 1, "divisor")
        }
        for raw in [UInt32(0), 6, .max] {
            var term = closs_term.dice()
            term.kind = closs_term_kind(rawValue: raw)
            refused(closs_spec(CLOSS_SIGMOID, [.dice(), term]), CLOSS_BAD_TERM, index: 1, "kind")
        }
        for verb in withBatch {
            for raw in [UInt32(0), 7, .max] {
                let spoiled = call()
                spoiled.batch.target = closs_target(rawValue: raw)
                refused(spoiled.call(verb), CLOSS_BAD_OPTION, "target")
            }
        }
        for verb in [RawCall.Verb.evaluate, .gradient] {
            for raw in [UInt32(2), 77, .max] {
                let spoiled = call()
                spoiled.gradient.write = closs_write(rawValue: raw)
                refused(spoiled.call(verb), CLOSS_BAD_OPTION, "write")
            }
            for scale in [Float.nan, .infinity, -.infinity] {
                let spoiled = call()
                spoiled.gradient.scale = scale
                refused(spoiled.call(verb), CLOSS_BAD_OPTION, "scale")
            }
        }
        for stage in [Int32(-1), 1, .max, .min] {
            let spoiled = call()
            refused(spoiled.accumulate(stage: stage), CLOSS_BAD_OPTION, "stage", "\(stage)")
            refused(spoiled.merge(stage: stage), CLOSS_BAD_OPTION, "stage", "\(stage)")
            var (first, count) = (3, 3)
            closs_stage_words(spoiled.plan, stage, &first, &count)
            XCTAssertEqual(count, 0)
        }
    }

    // MARK: Parts

    func testParts() {
        func spoiled(
            _ firstSample: Int64, _ samples: Int64, _ firstVoxel: Int64, _ voxels: Int64, _ word: String,
            line: UInt = #line
        ) {
            for verb in withBatch {
                let call = call()
                call.batch.first_sample = firstSample
                call.batch.sample_count = samples
                call.batch.first_voxel = firstVoxel
                call.batch.voxel_count = voxels
                refused(call.call(verb), CLOSS_BAD_PART, word, line: line)
            }
        }
        for (first, count) in [(-1, 1), (2, 0), (2, 1), (1, 2), (0, 3), (0, -1), (.max, 1), (1, .max), (.min, .min)]
            as [(Int64, Int64)]
        {
            spoiled(first, count, 0, 0, "samples")
        }
        for (first, count) in [(-64, 64), (128, 0), (64, 7), (0, 71), (0, -1), (.max, 1), (64, .max)]
            as [(Int64, Int64)]
        {
            spoiled(0, 0, first, count, "voxels")
        }
        for (first, count) in [(1, 63), (0, 1), (0, 63), (64, 5), (63, 7)] as [(Int64, Int64)] {
            spoiled(0, 0, first, count, "64")
        }
        // Right for a part, but not for a call that takes the whole batch.
        for verb in [RawCall.Verb.value, .evaluate] {
            let call = call()
            call.batch.sample_count = 1
            refused(call.call(verb), CLOSS_BAD_PART, "whole")
        }
        let part = RawCall(closs_spec(CLOSS_SIGMOID, [.balanced()]))
        part.batch.voxel_count = 64
        refused(part.accumulate(), CLOSS_BAD_PART, "whole samples")
    }

    // MARK: Overlap

    /// Every buffer that is written overlaps with every other one, by one byte.
    func testOverlap() {
        /// Makes one buffer begin inside another: at its last byte that leaves the address aligned.
        func overlapping(
            _ verb: RawCall.Verb, _ first: String, _ second: String, line: UInt = #line,
            _ spoil: (RawCall) -> Void
        ) {
            let call = RawCall(closs_spec(CLOSS_SIGMOID, [.binary(), .dice()]))
            call.addMask()
            call.addWeights()
            accepted(call.call(verb), line: line)
            spoil(call)
            let answer = call.call(verb)
            refused(answer, CLOSS_OVERLAP, "overlap", first, second, line: line)
            // What a gradient may do is said of gradients alone.
            XCTAssertEqual(
                answer.message.contains("very buffer"), [first, second].contains("gradient"), answer.message, line: line)
        }
        func inside<Value>(_ pointer: UnsafePointer<Value>?, _ count: Int) -> UnsafeMutableRawPointer {
            UnsafeMutableRawPointer(mutating: pointer! + count - 1)
        }
        for verb in [RawCall.Verb.evaluate, .gradient] {
            overlapping(verb, "logits", "gradient") { $0.gradientValues = .init(mutating: $0.logits! + 1) }
            overlapping(verb, "logits", "gradient") { $0.gradientValues = .init(mutating: $0.logits! + 419) }
            overlapping(verb, "logits", "gradient") {
                $0.gradientValues = .init(mutating: $0.logits)
                $0.gradient.write = CLOSS_ADD
            }
            overlapping(verb, "gradient", "scratch") { $0.scratch = inside($0.gradientValues, 420) }
            overlapping(verb, "mask", "gradient") {
                $0.batch.mask = UnsafePointer(inside($0.gradientValues, 420).assumingMemoryBound(to: UInt8.self))
            }
            overlapping(verb, "weights", "gradient") { $0.batch.weights = UnsafePointer($0.gradientValues! + 419) }
            overlapping(verb, "targets", "gradient") {
                $0.batch.targets = UnsafeRawPointer(inside($0.gradientValues, 420))
            }
            // In place, the logits are written.
            overlapping(verb, "logits", "targets") {
                $0.gradientValues = .init(mutating: $0.logits)
                $0.batch.targets = UnsafeRawPointer(inside($0.logits, 420))
            }
            overlapping(verb, "logits", "weights") {
                $0.gradientValues = .init(mutating: $0.logits)
                $0.batch.weights = $0.logits
            }
        }
        for verb in withBatch {
            overlapping(verb, "logits", "scratch") { $0.scratch = inside($0.logits, 420) }
            overlapping(verb, "targets", "scratch") {
                $0.scratch = inside($0.batch.targets!.assumingMemoryBound(to: UInt8.self), 140)
            }
            overlapping(verb, "mask", "scratch") { $0.scratch = inside($0.batch.mask, 140) }
            overlapping(verb, "weights", "scratch") { $0.scratch = inside($0.batch.weights, 140) }
        }
        overlapping(.accumulate, "totals", "scratch") { $0.scratch = UnsafeMutableRawPointer($0.totals! + 1) }
        overlapping(.accumulate, "logits", "totals") {
            $0.logits = UnsafePointer(UnsafeMutableRawPointer($0.totals!).assumingMemoryBound(to: Float.self))
        }
        overlapping(.gradient, "coefficients", "scratch") { $0.scratch = UnsafeMutableRawPointer($0.coefficients! + 1) }
        overlapping(.gradient, "gradient", "coefficients") {
            $0.gradientValues = UnsafeMutableRawPointer($0.coefficients!).assumingMemoryBound(to: Float.self)
        }
        // Inputs may share memory: nothing of them is written.
        let shared = RawCall(closs_spec(CLOSS_SIGMOID, [.binary(), .dice()]))
        shared.batch.mask = shared.batch.targets!.assumingMemoryBound(to: UInt8.self)
        shared.batch.mask_count = 140
        accepted(shared.evaluate())
        // And the gradient may be the logits' very memory.
        shared.gradientValues = .init(mutating: shared.logits)
        accepted(shared.evaluate())
    }

    // MARK: Values

    /// A few of BadInputTests' cases through the structs themselves: the result's fields too are untouched.
    func testValues() {
        for verb in withBatch {
            let bad = call()
            let at = 2 * 70 + 69
            UnsafeMutablePointer(mutating: bad.logits!)[at] = .infinity
            refused(bad.call(verb), CLOSS_NOT_FINITE, index: Int64(at), "logits[\(at)]", "inf")
            let label = call()
            UnsafeMutableRawPointer(mutating: label.batch.targets!).storeBytes(of: 9, toByteOffset: 139, as: UInt8.self)
            refused(label.call(verb), CLOSS_BAD_LABEL, index: 139, "labels[139]", "9")
            let weight = sigmoidCall()
            weight.addWeights()
            UnsafeMutablePointer(mutating: weight.batch.weights!)[77] = -.infinity
            refused(weight.call(verb), CLOSS_BAD_WEIGHT, index: 77, "weights[77]", "-inf")
            let target = RawCall(closs_spec(CLOSS_SIGMOID, [.focal()]), target: CLOSS_DENSE_F32)
            UnsafeMutableRawPointer(mutating: target.batch.targets!).storeBytes(
                of: 1.5, toByteOffset: 4 * 417, as: Float.self)
            refused(target.call(verb), CLOSS_BAD_TARGET, index: 417, "targets[417]", "1.5")
            let probability = RawCall(closs_spec(CLOSS_PROBABILITIES, [.focal()]))
            UnsafeMutablePointer(mutating: probability.logits!)[418] = -0.25
            refused(probability.call(verb), CLOSS_BAD_PROBABILITY, index: 418, "probabilities[418]", "-0.25")
            if verb != .gradient {
                let large = sigmoidCall()
                UnsafeMutablePointer(mutating: large.logits!)[139] = 1e6
                refused(large.call(verb), CLOSS_OUT_OF_RANGE, index: 134, "134")
            }
        }
        let coefficients = call()
        for i in 0..<coefficients.coefficientsCount {
            coefficients.coefficients![i] = Int64(bitPattern: (1e300).bitPattern)
        }
        refused(coefficients.gradientOfPart(), CLOSS_OUT_OF_RANGE, "coefficient")
    }

    // MARK: Statuses

    func testStatusTexts() {
        var texts: Set<String> = []
        for raw in 0...UInt32(17) { texts.insert(String(cString: closs_status_text(closs_status(rawValue: raw)))) }
        XCTAssertEqual(texts.count, 18)
        for raw in [18, 4711, UInt32.max] {
            let text = String(cString: closs_status_text(closs_status(rawValue: raw)))
            XCTAssertEqual(text, "unknown status")
        }
        XCTAssertFalse(texts.contains("unknown status"))
    }

    /// The statuses of the header and the kinds of the facade are the same list; a new one must be tested here.
    func testEveryStatusIsAKind() throws {
        let header = try CompletenessTests.header()
        let statuses = header.matches(of: /CLOSS_[A-Z_]+ = (\d+),?\s+\/\*[^*]*\*\//).compactMap { Int($0.output.1) }
        XCTAssertEqual(LossError.Kind.allCases.count, 17)
        XCTAssertTrue(statuses.contains(17) && !statuses.contains(18))
    }
}
