import Foundation
import SegLossReference

/// Losses of distances, which are found by looking at every pair of voxels.
extension Formulas {
    func boundary(_ options: DistanceLoss, _ factor: Double, _ gradient: inout [Double], _ wanted: Bool) -> Result {
        var copy = self
        copy.maps = distanceMaps(options, isHausdorff: false)
        let (value, resolution) = copy.error(measured(options), options.divisor, factor, &gradient, wanted) { p, _, m in
            (p * m, m)
        }
        return (value, resolution * mapScale(options, isHausdorff: false))
    }

    func hausdorff(_ options: DistanceLoss, _ factor: Double, _ gradient: inout [Double], _ wanted: Bool) -> Result {
        var copy = self
        copy.maps = distanceMaps(options, isHausdorff: true)
        func squared(_ p: Double, _ d: Double, _ m: Double) -> (loss: Double, slope: Double) { (d * d * m, 2 * d * m) }
        var nothing: [Double] = []
        let (value, resolution) = copy.error(measured(options), options.divisor, factor, &nothing, false, squared)
        if wanted {
            let bent = options.logarithm ? factor / (1 + value) : factor
            _ = copy.error(measured(options), options.divisor, bent, &gradient, true, squared)
        }
        // Its totals keep what their quanta leave, in steps of 2^-80.
        let scale = mapScale(options, isHausdorff: true) * 0x1p-48
        return (options.logarithm ? log1p(value) : value, resolution * scale)
    }

    /// Class weights of 0 for those that take no part.
    func measured(_ options: DistanceLoss) -> [Float] {
        (0..<classes).map { c in
            if options.excludeBackground && c == 0 && classes > 1 { return 0 }
            if let named = options.classes, c >= named.count || !named[c] { return 0 }
            return options.classWeights?[c] ?? 1
        }
    }

    private func diagonal(_ options: DistanceLoss) -> Double {
        let lengths = (0..<3).filter { extents[$0] > 1 }.map { options.spacing[$0] * Double(extents[$0]) }
        return lengths.isEmpty ? 1 : sqrt(lengths.reduce(0) { $0 + $1 * $1 })
    }

    /// What the quanta of the sums are multiplied by.
    private func mapScale(_ options: DistanceLoss, isHausdorff: Bool) -> Double {
        let length = diagonal(options)
        let largest =
            isHausdorff ? 2 * pow(length, options.alpha) : options.boundary == .zeroUnit ? max(length, 1) : length
        let exponent = floor(log2(largest)) + 1
        return exponent > 10 || exponent < 0 ? pow(2, exponent - 10) : 1
    }

    /// The maps that the terms make, of the unmoved input.
    func distanceMaps(_ options: DistanceLoss, isHausdorff: Bool) -> [Double] {
        var maps = [Double](repeating: 0, count: logits.count)
        let weights = measured(options)
        for n in 0..<samples {
            for c in 0..<classes where weights[c] > 0 {
                let target = (0..<voxels).map { isValid(n, c, $0) && g(n, c, $0) > 0.5 }
                let own = sides(target, options)
                var predicted: [(inside: Bool, distance: Double)] = []
                if isHausdorff {
                    predicted = sides(
                        (0..<voxels).map {
                            isValid(n, c, $0) && isPredicted(n, c, $0, largest: options.predictsLargest)
                        },
                        options)
                }
                for i in 0..<voxels {
                    maps[index(n, c, i)] =
                        isHausdorff ? power(predicted[i], options) + power(own[i], options) : signed(own[i], options)
                }
            }
        }
        return maps
    }

    private func isPredicted(_ n: Int, _ c: Int, _ i: Int, largest: Bool) -> Bool {
        let inputs = (0..<classes).map { Double(logits[index(n, $0, i)]) }
        if largest { return inputs.firstIndex(of: inputs.max()!) == c }
        switch activation {
        case .softmax: return 1 / inputs.reduce(0) { $0 + exp($1 - inputs[c]) } > 0.5
        case .sigmoid: return 1 / (1 + exp(-inputs[c])) > 0.5
        case .probabilities: return inputs[c] > 0.5
        }
    }

    /// On which side each voxel is, and how far the other side is.
    private func sides(_ region: [Bool], _ options: DistanceLoss) -> [(inside: Bool, distance: Double)] {
        let places = region.indices.map { i -> [Double] in
            let place = [i / (extents[1] * extents[2]), i / extents[2] % extents[1], i % extents[2]]
            return zip(place, options.spacing).map { Double($0) * $1 }
        }
        let far = options.farIsDiagonal ? diagonal(options) : 0
        return region.indices.map { i in
            var least = Double.infinity
            for j in region.indices where region[j] != region[i] {
                let d = (places[i][0] - places[j][0], places[i][1] - places[j][1], places[i][2] - places[j][2])
                least = min(least, d.0 * d.0 + d.1 * d.1 + d.2 * d.2)
            }
            return (region[i], least.isFinite ? sqrt(least) : .nan)
        }.map { $0.distance.isNaN ? ($0.inside, -1 - far) : $0 }
    }

    /// Of a voxel that has nothing to be far from, the distance is -1 - far.
    private func signed(_ voxel: (inside: Bool, distance: Double), _ options: DistanceLoss) -> Double {
        if voxel.distance < 0 { return (voxel.distance + 1) * (voxel.inside ? 1 : -1) }
        let step = (0..<3).filter { extents[$0] > 1 }.map { options.spacing[$0] }.min() ?? 1
        let (outer, inner): (Double, Double) =
            switch options.boundary {
            case .minusOne: (0, 0)
            case .half: (step / 2, step / 2)
            case .zero: (0, step)
            case .zeroUnit: (0, 1)
            }
        return voxel.inside ? inner - voxel.distance : voxel.distance - outer
    }

    private func power(_ voxel: (inside: Bool, distance: Double), _ options: DistanceLoss) -> Double {
        if options.insideAlone && !voxel.inside { return 0 }
        return pow(voxel.distance < 0 ? -(voxel.distance + 1) : voxel.distance, options.alpha)
    }
}
