import Foundation
import SegLossReference

/// Losses of single values: binary cross entropy, focal loss and its star, with all their options.
extension Formulas {
    /// What a value adds to a term, its voxel weight included: the loss, its derivative by the logit (or by the
    /// probability, where it says so), and what a focal loss may be divided by with the derivative of that.
    private struct Part {
        var loss: Double
        var slope: Double
        var factor = 0.0
        var turn = 0.0
        var isByProbability = false
    }

    private typealias Formula = (_ c: Int, _ g: Double, _ v: Double, _ x: Double) -> Part

    func binaryCrossEntropy(
        _ positive: [Float]?, _ w: [Float]?, _ s: Double, _ divisor: Term.Divisor, _ options: Term.BinaryOptions,
        _ factor: Double, _ gradient: inout [Double], _ wanted: Bool
    ) -> Result {
        let a = classFactors(positive)
        return channels(divisor, factor, &gradient, wanted, w) { c, g, v, x in
            let h = g * (1 - s) + (1 - g) * s
            let rest = options.positivesOnly ? 0 : 1 - h
            let (inside, outside) = options.weighsPositives ? (v, 1) : (1, v)
            let logs = logarithms(x, options.logOffset)
            return Part(
                loss: outside * (inside * a[c] * h * logs.n0 + rest * logs.n1),
                slope: outside * (rest * logs.k1 - inside * a[c] * h * logs.k0), isByProbability: options.logOffset > 0)
        }
    }

    func channelFocal(
        _ gamma: Double, _ alpha: Double?, _ w: [Float]?, _ divisor: Term.Divisor, _ options: Term.FocalOptions,
        _ factor: Double, _ gradient: inout [Double], _ wanted: Bool
    ) -> Result {
        let positive = classFactors(options.positiveWeights)
        let threshold = options.reducedThreshold
        return channels(divisor, factor, &gradient, wanted, w) { c, g, v, x in
            let a = options.classAlphas.map { Double($0[c]) } ?? alpha
            let ofPositives = (a ?? 1) * positive[c]
            let ofNegatives = options.alphaOfPositives ? 1 : a.map { 1 - $0 } ?? 1
            let balance = options.positivesOnly ? ofPositives : ofPositives * g + ofNegatives * (1 - g)
            let rest = options.positivesOnly ? 0 : 1 - g

            let logs = logarithms(x, options.logOffset)
            let entropy = g * logs.n0 + rest * logs.n1
            let byEntropy = rest * logs.k1 - g * logs.k0

            // How far the value is from its target, how near, and the derivative of the former.
            let b = binary(x)
            let spread = options.logOffset > 0 ? 1 : b.p * b.q
            var (miss, hit, away) = (g * b.q + (1 - g) * b.p, g * b.p + (1 - g) * b.q, (1 - 2 * g) * spread)
            if options.positivesOnly { (miss, hit, away) = (b.q, b.p, -spread) }
            if options.byLogit {
                let turned = binary((1 - 2 * g) * x)
                (miss, hit, away) = (turned.p, turned.q, (1 - 2 * g) * turned.p * turned.q)
            }

            // Below 1 the slope is infinite at 0; it is held where no float is normal.
            var f = gamma == 0 ? 1 : pow(miss, gamma)
            var byMiss = gamma == 0 || (gamma < 1 && miss < 0x1p-126) ? 0 : gamma * pow(miss, gamma - 1)
            if threshold > 0 {
                f = hit < threshold ? 1 : pow(miss / threshold, gamma)
                byMiss = hit < threshold ? 0 : byMiss / pow(threshold, gamma)
            }
            return Part(
                loss: v * balance * f * entropy, slope: v * balance * (byMiss * away * entropy + f * byEntropy),
                factor: v * f, turn: v * byMiss * away, isByProbability: options.logOffset > 0)
        }
    }

    func focalStar(
        _ gamma: Double, _ shift: Double, _ alpha: Double?, _ w: [Float]?, _ divisor: Term.Divisor,
        _ factor: Double, _ gradient: inout [Double], _ wanted: Bool
    ) -> Result {
        precondition(activation == .sigmoid)
        return channels(divisor, factor, &gradient, wanted, w) { _, g, v, x in
            let balance = alpha.map { $0 * g + (1 - $0) * (1 - g) } ?? 1
            let turned = binary(gamma * x * (2 * g - 1) + shift)
            return Part(loss: v * balance * turned.n0 / gamma, slope: v * balance * (1 - 2 * g) * turned.q)
        }
    }

    /// The negative logarithms of p and 1 - p, and what their derivatives are made of: by the logit 1 - p and p, by the
    /// probability, where something is added to it, one over what the logarithm is of.
    private func logarithms(_ x: Double, _ offset: Double) -> (n0: Double, n1: Double, k0: Double, k1: Double) {
        guard offset > 0 else {
            let b = binary(x)
            return (b.n0, b.n1, b.q, b.p)
        }
        return (-log(x + offset), -log((1 - x) + offset), 1 / (x + offset), 1 / ((1 - x) + offset))
    }

    private func channels(
        _ divisor: Term.Divisor, _ factor: Double, _ gradient: inout [Double], _ wanted: Bool, _ classWeights: [Float]?,
        _ formula: Formula
    ) -> Result {
        let w = classFactors(classWeights)
        func each(_ body: (_ n: Int, _ c: Int, _ i: Int, _ part: Part) -> Void) {
            for n in 0..<samples {
                for c in 0..<classes {
                    for i in 0..<voxels where isValid(n, c, i) { body(n, c, i, formula(c, g(n, c, i), v(n, i), x(n, c, i))) }
                }
            }
        }
        var (loss, weight, targets, factors) = (Sum(), Sum(), Sum(), Sum())
        var valid = 0
        each { n, c, i, part in
            loss.add(w[c] * part.loss)
            weight.add(w[c] * v(n, i))
            targets.add(w[c] * v(n, i) * g(n, c, i))
            factors.add(w[c] * part.factor)
            valid += 1
        }
        let d: Double
        var moves = false
        switch divisor {
        case .target: d = targets.value
        case .factors(let least):
            moves = factors.value > least
            d = max(factors.value, least)
        default: d = divide(divisor, weight: weight.value, valid: valid, all: samples * classes * voxels)
        }
        guard d > 0 else { return (0, 0) }
        let value = loss.value / d
        // Both sums of a normalized loss are held in quanta.
        let resolution = w.max()! * roundings(0x1p-32, rows: samples * classes) / d * (moves ? 1 + abs(value) : 1)
        guard wanted else { return (value, resolution) }
        each { n, c, i, part in
            let slope = part.slope - (moves ? value * part.turn : 0)
            let b = binary(x(n, c, i))
            let through = part.isByProbability ? slope * (activation == .sigmoid ? b.p * b.q : 1) : byInput(slope, b)
            gradient[index(n, c, i)] += factor * w[c] / d * through
        }
        return (value, resolution)
    }
}
