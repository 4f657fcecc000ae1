"""A network as a QONNX file, for other tools.

Every tensor between layers holds -1 and +1, or the integers that the layer outputs, with channels first, as
ONNX has images and sequences. Weights are -1 and +1 (and 0), and the thresholds of a layer are a
MultiThreshold. All numbers are integers or halves that the file's float32 holds exactly. Whatever executes
the file, as the ``qonnx`` package does, computes exactly the scores of `reference`.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from .... import __version__, atomic
from ....errors import ModelError
from ...ir import (
    Add,
    Binarize,
    Conv2d,
    Dense,
    Fork,
    Layer,
    Lookup,
    MaxPool,
    Network,
    Scores,
    Shape,
    SumPool,
    Switch,
    Threshold,
)
from ...layers import rules
from ...pixel_type import PixelType
from .graph import Graph

__all__ = ["save", "to_model"]

#: Of the ONNX standard; old enough for any tool in use.
_OPSET = 13

_DOMAIN = "qonnx.custom_op.general"

#: Sums and scores below this are exact in float32, also as halves.
_EXACT = 1 << 23


def save(network: Network, path: Path | str) -> None:
    """Write a network as QONNX; an existing file is replaced as a whole or not at all.

    The graph's input is an image of values as float32, of the shape (1, channels, rows, columns) or (1,
    pixels). That of sequences, images one pixel wide with windows along them, has the shape (1, channels,
    length). It is annotated with the network's `pixel_type` (UINT8: 0 ... 255). Its output are the scores,
    (1, outputs). Image shape and labels are in the metadata ``sbgen.image_shape`` and ``sbgen.labels``;
    ``sbgen.decision`` is there if the scores decide by their signs.

    Raises
    ------
    ModelError
        A score reaches numbers that float32 does not hold.
    """
    atomic.write(path, to_model(network).SerializeToString(deterministic=True))


def to_model(network: Network) -> onnx.ModelProto:
    """The `onnx.ModelProto` that `save` writes."""
    shape = _image(network.image_shape)
    writer = _Writer(network.pixel_type, axes=1 if _has_sequences(network) else 2)
    input_shape = writer.channels_first(shape)
    for layer, signal in zip(network.layers, network.signals[1:], strict=True):
        writer.add_layer(layer, shape, signal.shape, signal.maximum)
        shape = signal.shape
    graph = helper.make_graph(
        writer.nodes,
        network.name or "network",
        [helper.make_tensor_value_info(writer.input, TensorProto.FLOAT, (1, *input_shape))],
        [helper.make_tensor_value_info(writer.tensor, TensorProto.FLOAT, (1, network.outputs))],
        initializer=writer.constants,
    )
    for name, kind in ((writer.input, network.pixel_type.name), *writer.kinds):
        graph.quantization_annotation.append(
            onnx.TensorAnnotation(
                tensor_name=name,
                quant_parameter_tensor_names=[onnx.StringStringEntryProto(key="finn_datatype", value=kind)],
            )
        )
    model = helper.make_model(
        graph,
        producer_name="sbgen",
        producer_version=__version__,
        ir_version=8,
        opset_imports=[helper.make_opsetid("", _OPSET), helper.make_opsetid(_DOMAIN, 1)],
    )
    metadata = {
        "sbgen.image_shape": json.dumps(list(network.image_shape)),
        "sbgen.labels": json.dumps(list(network.labels)),
    }
    if network.decision != "argmax":
        metadata["sbgen.decision"] = json.dumps(network.decision)
    helper.set_model_props(model, metadata)
    return model


def _require_exact(layer: Layer, maximum: int) -> None:
    """A `ModelError` if sums of a layer reach numbers that float32 does not hold."""
    if maximum >= _EXACT:
        raise ModelError(
            f"layer {layer.name!r}: sums must be within {_EXACT:,} to be exact in QONNX's float32, but reach"
            f" {maximum:,}; write the JSON exchange file instead"
        )


def _image(shape: Shape) -> Shape:
    """An image's shape as (rows, columns, channels); that of a vector as it is."""
    return tuple(shape) if len(shape) == 1 else (*shape[:2], int(np.prod(shape[2:])))


