/// The losses as docs/arithmetic.md defines them, to the last bit, one voxel after the other.
///
/// Written from that page alone, to be read beside it and compared with the kernels. The input is taken to be valid.
public enum Reference {
    /// The loss of a problem and, where it is wanted, its gradient times `scale`; `classParts`: with what each class
    /// adds to the pointwise terms of a softmax.
    public static func evaluate(
        _ problem: Problem, scale: Float = 1, wantsGradient: Bool = true, classParts: Bool = false
    ) -> Outcome {
        if problem.activation == .softmax {
            return evaluateSoftmax(problem, scale: scale, wantsGradient: wantsGradient, classParts: classParts)
        }
        return evaluateChannels(problem, scale: scale, wantsGradient: wantsGradient)
    }

    // MARK: - Softmax

    private static func evaluateSoftmax(
        _ problem: Problem, scale: Float, wantsGradient: Bool, classParts: Bool
    ) -> Outcome {
        let voxels = Voxels(problem)
        let classes = problem.classes
        let terms = Terms(problem)
        let pointwise = terms.softmaxTerms
        var softmax = SoftmaxVoxel(classes: classes)
        var g = [Float](repeating: 0, count: classes)

        /// Sets `softmax` and `g` to a voxel; its label, or 0 for dense targets.
        func set(_ sample: Int, _ voxel: Int) -> Int {
            softmax.set(problem.logits, first: voxels.index(sample, 0, voxel), stride: problem.voxels)
            for c in 0..<classes { g[c] = voxels.target(sample, c, voxel) }
            return voxels.isDense ? 0 : voxels.label(sample, voxel)
        }

        // Totals.
        let all = problem.samples * problem.voxels
        var totals = pointwise.map {
            PointwiseTotals(
                channels: 1, parts: classParts ? classes : 0, all: $0.isPerChannel ? all * classes : all,
                lossRests: $0.error?.isHausdorff ?? false)
        }
        var sums = [RegionSums](repeating: RegionSums(weighted: terms.regions.isWeighted), count: problem.samples * classes)
        var countOfLabel = [Int](repeating: 0, count: classes)
        var rankedLosses = [Ranking.Loss?](repeating: nil, count: terms.ranked == nil ? 0 : all)
        var errors = [LovaszRanking.Error?](repeating: nil, count: terms.lovasz == nil ? 0 : problem.logits.count)
        for sample in 0..<problem.samples {
            // What each voxel adds to the sums; +0 where it is invalid.
            let zeros = [Float](repeating: 0, count: problem.voxels)
            var losses = [[Float]](repeating: zeros, count: pointwise.count)
            var weights = losses
            // Of each term and class (6.6).
            var parts = [[Float]](repeating: zeros, count: classParts ? pointwise.count * classes : 0)
            var p = [[Float]](repeating: zeros, count: classes)
            var targets = p
            var regionWeights = zeros
            for voxel in 0..<problem.voxels where voxels.isValid(sample, 0, voxel) {
                let y = set(sample, voxel)
                let v = voxels.weight(sample, voxel)
                countOfLabel[y] += 1
                for (i, term) in pointwise.enumerated() {
                    let loss = term.loss(softmax, label: y, targets: g, isDense: voxels.isDense) { c in
                        let index = voxels.index(sample, c, voxel)
                        return (problem.logits[index], term.map(voxels, index))
                    }
                    losses[i][voxel] = loss * v
                    if classParts && term.isPerChannel {
                        for c in 0..<classes {
                            let index = voxels.index(sample, c, voxel)
                            let own = term.loss(
                                softmax, class: c, target: g[c], logit: problem.logits[index],
                                map: term.map(voxels, index))
                            parts[i * classes + c][voxel] = (term.w[c] * own) * v
                        }
                    } else if classParts && !voxels.isDense {
                        parts[i * classes + y][voxel] = loss * v
                    }
                    weights[i][voxel] = term.weight(label: y, dense: voxels.isDense ? g : nil) * v
                }
                if let ranked = terms.ranked {
                    rankedLosses[sample * problem.voxels + voxel] = ranked.formula.loss(
                        softmax, label: y, dense: voxels.isDense ? g : nil, weight: v)
                }
                if terms.lovasz != nil {
                    for c in 0..<classes {
                        errors[voxels.index(sample, c, voxel)] = LovaszRanking.Error(
                            e: g[c] == 1 ? softmax.miss(c) : softmax.p[c], isForeground: g[c] == 1)
                    }
                }
                if terms.hasRegion {
                    for c in 0..<classes {
                        p[c][voxel] = softmax.p[c]
                        targets[c][voxel] = g[c]
                    }
                    regionWeights[voxel] = terms.regions.isWeighted ? v : 1
                }
            }
            for (i, term) in pointwise.enumerated() {
                totals[i].losses[0].addSample(losses[i])
                for c in totals[i].parts.indices {
                    totals[i].parts[c].addSample(parts[i * classes + c])
                }
                if voxels.hasWeights || (voxels.isDense && !term.weighsValues) {
                    totals[i].weights[0].addSample(weights[i])
                }
            }
            if terms.hasRegion {
                for c in 0..<classes {
                    sums[sample * classes + c].addSample(p: p[c], g: targets[c], v: regionWeights)
                }
            }
        }
        let valid = countOfLabel.reduce(0, +)
        for (i, term) in pointwise.enumerated() {
            totals[i].valid = term.isPerChannel ? valid * classes : valid
            if voxels.hasWeights || (voxels.isDense && !term.weighsValues) {
                continue
            }
            for c in 0..<classes {
                totals[i].weights[0].add(term.w[c], times: term.weighsValues ? valid : countOfLabel[c])
            }
        }

        // Finish.
        var finish = Finish(problem)
        var K: [Float] = []
        for (i, term) in pointwise.enumerated() {
            let coefficient = finish.pointwise(
                totals[i], at: term.index, divisor: term.divisor, weightScale: term.scale,
                mapScale: term.distances?.scale ?? 1, isLogarithm: term.isLogarithm
            ).coefficients
            K.append(coefficient[0] * scale)
        }
        finish.regions(terms.regions, sums: sums)
        let taken = finish.ranked(terms.ranked, losses: rankedLosses)
        let lovasz = finish.lovasz(terms.lovasz, errors: errors)
        var outcome = finish.outcome()
        guard wantsGradient else {
            return outcome
        }

        // Gradient.
        let regionCoefficients = finish.coefficients.map {
            $0.scaled(by: scale, for: terms.regions, hardTargets: voxels.hasHardTargets)
        }
        let isClasswise = pointwise.contains { !$0.isPerChannel } || taken != nil
        let hasErrors = pointwise.contains { $0.error != nil } || lovasz != nil
        let isByProbability = terms.hasRegion || hasErrors
        let smoothing = Smoothing(pointwise, coefficients: K, classes: classes)
        var gradient = [Float](repeating: 0, count: problem.logits.count)
        var q = [Float](repeating: 0, count: classes)
        var S = q
        for sample in 0..<problem.samples {
            for voxel in 0..<problem.voxels where voxels.isValid(sample, 0, voxel) {
                let y = set(sample, voxel)
                let v = voxels.weight(sample, voxel)
                var top: Float = 0
                var dot: Float = 0
                if isByProbability {
                    for c in 0..<classes {
                        let region = regionCoefficients[sample * classes + c]
                        let d = ProbabilityError.difference(softmax.p[c], softmax.miss(c), g[c])
                        q[c] = terms.hasRegion ? region.derivative(p: softmax.p[c], g: g[c], difference: d) : 0
                        for (i, term) in pointwise.enumerated() {
                            guard let error = term.error else { continue }
                            let map = term.map(voxels, voxels.index(sample, c, voxel))
                            let t = error.derivative(p: softmax.p[c], q: softmax.miss(c), target: g[c], map: map)
                            q[c] = fma(terms.regions.isWeighted ? K[i] : K[i] * v, term.w[c] * t, q[c])
                        }
                        if let lovasz {
                            let k = lovasz.coefficients[sample * classes + c] * scale
                            let t = lovasz.slopes[voxels.index(sample, c, voxel)]
                            q[c] = k == 0 ? q[c] : fma(k, t, q[c])
                        }
                        if hasErrors {
                            q[c] = held(q[c])
                        }
                        top = softmax.e[c] < 1 ? top : q[c]
                    }
                    for c in 0..<classes {
                        dot = fma(softmax.p[c], q[c] - top, dot)
                    }
                }

                // K v of the term that ranks losses.
                var rankedFactor: Float = 0
                if let taken, taken.isTaken[sample * problem.voxels + voxel] {
                    rankedFactor = (taken.coefficients[sample] * scale) * v
                }

                // S of the label, or S_c and their sum.
                var sum: Float = 0
                var others: Float = 0
                if voxels.isDense {
                    for c in 0..<classes {
                        S[c] = 0
                        if g[c] > 0 {
                            for (i, term) in pointwise.enumerated() where !term.isPerChannel {
                                S[c] = fma(K[i] * v, term.share(softmax, c, dense: g[c]), S[c])
                            }
                            if let term = terms.ranked?.formula.taken {
                                S[c] = fma(rankedFactor, term.share(softmax, c, dense: g[c]), S[c])
                            }
                        }
                        sum = sum + S[c]
                        others = others + (softmax.e[c] < 1 ? S[c] : 0)
                    }
                } else {
                    for (i, term) in pointwise.enumerated() where !term.isPerChannel {
                        sum = fma(K[i] * v, term.share(softmax, label: y), sum)
                    }
                    if let term = terms.ranked?.formula.taken {
                        sum = fma(rankedFactor, term.share(softmax, label: y), sum)
                    }
                }

                for c in 0..<classes {
                    var G: Float = 0
                    if isClasswise && !voxels.isDense {
                        G = sum * softmax.derivative(c, label: y)
                    } else if isClasswise && softmax.e[c] == 1 && softmax.r > 0.5 {
                        G = fma(-sum, softmax.rest * softmax.r, others)
                    } else if isClasswise {
                        G = fma(sum, softmax.p[c], -S[c])
                    }
                    if smoothing.isThere {
                        G = fma(v, fma(smoothing.M, softmax.p[c], -smoothing.M_c[c]), G)
                    }
                    if let term = terms.ranked?.formula.taken, term.E != 0 {
                        G = fma(rankedFactor, fma(term.E * term.W, softmax.p[c], -(term.E * term.w[c])), G)
                    }
                    for (i, term) in pointwise.enumerated() where term.isOfSigmoids {
                        let logit = problem.logits[voxels.index(sample, c, voxel)]
                        G = fma(K[i] * v, term.w[c] * term.channel(logit, target: g[c], c).t, G)
                    }
                    let share = terms.regions.isWeighted ? softmax.p[c] * v : softmax.p[c]
                    gradient[voxels.index(sample, c, voxel)] = isByProbability ? fma(share, (q[c] - top) - dot, G) : G
                }
            }
        }
        outcome.gradient = gradient
        return outcome
    }

