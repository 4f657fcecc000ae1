"""A core's registers on AXI4-Lite."""

from amaranth.hdl import Cat, ClockDomain, ClockSignal, Module, Mux, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..core import Core
from .parameters import Parameters
from .registers import Registers

__all__ = ["AxiLite"]

#: Responses: done, and an error of the subordinate.
_OKAY, _SLVERR = 0, 2


class AxiLite(wiring.Component):
    """A subordinate of AXI4-Lite, 32 bits, with byte addresses.

    Both parts of a write are stored in registers when they come, in any order; then the write takes a cycle,
    or until the core takes the pixels. A read does not wait for a write. No path leads from an input to an
    output.

    Parameters
    ----------
    core : :class:`.Core`
    parameters : :class:`.Parameters`
    digest : :class:`int`
        As for :class:`.Registers`.

    Members
    -------
    aclk, aresetn : :py:`In(1)`
        The reset is synchronous, active low.
    s_axi_...
        The five channels. `s_axi_awprot` and `s_axi_arprot` are ignored.
    irq : :py:`Out(1)`
    """

    def __init__(self, *, core: Core, parameters: Parameters, digest: int) -> None:
        self._registers = Registers(core=core, parameters=parameters, digest=digest)
        bits = len(self._registers.w_address) + 2
        super().__init__(
            {
                "aclk": In(1),
                "aresetn": In(1),
                "s_axi_awaddr": In(bits),
                "s_axi_awprot": In(3),
                "s_axi_awvalid": In(1),
                "s_axi_awready": Out(1),
                "s_axi_wdata": In(32),
                "s_axi_wstrb": In(4),
                "s_axi_wvalid": In(1),
                "s_axi_wready": Out(1),
                "s_axi_bresp": Out(2),
                "s_axi_bvalid": Out(1),
                "s_axi_bready": In(1),
                "s_axi_araddr": In(bits),
                "s_axi_arprot": In(3),
                "s_axi_arvalid": In(1),
                "s_axi_arready": Out(1),
                "s_axi_rdata": Out(32),
                "s_axi_rresp": Out(2),
                "s_axi_rvalid": Out(1),
                "s_axi_rready": In(1),
                "irq": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = ClockDomain()
        m.submodules.registers = registers = self._registers
        m.d.comb += [
            ClockSignal().eq(self.aclk),
            ResetSignal().eq(~self.aresetn),
            self.irq.eq(registers.interrupt),
        ]
        self._write(m, registers)
        self._read(m, registers)
        return m

    def _write(self, m: Module, registers: Registers) -> None:
        address, has_address, has_data = Signal(len(self.s_axi_awaddr)), Signal(), Signal()
        whole, running = Signal(), Signal()  # READY must be low in reset
        m.d.sync += running.eq(1)
        m.d.comb += [
            self.s_axi_awready.eq(running & ~has_address),
            self.s_axi_wready.eq(running & ~has_data),
            registers.w_valid.eq(has_address & has_data & ~self.s_axi_bvalid),
            registers.w_address.eq(address[2:]),
            registers.w_whole.eq(whole),
        ]
        with m.If(self.s_axi_awvalid & self.s_axi_awready):
            m.d.sync += [address.eq(self.s_axi_awaddr), has_address.eq(1)]
        with m.If(self.s_axi_wvalid & self.s_axi_wready):
            m.d.sync += [
                registers.w_data.eq(self.s_axi_wdata),
                whole.eq(self.s_axi_wstrb.all()),
                has_data.eq(1),
            ]
        with m.If(self.s_axi_bready):
            m.d.sync += self.s_axi_bvalid.eq(0)
        with m.If(registers.w_valid & registers.w_ready):
            m.d.sync += [
                Cat(has_address, has_data).eq(0),
                self.s_axi_bvalid.eq(1),
                self.s_axi_bresp.eq(Mux(registers.w_error, _SLVERR, _OKAY)),
            ]

    def _read(self, m: Module, registers: Registers) -> None:
        """A read takes three cycles: its address, the word, and the answer, which stays until it is taken."""
        looking, running = Signal(), Signal()
        m.d.sync += [running.eq(1), looking.eq(0)]
        m.d.comb += [
            self.s_axi_arready.eq(running & ~looking & ~self.s_axi_rvalid),
            registers.r_address.eq(self.s_axi_araddr[2:]),
        ]
        with m.If(self.s_axi_arvalid & self.s_axi_arready):
            m.d.sync += looking.eq(1)
        with m.If(self.s_axi_rready):
            m.d.sync += self.s_axi_rvalid.eq(0)
        with m.If(looking):
            m.d.sync += [self.s_axi_rdata.eq(registers.r_data), self.s_axi_rvalid.eq(1)]
