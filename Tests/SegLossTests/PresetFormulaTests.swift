import Foundation
import SegLoss
import SegLossReference
import XCTest

/// Presets without golden numbers: the frameworks' formulas, written out in Double as plainly as can be.
final class PresetFormulaTests: XCTestCase {
    /// Probabilities and targets of a small batch, [samples][classes][voxels], and which voxels count.
    private struct Values {
        let samples = 2, classes = 3, voxels = 70
        let problem: Problem
        let p: [Double], g: [Double]
        let counts: [Bool]

        init(_ activation: Problem.Activation, ignoring: Bool, seed: UInt64) {
            var random = SplitMix64(seed: seed)
            let logits = (0..<samples * classes * voxels).map { _ in 2 * random.normal() }
            let labels = (0..<samples * voxels).map { _ in
                ignoring && random.chance(0.2) ? 255 : Int64(random.below(3))
            }
            problem = Problem(
                samples: samples, classes: classes, voxels: voxels, activation: activation, terms: [],
                logits: logits, target: .labels(labels), ignoreIndex: ignoring ? 255 : nil)
            let (samples, classes, voxels) = (samples, classes, voxels)
            func at(_ s: Int, _ c: Int, _ v: Int) -> Int { (s * classes + c) * voxels + v }
            var p = [Double](repeating: 0, count: logits.count), g = p
            for s in 0..<samples {
                for v in 0..<voxels {
                    let e = (0..<classes).map { exp(Double(logits[at(s, $0, v)])) }
                    for c in 0..<classes {
                        p[at(s, c, v)] = activation == .softmax ? e[c] / e.reduce(0, +) : e[c] / (1 + e[c])
                        g[at(s, c, v)] = labels[s * voxels + v] == c ? 1 : 0
                    }
                }
            }
            self.p = p
            self.g = g
            counts = labels.map { $0 != 255 }
        }

        /// The sum of f(p, g) over the valid values of some samples and classes.
        func sum(
            _ samples: Range<Int>, _ classes: Range<Int>, _ f: (_ p: Double, _ g: Double) -> Double
        ) -> Double {
            var total = 0.0
            for s in samples {
                for c in classes {
                    for v in 0..<voxels where counts[s * voxels + v] {
                        let at = (s * self.classes + c) * voxels + v
                        total += f(p[at], g[at])
                    }
                }
            }
            return total
        }

        /// The sum of f(class, p, g) over all valid values.
        func sum(_ f: (_ c: Int, _ p: Double, _ g: Double) -> Double) -> Double {
            (0..<classes).reduce(0) { total, c in total + sum(0..<samples, c..<c + 1) { f(c, $0, $1) } }
        }

        /// The sum of f(y, p(y)) over all valid voxels.
        func sumOfLabels(_ f: (_ y: Int, _ p: Double) -> Double) -> Double {
            sum { c, p, g in g == 1 ? f(c, p) : 0 }
        }

        /// The mean of f(sample, class) over samples and classes.
        func mean(_ f: (_ s: Range<Int>, _ c: Range<Int>) -> Double) -> Double {
            var total = 0.0
            for s in 0..<samples { for c in 0..<classes { total += f(s..<s + 1, c..<c + 1) } }
            return total / Double(samples * classes)
        }

        var all: Double { Double(samples * voxels) }
        var valid: Double { Double(counts.count { $0 }) }
        var everySample: Range<Int> { 0..<samples }
        var everyClass: Range<Int> { 0..<classes }
    }

    private func check(
        _ loss: Loss, _ values: Values, _ expected: Double, line: UInt = #line
    ) throws {
        let outcome = try Library.evaluate(values.problem, Configuration(loss: loss))
        XCTAssertTrue(
            abs(outcome.value - expected) <= 1e-6 * abs(expected), "\(outcome.value), not \(expected)", line: line)
        XCTAssertTrue(expected != 0, line: line)
    }

    private lazy var seed = testSeed(0x9E5E7)

    private func both(_ activation: Problem.Activation, _ body: (Values) throws -> Void) throws {
        for ignoring in [false, true] { try body(Values(activation, ignoring: ignoring, seed: seed)) }
    }

