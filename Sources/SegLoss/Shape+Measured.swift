extension Shape {
    /// What tools that measure along the axes ask of a shape, its classes and its spacings.
    func checkMeasured(_ classes: [Int], _ spacing: [Double]) throws(LossError) {
        guard (1...3).contains(extents.count) else {
            throw LossError(kind: .badShape, message: "the shape has \(extents.count) extents; expected one to three")
        }
        // To C, 0 stands for 1.
        if let extent = extents.first(where: { $0 < 1 }) {
            throw LossError(kind: .badShape, message: "an extent is \(extent); expected 1 or more in \(extents)")
        }
        guard classes.count == self.classes else {
            throw LossError(
                kind: .badShape,
                message: "there are \(classes.count) classes; expected \(self.classes), as in the shape")
        }
        guard spacing.count == extents.count else {
            throw LossError(
                kind: .badOption,
                message: "there are \(spacing.count) spacings; expected one for each of \(extents.count) extents")
        }
        if let axis = spacing.firstIndex(where: { !($0 > 0) }) {
            throw LossError(
                kind: .badOption, index: axis,
                message: "spacing \(axis) is \(spacing[axis]); expected a positive length")
        }
    }
}
