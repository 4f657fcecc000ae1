"""A float teacher on the same binarized pixels, and the loss that follows it."""

import hashlib
import io
import json
from contextlib import suppress
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from .. import atomic
from .augment import Augmented
from .layers import Binarize

__all__ = ["loss", "teacher_logits"]


def loss(logits, labels, teacher=None, *, weight=0.0, temperature=1.0):
    """Cross entropy with the labels, and with a teacher's softened answers (Hinton et al., arXiv 1503.02531).

    Logits whose signs decide, one for each image or as many as there are labels for an image, have the binary
    cross entropy of each.

    Parameters
    ----------
    logits : float tensor, shape (N, outputs)
    labels : integer tensor, shape (N,): classes, or of one output 0 and 1; or shape (N, outputs), 0 and 1
    teacher : float tensor, shape (N, outputs), or None
        Only of classes.
    weight : float, 0 ... 1
        Part of the teacher.
    temperature : float
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
    images, labels, *, thresholds, classes, width, epochs, shift, flip, deform, seed, cache, progress=None
):
    """What a float network, trained here, says about every image in every way.

    The teacher is a multilayer perceptron of two hidden layers of `width` with ReLU, batch norm and dropout,
    trained on exactly the images given, so it knows nothing of the validation or test part. It depends on its
    arguments alone and is kept in `cache` (a folder) for other runs.

    Returns
    -------
    float32 tensor, shape (ways, N, classes)
    """
    key = hashlib.sha256(
        json.dumps(
            [
                4,
                torch.__version__,
                width,
                epochs,
                shift,
                flip,
                deform,
                seed,
                classes,
                torch.as_tensor(thresholds).tolist(),
            ]
        ).encode()
    )
    key.update(images.numpy().tobytes() + labels.numpy().tobytes())
    path = Path(cache) / f"teacher-{key.hexdigest()[:16]}.pt"
    augmented = Augmented(images, shift=shift, flip=flip, deform=deform)
    if (cached := _cached(path, (augmented.ways, len(images), classes))) is not None:
        return cached

    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pixels = images[0].numel()
        binarize = Binarize(pixels, thresholds)
        model = nn.Sequential(
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
        optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01, fused=True)
        batches = -(-len(images) // 256)
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * batches)
        for epoch in range(epochs):
            for index in torch.randperm(len(images), generator=generator).chunk(batches):
                optimizer.zero_grad()
                value = F.cross_entropy(
                    model(augmented(index, augmented.draw(len(index), generator=generator))), labels[index]
                )
                value.backward()
                optimizer.step()
                cosine.step()
            if progress:
                progress(epoch + 1, epochs)
    model.eval()
    with torch.no_grad():
        logits = torch.stack(
            [
                torch.cat(
                    [
                        model(augmented(index, torch.full_like(index, way)))
                        for index in torch.arange(len(images)).split(4096)
                    ]
                )
                for way in range(augmented.ways)
            ]
        )
    buffer = io.BytesIO()
    torch.save(logits, buffer)
    with suppress(OSError):  # a full or read-only cache costs time, no more
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(path, buffer.getbuffer())
    return logits


def _cached(path, shape):
    """The logits of a cached file, or None where it is not there or damaged."""
    try:
        logits = torch.load(path, weights_only=True)
    except Exception:  # noqa: BLE001 - torch raises nearly anything on a damaged file
        return None
    sound = isinstance(logits, torch.Tensor) and logits.dtype == torch.float32 and logits.shape == shape
    return logits if sound and logits.isfinite().all() else None
