/// `a * b + c`, rounded once. The reference writes its formulas as docs/arithmetic.md does.
@inline(__always)
func fma(_ a: Float, _ b: Float, _ c: Float) -> Float {
    c.addingProduct(a, b)
}

/// Of equal values, `b`: so `larger(-0, +0)` is +0.
@inline(__always)
func larger(_ a: Float, _ b: Float) -> Float {
    a > b ? a : b
}

/// Where the values of a problem lie, which of them count, and what is known about them (docs/arithmetic.md, 3).
struct Voxels {
    let samples: Int
    let classes: Int
    let voxels: Int

    private let hasLabels: Bool
    private let labels: [Int64]
    private let dense: [Float]
    private let denseMayBeIgnored: Bool
    private let mask: [UInt8]?
    private let weights: [Float]?
    private let maps: [Float]?
    private let ignoreIndex: Int?

    init(_ problem: Problem) {
        samples = problem.samples
        classes = problem.classes
        voxels = problem.voxels
        let voxelCount = samples * voxels
        let valueCount = voxelCount * classes
        precondition(problem.logits.count == valueCount)
        switch problem.target {
        case .labels(let values):
            precondition(values.count == voxelCount)
            hasLabels = true
            hasHardTargets = true
            labels = values
            dense = []
            denseMayBeIgnored = false
        case .dense(let values, let byte):
            precondition(values.count == valueCount)
            precondition(problem.activation != .softmax || problem.ignoreIndex == nil)
            hasLabels = false
            hasHardTargets = byte
            labels = []
            dense = values
            denseMayBeIgnored = byte && problem.ignoreIndex != nil
        }
        mask = problem.mask
        weights = problem.weights
        maps = problem.maps
        ignoreIndex = problem.ignoreIndex
        precondition(mask == nil || mask!.count == voxelCount)
        precondition(maps == nil || maps!.count == valueCount)
        precondition(weights == nil || weights!.count == voxelCount)
    }

    var hasWeights: Bool { weights != nil }
    var isDense: Bool { !hasLabels }

    /// Labels, or bytes of 0 and 1.
    let hasHardTargets: Bool

    /// The index of a value in [samples][classes][voxels].
    func index(_ sample: Int, _ channel: Int, _ voxel: Int) -> Int {
        (sample * classes + channel) * voxels + voxel
    }

    /// Whether a value takes part. With labels it is the same in every channel.
    func isValid(_ sample: Int, _ channel: Int, _ voxel: Int) -> Bool {
        if let mask, mask[sample * voxels + voxel] == 0 {
            return false
        }
        if let ignoreIndex {
            if hasLabels {
                return labels[sample * voxels + voxel] != Int64(ignoreIndex)
            }
            if denseMayBeIgnored {
                return dense[index(sample, channel, voxel)] != Float(ignoreIndex)
            }
        }
        return true
    }

    /// The label of a valid voxel.
    func label(_ sample: Int, _ voxel: Int) -> Int {
        Int(labels[sample * voxels + voxel])
    }

    /// g, the target of a valid value.
    func target(_ sample: Int, _ channel: Int, _ voxel: Int) -> Float {
        if !hasLabels {
            return dense[index(sample, channel, voxel)]
        }
        let labelOfOne = classes == 1 ? 1 : channel
        return label(sample, voxel) == labelOfOne ? 1 : 0
    }

    /// m, the map's value; 0 where there is no map.
    func map(_ index: Int) -> Float {
        maps?[index] ?? 0
    }

    /// v, the weight of a voxel.
    func weight(_ sample: Int, _ voxel: Int) -> Float {
        if let weights {
            return weights[sample * voxels + voxel]
        }
        return 1
    }
}
