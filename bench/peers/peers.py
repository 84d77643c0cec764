"""Times what people compute today for one case of the bench: PyTorch eager, torch.compile, MONAI, torchvision, and for
distance maps SciPy, edt and OpenCV.

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


def signed_distances(mask):
    """Positive outside, negative inside; 0 where there is nothing to be far from."""
    from scipy.ndimage import distance_transform_edt as distances

    if not mask.any() or mask.all():
        return numpy.zeros(mask.shape)
    return distances(~mask) - distances(mask)


def boundary_loss(logits, labels):
    """The boundary loss (Kervadec et al. 2019), its maps made as its code makes them: SciPy's transforms per class, the
    inner boundary 0."""
    maps = numpy.empty(logits.shape, dtype=numpy.float32)
    for sample, image in enumerate(labels.numpy()):
        for c in range(logits.shape[1]):
            mask = image == c
            signed = signed_distances(mask)
            maps[sample, c] = signed + mask if mask.any() and not mask.all() else signed
    return (logits.softmax(1) * torch.from_numpy(maps)).mean()


def hausdorff_loss(logits, labels):
    """MONAI's HausdorffDTLoss without its overhead: foreground classes, squared distances of both sides."""
    p = logits.softmax(1)
    onehot = F.one_hot(labels, logits.shape[1]).movedim(-1, 1).to(p.dtype)

    def squares(masks):
        maps = [[signed_distances(mask) ** 2 for mask in sample] for sample in masks]
        return torch.from_numpy(numpy.array(maps)).float()

    distances = squares(p.detach().numpy()[:, 1:] > 0.5) + squares(onehot.numpy()[:, 1:] > 0.5)
    return ((p[:, 1:] - onehot[:, 1:]) ** 2 * distances).mean()


def monai_hausdorff():
    import monai.losses

    loss = monai.losses.HausdorffDTLoss(softmax=True, to_onehot_y=True)
    return lambda logits, labels: loss(logits, labels.unsqueeze(1))


# Distance maps: of labels alone, without a gradient.

def mask_distances(transform, is_volume=False):
    def distances(labels):
        image = labels[0]
        if is_volume:
            image = image.reshape(-1, image.shape[1], image.shape[1])
        return transform(image != 1)

    return distances


def class_distances(transform):
    def distances(labels):
        return [transform(labels[0] != c) - transform(labels[0] == c) for c in range(4)]

    return distances


def scipy_distances(outside):
    from scipy.ndimage import distance_transform_edt

    return distance_transform_edt(outside)


def edt_distances(threads):
    import edt

    return lambda outside: edt.edt(outside, parallel=threads)


