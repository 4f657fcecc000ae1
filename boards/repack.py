"""A bitstream with other ROM contents: unpacked, changed in its layout, packed, and read back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ToolError
from .rom_places import Places

if TYPE_CHECKING:
    from ..compiler.contents import Memory
    from .family import Family
    from .layout import Layout

__all__ = ["Patches", "hardware_digest", "repack", "unpack"]


@dataclass(frozen=True, kw_only=True)
class Patches:
    """What is needed to replace the contents of a bitstream's ROMs.

    Parameters
    ----------
    hardware : str
        SHA-256 of the Verilog without contents.
    layout : str
        SHA-256 of the layout without contents.
    places : `Places`
    """

    hardware: str
    layout: str
    places: Places


def hardware_digest(blank: str) -> str:
    """SHA-256 of a design's Verilog without its contents."""
    return hashlib.sha256(blank.encode()).hexdigest()


def unpack(family: Family, *, folder: Path, logs: Path) -> Layout:
    """The layout of the bitstream in `folder`, which has the name `Family.bitstream_file`.

    Raises
    ------
    ToolError
        When it is no bitstream.
    """
    unpacker = family.unpacker
    unpacker.run(family.bitstream_file, family.layout_file, folder=folder, log=logs / f"{unpacker.name}.log")
    return family.layout((folder / family.layout_file).read_text(encoding="ascii"))


def repack(
    family: Family,
    layout: Layout,
    places: Places,
    contents: Mapping[str, Memory],
    *,
    folder: Path,
    logs: Path,
) -> Layout:
    """Pack a layout with other contents into the bitstream in `folder`, and return the layout that this
    unpacks to.

    Raises
    ------
    ToolError
        When the contents are not read back from the bitstream.
    """
    packer = family.packer
    places.write(layout, contents)
    (folder / family.layout_file).write_text(layout.text, encoding="ascii")
    packer.run(family.layout_file, family.bitstream_file, folder=folder, log=logs / f"{packer.name}.log")
    unpacked = unpack(family, folder=folder, logs=logs)
    read = places.read(unpacked)
    for memory, wanted in contents.items():
        if read[memory] != wanted:
            raise ToolError(
                f"what was written into {memory} must be read back from {family.bitstream_file}, but is not;"
                f" {packer.name} or its counterpart is at fault, build without --patchable"
            )
    return unpacked
