/// `exp`, `log1p` and `log` as the C kernels compute them, one value at a time.
///
/// Every function is the expression tree of its namesake in `Sources/CLossKernels/kernels/elementary.h`: the results
/// agree bit for bit. The stated errors are the greatest over every `Float` of the domain, in units of the last place
/// of the exact result. The coefficients come from `docs/coefficients/generate.py`.
public enum Elementary {
    /// e^x for x in [-87.25, 0], with an error below 0.892 ULP.
    ///
    /// Exactly 1 at either zero, never above 1, never subnormal; almost monotone (see the kernel). Values below -87.25,
    /// minus infinity and NaN give the value at -87.25. Above zero the result is unspecified.
    public static func expNonPositive(_ x: Float) -> Float {
        // A NaN takes the limit, as in the kernels.
        let x = x > expLowest ? x : expLowest
        let z = roundingMagic.addingProduct(x, log2E)
        let n = z - roundingMagic
        var r = x.addingProduct(n, -ln2High)
        r = r.addingProduct(n, -ln2Low)
        var q = expC5.addingProduct(expC6, r)
        q = expC4.addingProduct(q, r)
        q = expC3.addingProduct(q, r)
        q = expC2.addingProduct(q, r)
        q = expC1.addingProduct(q, r)
        let power = Float(1).addingProduct(q, r)
        // The magic number's own bits leave the word in the shift: n alone reaches the exponent field.
        return Float(bitPattern: power.bitPattern &+ (z.bitPattern << 23))
    }

    /// log(1 + x) for x in [0, 1], with an error below 1.474 ULP.
    ///
    /// Zero gives zero, x below 2^-24 gives x, no result is negative; almost monotone (see the kernel). Outside the
    /// domain NaN gives NaN, and everything else is unspecified.
    public static func log1pUnit(_ x: Float) -> Float {
        var q = log1pC8.addingProduct(log1pC9, x)
        q = log1pC7.addingProduct(q, x)
        q = log1pC6.addingProduct(q, x)
        q = log1pC5.addingProduct(q, x)
        q = log1pC4.addingProduct(q, x)
        q = log1pC3.addingProduct(q, x)
        q = log1pC2.addingProduct(q, x)
        let correction = log1pNoUnderflow.addingProduct(q, x)
        return x.addingProduct(correction, x)
    }

    /// log(x) for every positive normal x, with an error below 1.136 ULP; +0 at 1. Monotone.
    ///
    /// Outside the domain the result is always finite and otherwise unspecified: zeros and subnormals give no more
    /// than the smallest normal does, infinity and positive NaNs no less than the greatest.
    public static func logPositive(_ x: Float) -> Float {
        let (exponent, fraction) = logParts(x)
        return fraction.addingProduct(exponent, ln2High)
    }

    /// The parts of log(x): `exponent` times ln 2, and the rest.
    static func logParts(_ x: Float) -> (exponent: Float, fraction: Float) {
        // x = 2^exponent * m with m in [sqrt(1/2), sqrt(2)): f = m - 1 is exact.
        let bits = x.bitPattern
        let offset = bits &- sqrtHalfBits
        let f = Float(bitPattern: bits &- (offset & exponentAndSign)) - 1
        let shifted = (Int32(bitPattern: offset) >> 23) &+ roundingMagicBits
        let exponent = Float(bitPattern: UInt32(bitPattern: shifted)) - roundingMagic
        var q = logC8.addingProduct(logC9, f)
        q = logC7.addingProduct(q, f)
        q = logC6.addingProduct(q, f)
        q = logC5.addingProduct(q, f)
        q = logC4.addingProduct(q, f)
        q = logC3.addingProduct(q, f)
        q = logC2.addingProduct(q, f)
        return (exponent, f.addingProduct(f * f, q))
    }

    private static let roundingMagic: Float = 0x1.8p+23
    private static let roundingMagicBits: Int32 = 0x4b40_0000

    private static let log2E: Float = 0x1.715476p+0
    private static let ln2High: Float = 0x1.62e43p-1
    private static let ln2Low: Float = -0x1.05c61p-29

    private static let expLowest: Float = -87.25

    private static let expC1: Float = 0x1p+0
    private static let expC2: Float = 0x1.fffffcp-2
    private static let expC3: Float = 0x1.555494p-3
    private static let expC4: Float = 0x1.5558bep-5
    private static let expC5: Float = 0x1.123856p-7
    private static let expC6: Float = 0x1.6a3d0ep-10

    private static let log1pC2: Float = -0x1.fffef2p-2
    private static let log1pC3: Float = 0x1.55329ap-2
    private static let log1pC4: Float = -0x1.fcdc98p-3
    private static let log1pC5: Float = 0x1.8769f6p-3
    private static let log1pC6: Float = -0x1.17d81ap-3
    private static let log1pC7: Float = 0x1.40137ap-4
    private static let log1pC8: Float = -0x1.e1e63cp-6
    private static let log1pC9: Float = 0x1.54e716p-8

    private static let log1pNoUnderflow: Float = -0x1p-100

    private static let logC2: Float = -0x1.fffffap-2
    private static let logC3: Float = 0x1.5556fp-2
    private static let logC4: Float = -0x1.0004a8p-2
    private static let logC5: Float = 0x1.98d3ap-3
    private static let logC6: Float = -0x1.535c2ap-3
    private static let logC7: Float = 0x1.317ca8p-3
    private static let logC8: Float = -0x1.2505acp-3
    private static let logC9: Float = 0x1.65f0fp-4

    private static let sqrtHalfBits: UInt32 = 0x3f35_04f3
    private static let exponentAndSign: UInt32 = 0xff80_0000
}
