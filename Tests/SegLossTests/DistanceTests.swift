import Foundation
import SegLoss
import SegLossReference
import XCTest

final class DistanceTests: XCTestCase {
    private let sets = InstructionSet.allCases.filter { $0 != .best && $0.isAvailable }

    private func reference(
        _ extents: [Int], _ spacing: [Double], _ form: DistanceForm, _ far: DistanceFar
    ) -> DistanceProblem {
        let missing = [Int](repeating: 1, count: 3 - extents.count)
        var problem = DistanceProblem(extents: missing + extents, spacing: missing.map(Double.init) + spacing, form: .unsigned)
        switch form {
        case .unsigned: problem.form = .unsigned
        case .squared: problem.form = .squared
        case .signed(let boundary):
            problem.form = .signed
            switch boundary {
            case .minusOne: problem.boundary = .minusOne
            case .half: problem.boundary = .half
            case .zero: problem.boundary = .zero
            case .zeroUnit: problem.boundary = .zeroUnit
            }
        }
        switch far {
        case .zero: problem.far = .zero
        case .diagonal: problem.far = .diagonal
        case .infinity: problem.far = .infinity
        }
        return problem
    }

    /// Compares all voxels, or some of them, with what looking at every pair gives.
    private func check(
        labels: [Int32], shape: Shape, classes: [Int]? = nil, spacing: [Double], form: DistanceForm,
        far: DistanceFar = .infinity, options: Options, voxels: [Int]? = nil, _ what: @autoclosure () -> String,
        line: UInt = #line
    ) throws {
        var transform = try DistanceTransform(
            of: shape, classes: classes, form: form, far: far, spacing: spacing, options: options)
        let map = try transform(labels)
        let problem = reference(shape.extents, spacing, form, far)
        let looked = voxels ?? Array(0..<shape.voxels)
        for sample in 0..<shape.samples {
            let own = labels[sample * shape.voxels..<(sample + 1) * shape.voxels]
            for (place, c) in (classes ?? Array(0..<shape.classes)).enumerated() {
                let start = (sample * shape.classes + place) * shape.voxels
                let expected = problem.values(of: own.map { Int($0) == c }, at: looked)
                XCTAssertTrue(
                    sameBits(looked.map { map[start + $0] }, expected), "sample \(sample), class \(c), \(what())",
                    line: line)
            }
        }
    }

    /// Every mask of a small grid, as the samples of one batch.
    private func checkEveryMask(_ extents: [Int], spacings: [[Double]], stride: Int, line: UInt = #line) throws {
        let voxels = extents.reduce(1, *)
        let masks = Array(Swift.stride(from: 0, to: 1 << voxels, by: stride))
        let labels = masks.flatMap { mask in (0..<voxels).map { UInt8(mask >> $0 & 1) } }
        let shape = Shape(samples: masks.count, classes: 1, extents: extents)
        for spacing in spacings {
            for form in [DistanceForm.unsigned, .signed(.minusOne)] {
                let problem = reference(extents, spacing, form, .infinity)
                var expected: [Float] = []
                expected.reserveCapacity(labels.count)
                for mask in masks {
                    expected += problem.values(of: (0..<voxels).map { mask >> $0 & 1 == 1 }, at: 0..<voxels)
                }
                for set in sets {
                    var transform = try DistanceTransform(
                        of: shape, classes: [1], form: form, far: .infinity, spacing: spacing,
                        options: Options(threads: 2, instructionSet: set))
                    let map = try transform(labels)
                    XCTAssertTrue(sameBits(map, expected), "\(extents), \(spacing), \(form), \(set)", line: line)
                }
            }
        }
    }

    #if DEBUG
        private let some = 61
    #else
        private let some = 1
    #endif

    func testEveryMaskOfSmallGrids() throws {
        try checkEveryMask([4, 4], spacings: [[1, 1], [1, 2.5], [0.7, 0.3]], stride: some)
        try checkEveryMask([2, 2, 3], spacings: [[1, 1, 1], [3, 1.25, 0.75]], stride: some)
    }

