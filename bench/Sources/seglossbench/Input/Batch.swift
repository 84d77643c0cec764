/// A batch in memory: what every kernel of one shape is timed with.
struct Batch {
    let shape: BatchShape
    let logits: Buffer<Float>
    let labels: Buffer<UInt8>
    let maps: Maps
    let text: KnownText
    let stored: StoredLogits
    let cells: Cells
    var ignoreIndex: Int?

    init(shape: BatchShape, ignoreIndex: Int? = nil) {
        self.init(
            shape: shape, logits: Buffer(count: shape.values), labels: Buffer(count: shape.voxels),
            ignoreIndex: ignoreIndex)
    }

    private init(shape: BatchShape, logits: Buffer<Float>, labels: Buffer<UInt8>, ignoreIndex: Int?) {
        self.shape = shape
        self.logits = logits
        self.labels = labels
        maps = Maps(logits)
        text = KnownText(shape, labels)
        stored = StoredLogits(shape, logits)
        cells = Cells(shape, labels)
        self.ignoreIndex = ignoreIndex
    }

    /// The same values elsewhere in memory.
    func copy() -> Batch {
        Batch(
            shape: shape, logits: Buffer(copying: logits), labels: Buffer(copying: labels), ignoreIndex: ignoreIndex)
    }

    /// The middle of the first samples.
    func crop(samples: Int, height: Int, width: Int) -> Batch {
        let cropped = BatchShape(
            min(samples, shape.samples), shape.classes, min(height, shape.height), min(width, shape.width))
        let part = Batch(shape: cropped, ignoreIndex: ignoreIndex)
        let (top, left) = ((shape.height - cropped.height) / 2, (shape.width - cropped.width) / 2)
        func copyPlane<T>(_ plane: Int, from source: Buffer<T>, to target: Buffer<T>) {
            for y in 0..<cropped.height {
                for x in 0..<cropped.width {
                    target.values[plane * cropped.plane + y * cropped.width + x] =
                        source.values[plane * shape.plane + (top + y) * shape.width + left + x]
                }
            }
        }
        for plane in 0..<cropped.samples * cropped.classes { copyPlane(plane, from: logits, to: part.logits) }
        for plane in 0..<cropped.samples { copyPlane(plane, from: labels, to: part.labels) }
        return part
    }
}

/// What a linear loss multiplies: the numbers of the logits, elsewhere in memory, made when they are first asked for.
final class Maps {
    private let logits: Buffer<Float>
    private(set) lazy var buffer = Buffer(copying: logits)

    init(_ logits: Buffer<Float>) {
        self.logits = logits
    }
}

/// Where a batch comes from.
enum BatchSource {
    case seeded(Scene, BatchShape)
    case given(Batch)

    var shape: BatchShape {
        switch self {
        case .seeded(_, let shape): shape
        case .given(let batch): batch.shape
        }
    }

    /// Entries with the same key are timed with the same batch.
    var key: String {
        switch self {
        case .seeded(let scene, let shape): "\(scene) \(shape.text)"
        case .given(let batch): "given \(batch.shape.text)"
        }
    }

    func batch() -> Batch {
        switch self {
        case .seeded(let scene, let shape): scene.batch(shape)
        case .given(let batch): batch
        }
    }

    /// A batch of the same kind, small enough for the scalar reference, with a tail behind the last full vector; maps'
    /// references look at every pair of voxels, also as a volume of three planes.
    func small(isForMaps: Bool = false) -> Batch {
        let (height, width) = isForMaps ? (57, 19) : (97, 131)
        switch self {
        case .seeded(let scene, let shape):
            return scene.batch(BatchShape(min(2, shape.samples), shape.classes, height, width))
        case .given(let batch):
            return batch.crop(samples: 2, height: height, width: width)
        }
    }
}
