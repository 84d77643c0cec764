/// A sum that is exact: an integer number of quanta (docs/arithmetic.md, 6).
///
/// Floats enter it through the tree of a block, after which the order no longer matters.
struct ExactTotal {
    /// Bits below the binary point: the quantum is 2 to the power of -fractionBits.
    let fractionBits: Int
    /// The sum in quanta.
    private(set) var units: Int128 = 0

    private let unitsInOne: Double

    /// What rounding to the quantum left, in steps of 2^-80; `nil`: that is not kept.
    private var rest: Int128?

    /// Voxels in a block, and lanes that it is folded into.
    static let blockSize = 64
    static let laneCount = 16

    /// A total of probabilities and targets.
    static var ofProbabilities: ExactTotal { ExactTotal(fractionBits: 48) }

    /// A total of losses or weights.
    static var ofLosses: ExactTotal { ExactTotal(fractionBits: 32) }

    /// A total of losses or weights that keeps what rounding leaves.
    static var ofLossesWithRest: ExactTotal {
        var total = ofLosses
        total.rest = 0
        return total
    }

    private init(fractionBits: Int) {
        self.fractionBits = fractionBits
        self.unitsInOne = Double(Int64(1) << Int64(fractionBits))
    }

    /// A float in quanta: the nearest integer, ties to even. Refuses what the library refuses, NaN included.
    func quanta(of value: Float) -> Int64 {
        precondition(value > -0x1p19 && value < 0x1p19, "a sum leaves the range in which totals are exact")
        return Int64((Double(value) * unitsInOne).rounded(.toNearestOrEven))
    }

    /// Adds one value by itself, without a block.
    mutating func add(_ value: Float) {
        units += Int128(quanta(of: value))
    }

    /// Adds a value `count` times: the value is rounded to the quantum first.
    mutating func add(_ value: Float, times count: Int) {
        units += Int128(quanta(of: value)) * Int128(count)
    }

    /// Adds a total with the same quantum.
    mutating func add(_ other: ExactTotal) {
        precondition(other.fractionBits == fractionBits)
        units += other.units
        if let rest, let more = other.rest { self.rest = rest + more }
    }

    /// Adds the values of one sample, `values[0]` being its first voxel's: each block of 64 is folded into 16 lanes,
    /// and each lane's sum is rounded to the quantum.
    mutating func addSample(_ values: [Float]) {
        var block = 0
        while block < values.count {
            var sum: Int64 = 0
            var lane = 0
            while lane < ExactTotal.laneCount {
                let first = block + lane
                // What the block lacks at the sample's end is +0.
                let v0 = first < values.count ? values[first] : 0
                let v16 = first + 16 < values.count ? values[first + 16] : 0
                let v32 = first + 32 < values.count ? values[first + 32] : 0
                let v48 = first + 48 < values.count ? values[first + 48] : 0
                let t = (v0 + v16) + (v32 + v48)
                sum += quanta(of: t)
                if let rest { self.rest = rest + Int128(restUnits(of: t)) }
                lane += 1
            }
            units += Int128(sum)
            block += ExactTotal.blockSize
        }
    }

    /// What rounding to the quantum leaves, exact in Double, rounded to 2^-80.
    private func restUnits(of value: Float) -> Int64 {
        let left = Double(value) - Double(quanta(of: value)) / unitsInOne
        return Int64((left * 0x1p80).rounded(.toNearestOrEven))
    }

    /// The nearest Double, ties to even; with a rest the sum of two.
    var value: Double {
        let value = ExactTotal.nearestDouble(units) / unitsInOne
        return rest.map { value + ExactTotal.nearestDouble($0) / 0x1p80 } ?? value
    }

    /// The Double nearest to an integer, ties to even, written out rather than left to a library.
    static func nearestDouble(_ integer: Int128) -> Double {
        let magnitude = integer.magnitude
        let excessBits = (128 - magnitude.leadingZeroBitCount) - 53
        var result: Double
        if excessBits <= 0 {
            result = Double(UInt64(magnitude))
        } else {
            var kept = UInt64(magnitude >> UInt128(excessBits))
            let lost = magnitude & ((UInt128(1) << UInt128(excessBits)) - 1)
            let half = UInt128(1) << UInt128(excessBits - 1)
            if lost > half || (lost == half && kept & 1 == 1) {
                kept += 1
            }
            result = Double(kept)
            for _ in 0..<excessBits {
                result *= 2
            }
        }
        if integer < 0 {
            result = -result
        }
        return result
    }
}
