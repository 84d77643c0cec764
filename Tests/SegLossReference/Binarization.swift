/// DBNet's loss of a probability map and a threshold map (docs/arithmetic.md, 10).
public struct BinarizationProblem: Sendable {
    /// The loss of the probability map by itself, and of the threshold map by itself: one term each, whose weights are
    /// the parts' weights.
    public var map, threshold: Problem
    public var binaryWeight: Double
    public var steepness: Double
    public var diceEpsilon: Double

    public init(map: Problem, threshold: Problem, binaryWeight: Double, steepness: Double, diceEpsilon: Double) {
        self.map = map
        self.threshold = threshold
        self.binaryWeight = binaryWeight
        self.steepness = steepness
        self.diceEpsilon = diceEpsilon
    }

    public struct Outcome: Sendable {
        public var value, main, l1, dice: Double
        public var mapGradient, thresholdGradient: [Float]
    }

    /// The gradients are added to `old` values where there are such.
    public func evaluate(scale: Float, adding old: (map: [Float], threshold: [Float])? = nil) -> Outcome {
        let main = Reference.evaluate(map, scale: scale)
        let l1 = Reference.evaluate(threshold, scale: scale)
        let k = Float(steepness)
        let targets = targetValues
        var product = ExactTotal.ofProbabilities
        var sum = ExactTotal.ofProbabilities
        var truth = ExactTotal.ofProbabilities
        for sample in 0..<map.samples {
            var bg: [Float] = []
            var b: [Float] = []
            var g: [Float] = []
            for i in (sample * map.voxels)..<((sample + 1) * map.voxels) {
                let p = mapValue(map.logits[i]).value
                let t = mapValue(threshold.logits[i]).value
                let binary = BinarizationProblem.sigmoid(k * (p - t)).p
                let valid = isValid(i)
                b.append(valid ? binary : 0)
                g.append(valid ? targets[i] : 0)
                bg.append(valid ? binary * targets[i] : 0)
            }
            product.addSample(bg)
            sum.addSample(b)
            truth.addSample(g)
        }

        let numerator = 2 * product.value
        let denominator = (sum.value + truth.value) + diceEpsilon
        var dice = 0.0
        var a = 0.0
        var c = 0.0
        if denominator > 0 {
            dice = 1 - numerator / denominator
            a = -(binaryWeight * 2) / denominator
            c = binaryWeight * ((numerator / denominator) / denominator)
        }
        let A = Float(a) * scale
        let C = Float(c) * scale

        var mapGradient = main.gradient
        var thresholdGradient = l1.gradient
        for i in mapGradient.indices {
            if let old {
                mapGradient[i] = old.map[i] + mapGradient[i]
                thresholdGradient[i] = old.threshold[i] + thresholdGradient[i]
            }
            let p = mapValue(map.logits[i])
            let t = mapValue(threshold.logits[i])
            let b = BinarizationProblem.sigmoid(k * (p.value - t.value))
            let h = (k * (b.p * b.q)) * C.addingProduct(A, targets[i])
            mapGradient[i] += isValid(i) ? h * p.slope : 0
            thresholdGradient[i] -= isValid(i) ? h * t.slope : 0
        }
        let value = (map.terms[0].weight * main.terms[0] + threshold.terms[0].weight * l1.terms[0])
        return Outcome(
            value: value + binaryWeight * dice, main: main.terms[0], l1: l1.terms[0], dice: dice,
            mapGradient: mapGradient, thresholdGradient: thresholdGradient)
    }

    private var targetValues: [Float] {
        guard case .dense(let values, _) = map.target else { preconditionFailure("targets are dense") }
        return values
    }

    private func isValid(_ i: Int) -> Bool { map.mask.map { $0[i] != 0 } ?? true }

    private func mapValue(_ x: Float) -> (value: Float, slope: Float) {
        if map.activation == .probabilities { return (x, 1) }
        let s = BinarizationProblem.sigmoid(x)
        return (s.p, s.p * s.q)
    }

    private static func sigmoid(_ x: Float) -> (p: Float, q: Float) {
        let e = Elementary.expNonPositive(-x.magnitude)
        let r = 1 / (1 + e)
        let er = e * r
        return x >= 0 ? (r, er) : (er, r)
    }
}
