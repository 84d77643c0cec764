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

extension Kernel {
    var isOfDistances: Bool {
        if case .distances = formula { true } else { false }
    }
}

extension BatchSource {
    /// So small that every pair of its voxels can be looked at, also as a volume of three planes.
    func tiny() -> Batch {
        switch self {
        case .seeded(let scene, let shape): scene.batch(BatchShape(min(2, shape.samples), shape.classes, 57, 19))
        case .given(let batch): batch.crop(samples: 2, height: 57, width: 19)
        }
    }
}

extension DistanceRow {
    /// The maps by looking at every pair of voxels, and what that costs.
    func reference(_ batch: Batch) -> (Outcome, ReferenceCost) {
        let shape = shape(batch.shape)
        var problem = DistanceProblem(
            extents: [Int](repeating: 1, count: 3 - shape.extents.count) + shape.extents, spacing: [1, 1, 1],
            form: form == .unsigned ? .unsigned : .signed)
        problem.far = .zero
        var map: [Float] = []
        let seconds =
            ContinuousClock().measure {
                for sample in 0..<shape.samples {
                    let labels = batch.labels.values[sample * shape.voxels..<(sample + 1) * shape.voxels]
                    for label in classes(batch.shape) {
                        map += problem.values(of: labels.map { Int($0) == label }, at: 0..<shape.voxels)
                    }
                }
            }.seconds / Double(batch.shape.voxels)
        let outcome = Outcome(value: 0, terms: [], perClass: [], gradient: map)
        return (outcome, ReferenceCost(secondsPerVoxel: [.lossMap: seconds]))
    }
}

extension Buffer<Float> {
    /// The mean of the first values.
    func mean(_ count: Int) -> Double {
        values[..<count].reduce(0.0) { $0 + Double($1) } / Double(count)
    }
}
