/// A type of logits (or probabilities) and of gradients: `Float`, `Float16` or ``BFloat16``.
///
/// The arithmetic is that of `Float`, whatever the type: an element is converted exactly when it is read and rounded
/// once, to nearest even, when it is written. A gradient beyond the type's range is an infinity of its sign (`Float16`:
/// from 65520 on), as in every conversion: choose ``Write/scale`` so that it is not.
///
/// A wrapper around one of these types may conform too, if its memory is that type's and nothing else.
public protocol Logit: BitwiseCopyable, Sendable {
    /// How the type lies in memory.
    static var logitFormat: LogitFormat { get }
}

/// How logits and gradients lie in memory.
public enum LogitFormat: Sendable, Hashable {
    /// As `Float`.
    case float
    /// As `Float16`, IEEE 754 binary16.
    case half
    /// As ``BFloat16``, the upper half of a `Float`.
    case bfloat
}

/// The upper half of a `Float`: its range, with 8 bits of precision. It holds numbers; it does not compute.
public struct BFloat16: Logit, Hashable {
    /// The upper 16 bits of the `Float`.
    public var bitPattern: UInt16

    /// The number with these bits.
    public init(bitPattern: UInt16) {
        self.bitPattern = bitPattern
    }

    /// The nearest number, of two equally near ones the even.
    public init(_ value: Float) {
        let bits = value.bitPattern
        let rounded = (bits &+ 0x7FFF &+ ((bits >> 16) & 1)) >> 16
        bitPattern = UInt16(truncatingIfNeeded: value.isNaN ? bits >> 16 | 0x40 : rounded)
    }

    /// ``LogitFormat/bfloat``.
    public static var logitFormat: LogitFormat { .bfloat }
}

extension Float {
    /// The same number.
    public init(_ value: BFloat16) {
        self.init(bitPattern: UInt32(value.bitPattern) << 16)
    }
}

extension Float: Logit {
    /// ``LogitFormat/float``.
    public static var logitFormat: LogitFormat { .float }
}

#if !(os(macOS) && arch(x86_64))
    extension Float16: Logit {
        /// ``LogitFormat/half``.
        public static var logitFormat: LogitFormat { .half }
    }
#endif
