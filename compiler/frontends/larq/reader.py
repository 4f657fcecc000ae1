"""A larq network as an integer network: runs the Keras layers, one by one, on tensors of functions.

Images are in the order channels, rows, columns, as in a QONNX file.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ....errors import ModelError
from ... import ir
from ..chain import Chain
from ..last_layer import last_layer
from ..neurons import convolve, dense
from ..pixels import PIXELS, check_pixels, read_varying
from ..pools import average_pool, max_pool
from ..shortcuts import join
from ..sign_scores import are_bits
from ..tensors import Pixels, Tensor, check_size, elementwise, move, pad
from .keras_file import KerasLayer, read
from .quantisers import ACTIVATIONS, QUANTISERS, Serialised, by_name, plain_name, quantiser_of

__all__ = ["load"]

#: What NumPy raises for settings and weights that do not fit their layer.
_MALFORMED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)

#: Keras' activations that only say how the scores before them decide.
_DECISIONS = {"sigmoid": "sign", "softmax": "argmax"}

#: Keras' layers that change no value.
_UNCHANGED = ("ActivityRegularization", "Dropout", "Flatten", "GaussianNoise")


def load(path: Path | str, *, pixels: str | None = None) -> ir.Network:
    """The network of a Keras model in HDF5.

    Parameters
    ----------
    path : path
    pixels : {"unit", "fixed", "raw", "signed"} or None
        What a raw pixel p in 0 ... 255 stands for at the model's input: p / 255, p / 256, p or p / 127.5 - 1.
        None is "signed", as in larq's own examples.

    Returns
    -------
    ir.Network
        Its scores order the classes as the model's output does.

    Raises
    ------
    ModelError
        The file is damaged, or its model has no exact form as integers; the message names the layer.
    """
    check_pixels(pixels)
    path = Path(path)
    try:
        layers, last = read(path)

        def read_with(pixels: str | None) -> tuple[ir.Network, bool]:
            return _Reader(pixels or "signed").network(path.stem, layers, last), True

        with np.errstate(all="ignore"):
            return read_varying(read_with, pixels, "signed")
    except ModelError as error:
        raise ModelError(f"{path}: {re.sub('[^ -~]', '?', str(error))}") from error.__cause__


def _ends_in_quantiser(layers: Sequence[KerasLayer], name: str) -> bool:
    """Whether the layer of a name, or the one that it passes on unchanged, outputs quantised values."""
    named = {layer.name: layer for layer in layers}
    while named[name].kind in _UNCHANGED and named[name].inputs:
        name = named[name].inputs[0]
    activation = by_name(named[name].config.get("activation"))
    activation = activation.get("class_name", "") if isinstance(activation, dict) else activation
    names = {plain_name(each) for each in (named[name].kind, activation or "")}
    return bool(names & set(QUANTISERS) - {"noop"})


class _Reader:
    """Walks through the layers of a model once.

    Attributes
    ----------
    chain : Chain
        The integer layers so far.
    values : dict
        The output of each Keras layer, by name.
    end : KerasLayer or None
        The softmax or sigmoid at the end.
    decision : str or None
        How scores decide, according to `end`.
    """

    def __init__(self, pixels: str) -> None:
        self.chain, self.pixels = Chain(), PIXELS[pixels]
        self.values: dict[str, Tensor] = {}
        self.end: KerasLayer | None = None
        self.decision: str | None = None

    def network(self, name: str, layers: Sequence[KerasLayer], last: str) -> ir.Network:
        """The network of the layers; `last` is the name of the one that outputs the scores."""
        for layer in layers:
            try:
                self.values[layer.name] = self._run(layer)
            except _MALFORMED as error:
                text = " ".join(str(error).split())[:200]
                if not isinstance(error, ValueError):
                    text = f"is malformed ({type(error).__name__}: {text})"
                raise ModelError(f"{layer}: {text}") from error
        value = self.values.get(last)
        if value is None:
            raise ModelError(f"its output layer {last!r} is missing; the file may be damaged")
        is_single = int(np.prod(value.shape)) == 1
        if is_single and self.decision == "argmax":
            raise ModelError(
                f"{self.end}: is a softmax of one output, which is always 1; end the model at this output,"
                " whose sign then decides, or use a sigmoid"
            )
        bits = self.decision is None and _ends_in_quantiser(layers, last) and are_bits(value)
        decision = self.decision or ("sign" if is_single or bits else "argmax")
        scores = last_layer(self.chain, value, decision, bits=bits)
        return self.chain.network(name=name, scores=scores, decision=decision)

    def _run(self, layer: KerasLayer) -> Tensor:
        """The output of a layer."""
        if layer.kind == "InputLayer":
            return self._input(layer)
        operands = self._operands(layer)
        if self.end:
            raise ModelError(
                f"{layer}: comes after {self.end}; nothing may follow a softmax or sigmoid, end the model"
                " there"
            )
        if layer.kind == "Add":
            return self._add(layer, operands)
        (value,) = operands
        kind = layer.kind.rsplit(">", 1)[-1]
        handler = _LAYERS.get(kind)
        if handler is None and plain_name(kind) in QUANTISERS:
            return _quantised(layer, {"class_name": kind, "config": layer.config}, value)
        if handler is None:
            raise ModelError(
                f"{layer}: layers of this kind are not supported; supported are {', '.join(sorted(_LAYERS))},"
                " Add and larq's quantisers"
            )
        if layer.config.get("data_format", "channels_last") not in ("channels_last", None):
            raise ModelError(f"{layer}: must have its channels last, not {layer.config['data_format']!r}")
        return handler(self, layer, value)

    def _operands(self, layer: KerasLayer) -> list[Tensor]:
        if not layer.inputs and not self.values:  # the first layer of an old Sequential has its input shape
            return [self._input(layer)]
        missing = [name for name in layer.inputs if name not in self.values]
        if missing or not layer.inputs:
            raise ModelError(
                f"{layer}: must take the output of a layer before it, not of"
                f" {repr(missing[0]) if missing else 'no layer'}; the file may be damaged"
            )
        return [self.values[name] for name in layer.inputs]

    def _input(self, layer: KerasLayer) -> Tensor:
        config = layer.config
        shape = config.get("batch_input_shape") or config.get("batch_shape") or config.get("input_shape")
        if (
            not shape
            or len(shape) not in (2, 4)
            or not all(type(length) is int and length > 0 for length in shape[1:])
        ):
            raise ModelError(
                f"{layer}: must have a fixed shape of (rows, columns, channels) or (elements,) after the"
                f" batch, not {shape}; give the first layer an input_shape"
            )
        check_size(shape[1:])
        size, sizes = math.prod(shape[1:]), tuple(shape[1:])
        index = np.arange(size).reshape(sizes)
        if len(sizes) == 3:
            index = index.transpose(2, 0, 1)
            sizes = sizes if sizes[2] > 1 else sizes[:2]
        self.chain.image_shape = sizes
        return Tensor(
            source=Pixels(size=size, count=ir.PIXEL_LEVELS, after=None),
            index=index[None],
            row=np.zeros((1, *index.shape), np.int64),
            rows=self.pixels(np.arange(ir.PIXEL_LEVELS, dtype=np.float32))[None],
            origin="the input",
        )

    def _add(self, layer: KerasLayer, operands: Sequence[Tensor]) -> Tensor:
        if len(operands) != 2:
            raise ModelError(
                f"{layer}: must add two branches, not {len(operands)}; add them one after the other"
            )
        first, second = operands
        if first.source is second.source:
            return elementwise(layer, np.add, operands)
        return join(self.chain, layer, first, second)

    # ------------------------------------------------------------------------------------------ with weights

    def _after(self, layer: KerasLayer, value: Tensor) -> Tensor:
        """The bias and the activation of a layer with weights."""
        if layer.config.get("use_bias", True):
            bias = np.asarray(layer.weights["bias"], np.float32)
            value = elementwise(layer, np.add, (value, bias.reshape(-1, *[1] * (len(value.shape) - 2))))
        return self._activation(layer, value)

    def _convolution(self, layer: KerasLayer, value: Tensor, weights: np.ndarray, groups: int) -> Tensor:
        if len(value.shape) != 4:
            raise ModelError(f"{layer}: must take an image, but {value.origin} has the shape {value.shape}")
        if any(step != 1 for step in np.ravel(layer.config.get("dilation_rate", 1))):
            raise ModelError(f"{layer}: must have a dilation_rate of 1, not {layer.config['dilation_rate']}")
        is_raw = isinstance(value.source, Pixels) and layer.config.get("input_quantizer") is None
        value = _quantised(layer, layer.config.get("input_quantizer"), value)
        kernel, stride = weights.shape[2:], tuple(layer.config.get("strides", (1, 1)))
        pads = _pads(layer, value, kernel, stride)
        constant = float(layer.config.get("pad_values", 0.0))
        if any(map(any, pads)):
            if constant == 0 and not is_raw:
                raise ModelError(
                    f"{layer}: pads with 0 ('same' with pad_values=0), but a bit has no 0 between -1 and +1;"
                    " train it with pad_values=1.0 (or -1.0), or with padding='valid'"
                )
            value = pad(value, [(0, 0), (0, 0), *pads], constant)
        result = convolve(self.chain, layer, value, weights, stride=(stride[0], stride[1]), groups=groups)
        return self._after(layer, result)

    def _conv(self, layer: KerasLayer, value: Tensor) -> Tensor:
        weights = _weights(layer, "kernel", "kernel_quantizer").transpose(3, 2, 0, 1)
        return self._convolution(layer, value, weights, int(layer.config.get("groups", 1)))

    def _depthwise(self, layer: KerasLayer, value: Tensor) -> Tensor:
        # (rows, columns, channels, multiplier): the outputs of a channel are adjacent.
        weights = _weights(layer, "depthwise_kernel", "depthwise_quantizer").transpose(2, 3, 0, 1)
        return self._convolution(layer, value, weights.reshape(-1, 1, *weights.shape[2:]), len(weights))

    def _dense(self, layer: KerasLayer, value: Tensor) -> Tensor:
        if len(value.shape) != 2:
            raise ModelError(
                f"{layer}: must take a vector, but {value.origin} has the shape {value.shape}; put a Flatten"
                " before it"
            )
        value = _quantised(layer, layer.config.get("input_quantizer"), value)
        weights = _weights(layer, "kernel", "kernel_quantizer").T
        return self._after(layer, dense(self.chain, layer, value, weights))

    # --------------------------------------------------------------------------------------- without weights

    def _activation(self, layer: KerasLayer, value: Tensor) -> Tensor:
        name = by_name(layer.config.get("activation", "linear") or "linear")
        if isinstance(name, str) and name in _DECISIONS:
            self.end, self.decision = layer, _DECISIONS[name]
            return value
        if isinstance(name, str) and name in ACTIVATIONS:
            return value if name == "linear" else elementwise(layer, ACTIVATIONS[name], (value,))
        try:
            return _quantised(layer, name, value)
        except ValueError:
            raise ModelError(
                f"{layer}: must have one of the activations {', '.join(sorted(ACTIVATIONS))}, softmax,"
                f" sigmoid and {', '.join(sorted(QUANTISERS))}, not {name!r}"
            ) from None

    def _softmax(self, layer: KerasLayer, value: Tensor) -> Tensor:
        self.end, self.decision = layer, "argmax"
        return value

    def _normalization(self, layer: KerasLayer, value: Tensor) -> Tensor:
        rank = len(value.shape)
        axis = np.ravel(layer.config.get("axis", -1)).tolist()
        if axis not in ([-1], [rank - 1]):
            raise ModelError(f"{layer}: must normalise channels, the last axis, not {axis}")
        weights = {
            name: np.asarray(array, np.float32).reshape(-1, *[1] * (rank - 2))
            for name, array in layer.weights.items()
        }
        mean, variance = weights["moving_mean"], weights["moving_variance"]
        factor = 1 / np.sqrt(variance + np.float32(layer.config.get("epsilon", 1e-3)))
        factor = factor * weights.get("gamma", np.float32(1))
        beta = weights.get("beta", np.zeros_like(mean))
        if rank == 4:  # TensorFlow's fused form
            return elementwise(
                layer, lambda x, mean, factor, beta: (x - mean) * factor + beta, (value, mean, factor, beta)
            )
        bias = beta - mean * factor  # the form of Keras itself
        return elementwise(layer, lambda x, factor, bias: x * factor + bias, (value, factor, bias))

    def _max_pool(self, layer: KerasLayer, value: Tensor) -> Tensor:
        kernel, stride = _window(layer)
        pads = _pads(layer, value, kernel, stride)
        return max_pool(self.chain, layer, value, kernel=kernel, stride=stride, pads=pads)

    def _average_pool(self, layer: KerasLayer, value: Tensor) -> Tensor:
        kernel, stride = _window(layer)
        if any(map(any, _pads(layer, value, kernel, stride))):
            raise ModelError(
                f"{layer}: must take means without padding, but 'same' pads; use padding='valid'"
            )
        return average_pool(self.chain, layer, value, kernel=kernel, stride=stride)

    def _global_average(self, layer: KerasLayer, value: Tensor) -> Tensor:
        _, _, rows, columns = value.shape
        size = rows, columns
        result = average_pool(self.chain, layer, value, kernel=size, stride=size)
        if layer.config.get("keepdims"):
            return result
        return move(layer, lambda array: array[:, :, 0, 0], result)

    def _flatten(self, layer: KerasLayer, value: Tensor) -> Tensor:
        def flatten(array: np.ndarray) -> np.ndarray:
            return (array.transpose(0, 2, 3, 1) if array.ndim == 4 else array).reshape(1, -1)

        return move(layer, flatten, value)

    def _rescaling(self, layer: KerasLayer, value: Tensor) -> Tensor:
        scale, offset = np.float32(layer.config["scale"]), np.float32(layer.config.get("offset", 0))
        return elementwise(layer, lambda x: x * scale + offset, (value,))

    def _unchanged(self, layer: KerasLayer, value: Tensor) -> Tensor:
        return replace(value, origin=str(layer))


def _quantised(layer: KerasLayer, serialised: Serialised, value: Tensor) -> Tensor:
    """The tensor after a serialised quantiser, if there is one."""
    quantiser = quantiser_of(serialised)
    return value if quantiser is None else elementwise(layer, quantiser, (value,))


def _weights(layer: KerasLayer, name: str, quantiser: str) -> np.ndarray:
    """The quantised weights of a layer; `quantiser` is the setting that has their quantiser."""
    if name not in layer.weights:
        raise ModelError(f"{layer}: its {name} is not in the file; save the whole model, with its weights")
    weights = np.asarray(layer.weights[name], np.float32)
    function = quantiser_of(layer.config.get(quantiser))
    return weights if function is None else function(weights)


def _window(layer: KerasLayer) -> tuple[tuple[int, int], tuple[int, int]]:
    """Kernel and stride of a pool."""
    rows, columns = layer.config["pool_size"]
    down, across = layer.config.get("strides") or (rows, columns)
    return (rows, columns), (down, across)


def _pads(layer: KerasLayer, value: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> ir.Padding:
    """Pads of "same" as in TensorFlow: more below and on the right if they are odd."""
    padding = layer.config.get("padding", "valid")
    if padding not in ("valid", "same"):
        raise ModelError(f"{layer}: must pad by 'valid' or 'same', not {padding!r}")
    if padding == "valid":
        return (0, 0), (0, 0)
    rows, columns = (
        max(0, (-(-length // step) - 1) * step + size - length)
        for length, step, size in zip(value.shape[2:], stride, kernel, strict=True)
    )
    return (rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2)


#: Keras' layers and larq's, by class.
_LAYERS: dict[str, Callable[[_Reader, KerasLayer, Tensor], Tensor]] = {
    "Activation": _Reader._activation,
    "ActivityRegularization": _Reader._unchanged,
    "AveragePooling2D": _Reader._average_pool,
    "BatchNormalization": _Reader._normalization,
    "Conv2D": _Reader._conv,
    "Dense": _Reader._dense,
    "DepthwiseConv2D": _Reader._depthwise,
    "Dropout": _Reader._unchanged,
    "Flatten": _Reader._flatten,
    "GaussianNoise": _Reader._unchanged,
    "GlobalAveragePooling2D": _Reader._global_average,
    "MaxPooling2D": _Reader._max_pool,
    "QuantConv2D": _Reader._conv,
    "QuantDense": _Reader._dense,
    "QuantDepthwiseConv2D": _Reader._depthwise,
    "Rescaling": _Reader._rescaling,
    "Softmax": _Reader._softmax,
}
