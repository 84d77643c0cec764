/// Colours and type of the report and of the picture, light and dark.
enum Style {
    /// Written out in every rule of a drawing, for viewers of SVG that know no custom properties.
    private struct Palette {
        var paper, ink, muted, rule, wash, first, second, third, other, limit: String

        static let light = Palette(
            paper: "#ffffff", ink: "#1b2330", muted: "#667085", rule: "#e3e7ee", wash: "#f6f8fb", first: "#2457d6",
            second: "#9db8f2", third: "#d5dff6", other: "#e08a1e", limit: "#c0392b")
        static let dark = Palette(
            paper: "#12161d", ink: "#e6eaf1", muted: "#98a2b3", rule: "#2a313d", wash: "#191f29", first: "#6c9bff",
            second: "#38548f", third: "#26375c", other: "#f0a848", limit: "#ff7b6b")

        var chart: String {
            """
            text { fill: \(ink); } text.note, text.tick { fill: \(muted); } text.limit { fill: \(limit); }
            .paper { fill: \(paper); } .first { fill: \(first); } .second { fill: \(second); }
            .third { fill: \(third); } .other { fill: \(other); }
            line.grid { stroke: \(rule); } line.limit { stroke: \(limit); }
            """
        }

        var page: String {
            """
            :root { --paper: \(paper); --ink: \(ink); --muted: \(muted); --rule: \(rule); --wash: \(wash);
              --first: \(first); --second: \(second); }
            """
        }
    }

    /// What a drawing needs.
    static let chart = """
        text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; }
        text.title { font-size: 17px; font-weight: 650; }
        text.heading { font-size: 13px; font-weight: 600; }
        text.note, text.tick, text.limit { font-size: 11px; }
        line.limit { stroke-dasharray: 4 3; }
        \(Palette.light.chart)
        @media (prefers-color-scheme: dark) {
        \(Palette.dark.chart)
        }
        """

    /// What the page around the drawings needs.
    static let page = """
        \(Palette.light.page)
        @media (prefers-color-scheme: dark) {
        \(Palette.dark.page)
        }
        * { box-sizing: border-box; }
        body { margin: 0; background: var(--paper); color: var(--ink);
          font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
        main { max-width: 1080px; margin: 0 auto; padding: 40px 24px 80px; }
        h1 { font-size: 28px; margin: 0 0 4px; } h2 { font-size: 19px; margin: 44px 0 6px; }
        h3 { font-size: 15px; margin: 26px 0 4px; }
        p { max-width: 72ch; margin: 6px 0 14px; } .lead, .notes { color: var(--muted); }
        svg { width: 100%; max-width: 860px; height: auto; display: block; }
        .scroll { overflow-x: auto; border: 1px solid var(--rule); border-radius: 8px; }
        table { border-collapse: collapse; width: 100%; font-size: 13px; font-variant-numeric: tabular-nums; }
        th, td { padding: 5px 10px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--rule); }
        th { font-weight: 600; background: var(--wash); color: var(--muted); }
        th:first-child, td:first-child, td.left { text-align: left; }
        tr:last-child td { border-bottom: 0; } tr.headline td { font-weight: 600; }
        tr.kernel td { background: var(--wash); font-weight: 600; }
        .facts { width: fit-content; max-width: 100%; } .facts td:first-child { color: var(--muted); }
        .key { display: inline-block; width: 11px; height: 11px; border-radius: 2px; margin: 0 5px 0 12px; }
        """
}
