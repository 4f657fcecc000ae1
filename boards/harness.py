"""The top level of a board: a host link around the core. ::

rx -> uart.Rx -> HostLink -> core
tx <- uart.Tx <- HostLink <- core
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from amaranth.hdl import Module, Value
from amaranth.lib.wiring import In, Out, connect

from ..hw import uart
from ..hw.flash_loader import FlashLoader
from ..hw.host_link import HostLink
from . import baud as baud_
from .board_top import RESET_SECONDS, WAKE_SECONDS, BoardTop, clock_and_pll

if TYPE_CHECKING:
    from ..hw.core import Core
    from ..hw.link_parameters import Parameters
    from .board_spec import BoardSpec

__all__ = ["RESET_SECONDS", "WAKE_SECONDS", "Top", "clock_and_pll"]


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
        Rate of the serial line; the fastest that is possible when left out.

    Members
    -------
    rx : :py:`In(1)`
    tx : :py:`Out(1)`
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
    ):
        super().__init__(core=core, board=board, clock_mhz=clock_mhz, ports={"rx": In(1), "tx": Out(1)})
        self._link = link
        self._digest = bytes(digest[:8])
        self._identity_store = board.device.fabric.patchable_store if patchable else None
        self._baud, self._divisor = baud_.choose(board, clock_mhz=self.clock_mhz, baud=baud)

    @property
    def baud(self) -> int:
        """Rate of the serial line that a host must request."""
        return self._baud

    @property
    def divisor(self) -> int:
        """Clock cycles per bit of the serial line."""
        return self._divisor

    def connect_core(self, m: Module, loader: FlashLoader | None) -> Value:
        core = self._core
        m.submodules.rx = rx = uart.Rx(divisor=self._divisor)
        m.submodules.tx = tx = uart.Tx(divisor=self._divisor)
        m.submodules.link = link = HostLink(
            self._link,
            digest=self._digest,
            byte_cycles=10 * self._divisor,
            loads=loader is not None,
            identity_store=self._identity_store,
        )
        m.submodules.core = core

        m.d.comb += [rx.rx.eq(self.rx), self.tx.eq(tx.tx)]
        connect(m, rx.o, link.i)
        connect(m, link.o, tx.i)
        connect(m, link.pixels, core.i)
        connect(m, core.o, link.results)
        if loader is not None:
            m.d.comb += [link.state.eq(loader.state), link.checksum.eq(loader.checksum)]
        return link.busy
