"""Operators with weights or a window, which become layers: Conv, Gemm, MatMul, pools and means."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from ....errors import ModelError
from ... import ir
from .. import neurons, pools
from ..chain import Chain
from ..tensors import Tensor, elementwise, move, pad
from .layout import pads_of
from .node import Node

__all__ = ["LAYERS"]


@dataclass(frozen=True)
class _Window:
    """A window over an image or a sequence, with one entry for each axis.

    A sequence is an image of one row, or of one column if `upright`.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    upright: bool = False

    @property
    def over_image(self) -> tuple[tuple[int, int], tuple[int, int], ir.Padding]:
        """Kernel, stride and pads over an image."""
        if len(self.kernel) == 2:
            return cast(
                tuple[tuple[int, int], tuple[int, int], ir.Padding], (self.kernel, self.stride, self.pads)
            )
        (kernel,), (stride,), (pads,) = self.kernel, self.stride, self.pads
        if self.upright:
            return (kernel, 1), (stride, 1), (pads, (0, 0))
        return (1, kernel), (1, stride), ((0, 0), pads)

    def remainders(self, size: tuple[int, ...]) -> list[int]:
        """Elements of each axis after the last position."""
        return [
            (length + sum(both) - window) % step
            for length, both, window, step in zip(size, self.pads, self.kernel, self.stride, strict=True)
        ]


def _window(node: Node, kernel: tuple[int, ...], size: tuple[int, ...]) -> _Window:
    """The window of a node over an image, or a sequence, of `size`."""
    axes = len(size)
    stride = tuple(node.get("strides", (1,) * axes))
    if any(step != 1 for step in node.get("dilations", ())):
        raise ModelError(f"{node}: must have dilations of 1, not {node.get('dilations')}")
    if axes not in (1, 2) or len(kernel) != axes or len(stride) != axes or min(*kernel, *stride) < 1:
        raise ModelError(
            f"{node}: must have a kernel and strides for the {axes} axes of an image (rows, columns) or a"
            f" sequence (length), not {kernel} and {stride}"
        )
    numbers, auto = node.get("pads", (0,) * 2 * axes), node.get("auto_pad", "NOTSET")
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        return _Window(kernel, stride, _same_pads(kernel, stride, size, odd_first=auto == "SAME_LOWER"))
    if len(numbers) != 2 * axes or min(numbers) < 0:
        raise ModelError(f"{node}: must have {2 * axes} pads of at least 0, not {numbers}")
    if any(number >= window for number, window in zip(numbers, 2 * kernel, strict=True)):
        raise ModelError(
            f"{node}: must pad by less than its kernel of {kernel}, not by {numbers}; outputs of nothing but"
            " padding are constants, leave them out"
        )
    if auto != "NOTSET":
        return _Window(kernel, stride, ((0, 0),) * axes)
    return _Window(kernel, stride, tuple(zip(numbers[:axes], numbers[axes:], strict=True)))


