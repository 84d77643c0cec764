import SegLoss
import SegLossReference
import XCTest

/// Buffers that lie in another way, or are of another type, give the bits of contiguous floats: random layouts, crops,
/// element types, parts, and ways to write, against the scalar reference.
final class LayoutTests: XCTestCase {
    private static let rounds = ParityTests.rounds

    func testRandomLayoutsOfFloats() throws { try random(201, Float.self, Float.self) }
    func testRandomLayoutsOfHalves() throws { try random(202, Float16.self, Float16.self) }
    func testRandomLayoutsOfBFloats() throws { try random(203, BFloat16.self, BFloat16.self) }
    func testGradientsOfAnotherType() throws {
        try random(204, Float16.self, Float.self)
        try random(205, Float.self, BFloat16.self)
    }

    private func random<Z: TestLogit, G: TestLogit>(_ standard: UInt64, _: Z.Type, _: G.Type) throws {
        let seed = testSeed(standard)
        var generator = Generator(seed: seed)
        generator.takesRankings = true
        generator.takesDistances = true
        for round in 0..<Self.rounds {
            var problem = generator.anything()
            problem.logits = problem.logits.map { Z.rounded($0).float }
            let expected = Reference.evaluate(problem)
            let message = "round \(round), seed \(seed)"
            for set in InstructionSet.available {
                let call = LayoutCall<Z, G>(problem, set, &generator.random)
                try call.check(expected, message)
            }
        }
    }

    /// Every pair of types of logits and gradient, of few, several and very many classes.
    func testPairsOfTypes() throws {
        try pair(Float.self, Float16.self)
        try pair(Float.self, BFloat16.self)
        try pair(Float16.self, Float.self)
        try pair(Float16.self, Float16.self)
        try pair(Float16.self, BFloat16.self)
        try pair(BFloat16.self, Float.self)
        try pair(BFloat16.self, Float16.self)
        try pair(BFloat16.self, BFloat16.self)
    }

    private func pair<Z: TestLogit, G: TestLogit>(_: Z.Type, _: G.Type) throws {
        let seed = testSeed(208)
        var generator = Generator(seed: seed)
        for classes in [3, 5, 11, 48] {
            let dice = generator.dice(classes), entropy = generator.crossEntropy(classes)
            for kinds in [[dice], [entropy], [dice, entropy]] {
                var problem = generator.problem(
                    .softmax, samples: 1, classes: classes, voxels: 300,
                    terms: kinds.map { SegLossReference.Term($0) })
                problem.logits = problem.logits.map { Z.rounded($0).float }
                let expected = Reference.evaluate(problem)
                for set in InstructionSet.available {
                    let message = "\(classes) classes, \(Z.self), \(G.self), seed \(seed)"
                    try LayoutCall<Z, G>(problem, set, classByClass: 1).check(expected, message)
                    try LayoutCall<Z, G>(problem, set, classesLast: 1).check(expected, message + ", classes last")
                }
            }
        }
    }

    /// Sizes and class counts with transpositions of their own, in the layouts that networks have.
    func testClassesLast() throws {
        let seed = testSeed(206)
        var generator = Generator(seed: seed)
        for classes in [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 16, 17, 40, 512] {
            for activation in Problem.Activation.allCases where activation != .softmax || classes > 1 {
                let kinds: [SegLossReference.Term.Kind] =
                    activation == .softmax
                    ? [generator.dice(classes), generator.crossEntropy(classes)]
                    : [generator.dice(classes), generator.binaryCrossEntropy(classes, activation)]
                let problem = generator.problem(
                    activation, samples: 2, classes: classes, voxels: classes > 100 ? 130 : 1000,
                    terms: kinds.map { SegLossReference.Term($0) })
                var rounded = problem
                rounded.logits = problem.logits.map { Float16.rounded($0).float }
                let expected = Reference.evaluate(problem)
                let expectedRounded = Reference.evaluate(rounded)
                for set in InstructionSet.available {
                    try LayoutCall<Float, Float>(problem, set, classesLast: 1).check(expected, "\(classes), \(seed)")
                    try LayoutCall<Float16, Float16>(rounded, set, classesLast: 3)
                        .check(expectedRounded, "\(classes), \(seed)")
                }
            }
        }
    }

