import CKernelProbe
import CLossKernels
import SegLoss
import SegLossReference
import XCTest

/// What Swift adds to the C library: the algebra of losses, shapes, overloads, evaluators as values, and memory.
final class FacadeTests: XCTestCase {
    private typealias ReferenceTerm = SegLossReference.Term

    // MARK: Algebra

    func testAlgebra() {
        let (a, b, c) = (Loss.dice(), Loss.crossEntropy(labelSmoothing: 0.1), Loss.focal(gamma: 1))
        XCTAssertEqual(a.terms.count, 1)
        XCTAssertEqual(a.terms[0].weight, 1)
        XCTAssertEqual((a + b).terms, a.terms + b.terms)
        XCTAssertNotEqual(a + b, b + a)
        XCTAssertEqual((a + b) + c, a + (b + c))
        XCTAssertEqual((2 * (a + 3 * b)).terms.map(\.weight), [2, 6])
        XCTAssertEqual(2 * (a + b), 2 * a + 2 * b)
        XCTAssertEqual(-0.5 * (4 * a), -2 * a)
        XCTAssertEqual(1 * a, a)
        XCTAssertEqual(Set([a, b, a, 1 * b, 2 * b]).count, 3)
        let literal: Loss = .dice(smooth: .both(1e-5)) + 0.5 * .crossEntropy(labelSmoothing: 0.1)
        XCTAssertEqual(literal, a + 0.5 * b)
        var edited = literal
        edited.terms[1].weight = 0.25
        XCTAssertEqual(edited, a + 0.25 * b)
        guard case .region(var options) = edited.terms[0].term else { return XCTFail("not a Dice term") }
        options.denominator = .squared
        edited.terms[0].term = .region(options)
        XCTAssertEqual(edited, .dice(denominator: .squared) + 0.25 * b)
        XCTAssertEqual(Loss(terms: a.terms + c.terms), a + c)
    }

    /// The value of a sum is the sum of the values.
    func testAlgebraOfValues() throws {
        let problem = small(.sigmoid)
        let shape = Shape.flat(samples: 2, classes: 3, voxels: 100)
        let losses = [Loss.dice(), .focal(), .binaryCrossEntropy()]
        func value(_ loss: Loss) throws -> Double {
            var evaluator = try Evaluator(loss, shape: shape, activation: .sigmoid)
            return try Batch(problem).evaluate(&evaluator).value
        }
        let single = try losses.map(value)
        let sum = try value(losses[0] + 0.5 * losses[1] + -2 * losses[2])
        XCTAssertEqual(sum, single[0] + 0.5 * single[1] + -2 * single[2])
    }

    // MARK: Shapes

    func testShapes() throws {
        XCTAssertEqual(Shape.planar(samples: 2, classes: 3, height: 4, width: 5).extents, [4, 5])
        XCTAssertEqual(Shape.planar(samples: 2, classes: 3, height: 4, width: 5).voxels, 20)
        XCTAssertEqual(Shape.volume(samples: 2, classes: 3, depth: 6, height: 4, width: 5).extents, [6, 4, 5])
        XCTAssertEqual(Shape.volume(samples: 2, classes: 3, depth: 6, height: 4, width: 5).voxels, 120)
        XCTAssertEqual(Shape.flat(samples: 2, classes: 3, voxels: 7).extents, [7])
        XCTAssertEqual(Shape(samples: 1, classes: 1, extents: []).voxels, 1)
        XCTAssertEqual(Shape(samples: 1, classes: 1, extents: [.max, 2]).voxels, .max)
        XCTAssertEqual(Shape(samples: 1, classes: 1, extents: [2, 3, 4, 5]).voxels, 120)

        // The shape of a sample is nobody's business.
        let problem = small(.softmax)
        var expected: Evaluation?
        for shape in [
            Shape.flat(samples: 2, classes: 3, voxels: 100), .planar(samples: 2, classes: 3, height: 4, width: 25),
            .volume(samples: 2, classes: 3, depth: 5, height: 4, width: 5),
            Shape(samples: 2, classes: 3, extents: [2, 2, 5, 5]),
        ] {
            var evaluator = try Evaluator(Library.loss(problem.terms), shape: shape, activation: .softmax)
            XCTAssertEqual(evaluator.shape, shape)
            let evaluation = try Batch(problem).evaluate(&evaluator)
            XCTAssertEqual(evaluation, expected ?? evaluation)
            expected = evaluation
        }
    }

