import Foundation
import SegLoss
import SegLossReference
import XCTest

/// Every preset gives the numbers of the framework whose name it has: golden values and gradients where there are any,
/// otherwise formulas written out by hand (PresetFormulaTests).
final class PresetTests: XCTestCase {
    private typealias Row = OriginalRow

    /// Value and gradient of the original itself: the preset needs no factor and no offset.
    func testOriginalsNumbers() throws {
        let golden = try Fixtures.goldenByName()
        let rows = Self.pyTorchRows + Self.torchvisionRows + Self.monaiRows + Self.nnUNetRows + Self.smpRows
            + Self.korniaRows + Self.maskRows + Self.boundaryRows + Self.textRows + Self.lovaszRows
        XCTAssertTrue(rows.count >= 120, "\(rows.count) rows")
        for row in rows { try row.check(golden) }
    }

    /// SAM 2's sum of two of its losses, each of which has its case.
    func testMaskOfSAM2() throws {
        let golden = try Fixtures.goldenByName()
        let focal = try XCTUnwrap(golden["sam2_mask2former/sam2_focal"])
        let dice = try XCTUnwrap(golden["sam2_mask2former/sam2_dice"])
        let both = try Library.evaluate(focal.problem, Configuration(loss: .sam2.mask(masks: 5, objects: 5)))
        let expected = try 20 * XCTUnwrap(focal.value) + XCTUnwrap(dice.value)
        XCTAssertTrue(abs(both.value - expected) <= 1e-6 * expected, "\(both.value), not \(expected)")
        let slopes = zip(focal.gradient, dice.gradient).map { 20 * $0 + $1 }
        let error = gradientError(both.gradient.map(Double.init), slopes)
        XCTAssertTrue(error <= 1e-6, "gradient off by \(error) of the largest")
    }

    /// MONAI's softmax without the background, as the page shows it: a view of all logits that passes over channel 0.
    func testSoftmaxWithoutBackground() throws {
        let golden = try Fixtures.goldenByName()
        let all = try XCTUnwrap(golden["monai/focal_softmax"]).problem
        let original = try XCTUnwrap(golden["monai/focal_softmax_nobg"])
        guard case .labels(let labels) = all.target else { return XCTFail("no labels") }
        let foreground = labels.map { $0 == 0 ? 255 : UInt8($0 - 1) }
        let view = View.planar(.flat(samples: 2, classes: 4, voxels: 221)), start = view.place(channel: 1)
        var evaluator = try Evaluator(
            .monai.softmaxFocal(classes: 4, includeBackground: false),
            shape: .flat(samples: 2, classes: 3, voxels: 221), activation: .softmax, options: Options(ignoreIndex: 255))
        var gradient = [Float](repeating: -7, count: all.logits.count)
        let value = try evaluate(&evaluator, all.logits, foreground, view, start, &gradient)
        let expected = try XCTUnwrap(original.value)
        XCTAssertTrue(abs(value - expected) <= 1e-6 * expected, "\(value), not \(expected)")
        let background = gradient.indices.filter { $0 / 221 % 4 == 0 }
        XCTAssertTrue(background.allSatisfy { gradient[$0] == -7 }, "channel 0 is neither read nor written")
        let rest = gradient.indices.filter { $0 / 221 % 4 > 0 }.map { Double(gradient[$0]) }
        let error = gradientError(rest, original.gradient)
        XCTAssertTrue(error <= 1e-6, "gradient off by \(error) of the largest")
    }

    // Not inlined: Swift 6.3.1's optimizer stops where a mutable span is made beside a loop.
    @inline(never)
    private func evaluate(
        _ evaluator: inout Evaluator, _ logits: [Float], _ labels: [UInt8], _ view: View, _ start: Int,
        _ gradient: inout [Float]
    ) throws(LossError) -> Double {
        var span = gradient.mutableSpan
        var rest = span.extracting(start...)
        return try evaluator.evaluate(
            logits: logits.span.extracting(start...), labels: labels.span,
            layout: Layout(logits: view, gradient: view), gradient: &rest
        ).value
    }

