import SegLoss
import SegLossReference
import XCTest

/// What presets are told of a plan must be so: a loss of another plan would quietly be another loss.
final class PresetDemandTests: XCTestCase {
    private func plan(_ loss: Loss, _ activation: Activation, samples: Int = 2, classes: Int = 3) throws(LossError) {
        _ = try Evaluator(
            loss, shape: .flat(samples: samples, classes: classes, voxels: 9), activation: activation)
    }

    /// Refused in planning, for this reason; and so inside a sum.
    private func refused(
        _ loss: Loss, _ activation: Activation, samples: Int = 2, classes: Int = 3, _ kind: LossError.Kind,
        _ message: String, line: UInt = #line
    ) {
        for sum in [loss, 2 * (.dice() + loss)] {
            XCTAssertThrowsError(
                try plan(sum, activation, samples: samples, classes: classes), message, line: line
            ) { error in
                XCTAssertEqual((error as? LossError)?.kind, kind, line: line)
                XCTAssertEqual("\(error)", message, line: line)
            }
        }
    }

    func testActivations() throws {
        let ofChannels: [(String, Loss)] = [
            ("torchvision.sigmoidFocal", .torchvision.sigmoidFocal()),
            ("fvcore.sigmoidFocal", .fvcore.sigmoidFocal()),
            ("kornia.binaryFocal", .kornia.binaryFocal()),
            ("keras.binaryFocalCrossentropy", .keras.binaryFocalCrossentropy()),
            ("mmSegmentation.focal", .mmSegmentation.focal()),
            ("mmSegmentation.focal", .mmSegmentation.focal(alpha: [0.5, 0.25, 0.75])),
            ("sam2.focal", .sam2.mask(masks: 2, objects: 2)),
            ("smp.focal", .smp.focal(normalized: true, classes: 3)),
        ]
        for (name, loss) in ofChannels {
            let message = "Loss.\(name) is for sigmoid or probabilities; the activation is softmax"
            refused(loss, .softmax, .badTerm, message)
            try plan(loss, .sigmoid)
            try plan(loss, .probabilities)
        }
        let ofSoftmax: [(String, Loss)] = [
            ("kornia.focal", .kornia.focal(classes: 3, alpha: 0.25)),
            ("monai.softmaxFocal", .monai.softmaxFocal(classes: 3)),
            ("keras.categoricalFocalCrossentropy", .keras.categoricalFocalCrossentropy()),
            ("keras.categoricalFocalCrossentropy", .keras.categoricalFocalCrossentropy(alpha: [1, 2, 3])),
            ("monai.asymmetricUnifiedFocal", .monai.asymmetricUnifiedFocal(classes: 3)),
            ("nnUNet.topK", .nnUNet.topK()),
            ("nnUNet.topK", .nnUNet.diceTopK()),
            ("mmSegmentation.ohemCrossEntropy", .mmSegmentation.ohemCrossEntropy()),
            ("mmSegmentation.ohemPixelSampler", .mmSegmentation.ohemPixelSampler(images: 2)),
        ]
        for (name, loss) in ofSoftmax {
            refused(loss, .sigmoid, .badTerm, "Loss.\(name) is for softmax; the activation is sigmoid")
            try plan(loss, .softmax)
        }
        let ofClasses: [(String, Loss)] = [
            ("berman.lovaszSoftmax", .berman.lovaszSoftmax()), ("kornia.lovaszSoftmax", .kornia.lovaszSoftmax()),
            ("mmSegmentation.lovasz", .mmSegmentation.lovasz()), ("smp.lovasz", .smp.lovasz(mode: .multiclass)),
        ]
        for (name, loss) in ofClasses {
            refused(
                loss, .sigmoid, .badTerm, "Loss.\(name) is for softmax or probabilities; the activation is sigmoid")
            try plan(loss, .softmax)
            try plan(loss, .probabilities)
        }
        let soft: Loss = .monai.focal(softTargets: true)
        refused(
            soft, .probabilities, .badTerm,
            "Loss.monai.focal is for sigmoid or softmax; the activation is probabilities")
        try plan(soft, .softmax)
    }

    func testOneChannel() throws {
        let cases: [(String, Loss)] = [
            ("monai.diceBCE", .monai.diceBCE()), ("kornia.lovaszHinge", .kornia.lovaszHinge()),
            ("berman.lovaszHinge", .berman.lovaszHinge()),
            ("mmSegmentation.lovaszBinary", .mmSegmentation.lovaszBinary()),
        ]
        for (name, loss) in cases {
            refused(loss, .sigmoid, .badShape, "Loss.\(name) is for 1 channel; the shape has 3 classes")
            refused(
                loss, .probabilities, classes: 1, .badTerm,
                "Loss.\(name) is for sigmoid; the activation is probabilities")
            try plan(loss, .sigmoid, classes: 1)
        }
    }

