import SegLoss
import SegLossReference

/// How the library is called: everything that must not change a bit of the result, and how the gradient is written.
struct Configuration {
    enum LabelType: CaseIterable { case uint8, uint16, int32, int64, int }

    /// The type of labels; part k of a batch in parts has type k of these, over and over.
    var labels: [LabelType] = [.uint8]
    var threads = 1
    var instructionSet = InstructionSet.best
    var checks = Checks.beforeWriting
    var write = Write.overwrite
    /// What the gradient's memory holds before; `nil`: NaN for overwriting, 0 for adding.
    var oldGradient: [Float]?
    /// Elements before the first one of every buffer, so that its address is odd in elements.
    var misalignment = 0
    /// The gradient replaces the logits; `write` must overwrite.
    var inPlace = false
    /// `nil`: one call for the whole batch. Otherwise these parts, which cover the batch, are accumulated separately,
    /// merged, finished, and the gradient is taken part by part.
    var parts: [Part]?
    /// The order in which the parts' totals are merged; `nil`: as they stand.
    var mergeOrder: [Int]?
    /// Results hold the values of each sample too.
    var perSample = false
    /// Results hold what each class adds to a softmax's pointwise terms too.
    var perClass = false
    /// Without: the value only; the outcome's gradient is empty.
    var wantsGradient = true
    /// What is evaluated in place of the problem's terms.
    var loss: Loss?
}

/// Calls the library through its Swift facade.
enum Library {
    /// The library wrote, or changed, what it should have left alone.
    struct Trespass: Error {
        let what: String
    }

    static func evaluate(_ problem: Problem, _ configuration: Configuration = .init()) throws -> Outcome {
        let call = try Call(problem, configuration)
        return try configuration.parts == nil ? call.whole() : call.inParts()
    }

    /// The loss that a problem's terms are.
    static func loss(_ terms: [SegLossReference.Term]) -> Loss {
        Loss(terms: terms.flatMap { ($0.weight * loss($0.kind)).terms })
    }

    private static func loss(_ kind: SegLossReference.Term.Kind) -> Loss {
        switch kind {
        case .crossEntropy(let classWeights, let labelSmoothing, let divisor, let exponent):
            .crossEntropy(
                classWeights: classWeights, labelSmoothing: labelSmoothing, exponent: exponent,
                divisor: translated(divisor))
        case .binaryCrossEntropy(let positiveWeights, let classWeights, let smoothing, let divisor, let perChannel, let options):
            .binaryCrossEntropy(
                positiveWeights: positiveWeights, classWeights: classWeights, labelSmoothing: smoothing,
                positivesOnly: options.positivesOnly, logOffset: options.logOffset,
                voxelWeights: options.weighsPositives ? .positives : .all,
                perChannel: perChannel, divisor: translated(divisor))
        case .focal(let gamma, let alpha, let classWeights, let divisor, let classGammas, let perChannel, let options):
            .focal(
                gamma: gamma, alpha: alpha, classWeights: classWeights, classGammas: classGammas,
                classAlphas: options.classAlphas, alphaForm: options.alphaOfPositives ? .positives : .balanced,
                positiveWeights: options.positiveWeights, reducedThreshold: options.reducedThreshold,
                modulation: options.byLogit ? .logit : .probability, positivesOnly: options.positivesOnly,
                logOffset: options.logOffset, perChannel: perChannel, divisor: translated(divisor))
        case .focalStar(let gamma, let shift, let alpha, let weights, let divisor):
            .focalStar(gamma: gamma, shift: shift, alpha: alpha, classWeights: weights, divisor: translated(divisor))
        case .region(let options): .region(translated(options))
        case .balancedBinaryCrossEntropy(let ratio, let minimum, let fallback, let epsilon, let scope):
            .balancedBinaryCrossEntropy(
                negativeRatio: ratio, minimumNegatives: minimum, fallbackNegatives: fallback, epsilon: epsilon,
                scope: translated(scope))
        case .topK(let percent, let weights, let smoothing, let ignoredCount, let scope):
            .topK(
                percent: percent, classWeights: weights, labelSmoothing: smoothing, ignored: ignoredCount ? .counted : .excluded,
                scope: translated(scope))
        case .onlineHardExampleMining(let threshold, let minimumKept, let weights, let divisor, let scope):
            .onlineHardExampleMining(
                threshold: threshold, minimumKept: minimumKept, classWeights: weights, divisor: translated(divisor),
                scope: translated(scope))
        case .balancedL1(let ratio, let minimum, let scope):
            .balancedL1(negativeRatio: ratio, minimumNegatives: minimum, scope: translated(scope))
        case .lovaszSoftmax(let options):
            .lovaszSoftmax(
                scope: translated(options.scope), classes: classes(options.classes), presentOnly: options.presentOnly,
                classWeights: options.classWeights)
        case .lovaszHinge(let options):
            .lovaszHinge(
                scope: translated(options.scope), classes: classes(options.classes), presentOnly: options.presentOnly,
                classWeights: options.classWeights)
        case .absoluteError(let weights, let divisor):
            .absoluteError(classWeights: weights, divisor: translated(divisor))
        case .smoothL1(let beta, let weights, let divisor):
            .smoothL1(beta: beta, classWeights: weights, divisor: translated(divisor))
        case .squaredError(let weights, let divisor):
            .squaredError(classWeights: weights, divisor: translated(divisor))
        case .linear(let weights, let divisor):
            .linear(classWeights: weights, divisor: translated(divisor))
        case .boundary(let options): boundary(options)
        case .hausdorff(let options): hausdorff(options)
        }
    }

