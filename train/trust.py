"""Whether the integer form of a network can be trusted to compute what was trained."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from ..errors import ModelError
from .layers import BinaryWeights, hardened_layers
from .softness import UNSATURATED

__all__ = ["FEW_IMAGES", "MAX_LOSS", "MAX_UNSATURATED", "check_trust"]

#: Maximum validation accuracy that hardening may cost, 0 ... 1.
MAX_LOSS = 0.02

#: Validation images that hardening may always cost: where there are few, they are many points.
FEW_IMAGES = 2

#: Maximum share of a soft layer's weights that may be unsaturated, 0 ... 1.
MAX_UNSATURATED = 0.01


def check_trust(model: nn.Module, hardening: Mapping[str, Any] | None = None) -> None:
    """Refuse a network whose integer form may differ much from what was trained.

    For a hardened network only the validation accuracy that hardening cost counts. A soft network is trusted
    if nearly all its weights have reached -1 or +1.

    Parameters
    ----------
    model : nn.Module
    hardening : dict or None
        The report of a model file, with the accuracies `before` and `after`.

    Raises
    ------
    ModelError
        The network is not trusted.
    """
    remedy = "train longer, with more noise, or by --method straight-through, or pass force to use it anyway"
    # Of few validation images, two are more than the points; half an image is for the rounding of floats.
    images = hardening and hardening.get("images")
    allowed = max(MAX_LOSS, (FEW_IMAGES + 0.5) / images) if images else MAX_LOSS
    if hardening and hardening["before"] - hardening["after"] > allowed:
        raise ModelError(
            f"hardening may cost at most {100 * allowed:.3g} points of validation accuracy, but cost "
            f"{100 * (hardening['before'] - hardening['after']):.1f} ({hardening['before']:.1%} to "
            f"{hardening['after']:.1%}); {remedy}"
        )
    for name, layer in hardened_layers(model):
        if isinstance(layer, BinaryWeights) and not layer.hardened:
            with torch.no_grad():
                soft = layer.binarized(layer.binarizer).abs()
            share = (1 - soft > UNSATURATED).float().mean().item()
            if share > MAX_UNSATURATED:
                raise ModelError(
                    f"layer {name!r}: at most {MAX_UNSATURATED:.0%} of the weights may be further than"
                    f" {UNSATURATED} from -1 and +1, but {share:.1%} are; harden it with sbgen.train.harden,"
                    f" {remedy}"
                )
