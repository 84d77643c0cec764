import Foundation
import SegLoss
import SegLossReference
import XCTest

/// docs/losses/articles.md: its expressions, as they stand there, give the numbers of the texts' own formulas.
final class ArticleTests: XCTestCase {
    /// How many values are negatives and positives, as a text counts them in its batch.
    private func ratio(_ golden: GoldenCase) -> (negatives: Float, positives: Float) {
        let count: Int, positives: Int
        switch golden.problem.target {
        case .labels(let labels): (count, positives) = (labels.count, labels.count { $0 == 1 })
        case .dense(let targets, _): (count, positives) = (targets.count, targets.count { $0 == 1 })
        }
        return (Float(count - positives), Float(positives))
    }

    func testImbalance() throws {
        try check([
            .init(golden: "seeds/s000_focal_sum", loss: .focal(gamma: 2, alpha: 0.25, divisor: .constant(1))),
            .init(golden: "seeds/s000_focal_mean", loss: .focal(gamma: 2, alpha: 0.25, divisor: .valid)),
            .init(golden: "seeds/s000_dice_smooth1", loss: .dice(smooth: .both(1), scope: .batchPooled)),
            .init(
                golden: "seeds/s000_bce_log_dice",
                loss: .binaryCrossEntropy(divisor: .valid)
                    + .logDice(least: 0, smooth: .both(1), scope: .batchPooled)),
            .init(
                golden: "seeds/s000_mixed_corrected",
                loss: 0.01 * .focal(gamma: 2, alpha: 0.25, divisor: .constant(1))
                    + .logDice(least: 0, smooth: .both(1), scope: .batchPooled)),
            .init(
                golden: "seeds/s000_weighted_dice",
                loss: .dice(smooth: .both(1), scope: .batchPooled, voxelWeights: .inSums)),
            .init(golden: "seeds/s000_weighted_bce", loss: .binaryCrossEntropy()),
        ])
    }

    /// The weighted cross entropy and the Dice that weights do not enter: the sum of two losses that have their cases.
    func testWeightedCrossEntropyAndDice() throws {
        let golden = try Fixtures.goldenByName()
        let weighted = try XCTUnwrap(golden["seeds/s000_weighted_bce"])
        let dice = try XCTUnwrap(golden["seeds/s000_dice_smooth1"])
        let loss: Loss = .binaryCrossEntropy() + .dice(smooth: .both(1), scope: .batchPooled)
        let both = try Library.evaluate(weighted.problem, Configuration(loss: loss))
        let expected = try XCTUnwrap(weighted.value) + XCTUnwrap(dice.value)
        XCTAssertTrue(abs(both.value - expected) <= 1e-6 * expected, "\(both.value), not \(expected)")
        let error = gradientError(both.gradient.map(Double.init), zip(weighted.gradient, dice.gradient).map(+))
        XCTAssertTrue(error <= 1e-6, "gradient off by \(error) of the largest")
    }

    /// The form of TensorFlow, written out.
    func testWeightsOfPositives() throws {
        let p = [0.25, 0.5, 0.75, 0.125], labels = [1, 0, 1, 0], weights = [3.0, 3, 1, 1]
        let problem = Problem(
            samples: 1, classes: 1, voxels: 4, activation: .probabilities, terms: [], logits: p.map { Float($0) },
            target: .labels(labels.map { Int64($0) }), weights: weights.map { Float($0) })
        let loss: Loss = .binaryCrossEntropy(voxelWeights: .positives, divisor: .valid)
        let value = try Library.evaluate(problem, Configuration(loss: loss)).value
        let expected = -(3 * log(0.25) + log(1 - 0.5) + log(0.75) + log(1 - 0.125)) / 4
        XCTAssertTrue(abs(value - expected) <= 1e-6 * expected, "\(value), not \(expected)")
    }

