"""The training loop: a function of model, images, settings and seed that can be interrupted and resumed."""

import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..errors import DataError, ModelError
from . import distill, distributed, inputs, statistics
from . import state as states
from .augment import Augmented
from .average import Average
from .best import Best
from .distributed import Processes
from .errors import SettingsError
from .evaluation import Epoch, Labelled, accuracy, classify, is_smooth, measured, sharpness
from .execution import HERE, Execution
from .fixed_point import FixedPoint
from .layers import BinaryWeights
from .methods import METHODS
from .schedule import Sharpening
from .settings import Settings
from .training_mode import training_mode

__all__ = ["Epoch", "Labelled", "accuracy", "classify", "is_smooth", "train"]

#: Training images from which batch-norm statistics are estimated after each epoch.
_STATISTICS = 5000

#: Between the seeds of two processes, whose noise must differ.
_SEEDS_APART = 0x9E3779B97F4A7C15


def train(
    model: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    *,
    validation: Labelled | None,
    settings: Settings,
    seed: int,
    teacher: torch.Tensor | None = None,
    state: str | PathLike[str] | None = None,
    resume: bool = False,
    progress: Callable[[Epoch], object] | None = None,
    execution: Execution = HERE,
) -> list[Epoch]:
    """Train `model` in place.

    Parameters
    ----------
    model : nn.Module
        uint8 images to logits, initialised.
    images : uint8 tensor, shape (N, height, width), (N, height, width, channels) or (N, features)
        As for `inputs.checked`. Tables and sequences cannot be shifted, flipped or deformed.
    labels : integer tensor, shape (N,)
        As for `inputs.checked`. If the signs of several outputs decide, labels are 0 and 1, of shape (N,
        outputs), and the loss is the binary cross entropy.
    validation : (images, labels) or None
        Measured after each epoch. No decision here depends on it but the best epoch and when to end, if the
        settings ask for these. With None nothing is measured: epochs have `hard` NaN and no `soft`.
    settings : `Settings`
    seed : int
        Of the order, the shifts and everything else that is random.
    teacher : float tensor, shape (ways, N, classes), or None
        From `distill.teacher_logits`, with the same shift, flip and deform.
    state : path or None
        File for everything needed to resume, written after each epoch. The caller removes it in the end.
    resume : bool
        Whether to resume from `state` if it exists. The result is the same, bit for bit, as without
        interruption.
    progress : callable or None
        Called with each `Epoch`, including the resumed ones. If it returns True, the training ends there.
    execution : `Execution`
        Where it computes. If this process has joined others (`distributed.joined`), all of them must call
        `train` with the same arguments, and each computes its share; `progress` is called in the first.

    Returns
    -------
    list of `Epoch`
        Fewer than those of the settings if it ended early.

    Raises
    ------
    DataError
        Images, labels or teacher do not fit; raised before the first epoch.
    ModelError
        The state is damaged or belongs to another run, or the loss is no longer finite.
    SettingsError
        The machine lacks what the execution asks for.
    """
    execution.check()
    images, labels = inputs.checked(model, images, labels, name="training")
    if validation is not None:
        validation = inputs.checked(model, *validation, name="validation")
        inputs.check_same_shape(images, validation[0])
    elif settings.keeps_best:
        raise SettingsError(
            "the best epoch must be chosen on validation images, but there are none; give them, or keep the"
            " last"
        )
    images = inputs.with_rows(model, images, settings)
    batches = -(-len(images) // settings.batch)
    inputs.check_batches(model, len(images), batches)
    processes = distributed.current()
    _check_processes(processes, settings, len(images), batches)
    identity = _identity(model, settings, (images, labels), validation, teacher, seed) | {
        **execution.described(),
        "processes": processes.count,
    }
    try:
        run = _started(model, images, labels, teacher, settings, batches, seed, execution, processes)
        if validation is not None:
            validation = validation[0].to(execution.device), validation[1].to(execution.device)
        epochs: list[Epoch] = []
        if resume and state is not None and Path(state).exists():
            epochs = states.restored(state, identity, run.restore)
        ends = False
        for epoch in epochs:
            ends = _ends(run, epoch, progress)
        with run.fixed.forward():
            while not ends and len(epochs) < settings.epochs:
                epochs.append(_epoch(run, len(epochs), validation))
                content = run.content(epochs)  # of all processes
                if state is not None and processes.is_first:
                    states.save(state, identity, content)
                ends = _ends(run, epochs[-1], progress)
        _finish(run, len(epochs))
    finally:
        model.to("cpu")
    return epochs


def _epoch(run: "_Run", number: int, validation: Labelled | None) -> Epoch:
    """Train for an epoch and measure it."""
    loss = _train_epoch(run, number)
    if validation is None:
        return Epoch(epoch=number, nu=sharpness(run.model), loss=loss, soft=None, hard=math.nan)
    with torch.no_grad(), run.average.taken():
        if run.average.steps:
            run.fixed.settle()
        epoch = measured(
            run.model,
            run.images[:_STATISTICS],
            validation,
            drifts=run.drifts,
            processes=run.processes,
            epoch=number,
            loss=loss,
        )
        epoch = run.processes.agree(epoch)
        if run.settings.keeps_best:
            run.best.offer(number, epoch.hard)
    return epoch


def _ends(run: "_Run", epoch: Epoch, progress: Callable[[Epoch], object] | None) -> bool:
    """Report an epoch; whether the training ends after it."""
    stopped = run.processes.is_first and progress is not None and progress(epoch) is True
    patience = run.settings.patience
    return run.processes.agree(stopped or 0 < patience <= run.best.waited(epoch.epoch))


def _finish(run: "_Run", epochs: int) -> None:
    """Leave the model as it is after its last or best epoch, with statistics of it."""
    with torch.no_grad():
        if run.settings.keeps_best and run.best.epoch is not None:
            epochs = run.best.epoch + 1
            run.best.take()
        elif run.average.steps:
            run.average.take()
            run.fixed.settle()
        run.sharpening.apply(epochs * run.batches - 1, run.steps)
        if run.drifts:
            statistics.estimate(run.model, run.images)


@dataclass(frozen=True)
class _Run:
    """What all epochs of a training share."""

    model: nn.Module
    images: torch.Tensor
    augmented: Augmented
    labels: torch.Tensor
    teacher: torch.Tensor | None
    settings: Settings
    batches: int
    optimizer: torch.optim.Optimizer
    generator: torch.Generator
    sharpening: Sharpening
    average: Average
    best: Best
    fixed: FixedPoint
    execution: Execution
    processes: Processes
    forward: Callable[[torch.Tensor], torch.Tensor]

    @property
    def steps(self) -> int:
        """Steps of all epochs."""
        return self.settings.epochs * self.batches

    @property
    def drifts(self) -> bool:
        """Whether the running batch-norm statistics are of another network than the one that is measured."""
        recipe = self.settings.recipe
        return bool(self.average.steps or recipe.noise or recipe.sampling)

    def settles(self, step: int) -> bool:
        """Whether the hidden layers have their last values at this step. The steps from here on harden
        activations of an exact gradient, so that only the last layer learns.
        """
        tail = self.settings.recipe.hard_tail
        return (
            METHODS[self.settings.method].exact
            and 0 < tail < 1
            and step == math.ceil(self.steps * (1 - tail))
        )

    def content(self, epochs: list[Epoch]) -> dict[str, Any]:
        """Everything to continue from."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "order": self.generator.get_state(),
            "random": self.processes.gathered(self.execution.random_state()),
            "average": {"steps": self.average.steps, "values": self.average.values},
            "best": self.best.state(),
            "epochs": [asdict(epoch) for epoch in epochs],
        }

    def restore(self, content: dict[str, Any]) -> list[Epoch]:
        """Continue from a `content`; the epochs so far."""
        self.model.load_state_dict(content["model"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.generator.set_state(content["order"])
        self.average.restore(**content["average"])
        self.best.restore(content["best"])
        self.execution.set_random_state(content["random"][self.processes.rank])
        return [Epoch(**epoch) for epoch in content["epochs"]]


def _started(
    model: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    teacher: torch.Tensor | None,
    settings: Settings,
    batches: int,
    seed: int,
    execution: Execution,
    processes: Processes,
) -> _Run:
    """A training before its first step, with everything on its device."""
    device = execution.where
    model.to(device)
    torch.manual_seed((seed + processes.rank * _SEEDS_APART) % 2**64 if processes.rank else seed)
    augmented = Augmented(
        images, shift=settings.shift, flip=settings.flip, deform=settings.deform, device=device
    )
    if teacher is not None and teacher.shape[:2] != (augmented.ways, len(images)):
        raise DataError(
            f"the teacher must answer {augmented.ways} ways of {len(images)} images, not"
            f" {tuple(teacher.shape[:2])}; compute it with the same images, shift, flip and deform"
        )
    return _Run(
        model=model,
        images=images.to(device),
        augmented=augmented,
        labels=labels.to(device),
        teacher=None if teacher is None else teacher.to(device),
        settings=settings,
        batches=batches,
        optimizer=torch.optim.AdamW(model.parameters(), lr=settings.lr, weight_decay=0.0, fused=True),
        generator=torch.Generator().manual_seed(seed),
        sharpening=settings.schedule().over(model),
        average=Average(model),
        best=Best(model),
        fixed=FixedPoint(model, settings.fixed_point),
        execution=execution,
        processes=processes,
        forward=processes.wrapped(model),
    )


def _check_processes(processes: Processes, settings: Settings, images: int, batches: int) -> None:
    """Check that each process has an image of every step, and that all of them keep the same parameters."""
    smallest = min(len(part) for part in torch.arange(images).chunk(batches))
    if smallest < processes.count:
        raise SettingsError(
            f"every step must have an image for each of {processes.count} processes, but one has {smallest};"
            " give a larger --batch, or start fewer processes"
        )
    if settings.fixed_point is not None and processes.count > 1:
        raise SettingsError(
            f"--fixed-point {settings.fixed_point} must have one process, because it rounds at random, not"
            f" {processes.count}; leave out torchrun"
        )


def _identity(
    model: nn.Module,
    settings: Settings,
    training: Labelled,
    validation: Labelled | None,
    teacher: torch.Tensor | None,
    seed: int,
) -> dict[str, Any]:
    """Everything that the result depends on. A state with another identity belongs to another run."""
    return {
        "settings": settings.primitives(),
        "seed": seed,
        "network": states.topology(model),
        "initial weights": states.digest(model.state_dict().values()),
        "training images and labels": states.digest(training),
        "validation images and labels": None if validation is None else states.digest(validation),
        "teacher": None if teacher is None else states.digest([teacher]),
        "torch": str(torch.__version__),
        "threads": torch.get_num_threads(),
    }


def _train_epoch(run: _Run, number: int) -> float:
    """Train for one epoch; return the mean loss, which must be finite."""
    settings, optimizer, device = run.settings, run.optimizer, run.execution.where
    # Those that compete for a connection are not limited: at the limit they would all be equal.
    weights = [
        layer.weight
        for layer in run.model.modules()
        if isinstance(layer, BinaryWeights) and layer.fan_in is None
    ]
    run.model.train()
    total = torch.zeros((), dtype=torch.float64, device=device)
    order = torch.randperm(len(run.labels), generator=run.generator)
    drawn = [run.augmented.draw(len(part), generator=run.generator) for part in order.chunk(run.batches)]
    parts = zip(
        order.to(device).chunk(run.batches), torch.cat(drawn).to(device).chunk(run.batches), strict=True
    )
    last_rate, averaged = settings.last_rate, run.steps * (1 - settings.recipe.average)
    with training_mode(run.model, run.execution, run.processes, fuses=settings.fixed_point is None):
        for step, (index, way) in enumerate(parts, number * run.batches):
            run.sharpening.apply(step, run.steps)
            if run.settles(step):
                _settle(run)
            optimizer.param_groups[0]["lr"] = (
                last_rate + (settings.lr - last_rate) * (1 + math.cos(math.pi * step / run.steps)) / 2
            )
            optimizer.zero_grad()
            value = _loss(run, index, way)
            run.fixed.backward(value, len(index))
            optimizer.step()
            with torch.no_grad():
                for weight in weights:
                    weight.clamp_(-1, 1)
                run.fixed.step()
                if step >= averaged:
                    run.average.add()
            total += value.detach() * len(index)
    mean = run.processes.total(total).item() / len(run.labels) / run.processes.count
    if not math.isfinite(mean):
        raise ModelError(f"the loss must be finite, but is {mean} in epoch {number + 1}; try a smaller --lr")
    return mean


def _settle(run: _Run) -> None:
    """Continue from the average, without the momentum of the steps before."""
    with torch.no_grad():
        if run.average.steps:
            run.average.take()
            run.average.restart()
            run.fixed.settle()
    run.optimizer.state.clear()


def _loss(run: _Run, index: torch.Tensor, way: torch.Tensor) -> torch.Tensor:
    """The loss of the images `index`, each in its `way`, of which this process computes its share. The mean
    over processes is that over the images.
    """
    execution, settings, share = run.execution, run.settings, run.processes.share
    mine, its_way = share(index), share(way)
    with torch.autocast(execution.where.type, torch.bfloat16) if execution.bf16 else nullcontext():
        logits = run.forward(run.augmented(mine, its_way))
    value = distill.loss(
        logits,
        run.labels[mine],
        None if run.teacher is None else run.teacher[its_way, mine],
        weight=settings.distill,
        temperature=settings.temperature,
    )
    return value * (run.processes.count * len(mine) / len(index))