    func testRandomVolumesEqualBruteForce() throws {
        let seed = testSeed(1201)
        var g = SplitMix64(seed: seed)
        for round in 0..<40 {
            let extents = round % 3 == 0
                ? [Int.random(in: 1...9, using: &g), .random(in: 1...9, using: &g), .random(in: 1...40, using: &g)]
                : [Int.random(in: 1...40, using: &g), .random(in: 1...70, using: &g)]
            let shape = Shape(samples: 2, classes: 3, extents: extents)
            let sparse = Int.random(in: 1...60, using: &g)
            let labels = (0..<2 * shape.voxels).map { _ in
                Int32.random(in: 0..<Int32(sparse), using: &g) == 0 ? Int32.random(in: 0...3, using: &g) : 2
            }
            let alike = Bool.random(using: &g)
            let spacing = extents.map { _ in alike ? 0.8 : [0.5, 0.8, 1, 1.37, 3].randomElement(using: &g)! }
            let form = [
                DistanceForm.unsigned, .squared, .signed(.minusOne), .signed(.half), .signed(.zero), .signed(.zeroUnit),
            ].randomElement(using: &g)!
            for set in sets {
                try check(
                    labels: labels, shape: shape, spacing: spacing, form: form,
                    far: DistanceFar.allCases.randomElement(using: &g)!,
                    options: Options(threads: .random(in: 1...5, using: &g), instructionSet: set),
                    "seed \(seed), round \(round), \(extents), \(spacing), \(form), \(set)")
            }
        }
    }

    /// Large enough for long lines, far steps and many blocks; some voxels are looked at.
    func testLargeMaps() throws {
        let seed = testSeed(1202)
        var g = SplitMix64(seed: seed)
        for (extents, spacing) in [([150, 333], [1.0, 1.0]), ([150, 333], [2, 0.6]), ([24, 37, 65], [2.5, 1, 1])] {
            let shape = Shape(samples: 1, classes: 2, extents: extents)
            let rows = extents.dropLast().reduce(1, *), columns = extents.last!
            for kind in 0..<3 {
                var labels = [Int32](repeating: 0, count: shape.voxels)
                for i in labels.indices {
                    let (y, x) = (i / columns, i % columns)
                    switch kind {
                    case 0: labels[i] = y * y + x * x < 9000 ? 1 : 0
                    case 1: labels[i] = Int32.random(in: 0...80, using: &g) == 0 ? 1 : 0
                    default: labels[i] = y == rows / 5 && x == columns / 3 ? 1 : 0
                    }
                }
                let voxels = (0..<60).map { _ in Int.random(in: 0..<shape.voxels, using: &g) }
                for set in sets {
                    try check(
                        labels: labels, shape: shape, spacing: spacing, form: .signed(.minusOne),
                        options: Options(threads: 2, instructionSet: set), voxels: voxels,
                        "seed \(seed), \(extents), kind \(kind), \(set)")
                }
            }
        }
    }

    /// Lines of thousands of voxels across rows and across planes, in integers and in doubles, and with the bit more
    /// that a small spacing takes.
    func testLongLinesAcrossRowsAndPlanes() throws {
        let seed = testSeed(1205)
        var g = SplitMix64(seed: seed)
        let problems: [([Int], [Double])] = [
            ([6000, 5], [1, 1]), ([6000, 5], [1.5, 1]), ([3000, 2, 3], [1, 1, 1]), ([3000, 2, 3], [0.5, 2, 1]),
            ([40000, 2], [1, 1]), ([50, 10], [1000, 1]), ([10, 50], [1, 1000]),
        ]
        for (extents, spacing) in problems {
            let shape = Shape(samples: 1, classes: 2, extents: extents)
            for kind in 0..<3 {
                var labels = [Int32](repeating: 0, count: shape.voxels)
                for i in labels.indices {
                    switch kind {
                    case 0: labels[i] = i > shape.voxels / 3 && i < shape.voxels / 2 ? 1 : 0
                    case 1: labels[i] = Int32.random(in: 0...400, using: &g) == 0 ? 1 : 0
                    default: labels[i] = i == shape.voxels / 5 ? 1 : 0
                    }
                }
                let voxels = (0..<24).map { _ in Int.random(in: 0..<shape.voxels, using: &g) }
                for set in sets {
                    try check(
                        labels: labels, shape: shape, spacing: spacing, form: .signed(.minusOne),
                        options: Options(threads: 2, instructionSet: set), voxels: voxels,
                        "seed \(seed), \(extents), \(spacing), kind \(kind), \(set)")
                }
            }
        }
    }

    /// A line too long for 32-bit squares is taken in doubles.
    func testVeryLongLines() throws {
        let columns = 70_000
        var labels = [UInt8](repeating: 0, count: columns)
        labels[17] = 1
        var transform = try DistanceTransform(of: .flat(samples: 1, classes: 1, voxels: columns), classes: [1])
        let map = try transform(labels)
        XCTAssertTrue(sameBits(map, (0..<columns).map { Float(abs($0 - 17)) }))
    }

