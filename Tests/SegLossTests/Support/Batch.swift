import Foundation
import SegLoss
import SegLossReference

/// A problem's buffers and every verb of the facade on them, whatever the targets' type. Unlike ``Library`` it leaves
/// the calls to the test: which, in what order, and what becomes of the buffers when one is refused.
struct Batch {
    enum Targets {
        case uint8([UInt8])
        case uint16([UInt16])
        case int32([Int32])
        case int64([Int64])
        case int([Int])
        case bytes([UInt8])
        case floats([Float])
    }

    var logits: [Float]
    var targets: Targets
    var mask: [UInt8]?
    var weights: [Float]?
    var maps: [Float]?
    var gradient: [Float]

    /// The gradient holds `gradient` everywhere.
    init(_ problem: Problem, labels type: Configuration.LabelType = .uint8, gradient: Float = 0.5) {
        logits = problem.logits
        mask = problem.mask
        weights = problem.weights
        maps = problem.maps
        self.gradient = Array(repeating: gradient, count: problem.logits.count)
        switch problem.target {
        case .dense(let values, byte: false): targets = .floats(values)
        case .dense(let values, byte: true): targets = .bytes(values.map { UInt8($0) })
        case .labels(let labels):
            switch type {
            case .uint8: targets = .uint8(labels.map { UInt8($0) })
            case .uint16: targets = .uint16(labels.map { UInt16($0) })
            case .int32: targets = .int32(labels.map { Int32($0) })
            case .int64: targets = .int64(labels)
            case .int: targets = .int(labels.map { Int($0) })
            }
        }
    }

    func evaluate(_ e: inout Evaluator) throws(LossError) -> Evaluation {
        switch targets {
        case .uint8(let t): try e.evaluate(logits: logits, labels: t, mask: mask, weights: weights, maps: maps)
        case .uint16(let t): try e.evaluate(logits: logits, labels: t, mask: mask, weights: weights, maps: maps)
        case .int32(let t): try e.evaluate(logits: logits, labels: t, mask: mask, weights: weights, maps: maps)
        case .int64(let t): try e.evaluate(logits: logits, labels: t, mask: mask, weights: weights, maps: maps)
        case .int(let t): try e.evaluate(logits: logits, labels: t, mask: mask, weights: weights, maps: maps)
        case .bytes(let t): try e.evaluate(logits: logits, targets: t, mask: mask, weights: weights, maps: maps)
        case .floats(let t): try e.evaluate(logits: logits, targets: t, mask: mask, weights: weights, maps: maps)
        }
    }

    mutating func evaluateGradient(_ e: inout Evaluator, _ w: Write = .overwrite) throws(LossError) -> Evaluation {
        switch targets {
        case .uint8(let t):
            try e.evaluate(logits: logits, labels: t, mask: mask, weights: weights,
                maps: maps, gradient: &gradient, write: w)
        case .uint16(let t):
            try e.evaluate(logits: logits, labels: t, mask: mask, weights: weights,
                maps: maps, gradient: &gradient, write: w)
        case .int32(let t):
            try e.evaluate(logits: logits, labels: t, mask: mask, weights: weights,
                maps: maps, gradient: &gradient, write: w)
        case .int64(let t):
            try e.evaluate(logits: logits, labels: t, mask: mask, weights: weights,
                maps: maps, gradient: &gradient, write: w)
        case .int(let t):
            try e.evaluate(logits: logits, labels: t, mask: mask, weights: weights,
                maps: maps, gradient: &gradient, write: w)
        case .bytes(let t):
            try e.evaluate(logits: logits, targets: t, mask: mask, weights: weights,
                maps: maps, gradient: &gradient, write: w)
        case .floats(let t):
            try e.evaluate(logits: logits, targets: t, mask: mask, weights: weights,
                maps: maps, gradient: &gradient, write: w)
        }
    }

    mutating func evaluateInPlace(_ e: inout Evaluator, scale: Float = 1) throws(LossError) -> Evaluation {
        switch targets {
        case .uint8(let t):
            try e.evaluateInPlace(logits: &logits, labels: t, mask: mask, weights: weights, maps: maps, scale: scale)
        case .uint16(let t):
            try e.evaluateInPlace(logits: &logits, labels: t, mask: mask, weights: weights, maps: maps, scale: scale)
        case .int32(let t):
            try e.evaluateInPlace(logits: &logits, labels: t, mask: mask, weights: weights, maps: maps, scale: scale)
        case .int64(let t):
            try e.evaluateInPlace(logits: &logits, labels: t, mask: mask, weights: weights, maps: maps, scale: scale)
        case .int(let t):
            try e.evaluateInPlace(logits: &logits, labels: t, mask: mask, weights: weights, maps: maps, scale: scale)
        case .bytes(let t):
            try e.evaluateInPlace(logits: &logits, targets: t, mask: mask, weights: weights, maps: maps, scale: scale)
        case .floats(let t):
            try e.evaluateInPlace(logits: &logits, targets: t, mask: mask, weights: weights, maps: maps, scale: scale)
        }
    }

