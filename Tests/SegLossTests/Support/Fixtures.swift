import Foundation
import SegLossReference

/// A number of an original implementation and the problem whose solution it is. Fixtures/make_fixtures.py made them and
/// proved every mapping with NumPy; golden.json says where each came from.
struct GoldenCase {
    let name: String
    let problem: Problem
    /// The original's value in our terms; `nil` where only the gradient is ours to compare.
    let value: Double?
    /// The original's sum of this and the other scales' values, in our terms: deep supervision.
    let sumOfScales: Double?
    /// What a value's error is relative to: our value or the original's, whichever is larger. An original that is a
    /// coefficient near 1 is our small loss, one that is a small coefficient our loss near 1.
    let valueScale: Double
    /// The original's gradient in our terms; empty where equal errors leave it a choice.
    let gradient: [Double]
    /// Bounds for a float32 library: the value's relative to its scale, the gradient's relative to its largest element.
    let valueTolerance: Double
    let gradientTolerance: Double
    /// The bound of both for computations in Double.
    let exactTolerance: Double
    /// The original's value is `scale` times ours plus `offset`, its gradient `scale` times ours.
    let scale: Double
    let offset: Double
}

enum Fixtures {
    static func golden() throws -> [GoldenCase] {
        guard let url = Bundle.module.url(forResource: "golden", withExtension: "json", subdirectory: "Fixtures") else {
            throw CocoaError(.fileNoSuchFile)
        }
        let book = try JSONDecoder().decode(Book.self, from: Data(contentsOf: url))
        return try book.cases.map { try $0.goldenCase(inputs: book.inputs) }
    }
}

private struct Book: Decodable {
    struct Input: Decodable {
        let values: [Double]
    }

    let inputs: [String: Input]
    let cases: [Entry]
}

private struct Entry: Decodable {
    struct Target: Decodable {
        let kind: String
        let values: String
    }

    struct Setup: Decodable {
        let samples, classes, voxels: Int
        let activation: String
        let terms: [TermEntry]
        let logits: String
        let target: Target
        let mask, weights, maps: String?
        let ignore_index: Int?
        let extents: [Int]?
    }

    struct Gradient: Decodable {
        let exponent: Int
        let integers: [Double]
    }

    struct Tolerance: Decodable {
        let value, gradient: Double
    }

    let name: String
    let problem: Setup
    let scale, offset: Double
    let value, sum_of_scales: Double?
    let gradient: Gradient
    let tolerance: Tolerance
    let exact_tolerance: Double

    func goldenCase(inputs: [String: Book.Input]) throws -> GoldenCase {
        func values(_ name: String) throws -> [Double] {
            guard let input = inputs[name] else { throw Unreadable(what: "input \(name) of \(self.name)") }
            return input.values
        }
        let targets = try values(problem.target.values)
        let target: Problem.Target
        switch problem.target.kind {
        case "labels": target = .labels(targets.map { Int64($0) })
        case "bytes": target = .dense(targets.map { Float($0) }, byte: true)
        case "floats": target = .dense(targets.map { Float($0) }, byte: false)
        default: throw Unreadable(what: "target kind \(problem.target.kind) of \(name)")
        }
        let activation: Problem.Activation
        switch problem.activation {
        case "softmax": activation = .softmax
        case "sigmoid": activation = .sigmoid
        case "probabilities": activation = .probabilities
        default: throw Unreadable(what: "activation \(problem.activation) of \(name)")
        }
        // Integers of up to 11 digits: the rounding of the powers of ten does not show.
        let power = pow(10, Double(abs(gradient.exponent)))
        return GoldenCase(
            name: name,
            problem: Problem(
                samples: problem.samples, classes: problem.classes, voxels: problem.voxels, activation: activation,
                terms: try problem.terms.map { try $0.term() },
                logits: try values(problem.logits).map { Float($0) }, target: target,
                mask: try problem.mask.map { try values($0).map { UInt8($0) } },
                weights: try problem.weights.map { try values($0).map { Float($0) } },
                maps: try problem.maps.map { try values($0).map { Float($0) } },
                ignoreIndex: problem.ignore_index, extents: problem.extents),
            value: value.map { ($0 - offset) / scale },
            sumOfScales: sum_of_scales,
            valueScale: value.map { max(abs(($0 - offset) / scale), abs($0 / scale)) } ?? 0,
            gradient: gradient.integers.map { (gradient.exponent < 0 ? $0 / power : $0 * power) / scale },
            valueTolerance: tolerance.value, gradientTolerance: tolerance.gradient, exactTolerance: exact_tolerance,
            scale: scale, offset: offset)
    }
}

