// The call into C for several scales.

internal import CLossKernels

/// The value of all scales together, and of each.
func evaluateScales<Z: Logit, L: Label, G: Logit>(
    _ evaluators: [Evaluator], _ weights: [Double], _ views: [(view: View, start: Int)], _ logits: [[Z]],
    _ labels: [L], _ gradients: inout [[G]]?, _ write: Write, _ workspaces: inout [Workspace], _ scratch: inout [UInt8]
) throws(LossError) -> (sum: Double, scales: [Double]) {
    let count = evaluators.count
    var sum = 0.0
    // What the scales point to: C's structs lie side by side for the length of the call.
    let batches = UnsafeMutableBufferPointer<closs_batch>.allocate(capacity: count)
    let buffers = UnsafeMutableBufferPointer<closs_gradient_buffer>.allocate(capacity: count)
    let results = UnsafeMutableBufferPointer<closs_result>.allocate(capacity: count)
    let scales = UnsafeMutableBufferPointer<closs_scale>.allocate(capacity: count)
    defer {
        unsafe batches.deallocate()
        unsafe buffers.deallocate()
        unsafe results.deallocate()
        unsafe scales.deallocate()
    }
    for i in 0..<count {
        unsafe batches.initializeElement(at: i, to: closs_batch())
        unsafe buffers.initializeElement(at: i, to: closs_gradient_buffer())
        unsafe results.initializeElement(at: i, to: closs_result())
        var scale = unsafe closs_scale()
        unsafe scale.plan = evaluators[i].plan.handle
        unsafe scale.batch = UnsafePointer(batches.baseAddress! + i)
        unsafe scale.gradient = gradients == nil ? nil : UnsafePointer(buffers.baseAddress! + i)
        unsafe scale.weight = weights[i]
        unsafe scale.result = results.baseAddress! + i
        unsafe scales.initializeElement(at: i, to: scale)
    }

    /// Points the i-th scale, and those after it, to their memory; then calls.
    func point(
        _ i: Int, _ labels: UnsafeBufferPointer<L>, _ gradients: UnsafeMutableBufferPointer<[G]>?,
        _ workspaces: UnsafeMutableBufferPointer<Workspace>, _ error: UnsafeMutablePointer<closs_error>
    ) -> closs_status {
        guard i < count else {
            return unsafe scratch.withUnsafeMutableBytes { scratch in
                unsafe closs_evaluate_scales(
                    scales.baseAddress, count, &sum, scratch.baseAddress, scratch.count, error)
            }
        }
        return unsafe logits[i].withUnsafeBufferPointer { logits in
            var batch = unsafe Resolved(Layout(targets: views[i].view), evaluators[i].shape)
                .batch(closs_batch(), Z.logitFormat)
            unsafe batch.logits = UnsafeRawPointer(logits.start)
            unsafe batch.logits_count = logits.count
            unsafe batch.target = TargetFormat.labels(L.labelFormat).code
            // A map that is too short is refused: its count is that, and nothing is read.
            let start = min(views[i].start, labels.count)
            unsafe batch.targets = UnsafeRawPointer(labels.start + start)
            unsafe batch.targets_count = labels.count - start
            unsafe batches[i] = batch
            return unsafe workspaces[i].withMemory(&results[i]) { _, _, _ in
                guard let gradients = unsafe gradients else {
                    return unsafe point(i + 1, labels, nil, workspaces, error)
                }
                return unsafe gradients[i].withUnsafeMutableBufferPointer { values in
                    unsafe buffers[i] = closs_gradient_buffer(values, write, .contiguous)
                    return unsafe point(i + 1, labels, gradients, workspaces, error)
                }
            }
        }
    }

    try unsafe refusing { error in
        unsafe labels.withUnsafeBufferPointer { labels in
            unsafe workspaces.withUnsafeMutableBufferPointer { workspaces in
                let workspaces = unsafe workspaces
                guard gradients != nil else { return unsafe point(0, labels, nil, workspaces, error) }
                return unsafe gradients!.withUnsafeMutableBufferPointer { gradients in
                    unsafe point(0, labels, gradients, workspaces, error)
                }
            }
        }
    }
    return unsafe (sum, results.map(\.value))
}
