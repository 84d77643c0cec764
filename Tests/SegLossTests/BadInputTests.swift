import CKernelProbe
import SegLoss
import SegLossReference
import XCTest

/// Everything that is refused, through the facade: with the right kind, the place and the value of what was wrong, the
/// same on any number of threads, and with nothing of the caller's touched. Good calls stand next to the bad ones.
/// What Swift cannot express is in BadCallTests.
final class BadInputTests: XCTestCase {
    private typealias Term = SegLossReference.Term

    // MARK: Plans

    private func refuse(
        _ kind: LossError.Kind, index: Int? = nil, _ words: [String], _ loss: Loss,
        shape: Shape = .flat(samples: 2, classes: 3, voxels: 70), activation: Activation = .sigmoid,
        options: Options = Options(), file: StaticString = #filePath, line: UInt = #line
    ) {
        do throws(LossError) {
            _ = try Evaluator(loss, shape: shape, activation: activation, options: options)
            XCTFail("planned; expected \(kind)", file: file, line: line)
        } catch {
            check(error, kind, index, words, file: file, line: line)
        }
    }

    private func check(
        _ error: LossError, _ kind: LossError.Kind, _ index: Int?, _ words: [String], _ context: String = "",
        file: StaticString, line: UInt
    ) {
        XCTAssertEqual(error.kind, kind, "\(error.message); \(context)", file: file, line: line)
        XCTAssertEqual(error.index, index, "\(error.message); \(context)", file: file, line: line)
        for word in words {
            XCTAssertTrue(
                error.message.contains(word), "'\(error.message)' lacks '\(word)'; \(context)", file: file, line: line)
        }
        XCTAssertFalse(error.message.isEmpty, context, file: file, line: line)
    }

    func testShapes() throws {
        let dice = Loss.dice()
        for extents in [[0], [-1], [4, 0], [4, -5, 6]] {
            let bad = extents.first { $0 < 1 }!
            refuse(.badShape, ["\(bad)"], dice, shape: Shape(samples: 1, classes: 1, extents: extents))
        }
        refuse(.badShape, ["samples", "0"], dice, shape: .flat(samples: 0, classes: 1, voxels: 4))
        refuse(.badShape, ["samples", "-2"], dice, shape: .flat(samples: -2, classes: 1, voxels: 4))
        refuse(.badShape, ["classes", "0"], dice, shape: .flat(samples: 1, classes: 0, voxels: 4))
        refuse(.badShape, ["classes", "513", "512"], dice, shape: .flat(samples: 1, classes: 513, voxels: 4))
        for classes in [1, 0, -1, 513] {
            refuse(
                .badShape, ["classes", "\(classes)"], dice, shape: .flat(samples: 1, classes: classes, voxels: 4),
                activation: .softmax)
        }
        for shape in [
            Shape.planar(samples: 1, classes: 1, height: .max, width: .max),
            .flat(samples: 1, classes: 2, voxels: .max / 8), .flat(samples: .max / 4, classes: 1, voxels: 8),
            .flat(samples: .max / 64, classes: 2, voxels: 1),
        ] {
            refuse(.badShape, ["too large"], dice, shape: shape)
        }
        // The ranking counts values in 32 bits.
        refuse(
            .badShape, index: 0, ["4294967295"], .balancedBinaryCrossEntropy(),
            shape: .flat(samples: 1 << 16, classes: 1, voxels: 1 << 16))
        _ = try Evaluator(.dice(), shape: .flat(samples: 1, classes: 512, voxels: 1), activation: .softmax)
        _ = try Evaluator(.dice(), shape: .flat(samples: 1, classes: 2, voxels: 1), activation: .softmax)
        _ = try Evaluator(.dice(), shape: Shape(samples: 1, classes: 1, extents: []), activation: .sigmoid)
    }

    func testOptions() throws {
        for threads in [-1, -100, Int.min] {
            refuse(.badThreads, ["threads"], .dice(), options: Options(threads: threads))
        }
        for set in InstructionSet.allCases where !set.isAvailable {
            refuse(.unsupportedInstructionSet, ["isa"], .dice(), options: Options(instructionSet: set))
        }
        refuse(.badOption, ["term_count", "0"], Loss(terms: []))
        let nine = (0..<8).reduce(Loss.dice()) { sum, _ in sum + .dice() }
        refuse(.badOption, ["term_count", "9"], nine)
        _ = try Evaluator(
            Loss(terms: Array(nine.terms.dropLast())), shape: .flat(samples: 1, classes: 1, voxels: 1),
            activation: .sigmoid)
    }

