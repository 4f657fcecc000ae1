"""A QONNX file as integers.

The graph is run on tensors of functions (`tabulate`); the layers with weights, the pools and the shortcuts
that it has become those of the chain. Nothing is simplified by algebra.
"""

import json
import re
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError

from ...errors import ModelError
from .. import ir
from . import qonnx_input, qonnx_ops
from .chain import Chain
from .last_layer import last_layer
from .neurons import convolve, dense
from .pixels import PIXELS, read_varying
from .pools import average_pool, max_pool
from .qonnx_ops import Node
from .shortcuts import join
from .sign_scores import are_bits
from .tensors import Pixels, Tensor, check_size, concatenate, elementwise, move, pad

__all__ = ["load", "loads"]

#: The first in which operands broadcast as in NumPy.
_OLDEST_OPSET = 7

#: What all tensors together may have; a file that asks for more is a mistake or an attack.
_MAX_ELEMENTS = 1 << 26

#: What NumPy and onnx raise on attributes and tensors that do not fit their operator.
_MALFORMED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)

#: Operators of which only the order of the classes is read.
_RANKING = ("ArgMax", "LogSoftmax", "Softmax", "TopK")

#: Domains whose operators are those of the ONNX standard.
_STANDARD = ("", "ai.onnx")


#: Operators that can leave no more than a bit of each output.
_QUANTISERS = (
    "And",
    "BipolarQuant",
    "Equal",
    "Greater",
    "GreaterOrEqual",
    "IntQuant",
    "Less",
    "LessOrEqual",
    "MultiThreshold",
    "Not",
    "Or",
    "Quant",
    "Round",
    "Sign",
    "Where",
)

#: Operators that scale and shift values, or change their type.
_LINES = ("Add", "BatchNormalization", "Cast", "Div", "Mul", "Neg", "Sub")


@dataclass(frozen=True)
class _Squashed:
    """What a Sigmoid or HardSigmoid outputs, and the scores before it: at the end of a graph these decide, by
    their signs.
    """

    before: Tensor
    after: Tensor


@dataclass(frozen=True)
class _Ranked:
    """What keeps the order of scores and nothing else: a softmax, an argmax, a top-k.

    `by` is the node that ranked them; `scores` tells whether there still is one for each class.
    """

    tensor: Tensor
    by: str
    scores: bool


def load(path, *, pixels=None):
    """The network of a QONNX file.

    Parameters
    ----------
    path : path
    pixels : {"unit", "fixed", "raw", "signed"} or None
        What a raw pixel p in 0 ... 255 stands for where the graph's input is floating-point and has no
        annotation: p / 255, p / 256, p or p / 127.5 - 1. None is "unit", which is what torchvision's ToTensor
        does. Where the type or an annotation says what the input holds (`qonnx_input.read`), only what says
        the same is taken.

    Returns
    -------
    ir.Network
        Its scores order the classes as the graph's output does, on every image.

    Raises
    ------
    ModelError
        The file is damaged, or its graph has no exact form as integers; the message names the node.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from error
    return loads(data, name=path.stem, source=str(path), pixels=pixels)


def loads(data, *, name="network", source="QONNX file", pixels=None):
    """The network of a QONNX file's bytes; the rest as in `load`."""
    if pixels not in (None, *PIXELS):
        raise ModelError(f"pixels must be one of {', '.join(PIXELS)}, not {pixels!r}")
    try:
        model = onnx.ModelProto.FromString(data)
    except DecodeError as error:
        raise ModelError(
            f"{source}: must be an ONNX file, but cannot be parsed: {_line(error)}; it may be truncated"
        ) from None
    if not model.graph.node or not model.graph.output:
        raise ModelError(
            f"{source}: must be an ONNX file with a graph, but has {len(model.graph.node)} nodes and "
            f"{len(model.graph.output)} outputs"
        )
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")

            def read(pixels):
                reader = _Reader(model, pixels)
                return reader.network(name), reader.assumed

            return read_varying(read, pixels, "unit")
    except ModelError as error:
        # A file's names may hold anything.
        raise ModelError(f"{source}: {re.sub('[^ -~]', '?', str(error))}") from error.__cause__


