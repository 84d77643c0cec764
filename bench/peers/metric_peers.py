"""Times what people compute metrics with today: scikit-learn, torchmetrics, MONAI.

    python metric_peers.py confusion|thresholds|surface labels|logits|probabilities FOLDER THREADS CLASSES EXTENT...

FOLDER holds the very labels, predicted labels (uint8) and values (float32) that the library was timed with. Prints the
median milliseconds of each peer, and a number by which to see that it computed the same: the bench prints its own before.
What a loop prepares once (labels as int64, classes one-hot for MONAI) is prepared outside the timing.
"""

import statistics
import sys
import time
import warnings

import numpy
import torch

warnings.filterwarnings("ignore")
kind, predictions, folder, threads, classes, *extents = sys.argv[1:]
classes, extents = int(classes), [int(extent) for extent in extents]
torch.set_num_threads(int(threads))


def read(name, dtype, shape):
    return torch.from_numpy(numpy.fromfile(f"{folder}/{name}", dtype=dtype).reshape(shape))


labels = read("labels", "u1", extents).long()
predicted = read("predicted", "u1", extents).long()


def confusion():
    from sklearn.metrics import confusion_matrix
    from torchmetrics.functional.classification import multiclass_confusion_matrix

    flat = labels.numpy().reshape(-1), predicted.numpy().reshape(-1)
    if predictions == "labels":
        yield "scikit-learn", "voxels of class 1 found", lambda: confusion_matrix(*flat)[1, 1]
        yield "torchmetrics", "voxels of class 1 found", lambda: multiclass_confusion_matrix(
            predicted, labels, classes, validate_args=False)[1, 1]
        return
    logits = read("values", "<f4", [1, classes, *extents])
    yield "torchmetrics", "voxels of class 1 found", lambda: multiclass_confusion_matrix(
        logits, labels[None], classes, validate_args=False)[1, 1]


def thresholds():
    from torchmetrics.functional.classification import binary_precision_recall_curve

    values = read("values", "<f4", extents)
    targets = (labels == 1).long()
    if predictions == "logits":
        values = values.sigmoid()
    levels = [0.5 + 0.05 * k for k in range(10)]

    def loop():
        truth, hits = targets.bool(), 0.0
        for level in levels:
            p = values > level
            hits += ((p & truth).sum() / (p | truth).sum()).item()
        return hits / len(levels)

    yield "torch, in a loop", "mean IoU", loop
    yield "torchmetrics, curve", "recall at 0.5", lambda: binary_precision_recall_curve(
        values, targets, thresholds=torch.tensor(levels), validate_args=False)[1][0]


def surface():
    from monai.metrics import compute_hausdorff_distance

    p, y = ((one == 1)[None, None] for one in (predicted, labels))
    yield "MONAI", "HD95", lambda: compute_hausdorff_distance(p, y, include_background=True, percentile=95)[0, 0]


def median(step):
    value, seconds, began = step(), [], time.perf_counter()
    while len(seconds) < 3 or (time.perf_counter() - began < 2 and len(seconds) < 100):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), float(value)


for name, what, step in {"confusion": confusion, "thresholds": thresholds, "surface": surface}[kind]():
    seconds, value = median(step)
    print(f"    {name}, {threads} threads: {seconds * 1e3:.3g} ms (gives {value:.6g}, {what})", flush=True)
