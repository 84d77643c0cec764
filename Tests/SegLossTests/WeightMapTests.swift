import Foundation
import SegLoss
import SegLossReference
import XCTest

/// Weight maps against their scalar reference, bit for bit, and against naive formulas in Double.
final class WeightMapTests: XCTestCase {
    private let sets = InstructionSet.allCases.filter { $0 != .best && $0.isAvailable }

    /// Labels in patches, so that there are edges and insides.
    private func patches(_ samples: Int, _ extents: [Int], labels: Int, using g: inout SplitMix64) -> [Int] {
        let columns = extents.last!, lines = samples * extents.dropLast().reduce(1, *)
        var map = [Int](repeating: 0, count: lines * columns)
        for _ in 0..<Int.random(in: 0...12, using: &g) {
            let label = Int.random(in: 0..<labels, using: &g)
            let first = Int.random(in: 0..<lines, using: &g), left = Int.random(in: 0..<columns, using: &g)
            for line in first..<min(lines, first + Int.random(in: 1...8, using: &g)) {
                for x in left..<min(columns, left + Int.random(in: 1...30, using: &g)) { map[line * columns + x] = label }
            }
        }
        return map
    }

    // MARK: Box averages

    /// The formula with loops over windows, in Double, without the reference.
    private func oracle(
        _ inside: [Bool], _ samples: Int, _ extents: [Int], _ window: [Int], _ form: BoxWeightForm, _ padding: BoxPadding,
        _ mean: WeightsMean
    ) -> [Double] {
        let e = Array(repeating: 1, count: 3 - extents.count) + extents
        let w = Array(repeating: 1, count: 3 - window.count) + window
        let voxels = e.reduce(1, *)
        let reach = w.map { -(($0 - 1) / 2)...($0 / 2) }
        var map: [Double] = []
        for i in 0..<samples * voxels {
            let v = i % voxels
            var found = 0.0, among = 0.0
            for dz in reach[0] {
                for dy in reach[1] {
                    for dx in reach[2] {
                        let z = v / (e[1] * e[2]) + dz
                        let y = v / e[2] % e[1] + dy
                        let x = v % e[2] + dx
                        let isThere = (0..<e[0]).contains(z) && (0..<e[1]).contains(y) && (0..<e[2]).contains(x)
                        if isThere || padding == .counted { among += 1 }
                        if isThere && inside[i - v + (z * e[1] + y) * e[2] + x] { found += 1 }
                    }
                }
            }
            let a = found / among
            switch form {
            case .boundary(let amplitude, let steepness): map.append(amplitude * exp(-steepness * abs(a - 0.5)))
            case .border(let amplitude, let above, let below): map.append(a > above && a < below ? 1 + amplitude : 1)
            }
        }
        if mean != .free {
            let part = mean == .ofBatch ? map.count : voxels
            for first in stride(from: 0, to: map.count, by: part) {
                let sum = map[first..<first + part].reduce(0, +)
                for i in first..<first + part { map[i] *= Double(part) / sum }
            }
        }
        return map
    }

