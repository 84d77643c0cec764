import Foundation
import SegLossReference

/// The formulas of closs.h written down in Double, term by term, without a thought for speed or bits. It shares nothing
/// with the reference, whose bits the library has to match; the oracle says whether those bits are right.
///
/// Logarithms of probabilities are taken in forms that stay exact where a probability rounds to 0 or 1, and sums are
/// compensated, so that the oracle's own error stays below 1e-12 relative at 2^24 voxels.
enum Oracle {
    /// The loss, its terms without their weights, and dL/dlogits (or dL/dp).
    static func evaluate(_ problem: Problem) -> (value: Double, terms: [Double], gradient: [Double]) {
        let (value, terms, gradient, _) = evaluateWithResolution(problem)
        return (value, terms, gradient)
    }

    /// With the resolution of each term: how far it may be moved by sums that are held in whole quanta (2^-32 for
    /// losses, 2^-48 for probabilities; docs/arithmetic.md, 6). It only shows where a loss is next to nothing, or a
    /// Dice denominator is.
    static func evaluateWithResolution(
        _ problem: Problem
    ) -> (value: Double, terms: [Double], gradient: [Double], resolutions: [Double]) {
        let formulas = Formulas(problem)
        var gradient = [Double](repeating: 0, count: problem.logits.count)
        let terms = problem.terms.map { formulas.add($0, to: &gradient, wanted: true) }
        let values = terms.map(\.value)
        return (weightedSum(problem.terms, values), values, gradient, terms.map(\.resolution))
    }

    /// The loss with one logit moved. The move is in Double, so it may be smaller than a Float can tell.
    static func value(_ problem: Problem, moving index: Int = 0, by amount: Double = 0) -> Double {
        var formulas = Formulas(problem)
        formulas.movedIndex = index
        formulas.movedBy = amount
        var nothing: [Double] = []
        return weightedSum(problem.terms, problem.terms.map { formulas.add($0, to: &nothing, wanted: false).value })
    }

    /// The derivative of the loss by one logit from four values around it; the error is of the fourth order in `step`.
    static func centralDifference(_ problem: Problem, at index: Int, step: Double = 1e-3) -> Double {
        func change(_ step: Double) -> Double {
            value(problem, moving: index, by: step) - value(problem, moving: index, by: -step)
        }
        return (8 * change(step) - change(2 * step)) / (12 * step)
    }

    private static func weightedSum(_ terms: [Term], _ values: [Double]) -> Double {
        var sum = Sum()
        for (term, value) in zip(terms, values) { sum.add(term.weight * value) }
        return sum.value
    }
}

/// A compensated sum (Neumaier).
struct Sum {
    private var total = 0.0
    private var lost = 0.0

    var value: Double { total + lost }

    mutating func add(_ x: Double) {
        let next = total + x
        lost += abs(total) >= abs(x) ? (total - next) + x : (x - next) + total
        total = next
    }
}

struct Formulas {
    let samples: Int
    let classes: Int
    let voxels: Int
    let activation: Problem.Activation
    let logits: [Float]
    let labels: [Int64]?
    let dense: [Float]?
    let denseIgnored: Float?
    let labelIgnored: Int64?
    let mask: [UInt8]?
    let weights: [Float]?
    var maps: [Double]?
    let extents: [Int]
    var movedIndex = 0
    var movedBy = 0.0

    init(_ problem: Problem) {
        samples = problem.samples
        classes = problem.classes
        voxels = problem.voxels
        activation = problem.activation
        logits = problem.logits
        mask = problem.mask
        weights = problem.weights
        maps = problem.maps?.map(Double.init)
        extents = problem.extents
        switch problem.target {
        case .labels(let values):
            labels = values
            dense = nil
            labelIgnored = problem.ignoreIndex.map(Int64.init)
            denseIgnored = nil
        case .dense(let values, let byte):
            labels = nil
            dense = values
            labelIgnored = nil
            denseIgnored = byte ? problem.ignoreIndex.map(Float.init) : nil
        }
    }

