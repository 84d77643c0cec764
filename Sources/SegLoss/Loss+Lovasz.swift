// The terms that sort errors: Lovász losses.

extension Loss {
    /// The Lovász softmax: the Lovász extension of the Jaccard loss, of probabilities.
    ///
    ///     L_c = sum_k e_k (J_k - J_k-1),    J_k = 1 - (F - f_k) / (F + b_k)
    ///
    /// over the errors of a class, the greatest first: `e = 1 - p` at the voxels of the class (the foreground, `F` of
    /// them) and `p` at the others; `f_k` and `b_k` of the first `k` errors are foreground and background, so that
    /// `J_k` is the Jaccard loss of getting just these wrong. The term is the mean over the classes that count of `w_c
    /// L_c`, then over the samples. From Berman, Triki and Blaschko, "The Lovász-Softmax loss: A tractable surrogate
    /// for the optimization of the intersection-over-union measure in neural networks" (2018). For every
    /// ``Activation``; targets must be 0 or 1. Nothing valid gives 0 with a zero gradient.
    ///
    /// Among equal errors the one with the lowest index comes first; the value does not depend on that. Voxel weights
    /// do not enter. A loss has one Lovász term at most, and with ``Activation/softmax`` none beside a region term with
    /// weighted sums. Parts of a batch must be whole samples, over the batch the whole batch. An evaluator holds 4
    /// bytes for each value and 16 for each of the values that are sorted at a time.
    ///
    /// - Parameters:
    ///   - scope: Whether the errors of each sample are sorted by themselves or those of the batch together; pooled,
    ///     those of all classes together.
    ///   - classes: Which classes take part.
    ///   - presentOnly: Whether a class without foreground does not count (Berman's `"present"`) or counts its greatest
    ///     error (`"all"`, and lists of classes).
    ///   - classWeights: `w`, one for each class, each at least 0 and not all 0; `nil`: all 1. They divide nothing. Not
    ///     for pooled scopes.
    public static func lovaszSoftmax(
        scope: Scope = .batch, classes: Classes = .all, presentOnly: Bool = true, classWeights: [Float]? = nil
    ) -> Loss {
        let term = Term.Lovasz(scope: scope, classes: classes, presentOnly: presentOnly, classWeights: classWeights)
        return Loss(terms: [WeightedTerm(term: .lovaszSoftmax(term))])
    }

    /// The Lovász hinge: the Lovász extension of the Jaccard loss, of logits.
    ///
    /// As ``lovaszSoftmax(scope:classes:presentOnly:classWeights:)``, of the errors `max(0, 1 - x)` of the foreground's
    /// logits and `max(0, 1 + x)` of the others'. From Yu and Blaschko, "Learning Submodular Losses with the Lovász
    /// Hinge" (2015). For ``Activation/sigmoid``, each channel being a class; targets must be 0 or 1.
    ///
    /// - Parameters:
    ///   - scope: Whether the errors of each sample are sorted by themselves or those of the batch together; pooled,
    ///     those of all channels together, as smp's `"multilabel"` does.
    ///   - classes: Which channels take part.
    ///   - presentOnly: Whether a channel without foreground does not count, or counts its greatest error.
    ///   - classWeights: `w`, one for each channel, each at least 0 and not all 0; `nil`: all 1. They divide nothing.
    ///     Not for pooled scopes.
    public static func lovaszHinge(
        scope: Scope = .sample, classes: Classes = .all, presentOnly: Bool = false, classWeights: [Float]? = nil
    ) -> Loss {
        let term = Term.Lovasz(scope: scope, classes: classes, presentOnly: presentOnly, classWeights: classWeights)
        return Loss(terms: [WeightedTerm(term: .lovaszHinge(term))])
    }
}

extension Term {
    /// The options of a Lovász term.
    public struct Lovasz: Sendable, Hashable {
        /// Over what errors are sorted.
        public var scope: Scope
        /// Which classes take part.
        public var classes: Classes
        /// Whether a class without foreground does not count.
        public var presentOnly: Bool
        /// One weight for each class; `nil`: all 1.
        public var classWeights: [Float]?
    }
}
