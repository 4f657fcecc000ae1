"""A network as a QONNX file, for the tools of others.

Every tensor between layers holds -1 and +1 with channels first, as ONNX has images; weights are -1 and +1, a layer's
thresholds are a MultiThreshold. All numbers are integers that the file's float32 holds exactly, so that whoever
executes it (the ``qonnx`` package does) gets the scores of `reference`, not close ones.
"""

import json
import os
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from .. import __version__
from ..errors import ModelError
from .ir import Binarize, Conv2d, Dense, MaxPool, Scores

__all__ = ["save", "to_model"]

#: Of the ONNX standard; old enough for any tool in use.
_OPSET = 13

_DOMAIN = "qonnx.custom_op.general"

#: float32 holds every integer up to here.
_EXACT = 1 << 24


def save(network, path):
    """Write a network as QONNX; an existing file is replaced as a whole or not at all.

    The graph's input is an image of raw pixels 0 ... 255 as float32, annotated as UINT8, of the shape (1, channels, rows,
    columns) or (1, pixels); its output are the scores, (1, classes). Image shape and labels are in the metadata
    ``sbgen.image_shape`` and ``sbgen.labels``.

    Raises
    ------
    ModelError
        A score reaches numbers that float32 does not hold.
    """
    path = Path(path)
    beside = path.with_name(path.name + ".part")
    beside.write_bytes(to_model(network).SerializeToString(deterministic=True))
    os.replace(beside, path)


def to_model(network):
    """The `onnx.ModelProto` that `save` writes."""
    low, high = network.layers[-1].score_range
    if max(-low, high) >= _EXACT // 2:
        raise ModelError(f"layer {network.layers[-1].name!r}: scores must be within {_EXACT // 2:,} to be exact in QONNX's "
                         f"float32, but reach {low:,} ... {high:,}; take the same number from all offsets")
    graph = _Graph()
    shape = _image(network.image_shape)
    at = graph.input = "image"
    for layer in network.layers:
        at, shape = graph.add_layer(layer, at, shape)
    made = helper.make_graph(
        graph.nodes, network.name or "network",
        [helper.make_tensor_value_info(graph.input, TensorProto.FLOAT, (1, *_first(_image(network.image_shape))))],
        [helper.make_tensor_value_info(at, TensorProto.FLOAT, (1, network.classes))], initializer=graph.constants)
    for name, kind in ((graph.input, "UINT8"), *((name, "BIPOLAR") for name in graph.bipolar)):
        made.quantization_annotation.append(onnx.TensorAnnotation(tensor_name=name, quant_parameter_tensor_names=[
            onnx.StringStringEntryProto(key="finn_datatype", value=kind)]))
    model = helper.make_model(made, producer_name="sbgen", producer_version=__version__, ir_version=8, opset_imports=[
        helper.make_opsetid("", _OPSET), helper.make_opsetid(_DOMAIN, 1)])
    helper.set_model_props(model, {"sbgen.image_shape": json.dumps(list(network.image_shape)),
                                   "sbgen.labels": json.dumps(list(network.labels))})
    return model


def _image(shape):
    """An image's shape as (rows, columns, channels), or (elements,) where it is none."""
    return tuple(shape) if len(shape) == 1 else (*shape[:2], int(np.prod(shape[2:])))


def _first(shape):
    """The shape with channels first."""
    return shape[2:] + shape[:2]


