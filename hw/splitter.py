"""Positions that were computed side by side, one after the other."""

from dataclasses import dataclass
from typing import ClassVar

from amaranth.hdl import Cat, Module, Mux, ShapeLike, Signal, Value
from amaranth.lib import data
from amaranth.lib.wiring import connect, flipped

from . import replay
from .part import Part, PartComponent
from .queue import Queue
from .rom import STORES

__all__ = ["Parameters", "Splitter"]


@dataclass(frozen=True, kw_only=True)
class Parameters(Part):
    """What a splitter is created from.

    Parameters
    ----------
    element : :class:`ShapeLike`
        Shape of one output of a position.
    lanes : :class:`int`
        Outputs of a position in a beat.
    at_once : :class:`int`
        Positions side by side in a beat that it takes, at least 2.
    beats : :class:`int`
        Beats of a position.
    row : :class:`int`
        Positions of a row. What comes past the last one of a row is left out.
    pace : :class:`int`
        Cycles between two beats that it takes, for which its queues are made: they then hold what comes while
        the positions before leave.
    store : :class:`str`
        Where beats wait: in ``"lut"`` queues, or in two banks of a memory in ``"bram"``.
    """

    rtl_name: ClassVar[str] = "splitter"

    element: ShapeLike
    lanes: int
    at_once: int
    beats: int
    row: int
    pace: int = 1
    store: str = "lut"

    def __post_init__(self) -> None:
        for name, least in ("lanes", 1), ("at_once", 2), ("beats", 1), ("row", 1), ("pace", 1):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, not {getattr(self, name)!r}")
        if self.store not in STORES:
            raise ValueError(f"store must be one of {', '.join(STORES)}, not {self.store!r}")

    @property
    def steps(self) -> int:
        """Times that positions come side by side, for a row."""
        return -(-self.row // self.at_once)

    @property
    def last(self) -> int:
        """Positions of a row's last step."""
        return self.row - (self.steps - 1) * self.at_once

    @property
    def depths(self) -> tuple[int, ...]:
        """Places of the queue of each of the positions side by side."""
        meanwhile = min(self.beats, -(-(self.at_once - 1) * self.beats // self.pace))
        return 1 + meanwhile, *(self.beats + meanwhile,) * (self.at_once - 1)

    @property
    def banks(self) -> replay.Parameters:
        """The memory from which beats are read once for each position."""
        return replay.Parameters(shape=self.i_shape, beats=self.beats, repeats=self.at_once, store=self.store)

    @property
    def word(self) -> data.ArrayLayout:
        """Shape of a beat of one position."""
        return data.ArrayLayout(self.element, self.lanes)

    @property
    def i_shape(self) -> data.ArrayLayout:
        return data.ArrayLayout(self.element, self.lanes * self.at_once)

    @property
    def o_shape(self) -> data.ArrayLayout:
        return self.word

    def o_beats(self, i_beats: int) -> int:
        return i_beats // self.steps * self.row

    def busy(self, i_beats: int) -> int:
        return i_beats * self.at_once if self.store == "bram" else super().busy(i_beats)

    def create(self) -> "Splitter":
        return Splitter(self)


class Splitter(PartComponent[Parameters]):
    """Takes the outputs of several positions side by side, beat by beat, and outputs one position after the
    other, each of `beats` beats.

    In LUTs each position has a queue. A beat is taken when all queues have room, and is output from the next
    cycle on, when the positions before have left. In block RAM the beats are replayed once for each position,
    and also where there is none.

    Parameters
    ----------
    parameters : :class:`Parameters`

    Members
    -------
    i : :py:`In(stream.Signature(ArrayLayout(element, lanes * at_once)))`
        The outputs of the first position, then those of the second, and so on.
    o : :py:`Out(stream.Signature(ArrayLayout(element, lanes)))`
    """

    def elaborate(self, platform):
        m = Module()
        if self._parameters.store == "bram":
            self._replay(m)
        else:
            self._queue(m)
        return m

    def _queue(self, m: Module) -> None:
        p = self._parameters
        queues = [Queue(shape=p.word, depth=depth) for depth in p.depths]
        ready, ends = Signal(), Signal()
        m.d.comb += [ready.eq(Cat(queue.i.ready for queue in queues).all()), self.i.ready.eq(ready)]
        # The last step of a row has fewer positions.
        beat, step = Signal(range(p.beats)), Signal(range(p.steps))
        with m.If(self.i.valid & ready):
            m.d.sync += beat.eq(Mux(beat == p.beats - 1, 0, beat + 1))
            with m.If(beat == p.beats - 1):
                m.d.sync += step.eq(Mux(step == p.steps - 1, 0, step + 1))
        m.d.comb += ends.eq(step == p.steps - 1)
        bits = len(self.o.payload.as_value())
        for n, queue in enumerate(queues):
            m.submodules[f"queue_{n}"] = queue
            there = ~ends if n >= p.last else 1
            m.d.comb += [
                queue.i.valid.eq(self.i.valid & ready & there),
                queue.i.payload.eq(self.i.payload.as_value().word_select(n, bits)),
            ]
        position, _ = self._turns(m, self.o.valid & self.o.ready, last_step=p.last)
        with m.Switch(position):
            for n, queue in enumerate(queues):
                with m.Case(n):
                    m.d.comb += [
                        self.o.valid.eq(queue.o.valid),
                        self.o.payload.eq(queue.o.payload),
                        queue.o.ready.eq(self.o.ready),
                    ]

    def _replay(self, m: Module) -> None:
        p = self._parameters
        m.submodules.banks = banks = p.banks.create()
        connect(m, flipped(self.i), banks.i)
        position, ends = self._turns(m, banks.o.valid & banks.o.ready, last_step=p.at_once)
        past = Signal()
        m.d.comb += [
            past.eq(ends & (position >= p.last)),
            self.o.valid.eq(banks.o.valid & ~past),
            banks.o.ready.eq(self.o.ready | past),
            self.o.payload.as_value().eq(
                banks.o.payload.as_value().word_select(position, len(self.o.payload.as_value()))
            ),
        ]

    def _turns(self, m: Module, step_on: Value, *, last_step: int) -> tuple[Signal, Value]:
        """Count the beats of each position, with so many in a row's last step.

        Returns the position among those side by side, and whether it is the row's last step.
        """
        p = self._parameters
        position, beat = Signal(range(p.at_once)), Signal(range(p.beats))
        step = Signal(range(p.steps))
        last = Signal()
        ends = step == p.steps - 1
        m.d.comb += last.eq(position == Mux(ends, last_step - 1, p.at_once - 1))
        with m.If(step_on):
            m.d.sync += beat.eq(Mux(beat == p.beats - 1, 0, beat + 1))
            with m.If(beat == p.beats - 1):
                m.d.sync += position.eq(Mux(last, 0, position + 1))
                with m.If(last):
                    m.d.sync += step.eq(Mux(ends, 0, step + 1))
        return position, ends
