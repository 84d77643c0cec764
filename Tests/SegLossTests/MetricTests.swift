import Foundation
import SegLoss
import SegLossReference
import XCTest

final class MetricTests: XCTestCase {
    private let sets = InstructionSet.allCases.filter { $0 != .best && $0.isAvailable }

    private func convert<T: FixedWidthInteger>(_ labels: [Int], _: T.Type) -> [T] { labels.map { T(truncatingIfNeeded: $0) } }

    /// Labels with ignored and masked ones among them, and which of them count.
    private struct Truth {
        var labels: [Int]
        var mask: [UInt8]?
        var counted: [Bool]

        init(voxels: Int, classes: Int, ignore: Int?, _ g: inout SplitMix64) {
            let run = Int.random(in: 1...200, using: &g)
            labels = []
            while labels.count < voxels {
                let length = min(Int.random(in: 1...run, using: &g), voxels - labels.count)
                let label = Int.random(in: 0...8, using: &g) == 0 ? ignore : nil
                labels += Array(repeating: label ?? .random(in: 0..<classes, using: &g), count: length)
            }
            counted = labels.map { $0 != ignore }
            guard Bool.random(using: &g) else { return }
            let mask = (0..<voxels).map { _ in UInt8.random(in: 0...3, using: &g) }
            for i in mask.indices where mask[i] == 0 {
                counted[i] = false
                // No class: it must not matter.
                if i % 3 == 0 { labels[i] = 201 }
            }
            self.mask = mask
        }
    }

    // MARK: - Confusion

    func testConfusionEqualsCounting() throws {
        let seed = testSeed(1701)
        var g = SplitMix64(seed: seed)
        for round in 0..<60 {
            let classes = [1, 2, 3, 4, 5, 15, 19, 40, 41, 200].randomElement(using: &g)!
            let shape = Shape(
                samples: .random(in: 1...3, using: &g), classes: classes,
                extents: [.random(in: 1...70, using: &g), .random(in: 1...150, using: &g)])
            let voxels = shape.voxels, all = shape.samples * voxels
            let ignore = [nil, 255, classes - 1, -1].randomElement(using: &g)!
            let truth = Truth(voxels: all, classes: classes, ignore: ignore, &g)
            let labels = truth.labels
            let predicted = labels.map { Bool.random(using: &g) && $0 >= 0 && $0 < classes ? $0 : .random(in: 0..<classes, using: &g) }
            let isFew = classes <= 19
            let logits = isFew ? (0..<all * classes).map { _ in Float(Int.random(in: -4...4, using: &g)) / 2 } : []
            for wantsLogits in isFew ? [false, true] : [false] {
                var expected: [Int64] = []
                for sample in 0..<shape.samples {
                    let range = sample * voxels..<(sample + 1) * voxels
                    let own = wantsLogits
                        ? (0..<voxels).map {
                            ReferenceMetrics.predictedClass(
                                logits[sample * classes * voxels..<(sample + 1) * classes * voxels], classes: classes,
                                voxels: voxels, voxel: $0)
                        } : Array(predicted[range])
                    expected += ReferenceMetrics.matrix(
                        labels: range.map { truth.counted[$0] ? labels[$0] : nil }, predictions: own, classes: classes)
                }
                for set in sets {
                    var counter = try ConfusionCounter(
                        of: shape,
                        options: Options(
                            ignoreIndex: ignore, threads: .random(in: 1...5, using: &g), instructionSet: set))
                    let signed = convert(labels, Int32.self)
                    let matrix = wantsLogits
                        ? try counter.count(logits: logits, labels: signed, mask: truth.mask)
                        : try counter.count(predictions: predicted.map(UInt16.init), labels: signed, mask: truth.mask)
                    XCTAssertEqual(matrix.values, expected, "seed \(seed), round \(round), \(shape), \(set), \(wantsLogits)")
                    checkClassCounts(matrix)
                }
            }
        }
    }

    private func checkClassCounts(_ m: ConfusionMatrix) {
        for sample in 0..<m.samples {
            for c in 0..<m.classes {
                var expected = ConfusionCounts()
                for target in 0..<m.classes {
                    for predicted in 0..<m.classes {
                        let count = m[sample: sample, target: target, predicted: predicted]
                        switch (target == c, predicted == c) {
                        case (true, true): expected.truePositives += count
                        case (true, false): expected.falseNegatives += count
                        case (false, true): expected.falsePositives += count
                        case (false, false): expected.trueNegatives += count
                        }
                    }
                }
                guard m.counts(sample: sample, class: c) == expected else {
                    return XCTFail("sample \(sample), class \(c): \(m.counts(sample: sample, class: c)), not \(expected)")
                }
                if m.classes > 40 && c > 3 { break }
            }
        }
    }

