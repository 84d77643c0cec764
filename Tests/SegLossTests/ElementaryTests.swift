import CKernelProbe
import Foundation
import SegLossReference
import Synchronization
import XCTest

/// The elementary functions of the kernels, on every instruction set: their errors (docs/arithmetic.md, 2), and that
/// the scalar mirror gives the same bits. With SEGLOSS_SLOW_TESTS=1 every float of each domain is looked at.
final class ElementaryTests: XCTestCase {
    // MARK: Errors

    func testExp() {
        check(
            "exp", from: -0.0, to: -87.25, bound: 0.892, truth: exp, kernel: { $0.exp_nonpositive },
            mirror: Elementary.expNonPositive
        ) { _, result in result <= 1 && result >= .leastNormalMagnitude }
    }

    func testLog1p() {
        check(
            "log1p", from: 0, to: 1, bound: 1.474, truth: log1p, kernel: { $0.log1p_unit },
            mirror: Elementary.log1pUnit
        ) { x, result in result.sign == .plus && (x >= 0x1p-24 || result == x) }
    }

    func testLog() {
        check(
            "log", from: .leastNormalMagnitude, to: .greatestFiniteMagnitude, bound: 1.136, truth: log,
            kernel: { $0.log_positive }, mirror: Elementary.logPositive, isMonotone: true
        ) { x, result in x == 1 ? result.bitPattern == 0 : result != 0 }
    }

    /// The error of a function over its domain: at most `bound` units in the last place of the exact result. Every
    /// instruction set gives the same bits, the mirror too, and every result satisfies `holds`.
    private func check(
        _ name: String, from start: Float, to end: Float, bound: Double,
        truth: @escaping @Sendable (Double) -> Double, kernel: @escaping @Sendable (probe_functions) -> Kernel?,
        mirror: @escaping @Sendable (Float) -> Float, isMonotone: Bool = false,
        file: StaticString = #filePath, line: UInt = #line,
        holds: @escaping @Sendable (Float, Float) -> Bool
    ) {
        let began = Date()
        let first = start.bitPattern
        let stride = UInt32(Self.isExhaustive ? 1 : 4093)  // a prime: every pattern of low bits is met
        let steps = (end.bitPattern - first) / stride
        let sets = Self.sets
        // The substitute for a fused multiply-add is slow: with all floats every eighth chunk goes through it.
        let slowEvery = Self.isExhaustive ? 8 : 1
        let advance = UInt32(Self.chunk - 1)  // chunks share a value, so that no step is missed
        let chunks = Int(steps / advance) + 1
        let worst = Mutex(Finding())
        DispatchQueue.concurrentPerform(iterations: 2) { worker in
            var finding = Finding()
            var x = [Float](repeating: 0, count: Self.chunk)
            var result = x
            var other = x
            for number in Swift.stride(from: worker, to: chunks, by: 2) {
                for i in x.indices {
                    let step = UInt32(number) * advance + UInt32(i)
                    x[i] = Float(bitPattern: step <= steps ? first + step * stride : end.bitPattern)
                }
                kernel(sets[0].functions)!(x, &result, x.count)
                for set in sets.dropFirst() where set.functions.has_fma != 0 || number % slowEvery == 0 {
                    kernel(set.functions)!(x, &other, x.count)
                    if !sameBits(result, other) { finding.note("\(set.name) differs near \(x[0])") }
                }
                let mirrorEvery = Self.isExhaustive ? 1009 : 1
                for i in Swift.stride(from: 0, to: x.count, by: mirrorEvery)
                where mirror(x[i]).bitPattern != result[i].bitPattern {
                    finding.note("the mirror gives \(mirror(x[i])) at \(x[i]), not \(result[i])")
                }
                for i in x.indices {
                    let error = ulps(result[i], truth(Double(x[i])))
                    if !(error <= finding.error) { finding.worst(error, at: x[i]) }
                    if !holds(x[i], result[i]) { finding.note("\(result[i]) at \(x[i])") }
                }
                if isMonotone {
                    for i in x.indices.dropFirst() where !(result[i] >= result[i - 1]) {
                        finding.note("not monotone at \(x[i])")
                    }
                }
            }
            worst.withLock { $0.merge(finding) }
        }
        let found = worst.withLock { $0 }
        print(
            "\(name): at most \(found.error) ULP, at \(found.at); \(steps + 1) values, "
                + "\(sets.map(\.name)), \(Date().timeIntervalSince(began)) s")
        XCTAssertTrue(found.error <= bound, "\(name): \(found.error) ULP at \(found.at)", file: file, line: line)
        XCTAssertTrue(
            found.error >= bound * (Self.isExhaustive ? 0.99 : 0.5), "the bound says too much; \(found.error)")
        XCTAssertEqual(found.notes, [], file: file, line: line)
    }

    // MARK: Special values

