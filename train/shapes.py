"""Shapes of what layers compute."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from ..errors import ModelError
from .layers import (
    AvgPool1d,
    AvgPool2d,
    BatchNorm,
    Binarize,
    BinaryActivation,
    BinaryConv1d,
    BinaryConv2d,
    BinaryLinear,
    Convolution,
    Pixels,
    Residual,
    Scores,
)
from .layers.pools import average_unit
from .trace import sides

__all__ = ["Pool", "Shape", "output_shape", "pool_padding", "pool_window"]

#: Shape of one example: (features,), (channels, length) or (channels, height, width).
Shape = tuple[int, ...]

#: A size in each dimension, and elements before and after in each dimension.
Sizes = tuple[int, ...]
Sides = tuple[tuple[int, int], ...]

#: A pool over a sequence or an image.
Pool = nn.MaxPool1d | nn.MaxPool2d | nn.AvgPool1d | nn.AvgPool2d

#: Dimensions of a layer with a window: 1 for sequences, 2 for images.
_DIMENSIONS: dict[type[nn.Module], int] = {
    BinaryConv1d: 1,
    nn.MaxPool1d: 1,
    AvgPool1d: 1,
    nn.AvgPool1d: 1,
    BinaryConv2d: 2,
    nn.MaxPool2d: 2,
    AvgPool2d: 2,
    nn.AvgPool2d: 2,
}

#: Attribute with the number of inputs, or of channels, that a kind takes.
_TAKES = {
    BinaryLinear: "inputs",
    Scores: "inputs",
    BatchNorm: "num_features",
    BinaryConv1d: "channels",
    BinaryConv2d: "channels",
}


def output_shape(name: str, layer: nn.Module, shape: Shape | None) -> Shape:
    """Shape of the output of `layer` for an input of `shape`; both without the batch.

    Parameters
    ----------
    name : str
        For the message.
    layer : nn.Module
    shape : tuple of int or None
        None for the first layer, which takes pixels.

    Raises
    ------
    ModelError
        The layer does not take that shape, or is a pooling or batch norm without an integer form here.
    """
    dimensions = _DIMENSIONS.get(type(layer))
    if dimensions is not None and shape is not None and len(shape) != 1 + dimensions:
        word, article = ("sequence", "a") if dimensions == 1 else ("image", "an")
        found = (f"{shape[0]} values", "a sequence", "an image")[len(shape) - 1]
        raise ModelError(
            f"layer {name!r}: must be given {article} {word}, not {found}; give Binarize its {word}, and put"
            " convolutions and pools before the first BinaryLinear"
        )
    takes = _TAKES.get(type(layer))
    if takes and shape is not None:
        features = math.prod(shape) if takes == "inputs" else shape[0]
        if getattr(layer, takes) != features:
            unit = "channels" if takes == "channels" else "inputs"
            raise ModelError(
                f"layer {name!r}: takes {getattr(layer, takes)} {unit}, but the layer before it gives"
                f" {features}"
            )
    return _SHAPES[type(layer)](name, layer, shape or ())


def pool_window(layer: Pool) -> tuple[Sizes, Sizes]:
    """Kernel and stride of a pool, each with a size for each dimension."""
    return _sizes(layer, layer.kernel_size), _sizes(layer, layer.stride)


def pool_padding(layer: nn.MaxPool1d | nn.MaxPool2d) -> Sides:
    """Elements around the input of a maximum pool: a pair (before, after) for each dimension."""
    return tuple((size, size) for size in _sizes(layer, layer.padding))


def _sizes(layer: Pool, value: int | Sequence[int]) -> Sizes:
    """A size for each dimension of a pool, which may have one for all."""
    return (value,) * _DIMENSIONS[type(layer)] if isinstance(value, int) else tuple(value)


def _same(name: str, layer: nn.Module, shape: Shape) -> Shape:
    return shape


def _features(name: str, layer: BinaryLinear, shape: Shape) -> Shape:
    return (layer.outputs,)


def _binarized(name: str, layer: Binarize, shape: Shape) -> Shape:
    if layer.image is None:
        return (layer.outputs,)
    if layer.sequence is not None:
        length, _ = layer.sequence
        return layer.outputs // length, length
    height, width = layer.image[:2]
    return layer.outputs // (height * width), height, width


def _pixels(name: str, layer: Pixels, shape: Shape) -> Shape:
    *image, channels = layer.image if layer.sequence is None else layer.sequence
    return channels, *image


def _convolved(name: str, layer: Convolution, shape: Shape) -> Shape:
    return layer.outputs, *_positions(name, shape, layer.kernel, layer.stride, layer.padding)


def _normalised(name: str, layer: BatchNorm, shape: Shape) -> Shape:
    if not (layer.affine and layer.track_running_stats):
        raise ModelError(f"layer {name!r}: BatchNorm must have a scale, an offset and running statistics")
    return shape


def _max_pooled(name: str, layer: nn.MaxPool1d | nn.MaxPool2d, shape: Shape) -> Shape:
    kernel, stride = pool_window(layer)
    if set(_sizes(layer, layer.dilation)) != {1} or layer.ceil_mode:
        raise ModelError(
            f"layer {name!r}: {type(layer).__name__} must have no dilation and no ceil_mode, not"
            f" {layer.dilation}, {layer.ceil_mode}"
        )
    padding = pool_padding(layer)
    if any(2 * before > size for (before, _), size in zip(padding, kernel, strict=True)):
        raise ModelError(
            f"layer {name!r}: {type(layer).__name__} must pad by at most half of its kernel {kernel}, not by"
            f" {layer.padding}"
        )
    return shape[0], *_positions(name, shape, kernel, stride, padding)


def _averaged(name: str, layer: nn.AvgPool1d | nn.AvgPool2d, shape: Shape) -> Shape:
    kernel, stride = pool_window(layer)
    area = math.prod(kernel)
    kind = type(layer).__name__
    if any(_sizes(layer, layer.padding)) or layer.ceil_mode:
        raise ModelError(
            f"layer {name!r}: {kind} must have no padding and no ceil_mode, not {layer.padding}, "
            f"{layer.ceil_mode}"
        )
    divisor = getattr(layer, "divisor_override", None) or area  # nn.AvgPool1d has none
    if divisor != average_unit(area):
        raise ModelError(
            f"layer {name!r}: to be exact, averages must divide by {average_unit(area)}, the power of two"
            f" that is not below the {area} signs of their kernel, not by {divisor};"
            f" take {kind} of sbgen.train.layers"
        )
    return shape[0], *_positions(name, shape, kernel, stride, ((0, 0),) * len(kernel))


def _with_shortcut(name: str, layer: Residual, shape: Shape) -> Shape:
    after: dict[str, Shape] = {}
    for side, layers in sides(name, layer).items():
        after[side] = shape
        for inner, part in layers:
            after[side] = output_shape(inner, part, after[side])
    wanted = tuple(after.get("shortcut", shape))
    if tuple(after["body"]) != wanted:
        given, try_this = (
            ("its shortcut gives", "")
            if layer.shortcut is not None
            else ("it takes", ", or give it a shortcut of layers, as a BinaryConv2d with a kernel of 1")
        )
        raise ModelError(
            f"layer {name!r}: its body must give the shape that {given}, {wanted}, not"
            f" {tuple(after['body'])}; choose channels, padding and stride so{try_this}"
        )
    return wanted


#: Output shape of each kind, from the name, the layer and the input shape.
_SHAPES: dict[type[nn.Module], Callable[[str, Any, Shape], Shape]] = {
    Binarize: _binarized,
    Pixels: _pixels,
    BinaryConv1d: _convolved,
    BinaryConv2d: _convolved,
    BinaryLinear: _features,
    BatchNorm: _normalised,
    BinaryActivation: _same,
    nn.MaxPool1d: _max_pooled,
    nn.MaxPool2d: _max_pooled,
    AvgPool1d: _averaged,
    nn.AvgPool1d: _averaged,
    AvgPool2d: _averaged,
    nn.AvgPool2d: _averaged,
    Residual: _with_shortcut,
    Scores: _features,
}


def _positions(name: str, shape: Shape, kernel: Sizes, stride: Sizes, padding: Sides) -> Sequence[int]:
    """Positions of a kernel in each dimension."""
    sizes = [size + sum(around) for size, around in zip(shape[1:], padding, strict=True)]
    if any(size < window for size, window in zip(sizes, kernel, strict=True)):
        raise ModelError(
            f"layer {name!r}: its kernel {kernel} must fit the padded"
            f" {'image' if len(sizes) == 2 else 'sequence'} of {' x '.join(map(str, sizes))}"
        )
    return [(size - window) // step + 1 for size, window, step in zip(sizes, kernel, stride, strict=True)]
