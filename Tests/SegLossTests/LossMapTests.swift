import CKernelProbe
import CLossKernels
import Foundation
import SegLoss
import SegLossReference
import XCTest

/// Maps of losses: the bits of the reference, in whatever way the library is called; what they add up to; what is
/// refused.
final class LossMapTests: XCTestCase {
    typealias Term = SegLossReference.Term

    /// What a map holds before: all of it must be written.
    private static let unwritten = Float.nan

    private func isPointwise(_ term: Term) -> Bool {
        switch term.kind {
        case .region, .balancedBinaryCrossEntropy, .topK, .onlineHardExampleMining, .balancedL1, .lovaszSoftmax,
            .lovaszHinge:
            false
        default: true
        }
    }

    /// The map of a problem, or of a part of it that was cut out already.
    private func map(
        _ problem: Problem, _ evaluator: inout Evaluator, part: Part = .whole, term: Int? = nil,
        layout: Layout = .contiguous
    ) throws -> [Float] {
        let rows = problem.activation == .softmax ? 1 : problem.classes
        var map = [Float](repeating: Self.unwritten, count: problem.samples * rows * problem.voxels)
        try write(problem, &evaluator, part, term, layout, &map)
        return map
    }

    @inline(never)
    private func write(
        _ problem: Problem, _ evaluator: inout Evaluator, _ part: Part, _ term: Int?, _ layout: Layout,
        _ map: inout [Float]
    ) throws(LossError) {
        var span = map.mutableSpan
        switch problem.target {
        case .labels(let labels):
            try evaluator.lossMap(
                logits: problem.logits.span, labels: labels.span, mask: problem.mask?.span,
                weights: problem.weights?.span, maps: problem.maps?.span, layout: layout, part: part, term: term,
                into: &span)
        case .dense(let values, byte: false):
            try evaluator.lossMap(
                logits: problem.logits.span, targets: values.span, mask: problem.mask?.span,
                weights: problem.weights?.span, maps: problem.maps?.span, layout: layout, part: part, term: term,
                into: &span)
        case .dense(let values, byte: true):
            let bytes = values.map { UInt8($0) }
            try evaluator.lossMap(
                logits: problem.logits.span, targets: bytes.span, mask: problem.mask?.span,
                weights: problem.weights?.span, maps: problem.maps?.span, layout: layout, part: part, term: term,
                into: &span)
        }
    }

    /// A problem with at least one pointwise term.
    private func problem(_ generator: inout Generator) -> Problem {
        var problem = generator.anything()
        while !problem.terms.contains(where: isPointwise) { problem = generator.anything() }
        return problem
    }

    func testRandomProblems() throws {
        let seed = testSeed(411)
        var generator = Generator(seed: seed)
        for round in 0..<ParityTests.rounds {
            let problem = problem(&generator)
            let message = "round \(round), seed \(seed), \(problem.activation), \(problem.terms)"
            let all = Reference.lossMap(problem)
            let term = problem.terms.indices.filter { isPointwise(problem.terms[$0]) }.randomElement(
                using: &generator.random)!
            let one = Reference.lossMap(problem, term: term)
            for set in InstructionSet.available {
                let options = Options(threads: 1 + round % 3, instructionSet: set)
                var evaluator = try Evaluator(problem, options)
                XCTAssertTrue(sameBits(try map(problem, &evaluator), all), "all, \(set), \(message)")
                XCTAssertTrue(sameBits(try map(problem, &evaluator, term: term), one), "\(term), \(set), \(message)")
            }
        }
    }

    /// At every size around the block and the run of a kernel, on several threads.
    func testSizes() throws {
        let seed = testSeed(412)
        var generator = Generator(seed: seed)
        for voxels in ParityTests.sizes {
            for activation in Problem.Activation.allCases {
                var terms = generator.terms(activation, classes: 3)
                while !terms.contains(where: isPointwise) { terms = generator.terms(activation, classes: 3) }
                let problem = generator.problem(
                    activation, samples: 2, classes: 3, voxels: voxels, terms: terms, masked: true, weighted: true)
                let expected = Reference.lossMap(problem)
                for threads in [1, 3] {
                    var evaluator = try Evaluator(problem, Options(threads: threads))
                    XCTAssertTrue(
                        sameBits(try map(problem, &evaluator), expected), "\(voxels), \(activation), seed \(seed)")
                }
            }
        }
    }

