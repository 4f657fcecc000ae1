"""A layer whose weights are wired in: a network of look-up tables that computes one vector each cycle."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from amaranth.hdl import Cat, Const, Module, Shape, ShapeLike, Signal, Value, unsigned
from amaranth.lib import data

from .part import Part, PartComponent

__all__ = ["Parameters", "Unrolled"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Parameters(Part):
    """A network of look-up tables, and how it is cut by registers.

    A *place* is the number of a bit: 0 is the constant 0, then come the bits of the inputs (of the first
    input, lowest first, then of the second, ...), then the tables in order. A *literal* is twice a place, and
    one more where the bit is inverted.

    Parameters
    ----------
    inputs : :class:`int`
        Elements of an input vector.
    planes : :class:`int`
        Bits of an input.
    tables : tuple of (:class:`int`, tuple of :class:`int`)
        For each table its contents and the places of its inputs, all before it: bit ``n`` of the contents is
        its value where the inputs, the first lowest, read ``n``.
    outputs : tuple of tuple of :class:`int`
        For each output the literals of its bits, the lowest first.
    element : :class:`ShapeLike`
        Shape of one output.
    levels : :class:`int`
        Maximum of tables that a bit passes between two registers.
    """

    rtl_name: ClassVar[str] = "unrolled"

    inputs: int
    tables: tuple[tuple[int, tuple[int, ...]], ...]
    outputs: tuple[tuple[int, ...], ...]
    element: ShapeLike
    levels: int
    planes: int = 1

    def __post_init__(self) -> None:
        if self.levels < 1:
            raise ValueError(f"levels must be at least 1, not {self.levels!r}")
        if any(len(bits) != self.sum_width for bits in self.outputs):
            raise ValueError(f"each output must have {self.sum_width} bits")
        for place, (_, ins) in enumerate(self.tables, start=self.first_table):
            if not all(0 < each < place for each in ins):
                raise ValueError(f"the table at place {place} must take places before it, not {ins}")

    @property
    def first_table(self) -> int:
        """The place of the first table."""
        return 1 + self.inputs * self.planes

    @cached_property
    def depths(self) -> tuple[int, ...]:
        """For each place the maximum of tables that a bit passes on its way there, itself included."""
        depths = [0] * self.first_table
        for _, ins in self.tables:
            depths.append(1 + max(depths[place] for place in ins))
        return tuple(depths)

    @property
    def depth(self) -> int:
        """The maximum of tables that a bit passes."""
        return max(self.depths[literal >> 1] for bits in self.outputs for literal in bits)

    @property
    def latency(self) -> int:
        """Registers that a vector passes, at least one."""
        return max(1, -(-self.depth // self.levels))

    def stage(self, place: int) -> int:
        """The register, counted from 0, before which the bit at a place is computed; that of inputs is 0."""
        return max(0, self.depths[place] - 1) // self.levels

    @cached_property
    def held(self) -> tuple[tuple[int, ...], ...]:
        """For each register but the last the places whose bits it holds, in order."""
        last: dict[int, int] = {}  # the last register before which a place is needed
        for place, (_, ins) in enumerate(self.tables, start=self.first_table):
            for each in ins:
                last[each] = max(last.get(each, 0), self.stage(place))
        for bits in self.outputs:
            last |= {literal >> 1: self.latency - 1 for literal in bits if literal > 1}
        return tuple(
            tuple(sorted(place for place, end in last.items() if self.stage(place) <= at < end))
            for at in range(self.latency - 1)
        )

    @property
    def registers(self) -> int:
        """Flip-flops."""
        return sum(map(len, self.held)) + sum(map(len, self.outputs)) + self.latency

    # As in `sbgen.hw.mvtu.Parameters`, for a layer that takes one cycle per vector.

    @property
    def simd(self) -> int:
        return self.inputs

    @property
    def pe(self) -> int:
        return len(self.outputs)

    groups = slices = halves = beats = plane_beats = cycles = 1

    @property
    def sum_width(self) -> int:
        """Bits of an output."""
        return Shape.cast(self.element).width

    @property
    def queue_depth(self) -> int:
        """Maximum of vectors that the registers hold."""
        return self.latency

    def compute(self, vector: Sequence[int]) -> list[int]:
        """The outputs for one input vector, a sequence of `inputs` numbers of `planes` bits."""
        values = [0] + [value >> plane & 1 for value in vector for plane in range(self.planes)]
        for contents, ins in self.tables:
            values.append(contents >> sum(values[place] << n for n, place in enumerate(ins)) & 1)
        sums = [
            sum((values[literal >> 1] ^ literal & 1) << n for n, literal in enumerate(bits))
            for bits in self.outputs
        ]
        top = self.sum_width - 1
        return (
            [value - (value >> top << top + 1) for value in sums] if Shape.cast(self.element).signed else sums
        )

    @property
    def i_shape(self) -> data.ArrayLayout:
        return data.ArrayLayout(unsigned(self.planes), self.inputs)

    @property
    def o_shape(self) -> data.ArrayLayout:
        return data.ArrayLayout(self.element, self.pe)

    def create(self) -> "Unrolled":
        return Unrolled(self)


def _lookup(contents: int, ins: Sequence[Value]) -> tuple[Value | None, int | None]:
    """The bits of equal tables side by side; `ins` are their inputs, each a value of as many bits."""
    if not ins:
        return None, contents
    *ins, top = ins
    half = 1 << len(ins)
    full = (1 << half) - 1
    low, high = contents & full, contents >> half
    if low == high:
        return _lookup(low, ins)
    value, constant = _lookup(low, ins)
    if low ^ high == full:
        return (~top if constant else top) if value is None else value ^ top, None
    other, other_constant = _lookup(high, ins)
    if value is None:
        return ~top | other if constant else top & other, None
    if other is None:
        return top | value if other_constant else ~top & value, None
    return top & other | ~top & value, None


class Unrolled(PartComponent[Parameters]):
    """Computes a whole layer in each cycle by a network of look-up tables.

    It takes a vector in one beat and outputs all results in one beat, `latency` cycles later. All registers
    move together: a vector is taken where the last of them is empty or is taken from.

    The tables of a depth are a module of their own, whose name begins with ``tables_``. Synthesis keeps it as
    a module: its tables already fit the LUTs of the device, and optimising all of them together takes minutes
    and saves little. Equal tables in it are written as one operation on vectors, which is read faster than
    thousands of bits.

    Parameters
    ----------
    parameters : :class:`Parameters`

    Members
    -------
    i : :py:`In(stream.Signature(ArrayLayout(unsigned(planes), inputs)))`
    o : :py:`Out(stream.Signature(ArrayLayout(element, pe)))`
    """

    def elaborate(self, platform):
        m = Module()
        p = self._parameters

        valid, move = Signal(p.latency), Signal()
        m.d.comb += [move.eq(~self.o.valid | self.o.ready), self.i.ready.eq(move), self.o.valid.eq(valid[-1])]
        with m.If(move):
            m.d.sync += valid.eq(Cat(self.i.valid, valid))

        alike = [
            defaultdict(list) for _ in range(p.depth + 1)
        ]  # for each depth, of each kind of table the places
        for place, (contents, ins) in enumerate(p.tables, start=p.first_table):
            if p.depths[place] <= p.depth:
                alike[p.depths[place]][contents, len(ins)].append(place)

        bits = {0: Const(0, 1)} | dict(enumerate(self.i.payload.as_value(), start=1))
        for at in range(p.latency):
            for depth in range(at * p.levels + 1, min((at + 1) * p.levels, p.depth) + 1):
                m.submodules[f"tables_{depth}"] = level = Module()
                for (contents, size), places in alike[depth].items():
                    tables = Signal(len(places), name=f"table_{depth}_{contents:x}_{size}")
                    ins = zip(*(p.tables[place - p.first_table][1] for place in places), strict=True)
                    level.d.comb += tables.eq(
                        _lookup(contents, [Cat(bits[each] for each in column) for column in ins])[0]
                    )
                    bits |= zip(places, tables, strict=True)
            if at < p.latency - 1:
                held = Signal(len(p.held[at]), name=f"held_{at}", reset_less=True)
                with m.If(move):
                    m.d.sync += held.eq(Cat(bits[place] for place in p.held[at]))
                bits = {0: bits[0]} | dict(zip(p.held[at], held, strict=True))
        payload = Signal.like(self.o.payload.as_value(), name="payload", reset_less=True)
        with m.If(move):
            m.d.sync += payload.eq(
                Cat(bits[literal >> 1] ^ (literal & 1) for each in p.outputs for literal in each)
            )
        m.d.comb += self.o.payload.eq(payload)
        return m
