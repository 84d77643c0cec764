import Foundation
import SegLoss

/// What the library says of a loss at one place.
struct Sample {
    /// The place on the axis.
    var x: Double
    var loss: Double
    /// Derivatives; by what, the picture says.
    var slopes: [Double]
}

/// Asks the library, point by point, for losses of a single voxel.
enum OneVoxel {
    /// From 0 to 1, ends left out, closer together towards them, where logarithms are steep.
    static let probabilities: [Double] = (0...160).map { step in
        let t = Double(step) / 160
        return min(max(t * t * (3 - 2 * t), 1e-4), 1 - 1e-4)
    }

    /// A softmax of two classes, over the probability of the label; the derivative by the label's logit.
    static func softmax(_ loss: Loss) throws -> [Sample] {
        try samples(loss, .softmax, labels: [UInt8(1)]) { [0, logit($0)] }
    }

    /// One channel's sigmoid, over its probability; the derivative by the logit.
    static func sigmoid(_ loss: Loss, target: Float) throws -> [Sample] {
        try samples(loss, .sigmoid, targets: [target]) { [logit($0)] }
    }

    /// Over a probability that is the input, as is the derivative's.
    static func probability(_ loss: Loss, target: Float) throws -> [Sample] {
        try samples(loss, .probabilities, targets: [target]) { [Float($0)] }
    }

    /// The sigmoid itself, over x from `first` to `last`: a linear term's value, whose map is 1.
    static func sigmoidCurve(_ x: [Double], steepness: Double) throws -> [Sample] {
        var evaluator = try Evaluator(.linear(), shape: shape(1), activation: .sigmoid, options: alone)
        return try x.map { x in
            var gradient: [Float] = [0]
            let result = try evaluator.evaluate(
                logits: [Float(steepness * x)], labels: [UInt8(0)], maps: [1], gradient: &gradient)
            return Sample(x: x, loss: result.value, slopes: [steepness * Double(gradient[0])])
        }
    }

    // MARK: -

    private static let alone = Options(threads: 1)

    private static func shape(_ classes: Int) -> Shape { .flat(samples: 1, classes: classes, voxels: 1) }

    /// The logit of a probability in (0, 1).
    private static func logit(_ p: Double) -> Float { Float(log(p / (1 - p))) }

    private static func samples(
        _ loss: Loss, _ activation: Activation, labels: [UInt8], _ logits: (Double) -> [Float]
    ) throws -> [Sample] {
        var evaluator = try Evaluator(loss, shape: shape(2), activation: activation, options: alone)
        return try probabilities.map { p in
            var gradient: [Float] = [0, 0]
            let result = try evaluator.evaluate(logits: logits(p), labels: labels, gradient: &gradient)
            return Sample(x: p, loss: result.value, slopes: [Double(gradient[1])])
        }
    }

    private static func samples(
        _ loss: Loss, _ activation: Activation, targets: [Float], _ logits: (Double) -> [Float]
    ) throws -> [Sample] {
        var evaluator = try Evaluator(loss, shape: shape(1), activation: activation, options: alone)
        return try probabilities.map { p in
            var gradient: [Float] = [0]
            let result = try evaluator.evaluate(logits: logits(p), targets: targets, gradient: &gradient)
            return Sample(x: p, loss: result.value, slopes: [Double(gradient[0])])
        }
    }
}

/// Asks the library for losses of a voxel among nine others, some easier and some harder.
enum Crowd {
    /// A softmax of two classes, over the probability of the voxel's label; the derivative by its label's logit.
    static func samples(_ loss: Loss) throws -> [Sample] {
        let others = (0..<9).map { 0.05 + 0.1 * Double($0) }
        let voxels = others.count + 1
        var evaluator = try Evaluator(
            loss, shape: .flat(samples: 1, classes: 2, voxels: voxels), activation: .softmax,
            options: Options(threads: 1))
        let labels = [UInt8](repeating: 1, count: voxels)
        return try OneVoxel.probabilities.map { p in
            let logits = ([p] + others).map { Float(log($0 / (1 - $0))) }
            var gradient = [Float](repeating: 0, count: 2 * voxels)
            let result = try evaluator.evaluate(
                logits: [Float](repeating: 0, count: voxels) + logits, labels: labels, gradient: &gradient)
            return Sample(x: p, loss: result.value, slopes: [Double(gradient[voxels])])
        }
    }
}

/// Asks the library for region terms of an object that a prediction grows into, and then out of.
enum GrowingRegion {
    /// Voxels of the object, and of the image.
    static let object = 128
    static let image = 1024

    /// Over the predicted voxels in parts of the object's, those of the object first: at 1 the prediction is the
    /// object. The derivatives are by the probability of a voxel of the object and of the first voxel beyond, times
    /// the object's size.
    static func samples(_ loss: Loss, predicted: some Sequence<Int>) throws -> [Sample] {
        var evaluator = try Evaluator(
            loss, shape: .flat(samples: 1, classes: 2, voxels: image), activation: .probabilities,
            options: Options(threads: 1))
        let labels = (0..<image).map { UInt8($0 < object ? 1 : 0) }
        return try predicted.map { count in
            let p = (0..<image).map { Float($0 < count ? 1 : 0) }
            var gradient = [Float](repeating: 0, count: 2 * image)
            let result = try evaluator.evaluate(logits: p.map { 1 - $0 } + p, labels: labels, gradient: &gradient)
            let slopes = [object - 1, object].map { Double(object) * Double(gradient[image + $0]) }
            return Sample(x: Double(count) / Double(object), loss: result.value, slopes: slopes)
        }
    }
}
