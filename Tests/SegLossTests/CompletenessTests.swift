import Foundation
import SegLossReference
import XCTest

/// Every term kind of closs.h is in the reference, the golden numbers, the documentation and the bench. A new one makes
/// this fail until it has its row in the table below and what the row points at.
final class CompletenessTests: XCTestCase {
    private struct Row {
        /// The enumerator of closs_term_kind.
        var kind: String
        /// The case of SegLossReference's Term.Kind.
        var reference: String
        /// A file of the reference, and what in it computes the term.
        var file: String
        var computes: String
        /// The `kind` of golden.json, and how many cases must have it at least.
        var golden: String
        var goldenCases: Int
        /// The first cell of its row in README.md's table.
        var documentation: String
        /// Its section of docs/arithmetic.md.
        var arithmetic: String
        /// What the bench's catalogue of kernels makes it with.
        var bench: String
    }

    private static let rows = [
        Row(
            kind: "CLOSS_CROSS_ENTROPY", reference: "crossEntropy", file: "Softmax.swift", computes: "lse",
            golden: "cross_entropy", goldenCases: 10, documentation: "Cross entropy",
            arithmetic: "cross entropy:  a_c", bench: ".crossEntropy("),
        Row(
            kind: "CLOSS_BINARY_CROSS_ENTROPY", reference: "binaryCrossEntropy", file: "Pointwise.swift",
            computes: "positiveWeight", golden: "binary_cross_entropy", goldenCases: 10,
            documentation: "Binary cross entropy", arithmetic: "5.1 Binary cross entropy",
            bench: ".binaryCrossEntropy("),
        Row(
            kind: "CLOSS_FOCAL", reference: "focal", file: "Pointwise.swift", computes: "gamma", golden: "focal",
            goldenCases: 5, documentation: "Focal", arithmetic: "5.2 Focal", bench: ".focal("),
        Row(
            kind: "CLOSS_DICE", reference: "region", file: "Region.swift", computes: "case .dice", golden: "dice",
            goldenCases: 20, documentation: "Dice", arithmetic: "    Dice      e = ", bench: ".dice("),
        Row(
            kind: "CLOSS_JACCARD", reference: "region", file: "Region.swift", computes: "case .jaccard",
            golden: "jaccard", goldenCases: 5, documentation: "Jaccard", arithmetic: "    Jaccard   num",
            bench: ".jaccard("),
        Row(
            kind: "CLOSS_TVERSKY", reference: "region", file: "Region.swift", computes: "case .tversky",
            golden: "tversky", goldenCases: 5, documentation: "Tversky", arithmetic: "    Tversky   s =",
            bench: ".tversky("),
        Row(
            kind: "CLOSS_GENERALIZED_DICE", reference: "region", file: "Region.swift", computes: ".generalizedDice",
            golden: "generalized_dice", goldenCases: 4, documentation: "Generalized Dice",
            arithmetic: "7.2.6 Pooled", bench: ".generalizedDice("),
        Row(
            kind: "CLOSS_MATTHEWS", reference: "region", file: "Region.swift", computes: "matthews(",
            golden: "matthews", goldenCases: 2, documentation: "Matthews", arithmetic: "    Matthews  perfect_is_one",
            bench: ".matthews("),
        Row(
            kind: "CLOSS_LEAKY_DICE", reference: "region", file: "Region.swift", computes: "case .leakyDice",
            golden: "leaky_dice", goldenCases: 1, documentation: "Leaky Dice", arithmetic: "    Leaky     p and r",
            bench: ".leakyDice("),
        Row(
            kind: "CLOSS_BALANCED_BINARY_CROSS_ENTROPY", reference: "balancedBinaryCrossEntropy",
            file: "Selection.swift", computes: "minimumNegatives", golden: "balanced_binary_cross_entropy",
            goldenCases: 5,
            documentation: "Balanced binary cross entropy", arithmetic: "## 8. Balanced binary cross entropy",
            bench: ".balancedBinaryCrossEntropy("),
        Row(
            kind: "CLOSS_TOP_K", reference: "topK", file: "Ranking.swift", computes: "case .topK",
            golden: "top_k", goldenCases: 5, documentation: "Top-k", arithmetic: "top-k:",
            bench: ".topK("),
        // The originals' numbers hold no case of it.
        Row(
            kind: "CLOSS_OHEM", reference: "onlineHardExampleMining", file: "Ranking.swift",
            computes: "case .hardExamples", golden: "hard_examples", goldenCases: 0,
            documentation: "Online hard example mining", arithmetic: "hard examples:",
            bench: ".onlineHardExampleMining("),
        Row(
            kind: "CLOSS_BALANCED_L1", reference: "balancedL1", file: "Ranking.swift", computes: "case .errors",
            golden: "balanced_l1", goldenCases: 1, documentation: "Balanced L1", arithmetic: "8.7 Balanced L1",
            bench: ".balancedL1("),
        Row(
            kind: "CLOSS_LOVASZ_SOFTMAX", reference: "lovaszSoftmax", file: "Lovasz.swift",
            computes: "case .lovaszSoftmax",
            golden: "lovasz_softmax", goldenCases: 12, documentation: "Lovász softmax",
            arithmetic: "8.8 Lovász", bench: ".lovaszSoftmax("),
        Row(
            kind: "CLOSS_LOVASZ_HINGE", reference: "lovaszHinge", file: "Lovasz.swift", computes: "isHinge",
            golden: "lovasz_hinge", goldenCases: 7, documentation: "Lovász hinge",
            arithmetic: "hinge:", bench: ".lovaszHinge("),
        Row(
            kind: "CLOSS_ABSOLUTE_ERROR", reference: "absoluteError", file: "Errors.swift", computes: "absolute",
            golden: "absolute_error", goldenCases: 2, documentation: "Absolute error", arithmetic: "absolute:",
            bench: ".absoluteError("),
        Row(
            kind: "CLOSS_SMOOTH_L1", reference: "smoothL1", file: "Errors.swift", computes: "smooth",
            golden: "smooth_l1", goldenCases: 1, documentation: "Smooth L1", arithmetic: "smooth L1:",
            bench: ".smoothL1("),
        // None of the originals computes the squared error.
        Row(
            kind: "CLOSS_SQUARED_ERROR", reference: "squaredError", file: "Errors.swift", computes: "squared",
            golden: "squared_error", goldenCases: 0, documentation: "Squared error", arithmetic: "squared:",
            bench: ".squaredError("),
        Row(
            kind: "CLOSS_LINEAR_MAP", reference: "linear", file: "Errors.swift", computes: "linear",
            golden: "linear", goldenCases: 8, documentation: "Linear", arithmetic: "linear:", bench: ".linear("),
        Row(
            kind: "CLOSS_BOUNDARY", reference: "boundary", file: "DistanceTerms.swift", computes: "func signed(",
            golden: "boundary", goldenCases: 5, documentation: "Boundary", arithmetic: "13.3 Boundary loss",
            bench: ".boundary("),
        Row(
            kind: "CLOSS_HAUSDORFF", reference: "hausdorff", file: "DistanceTerms.swift", computes: "func power(",
            golden: "hausdorff", goldenCases: 5, documentation: "Hausdorff", arithmetic: "13.4 Hausdorff loss",
            bench: ".hausdorff("),
        // It is none of the originals' either.
        Row(
            kind: "CLOSS_FOCAL_STAR", reference: "focalStar", file: "Pointwise.swift", computes: "struct FocalStar",
            golden: "focal_star", goldenCases: 0, documentation: "Focal star", arithmetic: "5.7 Focal loss star",
            bench: ".focalStar("),
    ]

