import SegLoss

/// Makes a map of a batch's labels.
struct MapEvaluator {
    private let maker: MapMaker
    private let shape: BatchShape
    private let options: Options
    // One of these: an enum's payload would be copied for each call, and its memory with it.
    private var distances: DistanceTransform<Float>?
    private var boxes: BoxWeights?
    private var cells: CellWeights?

    init(_ maker: MapMaker, _ batch: Batch, threads: Int, instructionSet: InstructionSet) throws {
        self.maker = maker
        shape = batch.shape
        options = Options(ignoreIndex: batch.ignoreIndex, threads: threads, instructionSet: instructionSet)
        let plain = Options(threads: threads, instructionSet: instructionSet)
        switch maker {
        case .distances(let row):
            distances = try DistanceTransform(
                of: row.shape(shape), classes: row.classes(shape), form: row.form, options: plain)
        case .boundary(let window):
            boxes = try BoxWeights(of: shape.facade, window: [window, window], classes: [1], options: plain)
        case .border(let window):
            boxes = try BoxWeights(
                of: shape.facade, window: [window, window], classes: [1], form: .border(), options: plain)
        case .frequencies: break
        case .cells:
            _ = batch.cells.buffer
            cells = try CellWeights(of: shape.facade, options: plain)
        }
    }

    /// Values of the map, at the beginning of a buffer.
    var count: Int { maker.isOfEachClass ? shape.values : shape.voxels }

    mutating func write(_ batch: Batch, into buffer: Buffer<Float>) throws {
        switch maker {
        case .distances: try writeDistances(batch, buffer)
        case .boundary, .border: try writeBoxes(batch, buffer)
        case .frequencies: try writeFrequencies(batch, buffer)
        case .cells: try writeCells(batch, buffer)
        }
    }

    // Not inlined, like those below: Swift 6.3.1's optimiser stops with an ownership error where a mutable span is made
    // beside other work.
    @inline(never)
    private mutating func writeDistances(_ batch: Batch, _ buffer: Buffer<Float>) throws {
        var map = UnsafeMutableBufferPointer(rebasing: buffer.values[..<count]).mutableSpan
        try distances!.write(batch.labels.values.span, into: &map)
    }

    @inline(never)
    private mutating func writeBoxes(_ batch: Batch, _ buffer: Buffer<Float>) throws {
        var map = UnsafeMutableBufferPointer(rebasing: buffer.values[..<count]).mutableSpan
        try boxes!.write(batch.labels.values.span, into: &map)
    }

    @inline(never)
    private mutating func writeCells(_ batch: Batch, _ buffer: Buffer<Float>) throws {
        var map = UnsafeMutableBufferPointer(rebasing: buffer.values[..<count]).mutableSpan
        try cells!.write(batch.cells.buffer.values.span, into: &map)
    }

    private func writeFrequencies(_ batch: Batch, _ buffer: Buffer<Float>) throws {
        var counts = ClassCounts(classes: max(shape.classes, 2))
        try counts.add(batch.labels.values.span, samples: shape.samples, options: options)
        try writeWeights(try counts.weights(.median), batch, buffer)
    }

    @inline(never)
    private func writeWeights(_ weights: [Float], _ batch: Batch, _ buffer: Buffer<Float>) throws {
        var map = UnsafeMutableBufferPointer(rebasing: buffer.values[..<count]).mutableSpan
        try ClassWeightMap(weights, options: options).write(batch.labels.values.span, into: &map)
    }
}
