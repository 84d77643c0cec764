/// The softmax of one voxel (docs/arithmetic.md, 4). One object serves all voxels in turn.
struct SoftmaxVoxel {
    /// The logits relative to the largest.
    var x: [Float]
    /// exp(x); 1 for the largest.
    var e: [Float]
    /// The probabilities.
    var p: [Float]
    /// 1 / (sum of e).
    var r: Float = 0
    /// The sum of e without the largest's 1.
    var rest: Float = 0
    /// log(sum of e): the log of the sum of the exponentials, relative to the largest logit.
    var lse: Float = 0

    init(classes: Int) {
        x = [Float](repeating: 0, count: classes)
        e = x
        p = x
    }

    /// Takes the logits at `first`, `first + stride`, ...
    mutating func set(_ logits: [Float], first: Int, stride: Int) {
        let classes = x.count
        var m = logits[first]
        var c = 1
        while c < classes {
            m = larger(logits[first + c * stride], m)
            c += 1
        }

        var s: Float = 0
        var t: Float = 0
        c = 0
        while c < classes {
            let xc = logits[first + c * stride] - m
            let ec = Elementary.expNonPositive(xc)
            x[c] = xc
            e[c] = ec
            s = s + ec
            t = t + (ec < 1 ? ec : 0)
            c += 1
        }

        r = 1 / s
        rest = s < 2 ? t : s - 1
        lse = fma(rest - (s - 1), r, Elementary.logPositive(s))
        c = 0
        while c < classes {
            p[c] = e[c] * r
            c += 1
        }
    }

    /// 1 - p of class c.
    func miss(_ c: Int) -> Float { e[c] < 1 ? 1 - p[c] : rest * r }

    /// The derivative of -log p_y by the logit of c.
    func derivative(_ c: Int, label y: Int) -> Float {
        if c != y {
            return p[c]
        }
        // A confident voxel's e is 1 and its p close to 1: p - 1 would cancel.
        return e[y] < 1 ? p[y] - 1 : -rest * r
    }
}
