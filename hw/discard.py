"""Drops the vectors by which batches were incomplete."""

from dataclasses import dataclass
from typing import ClassVar

from amaranth.hdl import Module, Mux, Shape, Signal, unsigned
from amaranth.lib import stream
from amaranth.lib.wiring import In, connect, flipped
from amaranth.utils import ceil_log2

from .part import Part, PartComponent, Passing
from .queue import Queue

__all__ = ["Discard", "Parameters"]


@dataclass(frozen=True, kw_only=True)
class Parameters(Passing, Part):
    """What a discarder of vectors is created from.

    Parameters
    ----------
    shape : :class:`ShapeLike`
        Shape of a beat.
    beats : :class:`int`
        Beats in a vector.
    batch : :class:`int`
        Vectors in a batch, at least 2.
    depth : :class:`int`
        Batches whose number of vectors may be known ahead.
    """

    rtl_name: ClassVar[str] = "discard"

    beats: int
    batch: int
    depth: int

    def __post_init__(self) -> None:
        for name, least in ("beats", 1), ("batch", 2), ("depth", 1):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, not {getattr(self, name)!r}")

    @property
    def counts(self) -> Shape:
        """Shape of how many vectors of a batch there are, less 1."""
        return unsigned(ceil_log2(self.batch))

    def create(self) -> "Discard":
        return Discard(self)


class Discard(PartComponent[Parameters]):
    """Takes batches of vectors and outputs those that are there: the first ones of each batch, as many as
    `kept` says.

    A beat is passed on in the same cycle; one that is dropped takes a cycle.

    Parameters
    ----------
    parameters : :class:`Parameters`

    Members
    -------
    i : :py:`In(stream.Signature(shape))`
    o : :py:`Out(stream.Signature(shape))`
    kept : :py:`In(stream.Signature(counts))`
        For each batch how many vectors there are, less 1 (see :class:`.Collector`).
    """

    kept: stream.Interface

    def __init__(self, parameters: Parameters) -> None:
        super().__init__(parameters, kept=In(stream.Signature(parameters.counts)))

    def elaborate(self, platform):
        m = Module()
        p = self._parameters
        m.submodules.counts = counts = Queue(shape=p.counts, depth=p.depth)
        connect(m, flipped(self.kept), counts.i)

        beat, vector = Signal(range(p.beats)), Signal(range(p.batch))
        there, take, vector_ends, batch_ends = (
            Signal(name=name) for name in ("there", "take", "vector_ends", "batch_ends")
        )
        m.d.comb += [
            there.eq(vector <= counts.o.payload),
            self.o.payload.eq(self.i.payload),
            self.o.valid.eq(self.i.valid & counts.o.valid & there),
            self.i.ready.eq(counts.o.valid & (self.o.ready | ~there)),
            take.eq(self.i.valid & self.i.ready),
            vector_ends.eq(take & (beat == p.beats - 1)),
            batch_ends.eq(vector_ends & (vector == p.batch - 1)),
            counts.o.ready.eq(batch_ends),
        ]
        with m.If(take):
            m.d.sync += beat.eq(Mux(vector_ends, 0, beat + 1))
        with m.If(vector_ends):
            m.d.sync += vector.eq(Mux(batch_ends, 0, vector + 1))
        return m
