// Distance maps by looking at every pair of voxels (arithmetic 12).

/// One sample's distance map of one class.
public struct DistanceProblem {
    public enum Form: Sendable { case unsigned, squared, signed }
    public enum Boundary: Sendable, CaseIterable { case minusOne, half, zero, zeroUnit }
    public enum Far: Sendable { case zero, diagonal, infinity }

    /// Planes, rows, columns.
    public var extents: [Int]
    public var spacing: [Double]
    public var form: Form
    public var boundary = Boundary.minusOne
    public var far = Far.infinity

    public init(extents: [Int], spacing: [Double], form: Form) {
        self.extents = extents
        self.spacing = spacing
        self.form = form
    }

    private var several: [Int] { extents.indices.filter { extents[$0] > 1 } }
    private var squares: [Double] { spacing.map { $0 * $0 } }
    private var leastSquare: Double { several.map { squares[$0] }.min() ?? 1 }

    /// Arithmetic 12.1: the unit of squared distances, and each axis's squared spacing in units.
    var metric: (unit: Double, steps: [Double]) {
        let most = several.map { squares[$0] }.max() ?? 1
        guard leastSquare != most else { return (most, extents.map { _ in 1 }) }
        var longest = 0.0
        for a in several {
            let reach = Double(extents[a] - 1)
            longest += squares[a] * (reach * reach)
        }
        // The power of two above the longest, as 51 bits of units; as 52 where the least would have fewer than 20.
        var unit = Double(sign: .plus, exponent: longest.exponent + 1 - 51, significand: 1)
        if (leastSquare / unit).rounded(.toNearestOrEven) < 0x1p20 { unit /= 2 }
        return (
            unit,
            extents.indices.map { extents[$0] == 1 ? 1 : (squares[$0] / unit).rounded(.toNearestOrEven) }
        )
    }

    private func place(_ voxel: Int) -> [Int] {
        [voxel / (extents[1] * extents[2]), voxel / extents[2] % extents[1], voxel % extents[2]]
    }

    /// The map at some voxels, of which `member` says whether they are in the class.
    public func values(of member: [Bool], at voxels: some Sequence<Int>) -> [Float] {
        let (unit, steps) = metric
        let places = member.indices.map(place)
        let length = Float(leastSquare.squareRoot())
        return voxels.map { voxel in
            let inside = member[voxel]
            let sought = form == .signed ? !inside : true
            var least: Int?
            for other in member.indices where member[other] == sought {
                var squared = 0
                for a in 0..<3 {
                    let d = places[voxel][a] - places[other][a]
                    squared += Int(steps[a]) * d * d
                }
                least = min(least ?? squared, squared)
            }
            guard let least else { return inside && form == .signed ? -farValue : farValue }
            let squared = Float(Double(least) * unit)
            switch form {
            case .squared: return squared
            case .unsigned: return squared.squareRoot()
            case .signed: break
            }
            let distance = squared.squareRoot()
            switch boundary {
            case .minusOne: return inside ? 0 - distance : distance
            case .half: return inside ? length / 2 - distance : distance - length / 2
            case .zero: return inside ? length - distance : distance
            case .zeroUnit: return inside ? 1 - distance : distance
            }
        }
    }

    private var farValue: Float {
        switch far {
        case .zero: return 0
        case .infinity: return .infinity
        case .diagonal:
            var squared = several.isEmpty ? 1 : 0.0
            for a in several { squared += squares[a] * (Double(extents[a]) * Double(extents[a])) }
            return Float(form == .squared ? squared : squared.squareRoot())
        }
    }
}