    static func translated(_ divisor: SegLossReference.Term.Divisor) -> Divisor {
        switch divisor {
        case .weight: .weight
        case .valid: .valid
        case .all: .all
        case .constant(let value): .constant(value)
        case .target: .target
        case .factors(let least): .factors(least: least)
        }
    }

    private static func translated(_ scope: SegLossReference.Term.Scope) -> Scope {
        switch scope {
        case .sample: .sample
        case .batch: .batch
        case .samplePooled: .samplePooled
        case .batchPooled: .batchPooled
        }
    }

    private static func translated(_ region: SegLossReference.Region) -> SegLoss.Region {
        SegLoss.Region(
            formula(region),
            smooth: .separate(numerator: region.smoothNumerator, denominator: region.smoothDenominator),
            denominator: region.squared ? .squared : .linear, intersection: region.minimum ? .minimum : .product,
            scope: translated(region.scope), classes: classes(region), classWeights: classWeights(region),
            value: value(region), exponent: exponent(region), absent: absent(region.absent),
            leastDenominator: region.leastDenominator, leastIntersection: region.leastIntersection,
            voxelWeights: region.weighted ? .inSums : .unused)
    }

    private static func formula(_ region: SegLossReference.Region) -> SegLoss.Region.Formula {
        switch region.formula {
        case .dice: .dice
        case .jaccard: .jaccard
        case .tversky: .tversky(falsePositives: region.alpha, falseNegatives: region.beta)
        case .generalizedDice: .generalizedDice(volumes(region))
        case .matthews:
            .matthews(
                smoothCounts: region.smoothCounts, smoothProduct: region.smoothProduct,
                perfectIsOne: region.perfectIsOne)
        case .leakyDice: .leakyDice(falsePositives: region.alpha, falseNegatives: region.beta)
        }
    }

    private static func volumes(_ region: SegLossReference.Region) -> VolumeWeights {
        let most = region.mostVolumeWeight > 0 ? region.mostVolumeWeight : nil
        switch region.volumeWeighting {
        case .uniform: return .uniform
        case .simple: return .simple(offset: region.volumeOffset, most: most)
        case .square: return .square(offset: region.volumeOffset, most: most)
        }
    }

    private static func classes(_ flags: [Bool]?) -> Classes {
        flags.map { flags in .only(flags.indices.filter { flags[$0] }) } ?? .all
    }