    // MARK: The input

    func index(_ n: Int, _ c: Int, _ i: Int) -> Int { (n * classes + c) * voxels + i }

    func x(_ n: Int, _ c: Int, _ i: Int) -> Double {
        let at = index(n, c, i)
        let value = Double(logits[at])
        return at == movedIndex ? value + movedBy : value
    }

    func isValid(_ n: Int, _ c: Int, _ i: Int) -> Bool {
        if let mask, mask[n * voxels + i] == 0 { return false }
        if let labels, let labelIgnored { return labels[n * voxels + i] != labelIgnored }
        if let dense, let denseIgnored { return dense[index(n, c, i)] != denseIgnored }
        return true
    }

    func g(_ n: Int, _ c: Int, _ i: Int) -> Double {
        if let labels { return labels[n * voxels + i] == (classes == 1 ? 1 : Int64(c)) ? 1 : 0 }
        return Double(dense![index(n, c, i)])
    }

    func v(_ n: Int, _ i: Int) -> Double { weights.map { Double($0[n * voxels + i]) } ?? 1 }

    // MARK: Probabilities

    /// p, 1 - p and the negative logarithms of both.
    struct Binary {
        var p, q, n0, n1: Double
    }

    func binary(_ x: Double) -> Binary {
        if activation == .probabilities {
            return Binary(p: x, q: 1 - x, n0: min(-log(x), 100), n1: min(-log1p(-x), 100))
        }
        let e = exp(-abs(x))
        let likely = 1 / (1 + e)
        let unlikely = e / (1 + e)
        let small = log1p(e)
        let large = abs(x) + log1p(e)
        return x >= 0
            ? Binary(p: likely, q: unlikely, n0: small, n1: large)
            : Binary(p: unlikely, q: likely, n0: large, n1: small)
    }

    /// A term's derivative by the input, from the one by the logit of a sigmoid.
    func byInput(_ derivative: Double, _ b: Binary) -> Double {
        activation == .probabilities ? derivative / max(b.p * b.q, Double(Float(1e-12))) : derivative
    }

    /// One voxel's softmax.
    struct Softmax {
        var top = 0
        var nll: [Double]
        var p: [Double]
        var q: [Double]
    }

    func softmax(_ n: Int, _ i: Int, _ s: inout Softmax) {
        var top = 0
        for c in 1..<classes where x(n, c, i) > x(n, top, i) { top = c }
        let m = x(n, top, i)
        var others = 0.0
        for c in 0..<classes {
            s.p[c] = exp(x(n, c, i) - m)
            if c != top { others += s.p[c] }
        }
        let logSum = log1p(others)
        for c in 0..<classes {
            s.nll[c] = (m - x(n, c, i)) + logSum
            s.p[c] /= 1 + others
            s.q[c] = c == top ? others / (1 + others) : 1 - s.p[c]
        }
        s.top = top
    }

    func makeSoftmax() -> Softmax {
        let zeros = [Double](repeating: 0, count: classes)
        return Softmax(nll: zeros, p: zeros, q: zeros)
    }

    // MARK: Terms

    /// A term without its weight, and what the quanta of its sums may move it by.
    typealias Result = (value: Double, resolution: Double)

    /// Half a quantum for each sum of four voxels in one row of one class.
    func roundings(_ quantum: Double, rows: Int) -> Double { quantum / 2 * Double(16 * ((voxels + 63) / 64) * rows) }

