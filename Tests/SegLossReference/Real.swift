/// Logarithm, exponential and power in Double (docs/arithmetic.md, 2.4).
public enum Real {
    static let log2High = 0x1.62e42fefa38p-1
    static let log2Low = 0x1.ef35793c7673p-45
    public static let smallest = 0x1p-1022

    /// log((1 + s) / (1 - s))
    static func logOfRatio(_ s: Double) -> Double {
        let z = s * s
        var series = 0.0
        var k = 23.0
        while k >= 3 {
            series = (series + 1 / k) * z
            k -= 2
        }
        return 2 * s + 2 * s * series
    }

    public static func log(_ x: Double) -> Double {
        let bits = Int64(bitPattern: x.bitPattern)
        let exponent = (bits - 0x3fe6_a09e_667f_3bcd) >> 52
        let f = Double(bitPattern: UInt64(bitPattern: bits &- (exponent << 52))) - 1
        let e = Double(exponent)
        return e * log2High + (e * log2Low + logOfRatio(f / (2 + f)))
    }

    public static func exp(_ x: Double) -> Double {
        if !(x > -708) {
            return 0
        }
        let held = x > 709 ? 709 : x
        let magic = 0x1.8p+52
        let n = (held * 0x1.71547652b82fep+0 + magic) - magic
        let r = (held - n * log2High) - n * log2Low
        var sum = 1.0
        var k = 14.0
        while k >= 1 {
            sum = 1 + sum * (r / k)
            k -= 1
        }
        return sum * Double(bitPattern: UInt64(Int64(n) + 1023) << 52)
    }

    /// x to the power of y, of a positive x.
    public static func power(_ x: Double, _ y: Double) -> Double {
        exp(y * log(x))
    }

    /// log(cosh(x)) of an x that is not negative.
    public static func logCosh(_ x: Double) -> Double {
        if x >= 0.5 {
            return x + log((1 + exp(-2 * x)) / 2)
        }
        let h = x / 2
        let z = h * h
        var t = 1.0
        var k = 16.0
        while k >= 2 {
            t = 1 + t * (z / (k * (k + 1)))
            k -= 2
        }
        let sinh = h * t
        let u = 2 * (sinh * sinh)
        return logOfRatio(u / (2 + u))
    }
}
