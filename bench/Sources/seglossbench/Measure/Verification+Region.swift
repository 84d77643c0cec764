import SegLoss
import SegLossReference

extension SegLossReference.Region {
    /// The reference's options of a region term of the library's.
    init(_ region: SegLoss.Region) {
        self.init(Formula(region.formula))
        (smoothNumerator, smoothDenominator) = region.smooth.values
        squared = region.denominator == .squared
        minimum = region.intersection == .minimum
        scope = .init(region.scope)
        excludeBackground = region.classes == .foreground
        weighted = region.voxelWeights == .inSums
        leastDenominator = region.leastDenominator
        leastIntersection = region.leastIntersection
        setFormula(region.formula)
        setValue(region.value)
        if case .classes(let gamma) = region.exponent { exponent = gamma }
        precondition(region.absent == .natural && region.classWeights == nil, "no kernel of the bench has that yet")
    }

    private mutating func setFormula(_ formula: SegLoss.Region.Formula) {
        switch formula {
        case .dice, .jaccard: break
        case .tversky(let falsePositives, let falseNegatives), .leakyDice(let falsePositives, let falseNegatives):
            (alpha, beta) = (falsePositives, falseNegatives)
        case .generalizedDice(.uniform): break
        case .generalizedDice(.simple(let offset, let most)):
            (volumeWeighting, volumeOffset, mostVolumeWeight) = (.simple, offset, most ?? 0)
        case .generalizedDice(.square(let offset, let most)):
            (volumeWeighting, volumeOffset, mostVolumeWeight) = (.square, offset, most ?? 0)
        case .matthews(let counts, let product, let perfect):
            (smoothCounts, smoothProduct, perfectIsOne) = (counts, product, perfect)
        }
    }

    private mutating func setValue(_ value: SegLoss.Region.Value) {
        switch value {
        case .oneMinusScore: self.value = .oneMinusScore
        case .minusScore: self.value = .minusScore
        case .minusLogScore(let least): (self.value, leastScore) = (.minusLogScore, least)
        case .logCosh: self.value = .logCosh
        }
    }
}

extension SegLossReference.Region.Formula {
    fileprivate init(_ formula: SegLoss.Region.Formula) {
        switch formula {
        case .dice: self = .dice
        case .jaccard: self = .jaccard
        case .tversky: self = .tversky
        case .generalizedDice: self = .generalizedDice
        case .matthews: self = .matthews
        case .leakyDice: self = .leakyDice
        }
    }
}

extension SegLoss.Smooth {
    fileprivate var values: (Double, Double) {
        switch self {
        case .none: (0, 0)
        case .both(let value): (value, value)
        case .numerator(let value): (value, 0)
        case .denominator(let value): (0, value)
        case .each(let value): (0, 2 * value)
        case .separate(let numerator, let denominator): (numerator, denominator)
        }
    }
}