    /// A derivative by a probability that differences of it can be taken of (4.7).
    private static func held(_ q: Float) -> Float {
        let q = larger(q, -0x1p124)
        return q < 0x1p124 ? q : 0x1p124
    }

    // MARK: - Sigmoid and probabilities

    private static func evaluateChannels(_ problem: Problem, scale: Float, wantsGradient: Bool) -> Outcome {
        let voxels = Voxels(problem)
        let channels = problem.classes
        let terms = Terms(problem)
        let pointwise = terms.channelPointwise

        // Totals.
        var totals = pointwise.map {
            PointwiseTotals(
                channels: channels, all: problem.logits.count, lossRests: $0.dividesByFactors || $0.isHausdorff,
                weightRests: $0.dividesByFactors)
        }
        var sums = [RegionSums](repeating: RegionSums(weighted: terms.regions.isWeighted), count: problem.samples * channels)
        var balancedLosses = [Float](repeating: 0, count: terms.balanced == nil ? 0 : problem.logits.count)
        var rankedLosses = [Ranking.Loss?](repeating: nil, count: terms.ranked == nil ? 0 : problem.logits.count)
        var errors = [LovaszRanking.Error?](repeating: nil, count: terms.lovasz == nil ? 0 : problem.logits.count)
        for sample in 0..<problem.samples {
            for channel in 0..<channels {
                // What each value adds to the sums; +0 where it is invalid.
                var p = [Float](repeating: 0, count: problem.voxels)
                var g = p
                var weights = p
                var regionWeights = p
                var losses = [[Float]](repeating: p, count: pointwise.count)
                var parts = losses
                var valid = 0
                for voxel in 0..<problem.voxels where voxels.isValid(sample, channel, voxel) {
                    let index = voxels.index(sample, channel, voxel)
                    let value = ChannelValue(problem.logits[index], problem.activation)
                    let target = voxels.target(sample, channel, voxel)
                    let v = voxels.weight(sample, voxel)
                    valid += 1
                    p[voxel] = value.p
                    g[voxel] = target
                    weights[voxel] = v
                    regionWeights[voxel] = terms.regions.isWeighted ? v : 1
                    for (i, term) in pointwise.enumerated() {
                        let part = term.part(
                            value, target: target, channel: channel, map: term.map(voxels, index), v: v)
                        losses[i][voxel] = term.weighsPositives ? part.loss : part.loss * v
                        parts[i][voxel] = (term.divisor == .target ? target : part.factor) * v
                    }
                    if terms.balanced != nil {
                        balancedLosses[index] = target == 1 ? value.n0 : value.n1
                    }
                    if let ranked = terms.ranked {
                        rankedLosses[index] = ranked.formula.loss(value, target: target, channel: channel, weight: v)
                    }
                    if let lovasz = terms.lovasz {
                        errors[index] = lovasz.formula.error(value, x: problem.logits[index], target: target)
                    }
                }
                for i in pointwise.indices {
                    totals[i].losses[channel].addSample(losses[i])
                    totals[i].valid += valid
                    if pointwise[i].dividesByParts {
                        totals[i].weights[channel].addSample(parts[i])
                    } else if voxels.hasWeights {
                        totals[i].weights[channel].addSample(weights)
                    } else {
                        totals[i].weights[channel].add(1, times: valid)
                    }
                }
                if terms.hasRegion {
                    sums[sample * channels + channel].addSample(p: p, g: g, v: regionWeights)
                }
            }
        }

        // Finish.
        var finish = Finish(problem)
        var pointwiseCoefficients: [[Float]] = []
        var factorCoefficients: [[Float]] = []
        for (i, term) in pointwise.enumerated() {
            let coefficients = finish.pointwise(
                totals[i], at: term.index, divisor: term.divisor, classWeights: term.classWeights,
                mapScale: term.distances?.scale ?? 1, isLogarithm: term.isLogarithm)
            pointwiseCoefficients.append(coefficients.coefficients.map { $0 * scale })
            factorCoefficients.append(coefficients.factors.map { $0 * scale })
        }
        finish.regions(terms.regions, sums: sums)
        var selected: Selection.Finished?
        if let balanced = terms.balanced {
            selected = balanced.formula.finish(
                weight: problem.terms[balanced.index].weight, values: problem.logits, losses: balancedLosses,
                voxels: voxels)
            finish.terms[balanced.index] = selected!.term
        }
        let taken = finish.ranked(terms.ranked, losses: rankedLosses)
        let lovasz = finish.lovasz(terms.lovasz, errors: errors)
        var outcome = finish.outcome()
        guard wantsGradient else {
            return outcome
        }

        // Gradient.
        let regionCoefficients = finish.coefficients.map {
            $0.scaled(by: scale, for: terms.regions, hardTargets: voxels.hasHardTargets)
        }
        let ranksErrors = terms.ranked?.formula.isOfErrors ?? false
        let isHinge = terms.lovasz?.formula.isHinge ?? false
        let hasPointwise = pointwise.contains { !$0.isByProbability } || selected != nil || (taken != nil && !ranksErrors)
        let hasErrors = pointwise.contains { $0.isByProbability } || ranksErrors || (lovasz != nil && !isHinge)
        var gradient = [Float](repeating: 0, count: problem.logits.count)
        for sample in 0..<problem.samples {
            for channel in 0..<channels {
                let region = regionCoefficients[sample * channels + channel]
                for voxel in 0..<problem.voxels where voxels.isValid(sample, channel, voxel) {
                    let index = voxels.index(sample, channel, voxel)
                    let value = ChannelValue(problem.logits[index], problem.activation)
                    let (p, q) = (value.p, value.q)
                    let g = voxels.target(sample, channel, voxel)
                    let v = voxels.weight(sample, voxel)

                    /// Adds a term's derivative, by the logit or by p, to a sum of those.
                    func add(_ i: Int, to sum: Float) -> Float {
                        let term = pointwise[i]
                        let part = term.part(value, target: g, channel: channel, map: term.map(voxels, index), v: v)
                        let weight = term.weighsPositives ? 1 : v
                        let added = fma(pointwiseCoefficients[i][channel] * weight, part.t, sum)
                        guard case .factors = term.divisor else { return added }
                        return fma(factorCoefficients[i][channel] * weight, part.turn, added)
                    }

                    // By the logit.
                    var G: Float = 0
                    for (i, term) in pointwise.enumerated() where !term.isByProbability { G = add(i, to: G) }
                    if let selected, selected.isSelected[index] {
                        let coefficient = selected.coefficients[sample] * scale
                        G = fma(coefficient, fma(-g, q, (1 - g) * p), G)
                    }
                    if let taken, let ranked = terms.ranked, taken.isTaken[index], !ranksErrors {
                        let k = (taken.coefficients[sample] * scale) * v
                        G = fma(k, ranked.formula.derivative(value, target: g, channel: channel), G)
                    }

                    /// Adds the Lovász term's derivative to a sum of those by the logit, or by p.
                    func addLovasz(to sum: Float) -> Float {
                        guard let lovasz else { return sum }
                        let k = lovasz.coefficients[sample * channels + channel] * scale
                        return k == 0 ? sum : fma(k, lovasz.slopes[index], sum)
                    }
                    if isHinge { G = addLovasz(to: G) }

                    // By p.
                    var Z: Float = 0
                    if terms.hasRegion {
                        Z = region.derivative(p: p, g: g, difference: ProbabilityError.difference(p, q, g))
                        if terms.regions.isWeighted { Z *= v }
                    }
                    for (i, term) in pointwise.enumerated() where term.isByProbability { Z = add(i, to: Z) }
                    if let taken, let ranked = terms.ranked, taken.isTaken[index], ranksErrors {
                        let isSure = ranked.formula.isSure(loss: 0, map: voxels.map(index))
                        let coefficient = isSure ? taken.coefficients[sample] : taken.rankedCoefficients[sample]
                        Z = fma(coefficient * scale, ranked.formula.derivative(value, target: g, channel: channel), Z)
                    }
                    if !isHinge { Z = addLovasz(to: Z) }

                    let result: Float
                    if problem.activation == .sigmoid {
                        result = terms.hasRegion || hasErrors ? fma(p * q, Z, G) : G
                    } else {
                        let smallest: Float = 0x1.197998p-40  // 1e-12
                        let byProbability = G / larger(p * q, smallest)
                        if !terms.hasRegion && !hasErrors {
                            result = byProbability
                        } else {
                            result = hasPointwise ? Z + byProbability : Z
                        }
                    }
                    gradient[index] = result
                }
            }
        }
        outcome.gradient = gradient
        return outcome
    }
}

