"""A training on a user's own samples: from `samples.Prepared` to the model file with its recipe."""

from collections.abc import Callable
from dataclasses import replace
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ..errors import DataError
from ..samples import Prepared, Samples
from . import checkpoint, distributed
from .execution import HERE, Execution
from .experiment import Parts, Result, layers_by, measured, require_writable
from .loop import Epoch, Labelled, train
from .network import network
from .presets import PRESETS
from .settings import Settings
from .topology import Topology, thresholds

__all__ = ["build", "default_settings", "part", "run"]

#: Steps of a training on few samples, and the limits of its epochs and batch.
_STEPS = 3000
_EPOCHS = (20, 200)
_BATCH = (16, 256)

#: Small sets of images are augmented with copies, up to about this many images or copies.
_IMAGES = 20_000
_COPIES = 10


def default_settings(prepared: Prepared) -> Settings:
    """Settings for a set of its size: about 3,000 steps, in 20 to 200 epochs."""
    count = int(prepared.training.sum())
    batch = int(np.clip(count // 16, *_BATCH))
    while count % batch == 1 and count > 1:  # batch norm needs two samples in a step
        batch += 1
    epochs = int(np.clip(_STEPS * batch // count, *_EPOCHS))
    is_image = prepared.recipe.kind == "image"
    return replace(
        PRESETS["digits"].settings,
        epochs=epochs,
        batch=batch,
        lr=1e-2,
        shift=0,
        deform=int(np.clip(_IMAGES // count, 1, _COPIES)) if is_image else 1,
    )


def build(prepared: Prepared, topology: Topology, settings: Settings) -> nn.Sequential:
    """The network of a topology for the samples, with thresholds by the quantiles of its training part.

    Raises
    ------
    ModelError
        The convolutions and pools leave nothing of the samples.
    """
    recipe = prepared.recipe
    return network(
        image_shape=recipe.shape,
        thresholds=thresholds(prepared.images[prepared.training], recipe.kind, topology.levels),
        convolutions=topology.convolutions,
        widths=topology.widths,
        classes=len(prepared.classes),
        sequence=recipe.kind == "sequence",
        **layers_by(settings),
    )


def run(
    prepared: Prepared,
    *,
    topology: Topology,
    settings: Settings,
    seed: int,
    out: str | PathLike[str],
    name: str,
    test: Samples | None = None,
    resume: bool = False,
    progress: Callable[[Epoch], object] | None = None,
    execution: Execution = HERE,
) -> Result:
    """Train a network on prepared samples and write its model file.

    Parameters
    ----------
    prepared : `Prepared`
    topology : `Topology`
    settings : `Settings`
    seed : int
        Of the initial weights and of the training.
    out : path
        The model file. During training, ``<out>.resume`` next to it contains the state.
    name : str
        Of the samples, kept in the settings of the file.
    test : `Samples` or None
        Samples of another file, with labels, to test with; None is the test part.
    resume, progress, execution
        As in `experiment.run`.

    Returns
    -------
    Result
        Without a test if there are no samples for it.
    """
    out = Path(out)
    state = out.with_name(f"{out.name}.resume")
    require_writable(state)
    parts = Parts(
        training=part(prepared, prepared.training),
        validation=part(prepared, prepared.validation),
        test=_test(prepared, test),
    )
    torch.manual_seed(seed)
    model = build(prepared, topology, settings)
    epochs = train(
        model,
        *parts.training,
        validation=parts.validation,
        settings=settings,
        seed=seed,
        state=state,
        resume=resume,
        progress=progress,
        execution=execution,
    )
    report, accuracy = measured(model, parts)
    result = Result(epochs=epochs, report=report, accuracy=accuracy)
    if not distributed.current().is_first:
        return result
    checkpoint.save(
        model,
        out,
        image_shape=prepared.recipe.shape,
        labels=prepared.classes,
        pixel_range=(0, 255),
        settings={"samples": name, "topology": topology.options(), **settings.primitives()},
        seed=seed,
        accuracy=accuracy,
        report=report,
        recipe=prepared.recipe.primitives(),
    )
    state.unlink(missing_ok=True)
    return result


def part(prepared: Prepared, chosen: np.ndarray) -> Labelled:
    """The samples and labels where `chosen` is, as tensors."""
    return torch.from_numpy(prepared.images[chosen]), torch.from_numpy(prepared.labels[chosen])


def _test(prepared: Prepared, test: Samples | None) -> Labelled | None:
    if test is None:
        return part(prepared, prepared.test) if prepared.test.any() else None
    if test.labels is None:
        raise DataError(f"{test.source} must have the class of each sample to test with, but has none")
    shape = (-1, *prepared.recipe.shape)
    return torch.from_numpy(test.images.reshape(shape).copy()), torch.from_numpy(test.labels.copy())
