"""The number of places in which two words agree, pipelined."""

from functools import cache
from itertools import pairwise

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["XnorPopcount"]

#: Pairs of bits counted in the first stage. Six pairs take 12 iCE40 cells at 96 MHz on UP5K, eight take 18 at 76 MHz.
_LEAF = 6
#: Counts added in each further stage.
_ARITY = 4


def _count(m, bits):
    """The number of ones in a few bits, from full adders in logic.

    Left to the synthesis, a sum of so few bits becomes a carry chain, which takes a sixth more cells and is a third slower.
    """
    def wire(value):
        # Without a name of its own an expression is written out again wherever it is used.
        signal = Signal()
        m.d.comb += signal.eq(value)
        return signal

    columns, total = [list(bits)], []
    while columns:
        column, carries = columns.pop(0), []
        while len(column) > 1:
            a, b, *rest = column
            if rest:
                c, *rest = rest
                carries.append(wire(a & b | c & (a ^ b)))
                column = [*rest, wire(a ^ b ^ c)]
            else:
                carries.append(wire(a & b))
                column = [wire(a ^ b)]
        total += column
        if carries:
            columns.append(carries)
    return Cat(total)


def _groups(items, size):
    """`items` in as few groups of at most `size` as possible, of as equal sizes as possible."""
    count = -(-len(items) // size)
    bounds = [len(items) * n // count for n in range(count + 1)]
    return [items[low:high] for low, high in pairwise(bounds)]


class XnorPopcount(wiring.Component):
    """``popcount(a xnor b)``, a new pair of words each cycle.

    The first stage counts groups of pairs (the synthesis merges the XNOR into it), each further stage adds groups of
    counts; every stage ends in a register. There is no stall: the sums come `latency` cycles after their words.

    Parameters
    ----------
    width : :class:`int`
        Bits of each word, at least 1.

    Members
    -------
    a, b : :py:`In(width)`
    o : :py:`Out(range(width + 1))`
    """

    def __init__(self, *, width):
        if width < 1:
            raise ValueError(f"width must be at least 1, not {width!r}")
        self._width = width
        super().__init__({"a": In(width), "b": In(width), "o": Out(range(width + 1))})

    @staticmethod
    @cache
    def plan(width):
        """The stages, each a list of groups, each a list of the upper bounds of the terms it adds."""
        terms, size, stages = [1] * width, _LEAF, []
        while not stages or len(terms) > 1:
            stages.append(_groups(terms, size))
            terms, size = [sum(group) for group in stages[-1]], _ARITY
        return stages

    @classmethod
    def latency(cls, width):
        """Cycles from a pair of words to its sum."""
        return len(cls.plan(width))

    def elaborate(self, platform):
        m = Module()

        first, *rest = self.plan(self._width)
        terms, at = [], 0
        for n, group in enumerate(first):
            # Cut in groups before it is cut in bits: Amaranth writes out the whole of what a bit is taken from.
            agree = Signal(len(group), name=f"agree_{n}")
            count = Signal(range(len(group) + 1), name=f"count_0_{n}", reset_less=True)
            m.d.comb += agree.eq(self.a[at:at + len(group)] ^ ~self.b[at:at + len(group)])
            m.d.sync += count.eq(_count(m, agree))
            terms.append(count)
            at += len(group)
        for stage, groups in enumerate(rest, start=1):
            sums = []
            for n, group in enumerate(groups):
                total = Signal(range(sum(group) + 1), name=f"count_{stage}_{n}", reset_less=True)
                m.d.sync += total.eq(sum(terms[:len(group)]))
                terms = terms[len(group):]
                sums.append(total)
            terms = sums
        m.d.comb += self.o.eq(terms[0])

        return m