    func accumulate(
        _ e: inout Evaluator, part: Part = .whole, stage: Int = 0, into totals: inout Totals
    ) throws(LossError) {
        switch targets {
        case .uint8(let t):
            try e.accumulate(
                logits: logits.span, labels: t.span, mask: mask?.span, weights: weights?.span,
                    maps: maps?.span, part: part,
                stage: stage, into: &totals)
        case .uint16(let t):
            try e.accumulate(
                logits: logits.span, labels: t.span, mask: mask?.span, weights: weights?.span,
                    maps: maps?.span, part: part,
                stage: stage, into: &totals)
        case .int32(let t):
            try e.accumulate(
                logits: logits.span, labels: t.span, mask: mask?.span, weights: weights?.span,
                    maps: maps?.span, part: part,
                stage: stage, into: &totals)
        case .int64(let t):
            try e.accumulate(
                logits: logits.span, labels: t.span, mask: mask?.span, weights: weights?.span,
                    maps: maps?.span, part: part,
                stage: stage, into: &totals)
        case .int(let t):
            try e.accumulate(
                logits: logits.span, labels: t.span, mask: mask?.span, weights: weights?.span,
                    maps: maps?.span, part: part,
                stage: stage, into: &totals)
        case .bytes(let t):
            try e.accumulate(
                logits: logits.span, targets: t.span, mask: mask?.span, weights: weights?.span,
                    maps: maps?.span, part: part,
                stage: stage, into: &totals)
        case .floats(let t):
            try e.accumulate(
                logits: logits.span, targets: t.span, mask: mask?.span, weights: weights?.span,
                    maps: maps?.span, part: part,
                stage: stage, into: &totals)
        }
    }

    mutating func gradient(
        _ e: inout Evaluator, part: Part = .whole, _ coefficients: Coefficients, _ write: Write = .overwrite
    ) throws(LossError) {
        let (logits, targets, mask, weights, maps) = (logits, targets, mask, weights, maps)
        var span = gradient.mutableSpan
        switch targets {
        case .uint8(let t):
            try e.gradient(
                logits: logits.span, labels: t.span, mask: mask?.span, weights: weights?.span,
                    maps: maps?.span, part: part,
                coefficients: coefficients, into: &span, write: write)
        case .uint16(let t):
            try e.gradient(
                logits: logits.span, labels: t.span, mask: mask?.span, weights: weights?.span,
                    maps: maps?.span, part: part,
                coefficients: coefficients, into: &span, write: write)
        case .int32(let t):
            try e.gradient(
                logits: logits.span, labels: t.span, mask: mask?.span, weights: weights?.span,
                    maps: maps?.span, part: part,
                coefficients: coefficients, into: &span, write: write)
        case .int64(let t):
            try e.gradient(
                logits: logits.span, labels: t.span, mask: mask?.span, weights: weights?.span,
                    maps: maps?.span, part: part,
                coefficients: coefficients, into: &span, write: write)
        case .int(let t):
            try e.gradient(
                logits: logits.span, labels: t.span, mask: mask?.span, weights: weights?.span,
                    maps: maps?.span, part: part,
                coefficients: coefficients, into: &span, write: write)
        case .bytes(let t):
            try e.gradient(
                logits: logits.span, targets: t.span, mask: mask?.span, weights: weights?.span,
                    maps: maps?.span, part: part,
                coefficients: coefficients, into: &span, write: write)
        case .floats(let t):
            try e.gradient(
                logits: logits.span, targets: t.span, mask: mask?.span, weights: weights?.span,
                    maps: maps?.span, part: part,
                coefficients: coefficients, into: &span, write: write)
        }
    }