    func testPyTorch() throws {
        try both(.sigmoid) { x in
            let squares = x.sum { _, p, g in (p - g) * (p - g) }
            try check(.pyTorch.mse(), x, squares / (3 * x.valid))
            try check(.pyTorch.mse(reduction: .sum), x, squares)
            try check(.pyTorch.l1(reduction: .sum), x, x.sum { _, p, g in abs(p - g) })
            try check(
                .pyTorch.smoothL1(reduction: .sum), x, x.sum { _, p, g in (p - g) * (p - g) / 2 })
            let huber = x.sum { _, p, g in
                abs(p - g) < 0.3 ? (p - g) * (p - g) / 2 : 0.3 * (abs(p - g) - 0.15)
            }
            try check(.pyTorch.huber(delta: 0.3), x, huber / (3 * x.valid))
        }
    }

    func testMMSegmentation() throws {
        let w = [0.5, 1, 2.0], weights: [Float] = [0.5, 1, 2]
        try both(.softmax) { x in
            let nll = x.sumOfLabels { y, p in -w[y] * log(p) }
            try check(.mmSegmentation.crossEntropy(classWeight: weights), x, nll / x.all)
            try check(
                .mmSegmentation.crossEntropy(classWeight: weights, avgNonIgnore: true), x, nll / x.valid)
            try check(.mmSegmentation.crossEntropy(classWeight: weights, reduction: .sum), x, nll)
            let dice = x.mean { s, c in
                let size = x.sum(s, c) { p, g in p * p + g * g }
                return w[c.lowerBound] * (1 - (2 * x.sum(s, c, *) + 1) / (size + 1))
            }
            try check(.mmSegmentation.dice(classWeight: weights), x, dice)
            let linear = x.mean { s, c in 1 - (2 * x.sum(s, c, *) + 0.5) / (x.sum(s, c, +) + 0.5) }
            try check(.mmSegmentation.dice(smooth: 0.5, squared: false), x, linear)
            let tversky = x.mean { s, c in
                let i = x.sum(s, c, *), fp = x.sum(s, c) { $0 * (1 - $1) }, fn = x.sum(s, c) { (1 - $0) * $1 }
                return w[c.lowerBound] * (1 - (i + 1) / (i + 0.3 * fp + 0.7 * fn + 1))
            }
            try check(.mmSegmentation.tversky(classWeight: weights), x, tversky)
        }
        try both(.sigmoid) { x in
            let bce = x.sum { c, p, g in -(w[c] * g * log(p) + (1 - g) * log(1 - p)) }
            try check(.mmSegmentation.binaryCrossEntropy(classWeight: weights), x, bce / (3 * x.all))
            try check(
                .mmSegmentation.binaryCrossEntropy(classWeight: weights, avgNonIgnore: true), x, bce / (3 * x.valid))
            let focal = x.sum { c, p, g in
                -w[c] * (0.25 * g * (1 - p) * (1 - p) * log(p) + 0.75 * (1 - g) * p * p * log(1 - p))
            }
            try check(.mmSegmentation.focal(alpha: 0.25, classWeight: weights), x, focal / (3 * x.all))
            let alpha = [0.25, 0.5, 0.875]
            let each = x.sum { c, p, g in
                -(alpha[c] * g * (1 - p) * log(p) + (1 - alpha[c]) * (1 - g) * p * log(1 - p))
            }
            try check(.mmSegmentation.focal(gamma: 1, alpha: [0.25, 0.5, 0.875]), x, each / (3 * x.all))
        }
    }

    func testHardExamples() throws {
        try both(.softmax) { x in
            var probabilities: [Double] = []
            _ = x.sumOfLabels { _, p in
                probabilities.append(p)
                return 0
            }
            let hard = probabilities.filter { $0 < 0.7 }
            XCTAssertTrue(hard.count > 20 && hard.count < probabilities.count - 5, "\(hard.count) hard voxels")
            func nll(_ p: some Sequence<Double>) -> Double { p.reduce(0) { $0 - log($1) } }
            try check(.mmSegmentation.ohemCrossEntropy(minKept: 20), x, nll(hard) / Double(hard.count))
            let hardest = nll(probabilities.sorted().prefix(hard.count + 4))
            try check(
                .mmSegmentation.ohemCrossEntropy(minKept: hard.count + 4), x, hardest / Double(hard.count + 4))
            let twenty = nll(probabilities.sorted().prefix(20))
            try check(.mmSegmentation.ohemPixelSampler(images: 2, minKept: 10), x, twenty / x.all)
            try check(
                .mmSegmentation.ohemPixelSampler(images: 2, minKept: 10, avgNonIgnore: true), x, twenty / x.valid)
            try check(.mmSegmentation.ohemPixelSampler(images: 2, thresh: 0.7, minKept: 10), x, nll(hard) / x.all)
        }
    }

