import CLossKernels
import SegLoss
import XCTest

final class MetricBadInputTests: XCTestCase {
    private let shape = Shape(samples: 2, classes: 3, extents: [3, 5])

    private func refused(_ kind: LossError.Kind, _ words: String..., line: UInt = #line, _ make: () throws -> Void) {
        XCTAssertThrowsError(try make(), line: line) { error in
            guard let error = error as? LossError else { return XCTFail("\(error)", line: line) }
            XCTAssertEqual(error.kind, kind, error.message, line: line)
            for word in words { XCTAssertTrue(error.message.contains(word), error.message, line: line) }
        }
    }

    func testShapesAndOptions() {
        let bad: [(Shape, String)] = [
            (Shape(samples: 0, classes: 3, extents: [3]), "samples is 0"),
            (Shape(samples: -1, classes: 3, extents: [3]), "samples is -1"),
            (Shape(samples: 1, classes: 0, extents: [3]), "classes is 0"),
            (Shape(samples: 1, classes: 513, extents: [3]), "classes is 513"),
            (Shape(samples: 1, classes: 3, extents: [3, 0]), "extent is 0"),
            (Shape(samples: 1 << 40, classes: 3, extents: [1 << 40]), "too many values"),
        ]
        for (shape, words) in bad {
            refused(.badShape, words) { _ = try ConfusionCounter(of: shape) }
            refused(.badShape, words) { _ = try ThresholdCounter(of: shape, activation: .sigmoid) }
        }
        refused(.badThreads, "threads is -1") { _ = try ConfusionCounter(of: self.shape, options: Options(threads: -1)) }
        refused(.badThreads, "threads is -1") {
            _ = try ThresholdCounter(of: self.shape, activation: .sigmoid, options: Options(threads: -1))
        }
        refused(.badThreads, "threads is -1") { _ = try SurfaceMetric(of: self.shape, options: Options(threads: -1)) }
        for set in InstructionSet.allCases where !set.isAvailable {
            refused(.unsupportedInstructionSet) {
                _ = try ConfusionCounter(of: self.shape, options: Options(instructionSet: set))
            }
        }
    }

    func testThresholds() {
        let bad: [([Float], String)] = [
            ([], "threshold_count is 0"), ([0.5, 0.5], "strictly increase"), ([0.5, 0.25], "thresholds[1] is 0.25"),
            ([-0.1], "thresholds[0] is -0.1"), ([0.5, 1.5], "thresholds[1] is 1.5"), ([.nan], "thresholds[0] is nan"),
            ([0.2, .infinity], "thresholds[1] is inf"),
            ((0...1024).map { Float($0) / 2048 }, "threshold_count is 1025"),
        ]
        for (thresholds, words) in bad {
            refused(.badOption, words) {
                _ = try ThresholdCounter(of: self.shape, thresholds: thresholds, activation: .probabilities)
            }
        }
        refused(.badOption, "activation is 0") { _ = try ThresholdCounter(of: self.shape, activation: .softmax) }
    }

    func testLabels() throws {
        let good = [Int32](repeating: 1, count: 30)
        for place in [0, 17, 29] {
            for label in [3, -1, 255, 70000] as [Int32] {
                var bad = good
                bad[place] = label
                for ignore in [nil, 7] {
                    var counter = try ConfusionCounter(of: shape, options: Options(ignoreIndex: ignore))
                    refused(.badLabel, "labels[\(place)] is \(label): expected 0 to 2") {
                        _ = try counter.count(predictions: good, labels: bad)
                    }
                    refused(.badLabel, "predictions[\(place)] is \(label): expected 0 to 2") {
                        _ = try counter.count(predictions: bad, labels: good)
                    }
                    var thresholds = try ThresholdCounter(
                        of: shape, activation: .sigmoid, options: Options(ignoreIndex: ignore))
                    refused(.badLabel, "labels[\(place)] is \(label): expected 0 to 2") {
                        _ = try thresholds.count([Float](repeating: 0, count: 90), labels: bad)
                    }
                }
            }
        }
        var few = try ConfusionCounter(of: shape)
        var bytes = [UInt8](repeating: 1, count: 30)
        bytes[4] = 200
        refused(.badLabel, "labels[4] is 200") { _ = try few.count(predictions: good, labels: bytes) }
        var one = try ThresholdCounter(of: .flat(samples: 1, classes: 1, voxels: 3), activation: .sigmoid)
        refused(.badLabel, "labels[2] is 2: expected 0 to 1") {
            _ = try one.count([0, 0, 0] as [Float], labels: [0, 1, 2] as [UInt8])
        }
        // What is masked or ignored may be anything, and so may what was predicted there.
        var mask = [UInt8](repeating: 1, count: 30), labels = good, predicted = good
        mask[3] = 0
        labels[3] = 99
        predicted[3] = -4
        labels[8] = 7
        predicted[8] = 1000
        var ignoring = try ConfusionCounter(of: shape, options: Options(ignoreIndex: 7))
        let m = try ignoring.count(predictions: predicted, labels: labels, mask: mask)
        XCTAssertEqual(m.values.reduce(0, +), 28)
        XCTAssertEqual(m[sample: 0, target: 1, predicted: 1], 13)
    }