    func testExactValues() {
        for set in Self.sets {
            let f = set.functions
            XCTAssertEqual(apply(f.exp_nonpositive, [0, -0.0]), [1, 1], set.name)
            let lowest = apply(f.exp_nonpositive, [-87.25])[0] as Float
            XCTAssertTrue(lowest >= .leastNormalMagnitude, set.name)
            let below: [Float] = [
                Float(-87.25).nextDown, -88, -1000, -.greatestFiniteMagnitude, -.infinity, .nan, -.nan,
            ]
            for x in below {
                XCTAssertEqual(apply(f.exp_nonpositive, [x])[0], lowest, "\(set.name), \(x)")
            }
            XCTAssertEqual(apply(f.log1p_unit, [0])[0].bitPattern, 0 as UInt32, set.name)
            XCTAssertTrue(apply(f.log1p_unit, [.nan])[0].isNaN, set.name)
            XCTAssertEqual(apply(f.log_positive, [1])[0].bitPattern, 0 as UInt32, set.name)
            let smallest: Float = apply(f.log_positive, [.leastNormalMagnitude])[0]
            let greatest: Float = apply(f.log_positive, [.greatestFiniteMagnitude])[0]
            for x in [0, .leastNonzeroMagnitude, Float.leastNormalMagnitude.nextDown] {
                let result: Float = apply(f.log_positive, [x])[0]
                XCTAssertTrue(result.isFinite && result <= smallest, "\(set.name), log \(x) = \(result)")
            }
            for x in [.infinity, Float.nan] {
                let result: Float = apply(f.log_positive, [x])[0]
                XCTAssertTrue(result.isFinite && result >= greatest, "\(set.name), log \(x) = \(result)")
            }
        }
    }

    // MARK: Keys

    /// Keys are ordered like the values, the two zeros share one, and a key tells its value.
    func testKeys() {
        let seed = testSeed(401)
        var random = SplitMix64(seed: seed)
        var values: [Float] = [0, -0.0, 1, -1, .greatestFiniteMagnitude, -.greatestFiniteMagnitude]
        values += [.leastNonzeroMagnitude, -.leastNonzeroMagnitude, .leastNormalMagnitude, -.leastNormalMagnitude]
        while values.count < 4000 {
            let value = Float(bitPattern: UInt32(truncatingIfNeeded: random.next()))
            if value.isFinite { values += [value, -value, value.nextUp, value.nextDown] }
        }
        values = Array(values.prefix(4000).filter(\.isFinite).sorted())
        let expected = values.map { value -> UInt32 in
            let bits: UInt32 = value == 0 ? 0 : value.bitPattern
            return value < 0 ? ~bits : bits ^ 0x8000_0000
        }
        for set in Self.sets {
            let keys: [UInt32] = apply(set.functions.key_of, values)
            XCTAssertEqual(keys, expected, "\(set.name), seed \(seed)")
            for i in values.indices.dropFirst() where values[i - 1] < values[i] {
                XCTAssertTrue(keys[i - 1] < keys[i], "\(set.name), \(values[i - 1]) and \(values[i]), seed \(seed)")
            }
            XCTAssertEqual(apply(set.functions.value_of_key, keys), values, "\(set.name), seed \(seed)")
        }
    }

    // MARK: Fused multiply-add

