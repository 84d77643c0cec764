// The terms of channels that are sums over values (docs/arithmetic.md, 5). Their losses are without the voxel's weight
// v.

/// What a term makes of a value: its loss, the derivative of that by the logit or the probability, and a focal term's
/// modulating factor with its derivative.
struct ChannelPart {
    var loss: Float
    var t: Float
    var factor: Float = 0
    var turn: Float = 0
}

/// n0 and n1, and what their derivatives are made of (5.6).
private struct Logarithms {
    let n0, n1, k0, k1: Float

    init(_ value: ChannelValue, offset o: Float) {
        guard o > 0 else {
            (n0, n1, k0, k1) = (value.n0, value.n1, value.q, value.p)
            return
        }
        (n0, k0) = Logarithms.shifted(value.p, 0, o)
        (n1, k1) = Logarithms.shifted(value.q, value.x - (1 - value.q), o)
    }

    private static func shifted(_ y: Float, _ lost: Float, _ o: Float) -> (n: Float, k: Float) {
        let s = y + o
        let a = s - y
        let rest = (y - (s - a)) + (o - a)
        let k = 1 / s
        return (ChannelValue.negativeLog(s) - (rest - lost) * k, k)
    }
}

/// Binary cross entropy (5.1, 5.6).
struct BinaryCrossEntropy {
    /// f of each channel.
    let positiveWeights: [Float]

    /// s and 1 - s of the label smoothing.
    let flipped, kept: Float
    let options: Term.BinaryOptions

    init(channels: Int, positiveWeights: [Float]?, labelSmoothing: Double, options: Term.BinaryOptions) {
        flipped = Float(labelSmoothing)
        kept = Float(1 - labelSmoothing)
        self.positiveWeights = positiveWeights ?? [Float](repeating: 1, count: channels)
        self.options = options
        precondition(self.positiveWeights.count == channels)
    }

    /// `v` enters only where the weight is one of positives.
    func part(_ value: ChannelValue, target g: Float, channel: Int, v: Float) -> ChannelPart {
        var (h, b) = smoothed(g)
        var A = positiveWeights[channel] * h
        if options.positivesOnly { b = 0 }
        if options.weighsPositives { A = A * v }
        let l = Logarithms(value, offset: Float(options.logOffset))
        return ChannelPart(loss: fma(A, l.n0, b * l.n1), t: fma(-A, l.k0, b * l.k1))
    }

    /// The target that the smoothing leaves, and its complement.
    private func smoothed(_ g: Float) -> (h: Float, b: Float) {
        let b = 1 - g
        guard flipped > 0 else { return (g, b) }
        return (fma(kept, g, flipped * b), fma(kept, b, flipped * g))
    }
}

/// Focal loss (5.2, 5.6).
struct Focal {
    let gamma: Float
    /// A and B of each channel.
    let alphas, betas: [Float]
    let options: Term.FocalOptions
    let threshold, offset: Float

    init(gamma: Double, alpha: Double?, channels: Int = 1, options: Term.FocalOptions = .init()) {
        self.gamma = Float(gamma)
        self.options = options
        threshold = Float(options.reducedThreshold)
        offset = Float(options.logOffset)
        var alphas: [Float] = []
        var betas: [Float] = []
        for c in 0..<channels {
            let a = options.classAlphas.map { Double($0[c]) } ?? alpha
            alphas.append(Float((a ?? 1) * Double(options.positiveWeights?[c] ?? 1)))
            betas.append(options.alphaOfPositives ? 1 : Float(a.map { 1 - $0 } ?? 1))
        }
        (self.alphas, self.betas) = (alphas, betas)
    }

    func part(_ value: ChannelValue, target g: Float, channel: Int) -> ChannelPart {
        let (p, q) = (value.p, value.q)
        let b = 1 - g
        let l = Logarithms(value, offset: offset)
        let rest = options.positivesOnly ? 0 : b
        let w = options.positivesOnly ? alphas[channel] : fma(alphas[channel], g, betas[channel] * b)
        let n = fma(g, l.n0, rest * l.n1)
        let j = fma(-g, l.k0, rest * l.k1)
        let spread = offset > 0 ? 1 : p * q

        // u, the probability of the target, and the derivative of u.
        let u, h, i: Float
        if options.positivesOnly {
            (u, h, i) = (q, p, -spread)
        } else if options.byLogit {
            let a = 1 - 2 * g
            let low = (1 - a) - 2 * g
            let z = a * value.x
            let turned = ChannelValue(logit: z)
            let lost = fma(low, value.x, fma(a, value.x, -z))
            let m = turned.p * turned.q
            let more = m * lost
            (u, h, i) = (turned.p + more, turned.q - more, a * m)
        } else {
            (u, h, i) = (fma(g, q, b * p), fma(g, p, b * q), (b - g) * spread)
        }

        let (f, d) = threshold > 0 ? reduced(u, h) : power(u)
        let turn = gamma == 0 ? 0 : d * i
        let t = gamma == 0 ? w * j : w * fma(turn, n, f * j)
        return ChannelPart(loss: w * (f * n), t: t, factor: f, turn: turn)
    }

