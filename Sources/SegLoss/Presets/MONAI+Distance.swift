// MONAI's losses of distances: boundary and Hausdorff.

extension Loss.MONAI {
    /// `BoundaryLoss`: the mean of `p phi` over samples, classes and voxels, phi the signed distance maps that the call
    /// makes of its targets. With maps of your own: ``boundary(background:)``.
    ///
    /// - Parameters:
    ///   - includeBackground: Whether class 0 takes part.
    ///   - spacing: The lengths between voxels; `nil`: 1, as in MONAI.
    public func boundary(includeBackground: Bool, spacing: [Double]? = nil) -> Loss {
        .boundary(classes: includeBackground ? .all : .foreground, spacing: spacing)
    }

    /// `HausdorffDTLoss`: the mean over samples, classes and voxels of `(p - g)^2 (d_p^alpha + d_g^alpha)`.
    ///
    /// Each channel's distances are those of both sides of its boundary, 0 where the channel is empty or full, and the
    /// predicted region is `p > 0.5`. `batch` changes no mean: it is not needed.
    ///
    /// - Parameters:
    ///   - alpha: The power of the distances.
    ///   - includeBackground: Whether class 0 takes part; a single channel always does.
    ///   - spacing: The lengths between voxels; `nil`: 1, as in MONAI.
    public func hausdorffDT(alpha: Double = 2, includeBackground: Bool = false, spacing: [Double]? = nil) -> Loss {
        .hausdorff(alpha: alpha, classes: includeBackground ? .all : .foreground, spacing: spacing)
    }

    /// `LogHausdorffDTLoss`: `log(1 + L)` of the mean L of ``hausdorffDT(alpha:includeBackground:spacing:)``.
    ///
    /// - Parameters:
    ///   - alpha: The power of the distances.
    ///   - includeBackground: Whether class 0 takes part; a single channel always does.
    ///   - spacing: The lengths between voxels; `nil`: 1, as in MONAI.
    public func logHausdorffDT(alpha: Double = 2, includeBackground: Bool = false, spacing: [Double]? = nil) -> Loss {
        .hausdorff(
            alpha: alpha, classes: includeBackground ? .all : .foreground, spacing: spacing, logarithm: true)
    }
}
