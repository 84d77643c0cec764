import Foundation
import SegLoss
import SegLossReference
import XCTest

/// Presets without golden numbers: the frameworks' formulas, written out in Double as plainly as can be, and their
/// slopes, which are differences of the formulas' values.
final class PresetFormulaTests: XCTestCase {
    /// What a batch's targets are.
    private enum Subject {
        case labels
        /// Some of the labels are to be ignored.
        case ignoring
        /// Distributions.
        case soft
    }

    /// Probabilities and targets of a small batch, [samples][classes][voxels], and which voxels count.
    private struct Values {
        let samples = 2, classes: Int, voxels = 70
        let problem: Problem
        /// What goes in, and the probabilities.
        private(set) var x: [Double] = [], p: [Double] = []
        let g: [Double]
        let counts: [Bool]

        init(
            _ activation: Problem.Activation, classes: Int = 3, _ subject: Subject, maps: Bool = false, seed: UInt64
        ) {
            var random = SplitMix64(seed: seed)
            let (samples, voxels) = (samples, voxels)
            self.classes = classes
            var input = (0..<samples * classes * voxels).map { _ in 2 * random.normal() }
            if activation == .probabilities { input = input.map { 1 / (1 + exp(-$0)) } }
            let labels = (0..<samples * voxels).map { _ in
                subject == .ignoring && random.chance(0.2) ? 255 : Int64(random.below(classes))
            }
            var shares = [Float](repeating: 0, count: input.count)
            for s in 0..<samples {
                for v in 0..<voxels {
                    let label = labels[s * voxels + v]
                    for c in 0..<classes {
                        let others = 0.5 / Float(classes - 1)
                        shares[(s * classes + c) * voxels + v] =
                            subject == .soft ? (label == c ? 0.5 : others) : (label == c ? 1 : 0)
                    }
                }
            }
            problem = Problem(
                samples: samples, classes: classes, voxels: voxels, activation: activation, terms: [], logits: input,
                target: subject == .soft ? .dense(shares, byte: false) : .labels(labels),
                maps: maps ? input.map { _ in 3 * random.normal() } : nil,
                ignoreIndex: subject == .ignoring ? 255 : nil)
            g = shares.map(Double.init)
            counts = labels.map { $0 != 255 }
            let unmoved = moved(by: 0, along: [Double](repeating: 0, count: input.count))
            (x, p) = (unmoved.x, unmoved.p)
        }

        /// The same with other input: for the formulas alone.
        func moved(by step: Double, along direction: [Double]) -> Values {
            var values = self
            values.x = zip(problem.logits, direction).map { Double($0) + step * $1 }
            values.p = values.x
            for s in 0..<samples where problem.activation != .probabilities {
                for v in 0..<voxels {
                    let all = (0..<classes).map { (s * classes + $0) * voxels + v }
                    let sum = all.reduce(0) { $0 + exp(values.x[$1]) }
                    for i in all {
                        let e = exp(values.x[i])
                        values.p[i] = problem.activation == .softmax ? e / sum : e / (1 + e)
                    }
                }
            }
            return values
        }

        /// The sum of f(class, value that went in, target) over all valid values.
        func sumOfInput(_ f: (_ c: Int, _ x: Double, _ g: Double) -> Double) -> Double {
            var total = 0.0
            for i in x.indices where counts[i / voxels / classes * voxels + i % voxels] {
                total += f(i / voxels % classes, x[i], g[i])
            }
            return total
        }