    /// Parts, each with a map of its own.
    func testParts() throws {
        let seed = testSeed(413)
        var generator = Generator(seed: seed)
        for round in 0..<ParityTests.rounds / 5 {
            let problem = problem(&generator)
            let rows = problem.activation == .softmax ? 1 : problem.classes
            let whole = Reference.lossMap(problem)
            var evaluator = try Evaluator(problem)
            let wholeSamples = problem.terms.contains(where: \.isBalanced)
            for part in Part.randomCut(problem, wholeSamples: wholeSamples, using: &generator.random) {
                let samples = part.samples ?? 0..<problem.samples
                let voxels = part.voxels ?? 0..<problem.voxels
                let expected = samples.flatMap { n in
                    (0..<rows).flatMap { row in voxels.map { whole[(n * rows + row) * problem.voxels + $0] } }
                }
                let ours = try map(problem.cut(part), &evaluator, part: part)
                XCTAssertTrue(sameBits(ours, expected), "round \(round), seed \(seed), \(part)")
            }
        }
    }

    /// Channels last, and classes last.
    func testChannelsLast() throws {
        var generator = Generator(seed: testSeed(414))
        for activation in Problem.Activation.allCases {
            for voxels in [1, 64, 100, 1000] {
                let term: Term.Kind =
                    activation == .softmax ? generator.crossEntropy(3) : generator.binaryCrossEntropy(3, activation)
                var problem = generator.problem(
                    activation, samples: 2, classes: 3, voxels: voxels, terms: [Term(term)])
                let expected = Reference.lossMap(problem)
                var evaluator = try Evaluator(problem)
                let planar = problem.logits
                for n in 0..<2 {
                    for c in 0..<3 {
                        for i in 0..<voxels {
                            problem.logits[(n * voxels + i) * 3 + c] = planar[(n * 3 + c) * voxels + i]
                        }
                    }
                }
                let shape = Shape.flat(samples: 2, classes: 3, voxels: voxels)
                let ours = try map(problem, &evaluator, layout: .channelsLast(shape))
                XCTAssertTrue(sameBits(ours, expected), "\(activation), \(voxels)")
            }
        }
    }

    /// Logits of 16 bits: the map of what they are as floats.
    func testNarrowLogits() throws {
        let seed = testSeed(416)
        var generator = Generator(seed: seed)
        for round in 0..<50 {
            var problem = problem(&generator)
            guard case .labels(let labels) = problem.target else { continue }
            let narrow = problem.logits.map { BFloat16($0) }
            problem.logits = narrow.map { Float($0) }
            var evaluator = try Evaluator(problem)
            let rows = problem.activation == .softmax ? 1 : problem.classes
            var map = [Float](repeating: Self.unwritten, count: problem.samples * rows * problem.voxels)
            try Self.write(problem, narrow, labels, &evaluator, &map)
            XCTAssertTrue(sameBits(map, Reference.lossMap(problem)), "round \(round), seed \(seed)")
        }
    }

    @inline(never)
    private static func write(
        _ problem: Problem, _ narrow: [BFloat16], _ labels: [Int64], _ evaluator: inout Evaluator, _ map: inout [Float]
    ) throws(LossError) {
        var span = map.mutableSpan
        try evaluator.lossMap(
            logits: narrow.span, labels: labels.span, mask: problem.mask?.span, weights: problem.weights?.span,
            maps: problem.maps?.span, into: &span)
    }

    /// A call asks the heap for nothing, once it is optimized: without that, Swift asks once for itself.
    func testNoAllocations() throws {
        #if DEBUG
            throw XCTSkip("what is promised is of optimized builds")
        #else
            try checkNoAllocations()
        #endif
    }

