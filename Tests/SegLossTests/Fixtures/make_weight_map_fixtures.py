"""Makes weight_maps.json: voxel weights as scripts make them with PyTorch, SciPy and scikit-learn, of seeded labels.

    python3 make_weight_map_fixtures.py

It needs numpy, torch, scipy and scikit-learn. What TensorFlow pads ("SAME": w - 1 in all, the smaller half before) is
written here with PyTorch's padding: average pooling of the padded mask, divided by that of padded ones.
"""

import json
import pathlib

import numpy
import torch
from scipy.ndimage import distance_transform_edt
from sklearn.utils.class_weight import compute_class_weight

functional = torch.nn.functional


def blobs(generator, extents, count):
    """Labels 1 to `count`, which are balls that may overlap, on 0."""
    places = numpy.stack(numpy.meshgrid(*[numpy.arange(n) for n in extents], indexing="ij"), -1)
    labels = numpy.zeros(extents, dtype=numpy.uint8)
    for c in range(1, count + 1):
        center = generator.uniform(0.1, 0.9, len(extents)) * extents
        radius = generator.uniform(0.08, 0.22) * max(extents)
        labels[((places - center) ** 2).sum(-1) < radius**2] = c
    return labels


def averages(mask, window, padding):
    """The average of the window around each voxel."""
    x = torch.from_numpy(mask).double()[:, None]
    pool = getattr(functional, f"avg_pool{len(window)}d")
    if padding == "same":  # TensorFlow's
        around = [n for w in reversed(window) for n in ((w - 1) // 2, w // 2)]
        a = pool(functional.pad(x, around), window, 1) / pool(functional.pad(torch.ones_like(x), around), window, 1)
    else:  # PyTorch's own, for odd windows
        reach = [(w - 1) // 2 for w in window]
        a = pool(x, window, 1, reach, count_include_pad=padding == "counted")
    return a[:, 0].numpy()


def box(seed, extents, window, padding, form, mean):
    generator = numpy.random.default_rng(seed)
    labels = numpy.stack([blobs(generator, extents, 3) for _ in range(2)])
    a = averages(labels == 2, window, padding)
    if form == "boundary":
        weights = 5 * numpy.exp(-5 * numpy.abs(a - 0.5))
    else:
        weights = 1 + 2 * ((a > 0.005) & (a < 0.995))
    if mean:  # as the scripts do
        weights = weights * weights.size / weights.sum()
    return {
        "extents": list(extents),
        "window": window,
        "counted": padding == "counted",
        "boundary": form == "boundary",
        "mean": mean,
        "labels": labels.reshape(-1).tolist(),
        "weights": rounded(weights),
    }


def cells(seed, extents, spacing, count, balanced):
    labels = blobs(numpy.random.default_rng(seed), extents, count)
    there = [c for c in range(1, count + 1) if (labels == c).any()]
    weights = numpy.ones(extents)
    if balanced:
        inside = (labels > 0).mean()
        weights = numpy.where(labels > 0, 0.5 / inside, 0.5 / (1 - inside))
    if len(there) > 1:
        distances = numpy.stack([distance_transform_edt(labels != c, sampling=spacing) for c in there])
        nearest, second = numpy.sort(distances, axis=0)[:2]
        gaps = 10 * numpy.exp(-((nearest + second) ** 2) / (2 * 5.0**2))
        weights = weights + gaps * (labels == 0)
    return {
        "extents": list(extents),
        "spacing": spacing,
        "balanced": balanced,
        "labels": labels.reshape(-1).tolist(),
        "weights": rounded(weights),
    }


def classes(seed, count):
    labels = numpy.random.default_rng(seed).geometric(0.4, 500).clip(1, count) - 1
    return {
        "labels": labels.tolist(),
        "weights": compute_class_weight("balanced", classes=numpy.arange(count), y=labels).tolist(),
    }


def rounded(weights):
    return [float(f"{w:.9g}") for w in weights.reshape(-1)]


made = {
    "boxes": [
        box(1, (40, 33), [50, 50], "same", "boundary", True),
        box(2, (40, 33), [11, 11], "same", "border", True),
        box(3, (21, 30), [4, 7], "same", "boundary", False),
        box(4, (21, 30), [7, 5], "excluded", "boundary", True),
        box(5, (21, 30), [7, 5], "counted", "boundary", True),
        box(6, (21, 30), [11, 11], "counted", "border", False),
        box(7, (9, 10, 12), [5, 3, 3], "excluded", "boundary", True),
        box(8, (9, 10, 12), [4, 2, 6], "same", "border", True),
    ],
    "cells": [
        cells(11, (30, 41), [1.0, 1.0], 6, False),
        cells(12, (30, 41), [1.0, 1.0], 6, True),
        cells(13, (24, 20), [2.0, 0.7], 4, False),
        cells(14, (8, 12, 14), [2.5, 1.0, 1.0], 5, True),
        cells(15, (20, 20), [1.0, 1.0], 1, True),
    ],
    "classes": [classes(21, 3), classes(22, 6)],
}
target = pathlib.Path(__file__).parent / "weight_maps.json"
target.write_text(json.dumps(made, separators=(",", ":")) + "\n")
print(f"{target}: {', '.join(f'{len(v)} {k}' for k, v in made.items())}")
