import Foundation
import SegLoss

/// Pictures of maps and gradients of an image: of a scene that is made up, or of a reader's own data.
struct MapGallery {
    private let street: Batch
    private let cells: Batch
    private let from: String

    /// Of the seeded scenes.
    init() {
        street = Scene.street.batch(BatchShape(1, 4, 256, 320))
        cells = Scene.cells.batch(BatchShape(1, 1, 256, 256))
        from = "A seeded scene."
    }

    /// Of a folder: an image with several classes, and one of two labels, whose connected parts are cells, where there
    /// is one in a folder of its own below.
    init(folder: URL) throws {
        let below = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: [.isDirectoryKey])
            .sorted { $0.path < $1.path }
        // Folders of pictures alone have no label maps.
        let batches = try RealData(folder: folder).batches + below.compactMap { try? RealData(folder: $0) }.flatMap(\.batches)
        guard let street = batches.first(where: { $0.shape.classes > 1 }) ?? batches.first else {
            throw BenchError("\(folder.path): holds no label map")
        }
        self.street = street
        cells = batches.first { $0.shape.classes == 1 } ?? Scene.cells.batch(BatchShape(1, 1, 256, 256))
        from = "Data: \(folder.lastPathComponent)."
    }

    func all() throws -> [MapPicture] { [try distances(), try weights(), try gradients()] }

    /// The losses whose gradients are drawn; one more is one more line.
    private static let losses: [(String, Loss)] = [
        ("Dice", .dice()),
        ("cross entropy", .crossEntropy()),
        ("focal, gamma 2", .focal(gamma: 2, alpha: nil)),
        ("boundary", .boundary()),
        ("Lovász softmax", .lovaszSoftmax()),
        ("Dice + cross entropy", .dice() + .crossEntropy()),
    ]

    /// Those of masks: a softmax takes two classes at least.
    private static let lossesOfMasks: [(String, Loss)] = [
        ("Dice", .dice()),
        ("binary cross entropy", .binaryCrossEntropy()),
        ("focal, gamma 2", .focal(gamma: 2, alpha: nil)),
        ("boundary", .boundary()),
        ("Lovász hinge", .lovaszHinge()),
        ("Dice + binary cross entropy", .dice() + .binaryCrossEntropy()),
    ]

    // MARK: - Pictures

    private func distances() throws -> MapPicture {
        let frame = try Frame(street)
        let shape = frame.image.shape
        let shown = Array(frame.classes.prefix(2))
        var transform = try DistanceTransform(
            of: .planar(samples: 1, classes: shown.count, height: shape.height, width: shape.width), classes: shown,
            form: .signed(.zero))
        let map = try transform(Array(frame.image.labels.values))
        let tiles = shown.enumerated().map { i, label in
            ("label \(label)", frame.raster(Array(map[i * shape.plane..<(i + 1) * shape.plane]), .signed))
        }
        return MapPicture(
            name: "maps-distance", title: "Signed distance maps",
            note: "\(from) Distances to \(shown.count == 1 ? "one" : "two") of its classes, negative (blue) inside; "
                + "the range is in voxels.",
            tiles: [("labels", frame.labels)] + tiles)
    }

    private func weights() throws -> MapPicture {
        let frame = try Frame(street)
        let cellFrame = try Frame(cells)
        let labels = Array(frame.image.labels.values)
        let facade = frame.image.shape.facade
        let chosen = frame.classes[0]
        func box(_ window: Int, _ form: BoxWeightForm) throws -> Raster {
            var weights = try BoxWeights(of: facade, window: [window, window], classes: [chosen], form: form)
            return frame.raster(try weights(labels), .scale)
        }
        let options = Options(ignoreIndex: frame.image.ignoreIndex)
        var counts = ClassCounts(classes: frame.labelCount)
        try counts.add(labels, samples: 1, options: options)
        let frequencies = try ClassWeightMap(counts.weights(.median), options: options)(labels)
        var separation = try CellWeights(of: cellFrame.image.shape.facade)
        let gaps = try separation(Array(cellFrame.image.cells.buffer.values))
        return MapPicture(
            name: "maps-weights", title: "Weight maps",
            note: "\(from) Boundary and border of label \(chosen); dark is the least weight, yellow the largest.",
            tiles: [
                ("labels", frame.labels), ("boundary, box 50 x 50", try box(50, .boundary())),
                ("border, box 11 x 11", try box(11, .border())),
                ("median frequency", frame.raster(frequencies, .scale)), ("cells", cellFrame.labels),
                ("U-Net's gaps between cells", cellFrame.raster(gaps, .scale)),
            ])
    }

    private func gradients() throws -> MapPicture {
        let frame = try Frame(street)
        let shape = frame.image.shape
        let isMask = shape.classes == 1
        let chosen = frame.classes[1 % frame.classes.count]
        let channel = isMask ? 0 : chosen
        let logits = Array(frame.image.logits.values)
        let labels = Array(frame.image.labels.values)
        let of = (0..<shape.plane).map { v in
            if isMask { return Float(logits[v] > 0 ? 1 : 0) }
            return Float((0..<shape.classes).max { logits[$0 * shape.plane + v] < logits[$1 * shape.plane + v] }!)
        }
        var tiles = [("labels", frame.labels), ("prediction", frame.raster(of, .labels(ignored: nil)))]
        for (name, loss) in isMask ? Self.lossesOfMasks : Self.losses {
            var evaluator = try Evaluator(
                loss, shape: shape.facade, activation: isMask ? .sigmoid : .softmax,
                options: Options(ignoreIndex: frame.image.ignoreIndex))
            var gradient = [Float](repeating: 0, count: shape.values)
            _ = try evaluator.evaluate(logits: logits, labels: labels, gradient: &gradient)
            let own = Array(gradient[channel * shape.plane..<(channel + 1) * shape.plane])
            tiles.append((name, frame.raster(own, .signed)))
        }
        return MapPicture(
            name: "maps-gradients", title: "Gradients of losses, by the logit of one class",
            note: "\(from) By the logit of label \(chosen): blue is to rise, red to fall; each has a range of its own.",
            tiles: tiles)
    }
}

