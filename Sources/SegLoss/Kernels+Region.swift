internal import CLossKernels

// The options of region terms, from Swift's names to C's.

extension Loss {
    /// The C struct has a bit for each class that can be, and no list that could be empty: both are seen to here.
    func checkNamedClasses(of shape: Shape) throws(LossError) {
        for (index, weighted) in terms.enumerated() {
            guard case .only(let named) = weighted.term.classes else { continue }
            let expected = "expected 0 to \(shape.classes - 1)"
            if named.isEmpty {
                throw LossError(kind: .badOption, index: index, message: "terms[\(index)].classes is empty; \(expected)")
            }
            if let wrong = named.first(where: { !(0..<min(shape.classes, Int(CLOSS_MAX_CLASSES))).contains($0) }) {
                throw LossError(
                    kind: .badOption, index: index, message: "terms[\(index)].classes has class \(wrong); \(expected)")
            }
        }
    }
}

extension closs_region {
    init(_ region: Region, weights: ClassArray, exponents: ClassArray) {
        unsafe self.init()
        unsafe smooth_numerator = region.smooth.values.numerator
        unsafe smooth_denominator = region.smooth.values.denominator
        unsafe denominator = region.denominator == .squared ? CLOSS_SQUARED : CLOSS_LINEAR
        unsafe scope = region.scope.code
        unsafe exclude_background = region.classes == .foreground ? 1 : 0
        unsafe class_weights = weights.values
        unsafe class_weights_count = weights.count
        unsafe weighting = region.classWeights?.code ?? CLOSS_WEIGHTS_MULTIPLIED
        unsafe product = region.intersection == .minimum ? CLOSS_MINIMUM : CLOSS_PRODUCT
        unsafe absent = region.absent.code
        unsafe least_denominator = region.leastDenominator
        unsafe least_intersection = region.leastIntersection
        unsafe weighted = region.voxelWeights == .inSums ? 1 : 0
        unsafe setClasses(region.classes)
        unsafe setFormula(region.formula)
        unsafe setValue(region.value)
        unsafe setExponent(region.exponent, exponents)
    }

    private mutating func setClasses(_ named: Classes) {
        guard case .only(let indices) = named else { return }
        unsafe withUnsafeMutableBytes(of: &classes) { bytes in
            for index in indices { unsafe bytes[index / 8] |= 1 << UInt8(index % 8) }
        }
    }

    private mutating func setFormula(_ formula: Region.Formula) {
        switch formula {
        case .dice, .jaccard: break
        case .tversky(let falsePositives, let falseNegatives), .leakyDice(let falsePositives, let falseNegatives):
            unsafe alpha = falsePositives
            unsafe beta = falseNegatives
        case .generalizedDice(let volumes):
            unsafe volume_weighting = volumes.code
            unsafe volume_offset = volumes.numbers.offset
            unsafe most_volume_weight = volumes.numbers.most
        case .matthews(let smoothCounts, let smoothProduct, let perfectIsOne):
            unsafe smooth_counts = smoothCounts
            unsafe smooth_product = smoothProduct
            unsafe perfect_is_one = perfectIsOne ? 1 : 0
        }
    }

    private mutating func setValue(_ made: Region.Value) {
        switch made {
        case .oneMinusScore: unsafe value = CLOSS_ONE_MINUS_SCORE
        case .minusScore: unsafe value = CLOSS_MINUS_SCORE
        case .minusLogScore(let least):
            unsafe value = CLOSS_MINUS_LOG_SCORE
            unsafe least_score = least
        case .logCosh: unsafe value = CLOSS_LOG_COSH
        }
    }

    private mutating func setExponent(_ raised: Region.Exponent, _ array: ClassArray) {
        unsafe class_exponents = array.values
        unsafe class_exponents_count = array.count
        switch raised {
        case .none, .each: break
        case .classes(let gamma): unsafe exponent = gamma
        case .mean(let gamma):
            unsafe exponent = gamma
            unsafe exponent_of = CLOSS_EXPONENT_OF_MEAN
        }
    }
}

extension Region.Formula {
    var kind: closs_term_kind {
        switch self {
        case .dice: CLOSS_DICE
        case .jaccard: CLOSS_JACCARD
        case .tversky: CLOSS_TVERSKY
        case .generalizedDice: CLOSS_GENERALIZED_DICE
        case .matthews: CLOSS_MATTHEWS
        case .leakyDice: CLOSS_LEAKY_DICE
        }
    }
}

extension ClassWeights {
    fileprivate var code: closs_weighting {
        switch self {
        case .multiplied: CLOSS_WEIGHTS_MULTIPLIED
        case .normalized: CLOSS_WEIGHTS_NORMALIZED
        case .inside: CLOSS_WEIGHTS_INSIDE
        }
    }
}

extension VolumeWeights {
    fileprivate var code: closs_volume_weighting {
        switch self {
        case .uniform: CLOSS_VOLUME_UNIFORM
        case .simple: CLOSS_VOLUME_SIMPLE
        case .square: CLOSS_VOLUME_SQUARE
        }
    }

    fileprivate var numbers: (offset: Double, most: Double) {
        switch self {
        case .uniform: (0, 0)
        case .simple(let offset, let most), .square(let offset, let most): (offset, most ?? 0)
        }
    }
}

extension Absent {
    fileprivate var code: closs_absent {
        switch self {
        case .natural: CLOSS_ABSENT_NATURAL
        case .zero: CLOSS_ABSENT_ZERO
        case .skipped: CLOSS_ABSENT_SKIPPED
        case .one: CLOSS_ABSENT_ONE
        }
    }
}

extension Smooth {
    fileprivate var values: (numerator: Double, denominator: Double) {
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

extension Scope {
    var code: closs_scope {
        switch self {
        case .sample: CLOSS_PER_SAMPLE
        case .batch: CLOSS_PER_BATCH
        case .samplePooled: CLOSS_PER_SAMPLE_POOLED
        case .batchPooled: CLOSS_PER_BATCH_POOLED
        }
    }
}