    func testBoundary() throws {
        try check([
            .init(golden: "seeds/s001_boundary_toy_literal", loss: .linear(classWeights: [0, 1])),
            .init(golden: "seeds/s001_boundary_toy_corrected", loss: .linear(classWeights: [0, 1])),
            .init(golden: "seeds/s001_boundary_corrected", loss: .linear(classWeights: [0, 1, 1, 1])),
            .init(golden: "seeds/s001_boundary_corrected/inside", loss: .boundary(classes: .foreground)),
            .init(golden: "seeds/s001_boundary_toy_corrected/inside", loss: .boundary(classes: .foreground)),
            .init(
                golden: "seeds/s001_rebalance",
                loss: 0.99 * .dice(smooth: .both(1), scope: .batch) + 0.01 * .linear(classWeights: [0, 1, 1, 1])),
        ])
    }

    func testDice() throws {
        let misplaced = Smooth.separate(numerator: 2, denominator: 1)
        try check([
            .init(
                golden: "seeds/s002_vector_dice", loss: .dice(smooth: .none, scope: .batchPooled), coefficient: true),
            .init(
                golden: "seeds/s002_vector_dice_squared",
                loss: .dice(smooth: .none, denominator: .squared, scope: .batchPooled), coefficient: true),
            .init(
                golden: "seeds/s002_vector_dice_smooth1", loss: .dice(smooth: .both(1), scope: .batchPooled),
                coefficient: true),
            .init(
                golden: "seeds/s002_vector_dice_misplaced",
                loss: .dice(smooth: .separate(numerator: 2, denominator: 1), scope: .batchPooled), coefficient: true),
            .init(
                golden: "seeds/s002_vector_iou", loss: .jaccard(smooth: .none, scope: .batchPooled),
                coefficient: true),
            .init(
                golden: "seeds/s002_soft_dice_literal",
                loss: .dice(smooth: .separate(numerator: 2, denominator: 1), scope: .samplePooled)),
            .init(golden: "seeds/s002_soft_dice_corrected", loss: .dice(smooth: .both(1), scope: .samplePooled)),
            .init(
                golden: "seeds/s002_dice_coeff_batch", loss: .dice(smooth: .both(1), scope: .batchPooled),
                coefficient: true),
            .init(
                golden: "seeds/s002_keras_squared_loss",
                loss: .dice(smooth: .both(1), denominator: .squared, scope: .batchPooled)),
            .init(
                golden: "seeds/s002_dice_coe_jaccard", loss: .dice(denominator: .squared, scope: .samplePooled)),
            .init(golden: "seeds/s002_dice_coe_sorensen", loss: .dice(scope: .samplePooled)),
            .init(golden: "seeds/s002_bce2d", loss: .binaryCrossEntropy(divisor: .valid)),
        ])
        // What the page says of the misplaced smoothing: n voxels predicted perfectly, and none at all.
        for n in 0..<3 {
            let exact = (0..<4).map { Float($0 < n ? 1 : 0) }
            let problem = Problem(
                samples: 1, classes: 1, voxels: 4, activation: .probabilities, terms: [], logits: exact,
                target: .dense(exact, byte: false))
            let value = try Library.evaluate(problem, Configuration(loss: .dice(smooth: misplaced))).value
            XCTAssertTrue(abs(value + 1 / Double(2 * n + 1)) <= 1e-15, "\(n) voxels: \(value)")
        }
    }

    func testSemanticSegmentation() throws {
        let counted = try XCTUnwrap(Fixtures.goldenByName()["seeds/s003_weighted_bce"])
        let (negatives, positives) = ratio(counted)
        XCTAssertTrue(negatives > positives && positives > 0)
        try check([
            .init(
                golden: "seeds/s003_balanced_bce_corrected",
                loss: .balancedBinaryCrossEntropy(negativeRatio: 3, epsilon: 1e-6)),
            .init(golden: "db/masked_l1", loss: .absoluteError(divisor: .valid)),
            .init(golden: "db/masked_l1_empty", loss: .absoluteError(divisor: .valid)),
            .init(
                golden: "seeds/s003_masked_dice", loss: .dice(smooth: .denominator(1e-6), scope: .batchPooled)),
            .init(
                golden: "db/masked_dice_weights",
                loss: .dice(smooth: .denominator(1e-6), scope: .batchPooled, voxelWeights: .inSums)),
            .init(golden: "pytorch/ce_mean", loss: .crossEntropy()),
            .init(
                golden: "seeds/s003_weighted_bce",
                loss: .binaryCrossEntropy(positiveWeights: [negatives / positives], divisor: .valid)),
            .init(golden: "seeds/s003_focal", loss: .focal(gamma: 2, alpha: 0.75, divisor: .valid)),
            .init(
                golden: "seeds/s003_soft_dice_squared",
                loss: .dice(smooth: .none, denominator: .squared, scope: .batch)),
            .init(
                golden: "seeds/s003_soft_iou_literal",
                loss: .region(Region(.jaccard, smooth: .none, scope: .batch, value: .minusScore))),
            .init(golden: "seeds/s003_soft_iou", loss: .jaccard(smooth: .none, scope: .batch)),
        ])
    }

