/// A Lovász term (docs/arithmetic.md, 8.8).
struct LovaszRanking {
    /// The error of a valid value.
    struct Error {
        var e: Float
        var isForeground: Bool
    }

    /// What the term came to.
    struct Finished {
        var term = 0.0
        var perClass: [Double]
        /// t of each value.
        var slopes: [Float]
        /// K of each sample and class, before the caller's scale; 0 where the class does not count.
        var coefficients: [Float]
    }

    let options: Lovasz
    let isHinge: Bool

    init?(_ kind: Term.Kind) {
        switch kind {
        case .lovaszSoftmax(let options):
            self.options = options
            isHinge = false
        case .lovaszHinge(let options):
            self.options = options
            isHinge = true
        default: return nil
        }
    }

    /// The error of a channel's value x.
    func error(_ value: ChannelValue, x: Float, target g: Float) -> Error {
        let isForeground = g == 1
        if isHinge { return Error(e: larger(isForeground ? 1 - x : 1 + x, 0), isForeground: isForeground) }
        return Error(e: isForeground ? value.q : larger(value.p, 0), isForeground: isForeground)
    }

    /// The errors in memory order, `nil` where a value does not count.
    func finish(weight: Double, errors: [Error?], samples: Int, classes: Int, voxels: Int) -> Finished {
        var result = Finished(
            perClass: [Double](repeating: 0, count: classes), slopes: [Float](repeating: 0, count: errors.count),
            coefficients: [Float](repeating: 0, count: samples * classes))
        let isOfBatch = options.scope == .batch || options.scope == .batchPooled
        let isPooled = options.scope == .samplePooled || options.scope == .batchPooled
        let takesPart = options.classes ?? [Bool](repeating: true, count: classes)
        let S = Double(isOfBatch ? 1 : samples)
        var sumOfGroups = 0.0
        for group in isOfBatch ? [0..<samples] : (0..<samples).map({ $0..<$0 + 1 }) {
            var sum = 0.0
            var D = 0.0
            var counted: [Int] = []
            for problem in isPooled ? [0..<classes] : (0..<classes).map({ $0..<$0 + 1 }) {
                let taken = problem.filter { takesPart[$0] }
                let values = group.flatMap { sample in
                    taken.flatMap { c in
                        (0..<voxels).compactMap { voxel -> (number: Int, error: Error)? in
                            let number = (sample * classes + c) * voxels + voxel
                            return errors[number].map { (number, $0) }
                        }
                    }
                }
                let F = values.count { $0.error.isForeground }
                if taken.isEmpty || (options.presentOnly && F == 0) { continue }
                let loss = rank(values, F, &result.slopes)
                let w = isPooled ? 1 : Double(options.classWeights?[problem.lowerBound] ?? 1)
                sum += w * loss
                D += 1
                counted += problem
                if !isPooled { result.perClass[problem.lowerBound] += loss }
            }
            guard D > 0 else { continue }
            sumOfGroups += sum / D
            for sample in group {
                for c in counted {
                    let w = Double(options.classWeights?[c] ?? 1)
                    result.coefficients[sample * classes + c] = Float(((weight / S) / D) * w)
                }
            }
        }
        result.term = sumOfGroups / S
        for c in 0..<classes { result.perClass[c] /= S }
        return result
    }

    /// The loss of one problem; writes the slopes of its values.
    private func rank(_ values: [(number: Int, error: Error)], _ F: Int, _ slopes: inout [Float]) -> Double {
        for (number, error) in values { slopes[number] = error.isForeground ? -0.0 : 0 }
        // Sorted from the greatest, equal errors in the order of their numbers.
        let order = values.filter { $0.error.e > 0 }
            .sorted { ($0.error.e, $1.number) > ($1.error.e, $0.number) }
        guard let largest = order.first?.error.e else { return 0 }
        let s = Double(sign: .plus, exponent: Int(largest.bitPattern >> 23) - 126, significand: 1)
        var f = 0
        var b = 0
        var quanta: Int64 = 0
        var rest: Int64 = 0
        for (number, error) in order {
            let j: Float
            if error.isForeground {
                j = 1 / Float(F + b)
                f += 1
                slopes[number] = -j
            } else {
                j = F > 0 ? Float(F - f) / (Float(F + b) * Float(F + b + 1)) : b == 0 ? 1 : 0
                b += 1
                slopes[number] = j
            }
            let product = Double(error.e) / s * Double(j) * 0x1p48
            let rounded = product.rounded(.toNearestOrEven)
            quanta += Int64(rounded)
            rest += Int64(((product - rounded) * 0x1p32).rounded(.toNearestOrEven))
        }
        return (Double(quanta) * 0x1p-48 + Double(rest) * 0x1p-80) * s
    }
}
