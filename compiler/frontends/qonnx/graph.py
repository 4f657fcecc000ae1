"""The nodes and stored tensors of a QONNX graph, appended one after the other."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike, DTypeLike
from onnx import helper, numpy_helper

from ...ir import Shape

__all__ = ["Graph"]


class Graph:
    """The graph so far.

    Attributes
    ----------
    nodes, constants : list
    tensor : str
        Name of the last tensor.
    """

    def __init__(self, tensor: str) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.tensor = tensor

    def add(
        self,
        op: str,
        inputs: Sequence[str],
        output: str,
        *,
        name: str | None = None,
        domain: str = "",
        attributes: Mapping[str, Any] | None = None,
    ) -> str:
        """Append a node; its output becomes the last tensor and is returned.

        The node with the weights of a layer has the layer's name, where readers look for it.
        """
        name, attributes = name or output + ".node", attributes or {}
        self.nodes.append(helper.make_node(op, inputs, [output], name=name, domain=domain, **attributes))
        self.tensor = output
        return output

    def constant(self, name: str, value: ArrayLike, kind: DTypeLike = np.float32) -> str:
        """Append a stored tensor; returns its name."""
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value, kind), name))
        return name

    def scale(self, name: str, scale: ArrayLike, offset: ArrayLike) -> str:
        """Append ``scale * tensor + offset``; numbers, or one for each channel in the tensor's shape."""
        self.add("Mul", [self.tensor, self.constant(f"{name}.scale", scale)], f"{name}.scaled")
        return self.add("Add", [self.tensor, self.constant(f"{name}.offset", offset)], name)

    def reshape(self, name: str, shape: Shape) -> str:
        """Append a Reshape to (1, *shape)."""
        return self.add("Reshape", [self.tensor, self.constant(f"{name}.shape", (1, *shape), np.int64)], name)
