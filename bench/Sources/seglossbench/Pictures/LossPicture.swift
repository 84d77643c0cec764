/// Losses and their derivatives side by side, in one file.
struct LossPicture {
    struct Panel {
        var title: String
        var y: ClosedRange<Double>
    }

    /// Of the file, without its ending.
    var name: String
    var title: String
    /// What was computed.
    var note: String
    var xTitle: String
    var x: ClosedRange<Double>
    /// The loss, then each of the derivatives.
    var panels: [Panel]
    var curves: [(name: String, samples: [Sample])]

    var svg: String {
        var svg = SVG(width: 860)
        svg.text(title, x: 0, y: 24, "title")
        svg.text(note, x: 0, y: 43, "note")
        let top = drawKey(on: &svg, top: 66) + 22
        let width = (svg.width + 16) / Double(panels.count)
        for (index, panel) in panels.enumerated() {
            let chart = LineChart(
                title: panel.title, xTitle: xTitle, x: x, y: panel.y,
                curves: curves.map { curve in
                    curve.samples.map { .init(x: $0.x, y: index == 0 ? $0.loss : $0.slopes[index - 1]) }
                })
            chart.draw(on: &svg, left: width * Double(index), top: top, width: width - 16, height: 290)
        }
        return svg.standalone(title: title, style: Style.curves, margin: 16)
    }

    /// The names of the curves, in as many lines as they take. Gives back where the last one is.
    private func drawKey(on svg: inout SVG, top: Double) -> Double {
        var (x, y) = (0.0, top)
        for (index, curve) in curves.enumerated() {
            // The width of 12 pixels' type is not known here: a generous guess.
            let width = 34 + 6.6 * Double(curve.name.count) + 18
            if x + width > svg.width { (x, y) = (0, y + 20) }
            svg.polyline([(x, y - 4), (x + 26, y - 4)], LineChart.style(index))
            svg.text(curve.name, x: x + 34, y: y, "")
            x += width
        }
        return y
    }
}

extension Style {
    /// What a drawing of curves needs besides: told apart by colour, and by dashes for those who do not see it.
    static let curves = """
        \(chart)
        .curve { fill: none; stroke-width: 2; stroke-linejoin: round; }
        .c2 { stroke-dasharray: 7 3; } .c4 { stroke-dasharray: 2 3; } .c5 { stroke-dasharray: 9 3 2 3; }
        .c6 { stroke-dasharray: 12 4; }
        \(colours(["#2457d6", "#d9730d", "#12855a", "#8a3ffc", "#c0392b", "#0b7f93", "#5b6472"], zero: "#98a2b3"))
        @media (prefers-color-scheme: dark) {
        \(colours(["#6c9bff", "#f0a848", "#4fc994", "#c09bff", "#ff7b6b", "#4cc3d6", "#b4bdcb"], zero: "#667085"))
        }
        """

    private static func colours(_ strokes: [String], zero: String) -> String {
        (strokes.enumerated().map { ".c\($0.offset) { stroke: \($0.element); }" } + ["line.zero { stroke: \(zero); }"])
            .joined(separator: " ")
    }
}