def _has_sequences(network: Network) -> bool:
    """Whether the network is written as one of sequences: its images are one pixel wide, and its windows, of
    which there is one at least, move along them.
    """
    windows = [rule for rule in rules(network) if rule.kernel is not None]
    return bool(windows) and network.image_shape[0] > 1 and all(rule.along_sequence for rule in windows)


def _count_of_product(layer: Conv2d | Dense | Scores) -> tuple[float, np.ndarray]:
    """A count as a line of the product with the weights: step and, for each output, lowest count.

    A product of bits is ``2 count - inputs``, one of integers ``count - top (weights of -1)``, over the
    inputs that count.
    """
    mask = np.ones_like(layer.weights) if layer.mask is None else layer.mask
    inputs = mask.reshape(layer.outputs, -1).sum(axis=1, dtype=np.int64)
    negative = (mask * (1 - layer.weights)).reshape(layer.outputs, -1).sum(axis=1, dtype=np.int64)
    return (1, (2**layer.planes - 1) * negative) if layer.planes > 1 else (0.5, inputs / 2)


class _Writer(Graph):
    """The graph of a network so far.

    Attributes
    ----------
    bits : bool
        Whether the last tensor holds -1 and +1, or integers.
    axes : int
        Of what is not a vector, apart from channels: 2 of images, 1 of sequences.
    """

    input = "image"

    def __init__(self, pixel_type: PixelType, *, axes: int) -> None:
        super().__init__(self.input)
        self.axes, self.bits = axes, False
        self.kinds: list[tuple[str, str]] = []
        self._stored: dict[str, tuple[str, bool]] = {}  # by a `Fork` or a `Switch`
        self._bytes(pixel_type)

    def channels_first(self, shape: Shape) -> Shape:
        """Shape of the tensor, without the batch, of an image or vector of `shape`."""
        return shape[2:] + shape[: self.axes]

    def _per_channel(self, values: np.ndarray, shape: Shape) -> np.ndarray:
        """One value for each channel, to broadcast to the tensor of an image or vector of `shape`."""
        return values.reshape(-1, *[1] * (len(self.channels_first(shape)) - 1))

    def _window(self, layer: Conv2d | MaxPool | SumPool) -> dict[str, Any]:
        """The attributes of a window, apart from padding."""
        return {"kernel_shape": layer.kernel[: self.axes], "strides": layer.stride[: self.axes]}

    def _pads(self, layer: Conv2d | MaxPool) -> tuple[list[int], list[int]]:
        """Padding in front and behind, along each axis."""
        before, after = zip(*layer.padding[: self.axes], strict=True)
        return list(before), list(after)

    # ------------------------------------------------------------------------------------------------- nodes

    def weights(self, layer: Conv2d | Dense | Scores, transform: Callable[[np.ndarray], np.ndarray]) -> str:
        """Append the weights of a layer as -1, +1 and 0, in the order of ONNX; returns their name."""
        signs = 2.0 * layer.weights - 1
        self.kinds.append((f"{layer.name}.weights", "BIPOLAR" if layer.mask is None else "TERNARY"))
        masked = signs if layer.mask is None else signs * layer.mask
        return self.constant(f"{layer.name}.weights", transform(masked))

    def threshold(self, layer: Layer, steps: np.ndarray) -> str:
        """Append a MultiThreshold to -1 and +1: whether the tensor reaches the step of its channel."""
        self.bits = True
        return self.add(
            "MultiThreshold",
            [self.tensor, self.constant(f"{layer.name}.thresholds", steps[:, None])],
            layer.name,
            domain=_DOMAIN,
            attributes={
                "out_dtype": "BIPOLAR",
                "out_scale": 2.0,
                "out_bias": -1.0,
                "data_layout": "NCW" if self.axes == 1 else "NCHW",
            },
        )

    # ------------------------------------------------------------------------------------------------ layers

    def _bytes(self, held: PixelType) -> None:
        """The input's values as the bytes that stand for them."""
        if held.name == "BIPOLAR":
            self.scale("bytes", 127.5, 127.5)
            return
        if held.fraction:
            factor = self.constant("integers.scale", 2.0**held.fraction)
            self.add("Mul", [self.tensor, factor], "integers")
        if held.signed:
            values = self.tensor
            self.add("Less", [values, self.constant("bytes.zero", 0.0)], "bytes.negative")
            self.add("Cast", [self.tensor], "bytes.ones", attributes={"to": TensorProto.FLOAT})
            self.add("Mul", [self.tensor, self.constant("bytes.wrap", 256.0)], "bytes.wrapped")
            self.add("Add", [values, self.tensor], "bytes")

    def add_layer(self, layer: Layer, shape: Shape, after: Shape, maximum: int) -> None:
        """Append a layer on an image or vector of `shape`, whose output has the shape `after` and that
        `maximum`. Bits become -1 and +1.
        """
        _require_exact(layer, maximum)
        match layer:
            case Binarize():
                self._binarize(layer, shape, after)
            case Lookup():
                self._lookup(layer)
            case MaxPool():
                self._max_pool(layer)
            case SumPool():
                self._sum_pool(layer)
            case Threshold():
                self._threshold(layer, after)
            case Fork():
                self._stored[layer.name] = self.tensor, self.bits
            case Switch():
                self._stored[layer.name] = self.tensor, self.bits
                self.tensor, self.bits = self._stored[layer.fork]
            case Add():
                self._add(layer)
            case Conv2d():
                self._convolve(layer)
                self._neurons(layer, after)
            case Dense():
                self._multiply(layer, shape)
                self._neurons(layer, after)
            case Scores():
                self._scores(layer, shape)
        if maximum == 1 and not self.bits:
            self.bits = True
            self.scale(f"{layer.name}.bits", 2.0, -1.0)

    def _binarize(self, layer: Binarize, shape: Shape, after: Shape) -> None:
        levels = layer.levels
        # Levels come before the position of the pixel.
        thresholds = np.moveaxis(layer.thresholds.reshape(*shape, levels), -1, 0)
        between: Shape
        if len(shape) == 3:
            thresholds = thresholds.transpose(3, 0, 1, 2)  # channels, levels, rows, columns
            thresholds = thresholds.reshape(thresholds.shape[: 2 + self.axes])
            between = shape[2], 1, *shape[: self.axes]
        else:
            thresholds, between = thresholds.T, (shape[0], 1)
        if levels == 1:
            thresholds = thresholds.squeeze(1)
        else:
            self.reshape(f"{layer.name}.pixels", between)
        steps = self.constant(f"{layer.name}.thresholds", thresholds[None])
        self.add("Sub", [self.tensor, steps], f"{layer.name}.above")
        if levels > 1:
            self.reshape(f"{layer.name}.levels", self.channels_first(after))
        one = self.constant(f"{layer.name}.scale", 1.0)
        self.add("BipolarQuant", [self.tensor, one], layer.name, domain=_DOMAIN)
        self.bits = True

    def _lookup(self, layer: Lookup) -> None:
        pixels = self.add("Cast", [self.tensor], f"{layer.name}.pixels", attributes={"to": TensorProto.INT64})
        table = self.constant(f"{layer.name}.table", layer.table)
        self.add("Gather", [table, pixels], layer.name, attributes={"axis": 0})

    def _max_pool(self, layer: MaxPool) -> None:
        window = self._window(layer)
        if any(map(any, layer.padding)):
            before, after = self._pads(layer)
            window["pads"] = before + after
        self.add("MaxPool", [self.tensor], layer.name, name=layer.name, attributes=window)

    def _sum_pool(self, layer: SumPool) -> None:
        area = float(np.prod(layer.kernel))
        self.add(
            "AveragePool",
            [self.tensor],
            f"{layer.name}.means",
            name=layer.name,
            attributes=self._window(layer),
        )
        self.add("Mul", [self.tensor, self.constant(f"{layer.name}.area", area)], f"{layer.name}.products")
        # A mean over an area that is no power of two was rounded.
        self.add("Round", [self.tensor], f"{layer.name}.differences" if self.bits else layer.name)
        if self.bits:
            self.scale(layer.name, 0.5, area / 2)
        self.bits = False

    def _levels(self, layer: Threshold, after: Shape) -> None:
        """The number of thresholds that each element reaches, or does not."""
        self.bits = False
        self.add(
            "MultiThreshold",
            [self.tensor, self.constant(f"{layer.name}.thresholds", layer.steps)],
            layer.name,
            domain=_DOMAIN,
            attributes={
                "out_dtype": f"UINT{layer.levels.bit_length()}",
                "out_scale": 1.0,
                "out_bias": 0.0,
                "data_layout": "NCW" if self.axes == 1 else "NCHW",
            },
        )
        if layer.inverted.any():
            inverted = self._per_channel(layer.inverted.astype(float), after)
            self.scale(f"{layer.name}.inverted", 1 - 2 * inverted, layer.levels * inverted)

    def _threshold(self, layer: Threshold, after: Shape) -> None:
        if layer.levels > 1:
            self._levels(layer, after)
            return
        self.threshold(layer, layer.thresholds)
        if layer.inverted.any():
            signs = self.constant(f"{layer.name}.signs", self._per_channel(1.0 - 2 * layer.inverted, after))
            self.add("Mul", [self.tensor, signs], f"{layer.name}.signed")

    def _add(self, layer: Add) -> None:
        if self.bits:
            self.scale(f"{layer.name}.branch", 0.5, 0.5)
        branch, (shortcut, bits) = self.tensor, self._stored[layer.fork]
        self.tensor = shortcut
        if bits:
            shortcut = self.scale(f"{layer.name}.kept", layer.scale / 2, layer.scale / 2)
        elif layer.scale != 1:
            factor = self.constant(f"{layer.name}.scale", layer.scale)
            shortcut = self.add("Mul", [shortcut, factor], f"{layer.name}.kept")
        self.add("Add", [branch, shortcut], layer.name, name=layer.name)
        self.bits = False

    def _convolve(self, layer: Conv2d) -> None:
        if any(map(any, layer.padding)):
            before, after = self._pads(layer)
            bit, top_value = layer.padding_bit, 2.0**layer.planes - 1
            value = bit * top_value if layer.planes > 1 else 2.0 * bit - 1
            pads = self.constant(f"{layer.name}.pads", (0, 0, *before, 0, 0, *after), np.int64)
            constant = self.constant(f"{layer.name}.padding", value)
            self.add(
                "Pad", [self.tensor, pads, constant], f"{layer.name}.padded", attributes={"mode": "constant"}
            )

        def in_order(signs: np.ndarray) -> np.ndarray:
            first = signs.transpose(0, 3, 1, 2)
            return first.reshape(first.shape[: 2 + self.axes])

        self.add(
            "Conv",
            [self.tensor, self.weights(layer, in_order)],
            f"{layer.name}.sums",
            name=layer.name,
            attributes={**self._window(layer), "group": layer.groups},
        )

    def _multiply(self, layer: Dense | Scores, shape: Shape) -> None:
        def in_order(signs: np.ndarray) -> np.ndarray:
            if len(shape) == 3:
                signs = signs.reshape(-1, *shape).transpose(0, 3, 1, 2).reshape(len(signs), -1)
            return signs.T

        if len(shape) == 3:
            self.add("Flatten", [self.tensor], f"{layer.name}.flat", attributes={"axis": 1})
        weights = self.weights(layer, in_order)
        self.add("MatMul", [self.tensor, weights], f"{layer.name}.sums", name=layer.name)

    def _neurons(self, layer: Conv2d | Dense, after: Shape) -> None:
        """Counts or bits of the product with the weights."""
        _require_exact(layer, layer.reach)
        step, lowest = _count_of_product(layer)
        if layer.thresholds is not None:
            self.threshold(layer, (layer.thresholds - lowest) / step)
        else:
            self.bits = False
            self.scale(layer.name, step, self._per_channel(lowest, after))

    def _scores(self, layer: Scores, shape: Shape) -> None:
        low, high = layer.score_range
        if max(-low, high) >= _EXACT:
            raise ModelError(
                f"layer {layer.name!r}: scores must be within {_EXACT:,} to be exact in QONNX's float32, but"
                f" reach {low:,} ... {high:,}; subtract the same number from all offsets, or write the JSON"
                " exchange file instead"
            )
        self._multiply(layer, shape)
        step, lowest = _count_of_product(layer)
        scales = 1 if layer.scales is None else layer.scales
        self.scale("scores", scales * step, layer.offsets + scales * lowest)