    /// The losses of both maps: the parts have their cases here, the sum in BinarizationTests.
    func testTextDetectors() {
        for loss: BinarizationLoss in [.db, .paddleOCR, .mmOCR, .dbDice] {
            XCTAssertEqual(loss.weights.threshold, 10)
            XCTAssertEqual(loss.weights.binary, 1)
            XCTAssertEqual(loss.weights.map, loss == .dbDice ? 1 : 5)
            XCTAssertEqual(loss.main == .dice, loss == .dbDice || loss == .paddleOCR)
            XCTAssertEqual(loss.steepness, 50)
            XCTAssertEqual(loss.smoothL1Beta, 0)
        }
    }

    /// A sum of presets and other terms is a loss like any other.
    func testPresetsCompose() throws {
        let loss: Loss = .monai.dice(includeBackground: false) + 0.5 * .pyTorch.crossEntropy(labelSmoothing: 0.1)
        XCTAssertEqual(loss.terms.count, 2)
        XCTAssertEqual(loss.terms[1].weight, 0.5)
        XCTAssertEqual(
            loss,
            .dice(smooth: .separate(numerator: 1e-5, denominator: 1e-5), classes: .foreground)
                + 0.5 * .crossEntropy(labelSmoothing: 0.1),
            "the usual options are the usual terms")
    }

    // MARK: The presets with the options of the cases

    private static let w4: [Float] = [0.25, 1, 2, 5]
    private static let v4: [Float] = [0.5, 1, 2, 4]

    private static let pyTorchRows = [
        Row(golden: "pytorch/ce_mean", loss: .pyTorch.crossEntropy()),
        Row(golden: "pytorch/ce_weight", loss: .pyTorch.crossEntropy(weight: w4)),
        Row(golden: "pytorch/ce_ignore_smoothing", loss: .pyTorch.crossEntropy(labelSmoothing: 0.1)),
        Row(
            golden: "pytorch/ce_weight_ignore_smoothing",
            loss: .pyTorch.crossEntropy(weight: w4, labelSmoothing: 0.05)),
        Row(golden: "pytorch/ce_sum", loss: .pyTorch.crossEntropy(reduction: .sum)),
        Row(golden: "pytorch/ce_none_volume", loss: .pyTorch.crossEntropy(reduction: .sum)),
        Row(golden: "pytorch/ce_soft_targets", loss: .pyTorch.crossEntropy(softTargets: true)),
        Row(golden: "pytorch/bce_logits_mean", loss: .pyTorch.bceWithLogits()),
        Row(golden: "pytorch/bce_logits_pos_weight", loss: .pyTorch.bceWithLogits(posWeight: [1, 3, 0.25])),
        Row(golden: "pytorch/bce_logits_soft_none", loss: .pyTorch.bceWithLogits(reduction: .sum)),
        Row(golden: "pytorch/bce_logits_all_background", loss: .pyTorch.bceWithLogits(posWeight: [5])),
        Row(golden: "pytorch/bce_logits_pixel_weight", loss: .pyTorch.bceWithLogits()),
        Row(golden: "pytorch/bce_probabilities", loss: .pyTorch.bce()),
        Row(golden: "pytorch/bce_probabilities_weight_sum", loss: .pyTorch.bce(reduction: .sum)),
        Row(golden: "pytorch/bce_probabilities_exact_0_1", loss: .pyTorch.bce()),
        Row(golden: "pytorch/smooth_l1_masked", loss: .pyTorch.smoothL1(beta: 0.1)),
        Row(golden: "db/masked_l1", loss: .pyTorch.l1()),
    ]