    func testThreadsAndTypesOfLabelsChangeNoBit() throws {
        let seed = testSeed(1203)
        var g = SplitMix64(seed: seed)
        let shape = Shape(samples: 3, classes: 4, extents: [45, 77])
        let labels = (0..<3 * shape.voxels).map { _ in UInt8.random(in: 0...9, using: &g) / 2 }
        var one = try DistanceTransform(of: shape, form: .signed(.half), options: Options(threads: 1))
        let expected = try one(labels)
        for threads in 2...7 {
            var transform = try DistanceTransform(of: shape, form: .signed(.half), options: Options(threads: threads))
            XCTAssertTrue(sameBits(try transform(labels.map(UInt16.init)), expected), "seed \(seed)")
            XCTAssertTrue(sameBits(try transform(labels.map(Int32.init)), expected), "seed \(seed)")
            XCTAssertTrue(sameBits(try transform(labels.map(Int64.init)), expected), "seed \(seed)")
            XCTAssertTrue(sameBits(try transform(labels), expected), "seed \(seed)")
        }
        // Classes in another order, some alone, and one that is nowhere.
        var list = try DistanceTransform(
            of: Shape(samples: 3, classes: 3, extents: [45, 77]), classes: [3, 300, 1], form: .signed(.half))
        let some = try list(labels.map(UInt16.init))
        for sample in 0..<3 {
            func part(_ map: [Float], _ classes: Int, _ c: Int) -> ArraySlice<Float> {
                let start = (sample * classes + c) * shape.voxels
                return map[start..<start + shape.voxels]
            }
            XCTAssertEqual(part(some, 3, 0), part(expected, 4, 3))
            XCTAssertTrue(part(some, 3, 1).allSatisfy { $0 == 0 })
            XCTAssertEqual(part(some, 3, 2), part(expected, 4, 1))
        }
    }

    func testStorage() throws {
        let seed = testSeed(1204)
        var g = SplitMix64(seed: seed)
        let shape = Shape(samples: 2, classes: 2, extents: [3, 20, 41])
        let labels = (0..<2 * shape.voxels).map { _ in UInt8(Int.random(in: 0...200, using: &g) == 0 ? 1 : 0) }
        for far in DistanceFar.allCases {
            var float = try DistanceTransform(of: shape, form: .signed(.minusOne), far: far, spacing: [2, 1, 1])
            var half = try DistanceTransform(
                of: shape, as: Float16.self, form: .signed(.minusOne), far: far, spacing: [2, 1, 1])
            var short = try DistanceTransform(
                of: shape, as: Int16.self, form: .signed(.minusOne), far: far, spacing: [2, 1, 1], scale: 0.25)
            let map = try float(labels)
            XCTAssertTrue(sameBits(try half(labels), map.map { Float16($0) }), "seed \(seed)")
            XCTAssertEqual(
                try short(labels),
                map.map { Int16(max(-32767, min(32767, ($0 * 4).rounded(.toNearestOrEven)))) }, "seed \(seed)")
        }
    }

    func testAbsentAndFullClasses() throws {
        let shape = Shape(samples: 1, classes: 2, extents: [3, 4])
        let labels = [UInt8](repeating: 0, count: 12)
        let cases: [(DistanceFar, DistanceForm, [Float])] = [
            (.zero, .signed(.zero), [0, 0]), (.infinity, .signed(.half), [-.infinity, .infinity]),
            (.diagonal, .signed(.minusOne), [-5, 5]), (.diagonal, .unsigned, [0, 5]), (.diagonal, .squared, [0, 25]),
        ]
        for (far, form, values) in cases {
            var transform = try DistanceTransform(of: shape, form: form, far: far)
            let map = try transform(labels)
            XCTAssertEqual(map, Array(repeating: values[0], count: 12) + Array(repeating: values[1], count: 12), "\(far)")
        }
    }

    private struct Golden: Decodable {
        struct Case: Decodable {
            let name: String
            let shape: [Int]
            let classes: Int
            let spacing: [Double]
            let labels: [UInt8]
            let map: [Double]
        }
        let cases: [Case]
    }

    func testGoldenMaps() throws {
        let url = try XCTUnwrap(
            Bundle.module.url(forResource: "distance", withExtension: "json", subdirectory: "Fixtures"))
        let golden = try JSONDecoder().decode(Golden.self, from: Data(contentsOf: url))
        XCTAssertEqual(golden.cases.count, 3)
        for c in golden.cases {
            var transform = try DistanceTransform(
                of: Shape(samples: c.shape[0], classes: c.classes, extents: Array(c.shape.dropFirst())),
                form: .signed(.zeroUnit), spacing: c.spacing)
            let map = try transform(c.labels)
            XCTAssertEqual(map.count, c.map.count)
            for (got, wanted) in zip(map, c.map) {
                XCTAssertTrue(abs(Double(got) - wanted) <= 1e-6 * max(1, abs(wanted)), "\(c.name): \(got), not \(wanted)")
            }
        }
    }
}
