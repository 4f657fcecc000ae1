"""A core behind AXI4-Stream."""

from amaranth.hdl import ClockDomain, ClockSignal, Module, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect

from ..core import Core
from ..queue import Queue
from .engine import Engine
from .parameters import Parameters
from .result_words import ResultWords

__all__ = ["AxiStream"]


class AxiStream(wiring.Component):
    """An image per packet in, a packet per image out: its scores, sign-extended, then its best classes or
    bits (:class:`.ResultWords`).

    All outputs come from flip-flops or depend on them alone: no path leads from an input to an output. An
    image whose TLAST comes too soon or too late has no packet; the next ones stay right.

    Parameters
    ----------
    core : :class:`.Core`
    parameters : :class:`.Parameters`

    Members
    -------
    aclk, aresetn : :py:`In(1)`
        The reset is synchronous, active low.
    s_axis_tdata, s_axis_tvalid, s_axis_tready, s_axis_tlast
        Images.
    m_axis_tdata, m_axis_tvalid, m_axis_tready, m_axis_tlast
        Results.
    dropped : :py:`Out(1)`
        High for one cycle for each image of the wrong length.
    drops : :py:`Out(16)`
        How many there were since the reset, modulo 2**16.
    """

    def __init__(self, *, core: Core, parameters: Parameters) -> None:
        self._core = core
        self._parameters = parameters
        width = parameters.width
        super().__init__(
            {
                "aclk": In(1),
                "aresetn": In(1),
                "s_axis_tdata": In(width),
                "s_axis_tvalid": In(1),
                "s_axis_tready": Out(1),
                "s_axis_tlast": In(1),
                "m_axis_tdata": Out(width),
                "m_axis_tvalid": Out(1),
                "m_axis_tready": In(1),
                "m_axis_tlast": Out(1),
                "dropped": Out(1),
                "drops": Out(16),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = ClockDomain()
        m.d.comb += [ClockSignal().eq(self.aclk), ResetSignal().eq(~self.aresetn)]
        m.submodules.engine = engine = Engine(core=self._core, parameters=self._parameters)
        m.submodules.words = words = ResultWords(core=self._core, width=self._parameters.width)
        m.submodules.i_queue = i_queue = Queue(shape=engine.i.payload.shape(), depth=2)
        m.submodules.o_queue = o_queue = Queue(shape=words.o.payload.shape(), depth=2)
        connect(m, i_queue.o, engine.i)
        connect(m, engine.o, words.i)
        connect(m, words.o, o_queue.i)
        running = Signal()  # TREADY must be low in reset
        m.d.sync += running.eq(1)
        m.d.comb += [
            i_queue.i.payload.data.eq(self.s_axis_tdata),
            i_queue.i.payload.last.eq(self.s_axis_tlast),
            i_queue.i.valid.eq(self.s_axis_tvalid & running),
            self.s_axis_tready.eq(i_queue.i.ready & running),
            self.m_axis_tdata.eq(o_queue.o.payload.data),
            self.m_axis_tlast.eq(o_queue.o.payload.last),
            self.m_axis_tvalid.eq(o_queue.o.valid),
            o_queue.o.ready.eq(self.m_axis_tready),
        ]
        m.d.sync += [self.dropped.eq(engine.dropped), self.drops.eq(self.drops + engine.dropped)]
        return m
