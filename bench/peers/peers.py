"""Times what people compute today for one case of the bench: PyTorch eager, torch.compile, MONAI, torchvision.

    python peers.py request.json answer.json

The request names a case of `CASES`, the shape, the threads and two raw files with the very logits (float32) and labels
(uint8) that the library was timed with. The answer holds, for each peer, the median seconds of value and gradient
together and the value itself, so that the bench can tell that both sides computed the same loss.

What a training loop prepares once (labels as int64, targets as float32) is prepared outside the timing, and compilation
happens in the warm-up. What a loss function does itself on every call (one-hot labels, intermediates) is timed.
"""

import importlib
import importlib.util
import json
import statistics
import sys
import time
import types

import numpy
import torch
import torch.nn.functional as F


# ------------------------------------------------------------------------------------------------- plain formulas ---

def dice_of(p, onehot, smooth, power=1):
    """Mean over samples and classes of 1 - (2 I + s) / (U + s)."""
    axes = tuple(range(2, p.dim()))
    intersection = (p * onehot).sum(axes)
    union = (p.pow(power) + onehot.pow(power)).sum(axes)
    return (1 - (2 * intersection + smooth) / (union + smooth)).mean()


def softmax_dice(logits, labels):
    onehot = F.one_hot(labels, logits.shape[1]).movedim(-1, 1).to(logits.dtype)
    return dice_of(logits.softmax(1), onehot, 1e-5)


def softmax_squared_dice(logits, labels):
    onehot = F.one_hot(labels, logits.shape[1]).movedim(-1, 1).to(logits.dtype)
    return dice_of(logits.softmax(1), onehot, 1e-5, power=2)


def softmax_dice_cross_entropy(logits, labels):
    return softmax_dice(logits, labels) + F.cross_entropy(logits, labels)


def sigmoid_dice(logits, targets):
    return dice_of(logits.sigmoid(), targets, 1e-5)


def sigmoid_focal(logits, targets, alpha=0.25, gamma=2.0):
    """The formula of torchvision's sigmoid_focal_loss, mean reduction."""
    p = logits.sigmoid()
    cross_entropy = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    p_t = p * targets + (1 - p) * (1 - targets)
    alpha_t = alpha * targets + (1 - alpha) * (1 - targets)
    return (alpha_t * (1 - p_t) ** gamma * cross_entropy).mean()


def balanced_cross_entropy(logits, targets, ratio=3.0, epsilon=1e-6):
    """DBNet's balanced cross entropy, on logits: every positive and the hardest negatives, found by topk."""
    loss = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    positive = targets
    negative = 1 - targets
    positive_count = int(positive.sum())
    negative_count = min(int(negative.sum()), int(positive_count * ratio))
    hardest, _ = torch.topk((loss * negative).view(-1), negative_count)
    return ((loss * positive).sum() + hardest.sum()) / (positive_count + negative_count + epsilon)


def masked_dice(p, text, mask, epsilon=1e-6):
    p, text = p * mask, text * mask
    return 1 - 2 * (p * text).sum() / (p.sum() + text.sum() + epsilon)


def binarization_loss(head, known, weights=(5, 10, 1), ratio=3.0, k=50.0, epsilon=1e-6):
    """DBNet's loss (Liao et al. 2020) of a head of two maps, on their logits: balanced cross entropy of the probability
    map over the batch, L1 of the threshold map, Dice of their differentiable binarization."""
    text, mask, threshold_map, threshold_mask = known
    probability, threshold = head[:, 0].sigmoid(), head[:, 1].sigmoid()
    positive, negative = text * mask, (1 - text) * mask
    loss = F.binary_cross_entropy(probability, text, reduction="none")
    positive_count = int(positive.sum())
    negative_count = min(int(negative.sum()), int(positive_count * ratio))
    hardest, _ = torch.topk((loss * negative).view(-1), negative_count)
    balanced = ((loss * positive).sum() + hardest.sum()) / (positive_count + negative_count + epsilon)
    l1 = ((threshold - threshold_map).abs() * threshold_mask).sum() / threshold_mask.sum()
    binary = torch.reciprocal(1 + torch.exp(-k * (probability - threshold)))
    return weights[0] * balanced + weights[1] * l1 + weights[2] * masked_dice(binary, text, mask, epsilon)


# -------------------------------------------------------------------------------------------------------- libraries ---

def monai_loss(name, **options):
    import monai.losses

    loss = getattr(monai.losses, name)(softmax=True, to_onehot_y=True, smooth_nr=1e-5, smooth_dr=1e-5, **options)
    return lambda logits, labels: loss(logits, labels.unsqueeze(1))


def boundary_weights(window=50):
    """5 exp(-5 |a - 1/2|) rescaled to a mean of 1, a the average without padding, of the labels that are 1."""
    before, after = (window - 1) // 2, window // 2
    divisors = {}

    def pooled(image):
        return F.avg_pool2d(F.pad(image, (before, after, before, after)), window, stride=1)

    def weights(labels):
        inside = (labels == 1).unsqueeze(1).float()
        if inside.shape not in divisors:
            divisors[inside.shape] = pooled(torch.ones_like(inside))
        weight = 5 * torch.exp(-5 * (pooled(inside) / divisors[inside.shape] - 0.5).abs())
        return weight * (weight.numel() / weight.sum())

    return weights