/// A problem's terms by family, each with its place among all of them.
struct Terms {
    /// A binary cross-entropy or a focal term, or an error of the probability.
    struct ChannelTerm {
        enum Formula {
            case binary(BinaryCrossEntropy)
            case focal(Focal)
            case star(FocalStar)
            case error(ProbabilityError)
        }

        let index: Int
        let divisor: Term.Divisor
        let formula: Formula
        var classWeights: [Float]?
        /// Of a term that measures distances.
        var distances: DistanceMaps?
        var isLogarithm = false

        /// The map's value, of the problem's maps or its own.
        func map(_ voxels: Voxels, _ index: Int) -> Float {
            distances?.values[index] ?? voxels.map(index)
        }

        /// Whether its derivative is by the probability.
        var isByProbability: Bool {
            switch formula {
            case .binary(let binary): binary.options.logOffset > 0
            case .focal(let focal): focal.offset > 0
            case .star: false
            case .error: true
            }
        }

        /// Whether the voxel weight is one of its positives alone.
        var weighsPositives: Bool {
            if case .binary(let binary) = formula { binary.options.weighsPositives } else { false }
        }

        var isHausdorff: Bool {
            if case .error(let error) = formula { error.isHausdorff } else { false }
        }

        /// Whether it is divided by a sum of factors.
        var dividesByFactors: Bool {
            if case .factors = divisor { true } else { false }
        }

