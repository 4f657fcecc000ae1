"""The exchange file: a `Network` as versioned, hashed JSON that needs no torch (``docs/semantics.md``)."""

import base64
import hashlib
import json
import math
import operator
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from .. import atomic
from ..errors import ModelError
from . import pixel_type
from .ir import (
    Add,
    Binarize,
    Conv2d,
    Dense,
    Fork,
    Layer,
    Lookup,
    MaxPool,
    Network,
    Padding,
    Scores,
    SumPool,
    Switch,
    Threshold,
)

__all__ = ["FORMAT", "VERSION", "digest", "dumps", "load", "load_recipe", "loads", "save"]

_T = TypeVar("_T")

FORMAT = "sbgen-network"
VERSION = 1

#: No network that fits an FPGA has more weights; a larger shape in a file is a mistake or an attack.
_MAX_WEIGHTS = 1 << 30


def _weights_out(weights: np.ndarray) -> dict[str, Any]:
    return {
        "shape": list(weights.shape),
        "bits": base64.b64encode(np.packbits(weights.astype(bool), axis=None).tobytes()).decode(),
    }


def _optional(layer: Layer, *fields: str) -> dict[str, Any]:
    """Fields of a layer that are not None. The others are left out of the file, so that the digests of plain
    networks stay.
    """
    values = {name: getattr(layer, name) for name in fields}
    return {
        name: _weights_out(value) if name == "mask" else value.tolist()
        for name, value in values.items()
        if value is not None
    }


def _layer_out(layer: Layer) -> dict[str, Any]:
    about: dict[str, Any] = {"kind": layer.kind, "name": layer.name}
    match layer:
        case Binarize():
            return {**about, "thresholds": layer.thresholds.tolist()}
        case Lookup():
            return {**about, "table": layer.table.tolist()}
        case Conv2d():
            return {
                **about,
                "weights": _weights_out(layer.weights),
                "stride": layer.stride,
                "padding": layer.padding,
                "padding_bit": layer.padding_bit,
                "groups": layer.groups,
                "planes": layer.planes,
                **_optional(layer, "thresholds", "mask"),
            }
        case MaxPool() | SumPool():
            padding = {"padding": layer.padding} if any(map(any, layer.padding)) else {}
            return {**about, "kernel": layer.kernel, "stride": layer.stride, **padding}
        case Threshold():
            return {**about, "thresholds": layer.thresholds.tolist(), "inverted": layer.inverted.tolist()}
        case Fork():
            return about
        case Switch():
            return {**about, "fork": layer.fork}
        case Add():
            return {**about, "fork": layer.fork, "scale": layer.scale}
        case Dense():
            return {
                **about,
                "weights": _weights_out(layer.weights),
                "planes": layer.planes,
                **_optional(layer, "thresholds", "mask"),
            }
        case Scores():
            return {
                **about,
                "weights": _weights_out(layer.weights),
                "offsets": layer.offsets.tolist(),
                **({"planes": layer.planes} if layer.planes > 1 else {}),
                **_optional(layer, "mask", "scales"),
            }


def _network_out(network: Network) -> dict[str, Any]:
    return {
        "name": network.name,
        "image_shape": list(network.image_shape),
        "labels": list(network.labels),
        **({} if network.decision == "argmax" else {"decision": network.decision}),
        "layers": [_layer_out(layer) for layer in network.layers],
        **({} if network.pixel_type == pixel_type.UINT8 else {"pixel_type": network.pixel_type.name}),
    }


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def digest(network: Network) -> str:
    """SHA-256, in hexadecimal, of the network's canonical JSON."""
    return _digest(_network_out(network))


def dumps(network: Network, *, recipe: Mapping[str, Any] | None = None) -> str:
    """The exchange file's text; equal networks and recipes give equal text.

    Parameters
    ----------
    network : Network
    recipe : dict or None
        How samples become its inputs, as plain values. It is no part of the network nor of its digest.
    """
    content = _network_out(network)
    file = {"format": FORMAT, "version": VERSION, "sha256": _digest(content), "network": content}
    if recipe is not None:
        file |= {"recipe": recipe, "recipe_sha256": _digest(recipe)}
    return json.dumps(file, indent=1) + "\n"


def save(network: Network, path: Path | str, *, recipe: Mapping[str, Any] | None = None) -> None:
    """Write the exchange file; an existing file is replaced as a whole or not at all."""
    path = Path(path)
    atomic.write(path, dumps(network, recipe=recipe), encoding="ascii")


def _integers(values: Any) -> np.ndarray:
    array = np.array(values)
    if array.dtype.kind not in "iu":
        raise ValueError(f"integers are expected, not {array.dtype}")
    return array.astype(np.int64)