    private func checkNoAllocations() throws {
        guard probe_heap_is_watched() != 0 else { throw XCTSkip("the heap is not watched here") }
        var generator = Generator(seed: testSeed(417))
        for activation in Problem.Activation.allCases {
            let term: Term.Kind =
                activation == .softmax ? generator.crossEntropy(3) : generator.binaryCrossEntropy(3, activation)
            let problem = generator.problem(
                activation, samples: 2, classes: 3, voxels: 20_000, terms: [Term(term)])
            var evaluator = try Evaluator(problem, Options(threads: 2))
            let labels = problem.labels
            let rows = activation == .softmax ? 1 : 3
            var map = [Float](repeating: 0, count: 2 * rows * 20_000)
            try Self.write(problem.logits, labels, &evaluator, &map)
            let before = probe_allocations()
            for _ in 0..<3 { try Self.write(problem.logits, labels, &evaluator, &map) }
            XCTAssertEqual(probe_allocations() - before, 0, "\(activation)")
            XCTAssertTrue(sameBits(map, Reference.lossMap(problem)))
        }
    }

    @inline(never)
    private static func write(
        _ logits: [Float], _ labels: [Int64], _ evaluator: inout Evaluator, _ map: inout [Float]
    ) throws(LossError) {
        var span = map.mutableSpan
        try evaluator.lossMap(logits: logits.span, labels: labels.span, into: &span)
    }

    /// The values by their definition, and their sum: divided by a constant of 1 it is the term.
    func testSums() throws {
        let seed = testSeed(415)
        var generator = Generator(seed: seed)
        for round in 0..<100 {
            var problem = problem(&generator)
            problem.terms = problem.terms.filter(isPointwise).map { Term($0.kind.summed, weight: $0.weight) }
            var evaluator = try Evaluator(problem)
            let evaluation = try Batch(problem).evaluate(&evaluator)
            for (index, term) in problem.terms.enumerated() {
                let map = try map(problem, &evaluator, term: index)
                XCTAssertTrue(map.allSatisfy(\.isFinite))
                let sum = map.reduce(0.0) { $0 + Double($1) }
                let size = map.reduce(0.0) { $0 + abs(Double($1)) }
                XCTAssertTrue(
                    abs(sum - evaluation.terms[index].value) <= 1e-6 * size + 1e-6 * Double(map.count),
                    "round \(round), seed \(seed): \(sum), not \(evaluation.terms[index].value); \(term)")
            }
        }
    }

    /// PyTorch's `cross_entropy(reduction="none")` with a weight of 2 for class 1: by hand.
    func testKnownValues() throws {
        let shape = Shape.flat(samples: 1, classes: 2, voxels: 3)
        let logits: [Float] = [0, 0, 3, 0, 1, -1]
        var evaluator = try Evaluator(
            .crossEntropy(classWeights: [1, 2]) + .dice(), shape: shape, activation: .softmax,
            options: Options(ignoreIndex: 9))
        let map = try evaluator.lossMap(logits: logits, labels: [1, 1, 9] as [UInt8], term: 0)
        let expected = [2 * log(2.0), 2 * log(1 + exp(-1.0)), 0]
        for (ours, exact) in zip(map, expected) { XCTAssertTrue(abs(Double(ours) - exact) <= 1e-6, "\(map)") }
        XCTAssertEqual(map[2], 0)
        XCTAssertEqual(try evaluator.lossMap(logits: logits, labels: [1, 1, 9] as [UInt8]), map)
        let targets: [Float] = [0, 0.5, 1, 1, 0.5, 0]
        let plain = Loss.crossEntropy()
        var dense = try Evaluator(plain, shape: shape, activation: .softmax)
        let soft = try dense.lossMap(logits: logits, targets: targets)
        XCTAssertTrue(abs(Double(soft[1]) - (0.5 * log(1 + exp(1.0)) + 0.5 * log(1 + exp(-1.0)))) <= 1e-6)
    }

    // MARK: What is refused

    private let shape = Shape.flat(samples: 2, classes: 3, voxels: 70)

