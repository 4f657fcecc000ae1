"""Netlists of yosys and nextpnr, reduced to what sbgen reads. ::

    top.json, placed.json ──compact──▶ *.json.gz ──load──▶ {"ports", "cells", "netnames"}

Attributes hold paths of the machine that a netlist was made on. Only those that place and route sets remain,
so that the same netlist is the same bytes.
"""

import gzip
import json
import zlib
from pathlib import Path
from typing import TypedDict

from ..errors import BoardError

__all__ = ["Netlist", "NetlistCell", "Port", "compact", "load", "read_top"]

#: Where nextpnr put a cell, and the number that links a block RAM with its contents where a family has one.
_ATTRIBUTES = ("NEXTPNR_BEL", "WID")


class Port(TypedDict):
    """A pin of the module; a bit is the number of a net, or a constant as text."""

    direction: str
    bits: list[int | str]


class NetlistCell(TypedDict):
    """A cell: its type, what it is set to, and the nets at its pins."""

    type: str
    parameters: dict[str, str]
    attributes: dict[str, str]
    connections: dict[str, list[int | str]]


class Netlist(TypedDict):
    """The module ``top``; `netnames` are the nets that have a name in the source."""

    ports: dict[str, Port]
    cells: dict[str, NetlistCell]
    netnames: dict[str, list[int | str]]


def read_top(path: Path) -> Netlist:
    """The module ``top`` as yosys (``write_json``) or nextpnr (``--write``) wrote it."""
    return json.loads(path.read_text(encoding="utf-8"))["modules"]["top"]


def compact(source: Path, target: Path) -> None:
    """Write the module ``top`` of a tool's netlist as a small file."""
    top = json.loads(source.read_text(encoding="utf-8"))["modules"]["top"]
    reduced: Netlist = {
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
    text = json.dumps(reduced, separators=(",", ":"))
    target.write_bytes(gzip.compress(text.encode("ascii"), mtime=0))


def load(path: Path) -> Netlist:
    """The netlist of a file of `compact`; a `BoardError` when the file cannot be read or is damaged."""
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
