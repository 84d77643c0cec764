#!/usr/bin/env python3
"""Makes golden.json: numbers of original implementations, put in the terms and options of closs.h.

    make_fixtures.py GOLDEN_FOLDER              writes golden.json beside this script
    make_fixtures.py GOLDEN_FOLDER --check      and proves every mapping with a NumPy implementation in float64

GOLDEN_FOLDER holds inputs.json and one file of cases per system ("golden cases 1", set A; see its README.md).

A case says how the original's value follows from ours: theirs = scale * ours + offset, gradient = scale * ours.
`tolerance` is for a float32 library: the value's error relative to ours, the gradient's relative to its largest
element. `exact_tolerance` is for computations in double precision; it is above 1e-9 only where an option or target of
the original is no float32 number and had to be rounded to one.
"""
import argparse
import json
import math
import os
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))

# ---------------------------------------------------------------------------------------------------- vocabulary


def ce(weight=1.0, class_weights=None, smoothing=0.0, divisor="weight"):
    return dict(kind="cross_entropy", weight=weight, class_weights=class_weights, label_smoothing=smoothing,
                divisor=divisor)


def bce(weight=1.0, positive_weights=None, divisor="all", class_weights=None, smoothing=0.0, **more):
    """`more`: positives_only, log_offset, weighs_positives."""
    return dict(kind="binary_cross_entropy", weight=weight, positive_weights=positive_weights, divisor=divisor,
                class_weights=class_weights, label_smoothing=smoothing, **more)


def focal(gamma, alpha=None, divisor="all", weight=1.0, **more):
    """`more`: class_weights, class_gammas, per_channel, the last two inside a softmax; of channels class_alphas,
    alpha_of_positives, positive_weights, reduced_threshold, by_logit, positives_only, log_offset."""
    return dict(kind="focal", weight=weight, gamma=gamma, alpha=alpha, divisor=divisor, **more)


def dice(nr=0.0, dr=0.0, scope="sample", squared=False, background=True, class_weights=None, weight=1.0):
    return dict(kind="dice", weight=weight, smooth_numerator=nr, smooth_denominator=dr, squared=squared, scope=scope,
                exclude_background=not background, class_weights=class_weights)


def region(formula, n=0.0, d=0.0, weight=1.0, **options):
    """A region term of any options, by their names in SegLossReference's Region; the rest are the plain ones."""
    return dict(kind="region", weight=weight,
                region=dict(formula=formula, smooth_numerator=n, smooth_denominator=d, **options))


def balanced(ratio, epsilon=1e-6, minimum=0, scope="batch", weight=1.0):
    return dict(kind="balanced_binary_cross_entropy", weight=weight, negative_ratio=ratio, minimum_negatives=minimum,
                epsilon=epsilon, scope=scope)


def topk(percent, class_weights=None, counted=True, scope="batch", weight=1.0):
    return dict(kind="top_k", weight=weight, percent=percent, class_weights=class_weights, ignored_count=counted,
                scope=scope)


def balanced_l1(ratio, minimum=0, scope="batch", weight=1.0):
    return dict(kind="balanced_l1", weight=weight, negative_ratio=ratio, minimum_negatives=minimum, scope=scope)


def lovasz(kind, scope="sample", present=False, classes=None, class_weights=None, weight=1.0):
    return dict(kind=kind, weight=weight, scope=scope, present_only=present, classes=classes,
                class_weights=class_weights)


def error(kind, class_weights=None, divisor="weight", weight=1.0, **more):
    return dict(kind=kind, weight=weight, class_weights=class_weights, divisor=divisor, **more)


def distances(kind, classes=None, divisor="weight", weight=1.0, **options):
    """boundary or hausdorff, of the classes that are named. `options`: spacing (of planes, rows, columns); of hausdorff
    alpha, predicts_largest, inside_alone, logarithm."""
    return dict(kind=kind, weight=weight, divisor=divisor, distance=dict(classes=classes, **options))


# ---------------------------------------------------------------------------------------------------- the selection

CASES = []


def case(name, input, terms, activation, target="labels", kind=None, logits=None, classes=None, samples=None, mask=None,
         weights=None, maps=None, ignore=None, scale=1.0, offset=0.0, note=None, exact=1e-9, gradient=None, value=True,
         suffix="", pair=False, foreground=False):
    """`input` names the golden input; arrays without a slash are its own. `kind` is labels, bytes or floats. With `pair`
    the original takes foreground probabilities p, and we take the logits 0 and log(p / (1 - p)) of two classes. With
    `foreground` we take channel 1 and those after it of input `softmax`, and labels less 1, the background ignored."""
    if logits is None:
        logits = "probabilities" if activation == "probabilities" else "logits"
    CASES.append(dict(name=name, input=input, terms=terms if isinstance(terms, list) else [terms],
                      activation=activation, target=target, kind=kind or "labels", logits=logits, classes=classes,
                      samples=samples, mask=mask, weights=weights, maps=maps, ignore=ignore, scale=scale, offset=offset,
                      note=note, exact=exact, gradient=gradient or logits, has_value=value, suffix=suffix, pair=pair,
                      foreground=foreground))


def softmax(name, input, terms, **more):
    case(name, input, terms, "softmax", **more)


def sigmoid(name, input, terms, **more):
    if input.startswith("multilabel"):
        more.setdefault("kind", "bytes")
    case(name, input, terms, "sigmoid", **{"target": "targets", **more})


def probabilities(name, input, terms, **more):
    case(name, input, terms, "probabilities", **{"target": "targets", **more})


W4 = [0.25, 1.0, 2.0, 5.0]
V4 = [0.5, 1.0, 2.0, 4.0]

# torchvision
sigmoid("torchvision/focal_mean", "binary", focal(2, 0.25))
sigmoid("torchvision/focal_noalpha_gamma0", "binary", focal(0))
sigmoid("torchvision/focal_gamma1_sum", "multilabel", focal(1, 0.75, 1))
sigmoid("torchvision/focal_gamma37_none", "binary", focal(3.7, 0.25, 1), note="output summed")
sigmoid("torchvision/focal_gamma05", "binary_distinct", focal(0.5, 0.25), classes=1)
sigmoid("torchvision/focal_soft_targets", "multilabel", focal(2, 0.25), target="targets_soft", kind="floats")
sigmoid("torchvision/focal_all_background", "binary_background", focal(2, 0.25))
sigmoid("torchvision/focal_gamma05_saturated_nan", "binary", focal(0.5, 0.25),
        note="where the original's gradient is NaN the right derivative, 0, stands here")

# PyTorch
softmax("pytorch/ce_mean", "softmax", ce())
softmax("pytorch/ce_weight", "softmax", ce(class_weights=W4))
softmax("pytorch/ce_ignore_smoothing", "softmax", ce(smoothing=0.1), target="labels_ignore", ignore=255)
softmax("pytorch/ce_weight_ignore_smoothing", "softmax", ce(class_weights=W4, smoothing=0.05), target="labels_ignore",
        ignore=255)
softmax("pytorch/ce_sum", "softmax_many", ce(divisor=1))
softmax("pytorch/ce_none_volume", "volume", ce(divisor=1), note="output summed")
softmax("pytorch/ce_soft_targets", "softmax_soft", ce(divisor="valid"), target="targets_soft", kind="floats")
sigmoid("pytorch/bce_logits_mean", "binary", bce())
sigmoid("pytorch/bce_logits_pos_weight", "multilabel", bce(positive_weights=[1, 3, 0.25]))
sigmoid("pytorch/bce_logits_soft_none", "multilabel", bce(divisor=1), target="targets_soft", kind="floats",
        note="output summed")
sigmoid("pytorch/bce_logits_all_background", "binary_background", bce(positive_weights=[5]))
sigmoid("pytorch/bce_logits_pixel_weight", "multilabel", bce(), weights="mask",
        note="the mask is a weight map here: the mean divides by all values")
probabilities("pytorch/bce_probabilities", "binary_probabilities", bce())
probabilities("pytorch/bce_probabilities_weight_sum", "binary_probabilities", bce(divisor=1), weights="weights")
probabilities("pytorch/bce_probabilities_exact_0_1", "binary_probabilities", bce(), logits="probabilities_exact",
              note="logarithms held at -100, the gradient's denominator at 1e-12")

probabilities("pytorch/smooth_l1_masked", "db", error("smooth_l1", beta=0.1), logits="T", target="threshold_map",
              kind="floats", mask="threshold_mask")

# kornia
softmax("kornia/dice_macro", "softmax_many", dice(0, 1e-8, class_weights=[1] * 7 + [0] + [1] * 3), scale=1.1,
        note="the original's mean is over present classes: the absent class 7 has weight 0, scale 11/10")
softmax("kornia/dice_all_background", "softmax_background", dice(0, 1e-8, class_weights=[1, 0, 0]), scale=3.0,
        note="the original's mean is over present classes: only class 0 has a weight, scale 3")