private struct TermEntry: Decodable {
    let kind: String
    let weight: Double
    let class_weights, positive_weights, class_gammas, class_alphas: [Float]?
    let per_channel, alpha_of_positives, by_logit, positives_only, weighs_positives: Bool?
    let reduced_threshold, log_offset: Double?
    let label_smoothing: Double?
    let divisor: DivisorEntry?
    let gamma, alpha: Double?
    let smooth_numerator, smooth_denominator: Double?
    let squared, exclude_background: Bool?
    let scope: String?
    let negative_ratio, epsilon, beta: Double?
    let minimum_negatives: Int?
    let percent: Double?
    let ignored_count, present_only: Bool?
    let classes: [Bool]?
    let region: RegionEntry?
    let distance: DistanceEntry?

    func term() throws -> Term {
        func needed<Value>(_ value: Value?, _ what: String) throws -> Value {
            guard let value else { throw Unreadable(what: "\(kind) without \(what)") }
            return value
        }
        func parsedScope() throws -> Term.Scope {
            switch scope {
            case "sample": .sample
            case "batch": .batch
            default: throw Unreadable(what: "scope of \(kind)")
            }
        }
        switch kind {
        case "cross_entropy":
            return Term(
                .crossEntropy(
                    classWeights: class_weights, labelSmoothing: try needed(label_smoothing, "label_smoothing"),
                    divisor: try needed(divisor, "divisor").value),
                weight: weight)
        case "binary_cross_entropy":
            return Term(
                .binaryCrossEntropy(
                    positiveWeights: positive_weights, classWeights: class_weights,
                    labelSmoothing: label_smoothing ?? 0, divisor: try needed(divisor, "divisor").value,
                    options: binaryOptions),
                weight: weight)
        case "focal":
            return Term(
                .focal(
                    gamma: try needed(gamma, "gamma"), alpha: alpha, classWeights: class_weights,
                    divisor: try needed(divisor, "divisor").value, classGammas: class_gammas,
                    perChannel: per_channel ?? false, options: focalOptions),
                weight: weight)
        case "region":
            return Term(.region(try needed(region, "options").region()), weight: weight)
        case "dice":
            return Term(
                .dice(
                    smoothNumerator: try needed(smooth_numerator, "smooth_numerator"),
                    smoothDenominator: try needed(smooth_denominator, "smooth_denominator"),
                    squared: try needed(squared, "squared"), scope: try parsedScope(),
                    excludeBackground: try needed(exclude_background, "exclude_background"),
                    classWeights: class_weights),
                weight: weight)
        case "balanced_binary_cross_entropy":
            return Term(
                .balancedBinaryCrossEntropy(
                    negativeRatio: try needed(negative_ratio, "negative_ratio"),
                    minimumNegatives: try needed(minimum_negatives, "minimum_negatives"),
                    epsilon: try needed(epsilon, "epsilon"), scope: try parsedScope()),
                weight: weight)
        case "top_k":
            return Term(
                .topK(
                    percent: try needed(percent, "percent"), classWeights: class_weights,
                    labelSmoothing: label_smoothing ?? 0, ignoredCount: try needed(ignored_count, "ignored_count"),
                    scope: try parsedScope()),
                weight: weight)
        case "balanced_l1":
            return Term(
                .balancedL1(
                    negativeRatio: try needed(negative_ratio, "negative_ratio"),
                    minimumNegatives: try needed(minimum_negatives, "minimum_negatives"), scope: try parsedScope()),
                weight: weight)
        case "lovasz_softmax": return Term(.lovaszSoftmax(try lovasz()), weight: weight)
        case "lovasz_hinge": return Term(.lovaszHinge(try lovasz()), weight: weight)
        case "absolute_error":
            return Term(
                .absoluteError(classWeights: class_weights, divisor: try needed(divisor, "divisor").value),
                weight: weight)
        case "smooth_l1":
            return Term(
                .smoothL1(
                    beta: try needed(beta, "beta"), classWeights: class_weights,
                    divisor: try needed(divisor, "divisor").value),
                weight: weight)
        case "linear":
            return Term(
                .linear(classWeights: class_weights, divisor: try needed(divisor, "divisor").value), weight: weight)
        case "boundary", "hausdorff":
            let options = try needed(distance, "options").options(try needed(divisor, "divisor").value)
            return Term(kind == "boundary" ? .boundary(options) : .hausdorff(options), weight: weight)
        default: throw Unreadable(what: "term \(kind)")
        }
    }

    private func lovasz() throws -> Lovasz {
        let scopes: [Term.Scope] = [.sample, .batch, .samplePooled, .batchPooled]
        guard let scope = scopes.first(where: { "\($0)" == self.scope }) else {
            throw Unreadable(what: "scope of \(kind)")
        }
        return Lovasz(scope, presentOnly: present_only ?? false, classes: classes, classWeights: class_weights)
    }