    func testTypesChangeNoCount() throws {
        let seed = testSeed(1702)
        var g = SplitMix64(seed: seed)
        let shape = Shape(samples: 2, classes: 7, extents: [61, 77]), all = 2 * shape.voxels
        let labels = (0..<all).map { _ in Int.random(in: 0..<7, using: &g) }
        let predicted = (0..<all).map { _ in Int.random(in: 0..<7, using: &g) }
        let logits = (0..<all * 7).map { _ in Float(Int.random(in: -20...20, using: &g)) / 4 }
        var counter = try ConfusionCounter(of: shape)
        let expected = try counter.count(predictions: predicted, labels: labels)
        XCTAssertEqual(try counter.count(predictions: convert(predicted, UInt8.self), labels: convert(labels, Int32.self)), expected)
        XCTAssertEqual(try counter.count(predictions: convert(predicted, Int32.self), labels: convert(labels, UInt16.self)), expected)
        XCTAssertEqual(try counter.count(predictions: convert(predicted, UInt16.self), labels: convert(labels, UInt8.self)), expected)
        let ofLogits = try counter.count(logits: logits, labels: labels)
        XCTAssertEqual(try counter.count(logits: logits.map(Float16.init), labels: labels), ofLogits)
        XCTAssertEqual(try counter.count(logits: logits.map(BFloat16.init), labels: labels), ofLogits)
        var twice = expected
        try twice.add(expected)
        XCTAssertEqual(twice.values, expected.values.map { 2 * $0 })
        XCTAssertEqual(twice.score(.dice), expected.score(.dice))
    }

    /// Bytes hold 256 labels: of more classes the others are absent, not met by labels that wrap around.
    func testMoreClassesThanBytesHold() throws {
        let seed = testSeed(1708)
        var g = SplitMix64(seed: seed)
        let classes = 300, voxels = 5000
        let labels = (0..<voxels).map { _ in UInt8.random(in: 0...255, using: &g) }
        let predicted = (0..<voxels).map { _ in UInt16.random(in: 0..<300, using: &g) }
        let expected = ReferenceMetrics.matrix(labels: labels.map(Int.init), predictions: predicted.map(Int.init), classes: classes)
        let turned = ReferenceMetrics.matrix(labels: predicted.map(Int.init), predictions: labels.map(Int.init), classes: classes)
        for set in sets {
            var counter = try ConfusionCounter(
                of: .flat(samples: 1, classes: classes, voxels: voxels), options: Options(instructionSet: set))
            XCTAssertEqual(try counter.count(predictions: predicted, labels: labels).values, expected, "seed \(seed), \(set)")
            XCTAssertEqual(try counter.count(predictions: labels, labels: predicted).values, turned, "seed \(seed), \(set)")
            var channels = try ThresholdCounter(
                of: .flat(samples: 1, classes: classes, voxels: 20), thresholds: [0.5], activation: .probabilities,
                options: Options(instructionSet: set))
            let few = Array(labels.prefix(20)), ones = [Float](repeating: 1, count: 20 * classes)
            let counts = try channels.count(ones, labels: few)
            for c in 0..<classes {
                XCTAssertEqual(
                    counts.counts(sample: 0, channel: c, threshold: 0).truePositives,
                    Int64(few.filter { Int($0) == c }.count), "seed \(seed), channel \(c), \(set)")
            }
        }
    }

    func testEqualLogitsGoToTheSmallestClass() throws {
        for set in sets {
            var counter = try ConfusionCounter(of: .flat(samples: 1, classes: 3, voxels: 4), options: Options(instructionSet: set))
            // Of the voxels: all equal; 1 and 2 equal; -0 and 0; 2 alone.
            let logits: [Float] = [5, 1, -0.0, -9, 5, 3, 0, -8, 5, 3, -1, -7]
            let m = try counter.count(logits: logits, labels: [0, 0, 0, 0] as [UInt8])
            XCTAssertEqual(m.values, [2, 1, 1, 0, 0, 0, 0, 0, 0], "\(set)")
        }
    }

    // MARK: - Thresholds