        /// Whether it is divided by a sum of targets or factors.
        var dividesByParts: Bool {
            switch divisor {
            case .target, .factors: true
            default: false
            }
        }

        /// Without the weight `v`, unless that is one of the positives.
        func part(_ value: ChannelValue, target g: Float, channel: Int, map: Float, v: Float) -> ChannelPart {
            switch formula {
            case .binary(let binary): binary.part(value, target: g, channel: channel, v: v)
            case .focal(let focal): focal.part(value, target: g, channel: channel)
            case .star(let star): star.part(value, target: g)
            case .error(let error):
                ChannelPart(
                    loss: error.loss(value, target: g, map: map), t: error.derivative(value, target: g, map: map))
            }
        }
    }

    struct BalancedTerm {
        let index: Int
        let formula: Selection
    }

    struct RankedTerm {
        let index: Int
        let formula: Ranking
    }

    struct LovaszTerm {
        let index: Int
        let formula: LovaszRanking
    }

    var softmaxTerms: [SoftmaxTerm] = []
    var channelPointwise: [ChannelTerm] = []
    var regions = RegionTerms()
    var balanced: BalancedTerm?
    var ranked: RankedTerm?
    var lovasz: LovaszTerm?

    var hasRegion: Bool { !regions.isEmpty }

    private mutating func addError(
        _ index: Int, _ formula: ProbabilityError.Formula, _ classWeights: [Float]?, _ divisor: Term.Divisor
    ) {
        channelPointwise.append(
            ChannelTerm(
                index: index, divisor: divisor, formula: .error(ProbabilityError(formula: formula)),
                classWeights: classWeights))
    }

