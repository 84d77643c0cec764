// The terms of a softmax that are sums over voxels (docs/arithmetic.md, 4.1 to 4.5).

/// u to the power of a (4.1); u is positive and normal.
func power(_ u: Float, _ a: Float) -> Float {
    let (exponent, fraction) = Elementary.logParts(u)
    let ln2: Float = 0x1.62e43p-1
    let L = fma(exponent, ln2, fraction)
    var l = fma(exponent, ln2, -L) + fraction
    l = fma(exponent, -0x1.05c61p-29, l)
    let x = a * L
    let d = fma(a, l, fma(a, L, -x))
    let E = Elementary.expNonPositive(-x.magnitude)
    let P = x <= 0 ? E : 1 / E
    return fma(P, d, P)
}

/// A cross entropy or a focal loss of a softmax's classes, or a loss of each logit's sigmoid.
struct SoftmaxTerm {
    enum Curve {
        case likelihood
        case exponent(Float)
        case focal(Focal)
        case classFocal([Float])
        case binaryChannels(BinaryCrossEntropy)
        case focalChannels(Focal)
        case error(ProbabilityError)
    }

    let index: Int
    let divisor: Term.Divisor
    let curve: Curve
    /// 2^e, the power of two that the largest class weight lies at or just above.
    let scale: Double
    /// The class weights divided by `scale`; all 1 where there are none.
    let w: [Float]
    let a: [Float]
    let E: Float
    let W: Float
    /// Of a term that measures distances.
    var distances: DistanceMaps?
    var isLogarithm = false

    init?(_ kind: Term.Kind, index: Int, classes: Int) {
        self.index = index
        var given: [Float]?
        var factor: (Int) -> Double = { _ in 1 }
        var smoothing = 0.0
        switch kind {
        case .crossEntropy(let classWeights, let labelSmoothing, let divisor, let exponent):
            given = classWeights
            smoothing = labelSmoothing
            factor = { _ in 1 - labelSmoothing }
            self.divisor = divisor
            curve = Float(exponent) == 0 || Float(exponent) == 1 ? .likelihood : .exponent(Float(exponent))
        case .focal(let gamma, let alpha, let classWeights, let divisor, let classGammas, let perChannel, let options):
            given = classWeights
            self.divisor = divisor
            if perChannel {
                curve = .focalChannels(Focal(gamma: gamma, alpha: alpha, channels: classes, options: options))
            } else {
                if let alpha { factor = { $0 == 0 ? 1 - alpha : alpha } }
                if let gammas = classGammas {
                    curve = .classFocal(gammas)
                } else {
                    curve = .focal(Focal(gamma: gamma, alpha: nil))
                }
            }
        case .binaryCrossEntropy(let positiveWeights, let classWeights, let smoothing, let divisor, let perChannel, let options):
            precondition(perChannel)
            given = classWeights
            self.divisor = divisor
            curve = .binaryChannels(
                BinaryCrossEntropy(
                    channels: classes, positiveWeights: positiveWeights, labelSmoothing: smoothing, options: options))
        case .absoluteError(let weights, let divisor):
            (given, self.divisor, curve) = (weights, divisor, .error(ProbabilityError(formula: .absolute)))
        case .smoothL1(let beta, let weights, let divisor):
            (given, self.divisor, curve) = (weights, divisor, .error(ProbabilityError(formula: .smooth(Float(beta)))))
        case .squaredError(let weights, let divisor):
            (given, self.divisor, curve) = (weights, divisor, .error(ProbabilityError(formula: .squared)))
        case .linear(let weights, let divisor):
            (given, self.divisor, curve) = (weights, divisor, .error(ProbabilityError(formula: .linear)))
        case .boundary(let options):
            given = options.weights(classes)
            (divisor, curve) = (options.divisor, .error(ProbabilityError(formula: .boundary)))
        case .hausdorff(let options):
            given = options.weights(classes)
            (divisor, curve) = (options.divisor, .error(ProbabilityError(formula: .hausdorff)))
            isLogarithm = options.logarithm
        case .region, .balancedBinaryCrossEntropy, .topK, .onlineHardExampleMining, .balancedL1, .lovaszSoftmax,
            .lovaszHinge, .focalStar:
            return nil
        }

        let weights = given ?? [Float](repeating: 1, count: classes)
        precondition(weights.count == classes)
        let scale = Double(weights.max()!.binade)
        self.scale = scale
        var scaled: [Float] = []
        var factors: [Float] = []
        var sum = 0.0
        for (c, weight) in weights.enumerated() {
            scaled.append(Float(Double(weight) / scale))
            factors.append(Float(factor(c) * Double(scaled[c])))
            sum += Double(scaled[c])
        }
        w = scaled
        a = factors
        E = Float(smoothing / Double(classes))
        W = Float(sum)
    }

    /// The map's value, of the problem's maps or its own.
    func map(_ voxels: Voxels, _ index: Int) -> Float {
        distances?.values[index] ?? voxels.map(index)
    }

    /// Whether it is a sum over the classes, each a value of its own.
    var isPerChannel: Bool {
        switch curve {
        case .binaryChannels, .focalChannels, .error: true
        default: false
        }
    }

    /// The error of the probability that it is (4.7).
    var error: ProbabilityError? {
        if case .error(let error) = curve { error } else { nil }
    }

