import CLossKernels
import XCTest

/// Views, extents and types that cannot be are refused, with nothing changed; what is wrong in a good view is found at
/// its place in the caller's buffer.
final class LayoutBadInputTests: XCTestCase {
    private func softmax() -> RawCall { RawCall(closs_spec(.init(0), [.dice(), .crossEntropy()])) }

    private func refused(
        _ call: RawCall, _ status: closs_status, _ words: String..., index: Int64 = -1, line: UInt = #line
    ) {
        for verb in [RawCall.Verb.evaluate, .accumulate, .gradient] {
            let answer = call.call(verb)
            XCTAssertEqual(answer.status, status, "\(verb): \(answer.message)", line: line)
            XCTAssertEqual(answer.index, index, "\(verb): \(answer.message)", line: line)
            for word in words { XCTAssertTrue(answer.message.contains(word), answer.message, line: line) }
            XCTAssertTrue(answer.isUntouched, "\(verb)", line: line)
        }
    }

    /// 2 samples, 3 classes, 70 voxels as 7 rows of 10; classes last, which takes 420 elements.
    private func classesLast() -> RawCall {
        let call = softmax()
        call.batch.extents = closs_extents(planes: 0, rows: 7, columns: 10)
        call.batch.logits_view = closs_view(sample: 210, channel: 1, plane: 0, row: 30, column: 3)
        return call
    }

    func testTheViewIsGood() {
        let call = classesLast()
        call.gradient.view = call.batch.logits_view
        let answer = call.evaluate()
        XCTAssertEqual(answer.status, CLOSS_OK, answer.message)
        XCTAssertFalse(answer.isUntouched)
    }

    func testTypes() {
        let call = softmax()
        call.batch.logits_type = closs_float(rawValue: 3)
        refused(call, CLOSS_BAD_OPTION, "logits_type is 3")
        let other = softmax()
        other.gradient.type = closs_float(rawValue: 77)
        XCTAssertEqual(other.evaluate().status, CLOSS_BAD_OPTION)
        XCTAssertTrue(other.gradientOfPart().message.contains("gradient.type is 77"))
    }

    func testExtents() {
        let bad: [(Int64, Int64, Int64)] = [(0, 7, 11), (2, 7, 10), (0, 0, 1), (.max, .max, 2)]
        for (planes, rows, columns) in bad {
            let call = softmax()
            call.batch.extents = closs_extents(planes: planes, rows: rows, columns: columns)
            refused(call, CLOSS_BAD_SHAPE, "extents", "70 voxels")
        }
        let negative = softmax()
        negative.batch.extents = closs_extents(planes: 1, rows: -7, columns: -10)
        refused(negative, CLOSS_BAD_SHAPE, "-7", "below 0")
    }

    func testStrides() {
        for path in [\closs_view.sample, \.channel, \.plane, \.row, \.column] {
            let call = classesLast()
            call.batch.logits_view[keyPath: path] = -1
            refused(call, CLOSS_BAD_OPTION, "view of logits", "-1", "below 0")
            let far = classesLast()
            far.batch.logits_view[keyPath: path] = .max
            // There is one plane, so that nothing is reached by its stride.
            if path != \.plane { refused(far, CLOSS_WRONG_SIZE, "view of logits", "memory") }
        }
        let labels = softmax()
        labels.batch.targets_view = closs_view(sample: 70, channel: 0, plane: 0, row: 0, column: -2)
        refused(labels, CLOSS_BAD_OPTION, "view of targets")
        let mask = softmax()
        mask.addMask()
        mask.batch.mask_view = closs_view(sample: -70, channel: 0, plane: 0, row: 0, column: 1)
        refused(mask, CLOSS_BAD_OPTION, "view of mask")
        let weights = softmax()
        weights.addWeights()
        weights.batch.weights_view = closs_view(sample: 0, channel: 0, plane: 0, row: -3, column: 1)
        refused(weights, CLOSS_BAD_OPTION, "view of weights")
    }