    func testBoxesAreTheReferenceAndTheFormula() throws {
        let seed = testSeed(1301)
        var g = SplitMix64(seed: seed)
        for round in 0..<40 {
            let is3D = round % 3 == 0
            let extents = is3D
                ? [Int.random(in: 2...5, using: &g), .random(in: 1...7, using: &g), .random(in: 1...90, using: &g)]
                : [Int.random(in: 1...18, using: &g), .random(in: 1...140, using: &g)]
            // Some are larger than the sample, many even.
            let window = extents.enumerated().map { Int.random(in: 1...($0.offset == extents.count - 1 ? 30 : 9), using: &g) }
            let samples = Int.random(in: 1...3, using: &g)
            let shape = Shape(samples: samples, classes: 1, extents: extents)
            let labels = patches(samples, extents, labels: 4, using: &g)
            let classes = Bool.random(using: &g) ? [2] : [1, 3]
            let isMask = Bool.random(using: &g)
            let inside = labels.map { isMask ? $0 != 0 : classes.contains($0) }
            let form: BoxWeightForm = Bool.random(using: &g)
                ? .boundary(amplitude: 3, steepness: [0, 5, 32].randomElement(using: &g)!)
                : .border(amplitude: [0, 2].randomElement(using: &g)!, above: 0.1, below: 0.9)
            let padding = BoxPadding.allCases.randomElement(using: &g)!
            let mean = WeightsMean.allCases.randomElement(using: &g)!
            let missing = [Int](repeating: 1, count: 3 - extents.count)
            let problem = BoxWeightProblem(
                samples: samples, extents: missing + extents, window: missing + window,
                countsPadding: padding == .counted, form: form.reference, mean: mean.reference)
            let expected = problem.map(of: inside)
            let formula = oracle(inside, samples, extents, window, form, padding, mean)
            let what = "seed \(seed), round \(round), \(extents), \(window), \(form), \(padding), \(mean)"
            for (got, wanted) in zip(expected, formula) {
                // Steep exponentials lose what the exponent's own rounding costs.
                XCTAssertTrue(abs(Double(got) - wanted) <= 4e-6 * wanted, "\(got), not \(wanted): \(what)")
            }
            for set in sets {
                var weights = try BoxWeights(
                    of: shape, window: window, classes: isMask ? nil : classes, form: form, padding: padding, mean: mean,
                    options: Options(threads: .random(in: 1...5, using: &g), instructionSet: set))
                let map: [Float]
                switch Int.random(in: 0..<4, using: &g) {
                case _ where isMask: map = try weights(mask: labels.map(UInt8.init))
                case 0: map = try weights(labels.map(UInt8.init))
                case 1: map = try weights(labels.map(UInt16.init))
                case 2: map = try weights(labels.map(Int32.init))
                default: map = try weights(labels.map(Int64.init))
                }
                XCTAssertTrue(sameBits(map, expected), "\(set), \(what)")
            }
        }
    }

    /// Every mask of a small image, with every window up to one that is larger.
    func testEveryMaskOfASmallImage() throws {
        let masks = (0..<1 << 9).map { mask in (0..<9).map { UInt8(mask >> $0 & 1) } }
        for rows in 1...5 {
            for columns in 1...5 {
                for padding in BoxPadding.allCases {
                    let problem = BoxWeightProblem(
                        samples: masks.count, extents: [1, 3, 3], window: [1, rows, columns],
                        countsPadding: padding == .counted, form: .boundary(amplitude: 5, steepness: 5), mean: .sample)
                    var weights = try BoxWeights(
                        of: Shape(samples: masks.count, classes: 1, extents: [3, 3]), window: [rows, columns],
                        padding: padding, mean: .ofSample)
                    let labels = masks.flatMap { $0 }
                    XCTAssertTrue(
                        sameBits(try weights(mask: labels), problem.map(of: labels.map { $0 != 0 })),
                        "\(rows) x \(columns), \(padding)")
                }
            }
        }
    }

    /// Large enough for several threads, streaming stores, and totals of many blocks.
    func testThreadsChangeNoBitOfLargeMaps() throws {
        for (extents, window) in [([1100, 1024], [50, 50]), ([3, 40000], [2, 7001]), ([40, 64, 96], [9, 4, 5])] {
            let shape = Shape(samples: 2, classes: 1, extents: extents)
            let columns = extents.last!
            let labels = (0..<2 * shape.voxels).map { i in
                let (y, x) = (i / columns % 700, i % columns)
                return UInt8((y - 300) * (y - 300) + (x - 400) * (x - 400) < 40000 || x % 97 == 0 ? 1 : 0)
            }
            for form in [BoxWeightForm.boundary(), .border()] {
                var one = try BoxWeights(
                    of: shape, window: window, form: form, options: Options(threads: 1, instructionSet: .generic))
                let expected = try one(mask: labels)
                XCTAssertEqual(expected.reduce(0.0) { $0 + Double($1) } / Double(expected.count), 1, accuracy: 1e-6)
                for set in sets {
                    for threads in [1, 2, 3, 7] {
                        var weights = try BoxWeights(
                            of: shape, window: window, form: form, options: Options(threads: threads, instructionSet: set))
                        XCTAssertTrue(sameBits(try weights(mask: labels), expected), "\(extents), \(form), \(set), \(threads)")
                    }
                }
            }
        }
    }

    func testUniformMasksWeighOne() throws {
        let shape = Shape.planar(samples: 2, classes: 1, height: 9, width: 70)
        for value in [UInt8(0), 1] {
            for form in [BoxWeightForm.boundary(), .border()] {
                var weights = try BoxWeights(of: shape, window: [4, 6], form: form)
                let map = try weights(mask: [UInt8](repeating: value, count: 2 * 630))
                XCTAssertTrue(map.allSatisfy { abs($0 - 1) <= 1e-6 }, "\(value), \(form)")
            }
        }
        // An absent class is a mask of zeros: 5 exp(-2.5).
        var absent = try BoxWeights(of: shape, window: [50, 50], classes: [77], mean: .free)
        XCTAssertTrue(try absent([UInt8](repeating: 3, count: 2 * 630)).allSatisfy { abs($0 - 0.41042499) <= 1e-6 })
    }

