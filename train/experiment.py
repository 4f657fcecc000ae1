"""A complete training run: from the data set to the model file."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .. import cache
from ..errors import DataError, ModelError
from . import checkpoint, data, distill, distributed
from .errors import SettingsError
from .execution import HERE, Execution
from .harden import HardeningReport, harden
from .loop import Epoch, Labelled, accuracy, is_smooth, train
from .network import network
from .presets import PRESETS
from .settings import Settings

__all__ = ["Parts", "Result", "layers_by", "measured", "require_writable", "run"]

#: The validation split and the teacher are the same for every seed, so that seeds can be compared.
_SPLIT_SEED = 0


@dataclass(frozen=True, kw_only=True)
class Result:
    """Result of a run; accuracies are {"validation": {"soft", "hardened"}, "test": {...}}, 0 ... 1, without
    "soft" if the network was not smooth before hardening."""

    epochs: list[Epoch]
    report: HardeningReport
    accuracy: dict[str, dict[str, float]]


def run(
    *,
    preset: str,
    settings: Settings,
    seed: int,
    out: str | PathLike[str],
    folder: str | PathLike[str] | None = None,
    dataset: str | None = None,
    resume: bool = False,
    progress: Callable[[Epoch], object] | None = None,
    teacher_progress: Callable[[int, int], object] | None = None,
    execution: Execution = HERE,
) -> Result:
    """Train a preset and write its model file.

    Parameters
    ----------
    preset : str
        One of `PRESETS`.
    settings : `Settings`
    seed : int
        Of the initial weights and of the training. The split and the teacher do not depend on it.
    out : path
        The model file. During training, ``<out>.resume`` next to it contains the state.
    folder : path or None
        As for `data.load`.
    dataset : str or None
        Another data set with the image shape of the preset's own.
    resume : bool
        Whether to continue an interrupted run.
    progress, teacher_progress : callable or None
        Called with each `Epoch`, as by `loop.train`; and with the number of epochs of the teacher done and in
        total.
    execution : `Execution`
        As for `loop.train`. Of several processes, the first writes the file.

    Returns
    -------
    Result
        The test images are used once, after all decisions.

    Raises
    ------
    DataError, ModelError, SettingsError
        The data set, a file or a setting does not fit.
    """
    out = Path(out)
    state = out.with_name(f"{out.name}.resume")
    require_writable(state)
    dataset = dataset or PRESETS[preset].dataset
    parts = _load(preset, dataset, folder, settings)
    kind = data.DATASETS[dataset]
    teacher = _teacher(
        preset, settings, parts, classes=len(kind.labels), progress=teacher_progress, device=execution.device
    )
    torch.manual_seed(seed)
    model = _network(preset, settings, kind)
    epochs = train(
        model,
        *parts.training,
        validation=parts.validation,
        settings=settings,
        seed=seed,
        teacher=teacher,
        state=state,
        resume=resume,
        progress=progress,
        execution=execution,
    )
    report, accuracies = measured(model, parts)
    result = Result(epochs=epochs, report=report, accuracy=accuracies)
    if not distributed.current().is_first:
        return result
    checkpoint.save(
        model,
        out,
        image_shape=kind.image_shape,
        labels=kind.labels,
        pixel_range=(0, kind.max_pixel),
        dataset=dataset,
        settings={"preset": preset, **settings.primitives()},
        seed=seed,
        accuracy=accuracies,
        report=report,
    )
    state.unlink(missing_ok=True)
    return result


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Images and labels of each part of a data set; a user's own samples may lack a test part."""

    training: Labelled
    validation: Labelled
    test: Labelled | None


def _load(preset: str, dataset: str, folder: str | PathLike[str] | None, settings: Settings) -> Parts:
    """The data set, split; its images must have the shape that the preset takes."""
    shape = data.DATASETS[PRESETS[preset].dataset].image_shape
    kind = data.DATASETS.get(dataset)
    if kind is not None and kind.image_shape != shape:
        raise DataError(
            f"the preset {preset} needs images of shape {shape}, {dataset} has {kind.image_shape}"
        )
    images, labels, test_images, test_labels = (
        torch.from_numpy(part.copy()) for part in data.load(dataset, folder)
    )
    rest, held = (
        torch.from_numpy(part)
        for part in data.split(labels.numpy(), part=settings.validation, seed=_SPLIT_SEED)
    )
    return Parts(
        training=(images[rest], labels[rest]),
        validation=(images[held], labels[held]),
        test=(test_images, test_labels),
    )


def _network(preset: str, settings: Settings, kind: data.Dataset) -> nn.Module:
    about = PRESETS[preset]
    return network(
        image_shape=kind.image_shape,
        thresholds=about.thresholds,
        convolutions=about.convolutions,
        widths=about.widths,
        classes=len(kind.labels),
        fan_in=about.fan_in,
        **layers_by(settings),
    )


def layers_by(settings: Settings) -> dict[str, Any]:
    """The arguments of `network` that the settings decide."""
    return {
        "method": settings.method,
        "slope_cap": settings.layer_slope_cap,
        "activation_levels": settings.activation_levels,
    }


def measured(model: nn.Module, parts: Parts) -> tuple[HardeningReport, dict[str, dict[str, float]]]:
    """Harden the model; the report, and the accuracies before and after."""
    measured_on = {"validation": parts.validation} | ({} if parts.test is None else {"test": parts.test})
    soft = {
        part: {"soft": accuracy(model, *images)} if is_smooth(model) else {}
        for part, images in measured_on.items()
    }
    report = harden(model, parts.training[0], validation=parts.validation)
    return report, {
        part: {**soft[part], "hardened": accuracy(model, *images)} for part, images in measured_on.items()
    }


def _teacher(
    preset: str,
    settings: Settings,
    parts: Parts,
    *,
    classes: int,
    progress: Callable[[int, int], object] | None,
    device: str,
) -> torch.Tensor | None:
    """The logits of the teacher; None if the settings have none."""
    if not settings.distill:
        return None
    thresholds = PRESETS[preset].thresholds
    if thresholds is None:
        raise SettingsError(
            f"distill must be 0 with the preset {preset}, whose teacher would need thresholds, not "
            f"{settings.distill}"
        )
    logits = partial(
        distill.teacher_logits,
        *parts.training,
        thresholds=thresholds,
        classes=classes,
        width=settings.teacher_width,
        epochs=settings.teacher_epochs,
        shift=settings.shift,
        flip=settings.flip,
        deform=settings.deform,
        seed=_SPLIT_SEED,
        cache=cache.folder("teachers"),
        progress=progress,
        device=device,
    )
    processes = distributed.current()
    first = logits() if processes.is_first else None
    processes.agree(None)  # the others wait for the first, and read what it has cached
    return logits() if first is None else first


def require_writable(path: Path) -> None:
    """Create the folder of a file that training writes; raise a `ModelError` now if it cannot be written."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.touch()
        part.unlink()
    except OSError as error:
        raise ModelError(
            f"{path} must be writable while training, but {error.filename or part}: {error.strerror}; give"
            " another --out"
        ) from error
