"""The input of a QONNX graph: the numbers that bytes stand for, and which axis has the channels."""

import re
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import DTypeLike
from onnx import TensorProto

from ....errors import ModelError
from ... import pixel_type
from ...pixel_type import PixelType
from ..pixels import PIXELS, PIXELS_MEAN
from ..tensors import check_size
from .node import CHANNELS_LAST, QUANTISER_DOMAINS
from .operators import ELEMENTWISE

__all__ = ["Input", "has_channels_last", "read_input"]

#: Types of a tensor that fit a byte by themselves, and what NumPy computes with instead.
_BYTE_TYPES = {
    "UINT8": ("UINT8", np.uint8),
    "INT8": ("INT8", np.int8),
    "BOOL": ("BINARY", np.bool_),
    "UINT4": ("UINT4", np.uint8),
    "INT4": ("INT4", np.int8),
    "UINT2": ("UINT2", np.uint8),
    "INT2": ("INT2", np.int8),
}

#: Types of a tensor that need an annotation, or `--pixels`.
_FLOATS = {"FLOAT": np.float32, "FLOAT16": np.float16, "DOUBLE": np.float64}

#: Types of a tensor that need an annotation.
_WIDE = {name: np.dtype(name.lower()) for name in ("UINT16", "INT16", "UINT32", "INT32", "UINT64", "INT64")}


@dataclass(frozen=True, kw_only=True)
class Input:
    """The graph's input.

    Parameters
    ----------
    shape : tuple of int
        Includes the batch, which is 1.
    rows : array, shape (256,)
        The number that each byte enters the graph as, in the graph's type.
    type : PixelType
    assumed : bool
        Whether the file leaves open what a pixel stands for: `rows` follow --pixels, or the default.
    """

    shape: tuple[int, ...]
    rows: np.ndarray
    type: PixelType
    assumed: bool


def read_input(model: onnx.ModelProto, info: onnx.ValueInfoProto, pixels: str | None) -> Input:
    """What the input `info` of a graph holds, where the user says `pixels` (or None).

    Raises
    ------
    ModelError
        Its shape varies or its values do not fit a byte; or `pixels` contradicts what the file says.
    """
    where = f"input {info.name!r}"
    shape = _shape(where, info.type.tensor_type)
    number = info.type.tensor_type.elem_type
    kind = TensorProto.DataType.Name(number) if number in TensorProto.DataType.values() else str(number)
    annotation = _annotation(model.graph, info.name, "finn_datatype")
    if annotation is not None and annotation.startswith("FLOAT"):
        annotation = None
    own, dtype = _tensor_type(where, kind, annotation)
    if annotation is not None and annotation.startswith("SCALEDINT") and pixels is not None:
        annotation = None  # integers of a scale that only the user knows
    said = annotation if annotation is not None else own
    if said is None:
        rows = PIXELS[pixels or "unit"](np.arange(256).astype(dtype))
        return Input(shape=shape, rows=rows, type=pixel_type.UINT8, assumed=True)
    try:
        held = pixel_type.parse(said)
    except ModelError as error:
        raise ModelError(f"{where} {error}") from None
    rows = held.values.astype(dtype)
    exact = np.array_equal(rows.astype(np.float64), held.values)
    if not exact or own is not None and not _is_within(held, pixel_type.parse(own)):
        raise ModelError(
            f"{where} is annotated as {held}, but its type {kind.lower()} does not hold the values"
            f" {held.low / 2**held.fraction:g} ... {held.high / 2**held.fraction:g}; correct the annotation"
            " (finn_datatype) or the type"
        )
    # "raw" is the integer itself and "signed" -1 ... +1: they repeat what such files say.
    if pixels is not None and pixels != ("signed" if held.name == "BIPOLAR" else "raw"):
        by_annotation = annotation is not None and own is None
        raise ModelError(
            f"{where} holds {held}, as its {'annotation' if by_annotation else 'type'} says, so a pixel"
            f" cannot stand for {PIXELS_MEAN[pixels]}; leave out --pixels {pixels}"
            f"{', or the annotation' if by_annotation else ''}"
        )
    return Input(shape=shape, rows=rows, type=held, assumed=False)