    func testThresholdCountsEqualCounting() throws {
        let seed = testSeed(1703)
        var g = SplitMix64(seed: seed)
        for round in 0..<60 {
            let channels = Int.random(in: 1...3, using: &g)
            let shape = Shape(
                samples: .random(in: 1...3, using: &g), classes: channels,
                extents: [.random(in: 1...70, using: &g), .random(in: 1...150, using: &g)])
            let voxels = shape.voxels, all = shape.samples * voxels
            let count = [1, 2, 3, 5, 9, 10, 11, 21, 100].randomElement(using: &g)!
            var thresholds = round % 4 == 0 ? ThresholdCounter.meanIoU
                : Array(Set((0..<count).map { _ in Float.random(in: 0...1, using: &g) })).sorted()
            if round % 5 == 0 { thresholds = [0] + thresholds.filter { $0 > 0 && $0 < 1 } + [1] }
            let isLogits = Bool.random(using: &g)
            let truth = Truth(voxels: all, classes: max(channels, 2), ignore: 255, &g)
            // Many values on a threshold, where > and >= part.
            let bounds = thresholds.map { ReferenceMetrics.bound(of: $0, logits: isLogits) }.filter(\.isFinite)
            let values = (0..<all * channels).map { _ -> Float in
                if let bound = bounds.randomElement(using: &g), Int.random(in: 0...3, using: &g) == 0 { return bound }
                return isLogits ? .random(in: -6...6, using: &g) : .random(in: 0...1, using: &g)
            }
            var expected: [ReferenceCounts] = []
            for sample in 0..<shape.samples {
                for channel in 0..<channels {
                    let own = Array(values[(sample * channels + channel) * voxels..<(sample * channels + channel + 1) * voxels])
                    let targets = (sample * voxels..<(sample + 1) * voxels).map { i -> Bool? in
                        truth.counted[i] ? truth.labels[i] == (channels == 1 ? 1 : channel) : nil
                    }
                    expected += thresholds.map {
                        ReferenceMetrics.counts(
                            values: own, targets: targets,
                            bound: ReferenceMetrics.bound(of: $0, logits: isLogits))
                    }
                }
            }
            for set in sets {
                var counter = try ThresholdCounter(
                    of: shape, thresholds: thresholds, activation: isLogits ? .sigmoid : .probabilities,
                    options: Options(ignoreIndex: 255, threads: .random(in: 1...5, using: &g), instructionSet: set))
                let counts = try counter.count(values, labels: convert(truth.labels, UInt8.self), mask: truth.mask)
                let got = counts.counts.map {
                    ReferenceCounts(
                        truePositives: $0.truePositives, falsePositives: $0.falsePositives,
                        falseNegatives: $0.falseNegatives, trueNegatives: $0.trueNegatives)
                }
                XCTAssertEqual(got, expected, "seed \(seed), round \(round), \(shape), \(thresholds), \(set)")
            }
        }
    }

    func testDenseTargetsAndTypesOfPredictions() throws {
        let seed = testSeed(1704)
        var g = SplitMix64(seed: seed)
        let shape = Shape(samples: 2, classes: 3, extents: [41, 113]), voxels = shape.voxels
        let labels = (0..<2 * voxels).map { _ in UInt8.random(in: 0..<3, using: &g) }
        let mask = (0..<2 * voxels).map { _ in UInt8.random(in: 0...2, using: &g) }
        var dense: [UInt8] = []
        for n in 0..<2 { for c in 0..<3 { for i in 0..<voxels { dense.append(labels[n * voxels + i] == c ? 1 : 0) } } }
        let values = (0..<6 * voxels).map { _ in Float(Int.random(in: 0...64, using: &g)) / 64 }
        var counter = try ThresholdCounter(of: shape, activation: .probabilities)
        let expected = try counter.count(values, labels: labels, mask: mask)
        XCTAssertEqual(try counter.count(values, targets: dense, mask: mask), expected)
        XCTAssertEqual(try counter.count(values, targets: dense.map { Float($0) }, mask: mask), expected)
        XCTAssertEqual(try counter.count(values.map(Float16.init), labels: labels, mask: mask), expected)
        XCTAssertEqual(try counter.count(values.map(BFloat16.init), labels: labels, mask: mask), expected)
        XCTAssertEqual(try counter.count(values, labels: labels.map(UInt16.init), mask: mask), expected)
        XCTAssertEqual(try counter.count(values, labels: labels.map(Int32.init), mask: mask), expected)
        XCTAssertEqual(try counter.count(values, labels: labels.map(Int64.init), mask: mask), expected)
        // A dense value that is ignored takes its channel out alone.
        var some = dense
        some[voxels + 5] = 255
        var ignoring = try ThresholdCounter(of: shape, activation: .probabilities, options: Options(ignoreIndex: 255))
        let without = try ignoring.count(values, targets: some)
        let with = try ignoring.count(values, targets: dense)
        for (i, (a, b)) in zip(without.counts, with.counts).enumerated() {
            let total = { (c: ConfusionCounts) in c.truePositives + c.falsePositives + c.falseNegatives + c.trueNegatives }
            XCTAssertEqual(total(b) - total(a), i / 10 == 1 ? 1 : 0)
        }
    }