    private static let torchvisionRows = [
        Row(golden: "torchvision/focal_mean", loss: .torchvision.sigmoidFocal()),
        Row(golden: "torchvision/focal_noalpha_gamma0", loss: .torchvision.sigmoidFocal(alpha: nil, gamma: 0)),
        Row(
            golden: "torchvision/focal_gamma1_sum",
            loss: .torchvision.sigmoidFocal(alpha: 0.75, gamma: 1, reduction: .sum)),
        Row(
            golden: "torchvision/focal_gamma37_none", loss: .torchvision.sigmoidFocal(gamma: 3.7, reduction: .sum)),
        Row(golden: "torchvision/focal_gamma05", loss: .torchvision.sigmoidFocal(gamma: 0.5)),
        Row(golden: "torchvision/focal_soft_targets", loss: .torchvision.sigmoidFocal()),
        Row(golden: "torchvision/focal_all_background", loss: .torchvision.sigmoidFocal()),
        Row(golden: "torchvision/focal_gamma05_saturated_nan", loss: .torchvision.sigmoidFocal(gamma: 0.5)),
        Row(golden: "torchvision/focal_mean", loss: .fvcore.sigmoidFocal(alpha: 0.25)),
        Row(golden: "torchvision/focal_noalpha_gamma0", loss: .fvcore.sigmoidFocal(gamma: 0)),
    ]

    private static let monaiRows = [
        Row(golden: "monai/dice_softmax_default", loss: .monai.dice()),
        Row(golden: "monai/dice_softmax_nobg_batch", loss: .monai.dice(includeBackground: false, batch: true)),
        Row(golden: "monai/dice_squared_smooth", loss: .monai.dice(squaredPred: true, smoothNr: 1, smoothDr: 1)),
        Row(
            golden: "monai/dice_jaccard_sum",
            loss: .monai.dice(jaccard: true, reduction: .sum(samples: 2, classes: 4))),
        Row(
            golden: "monai/dice_weight_none",
            loss: .monai.dice(weight: w4, reduction: .sum(samples: 2, classes: 4))),
        Row(golden: "monai/dice_sigmoid_binary", loss: .monai.dice(smoothNr: 0)),
        Row(golden: "monai/dice_multilabel_jaccard_squared", loss: .monai.dice(squaredPred: true, jaccard: true)),
        Row(golden: "monai/dice_soft_label_softmax", loss: .monai.dice(softLabel: true)),
        Row(golden: "monai/dice_soft_label_sigmoid", loss: .monai.dice(batch: true, softLabel: true)),
        Row(golden: "monai/dice_soft_target_product", loss: .monai.dice()),
        Row(golden: "monai/dice_ignore_255", loss: .monai.dice(batch: true)),
        Row(golden: "monai/dice_all_background", loss: .monai.dice()),
        Row(golden: "monai/dice_volume", loss: .monai.dice(includeBackground: false)),
        Row(golden: "monai/masked_dice", loss: .monai.dice()),
        Row(
            golden: "monai/tversky_softmax", loss: .monai.tversky(includeBackground: false, alpha: 0.3, beta: 0.7)),
        Row(
            golden: "monai/tversky_batch_sum",
            loss: .monai.tversky(
                alpha: 0.75, beta: 0.25, smoothNr: 1, smoothDr: 1, batch: true,
                reduction: .sum(samples: 2, classes: 3))),
        Row(golden: "monai/generalized_dice_square", loss: .monai.generalizedDice()),
        Row(golden: "monai/generalized_dice_simple", loss: .monai.generalizedDice(wType: .simple(), batch: true)),
        Row(
            golden: "monai/generalized_dice_uniform",
            loss: .monai.generalizedDice(includeBackground: false, wType: .uniform)),
        Row(
            golden: "monai/generalized_dice_all_background_nobg",
            loss: .monai.generalizedDice(includeBackground: false)),
        Row(golden: "monai/mcc_softmax", loss: .monai.mcc(includeBackground: false)),
        Row(golden: "monai/focal_sigmoid", loss: .monai.focal(alpha: 0.25)),
        Row(golden: "monai/focal_sigmoid_gamma0", loss: .monai.focal(gamma: 0)),
        Row(golden: "monai/focal_sigmoid_gamma05", loss: .monai.focal(gamma: 0.5)),
        Row(
            golden: "monai/focal_sigmoid_gamma37_sum",
            loss: .monai.focal(gamma: 3.7, weight: [1, 2, 0.5], reduction: .sum(samples: 2, classes: 3))),
        Row(golden: "monai/focal_sigmoid_gamma1", loss: .monai.focal(gamma: 1, alpha: [0.25, 0.5, 0.75])),
        Row(golden: "monai/focal_sigmoid_soft_targets", loss: .monai.focal(softTargets: true)),
        Row(golden: "monai/focal_softmax", loss: .monai.softmaxFocal(classes: 4, alpha: 0.25)),
        Row(golden: "monai/focal_softmax_gamma05", loss: .monai.softmaxFocal(classes: 4, gamma: 0.5)),
        Row(golden: "monai/focal_softmax_none_ignore", loss: .monai.softmaxFocal(classes: 4, ignoring: true)),
        Row(
            golden: "monai/focal_softmax_nobg", loss: .monai.softmaxFocal(classes: 4, includeBackground: false)),
        Row(golden: "monai/asymmetric_unified_focal", loss: .monai.asymmetricUnifiedFocal()),
        Row(golden: "monai/boundary", loss: .monai.boundary(background: .excluded(classes: 4))),
        Row(golden: "monai/dice_ce_default", loss: .monai.diceCE()),
        Row(
            golden: "monai/dice_ce_weight_smoothing",
            loss: .monai.diceCE(
                includeBackground: false, weight: v4, lambdaDice: 0.75, lambdaCE: 1.25, labelSmoothing: 0.1)),
        Row(golden: "monai/dice_ce_binary", loss: .monai.diceBCE(weight: 3)),
        Row(
            golden: "monai/dice_ce_volume_sum",
            loss: .monai.diceCE(batch: true, reduction: .sum(samples: 1, classes: 3))),
        Row(golden: "monai/dice_ce_soft_targets", loss: .monai.diceCE(softTargets: true)),
        Row(golden: "monai/dice_focal_softmax", loss: .monai.diceFocal()),
        Row(
            golden: "monai/dice_focal_nobg_weight",
            loss: .monai.diceFocal(background: .excluded(classes: 4), gamma: 3.7, weight: [1, 2, 0.5])),
        Row(golden: "monai/generalized_dice_focal", loss: .monai.generalizedDiceFocal(lambdaFocal: 0.5)),
    ]

