/// A balanced binary cross-entropy term (docs/arithmetic.md, 8).
struct Selection {
    let negativeRatio: Double
    let minimumNegatives: Int
    let fallbackNegatives: Int
    let epsilon: Double
    let scope: Term.Scope

    /// What the term came to.
    struct Finished {
        var term = 0.0
        /// Of each sample.
        var coefficients: [Float]
        /// Whether the value at an index of the logits is among the positives and the selected negatives.
        var isSelected: [Bool]
    }

    /// The rank of a logit or probability among the negatives: a larger key is a harder negative.
    static func key(_ x: Float) -> UInt32 {
        if x >= 0 {
            let bits = x == 0 ? 0 : x.bitPattern
            return bits ^ 0x8000_0000
        }
        return ~x.bitPattern
    }

    /// The term over all values; `losses` holds n0 or n1 of each valid value.
    func finish(weight: Double, values: [Float], losses: [Float], voxels: Voxels) -> Finished {
        let groups = scope == .batch ? 1 : voxels.samples
        let samplesInGroup = voxels.samples / groups
        var result = Finished(
            coefficients: [Float](repeating: 0, count: voxels.samples),
            isSelected: [Bool](repeating: false, count: values.count))
        var sumOfGroups = 0.0

        for group in 0..<groups {
            let samples = (group * samplesInGroup)..<((group + 1) * samplesInGroup)
            var loss = ExactTotal.ofLosses
            var positives = 0
            // The key above, the complement of the index below: sorted from the greatest, equal keys come in the order
            // of their indices.
            var negatives: [UInt64] = []
            for sample in samples {
                for channel in 0..<voxels.classes {
                    for voxel in 0..<voxels.voxels where voxels.isValid(sample, channel, voxel) {
                        let index = voxels.index(sample, channel, voxel)
                        if voxels.target(sample, channel, voxel) == 1 {
                            positives += 1
                            result.isSelected[index] = true
                            loss.add(losses[index])
                        } else {
                            negatives.append(UInt64(Selection.key(values[index])) << 32 | UInt64(~UInt32(index)))
                        }
                    }
                }
            }

            let k = selectedCount(positives: positives, negatives: negatives.count)
            negatives.sort(by: >)
            for rank in 0..<k {
                let index = Int(~UInt32(truncatingIfNeeded: negatives[rank]))
                result.isSelected[index] = true
                loss.add(losses[index])
            }

            let D = Double(positives + k) + epsilon
            if positives + k > 0 {
                sumOfGroups += loss.value / D
                for sample in samples {
                    result.coefficients[sample] = Float((weight / Double(groups)) / D)
                }
            }
        }
        result.term = sumOfGroups / Double(groups)
        return result
    }

    /// k = min(n-, max(floor(negative_ratio * n+), minimum_negatives)), without positives fallback_negatives at least
    func selectedCount(positives: Int, negatives: Int) -> Int {
        let least = max(minimumNegatives, positives == 0 ? fallbackNegatives : 0)
        return Selection.count(ratio: negativeRatio, least: least, positives: positives, negatives: negatives)
    }

    /// min(n-, max(floor(ratio * n+), least))
    static func count(ratio: Double, least: Int, positives: Int, negatives: Int) -> Int {
        let wanted = (ratio * Double(positives)).rounded(.down)
        // What does not fit an Int is more than there are.
        let byRatio = wanted < Double(negatives) ? Int(wanted) : negatives
        return min(negatives, max(byRatio, least))
    }
}
