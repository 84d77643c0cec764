import Foundation
import SegLossReference

extension Formulas {
    /// The Lovász extension of the Jaccard loss, by differences of the Jaccard losses of the sorted errors' prefixes.
    func lovasz(
        _ options: Lovasz, isHinge: Bool, _ factor: Double, _ gradient: inout [Double], _ wanted: Bool
    ) -> Result {
        struct Value {
            var at: Int
            var error: Double
            var isForeground: Bool
        }
        let isOfBatch = options.scope == .batch || options.scope == .batchPooled
        let isPooled = options.scope == .samplePooled || options.scope == .batchPooled
        let groups = isOfBatch ? [0..<samples] : (0..<samples).map { $0..<$0 + 1 }
        let taken = (0..<classes).filter { options.classes?[$0] ?? true }
        let w = classFactors(options.classWeights)
        var s = makeSoftmax()
        var term = Sum()
        // By the probability, or of a hinge by the logit.
        var slopes = [Double](repeating: 0, count: wanted ? logits.count : 0)
        for group in groups {
            var problems = [[Value]](repeating: [], count: isPooled ? 1 : classes)
            for n in group {
                for c in taken {
                    for i in 0..<voxels where isValid(n, c, i) {
                        let isForeground = g(n, c, i) == 1
                        var error = 0.0
                        if isHinge {
                            error = max(0, isForeground ? 1 - x(n, c, i) : 1 + x(n, c, i))
                        } else if activation == .softmax {
                            softmax(n, i, &s)
                            error = isForeground ? s.q[c] : s.p[c]
                        } else {
                            let b = binary(x(n, c, i))
                            error = isForeground ? b.q : b.p
                        }
                        problems[isPooled ? 0 : c].append(
                            Value(at: index(n, c, i), error: error, isForeground: isForeground))
                    }
                }
            }
            let counted = problems.indices.filter { c in
                (isPooled || taken.contains(c)) && (!options.presentOnly || problems[c].contains(where: \.isForeground))
            }
            for c in counted {
                let share = (isPooled ? 1 : w[c]) / Double(counted.count) / Double(groups.count)
                let all = Double(problems[c].count(where: \.isForeground))
                var right = all
                var union = all
                var before = 0.0
                // The sort is stable: equal errors stay in the order of their indices.
                for value in problems[c].sorted(by: { $0.error > $1.error }) {
                    if value.isForeground { right -= 1 } else { union += 1 }
                    let jaccard = 1 - right / union
                    term.add(share * value.error * (jaccard - before))
                    if wanted && value.error > 0 {
                        slopes[value.at] = factor * share * (value.isForeground ? before - jaccard : jaccard - before)
                    }
                    before = jaccard
                }
            }
        }
        guard wanted else { return (term.value, 0x1p-48) }
        for n in 0..<samples {
            for i in 0..<voxels {
                if activation == .softmax {
                    softmax(n, i, &s)
                    let top = slopes[index(n, s.top, i)]
                    var mean = 0.0
                    for c in 0..<classes where c != s.top { mean += s.p[c] * (slopes[index(n, c, i)] - top) }
                    for c in 0..<classes {
                        gradient[index(n, c, i)] += s.p[c] * ((slopes[index(n, c, i)] - top) - mean)
                    }
                } else {
                    for c in 0..<classes {
                        let b = binary(x(n, c, i))
                        let through = activation == .sigmoid && !isHinge ? b.p * b.q : 1
                        gradient[index(n, c, i)] += slopes[index(n, c, i)] * through
                    }
                }
            }
        }
        return (term.value, 0x1p-48)
    }
}