softmax("kornia/focal_mean", "softmax", focal(2, 0.25, 1768), note="2 * 4 * 221 values; class 0 has 1 - alpha")
softmax("kornia/focal_gamma05", "softmax", focal(0.5, None, 1))
softmax("kornia/focal_none", "volume", focal(3.7, 0.25, 1), note="output summed")
softmax("kornia/focal_weight_ignore", "softmax", focal(1, None, 1768, class_weights=W4), target="labels_ignore",
        ignore=255)
sigmoid("kornia/binary_focal", "binary", focal(2, 0.25), kind="bytes")
sigmoid("kornia/binary_focal_pos_weight_ignore", "binary", focal(3.7, 0.4), target="targets_ignore", ignore=255,
        scale=1.25, note="positives 0.25 * 2, negatives 0.75: 1.25 times alpha 0.4; ignored values count in the mean")
sigmoid("kornia/binary_focal_pos_weight_ignore", "binary", focal(3.7, 0.25, positive_weights=[2]),
        target="targets_ignore", ignore=255, suffix="/positive_weights", note="ignored values count in the mean")
sigmoid("kornia/binary_focal_multilabel_sum", "multilabel", focal(0.5, None, 1, class_weights=[1, 0.5, 2]))

# segmentation-models-pytorch
sigmoid("smp/dice_binary", "binary", dice(scope="batch"))
sigmoid("smp/dice_binary_ignore", "binary", dice(scope="batch"), target="targets_ignore", ignore=255)
softmax("smp/dice_multiclass", "softmax", dice(scope="batch"))
softmax("smp/dice_multiclass_weights", "softmax", dice(scope="batch", class_weights=W4), scale=4 / 8.25,
        note="weights are normalised: scale C / sum of weights")
softmax("smp/dice_multiclass_ignore", "softmax", dice(scope="batch"), target="labels_ignore", ignore=255)
sigmoid("smp/dice_multilabel", "multilabel", dice(2, 2, "batch"), note="(I + s) / (U/2 + s) with s = 1")
softmax("smp/dice_all_background", "softmax_background", dice(scope="batch", class_weights=[1, 0, 0]),
        note="absent classes count as 0: weight 0")
sigmoid("smp/focal_binary", "binary", focal(2, 0.25))
sigmoid("smp/focal_binary_gamma0_ignore", "binary", focal(0, None, "valid"), target="targets_ignore", ignore=255)
sigmoid("smp/focal_multiclass", "softmax", focal(2), target="labels")
sigmoid("smp/focal_multiclass_ignore_weights", "softmax", focal(1, None, "weight"), classes=1, samples=8,
        target="derived/softmax_one_hot_ignore", kind="bytes", ignore=255, weights="derived/softmax_smp_weights",
        note="channels taken as samples, class weights as voxel weights, their sum as the divisor")
softmax("smp/focal_multiclass", "softmax", focal(2, per_channel=True), suffix="/softmax")
softmax("smp/focal_multiclass_ignore_weights", "softmax", focal(1, None, "weight", class_weights=W4, per_channel=True),
        target="labels_ignore", ignore=255, suffix="/softmax")
sigmoid("smp/focal_multilabel_gamma05", "multilabel_distinct", focal(0.5))
sigmoid("smp/soft_bce_smooth", "binary", bce(smoothing=0.1))
sigmoid("smp/soft_bce_pos_weight_ignore", "binary", bce(positive_weights=[3]), target="targets_ignore", ignore=255)
sigmoid("smp/soft_bce_multilabel_none", "multilabel", bce(positive_weights=[1, 2, 4], divisor=1), note="output summed")
softmax("smp/soft_ce_smooth", "softmax", ce(smoothing=0.1, divisor="all"))
softmax("smp/soft_ce_smooth_ignore", "softmax", ce(divisor="all"), target="labels_ignore", ignore=255,
        note="ignored pixels count in the mean")

sigmoid("smp/focal_binary_reduced", "binary_distinct", focal(2, None, 1, reduced_threshold=0.5), classes=1)
sigmoid("smp/focal_binary_normalized", "binary", focal(2, None, "factors"))

# SAM2 and Mask2Former: one object is one sample of one channel
sigmoid("sam2_mask2former/sam2_focal", "instances", focal(2, 0.25), classes=1)
sigmoid("sam2_mask2former/sam2_focal_other", "instances", focal(1, None, 168 * 2.5), classes=1,
        note="168 pixels, divided by 2.5 objects")
sigmoid("sam2_mask2former/sam2_dice", "instances", dice(1, 1), classes=1)
sigmoid("sam2_mask2former/m2f_sigmoid_ce", "instances", bce(), classes=1)
sigmoid("sam2_mask2former/m2f_mask_and_dice", "instances", [bce(5, divisor=168 * 3), dice(1, 1, weight=25 / 3)],
        classes=1, note="168 pixels, sums over 5 objects divided by 3")

# the source texts
probabilities("seeds/s000_focal_sum", "binary_probabilities", focal(2, 0.25, 1))
probabilities("seeds/s000_focal_mean", "binary_probabilities", focal(2, 0.25))
probabilities("seeds/s000_dice_smooth1", "binary_probabilities", dice(1, 1, "batch"))
probabilities("seeds/s000_weighted_bce", "binary_probabilities", bce(divisor="weight"), weights="weights")
for short, term in [("dice", dice()), ("dice_squared", dice(squared=True)), ("dice_smooth1", dice(1, 1)),
                    ("dice_misplaced", dice(2, 1))]:
    probabilities("seeds/s002_vector_" + short, "short_vector", term, samples=1, classes=1, scale=-1.0, offset=1.0,
                  note="a coefficient: 1 - loss")
sigmoid("seeds/s002_soft_dice_literal", "binary", dice(2, 1), note="misplaced smoothing: 2 (I + 1) / (U + 1)")
sigmoid("seeds/s002_soft_dice_corrected", "binary", dice(1, 1))
probabilities("seeds/s002_dice_coeff_batch", "binary_probabilities", dice(1, 1, "batch"), scale=-1.0, offset=1.0,
              note="a coefficient: 1 - loss")
probabilities("seeds/s002_keras_squared_loss", "binary_probabilities", dice(1, 1, "batch", squared=True))
probabilities("seeds/s002_dice_coe_jaccard", "binary_probabilities", dice(1e-5, 1e-5, squared=True))
probabilities("seeds/s002_dice_coe_sorensen", "binary_probabilities", dice(1e-5, 1e-5))
sigmoid("seeds/s002_bce2d", "binary_distinct", bce(), classes=1)
DB = dict(logits="P", target="gt", mask="mask")
probabilities("seeds/s003_balanced_bce_corrected", "db", balanced(3), **DB)
probabilities("seeds/s003_masked_dice", "db", dice(0, 1e-6, "batch"), **DB)
probabilities("seeds/s003_weighted_bce", "binary_probabilities", bce(positive_weights="negatives/positives"))
probabilities("seeds/s003_focal", "binary_probabilities", focal(2, 0.75))
probabilities("seeds/s003_soft_dice_squared", "probabilities", dice(scope="batch", squared=True), target="labels")
softmax("seeds/s004_question_literal", "softmax", dice(2, 1, "batch"), scale=4.0,
        note="misplaced smoothing; four outputs, summed")
softmax("seeds/s004_question_corrected", "softmax", dice(1, 1, "batch"))

# DB
probabilities("db/balanced_bce", "db", balanced(3), **DB)
probabilities("db/balanced_bce_other_ratio", "db", balanced(1.5), kind="bytes", **DB)
probabilities("db/balanced_bce_all_negatives", "db", balanced(50), kind="floats", **DB)
probabilities("db/balanced_bce_no_text", "db_empty", balanced(3), **DB)
probabilities("db/masked_dice", "db", dice(0, 1e-6, "batch"), **DB)
probabilities("db/masked_dice_no_text", "db_empty", dice(0, 1e-6, "batch"), **DB)
for name in ["db/masked_l1", "db/masked_l1_empty"]:
    threshold = dict(logits="T", target="threshold_map", kind="floats", mask="threshold_mask")
    probabilities(name, name.replace("/masked_l1", ""), error("absolute_error"), **threshold)
probabilities("db/masked_l1", "db", error("smooth_l1", beta=0.0), logits="T", target="threshold_map", kind="floats",
              mask="threshold_mask", suffix="/smooth", note="smooth L1 with beta 0")

probabilities("db/balanced_l1", "db", balanced_l1(3), logits="T", target="threshold_map", kind="floats",
              maps="threshold_mask", note="the mask says what is positive")

# LIVIAETS
probabilities("liviaets/boundary_given_map", "probabilities", error("linear", [0, 1, 1, 1]), target="labels",
              maps="distance_maps", note="the mean over the chosen classes' values")
probabilities("liviaets/boundary", "probabilities", error("linear", divisor="valid"), target="labels",
              maps="derived/probabilities_distances", exact=1e-7, note="the map rounded to float32")
probabilities("liviaets/boundary_spacing", "probabilities", error("linear", [0, 1, 1, 0]), target="labels",
              maps="derived/probabilities_distances_spaced", exact=1e-7, note="the map rounded to float32")
probabilities("liviaets/boundary_truncated", "probabilities", error("linear", [0, 1, 1, 1]), target="labels",
              maps="derived/probabilities_distances_whole", note="distances truncated to whole numbers")
