"""Networks of convolutions, then dense layers, then scores: those of the presets and of a user's own data."""

import math
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import nn

from .layers import (
    WHITE,
    BatchNorm,
    Binarize,
    BinaryActivation,
    BinaryConv1d,
    BinaryConv2d,
    BinaryLinear,
    Pixels,
    Scores,
)
from .methods import DEFAULT
from .presets import Convolution
from .shapes import output_shape

__all__ = ["network"]


def network(
    *,
    image_shape: Sequence[int],
    thresholds: Sequence[int] | np.ndarray | None,
    convolutions: Sequence[Convolution] = (),
    widths: Sequence[int],
    classes: int,
    method: str = DEFAULT,
    slope_cap: float | None = None,
    sequence: bool = False,
) -> nn.Sequential:
    """Build Binarize or Pixels; (conv, norm, active and optionally pool) per convolution; (linear, norm,
    active) per width; and scores.

    Parameters
    ----------
    image_shape : tuple of int
        Height and width, and channels if there are several; length and channels of a sequence.
    thresholds : tuple of int, integer array (pixels, levels), or None
        With None the first layer sums the pixels.
    convolutions : sequence of `presets.Convolution`
    widths : sequence of int
        Outputs of the dense layers.
    classes : int
    method, slope_cap
        As in `BinaryWeights`.
    sequence : bool
        Whether it takes sequences: convolutions and pooling are then of one dimension.

    Returns
    -------
    nn.Sequential
    """
    how: dict[str, Any] = {"method": method, "slope_cap": slope_cap}
    where: dict[str, Any] = {}
    if convolutions or sequence:
        where = {"sequence": image_shape} if sequence else {"image": (*image_shape, 1)[:3]}
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    if thresholds is None:
        layers["pixels"] = Pixels(**where) if where else Pixels(image_shape)
    else:
        layers["binarize"] = Binarize(math.prod(image_shape), thresholds, **where)
    convolution, pool = (BinaryConv1d, nn.MaxPool1d) if sequence else (BinaryConv2d, nn.MaxPool2d)
    ((name, first),) = layers.items()
    shape = output_shape(name, first, None)
    for number, about in enumerate(convolutions, 1):
        layers[f"conv{number}"] = convolution(
            shape[0],
            about.outputs,
            about.kernel,
            padding=about.padding,
            padding_value=-WHITE if thresholds is None and number == 1 else -1,
            **how,
        )
        layers[f"convnorm{number}"] = BatchNorm(about.outputs)
        layers[f"convactive{number}"] = BinaryActivation(**how)
        shape = output_shape(f"conv{number}", layers[f"conv{number}"], shape)
        if about.pool:
            layers[f"pool{number}"] = pool(about.pool)
            shape = output_shape(f"pool{number}", layers[f"pool{number}"], shape)
    inputs = math.prod(shape)
    for number, outputs in enumerate(widths, 1):
        layers[f"linear{number}"] = BinaryLinear(inputs, outputs, **how)
        layers[f"norm{number}"] = BatchNorm(outputs)
        layers[f"active{number}"] = BinaryActivation(**how)
        inputs = outputs
    layers["scores"] = Scores(inputs, classes, **how)
    return nn.Sequential(layers)