    /// Each option of each term, with what is just outside its range and what is no number. A good term stands before
    /// the bad one: the index is the bad one's.
    func testTermOptions() throws {
        func refused(
            _ loss: Loss, _ words: String..., activation: Activation = .sigmoid, kind: LossError.Kind = .badOption,
            line: UInt = #line
        ) {
            refuse(kind, index: 1, ["terms[1]"] + words, .dice() + loss, activation: activation, line: line)
        }
        func accepted(_ loss: Loss, activation: Activation = .sigmoid, line: UInt = #line) {
            XCTAssertNoThrow(
                try Evaluator(
                    .dice() + loss, shape: .flat(samples: 2, classes: 3, voxels: 70), activation: activation),
                line: line)
        }
        let notNumbers: [Double] = [.nan, .infinity, -.infinity]

        for weight in notNumbers {
            refused(weight * .dice(), "weight")
            refused(weight * .focal(), "weight")
            refused(weight * .crossEntropy(), "weight", activation: .softmax)
        }
        accepted(-3 * .dice())
        accepted(0 * .dice())

        for smoothing in notNumbers + [-0.01, 1.01] {
            refused(.crossEntropy(labelSmoothing: smoothing), "label_smoothing", activation: .softmax)
        }
        for smoothing in [0, 1.0] { accepted(.crossEntropy(labelSmoothing: smoothing), activation: .softmax) }

        for constant in notNumbers + [0, -1] {
            refused(.crossEntropy(divisor: .constant(constant)), "divisor_value", activation: .softmax)
            refused(.binaryCrossEntropy(divisor: .constant(constant)), "divisor_value")
            refused(.focal(divisor: .constant(constant)), "divisor_value")
        }
        for gamma in notNumbers + [-0.5, -.leastNonzeroMagnitude] { refused(.focal(gamma: gamma), "gamma") }
        refused(.focal(gamma: -0.5), "-0.5")
        for alpha in notNumbers + [-1, -0.01, 1.01] { refused(.focal(alpha: alpha), "alpha") }
        for alpha in [0, 1, nil] as [Double?] { accepted(.focal(gamma: 0, alpha: alpha)) }
        for smooth in notNumbers + [-1e-9] {
            refused(.dice(smooth: .numerator(smooth)), "smooth_numerator")
            refused(.dice(smooth: .denominator(smooth)), "smooth_denominator")
            refused(.dice(smooth: .both(smooth)), "smooth_numerator")
            refused(.dice(smooth: .separate(numerator: 1, denominator: smooth)), "smooth_denominator")
        }
        accepted(.dice(smooth: .none))
        for ratio in notNumbers + [-0.1] {
            refused(.balancedBinaryCrossEntropy(negativeRatio: ratio), "negative_ratio")
        }
        for epsilon in notNumbers + [-1e-9] { refused(.balancedBinaryCrossEntropy(epsilon: epsilon), "epsilon") }
        for minimum in [-1, Int.min] {
            refused(.balancedBinaryCrossEntropy(minimumNegatives: minimum), "minimum_negatives", "\(minimum)")
        }
        accepted(.balancedBinaryCrossEntropy(negativeRatio: 0, minimumNegatives: .max, epsilon: 0))

        for bad in [-1, -.leastNonzeroMagnitude, .nan, .infinity, 524_288] as [Float] {
            let weights: [Float] = [1, 1, bad]
            refused(.crossEntropy(classWeights: weights), "class_weights[2]", activation: .softmax)
            refused(.binaryCrossEntropy(positiveWeights: weights), "positive_weights[2]")
            refused(.dice(classWeights: .multiplied(weights)), "class_weights[2]")
        }
        refused(.crossEntropy(classWeights: [0, 0, 0]), "class_weights", activation: .softmax)
        refused(.dice(classWeights: [0, 0, 0]), "class_weights")
        refused(.dice(classes: .foreground, classWeights: [1, 0, 0]), "class_weights")
        accepted(.binaryCrossEntropy(positiveWeights: [0, 0, 0]))
        accepted(.dice(classWeights: [Float(524_288).nextDown, 0, 0]))
        for weights in [[1, 1], [1, 1, 1, 1], []] as [[Float]] {
            let count = "\(weights.count)"
            refused(.crossEntropy(classWeights: weights), count, "3", activation: .softmax, kind: .wrongSize)
            refused(.binaryCrossEntropy(positiveWeights: weights), count, "3", kind: .wrongSize)
            refused(.dice(classWeights: .multiplied(weights)), count, "3", kind: .wrongSize)
        }
        refuse(
            .badOption, index: 0, ["exclude_background"], .dice(classes: .foreground),
            shape: .flat(samples: 1, classes: 1, voxels: 4))
    }

    func testTermsThatDoNotFit() {
        for loss in [Loss.binaryCrossEntropy(), .balancedBinaryCrossEntropy()] {
            refuse(.badTerm, index: 1, ["terms[1]", "sigmoid"], .crossEntropy() + loss, activation: .softmax)
        }
        refuse(.badTerm, index: 0, ["terms[0]", "per_channel"], .binaryCrossEntropy(), activation: .softmax)
        for activation in [Activation.sigmoid, .probabilities] {
            refuse(
                .badTerm, index: 2, ["terms[2]", "softmax"], .dice() + .focal() + .crossEntropy(),
                activation: activation)
            refuse(
                .badTerm, index: 2, ["terms[2]", "second"],
                .balancedBinaryCrossEntropy() + .dice() + .balancedBinaryCrossEntropy(scope: .sample),
                activation: activation)
        }
    }

