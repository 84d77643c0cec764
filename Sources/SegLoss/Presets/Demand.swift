/// What a preset was told of the plan that its loss is for, or takes for granted there: a term alone cannot tell, and
/// would quietly be another loss.
struct Demand: Sendable {
    /// As it is written, such as `torchvision.sigmoidFocal`.
    let preset: String
    let expected: Expected

    enum Expected: Sendable {
        case activation([Activation])
        /// So many classes or channels; `given`: by what the preset knows.
        case classes(Int, given: String)
        /// A loss that is another one of several channels.
        case oneChannel
        case samples(Int, given: String)
        /// What no plan has.
        case impossible(String)
    }

    func check(_ shape: Shape, _ activation: Activation) throws(LossError) {
        switch expected {
        case .activation(let possible):
            if possible.contains(activation) { return }
            let names = possible.map(\.name).joined(separator: " or ")
            throw refused(.badTerm, "is for \(names); the activation is \(activation.name)")
        case .classes(let classes, let given):
            if shape.classes == classes { return }
            throw refused(.badShape, "was given \(given); the shape has \(counted(shape.classes, "class", "classes"))")
        case .oneChannel:
            if shape.classes == 1 { return }
            throw refused(.badShape, "is for 1 channel; the shape has \(counted(shape.classes, "class", "classes"))")
        case .samples(let samples, let given):
            if shape.samples == samples { return }
            throw refused(.badShape, "was given \(given); the shape has \(counted(shape.samples, "sample"))")
        case .impossible(let why):
            throw refused(.badOption, "cannot be computed: \(why)")
        }
    }

    private func refused(_ kind: LossError.Kind, _ what: String) -> LossError {
        LossError(kind: kind, message: "Loss.\(preset) \(what)")
    }
}

extension Loss {
    func checkDemands(_ shape: Shape, _ activation: Activation) throws(LossError) {
        for demand in demands { try demand.check(shape, activation) }
    }

    /// The same loss, for plans that are so.
    func demanding(_ preset: String, _ expected: [Demand.Expected]) -> Loss {
        var loss = self
        loss.demands += expected.map { Demand(preset: preset, expected: $0) }
        return loss
    }

    func demanding(_ preset: String, _ expected: Demand.Expected) -> Loss { demanding(preset, [expected]) }

    /// The same loss, of each channel by itself: with a softmax the term would be one of classes.
    func ofChannels(_ preset: String) -> Loss { demanding(preset, .activation([.sigmoid, .probabilities])) }

    /// The same loss, of the sigmoid of one channel.
    func ofOneSigmoid(_ preset: String) -> Loss { demanding(preset, [.activation([.sigmoid]), .oneChannel]) }

    /// The same loss, of classes of which a voxel has one; the caller may have taken the softmax.
    func ofClasses(_ preset: String) -> Loss { demanding(preset, .activation([.softmax, .probabilities])) }

    /// The same loss, of so many classes of a softmax.
    func ofSoftmax(_ preset: String, classes: Int? = nil) -> Loss {
        let classes = classes.map { Demand.Expected.classes($0, given: counted($0, "class", "classes")) }
        return demanding(preset, [.activation([.softmax]), classes].compactMap { $0 })
    }
}

/// `1 mask`, `2 masks`.
func counted(_ count: Int, _ one: String, _ many: String? = nil) -> String {
    "\(count) \(count == 1 ? one : many ?? one + "s")"
}

extension Activation {
    fileprivate var name: String {
        switch self {
        case .softmax: "softmax"
        case .sigmoid: "sigmoid"
        case .probabilities: "probabilities"
        }
    }
}
