"""The results of an image as words: its scores, then what they decide."""

from amaranth.hdl import Array, Cat, Module, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..core import Core

__all__ = ["ResultWords", "answer_words"]


def answer_words(core: Core, width: int) -> int:
    """Words of what is decided on an image: its best classes, or a bit for each output."""
    return -(-core.outputs // width) if core.signs else core.top_k


class ResultWords(wiring.Component):
    """Outputs the scores of each image in the order of the outputs, then its best class and the next ones.

    Where signs decide, the bits of all outputs follow, the first in the lowest bit of the first word.

    A word per cycle, without latency.

    Parameters
    ----------
    core : :class:`.Core`
        Whose results come in; it is not part of this component.
    width : :class:`int`
        Bits of a word, enough for a score and for a class.

    Members
    -------
    i : :py:`In(stream.Signature(core.o.payload.shape()))`
    o : :py:`Out(stream.Signature(StructLayout({"data": signed(width), "last": 1})))`
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, *, core: Core, width: int) -> None:
        needed = max(core.score_width, 1 if core.signs else core.label_width)
        if width < needed:
            raise ValueError(
                f"width must be at least {needed}, the bits of a score and of a class, not {width!r}"
            )
        self._count = answer_words(core, width)
        self._signs = core.signs
        super().__init__(
            {
                "i": In(core.signature.members["o"].signature),
                "o": Out(stream.Signature(data.StructLayout({"data": signed(width), "last": 1}))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        result, word = self.i.payload, self.o.payload
        answer = Array(Signal(len(value), name=f"answer_{n}") for n, value in enumerate(self._answers()))
        index = Signal(range(self._count))
        with m.FSM():
            with m.State("Scores"):
                m.d.comb += [
                    word.data.eq(result.score),
                    self.o.valid.eq(self.i.valid),
                    self.i.ready.eq(self.o.ready),
                ]
                with m.If(self.i.valid & self.o.ready & result.last):
                    m.d.sync += [kept.eq(value) for kept, value in zip(answer, self._answers(), strict=True)]
                    m.next = "Answer"
            with m.State("Answer"):
                m.d.comb += [
                    word.data.eq(answer[index]),
                    word.last.eq(index == self._count - 1),
                    self.o.valid.eq(1),
                ]
                with m.If(self.o.ready):
                    m.d.sync += index.eq(index + 1)
                    with m.If(word.last):
                        m.d.sync += index.eq(0)
                        m.next = "Scores"
        return m

    def _answers(self) -> list[Value]:
        result = self.i.payload
        if self._signs:
            width = len(self.o.payload.data)
            return [result.label[n * width : (n + 1) * width] for n in range(self._count)]
        if self._count == 1:
            return [result.label]
        return [result.label, *(Cat(each) for each in result.runners_up)]