    // MARK: Classes

    func testClassCountsAndMaps() throws {
        let seed = testSeed(1302)
        var g = SplitMix64(seed: seed)
        for round in 0..<30 {
            let classes = Int.random(in: 1...9, using: &g), samples = Int.random(in: 1...4, using: &g)
            let voxels = round == 0 ? 200_003 : Int.random(in: 1...999, using: &g)
            let ignored = Bool.random(using: &g) ? Int.random(in: 0...(classes + 3), using: &g) : nil
            var labels = patches(samples, [voxels], labels: classes, using: &g)
            if let ignored { for i in stride(from: 0, to: labels.count, by: 5) { labels[i] = ignored } }
            var expected = ClassCounts(classes: classes)
            let options = Options(ignoreIndex: ignored, threads: .random(in: 1...4, using: &g))
            try expected.add(labels.map(Int32.init), samples: samples, options: options)
            for c in 0..<classes {
                let valid = labels.indices.filter { labels[$0] != ignored }
                let own = valid.filter { labels[$0] == c }
                let with = Set(own.map { $0 / voxels })
                XCTAssertEqual(expected.voxels[c], own.count, "seed \(seed), round \(round)")
                XCTAssertEqual(expected.voxelsOfSamples[c], valid.filter { with.contains($0 / voxels) }.count)
            }
            // Sample by sample, in every type, and merged.
            var merged = ClassCounts(classes: classes)
            for s in 0..<samples {
                let own = Array(labels[s * voxels..<(s + 1) * voxels])
                var part = ClassCounts(classes: classes)
                switch s {
                case 0: try part.add(own.map(UInt8.init), samples: 1, options: options)
                case 1: try part.add(own.map(UInt16.init), samples: 1, options: options)
                default: try part.add(own.map(Int64.init), samples: 1, options: options)
                }
                try merged.merge(part)
            }
            XCTAssertEqual(merged, expected, "seed \(seed), round \(round)")
            let weights = (0..<classes).map { _ in g.unit() }
            let map = ClassWeightMap(weights, options: options)
            let wanted = labels.map { $0 == ignored ? 0 : weights[$0] }
            XCTAssertTrue(sameBits(try map(labels.map(UInt8.init)), wanted))
            XCTAssertTrue(sameBits(try map(labels.map(UInt16.init)), wanted))
            XCTAssertTrue(sameBits(try map(labels.map(Int32.init)), wanted))
            XCTAssertTrue(sameBits(try map(labels.map(Int64.init)), wanted))
        }
    }

    func testClassWeightsAreTheReference() throws {
        let seed = testSeed(1303)
        var g = SplitMix64(seed: seed)
        let weightings: [(ClassWeighting, ClassWeightReference.Weighting)] = [
            (.balanced, .balanced), (.inverse, .inverse), (.odds, .odds), (.median, .median),
            (.logarithmic(), .logarithmic(1.02)), (.logarithmic(offset: 3), .logarithmic(3)),
            (.effective(beta: 0.999), .effective(0.999)), (.effective(beta: 0), .effective(0)),
        ]
        let absents: [(AbsentClassWeight, ClassWeightReference.Absent)] = [
            (.zero, .zero), (.one, .one), (.largest, .largest), (.formula, .formula),
        ]
        let norms: [(ClassWeightsNorm, ClassWeightReference.Norm)] = [
            (.none, .none), (.classes, .classes), (.voxels, .voxels),
        ]
        for round in 0..<20 {
            let classes = Int.random(in: 1...7, using: &g)
            var counts = ClassCounts(classes: classes)
            for _ in 0..<Int.random(in: 0...3, using: &g) {
                let labels = patches(2, [500], labels: classes, using: &g).map { UInt8($0 == 1 ? 0 : $0) }
                try counts.add(labels, samples: 2)
            }
            for (weighting, reference) in weightings {
                for (absent, rule) in absents {
                    if case .formula = absent {
                        guard case .logarithmic = weighting else { continue }
                    }
                    for (norm, mean) in norms {
                        XCTAssertTrue(
                            sameBits(
                                try counts.weights(weighting, absent: absent, norm: norm),
                                ClassWeightReference.weights(
                                    counts.voxels, counts.voxelsOfSamples, reference, rule, mean)),
                            "seed \(seed), round \(round), \(counts), \(weighting), \(absent), \(norm)")
                    }
                }
            }
        }
    }

