"""Training by several processes, which torchrun starts: each computes its share of every step.

    torchrun --nproc-per-node 4 -m sbgen train --preset cnv

The processes take the images of a step in turn. Batch norms use the statistics of the whole step, and
gradients are averaged by torch's DistributedDataParallel, so that a step is that of one process, apart from
rounding.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import distributed, nn

__all__ = ["Processes", "current", "is_started", "joined", "local_rank"]

T = TypeVar("T")


class _Total(torch.autograd.Function):
    """The sum over processes. Whatever a process does with it counts, so gradients are summed as well."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        total = x.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        total = gradient.clone()
        distributed.all_reduce(total)
        return total


@dataclass(frozen=True)
class Processes:
    """The processes of a training.

    Parameters
    ----------
    rank : int
        This one's number, from 0.
    count : int
    """

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process prints and writes for all."""
        return self.rank == 0

    def share(self, index: torch.Tensor) -> torch.Tensor:
        """This process's share of the images of a step."""
        return index[self.rank :: self.count]

    def total(self, x: torch.Tensor) -> torch.Tensor:
        """The sum of x over all processes, with its gradient."""
        return x if self.count == 1 else _Total.apply(x)

    def agree(self, value: T) -> T:
        """The first process's value."""
        if self.count == 1:
            return value
        values = [value]
        distributed.broadcast_object_list(values)
        return values[0]

    def gathered(self, value: T) -> list[T]:
        """The value of each process."""
        values: list[Any] = [None] * self.count
        if self.count == 1:
            return [value]
        distributed.all_gather_object(values, value)
        return values

    def wrapped(self, model: nn.Module) -> nn.Module:
        """The model whose backward pass averages gradients over all processes."""
        if self.count == 1:
            return model
        return nn.parallel.DistributedDataParallel(model, broadcast_buffers=False)


def is_started() -> bool:
    """Whether torchrun started this process."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and "RANK" in os.environ


def local_rank() -> int:
    """This process's number on its machine."""
    return int(os.environ.get("LOCAL_RANK", "0")) if is_started() else 0


@contextmanager
def joined(device: str) -> Iterator[Processes]:
    """Join the other processes of torchrun, if it started this one, for a `with` block.

    Parameters
    ----------
    device : str
        That of `Execution`: GPUs communicate by nccl, CPUs by gloo.
    """
    if not is_started():
        yield Processes()
        return
    kind = torch.device(device).type
    if kind == "cuda":
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if kind == "cuda" else "gloo")
    try:
        yield current()
    finally:
        distributed.destroy_process_group()


def current() -> Processes:
    """The processes that this one has joined; this one alone if there are no others."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return Processes()
    return Processes(rank=distributed.get_rank(), count=distributed.get_world_size())