    /// Gradients that are large enough to be written past the caches, with classes last: as planar ones. Where cache
    /// lines begin inside an element's neighbours too.
    func testStreamedClassesLast() throws {
        for offset in [0, 1] {
            try streamed(2, Float16.self, offset)
            try streamed(3, Float.self, offset)
            try streamed(3, BFloat16.self, offset)
            try streamed(4, Float.self, offset)
            try streamed(4, Float16.self, offset)
            try streamed(6, Float.self, offset)
            try streamed(9, BFloat16.self, offset)
            try streamed(13, Float.self, offset)
        }
    }

    private func streamed<Z: TestLogit>(_ classes: Int, _: Z.Type, _ offset: Int) throws {
        let seed = testSeed(209)
        var random = SplitMix64(seed: seed)
        let voxels = (4 << 20) / (classes * MemoryLayout<Z>.stride) + 1037
        let labels = (0..<voxels).map { UInt8($0 / 100 % classes) }
        let few = (0..<257).map { _ in Z.rounded(Float(random.next() % 1000) * 0.01 - 5) }
        let planar = Lines<Z>(classes * voxels), last = Lines<Z>(classes * voxels)
        for channel in 0..<classes {
            for voxel in 0..<voxels {
                let logit = few[(channel * 31 + voxel * 7) % few.count]
                planar[channel * voxels + voxel] = logit
                last[voxel * classes + channel] = logit
            }
        }
        let shape = Shape.flat(samples: 1, classes: classes, voxels: voxels)
        for set in InstructionSet.available where set != .generic {
            var evaluator = try Evaluator(
                .dice() + .crossEntropy(), shape: shape, activation: .softmax, options: Options(instructionSet: set))
            let expected = Lines<Z>(classes * voxels), actual = Lines<Z>(classes * voxels, offset: offset)
            var expectedSpan = expected.elements.mutableSpan
            let value = try evaluator.evaluate(
                logits: planar.elements.span, labels: labels.span, layout: .contiguous, gradient: &expectedSpan)
            var actualSpan = actual.elements.mutableSpan
            let sameValue = try evaluator.evaluate(
                logits: last.elements.span, labels: labels.span, layout: .channelsLast(shape), gradient: &actualSpan)
            XCTAssertEqual(value.value.bitPattern, sameValue.value.bitPattern)
            var differing = 0
            for channel in 0..<classes {
                for voxel in 0..<voxels {
                    let bits = expected[channel * voxels + voxel].float.bitPattern
                    if actual[voxel * classes + channel].float.bitPattern != bits { differing += 1 }
                }
            }
            XCTAssertEqual(differing, 0, "\(classes) classes, \(Z.self), \(set), offset \(offset), seed \(seed)")
        }
    }

    /// Every half and bfloat16, by way of a gradient that is added to.
    func testEveryElement() throws {
        for set in InstructionSet.available {
            try everyElement(set) { Float16(bitPattern: $0) }
            try everyElement(set) { BFloat16(bitPattern: $0) }
        }
    }

    private func everyElement<Z: TestLogit>(_ set: InstructionSet, _ element: (UInt16) -> Z) throws {
        var evaluator = try Evaluator(
            .binaryCrossEntropy(), shape: .flat(samples: 1, classes: 1, voxels: 1 << 16), activation: .sigmoid,
            options: Options(instructionSet: set))
        let labels = [UInt8](repeating: 0, count: 1 << 16)
        let logits = [Float](repeating: 0, count: 1 << 16)
        // A gradient of zeros is added: every element must come back as it was, a NaN as some NaN.
        var old = (0..<1 << 16).map { element(UInt16($0)) }
        var span = old.mutableSpan
        _ = try evaluator.evaluate(
            logits: logits.span, labels: labels.span, layout: .contiguous, gradient: &span, write: .add(scale: 0))
        for bits in 0..<1 << 16 {
            let before = element(UInt16(bits)), after = old[bits]
            let same = before.float.isNaN ? after.float.isNaN : after.float == before.float
            XCTAssertTrue(same, "\(Z.self) \(bits), \(set): \(after.float), not \(before.float)")
        }
    }

