"""The model file ``net.pt``: `torch.save` of a dict of tensors and primitives, which loads with
``weights_only=True``.

    format         "sbgen-net"
    version        2; files of version 1 are read, too (`versions`)
    architecture   list of {"name", "kind", ...}, one per layer in order; the other fields are what it is
    built from state          "<name>.<parameter>": tensor; the weights of a hardened network are int8 -1 and
    +1 input          {"dtype": "uint8", "shape": [height, width] or [height, width, channels],
                    "range": [minimum, maximum]}
    labels         list of str: one per class (two if one output decides by its sign), or one per output if
    several
                   outputs decide by their signs
    dataset        name, or None
    settings, seed settings and seed of the training, or None
    accuracy       {"validation": {"soft", "hardened"}, "test": {...}}, each 0 ... 1, as far as known; "soft"
                   is of the smooth network before hardening, and missing if it was not smooth
    hardening      the hardening report, or None if the network was never hardened
    recipe         how samples become inputs, as `sbgen.samples.Recipe.primitives`; left out if there is none
"""

import io
import pickle
import sys
import warnings
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from .. import atomic
from ..errors import ModelError
from .architecture import describe, rebuild
from .chain import chain, check_values
from .layers import BinaryWeights, Residual
from .trace import Layers, leaves, sides
from .trust import check_trust
from .versions import VERSION, upgraded

if TYPE_CHECKING:
    from .harden import HardeningReport

__all__ = ["FORMAT", "VERSION", "Checkpoint", "load", "save"]

FORMAT = "sbgen-net"


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The network of a model file and what is known about it; the fields are those of the file."""

    model: nn.Module
    image_shape: tuple[int, ...]
    pixel_range: tuple[int, ...]
    labels: tuple[str, ...]
    dataset: str | None
    settings: dict[str, Any] | None
    seed: int | None
    accuracy: dict[str, dict[str, float]]
    hardening: dict[str, Any] | None
    recipe: dict[str, Any] | None = None


def save(
    model: nn.Module,
    path: str | PathLike[str],
    *,
    image_shape: Sequence[int],
    labels: Sequence[str],
    pixel_range: tuple[int, int] = (0, 255),
    dataset: str | None = None,
    settings: Mapping[str, Any] | None = None,
    seed: int | None = None,
    accuracy: Mapping[str, Mapping[str, float]] | None = None,
    report: "HardeningReport | None" = None,
    recipe: Mapping[str, Any] | None = None,
) -> None:
    """Write a network, hardened or not, as a model file.

    Equal networks and arguments give equal bytes. The file is written as a whole or not at all.

    Parameters
    ----------
    model : nn.Module
        A chain of the layers of `sbgen.train.layers`.
    path : path
    image_shape : tuple of int
        Height and width, or height, width and channels; of sequences, length and channels.
    labels : sequence of str
    pixel_range : (int, int)
        Minimum and maximum pixel of the training images.
    dataset, settings, seed, accuracy
        As in the file.
    report : `HardeningReport` or None
    recipe : dict or None
        `sbgen.samples.Recipe.primitives`.

    Raises
    ------
    ModelError
        The model is no such chain, has a NaN or infinite value, or does not fit the image shape or the
        labels; or the file cannot be written.
    """
    layers = _with_plain_names(chain(model))
    check_values(layers)
    state = {}
    for name, layer in leaves(layers):
        for key, value in layer.state_dict().items():
            if key == "weight" and isinstance(layer, BinaryWeights) and layer.hardened:
                value = value.to(torch.int8)
            state[f"{name}.{key}"] = value.detach().clone().contiguous()
    content = {
        "format": FORMAT,
        "version": VERSION,
        "architecture": describe(layers),
        "state": state,
        "input": {"dtype": "uint8", "shape": list(image_shape), "range": list(pixel_range)},
        "labels": list(labels),
        "dataset": dataset,
        "settings": settings,
        "seed": seed,
        "accuracy": accuracy or {},
        "hardening": None if report is None else _report_fields(report),
        **({} if recipe is None else {"recipe": recipe}),
    }
    _check_contract(content, layers)
    # Through a buffer, because torch.save writes the name of the file into it.
    buffer = io.BytesIO()
    torch.save(_interned(content), buffer)
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(path, buffer.getbuffer())
    except OSError as error:
        raise ModelError(f"{path}: cannot be written: {error.strerror or error}") from error


def load(path: str | PathLike[str], *, force: bool = False) -> Checkpoint:
    """Read a model file.

    Parameters
    ----------
    path : path
    force : bool
        Whether to accept a network that is not hardened enough to be trusted (`trust.check_trust`).

    Returns
    -------
    Checkpoint
        Its model is an `nn.Sequential` in evaluation mode, hardened if that of the file is.

    Raises
    ------
    ModelError
        The file would run code, is truncated or has another format; it has NaN or infinite values, a layer
        that is not supported, or a shape that does not fit; or the network is not hardened enough.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from error
    if data[:1] == b"\x80":
        raise ModelError(
            f"{path}: must be an archive of torch.save, but is a bare pickle, which could run code; "
            "save it with sbgen.train.checkpoint.save"
        )
    damaged = f"{path}: must be a model file, but is truncated, damaged or foreign; train or copy it anew"
    if data[:4] != b"PK\x03\x04":
        raise ModelError(damaged)  # torch would try its older formats
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's opinions about a pickle
            content = torch.load(io.BytesIO(data), weights_only=True, map_location="cpu")
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"{path}: must hold tensors and plain values only, but its pickle would run code, names a "
            "class or is damaged; save it with sbgen.train.checkpoint.save"
        ) from error
    except Exception as error:  # whatever the unpickler raises on arbitrary bytes
        raise ModelError(damaged) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ModelError(
            f"{path}: must be a model file of format {FORMAT!r}, but is another .pt file; "
            "save the model with sbgen.train.checkpoint.save"
        )
    if content.get("version") not in range(1, VERSION + 1):
        raise ModelError(
            f"{path}: must have version 1 ... {VERSION}, not {content.get('version')!r}; "
            "use the sbgen that wrote it or train anew"
        )
    try:
        content = upgraded(content)
        layers = rebuild(content["architecture"], content["state"])
        _check_contract(content, layers)
        checkpoint = Checkpoint(
            model=nn.Sequential(OrderedDict(layers)).eval(),
            image_shape=tuple(content["input"]["shape"]),
            pixel_range=tuple(content["input"]["range"]),
            labels=tuple(content["labels"]),
            dataset=content["dataset"],
            settings=content["settings"],
            seed=content["seed"],
            accuracy=content["accuracy"],
            hardening=content["hardening"],
            recipe=content.get("recipe"),
        )
        if not force:
            check_trust(checkpoint.model, checkpoint.hardening)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ModelError(
            f"{path}: must have every part of a model file, but {_short(error)}; train anew"
        ) from error
    return checkpoint


