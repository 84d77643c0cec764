/// The charts of the report, each from its rows.
enum Charts {
    /// The fraction of the limit of value and gradient, with all threads and with one.
    static func fractionOfLimit(_ rows: [Report.Row], best isa: String) -> BarChart {
        let shown = rows.filter { $0.pass == .gradient && $0.isa == isa }
        let groups = shown.map(\.title).firstOccurrences().map { title in
            let bars = shown.filter { $0.title == title }.enumerated().map { index, row in
                BarChart.Bar(
                    value: row.fractionOfLimit,
                    text: "\(Format.percent(row.fractionOfLimit)), \(Format.time(row.medianSeconds))",
                    style: index == 0 ? "first" : "second")
            }
            let row = shown.first { $0.title == title }!
            return BarChart.Group(title: row.name, detail: row.shape, bars: bars)
        }
        return BarChart(groups, scale: .linear, mark: (1, "limit"), tickText: Format.percent)
    }

    /// How many times longer others take.
    static func speedUps(_ rows: [Report.Row]) -> BarChart {
        let groups = rows.filter { !$0.peers.isEmpty }.map { row in
            let bars = row.peers.sorted { $0.value > $1.value }.map { peer, seconds in
                BarChart.Bar(
                    value: seconds / row.medianSeconds,
                    text: "\(Format.ratio(seconds / row.medianSeconds)), \(Format.time(seconds))", name: peer,
                    style: "other")
            }
            return BarChart.Group(
                title: row.name, detail: "\(row.shape), here \(Format.time(row.medianSeconds))", bars: bars)
        }
        return BarChart(groups, scale: .logarithmic, mark: (1, "SegLoss")) { Format.round($0) + "x" }
    }

    /// Voxels per second with each instruction set.
    static func instructionSets(_ rows: [Report.Row]) -> BarChart {
        let styles = ["first", "second", "third"]
        let shown = rows.filter { $0.pass == .gradient }
        let groups = shown.map(\.title).firstOccurrences().compactMap { title -> BarChart.Group? in
            let all = shown.filter { $0.title == title }
            let threads = all.map(\.threads).max()
            let bars = all.filter { $0.threads == threads }.enumerated().map { index, row in
                BarChart.Bar(
                    value: row.gigavoxelsPerSecond, text: "\(Format.digits(row.gigavoxelsPerSecond)) Gvoxel/s",
                    name: row.isa, style: styles[min(index, 2)])
            }
            return bars.count > 1 ? BarChart.Group(title: all[0].name, detail: all[0].shape, bars: bars) : nil
        }
        return BarChart(groups, scale: .linear, tickText: Format.round)
    }
}

/// The headline results in one picture, for the documentation.
struct HeadlinePicture {
    let svg: String

    init(_ report: Report) {
        let title = "Segmentation losses against the memory's limit and against others"
        let headlines = report.rows.filter { $0.isHeadline && $0.pass == .gradient && $0.isa == report.machine.isa }
        let rows = headlines.isEmpty ? report.rows : headlines
        var picture = SVG(width: 860)
        picture.text("Value and gradient of a loss", x: 0, y: 24, "title")
        picture.text(Self.machine(report.machine), x: 0, y: 43, "note")
        picture.text("Fraction of the limit, all threads", x: 0, y: 76, "heading")
        let allThreads = rows.filter { $0.threads == report.machine.threads }
        Charts.fractionOfLimit(allThreads, best: report.machine.isa).draw(on: &picture, top: 82)
        if rows.contains(where: { !$0.peers.isEmpty }) {
            let top = picture.height + 34
            picture.text("How many times longer others take for the same work", x: 0, y: top, "heading")
            Charts.speedUps(allThreads).draw(on: &picture, top: top + 6)
        }
        svg = picture.standalone(title: title)
    }

    private static func machine(_ machine: Report.MachineInfo) -> String {
        "\(machine.cpu), \(machine.threads) threads, \(machine.isa). Limit: non-temporal copy at "
            + "\(Format.digits(machine.copyNonTemporalGBps)) GB/s."
    }
}