    mutating func gradientInPlace(
        _ e: inout Evaluator, part: Part = .whole, _ coefficients: Coefficients, scale: Float = 1
    ) throws(LossError) {
        let (targets, mask, weights, maps) = (targets, mask, weights, maps)
        var span = logits.mutableSpan
        switch targets {
        case .uint8(let t):
            try e.gradientInPlace(
                logits: &span, labels: t.span, mask: mask?.span, weights: weights?.span, maps: maps?.span, part: part,
                coefficients: coefficients, scale: scale)
        case .uint16(let t):
            try e.gradientInPlace(
                logits: &span, labels: t.span, mask: mask?.span, weights: weights?.span, maps: maps?.span, part: part,
                coefficients: coefficients, scale: scale)
        case .int32(let t):
            try e.gradientInPlace(
                logits: &span, labels: t.span, mask: mask?.span, weights: weights?.span, maps: maps?.span, part: part,
                coefficients: coefficients, scale: scale)
        case .int64(let t):
            try e.gradientInPlace(
                logits: &span, labels: t.span, mask: mask?.span, weights: weights?.span, maps: maps?.span, part: part,
                coefficients: coefficients, scale: scale)
        case .int(let t):
            try e.gradientInPlace(
                logits: &span, labels: t.span, mask: mask?.span, weights: weights?.span, maps: maps?.span, part: part,
                coefficients: coefficients, scale: scale)
        case .bytes(let t):
            try e.gradientInPlace(
                logits: &span, targets: t.span, mask: mask?.span, weights: weights?.span, maps: maps?.span, part: part,
                coefficients: coefficients, scale: scale)
        case .floats(let t):
            try e.gradientInPlace(
                logits: &span, targets: t.span, mask: mask?.span, weights: weights?.span, maps: maps?.span, part: part,
                coefficients: coefficients, scale: scale)
        }
    }
}

extension Evaluator {
    /// What evaluates a problem.
    init(_ problem: Problem, _ options: Options = Options()) throws(LossError) {
        var options = options
        options.ignoreIndex = problem.ignoreIndex
        try self.init(
            Library.loss(problem.terms),
            shape: problem.shape, activation: Activation(problem.activation), options: options)
    }
}

extension Activation {
    init(_ activation: Problem.Activation) {
        switch activation {
        case .softmax: self = .softmax
        case .sigmoid: self = .sigmoid
        case .probabilities: self = .probabilities
        }
    }
}

extension Problem {
    /// Where a part's values lie in the batch's buffers: `[samples][rows][voxels]`, a row being a class or, with
    /// `rows` 1, the labels.
    func places(_ part: Part, rows: Int) -> [Int] {
        (part.samples ?? 0..<samples).flatMap { sample in
            (0..<rows).flatMap { row in (part.voxels ?? 0..<voxels).map { (sample * rows + row) * voxels + $0 } }
        }
    }

    /// A part of the batch in buffers of its own. Its counts are the part's; a plan needs the whole problem's.
    func cut(_ part: Part) -> Problem {
        let large = places(part, rows: classes)
        let small = places(part, rows: 1)
        var cut = self
        cut.logits = large.map { logits[$0] }
        switch target {
        case .labels(let labels): cut.target = .labels(small.map { labels[$0] })
        case .dense(let values, let byte): cut.target = .dense(large.map { values[$0] }, byte: byte)
        }
        cut.mask = mask.map { mask in small.map { mask[$0] } }
        cut.weights = weights.map { weights in small.map { weights[$0] } }
        cut.maps = maps.map { maps in large.map { maps[$0] } }
        cut.samples = part.samples?.count ?? samples
        cut.voxels = part.voxels?.count ?? voxels
        return cut
    }

    /// The labels, where there are some; empty otherwise.
    var labels: [Int64] {
        get { if case .labels(let labels) = target { labels } else { [] } }
        set { target = .labels(newValue) }
    }

    /// The dense targets, where there are some; empty otherwise.
    var dense: [Float] {
        get { if case .dense(let values, _) = target { values } else { [] } }
        set { if case .dense(_, let byte) = target { target = .dense(newValue, byte: byte) } }
    }
}

/// Whether two arrays hold the same bits.
func sameBits<Element: BitwiseCopyable>(_ a: [Element], _ b: [Element]) -> Bool {
    a.count == b.count && a.withUnsafeBytes { a in b.withUnsafeBytes { b in a.elementsEqualByMemory(b) } }
}

extension UnsafeRawBufferPointer {
    fileprivate func elementsEqualByMemory(_ other: UnsafeRawBufferPointer) -> Bool {
        guard let start = baseAddress, let otherStart = other.baseAddress else { return count == other.count }
        return count == other.count && memcmp(start, otherStart, count) == 0
    }
}