    private static let nnUNetRows = [
        Row(golden: "nnunet/memory_efficient_trainer", loss: .nnUNet.dice(doBackground: false, smooth: 1e-5)),
        Row(golden: "nnunet/memory_efficient_batch_bg_smooth1", loss: .nnUNet.dice(batchDice: true)),
        Row(golden: "nnunet/memory_efficient_nosmooth", loss: .nnUNet.dice(doBackground: false, smooth: 0)),
        Row(
            golden: "nnunet/memory_efficient_all_background",
            loss: .nnUNet.dice(batchDice: true, doBackground: false, smooth: 1e-5)),
        Row(golden: "nnunet/memory_efficient_regions", loss: .nnUNet.dice(batchDice: true, smooth: 1e-5)),
        Row(golden: "nnunet/memory_efficient_regions_mask", loss: .nnUNet.dice()),
        Row(golden: "nnunet/soft_dice", loss: .nnUNet.dice()),
        Row(
            golden: "nnunet/soft_dice_volume",
            loss: .nnUNet.dice(batchDice: true, doBackground: false, smooth: 1e-5)),
        Row(golden: "nnunet/soft_dice_clip_tp", loss: .nnUNet.dice(doBackground: false, smooth: 1e-5, clipTP: 1)),
        Row(golden: "nnunet/dc_and_ce_trainer", loss: .nnUNet.diceCE()),
        Row(golden: "nnunet/dc_and_ce_ignore", loss: .nnUNet.diceCE()),
        Row(golden: "nnunet/dc_and_ce_weighted", loss: .nnUNet.diceCE(smooth: 1, weight: v4)),
        Row(golden: "nnunet/dc_and_ce_volume", loss: .nnUNet.diceCE()),
        Row(golden: "nnunet/dc_and_ce_all_background", loss: .nnUNet.diceCE()),
        Row(golden: "nnunet/dc_and_bce_regions", loss: .nnUNet.diceBCE()),
        Row(golden: "nnunet/dc_and_bce_regions_ignore", loss: .nnUNet.diceBCE(batchDice: true, weightCE: 3)),
        Row(golden: "nnunet/topk10", loss: .nnUNet.topK()),
        Row(golden: "nnunet/topk10_distinct", loss: .nnUNet.topK()),
        Row(golden: "nnunet/topk10_volume_ignore", loss: .nnUNet.topK(weight: v4)),
        Row(golden: "nnunet/dc_and_topk", loss: .nnUNet.diceTopK()),
        Row(golden: "nnunet/dc_and_topk_ignore", loss: .nnUNet.diceTopK(doBackground: true)),
        Row(golden: "nnunet/robust_ce_ignore", loss: .nnUNet.robustCrossEntropy()),
    ]

