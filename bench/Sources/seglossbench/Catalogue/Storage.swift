import SegLoss

/// How logits and gradient lie in memory.
struct Storage: Hashable {
    var type = LogitFormat.float
    /// [samples][height][width][classes] in the place of [samples][classes][height][width].
    var isChannelsLast = false

    static let planar = Storage()
    static let channelsLast = Storage(isChannelsLast: true)
    static let half = Storage(type: .half)
    static let bfloat = Storage(type: .bfloat)
    static let halfChannelsLast = Storage(type: .half, isChannelsLast: true)

    /// The others beside ``planar``, which is what everything else is timed with.
    static let others = [channelsLast, half, bfloat, halfChannelsLast]

    /// What a kernel's name says of it.
    var suffix: String {
        let type =
            switch type {
            case .float: ""
            case .half: ", half"
            case .bfloat: ", bfloat16"
            }
        return type + (isChannelsLast ? ", channels last" : "")
    }

    var bytesOfValue: Int { type == .float ? 4 : 2 }

    /// The gradient's factor: a mean's gradients are too small for a half, so training in halves scales its loss.
    var scale: Float { type == .float ? 1 : 0x1p16 }

    func layout(_ shape: BatchShape) -> Layout { isChannelsLast ? .channelsLast(shape.facade) : .contiguous }

    /// Where the element is that planar memory has at `index`.
    func place(_ index: Int, _ shape: BatchShape) -> Int {
        guard isChannelsLast else { return index }
        let (sample, rest) = index.quotientAndRemainder(dividingBy: shape.classes * shape.plane)
        let (channel, voxel) = rest.quotientAndRemainder(dividingBy: shape.plane)
        return (sample * shape.plane + voxel) * shape.classes + channel
    }

    /// What a number is after it was stored.
    func rounded(_ value: Float) -> Float {
        switch type {
        case .float: value
        case .half: Float(Float16(value))
        case .bfloat: Float(BFloat16(value))
        }
    }

    /// The number at a place of memory of this type.
    func value(at place: Int, of buffer: Buffer<Float>) -> Float {
        switch type {
        case .float: buffer.values[place]
        case .half: Float(buffer.elements(of: Float16.self, count: place + 1)[place])
        case .bfloat: Float(buffer.elements(of: BFloat16.self, count: place + 1)[place])
        }
    }
}

extension Kernel {
    /// The same loss of logits that lie otherwise.
    func stored(as storage: Storage) -> Kernel {
        var copy = self
        copy.name += storage.suffix
        copy.storage = storage
        copy.bytes = bytes.of(bytesOfValue: storage.bytesOfValue)
        copy.peers = nil
        return copy
    }
}

extension MinimumBytes {
    /// With logits and gradients of so many bytes each.
    fileprivate func of(bytesOfValue: Int) -> MinimumBytes {
        func scaled(_ bytes: PerVoxel) -> PerVoxel {
            PerVoxel(eachClass: bytes.eachClass / 4 * bytesOfValue, once: bytes.once)
        }
        return MinimumBytes(forward: scaled(forward), gradient: scaled(gradient))
    }
}
