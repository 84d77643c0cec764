// The calls into C for buffers of other types than `Float` and for those that are not contiguous.

internal import CLossKernels

/// A layout and the extents that its views are of.
struct Resolved {
    let layout: Layout
    let planes, rows, columns: Int

    init(_ layout: Layout, _ shape: Shape) {
        self.layout = layout
        planes = shape.planes
        rows = shape.rows
        columns = shape.columns
    }

    /// The batch with types and views.
    func batch(_ batch: closs_batch, _ format: LogitFormat) -> closs_batch {
        var batch = unsafe batch
        unsafe batch.logits_type = format.code
        unsafe batch.extents = closs_extents(planes: Int64(planes), rows: Int64(rows), columns: Int64(columns))
        unsafe batch.logits_view = layout.logits.code
        unsafe batch.targets_view = layout.targets.code
        unsafe batch.mask_view = layout.mask.code
        unsafe batch.weights_view = layout.weights.code
        unsafe batch.maps_view = layout.maps.code
        return unsafe batch
    }
}

extension Plan {
    func evaluate<Z: Logit, Target: BitwiseCopyable>(
        logits: Span<Z>, targets: Span<Target>, format: TargetFormat,
        mask: Span<UInt8>?, weights: Span<Float>?, maps: Span<Float>?, layout: Resolved,
        workspace: inout Workspace
    ) throws(LossError) -> Double {
        var value = 0.0
        try unsafe refusing { error in
            unsafe logits.withUnsafeBufferPointer { logits in
                unsafe withBatch(logits, targets, format, mask, weights, maps, .whole) { batch in
                    var batch = unsafe layout.batch(batch.pointee, Z.logitFormat)
                    return unsafe evaluate(&batch, nil, &value, &workspace, error)
                }
            }
        }
        return value
    }

    func evaluate<Z: Logit, Target: BitwiseCopyable, G: Logit>(
        logits: Span<Z>, targets: Span<Target>, format: TargetFormat,
        mask: Span<UInt8>?, weights: Span<Float>?, maps: Span<Float>?, layout: Resolved,
        gradient: inout MutableSpan<G>, write: Write,
        workspace: inout Workspace
    ) throws(LossError) -> Double {
        var value = 0.0
        try unsafe refusing { error in
            unsafe logits.withUnsafeBufferPointer { logits in
                unsafe withBatch(logits, targets, format, mask, weights, maps, .whole) { batch in
                    unsafe gradient.withUnsafeMutableBufferPointer { gradient in
                        var batch = unsafe layout.batch(batch.pointee, Z.logitFormat)
                        var buffer = unsafe closs_gradient_buffer(gradient, write, layout.layout.gradient)
                        return unsafe evaluate(&batch, &buffer, &value, &workspace, error)
                    }
                }
            }
        }
        return value
    }

    func evaluateInPlace<Z: Logit, Target: BitwiseCopyable>(
        logits: inout MutableSpan<Z>, targets: Span<Target>, format: TargetFormat,
        mask: Span<UInt8>?, weights: Span<Float>?, maps: Span<Float>?, layout: Resolved, scale: Float,
        workspace: inout Workspace
    ) throws(LossError) -> Double {
        var value = 0.0
        try unsafe refusing { error in
            unsafe logits.withUnsafeMutableBufferPointer { logits in
                unsafe withBatch(UnsafeBufferPointer(logits), targets, format, mask, weights, maps, .whole) { batch in
                    var batch = unsafe layout.batch(batch.pointee, Z.logitFormat)
                    var buffer = unsafe closs_gradient_buffer(logits, .overwrite(scale: scale), layout.layout.logits)
                    return unsafe evaluate(&batch, &buffer, &value, &workspace, error)
                }
            }
        }
        return value
    }

    func accumulate<Z: Logit, Target: BitwiseCopyable>(
        logits: Span<Z>, targets: Span<Target>, format: TargetFormat,
        mask: Span<UInt8>?, weights: Span<Float>?, maps: Span<Float>?, layout: Resolved, part: Part,
        stage: Int, totals: inout [Int64],
        workspace: inout Workspace
    ) throws(LossError) {
        try part.check()
        try unsafe refusing { error in
            unsafe logits.withUnsafeBufferPointer { logits in
                unsafe withBatch(logits, targets, format, mask, weights, maps, part) { batch in
                    var batch = unsafe layout.batch(batch.pointee, Z.logitFormat)
                    return unsafe accumulate(&batch, stage, &totals, &workspace, error)
                }
            }
        }
    }

    func gradient<Z: Logit, Target: BitwiseCopyable, G: Logit>(
        logits: Span<Z>, targets: Span<Target>, format: TargetFormat,
        mask: Span<UInt8>?, weights: Span<Float>?, maps: Span<Float>?, layout: Resolved, part: Part,
        coefficients: [Int64],
        gradient: inout MutableSpan<G>, write: Write,
        workspace: inout Workspace
    ) throws(LossError) {
        try part.check()
        try unsafe refusing { error in
            unsafe logits.withUnsafeBufferPointer { logits in
                unsafe withBatch(logits, targets, format, mask, weights, maps, part) { batch in
                    unsafe gradient.withUnsafeMutableBufferPointer { gradient in
                        var batch = unsafe layout.batch(batch.pointee, Z.logitFormat)
                        var buffer = unsafe closs_gradient_buffer(gradient, write, layout.layout.gradient)
                        return unsafe self.gradient(&batch, &buffer, coefficients, &workspace, error)
                    }
                }
            }
        }
    }
}

extension closs_gradient_buffer {
    init<G: Logit>(_ values: UnsafeMutableBufferPointer<G>, _ write: Write, _ view: View) {
        unsafe self.init(values, write)
        unsafe type = G.logitFormat.code
        unsafe self.view = view.code
    }
}

extension LogitFormat {
    var code: closs_float {
        switch self {
        case .float: CLOSS_FLOAT32
        case .half: CLOSS_FLOAT16
        case .bfloat: CLOSS_BFLOAT16
        }
    }
}

extension View {
    fileprivate var code: closs_view {
        closs_view(
            sample: Int64(sample), channel: Int64(channel), plane: Int64(plane), row: Int64(row),
            column: Int64(column))
    }
}