    /// The term's value; adds its weight times its derivative to `gradient` where that is wanted.
    func add(_ term: Term, to gradient: inout [Double], wanted: Bool) -> Result {
        switch term.kind {
        case .crossEntropy(let classWeights, let smoothing, let divisor, let exponent):
            let plain = exponent == 0 || exponent == 1
            return classwise(
                classFactors(classWeights), smoothing, divisor, { _ in 1 }, term.weight, &gradient, wanted
            ) { _, n, _ in
                let held = max(n, 0x1p-126)
                return plain ? (n, 1, 0) : (pow(held, exponent), exponent * pow(held, exponent - 1), 0)
            }

        case .focal(let gamma, let alpha, let w, let divisor, let classGammas, false, _) where activation == .softmax:
            let balance: (Int) -> Double = { c in alpha.map { c == 0 ? 1 - $0 : $0 } ?? 1 }
            return classwise(classFactors(w), 0, divisor, balance, term.weight, &gradient, wanted) { c, n, u in
                let gamma = classGammas.map { Double($0[c]) } ?? gamma
                let factor = gamma == 0 ? 1 : pow(u, gamma)
                return (factor * n, factor, gamma == 0 || u == 0 ? 0 : gamma * pow(u, gamma - 1) * n)
            }

        case .binaryCrossEntropy(let positive, let w, let s, let divisor, _, let options):
            return binaryCrossEntropy(positive, w, s, divisor, options, term.weight, &gradient, wanted)

        case .focal(let gamma, let alpha, let w, let divisor, _, _, let options):
            return channelFocal(gamma, alpha, w, divisor, options, term.weight, &gradient, wanted)

        case .focalStar(let gamma, let shift, let alpha, let w, let divisor):
            return focalStar(gamma, shift, alpha, w, divisor, term.weight, &gradient, wanted)

        case .region(let options):
            return region(options, term.weight, &gradient, wanted)

        case .balancedBinaryCrossEntropy(let ratio, let minimum, let fallback, let epsilon, let scope):
            return balanced(ratio, minimum, fallback, epsilon, scope, term.weight, &gradient, wanted)

        case .topK(let percent, let w, let smoothing, let ignoredCount, let scope):
            return ranked(w, w, smoothing, .infinity, scope, term.weight, &gradient, wanted) { _, others, all in
                let k = max(1, Int((Double(ignoredCount ? all : others) * percent / 100).rounded(.down)))
                return (k, Double(k))
            }

        case .onlineHardExampleMining(let threshold, let minimumKept, let w, let divisor, let scope):
            let ranking = threshold > 0 ? nil : w
            return ranked(w, ranking, 0, -log(threshold), scope, term.weight, &gradient, wanted) { sure, others, all in
                let k = max(0, min(minimumKept, sure + others) - sure)
                return (k, divide(divisor, weight: Double(sure + k), valid: sure + others, all: all))
            }

        case .balancedL1(let ratio, let minimum, let scope):
            return balancedErrors(ratio, minimum, scope, term.weight, &gradient, wanted)

        case .lovaszSoftmax(let options): return lovasz(options, isHinge: false, term.weight, &gradient, wanted)

        case .lovaszHinge(let options): return lovasz(options, isHinge: true, term.weight, &gradient, wanted)

        case .absoluteError(let w, let divisor):
            return error(w, divisor, term.weight, &gradient, wanted) { _, d, _ in (abs(d), d > 0 ? 1 : d < 0 ? -1 : 0) }

        case .smoothL1(let beta, let w, let divisor):
            return error(w, divisor, term.weight, &gradient, wanted) { _, d, _ in
                abs(d) < beta
                    ? (d * d / (2 * beta), d / beta) : (abs(d) - beta / 2, d > 0 ? 1 : d < 0 ? -1 : 0)
            }

        case .squaredError(let w, let divisor):
            return error(w, divisor, term.weight, &gradient, wanted) { _, d, _ in (d * d, 2 * d) }

        case .linear(let w, let divisor):
            return error(w, divisor, term.weight, &gradient, wanted) { p, _, m in (p * m, m) }

        case .boundary(let options):
            return boundary(options, term.weight, &gradient, wanted)

        case .hausdorff(let options):
            return hausdorff(options, term.weight, &gradient, wanted)
        }
    }

    func classFactors(_ factors: [Float]?) -> [Double] {
        factors?.map(Double.init) ?? [Double](repeating: 1, count: classes)
    }

