// Metrics, voxel by voxel (arithmetic 15).

/// Confusion counts of one class or channel.
public struct ReferenceCounts: Equatable {
    public var truePositives: Int64 = 0, falsePositives: Int64 = 0, falseNegatives: Int64 = 0, trueNegatives: Int64 = 0

    public init(
        truePositives: Int64 = 0, falsePositives: Int64 = 0, falseNegatives: Int64 = 0, trueNegatives: Int64 = 0
    ) {
        self.truePositives = truePositives
        self.falsePositives = falsePositives
        self.falseNegatives = falseNegatives
        self.trueNegatives = trueNegatives
    }

    mutating func add(predicted: Bool, target: Bool) {
        switch (predicted, target) {
        case (true, true): truePositives += 1
        case (true, false): falsePositives += 1
        case (false, true): falseNegatives += 1
        case (false, false): trueNegatives += 1
        }
    }
}

public enum ReferenceMetrics {
    /// 15.1: the class whose logit no other exceeds, the first of equal ones. Logits are `[classes][voxels]`.
    public static func predictedClass(_ logits: ArraySlice<Float>, classes: Int, voxels: Int, voxel: Int) -> Int {
        var best = 0
        for c in 1..<max(classes, 1) where logits[logits.startIndex + c * voxels + voxel]
            > logits[logits.startIndex + best * voxels + voxel] {
            best = c
        }
        return best
    }

    /// 15.1: `[classes][classes]` of one sample; `nil` labels do not count.
    public static func matrix(labels: [Int?], predictions: [Int], classes: Int) -> [Int64] {
        var matrix = [Int64](repeating: 0, count: classes * classes)
        for (label, prediction) in zip(labels, predictions) {
            if let label { matrix[label * classes + prediction] += 1 }
        }
        return matrix
    }

    /// 15.2: what values are compared with.
    public static func bound(of threshold: Float, logits: Bool) -> Float {
        guard logits else { return threshold }
        let t = Double(threshold)
        return t == 0 ? -.infinity : t == 1 ? .infinity : Float(Real.log(t) - Real.log(1 - t))
    }

    /// 15.2: of one channel; `nil` targets do not count.
    public static func counts(values: [Float], targets: [Bool?], bound: Float) -> ReferenceCounts {
        var counts = ReferenceCounts()
        for (value, target) in zip(values, targets) {
            if let target { counts.add(predicted: value > bound, target: target) }
        }
        return counts
    }
}

/// 15.4: the surfaces of one class in two maps, by looking at every pair of their voxels.
public struct SurfaceProblem {
    public struct Answer {
        public var voxels: [Int]
        /// hausdorff, percentile, pooled percentile, average; then maximum, percentile, average of each direction.
        public var numbers: [Double]
    }

    /// Planes, rows, columns.
    public var extents: [Int]
    public var spacing: [Double]
    public var percentile: Double

    public init(extents: [Int], spacing: [Double], percentile: Double) {
        self.extents = extents
        self.spacing = spacing
        self.percentile = percentile
    }

    private func place(_ voxel: Int) -> [Int] {
        [voxel / (extents[1] * extents[2]), voxel / extents[2] % extents[1], voxel % extents[2]]
    }

    private func isSurface(_ member: [Bool], _ voxel: Int) -> Bool {
        guard member[voxel] else { return false }
        let strides = [extents[1] * extents[2], extents[2], 1]
        let here = place(voxel)
        let axes = (0..<3).filter { extents[$0] > 1 }
        return axes.isEmpty || axes.contains { a in
            here[a] == 0 || here[a] == extents[a] - 1 || !member[voxel - strides[a]] || !member[voxel + strides[a]]
        }
    }

    /// The squared distances, in the voxels' order, from one surface to another.
    private func squares(from: [Int], to: [Int]) -> [Float] {
        let (unit, steps) = DistanceProblem(extents: extents, spacing: spacing, form: .squared).metric
        let places = to.map(place)
        return from.map { voxel in
            let here = place(voxel)
            let least = places.map { there in
                (0..<3).reduce(0) { $0 + Int(steps[$1]) * (here[$1] - there[$1]) * (here[$1] - there[$1]) }
            }.min()!
            return Float(Double(least) * unit)
        }
    }

    private func percentile(of squares: [Float]) -> Double {
        let sorted = squares.sorted()
        let rank = percentile / 100 * Double(sorted.count - 1)
        let lower = Int(rank), fraction = rank - Double(lower)
        let from = Double(sorted[lower]).squareRoot()
        if fraction == 0 { return from }
        return from + (Double(sorted[lower + 1]).squareRoot() - from) * fraction
    }

    /// The numbers of a class, `missing` for each of them where a surface is.
    public func answer(predicted: [Bool], target: [Bool], missing: (_ both: Bool) -> Double) -> Answer {
        let surfaces = [predicted, target].map { member in member.indices.filter { isSurface(member, $0) } }
        let voxels = surfaces.map(\.count)
        guard voxels[0] > 0, voxels[1] > 0 else {
            return Answer(voxels: voxels, numbers: Array(repeating: missing(voxels == [0, 0]), count: 10))
        }
        let squared = [squares(from: surfaces[0], to: surfaces[1]), squares(from: surfaces[1], to: surfaces[0])]
        let sums = squared.map { $0.reduce(0.0) { $0 + Double($1).squareRoot() } }
        let maxima = squared.map { Double($0.max()!).squareRoot() }
        let percentiles = squared.map(percentile)
        return Answer(
            voxels: voxels,
            numbers: [
                max(maxima[0], maxima[1]), max(percentiles[0], percentiles[1]), percentile(of: squared[0] + squared[1]),
                (sums[0] + sums[1]) / Double(voxels[0] + voxels[1]),
                maxima[0], percentiles[0], sums[0] / Double(voxels[0]),
                maxima[1], percentiles[1], sums[1] / Double(voxels[1]),
            ])
    }
}
