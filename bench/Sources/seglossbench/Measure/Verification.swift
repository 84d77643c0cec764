import SegLoss
import SegLossReference

/// The scalar reference's seconds for each voxel, on a small batch of the same kind.
struct ReferenceCost {
    let secondsPerVoxel: [Pass: Double]

    func seconds(_ pass: Pass, voxels: Int) -> Double {
        secondsPerVoxel[pass]! * Double(voxels)
    }
}

/// Compares kernels with the scalar reference, to the last bit, before anything is timed. The only file that knows
/// the reference.
struct Verification {
    private let machine: Machine
    private var costs: [String: ReferenceCost] = [:]

    init(machine: Machine) {
        self.machine = machine
    }

    /// Verifies an entry's kernel with every instruction set that will be timed and each number of threads; once for
    /// each kind of input. Returns what the reference cost.
    mutating func verify(_ entry: Entry) throws -> ReferenceCost {
        let isOfLabels = entry.passes == [.map]
        let small = entry.source.small(isForMaps: isOfLabels)
        let key = "\(entry.kernel.name) \(small.shape.text) \(entry.source.isGiven)"
        if let known = costs[key] { return known }
        let isMap = entry.passes == [.lossMap] || isOfLabels
        let (expected, cost) = isMap ? Self.referenceMap(entry.kernel, small) : Self.reference(entry.kernel, small)
        for instructionSet in machine.instructionSets {
            for threads in machine.threadCounts {
                let configuration = Configuration(
                    kernel: entry.kernel, threads: threads, instructionSet: instructionSet)
                if isMap {
                    try Self.compareMap(configuration, small, with: expected)
                } else {
                    try Self.compare(configuration, small, with: expected)
                }
            }
        }
        costs[key] = cost
        return cost
    }

    // MARK: - The kernel's side

    private static func compare(_ configuration: Configuration, _ batch: Batch, with expected: Outcome) throws {
        var evaluator = try configuration.evaluator(for: batch)
        let gradient = Buffer<Float>(count: batch.shape.values)
        gradient.values.update(repeating: .nan)
        let storage = configuration.kernel.storage
        let forward = try evaluator.value(of: batch)
        let both = try evaluator.value(of: batch, gradient: gradient)
        let name = "\(configuration.kernel.name) \(batch.shape.text) (\(configuration.instructionSet.name), "
            + "\(configuration.threads) threads)"
        for value in [forward, both] where value.bitPattern != expected.value.bitPattern {
            throw BenchError("\(name): the value is \(value), the scalar reference's \(expected.value)")
        }
        for (index, unrounded) in expected.gradient.enumerated() {
            let place = storage.place(index, batch.shape)
            let (got, want) = (storage.value(at: place, of: gradient), storage.rounded(unrounded))
            if got.bitPattern == want.bitPattern { continue }
            throw BenchError("\(name): gradient[\(place)] is \(got), the scalar reference's \(want)")
        }
    }

    /// The outcome's gradient is the map.
    private static func compareMap(_ configuration: Configuration, _ batch: Batch, with expected: Outcome) throws {
        var evaluator = try configuration.evaluator(for: batch)
        let map = Buffer<Float>(count: batch.shape.values)
        map.values.update(repeating: .nan)
        if case .map = configuration.kernel.formula {
            try evaluator.map(of: batch, into: map)
        } else {
            try evaluator.lossMap(of: batch, into: map)
        }
        for (index, want) in expected.gradient.enumerated() where map.values[index].bitPattern != want.bitPattern {
            let name = "\(configuration.kernel.name) \(batch.shape.text) (\(configuration.instructionSet.name))"
            throw BenchError("\(name): map[\(index)] is \(map.values[index]), the scalar reference's \(want)")
        }
    }

    // MARK: - The reference's side

