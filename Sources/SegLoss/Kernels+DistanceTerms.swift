// The options of terms that measure distances, from Swift's names to C's.

internal import CLossKernels

extension Loss {
    /// Whether some term measures distances.
    var measuresDistances: Bool { terms.contains { $0.term.measured != nil } }

    /// To C a spacing of 0 stands for 1, and an extent that is not there is one of 1: both are seen to here.
    func checkDistances(of shape: Shape) throws(LossError) {
        for (index, weighted) in terms.enumerated() {
            guard let (_, spacing) = weighted.term.measured else { continue }
            let extents = shape.extents.count
            guard (1...3).contains(extents) else {
                throw LossError(
                    kind: .badShape, index: index,
                    message: "terms[\(index)] measures distances, and the shape has \(extents) extents; "
                        + "expected one to three")
            }
            guard let spacing else { continue }
            guard spacing.count == extents else {
                throw LossError(
                    kind: .badOption, index: index,
                    message: "terms[\(index)] has \(spacing.count) spacings; expected one for each of \(extents) "
                        + "extents")
            }
            if let axis = spacing.firstIndex(where: { !($0 > 0) }) {
                throw LossError(
                    kind: .badOption, index: index,
                    message: "terms[\(index)].spacing[\(axis)] is \(spacing[axis]); expected a positive length")
            }
        }
    }
}

extension closs_extents {
    /// Of a shape with up to three extents; of others none, which is what C is told where no term asks.
    init(_ shape: Shape) {
        guard (1...3).contains(shape.extents.count) else {
            self.init()
            return
        }
        let all = Array(repeating: 1, count: 3 - shape.extents.count) + shape.extents
        self.init(planes: Int64(all[0]), rows: Int64(all[1]), columns: Int64(all[2]))
    }
}

extension closs_distance_term {
    init(_ options: Term.Boundary, _ weights: ClassArray) {
        unsafe self.init(options.classes, weights, options.spacing, options.far, options.divisor)
        unsafe inner_boundary = options.innerBoundary.code
    }

    init(_ options: Term.Hausdorff, _ weights: ClassArray) {
        unsafe self.init(options.classes, weights, options.spacing, options.far, options.divisor)
        unsafe alpha = options.alpha
        unsafe prediction = options.prediction == .threshold ? CLOSS_PREDICTION_THRESHOLD : CLOSS_PREDICTION_LARGEST
        unsafe sides = options.sides == .both ? CLOSS_SIDES_BOTH : CLOSS_SIDES_INSIDE
        unsafe logarithm = options.logarithm ? 1 : 0
    }

    private init(
        _ named: Classes, _ weights: ClassArray, _ lengths: [Double]?, _ distance: DistanceFar, _ divided: Divisor
    ) {
        unsafe self.init()
        unsafe class_weights = weights.values
        unsafe class_weights_count = weights.count
        unsafe exclude_background = named == .foreground ? 1 : 0
        unsafe far = distance.code
        unsafe divisor = divided.code
        unsafe divisor_value = divided.value
        if let lengths {
            let all = Array(repeating: 1, count: max(0, 3 - lengths.count)) + lengths
            unsafe spacing = (all[0], all[1], all[2])
        }
        guard case .only(let indices) = named else { return }
        unsafe withUnsafeMutableBytes(of: &classes) { bytes in
            for index in indices { unsafe bytes[index / 8] |= 1 << UInt8(index % 8) }
        }
    }
}
