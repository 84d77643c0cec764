/// The sums of one class in one sample, over the valid voxels (docs/arithmetic.md, 6.3).
struct RegionSums {
    /// p g
    var I: ExactTotal
    /// p
    var P: ExactTotal
    /// p p
    var S: ExactTotal
    /// g
    var G: ExactTotal
    /// g g
    var H: ExactTotal
    /// The smaller of p and g.
    var M: ExactTotal
    /// 1
    var V: ExactTotal

    init(weighted: Bool) {
        let none = weighted ? ExactTotal.ofLosses : ExactTotal.ofProbabilities
        (I, P, S, G, H, M, V) = (none, none, none, none, none, none, none)
    }

    /// Adds one sample's probabilities, targets and weights, all +0 where invalid.
    mutating func addSample(p: [Float], g: [Float], v: [Float]) {
        var values = [Float](repeating: 0, count: p.count)
        func add(_ total: inout ExactTotal, _ value: (_ p: Float, _ g: Float, _ v: Float) -> Float) {
            var i = 0
            while i < p.count {
                values[i] = value(p[i], g[i], v[i])
                i += 1
            }
            total.addSample(values)
        }
        add(&I) { p, g, v in (p * v) * g }
        add(&P) { p, _, v in p * v }
        add(&S) { p, _, v in (p * v) * p }
        add(&G) { _, g, v in v * g }
        add(&H) { _, g, v in (v * g) * g }
        add(&M) { p, g, v in v * (p < g ? p : g) }
        add(&V) { _, _, v in v }
    }

    mutating func add(_ other: RegionSums) {
        I.add(other.I)
        P.add(other.P)
        S.add(other.S)
        G.add(other.G)
        H.add(other.H)
        M.add(other.M)
        V.add(other.V)
    }
}

/// The derivative of the region terms by p of one class in one sample: Q p + M h + A g + B.
struct RegionCoefficients {
    var A = 0.0
    var B = 0.0
    var Q = 0.0
    var M = 0.0

    /// Rounded to float once added up, then scaled; a zero is +0.
    func scaled(by scale: Float, for terms: RegionTerms, hardTargets: Bool) -> ScaledRegionCoefficients {
        let T = A + B + Q
        return ScaledRegionCoefficients(
            T: Float(hardTargets ? T + M : T) * scale + 0, B: Float(B) * scale + 0, Q: Float(Q) * scale + 0,
            belowT: Float(T + M) * scale + 0, belowB: Float(B + M) * scale + 0,
            hasSquares: terms.hasSquares, hasMinimum: terms.hasMinimum && !hardTargets)
    }
}

struct ScaledRegionCoefficients {
    let T: Float
    let B: Float
    let Q: Float
    /// T and B where p is below g.
    let belowT: Float
    let belowB: Float
    let hasSquares: Bool
    let hasMinimum: Bool

    /// The derivative by p; d is p - g without cancellation.
    func derivative(p: Float, g: Float, difference d: Float) -> Float {
        var q = fma(T, g, (1 - g) * B)
        if hasMinimum {
            let below = fma(belowT, g, (1 - g) * belowB)
            q = p < g ? below : p > g ? q : 0.5 * (below + q)
        }
        return hasSquares ? fma(Q, d, q) : q
    }
}

/// The region terms of a loss, each with its place among all of its terms.
struct RegionTerms {
    var terms: [(index: Int, weight: Double, region: Region)] = []

    var isEmpty: Bool { terms.isEmpty }
    var hasSquares: Bool { terms.contains { $0.region.squared } }
    var hasMinimum: Bool { terms.contains { $0.region.minimum } }
    var isWeighted: Bool { terms.contains { $0.region.weighted } }
}

// MARK: - Scores

/// The sums of a class, or of a pool of classes, as a formula takes them.
private struct Sums {
    var I = 0.0
    var P = 0.0
    var S = 0.0
    var G = 0.0
    var H = 0.0
    var V = 0.0

    mutating func add(_ other: Sums, times weight: Double) {
        I += weight * other.I
        P += weight * other.P
        S += weight * other.S
        G += weight * other.G
        H += weight * other.H
        V += weight * other.V
    }
}

/// A value and its derivatives by I, P and S.
private struct Derived {
    var value = 0.0
    var byI = 0.0
    var byP = 0.0
    var byS = 0.0
}

