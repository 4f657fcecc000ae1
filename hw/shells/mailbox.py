"""Images in by words, results out from a memory, and never a word that waits for good."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out, connect

from ..core import Core
from .engine import Engine
from .gate import word_layout
from .parameters import Parameters
from .register_map import RegisterMap
from .result_words import ResultWords

__all__ = ["Mailbox"]


class Mailbox(wiring.Component):
    """Accepts an image only if its results have a place, so that a word waits for the core but never for the
    reader of results: a processor that writes cannot read at the same time.

    An image for which there is no place is refused word by word, up to its last.

    Parameters
    ----------
    core : :class:`.Core`
    parameters : :class:`.Parameters`
        `in_flight` is also how many images the memory of results holds.

    Members
    -------
    i : :py:`In(stream.Signature(word_layout(32)))`
    refused : :py:`Out(1)`
        The word that is taken is lost.
    room, result, inside : :py:`Out(1)`
        An image would be accepted; the results of an image are there; an image has begun and not ended.
    next : :py:`In(1)`
        The results of the oldest image have been read.
    address : :py:`In(index_bits)`, data : :py:`Out(signed(32))`
        A word of the oldest image's results, one cycle after its number.
    dropped : :py:`Out(2)`
        How many images were dropped in this cycle.
    """

    i: stream.Interface
    refused: Signal
    room: Signal
    result: Signal
    inside: Signal
    next: Signal
    address: Signal
    data: Signal
    dropped: Signal

    def __init__(self, *, core: Core, parameters: Parameters) -> None:
        self._map = RegisterMap.of(core)
        # A class is stored with a 0 above it: what is read is sign-extended.
        width = 32 if core.signs else max(core.score_width, core.label_width + 1)
        if width > 32:
            raise ValueError(f"a score must have at most 32 bits, not {core.score_width}")
        self._images = parameters.in_flight
        self._engine = Engine(core=core, parameters=parameters)
        self._words = ResultWords(core=core, width=width)
        super().__init__(
            {
                "i": In(stream.Signature(word_layout(parameters.width))),
                "refused": Out(1),
                "room": Out(1),
                "result": Out(1),
                "inside": Out(1),
                "next": In(1),
                "address": In(self._map.index_bits),
                "data": Out(signed(32)),
                "dropped": Out(2),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.engine = engine = self._engine
        m.submodules.words = words = self._words
        connect(m, engine.o, words.i)
        refused_image = self._accept(m, engine)
        self._store(m, words.o)
        m.d.comb += self.dropped.eq(engine.dropped + refused_image)
        return m

    def _accept(self, m: Module, engine: Engine) -> Signal:
        """Pass words on, or refuse them; the signal is high with the last word of a refused image."""
        held = Signal(range(self._images + 1))  # images that have a place
        refusing = Signal()
        begins, ends = Signal(), Signal()
        taken = self.i.valid & self.i.ready
        m.d.comb += [
            self.room.eq((held != self._images) & ~refusing),
            self.refused.eq(refusing | (~self.inside & (held == self._images))),
            engine.i.payload.eq(self.i.payload),
            engine.i.valid.eq(self.i.valid & ~self.refused),
            self.i.ready.eq(engine.i.ready | self.refused),
            begins.eq(taken & ~self.inside & ~self.refused),
            ends.eq(taken & self.refused & self.i.payload.last),
        ]
        m.d.sync += held.eq(held + begins - (self.next & self.result) - engine.dropped)
        with m.If(taken):
            m.d.sync += [
                refusing.eq(self.refused & ~self.i.payload.last),
                self.inside.eq(~self.refused & ~self.i.payload.last),
            ]
        return ends

    def _store(self, m: Module, words: stream.Interface) -> None:
        """Keep the results of several images."""
        stride = self._map.results
        m.submodules.memory = ram = memory.Memory(
            shape=words.payload.data.shape(), depth=self._images * stride, init=[]
        )
        w_port, r_port = ram.write_port(), ram.read_port()
        slot = {name: Signal(range(self._images), name=f"{name}_slot") for name in ("write", "read")}
        index = Signal(self._map.index_bits)
        count = Signal(range(self._images + 1))
        written = words.valid & words.payload.last
        read = self.next & self.result
        m.d.comb += [
            words.ready.eq(1),
            w_port.en.eq(words.valid),
            w_port.addr.eq(Cat(index, slot["write"])),
            w_port.data.eq(words.payload.data),
            r_port.addr.eq(Cat(self.address, slot["read"])),
            self.data.eq(r_port.data),
            self.result.eq(count != 0),
        ]
        m.d.sync += count.eq(count + written - read)
        with m.If(words.valid):
            m.d.sync += index.eq(Mux(words.payload.last, 0, index + 1))
        for name, moves in ("write", written), ("read", read):
            with m.If(moves):
                m.d.sync += slot[name].eq(Mux(slot[name] == self._images - 1, 0, slot[name] + 1))