    /// Floats of all magnitudes are rounded to nearest even, ties and the range's ends too.
    func testRounding() throws {
        let seed = testSeed(207)
        var random = SplitMix64(seed: seed)
        // exp(-x) of a probability's gradient is not at hand: sums with a zero gradient round whatever is there.
        var values: [Float] = [65504, 65519.996, 65520, 65536, 1e30, 0x1p-24, 0x1p-25, 0x1.000002p-25, 0x1p-26, 0x1p-14, -0.0]
        for _ in 0..<(1 << 16) - values.count {
            values.append(Float(bitPattern: UInt32(truncatingIfNeeded: random.next())))
        }
        for at in values.indices where !values[at].isFinite { values[at] = 1 }
        // dL/dp of -log(1 - p) is 1 where p is 0: the scale and a weight map make it any float.
        let weights = values.map { abs($0) }
        let logits = [Float](repeating: 0, count: values.count)
        let labels = [UInt8](repeating: 0, count: values.count)
        for set in InstructionSet.available {
            try rounding(weights, logits, labels, set, Float16.self)
            try rounding(weights, logits, labels, set, BFloat16.self)
        }
    }

    private func rounding<Z: TestLogit>(
        _ weights: [Float], _ logits: [Float], _ labels: [UInt8], _ set: InstructionSet, _: Z.Type
    ) throws {
        // The gradient is weight / 2, of weights whose losses stay in the exact range; larger ones by the scale.
        let small = weights.map { $0 < 1e4 ? $0 : $0.significand }
        for scale: Float in [2, 0x1p-20, 0x1p17, 0x1p120] {
            var evaluator = try Evaluator(
                .binaryCrossEntropy(divisor: .constant(1)),
                shape: .flat(samples: 1, classes: 1, voxels: weights.count), activation: .sigmoid,
                options: Options(instructionSet: set))
            var exact = [Float](repeating: .nan, count: weights.count)
            var rounded = [Z](repeating: Z.rounded(.nan), count: weights.count)
            var exactSpan = exact.mutableSpan
            _ = try evaluator.evaluate(
                logits: logits.span, labels: labels.span, weights: small.span, gradient: &exactSpan,
                write: .overwrite(scale: scale))
            var roundedSpan = rounded.mutableSpan
            _ = try evaluator.evaluate(
                logits: logits.span, labels: labels.span, weights: small.span, layout: .contiguous,
                gradient: &roundedSpan, write: .overwrite(scale: scale))
            for at in exact.indices {
                XCTAssertTrue(
                    rounded[at].float.bitPattern == Z.rounded(exact[at]).float.bitPattern,
                    "\(Z.self), \(set): \(exact[at]) became \(rounded[at].float)")
            }
        }
    }
}

/// Elements in memory that begins so many of them behind a cache line's beginning.
private final class Lines<Element: BitwiseCopyable> {
    private let memory: UnsafeMutableRawPointer
    let elements: UnsafeMutableBufferPointer<Element>

    init(_ count: Int, offset: Int = 0) {
        let bytes = (count + offset) * MemoryLayout<Element>.stride
        memory = .allocate(byteCount: bytes, alignment: 64)
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
        let start = memory.bindMemory(to: Element.self, capacity: count + offset) + offset
        elements = UnsafeMutableBufferPointer(start: start, count: count)
    }

    deinit {
        memory.deallocate()
    }

    subscript(index: Int) -> Element {
        get { elements[index] }
        set { elements[index] = newValue }
    }
}

// MARK: - Element types