    /// One rounding, with or without the instruction: subnormal results, ties, overflow, cancellation.
    func testFusedMultiplyAdd() {
        let seed = testSeed(402)
        var random = SplitMix64(seed: seed)
        var cases: [(Float, Float, Float)] = []
        func anyFloat() -> Float {
            while true {
                let value = Float(bitPattern: UInt32(truncatingIfNeeded: random.next()))
                if value.isFinite { return value }
            }
        }
        /// A float whose exponent is `exponent`, with few or many digits.
        func float(_ exponent: Int) -> Float {
            let digits = UInt32(truncatingIfNeeded: random.next()) & 0x7f_ffff
            let kept = random.chance(0.4) ? digits & ~0xfff : digits
            let significand = Float(bitPattern: 0x3f80_0000 | kept)
            return Float(sign: random.chance(0.5) ? .plus : .minus, exponent: exponent, significand: significand)
        }
        for _ in 0..<(Self.isExhaustive ? 4_000_000 : 40_000) {
            cases.append((anyFloat(), anyFloat(), anyFloat()))
            // Terms of nearby size, everywhere in the range.
            let product = random.below(290) - 160
            let split = random.below(120) - 60
            let a = float(min(max(product / 2 + split, -126), 127))
            let b = float(min(max(product / 2 - split, -126), 127))
            let distance = random.below(60) - 30
            cases.append((a, b, float(min(max(product + distance, -149), 127))))
            // What is left after cancellation; halfway between floats and just beside it.
            let negated = -(a * b)
            if negated.isFinite { cases += [(a, b, negated), (a, b, negated.nextUp), (a, b, negated / 2)] }
            let c = float(random.below(200) - 100)
            let half = c.ulp / 2
            for tiny in [Float(1), Float(1).nextUp, Float(1).nextDown] { cases.append((half, tiny, c)) }
            // Halfway but for (1 + t)(1 - t) = 1 - t t, which is more digits than a Double has.
            for power in [12, 17, 23] {
                let t = Float(sign: .plus, exponent: -power, significand: 1)
                cases += [(half * (1 + t), 1 - t, c), (half * (1 + t), t - 1, c)]
            }
            // Subnormal results.
            cases.append((float(-70 - random.below(10)), float(-60 - random.below(20)), float(-149 + random.below(24))))
            // Around the greatest float.
            cases.append((float(63), float(64), float(127)))
            cases.append((.greatestFiniteMagnitude, 1, float(102 + random.below(4))))
        }
        let (a, b, c) = (cases.map(\.0), cases.map(\.1), cases.map(\.2))
        let expected = cases.map { $0.2.addingProduct($0.0, $0.1) }
        XCTAssertTrue(expected.contains { $0.isSubnormal } && expected.contains { $0.isInfinite })
        let count = (cases.count + 63) / 64 * 64
        func padded(_ values: [Float]) -> [Float] { values + Array(repeating: 0, count: count - values.count) }
        for set in Self.sets {
            var result = [Float](repeating: 0, count: count)
            set.functions.fma(padded(a), padded(b), padded(c), &result, count)
            let wrong = expected.indices.first { result[$0].bitPattern != expected[$0].bitPattern }
            if let wrong {
                XCTFail(
                    "\(set.name): fma(\(a[wrong]), \(b[wrong]), \(c[wrong])) = \(result[wrong]), "
                        + "not \(expected[wrong]), seed \(seed)")
            }
        }
        #if arch(x86_64)
            XCTAssertEqual(Self.sets.last?.functions.has_fma, 0, "the substitute was not tried")
        #endif
    }

    /// The comparison notices a wrong bit.
    func testTheComparisonNotices() {
        XCTAssertEqual(ulps(1, 1), 0)
        XCTAssertEqual(ulps(Float(1).nextUp, 1), 1)
        XCTAssertEqual(ulps(Float(1).nextDown, 1), 0.5)
        XCTAssertFalse(ulps(.nan, 1) <= 1000)
        XCTAssertFalse(ulps(1, .nan) <= 1000)
        var finding = Finding()
        finding.worst(.nan, at: 3)
        finding.worst(1, at: 4)
        XCTAssertTrue(finding.error.isNaN)
        var merged = Finding()
        merged.worst(2, at: 1)
        merged.merge(finding)
        XCTAssertTrue(merged.error.isNaN)
    }

    // MARK: Help

    typealias Kernel = (UnsafePointer<Float>?, UnsafeMutablePointer<Float>?, Int) -> Void

    private struct NamedSet: @unchecked Sendable {
        let name: String
        let functions: probe_functions
    }

    /// The widest first, the generic one last.
    private static let sets: [NamedSet] = [
        ("avx512", PROBE_AVX512), ("avx2", PROBE_AVX2), ("generic", PROBE_GENERIC),
    ].compactMap { name, isa in probe_functions_of(isa).map { NamedSet(name: name, functions: $0.pointee) } }

    private static let isExhaustive = ProcessInfo.processInfo.environment["SEGLOSS_SLOW_TESTS"] != nil
    private static let chunk = 1 << 14

    /// A function over an array of any count.
    private func apply<X, Y>(
        _ function: ((UnsafePointer<X>?, UnsafeMutablePointer<Y>?, Int) -> Void)?, _ x: [X]
    ) -> [Y] {
        let count = (x.count + 63) / 64 * 64
        let padded = x + Array(repeating: x[0], count: count - x.count)
        return Array(
            unsafeUninitializedCapacity: count,
            initializingWith: { result, initialized in
                function!(padded, result.baseAddress, count)
                initialized = count
            }
        ).dropLast(count - x.count)
    }
}

/// What a sweep found.
private struct Finding {
    var error = 0.0
    var at: Float = 0
    var notes: [String] = []

    mutating func worst(_ error: Double, at x: Float) {
        guard !self.error.isNaN else { return }
        self.error = error
        at = x
    }

    mutating func note(_ what: String) {
        if notes.count < 5 { notes.append(what) }
    }

    mutating func merge(_ other: Finding) {
        if !(other.error <= error) { worst(other.error, at: other.at) }
        notes += other.notes
    }
}

/// How far a result is from the exact one, in units of the last place of the exact one.
private func ulps(_ result: Float, _ exact: Double) -> Double {
    // 2^(e - 23), e the exponent of the exact result and at least -126; the reciprocal by its bits.
    let exponent = max((exact.bitPattern >> 52) & 0x7ff, 1023 - 126)
    return abs(Double(result) - exact) * Double(bitPattern: (2046 + 23 - exponent) << 52)
}
