import Foundation
import SegLossReference

/// A number and its derivative by one of the sums: the oracle's derivatives of region terms are those of the formulas
/// as they stand, not derived by hand.
struct Dual {
    var value: Double
    var slope = 0.0

    static func + (a: Dual, b: Dual) -> Dual { Dual(value: a.value + b.value, slope: a.slope + b.slope) }
    static func - (a: Dual, b: Dual) -> Dual { Dual(value: a.value - b.value, slope: a.slope - b.slope) }
    static func * (a: Dual, b: Dual) -> Dual {
        Dual(value: a.value * b.value, slope: a.slope * b.value + a.value * b.slope)
    }
    static func / (a: Dual, b: Dual) -> Dual {
        Dual(value: a.value / b.value, slope: (a.slope - a.value / b.value * b.slope) / b.value)
    }
    static prefix func - (a: Dual) -> Dual { Dual(value: -a.value, slope: -a.slope) }
    static func + (a: Dual, b: Double) -> Dual { Dual(value: a.value + b, slope: a.slope) }
    static func * (a: Double, b: Dual) -> Dual { Dual(value: a * b.value, slope: a * b.slope) }

    func mapped(_ value: Double, _ derivative: Double) -> Dual { Dual(value: value, slope: derivative * slope) }

    var log: Dual { mapped(Foundation.log(value), 1 / value) }
    var squareRoot: Dual { mapped(value.squareRoot(), 0.5 / value.squareRoot()) }
    var logCosh: Dual { mapped(abs(value) < 1e-4 ? value * value / 2 : Foundation.log(cosh(value)), tanh(value)) }

    func raised(to power: Double) -> Dual {
        if power == 0 || power == 1 { return self }
        if !(value > 0) { return Dual(value: 0) }
        return mapped(pow(value, power), power * pow(value, power - 1))
    }

    func held(above least: Double) -> Dual { value < least ? Dual(value: least) : self }
}

/// The sums of one class in one group.
struct OracleSums {
    var I = Dual(value: 0)
    var P = Dual(value: 0)
    var S = Dual(value: 0)
    var G = 0.0
    var H = 0.0
    var V = 0.0
}

extension Region {
    private func oracleScore(_ s: OracleSums) -> Dual {
        let sizeP = squared ? s.S : s.P
        let sizeG = squared ? s.H : s.G
        let numerator: Dual
        let denominator: Dual
        switch formula {
        case .dice, .generalizedDice:
            // True positives held above the least; false ones are what they are.
            let TP = s.I.held(above: leastIntersection)
            numerator = 2 * TP + smoothNumerator
            denominator = 2 * TP + (sizeP - s.I) + (Dual(value: sizeG) - s.I) + Dual(value: smoothDenominator)
        case .jaccard:
            numerator = s.I + smoothNumerator
            denominator = sizeP + Dual(value: sizeG) - s.I + Dual(value: smoothDenominator)
        case .tversky:
            numerator = s.I + smoothNumerator
            denominator =
                s.I + alpha * (sizeP - s.I) + beta * (Dual(value: sizeG) - s.I) + Dual(value: smoothDenominator)
        case .matthews:
            // The library's sums are in steps of 2^-48.
            let wrong = (s.P - s.I).value + s.G - s.I.value
            if perfectIsOne && abs(wrong) < 0x1p-48 { return Dual(value: 1) }
            let TP = s.I + smoothCounts
            let FP = s.P - s.I + Dual(value: smoothCounts)
            let FN = Dual(value: s.G) - s.I + Dual(value: smoothCounts)
            let TN = Dual(value: s.V - s.G) - s.P + s.I + Dual(value: smoothCounts)
            let product = (TP + FP) * (TP + FN) * ((TN + FP) * (TN + FN))
            let inside = product + smoothProduct
            let root = inside.value > 0 ? inside.squareRoot : Dual(value: 0)
            if root.value + smoothDenominator <= 0 { return Dual(value: 0) }
            return (TP * TN - FP * FN + Dual(value: smoothNumerator)) / (root + smoothDenominator)
        case .leakyDice:
            func score(of size: Dual) -> Dual {
                let held = (size + smoothDenominator).held(above: leastDenominator)
                return held.value > 0 ? (s.I + smoothNumerator) / held : Dual(value: 1)
            }
            let one = Dual(value: 1)
            return one - alpha * (one - score(of: s.P)) - beta * (one - score(of: Dual(value: s.G)))
        }
        let held = denominator.held(above: leastDenominator)
        return held.value > 0 ? numerator / held : Dual(value: 1)
    }

    private func oracleLoss(_ s: OracleSums, exponent: Double) -> Dual {
        let D = oracleScore(s)
        let loss: Dual
        switch value {
        case .oneMinusScore: loss = Dual(value: 1) - D
        case .minusScore: loss = -D
        case .minusLogScore: loss = -D.held(above: max(leastScore, Double.leastNormalMagnitude)).log
        case .logCosh: loss = (Dual(value: 1) - D).logCosh
        }
        return loss.raised(to: exponent)
    }

    private var isPooled: Bool { scope == .samplePooled || scope == .batchPooled }

    /// The value of a group and the losses of its classes (0 where there are none).
    func oracleValue(_ sums: [OracleSums]) -> (value: Dual, perClass: [Double]) {
        let members = sums.indices.filter { ($0 > 0 || !excludeBackground) && (classes?[$0] ?? true) }
        func weight(_ c: Int) -> Double { classWeights.map { Double($0[c]) } ?? 1 }
        func ofAbsent(_ G: Double) -> Double? {
            absent == .natural || G > 0 ? nil : absent == .one ? 1 : 0
        }
        if isPooled {
            var volumes = members.map { c -> Double in
                let G = sums[c].G
                switch volumeWeighting {
                case .uniform: return 1
                case .simple: return 1 / (G + volumeOffset)
                case .square: return 1 / (G * G + volumeOffset)
                }
            }
            if mostVolumeWeight > 0 { volumes = volumes.map { min($0, mostVolumeWeight) } }
            let largest = volumes.filter { $0 < .infinity }.max() ?? 0
            if largest == 0 { return (Dual(value: 0), []) }
            var pool = OracleSums()
            for (c, volume) in zip(members, volumes) {
                let u = min(volume, volume == .infinity ? largest : volume) * weight(c)
                pool.I = pool.I + u * sums[c].I
                pool.P = pool.P + u * sums[c].P
                pool.S = pool.S + u * sums[c].S
                pool.G += u * sums[c].G
                pool.H += u * sums[c].H
                pool.V += u * sums[c].V
            }
            return (ofAbsent(pool.G).map { Dual(value: $0) } ?? oracleLoss(pool, exponent: exponent), [])
        }
        var perClass = [Double](repeating: 0, count: sums.count)
        var sum = Dual(value: 0)
        var divisor = 0.0
        for c in members {
            let known = ofAbsent(sums[c].G)
            if known != nil && absent == .skipped { continue }
            let power = classExponents.map { Double($0[c]) } ?? (exponentOfMean ? 1 : exponent)
            let loss = known.map { Dual(value: $0) } ?? oracleLoss(sums[c], exponent: power)
            perClass[c] = loss.value
            sum = sum + weight(c) * loss
            divisor += weighting == .normalized ? weight(c) : 1
        }
        if divisor == 0 { return (Dual(value: 0), perClass) }
        return (((1 / divisor) * sum).raised(to: exponentOfMean ? exponent : 1), perClass)
    }
}