    // MARK: Evaluators

    func testProperties() throws {
        let loss = Loss.dice() + 0.5 * .crossEntropy()
        let shape = Shape.planar(samples: 1, classes: 2, height: 3, width: 4)
        for set in InstructionSet.allCases where set.isAvailable {
            for threads in [0, 1, 2, 8] {
                let options = Options(ignoreIndex: 255, threads: threads, instructionSet: set, checks: .whileWriting)
                let evaluator = try Evaluator(loss, shape: shape, activation: .softmax, options: options)
                XCTAssertEqual(evaluator.loss, loss)
                XCTAssertEqual(evaluator.shape, shape)
                XCTAssertEqual(evaluator.activation, .softmax)
                XCTAssertEqual(evaluator.options, options)
                XCTAssertEqual(evaluator.stageCount, 1)
                XCTAssertEqual(evaluator.instructionSet, set == .best ? InstructionSet.available.last : set)
                #if OpenMP
                    if threads > 0 { XCTAssertEqual(evaluator.threads, threads) }
                #else
                    XCTAssertEqual(evaluator.threads, 1)
                #endif
                XCTAssertTrue(evaluator.threads >= 1)
            }
        }
        XCTAssertTrue(InstructionSet.best.isAvailable && InstructionSet.generic.isAvailable)
        XCTAssertEqual(
            Options(), Options(ignoreIndex: nil, threads: 0, instructionSet: .best, checks: .beforeWriting))
    }

    func testResults() throws {
        let problem = small(.softmax)
        let loss = 2 * Loss.dice(classes: .foreground) + 0.5 * .crossEntropy()
        var evaluator = try Evaluator(
            loss, shape: .flat(samples: 2, classes: 3, voxels: 100), activation: .softmax)
        let evaluation = try Batch(problem).evaluate(&evaluator)
        XCTAssertEqual(evaluation.terms.count, 2)
        XCTAssertEqual(evaluation.terms.startIndex, 0)
        XCTAssertEqual(evaluation.terms.map(\.weight), [2, 0.5])
        XCTAssertEqual(evaluation.value, 2 * evaluation.terms[0].value + 0.5 * evaluation.terms[1].value)
        XCTAssertEqual(evaluation.terms[0].perClass.count, 3)
        XCTAssertEqual(evaluation.terms[0].perClass[0], 0)
        XCTAssertEqual(evaluation.terms[1].perClass, [])
        let dice = evaluation.terms[0]
        XCTAssertTrue(abs(dice.value - (dice.perClass[1] + dice.perClass[2]) / 2) <= 1e-15)
    }

    /// Every overload gives what the others give: arrays and spans, labels of every type, dense targets of both,
    /// values, gradients, in place, with mask and weights and without.
    func testOverloads() throws {
        for isWeighted in [false, true] {
            for activation in [Problem.Activation.softmax, .sigmoid] {
                var problem = small(activation)
                if isWeighted {
                    problem.mask = (0..<200).map { UInt8($0 % 5) }
                    problem.weights = (0..<200).map { Float($0 % 3) }
                }
                let expected = Reference.evaluate(problem)
                for type in Configuration.LabelType.allCases {
                    try overloads(problem, Batch(problem, labels: type), expected, "\(type)")
                }
                let u8 = problem.labels.map { Wrapped(value: UInt8($0)) }
                try labelOverloads(problem, u8, expected)
                try labelOverloads(problem, problem.labels.map { UInt16($0) }, expected)
                try labelOverloads(problem, problem.labels.map { Int32($0) }, expected)
                try labelOverloads(problem, problem.labels, expected)
                try labelOverloads(problem, problem.labels.map { Int($0) }, expected)
            }
            var dense = small(.sigmoid)
            dense.target = .dense((0..<600).map { $0 % 7 == 0 ? 1 : 0 }, byte: true)
            if isWeighted { dense.weights = (0..<200).map { Float($0 % 3) } }
            var expected = Reference.evaluate(dense)
            try overloads(dense, Batch(dense), expected, "bytes")
            try denseOverloads(dense, dense.dense.map { UInt8($0) }, expected)
            dense.target = .dense((0..<600).map { Float($0 % 7) / 6 }, byte: false)
            expected = Reference.evaluate(dense)
            try overloads(dense, Batch(dense), expected, "floats")
            try denseOverloads(dense, dense.dense, expected)
        }
    }

