"""Netlists of yosys and nextpnr, without what only their makers need. ::

    top.json, placed.json ──compact──▶ *.json.gz ──load──▶ {"ports", "cells", "netnames"}

Attributes tell paths of the machine that a netlist was made on; only those that place and route set are kept,
so that the same netlist gives the same bytes.
"""

import gzip
import json
import zlib

from ..errors import BoardError

__all__ = ["compact", "load"]

#: Where nextpnr put a cell, and the number that links a block RAM of an ECP5 with its contents.
_ATTRIBUTES = ("NEXTPNR_BEL", "WID")


def compact(source, target):
    """Write the module ``top`` of a tool's netlist as a small file.

    Parameters
    ----------
    source : Path
        As ``write_json`` of yosys or ``--write`` of nextpnr gives it.
    target : Path
    """
    top = json.loads(source.read_text(encoding="utf-8"))["modules"]["top"]
    kept = {
        "ports": {
            name: {"direction": port["direction"], "bits": port["bits"]}
            for name, port in top["ports"].items()
        },
        "cells": {
            name: {
                "type": cell["type"],
                "parameters": cell["parameters"],
                "attributes": {key: value for key, value in cell["attributes"].items() if key in _ATTRIBUTES},
                "connections": cell["connections"],
            }
            for name, cell in top["cells"].items()
            if cell["type"] != "$scopeinfo"
        },
        "netnames": {name: net["bits"] for name, net in top["netnames"].items() if not net["hide_name"]},
    }
    text = json.dumps(kept, separators=(",", ":"))
    target.write_bytes(gzip.compress(text.encode("ascii"), mtime=0))


def load(path):
    """The netlist of a file of `compact`."""
    try:
        netlist = json.loads(gzip.decompress(path.read_bytes()))
        netlist["ports"], netlist["cells"], netlist["netnames"]
    except OSError as error:
        raise BoardError(
            f"{path}: cannot be read as a netlist of a build: {error.strerror or error}"
        ) from error
    except (ValueError, EOFError, zlib.error, KeyError, TypeError) as error:
        raise BoardError(
            f"{path}: must be a netlist of a build, but it is damaged ({type(error).__name__}); build again"
        ) from error
    return netlist
