"""Images of the wrong length: they are completed for the core, and their results are dropped."""

from amaranth.hdl import Module, Mux, ShapeLike, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..queue import Queue

__all__ = ["Gate", "word_layout"]


def word_layout(width: int) -> data.StructLayout:
    """A word of an image, and whether it is the last."""
    return data.StructLayout({"data": width, "last": 1})


class Gate(wiring.Component):
    """Stands at both ends of a core, which counts words and so must get neither more nor fewer of them.

    An image that ends too soon is completed with words of 0; of one that goes on, the rest is dropped. Its
    results are dropped where they leave the core, so the images after it stay right. A result waits until its
    image has ended: the last rows of an image may not matter to a network.

    Parameters
    ----------
    words : :class:`int`
        Words of an image.
    width : :class:`int`
        Bits of a word.
    result_shape : :class:`ShapeLike`
        Of the core's results; `last` of it ends an image.
    in_flight : :class:`int`
        Images whose length is known and whose results have not left; more of them wait.

    Members
    -------
    i : :py:`In(stream.Signature(word_layout(width)))`
    o : :py:`Out(stream.Signature(width))`
        To the core.
    results : :py:`In(stream.Signature(result_shape))`
        From the core.
    kept : :py:`Out(stream.Signature(result_shape))`
    dropped : :py:`Out(1)`
        High for one cycle when the last result of a dropped image leaves the core.
    """

    i: stream.Interface
    o: stream.Interface
    results: stream.Interface
    kept: stream.Interface
    dropped: Signal

    def __init__(self, *, words: int, width: int, result_shape: ShapeLike, in_flight: int) -> None:
        if words < 1:
            raise ValueError(f"words must be at least 1, not {words!r}")
        self._words = words
        self._in_flight = in_flight
        super().__init__(
            {
                "i": In(stream.Signature(word_layout(width))),
                "o": Out(stream.Signature(width)),
                "results": In(stream.Signature(result_shape)),
                "kept": Out(stream.Signature(result_shape)),
                "dropped": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.lengths = lengths = Queue(shape=1, depth=self._in_flight)  # 1: the image is right
        self._pass_words(m, lengths.i)
        self._pass_results(m, lengths.o)
        return m

    def _pass_words(self, m: Module, lengths: stream.Interface) -> None:
        word, last = self.i.payload, Signal()
        count = Signal(range(self._words))
        m.d.comb += last.eq(count == self._words - 1)
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += count.eq(Mux(last, 0, count + 1))
        open_ = ~last | lengths.ready  # the last word comes with the verdict on the length
        m.d.comb += lengths.valid.eq(self.o.valid & self.o.ready & last)
        with m.FSM():
            with m.State("Image"):
                m.d.comb += [
                    self.o.payload.eq(word.data),
                    self.o.valid.eq(self.i.valid & open_),
                    self.i.ready.eq(self.o.ready & open_),
                    lengths.payload.eq(word.last),
                ]
                with m.If(self.i.valid & self.i.ready):
                    with m.If(last & ~word.last):
                        m.next = "Skip"
                    with m.If(~last & word.last):
                        m.next = "Complete"
            with m.State("Complete"):
                m.d.comb += self.o.valid.eq(open_)
                with m.If(self.o.valid & self.o.ready & last):
                    m.next = "Image"
            with m.State("Skip"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(self.i.valid & word.last):
                    m.next = "Image"

    def _pass_results(self, m: Module, lengths: stream.Interface) -> None:
        taken = self.results.valid & self.results.ready
        m.d.comb += [
            self.kept.payload.eq(self.results.payload),
            self.kept.valid.eq(self.results.valid & lengths.valid & lengths.payload),
            self.results.ready.eq(lengths.valid & (self.kept.ready | ~lengths.payload)),
            lengths.ready.eq(taken & self.results.payload.last),
            self.dropped.eq(lengths.ready & ~lengths.payload),
        ]