    /// Refused wherever they stand, masked voxels' too.
    func testValues() throws {
        let labels = [UInt8](repeating: 1, count: 30), mask = [UInt8](repeating: 0, count: 30)
        for place in [0, 50, 89] {
            for value in [Float.nan, .infinity, -.infinity] {
                var logits = [Float](repeating: 0.5, count: 90)
                logits[place] = value
                var confusion = try ConfusionCounter(of: shape)
                var sigmoid = try ThresholdCounter(of: shape, activation: .sigmoid)
                for mask in [nil, mask] {
                    refused(.notFinite, "predictions[\(place)]") {
                        _ = try confusion.count(logits: logits, labels: labels, mask: mask)
                    }
                    refused(.notFinite, "predictions[\(place)]") {
                        _ = try confusion.count(logits: logits.map(Float16.init), labels: labels, mask: mask)
                    }
                    refused(.notFinite, "predictions[\(place)]") {
                        _ = try sigmoid.count(logits, labels: labels, mask: mask)
                    }
                    refused(.notFinite, "predictions[\(place)]") {
                        _ = try sigmoid.count(logits.map(BFloat16.init), labels: labels, mask: mask)
                    }
                }
            }
            for value in [Float.nan, .infinity, -0.001, 1.0001, -.leastNonzeroMagnitude] {
                var probabilities = [Float](repeating: 0.5, count: 90)
                probabilities[place] = value
                var counter = try ThresholdCounter(of: shape, activation: .probabilities)
                refused(.badProbability, "predictions[\(place)]", "[0, 1]") {
                    _ = try counter.count(probabilities, labels: labels)
                }
            }
        }
        var counter = try ThresholdCounter(of: shape, activation: .probabilities)
        let zeros = [Float](repeating: -0.0, count: 90)
        XCTAssertEqual(try counter.count(zeros, labels: labels).counts[0].falsePositives, 0)
        var dense = [Float](repeating: 1, count: 90)
        for value in [0.5, .nan, -1, 2] as [Float] {
            dense[31] = value
            refused(.badTarget, "targets[31]", "0 or 1") { _ = try counter.count(zeros, targets: dense) }
        }
        var bytes = [UInt8](repeating: 1, count: 90)
        bytes[77] = 2
        refused(.badTarget, "targets[77] is 2") { _ = try counter.count(zeros, targets: bytes) }
        var ignoring = try ThresholdCounter(of: shape, activation: .probabilities, options: Options(ignoreIndex: 0))
        refused(.badOption, "ignore_index is set") {
            _ = try ignoring.count(zeros, targets: [Float](repeating: 1, count: 90))
        }
    }

    func testCounts() throws {
        let labels = [UInt8](repeating: 1, count: 30), logits = [Float](repeating: 0, count: 90)
        var confusion = try ConfusionCounter(of: shape)
        var thresholds = try ThresholdCounter(of: shape, activation: .sigmoid)
        var surface = try SurfaceMetric(of: shape)
        refused(.wrongSize, "predictions_count is 29: expected 30") {
            _ = try confusion.count(predictions: Array(labels.dropLast()), labels: labels)
        }
        refused(.wrongSize, "targets_count is 0: expected 30") {
            _ = try confusion.count(predictions: labels, labels: [] as [UInt8])
        }
        refused(.wrongSize, "predictions_count is 30: expected 90") {
            _ = try confusion.count(logits: Array(logits.prefix(30)), labels: labels)
        }
        refused(.wrongSize, "mask_count is 31: expected 30") {
            _ = try confusion.count(predictions: labels, labels: labels, mask: [UInt8](repeating: 1, count: 31))
        }
        refused(.wrongSize, "targets_count is 30: expected 90") {
            _ = try thresholds.count(logits, targets: labels)
        }
        refused(.wrongSize, "predictions_count is 0: expected 90") { _ = try thresholds.count([] as [Float], labels: labels) }
        refused(.wrongSize, "mask_count is 0: expected 30") { _ = try thresholds.count(logits, labels: labels, mask: []) }
        refused(.wrongSize, "predictions_count is 31: expected 30") {
            _ = try surface.distances(predictions: labels + [1], labels: labels)
        }
        refused(.wrongSize, "targets_count is 1: expected 30") {
            _ = try surface.distances(predictions: labels, labels: [1])
        }
        // A refused call leaves its counter fit for the next.
        XCTAssertEqual(try thresholds.count(logits, labels: labels).counts.count, 60)
        XCTAssertEqual(try surface.distances(predictions: labels, labels: labels)[sample: 1, class: 1].hausdorff, 0)
    }

