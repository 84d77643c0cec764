import Foundation

/// Horizontal bars in groups, on a linear or a logarithmic scale.
struct BarChart {
    struct Bar {
        var value: Double
        /// Behind the bar.
        var text: String
        /// Before the bar, in charts whose bars have names of their own.
        var name = ""
        var style: String
    }

    struct Group {
        var title: String
        var detail = ""
        var bars: [Bar]
    }

    enum Scale { case linear, logarithmic }

    var groups: [Group]
    var scale: Scale
    /// Where the dashed line stands, and what it says.
    var mark: (value: Double, text: String)?
    var tickText: (Double) -> String

    private let labelWidth = 330.0
    private let textWidth = 130.0
    private let barHeight = 13.0
    private let barGap = 3.0
    private let groupGap = 11.0

    init(
        _ groups: [Group], scale: Scale, mark: (value: Double, text: String)? = nil,
        tickText: @escaping (Double) -> String
    ) {
        self.groups = groups
        self.scale = scale
        self.mark = mark
        self.tickText = tickText
    }

    /// Draws below `top`.
    func draw(on svg: inout SVG, top: Double) {
        let firstBar = top + 24
        let bottom = firstBar + groups.reduce(0) { $0 + height(of: $1) }
        drawAxis(on: &svg, top: top + 12, bottom: bottom)
        var y = firstBar
        for group in groups {
            draw(group, on: &svg, y: y)
            y += height(of: group)
        }
    }

    // MARK: - Scale

    private var greatest: Double { max(groups.flatMap(\.bars).map(\.value).max() ?? 1, mark?.value ?? 0) }

    /// The values at the left and at the right end.
    private var domain: (low: Double, high: Double) {
        switch scale {
        case .linear:
            return (0, greatest * 1.02)
        case .logarithmic:
            let least = min(groups.flatMap(\.bars).map(\.value).min() ?? 1, 1)
            return (pow(10, floor(log10(least))), pow(10, ceil(log10(max(greatest, 10)))))
        }
    }

    private func x(_ value: Double, on svg: SVG) -> Double {
        let (low, high) = domain
        let room = svg.width - labelWidth - textWidth
        switch scale {
        case .linear: return labelWidth + room * (value - low) / (high - low)
        case .logarithmic: return labelWidth + room * (log10(value) - log10(low)) / (log10(high) - log10(low))
        }
    }

    private var ticks: [Double] {
        let (low, high) = domain
        switch scale {
        case .linear:
            let step = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100].first { high / $0 <= 7 } ?? high
            return Array(stride(from: 0, through: high, by: step))
        case .logarithmic:
            let exponents = stride(from: log10(low).rounded(), through: log10(high).rounded(), by: 1)
            return exponents.map { pow(10, $0) }
        }
    }

    // MARK: - Drawing

    private func height(of group: Group) -> Double {
        max(Double(group.bars.count) * (barHeight + barGap), group.detail.isEmpty ? 16 : 28) + groupGap
    }

    private func drawAxis(on svg: inout SVG, top: Double, bottom: Double) {
        for tick in ticks {
            let x = x(tick, on: svg)
            svg.line(x1: x, y1: top, x2: x, y2: bottom - groupGap / 2, "grid")
            svg.text(tickText(tick), x: x, y: bottom + 8, "tick", anchor: .middle)
        }
        if let mark {
            let x = x(mark.value, on: svg)
            svg.line(x1: x, y1: top, x2: x, y2: bottom - groupGap / 2, "limit")
            svg.text(mark.text, x: x, y: top - 3, "limit", anchor: .middle)
        }
    }

    private func draw(_ group: Group, on svg: inout SVG, y: Double) {
        let hasNames = group.bars.contains { !$0.name.isEmpty }
        svg.text(group.title, x: 0, y: y + 11, "")
        if !group.detail.isEmpty { svg.text(group.detail, x: 0, y: y + 26, "note") }
        let origin = x(scale == .linear ? 0 : 1, on: svg)
        for (index, bar) in group.bars.enumerated() {
            let barY = y + Double(index) * (barHeight + barGap)
            let end = x(bar.value, on: svg)
            if hasNames { svg.text(bar.name, x: labelWidth - 8, y: barY + 10.5, "note", anchor: .end) }
            svg.rectangle(x: min(origin, end), y: barY, width: abs(end - origin), height: barHeight, bar.style)
            svg.text(bar.text, x: max(origin, end) + 6, y: barY + 10.5, "note")
        }
    }
}
