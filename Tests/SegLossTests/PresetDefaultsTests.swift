import Foundation
import SegLoss
import XCTest

/// The presets' defaults are those of the originals, whose signatures stand here.
final class PresetDefaultsTests: XCTestCase {
    /// A preset (all functions of that name) and its original.
    private struct Original {
        let preset: String
        /// What has a default, `name = default` as in Python.
        let signature: String
        /// The defaults that are not the original's, as they are written in Swift: why stands beside them.
        var instead: [String: String] = [:]
    }

    // A mean or a sum is one number, none is not.
    private static let noReduction = ["reduction": ".mean"]

    private static let originals = [
        // PyTorch 2
        Original(
            preset: ".pyTorch.crossEntropy",
            signature: "weight=None, size_average=None, ignore_index=-100, reduce=None, reduction='mean', "
                + "label_smoothing=0.0",
            instead: ["softTargets": "false"]),  // the kind of target says so
        Original(
            preset: ".pyTorch.bceWithLogits",
            signature: "weight=None, size_average=None, reduce=None, reduction='mean', pos_weight=None"),
        Original(
            preset: ".pyTorch.bce", signature: "weight=None, size_average=None, reduce=None, reduction='mean'"),
        Original(preset: ".pyTorch.l1", signature: "size_average=None, reduce=None, reduction='mean'"),
        Original(preset: ".pyTorch.smoothL1", signature: "size_average=None, reduce=None, reduction='mean', beta=1.0"),
        Original(preset: ".pyTorch.huber", signature: "reduction='mean', delta=1.0"),
        Original(preset: ".pyTorch.mse", signature: "size_average=None, reduce=None, reduction='mean'"),
        // torchvision, fvcore
        Original(
            preset: ".torchvision.sigmoidFocal", signature: "alpha=0.25, gamma=2, reduction='none'",
            instead: noReduction),
        Original(
            preset: ".fvcore.sigmoidFocal", signature: "alpha=-1, gamma=2, reduction='none'",
            instead: ["alpha": "nil", "reduction": ".mean"]),  // -1 is none
        Original(
            preset: ".fvcore.sigmoidFocalStar", signature: "alpha=-1, gamma=1, reduction='none'",
            instead: ["alpha": "nil", "reduction": ".mean"]),
        // MONAI 1.6.1, by inspect.signature
        Original(
            preset: ".monai.dice",
            signature: "include_background=True, to_onehot_y=False, sigmoid=False, softmax=False, other_act=None, "
                + "squared_pred=False, jaccard=False, reduction=mean, smooth_nr=1e-05, smooth_dr=1e-05, batch=False, "
                + "weight=None, soft_label=False, ignore_index=None"),
        Original(
            preset: ".monai.tversky",
            signature: "include_background=True, to_onehot_y=False, sigmoid=False, softmax=False, other_act=None, "
                + "alpha=0.5, beta=0.5, reduction=mean, smooth_nr=1e-05, smooth_dr=1e-05, batch=False, "
                + "soft_label=False, ignore_index=None"),
        Original(
            preset: ".monai.generalizedDice",
            signature: "include_background=True, to_onehot_y=False, sigmoid=False, softmax=False, other_act=None, "
                + "w_type=square, reduction=mean, smooth_nr=1e-05, smooth_dr=1e-05, batch=False, soft_label=False"),
        Original(
            preset: ".monai.mcc",
            signature: "include_background=True, to_onehot_y=False, sigmoid=False, softmax=False, other_act=None, "
                + "reduction=mean, smooth_nr=0.0, smooth_dr=1e-05, batch=False"),
        Original(
            preset: ".monai.focal",
            signature: "include_background=True, to_onehot_y=False, gamma=2.0, alpha=None, weight=None, "
                + "reduction=mean, use_softmax=False, ignore_index=None",
            // The number of classes comes with their exclusion; the targets say themselves what they are.
            instead: ["background": ".included", "softTargets": "false"]),
        Original(
            preset: ".monai.softmaxFocal",
            signature: "include_background=True, to_onehot_y=False, gamma=2.0, alpha=None, weight=None, "
                + "reduction=mean, use_softmax=False, ignore_index=None",
            instead: ["ignoring": "false"]),  // whether ignore_index is given
        Original(
            preset: ".monai.asymmetricUnifiedFocal",
            signature: "to_onehot_y=False, num_classes=2, weight=0.5, gamma=0.5, delta=0.7, reduction=mean, "
                + "ignore_index=None",
            // num_classes; the library's own; that of the two halves' signatures.
            instead: ["classes": "2", "includeBackground": "true", "epsilon": "1e-7"]),
        Original(
            preset: ".monai.boundary",
            signature: "include_background=True, to_onehot_y=False, sigmoid=False, softmax=False, other_act=None, "
                + "reduction=mean, batch=False",
            // Without a spacing the transform's is 1.
            instead: ["background": ".included", "spacing": "nil"]),
        Original(
            preset: ".monai.hausdorffDT",
            signature: "alpha=2.0, include_background=False, to_onehot_y=False, sigmoid=False, softmax=False, "
                + "other_act=None, reduction=mean, batch=False",
            instead: ["spacing": "nil"]),
        Original(
            preset: ".monai.logHausdorffDT",
            signature: "alpha=2.0, include_background=False, to_onehot_y=False, sigmoid=False, softmax=False, "
                + "other_act=None, reduction=mean, batch=False",
            instead: ["spacing": "nil"]),
        Original(
            preset: ".monai.diceCE",
            signature: "include_background=True, to_onehot_y=False, sigmoid=False, softmax=False, other_act=None, "
                + "squared_pred=False, jaccard=False, reduction='mean', smooth_nr=1e-05, smooth_dr=1e-05, "
                + "batch=False, weight=None, lambda_dice=1.0, lambda_ce=1.0, label_smoothing=0.0",
            instead: ["softTargets": "false"]),
        Original(
            preset: ".monai.diceBCE",
            signature: "include_background=True, squared_pred=False, jaccard=False, reduction='mean', "
                + "smooth_nr=1e-05, smooth_dr=1e-05, batch=False, weight=None, lambda_dice=1.0, lambda_ce=1.0, "
                + "label_smoothing=0.0"),
        Original(
            preset: ".monai.diceFocal",
            signature: "include_background=True, to_onehot_y=False, sigmoid=False, softmax=False, other_act=None, "
                + "squared_pred=False, jaccard=False, reduction='mean', smooth_nr=1e-05, smooth_dr=1e-05, "
                + "batch=False, gamma=2.0, weight=None, lambda_dice=1.0, lambda_focal=1.0, alpha=None",
            instead: ["background": ".included", "softTargets": "false"]),
        Original(
            preset: ".monai.generalizedDiceFocal",
            signature: "include_background=True, to_onehot_y=False, sigmoid=False, softmax=False, other_act=None, "
                + "w_type=square, reduction=mean, smooth_nr=1e-05, smooth_dr=1e-05, batch=False, gamma=2.0, "
                + "weight=None, lambda_gdl=1.0, lambda_focal=1.0",
            instead: ["background": ".included", "softTargets": "false"]),
        // nnU-Net v2
        Original(
            preset: ".nnUNet.dice",
            signature: "apply_nonlin=None, batch_dice=False, do_bg=True, smooth=1.0, ddp=True, clip_tp=None",
            instead: ["doBackground": "true", "clipTP": "0"]),  // do_bg; no clip is one at 0
        Original(
            preset: ".nnUNet.robustCrossEntropy",
            signature: "weight=None, ignore_index=-100, reduction='mean', label_smoothing=0.0"),
        // Of the sums the weights have defaults; Dice's options are those of the trainers.
        Original(
            preset: ".nnUNet.diceCE",
            signature: "weight_ce=1, weight_dice=1, ignore_label=None, weight=None, label_smoothing=0.0",
            instead: ["batchDice": "false", "doBackground": "false", "smooth": "1e-5", "clipTP": "0"]),
        Original(
            preset: ".nnUNet.diceBCE", signature: "weight_ce=1, weight_dice=1, weight=None, pos_weight=None",
            instead: ["batchDice": "false", "doBackground": "true", "smooth": "1e-5", "clipTP": "0"]),
        Original(
            preset: ".nnUNet.topK", signature: "weight=None, ignore_index=-100, k=10, label_smoothing=0"),
        Original(
            preset: ".nnUNet.diceTopK",
            signature: "weight_ce=1, weight_dice=1, ignore_label=None, weight=None, k=10, label_smoothing=0",
            instead: ["batchDice": "false", "doBackground": "false", "smooth": "1e-5", "clipTP": "0"]),
        // segmentation_models.pytorch
        Original(
            preset: ".smp.dice",
            signature: "classes=None, log_loss=False, from_logits=True, smooth=0.0, ignore_index=None, eps=1e-7, "
                + "class_weights=None"),
        Original(
            preset: ".smp.jaccard",
            signature: "classes=None, log_loss=False, from_logits=True, smooth=0.0, ignore_index=None, eps=1e-7, "
                + "class_weights=None"),
        Original(
            preset: ".smp.tversky",
            signature: "classes=None, log_loss=False, from_logits=True, smooth=0.0, ignore_index=None, eps=1e-7, "
                + "alpha=0.5, beta=0.5, gamma=1.0, class_weights=None"),
        Original(
            preset: ".smp.focal",
            signature: "alpha=None, gamma=2.0, ignore_index=None, reduction='mean', normalized=False, "
                + "reduced_threshold=None, class_weights=None",
            instead: ["classes": "nil"]),  // the mode says so
        Original(preset: ".smp.mcc", signature: "eps=1e-5"),
        Original(
            preset: ".smp.softBCE",
            signature: "weight=None, ignore_index=-100, reduction='mean', smooth_factor=None, pos_weight=None",
            instead: ["smoothFactor": "0"]),  // no smoothing is one of 0
        Original(
            preset: ".smp.softCrossEntropy",
            signature: "reduction='mean', smooth_factor=None, ignore_index=-100, dim=1",
            instead: ["smoothFactor": "0"]),  // the original's is an error
        // kornia
        Original(
            preset: ".kornia.dice", signature: "average='micro', eps=1e-8, weight=None, ignore_index=-100"),
        Original(preset: ".kornia.tversky", signature: "eps=1e-8, ignore_index=-100"),
        Original(
            preset: ".kornia.focal", signature: "gamma=2.0, reduction='none', weight=None, ignore_index=-100",
            instead: noReduction),
        Original(
            preset: ".kornia.binaryFocal",
            signature: "alpha=0.25, gamma=2.0, reduction='none', pos_weight=None, weight=None, ignore_index=-100",
            instead: noReduction),
        // SAM 2: the focal loss's signature; the weights of its training configuration
        Original(
            preset: ".sam2.mask", signature: "weight_mask=20, weight_dice=1, alpha=0.25, gamma=2"),
        Original(preset: ".sam2.focal", signature: "alpha=0.25, gamma=2, loss_on_multimask=False"),
        Original(preset: ".sam2.dice", signature: "loss_on_multimask=False"),
        // Mask2Former's configuration
        Original(preset: ".mask2Former.mask", signature: "weight_mask=5.0, weight_dice=5.0"),
        Original(preset: ".mask2Former.crossEntropy", signature: ""),
        Original(preset: ".mask2Former.dice", signature: ""),
        // mmsegmentation
        Original(
            preset: ".mmSegmentation.crossEntropy",
            signature: "use_sigmoid=False, use_mask=False, reduction='mean', class_weight=None, loss_weight=1.0, "
                + "avg_non_ignore=False"),
        Original(
            preset: ".mmSegmentation.binaryCrossEntropy",
            signature: "use_mask=False, reduction='mean', class_weight=None, loss_weight=1.0, avg_non_ignore=False"),
        Original(
            preset: ".mmSegmentation.ohemCrossEntropy",
            signature: "ignore_label=255, thres=0.7, min_kept=100000, loss_weight=1.0, class_weight=None",
            instead: ["thresh": "0.7"]),  // thres
        Original(
            preset: ".mmSegmentation.ohemPixelSampler", signature: "thresh=None, min_kept=100000",
            instead: ["avgNonIgnore": "false", "classWeight": "nil"]),  // those of the loss under it
        Original(
            preset: ".mmSegmentation.focal",
            signature: "use_sigmoid=True, gamma=2.0, alpha=0.5, reduction='mean', class_weight=None, loss_weight=1.0"),
        Original(
            preset: ".mmSegmentation.dice",
            signature: "smooth=1, exponent=2, reduction='mean', class_weight=None, loss_weight=1.0, ignore_index=255",
            instead: ["squared": "true"]),  // an exponent of 2
        Original(
            preset: ".mmSegmentation.tversky",
            signature: "smooth=1, class_weight=None, loss_weight=1.0, ignore_index=255, alpha=0.3, beta=0.7"),
        Original(
            preset: ".mmDetection.dice",
            signature: "use_sigmoid=True, activate=True, reduction='mean', naive_dice=False, loss_weight=1.0, eps=1e-3"),
        // Keras 3
        Original(preset: ".keras.binaryCrossentropy", signature: "from_logits=False, label_smoothing=0.0, axis=-1"),
        Original(
            preset: ".keras.categoricalCrossentropy", signature: "from_logits=False, label_smoothing=0.0, axis=-1"),
        Original(
            preset: ".keras.binaryFocalCrossentropy",
            signature: "apply_class_balancing=False, alpha=0.25, gamma=2.0, from_logits=False, label_smoothing=0.0"),
        Original(
            preset: ".keras.categoricalFocalCrossentropy",
            signature: "alpha=0.25, gamma=2.0, from_logits=False, label_smoothing=0.0"),
        Original(preset: ".keras.dice", signature: "axis=None"),
        Original(preset: ".keras.tversky", signature: "alpha=0.5, beta=0.5, axis=None"),
        // Lovasz: Berman, and those who took it
        Original(preset: ".berman.lovaszSoftmax", signature: "classes='present', per_image=False, ignore=None"),
        Original(preset: ".berman.lovaszHinge", signature: "per_image=True, ignore=None"),
        Original(preset: ".smp.lovasz", signature: "per_image=False, ignore_index=None, from_logits=True"),
        Original(
            preset: ".mmSegmentation.lovasz",
            signature: "loss_type='multi_class', classes='present', per_image=False, reduction='mean', "
                + "class_weight=None, loss_weight=1.0"),
        Original(
            preset: ".mmSegmentation.lovaszBinary",
            signature: "loss_type='binary', classes='present', per_image=False, reduction='mean', class_weight=None, "
                + "loss_weight=1.0"),
        Original(preset: ".kornia.lovaszSoftmax", signature: "weight=None"),
        Original(preset: ".kornia.lovaszHinge", signature: ""),
        // LIVIAETS: idc is always given
        Original(preset: ".liviaets.boundary", signature: "", instead: ["resolution": "nil"]),  // of its maps: 1
        Original(preset: ".liviaets.hausdorff", signature: "", instead: ["resolution": "nil"]),
        Original(preset: ".liviaets.dice", signature: "", instead: ["idc": "nil"]),
        Original(preset: ".liviaets.generalizedDice", signature: "", instead: ["idc": "nil"]),
        Original(preset: ".liviaets.crossEntropy", signature: "", instead: ["idc": "nil"]),
        Original(preset: ".liviaets.focal", signature: "", instead: ["idc": "nil"]),
        // DB, PaddleOCR, MMOCR
        Original(preset: ".db.balancedCrossEntropy", signature: "negative_ratio=3.0, eps=1e-6"),
        Original(preset: ".db.maskL1", signature: ""),
        Original(preset: ".db.dice", signature: "eps=1e-6, weights=None", instead: ["weighted": "false"]),
        Original(preset: ".db.balancedL1", signature: "negative_ratio=3.0"),
        Original(preset: ".db.leakyDice", signature: "eps=1e-6, coverage_scale=5.0"),
        Original(preset: ".paddleOCR.dice", signature: "eps=1e-6, weights=None", instead: ["weighted": "false"]),
        Original(preset: ".paddleOCR.balancedCrossEntropy", signature: "negative_ratio=3, eps=1e-6"),
        Original(preset: ".paddleOCR.maskL1", signature: "eps=1e-6"),
        Original(
            preset: ".mmOCR.maskedBalancedBCE",
            signature: "reduction='none', negative_ratio=3, fallback_negative_num=0, eps=1e-6"),
        Original(preset: ".mmOCR.maskedDice", signature: "eps=1e-6"),
        Original(preset: ".mmOCR.maskedSquareDice", signature: "eps=1e-3"),
        Original(preset: ".mmOCR.maskedSmoothL1", signature: "beta=1, eps=1e-6"),
    ]

