// A training step with SegLoss in Swift: Dice + cross entropy of a small image with three classes, its gradient, a few
// steps downhill, and the same bits from two micro-batches.
//
//     swift run --package-path Examples/Swift TrainStep
import SegLoss

let (samples, classes, height, width) = (2, 3, 48, 64)
let voxels = height * width

/// Background 0, a disc of class 1 and a bar of class 2: `[samples][voxels]`.
func drawnLabels() -> [UInt8] {
    var labels = [UInt8](repeating: 0, count: samples * voxels)
    for sample in 0..<samples {
        for y in 0..<height {
            for x in 0..<width {
                let (dx, dy) = (x - 20 - 8 * sample, y - 24)
                let isInDisc = dx * dx + dy * dy < 12 * 12
                labels[(sample * height + y) * width + x] = isInDisc ? 1 : (50..<58).contains(x) ? 2 : 0
            }
        }
    }
    return labels
}

// In a function, because Swift lends no spans of global variables.
func train() throws(LossError) -> Bool {
    let loss: Loss = .dice(smooth: .both(1e-5)) + 0.5 * .crossEntropy(labelSmoothing: 0.1)
    let shape: Shape = .planar(samples: samples, classes: classes, height: height, width: width)
    var evaluator = try Evaluator(loss, shape: shape, activation: .softmax)

    // A network would put the logits out; here they are what is trained: [samples][classes][voxels].
    var labels = drawnLabels()
    var logits = [Float](repeating: 0, count: samples * classes * voxels)
    var gradient = logits

    // Train: value and gradient in one call, then a step against the gradient.
    var values: [Double] = []
    for step in 0...5 {
        var gradientSpan = gradient.mutableSpan
        let result = try evaluator.evaluate(logits: logits.span, labels: labels.span, gradient: &gradientSpan)
        print(
            "step \(step): loss \(result.value) = Dice \(result.terms[0].value)"
                + " + 0.5 * cross entropy \(result.terms[1].value); Dice of the classes \(result.terms[0].perClass)")
        values.append(result.value)
        if step == 5 { break }
        // The gradient of a mean over voxels is small for each of them.
        for i in logits.indices { logits[i] -= 2 * Float(samples * voxels) * gradient[i] }
    }

    // The same batch as two micro-batches, by the four verbs: plan, accumulate, finish, gradient. The Dice of the batch
    // is exact, not a mean of the parts' Dice. Between ranks, `totals.wordRange(ofStage:)` tells what to add up.
    let perSample = classes * voxels
    var totals = evaluator.makeTotals()
    for stage in 0..<evaluator.stageCount {
        for sample in 0..<samples {
            try evaluator.accumulate(
                logits: logits.span.extracting(sample * perSample..<(sample + 1) * perSample),
                labels: labels.span.extracting(sample * voxels..<(sample + 1) * voxels),
                part: Part(samples: sample..<sample + 1), stage: stage, into: &totals)
        }
    }
    let finished = try evaluator.finish(totals)
    var gradientOfParts: [Float] = []
    for sample in 0..<samples {
        var part = [Float](repeating: 0, count: perSample)
        var partSpan = part.mutableSpan
        try evaluator.gradient(
            logits: logits.span.extracting(sample * perSample..<(sample + 1) * perSample),
            labels: labels.span.extracting(sample * voxels..<(sample + 1) * voxels),
            part: Part(samples: sample..<sample + 1), coefficients: finished.coefficients, into: &partSpan)
        gradientOfParts += part
    }
    let isSame =
        finished.evaluation.value.bitPattern == values.last?.bitPattern
        && gradientOfParts.map(\.bitPattern) == gradient.map(\.bitPattern)
    print("two micro-batches: loss \(finished.evaluation.value), \(isSame ? "the same bits" : "OTHER BITS")")

    // What a refusal looks like. Nothing of the caller's has changed.
    labels[100] = 7
    do {
        _ = try evaluator.evaluate(logits: logits, labels: labels)
        return false
    } catch {
        print("a bad label: \(error.kind): \(error.message)")
        return isSame && error.kind == .badLabel && values.last! < values[0]
    }
}

do {
    guard try train() else { fatalError("the example did not do what it shows") }
} catch {
    fatalError("\(error.kind): \(error.message)")
}
