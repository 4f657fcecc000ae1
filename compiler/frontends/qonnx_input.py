"""What the input of a QONNX graph holds: the numbers that a pixel's byte stands for, and where a pixel lies
in the image.
"""

import re
from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from ...errors import ModelError
from .. import pixel_type
from ..pixel_type import PixelType
from .pixels import PIXELS, PIXELS_MEAN
from .qonnx_ops import CHANNELS_LAST, ELEMENTWISE, QUANTISER_DOMAINS
from .tensors import check_size

__all__ = ["Input", "layout", "read"]

#: Types of a tensor that fit a byte by themselves, and what NumPy computes with in their place.
_BYTE_TYPES = {
    "UINT8": ("UINT8", np.uint8),
    "INT8": ("INT8", np.int8),
    "BOOL": ("BINARY", np.bool_),
    "UINT4": ("UINT4", np.uint8),
    "INT4": ("INT4", np.int8),
    "UINT2": ("UINT2", np.uint8),
    "INT2": ("INT2", np.int8),
}

_FLOATS = {"FLOAT": np.float32, "FLOAT16": np.float16, "DOUBLE": np.float64}

_WIDE = {name: np.dtype(name.lower()) for name in ("UINT16", "INT16", "UINT32", "INT32", "UINT64", "INT64")}


@dataclass(frozen=True, kw_only=True)
class Input:
    """The graph's input.

    Parameters
    ----------
    shape : tuple of int
        The batch, which is 1, first.
    rows : array, shape (256,)
        The number that each byte enters the graph as, in the graph's type.
    type : PixelType
    assumed : bool
        Whether nothing in the file says what a pixel stands for: `rows` are those of --pixels, or a guess.
    """

    shape: tuple
    rows: np.ndarray
    type: PixelType
    assumed: bool


def read(model, info, pixels):
    """The `Input` that `info`, one of the graph's, means where a user says `pixels` (or None).

    Raises
    ------
    ModelError
        Its shape varies or its values do not fit a byte; or `pixels` contradicts what the file says.
    """
    where = f"input {info.name!r}"
    shape = _shape(where, info.type.tensor_type)
    kind = (
        TensorProto.DataType.Name(info.type.tensor_type.elem_type)
        if info.type.tensor_type.elem_type in (TensorProto.DataType.values())
        else str(info.type.tensor_type.elem_type)
    )
    annotation = _annotation(model.graph, info.name, "finn_datatype")
    if annotation is not None and annotation.startswith("FLOAT"):
        annotation = None
    if kind in _BYTE_TYPES:
        own, dtype = _BYTE_TYPES[kind]
    elif kind in _WIDE:
        own, dtype = None, _WIDE[kind]
        if annotation is None:
            raise ModelError(
                f"{where} is of type {kind.lower()}, but a pixel is one byte; export the model with an input"
                " of type uint8 or int8, or annotate it with the type of up to 8 bits that it holds"
                " (finn_datatype UINT8)"
            )
    elif kind in _FLOATS:
        own, dtype = None, _FLOATS[kind]
    else:
        raise ModelError(
            f"{where} is of type {kind.lower()}, which is not read; export the model with an input of type"
            " float32, uint8 or int8"
        )
    if annotation is not None and annotation.startswith("SCALEDINT") and pixels is not None:
        annotation = None  # integers of a scale that only the user knows
    if annotation is None and own is None:
        return Input(
            shape=shape,
            rows=PIXELS[pixels or "unit"](np.arange(256).astype(dtype)),
            type=pixel_type.UINT8,
            assumed=True,
        )
    try:
        held = pixel_type.parse(annotation if annotation is not None else own)
    except ModelError as error:
        raise ModelError(f"{where} {error}") from None
    rows = held.values.astype(dtype)
    if (
        not np.array_equal(rows.astype(np.float64), held.values)
        or own is not None
        and not _within(held, pixel_type.parse(own))
    ):
        raise ModelError(
            f"{where} is annotated as {held}, whose values {held.low / 2**held.fraction:g} ..."
            f" {held.high / 2**held.fraction:g} its type {kind.lower()} does not hold; correct the annotation"
            " (finn_datatype) or the type"
        )
    # "raw" is the integer itself and "signed" -1 ... +1: what the file says already, where they are the same.
    fits = {None, "raw"} if held.name != "BIPOLAR" else {None, "signed"}
    if pixels not in fits:
        said, rest = (
            ("annotation", ", or the annotation") if annotation is not None and own is None else ("type", "")
        )
        raise ModelError(
            f"{where} holds {held}, as its {said} says, so a pixel cannot stand for {PIXELS_MEAN[pixels]};"
            f" leave out --pixels {pixels}{rest}"
        )
    return Input(shape=shape, rows=rows, type=held, assumed=False)


def _within(inner, outer):
    return inner.fraction == 0 and outer.low <= inner.low and inner.high <= outer.high


def _annotation(graph, name, key):
    for each in graph.quantization_annotation:
        if each.tensor_name == name:
            for entry in each.quant_parameter_tensor_names:
                if entry.key == key:
                    return entry.value
    return None


def _shape(where, kind):
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
                f"{where} has a dynamic shape ({length.dim_param or '?'} on axis {axis}); export "
                "the model with a fixed input shape, only the batch may vary"
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


#: Operators of the standard that take channels as the first axis behind the batch.
_CHANNELS_FIRST = ("AveragePool", "BatchNormalization", "Conv", "GlobalAveragePool", "MaxPool")

#: Operators behind which an axis is still what it was.
_SAME_AXES = (*ELEMENTWISE, "Dropout", "Identity", "Pad", "Slice")


def layout(graph, name, shape, *, first=False):
    """Whether the input `name` of that shape has its channels last: so do the first operators take it whose
    axes have meanings.

    Where none does, an annotation (``tensor_layout``) decides. Else channels are first, as ONNX has them
    (`first`), or, unless `first`, last where only so there are as many as an image has, 1 or 3.
    """
    rank = len(shape)
    to_first, to_last = ([0, 3, 1, 2], [0, 2, 3, 1]) if rank == 4 else ([0, 2, 1], None)
    constants = {each.name: each for each in graph.initializer}
    seen = {name}
    for node in graph.node:  # in the order of the file, which is that of the data
        if not seen & set(node.input):
            continue
        attributes = {each.name: each for each in node.attribute}
        if node.op_type == "Transpose":
            if list(attributes["perm"].ints if "perm" in attributes else ()) in (to_first, to_last):
                return list(attributes["perm"].ints) == to_first
            continue
        if node.domain == CHANNELS_LAST:
            return True
        if node.op_type == "MultiThreshold" and node.domain in QUANTISER_DOMAINS:
            said = (
                attributes["data_layout"].s.decode("utf-8", "replace") if "data_layout" in attributes else ""
            )
            thresholds = constants.get(node.input[1]) if len(node.input) > 1 else None
            if said in ("NHWC", "NWC"):
                return True
            if thresholds is not None and thresholds.dims and thresholds.dims[0] > 1:
                return False
        elif node.op_type in _CHANNELS_FIRST:
            return False
        if node.op_type in _SAME_AXES:
            seen |= set(node.output)
    said = re.findall("[A-Z]", _annotation(graph, name, "tensor_layout") or "")
    if len(said) == rank and "C" in said:
        return said[-1] == "C"
    return rank == 4 and not first and shape[3] in (1, 3) and shape[1] not in (1, 3)
