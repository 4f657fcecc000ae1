"""Checks of the images and labels that a network is trained on or measured with."""

import torch
from torch import nn

from ..errors import DataError, ModelError
from .layers import Binarize, Pixels, Scores
from .settings import Settings

__all__ = ["check_batches", "check_images", "check_same_shape", "checked", "takes_sequences", "with_rows"]

#: If the network does not determine the channels, a first axis of at most this size is taken for the
#: channels.
_CHANNELS = 4


def checked(
    model: nn.Module, images: torch.Tensor, labels: torch.Tensor, *, name: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """Check images and labels; return them with int64 labels.

    Parameters
    ----------
    model : nn.Module
        uint8 images to logits.
    images : uint8 tensor, shape (N, height, width), (N, height, width, channels) or (N, features); for
        sequences (N, length, channels) or (N, length)
        N is at least 1.
    labels : integer tensor, shape (N,)
        Values 0 ... classes - 1; 0 and 1 if the sign of one output decides. If the signs of several outputs
        decide, the shape is (N, outputs), values 0 and 1.
    name : str
        Their role, for the message: "training", say.

    Returns
    -------
    images, labels : uint8 tensor, int64 tensor

    Raises
    ------
    DataError
        They are anything else, or the images do not have the shape that the network takes.
    ModelError
        The network does not take the images, or does not return logits.
    """
    classes = check_images(model, images, name=name)
    signs = any(isinstance(layer, Scores) and layer.decision == "sign" for layer in model.modules())
    if signs and classes > 1:
        return images, _check_bits(labels, (len(images), classes), name)
    return images, _check_labels(labels, len(images), max(2, classes) if signs else classes, name)


def check_images(model: nn.Module, images: torch.Tensor, *, name: str) -> int:
    """The part of `checked` for images; returns the number of classes of the network."""
    _check_images(images, name)
    _check_layout(model, images, name)
    return _classes(model, images)


def _check_images(images: torch.Tensor, name: str) -> None:
    if not isinstance(images, torch.Tensor):
        raise DataError(
            f"{name} images must be a uint8 tensor, not {_kind(images)}; convert an array with"
            " torch.from_numpy"
        )
    if images.dtype != torch.uint8:
        unit = images.is_floating_point() and images.numel() and 0 <= images.min() and images.max() <= 1
        raise DataError(
            f"{name} images must be raw uint8 pixels of 0 ... 255, not {_dtype(images)}{_range(images)};"
            " convert them with "
            + (
                "(255 * images).round().to(torch.uint8)"
                if unit
                else "images.to(torch.uint8) once they are in that range"
            )
        )
    if images.dim() not in (2, 3, 4) or not images.numel():
        raise DataError(
            f"{name} images must have the shape (N, height, width), (N, height, width, channels) or (N,"
            f" features), at least 1 each, not {tuple(images.shape)}"
        )


def _first_layer(model: nn.Module) -> Binarize | Pixels | None:
    return next((layer for layer in model.modules() if isinstance(layer, (Binarize, Pixels))), None)


def takes_sequences(model: nn.Module) -> bool:
    """Whether the network takes sequences, which have no rows and columns."""
    first = _first_layer(model)
    return first is not None and first.sequence is not None


def _check_layout(model: nn.Module, images: torch.Tensor, name: str) -> None:
    """Check that the images have the shape that the network takes, channels last."""
    first = _first_layer(model)
    found = tuple(images.shape[1:])
    if first is not None and first.sequence is not None:
        _check_sequences(first.sequence, images, name)
        return
    wanted = None if first is None or first.image is None or len(first.image) != 3 else first.image
    if len(found) == 3:
        first_axis = (found[1], found[2], found[0])
        likely = (
            found[0] <= _CHANNELS < found[2] if wanted is None else found != wanted and first_axis == wanted
        )
        if likely:
            raise DataError(
                f"{name} images must have their channels last, (N, height, width, channels), but have the"
                f" shape {tuple(images.shape)} with the channels first; pass images.permute(0, 2, 3, 1)"
            )
    if wanted is not None and len(found) > 1 and (*found, 1)[:3] != wanted:
        raise DataError(
            f"{name} images must have the shape (N, {', '.join(map(str, wanted))}) that the network takes,"
            f" not {tuple(images.shape)}"
        )
    if first is not None and images[0].numel() != first.pixels:
        raise DataError(
            f"{name} images must have the {first.pixels} pixels that the network takes, not"
            f" {images[0].numel()} of shape {found}"
        )


def _check_sequences(wanted: tuple[int, int], images: torch.Tensor, name: str) -> None:
    """Check that the images are sequences of the length and channels that the network takes."""
    length, channels = wanted
    found = tuple(images.shape[1:])
    if found in (wanted, (length, 1, channels), (length * channels,)):
        return
    swapped = found == (channels, length)
    raise DataError(
        f"{name} images must have the shape (N, {length}, {channels}) that the network takes, length and"
        f" channels, not {tuple(images.shape)}"
        + ("; pass images.permute(0, 2, 1), which has the channels last" if swapped else "")
    )


def _classes(model: nn.Module, images: torch.Tensor) -> int:
    """The number of classes of the network, by running it on one image."""
    training = model.training
    try:
        with torch.no_grad():
            logits = model.eval()(images[:1])
    except (RuntimeError, ValueError, IndexError) as error:
        raise ModelError(
            f"the network must take images of shape {tuple(images.shape[1:])}, but:"
            f" {' '.join(str(error).split())[:200]}"
        ) from error
    finally:
        model.train(training)
    if not isinstance(logits, torch.Tensor) or logits.dim() != 2 or len(logits) != 1 or not logits.numel():
        raise ModelError(
            f"the network must return logits of shape (N, classes), but returns {_kind(logits)}"
            + (f" of shape {tuple(logits.shape)}" if isinstance(logits, torch.Tensor) else "")
            + " for one image"
        )
    return logits.shape[1]


def _check_labels(labels: torch.Tensor, count: int, classes: int, name: str) -> torch.Tensor:
    if not isinstance(labels, torch.Tensor):
        raise DataError(
            f"{name} labels must be an int64 tensor, not {_kind(labels)}; convert an array with"
            " torch.from_numpy"
        )
    if labels.dtype not in (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64):
        raise DataError(
            f"{name} labels must be whole numbers of classes, an int64 tensor, not"
            f" {_dtype(labels)}{_range(labels)}; convert them with labels.long() if they are numbers of"
            " classes"
        )
    if labels.shape != (count,):
        one_hot = (
            " (for one-hot rows: labels.argmax(1))"
            if labels.dim() == 2 and labels.shape[1] == classes
            else ""
        )
        raise DataError(
            f"{name} labels must be one for each of {count} images, shape ({count},), not"
            f" {tuple(labels.shape)}{one_hot}"
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise DataError(
            f"{name} labels must be in 0 ... {classes - 1}, the network's classes, not {labels.min().item()}"
            f" ... {labels.max().item()}"
        )
    return labels.long()


def _check_bits(labels: torch.Tensor, shape: tuple[int, int], name: str) -> torch.Tensor:
    """Check the labels of a multi-label network."""
    if not isinstance(labels, torch.Tensor) or labels.shape != shape:
        found = tuple(labels.shape) if isinstance(labels, torch.Tensor) else _kind(labels)
        raise DataError(
            f"{name} labels must be a tensor of shape {tuple(shape)}, a 0 or 1 for each output whose sign"
            f" decides, not {found}"
        )
    if not ((labels == 0) | (labels == 1)).all():
        raise DataError(
            f"{name} labels must be 0 and 1, as each output decides by its sign, not numbers{_range(labels)}"
        )
    return labels.long()


def check_batches(model: nn.Module, count: int, batches: int) -> None:
    """Check that no step has a single image, since a batch norm cannot estimate a variance from one.

    Parameters
    ----------
    model : nn.Module
    count, batches : int
        Images, and steps per epoch.

    Raises
    ------
    DataError
        A step would have a single image.
    """
    size = -(-count // batches)
    last = count - (-(-count // size) - 1) * size
    if last == 1 and any(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in model.modules()):
        raise DataError(
            f"each step of training must have at least 2 images for batch norm, but of {count} images in"
            f" steps of {size} the last has one; choose another --batch, or another number of images"
        )


def _kind(value: object) -> str:
    return type(value).__name__


def _dtype(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _range(tensor: torch.Tensor) -> str:
    if not tensor.numel() or tensor.is_complex() or tensor.dtype == torch.bool:
        return ""
    return f" of {tensor.min().item():g} ... {tensor.max().item():g}"


def check_same_shape(images: torch.Tensor, validation: torch.Tensor) -> None:
    """Check that training and validation images have one shape."""
    if validation.shape[1:] != images.shape[1:]:
        raise DataError(
            f"validation images must have the shape {tuple(images.shape[1:])} of the training images, not "
            f"{tuple(validation.shape[1:])}"
        )


def with_rows(model: nn.Module, images: torch.Tensor, settings: Settings) -> torch.Tensor:
    """The training images, flat ones as images of one row, if they can be augmented as the settings say."""
    is_flat = images.dim() == 2
    if not is_flat and not takes_sequences(model):
        return images
    if settings.shift or settings.flip or settings.deform > 1:
        raise DataError(
            "training images must have rows and columns to be shifted, flipped or deformed, but have the"
            f" shape {tuple(images.shape)}; give shift 0, no flip and deform 1, or images (N, height,"
            " width)"
        )
    return images[:, None] if is_flat else images
