import SegLoss

/// A map that is made of labels alone.
enum MapMaker: Hashable {
    /// Distances to each class.
    case distances(DistanceRow)
    /// Weights of a box average of class 1.
    case boundary(window: Int)
    /// 1 + 2 on the border of class 1.
    case border(window: Int)
    /// Weights of class frequencies: counted, weighed, mapped.
    case frequencies
    /// U-Net's weights of the gaps between cells.
    case cells

    /// Maps of each class, not one of all.
    var isOfEachClass: Bool {
        if case .distances = self { true } else { false }
    }
}

extension Kernel {
    static let boundaryWeights = Kernel(
        name: "boundary weights, box 50 x 50", maker: .boundary(window: 50), bytes: .init(eachClass: 0, once: 5),
        peers: "boundary weights")
    static let boundaryWeightsSmall = Kernel(
        name: "boundary weights, box 5 x 5", maker: .boundary(window: 5), bytes: .init(eachClass: 0, once: 5))
    static let borderWeights = Kernel(
        name: "border weights, box 11 x 11", maker: .border(window: 11), bytes: .init(eachClass: 0, once: 5))
    static let frequencyWeights = Kernel(
        name: "class frequency weights", maker: .frequencies, bytes: .init(eachClass: 0, once: 6))
    static let cellWeights = Kernel(
        name: "U-Net weights, 32-bit labels", maker: .cells, bytes: .init(eachClass: 0, once: 8))

    /// Maps of labels, of whatever classes.
    static let maps = [classDistances, boundaryWeights, boundaryWeightsSmall, borderWeights, frequencyWeights]

    init(name: String, maker: MapMaker, bytes: MinimumBytes.PerVoxel, peers: String? = nil) {
        self.init(
            name: name, family: .maps, formula: .map(maker), activation: .probabilities,
            bytes: MinimumBytes(forward: bytes, gradient: bytes, lossMap: bytes), peers: peers)
    }
}
