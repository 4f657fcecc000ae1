"""The design file: `Design` as JSON, without its network."""

import json
from pathlib import Path

from .. import atomic
from ..errors import ModelError
from .design import Design
from .folding import Folding
from .ir import Network

__all__ = ["foldings_from_json", "is_patchable", "load", "save"]

_FIELDS = tuple(Folding.__dataclass_fields__)


def foldings_from_json(text: str, network: Network, *, source: str = "design file") -> tuple[Folding, ...]:
    """The foldings of `network` in a design file: ``{"layers": {name: {"pe": 4, "simd": 8, …}}}``.

    Raises
    ------
    ModelError
        When it is not such a file, or its layers are not those of the network.
    """
    try:
        content = json.loads(text)
        layers = dict(content["layers"])
        foldings = {name: Folding(**folding) for name, folding in layers.items()}
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ModelError(
            f'{source}: must be JSON of the form {{"layers": {{NAME: {{"pe": 1, "simd": 1}}}}}} with the '
            f"fields {', '.join(_FIELDS)}; found {type(error).__name__}: {error}"
        ) from None
    names = [layer.name for layer in network.layers]
    if sorted(foldings) != sorted(names):
        raise ModelError(
            f"{source}: must name the layers {', '.join(names)}; it names {', '.join(foldings) or 'none'}"
        )
    return tuple(foldings[name] for name in names)


def load(path: Path | str, network: Network) -> Design:
    """The design of `network` that a design file describes."""
    text = _read(path)
    foldings = foldings_from_json(text, network, source=str(path))
    return Design(
        network=network, foldings=foldings, top_k=json.loads(text).get("top", 1), patchable=is_patchable(path)
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
        "layers": {
            layer.name: {name: getattr(folding, name) for name in _FIELDS} for layer, folding in design.stages
        },
    }
    atomic.write(path, json.dumps(content, indent=1) + "\n", encoding="ascii")
