// Weight maps, voxel by voxel (arithmetic 14).

/// Weights of box averages of a batch.
public struct BoxWeightProblem {
    public enum Form {
        case boundary(amplitude: Double, steepness: Double)
        case border(amplitude: Double, above: Double, below: Double)
    }
    public enum Mean { case batch, sample, free }

    public var samples: Int
    /// Planes, rows, columns.
    public var extents: [Int]
    public var window: [Int]
    public var countsPadding: Bool
    public var form: Form
    public var mean: Mean

    public init(samples: Int, extents: [Int], window: [Int], countsPadding: Bool, form: Form, mean: Mean) {
        self.samples = samples
        self.extents = extents
        self.window = window
        self.countsPadding = countsPadding
        self.form = form
        self.mean = mean
    }

    private var voxels: Int { extents.reduce(1, *) }

    /// 14.1: the voxels of a window that are inside, and what they are counted among.
    func counts(of inside: [Bool], sample: Int, at place: [Int]) -> (count: Int, among: Int) {
        var ranges: [ClosedRange<Int>] = []
        for a in 0..<3 {
            let first = place[a] - (window[a] - 1) / 2
            let last = place[a] + window[a] / 2
            ranges.append(max(0, first)...min(extents[a] - 1, last))
        }
        var count = 0
        for z in ranges[0] {
            for y in ranges[1] {
                let row = ((sample * extents[0] + z) * extents[1] + y) * extents[2]
                for x in ranges[2] where inside[row + x] { count += 1 }
            }
        }
        let among = countsPadding ? window.reduce(1, *) : ranges.reduce(1) { $0 * $1.count }
        return (count, among)
    }

    /// The map of a batch, of which `inside` says whether voxels are.
    public func map(of inside: [Bool]) -> [Float] {
        var values: [Float] = []
        for i in inside.indices {
            let voxel = i % voxels
            let place = [voxel / (extents[1] * extents[2]), voxel / extents[2] % extents[1], voxel % extents[2]]
            let (count, among) = counts(of: inside, sample: i / voxels, at: place)
            switch form {
            case .boundary(_, let steepness):
                let d = Float(-0.5).addingProduct(Float(count), Float(1 / Double(among)))
                values.append(Elementary.expNonPositive(abs(d) * -Float(steepness)))
            case .border(_, let above, let below):
                let isBorder = Double(count) > above * Double(among) && Double(count) < below * Double(among)
                values.append(isBorder ? 1 : 0)
            }
        }
        if mean == .sample {
            return (0..<samples).flatMap { weights(of: Array(values[$0 * voxels..<($0 + 1) * voxels])) }
        }
        return weights(of: values)
    }

    /// 14.2 and 14.3: weights of exponentials, or of zeros and ones.
    private func weights(of values: [Float]) -> [Float] {
        let n = Double(values.count)
        switch form {
        case .boundary(let amplitude, _):
            var sum = ExactTotal.ofProbabilities
            var row = 0
            while row < values.count {
                sum.addSample(Array(values[row..<row + extents[2]]))
                row += extents[2]
            }
            let k = Float(mean == .free ? amplitude : n / sum.value)
            return values.map { $0 * k }
        case .border(let amplitude, _, _):
            let borders = Double(values.filter { $0 > 0 }.count)
            let k = mean == .free ? 1 : n / (n + amplitude * borders)
            return values.map { $0 > 0 ? Float((1 + amplitude) * k) : Float(k) }
        }
    }
}

/// Weights of class frequencies.
public enum ClassWeightReference {
    public enum Weighting { case balanced, inverse, odds, median, logarithmic(Double), effective(Double) }
    public enum Absent { case zero, one, largest, formula }
    public enum Norm { case none, classes, voxels }

