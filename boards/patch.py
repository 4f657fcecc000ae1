"""What `sbgen patch` does: another network's weights and thresholds into a finished bitstream, in seconds.

::

    network ─▶ Verilog ─┬─▶ without contents ═ equal ═ that of the build
                        └─▶ contents ─▶ layout of the bitstream ─▶ bitstream ─▶ read back ═ equal
"""

import json
import shutil

from .. import atomic, tools
from ..errors import BoardError, FitError, ToolError

__all__ = ["blank", "contents", "dumps", "load", "read", "require_same_shape", "wanted", "write"]

_FORMAT = "sbgen-memory"
_VERSION = 1


def dumps(patches, *, board, clock_mhz):
    """The text of ``memory.json``: what `sbgen patch` must know of a build.

    Parameters
    ----------
    patches : `sbgen.boards.repack.Patches`
    board : BoardSpec
    clock_mhz : float
    """
    head = {
        "format": _FORMAT,
        "version": _VERSION,
        "board": board.reference,
        "clock_mhz": clock_mhz,
        "hardware": patches.hardware,
        "layout": patches.layout,
    }
    return json.dumps(head)[:-1] + ',\n"places": ' + patches.places.dumps() + "}\n"


def read(folder, path):
    """What stands in each ROM of the bitstream of a patchable build, or of one patched of it.

    Parameters
    ----------
    folder : Path
        The build's.
    path : Path
        The bitstream.

    Returns
    -------
    dict of str to `sbgen.compiler.contents.Memory`
    """
    from . import get
    from .places import Places

    build = load(folder)
    places = Places.of_json(build["places"])
    with tools.temporary() as work:
        unpacked = _unpack(path, get(build["board"]), build, places, work)
    return places.read(unpacked)


def blank(folder, text):
    """A layout as text with zeros in each ROM of the patchable build in `folder`; a `BoardError` when it
    lacks one of them.
    """
    from . import get
    from .places import Places

    build = load(folder)
    made = get(build["board"]).family.layout(text)
    try:
        Places.of_json(build["places"]).write(made, None)
    except KeyError as error:
        raise BoardError(
            f"the bitstream must have the block RAMs and tiles of the build, but has no {error}; it is"
            " another build's"
        ) from None
    return made.text


def wanted(folder, network):
    """What must stand in each ROM of the patchable build in `folder` when it holds a network: a dict as of
    `read`.
    """
    return _split(folder, load(folder), network)[1]


def contents(folder, network):
    """What `wanted` gives; a `FitError` when the network makes other hardware than the build in `folder`."""
    from ..compiler import exchange
    from . import repack

    build = load(folder)
    blank, found = _split(folder, build, network)
    if repack.hardware_digest(blank) != build["hardware"]:
        raise FitError(
            "the network must make the hardware of the bitstream but for what is in its ROMs, and it"
            f" does not: {_difference(exchange.load(folder / 'network.json'), network)}; build it anew"
        )
    return found


def _split(folder, build, network):
    """The build's Verilog for a network without its contents, and those."""
    from ..compiler import contents as contents_
    from ..compiler import design_file, exchange, lower, verilog
    from . import get, harness

    design = design_file.load(folder / "design.json", network)
    return contents_.split(
        verilog.convert(
            harness.Top(
                core=lower.lower(design),
                board=get(build["board"]),
                clock_mhz=build["clock_mhz"],
                digest=bytes.fromhex(exchange.digest(network)),
                patchable=True,
            )
        )
    )[:2]


def load(folder):
    """What a build wrote for `sbgen patch`."""
    path = folder / "memory.json"
    try:
        content = json.loads(path.read_text(encoding="ascii"))
        if content["format"] != _FORMAT or content["version"] != _VERSION:
            raise ValueError("it is of another kind or version")
    except FileNotFoundError:
        raise BoardError(
            f"the bitstream must stand in the folder of a patchable build, but {path} is not there; build"
            " with: sbgen build --patchable"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BoardError(
            f"{path}: cannot be read as what sbgen build --patchable wrote: {error}; build again"
        ) from None
    return content


def _unpack(path, board, build, places, work):
    """The layout of a bitstream, which is that of the build but for what is in its ROMs."""
    from . import repack

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
    bare = board.family.layout(unpacked.text)
    if (
        not {column.block for column in places.columns} <= set(bare.blocks)
        or places.digest(bare) != build["layout"]
    ):
        raise BoardError(
            f"{path}: must be the bitstream of the build in its folder, or one patched of it, but is"
            " another one"
        )
    return unpacked


def write(bitstream, out, contents):
    """Write `out`: a patchable build's bitstream, in the build's folder, with other contents in its ROMs."""
    from . import get, repack
    from .places import Places

    build = load(bitstream.parent)
    board, places = get(build["board"]), Places.of_json(build["places"])
    with tools.temporary() as work:
        unpacked = _unpack(bitstream, board, build, places, work)
        repack.repack(board.family, unpacked, places, contents, folder=work, logs=work)
        _replace(out, (work / board.family.bitstream_file).read_bytes())


def _replace(out, content):
    try:
        atomic.write(out, content)
    except OSError as error:
        raise BoardError(f"cannot write {out}: {error.strerror}; give another --out") from None


def require_same_shape(old, new):
    """A `FitError` that says which layer is another one."""
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
    said = [
        [
            f"{type(layer).__name__} {layer.name} {shape} -> {after}"
            for layer, shape, after in zip(network.layers, network.shapes, network.shapes[1:], strict=False)
        ]
        for network in (old, new)
    ]
    for before, after in zip(*said, strict=False):
        if before != after:
            raise FitError(
                f"the network must have the shape of the one in the bitstream, but has {after} instead of"
                f" {before}; build it anew"
            )
    if len(said[0]) != len(said[1]):
        raise FitError(
            f"the network must have the {len(said[0])} layers of the one in the bitstream, but has"
            f" {len(said[1])}; build it anew"
        )


def _difference(old, new):
    """What networks of one shape differ in beside weights and thresholds, in words."""
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