/// The first image of a batch, and the part of it that is shown.
private struct Frame {
    let image: Batch
    private let height: Int
    private let width: Int
    private let top: Int
    private let left: Int
    /// Up to three classes of the part that is shown, the most frequent first; of the whole image where that part has
    /// none, and of a mask the one that it is of.
    let classes: [Int]
    /// Labels are below it.
    let labelCount: Int

    init(_ batch: Batch) throws {
        image = batch.crop(samples: 1, height: batch.shape.height, width: batch.shape.width)
        (height, width) = (min(120, image.shape.height), min(160, image.shape.width))
        (top, left) = ((image.shape.height - height) / 2, (image.shape.width - width) / 2)
        labelCount = max(image.shape.classes, 2)
        guard image.shape.classes > 1 else {
            classes = [1]
            return
        }
        let shown = Self.classes(of: image, rows: top..<top + height, columns: left..<left + width)
        classes = shown.isEmpty
            ? Self.classes(of: image, rows: 0..<image.shape.height, columns: 0..<image.shape.width) : shown
        guard !classes.isEmpty else {
            throw BenchError("the first image of \(image.shape.text) has no label but the one that is ignored")
        }
    }

    func raster(_ map: [Float], _ colours: Raster.Colours) -> Raster {
        let part = (0..<height).flatMap { y in
            let first = (top + y) * image.shape.width + left
            return Array(map[first..<first + width])
        }
        return Raster(part, height: height, width: width, colours)
    }

    var labels: Raster { raster(image.labels.values.map(Float.init), .labels(ignored: image.ignoreIndex)) }

    private static func classes(of image: Batch, rows: Range<Int>, columns: Range<Int>) -> [Int] {
        var counts = [Int](repeating: 0, count: 256)
        for y in rows {
            for x in columns { counts[Int(image.labels.values[y * image.shape.width + x])] += 1 }
        }
        let there = (0..<min(image.shape.classes, 256)).filter { counts[$0] > 0 }.sorted { counts[$0] > counts[$1] }
        return Array(there.prefix(3))
    }
}