    private static func referenceMap(_ kernel: Kernel, _ batch: Batch) -> (Outcome, ReferenceCost) {
        if case .map(let maker) = kernel.formula { return referenceMap(maker, batch) }
        guard case .terms(let problem) = ReferenceProblem(kernel, batch) else {
            preconditionFailure("\(kernel.name) has no loss of a single voxel")
        }
        var map: [Float] = []
        let seconds = (0..<3).map { _ in
            ContinuousClock().measure { map = Reference.lossMap(problem) }.seconds
        }.min()! / Double(batch.shape.voxels)
        let outcome = Outcome(value: 0, terms: [], perClass: [], gradient: map)
        return (outcome, ReferenceCost(secondsPerVoxel: [.lossMap: seconds]))
    }

    private static func referenceMap(_ maker: MapMaker, _ batch: Batch) -> (Outcome, ReferenceCost) {
        var map: [Float] = []
        let seconds = ContinuousClock().measure { map = MapReference.map(maker, batch) }.seconds
        let outcome = Outcome(value: 0, terms: [], perClass: [], gradient: map)
        return (outcome, ReferenceCost(secondsPerVoxel: [.map: seconds / Double(batch.shape.voxels)]))
    }

    private static func reference(_ kernel: Kernel, _ batch: Batch) -> (Outcome, ReferenceCost) {
        let problem = ReferenceProblem(kernel, batch)
        let clock = ContinuousClock()
        let scale = kernel.storage.scale
        var outcome = problem.evaluate(scale: scale)
        func fastest(wantsGradient: Bool) -> Double {
            (0..<3).map { _ in
                clock.measure { outcome = problem.evaluate(scale: scale, wantsGradient: wantsGradient) }.seconds
            }.min()! / Double(batch.shape.voxels)
        }
        let forward = fastest(wantsGradient: false)
        let gradient = fastest(wantsGradient: true)
        return (outcome, ReferenceCost(secondsPerVoxel: [.forward: forward, .gradient: gradient]))
    }
}

extension BatchSource {
    fileprivate var isGiven: Bool {
        if case .given = self { true } else { false }
    }
}

// MARK: - The library's words in the reference's

extension ReferenceProblem {
    fileprivate init(_ kernel: Kernel, _ batch: Batch) {
        switch kernel.formula {
        case .terms(let loss): self = .terms(Problem(loss, kernel, batch))
        case .binarization(let loss):
            self = .binarization(BinarizationProblem(loss, kernel.activation, batch), shape: batch.shape)
        case .map: preconditionFailure("\(kernel.name) is no loss")
        }
    }
}

extension Problem {
    fileprivate init(_ loss: SegLoss.Loss, _ kernel: Kernel, _ batch: Batch) {
        self.init(
            samples: batch.shape.samples, classes: batch.shape.classes, voxels: batch.shape.plane,
            activation: .init(kernel.activation),
            terms: loss.terms.map { SegLossReference.Term(.init($0.term), weight: $0.weight) },
            logits: batch.logits.values.map(kernel.storage.rounded),
            target: .labels(batch.labels.values.map(Int64.init)),
            maps: Array(batch.logits.values),
            ignoreIndex: batch.ignoreIndex, extents: [1, batch.shape.height, batch.shape.width])
    }
}

extension Problem.Activation {
    init(_ activation: SegLoss.Activation) {
        switch activation {
        case .softmax: self = .softmax
        case .sigmoid: self = .sigmoid
        case .probabilities: self = .probabilities
        }
    }
}

