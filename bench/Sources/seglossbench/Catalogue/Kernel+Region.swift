import SegLoss

/// Region terms beside plain Dice: they cost the same sweeps, whatever is made of the sums.
extension Kernel {
    static let regions: [Kernel] = [
        region("softmax Jaccard", .jaccard()),
        region("softmax Tversky", .tversky()),
        region("softmax focal Tversky", .focalTversky()),
        region("softmax generalized Dice", .generalizedDice()),
        region("softmax log-Dice", .logDice()),
        region("softmax log-cosh Dice", .logCoshDice()),
        region("softmax Matthews", .matthews()),
        region("softmax leaky Dice", .leakyDice()),
        region("softmax weighted Dice", .dice(voxelWeights: .inSums)),
    ]

    private static func region(_ name: String, _ loss: Loss) -> Kernel {
        Kernel(name: name, family: .softmax, loss: loss, activation: .softmax, bytes: .twoSweeps)
    }
}
