/// What the losses need of one value of one channel (docs/arithmetic.md, 5).
struct ChannelValue {
    /// The logit or the probability.
    let x: Float
    /// The probability.
    let p: Float
    /// 1 - p.
    let q: Float
    /// -log p.
    let n0: Float
    /// -log (1 - p).
    let n1: Float

    /// From a logit.
    init(logit x: Float) {
        self.x = x
        let e = Elementary.expNonPositive(-x.magnitude)
        let r = 1 / (1 + e)
        let er = e * r
        p = x >= 0 ? r : er
        q = x >= 0 ? er : r
        let l = Elementary.log1pUnit(e)
        let a = larger(x, 0)
        n0 = (a - x) + l
        n1 = a + l
    }

    /// From a probability.
    init(probability x: Float) {
        self.x = x
        p = x
        q = 1 - x
        n0 = ChannelValue.negativeLog(p)
        // What 1 - x lost of a small x comes back to first order; the bracket is exact.
        n1 = ChannelValue.negativeLog(q) + (x - (1 - q))
    }

    init(_ x: Float, _ activation: Problem.Activation) {
        if activation == .probabilities {
            self.init(probability: x)
        } else {
            self.init(logit: x)
        }
    }

    /// nl(y): -log y, but at most 100.
    static func negativeLog(_ y: Float) -> Float {
        if !(y > 0) {
            return 100
        }
        let log: Float
        if y < 0x1p-126 {
            let twentyFourLogTwo: Float = 0x1.0a2b24p4
            log = twentyFourLogTwo - Elementary.logPositive(y * 0x1p24)
        } else {
            log = 0 - Elementary.logPositive(y)
        }
        return log < 100 ? log : 100
    }
}