    private static let smpRows = [
        Row(golden: "smp/dice_binary", loss: .smp.dice()),
        Row(golden: "smp/dice_binary_log_smooth", loss: .smp.dice(logLoss: true, smooth: 1)),
        Row(golden: "smp/dice_binary_ignore", loss: .smp.dice()),
        Row(golden: "smp/dice_binary_all_background", loss: .smp.dice()),
        Row(golden: "smp/dice_multiclass", loss: .smp.dice()),
        Row(golden: "smp/dice_multiclass_log_classes", loss: .smp.dice(classes: [1, 3, 7, 9], logLoss: true)),
        Row(golden: "smp/dice_multiclass_weights", loss: .smp.dice(classWeights: w4)),
        Row(golden: "smp/dice_multiclass_ignore", loss: .smp.dice()),
        Row(golden: "smp/dice_multilabel", loss: .smp.dice(smooth: 1)),
        Row(golden: "smp/dice_multilabel_soft", loss: .smp.dice()),
        Row(golden: "smp/dice_from_probabilities", loss: .smp.dice(logLoss: true)),
        Row(golden: "smp/dice_all_background", loss: .smp.dice()),
        Row(golden: "smp/jaccard_multiclass", loss: .smp.jaccard()),
        Row(golden: "smp/jaccard_multiclass_log_ignore", loss: .smp.jaccard(logLoss: true)),
        Row(golden: "smp/jaccard_multilabel_smooth", loss: .smp.jaccard(smooth: 1, classWeights: [1, 0.5, 2])),
        Row(golden: "smp/jaccard_binary", loss: .smp.jaccard()),
        Row(golden: "smp/tversky_multiclass", loss: .smp.tversky(alpha: 0.3, beta: 0.7)),
        Row(golden: "smp/focal_tversky_multiclass", loss: .smp.tversky(alpha: 0.7, beta: 0.3, gamma: 4.0 / 3)),
        Row(golden: "smp/tversky_binary_ignore", loss: .smp.tversky(alpha: 0.25, beta: 0.75, gamma: 0.75)),
        Row(golden: "smp/focal_binary", loss: .smp.focal(alpha: 0.25)),
        Row(golden: "smp/focal_binary_gamma0_ignore", loss: .smp.focal(gamma: 0)),
        Row(golden: "smp/focal_binary_reduced", loss: .smp.focal(reducedThreshold: 0.5, reduction: .sum)),
        Row(golden: "smp/focal_binary_normalized", loss: .smp.focal(normalized: true)),
        Row(golden: "smp/focal_multiclass/softmax", loss: .smp.focal()),
        Row(golden: "smp/focal_multiclass_ignore_weights/softmax", loss: .smp.focal(gamma: 1, classWeights: w4)),
        Row(golden: "smp/focal_multilabel_gamma05", loss: .smp.focal(gamma: 0.5)),
        Row(golden: "smp/mcc", loss: .smp.mcc()),
        Row(golden: "smp/soft_bce_smooth", loss: .smp.softBCE(smoothFactor: 0.1)),
        Row(golden: "smp/soft_bce_pos_weight_ignore", loss: .smp.softBCE(posWeight: [3])),
        Row(
            golden: "smp/soft_bce_multilabel_none", loss: .smp.softBCE(posWeight: [1, 2, 4], reduction: .sum)),
        Row(golden: "smp/soft_ce_smooth", loss: .smp.softCrossEntropy(smoothFactor: 0.1)),
        Row(golden: "smp/soft_ce_smooth_ignore", loss: .smp.softCrossEntropy()),
    ]

