"""A larq network as integers: a Keras model in HDF5 whose convolutions and dense layers have binary or
ternary weights.

The model is run on tensors of functions (`tabulate`), with images in the order channels, rows, columns; the
rest is as for a QONNX file. Neither TensorFlow nor larq is needed.
"""

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...errors import ModelError
from .. import ir
from .chain import Chain
from .keras_file import read
from .last_layer import last_layer
from .neurons import convolve, dense
from .pixels import PIXELS, read_varying
from .pools import average_pool, max_pool
from .shortcuts import join
from .sign_scores import are_bits
from .tensors import Pixels, Tensor, check_size, elementwise, move, pad

__all__ = ["load"]

#: What NumPy raises on settings and weights that do not fit their layer.
_MALFORMED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


def _sign(x):
    return np.where(x >= 0, x.dtype.type(1), x.dtype.type(-1))


def _ternary(x, settings):
    threshold = np.float32(settings.get("threshold_value", 0.05))
    if settings.get("ternary_weight_networks"):
        threshold = np.float32(0.7) * np.abs(x).sum(dtype=x.dtype) / x.dtype.type(x.size)
    return np.sign(np.sign(x + threshold) + np.sign(x - threshold)).astype(x.dtype)


def _dorefa(x, settings):
    if settings.get("mode", "activations") != "activations":
        raise ValueError("quantises weights by DoReFa, which are not -1, 0 and +1; use SteSign or SteTern")
    steps = x.dtype.type(2 ** int(settings.get("k_bit", 2)) - 1)
    return np.round(np.clip(x, 0, 1) * steps) / steps


#: larq's quantisers by their names without underscores: functions of (array, settings). The sign of 0 is +1.
QUANTISERS = {
    "approxsign": lambda x, settings: _sign(x),
    "dorefa": _dorefa,
    "magnitudeawaresign": lambda x, settings: (
        _sign(x) * np.abs(x).mean(axis=tuple(range(x.ndim - 1)), dtype=x.dtype)
    ),
    "noop": lambda x, settings: x,
    "steheaviside": lambda x, settings: (x > 0).astype(x.dtype),
    "stesign": lambda x, settings: _sign(x),
    "stetern": _ternary,
    "swishsign": lambda x, settings: _sign(x),
}

#: Keras' activations that change values, each for itself.
ACTIVATIONS = {
    "hard_tanh": lambda x: np.clip(x, -1, 1),
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "tanh": np.tanh,
}


#: Keras' activations that say at the end how the scores decide, which the scores before them do alike.
_DECISIONS = {"sigmoid": "sign", "softmax": "argmax"}

#: Keras' layers that change no value.
_SAME = ("ActivityRegularization", "Dropout", "Flatten", "GaussianNoise")


def _plain(name):
    return re.sub(r"[^a-z0-9]", "", name.rsplit(">", 1)[-1].lower())


def _by_name(value):
    """What Keras 2.15 and later serialise as a function of a name is that name."""
    return value["config"] if isinstance(value, dict) and isinstance(value.get("config"), str) else value


def _quantiser(value):
    """The function of arrays that a serialised quantiser is, and None where there is none."""
    if value is None:
        return None
    value = _by_name(value)
    name, settings = (
        (value, {}) if isinstance(value, str) else (value["class_name"], value.get("config") or {})
    )
    known = QUANTISERS.get(_plain(name))
    if known is None:
        raise ValueError(f"has the quantiser {name!r}; known are {', '.join(sorted(QUANTISERS))}")
    return lambda x: known(x, settings)


def _quantises(layers, name):
    """Whether the last layer of a name, or what it passes on, is the output of a quantiser."""
    named = {layer.name: layer for layer in layers}
    while named[name].kind in _SAME and named[name].inputs:
        name = named[name].inputs[0]
    activation = _by_name(named[name].config.get("activation"))
    activation = activation.get("class_name", "") if isinstance(activation, dict) else activation
    return bool({_plain(each) for each in (named[name].kind, activation or "")} & set(QUANTISERS) - {"noop"})