    /// The factor of a reduced focal loss and its derivative by u.
    private func reduced(_ u: Float, _ h: Float) -> (f: Float, d: Float) {
        if h < threshold {
            return (1, 0)
        }
        let x = u / threshold
        if gamma == 0 || gamma == 1 || gamma == 2 || gamma == 3 {
            let (f, d) = power(x)
            return (f, d / threshold)
        }
        if x < 0x1p-126 {
            return (0, 0)
        }
        let f = SegLossReference.power(x, gamma)
        return (f, (gamma * (f / x)) / threshold)
    }

    /// u to the power of gamma, and the derivative of that by u.
    private func power(_ u: Float) -> (f: Float, d: Float) {
        if gamma == 0 {
            return (1, 0)
        }
        if gamma == 1 {
            return (u, 1)
        }
        if gamma == 2 {
            return (u * u, 2 * u)
        }
        if gamma == 3 {
            return ((u * u) * u, 3 * (u * u))
        }
        // Zero and the subnormals, where the loss and its derivative are below every quantum: log(u) and f / u are not.
        if u < 0x1p-126 {
            return (0, 0)
        }
        let f = Elementary.expNonPositive(gamma * Elementary.logPositive(u))
        return (f, gamma * (f / u))
    }
}

/// Focal loss star (5.7).
struct FocalStar {
    let gamma, shift, alpha, beta: Float

    init(gamma: Double, shift: Double, alpha: Double?) {
        self.gamma = Float(gamma)
        self.shift = Float(shift)
        self.alpha = Float(alpha ?? 1)
        beta = Float(alpha.map { 1 - $0 } ?? 1)
    }

    func part(_ value: ChannelValue, target g: Float) -> ChannelPart {
        let b = 1 - g
        let away = b - g
        let turned = ChannelValue(logit: fma(gamma * away, value.x, -shift))
        let w = fma(alpha, g, beta * b)
        return ChannelPart(loss: w * (turned.n1 / gamma), t: w * (away * turned.p))
    }
}

/// The totals of a pointwise term (6.3) and what they come to (7.1).
struct PointwiseTotals {
    /// Of each channel; of a softmax, one.
    var losses: [ExactTotal]
    var weights: [ExactTotal]
    /// Of each class of a softmax, where they are asked for (6.6).
    var parts: [ExactTotal]
    /// Valid values of all channels; of a softmax, valid voxels.
    var valid = 0
    /// Values, invalid ones too.
    let all: Int

    /// Whether losses, and weights, keep what rounding leaves of them.
    init(channels: Int, parts: Int = 0, all: Int, lossRests: Bool, weightRests: Bool = false) {
        let loss = lossRests ? ExactTotal.ofLossesWithRest : .ofLosses
        losses = [ExactTotal](repeating: loss, count: channels)
        self.parts = [ExactTotal](repeating: loss, count: parts)
        weights = [ExactTotal](repeating: weightRests ? .ofLossesWithRest : .ofLosses, count: channels)
        self.all = all
    }

    /// `classWeights` are factors of the channels, which wait until here.
    func finish(
        weight factor: Double, divisor: Term.Divisor, scale: Double = 1, classWeights: [Float]? = nil,
        mapScale: Double = 1, isLogarithm: Bool = false
    ) -> (term: Double, perChannel: [Double], coefficients: [Float], factorCoefficients: [Float]) {
        let D: Double
        var moves = false
        switch divisor {
        case .weight, .target: D = sum(weights, classWeights)
        case .factors(let least):
            let factors = sum(weights, classWeights)
            moves = factors > least
            D = moves ? factors : least
        case .valid: D = Double(valid) / scale
        case .all: D = Double(all) / scale
        case .constant(let constant): D = constant / scale
        }
        guard D > 0 else {
            let none = [Float](repeating: 0, count: losses.count)
            return (0, [Double](repeating: 0, count: max(losses.count, parts.count)), none, none)
        }
        var perChannel: [Double] = []
        var coefficients: [Float] = []
        var factorCoefficients: [Float] = []
        var term = mapScale * sum(losses, classWeights) / D
        var bend = 1.0
        if isLogarithm {
            bend = 1 + term
            term = term < 0.25 ? Real.logOfRatio(term / (2 + term)) : Real.log(1 + term)
        }
        for (c, loss) in losses.enumerated() {
            let w = Double(classWeights?[c] ?? 1)
            perChannel.append(mapScale * (w * loss.value) / D)
            coefficients.append(Float(mapScale * (factor * w / D) / bend))
            factorCoefficients.append(moves ? Float(-(factor * w * term / D)) : 0)
        }
        if !parts.isEmpty {
            perChannel = parts.map { mapScale * $0.value / D }
        }
        return (term, perChannel, coefficients, factorCoefficients)
    }

    /// Exact where the channels have no factors.
    private func sum(_ totals: [ExactTotal], _ classWeights: [Float]?) -> Double {
        if let classWeights {
            var sum = 0.0
            for (c, total) in totals.enumerated() {
                sum += Double(classWeights[c]) * total.value
            }
            return sum
        }
        var sum = totals[0]
        for total in totals.dropFirst() {
            sum.add(total)
        }
        return sum.value
    }
}