    /// A label type of a program's own.
    private struct Wrapped: Label {
        static var labelFormat: LabelFormat { .uint8 }
        var value: UInt8
    }

    private func overloads(_ problem: Problem, _ batch: Batch, _ expected: Outcome, _ message: String) throws {
        var evaluator = try Evaluator(problem)
        var copy = batch
        func check(_ evaluation: Evaluation, _ gradient: [Float]?, _ what: String) {
            XCTAssertEqual(evaluation.value, expected.value, "\(message), \(what)")
            XCTAssertEqual(evaluation.terms.map(\.value), expected.terms, "\(message), \(what)")
            if let gradient { XCTAssertTrue(sameBits(gradient, expected.gradient), "\(message), \(what)") }
        }
        check(try copy.evaluate(&evaluator), nil, "value")
        check(try copy.evaluateGradient(&evaluator), copy.gradient, "gradient")
        var totals = evaluator.makeTotals()
        for stage in 0..<evaluator.stageCount { try copy.accumulate(&evaluator, stage: stage, into: &totals) }
        let finished = try evaluator.finish(totals)
        check(finished.evaluation, nil, "finish")
        copy.gradient = batch.gradient
        try copy.gradient(&evaluator, finished.coefficients)
        check(finished.evaluation, copy.gradient, "gradient of a part")
        try copy.gradientInPlace(&evaluator, finished.coefficients)
        check(finished.evaluation, copy.logits, "gradient of a part in place")
        copy = batch
        check(try copy.evaluateInPlace(&evaluator), copy.logits, "in place")
    }

    private func labelOverloads<L: Label>(_ problem: Problem, _ labels: [L], _ expected: Outcome) throws {
        var evaluator = try Evaluator(problem)
        let (mask, weights) = (problem.mask, problem.weights)
        XCTAssertEqual(
            try evaluator.evaluate(
                logits: problem.logits.span, labels: labels.span, mask: mask?.span, weights: weights?.span
            ).value, expected.value, "\(L.self)")
        XCTAssertEqual(
            try evaluator.evaluate(logits: problem.logits, labels: labels, mask: mask, weights: weights).value,
            expected.value)
        var gradient = [Float](repeating: .nan, count: problem.logits.count)
        do {
            var span = gradient.mutableSpan
            _ = try evaluator.evaluate(
                logits: problem.logits.span, labels: labels.span, mask: mask?.span, weights: weights?.span,
                gradient: &span)
        }
        XCTAssertTrue(sameBits(gradient, expected.gradient), "\(L.self)")
        _ = try evaluator.evaluate(
            logits: problem.logits, labels: labels, mask: mask, weights: weights, gradient: &gradient,
            write: .overwrite(scale: 1))
        XCTAssertTrue(sameBits(gradient, expected.gradient), "\(L.self)")
        var logits = problem.logits
        do {
            var span = logits.mutableSpan
            _ = try evaluator.evaluateInPlace(
                logits: &span, labels: labels.span, mask: mask?.span, weights: weights?.span)
        }
        XCTAssertTrue(sameBits(logits, expected.gradient), "\(L.self)")
    }

