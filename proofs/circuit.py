"""A circuit to be proved: a component, everything that may happen around it, and what must never be seen."""

from amaranth.hdl import ClockDomain, Fragment, Module, Mux, Shape, Signal, Value

__all__ = ["Circuit"]


class Circuit:
    """A component among free inputs and violations.

    Nothing here is random: a free input stands for every sequence of values at once, a constant for every
    value. What a proof shows holds for all of them, in every cycle, from power-on and with a reset in any
    cycle.

    Parameters
    ----------
    component : :class:`wiring.Component`
        It is elaborated once; parts of it may then be replaced by what may do more than they can.

    Attributes
    ----------
    m : :class:`Module`
        Where specifications are written; a reset, which is a free input, resets them as it resets
        the component.
    """

    def __init__(self, component):
        self.component = component
        self.m = Module()
        self.m.domains.sync = self._domain = ClockDomain()
        self._fragment = Fragment.get(component, None)
        self.m.submodules.dut = self._fragment
        self._inputs, self._violations, self._first = [], {}, None

    @property
    def inputs(self):
        """The clock and the reset, then every free input."""
        return [self._domain.clk, self._domain.rst, *self._inputs]

    @property
    def violations(self):
        """By name, the signals that must be 0 in every cycle."""
        return dict(self._violations)

    @property
    def first(self):
        """1 in the first cycle after a reset."""
        if self._first is None:
            self._first = Signal(init=1, name="first_cycle")
            self.m.d.sync += self._first.eq(0)
        return self._first

    def free(self, shape=1, *, name):
        """A signal that may have any value in any cycle."""
        signal = Signal(Shape.cast(shape), name=f"free_{name}")
        self._inputs.append(signal)
        return signal

    def constant(self, limit, *, name):
        """Any number of ``0 ... limit - 1``, the same until a reset."""
        chosen, kept = self.free(range(limit), name=name), Signal(range(limit), name=f"kept_{name}")
        value = Signal(range(limit), name=name)
        self.m.d.comb += value.eq(Mux(self.first, Mux(chosen < limit, chosen, 0), kept))
        self.m.d.sync += kept.eq(value)
        return value

    def table(self, index, values, *, name):
        """The `index`-th of some constants."""
        value = Signal(range(max(values) + 1), name=name)
        with self.m.Switch(index):
            for n, each in enumerate(values):
                with self.m.Case(n):
                    self.m.d.comb += value.eq(each)
        return value

    def delayed(self, value, cycles, *, name):
        """What `value` was some cycles ago; 0 before that."""
        for n in range(cycles):
            later = Signal(len(value), name=f"{name}_{n + 1}_ago")
            self.m.d.sync += later.eq(value)
            value = later
        return value

    def never(self, name, condition):
        """What must not happen in any cycle."""
        self._violations[name] = violation = Signal(name=f"violation_{len(self._violations)}")
        self.m.d.comb += violation.eq(Value.cast(condition).bool())

    def offer(self, stream, *, payload=None, name=""):
        """Let the environment offer anything on a stream into the component, and keep to the contract: what
        it offers stays until it is taken.

        Parameters
        ----------
        payload : callable, optional
            What it can offer, from any value (where unused lanes are 0, say).

        Returns
        -------
        Signal
            A payload is taken in this cycle.
        """
        value, waiting = Value.cast(stream.payload), Signal(name=f"{name}waiting")
        kept, taken = Signal(len(value), name=f"{name}waiting_payload"), Signal(name=f"{name}push")
        anything = self.free(len(value), name=f"{name}payload")
        self.m.d.comb += [
            stream.valid.eq(waiting | self.free(name=f"{name}valid")),
            value.eq(Mux(waiting, kept, payload(anything) if payload else anything)),
            taken.eq(stream.valid & stream.ready),
        ]
        self.m.d.sync += [waiting.eq(stream.valid & ~stream.ready), kept.eq(value)]
        return taken

    def take(self, stream, *, name=""):
        """Let the environment take what comes on a stream out of the component in any cycle; what is offered
        must stay until then.

        Returns
        -------
        Signal
            A payload is taken in this cycle.
        """
        value, refused = Value.cast(stream.payload), Signal(name=f"{name}refused")
        was, taken = Signal(len(value), name=f"{name}refused_payload"), Signal(name=f"{name}pop")
        self.m.d.comb += [
            stream.ready.eq(self.free(name=f"{name}ready")),
            taken.eq(stream.valid & stream.ready),
        ]
        self.m.d.sync += [refused.eq(stream.valid & ~stream.ready), was.eq(value)]
        self.never(
            f"a payload {f'of {name[:-1]} ' if name else ''}changed or left before it was taken",
            refused & (~stream.valid | (value != was)),
        )
        return taken

    def replace(self, kind, make):
        """Replace every part of the component that was made from a `kind` by a module.

        Parameters
        ----------
        kind : type
            Of a component, or :class:`MemoryInstance`.
        make : callable
            From the part to the :class:`Module` that drives its outputs instead of it, or to None to leave
            it.

        Returns
        -------
        int
            How many were replaced.
        """

        def walk(fragment):
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