    /// The maps of a term that measures distances.
    private static func distances(_ problem: Problem, _ kind: Term.Kind) -> DistanceMaps? {
        switch kind {
        case .boundary(let options): DistanceMaps(problem, options, isHausdorff: false)
        case .hausdorff(let options): DistanceMaps(problem, options, isHausdorff: true)
        default: nil
        }
    }

    init(_ problem: Problem) {
        let isSoftmax = problem.activation == .softmax
        for (index, term) in problem.terms.enumerated() {
            let distances = Self.distances(problem, term.kind)
            if isSoftmax, var softmaxTerm = SoftmaxTerm(term.kind, index: index, classes: problem.classes) {
                softmaxTerm.distances = distances
                softmaxTerms.append(softmaxTerm)
                continue
            }
            if let ranking = Ranking(term.kind, index: index, classes: problem.classes) {
                precondition(ranked == nil && balanced == nil)
                ranked = RankedTerm(index: index, formula: ranking)
                continue
            }
            if let ranking = LovaszRanking(term.kind) {
                precondition(lovasz == nil && (!ranking.isHinge || problem.activation == .sigmoid))
                lovasz = LovaszTerm(index: index, formula: ranking)
                continue
            }
            switch term.kind {
            case .crossEntropy: preconditionFailure("a cross entropy is for a softmax")
            case .binaryCrossEntropy(let positiveWeights, let classWeights, let labelSmoothing, let divisor, _, let options):
                let formula = BinaryCrossEntropy(
                    channels: problem.classes, positiveWeights: positiveWeights, labelSmoothing: labelSmoothing,
                    options: options)
                channelPointwise.append(
                    ChannelTerm(index: index, divisor: divisor, formula: .binary(formula), classWeights: classWeights))
            case .focal(let gamma, let alpha, let classWeights, let divisor, _, _, let options):
                let formula = Focal(gamma: gamma, alpha: alpha, channels: problem.classes, options: options)
                channelPointwise.append(
                    ChannelTerm(index: index, divisor: divisor, formula: .focal(formula), classWeights: classWeights))
            case .focalStar(let gamma, let shift, let alpha, let classWeights, let divisor):
                let formula = FocalStar(gamma: gamma, shift: shift, alpha: alpha)
                channelPointwise.append(
                    ChannelTerm(index: index, divisor: divisor, formula: .star(formula), classWeights: classWeights))
            case .region(let region):
                regions.terms.append((index, term.weight, region))
            case .balancedBinaryCrossEntropy(
                let negativeRatio, let minimumNegatives, let fallbackNegatives, let epsilon, let scope):
                precondition(!isSoftmax && balanced == nil && ranked == nil && problem.weights == nil)
                let formula = Selection(
                    negativeRatio: negativeRatio, minimumNegatives: minimumNegatives,
                    fallbackNegatives: fallbackNegatives, epsilon: epsilon, scope: scope)
                balanced = BalancedTerm(index: index, formula: formula)
            case .topK, .onlineHardExampleMining, .balancedL1, .lovaszSoftmax, .lovaszHinge:
                preconditionFailure("these are ranked")
            case .absoluteError(let classWeights, let divisor):
                addError(index, .absolute, classWeights, divisor)
            case .smoothL1(let beta, let classWeights, let divisor):
                addError(index, .smooth(Float(beta)), classWeights, divisor)
            case .squaredError(let classWeights, let divisor):
                addError(index, .squared, classWeights, divisor)
            case .linear(let classWeights, let divisor):
                precondition(problem.maps != nil)
                addError(index, .linear, classWeights, divisor)
            case .boundary(let options):
                addError(index, .boundary, options.weights(problem.classes), options.divisor)
                channelPointwise[channelPointwise.count - 1].distances = distances
            case .hausdorff(let options):
                addError(index, .hausdorff, options.weights(problem.classes), options.divisor)
                channelPointwise[channelPointwise.count - 1].distances = distances
                channelPointwise[channelPointwise.count - 1].isLogarithm = options.logarithm
            }
        }
    }
}

