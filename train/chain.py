"""A model as a checked chain of layers."""

import math

import torch
from torch import nn

from ..errors import ModelError
from .layers import (
    WHITE,
    AvgPool1d,
    AvgPool2d,
    BatchNorm,
    Binarize,
    BinaryActivation,
    BinaryConv1d,
    BinaryConv2d,
    BinaryLinear,
    BinaryWeights,
    Convolution,
    Pixels,
    Residual,
    Scores,
)
from .layers.pools import average_unit
from .shapes import Shape, output_shape, pool_window
from .trace import Layers, leaves, sides, trace

__all__ = ["chain", "check", "check_values"]

#: Maximum sum of pixels, in 256ths, that float32 represents exactly.
_EXACT = 2**24

_CONVOLUTIONS = (BinaryConv1d, BinaryConv2d)
_NEURONS = (*_CONVOLUTIONS, BinaryLinear, Scores)
_MAXIMA = (nn.MaxPool1d, nn.MaxPool2d)
_AVERAGES = (AvgPool1d, nn.AvgPool1d, AvgPool2d, nn.AvgPool2d)
_AFTER_SUMS = (BatchNorm, BinaryActivation, Residual)
_AFTER_BITS = (*_NEURONS, *_MAXIMA, *_AVERAGES, Residual)
_AFTER_AVERAGES = (*_NEURONS, BatchNorm, BinaryActivation)

#: Kinds that may follow each kind; None is the beginning.
_FOLLOWING: dict[type[nn.Module] | None, tuple[type[nn.Module], ...]] = {
    None: (Binarize, Pixels),
    Binarize: (*_NEURONS, Residual),
    Pixels: (*_CONVOLUTIONS, BinaryLinear),
    BinaryLinear: _AFTER_SUMS,
    **dict.fromkeys(_CONVOLUTIONS, _AFTER_SUMS),
    Residual: _AFTER_SUMS,
    BatchNorm: (BinaryActivation,),
    BinaryActivation: _AFTER_BITS,
    **dict.fromkeys(_MAXIMA, _AFTER_BITS),
    **dict.fromkeys(_AVERAGES, _AFTER_AVERAGES),
    Scores: (),
}


def chain(model: nn.Module) -> Layers:
    """Name and module of each layer of `model` in the order they compute, checked.

    `model` is an `nn.Sequential` or any module whose `forward` passes its one input from layer to layer; it
    is traced by `torch.fx`. Modules that do nothing in evaluation are omitted.

    Raises
    ------
    ModelError
        `forward` cannot be traced or is not a chain, a layer is not supported, or two layers do not fit
        together.
    """
    layers = trace(model)
    check(layers)
    return layers


def check(layers: Layers) -> None:
    """Check that the layers are Binarize or Pixels, any number of neurons, then Scores, and that shapes fit.

    Pixels is followed by at least one layer of neurons. Neurons are BinaryLinear or, on images, BinaryConv2d;
    then optionally BatchNorm; then BinaryActivation; then on images optionally MaxPool2d, and optionally
    AvgPool2d, which BatchNorm and BinaryActivation may follow. On sequences, the layers of one dimension
    replace those of two.

    Raises
    ------
    ModelError
        The order, a shape or a number that must be exact in float32 is not supported.
    """
    before = _check_order(layers)
    if before is not Scores:
        raise ModelError(f"the last layer must be Scores, not {before.__name__ if before else 'nothing'}")


def _check_order(
    layers: Layers,
    *,
    before: type[nn.Module] | None = None,
    shape: Shape | None = None,
    on_pixels: bool = False,
) -> type[nn.Module] | None:
    """Check that each layer can follow the one before it, in order and shape; return the kind of the last."""
    area = 1  # signs that each input is the sum of, in units of the next power of two
    for name, layer in layers:
        kind = type(layer)
        if kind not in _FOLLOWING[before]:
            wanted = " or ".join(kind.__name__ for kind in _FOLLOWING[before]) or "the end"
            raise ModelError(
                f"layer {name!r}: {f'after {before.__name__}' if before else 'first'} must come {wanted}, "
                f"not {kind.__name__}"
            )
        if isinstance(layer, BinaryWeights):
            on_pixels = before is Pixels
            _check_range(name, layer, on_pixels=on_pixels, area=area)
        if isinstance(layer, Residual) and area > 1:
            raise ModelError(
                f"layer {name!r}: must take bits or sums of bits, not an activation of {area + 1} levels;"
                " give the activation before it 2 levels"
            )
        area = _signs_of(name, layer, area)
        if kind is BinaryActivation:
            on_pixels = False
        if isinstance(layer, Residual):
            if on_pixels:
                raise ModelError(
                    f"layer {name!r}: must take bits or sums of bits, but before it come sums of pixels; "
                    "put BatchNorm and BinaryActivation there"
                )
            for side, inner in sides(name, layer).items():
                last = _check_order(inner, before=before, shape=shape) if inner else None
                if last not in (*_CONVOLUTIONS, BinaryLinear, Residual):
                    raise ModelError(
                        f"layer {name!r}: its {side} must end in BinaryConv1d, BinaryConv2d or BinaryLinear,"
                        f" not {last.__name__ if last else 'nothing'}"
                    )
        shape = output_shape(name, layer, shape)
        before = kind
    return before