def load(path, *, pixels=None):
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
    if pixels not in (None, *PIXELS):
        raise ModelError(f"pixels must be one of {', '.join(PIXELS)}, not {pixels!r}")
    path = Path(path)
    try:
        layers, last = read(path)
        with np.errstate(all="ignore"):
            return read_varying(
                lambda how: (_Reader(how or "signed").network(path.stem, layers, last), True),
                pixels,
                "signed",
            )
    except ModelError as error:
        raise ModelError(f"{path}: {re.sub('[^ -~]', '?', str(error))}") from error.__cause__


class _Reader:
    def __init__(self, pixels):
        self.chain, self.pixels, self.values, self.ended = Chain(), PIXELS[pixels], {}, None
        self.decision = None  # what the activation at the end says of it

    def network(self, name, layers, last):
        for layer in layers:
            try:
                self.values[layer.name] = self._run(layer)
            except _MALFORMED as error:
                text = " ".join(str(error).split())[:200]
                raise ModelError(
                    f"{layer}:"
                    f" {text if isinstance(error, ValueError) else f'is malformed ({type(error).__name__}: {text})'}"
                ) from error
        value = self.values.get(last)
        if not isinstance(value, Tensor):
            raise ModelError(f"its output layer {last!r} is not there; it may be damaged")
        one = int(np.prod(value.shape)) == 1
        if one and self.decision == "argmax":
            raise ModelError(
                f"{self.ended}: is a softmax of one output, which is always 1; end the model at this output,"
                " whose sign then decides, or take a sigmoid"
            )
        bits = self.decision is None and _quantises(layers, last) and are_bits(value)
        decision = self.decision or ("sign" if one or bits else "argmax")
        return self.chain.network(
            name=name, scores=last_layer(self.chain, value, decision, bits=bits), decision=decision
        )

    def _input(self, layer):
        shape = (
            layer.config.get("batch_input_shape")
            or layer.config.get("batch_shape")
            or layer.config.get("input_shape")
        )
        if (
            not shape
            or len(shape) not in (2, 4)
            or not all(type(each) is int and each > 0 for each in shape[1:])
        ):
            raise ModelError(
                f"{layer}: must have a fixed shape of (rows, columns, channels) or (elements,) behind the"
                f" batch, not {shape}; give the first layer an input_shape"
            )
        check_size(shape[1:])
        size, sizes = math.prod(shape[1:]), tuple(shape[1:])
        index = np.arange(size).reshape(sizes)
        if len(sizes) == 3:
            index = index.transpose(2, 0, 1)
            sizes = sizes if sizes[2] > 1 else sizes[:2]
        self.chain.image_shape = sizes
        rows = self.pixels(np.arange(ir.PIXEL_LEVELS, dtype=np.float32))[None]
        return Tensor(
            source=Pixels(size=size, count=ir.PIXEL_LEVELS, after=None),
            index=index[None],
            row=np.zeros((1, *index.shape), np.int64),
            rows=rows,
            origin="the input",
        )

    def _run(self, layer):
        if layer.kind == "InputLayer":
            return self._input(layer)
        if not layer.inputs and not self.values:  # a Sequential of old has its shape in its first layer
            operands = [self._input(layer)]
        else:
            missing = [name for name in layer.inputs if name not in self.values]
            if missing or not layer.inputs:
                raise ModelError(
                    f"{layer}: takes {missing[0] if missing else 'no layer'!r}, which is not before it; it"
                    " may be damaged"
                )
            operands = [self.values[name] for name in layer.inputs]
        if self.ended:
            raise ModelError(
                f"{layer}: comes behind {self.ended}; nothing may follow a softmax or sigmoid, end the model"
                " there"
            )
        if layer.kind == "Add":
            if len(operands) != 2:
                raise ModelError(
                    f"{layer}: must add two branches, not {len(operands)}; add them one after the other"
                )
            first, second = operands
            return (
                elementwise(layer, np.add, operands)
                if first.source is second.source
                else join(self.chain, layer, *operands)
            )
        (value,) = operands
        kind = layer.kind.rsplit(">", 1)[-1]
        handler = _LAYERS.get(kind)
        if handler is None and _plain(kind) in QUANTISERS:
            return elementwise(layer, _quantiser({"class_name": kind, "config": layer.config}), (value,))
        if handler is None:
            raise ModelError(
                f"{layer}: layers of this kind are not read; known are {', '.join(sorted(_LAYERS))}, Add and"
                " larq's quantisers"
            )
        if layer.config.get("data_format", "channels_last") not in ("channels_last", None):
            raise ModelError(f"{layer}: must have its channels last, not {layer.config['data_format']!r}")
        return handler(self, layer, value)

    # ------------------------------------------------------------------------------------------------ with
    # weights

    def _before(self, layer, value):
        quantiser = _quantiser(layer.config.get("input_quantizer"))
        return value if quantiser is None else elementwise(layer, quantiser, (value,))

    def _weights(self, layer, name, quantiser):
        if name not in layer.weights:
            raise ModelError(
                f"{layer}: its {name} is not in the file; save the whole model, with its weights"
            )
        weights = np.asarray(layer.weights[name], np.float32)
        quantiser = _quantiser(layer.config.get(quantiser))
        return weights if quantiser is None else quantiser(weights)

    def _after(self, layer, value):
        """The bias and the activation of a layer with weights."""
        if layer.config.get("use_bias", True):
            bias = np.asarray(layer.weights["bias"], np.float32)
            value = elementwise(layer, np.add, (value, bias.reshape(-1, *[1] * (len(value.shape) - 2))))
        return self._activation(layer, value)

    def _pads(self, layer, value, kernel, stride):
        """Pads of "same" as TensorFlow has them: what is odd goes behind."""
        padding = layer.config.get("padding", "valid")
        if padding not in ("valid", "same"):
            raise ModelError(f"{layer}: must pad by 'valid' or 'same', not {padding!r}")
        if padding == "valid":
            return (0, 0), (0, 0)
        totals = [
            max(0, (-(-length // step) - 1) * step + size - length)
            for length, step, size in zip(value.shape[2:], stride, kernel, strict=True)
        ]
        return tuple((total // 2, total - total // 2) for total in totals)

    def _convolution(self, layer, value, weights, groups):
        if len(value.shape) != 4:
            raise ModelError(f"{layer}: must take an image, but {value.origin} gives the shape {value.shape}")
        if any(each != 1 for each in np.ravel(layer.config.get("dilation_rate", 1))):
            raise ModelError(f"{layer}: must have a dilation_rate of 1, not {layer.config['dilation_rate']}")
        raw = isinstance(value.source, Pixels) and layer.config.get("input_quantizer") is None
        value = self._before(layer, value)
        kernel, stride = weights.shape[2:], tuple(layer.config.get("strides", (1, 1)))
        pads = self._pads(layer, value, kernel, stride)
        constant = float(layer.config.get("pad_values", 0.0))
        if any(map(any, pads)):
            if constant == 0 and not raw:
                raise ModelError(
                    f"{layer}: pads with 0 ('same' with pad_values=0), but a bit has no 0 between -1 and +1;"
                    " train it with pad_values=1.0 (or -1.0), or with padding='valid'"
                )
            value = pad(value, [(0, 0), (0, 0), *pads], constant)
        return self._after(layer, convolve(self.chain, layer, value, weights, stride=stride, groups=groups))

    def _conv(self, layer, value):
        weights = self._weights(layer, "kernel", "kernel_quantizer").transpose(3, 2, 0, 1)
        return self._convolution(layer, value, weights, int(layer.config.get("groups", 1)))

    def _depthwise(self, layer, value):
        # (rows, columns, channels, multiplier): the outputs of a channel lie side by side.
        weights = self._weights(layer, "depthwise_kernel", "depthwise_quantizer")
        weights = weights.transpose(2, 3, 0, 1)
        return self._convolution(layer, value, weights.reshape(-1, 1, *weights.shape[2:]), len(weights))

    def _dense(self, layer, value):
        if len(value.shape) != 2:
            raise ModelError(
                f"{layer}: must take a vector, but {value.origin} gives the shape {value.shape}; put a"
                " Flatten before it"
            )
        value = self._before(layer, value)
        return self._after(
            layer, dense(self.chain, layer, value, self._weights(layer, "kernel", "kernel_quantizer").T)
        )

    # --------------------------------------------------------------------------------------------- without
    # weights

    def _activation(self, layer, value):
        name = _by_name(layer.config.get("activation", "linear") or "linear")
        if isinstance(name, str) and name in _DECISIONS:
            self.ended, self.decision = layer, _DECISIONS[name]
            return value
        if isinstance(name, str) and name in ACTIVATIONS:
            return value if name == "linear" else elementwise(layer, ACTIVATIONS[name], (value,))
        try:
            return elementwise(layer, _quantiser(name), (value,))
        except ValueError:
            raise ModelError(
                f"{layer}: the activation {name!r} is not known; known are {', '.join(sorted(ACTIVATIONS))},"
                f" softmax, sigmoid and {', '.join(sorted(QUANTISERS))}"
            ) from None

    def _softmax(self, layer, value):
        self.ended, self.decision = layer, "argmax"
        return value

    def _normalization(self, layer, value):
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
        # TensorFlow's fused form for images, and Keras' own for vectors.
        beta = weights.get("beta", np.zeros_like(mean))
        if rank == 4:
            return elementwise(
                layer, lambda x, mean, factor, beta: (x - mean) * factor + beta, (value, mean, factor, beta)
            )
        return elementwise(
            layer, lambda x, factor, bias: x * factor + bias, (value, factor, beta - mean * factor)
        )

    def _window(self, layer, value):
        kernel = tuple(layer.config["pool_size"])
        stride = tuple(layer.config.get("strides") or kernel)
        return {"kernel": kernel, "stride": stride}, self._pads(layer, value, kernel, stride)

    def _max_pool(self, layer, value):
        window, pads = self._window(layer, value)
        return max_pool(self.chain, layer, value, **window, pads=pads)

    def _average_pool(self, layer, value):
        window, pads = self._window(layer, value)
        if any(map(any, pads)):
            raise ModelError(
                f"{layer}: must take means without padding, but 'same' pads; use padding='valid'"
            )
        return average_pool(self.chain, layer, value, **window)

    def _global_average(self, layer, value):
        result = average_pool(self.chain, layer, value, kernel=value.shape[2:], stride=value.shape[2:])
        return (
            result if layer.config.get("keepdims") else move(layer, lambda array: array[:, :, 0, 0], result)
        )

    def _flatten(self, layer, value):
        return move(
            layer,
            lambda array: (array.transpose(0, 2, 3, 1) if array.ndim == 4 else array).reshape(1, -1),
            value,
        )

    def _rescaling(self, layer, value):
        return elementwise(
            layer,
            lambda x: x * np.float32(layer.config["scale"]) + np.float32(layer.config.get("offset", 0)),
            (value,),
        )

    def _same(self, layer, value):
        return replace(value, origin=str(layer))


#: Keras' layers and larq's, by class.
_LAYERS = {
    "Activation": _Reader._activation,
    "ActivityRegularization": _Reader._same,
    "AveragePooling2D": _Reader._average_pool,
    "BatchNormalization": _Reader._normalization,
    "Conv2D": _Reader._conv,
    "Dense": _Reader._dense,
    "DepthwiseConv2D": _Reader._depthwise,
    "Dropout": _Reader._same,
    "Flatten": _Reader._flatten,
    "GaussianNoise": _Reader._same,
    "GlobalAveragePooling2D": _Reader._global_average,
    "MaxPooling2D": _Reader._max_pool,
    "QuantConv2D": _Reader._conv,
    "QuantDense": _Reader._dense,
    "QuantDepthwiseConv2D": _Reader._depthwise,
    "Rescaling": _Reader._rescaling,
    "Softmax": _Reader._softmax,
}