def _weights_in(value: Any) -> np.ndarray:
    shape = tuple(int(size) for size in value["shape"])
    size = math.prod(shape)
    if not (shape and min(shape) > 0 and size <= _MAX_WEIGHTS):
        raise ValueError(f"weights of shape {shape} are out of range")
    packed = np.frombuffer(base64.b64decode(value["bits"], validate=True), np.uint8)
    if len(packed) != -(-size // 8):
        raise ValueError(f"weights of shape {shape} take {-(-size // 8)} bytes, not {len(packed)}")
    return np.unpackbits(packed, count=size).reshape(shape)


def _pair(value: Any) -> tuple[int, int]:
    first, second = value
    if type(first) is not int or type(second) is not int:
        raise ValueError(f"two integers are expected, not {value!r}")
    return first, second


def _given(value: dict[str, Any], name: str, read: Callable[[Any], _T]) -> _T | None:
    return read(value[name]) if name in value else None


def _padding(value: Any) -> Padding:
    rows, columns = value
    return _pair(rows), _pair(columns)


def _layer_in(value: dict[str, Any]) -> Layer:
    name = str(value["name"])
    match value["kind"]:
        case "binarize":
            return Binarize(name=name, thresholds=_integers(value["thresholds"]))
        case "lookup":
            return Lookup(name=name, table=_integers(value["table"]))
        case "conv2d":
            return Conv2d(
                name=name,
                weights=_weights_in(value["weights"]),
                thresholds=_given(value, "thresholds", _integers),
                stride=_pair(value["stride"]),
                padding=_padding(value["padding"]),
                padding_bit=operator.index(value["padding_bit"]),
                groups=operator.index(value["groups"]),
                planes=operator.index(value["planes"]),
                mask=_given(value, "mask", _weights_in),
            )
        case "maxpool":
            return MaxPool(
                name=name,
                kernel=_pair(value["kernel"]),
                stride=_pair(value["stride"]),
                padding=_padding(value.get("padding", ((0, 0), (0, 0)))),
            )
        case "sumpool":
            return SumPool(name=name, kernel=_pair(value["kernel"]), stride=_pair(value["stride"]))
        case "threshold":
            return Threshold(
                name=name, thresholds=_integers(value["thresholds"]), inverted=_integers(value["inverted"])
            )
        case "fork":
            return Fork(name=name)
        case "switch":
            return Switch(name=name, fork=str(value["fork"]))
        case "add":
            return Add(name=name, fork=str(value["fork"]), scale=operator.index(value["scale"]))
        case "dense":
            return Dense(
                name=name,
                weights=_weights_in(value["weights"]),
                thresholds=_given(value, "thresholds", _integers),
                planes=operator.index(value["planes"]),
                mask=_given(value, "mask", _weights_in),
            )
        case "scores":
            return Scores(
                name=name,
                weights=_weights_in(value["weights"]),
                offsets=_integers(value["offsets"]),
                planes=operator.index(value.get("planes", 1)),
                mask=_given(value, "mask", _weights_in),
                scales=_given(value, "scales", _integers),
            )
        case kind:
            raise ValueError(
                f"layer {name!r} is of kind {kind!r}; known are add, binarize, conv2d, dense, fork, lookup, "
                "maxpool, scores, sumpool, switch, threshold"
            )


def _content(text: str, source: str) -> dict[str, Any]:
    """The JSON of an exchange file, of this version."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{source}: must be JSON, but {error}; it may be truncated") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ModelError(
            f"{source}: must be a {FORMAT} file; its 'format' says "
            f"{content.get('format') if isinstance(content, dict) else None!r}"
        )
    if content.get("version") != VERSION:
        raise ModelError(
            f"{source}: is of version {content.get('version')!r}, this sbgen reads {VERSION}; "
            "write it again with this version, or update sbgen"
        )
    return content


def loads(text: str, *, source: str = "exchange file") -> Network:
    """The network of an exchange file's text.

    Raises
    ------
    ModelError
        When it is no exchange file, of a later version, damaged, or not a legal network.
    """
    content = _content(text, source)
    network: Any = content.get("network")
    if _digest(network) != content.get("sha256"):
        raise ModelError(
            f"{source}: its SHA-256 does not match its content; it was damaged or edited, "
            "write it again from the model"
        )
    try:
        layers = tuple(_layer_in(layer) for layer in network["layers"])
        if (
            "decision" not in network
            and layers
            and isinstance(layers[-1], Scores)
            and layers[-1].outputs == 1
        ):
            raise ModelError(
                "its one score must decide by its sign, but the file is of sbgen 0.1, which did not keep the"
                " zero of a single score; write it again from the model (sbgen export)"
            )
        return Network(
            name=str(network["name"]),
            image_shape=tuple(int(n) for n in network["image_shape"]),
            layers=layers,
            labels=tuple(str(label) for label in network["labels"]),
            pixel_type=pixel_type.parse(str(network.get("pixel_type", "UINT8"))),
            decision=str(network.get("decision", "argmax")),
        )
    except ModelError as error:
        raise ModelError(f"{source}: {error}") from None
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ModelError(f"{source}: is not a legal network: {type(error).__name__}: {error}") from None


def load(path: Path | str) -> Network:
    """The network of an exchange file; errors as `loads`."""
    return loads(_text(path), source=str(path))


def load_recipe(path: Path | str) -> dict[str, Any] | None:
    """The recipe of an exchange file, None if it has none; its values are not checked. Errors as `loads`."""
    content = _content(_text(path), str(path))
    recipe = content.get("recipe")
    if recipe is None:
        return None
    if not isinstance(recipe, dict) or _digest(recipe) != content.get("recipe_sha256"):
        raise ModelError(
            f"{path}: its SHA-256 does not match its recipe; it was damaged or edited, write it again from"
            " the model"
        )
    return recipe


def _text(path: Path | str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: cannot be read as an exchange file: {error}") from None
