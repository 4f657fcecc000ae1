"""The models that ship, as integer networks: ``--model digits`` needs neither a checkout nor torch.

``compiler/networks/NAME.json`` is the exchange file of ``models/NAME.pt``, and ``about.json`` the
information in each of those. ``python -m sbgen.compiler.shipped models`` writes them again.
"""

import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["NAMES", "about", "path_of", "texts"]

_FOLDER = Path(__file__).parent / "networks"

_ABOUT = "about.json"

#: Names of the models that ship.
NAMES = tuple(sorted(path.stem for path in _FOLDER.glob("*.json") if path.name != _ABOUT))


def path_of(path: Path | str) -> Path:
    """The file that `path` names: `path` if it exists, else the shipped model of this name, else `path`."""
    path = Path(path)
    return _FOLDER / f"{path}.json" if str(path) in NAMES and not path.exists() else path


def about(path: Path | str) -> dict[str, Any]:
    """The information in the ``net.pt`` of a shipped model, as `model.Model.info`; empty for other files."""
    path = Path(path)
    if path.parent != _FOLDER:
        return {}
    info = _about()[path.stem]
    return {**info, "pixel_range": tuple(info["pixel_range"])}


@cache
def _about() -> dict[str, dict[str, Any]]:
    return json.loads((_FOLDER / _ABOUT).read_text(encoding="ascii"))


def texts(folder: Path | str) -> dict[str, str]:
    """Texts of ``compiler/networks`` by file name, from the ``*.pt`` in `folder`; needs torch."""
    from . import exchange
    from .frontends import model

    models = {path.stem: model.load(path) for path in sorted(Path(folder).glob("*.pt"))}
    infos = {
        name: {**read.info, "pixel_range": list(read.info["pixel_range"])} for name, read in models.items()
    }
    return {f"{name}.json": exchange.dumps(read.network) for name, read in models.items()} | {
        _ABOUT: json.dumps(infos, indent=1, sort_keys=True) + "\n"
    }


if __name__ == "__main__":
    _FOLDER.mkdir(exist_ok=True)
    for name, text in texts(sys.argv[1]).items():
        (_FOLDER / name).write_text(text, encoding="ascii")
