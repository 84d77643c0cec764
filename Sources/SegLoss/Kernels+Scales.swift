// The call into C for several scales.

internal import CLossKernels

/// What is known of the voxels of the first scale, of which the others take some.
struct FullSizeMaps<L: Label> {
    var labels: [L]
    var mask: [UInt8]?
    var weights: [Float]?

    fileprivate func withPointers(_ body: (FullSizePointers<L>) -> closs_status) -> closs_status {
        unsafe labels.withUnsafeBufferPointer { labels in
            unsafe withPointer(mask?.span) { mask in
                unsafe withPointer(weights?.span) { weights in
                    unsafe body(FullSizePointers(labels: labels, mask: mask, weights: weights))
                }
            }
        }
    }
}

/// The same, for the length of a call.
@unsafe private struct FullSizePointers<L: Label> {
    let labels: UnsafeBufferPointer<L>
    let mask: UnsafeBufferPointer<UInt8>?
    let weights: UnsafeBufferPointer<Float>?

    /// Points a scale's batch to them, from the place on where its view begins.
    func put(into batch: inout closs_batch, from place: Int) {
        let labels = unsafe from(place, labels)
        unsafe batch.target = TargetFormat.labels(L.labelFormat).code
        unsafe batch.targets = UnsafeRawPointer(labels.start)
        unsafe batch.targets_count = labels.count
        if let mask = unsafe mask {
            unsafe batch.mask = from(place, mask).start
            unsafe batch.mask_count = from(place, mask).count
        }
        if let weights = unsafe weights {
            unsafe batch.weights = from(place, weights).start
            unsafe batch.weights_count = from(place, weights).count
        }
    }

    /// A map that is too short is refused: its count is that, and nothing is read.
    private func from<Element>(_ place: Int, _ map: UnsafeBufferPointer<Element>) -> UnsafeBufferPointer<Element> {
        let place = min(place, map.count)
        return unsafe UnsafeBufferPointer(start: map.start + place, count: map.count - place)
    }
}

/// The value of all scales together, and of each.
func evaluateScales<Z: Logit, L: Label, G: Logit>(
    _ evaluators: [Evaluator], _ weights: [Double], _ views: [(view: View, start: Int)], _ logits: [[Z]],
    _ maps: FullSizeMaps<L>, _ gradients: inout [[G]]?, _ write: Write, _ workspaces: inout [Workspace],
    _ scratch: inout [UInt8]
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
        _ i: Int, _ maps: FullSizePointers<L>, _ gradients: UnsafeMutableBufferPointer<[G]>?,
        _ workspaces: UnsafeMutableBufferPointer<Workspace>, _ error: UnsafeMutablePointer<closs_error>
    ) -> closs_status {
        guard i < count else {
            return unsafe scratch.withUnsafeMutableBytes { scratch in
                unsafe closs_evaluate_scales(
                    scales.baseAddress, count, &sum, scratch.baseAddress, scratch.count, error)
            }
        }
        return unsafe logits[i].withUnsafeBufferPointer { logits in
            let view = views[i].view
            var batch = unsafe Resolved(Layout(targets: view, mask: view, weights: view), evaluators[i].shape)
                .batch(closs_batch(), Z.logitFormat)
            unsafe batch.logits = UnsafeRawPointer(logits.start)
            unsafe batch.logits_count = logits.count
            unsafe maps.put(into: &batch, from: views[i].start)
            unsafe batches[i] = batch
            return unsafe workspaces[i].withMemory(&results[i]) { _, _, _ in
                guard let gradients = unsafe gradients else {
                    return unsafe point(i + 1, maps, nil, workspaces, error)
                }
                return unsafe gradients[i].withUnsafeMutableBufferPointer { values in
                    unsafe buffers[i] = closs_gradient_buffer(values, write, .contiguous)
                    return unsafe point(i + 1, maps, gradients, workspaces, error)
                }
            }
        }
    }

    try unsafe refusing { error in
        unsafe maps.withPointers { maps in
            unsafe workspaces.withUnsafeMutableBufferPointer { workspaces in
                let workspaces = unsafe workspaces
                guard gradients != nil else { return unsafe point(0, maps, nil, workspaces, error) }
                return unsafe gradients!.withUnsafeMutableBufferPointer { gradients in
                    unsafe point(0, maps, gradients, workspaces, error)
                }
            }
        }
    }
    return unsafe (sum, results.map(\.value))
}
