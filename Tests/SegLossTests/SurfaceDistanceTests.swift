import Foundation
import SegLoss
import SegLossReference
import XCTest

final class SurfaceDistanceTests: XCTestCase {
    private let sets = InstructionSet.allCases.filter { $0 != .best && $0.isAvailable }

    private func numbers(_ d: SurfaceDistances.Distances) -> [Double] {
        [d.hausdorff, d.hausdorffPercentile, d.pooledPercentile, d.average]
            + [d.toTarget, d.toPredicted].flatMap { [$0.maximum, $0.percentile, $0.average] }
    }

    private func blob(_ extents: [Int], _ g: inout SplitMix64) -> [Bool] {
        let center = extents.map { Double.random(in: 0...Double($0), using: &g) }
        let radius = Double.random(in: 1...20, using: &g), noise = Int.random(in: 2...50, using: &g)
        return (0..<extents.reduce(1, *)).map { i in
            let place = [i / (extents[1] * extents[2]), i / extents[2] % extents[1], i % extents[2]]
            let squared = (0..<3).reduce(0.0) { $0 + (Double(place[$1]) - center[$1]) * (Double(place[$1]) - center[$1]) }
            return Int.random(in: 0..<noise, using: &g) == 0 ? Bool.random(using: &g) : squared < radius * radius
        }
    }

    /// All ten numbers, to the last bit, on every instruction set and several numbers of threads.
    func testSurfacesEqualBruteForce() throws {
        let seed = testSeed(1711)
        var g = SplitMix64(seed: seed)
        for round in 0..<60 {
            let extents = round % 3 == 0
                ? [Int.random(in: 1...9, using: &g), .random(in: 1...12, using: &g), .random(in: 1...30, using: &g)]
                : [Int.random(in: 1...40, using: &g), .random(in: 1...50, using: &g)]
            let shape = Shape(samples: 2, classes: 3, extents: extents), voxels = shape.voxels
            let whole = Array(repeating: 1, count: 3 - extents.count) + extents
            let spacing = extents.map { _ in round % 2 == 0 ? 1 : [0.5, 0.8, 1, 1.37, 3].randomElement(using: &g)! }
            let percentile = [95, 0, 50, 100, Double.random(in: 0...100, using: &g)].randomElement(using: &g)!
            let ignore = round % 4 == 1 ? 2 : nil
            var labels: [Int32] = [], predicted: [Int32] = []
            for _ in 0..<2 {
                let one = blob(whole, &g), two = blob(whole, &g), shifted = blob(whole, &g)
                labels += (0..<voxels).map { one[$0] ? 1 : two[$0] ? 7 : ignore != nil && shifted[$0] ? 2 : 0 }
                predicted += (0..<voxels).map { one[$0] != (shifted[$0] && $0 % 5 == 0) ? 1 : shifted[$0] ? 7 : 0 }
            }
            let mask = round % 5 == 2 ? (0..<2 * voxels).map { _ in UInt8.random(in: 0...5, using: &g) } : nil
            let classes = [1, 7, 0]
            let lengths = Array(repeating: 1.0, count: 3 - extents.count) + spacing
            let problem = SurfaceProblem(extents: whole, spacing: lengths, percentile: percentile)
            var expected: [SurfaceProblem.Answer] = []
            for sample in 0..<2 {
                for c in classes {
                    func member(_ map: [Int32]) -> [Bool] {
                        (sample * voxels..<(sample + 1) * voxels).map { i in
                            Int(map[i]) == c && (mask.map { $0[i] != 0 } ?? true) && (ignore.map { Int(labels[i]) != $0 } ?? true)
                        }
                    }
                    expected.append(
                        problem.answer(predicted: member(predicted), target: member(labels)) { $0 ? .nan : .infinity })
                }
            }
            for set in sets {
                var metric = try SurfaceMetric(
                    of: shape, classes: classes, spacing: spacing, percentile: percentile,
                    options: Options(ignoreIndex: ignore, threads: .random(in: 1...5, using: &g), instructionSet: set))
                let distances = try metric.distances(predictions: predicted, labels: labels, mask: mask)
                for (got, wanted) in zip(distances.values, expected) {
                    let what = "seed \(seed), round \(round), \(extents), \(spacing), \(percentile), \(set)"
                    XCTAssertEqual([got.predictedVoxels, got.targetVoxels], wanted.voxels, what)
                    XCTAssertTrue(
                        numbers(got).elementsEqual(wanted.numbers) { $0 == $1 || ($0.isNaN && $1.isNaN) },
                        "\(numbers(got)), not \(wanted.numbers), \(what)")
                }
            }
        }
    }