    func testGeneralizedDice() throws {
        try check([
            .init(
                golden: "seeds/s004_question_literal",
                loss: 4 * .dice(smooth: .separate(numerator: 2, denominator: 1), scope: .batch)),
            .init(golden: "seeds/s004_question_corrected", loss: .dice(smooth: .both(1), scope: .batch)),
            .init(
                golden: "seeds/s004_weighted_literal",
                loss: .generalizedDice(
                    volumes: .square(offset: 1e-3, most: 1 - 1e-7), smooth: .separate(numerator: 2, denominator: 1),
                    scope: .batchPooled)),
            .init(
                golden: "seeds/s004_weighted_corrected",
                loss: .generalizedDice(
                    volumes: .square(offset: 1e-3, most: 1 - 1e-7), smooth: .both(1), scope: .batchPooled)),
        ])
        // The answer's formula, written out: two classes of 3 and 1 voxels.
        let loss: Loss = .generalizedDice(smooth: .none, scope: .batchPooled)
        let p = [0.75, 0.5, 1, 0.25, 0.25, 0.5, 0, 0.75], labels = [0, 0, 0, 1]
        let i = [2.25, 0.75], sizes = [2.5 + 3, 1.5 + 1], weights = [1.0 / 9, 1]
        let problem = Problem(
            samples: 1, classes: 2, voxels: 4, activation: .probabilities, terms: [], logits: p.map { Float($0) },
            target: .labels(labels.map { Int64($0) }))
        let value = try Library.evaluate(problem, Configuration(loss: loss)).value
        let expected =
            1 - 2 * (weights[0] * i[0] + weights[1] * i[1]) / (weights[0] * sizes[0] + weights[1] * sizes[1])
        XCTAssertTrue(abs(value - expected) <= 1e-12, "\(value), not \(expected)")
    }

    private func check(_ rows: [OriginalRow]) throws {
        let golden = try Fixtures.goldenByName()
        for row in rows { try row.check(golden) }
    }
}

/// The page and the tests have the same expressions, and every formula with numbers is tested.
final class ArticlePageTests: XCTestCase {
    func testEveryExpressionIsTested() throws {
        let page = try text("docs/losses/articles.md")
        let tests = try text("Tests/SegLossTests/ArticleTests.swift").filter { !$0.isWhitespace }
        var expressions = 0
        for row in page.split(separator: "\n") where row.hasPrefix("| ") {
            let cells = row.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            guard cells.count >= 2, cells[1].hasPrefix("`") else { continue }
            let expression = cells[1].filter { $0 != "`" && !$0.isWhitespace }
            expressions += 1
            XCTAssertTrue(tests.contains(expression), "\(cells[1]) is not tested")
        }
        XCTAssertTrue(expressions >= 35, "\(expressions) expressions")
    }

    func testEveryFormulaWithNumbersIsOnThePage() throws {
        let tests = try text("Tests/SegLossTests/ArticleTests.swift")
        let names = try Fixtures.golden().map(\.name).filter { $0.hasPrefix("seeds/") }
        XCTAssertTrue(names.count >= 30, "\(names.count) cases")
        for name in names { XCTAssertTrue(tests.contains("\"\(name)\""), "\(name) has no expression") }
    }

    private func text(_ path: String) throws -> String {
        try String(contentsOf: CompletenessTests.root.appending(path: path), encoding: .utf8)
    }
}
