"""A long first-in first-out queue in a memory."""

from dataclasses import dataclass
from typing import ClassVar

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import memory

from .part import Part, PartComponent, Passing
from .rom import STORES

__all__ = ["DeepQueue", "Parameters"]


@dataclass(frozen=True, kw_only=True)
class Parameters(Passing, Part):
    """What the queue of a shortcut is created from.

    Parameters
    ----------
    shape : :class:`ShapeLike`
        Shape of the payload.
    depth : :class:`int`
        Words of memory, at least 2.
    store : :class:`str`
        ``"bram"`` or ``"lut"``.
    """

    rtl_name: ClassVar[str] = "shortcut"

    depth: int
    store: str

    def __post_init__(self) -> None:
        if self.depth < 2:
            raise ValueError(f"depth must be at least 2, not {self.depth!r}")
        if self.store not in STORES:
            raise ValueError(f"store must be one of {', '.join(STORES)}, not {self.store!r}")

    def create(self) -> "DeepQueue":
        return DeepQueue(self)


class DeepQueue(PartComponent[Parameters]):
    """Holds up to `depth` payloads, and one more on its output, and cuts every combinational path between its
    two sides.

    Latency is two cycles; one payload passes per cycle.

    Parameters
    ----------
    parameters : :class:`Parameters`

    Members
    -------
    i : :py:`In(stream.Signature(shape))`
        Ready while a payload fits, whatever the other side does.
    o : :py:`Out(stream.Signature(shape))`
    """

    def elaborate(self, platform):
        m = Module()
        p = self._parameters
        m.submodules.memory = ram = memory.Memory(
            shape=unsigned(p.width), depth=p.depth, init=[], attrs={"ram_style": STORES[p.store]}
        )
        w_port = ram.write_port()
        r_port = ram.read_port()

        held = Signal(range(p.depth + 1))  # written and not yet read
        push, pop = Signal(), Signal()
        m.d.comb += [
            self.i.ready.eq(held != p.depth),
            push.eq(self.i.valid & self.i.ready),
            w_port.en.eq(push),
            w_port.data.eq(self.i.payload),
            r_port.en.eq(~self.o.valid | self.o.ready),
            pop.eq(r_port.en & (held != 0)),
            self.o.payload.eq(r_port.data),
        ]
        m.d.sync += held.eq(held + push - pop)
        with m.If(r_port.en):
            m.d.sync += self.o.valid.eq(held != 0)
        for port, moves in (w_port, push), (r_port, pop):
            with m.If(moves):
                m.d.sync += port.addr.eq(Mux(port.addr == p.depth - 1, 0, port.addr + 1))
        return m
