"""A circuit for a proof: a component, a free environment, and the violations that must not occur."""

from collections.abc import Callable, Sequence
from typing import Any

from amaranth.hdl import ClockDomain, Fragment, Module, Mux, Shape, ShapeLike, Signal, Value, ValueLike
from amaranth.lib import stream, wiring

__all__ = ["Circuit"]


class Circuit:
    """A component with free inputs and violations.

    Nothing here is random: a free input stands for every sequence of values, a constant for every value. A
    proof holds for all of them, in every cycle, from power-on and with a reset in any cycle.

    Parameters
    ----------
    component : :class:`wiring.Component`
        It is elaborated once. Parts of it can then be replaced by modules with at least their behaviours.

    Attributes
    ----------
    m : :class:`Module`
        Module of the specification. The reset, which is a free input, resets it together with the component.
    """

    def __init__(self, component: wiring.Component) -> None:
        self.component = component
        self.m = Module()
        self.m.domains.sync = self._domain = ClockDomain()
        self._fragment = Fragment.get(component, None)
        self.m.submodules.dut = self._fragment
        self._inputs: list[Signal] = []
        self._violations: dict[str, Signal] = {}
        self._first: Signal | None = None

    @property
    def inputs(self) -> list[Signal]:
        """The clock and the reset, then every free input."""
        return [self._domain.clk, self._domain.rst, *self._inputs]

    @property
    def violations(self) -> dict[str, Signal]:
        """By name, the signals that must be 0 in every cycle."""
        return dict(self._violations)

    @property
    def first(self) -> Signal:
        """1 in the first cycle after a reset."""
        if self._first is None:
            self._first = Signal(init=1, name="first_cycle")
            self.m.d.sync += self._first.eq(0)
        return self._first

    def free(self, shape: ShapeLike = 1, *, name: str) -> Signal:
        """A signal with any value in any cycle."""
        signal = Signal(Shape.cast(shape), name=f"free_{name}")
        self._inputs.append(signal)
        return signal

    def constant(self, limit: int, *, name: str) -> Signal:
        """Any number of ``0 ... limit - 1``, the same until a reset."""
        chosen, kept = self.free(range(limit), name=name), Signal(range(limit), name=f"kept_{name}")
        value = Signal(range(limit), name=name)
        self.m.d.comb += value.eq(Mux(self.first, Mux(chosen < limit, chosen, 0), kept))
        self.m.d.sync += kept.eq(value)
        return value

    def table(self, index: Value, values: Sequence[int], *, name: str) -> Signal:
        """The `index`-th of some constants."""
        value = Signal(range(max(values) + 1), name=name)
        with self.m.Switch(index):
            for n, each in enumerate(values):
                with self.m.Case(n):
                    self.m.d.comb += value.eq(each)
        return value

    def delayed(self, value: Value, cycles: int, *, name: str) -> Value:
        """What `value` was some cycles ago; 0 before that."""
        for n in range(cycles):
            later = Signal(len(value), name=f"{name}_{n + 1}_ago")
            self.m.d.sync += later.eq(value)
            value = later
        return value

    def never(self, name: str, condition: ValueLike) -> None:
        """State that `condition` must not hold in any cycle."""
        self._violations[name] = violation = Signal(name=f"violation_{len(self._violations)}")
        self.m.d.comb += violation.eq(Value.cast(condition).bool())

    def offer(
        self, port: stream.Interface, *, payload: Callable[[Value], Value] | None = None, name: str = ""
    ) -> Signal:
        """Let the environment offer anything on an input stream of the component, within the contract: an
        offered payload stays until it is taken.

        Parameters
        ----------
        payload : callable, optional
            Maps any value to one that the environment can offer (with unused lanes of 0, say).

        Returns
        -------
        Signal
            A payload is taken in this cycle.
        """
        value, waiting = Value.cast(port.payload), Signal(name=f"{name}waiting")
        kept, taken = Signal(len(value), name=f"{name}waiting_payload"), Signal(name=f"{name}push")
        anything = self.free(len(value), name=f"{name}payload")
        self.m.d.comb += [
            port.valid.eq(waiting | self.free(name=f"{name}valid")),
            value.eq(Mux(waiting, kept, payload(anything) if payload else anything)),
            taken.eq(port.valid & port.ready),
        ]
        self.m.d.sync += [waiting.eq(port.valid & ~port.ready), kept.eq(value)]
        return taken

    def take(self, port: stream.Interface, *, name: str = "") -> Signal:
        """Let the environment take payloads from an output stream of the component in any cycle; an offered
        payload must stay until then.

        Returns
        -------
        Signal
            A payload is taken in this cycle.
        """
        value, refused = Value.cast(port.payload), Signal(name=f"{name}refused")
        was, taken = Signal(len(value), name=f"{name}refused_payload"), Signal(name=f"{name}pop")
        self.m.d.comb += [port.ready.eq(self.free(name=f"{name}ready")), taken.eq(port.valid & port.ready)]
        self.m.d.sync += [refused.eq(port.valid & ~port.ready), was.eq(value)]
        self.never(
            f"a payload {f'of {name[:-1]} ' if name else ''}changed or left before it was taken",
            refused & (~port.valid | (value != was)),
        )
        return taken

    def replace(self, kind: type, make: Callable[[Any], Module | None]) -> int:
        """Replace every part of the component that is a `kind` by a module.

        Parameters
        ----------
        kind : type
            Class of a component, or :class:`MemoryInstance`.
        make : callable
            Returns the :class:`Module` that drives the outputs of a part instead of it, or None to leave the
            part.

        Returns
        -------
        int
            Number of replaced parts.
        """

        def walk(fragment: Fragment) -> int:
            count = 0
            for n, (part, name, src_loc) in enumerate(fragment.subfragments):
                found = (
                    [part]
                    if isinstance(part, kind)
                    else [each for each in part.origins or () if isinstance(each, kind)]
                )
                module = make(found[0]) if found else None
                if module is not None:
                    fragment.subfragments[n] = Fragment.get(module, None), name, src_loc
                    count += 1
                else:
                    count += walk(part)
            return count

        return walk(self._fragment)
