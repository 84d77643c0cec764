import SegLoss
import SegLossReference

/// A kernel's formula for the scalar reference.
enum ReferenceProblem {
    case terms(Problem)
    case binarization(BinarizationProblem, shape: BatchShape)

    func evaluate(scale: Float, wantsGradient: Bool = true) -> Outcome {
        switch self {
        case .terms(let problem): return Reference.evaluate(problem, scale: scale, wantsGradient: wantsGradient)
        case .binarization(let problem, let shape):
            let outcome = problem.evaluate(scale: scale)
            return Outcome(
                value: outcome.value, terms: [outcome.main, outcome.l1, outcome.dice], perClass: [],
                gradient: shape.joined(outcome.mapGradient, outcome.thresholdGradient))
        }
    }
}

extension BinarizationProblem {
    init(_ loss: BinarizationLoss, _ activation: SegLoss.Activation, _ batch: Batch) {
        let main: SegLossReference.Term.Kind =
            switch loss.main {
            case .balanced(let ratio, let minimum, let fallback, let epsilon):
                .balancedBinaryCrossEntropy(
                    negativeRatio: ratio, minimumNegatives: minimum, fallbackNegatives: fallback, epsilon: epsilon,
                    scope: .batch)
            case .dice:
                .dice(
                    smoothNumerator: 0, smoothDenominator: loss.diceEpsilon, squared: false, scope: .batch,
                    excludeBackground: false, classWeights: nil)
            }
        let error: SegLossReference.Term.Kind =
            loss.smoothL1Beta > 0
            ? .smoothL1(beta: loss.smoothL1Beta, classWeights: nil, divisor: .valid)
            : .absoluteError(classWeights: nil, divisor: .valid)
        let (shape, text) = (batch.shape, batch.text)
        func problem(_ channel: Int, _ term: SegLossReference.Term.Kind, _ weight: Double, _ target: [Float],
            _ isByte: Bool, _ mask: Buffer<UInt8>
        ) -> Problem {
            Problem(
                samples: shape.samples, classes: 1, voxels: shape.plane, activation: .init(activation),
                terms: [SegLossReference.Term(term, weight: weight)], logits: shape.channel(channel, of: batch.logits),
                target: .dense(target, byte: isByte), mask: Array(mask.values))
        }
        self.init(
            map: problem(0, main, loss.weights.map, batch.labels.values.map(Float.init), true, text.mask),
            threshold: problem(
                1, error, loss.weights.threshold, Array(text.thresholdMap.values), false, text.thresholdMask),
            binaryWeight: loss.weights.binary, steepness: loss.steepness, diceEpsilon: loss.diceEpsilon)
    }
}

extension BatchShape {
    /// One channel of all samples.
    fileprivate func channel(_ channel: Int, of buffer: Buffer<Float>) -> [Float] {
        (0..<samples).flatMap { sample in
            let first = (sample * classes + channel) * plane
            return Array(buffer.values[first..<first + plane])
        }
    }

    /// Two channels, sample by sample.
    fileprivate func joined(_ first: [Float], _ second: [Float]) -> [Float] {
        (0..<samples).flatMap { sample in
            let range = sample * plane..<(sample + 1) * plane
            return Array(first[range]) + Array(second[range])
        }
    }
}
