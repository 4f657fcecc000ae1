"""Results of the benchmarks, one JSON file each in benchmarks/results/."""

import json
import os
import platform
from pathlib import Path

__all__ = ["FOLDER", "write"]

FOLDER = Path(__file__).parent / "results"


def write(name, content):
    """Write ``results/<name>.json``, whole or not at all; gives its path.

    A field takes a line, and so does each item of a list, so that a difference between two runs reads well.
    """
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.json"
    part = path.with_name(f".{name}.{os.getpid()}.part")
    fields = {"python": platform.python_version(), "machine": platform.machine(), **content}
    part.write_text("{\n" + ",\n".join(f" {json.dumps(key)}: {_text(value)}" for key, value in fields.items()) + "\n}\n",
                    encoding="ascii")
    os.replace(part, path)
    return path


def _text(value):
    if isinstance(value, list):
        return "[\n" + ",\n".join(f"  {json.dumps(item)}" for item in value) + "\n ]"
    return json.dumps(value)