    func divide(_ divisor: Term.Divisor, weight: Double, valid: Int, all: Int) -> Double {
        switch divisor {
        case .weight: weight
        case .valid: Double(valid)
        case .all: Double(all)
        case .constant(let value): value
        case .target, .factors: preconditionFailure("not a divisor of this term")
        }
    }

    /// A term of a softmax's classes: each target's share of a class counts with a weight, a balance that does not
    /// enter the divisor, and a curve over the class's negative log-likelihood and the rest of its probability; the
    /// curve gives its value and both derivatives. `e` of the target is spread evenly, without balance and curve.
    func classwise(
        _ w: [Double], _ e: Double, _ divisor: Term.Divisor, _ balance: (Int) -> Double,
        _ factor: Double, _ gradient: inout [Double], _ wanted: Bool,
        _ curve: (Int, Double, Double) -> (f: Double, byN: Double, byU: Double)
    ) -> Result {
        precondition(activation == .softmax)
        let spread = e / Double(classes)
        var s = makeSoftmax()
        var loss = Sum()
        var weight = Sum()
        var valid = 0
        for n in 0..<samples {
            for i in 0..<voxels where isValid(n, 0, i) {
                softmax(n, i, &s)
                var here = Sum()
                for c in 0..<classes {
                    let target = g(n, c, i)
                    if target > 0 { here.add((1 - e) * w[c] * balance(c) * target * curve(c, s.nll[c], s.q[c]).f) }
                    if e > 0 { here.add(spread * w[c] * s.nll[c]) }
                    weight.add(v(n, i) * w[c] * target)
                }
                loss.add(v(n, i) * here.value)
                valid += 1
            }
        }
        let d = divide(divisor, weight: weight.value, valid: valid, all: samples * voxels)
        guard d > 0 else { return (0, 0) }
        let result = (loss.value / d, roundings(0x1p-32, rows: samples) / d)
        guard wanted else { return result }

        var byLikelihood = [Double](repeating: 0, count: classes)
        for n in 0..<samples {
            for i in 0..<voxels where isValid(n, 0, i) {
                softmax(n, i, &s)
                let k = factor * v(n, i) / d
                for c in 0..<classes {
                    byLikelihood[c] = spread * w[c]
                    let target = g(n, c, i)
                    guard target > 0 else { continue }
                    // u changes with z_j as p times what n does.
                    let (_, byN, byU) = curve(c, s.nll[c], s.q[c])
                    byLikelihood[c] += (1 - e) * w[c] * balance(c) * target * (byN + byU * s.p[c])
                }
                for c in 0..<classes {
                    // d nll(j) / dz_c is p_c, less 1 where j is c.
                    var slope = 0.0
                    for j in 0..<classes { slope += byLikelihood[j] * (c == j ? -s.q[c] : s.p[c]) }
                    gradient[index(n, c, i)] += k * slope
                }
            }
        }
        return result
    }

    /// An error of the probability: `formula` gives the loss and its derivative by p, of p, p - g and the map's value.
    func error(
        _ classWeights: [Float]?, _ divisor: Term.Divisor, _ factor: Double, _ gradient: inout [Double],
        _ wanted: Bool, _ formula: (Double, Double, Double) -> (loss: Double, slope: Double)
    ) -> Result {
        if activation == .softmax { return classError(classWeights, divisor, factor, &gradient, wanted, formula) }
        let w = classFactors(classWeights)
        var loss = Sum()
        var weight = Sum()
        var targets = Sum()
        var valid = 0
        func each(_ body: (_ at: Int, _ scale: Double, _ b: Binary, _ here: (loss: Double, slope: Double)) -> Void) {
            for n in 0..<samples {
                for c in 0..<classes {
                    for i in 0..<voxels where isValid(n, c, i) {
                        let b = binary(x(n, c, i))
                        let d = g(n, c, i) == 1 ? -b.q : b.p - g(n, c, i)
                        let at = index(n, c, i)
                        body(at, w[c] * v(n, i), b, formula(b.p, d, maps?[at] ?? 0))
                    }
                }
            }
        }
        each { at, scale, _, here in
            loss.add(scale * here.loss)
            weight.add(scale)
            targets.add(scale * g(at / (classes * voxels), at / voxels % classes, at % voxels))
            valid += 1
        }
        let d =
            divisor == .target
            ? targets.value : divide(divisor, weight: weight.value, valid: valid, all: samples * classes * voxels)
        guard d > 0 else { return (0, 0) }
        let largest = w.max()!
        let result = (loss.value / d, largest * roundings(0x1p-32, rows: samples * classes) / d)
        guard wanted else { return result }
        each { at, scale, b, here in
            let through = activation == .sigmoid ? b.p * b.q : 1
            gradient[at] += factor * scale / d * here.slope * through
        }
        return result
    }

