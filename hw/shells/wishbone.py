"""A core's registers on Wishbone."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..core import Core
from .parameters import Parameters
from .registers import Registers

__all__ = ["Wishbone"]


class Wishbone(wiring.Component):
    """A slave of Wishbone B4, classic standard cycles, 32 bits.

    `wb_adr` counts words. A write takes two cycles, or until the core takes the pixels; a read takes two.

    Parameters
    ----------
    core : :class:`.Core`
    parameters : :class:`.Parameters`
    digest : :class:`int`
        As for :class:`.Registers`.

    Members
    -------
    wb_cyc, wb_stb, wb_we, wb_adr, wb_dat_w, wb_sel : :py:`In`
    wb_dat_r, wb_ack, wb_err : :py:`Out`
        From flip-flops but for `wb_dat_r`, which comes from a memory and a multiplexer.
    irq : :py:`Out(1)`
    """

    def __init__(self, *, core: Core, parameters: Parameters, digest: int) -> None:
        self._registers = Registers(core=core, parameters=parameters, digest=digest)
        super().__init__(
            {
                "wb_cyc": In(1),
                "wb_stb": In(1),
                "wb_we": In(1),
                "wb_adr": In(len(self._registers.w_address)),
                "wb_dat_w": In(32),
                "wb_sel": In(4),
                "wb_dat_r": Out(32),
                "wb_ack": Out(1),
                "wb_err": Out(1),
                "irq": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.registers = registers = self._registers
        request = Signal()
        m.d.comb += [
            request.eq(self.wb_cyc & self.wb_stb & ~self.wb_ack & ~self.wb_err),
            registers.w_valid.eq(request & self.wb_we),
            registers.w_address.eq(self.wb_adr),
            registers.w_data.eq(self.wb_dat_w),
            registers.w_whole.eq(self.wb_sel.all()),
            registers.r_address.eq(self.wb_adr),
            self.wb_dat_r.eq(registers.r_data),
            self.irq.eq(registers.interrupt),
        ]
        m.d.sync += [self.wb_ack.eq(0), self.wb_err.eq(0)]
        with m.If(request & self.wb_we):
            m.d.sync += [
                self.wb_ack.eq(registers.w_ready & ~registers.w_error),
                self.wb_err.eq(registers.w_ready & registers.w_error),
            ]
        with m.If(request & ~self.wb_we):
            m.d.sync += self.wb_ack.eq(1)
        return m