    func testClasses() throws {
        let cases: [(Loss, Activation, String)] = [
            (.kornia.focal(classes: 5, alpha: nil), .softmax, "kornia.focal was given 5 classes"),
            (.monai.softmaxFocal(classes: 4), .softmax, "monai.softmaxFocal was given 4 classes"),
            (
                .monai.softmaxFocal(classes: 3, includeBackground: false), .softmax,
                "monai.softmaxFocal was given 3 classes with the background"
            ),
            (.monai.focal(weight: [1, 2]), .softmax, "monai.focal was given 2 weights"),
            (
                .monai.focal(background: .excluded(classes: 3), weight: [1, 2, 3]), .sigmoid,
                "monai.focal was given 3 weights, one for each class but the background"
            ),
            (
                .monai.focal(background: .excluded(classes: 3), alpha: [0.5]), .sigmoid,
                "monai.focal was given 1 alpha, one for each class but the background"
            ),
            (
                .monai.softmaxFocal(classes: 3, alpha: [1, 1, 1], weight: [1, 2]), .softmax,
                "monai.softmaxFocal was given 2 weights"
            ),
            (
                .monai.softmaxFocal(classes: 3, alpha: [1, 1], weight: [1, 2, 3]), .softmax,
                "monai.softmaxFocal was given 2 alphas"
            ),
            (.monai.boundary(background: .excluded(classes: 4)), .softmax, "monai.boundary was given 4 classes"),
            (.monai.asymmetricUnifiedFocal(), .softmax, "monai.asymmetricUnifiedFocal was given 2 classes"),
            (
                .monai.dice(includeBackground: false, weight: [1, 1, 1]), .softmax,
                "monai.dice was given 3 weights, one for each class but the background"
            ),
            (.monai.dice(weight: [2]), .sigmoid, "monai.dice was given 1 weight"),
            (
                .monai.tversky(reduction: .sum(samples: 2, classes: 4)), .softmax,
                "monai.tversky was given a sum over 4 classes"
            ),
            (.smp.focal(reduction: .sum, classes: 2), .sigmoid, "smp.focal was given 2 classes"),
            (
                .smp.focal(reduction: .sum), .sigmoid,
                "smp.focal was given a sum or normalized, and no classes, which is the mode binary"
            ),
            (
                .smp.focal(normalized: true), .sigmoid,
                "smp.focal was given a sum or normalized, and no classes, which is the mode binary"
            ),
            (.smp.lovasz(mode: .binary), .sigmoid, "smp.lovasz was given the mode binary, which is of one"),
        ]
        for (loss, activation, given) in cases {
            let message = "Loss.\(given); the shape has 3 classes"
            XCTAssertThrowsError(try plan(loss, activation), message) { error in
                XCTAssertEqual((error as? LossError)?.kind, .badShape)
                XCTAssertEqual("\(error)", message)
            }
        }
        try plan(.monai.softmaxFocal(classes: 4, includeBackground: false), .softmax)
        try plan(.monai.softmaxFocal(classes: 4, includeBackground: false, alpha: [1, 1, 1]), .softmax)
        try plan(.monai.dice(includeBackground: false, weight: [1, 2]), .softmax)
        try plan(.monai.focal(background: .excluded(classes: 3), alpha: [0.5, 1], weight: [1, 2]), .sigmoid)
        try plan(.smp.focal(reduction: .sum), .sigmoid, classes: 1)
        try plan(.smp.focal(normalized: true), .probabilities, classes: 1)
        try plan(.smp.focal(), .softmax)
        try plan(.smp.lovasz(mode: .binary), .sigmoid, classes: 1)
    }

    func testSamples() throws {
        let shape = "; the shape has 2 samples"
        refused(.sam2.focal(masks: 3, objects: 2), .sigmoid, .badShape, "Loss.sam2.focal was given 3 masks" + shape)
        refused(.sam2.dice(masks: 1, objects: 1), .sigmoid, .badShape, "Loss.sam2.dice was given 1 mask" + shape)
        refused(
            .mask2Former.mask(masks: 5, objects: 2), .sigmoid, .badShape,
            "Loss.mask2Former.crossEntropy was given 5 masks" + shape)
        refused(
            .mask2Former.dice(masks: 5, objects: 2), .sigmoid, .badShape,
            "Loss.mask2Former.dice was given 5 masks" + shape)
        refused(
            .monai.generalizedDice(reduction: .sum(samples: 4, classes: 3)), .softmax, .badShape,
            "Loss.monai.generalizedDice was given a sum over 4 samples" + shape)
        refused(
            .mmSegmentation.ohemPixelSampler(images: 3), .softmax, .badShape,
            "Loss.mmSegmentation.ohemPixelSampler was given 3 images" + shape)
        try plan(.sam2.mask(masks: 2, objects: 7), .sigmoid, classes: 1)
    }