    private static let korniaRows = [
        Row(golden: "kornia/dice_micro", loss: .kornia.dice()),
        Row(golden: "kornia/dice_micro_weight", loss: .kornia.dice(weight: w4)),
        Row(golden: "kornia/dice_macro", loss: .kornia.dice(average: .macro)),
        Row(golden: "kornia/dice_macro_weight_ignore", loss: .kornia.dice(average: .macro, weight: w4)),
        Row(golden: "kornia/dice_all_background", loss: .kornia.dice(average: .macro)),
        Row(golden: "kornia/tversky", loss: .kornia.tversky(alpha: 0.3, beta: 0.7)),
        Row(golden: "kornia/tversky_ignore", loss: .kornia.tversky(alpha: 0.7, beta: 0.3)),
        Row(golden: "kornia/focal_mean", loss: .kornia.focal(classes: 4, alpha: 0.25)),
        Row(
            golden: "kornia/focal_gamma05", loss: .kornia.focal(classes: 4, alpha: nil, gamma: 0.5, reduction: .sum)),
        Row(
            golden: "kornia/focal_none", loss: .kornia.focal(classes: 3, alpha: 0.25, gamma: 3.7, reduction: .sum)),
        Row(
            golden: "kornia/focal_weight_ignore",
            loss: .kornia.focal(classes: 4, alpha: nil, gamma: 1, weight: w4)),
        Row(golden: "kornia/binary_focal", loss: .kornia.binaryFocal()),
        Row(
            golden: "kornia/binary_focal_pos_weight_ignore", loss: .kornia.binaryFocal(gamma: 3.7, posWeight: [2])),
        Row(
            golden: "kornia/binary_focal_multilabel_sum",
            loss: .kornia.binaryFocal(alpha: nil, gamma: 0.5, weight: [1, 0.5, 2], reduction: .sum)),
    ]

    private static let maskRows = [
        Row(golden: "sam2_mask2former/sam2_focal", loss: .sam2.focal(masks: 5, objects: 5)),
        Row(
            golden: "sam2_mask2former/sam2_focal_other",
            loss: .sam2.focal(masks: 5, objects: 2.5, alpha: nil, gamma: 1)),
        Row(golden: "sam2_mask2former/sam2_dice", loss: .sam2.dice(masks: 5, objects: 5)),
        Row(
            golden: "sam2_mask2former/sam2_soft_dice_l1", loss: .sam2.dice(masks: 2, objects: 2), flattened: true),
        Row(golden: "sam2_mask2former/sam2_dice", loss: .mask2Former.dice(masks: 5, objects: 5)),
        Row(golden: "sam2_mask2former/m2f_sigmoid_ce", loss: .mask2Former.crossEntropy(masks: 5, objects: 5)),
        Row(golden: "sam2_mask2former/m2f_mask_and_dice", loss: .mask2Former.mask(masks: 5, objects: 3)),
    ]

