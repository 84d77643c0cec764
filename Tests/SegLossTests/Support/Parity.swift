import SegLossReference
import XCTest

/// The first difference in bits between two outcomes, in words; `nil` where there is none.
func firstDifference(_ ours: Outcome, _ expected: Outcome) -> String? {
    func compare(_ name: String, _ a: [Double], _ b: [Double]) -> String? {
        guard a.count == b.count else { return "\(name): \(a.count) entries, expected \(b.count)" }
        for i in a.indices where a[i].bitPattern != b[i].bitPattern {
            return "\(name)[\(i)]: \(a[i]), expected \(b[i])"
        }
        return nil
    }
    if let difference = compare("value", [ours.value], [expected.value])
        ?? compare("terms", ours.terms, expected.terms)
        ?? compare("perClass", ours.perClass, expected.perClass)
        ?? compare("perSample", ours.perSample, expected.perSample)
    {
        return difference
    }
    guard ours.gradient.count == expected.gradient.count else {
        return "gradient: \(ours.gradient.count) entries, expected \(expected.gradient.count)"
    }
    for i in ours.gradient.indices where ours.gradient[i].bitPattern != expected.gradient[i].bitPattern {
        let (a, b) = (ours.gradient[i], expected.gradient[i])
        return "gradient[\(i)]: \(a) (\(String(a.bitPattern, radix: 16))), "
            + "expected \(b) (\(String(b.bitPattern, radix: 16)))"
    }
    return nil
}

/// Fails unless the library gives the expected bits when called in this way.
func assertSameBits(
    _ problem: Problem, _ configuration: Configuration, _ expected: Outcome, _ message: @autoclosure () -> String = "",
    file: StaticString = #filePath, line: UInt = #line
) {
    do {
        let ours = try Library.evaluate(problem, configuration)
        if let difference = firstDifference(ours, expected) {
            XCTFail(
                "\(difference); \(problem.activation), \(problem.samples)x\(problem.classes)x\(problem.voxels), "
                    + "\(configuration.instructionSet), \(configuration.threads) threads; \(message()); "
                    + "\(problem.terms)", file: file, line: line)
        }
    } catch {
        XCTFail("\(error); \(message())", file: file, line: line)
    }
}

extension Outcome {
    /// Without its gradient: what a call for the value only gives.
    var valueOnly: Outcome {
        var copy = self
        copy.gradient = []
        return copy
    }
}
