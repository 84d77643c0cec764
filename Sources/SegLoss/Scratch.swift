// Memory for the calls into C.

#if canImport(Darwin)
    internal import Darwin
#elseif canImport(Musl)
    internal import Musl
#elseif canImport(Bionic)
    internal import Bionic
#else
    internal import Glibc
#endif

/// Zeros that calls write to. Whoever makes an array that there is no memory for ends the program, so the system is
/// asked first.
func makeScratch(bytes: Int) throws(LossError) -> [UInt8] {
    guard systemHas(bytes) else {
        throw LossError(
            kind: .outOfMemory,
            message: "calls need \(bytes) bytes of scratch memory, which the system does not have; "
                + "expected fewer voxels, classes or samples")
    }
    return Array(repeating: 0, count: bytes)
}

private func systemHas(_ bytes: Int) -> Bool {
    guard bytes > 0 else { return true }
    let pages = unsafe mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0)
    guard unsafe pages != MAP_FAILED else { return false }
    unsafe munmap(pages, bytes)
    return true
}
