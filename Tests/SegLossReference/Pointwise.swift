// The terms that are sums over voxels (docs/arithmetic.md, 4 and 5). Their losses are without the voxel's weight v.

/// Softmax cross entropy.
struct CrossEntropy {
    /// 2^e, the power of two that the largest weight lies at or just above.
    let scale: Double
    /// w_c / 2^e
    let w: [Float]
    /// a_c = (1 - smoothing) * w_c
    let a: [Float]
    /// smoothing / C
    let E: Float
    /// The sum of w_c.
    let W: Float

    init(classes: Int, classWeights: [Float]?, labelSmoothing: Double) {
        let given = classWeights ?? [Float](repeating: 1, count: classes)
        precondition(given.count == classes)
        let scale = Double(given.max()!.binade)
        self.scale = scale
        w = given.map { Float(Double($0) / scale) }
        var scaled: [Float] = []
        var sum = 0.0
        for weight in w {
            scaled.append(Float((1 - labelSmoothing) * Double(weight)))
            sum += Double(weight)
        }
        a = scaled
        E = Float(labelSmoothing / Double(classes))
        W = Float(sum)
    }

    func loss(_ voxel: SoftmaxVoxel, label y: Int) -> Float {
        let nll = voxel.lse - voxel.x[y]
        // Without smoothing U adds nothing, but it may be infinite: logits of -3e38 are a way to rule classes out.
        if E == 0 {
            return a[y] * nll
        }
        var X: Float = 0
        var c = 0
        while c < w.count {
            X = fma(w[c], voxel.x[c], X)
            c += 1
        }
        let U = fma(W, voxel.lse, -X)
        return fma(E, U, a[y] * nll)
    }

    /// h_c, the derivative of the loss by the logit of c.
    func derivative(_ voxel: SoftmaxVoxel, _ c: Int, label y: Int) -> Float {
        fma(E, fma(W, voxel.p[c], -w[c]), a[y] * voxel.derivative(c, label: y))
    }
}

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
                0, [Double](repeating: 0, count: losses.count), [Float](repeating: 0, count: losses.count)
            )
        }
        var perChannel: [Double] = []
        var coefficients: [Float] = []
        for (c, loss) in losses.enumerated() {
            let w = Double(classWeights?[c] ?? 1)
            perChannel.append(w * loss.value / D)
            coefficients.append(Float(factor * w / D))
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