    private func refuse(
        _ kind: LossError.Kind, _ word: String, _ loss: Loss, _ activation: Activation = .softmax, term: Int? = nil,
        index: Int? = nil, count: Int? = nil, line: UInt = #line,
        change: (inout [Float], inout [UInt8], inout [Float]) -> Void = { _, _, _ in }
    ) throws {
        var evaluator = try Evaluator(loss, shape: shape, activation: activation)
        var logits = [Float](repeating: 0.25, count: 420)
        var labels = (0..<140).map { UInt8($0 % 3) }
        var weights = [Float](repeating: 1, count: 140)
        change(&logits, &labels, &weights)
        var map = [Float](repeating: 7, count: count ?? (activation == .softmax ? 140 : 420))
        if let error = Self.refusal(&evaluator, logits, labels, weights, term, &map) {
            XCTAssertEqual(error.kind, kind, error.message, line: line)
            XCTAssertEqual(error.index, index, error.message, line: line)
            XCTAssertTrue(error.message.contains(word), "'\(error.message)' lacks '\(word)'", line: line)
        } else {
            XCTFail("accepted", line: line)
        }
        XCTAssertTrue(map.allSatisfy { $0 == 7 }, "the map was touched", line: line)
    }

    // By itself, because the optimizer of Swift 6.3 fails on a mutable span beside a catch.
    @inline(never)
    private static func refusal(
        _ evaluator: inout Evaluator, _ logits: [Float], _ labels: [UInt8], _ weights: [Float], _ term: Int?,
        _ map: inout [Float]
    ) -> LossError? {
        do throws(LossError) {
            try write(&evaluator, logits, labels, weights, term, &map)
            return nil
        } catch {
            return error
        }
    }

    @inline(never)
    private static func write(
        _ evaluator: inout Evaluator, _ logits: [Float], _ labels: [UInt8], _ weights: [Float], _ term: Int?,
        _ map: inout [Float]
    ) throws(LossError) {
        var span = map.mutableSpan
        try evaluator.lossMap(
            logits: logits.span, labels: labels.span, weights: weights.span, term: term, into: &span)
    }

    func testRefusals() throws {
        try refuse(.badTerm, "no term", .dice())
        try refuse(.badTerm, "no region, none that selects", .crossEntropy() + .dice(), term: 1, index: 1)
        try refuse(.badOption, "0 to 1", .crossEntropy() + .dice(), term: 2)
        try refuse(.badOption, "-1", .crossEntropy(), term: -1)
        try refuse(.badOption, "0 to 0", .crossEntropy(), term: .max)
        for count in [0, 139, 141, 420] { try refuse(.wrongSize, "140", .crossEntropy(), count: count) }
        for count in [0, 140, 419] { try refuse(.wrongSize, "420", .binaryCrossEntropy(), .sigmoid, count: count) }
        try refuse(.notFinite, "logits[419]", .crossEntropy(), index: 419) { logits, _, _ in logits[419] = .nan }
        try refuse(.badLabel, "labels[100]", .focal(), .sigmoid, index: 100) { _, labels, _ in labels[100] = 3 }
        try refuse(.badWeight, "weights[64]", .crossEntropy(), index: 64) { _, _, weights in weights[64] = -1 }
        // A loss that the totals would refuse, which would be infinite times 0.
        try refuse(.outOfRange, "2^19", .crossEntropy(), index: 64) { logits, labels, weights in
            (logits[65], logits[135], labels[65], weights[65]) = (-3e38, 3e38, 0, 0)
        }
        // Good losses, but not times the term's weight.
        try refuse(.outOfRange, "range of float", 1e38 * .crossEntropy() + -1e38 * .focal())
        try refuse(.outOfRange, "range of float", 1e300 * .crossEntropy())
    }

