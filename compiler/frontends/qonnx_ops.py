"""What the operators of a QONNX graph compute, in NumPy.

Three kinds, which differ in what they do to a tensor: `ELEMENTWISE` changes values, each for itself; `LAYOUT`
moves them; `CONSTANT` makes them from nothing else than shapes and attributes. Their meaning is that of ONNX,
and for the quantisers that of the ``qonnx`` package's own execution, in the graph's own floating-point type.
"""

import math
import re
from dataclasses import dataclass, field

import numpy as np
import onnx

from .tensors import check_size

__all__ = [
    "CHANNELS_LAST",
    "CHANNELS_LAST_OPERATORS",
    "CONSTANT",
    "ELEMENTWISE",
    "LAYOUT",
    "QUANTISER_DOMAINS",
    "Node",
    "instead",
    "pads_of",
    "tensor",
]

#: Where exporters put the quantisers: qonnx, Brevitas before it moved there, FINN before qonnx.
QUANTISER_DOMAINS = ("qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general")

#: Where qonnx puts operators of the standard that take the channels as the last axis, also those of a
#: convolution's weights.
CHANNELS_LAST = "qonnx.custom_op.channels_last"

#: The operators there.
CHANNELS_LAST_OPERATORS = ("BatchNormalization", "Conv", "MaxPool")

#: What computes with integers that another exporter has quantised.
_INTEGER_OPERATORS = ("ConvInteger", "DynamicQuantizeLinear", "MatMulInteger", "QLinearConv", "QLinearMatMul")


#: What FINN puts in the place of convolutions, pools and products before it builds them.
_LOWERED_OPERATORS = ("Im2Col", "MaxPoolNHWC", "XnorPopcountMatMul")


def instead(domain, op):
    """What to do about an operator that is not read."""
    if domain.startswith("finn.") and domain not in QUANTISER_DOMAINS:
        return (
            "it is of FINN's hardware graph; take the file that FINN was given, as Brevitas' export_qonnx"
            " writes it"
        )
    if domain in QUANTISER_DOMAINS and op in _LOWERED_OPERATORS:
        return (
            "FINN has put it there on the way to hardware; take the file that FINN was given, as Brevitas'"
            " export_qonnx writes it"
        )
    if op in _INTEGER_OPERATORS or domain == "com.microsoft":
        return (
            "it computes with integers of a finished quantisation; export the model as QONNX (Brevitas'"
            " export_qonnx) or as QCDQ"
        )
    return "docs/qonnx.md lists what is, write the graph with these"


def tensor(proto):
    """The array of a stored tensor; a `ValueError` when it lies in another file, which is never opened."""
    if proto.data_location == onnx.TensorProto.EXTERNAL or proto.external_data:
        raise ValueError(
            f"the tensor {proto.name!r} is stored in another file; save the model as a single file"
        )
    check_size(proto.dims)
    return onnx.numpy_helper.to_array(proto)


@dataclass(frozen=True)
class Node:
    """One operator of the graph: its name for messages, and its attributes with defaults."""

    at: int
    proto: object
    opset: int
    attributes: dict = field(default_factory=dict)

    def __post_init__(self):
        for attribute in self.proto.attribute:
            value = onnx.helper.get_attribute_value(attribute)
            self.attributes[attribute.name] = (
                value.decode("utf-8", "replace") if isinstance(value, bytes) else value
            )

    def __str__(self):
        name = f"node {self.proto.name!r}" if self.proto.name else f"unnamed node {self.at}"
        return f"{name} ({self.proto.op_type})"

    @property
    def name(self):
        return self.proto.name

    def get(self, attribute, default=None):
        return self.attributes.get(attribute, default)


# Elementwise: (node, x, *operands) gives (function, operands), where the function takes arrays that broadcast
# together.


def _plain(function):
    return lambda node, *operands: (function, operands)


