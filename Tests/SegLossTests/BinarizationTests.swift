import CKernelProbe
import CLossKernels
import Foundation
import SegLoss
import SegLossReference
import XCTest

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

    private func check(
        _ outcome: Head.Outcome, _ expected: BinarizationProblem.Outcome, _ what: String,
        file: StaticString = #filePath, line: UInt = #line
    ) {
        let got = outcome.evaluation
        XCTAssertEqual(
            [got.value, got.main, got.l1, got.dice].map(\.bitPattern),
            [expected.value, expected.main, expected.l1, expected.dice].map(\.bitPattern), what, file: file, line: line)
        XCTAssertTrue(
            sameBits(outcome.map, expected.mapGradient), "gradient by P, \(what)", file: file, line: line)
        XCTAssertTrue(
            sameBits(outcome.threshold, expected.thresholdGradient), "gradient by T, \(what)", file: file, line: line)
    }

    func testEqualsReferenceBitForBit() throws {
        let seed = testSeed(701)
        var g = SplitMix64(seed: seed)
        for voxels in [1, 63, 64, 65, 200, 16383, 16385, 40000] {
            for logits in [false, true] {
                var head = Head.random(samples: voxels > 20000 ? 3 : 2, voxels: voxels, logits: logits, using: &g)
                head.dice = Bool.random(using: &g)
                head.beta = Bool.random(using: &g) ? 0.25 : 0
                head.minimum = Int.random(in: 0...5, using: &g)
                head.fallback = Int.random(in: 0...9, using: &g)
                if Int.random(in: 0..<3, using: &g) == 0 { head.targets = head.targets.map { _ in 0 } }
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
                let added = head.problem.evaluate(scale: -2, adding: (old, old))
                check(head.evaluate(scale: -2, adding: 0.3), added, "seed \(seed), \(voxels) voxels, added")
                for way in Head.Way.allCases {
                    let what = "seed \(seed), \(voxels) voxels, \(way)"
                    check(try head.outcome(way, write: .overwrite(scale: 0.75)), expected, what)
                    check(try head.outcome(way, write: .add(scale: -2), old: 0.3, spans: false), added, what)
                }
            }
        }
    }

    /// Large batches: the hardest negatives are found through a window, gradients go past the cache where every row
    /// begins a cache line, and the last block of a sample is not full.
    func testLargeBatches() throws {
        let seed = testSeed(703)
        var g = SplitMix64(seed: seed)
        for (logits, dice) in [(false, false), (true, false), (false, true)] {
            var head = Head.random(samples: 2, voxels: 270_032, logits: logits, using: &g)
            head.dice = dice
            if logits { head.P = head.P.map { $0 + Float.random(in: 0...0.01, using: &g) } } // hardly any ties
            let expected = head.problem.evaluate(scale: 0.75)
            let old = [Float](repeating: 0.3, count: head.P.count)
            let added = head.problem.evaluate(scale: -2, adding: (old, old))
            for instructionSet in [InstructionSet.generic, .avx2, .avx512] where instructionSet.isAvailable {
                for threads in [1, 2, 5] where threads == 2 || instructionSet != .generic {
                    let options = Options(threads: threads, instructionSet: instructionSet)
                    let what = "seed \(seed), \(instructionSet), \(threads) threads"
                    check(try alignedOutcome(head, .overwrite(scale: 0.75), -7, options), expected, what)
                    check(try alignedOutcome(head, .add(scale: -2), 0.3, options), added, "\(what), added")
                }
            }
            check(try head.outcome(.gaps, write: .overwrite(scale: 0.75)), expected, "seed \(seed), gaps")
        }
    }

    /// The facade's value and gradients from and to memory that begins a cache line.
    private func alignedOutcome(
        _ head: Head, _ write: Write, _ old: Float, _ options: Options
    ) throws -> Head.Outcome {
        let input = AlignedFloats(head.joined(head.P, head.T, channels: 2))
        let gradient = AlignedFloats([Float](repeating: old, count: input.values.count))
        let evaluation = try evaluate(head, input, gradient, write, options)
        let written = Array(gradient.values)
        return Head.Outcome(
            evaluation: evaluation, map: head.channel(written, from: 0, stride: 2 * head.voxels),
            threshold: head.channel(written, from: head.voxels, stride: 2 * head.voxels))
    }

    // Not inlined: Swift 6.3.1's optimiser stops where a mutable span is made beside a loop.
    @inline(never)
    private func evaluate(
        _ head: Head, _ input: AlignedFloats, _ gradient: AlignedFloats, _ write: Write, _ options: Options
    ) throws -> BinarizationEvaluation {
        var evaluator = try head.evaluator(options: options)
        let targets = head.targets.map { UInt8($0) }
        var span = gradient.values.mutableSpan
        return try evaluator.evaluate(
            head: input.values.span, targets: targets.span, mask: head.mask.span, thresholdMap: head.thresholdMap.span,
            thresholdMask: head.thresholdMask.span, gradient: &span, write: write)
    }

    func testEmptyMasksAndNoText() {
        var g = SplitMix64(seed: 7)
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
        var g = SplitMix64(seed: 11)
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
        struct BinaryMap: Decodable {
            let input: String
            let steepness, sum: Double
            let values, map, threshold: [Double]
        }
        let inputs: [String: [String: [Double]]]
        let cases: [Case]
        let binaryMap: BinaryMap

        enum CodingKeys: String, CodingKey {
            case inputs, cases
            case binaryMap = "binary_map"
        }

        static func read() throws -> Book {
            let url = try XCTUnwrap(
                Bundle.module.url(forResource: "binarization", withExtension: "json", subdirectory: "Fixtures"))
            return try JSONDecoder().decode(Book.self, from: Data(contentsOf: url))
        }

        /// The maps, targets and masks of an input, for the whole loss.
        func head(_ name: String) throws -> Head {
            let input = try XCTUnwrap(inputs[name])
            func floats(_ key: String) throws -> [Float] { try XCTUnwrap(input[key]).map { Float($0) } }
            func bytes(_ key: String) throws -> [UInt8] { try floats(key).map { UInt8($0) } }
            let P = try floats("P")
            let samples = name == "db" ? 2 : 1
            return Head(
                samples: samples, voxels: P.count / samples, logits: false, P: P, T: try floats("T"),
                targets: try floats("gt"), thresholdMap: try floats("threshold_map"), mask: try bytes("mask"),
                thresholdMask: try bytes("threshold_mask"))
        }
    }

    func testOriginals() throws {
        let book = try Book.read()
        XCTAssertEqual(book.cases.count, 8)
        for one in book.cases {
            var head = try book.head(one.input)
            head.weights = (one.weights[0], one.weights[1], one.weights[2])
            head.dice = one.main == "dice"
            let answer = try head.outcome()
            XCTAssertEqual(answer.evaluation.value, one.value, accuracy: 1e-6 * max(1, abs(one.value)), one.name)
            for (ours, theirs) in [(answer.map, one.map), (answer.threshold, one.threshold)] {
                let bound = 1e-6 * (theirs.map(abs).max() ?? 0) + 1e-12
                let error = zip(ours, theirs).map { abs(Double($0) - $1) }.max() ?? .infinity
                XCTAssert(error <= bound, "\(one.name): \(error) is more than \(bound)")
            }
        }
    }

    /// B itself. With targets of 1 and without an epsilon the Dice part over N valid voxels is 1 - 2 S / (S + N), S the
    /// sum of B there; so each B, and the gradient of S, come of it.
    func testBinaryMap() throws {
        let book = try Book.read()
        let golden = book.binaryMap
        var head = try book.head(golden.input)
        head.weights = (0, 0, 1)
        head.k = golden.steepness
        head.targets = head.targets.map { _ in 1 }
        var loss = head.loss
        loss.diceEpsilon = 0
        var evaluator = try BinarizationEvaluator(
            loss, shape: .flat(samples: head.samples, classes: 1, voxels: head.voxels), activation: .probabilities)
        let count = head.P.count
        var (byMap, byThreshold) = (head.P, head.T)
        let dice = try evaluator.evaluate(
            map: head.P, threshold: head.T, targets: head.targets, thresholdMap: head.thresholdMap,
            mapGradient: &byMap, thresholdGradient: &byThreshold
        ).dice
        let sum = Double(count) * (1 - dice) / (1 + dice)
        XCTAssertEqual(sum, golden.sum, accuracy: 1e-6 * golden.sum)
        let factor = -(sum + Double(count)) * (sum + Double(count)) / (2 * Double(count))
        for (ours, theirs) in [(byMap, golden.map), (byThreshold, golden.threshold)] {
            let error = zip(ours, theirs).map { abs(Double($0) * factor - $1) }.max() ?? .infinity
            let bound = 1e-5 * (theirs.map(abs).max() ?? 0)
            XCTAssertTrue(error <= bound, "\(error) is more than \(bound)")
        }
        for i in 0..<count {
            var mask = [UInt8](repeating: 0, count: count)
            mask[i] = 1
            let dice = try evaluator.evaluate(
                map: head.P, threshold: head.T, targets: head.targets, mask: mask, thresholdMap: head.thresholdMap
            ).dice
            let (ours, theirs) = ((1 - dice) / (1 + dice), golden.values[i])
            // P and T come as floats, and k (P - T) is one.
            let bound = theirs * ((1 - theirs) * 5e-6 + 2e-7) + 1e-14
            XCTAssertTrue(abs(ours - theirs) <= bound, "B[\(i)] is \(ours), not \(theirs)")
        }
    }

    /// A third binary map is computed of the two: what a head's third channel holds does not matter (``Head/outcome``
    /// puts NaNs there), and buffers without masks are as those with masks of ones.
    func testWithoutMasks() throws {
        var g = SplitMix64(seed: 13)
        for bytes in [false, true] {
            var head = Head.random(samples: 2, voxels: 150, logits: bytes, using: &g)
            head.bytes = bytes
            head.mask = head.mask.map { _ in 1 }
            head.thresholdMask = head.mask
            let expected = try head.outcome()
            var evaluator = try head.evaluator()
            let joined = head.joined(head.P, head.T, channels: 2)
            var gradient = joined
            let evaluation =
                bytes
                ? try evaluator.evaluate(
                    head: joined, targets: head.targets.map { UInt8($0) }, thresholdMap: head.thresholdMap,
                    gradient: &gradient)
                : try evaluator.evaluate(
                    head: joined, targets: head.targets, thresholdMap: head.thresholdMap, gradient: &gradient)
            XCTAssertEqual(evaluation, expected.evaluation)
            XCTAssertTrue(sameBits(gradient, head.joined(expected.map, expected.threshold, channels: 2)))
        }
    }

    /// Without text so many of the hardest negatives are taken, by the formula; with text they are not.
    func testFallbackNegatives() throws {
        var g = SplitMix64(seed: 719)
        var head = Head.random(samples: 2, voxels: 300, logits: false, using: &g)
        head.P = head.P.map { 0.05 + 0.9 * $0 }
        (head.ratio, head.fallback) = (0.5, 7)
        var without = head
        without.fallback = 0
        XCTAssertEqual(try head.outcome(), try without.outcome(), "with text")

        head.targets = head.targets.map { _ in 0 }
        without.targets = head.targets
        XCTAssertEqual(try without.outcome().evaluation.main, 0)
        let valid = head.P.indices.filter { head.mask[$0] != 0 }
        let hardest = valid.map { Double(head.P[$0]) }.sorted(by: >).prefix(7)
        let expected = hardest.reduce(0) { $0 - log(1 - $1) } / (7 + 1e-6)
        let main = try head.outcome().evaluation.main
        XCTAssertTrue(abs(main - expected) <= 1e-6 * expected, "\(main), not \(expected)")
        head.fallback = .max
        let all = valid.reduce(0) { $0 - log(1 - Double(head.P[$1])) } / (Double(valid.count) + 1e-6)
        let most = try head.outcome().evaluation.main
        XCTAssertTrue(abs(most - all) <= 1e-6 * all, "\(most), not \(all)")
    }

    func testPresets() {
        XCTAssertEqual(BinarizationLoss.db, BinarizationLoss())
        XCTAssertEqual(BinarizationLoss.db.weights, .init(map: 5, threshold: 10, binary: 1))
        XCTAssertEqual(
            BinarizationLoss.db.main,
            .balanced(negativeRatio: 3, minimumNegatives: 0, fallbackNegatives: 0, epsilon: 1e-6))
        XCTAssertEqual(BinarizationLoss.db.steepness, 50)
        XCTAssertEqual(BinarizationLoss.db.diceEpsilon, 1e-6)
        XCTAssertEqual(BinarizationLoss.db.smoothL1Beta, 0)
        XCTAssertEqual(BinarizationLoss.paper.weights, .init(map: 1, threshold: 10, binary: 1))
        XCTAssertEqual(BinarizationLoss.paper.main, BinarizationLoss.db.main)
        XCTAssertEqual(BinarizationLoss.dbDice.main, .dice)
        XCTAssertEqual(BinarizationLoss.dbDice.weights, BinarizationLoss.paper.weights)
    }

    /// An evaluator and its copies, call after call.
    func testCopiesAndCallsAreIndependent() async throws {
        var g = SplitMix64(seed: 17)
        let heads = (0..<2).map { _ in Head.random(samples: 2, voxels: 20_000, logits: false, using: &g) }
        let expected = try heads.map { try $0.outcome() }
        let evaluator = try heads[0].evaluator(options: Options(threads: 2))
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for task in 0..<4 {
                group.addTask {
                    var mine = evaluator
                    var areSame = true
                    for round in 0..<3 {
                        let head = heads[(task + round) % 2]
                        let joined = head.joined(head.P, head.T, channels: 2)
                        var gradient = joined
                        let evaluation = try mine.evaluate(
                            head: joined, targets: head.targets, mask: head.mask, thresholdMap: head.thresholdMap,
                            thresholdMask: head.thresholdMask, gradient: &gradient)
                        let e = expected[(task + round) % 2]
                        areSame = areSame && evaluation == e.evaluation
                            && sameBits(gradient, head.joined(e.map, e.threshold, channels: 2))
                    }
                    return areSame
                }
            }
            for try await areSame in group { XCTAssertTrue(areSame) }
        }
    }

    func testNoAllocations() throws {
        guard probe_heap_is_watched() != 0 else { throw XCTSkip("the heap is not watched here") }
        var g = SplitMix64(seed: 19)
        for threads in [1, 2] {
            let head = Head.random(samples: 2, voxels: 30_000, logits: threads == 1, using: &g)
            var evaluator = try head.evaluator(options: Options(threads: threads))
            var apart = try head.evaluator(channels: 1, options: Options(threads: threads))
            let joined = head.joined(head.P, head.T, channels: 2)
            var gradient = joined
            var (byMap, byThreshold) = (head.P, head.T)
            var sum = 0.0
            func step() throws {
                sum += try evaluator.evaluate(
                    head: joined, targets: head.targets, mask: head.mask, thresholdMap: head.thresholdMap
                ).value
                sum += try evaluator.evaluate(
                    head: joined, targets: head.targets, mask: head.mask, thresholdMap: head.thresholdMap,
                    gradient: &gradient
                ).l1
                sum += try apart.evaluate(
                    map: head.P, threshold: head.T, targets: head.targets, thresholdMap: head.thresholdMap,
                    mapGradient: &byMap, thresholdGradient: &byThreshold, write: .add
                ).dice
            }
            try step()
            // What a call allocates, it allocates every time; a thread that another test left behind may, now and then.
            let allocations = try (0..<5).map { _ in
                let before = probe_allocations()
                try step()
                return probe_allocations() - before
            }
            XCTAssertEqual(allocations.min(), 0, "\(threads) threads: \(allocations)")
            XCTAssertTrue(sum.isFinite)
        }
    }
}