    func testDefaultsAreTheOriginals() throws {
        let presets = try Preset.declared()
        XCTAssertTrue(presets.count >= 60, "\(presets.count) presets")
        for preset in presets {
            let rows = Self.originals.filter { $0.preset == preset.name }
            XCTAssertEqual(rows.count, 1, "\(preset.name) has \(rows.count) originals")
            guard let original = rows.first else { continue }
            let defaults = Self.defaults(original.signature)
            for (parameter, value) in preset.defaults {
                if let ours = original.instead[parameter] {
                    XCTAssertEqual(value, ours, "\(preset.name), \(parameter)")
                    continue
                }
                guard let theirs = defaults[Self.snake(parameter)] else {
                    XCTFail("\(preset.name): the original has no default of \(parameter)")
                    continue
                }
                XCTAssertTrue(
                    Self.isSame(value, theirs), "\(preset.name): \(parameter) is \(value), the original's \(theirs)")
            }
        }
        for original in Self.originals {
            XCTAssertTrue(presets.contains { $0.name == original.preset }, "\(original.preset) is no preset")
            for parameter in original.instead.keys {
                XCTAssertTrue(
                    presets.contains { $0.name == original.preset && $0.defaults[parameter] != nil },
                    "\(original.preset) has no default of \(parameter)")
            }
        }
    }