class _Graph:
    def __init__(self):
        self.nodes, self.constants, self.bipolar, self.input = [], [], [], None

    def add(self, op, inputs, output, *, domain="", **attributes):
        # A layer's name goes to the node that has its weights; there a reader looks for it.
        name = output.removesuffix(".sums") if op in ("Conv", "MatMul", "MaxPool") else output + ".node"
        self.nodes.append(helper.make_node(op, inputs, [output], name=name, domain=domain, **attributes))
        return output

    def constant(self, name, value, kind=np.float32):
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value, kind), name))
        return name

    def weights(self, layer, bits):
        self.bipolar.append(f"{layer.name}.weights")
        return self.constant(f"{layer.name}.weights", 2.0 * bits - 1)

    def reshaped(self, at, name, shape):
        return self.add("Reshape", [at, self.constant(f"{name}.shape", (1, *shape), np.int64)], name)

    def add_layer(self, layer, at, shape):
        """Adds a layer that takes the tensor `at`, an image or vector of `shape`; gives its output and that one's shape."""
        after = layer.output_shape(shape)
        match layer:
            case Binarize():
                return self._binarize(layer, at, shape, after), after
            case MaxPool():
                return self.add("MaxPool", [at], layer.name, kernel_shape=layer.kernel, strides=layer.stride), after
            case Conv2d():
                return self._thresholds(layer, self._conv(layer, at)), after
            case Dense():
                return self._thresholds(layer, self._matmul(layer, at, shape)), after
            case Scores():
                # The product is twice the count less the inputs.
                counted = self.add("Mul", [self._matmul(layer, at, shape), self.constant(f"{layer.name}.half", 0.5)],
                                   f"{layer.name}.halves")
                offsets = self.constant(f"{layer.name}.offsets", layer.offsets + layer.inputs / 2)
                return self.add("Add", [counted, offsets], "scores"), after

    def _binarize(self, layer, at, shape, after):
        levels = layer.levels
        thresholds = np.moveaxis(layer.thresholds.reshape(*shape, levels), -1, 0)  # levels before the pixel's position
        if len(shape) == 3:
            thresholds = thresholds.transpose(3, 0, 1, 2)  # channels, levels, rows, columns
            between = shape[2], 1, *shape[:2]
        else:
            thresholds, between = thresholds.T, (shape[0], 1)
        if levels == 1:
            thresholds = thresholds.squeeze(1)
        else:
            at = self.reshaped(at, f"{layer.name}.pixels", between)
        at = self.add("Sub", [at, self.constant(f"{layer.name}.thresholds", thresholds[None])], f"{layer.name}.above")
        if levels > 1:
            at = self.reshaped(at, f"{layer.name}.levels", _first(after))
        return self.add("BipolarQuant", [at, self.constant(f"{layer.name}.scale", 1.0)], layer.name, domain=_DOMAIN)

    def _conv(self, layer, at):
        if any(map(any, layer.padding)):
            (top, bottom), (left, right) = layer.padding
            value = layer.padding_bit * 255.0 if layer.planes > 1 else 2.0 * layer.padding_bit - 1
            at = self.add("Pad", [at, self.constant(f"{layer.name}.pads", (0, 0, top, left, 0, 0, bottom, right), np.int64),
                                  self.constant(f"{layer.name}.padding", value)], f"{layer.name}.padded", mode="constant")
        return self.add("Conv", [at, self.weights(layer, layer.weights.transpose(0, 3, 1, 2))], f"{layer.name}.sums",
                        kernel_shape=layer.kernel, strides=layer.stride, group=layer.groups)

    def _matmul(self, layer, at, shape):
        bits = layer.weights
        if len(shape) == 3:
            at = self.add("Flatten", [at], f"{layer.name}.flat", axis=1)
            bits = bits.reshape(-1, *shape).transpose(0, 3, 1, 2).reshape(len(bits), -1)
        return self.add("MatMul", [at, self.weights(layer, bits.T)], f"{layer.name}.sums")

    def _thresholds(self, layer, at):
        """On at ``count >= t``: a product of bits is ``2 count - inputs``, one of pixels ``count - 255 (weights of -1)``."""
        if layer.planes > 1:
            negative = (layer.weights == 0).reshape(layer.outputs, -1).sum(axis=1)
            steps = layer.thresholds - (2**layer.planes - 1) * negative
        else:
            steps = 2 * layer.thresholds - layer.inputs
        return self.add("MultiThreshold", [at, self.constant(f"{layer.name}.thresholds", steps[:, None])], layer.name,
                        domain=_DOMAIN, out_dtype="BIPOLAR", out_scale=2.0, out_bias=-1.0, data_layout="NCHW")
