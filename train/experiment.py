"""One experiment from the data set to the model file: train, harden, measure, write."""

import os
from dataclasses import dataclass
from pathlib import Path

import torch

from .. import cache
from ..errors import DataError, ModelError
from . import checkpoint, data, distill
from .errors import SettingsError
from .harden import HardeningReport, harden
from .loop import accuracy, train
from .network import network
from .presets import PRESETS

__all__ = ["Result", "run"]

#: The validation split and the teacher are the same for every seed, so that seeds can be compared.
_SPLIT_SEED = 0


@dataclass(frozen=True, kw_only=True)
class Result:
    """What an experiment came to: accuracies are {"validation": {"float", "hardened"}, "test": {...}}, 0 ...
    1.
    """

    epochs: list
    report: HardeningReport
    accuracy: dict


def run(
    *,
    preset,
    settings,
    seed,
    out,
    folder=None,
    dataset=None,
    resume=False,
    progress=None,
    teacher_progress=None,
):
    """Trains a preset and writes its model file.

    Parameters
    ----------
    preset : str
        One of `PRESETS`.
    settings : `Settings`
    seed : int
        Of the initial weights and of the training; the split and the teacher do not depend on it.
    out : path
        The model file. While training, ``<out>.resume`` beside it keeps the state.
    folder : path or None
        As for `data.load`.
    dataset : str or None
        Another data set of the same image shape than the preset's.
    resume : bool
        Whether to go on where a killed run stopped.
    progress, teacher_progress : callable or None
        Called with each `Epoch`; with the number of epochs of the teacher done and in all.

    Returns
    -------
    Result
        The test images are looked at once, when everything is decided.
    """
    out = Path(out)
    state = out.with_name(f"{out.name}.resume")
    _require_writable(state)
    about = PRESETS[preset]
    dataset = dataset or about.dataset
    kind = data.DATASETS.get(dataset)
    if kind is not None and kind.image_shape != data.DATASETS[about.dataset].image_shape:
        raise DataError(
            f"the preset {preset} needs images of shape {data.DATASETS[about.dataset].image_shape}, "
            f"{dataset} has {kind.image_shape}"
        )
    images, labels, test_images, test_labels = (
        torch.from_numpy(part.copy()) for part in data.load(dataset, folder)
    )
    rest, held = (
        torch.from_numpy(part)
        for part in data.split(labels.numpy(), part=settings.validation, seed=_SPLIT_SEED)
    )
    validation = images[held], labels[held]
    images, labels = images[rest], labels[rest]
    test = test_images, test_labels

    teacher = None
    if settings.distill:
        if about.thresholds is None:
            raise SettingsError(
                f"distill must be 0 with the preset {preset}, whose teacher would need thresholds, not "
                f"{settings.distill}"
            )
        teacher = distill.teacher_logits(
            images,
            labels,
            thresholds=about.thresholds,
            classes=len(kind.labels),
            width=settings.teacher_width,
            epochs=settings.teacher_epochs,
            shift=settings.shift,
            flip=settings.flip,
            deform=settings.deform,
            seed=_SPLIT_SEED,
            cache=cache.folder("teachers"),
            progress=teacher_progress,
        )
    torch.manual_seed(seed)
    model = network(
        image_shape=kind.image_shape,
        thresholds=about.thresholds,
        convolutions=about.convolutions,
        widths=about.widths,
        classes=len(kind.labels),
        method=settings.method,
        slope_cap=settings.slope_cap,
    )
    epochs = train(
        model,
        images,
        labels,
        validation=validation,
        settings=settings,
        seed=seed,
        teacher=teacher,
        state=state,
        resume=resume,
        progress=progress,
    )
    soft = {"validation": accuracy(model, *validation), "test": accuracy(model, *test)}
    report = harden(model, images, validation=validation)
    measured = {
        part: {
            "float": soft[part],
            "hardened": accuracy(model, *(validation if part == "validation" else test)),
        }
        for part in soft
    }
    checkpoint.save(
        model,
        out,
        image_shape=kind.image_shape,
        labels=kind.labels,
        pixel_range=(0, kind.greatest),
        dataset=dataset,
        settings={"preset": preset, **settings.primitives()},
        seed=seed,
        accuracy=measured,
        report=report,
    )
    state.unlink(missing_ok=True)
    return Result(epochs=epochs, report=report, accuracy=measured)


def _require_writable(path):
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