/// A type of logits that tests can convert, by other code than the library's.
protocol TestLogit: Logit {
    static func rounded(_ value: Float) -> Self
    var float: Float { get }
}

extension Float: TestLogit {
    static func rounded(_ value: Float) -> Float { value }
    var float: Float { self }
}

extension Float16: TestLogit {
    static func rounded(_ value: Float) -> Float16 { Float16(value) }
    var float: Float { Float(self) }
}

extension BFloat16: TestLogit {
    /// By the two neighbors in Double, not by bits.
    static func rounded(_ value: Float) -> BFloat16 {
        guard value.isFinite else { return BFloat16(bitPattern: UInt16(value.bitPattern >> 16) | (value.isNaN ? 64 : 0)) }
        let below = UInt16(value.bitPattern >> 16)
        let low = Double(Float(bitPattern: UInt32(below) << 16))
        let exponent = below & 0x7F80
        // The next one up in magnitude; beyond the largest it stands for 2^128.
        let high =
            exponent == 0x7F80 - 0x80 && below & 0x7F == 0x7F
            ? (value < 0 ? -0x1p128 : 0x1p128) : Double(Float(bitPattern: UInt32(below + 1) << 16))
        let middle = (low + high) / 2
        let up = abs(Double(value)) > abs(middle) || (Double(value) == middle && below & 1 == 1)
        return BFloat16(bitPattern: up ? below + 1 : below)
    }
    var float: Float { Float(self) }
}

// MARK: - Calls

/// A problem in buffers that lie somehow, between others' elements.
private final class LayoutCall<Z: TestLogit, G: TestLogit> {
    let problem: Problem
    let shape: Shape
    var options = Options()
    var layout = Layout()
    var write = Write.overwrite
    var inPlace = false
    var parts: [Part]?
    let old: [Float]
    var large: LayoutBox, gradientBox: LayoutBox, target: LayoutBox, mask: LayoutBox, weights: LayoutBox, maps: LayoutBox

    /// Strides of a buffer, where it begins, and how long it is.
    struct LayoutBox {
        var view = View.contiguous
        var first = 0
        var count = 0
        /// Of an element.
        var place: (_ sample: Int, _ channel: Int, _ voxel: Int) -> Int = { _, _, _ in 0 }
    }

    init(_ problem: Problem, _ set: InstructionSet, _ random: inout SplitMix64) {
        self.problem = problem
        let measures = problem.terms.contains(where: \.measures)
        let extents = measures ? problem.extents : Self.extents(problem.voxels, &random)
        shape = Shape(samples: problem.samples, classes: problem.classes, extents: extents)
        options.instructionSet = set
        options.ignoreIndex = problem.ignoreIndex
        options.threads = 1 + random.below(2)
        options.checks = random.element(of: [.beforeWriting, .whileWriting])
        let wide = problem.classes
        large = Self.box(shape, wide, &random)
        inPlace = Z.self == G.self && random.chance(0.25)
        gradientBox = inPlace ? large : Self.box(shape, wide, &random)
        var targetClasses = 1
        if case .dense = problem.target { targetClasses = wide }
        target = Self.box(shape, targetClasses, &random)
        mask = Self.box(shape, 1, &random)
        weights = Self.box(shape, 1, &random)
        maps = Self.box(shape, wide, &random)
        let scale = random.element(of: [Float(1), 1, 0.25, -3])
        write = inPlace || random.chance(0.6) ? .overwrite(scale: scale) : .add(scale: scale)
        old = problem.logits.map { _ in G.rounded(random.normal()).float }
        let wholeSamples = measures || problem.terms.contains(where: \.selects)
        // In views a part's buffers are those of its whole samples: cut between voxels, never between samples.
        if random.chance(0.3) && !wholeSamples && problem.voxels > 64 {
            let cut = 64 * (1 + random.below((problem.voxels - 1) / 64))
            parts = [Part(voxels: 0..<cut), Part(voxels: cut..<problem.voxels)]
            for path in [\LayoutCall.large, \.gradientBox, \.target, \.mask, \.weights, \.maps]
            where self[keyPath: path].view == .contiguous {
                let rows = path == \.large || path == \.gradientBox || path == \.maps ? wide : path == \.target ? targetClasses : 1
                self[keyPath: path] = Self.planar(shape, rows)
            }
        }
        setLayout()
    }