extension Region {
    /// The score of 7.2.2.
    private func score(_ s: Sums) -> Derived {
        let P = squared ? s.S : s.P
        let G = squared ? s.H : s.G
        switch formula {
        case .dice, .generalizedDice:
            let extra = s.I < leastIntersection ? leastIntersection - s.I : 0
            return quotient(
                2 * (s.I + extra) + smoothNumerator, ((P + G) + 2 * extra) + smoothDenominator,
                numByI: extra > 0 ? 0 : 2, denByI: extra > 0 ? -2 : 0, denByP: 1)
        case .jaccard:
            return quotient(
                s.I + smoothNumerator, ((P + G) - s.I) + smoothDenominator, numByI: 1, denByI: -1, denByP: 1)
        case .tversky:
            let shared = (1 - alpha) - beta
            return quotient(
                s.I + smoothNumerator, (shared * s.I + (alpha * P + beta * G)) + smoothDenominator,
                numByI: 1, denByI: shared, denByP: alpha)
        case .matthews:
            return matthews(s)
        case .leakyDice:
            let num = s.I + smoothNumerator
            let precision = quotient(num, s.P + smoothDenominator, numByI: 1, denByI: 0, denByP: 1)
            let recall = quotient(num, s.G + smoothDenominator, numByI: 1, denByI: 0, denByP: 0)
            return Derived(
                value: 1 - (alpha * (1 - precision.value) + beta * (1 - recall.value)),
                byI: alpha * precision.byI + beta * recall.byI, byP: alpha * precision.byP)
        }
    }

    private func quotient(
        _ num: Double, _ given: Double, numByI: Double, denByI: Double, denByP: Double
    ) -> Derived {
        let held = given < leastDenominator
        let den = held ? leastDenominator : given
        guard den > 0 else { return Derived(value: 1) }
        let D = num / den
        let shrink = held ? 0 : -(D / den)
        let bySize = shrink * denByP
        return Derived(
            value: D, byI: numByI / den + shrink * denByI, byP: squared ? 0 : bySize, byS: squared ? bySize : 0)
    }

    private func matthews(_ s: Sums) -> Derived {
        if perfectIsOne && s.P == s.I && s.G == s.I { return Derived(value: 1) }
        let e = smoothCounts
        let TP = s.I + e
        let FP = (s.P - s.I) + e
        let FN = (s.G - s.I) + e
        let TN = ((s.V - s.P) - (s.G - s.I)) + e
        let predicted = TP + FP
        let positive = TP + FN
        let negative = TN + FP
        let rejected = TN + FN
        let square = (predicted * positive) * (negative * rejected)
        let root = ((square > 0 ? square : 0) + smoothProduct).squareRoot()
        let den = root + smoothDenominator
        guard den > 0 else { return Derived() }
        let D = ((TP * TN - FP * FN) + smoothNumerator) / den
        let rootByP = root > 0 ? ((positive * negative) * (rejected - predicted)) / (2 * root) : 0
        return Derived(value: D, byI: ((TP + TN) + (FP + FN)) / den, byP: (-(TP + FN) - D * rootByP) / den)
    }

    /// What is made of a score (7.2.3), and the derivative of that.
    private func loss(ofScore D: Double) -> (value: Double, slope: Double) {
        switch value {
        case .oneMinusScore: return (1 - D, -1)
        case .minusScore: return (-D, -1)
        case .minusLogScore:
            let least = leastScore > Real.smallest ? leastScore : Real.smallest
            return D < least ? (-Real.log(least), 0) : (-Real.log(D), -1 / D)
        case .logCosh:
            let x = 1 - D
            let e = Real.exp(-2 * abs(x))
            let tanh = (1 - e) / (1 + e)
            return (Real.logCosh(abs(x)), x < 0 ? tanh : -tanh)
        }
    }

    private func raised(_ loss: Double, to exponent: Double) -> (value: Double, slope: Double) {
        if exponent == 0 || exponent == 1 {
            return (loss, 1)
        }
        guard loss >= Real.smallest else { return (0, 0) }
        let power = Real.power(loss, exponent)
        return (power, exponent * (power / loss))
    }

    private func loss(_ sums: Sums, exponent: Double) -> Derived {
        let D = score(sums)
        let unraised = loss(ofScore: D.value)
        let loss = raised(unraised.value, to: exponent)
        let slope = loss.slope * unraised.slope
        return Derived(value: loss.value, byI: slope * D.byI, byP: slope * D.byP, byS: slope * D.byS)
    }

    /// The loss where the sums are of an absent class and the term has a rule for that (7.2.4).
    private func lossOfAbsent(_ sums: Sums) -> Derived? {
        if absent == .natural || sums.G > 0 {
            return nil
        }
        return Derived(value: absent == .one ? 1 : 0)
    }