def _tensor_type(where: str, kind: str, annotation: str | None) -> tuple[str | None, DTypeLike]:
    """The pixel type that a tensor's type is by itself, or None, and what NumPy computes with."""
    if kind in _BYTE_TYPES:
        return _BYTE_TYPES[kind]
    if kind in _FLOATS:
        return None, _FLOATS[kind]
    if kind not in _WIDE:
        raise ModelError(
            f"{where} is of type {kind.lower()}, which is not supported; export the model with an input of"
            " type float32, uint8 or int8"
        )
    if annotation is None:
        raise ModelError(
            f"{where} is of type {kind.lower()}, but a pixel is one byte; export the model with an input of"
            " type uint8 or int8, or annotate it with the type of up to 8 bits that it holds (finn_datatype"
            " UINT8)"
        )
    return None, _WIDE[kind]


def _is_within(inner: PixelType, outer: PixelType) -> bool:
    return inner.fraction == 0 and outer.low <= inner.low and inner.high <= outer.high


def _annotation(graph: onnx.GraphProto, name: str, key: str) -> str | None:
    for annotation in graph.quantization_annotation:
        if annotation.tensor_name == name:
            for entry in annotation.quant_parameter_tensor_names:
                if entry.key == key:
                    return entry.value
    return None


def _shape(where: str, kind: onnx.TypeProto.Tensor) -> tuple[int, ...]:
    if not kind.HasField("shape"):
        raise ModelError(f"{where} has no shape; export the model with a fixed input shape")
    shape = []
    for axis, length in enumerate(kind.shape.dim):
        if length.dim_value > 0:
            shape.append(length.dim_value)
        elif axis == 0:
            shape.append(1)
        else:
            raise ModelError(
                f"{where} has a dynamic shape ({length.dim_param or '?'} on axis {axis}); export the model"
                " with a fixed input shape, only the batch may vary"
            )
    if len(shape) not in (2, 3, 4):
        raise ModelError(f"{where} must have 2 to 4 axes, the batch first, but has the shape {tuple(shape)}")
    if shape[0] != 1:
        raise ModelError(
            f"{where} has a fixed batch of {shape[0]}; export the model with a batch of 1 or a dynamic one"
        )
    try:
        check_size(shape)
    except ValueError as error:
        raise ModelError(f"{where}: {error}") from None
    return tuple(shape)


#: Operators of the standard that take channels as the first axis after the batch.
_CHANNELS_FIRST = ("AveragePool", "BatchNormalization", "Conv", "GlobalAveragePool", "MaxPool")

#: Operators that leave axes as they are.
_SAME_AXES = (*ELEMENTWISE, "Dropout", "Identity", "Pad", "Slice")


def has_channels_last(
    graph: onnx.GraphProto, name: str, shape: tuple[int, ...], *, prefer_first: bool = False
) -> bool:
    """Whether the input `name` of that shape has its channels last.

    The first operator whose axes have a meaning decides, then an annotation (``tensor_layout``). Otherwise
    channels are first, as in ONNX, or, unless `prefer_first`, last if only so there are as many as an image
    has, 1 or 3.
    """
    rank = len(shape)
    to_first, to_last = ([0, 3, 1, 2], [0, 2, 3, 1]) if rank == 4 else ([0, 2, 1], None)
    constants = {constant.name: constant for constant in graph.initializer}
    same_axes = {name}
    for node in graph.node:  # in the order of the file, which is that of the data
        if not same_axes & set(node.input):
            continue
        attributes = {attribute.name: attribute for attribute in node.attribute}
        if node.op_type == "Transpose":
            order = list(attributes["perm"].ints) if "perm" in attributes else []
            if order in (to_first, to_last):
                return order == to_first
            continue
        if node.domain == CHANNELS_LAST:
            return True
        if node.op_type == "MultiThreshold" and node.domain in QUANTISER_DOMAINS:
            layout = (
                attributes["data_layout"].s.decode("utf-8", "replace") if "data_layout" in attributes else ""
            )
            thresholds = constants.get(node.input[1]) if len(node.input) > 1 else None
            if layout in ("NHWC", "NWC"):
                return True
            if thresholds is not None and thresholds.dims and thresholds.dims[0] > 1:
                return False
        elif node.op_type in _CHANNELS_FIRST:
            return False
        if node.op_type in _SAME_AXES:
            same_axes |= set(node.output)
    axes = re.findall("[A-Z]", _annotation(graph, name, "tensor_layout") or "")
    if len(axes) == rank and "C" in axes:
        return axes[-1] == "C"
    return rank == 4 and not prefer_first and shape[3] in (1, 3) and shape[1] not in (1, 3)