    private static func classes(_ region: SegLossReference.Region) -> Classes {
        guard let flags = region.classes else { return region.excludeBackground ? .foreground : .all }
        return .only(flags.indices.filter { flags[$0] && !(region.excludeBackground && $0 == 0) })
    }

    private static func classWeights(_ region: SegLossReference.Region) -> ClassWeights? {
        guard let weights = region.classWeights else { return nil }
        switch region.weighting {
        case .multiplied: return .multiplied(weights)
        case .normalized: return .normalized(weights)
        case .inside: return .inside(weights)
        }
    }

    private static func value(_ region: SegLossReference.Region) -> SegLoss.Region.Value {
        switch region.value {
        case .oneMinusScore: .oneMinusScore
        case .minusScore: .minusScore
        case .minusLogScore: .minusLogScore(least: region.leastScore)
        case .logCosh: .logCosh
        }
    }

    private static func exponent(_ region: SegLossReference.Region) -> SegLoss.Region.Exponent {
        if let each = region.classExponents { return .each(each) }
        return region.exponentOfMean ? .mean(region.exponent) : .classes(region.exponent)
    }

    private static func absent(_ absent: SegLossReference.Region.Absent) -> Absent {
        switch absent {
        case .natural: .natural
        case .zero: .zero
        case .skipped: .skipped
        case .one: .one
        }
    }
}

extension InstructionSet {
    /// Those that this machine and build can run, without `best`.
    static var available: [InstructionSet] { allCases.filter { $0 != .best && $0.isAvailable } }
}

extension Part {
    /// A problem cut at random: at samples, and within samples at multiples of 64 voxels unless `wholeSamples`. What
    /// ranks the errors of the batch together stays whole.
    static func randomCut(_ problem: Problem, wholeSamples: Bool, using random: inout SplitMix64) -> [Part] {
        if problem.terms.contains(where: \.ranksBatch) {
            return [Part(samples: 0..<problem.samples, voxels: 0..<problem.voxels)]
        }
        var parts: [Part] = []
        var sample = 0
        while sample < problem.samples {
            let end = min(problem.samples, sample + 1 + random.below(problem.samples))
            var voxel = 0
            while voxel < problem.voxels {
                let blocks = (problem.voxels - voxel + 63) / 64
                let stop = wholeSamples ? problem.voxels : min(problem.voxels, voxel + 64 * (1 + random.below(blocks)))
                parts.append(Part(samples: sample..<end, voxels: voxel..<stop))
                voxel = stop
            }
            sample = end
        }
        return parts
    }
}

// MARK: - Buffers

/// What lies before and after the floats of a buffer.
private let filler: Float = -77.25

/// Values with others before and after them.
private func padded<Element>(_ values: [Element], _ filler: Element, _ misalignment: Int) -> [Element] {
    Array(repeating: filler, count: misalignment) + values + Array(repeating: filler, count: 3)
}

/// Part of a problem in buffers of its own, which are all padded.
private struct Piece<Target> {
    var logits: [Float]
    let targets: [Target]
    let mask: [UInt8]?
    let weights: [Float]?
    let maps: [Float]?
    var gradient: [Float]
    let part: Part
    /// Where the values of logits and gradient, of targets, and of mask and weights lie in their buffers.
    let large, target, small: Range<Int>
}

private func withMutableSpan<Result>(
    _ buffer: inout [Float], _ range: Range<Int>, _ body: (inout MutableSpan<Float>) throws -> Result
) throws -> Result {
    try buffer.withUnsafeMutableBufferPointer { buffer in
        var span = UnsafeMutableBufferPointer(rebasing: buffer[range]).mutableSpan
        return try body(&span)
    }
}

/// Whether targets are labels or dense: the two families of functions of the facade under one name each.
private protocol TargetFunctions<Target> {
    associatedtype Target: BitwiseCopyable

