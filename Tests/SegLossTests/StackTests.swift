import CKernelProbe
import SegLoss
import XCTest

/// What the header promises of the stack: threads with less of it than the usual 8 MiB are common.
final class StackTests: XCTestCase {
    private static let least = 128 << 10, ofClass = 3 << 10, generic = 320 << 10
    private static let ofViews = 64 << 10, ofViewedClass = 1 << 10
    /// What Swift takes between the thread's start and the call into C.
    private static let facade = 8 << 10

    private static let losses: [(name: String, loss: Loss, measuresDistances: Bool)] = [
        ("Dice + cross entropy", .dice() + .crossEntropy(), false),
        ("squared Dice", .dice(denominator: .squared), false),
        ("Dice + BCE", .dice() + .binaryCrossEntropy(), false),
        ("focal by its factors", .focal(divisor: .factors()), false),
        ("OHEM", .onlineHardExampleMining(), false),
        ("top-k", .topK(percent: 10), false),
        ("balanced BCE", .balancedBinaryCrossEntropy(), false),
        ("Lovász softmax", .lovaszSoftmax(), false),
        ("Lovász hinge", .lovaszHinge(), false),
        ("boundary", .boundary() + .dice(), true),
        ("Hausdorff", .hausdorff() + .dice(), true),
    ]

    func testStack() throws {
        guard probe_heap_is_watched() != 0 else { throw XCTSkip("sanitizers have larger frames") }
        var measured = 0
        for set in InstructionSet.allCases where set.isAvailable {
            for activation in [Activation.softmax, .sigmoid, .probabilities] {
                for classes in [1, 2, 19, 512] where classes > 1 || activation != .softmax {
                    for (name, loss, measuresDistances) in Self.losses {
                        let options = Options(threads: 1, instructionSet: set)
                        let shape = Shape.planar(samples: 1, classes: classes, height: 9, width: 20)
                        guard
                            let evaluator = try? Evaluator(loss, shape: shape, activation: activation, options: options)
                        else { continue }
                        let hasClasses = activation == .softmax || measuresDistances
                        let most =
                            Self.least + (hasClasses ? Self.ofClass * classes : 0)
                            + (set == .generic ? Self.generic : 0)
                        let what = "\(name), \(activation), \(classes) classes, \(set)"
                        let contiguous = try stack(evaluator, .contiguous) { $0 }
                        XCTAssertGreaterThan(contiguous, 1000, what)
                        XCTAssertLessThanOrEqual(contiguous, most + Self.facade, what)
                        let viewed = try stack(evaluator, .channelsLast(shape)) { $0 }
                        let half = try stack(evaluator, .contiguous) { BFloat16($0) }
                        XCTAssertLessThanOrEqual(
                            max(viewed, half), most + Self.ofViews + Self.ofViewedClass * classes + Self.facade,
                            "\(what): \(viewed) with views, \(half) of bfloat16")
                        measured += 1
                    }
                }
            }
        }
        XCTAssertGreaterThan(measured, 60)
    }

    private func stack<Z: Logit>(_ evaluator: Evaluator, _ layout: Layout, _ logit: (Float) -> Z) throws -> Int {
        let count = evaluator.shape.samples * evaluator.shape.classes * evaluator.shape.voxels
        let call = CallOf<Z>(
            evaluator: evaluator, layout: layout, logits: (0..<count).map { logit(Float($0 % 7) / 8) },
            labels: (0..<evaluator.shape.voxels).map { UInt8($0 % min(evaluator.shape.classes, 200)) })
        let used = probe_stack_used(
            { context in Unmanaged<Call>.fromOpaque(context!).takeUnretainedValue().run() },
            Unmanaged.passUnretained(call as Call).toOpaque())
        if let error = call.error { throw error }
        return used
    }

    private class Call {
        fileprivate(set) var error: (any Error)?

        func run() {}
    }

    private final class CallOf<Z: Logit>: Call {
        private var evaluator: Evaluator
        private let layout: Layout
        private let logits: [Z]
        private let labels: [UInt8]
        private var gradient: [Z]

        init(evaluator: Evaluator, layout: Layout, logits: [Z], labels: [UInt8]) {
            (self.evaluator, self.layout, self.logits, self.labels) = (evaluator, layout, logits, labels)
            gradient = logits
        }

        override func run() {
            let (logits, labels) = (logits, labels)
            var gradient = gradient
            do {
                var span = gradient.mutableSpan
                _ = try evaluator.evaluate(
                    logits: logits.span, labels: labels.span, layout: layout, gradient: &span)
            } catch {
                self.error = error
            }
        }
    }
}
