import SegLoss

/// Distance maps by themselves.
struct DistanceRow: Hashable {
    var form: DistanceForm
    /// The batch's planes are as high as they are wide: its height is that of all, one after another.
    var isVolume = false

    /// The maps' shape: one class of a batch of one channel, else all classes.
    func shape(_ batch: BatchShape) -> Shape {
        isVolume
            ? .volume(
                samples: batch.samples, classes: batch.classes, depth: batch.height / batch.width, height: batch.width,
                width: batch.width)
            : batch.facade
    }

    /// The labels of the classes.
    func classes(_ batch: BatchShape) -> [Int] { batch.classes == 1 ? [1] : Array(0..<batch.classes) }
}

/// Losses whose maps of distances are made inside the call, and the maps alone.
extension Kernel {
    static let boundary = Kernel(
        name: "softmax boundary, maps inside", family: .softmax, loss: .boundary(), activation: .softmax,
        bytes: .measured, peers: "boundary")

    static let diceBoundary = Kernel(
        name: "softmax Dice + boundary, maps inside", family: .softmax,
        loss: .dice() + 0.01 * .boundary(classes: .foreground), activation: .softmax, bytes: .measured)

    static let hausdorff = Kernel(
        name: "softmax Hausdorff", family: .softmax, loss: .hausdorff(), activation: .softmax, bytes: .measuredTwice,
        peers: "Hausdorff")

    static let hausdorffPower = Kernel(
        name: "softmax Hausdorff, alpha 1.5", family: .softmax, loss: .hausdorff(alpha: 1.5), activation: .softmax,
        bytes: .measuredTwice)

    static let measured = [boundary, diceBoundary, hausdorff, hausdorffPower]

    static let maskDistances = distances("distance map of a mask", DistanceRow(form: .unsigned))
    static let classDistances = distances("signed distance maps", DistanceRow(form: .signed(.minusOne)))
    static let volumeDistances = distances(
        "distance map of a volume", DistanceRow(form: .unsigned, isVolume: true))

    private static func distances(_ name: String, _ row: DistanceRow) -> Kernel {
        Kernel(name: name, maker: .distances(row), bytes: .init(eachClass: 12, once: 1), peers: name)
    }
}

extension MinimumBytes {
    /// Steps are written, read and overwritten by distances, which two sweeps then read.
    static let measured = MinimumBytes(
        forward: PerVoxel(eachClass: 20, once: 2), gradient: PerVoxel(eachClass: 28, once: 3))
    /// Distances of the target and of the prediction, which is looked at before.
    static let measuredTwice = MinimumBytes(
        forward: PerVoxel(eachClass: 52, once: 2), gradient: PerVoxel(eachClass: 64, once: 3))
}

extension Catalogue {
    static func measured() -> [Entry] {
        let losses = Kernel.measured.flatMap { kernel in
            [512, 2048].map { side in
                Entry(
                    kernel: kernel, source: .seeded(.street, BatchShape(1, 4, side, side)),
                    isHeadline: side == 512 && kernel.peers != nil)
            }
        }
        let maps = [
            (Kernel.maskDistances, Scene.lesion(positive: 0.03), BatchShape(1, 1, 2048, 2048)),
            (.classDistances, .street, BatchShape(1, 4, 2048, 2048)),
            (.volumeDistances, .lesion(positive: 0.03), BatchShape(1, 1, 128 * 256, 256)),
        ]
        return losses
            + maps.map { kernel, scene, shape in
                Entry(kernel: kernel, source: .seeded(scene, shape), isHeadline: true, passes: [.map])
            }
    }
}
