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

/// Zeros that calls write to.
func makeScratch(bytes: Int) throws(LossError) -> [UInt8] {
    try checkMemory(bytes: bytes)
    return Array(repeating: 0, count: bytes)
}

/// Whoever makes an array that there is no memory for ends the program, so the system is asked first. What it grants
/// and then does not have is beyond that.
func checkMemory(bytes: Int) throws(LossError) {
    if systemGrants(bytes) { return }
    throw LossError(
        kind: .outOfMemory,
        message: "calls need \(UInt(bitPattern: bytes)) bytes of scratch memory, which the system does not have; "
            + "expected fewer voxels, classes or samples")
}

private func systemGrants(_ bytes: Int) -> Bool {
    if bytes == 0 { return true }
    // C's sizes are without a sign.
    guard bytes > 0 else { return false }
    let pages = unsafe mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0)
    guard unsafe pages != MAP_FAILED else { return false }
    unsafe munmap(pages, bytes)
    return true
}