    /// The same of every class's probability in a softmax.
    func classError(
        _ classWeights: [Float]?, _ divisor: Term.Divisor, _ factor: Double, _ gradient: inout [Double],
        _ wanted: Bool, _ formula: (Double, Double, Double) -> (loss: Double, slope: Double)
    ) -> Result {
        let w = classFactors(classWeights)
        var loss = Sum()
        var weight = Sum()
        var targets = Sum()
        var valid = 0
        var s = makeSoftmax()
        func at(_ n: Int, _ c: Int, _ i: Int, _ s: Softmax) -> (loss: Double, slope: Double) {
            let target = g(n, c, i)
            let map = maps?[index(n, c, i)] ?? 0
            return formula(s.p[c], target == 1 ? -s.q[c] : s.p[c] - target, map)
        }
        for n in 0..<samples {
            for i in 0..<voxels where isValid(n, 0, i) {
                softmax(n, i, &s)
                for c in 0..<classes {
                    loss.add(w[c] * v(n, i) * at(n, c, i, s).loss)
                    weight.add(w[c] * v(n, i))
                    targets.add(w[c] * v(n, i) * g(n, c, i))
                    valid += 1
                }
            }
        }
        let d =
            divisor == .target
            ? targets.value : divide(divisor, weight: weight.value, valid: valid, all: samples * classes * voxels)
        guard d > 0 else { return (0, 0) }
        let result = (loss.value / d, w.max()! * roundings(0x1p-32, rows: samples) / d)
        guard wanted else { return result }
        for n in 0..<samples {
            for i in 0..<voxels where isValid(n, 0, i) {
                softmax(n, i, &s)
                let slopes = (0..<classes).map { factor * w[$0] * v(n, i) / d * at(n, $0, i, s).slope }
                var mean = 0.0
                for c in 0..<classes where c != s.top { mean += s.p[c] * (slopes[c] - slopes[s.top]) }
                for c in 0..<classes { gradient[index(n, c, i)] += s.p[c] * ((slopes[c] - slopes[s.top]) - mean) }
            }
        }
        return result
    }

