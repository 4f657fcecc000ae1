"""Hardening: the explicit step from a sharpened network to one that computes on -1 and +1 only."""

from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import nn

from . import inputs, statistics
from .layers import Scores, hardened, hardened_layers
from .loop import accuracy, classify
from .softness import LayerSoftness, softness

__all__ = ["SCALE_BITS", "HardeningReport", "harden"]

#: Bits of the integer scales of classes to try. Each bit costs a cycle per class in hardware.
SCALE_BITS = range(3, 11)


@dataclass(frozen=True, kw_only=True)
class HardeningReport:
    """Result of hardening.

    Parameters
    ----------
    layers : tuple of `LayerSoftness`
    before, after : float, 0 ... 1
        Validation accuracy of the soft and of the final hardened network.
    kept_statistics, estimated_statistics : float, 0 ... 1
        Hardened validation accuracy with the batch-norm statistics of training, and with those estimated with
        the hard network.
    statistics : str
        The ones that the network has now: "kept" or "estimated".
    scale_bits : int or None
        Bits of the integer scales of the classes; None if they share one.
    images : int or None
        Number of validation images; None if it is unknown.
    """

    layers: tuple[LayerSoftness, ...]
    before: float
    after: float
    kept_statistics: float
    estimated_statistics: float
    statistics: str
    scale_bits: int | None = None
    images: int | None = None


def harden(
    model: nn.Module,
    images: torch.Tensor,
    *,
    validation: tuple[torch.Tensor, torch.Tensor],
    batch: int = 1000,
) -> HardeningReport:
    """Harden `model` in place, for good, and report what that cost.

    Weights become -1 or +1 (or 0 if ternary), score offsets become the even numbers whose halves the integer
    network adds, and every layer computes hardened from now on. Batch-norm statistics are also estimated with
    the hard network; the statistics with the better validation accuracy are used, on a tie those of training.
    Scales per class get the fewest `SCALE_BITS` with the best validation accuracy.

    Parameters
    ----------
    model : nn.Module
        A trained network of the layers of `sbgen.train.layers`.
    images : uint8 tensor, shape (N, ...)
        Training images, for the batch-norm statistics.
    validation : (images, labels)
    batch : int
        Images per step of the estimation.

    Returns
    -------
    HardeningReport

    Raises
    ------
    DataError
        Images or labels do not fit the network (`inputs.checked`).
    """
    inputs.check_images(model, images, name="training")
    validation = inputs.checked(model, *validation, name="validation")
    # The values of all layers are in memory at the same time: of large images, fewer are enough.
    layers = tuple(softness(model, validation[0][: 2**23 // images[0].numel()]))
    before = accuracy(model, *validation)
    with hardened(model):
        kept_accuracy = accuracy(model, *validation)
    norms = statistics.norms(model)
    kept = [deepcopy(norm.state_dict()) for norm in norms]
    with statistics.hard_forward(model):
        statistics.estimate(model, images, batch=batch)
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
        images=len(validation[0]),
    )


def _choose_bits(model: nn.Module, scores: Scores, images: torch.Tensor, labels: torch.Tensor) -> int:
    """The fewest of `SCALE_BITS` with the best validation accuracy of the hardened network."""
    entered: list[torch.Tensor] = []
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
    return max(found, key=lambda bits: found[bits])  # the first on a tie
