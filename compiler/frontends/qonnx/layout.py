"""Operators of a graph that move values or build constants, in NumPy.

`LAYOUT` moves the elements of a tensor. `CONSTANT` computes arrays from constants and attributes only.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from ..tensors import check_size
from .node import Node, load_tensor

__all__ = ["CONSTANT", "LAYOUT", "pads_of"]


def pads_of(node: Node, pads: np.ndarray | None = None) -> list[tuple[int, int]]:
    """Elements that a Pad adds, pairs (before, after) for each axis."""
    numbers = node.get("pads", node.get("paddings")) if pads is None else pads
    numbers = [int(number) for number in numbers]
    half = len(numbers) // 2
    return list(zip(numbers[:half], numbers[half:], strict=True))


def _integers(value: ArrayLike) -> list[int]:
    return [int(number) for number in np.asarray(value).reshape(-1)]


def _axes(node: Node, rank: int, operand: np.ndarray | None = None) -> tuple[int, ...] | None:
    """Axes of an operator that has them as an input since opset 13, and as an attribute before."""
    axes = node.get("axes") if operand is None else np.asarray(operand).reshape(-1)
    if axes is None:
        return None
    for axis in axes:
        if not -rank <= axis < rank:
            raise ValueError(f"must have axes of a tensor with {rank}, not axis {axis}")
    return tuple(int(axis) % rank for axis in axes)


def _reshape(node: Node, x: np.ndarray, shape: np.ndarray | None = None) -> np.ndarray:
    lengths = _integers(node.get("shape", ()) if shape is None else shape)
    if not node.get("allowzero", 0):
        lengths = [x.shape[axis] if length == 0 else length for axis, length in enumerate(lengths)]
    return x.reshape(lengths)


def _flatten(node: Node, x: np.ndarray) -> np.ndarray:
    axis = node.get("axis", 1)
    axis += x.ndim if axis < 0 else 0
    return x.reshape(int(np.prod(x.shape[:axis])), -1)


def _squeeze(node: Node, x: np.ndarray, axes: np.ndarray | None = None) -> np.ndarray:
    return np.squeeze(x, axis=_axes(node, x.ndim, axes))


def _unsqueeze(node: Node, x: np.ndarray, axes: np.ndarray | None = None) -> np.ndarray:
    count = len(node.get("axes") if axes is None else np.asarray(axes).reshape(-1))
    return np.expand_dims(x, _axes(node, x.ndim + count, axes) or ())


def _slice(
    node: Node,
    x: np.ndarray,
    starts: np.ndarray | None = None,
    ends: np.ndarray | None = None,
    axes: np.ndarray | None = None,
    steps: np.ndarray | None = None,
) -> np.ndarray:
    first = node.get("starts") if starts is None else _integers(starts)
    last = node.get("ends") if ends is None else _integers(ends)
    along = node.get("axes") if axes is None else _integers(axes)
    by = (None if steps is None else _integers(steps)) or [1] * len(first)
    where = [slice(None)] * x.ndim
    for axis, start, end, step in zip(along or range(len(first)), first, last, by, strict=True):
        # A negative end that is far out means "from before the first element".
        where[axis] = slice(start, None if step < 0 and end < -x.shape[axis] else end, step)
    return x[tuple(where)]


def _gather(node: Node, x: np.ndarray, indices: np.ndarray) -> np.ndarray:
    axis = node.get("axis", 0)
    check_size((*x.shape, *np.shape(indices)))
    return np.take(x, indices, axis=axis)


def _expand(node: Node, x: np.ndarray, shape: np.ndarray) -> np.ndarray:
    broadcast = np.broadcast_shapes(x.shape, tuple(int(length) for length in shape))
    check_size(broadcast)
    return np.broadcast_to(x, broadcast)


#: Function of (node, x, *constants), with x an array of the tensor's shape, by operator.
LAYOUT: dict[str, Callable[..., np.ndarray]] = {
    "Dropout": lambda node, x, *_: x,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "Identity": lambda node, x: x,
    "Reshape": _reshape,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Transpose": lambda node, x: x.transpose(node.get("perm")),
    "Unsqueeze": _unsqueeze,
}

#: Attributes of a Constant that are numbers.
_NUMBERS = {
    "value_float": np.float32,
    "value_floats": np.float32,
    "value_int": np.int64,
    "value_ints": np.int64,
}


def _constant(node: Node) -> np.ndarray:
    for name, kind in _NUMBERS.items():
        if name in node.attributes:
            return np.array(node.get(name), kind)
    if "value" not in node.attributes:
        raise ValueError(f"must hold a tensor or numbers, not {', '.join(node.attributes) or 'nothing'}")
    return load_tensor(node.get("value"))


def _constant_of_shape(node: Node, shape: np.ndarray) -> np.ndarray:
    check_size(shape)
    value = load_tensor(node.get("value")) if "value" in node.attributes else np.zeros(1, np.float32)
    return np.full(tuple(int(length) for length in shape), value.reshape(()))


def _pad(
    node: Node, x: np.ndarray, pads: np.ndarray | None = None, value: np.ndarray | None = None, *_: np.ndarray
) -> np.ndarray:
    both = pads_of(node, pads)
    if node.get("mode", "constant") != "constant":
        raise ValueError(f"must pad with a constant, not by {node.get('mode')!r}")
    check_size([length + before + after for length, (before, after) in zip(x.shape, both, strict=True)])
    constant = node.get("value", 0.0) if value is None else np.asarray(value).reshape(())
    return np.pad(x, both, constant_values=constant)


def _concat(node: Node, *arrays: np.ndarray) -> np.ndarray:
    return np.concatenate(arrays, axis=node.get("axis", 0))


#: Function of (node, *constants), by operator.
CONSTANT: dict[str, Callable[..., np.ndarray]] = {
    "Concat": _concat,
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Pad": _pad,
}
