/// The sums of one class in one sample, over the valid voxels (docs/arithmetic.md, 6.3).
struct RegionSums {
    /// p g
    var I = ExactTotal.ofProbabilities
    /// p
    var P = ExactTotal.ofProbabilities
    /// p p
    var S = ExactTotal.ofProbabilities
    /// g
    var G = ExactTotal.ofProbabilities
    /// g g
    var H = ExactTotal.ofProbabilities

    /// Adds one sample's probabilities and targets, both +0 where invalid.
    mutating func addSample(p: [Float], g: [Float]) {
        var products = [Float](repeating: 0, count: p.count)
        P.addSample(p)
        G.addSample(g)
        RegionSums.multiply(p, g, into: &products)
        I.addSample(products)
        RegionSums.multiply(p, p, into: &products)
        S.addSample(products)
        RegionSums.multiply(g, g, into: &products)
        H.addSample(products)
    }

    mutating func add(_ other: RegionSums) {
        I.add(other.I)
        P.add(other.P)
        S.add(other.S)
        G.add(other.G)
        H.add(other.H)
    }

    private static func multiply(_ a: [Float], _ b: [Float], into products: inout [Float]) {
        var i = 0
        while i < a.count {
            products[i] = a[i] * b[i]
            i += 1
        }
    }
}

/// The derivative of the region terms by p of one class in one sample: Q p + A g + B.
struct RegionCoefficients {
    var A = 0.0
    var B = 0.0
    var Q = 0.0

    /// Rounded to float, then scaled. `hasSquares`: some term of the loss has a squared denominator.
    func scaled(by scale: Float, hasSquares: Bool) -> ScaledRegionCoefficients {
        ScaledRegionCoefficients(
            A: Float(A) * scale, B: Float(B) * scale, Q: Float(Q) * scale, hasSquares: hasSquares)
    }
}

struct ScaledRegionCoefficients {
    let A: Float
    let B: Float
    let Q: Float
    let hasSquares: Bool

    /// The derivative by p.
    func derivative(p: Float, g: Float) -> Float {
        let linear = fma(A, g, B)
        return hasSquares ? fma(Q, p, linear) : linear
    }
}

/// A Dice term (7.2).
struct Dice {
    let smoothNumerator: Double
    let smoothDenominator: Double
    let squared: Bool
    let scope: Term.Scope
    let excludeBackground: Bool
    let classWeights: [Float]?

    /// The term and its parts from the sums, [samples][classes]; adds its derivatives to `coefficients`.
    func finish(
        weight: Double, sums: [RegionSums], samples: Int, classes: Int, coefficients: inout [RegionCoefficients]
    ) -> (term: Double, perClass: [Double]) {
        let firstClass = excludeBackground ? 1 : 0
        let K = classes - firstClass
        let S = scope == .batch ? 1 : samples
        var term = 0.0
        var perClass = [Double](repeating: 0, count: classes)

        for sample in 0..<S {
            for c in firstClass..<classes {
                var sum = sums[sample * classes + c]
                if scope == .batch {
                    for other in 1..<max(samples, 1) {
                        sum.add(sums[other * classes + c])
                    }
                }
                let w = classWeights.map { Double($0[c]) } ?? 1
                let num = 2 * sum.I.value + smoothNumerator
                let U = squared ? sum.S.value + sum.H.value : sum.P.value + sum.G.value
                let den = U + smoothDenominator
                let loss = den > 0 ? 1 - num / den : 0
                term += w * loss
                perClass[c] += loss

                if den > 0 {
                    let f = (weight * w) / Double(S * K)
                    let touched = scope == .batch ? 0..<samples : sample..<(sample + 1)
                    for each in touched {
                        coefficients[each * classes + c].A += -(f * 2) / den
                        if squared {
                            coefficients[each * classes + c].Q += (f * 2) * ((num / den) / den)
                        } else {
                            coefficients[each * classes + c].B += f * ((num / den) / den)
                        }
                    }
                }
            }
        }

        term = term / Double(S * K)
        for c in 0..<classes {
            perClass[c] = perClass[c] / Double(S)
        }
        return (term, perClass)
    }
}
