import Foundation
import SegLoss
import XCTest

/// What docs/losses/dbnet.md says of the parts of a batch: each map's own loss comes of totals, whatever the batch is
/// cut into, and the three are the whole.
final class BinarizationPartsTests: XCTestCase {
    /// One of the maps, or the binary map, with what it should be.
    private struct Map {
        var values, targets: [Float]
        var mask: [UInt8]
        var samples, voxels: Int

        func evaluator(_ loss: Loss) throws -> Evaluator {
            try Evaluator(
                loss, shape: .flat(samples: samples, classes: 1, voxels: voxels), activation: .probabilities)
        }

        /// The loss, accumulated sample by sample in all stages.
        func finish(_ loss: Loss) throws -> Finished {
            var evaluator = try evaluator(loss)
            var totals = evaluator.makeTotals()
            for stage in 0..<evaluator.stageCount {
                for sample in (0..<samples).reversed() {
                    let range = sample * voxels..<(sample + 1) * voxels
                    let (values, targets) = (Array(values[range]), Array(targets[range]))
                    let mask = Array(mask[range])
                    try evaluator.accumulate(
                        logits: values.span, targets: targets.span, mask: mask.span,
                        part: Part(samples: sample..<sample + 1), stage: stage, into: &totals)
                }
            }
            return try evaluator.finish(totals)
        }

        // Not inlined: Swift 6.3.1's optimiser stops where a mutable span is made beside a loop.
        @inline(never)
        func gradient(_ loss: Loss, _ finished: Finished) throws -> [Float] {
            var evaluator = try evaluator(loss)
            var gradient = values
            var span = gradient.mutableSpan
            try evaluator.gradient(
                logits: values.span, targets: targets.span, mask: mask.span, coefficients: finished.coefficients,
                into: &span)
            return gradient
        }
    }

    func testPartsAreTheWhole() throws {
        var g = SplitMix64(seed: testSeed(704))
        for dice in [false, true] {
            var head = Head.random(samples: 3, voxels: 200, logits: false, using: &g)
            head.bytes = false
            head.dice = dice
            let k = Float(head.k)
            let binary = zip(head.P, head.T).map { p, t in Float(1 / (1 + exp(-Double(k * (p - t))))) }
            func map(_ values: [Float], _ targets: [Float], _ mask: [UInt8]) -> Map {
                Map(values: values, targets: targets, mask: mask, samples: head.samples, voxels: head.voxels)
            }
            let P = map(head.P, head.targets, head.mask)
            let T = map(head.T, head.thresholdMap, head.thresholdMask)
            let B = map(binary, head.targets, head.mask)
            let diceLoss: Loss = .dice(smooth: .denominator(1e-6), scope: .batch)
            let mainLoss: Loss =
                dice ? diceLoss : .balancedBinaryCrossEntropy(negativeRatio: 3, epsilon: 1e-6, scope: .batch)
            let l1Loss: Loss = .absoluteError(divisor: .valid)
            let (main, l1) = (try P.finish(mainLoss), try T.finish(l1Loss))
            let ofBinary = try B.finish(diceLoss)

            let whole = try head.outcome()
            XCTAssertEqual(main.evaluation.value, whole.evaluation.main)
            XCTAssertEqual(l1.evaluation.value, whole.evaluation.l1)
            XCTAssertEqual(ofBinary.evaluation.value, whole.evaluation.dice, accuracy: 1e-6)

            let byMain = try P.gradient(mainLoss, main), byL1 = try T.gradient(l1Loss, l1)
            let byBinary = try B.gradient(diceLoss, ofBinary)
            for i in binary.indices {
                let b = Double(binary[i])
                let h = head.k * b * (1 - b) * Double(byBinary[i])
                let (map, threshold) = (5 * Double(byMain[i]) + h, 10 * Double(byL1[i]) - h)
                let bound = 1e-5 * (abs(map) + abs(threshold) + abs(h)) + 1e-8
                XCTAssertTrue(abs(map - Double(whole.map[i])) <= bound, "P[\(i)]")
                XCTAssertTrue(abs(threshold - Double(whole.threshold[i])) <= bound, "T[\(i)]")
            }
        }
    }
}