    func testSurfaces() {
        let bad: [(LossError.Kind, String, () throws -> SurfaceMetric)] = [
            (.badShape, "4 extents", { try SurfaceMetric(of: Shape(samples: 1, classes: 1, extents: [1, 1, 1, 1])) }),
            (.badShape, "extent is 0", { try SurfaceMetric(of: Shape(samples: 1, classes: 1, extents: [1, 0])) }),
            (.badShape, "class_count is 0", { try SurfaceMetric(of: Shape(samples: 1, classes: 0, extents: [3])) }),
            (.badShape, "2 classes", { try SurfaceMetric(of: self.shape, classes: [1, 2]) }),
            (.badOption, "classes[2] is 1", { try SurfaceMetric(of: self.shape, classes: [1, 2, 1]) }),
            (.badOption, "1 spacings", { try SurfaceMetric(of: self.shape, spacing: [1]) }),
            (.badOption, "spacing 1 is 0.0", { try SurfaceMetric(of: self.shape, spacing: [1, 0]) }),
            (.badOption, "spacing 0 is nan", { try SurfaceMetric(of: self.shape, spacing: [.nan, 1]) }),
            (.badOption, "spacing 0 is -1", { try SurfaceMetric(of: self.shape, spacing: [-1, 1]) }),
            (.badOption, "inf", { try SurfaceMetric(of: self.shape, spacing: [1, .infinity]) }),
            (.badOption, "percentile is -1", { try SurfaceMetric(of: self.shape, percentile: -1) }),
            (.badOption, "percentile is 100.5", { try SurfaceMetric(of: self.shape, percentile: 100.5) }),
            (.badOption, "percentile is nan", { try SurfaceMetric(of: self.shape, percentile: .nan) }),
        ]
        for (kind, words, make) in bad { refused(kind, words) { _ = try make() } }
    }

    // MARK: - From C

