/// DBNet's loss of a text detector's probability map P and threshold map T, and of their differentiable binarization B
/// (Liao et al., "Real-time Scene Text Detection with Differentiable Binarization", AAAI 2020):
///
///     loss = w_m main(P; gt, mask) + w_t L1(T; threshold map, threshold mask) + w_b Dice(B; gt, mask)
///     B = 1 / (1 + exp(-k (P - T)))
///
/// - main: balanced binary cross entropy over the whole batch (all positives and the hardest negatives), or Dice;
/// - L1: `sum |T - threshold map| / count` over the threshold mask, 0 where that is empty; or smooth L1;
/// - Dice(X): `1 - 2 sum X gt / (sum X + sum gt + epsilon)` over the mask and the whole batch.
///
/// A plain value, as ``Loss`` is: a ``BinarizationEvaluator`` checks and evaluates it. Its properties start with the
/// numbers of DB's published code.
///
///     var loss = BinarizationLoss.db
///     loss.main = .balanced(fallbackNegatives: 100)
public struct BinarizationLoss: Sendable, Hashable {
    /// The loss of the probability map.
    public enum Main: Sendable, Hashable {
        /// Binary cross entropy of all n+ positives and of the k negatives with the largest loss in the whole batch,
        /// found exactly, `k = min(n-, max(floor(negativeRatio * n+), minimumNegatives))`:
        ///
        ///     (sum over these of the loss) / (n+ + k + epsilon)
        ///
        /// Without any positive k is at least `fallbackNegatives` (MMOCR's `fallback_negative_num`), where there are
        /// that many. 0 with a zero gradient where n+ + k = 0. All numbers are at least 0.
        case balanced(
            negativeRatio: Double = 3, minimumNegatives: Int = 0, fallbackNegatives: Int = 0, epsilon: Double = 1e-6)
        /// `1 - 2 sum P gt / (sum P + sum gt + epsilon)` over the batch, with ``BinarizationLoss/diceEpsilon``.
        case dice
    }

    /// The factors of the three parts: finite, negative ones included.
    public struct Weights: Sendable, Hashable {
        /// Of the main loss of the probability map.
        public var map: Double
        /// Of the L1 of the threshold map.
        public var threshold: Double
        /// Of the Dice of the binary map.
        public var binary: Double

        /// Weights of the three parts.
        public init(map: Double, threshold: Double, binary: Double) {
            self.map = map
            self.threshold = threshold
            self.binary = binary
        }
    }

    /// The parts' factors.
    public var weights: Weights
    /// The loss of the probability map.
    public var main: Main
    /// k, how steeply B goes from 0 to 1: above 0, and normal as a `Float`.
    public var steepness: Double
    /// What is added to the denominators of Dice, at least 0. A denominator of 0 gives a loss of 0.
    public var diceEpsilon: Double
    /// 0: the threshold map's loss is the absolute error. Above 0: smooth L1, `d^2 / (2 beta)` where `|d| < beta`, else
    /// `|d| - beta / 2`.
    public var smoothL1Beta: Double

    /// A loss; what is left out is as in DB's code.
    ///
    /// - Parameters:
    ///   - weights: The parts' factors; DB's code has 5, 10 and 1.
    ///   - main: The loss of the probability map.
    ///   - steepness: k.
    ///   - diceEpsilon: What is added to the denominators of Dice.
    ///   - smoothL1Beta: Above 0: smooth L1 instead of the absolute error.
    public init(
        weights: Weights = Weights(map: 5, threshold: 10, binary: 1), main: Main = .balanced(), steepness: Double = 50,
        diceEpsilon: Double = 1e-6, smoothL1Beta: Double = 0
    ) {
        self.weights = weights
        self.main = main
        self.steepness = steepness
        self.diceEpsilon = diceEpsilon
        self.smoothL1Beta = smoothL1Beta
    }

    /// DB's code, `L1BalanceCELoss`: weights 5, 10 and 1, k 50, three negatives for each positive, both epsilons 1e-6.
    public static let db = BinarizationLoss()

    /// The paper's weights, 1, 10 and 1; all else as ``db``.
    public static let paper = BinarizationLoss(weights: Weights(map: 1, threshold: 10, binary: 1))

    /// DB's code, `L1DiceLoss`: Dice of the probability map, weights 1, 10 and 1.
    public static let dbDice = BinarizationLoss(weights: Weights(map: 1, threshold: 10, binary: 1), main: .dice)
}

/// What a ``BinarizationLoss`` came to.
public struct BinarizationEvaluation: Sendable, Hashable {
    /// The loss: the sum of the parts, each times its weight.
    public let value: Double
    /// The loss of the probability map, without its weight.
    public let main: Double
    /// The L1 (or smooth L1) of the threshold map, without its weight.
    public let l1: Double
    /// The Dice loss of the binary map, without its weight.
    public let dice: Double
}
