"""How the layers of a model compute while a training runs, and only then."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise

from torch import nn

from .distributed import Processes
from .execution import Execution
from .layers import BatchNorm, BinaryActivation
from .layers.fused import Fused
from .trace import leaves, trace

__all__ = ["training_mode"]


@contextmanager
def training_mode(
    model: nn.Module, execution: Execution, processes: Processes, *, fuses: bool
) -> Iterator[None]:
    """Let batch norms share their statistics between processes inside a `with` block; or, in one process on a
    CPU, compute each with the activation after it.

    Parameters
    ----------
    model : nn.Module
    execution : `Execution`
    processes : `Processes`
    fuses : bool
        Whether a batch norm and its activation may be one operation: not if anything happens between them.
    """
    with ExitStack() as stack:
        layers = [layer for _, layer in leaves(trace(model))]
        if processes.count > 1:
            for norm in layers:
                if isinstance(norm, BatchNorm):
                    norm.total = processes.total
                    stack.callback(delattr, norm, "total")
        elif fuses and execution.where.type == "cpu":
            for norm, activation in pairwise(layers):
                if isinstance(norm, BatchNorm) and isinstance(activation, BinaryActivation):
                    norm.fused = activation.fused = Fused(norm, activation)
                    stack.callback(delattr, norm, "fused")
                    stack.callback(delattr, activation, "fused")
        yield
