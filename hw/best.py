"""The best class of all scores at once."""

from dataclasses import dataclass
from typing import ClassVar

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data
from amaranth.utils import ceil_log2

from .argmax import result_layout
from .part import Part, PartComponent

__all__ = ["Best", "Parameters"]


@dataclass(frozen=True, kw_only=True)
class Parameters(Part):
    """What the choice of the best class among all scores of an image is created from.

    Parameters
    ----------
    score_width : :class:`int`
        Bits of a score, two's complement.
    classes : :class:`int`
        Scores of an image.
    levels : :class:`int`
        Comparisons one after the other between two registers.
    """

    rtl_name: ClassVar[str] = "best"

    score_width: int
    classes: int
    levels: int = 1

    def __post_init__(self) -> None:
        for name in "score_width", "classes", "levels":
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)!r}")

    @property
    def outputs(self) -> int:
        """Results per image."""
        return 1

    @property
    def depth(self) -> int:
        """Comparisons that a score passes."""
        return ceil_log2(self.classes)

    @property
    def latency(self) -> int:
        """Registers that a vector passes, at least one."""
        return max(1, -(-self.depth // self.levels))

    @property
    def i_shape(self) -> data.ArrayLayout:
        return data.ArrayLayout(signed(self.score_width), self.classes)

    @property
    def o_shape(self) -> data.StructLayout:
        return result_layout(score_width=self.score_width, outputs=self.classes)

    def create(self) -> "Best":
        return Best(self)


class Best(PartComponent[Parameters]):
    """Outputs the class with the maximum score, and that score, of an image whose scores come in one beat.

    A tree of comparisons, of which equal scores go to the lower class. It takes an image in each cycle and
    outputs its class `latency` cycles later. All registers move together: an image is taken where the last of
    them is empty or is taken from.

    Parameters
    ----------
    parameters : :class:`Parameters`

    Members
    -------
    i : :py:`In(stream.Signature(ArrayLayout(signed(score_width), classes)))`
        The scores of an image in class order.
    o : :py:`Out(stream.Signature(result_layout(...)))`
        One result per image, with `last` always set.
    """

    def elaborate(self, platform):
        m = Module()
        p = self._parameters

        valid, move = Signal(p.latency), Signal()
        m.d.comb += [move.eq(~self.o.valid | self.o.ready), self.i.ready.eq(move), self.o.valid.eq(valid[-1])]
        with m.If(move):
            m.d.sync += valid.eq(Cat(self.i.valid, valid))

        # The best of each range of classes: its score, and its label within the range.
        ranges: list[tuple[Value, Value]] = [(self.i.payload[n], Const(0, 0)) for n in range(p.classes)]
        for depth in range(1, max(1, p.depth) + 1):
            pairs = [ranges[at : at + 2] for at in range(0, len(ranges), 2)]
            ranges = [
                self._better(m, f"{depth}_{n}", *pair) if len(pair) == 2 else pair[0]
                for n, pair in enumerate(pairs)
            ]
            if depth % p.levels == 0 or depth >= p.depth:
                ranges = [self._held(m, move, f"{depth}_{n}", *each) for n, each in enumerate(ranges)]
        ((score, label),) = ranges
        m.d.comb += [
            self.o.payload.score.eq(score),
            self.o.payload.label.eq(label),
            self.o.payload.last.eq(1),
        ]
        return m

    def _better(
        self, m: Module, name: str, low: tuple[Value, Value], high: tuple[Value, Value]
    ) -> tuple[Value, Value]:
        """The better of two ranges of classes, the lower on a tie."""
        (low_score, low_label), (high_score, high_label) = low, high
        # The sign of a difference is one carry chain; a comparison would become several levels of logic.
        difference = Signal(signed(self._parameters.score_width + 1), name=f"difference_{name}")
        m.d.comb += difference.eq(low_score - high_score)
        wins = difference[-1]
        bits = len(low_label)  # the higher range is as long or shorter
        return (Mux(wins, high_score, low_score), Cat(Mux(wins, high_label, low_label)[:bits], wins))

    def _held(self, m: Module, move: Value, name: str, score: Value, label: Value) -> tuple[Value, Value]:
        """The best of a range after a register."""
        held_score = Signal(signed(self._parameters.score_width), name=f"score_{name}", reset_less=True)
        held_label = Signal(len(label), name=f"label_{name}", reset_less=True)
        with m.If(move):
            m.d.sync += [held_score.eq(score), held_label.eq(label)]
        return held_score, held_label
