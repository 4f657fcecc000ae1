"""What `sbgen verify` and `sbgen prove` have found, beside the build and on the page of its report.

::

    verify -> ledger.json -\\
    prove  -> proofs.json ---> report.html, with report.json
"""

import hashlib
import json

from . import atomic, report_html

__all__ = ["KEPT", "keep"]

#: The files, by what is in them.
KEPT = {"ledger": "ledger.json", "proofs": "proofs.json"}


def keep(folder, kind, content):
    """Write one of the files of `KEPT` and the page anew.

    Parameters
    ----------
    folder : Path
        Of a build.
    kind : str
        A key of `KEPT`.
    content : dict
        The file tells, beside it, which build it is about: the SHA-256 of its report.json.
    """
    report = _bytes(folder / "report.json")
    atomic.write(folder / KEPT[kind], json.dumps(content | {"build": _digest(report)}, indent=1) + "\n")
    if report is None:
        return
    found = {}
    for name, file in KEPT.items():
        try:
            each = json.loads(_bytes(folder / file) or b"null")
        except ValueError:
            continue
        # What was found of an earlier build in this folder says nothing about this one.
        if each and each.get("build") == _digest(report):
            found[name] = each
    atomic.write(folder / "report.html", report_html.page(json.loads(report), **found))


def _digest(report):
    return None if report is None else hashlib.sha256(report).hexdigest()


def _bytes(path):
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
