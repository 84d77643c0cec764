import Foundation

/// A drawing of rectangles, lines and text. Colours are classes, so that a page can be light or dark.
struct SVG {
    let width: Double
    private(set) var height = 0.0
    private var elements: [String] = []

    init(width: Double) {
        self.width = width
    }

    enum Anchor: String { case start, middle, end }

    mutating func rectangle(x: Double, y: Double, width: Double, height: Double, _ style: String) {
        elements.append(
            "<rect x=\"\(number(x))\" y=\"\(number(y))\" width=\"\(number(max(width, 0)))\" "
                + "height=\"\(number(height))\" rx=\"2\" class=\"\(style)\"/>")
        reach(y + height)
    }

    mutating func line(x1: Double, y1: Double, x2: Double, y2: Double, _ style: String) {
        elements.append(
            "<line x1=\"\(number(x1))\" y1=\"\(number(y1))\" x2=\"\(number(x2))\" y2=\"\(number(y2))\" "
                + "class=\"\(style)\"/>")
        reach(y2)
    }

    mutating func polyline(_ points: [(x: Double, y: Double)], _ style: String) {
        let text = points.map { number($0.x) + "," + number($0.y) }.joined(separator: " ")
        elements.append("<polyline points=\"\(text)\" class=\"\(style)\"/>")
        reach(points.map(\.y).max() ?? 0)
    }

    /// A picture of pixels, which stay squares.
    mutating func image(_ png: Data, x: Double, y: Double, width: Double, height: Double) {
        elements.append(
            "<image x=\"\(number(x))\" y=\"\(number(y))\" width=\"\(number(width))\" height=\"\(number(height))\" "
                + "preserveAspectRatio=\"none\" style=\"image-rendering: pixelated\" "
                + "href=\"data:image/png;base64,\(png.base64EncodedString())\"/>")
        reach(y + height)
    }

    mutating func text(_ text: String, x: Double, y: Double, _ style: String, anchor: Anchor = .start) {
        elements.append(
            "<text x=\"\(number(x))\" y=\"\(number(y))\" text-anchor=\"\(anchor.rawValue)\" class=\"\(style)\">"
                + "\(text.escapedForMarkup)</text>")
        reach(y + 4)
    }

    /// To be put into a page that brings the style along.
    func inline(title: String) -> String {
        "<svg viewBox=\"0 0 \(number(width)) \(number(height + 8))\" role=\"img\" "
            + "aria-label=\"\(title.escapedForMarkup)\">" + elements.joined(separator: "\n") + "</svg>"
    }

    /// A file of its own, with a margin to the left and right.
    func standalone(title: String, style: String = Style.chart, margin: Double = 0) -> String {
        let paper = width + 2 * margin
        return """
        <svg xmlns="http://www.w3.org/2000/svg" \
        viewBox="\(number(0 - margin)) 0 \(number(paper)) \(number(height + 16))" \
        width="\(number(paper))" height="\(number(height + 16))" role="img">
        <title>\(title.escapedForMarkup)</title>
        <style>
        \(style)
        </style>
        <rect x="\(number(0 - margin))" width="100%" height="100%" class="paper"/>
        \(elements.joined(separator: "\n"))
        </svg>

        """
    }

    private mutating func reach(_ y: Double) {
        height = max(height, y)
    }

    private func number(_ value: Double) -> String {
        String(format: "%.1f", value)
    }
}

extension String {
    var escapedForMarkup: String {
        replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
            .replacing("\"", with: "&quot;")
    }
}
