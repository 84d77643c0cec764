internal import CLossKernels

// The options of Lovász terms, from Swift's names to C's.

extension closs_lovasz {
    init(_ options: Term.Lovasz, weights: ClassArray) {
        unsafe self.init()
        unsafe scope = options.scope.code
        unsafe present_only = options.presentOnly ? 1 : 0
        unsafe exclude_background = options.classes == .foreground ? 1 : 0
        unsafe class_weights = weights.values
        unsafe class_weights_count = weights.count
        guard case .only(let indices) = options.classes else { return }
        unsafe withUnsafeMutableBytes(of: &classes) { bytes in
            for index in indices { unsafe bytes[index / 8] |= 1 << UInt8(index % 8) }
        }
    }
}
