"""The registers of a core, behind whatever bus."""

from amaranth.hdl import Const, Module, Mux, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..core import Core
from .mailbox import Mailbox
from .parameters import Parameters
from .register_map import IDENTITY, VERSION, Control, Register, RegisterMap, Status

__all__ = ["Registers"]


class Registers(wiring.Component):
    """A port to write and a port to read, independent of each other. Reading changes nothing.

    Parameters
    ----------
    core : :class:`.Core`
    parameters : :class:`.Parameters`
        With words of 32 bits.
    digest : :class:`int`
        What register `DIGEST` holds: the first 32 bits of the network's digest.

    Members
    -------
    w_valid, w_address, w_data, w_whole : :py:`In`
        A word to be written, and whether all of its bytes are.
    w_ready, w_error : :py:`Out(1)`
        It is taken; it has no effect: pixels for which there is no room, or a part of a word.
    r_address : :py:`In`
    r_data : :py:`Out(32)`
        One cycle after its address.
    interrupt : :py:`Out(1)`
    """

    w_valid: Signal
    w_address: Signal
    w_data: Signal
    w_whole: Signal
    w_ready: Signal
    w_error: Signal
    r_address: Signal
    r_data: Signal
    interrupt: Signal

    def __init__(self, *, core: Core, parameters: Parameters, digest: int) -> None:
        if parameters.width != 32:
            raise ValueError(f"registers have words of 32 bits, not {parameters.width!r}")
        self._map = RegisterMap.of(core)
        self._mailbox = Mailbox(core=core, parameters=parameters)
        self._digest = digest
        super().__init__(
            {
                "w_valid": In(1),
                "w_address": In(self._map.address_bits),
                "w_data": In(32),
                "w_whole": In(1),
                "w_ready": Out(1),
                "w_error": Out(1),
                "r_address": In(self._map.address_bits),
                "r_data": Out(32),
                "interrupt": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        reset = Signal()
        m.submodules.mailbox = box = ResetInserter(reset)(self._mailbox)
        enables = Signal(2)
        drops = Signal(16)
        self._write(m, box, reset, enables, drops)
        self._read(m, box, enables, drops)
        m.d.sync += self.interrupt.eq((enables[0] & box.result) | (enables[1] & (drops != 0)))
        return m

    def _write(self, m: Module, box: Mailbox, reset: Signal, enables: Signal, drops: Signal) -> None:
        pixels, written = Signal(), Signal()
        m.d.comb += [
            pixels.eq((self.w_address | 1) == Register.LAST),
            box.i.payload.data.eq(self.w_data),
            box.i.payload.last.eq(self.w_address[0]),
            box.i.valid.eq(self.w_valid & self.w_whole & pixels),
            self.w_ready.eq(~(self.w_whole & pixels) | box.i.ready),
            self.w_error.eq(~self.w_whole | (pixels & box.refused)),
            written.eq(self.w_valid & self.w_whole),
            box.next.eq(written & (self.w_address == Register.NEXT)),
        ]
        m.d.sync += [reset.eq(0), drops.eq(drops + box.dropped)]
        with m.If(written & (self.w_address == Register.CONTROL)):
            m.d.sync += [enables.eq(self.w_data), reset.eq(self.w_data[Control.RESET])]
        with m.If(written & (self.w_address == Register.DROPS)):
            m.d.sync += drops.eq(box.dropped)

    def _read(self, m: Module, box: Mailbox, enables: Signal, drops: Signal) -> None:
        status = Signal(len(Status))
        small, is_result = Signal(32), Signal()
        m.d.comb += [
            status[Status.ROOM].eq(box.room),
            status[Status.RESULT].eq(box.result),
            status[Status.INSIDE].eq(box.inside),
            status[Status.DROPPED].eq(drops != 0),
            box.address.eq(self.r_address),
            self.r_data.eq(Mux(is_result, box.data, small)),
        ]
        values = {
            Register.ID: Const(IDENTITY, 32),
            Register.VERSION: Const(VERSION),
            Register.DIGEST: Const(self._digest, 32),
            Register.STATUS: status,
            Register.CONTROL: enables,
            Register.DROPS: drops,
        }
        m.d.sync += [small.eq(0), is_result.eq(self.r_address[-1])]
        with m.Switch(self.r_address):
            for register, value in values.items():
                with m.Case(register):
                    m.d.sync += small.eq(value)