probabilities("seeds/s001_boundary_toy_literal", "toy", error("linear", [0, 1]), target="labels",
              maps="derived/toy_distances_whole", note="distances truncated to whole numbers")
probabilities("seeds/s001_boundary_toy_corrected", "toy", error("linear", [0, 1]), target="labels",
              maps="derived/toy_distances", exact=1e-7, note="the map rounded to float32")
INSIDE = dict(target="labels", suffix="/inside", note="the maps are made inside the call")
probabilities("liviaets/boundary", "probabilities", distances("boundary"), **INSIDE)
probabilities("liviaets/boundary_spacing", "probabilities", distances("boundary", [1, 2], spacing=[1, 1, 2.5]), **INSIDE)
probabilities("seeds/s001_boundary_toy_corrected", "toy", distances("boundary", [1]), **INSIDE)
probabilities("seeds/s001_boundary_corrected", "probabilities", distances("boundary", [1, 2, 3]), **INSIDE)
probabilities("liviaets/hausdorff", "probabilities",
              distances("hausdorff", [1, 2, 3], predicts_largest=True, inside_alone=True), target="labels")
probabilities("liviaets/hausdorff_truncated", "probabilities",
              distances("hausdorff", [1, 2, 3], predicts_largest=True, inside_alone=True), target="labels",
              note="all distances inside are whole numbers here")
probabilities("liviaets/dice", "probabilities", dice(1e-10, 1e-10, background=False), target="labels")

TRUE_CLASS = dict(positives_only=True, log_offset=1e-10)
probabilities("liviaets/cross_entropy", "probabilities", bce(divisor="target", **TRUE_CLASS), target="labels")
probabilities("liviaets/cross_entropy_subset", "probabilities",
              bce(divisor="target", class_weights=[0, 1, 1, 1], **TRUE_CLASS), target="labels")
probabilities("liviaets/focal", "probabilities", focal(2, None, "target", **TRUE_CLASS), target="labels")

# MONAI
S = 1e-5
softmax("monai/boundary", "softmax", error("linear", [0, 1, 1, 1]), maps="derived/softmax_distances", exact=1e-7,
        note="the map rounded to float32; the mean over the foreground is by class weights of 0 and 1")
softmax("monai/boundary", "softmax", distances("boundary", [1, 2, 3]), suffix="/inside",
        note="the maps are made inside the call")
softmax("monai/hausdorff_dt_softmax", "softmax_distinct", distances("hausdorff", [1, 2, 3]))
sigmoid("monai/hausdorff_dt_sigmoid_batch", "multilabel", distances("hausdorff"))
softmax("monai/hausdorff_dt_volume", "volume", distances("hausdorff", [1, 2]), scale=2.0,
        note="output of 1 sample and 2 classes, summed")
sigmoid("monai/log_hausdorff_dt", "binary", distances("hausdorff", logarithm=True))
softmax("monai/dice_softmax_default", "softmax", dice(S, S))
softmax("monai/dice_softmax_nobg_batch", "softmax", dice(S, S, "batch", background=False))
softmax("monai/dice_squared_smooth", "softmax_many", dice(1, 1, squared=True))
softmax("monai/dice_weight_none", "softmax", dice(S, S, class_weights=W4), scale=8.0,
        note="output of 2 samples and 4 classes, summed")
sigmoid("monai/dice_sigmoid_binary", "binary", dice(0, S))
softmax("monai/dice_ignore_255", "softmax", dice(S, S, "batch"), target="labels_ignore", ignore=255)
softmax("monai/dice_all_background", "softmax_background", dice(S, S))
softmax("monai/dice_volume", "volume", dice(S, S, background=False))
softmax("monai/dice_ce_default", "softmax", [dice(S, S), ce()])
softmax("monai/dice_ce_weight_smoothing", "softmax",
        [dice(S, S, background=False, class_weights=V4, weight=0.75), ce(1.25, V4, 0.1)])
sigmoid("monai/dice_ce_binary", "binary", [dice(S, S), bce(positive_weights=[3])])
softmax("monai/dice_ce_volume_sum", "volume", [dice(S, S, "batch", weight=3), ce(divisor=1)],
        note="reduction sum: Dice summed over 3 classes, cross entropy over the pixels")
softmax("monai/dice_soft_target_product", "softmax_soft", dice(S, S), target="targets_soft", kind="floats")
softmax("monai/dice_ce_soft_targets", "softmax_soft", [dice(S, S), ce(divisor="valid")], target="targets_soft",
        kind="floats")
softmax("monai/dice_focal_softmax", "softmax", [dice(S, S), focal(2, per_channel=True)])
softmax("monai/dice_focal_nobg_weight", "softmax",
        [dice(S, S, background=False, class_weights=[1, 1, 2, 0.5]),
         focal(3.7, None, 1326, class_weights=[0, 1, 2, 0.5], per_channel=True)],
        note="442 pixels of 3 foreground classes")
softmax("monai/focal_softmax", "softmax", focal(2, 0.25, 1768), note="2 * 4 * 221 values")
softmax("monai/focal_softmax_gamma05", "softmax_distinct", focal(0.5, None, 1768), note="2 * 4 * 221 values")
softmax("monai/focal_softmax_nobg", "softmax", focal(2, None, 1326), target="derived/softmax_foreground_labels",
        ignore=255, foreground=True,
        note="a softmax of the three foreground channels, background voxels ignored; 2 * 3 * 221 values")
softmax("monai/focal_softmax_none_ignore", "softmax", focal(2, None, "valid"), target="labels_ignore", ignore=255)
sigmoid("monai/focal_sigmoid", "binary", focal(2, 0.25))
sigmoid("monai/focal_sigmoid_gamma0", "binary", focal(0))
sigmoid("monai/focal_sigmoid_gamma05", "binary", focal(0.5))
sigmoid("monai/focal_sigmoid_gamma37_sum", "multilabel", focal(3.7, None, 128, class_weights=[1, 2, 0.5]),
        note="spatial mean (128 pixels), then the sum")
sigmoid("monai/focal_sigmoid_gamma1", "multilabel",
        focal(1, None, class_alphas=[0.25, 0.5, 0.75], alpha_of_positives=True))
sigmoid("monai/focal_sigmoid_soft_targets", "multilabel", focal(2, by_logit=True), target="targets_soft", kind="floats")
sigmoid("monai/masked_dice", "multilabel", dice(S, S), mask="mask")

# nnU-Net: minus the coefficient, so offset -1
NN = dict(offset=-1.0)
softmax("nnunet/memory_efficient_trainer", "softmax", dice(S, S, background=False), **NN)
softmax("nnunet/memory_efficient_batch_bg_smooth1", "softmax", dice(1, 1, "batch"), **NN)
softmax("nnunet/memory_efficient_nosmooth", "softmax", dice(background=False), **NN)
softmax("nnunet/memory_efficient_all_background", "softmax_background", dice(S, S, "batch", background=False), **NN)
sigmoid("nnunet/memory_efficient_regions", "multilabel", dice(S, S, "batch"), **NN)
sigmoid("nnunet/memory_efficient_regions_mask", "multilabel", dice(1, 1), mask="mask", **NN)
softmax("nnunet/soft_dice", "softmax", dice(1, 1), **NN)
softmax("nnunet/soft_dice_volume", "volume", dice(S, S, "batch", background=False), **NN)
TRAINER = [dice(S, S, background=False), ce()]
softmax("nnunet/dc_and_ce_trainer", "softmax", TRAINER, **NN)
softmax("nnunet/dc_and_ce_ignore", "softmax", TRAINER, target="labels_ignore", ignore=255, **NN)
softmax("nnunet/dc_and_ce_weighted", "softmax", [dice(1, 1, background=False), ce(class_weights=V4)], **NN)
softmax("nnunet/dc_and_ce_volume", "volume", TRAINER, **NN)
softmax("nnunet/dc_and_ce_all_background", "softmax_background", TRAINER, **NN)
sigmoid("nnunet/dc_and_bce_regions", "multilabel", [dice(S, S), bce()], **NN)
sigmoid("nnunet/dc_and_bce_regions_ignore", "multilabel", [dice(S, S, "batch"), bce(3, divisor="valid")], mask="mask",
        note="the original divides by valid pixels, not values: weight 3 channels", **NN)
softmax("nnunet/topk10", "softmax", topk(10))
softmax("nnunet/topk10_distinct", "softmax_distinct", topk(10))
softmax("nnunet/topk10_volume_ignore", "softmax", topk(10, V4), target="labels_ignore", ignore=255)
softmax("nnunet/dc_and_topk", "softmax", [dice(S, S, background=False), topk(10)], **NN)
softmax("nnunet/dc_and_topk_ignore", "softmax", [dice(S, S), topk(10)], target="labels_ignore", ignore=255, **NN)
softmax("nnunet/robust_ce_ignore", "softmax", ce(), target="labels_ignore", ignore=255)
for level, factor in [(0, 2 / 3), (1, 1 / 3)]:
    softmax("nnunet/deep_supervision", "deep_supervision", TRAINER, logits=f"logits{level}", target=f"labels{level}",
            scale=factor, offset=0.0, value=False, suffix=f"/scale{level}",
            note="the gradient of one scale; the original's value is the sum over the scales")