/// The finish (docs/arithmetic.md, 7): from totals to the loss and the coefficients of its gradient.
private struct Finish {
    let problem: Problem
    var terms: [Double]
    var perClass: [Double]
    /// [samples][classes], of all region terms together.
    var coefficients: [RegionCoefficients]

    init(_ problem: Problem) {
        self.problem = problem
        terms = [Double](repeating: 0, count: problem.terms.count)
        perClass = [Double](repeating: 0, count: problem.terms.count * problem.classes)
        coefficients = [RegionCoefficients](repeating: RegionCoefficients(), count: problem.samples * problem.classes)
    }

    /// Finishes a pointwise term and gives its coefficients, one for each channel.
    mutating func pointwise(
        _ totals: PointwiseTotals, at index: Int, divisor: Term.Divisor, weightScale: Double = 1,
        classWeights: [Float]? = nil, mapScale: Double = 1, isLogarithm: Bool = false
    ) -> (coefficients: [Float], factors: [Float]) {
        let (term, perChannel, coefficients, factors) = totals.finish(
            weight: problem.terms[index].weight, divisor: divisor, scale: weightScale, classWeights: classWeights,
            mapScale: mapScale, isLogarithm: isLogarithm)
        terms[index] = term
        if problem.activation != .softmax || !totals.parts.isEmpty {
            for c in 0..<problem.classes {
                perClass[index * problem.classes + c] = perChannel[c]
            }
        }
        return (coefficients, factors)
    }

