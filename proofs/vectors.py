"""The contract of a component that maps vectors to vectors, stated without looking inside.

A vector enters and leaves as a number of beats. The environment offers anything at any time, and takes at any
time. One arbitrary vector is *marked*; what is proved of it holds for all::

    offered --> component --> output       counted on both sides; the beats of the marked vector are
                                           compared with its input
"""

from collections.abc import Callable, Mapping
from functools import partial

from amaranth.hdl import Module, Mux, ShapeLike, Signal, Value, ValueLike

from .circuit import Circuit

__all__ = ["Count", "Vectors"]


class Count:
    """The position of a stream in its vectors: nested counters, the innermost first.

    Parameters
    ----------
    m : :class:`Module`
    loops : dict of str to :class:`int`
        Iterations of each loop, the innermost first.
    step : Value
        A beat is transferred.
    """

    def __init__(self, m: Module, *, loops: dict[str, int], step: Value, name: str) -> None:
        self.at, ends, self.starts = {}, 1, 1
        self.loops = loops
        for each, turns in loops.items():
            counter = self.at[each] = Signal(range(turns), name=f"{name}_{each}")
            last = counter == turns - 1
            with m.If(step & ends):
                m.d.sync += counter.eq(Mux(last, 0, counter + 1))
            ends, self.starts = ends & last, self.starts & (counter == 0)
        self.last = Signal(name=f"{name}_last")
        m.d.comb += self.last.eq(ends)

    def is_at(self, place: Mapping[str, ValueLike]) -> Value:
        """Whether the counters have the values in `place`."""
        found = 1
        for name, value in place.items():
            found = found & (self.at[name] == value)
        return found


class Vectors:
    """A component with one input and one output stream in a free environment.

    Parameters
    ----------
    circuit : Circuit
        Of a component with streams `i` and `o`.
    i_loops, o_loops : dict of str to :class:`int`
        Beats of a vector as nested loops, the innermost first.
    capacity : :class:`int`
        Maximum complete vectors inside the component.
    patience : :class:`int`
        Maximum cycles until a due output or acceptance.
    i_payload : callable, optional
        Maps any value to one that the environment can offer (with unused lanes of 0, say).
    """

    def __init__(
        self,
        circuit: Circuit,
        *,
        i_loops: dict[str, int],
        o_loops: dict[str, int],
        capacity: int,
        patience: int,
        i_payload: Callable[[Count, Value], Value] | None = None,
    ) -> None:
        self.circuit, m = circuit, circuit.m
        dut = circuit.component
        self.m, self.i, self.o = m, dut.i, dut.o
        push = self.push = Signal(name="i_taken")
        self.taken = Count(m, loops=i_loops, step=push, name="taken")
        payload = None if i_payload is None else partial(i_payload, self.taken)
        m.d.comb += push.eq(circuit.offer(dut.i, payload=payload))
        pop = self.pop = circuit.take(dut.o)
        self.given = Count(m, loops=o_loops, step=pop, name="given")

        # Complete vectors inside.
        inside = self.inside = Signal(range(capacity + 2), name="inside")
        m.d.sync += inside.eq(inside + (push & self.taken.last) - (pop & self.given.last))
        circuit.never("more inside than there is room for", inside == capacity + 1)
        circuit.never(
            "something came out of nothing", dut.o.valid & (inside == 0) & self.taken.starts & ~dut.i.valid
        )

        # What is due happens, whatever the other side does meanwhile.
        self._within("an output that was owed did not come", patience, (inside != 0) & ~dut.o.valid)
        self._within(
            "an input was refused for ever", patience, dut.i.valid & ~dut.i.ready & dut.o.ready & ~dut.o.valid
        )

        # The marked vector.
        begins = dut.i.valid & self.taken.starts
        marked, ended, done = Signal(name="marked"), Signal(name="marked_taken"), Signal(name="marked_given")
        mark, ahead = Signal(name="mark"), Signal(range(capacity + 2), name="ahead")
        m.d.comb += mark.eq(begins & ~marked & circuit.free(name="mark"))
        now_ahead = Mux(mark, inside, ahead)
        m.d.sync += ahead.eq(now_ahead - (pop & self.given.last & (now_ahead != 0)))
        with m.If(mark):
            m.d.sync += marked.eq(1)
        self.entering = Signal(name="marked_entering")
        self.leaving = Signal(name="marked_leaving")
        m.d.comb += [
            self.entering.eq((marked & ~ended | mark) & dut.i.valid),
            self.leaving.eq((marked & ~done | mark) & (now_ahead == 0) & dut.o.valid),
        ]
        with m.If(self.entering & push & self.taken.last):
            m.d.sync += ended.eq(1)
        with m.If(self.leaving & pop & self.given.last):
            m.d.sync += done.eq(1)

    def _within(self, name: str, cycles: int, condition: Value) -> None:
        waited = Signal(range(cycles + 1), name=f"waited_{len(self.circuit.violations)}")
        with self.m.If(condition):
            self.m.d.sync += waited.eq(waited + (waited != cycles))
        with self.m.Else():
            self.m.d.sync += waited.eq(0)
        self.circuit.never(name, waited == cycles)

    def captured(
        self, shape: ShapeLike, *, place: Mapping[str, ValueLike], value: Value, name: str = "source"
    ) -> tuple[Value, Value]:
        """The contents of one beat of the marked vector, and whether that beat has been offered yet.

        Parameters
        ----------
        place : dict of str to Value
            Position of the beat in `i_loops`.
        value : Value
            What to capture.

        Returns
        -------
        pair of Value
            Whether it has been offered, and the captured value.
        """
        m = self.m
        here = Signal(name=f"{name}_here")
        known, kept = Signal(name=f"{name}_known"), Signal(shape, name=f"{name}_kept")
        m.d.comb += here.eq(self.entering & self.taken.is_at(place))
        with m.If(here):
            m.d.sync += [known.eq(1), kept.eq(value)]
        return known | here, Mux(here, value, kept)