    /// Without a positive MMOCR takes so many of the hardest negatives.
    func testFallbackNegatives() throws {
        let p: [Float] = [0.25, 0.5, 0.125, 0.75]
        let problem = Problem(
            samples: 1, classes: 1, voxels: 4, activation: .probabilities, terms: [], logits: p,
            target: .labels([0, 0, 0, 0]))
        func value(_ loss: Loss) throws -> Double { try Library.evaluate(problem, Configuration(loss: loss)).value }
        XCTAssertEqual(try value(.mmOCR.maskedBalancedBCE()), 0)
        let two = try value(.mmOCR.maskedBalancedBCE(fallbackNegativeNum: 2, eps: 0))
        XCTAssertTrue(abs(two + (log(0.25) + log(0.5)) / 2) <= 1e-6, "\(two)")
    }

    /// One Dice for a sample's channels together.
    func testFlattenedDice() throws {
        try both(.sigmoid) { x in
            func each(_ f: (_ s: Range<Int>) -> Double) -> Double { (f(0..<1) + f(1..<2)) / 2 }
            let c = x.everyClass
            let squared = each { s in
                1 - 2 * x.sum(s, c, *) / (x.sum(s, c) { p, _ in p * p } + 1e-3 + x.sum(s, c) { _, g in g * g } + 1e-3)
            }
            try check(.mmDetection.dice(), x, squared)
            try check(.mmOCR.maskedSquareDice(), x, squared)
            let naive = each { s in 1 - (2 * x.sum(s, c, *) + 0.5) / (x.sum(s, c, +) + 0.5) }
            try check(.mmDetection.dice(naiveDice: true, eps: 0.5), x, naive)
        }
    }

