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
        refused(.badOption, "activation is softmax: expected sigmoid or probabilities") {
            _ = try ThresholdCounter(of: self.shape, activation: .softmax)
        }
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
            (.badOption, "classes[1] is 7, as is ignore_index", {
                try SurfaceMetric(of: self.shape, classes: [1, 7, 2], options: Options(ignoreIndex: 7))
            }),
            (.badOption, "classes[0] is 0, as is ignore_index", {
                try SurfaceMetric(of: self.shape, options: Options(ignoreIndex: 0))
            }),
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

    /// Such a class would look like a missing one, whose distance may be 0.
    func testClassesThatTypesLack() throws {
        let bytes = [UInt8](repeating: 0, count: 30), words = bytes.map(Int32.init)
        for label in [300, -1, 256] {
            var metric = try SurfaceMetric(of: shape, classes: [1, 2, label], absent: .diagonal)
            refused(.badOption, "classes[2] is \(label): labels of this type are 0 .. 255") {
                _ = try metric.distances(predictions: words, labels: bytes)
            }
            refused(.badOption, "classes[2] is \(label): predictions of this type are 0 .. 255") {
                _ = try metric.distances(predictions: bytes, labels: words)
            }
            XCTAssertEqual(try metric.distances(predictions: words, labels: words)[sample: 0, class: label].hausdorff, 0)
        }
        var spec = closs_surface_spec(), error = closs_error()
        (spec.samples, spec.class_count, spec.percentile) = (1, 300, 95)
        spec.extents = closs_extents(planes: 1, rows: 1, columns: 30)
        var distances = [closs_surface_distances](repeating: closs_surface_distances(), count: 300)
        var scratch = [UInt8](repeating: 0, count: closs_surface_scratch_bytes(&spec))
        bytes.withUnsafeBytes { bytes in
            var batch = closs_metric_batch()
            (batch.predicted, batch.target) = (CLOSS_LABELS_U8, CLOSS_LABELS_U8)
            (batch.predictions, batch.targets) = (bytes.baseAddress, bytes.baseAddress)
            (batch.predictions_count, batch.targets_count) = (30, 30)
            XCTAssertEqual(
                closs_surface(&spec, &batch, &distances, 300, &scratch, scratch.count, &error), CLOSS_BAD_OPTION)
        }
        XCTAssertEqual(self.words(error), "class_count is 300: labels of this type are 0 .. 255")
        (spec.class_count, spec.has_ignore_index, spec.ignore_index) = (3, 1, 2)
        XCTAssertEqual(closs_surface_scratch_bytes(&spec), 0)
        XCTAssertEqual(closs_surface(&spec, nil, nil, 0, nil, 0, &error), CLOSS_BAD_OPTION)
        XCTAssertEqual(self.words(error), "ignore_index is 2: expected none of the classes 0 .. 2")
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
            (CLOSS_BAD_OPTION, "empty is 5", call { $0.empty = closs_empty(rawValue: 5) }),
            (CLOSS_BAD_SHAPE, "classes is 513: expected 1 .. 512", call { $0.classes = 513 }),
            (CLOSS_BAD_OPTION, "first_class is 3", call { $0.first_class = 3 }),
            (CLOSS_WRONG_SIZE, "counts_count is 5: expected 6", call({ _ in }, counted: 5)),
            (CLOSS_WRONG_SIZE, "values_count is 2: expected 1", call({ _ in }, wanted: 2)),
        ]
        for (status, expected, answer) in bad {
            XCTAssertEqual(answer.0, status, answer.1)
            // Their spec has no shape to be at fault.
            XCTAssertTrue(answer.1.hasPrefix(expected), answer.1)
        }
        XCTAssertEqual(values, [-7])
        XCTAssertEqual(call { _ in }.0, CLOSS_OK)
        XCTAssertTrue(values[0].isNaN)
        XCTAssertEqual(closs_scores(nil, &counts, 6, &values, 1, nil, nil), CLOSS_NULL_POINTER)
        var matrix = [Int64](repeating: 0, count: 18)
        XCTAssertEqual(closs_confusion_counts(2, 3, &matrix, 17, &counts, 6, nil), CLOSS_WRONG_SIZE)
        XCTAssertEqual(closs_confusion_counts(2, 3, &matrix, 18, &counts, 5, nil), CLOSS_WRONG_SIZE)
        XCTAssertEqual(closs_confusion_counts(2, 3, nil, 18, &counts, 6, nil), CLOSS_NULL_POINTER)
        var error = closs_error()
        XCTAssertEqual(closs_confusion_counts(0, 3, &matrix, 18, &counts, 6, &error), CLOSS_BAD_SHAPE)
        XCTAssertEqual(self.words(error), "samples is 0: expected at least 1")
        XCTAssertEqual(closs_confusion_counts(1, 0, &matrix, 18, &counts, 6, &error), CLOSS_BAD_SHAPE)
        XCTAssertEqual(self.words(error), "classes is 0: expected 1 .. 512")
    }

    /// Counts that nobody counted.
    func testImpossibleCounts() {
        var values = [-7.0, -7], mean = -7.0, error = closs_error(), spec = closs_score_spec()
        (spec.samples, spec.classes, spec.thresholds) = (2, 3, 2)
        func refused(_ counts: [closs_counts], _ index: Int64, _ words: String, line: UInt = #line) {
            var counts = counts
            XCTAssertEqual(closs_scores(&spec, &counts, 12, &values, 2, &mean, &error), CLOSS_OUT_OF_RANGE, line: line)
            XCTAssertEqual(self.words(error), words, line: line)
            XCTAssertEqual(error.index, index, line: line)
            XCTAssertEqual(values + [mean], [-7, -7, -7], line: line)
        }
        let good = [closs_counts](
            repeating: closs_counts(true_positives: 1, false_positives: 2, false_negatives: 3, true_negatives: 4), count: 12)
        let members: [(WritableKeyPath<closs_counts, Int64>, String)] = [
            (\.true_positives, "true_positives"), (\.false_positives, "false_positives"),
            (\.false_negatives, "false_negatives"), (\.true_negatives, "true_negatives"),
        ]
        for (member, name) in members {
            for place in [0, 7, 11] {
                var bad = good
                bad[place][keyPath: member] = -5
                refused(bad, Int64(place), "counts[\(place)].\(name) is -5: expected a count, 0 or more")
            }
        }
        var many = good
        many[1].true_negatives = .max - 20
        refused(many, 5, "counts[5].false_negatives is 3: expected a sum below 2^63 over samples and classes")
        many[1].true_negatives = .max - 56
        XCTAssertEqual(closs_scores(&spec, &many, 12, &values, 2, &mean, &error), CLOSS_OK, self.words(error))

        var matrix: [Int64] = [1, 2, 3, 4, 5, -6, 7, 8], counts = [closs_counts](repeating: closs_counts(), count: 4)
        counts[0].true_positives = -7
        XCTAssertEqual(closs_confusion_counts(2, 2, &matrix, 8, &counts, 4, &error), CLOSS_OUT_OF_RANGE)
        XCTAssertEqual(self.words(error), "matrix[5] is -6: expected a count, 0 or more")
        (matrix[5], matrix[4]) = (6, .max - 20)
        XCTAssertEqual(closs_confusion_counts(2, 2, &matrix, 8, &counts, 4, &error), CLOSS_OUT_OF_RANGE)
        XCTAssertEqual(self.words(error), "matrix[7] is 8: expected a sum below 2^63 for each sample")
        XCTAssertEqual(error.index, 7)
        XCTAssertEqual(counts[0].true_positives, -7)
        matrix[4] -= 1
        XCTAssertEqual(closs_confusion_counts(2, 2, &matrix, 8, &counts, 4, &error), CLOSS_OK)
        XCTAssertEqual(counts[2].true_positives, .max - 21)
    }

    // MARK: - Overlap

    /// Memory in which buffers can be made to meet.
    private func withMemory(_ bytes: Int, _ body: (UnsafeMutableRawPointer) -> Void) {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 128)
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
        body(memory)
        memory.deallocate()
    }

    func testOverlapOfScores() {
        var error = closs_error(), spec = closs_score_spec()
        (spec.samples, spec.classes) = (1, 2)
        withMemory(256) { memory in
            let counts = memory.bindMemory(to: closs_counts.self, capacity: 2)
            let last = (memory + 56).assumingMemoryBound(to: Double.self)
            let beyond = (memory + 64).assumingMemoryBound(to: Double.self)
            XCTAssertEqual(closs_scores(&spec, counts, 2, last, 1, nil, &error), CLOSS_OVERLAP)
            XCTAssertEqual(words(error), "counts and values overlap")
            XCTAssertEqual(closs_scores(&spec, counts, 2, beyond, 1, last, &error), CLOSS_OVERLAP)
            XCTAssertEqual(words(error), "counts and mean overlap")
            XCTAssertEqual(closs_scores(&spec, counts, 2, beyond, 1, beyond, &error), CLOSS_OVERLAP)
            XCTAssertEqual(words(error), "values and mean overlap")
            XCTAssertEqual(closs_scores(&spec, counts, 2, beyond, 1, beyond + 1, &error), CLOSS_OK)
            memory.initializeMemory(as: UInt8.self, repeating: 0, count: 256)
            let matrix = (memory + 56).assumingMemoryBound(to: Int64.self)
            XCTAssertEqual(closs_confusion_counts(1, 2, matrix, 4, counts, 2, &error), CLOSS_OVERLAP)
            XCTAssertEqual(words(error), "matrix and counts overlap")
            XCTAssertEqual(closs_confusion_counts(1, 2, matrix + 1, 4, counts, 2, &error), CLOSS_OK)
        }
    }

    /// What is written meets nothing else, by a single byte.
    func testOverlapOfCounters() {
        var thresholds: [Float] = [0.5]
        thresholds.withUnsafeMutableBufferPointer { thresholds in
            var counting = closs_threshold_spec(), measuring = closs_surface_spec(), error = closs_error()
            counting.shape = closs_shape(samples: 1, classes: 1, voxels: 64)
            (counting.activation, counting.thresholds, counting.threshold_count) = (
                CLOSS_PROBABILITIES, UnsafePointer(thresholds.baseAddress!), 1
            )
            (measuring.samples, measuring.class_count, measuring.percentile) = (1, 1, 95)
            measuring.extents = closs_extents(planes: 1, rows: 8, columns: 8)
            let needs = [closs_threshold_scratch_bytes(&counting), closs_surface_scratch_bytes(&measuring)]
            for isSurface in [false, true] {
                let needed = needs[isSurface ? 1 : 0], element = isSurface ? 1 : 4
                // predictions, targets, mask, results, scratch: 1024 bytes apart, but for what is moved.
                let names = ["predictions", "targets", "mask", isSurface ? "distances" : "counts", "scratch"]
                let sizes = [64 * element, 64, 64, isSurface ? 96 : 32, needed]
                func call(_ offsets: [Int], _ memory: UnsafeMutableRawPointer) -> closs_status {
                    var batch = closs_metric_batch()
                    (batch.predicted, batch.target) = (CLOSS_LABELS_U8, CLOSS_LABELS_U8)
                    batch.predictions = UnsafeRawPointer(memory + offsets[0])
                    batch.targets = UnsafeRawPointer(memory + offsets[1])
                    batch.mask = UnsafePointer((memory + offsets[2]).assumingMemoryBound(to: UInt8.self))
                    (batch.predictions_count, batch.targets_count, batch.mask_count) = (64, 64, 64)
                    let results = memory + offsets[3], scratch = memory + offsets[4]
                    return isSurface
                        ? closs_surface(
                            &measuring, &batch, results.assumingMemoryBound(to: closs_surface_distances.self), 1, scratch,
                            needed, &error)
                        : closs_threshold_counts(
                            &counting, &batch, results.assumingMemoryBound(to: closs_counts.self), 1, scratch, needed,
                            &error)
                }
                withMemory(8192 + needed) { memory in
                    let apart = [0, 1024, 2048, 3072, 4096]
                    XCTAssertEqual(call(apart, memory), CLOSS_OK, words(error))
                    for written in [3, 4] {
                        for other in 0..<written {
                            var offsets = apart
                            // The last element of the other is the first of what is written.
                            let step = other == 3 ? 8 : other == 0 ? element : 1
                            offsets[other] = apart[written] - sizes[other] + step
                            let what = "\(names[other]) and \(names[written]) overlap"
                            XCTAssertEqual(call(offsets, memory), CLOSS_OVERLAP, what)
                            XCTAssertEqual(words(error), what)
                            offsets[other] = apart[written] - sizes[other]
                            XCTAssertEqual(call(offsets, memory), CLOSS_OK, "\(what) not: \(words(error))")
                        }
                    }
                }
            }
        }
    }
}