    private static let boundaryRows = [
        Row(golden: "liviaets/boundary_given_map", loss: .liviaets.boundary(classes: 4, idc: [1, 2, 3])),
        Row(golden: "liviaets/boundary", loss: .liviaets.boundary(classes: 4, idc: [0, 1, 2, 3])),
        Row(golden: "liviaets/boundary", loss: .monai.boundary()),
        Row(golden: "liviaets/boundary_spacing", loss: .liviaets.boundary(classes: 4, idc: [1, 2])),
        Row(golden: "liviaets/boundary_truncated", loss: .liviaets.boundary(classes: 4, idc: [1, 2, 3])),
        Row(golden: "liviaets/boundary/inside", loss: .liviaets.boundary(idc: [0, 1, 2, 3])),
        Row(golden: "liviaets/boundary_spacing/inside", loss: .liviaets.boundary(idc: [1, 2], resolution: [1, 1, 2.5])),
        Row(golden: "liviaets/hausdorff", loss: .liviaets.hausdorff(idc: [1, 2, 3])),
        Row(golden: "monai/boundary/inside", loss: .monai.boundary(includeBackground: false)),
        Row(golden: "liviaets/boundary/inside", loss: .monai.boundary(includeBackground: true)),
        Row(golden: "monai/hausdorff_dt_softmax", loss: .monai.hausdorffDT()),
        Row(golden: "monai/hausdorff_dt_sigmoid_batch", loss: .monai.hausdorffDT(includeBackground: true)),
        Row(golden: "monai/hausdorff_dt_volume", loss: 2 * .monai.hausdorffDT()),
        Row(golden: "monai/log_hausdorff_dt", loss: .monai.logHausdorffDT()),
        Row(golden: "liviaets/cross_entropy", loss: .liviaets.crossEntropy(classes: 4)),
        Row(golden: "liviaets/cross_entropy_subset", loss: .liviaets.crossEntropy(classes: 4, idc: [1, 2, 3])),
        Row(golden: "liviaets/focal", loss: .liviaets.focal(classes: 4, gamma: 2)),
        Row(golden: "liviaets/dice", loss: .liviaets.dice(idc: [1, 2, 3])),
        Row(golden: "liviaets/generalized_dice", loss: .liviaets.generalizedDice(idc: [0, 1, 2])),
    ]