    func testCountsOfOne() {
        let cases: [(Loss, String)] = [
            (.smp.focal(reduction: .sum, classes: 1), "smp.focal was given 1 class; the shape has 3 classes"),
            (.sam2.dice(masks: 1, objects: 1), "sam2.dice was given 1 mask; the shape has 2 samples"),
        ]
        for (loss, given) in cases { refused(loss, .sigmoid, .badShape, "Loss." + given) }
        refused(
            .sam2.dice(masks: 3, objects: 1), .sigmoid, samples: 1, .badShape,
            "Loss.sam2.dice was given 3 masks; the shape has 1 sample")
        refused(
            .smp.focal(reduction: .sum, classes: 2), .sigmoid, classes: 1, .badShape,
            "Loss.smp.focal was given 2 classes; the shape has 1 class")
    }

    func testOptionsThatNoPlanHas() throws {
        refused(
            .pyTorch.huber(delta: 0), .sigmoid, .badOption,
            "Loss.pyTorch.huber cannot be computed: delta is 0.0; expected above 0")
        refused(
            .smp.tversky(gamma: 0), .softmax, .badOption,
            "Loss.smp.tversky cannot be computed: gamma is 0.0; expected above 0")
        refused(
            .monai.asymmetricUnifiedFocal(classes: 3, gamma: 1), .softmax, .badOption,
            "Loss.monai.asymmetricUnifiedFocal cannot be computed: gamma is 1.0; expected below 1 with a Tversky part")
        refused(
            .monai.asymmetricUnifiedFocal(classes: 3, delta: 2), .softmax, .badOption,
            "Loss.monai.asymmetricUnifiedFocal cannot be computed: delta is 2.0; expected 0 to 1")
        refused(
            .monai.asymmetricUnifiedFocal(classes: 3, weight: 2), .softmax, .badOption,
            "Loss.monai.asymmetricUnifiedFocal cannot be computed: weight is 2.0; expected 0 to 1")
        refused(
            .monai.asymmetricUnifiedFocal(classes: 3, weight: 0, gamma: -1), .softmax, .badOption,
            "Loss.monai.asymmetricUnifiedFocal cannot be computed: gamma is -1.0; expected at least 0")
        refused(
            .monai.focal(background: .excluded(classes: 1)), .sigmoid, classes: 1, .badOption,
            "Loss.monai.focal cannot be computed: .excluded(classes: 1) leaves no class")
        try plan(.monai.asymmetricUnifiedFocal(classes: 3, weight: 1, gamma: 2), .softmax)
        try plan(.monai.asymmetricUnifiedFocal(classes: 3, weight: 0, gamma: 0.75), .softmax)
    }

    /// An alpha of -1 is the originals' own word for none. What their code makes of other negative numbers, the same,
    /// would hide mistakes.
    func testAlphaOfMinusOne() throws {
        XCTAssertEqual(Loss.torchvision.sigmoidFocal(alpha: -1), .torchvision.sigmoidFocal(alpha: nil))
        XCTAssertEqual(Loss.fvcore.sigmoidFocal(alpha: -1), .fvcore.sigmoidFocal())
        XCTAssertEqual(Loss.fvcore.sigmoidFocalStar(alpha: -1), .fvcore.sigmoidFocalStar())
        XCTAssertEqual(
            Loss.sam2.mask(masks: 2, objects: 2, alpha: -1), .sam2.mask(masks: 2, objects: 2, alpha: nil))
        XCTAssertEqual(Loss.sam2.focal(masks: 2, objects: 2, alpha: -1), .sam2.focal(masks: 2, objects: 2, alpha: nil))
        XCTAssertThrowsError(try plan(.torchvision.sigmoidFocal(alpha: -0.5), .sigmoid)) { error in
            XCTAssertEqual("\(error)", "terms[0].alpha is -0.5: expected 0 to 1")
        }
    }

    /// Demands are no part of what a loss is, and are kept by sums and factors.
    func testEquality() {
        XCTAssertEqual(Loss.torchvision.sigmoidFocal(), .focal(divisor: .valid))
        XCTAssertEqual(Set([Loss.torchvision.sigmoidFocal(), .focal(divisor: .valid)]).count, 1)
        XCTAssertNotEqual(Loss.torchvision.sigmoidFocal(), 2 * .torchvision.sigmoidFocal())
    }

    /// MONAI weighs classes against each other: of a single class Dice has no weight.
    func testWeightsOfASingleClass() {
        XCTAssertEqual(
            Loss.monai.dice(includeBackground: false, weight: [2]), .monai.dice(includeBackground: false))
        XCTAssertEqual(Loss.monai.dice(weight: [2]), .monai.dice())
        XCTAssertEqual(
            Loss.monai.diceCE(includeBackground: false, weight: [1, 2]),
            .monai.dice(includeBackground: false) + .pyTorch.crossEntropy(weight: [1, 2]))
        XCTAssertEqual(
            Loss.monai.diceFocal(background: .excluded(classes: 2), weight: [2]),
            .monai.dice(includeBackground: false)
                + .monai.focal(background: .excluded(classes: 2), weight: [2]))
    }
}
