/// What a loss came to: its value and the parts of it.
///
/// An evaluation shares memory with the evaluator that made it. As long as it is kept, nothing changes in it; but the
/// evaluator's next call must then find other memory for its results, one small allocation. Let go of an evaluation
/// before the next call, as a training loop's body does by itself, and that call allocates nothing.
public struct Evaluation: Sendable, Hashable {
    /// The loss: the sum over the terms of weight times value.
    public let value: Double
    private let loss: Loss
    private let activation: Activation
    private let classes: Int
    /// Whether pointwise terms of a softmax have parts of single classes.
    private let hasClassParts: Bool
    /// Samples with values of their own: all, or none.
    private let samples: Int
    /// The value of each term, then for each term its parts of each class, then for each its values of each sample.
    private let numbers: [Double]

    init(value: Double, of evaluator: Evaluator, numbers: [Double]) {
        self.value = value
        loss = evaluator.loss
        activation = evaluator.activation
        classes = evaluator.shape.classes
        hasClassParts = evaluator.options.perClass
        samples = evaluator.plan.valuedSamples
        self.numbers = numbers
    }

    /// The loss of each sample alone: the sum over the terms of weight times ``TermResult/perSample``, with the same
    /// exceptions. Empty unless ``Options/perSample`` asked for it. The array is made when it is asked for.
    public var perSample: [Double] {
        var sums = [Double](repeating: 0, count: samples)
        for term in terms {
            for (sample, value) in term.sampleValues.enumerated() { sums[sample] += term.weight * value }
        }
        return sums
    }

    /// The loss's terms, in the order of ``Loss/terms``.
    public var terms: Terms { Terms(evaluation: self) }

    private func sampleValues(_ position: Int) -> ArraySlice<Double> {
        let first = loss.terms.count * (1 + classes) + position * samples
        return numbers[first..<first + samples]
    }

    /// The loss's terms and what they came to; reading them allocates nothing.
    public struct Terms: RandomAccessCollection, Sendable, Hashable {
        fileprivate let evaluation: Evaluation

        /// 0.
        public var startIndex: Int { 0 }
        /// The number of terms.
        public var endIndex: Int { evaluation.loss.terms.count }

        /// The term at a position of ``Loss/terms``.
        public subscript(position: Int) -> TermResult {
            let term = evaluation.loss.terms[position]
            let first = endIndex + position * evaluation.classes
            let hasParts = term.term.hasClassParts(evaluation.activation, always: evaluation.hasClassParts)
            let count = hasParts ? evaluation.classes : 0
            return TermResult(
                weight: term.weight,
                value: evaluation.numbers[position],
                classParts: evaluation.numbers[first..<first + count],
                sampleValues: evaluation.sampleValues(position))
        }
    }
}

/// What one term of a loss came to.
public struct TermResult: Sendable, Hashable {
    /// The term's factor in the loss.
    public let weight: Double
    /// The term without its factor.
    public let value: Double
    fileprivate let classParts: ArraySlice<Double>
    fileprivate let sampleValues: ArraySlice<Double>

    /// The term's parts that belong to single classes or channels, one for each:
    ///
    /// - Dice and the other region terms: the class's loss without its class weight, the mean of the samples; 0 for a
    ///   background left out.
    /// - Pointwise terms of channels: what the channel adds to the value.
    /// - Pointwise terms of a softmax, where ``Options/perClass`` asked for them: what the voxels of that label add (0
    ///   with dense targets); of terms per channel and errors of the probability, what the class's values add. The
    ///   array is empty where they were not asked for.
    /// - Balanced binary cross entropy has no such parts: the array is empty.
    ///
    /// The array is made when it is asked for.
    public var perClass: [Double] { Array(classParts) }

    /// What the term is of each sample alone, as if the batch were that sample, to the same bits: its own divisor, its
    /// own sums, its own ranking. 0 for a term that selects or sorts with ``Scope/batch``, which ranks the samples
    /// together. Empty
    /// unless ``Options/perSample`` asked for it.
    ///
    /// The array is made when it is asked for.
    public var perSample: [Double] { Array(sampleValues) }
}
