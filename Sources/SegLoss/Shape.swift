/// The shape of a whole batch.
///
/// Logits, probabilities, dense targets and gradients are contiguous `[samples][classes][extents...]`, the last extent
/// running fastest; labels, masks and voxel weights are `[samples][extents...]`. All counts are in elements. No
/// alignment is asked for.
public struct Shape: Sendable, Hashable {
    /// Samples of the batch, at least 1.
    public var samples: Int
    /// Classes or channels: 2 to 512 for ``Activation/softmax``, otherwise 1 to 512.
    public var classes: Int
    /// The spatial extents in voxels, the fastest-running one last, each at least 1; none: a sample is a single voxel.
    public var extents: [Int]

    /// A shape of any number of spatial dimensions.
    public init(samples: Int, classes: Int, extents: [Int]) {
        self.samples = samples
        self.classes = classes
        self.extents = extents
    }

    /// Images: `[samples][classes][height][width]`.
    public static func planar(samples: Int, classes: Int, height: Int, width: Int) -> Shape {
        Shape(samples: samples, classes: classes, extents: [height, width])
    }

    /// Volumes: `[samples][classes][depth][height][width]`.
    public static func volume(samples: Int, classes: Int, depth: Int, height: Int, width: Int) -> Shape {
        Shape(samples: samples, classes: classes, extents: [depth, height, width])
    }

    /// Voxels in a row: `[samples][classes][voxels]`. Any shape may be flattened to this one for losses that do not
    /// look at where a voxel lies: all but the boundary and the Hausdorff loss, which would measure distances along the
    /// row.
    public static func flat(samples: Int, classes: Int, voxels: Int) -> Shape {
        Shape(samples: samples, classes: classes, extents: [voxels])
    }

    /// Voxels of one sample: the product of the extents. `Int.max` where the product is greater, which every
    /// ``Evaluator`` refuses.
    public var voxels: Int {
        extents.reduce(1) { product, extent in
            let (voxels, overflow) = product.multipliedReportingOverflow(by: extent)
            return overflow ? .max : voxels
        }
    }
}

/// What turns the input into the probabilities `p` that a loss is computed from.
public enum Activation: Sendable, Hashable {
    /// The input is logits; `p` is their softmax over the classes.
    case softmax
    /// The input is logits; `p = 1 / (1 + exp(-x))` for each channel.
    case sigmoid
    /// The input already is `p` for each channel, in [0, 1]; the gradient is dL/dp.
    case probabilities
}
