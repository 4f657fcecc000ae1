"""Writes the networks of ``models/*.pt`` where `sbgen.compiler.shipped` reads them; needs torch.

python -m sbgen.compiler.frontends.ship models
"""

import json
import sys
from pathlib import Path

from .. import exchange, shipped
from . import model

__all__ = ["texts"]


def texts(folder: Path | str) -> dict[str, str]:
    """Texts of ``compiler/networks`` by file name, from the ``*.pt`` in `folder`."""
    models = {path.stem: model.load(path) for path in sorted(Path(folder).glob("*.pt"))}
    infos = {
        name: {**read.info, "pixel_range": list(read.info["pixel_range"])} for name, read in models.items()
    }
    return {f"{name}.json": exchange.dumps(read.network) for name, read in models.items()} | {
        shipped.ABOUT: json.dumps(infos, indent=1, sort_keys=True) + "\n"
    }


if __name__ == "__main__":
    shipped.FOLDER.mkdir(exist_ok=True)
    for name, text in texts(sys.argv[1]).items():
        (shipped.FOLDER / name).write_text(text, encoding="ascii")