    /// The comparison itself finds what is wrong.
    func testComparison() {
        XCTAssertEqual(Self.snake("lambdaGDL"), "lambda_gdl")
        XCTAssertEqual(Self.snake("avgNonIgnore"), "avg_non_ignore")
        XCTAssertEqual(Self.defaults("a=1, b='x'"), ["a": "1", "b": "'x'"])
        XCTAssertTrue(Self.isSame("100_000", "100000") && Self.isSame("1e-5", "1e-05") && Self.isSame("nil", "None"))
        XCTAssertTrue(Self.isSame(".square()", "square") && Self.isSame(".mean", "'mean'"))
        XCTAssertFalse(Self.isSame("0.6", "0.7") || Self.isSame("true", "False") || Self.isSame(".sum", "mean"))
        XCTAssertFalse(Self.isSame("nil", "0") || Self.isSame("0", "None"))
    }

    private static func defaults(_ signature: String) -> [String: String] {
        let pairs = signature.split(separator: ", ").map { $0.split(separator: "=", maxSplits: 1).map(String.init) }
        return Dictionary(uniqueKeysWithValues: pairs.map { ($0[0], $0[1]) })
    }

    /// `lambdaGDL` as Python writes it.
    private static func snake(_ name: String) -> String {
        name.replacing(/([a-z])([A-Z])/) { "\($0.output.1)_\($0.output.2)" }.lowercased()
    }

