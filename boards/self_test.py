"""The top level of a board that tests itself: stored images around the core, and the LED says the result. ::

SelfTest -> core -> SelfTest -> led: on for pass, blinking for fail
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib.wiring import connect

from ..errors import BoardError
from ..hw.flash_loader import LOADED, LOADING, FlashLoader
from ..hw.self_test import Parameters, SelfTest
from .board_top import BoardTop

if TYPE_CHECKING:
    from ..hw.core import Core
    from .board_spec import BoardSpec

__all__ = ["BLINK_SECONDS", "SelfTestTop"]

#: About how long the LED is on, and off, while it blinks.
BLINK_SECONDS = 0.2


class SelfTestTop(BoardTop):
    """A core on a board without a host: it is given stored images for ever.

    Parameters
    ----------
    core, board, clock_mhz
        As in :class:`.BoardTop`.
    parameters : :class:`sbgen.hw.self_test.Parameters`
    blink_seconds : :class:`float`
        About half the period in which the LED blinks.

    Raises
    ------
    BoardError
        When the board has no LED that can be used.

    Members
    -------
    led : :py:`Out(1)`
        Off until all images have been through the core once; then on, as long as each result is the expected
        one; from the first other result on it blinks. The other ports are those of :class:`.BoardTop`.
    """

    def __init__(
        self,
        *,
        core: Core,
        board: BoardSpec,
        parameters: Parameters,
        clock_mhz: float | None = None,
        blink_seconds: float = BLINK_SECONDS,
    ):
        super().__init__(core=core, board=board, clock_mhz=clock_mhz, ports={})
        if self._led is None:
            why = board.left_out or f"{board.name} has none that sbgen knows"
            raise BoardError(
                f"a self-test must have a LED to show its result, but: {why}; leave out --selftest"
            )
        self._parameters = parameters
        self._blink_bit = max(1, round(self.clock_mhz * 1e6 * blink_seconds)).bit_length()

    @property
    def parameters(self) -> Parameters:
        """Those that it was created from."""
        return self._parameters

    @property
    def led_inverted(self) -> bool:
        """Whether a low level of ``led`` is on."""
        assert self._led is not None
        return self._led.invert

    @property
    def blink_cycles(self) -> int:
        """Clock cycles in which the LED is on, and then off, while it blinks."""
        return 1 << self._blink_bit

    def connect_core(self, m: Module, loader: FlashLoader | None) -> Value:
        m.submodules.test = test = SelfTest(self._parameters)
        m.submodules.core = core = self._core
        connect(m, test.pixels, core.i)
        connect(m, core.o, test.results)

        # Weights that came wrong from the flash are a failure like any other.
        unloaded = Signal()
        if loader is None:
            m.d.comb += test.run.eq(1)
        else:
            m.d.comb += [
                test.run.eq(loader.state == LOADED),
                unloaded.eq((loader.state != LOADED) & (loader.state != LOADING)),
            ]
        count = Signal(self._blink_bit + 1)
        m.d.sync += count.eq(count + 1)
        led = Signal()
        m.d.sync += led.eq(Mux(test.failed | unloaded, count[-1], test.passed))
        return led
