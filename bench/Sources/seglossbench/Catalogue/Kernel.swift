import SegLoss

/// A loss as it is benched: what is computed, and what it must cost at least.
struct Kernel: Hashable {
    /// The row's name.
    var name: String
    var family: Family
    var formula: Formula
    var activation: Activation
    var bytes: MinimumBytes
    /// Only matters to losses of one sweep.
    var checks = Checks.whileWriting
    var storage = Storage.planar
    /// The name in `CASES` of peers/peers.py, where others compute the same.
    var peers: String?

    enum Family: String, CaseIterable {
        case softmax = "Softmax over classes"
        case sigmoid = "Sigmoid, one channel"
        case selection = "Hard-negative mining"
        case maps = "Maps of labels"
    }
}

/// Every kernel. Adding a loss to the bench is one entry here and one in the ``Catalogue``.
extension Kernel {
    static let softmaxCrossEntropy = Kernel(
        name: "softmax cross entropy", family: .softmax, loss: .crossEntropy(), activation: .softmax,
        bytes: .oneSweep, peers: "softmax cross entropy")

    static let softmaxDice = Kernel(
        name: "softmax Dice", family: .softmax, loss: .dice(), activation: .softmax,
        bytes: .twoSweeps, peers: "softmax Dice")

    static let softmaxSquaredDice = Kernel(
        name: "softmax squared Dice", family: .softmax, loss: .dice(denominator: .squared), activation: .softmax,
        bytes: .twoSweeps, peers: "softmax squared Dice")

    static let softmaxDiceCrossEntropy = Kernel(
        name: "softmax Dice + cross entropy", family: .softmax, loss: .dice() + .crossEntropy(), activation: .softmax,
        bytes: .twoSweeps, peers: "softmax Dice + cross entropy")

    static let softmaxFocal = Kernel(
        name: "softmax focal, gamma 2", family: .softmax, loss: .focal(gamma: 2, alpha: nil), activation: .softmax,
        bytes: .oneSweep)

    static let softmaxThree = Kernel(
        name: "softmax Dice + cross entropy + focal", family: .softmax,
        loss: .dice() + .crossEntropy() + .focal(gamma: 2, alpha: nil), activation: .softmax, bytes: .twoSweeps)

    static let softmaxDiceChannelFocal = Kernel(
        name: "softmax Dice + focal per channel", family: .softmax,
        loss: .dice() + .focal(gamma: 2, alpha: nil, perChannel: true, divisor: .all), activation: .softmax,
        bytes: .twoSweeps)

    /// The boundary loss beside Dice, its maps given.
    static let softmaxDiceBoundary = Kernel(
        name: "softmax Dice + linear, with maps", family: .softmax, loss: .dice() + 0.01 * .linear(),
        activation: .softmax, bytes: .twoSweepsWithMaps)

    static let softmaxLossMap = Kernel(
        name: "softmax cross entropy, loss map", family: .softmax, loss: .crossEntropy(), activation: .softmax,
        bytes: .oneSweep)

    static let sigmoidLossMap = Kernel(
        name: "sigmoid focal, gamma 2, loss map", family: .sigmoid, loss: .focal(gamma: 2, alpha: 0.25),
        activation: .sigmoid, bytes: .oneSweep)

    static let softmaxMore = [softmaxFocal, softmaxThree, softmaxDiceChannelFocal]

    static let sigmoidBCE = Kernel(
        name: "sigmoid BCE", family: .sigmoid, loss: .binaryCrossEntropy(), activation: .sigmoid,
        bytes: .oneSweep, peers: "sigmoid BCE")

    static let sigmoidFocal = Kernel(
        name: "sigmoid focal, gamma 2", family: .sigmoid, loss: .focal(gamma: 2, alpha: 0.25), activation: .sigmoid,
        bytes: .oneSweep, peers: "sigmoid focal")

