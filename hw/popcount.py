"""The number of places in which two words agree, pipelined."""

from collections import Counter
from functools import cache, reduce
from itertools import accumulate, islice
from operator import xor

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["XnorPopcount"]

#: Most pairs of bits in a group: their carries, of which there are half as many, are as many as four bits can
#: tell.
_GROUP = 31
#: Bits that are coded at once, as many as a LUT has inputs.
_BLOCK = 4


def _wire(m, value):
    """A signal of that value; without a name of its own an expression is written out again wherever it is
    used.
    """
    signal = Signal(len(value))
    m.d.comb += signal.eq(value)
    return signal


def _count(m, bits):
    """The sum of a few bits, from full adders in logic.

    Left to the synthesis, a sum of so few bits becomes carry chains, which take more cells and are slower.
    """
    column, total = list(bits), []
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


def _halves(pairs):
    """How many pairs an adder's two operands count; one more is its carry input."""
    return pairs // 2, (pairs - 1) // 2


def _stages(pairs):
    """Cycles in which so many pairs are counted: a group takes two, unless one adder tells its count."""
    if pairs <= 3:
        return 1
    return 2 if pairs <= _GROUP else 1 + _stages(_halves(pairs)[0])


@cache
def _groups(pairs):
    """Sizes of the groups in which so many pairs are counted, in the order of the bits; those of 1 are carry
    inputs.
    """
    if pairs <= _GROUP:
        return (pairs,)
    left, right = _halves(pairs)
    return (*_groups(left), *_groups(right), 1)


class XnorPopcount(wiring.Component):
    """``popcount(a xnor b)``, a new pair of words each cycle.

    ::

        pairs ─ parity, carries ─ register ─ count ─ register ─┬─ + ─ register ─ ... ─▶ o
        of a group of up to 31                         count ──┘ ▲             ...
        single pairs ──────────── register ───── register ───────┘             ... ─▶ carry

    Both words come coded, each bit as the parity of itself and the bits before it in its group. So the parity
    of the agreeing bits up to any place of a group is one XOR, without a ripple from its start. A full adder
    that adds two more pairs to such a parity gives the parity behind them, and its carry follows from the
    parities before, between and behind: two LUT4 for two pairs, where XNORs and a full adder take three. One
    word is stored and the other serves many counters, so that coding them costs next to nothing.

    There is no stall: the sums come `latency` cycles after their words. In Verilog there is one module for
    all counters of a width.

    Parameters
    ----------
    width : :class:`int`
        Bits of each word, at least 1.

    Members
    -------
    a, b : :py:`In(width)`
        What `code` makes of one word and `code_complements` of the other.
    o : :py:`Out(range(width + 1))`
    carry : :py:`Out(1)`
        The last pair of a word of more than one group, which `o` leaves out: what adds `o` has a carry input
        for it.
    """

    def __init__(self, *, width):
        if width < 1:
            raise ValueError(f"width must be at least 1, not {width!r}")
        self._width = width
        super().__init__({"a": In(width), "b": In(width), "o": Out(range(width + 1)), "carry": Out(1)})

    @staticmethod
    def has_carry(width):
        """Whether the last pair is left to `carry`."""
        return width > _GROUP // 2  # of a power of two all but one fill the bits of their count

    @classmethod
    def latency(cls, width):
        """Cycles from a pair of words to its sum."""
        return _stages(width - cls.has_carry(width))

    @classmethod
    def groups(cls, width):
        """Bits in each group of a word, in order."""
        return (*_groups(width - 1), 1) if cls.has_carry(width) else (width,)

    @classmethod
    def code(cls, bits):
        """The coded word of a sequence of single bits, numbers or values, as a sequence."""
        return cls.code_rest(cls.code_start(bits))

    @classmethod
    def code_start(cls, bits):
        """The first half of `code`: the parities from each fourth place of a group. Each half is one LUT4 a
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
    def code_rest(cls, bits):
        """The second half of `code`: to each the parities of what is before its block."""
        rest, coded = iter(bits), []
        for size in cls.groups(len(bits)):
            group, before = list(islice(rest, size)), []
            for at in range(0, size, _BLOCK):
                block = group[at : at + _BLOCK]
                coded += [reduce(xor, before, bit) for bit in block]
                before.append(block[-1])
                if len(before) == _BLOCK:
                    before = [reduce(xor, before)]
        return coded

    @classmethod
    def code_complements(cls, word, *, width, lanes):
        """The coded complements of `lanes` words of `width` bits that lie side by side in a number, the first
        lowest.
        """
        word ^= (1 << width * lanes) - 1
        places = [place for size in cls.groups(width) for place in range(size)] * lanes
        distance = 1
        while distance < _GROUP:
            word ^= word << distance & sum(1 << at for at, place in enumerate(places) if place >= distance)
            distance *= 2
        return word

    @classmethod
    def parts(cls, width):
        """What a counter is made of: ``{"pair": pairs, "full_adder": in logic, "add": bits of sums, "delay":
        bits that only wait}``.
        """
        found = Counter(pair=width, full_adder=0, add=0, delay=0)

        def tree(pairs):
            stage = _stages(pairs)
            if stage > 2:
                found["add"] += pairs.bit_length()
                found["delay"] += stage - 2
                for half in _halves(pairs):
                    tree(half)
                return
            bits = pairs // 2  # each counts two
            while bits > 1:  # a column: two of its bits or three become one, and one of the next
                bits //= 2
                found["full_adder"] += bits
            found["delay"] += stage == 2  # the parity

        if cls.has_carry(width):
            found["delay"] += cls.latency(width) - 1
        tree(width - cls.has_carry(width))
        return found

    def elaborate(self, platform):
        if share := getattr(platform, "share", None):  # only what is elaborated for Verilog has it
            return share(self, name=f"popcount_{self._width}")
        m = Module()

        def register(value, stages):
            """`value` that many cycles later."""
            for _ in range(stages):
                later = Signal(len(value), reset_less=True)
                m.d.sync += later.eq(value)
                value = later
            return value

        def compare(size):
            """The next group: its parity, and its carries, each worth two."""
            nonlocal at
            # Cut in groups before it is cut in bits: Amaranth writes out the whole of what a bit is taken
            # from.
            parity = Cat(Const(0, 1), _wire(m, self.a[at : at + size] ^ self.b[at : at + size]))
            at += size
            carries = []
            for n in range(size % 2, size - 1, 2):
                before, between, behind = parity[n], parity[n + 1], parity[n + 2]
                carries.append(_wire(m, before & ~(between & behind) | ~before & between & ~behind))
            return register(parity[-1], 1), register(Cat(carries), 1)

        def tree(pairs):
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

        at = 0
        carry = self.has_carry(self._width)
        count, stage = tree(self._width - carry)
        m.d.comb += self.o.eq(count)
        if carry:
            one, _ = compare(1)
            m.d.comb += self.carry.eq(register(one, stage - 1))
        return m