    init(_ problem: Problem, _ set: InstructionSet, classesLast threads: Int) {
        self.problem = problem
        shape = Shape(samples: problem.samples, classes: problem.classes, extents: problem.terms.contains(where: \.measures) ? problem.extents : [problem.voxels])
        options.instructionSet = set
        options.ignoreIndex = problem.ignoreIndex
        options.threads = threads
        large = LayoutBox(view: .channelsLast(shape), first: 1, count: problem.logits.count) {
            [v = problem.voxels, c = problem.classes] in ($0 * v + $2) * c + $1
        }
        gradientBox = large
        var targetClasses = 1
        if case .dense = problem.target { targetClasses = problem.classes }
        target = Self.planar(shape, targetClasses)
        mask = Self.planar(shape, 1)
        weights = Self.planar(shape, 1)
        maps = Self.planar(shape, problem.classes)
        old = problem.logits.map { _ in 0 }
        setLayout()
    }

    convenience init(_ problem: Problem, _ set: InstructionSet, classByClass threads: Int) {
        self.init(problem, set, classesLast: threads)
        large = Self.planar(shape, problem.classes)
        gradientBox = large
        setLayout()
    }

    private func setLayout() {
        layout = Layout(
            logits: large.view, targets: target.view, mask: mask.view, weights: weights.view,
            maps: maps.view, gradient: gradientBox.view)
    }

    private static func extents(_ voxels: Int, _ random: inout SplitMix64) -> [Int] {
        let divisors = (1...voxels).filter { voxels % $0 == 0 }
        let columns = random.element(of: divisors), rest = voxels / columns
        let rows = random.element(of: divisors.filter { rest % $0 == 0 && $0 <= rest })
        return [rest / rows, rows, columns]
    }

    private static func planar(_ shape: Shape, _ classes: Int) -> LayoutBox {
        let voxels = shape.voxels
        let view = View(
            sample: classes * voxels, channel: voxels, plane: voxels / shape.extents[0],
            row: shape.extents.last!, column: 1)
        return LayoutBox(view: view, first: 0, count: shape.samples * classes * voxels) {
            ($0 * classes + $1) * voxels + $2
        }
    }

    /// Some order of the directions, each a little longer than those inside it need.
    private static func box(_ shape: Shape, _ classes: Int, _ random: inout SplitMix64) -> LayoutBox {
        let (planes, rows, columns) = (shape.extents[0], shape.extents[1], shape.extents[2])
        let extents = [shape.samples, classes, planes, rows, columns]
        if random.chance(0.2) {
            var box = planar(shape, classes)
            box.view = .contiguous
            return box
        }
        let orders = [[0, 1, 2, 3, 4], [0, 2, 3, 4, 1], [0, 2, 3, 1, 4], [1, 0, 2, 3, 4], [0, 1, 4, 3, 2]]
        let order = random.element(of: orders), loose = random.chance(0.5)
        var strides = [0, 0, 0, 0, 0]
        var next = loose && random.chance(0.3) ? 2 : 1
        for direction in order.reversed() {
            strides[direction] = next
            next = next * extents[direction] + (loose ? random.below(3) : 0)
        }
        let view = View(
            sample: strides[0], channel: strides[1], plane: strides[2], row: strides[3], column: strides[4])
        let last = zip(extents, strides).reduce(0) { $0 + ($1.0 - 1) * $1.1 }
        return LayoutBox(view: view, first: random.below(4), count: last + 1) { sample, channel, voxel in
            view.place(
                sample: sample, channel: channel, plane: voxel / (rows * columns), row: voxel / columns % rows,
                column: voxel % columns)
        }
    }

    // MARK: Buffers

