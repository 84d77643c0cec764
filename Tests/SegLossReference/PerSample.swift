/// The values of single samples (docs/arithmetic.md, 7.4).
extension Reference {
    /// [terms][samples], as `closs_result.per_sample`: each sample is evaluated as a batch of its own.
    public static func perSample(_ problem: Problem) -> [Double] {
        let alone = (0..<problem.samples).map { evaluate(problem.sample($0), wantsGradient: false).terms }
        return problem.terms.indices.flatMap { term in
            let isOfBatch = problem.terms[term].kind.selectsInBatch
            return alone.map { isOfBatch ? 0 : $0[term] }
        }
    }
}

extension Term.Kind {
    /// Whether it selects among the values of the whole batch, so that a sample alone has no value.
    public var selectsInBatch: Bool {
        switch self {
        case .balancedBinaryCrossEntropy(_, _, _, _, .batch), .topK(_, _, _, _, .batch),
            .onlineHardExampleMining(_, _, _, _, .batch), .balancedL1(_, _, .batch):
            true
        case .lovaszSoftmax(let options), .lovaszHinge(let options):
            options.scope == .batch || options.scope == .batchPooled
        default: false
        }
    }
}

extension Problem {
    /// One sample as a problem of its own.
    public func sample(_ index: Int) -> Problem {
        func rows<Element>(_ values: [Element], _ count: Int) -> [Element] {
            Array(values[index * count..<(index + 1) * count])
        }
        var alone = self
        alone.samples = 1
        alone.logits = rows(logits, classes * voxels)
        switch target {
        case .labels(let labels): alone.target = .labels(rows(labels, voxels))
        case .dense(let values, let byte): alone.target = .dense(rows(values, classes * voxels), byte: byte)
        }
        alone.mask = mask.map { rows($0, voxels) }
        alone.weights = weights.map { rows($0, voxels) }
        alone.maps = maps.map { rows($0, classes * voxels) }
        return alone
    }
}
