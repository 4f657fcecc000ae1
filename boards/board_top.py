"""What every top level of a board has: its clock, a reset, the core, and what fills the core's RAM. ::

clk -> [PLL] -> [Sleep] -> clock, reset
flash -> FlashLoader -> core, where its weights live in RAM
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

from amaranth.hdl import ClockDomain, ClockSignal, Const, IOPort, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Member, Out, connect

from ..errors import BoardError, VendorError
from ..hw.flash_loader import FlashLoader
from ..hw.sleep import Sleep
from . import flash_image
from .pll import Pll

if TYPE_CHECKING:
    from ..hw.core import Core
    from .board_spec import BoardSpec, Pin

__all__ = ["RESET_SECONDS", "WAKE_SECONDS", "BoardTop", "clock_and_pll", "require_sleep"]

#: How long the reset lasts after the clock is steady. The iCE40's block RAMs read as zero for about 3 us
#: after configuration (icestorm issue 76); Amaranth too waits 15 us.
RESET_SECONDS = 15e-6

#: How long a flash may take to wake up: more than the slowest known one needs (35 us, a Macronix; a Winbond 3
#: us).
WAKE_SECONDS = 50e-6


def clock_and_pll(board: BoardSpec, clock_mhz: float | None = None) -> tuple[float, Pll | None]:
    """The clock that the core really gets, in MHz, and its PLL, or None for the oscillator.

    Parameters
    ----------
    board : BoardSpec
    clock_mhz : float, optional
        The clock to approximate; the PLL makes the nearest that it can.

    Raises
    ------
    BoardError
        When the PLL cannot make such a clock.
    """
    if clock_mhz is None:
        clock_mhz = board.default_clock_mhz
    if clock_mhz == board.oscillator_mhz:
        return clock_mhz, None
    if not board.is_open:
        raise VendorError(
            f"{board.name}: the clock must be the oscillator's {board.oscillator_mhz:g} MHz, as sbgen has no"
            f" PLL of {board.device.name}, but it is {clock_mhz:g} MHz; leave out --clock"
        )
    if (board.device.name, board.package.lower()) in board.family.without_pll:
        raise BoardError(
            f"{board.name}: the clock must be the oscillator's {board.oscillator_mhz:g} MHz, as its package"
            f" has no PLL, but it is {clock_mhz:g} MHz; leave out --clock"
        )
    pll = board.family.pll.nearest(oscillator_mhz=board.oscillator_mhz, clock_mhz=clock_mhz)
    return pll.clock_mhz, pll


def require_sleep(board: BoardSpec, clock_mhz: float | None) -> None:
    """Raise a `BoardError` unless the clock can stop, with all that it drives."""
    actual_mhz, pll = clock_and_pll(board, clock_mhz)
    if not board.is_open or board.family.clock_buffer is None:
        raise BoardError(
            f"{board.name}: a clock that stops must have a gate before its network, but sbgen has none for"
            f" {board.device.name}; leave out --sleep"
        )
    if board.usb_link:
        raise BoardError(
            f"{board.name}: a clock that stops must not be that of a USB device, to which the host speaks all"
            " the time; leave out --sleep"
        )
    if board.oscillator is not None:
        raise BoardError(
            f"{board.name}: a clock that stops must come from an oscillator next to the FPGA, but the clock"
            " of this board comes from one in the FPGA, which would keep running; leave out --sleep"
        )
    if pll is not None:
        raise BoardError(
            f"{board.name}: a clock that stops must be the oscillator's {board.oscillator_mhz:g} MHz, but"
            f" {actual_mhz:g} MHz needs the PLL, which would keep running; leave out --clock, or --sleep"
        )


class BoardTop(wiring.Component):
    """A core on a board, and whatever a subclass puts around it.

    The ports are those of `BoardSpec.pins` and `BoardSpec.high_pins`. They are the package's pins without I/O
    primitives, so the constraint file is enough. Without a PLL (`clock_mhz` is the oscillator's) the design
    has no primitive at all, and any simulator can run it.

    Parameters
    ----------
    core : :class:`wiring.Component`
        With the ports and properties of :class:`sbgen.hw.core.Core`.
    board : :class:`.BoardSpec`
    clock_mhz : :class:`float`, optional
        The clock for everything here; the board's default when left out.
    ports : dict of :class:`wiring.Member`
        Those of `BoardSpec.pins` that the subclass uses in addition, by name.
    io_ports : dict of :class:`IOPort`
        The same for those in both directions, which are ports but no members.
    sleep : :class:`.Sleep`, optional
        Stops the clock; the subclass connects its line. It must be busy after a reset. Without it the clock
        never stops.

    Members
    -------
    clk : :py:`In(1)`
        Only if the oscillator is not in the FPGA.
    led : :py:`Out(1)`
        Only if the board has one on a pin of its own.
    wifi_gpio0 : :py:`Out(1)`
        Always high. Only if the board has such a pin.
    flash_cs, flash_clk, flash_copi, flash_wp, flash_hold : :py:`Out(1)`
    flash_cipo : :py:`In(1)`
        To the SPI flash, only if the core has a `load` port; write protection and hold, which are never
        active, only if the board has them.
    """

    def __init__(
        self,
        *,
        core: Core,
        board: BoardSpec,
        clock_mhz: float | None,
        ports: Mapping[str, Member],
        io_ports: Mapping[str, IOPort] = MappingProxyType({}),
        sleep: Sleep | None = None,
    ):
        self._core = core
        self.io_ports = io_ports
        self.sleep = sleep
        self._board = board
        self._clock_mhz, self._pll = clock_and_pll(board, clock_mhz)
        if sleep is not None:
            require_sleep(board, clock_mhz)
        self._flash_pins = board.flash_pins if core.ram_contents else ()
        led = board.pin("led")
        self._led = None if led is None or led.site in {pin.site for pin in self._flash_pins} else led
        self._used = {"clk", *ports, *io_ports, *(("led",) if self._led else ())}
        super().__init__(
            {
                **({"clk": In(1)} if board.oscillator is None else {}),
                **ports,
                **({"led": Out(1)} if self._led else {}),
                **{pin.port: Out(1) for pin in board.high_pins},
                **{pin.port: In(1) if pin.port == "flash_cipo" else Out(1) for pin in self._flash_pins},
            }
        )

    @property
    def board(self) -> BoardSpec:
        """The board that it is for."""
        return self._board

    @property
    def oscillator_clock(self) -> Signal:
        """The clock of the oscillator, in a design that is elaborated."""
        return self._oscillator_clock

    @property
    def clock_mhz(self) -> float:
        """The clock that the core really gets."""
        return self._clock_mhz

    @property
    def pll(self) -> Pll | None:
        """The PLL that makes the clock, or None for the oscillator."""
        return self._pll

    @property
    def pins(self) -> tuple[Pin, ...]:
        """A :class:`.Pin` for each port."""
        return (
            tuple(pin for pin in self._board.pins if pin.port in self._used)
            + self._board.high_pins
            + self._flash_pins
        )

    @property
    def reset_cycles(self) -> int:
        """Clock cycles from a steady clock to the end of reset, a power of two."""
        oscillator = self._board.oscillator
        seconds = RESET_SECONDS if oscillator is None else max(RESET_SECONDS, oscillator.settle_seconds)
        return 1 << (int(self._clock_mhz * 1e6 * seconds) - 1).bit_length()

    @property
    def load_cycles(self) -> int:
        """Clock cycles from the end of reset until the weights are loaded from the flash; 0 if none are."""
        return self._loader.cycles if self._core.ram_contents else 0

    @cached_property
    def _loader(self) -> FlashLoader:
        image = self._core.ram_contents
        return FlashLoader(
            address=flash_image.OFFSET,
            words=[len(words) for words in image],
            checksum=flash_image.checksum(image),
            pause=int(self._clock_mhz * 1e6 * WAKE_SECONDS),
        )

    @abstractmethod
    def connect_core(self, m: Module, loader: FlashLoader | None) -> Value:
        """Add the core and what is around it; returns the level of the LED, high for on.

        `loader` fills the RAM of the core, if it has any.
        """

    def elaborate(self, platform):
        m = Module()
        self._add_clock(m)
        loader = self._loader if self._core.ram_contents else None
        led = self.connect_core(m, loader)
        if loader is not None:
            m.submodules.loader = loader
            connect(m, loader.load, self._core.load)
            self._connect_flash(m, loader)
        for pin in self._board.high_pins:
            m.d.comb += getattr(self, pin.port).eq(1)
        if self._led:
            m.d.comb += self.led.eq(led ^ self._led.invert)
        return m

    def _add_clock(self, m: Module) -> None:
        """Add the clock domain, and its reset until the clock is steady."""
        board = self._board
        m.domains.sync = sync = ClockDomain(local=True)
        m.domains.por = ClockDomain(local=True, reset_less=True)
        if board.oscillator is None:
            clk = self.clk
        else:
            # Nothing here is called "clk": `simulated.top_level` makes a port of that name.
            clk, sync.clk = Signal(name="oscillator_clk"), Signal(name="sync_clk")
            m.submodules.oscillator = board.oscillator.instance(o=clk)
        self._oscillator_clock = clk
        m.d.comb += ClockSignal("por").eq(sync.clk)

        free = sync.clk
        if self.sleep is not None:
            assert board.family.clock_buffer is not None  # `require_sleep`
            m.submodules.sleep = self.sleep
            m.submodules.buffer = board.family.clock_buffer(i=self.sleep.gated, o=sync.clk)
            free = self.sleep.free

        running = Signal()
        count = Signal(range(self.reset_cycles + 1))
        if self._pll is None:
            m.d.comb += free.eq(clk)
            steady = Const(1)
        else:
            locked, steady = Signal(), Signal()
            m.submodules.pll = self._pll.instance(i=clk, o=free, locked=locked, pad=board.clock_is_pll_pad)
            m.submodules.locked = FFSynchronizer(locked, steady, o_domain="por")
        m.d.comb += [running.eq(count[-1]), sync.rst.eq(~running)]
        # A PLL that loses its lock may run too fast and leave anything in the registers: reset starts again.
        # Both edges of the lock go through the synchroniser, as the reset is synchronous.
        with m.If(~steady):
            m.d.por += count.eq(0)
        with m.Elif(~running):
            m.d.por += count.eq(count + 1)

    def _connect_flash(self, m: Module, loader: FlashLoader) -> None:
        """Connect the loader to the pins of the flash."""
        levels = {"flash_cs": loader.cs, "flash_clk": loader.clk, "flash_copi": loader.copi}
        for pin in self._flash_pins:
            if pin.port == "flash_cipo":
                m.d.comb += loader.cipo.eq(self.flash_cipo ^ pin.invert)
            else:
                m.d.comb += getattr(self, pin.port).eq(levels.get(pin.port, 0) ^ pin.invert)
