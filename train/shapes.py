"""Shapes of what layers compute."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from ..errors import ModelError
from .layers import (
    AvgPool2d,
    BatchNorm,
    Binarize,
    BinaryActivation,
    BinaryConv2d,
    BinaryLinear,
    Pixels,
    Residual,
    Scores,
)
from .layers.pools import average_unit, pair
from .trace import body

__all__ = ["Shape", "output_shape", "pool_padding", "pool_window"]

#: Shape of one example: (features,) or (channels, height, width).
Shape = tuple[int, ...]

#: A size in each dimension, and rows or columns before and after in each dimension.
Pair = tuple[int, int]
Sides = tuple[Pair, Pair]

#: Attribute with the number of inputs, or of channels, that a kind takes.
_TAKES = {BinaryLinear: "inputs", Scores: "inputs", BatchNorm: "num_features", BinaryConv2d: "channels"}


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
    if (
        isinstance(layer, (BinaryConv2d, nn.MaxPool2d, nn.AvgPool2d))
        and shape is not None
        and len(shape) != 3
    ):
        raise ModelError(
            f"layer {name!r}: must be given an image, not {shape[0]} values; give Binarize its image, and "
            "put convolutions and pools before the first BinaryLinear"
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


def pool_window(layer: nn.MaxPool2d | nn.AvgPool2d) -> Sides:
    """Kernel and stride of a pool, each a pair."""
    return pair(layer.kernel_size), pair(layer.stride)


def pool_padding(layer: nn.MaxPool2d) -> Sides:
    """Rows and columns around the image of an `nn.MaxPool2d`: pairs (before, after)."""
    rows, columns = pair(layer.padding)
    return (rows, rows), (columns, columns)


def _same(name: str, layer: nn.Module, shape: Shape) -> Shape:
    return shape


def _features(name: str, layer: BinaryLinear, shape: Shape) -> Shape:
    return (layer.outputs,)


def _binarized(name: str, layer: Binarize, shape: Shape) -> Shape:
    if layer.image is None:
        return (layer.outputs,)
    height, width = layer.image[:2]
    return layer.outputs // (height * width), height, width


def _pixels(name: str, layer: Pixels, shape: Shape) -> Shape:
    *image, channels = layer.image
    return channels, *image


def _convolved(name: str, layer: BinaryConv2d, shape: Shape) -> Shape:
    return layer.outputs, *_positions(name, shape, layer.kernel, layer.stride, layer.padding)


def _normalised(name: str, layer: BatchNorm, shape: Shape) -> Shape:
    if not (layer.affine and layer.track_running_stats):
        raise ModelError(f"layer {name!r}: BatchNorm must have a scale, an offset and running statistics")
    return shape


def _max_pooled(name: str, layer: nn.MaxPool2d, shape: Shape) -> Shape:
    kernel, stride = pool_window(layer)
    if layer.dilation not in (1, (1, 1)) or layer.ceil_mode:
        raise ModelError(
            f"layer {name!r}: MaxPool2d must have no dilation and no ceil_mode, not {layer.dilation},"
            f" {layer.ceil_mode}"
        )
    padding = pool_padding(layer)
    if any(2 * before > size for (before, _), size in zip(padding, kernel, strict=True)):
        raise ModelError(
            f"layer {name!r}: MaxPool2d must pad by at most half of its kernel {kernel}, not by"
            f" {layer.padding}"
        )
    return shape[0], *_positions(name, shape, kernel, stride, padding)


def _averaged(name: str, layer: nn.AvgPool2d, shape: Shape) -> Shape:
    kernel, stride = pool_window(layer)
    area = math.prod(kernel)
    if layer.padding not in (0, (0, 0)) or layer.ceil_mode:
        raise ModelError(
            f"layer {name!r}: AvgPool2d must have no padding and no ceil_mode, not {layer.padding}, "
            f"{layer.ceil_mode}"
        )
    if (layer.divisor_override or area) != average_unit(area):
        raise ModelError(
            f"layer {name!r}: to be exact, averages must divide by {average_unit(area)}, the power of two"
            f" that is not below the {area} signs of their kernel, not by {layer.divisor_override or area};"
            " take AvgPool2d of sbgen.train.layers"
        )
    return shape[0], *_positions(name, shape, kernel, stride, ((0, 0), (0, 0)))


def _with_shortcut(name: str, layer: Residual, shape: Shape) -> Shape:
    after = shape
    for inner, part in body(name, layer):
        after = output_shape(inner, part, after)
    if tuple(after) != tuple(shape):
        raise ModelError(
            f"layer {name!r}: its body must give the shape that it takes, {tuple(shape)}, not {tuple(after)};"
            " choose channels, padding and stride so"
        )
    return shape


#: Output shape of each kind, from the name, the layer and the input shape.
_SHAPES: dict[type[nn.Module], Callable[[str, Any, Shape], Shape]] = {
    Binarize: _binarized,
    Pixels: _pixels,
    BinaryConv2d: _convolved,
    BinaryLinear: _features,
    BatchNorm: _normalised,
    BinaryActivation: _same,
    nn.MaxPool2d: _max_pooled,
    AvgPool2d: _averaged,
    nn.AvgPool2d: _averaged,
    Residual: _with_shortcut,
    Scores: _features,
}


def _positions(name: str, shape: Shape, kernel: Pair, stride: Pair, padding: Sides) -> Sequence[int]:
    """Rows and columns of the positions of a kernel."""
    sizes = [size + sum(around) for size, around in zip(shape[1:], padding, strict=True)]
    if any(size < window for size, window in zip(sizes, kernel, strict=True)):
        raise ModelError(
            f"layer {name!r}: its kernel {kernel} must fit the padded image of {sizes[0]} x {sizes[1]}"
        )
    return [(size - window) // step + 1 for size, window, step in zip(sizes, kernel, stride, strict=True)]
