import SegLoss

/// What a kernel computes: a sum of terms, or a loss that is a call of its own.
enum Formula: Hashable {
    case terms(Loss)
    case binarization(BinarizationLoss)
    /// No loss: a map of the labels.
    case map(MapMaker)
}

extension Kernel {
    /// DBNet's loss of two maps. Its shape has two classes: the channels of the head.
    static let textDetection = Kernel(
        name: "DBNet", family: .selection, formula: .binarization(.db), activation: .sigmoid, bytes: .binarization,
        peers: "DBNet")

    /// A sum of terms.
    init(
        name: String, family: Family, loss: Loss, activation: Activation, bytes: MinimumBytes, peers: String? = nil
    ) {
        self.init(
            name: name, family: family, formula: .terms(loss), activation: activation, bytes: bytes, peers: peers)
    }
}

extension MinimumBytes {
    /// Both maps, the text, the threshold map and a mask for each: a sweep that sums all of them (15 bytes), one more
    /// that ranks the negatives (6), and one that writes both gradients (23).
    static let binarization = MinimumBytes(
        forward: PerVoxel(eachClass: 4, once: 13), gradient: PerVoxel(eachClass: 12, once: 20))
}
