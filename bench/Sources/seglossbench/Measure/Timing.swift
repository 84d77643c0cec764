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

    func measure(_ run: () throws -> Void) rethrows -> Timing {
        let clock = ContinuousClock()
        let warmUp = try clock.measure { try run() }.seconds
        if warmUp < longRun { try run() }
        let least = warmUp < longRun ? minimumRuns : minimumLongRuns
        var seconds: [Double] = []
        seconds.reserveCapacity(maximumRuns)
        let start = clock.now
        while seconds.count < least
            || (seconds.count < maximumRuns && (clock.now - start).seconds < budget)
        {
            let began = clock.now
            try run()
            seconds.append((clock.now - began).seconds)
        }
        return Timing(seconds)
    }
}

extension Duration {
    var seconds: Double {
        let (whole, attoseconds) = components
        return Double(whole) + Double(attoseconds) * 1e-18
    }
}
