"""What `sbgen patch` does: put another network's weights and thresholds into a finished bitstream.

::

    network ─▶ Verilog ─┬─▶ without contents ═ equal ═ that of the build
                        └─▶ contents ─▶ layout of the bitstream ─▶ bitstream ─▶ read back ═ equal
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .. import atomic, tools
from ..errors import BoardError, FitError, ToolError
from .rom_places import Places

if TYPE_CHECKING:
    from ..compiler.contents import Memory
    from ..compiler.ir import Network
    from .board_spec import BoardSpec
    from .layout import Layout
    from .repack import Patches

__all__ = [
    "PatchableBuild",
    "blank",
    "contents",
    "dumps",
    "load",
    "read",
    "require_same_shape",
    "wanted",
    "write",
]

_FORMAT = "sbgen-memory"
_VERSION = 2


@dataclass(frozen=True, kw_only=True)
class PatchableBuild:
    """What ``memory.json`` says of a build.

    Parameters
    ----------
    board : BoardSpec
    clock_mhz : float
    baud : int
        Of the host link.
    sleeps : bool
        Whether the clock stops between requests.
    hardware, layout : str
        SHA-256 of the Verilog and of the layout, both without contents.
    places : Places
        Where each bit of its ROMs is.
    """

    board: BoardSpec
    clock_mhz: float
    baud: int
    sleeps: bool
    hardware: str
    layout: str
    places: Places


def dumps(patches: Patches, *, board: BoardSpec, clock_mhz: float, baud: int, sleeps: bool) -> str:
    """The text of ``memory.json``: what `sbgen patch` must know of a build."""
    head = {
        "format": _FORMAT,
        "version": _VERSION,
        "board": board.reference,
        "clock_mhz": clock_mhz,
        "baud": baud,
        "sleeps": sleeps,
        "hardware": patches.hardware,
        "layout": patches.layout,
    }
    return json.dumps(head)[:-1] + ',\n"places": ' + patches.places.dumps() + "}\n"


def load(folder: Path) -> PatchableBuild:
    """The patchable build in a folder; a `BoardError` when there is none."""
    from . import get

    path = folder / "memory.json"
    try:
        content = json.loads(path.read_text(encoding="ascii"))
        if content["format"] != _FORMAT or content["version"] != _VERSION:
            raise ValueError("it is of another kind or version")
        return PatchableBuild(
            board=get(content["board"]),
            clock_mhz=content["clock_mhz"],
            baud=content["baud"],
            sleeps=content.get("sleeps", False),
            hardware=content["hardware"],
            layout=content["layout"],
            places=Places.of_json(content["places"]),
        )
    except FileNotFoundError:
        raise BoardError(
            f"the bitstream must be in the folder of a patchable build, but {path} is not there; build with:"
            " sbgen build --patchable"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BoardError(
            f"{path}: cannot be read as what sbgen build --patchable wrote: {error}; build again"
        ) from None


def read(folder: Path, path: Path) -> dict[str, Memory]:
    """The contents of each ROM in the bitstream `path` of the patchable build in `folder`, or in one patched
    from it.

    Raises
    ------
    BoardError
        When it is another build's.
    """
    build = load(folder)
    with tools.temporary() as work:
        return build.places.read(_unpack(path, build, work))


def blank(folder: Path, text: str) -> str:
    """A layout as text with zeros in each ROM of the patchable build in `folder`; a `BoardError` when it
    lacks one of them.
    """
    build = load(folder)
    layout = build.board.family.layout(text)
    try:
        build.places.write(layout, None)
    except KeyError as error:
        raise BoardError(
            f"the bitstream must have the block RAMs and tiles of the build, but has no {error}; it is"
            " another build's"
        ) from None
    return layout.text


def wanted(folder: Path, network: Network) -> dict[str, Memory]:
    """The contents that each ROM of the patchable build in `folder` must have for a network."""
    return _split(folder, load(folder), network)[1]


def contents(folder: Path, network: Network) -> dict[str, Memory]:
    """As `wanted`; a `FitError` when the network needs other hardware than the build in `folder`."""
    from ..compiler import exchange
    from . import repack

    build = load(folder)
    blank, found = _split(folder, build, network)
    if repack.hardware_digest(blank) != build.hardware:
        raise FitError(
            "the network must need the hardware of the bitstream apart from ROM contents, but does"
            f" not: {_difference(exchange.load(folder / 'network.json'), network)}; build it anew"
        )
    return found


def write(bitstream: Path, out: Path, contents: Mapping[str, Memory]) -> None:
    """Write `out`: a patchable build's bitstream, in the build's folder, with other contents in its ROMs."""
    from . import repack

    build = load(bitstream.parent)
    family = build.board.family
    with tools.temporary() as work:
        unpacked = _unpack(bitstream, build, work)
        repack.repack(family, unpacked, build.places, contents, folder=work, logs=work)
        packed = (work / family.bitstream_file).read_bytes()
    try:
        atomic.write(out, packed)
    except OSError as error:
        raise BoardError(f"cannot write {out}: {error.strerror}; give another --out") from None


def _split(folder: Path, build: PatchableBuild, network: Network) -> tuple[str, dict[str, Memory]]:
    """The build's Verilog for a network without its contents, and the contents."""
    from ..compiler import contents as contents_
    from ..compiler import design_file, exchange, linked, lower, verilog
    from . import harness

    design = design_file.load(folder / "design.json", network)
    top = harness.Top(
        core=lower.lower(design),
        board=build.board,
        link=linked.link_parameters(design, build.board.device, flow_control=build.board.usb_link),
        baud=build.baud,
        clock_mhz=build.clock_mhz,
        digest=bytes.fromhex(exchange.digest(network)),
        patchable=True,
        sleeps=build.sleeps,
    )
    blank, contents, _ = contents_.split(verilog.convert(top))
    return blank, contents


