"""A network as a QONNX file, for the tools of others.

Every tensor between layers holds -1 and +1, or the integers that the layer gives, with channels first, as
ONNX has images; weights are -1 and +1 (and 0), a layer's thresholds are a MultiThreshold. All numbers are
integers or halves that the file's float32 holds exactly, so that whoever executes it (the ``qonnx`` package
does) gets the scores of `reference`, not close ones.
"""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ... import __version__, atomic
from ...errors import ModelError
from ..ir import Add, Binarize, Conv2d, Dense, Fork, Lookup, MaxPool, Scores, SumPool, Threshold

__all__ = ["save", "to_model"]

#: Of the ONNX standard; old enough for any tool in use.
_OPSET = 13

_DOMAIN = "qonnx.custom_op.general"

#: float32 holds every integer up to here.
_EXACT = 1 << 24


def save(network, path):
    """Write a network as QONNX; an existing file is replaced as a whole or not at all.

    The graph's input is an image of values as float32, annotated with the network's `pixel_type` (UINT8: 0
    ... 255), of the shape (1, channels, rows, columns) or (1, pixels); its output are the scores, (1,
    outputs). Image shape and labels are in the metadata ``sbgen.image_shape`` and ``sbgen.labels``;
    ``sbgen.decision`` is there where the scores decide by their signs.

    Raises
    ------
    ModelError
        A score reaches numbers that float32 does not hold.
    """
    path = Path(path)
    atomic.write(path, to_model(network).SerializeToString(deterministic=True))


def to_model(network):
    """The `onnx.ModelProto` that `save` writes."""
    _check_exact(network)
    graph = _Graph()
    shape = _image(network.image_shape)
    graph.input = "image"
    at = graph.bytes(network.pixel_type)
    for layer, greatest in zip(network.layers, network.maxima[1:], strict=True):
        at, shape = graph.add_layer(layer, at, shape)
        at = graph.as_bits(layer, at, greatest)
    made = helper.make_graph(
        graph.nodes,
        network.name or "network",
        [
            helper.make_tensor_value_info(
                graph.input, TensorProto.FLOAT, (1, *_first(_image(network.image_shape)))
            )
        ],
        [helper.make_tensor_value_info(at, TensorProto.FLOAT, (1, network.outputs))],
        initializer=graph.constants,
    )
    for name, kind in ((graph.input, network.pixel_type.name), *graph.kinds):
        made.quantization_annotation.append(
            onnx.TensorAnnotation(
                tensor_name=name,
                quant_parameter_tensor_names=[onnx.StringStringEntryProto(key="finn_datatype", value=kind)],
            )
        )
    model = helper.make_model(
        made,
        producer_name="sbgen",
        producer_version=__version__,
        ir_version=8,
        opset_imports=[helper.make_opsetid("", _OPSET), helper.make_opsetid(_DOMAIN, 1)],
    )
    helper.set_model_props(
        model,
        {
            "sbgen.image_shape": json.dumps(list(network.image_shape)),
            "sbgen.labels": json.dumps(list(network.labels)),
            **({} if network.decision == "argmax" else {"sbgen.decision": json.dumps(network.decision)}),
        },
    )
    return model


def _check_exact(network):
    """A `ModelError` where a number on the way has no exact place in the file."""
    for layer, greatest in zip(network.layers[:-1], network.maxima[1:], strict=False):
        most = layer.reach if isinstance(layer, Conv2d | Dense) else greatest
        if most >= _EXACT // 2:
            raise ModelError(
                f"layer {layer.name!r}: sums must be within {_EXACT // 2:,} to be exact in QONNX's float32,"
                f" but reach {most:,}; write the JSON exchange file instead"
            )
    low, high = network.layers[-1].score_range
    if max(-low, high) >= _EXACT // 2:
        raise ModelError(
            f"layer {network.layers[-1].name!r}: scores must be within {_EXACT // 2:,} to be exact in QONNX's"
            f" float32, but reach {low:,} ... {high:,}; take the same number from all offsets, or write the"
            " JSON exchange file instead"
        )


def _image(shape):
    """An image's shape as (rows, columns, channels), or (elements,) where it is none."""
    return tuple(shape) if len(shape) == 1 else (*shape[:2], int(np.prod(shape[2:])))


def _first(shape):
    """The shape with channels first."""
    return shape[2:] + shape[:2]


