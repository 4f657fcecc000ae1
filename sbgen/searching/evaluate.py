"""What workers compute of a candidate: its cost on the board, its fitness by a short training, and in the
end its network by a full one.
"""

import tempfile
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ModelError
from .budget import Budget
from .genome import Candidate

if TYPE_CHECKING:
    from ..compiler.device import Device
    from ..samples import Prepared, Samples
    from ..train.settings import Settings

__all__ = ["Task", "cost", "file_of", "fitness", "full", "seconds_of"]

#: Samples of the training whose time is measured before the search begins.
_TIMED = 1024

#: Steps that a short training has too, by smaller batches of at least so many samples.
_STEPS = 200
_BATCH = 16


@dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """What all candidates of a search share.

    Parameters
    ----------
    ready : Prepared
    test : Samples or None
        Samples of another file to test with.
    name : str
        Of the samples, as the model file has it.
    device : Device
    budget : Budget
    cycles : int or None
        Maximum cycles per sample, by the budget and the clock.
    settings : Settings
        Of a full training.
    epochs : int
        Of a short one.
    subset : int or None
        Samples that a short training, and its validation, have at most; None is all.
    seed : int
        Of initial weights and trainings.
    """

    ready: "Prepared"
    test: "Samples | None"
    name: str
    device: "Device"
    budget: Budget
    cycles: int | None
    settings: "Settings"
    epochs: int
    subset: int | None
    seed: int

    @property
    def samples(self) -> int:
        """Training samples of a short training."""
        count = int(self.ready.training.sum())
        return count if self.subset is None else min(count, self.subset)


def cost(candidate: Candidate, task: Task) -> dict[str, int] | None:
    """Cycles, LUTs, block RAMs and weights of the design of a candidate within the budget; None without
    one.
    """
    import torch

    from ..compiler.fold import fold
    from ..planning import propose

    _one_thread()
    torch.manual_seed(task.seed)  # thresholds by random weights, of which the size depends a little
    device = task.budget.within(task.device)
    for fill in task.budget.fills(device, task.cycles):
        folded = partial(fold, device=device, cycles=task.cycles, fill=fill)
        try:
            proposal = propose(
                task.ready, candidate.topology, device, fold=folded, activation_levels=candidate.settings
            )
        except ModelError:  # no network for samples of this shape
            return None
        if proposal is not None:
            return {
                "cycles": proposal.cycles,
                "lut": proposal.lut,
                "bram": proposal.bram,
                "weights": proposal.weights,
            }
    return None


def fitness(candidate: Candidate, task: Task) -> dict[str, Any]:
    """Hardened accuracy on the validation samples after a short training, and its seconds; 0 if the training
    fails, and why.

    It is measured once, at the end: on few samples, measuring each epoch takes longer than training it.
    """
    start = time.monotonic()
    try:
        accuracy, failure = _trained(candidate, task, samples=task.samples, epochs=task.epochs), None
    except ModelError as error:
        accuracy, failure = 0.0, str(error)
    return {"accuracy": accuracy, "seconds": round(time.monotonic() - start, 2), "failure": failure}


def seconds_of(candidate: Candidate, task: Task) -> float:
    """Seconds that the short training of a candidate will take, from one epoch of few samples."""
    _trained(candidate, task, samples=64, epochs=1)  # what only the first training takes
    samples = min(_TIMED, task.samples)
    start = time.monotonic()
    _trained(candidate, task, samples=samples, epochs=1)
    return (time.monotonic() - start) * task.samples * task.epochs / samples


def full(candidate: Candidate, task: Task, folder: str) -> dict[str, Any]:
    """The accuracies and the model file (bytes) of a full training.

    Its state is in `folder` if that is a folder here too, and it continues there.
    """
    from ..train import own_data as training

    _one_thread()
    with tempfile.TemporaryDirectory() as own:
        out = Path(folder if Path(folder).is_dir() else own) / file_of(candidate)
        result = training.run(
            task.ready,
            topology=candidate.topology,
            settings=replace(task.settings, activation_levels=candidate.settings),
            seed=task.seed,
            out=out,
            name=task.name,
            test=task.test,
            resume=True,
        )
        return {"accuracy": result.accuracy, "file": out.read_bytes()}


def file_of(candidate: Candidate) -> str:
    """The name of a candidate's model file."""
    return f"{candidate.options().removeprefix('--').replace(' --', '-').replace(' ', '-')}.pt"


def _trained(candidate: Candidate, task: Task, *, samples: int, epochs: int) -> float:
    import torch

    from ..train import experiment, loop
    from ..train import own_data as training

    _one_thread()
    ready = task.ready
    settings = replace(
        task.settings,
        epochs=epochs,
        activation_levels=candidate.settings,
        batch=min(task.settings.batch, max(_BATCH, task.samples * task.epochs // _STEPS)),
    )
    torch.manual_seed(task.seed)
    model = training.build(ready, candidate.topology, settings)
    parts = experiment.Parts(
        training=training.part(ready, _some(ready.training, samples, task.seed)),
        validation=training.part(ready, _some(ready.validation, task.subset, task.seed)),
        test=None,
    )
    loop.train(model, *parts.training, validation=None, settings=settings, seed=task.seed)
    _, accuracy = experiment.measured(model, parts)
    return accuracy["validation"]["hardened"]


def _some(chosen: np.ndarray, count: int | None, seed: int) -> np.ndarray:
    """At most `count` of the samples where `chosen` is, the same for every candidate."""
    some = np.zeros_like(chosen)
    some[np.random.default_rng(seed).permutation(np.flatnonzero(chosen))[:count]] = True
    return some


def _one_thread() -> None:
    """Workers share the cores, and the number of threads affects a result. Their memory stays theirs."""
    import torch

    from ..train import heap

    torch.set_num_threads(1)
    heap.keep()
