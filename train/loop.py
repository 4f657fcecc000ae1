"""The training loop: a function of the model, the images, the settings and the seed, that survives being
killed.
"""

import hashlib
import io
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from .. import atomic
from ..errors import DataError, ModelError
from . import distill, inputs
from .augment import Augmented
from .layers import BinaryWeights, Scores, hardened
from .settings import Settings

__all__ = ["Epoch", "accuracy", "classify", "train"]


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """What one epoch came to.

    Parameters
    ----------
    epoch : int
        0 is the first.
    nu : float
        Greatest sharpness of any layer.
    loss : float
        Mean over the training images.
    soft, hard : float, 0 ... 1
        Accuracy on the validation images as trained and hardened.
    """

    epoch: int
    nu: float
    loss: float
    soft: float
    hard: float


def classify(model, images):
    """What `model` makes of each image in evaluation mode: its class (N,), the first greatest score or of one
    output whether it is not negative; or the bits (N, outputs) where a `Scores` of several outputs decides by
    their signs.
    """
    training = model.training
    # The more pixels, the more a convolution gives for each image: some hundreds of MB at a time.
    batch = min(2000, 2**21 // images[0].numel()) if len(images) else 1
    model.eval()
    with torch.no_grad():
        classes = torch.cat([_decide(model, model(part)) for part in images.split(batch)])
    model.train(training)
    return classes


def _decide(model, scores):
    if next((layer.decision for layer in model.modules() if isinstance(layer, Scores)), "argmax") == "argmax":
        return scores.argmax(1)
    bits = (scores >= 0).long()
    return bits if bits.shape[1] > 1 else bits[:, 0]


def accuracy(model, images, labels):
    """Part of the images, 0 ... 1, that `model` classifies as labelled; both as of `inputs.checked`. Of
    several labels for an image, all must be right."""
    images, labels = inputs.checked(model, images, labels, name="measured")
    return (classify(model, images) == labels).reshape(len(labels), -1).all(1).double().mean().item()


def train(
    model,
    images,
    labels,
    *,
    validation,
    settings: Settings,
    seed,
    teacher=None,
    state=None,
    resume=False,
    progress=None,
):
    """Trains `model` in place.

    Parameters
    ----------
    model : nn.Module
        uint8 images to logits.
    images, labels : uint8 tensor (N, height, width), (N, height, width, channels) or (N, features), integer
    tensor (N,)
        As of `inputs.checked`. Without rows and columns nothing can be shifted, flipped or deformed. Where
        the signs of several outputs decide, labels are of the shape (N, outputs), 0 and 1; the loss then is
        the binary cross entropy.
    validation : (images, labels)
        Only looked at, epoch by epoch; nothing is chosen by it here.
    settings : `Settings`
    seed : int
        Of the order, the shifts and whatever else is random; the model comes initialised.
    teacher : float tensor, shape (ways, N, classes), or None
        From `distill.teacher_logits`, with the same shift, flip and deform.
    state : path or None
        Where to keep, after each epoch, all that is needed to go on; removed by the caller when it is done.
    resume : bool
        Whether to go on from `state` where it exists. The end is the same, bit for bit, as without the break.
    progress : callable or None
        Called with each `Epoch`, the resumed ones included.

    Returns
    -------
    list of `Epoch`

    Raises
    ------
    DataError
        Images, labels or teacher are not what they must be; said before the first epoch.
    ModelError
        The state is damaged or belongs to another run, or the loss is no longer finite.
    """
    images, labels = inputs.checked(model, images, labels, name="training")
    validation = inputs.checked(model, *validation, name="validation")
    if validation[0].shape[1:] != images.shape[1:]:
        raise DataError(
            f"validation images must have the shape {tuple(images.shape[1:])} of the training images, not "
            f"{tuple(validation[0].shape[1:])}"
        )
    if images.dim() == 2:
        if settings.shift or settings.flip or settings.deform > 1:
            raise DataError(
                "training images must have rows and columns to be shifted, flipped or deformed, but have the"
                f" shape {tuple(images.shape)}; give shift 0, no flip and deform 1, or images (N, height,"
                " width)"
            )
        images = images[:, None]
    schedule = settings.schedule()
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.lr, weight_decay=0.0, fused=True)
    weights = [layer.weight for layer in model.modules() if isinstance(layer, BinaryWeights)]
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    augmented = Augmented(images, shift=settings.shift, flip=settings.flip, deform=settings.deform)
    batches = -(-len(images) // settings.batch)
    inputs.check_batches(model, len(images), batches)
    if teacher is not None and teacher.shape[:2] != (augmented.ways, len(images)):
        raise DataError(
            f"the teacher must answer {augmented.ways} ways of {len(images)} images, not"
            f" {tuple(teacher.shape[:2])}; compute it with the same images, shift, flip and deform"
        )
    # All that the result depends on: a state of anything else is another run's.
    identity = {
        "settings": settings.primitives(),
        "seed": seed,
        "network": _topology(model),
        "initial weights": _digest(model.state_dict().values()),
        "training images and labels": _digest((images, labels)),
        "validation images and labels": _digest(validation),
        "teacher": None if teacher is None else _digest([teacher]),
        "torch": str(torch.__version__),
        "threads": torch.get_num_threads(),
    }
    epochs = []

    if resume and state is not None and Path(state).exists():
        epochs = _restore(state, identity, model, optimizer, generator)
        for epoch in epochs:
            if progress:
                progress(epoch)

    for number in range(len(epochs), settings.epochs):
        schedule.apply(model, epoch=number, epochs=settings.epochs)
        model.train()
        total = torch.zeros((), dtype=torch.float64)
        for at, index in enumerate(torch.randperm(len(images), generator=generator).chunk(batches)):
            done = (number * batches + at) / (settings.epochs * batches)
            optimizer.param_groups[0]["lr"] = (
                settings.lr_end + (settings.lr - settings.lr_end) * (1 + math.cos(math.pi * done)) / 2
            )
            way = augmented.draw(len(index), generator=generator)
            optimizer.zero_grad()
            value = distill.loss(
                model(augmented(index, way)),
                labels[index],
                None if teacher is None else teacher[way, index],
                weight=settings.distill,
                temperature=settings.temperature,
            )
            value.backward()
            optimizer.step()
            with torch.no_grad():
                for weight in weights:
                    weight.clamp_(-1, 1)
            total += value.detach() * len(index)
        mean = total.item() / len(images)
        if not math.isfinite(mean):
            raise ModelError(
                f"the loss must be finite, but is {mean} in epoch {number + 1}; try a smaller --lr"
            )
        soft = accuracy(model, *validation)
        with hardened(model):
            hard = accuracy(model, *validation)
        nu = max(
            (layer.binarizer.nu for layer in model.modules() if isinstance(layer, BinaryWeights)), default=1.0
        )
        epochs.append(Epoch(epoch=number, nu=nu, loss=mean, soft=soft, hard=hard))
        if state is not None:
            _keep(state, identity, model, optimizer, generator, epochs)
        if progress:
            progress(epochs[-1])
    schedule.apply(model, epoch=settings.epochs - 1, epochs=settings.epochs)
    return epochs


def _digest(tensors):
    """16 digits of a SHA-256 of the tensors' types, shapes and values."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(f"{tensor.dtype} {tuple(tensor.shape)};".encode())
        digest.update(tensor.detach().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()[:16]


def _topology(model):
    """16 digits of a SHA-256 of what the network is made of, apart from its weights."""
    return hashlib.sha256(str(model).encode()).hexdigest()[:16]


def _keep(path, identity, model, optimizer, generator, epochs):
    buffer = io.BytesIO()
    torch.save(
        {
            "format": "sbgen-training",
            "identity": identity,
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "order": generator.get_state(),
            "random": torch.get_rng_state(),
            "epochs": [asdict(epoch) for epoch in epochs],
        },
        buffer,
    )
    try:
        atomic.write(path, buffer.getbuffer())
    except OSError as error:
        raise ModelError(
            f"{path}: the state of the training cannot be written: {error.strerror or error}; make room"
            " there, and go on with --resume from the epoch before, where there is one"
        ) from error


def _restore(path, identity, model, optimizer, generator):
    damaged = (
        f"{path}: must be the state of an interrupted training, but cannot be read; remove it to begin anew"
    )
    try:
        kept = torch.load(path, weights_only=True)
        found = kept["identity"]
        if kept["format"] != "sbgen-training":
            raise KeyError("format")
        now, then = ({**about, **about.get("settings", {})} for about in (identity, found))
    except OSError:
        raise
    except Exception as error:  # whatever its unpickler meets in bytes that nobody wrote
        raise ModelError(damaged) from error
    if found != identity:
        other = [
            f"{name} {then.get(name)} then, {now.get(name)} now"
            for name in now
            if name != "settings" and then.get(name) != now.get(name)
        ]
        raise ModelError(
            f"{path}: a resumed training must be the one that was interrupted, but has"
            f" {', '.join(other) or 'other settings'}; give what it began with, or remove the file to begin"
            " anew"
        )
    try:
        model.load_state_dict(kept["model"])
        optimizer.load_state_dict(kept["optimizer"])
        generator.set_state(kept["order"])
        torch.set_rng_state(kept["random"])
        return [Epoch(**epoch) for epoch in kept["epochs"]]
    except (RuntimeError, KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ModelError(damaged) from error
