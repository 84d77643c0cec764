/// The bytes that must move for each voxel, with float logits, one byte of label, and non-temporal stores: what the
/// caches cannot save of a batch larger than they are. Linear in the number of classes.
struct MinimumBytes: Hashable {
    struct PerVoxel: Hashable {
        var eachClass: Int
        var once: Int
    }

    var forward: PerVoxel
    var gradient: PerVoxel
    /// Of one term: a sweep that looks and one that writes one value for each voxel (softmax, or one channel).
    var lossMap = PerVoxel(eachClass: 8, once: 6)

    func perVoxel(_ pass: Pass, classes: Int) -> Int {
        let bytes =
            switch pass {
            case .forward: forward
            case .gradient: gradient
            case .lossMap, .map: lossMap
            }
        return bytes.eachClass * classes + bytes.once
    }

    /// One sweep: logits and labels in, gradient out.
    static let oneSweep = MinimumBytes(
        forward: PerVoxel(eachClass: 4, once: 1), gradient: PerVoxel(eachClass: 8, once: 1))
    /// One sweep that reads a map beside the logits.
    static let oneSweepWithMaps = MinimumBytes(
        forward: PerVoxel(eachClass: 8, once: 1), gradient: PerVoxel(eachClass: 12, once: 1))
    /// A sweep that sums (or checks), and one that writes.
    static let twoSweeps = MinimumBytes(
        forward: PerVoxel(eachClass: 4, once: 1), gradient: PerVoxel(eachClass: 12, once: 2))
    /// The same two that read a map beside the logits, each.
    static let twoSweepsWithMaps = MinimumBytes(
        forward: PerVoxel(eachClass: 8, once: 1), gradient: PerVoxel(eachClass: 20, once: 2))
    /// Two sweeps that rank, and one that writes.
    static let ranking = MinimumBytes(
        forward: PerVoxel(eachClass: 8, once: 2), gradient: PerVoxel(eachClass: 16, once: 3))
    /// The same with maps beside the logits.
    static let rankingWithMaps = MinimumBytes(
        forward: PerVoxel(eachClass: 16, once: 2), gradient: PerVoxel(eachClass: 28, once: 3))
    /// A sweep that writes errors, one that counts their digits, three that move records of 8 bytes, and one that reads
    /// them; for the gradient, slopes written and a sweep that reads them.
    static let sorting = MinimumBytes(
        forward: PerVoxel(eachClass: 4 + 4 + 4 + 12 + 16 + 16 + 8, once: 1),
        gradient: PerVoxel(eachClass: 64 + 4 + 12, once: 2))
}

/// What one call computes.
enum Pass: String, Codable {
    case forward = "forward"
    case gradient = "forward+gradient"
    case lossMap = "loss map"
    /// Of labels alone.
    case map = "map"

    /// Those of every kernel.
    static let standard = [Pass.forward, .gradient]
}