def _unpack(path: Path, build: PatchableBuild, work: Path) -> Layout:
    """The layout of a bitstream, which must be the build's apart from ROM contents."""
    from . import repack

    board = build.board
    try:
        shutil.copyfile(path, work / board.family.bitstream_file)
    except OSError as error:
        raise BoardError(
            f"the bitstream must be a file that can be read, but {path}: {error.strerror}"
        ) from None
    try:
        unpacked = repack.unpack(board.family, folder=work, logs=work)
    except ToolError as error:
        raise BoardError(
            f"{path}: must be a bitstream for {board.device.name}, but cannot be unpacked: {error.what}"
        ) from None
    blank = board.family.layout(unpacked.text)
    if (
        not {column.block for column in build.places.columns} <= set(blank.blocks)
        or build.places.digest(blank) != build.layout
    ):
        raise BoardError(
            f"{path}: must be the bitstream of the build in its folder, or one patched from it, but is"
            " another one"
        )
    return unpacked


def require_same_shape(old: Network, new: Network) -> None:
    """Raise a `FitError` that names the first layer that differs, if the shapes differ."""
    if old.image_shape != new.image_shape:
        raise FitError(
            "the network must have the shape of the one in the bitstream, but takes images of"
            f" {new.image_shape} instead of {old.image_shape}; build it anew"
        )
    if old.decision != new.decision:
        raise FitError(
            f"the network must decide by {old.decision} as the one in the bitstream, not by {new.decision};"
            " build it anew"
        )
    layers, others = (
        [
            f"{type(layer).__name__} {layer.name} {shape} -> {after}"
            for layer, shape, after in zip(network.layers, network.shapes, network.shapes[1:], strict=False)
        ]
        for network in (old, new)
    )
    for before, after in zip(layers, others, strict=False):
        if before != after:
            raise FitError(
                f"the network must have the shape of the one in the bitstream, but has {after} instead of"
                f" {before}; build it anew"
            )
    if len(layers) != len(others):
        raise FitError(
            f"the network must have the {len(layers)} layers of the one in the bitstream, but has"
            f" {len(others)}; build it anew"
        )


def _difference(old: Network, new: Network) -> str:
    """The difference between networks of one shape besides weights and thresholds, in words."""
    from ..compiler.ir import Binarize, Lookup, Threshold

    for before, after in zip(old.layers, new.layers, strict=True):
        for kind, names, what in (
            (Binarize, ("thresholds",), "the thresholds of its pixels are wired in"),
            (Lookup, ("table",), "its table is wired in"),
            (Threshold, ("thresholds", "inverted"), "its thresholds are wired in"),
        ):
            if isinstance(after, kind) and any(
                (getattr(before, name) != getattr(after, name)).any() for name in names
            ):
                return f"layer {after.name!r} has other values, and {what}"
    return (
        "strides, scales or the range of its numbers are others, or this is another version of sbgen or of"
        " yosys"
    )
