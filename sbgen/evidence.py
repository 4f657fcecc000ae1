"""What `sbgen verify` and `sbgen prove` found: a file in the build's folder and a part of its report page. ::

    verify -> ledger.json -\\
    prove  -> proofs.json ---> report.html, with report.json
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import atomic, report_html

__all__ = ["FILES", "write"]

#: The files, by what is in them.
FILES = {"ledger": "ledger.json", "proofs": "proofs.json"}


def write(folder: Path, kind: str, content: Mapping[str, Any]) -> None:
    """Write one of `FILES`, then report.html again.

    Parameters
    ----------
    folder : Path
        Of a build.
    kind : str
        A key of `FILES`.
    content : dict
        The file also holds the SHA-256 of report.json, which says what build it is about.
    """
    report = _bytes(folder / "report.json")
    digest = None if report is None else hashlib.sha256(report).hexdigest()
    atomic.write(folder / FILES[kind], json.dumps({**content, "build": digest}, indent=1) + "\n")
    if report is None:
        return
    found = {}
    for name, file in FILES.items():
        try:
            evidence = json.loads(_bytes(folder / file) or b"null")
        except ValueError:
            continue
        # Evidence about an earlier build in this folder says nothing about this one.
        if evidence and evidence.get("build") == digest:
            found[name] = evidence
    network = _bytes(folder / "network.json")
    page = report_html.page(
        json.loads(report), network=None if network is None else network.decode("ascii"), **found
    )
    atomic.write(folder / "report.html", page)


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
