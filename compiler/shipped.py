"""The models that ship, as integer networks: ``--model digits`` needs neither a checkout nor torch.

``compiler/networks/NAME.json`` is the exchange file of ``models/NAME.pt``, and ``about.json`` the
information in each of those. ``python -m sbgen.compiler.frontends.ship models`` writes them again.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["ABOUT", "FOLDER", "NAMES", "about", "path_of"]

#: Where they are.
FOLDER = Path(__file__).parent / "networks"

#: The file of what their ``net.pt`` record.
ABOUT = "about.json"

#: Names of the models that ship.
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("*.json") if path.name != ABOUT))


def path_of(path: Path | str) -> Path:
    """The file that `path` names: `path` if it exists, else the shipped model of this name, else `path`."""
    path = Path(path)
    return FOLDER / f"{path}.json" if str(path) in NAMES and not path.exists() else path


def about(path: Path | str) -> dict[str, Any]:
    """The information in the ``net.pt`` of a shipped model, as `model.Model.info`; empty for other files."""
    path = Path(path)
    if path.parent != FOLDER:
        return {}
    info = _about()[path.stem]
    return {**info, "pixel_range": tuple(info["pixel_range"])}


@cache
def _about() -> dict[str, dict[str, Any]]:
    return json.loads((FOLDER / ABOUT).read_text(encoding="ascii"))