# Region terms
softmax("monai/dice_jaccard_sum", "softmax", region("jaccard", S / 2, S / 2), scale=8.0,
        note="(2I + s) / (2 (P + G - I) + s): half the smoothing; sum over 2 samples and 4 classes")
sigmoid("monai/dice_multilabel_jaccard_squared", "multilabel", region("jaccard", S / 2, S / 2, squared=True))
sigmoid("monai/dice_soft_label_sigmoid", "multilabel", region("dice", S, S, scope="batch", minimum=True),
        target="targets_soft", kind="floats")
softmax("monai/tversky_softmax", "softmax",
        region("tversky", S, S, alpha=0.3, beta=0.7, exclude_background=True))
sigmoid("monai/tversky_batch_sum", "multilabel", region("tversky", 1, 1, alpha=0.75, beta=0.25, scope="batch"), scale=3.0)
softmax("monai/mcc_softmax", "softmax",
        region("matthews", smooth_product=S, perfect_is_one=True, exclude_background=True))
softmax("monai/generalized_dice_square", "softmax_many",
        region("generalizedDice", S, S, scope="samplePooled", volume_weighting="square"))
softmax("monai/generalized_dice_simple", "softmax",
        region("generalizedDice", S, S, scope="batchPooled", volume_weighting="simple"))
softmax("monai/generalized_dice_uniform", "softmax_many",
        region("generalizedDice", S, S, scope="samplePooled", exclude_background=True))
softmax("monai/generalized_dice_all_background_nobg", "softmax_background",
        region("generalizedDice", S, S, scope="samplePooled", volume_weighting="square", exclude_background=True))
softmax("monai/dice_soft_label_softmax", "softmax_soft", region("dice", S, S, minimum=True), target="targets_soft",
        kind="floats")
softmax("monai/generalized_dice_focal", "softmax",
        [region("generalizedDice", S, S, scope="samplePooled", volume_weighting="square"),
         focal(2, weight=0.5, per_channel=True)])
EPS = 1e-7
SMP = dict(scope="batch", absent="zero", least_denominator=2 * EPS)
sigmoid("smp/dice_binary_log_smooth", "binary", region("dice", 2, 2, value="minusLogScore", least_score=EPS, **SMP))
sigmoid("smp/dice_binary_all_background", "binary_background", region("dice", **SMP))
softmax("smp/dice_multiclass_log_classes", "softmax_many",
        region("dice", value="minusLogScore", least_score=EPS, classes=[1, 3, 7, 9], class_count=11, **SMP))
sigmoid("smp/dice_multilabel_soft", "multilabel", region("dice", minimum=True, **SMP), target="targets_soft",
        kind="floats")
probabilities("smp/dice_from_probabilities", "probabilities",
              region("dice", value="minusLogScore", least_score=EPS, **SMP), target="labels")
JAC = dict(scope="batch", absent="zero", least_denominator=EPS)
softmax("smp/jaccard_multiclass", "softmax_many", region("jaccard", **JAC))
softmax("smp/jaccard_multiclass_log_ignore", "softmax",
        region("jaccard", value="minusLogScore", least_score=EPS, **JAC), target="labels_ignore", ignore=255)
sigmoid("smp/jaccard_multilabel_smooth", "multilabel",
        region("jaccard", 1, 1, class_weights=[1, 0.5, 2], weighting="normalized", **JAC))
sigmoid("smp/jaccard_binary", "binary", region("jaccard", **JAC))
softmax("smp/tversky_multiclass", "softmax", region("tversky", alpha=0.3, beta=0.7, **JAC))
softmax("smp/focal_tversky_multiclass", "softmax",
        region("tversky", alpha=0.7, beta=0.3, exponent=4 / 3, exponent_of_mean=True, **JAC))
sigmoid("smp/tversky_binary_ignore", "binary",
        region("tversky", alpha=0.25, beta=0.75, exponent=0.75, exponent_of_mean=True, **JAC),
        target="targets_ignore", ignore=255)
probabilities("db/leaky_dice", "db", region("leakyDice", 0, 1e-6, alpha=1, beta=5, scope="batch"), **DB)
probabilities("smp/mcc", "binary_probabilities", region("matthews", smooth_counts=1e-5, scope="batchPooled"))
softmax("kornia/dice_micro", "softmax", region("dice", 0, 1e-8, scope="samplePooled"))
softmax("kornia/dice_micro_weight", "softmax",
        region("dice", 0, 1e-8, scope="samplePooled", class_weights=W4, weighting="inside"))
softmax("kornia/dice_macro_weight_ignore", "softmax",
        region("dice", 0, 1e-8, absent="skipped", class_weights=W4, weighting="normalized"), target="labels_ignore",
        ignore=255)
softmax("kornia/tversky", "softmax", region("tversky", 0, 1e-8, alpha=0.3, beta=0.7, absent="skipped"))
softmax("kornia/tversky_ignore", "softmax", region("tversky", 0, 1e-8, alpha=0.7, beta=0.3, absent="skipped"),
        target="labels_ignore", ignore=255)
softmax("nnunet/soft_dice_clip_tp", "softmax_many",
        region("dice", S, S, least_intersection=1, least_denominator=1e-8, exclude_background=True), **NN)
LIVIAETS = dict(scope="samplePooled", volume_weighting="square", volume_offset=1e-20)
probabilities("liviaets/generalized_dice", "probabilities",
              region("generalizedDice", 2e-10, 1e-10, classes=[0, 1, 2], class_count=4, **LIVIAETS), target="labels")
probabilities("liviaets/generalized_dice_absent_class", "probabilities",
              region("generalizedDice", 2e-10, 1e-10, **LIVIAETS), target="labels")
sigmoid("sam2_mask2former/sam2_soft_dice_l1", "multilabel", region("dice", 1, 1, scope="samplePooled", minimum=True),
        target="targets_soft", kind="floats")
probabilities("seeds/s000_bce_log_dice", "binary_probabilities",
              [bce(), region("dice", 1, 1, scope="batch", value="minusLogScore")])
probabilities("seeds/s000_mixed_corrected", "binary_probabilities",
              [focal(2, 0.25, 1, 0.01), region("dice", 1, 1, scope="batch", value="minusLogScore")])
probabilities("seeds/s000_weighted_dice", "binary_probabilities", region("dice", 1, 1, scope="batch", weighted=True),
              weights="weights")
probabilities("seeds/s002_vector_iou", "short_vector", region("jaccard"), samples=1, classes=1, scale=-1.0, offset=1.0,
              note="a coefficient: 1 - loss")
probabilities("seeds/s003_soft_iou", "probabilities", region("jaccard", scope="batch"), target="labels")
probabilities("seeds/s003_soft_iou_literal", "probabilities", region("jaccard", scope="batch", value="minusScore"),
              target="labels")
CLIPPED = dict(scope="batchPooled", volume_weighting="square", volume_offset=1e-3, most_volume_weight=1 - 1e-7)
softmax("seeds/s004_weighted_corrected", "softmax", region("generalizedDice", 1, 1, **CLIPPED))
softmax("seeds/s004_weighted_literal", "softmax", region("generalizedDice", 2, 1, **CLIPPED),
        note="misplaced smoothing")
probabilities("db/masked_dice_weights", "db", region("dice", 0, 1e-6, scope="batch", weighted=True), weights="weights",
              **DB)

MAPS = dict(target="labels", maps="distance_maps", exact=1e-7)
probabilities("seeds/s001_boundary_corrected", "probabilities", error("linear", [0, 1, 1, 1]),
              note="the maps are float32 here", **MAPS)
probabilities("seeds/s001_rebalance", "probabilities",
              [dice(1, 1, "batch", weight=0.99), error("linear", [0, 1, 1, 1], weight=0.01)],
              note="the maps are float32 here", **MAPS)
softmax("monai/asymmetric_unified_focal", "binary_probabilities",
        [focal(0.5, 0.7, weight=0.25, class_gammas=[0.5, 0]),
         region("tversky", EPS, EPS, alpha=0.3, beta=0.7, class_exponents=[1, 0.5], weight=0.5)],
        logits="probabilities", target="targets", pair=True, exact=1e-6,
        note="the focal part is divided by the two classes; logits of the probabilities are float32 here")

# Lovasz: Berman's, segmentation_models' and kornia's. Where errors are equal the value alone is compared.
LS, LH = "lovasz_softmax", "lovasz_hinge"
LABELS = dict(target="labels")
probabilities("berman/softmax_present", "probabilities", lovasz(LS, "batch", True), **LABELS)
probabilities("berman/softmax_all_per_image", "probabilities", lovasz(LS, "sample"), **LABELS)
probabilities("berman/softmax_present_per_image_ignore", "probabilities", lovasz(LS, "sample", True),
              target="labels_ignore", ignore=255)
probabilities("berman/softmax_class_list", "probabilities",
              lovasz(LS, "batch", classes=[False, True, False, True]), **LABELS)