def torchvision_focal():
    """torchvision's own file, without its package's start.

    The published torchvision is linked against CUDA's libraries; beside a CPU build of torch its operators do not load, and
    `import torchvision` stops there. The focal loss is plain Python and needs none of them, so the packages above it
    are entered as bare folders.
    """
    folder = importlib.util.find_spec("torchvision").submodule_search_locations[0]
    for package, path in (("torchvision", folder), ("torchvision.ops", folder + "/ops")):
        if package not in sys.modules:
            sys.modules[package] = types.ModuleType(package)
            sys.modules[package].__path__ = [path]
    sigmoid_focal_loss = importlib.import_module("torchvision.ops.focal_loss").sigmoid_focal_loss
    return lambda logits, targets: sigmoid_focal_loss(logits, targets, alpha=0.25, gamma=2, reduction="mean")


# Case -> (how the labels enter, {peer: a function that makes the loss}). A new peer is one entry here.
CASES = {
    "softmax cross entropy": ("indices", {
        "torch eager": lambda: F.cross_entropy,
        "torch.compile": lambda: torch.compile(F.cross_entropy),
    }),
    "softmax Dice": ("indices", {
        "MONAI DiceLoss": lambda: monai_loss("DiceLoss"),
        "torch eager": lambda: softmax_dice,
        "torch.compile": lambda: torch.compile(softmax_dice),
    }),
    "softmax squared Dice": ("indices", {
        "MONAI DiceLoss": lambda: monai_loss("DiceLoss", squared_pred=True),
        "torch.compile": lambda: torch.compile(softmax_squared_dice),
    }),
    "softmax Dice + cross entropy": ("indices", {
        "MONAI DiceCELoss": lambda: monai_loss("DiceCELoss"),
        "torch eager": lambda: softmax_dice_cross_entropy,
        "torch.compile": lambda: torch.compile(softmax_dice_cross_entropy),
    }),
    "sigmoid BCE": ("mask", {
        "torch eager": lambda: F.binary_cross_entropy_with_logits,
        "torch.compile": lambda: torch.compile(F.binary_cross_entropy_with_logits),
    }),
    "sigmoid focal": ("mask", {
        "torchvision eager": torchvision_focal,
        "torch.compile": lambda: torch.compile(sigmoid_focal),
    }),
    "hard-negative mining": ("mask", {
        "torch eager, topk": lambda: balanced_cross_entropy,
    }),
    "DBNet": ("text", {
        "torch eager, topk": lambda: binarization_loss,
    }),
    "boundary weights": ("map", {
        "torch avg_pool2d": boundary_weights,
    }),
    "sigmoid Dice": ("mask", {
        "torch eager": lambda: sigmoid_dice,
        "torch.compile": lambda: torch.compile(sigmoid_dice),
    }),
}


# ----------------------------------------------------------------------------------------------------------- timing ---

def read_batch(request, labels_enter_as):
    shape = request["shape"]
    logits = torch.from_numpy(numpy.fromfile(request["logits"], dtype="<f4").reshape(shape))
    labels = torch.from_numpy(numpy.fromfile(request["labels"], dtype="u1").reshape([shape[0]] + shape[2:]))
    if labels_enter_as == "text":
        files = request["known"]

        def read(name, dtype):
            values = numpy.fromfile(files[name], dtype=dtype).reshape([shape[0]] + shape[2:])
            return torch.from_numpy(values).float()

        known = [labels.float(), read("mask", "u1"), read("threshold_map", "<f4"), read("threshold_mask", "u1")]
        return logits.requires_grad_(True), known
    if labels_enter_as == "mask":
        return logits.requires_grad_(True), labels.unsqueeze(1).float()
    return logits.requires_grad_(True), labels.long()


def time_map(make, labels, request):
    """A map has no gradient; its value is its mean square."""
    function = make()
    with torch.no_grad():
        measured = median_seconds(lambda: function(labels)[0, 0, 0, 0], request["secondsPerPeer"],
                                  request["minimumRuns"])
        measured["value"] = float(function(labels).double().square().mean())
    return measured


def median_seconds(step, budget, minimum_runs):
    for _ in range(2):  # the first call compiles or warms the allocator, the second settles
        value = step()
    seconds = []
    deadline = time.perf_counter() + budget
    while len(seconds) < minimum_runs or (time.perf_counter() < deadline and len(seconds) < 1000):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    return {"seconds": statistics.median(seconds), "runs": len(seconds), "value": float(value)}


def time_peer(make, logits, targets, request):
    loss_function = make()

    def step():
        logits.grad = None
        loss = loss_function(logits, targets)
        loss.backward()
        return loss.detach()

    return median_seconds(step, request["secondsPerPeer"], request["minimumRuns"])


def answer(request):
    torch.set_num_threads(request["threads"])
    labels_enter_as, makers = CASES[request["case"]]
    logits, targets = read_batch(request, labels_enter_as)
    peers, failed = {}, {}
    for name, make in makers.items():
        try:
            if labels_enter_as == "map":
                peers[name] = time_map(make, targets, request)
            else:
                peers[name] = time_peer(make, logits, targets, request)
        except Exception as error:  # one peer that does not run here must not cost the others
            failed[name] = f"{type(error).__name__}: {error}"[:400]
    return {"peers": peers, "failed": failed, "versions": versions()}


def versions():
    from importlib.metadata import version

    return {name: version(name) for name in ("torch", "torchvision", "monai", "numpy")}


if __name__ == "__main__":
    with open(sys.argv[1]) as file:
        result = answer(json.load(file))
    with open(sys.argv[2], "w") as file:
        json.dump(result, file, indent=1)
