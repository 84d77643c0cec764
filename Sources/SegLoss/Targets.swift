/// A type of label maps: `UInt8`, `UInt16`, `Int32`, `Int64` or `Int`.
///
/// A label is the index of a class, from 0 to the number of classes less one, or the ``Options/ignoreIndex``. With one
/// channel the labels are 0 (background) and 1; with several channels that are not a softmax, channel `c` has target 1
/// where the label is `c`. Labels are never one-hot.
///
/// A wrapper around one of these types may conform too, if its memory is that type's and nothing else.
public protocol Label: BitwiseCopyable, Sendable {
    /// How the type lies in memory.
    static var labelFormat: LabelFormat { get }
}

/// How labels lie in memory.
public enum LabelFormat: Sendable, Hashable {
    /// As `UInt8`.
    case uint8
    /// As `UInt16`.
    case uint16
    /// As `Int32`.
    case int32
    /// As `Int64`.
    case int64
}

/// A type of dense targets, one value for each channel and voxel: `UInt8` with 0 or 1, or `Float` in [0, 1].
///
/// Dense targets have the logits' layout. Those of ``Activation/softmax`` are the classes' probabilities: a cross
/// entropy or a focal loss of the classes asks that they add up to 1 within 0.001 at every valid voxel. A wrapper
/// around one of these types may conform too, if its memory is that type's and nothing else.
public protocol DenseTarget: BitwiseCopyable, Sendable {
    /// How the type lies in memory.
    static var denseFormat: DenseFormat { get }
}

/// How dense targets lie in memory.
public enum DenseFormat: Sendable, Hashable {
    /// As `UInt8`.
    case uint8
    /// As `Float`.
    case float
}

extension UInt8: Label, DenseTarget {
    /// ``LabelFormat/uint8``.
    public static var labelFormat: LabelFormat { .uint8 }
    /// ``DenseFormat/uint8``.
    public static var denseFormat: DenseFormat { .uint8 }
}

extension UInt16: Label {
    /// ``LabelFormat/uint16``.
    public static var labelFormat: LabelFormat { .uint16 }
}

extension Int32: Label {
    /// ``LabelFormat/int32``.
    public static var labelFormat: LabelFormat { .int32 }
}

extension Int64: Label {
    /// ``LabelFormat/int64``.
    public static var labelFormat: LabelFormat { .int64 }
}

extension Int: Label {
    /// ``LabelFormat/int64``, or ``LabelFormat/int32`` where `Int` has 32 bits.
    public static var labelFormat: LabelFormat { MemoryLayout<Int>.size == 8 ? .int64 : .int32 }
}

extension Float: DenseTarget {
    /// ``DenseFormat/float``.
    public static var denseFormat: DenseFormat { .float }
}

/// What the targets of a call are.
enum TargetFormat {
    case labels(LabelFormat)
    case dense(DenseFormat)

    /// Bytes of one target.
    var size: Int {
        switch self {
        case .labels(.uint8), .dense(.uint8): 1
        case .labels(.uint16): 2
        case .labels(.int32), .dense(.float): 4
        case .labels(.int64): 8
        }
    }
}