    private func denseOverloads<T: DenseTarget>(_ problem: Problem, _ targets: [T], _ expected: Outcome) throws {
        var evaluator = try Evaluator(problem)
        let weights = problem.weights
        XCTAssertEqual(
            try evaluator.evaluate(logits: problem.logits.span, targets: targets.span, weights: weights?.span).value,
            expected.value, "\(T.self)")
        var gradient = [Float](repeating: .nan, count: problem.logits.count)
        do {
            var span = gradient.mutableSpan
            _ = try evaluator.evaluate(
                logits: problem.logits.span, targets: targets.span, weights: weights?.span, gradient: &span)
        }
        XCTAssertTrue(sameBits(gradient, expected.gradient), "\(T.self)")
        var logits = problem.logits
        do {
            var span = logits.mutableSpan
            _ = try evaluator.evaluateInPlace(logits: &span, targets: targets.span, weights: weights?.span)
        }
        XCTAssertTrue(sameBits(logits, expected.gradient), "\(T.self)")
    }

    /// Adding and scaling: two float operations, in that order.
    func testWrites() throws {
        let problem = small(.softmax)
        var evaluator = try Evaluator(problem)
        let plain = Reference.evaluate(problem).gradient
        let tripled = Reference.evaluate(problem, scale: 3).gradient
        var batch = Batch(problem, gradient: 0.25)
        _ = try batch.evaluateGradient(&evaluator, .add)
        XCTAssertTrue(sameBits(batch.gradient, plain.map { 0.25 + $0 }))
        batch = Batch(problem, gradient: 0.25)
        _ = try batch.evaluateGradient(&evaluator, .add(scale: 3))
        XCTAssertTrue(sameBits(batch.gradient, tripled.map { 0.25 + $0 }))
        _ = try batch.evaluateGradient(&evaluator, Write(mode: .overwrite, scale: 3))
        XCTAssertTrue(sameBits(batch.gradient, tripled))
        _ = try batch.evaluateInPlace(&evaluator, scale: 3)
        XCTAssertTrue(sameBits(batch.logits, tripled))
    }

    // MARK: Evaluators as values

    /// An evaluator keeps nothing of a batch: whatever came before, a result is the same.
    func testReuse() throws {
        var generator = Generator(seed: testSeed(501))
        let first = generator.problem(
            .sigmoid, samples: 2, classes: 2, voxels: 500, terms: allTerms, flavour: .ties, masked: true)
        let others = (0..<5).map { _ in
            var other = generator.moderate(first)
            other.labels = generator.labels(2, 2, 500)
            return other
        }
        var evaluator = try Evaluator(first)
        var batch = Batch(first)
        let expected = try batch.evaluateGradient(&evaluator)
        let gradient = batch.gradient
        for other in others {
            var otherBatch = Batch(other)
            let held = try otherBatch.evaluateGradient(&evaluator)
            XCTAssertNotEqual(held, expected)
            // A refused call in between.
            otherBatch.logits[3] = .nan
            XCTAssertThrowsError(try otherBatch.evaluate(&evaluator))
            batch = Batch(first)
            XCTAssertEqual(try batch.evaluateGradient(&evaluator), expected)
            XCTAssertTrue(sameBits(batch.gradient, gradient))
            // What is held does not change.
            var fresh = try Evaluator(first)
            XCTAssertEqual(held, try Batch(other).evaluate(&fresh))
        }
    }

