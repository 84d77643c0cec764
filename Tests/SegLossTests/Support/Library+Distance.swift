import SegLoss
import SegLossReference

extension Problem {
    /// Flat, unless some term asks for extents.
    var shape: Shape {
        Shape(
            samples: samples, classes: classes,
            extents: terms.contains(where: \.measures) ? extents : [voxels])
    }
}

/// Terms that measure distances. A problem's extents are three.
extension Library {
    static func boundary(_ options: DistanceLoss) -> Loss {
        let inner: InnerBoundary =
            switch options.boundary {
            case .minusOne: .minusOne
            case .half: .half
            case .zero: .zero
            case .zeroUnit: .zeroUnit
            }
        return .boundary(
            classes: classes(options), classWeights: options.classWeights, innerBoundary: inner,
            far: options.farIsDiagonal ? .diagonal : .zero, spacing: spacing(options),
            divisor: translated(options.divisor))
    }

    static func hausdorff(_ options: DistanceLoss) -> Loss {
        .hausdorff(
            alpha: options.alpha, prediction: options.predictsLargest ? .largest : .threshold,
            sides: options.insideAlone ? .inside : .both, classes: classes(options),
            classWeights: options.classWeights, far: options.farIsDiagonal ? .diagonal : .zero,
            spacing: spacing(options), logarithm: options.logarithm, divisor: translated(options.divisor))
    }

    /// None is said where it is 1: then a flat shape of one extent will do.
    private static func spacing(_ options: DistanceLoss) -> [Double]? {
        options.spacing == [1, 1, 1] ? nil : options.spacing
    }

    private static func classes(_ options: DistanceLoss) -> Classes {
        guard let flags = options.classes else { return options.excludeBackground ? .foreground : .all }
        return .only(flags.indices.filter { flags[$0] && !(options.excludeBackground && $0 == 0 && flags.count > 1) })
    }
}
