"""What a rule is: all that folding, hardware and reports need to know of a kind of layer."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar, Generic, TypeVar

from amaranth.hdl import unsigned
from amaranth.lib.data import ArrayLayout

from ...errors import ModelError
from ...hw import mvtu
from ...hw.mvtu import WEIGHT_STORES
from ...hw.part import Part
from ...hw.rom import STORES
from ..folding import UNROLLED, Folding
from ..ir import Layer, Shape, Signal
from ..stage import Stage

__all__ = ["Memories", "Rule", "Shallow", "widths"]

L = TypeVar("L", bound=Layer)

#: Whether a memory of `width` bits and `depth` words has few block RAMs one after the other:
#: ``shallow(width=…, depth=…)``.
Shallow = Callable[..., bool]


@dataclass(frozen=True, kw_only=True)
class Memories:
    """What the device asks of memories.

    Parameters
    ----------
    registered : bool
        As in `Folding`.
    patchable_store : str or None
        The store of ROMs that can be replaced in the bitstream; None if none need be.
    """

    registered: bool
    patchable_store: str | None


@dataclass(frozen=True, kw_only=True)
class Rule(Generic[L]):
    """One layer in its network: which foldings are legal, which of them are worth a try, and the parts of its
    hardware.

    A class for each kind of layer; `rules` in this package chooses it.

    Parameters
    ----------
    layer : Layer
    before, after : Signal
        Its input and its output.
    """

    layer: L
    before: Signal
    after: Signal

    #: What a report calls the kind of layer.
    title: ClassVar[str]

    #: What a report calls one of its inputs at once, and its outputs.
    takes: ClassVar[str] = "channel"
    outputs: ClassVar[str] = "bits"

    #: Whether its weights can be wired in.
    unrolls: ClassVar[bool] = False

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
    def limits(self) -> tuple[int, int]:
        """Maximum pe and simd: here all channels."""
        channels = self.input_shape[-1]
        return channels, channels

    def complete(self, folding: Folding) -> Folding:
        """The folding with what follows from the rest of it: without weights, pe follows from simd."""
        return replace(folding, pe=self.pe_of(folding.simd))

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

    def nearest(self, folding: Folding) -> Folding:
        """A legal folding that differs as little as possible."""
        most_pe, most_simd = self.limits
        rows = folding.rows
        if rows is not None:
            low, high = self.rows or (0, 0)
            rows = max(low, min(rows, high))
        return self.complete(
            replace(
                folding,
                pe=min(folding.pe, most_pe),
                simd=self.legal_simd(min(folding.simd, most_simd)),
                rows=rows,
            )
        )

    def check(self, folding: Folding) -> None:
        """Refuse a folding that is not legal, by a `ModelError` that names the layer."""
        for name, limit in zip(("pe", "simd"), self.limits, strict=True):
            value = getattr(folding, name)
            self._require(
                type(value) is int and 1 <= value <= limit, f"{name} must be in 1 ... {limit}, not {value!r}"
            )
        self._check_stores(folding)
        self._check_simd(folding)
        done = self.complete(folding)
        self._require(
            (done.pe, done.simd) == (folding.pe, folding.simd),
            (
                f"unrolled weights need pe {done.pe} and simd {done.simd}, not pe {folding.pe} and simd"
                f" {folding.simd}"
            )
            if folding.unrolled
            else f"pe must be {done.pe}, which follows from simd {folding.simd}, not {folding.pe}",
        )
        self._check_rows(folding)
        self._check_sprams(folding)

    def _check_simd(self, folding: Folding) -> None:
        pass

    def _check_stores(self, folding: Folding) -> None:
        for name in "store", "preset_store", "replay_store":
            stores = (*WEIGHT_STORES, UNROLLED) if name == "store" else tuple(STORES)
            self._require(
                getattr(folding, name) in stores,
                f"{name} must be one of {', '.join(stores)}, not {getattr(folding, name)!r}",
            )
        self._require(
            self.unrolls or not folding.unrolled,
            f"only the weights of a dense layer can be unrolled, not those of a {self.layer.kind}",
        )
        self._require(
            type(folding.levels) is int and folding.levels >= 1,
            f"levels must be at least 1, not {folding.levels!r}",
        )
        self._require(
            type(folding.registered) is bool, f"registered must be true or false, not {folding.registered!r}"
        )

    def _check_rows(self, folding: Folding) -> None:
        rows, found = folding.rows, self.rows
        if rows is None:
            return
        if found is None:
            self._require(False, f"has no line buffers, so rows must be left out, not {rows!r}")
        else:
            low, high = found
            self._require(
                type(rows) is int and low <= rows <= high, f"rows must be in {low} ... {high}, not {rows!r}"
            )

    def _check_sprams(self, folding: Folding) -> None:
        self._require(
            folding.sprams is None,
            f"has no weights in SPRAM, so sprams must be left out, not {folding.sprams!r}",
        )

    def _require(self, holds: bool, what: str) -> None:
        if not holds:
            raise ModelError(f"layer {self.layer.name!r}: {what}")

    def shapes(self, cycles: int, shallow: Shallow) -> Iterator[tuple[int, int]]:
        """Every (pe, simd) worth a try that takes at most `cycles` for an image."""
        *sides, channels = self.input_shape
        for simd in widths(channels):
            if prod(sides) * -(-channels // simd) <= cycles:
                yield self.pe_of(simd), simd

    def foldings(self, pe: int, simd: int, memories: Memories) -> Iterator[Folding]:
        """Every choice of memories worth a try for a pe and simd."""
        yield Folding(pe=pe, simd=simd, preset_store="lut")

    @property
    def i_length(self) -> int:
        """Elements of the vectors that it takes."""
        return self.input_shape[-1]

    @property
    def o_length(self) -> int:
        """Elements of the vectors that it outputs."""
        return self.input_shape[-1]

    @property
    def vectors(self) -> int:
        """Vectors per image that it takes."""
        return prod(self.input_shape[:-1])

    def i_lanes(self, folding: Folding) -> int:
        """Elements in a beat of the vectors that it takes."""
        return folding.simd

    def i_beat(self, folding: Folding) -> ArrayLayout:
        """Shape of a beat of the vectors that it takes."""
        return ArrayLayout(unsigned(self.before.maximum.bit_length()), self.i_lanes(folding))

    def unit(self, folding: Folding, *, patchable: bool = False) -> mvtu.Parameters | None:
        """The matrix-vector-threshold unit; None if there is none."""
        return None

    def parts(self, folding: Folding, unit: mvtu.Parameters | None) -> tuple[Part, ...]:
        """The parts of the hardware, connected in order."""
        raise NotImplementedError

    def stage(self, folding: Folding, *, patchable: bool = False) -> Stage:
        """The layer's hardware."""
        return self.stage_of(folding, self.unit(folding, patchable=patchable))

    def stage_of(self, folding: Folding, unit: mvtu.Parameters | None) -> Stage:
        """The layer's hardware, for a caller that already has the unit."""
        return Stage(
            layer=self.layer,
            folding=folding,
            parts=self.parts(folding, unit),
            i_length=self.i_length,
            i_lanes=self.i_lanes(folding),
            o_length=self.o_length,
            o_lanes=folding.pe,
            i_maximum=self.before.maximum,
            vectors=self.vectors,
        )


def widths(length: int, least: int = 1) -> list[int]:
    """Numbers of elements at once worth a try for a vector of `length`, at least `least`, in order: the
    minimum for each number of beats, and the powers of two.
    """
    found = {-(-length // beats) for beats in range(1, length + 1)}
    found |= {1 << n for n in range(length.bit_length()) if 1 << n <= length}
    return sorted(width for width in found if width >= least)
