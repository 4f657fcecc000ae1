"""The training loop: a function of model, images, settings and seed that can be interrupted and resumed."""

import hashlib
import io
import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .. import atomic
from ..errors import DataError, ModelError
from . import distill, inputs, statistics
from .augment import Augmented
from .average import Average
from .fixed_point import FixedPoint
from .layers import BatchNorm, BinaryActivation, BinaryWeights, Scores, hardened
from .schedule import Sharpening
from .settings import Settings

__all__ = ["Epoch", "accuracy", "classify", "is_smooth", "train"]

#: Training images from which batch-norm statistics are estimated after each epoch.
_STATISTICS = 5000

#: Images and their labels.
Labelled = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """Result of one epoch.

    Parameters
    ----------
    epoch : int
        0 is the first.
    nu : float
        Maximum sharpness of the layers with weights.
    loss : float
        Mean over the training images.
    soft : float, 0 ... 1, or None
        Validation accuracy of the smooth network, without noise; None if the forward pass is sign.
    hard : float, 0 ... 1
        Validation accuracy of the same network hardened.
    """

    epoch: int
    nu: float
    loss: float
    soft: float | None
    hard: float


def classify(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """The decision of `model` for each image, in evaluation mode.

    Returns
    -------
    int64 tensor
        Classes, shape (N,): the first maximum score or, for one output, whether its score is not negative. If
        the signs of several outputs decide, bits of shape (N, outputs).
    """
    training = model.training
    # The outputs of a convolution grow with the pixels: keep them to some hundreds of MB.
    batch = min(2000, 2**21 // images[0].numel()) if len(images) else 1
    model.eval()
    with torch.no_grad():
        classes = torch.cat([_decide(model, model(part)) for part in images.split(batch)])
    model.train(training)
    return classes


def _decide(model: nn.Module, scores: torch.Tensor) -> torch.Tensor:
    if next((layer.decision for layer in model.modules() if isinstance(layer, Scores)), "argmax") == "argmax":
        return scores.argmax(1)
    bits = (scores >= 0).long()
    return bits if bits.shape[1] > 1 else bits[:, 0]


def accuracy(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Share of the images, 0 ... 1, that `model` classifies as labelled. If an image has several labels, all
    must be right. Images and labels are as for `inputs.checked`.
    """
    images, labels = inputs.checked(model, images, labels, name="measured")
    return (classify(model, images) == labels).reshape(len(labels), -1).all(1).double().mean().item()


def train(
    model: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    *,
    validation: Labelled,
    settings: Settings,
    seed: int,
    teacher: torch.Tensor | None = None,
    state: str | PathLike[str] | None = None,
    resume: bool = False,
    progress: Callable[[Epoch], object] | None = None,
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
    validation : (images, labels)
        Measured after each epoch. No decision here depends on it.
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
        Called with each `Epoch`, including the resumed ones.

    Returns
    -------
    list of `Epoch`

    Raises
    ------
    DataError
        Images, labels or teacher do not fit; raised before the first epoch.
    ModelError
        The state is damaged or belongs to another run, or the loss is no longer finite.
    """
    images, labels = inputs.checked(model, images, labels, name="training")
    validation = inputs.checked(model, *validation, name="validation")
    images = _with_rows(model, images, validation[0], settings)
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.lr, weight_decay=0.0, fused=True)
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    augmented = Augmented(images, shift=settings.shift, flip=settings.flip, deform=settings.deform)
    batches = -(-len(images) // settings.batch)
    inputs.check_batches(model, len(images), batches)
    sharpening, average = settings.schedule().over(model), Average(model)
    fixed = FixedPoint(model, settings.fixed_point)
    run = _Run(
        model, augmented, labels, teacher, settings, batches, optimizer, generator, sharpening, average, fixed
    )
    _check_teacher(run)
    identity = _identity(run, (images, labels), validation, seed)
    epochs: list[Epoch] = []
    if resume and state is not None and Path(state).exists():
        epochs = _restore(state, identity, run)
        for epoch in epochs:
            if progress:
                progress(epoch)

    with fixed.forward():
        for number in range(len(epochs), settings.epochs):
            loss = _train_epoch(run, number)
            with torch.no_grad(), run.average.taken():
                if run.average.steps:
                    fixed.settle()
                epochs.append(_measured(run, images[:_STATISTICS], validation, number=number, loss=loss))
            if state is not None:
                _save_state(state, identity, run, epochs)
            if progress:
                progress(epochs[-1])
    _finish(run, images)
    return epochs


def _finish(run: "_Run", images: torch.Tensor) -> None:
    """Leave the model as it is after the last step, with its average and statistics of it."""
    run.sharpening.apply(run.steps - 1, run.steps)
    with torch.no_grad():
        if run.average.steps:
            run.average.take()
            run.fixed.settle()
        if _drifts(run):
            statistics.estimate(run.model, images)


@dataclass(frozen=True)
class _Run:
    """What all epochs of a training share."""

    model: nn.Module
    augmented: Augmented
    labels: torch.Tensor
    teacher: torch.Tensor | None
    settings: Settings
    batches: int
    optimizer: torch.optim.Optimizer
    generator: torch.Generator
    sharpening: Sharpening
    average: Average
    fixed: FixedPoint

    @property
    def steps(self) -> int:
        """Steps of all epochs."""
        return self.settings.epochs * self.batches


def _with_rows(
    model: nn.Module, images: torch.Tensor, validation: torch.Tensor, settings: Settings
) -> torch.Tensor:
    """The training images, flat ones as images of one row, if they can be augmented as the settings say."""
    if validation.shape[1:] != images.shape[1:]:
        raise DataError(
            f"validation images must have the shape {tuple(images.shape[1:])} of the training images, not "
            f"{tuple(validation.shape[1:])}"
        )
    is_flat = images.dim() == 2
    if not is_flat and not inputs.takes_sequences(model):
        return images
    if settings.shift or settings.flip or settings.deform > 1:
        raise DataError(
            "training images must have rows and columns to be shifted, flipped or deformed, but have the"
            f" shape {tuple(images.shape)}; give shift 0, no flip and deform 1, or images (N, height,"
            " width)"
        )
    return images[:, None] if is_flat else images


def _check_teacher(run: _Run) -> None:
    ways, images = run.augmented.ways, len(run.labels)
    if run.teacher is not None and run.teacher.shape[:2] != (ways, images):
        raise DataError(
            f"the teacher must answer {ways} ways of {images} images, not"
            f" {tuple(run.teacher.shape[:2])}; compute it with the same images, shift, flip and deform"
        )


def _identity(run: _Run, training: Labelled, validation: Labelled, seed: int) -> dict[str, Any]:
    """Everything that the result depends on. A state with another identity belongs to another run."""
    return {
        "settings": run.settings.primitives(),
        "seed": seed,
        "network": _topology(run.model),
        "initial weights": _digest(run.model.state_dict().values()),
        "training images and labels": _digest(training),
        "validation images and labels": _digest(validation),
        "teacher": None if run.teacher is None else _digest([run.teacher]),
        "torch": str(torch.__version__),
        "threads": torch.get_num_threads(),
    }


def _train_epoch(run: _Run, number: int) -> float:
    """Train for one epoch; return the mean loss, which must be finite."""
    settings, labels, generator, optimizer = run.settings, run.labels, run.generator, run.optimizer
    # Those that compete for a connection are not limited: at the limit they would all be equal.
    weights = [
        layer.weight
        for layer in run.model.modules()
        if isinstance(layer, BinaryWeights) and layer.fan_in is None
    ]
    run.model.train()
    total = torch.zeros((), dtype=torch.float64)
    order = torch.randperm(len(labels), generator=generator)
    last_rate, averaged = settings.last_rate, run.steps * (1 - settings.recipe.average)
    for step, index in enumerate(order.chunk(run.batches), number * run.batches):
        run.sharpening.apply(step, run.steps)
        optimizer.param_groups[0]["lr"] = (
            last_rate + (settings.lr - last_rate) * (1 + math.cos(math.pi * step / run.steps)) / 2
        )
        way = run.augmented.draw(len(index), generator=generator)
        optimizer.zero_grad()
        value = distill.loss(
            run.model(run.augmented(index, way)),
            labels[index],
            None if run.teacher is None else run.teacher[way, index],
            weight=settings.distill,
            temperature=settings.temperature,
        )
        run.fixed.backward(value, len(index))
        optimizer.step()
        with torch.no_grad():
            for weight in weights:
                weight.clamp_(-1, 1)
            run.fixed.step()
            if step >= averaged:
                run.average.add()
        total += value.detach() * len(index)
    mean = total.item() / len(labels)
    if not math.isfinite(mean):
        raise ModelError(f"the loss must be finite, but is {mean} in epoch {number + 1}; try a smaller --lr")
    return mean


def is_smooth(model: nn.Module) -> bool:
    """Whether the forward pass of `model` is smooth: no weight and no activation is a sign."""
    layers = [layer for layer in model.modules() if isinstance(layer, (BinaryWeights, BinaryActivation))]
    return not any(layer.hardened or layer.binarizer.hard for layer in layers)


def _drifts(run: _Run) -> bool:
    """Whether the running batch-norm statistics are of another network than the one that is measured."""
    return bool(run.average.steps or run.settings.recipe.noise)


def _measured(run: _Run, images: torch.Tensor, validation: Labelled, *, number: int, loss: float) -> Epoch:
    """Measure the network as `harden` would leave it; `images` are for its batch-norm statistics."""
    model = run.model
    with statistics.restored(model):
        if _drifts(run):
            statistics.estimate(model, images)
        soft = accuracy(model, *validation) if is_smooth(model) else None
        with hardened(model):
            hard = accuracy(model, *validation)
        if any(isinstance(layer, BatchNorm) for layer in model.modules()):
            with statistics.hard_forward(model):
                statistics.estimate(model, images)
            with hardened(model):
                hard = max(hard, accuracy(model, *validation))
    nu = max(
        (layer.binarizer.nu for layer in model.modules() if isinstance(layer, BinaryWeights)), default=1.0
    )
    return Epoch(epoch=number, nu=nu, loss=loss, soft=soft, hard=hard)


def _digest(tensors: Iterable[torch.Tensor]) -> str:
    """16 digits of a SHA-256 of the types, shapes and values of tensors."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(f"{tensor.dtype} {tuple(tensor.shape)};".encode())
        digest.update(tensor.detach().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]


def _topology(model: nn.Module) -> str:
    """16 digits of a SHA-256 of the layers of a network, without their weights."""
    return hashlib.sha256(str(model).encode()).hexdigest()[:16]


def _save_state(path: str | PathLike[str], identity: dict[str, Any], run: _Run, epochs: list[Epoch]) -> None:
    buffer = io.BytesIO()
    torch.save(
        {
            "format": "sbgen-training",
            "identity": identity,
            "model": run.model.state_dict(),
            "optimizer": run.optimizer.state_dict(),
            "order": run.generator.get_state(),
            "random": torch.get_rng_state(),
            "average": {"steps": run.average.steps, "values": run.average.values},
            "epochs": [asdict(epoch) for epoch in epochs],
        },
        buffer,
    )
    try:
        atomic.write(Path(path), buffer.getbuffer())
    except OSError as error:
        raise ModelError(
            f"{path}: the state of the training cannot be written: {error.strerror or error}; make room"
            " there, and continue with --resume from the previous epoch, if there is one"
        ) from error


def _restore(path: str | PathLike[str], identity: dict[str, Any], run: _Run) -> list[Epoch]:
    """Restore the state of an interrupted training; return its epochs."""
    damaged = (
        f"{path}: must be the state of an interrupted training, but cannot be read; remove it to start again"
    )
    try:
        stored = torch.load(path, weights_only=True)
        found = stored["identity"]
        if stored["format"] != "sbgen-training":
            raise KeyError("format")
        now, then = ({**about, **about.get("settings", {})} for about in (identity, found))
    except OSError:
        raise
    except Exception as error:  # whatever the unpickler raises on arbitrary bytes
        raise ModelError(damaged) from error
    if found != identity:
        other = [
            f"{name} {then.get(name)} then, {now.get(name)} now"
            for name in now
            if name != "settings" and then.get(name) != now.get(name)
        ]
        raise ModelError(
            f"{path}: a resumed training must be the one that was interrupted, but has"
            f" {', '.join(other) or 'other settings'}; restore the original ones, or remove the file to start"
            " again"
        )
    try:
        run.model.load_state_dict(stored["model"])
        run.optimizer.load_state_dict(stored["optimizer"])
        run.generator.set_state(stored["order"])
        torch.set_rng_state(stored["random"])
        run.average.restore(**stored["average"])
        return [Epoch(**epoch) for epoch in stored["epochs"]]
    except (RuntimeError, KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ModelError(damaged) from error
