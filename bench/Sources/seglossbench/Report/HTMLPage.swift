/// bench/out/report.html: one page that needs nothing else.
struct HTMLPage {
    private let report: Report

    init(_ report: Report) {
        self.report = report
    }

    var text: String {
        """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <title>SegLoss bench</title>
        <style>
        \(Style.chart)
        \(Style.page)
        </style>
        </head>
        <body><main>
        <h1>SegLoss bench</h1>
        <p class="lead">Every kernel was compared with the scalar reference to the last bit before it was timed.</p>
        \(machine)
        \(fractions)
        \(speedUps)
        \(instructionSets)
        \(allRows)
        \(method)
        </main></body>
        </html>

        """
    }

    // MARK: - Sections

    private var machine: String {
        let machine = report.machine
        let limits = machine.limits.map { limit in
            fact(
                "Limit, \(limit.threads) \(limit.threads == 1 ? "thread" : "threads")",
                "non-temporal copy \(Format.digits(limit.copyNonTemporalGBps)) GB/s, "
                    + "read \(Format.digits(limit.readGBps)) GB/s")
        }
        let peers = report.peerVersions.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        return """
            <h2>Machine</h2>
            <div class="scroll facts"><table>
            \(fact("Processor", machine.cpu))
            \(fact("Threads", "\(machine.threads)"))
            \(fact("Best instruction set", machine.isa))
            \(limits.joined(separator: "\n"))
            \(peers.isEmpty ? "" : fact("Peers", peers.joined(separator: ", ")))
            </table></div>
            """
    }

    private func fact(_ name: String, _ value: String) -> String {
        "<tr><td>\(name.escapedForMarkup)</td><td class=\"left\">\(value.escapedForMarkup)</td></tr>"
    }

    private var fractions: String {
        let families = report.rows.map(\.family).firstOccurrences().map { family in
            let rows = chartRows(family)
            return "<h3>\(family.escapedForMarkup)</h3>\n"
                + svg(Charts.fractionOfLimit(rows, best: report.machine.isa), title: "Fraction of the limit: \(family)")
        }
        let oneThread = report.machine.threads > 1
            ? "<span class=\"key\" style=\"background:var(--second)\"></span>1 thread" : ""
        return """
            <h2>Fraction of the limit</h2>
            <p>Value and gradient in one call. The limit is the time in which a non-temporal copy moves the bytes that
            must move.<span class="key" style="background:var(--first)"></span>\(report.machine.threads) threads
            \(oneThread)</p>
            \(families.joined(separator: "\n"))
            """
    }

    /// Batches that are larger than the caches, where the limit is one; or, in a run without any, the largest.
    private func chartRows(_ family: String) -> [Report.Row] {
        let rows = report.rows.filter { $0.family == family }
        let large = rows.filter { $0.minimumBytes >= 32 << 20 }
        let titles = Set(large.map(\.title))
        return large.isEmpty ? rows : rows.filter { titles.contains($0.title) }
    }

    private var speedUps: String {
        guard report.rows.contains(where: { !$0.peers.isEmpty }) else { return "" }
        return """
            <h2>Against others</h2>
            <p>How many times longer they take for value and gradient of the same values, in the same run with the same
            number of threads. Logarithmic scale.</p>
            \(svg(Charts.speedUps(report.rows), title: "Speed-up over peers"))
            """
    }

    private var instructionSets: String {
        let chart = Charts.instructionSets(report.rows)
        guard !chart.groups.isEmpty else { return "" }
        return """
            <h2>Instruction sets</h2>
            <p>The same bits from each. Value and gradient, all threads.</p>
            \(svg(chart, title: "Voxels per second by instruction set"))
            """
    }

    private func svg(_ chart: BarChart, title: String) -> String {
        var svg = SVG(width: 860)
        chart.draw(on: &svg, top: 4)
        return svg.inline(title: title)
    }

    // MARK: - Table

    private var allRows: String {
        let kernels = report.rows.map(\.title).firstOccurrences().map { title in
            let rows = report.rows.filter { $0.title == title }
            return "<tr class=\"kernel\"><td colspan=\"11\">\(title.escapedForMarkup)</td></tr>\n"
                + rows.map(tableRow).joined(separator: "\n")
        }
        let heads = [
            "Pass", "Threads", "Set", "Median", "p10", "p90", "Gvoxel/s", "GB/s", "Of limit", "Over scalar",
            "Over peers",
        ]
        return """
            <h2>All rows</h2>
            <div class="scroll"><table>
            <tr>\(heads.map { "<th>\($0)</th>" }.joined())</tr>
            \(kernels.joined(separator: "\n"))
            </table></div>
            """
    }

    private func tableRow(_ row: Report.Row) -> String {
        let peers = row.peers.sorted { $0.value < $1.value }
            .map { "\($0.key) \(Format.ratio($0.value / row.medianSeconds))" }.joined(separator: ", ")
        let cells = [
            row.pass.rawValue, "\(row.threads)", row.isa, Format.time(row.medianSeconds), Format.time(row.p10Seconds),
            Format.time(row.p90Seconds), Format.digits(row.gigavoxelsPerSecond), Format.digits(row.gigabytesPerSecond),
            Format.percent(row.fractionOfLimit), Format.ratio(row.speedUpOverScalar), peers,
        ]
        let isHeadline = row.isHeadline && row.pass == .gradient && row.isa == report.machine.isa
            && row.threads == report.machine.threads
        return "<tr\(isHeadline ? " class=\"headline\"" : "")>"
            + cells.map { "<td>\($0.escapedForMarkup)</td>" }.joined() + "</tr>"
    }

    // MARK: - Method

    private var method: String {
        let items = report.notes.map { "<li>\($0.escapedForMarkup)</li>" }.joined()
        let notes = items.isEmpty ? "" : "<ul>\(items)</ul>"
        return """
            <h2>How it was measured</h2>
            <div class="notes">
            <p>GB/s count the bytes that must move: logits, labels and gradient once for each sweep that a loss needs,
            whatever the caches save. The limit of value and gradient is a copy with non-temporal stores (read plus
            written bytes), that of the value alone is reading, with the same number of threads. It is measured again
            and again between a kernel's runs, and a kernel's fraction is the median of those moments; batches
            that stay in the cache are held against the median of the whole run, and can be faster.</p>
            <p>Medians of at least 7 runs (3 where a run takes longer than half a second) after a warm-up. Batches of
            1 MiB or more are rotated through copies that leave the cache; smaller ones are timed in the cache. Nothing
            is allocated while the clock runs. At each size all instruction sets and thread counts gave the same
            bits.</p>
            <p>The scalar reference is timed with a batch of 97 x 131 pixels and scaled by the number of voxels. Peers
            are given targets in the type that they ask for; one-hot labels that they make themselves are theirs to pay;
            compilation is not counted.</p>
            \(notes)
            </div>
            """
    }
}