    func testCounts() {
        let call = classesLast()
        call.batch.logits_count = 419
        refused(call, CLOSS_WRONG_SIZE, "logits has 419", "at least 420")
        let labels = softmax()
        labels.batch.targets_view = closs_view(sample: 71, channel: 0, plane: 0, row: 0, column: 1)
        refused(labels, CLOSS_WRONG_SIZE, "has 140", "at least 141")
        let repeated = softmax()
        repeated.batch.targets_view = closs_view(sample: 0, channel: 0, plane: 0, row: 0, column: 1)
        repeated.batch.targets_count = 69
        refused(repeated, CLOSS_WRONG_SIZE, "has 69", "at least 70")
        repeated.batch.targets_count = 70
        XCTAssertEqual(repeated.evaluate().status, CLOSS_OK)
    }

    func testGradientsThatOverlapThemselves() {
        let views = [
            closs_view(sample: 0, channel: 70, plane: 0, row: 10, column: 1),
            closs_view(sample: 210, channel: 0, plane: 0, row: 10, column: 1),
            closs_view(sample: 210, channel: 70, plane: 0, row: 9, column: 1),
            closs_view(sample: 210, channel: 1, plane: 0, row: 10, column: 1),
            closs_view(sample: 210, channel: 2, plane: 0, row: 30, column: 2),
            closs_view(sample: 209, channel: 70, plane: 0, row: 10, column: 1),
        ]
        for view in views {
            let call = softmax()
            call.batch.extents = closs_extents(planes: 1, rows: 7, columns: 10)
            call.gradient.view = view
            for answer in [call.evaluate(), call.gradientOfPart()] {
                XCTAssertEqual(answer.status, CLOSS_OVERLAP, answer.message)
                XCTAssertTrue(answer.message.contains("gradient overlap"), answer.message)
                XCTAssertTrue(answer.isUntouched)
            }
        }
    }

    /// In place is for one type and one view.
    func testInPlace() {
        let call = classesLast()
        call.gradientValues = .init(mutating: call.logits)
        XCTAssertEqual(call.evaluate().status, CLOSS_OVERLAP)
        let halves = softmax()
        halves.gradientValues = .init(mutating: halves.logits)
        halves.gradient.type = CLOSS_FLOAT16
        XCTAssertEqual(halves.evaluate().status, CLOSS_OVERLAP)
        let good = classesLast()
        good.gradient.view = good.batch.logits_view
        good.gradientValues = .init(mutating: good.logits)
        XCTAssertEqual(good.evaluate().status, CLOSS_OK)
    }

    /// The place of a bad value is the one in the buffer.
    func testPlaces() {
        let call = classesLast()
        // Sample 1, class 2, row 3, column 4.
        let at = 210 + 2 + 3 * 30 + 4 * 3
        UnsafeMutablePointer(mutating: call.logits!)[at] = .nan
        for verb in [RawCall.Verb.value, .evaluate, .accumulate, .gradient] {
            let answer = call.call(verb)
            XCTAssertEqual(answer.status, CLOSS_NOT_FINITE, answer.message)
            XCTAssertEqual(answer.index, Int64(at), answer.message)
            XCTAssertTrue(answer.message.contains("logits[\(at)]"), answer.message)
        }
        let labels = softmax()
        let every = labels.block(UInt8.self, 280) { $0 % 2 == 0 ? UInt8($0 / 2 % 3) : 200 }
        labels.batch.targets = UnsafeRawPointer(every)
        labels.batch.targets_count = 280
        labels.batch.targets_view = closs_view(sample: 140, channel: 0, plane: 0, row: 0, column: 2)
        XCTAssertEqual(labels.evaluate().status, CLOSS_OK)
        every[140 + 2 * 68] = 9
        refused(labels, CLOSS_BAD_LABEL, "labels[276] is 9", index: 276)
        let half = softmax()
        let bits = half.block(UInt16.self, 420) { $0 == 77 ? 0x7C00 : 0x3C00 }
        half.batch.logits = UnsafeRawPointer(bits)
        half.batch.logits_type = CLOSS_FLOAT16
        refused(half, CLOSS_NOT_FINITE, "logits[77] is inf", index: 77)
    }
}