def _signs_of(name: str, layer: nn.Module, before: int) -> int:
    """Signs that each output of a layer is the sum of, for those of each of its inputs."""
    if isinstance(layer, BinaryActivation):
        return layer.levels - 1
    if isinstance(layer, _MAXIMA):
        return before
    if not isinstance(layer, _AVERAGES):
        return 1
    area = math.prod(pool_window(layer)[0])
    if average_unit(before * area) != average_unit(before) * average_unit(area):
        raise ModelError(
            f"layer {name!r}: an average of {area} values of {before + 1} levels is not exact in float32;"
            " take a kernel whose size is a power of two"
        )
    return before * area


def _check_range(name: str, layer: BinaryWeights, *, on_pixels: bool, area: int) -> None:
    """Check that the padding of a layer of weights is a value that its inputs can have, that its `average`
    matches the pool before it, and that its sums are exact.
    """
    white = WHITE if on_pixels else 1
    inputs = layer.weight[0].numel()
    padding_value = _padding_value(layer)
    lowest = -area / average_unit(area)
    # The maximum is padded with ones in every plane, which a sum of fewer signs does not reach.
    values = (lowest, -lowest) if area & (area + 1) == 0 else (lowest,)
    if padding_value is not None and area > 1 and padding_value not in values:
        raise ModelError(
            f"layer {name!r}: after sums of {area} signs, padding_value must be"
            f" {' or '.join(f'{value:g}' for value in values)}, not {padding_value:g}"
        )
    if isinstance(layer, Scores) and layer.average != area:
        raise ModelError(
            f"layer {name!r}: average must be {area}, the number of signs that each of its inputs is the sum"
            f" of, not {layer.average}"
        )
    if 2 * area * inputs >= _EXACT:
        raise ModelError(
            f"layer {name!r}: sums must be of less than {_EXACT // 2:,} signs to be exact, not "
            f"{area * inputs:,}; take a smaller pool"
        )
    if padding_value is not None and area == 1 and abs(padding_value) != white:
        raise ModelError(
            f"layer {name!r}: padding_value must be"
            f" {'-WHITE or WHITE after Pixels' if on_pixels else '-1 or +1'}, not {padding_value}"
        )
    if on_pixels and 255 * inputs >= _EXACT:
        raise ModelError(
            f"layer {name!r}: sums of pixels must be of at most {(_EXACT - 1) // 255} to be exact, not"
            f" {inputs}; begin with Binarize or a convolution"
        )


def _padding_value(layer: BinaryWeights) -> float | None:
    """Value of the padding of a convolution; None without padding."""
    return layer.padding_value if isinstance(layer, Convolution) and any(map(any, layer.padding)) else None


def check_values(layers: Layers) -> None:
    """Check that no parameter or statistic of the layers is NaN, infinite or a negative variance.

    Raises
    ------
    ModelError
        One is.
    """
    for name, layer in leaves(layers):
        for key, value in layer.state_dict().items():
            if not torch.isfinite(value).all():
                worst = value[~torch.isfinite(value)].flatten()[0].item()
                raise ModelError(
                    f"layer {name!r}: {key} must be finite, but holds {worst}; train anew, with a "
                    "smaller learning rate if it diverged"
                )
        if isinstance(layer, BatchNorm):
            minimum = layer.get_buffer("running_var").min().item()
            if minimum < 0:
                raise ModelError(
                    f"layer {name!r}: running_var must not be negative, but holds {minimum:g}; train anew"
                )