    private var binaryOptions: Term.BinaryOptions {
        var options = Term.BinaryOptions()
        options.positivesOnly = positives_only ?? false
        options.logOffset = log_offset ?? 0
        options.weighsPositives = weighs_positives ?? false
        return options
    }

    private var focalOptions: Term.FocalOptions {
        var options = Term.FocalOptions()
        options.classAlphas = class_alphas
        options.alphaOfPositives = alpha_of_positives ?? false
        options.positiveWeights = positive_weights
        options.reducedThreshold = reduced_threshold ?? 0
        options.byLogit = by_logit ?? false
        options.positivesOnly = positives_only ?? false
        options.logOffset = log_offset ?? 0
        return options
    }
}

/// A divisor: a word, or a number.
private struct DivisorEntry: Decodable {
    let value: Term.Divisor

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let constant = try? container.decode(Double.self) {
            value = .constant(constant)
            return
        }
        switch try container.decode(String.self) {
        case "weight": value = .weight
        case "valid": value = .valid
        case "all": value = .all
        case "target": value = .target
        case "factors": value = .factors(least: 1e-6)
        case let word: throw Unreadable(what: "divisor \(word)")
        }
    }
}

/// A fixture that says something this code does not know.
struct Unreadable: Error {
    let what: String
}

/// The options of a term that measures distances which are not the plain ones.
private struct DistanceEntry: Decodable {
    let classes: [Int]?
    let spacing: [Double]?
    let alpha: Double?
    let predicts_largest, inside_alone, logarithm: Bool?

    func options(_ divisor: Term.Divisor) -> DistanceLoss {
        var options = DistanceLoss()
        options.classes = classes.map { classes in (0..<(classes.max()! + 1)).map { classes.contains($0) } }
        options.spacing = spacing ?? [1, 1, 1]
        options.divisor = divisor
        options.alpha = alpha ?? 2
        options.predictsLargest = predicts_largest ?? false
        options.insideAlone = inside_alone ?? false
        options.logarithm = logarithm ?? false
        return options
    }
}

/// The options of a region term that are not the plain ones.
private struct RegionEntry: Decodable {
    let formula: String
    let smooth_numerator, smooth_denominator: Double?
    let squared, exclude_background, minimum, exponent_of_mean, weighted, perfect_is_one: Bool?
    let scope, value, absent, weighting, volume_weighting: String?
    let class_weights, class_exponents: [Float]?
    let classes: [Int]?
    let class_count: Int?
    let least_score, exponent, least_denominator, least_intersection: Double?
    let alpha, beta, smooth_counts, smooth_product, volume_offset, most_volume_weight: Double?

    func region() throws -> Region {
        var region = Region(try chosen(formula, Region.Formula.allCases))
        region.smoothNumerator = smooth_numerator ?? 0
        region.smoothDenominator = smooth_denominator ?? 0
        region.squared = squared ?? false
        region.excludeBackground = exclude_background ?? false
        region.minimum = minimum ?? false
        region.weighted = weighted ?? false
        region.scope = try chosen(scope ?? "sample", [.sample, .batch, .samplePooled, .batchPooled])
        region.value = try chosen(value ?? "oneMinusScore", Region.Value.allCases)
        region.absent = try chosen(absent ?? "natural", Region.Absent.allCases)
        region.weighting = try chosen(weighting ?? "multiplied", [.multiplied, .normalized, .inside])
        region.volumeWeighting = try chosen(volume_weighting ?? "uniform", Region.VolumeWeighting.allCases)
        region.classWeights = class_weights
        region.classExponents = class_exponents
        if let classes, let class_count { region.classes = (0..<class_count).map { classes.contains($0) } }
        region.leastScore = least_score ?? 0
        region.exponent = exponent ?? 0
        region.exponentOfMean = exponent_of_mean ?? false
        region.leastDenominator = least_denominator ?? 0
        region.leastIntersection = least_intersection ?? 0
        region.alpha = alpha ?? 0
        region.beta = beta ?? 0
        region.smoothCounts = smooth_counts ?? 0
        region.smoothProduct = smooth_product ?? 0
        region.perfectIsOne = perfect_is_one ?? false
        region.volumeOffset = volume_offset ?? 0
        region.mostVolumeWeight = most_volume_weight ?? 0
        return region
    }

    /// The case whose name this is.
    private func chosen<Choice>(_ name: String, _ choices: [Choice]) throws -> Choice {
        guard let choice = choices.first(where: { "\($0)" == name }) else { throw Unreadable(what: "\(name) of a region") }
        return choice
    }
}