    /// Spheres at a known distance, large enough for several threads.
    func testThreadsChangeNoBit() throws {
        let extents = [40, 61, 130], voxels = extents.reduce(1, *)
        func ball(_ shift: Double) -> [UInt8] {
            (0..<voxels).map { i in
                let z = Double(i / (61 * 130)) - 20, y = Double(i / 130 % 61) - 30, x = Double(i % 130) - 60 - shift
                return z * z + y * y + x * x < 300 ? 1 : 0
            }
        }
        let labels = ball(0), predicted = ball(7)
        let shape = Shape(samples: 1, classes: 2, extents: extents)
        var one = try SurfaceMetric(of: shape, spacing: [1.5, 1, 0.5], options: Options(threads: 1))
        let expected = try one.distances(predictions: predicted, labels: labels)
        // Moved along columns: nothing is farther away than the move.
        XCTAssertEqual(expected[sample: 0, class: 1].hausdorff, 3.5, accuracy: 1e-5)
        for threads in 2...6 {
            var metric = try SurfaceMetric(of: shape, spacing: [1.5, 1, 0.5], options: Options(threads: threads))
            XCTAssertEqual(try metric.distances(predictions: predicted, labels: labels), expected)
            XCTAssertEqual(
                try metric.distances(predictions: predicted.map(Int64.init), labels: labels.map(UInt16.init)), expected)
        }
    }

    func testAbsentSurfaces() throws {
        let labels: [UInt8] = [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        let predicted = [UInt8](repeating: 0, count: 12)
        let cases: [(SurfaceAbsent, one: Double, none: Double)] = [
            (.infinite, .infinity, .nan), (.diagonal, 5, 0), (.excluded, .nan, .nan),
        ]
        for (absent, one, none) in cases {
            var metric = try SurfaceMetric(
                of: Shape(samples: 1, classes: 2, extents: [3, 4]), classes: [1, 2], absent: absent)
            let d = try metric.distances(predictions: predicted, labels: labels)
            XCTAssertEqual(d.classes, [1, 2])
            XCTAssertEqual(d[sample: 0, class: 1].targetVoxels, 2)
            for (c, wanted) in [(1, one), (2, none)] {
                XCTAssertTrue(
                    numbers(d[sample: 0, class: c]).allSatisfy { $0 == wanted || ($0.isNaN && wanted.isNaN) },
                    "\(absent), class \(c): \(d[sample: 0, class: c])")
            }
        }
    }

    /// An image of one voxel, of one row, and a class that fills the image.
    func testSmallImages() throws {
        var point = try SurfaceMetric(of: Shape(samples: 1, classes: 1, extents: [1, 1]), classes: [1])
        let d = try point.distances(predictions: [1], labels: [1])[sample: 0, class: 1]
        XCTAssertEqual([Double(d.predictedVoxels), d.hausdorff, d.average], [1, 0, 0])
        // A row's surface is its ends: 1 and 4 against 1 and 6.
        var row = try SurfaceMetric(of: Shape(samples: 1, classes: 1, extents: [8]), classes: [1], percentile: 50)
        let r = try row.distances(predictions: [0, 1, 1, 1, 1, 0, 0, 0], labels: [0, 1, 1, 1, 1, 1, 1, 0])
        XCTAssertEqual(numbers(r[sample: 0, class: 1]), [2, 1, 1, 1, 2, 1, 1, 2, 1, 1])
        var full = try SurfaceMetric(of: Shape(samples: 1, classes: 1, extents: [5, 5]), classes: [1])
        let ones = [UInt8](repeating: 1, count: 25)
        XCTAssertEqual(try full.distances(predictions: ones, labels: ones)[sample: 0, class: 1].targetVoxels, 16)
    }
}

// MARK: - The originals' numbers

/// Scores and distances as MONAI and scikit-learn have them.
final class MetricGoldenTests: XCTestCase {
    private struct Golden: Decodable {
        struct Case: Decodable {
            let name: String
            let shape: [Int]
            let spacing: [Double]
            let percentile: Double
            let labels, predicted: [UInt8]
            let matrix: [[[Int64]]]
            let dice, iou, hausdorff, hausdorff_percentile, directed, average, average_directed: [Double]
            let mean_dice: Double
        }
        /// scikit-learn's macro averages over all classes, and over those that are true or predicted, with
        /// `zero_division` 0 or 1.
        struct Averages: Decodable {
            struct Scores: Decodable { let dice, iou, precision, recall: Double }
            let classes: Int
            let labels, predicted: [UInt8]
            let all_zero, all_one, met_zero: Scores
        }
        let cases: [Case]
        let averages: [Averages]
    }