def _divide(x, y):
    if np.issubdtype(np.result_type(x, y), np.integer):
        return (np.abs(x) // np.abs(y) * np.sign(x) * np.sign(y)).astype(np.result_type(x, y))
    return x / y


def _channels(x, operand, axis=1):
    """A vector over the channels of `x`, in a shape that broadcasts against it."""
    operand = np.asarray(operand).reshape(-1)
    shape = [1] * len(x.shape)
    shape[axis] = operand.size
    return operand.reshape(shape)


def _cast(node, x):
    kind = onnx.helper.tensor_dtype_to_np_dtype(node.get("to"))
    return (lambda x: x.astype(kind)), (x,)


def _clip(node, x, low=None, high=None):
    low = node.get("min", low)
    high = node.get("max", high)

    def clip(x):
        x = x if low is None else np.maximum(x, np.asarray(low, x.dtype).reshape(()))
        return x if high is None else np.minimum(x, np.asarray(high, x.dtype).reshape(()))

    return clip, (x,)


def _activation(function, **defaults):
    """A `function` of x and of attributes in the type of x."""

    def of(node, x):
        return (
            lambda x: function(
                x, *(x.dtype.type(node.get(name, default)) for name, default in defaults.items())
            )
        ), (x,)

    return of


def _sigmoid(x):
    one = x.dtype.type(1)
    return one / (one + np.exp(-x))


def _softplus(x):
    return np.logaddexp(x.dtype.type(0), x)


_erf = np.vectorize(math.erf, otypes=[float])


def _gelu(node, x):
    def gelu(x):
        wide = x.astype(np.float64)
        inner = (
            np.tanh(math.sqrt(2 / math.pi) * (wide + 0.044715 * wide**3))
            if node.get("approximate", "none") == "tanh"
            else _erf(wide / math.sqrt(2))
        )
        return (0.5 * wide * (1 + inner)).astype(x.dtype)

    return gelu, (x,)


def _batch_normalization(node, x, scale, bias, mean, variance):
    if node.get("training_mode", 0):
        raise ValueError("is in training mode; export the model in evaluation mode (model.eval())")
    # The order of operations of ONNX Runtime and of PyTorch: one factor and one summand for each channel.
    factor = scale / np.sqrt(variance + np.asarray(node.get("epsilon", 1e-5), variance.dtype))
    return (lambda x, a, b: x * a + b), (x, _channels(x, factor), _channels(x, bias - mean * factor))


def _bipolar_quant(node, x, scale):
    return (lambda x, scale: np.where(x >= 0, x.dtype.type(1), x.dtype.type(-1)) * scale), (x, scale)


_ROUNDINGS = {
    "ROUND": np.round,
    "HALF_EVEN": np.round,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "DOWN": np.trunc,
    "ROUND_TO_ZERO": np.trunc,
    "UP": lambda x: np.sign(x) * np.ceil(np.abs(x)),
    "HALF_UP": lambda x: np.sign(x) * np.floor(np.abs(x) + 0.5),
    "HALF_DOWN": lambda x: np.sign(x) * np.ceil(np.abs(x) - 0.5),
}


def _quant(node, x, scale, zero_point, bits):
    bits = float(np.asarray(bits).reshape(()))
    if not 1 <= bits <= 32 or bits != int(bits):
        raise ValueError(f"has {bits:g} bits, where 1 ... 32 are known")
    bits, signed, narrow = int(bits), bool(node.get("signed", 1)), bool(node.get("narrow", 1))
    rounding = _ROUNDINGS.get(str(node.get("rounding_mode", "ROUND")).upper())
    if rounding is None:
        raise ValueError(f"rounds by {node.get('rounding_mode')!r}; known are {', '.join(_ROUNDINGS)}")
    low = -(1 << (bits - 1)) + narrow if signed else 0
    high = (1 << (bits - 1)) - 1 if signed else (1 << bits) - 1 - narrow

    def quant(x, scale, zero_point):
        steps = x / scale + zero_point
        if signed and bits == 1:
            steps = np.where(steps >= 0, steps.dtype.type(1), steps.dtype.type(-1))
        else:
            steps = rounding(np.clip(steps, steps.dtype.type(low), steps.dtype.type(high)))
        return (steps - zero_point) * scale

    return quant, (x, scale, zero_point)


def _multi_threshold(node, x, thresholds):
    scale, bias = node.get("out_scale", 1.0), node.get("out_bias", 0.0)
    if np.ndim(thresholds) != 2 or not 1 <= thresholds.shape[1] <= 255:
        raise ValueError(f"must have thresholds of the shape (channels, steps), not {np.shape(thresholds)}")
    axis = _threshold_axis(node.get("data_layout", ""), x.shape, len(thresholds))
    if len(thresholds) not in (1, x.shape[axis]):
        raise ValueError(
            f"has thresholds of {len(thresholds)} channels, where axis {axis} of the shape {x.shape} has"
            f" {x.shape[axis]}; its data_layout says which axis the channels are (NCHW, NHWC, NCW, NWC)"
        )

    def multi_threshold(x, *thresholds):
        count = sum((x >= each).astype(np.int64) for each in thresholds)
        return (scale * count + bias).astype(np.float32)

    return multi_threshold, (x, *(_channels(x, step, axis) for step in thresholds.T))


def _threshold_axis(layout, shape, channels):
    """The axis of the channels, as the ``qonnx`` package takes it: without a layout, the second of an image
    and the last of a sequence.
    """
    rank = len(shape)
    if rank == 2:
        return 1
    if not layout and rank == 3 and channels == shape[1] != shape[2]:
        return 1  # written before the package knew sequences
    axis = (layout or {3: "NWC"}.get(rank, "NCHW")).find("C")
    if not 0 < axis < rank:
        raise ValueError(f"has the data_layout {layout!r}, which does not fit the shape {shape}")
    return axis


def _linear(node, x, scale, zero):
    """Scale and zero point of a QuantizeLinear or DequantizeLinear: one for all, or one for each place of an
    axis.
    """
    if node.get("block_size", 0):
        raise ValueError(
            "has one scale for each block of elements, where one for all or one for each channel is known"
        )
    zero = np.zeros(np.shape(scale), np.int64) if zero is None else np.asarray(zero).astype(np.int64)
    return [
        np.reshape(each, ()) if np.size(each) == 1 else _channels(x, each, node.get("axis", 1))
        for each in (scale, zero)
    ]


def _quantize_linear(node, x, scale, zero=None):
    kind = np.dtype(np.uint8) if zero is None else np.asarray(zero).dtype
    if zero is None and node.get("output_dtype", 0):
        kind = onnx.helper.tensor_dtype_to_np_dtype(node.get("output_dtype"))
    name = (
        kind.names[0] if kind.names else kind.name
    )  # as onnx names its types of 4 bits, before 1.19 and since
    match = re.fullmatch(r"(u?)int(\d+)", name)
    if match is None:
        raise ValueError(f"quantises to {name}, where integers are known")
    unsigned, bits = bool(match[1]), int(match[2])
    low, high = (0, (1 << bits) - 1) if unsigned else (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    if bits < 8:  # NumPy has no type of so few bits
        kind = np.dtype(np.uint8 if unsigned else np.int8)
    return (lambda x, scale, zero: np.clip(np.round(x / scale) + zero, low, high).astype(kind)), (
        x,
        *_linear(node, x, scale, zero),
    )


def _dequantize_linear(node, x, scale, zero=None):
    return (lambda x, scale, zero: (x.astype(np.int64) - zero).astype(scale.dtype) * scale), (
        x,
        *_linear(node, x, scale, zero),
    )


#: Operator: function of (node, *operands) that gives a NumPy function and the operands to broadcast to it.
ELEMENTWISE = {
    "Abs": _plain(np.abs),
    "Add": _plain(np.add),
    "And": _plain(np.logical_and),
    "Atan": _plain(np.arctan),
    "BatchNormalization": _batch_normalization,
    "BipolarQuant": _bipolar_quant,
    "Cast": _cast,
    "Ceil": _plain(np.ceil),
    "Celu": _activation(lambda x, alpha: np.where(x >= 0, x, alpha * np.expm1(x / alpha)), alpha=1.0),
    "Clip": _clip,
    "Cos": _plain(np.cos),
    "DequantizeLinear": _dequantize_linear,
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
    "IntQuant": _quant,
    "LeakyRelu": _activation(lambda x, alpha: np.where(x >= 0, x, x * alpha), alpha=0.01),
    "Less": _plain(np.less),
    "LessOrEqual": _plain(np.less_equal),
    "Log": _plain(np.log),
    "Max": _plain(np.maximum),
    "Min": _plain(np.minimum),
    "Mul": _plain(np.multiply),
    "Mish": _activation(lambda x: x * np.tanh(_softplus(x))),
    "MultiThreshold": _multi_threshold,
    "Neg": _plain(np.negative),
    "Not": _plain(np.logical_not),
    "Or": _plain(np.logical_or),
    "Pow": _plain(np.power),
    "PRelu": _plain(lambda x, slope: np.where(x >= 0, x, x * slope)),
    "Quant": _quant,
    "QuantizeLinear": _quantize_linear,
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


# Layout: (node, x, *constants) gives an array with elements of x; x is any array of the tensor's shape.


def _axes(node, rank, operand=None):
    """Axes of an operator that has them as an input since opset 13, as an attribute before."""
    axes = node.get("axes") if operand is None else np.asarray(operand).reshape(-1)
    return (
        None
        if axes is None
        else tuple(int(axis) % rank if -rank <= axis < rank else _bad_axis(axis, rank) for axis in axes)
    )


def _bad_axis(axis, rank):
    raise ValueError(f"has the axis {axis}, where there are {rank}")


def _reshape(node, x, shape=None):
    shape = [
        int(length) for length in (node.get("shape", ()) if shape is None else np.asarray(shape).reshape(-1))
    ]
    if not node.get("allowzero", 0):
        shape = [x.shape[at] if length == 0 else length for at, length in enumerate(shape)]
    return x.reshape(shape)


def _flatten(node, x):
    axis = node.get("axis", 1)
    axis += x.ndim if axis < 0 else 0
    return x.reshape(int(np.prod(x.shape[:axis])), -1)


def _squeeze(node, x, axes=None):
    return np.squeeze(x, axis=_axes(node, x.ndim, axes))


def _unsqueeze(node, x, axes=None):
    count = len(node.get("axes") if axes is None else np.asarray(axes).reshape(-1))
    return np.expand_dims(x, _axes(node, x.ndim + count, axes))


def _slice(node, x, starts=None, ends=None, axes=None, steps=None):
    starts, ends, axes, steps = (
        default if value is None else [int(each) for each in np.asarray(value).reshape(-1)]
        for value, default in (
            (starts, node.get("starts")),
            (ends, node.get("ends")),
            (axes, node.get("axes")),
            (steps, None),
        )
    )
    where = [slice(None)] * x.ndim
    for at, start, end, step in zip(
        axes or range(len(starts)), starts, ends, steps or [1] * len(starts), strict=True
    ):
        # A negative end that is far out means "from before the first element".
        where[at] = slice(start, None if step < 0 and end < -x.shape[at] else end, step)
    return x[tuple(where)]


def _gather(node, x, indices):
    axis = node.get("axis", 0)
    check_size((*x.shape, *np.shape(indices)))
    return np.take(x, indices, axis=axis)


def _expand(node, x, shape):
    shape = np.broadcast_shapes(x.shape, tuple(int(length) for length in shape))
    check_size(shape)
    return np.broadcast_to(x, shape)


#: Operator: function of (node, x, *constants), with x an array of the tensor's shape.
LAYOUT = {
    "Dropout": lambda node, x, *_: x,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "Identity": lambda node, x: x,
    "Reshape": _reshape,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Transpose": lambda node, x: x.transpose(node.get("perm")),
    "Unsqueeze": _unsqueeze,
}


def pads_of(node, pads=None):
    """Rows and columns that a Pad adds: pairs (before, after), one for each axis."""
    pads = [int(each) for each in (node.get("pads", node.get("paddings")) if pads is None else pads)]
    half = len(pads) // 2
    return list(zip(pads[:half], pads[half:], strict=True))


# Constant: (node, *constants) gives an array.


def _constant(node):
    for name, kind in (
        ("value_float", np.float32),
        ("value_floats", np.float32),
        ("value_int", np.int64),
        ("value_ints", np.int64),
    ):
        if name in node.attributes:
            return np.array(node.get(name), kind)
    if "value" not in node.attributes:
        raise ValueError(
            f"holds {', '.join(node.attributes) or 'nothing'}, where a tensor or numbers are known"
        )
    return tensor(node.get("value"))


def _constant_of_shape(node, shape):
    check_size(shape)
    value = tensor(node.get("value")) if "value" in node.attributes else np.zeros(1, np.float32)
    return np.full(tuple(int(length) for length in shape), value.reshape(()))


def _pad(node, x, pads=None, value=None, *_):
    pads = pads_of(node, pads)
    if node.get("mode", "constant") != "constant":
        raise ValueError(f"pads by {node.get('mode')!r}, where a constant is known")
    check_size([length + before + after for length, (before, after) in zip(x.shape, pads, strict=True)])
    value = node.get("value", 0.0) if value is None else np.asarray(value).reshape(())
    return np.pad(x, pads, constant_values=value)


def _concat(node, *arrays):
    return np.concatenate(arrays, axis=node.get("axis", 0))


#: Operator: function of (node, *constants).
CONSTANT = {"Concat": _concat, "Constant": _constant, "ConstantOfShape": _constant_of_shape, "Pad": _pad}
