"""Distillation: a float teacher on the same binarized pixels, and the loss that follows it."""

import hashlib
import io
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from os import PathLike
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from .. import atomic
from .augment import Augmented
from .layers import Binarize

__all__ = ["loss", "teacher_logits"]


def loss(
    logits: torch.Tensor,
    labels: torch.Tensor,
    teacher: torch.Tensor | None = None,
    *,
    weight: float = 0.0,
    temperature: float = 1.0,
) -> torch.Tensor:
    """Cross entropy with the labels, mixed with that to the softened outputs of a teacher (Hinton et al.,
    arXiv 1503.02531): ``(1 - weight) * hard + weight * temperature**2 * soft``.

    If the signs of the logits decide (one logit per image, or several labels per image), it is the mean
    binary cross entropy.

    Parameters
    ----------
    logits : float tensor, shape (N, outputs)
    labels : integer tensor, shape (N,) or (N, outputs)
        Classes; or 0 and 1, if the signs decide.
    teacher : float tensor, shape (N, outputs), or None
        Logits of the teacher; only for classes.
    weight : float, 0 ... 1
        Share of the teacher.
    temperature : float

    Raises
    ------
    ValueError
        There is a teacher although the signs decide.
    """
    if labels.ndim == 2 or logits.shape[1] == 1:
        if teacher is not None:
            raise ValueError(
                "a teacher must be of classes, but the signs of the logits decide; train without one"
            )
        return F.binary_cross_entropy_with_logits(logits, labels.reshape(logits.shape).to(logits.dtype))
    hard = F.cross_entropy(logits, labels)
    if teacher is None or not weight:
        return hard
    soft = F.kl_div(
        F.log_softmax(logits / temperature, 1),
        F.log_softmax(teacher / temperature, 1),
        reduction="batchmean",
        log_target=True,
    )
    return (1 - weight) * hard + weight * temperature**2 * soft


def teacher_logits(
    images: torch.Tensor,
    labels: torch.Tensor,
    *,
    thresholds: Sequence[int],
    classes: int,
    width: int,
    epochs: int,
    shift: int,
    flip: bool,
    deform: int,
    seed: int,
    cache: str | PathLike[str],
    progress: Callable[[int, int], object] | None = None,
    device: str = "cpu",
) -> torch.Tensor:
    """Train a float network here; return its logits for every image in every way.

    The teacher is a multilayer perceptron with two hidden layers of `width`, ReLU, batch norm and dropout. It
    is trained on the given images only, so it knows nothing of the validation or test part. The logits depend
    on the arguments alone and are cached.

    Parameters
    ----------
    images : uint8 tensor, shape (N, height, width) or (N, height, width, channels)
    labels : int64 tensor, shape (N,)
    thresholds : sequence of int
        Those of `Binarize`.
    classes, width, epochs : int
    shift, flip, deform
        As for `Augmented`.
    seed : int
    cache : path
        Folder of the cached logits.
    progress : callable or None
        Called after each epoch with the number of epochs done and in total.
    device : str
        The torch device where it is trained.

    Returns
    -------
    float32 tensor, shape (ways, N, classes)
        On the CPU.
    """
    settings = [width, epochs, shift, flip, deform, seed, classes, torch.as_tensor(thresholds).tolist()]
    kind = torch.device(device).type
    settings += [kind] * (kind != "cpu")
    key = hashlib.sha256(json.dumps([4, torch.__version__, *settings]).encode())
    key.update(images.numpy().tobytes() + labels.numpy().tobytes())
    path = Path(cache) / f"teacher-{key.hexdigest()[:16]}.pt"
    augmented = Augmented(images, shift=shift, flip=flip, deform=deform, device=device)
    if (cached := _cached(path, (augmented.ways, len(images), classes))) is not None:
        return cached

    with torch.random.fork_rng(devices=[device] if kind == "cuda" else []):
        torch.manual_seed(seed)
        model = _teacher(Binarize(images[0].numel(), thresholds), width, classes).to(device)
        _train(model, augmented, labels.to(device), epochs=epochs, seed=seed, progress=progress)
    model.eval()
    with torch.no_grad():
        logits = torch.stack(
            [
                torch.cat(
                    [
                        model(augmented(index, torch.full_like(index, way))).cpu()
                        for index in torch.arange(len(images), device=device).split(4096)
                    ]
                )
                for way in range(augmented.ways)
            ]
        )
    buffer = io.BytesIO()
    torch.save(logits, buffer)
    with suppress(OSError):  # a full or read-only cache only costs time
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(path, buffer.getbuffer())
    return logits


def _teacher(binarize: Binarize, width: int, classes: int) -> nn.Module:
    return nn.Sequential(
        binarize,
        nn.Linear(binarize.outputs, width),
        nn.BatchNorm1d(width),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(width, width),
        nn.BatchNorm1d(width),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(width, classes),
    )


def _train(
    model: nn.Module,
    augmented: Augmented,
    labels: torch.Tensor,
    *,
    epochs: int,
    seed: int,
    progress: Callable[[int, int], object] | None,
) -> None:
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01, fused=True)
    batches = -(-len(labels) // 256)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * batches)
    for epoch in range(epochs):
        for drawn in torch.randperm(len(labels), generator=generator).chunk(batches):
            way = augmented.draw(len(drawn), generator=generator).to(labels.device)
            index = drawn.to(labels.device)
            optimizer.zero_grad()
            value = F.cross_entropy(model(augmented(index, way)), labels[index])
            value.backward()
            optimizer.step()
            cosine.step()
        if progress:
            progress(epoch + 1, epochs)


def _cached(path: Path, shape: tuple[int, ...]) -> torch.Tensor | None:
    """The logits of a cached file, or None if it is missing or damaged."""
    try:
        logits = torch.load(path, weights_only=True)
    except Exception:  # noqa: BLE001 - torch raises nearly anything on a damaged file
        return None
    sound = isinstance(logits, torch.Tensor) and logits.dtype == torch.float32 and logits.shape == shape
    return logits if sound and logits.isfinite().all() else None
