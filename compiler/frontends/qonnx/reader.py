"""A QONNX file as an integer network: runs the graph, node by node, on tensors of functions."""

import json
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError

from ....errors import ModelError
from ... import ir
from ..chain import Chain
from ..last_layer import last_layer
from ..pixels import check_pixels, read_varying
from ..shortcuts import join
from ..tensors import Pixels, Tensor, check_size, concatenate, elementwise, move
from .inputs import has_channels_last, read_input
from .layers import LAYERS
from .layout import CONSTANT, LAYOUT
from .node import (
    CHANNELS_LAST,
    CHANNELS_LAST_OPERATORS,
    QUANTISER_DOMAINS,
    STANDARD_DOMAINS,
    Node,
    instead_of,
    load_tensor,
)
from .operators import ELEMENTWISE
from .outputs import RANKING, Ranked, Squashed, Value, decide, is_squashing, rank

__all__ = ["load", "loads"]

#: The first opset in which operands broadcast as in NumPy.
_OLDEST_OPSET = 7

#: Elements of all tensors together; a file with more is a mistake or an attack.
_MAX_ELEMENTS = 1 << 26

#: What NumPy and onnx raise for attributes and tensors that do not fit their operator.
_MALFORMED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)

#: Operators in the domains of quantisers.
_QUANTISERS = ("BipolarQuant", "IntQuant", "MultiThreshold", "Quant")


