/// Errors of the probability itself (docs/arithmetic.md, 5.5).
struct ProbabilityError {
    enum Formula {
        case absolute
        case squared
        /// With the beta below which the error counts as its square.
        case smooth(Float)
        /// The probability times the map.
        case linear
        /// The same with a map of distances, and the squared error times one (13.6).
        case boundary
        case hausdorff
    }

    let formula: Formula

    var isHausdorff: Bool {
        if case .hausdorff = formula { true } else { false }
    }

    func loss(_ value: ChannelValue, target g: Float, map: Float) -> Float {
        loss(p: value.p, q: value.q, target: g, map: map)
    }

    /// The derivative of the loss by p.
    func derivative(_ value: ChannelValue, target g: Float, map: Float) -> Float {
        derivative(p: value.p, q: value.q, target: g, map: map)
    }

    /// q is 1 - p without cancellation.
    func loss(p: Float, q: Float, target g: Float, map: Float) -> Float {
        let d = Self.difference(p, q, g)
        let a = d.magnitude
        switch formula {
        case .absolute: return a
        case .squared: return d * d
        case .smooth(let beta):
            if !(beta > 0) {
                return a
            }
            return a < beta ? (0.5 * (a * a)) / beta : a - beta * 0.5
        case .linear, .boundary: return p * map
        case .hausdorff: return (d * d) * map
        }
    }

    /// The derivative of the loss by p.
    func derivative(p: Float, q: Float, target g: Float, map: Float) -> Float {
        let d = Self.difference(p, q, g)
        switch formula {
        case .absolute: return sign(d)
        case .squared: return 2 * d
        case .smooth(let beta): return d.magnitude < beta ? d / beta : sign(d)
        case .linear, .boundary: return map
        case .hausdorff: return (2 * d) * map
        }
    }

    /// p - g without cancellation where g is 1.
    static func difference(_ p: Float, _ q: Float, _ g: Float) -> Float {
        g == 1 ? -q : p - g
    }

    private func sign(_ d: Float) -> Float {
        d > 0 ? 1 : d < 0 ? -1 : 0
    }
}