    func region(_ region: Region, _ factor: Double, _ gradient: inout [Double], _ wanted: Bool) -> Result {
        let isOfBatch = region.scope == .batch || region.scope == .batchPooled
        let groups = isOfBatch ? 1 : samples
        func weight(_ n: Int, _ i: Int) -> Double { region.weighted ? v(n, i) : 1 }
        /// The derivative of min(p, g) by p; where targets are hard, that of p g.
        func byMinimum(_ p: Double, _ g: Double) -> Double {
            labels != nil || denseIgnored != nil || g == 0 || g == 1 ? g : p < g ? 1 : p > g ? 0 : 0.5
        }
        var sums = [[Sum]](repeating: [Sum](repeating: Sum(), count: 6), count: groups * classes)
        var s = makeSoftmax()
        func eachProbability(_ body: (_ n: Int, _ c: Int, _ i: Int, _ p: Double) -> Void) {
            for n in 0..<samples {
                if activation == .softmax {
                    for i in 0..<voxels where isValid(n, 0, i) {
                        softmax(n, i, &s)
                        for c in 0..<classes { body(n, c, i, s.p[c]) }
                    }
                } else {
                    for c in 0..<classes {
                        for i in 0..<voxels where isValid(n, c, i) { body(n, c, i, binary(x(n, c, i)).p) }
                    }
                }
            }
        }
        eachProbability { n, c, i, p in
            let g = g(n, c, i)
            let v = weight(n, i)
            let at = (isOfBatch ? 0 : n) * classes + c
            sums[at][0].add(v * (region.minimum ? min(p, g) : p * g))
            sums[at][1].add(v * p)
            sums[at][2].add(v * p * p)
            sums[at][3].add(v * g)
            sums[at][4].add(v * g * g)
            sums[at][5].add(v)
        }

        let lost = roundings(region.weighted ? 0x1p-32 : 0x1p-48, rows: samples / groups)
        var resolution = 0.0
        var term = Sum()
        // dL/dp = byPrediction + byProduct * g + bySquare * 2 p
        var byProduct = [Double](repeating: 0, count: groups * classes)
        var byPrediction = byProduct
        var bySquare = byProduct
        for group in 0..<groups {
            let plain = (0..<classes).map { c -> OracleSums in
                let sum = sums[group * classes + c].map(\.value)
                return OracleSums(
                    I: Dual(value: sum[0]), P: Dual(value: sum[1]), S: Dual(value: sum[2]), G: sum[3], H: sum[4],
                    V: sum[5])
            }
            term.add(region.oracleValue(plain).value.value / Double(groups))
            for c in 0..<classes {
                func slope(_ change: (inout OracleSums) -> Void) -> Double {
                    var changed = plain
                    change(&changed[c])
                    return region.oracleValue(changed).value.slope / Double(groups)
                }
                let at = group * classes + c
                byProduct[at] = slope { $0.I.slope = 1 }
                byPrediction[at] = slope { $0.P.slope = 1 }
                bySquare[at] = slope { $0.S.slope = 1 }
                let moved = 2 * lost * (abs(byProduct[at]) + abs(byPrediction[at]) + abs(bySquare[at]))
                resolution += region.value == .oneMinusScore && region.classWeights == nil ? min(1, moved) : moved
            }
        }
        guard wanted else { return (term.value, resolution) }

        var d = [Double](repeating: 0, count: classes)
        for n in 0..<samples {
            let start = (isOfBatch ? 0 : n) * classes
            func slope(_ c: Int, _ i: Int, _ p: Double) -> Double {
                let g = g(n, c, i)
                let byI = byProduct[start + c] * (region.minimum ? byMinimum(p, g) : g)
                return factor * weight(n, i) * (byPrediction[start + c] + byI + bySquare[start + c] * 2 * p)
            }
            if activation == .softmax {
                for i in 0..<voxels where isValid(n, 0, i) {
                    softmax(n, i, &s)
                    for c in 0..<classes { d[c] = slope(c, i, s.p[c]) }
                    // dL/dz_c = p_c sum_j p_j (d_c - d_j)
                    let reference = d[s.top]
                    var mean = 0.0
                    for c in 0..<classes where c != s.top { mean += s.p[c] * (d[c] - reference) }
                    for c in 0..<classes { gradient[index(n, c, i)] += s.p[c] * ((d[c] - reference) - mean) }
                }
            } else {
                for c in 0..<classes {
                    for i in 0..<voxels where isValid(n, c, i) {
                        let b = binary(x(n, c, i))
                        let byP = slope(c, i, b.p)
                        gradient[index(n, c, i)] += activation == .sigmoid ? byP * b.p * b.q : byP
                    }
                }
            }
        }
        return (term.value, resolution)
    }

