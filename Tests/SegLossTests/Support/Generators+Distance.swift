import SegLossReference

/// Losses of distances, with any options that planning accepts.
extension Generator {
    /// A Hausdorff loss, or a boundary loss.
    mutating func distances(_ classes: Int, isHausdorff: Bool) -> DistanceLoss {
        var options = DistanceLoss()
        options.excludeBackground = random.chance(0.3)
        if classes > 2 && random.chance(0.3) {
            options.classes = (0..<classes).map { $0 == classes - 1 || random.chance(0.6) }
        }
        if random.chance(0.5) {
            options.classWeights = (0..<classes).map { _ in random.chance(0.15) ? 0 : 0.25 + 3 * random.unit() }
            options.classWeights![classes - 1] = 1.5
        }
        options.spacing = random.element(of: [
            [1, 1, 1], [1, 1, 1], [2.5, 0.75, 1.5], [0.001, 0.001, 0.002], [300, 200, 100],
        ])
        options.farIsDiagonal = random.chance(0.3)
        options.divisor = channelDivisor()
        guard isHausdorff else {
            options.boundary = random.element(of: DistanceProblem.Boundary.allCases)
            return options
        }
        options.alpha = random.element(of: [2, 2, 1, 0.5, 1.5, 3])
        options.predictsLargest = classes > 1 && random.chance(0.4)
        options.insideAlone = random.chance(0.4)
        options.logarithm = random.chance(0.3)
        return options
    }

    /// The terms with a boundary or a Hausdorff loss, or both, beside them or in the place of one of them.
    mutating func addingDistances(_ terms: [Term], classes: Int) -> [Term] {
        var kinds: [Term.Kind] = []
        if random.chance(0.2) { kinds.append(.boundary(distances(classes, isHausdorff: false))) }
        if random.chance(0.2) { kinds.append(.hausdorff(distances(classes, isHausdorff: true))) }
        let added = kinds.map { Term($0, weight: random.element(of: [1, 0.5, 2, 0.01, -0.4])) }
        if added.isEmpty { return terms }
        return random.chance(0.4) ? added : random.chance(0.5) ? added + terms : Array(terms.dropLast()) + added
    }

    /// Extents with a product.
    mutating func extents(_ voxels: Int) -> [Int] {
        func divisor(_ n: Int) -> Int { random.element(of: (1...n).filter { n % $0 == 0 }) }
        let rows = divisor(voxels)
        let planes = random.chance(0.5) ? 1 : divisor(voxels / rows)
        return [planes, rows, voxels / rows / planes]
    }
}

extension Term {
    /// Whether it measures distances: it needs extents, and parts of whole samples.
    var measures: Bool {
        switch kind {
        case .boundary, .hausdorff: true
        default: false
        }
    }
}