def _report_fields(report: "HardeningReport") -> dict[str, Any]:
    return {
        # Fields that plain networks do not have are omitted, which leaves their files as they were.
        **{key: value for key, value in asdict(report).items() if value is not None},
        "layers": [asdict(layer) for layer in report.layers],
    }


def _interned(value: Any) -> Any:
    """`value` with one object for equal strings, because a pickle refers back to objects that it already
    holds.
    """
    if isinstance(value, dict):
        return {_interned(key): _interned(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_interned(item) for item in value]
    return sys.intern(value) if isinstance(value, str) else value


def _with_plain_names(layers: Layers) -> Layers:
    """The layers with names that an `nn.Sequential` accepts, also inside residuals."""
    return [(name.replace(".", "_"), _renamed_inside(name, layer)) for name, layer in layers]


def _renamed_inside(name: str, layer: nn.Module) -> nn.Module:
    if not isinstance(layer, Residual):
        return layer
    renamed = {
        side: nn.Sequential(
            OrderedDict(
                _with_plain_names([(part.removeprefix(f"{name}.{side}."), module) for part, module in inner])
            )
        )
        for side, inner in sides(name, layer).items()
    }
    return Residual(renamed["body"], shortcut=renamed.get("shortcut"), scale=layer.scale)


def _check_contract(content: dict[str, Any], layers: Layers) -> None:
    shape, labels = content["input"]["shape"], content["labels"]
    first: Any = layers[0][1]
    scores: Any = layers[-1][1]
    classes = max(2, scores.outputs)  # a single output decides by its sign: two classes
    if not all(isinstance(size, int) and size > 0 for size in shape):
        raise ModelError(f"the shape of an image must be integers of at least 1, not {shape}")
    if torch.Size(shape).numel() != first.pixels:
        raise ModelError(
            f"an image of shape {tuple(shape)} must have the {first.pixels} pixels that layer "
            f"{layers[0][0]!r} takes, not {torch.Size(shape).numel()}"
        )
    if len(labels) != classes:
        raise ModelError(
            f"{scores.outputs} outputs that decide by {scores.decision} need {classes} labels, not"
            f" {len(labels)}"
        )


def _short(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"{error.args[0]!r} is missing"
    return " ".join(str(error).split())[:120] or type(error).__name__
