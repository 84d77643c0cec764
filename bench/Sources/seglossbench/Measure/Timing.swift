/// Seconds of many runs.
struct Timing {
    let median: Double
    /// The 10th and the 90th percentile.
    let p10: Double
    let p90: Double
    let runs: Int

    /// How far the middle 80 % of the runs lie apart, in parts of the median.
    var spread: Double { (p90 - p10) / median }

    init(_ seconds: [Double]) {
        let sorted = seconds.sorted()
        func percentile(_ p: Double) -> Double { sorted[Int((p * Double(sorted.count - 1)).rounded())] }
        (median, p10, p90, runs) = (percentile(0.5), percentile(0.1), percentile(0.9), sorted.count)
    }
}

/// Seconds of many runs, and what the memory could have done meanwhile.
struct TimingBesideMemory {
    let timing: Timing
    /// Bytes per second.
    let limit: Double
    /// Bytes that the memory could have moved in the time of a run.
    let movableBytes: Double

    /// Of runs in the cache: the limit is not of their moment.
    init(_ timing: Timing, limit: Double) {
        (self.timing, self.limit, movableBytes) = (timing, limit, timing.median * limit)
    }

    /// Of slices of runs, each with the limit beside it.
    init(_ slices: [(seconds: [Double], limit: Double)]) {
        timing = Timing(slices.flatMap(\.seconds))
        limit = slices.map(\.limit).median
        movableBytes = slices.map { $0.seconds.median * $0.limit }.median
    }
}

extension [Double] {
    var median: Double { sorted()[count / 2] }
}

/// How long to go on measuring.
struct TimingEffort {
    /// Seconds for each row, once the least number of runs is done.
    var budget: Double
    var minimumRuns = 7
    var maximumRuns = 5000
    /// Runs longer than this (the generic instruction set's, on x86-64) are not repeated more than is needed for a
    /// median.
    var longRun = 0.5
    var minimumLongRuns = 3
    /// Seconds between two looks at the memory's limit.
    var longestSlice = 0.2

    func measure(_ run: () throws -> Void) rethrows -> Timing {
        let least = try warmUp(run)
        return Timing(try seconds(of: run, least: least, budget: budget))
    }

    /// In slices, with the memory's limit measured before and after each.
    func measure(
        _ run: () throws -> Void, besideLimit limit: () throws -> Double
    ) rethrows -> TimingBesideMemory {
        let least = try warmUp(run)
        let clock = ContinuousClock()
        let start = clock.now
        var slices: [(seconds: [Double], limit: Double)] = []
        var before = try limit()
        while slices.count < least || (slices.count < maximumRuns && (clock.now - start).seconds < budget) {
            let seconds = try seconds(of: run, least: 1, budget: min(budget / Double(minimumRuns), longestSlice))
            let after = try limit()
            slices.append((seconds, (before + after) / 2))
            before = after
        }
        return TimingBesideMemory(slices)
    }

    /// Gives back how many runs, or slices, are wanted at least.
    private func warmUp(_ run: () throws -> Void) rethrows -> Int {
        let isLong = try ContinuousClock().measure { try run() }.seconds >= longRun
        if !isLong { try run() }
        return isLong ? minimumLongRuns : minimumRuns
    }

    private func seconds(of run: () throws -> Void, least: Int, budget: Double) rethrows -> [Double] {
        let clock = ContinuousClock()
        let start = clock.now
        var seconds: [Double] = []
        while seconds.count < least || (seconds.count < maximumRuns && (clock.now - start).seconds < budget) {
            let began = clock.now
            try run()
            seconds.append((clock.now - began).seconds)
        }
        return seconds
    }
}

extension Duration {
    var seconds: Double {
        let (whole, attoseconds) = components
        return Double(whole) + Double(attoseconds) * 1e-18
    }
}