    func balanced(
        _ ratio: Double, _ minimum: Int, _ fallback: Int, _ epsilon: Double, _ scope: Term.Scope,
        _ factor: Double, _ gradient: inout [Double], _ wanted: Bool
    ) -> Result {
        precondition(activation != .softmax)
        let groups = scope == .batch ? [0..<samples] : (0..<samples).map { $0..<$0 + 1 }
        var term = Sum()
        var resolution = 0.0
        for group in groups {
            var positives: [(at: Int, x: Double)] = []
            var negatives: [(at: Int, x: Double)] = []
            for n in group {
                for c in 0..<classes {
                    for i in 0..<voxels where isValid(n, c, i) {
                        let value = (at: index(n, c, i), x: x(n, c, i))
                        if g(n, c, i) == 1 { positives.append(value) } else { negatives.append(value) }
                    }
                }
            }
            let least = positives.isEmpty ? max(minimum, fallback) : minimum
            let wish = max((ratio * Double(positives.count)).rounded(.down), Double(least))
            let k = Int(min(Double(negatives.count), wish))
            if k < negatives.count { negatives.sort { $0.x > $1.x || ($0.x == $1.x && $0.at < $1.at) } }
            let d = Double(positives.count + k) + epsilon
            guard d > 0 else { continue }
            var loss = Sum()
            let share = 1 / d / Double(groups.count)
            for (at, x) in positives {
                let b = binary(x)
                loss.add(b.n0)
                if wanted { gradient[at] += factor * share * byInput(-b.q, b) }
            }
            for (at, x) in negatives.prefix(k) {
                let b = binary(x)
                loss.add(b.n1)
                if wanted { gradient[at] += factor * share * byInput(b.p, b) }
            }
            term.add(loss.value * share)
            resolution += 0x1p-33 * Double(positives.count + k) * share
        }
        return (term.value, resolution)
    }
}

extension Formulas {
    /// The values whose loss is above `surely`, and the greatest of the others: how many, and what the sum is divided
    /// by, follows from the numbers of both and of all values.
    func ranked(
        _ classWeights: [Float]?, _ rankingWeights: [Float]?, _ smoothing: Double, _ surely: Double,
        _ scope: Term.Scope, _ factor: Double, _ gradient: inout [Double], _ wanted: Bool,
        _ count: (_ sure: Int, _ others: Int, _ all: Int) -> (Int, Double)
    ) -> Result {
        let w = classFactors(classWeights)
        let isSoftmax = activation == .softmax
        // The smoothed target of a class.
        func target(_ k: Int, of n: Int, _ i: Int) -> Double {
            (1 - smoothing) * g(n, k, i) + smoothing / Double(classes)
        }
        var s = makeSoftmax()
        var term = Sum()
        var resolution = 0.0
        let groups = scope == .batch ? [0..<samples] : (0..<samples).map { $0..<$0 + 1 }
        for group in groups {
            var sure: [(n: Int, c: Int, i: Int, loss: Double, rank: Double)] = []
            var others = sure
            for n in group {
                for c in 0..<(isSoftmax ? 1 : classes) {
                    for i in 0..<voxels where isValid(n, c, i) {
                        if isSoftmax { softmax(n, i, &s) }
                        func loss(_ w: [Double]) -> Double {
                            guard isSoftmax else {
                                let b = binary(x(n, c, i))
                                return w[c] * (g(n, c, i) * b.n0 + (1 - g(n, c, i)) * b.n1) * v(n, i)
                            }
                            let classes = (0..<classes).filter { target($0, of: n, i) > 0 }
                            return classes.reduce(0) { $0 + w[$1] * target($1, of: n, i) * s.nll[$1] } * v(n, i)
                        }
                        let rank = loss(classFactors(rankingWeights))
                        let value = (n, c, i, loss(w), rank)
                        if rank > surely { sure.append(value) } else { others.append(value) }
                    }
                }
            }
            let (k, d) = count(sure.count, others.count, group.count * voxels * (isSoftmax ? 1 : classes))
            // The sort is stable: equal losses stay in the order of their indices.
            let taken = sure + others.sorted { $0.rank > $1.rank }.prefix(k)
            guard !taken.isEmpty else { continue }
            let share = 1 / d / Double(groups.count)
            var loss = Sum()
            for value in taken { loss.add(value.loss) }
            term.add(loss.value * share)
            resolution += 0x1p-33 * w.max()! * Double(taken.count) * share
            guard wanted else { continue }
            for (n, c, i, _, _) in taken {
                let scale = factor * share * v(n, i)
                if isSoftmax {
                    softmax(n, i, &s)
                    for a in 0..<classes {
                        for k in 0..<classes where target(k, of: n, i) > 0 {
                            gradient[index(n, a, i)] += scale * w[k] * target(k, of: n, i) * (a == k ? -s.q[a] : s.p[a])
                        }
                    }
                } else {
                    let b = binary(x(n, c, i))
                    let slope = (1 - g(n, c, i)) * b.p - g(n, c, i) * b.q
                    gradient[index(n, c, i)] += scale * w[c] * byInput(slope, b)
                }
            }
        }
        return (term.value, resolution)
    }

