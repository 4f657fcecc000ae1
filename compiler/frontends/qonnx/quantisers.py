"""Quantisers of a QONNX or QCDQ graph, in NumPy.

They compute what the ``qonnx`` package, or ONNX, defines, in the graph's own floating-point type. Each
function takes (node, x, *operands) and returns a NumPy function and the operands to broadcast to it.
"""

import re
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import onnx
from numpy.typing import ArrayLike

from .node import Node

__all__ = [
    "Applied",
    "HasShape",
    "bipolar_quant",
    "dequantize_linear",
    "multi_threshold",
    "over_channels",
    "quant",
    "quantize_linear",
]


class HasShape(Protocol):
    """An array or a tensor of functions."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""


#: A NumPy function and the operands to broadcast to it, of which some are tensors of functions.
Applied = tuple[Callable[..., np.ndarray], tuple[Any, ...]]

#: Maximum bits of a Quant.
_MOST_BITS = 32

#: Maximum steps of a MultiThreshold.
_MOST_STEPS = 255

_ROUNDINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "ROUND": np.round,
    "HALF_EVEN": np.round,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "DOWN": np.trunc,
    "ROUND_TO_ZERO": np.trunc,
    "UP": lambda x: np.sign(x) * np.ceil(np.abs(x)),
    "HALF_UP": lambda x: np.sign(x) * np.floor(np.abs(x) + 0.5),
    "HALF_DOWN": lambda x: np.sign(x) * np.ceil(np.abs(x) - 0.5),
}


def over_channels(x: HasShape, operand: ArrayLike, axis: int = 1) -> np.ndarray:
    """A vector over the channels of `x`, in a shape that broadcasts to it."""
    vector = np.asarray(operand).reshape(-1)
    shape = [1] * len(x.shape)
    shape[axis] = vector.size
    return vector.reshape(shape)


def bipolar_quant(node: Node, x: HasShape, scale: ArrayLike) -> Applied:
    """BipolarQuant: -1 and +1 times a scale."""
    return (lambda x, scale: np.where(x >= 0, x.dtype.type(1), x.dtype.type(-1)) * scale), (x, scale)


def quant(node: Node, x: HasShape, scale: ArrayLike, zero_point: ArrayLike, bits: ArrayLike) -> Applied:
    """Quant and IntQuant: integers of some bits, times a scale."""
    size = float(np.asarray(bits).reshape(()))
    if not 1 <= size <= _MOST_BITS or size != int(size):
        raise ValueError(f"must have 1 ... {_MOST_BITS} bits, not {size:g}")
    width, signed, narrow = int(size), bool(node.get("signed", 1)), bool(node.get("narrow", 1))
    mode = node.get("rounding_mode", "ROUND")
    rounding = _ROUNDINGS.get(str(mode).upper())
    if rounding is None:
        raise ValueError(f"must round by one of {', '.join(_ROUNDINGS)}, not {mode!r}")
    low = -(1 << (width - 1)) + narrow if signed else 0
    high = (1 << (width - 1)) - 1 if signed else (1 << width) - 1 - narrow

    def apply(x: np.ndarray, scale: np.ndarray, zero_point: np.ndarray) -> np.ndarray:
        steps = x / scale + zero_point
        if signed and width == 1:
            steps = np.where(steps >= 0, steps.dtype.type(1), steps.dtype.type(-1))
        else:
            steps = rounding(np.clip(steps, steps.dtype.type(low), steps.dtype.type(high)))
        return (steps - zero_point) * scale

    return apply, (x, scale, zero_point)


def multi_threshold(node: Node, x: HasShape, thresholds: np.ndarray) -> Applied:
    """MultiThreshold: the number of thresholds that x reaches, times a scale, plus a bias."""
    scale, bias = node.get("out_scale", 1.0), node.get("out_bias", 0.0)
    if np.ndim(thresholds) != 2 or not 1 <= thresholds.shape[1] <= _MOST_STEPS:
        raise ValueError(
            f"must have thresholds of the shape (channels, 1 ... {_MOST_STEPS} steps), not"
            f" {np.shape(thresholds)}"
        )
    axis = _channel_axis(node.get("data_layout", ""), x.shape, len(thresholds))
    if len(thresholds) not in (1, x.shape[axis]):
        raise ValueError(
            f"has thresholds of {len(thresholds)} channels, where axis {axis} of the shape {x.shape} has"
            f" {x.shape[axis]}; its data_layout says which axis the channels are (NCHW, NHWC, NCW, NWC)"
        )

    def apply(x: np.ndarray, *thresholds: np.ndarray) -> np.ndarray:
        count = sum((x >= threshold).astype(np.int64) for threshold in thresholds)
        return (scale * count + bias).astype(np.float32)

    return apply, (x, *(over_channels(x, step, axis) for step in thresholds.T))


def _channel_axis(layout: str, shape: tuple[int, ...], channels: int) -> int:
    """The axis of the channels, as the ``qonnx`` package defines it.

    Without a layout it is the second axis of an image and the last of a sequence.
    """
    rank = len(shape)
    if rank == 2:
        return 1
    if not layout and rank == 3 and channels == shape[1] != shape[2]:
        return 1  # written before the package knew sequences
    axis = (layout or {3: "NWC"}.get(rank, "NCHW")).find("C")
    if not 0 < axis < rank:
        raise ValueError(f"has the data_layout {layout!r}, which does not fit the shape {shape}")
    return axis


def quantize_linear(node: Node, x: HasShape, scale: ArrayLike, zero: ArrayLike | None = None) -> Applied:
    """QuantizeLinear: integers of the type of the zero point."""
    kind = np.dtype(np.uint8) if zero is None else np.asarray(zero).dtype
    if zero is None and node.get("output_dtype", 0):
        kind = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(node.get("output_dtype")))
    # Types of 4 bits have their name in `names` with onnx before 1.19.
    name = kind.names[0] if kind.names else kind.name
    match = re.fullmatch(r"(u?)int(\d+)", name)
    if match is None:
        raise ValueError(f"must quantise to integers, not to {name}")
    unsigned, bits = bool(match[1]), int(match[2])
    low, high = (0, (1 << bits) - 1) if unsigned else (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    if bits < 8:  # NumPy has no type of so few bits
        kind = np.dtype(np.uint8 if unsigned else np.int8)

    def apply(x: np.ndarray, scale: np.ndarray, zero: np.ndarray) -> np.ndarray:
        return np.clip(np.round(x / scale) + zero, low, high).astype(kind)

    return apply, (x, *_linear_operands(node, x, scale, zero))


def dequantize_linear(node: Node, x: HasShape, scale: ArrayLike, zero: ArrayLike | None = None) -> Applied:
    """DequantizeLinear: integers less the zero point, times a scale."""

    def apply(x: np.ndarray, scale: np.ndarray, zero: np.ndarray) -> np.ndarray:
        return (x.astype(np.int64) - zero).astype(scale.dtype) * scale

    return apply, (x, *_linear_operands(node, x, scale, zero))


def _linear_operands(node: Node, x: HasShape, scale: ArrayLike, zero: ArrayLike | None) -> list[np.ndarray]:
    """Scale and zero point of a QuantizeLinear or DequantizeLinear: one for all, or one for each channel."""
    if node.get("block_size", 0):
        raise ValueError(
            "must have one scale for all elements or one for each channel, not one for each block"
        )
    zeros = np.zeros(np.shape(scale), np.int64) if zero is None else np.asarray(zero).astype(np.int64)
    return [
        np.reshape(operand, ()) if np.size(operand) == 1 else over_channels(x, operand, node.get("axis", 1))
        for operand in (scale, zeros)
    ]