    /// Sigmoid's thresholds are where the probability is: compared in Double, a little off the thresholds themselves.
    func testLogitsArePredictedWhereTheirSigmoidExceedsTheThreshold() throws {
        let values = (-60_000...60_000).map { Float($0) / 5000 }
        var counter = try ThresholdCounter(of: .flat(samples: 1, classes: 1, voxels: values.count), activation: .sigmoid)
        let counts = try counter.count(values, labels: [UInt8](repeating: 1, count: values.count))
        for (k, threshold) in ThresholdCounter.meanIoU.enumerated() {
            let p = values.map { 1 / (1 + exp(-Double($0))) - Double(threshold) }
            let surely = p.filter { $0 > 1e-6 }.count, perhaps = p.filter { $0 > -1e-6 }.count
            XCTAssertTrue((surely...perhaps).contains(Int(counts.counts[k].truePositives)), "\(threshold)")
        }
    }

    // MARK: - Scores

    func testScoresEqualTheirFormulas() throws {
        let seed = testSeed(1705)
        var g = SplitMix64(seed: seed)
        for round in 0..<200 {
            func number() -> Int64 { Int.random(in: 0...2, using: &g) == 0 ? 0 : .random(in: 0...1000, using: &g) }
            let c = ConfusionCounts(
                truePositives: number(), falsePositives: number(), falseNegatives: number(), trueNegatives: number())
            let (tp, fp) = (Double(c.truePositives), Double(c.falsePositives))
            let (fn, tn) = (Double(c.falseNegatives), Double(c.trueNegatives))
            let formulas: [(Score, Double, Double)] = [
                (.dice, tp, tp + fp / 2 + fn / 2), (.iou, tp, tp + fp + fn), (.precision, tp, tp + fp),
                (.recall, tp, tp + fn), (.specificity, tn, tn + fp), (.accuracy, tp + tn, tp + fp + fn + tn),
                (.backgroundIoU, tn, tn + fp + fn),
            ]
            for (kind, above, below) in formulas {
                for empty in EmptyScore.allCases {
                    let got = c.score(kind, empty: empty)
                    var wanted = below > 0 ? above / below : whereEmpty(empty)
                    if leftOut(empty, c) { wanted = .nan }
                    XCTAssertTrue(
                        abs(got - wanted) <= 1e-15 || (got.isNaN && wanted.isNaN),
                        "seed \(seed), round \(round): \(kind), \(empty) of \(c): \(got), not \(wanted)")
                }
            }
            // One of the two that is empty is never in their mean, whatever the rule.
            let both = [c.score(.iou), c.score(.backgroundIoU)].filter { !$0.isNaN }
            for empty in EmptyScore.allCases {
                var wanted = both.isEmpty ? whereEmpty(empty) : both.reduce(0, +) / Double(both.count)
                if leftOut(empty, c) { wanted = .nan }
                let got = c.score(.twoClassIoU, empty: empty)
                XCTAssertTrue(
                    abs(got - wanted) <= 1e-15 || (got.isNaN && wanted.isNaN),
                    "seed \(seed), round \(round): \(empty): \(got), not \(wanted) of \(c)")
            }
        }
    }

    private func whereEmpty(_ empty: EmptyScore) -> Double {
        switch empty {
        case .one: 1
        case .zero, .absentExcluded: 0
        case .excluded, .targetExcluded: .nan
        }
    }

    private func leftOut(_ empty: EmptyScore, _ c: ConfusionCounts) -> Bool {
        let isTrue = c.truePositives + c.falseNegatives > 0
        return empty == .targetExcluded && !isTrue || empty == .absentExcluded && !isTrue && c.falsePositives == 0
    }

