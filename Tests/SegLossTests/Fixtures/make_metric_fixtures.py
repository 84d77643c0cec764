"""Makes metrics.json: scores and surface distances of MONAI, counts and averages of scikit-learn, of seeded label maps.

What is not finite is the string "nan" or "inf".

    python3 make_metric_fixtures.py

It needs numpy, torch, monai, scipy (whose erosion MONAI's edges are) and scikit-learn.
"""

import json
import pathlib
import warnings

import monai.metrics
import numpy
import torch
from sklearn.metrics import confusion_matrix, f1_score, jaccard_score, precision_score, recall_score

warnings.filterwarnings("ignore")


def blobs(generator, shape, classes):
    """A map of overlapping balls of classes 1 and up, on 0."""
    places = numpy.stack(numpy.meshgrid(*[numpy.arange(n) for n in shape], indexing="ij"), -1)
    labels = numpy.zeros(shape, dtype=numpy.uint8)
    for c in range(1, classes):
        center = generator.uniform(0.2, 0.8, len(shape)) * shape
        radius = generator.uniform(0.12, 0.3) * min(shape)
        labels[((places - center) ** 2).sum(-1) < radius**2] = c
    return labels


def moved(generator, labels):
    """The same a little off, with specks."""
    shift = generator.integers(-2, 3, labels.ndim)
    predicted = numpy.roll(labels, shift, tuple(range(labels.ndim)))
    specks = generator.random(labels.shape) < 0.01
    return numpy.where(specks, (predicted + 1) % (labels.max() + 1), predicted).astype(numpy.uint8)


def onehot(labels, classes):
    return torch.nn.functional.one_hot(torch.from_numpy(labels).long(), classes).movedim(-1, 1)


def numbers(tensor):
    return [float(v) if numpy.isfinite(v) else str(v) for v in tensor.reshape(-1).double().tolist()]


def averages(y, p, classes):
    """Macro averages of scikit-learn: over all classes, and over those that are true or predicted."""
    scores = {"dice": f1_score, "iou": jaccard_score, "precision": precision_score, "recall": recall_score}
    return {
        "classes": classes,
        "labels": y,
        "predicted": p,
        "all_zero": {k: f(y, p, labels=range(classes), average="macro", zero_division=0) for k, f in scores.items()},
        "all_one": {k: f(y, p, labels=range(classes), average="macro", zero_division=1) for k, f in scores.items()},
        "met_zero": {k: f(y, p, average="macro", zero_division=0) for k, f in scores.items()},
    }


def case(seed, samples, classes, extents, spacing, percentile, absent=0, unpredicted=None):
    generator = numpy.random.default_rng(seed)
    labels = numpy.stack([blobs(generator, extents, classes - absent) for _ in range(samples)])
    predicted = numpy.stack([moved(generator, one) for one in labels])
    if unpredicted is not None:
        predicted[predicted == unpredicted] = 0
    p, y = onehot(predicted, classes), onehot(labels, classes)
    of_surface = {"include_background": True, "spacing": spacing}
    return {
        "name": f"{seed}: {samples}x{classes}x{extents}",
        "shape": [samples, classes, *extents],
        "spacing": spacing,
        "percentile": percentile,
        "labels": labels.reshape(-1).tolist(),
        "predicted": predicted.reshape(-1).tolist(),
        "matrix": [
            confusion_matrix(t.reshape(-1), q.reshape(-1), labels=range(classes)).tolist()
            for t, q in zip(labels, predicted)
        ],
        "dice": numbers(monai.metrics.compute_dice(p, y, ignore_empty=True)),
        "iou": numbers(monai.metrics.compute_iou(p, y, ignore_empty=True)),
        "mean_dice": float(monai.metrics.DiceMetric(reduction="mean")(p, y).nanmean(1).mean()),
        "hausdorff": numbers(monai.metrics.compute_hausdorff_distance(p, y, **of_surface)),
        "hausdorff_percentile": numbers(
            monai.metrics.compute_hausdorff_distance(p, y, percentile=percentile, **of_surface)
        ),
        "directed": numbers(monai.metrics.compute_hausdorff_distance(p, y, directed=True, **of_surface)),
        "average": numbers(monai.metrics.compute_average_surface_distance(p, y, symmetric=True, **of_surface)),
        "average_directed": numbers(monai.metrics.compute_average_surface_distance(p, y, **of_surface)),
    }


made = [
    case(1, 2, 3, (28, 33), [1.0, 1.0], 95),
    case(2, 1, 4, (40, 24), [0.7, 1.3], 95),
    case(3, 2, 2, (9, 14, 17), [2.5, 1.0, 1.0], 95),
    case(4, 1, 3, (12, 12, 12), [1.0, 1.0, 1.0], 50),
    case(5, 1, 4, (20, 20), [1.0, 1.0], 99, absent=1),
    case(6, 1, 3, (20, 20), [1.0, 1.0], 95, unpredicted=1),
    case(7, 1, 3, (20, 20), [1.0, 1.0], 100, unpredicted=2),
]
generator = numpy.random.default_rng(8)
averaged = [averages([0, 0, 1, 1, 2], [0, 0, 1, 1, 1], 4)] + [
    averages(generator.integers(0, 4, 30).tolist(), generator.integers(1, 5, 30).tolist(), 7) for _ in range(3)
]
target = pathlib.Path(__file__).parent / "metrics.json"
target.write_text(json.dumps({"cases": made, "averages": averaged}, separators=(",", ":")) + "\n")
print(f"{target}: {len(made)} cases, {len(averaged)} averages")
