"""What a rule is: all that folding, hardware and reports need to know of a kind of layer."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf, prod
from typing import Any, ClassVar, Generic, TypeVar, cast

from amaranth.hdl import unsigned
from amaranth.lib.data import ArrayLayout

from ...errors import ModelError
from ...hw import mvtu, short_queue
from ...hw.part import Part
from ..folding import Folding, LaneFolding, Unrolled, WindowFolding
from ..ir import Layer, Shape, Signal
from ..stage import Stage

__all__ = ["Memories", "Rule", "queued", "widths"]

L = TypeVar("L", bound=Layer)
F = TypeVar("F", bound=Folding)


@dataclass(frozen=True, kw_only=True)
class Memories:
    """What the device asks of memories.

    Parameters
    ----------
    registered : bool
        As in `WeightedFolding`.
    patchable_store : str or None
        The store of ROMs that can be replaced in the bitstream; None if none need be.
    table_inputs : int
        As in `Unrolled`.
    """

    registered: bool
    patchable_store: str | None
    table_inputs: int = 4


@dataclass(frozen=True, kw_only=True)
class Rule(Generic[L, F]):
    """One layer in its network: which foldings are legal, which of them are worth a try, and the parts of its
    hardware.

    A class for each kind of layer; `rules` in this package chooses it.

    Parameters
    ----------
    layer : Layer
    before, after : Signal
        Its input and its output.
    batch : int
        Images to which dense layers apply each weight word together.
    after_dense, before_dense : bool
        Whether the layer before, and the one after, is dense.
    """

    layer: L
    before: Signal
    after: Signal
    batch: int = 1
    after_dense: bool = False
    before_dense: bool = False

    #: What a report calls the kind of layer.
    title: ClassVar[str]

    #: What a report calls one of its inputs at once, and its outputs.
    takes: ClassVar[str] = "channel"
    outputs: ClassVar[str] = "bits"

    #: The class of its foldings, and of those with its weights wired in if they can be.
    folded_as: ClassVar[type[Folding]]
    unrolled_as: ClassVar[type[Unrolled] | None] = None

    @property
    def input_shape(self) -> Shape:
        """Shape of its input."""
        return self.before.shape

    @property
    def output_shape(self) -> Shape:
        """Shape of its output."""
        return self.after.shape

    @property
    def kernel(self) -> tuple[int, int] | None:
        """Rows and columns of its window over an image; None if it has none."""
        return None

    @property
    def along_sequence(self) -> bool:
        """Whether it has a window that moves along a sequence: an image one pixel wide."""
        return self.kernel is not None and self.input_shape[1] == self.output_shape[1] == self.kernel[1] == 1

    @property
    def description(self) -> str:
        """What a report calls the layer; a window along a sequence as such."""
        if self.kernel is None or not self.along_sequence or self.input_shape[0] == 1:
            return self.title
        return f"1-D {self.title} of {self.kernel[0]}"

    @property
    def boundaries(self) -> tuple[int, ...] | None:
        """The pixels, in order, that a first layer tells apart from the pixel one less; None for all."""
        return None

    @property
    def limits(self) -> tuple[int, int]:
        """Maximum pe and simd: here all channels."""
        channels = self.input_shape[-1]
        return channels, channels

    def folding(self, **values: Any) -> F:
        """A folding with the fields of its class that `values` has: `simd`, in a layer with weights `pe`, and
        memories other than the default.
        """
        return cast(F, self.folded_as.of(values))

    def fastest(self, *, pe: int, simd: int) -> F:
        """The folding of a pe and simd that takes the fewest cycles, whatever it costs."""
        return self.folding(pe=pe, simd=simd)

    def unrolled(self, **values: Any) -> F:
        """The same with the weights wired in, where they can be."""
        assert self.unrolled_as is not None
        return cast(F, self.unrolled_as.of(values))

    def shape(self, folding: F) -> tuple[int, int]:
        """Outputs and inputs at once, pe and simd; without weights, pe follows from simd."""
        assert isinstance(folding, LaneFolding)
        return self.pe_of(folding.simd), folding.simd

    def resized(self, folding: F, *, pe: int, simd: int) -> F:
        """The folding with other inputs and, in a layer with weights, outputs at once."""
        assert isinstance(folding, LaneFolding)
        return replace(folding, simd=simd)

    def pe_of(self, simd: int) -> int:
        """Outputs at once of a layer without weights: as many as inputs."""
        return simd

    def legal_simd(self, simd: int) -> int:
        """The maximum legal simd that is at most `simd`."""
        return simd

    @property
    def legal_pe(self) -> list[int]:
        """Every legal pe of a layer with weights, in order."""
        return list(range(1, self.limits[0] + 1))

    @property
    def rows(self) -> tuple[int, int] | None:
        """Minimum and maximum number of rows of line buffers; None if the layer has none."""
        return None

    @property
    def positions(self) -> int:
        """Positions at which the weights are applied to an image."""
        return 1

    @property
    def slowest(self) -> int:
        """Cycles of the smallest folding for an image: one input and one output at a time."""
        return max(prod(self.input_shape), prod(self.output_shape))

    def beat_pixels(self, simd: int) -> int:
        """Pixels in a beat of the core's input, if this is its first layer and folded by `simd`."""
        return simd

    def nearest(self, folding: F) -> F:
        """A legal folding that differs as little as possible."""
        (pe, simd), (most_pe, most_simd) = self.shape(folding), self.limits
        found = self.resized(folding, pe=min(pe, most_pe), simd=self.legal_simd(min(simd, most_simd)))
        if not isinstance(found, WindowFolding):
            return found
        if self.rows is None:
            return replace(found, rows=None, queued=False)
        low, high = self.rows
        return found if found.rows is None else replace(found, rows=max(low, min(found.rows, high)))

    def check(self, folding: F) -> None:
        """Refuse a folding that is not legal for the sizes of the layer, by a `ModelError` that names it."""
        if type(folding) not in (self.folded_as, self.unrolled_as):
            raise TypeError(
                f"layer {self.layer.name!r}: a {self.layer.kind} has a {self.folded_as.__name__}, not a"
                f" {type(folding).__name__}"
            )
        for name, value, limit in zip(("pe", "simd"), self.shape(folding), self.limits, strict=True):
            self._require(value <= limit, f"{name} must be in 1 ... {limit}, not {value}")
        if not isinstance(folding, WindowFolding):
            return
        if folding.rows is not None:
            self._check_rows(folding.rows)
        self._require(
            self.rows is not None or not folding.queued,
            "has no line buffers, so queued must be left out, not true",
        )

    def _check_rows(self, rows: int) -> None:
        if self.rows is None:
            self._require(False, f"has no line buffers, so rows must be left out, not {rows}")
        else:
            low, high = self.rows
            self._require(low <= rows <= high, f"rows must be in {low} ... {high}, not {rows}")

    def _require(self, holds: bool, what: str) -> None:
        if not holds:
            raise ModelError(f"layer {self.layer.name!r}: {what}")

    def shapes(self) -> Iterator[tuple[int, int]]:
        """Every (pe, simd) worth a try at any pace."""
        for simd in widths(self.input_shape[-1]):
            yield self.pe_of(simd), simd

    def least_cycles(self, pe: int, simd: int) -> int:
        """Cycles per image that every folding of this pe and simd takes at least."""
        *sides, channels = self.input_shape
        return prod(sides) * -(-channels // simd)

    def most_cycles(self, pe: int, simd: int) -> float:
        """Cycles per image from which other shapes are smaller than this pe and simd."""
        return inf

    @property
    def may_be_wired(self) -> bool:
        """Whether its weights may be wired into the logic."""
        return False

    def counters(self, pe: int, simd: int) -> int:
        """How many counters of `simd` products every folding of this pe and simd has at least; 0 where its
        weights may be wired in.
        """
        return 0

    def foldings(self, pe: int, simd: int, memories: Memories) -> Iterator[F]:
        """Every choice of memories worth a try for a pe and simd."""
        yield self.folding(simd=simd)

    @property
    def i_length(self) -> int:
        """Elements of the vectors that it takes."""
        return self.input_shape[-1]

    @property
    def o_length(self) -> int:
        """Elements of the vectors that it outputs."""
        return self.input_shape[-1]

    @property
    def images(self) -> int:
        """Images that it computes together."""
        return 1

    @property
    def i_together(self) -> int:
        """Images whose inputs come side by side."""
        return 1

    @property
    def vectors(self) -> int:
        """Vectors that it takes per image, or per batch of `images`."""
        return prod(self.input_shape[:-1])

    def i_lanes(self, folding: F) -> int:
        """Elements in a beat of the vectors that it takes."""
        return self.shape(folding)[1]

    def o_lanes(self, folding: F) -> int:
        """Elements in a beat of the vectors that it outputs."""
        return self.shape(folding)[0]

    def i_beat(self, folding: F) -> ArrayLayout:
        """Shape of a beat of the vectors that it takes."""
        return ArrayLayout(unsigned(self.before.maximum.bit_length()), self.i_lanes(folding))

    def unit(self, folding: F, *, patchable: bool = False) -> mvtu.Parameters | None:
        """The matrix-vector-threshold unit; None if there is none."""
        return None

    def parts(self, folding: F, unit: mvtu.Parameters | None) -> tuple[Part, ...]:
        """The parts of the hardware, connected in order."""
        raise NotImplementedError

    def stage(self, folding: F, *, patchable: bool = False) -> Stage:
        """The layer's hardware."""
        return self.stage_of(folding, self.unit(folding, patchable=patchable))

    def stage_of(self, folding: F, unit: mvtu.Parameters | None) -> Stage:
        """The layer's hardware, for a caller that already has the unit."""
        return Stage(
            layer=self.layer,
            folding=folding,
            parts=self.parts(folding, unit),
            i_length=self.i_length,
            i_lanes=self.i_lanes(folding),
            o_length=self.o_length,
            o_lanes=self.o_lanes(folding),
            i_maximum=self.before.maximum,
            vectors=self.vectors,
            images=self.images,
        )


def queued(part: Part, folding: WindowFolding) -> tuple[Part, ...]:
    """The line buffers, with the queue behind them if there is one."""
    return (part, short_queue.Parameters(shape=part.o_shape)) if folding.queued else (part,)


def widths(length: int, least: int = 1) -> list[int]:
    """Numbers of elements at once worth a try for a vector of `length`, at least `least`, in order: the
    minimum for each number of beats, and the powers of two.
    """
    found = {-(-length // beats) for beats in range(1, length + 1)}
    found |= {1 << n for n in range(length.bit_length()) if 1 << n <= length}
    return sorted(width for width in found if width >= least)