    /// TensorFlow's MeanIoU of two classes leaves out the one of which there is nothing, and is 0 of nothing at all.
    func testTwoClassIoUOfOneClassAlone() {
        for empty in [EmptyScore.excluded, .one, .zero] {
            XCTAssertEqual(ConfusionCounts(trueNegatives: 10).score(.twoClassIoU, empty: empty), 1, "\(empty)")
            XCTAssertEqual(ConfusionCounts(truePositives: 10).score(.twoClassIoU, empty: empty), 1, "\(empty)")
        }
        XCTAssertEqual(ConfusionCounts().score(.twoClassIoU, empty: .zero), 0)
        XCTAssertEqual(ConfusionCounts().score(.twoClassIoU, empty: .one), 1)
    }

    func testNegativeCountsHaveNoScore() {
        for kind in Score.allCases {
            for c in [
                ConfusionCounts(truePositives: -5, trueNegatives: 10), ConfusionCounts(truePositives: 9, falsePositives: -1),
                ConfusionCounts(truePositives: 9, falseNegatives: -1), ConfusionCounts(truePositives: 9, trueNegatives: .min),
            ] {
                XCTAssertTrue(c.score(kind, empty: .one).isNaN, "\(kind) of \(c)")
            }
            // Their sum leaves 64 bits, their score does not care.
            let many = ConfusionCounts(
                truePositives: .max, falsePositives: .max, falseNegatives: .max, trueNegatives: .max)
            XCTAssertTrue((0.3...0.7).contains(many.score(kind)), "\(kind)")
        }
    }

    private func present(_ values: [Double]) -> Double {
        let there = values.filter { !$0.isNaN }
        return there.isEmpty ? .nan : there.reduce(0, +) / Double(there.count)
    }

    func testAverages() throws {
        let seed = testSeed(1706)
        var g = SplitMix64(seed: seed)
        let shape = Shape(samples: 4, classes: 5, extents: [9, 11]), voxels = shape.voxels
        for round in 0..<30 {
            // Classes that are absent in some samples, and in all.
            let labels = (0..<4).flatMap { n in (0..<voxels).map { _ in UInt8.random(in: 0...UInt8(n), using: &g) } }
            let predicted = labels.map { Bool.random(using: &g) ? $0 : UInt8.random(in: 0...2, using: &g) }
            var counter = try ConfusionCounter(of: shape)
            let m = try counter.count(predictions: predicted, labels: labels)
            for kind in [Score.dice, .iou, .precision, .recall] {
                for empty in EmptyScore.allCases {
                    for background in [true, false] {
                        let classes = Array(background ? 0..<5 : 1..<5)
                        func sum(_ samples: [Int], _ classes: [Int]) -> Double {
                            var all = ConfusionCounts()
                            for n in samples { for c in classes { all += m.counts(sample: n, class: c) } }
                            return all.score(kind, empty: empty)
                        }
                        let samples = Array(0..<4)
                        let wanted: [(Average, Double)] = [
                            (.macro, present(classes.map { sum(samples, [$0]) })),
                            (.micro, sum(samples, classes)),
                            (.macroPerSample, present(samples.map { n in present(classes.map { sum([n], [$0]) }) })),
                            (.microPerSample, present(samples.map { sum([$0], classes) })),
                        ]
                        for (average, wanted) in wanted {
                            let got = m.score(kind, average: average, empty: empty, includesBackground: background)
                            XCTAssertTrue(
                                abs(got - wanted) <= 1e-14 || (got.isNaN && wanted.isNaN),
                                "seed \(seed), round \(round): \(kind), \(average), \(empty): \(got), not \(wanted)")
                        }
                    }
                }
            }
        }
    }

    // MARK: - Data sets