softmax("berman/softmax_logits_present", "softmax_distinct", lovasz(LS, "batch", True))
softmax("berman/softmax_logits_all_ignore", "softmax_distinct", lovasz(LS, "batch"), target="labels_ignore", ignore=255)
softmax("berman/softmax_logits_many", "softmax_distinct_many", lovasz(LS, "batch"))
probabilities("berman/softmax_ties_value_only", "ties", lovasz(LS, "batch", True), **LABELS)
ONE = dict(classes=1)
sigmoid("berman/hinge_per_image", "binary_distinct", lovasz(LH, "sample"), **ONE)
sigmoid("berman/hinge_batch", "binary_distinct", lovasz(LH, "batch"), **ONE)
sigmoid("berman/hinge_ignore", "binary_distinct", lovasz(LH, "sample"), target="targets_ignore", ignore=255, **ONE)
sigmoid("berman/hinge_ties_value_only", "ties", lovasz(LH, "sample"), target="binary_targets", logits="binary_logits",
        **ONE)
sigmoid("smp/lovasz_binary_per_image", "binary_distinct", lovasz(LH, "sample"), **ONE)
sigmoid("smp/lovasz_binary_batch_ignore", "binary_distinct", lovasz(LH, "batch"), target="targets_ignore", ignore=255,
        **ONE)
softmax("smp/lovasz_multiclass", "softmax_distinct", lovasz(LS, "batch", True))
softmax("smp/lovasz_multiclass_per_image_ignore", "softmax_distinct", lovasz(LS, "sample", True),
        target="labels_ignore", ignore=255)
softmax("smp/lovasz_multiclass_many", "softmax_distinct_many", lovasz(LS, "batch", True))
sigmoid("smp/lovasz_multilabel", "multilabel_distinct", lovasz(LH, "batchPooled"))
sigmoid("kornia/lovasz_hinge", "binary_distinct", lovasz(LH, "sample"), **ONE)
softmax("kornia/lovasz_softmax", "softmax_distinct", lovasz(LS, "sample"))
softmax("kornia/lovasz_softmax_many", "softmax_distinct_many",
        lovasz(LS, "sample", class_weights=[1, 0.5, 2, 1, 1, 1, 0.25, 1, 1, 3, 1]))

# What looks as if it belonged, and why it is not here. Everything named by neither list is no term of this library
# (IoU, weight maps, ...) or has a book of its own: DB's cases of two predictions are in
# binarization.json, distance maps in distance.json.
LEFT_OUT = {
    "pytorch/ce_all_ignored": "the value is NaN by design; ours is 0 by definition, tested on its own",
    "sam2_mask2former/m2f_point_sampled": "the sampling of points is no part of the loss kernels",
    "sam2_mask2former/sam2_multimask_total": "chooses among candidates; several predictions",
    "seeds/s000_mixed_literal": "wrong formula: the logarithm of a Dice loss, which grows as the overlap improves",
    "seeds/s000_weighted_bce_dice": "a weighted cross entropy and a Dice, both here; its input would be 130 kB of text",
    "seeds/s003_balanced_bce_literal": "wrong formula: pairs every image with every mask",
    "seeds/s004_answer_literal": "Dice of each pixel's class vector",
}


# ---------------------------------------------------------------------------------------------------- derived arrays

def derived(inputs):
    """Arrays made of the golden inputs, with what they are made of."""
    def array(input, name):
        a = inputs[input]["arrays"][name]
        return np.array(a["data"]).reshape(a["shape"])

    def per_channel(values, samples, voxels):
        return np.repeat(np.tile(np.array(values, np.float32), samples), voxels)

    def distances(labels, classes, spacing=(1, 1), whole=False):
        """Signed distances of the classes' regions: to the region outside, 1 less the distance to its outside inside;
        0 for a class that is not there. Every pixel against every other: the images are small."""
        maps = np.zeros((len(labels), classes) + labels.shape[1:])
        for n, image in enumerate(labels):
            for c in range(classes):
                inside = image == c
                if not inside.any():
                    continue
                to = [np.sqrt((((np.argwhere(~there)[:, None] - np.argwhere(there)[None]) * spacing) ** 2)
                              .sum(-1).min(1)) for there in (inside, ~inside)]
                maps[n, c][~inside] = to[0]
                maps[n, c][inside] = 1 - to[1]
        return (np.trunc(maps) if whole else maps).astype(np.float32).ravel()

    p = np.float32(array("binary_probabilities", "probabilities")).astype(np.float64).reshape(3, 1, -1)
    pair = np.concatenate([np.zeros_like(p), np.log(p) - np.log1p(-p)], axis=1)
    labels = array("softmax", "labels_ignore").reshape(2, 1, -1)
    one_hot = np.where(labels == 255, 255, labels == np.arange(4).reshape(1, 4, 1))
    whole = array("softmax", "labels")
    return {
        "derived/softmax_foreground_logits": ("channels 1 to 3 of softmax/logits",
                                              array("softmax", "logits")[:, 1:].ravel()),
        "derived/softmax_foreground_labels": ("softmax/labels less 1, 255 where that is the background",
                                              np.where(whole == 0, 255, whole - 1).ravel()),
        "derived/softmax_smp_weights": ("class weights 0.25, 1, 2, 5", per_channel(W4, 2, 221)),
        "derived/binary_logit_pairs": ("0 and the logit of binary_probabilities/probabilities", pair.ravel()),
        "derived/softmax_distances": ("signed distances of softmax/labels", distances(array("softmax", "labels"), 4)),
        "derived/probabilities_distances": ("signed distances of probabilities/labels",
                                            distances(array("probabilities", "labels"), 4)),
        "derived/probabilities_distances_spaced": (
            "signed distances of probabilities/labels, rows 1 and columns 2.5 apart",
            distances(array("probabilities", "labels"), 4, (1, 2.5))),
        "derived/probabilities_distances_whole": (
            "signed distances of probabilities/labels, truncated towards 0",
            distances(array("probabilities", "labels"), 4, whole=True)),
        "derived/toy_distances": ("signed distances of toy/labels", distances(array("toy", "labels"), 2)),
        "derived/toy_distances_whole": ("signed distances of toy/labels, truncated towards 0",
                                        distances(array("toy", "labels"), 2, whole=True)),
        "derived/softmax_one_hot_ignore": ("softmax/labels_ignore one-hot, 255 kept", one_hot.ravel()),
    }


# ---------------------------------------------------------------------------------------------------- NumPy check

def region_score(o, I, P, S, G, H, V):
    """The score of the sums of a class or pool, real or complex."""
    def held(x, least):
        return x if x.real >= least else least + 0j

    def quotient(num, den):
        den = held(den, o.get("least_denominator", 0))
        return num / den if den.real > 0 else 1 + 0j

    n, d = o["smooth_numerator"], o["smooth_denominator"]
    a, b, e, m = o.get("alpha", 0), o.get("beta", 0), o.get("smooth_counts", 0), o.get("smooth_product", 0)
    if o.get("squared"):
        P, G = S, H
    if o["formula"] in ("dice", "generalizedDice"):
        tp = held(I, o.get("least_intersection", 0))
        return quotient(2 * tp + n, 2 * tp + (P - I) + (G - I) + d)
    if o["formula"] == "jaccard":
        return quotient(I + n, P + G - I + d)
    if o["formula"] == "tversky":
        return quotient(I + n, I + a * (P - I) + b * (G - I) + d)
    if o["formula"] == "leakyDice":
        return 1 - a * (1 - quotient(I + n, P + d)) - b * (1 - quotient(I + n, G + d))
    if o.get("perfect_is_one") and P.real == I.real == G.real:
        return 1 + 0j
    tp, fp, fn, tn = I + e, P - I + e, G - I + e, V - P - G + I + e
    square = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn) + m
    root = np.sqrt(square) if square.real > 0 else 0j
    return (tp * tn - fp * fn + n) / (root + d) if root.real + d > 0 else 0j


def raised(x, exponent):
    if exponent in (0, 1):
        return x
    return x ** exponent if x.real > 0 else 0j


def region_loss(o, sums, exponent):
    score, value = region_score(o, *sums), o.get("value", "oneMinusScore")
    if value == "minusLogScore":
        least = max(o.get("least_score", 0), 2.0 ** -1022)
        return raised(-np.log(score if score.real >= least else least + 0j), exponent)
    loss = {"oneMinusScore": 1 - score, "minusScore": -score, "logCosh": np.log(np.cosh(1 - score))}[value]
    return raised(loss, exponent)


