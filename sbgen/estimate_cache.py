"""What `sbgen estimate` prints, cached: the same question is answered again without reading the network.

The key is a digest of all that the answer depends on: the model file, the options, and the code of sbgen.
"""

import hashlib
import json
import time
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .arguments import board_name
from .cache import Cache, folder
from .compiler import shipped
from .console import Console, print_json

__all__ = ["Page", "show"]

_FILE = "estimate.json"

#: Options that are no part of the question.
_NO_QUESTION = {"run", "model", "design", "out", "jobs"}


class Page:
    """Lines and tables that are printed later, as on a `Console`."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[Any]]] = []

    def line(self, text: str = "") -> None:
        """As `Console.line`."""
        self.calls.append(("line", [text]))

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """As `Console.table`."""
        self.calls.append(("table", [list(columns), [list(row) for row in rows]]))


def show(arguments: Namespace) -> None:
    """Print the estimate of one design, or with ``--fit`` of several; as JSON with ``--json``."""
    start = time.monotonic()
    key, cache, content = _key(arguments), Cache(folder("estimates")), None
    if key is not None and (files := cache.fetch(key, [_FILE])) is not None:
        content = json.loads(files[_FILE])
    if content is None:
        from . import sizing

        content = sizing.answer(arguments)
        if key is not None:
            cache.store(key, {_FILE: json.dumps(content).encode("ascii")})
    if getattr(arguments, "json", False):
        print_json(content)
        return
    console = Console()
    for name, values in content:
        getattr(console, name)(*values)
    console.line(f"  estimated in {time.monotonic() - start:.1f} s; nothing was built")


def _key(arguments: Namespace) -> str | None:
    """The digest of a question; None where it depends on more than files that are known: the platform of a
    board of the user's own, or a model that cannot be read.
    """
    model = shipped.path_of(arguments.model)
    board = board_name(arguments) if arguments.part is None else ""
    if ":" in board:
        return None
    options = {name: value for name, value in vars(arguments).items() if name not in _NO_QUESTION}
    try:
        read = [path.read_bytes() for path in (model, arguments.design) if path is not None]
    except OSError:
        return None
    digest = hashlib.sha256(json.dumps([model.stem, board, options], sort_keys=True, default=str).encode())
    for content in (*read, *_code()):
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()


def _code() -> list[bytes]:
    """All code and data that estimates are computed by."""
    root = Path(__file__).parent
    parts = [root, *((root / part).resolve() for part in ("boards", "compiler", "hw", "train"))]
    names = {path for part in parts for pattern in ("*.py", "*.json") for path in part.rglob(pattern)}
    return [path.read_bytes() for path in sorted(names - set(shipped.FOLDER.resolve().iterdir()))]
