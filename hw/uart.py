"""An asynchronous serial receiver and transmitter (UART): 8 data bits, least significant first, no parity, 1
stop bit.
"""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

__all__ = ["MINIMUM_DIVISOR", "Rx", "Tx", "baud_error", "divisor"]

#: Minimum clock cycles per bit: with fewer, the receiver cannot sample near the middle of a bit.
MINIMUM_DIVISOR = 4


def divisor(*, clock_hz: float, baud: float) -> int:
    """Clock cycles per bit, rounded to the nearest whole number."""
    return max(1, int(clock_hz / baud + 0.5))


def baud_error(*, clock_hz: float, baud: float) -> float:
    """Relative deviation of the rate with the rounded divisor from `baud`.

    The receiver resynchronises at each start bit and samples the stop bit 9.5 bits later, so the deviations
    of both ends together may be about 5 %.
    """
    return clock_hz / divisor(clock_hz=clock_hz, baud=baud) / baud - 1


def _check_divisor(divisor: int) -> None:
    if divisor < MINIMUM_DIVISOR:
        raise ValueError(f"divisor must be at least {MINIMUM_DIVISOR} clock cycles per bit, not {divisor!r}")


class Rx(wiring.Component):
    """Receives bytes.

    A byte is valid two to three cycles after the middle of its stop bit. The line is sampled again in the
    middle of the start bit, so a glitch is not taken for a byte. A byte without a stop bit (a framing error)
    is dropped, and the receiver waits for the next falling edge. A byte that arrives before the previous one
    has been taken is dropped too.

    Parameters
    ----------
    divisor : :class:`int`
        Clock cycles per bit, at least `MINIMUM_DIVISOR`.

    Members
    -------
    rx : :py:`In(1)`
        The line, asynchronous to the clock; high while idle.
    o : :py:`Out(stream.Signature(8))`
    """

    o: stream.Interface

    def __init__(self, *, divisor: int):
        _check_divisor(divisor)
        self._divisor = divisor
        super().__init__({"rx": In(1, init=1), "o": Out(stream.Signature(8))})

    @property
    def divisor(self) -> int:
        """Clock cycles per bit."""
        return self._divisor

    def elaborate(self, platform):
        m = Module()

        line = Signal(init=1)
        before = Signal(init=1)
        timer = Signal(range(self._divisor))
        due = Signal()  # from a flip-flop: the timer is at 0
        # A 1 travels ahead of the data bits; when it reaches bit 0, all eight are received.
        shift = Signal(9)

        m.submodules.synchronizer = FFSynchronizer(self.rx, line, init=1)
        m.d.sync += [before.eq(line), timer.eq(timer - 1), due.eq(timer == 1)]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)

        with m.FSM():
            with m.State("Idle"):
                m.d.sync += [timer.eq(self._divisor // 2 - 1), due.eq(0)]
                with m.If(before & ~line):
                    m.next = "Start"

            with m.State("Start"), m.If(due):
                m.d.sync += [timer.eq(self._divisor - 1), shift.eq(1 << 8)]
                with m.If(line):
                    m.next = "Idle"
                with m.Else():
                    m.next = "Data"

            with m.State("Data"), m.If(due):
                m.d.sync += timer.eq(self._divisor - 1)
                with m.If(shift[0]):
                    with m.If(line & ~self.o.valid):
                        m.d.sync += [self.o.payload.eq(shift[1:]), self.o.valid.eq(1)]
                    m.next = "Idle"
                with m.Else():
                    m.d.sync += shift.eq(Cat(shift[1:], line))

        return m


class Tx(wiring.Component):
    """Transmits bytes.

    A byte takes ten bits, plus one cycle before the next.

    Parameters
    ----------
    divisor : :class:`int`
        Clock cycles per bit, at least `MINIMUM_DIVISOR`.

    Members
    -------
    i : :py:`In(stream.Signature(8))`
        Ready while the line is idle. From a flip-flop.
    tx : :py:`Out(1)`
        The line, straight from a flip-flop; high while idle.
    """

    i: stream.Interface

    def __init__(self, *, divisor: int):
        _check_divisor(divisor)
        self._divisor = divisor
        super().__init__({"i": In(stream.Signature(8)), "tx": Out(1, init=1)})

    @property
    def divisor(self) -> int:
        """Clock cycles per bit."""
        return self._divisor

    def elaborate(self, platform):
        m = Module()

        busy = Signal()
        timer = Signal(range(self._divisor))
        # Start bit, data, stop bit. Only zeros follow the stop bit, so nothing else is left when it is on the
        # line.
        shift = Signal(10, init=1)

        # From flip-flops: the timer is at 0, and more bits follow the present one.
        due, more = Signal(), Signal()

        m.d.comb += [self.tx.eq(shift[0]), self.i.ready.eq(~busy)]
        m.d.sync += [due.eq(busy & (timer == 1)), more.eq(shift[1:] != 0)]
        with m.If(~busy):
            m.d.sync += timer.eq(self._divisor - 1)
            with m.If(self.i.valid):
                m.d.sync += [shift.eq(Cat(0, self.i.payload, 1)), busy.eq(1)]
        with m.Elif(~due):
            m.d.sync += timer.eq(timer - 1)
        with m.Elif(more):
            m.d.sync += [timer.eq(self._divisor - 1), shift.eq(shift[1:])]
        with m.Else():
            m.d.sync += busy.eq(0)

        return m