    /// Finishes the region terms.
    mutating func regions(_ regions: RegionTerms, sums: [RegionSums]) {
        for (index, weight, region) in regions.terms {
            let (term, parts) = region.finish(
                weight: weight, sums: sums, samples: problem.samples, classes: problem.classes,
                coefficients: &coefficients)
            terms[index] = term
            for c in 0..<problem.classes {
                perClass[index * problem.classes + c] = parts[c]
            }
        }
    }

    /// Finishes the term that ranks losses, if there is one.
    mutating func ranked(_ ranked: Terms.RankedTerm?, losses: [Ranking.Loss?]) -> Ranking.Finished? {
        guard let ranked else { return nil }
        let finished = ranked.formula.finish(
            weight: problem.terms[ranked.index].weight, losses: losses, maps: problem.maps, samples: problem.samples)
        terms[ranked.index] = finished.term
        return finished
    }

    /// Finishes the Lovász term, if there is one.
    mutating func lovasz(_ lovasz: Terms.LovaszTerm?, errors: [LovaszRanking.Error?]) -> LovaszRanking.Finished? {
        guard let lovasz else { return nil }
        let finished = lovasz.formula.finish(
            weight: problem.terms[lovasz.index].weight, errors: errors, samples: problem.samples,
            classes: problem.classes, voxels: problem.voxels)
        terms[lovasz.index] = finished.term
        for c in 0..<problem.classes { perClass[lovasz.index * problem.classes + c] = finished.perClass[c] }
        return finished
    }

    /// The value, 7.3. The gradient is still to come.
    func outcome() -> Outcome {
        var value = 0.0
        for (i, term) in problem.terms.enumerated() {
            value += term.weight * terms[i]
        }
        return Outcome(value: value, terms: terms, perClass: perClass, gradient: [])
    }
}