class _Graph:
    def __init__(self):
        self.nodes, self.constants, self.kinds, self.input, self.kept = [], [], [], None, {}
        self.bits = False  # whether the tensor between layers holds -1 and +1, or integers

    def add(self, op, inputs, output, *, name=None, domain="", **attributes):
        # A layer's name goes to the node that has its weights; there a reader looks for it.
        self.nodes.append(
            helper.make_node(op, inputs, [output], name=name or output + ".node", domain=domain, **attributes)
        )
        return output

    def constant(self, name, value, kind=np.float32):
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value, kind), name))
        return name

    def bytes(self, held):
        """The input's values as the bytes that stand for them."""
        at = self.input
        if held.name == "BIPOLAR":
            return self.scaled(at, "bytes", 127.5, 127.5)
        if held.fraction:
            at = self.add("Mul", [at, self.constant("integers.scale", 2.0**held.fraction)], "integers")
        if not held.signed:
            return at
        below = self.add("Less", [at, self.constant("bytes.zero", 0.0)], "bytes.negative")
        below = self.add("Cast", [below], "bytes.ones", to=TensorProto.FLOAT)
        below = self.add("Mul", [below, self.constant("bytes.wrap", 256.0)], "bytes.wrapped")
        return self.add("Add", [at, below], "bytes")

    def weights(self, layer, transform):
        signs = 2.0 * layer.weights - 1
        self.kinds.append((f"{layer.name}.weights", "BIPOLAR" if layer.mask is None else "TERNARY"))
        return self.constant(
            f"{layer.name}.weights", transform(signs if layer.mask is None else signs * layer.mask)
        )

    def reshaped(self, at, name, shape):
        return self.add("Reshape", [at, self.constant(f"{name}.shape", (1, *shape), np.int64)], name)

    def scaled(self, at, name, scale, offset):
        """``scale * at + offset``; numbers, or one for each channel in the tensor's shape."""
        at = self.add("Mul", [at, self.constant(f"{name}.scale", scale)], f"{name}.scaled")
        return self.add("Add", [at, self.constant(f"{name}.offset", offset)], name)

    def add_layer(self, layer, at, shape):
        """Adds a layer that takes the tensor `at`, an image or vector of `shape`; gives its output and that
        one's shape.
        """
        after = layer.output_shape(shape)
        match layer:
            case Binarize():
                at = self._binarize(layer, at, shape, after)
                self.bits = True
            case Lookup():
                pixels = self.add("Cast", [at], f"{layer.name}.pixels", to=TensorProto.INT64)
                at = self.add(
                    "Gather", [self.constant(f"{layer.name}.table", layer.table), pixels], layer.name, axis=0
                )
            case MaxPool():
                (top, bottom), (left, right) = layer.padding
                pads = {"pads": (top, left, bottom, right)} if any(map(any, layer.padding)) else {}
                at = self.add(
                    "MaxPool",
                    [at],
                    layer.name,
                    name=layer.name,
                    kernel_shape=layer.kernel,
                    strides=layer.stride,
                    **pads,
                )
            case SumPool():
                area = float(np.prod(layer.kernel))
                at = self.add(
                    "AveragePool",
                    [at],
                    f"{layer.name}.means",
                    name=layer.name,
                    kernel_shape=layer.kernel,
                    strides=layer.stride,
                )
                at = self.add(
                    "Mul", [at, self.constant(f"{layer.name}.area", area)], f"{layer.name}.products"
                )
                # An area that is no power of two was rounded.
                at = self.add("Round", [at], f"{layer.name}.differences" if self.bits else layer.name)
                at = self.scaled(at, layer.name, 0.5, area / 2) if self.bits else at
                self.bits = False
            case Threshold():
                at = self.thresholds(layer, at, layer.thresholds)
                if layer.inverted.any():
                    signs = (1.0 - 2 * layer.inverted).reshape(-1, *[1] * (len(after) - 1))
                    at = self.add(
                        "Mul", [at, self.constant(f"{layer.name}.signs", signs)], f"{layer.name}.signed"
                    )
                self.bits = True
            case Fork():
                self.kept[layer.name] = at, self.bits
            case Add():
                at = self._shortcut(layer, at)
                self.bits = False
            case Conv2d():
                at = self._neurons(layer, self._conv(layer, at), after)
            case Dense():
                at = self._neurons(layer, self._matmul(layer, at, shape), after)
            case Scores():
                step, lowest = self._count(layer)
                scales = 1 if layer.scales is None else layer.scales
                at = self.scaled(
                    self._matmul(layer, at, shape), "scores", scales * step, layer.offsets + scales * lowest
                )
        return at, after

    def as_bits(self, layer, at, greatest):
        """-1 and +1 in place of integers of 0 and 1, which the layer behind takes as bits."""
        if greatest != 1 or self.bits:
            return at
        self.bits = True
        return self.scaled(at, f"{layer.name}.bits", 2.0, -1.0)

    def _binarize(self, layer, at, shape, after):
        levels = layer.levels
        thresholds = np.moveaxis(
            layer.thresholds.reshape(*shape, levels), -1, 0
        )  # levels before the pixel's position
        if len(shape) == 3:
            thresholds = thresholds.transpose(3, 0, 1, 2)  # channels, levels, rows, columns
            between = shape[2], 1, *shape[:2]
        else:
            thresholds, between = thresholds.T, (shape[0], 1)
        if levels == 1:
            thresholds = thresholds.squeeze(1)
        else:
            at = self.reshaped(at, f"{layer.name}.pixels", between)
        at = self.add(
            "Sub", [at, self.constant(f"{layer.name}.thresholds", thresholds[None])], f"{layer.name}.above"
        )
        if levels > 1:
            at = self.reshaped(at, f"{layer.name}.levels", _first(after))
        return self.add(
            "BipolarQuant", [at, self.constant(f"{layer.name}.scale", 1.0)], layer.name, domain=_DOMAIN
        )

    def _conv(self, layer, at):
        if any(map(any, layer.padding)):
            (top, bottom), (left, right) = layer.padding
            value = (
                layer.padding_bit * (2.0**layer.planes - 1)
                if layer.planes > 1
                else 2.0 * layer.padding_bit - 1
            )
            at = self.add(
                "Pad",
                [
                    at,
                    self.constant(f"{layer.name}.pads", (0, 0, top, left, 0, 0, bottom, right), np.int64),
                    self.constant(f"{layer.name}.padding", value),
                ],
                f"{layer.name}.padded",
                mode="constant",
            )
        return self.add(
            "Conv",
            [at, self.weights(layer, lambda each: each.transpose(0, 3, 1, 2))],
            f"{layer.name}.sums",
            name=layer.name,
            kernel_shape=layer.kernel,
            strides=layer.stride,
            group=layer.groups,
        )

    def _matmul(self, layer, at, shape):
        def first(weights):
            if len(shape) == 3:
                weights = weights.reshape(-1, *shape).transpose(0, 3, 1, 2).reshape(len(weights), -1)
            return weights.T

        if len(shape) == 3:
            at = self.add("Flatten", [at], f"{layer.name}.flat", axis=1)
        return self.add("MatMul", [at, self.weights(layer, first)], f"{layer.name}.sums", name=layer.name)

    @staticmethod
    def _count(layer):
        """What a product with the weights is as a count: ``step * product + lowest``, lowest one for each
        output.

        A product of bits is ``2 count - inputs``, one of integers ``count - top (weights of -1)``, over
        inputs that count.
        """
        mask = np.ones_like(layer.weights) if layer.mask is None else layer.mask
        inputs, negative = (
            each.reshape(layer.outputs, -1).sum(axis=1, dtype=np.int64)
            for each in (mask, mask * (1 - layer.weights))
        )
        return (1, (2**layer.planes - 1) * negative) if layer.planes > 1 else (0.5, inputs / 2)

    def _neurons(self, layer, at, after):
        step, lowest = self._count(layer)
        self.bits = layer.thresholds is not None
        if self.bits:
            return self.thresholds(layer, at, (layer.thresholds - lowest) / step)
        return self.scaled(at, layer.name, step, lowest.reshape(-1, *[1] * (len(after) - 1)))

    def thresholds(self, layer, at, steps):
        """-1 and +1: whether the tensor reaches the step of its channel."""
        return self.add(
            "MultiThreshold",
            [at, self.constant(f"{layer.name}.thresholds", steps[:, None])],
            layer.name,
            domain=_DOMAIN,
            out_dtype="BIPOLAR",
            out_scale=2.0,
            out_bias=-1.0,
            data_layout="NCHW",
        )

    def _shortcut(self, layer, at):
        if self.bits:
            at = self.scaled(at, f"{layer.name}.branch", 0.5, 0.5)
        kept, bits = self.kept[layer.fork]
        scale = layer.scale / 2 if bits else layer.scale
        if bits:
            kept = self.scaled(kept, f"{layer.name}.kept", scale, scale)
        elif scale != 1:
            kept = self.add("Mul", [kept, self.constant(f"{layer.name}.scale", scale)], f"{layer.name}.kept")
        return self.add("Add", [at, kept], layer.name, name=layer.name)