    private func compare(
        _ got: [Double], _ wanted: [Double], _ what: String, within tolerance: Double = 2e-6, line: UInt = #line
    ) {
        XCTAssertEqual(got.count, wanted.count, what, line: line)
        for (got, wanted) in zip(got, wanted) {
            // The originals compute in float.
            let isClose = abs(got - wanted) <= tolerance * max(1, abs(wanted))
            let isSame = wanted.isFinite ? isClose : got == wanted || (got.isNaN && wanted.isNaN)
            XCTAssertTrue(isSame, "\(what): \(got), not \(wanted)", line: line)
        }
    }

    private func golden() throws -> Golden {
        let url = try XCTUnwrap(
            Bundle.module.url(forResource: "metrics", withExtension: "json", subdirectory: "Fixtures"))
        let decoder = JSONDecoder()
        decoder.nonConformingFloatDecodingStrategy = .convertFromString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        return try decoder.decode(Golden.self, from: Data(contentsOf: url))
    }

    /// What is empty is left out, 0 or 1 as scikit-learn has it.
    func testGoldenAverages() throws {
        let golden = try golden()
        XCTAssertEqual(golden.averages.count, 4)
        for c in golden.averages {
            var counter = try ConfusionCounter(of: .flat(samples: 1, classes: c.classes, voxels: c.labels.count))
            let matrix = try counter.count(predictions: c.predicted, labels: c.labels)
            for (empty, wanted) in [(EmptyScore.zero, c.all_zero), (.one, c.all_one), (.absentExcluded, c.met_zero)] {
                let got = [Score.dice, .iou, .precision, .recall].map { matrix.score($0, empty: empty) }
                compare(
                    got, [wanted.dice, wanted.iou, wanted.precision, wanted.recall], "\(empty) of \(c.labels)",
                    within: 1e-14)
            }
        }
    }

    func testGoldenMetrics() throws {
        let golden = try golden()
        XCTAssertEqual(golden.cases.count, 7)
        var infinite = 0
        for c in golden.cases {
            let shape = Shape(samples: c.shape[0], classes: c.shape[1], extents: Array(c.shape.dropFirst(2)))
            var counter = try ConfusionCounter(of: shape)
            let matrix = try counter.count(predictions: c.predicted, labels: c.labels)
            XCTAssertEqual(matrix.values, c.matrix.flatMap { $0.flatMap { $0 } }, c.name)
            compare(matrix.scores(.dice, empty: .targetExcluded), c.dice, "Dice of \(c.name)")
            compare(matrix.scores(.iou, empty: .targetExcluded), c.iou, "IoU of \(c.name)")
            let mean = matrix.score(.dice, average: .macroPerSample, empty: .targetExcluded)
            compare([mean], [c.mean_dice], "mean Dice of \(c.name)")

            var metric = try SurfaceMetric(of: shape, spacing: c.spacing, percentile: c.percentile)
            let d = try metric.distances(predictions: c.predicted, labels: c.labels).values
            // Of one missing surface MONAI's percentile is NaN, a quantile of infinities; here it is infinite as the rest.
            let percentiles = zip(d, c.hausdorff_percentile).map { d, wanted in
                guard (d.predictedVoxels == 0) != (d.targetVoxels == 0) else { return wanted }
                XCTAssertTrue(wanted.isNaN, c.name)
                infinite += 1
                return Double.infinity
            }
            compare(d.map(\.hausdorff), c.hausdorff, "Hausdorff of \(c.name)")
            // PyTorch's quantile has its rank in float too.
            compare(
                d.map(\.hausdorffPercentile), percentiles, "percentile of \(c.name)", within: 5e-5)
            compare(d.map(\.toTarget.maximum), c.directed, "directed Hausdorff of \(c.name)")
            compare(d.map(\.average), c.average, "average of \(c.name)")
            compare(d.map(\.toTarget.average), c.average_directed, "directed average of \(c.name)")
        }
        XCTAssertEqual(infinite, 2)
    }
}