    /// The enumerators of closs_term_kind.
    private func kinds() throws -> [String] {
        let header = try Self.header()
        let body = try XCTUnwrap(header.firstMatch(of: /typedef enum closs_term_kind \{([^}]*)\}/)).output.1
        return body.matches(of: /(CLOSS_[A-Z_0-9]+) = \d+/).map { String($0.output.1) }
    }

    func testTheTableHasEveryKind() throws {
        let kinds = try kinds()
        XCTAssertTrue(kinds.count >= 5, "the header is not understood: \(kinds)")
        XCTAssertEqual(Set(kinds), Set(Self.rows.map(\.kind)))
        XCTAssertEqual(kinds.count, Self.rows.count)
    }

    func testReference() throws {
        let problem = try text("Tests/SegLossReference/Problem.swift")
        let oracle = try text("Tests/SegLossTests/Support/Oracle.swift")
        let gradients = try text("Tests/SegLossTests/GradientTests.swift")
        for row in Self.rows {
            XCTAssertTrue(problem.contains("case \(row.reference)("), "Problem.swift has no case \(row.reference)")
            let file = try text("Tests/SegLossReference/\(row.file)")
            XCTAssertTrue(file.contains(row.computes), "\(row.file) does not say \(row.computes)")
            XCTAssertTrue(oracle.contains(".\(row.reference)("), "the oracle has no \(row.reference)")
            XCTAssertTrue(gradients.contains(".\(row.reference)("), "GradientTests has no \(row.reference)")
        }
    }

    func testGoldenNumbers() throws {
        let cases = try Fixtures.golden()
        for row in Self.rows {
            let count = cases.filter { $0.problem.terms.contains { name($0.kind) == row.golden } }.count
            XCTAssertTrue(count >= row.goldenCases, "\(row.golden) has \(count) golden cases, not \(row.goldenCases)")
        }
    }

    func testDocumentation() throws {
        let readme = try text("README.md")
        let arithmetic = try text("docs/arithmetic.md")
        for row in Self.rows {
            let isRow = readme.split(separator: "\n").contains { line in
                let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
                guard line.hasPrefix("|"), let first = cells.first else { return false }
                return first.trimmingCharacters(in: ["*", "`"]) == row.documentation
            }
            XCTAssertTrue(isRow, "README.md has no row '| \(row.documentation) |'")
            XCTAssertTrue(arithmetic.contains(row.arithmetic), "arithmetic.md has no '\(row.arithmetic)'")
        }
    }

    func testBench() throws {
        let folder = "bench/Sources/seglossbench/Catalogue"
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.root.appending(path: folder).path)
        let catalogue = try names.filter { $0.hasSuffix(".swift") }.map { try text("\(folder)/\($0)") }.joined()
        for row in Self.rows {
            XCTAssertTrue(catalogue.contains("loss: ") && catalogue.contains(row.bench), "no bench of \(row.bench)...)")
        }
    }

    /// The facade names every kind too.
    func testFacade() throws {
        let kernels = try text("Sources/SegLoss/Kernels.swift") + text("Sources/SegLoss/Kernels+Region.swift")
        let loss = try text("Sources/SegLoss/Loss.swift") + text("Sources/SegLoss/Loss+Region.swift")
            + text("Sources/SegLoss/Loss+Selection.swift") + text("Sources/SegLoss/Loss+Distance.swift")
            + text("Sources/SegLoss/Loss+Lovasz.swift")
        for row in Self.rows {
            XCTAssertTrue(
                kernels.contains("kind = \(row.kind)\n") || kernels.contains(": \(row.kind)\n"),
                "Kernels.swift has no \(row.kind)")
            XCTAssertTrue(loss.contains("public static func \(row.reference)("), "Loss has no \(row.reference)")
        }
    }

    /// DBNet's loss is no term: a call of its own, with the same duties.
    func testBinarization() throws {
        XCTAssertTrue(try Self.header().contains("closs_binarization_evaluate("))
        XCTAssertTrue(try text("Tests/SegLossReference/Binarization.swift").contains("steepness"))
        let tests = try text("Tests/SegLossTests/BinarizationTests.swift")
        XCTAssertTrue(tests.contains("func testGradientAgainstCentralDifferences") && tests.contains("func oracle("))
        let golden = try text("Tests/SegLossTests/Fixtures/binarization.json")
        XCTAssertTrue(golden.matches(of: /"name":"db\//).count >= 8, "binarization.json has too few cases")
        XCTAssertTrue(try text("README.md").contains("| DBNet | `BinarizationLoss.db` |"))
        XCTAssertTrue(
            try text("bench/Sources/seglossbench/Catalogue/Kernel+Binarization.swift").contains(".binarization(.db)"))
        XCTAssertTrue(try text("bench/peers/peers.py").contains("\"DBNet\": ("))
        XCTAssertTrue(try text("docs/arithmetic.md").contains("## 10. Differentiable binarization"))
        for preset in [".db", ".dbDice", ".paper"] {
            XCTAssertTrue(try text("docs/losses/dbnet.md").contains("`\(preset)`"), "dbnet.md has no \(preset)")
        }
    }

    // MARK: Help

    /// The repository's root.
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    static func header() throws -> String {
        try String(contentsOf: root.appending(path: "Sources/CLossKernels/include/closs.h"), encoding: .utf8)
    }

    private func text(_ path: String) throws -> String {
        try String(contentsOf: Self.root.appending(path: path), encoding: .utf8)
    }

    private func name(_ kind: SegLossReference.Term.Kind) -> String {
        switch kind {
        case .crossEntropy: "cross_entropy"
        case .binaryCrossEntropy: "binary_cross_entropy"
        case .focal: "focal"
        case .region(let region): "\(region.formula)".replacing(/[A-Z]/) { "_" + $0.output.lowercased() }
        case .balancedBinaryCrossEntropy: "balanced_binary_cross_entropy"
        case .topK: "top_k"
        case .onlineHardExampleMining: "hard_examples"
        case .balancedL1: "balanced_l1"
        case .lovaszSoftmax: "lovasz_softmax"
        case .lovaszHinge: "lovasz_hinge"
        case .absoluteError: "absolute_error"
        case .smoothL1: "smooth_l1"
        case .squaredError: "squared_error"
        case .linear: "linear"
        case .boundary: "boundary"
        case .hausdorff: "hausdorff"
        case .focalStar: "focal_star"
        }
    }
}
