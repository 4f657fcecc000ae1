"""Writes the measurements that the estimator uses, one family at a time, to ``compiler/calibration.json``."""

import json
from pathlib import Path

from sbgen import atomic

__all__ = ["PATH", "update"]

PATH = Path(__file__).parent.parent / "compiler" / "calibration.json"


def update(family, **parts):
    """Replace parts of a family's calibration; the file is replaced as a whole or not at all."""
    content = json.loads(PATH.read_text(encoding="ascii"))
    content[family].update(parts)
    lines = [
        f' "{name}": {{\n'
        + ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in each.items())
        + "\n }"
        for name, each in content.items()
    ]
    atomic.write(PATH, "{\n" + ",\n".join(lines) + "\n}\n", encoding="ascii")
