// Presets: the losses of frameworks under the frameworks' own names, options and defaults.
//
// A preset computes nothing by itself: it returns a sum of terms, which can be looked at, added to and scaled like any
// other. What each original does, where it errs and what stands here instead: docs/losses/presets.md.

extension Loss {
    /// How many values become one, in the frameworks whose functions have a `reduction`.
    public enum Reduction: Sendable, Hashable {
        /// `"mean"`
        case mean
        /// `"sum"`
        case sum

        /// The divisor of a term whose mean has the divisor `mean`.
        func divisor(mean: Divisor) -> Divisor {
            switch self {
            case .mean: mean
            case .sum: .constant(1)
            }
        }
    }
}