    static func evaluate(_ evaluator: inout Evaluator, _ piece: Piece<Target>) throws -> Evaluation
    static func evaluate(
        _ evaluator: inout Evaluator, _ piece: Piece<Target>, _ gradient: inout MutableSpan<Float>, _ write: Write
    ) throws -> Evaluation
    static func evaluateInPlace(
        _ evaluator: inout Evaluator, _ piece: Piece<Target>, _ logits: inout MutableSpan<Float>, _ scale: Float
    ) throws -> Evaluation
    static func accumulate(
        _ evaluator: inout Evaluator, _ piece: Piece<Target>, _ stage: Int, _ totals: inout Totals) throws
    static func gradient(
        _ evaluator: inout Evaluator, _ piece: Piece<Target>, _ coefficients: Coefficients,
        _ gradient: inout MutableSpan<Float>, _ write: Write) throws
    static func gradientInPlace(
        _ evaluator: inout Evaluator, _ piece: Piece<Target>, _ coefficients: Coefficients,
        _ logits: inout MutableSpan<Float>, _ scale: Float) throws
}

private enum AsLabels<Target: Label>: TargetFunctions {
    static func evaluate(_ evaluator: inout Evaluator, _ piece: Piece<Target>) throws -> Evaluation {
        try evaluator.evaluate(
            logits: piece.logits.span.extracting(piece.large), labels: piece.targets.span.extracting(piece.target),
            mask: piece.mask?.span.extracting(piece.small), weights: piece.weights?.span.extracting(piece.small),
            maps: piece.maps?.span.extracting(piece.large))
    }

    static func evaluate(
        _ evaluator: inout Evaluator, _ piece: Piece<Target>, _ gradient: inout MutableSpan<Float>, _ write: Write
    ) throws -> Evaluation {
        try evaluator.evaluate(
            logits: piece.logits.span.extracting(piece.large), labels: piece.targets.span.extracting(piece.target),
            mask: piece.mask?.span.extracting(piece.small), weights: piece.weights?.span.extracting(piece.small),
            maps: piece.maps?.span.extracting(piece.large),
            gradient: &gradient, write: write)
    }

    static func evaluateInPlace(
        _ evaluator: inout Evaluator, _ piece: Piece<Target>, _ logits: inout MutableSpan<Float>, _ scale: Float
    ) throws -> Evaluation {
        try evaluator.evaluateInPlace(
            logits: &logits, labels: piece.targets.span.extracting(piece.target),
            mask: piece.mask?.span.extracting(piece.small), weights: piece.weights?.span.extracting(piece.small),
            maps: piece.maps?.span.extracting(piece.large),
            scale: scale)
    }

    static func accumulate(
        _ evaluator: inout Evaluator, _ piece: Piece<Target>, _ stage: Int, _ totals: inout Totals
    ) throws {
        try evaluator.accumulate(
            logits: piece.logits.span.extracting(piece.large), labels: piece.targets.span.extracting(piece.target),
            mask: piece.mask?.span.extracting(piece.small), weights: piece.weights?.span.extracting(piece.small),
            maps: piece.maps?.span.extracting(piece.large),
            part: piece.part, stage: stage, into: &totals)
    }

    static func gradient(
        _ evaluator: inout Evaluator, _ piece: Piece<Target>, _ coefficients: Coefficients,
        _ gradient: inout MutableSpan<Float>, _ write: Write
    ) throws {
        try evaluator.gradient(
            logits: piece.logits.span.extracting(piece.large), labels: piece.targets.span.extracting(piece.target),
            mask: piece.mask?.span.extracting(piece.small), weights: piece.weights?.span.extracting(piece.small),
            maps: piece.maps?.span.extracting(piece.large),
            part: piece.part, coefficients: coefficients, into: &gradient, write: write)
    }

    static func gradientInPlace(
        _ evaluator: inout Evaluator, _ piece: Piece<Target>, _ coefficients: Coefficients,
        _ logits: inout MutableSpan<Float>, _ scale: Float
    ) throws {
        try evaluator.gradientInPlace(
            logits: &logits, labels: piece.targets.span.extracting(piece.target),
            mask: piece.mask?.span.extracting(piece.small), weights: piece.weights?.span.extracting(piece.small),
            maps: piece.maps?.span.extracting(piece.large),
            part: piece.part, coefficients: coefficients, scale: scale)
    }
}

