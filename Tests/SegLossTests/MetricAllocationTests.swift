import CKernelProbe
import CLossKernels
import XCTest

/// The C calls of metrics ask the heap for nothing.
final class MetricAllocationTests: XCTestCase {
    private let side: Int64 = 200
    private var voxels: Int { Int(side * side) }

    func testCallsAllocateNothing() throws {
        let labels = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: voxels)
        let values = UnsafeMutableBufferPointer<Float>.allocate(capacity: 2 * voxels)
        let thresholds = UnsafeMutableBufferPointer<Float>.allocate(capacity: 3)
        defer {
            labels.deallocate()
            values.deallocate()
            thresholds.deallocate()
        }
        for i in 0..<voxels { labels[i] = i / 50 % 4 == 0 ? 1 : 0 }
        for i in 0..<2 * voxels { values[i] = Float(i % 101) / 100 }
        (thresholds[0], thresholds[1], thresholds[2]) = (0.25, 0.5, 0.75)
        var batch = closs_metric_batch()
        (batch.predicted, batch.target) = (CLOSS_LABELS_U8, CLOSS_LABELS_U8)
        batch.predictions = UnsafeRawPointer(labels.baseAddress!)
        batch.targets = batch.predictions
        (batch.predictions_count, batch.targets_count) = (voxels, voxels)
        var ofValues = batch
        ofValues.predictions = UnsafeRawPointer(values.baseAddress!)
        ofValues.predictions_count = 2 * voxels

        let shape = closs_shape(samples: 1, classes: 2, voxels: Int64(voxels))
        var confusion = closs_confusion_spec(), threshold = closs_threshold_spec(), surface = closs_surface_spec()
        (confusion.shape, confusion.prediction, confusion.threads) = (shape, CLOSS_PREDICTED_LOGITS, 2)
        (threshold.shape, threshold.activation, threshold.threads) = (shape, CLOSS_PROBABILITIES, 2)
        threshold.thresholds = UnsafePointer(thresholds.baseAddress!)
        threshold.threshold_count = 3
        (surface.samples, surface.class_count, surface.percentile, surface.threads) = (1, 2, 95, 2)
        surface.extents = closs_extents(planes: 1, rows: side, columns: side)

        let bytes = max(
            closs_confusion_scratch_bytes(&confusion), closs_threshold_scratch_bytes(&threshold),
            closs_surface_scratch_bytes(&surface))
        let scratch = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
        let matrix = UnsafeMutablePointer<Int64>.allocate(capacity: 4)
        let counts = UnsafeMutablePointer<closs_counts>.allocate(capacity: 6)
        let distances = UnsafeMutablePointer<closs_surface_distances>.allocate(capacity: 2)
        defer {
            scratch.deallocate()
            matrix.deallocate()
            counts.deallocate()
            distances.deallocate()
        }
        try assertAllocatesNothing("confusion") { closs_confusion(&confusion, &ofValues, matrix, 4, scratch, bytes, nil) }
        try assertAllocatesNothing("thresholds") { closs_threshold_counts(&threshold, &ofValues, counts, 6, scratch, bytes, nil) }
        try assertAllocatesNothing("surface") { closs_surface(&surface, &batch, distances, 2, scratch, bytes, nil) }
    }
}
