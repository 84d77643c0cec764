// The call into C for maps of losses.

internal import CLossKernels

extension Plan {
    /// Writes the unreduced losses of a part; `term` nil: of all pointwise terms.
    func lossMap<Z: Logit, Target: BitwiseCopyable>(
        logits: Span<Z>, targets: Span<Target>, format: TargetFormat,
        mask: Span<UInt8>?, weights: Span<Float>?, maps: Span<Float>?, layout: Resolved, part: Part, term: Int?,
        map: inout MutableSpan<Float>, workspace: inout Workspace
    ) throws(LossError) {
        try part.check()
        // To the C library a number below 0 means all terms.
        if let term, term < 0 {
            throw LossError(kind: .badOption, message: "the term is \(term); expected 0 or more")
        }
        let term = term.map { Int32(clamping: $0) } ?? Int32(CLOSS_ALL_TERMS)
        try unsafe refusing { error in
            unsafe logits.withUnsafeBufferPointer { logits in
                unsafe withBatch(logits, targets, format, mask, weights, maps, part) { batch in
                    unsafe map.withUnsafeMutableBufferPointer { map in
                        unsafe workspace.scratch.withUnsafeMutableBytes { scratch in
                            var batch = unsafe layout.batch(batch.pointee, Z.logitFormat)
                            let start = unsafe UnsafeMutablePointer(mutating: UnsafeBufferPointer(map).start)
                            return unsafe closs_loss_map(
                                handle, &batch, term, start, map.count, scratch.baseAddress, scratch.count, error)
                        }
                    }
                }
            }
        }
    }
}
