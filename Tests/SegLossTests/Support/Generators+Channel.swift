import SegLossReference

/// Losses of single channels, with any options that planning accepts; inside a softmax per channel.
extension Generator {
    mutating func channelDivisor() -> Term.Divisor { random.chance(0.2) ? .target : divisor() }

    private mutating func logOffset(_ activation: Problem.Activation) -> Double {
        activation == .probabilities && random.chance(0.25) ? random.element(of: [1e-10, 1e-7]) : 0
    }

    mutating func binaryCrossEntropy(_ classes: Int, _ activation: Problem.Activation) -> Term.Kind {
        var options = Term.BinaryOptions()
        options.positivesOnly = random.chance(0.2)
        options.logOffset = logOffset(activation)
        options.weighsPositives = activation != .softmax && random.chance(0.2)
        return .binaryCrossEntropy(
            positiveWeights: classWeights(classes), classWeights: classWeights(classes),
            labelSmoothing: options.positivesOnly ? 0 : random.element(of: [0, 0, 0, 0.1, 1]),
            divisor: channelDivisor(), perChannel: activation == .softmax, options: options)
    }

    mutating func focal(_ classes: Int, _ activation: Problem.Activation) -> Term.Kind {
        if activation == .sigmoid && random.chance(0.1) { return focalStar(classes) }
        var options = Term.FocalOptions()
        if random.chance(0.2) { options.classAlphas = (0..<classes).map { _ in random.unit() } }
        options.alphaOfPositives = random.chance(0.2)
        if random.chance(0.2) { options.positiveWeights = classWeights(classes) }
        // Where the factor jumps, no rounded input lies on one side for certain: none of these is a common probability.
        if random.chance(0.2) { options.reducedThreshold = random.element(of: [0.47, 0.3]) }
        options.positivesOnly = random.chance(0.15)
        options.byLogit = activation != .probabilities && !options.positivesOnly && random.chance(0.25)
        options.logOffset = logOffset(activation)
        let gammas = options.reducedThreshold > 0 ? [0.5, 1, 1.5, 2, 3] : [0, 0.5, 1, 1.5, 2, 3, 3.7, 5]
        let isNormalized = activation != .softmax && random.chance(0.2)
        return .focal(
            gamma: random.element(of: gammas),
            alpha: random.element(of: [nil, 0.25, 0.75, 0, 1]), classWeights: classWeights(classes),
            divisor: isNormalized ? .factors(least: random.element(of: [0.01, 1, 20])) : channelDivisor(),
            perChannel: activation == .softmax, options: options)
    }

    private mutating func focalStar(_ classes: Int) -> Term.Kind {
        .focalStar(
            gamma: random.element(of: [0.5, 1, 2, 3.7]), shift: random.element(of: [0, 0, 0.5, -1]),
            alpha: random.element(of: [nil, 0.25, 1]), classWeights: classWeights(classes), divisor: channelDivisor())
    }
}