    private static func isSame(_ swift: String, _ python: String) -> Bool {
        if let theirs = Double(python) { return Double(swift.replacing("_", with: "")) == theirs }
        let words = ["None": "nil", "True": "true", "False": "false"]
        if let word = words[python] { return swift == word }
        return swift.replacing("()", with: "") == "." + python.replacing("'", with: "")
    }
}

/// A preset as it is declared.
struct Preset {
    /// `.monai.dice` and so on.
    let name: String
    /// The parameters that have a default, and the default as it is written.
    let defaults: [String: String]

    static func declared() throws -> [Preset] {
        let folder = CompletenessTests.root.appending(path: "Sources/SegLoss/Presets")
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
            .map { try String(contentsOf: folder.appending(path: $0), encoding: .utf8) }
        var names: [String: String] = [:]
        for file in files {
            for match in file.matches(of: /public static var (\w+): (\w+) \{/) {
                names[String(match.output.2)] = String(match.output.1)
            }
        }
        return try files.flatMap { try declared(in: $0, names) }
    }

    private static func declared(in file: String, _ names: [String: String]) throws -> [Preset] {
        var framework: String?
        var presets: [Preset] = []
        let declarations = /public struct (\w+): Sendable|extension Loss\.(\w+) \{|public func (\w+)\(([^{]*?)\) -> Loss/
        for match in file.matches(of: declarations) {
            if let type = match.output.1 ?? match.output.2 {
                framework = names[String(type)] ?? framework
                continue
            }
            let function = try XCTUnwrap(match.output.3), parameters = try XCTUnwrap(match.output.4)
            var defaults: [String: String] = [:]
            for parameter in parameters.split(separator: ",") {
                let parts = parameter.split(separator: "=").map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }
                if parts.count == 2 { defaults[String(parts[0].prefix { $0 != ":" })] = parts[1] }
            }
            presets.append(Preset(name: ".\(try XCTUnwrap(framework)).\(function)", defaults: defaults))
        }
        return presets
    }
}