    private func words(_ error: closs_error) -> String {
        withUnsafeBytes(of: error.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    func testCallsFromC() {
        var labels = [UInt8](repeating: 0, count: 8), matrix = [Int64](repeating: -7, count: 4)
        var spec = closs_confusion_spec()
        spec.shape = closs_shape(samples: 1, classes: 2, voxels: 8)
        var scratch = [UInt8](repeating: 0, count: closs_confusion_scratch_bytes(&spec))
        func call(
            short: Int = 0, _ change: (inout closs_metric_batch, inout closs_confusion_spec) -> Void
        ) -> (closs_status, String) {
            labels.withUnsafeMutableBufferPointer { labels in
                var batch = closs_metric_batch(), error = closs_error(), spec = spec
                (batch.predicted, batch.target) = (CLOSS_LABELS_U8, CLOSS_LABELS_U8)
                batch.predictions = UnsafeRawPointer(labels.baseAddress!)
                batch.targets = batch.predictions
                (batch.predictions_count, batch.targets_count) = (8, 8)
                change(&batch, &spec)
                let status = closs_confusion(&spec, &batch, &matrix, 4, &scratch, scratch.count - short, &error)
                return (status, words(error))
            }
        }
        let bad: [(closs_status, String, (closs_status, String))] = [
            (CLOSS_TOO_SMALL, "scratch_bytes", call(short: 1) { _, _ in }),
            (CLOSS_NULL_POINTER, "predictions is NULL", call { batch, _ in batch.predictions = nil }),
            (CLOSS_NULL_POINTER, "targets is NULL", call { batch, _ in batch.targets = nil }),
            (CLOSS_BAD_OPTION, "target is 5", call { batch, _ in batch.target = CLOSS_DENSE_U8 }),
            (CLOSS_BAD_OPTION, "predicted is 9", call { batch, _ in batch.predicted = closs_target(rawValue: 9) }),
            (CLOSS_BAD_OPTION, "prediction is 9", call { _, spec in spec.prediction = closs_prediction_kind(rawValue: 9) }),
            (CLOSS_UNSUPPORTED_ISA, "isa is 9", call { _, spec in spec.isa = closs_isa(rawValue: 9) }),
        ]
        for (status, expected, answer) in bad {
            XCTAssertEqual(answer.0, status, answer.1)
            XCTAssertTrue(answer.1.contains(expected), answer.1)
        }
        XCTAssertTrue(matrix.allSatisfy { $0 == -7 })
        XCTAssertEqual(call { _, _ in }.0, CLOSS_OK)
        XCTAssertEqual(matrix, [8, 0, 0, 0])
        matrix.withUnsafeMutableBytes { memory in
            var batch = closs_metric_batch()
            (batch.predicted, batch.target) = (CLOSS_LABELS_U8, CLOSS_LABELS_U8)
            batch.predictions = UnsafeRawPointer(memory.baseAddress!)
            batch.targets = batch.predictions
            (batch.predictions_count, batch.targets_count) = (8, 8)
            let values = memory.bindMemory(to: Int64.self)
            XCTAssertEqual(
                closs_confusion(&spec, &batch, values.baseAddress, 4, &scratch, scratch.count, nil), CLOSS_OVERLAP)
        }
        XCTAssertEqual(closs_confusion_scratch_bytes(nil), 0)
        XCTAssertEqual(closs_threshold_scratch_bytes(nil), 0)
        XCTAssertEqual(closs_surface_scratch_bytes(nil), 0)
        XCTAssertEqual(closs_confusion(nil, nil, nil, 0, nil, 0, nil), CLOSS_NULL_POINTER)
        XCTAssertEqual(closs_threshold_counts(nil, nil, nil, 0, nil, 0, nil), CLOSS_NULL_POINTER)
        XCTAssertEqual(closs_surface(nil, nil, nil, 0, nil, 0, nil), CLOSS_NULL_POINTER)
    }

    func testScoresFromC() {
        var counts = [closs_counts](repeating: closs_counts(), count: 6), values = [Double](repeating: -7, count: 1)
        func call(_ change: (inout closs_score_spec) -> Void, counted: Int = 6, wanted: Int = 1) -> (closs_status, String) {
            var spec = closs_score_spec(), error = closs_error()
            (spec.samples, spec.classes) = (2, 3)
            change(&spec)
            let status = closs_scores(&spec, &counts, counted, &values, wanted, nil, &error)
            return (status, words(error))
        }
        let bad: [(closs_status, String, (closs_status, String))] = [
            (CLOSS_BAD_SHAPE, "samples is 0", call { $0.samples = 0 }),
            (CLOSS_BAD_OPTION, "thresholds is -1", call { $0.thresholds = -1 }),
            (CLOSS_BAD_OPTION, "kind is 8", call { $0.kind = closs_score_kind(rawValue: 8) }),
            (CLOSS_BAD_OPTION, "average is 4", call { $0.average = closs_average(rawValue: 4) }),
            (CLOSS_BAD_OPTION, "empty is 4", call { $0.empty = closs_empty(rawValue: 4) }),
            (CLOSS_BAD_OPTION, "first_class is 3", call { $0.first_class = 3 }),
            (CLOSS_WRONG_SIZE, "counts_count is 5: expected 6", call({ _ in }, counted: 5)),
            (CLOSS_WRONG_SIZE, "values_count is 2: expected 1", call({ _ in }, wanted: 2)),
        ]
        for (status, expected, answer) in bad {
            XCTAssertEqual(answer.0, status, answer.1)
            XCTAssertTrue(answer.1.contains(expected), answer.1)
        }
        XCTAssertEqual(values, [-7])
        XCTAssertEqual(call { _ in }.0, CLOSS_OK)
        XCTAssertTrue(values[0].isNaN)
        XCTAssertEqual(closs_scores(nil, &counts, 6, &values, 1, nil, nil), CLOSS_NULL_POINTER)
        var matrix = [Int64](repeating: 0, count: 18)
        XCTAssertEqual(closs_confusion_counts(2, 3, &matrix, 17, &counts, 6, nil), CLOSS_WRONG_SIZE)
        XCTAssertEqual(closs_confusion_counts(2, 3, &matrix, 18, &counts, 5, nil), CLOSS_WRONG_SIZE)
        XCTAssertEqual(closs_confusion_counts(2, 3, nil, 18, &counts, 6, nil), CLOSS_NULL_POINTER)
        XCTAssertEqual(closs_confusion_counts(0, 3, &matrix, 18, &counts, 6, nil), CLOSS_BAD_SHAPE)
    }
}