def region_group(o, I, P, S, G, H, V):
    """The value of a group from the sums of its classes."""
    c = len(I)
    classes = o.get("classes") if o.get("classes") is not None else range(c)
    members = [k for k in classes if k > 0 or not o.get("exclude_background")]
    weights = np.array(o.get("class_weights") or [1] * c, float)
    absent = {"zero": 0j, "skipped": 0j, "one": 1 + 0j}
    rule, exponent = o.get("absent", "natural"), o.get("exponent", 0)

    def loss(sums, power):
        return absent[rule] if rule != "natural" and not sums[3].real > 0 else region_loss(o, sums, power)

    if o.get("scope", "sample").endswith("Pooled"):
        power = {"uniform": 0, "simple": 1, "square": 2}[o.get("volume_weighting", "uniform")]
        volumes = {k: G[k].real ** power + (o.get("volume_offset", 0) if power else 0) for k in members}
        most = o.get("most_volume_weight", 0) or math.inf
        u = {k: min(1 / volume, most) for k, volume in volumes.items() if volume > 0}
        if not u:
            return 0j
        u = {k: u.get(k, max(u.values())) * weights[k] for k in members}
        pool = [sum(u[k] * s[k] for k in members) for s in (I, P, S, G, H, V)]
        return loss(pool, exponent)
    total, divisor = 0j, 0.0
    for k in members:
        sums = [s[k] for s in (I, P, S, G, H, V)]
        if rule == "skipped" and not sums[3].real > 0:
            continue
        power = (o.get("class_exponents") or [0 if o.get("exponent_of_mean") else exponent] * c)[k]
        total += weights[k] * loss(sums, power)
        divisor += weights[k] if o.get("weighting") == "normalized" else 1
    return raised(total / divisor, exponent if o.get("exponent_of_mean") else 0) if divisor > 0 else 0j


def region_term(o, p, g, weights, hard):
    """Value and derivative by p; the derivatives by the sums are complex steps."""
    n, c, _ = p.shape
    groups = [slice(None)] if o.get("scope", "sample").startswith("batch") else [slice(i, i + 1) for i in range(n)]
    h = g
    if o.get("minimum") and not hard:
        h = np.where(p < g, 1, np.where(p > g, 0, 0.5))
    value, derivative, step = 0.0, np.zeros_like(p), 1e-30
    for group in groups:
        pv, gv, v = p[group], g[group], weights[group]
        meeting = np.minimum(pv, gv) if o.get("minimum") else pv * gv
        sums = [(v * s).sum(axis=(0, 2)) + 0j for s in (meeting, pv, pv * pv, gv, gv * gv, np.ones_like(pv))]
        value += region_group(o, *sums).real / len(groups)
        for k in range(c):
            slopes = []
            for which in range(3):
                moved = [s.copy() for s in sums]
                moved[which][k] += 1j * step
                slopes.append(region_group(o, *moved).imag / step / len(groups))
            derivative[group, k] = v[:, k] * (slopes[0] * h[group, k] + slopes[1] + 2 * p[group, k] * slopes[2])
    return value, derivative


def side_distances(region, spacing):
    """On which side each voxel is, and how far it is to the other side (0 where there is none)."""
    to = np.zeros(region.shape)
    if region.any() and not region.all():
        inside, outside = np.argwhere(region), np.argwhere(~region)
        d = np.sqrt((((inside[:, None] - outside[None]) * np.array(spacing)) ** 2).sum(-1))
        to[region], to[~region] = d.min(1), d.min(0)
    return to


def distance_maps(problem, term, x, p, g, valid):
    """The map of a boundary or Hausdorff term."""
    o, maps = term["distance"], np.zeros_like(p)
    shape, spacing = problem["extents"], o.get("spacing") or [1, 1, 1]
    for s in range(len(p)):
        for k in range(p.shape[1]):
            region = (valid[s, k] & (g[s, k] > 0.5)).reshape(shape)
            own = side_distances(region, spacing)
            if term["kind"] == "boundary":
                absent = not region.any() or region.all()
                maps[s, k] = (np.where(region, (0 if absent else 1) - own, own)).ravel()
                continue
            hit = x[s].argmax(axis=0) == k if o.get("predicts_largest") else p[s, k] > 0.5
            there = (valid[s, k] & hit).reshape(shape)
            theirs = side_distances(there, spacing)
            if o.get("inside_alone"):
                own, theirs = own * region, theirs * there
            alpha = o.get("alpha", 2)
            maps[s, k] = (own ** alpha + theirs ** alpha).ravel()
    return maps