private enum AsDense<Target: DenseTarget>: TargetFunctions {
    static func evaluate(_ evaluator: inout Evaluator, _ piece: Piece<Target>) throws -> Evaluation {
        try evaluator.evaluate(
            logits: piece.logits.span.extracting(piece.large), targets: piece.targets.span.extracting(piece.target),
            mask: piece.mask?.span.extracting(piece.small), weights: piece.weights?.span.extracting(piece.small),
            maps: piece.maps?.span.extracting(piece.large))
    }

    static func evaluate(
        _ evaluator: inout Evaluator, _ piece: Piece<Target>, _ gradient: inout MutableSpan<Float>, _ write: Write
    ) throws -> Evaluation {
        try evaluator.evaluate(
            logits: piece.logits.span.extracting(piece.large), targets: piece.targets.span.extracting(piece.target),
            mask: piece.mask?.span.extracting(piece.small), weights: piece.weights?.span.extracting(piece.small),
            maps: piece.maps?.span.extracting(piece.large),
            gradient: &gradient, write: write)
    }

    static func evaluateInPlace(
        _ evaluator: inout Evaluator, _ piece: Piece<Target>, _ logits: inout MutableSpan<Float>, _ scale: Float
    ) throws -> Evaluation {
        try evaluator.evaluateInPlace(
            logits: &logits, targets: piece.targets.span.extracting(piece.target),
            mask: piece.mask?.span.extracting(piece.small), weights: piece.weights?.span.extracting(piece.small),
            maps: piece.maps?.span.extracting(piece.large),
            scale: scale)
    }

    static func accumulate(
        _ evaluator: inout Evaluator, _ piece: Piece<Target>, _ stage: Int, _ totals: inout Totals
    ) throws {
        try evaluator.accumulate(
            logits: piece.logits.span.extracting(piece.large), targets: piece.targets.span.extracting(piece.target),
            mask: piece.mask?.span.extracting(piece.small), weights: piece.weights?.span.extracting(piece.small),
            maps: piece.maps?.span.extracting(piece.large),
            part: piece.part, stage: stage, into: &totals)
    }

    static func gradient(
        _ evaluator: inout Evaluator, _ piece: Piece<Target>, _ coefficients: Coefficients,
        _ gradient: inout MutableSpan<Float>, _ write: Write
    ) throws {
        try evaluator.gradient(
            logits: piece.logits.span.extracting(piece.large), targets: piece.targets.span.extracting(piece.target),
            mask: piece.mask?.span.extracting(piece.small), weights: piece.weights?.span.extracting(piece.small),
            maps: piece.maps?.span.extracting(piece.large),
            part: piece.part, coefficients: coefficients, into: &gradient, write: write)
    }

    static func gradientInPlace(
        _ evaluator: inout Evaluator, _ piece: Piece<Target>, _ coefficients: Coefficients,
        _ logits: inout MutableSpan<Float>, _ scale: Float
    ) throws {
        try evaluator.gradientInPlace(
            logits: &logits, targets: piece.targets.span.extracting(piece.target),
            mask: piece.mask?.span.extracting(piece.small), weights: piece.weights?.span.extracting(piece.small),
            maps: piece.maps?.span.extracting(piece.large),
            part: piece.part, coefficients: coefficients, scale: scale)
    }
}

/// A piece without its target type.
private protocol AnyPiece {
    func evaluate(_ evaluator: inout Evaluator) throws -> Evaluation
    mutating func evaluateGradient(_ evaluator: inout Evaluator, _ c: Configuration) throws -> Evaluation
    func accumulate(_ evaluator: inout Evaluator, _ stage: Int, _ totals: inout Totals) throws
    mutating func gradient(_ evaluator: inout Evaluator, _ coefficients: Coefficients, _ c: Configuration) throws
    /// The gradient that was written, after a look at its surroundings.
    func written(_ c: Configuration) throws -> [Float]
    var part: Part { get }
}