extension SegLossReference.Term.Kind {
    fileprivate init(_ term: SegLoss.Term) {
        switch term {
        case .crossEntropy(let options):
            self = .crossEntropy(
                classWeights: options.classWeights, labelSmoothing: options.labelSmoothing,
                divisor: .init(options.divisor), exponent: options.exponent)
        case .binaryCrossEntropy(let options):
            self = .binaryCrossEntropy(
                positiveWeights: options.positiveWeights, classWeights: options.classWeights,
                labelSmoothing: options.labelSmoothing, divisor: .init(options.divisor), perChannel: options.perChannel,
                options: .init(options))
        case .focal(let options):
            self = .focal(
                gamma: options.gamma, alpha: options.alpha, classWeights: options.classWeights,
                divisor: .init(options.divisor), classGammas: options.classGammas, perChannel: options.perChannel,
                options: .init(options))
        case .focalStar(let options):
            self = .focalStar(
                gamma: options.gamma, shift: options.shift, alpha: options.alpha, classWeights: options.classWeights,
                divisor: .init(options.divisor))
        case .region(let region): self = .region(.init(region))
        case .balancedBinaryCrossEntropy(let options):
            self = .balancedBinaryCrossEntropy(
                negativeRatio: options.negativeRatio, minimumNegatives: options.minimumNegatives,
                fallbackNegatives: options.fallbackNegatives, epsilon: options.epsilon, scope: .init(options.scope))
        case .topK(let options):
            self = .topK(
                percent: options.percent, classWeights: options.classWeights, labelSmoothing: options.labelSmoothing,
                ignoredCount: options.ignored == .counted, scope: .init(options.scope))
        case .onlineHardExampleMining(let options):
            self = .onlineHardExampleMining(
                threshold: options.threshold, minimumKept: options.minimumKept, classWeights: options.classWeights,
                divisor: .init(options.divisor), scope: .init(options.scope))
        case .balancedL1(let options):
            self = .balancedL1(
                negativeRatio: options.negativeRatio, minimumNegatives: options.minimumNegatives,
                scope: .init(options.scope))
        case .lovaszSoftmax(let options): self = .lovaszSoftmax(.init(options))
        case .lovaszHinge(let options): self = .lovaszHinge(.init(options))
        case .absoluteError(let options):
            self = .absoluteError(classWeights: options.classWeights, divisor: .init(options.divisor))
        case .smoothL1(let options):
            self = .smoothL1(
                beta: options.beta, classWeights: options.classWeights, divisor: .init(options.divisor))
        case .squaredError(let options):
            self = .squaredError(classWeights: options.classWeights, divisor: .init(options.divisor))
        case .linear(let options):
            self = .linear(classWeights: options.classWeights, divisor: .init(options.divisor))
        case .boundary(let options): self = .boundary(.init(options))
        case .hausdorff(let options): self = .hausdorff(.init(options))
        }
    }
}

extension SegLossReference.Term.Divisor {
    init(_ divisor: SegLoss.Divisor) {
        switch divisor {
        case .weight: self = .weight
        case .valid: self = .valid
        case .all: self = .all
        case .constant(let value): self = .constant(value)
        case .target: self = .target
        case .factors(let least): self = .factors(least: least)
        }
    }
}

extension SegLossReference.Lovasz {
    /// Of all classes.
    fileprivate init(_ options: SegLoss.Term.Lovasz) {
        precondition(options.classes == .all)
        self.init(.init(options.scope), presentOnly: options.presentOnly, classWeights: options.classWeights)
    }
}

extension SegLossReference.Term.BinaryOptions {
    fileprivate init(_ options: SegLoss.Term.BinaryCrossEntropy) {
        self.init()
        positivesOnly = options.positivesOnly
        logOffset = options.logOffset
        weighsPositives = options.voxelWeights == .positives
    }
}

extension SegLossReference.Term.FocalOptions {
    fileprivate init(_ options: SegLoss.Term.Focal) {
        self.init()
        classAlphas = options.classAlphas
        alphaOfPositives = options.alphaForm == .positives
        positiveWeights = options.positiveWeights
        reducedThreshold = options.reducedThreshold
        byLogit = options.modulation == .logit
        positivesOnly = options.positivesOnly
        logOffset = options.logOffset
    }
}

extension SegLossReference.Term.Scope {
    init(_ scope: SegLoss.Scope) {
        switch scope {
        case .sample: self = .sample
        case .batch: self = .batch
        case .samplePooled: self = .samplePooled
        case .batchPooled: self = .batchPooled
        }
    }
}