        /// f(label, probabilities) of all valid voxels.
        func ofVoxels(_ f: (_ y: Int, _ p: [Double]) -> Double) -> [Double] {
            (0..<samples * voxels).filter { counts[$0] }.map { i in
                let all = (0..<classes).map { (i / voxels * classes + $0) * voxels + i % voxels }
                return f(all.firstIndex { g[$0] == 1 } ?? 0, all.map { p[$0] })
            }
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

    /// A preset whose value is right: its gradient has yet to be compared.
    private struct Checked {
        let gradient: [Double]
        let value: Double
        let line: UInt
    }

    private var checked: [Checked] = []
    /// While a body runs on moved values: what it expects, in the order of its checks.
    private var expected: [Double]?

    private func check(
        _ loss: Loss, _ values: Values, _ value: Double, line: UInt = #line
    ) throws {
        if expected != nil {
            expected?.append(value)
            return
        }
        let outcome = try Library.evaluate(values.problem, Configuration(loss: loss))
        XCTAssertTrue(
            abs(outcome.value - value) <= 1e-6 * abs(value), "\(outcome.value), not \(value)", line: line)
        XCTAssertTrue(value != 0, line: line)
        checked.append(Checked(gradient: outcome.gradient.map(Double.init), value: value, line: line))
    }

    /// Runs a body of checks, and again on values a little to both sides: the gradients of the presets must be the
    /// slopes of the body's formulas.
    private func every(_ values: Values, _ body: (Values) throws -> Void) throws {
        checked = []
        try body(values)
        XCTAssertFalse(checked.isEmpty)
        var random = SplitMix64(seed: seed)
        for _ in 0..<3 {
            // Probabilities move by less the nearer they are to 0 and 1, as those of moved logits do.
            let isMovedInside = values.problem.activation == .probabilities
            let direction = values.x.map { Double(random.normal()) * (isMovedInside ? $0 * (1 - $0) : 1) }
            let step = 1e-5
            func expectations(_ step: Double) throws -> [Double] {
                expected = []
                defer { expected = nil }
                try body(values.moved(by: step, along: direction))
                return try XCTUnwrap(expected)
            }
            let (up, down) = (try expectations(step), try expectations(-step))
            XCTAssertEqual(up.count, checked.count)
            for (one, (above, below)) in zip(checked, zip(up, down)) {
                let slope = (above - below) / (2 * step)
                let products = zip(one.gradient, direction).map { $0 * $1 }
                let error = abs(products.reduce(0, +) - slope)
                let bound = 1e-6 * products.reduce(0) { $0 + abs($1) } + 1e-9 * abs(one.value)
                XCTAssertTrue(error <= bound, "slope off by \(error), seed \(seed)", line: one.line)
            }
        }
    }

    private lazy var seed = testSeed(0x9E5E7)

    private func both(_ activation: Problem.Activation, classes: Int = 3, _ body: (Values) throws -> Void) throws {
        for subject in [Subject.labels, .ignoring] { try every(values(activation, classes: classes, subject), body) }
    }

    private func values(
        _ activation: Problem.Activation, classes: Int = 3, _ subject: Subject, maps: Bool = false
    ) -> Values {
        Values(activation, classes: classes, subject, maps: maps, seed: seed)
    }

    private func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

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
            let w = [0.5, 1, 2.0], f = [3, 1, 0.25]
            let weighted = x.sum { c, p, g in -w[c] * (f[c] * g * log(p) + (1 - g) * log(1 - p)) }
            try check(
                .pyTorch.bceWithLogits(weight: [0.5, 1, 2], posWeight: [3, 1, 0.25]), x, weighted / (3 * x.valid))
        }
        try both(.probabilities) { x in
            let w = [0.5, 1, 2.0]
            let weighted = x.sum { c, p, g in -w[c] * (g * log(p) + (1 - g) * log(1 - p)) }
            try check(.pyTorch.bce(weight: [0.5, 1, 2]), x, weighted / (3 * x.valid))
            try check(.pyTorch.bce(weight: [0.5, 1, 2], reduction: .sum), x, weighted)
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
            // That of mmsegmentation 1.2.
            try check(.pyTorch.crossEntropy(weight: weights), x, nll / x.sumOfLabels { y, _ in w[y] })
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
        let w = [0.5, 1, 2.0], weights: [Float] = [0.5, 1, 2]
        try both(.softmax) { x in
            var probabilities: [Double] = []
            var labels: [(probability: Double, weight: Double)] = []
            _ = x.sumOfLabels { c, p in
                probabilities.append(p)
                labels.append((p, w[c]))
                return 0
            }
            let hard = probabilities.filter { $0 < 0.7 }
            XCTAssertTrue(hard.count > 20 && hard.count < probabilities.count - 5, "\(hard.count) hard voxels")
            func nll(_ p: some Sequence<Double>) -> Double { p.reduce(0) { $0 - log($1) } }
            try check(.mmSegmentation.ohemCrossEntropy(minKept: 20), x, nll(hard) / Double(hard.count))
            let hardest = nll(probabilities.sorted().prefix(hard.count + 4))
            try check(
                .mmSegmentation.ohemCrossEntropy(minKept: hard.count + 4), x, hardest / Double(hard.count + 4))
            let weighted = labels.sorted { $0.probability < $1.probability }.reduce(into: [0]) {
                $0.append($0.last! - $1.weight * log($1.probability))
            }
            try check(
                .mmSegmentation.ohemCrossEntropy(minKept: 20, classWeight: weights), x,
                weighted[hard.count] / Double(hard.count))
            try check(
                .mmSegmentation.ohemCrossEntropy(minKept: hard.count + 4, classWeight: weights), x,
                weighted[hard.count + 4] / Double(hard.count + 4))
            try check(
                .mmSegmentation.ohemCrossEntropy(thresh: 0, minKept: 12, classWeight: weights), x, weighted[12] / 12)
            try check(
                .mmSegmentation.ohemPixelSampler(images: 2, thresh: 0.7, minKept: 10, classWeight: weights), x,
                weighted[hard.count] / x.all)
            try check(
                .mmSegmentation.ohemPixelSampler(images: 2, thresh: 0, minKept: 6, classWeight: weights), x,
                weighted[12] / x.all)
            let heaviest = labels.map { -$0.weight * log($0.probability) }.sorted(by: >).prefix(20).reduce(0, +)
            try check(
                .mmSegmentation.ohemPixelSampler(images: 2, minKept: 10, classWeight: weights, avgNonIgnore: true), x,
                heaviest / x.valid)
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
            let star = x.sumOfInput { _, x, g in
                -(0.25 * g + 0.75 * (1 - g)) * log(sigmoid(3 * x * (2 * g - 1))) / 3
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

    private func matthews(
        _ x: Values, _ s: Range<Int>, _ c: Range<Int>, _ nr: Double, _ dr: Double
    ) -> Double {
        let tp = x.sum(s, c, *), fp = x.sum(s, c) { $0 * (1 - $1) }
        let fn = x.sum(s, c) { (1 - $0) * $1 }, tn = x.sum(s, c) { (1 - $0) * (1 - $1) }
        return 1 - (tp * tn - fp * fn + nr) / ((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn) + dr).squareRoot()
    }

    /// The smoothing of MONAI's correlation is under the root.
    func testMatthews() throws {
        for activation in Problem.Activation.allCases {
            try both(activation) { x in
                try check(.monai.mcc(), x, x.mean { s, c in matthews(x, s, c, 0, 1e-5) })
                try check(.monai.mcc(smoothNr: 20, smoothDr: 1), x, x.mean { s, c in matthews(x, s, c, 20, 1) })
                let great = x.mean { s, c in c.lowerBound == 0 ? 0 : matthews(x, s, c, 0, 1e5) }
                try check(.monai.mcc(includeBackground: false, smoothDr: 1e5), x, 1.5 * great)
                let batch = (0..<3).reduce(0) { $0 + matthews(x, x.everySample, $1..<$1 + 1, 1, 1e6) }
                try check(
                    .monai.mcc(smoothNr: 1, smoothDr: 1e6, batch: true, reduction: .sum(samples: 2, classes: 3)), x,
                    batch)
            }
        }
    }

    /// Where nothing is wrong MONAI's loss is 0, whatever the smoothing; a correlation by itself is 0 there.
    func testPerfectMatthews() throws {
        // Class 0 is there, class 1 is not, both are predicted as they are; class 2 is wrong in one voxel.
        let problem = Problem(
            samples: 1, classes: 3, voxels: 4, activation: .probabilities, terms: [],
            logits: [1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0.5, 0], target: .labels([0, 0, 0, 0]))
        func outcome(_ loss: Loss) throws -> Outcome { try Library.evaluate(problem, Configuration(loss: loss)) }
        let monai = try outcome(.monai.mcc(smoothDr: 1))
        // Of class 2: fp 1/2, tn 3.5, no margin of positives.
        XCTAssertEqual(monai.value, 1.0 / 3)
        XCTAssertTrue(monai.gradient[..<8].allSatisfy { $0 == 0 })
        XCTAssertTrue(monai.gradient[8...].allSatisfy { $0 == 0 })
        XCTAssertEqual(try outcome(.matthews(smoothCounts: 0, smoothProduct: 1)).value, 1)
        XCTAssertEqual(try outcome(.monai.mcc(smoothNr: 0.25, smoothDr: 0.25)).value, (1 - 0.5) / 3)
    }

    /// MONAI's focal losses of soft targets, also beside a Dice and inside a softmax.
    func testSoftTargetsOfMONAI() throws {
        for activation in [Problem.Activation.sigmoid, .softmax] {
            try every(values(activation, .soft)) { x in
                let total = x.sumOfInput { _, x, g in
                    let p = sigmoid(x)
                    return -pow(sigmoid(x * (1 - 2 * g)), 3) * (g * log(p) + (1 - g) * log(1 - p))
                }
                let focal = total / (3 * x.all)
                let dice = x.mean { s, c in 1 - (2 * x.sum(s, c, *) + 1e-5) / (x.sum(s, c, +) + 1e-5) }
                try check(.monai.focal(gamma: 3, softTargets: true), x, focal)
                try check(.monai.diceFocal(gamma: 3, lambdaFocal: 2, softTargets: true), x, dice + 2 * focal)
                try check(.monai.generalizedDiceFocal(gamma: 3, lambdaGDL: 0, softTargets: true), x, focal)
            }
        }
    }

    func testListsOfAlphasOfMONAI() throws {
        let alpha = [0.25, 0.5, 0.875], w = [2, 1, 0.5]
        for activation in [Problem.Activation.sigmoid, .softmax] {
            try both(activation) { x in
                let focal = x.sumOfInput { c, x, g in
                    let p = sigmoid(x)
                    return -(alpha[c] * g * (1 - p) * (1 - p) * log(p) + (1 - g) * p * p * log(1 - p))
                }
                try check(
                    .monai.diceFocal(alpha: [0.25, 0.5, 0.875], lambdaDice: 0, lambdaFocal: 0.5), x,
                    focal / (6 * x.valid))
            }
        }
        try both(.softmax) { x in
            let focal = x.sumOfLabels { y, p in -alpha[y] * w[y] * (1 - p) * (1 - p) * log(p) }
            try check(
                .monai.softmaxFocal(classes: 3, alpha: [0.25, 0.5, 0.875], weight: [2, 1, 0.5], ignoring: true), x,
                focal / x.valid)
            try check(
                .monai.softmaxFocal(
                    classes: 3, alpha: [0.25, 0.5, 0.875], weight: [2, 1, 0.5],
                    reduction: .sum(samples: 2, classes: 3)),
                x, focal / x.valid * 2)
            // The classes of this plan are the foreground's, and its ignored voxels the background.
            let plain = x.sumOfLabels { _, p in -(1 - p) * (1 - p) * log(p) }
            try check(.monai.softmaxFocal(classes: 4, includeBackground: false, alpha: 0.3), x, plain / (3 * x.all))
            try check(
                .monai.softmaxFocal(
                    classes: 4, includeBackground: false, alpha: [0.25, 0.5, 0.875], weight: [2, 1, 0.5],
                    reduction: .sum(samples: 2, classes: 4)),
                x, focal / x.all * 2)
        }
    }

    func testBoundaryOfMONAI() throws {
        try every(values(.softmax, .labels, maps: true)) { x in
            let maps = x.problem.maps!.map(Double.init)
            func total(_ classes: Range<Int>) -> Double {
                x.p.indices.filter { classes.contains($0 / x.voxels % 3) }.reduce(0) { $0 + x.p[$1] * maps[$1] }
            }
            let v = Double(x.voxels)
            try check(.monai.boundary(), x, total(0..<3) / (6 * v))
            try check(.monai.boundary(reduction: .sum(samples: 2, classes: 3)), x, total(0..<3) / v)
            try check(
                .monai.boundary(
                    background: .excluded(classes: 3), batch: true, reduction: .sum(samples: 2, classes: 3)),
                x, total(1..<3) / (2 * v))
        }
    }

    private func tversky(_ x: Values, _ delta: Double, _ s: Range<Int>, _ c: Range<Int>) -> Double {
        let i = x.sum(s, c, *), fp = x.sum(s, c) { $0 * (1 - $1) }, fn = x.sum(s, c) { (1 - $0) * $1 }
        return (i + 1e-7) / (i + delta * fn + (1 - delta) * fp + 1e-7)
    }

    /// Two classes, as MONAI has them: from logits, and from the probabilities that the original takes.
    func testUnifiedFocal() throws {
        func expected(_ x: Values) -> Double {
            let focal = x.sumOfLabels { y, p in y == 0 ? -0.3 * (1 - p).squareRoot() * log(p) : -0.7 * log(p) }
            let overlap = x.mean { s, c in
                let loss = 1 - tversky(x, 0.7, s, c)
                return c.lowerBound == 0 ? loss : loss.squareRoot()
            }
            return 0.5 * focal / (2 * x.valid) + 0.5 * overlap
        }
        try both(.softmax, classes: 2) { x in try check(.monai.asymmetricUnifiedFocal(), x, expected(x)) }
        let background: Loss = .focal(
            gamma: 0.5, alpha: nil, classWeights: [0.3, 0], positivesOnly: true, divisor: .valid)
        let foreground: Loss = .focal(
            gamma: 0, alpha: nil, classWeights: [0, 0.7], positivesOnly: true, divisor: .valid)
        let overlap: Loss = .region(
            SegLoss.Region(
                .tversky(falsePositives: 0.3, falseNegatives: 0.7), smooth: .both(1e-7), exponent: .each([1, 0.5])))
        try both(.probabilities, classes: 2) { x in
            try check(0.5 * background + 0.5 * foreground + 0.5 * overlap, x, expected(x))
        }
    }

    /// Three classes, with and without the background: the same formula, but no longer MONAI's.
    func testUnifiedFocalOfMoreClasses() throws {
        try both(.softmax) { x in
            let delta = 0.6, gamma = 0.3
            let back = x.sumOfLabels { y, p in y == 0 ? -(1 - delta) * pow(1 - p, gamma) * log(p) : 0 } / x.valid
            let fore = x.sumOfLabels { y, p in y == 0 ? 0 : -delta * log(p) } / x.valid
            let backTversky = 1 - (tversky(x, delta, 0..<1, 0..<1) + tversky(x, delta, 1..<2, 0..<1)) / 2
            let foreTversky = 3
                * x.mean { s, c in c.lowerBound == 0 ? 0 : pow(1 - tversky(x, delta, s, c), 1 - gamma) }
            try check(
                .monai.asymmetricUnifiedFocal(classes: 3, weight: 0.4, gamma: gamma, delta: delta), x,
                0.4 * (back + fore) / 3 + 0.6 * (backTversky + foreTversky) / 3)
            try check(
                .monai.asymmetricUnifiedFocal(
                    classes: 3, weight: 0.4, gamma: gamma, delta: delta, includeBackground: false),
                x, 0.4 * fore / 2 + 0.6 * foreTversky / 2)
        }
    }

    func testNNUNet() throws {
        let w = [0.5, 1, 2.0]
        func dice(_ x: Values, _ clip: Double) -> Double {
            -x.mean { s, c in
                let tp = max(x.sum(s, c, *), clip)
                let wrong = x.sum(s, c) { $0 * (1 - $1) } + x.sum(s, c) { (1 - $0) * $1 }
                return (2 * tp + 1e-5) / (2 * tp + wrong + 1e-5)
            }
        }
        try both(.softmax) { x in
            let smoothed = x.ofVoxels { y, p in
                -0.9 * w[y] * log(p[y]) - 0.1 / 3 * (0..<3).reduce(0) { $0 + w[$1] * log(p[$1]) }
            }
            let top = smoothed.sorted(by: >).prefix(14).reduce(0, +) / 14
            try check(.nnUNet.topK(weight: [0.5, 1, 2], labelSmoothing: 0.1), x, top)
            try check(
                .nnUNet.diceTopK(
                    doBackground: true, clipTP: 10, weightCE: 2, weightDice: 0.5, weight: [0.5, 1, 2],
                    labelSmoothing: 0.1),
                x, 2 * top + 0.5 * dice(x, 10))
            let mean = smoothed.reduce(0, +) / x.sumOfLabels { y, _ in w[y] }
            try check(
                .nnUNet.diceCE(doBackground: true, clipTP: 10, weight: [0.5, 1, 2], labelSmoothing: 0.1), x,
                mean + dice(x, 10))
        }
        try both(.sigmoid) { x in
            let f = [3, 1, 0.25]
            let bce = x.sum { c, p, g in -w[c] * (f[c] * g * log(p) + (1 - g) * log(1 - p)) } / (3 * x.valid)
            try check(
                .nnUNet.diceBCE(clipTP: 10, weight: [0.5, 1, 2], posWeight: [3, 1, 0.25]), x, bce + dice(x, 10))
        }
    }

    /// smp's focal loss in its multiclass mode is the mean of the classes, whatever the reduction within each.
    func testFocalOfSMP() throws {
        let w = [0.5, 1, 2.0]
        func loss(_ x: Double, _ g: Double, _ factor: (_ pt: Double) -> Double) -> Double {
            let pt = g == 1 ? sigmoid(x) : sigmoid(-x)
            return -factor(pt) * log(pt)
        }
        for activation in [Problem.Activation.sigmoid, .softmax] {
            try both(activation) { x in
                let each = (0..<3).map { k in
                    x.sumOfInput { c, x, g in c == k ? loss(x, g) { (1 - $0) * (1 - $0) } : 0 }
                }
                try check(.smp.focal(), x, each.reduce(0, +) / (3 * x.valid))
                try check(.smp.focal(reduction: .sum, classes: 3), x, each.reduce(0, +) / 3)
                let weighted = zip(w, each).reduce(0) { $0 + $1.0 * $1.1 } / 3.5
                try check(.smp.focal(classWeights: [0.5, 1, 2], reduction: .sum, classes: 3), x, weighted)
                try check(.smp.focal(classWeights: [0.5, 1, 2], classes: 3), x, weighted / x.valid)
                let reduced = x.sumOfInput { _, x, g in loss(x, g) { $0 < 0.5 ? 1 : (1 - $0) / 0.5 } }
                try check(.smp.focal(gamma: 1, reducedThreshold: 0.5), x, reduced / (3 * x.valid))
                guard activation == .sigmoid else { return }
                let factors = (0..<3).map { k in
                    x.sumOfInput { c, x, g in c == k ? pow(sigmoid(x * (1 - 2 * g)), 2) : 0 }
                }
                let normalized = zip(each, factors).map { $0 / $1 }
                try check(.smp.focal(normalized: true, classes: 3), x, normalized.reduce(0, +) / 3)
                try check(
                    .smp.focal(normalized: true, classWeights: [0.5, 1, 2], reduction: .sum, classes: 3), x,
                    zip(w, normalized).reduce(0) { $0 + $1.0 * $1.1 } / 3.5)
            }
        }
    }

    /// What the page says of other means, as far as other tests have not been there.
    func testByOtherMeans() throws {
        // MONAI's DiceCELoss(sigmoid=True) of several channels: two plans and one gradient.
        let x = values(.softmax, .labels), channels = values(.sigmoid, .labels)
        let crossEntropy = x.sumOfLabels { _, p in -log(p) } / x.all
        let dice = channels.mean { s, c in
            1 - (2 * channels.sum(s, c, *) + 1e-5) / (channels.sum(s, c, +) + 1e-5)
        }
        let first = try Library.evaluate(channels.problem, Configuration(loss: .monai.dice()))
        var second = Configuration(loss: .pyTorch.crossEntropy())
        (second.write, second.oldGradient) = (.add, first.gradient)
        let both = try Library.evaluate(x.problem, second)
        XCTAssertTrue(abs(first.value + both.value - dice - crossEntropy) <= 1e-6 * (dice + crossEntropy))
        let alone = try Library.evaluate(x.problem, Configuration(loss: .pyTorch.crossEntropy()))
        for (sum, (a, b)) in zip(both.gradient, zip(first.gradient, alone.gradient)) { XCTAssertEqual(sum, a + b) }

        // A weight of each value of BCEWithLogitsLoss: channels are samples of one channel.
        var random = SplitMix64(seed: seed)
        let weights = channels.x.map { _ in Float(random.below(9)) / 4 }
        let flat = Problem(
            samples: 6, classes: 1, voxels: 70, activation: .sigmoid, terms: [], logits: channels.problem.logits,
            target: .labels(channels.g.map { Int64($0) }), weights: weights)
        var weighted = 0.0
        for (weight, (p, g)) in zip(weights, zip(channels.p, channels.g)) {
            weighted -= Double(weight) * (g == 1 ? log(p) : log(1 - p))
        }
        let bce = try Library.evaluate(flat, Configuration(loss: .pyTorch.bceWithLogits())).value
        XCTAssertTrue(abs(bce - weighted / 420) <= 1e-6 * weighted / 420, "\(bce), not \(weighted / 420)")

        // mmsegmentation's BoundaryLoss: each class weighs as much as the other is frequent.
        var edge = flat
        let edges = Double(channels.g.count { $0 == 1 }), share = edges / 420
        edge.weights = channels.g.map { Float($0 == 1 ? 1 - share : share) }
        func mean(_ wanted: Double, _ of: (Double) -> Double) -> Double {
            zip(channels.p, channels.g).reduce(0) { $1.1 == wanted ? $0 - log(of($1.0)) : $0 } / 420
        }
        let boundary = (1 - share) * mean(1) { $0 } + share * mean(0) { 1 - $0 }
        let weighed = try Library.evaluate(edge, Configuration(loss: .pyTorch.bceWithLogits())).value
        XCTAssertTrue(abs(weighed - boundary) <= 1e-6 * boundary, "\(weighed), not \(boundary)")

        // Keras's focal losses of smoothed labels: dense targets.
        try every(values(.softmax, .soft)) { x in
            let focal = x.sum { _, p, g in -0.25 * g * (1 - p) * (1 - p) * log(p) }
            try check(.keras.categoricalFocalCrossentropy(), x, focal / x.all)
        }
        try every(values(.sigmoid, .soft)) { x in
            let focal = x.sum { _, p, g in
                let pt = p * g + (1 - p) * (1 - g)
                return -(1 - pt) * (1 - pt) * (g * log(p) + (1 - g) * log(1 - p))
            }
            try check(.keras.binaryFocalCrossentropy(), x, focal / (3 * x.all))
        }
    }

    /// Numbers of samples and classes that no batch has are refused in planning, if anything; nothing overflows.
    func testNumbersThatNoBatchHas() {
        func plan(_ loss: Loss, _ activation: Activation = .softmax) throws {
            _ = try Evaluator(loss, shape: .flat(samples: 2, classes: 3, voxels: 9), activation: activation)
        }
        for n in [Int.max, .min, 1 << 62, 4, 0, -1] {
            XCTAssertThrowsError(try plan(.monai.asymmetricUnifiedFocal(classes: n)), "\(n)")
            XCTAssertThrowsError(try plan(.monai.asymmetricUnifiedFocal(classes: n, includeBackground: false)), "\(n)")
            XCTAssertThrowsError(try plan(.monai.focal(background: .excluded(classes: n))), "\(n)")
            XCTAssertThrowsError(try plan(.monai.boundary(background: .excluded(classes: n))), "\(n)")
            XCTAssertThrowsError(try plan(.smp.focal(normalized: true, classes: n), .sigmoid), "\(n)")
            XCTAssertThrowsError(try plan(.smp.focal(normalized: true, classWeights: [1, 1], classes: n), .sigmoid))
            let reduction = Loss.MONAI.Reduction.sum(samples: n, classes: n)
            for loss in [
                Loss.monai.dice(includeBackground: false, reduction: reduction), .monai.focal(reduction: reduction),
                .monai.generalizedDice(reduction: reduction), .monai.softmaxFocal(classes: 3, reduction: reduction),
            ] {
                XCTAssertThrowsError(try plan(loss), "\(n)")
            }
            XCTAssertThrowsError(try plan(.smp.focal(reduction: .sum, classes: n)), "\(n)")
        }
        for kept in [Int.max, 1 << 62, 100_000] {
            XCTAssertNoThrow(try plan(.mmSegmentation.ohemPixelSampler(images: 2, minKept: kept)))
            XCTAssertThrowsError(try plan(.mmSegmentation.ohemPixelSampler(images: 2, minKept: -kept)))
            XCTAssertThrowsError(try plan(.mmSegmentation.ohemPixelSampler(images: kept, minKept: kept)))
        }
    }

    /// PaddleOCR mines copies of one number: that number, but for the epsilon of the divisor.
    func testPaddleOCRIsTheDiceThatItMines() {
        XCTAssertEqual(Loss.paddleOCR.dice(), .db.dice())
        XCTAssertEqual(Loss.fvcore.sigmoidFocal(alpha: 0.25), .torchvision.sigmoidFocal())
    }
}