    private func takesPart(_ c: Int) -> Bool {
        (c > 0 || !excludeBackground) && (classes?[c] ?? true)
    }

    private func weight(_ c: Int) -> Double {
        classWeights.map { Double($0[c]) } ?? 1
    }

    private var isPooled: Bool { scope == .samplePooled || scope == .batchPooled }
    private var isOfBatch: Bool { scope == .batch || scope == .batchPooled }
}

// MARK: - Finish

extension Region {
    /// The term and its parts from the sums, [samples][classes]; adds its derivatives to `coefficients`.
    func finish(
        weight factor: Double, sums: [RegionSums], samples: Int, classes: Int, coefficients: inout [RegionCoefficients]
    ) -> (term: Double, perClass: [Double]) {
        let step = isOfBatch ? samples : 1
        let groups = Double(samples / step)
        var term = 0.0
        var perClass = [Double](repeating: 0, count: classes)
        for first in stride(from: 0, to: samples, by: step) {
            var ofClasses: [Sums] = []
            for c in 0..<classes {
                var sum = sums[first * classes + c]
                for other in (first + 1)..<max(first + step, first + 1) {
                    sum.add(sums[other * classes + c])
                }
                ofClasses.append(
                    Sums(
                        I: minimum ? sum.M.value : sum.I.value, P: sum.P.value, S: sum.S.value, G: sum.G.value,
                        H: sum.H.value, V: sum.V.value))
            }
            let (value, derivatives) =
                isPooled
                ? pool(ofClasses, factor: factor / groups)
                : mean(ofClasses, factor: factor, groups: groups, perClass: &perClass)
            term += value
            for sample in first..<(first + step) {
                for c in 0..<classes {
                    let (derived, factor) = derivatives[c]
                    if minimum {
                        coefficients[sample * classes + c].M += factor * derived.byI
                    } else {
                        coefficients[sample * classes + c].A += factor * derived.byI
                    }
                    coefficients[sample * classes + c].B += factor * derived.byP
                    coefficients[sample * classes + c].Q += factor * (2 * derived.byS)
                }
            }
        }
        return (term / groups, perClass.map { $0 / groups })
    }

    /// Each class by itself, then their mean (7.2.5). The derivatives come with their factors.
    private func mean(
        _ sums: [Sums], factor: Double, groups: Double, perClass: inout [Double]
    ) -> (Double, [(Derived, Double)]) {
        var losses = [Derived](repeating: Derived(), count: sums.count)
        var sum = 0.0
        var divisor = 0.0
        for c in sums.indices where takesPart(c) {
            if let ofAbsent = lossOfAbsent(sums[c]) {
                if absent == .skipped {
                    continue
                }
                losses[c] = ofAbsent
            } else {
                let exponent = classExponents.map { Double($0[c]) } ?? (exponentOfMean ? 0 : exponent)
                losses[c] = loss(sums[c], exponent: exponent)
            }
            sum += weight(c) * losses[c].value
            divisor += weighting == .normalized ? weight(c) : 1
            perClass[c] += losses[c].value
        }
        guard divisor > 0 else { return (0, losses.map { _ in (Derived(), 0) }) }
        let mean = raised(sum / divisor, to: exponentOfMean ? exponent : 0)
        let common = (factor * mean.slope) / (groups * divisor)
        return (mean.value, losses.indices.map { (losses[$0], common * weight($0)) })
    }

    /// All classes together, as if they were one (7.2.6).
    private func pool(_ sums: [Sums], factor: Double) -> (Double, [(Derived, Double)]) {
        var weights = sums.indices.map { takesPart($0) ? volumeWeight(sums[$0].G) : 0 }
        let largest = weights.filter(\.isFinite).reduce(0) { $1 > $0 ? $1 : $0 }
        weights = weights.indices.map { (weights[$0].isFinite ? weights[$0] : largest) * weight($0) }
        guard largest > 0 else { return (0, sums.map { _ in (Derived(), 0) }) }
        var pooled = Sums()
        for c in sums.indices {
            pooled.add(sums[c], times: weights[c])
        }
        let loss = lossOfAbsent(pooled) ?? loss(pooled, exponent: exponent)
        return (loss.value, weights.map { (loss, factor * $0) })
    }

    private func volumeWeight(_ G: Double) -> Double {
        if volumeWeighting == .uniform {
            return 1
        }
        let weight = 1 / ((volumeWeighting == .square ? G * G : G) + volumeOffset)
        return mostVolumeWeight > 0 && weight > mostVolumeWeight ? mostVolumeWeight : weight
    }
}