    static let binaryDice = Kernel(
        name: "binary Dice", family: .sigmoid, loss: .dice(), activation: .sigmoid,
        bytes: .twoSweeps, peers: "sigmoid Dice")

    static let hardNegativeMining = Kernel(
        name: "hard-negative mining 3:1", family: .selection, loss: .balancedBinaryCrossEntropy(negativeRatio: 3),
        activation: .sigmoid, bytes: .ranking, peers: "hard-negative mining")

    static let softmaxTopK = Kernel(
        name: "softmax cross entropy, top 10 %", family: .softmax, loss: .topK(percent: 10), activation: .softmax,
        bytes: .ranking)

    static let softmaxDiceTopK = Kernel(
        name: "softmax Dice + top 10 %", family: .softmax, loss: .dice() + .topK(percent: 10), activation: .softmax,
        bytes: .ranking)

    static let softmaxHardExamples = Kernel(
        name: "softmax online hard example mining", family: .softmax,
        loss: .onlineHardExampleMining(threshold: 0.7, minimumKept: 100_000), activation: .softmax, bytes: .ranking)

    static let balancedL1 = Kernel(
        name: "sigmoid balanced L1 3:1", family: .selection, loss: .balancedL1(), activation: .sigmoid,
        bytes: .rankingWithMaps)

    static let lovaszSoftmax = Kernel(
        name: "Lovasz softmax", family: .softmax, loss: .lovaszSoftmax(), activation: .softmax, bytes: .sorting,
        peers: "Lovasz softmax")

    static let softmaxLovaszCrossEntropy = Kernel(
        name: "Lovasz softmax + cross entropy", family: .softmax, loss: .lovaszSoftmax() + .crossEntropy(),
        activation: .softmax, bytes: .sorting)

    static let lovaszHinge = Kernel(
        name: "Lovasz hinge", family: .sigmoid, loss: .lovaszHinge(), activation: .sigmoid, bytes: .sorting,
        peers: "Lovasz hinge")

    static let rankings = [softmaxTopK, softmaxDiceTopK, softmaxHardExamples]

    static let absoluteError = Kernel(
        name: "sigmoid absolute error", family: .sigmoid, loss: .absoluteError(), activation: .sigmoid,
        bytes: .oneSweep)

    static let smoothL1 = Kernel(
        name: "sigmoid smooth L1", family: .sigmoid, loss: .smoothL1(), activation: .sigmoid, bytes: .oneSweep)

    static let squaredError = Kernel(
        name: "sigmoid squared error", family: .sigmoid, loss: .squaredError(), activation: .sigmoid,
        bytes: .oneSweep)

    static let linear = Kernel(
        name: "sigmoid linear, with a map", family: .sigmoid, loss: .linear(), activation: .sigmoid,
        bytes: .oneSweepWithMaps)

    static let focalStar = Kernel(
        name: "sigmoid focal star, gamma 2", family: .sigmoid, loss: .focalStar(gamma: 2, alpha: 0.25),
        activation: .sigmoid, bytes: .oneSweep)

    static let normalizedFocal = Kernel(
        name: "sigmoid focal, gamma 2, normalized", family: .sigmoid,
        loss: .focal(gamma: 2, alpha: nil, divisor: .factors()), activation: .sigmoid, bytes: .twoSweeps)

    static let focals = [focalStar, normalizedFocal]

    static let errors = [absoluteError, smoothL1, squaredError, linear]

    static let softmax = [softmaxCrossEntropy, softmaxDice, softmaxSquaredDice, softmaxDiceCrossEntropy]
    static let sigmoid = [sigmoidBCE, sigmoidFocal, binaryDice]

    /// The same loss in the library's default way: everything is checked before the first value is written, which
    /// costs a loss of one sweep a second one.
    var checkedBeforeWriting: Kernel {
        var copy = self
        copy.name += ", checked before writing"
        copy.checks = .beforeWriting
        copy.bytes = .twoSweeps
        copy.peers = nil
        return copy
    }
}
