/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers in every run and on every machine.
struct Seeded {
    private var state: UInt64

    init(_ seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    /// 0 up to, not including, 1.
    mutating func unit() -> Double {
        Double(next() >> 11) * 0x1p-53
    }

    mutating func integer(below bound: Int) -> Int {
        Int(unit() * Double(bound))
    }

    /// Close to normal, mean 0, standard deviation 1: the sum of four 16-bit uniforms out of one draw.
    mutating func noise() -> Float {
        let bits = next()
        let sum = (bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48)
        return (Float(sum) - 131_070) * 2.642_88e-5  // sqrt(12 / 4) / 65536
    }
}
