"""The last layer of a graph: integer scores with the order, or the signs, of the graph's scores."""

from dataclasses import replace
from typing import cast

import numpy as np

from ...errors import ModelError
from .. import ir
from .chain import Chain
from .channels import channel_rows, rising
from .class_scores import integer_scores
from .elements import as_summands
from .functions import find_lines
from .sign_scores import bit_scores, signed_scores
from .tensors import Counts, Elements, Tensor, make_dense
from .weights import spread_groups

__all__ = ["last_layer"]


def last_layer(chain: Chain, value: Tensor, decision: str, *, bits: bool = False) -> ir.Scores:
    """The `Scores` layer of a tensor (1, outputs).

    Parameters
    ----------
    chain : Chain
        If `bits`, their layer is appended to it.
    value : Tensor
        Functions of counts: the scores, or the bits.
    decision : str
        One of `ir.DECISIONS`.
    bits : bool
        Whether each output already is a bit (`sign_scores.are_bits`); `decision` then is "sign".

    Raises
    ------
    ModelError
        The tensor has no exact form as integer scores.
    """
    where = f"the output after {value.origin}"
    if bits:
        return bit_scores(chain, where, value)
    value = _as_vector(chain, where, value)
    source = cast(Counts, value.source)
    chain.check_end(where, source)
    if not np.array_equal(value.index.reshape(-1), np.arange(source.outputs)):
        raise ModelError(
            f"{where} must have each of {source.outputs} classes once and in order; leave out what moves them"
        )
    if source.after is None:
        raise ModelError(
            f"{where} must have a layer before it; a network of one layer on raw pixels is not supported"
        )
    value = rising(where, value)
    source = cast(Counts, value.source)
    rows = value.rows[: source.outputs].astype(np.float64)
    if decision == "sign":
        scales, offsets = signed_scores(where, rows, source.reach)
    else:
        scales, offsets = integer_scores(where, rows, source.reach, (source.lowest, source.step))
    layer = source.layer(None)
    return ir.Scores(
        name=layer.name,
        weights=layer.weights,
        planes=layer.planes,
        mask=layer.mask,
        offsets=offsets,
        scales=scales,
    )


def _as_vector(chain: Chain, where: str, value: Tensor) -> Tensor:
    """A tensor as one of neurons on a vector: a last convolution or mean becomes what a last MatMul is."""
    source = value.source
    if isinstance(source, Counts) and source.weights.ndim == 2:
        return value
    if isinstance(source, Counts) and not source.pools:
        if source.size == source.outputs:
            return _one_position(chain, where, value, source)
        value = as_summands(chain, where, value)
    if not isinstance(value.source, Elements) or value.source.after is None or not value.inside.all():
        raise ModelError(
            f"{where} must be the scores of a last layer, a MatMul, Gemm or Conv or a mean of such, and not"
            " pixels or the result of a MaxPool; end the graph at such a layer"
        )
    return _one_each(chain, where, value, value.source)


def _one_position(chain: Chain, where: str, value: Tensor, source: Counts) -> Tensor:
    """A convolution with a single position as neurons on the whole image; a mask leaves out what is outside
    the kernel.
    """
    shape = chain.shape()
    chain.check_end(where, source)
    layer = cast(ir.Conv2d, source.layer(None))
    top = (1 << layer.planes) - 1
    weights, mask = spread_groups(layer)
    mask = np.ones(weights.shape, np.uint8) if mask is None else mask
    all_weights = np.ones((source.outputs, *shape), np.uint8)
    counted = np.zeros((source.outputs, *shape), np.uint8)
    on_image = tuple(
        slice(before, before + size) for (before, _), size in zip(layer.padding, shape, strict=False)
    )
    # The part of the kernel on the image, which may be larger than the kernel.
    rows, columns = weights[:, on_image[0], on_image[1]].shape[1:3]
    all_weights[:, :rows, :columns] = weights[:, on_image[0], on_image[1]]
    counted[:, :rows, :columns] = mask[:, on_image[0], on_image[1]]
    # The agreements with padding are the same for every image.
    padding = mask * (weights == layer.padding_bit)
    padding[:, on_image[0], on_image[1]] = 0
    fixed = padding.reshape(source.outputs, -1).sum(axis=1, dtype=np.int64) * top
    flat = counted.reshape(source.outputs, -1)
    reach = flat.sum(axis=1, dtype=np.int64) * top
    numbers = np.minimum(np.arange(flat.shape[1] * top + 1), reach[:, None]) + fixed[:, None]
    functions = value.rows[channel_rows(where, value)]
    counts = replace(
        source,
        count=numbers.shape[1],
        weights=all_weights.reshape(source.outputs, -1),
        mask=None if flat.all() else flat,
        reach=reach,
        lowest=source.lowest + source.step * fixed,
        make=make_dense(layer.name, layer.planes),
    )
    rows_ = np.take_along_axis(functions, numbers, axis=1)
    return replace(value, source=counts, row=value.index, rows=rows_)


def _one_each(chain: Chain, where: str, value: Tensor, source: Elements) -> Tensor:
    """A score for each integer of a layer: neurons that each count one of them."""
    index = value.index.reshape(-1)
    chain.check_end(where, source)
    classes, copies, top = len(index), source.copies, (1 << source.planes) - 1
    mask = np.zeros((classes, source.size, copies), np.uint8)
    mask[np.arange(classes), index] = 1
    mask = mask.reshape(classes, -1)
    # Beyond the maximum of the integer, its function goes on as a line, or with its last step.
    rows, reach = value.rows[value.row.reshape(-1)].astype(np.float64), copies * top
    lines = find_lines(rows, source.count - 1)
    steps = rows[:, -1] - rows[:, -2] if lines is None else lines.step
    rows = np.hstack([rows, rows[:, -1:] + steps[:, None] * np.arange(1, reach + 2 - source.count)])
    if source.sums is None:
        lowest, step = np.zeros(classes), np.ones(classes)
    else:
        lowest, step = (each[index % source.channels] for each in source.sums)
    name = chain.new_name(None, "scores")
    counts = Counts(
        size=classes,
        count=mask.shape[1] * top + 1,
        after=chain.end,
        channels=classes,
        name=name,
        weights=np.ones_like(mask),
        mask=mask,
        reach=np.full(classes, reach),
        lowest=lowest,
        step=step,
        make=make_dense(name, source.planes),
        input_maximum=source.maximum,
    )
    numbers = np.minimum(np.arange(counts.count), reach)
    order = np.arange(classes).reshape(value.shape)
    return replace(value, source=counts, index=order, row=order, rows=rows[:, numbers])
