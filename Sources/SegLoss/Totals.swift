/// The sums that a loss is computed from, over as much of the batch as was accumulated.
///
/// Totals are exact integers: parts of a batch may be accumulated on any number of threads, in any order, on any
/// machine, and merging them is adding integers. What comes of them has the bits of one call on the whole batch.
///
///     var totals = evaluator.makeTotals()
///     for stage in 0..<evaluator.stageCount {
///         for (part, logits, labels) in batch {
///             try evaluator.accumulate(
///                 logits: logits.span, labels: labels.span, part: part, stage: stage, into: &totals)
///         }
///         // Across ranks: all-reduce totals.words[try totals.wordRange(ofStage: stage)] as sums of Int64.
///     }
///     let finished = try evaluator.finish(totals)
///
/// ``Evaluator/makeTotals()`` makes them, all zero. Totals are equal where their words are.
public struct Totals: Sendable, Equatable {
    /// The words. An all-reduce may change their values; their count is the evaluator's.
    public var words: [Int64]
    let plan: Plan

    init(plan: Plan) {
        self.plan = plan
        words = Array(repeating: 0, count: plan.totalsCount)
    }

    /// Sets every word to 0, for another batch; allocates nothing.
    public mutating func reset() {
        for index in words.indices { words[index] = 0 }
    }

    /// Adds the words of one stage of `other`, which must come from an evaluator with the same loss, shape, activation
    /// and ignored label. Totals of up to 2^36 voxels may be merged.
    ///
    /// - Parameters:
    ///   - other: The totals of other parts of the same batch.
    ///   - stage: The stage in which both were accumulated, from 0 to ``Evaluator/stageCount`` less one.
    /// - Throws: ``LossError`` where counts or the stage do not fit, or the sum would not be exact; the totals are then
    ///   as they were.
    public mutating func merge(_ other: Totals, stage: Int = 0) throws(LossError) {
        try plan.checkAgreement(with: other.plan)
        try plan.merge(other.words, into: &words, stage: stage)
    }

    /// Which words a stage adds to: those to add up across machines after it.
    ///
    /// - Parameter stage: From 0 to ``Evaluator/stageCount`` less one.
    /// - Throws: ``LossError`` of the kind ``LossError/Kind/badOption`` where there is no such stage.
    public func wordRange(ofStage stage: Int) throws(LossError) -> Range<Int> {
        try plan.wordRange(ofStage: stage)
    }

    /// Whether the words are equal.
    public static func == (left: Totals, right: Totals) -> Bool {
        left.words == right.words
    }
}