    private static let lovaszRows = [
        Row(golden: "berman/softmax_present", loss: .berman.lovaszSoftmax()),
        Row(golden: "berman/softmax_all_per_image", loss: .berman.lovaszSoftmax(classes: .all, perImage: true)),
        Row(golden: "berman/softmax_present_per_image_ignore", loss: .berman.lovaszSoftmax(perImage: true)),
        Row(golden: "berman/softmax_class_list", loss: .berman.lovaszSoftmax(classes: .only([1, 3]))),
        Row(golden: "berman/softmax_logits_present", loss: .berman.lovaszSoftmax()),
        Row(golden: "berman/softmax_logits_all_ignore", loss: .berman.lovaszSoftmax(classes: .all)),
        Row(golden: "berman/hinge_per_image", loss: .berman.lovaszHinge()),
        Row(golden: "berman/hinge_batch", loss: .berman.lovaszHinge(perImage: false)),
        Row(golden: "berman/hinge_ignore", loss: .berman.lovaszHinge()),
        Row(golden: "smp/lovasz_binary_per_image", loss: .smp.lovasz(mode: .binary, perImage: true)),
        Row(golden: "smp/lovasz_binary_batch_ignore", loss: .smp.lovasz(mode: .binary)),
        Row(golden: "smp/lovasz_multiclass", loss: .smp.lovasz(mode: .multiclass)),
        Row(golden: "smp/lovasz_multiclass_per_image_ignore", loss: .smp.lovasz(mode: .multiclass, perImage: true)),
        Row(golden: "smp/lovasz_multiclass_many", loss: .smp.lovasz(mode: .multiclass)),
        Row(golden: "smp/lovasz_multilabel", loss: .smp.lovasz(mode: .multilabel)),
        Row(golden: "kornia/lovasz_hinge", loss: .kornia.lovaszHinge()),
        Row(golden: "kornia/lovasz_softmax", loss: .kornia.lovaszSoftmax()),
        Row(
            golden: "kornia/lovasz_softmax_many",
            loss: .kornia.lovaszSoftmax(weight: [1, 0.5, 2, 1, 1, 1, 0.25, 1, 1, 3, 1])),
        // mmsegmentation's are Berman's, with kornia's weights.
        Row(golden: "berman/softmax_logits_present", loss: .mmSegmentation.lovasz()),
        Row(golden: "berman/softmax_all_per_image", loss: .mmSegmentation.lovasz(classes: .all, perImage: true)),
        Row(
            golden: "kornia/lovasz_softmax_many",
            loss: .mmSegmentation.lovasz(
                classes: .all, perImage: true, classWeight: [1, 0.5, 2, 1, 1, 1, 0.25, 1, 1, 3, 1])),
        Row(golden: "berman/hinge_batch", loss: .mmSegmentation.lovaszBinary()),
        Row(golden: "berman/hinge_per_image", loss: .mmSegmentation.lovaszBinary(perImage: true)),
    ]
    private static let textRows = [
        Row(golden: "db/balanced_bce", loss: .db.balancedCrossEntropy()),
        Row(golden: "db/balanced_bce_other_ratio", loss: .db.balancedCrossEntropy(negativeRatio: 1.5)),
        Row(golden: "db/balanced_bce_all_negatives", loss: .db.balancedCrossEntropy(negativeRatio: 50)),
        Row(golden: "db/balanced_bce_no_text", loss: .db.balancedCrossEntropy()),
        Row(golden: "db/masked_l1", loss: .db.maskL1()),
        Row(golden: "db/masked_l1_empty", loss: .db.maskL1()),
        Row(golden: "db/balanced_l1", loss: .db.balancedL1()),
        Row(golden: "db/masked_dice", loss: .db.dice()),
        Row(golden: "db/masked_dice_weights", loss: .db.dice(weighted: true)),
        Row(golden: "db/masked_dice_no_text", loss: .db.dice()),
        Row(golden: "db/leaky_dice", loss: .db.leakyDice()),
        Row(golden: "db/balanced_bce", loss: .paddleOCR.balancedCrossEntropy()),
        Row(golden: "db/masked_dice", loss: .paddleOCR.dice()),
        Row(golden: "db/masked_l1", loss: .paddleOCR.maskL1()),
        Row(golden: "db/balanced_bce", loss: .mmOCR.maskedBalancedBCE()),
        Row(golden: "db/masked_dice", loss: .mmOCR.maskedDice()),
        Row(golden: "db/masked_l1/smooth", loss: .mmOCR.maskedSmoothL1(beta: 0)),
    ]
}

/// Every preset is tested, and every preset is documented.
final class PresetCompletenessTests: XCTestCase {
    func testEveryPresetIsTestedAndInTheTable() throws {
        let presets = Set(try Preset.declared().map(\.name))
        XCTAssertTrue(presets.count >= 50, "\(presets.count) presets")
        let table = try text("docs/losses/presets.md").split(separator: "\n").filter { $0.hasPrefix("| `") }.joined()
        let tests = try text("Tests/SegLossTests/PresetTests.swift")
            + text("Tests/SegLossTests/PresetFormulaTests.swift")
        for preset in presets {
            XCTAssertTrue(table.contains("| `\(preset)("), "docs/losses/presets.md has no row of \(preset)")
            XCTAssertTrue(tests.contains("\(preset)("), "no test of \(preset)")
        }
        // And the table has no other.
        for match in table.matches(of: /\| `(\.\w+\.\w+)\(/) {
            XCTAssertTrue(presets.contains(String(match.output.1)), "\(match.output.1) is no preset")
        }
    }

    private func text(_ path: String) throws -> String {
        try String(contentsOf: CompletenessTests.root.appending(path: path), encoding: .utf8)
    }
}
