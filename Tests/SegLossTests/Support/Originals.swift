import SegLoss
import XCTest

/// A loss beside the golden numbers of an original, which it must give without a factor or an offset.
struct OriginalRow {
    /// The golden case.
    var golden: String
    var loss: Loss
    /// The case's channels together are one mask, as some originals flatten them.
    var flattened = false
    /// The original is a coefficient: 1 - loss.
    var coefficient = false

    func check(_ cases: [String: GoldenCase]) throws {
        let original = try XCTUnwrap(cases[golden], golden)
        var problem = original.problem
        if flattened {
            problem.voxels *= problem.classes
            problem.classes = 1
        }
        let outcome = try Library.evaluate(problem, Configuration(loss: loss))
        let sign = coefficient ? -1.0 : 1.0
        if let value = original.value {
            let expected = sign * (original.scale * value + original.offset - (coefficient ? 1 : 0))
            XCTAssertTrue(
                abs(outcome.value - expected) <= original.valueTolerance * original.valueScale * abs(original.scale),
                "\(golden): value \(outcome.value), not \(expected)")
        }
        let error = gradientError(
            outcome.gradient.map(Double.init), original.gradient.map { sign * original.scale * $0 })
        XCTAssertTrue(error <= original.gradientTolerance, "\(golden): gradient off by \(error) of the largest")
    }
}

extension Fixtures {
    static func goldenByName() throws -> [String: GoldenCase] {
        Dictionary(uniqueKeysWithValues: try golden().map { ($0.name, $0) })
    }
}
