// Losses of distances from boundaries, which are measured inside the call.

extension Loss {
    /// The boundary loss: the probability times the signed distance to the boundary of the target, which is measured
    /// inside the call.
    ///
    ///     sum_ic w_c v_i p m / divisor
    ///
    /// From Kervadec et al., "Boundary loss for highly unbalanced segmentation" (2019). `m` is the exact Euclidean
    /// distance of the voxel from class `c`'s region in the target, outside, and inside the negative of the distance
    /// from what is outside; so the loss may be negative. With maps that were made before, as by a
    /// ``DistanceTransform``, it is ``linear(classWeights:divisor:)``. Beside a region term, see ``BoundarySchedule``.
    ///
    /// Voxels that are masked or ignored are in no class's region, and their loss is 0. Dense targets are in the region
    /// where they are above 1/2. For every activation; the shape needs its extents, three at most, and parts of a
    /// batch must be of whole samples. With ``InnerBoundary/zeroUnit`` and a spacing below 1, the voxels of a region
    /// that touch the outside have positive maps, `1 - d`.
    ///
    /// Planning allocates 4 bytes for each value, for the maps, and a room for a block of 32 columns for each thread:
    /// of all blocks together 9 bytes for each value in 2-D, 5 in 3-D, twice that where spacings differ.
    ///
    /// - Parameters:
    ///   - classes: Which classes take part. With ``Classes/foreground`` a single channel takes part all the same.
    ///   - classWeights: `w`, one for each class, each at least 0 and not all 0; `nil`: all 1. A weight of 0 leaves the
    ///     class out, of the sum of weights too.
    ///   - innerBoundary: What the map says of voxels inside that touch the outside; ``InnerBoundary/zeroUnit`` is the
    ///     published form.
    ///   - far: What the map holds in a sample without the class and, as a negative, inside a class that fills its
    ///     sample: ``DistanceFar/zero`` or ``DistanceFar/diagonal``.
    ///   - spacing: The lengths between voxels along each extent, all positive; `nil`: 1.
    ///   - divisor: What the sum is divided by.
    public static func boundary(
        classes: Classes = .all, classWeights: [Float]? = nil, innerBoundary: InnerBoundary = .zeroUnit,
        far: DistanceFar = .zero, spacing: [Double]? = nil, divisor: Divisor = .weight
    ) -> Loss {
        Loss(
            terms: [
                WeightedTerm(
                    term: .boundary(
                        .init(
                            classes: classes, classWeights: classWeights, innerBoundary: innerBoundary, far: far,
                            spacing: spacing, divisor: divisor)))
            ])
    }

    /// The Hausdorff distance loss by distance transforms, which are computed inside the call.
    ///
    ///     L = sum_ic w_c v_i (p - g)^2 (d_p^alpha + d_g^alpha) / divisor,    or log(1 + L)
    ///
    /// From Karimi and Salcudean, "Reducing the Hausdorff Distance in Medical Image Segmentation with Convolutional
    /// Neural Networks" (2019). `d_g` is the distance of the voxel from the boundary of class `c`'s region in the
    /// target (from outside to the nearest voxel inside, from inside to the nearest outside), and `d_p` that of the
    /// region which is predicted. For the gradient both are constants.
    ///
    /// Voxels that are masked or ignored are in no region, and their loss is 0. Dense targets are in the region where
    /// they are above 1/2. For every activation; the shape needs its extents, three at most, and parts of a batch
    /// must be of whole samples.
    ///
    /// Planning allocates 4 bytes for each value, for the maps; 5 for each value of the samples that are measured side
    /// by side (one, or as many as keep the threads busy), for their predictions; and rooms as for a boundary loss.
    ///
    /// - Parameters:
    ///   - alpha: The power of the distances, above 0. The squares of 2 are exact.
    ///   - prediction: Which voxels are predicted to be a class's.
    ///   - sides: On which sides of a boundary distances are measured.
    ///   - classes: Which classes take part. With ``Classes/foreground`` a single channel takes part all the same.
    ///   - classWeights: `w`, one for each class, each at least 0 and not all 0; `nil`: all 1. A weight of 0 leaves the
    ///     class out, of the sum of weights too.
    ///   - far: The distance where a region is empty or fills its sample: ``DistanceFar/zero`` or
    ///     ``DistanceFar/diagonal``.
    ///   - spacing: The lengths between voxels along each extent, all positive; `nil`: 1.
    ///   - logarithm: The term is `log(1 + L)`.
    ///   - divisor: What the sum is divided by.
    public static func hausdorff(
        alpha: Double = 2, prediction: Prediction = .threshold, sides: Sides = .both, classes: Classes = .foreground,
        classWeights: [Float]? = nil, far: DistanceFar = .zero, spacing: [Double]? = nil, logarithm: Bool = false,
        divisor: Divisor = .weight
    ) -> Loss {
        Loss(
            terms: [
                WeightedTerm(
                    term: .hausdorff(
                        .init(
                            alpha: alpha, prediction: prediction, sides: sides, classes: classes,
                            classWeights: classWeights, far: far, spacing: spacing, logarithm: logarithm,
                            divisor: divisor)))
            ])
    }
}

/// Which voxels a Hausdorff loss takes for those that are predicted to be a class's.
public enum Prediction: Sendable, Hashable, CaseIterable {
    /// Those with `p > 1/2`, each class by itself (MONAI).
    case threshold
    /// Those whose largest input is the class's, the first of equals (LIVIAETS); needs several classes.
    case largest
}

/// On which sides of a boundary a Hausdorff loss measures distances.
public enum Sides: Sendable, Hashable, CaseIterable {
    /// Outside to the nearest voxel inside, inside to the nearest outside (MONAI).
    case both
    /// Inside alone; outside the distance is 0 (LIVIAETS).
    case inside
}

extension Term {
    /// The options of a boundary loss.
    public struct Boundary: Sendable, Hashable {
        /// Which classes take part.
        public var classes: Classes
        /// One weight for each class; `nil`: all 1.
        public var classWeights: [Float]?
        /// What the map says of voxels inside that touch the outside.
        public var innerBoundary: InnerBoundary
        /// What the map holds where there is nothing to be far from.
        public var far: DistanceFar
        /// The lengths between voxels along each extent; `nil`: 1.
        public var spacing: [Double]?
        /// What the sum is divided by.
        public var divisor: Divisor
    }

    /// The options of a Hausdorff distance loss.
    public struct Hausdorff: Sendable, Hashable {
        /// The power of the distances, above 0.
        public var alpha: Double
        /// Which voxels are predicted to be a class's.
        public var prediction: Prediction
        /// On which sides of a boundary distances are measured.
        public var sides: Sides
        /// Which classes take part.
        public var classes: Classes
        /// One weight for each class; `nil`: all 1.
        public var classWeights: [Float]?
        /// The distance where there is nothing to be far from.
        public var far: DistanceFar
        /// The lengths between voxels along each extent; `nil`: 1.
        public var spacing: [Double]?
        /// Whether the term is `log(1 + L)`.
        public var logarithm: Bool
        /// What the sum is divided by.
        public var divisor: Divisor
    }

    /// Of a term that measures distances, which classes take part and the lengths between voxels.
    var measured: (classes: Classes, spacing: [Double]?)? {
        switch self {
        case .boundary(let options): (options.classes, options.spacing)
        case .hausdorff(let options): (options.classes, options.spacing)
        default: nil
        }
    }
}