private struct TypedPiece<Functions: TargetFunctions>: AnyPiece {
    var piece: Piece<Functions.Target>
    var part: Part { piece.part }

    func evaluate(_ evaluator: inout Evaluator) throws -> Evaluation {
        try Functions.evaluate(&evaluator, piece)
    }

    mutating func evaluateGradient(_ evaluator: inout Evaluator, _ c: Configuration) throws -> Evaluation {
        let inputs = piece
        if c.inPlace {
            return try withMutableSpan(&piece.logits, piece.large) {
                try Functions.evaluateInPlace(&evaluator, inputs, &$0, c.write.scale)
            }
        }
        return try withMutableSpan(&piece.gradient, piece.large) {
            try Functions.evaluate(&evaluator, inputs, &$0, c.write)
        }
    }

    func accumulate(_ evaluator: inout Evaluator, _ stage: Int, _ totals: inout Totals) throws {
        try Functions.accumulate(&evaluator, piece, stage, &totals)
    }

    mutating func gradient(
        _ evaluator: inout Evaluator, _ coefficients: Coefficients, _ c: Configuration
    ) throws {
        let inputs = piece
        if c.inPlace {
            try withMutableSpan(&piece.logits, piece.large) {
                try Functions.gradientInPlace(&evaluator, inputs, coefficients, &$0, c.write.scale)
            }
        } else {
            try withMutableSpan(&piece.gradient, piece.large) {
                try Functions.gradient(&evaluator, inputs, coefficients, &$0, c.write)
            }
        }
    }

    func written(_ c: Configuration) throws -> [Float] {
        let buffer = c.inPlace ? piece.logits : piece.gradient
        for at in buffer.indices where !piece.large.contains(at) && buffer[at] != filler {
            throw Library.Trespass(what: "element \(at - piece.large.lowerBound) of \(piece.large.count)")
        }
        return Array(buffer[piece.large])
    }
}

// MARK: - Calls

private struct Call {
    let problem: Problem
    let configuration: Configuration
    let evaluator: Evaluator

    init(_ problem: Problem, _ configuration: Configuration) throws {
        precondition(!configuration.inPlace || configuration.write.mode == .overwrite)
        self.problem = problem
        self.configuration = configuration
        let activation: Activation =
            switch problem.activation {
            case .softmax: .softmax
            case .sigmoid: .sigmoid
            case .probabilities: .probabilities
            }
        evaluator = try Evaluator(
            configuration.loss ?? Library.loss(problem.terms),
            shape: problem.shape, activation: activation,
            options: Options(
                ignoreIndex: problem.ignoreIndex, threads: configuration.threads,
                instructionSet: configuration.instructionSet, checks: configuration.checks,
                perSample: configuration.perSample, perClass: configuration.perClass))
    }

    func whole() throws -> Outcome {
        var evaluator = evaluator
        var piece = piece(.whole, configuration.labels[0])
        guard configuration.wantsGradient else { return outcome(try piece.evaluate(&evaluator), []) }
        let evaluation = try piece.evaluateGradient(&evaluator, configuration)
        return outcome(evaluation, try piece.written(configuration))
    }

    func inParts() throws -> Outcome {
        var evaluator = evaluator
        var pieces = configuration.parts!.enumerated().map { number, part in
            piece(part, configuration.labels[number % configuration.labels.count])
        }
        var merged = evaluator.makeTotals()
        for stage in 0..<evaluator.stageCount {
            let separate = try pieces.map { piece in
                var totals = merged
                try piece.accumulate(&evaluator, stage, &totals)
                return totals
            }
            for number in configuration.mergeOrder ?? Array(pieces.indices) {
                try merged.merge(separate[number], stage: stage)
            }
        }
        let finished = try evaluator.finish(merged)
        guard configuration.wantsGradient else { return outcome(finished.evaluation, []) }

        var gradient = [Float](repeating: .nan, count: problem.logits.count)
        for number in pieces.indices {
            try pieces[number].gradient(&evaluator, finished.coefficients, configuration)
            let values = try pieces[number].written(configuration)
            for (value, at) in zip(values, indices(pieces[number].part, perClass: true)) { gradient[at] = value }
        }
        return outcome(finished.evaluation, gradient)
    }

