"""How bytes come to a board's host link and go from it: through a UART, or a USB device in the FPGA."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from amaranth.hdl import ClockDomain, ClockSignal, Module, ResetSignal, Signal
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.io import Buffer, SingleEndedPort
from amaranth.lib.wiring import In, Member, Out, connect

from ..errors import BoardError
from ..hw import uart
from . import baud as bauds
from .link_rate import LinkRate
from .usb_device import USB_MHZ, UsbDevice
from .usb_rate import USB_BAUD, UsbRate

if TYPE_CHECKING:
    from ..hw.host_link import HostLink
    from ..hw.link_parameters import Parameters
    from .board_spec import BoardSpec
    from .harness import Top

__all__ = ["BoardLine", "UartLine", "UsbLine", "choose"]


@dataclass(frozen=True, kw_only=True)
class BoardLine(ABC):
    """A line at a clock of the core.

    Parameters
    ----------
    baud : int
        The rate with which a host opens its port.
    divisor : int
        Cycles of the line's clock per bit.
    byte_cycles : int
        Cycles of the core's clock per byte, at least.
    """

    baud: int
    divisor: int
    byte_cycles: int

    #: In a report.
    title = ""
    #: Whether it waits while the board takes no byte.
    flow_control = False
    #: Pins in one direction, and those in both.
    ports: ClassVar[Mapping[str, Member]] = {}
    io_ports: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def connect(self, m: Module, *, top: Top, link: HostLink) -> None:
        """Connect a host link to the pins of a top level."""

    @abstractmethod
    def rate(self, link: Parameters) -> LinkRate:
        """How many images it carries."""

    def _sizes(self, link: Parameters) -> dict[str, int]:
        return {
            "baud": self.baud,
            "image_bytes": link.image_bytes,
            "result_bytes": link.decision_bytes,
            "image_cycles": link.image_cycles,
            "byte_cycles": self.byte_cycles,
            "frame_images": link.frame_images,
            "store_bytes": link.store_bytes,
        }


class UartLine(BoardLine):
    """A serial line at the pins ``rx`` and ``tx``."""

    title = "UART"
    ports: ClassVar = {"rx": In(1), "tx": Out(1)}

    @classmethod
    def choose(cls, board: BoardSpec, *, clock_mhz: float, baud: float | None) -> UartLine:
        """The line of a board; a `BoardError` when it cannot have that rate."""
        rate, divisor = bauds.choose(board, clock_mhz=clock_mhz, baud=baud)
        return cls(baud=rate, divisor=divisor, byte_cycles=10 * divisor)

    def connect(self, m: Module, *, top: Top, link: HostLink) -> None:
        m.submodules.rx = rx = uart.Rx(divisor=self.divisor)
        m.submodules.tx = tx = uart.Tx(divisor=self.divisor)
        m.d.comb += [rx.rx.eq(top.rx if top.sleep is None else top.sleep.line), top.tx.eq(tx.tx)]
        connect(m, rx.o, link.i)
        connect(m, link.o, tx.i)

    def rate(self, link: Parameters) -> LinkRate:
        return LinkRate(**self._sizes(link))


@dataclass(frozen=True, kw_only=True)
class UsbLine(BoardLine):
    """A USB serial port (CDC-ACM) at the pins of a USB connector.

    Parameters
    ----------
    clock_mhz : float
        The core's clock.
    """

    clock_mhz: float

    title = "USB"
    flow_control = True
    ports: ClassVar = {"usb_pullup": Out(1)}
    io_ports = ("usb_d_p", "usb_d_n")

    @classmethod
    def choose(cls, board: BoardSpec, *, clock_mhz: float, baud: float | None) -> UsbLine:
        """The line of a board; a `BoardError` when a baud rate was requested: it has none."""
        if baud is not None and round(baud) != USB_BAUD:
            raise BoardError(
                f"{board.name}: a link over USB has no baud rate, but {baud:,.0f} is requested; leave out"
                " --baud"
            )
        # Bytes come at 12 Mbit/s at most.
        return cls(baud=USB_BAUD, divisor=4, byte_cycles=int(clock_mhz * 8 / 12), clock_mhz=clock_mhz)

    def connect(self, m: Module, *, top: Top, link: HostLink) -> None:
        self._add_clock(m, top)
        m.submodules.usb = device = UsbDevice()
        for pin, level, driven in (
            ("usb_d_p", device.d_p_i, device.d_p_o),
            ("usb_d_n", device.d_n_i, device.d_n_o),
        ):
            m.submodules[pin] = buffer = Buffer("io", SingleEndedPort(top.io_ports[pin]))
            m.d.comb += [level.eq(buffer.i), buffer.o.eq(driven), buffer.oe.eq(device.oe)]
        m.d.comb += top.usb_pullup.eq(device.pullup)
        connect(m, device.o, link.i)
        connect(m, link.o, device.i)

    @staticmethod
    def _add_clock(m: Module, top: Top) -> None:
        """Add the domain ``usb_io`` of 48 MHz: the core's clock, the oscillator's, or one of a PLL of its
        own.
        """
        board = top.board
        m.domains.usb_io = domain = ClockDomain(local=True)
        locked = Signal(name="usb_locked", init=1)
        # A reset lasts for many cycles of both clocks.
        m.submodules.usb_reset = FFSynchronizer(
            ResetSignal("sync") | ~locked, domain.rst, o_domain="usb_io", init=1, reset_less=True
        )
        if top.clock_mhz == USB_MHZ:
            m.d.comb += domain.clk.eq(ClockSignal("sync"))
        elif board.oscillator_mhz == USB_MHZ:
            m.d.comb += domain.clk.eq(top.oscillator_clock)
        else:
            pll = board.family.pll.second(oscillator_mhz=board.oscillator_mhz, clock_mhz=USB_MHZ)
            m.submodules.usb_pll = pll.instance(
                i=top.oscillator_clock, o=domain.clk, locked=locked, pad=False
            )

    def rate(self, link: Parameters) -> LinkRate:
        return UsbRate(**self._sizes(link), clock_hz=self.clock_mhz * 1e6)


def choose(board: BoardSpec, *, clock_mhz: float, baud: float | None = None) -> BoardLine:
    """The line of a board whose core has that clock.

    Raises
    ------
    BoardError
        The board cannot have it.
    """
    kind = UsbLine if board.usb_link else UartLine
    return kind.choose(board, clock_mhz=clock_mhz, baud=baud)