def _line(error):
    text = " ".join(str(error).split())[:200]
    return (
        text if isinstance(error, ValueError) and text else f"is malformed ({type(error).__name__}: {text})"
    )


def _one_row(node, value):
    """A sequence (1, channels, length) as an image of one row."""
    return move(node, lambda array: array[:, :, None], value)


def _without_row(node, value):
    return move(node, lambda array: array[:, :, 0], value)


class _Reader:
    def __init__(self, model, pixels):
        self.model, self.pixels, self.chain = model, pixels, Chain()
        self.assumed, self.elements = False, 0
        self.values = {"": None}

    # ------------------------------------------------------------------------------------------------ the
    # graph

    def network(self, name):
        graph = self.model.graph
        for each in graph.initializer:
            try:
                self.values[each.name] = qonnx_ops.tensor(each)
            except _MALFORMED as error:
                raise ModelError(f"initialiser {each.name!r}: {_line(error)}") from None
        inputs = [each for each in graph.input if each.name not in self.values]
        if len(inputs) != 1:
            raise ModelError(
                "must have one input, the image, but has "
                + (", ".join(repr(each.name) for each in inputs) or "none")
            )
        self._input(inputs[0])
        opsets = {each.domain: each.version for each in self.model.opset_import}
        opset = opsets.get("", opsets.get("ai.onnx", 1))
        if opset < _OLDEST_OPSET:
            raise ModelError(
                f"is of opset {opset}, whose operators mean something else; export the model with opset 9 or"
                " later"
            )
        for at, proto in self._needed():
            node = Node(at, proto, opset)
            try:
                self._run(node)
            except _MALFORMED as error:
                raise ModelError(f"{node}: {_line(error)}") from error
        scores, decision = self._scores(graph.output)
        labels = self._metadata("sbgen.labels", list)
        return self.chain.network(name=name, scores=scores, labels=labels, decision=decision)

    def _needed(self):
        """The nodes that an output depends on, in the file's order."""
        nodes, wanted, needed = (
            list(enumerate(self.model.graph.node)),
            {out.name for out in self.model.graph.output},
            [],
        )
        for at, proto in reversed(nodes):
            if wanted & set(proto.output):
                wanted |= set(proto.input) - {""}
                needed.append((at, proto))
        return reversed(needed)

    def _metadata(self, key, kind):
        for each in self.model.metadata_props:
            if each.key == key:
                try:
                    value = json.loads(each.value)
                except (ValueError, RecursionError):
                    value = None
                if not isinstance(value, kind):
                    raise ModelError(
                        f"metadata {key!r} must be a JSON {kind.__name__}, not {each.value[:40]!r}"
                    )
                return value
        return None

    def _input(self, info):
        name, read = info.name, qonnx_input.read(self.model, info, self.pixels)
        shape, self.assumed, self.chain.pixel_type = read.shape, read.assumed, read.type
        size, index = int(np.prod(shape)), np.arange(int(np.prod(shape)))
        told = self._metadata("sbgen.image_shape", list)
        last = qonnx_input.layout(self.model.graph, name, shape, first=told is not None)
        if len(shape) == 4 and not last:
            _, channels, height, width = shape
            index = index.reshape(height, width, channels).transpose(2, 0, 1)
            self.chain.image_shape = (height, width, channels) if channels > 1 else (height, width)
        elif len(shape) == 3 and last:  # one row of pixels
            self.chain.image_shape = (1, *shape[1:])
        else:
            self.chain.image_shape = tuple(shape[1:]) if len(shape) < 4 or shape[3] > 1 else tuple(shape[1:3])
        if told is not None:
            if not all(type(length) is int and length > 0 for length in told) or int(np.prod(told)) != size:
                raise ModelError(
                    f"metadata 'sbgen.image_shape' must be the shape of {size} pixels, not {told}"
                )
            self.chain.image_shape = tuple(told)
        self.values[name] = Tensor(
            source=Pixels(size=size, count=ir.PIXEL_LEVELS, after=None),
            index=index.reshape(shape),
            row=np.zeros(shape, np.int64),
            rows=read.rows[None],
            origin=f"input {name!r}",
        )

    def _run(self, node):
        op, domain = node.proto.op_type, node.proto.domain
        operands = []
        for name in node.proto.input:
            if name not in self.values:
                raise ModelError(
                    f"{node}: its input {name!r} is made by no node before it; the file may be damaged"
                )
            operands.append(self.values[name])
        while operands and operands[-1] is None:
            operands.pop()
        quantiser = op in ("BipolarQuant", "IntQuant", "MultiThreshold", "Quant")
        last = domain == qonnx_ops.CHANNELS_LAST and op in qonnx_ops.CHANNELS_LAST_OPERATORS
        if not last and domain not in (qonnx_ops.QUANTISER_DOMAINS if quantiser else _STANDARD):
            raise ModelError(
                f"{node}: the operator {domain + '.' if domain else ''}{op} is not supported; "
                + qonnx_ops.instead(domain, op)
            )
        value = self._channels_last(node, op, *operands) if last else self._apply(node, op, operands)
        outputs = node.proto.output
        self.elements += sum(
            array.size
            for array in (
                (value.index, value.rows)
                if isinstance(value, Tensor)
                else ()
                if isinstance(value, _Ranked | _Squashed)
                else (np.asarray(value),)
            )
        )
        if self.elements > _MAX_ELEMENTS:
            raise ModelError(
                f"{node}: all values up to here are more than {_MAX_ELEMENTS:,}; no network of that size fits"
                " an FPGA"
            )
        if isinstance(value, _Ranked):
            self.values.update((name, value) for name in outputs)
        elif outputs:
            self.values[outputs[0]] = value  # others are the masks of dropouts and the statistics of training

    def _apply(self, node, op, operands):
        if operands and isinstance(operands[0], _Ranked):
            ranked, *constants = operands
            if op == "Cast" or not ranked.scores and op in qonnx_ops.LAYOUT:
                return ranked
            if op in qonnx_ops.LAYOUT and not any(isinstance(each, _Ranked | Tensor) for each in constants):
                return replace(
                    ranked, tensor=self._layout(node, qonnx_ops.LAYOUT[op], [ranked.tensor, *constants])
                )
            if op in _RANKING and ranked.scores:
                return self._rank(node, op, ranked.tensor)
            raise ModelError(
                f"{node}: takes the result of {ranked.by}, of which only the order of the classes is known;"
                " end the graph with that node"
            )
        if operands and isinstance(operands[0], _Squashed) and op in qonnx_ops.LAYOUT:
            before, after = (
                self._apply(node, op, [each, *operands[1:]])
                for each in (operands[0].before, operands[0].after)
            )
            return _Squashed(before, after)
        operands = [each.after if isinstance(each, _Squashed) else each for each in operands]
        varying = [at for at, operand in enumerate(operands) if isinstance(operand, Tensor)]
        if varying == [0] and (
            op == "Sigmoid"
            or op == "HardSigmoid"
            and node.get("beta", 0.5) == 0.5
            and node.get("alpha", 0.2) > 0
        ):
            return _Squashed(
                operands[0], self._elementwise(node, *qonnx_ops.ELEMENTWISE[op](node, *operands))
            )
        if op == "Shape":
            return np.array(np.shape(operands[0]), np.int64)
        if op == "Size":
            return np.array(np.prod(np.shape(operands[0])), np.int64)
        if op in qonnx_ops.ELEMENTWISE:
            if ranked := [operand.by for operand in operands if isinstance(operand, _Ranked)]:
                raise ModelError(
                    f"{node}: takes the result of {ranked[0]}, of which only the order of the classes is"
                    " known; end the graph with that node"
                )
            if op == "Add" and len(varying) == 2 and operands[0].source is not operands[1].source:
                return join(self.chain, node, *operands)
            return self._elementwise(node, *qonnx_ops.ELEMENTWISE[op](node, *operands))
        if op in qonnx_ops.LAYOUT and varying in ([], [0]):
            return self._layout(node, qonnx_ops.LAYOUT[op], operands)
        if op == "Gather" and varying == [1] and np.ndim(operands[0]) == 1:  # a table of all values
            table = np.asarray(operands[0])
            return elementwise(node, lambda index: table[index.astype(np.int64)], (operands[1],))
        if not varying and op in qonnx_ops.CONSTANT:
            return qonnx_ops.CONSTANT[op](node, *operands)
        if op == "Concat" and len(varying) == len(operands):
            return concatenate(node, operands, node.get("axis"))
        if varying == [0]:
            match op:
                case "Conv":
                    return self._conv(node, *operands)
                case "Gemm":
                    return self._gemm(node, *operands)
                case "MatMul":
                    return dense(self.chain, node, operands[0], np.asarray(operands[1]).T)
                case "MaxPool":
                    return self._pool(node, operands[0], max_pool)
                case "AveragePool":
                    return self._pool(node, operands[0], average_pool)
                case "GlobalAveragePool":
                    return self._pool(node, operands[0], average_pool, operands[0].shape[2:])
                case "ReduceMean":
                    return self._mean(node, *operands)
                case "ReduceSum":
                    area = operands[0].rows.dtype.type(np.prod(operands[0].shape[2:]))
                    return self._elementwise(node, np.multiply, (self._mean(node, *operands), area))
                case "Pad":
                    return self._pad(node, *operands)
                case _ if op in _RANKING:
                    return self._rank(node, op, operands[0])
        elif varying and op in ("Conv", "Gemm", "MatMul"):
            raise ModelError(
                f"{node}: its weights must be known when the file is read, but come from "
                f"{operands[varying[-1]].origin}; store them as an initialiser, as its second input"
            )
        elif len(varying) > 1:
            raise ModelError(
                f"{node}: joins the branches from {' and '.join(operands[at].origin for at in varying)}; a "
                "network must be one chain of layers"
            )
        raise ModelError(
            f"{node}: the operator {op} is not supported; {qonnx_ops.instead(node.proto.domain, op)}"
        )

    def _channels_last(self, node, op, value, *constants):
        """An operator of the standard on a tensor, and weights, whose channels are the last axis."""
        if not isinstance(value, Tensor) or len(value.shape) < 3:
            raise ModelError(f"{node}: must take the image, or a sequence, with its channels last")
        rank = len(value.shape)
        first, last = (0, rank - 1, *range(1, rank - 1)), (0, *range(2, rank), 1)
        if op == "Conv" and constants and not isinstance(constants[0], Tensor):
            constants = np.asarray(constants[0]).transpose(first), *constants[1:]
        result = self._apply(node, op, [move(node, lambda array: array.transpose(first), value), *constants])
        return move(node, lambda array: array.transpose(last), result)

    # ------------------------------------------------------------------------------------- values and where
    # they lie

    def _elementwise(self, node, function, operands):
        if any(isinstance(operand, Tensor) for operand in operands):
            return elementwise(node, function, operands)
        arrays = [np.asarray(operand) for operand in operands]
        check_size(np.broadcast_shapes(*(array.shape for array in arrays)))
        return np.asarray(function(*arrays))

    def _layout(self, node, function, operands):
        value, *constants = operands
        if not isinstance(value, Tensor):
            return function(node, np.asarray(value), *constants)
        return move(node, lambda array: function(node, array, *constants), value)

    def _pad(self, node, value, pads=None, constant=None, axes=None):
        if node.get("mode", "constant") != "constant" or axes is not None:
            raise ModelError(
                f"{node}: must pad all axes with a constant, not by {node.get('mode', 'constant')!r}"
            )
        constant = node.get("value", 0.0) if constant is None else np.asarray(constant).reshape(-1)[0]
        return pad(value, qonnx_ops.pads_of(node, pads), float(constant))

    # --------------------------------------------------------------------------------------------------- the
    # layers

    def _gemm(self, node, value, weights, bias=None):
        if node.get("transA", 0):
            raise ModelError(f"{node}: must not transpose its input (transA = 1); swap its operands")
        result = dense(self.chain, node, value, weights if node.get("transB", 0) else np.asarray(weights).T)
        kind = result.rows.dtype.type
        if node.get("alpha", 1.0) != 1:
            result = self._elementwise(node, np.multiply, (result, kind(node.get("alpha"))))
        if bias is not None:
            result = self._elementwise(
                node, np.add, (result, (bias * kind(node.get("beta", 1.0))).astype(kind))
            )
        return result

    def _window(self, node, kernel, size):
        """Strides and pads, a pair (before, after) for each axis, of a kernel over an image, or a sequence,
        of `size`.
        """
        axes = len(size)
        stride = tuple(node.get("strides", (1,) * axes))
        if any(each != 1 for each in node.get("dilations", ())):
            raise ModelError(f"{node}: must have dilations of 1, not {node.get('dilations')}")
        if axes not in (1, 2) or len(kernel) != axes or len(stride) != axes or min(*kernel, *stride) < 1:
            raise ModelError(
                f"{node}: must have a kernel and strides for the {axes} axes of an image (rows, columns) or a"
                f" sequence (length), not {kernel} and {stride}"
            )
        pads, auto = node.get("pads", (0,) * 2 * axes), node.get("auto_pad", "NOTSET")
        if auto in ("SAME_UPPER", "SAME_LOWER"):
            total = [
                max(0, (-(-length // step) - 1) * step + each - length)
                for length, step, each in zip(size, stride, kernel, strict=True)
            ]
            halves = [(each // 2, each - each // 2) for each in total]
            return stride, tuple(half if auto == "SAME_UPPER" else half[::-1] for half in halves)
        if len(pads) != 2 * axes or min(pads) < 0:
            raise ModelError(f"{node}: must have {2 * axes} pads of at least 0, not {pads}")
        if any(pad >= each for pad, each in zip(pads, 2 * kernel, strict=True)):
            raise ModelError(
                f"{node}: must pad by less than its kernel of {kernel}, not by {pads}; outputs that see"
                " nothing but padding are constants, leave them out"
            )
        return stride, (
            tuple(zip(pads[:axes], pads[axes:], strict=True)) if auto == "NOTSET" else ((0, 0),) * axes
        )

    def _conv(self, node, value, weights, bias=None):
        weights = np.asarray(weights)
        stride, pads = self._window(node, weights.shape[2:], value.shape[2:])
        if len(value.shape) == 3 == weights.ndim:  # a sequence is an image of one row
            result = convolve(
                self.chain,
                node,
                _one_row(node, value),
                weights[:, :, None],
                bias=bias,
                stride=(1, *stride),
                pads=((0, 0), *pads),
                groups=node.get("group", 1),
            )
            return _without_row(node, result)
        return convolve(
            self.chain, node, value, weights, bias=bias, stride=stride, pads=pads, groups=node.get("group", 1)
        )

    def _pool(self, node, value, pool, kernel=None):
        if len(value.shape) not in (3, 4):
            raise ModelError(
                f"{node}: must take an image (batch, channels, rows, columns) or a sequence (batch, channels,"
                f" length), but {value.origin} gives the shape {value.shape}"
            )
        if kernel is None:
            kernel = tuple(node.get("kernel_shape"))
            stride, pads = self._window(node, kernel, value.shape[2:])
        else:
            stride, pads = kernel, ((0, 0),) * len(kernel)
        over = [
            (length + sum(pad) - each) % move
            for length, pad, each, move in zip(value.shape[2:], pads, kernel, stride, strict=True)
        ]
        more = {}
        if pool is max_pool:
            if node.get(
                "ceil_mode", 0
            ):  # a last position that lies half outside; there is none that begins in the padding
                pads = tuple(
                    (
                        before,
                        after
                        + (
                            move - rest
                            if 0 < rest and length + before + after - each + move - rest < length + before
                            else 0
                        ),
                    )
                    for (before, after), rest, length, each, move in zip(
                        pads, over, value.shape[2:], kernel, stride, strict=True
                    )
                )
            more = {"pads": pads if len(pads) == 2 else ((0, 0), *pads)}
        elif any(map(any, pads)):
            raise ModelError(
                f"{node}: must take means without padding, but pads by {pads}: means over fewer elements at"
                " the border have another scale; crop or enlarge the image instead"
            )
        elif node.get("ceil_mode", 0) and any(over):
            raise ModelError(
                f"{node}: its last positions lie half outside the image (ceil_mode = 1); use ceil_mode = 0,"
                " or an image that its stride divides"
            )
        if len(value.shape) == 3:
            return _without_row(
                node,
                pool(
                    self.chain, node, _one_row(node, value), kernel=(1, *kernel), stride=(1, *stride), **more
                ),
            )
        return pool(self.chain, node, value, kernel=kernel, stride=stride, **more)

    def _mean(self, node, value, axes=None):
        """The mean over rows and columns, or a sequence's length."""
        rank = len(value.shape)
        axes = node.get("axes") if axes is None else [int(each) for each in np.asarray(axes).reshape(-1)]
        over = sorted(axis % rank for axis in axes or range(rank))
        if rank not in (3, 4) or over != list(range(2, rank)):
            raise ModelError(
                f"{node}: must be over rows and columns of an image (axes 2 and 3), or the length of a"
                f" sequence (axis 2), not over {over} of the shape {value.shape}"
            )
        result = self._pool(node, value, average_pool, value.shape[2:])
        return (
            result
            if node.get("keepdims", 1)
            else move(node, lambda array: array.reshape(array.shape[:2]), result)
        )

    # ------------------------------------------------------------------------------------------------- the
    # scores

    def _rank(self, node, op, value):
        rank = len(value.shape)
        axis = node.get("axis", 0 if op == "ArgMax" else -1 if op == "TopK" or node.opset >= 13 else 1)
        classes = int(np.prod(value.shape))
        if not -rank <= axis < rank or value.shape[axis] != classes:
            raise ModelError(
                f"{node}: must rank the classes, but its axis {axis} of the shape {value.shape} is not theirs"
            )
        if node.get("select_last_index", 0) or not node.get("largest", 1):
            raise ModelError(
                f"{node}: must name the first of the greatest scores (select_last_index = 0, largest = 1)"
            )
        return _Ranked(value, str(node), op in ("Softmax", "LogSoftmax"))

    def _scores(self, outputs):
        """The last layer, and how its scores decide: exactly as the graph's outputs do."""
        ends = [self.values.get(each.name) for each in outputs]
        ended = ends[0]
        ends = [
            each.tensor if isinstance(each, _Ranked) else each.before if isinstance(each, _Squashed) else each
            for each in ends
        ]
        value = ends[0]
        if not all(isinstance(each, Tensor) for each in ends) or any(
            each.source is not value.source for each in ends
        ):
            raise ModelError(
                "must end in the scores of one image, but its outputs"
                f" {', '.join(repr(each.name) for each in outputs)} do not depend on one last layer; keep"
                " only the scores"
            )
        one = int(np.prod(value.shape)) == 1
        if isinstance(ended, _Ranked) and one:
            raise ModelError(
                f"ranks the one output of {value.origin}, which is always the first; end the graph at this"
                " score, whose sign then decides, or at its Sigmoid"
            )
        operator = self._last_operator(outputs[0].name)
        bits = value is ended and operator in _QUANTISERS and are_bits(value)
        if (
            one
            and value is ended
            and not bits
            and operator in qonnx_ops.ELEMENTWISE
            and value.rows[value.row].min() >= 0
        ):
            raise ModelError(
                f"has one output that is never negative behind its {operator}, so that its sign decides"
                " nothing; end the graph at the score before it, or at a Sigmoid of that"
            )
        told = self._metadata("sbgen.decision", str) == "sign"
        decision = "sign" if one or bits or isinstance(ended, _Squashed) or told else "argmax"
        return last_layer(self.chain, value, decision, bits=bits), decision

    def _last_operator(self, name):
        """The operator that computes a tensor's values; what moves, scales and shifts them is passed by."""
        makers = {output: node for node in self.model.graph.node for output in node.output}
        while name in makers and (makers[name].op_type in qonnx_ops.LAYOUT or makers[name].op_type in _LINES):
            name = next(
                (each for each in makers[name].input if isinstance(self.values.get(each), Tensor)), ""
            )
        return makers[name].op_type if name in makers else ""
