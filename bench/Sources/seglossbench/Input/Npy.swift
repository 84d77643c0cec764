import Foundation

/// An array in NumPy's .npy format: versions 1 to 3, little-endian float32, C order.
struct Npy {
    let shape: [Int]
    let values: [Float]

    init(contentsOf url: URL) throws {
        let data: Data
        do {
            data = try Data(contentsOf: url, options: .alwaysMapped)
        } catch {
            throw BenchError("\(url.path): cannot be read")
        }
        do {
            let header = try Self.readHeader(data)
            shape = header.shape
            values = try Self.readValues(data, from: header.end, count: header.shape.reduce(1, *))
        } catch let problem as Problem {
            throw BenchError("\(url.path): \(problem.text)")
        }
    }

    private struct Problem: Error {
        let text: String
    }

    // MARK: - Header

    private static func readHeader(_ data: Data) throws -> (shape: [Int], end: Int) {
        guard data.count >= 12, data.prefix(6) == Data([0x93] + Array("NUMPY".utf8)) else {
            throw Problem(text: "is no .npy file")
        }
        let version = Int(data[6])
        guard (1...3).contains(version) else { throw Problem(text: "has .npy version \(version), expected 1 to 3") }
        let lengthBytes = version == 1 ? 2 : 4
        let length = data[8..<8 + lengthBytes].reversed().reduce(0) { $0 << 8 | Int($1) }
        let start = 8 + lengthBytes
        guard start + length <= data.count else { throw Problem(text: "ends inside its header") }
        let header = String(decoding: data[start..<start + length], as: UTF8.self)
        try requireFloatsInCOrder(header)
        return (try shape(in: header), start + length)
    }

    private static func requireFloatsInCOrder(_ header: String) throws {
        let type = header.firstMatch(of: /'descr':\s*'([^']*)'/)?.1 ?? "?"
        guard type == "<f4" else { throw Problem(text: "holds '\(type)', expected '<f4' (little-endian float32)") }
        guard header.contains(/'fortran_order':\s*False/) else {
            throw Problem(text: "is in Fortran order, expected C order")
        }
    }

    private static func shape(in header: String) throws -> [Int] {
        guard let list = header.firstMatch(of: /'shape':\s*\(([0-9, ]*)\)/)?.1 else {
            throw Problem(text: "has no shape in its header")
        }
        return list.split(separator: ",").compactMap { Int($0.trimmingCharacters(in: .whitespaces)) }
    }

    // MARK: - Values

    private static func readValues(_ data: Data, from start: Int, count: Int) throws -> [Float] {
        let bytes = count * MemoryLayout<Float>.size
        guard data.count - start == bytes else {
            throw Problem(text: "holds \(data.count - start) bytes after its header, its shape asks for \(bytes)")
        }
        return data.withUnsafeBytes { raw in
            (0..<count).map { index in
                let bits = raw.loadUnaligned(fromByteOffset: start + 4 * index, as: UInt32.self)
                return Float(bitPattern: UInt32(littleEndian: bits))
            }
        }
    }
}
