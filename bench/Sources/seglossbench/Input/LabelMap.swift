import CLabelMap
import Foundation

/// A label map from a PNG file: grey values or palette indices, as they are stored.
struct LabelMap {
    let height: Int
    let width: Int
    var indices: [UInt8]

    /// Nil where the file is a picture and no label map: it has colours, or more values than anybody has classes.
    init?(contentsOf url: URL) throws {
        var map = label_map()
        var message = [CChar](repeating: 0, count: Int(LABEL_MAP_MESSAGE_BYTES))
        switch label_map_read(url.path, &map, &message) {
        case LABEL_MAP_OK: break
        case LABEL_MAP_IS_AN_IMAGE: return nil
        default:
            let text = String(decoding: message.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            throw BenchError("\(url.path): \(text)")
        }
        defer { label_map_free(&map) }
        (height, width) = (map.height, map.width)
        indices = Array(UnsafeBufferPointer(start: map.indices, count: height * width))
        guard Set(indices).count <= 64 else { return nil }
    }
}