def _same_pads(
    kernel: tuple[int, ...], stride: tuple[int, ...], size: tuple[int, ...], *, odd_first: bool
) -> tuple[tuple[int, int], ...]:
    """Pads with which there are as many positions as steps of the stride in the image."""
    pads = []
    for length, step, window in zip(size, stride, kernel, strict=True):
        total = max(0, (-(-length // step) - 1) * step + window - length)
        less, more = total // 2, total - total // 2
        pads.append((more, less) if odd_first else (less, more))
    return tuple(pads)


#: A layer of an image, with kernel, stride and pads.
_Layer = Callable[[Tensor, tuple[int, int], tuple[int, int], ir.Padding], Tensor]


def _over_image(chain: Chain, node: Node, value: Tensor, window: _Window, layer: _Layer) -> Tensor:
    """A layer on an image, also of a sequence (1, channels, length).

    A sequence is an image of one column if the one in its source is, and else of one row.
    """
    if len(value.shape) == 4:
        return layer(value, *window.over_image)
    positions = chain.positions(value.source)
    upright = positions is not None and positions[0] > 1 == positions[1]
    axis = 3 if upright else 2
    image = move(node, lambda array: np.expand_dims(array, axis), value)
    result = layer(image, *replace(window, upright=upright).over_image)
    return move(node, lambda array: array.squeeze(axis), result)


def _conv(
    chain: Chain, node: Node, value: Tensor, weights: np.ndarray, bias: np.ndarray | None = None
) -> Tensor:
    weights = np.asarray(weights)
    window = _window(node, weights.shape[2:], value.shape[2:])

    def layer(image: Tensor, kernel: tuple[int, int], stride: tuple[int, int], pads: ir.Padding) -> Tensor:
        kernels, groups = weights.reshape(*weights.shape[:2], *kernel), node.get("group", 1)
        return neurons.convolve(
            chain, node, image, kernels, bias=bias, stride=stride, pads=pads, groups=groups
        )

    return _over_image(chain, node, value, window, layer)


def _gemm(
    chain: Chain, node: Node, value: Tensor, weights: np.ndarray, bias: np.ndarray | None = None
) -> Tensor:
    if node.get("transA", 0):
        raise ModelError(f"{node}: must not transpose its input (transA = 1); swap its operands")
    matrix = np.asarray(weights)
    result = neurons.dense(chain, node, value, matrix if node.get("transB", 0) else matrix.T)
    kind = result.rows.dtype.type
    if node.get("alpha", 1.0) != 1:
        result = elementwise(node, np.multiply, (result, kind(node.get("alpha"))))
    if bias is not None:
        result = elementwise(node, np.add, (result, (bias * kind(node.get("beta", 1.0))).astype(kind)))
    return result


def _matmul(chain: Chain, node: Node, value: Tensor, weights: np.ndarray) -> Tensor:
    return neurons.dense(chain, node, value, np.asarray(weights).T)


def _check_rank(node: Node, value: Tensor) -> None:
    if len(value.shape) not in (3, 4):
        raise ModelError(
            f"{node}: must take an image (batch, channels, rows, columns) or a sequence (batch, channels,"
            f" length), but {value.origin} has the shape {value.shape}"
        )


def _max_pool(chain: Chain, node: Node, value: Tensor) -> Tensor:
    _check_rank(node, value)
    window = _window(node, tuple(node.get("kernel_shape")), value.shape[2:])
    if node.get("ceil_mode", 0):
        window = _with_last_positions(window, value.shape[2:])

    def layer(image: Tensor, kernel: tuple[int, int], stride: tuple[int, int], pads: ir.Padding) -> Tensor:
        return pools.max_pool(chain, node, image, kernel=kernel, stride=stride, pads=pads)

    return _over_image(chain, node, value, window, layer)


def _with_last_positions(window: _Window, size: tuple[int, ...]) -> _Window:
    """The window with pads for a last position that is partly outside (``ceil_mode``).

    There is no position that begins in the padding.
    """
    pads = []
    for axis, (before, after) in enumerate(window.pads):
        rest, step, length = window.remainders(size)[axis], window.stride[axis], size[axis]
        begin = length + before + after - window.kernel[axis] + step - rest
        pads.append((before, after + (step - rest if 0 < rest and begin < length + before else 0)))
    return replace(window, pads=tuple(pads))


def _average_pool(chain: Chain, node: Node, value: Tensor) -> Tensor:
    _check_rank(node, value)
    window = _window(node, tuple(node.get("kernel_shape")), value.shape[2:])
    if any(map(any, window.pads)):
        raise ModelError(
            f"{node}: must take means without padding, but pads by {window.pads}: means over fewer elements"
            " at the border have another scale; crop or enlarge the image instead"
        )
    if node.get("ceil_mode", 0) and any(window.remainders(value.shape[2:])):
        raise ModelError(
            f"{node}: its positions must all be inside the image, but with ceil_mode = 1 the last ones are"
            " not; use ceil_mode = 0, or an image that its stride divides"
        )
    return _average(chain, node, value, window)


def _global_average_pool(chain: Chain, node: Node, value: Tensor) -> Tensor:
    _check_rank(node, value)
    size = value.shape[2:]
    return _average(chain, node, value, _Window(size, size, ((0, 0),) * len(size)))


def _average(chain: Chain, node: Node, value: Tensor, window: _Window) -> Tensor:
    def layer(image: Tensor, kernel: tuple[int, int], stride: tuple[int, int], pads: ir.Padding) -> Tensor:
        return pools.average_pool(chain, node, image, kernel=kernel, stride=stride)

    return _over_image(chain, node, value, window, layer)


def _reduce_mean(chain: Chain, node: Node, value: Tensor, axes: np.ndarray | None = None) -> Tensor:
    """The mean over rows and columns, or over a sequence's length."""
    rank = len(value.shape)
    along = node.get("axes") if axes is None else [int(axis) for axis in np.asarray(axes).reshape(-1)]
    over = sorted(axis % rank for axis in along or range(rank))
    if rank not in (3, 4) or over != list(range(2, rank)):
        raise ModelError(
            f"{node}: must be over rows and columns of an image (axes 2 and 3), or the length of a sequence"
            f" (axis 2), not over {over} of the shape {value.shape}"
        )
    result = _global_average_pool(chain, node, value)
    if node.get("keepdims", 1):
        return result
    return move(node, lambda array: array.reshape(array.shape[:2]), result)


def _reduce_sum(chain: Chain, node: Node, value: Tensor, axes: np.ndarray | None = None) -> Tensor:
    area = value.rows.dtype.type(np.prod(value.shape[2:]))
    return elementwise(node, np.multiply, (_reduce_mean(chain, node, value, axes), area))


def _pad(
    chain: Chain,
    node: Node,
    value: Tensor,
    pads: np.ndarray | None = None,
    constant: np.ndarray | None = None,
    axes: np.ndarray | None = None,
) -> Tensor:
    mode = node.get("mode", "constant")
    if mode != "constant" or axes is not None:
        raise ModelError(
            f"{node}: must pad all axes with a constant, not"
            f" {'some axes' if axes is not None else f'by {mode!r}'}"
        )
    filling = node.get("value", 0.0) if constant is None else np.asarray(constant).reshape(-1)[0]
    return pad(value, pads_of(node, pads), float(filling))


#: Function of (chain, node, tensor, *constants), by operator.
LAYERS: dict[str, Callable[..., Tensor]] = {
    "AveragePool": _average_pool,
    "Conv": _conv,
    "Gemm": _gemm,
    "GlobalAveragePool": _global_average_pool,
    "MatMul": _matmul,
    "MaxPool": _max_pool,
    "Pad": _pad,
    "ReduceMean": _reduce_mean,
    "ReduceSum": _reduce_sum,
}
