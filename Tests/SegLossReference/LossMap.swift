/// Unreduced losses (docs/arithmetic.md, 6.5).
extension Reference {
    /// [samples][voxels] of a softmax, else [samples][classes][voxels]; `term` nil: all pointwise terms.
    public static func lossMap(_ problem: Problem, term: Int? = nil) -> [Float] {
        problem.activation == .softmax ? softmaxMap(problem, term) : channelMap(problem, term)
    }

    /// The losses of one term, or joined to those of the terms before it.
    private static func join(
        _ problem: Problem, _ only: Int?, _ index: Int, own: Double, loss: Float, to losses: inout Float
    ) {
        if only == nil {
            losses = fma(Float(problem.terms[index].weight * own), loss, losses)
        } else if only == index {
            losses = Float(own) * loss
        }
    }

    private static func softmaxMap(_ problem: Problem, _ only: Int?) -> [Float] {
        let voxels = Voxels(problem)
        let terms = Terms(problem)
        var softmax = SoftmaxVoxel(classes: problem.classes)
        var map = [Float](repeating: 0, count: problem.samples * problem.voxels)
        for n in 0..<problem.samples {
            for i in 0..<problem.voxels where voxels.isValid(n, 0, i) {
                softmax.set(problem.logits, first: voxels.index(n, 0, i), stride: problem.voxels)
                let g = (0..<problem.classes).map { voxels.target(n, $0, i) }
                let y = voxels.isDense ? 0 : voxels.label(n, i)
                for term in terms.softmaxTerms {
                    let loss = term.loss(softmax, label: y, targets: g, isDense: voxels.isDense) { c in
                        (problem.logits[voxels.index(n, c, i)], term.map(voxels, voxels.index(n, c, i)))
                    }
                    join(
                        problem, only, term.index, own: (term.distances?.scale ?? 1) * term.scale, loss: loss * voxels.weight(n, i),
                        to: &map[n * problem.voxels + i])
                }
            }
        }
        return map
    }

    private static func channelMap(_ problem: Problem, _ only: Int?) -> [Float] {
        let voxels = Voxels(problem)
        let terms = Terms(problem)
        var map = [Float](repeating: 0, count: problem.logits.count)
        for n in 0..<problem.samples {
            for c in 0..<problem.classes {
                for i in 0..<problem.voxels where voxels.isValid(n, c, i) {
                    let at = voxels.index(n, c, i)
                    let value = ChannelValue(problem.logits[at], problem.activation)
                    for term in terms.channelPointwise {
                        let v = voxels.weight(n, i)
                        let loss = term.part(
                            value, target: voxels.target(n, c, i), channel: c, map: term.map(voxels, at), v: v
                        ).loss
                        join(
                            problem, only, term.index, own: (term.distances?.scale ?? 1) * Double(term.classWeights?[c] ?? 1),
                            loss: term.weighsPositives ? loss : loss * v, to: &map[at])
                    }
                }
            }
        }
        return map
    }
}
