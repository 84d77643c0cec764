/// What a loss came to: its value and the parts of it.
///
/// An evaluation shares memory with the evaluator that made it. As long as it is kept, nothing changes in it; but the
/// evaluator's next call must then find other memory for its results, one small allocation. Let go of an evaluation
/// before the next call, as a training loop's body does by itself, and that call allocates nothing.
public struct Evaluation: Sendable, Hashable {
    /// The loss: the sum over the terms of weight times value.
    public let value: Double
    private let loss: Loss
    private let classes: Int
    /// The value of each term, then for each term its parts of each class.
    private let numbers: [Double]

    init(value: Double, loss: Loss, classes: Int, numbers: [Double]) {
        self.value = value
        self.loss = loss
        self.classes = classes
        self.numbers = numbers
    }

    /// The loss's terms, in the order of ``Loss/terms``.
    public var terms: Terms { Terms(evaluation: self) }

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
            let count = term.term.hasClassParts ? evaluation.classes : 0
            return TermResult(
                weight: term.weight,
                value: evaluation.numbers[position],
                classParts: evaluation.numbers[first..<first + count])
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

    /// The term's parts that belong to single classes or channels, one for each:
    ///
    /// - Dice: the class's loss without its class weight, the mean of the samples; 0 for a background left out.
    /// - Binary cross entropy and focal loss: what the channel adds to the value.
    /// - Cross entropy and balanced binary cross entropy have no such parts: the array is empty.
    ///
    /// The array is made when it is asked for.
    public var perClass: [Double] { Array(classParts) }
}
