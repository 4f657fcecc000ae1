"""The outputs of a QONNX graph: which tensor has the scores, and how they decide."""

from dataclasses import dataclass

import numpy as np
import onnx

from ....errors import ModelError
from ..sign_scores import are_bits
from ..tensors import Tensor
from .layout import LAYOUT
from .node import Node
from .operators import ELEMENTWISE

__all__ = ["RANKING", "Decision", "Ranked", "Squashed", "Value", "decide", "is_squashing", "rank"]

#: Operators of which only the order of the classes matters.
RANKING = ("ArgMax", "LogSoftmax", "Softmax", "TopK")

#: Operators after which each output can be a bit.
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
class Squashed:
    """The output of a Sigmoid or HardSigmoid, and the scores before it, whose signs decide at the end of a
    graph.
    """

    before: Tensor
    after: Tensor


@dataclass(frozen=True)
class Ranked:
    """A result of which only the order of the scores in `tensor` is known: a softmax, an argmax, a top-k.

    `by` is the node that ranked them, `has_scores` whether there still is one for each class.
    """

    tensor: Tensor
    by: str
    has_scores: bool


#: What a name in the graph stands for; None is an operand that was left out.
Value = Tensor | Ranked | Squashed | np.ndarray | None


@dataclass(frozen=True)
class Decision:
    """The scores of a graph and what they mean.

    Parameters
    ----------
    tensor : Tensor
    decision : str
        One of `ir.DECISIONS`.
    bits : bool
        Whether each output already is a bit.
    """

    tensor: Tensor
    decision: str
    bits: bool


def is_squashing(node: Node, op: str) -> bool:
    """Whether an operator maps 0 to a half and rises, so that its output has the sign of its input."""
    if op == "HardSigmoid":
        return node.get("beta", 0.5) == 0.5 and node.get("alpha", 0.2) > 0
    return op == "Sigmoid"


def rank(node: Node, op: str, value: Tensor) -> Ranked:
    """The result of one of `RANKING` on a tensor of scores."""
    axes = len(value.shape)
    default = 0 if op == "ArgMax" else -1 if op == "TopK" or node.opset >= 13 else 1
    axis = node.get("axis", default)
    classes = int(np.prod(value.shape))
    if not -axes <= axis < axes or value.shape[axis] != classes:
        raise ModelError(
            f"{node}: must rank the classes, but its axis {axis} of the shape {value.shape} is not theirs"
        )
    if node.get("select_last_index", 0) or not node.get("largest", 1):
        raise ModelError(
            f"{node}: must select the first of the maximum scores (select_last_index = 0, largest = 1)"
        )
    return Ranked(value, str(node), op in ("Softmax", "LogSoftmax"))


def decide(graph: onnx.GraphProto, values: dict[str, Value], *, is_sign: bool) -> Decision:
    """How the outputs of a graph decide.

    Parameters
    ----------
    values : dict
        By their names in the graph.
    is_sign : bool
        Whether the file says that the scores decide by their signs.

    Raises
    ------
    ModelError
        The outputs depend on several last layers, or would always be the same.
    """
    results = [values.get(output.name) for output in graph.output]
    first, tensors = results[0], [_scores_of(result) for result in results]
    scores = tensors[0]
    if scores is None or any(tensor is None or tensor.source is not scores.source for tensor in tensors):
        raise ModelError(
            "must end in the scores of one image, but its outputs"
            f" {', '.join(repr(output.name) for output in graph.output)} do not depend on one last layer;"
            " keep only the scores"
        )
    is_single = int(np.prod(scores.shape)) == 1
    if isinstance(first, Ranked) and is_single:
        raise ModelError(
            f"ranks the one output of {scores.origin}, which is always the first; end the graph at this"
            " score, whose sign then decides, or at its Sigmoid"
        )
    operator = _last_operator(graph, values, graph.output[0].name)
    bits = scores is first and operator in _QUANTISERS and are_bits(scores)
    may_lose_sign = is_single and scores is first and not bits and operator in ELEMENTWISE
    if may_lose_sign and scores.rows[scores.row].min() >= 0:
        raise ModelError(
            f"has one output that is never negative after its {operator}, so that its sign decides nothing;"
            " end the graph at the score before it, or at a Sigmoid of that"
        )
    by_sign = is_single or bits or isinstance(first, Squashed) or is_sign
    return Decision(scores, "sign" if by_sign else "argmax", bits)


def _scores_of(value: Value) -> Tensor | None:
    if isinstance(value, Ranked):
        return value.tensor
    if isinstance(value, Squashed):
        return value.before
    return value if isinstance(value, Tensor) else None


def _last_operator(graph: onnx.GraphProto, values: dict[str, Value], name: str) -> str:
    """The operator that computes a tensor's values, before any that only move, scale and shift them."""
    makers = {output: node for node in graph.node for output in node.output}
    while name in makers and (makers[name].op_type in LAYOUT or makers[name].op_type in _LINES):
        inputs = makers[name].input
        name = next((operand for operand in inputs if isinstance(values.get(operand), Tensor)), "")
    return makers[name].op_type if name in makers else ""