    /// Copies in several tasks at once give the same bits, and so does the evaluator they were made of.
    func testTasks() async throws {
        var generator = Generator(seed: testSeed(502))
        let problem = generator.problem(
            .sigmoid, samples: 2, classes: 2, voxels: 30_000, terms: allTerms, flavour: .ties)
        let other = generator.moderate(problem)
        for threads in [1, 2] {
            let evaluator = try Evaluator(problem, Options(threads: threads))
            var copy = evaluator
            let expected = try [problem, other].map { problem in
                var batch = Batch(problem)
                let evaluation = try batch.evaluateGradient(&copy)
                return (evaluation, batch.gradient)
            }
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for task in 0..<6 {
                    group.addTask {
                        var mine = evaluator
                        var areSame = true
                        for round in 0..<4 {
                            let which = (task + round) % 2
                            var batch = Batch(which == 0 ? problem : other)
                            let evaluation = try batch.evaluateGradient(&mine)
                            areSame =
                                areSame && evaluation == expected[which].0
                                && sameBits(batch.gradient, expected[which].1)
                        }
                        return areSame
                    }
                }
                for try await areSame in group { XCTAssertTrue(areSame, "\(threads) threads") }
            }
        }
    }

    // MARK: Memory

    /// After planning, and after a first call that wakes OpenMP's threads, no verb asks the heap for memory.
    func testNoAllocations() throws {
        guard probe_heap_is_watched() != 0 else { throw XCTSkip("the heap is not watched here") }
        let before = probe_allocations()
        let array = [Int](unsafeUninitializedCapacity: 1000) { _, count in count = 1000 }
        XCTAssertTrue(array.count == 1000 && probe_allocations() > before, "allocations are not seen")

        var generator = Generator(seed: testSeed(503))
        for threads in [1, 2] {
            for (activation, terms) in [
                (Problem.Activation.softmax, generator.terms(.softmax, classes: 3)), (.sigmoid, allTerms),
                (.sigmoid, [allTerms[1]]), (.probabilities, [allTerms[0]]),
                (.softmax, [.init(.boundary(DistanceLoss())), .init(.hausdorff(DistanceLoss()))]),
            ] {
                let problem = generator.problem(activation, samples: 2, classes: 3, voxels: 20_000, terms: terms)
                for checks in [Checks.beforeWriting, .whileWriting] {
                    var evaluator = try Evaluator(problem, Options(threads: threads, checks: checks))
                    let labels = problem.labels.map { UInt8($0) }
                    let logits = problem.logits
                    var gradient = logits
                    var totals = evaluator.makeTotals()
                    var sum = 0.0
                    func step() throws {
                        sum += try evaluator.evaluate(logits: logits, labels: labels).value
                        sum += try evaluator.evaluate(logits: logits, labels: labels, gradient: &gradient).terms[0]
                            .value
                        totals.reset()
                        for stage in 0..<evaluator.stageCount {
                            try evaluator.accumulate(
                                logits: logits.span, labels: labels.span, stage: stage, into: &totals)
                        }
                        let finished = try evaluator.finish(totals)
                        var span = gradient.mutableSpan
                        try evaluator.gradient(
                            logits: logits.span, labels: labels.span, coefficients: finished.coefficients, into: &span,
                            write: .add)
                    }
                    try step()
                    let before = probe_allocations()
                    for _ in 0..<3 { try step() }
                    XCTAssertEqual(
                        probe_allocations() - before, 0, "\(activation), \(threads) threads, \(checks), \(terms)")
                    XCTAssertTrue(sum.isFinite)
                }
            }
        }
    }

    /// Scratch memory: at most 1 % of the logits and 64 KiB, on any number of threads. (Terms that measure distances:
    /// `DistanceScratchTests`.)
    func testScratchSize() {
        let softmax: [[closs_term]] = [
            [.dice()], [.crossEntropy()], [.dice { $0.denominator = CLOSS_SQUARED }, .crossEntropy(), .crossEntropy()],
        ]
        let channels: [[closs_term]] = [
            [.dice()], [.binary()], [.focal()], [.balanced { $0.scope = CLOSS_PER_BATCH }],
            [.balanced { $0.scope = CLOSS_PER_SAMPLE }], [.dice(), .binary(), .focal(), .balanced()],
        ]
        let shapes: [(Int64, Int64, Int64)] = [
            (1, 4, 2048 * 2048), (1, 4, 4096 * 4096), (16, 1, 640 * 640), (2, 19, 512 * 1024), (1, 1, 64 * 64),
            (1, 2, 64 * 64), (1, 4, 64 * 64), (2, 3, 96 * 96 * 96), (8, 1, 256 * 256), (32, 2, 128 * 128),
            (1, 150, 512 * 512),
        ]
        for (samples, classes, voxels) in shapes {
            let limit = Int(samples * classes * voxels) * 4 / 100 + 64 << 10
            for threads in [Int32(1), 2, 8, 64] {
                let activations = classes > 1 ? [CLOSS_SOFTMAX, CLOSS_SIGMOID] : [CLOSS_SIGMOID]
                for activation in activations {
                    for terms in activation == CLOSS_SOFTMAX ? softmax : channels {
                        var spec = closs_spec(activation, samples: samples, classes: classes, voxels: voxels, terms)
                        spec.threads = threads
                        var plan: OpaquePointer?
                        XCTAssertEqual(closs_plan_create(&spec, &plan, nil), CLOSS_OK)
                        let bytes = closs_scratch_bytes(plan)
                        XCTAssertTrue(
                            bytes > 0 && bytes <= limit,
                            "\(bytes) bytes, at most \(limit): \(samples)x\(classes)x\(voxels), \(threads) threads, "
                                + "\(terms.map(\.kind.rawValue))")
                        closs_plan_destroy(plan)
                    }
                }
            }
        }
    }

    /// A Lovász term's: 4 bytes for each value, 16 for those that are sorted at a time, 25 KiB for each thread that sorts.
    func testLovaszScratchSize() {
        let shapes: [(Int64, Int64, Int64)] = [(1, 4, 64 * 64), (2, 4, 512 * 512), (1, 1, 1 << 22), (40, 2, 3), (3, 20, 70)]
        for (samples, classes, voxels) in shapes {
            let row = (voxels + 63) / 64 * 64, values = samples * classes * row
            for threads in [Int32(1), 8, 64, 100_000] {
                for scope in [CLOSS_PER_SAMPLE, CLOSS_PER_BATCH] {
                    let problem = scope == CLOSS_PER_BATCH ? samples * row : row
                    let useful = min(Int64(threads), max(1, values / 16384))
                    let sorted = min(useful * problem, values)
                    let limit = Int(4 * values + 16 * sorted + useful * 25 << 10 + values / 25) + 64 << 10
                    var term = closs_term()
                    term.kind = CLOSS_LOVASZ_HINGE
                    term.weight = 1
                    term.of.lovasz.scope = scope
                    var spec = closs_spec(CLOSS_SIGMOID, samples: samples, classes: classes, voxels: voxels, [term])
                    spec.threads = threads
                    var plan: OpaquePointer?
                    XCTAssertEqual(closs_plan_create(&spec, &plan, nil), CLOSS_OK)
                    let bytes = closs_scratch_bytes(plan)
                    XCTAssertTrue(
                        bytes > 0 && bytes <= limit, "\(bytes) of \(limit): \((samples, classes, voxels, threads, scope))")
                    closs_plan_destroy(plan)
                }
            }
        }
    }

    // MARK: Help

    private var allTerms: [ReferenceTerm] {
        [
            ReferenceTerm(.binaryCrossEntropy(positiveWeights: nil, divisor: .weight), weight: 0.5),
            ReferenceTerm(
                .balancedBinaryCrossEntropy(negativeRatio: 2, minimumNegatives: 3, epsilon: 1e-6, scope: .batch)),
            ReferenceTerm(
                .dice(
                    smoothNumerator: 1, smoothDenominator: 1, squared: true, scope: .sample, excludeBackground: false,
                    classWeights: nil)),
            ReferenceTerm(.focal(gamma: 1.5, alpha: 0.25, divisor: .valid)),
        ]
    }

    /// 2 x 3 x 100.
    private func small(_ activation: Problem.Activation) -> Problem {
        var generator = Generator(seed: 500)
        let dice = ReferenceTerm(
            .dice(
                smoothNumerator: 1e-5, smoothDenominator: 1e-5, squared: false, scope: .batch,
                excludeBackground: false, classWeights: nil), weight: 0.5)
        let pointwise: SegLossReference.Term.Kind =
            activation == .softmax
            ? .crossEntropy(classWeights: nil, labelSmoothing: 0.1, divisor: .weight)
            : .focal(gamma: 2, alpha: 0.25, divisor: .weight)
        return generator.problem(
            activation, samples: 2, classes: 3, voxels: 100, terms: [dice, ReferenceTerm(pointwise)])
    }
}