    /// Where a part's values lie in the batch: [samples][classes][voxels], or [samples][voxels].
    private func indices(_ part: Part, perClass: Bool) -> [Int] {
        let rows = perClass ? problem.classes : 1
        let voxels = part.voxels ?? 0..<problem.voxels
        return (part.samples ?? 0..<problem.samples).flatMap { sample in
            (0..<rows).flatMap { row in voxels.map { (sample * rows + row) * problem.voxels + $0 } }
        }
    }

    private func piece(_ part: Part, _ type: Configuration.LabelType) -> any AnyPiece {
        switch problem.target {
        case .labels(let labels):
            switch type {
            case .uint8: typed(part, labels, perClass: false, filler: 0xEE, AsLabels<UInt8>.self) { UInt8($0) }
            case .uint16: typed(part, labels, perClass: false, filler: 0xEEEE, AsLabels<UInt16>.self) { UInt16($0) }
            case .int32: typed(part, labels, perClass: false, filler: -9, AsLabels<Int32>.self) { Int32($0) }
            case .int64: typed(part, labels, perClass: false, filler: -9, AsLabels<Int64>.self) { $0 }
            case .int: typed(part, labels, perClass: false, filler: -9, AsLabels<Int>.self) { Int($0) }
            }
        case .dense(let values, byte: true):
            typed(part, values, perClass: true, filler: 0xEE, AsDense<UInt8>.self) { UInt8($0) }
        case .dense(let values, byte: false):
            typed(part, values, perClass: true, filler: -9, AsDense<Float>.self) { $0 }
        }
    }

    private func typed<Functions: TargetFunctions, Source>(
        _ part: Part, _ targets: [Source], perClass: Bool, filler targetFiller: Functions.Target, _: Functions.Type,
        _ convert: (Source) -> Functions.Target
    ) -> TypedPiece<Functions> {
        let isWhole = part == .whole
        let large = isWhole ? [] : indices(part, perClass: true)
        let small = isWhole ? [] : indices(part, perClass: false)
        func cut<Element>(_ values: [Element], _ perClass: Bool) -> [Element] {
            isWhole ? values : (perClass ? large : small).map { values[$0] }
        }
        let offset = configuration.misalignment
        let logits = cut(problem.logits, true)
        let target = cut(targets, perClass).map(convert)
        let old =
            configuration.oldGradient.map { cut($0, true) }
            ?? Array(repeating: configuration.write.mode == .add ? 0 : .nan, count: logits.count)
        return TypedPiece(
            piece: Piece(
                logits: padded(logits, filler, offset),
                targets: padded(target, targetFiller, offset),
                mask: problem.mask.map { padded(cut($0, false), 1, offset) },
                weights: problem.weights.map { padded(cut($0, false), filler, offset) },
                maps: problem.maps.map { padded(cut($0, true), filler, offset) },
                gradient: padded(old, filler, offset),
                part: part,
                large: offset..<offset + logits.count, target: offset..<offset + target.count,
                small: offset..<offset + logits.count / problem.classes))
    }

    private func outcome(_ evaluation: Evaluation, _ gradient: [Float]) -> Outcome {
        // Terms without parts of single classes have 0 in the C library's results and nothing in the facade's.
        let parts = evaluation.terms.flatMap { term in
            let parts = term.perClass
            return parts.isEmpty ? Array(repeating: 0, count: problem.classes) : parts
        }
        var outcome = Outcome(
            value: evaluation.value, terms: evaluation.terms.map(\.value), perClass: parts, gradient: gradient)
        outcome.perSample = evaluation.terms.flatMap(\.perSample)
        return outcome
    }
}