    func testFVCore() throws {
        try both(.sigmoid) { x in
            // Of the logit log(p / (1 - p)).
            func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }
            let star = x.sum { _, p, g in
                -(0.25 * g + 0.75 * (1 - g)) * log(sigmoid(3 * log(p / (1 - p)) * (2 * g - 1))) / 3
            }
            try check(.fvcore.sigmoidFocalStar(alpha: 0.25, gamma: 3, reduction: .sum), x, star)
            try check(.fvcore.sigmoidFocalStar(alpha: 0.25, gamma: 3), x, star / (3 * x.valid))
        }
    }

    func testKeras() throws {
        try both(.softmax) { x in
            try check(
                .keras.categoricalFocalCrossentropy(), x,
                x.sumOfLabels { _, p in -0.25 * (1 - p) * (1 - p) * log(p) } / x.valid)
            let alpha = [0.5, 1, 2.0]
            try check(
                .keras.categoricalFocalCrossentropy(alpha: [0.5, 1, 2], gamma: 1), x,
                x.sumOfLabels { y, p in -alpha[y] * (1 - p) * log(p) } / x.valid)
            let smoothed = x.sum { _, p, g in -(0.9 * g + 0.1 / 3) * log(p) }
            try check(.keras.categoricalCrossentropy(labelSmoothing: 0.1), x, smoothed / x.valid)
            let i = x.sum(x.everySample, x.everyClass, *), sizes = x.sum(x.everySample, x.everyClass, +)
            try check(.keras.dice(), x, 1 - 2 * i / (sizes + 1e-7))
        }
        try both(.sigmoid) { x in
            let bce = x.sum { _, p, g in -((0.9 * g + 0.05) * log(p) + (0.95 - 0.9 * g) * log(1 - p)) }
            try check(.keras.binaryCrossentropy(labelSmoothing: 0.1), x, bce / (3 * x.valid))
            let focal = x.sum { _, p, g in
                -(g * (1 - p) * (1 - p) * log(p) + (1 - g) * p * p * log(1 - p))
            }
            try check(.keras.binaryFocalCrossentropy(), x, focal / (3 * x.valid))
            let balanced = x.sum { _, p, g in
                -(0.3 * g * (1 - p) * (1 - p) * log(p) + 0.7 * (1 - g) * p * p * log(1 - p))
            }
            try check(
                .keras.binaryFocalCrossentropy(applyClassBalancing: true, alpha: 0.3), x, balanced / (3 * x.valid))
            let s = x.everySample, c = x.everyClass
            let i = x.sum(s, c, *), fp = x.sum(s, c) { $0 * (1 - $1) }, fn = x.sum(s, c) { (1 - $0) * $1 }
            try check(
                .keras.tversky(alpha: 0.3, beta: 0.7), x, 1 - i / (i + 0.3 * fp + 0.7 * fn + 1e-7))
        }
    }

    /// MONAI's focal losses without the background, and the sums of both reductions, of which there are few cases.
    func testMONAI() throws {
        let w = [0, 1, 2.0]
        try both(.sigmoid) { x in
            let focal = x.sum { c, p, g in
                -w[c] * (g * (1 - p) * (1 - p) * log(p) + (1 - g) * p * p * log(1 - p))
            }
            try check(
                .monai.focal(background: .excluded(classes: 3), weight: [1, 2]), x, focal / (2 * x.valid))
            // A mean over the voxels first, then the sum over two samples and two channels.
            try check(
                .monai.focal(
                    background: .excluded(classes: 3), weight: [1, 2], reduction: .sum(samples: 2, classes: 3)),
                x, 2 * focal / x.valid)
            let dice = x.mean { s, c in
                c.lowerBound == 0 ? 0 : 1 - (2 * x.sum(s, c, *) + 1e-5) / (x.sum(s, c, +) + 1e-5)
            }
            try check(
                .monai.diceFocal(background: .excluded(classes: 3), weight: [1, 1], lambdaFocal: 0), x, 1.5 * dice)
            try check(
                .monai.dice(includeBackground: false, reduction: .sum(samples: 2, classes: 3)), x, 6 * dice)
        }
    }

    /// Three classes, with and without the background, as MONAI writes it.
    func testUnifiedFocal() throws {
        try both(.softmax) { x in
            let delta = 0.6, gamma = 0.3
            func score(_ s: Range<Int>, _ c: Range<Int>) -> Double {
                let i = x.sum(s, c, *), fp = x.sum(s, c) { $0 * (1 - $1) }, fn = x.sum(s, c) { (1 - $0) * $1 }
                return (i + 1e-7) / (i + delta * fn + (1 - delta) * fp + 1e-7)
            }
            let back = x.sumOfLabels { y, p in y == 0 ? -(1 - delta) * pow(1 - p, gamma) * log(p) : 0 } / x.valid
            let fore = x.sumOfLabels { y, p in y == 0 ? 0 : -delta * log(p) } / x.valid
            let backTversky = (1 - score(0..<1, 0..<1) + 1 - score(1..<2, 0..<1)) / 2
            let foreTversky = 3 * x.mean { s, c in c.lowerBound == 0 ? 0 : pow(1 - score(s, c), 1 - gamma) }
            try check(
                .monai.asymmetricUnifiedFocal(classes: 3, weight: 0.4, delta: delta, gamma: gamma), x,
                0.4 * (back + fore) / 3 + 0.6 * (backTversky + foreTversky) / 3)
            try check(
                .monai.asymmetricUnifiedFocal(
                    classes: 3, weight: 0.4, delta: delta, gamma: gamma, includeBackground: false),
                x, 0.4 * fore / 2 + 0.6 * foreTversky / 2)
        }
    }

    /// PaddleOCR mines copies of one number: that number, but for the epsilon of the divisor.
    func testPaddleOCRIsTheDiceThatItMines() {
        XCTAssertEqual(Loss.paddleOCR.dice(), .db.dice())
        XCTAssertEqual(Loss.fvcore.sigmoidFocal(alpha: 0.25), .torchvision.sigmoidFocal())
    }
}
