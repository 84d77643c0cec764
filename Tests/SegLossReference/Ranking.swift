/// A term that takes the values of the largest losses (docs/arithmetic.md, 8.6), or errors (8.7).
struct Ranking {
    enum Rule {
        case topK(percent: Double, ignoredCount: Bool)
        case hardExamples(threshold: Double, minimumKept: Int, divisor: Term.Divisor)
        /// Of balanced L1.
        case errors(negativeRatio: Double, minimumNegatives: Int)
    }

    let rule: Rule
    let scope: Term.Scope
    /// The losses before they are ranked, of a softmax's voxels; its class weights are those of channels too.
    let crossEntropy: SoftmaxTerm
    /// Those of what is taken: the same, or with class weights that the ranking leaves out.
    let taken: SoftmaxTerm
    /// A channel's losses, without class weights.
    let binary: BinaryCrossEntropy

    /// What the term came to.
    struct Finished {
        var term = 0.0
        /// Of each sample, of what is surely taken.
        var coefficients: [Float]
        /// Of each sample, of what is taken for its rank.
        var rankedCoefficients: [Float]
        /// Whether the value at an index of the losses is taken.
        var isTaken: [Bool]
    }

    init?(_ kind: Term.Kind, index: Int, classes: Int) {
        var weights: [Float]?
        var isRankedUnweighted = false
        var smoothing = 0.0
        switch kind {
        case .topK(let percent, let classWeights, let labelSmoothing, let ignoredCount, let scope):
            rule = .topK(percent: percent, ignoredCount: ignoredCount)
            self.scope = scope
            weights = classWeights
            smoothing = labelSmoothing
        case .onlineHardExampleMining(let threshold, let minimumKept, let classWeights, let divisor, let scope):
            rule = .hardExamples(threshold: threshold, minimumKept: minimumKept, divisor: divisor)
            self.scope = scope
            weights = classWeights
            isRankedUnweighted = threshold > 0
        case .balancedL1(let negativeRatio, let minimumNegatives, let scope):
            rule = .errors(negativeRatio: negativeRatio, minimumNegatives: minimumNegatives)
            self.scope = scope
        default: return nil
        }
        func losses(_ weights: [Float]?) -> SoftmaxTerm {
            SoftmaxTerm(
                .crossEntropy(classWeights: weights, labelSmoothing: smoothing, divisor: .weight), index: index,
                classes: classes)!
        }
        taken = losses(weights)
        crossEntropy = isRankedUnweighted ? losses(nil) : taken
        binary = BinaryCrossEntropy(channels: classes, positiveWeights: nil, labelSmoothing: 0, options: .init())
    }

    /// T (8.6.2).
    var surely: Float {
        guard case .hardExamples(let threshold, _, _) = rule, threshold > 0 else { return .infinity }
        return Float(-Real.log(max(threshold, Real.smallest)))
    }

    /// Whether what is ranked are errors of the probability, whose derivatives are by that.
    var isOfErrors: Bool {
        if case .errors = rule { true } else { false }
    }

    /// Whether a value is taken whatever its rank.
    func isSure(loss: Float, map: Float) -> Bool {
        isOfErrors ? map > 0 : loss > surely
    }

    /// A value's loss as it is ranked, and as it is added up where it is taken.
    struct Loss {
        let ranked: Float
        let taken: Float
    }

    /// The loss of a voxel of a softmax.
    func loss(_ softmax: SoftmaxVoxel, label: Int, dense: [Float]?, weight v: Float) -> Loss {
        Loss(
            ranked: crossEntropy.loss(softmax, label: label, dense: dense) * v,
            taken: taken.loss(softmax, label: label, dense: dense) * v)
    }

    /// The loss of a channel's value.
    func loss(_ value: ChannelValue, target g: Float, channel c: Int, weight v: Float) -> Loss {
        if isOfErrors {
            let error = ProbabilityError(formula: .absolute).loss(value, target: g, map: 0)
            return Loss(ranked: error, taken: error)
        }
        let loss = binary.part(value, target: g, channel: c, v: 1).loss
        return Loss(ranked: (crossEntropy.w[c] * loss) * v, taken: (taken.w[c] * loss) * v)
    }