    private func fill<Source, Element>(
        _ values: [Source], _ classes: Int, _ box: LayoutBox, _ filler: Element, _ convert: (Source) -> Element
    ) -> [Element] {
        var buffer = [Element](repeating: filler, count: box.first + box.count + 2)
        for (i, value) in values.enumerated() {
            let voxel = i % problem.voxels, row = i / problem.voxels
            buffer[box.first + box.place(row / classes, row % classes, voxel)] = convert(value)
        }
        return buffer
    }

    private func span<Element>(_ buffer: borrowing [Element], _ box: LayoutBox) -> Range<Int> {
        box.first..<box.first + box.count
    }

    func check(_ expected: Outcome, _ message: String) throws {
        let logits = fill(problem.logits, problem.classes, large, Z.rounded(.nan)) { Z.rounded($0) }
        // What is added to lies around the gradient too, and must stay.
        let gradient = fill(old, problem.classes, gradientBox, G.rounded(-77.25)) { G.rounded($0) }
        let mask = problem.mask.map { fill($0, 1, self.mask, 0xEE) { $0 } }
        let weights = problem.weights.map { fill($0, 1, self.weights, -.infinity) { $0 } }
        let maps = problem.maps.map { fill($0, problem.classes, self.maps, .nan) { $0 } }
        var scaled = expected
        if write.scale != 1 { scaled = Reference.evaluate(problem, scale: write.scale) }
        var expectedGradient = scaled.gradient
        if write.mode == .add { for i in old.indices { expectedGradient[i] = old[i] + expectedGradient[i] } }
        let result: (value: Double, gradient: [G], before: [G])
        switch problem.target {
        case .labels(let labels) where problem.classes > 255 || problem.voxels % 2 == 0:
            let labels = fill(labels, 1, target, 0xEEEE) { UInt16($0) }
            result = try run(logits, labels, AsLayoutLabels<UInt16>.self, mask, weights, maps, gradient)
        case .labels(let labels):
            let labels = fill(labels, 1, target, 0xEE) { UInt8($0) }
            result = try run(logits, labels, AsLayoutLabels<UInt8>.self, mask, weights, maps, gradient)
        case .dense(let values, byte: true):
            let targets = fill(values, problem.classes, target, 0xEE) { UInt8($0) }
            result = try run(logits, targets, AsLayoutDense<UInt8>.self, mask, weights, maps, gradient)
        case .dense(let values, byte: false):
            let targets = fill(values, problem.classes, target, -9) { $0 }
            result = try run(logits, targets, AsLayoutDense<Float>.self, mask, weights, maps, gradient)
        }
        let what = "\(message); \(problem.activation), \(Z.self) to \(G.self), \(layout), \(options), \(problem.terms)"
        XCTAssertEqual(result.value.bitPattern, expected.value.bitPattern, what)
        var written = [Bool](repeating: false, count: result.gradient.count)
        for i in old.indices {
            let voxel = i % problem.voxels, row = i / problem.voxels
            let at = gradientBox.first + gradientBox.place(row / problem.classes, row % problem.classes, voxel)
            written[at] = true
            let want = G.rounded(expectedGradient[i]).float, got = result.gradient[at].float
            if want.bitPattern != got.bitPattern {
                return XCTFail("gradient[\(i)] is \(got), not \(want) of \(expectedGradient[i]), \(write); \(what)")
            }
        }
        for at in written.indices where !written[at] {
            if result.gradient[at].float.bitPattern != result.before[at].float.bitPattern {
                return XCTFail("element \(at) between the gradient's was written; \(what)")
            }
        }
    }

