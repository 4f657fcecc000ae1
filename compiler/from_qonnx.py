"""A QONNX file as integers.

The graph is evaluated on tensors that hold, for each element, a whole function: the value it has for every integer
that its source can take. A source is a raw pixel (0 ... 255), the count of a neuron, or the bits of a layer. What
lies between a source and the next quantiser (normalisation, scales, biases, clipping, in whatever order) is thus run
by NumPy in the graph's own floating-point type on all the values there are, and nothing is derived by algebra: where a
tensor is used as bits, the integer at which its function steps is the threshold.

::

    pixels ─ ops ─ step ─▶ Binarize ─▶ bits ─▶ MatMul, Gemm, Conv ─▶ counts ─ ops ─ step ─▶ Dense, Conv2d ─▶ bits ─▶ ...
"""

import json
import re
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError

from ..errors import ModelError
from . import ir, qonnx_ops
from .qonnx_ops import Node

__all__ = ["PIXELS", "load", "loads"]

#: What a raw pixel stands for in a graph with floating-point input, as a function of 0 ... 255.
PIXELS = {"unit": lambda x: x / x.dtype.type(255), "fixed": lambda x: x / x.dtype.type(256), "raw": lambda x: x}

#: An activation of more steps has its bits as so many inputs that no one would want to build it.
_MOST_LEVELS = 15

#: The first in which operands broadcast as in NumPy.
_OLDEST_OPSET = 7

#: What all tensors together may have; a file that asks for more is a mistake or an attack.
_MAX_ELEMENTS = 1 << 28

#: What NumPy and onnx raise on attributes and tensors that do not fit their operator.
_MALFORMED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)

#: Domains whose operators are those of the ONNX standard.
_STANDARD = ("", "ai.onnx")


@dataclass(frozen=True, kw_only=True)
class _Source:
    """What a tensor's elements are functions of: `size` integers in 0 ... `count` - 1.

    `after` is the number of layers that come before it.
    """

    size: int
    count: int
    after: int


@dataclass(frozen=True, kw_only=True)
class _Pixels(_Source):
    pass


@dataclass(frozen=True, kw_only=True)
class _Bits(_Source):
    """Output of a layer that is there already: each element is the number of ones among its count - 1 bits."""


@dataclass(frozen=True, kw_only=True)
class _Counts(_Source):
    """Agreements of neurons that have no thresholds yet.

    `make(weights=, thresholds=)` gives their layer; `pools` are what a pool before the thresholds becomes behind them.
    """

    weights: np.ndarray
    make: object
    pools: tuple = ()

    @property
    def outputs(self):
        return len(self.weights)


@dataclass(frozen=True, kw_only=True)
class _Tensor:
    """Element e of the graph's tensor is ``rows[row[e], k]`` where k is the integer ``index[e]`` of the source.

    Parameters
    ----------
    index, row : integer array of the tensor's shape
        Positions in the source are row-major with channels last; -1 has no source, its row is constant (padding).
    rows : array, shape (distinct functions, source.count)
    origin : str
        What made it, for messages.
    """

    source: _Source
    index: np.ndarray
    row: np.ndarray
    rows: np.ndarray
    origin: str

    @property
    def shape(self):
        return self.index.shape


@dataclass(frozen=True)
class _Ranked:
    """What keeps the order of scores and nothing else: a softmax, an argmax, a top-k."""

    tensor: _Tensor