    func testMapsOfLinearTerms() throws {
        var evaluator = try Evaluator(
            1e20 * .linear(), shape: .flat(samples: 1, classes: 1, voxels: 64), activation: .probabilities)
        let p = [Float](repeating: 0.5, count: 64)
        // They cancel within the sums, and would be infinite in a map.
        let maps = (0..<64).map { $0 < 32 ? Float(0x1p100) : -0x1p100 }
        let labels = [UInt8](repeating: 0, count: 64)
        do throws(LossError) {
            _ = try evaluator.lossMap(logits: p, labels: labels, maps: maps)
            XCTFail("accepted")
        } catch {
            XCTAssertEqual(error.kind, .outOfRange)
        }
        let small = maps.map { $0 * 0x1p-80 }
        XCTAssertEqual(
            try evaluator.lossMap(logits: p, labels: labels, maps: small, term: 0), small.map { 0.5 * $0 })
    }

    func testBadCalls() {
        func call() -> RawCall { RawCall(closs_spec(CLOSS_SOFTMAX, [.crossEntropy(), .dice()])) }
        func answer(
            _ c: RawCall, plan: OpaquePointer?, map: UnsafeMutablePointer<Float>?, count: Int, scratch: Int? = nil
        ) -> RawCall.Answer {
            c.watched {
                closs_loss_map(plan, &c.batch, -1, map, count, c.scratch, scratch ?? c.scratchBytes, $0)
            }
        }
        let good = call()
        let map = good.block(Float.self, 140) { _ in 9 }
        XCTAssertEqual(answer(good, plan: good.plan, map: map, count: 140).status, CLOSS_OK)
        for (answer, status) in [
            (answer(good, plan: nil, map: map, count: 140), CLOSS_NULL_POINTER),
            (answer(good, plan: good.plan, map: nil, count: 140), CLOSS_NULL_POINTER),
            (answer(good, plan: good.plan, map: map, count: 139), CLOSS_WRONG_SIZE),
            (answer(good, plan: good.plan, map: map, count: 140, scratch: 0), CLOSS_TOO_SMALL),
            (
                answer(good, plan: good.plan, map: UnsafeMutablePointer(mutating: good.logits! + 10), count: 140),
                CLOSS_OVERLAP
            ),
            (
                good.watched {
                    closs_loss_map(good.plan, nil, -1, map, 140, good.scratch, good.scratchBytes, $0)
                }, CLOSS_NULL_POINTER
            ),
            (
                good.watched {
                    closs_loss_map(good.plan, &good.batch, -2, map, 140, good.scratch, good.scratchBytes, $0)
                }, CLOSS_BAD_OPTION
            ),
        ] {
            XCTAssertEqual(answer.status, status, answer.message)
            XCTAssertTrue(answer.isUntouched, answer.message)
        }
    }
}

extension SegLossReference.Term.Kind {
    /// The term divided by 1.
    fileprivate var summed: Self {
        switch self {
        case .crossEntropy(let w, let s, _, let x):
            .crossEntropy(classWeights: w, labelSmoothing: s, divisor: .constant(1), exponent: x)
        case .binaryCrossEntropy(let a, let w, let s, _, let c, let options):
            .binaryCrossEntropy(
                positiveWeights: a, classWeights: w, labelSmoothing: s, divisor: .constant(1), perChannel: c,
                options: options)
        case .focal(let gamma, let alpha, let w, _, let gammas, let c, let options):
            .focal(
                gamma: gamma, alpha: alpha, classWeights: w, divisor: .constant(1), classGammas: gammas, perChannel: c,
                options: options)
        case .focalStar(let gamma, let shift, let alpha, let w, _):
            .focalStar(gamma: gamma, shift: shift, alpha: alpha, classWeights: w, divisor: .constant(1))
        case .absoluteError(let w, _): .absoluteError(classWeights: w, divisor: .constant(1))
        case .smoothL1(let beta, let w, _): .smoothL1(beta: beta, classWeights: w, divisor: .constant(1))
        case .squaredError(let w, _): .squaredError(classWeights: w, divisor: .constant(1))
        case .linear(let w, _): .linear(classWeights: w, divisor: .constant(1))
        case .boundary, .hausdorff: preconditionFailure("has maps of its own: DistanceTermTests")
        case .region, .balancedBinaryCrossEntropy, .topK, .onlineHardExampleMining, .balancedL1, .lovaszSoftmax,
            .lovaszHinge:
            self
        }
    }
}
