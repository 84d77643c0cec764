import CLabelMap
import Foundation

/// Values of a map as colours.
struct Raster {
    enum Colours {
        /// Blue below 0, white at 0, red above; the largest magnitude is full colour.
        case signed
        /// Dark for the least, yellow for the largest.
        case scale
        /// A colour for each label; one that is ignored is white.
        case labels(ignored: Int?)
    }

    let height: Int
    let width: Int
    private let values: [Float]
    private let colours: Colours

    init(_ values: [Float], height: Int, width: Int, _ colours: Colours) {
        precondition(values.count == height * width)
        (self.values, self.height, self.width, self.colours) = (values, height, width, colours)
    }

    /// What the colours stand for.
    var range: String {
        switch colours {
        case .signed: "\u{00B1} \(Format.digits(Double(most)))"
        case .scale: "\(Format.digits(Double(values.min() ?? 0))) to \(Format.digits(Double(values.max() ?? 0)))"
        case .labels: ""
        }
    }

    private var most: Float { values.map(abs).max() ?? 0 }

    /// As a PNG of 256 colours.
    var png: Data {
        var palette = (0..<256).flatMap(colour)
        var to = [UInt8](repeating: 0, count: 4096 + 2 * values.count)
        let bytes = picture_png(indices, height, width, &palette, &to, to.count)
        precondition(bytes > 0, "a picture of \(width) x \(height) has no room")
        return Data(to[..<bytes])
    }

    private var indices: [UInt8] {
        let (least, most, largest) = (values.min() ?? 0, values.max() ?? 0, self.most)
        return values.map { value in
            switch colours {
            case .signed: largest > 0 ? UInt8(clamping: Int((value / largest * 127).rounded()) + 128) : 128
            case .scale: most > least ? UInt8(clamping: Int(((value - least) / (most - least) * 255).rounded())) : 0
            case .labels(let ignored): Int(value) == ignored ? 255 : UInt8(clamping: Int(value))
            }
        }
    }

    private func colour(_ index: Int) -> [UInt8] {
        switch colours {
        case .signed:
            let t = Double(index - 128) / 127
            return Self.mixed(t < 0 ? [33, 102, 196] : [200, 40, 50], [250, 250, 250], 1 - abs(t).squareRoot())
        case .scale:
            // From dark blue over green to yellow, as light as they are large.
            let stops: [[Double]] = [[40, 20, 90], [45, 90, 140], [40, 150, 130], [120, 200, 80], [250, 230, 60]]
            let t = Double(index) / 255 * Double(stops.count - 1)
            let first = min(Int(t), stops.count - 2)
            return Self.mixed(stops[first], stops[first + 1], t - Double(first))
        case .labels:
            if index == 255 { return [255, 255, 255] }
            let hues: [[UInt8]] = [
                [120, 160, 200], [160, 90, 70], [200, 190, 90], [110, 100, 120], [190, 150, 180], [80, 140, 80],
                [220, 140, 60], [90, 90, 60], [70, 90, 170], [200, 80, 120], [100, 190, 190], [60, 60, 60],
            ]
            return hues[index % hues.count]
        }
    }

    /// From one colour to another.
    private static func mixed(_ from: [Double], _ to: [Double], _ t: Double) -> [UInt8] {
        zip(from, to).map { UInt8(($0 + ($1 - $0) * min(max(t, 0), 1)).rounded()) }
    }
}

/// Maps of one image side by side, in one file.
struct MapPicture {
    /// Of the file, without its ending.
    var name: String
    var title: String
    var note: String
    var tiles: [(caption: String, raster: Raster)]

    private static let columns = 3

    var svg: String {
        var svg = SVG(width: 860)
        svg.text(title, x: 0, y: 24, "title")
        svg.text(note, x: 0, y: 43, "note")
        let width = (svg.width + 16) / Double(Self.columns)
        var top = 62.0
        for first in stride(from: 0, to: tiles.count, by: Self.columns) {
            let row = tiles[first..<min(first + Self.columns, tiles.count)]
            var deepest = 0.0
            for (index, tile) in row.enumerated() {
                let left = width * Double(index)
                let height = (width - 16) * Double(tile.raster.height) / Double(tile.raster.width)
                svg.text(tile.caption, x: left, y: top + 10, "heading")
                svg.text(tile.raster.range, x: left + width - 16, y: top + 10, "tick", anchor: .end)
                svg.image(tile.raster.png, x: left, y: top + 18, width: width - 16, height: height)
                deepest = max(deepest, height)
            }
            top += deepest + 44
        }
        return svg.standalone(title: title, style: Style.curves, margin: 16)
    }
}