    private func run<F: LayoutFunctions>(
        _ logits: [Z], _ targets: [F.Target], _: F.Type, _ mask: [UInt8]?, _ weights: [Float]?, _ maps: [Float]?, _ gradient: [G]
    ) throws -> (value: Double, gradient: [G], before: [G]) {
        var evaluator = try Evaluator(
            Library.loss(problem.terms), shape: shape,
            activation: problem.activation == .softmax
                ? .softmax : problem.activation == .sigmoid ? .sigmoid : .probabilities,
            options: options)
        let targets = targets, large = large, gradientBox = gradientBox
        let inputs = LayoutInputs(
            targets: targets, target: span(targets, target), mask: mask,
            masks: self.mask.first..<self.mask.first + self.mask.count, weights: weights,
            weighted: self.weights.first..<self.weights.first + self.weights.count, maps: maps,
            mapped: self.maps.first..<self.maps.first + self.maps.count, layout: layout)
        if inPlace {
            var both = logits
            let value = try both.withUnsafeMutableBufferPointer { buffer in
                var span = UnsafeMutableBufferPointer(rebasing: buffer[large.first..<large.first + large.count]).mutableSpan
                return try F.evaluateInPlace(&evaluator, &span, inputs, write.scale)
            }
            return (value, both as! [G], logits as! [G])
        }
        var output = gradient
        let input = large.first..<large.first + large.count
        let value = try output.withUnsafeMutableBufferPointer { buffer in
            var span = UnsafeMutableBufferPointer(
                rebasing: buffer[gradientBox.first..<gradientBox.first + gradientBox.count]
            ).mutableSpan
            guard let parts else { return try F.evaluate(&evaluator, logits, input, inputs, &span, write) }
            var totals = evaluator.makeTotals()
            for part in parts { try F.accumulate(&evaluator, logits, input, inputs, part, &totals) }
            let finished = try evaluator.finish(totals)
            for part in parts {
                try F.gradient(&evaluator, logits, input, inputs, part, finished.coefficients, &span, write)
            }
            return finished.evaluation.value
        }
        return (value, output, gradient)
    }
}

/// All inputs but the logits.
private struct LayoutInputs<Target> {
    let targets: [Target]
    let target: Range<Int>
    let mask: [UInt8]?
    let masks: Range<Int>
    let weights: [Float]?
    let weighted: Range<Int>
    let maps: [Float]?
    let mapped: Range<Int>
    let layout: Layout
}

private protocol LayoutFunctions<Target> {
    associatedtype Target: BitwiseCopyable
    static func evaluate<Z: Logit, G: Logit>(
        _ e: inout Evaluator, _ z: [Z], _ r: Range<Int>, _ i: LayoutInputs<Target>, _ g: inout MutableSpan<G>,
        _ w: Write) throws -> Double
    static func evaluateInPlace<Z: Logit>(
        _ e: inout Evaluator, _ z: inout MutableSpan<Z>, _ i: LayoutInputs<Target>, _ scale: Float) throws -> Double
    static func accumulate<Z: Logit>(
        _ e: inout Evaluator, _ z: [Z], _ r: Range<Int>, _ i: LayoutInputs<Target>, _ p: Part, _ t: inout Totals) throws
    static func gradient<Z: Logit, G: Logit>(
        _ e: inout Evaluator, _ z: [Z], _ r: Range<Int>, _ i: LayoutInputs<Target>, _ p: Part, _ c: Coefficients,
        _ g: inout MutableSpan<G>, _ w: Write) throws
}

