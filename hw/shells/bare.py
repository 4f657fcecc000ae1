"""A core with ports that VHDL can name."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..core import Core

__all__ = ["Bare"]


class Bare(wiring.Component):
    """A core without a shell: its two streams, with a port for each field.

    Parameters
    ----------
    core : :class:`.Core`
        Without RAM to be loaded.

    Members
    -------
    i_data, i_valid, i_ready
        Beats of raw pixels, the first in the least significant byte.
    o_score, o_label, o_runners_up, o_last, o_valid, o_ready
        A beat per output; `o_runners_up` only where the core reports several classes.
    """

    def __init__(self, *, core: Core) -> None:
        if core.ram_contents:
            raise ValueError("a core that is handed over must hold its weights in ROMs")
        self._core = core
        ranks = {"o_runners_up": Out(core.label_width * (core.top_k - 1))} if core.top_k > 1 else {}
        super().__init__(
            {
                "i_data": In(8 * core.lanes),
                "i_valid": In(1),
                "i_ready": Out(1),
                "o_score": Out(core.score_width),
                "o_label": Out(core.label_width),
                **ranks,
                "o_last": Out(1),
                "o_valid": Out(1),
                "o_ready": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.core = core = self._core
        result = core.o.payload
        m.d.comb += [
            core.i.payload.eq(self.i_data),
            core.i.valid.eq(self.i_valid),
            self.i_ready.eq(core.i.ready),
            self.o_score.eq(result.score),
            self.o_label.eq(result.label),
            self.o_last.eq(result.last),
            self.o_valid.eq(core.o.valid),
            core.o.ready.eq(self.o_ready),
        ]
        if core.top_k > 1:
            m.d.comb += self.o_runners_up.eq(result.runners_up)
        return m