    /// Numbers that are known: three classes of 4 with 6, 3 and 1 voxels, the second in one of two samples alone.
    func testClassWeightsOfAnExample() throws {
        var counts = ClassCounts(classes: 4)
        try counts.add([0, 0, 0, 0, 3, 0, 0, 1, 1, 1] as [UInt8], samples: 2)
        XCTAssertEqual(counts.voxels, [6, 3, 0, 1])
        XCTAssertEqual(counts.voxelsOfSamples, [10, 5, 0, 5])
        func check(_ weighting: ClassWeighting, _ expected: [Double], _ absent: AbsentClassWeight = .zero, _ norm: ClassWeightsNorm = .none) throws {
            for (got, wanted) in zip(try counts.weights(weighting, absent: absent, norm: norm), expected) {
                XCTAssertTrue(abs(Double(got) - wanted) <= 1e-6 * max(1, wanted), "\(weighting): \(got), not \(wanted)")
            }
        }
        try check(.balanced, [10.0 / 24, 10.0 / 12, 0, 2.5])
        try check(.inverse, [10.0 / 6, 10.0 / 3, 10, 10], .largest)
        try check(.odds, [4.0 / 6, 7.0 / 3, 1, 9], .one)
        // Frequencies 0.6, 0.6, 0.2: median 0.6.
        try check(.median, [1, 1, 0, 3])
        try check(.logarithmic(), [1 / log(1.62), 1 / log(1.32), 1 / log(1.02), 1 / log(1.12)], .formula)
        try check(.effective(beta: 0.5), [0.5 / (1 - pow(0.5, 6)), 0.5 / (1 - pow(0.5, 3)), 0, 1])
        try check(.median, [0.8, 0.8, 0, 2.4], .zero, .classes)
        try check(.median, [1 / 1.2, 1 / 1.2, 0, 3 / 1.2], .zero, .voxels)
        // Nothing was counted.
        XCTAssertEqual(try ClassCounts(classes: 2).weights(.inverse, absent: .largest, norm: .voxels), [0, 0])
    }

    // MARK: Cells

    /// Every cell's distances by looking at every voxel, sorted, in Double.
    private func oracle(
        _ labels: [Int], ignored: Int?, extents: [Int], spacing: [Double], sigma: Double, weights: (Double, Double)
    ) -> [Double] {
        let e = Array(repeating: 1, count: 3 - extents.count) + extents
        let s = Array(repeating: 1, count: 3 - spacing.count) + spacing
        let places = labels.indices.map { i -> [Double] in
            let (z, y, x) = (Double(i / (e[1] * e[2])), Double(i / e[2] % e[1]), Double(i % e[2]))
            return [z * s[0], y * s[1], x * s[2]]
        }
        let cells = Set(labels).subtracting([0]).filter { $0 != ignored }
        return labels.indices.map { i -> Double in
            if labels[i] == ignored { return 0 }
            if labels[i] != 0 { return weights.1 }
            guard cells.count > 1 else { return weights.0 }
            let here = places[i]
            var distances: [Double] = []
            for cell in cells {
                var least = Double.infinity
                for j in labels.indices where labels[j] == cell {
                    let (dz, dy, dx) = (here[0] - places[j][0], here[1] - places[j][1], here[2] - places[j][2])
                    least = min(least, (dz * dz + dy * dy + dx * dx).squareRoot())
                }
                distances.append(least)
            }
            distances.sort()
            let t = distances[0] + distances[1]
            return weights.0 + 10 * exp(-t * t / (2 * sigma * sigma))
        }
    }