    /// Batches that are appended, the last a smaller one, have every average that all samples together have.
    func testAppendedBatchesAreADataSet() throws {
        let seed = testSeed(1707)
        var g = SplitMix64(seed: seed)
        let voxels = 77, sizes = [3, 3, 1]
        let labels = (0..<7 * voxels).map { i in UInt8.random(in: 0...UInt8(i / voxels % 4), using: &g) }
        let predicted = labels.map { Bool.random(using: &g) ? $0 : UInt8.random(in: 0...2, using: &g) }
        let values = labels.map { _ in Float.random(in: 0...1, using: &g) }
        func slice<T>(_ all: [T], _ range: Range<Int>) -> [T] { Array(all[range.lowerBound * voxels..<range.upperBound * voxels]) }
        func count(_ range: Range<Int>) throws -> (ConfusionMatrix, ThresholdCounts) {
            var confusion = try ConfusionCounter(of: .flat(samples: range.count, classes: 5, voxels: voxels))
            var thresholds = try ThresholdCounter(
                of: .flat(samples: range.count, classes: 1, voxels: voxels), activation: .probabilities)
            return (
                try confusion.count(predictions: slice(predicted, range), labels: slice(labels, range)),
                try thresholds.count(slice(values, range), labels: slice(labels, range).map { min($0, 1) })
            )
        }
        let whole = try count(0..<7)
        var (matrix, counts) = try count(0..<sizes[0])
        var first = sizes[0]
        for size in sizes.dropFirst() {
            let (m, c) = try count(first..<first + size)
            try matrix.append(m)
            try counts.append(c)
            first += size
        }
        XCTAssertEqual(matrix, whole.0, "seed \(seed)")
        XCTAssertEqual(counts, whole.1, "seed \(seed)")
        XCTAssertEqual(matrix.samples, 7)
        XCTAssertEqual(matrix.counts(sample: 6, class: 2), whole.0.counts(sample: 6, class: 2))
        for empty in EmptyScore.allCases {
            let alone = matrix.scores(.dice, empty: empty)
            for c in 0..<5 {
                var sum = ConfusionCounts()
                for n in 0..<7 { sum += matrix.counts(sample: n, class: c) }
                let what = "seed \(seed), \(empty), class \(c)"
                XCTAssertEqual(matrix.counts(class: c), sum, what)
                let wanted = [sum.score(.dice, empty: empty), present((0..<7).map { alone[$0 * 5 + c] })]
                let got = [
                    matrix.classScores(.dice, empty: empty)[c],
                    matrix.classScores(.dice, perSample: true, empty: empty)[c],
                ]
                for (got, wanted) in zip(got, wanted) {
                    XCTAssertTrue(abs(got - wanted) <= 1e-15 || (got.isNaN && wanted.isNaN), "\(what): \(got), not \(wanted)")
                }
            }
        }
    }

    func testMeanIoUOverThresholds() throws {
        let probabilities: [Float] = [0.52, 0.58, 0.97, 0.1, 0.66, 0.3]
        var counter = try ThresholdCounter(of: .flat(samples: 1, classes: 1, voxels: 6), activation: .probabilities)
        let counts = try counter.count(probabilities, labels: [1, 0, 1, 0, 1, 1] as [UInt8])
        // Of 4 true voxels: by threshold the hits and the false alarms.
        let hits = [3.0, 2, 2, 2, 1, 1, 1, 1, 1, 1], alarms = [1.0, 1, 0, 0, 0, 0, 0, 0, 0, 0]
        let wanted = zip(hits, alarms).map { $0 / (4 + $1) }
        XCTAssertEqual(counts.scores(.iou), wanted)
        XCTAssertEqual(counts.mean(.iou), wanted.reduce(0, +) / 10, accuracy: 1e-15)
        var twice = counts
        try twice.add(counts)
        XCTAssertEqual(twice.scores(.iou), wanted)
    }

    // MARK: - Refused counts of others

    func testCountsOfOtherShapesAreNotAdded() throws {
        var two = try ConfusionCounter(of: .flat(samples: 1, classes: 2, voxels: 3))
        var three = try ConfusionCounter(of: .flat(samples: 1, classes: 3, voxels: 3))
        var matrix = try two.count(predictions: [0, 1, 1], labels: [0, 0, 1])
        let other = try three.count(predictions: [0, 1, 1], labels: [0, 0, 1]), before = matrix
        XCTAssertThrowsError(try matrix.add(other)) { XCTAssertEqual(($0 as? LossError)?.kind, .wrongSize) }
        XCTAssertThrowsError(try matrix.append(other)) { XCTAssertEqual(($0 as? LossError)?.kind, .wrongSize) }
        XCTAssertEqual(matrix, before)
        var one = try ThresholdCounter(of: .flat(samples: 1, classes: 1, voxels: 3), thresholds: [0.5], activation: .sigmoid)
        var many = try ThresholdCounter(of: .flat(samples: 1, classes: 1, voxels: 3), thresholds: [0.25], activation: .sigmoid)
        var counts = try one.count([1, 2, 3] as [Float], labels: [0, 1, 1])
        let others = try many.count([1, 2, 3] as [Float], labels: [0, 1, 1])
        XCTAssertThrowsError(try counts.add(others)) { XCTAssertEqual(($0 as? LossError)?.kind, .wrongSize) }
        XCTAssertThrowsError(try counts.append(others)) { XCTAssertEqual(($0 as? LossError)?.kind, .wrongSize) }
    }
}