    /// Memory that is not there.
    func testNoMemory() throws {
        guard probe_heap_is_watched() != 0 else { throw XCTSkip("the heap is not watched here") }
        // Everything that Swift makes lazily is there already.
        let make = { () throws(LossError) -> Evaluator in
            try Evaluator(.dice(), shape: .flat(samples: 1, classes: 1, voxels: 1), activation: .sigmoid)
        }
        _ = try make()
        probe_fail_calloc(1)
        let outcome = Result { () throws(LossError) in try make() }
        probe_fail_calloc(0)
        switch outcome {
        case .success: XCTFail("planned without memory")
        case .failure(let error): check(error, .outOfMemory, nil, ["memory"], file: #filePath, line: #line)
        }
        _ = try make()
    }

    // MARK: Sizes

    /// Every buffer, too short, too long and empty, in every verb.
    func testSizes() throws {
        let small = problem(.softmax)
        let good = small.target
        for change in [-1, 1, Int.min] {
            func resized<Element>(_ values: [Element]) -> [Element] {
                change == Int.min ? [] : change < 0 ? Array(values.dropLast()) : values + [values[0]]
            }
            func count(_ whole: Int) -> String { "\(change == Int.min ? 0 : whole + change)" }
            var bad = small
            bad.logits = resized(small.logits)
            var batch = Batch(bad)
            batch.gradient = Array(repeating: 0.5, count: small.logits.count)
            // In place the gradient is the logits.
            refuse(batch, of: small, .wrongSize, nil, ["logits", count(1260), "1260"])

            bad = small
            bad.labels = resized(small.labels)
            for labels in Configuration.LabelType.allCases {
                refuse(Batch(bad, labels: labels), of: small, .wrongSize, nil, ["labels", count(420), "420"])
            }
            bad.target = good
            bad.mask = resized(Array(repeating: 1, count: 420))
            refuse(Batch(bad), of: small, .wrongSize, nil, ["mask", count(420), "420"])
            bad.mask = nil
            bad.weights = resized(Array(repeating: 1, count: 420))
            refuse(Batch(bad), of: small, .wrongSize, nil, ["weights", count(420), "420"])

            batch = Batch(small)
            batch.gradient = resized(batch.gradient)
            refuse(
                batch, of: small, .wrongSize, nil, ["gradient", count(1260), "1260"],
                only: [.gradient, .add, .gradientOfPart])

            for byte in [true, false] {
                var dense = problem(.sigmoid, dense: byte)
                let whole = dense
                dense.dense = resized(dense.dense)
                refuse(Batch(dense), of: whole, .wrongSize, nil, ["targets", count(1260), "1260"])
            }
        }
    }

    /// Totals and coefficients of another plan.
    func testOtherPlansTotals() throws {
        let small = problem(.softmax)
        var evaluator = try Evaluator(small)
        let foreign = try Evaluator(
            .crossEntropy(), shape: .flat(samples: 1, classes: 2, voxels: 1), activation: .softmax)
        var others = foreign.makeTotals()
        let batch = Batch(small)
        expect(.badTerm, nil, ["another loss"]) { () throws(LossError) in try batch.accumulate(&evaluator, into: &others) }
        expect(.badTerm, nil, ["another loss"]) { () throws(LossError) in _ = try evaluator.finish(others) }
        var totals = evaluator.makeTotals()
        totals.words = [7, 8]
        expect(.tooSmall, nil, ["2 words"]) { () throws(LossError) in try batch.accumulate(&evaluator, into: &totals) }
        XCTAssertEqual(totals.words, [7, 8])
        expect(.tooSmall, nil, ["2 words"]) { () throws(LossError) in _ = try evaluator.finish(totals) }
        var own = evaluator.makeTotals()
        let before = own
        expect(.badTerm, nil, ["another loss"]) { () throws(LossError) in try own.merge(others) }
        expect(.tooSmall, nil, ["from"]) { () throws(LossError) in try own.merge(totals) }
        XCTAssertEqual(own, before)
        totals.words = []
        XCTAssertThrowsError(try evaluator.finish(totals))
        own.words.removeLast()
        expect(.tooSmall, nil, ["into"]) { () throws(LossError) in try own.merge(before) }

        var few = foreign
        let coefficients = try few.finish(few.makeTotals()).coefficients
        evaluator = try Evaluator(problem(.softmax, terms(.softmax)[3]))
        var copy = batch
        expect(.tooSmall, nil, ["coefficients"]) { () throws(LossError) in
            try copy.gradient(&evaluator, coefficients)
        }
        expect(.tooSmall, nil, ["coefficients"]) { () throws(LossError) in
            try copy.gradientInPlace(&evaluator, coefficients)
        }
        XCTAssertTrue(sameBits(copy.gradient, batch.gradient) && sameBits(copy.logits, batch.logits))
    }

    func testStages() throws {
        var evaluator = try Evaluator(
            .balancedBinaryCrossEntropy(), shape: .flat(samples: 2, classes: 3, voxels: 210), activation: .sigmoid)
        XCTAssertEqual(evaluator.stageCount, 4)
        let batch = Batch(problem(.sigmoid))
        for stage in [-1, 4, 5, .max, .min] {
            var totals = evaluator.makeTotals()
            let before = totals
            expect(.badOption, nil, ["stage"]) { () throws(LossError) in
                try batch.accumulate(&evaluator, stage: stage, into: &totals)
            }
            expect(.badOption, nil, ["stage"]) { () throws(LossError) in try totals.merge(before, stage: stage) }
            expect(.badOption, nil, ["stage", "\(stage)"]) { () throws(LossError) in
                _ = try totals.wordRange(ofStage: stage)
            }
            XCTAssertEqual(totals, before)
        }
    }

    /// Words that cannot come from totals: their sum would not be exact.
    func testMergeOutOfRange() throws {
        let evaluator = try Evaluator(problem(.softmax))
        for (a, b) in [(Int64.max, Int64.max), (.max, 1), (.min, -1), (.min, .min)] {
            var into = evaluator.makeTotals()
            var from = into
            into.words[0] = a
            from.words[0] = b
            let before = into
            let outcome = Result { () throws(LossError) in try into.merge(from) }
            guard case .failure(let error) = outcome, error.kind == .outOfRange, into == before else {
                return XCTFail("\(a) + \(b) was added: \(outcome), \(into.words[0])")
            }
        }
    }

    func testParts() throws {
        let plain = problem(.softmax)  // 2 samples, 210 voxels
        var evaluator = try Evaluator(plain)
        let coefficients = try evaluator.finish(evaluator.makeTotals()).coefficients
        func refused(
            _ part: Part, _ words: String..., of whole: Problem? = nil, line: UInt = #line
        ) throws {
            // The buffers of the whole batch: whatever is wrong with the part is found first.
            let problem = whole ?? plain
            var evaluator = whole == nil ? evaluator : try Evaluator(problem)
            var batch = Batch(problem)
            var totals = evaluator.makeTotals()
            totals.words[0] = 42
            let (before, old) = (totals, batch)
            expect(.badPart, nil, words, line: line) { () throws(LossError) in
                try batch.accumulate(&evaluator, part: part, into: &totals)
            }
            XCTAssertEqual(totals, before, line: line)
            let k = whole == nil ? coefficients : try evaluator.finish(evaluator.makeTotals()).coefficients
            expect(.badPart, nil, words, line: line) { () throws(LossError) in
                try batch.gradient(&evaluator, part: part, k)
            }
            expect(.badPart, nil, words, line: line) { () throws(LossError) in
                try batch.gradientInPlace(&evaluator, part: part, k)
            }
            XCTAssertTrue(sameBits(batch.gradient, old.gradient) && sameBits(batch.logits, old.logits), line: line)
        }
        try refused(Part(samples: 1..<1), "empty")
        try refused(Part(voxels: 64..<64), "empty")
        try refused(Part(samples: 0..<3), "samples", "3", "2")
        try refused(Part(samples: 2..<3), "samples")
        try refused(Part(samples: -1..<1), "samples")
        try refused(Part(samples: Int.min..<Int.max), "samples")
        try refused(Part(voxels: 0..<211), "voxels", "211", "210")
        try refused(Part(voxels: 256..<257), "voxels")
        try refused(Part(voxels: -64..<64), "voxels")
        try refused(Part(voxels: Int.min..<Int.max), "voxels")
        try refused(Part(voxels: 1..<65), "64")
        try refused(Part(voxels: 0..<63), "64")
        try refused(Part(voxels: 64..<209), "64")
        try refused(Part(voxels: 100..<210), "64")
        // Each is right where the batch ends there, or is cut as it should be.
        for part in [Part(voxels: 64..<210), Part(voxels: 0..<64), Part(samples: 1..<2, voxels: 128..<192)] {
            var totals = evaluator.makeTotals()
            XCTAssertNoThrow(try Batch(plain.cut(part)).accumulate(&evaluator, part: part, into: &totals))
        }
        var balanced = problem(.sigmoid)
        balanced.terms = [Self.balancedTerm]
        try refused(Part(voxels: 0..<64), "whole samples", of: balanced)
        var one = try Evaluator(balanced)
        var totals = one.makeTotals()
        let sample = Part(samples: 1..<2)
        XCTAssertNoThrow(try Batch(balanced.cut(sample)).accumulate(&one, part: sample, into: &totals))
    }

    func testWrites() throws {
        let small = problem(.softmax)
        for scale in [Float.nan, .infinity, -.infinity] {
            var evaluator = try Evaluator(small)
            let k = try evaluator.finish(evaluator.makeTotals()).coefficients
            var batch = Batch(small)
            let old = batch
            for write in [Write.overwrite(scale: scale), .add(scale: scale)] {
                expect(.badOption, nil, ["scale"]) { () throws(LossError) in
                    _ = try batch.evaluateGradient(&evaluator, write)
                }
                expect(.badOption, nil, ["scale"]) { () throws(LossError) in
                    try batch.gradient(&evaluator, k, write)
                }
            }
            expect(.badOption, nil, ["scale"]) { () throws(LossError) in
                _ = try batch.evaluateInPlace(&evaluator, scale: scale)
            }
            expect(.badOption, nil, ["scale"]) { () throws(LossError) in
                try batch.gradientInPlace(&evaluator, k, scale: scale)
            }
            XCTAssertTrue(sameBits(batch.gradient, old.gradient) && sameBits(batch.logits, old.logits))
        }
    }

    /// Spans from unsafe memory can overlap.
    func testOverlap() throws {
        let small = problem(.softmax)
        var evaluator = try Evaluator(small)
        let values = small.logits.count
        let labels = small.labels.map { UInt8($0) }
        var memory = small.logits + small.logits
        let before = memory
        try memory.withUnsafeMutableBufferPointer { memory in
            let logits = UnsafeBufferPointer(rebasing: memory[0..<values]).span
            for shift in [1, 64, values - 1] {
                var gradient = UnsafeMutableBufferPointer(rebasing: memory[shift..<shift + values]).mutableSpan
                expect(.overlap, nil, ["logits", "gradient", "overlap", "the logits' very buffer"]) { () throws(LossError) in
                    _ = try evaluator.evaluate(logits: logits, labels: labels.span, gradient: &gradient)
                }
            }
            // The very same memory is in place; adding there would be meaningless.
            var gradient = UnsafeMutableBufferPointer(rebasing: memory[0..<values]).mutableSpan
            expect(.overlap, nil, ["overlap"]) { () throws(LossError) in
                _ = try evaluator.evaluate(logits: logits, labels: labels.span, gradient: &gradient, write: .add)
            }
            XCTAssertTrue(sameBits(Array(memory), before))
            var beside = UnsafeMutableBufferPointer(rebasing: memory[values..<2 * values]).mutableSpan
            _ = try evaluator.evaluate(logits: logits, labels: labels.span, gradient: &beside)
        }
    }

    // MARK: Values

    /// NaN and infinities: in the middle of a vector, in the tail, in other samples and classes, under the mask.
    func testNonFiniteLogits() throws {
        for activation in [Problem.Activation.softmax, .sigmoid] {
            for terms in terms(activation) {
                let good = problem(activation, terms)
                for (sample, channel, voxel) in Self.places {
                    for bad in [Float.nan, .infinity, -.infinity] {
                        let at = (sample * 3 + channel) * 210 + voxel
                        var problem = good
                        problem.logits[at] = bad
                        let word = bad.isNaN ? "nan" : bad > 0 ? "inf" : "-inf"
                        refuse(Batch(problem), of: good, .notFinite, at, ["logits[\(at)]", word])
                    }
                }
                // What is masked or ignored must be finite too.
                var problem = good
                problem.mask = Array(repeating: 1, count: 420)
                problem.mask![300] = 0
                problem.ignoreIndex = 9
                problem.labels[301] = 9
                accept(problem)
                for voxel in [300, 301] {
                    var bad = problem
                    let at = (1 * 3 + 2) * 210 + voxel - 210
                    bad.logits[at] = .nan
                    refuse(Batch(bad), of: problem, .notFinite, at, ["logits[\(at)]"])
                }
            }
        }
    }

    func testProbabilities() throws {
        for terms in terms(.probabilities) {
            let good = problem(.probabilities, terms)
            accept(good)
            for (sample, channel, voxel) in Self.places {
                for bad in [Float(1).nextUp, -.leastNonzeroMagnitude, -1, 2, .nan, .infinity, -.infinity] {
                    let at = (sample * 3 + channel) * 210 + voxel
                    var problem = good
                    problem.logits[at] = bad
                    let word = bad.isNaN ? "nan" : bad == 2 ? "2" : bad == -1 ? "-1" : "is"
                    refuse(Batch(problem), of: good, .badProbability, at, ["probabilities[\(at)]", word])
                    problem.mask = Array(repeating: 0, count: 420)
                    refuse(Batch(problem), of: good, .badProbability, at, ["probabilities[\(at)]"], only: [.value])
                }
                for edge in [Float(0), -0.0, 1] {
                    var problem = good
                    problem.logits[(sample * 3 + channel) * 210 + voxel] = edge
                    accept(problem)
                }
            }
        }
    }

    /// Labels that are no class, in every type; the same under a mask are nobody's business.
    func testLabels() throws {
        for activation in Problem.Activation.allCases {
            for terms in terms(activation) {
                for ignoreIndex in [nil, 250] as [Int?] {
                    var good = problem(activation, terms)
                    good.ignoreIndex = ignoreIndex
                    for (sample, _, voxel) in Self.places {
                        let at = sample * 210 + voxel
                        for (bad, type) in [
                            (3, Configuration.LabelType.uint8), (255, .uint8), (3, .uint16), (65535, .uint16),
                            (-1, .int32), (Int64(Int32.min), .int32), (Int64(Int32.max), .int32), (-1, .int64),
                            (1 << 32, .int64), (.min, .int64), (.max, .int), (1 << 32 + 250, .int64),
                        ] {
                            var problem = good
                            problem.labels[at] = bad
                            let words = ["labels[\(at)]", "\(bad)"] + (ignoreIndex.map { ["\($0)"] } ?? [])
                            refuse(Batch(problem, labels: type), of: good, .badLabel, at, words, only: [.value, .add])
                            problem.mask = Array(repeating: 1, count: 420)
                            problem.mask![at] = 0
                            accept(problem, labels: type)
                        }
                        if ignoreIndex != nil {
                            var problem = good
                            problem.labels[at] = 250
                            for type in Configuration.LabelType.allCases { accept(problem, labels: type) }
                        }
                    }
                }
            }
        }
        // All verbs, once.
        let good = problem(.softmax)
        var bad = good
        bad.labels[209] = 3
        refuse(Batch(bad), of: good, .badLabel, 209, ["labels[209]", "is 3", "0 to 2"])
        // One channel has two labels.
        var one = Generator(seed: 1).first(.sigmoid, classes: 1)
        one.labels[5] = 2
        var evaluator = try Evaluator(one)
        expect(.badLabel, 5, ["labels[5]", "is 2", "0 to 1"]) { () throws(LossError) in
            _ = try Batch(one).evaluate(&evaluator)
        }
    }

    /// An ignore_index may be anything: no class, a class, or beyond the labels' type.
    func testIgnoreIndex() throws {
        for ignoreIndex in [0, 2, 3, 255, -1, -100, 1 << 40, .min, .max] {
            var good = problem(.softmax)
            good.ignoreIndex = ignoreIndex
            accept(good)
            var evaluator = try Evaluator(good)
            var batch = Batch(good)
            var labels = good.labels
            labels[7] = Int64(ignoreIndex)
            batch.targets = .int64(labels)
            XCTAssertNoThrow(try batch.evaluate(&evaluator), "\(ignoreIndex)")
            labels[7] = 1 << 41
            batch.targets = .int64(labels)
            expect(.badLabel, 7, ["\(1 << 41)", "\(ignoreIndex)"]) { () throws(LossError) in
                _ = try batch.evaluate(&evaluator)
            }
        }
        // Beyond a narrow type it is no label at all, and must not be taken for its low bits.
        var narrow = problem(.softmax)
        narrow.ignoreIndex = 1 << 32 + 1
        let expected = try Library.evaluate(problem(.softmax))
        assertSameBits(narrow, Configuration(), expected)
    }

    func testSoftTargets() throws {
        for terms in terms(.sigmoid) {
            let isBalanced = terms.contains(where: \.isBalanced)
            let good = problem(.sigmoid, terms, dense: false)
            let bads: [Float] = [Float(1).nextUp, -.leastNonzeroMagnitude, -1, 2, .nan, .infinity, -.infinity]
            for (sample, channel, voxel) in Self.places {
                let at = (sample * 3 + channel) * 210 + voxel
                for bad in bads + (isBalanced ? [0.5, .leastNonzeroMagnitude, Float(1).nextDown] : []) {
                    var problem = good
                    problem.dense[at] = bad
                    refuse(Batch(problem), of: good, .badTarget, at, ["targets[\(at)]"], only: [.value, .gradient])
                    problem.mask = Array(repeating: 1, count: 420)
                    problem.mask![at % 210 + sample * 210] = 0
                    accept(problem)
                }
                if !isBalanced {
                    var problem = good
                    problem.dense[at] = 0.5
                    accept(problem)
                }
            }
            var problem = good
            problem.dense[1259] = isBalanced ? 0.5 : 1.5
            refuse(Batch(problem), of: good, .badTarget, 1259, ["targets[1259]", isBalanced ? "0.5" : "1.5"])
        }
    }

    func testByteTargets() throws {
        for terms in terms(.probabilities) {
            var good = problem(.probabilities, terms, dense: true)
            for ignoreIndex in [nil, 7] as [Int?] {
                good.ignoreIndex = ignoreIndex
                for (sample, channel, voxel) in Self.places {
                    let at = (sample * 3 + channel) * 210 + voxel
                    for bad in [2, 255] as [Float] {
                        var problem = good
                        problem.dense[at] = bad
                        let words = ["targets[\(at)]", "is \(Int(bad))", "0 to 1"]
                        refuse(Batch(problem), of: good, .badTarget, at, words, only: [.value, .gradient])
                        problem.mask = Array(repeating: 1, count: 420)
                        problem.mask![at % 210 + sample * 210] = 0
                        accept(problem)
                    }
                    if ignoreIndex != nil {
                        var problem = good
                        problem.dense[at] = 7
                        accept(problem)
                    }
                }
            }
        }
    }

    func testDenseTargetsThatDoNotFit() throws {
        // Dense targets of a softmax have no ignored value.
        var labels = problem(.softmax)
        labels.ignoreIndex = 255
        for byte in [true, false] {
            var batch = Batch(labels)
            let zeros = labels.logits.count
            batch.targets =
                byte ? .bytes(Array(repeating: 0, count: zeros)) : .floats(Array(repeating: 0, count: zeros))
            refuse(batch, of: labels, .badTerm, nil, ["softmax", "dense"])
        }
        // Dense floats have no ignored value.
        var soft = problem(.sigmoid, dense: false)
        soft.ignoreIndex = 5
        refuse(Batch(soft), of: soft, .badTerm, nil, ["ignore_index"])
    }

    func testWeights() throws {
        for activation in Problem.Activation.allCases {
            for terms in terms(activation) {
                var good = problem(activation, terms)
                if terms.contains(where: \.isBalanced) {
                    // The balanced term takes none, whatever they are.
                    good.weights = Array(repeating: 1, count: 420)
                    refuse(Batch(good), of: good, .badTerm, terms.count - 1, ["weights"])
                    continue
                }
                if activation == .softmax && terms.allSatisfy(\.isDice) { continue }  // testWeightsThatDoNotEnter
                good.weights = Array(repeating: 1, count: 420)
                good.weights![3] = 0
                accept(good)
                for (sample, _, voxel) in Self.places {
                    let at = sample * 210 + voxel
                    for bad in [Float.nan, .infinity, -.infinity, -1, -.leastNonzeroMagnitude] {
                        var problem = good
                        problem.weights![at] = bad
                        refuse(
                            Batch(problem), of: good, .badWeight, at, ["weights[\(at)]"], only: [.value, .gradient])
                        // Under the mask too.
                        problem.mask = Array(repeating: 0, count: 420)
                        refuse(Batch(problem), of: good, .badWeight, at, ["weights[\(at)]"], only: [.value])
                    }
                }
                var problem = good
                problem.weights![419] = -1
                refuse(Batch(problem), of: good, .badWeight, 419, ["weights[419]", "-1"])
            }
        }
    }

    /// Weights must be right also where no term takes them, by every verb alike.
    func testWeightsThatDoNotEnter() {
        for activation in Problem.Activation.allCases {
            var good = problem(activation, terms(activation)[2])
            good.weights = Array(repeating: 1, count: 420)
            accept(good)
            var bad = good
            bad.weights![200] = -1
            refuse(Batch(bad), of: good, .badWeight, 200, ["weights[200]", "-1"])
        }
    }

    /// Losses and weights beyond the range of exact sums. The place is the block of 64 voxels that holds the value.
    func testSumsOutOfRange() throws {
        let sums: [Verb] = [.value, .gradient, .add, .inPlace, .accumulate]
        let place = 2 * 630 / 2 + 150  // sample 1, class 0, voxel 150: its block begins at 128
        let block = 630 + 128
        // A logit that is not the label's.
        for terms in terms(.softmax) where terms.contains(where: \.isCrossEntropy) {
            let good = problem(.softmax, terms)
            var bad = good
            bad.labels[210 + 150] = 1
            bad.logits[place] = 8e6  // class weights are scaled, to half of themselves here
            refuse(Batch(bad), of: good, .outOfRange, block, ["\(block)", "524288"], only: sums)
            bad.mask = Array(repeating: 1, count: 420)
            bad.mask![210 + 150] = 0
            accept(bad)
            bad.mask = nil
            bad.labels[210 + 150] = 0
            accept(bad)
        }
        for terms in terms(.sigmoid) where terms.contains(where: \.isCrossEntropy) {
            guard terms.count > 1 || !terms[0].isBalanced else { continue }  // testBalancedNegativeOutOfRange
            let good = problem(.sigmoid, terms)
            for (label, logit) in [(Int64(1), Float(1e6)), (0, -1e6)] {
                var bad = good
                bad.labels[210 + 150] = label
                bad.logits[place] = logit
                refuse(Batch(bad), of: good, .outOfRange, block, ["\(block)", "524288"], only: sums)
                bad.mask = Array(repeating: 1, count: 420)
                bad.mask![210 + 150] = 0
                accept(bad)
            }
            var fine = good
            fine.labels[210 + 150] = 0  // the target of channel 0 is 1
            fine.logits[place] = 1e6
            accept(fine)
        }
        // Weights; four voxels are added before the limit is looked at.
        for activation in Problem.Activation.allCases {
            for terms in terms(activation) {
                guard terms.contains(where: { !$0.isDice }),
                    !terms.contains(where: \.isBalanced)
                else { continue }
                var good = problem(activation, terms)
                good.weights = Array(repeating: 1, count: 420)
                var bad = good
                bad.weights![210 + 150] = 8e6
                refuse(Batch(bad), of: good, .outOfRange, block, ["\(block)", "524288"], only: sums)
                bad.weights![210 + 150] = 1
                for i in [130, 146, 162, 178] {
                    bad.weights![210 + i] = 0x1p18
                    bad.labels[210 + i] = 0
                }
                refuse(Batch(bad), of: good, .outOfRange, block, ["\(block)", "524288"], only: sums)
            }
        }
        // A gradient's coefficient beyond Float.
        let good = problem(.softmax)
        var tiny = good
        tiny.terms = [Term(.crossEntropy(classWeights: nil, labelSmoothing: 0, divisor: .constant(1e-60)))]
        refuse(Batch(tiny), of: tiny, .outOfRange, nil, ["coefficient"], only: [.gradient, .add, .inPlace])
        tiny.terms = [
            Term(
                .dice(
                    smoothNumerator: 1, smoothDenominator: 1, squared: false, scope: .batch, excludeBackground: false,
                    classWeights: nil), weight: 1e60)
        ]
        refuse(Batch(tiny), of: tiny, .outOfRange, nil, ["coefficient"], only: [.gradient, .add, .inPlace])
        var evaluator = try Evaluator(tiny)
        XCTAssertNoThrow(try Batch(tiny).evaluate(&evaluator))
    }

    /// Checked while it writes, an in-place call has lost the value that is wrong before it can look for it. It must be
    /// named nevertheless.
    func testInPlaceWhileWriting() throws {
        for activation in [Problem.Activation.softmax, .sigmoid] {
            let good = problem(activation)
            for (sample, channel, voxel) in Self.places {
                let at = (sample * 3 + channel) * 210 + voxel
                var bad = good
                bad.logits[at] = .nan
                let fault = faultOf(
                    Batch(bad), good, Options(threads: 1, checks: .whileWriting), .inPlace, .notFinite, at,
                    ["logits[\(at)]", "nan"], mayTouch: true)
                if let fault { return XCTFail("\(activation), place \(at): \(fault)") }
            }
        }
    }

    /// What does not stand in the logits can be named then too.
    func testLabelInPlaceWhileWriting() {
        var bad = problem(.softmax)
        let good = bad
        bad.labels[209] = 3
        XCTAssertNil(
            faultOf(
                Batch(bad), good, Options(threads: 1, checks: .whileWriting), .inPlace, .badLabel, 209,
                ["labels[209]"], mayTouch: true))
    }

    // MARK: Threads

    /// The first fault of a large batch is the one that is named, however it is split.
    func testThreadsNameTheSameFault() throws {
        var generator = Generator(seed: testSeed(301))
        for activation in Problem.Activation.allCases {
            for terms in terms(activation) {
                let good = generator.problem(activation, samples: 3, classes: 3, voxels: 50_001, terms: terms)
                for round in 0..<3 {
                    var problem = good
                    var faults: [Int] = []
                    for _ in 0...round * 2 {
                        let (sample, voxel) = (generator.random.below(3), generator.random.below(50_001))
                        let at = (sample * 3 + 1) * 50_001 + voxel
                        problem.logits[at] = .nan
                        faults.append(at)
                    }
                    let kind: LossError.Kind = activation == .probabilities ? .badProbability : .notFinite
                    for threads in [1, 2, 8] {
                        for verb in [Verb.value, .gradient, .accumulate] {
                            refuse(
                                Batch(problem), of: good, kind, faults.min(), [], only: [verb], threads: [threads],
                                sets: [.best])
                        }
                    }
                }
            }
        }
    }

    /// Faults of two kinds far from each other: a sum in the first half, a NaN in the second.
    func testThreadsNameTheSameKind() throws {
        let crossEntropy = Term(.crossEntropy(classWeights: nil, labelSmoothing: 0, divisor: .weight))
        var generator = Generator(seed: testSeed(302))
        let good = generator.problem(.softmax, samples: 1, classes: 2, voxels: 40_000, terms: [crossEntropy])
        var bad = good
        bad.labels[320 * 64] = 0
        bad.logits[320 * 64] = -1e6
        bad.logits[540 * 64] = .nan
        var found: [LossError] = []
        for threads in [1, 2, 3, 8] {
            var evaluator = try Evaluator(good, Options(threads: threads))
            do throws(LossError) {
                _ = try Batch(bad).evaluate(&evaluator)
                XCTFail("not refused")
            } catch { found.append(error) }
        }
        XCTAssertEqual(Set(found).count, 1, "\(found.map(\.message))")
    }

    /// A negative beyond the limit, in the balanced term: the value is named.
    func testBalancedNegativeOutOfRange() throws {
        for threads in [1, 2, 8] {
            var generator = Generator(seed: testSeed(303))
            let good = generator.problem(
                .sigmoid, samples: 1, classes: 1, voxels: 70_000, terms: [Self.balancedTerm], subject: .background)
            var bad = good
            bad.logits[40_010] = 1e6
            refuse(
                Batch(bad), of: good, .outOfRange, 40_010, ["logits[40010]", "524288"], only: [.value, .gradient, .accumulate],
                threads: [threads], sets: [.best])
        }
    }

    // MARK: Completeness

    /// Each kind of error, from a call through the facade where Swift can make one.
    func testEveryKindIsReached() throws {
        let good = problem(.sigmoid)
        func thrown(_ problem: Problem, by change: (inout Problem) -> Void) -> LossError.Kind? {
            var bad = problem
            change(&bad)
            do throws(LossError) {
                var evaluator = try Evaluator(bad)
                _ = try Batch(bad).evaluate(&evaluator)
                return nil
            } catch { return error.kind }
        }
        func planned(_ loss: Loss, classes: Int = 3, threads: Int = 1) -> LossError.Kind? {
            do throws(LossError) {
                _ = try Evaluator(
                    loss, shape: .flat(samples: 1, classes: classes, voxels: 4), activation: .sigmoid,
                    options: Options(threads: threads))
                return nil
            } catch { return error.kind }
        }
        for kind in LossError.Kind.allCases {
            let reached: LossError.Kind?
            switch kind {
            case .wrongSize: reached = thrown(good) { $0.logits.removeLast() }
            case .badShape: reached = planned(.dice(), classes: 0)
            case .badOption: reached = planned(.focal(gamma: -1))
            case .badTerm: reached = planned(.crossEntropy())
            case .badLabel: reached = thrown(good) { $0.labels[0] = 3 }
            case .badTarget: reached = thrown(problem(.sigmoid, dense: false)) { $0.dense[0] = 2 }
            case .badWeight: reached = thrown(good) { $0.weights = Array(repeating: -1, count: 420) }
            case .notFinite: reached = thrown(good) { $0.logits[0] = .nan }
            case .badProbability: reached = thrown(problem(.probabilities)) { $0.logits[0] = 2 }
            case .outOfRange:
                reached = thrown(good) {
                    $0.terms = [Term(.binaryCrossEntropy(positiveWeights: nil, divisor: .all))]
                    $0.weights = Array(repeating: 1e6, count: 420)
                }
            case .badThreads: reached = planned(.dice(), threads: -1)
            case .badPart, .tooSmall:
                var evaluator = try Evaluator(good)
                var totals = evaluator.makeTotals()
                if kind == .tooSmall { totals.words.removeLast() }
                var found: LossError.Kind?
                do throws(LossError) {
                    try Batch(good).accumulate(
                        &evaluator, part: kind == .badPart ? Part(voxels: 1..<2) : .whole, into: &totals)
                } catch { found = error.kind }
                reached = found
            case .overlap, .outOfMemory: continue  // testOverlap, testNoMemory
            case .nullPointer, .unsupportedInstructionSet: continue  // BadCallTests
            }
            XCTAssertEqual(reached, kind)
        }
    }

    // MARK: Help

    /// Sample, class or channel, voxel of 2 x 3 x 210: the first, in the middle of a vector, at the end of a block, in
    /// the tail and last of all.
    private static let places = [(0, 0, 0), (0, 1, 37), (1, 0, 127), (0, 2, 200), (1, 2, 209)]

    private static let balancedTerm = Term(
        .balancedBinaryCrossEntropy(negativeRatio: 3, minimumNegatives: 1, epsilon: 1e-6, scope: .batch))

    /// Every family by itself and all together; a balanced term is the last.
    private func terms(_ activation: Problem.Activation) -> [[Term]] {
        let dice = Term(
            .dice(
                smoothNumerator: 1e-5, smoothDenominator: 1e-5, squared: true, scope: .sample,
                excludeBackground: false, classWeights: nil))
        if activation == .softmax {
            let plain = Term(.crossEntropy(classWeights: nil, labelSmoothing: 0, divisor: .weight))
            let smooth = Term(.crossEntropy(classWeights: [1, 0.5, 2], labelSmoothing: 0.1, divisor: .valid))
            return [[plain], [smooth], [dice], [dice, plain, smooth]]
        }
        let binary = Term(.binaryCrossEntropy(positiveWeights: nil, divisor: .weight))
        let focal = Term(.focal(gamma: 2, alpha: 0.25, divisor: .all))
        return [
            [binary], [focal], [dice], [dice, binary, focal], [Self.balancedTerm], [dice, binary, Self.balancedTerm],
        ]
    }

    /// 2 x 3 x 210, with labels or, if `dense` says whether of bytes, dense targets.
    private func problem(_ activation: Problem.Activation, _ terms: [Term]? = nil, dense: Bool? = nil) -> Problem {
        var generator = Generator(seed: 300)
        let subject: Subject = dense == nil ? .blobs : .bytes
        var problem = generator.problem(
            activation, samples: 2, classes: 3, voxels: 210, terms: terms ?? [self.terms(activation)[0][0]],
            subject: subject)
        if dense == false { problem.target = .dense(problem.dense, byte: false) }
        return problem
    }

    /// Ways to call an evaluator.
    private enum Verb: CaseIterable {
        case value, gradient, add, inPlace, accumulate, gradientOfPart, gradientInPlace
    }

    /// Fails unless `batch` is refused by an evaluator of `problem` in every way, and nothing is touched.
    private func refuse(
        _ batch: Batch, of problem: Problem, _ kind: LossError.Kind, _ index: Int?, _ words: [String],
        only verbs: [Verb] = Verb.allCases, threads: [Int] = [1, 2, 8], sets: [InstructionSet]? = nil,
        file: StaticString = #filePath, line: UInt = #line
    ) {
        let isOneSweep = problem.terms.allSatisfy { term in
            switch term.kind {
            case .region, .balancedBinaryCrossEntropy, .topK, .onlineHardExampleMining, .balancedL1, .lovaszSoftmax,
                .lovaszHinge:
                false
            default: true
            }
        }
        var wrong: [String] = []
        for threads in threads {
            for set in threads == 1 ? sets ?? InstructionSet.available : [.best] {
                for checks in [Checks.beforeWriting, .whileWriting] {
                    for verb in verbs {
                        if checks == .whileWriting {
                            // These take the part to be the one that was accumulated, and are not refused.
                            if verb == .gradientOfPart || verb == .gradientInPlace { continue }
                            // testInPlaceWhileWriting
                            if verb == .inPlace && isOneSweep { continue }
                        }
                        let options = Options(threads: threads, instructionSet: set, checks: checks)
                        let fault = faultOf(
                            batch, problem, options, verb, kind, index, words,
                            mayTouch: checks == .whileWriting && isOneSweep)
                        if let fault { wrong.append("\(verb), \(threads) threads, \(set), \(checks): \(fault)") }
                    }
                }
            }
        }
        if !wrong.isEmpty {
            XCTFail("\(wrong[0]) (and \(wrong.count - 1) more); \(problem.terms)", file: file, line: line)
        }
    }

    /// What is wrong with the way in which one call is refused; `nil` where nothing is.
    private func faultOf(
        _ batch: Batch, _ problem: Problem, _ options: Options, _ verb: Verb, _ kind: LossError.Kind, _ index: Int?,
        _ words: [String], mayTouch: Bool
    ) -> String? {
        do throws(LossError) {
            var evaluator = try Evaluator(problem, options)
            var copy = batch
            var totals = evaluator.makeTotals()
            // Zeros but for the last word of the first stage; those of later stages are read.
            totals.words[try totals.wordRange(ofStage: 0).upperBound - 1] = 123
            let before = totals
            let coefficients = try evaluator.finish(evaluator.makeTotals()).coefficients
            do throws(LossError) {
                switch verb {
                case .value: _ = try copy.evaluate(&evaluator)
                case .gradient: _ = try copy.evaluateGradient(&evaluator)
                case .add: _ = try copy.evaluateGradient(&evaluator, .add(scale: 2))
                case .inPlace: _ = try copy.evaluateInPlace(&evaluator)
                case .accumulate: try copy.accumulate(&evaluator, into: &totals)
                case .gradientOfPart: try copy.gradient(&evaluator, coefficients)
                case .gradientInPlace: try copy.gradientInPlace(&evaluator, coefficients)
                }
                return "not refused"
            } catch {
                if error.kind != kind { return "\(error.kind), not \(kind): \(error.message)" }
                if error.index != index { return "index \(error.index ?? -1), not \(index ?? -1): \(error.message)" }
                if let word = words.first(where: { !error.message.contains($0) }) {
                    return "no '\(word)' in: \(error.message)"
                }
            }
            if totals != before { return "touched the totals" }
            let isUntouched = sameBits(copy.logits, batch.logits) && sameBits(copy.gradient, batch.gradient)
            return isUntouched || mayTouch ? nil : "touched the gradient"
        } catch {
            return "not even planned: \(error)"
        }
    }

    /// Fails unless a problem is accepted, and writes finite numbers.
    private func accept(
        _ problem: Problem, labels: Configuration.LabelType = .uint8, file: StaticString = #filePath,
        line: UInt = #line
    ) {
        do {
            var evaluator = try Evaluator(problem, Options(threads: 1))
            var batch = Batch(problem, labels: labels, gradient: .nan)
            let evaluation = try batch.evaluateGradient(&evaluator)
            XCTAssertTrue(evaluation.value.isFinite, file: file, line: line)
            XCTAssertTrue(batch.gradient.allSatisfy(\.isFinite), file: file, line: line)
        } catch {
            XCTFail("\(error)", file: file, line: line)
        }
    }

    private func expect(
        _ kind: LossError.Kind, _ index: Int?, _ words: [String], file: StaticString = #filePath,
        line: UInt = #line, _ body: () throws(LossError) -> Void
    ) {
        do throws(LossError) {
            try body()
            XCTFail("not refused; expected \(kind)", file: file, line: line)
        } catch {
            check(error, kind, index, words, file: file, line: line)
        }
    }
}

extension SegLossReference.Term {
    var isBalanced: Bool {
        if case .balancedBinaryCrossEntropy = kind { true } else { false }
    }
}

extension Generator {
    /// A small problem with one channel or more.
    func first(_ activation: Problem.Activation, classes: Int) -> Problem {
        var copy = self
        return copy.problem(
            activation, samples: 1, classes: classes, voxels: 100,
            terms: [Term(.binaryCrossEntropy(positiveWeights: nil, divisor: .weight))])
    }
}
