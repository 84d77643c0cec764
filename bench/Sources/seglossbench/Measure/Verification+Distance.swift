import SegLoss
import SegLossReference

extension SegLossReference.DistanceLoss {
    init(_ options: SegLoss.Term.Boundary) {
        self.init(options.classes, options.classWeights, options.spacing, options.far, options.divisor)
        boundary =
            switch options.innerBoundary {
            case .minusOne: .minusOne
            case .half: .half
            case .zero: .zero
            case .zeroUnit: .zeroUnit
            }
    }

    init(_ options: SegLoss.Term.Hausdorff) {
        self.init(options.classes, options.classWeights, options.spacing, options.far, options.divisor)
        alpha = options.alpha
        predictsLargest = options.prediction == .largest
        insideAlone = options.sides == .inside
        logarithm = options.logarithm
    }

    private init(
        _ classes: SegLoss.Classes, _ weights: [Float]?, _ spacing: [Double]?, _ far: SegLoss.DistanceFar,
        _ divisor: SegLoss.Divisor
    ) {
        self.init()
        if case .only(let named) = classes { self.classes = (0...named.max()!).map { named.contains($0) } }
        excludeBackground = classes == .foreground
        classWeights = weights
        if let spacing { self.spacing = [Double](repeating: 1, count: 3 - spacing.count) + spacing }
        farIsDiagonal = far == .diagonal
        self.divisor = .init(divisor)
    }
}
