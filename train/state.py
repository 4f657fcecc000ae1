"""The state of an interrupted training: what it belongs to, written and read."""

import hashlib
import io
from collections.abc import Callable, Iterable
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from .. import atomic
from ..errors import ModelError

__all__ = ["digest", "restored", "save", "topology"]

T = TypeVar("T")

_FORMAT = "sbgen-training"


def digest(tensors: Iterable[torch.Tensor]) -> str:
    """16 digits of a SHA-256 of the types, shapes and values of tensors."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(f"{tensor.dtype} {tuple(tensor.shape)};".encode())
        digest.update(tensor.detach().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]


def topology(model: nn.Module) -> str:
    """16 digits of a SHA-256 of the layers of a network, without their weights."""
    return hashlib.sha256(str(model).encode()).hexdigest()[:16]


def save(path: str | PathLike[str], identity: dict[str, Any], content: dict[str, Any]) -> None:
    """Write the state of a training.

    Parameters
    ----------
    path : path
    identity : dict
        Everything that the result depends on, as plain values.
    content : dict
        Tensors and plain values to continue from.

    Raises
    ------
    ModelError
        It cannot be written.
    """
    buffer = io.BytesIO()
    torch.save({"format": _FORMAT, "identity": identity, **content}, buffer)
    try:
        atomic.write(Path(path), buffer.getbuffer())
    except OSError as error:
        raise ModelError(
            f"{path}: the state of the training cannot be written: {error.strerror or error}; make room"
            " there, and continue with --resume from the previous epoch, if there is one"
        ) from error


def restored(
    path: str | PathLike[str], identity: dict[str, Any], restore: Callable[[dict[str, Any]], T]
) -> T:
    """Read the state of a training.

    Parameters
    ----------
    path : path
    identity : dict
        That of the training that continues.
    restore : callable
        Takes the content that was saved; whatever it raises means that the file is damaged.

    Returns
    -------
    What `restore` returns

    Raises
    ------
    ModelError
        The file is damaged, or has another identity.
    """
    damaged = (
        f"{path}: must be the state of an interrupted training, but cannot be read; remove it to start again"
    )
    try:
        stored = torch.load(path, weights_only=True, map_location="cpu")
        found = stored["identity"]
        if stored["format"] != _FORMAT:
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
        return restore(stored)
    except (RuntimeError, KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ModelError(damaged) from error