def opencv_distances(threads):
    import cv2

    cv2.setNumThreads(threads)
    return lambda outside: cv2.distanceTransform(outside.astype(numpy.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


def masked_dice(p, text, mask, epsilon=1e-6):
    p, text = p * mask, text * mask
    return 1 - 2 * (p * text).sum() / (p.sum() + text.sum() + epsilon)


def lovasz_of(errors, foreground):
    """The Lovasz extension of the Jaccard loss, the way Berman's code and segmentation_models' compute it."""
    errors, order = torch.sort(errors, descending=True)
    foreground = foreground[order]
    right = foreground.sum() - foreground.cumsum(0)
    union = foreground.sum() + (1 - foreground).cumsum(0)
    jaccard = 1 - right / union
    return torch.dot(errors, torch.diff(jaccard, prepend=jaccard.new_zeros(1)))


def lovasz_softmax(logits, labels):
    p, losses = logits.softmax(1), []
    for c in range(logits.shape[1]):
        foreground = (labels == c).float().flatten()
        if foreground.sum() > 0:
            losses.append(lovasz_of((foreground - p[:, c].flatten()).abs(), foreground))
    return torch.stack(losses).mean()


def lovasz_hinge(logits, targets):
    return torch.stack([lovasz_of(F.relu(1 - x * (2 * g - 1)), g)
                        for x, g in zip(logits.flatten(1), targets.flatten(1))]).mean()


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


def enter_as_folders(*packages):
    """Lets modules be imported from below these packages without running what the packages themselves import."""
    for name in packages:
        if name in sys.modules:
            continue
        path = importlib.util.find_spec(name).submodule_search_locations[0]
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = [path]


def torchvision_focal():
    """torchvision.ops.sigmoid_focal_loss, plain Python. torchvision itself loads compiled operators, which stop where
    they were built beside another build of torch (its GPU build beside a CPU build of torch)."""
    enter_as_folders("torchvision", "torchvision.ops")
    sigmoid_focal_loss = importlib.import_module("torchvision.ops.focal_loss").sigmoid_focal_loss
    return lambda logits, targets: sigmoid_focal_loss(logits, targets, alpha=0.25, gamma=2, reduction="mean")


def smp_lovasz(mode, **options):
    """Its networks, which the package imports first, need torchvision's compiled operators; its losses do not."""
    enter_as_folders("segmentation_models_pytorch")
    return importlib.import_module("segmentation_models_pytorch.losses").LovaszLoss(mode, **options)


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
    "Lovasz softmax": ("indices", {
        "torch eager, sort": lambda: lovasz_softmax,
        "smp LovaszLoss": lambda: smp_lovasz("multiclass"),
    }),
    "Lovasz hinge": ("mask", {
        "torch eager, sort": lambda: lovasz_hinge,
        "smp LovaszLoss": lambda: smp_lovasz("binary", per_image=True),
    }),
    "hard-negative mining": ("mask", {
        "torch eager, topk": lambda: balanced_cross_entropy,
    }),
    "DBNet": ("text", {
        "torch eager, topk": lambda: binarization_loss,
    }),
    "boundary": ("indices", {
        "SciPy + torch": lambda: boundary_loss,
    }),
    "Hausdorff": ("indices", {
        "MONAI HausdorffDTLoss": monai_hausdorff,
        "SciPy + torch": lambda: hausdorff_loss,
    }),
    "distance map of a mask": ("labels", {
        "SciPy": lambda: mask_distances(scipy_distances),
        "edt": lambda: mask_distances(edt_distances(torch.get_num_threads())),
        "OpenCV": lambda: mask_distances(opencv_distances(torch.get_num_threads())),
    }),
    "signed distance maps": ("labels", {
        "SciPy": lambda: class_distances(scipy_distances),
        "edt": lambda: class_distances(edt_distances(torch.get_num_threads())),
        "OpenCV": lambda: class_distances(opencv_distances(torch.get_num_threads())),
    }),
    "distance map of a volume": ("labels", {
        "SciPy": lambda: mask_distances(scipy_distances, is_volume=True),
        "edt": lambda: mask_distances(edt_distances(torch.get_num_threads()), is_volume=True),
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
    if labels_enter_as == "labels":
        return None, labels.numpy()
    if labels_enter_as == "mask":
        return logits.requires_grad_(True), labels.unsqueeze(1).float()
    return logits.requires_grad_(True), labels.long()


def time_map(make, labels, request):
    """A map has no gradient; its value is its mean square."""
    function = make()
    with torch.no_grad():
        measured = median_seconds(lambda: (function(labels), 0)[1], request["secondsPerPeer"], request["minimumRuns"])
        measured["value"] = float(numpy.square(numpy.asarray(function(labels), numpy.float64)).mean())
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
            if labels_enter_as in ("map", "labels"):
                peers[name] = time_map(make, targets, request)
            else:
                peers[name] = time_peer(make, logits, targets, request)
        except Exception as error:  # one peer that does not run here must not cost the others
            failed[name] = f"{type(error).__name__}: {error}"[:400]
    return {"peers": peers, "failed": failed, "versions": versions()}


def versions():
    from importlib.metadata import version

    names = ("torch", "torchvision", "monai", "segmentation-models-pytorch", "numpy", "scipy", "edt",
             "opencv-python-headless")
    return {name: version(name) for name in names}


if __name__ == "__main__":
    with open(sys.argv[1]) as file:
        result = answer(json.load(file))
    with open(sys.argv[2], "w") as file:
        json.dump(result, file, indent=1)
