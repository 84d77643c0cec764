import Foundation

/// Numbers for people.
enum Format {
    /// Seconds with a unit, three digits.
    static func time(_ seconds: Double) -> String {
        switch seconds {
        case 1...: digits(seconds) + " s"
        case 1e-3...: digits(seconds * 1e3) + " ms"
        case 1e-6...: digits(seconds * 1e6) + " us"
        default: digits(seconds * 1e9) + " ns"
        }
    }

    /// About three significant digits.
    static func digits(_ value: Double) -> String {
        switch abs(value) {
        case 100...: String(format: "%.0f", value)
        case 10...: String(format: "%.1f", value)
        case 0.1...: String(format: "%.2f", value)
        default: String(format: "%.3g", value)
        }
    }

    /// With no more digits than a round number needs.
    static func round(_ value: Double) -> String { String(format: "%g", value) }

    static func percent(_ fraction: Double) -> String { String(format: "%.0f %%", fraction * 100) }

    static func ratio(_ value: Double) -> String { digits(value) + "x" }
}
