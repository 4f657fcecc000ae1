"""Nodes and stored tensors of an ONNX graph, and the domains of their operators."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx

from ..tensors import check_size

__all__ = [
    "CHANNELS_LAST",
    "CHANNELS_LAST_OPERATORS",
    "QUANTISER_DOMAINS",
    "STANDARD_DOMAINS",
    "Node",
    "instead_of",
    "load_tensor",
]

#: Domains of the operators of the ONNX standard.
STANDARD_DOMAINS = ("", "ai.onnx")

#: Domains of quantisers: of qonnx, of Brevitas before it moved there, of FINN before qonnx.
QUANTISER_DOMAINS = ("qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general")

#: Domain of standard operators, by qonnx, that take channels as the last axis, also those of weights.
CHANNELS_LAST = "qonnx.custom_op.channels_last"

#: The operators of that domain.
CHANNELS_LAST_OPERATORS = ("BatchNormalization", "Conv", "MaxPool")

#: Operators on integers that another exporter has quantised.
_INTEGER_OPERATORS = ("ConvInteger", "DynamicQuantizeLinear", "MatMulInteger", "QLinearConv", "QLinearMatMul")

#: Operators by which FINN replaces convolutions, pools and products before it builds them.
_LOWERED_OPERATORS = ("Im2Col", "MaxPoolNHWC", "XnorPopcountMatMul")


def instead_of(domain: str, op: str) -> str:
    """What to do about an operator that is not supported, for messages."""
    if domain.startswith("finn.") and domain not in QUANTISER_DOMAINS:
        return (
            "it is part of FINN's hardware graph; take the file that FINN was given, as Brevitas'"
            " export_qonnx writes it"
        )
    if domain in QUANTISER_DOMAINS and op in _LOWERED_OPERATORS:
        return (
            "FINN put it there on the way to hardware; take the file that FINN was given, as Brevitas'"
            " export_qonnx writes it"
        )
    if op in _INTEGER_OPERATORS or domain == "com.microsoft":
        return (
            "it computes with integers of a finished quantisation; export the model as QONNX (Brevitas'"
            " export_qonnx) or as QCDQ"
        )
    return "write the graph with the operators that docs/qonnx.md lists"


def load_tensor(proto: onnx.TensorProto) -> np.ndarray:
    """The array of a stored tensor; a `ValueError` if it is in another file, which is never opened."""
    if proto.data_location == onnx.TensorProto.EXTERNAL or proto.external_data:
        raise ValueError(
            f"the tensor {proto.name!r} is stored in another file; save the model as a single file"
        )
    check_size(proto.dims)
    return onnx.numpy_helper.to_array(proto)


@dataclass(frozen=True)
class Node:
    """One operator of the graph.

    Parameters
    ----------
    number : int
        Its place in the file.
    proto : onnx.NodeProto
    opset : int
        Version of the standard's operators.
    """

    number: int
    proto: onnx.NodeProto
    opset: int
    attributes: dict[str, Any] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        for attribute in self.proto.attribute:
            value = onnx.helper.get_attribute_value(attribute)
            self.attributes[attribute.name] = (
                value.decode("utf-8", "replace") if isinstance(value, bytes) else value
            )

    def __str__(self) -> str:
        name = f"node {self.proto.name!r}" if self.proto.name else f"unnamed node {self.number}"
        return f"{name} ({self.proto.op_type})"

    @property
    def name(self) -> str:
        """The node's name in the file, which may be empty."""
        return self.proto.name

    def get(self, attribute: str, default: Any = None) -> Any:
        """The value of an attribute."""
        return self.attributes.get(attribute, default)
