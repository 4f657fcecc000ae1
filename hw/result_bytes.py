"""Results of images to the bytes that a request wants of them."""

from amaranth.hdl import Array, Cat, Const, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .argmax import result_layout
from .link_parameters import Parameters
from .protocol import WANT_ALL, WANT_CLASS
from .ranks import ranked_layout

__all__ = ["ResultBytes"]


class ResultBytes(wiring.Component):
    """Sends of each image its decision, its best classes with their scores, or all scores and the decision.

    Parameters
    ----------
    parameters : :class:`.Parameters`

    Members
    -------
    i : :py:`In(stream.Signature(ranked_layout(...) or result_layout(...)))`
        The latter where signs decide.
    want : :py:`In(8)`
        What to send: one of `protocol.WANT_CLASS` and `protocol.WANT_ALL`, or how many best classes. Stable
        from the cycle before `enable` on.
    enable : :py:`In(1)`
        Send the results of an image. May fall in the cycle after `done`; then no further one begins.
    o : :py:`Out(stream.Signature(8))`
    done : :py:`Out(1)`
        In the second cycle after an image's last byte was taken. From a flip-flop.
    """

    i: stream.Interface
    want: Signal
    enable: Signal
    o: stream.Interface
    done: Signal

    def __init__(self, parameters: Parameters):
        self._parameters = p = parameters
        sizes = {"score_width": p.score_width, "outputs": p.outputs}
        layout = result_layout(**sizes, signs=True) if p.signs else ranked_layout(**sizes, top_k=p.top_k)
        super().__init__(
            {
                "i": In(stream.Signature(layout)),
                "want": In(8),
                "enable": In(1),
                "o": Out(stream.Signature(8)),
                "done": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        p, beat = self._parameters, self.i.payload
        rank_bytes = 0 if p.signs else p.class_bytes + p.score_bytes
        most = max(p.score_bytes, p.decision_bytes, rank_bytes)
        word = Signal(8 * most)  # the bytes that are sent
        left = Signal(range(most))  # how many more there are
        want_all, want_class = Signal(), Signal()
        rank = Signal(range(max(p.ranks, 2)))
        more = Signal()  # from a flip-flop: this is not the last rank that is wanted
        if p.signs:
            decision, entries = beat.label, [Const(0, 1)]
        else:
            decision = beat.ranks[0].label
            entries = [self._entry(beat.ranks[n]) for n in range(p.top_k)]

        m.d.comb += self.o.payload.eq(word[:8])
        m.d.sync += [
            want_all.eq(self.want == WANT_ALL),
            want_class.eq(self.want == WANT_CLASS),
            more.eq(self.want != rank + 1),
        ]
        # A byte is offered from a flip-flop, in every third cycle at most: that it was taken is seen a cycle
        # later, so that no path leads from `o.ready` to the word.
        taken, offer = Signal(), Signal()
        last = Signal()  # from a flip-flop: it is the last one of the word
        whole = Signal()  # that one was taken
        accept = self.o.valid & self.o.ready
        m.d.sync += [
            taken.eq(accept),
            self.o.valid.eq(offer & ~accept & ~taken),
            last.eq(left == 0),
            self.done.eq(0),
        ]
        with m.FSM():
            with m.State("Result"):
                m.d.sync += [word.eq(beat.score), left.eq(p.score_bytes - 1)]
                with m.If(self.i.valid & self.enable):
                    with m.If(want_all):
                        m.next = "Score"
                    with m.Elif(beat.last):
                        m.next = "Decide"
                    with m.Else():
                        m.next = "Next"
            with m.State("Next"):
                m.d.comb += self.i.ready.eq(1)
                m.next = "Result"
            with m.State("Score"):
                m.d.comb += offer.eq(1)
                with m.If(whole):
                    m.next = "Next"
                    with m.If(beat.last):
                        m.next = "Decide"
            with m.State("Decide"):
                m.d.sync += [word.eq(decision), left.eq(p.decision_bytes - 1)]
                with m.If(~want_all & ~want_class):
                    m.d.sync += [word.eq(Array(entries)[rank]), left.eq(max(rank_bytes - 1, 0))]
                m.next = "Decision"
            with m.State("Decision"):
                m.d.comb += offer.eq(1)
                with m.If(whole):
                    with m.If(~want_all & ~want_class & more):
                        m.d.sync += rank.eq(rank + 1)
                        m.next = "Decide"
                    with m.Else():
                        m.d.sync += self.done.eq(1)
                        m.d.sync += rank.eq(0)
                        m.next = "Next"
        m.d.comb += whole.eq(taken & last)
        with m.If(taken):
            m.d.sync += [word.eq(word >> 8), left.eq(left - 1)]
        return m

    def _entry(self, rank) -> Value:
        """The bytes of a class and of its score."""
        p = self._parameters
        label, score = rank.label, rank.score
        return Cat(
            label,
            Const(0, 8 * p.class_bytes - len(label)),
            score,
            score[-1].replicate(8 * p.score_bytes - len(score)),
        )
