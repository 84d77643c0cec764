internal import CLossKernels

extension closs_binary_cross_entropy {
    init(_ options: Term.BinaryCrossEntropy, _ arrays: [ClassArray]) {
        unsafe self.init()
        unsafe positive_weights = arrays[0].values
        unsafe positive_weights_count = arrays[0].count
        unsafe class_weights = arrays[1].values
        unsafe class_weights_count = arrays[1].count
        unsafe divisor = options.divisor.code
        unsafe divisor_value = options.divisor.value
        unsafe label_smoothing = options.labelSmoothing
        unsafe per_channel = options.perChannel ? 1 : 0
        unsafe positives_only = options.positivesOnly ? 1 : 0
        unsafe log_offset = options.logOffset
        unsafe weight_form = options.voxelWeights.code
    }
}

extension closs_focal {
    init(_ options: Term.Focal, _ arrays: [ClassArray]) {
        unsafe self.init()
        unsafe gamma = options.gamma
        unsafe has_alpha = options.alpha == nil ? 0 : 1
        unsafe alpha = options.alpha ?? 0
        unsafe divisor = options.divisor.code
        unsafe divisor_value = options.divisor.value
        unsafe class_weights = arrays[0].values
        unsafe class_weights_count = arrays[0].count
        unsafe class_gammas = arrays[1].values
        unsafe class_gammas_count = arrays[1].count
        unsafe per_channel = options.perChannel ? 1 : 0
        unsafe class_alphas = arrays[2].values
        unsafe class_alphas_count = arrays[2].count
        unsafe alpha_form = options.alphaForm.code
        unsafe positive_weights = arrays[3].values
        unsafe positive_weights_count = arrays[3].count
        unsafe reduced_threshold = options.reducedThreshold
        unsafe modulation = options.modulation.code
        unsafe positives_only = options.positivesOnly ? 1 : 0
        unsafe log_offset = options.logOffset
    }
}

extension WeightForm {
    fileprivate var code: closs_weight_form {
        switch self {
        case .all: CLOSS_WEIGHTS_OF_ALL
        case .positives: CLOSS_WEIGHTS_OF_POSITIVES
        }
    }
}

extension AlphaForm {
    fileprivate var code: closs_alpha_form {
        switch self {
        case .balanced: CLOSS_ALPHA_BALANCED
        case .positives: CLOSS_ALPHA_POSITIVES
        }
    }
}

extension Modulation {
    fileprivate var code: closs_modulation {
        switch self {
        case .probability: CLOSS_MODULATION_PROBABILITY
        case .logit: CLOSS_MODULATION_LOGIT
        }
    }
}
