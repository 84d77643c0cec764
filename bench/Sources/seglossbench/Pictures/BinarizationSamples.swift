import SegLoss

/// Asks the library for DBNet's loss of a small image, of which one pixel's P - T moves.
enum Binarization {
    /// The binary map's Dice loss over P - T of one pixel, which is text or not, beside three text pixels and four
    /// others that are right; the derivative is by that pixel's P.
    static func dice(_ differences: [Double], steepness: Double, isText: Bool) throws -> [Sample] {
        let restIsText = (0..<7).map { $0 < 3 }
        let targets = ([isText] + restIsText).map { UInt8($0 ? 1 : 0) }
        let thresholds = [Float](repeating: 0.5, count: targets.count)
        let loss = BinarizationLoss(
            weights: .init(map: 0, threshold: 0, binary: 1), main: .dice, steepness: steepness)
        var evaluator = try BinarizationEvaluator(
            loss, shape: .flat(samples: 1, classes: 2, voxels: targets.count), activation: .probabilities,
            options: Options(threads: 1))
        return try differences.map { difference in
            let map = [Float(0.5 + difference)] + restIsText.map { $0 ? 1 : 0 }
            var gradient = map
            var ofThresholds = thresholds
            let result = try evaluator.evaluate(
                map: map, threshold: thresholds, targets: targets, thresholdMap: thresholds,
                mapGradient: &gradient, thresholdGradient: &ofThresholds)
            return Sample(x: difference, loss: result.dice, slopes: [Double(gradient[0])])
        }
    }
}
