"""Networks of convolutions, then dense layers, then scores: those of the presets and of a user's own data."""

import math
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import nn

from .errors import SettingsError
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
from .layers.pools import average_unit
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
    activation_levels: Sequence[int] = (2,),
    sequence: bool = False,
    fan_in: Sequence[int] = (),
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
    activation_levels : sequence of int
        Values of each activation, as in `BinaryActivation`: one number for all, or one for each hidden layer.
    sequence : bool
        Whether it takes sequences: convolutions and pooling are then of one dimension.
    fan_in : sequence of int
        Inputs of each neuron of each dense layer, whose scores then are sums of groups; empty is all inputs.

    Returns
    -------
    nn.Sequential

    Raises
    ------
    SettingsError
        The activation levels are neither one nor one for each hidden layer, or groups do not divide.
    """
    how: dict[str, Any] = {"method": method, "slope_cap": slope_cap}
    levels = iter(_levels(activation_levels, len(convolutions) + len(widths)))
    signs = 1  # that each input of the next layer is the sum of
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
        if shape[0] % about.groups or about.outputs % about.groups:
            raise SettingsError(
                f"the groups of convolution {number} must divide its {shape[0]} channels and its"
                f" {about.outputs} outputs, but are {about.groups}"
            )
        layers[f"conv{number}"] = convolution(
            shape[0],
            about.outputs,
            about.kernel,
            padding=about.padding,
            groups=about.groups,
            padding_value=-WHITE if thresholds is None and number == 1 else -signs / average_unit(signs),
            **how,
        )
        layers[f"convnorm{number}"] = BatchNorm(about.outputs)
        layers[f"convactive{number}"] = active = BinaryActivation(levels=next(levels), **how)
        signs = active.levels - 1
        shape = output_shape(f"conv{number}", layers[f"conv{number}"], shape)
        if about.pool:
            layers[f"pool{number}"] = pool(about.pool)
            shape = output_shape(f"pool{number}", layers[f"pool{number}"], shape)
    inputs = math.prod(shape)
    few = fan_in or (None,) * len(widths)
    for number, (outputs, inputs_seen) in enumerate(zip(widths, few, strict=True), 1):
        layers[f"linear{number}"] = BinaryLinear(inputs, outputs, fan_in=inputs_seen, **how)
        layers[f"norm{number}"] = BatchNorm(outputs)
        layers[f"active{number}"] = active = BinaryActivation(levels=next(levels), **how)
        signs = active.levels - 1
        inputs = outputs
    layers["scores"] = Scores(inputs, classes, average=signs, grouped=bool(fan_in), **how)
    return nn.Sequential(layers)


def _levels(activation_levels: Sequence[int], hidden: int) -> Sequence[int]:
    """The levels of each hidden layer."""
    if len(activation_levels) not in (1, hidden):
        raise SettingsError(
            f"activation_levels must be one number or one for each of {hidden} hidden layers, not"
            f" {len(activation_levels)}"
        )
    return activation_levels if len(activation_levels) > 1 else [*activation_levels] * hidden