    /// Its derivative by the logit, without the voxel weight; of an error by the probability.
    func derivative(_ value: ChannelValue, target g: Float, channel c: Int) -> Float {
        if isOfErrors {
            return ProbabilityError(formula: .absolute).derivative(value, target: g, map: 0)
        }
        return taken.w[c] * binary.part(value, target: g, channel: c, v: 1).t
    }

    /// The term over all losses, in memory order, sample after sample; `nil` where a value is invalid.
    func finish(weight: Double, losses: [Loss?], maps: [Float]?, samples: Int) -> Finished {
        let groups = scope == .batch ? 1 : samples
        let size = losses.count / groups
        var result = Finished(
            coefficients: [Float](repeating: 0, count: samples),
            rankedCoefficients: [Float](repeating: 0, count: samples),
            isTaken: [Bool](repeating: false, count: losses.count))
        var sumOfGroups = 0.0
        for group in 0..<groups {
            var sum = ExactTotal.ofLosses
            var rankedSum = ExactTotal.ofLosses
            var sure = 0
            // The key above, the complement of the index below: sorted from the greatest, equal keys come in the order
            // of their indices.
            var others: [UInt64] = []
            for index in group * size..<(group + 1) * size {
                guard let loss = losses[index] else { continue }
                if isSure(loss: loss.ranked, map: maps?[index] ?? 0) {
                    sure += 1
                    result.isTaken[index] = true
                    sum.add(loss.taken)
                } else {
                    others.append(UInt64(Selection.key(loss.ranked)) << 32 | UInt64(~UInt32(index)))
                }
            }

            let (k, D) = counts(sure: sure, others: others.count, all: size)
            others.sort(by: >)
            for rank in 0..<k {
                let index = Int(~UInt32(truncatingIfNeeded: others[rank]))
                result.isTaken[index] = true
                if isOfErrors { rankedSum.add(losses[index]!.taken) } else { sum.add(losses[index]!.taken) }
            }
            guard sure + k > 0 else { continue }
            if isOfErrors {
                sumOfGroups += (sure > 0 ? sum.value / Double(sure) : 0) + (k > 0 ? rankedSum.value / Double(k) : 0)
            } else {
                sumOfGroups += sum.value / D
            }
            let share = weight / Double(groups)
            for sample in 0..<samples where groups == 1 || sample == group {
                result.coefficients[sample] = Float(isOfErrors ? (sure > 0 ? share / Double(sure) : 0) : share / D)
                result.rankedCoefficients[sample] = isOfErrors && k > 0 ? Float(share / Double(k)) : 0
            }
        }
        result.term = sumOfGroups / Double(groups)
        return result
    }

    /// How many of the others are taken, and what the sum is divided by (8.6.3).
    private func counts(sure: Int, others: Int, all: Int) -> (k: Int, D: Double) {
        switch rule {
        case .topK(let percent, let ignoredCount):
            let N = ignoredCount ? all : others
            let K = max(1, Int((Double(N) * percent / 100).rounded(.down)))
            return (min(K, others), Double(K) / taken.scale)
        case .hardExamples(_, let minimumKept, let divisor):
            let k = max(0, min(minimumKept - sure, others))
            switch divisor {
            case .weight: return (k, Double(sure + k) / taken.scale)
            case .valid: return (k, Double(sure + others) / taken.scale)
            case .all: return (k, Double(all) / taken.scale)
            case .constant(let constant): return (k, constant / taken.scale)
            case .target, .factors: preconditionFailure("a hard example has neither")
            }
        case .errors(let ratio, let minimum):
            // It has two divisors, sure and k.
            return (Selection.count(ratio: ratio, least: minimum, positives: sure, negatives: others), 1)
        }
    }
}