    /// The mean error of the values that the maps make positive, and that of the hardest others.
    func balancedErrors(
        _ ratio: Double, _ minimum: Int, _ scope: Term.Scope, _ factor: Double, _ gradient: inout [Double],
        _ wanted: Bool
    ) -> Result {
        precondition(activation != .softmax)
        var term = Sum()
        var resolution = 0.0
        let groups = scope == .batch ? [0..<samples] : (0..<samples).map { $0..<$0 + 1 }
        for group in groups {
            var positives: [(at: Int, d: Double, through: Double)] = []
            var negatives = positives
            for n in group {
                for c in 0..<classes {
                    for i in 0..<voxels where isValid(n, c, i) {
                        let b = binary(x(n, c, i))
                        let value = (
                            at: index(n, c, i), d: g(n, c, i) == 1 ? -b.q : b.p - g(n, c, i),
                            through: activation == .sigmoid ? b.p * b.q : 1
                        )
                        if maps![value.at] > 0 { positives.append(value) } else { negatives.append(value) }
                    }
                }
            }
            let wish = max((ratio * Double(positives.count)).rounded(.down), Double(minimum))
            // The sort is stable: equal errors stay in the order of their indices.
            let hardest = negatives.sorted { abs($0.d) > abs($1.d) }.prefix(Int(min(Double(negatives.count), wish)))
            for taken in [positives, Array(hardest)] where !taken.isEmpty {
                let share = 1 / Double(taken.count) / Double(groups.count)
                var sum = Sum()
                for value in taken { sum.add(abs(value.d)) }
                term.add(sum.value * share)
                resolution += 0x1p-33 * Double(taken.count) * share
                guard wanted else { continue }
                for value in taken where value.d != 0 {
                    gradient[value.at] += factor * share * (value.d > 0 ? value.through : -value.through)
                }
            }
        }
        return (term.value, resolution)
    }
}

// MARK: - Comparing

/// The largest magnitude; NaN where there is one.
func largestMagnitude(_ values: some Sequence<Double>) -> Double {
    values.reduce(0) { $1.isNaN || abs($1) > $0 ? abs($1) : $0 }
}

/// The largest difference of two arrays over the largest magnitude of `expected`; 0 where both are zero throughout.
/// Not a number or infinite where anything in `actual` is.
func gradientError(_ actual: some Collection<Double>, _ expected: [Double]) -> Double {
    precondition(actual.count == expected.count)
    let largest = largestMagnitude(expected)
    let difference = largestMagnitude(zip(actual, expected).lazy.map { $0 - $1 })
    return difference == 0 ? 0 : difference / largest
}

/// The difference over the magnitude of `expected`; 0 where both are equal.
func relativeError(_ actual: Double, _ expected: Double) -> Double {
    actual == expected ? 0 : abs(actual - expected) / abs(expected)
}
