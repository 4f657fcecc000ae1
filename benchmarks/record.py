"""Results of the benchmarks, one JSON file each in benchmarks/results/, with the commit that was measured."""

import json
import platform
import subprocess
from pathlib import Path

from sbgen import atomic

__all__ = ["FOLDER", "MEASURED", "processor", "write"]

FOLDER = Path(__file__).parent / "results"


def _measured():
    """The commit of the checkout, and whether its tracked files are those of that commit.

    Files that benchmarks write (results, the README's table, the calibration) do not count as changes.
    """

    def git(*arguments):
        return subprocess.run(
            ["git", *arguments], cwd=FOLDER.parent.parent, check=True, capture_output=True, text=True
        ).stdout

    try:
        commit = git("rev-parse", "HEAD").strip()
        changed = git(
            "status",
            "--porcelain",
            "--untracked-files=no",
            "--",
            ".",
            ":!benchmarks/results",
            ":!README.md",
            ":!compiler/calibration.json",
        )
    except (OSError, subprocess.CalledProcessError):
        return {"commit": None, "clean": None}
    return {"commit": commit, "clean": not changed}


#: ``commit`` (40 hex digits; None outside a checkout) and ``clean`` (bool) of the code that is measured, read
#: when the benchmark starts. `write` adds both to a record. Where rows of earlier runs stay in a record, each
#: row has its own. A record from before this was stored has ``commit`` null and ``until``, the commit that
#: brought it in.
MEASURED = _measured()


def processor():
    """The CPU's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return "unknown"
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown")


def write(name, content, *, measured=MEASURED):
    """Write ``results/<name>.json`` atomically and return its path.

    `measured` is empty where each row has its own commit.

    Each field, and each item of a list, has a line of its own, so that a diff of two runs is readable.
    """
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.json"
    fields = {**measured, "python": platform.python_version(), "machine": platform.machine(), **content}
    lines = (f" {json.dumps(key)}: {_text(value)}" for key, value in fields.items())
    atomic.write(path, "{\n" + ",\n".join(lines) + "\n}\n", encoding="ascii")
    return path


def _text(value):
    if isinstance(value, list):
        return "[\n" + ",\n".join(f"  {json.dumps(item)}" for item in value) + "\n ]"
    return json.dumps(value)