    func testCellsAreTheReferenceAndTheFormula() throws {
        let seed = testSeed(1304)
        var g = SplitMix64(seed: seed)
        for round in 0..<40 {
            let extents = round % 3 == 0
                ? [Int.random(in: 2...6, using: &g), .random(in: 1...7, using: &g), .random(in: 1...40, using: &g)]
                : [Int.random(in: 1...25, using: &g), .random(in: 1...40, using: &g)]
            let shape = Shape(samples: 2, classes: 1, extents: extents)
            let labels = patches(2, extents, labels: Int.random(in: 1...9, using: &g), using: &g)
            let alike = Bool.random(using: &g)
            let spacing = extents.map { _ in alike ? 0.8 : [0.5, 1, 1.37, 3].randomElement(using: &g)! }
            // The smallest reaches a few voxels, the largest beyond everything.
            let sigma = [0.2, 1, 5, 100].randomElement(using: &g)!
            let ignored = Bool.random(using: &g) ? 3 : nil
            let balanced = Bool.random(using: &g)
            let what = "seed \(seed), round \(round), \(extents), \(spacing), sigma \(sigma)"
            let missing = [Int](repeating: 1, count: 3 - extents.count)
            let problem = CellWeightProblem(
                extents: missing + extents, spacing: missing.map(Double.init) + spacing, amplitude: 10, sigma: sigma,
                background: 1.5, cells: 3, balanced: balanced)
            var expected: [Float] = []
            for sample in 0..<2 {
                let own = Array(labels[sample * shape.voxels..<(sample + 1) * shape.voxels])
                let map = problem.map(of: own.map { $0 == 0 ? nil : $0 }, ignored: own.map { $0 == ignored })
                expected += map
                guard !balanced else { continue }
                let formula = oracle(
                    own, ignored: ignored, extents: extents, spacing: spacing, sigma: sigma, weights: (1.5, 3))
                for (got, wanted) in zip(map, formula) {
                    XCTAssertTrue(abs(Double(got) - wanted) <= 2e-6 * wanted, "\(got), not \(wanted): \(what)")
                }
            }
            for set in sets {
                var weights = try CellWeights(
                    of: shape, sigma: sigma, classWeights: (1.5, 3), balanced: balanced, spacing: spacing,
                    options: Options(ignoreIndex: ignored, threads: .random(in: 1...4, using: &g), instructionSet: set))
                let map: [Float]
                switch Int.random(in: 0..<4, using: &g) {
                case 0: map = try weights(labels.map(UInt8.init))
                case 1: map = try weights(labels.map(UInt16.init))
                case 2: map = try weights(labels.map(Int32.init))
                default: map = try weights(labels.map(Int64.init))
                }
                XCTAssertTrue(sameBits(map, expected), "\(set), \(what)")
            }
        }
    }

    /// Every way to put two cells and the background on a small image.
    func testEveryLabelingOfASmallImage() throws {
        let maps = (0..<729).map { code -> [Int] in
            var rest = code
            return (0..<6).map { _ in defer { rest /= 3 }; return rest % 3 }
        }
        let problem = CellWeightProblem(
            extents: [1, 2, 3], spacing: [1, 1, 1], amplitude: 10, sigma: 2, background: 1, cells: 1, balanced: true)
        let expected = maps.flatMap { map in
            problem.map(of: map.map { $0 == 0 ? nil : $0 }, ignored: map.map { _ in false })
        }
        var weights = try CellWeights(
            of: Shape(samples: maps.count, classes: 1, extents: [2, 3]), sigma: 2, balanced: true)
        XCTAssertTrue(sameBits(try weights(maps.flatMap { $0.map(UInt8.init) }), expected))
    }

