import SegLoss
import SegLossReference
import XCTest

/// The numbers of the original implementations, computed by the library.
final class GoldenTests: XCTestCase {
    func testEveryCaseOnEveryInstructionSet() throws {
        let sets = InstructionSet.available
        XCTAssertFalse(sets.isEmpty)
        for golden in try Fixtures.golden() {
            for set in sets {
                var configuration = Configuration()
                configuration.instructionSet = set
                let outcome = try Library.evaluate(golden.problem, configuration)
                check(
                    golden, outcome.value, outcome.gradient.map(Double.init),
                    golden.valueTolerance, golden.gradientTolerance, "\(set)")
            }
        }
    }
}

/// The same numbers, computed by what the library is measured against.
final class OracleGoldenTests: XCTestCase {
    func testEveryCase() throws {
        let cases = try Fixtures.golden()
        XCTAssertEqual(cases.count, 232)
        XCTAssertEqual(cases.count { $0.gradient.isEmpty }, 2)
        for golden in cases {
            let (value, terms, gradient) = Oracle.evaluate(golden.problem)
            check(golden, value, gradient, golden.exactTolerance, golden.exactTolerance, "oracle")
            XCTAssertEqual(terms.count, golden.problem.terms.count)
        }
    }

    func testTheReferenceReproducesEveryCase() throws {
        for golden in try Fixtures.golden() {
            let outcome = Reference.evaluate(golden.problem)
            check(
                golden, outcome.value, outcome.gradient.map(Double.init),
                golden.valueTolerance, golden.gradientTolerance, "reference")
        }
    }

    /// PyTorch's value is NaN when everything is ignored, by design; ours is 0, with a gradient of 0 like PyTorch's.
    func testEverythingIgnored() throws {
        var generator = Generator(seed: 1)
        let problem = generator.problem(
            .softmax, samples: 2, classes: 3, voxels: 63,
            terms: [Term(.crossEntropy(classWeights: nil, labelSmoothing: 0, divisor: .weight))], subject: .allIgnored)
        let exact = Oracle.evaluate(problem)
        XCTAssertEqual(exact.value, 0)
        XCTAssertTrue(exact.gradient.allSatisfy { $0 == 0 })
        let outcome = try Library.evaluate(problem)
        XCTAssertEqual(outcome.value, 0)
        XCTAssertTrue(outcome.gradient.allSatisfy { $0 == 0 })
    }
}

private func check(
    _ golden: GoldenCase, _ value: Double, _ gradient: [Double],
    _ valueTolerance: Double, _ gradientTolerance: Double, _ who: String
) {
    if let expected = golden.value {
        XCTAssertTrue(
            abs(value - expected) <= valueTolerance * golden.valueScale,
            "\(golden.name), \(who): value \(value), not \(expected)")
    }
    if golden.gradient.isEmpty { return }
    let error = gradientError(gradient, golden.gradient)
    XCTAssertTrue(error <= gradientTolerance, "\(golden.name), \(who): gradient off by \(error) of the largest")
}