    /// Whether it is a loss of each logit's sigmoid (4.5).
    var isOfSigmoids: Bool { isPerChannel && error == nil }

    /// The loss at a voxel, whatever the term is, without v. `y` is the label where targets are not dense, and `at`
    /// gives a class's logit and map.
    func loss(
        _ voxel: SoftmaxVoxel, label y: Int, targets g: [Float], isDense: Bool,
        _ at: (Int) -> (logit: Float, map: Float)
    ) -> Float {
        guard isPerChannel else { return loss(voxel, label: y, dense: isDense ? g : nil) }
        var L: Float = 0
        for c in 0..<w.count {
            let (logit, map) = at(c)
            L = fma(w[c], loss(voxel, class: c, target: g[c], logit: logit, map: map), L)
        }
        return L
    }

    /// The loss of one class alone, of a term per channel or an error, without its class weight.
    func loss(_ voxel: SoftmaxVoxel, class c: Int, target g: Float, logit: Float, map: Float) -> Float {
        error?.loss(p: voxel.p[c], q: voxel.miss(c), target: g, map: map) ?? channel(logit, target: g, c).loss
    }

    /// Whether its weight at a voxel is that of all channels, whatever the target (4.5).
    var weighsValues: Bool { isPerChannel && divisor != .target }

    /// f and s at class c (4.2).
    private func at(n: Float, u: Float, p: Float, _ c: Int) -> (f: Float, s: Float) {
        func general(_ gamma: Float) -> (f: Float, s: Float) {
            let m = larger(u, 0x1p-126)
            let F = power(m, gamma)
            let D = gamma * (F / m)
            return (F * n, fma(D * p, n, F))
        }
        switch curve {
        case .likelihood: return (n, 1)
        case .exponent(let x):
            let m = larger(n, 0x1p-126)
            let f = power(m, x)
            return (f, x * (f / m))
        case .focal(let focal):
            if focal.gamma == 0 { return (n, 1) }
            if focal.gamma == 1 { return (u * n, fma(1 * p, n, u)) }
            if focal.gamma == 2 { return ((u * u) * n, fma((2 * u) * p, n, u * u)) }
            if focal.gamma == 3 { return (((u * u) * u) * n, fma((3 * (u * u)) * p, n, (u * u) * u)) }
            return general(focal.gamma)
        case .classFocal(let gammas): return general(gammas[c])
        case .binaryChannels, .focalChannels, .error: preconditionFailure()
        }
    }

    /// The loss at a voxel, without v. `g` is nil where the target is the label `y`.
    func loss(_ voxel: SoftmaxVoxel, label y: Int, dense g: [Float]?) -> Float {
        var loss: Float = 0
        if let g {
            for c in 0..<w.count where g[c] > 0 {
                let f = at(n: voxel.lse - voxel.x[c], u: voxel.miss(c), p: voxel.p[c], c).f
                loss = fma(a[c] * g[c], f, loss)
            }
        } else {
            loss = a[y] * at(n: voxel.lse - voxel.x[y], u: -voxel.derivative(y, label: y), p: voxel.p[y], y).f
        }
        // Without smoothing U adds nothing, but it may be infinite: logits of -3e38 are a way to rule classes out.
        if E == 0 { return loss }
        var X: Float = 0
        for c in 0..<w.count { X = fma(w[c], voxel.x[c], X) }
        return fma(E, fma(W, voxel.lse, -X), loss)
    }

    /// a s of the label: the term's part in S, without K v.
    func share(_ voxel: SoftmaxVoxel, label y: Int) -> Float {
        a[y] * at(n: voxel.lse - voxel.x[y], u: -voxel.derivative(y, label: y), p: voxel.p[y], y).s
    }

    /// The term's part in S_c, without K v; g is above 0.
    func share(_ voxel: SoftmaxVoxel, _ c: Int, dense g: Float) -> Float {
        (a[c] * g) * at(n: voxel.lse - voxel.x[c], u: voxel.miss(c), p: voxel.p[c], c).s
    }

    /// The weight of a voxel, without v.
    func weight(label y: Int, dense g: [Float]?) -> Float {
        if weighsValues { return W }
        guard let g else { return w[y] }
        var weight: Float = 0
        for c in 0..<w.count { weight = fma(w[c], g[c], weight) }
        return weight
    }

    /// 4.5: the loss of the logit's sigmoid and its derivative.
    func channel(_ logit: Float, target g: Float, _ c: Int) -> (loss: Float, t: Float) {
        let value = ChannelValue(logit: logit)
        switch curve {
        case .binaryChannels(let binary):
            let part = binary.part(value, target: g, channel: c, v: 1)
            return (part.loss, part.t)
        case .focalChannels(let focal):
            let part = focal.part(value, target: g, channel: c)
            return (part.loss, part.t)
        default: preconditionFailure()
        }
    }
}

/// The smoothing of all cross entropies together (4.3).
struct Smoothing {
    var M: Float = 0
    var M_c: [Float]
    var isThere = false

    init(_ terms: [SoftmaxTerm], coefficients K: [Float], classes: Int) {
        M_c = [Float](repeating: 0, count: classes)
        for (i, term) in terms.enumerated() where term.E != 0 {
            isThere = true
            M = fma(K[i], term.E * term.W, M)
            for c in 0..<classes { M_c[c] = fma(K[i], term.E * term.w[c], M_c[c]) }
        }
    }
}
