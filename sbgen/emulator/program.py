"""The program that emulates a build, compiled by Verilator and cached."""

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from .. import cache, tools
from ..boards import flash_image, netlist_verilog, simulated
from ..boards.pins import USB_HOST
from ..compiler import cycles, linked
from ..compiler.simulate import require, verilate
from ..errors import ModelError

if TYPE_CHECKING:
    from ..built import Built

__all__ = ["Program", "compiled"]

#: The module of ``board.v``.
_TOP = "emulated"


@dataclass(frozen=True, kw_only=True)
class Program:
    """A compiled emulator, ready to run in its folder.

    Parameters
    ----------
    folder : Path
        Where it is, with the contents of the flash.
    divisor : int
        Clock cycles per bit of the serial line.
    deaf_cycles : int
        From the start until the board listens and has loaded its weights.
    busy_cycles : int
        Cycles after the last byte in which the board may still compute.
    from_cache : bool
        Whether it had been compiled before.
    """

    folder: Path
    divisor: int
    deaf_cycles: int
    busy_cycles: int
    from_cache: bool = field(default=False, compare=False)

    @property
    def argv(self) -> list[str]:
        """The command that starts it."""
        path = (self.folder / _TOP).absolute()
        return [str(path), *map(str, (self.divisor, self.deaf_cycles, self.busy_cycles))]


def compiled(built: "Built", *, folder: Path, netlist: bool = False) -> Program:
    """Compile the emulator of a build, or take it from the cache.

    Parameters
    ----------
    built : Built
    folder : Path
        Where to build; it exists already.
    netlist : bool
        Whether to run the netlist of place and route instead of ``top.v``.

    Raises
    ------
    MissingError
        When the build did not write the netlist.
    ToolError
        When Verilator or its compiler is missing.
    """
    require("verilator")
    top = built.top
    sources = {"top.v": _top_level(built, netlist)}
    for name in "board.v", "main.cpp":
        sources[name] = Path(__file__).with_name(name).read_text(encoding="ascii")
    weights = built.spram_weights
    macros = {}
    if built.board.usb_link:
        sources["usb_host.v"] = USB_HOST.read_text(encoding="ascii")
        macros["USB"] = 1
    if weights:
        sources["flash.v"] = flash_image.MODEL.read_text(encoding="ascii")
        macros |= {"FLASH": len(weights), "OFFSET": flash_image.OFFSET}
        (folder / "flash.hex").write_text(flash_image.as_hex(weights))
    from_cache = _compile(folder, sources, macros)
    link = linked.link_parameters(built.design, built.board.device, flow_control=built.board.usb_link)
    waiting = link.store_bytes // link.image_bytes + 1
    return Program(
        folder=folder,
        divisor=top.divisor,
        deaf_cycles=top.reset_cycles + top.load_cycles + 100,
        busy_cycles=(
            waiting * link.image_cycles + cycles.predict(built.design).alone + 20 * 10 * top.divisor
        ),
        from_cache=from_cache,
    )


def _top_level(built: "Built", netlist: bool) -> str:
    if netlist:
        return netlist_verilog.verilog(built.netlist("placed.json.gz"), family=built.board.family)
    text = built.top_verilog
    if hashlib.sha256(text.encode("ascii")).hexdigest() != built.digest("top.v"):
        raise ModelError(
            f"{built.folder / 'top.v'}: must be the file that was built, but is another one; build again"
        )
    return simulated.top_level(text, board=built.board)


def _compile(folder: Path, sources: Mapping[str, str], macros: Mapping[str, int]) -> bool:
    """Write the program into `folder`; returns whether it came from the cache."""
    key = hashlib.sha256(
        json.dumps(
            [sources, macros, str(tools.find("verilator")), platform.machine(), platform.system()]
        ).encode()
    ).hexdigest()
    store = cache.Cache(cache.folder("emulators"))
    program = folder / _TOP
    if found := store.fetch(key, [_TOP]):
        program.write_bytes(found[_TOP])
        program.chmod(0o700)
        return True
    for name, text in sources.items():
        (folder / name).write_text(text, encoding="ascii")
    # The C++ program must know the line too.
    flags = ("-CFLAGS", "-DUSB") if "USB" in macros else ()
    tool = verilate(folder, top=_TOP, sources=sorted(sources), macros=macros, flags=flags)
    Path(tool.argv[0]).rename(program)
    store.store(key, {_TOP: program.read_bytes()})
    return False
