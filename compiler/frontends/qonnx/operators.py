"""Operators of a graph that change values, each for itself, in NumPy.

They compute what ONNX defines, in the graph's own floating-point type.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike

from .node import Node
from .quantisers import (
    Applied,
    HasShape,
    bipolar_quant,
    dequantize_linear,
    multi_threshold,
    over_channels,
    quant,
    quantize_linear,
)

__all__ = ["ELEMENTWISE"]


def _plain(function: Callable[..., Any]) -> Callable[..., Applied]:
    """An operator that is a NumPy function of its operands."""
    return lambda node, *operands: (function, operands)


def _activation(function: Callable[..., np.ndarray], **defaults: float) -> Callable[..., Applied]:
    """An operator that is a function of x and of attributes, which have the type of x."""

    def operator(node: Node, x: HasShape) -> Applied:
        def apply(x: np.ndarray) -> np.ndarray:
            return function(x, *(x.dtype.type(node.get(name, value)) for name, value in defaults.items()))

        return apply, (x,)

    return operator


def _divide(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    kind = np.result_type(x, y)
    if np.issubdtype(kind, np.integer):
        return (np.abs(x) // np.abs(y) * np.sign(x) * np.sign(y)).astype(kind)
    return x / y


def _cast(node: Node, x: HasShape) -> Applied:
    kind = onnx.helper.tensor_dtype_to_np_dtype(node.get("to"))
    return (lambda x: x.astype(kind)), (x,)


def _clip(node: Node, x: HasShape, low: ArrayLike | None = None, high: ArrayLike | None = None) -> Applied:
    low, high = node.get("min", low), node.get("max", high)

    def clip(x: np.ndarray) -> np.ndarray:
        x = x if low is None else np.maximum(x, np.asarray(low, x.dtype).reshape(()))
        return x if high is None else np.minimum(x, np.asarray(high, x.dtype).reshape(()))

    return clip, (x,)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    one = x.dtype.type(1)
    return one / (one + np.exp(-x))


def _softplus(x: np.ndarray) -> np.ndarray:
    return np.logaddexp(x.dtype.type(0), x)


_erf = np.vectorize(math.erf, otypes=[float])


def _gelu(node: Node, x: HasShape) -> Applied:
    def gelu(x: np.ndarray) -> np.ndarray:
        wide = x.astype(np.float64)
        inner = (
            np.tanh(math.sqrt(2 / math.pi) * (wide + 0.044715 * wide**3))
            if node.get("approximate", "none") == "tanh"
            else _erf(wide / math.sqrt(2))
        )
        return (0.5 * wide * (1 + inner)).astype(x.dtype)

    return gelu, (x,)


def _batch_normalization(
    node: Node, x: HasShape, scale: np.ndarray, bias: np.ndarray, mean: np.ndarray, variance: np.ndarray
) -> Applied:
    if node.get("training_mode", 0):
        raise ValueError("is in training mode; export the model in evaluation mode (model.eval())")
    # In the order of ONNX Runtime and PyTorch: one factor and one summand for each channel.
    factor = scale / np.sqrt(variance + np.asarray(node.get("epsilon", 1e-5), variance.dtype))
    summand = bias - mean * factor
    return (lambda x, a, b: x * a + b), (x, over_channels(x, factor), over_channels(x, summand))


#: Function of (node, *operands) by operator; it returns a NumPy function and the operands to broadcast to it.
ELEMENTWISE: dict[str, Callable[..., Applied]] = {
    "Abs": _plain(np.abs),
    "Add": _plain(np.add),
    "And": _plain(np.logical_and),
    "Atan": _plain(np.arctan),
    "BatchNormalization": _batch_normalization,
    "BipolarQuant": bipolar_quant,
    "Cast": _cast,
    "Ceil": _plain(np.ceil),
    "Celu": _activation(lambda x, alpha: np.where(x >= 0, x, alpha * np.expm1(x / alpha)), alpha=1.0),
    "Clip": _clip,
    "Cos": _plain(np.cos),
    "DequantizeLinear": dequantize_linear,
    "Div": _plain(_divide),
    "Elu": _activation(lambda x, alpha: np.where(x >= 0, x, alpha * np.expm1(x)), alpha=1.0),
    "Equal": _plain(np.equal),
    "Erf": _plain(lambda x: _erf(x).astype(x.dtype)),
    "Exp": _plain(np.exp),
    "Floor": _plain(np.floor),
    "Gelu": _gelu,
    "Greater": _plain(np.greater),
    "GreaterOrEqual": _plain(np.greater_equal),
    "HardSigmoid": _activation(lambda x, alpha, beta: np.clip(alpha * x + beta, 0, 1), alpha=0.2, beta=0.5),
    "HardSwish": _activation(lambda x: x * np.clip(x * x.dtype.type(1 / 6) + x.dtype.type(0.5), 0, 1)),
    "IntQuant": quant,
    "LeakyRelu": _activation(lambda x, alpha: np.where(x >= 0, x, x * alpha), alpha=0.01),
    "Less": _plain(np.less),
    "LessOrEqual": _plain(np.less_equal),
    "Log": _plain(np.log),
    "Max": _plain(np.maximum),
    "Min": _plain(np.minimum),
    "Mul": _plain(np.multiply),
    "Mish": _activation(lambda x: x * np.tanh(_softplus(x))),
    "MultiThreshold": multi_threshold,
    "Neg": _plain(np.negative),
    "Not": _plain(np.logical_not),
    "Or": _plain(np.logical_or),
    "Pow": _plain(np.power),
    "PRelu": _plain(lambda x, slope: np.where(x >= 0, x, x * slope)),
    "Quant": quant,
    "QuantizeLinear": quantize_linear,
    "Reciprocal": _plain(np.reciprocal),
    "Relu": _plain(lambda x: np.maximum(x, 0)),
    "Round": _plain(np.round),
    "Selu": _activation(
        lambda x, alpha, gamma: gamma * np.where(x > 0, x, alpha * np.expm1(x)),
        alpha=1.67326319217681884765625,
        gamma=1.05070102214813232421875,
    ),
    "Sigmoid": _plain(_sigmoid),
    "Sign": _plain(np.sign),
    "Sin": _plain(np.sin),
    "Softplus": _plain(_softplus),
    "Softsign": _plain(lambda x: x / (1 + np.abs(x))),
    "Sqrt": _plain(np.sqrt),
    "Sub": _plain(np.subtract),
    "Tanh": _plain(np.tanh),
    "ThresholdedRelu": _activation(lambda x, alpha: np.where(x > alpha, x, x.dtype.type(0)), alpha=1.0),
    "Where": _plain(np.where),
}
