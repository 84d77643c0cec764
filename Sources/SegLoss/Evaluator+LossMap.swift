// Losses voxel by voxel: where a network is wrong, for hard examples, for a picture.

extension Evaluator {
    /// Writes the unreduced losses of a batch with labels: at every value what a pointwise term adds to its sum, class
    /// and voxel weights in it, divided by nothing; 0 where the voxel does not count.
    ///
    /// A map is contiguous, whatever the layout of the batch: `[samples][voxels]` of the part with
    /// ``Activation/softmax``, where a voxel's loss is of all its classes, else `[samples][classes][voxels]`.
    ///
    /// - Parameters:
    ///   - logits: The network's output, or probabilities; see ``Logit``.
    ///   - labels: Class indices; see ``Label``.
    ///   - mask: 0 takes the voxel out of everything; `nil`: all are in.
    ///   - weights: Each at least 0: factors of the pointwise terms; `nil`: all 1.
    ///   - maps: What a linear term multiplies, like the logits; `nil` without such a term.
    ///   - layout: How the buffers of the batch lie.
    ///   - part: Which samples and voxels these are.
    ///   - term: The place of a pointwise term in ``Loss/terms``; `nil`: the sum over all of them of weight times
    ///     loss. Region and balanced terms have no loss of a single voxel: they are refused, and stay out of the sum.
    ///   - map: Where the losses go.
    /// - Throws: ``LossError`` where the loss has no such losses, a buffer has the wrong count or a value is refused:
    ///   ``LossError/index`` is the value's place in its buffer. The map is then as it was.
    public mutating func lossMap<Z: Logit, L: Label>(
        logits: Span<Z>, labels: Span<L>, mask: Span<UInt8>? = nil, weights: Span<Float>? = nil,
        maps: Span<Float>? = nil, layout: Layout = .contiguous, part: Part = .whole, term: Int? = nil,
        into map: inout MutableSpan<Float>
    ) throws(LossError) {
        try plan.lossMap(
            logits: logits, targets: labels, format: .labels(L.labelFormat), mask: mask, weights: weights, maps: maps,
            layout: Resolved(layout, shape), part: part, term: term, map: &map, workspace: &workspace)
    }

    /// Writes the unreduced losses of a batch with dense targets; see
    /// ``lossMap(logits:labels:mask:weights:maps:layout:part:term:into:)``.
    public mutating func lossMap<Z: Logit, T: DenseTarget>(
        logits: Span<Z>, targets: Span<T>, mask: Span<UInt8>? = nil, weights: Span<Float>? = nil,
        maps: Span<Float>? = nil, layout: Layout = .contiguous, part: Part = .whole, term: Int? = nil,
        into map: inout MutableSpan<Float>
    ) throws(LossError) {
        try plan.lossMap(
            logits: logits, targets: targets, format: .dense(T.denseFormat), mask: mask, weights: weights, maps: maps,
            layout: Resolved(layout, shape), part: part, term: term, map: &map, workspace: &workspace)
    }

    /// The unreduced losses of a whole batch with labels, from arrays to a new one; see
    /// ``lossMap(logits:labels:mask:weights:maps:layout:part:term:into:)``.
    public mutating func lossMap<L: Label>(
        logits: [Float], labels: [L], mask: [UInt8]? = nil, weights: [Float]? = nil, maps: [Float]? = nil,
        term: Int? = nil
    ) throws(LossError) -> [Float] {
        var map = emptyMap
        var span = map.mutableSpan
        try lossMap(
            logits: logits.span, labels: labels.span, mask: mask?.span, weights: weights?.span, maps: maps?.span,
            term: term, into: &span)
        return map
    }

    /// The unreduced losses of a whole batch with dense targets, from arrays to a new one; see
    /// ``lossMap(logits:labels:mask:weights:maps:layout:part:term:into:)``.
    public mutating func lossMap<T: DenseTarget>(
        logits: [Float], targets: [T], mask: [UInt8]? = nil, weights: [Float]? = nil, maps: [Float]? = nil,
        term: Int? = nil
    ) throws(LossError) -> [Float] {
        var map = emptyMap
        var span = map.mutableSpan
        try lossMap(
            logits: logits.span, targets: targets.span, mask: mask?.span, weights: weights?.span, maps: maps?.span,
            term: term, into: &span)
        return map
    }

    private var emptyMap: [Float] {
        let rows = activation == .softmax ? 1 : shape.classes
        return Array(repeating: 0, count: shape.samples * rows * shape.voxels)
    }
}