def evaluate(problem, arrays):
    """Value and gradient of a case's problem by the formulas of closs.h, in float64."""
    n, c, v = problem["samples"], problem["classes"], problem["voxels"]
    x = np.array(arrays[problem["logits"]], np.float64).reshape(n, c, v)
    raw = np.array(arrays[problem["target"]["values"]], np.float64)
    valid = np.ones((n, c, v), bool)
    if "mask" in problem:
        valid &= np.array(arrays[problem["mask"]]).reshape(n, 1, v) != 0
    ignore = problem.get("ignore_index")
    if problem["target"]["kind"] == "labels":
        labels = raw.reshape(n, 1, v)
        if ignore is not None:
            valid &= labels != ignore
        g = (labels == (1 if c == 1 else np.arange(c).reshape(1, c, 1))).astype(float)
    else:
        g = raw.reshape(n, c, v)
        if ignore is not None:
            valid &= g != ignore
    g = np.where(valid, g, 0)
    weights = np.ones((n, 1, v))
    if "weights" in problem:
        weights = np.array(arrays[problem["weights"]], np.float64).reshape(n, 1, v)
    w = np.broadcast_to(weights, (n, c, v)) * valid

    activation = problem["activation"]
    if activation == "softmax":
        top = x.max(axis=1, keepdims=True)
        logp = x - top - np.log(np.exp(x - top).sum(axis=1, keepdims=True))
        p = np.exp(logp)
    elif activation == "sigmoid":
        e = np.exp(-np.abs(x))
        p, q = np.where(x >= 0, 1, e) / (1 + e), np.where(x >= 0, e, 1) / (1 + e)
        n0, n1 = np.logaddexp(0, -x), np.logaddexp(0, x)
    else:
        p, q = x, 1 - x
        with np.errstate(divide="ignore"):
            n0, n1 = np.minimum(-np.log(p), 100), np.minimum(-np.log(q), 100)

    def divide(divisor, weight_sum, values, target_sum=None):
        return {"weight": weight_sum, "valid": values.sum(), "all": values.size, "target": target_sum}.get(divisor,
                                                                                                           divisor)

    def logarithms(term):  # and what their derivatives are made of: by the logit, or by an offset probability
        o = term.get("log_offset", 0)
        return (-np.log(p + o), -np.log(q + o), 1 / (p + o), 1 / (q + o)) if o else (n0, n1, q, p)

    def onwards(term, t):
        return t if term.get("log_offset", 0) else through(t)

    def through(t):  # from the derivative by the logit
        held = float(np.float32(1e-12))  # PyTorch's constant is a float
        return t / np.maximum(p * q, held) if activation == "probabilities" else t

    value, gradient = 0.0, np.zeros_like(x)
    for term in problem["terms"]:
        kind, factor = term["kind"], term["weight"]
        own = dict(p=p, logp=logp) if activation == "softmax" else {}
        if activation == "softmax" and term.get("per_channel"):
            e = np.exp(-np.abs(x))
            q = np.where(x >= 0, e, 1) / (1 + e)
            p, n0, n1 = np.where(x >= 0, 1, e) / (1 + e), np.logaddexp(0, -x), np.logaddexp(0, x)
        if activation == "softmax" and kind == "focal" and not term.get("per_channel"):
            gamma = np.array(term.get("class_gammas") or [term["gamma"]] * c, float).reshape(1, c, 1)
            a = np.array(term.get("class_weights") or [1] * c, float).reshape(1, c, 1)
            alpha = 1 if term["alpha"] is None else np.where(np.arange(c) == 0, 1 - term["alpha"], term["alpha"])
            d = divide(term["divisor"], (w * g * a).sum(), valid[:, 0])
            others = np.where(np.eye(c, dtype=bool)[None, :, :, None], 0, p[:, None])  # u without cancellation
            u, k = others.sum(axis=2), w * g * a * np.reshape(alpha, (1, -1, 1))
            # u^(gamma - 1) goes to infinity where u p does not matter
            b = k * (u ** gamma - gamma * np.where(u > 0, np.where(u > 0, u, 1) ** (gamma - 1), 0) * p * logp)
            loss, t = (k * u ** gamma * -logp).sum() / d, (p * b.sum(axis=1, keepdims=True) - b) / d
        elif kind == "cross_entropy":
            a = np.array(term["class_weights"] or [1] * c, float).reshape(1, c, 1)
            s = term["label_smoothing"]
            d = divide(term["divisor"], (w * g * a).sum(), valid[:, 0])
            k = ((1 - s) * g * a + s / c * a) * w  # weight of each -log p
            loss, t = (k * -logp).sum() / d, (p * k.sum(axis=1, keepdims=True) - k) / d
        elif kind == "binary_cross_entropy":
            a = np.array(term["positive_weights"] or [1] * c, float).reshape(1, c, 1)
            f = np.array(term["class_weights"] or [1] * c, float).reshape(1, c, 1)
            d, s = divide(term["divisor"], (f * w).sum(), valid, (f * w * g).sum()), term["label_smoothing"]
            h = g * (1 - s) + (1 - g) * s
            rest = np.zeros_like(h) if term.get("positives_only") else 1 - h
            m0, m1, k0, k1 = logarithms(term)
            loss = (f * w * (a * h * m0 + rest * m1)).sum() / d
            t = onwards(term, f * w * (rest * k1 - a * h * k0) / d)
        elif kind == "focal":
            gamma, alpha = term["gamma"], term["alpha"]
            one, positives_only = np.ones_like(g), term.get("positives_only")
            b, rest = 1 - g, 0 * g if positives_only else 1 - g
            each = np.array(term.get("class_alphas") or [1 if alpha is None else alpha] * c, float).reshape(1, c, 1)
            positive = each * np.array(term.get("positive_weights") or [1] * c, float).reshape(1, c, 1)
            whole = term.get("alpha_of_positives") or (alpha is None and not term.get("class_alphas"))
            a = positive * one if positives_only else positive * g + (one if whole else 1 - each) * b
            f = np.array(term.get("class_weights") or [1] * c, float).reshape(1, c, 1)
            m0, m1, k0, k1 = logarithms(term)
            spread = one if term.get("log_offset") else p * q
            u, hit, away, m = g * q + b * p, g * p + b * q, (1 - 2 * g) * spread, g * m0 + rest * m1
            if positives_only:
                u, hit, away = q, p, -spread
            if term.get("by_logit"):
                y = (1 - 2 * g) * x
                e = np.exp(-np.abs(y))
                u, hit = np.where(y >= 0, 1, e) / (1 + e), np.where(y >= 0, e, 1) / (1 + e)
                away = (1 - 2 * g) * u * hit
            shrunk = u ** gamma
            du = np.where(u > 0, gamma * np.where(u > 0, u, 1) ** (gamma - 1), 0)
            if term.get("reduced_threshold"):
                low, power = hit < term["reduced_threshold"], term["reduced_threshold"] ** gamma
                shrunk, du = np.where(low, 1, shrunk / power), np.where(low, 0, du / power)
            moving = term["divisor"] == "factors"
            d = (f * w * shrunk).sum() if moving else divide(term["divisor"], (f * w).sum(), valid, (f * w * g).sum())
            loss = (f * w * a * shrunk * m).sum() / d
            slope = a * (du * away * m + shrunk * (rest * k1 - g * k0)) - (loss * du * away if moving else 0)
            t = onwards(term, f * w * slope / d)
        elif kind in ("absolute_error", "smooth_l1", "linear"):
            a = np.array(term["class_weights"] or [1] * c, float).reshape(1, c, 1)
            difference = p - g
            if kind == "linear":
                m = np.array(arrays[problem["maps"]], np.float64).reshape(n, c, v)
                each, t = p * m, m
            elif kind == "smooth_l1" and term["beta"] > 0:
                small = np.abs(difference) < term["beta"]
                each = np.where(small, difference ** 2 / (2 * term["beta"]), np.abs(difference) - term["beta"] / 2)
                t = np.where(small, difference / term["beta"], np.sign(difference))
            else:
                each, t = np.abs(difference), np.sign(difference)
            d = divide(term["divisor"], (w * a).sum(), valid)
            loss, t = ((w * a * each).sum() / d, w * a * t / d) if d > 0 else (0.0, np.zeros_like(x))
            if activation == "softmax":
                t = p * (t - (p * t).sum(axis=1, keepdims=True))
            t = t * p * q if activation == "sigmoid" else t
        elif kind in ("boundary", "hausdorff"):
            named = term["distance"]["classes"]
            a = np.array([named is None or k in named for k in range(c)], float).reshape(1, c, 1)
            m = distance_maps(problem, term, x, p, g, valid)
            each, t = (p * m, m) if kind == "boundary" else ((p - g) ** 2 * m, 2 * (p - g) * m)
            d = divide(term["divisor"], (w * a).sum(), valid)
            loss, t = (w * a * each).sum() / d, w * a * t / d
            if term["distance"].get("logarithm"):
                loss, t = np.log1p(loss), t / (1 + loss)
            if activation == "softmax":
                t = p * (t - (p * t).sum(axis=1, keepdims=True))
            t = t * p * q if activation == "sigmoid" else t
        elif kind == "top_k":
            assert activation == "softmax" and term["scope"] == "batch"
            a = np.array(term["class_weights"] or [1] * c, float).reshape(1, c, 1)
            each = (w * g * a * -logp).sum(axis=1)
            k = max(1, int((each.size if term["ignored_count"] else valid[:, 0].sum()) * term["percent"] / 100))
            hard = np.argsort(-each.ravel(), kind="stable")[:k]
            taken = np.zeros(each.size)
            taken[hard] = 1
            b = w * g * a * taken.reshape(n, 1, v) / k
            loss, t = each.ravel()[hard].sum() / k, p * b.sum(axis=1, keepdims=True) - b
        elif kind == "balanced_l1":
            assert term["scope"] == "batch"
            positive = valid & (np.array(arrays[problem["maps"]]).reshape(n, c, v) > 0)
            each = np.abs(p - g)
            count = positive.sum()
            k = min((valid & ~positive).sum(), max(int(count * term["negative_ratio"]), term["minimum_negatives"]))
            hard = np.argsort(-np.where(valid & ~positive, each, -1).ravel(), kind="stable")[:k]
            share = np.where(positive, 1 / max(count, 1), 0.0)
            share.ravel()[hard] = 1 / max(k, 1)
            loss, t = (share * each).sum(), share * np.sign(p - g)
            t = t * p * q if activation == "sigmoid" else t
        elif kind.startswith("lovasz"):
            errors = np.maximum(0, 1 - x * (2 * g - 1)) if kind == "lovasz_hinge" else np.abs(g - p)
            taken = np.array(term["classes"] or [True] * c)
            pooled, batch = term["scope"].endswith("Pooled"), term["scope"].startswith("batch")
            a, loss, t = term["class_weights"] or [1] * c, 0.0, np.zeros_like(x)
            groups = [range(n)] if batch else [[i] for i in range(n)]
            for group in groups:
                found = []
                for which in [np.flatnonzero(taken)] if pooled else np.flatnonzero(taken)[:, None]:
                    here = np.zeros((n, c, v), bool)
                    here[np.ix_(group, which)] = valid[np.ix_(group, which)]
                    e, gg = errors[here], g[here]
                    if term["present_only"] and not gg.any():
                        continue
                    order = np.argsort(-e, kind="stable")
                    union = gg.sum() + np.cumsum(1 - gg[order])
                    jaccard = 1 - (gg.sum() - np.cumsum(gg[order])) / union
                    steps = np.diff(jaccard, prepend=0.0)
                    slope = np.zeros(e.size)
                    slope[order] = np.where(e[order] > 0, steps * np.where(gg[order] > 0, -1, 1), 0)
                    own_weight = 1 if pooled else a[which[0]]
                    found.append((here, own_weight * (e[order] * steps).sum(), own_weight * slope))
                for here, each, slope in found:
                    loss += each / len(found) / len(groups)
                    t[here] += slope / len(found) / len(groups)
            if activation == "softmax":
                t = p * (t - (p * t).sum(axis=1, keepdims=True))
            elif activation == "sigmoid" and kind == "lovasz_softmax":
                t = t * p * q
        elif kind == "region":
            v_w = w if term["region"].get("weighted") else valid.astype(float)
            loss, dp = region_term(term["region"], p, g, v_w, problem["target"]["kind"] != "floats")
            if activation == "softmax":
                t = p * (dp - (p * dp).sum(axis=1, keepdims=True))
            else:
                t = dp * p * q if activation == "sigmoid" else dp
        elif kind == "dice":
            first = 1 if term["exclude_background"] else 0
            a = np.array(term["class_weights"] or [1] * c, float).reshape(1, c, 1)
            axes = (0, 2) if term["scope"] == "batch" else 2
            pv, e = np.where(valid, p, 0), 2 if term["squared"] else 1
            num = 2 * (pv * g).sum(axis=axes, keepdims=True) + term["smooth_numerator"]
            den = (pv ** e).sum(axis=axes, keepdims=True) + (g ** e).sum(axis=axes, keepdims=True) \
                + term["smooth_denominator"]
            part = (np.arange(c) >= first).reshape(1, c, 1) * a * (den > 0)
            safe = np.where(den > 0, den, 1)
            count = num.shape[0] * (c - first)
            loss = (part * (1 - num / safe)).sum() / count
            dp = valid * part / count * (-2 * g / safe + num / safe ** 2 * (e * p ** (e - 1)))
            if activation == "softmax":
                t = p * (dp - (p * dp).sum(axis=1, keepdims=True))
            else:
                t = dp * p * q if activation == "sigmoid" else dp
        else:
            groups = [slice(None)] if term["scope"] == "batch" else [slice(i, i + 1) for i in range(n)]
            loss, t = 0.0, np.zeros_like(x)
            for group in groups:
                ok, gg, key = valid[group].ravel(), g[group].ravel(), x[group].ravel()
                positive, negative = np.flatnonzero(ok & (gg == 1)), np.flatnonzero(ok & (gg == 0))
                k = min(len(negative), max(math.floor(term["negative_ratio"] * len(positive)),
                                           term["minimum_negatives"]))
                hard = negative[np.argsort(-key[negative], kind="stable")[:k]]
                d = len(positive) + k + term["epsilon"]
                if d > 0:
                    loss += (n0[group].ravel()[positive].sum() + n1[group].ravel()[hard].sum()) / d / len(groups)
                    part = np.zeros(key.shape)
                    part[positive], part[hard] = -q[group].ravel()[positive], p[group].ravel()[hard]
                    t[group] = (part / d / len(groups)).reshape(t[group].shape)
            t = through(t)
        p, logp = own.get("p", p), own.get("logp")
        value += factor * loss
        gradient += factor * t
    return value, gradient