    /// Without two cells nothing is added, wherever the one is; where there are two, other threads may see the second.
    func testSamplesWithoutTwoCells() throws {
        let extents = [200, 301], voxels = 200 * 301
        let (least, most) = (Int(Int32.min), Int(Int32.max))
        // Cells of a few voxels each: places with labels.
        let samples: [[Int: Int]] = [
            [:], [0: least], [voxels - 1: most], [9: 9, voxels - 2: 9], [70: 4, voxels - 90: 4],
            [0: least, voxels - 1: most], [4: 1, 5: 2], [150 * 301: -1, 150 * 301 + 300: 3],
        ]
        func expected(_ cells: [Int: Int], at v: Int) -> (weight: Double, isExact: Bool) {
            if v == 7 { return (0, true) }
            let all = Double(voxels - 1), gaps = all - Double(cells.count)
            if cells[v] != nil { return (Double(Float(3 * (all / (2 * Double(cells.count))))), true) }
            let background = 2 * (all / (2 * gaps))
            guard Set(cells.values).count > 1 else { return (Double(Float(background)), true) }
            var nearest: [Int: Double] = [:]
            for (place, label) in cells {
                let (dy, dx) = (Double(place / 301 - v / 301), Double(place % 301 - v % 301))
                nearest[label] = min(nearest[label] ?? .infinity, (dy * dy + dx * dx).squareRoot())
            }
            let two = nearest.values.sorted()
            return (background + 10 * exp(-(two[0] + two[1]) * (two[0] + two[1]) / (2 * 80 * 80)), false)
        }
        for background in [0, -5] {
            var labels = [Int32](repeating: Int32(background), count: samples.count * voxels)
            for (s, cells) in samples.enumerated() {
                for (place, label) in cells { labels[s * voxels + place] = Int32(label) }
                labels[s * voxels + 7] = 77
            }
            var first: [Float]?
            for set in sets {
                for threads in [1, 3] {
                    var weights = try CellWeights(
                        of: Shape(samples: samples.count, classes: 1, extents: extents), sigma: 80,
                        classWeights: (2, 3), balanced: true, background: background,
                        options: Options(ignoreIndex: 77, threads: threads, instructionSet: set))
                    let map = try weights(labels)
                    first = first ?? map
                    XCTAssertTrue(sameBits(map, first!), "\(background), \(set), \(threads)")
                }
            }
            let map = try XCTUnwrap(first)
            for (s, cells) in samples.enumerated() {
                let wrong = (0..<voxels).filter { v in
                    let (weight, isExact) = expected(cells, at: v)
                    return !(abs(Double(map[s * voxels + v]) - weight) <= (isExact ? 0 : 3e-6 * weight))
                }
                XCTAssertTrue(wrong.isEmpty, "\(background), \(cells): \(wrong.count), first \(wrong.first ?? -1)")
            }
        }
    }

    /// Large enough for several threads; a few voxels are looked at.
    func testLargeCellMaps() throws {
        let seed = testSeed(1305)
        var g = SplitMix64(seed: seed)
        for (extents, spacing) in [([300, 340], [1.0, 1.0]), ([300, 340], [1, 0.8]), ([20, 40, 80], [2, 1, 1])] {
            let shape = Shape(samples: 1, classes: 1, extents: extents)
            let columns = extents.last!
            // Cells of 17 x 23 with gaps of 3 to 5, each with a label of its own.
            let labels = (0..<shape.voxels).map { i -> Int32 in
                let (y, x) = (i / columns, i % columns)
                return y % 20 < 17 && x % 28 < 23 ? Int32(y / 20 * 100 + x / 28 - 7) : -1000
            }
            var expected: [Float]?
            for set in sets {
                for threads in [1, 2, 5] {
                    var weights = try CellWeights(
                        of: shape, background: -1000, spacing: spacing, options: Options(threads: threads, instructionSet: set))
                    let map = try weights(labels)
                    expected = expected ?? map
                    XCTAssertTrue(sameBits(map, expected!), "\(extents), \(set), \(threads)")
                }
            }
            let map = try XCTUnwrap(expected)
            for _ in 0..<40 {
                let v = Int.random(in: 0..<shape.voxels, using: &g)
                guard labels[v] == -1000 else {
                    XCTAssertEqual(map[v], 1)
                    continue
                }
                var least: [Int32: Double] = [:]
                func place(_ i: Int) -> [Int] {
                    let (line, x) = (i / columns, i % columns)
                    return extents.count == 2 ? [line, x] : [line / extents[1], line % extents[1], x]
                }
                let here = place(v)
                for other in labels.indices where labels[other] != -1000 {
                    let there = place(other)
                    var squared = 0.0
                    for a in extents.indices {
                        let d = Double(here[a] - there[a]) * spacing[a]
                        squared += d * d
                    }
                    least[labels[other]] = min(least[labels[other]] ?? .infinity, squared)
                }
                let two = least.values.sorted().prefix(2).map { $0.squareRoot() }
                let t = two[0] + two[1]
                let wanted = 1 + 10 * exp(-t * t / 50)
                XCTAssertTrue(abs(Double(map[v]) - wanted) <= 2e-6 * wanted, "seed \(seed): \(map[v]), not \(wanted)")
            }
        }
    }
}

extension BoxWeightForm {
    fileprivate var reference: BoxWeightProblem.Form {
        switch self {
        case .boundary(let amplitude, let steepness): .boundary(amplitude: amplitude, steepness: steepness)
        case .border(let amplitude, let above, let below): .border(amplitude: amplitude, above: above, below: below)
        }
    }
}

extension WeightsMean {
    fileprivate var reference: BoxWeightProblem.Mean {
        switch self {
        case .ofBatch: .batch
        case .ofSample: .sample
        case .free: .free
        }
    }
}
