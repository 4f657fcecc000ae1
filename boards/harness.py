"""The top level of a board: a host link around the core. ::

pins -> [Sleep] -> BoardLine -> HostLink -> core
pins <- BoardLine <- HostLink <- core
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from amaranth.hdl import IOPort, Module, Signal, Value
from amaranth.lib.wiring import connect

from ..hw.flash_loader import LOADING, FlashLoader
from ..hw.host_link import HostLink
from ..hw.sleep import Sleep
from . import board_line
from .board_top import RESET_SECONDS, WAKE_SECONDS, BoardTop, clock_and_pll

if TYPE_CHECKING:
    from ..hw.core import Core
    from ..hw.link_parameters import Parameters
    from .board_spec import BoardSpec

__all__ = ["HOLD_BITS", "RESET_SECONDS", "WAKE_SECONDS", "Top", "clock_and_pll"]

#: How long the clock runs on after a request or its response, in bits of the line: more than those of the
#: byte that a request may go on with.
HOLD_BITS = 32


class Top(BoardTop):
    """A core on a board, behind its host link.

    Parameters
    ----------
    core, board, clock_mhz
        As in :class:`.BoardTop`.
    link : :class:`sbgen.hw.link_parameters.Parameters`
        As of `sbgen.compiler.linked.link_parameters`.
    digest : :class:`bytes`
        The network's SHA-256 (or its first 8 bytes), which identify reports.
    patchable : :class:`bool`
        Whether the digest can be replaced in the bitstream.
    baud : :class:`int`, optional
        Rate of a serial line; the fastest that is possible when left out.
    sleeps : :class:`bool`
        Whether the clock stops between requests.

    Attributes
    ----------
    line : :class:`.BoardLine`

    Members
    -------
    rx : :py:`In(1)`
    tx : :py:`Out(1)`
        Of a UART.
    usb_pullup : :py:`Out(1)`
        Of USB, whose ``usb_d_p`` and ``usb_d_n`` are in `io_ports`.
    led : :py:`Out(1)`
        On while a request is processed. The other ports are those of :class:`.BoardTop`.
    """

    def __init__(
        self,
        *,
        core: Core,
        board: BoardSpec,
        link: Parameters,
        digest: bytes,
        clock_mhz: float | None = None,
        patchable: bool = False,
        baud: float | None = None,
        sleeps: bool = False,
    ):
        self.line = board_line.choose(board, clock_mhz=clock_and_pll(board, clock_mhz)[0], baud=baud)
        super().__init__(
            core=core,
            board=board,
            clock_mhz=clock_mhz,
            ports=self.line.ports,
            io_ports={name: IOPort(1, name=name) for name in self.line.io_ports},
            sleep=Sleep(hold=HOLD_BITS * self.line.divisor) if sleeps else None,
        )
        self._link = link
        self._digest = bytes(digest[:8])
        self._identity_store = board.device.fabric.patchable_store if patchable else None

    @property
    def baud(self) -> int:
        """Rate of the serial line that a host must request."""
        return self.line.baud

    @property
    def divisor(self) -> int:
        """Cycles of its clock per bit of the line."""
        return self.line.divisor

    @property
    def hold(self) -> int:
        """Cycles for which the clock runs on after a request; 0 if it never stops."""
        return 0 if self.sleep is None else self.sleep.hold

    def connect_core(self, m: Module, loader: FlashLoader | None) -> Value:
        core = self._core
        m.submodules.link = link = HostLink(
            self._link,
            digest=self._digest,
            byte_cycles=self.line.byte_cycles,
            loads=loader is not None,
            identity_store=self._identity_store,
        )
        m.submodules.core = core

        self.line.connect(m, top=self, link=link)
        if self.sleep is not None:
            working = link.busy | link.o.valid
            if loader is not None:
                working |= loader.state == LOADING
            busy = Signal(init=1)  # so that the clock runs for the whole reset
            m.d.sync += busy.eq(working)
            m.d.comb += [self.sleep.rx.eq(self.rx), self.sleep.busy.eq(busy)]
        connect(m, link.pixels, core.i)
        connect(m, core.o, link.results)
        if loader is not None:
            m.d.comb += [link.state.eq(loader.state), link.checksum.eq(loader.checksum)]
        return link.busy
