// Terms whose maps of distances are made of the problem itself (docs/arithmetic.md, 13).

/// The options of a boundary or a Hausdorff loss, with those of `closs_distance_term`.
public struct DistanceLoss: Sendable {
    public var classWeights: [Float]?
    /// Which classes take part, those past its end do not; `nil`: all.
    public var classes: [Bool]?
    /// Unless class 0 is the only one.
    public var excludeBackground = false
    /// Between planes, rows, columns.
    public var spacing: [Double] = [1, 1, 1]
    /// The diagonal where there is nothing to be far from, in place of 0.
    public var farIsDiagonal = false
    public var divisor = Term.Divisor.weight
    /// Of a boundary loss.
    public var boundary = DistanceProblem.Boundary.zeroUnit
    /// Of a Hausdorff loss, like what follows.
    public var alpha = 2.0
    /// The predicted region is where the class's input is the largest.
    public var predictsLargest = false
    /// Distances are those of voxels inside.
    public var insideAlone = false
    public var logarithm = false

    public init() {}

    /// Arithmetic 13.1; `nil` where all classes weigh 1.
    func weights(_ count: Int) -> [Float]? {
        let all: [Float] = (0..<count).map { c in
            let isExcluded = excludeBackground && c == 0 && count > 1
            let isNamed = classes.map { c < $0.count && $0[c] } ?? true
            return isExcluded || !isNamed ? 0 : classWeights?[c] ?? 1
        }
        return classWeights == nil && all.allSatisfy { $0 == 1 } ? nil : all
    }
}

/// The maps of a term: m' and 2^s.
struct DistanceMaps {
    var values: [Float]
    let scale: Double

    private let options: DistanceLoss
    private let metric: (unit: Double, steps: [Double])
    private let extents: [Int]
    /// V of 13.5, and the least square of a spacing.
    private let diagonal, least: Double

    init(_ problem: Problem, _ options: DistanceLoss, isHausdorff: Bool) {
        self.options = options
        extents = problem.extents
        precondition(extents.reduce(1, *) == problem.voxels)
        metric = DistanceProblem(extents: extents, spacing: options.spacing, form: .signed).metric
        let several = (0..<3).filter { problem.extents[$0] > 1 }
        var sum = several.isEmpty ? 1 : 0.0
        for a in several {
            sum += (options.spacing[a] * options.spacing[a]) * (Double(extents[a]) * Double(extents[a]))
        }
        diagonal = sum
        least = several.map { options.spacing[$0] * options.spacing[$0] }.min() ?? 1
        var largest = diagonal.squareRoot()
        if isHausdorff {
            largest = 2 * Real.power(diagonal, options.alpha / 2)
        } else if options.boundary == .zeroUnit && largest < 1 {
            largest = 1
        }
        let e = largest.exponent + 1
        let s = e > 10 || e < 0 ? e - 10 : 0
        scale = Double(sign: .plus, exponent: Int(s), significand: 1)
        values = [Float](repeating: 0, count: problem.logits.count)

        let voxels = Voxels(problem)
        let weights = options.weights(problem.classes)
        let factor = Float(1 / scale)
        for sample in 0..<problem.samples {
            for c in 0..<problem.classes where weights?[c] != 0 {
                let valid = (0..<problem.voxels).map { voxels.isValid(sample, c, $0) }
                let region = valid.indices.map { valid[$0] && voxels.target(sample, c, $0) > 0.5 }
                let squares = signedSquares(region)
                var predicted: [(inside: Bool, square: Float?)] = []
                if isHausdorff {
                    let isPredicted = prediction(problem, voxels, sample, c)
                    predicted = signedSquares(valid.indices.map { valid[$0] && isPredicted[$0] })
                }
                for voxel in 0..<problem.voxels {
                    let m =
                        isHausdorff
                        ? power(predicted[voxel]) + power(squares[voxel]) : signed(squares[voxel])
                    values[voxels.index(sample, c, voxel)] = m * factor
                }
            }
        }
    }

    /// The predicted region of a class, before validity.
    private func prediction(_ problem: Problem, _ voxels: Voxels, _ sample: Int, _ c: Int) -> [Bool] {
        var softmax = SoftmaxVoxel(classes: problem.classes)
        return (0..<problem.voxels).map { voxel in
            func input(_ k: Int) -> Float { problem.logits[voxels.index(sample, k, voxel)] }
            if options.predictsLargest {
                var m = input(0)
                for k in 1..<problem.classes { m = larger(input(k), m) }
                return (0..<problem.classes).first { input($0) == m } == c
            }
            if problem.activation == .softmax {
                softmax.set(problem.logits, first: voxels.index(sample, 0, voxel), stride: problem.voxels)
                return softmax.p[c] > 0.5
            }
            return ChannelValue(input(c), problem.activation).p > 0.5
        }
    }

    /// m of a boundary loss (13.3).
    private func signed(_ voxel: (inside: Bool, square: Float?)) -> Float {
        guard let square = voxel.square else {
            let far: Float = options.farIsDiagonal ? Float(diagonal.squareRoot()) : 0
            return voxel.inside ? -far : far
        }
        let d = square.squareRoot()
        let length = Float(least.squareRoot())
        switch options.boundary {
        case .minusOne: return voxel.inside ? 0 - d : d
        case .half: return voxel.inside ? length / 2 - d : d - length / 2
        case .zero: return voxel.inside ? length - d : d
        case .zeroUnit: return voxel.inside ? 1 - d : d
        }
    }

    /// f of 13.4.
    private func power(_ voxel: (inside: Bool, square: Float?)) -> Float {
        var e = voxel.square ?? (options.farIsDiagonal ? Float(diagonal) : 0)
        if options.insideAlone && !voxel.inside { e = 0 }
        if options.alpha == 2 || e == 0 { return e }
        return options.alpha == 1 ? e.squareRoot() : SegLossReference.power(e, Float(options.alpha / 2))
    }

    /// For each voxel whether it is inside, and the square of its distance from the other side; `nil`: there is none.
    private func signedSquares(_ region: [Bool]) -> [(inside: Bool, square: Float?)] {
        let toInside = squares(region)
        let toOutside = squares(region.map { !$0 })
        return region.indices.map { i in
            let steps = region[i] ? toOutside[i] : toInside[i]
            return (region[i], steps == Self.none ? nil : Float(Double(steps) * metric.unit))
        }
    }

    private static let none = Int.max

    /// D of 12.2, line by line (12.3).
    private func squares(_ sought: [Bool]) -> [Int] {
        var squares = sought.map { $0 ? 0 : Self.none }
        let strides = [extents[1] * extents[2], extents[2], 1]
        for a in [2, 1, 0] where extents[a] > 1 {
            let (n, stride, q) = (extents[a], strides[a], Int(metric.steps[a]))
            var line = [Int](repeating: 0, count: n)
            for start in squares.indices where start / stride % n == 0 {
                for i in 0..<n { line[i] = squares[start + i * stride] }
                for i in 0..<n {
                    var least = Self.none
                    for j in 0..<n where line[j] != Self.none {
                        let there = line[j] + q * (i - j) * (i - j)
                        if there < least { least = there }
                    }
                    squares[start + i * stride] = least
                }
            }
        }
        return squares
    }
}
