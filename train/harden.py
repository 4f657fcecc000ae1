"""Hardening: the explicit step from a sharpened network to one that computes on -1 and +1 only, with its
report.
"""

from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass

import torch

from . import inputs
from .layers import BatchNorm, Scores, hardened, hardened_layers
from .loop import accuracy, classify
from .softness import LayerSoftness, softness

__all__ = ["SCALE_BITS", "HardeningReport", "harden"]

#: Bits of the integer scales of classes that are tried: each costs a cycle a class on the board.
SCALE_BITS = range(3, 11)


@dataclass(frozen=True, kw_only=True)
class HardeningReport:
    """What hardening found and did.

    Parameters
    ----------
    layers : tuple of `LayerSoftness`
    before, after : float, 0 ... 1
        Validation accuracy of the soft network and of the hardened one as it is now.
    kept_statistics, estimated_statistics : float, 0 ... 1
        Hardened validation accuracy with the batch-norm statistics of training and with those of the hard
        network.
    statistics : str
        Which of the two was taken: "kept" or "estimated".
    scale_bits : int or None
        Bits of the integer scales of the classes; None where they share one.
    """

    layers: tuple[LayerSoftness, ...]
    before: float
    after: float
    kept_statistics: float
    estimated_statistics: float
    statistics: str
    scale_bits: int | None = None


def harden(model, images, *, validation, batch=1000):
    """Hardens `model` in place, for good, and reports what that cost.

    Weights become -1 or +1 (or 0, where they are ternary), score offsets the even numbers whose halves the
    integer network adds, and every layer computes hardened from now on. Batch-norm statistics are estimated
    anew with the hard network too, and whichever statistics do better on the validation images are taken, on
    a draw those of training. Scales of single classes get the fewest of `SCALE_BITS` that no more of them do
    better than.

    Parameters
    ----------
    model : nn.Module
        As trained, composed of the layers of `sbgen.train.layers`.
    images : uint8 tensor, shape (N, ...)
        Training images, for the statistics.
    validation : (images, labels)
    batch : int
        Images in one step of the estimation.

    Returns
    -------
    HardeningReport

    Raises
    ------
    DataError
        Images or labels are not what they must be (`inputs.checked`).
    """
    inputs.check_images(model, images, name="training")
    validation = inputs.checked(model, *validation, name="validation")
    # All layers' values are held at a time: of large images, fewer tell enough.
    layers = tuple(softness(model, validation[0][: 2**23 // images[0].numel()]))
    before = accuracy(model, *validation)
    norms = [module for module in model.modules() if isinstance(module, BatchNorm)]
    with hardened(model):
        kept_accuracy = accuracy(model, *validation)
    kept = [deepcopy(norm.state_dict()) for norm in norms]
    _estimate(model, norms, images, batch)
    with hardened(model):
        estimated_accuracy = accuracy(model, *validation)
    estimated = estimated_accuracy > kept_accuracy
    if not estimated:
        for norm, state in zip(norms, kept, strict=True):
            norm.load_state_dict(state)
    scales = next(
        (layer for _, layer in hardened_layers(model) if isinstance(layer, Scores) and layer.per_class), None
    )
    if scales is not None:
        scales.scale_bits = _choose_bits(model, scales, *validation)
    with torch.no_grad():
        for _, layer in hardened_layers(model):
            layer.harden()
    model.eval()
    return HardeningReport(
        layers=layers,
        before=before,
        after=accuracy(model, *validation),
        kept_statistics=kept_accuracy,
        estimated_statistics=estimated_accuracy,
        statistics="estimated" if estimated else "kept",
        scale_bits=None if scales is None else scales.scale_bits,
    )


def _choose_bits(model, scores, images, labels):
    """The fewest of `SCALE_BITS` with the best validation accuracy of the hardened network."""
    entered = []
    hook = scores.register_forward_pre_hook(lambda layer, i: entered.append(i[0]))
    try:
        with hardened(model):
            classify(model, images)  # the network runs once: only its last layer differs
    finally:
        hook.remove()
    found = {}
    with hardened(scores), torch.no_grad():
        for scores.scale_bits in SCALE_BITS:
            right = torch.cat([scores(x) for x in entered]).argmax(1) == labels
            found[scores.scale_bits] = right.float().mean().item()
    return max(found, key=found.get)  # the first of equals


@contextmanager
def _hard_forward(model):
    # Not `hardened`: the batch norms must compute as in training, to gather their statistics.
    changed = [
        layer
        for _, layer in hardened_layers(model)
        if not isinstance(layer, BatchNorm) and not layer.hardened
    ]
    for layer in changed:
        layer.hardened = True
    try:
        yield
    finally:
        for layer in changed:
            layer.hardened = False


def _estimate(model, norms, images, batch):
    """Sets the batch-norm statistics to the mean over batches of what the hard network gives them."""
    momenta = [norm.momentum for norm in norms]
    training = [(module, module.training) for module in model.modules()]
    model.eval()  # no dropout; only the batch norms are to learn
    for norm in norms:
        norm.train()
        norm.reset_running_stats()
        norm.momentum = None
    with _hard_forward(model), torch.no_grad():
        for part in images.split(batch):
            if len(part) > 1:
                model(part)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    for module, mode in training:
        module.training = mode
