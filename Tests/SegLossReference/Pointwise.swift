// The terms of channels that are sums over values (docs/arithmetic.md, 5). Their losses are without the voxel's weight v.

/// Binary cross entropy (5.1).
struct BinaryCrossEntropy {
    /// f of each channel.
    let positiveWeights: [Float]

    /// s and 1 - s of the label smoothing.
    let flipped, kept: Float

    init(channels: Int, positiveWeights: [Float]?, labelSmoothing: Double) {
        flipped = Float(labelSmoothing)
        kept = Float(1 - labelSmoothing)
        self.positiveWeights = positiveWeights ?? [Float](repeating: 1, count: channels)
        precondition(self.positiveWeights.count == channels)
    }

    func loss(_ value: ChannelValue, target g: Float, channel: Int) -> Float {
        let (h, b) = smoothed(g)
        let A = positiveWeights[channel] * h
        return fma(A, value.n0, b * value.n1)
    }

    /// t, the derivative of the loss by the logit.
    func derivative(_ value: ChannelValue, target g: Float, channel: Int) -> Float {
        let (h, b) = smoothed(g)
        let A = positiveWeights[channel] * h
        return fma(-A, value.q, b * value.p)
    }

    /// The target that the smoothing leaves, and its complement.
    private func smoothed(_ g: Float) -> (h: Float, b: Float) {
        let b = 1 - g
        guard flipped > 0 else { return (g, b) }
        return (fma(kept, g, flipped * b), fma(kept, b, flipped * g))
    }
}

/// Focal loss (5.2).
struct Focal {
    let gamma: Float
    let alpha: Float
    let beta: Float

    init(gamma: Double, alpha: Double?) {
        self.gamma = Float(gamma)
        if let alpha {
            self.alpha = Float(alpha)
            self.beta = Float(1 - alpha)
        } else {
            self.alpha = 1
            self.beta = 1
        }
    }

    func loss(_ value: ChannelValue, target g: Float) -> Float {
        let b = 1 - g
        let w = fma(alpha, g, beta * b)
        let u = fma(g, value.q, b * value.p)
        let n = fma(g, value.n0, b * value.n1)
        let (f, _) = power(u)
        return w * (f * n)
    }

    /// t, the derivative of the loss by the logit.
    func derivative(_ value: ChannelValue, target g: Float) -> Float {
        let b = 1 - g
        let w = fma(alpha, g, beta * b)
        let u = fma(g, value.q, b * value.p)
        let n = fma(g, value.n0, b * value.n1)
        let j = fma(-g, value.q, b * value.p)
        let i = (b - g) * (value.p * value.q)
        if gamma == 0 {
            return w * j
        }
        let (f, d) = power(u)
        return w * fma(d * i, n, f * j)
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

/// The totals of a pointwise term (6.3) and what they come to (7.1).
struct PointwiseTotals {
    /// Of each channel; of a softmax, one.
    var losses: [ExactTotal]
    var weights: [ExactTotal]
    /// Of each class of a softmax, where they are asked for (6.6).
    var parts: [ExactTotal] = []
    /// Valid values of all channels; of a softmax, valid voxels.
    var valid = 0
    /// Values, invalid ones too.
    let all: Int

    init(channels: Int, all: Int) {
        losses = [ExactTotal](repeating: .ofLosses, count: channels)
        weights = losses
        self.all = all
    }

    /// `classWeights` are factors of the channels, which wait until here.
    func finish(
        weight factor: Double, divisor: Term.Divisor, scale: Double = 1, classWeights: [Float]? = nil
    ) -> (term: Double, perChannel: [Double], coefficients: [Float]) {
        let D: Double
        switch divisor {
        case .weight: D = sum(weights, classWeights)
        case .valid: D = Double(valid) / scale
        case .all: D = Double(all) / scale
        case .constant(let constant): D = constant / scale
        }
        guard D > 0 else {
            return (
                0, [Double](repeating: 0, count: max(losses.count, parts.count)),
                [Float](repeating: 0, count: losses.count)
            )
        }
        var perChannel: [Double] = []
        var coefficients: [Float] = []
        for (c, loss) in losses.enumerated() {
            let w = Double(classWeights?[c] ?? 1)
            perChannel.append(w * loss.value / D)
            coefficients.append(Float(factor * w / D))
        }
        if !parts.isEmpty {
            perChannel = parts.map { $0.value / D }
        }
        return (sum(losses, classWeights) / D, perChannel, coefficients)
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
        var sum = ExactTotal.ofLosses
        for total in totals {
            sum.add(total)
        }
        return sum.value
    }
}
