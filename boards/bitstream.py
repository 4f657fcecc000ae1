"""Bitstreams as files: packed from a layout, and unpacked into one, by the converters of their family. ::

layout ──packer──▶ top.bin, top.bit ──unpacker──▶ layout
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .. import tools
from ..errors import BoardError, ToolError

if TYPE_CHECKING:
    from .family import Family

__all__ = ["pack", "read", "unpack"]


def read(path: str | Path) -> bytes:
    """The bytes of a bitstream; a `BoardError` when the file cannot be read."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise BoardError(f"{path}: cannot be read as a bitstream: {error.strerror}") from error


def unpack(path: str | Path, *, family: Family) -> str:
    """The layout of a bitstream as text, as the family's unpacker writes it.

    Raises
    ------
    BoardError
        When the file cannot be read, or the unpacker refuses it.
    ToolError
        When the unpacker is missing.
    """
    packed = read(path)
    # A folder of its own: WebAssembly tools see little else.
    with tools.temporary() as folder:
        (folder / "packed").write_bytes(packed)
        family.unpacker.check()
        try:
            family.unpacker.run("packed", "text", folder=folder, log=folder / "log")
        except ToolError as error:
            raise BoardError(f"{path}: must be a bitstream of {family}, but {error.what}") from error
        return (folder / "text").read_text(encoding="ascii")


def pack(text: str, *, family: Family) -> bytes:
    """The bitstream of a layout, as the family's packer writes it.

    Raises
    ------
    ToolError
        When the packer is missing or refuses the layout.
    """
    with tools.temporary() as folder:
        (folder / "text").write_text(text, encoding="ascii")
        family.packer.run("text", "packed", folder=folder, log=folder / "log")
        return (folder / "packed").read_bytes()
