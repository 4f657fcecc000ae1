"""The number of positions in which two words agree, pipelined."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache, reduce
from itertools import accumulate, islice
from operator import xor
from types import MappingProxyType
from typing import TypeVar

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["XnorPopcount"]

#: Maximum pairs of bits in a group: it has half as many carries, whose count fits four bits.
_GROUP = 31
#: Bits that are encoded at once: as many as a LUT has inputs.
_BLOCK = 4

#: A bit: a number or a value.
Bit = TypeVar("Bit", int, Value)


def _wire(m: Module, value: Value) -> Signal:
    """A signal of that value. An expression without a name is written out again wherever it is used."""
    signal = Signal(len(value))
    m.d.comb += signal.eq(value)
    return signal


def _count(m: Module, bits: Sequence[Value]) -> Value:
    """The sum of a few bits, from full adders in logic.

    Synthesis would turn a sum of so few bits into carry chains, which take more cells and are slower.
    """
    column: list[Value] = list(bits)
    total: list[Value] = []
    while column:
        carries = []
        while len(column) > 1:
            a, b, *rest = column
            if rest:
                c, *rest = rest
                carries.append(_wire(m, a & b | c & (a ^ b)))
                column = [*rest, _wire(m, a ^ b ^ c)]
            else:
                carries.append(_wire(m, a & b))
                column = [_wire(m, a ^ b)]
        total += column
        column = carries
    return Cat(total)


def _halves(pairs: int) -> tuple[int, int]:
    """Pairs counted by the two operands of an adder; one more pair is its carry input."""
    return pairs // 2, (pairs - 1) // 2


def _stages(pairs: int) -> int:
    """Cycles to count that many pairs: two for a group, or one if a single full adder counts it."""
    if pairs <= 3:
        return 1
    return 2 if pairs <= _GROUP else 1 + _stages(_halves(pairs)[0])


@cache
def _groups(pairs: int) -> tuple[int, ...]:
    """Sizes of the groups in which that many pairs are counted, in the order of the bits; those of 1 are
    carry inputs.
    """
    if pairs <= _GROUP:
        return (pairs,)
    left, right = _halves(pairs)
    return (*_groups(left), *_groups(right), 1)


class XnorPopcount(wiring.Component):
    """``popcount(a xnor b)``, of a new pair of words each cycle.

    ::

        pairs ─ parity, carries ─ register ─ count ─ register ─┬─ + ─ register ─ ... ─▶ o
        of a group of up to 31                         count ──┘ ▲             ...
        single pairs ──────────── register ───── register ───────┘             ... ─▶ carry

    Both words are prefix-parity encoded: within a group, bit k becomes the XOR of bits 0..k. The parity of
    the agreeing bits up to any position of a group is then a single XOR, without a ripple from the start of
    the group. A full adder adds two more pairs to such a parity. Its sum is the parity after them, and its
    carry follows from the parities before, between and after: two LUT4 per two pairs, where XNORs and a full
    adder take three. One word is stored and the other serves many counters, so the encoding costs almost
    nothing.

    There is no back-pressure: a sum follows `latency` cycles after its words. In Verilog all counters of a
    width share one module.

    Parameters
    ----------
    width : :class:`int`
        Bits of each word, at least 1.

    Members
    -------
    a, b : :py:`In(width)`
        One word as encoded by `code`, the other by `code_complements`.
    o : :py:`Out(range(width + 1))`
    carry : :py:`Out(1)`
        The last pair of a word of more than half a group, which `o` does not count: the adder after `o` has a
        carry input for it.
    """

    def __init__(self, *, width: int):
        if width < 1:
            raise ValueError(f"width must be at least 1, not {width!r}")
        self._width = width
        super().__init__({"a": In(width), "b": In(width), "o": Out(range(width + 1)), "carry": Out(1)})

    @staticmethod
    def has_carry(width: int) -> bool:
        """Whether the last pair is left to `carry`."""
        return width > _GROUP // 2  # one less than a power of two fills the bits of the count

    @classmethod
    @cache
    def latency(cls, width: int) -> int:
        """Cycles from a pair of words to its sum."""
        return _stages(width - cls.has_carry(width))

    @classmethod
    def groups(cls, width: int) -> tuple[int, ...]:
        """Bits of each group of a word, in order."""
        return (*_groups(width - 1), 1) if cls.has_carry(width) else (width,)

    @classmethod
    def code(cls, bits: Sequence[Bit]) -> list[Bit]:
        """The encoded word of a sequence of single bits, numbers or values."""
        return cls.code_rest(cls.code_start(bits))

    @classmethod
    def code_start(cls, bits: Sequence[Bit]) -> list[Bit]:
        """The first half of `code`: the parities within each block of four bits. Each half is one LUT4 per
        bit.
        """
        rest = iter(bits)
        return [
            coded
            for size in cls.groups(len(bits))
            for at in range(0, size, _BLOCK)
            for coded in accumulate(islice(rest, min(_BLOCK, size - at)), xor)
        ]

    @classmethod
    def code_rest(cls, bits: Sequence[Bit]) -> list[Bit]:
        """The second half of `code`: add the parities of the blocks before."""
        rest = iter(bits)
        coded: list[Bit] = []
        for size in cls.groups(len(bits)):
            group = list(islice(rest, size))
            before: list[Bit] = []
            for at in range(0, size, _BLOCK):
                block = group[at : at + _BLOCK]
                coded += [reduce(xor, before, bit) for bit in block]
                before.append(block[-1])
                if len(before) == _BLOCK:
                    before = [reduce(xor, before)]
        return coded

    @classmethod
    def code_complements(cls, word: int, *, width: int, lanes: int) -> int:
        """The encoded complements of `lanes` words of `width` bits, concatenated in a number, the first in
        the least significant bits.
        """
        word ^= (1 << width * lanes) - 1
        places = [place for size in cls.groups(width) for place in range(size)] * lanes
        distance = 1
        while distance < _GROUP:
            word ^= word << distance & sum(1 << at for at, place in enumerate(places) if place >= distance)
            distance *= 2
        return word

    @classmethod
    @cache
    def parts(cls, width: int) -> Mapping[str, int]:
        """What a counter consists of: ``pair``, pairs of bits; ``full_adder``, full adders in logic; ``add``,
        bits of adders with carry chains; ``delay``, flip-flops that only delay.
        """
        found: Counter[str] = Counter(pair=width, full_adder=0, add=0, delay=0)

        def tree(pairs: int) -> None:
            stage = _stages(pairs)
            if stage > 2:
                found["add"] += pairs.bit_length()
                found["delay"] += stage - 2
                for half in _halves(pairs):
                    tree(half)
                return
            bits = pairs // 2  # carries, each worth two
            while bits > 1:  # per column, two or three of its bits become one and a carry
                bits //= 2
                found["full_adder"] += bits
            found["delay"] += stage == 2  # the parity

        if cls.has_carry(width):
            found["delay"] += cls.latency(width) - 1
        tree(width - cls.has_carry(width))
        return MappingProxyType(found)

    def elaborate(self, platform):
        if share := getattr(platform, "share", None):  # only elaboration for Verilog has it
            return share(self, name=f"popcount_{self._width}")
        m = Module()
        at = 0  # the next pair

        def register(value: Value, stages: int) -> Value:
            """`value`, that many cycles later."""
            for _ in range(stages):
                later = Signal(len(value), reset_less=True)
                m.d.sync += later.eq(value)
                value = later
            return value

        def compare(size: int) -> tuple[Value, Value]:
            """The next group: its parity, and its carries, each worth two."""
            nonlocal at
            # Slice groups before bits: Amaranth writes out the whole value that a bit is taken from.
            parity = Cat(Const(0, 1), _wire(m, self.a[at : at + size] ^ self.b[at : at + size]))
            at += size
            carries = []
            for n in range(size % 2, size - 1, 2):
                before, between, behind = parity[n], parity[n + 1], parity[n + 2]
                carries.append(_wire(m, before & ~(between & behind) | ~before & between & ~behind))
            return register(parity[-1], 1), register(Cat(carries), 1)

        def tree(pairs: int) -> tuple[Value, int]:
            """The count of the next pairs, from a register, and its stage."""
            stage = _stages(pairs)
            if stage <= 2:
                parity, carries = compare(pairs)
                return register(Cat(parity, _count(m, carries)), stage - 1), stage
            left, right = (register(count, stage - 1 - at) for count, at in map(tree, _halves(pairs)))
            one, _ = compare(1)
            total = Signal(range(pairs + 1))
            m.d.comb += total.eq(left + right + register(one, stage - 2))
            return register(total, 1), stage

        carry = self.has_carry(self._width)
        count, stage = tree(self._width - carry)
        m.d.comb += self.o.eq(count)
        if carry:
            one, _ = compare(1)
            m.d.comb += self.carry.eq(register(one, stage - 1))
        return m