private enum AsLayoutLabels<Target: Label>: LayoutFunctions {
    static func evaluate<Z: Logit, G: Logit>(
        _ e: inout Evaluator, _ z: [Z], _ r: Range<Int>, _ i: LayoutInputs<Target>, _ g: inout MutableSpan<G>,
        _ w: Write
    ) throws -> Double {
        try e.evaluate(
            logits: z.span.extracting(r), labels: i.targets.span.extracting(i.target),
            mask: i.mask?.span.extracting(i.masks), weights: i.weights?.span.extracting(i.weighted),
            maps: i.maps?.span.extracting(i.mapped), layout: i.layout, gradient: &g, write: w
        ).value
    }
    static func evaluateInPlace<Z: Logit>(
        _ e: inout Evaluator, _ z: inout MutableSpan<Z>, _ i: LayoutInputs<Target>, _ scale: Float
    ) throws -> Double {
        try e.evaluateInPlace(
            logits: &z, labels: i.targets.span.extracting(i.target),
            mask: i.mask?.span.extracting(i.masks), weights: i.weights?.span.extracting(i.weighted),
            maps: i.maps?.span.extracting(i.mapped), layout: i.layout, scale: scale
        ).value
    }
    static func accumulate<Z: Logit>(
        _ e: inout Evaluator, _ z: [Z], _ r: Range<Int>, _ i: LayoutInputs<Target>, _ p: Part, _ t: inout Totals
    ) throws {
        try e.accumulate(
            logits: z.span.extracting(r), labels: i.targets.span.extracting(i.target),
            mask: i.mask?.span.extracting(i.masks), weights: i.weights?.span.extracting(i.weighted),
            maps: i.maps?.span.extracting(i.mapped), layout: i.layout, part: p, into: &t)
    }
    static func gradient<Z: Logit, G: Logit>(
        _ e: inout Evaluator, _ z: [Z], _ r: Range<Int>, _ i: LayoutInputs<Target>, _ p: Part, _ c: Coefficients,
        _ g: inout MutableSpan<G>, _ w: Write
    ) throws {
        try e.gradient(
            logits: z.span.extracting(r), labels: i.targets.span.extracting(i.target),
            mask: i.mask?.span.extracting(i.masks), weights: i.weights?.span.extracting(i.weighted),
            maps: i.maps?.span.extracting(i.mapped), layout: i.layout, part: p, coefficients: c, into: &g, write: w)
    }
}

private enum AsLayoutDense<Target: DenseTarget>: LayoutFunctions {
    static func evaluate<Z: Logit, G: Logit>(
        _ e: inout Evaluator, _ z: [Z], _ r: Range<Int>, _ i: LayoutInputs<Target>, _ g: inout MutableSpan<G>,
        _ w: Write
    ) throws -> Double {
        try e.evaluate(
            logits: z.span.extracting(r), targets: i.targets.span.extracting(i.target),
            mask: i.mask?.span.extracting(i.masks), weights: i.weights?.span.extracting(i.weighted),
            maps: i.maps?.span.extracting(i.mapped), layout: i.layout, gradient: &g, write: w
        ).value
    }
    static func evaluateInPlace<Z: Logit>(
        _ e: inout Evaluator, _ z: inout MutableSpan<Z>, _ i: LayoutInputs<Target>, _ scale: Float
    ) throws -> Double {
        try e.evaluateInPlace(
            logits: &z, targets: i.targets.span.extracting(i.target),
            mask: i.mask?.span.extracting(i.masks), weights: i.weights?.span.extracting(i.weighted),
            maps: i.maps?.span.extracting(i.mapped), layout: i.layout, scale: scale
        ).value
    }
    static func accumulate<Z: Logit>(
        _ e: inout Evaluator, _ z: [Z], _ r: Range<Int>, _ i: LayoutInputs<Target>, _ p: Part, _ t: inout Totals
    ) throws {
        try e.accumulate(
            logits: z.span.extracting(r), targets: i.targets.span.extracting(i.target),
            mask: i.mask?.span.extracting(i.masks), weights: i.weights?.span.extracting(i.weighted),
            maps: i.maps?.span.extracting(i.mapped), layout: i.layout, part: p, into: &t)
    }
    static func gradient<Z: Logit, G: Logit>(
        _ e: inout Evaluator, _ z: [Z], _ r: Range<Int>, _ i: LayoutInputs<Target>, _ p: Part, _ c: Coefficients,
        _ g: inout MutableSpan<G>, _ w: Write
    ) throws {
        try e.gradient(
            logits: z.span.extracting(r), targets: i.targets.span.extracting(i.target),
            mask: i.mask?.span.extracting(i.masks), weights: i.weights?.span.extracting(i.weighted),
            maps: i.maps?.span.extracting(i.mapped), layout: i.layout, part: p, coefficients: c, into: &g, write: w)
    }
}