def load(path: Path | str, *, pixels: str | None = None) -> ir.Network:
    """The network of a QONNX file.

    Parameters
    ----------
    path : path
    pixels : {"unit", "fixed", "raw", "signed"} or None
        What a raw pixel p in 0 ... 255 stands for, if the graph's input is floating-point without annotation:
        p / 255, p / 256, p or p / 127.5 - 1. None is "unit", as in torchvision's ToTensor. If the type or an
        annotation of the input says what it holds, `pixels` must not contradict it.

    Returns
    -------
    ir.Network
        Its scores order the classes as the graph's output does, for every image.

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


def loads(
    data: bytes, *, name: str = "network", source: str = "QONNX file", pixels: str | None = None
) -> ir.Network:
    """The network of the bytes of a QONNX file; otherwise as `load`. Messages begin with `source`."""
    check_pixels(pixels)
    try:
        model = onnx.ModelProto.FromString(data)
    except DecodeError as error:
        raise ModelError(
            f"{source}: must be an ONNX file, but cannot be parsed: {_one_line(error)}; it may be truncated"
        ) from None
    if not model.graph.node or not model.graph.output:
        raise ModelError(
            f"{source}: must be an ONNX file with a graph, but has {len(model.graph.node)} nodes and"
            f" {len(model.graph.output)} outputs"
        )

    def read(pixels: str | None) -> tuple[ir.Network, bool]:
        reader = _Reader(model, pixels)
        return reader.network(name), reader.assumed

    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return read_varying(read, pixels, "unit")
    except ModelError as error:
        # Names in a file may hold any character.
        raise ModelError(f"{source}: {re.sub('[^ -~]', '?', str(error))}") from error.__cause__


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())[:200]
    if isinstance(error, ValueError) and text:
        return text
    return f"is malformed ({type(error).__name__}: {text})"


class _Reader:
    """Walks through a graph once.

    Attributes
    ----------
    chain : Chain
        The layers so far.
    values : dict
        What each name in the graph stands for.
    assumed : bool
        Whether the file leaves open what a pixel stands for.
    """

    def __init__(self, model: onnx.ModelProto, pixels: str | None) -> None:
        self.model, self.pixels, self.chain = model, pixels, Chain()
        self.assumed, self.elements = False, 0
        self.values: dict[str, Value] = {"": None}

    def network(self, name: str) -> ir.Network:
        """The network of the graph."""
        graph = self.model.graph
        for tensor in graph.initializer:
            try:
                self.values[tensor.name] = load_tensor(tensor)
            except _MALFORMED as error:
                raise ModelError(f"initialiser {tensor.name!r}: {_one_line(error)}") from None
        inputs = [info for info in graph.input if info.name not in self.values]
        if len(inputs) != 1:
            raise ModelError(
                "must have one input, the image, but has "
                + (", ".join(repr(info.name) for info in inputs) or "none")
            )
        self._read_input(inputs[0])
        opset = self._opset()
        for number, proto in self._needed():
            node = Node(number, proto, opset)
            try:
                self._run(node)
            except _MALFORMED as error:
                raise ModelError(f"{node}: {_one_line(error)}") from error
        is_sign = self._metadata("sbgen.decision", str) == "sign"
        end = decide(graph, self.values, is_sign=is_sign)
        return self.chain.network(
            name=name,
            scores=last_layer(self.chain, end.tensor, end.decision, bits=end.bits),
            labels=self._metadata("sbgen.labels", list),
            decision=end.decision,
        )

    def _opset(self) -> int:
        opsets = {entry.domain: entry.version for entry in self.model.opset_import}
        opset = opsets.get("", opsets.get("ai.onnx", 1))
        if opset < _OLDEST_OPSET:
            raise ModelError(
                f"must have opset {_OLDEST_OPSET} or later, not {opset}, whose operators mean something else;"
                " export the model with opset 9 or later"
            )
        return opset

    def _needed(self) -> Iterator[tuple[int, onnx.NodeProto]]:
        """The nodes that an output depends on, in the file's order."""
        wanted, needed = {output.name for output in self.model.graph.output}, []
        for number, proto in reversed(list(enumerate(self.model.graph.node))):
            if wanted & set(proto.output):
                wanted |= set(proto.input) - {""}
                needed.append((number, proto))
        return reversed(needed)

    def _metadata(self, key: str, kind: type) -> Any:
        """The JSON value of a metadata entry, or None."""
        for entry in self.model.metadata_props:
            if entry.key == key:
                try:
                    value = json.loads(entry.value)
                except (ValueError, RecursionError):
                    value = None
                if not isinstance(value, kind):
                    raise ModelError(
                        f"metadata {key!r} must be a JSON {kind.__name__}, not {entry.value[:40]!r}"
                    )
                return value
        return None

    def _read_input(self, info: onnx.ValueInfoProto) -> None:
        """The image as the value of the graph's input."""
        read = read_input(self.model, info, self.pixels)
        shape, self.assumed, self.chain.pixel_type = read.shape, read.assumed, read.type
        size = int(np.prod(shape))
        index = np.arange(size)
        image_shape = self._metadata("sbgen.image_shape", list)
        prefer_first = image_shape is not None
        last = has_channels_last(self.model.graph, info.name, shape, prefer_first=prefer_first)
        if len(shape) == 4 and not last:
            _, channels, height, width = shape
            index = index.reshape(height, width, channels).transpose(2, 0, 1)
            self.chain.image_shape = (height, width, channels) if channels > 1 else (height, width)
        elif len(shape) == 3 and last:  # one column of pixels
            _, length, channels = shape
            self.chain.image_shape = length, 1, channels
        elif len(shape) == 3 and image_shape is not None and len(image_shape) == 3:
            _, channels, length = shape  # as sbgen writes a sequence, whose pixels have the channels last
            index = index.reshape(length, channels).transpose()
        else:
            self.chain.image_shape = tuple(shape[1:]) if len(shape) < 4 or shape[3] > 1 else tuple(shape[1:3])
        if image_shape is not None:
            is_shape = all(type(length) is int and length > 0 for length in image_shape)
            if not is_shape or int(np.prod(image_shape)) != size:
                raise ModelError(
                    f"metadata 'sbgen.image_shape' must be the shape of {size} pixels, not {image_shape}"
                )
            self.chain.image_shape = tuple(image_shape)
        self.values[info.name] = Tensor(
            source=Pixels(size=size, count=ir.PIXEL_LEVELS, after=None),
            index=index.reshape(shape),
            row=np.zeros(shape, np.int64),
            rows=read.rows[None],
            origin=f"input {info.name!r}",
        )

    # ------------------------------------------------------------------------------------------------- a node

    def _run(self, node: Node) -> None:
        """Compute the outputs of a node."""
        op, domain = node.proto.op_type, node.proto.domain
        operands = self._operands(node)
        is_last = domain == CHANNELS_LAST and op in CHANNELS_LAST_OPERATORS
        if not is_last and domain not in (QUANTISER_DOMAINS if op in _QUANTISERS else STANDARD_DOMAINS):
            raise ModelError(
                f"{node}: the operator {domain + '.' if domain else ''}{op} is not supported;"
                f" {instead_of(domain, op)}"
            )
        value = self._channels_last(node, op, *operands) if is_last else self._apply(node, op, operands)
        self._count(node, value)
        outputs = node.proto.output
        if isinstance(value, Ranked):
            self.values.update((name, value) for name in outputs)
        elif outputs:
            self.values[outputs[0]] = value  # others are masks of dropouts and statistics of training

    def _operands(self, node: Node) -> list[Value]:
        operands = []
        for name in node.proto.input:
            if name not in self.values:
                raise ModelError(
                    f"{node}: its input {name!r} must be the output of a node before it, but there is none;"
                    " the file may be damaged"
                )
            operands.append(self.values[name])
        while operands and operands[-1] is None:
            operands.pop()
        return operands

    def _count(self, node: Node, value: Value) -> None:
        """Add the elements of a value to the total, which has a limit."""
        if isinstance(value, Tensor):
            self.elements += value.index.size + value.rows.size
        elif not isinstance(value, Ranked | Squashed):
            self.elements += np.size(np.asarray(value))
        if self.elements > _MAX_ELEMENTS:
            raise ModelError(
                f"{node}: all values up to here have more than {_MAX_ELEMENTS:,} elements; no network of that"
                " size fits an FPGA"
            )

    def _apply(self, node: Node, op: str, operands: Sequence[Value]) -> Value:
        """The result of an operator of the standard, or of a quantiser."""
        first = operands[0] if operands else None
        if isinstance(first, Ranked):
            return self._after_ranking(node, op, first, operands[1:])
        if isinstance(first, Squashed) and op in LAYOUT:
            before, after = (
                self._apply(node, op, [tensor, *operands[1:]]) for tensor in (first.before, first.after)
            )
            assert isinstance(before, Tensor) and isinstance(after, Tensor)
            return Squashed(before, after)
        taken: list[Any] = [each.after if isinstance(each, Squashed) else each for each in operands]
        varying = [number for number, operand in enumerate(taken) if isinstance(operand, Tensor)]
        if op == "Shape":
            return np.array(np.shape(taken[0]), np.int64)
        if op == "Size":
            return np.array(np.prod(np.shape(taken[0])), np.int64)
        if op in ELEMENTWISE:
            return self._elementwise(node, op, taken, varying)
        if op in LAYOUT and varying in ([], [0]):
            return _moved(node, op, taken)
        if op == "Gather" and varying == [1] and np.ndim(taken[0]) == 1:  # a table of all values
            table = np.asarray(taken[0])
            return elementwise(node, lambda index: table[index.astype(np.int64)], (taken[1],))
        if not varying and op in CONSTANT:
            return CONSTANT[op](node, *taken)
        if op == "Concat" and len(varying) == len(taken):
            return concatenate(node, taken, node.get("axis"))
        if varying == [0] and op in LAYERS:
            return LAYERS[op](self.chain, node, *taken)
        if varying == [0] and op in RANKING:
            return rank(node, op, taken[0])
        raise _unsupported(node, op, taken, varying)

    def _after_ranking(self, node: Node, op: str, ranked: Ranked, constants: Sequence[Value]) -> Value:
        """The result of an operator on one that only ranks: nothing may follow that changes the order."""
        if op == "Cast" or not ranked.has_scores and op in LAYOUT:
            return ranked
        if op in LAYOUT and not any(isinstance(constant, Ranked | Tensor) for constant in constants):
            return replace(ranked, tensor=_moved(node, op, [ranked.tensor, *constants]))
        if op in RANKING and ranked.has_scores:
            return rank(node, op, ranked.tensor)
        raise _only_order(node, ranked)

    def _elementwise(self, node: Node, op: str, operands: Sequence[Any], varying: list[int]) -> Value:
        """The result of an operator that changes values, each for itself."""
        for operand in operands:
            if isinstance(operand, Ranked):
                raise _only_order(node, operand)
        if op == "Add" and len(varying) == 2 and operands[0].source is not operands[1].source:
            return join(self.chain, node, *operands)
        function, arrays = ELEMENTWISE[op](node, *operands)
        if varying:
            result = elementwise(node, function, arrays)
            return Squashed(operands[0], result) if varying == [0] and is_squashing(node, op) else result
        arrays = [np.asarray(array) for array in arrays]
        check_size(np.broadcast_shapes(*(array.shape for array in arrays)))
        return np.asarray(function(*arrays))

    def _channels_last(self, node: Node, op: str, value: Value, *constants: Any) -> Tensor:
        """The result of an operator on a tensor, and weights, whose channels are the last axis."""
        if not isinstance(value, Tensor) or len(value.shape) < 3:
            raise ModelError(f"{node}: must take the image, or a sequence, with its channels last")
        axes = len(value.shape)
        first, last = (0, axes - 1, *range(1, axes - 1)), (0, *range(2, axes), 1)
        if op == "Conv" and constants and not isinstance(constants[0], Tensor):
            constants = np.asarray(constants[0]).transpose(first), *constants[1:]
        value = move(node, lambda array: array.transpose(first), value)
        result = self._apply(node, op, [value, *constants])
        assert isinstance(result, Tensor)
        return move(node, lambda array: array.transpose(last), result)


def _moved(node: Node, op: str, operands: Sequence[Any]) -> Any:
    """The result of one of `LAYOUT`, on a tensor or an array."""
    value, *constants = operands
    if not isinstance(value, Tensor):
        return LAYOUT[op](node, np.asarray(value), *constants)
    return move(node, lambda array: LAYOUT[op](node, array, *constants), value)


def _only_order(node: Node, ranked: Ranked) -> ModelError:
    return ModelError(
        f"{node}: must not use the result of {ranked.by}, of which only the order of the classes is known;"
        " end the graph with that node"
    )


def _unsupported(node: Node, op: str, operands: Sequence[Any], varying: list[int]) -> ModelError:
    """The error for an operator that is not supported, or not with such operands."""
    if varying and varying != [0] and op in ("Conv", "Gemm", "MatMul"):
        return ModelError(
            f"{node}: its weights must be known when the file is read, but come from"
            f" {operands[varying[-1]].origin}; store them as an initialiser, as its second input"
        )
    if len(varying) > 1:
        return ModelError(
            f"{node}: joins the branches from {' and '.join(operands[number].origin for number in varying)};"
            " a network must be one chain of layers"
        )
    return ModelError(f"{node}: the operator {op} is not supported; {instead_of(node.proto.domain, op)}")
