"""The shells that a core can have, and what each needs of the folder."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from amaranth.lib import wiring

from ..errors import FitError
from ..hw.shells import axi_lite, axi_stream, bare, wishbone
from ..hw.shells.parameters import PIXEL_BITS, Parameters

if TYPE_CHECKING:
    from ..compiler.design import Design
    from ..hw.core import Core

__all__ = ["SHELLS", "Shell", "parameters"]

_Create = Callable[["Core", Parameters, int], wiring.Component]


@dataclass(frozen=True, kw_only=True)
class Shell:
    """A shell.

    Parameters
    ----------
    name : str
        As `--shell` takes it.
    title : str
        In a sentence.
    create : callable
        The component, from a core, `Parameters` and the first 32 bits of the network's digest.
    clock, reset : str
        Its ports.
    active_low : bool
        Whether the reset is.
    width : int or None
        Bits of a word of the bus; None is a choice of the user.
    marked : bool
        Whether the last word of an image is marked, so that a wrong length is noticed.
    registers : bool
        Whether a processor reads and writes registers.
    limit : str
        What the bus can do.
    bench : str
        Template of its bench.
    """

    name: str
    title: str
    create: _Create
    clock: str = "clk"
    reset: str = "rst"
    active_low: bool = False
    width: int | None = None
    marked: bool = True
    registers: bool = False
    limit: str
    bench: str


SHELLS = {
    shell.name: shell
    for shell in (
        Shell(
            name="none",
            title="the core's own streams",
            create=lambda core, parameters, digest: bare.Bare(core=core),
            marked=False,
            limit="a beat per cycle",
            bench="none_tb.v.j2",
        ),
        Shell(
            name="stream",
            title="AXI4-Stream",
            create=lambda core, parameters, digest: axi_stream.AxiStream(core=core, parameters=parameters),
            clock="aclk",
            reset="aresetn",
            active_low=True,
            limit="a word per cycle",
            bench="stream_tb.v.j2",
        ),
        Shell(
            name="axi",
            title="AXI4-Lite registers",
            create=lambda core, parameters, digest: axi_lite.AxiLite(
                core=core, parameters=parameters, digest=digest
            ),
            clock="aclk",
            reset="aresetn",
            active_low=True,
            width=32,
            registers=True,
            limit="a write in three cycles",
            bench="axi_tb.v.j2",
        ),
        Shell(
            name="wishbone",
            title="Wishbone registers",
            create=lambda core, parameters, digest: wishbone.Wishbone(
                core=core, parameters=parameters, digest=digest
            ),
            width=32,
            registers=True,
            limit="a write in two cycles",
            bench="wishbone_tb.v.j2",
        ),
    )
}


def parameters(
    shell: Shell, design: "Design", core: "Core", *, width: int | None, packed: bool, in_flight: int
) -> Parameters:
    """The words of a shell's bus.

    Parameters
    ----------
    width : int or None
        What the user wants; None is the narrowest power of two that carries a beat and a result.
    packed : bool
        Whether a pixel takes only the bits that the network can tell apart.

    Raises
    ------
    FitError
        A bus that does not carry a score or class, or takes no such width.
    """
    from ..compiler.pixel_codes import pixel_codes

    if core.ram_contents:
        raise FitError("a core that is handed over must hold its weights in ROMs, but some are in SPRAM")
    if packed and not shell.marked:
        raise FitError(f"a core with {shell.title} takes raw pixels; --packed needs another --shell")
    codes = pixel_codes(design.network, patchable=design.patchable)
    bits, levels = 8, ()
    if packed and codes.levels:
        bits, levels = next(each for each in PIXEL_BITS if each >= codes.bits), codes.levels
    needed = max(core.score_width, 1 if core.signs else core.label_width)
    if shell.width is not None:
        if width not in (None, shell.width):
            raise FitError(f"a shell of {shell.title} has words of {shell.width} bits, not {width}")
        width = shell.width
    if width is None:
        width = max(8, 1 << (max(needed, bits * core.lanes) - 1).bit_length())
    if width % 8 or width < 8:
        raise FitError(f"--shell-width must be a multiple of 8, at least 8, not {width}")
    if shell.marked and needed > width:
        raise FitError(
            f"a word of the shell must carry a score of {core.score_width} bits and a class of"
            f" {core.label_width}, but has {width}; try: --shell-width {1 << (needed - 1).bit_length()}"
        )
    return Parameters(width=width, pixel_bits=bits, levels=levels, in_flight=in_flight)
