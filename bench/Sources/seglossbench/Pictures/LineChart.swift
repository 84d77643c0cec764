import Foundation

/// Curves over one axis.
struct LineChart {
    struct Point {
        var x: Double
        var y: Double
    }

    /// What the vertical axis shows, and the horizontal one.
    var title: String
    var xTitle: String
    var x: ClosedRange<Double>
    var y: ClosedRange<Double>
    /// Each is drawn in the style of its place.
    var curves: [[Point]]

    static let styles = 7

    /// Draws within a rectangle, ticks and titles included.
    func draw(on svg: inout SVG, left: Double, top: Double, width: Double, height: Double) {
        let frame = Frame(
            left: left + 34, top: top + 24, right: left + width - 8, bottom: top + height - 36, x: x, y: y)
        svg.text(title, x: left, y: top + 10, "heading")
        drawAxes(on: &svg, frame)
        for (index, curve) in curves.enumerated() {
            for piece in clipped(curve) where piece.count > 1 {
                svg.polyline(piece.map { (frame.x($0.x), frame.y($0.y)) }, Self.style(index))
            }
        }
        svg.text(xTitle, x: (frame.left + frame.right) / 2, y: frame.bottom + 32, "tick", anchor: .middle)
    }

    static func style(_ index: Int) -> String { "curve c\(index % styles)" }

    private func drawAxes(on svg: inout SVG, _ frame: Frame) {
        for tick in Self.ticks(x) {
            svg.line(x1: frame.x(tick), y1: frame.top, x2: frame.x(tick), y2: frame.bottom, "grid")
            svg.text(Format.round(tick), x: frame.x(tick), y: frame.bottom + 15, "tick", anchor: .middle)
        }
        for tick in Self.ticks(y) {
            let style = tick == 0 ? "zero" : "grid"
            svg.line(x1: frame.left, y1: frame.y(tick), x2: frame.right, y2: frame.y(tick), style)
            svg.text(Format.round(tick), x: frame.left - 6, y: frame.y(tick) + 4, "tick", anchor: .end)
        }
    }

    /// Multiples of a round step, six or so.
    private static func ticks(_ range: ClosedRange<Double>) -> [Double] {
        let steps = [0.05, 0.1, 0.2, 0.25, 0.5, 1, 2, 5, 10, 20]
        let length = range.upperBound - range.lowerBound
        let step = steps.first { length / $0 <= 6 } ?? length
        let first = Int((range.lowerBound / step - 1e-9).rounded(.up))
        let last = Int((range.upperBound / step + 1e-9).rounded(.down))
        return (first...last).map { Double($0) * step }
    }

    /// The pieces of a curve that are within the vertical range, cut where they leave it.
    private func clipped(_ curve: [Point]) -> [[Point]] {
        var pieces: [[Point]] = [[]]
        for (a, b) in zip(curve, curve.dropFirst()) {
            guard let (from, to) = part(of: a, b) else {
                pieces.append([])
                continue
            }
            if pieces[pieces.count - 1].isEmpty { pieces[pieces.count - 1].append(from) }
            pieces[pieces.count - 1].append(to)
            if to.x != b.x { pieces.append([]) }
        }
        return pieces
    }

    /// The part of a line that is within the vertical range; none where an end is no number.
    private func part(of a: Point, _ b: Point) -> (Point, Point)? {
        if !a.y.isFinite || !b.y.isFinite { return nil }
        if max(a.y, b.y) < y.lowerBound || min(a.y, b.y) > y.upperBound { return nil }
        func held(_ point: Point, towards other: Point) -> Point {
            let y = min(max(point.y, y.lowerBound), y.upperBound)
            if y == point.y { return point }
            return Point(x: point.x + (other.x - point.x) * (y - point.y) / (other.y - point.y), y: y)
        }
        return (held(a, towards: b), held(b, towards: a))
    }

    /// Where values are on the paper.
    private struct Frame {
        var left, top, right, bottom: Double
        var x, y: ClosedRange<Double>

        func x(_ value: Double) -> Double {
            left + (right - left) * (value - x.lowerBound) / (x.upperBound - x.lowerBound)
        }

        func y(_ value: Double) -> Double {
            bottom - (bottom - top) * (value - y.lowerBound) / (y.upperBound - y.lowerBound)
        }
    }
}
