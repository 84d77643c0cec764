import Foundation

/// Batches of a folder of label maps (PNG) and, where they are there, a network's logits (.npy, [classes, height,
/// width]). A label map belongs to the logits of the same name; folders do not matter. Label maps without any logits
/// get seeded ones.
struct RealData {
    let batches: [Batch]
    /// What a reader of the report should know about the input.
    let notes: [String]

    init(folder: URL) throws {
        let files = try Self.files(under: folder)
        let maps = try Self.labelMaps(among: files)
        guard !maps.isEmpty else { throw BenchError("\(folder.path): holds no label map (PNG of one byte per pixel)") }
        let logits = files.filter { $0.pathExtension == "npy" }
        batches = try logits.isEmpty ? Self.seeded(maps) : Self.matched(logits, maps)
        notes = Self.notes(folder, files: logits.count, maps: maps.count, batches)
    }

    private static func notes(_ folder: URL, files: Int, maps: Int, _ batches: [Batch]) -> [String] {
        let shapes = batches.map { batch in
            batch.shape.text + (batch.ignoreIndex.map { ", label \($0) ignored" } ?? "")
        }
        let logits = files == 0 ? "logits seeded around \(maps) label maps" : "\(files) files of logits"
        return ["Input: \(folder.path), \(logits): \(shapes.joined(separator: "; "))."]
    }

    // MARK: - Files

    private static func files(under folder: URL) throws -> [URL] {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: folder.path, isDirectory: &isFolder), isFolder.boolValue,
            let walk = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
        else { throw BenchError("\(folder.path): no such folder") }
        return walk.compactMap { $0 as? URL }.sorted { $0.path < $1.path }
    }

    private static func labelMaps(among files: [URL]) throws -> [(name: String, map: LabelMap)] {
        try files.filter { $0.pathExtension.lowercased() == "png" }.compactMap { url in
            try LabelMap(contentsOf: url).map { (url.deletingPathExtension().lastPathComponent, $0) }
        }
    }

    // MARK: - With logits

    private static func matched(_ logits: [URL], _ maps: [(name: String, map: LabelMap)]) throws -> [Batch] {
        let samples = try logits.map { url in
            let array = try Npy(contentsOf: url)
            guard array.shape.count == 3 else {
                throw BenchError("\(url.path): has shape \(array.shape), expected [classes, height, width]")
            }
            if let index = array.values.firstIndex(where: { !$0.isFinite }) {
                throw BenchError("\(url.path): value \(index) is \(array.values[index]), expected finite logits")
            }
            let name = url.deletingPathExtension().lastPathComponent
            let size = (array.shape[1], array.shape[2])
            guard let map = maps.first(where: { $0.name == name && ($0.map.height, $0.map.width) == size })?.map else {
                throw BenchError("\(url.path): there is no label map \(name).png of \(size.0) x \(size.1) pixels")
            }
            return (array, map)
        }
        return try Dictionary(grouping: samples) { $0.0.shape }
            .sorted { $0.key.lexicographicallyPrecedes($1.key) }
            .map { try batch($0.value) }
    }

    /// Samples of one shape in one batch.
    private static func batch(_ samples: [(logits: Npy, map: LabelMap)]) throws -> Batch {
        let extents = samples[0].logits.shape
        let shape = BatchShape(samples.count, extents[0], extents[1], extents[2])
        let batch = Batch(shape: shape, ignoreIndex: try void(samples.map(\.map), classes: extents[0]))
        for (index, sample) in samples.enumerated() {
            let perSample = shape.classes * shape.plane
            copy(sample.logits.values, to: batch.logits, at: index * perSample)
            copy(sample.map.indices, to: batch.labels, at: index * shape.plane)
        }
        return batch
    }

    /// The one label that is no class, which data sets call void or ignore.
    private static func void(_ maps: [LabelMap], classes: Int) throws -> Int? {
        let outside = Set(maps.flatMap(\.indices)).filter { $0 >= max(classes, 2) }.sorted()
        guard outside.count <= 1 else {
            throw BenchError("labels \(outside) are no classes of \(classes); one of them can be ignored, not all")
        }
        return outside.first.map(Int.init)
    }

    // MARK: - Without logits

    /// One batch for each size of label map. Maps of two values are masks, whatever the values.
    private static func seeded(_ maps: [(name: String, map: LabelMap)]) -> [Batch] {
        Dictionary(grouping: maps.map(\.map)) { [$0.height, $0.width] }
            .sorted { $0.key.lexicographicallyPrecedes($1.key) }
            .map { size, maps in
                let values = Set(maps.flatMap(\.indices)).sorted()
                let isMask = values.count <= 2
                let classes = isMask ? 1 : Int(values.last!) + 1
                let batch = Batch(shape: BatchShape(maps.count, classes, size[0], size[1]))
                for (index, map) in maps.enumerated() {
                    let labels = isMask ? map.indices.map { $0 == values[0] ? 0 : 1 } : map.indices
                    copy(labels, to: batch.labels, at: index * batch.shape.plane)
                }
                var seeded = Seeded(1)
                LogitModel(classes: classes).fill(batch, &seeded)
                return batch
            }
    }

    private static func copy<T>(_ values: [T], to buffer: Buffer<T>, at first: Int) {
        _ = UnsafeMutableBufferPointer(rebasing: buffer.values[first..<first + values.count])
            .update(fromContentsOf: values)
    }
}