# ---------------------------------------------------------------------------------------------------- writing

def shortest(value):
    """The shortest text that is `value` as float32, as a number that json writes like that."""
    value = float(np.float32(value))
    for digits in range(1, 10):
        text = float(f"{value:.{digits}g}")
        if float(np.float32(text)) == value:
            return int(text) if text == int(text) and abs(text) < 1e6 else text
    raise ValueError(value)


def packed(values):
    """Integers times a power of ten that leaves 11 digits of the largest."""
    top = max(abs(v) for v in values)
    exponent = math.floor(math.log10(top)) - 10 if top > 0 else 0
    return exponent, [int(round(v / 10.0 ** exponent)) if exponent >= 0 else int(round(v * 10.0 ** -exponent))
                      for v in values]


def text(value):
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("golden")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()

    def load(name):
        with open(os.path.join(arguments.golden, name + ".json")) as file:
            return json.load(file)

    inputs = load("inputs")["inputs"]
    made = derived(inputs)
    golden, versions = {}, {}
    for system in ["monai", "nnunet", "smp", "kornia", "torchvision", "pytorch", "berman", "liviaets", "db",
                   "sam2_mask2former", "seeds"]:
        book = load(system)
        versions[system] = book["version"]
        for entry in book["cases"]:
            golden[entry["name"]] = entry

    used, cases, problems, worst = {}, [], 0, (0.0, 0.0)

    def use(input, name):
        if name is None:
            return None
        if name.startswith("derived/"):
            origin, values = made[name]
            used[name] = dict(origin=origin, shape=[len(values)], values=values.tolist())
            return name
        full = f"{input}/{name}"
        entry = inputs[input]["arrays"][name]
        used[full] = dict(origin=f"inputs.json: {input}, {name}", shape=entry["shape"], values=entry["data"])
        return full

    for chosen in CASES:
        original = golden[chosen["name"]]
        assert original["input"] == chosen["input"], chosen["name"]
        assert original["dtype"].startswith("float64"), chosen["name"]
        shape = inputs[chosen["input"]]["arrays"][chosen["logits"]]["shape"]
        total = int(np.prod(shape))
        samples = chosen["samples"] or shape[0]
        classes = chosen["classes"] or shape[1]
        voxels = total // samples // classes
        terms = json.loads(json.dumps(chosen["terms"]))
        logits = use(chosen["input"], "derived/binary_logit_pairs" if chosen["pair"]
                     else "derived/softmax_foreground_logits" if chosen["foreground"] else chosen["logits"])
        classes = 2 if chosen["pair"] else classes - 1 if chosen["foreground"] else classes
        target = use(chosen["input"], chosen["target"])
        for term in terms:
            if term.get("positive_weights") == "negatives/positives":
                values = np.array(used[target]["values"])
                term["positive_weights"] = [shortest((values == 0).sum() / (values == 1).sum())]
            for key in ("class_weights", "positive_weights"):
                assert all(float(np.float32(v)) == v or chosen["exact"] > 1e-9 for v in term.get(key) or []), \
                    chosen["name"]
        problem = dict(samples=samples, classes=classes, voxels=voxels, activation=chosen["activation"], terms=terms,
                       logits=logits, target=dict(kind=chosen["kind"], values=target))
        if any("distance" in term for term in terms):
            problem["extents"] = ([1, 1] + shape[2:])[-3:]
        for key in ("mask", "weights", "maps"):
            if chosen[key]:
                problem[key] = use(chosen["input"], chosen[key])
        if chosen["ignore"] is not None:
            problem["ignore_index"] = chosen["ignore"]

        unique = original["gradient"] is not None
        assert unique or "ties" in chosen["name"], chosen["name"]
        expected = original["gradient"][chosen["gradient"]]["data"] if unique else [0.0] * total
        holes = sum(v is None for v in expected)
        assert (holes > 0) == (chosen["name"] == "torchvision/focal_gamma05_saturated_nan"), chosen["name"]
        expected = [0.0 if v is None else v for v in expected]
        assert len(expected) == total
        if chosen["pair"]:
            p = np.float32(inputs[chosen["input"]]["arrays"][chosen["logits"]]["data"]).astype(np.float64)
            slope = (np.array(expected) * p * (1 - p)).reshape(samples, 1, -1)
            expected = np.concatenate([-slope, slope], axis=1).ravel().tolist()
        if chosen["foreground"]:
            expected = np.array(expected).reshape(samples, classes + 1, -1)
            assert chosen["input"] == "softmax" and not expected[:, 0].any(), chosen["name"]
            expected = expected[:, 1:].ravel().tolist()
        exponent, integers = packed(expected) if unique else (0, [])
        notes = "; ".join(x for x in (chosen["note"], original.get("note")) if x)
        entry = dict(name=chosen["name"] + chosen["suffix"], system=versions[chosen["name"].split("/")[0]],
                     callable=original["callable"], dtype=original["dtype"], note=notes, problem=problem,
                     scale=chosen["scale"], offset=chosen["offset"],
                     value=original["value"] if chosen["has_value"] else None,
                     tolerance=dict(value=1e-6, gradient=1e-6), exact_tolerance=chosen["exact"],
                     gradient=dict(exponent=exponent, integers=integers))
        if chosen["suffix"].startswith("/scale"):
            # The original's Dice is -D, ours 1 - D, and the scales' factors add up to 1.
            entry["sum_of_scales"] = original["value"] + 1
        cases.append(entry)

        if arguments.check:
            flat = {name: a["values"] for name, a in used.items()}
            checked = json.loads(text(problem))
            for term in checked["terms"]:  # options that are float32 in the library
                for key in ("class_weights", "positive_weights"):
                    if term.get(key):
                        term[key] = [float(np.float32(v)) for v in term[key]]
            arrays = {name: np.float32(v) for name, v in flat.items()}
            with np.errstate(all="raise", under="ignore", divide="ignore"):
                value, gradient = evaluate(checked, arrays)
            value_error = 0.0
            if chosen["has_value"]:
                ours = (original["value"] - chosen["offset"]) / chosen["scale"]
                value_error = abs(value - ours) / abs(ours) if ours != 0 else abs(value)
            largest = max(abs(v) for v in expected)
            if not unique:
                gradient, integers = np.zeros_like(gradient), expected
            miss = float(np.abs(gradient.ravel() * chosen["scale"] - expected).max())
            gradient_error = miss / largest if largest > 0 else miss
            stored = float(np.abs(np.array(integers, float) * 10.0 ** exponent - expected).max())
            good = value_error <= chosen["exact"] and gradient_error <= chosen["exact"] \
                and stored <= 1e-10 * largest
            problems += not good
            if chosen["exact"] == 1e-9:
                worst = max(worst[0], value_error), max(worst[1], gradient_error)
            if not good or chosen["exact"] > 1e-9:
                print(f"{'ok ' if good else 'BAD'} {entry['name']}: value {value_error:.2e} gradient "
                      f"{gradient_error:.2e} stored {stored:.2e}")

    names = {c["name"] for c in CASES}
    assert not names & set(LEFT_OUT), names & set(LEFT_OUT)
    assert set(LEFT_OUT) <= set(golden), set(LEFT_OUT) - set(golden)

    lines = ['{"origin":' + text("golden numbers of original implementations, set A; made by make_fixtures.py") + ",",
             '"relation":' + text("original value = scale * ours + offset; original gradient = scale * ours; "
                                  "a gradient is integers * 10^exponent") + ",",
             '"inputs":{']
    rows = []
    for name in sorted(used):
        a = used[name]
        rows.append(f'{text(name)}:{{"origin":{text(a["origin"])},"shape":{text(a["shape"])},'
                    f'"values":{text([shortest(v) for v in a["values"]])}}}')
    lines.append(",\n".join(rows) + "},")
    lines.append('"cases":[')
    lines.append(",\n".join(text(c) for c in cases) + "],")
    lines.append('"left_out":[')
    lines.append(",\n".join(text(dict(name=n, reason=r)) for n, r in sorted(LEFT_OUT.items())) + "]}")
    path = os.path.join(HERE, "golden.json")
    with open(path, "w") as file:
        file.write("\n".join(lines) + "\n")
    print(f"{len(cases)} cases of {len(names)} originals, {len(LEFT_OUT)} left out of those that look alike, "
          f"{len(golden) - len(names) - len(LEFT_OUT)} of other families; {os.path.getsize(path)} bytes")
    if arguments.check:
        print(f"checked: {problems} bad; worst value {worst[0]:.2e}, worst gradient {worst[1]:.2e} (relative)")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