    /// 14.4, from the voxels of each class, and those of the samples that have it.
    public static func weights(
        _ counts: [Int], _ ofSamples: [Int], _ weighting: Weighting, _ absent: Absent, _ norm: Norm
    ) -> [Float] {
        let all = Double(counts.reduce(0, +))
        let present = counts.indices.filter { counts[$0] > 0 }
        let sorted = present.map { Double(counts[$0]) / Double(ofSamples[$0]) }.sorted()
        let half = sorted.count / 2
        let median = sorted.isEmpty ? 0 : sorted.count % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2
        var weights = counts.map { _ in 0.0 }
        for c in present {
            let n = Double(counts[c])
            switch weighting {
            case .balanced: weights[c] = all / (Double(counts.count) * n)
            case .inverse: weights[c] = all / n
            case .odds: weights[c] = (all - n) / n
            case .median: weights[c] = median / (n / Double(ofSamples[c]))
            case .logarithmic(let offset): weights[c] = 1 / Real.log(offset + n / all)
            case .effective(let beta): weights[c] = (1 - beta) / (1 - (beta > 0 ? Real.power(beta, n) : 0))
            }
        }
        let largest = present.map { weights[$0] }.max() ?? 0
        for c in counts.indices where counts[c] == 0 {
            switch absent {
            case .zero: weights[c] = 0
            case .one: weights[c] = 1
            case .largest: weights[c] = largest
            case .formula:
                guard case .logarithmic(let offset) = weighting else { preconditionFailure("it has no value") }
                weights[c] = 1 / Real.log(offset)
            }
        }
        var sum = 0.0
        var shares = 0.0
        for c in counts.indices {
            let share = norm == .classes ? 1 : Double(counts[c])
            sum += share * weights[c]
            shares += share
        }
        let factor = norm == .none || !(sum > 0) ? 1 : shares / sum
        return weights.map { Float($0 * factor) }
    }
}

/// U-Net's weights of one sample.
public struct CellWeightProblem {
    public var extents: [Int]
    public var spacing: [Double]
    public var amplitude: Double
    public var sigma: Double
    public var background: Double
    public var cells: Double
    public var balanced: Bool

    public init(
        extents: [Int], spacing: [Double], amplitude: Double, sigma: Double, background: Double, cells: Double,
        balanced: Bool
    ) {
        self.extents = extents
        self.spacing = spacing
        self.amplitude = amplitude
        self.sigma = sigma
        self.background = background
        self.cells = cells
        self.balanced = balanced
    }

    /// The map of one sample: `nil` is the background, what is `ignored` neither that nor a cell.
    public func map(of labels: [Int?], ignored: [Bool]) -> [Float] {
        let distances = DistanceProblem(extents: extents, spacing: spacing, form: .unsigned)
        var two = labels.map { _ in (Float.infinity, Float.infinity) }
        let names = Set(zip(labels, ignored).compactMap { $1 ? nil : $0 })
        for name in names {
            let member = zip(labels, ignored).map { $0 == name && !$1 }
            for (i, d) in distances.values(of: member, at: labels.indices).enumerated() {
                if d < two[i].0 {
                    two[i] = (d, two[i].0)
                } else if d < two[i].1 {
                    two[i].1 = d
                }
            }
        }
        let counted = labels.indices.filter { !ignored[$0] }
        let gaps = counted.filter { labels[$0] == nil }.count
        var (betweenWeight, cellWeight) = (background, cells)
        if balanced {
            let all = Double(counted.count)
            betweenWeight = gaps > 0 ? background * (all / (2 * Double(gaps))) : 0
            cellWeight = gaps < counted.count ? cells * (all / (2 * Double(counted.count - gaps))) : 0
        }
        let exponent = Float(-1 / (2 * (sigma * sigma)))
        return labels.indices.map { i in
            if ignored[i] { return 0 }
            if labels[i] != nil { return Float(cellWeight) }
            let t = two[i].0 + two[i].1
            let x = (t * t) * exponent
            let near = x >= -87.25 ? Elementary.expNonPositive(x) : 0
            return Float(betweenWeight).addingProduct(Float(amplitude), near)
        }
    }
}
