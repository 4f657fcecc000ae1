"""The design file: `Design` as JSON, without its network.

Each layer has the fields of all kinds of foldings: what its own kind lacks has its default there, and is
ignored when the file is read. Its pe and simd are there even if they follow from the rest. Fields that came
later (`_SPARSE`) are only where they are not the default, so that older files stay as they are.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import atomic
from ..errors import ModelError
from ..hw.mvtu import WEIGHT_STORES
from .design import Design
from .folding import UNROLLED, ConvFolding, Folding, Rom, Spram, WeightedFolding, WindowFolding
from .ir import Network
from .layers import Rule, rules

__all__ = ["folding_of", "foldings_from_json", "is_patchable", "load", "save"]

#: The fields of a layer that may be left out, and what they are then.
_DEFAULTS: dict[str, Any] = {
    "store": "bram",
    "preset_store": "lut",
    "replay_store": "bram",
    "registered": False,
    "sprams": None,
    "rows": None,
    "queued": False,
    "at_once": 1,
    "patches": False,
    "splitter_store": "lut",
    "levels": 4,
    "table_inputs": 4,
}

#: Those that a file has only where they are not the default.
_SPARSE = ("queued", "at_once", "patches", "splitter_store", "table_inputs")


def foldings_from_json(text: str, network: Network, *, source: str = "design file") -> tuple[Folding, ...]:
    """The foldings of `network` in a design file: ``{"layers": {name: {"pe": 4, "simd": 8, …}}}``.

    Raises
    ------
    ModelError
        When it is not such a file, or its layers are not those of the network.
    """
    placed = {rule.layer.name: rule for rule in rules(network)}
    try:
        layers = dict(json.loads(text)["layers"])
        if sorted(layers) != sorted(placed):
            raise ModelError(
                f"{source}: must name the layers {', '.join(placed)}; it names {', '.join(layers) or 'none'}"
            )
        return tuple(folding_of(rule, layers[name]) for name, rule in placed.items())
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ModelError(
            f'{source}: must be JSON of the form {{"layers": {{NAME: {{"pe": 1, "simd": 1}}}}}} with the '
            f"fields pe, simd, {', '.join(_DEFAULTS)}; found {type(error).__name__}: {error}"
        ) from None


def folding_of(rule: Rule, given: Mapping[str, Any]) -> Folding:
    """The folding of a layer from its fields in the file.

    Raises
    ------
    ModelError
        When a field is unknown or must have another value; what depends on the sizes of the layer, `Design`
        checks.
    KeyError
        When pe or simd is missing.
    """
    name, (given_pe, given_simd) = rule.layer.name, (given["pe"], given["simd"])
    try:
        folding = _folding(rule, {**_DEFAULTS, **given})
    except ModelError as error:
        raise ModelError(f"layer {name!r}: {error}") from None
    pe, simd = rule.shape(folding)
    if (given_pe, given_simd) != (pe, simd):
        must = (
            f"unrolled weights need pe {pe} and simd {simd}, not pe {given_pe!r} and simd {given_simd!r}"
            if folding.store == UNROLLED
            else f"pe must be {pe}, which follows from simd {simd}, not {given_pe!r}"
        )
        raise ModelError(f"layer {name!r}: {must}")
    return folding


def _folding(rule: Rule, values: dict[str, Any]) -> Folding:
    """The folding of all fields; a store that its kind lacks is ignored, as older files have any."""
    weighted, stores = issubclass(rule.folded_as, WeightedFolding), (*WEIGHT_STORES, UNROLLED)
    store, sprams = values["store"], values["sprams"]
    if unknown := values.keys() - _DEFAULTS.keys() - {"pe", "simd"}:
        raise ModelError(f"the fields are pe, simd, {', '.join(_DEFAULTS)}, not {min(unknown)!r}")
    if store not in stores:
        raise ModelError(f"store must be one of {', '.join(stores)}, not {store!r}")
    if store == UNROLLED and rule.unrolled_as is None:
        raise ModelError(
            f"only the weights of a dense layer can be unrolled, not those of a {rule.layer.kind}"
        )
    if sprams is not None and not (weighted and store == "spram"):
        raise ModelError(f"has no weights in SPRAM, so sprams must be left out, not {sprams!r}")
    for name in "rows", "queued":
        if values[name] != _DEFAULTS[name] and not issubclass(rule.folded_as, WindowFolding):
            raise ModelError(f"has no line buffers, so {name} must be left out, not {values[name]!r}")
    for name in "at_once", "patches", "splitter_store":
        if values[name] != _DEFAULTS[name] and not issubclass(rule.folded_as, ConvFolding):
            raise ModelError(f"is no convolution, so {name} must be left out, not {values[name]!r}")
    if store == UNROLLED:
        return rule.unrolled(**values)
    return rule.folding(**values, weights=Spram(sprams) if store == "spram" else Rom(store))


def _fields(rule: Rule, folding: Folding) -> dict[str, Any]:
    """The fields of a layer's folding in the file."""
    pe, simd = rule.shape(folding)
    own = {name: value for name, value in vars(folding).items() if name in _DEFAULTS}
    if isinstance(folding, WeightedFolding) and isinstance(folding.weights, Spram):
        own["sprams"] = folding.weights.count
    found = {**_DEFAULTS, "store": folding.store or _DEFAULTS["store"], **own}
    for name in _SPARSE:
        if found[name] == _DEFAULTS[name]:
            del found[name]
    return {"pe": pe, "simd": simd, **found}


def load(path: Path | str, network: Network) -> Design:
    """The design of `network` that a design file describes."""
    text = _read(path)
    foldings = foldings_from_json(text, network, source=str(path))
    given = json.loads(text)
    return Design(
        network=network,
        foldings=foldings,
        top_k=given.get("top", 1),
        patchable=is_patchable(path),
        label_only=given.get("label_only") is True,
        batch=given.get("batch", 1),
    )


def is_patchable(path: Path | str) -> bool:
    """Whether a design file describes a patchable design; False for another file, which `load` refuses."""
    try:
        return json.loads(_read(path))["patchable"] is True
    except (ValueError, TypeError, KeyError, RecursionError):
        return False


def _read(path: Path | str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: cannot be read as a design file: {error}") from None


def save(design: Design, path: Path | str) -> None:
    """Write the design file; an existing file is replaced as a whole or not at all."""
    content = {
        "top": design.top_k,
        **({"patchable": True} if design.patchable else {}),
        **({"label_only": True} if design.label_only else {}),
        **({"batch": design.batch} if design.batch > 1 else {}),
        "layers": {
            rule.layer.name: _fields(rule, folding)
            for rule, folding in zip(rules(design.network), design.foldings, strict=True)
        },
    }
    atomic.write(path, json.dumps(content, indent=1) + "\n", encoding="ascii")
