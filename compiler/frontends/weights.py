"""Weights in floating point as bits and masks, for inputs that are functions of integers."""

from dataclasses import dataclass

import numpy as np

from ...errors import ModelError
from .. import ir
from .functions import Lines
from .tensors import Elements, Where

__all__ = ["BinaryWeights", "binarize_weights", "padding_bit", "reorder_inputs", "spread_groups", "ungroup"]

#: Weights and input scales that differ by less than this part are equal.
_EQUAL = 1e-6


@dataclass(frozen=True, kw_only=True)
class BinaryWeights:
    """Weights of neurons as bits, the value of neuron o being ``base[o] + scale[o] * (2 * count - reach)``.

    Parameters
    ----------
    bits : bool array, shape (outputs, ...)
    mask : bool array of the same shape or None
        As in `ir.Dense`.
    base, scale : array, shape (outputs,)
    """

    bits: np.ndarray
    mask: np.ndarray | None
    base: np.ndarray
    scale: np.ndarray


def binarize_weights(
    where: Where, weights: np.ndarray, inputs: Lines, source: Elements, origin: str
) -> BinaryWeights:
    """Weights and the steps of their inputs as bits.

    Parameters
    ----------
    weights : array, shape (outputs, ...)
    inputs : Lines
        The functions of the inputs, of a shape that broadcasts to that of `weights`.
    source : Elements
        Of the inputs.
    origin : str
        What computed the inputs, for messages.

    Raises
    ------
    ModelError
        The products of weights and steps have several magnitudes other than 0.
    """
    products = weights.astype(np.float64) * inputs.step
    flat = np.abs(products.reshape(len(products), -1))
    top = flat.max(1, keepdims=True)
    wrong = ~np.isfinite(flat).all(1) | ((flat > _EQUAL * top) & (flat < top * (1 - _EQUAL))).any(1)
    if wrong.any():
        raise _wrong_weights(where, weights, int(np.argmax(wrong)), origin)
    mask = (flat > _EQUAL * top).reshape(weights.shape)
    middle = np.broadcast_to(inputs.lowest + inputs.step * source.most / 2, weights.shape)
    base = np.where(mask, weights.astype(np.float64) * middle, 0).reshape(len(weights), -1).sum(1)
    return BinaryWeights(
        # Outside the mask a weight is 1, whatever the sign of its zero: equal networks have equal files.
        bits=(products >= 0) | ~mask,
        mask=None if mask.all() else mask,
        base=base,
        scale=top[:, 0] / 2,
    )


def _wrong_weights(where: Where, weights: np.ndarray, output: int, origin: str) -> ModelError:
    """The error for weights of `output` that are not binary or ternary."""
    values = np.unique(np.abs(weights[output]))
    shown = ", ".join(f"{each:g}" for each in values[:4]) + (", ..." if len(values) > 4 else "")
    if not np.isfinite(values).all() or len(values[values != 0]) != 1:
        return ModelError(
            f"{where}: its weights must be -1, 0 and +1 times one scale for each output, but output {output}"
            f" has the magnitudes {shown}; quantise them to 1 bit (BipolarQuant) or to -1, 0, +1 (a narrow"
            " 2-bit Quant)"
        )
    return ModelError(
        f"{where}: all inputs of output {output} must have the same scale, but the channels of {origin} have"
        " different scales; train with one scale for all channels"
    )


def padding_bit(where: Where, padding: float, lowest: np.ndarray, highest: np.ndarray, own: bool) -> int:
    """The bit that a padding value stands for.

    Parameters
    ----------
    lowest, highest : array, shape (channels,)
        Values of the inputs' bits.
    own : bool
        Whether the convolution itself pads.
    """
    ends = np.unique(lowest), np.unique(highest)
    for bit, end in enumerate(ends):
        if len(end) == 1 and np.isclose(end[0], padding, rtol=_EQUAL, atol=0):
            return bit
    values = np.concatenate(ends)
    if padding in values:
        raise ModelError(
            f"{where}: pads with {padding:g}, which is the lower value of some channels and the higher value"
            " of others, because of a negative scale after a MaxPool; put the MaxPool after the sign"
        )
    shown = ", ".join(f"{each:g}" for each in np.unique(values)[:4])
    raise ModelError(
        f"{where}: pads with {padding:g}, which is not one of the values of its inputs ({shown}): a bit has"
        " no 0 between -1 and +1; "
        + (
            "train and export with padding of -1 or +1 instead (a Pad before the convolution, as by"
            " torch.nn.functional.pad(x, ..., value=-1.0)), or without padding"
            if own
            else "pad with the lowest or the highest of them"
        )
    )


def spread_groups(layer: ir.Conv2d) -> tuple[np.ndarray, np.ndarray | None]:
    """Weights and mask of a convolution over all channels, (outputs, rows, columns, channels).

    The mask is 0 for the channels of other groups.
    """
    if layer.groups == 1:
        return layer.weights, layer.mask
    part, outputs = layer.weights.shape[3], layer.outputs // layer.groups
    shape = *layer.weights.shape[:3], layer.channels
    weights, mask = np.ones(shape, np.uint8), np.zeros(shape, np.uint8)
    for group in range(layer.groups):
        rows = slice(group * outputs, (group + 1) * outputs)
        channels = slice(group * part, (group + 1) * part)
        weights[rows, ..., channels] = layer.weights[rows]
        mask[rows, ..., channels] = 1 if layer.mask is None else layer.mask[rows]
    return weights, mask


def reorder_inputs(where: Where, weights: np.ndarray, order: np.ndarray, groups: int) -> np.ndarray:
    """Weights (outputs, channels / groups, ...) for inputs in the order of their source.

    ``order[c]`` is the place of channel c in the source.
    """
    part = len(order) // groups
    order = order.reshape(groups, part)
    if (order // part != np.arange(groups)[:, None]).any():
        raise ModelError(
            f"{where}: each of its {groups} groups must take the channels of one group of the source, but a"
            " Concat has mixed them; use one group"
        )
    result = np.empty_like(weights)
    parts = zip(np.split(weights, groups), np.split(result, groups), order % part, strict=True)
    for rows, reordered, places in parts:
        reordered[:, places] = rows
    return result


def ungroup(weights: np.ndarray, groups: int) -> np.ndarray:
    """Weights over all channels, (outputs, channels, ...): 0 for the channels of other groups."""
    outputs, own, *kernel = weights.shape
    result = np.zeros((groups, outputs // groups, groups, own, *kernel), weights.dtype)
    number = np.arange(groups)
    result[number, :, number] = weights.reshape(groups, outputs // groups, own, *kernel)
    return result.reshape(outputs, groups * own, *kernel)