def load(path, *, pixels=None):
    """The network of a QONNX file.

    Parameters
    ----------
    path : path
    pixels : {"unit", "fixed", "raw"} or None
        What a raw pixel p in 0 ... 255 stands for where the graph's input is floating-point: p / 255, p / 256 or p. None
        is "raw" for an input of type uint8 or annotated as UINT8, else "unit", which is what torchvision's ToTensor does.

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
        raise ModelError(f"{source}: must be an ONNX file, but cannot be parsed: {_line(error)}; it may be truncated"
                         ) from None
    if not model.graph.node or not model.graph.output:
        raise ModelError(f"{source}: must be an ONNX file with a graph, but has {len(model.graph.node)} nodes and "
                         f"{len(model.graph.output)} outputs")
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return _Reader(model, pixels).network(name)
    except ModelError as error:
        # A file's names may hold anything.
        raise ModelError(f"{source}: {re.sub('[^ -~]', '?', str(error))}") from error.__cause__


def _line(error):
    text = " ".join(str(error).split())[:200]
    return text if isinstance(error, ValueError) and text else f"is malformed ({type(error).__name__}: {text})"


class _Reader:
    def __init__(self, model, pixels):
        self.model, self.pixels, self.layers, self.names, self.image_shape = model, pixels, [], set(), None
        self.assumed_unit, self.elements = False, 0
        self.values = {"": None}

    # ------------------------------------------------------------------------------------------------ the graph

    def network(self, name):
        graph = self.model.graph
        for each in graph.initializer:
            try:
                self.values[each.name] = qonnx_ops.tensor(each)
            except _MALFORMED as error:
                raise ModelError(f"initialiser {each.name!r}: {_line(error)}") from None
        inputs = [each for each in graph.input if each.name not in self.values]
        if len(inputs) != 1:
            raise ModelError("must have one input, the image, but has "
                             + (", ".join(repr(each.name) for each in inputs) or "none"))
        self._input(inputs[0])
        opsets = {each.domain: each.version for each in self.model.opset_import}
        opset = opsets.get("", opsets.get("ai.onnx", 1))
        if opset < _OLDEST_OPSET:
            raise ModelError(f"is of opset {opset}, whose operators mean something else; export the model with opset 9 or later")
        for at, proto in self._needed():
            node = Node(at, proto, opset)
            try:
                self._run(node)
            except _MALFORMED as error:
                raise ModelError(f"{node}: {_line(error)}") from error
        scores = self._scores(graph.output)
        labels = self._metadata("sbgen.labels", list) or range(scores.outputs)
        labels = tuple(map(str, labels))
        self._check_pixels()
        return ir.Network(name=name, image_shape=self.image_shape, layers=(*self.layers, scores), labels=labels)

    def _needed(self):
        """The nodes that an output depends on, in the file's order."""
        nodes, wanted, needed = list(enumerate(self.model.graph.node)), {out.name for out in self.model.graph.output}, []
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
                    raise ModelError(f"metadata {key!r} must be a JSON {kind.__name__}, not {each.value[:40]!r}")
                return value
        return None

    def _input(self, info):
        kind, name = info.type.tensor_type, info.name
        if not kind.HasField("shape"):
            raise ModelError(f"input {name!r} has no shape; export the model with a fixed input shape")
        shape = []
        for axis, length in enumerate(kind.shape.dim):
            if length.dim_value > 0:
                shape.append(length.dim_value)
            elif axis == 0:
                shape.append(1)
            else:
                raise ModelError(f"input {name!r} has a dynamic shape ({length.dim_param or '?'} on axis {axis}); export "
                                 "the model with a fixed input shape, only the batch may vary")
        if len(shape) not in (2, 3, 4):
            raise ModelError(f"input {name!r} must have 2 to 4 axes, the batch first, but has the shape {tuple(shape)}")
        if shape[0] != 1:
            raise ModelError(f"input {name!r} has a fixed batch of {shape[0]}; export the model with a batch of 1 or a "
                             "dynamic one")
        try:
            qonnx_ops.check_size(shape)
            dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)
        except _MALFORMED as error:
            raise ModelError(f"input {name!r}: {_line(error)}") from None
        annotated = any(each.tensor_name == name and any(
            entry.key == "finn_datatype" and entry.value == "UINT8" for entry in each.quant_parameter_tensor_names)
            for each in self.model.graph.quantization_annotation)
        rows = np.arange(ir.PIXEL_LEVELS).astype(dtype)
        if dtype == np.uint8 or not np.issubdtype(dtype, np.floating):
            if dtype.kind not in "iu" or dtype.itemsize == 1 and dtype.kind == "i":
                raise ModelError(f"input {name!r} must be floating-point or hold uint8 pixels, but is of type {dtype}")
        else:
            how = self.pixels or ("raw" if annotated else "unit")
            self.assumed_unit = self.pixels is None and not annotated
            rows = PIXELS[how](rows)
        size = int(np.prod(shape))
        index = np.arange(size)
        # ONNX has channels first; exporters of frameworks that have them last put a Transpose behind the input.
        channels_last = shape[-1] in (1, 3) and any(
            list(attribute.ints) == [0, 3, 1, 2] for each in self.model.graph.node if each.op_type == "Transpose"
            for attribute in each.attribute)
        if len(shape) == 4 and not channels_last:
            _, channels, height, width = shape
            index = index.reshape(height, width, channels).transpose(2, 0, 1)
            self.image_shape = (height, width, channels) if channels > 1 else (height, width)
        else:
            self.image_shape = tuple(shape[1:]) if len(shape) < 4 or shape[3] > 1 else tuple(shape[1:3])
        told = self._metadata("sbgen.image_shape", list)
        if told is not None:
            if not all(type(length) is int and length > 0 for length in told) or int(np.prod(told)) != size:
                raise ModelError(f"metadata 'sbgen.image_shape' must be the shape of {size} pixels, not {told}")
            self.image_shape = tuple(told)
        self.values[name] = _Tensor(
            source=_Pixels(size=size, count=ir.PIXEL_LEVELS, after=0), index=index.reshape(shape),
            row=np.zeros(shape, np.int64), rows=rows[None], origin=f"input {name!r}")

    def _run(self, node):
        op, domain = node.proto.op_type, node.proto.domain
        operands = []
        for name in node.proto.input:
            if name not in self.values:
                raise ModelError(f"{node}: its input {name!r} is made by no node before it; the file may be damaged")
            operands.append(self.values[name])
        while operands and operands[-1] is None:
            operands.pop()
        quantiser = op in ("BipolarQuant", "IntQuant", "MultiThreshold", "Quant")
        if domain not in (qonnx_ops.QUANTISER_DOMAINS if quantiser else _STANDARD):
            raise ModelError(f"{node}: the operator {domain + '.' if domain else ''}{op} is not supported; "
                             "docs/qonnx.md lists what is, write the graph with these")
        value = self._apply(node, op, operands)
        outputs = node.proto.output
        self.elements += sum(array.size for array in ((value.index, value.rows) if isinstance(value, _Tensor) else
                                                      () if isinstance(value, _Ranked) else (np.asarray(value),)))
        if self.elements > _MAX_ELEMENTS:
            raise ModelError(f"{node}: all values up to here are more than {_MAX_ELEMENTS:,}; no network of that size fits an "
                             "FPGA")
        if isinstance(value, _Ranked):
            self.values.update((name, value) for name in outputs)
        elif outputs:
            self.values[outputs[0]] = value  # others are the masks of dropouts and the statistics of training

    def _apply(self, node, op, operands):
        if operands and isinstance(operands[0], _Ranked):
            if op in ("Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"):
                return operands[0]
            raise ModelError(f"{node}: comes behind {operands[0].tensor.origin} has been ranked; nothing may follow a "
                             "Softmax, ArgMax or TopK, end the graph there")
        varying = [at for at, operand in enumerate(operands) if isinstance(operand, _Tensor)]
        if op == "Shape":
            return np.array(np.shape(operands[0]), np.int64)
        if op == "Size":
            return np.array(np.prod(np.shape(operands[0])), np.int64)
        if op in qonnx_ops.ELEMENTWISE:
            if any(isinstance(operand, _Ranked) for operand in operands):
                raise ModelError(f"{node}: takes what has been ranked; end the graph at the scores")
            return self._elementwise(node, *qonnx_ops.ELEMENTWISE[op](node, *operands))
        if op in qonnx_ops.LAYOUT and varying in ([], [0]):
            return self._layout(node, qonnx_ops.LAYOUT[op], operands)
        if not varying and op in qonnx_ops.CONSTANT:
            return qonnx_ops.CONSTANT[op](node, *operands)
        if varying == [0]:
            match op:
                case "Conv":
                    return self._conv(node, *operands)
                case "Gemm":
                    return self._gemm(node, *operands)
                case "MatMul":
                    return self._dense(node, operands[0], operands[1].T)
                case "MaxPool":
                    return self._max_pool(node, operands[0])
                case "Pad":
                    return self._pad(node, *operands)
                case "Softmax" | "LogSoftmax" | "ArgMax" | "TopK":
                    return self._rank(node, op, operands[0])
        elif varying and op in ("Conv", "Gemm", "MatMul"):
            raise ModelError(f"{node}: its weights must be known when the file is read, but come from "
                             f"{operands[varying[-1]].origin}; store them as an initialiser, as its second input")
        elif len(varying) > 1:
            raise ModelError(f"{node}: joins the branches from {' and '.join(operands[at].origin for at in varying)}; a "
                             "network must be one chain of layers")
        raise ModelError(f"{node}: the operator {op} is not supported; docs/qonnx.md lists what is, write the graph "
                         "with these")

    # ----------------------------------------------------------------------------------- values and where they lie

    def _elementwise(self, node, function, operands):
        """`function` on every value that the operands can have together."""
        varying = [operand for operand in operands if isinstance(operand, _Tensor)]
        if not varying:
            arrays = [np.asarray(operand) for operand in operands]
            qonnx_ops.check_size(np.broadcast_shapes(*(array.shape for array in arrays)))
            return np.asarray(function(*arrays))
        shape = np.broadcast_shapes(*(np.shape(operand.index if isinstance(operand, _Tensor) else operand)
                                      for operand in operands))
        qonnx_ops.check_size(shape)
        first = varying[0]
        index = np.broadcast_to(first.index, shape)
        for other in varying[1:]:
            if other.source is not first.source or not np.array_equal(np.broadcast_to(other.index, shape), index):
                raise ModelError(f"{node}: joins the branches from {first.origin} and {other.origin}; a network must be "
                                 "one chain of layers")
        # Elements with the same functions and the same constants have the same result: it is computed once.
        tables, codes, key = [], [], np.zeros(shape, np.int64)
        for operand in operands:
            if isinstance(operand, _Tensor):
                table, code = operand.rows, operand.row
            else:
                operand = np.asarray(operand)
                table, code = np.unique(operand, return_inverse=True)
                table, code = table[:, None], code.reshape(operand.shape)
            combined, key = np.unique(key * len(table) + code, return_inverse=True)
            key = key.reshape(shape)
            codes = [each[combined // len(table)] for each in codes] + [combined % len(table)]
            tables.append(table)
        qonnx_ops.check_size((len(codes[0]), first.source.count))
        rows = np.asarray(function(*(table[code] for table, code in zip(tables, codes, strict=True))))
        if not np.isfinite(rows.astype(np.float64)).all():
            raise ModelError(f"{node}: gives a value that is not finite for some input; its constants must be finite and "
                             "must not divide by zero")
        rows = np.broadcast_to(rows, (len(codes[0]), first.source.count))
        return replace(first, index=index, row=key, rows=rows, origin=str(node))

    def _layout(self, node, function, operands):
        value, *constants = operands
        if not isinstance(value, _Tensor):
            return function(node, np.asarray(value), *constants)
        index = function(node, value.index, *constants)
        if index.shape[:1] != (1,):
            raise ModelError(f"{node}: gives the shape {index.shape}, but the first axis must stay the batch, of one image; "
                             "keep it (-1 or 0 in a Reshape)")
        return replace(value, index=index, row=function(node, value.row, *constants))

    def _pad(self, node, value, pads=None, constant=None, axes=None):
        if node.get("mode", "constant") != "constant" or axes is not None:
            raise ModelError(f"{node}: must pad all axes with a constant, not by {node.get('mode', 'constant')!r}")
        constant = node.get("value", 0.0) if constant is None else np.asarray(constant).reshape(-1)[0]
        return self._padded(value, qonnx_ops.pads_of(node, pads), float(constant))

    def _padded(self, value, pads, constant):
        if not any(map(any, pads)):
            return value
        if min(map(min, pads)) < 0 or len(pads) != len(value.shape):
            raise ValueError(f"pads by {pads}, where no less than 0 on each of {len(value.shape)} axes are known")
        qonnx_ops.check_size([length + sum(pad) for length, pad in zip(value.shape, pads, strict=True)])
        return replace(value, index=np.pad(value.index, pads, constant_values=-1),
                       row=np.pad(value.row, pads, constant_values=len(value.rows)),
                       rows=np.vstack([value.rows, np.full_like(value.rows[:1], constant)]))

    def _image(self, node, value):
        """An image (channels, rows, columns) of the source's order, and its padding: pads and (values or None).

        Returns the tensor without its padding, ((top, bottom), (left, right)) and the tensor's padding value.
        """
        if len(value.shape) != 4:
            raise ModelError(f"{node}: must take an image (batch, channels, rows, columns), but {value.origin} gives the "
                             f"shape {value.shape}")
        inside = value.index[0] >= 0
        where = [np.flatnonzero(inside.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
        box = tuple(slice(each[0], each[-1] + 1) for each in where)
        pads = tuple((int(each[0]), int(size - 1 - each[-1])) for each, size in
                     zip(where[1:], value.shape[2:], strict=True))
        padding = None
        if inside.sum() != inside.size:
            outside = np.unique(value.rows[value.row[0][~inside], 0])
            if len(outside) != 1:
                raise ModelError(f"{node}: its padding must be one value, but {len(outside)} were found")
            padding = float(outside[0])
        index = value.index[0][box]
        channels, height, width = index.shape
        if index.size != value.source.size or not np.array_equal(
                index, np.arange(index.size).reshape(height, width, channels).transpose(2, 0, 1)):
            raise ModelError(f"{node}: must take an image as the layer before gives it, but its elements have been moved or "
                             "cut on the way; leave Reshape, Transpose and Slice to the end of the convolutions")
        return replace(value, index=index[None], row=value.row[0][box][None]), pads, padding

    # ------------------------------------------------------------------------------------------- functions to bits

    def _by_channel(self, node, value):
        """Which row each neuron of a `_Counts` has; it must be the same wherever its kernel stands."""
        inside = value.index >= 0
        channel, row = value.index[inside] % value.source.outputs, value.row[inside]
        rows = np.full(value.source.outputs, -1)
        rows[channel] = row
        if (rows < 0).any() or (rows[channel] != row).any():
            raise ModelError(f"{node}: must treat a channel alike at all positions and take them all, but what comes from "
                             f"{value.origin} does not")
        return rows

    def _rising(self, node, value):
        """The same tensor with functions that do not fall: a neuron that does counts its complement instead."""
        if isinstance(value.source, _Counts) and not value.source.pools:
            rows = value.rows[self._by_channel(node, value)]
            falls = rows[:, 0] > rows[:, -1]
            source = value.source
            weights = source.weights ^ falls.astype(np.uint8).reshape(-1, *(1,) * (source.weights.ndim - 1))
            inside = value.index >= 0
            row = np.where(inside, value.index % source.outputs, value.row + source.outputs)
            rows = np.vstack([np.where(falls[:, None], rows[:, ::-1], rows), value.rows])
            value = replace(value, source=replace(source, weights=weights), row=row, rows=rows)
        used = value.rows[np.unique(value.row)]
        if (used[:, 1:] < used[:, :-1]).any():
            raise ModelError(f"{node}: needs functions that rise or fall all the way, but what comes from {value.origin} "
                             "turns (or falls where a complement cannot help), so it has no threshold; remove what folds "
                             "it (Abs, a MaxPool before a negative scale)")
        return value

    def _chained(self, node, source):
        if source.after != len(self.layers):
            raise ModelError(f"{node}: takes what an earlier layer gives once more; a network must be one chain of layers, "
                             "without branches")

    def _bits(self, node, value):
        """The tensor as one of bits that a layer gives; emits that layer."""
        if isinstance(value.source, _Bits):
            self._chained(node, value.source)
            return value
        self._chained(node, value.source)
        inside = value.index >= 0
        counts = isinstance(value.source, _Counts)
        if counts:
            if not value.source.pools:
                value = self._rising(node, value)
            functions, row = value.rows[self._by_channel(node, value)], value.index % value.source.outputs
        else:
            functions, row = value.rows, value.row
        # A pixel, or the greatest of some counts, has no weights to complement: where its function falls, a one stands for
        # the lower value.
        signs = np.where(functions[:, 0] > functions[:, -1], -1.0, 1.0)
        used = functions * signs[:, None]
        if not counts:  # functions of nothing but padding
            used[np.setdiff1d(np.arange(len(used)), row[inside])] = used[row[inside][0]]
        if (used[:, 1:] < used[:, :-1]).any():
            raise ModelError(f"{node}: needs functions that rise or fall all the way, but what comes from {value.origin} turns, "
                             "so it has no threshold; remove what folds it (Abs)")
        alphabet = _alphabet(used, np.unique(value.rows[value.row[~inside], 0]))
        if alphabet is None or alphabet.shape[1] > _MOST_LEVELS + 1:
            count = max(len(np.unique(row)) for row in used)
            what = f"{count} values" if alphabet is not None or count > _MOST_LEVELS + 1 else "different scales"
            raise ModelError(f"{node}: must take bits, but what comes from {value.origin} has {what}; quantise it to 1 bit "
                             "(BipolarQuant) or a few")
        levels = alphabet.shape[1] - 1
        steps = np.broadcast_to(alphabet, (len(used), levels + 1))
        thresholds = (used[:, None, :] < steps[:, 1:, None]).sum(axis=2)
        if counts:
            source = value.source
            index, size = value.index, source.size
            self.layers.append(source.make(weights=np.repeat(source.weights, levels, axis=0),
                                           thresholds=thresholds.reshape(-1)))
            self.layers.extend(source.pools)
        else:
            times = np.bincount(value.index[inside], minlength=value.source.size)
            if times.min() != times.max():
                raise ModelError(f"{node}: must take every pixel equally often, but {value.origin} takes some {times.min()} "
                                 f"and some {times.max()} times")
            order = np.argsort(value.index[inside], kind="stable")
            self.layers.append(ir.Binarize(name=self._name(None, "pixels"), thresholds=thresholds[
                row[inside][order]].reshape(value.source.size, -1)))
            index, size = value.index.copy(), len(order)
            position = np.empty(size, np.int64)
            position[order] = np.arange(size)
            index[inside] = position
        # The bits' own functions: the value for each number of ones; then the constants of the padding.
        rows = np.vstack([steps * signs[:, None], np.broadcast_to(value.rows[:, :1], (len(value.rows), levels + 1))])
        rows = rows.astype(value.rows.dtype if np.issubdtype(value.rows.dtype, np.floating) else np.float32)
        rows, same = np.unique(rows, axis=0, return_inverse=True)
        row = same.reshape(-1)[np.where(inside, row, value.row + len(steps))]
        return replace(value, source=_Bits(size=size, count=levels + 1, after=len(self.layers)), index=index, row=row,
                       rows=rows)

    def _inputs(self, node, value):
        """The tensor as inputs of neurons: (tensor, bits an element, planes, value at the lowest, step, counts).

        An element is ``lowest + step * k`` for k in 0 ... its greatest count.
        """
        planes = 1
        if isinstance(value.source, _Pixels) and not self._few(value):
            self._chained(node, value.source)
            planes = ir.PIXEL_BITS
        else:
            value = self._bits(node, value)
        rows = value.rows.astype(np.float64)
        greatest = rows.shape[1] - 1
        lowest, step = rows[:, 0], (rows[:, -1] - rows[:, 0]) / greatest
        line = lowest[:, None] + step[:, None] * np.arange(greatest + 1)
        # A few roundings of the graph's own arithmetic; what it computes is not defined more closely than that.
        if (np.abs(rows - line) > 4 * np.finfo(np.float32).eps * np.abs(rows).max()).any():
            if planes > 1:
                raise ModelError(f"{node}: must take bits or pixels in even steps, but what comes from {value.origin} has "
                                 f"{len(np.unique(value.rows))} values in uneven steps over the 256 of a pixel; "
                                 "read the file with pixels p/256 (--pixels fixed) or train without that quantiser")
            raise ModelError(f"{node}: must take values in even steps, but what comes from {value.origin} has the values "
                             f"{', '.join(f'{each:g}' for each in np.unique(rows)[:6])}; quantise it uniformly")
        return value, planes, lowest, step, greatest

    def _few(self, value):
        rows = value.rows[np.unique(value.row[value.index >= 0])]
        return max(len(np.unique(row)) for row in rows) <= _MOST_LEVELS + 1

    def _signs(self, node, weights, lowest, step, greatest, origin):
        """Weights with the inputs' scales as bits, and each neuron's value as base + scale * (2 * count - reach).

        `weights`, `lowest`, `step` are of shape (outputs, ...).
        """
        whole = weights.astype(np.float64) * step
        flat = np.abs(whole.reshape(len(whole), -1))
        if not np.isfinite(flat).all() or (flat.max(1) - flat.min(1) > 1e-6 * flat.max(1)).any():
            at = int(np.argmax(~np.isfinite(flat).all(1) | (flat.max(1) - flat.min(1) > 1e-6 * flat.max(1))))
            values = np.unique(np.abs(weights[at]))
            shown = ", ".join(f"{each:g}" for each in values[:4]) + (", ..." if len(values) > 4 else "")
            if len(values) > 1:
                raise ModelError(f"{node}: its weights must be -1 and +1 times one scale for each output, but output {at} has "
                                 f"magnitudes {shown}; quantise them to 1 bit (BipolarQuant)")
            raise ModelError(f"{node}: all inputs of output {at} must have the same scale, but {origin} gives its channels "
                             "different ones; train with one scale for all channels")
        scale = flat.max(1) / 2
        middle = np.broadcast_to(lowest + step * greatest / 2, weights.shape)
        base = (weights.astype(np.float64) * middle).reshape(len(weights), -1).sum(1)
        return (whole >= 0).astype(np.uint8), base, scale

    # ------------------------------------------------------------------------------------------------- the layers

    def _name(self, node, kind):
        """A name that no layer has: the node's as an identifier, else a numbered one."""
        name = re.sub(r"\W+", "_", node.proto.name, flags=re.ASCII).strip("_")[:40] if node else kind
        if not name or name[0].isdigit():
            name = kind
        number, tried = 0, name
        while tried in self.names:
            number += 1
            tried = f"{name}_{number}"
        self.names.add(tried)
        return tried

    def _neurons(self, node, value, weights, base, scale, planes, make, shape):
        """The tensor of neurons: its shape is (1, outputs, ...), its order in the source channels last."""
        reach = weights[0].size * (2**planes - 1)
        qonnx_ops.check_size((len(weights), reach + 1))
        counts = 2.0 * np.arange(reach + 1) - reach
        rows = base[:, None] + scale[:, None] * counts
        kind = value.rows.dtype if np.issubdtype(value.rows.dtype, np.floating) else np.float32
        size = int(np.prod(shape))
        channels, *positions = shape
        index = np.moveaxis(np.arange(size).reshape(*positions, channels), -1, 0)
        row = np.broadcast_to(np.arange(channels).reshape(-1, *[1] * len(positions)), index.shape)
        return _Tensor(source=_Counts(size=size, count=reach + 1, after=len(self.layers), weights=weights, make=make),
                       index=index[None], row=row[None], rows=rows.astype(kind), origin=str(node))

    def _dense(self, node, value, weights):
        weights = np.asarray(weights)
        if weights.ndim != 2 or value.shape[-1] != int(np.prod(value.shape)) or weights.shape[1] != value.shape[-1]:
            raise ModelError(f"{node}: must multiply one vector by a matrix, but {value.origin} gives the shape {value.shape} "
                             f"and the weights have {weights.T.shape}")
        value, planes, lowest, step, greatest = self._inputs(node, value)
        index, row = value.index.reshape(-1), value.row.reshape(-1)
        if not np.array_equal(np.sort(index), np.arange(value.source.size)):
            raise ModelError(f"{node}: must take every output of the layer before once, but {value.origin} has "
                             f"{len(index)} elements of its {value.source.size}")
        bits, base, scale = self._signs(node, weights, lowest[row][None], step[row][None], greatest, value.origin)
        ordered = np.empty_like(bits)
        ordered[:, index] = bits
        if planes == 1:
            ordered = np.repeat(ordered, greatest, axis=1)
        name = self._name(node, "dense")

        def make(**arrays):
            return ir.Dense(name=name, **arrays, **_planes(planes))

        made = self._neurons(node, value, ordered, base, scale, planes, make, (len(weights),))
        return replace(made, index=made.index.reshape(*value.shape[:-1], -1), row=made.row.reshape(*value.shape[:-1], -1))

    def _gemm(self, node, value, weights, bias=None):
        if node.get("transA", 0):
            raise ModelError(f"{node}: must not transpose its input (transA = 1); swap its operands")
        result = self._dense(node, value, weights if node.get("transB", 0) else np.asarray(weights).T)
        kind = result.rows.dtype.type
        if node.get("alpha", 1.0) != 1:
            result = self._elementwise(node, np.multiply, (result, kind(node.get("alpha"))))
        if bias is not None:
            result = self._elementwise(node, np.add, (result, (bias * kind(node.get("beta", 1.0))).astype(kind)))
        return result

    def _window(self, node, kernel, size):
        """Strides and pads ((top, bottom), (left, right)) of a kernel over an image of `size`."""
        stride = tuple(node.get("strides", (1, 1)))
        if any(each != 1 for each in node.get("dilations", (1, 1))):
            raise ModelError(f"{node}: must have dilations of 1, not {node.get('dilations')}")
        if len(kernel) != 2 or len(stride) != 2 or min(*kernel, *stride) < 1:
            raise ModelError(f"{node}: must have a kernel and strides of rows and columns, not {kernel} and {stride}")
        pads, auto = node.get("pads", (0, 0, 0, 0)), node.get("auto_pad", "NOTSET")
        if auto in ("SAME_UPPER", "SAME_LOWER"):
            total = [max(0, (-(-length // step) - 1) * step + each - length)
                     for length, step, each in zip(size, stride, kernel, strict=True)]
            halves = [(each // 2, each - each // 2) for each in total]
            return stride, tuple(half if auto == "SAME_UPPER" else half[::-1] for half in halves)
        if len(pads) != 4 or min(pads) < 0:
            raise ModelError(f"{node}: must have four pads of at least 0, not {pads}")
        return stride, ((pads[0], pads[2]), (pads[1], pads[3])) if auto == "NOTSET" else ((0, 0), (0, 0))

    def _conv(self, node, value, weights, bias=None):
        weights = np.asarray(weights)
        if weights.ndim != 4 or len(value.shape) != 4:
            raise ModelError(f"{node}: must convolve an image in two dimensions, but {value.origin} gives the shape "
                             f"{value.shape} and the weights have {weights.shape}")
        groups, kernel = node.get("group", 1), weights.shape[2:]
        if groups < 1 or len(weights) % groups or weights.shape[1] * groups != value.shape[1]:
            raise ModelError(f"{node}: {groups} groups of {weights.shape[1]} channels do not make the {value.shape[1]} that "
                             f"{value.origin} gives")
        stride, pads = self._window(node, kernel, value.shape[2:])
        padded = any(map(any, pads))
        value = self._padded(value, [(0, 0), (0, 0), *pads], 0.0)
        value, planes, lowest, step, greatest = self._inputs(node, value)
        channels = value.shape[1]
        value, pads, padding = self._image(node, value)
        if value.shape[1] != channels:
            raise ModelError(f"{node}: must take whole channels, but its input is padded with {channels - value.shape[1]} more")
        if len(self.image_shape) == 1 and len(self.layers) <= 1:  # a flat input that the graph makes an image of
            self.image_shape = (*value.shape[2:], value.shape[1] * self.image_shape[0] // value.source.size)
        row = value.row[0, :, 0, 0]
        if (value.row != row[None, :, None, None]).any():
            raise ModelError(f"{node}: must take an image whose channels have one scale each, but what comes from "
                             f"{value.origin} differs between positions")
        bit = 0
        if padding is not None:
            ends = np.unique(lowest[row]), np.unique(lowest[row] + step[row] * greatest)
            matching = [at for at, end in enumerate(ends) if len(end) == 1 and end[0] == padding]
            if not matching and padding in np.concatenate(ends):
                raise ModelError(f"{node}: pads with {padding:g}, which is the lower value of some channels and the higher of "
                                 "others, as a negative scale stands behind a MaxPool; put the MaxPool behind the sign")
            if not matching:
                raise ModelError(
                    f"{node}: pads with {padding:g}, which is no value of its inputs "
                    f"({', '.join(f'{each:g}' for each in np.unique(ends)[:4])}): a bit has no 0 between -1 and +1; "
                    + ("train and export with padding of -1 or +1 instead (a Pad before the convolution, as of "
                       "torch.nn.functional.pad(x, ..., value=-1.0)), or without padding" if padded else
                       "pad with the lowest or the highest of them"))
            bit = matching[0]
        part = len(weights) // groups

        def spread(each):  # (channels,) to (outputs, channels of its group, 1, 1)
            return np.repeat(each[row].reshape(groups, -1), part, axis=0)[:, :, None, None]

        bits, base, scale = self._signs(node, weights, spread(lowest), spread(step), greatest, value.origin)
        bits = bits.transpose(0, 2, 3, 1)
        if planes == 1:
            bits = np.repeat(bits, greatest, axis=3)
        name = self._name(node, "conv")

        def make(**arrays):
            return ir.Conv2d(name=name, **arrays, stride=stride, padding=pads, padding_bit=bit, groups=groups,
                             **_planes(planes))

        positions = [(length + sum(pad) - each) // move + 1 for length, pad, each, move in
                     zip(value.shape[2:], pads, kernel, stride, strict=True)]
        if min(positions) < 1:
            raise ModelError(f"{node}: its kernel {tuple(kernel)} must fit the padded image of {value.shape[2:]}")
        result = self._neurons(node, value, bits, base, scale, planes, make, (len(weights), *positions))
        if bias is not None:
            result = self._elementwise(node, np.add, (result, np.asarray(bias).reshape(1, -1, 1, 1)))
        return result

    def _max_pool(self, node, value):
        # A pool of pixels would need one of eight-bit numbers; one of their bits is the same.
        if isinstance(value.source, _Pixels):
            value = self._bits(node, value)
        value, pads, _ = self._image(node, value)
        kernel = tuple(node.get("kernel_shape"))
        stride, more = self._window(node, kernel, value.shape[2:])
        if any(map(any, (*pads, *more))):
            raise ModelError(f"{node}: must pool without padding, but pads by {more}; crop or enlarge the image instead")
        over = [(length - each) % move for length, each, move in zip(value.shape[2:], kernel, stride, strict=True)]
        if node.get("ceil_mode", 0) and any(over):
            raise ModelError(f"{node}: its last positions lie half outside the image (ceil_mode = 1); use ceil_mode = 0, or "
                             "an image that its stride divides")
        if (value.row != value.row[:, :, :1, :1]).any():
            raise ModelError(f"{node}: must treat a channel alike at all positions, but what comes from {value.origin} "
                             "does not")
        # The greatest value has the greatest count if functions rise: the pool may move behind the thresholds.
        value = self._rising(node, value)
        pool = ir.MaxPool(name=self._name(node, "maxpool"), kernel=kernel, stride=stride)
        channels = value.shape[1]
        height, width, _ = pool.output_shape((*value.shape[2:], channels))
        size, source = height * width * channels, value.source
        if isinstance(source, _Counts):
            source = replace(source, size=size, pools=(*source.pools, pool))
        else:
            self._chained(node, source)
            self.layers.append(pool)
            source = replace(source, size=size, after=len(self.layers))
        index = np.arange(size).reshape(height, width, channels).transpose(2, 0, 1)[None]
        return replace(value, source=source, index=index, row=np.broadcast_to(value.row[:, :, :1, :1], index.shape),
                       origin=str(node))

    # ------------------------------------------------------------------------------------------------- the scores

    def _rank(self, node, op, value):
        rank = len(value.shape)
        axis = node.get("axis", 0 if op == "ArgMax" else -1 if op == "TopK" or node.opset >= 13 else 1)
        classes = int(np.prod(value.shape))
        if not -rank <= axis < rank or value.shape[axis] != classes:
            raise ModelError(f"{node}: must rank the classes, but its axis {axis} of the shape {value.shape} is not theirs")
        if node.get("select_last_index", 0) or not node.get("largest", 1):
            raise ModelError(f"{node}: must name the first of the greatest scores (select_last_index = 0, largest = 1)")
        return _Ranked(value)

    def _scores(self, outputs):
        """The last layer: scores that order the classes exactly as the graph's outputs do."""
        ends = [self.values.get(each.name) for each in outputs]
        ends = [each.tensor if isinstance(each, _Ranked) else each for each in ends]
        value = ends[0]
        if not all(isinstance(each, _Tensor) for each in ends) or any(each.source is not value.source for each in ends):
            raise ModelError("must end in the scores of one image, but its outputs "
                             f"{', '.join(repr(each.name) for each in outputs)} do not depend on one last layer; keep only "
                             "the scores")
        where = f"the output behind {value.origin}"
        source = value.source
        if not isinstance(source, _Counts) or source.pools or source.weights.ndim != 2:
            raise ModelError(f"{where} must be the scores of a MatMul or Gemm of bits that are not quantised again")
        self._chained(where, source)
        if not np.array_equal(value.index.reshape(-1), np.arange(source.outputs)):
            raise ModelError(f"{where} must have each of {source.outputs} classes once and in order; leave out what moves them")
        rising = self._rising(where, value)
        rows = rising.rows[:source.outputs].astype(np.float64)
        layer = rising.source.make(weights=rising.source.weights, thresholds=np.zeros(source.outputs, np.int64))
        if getattr(layer, "planes", 1) > 1:
            raise ModelError(f"{where} must have a layer before it; a network of one layer on raw pixels is not built")
        return ir.Scores(name=layer.name, weights=layer.weights, offsets=_offsets(where, rows))

    def _check_pixels(self):
        thresholds = self.layers[0].thresholds if self.layers and isinstance(self.layers[0], ir.Binarize) else None
        if self.assumed_unit and thresholds is not None and not ((thresholds > 0) & (thresholds < ir.PIXEL_LEVELS)).any():
            raise ModelError("no pixel of 0 ... 255 changes anything when it stands for p/255; if the network was trained on "
                             "the raw values, read it with pixels p (--pixels raw)")


def _planes(planes):
    return {"planes": planes} if planes > 1 else {}


def _alphabet(rows, padding):
    """The values of an activation, rising, of the shape (1 or rows, values); None when there is no common number of them.

    Not every neuron reaches every value; what is missing between those that are reached is filled in.
    """
    values = np.unique(rows)
    if len(values) == 1:  # the same for every image: the other value is never taken
        return np.union1d(values, padding if len(padding) and padding[0] != values[0] else -values[0] or 1.0)[None]
    step = np.diff(values).min()
    places = np.rint((values - values[0]) / step)
    if places[-1] <= _MOST_LEVELS and np.abs(values - values[0] - places * step).max() <= 1e-6 * np.abs(values).max():
        whole = values[0] + step * np.arange(places[-1] + 1)
        whole[places.astype(np.int64)] = values
        return whole[None]
    counts = (np.diff(rows, axis=1) > 0).sum(axis=1) + 1
    if counts.max() == len(values):
        return values[None]
    return None if counts.min() != counts.max() else np.stack([np.unique(row) for row in rows])


def _offsets(where, rows):
    """Integers that added to the counts order all of them as `rows` (classes, counts) does."""
    reach = rows.shape[1] - 1
    if (np.diff(rows, axis=1) <= 0).any():
        raise ModelError(f"{where} must tell all counts of the last layer apart, but gives some the same score; end the graph "
                         "at the MatMul or Gemm")
    scales = (rows[:, -1] - rows[:, 0]) / reach
    if scales.max() - scales.min() > 1e-4 * scales.max():
        raise ModelError(f"{where} must scale all classes alike, but their scales are between {scales.min():g} and "
                         f"{scales.max():g}, and counts scaled apart have no common integer form; train the last layer with "
                         "one scale (no batch norm behind it, or one for all classes)")
    places = rows[:, 0] / scales.mean()
    if not np.array_equal(rows, np.rint(rows[:, :1]) + np.arange(reach + 1)):
        places = places - places[0]  # not counts themselves, so only the difference between classes means something
    offsets = np.rint(places).astype(np.int64)
    counts = (offsets[:, None] + np.arange(reach + 1)).reshape(-1)
    order = np.lexsort((counts, rows.reshape(-1)))
    more, rises = np.diff(counts[order]), np.diff(rows.reshape(-1)[order]) > 0
    if not np.array_equal(more > 0, rises) or (more < 0).any():
        worst = int(np.argmax(np.abs(places - offsets)))
        raise ModelError(f"{where} must offset the classes by whole steps of the count, so that integers keep the order of "
                         f"all scores, but class {worst} is offset by {places[worst]:.6g} steps; train the last layer "
                         "without a bias for each class")
    return offsets
