"""A matrix-vector-threshold unit (MVTU) as a value: sizes, ROM contents, widths, timing, and what it
computes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

from amaranth.hdl import ShapeLike, signed, unsigned
from amaranth.lib import data
from amaranth.utils import bits_for

from .bits import bits
from .part import Part
from .popcount import XnorPopcount
from .rom import STORES
from .spram import BLOCK_DEPTH, BLOCK_WIDTH, blocks, columns

if TYPE_CHECKING:
    from .mvtu import Mvtu

__all__ = ["SHALLOW", "WEIGHT_STORES", "Parameters"]

#: Where weights can be stored: in a ROM, or in RAM that is filled at run time.
WEIGHT_STORES = (*STORES, "spram")

#: Words that fit one block RAM at its widest shape in every family (an iCE40's has 256 words of 16 bits).
SHALLOW = 256

#: What no folding changes.
_UNFOLDED = ("halves", "starts", "preset_range", "sum_width", "total_width")


def _signed_bits(minimum: int, maximum: int) -> int:
    """Bits of a two's complement number that holds both."""
    return max(bits_for(minimum, require_sign_bit=True), bits_for(maximum, require_sign_bit=True))


@dataclass(frozen=True, kw_only=True, eq=False)
class Parameters(Part):
    """Everything that determines a matrix-vector-threshold unit.

    Parameters
    ----------
    inputs : :class:`int`
        Length of an input vector.
    weights : tuple of :class:`int`
        One number per output: bit ``n`` is the weight of input ``n``.
    presets : tuple of :class:`int`
        One initial accumulator value per output: minus the threshold, or the offset of a score.
    pe : :class:`int`
        Outputs computed in parallel (processing elements), 1 ... outputs; need not divide the outputs.
    simd : :class:`int`
        Inputs counted in parallel, 1 ... inputs; need not divide the inputs.
    weight_store, preset_store : :class:`str`
        Memory of the weights and the presets: ``"bram"`` or ``"lut"``. Weights can also be in ``"spram"``,
        which is filled at run time (see :class:`.Spram`).
    registered : :class:`bool`
        Whether to add a pipeline register after the memories of weights and presets, for slow block RAMs. A
        weight ROM of more than `SHALLOW` words spans several block RAMs and a multiplexer, and is always
        registered.
    sprams : :class:`int` or None
        SPRAM blocks for the weights if their store is ``"spram"``; the remaining bits of a word are in block
        RAM. None takes as many as a word needs.
    planes : :class:`int`
        Bits of an input. A vector arrives as bit planes, most significant first. All planes see the same
        weights.
    signs : :class:`bool`
        Whether an output is the sign of its sum (1 if the sum is not negative) instead of the sum.
    max_count : :class:`int` or None
        Maximum sum, if all sums start from 0 and so are never negative: outputs are then unsigned.
    vectors : :class:`int`
        Input vectors that arrive side by side and meet each weight word together. A beat has `vectors` bits
        for each of its `simd` places: those of the first place lead. A beat of outputs has the `pe` outputs
        of the first vector, then those of the second, and so on.
    interleaved : :class:`bool`
        Whether a beat of outputs instead has, for each of the `pe` places, the outputs of all vectors, as
        inputs come.
    patchable : :class:`bool`
        Whether weights and presets can be replaced in a bitstream. The logic around the ROMs then does not
        depend on their contents, only on the largest presets that the unit can have.
    masks : tuple of :class:`int`, optional
        Ternary weights: one number per output whose bit ``n`` is 0 if the weight of input ``n`` is 0. A
        ternary weight is the mean of two binary ones (its *halves*): 1 and 1, 0 and 0, or 1 and 0 for a
        weight of 0. Each plane therefore arrives twice, every count is doubled, and the constant that zero
        weights add is part of the initial value.

    Raises
    ------
    ValueError
        A value is out of its range, or the sizes do not fit together.
    """

    rtl_name: ClassVar[str] = "mvtu"

    inputs: int
    weights: tuple[int, ...]
    presets: tuple[int, ...]
    pe: int
    simd: int
    weight_store: str = "bram"
    preset_store: str = "lut"
    registered: bool = False
    sprams: int | None = None
    planes: int = 1
    signs: bool = True
    max_count: int | None = None
    masks: tuple[int, ...] | None = None
    patchable: bool = False
    vectors: int = 1
    interleaved: bool = False

    def __post_init__(self) -> None:
        for name, rows in ("weights", self.weights), ("masks", self.masks or ()):
            if rows and not 0 <= min(rows) <= max(rows) < 1 << self.inputs:
                raise ValueError(f"each row of {name} must have {self.inputs} bits")
        if self.masks is not None and len(self.masks) != self.outputs:
            raise ValueError(f"{self.outputs} outputs need as many masks, not {len(self.masks)}")
        if len(self.presets) != self.outputs:
            raise ValueError(f"{self.outputs} outputs need as many presets, not {len(self.presets)}")
        if self.max_count is not None and (self.signs or any(self.presets)):
            raise ValueError("counts must be sums that start from 0")
        if self.planes < 1:
            raise ValueError(f"planes must be at least 1, not {self.planes!r}")
        self._check_folding()

    def _check_folding(self) -> None:
        if self.vectors < 1:
            raise ValueError(f"vectors must be at least 1, not {self.vectors!r}")
        for name, value, limit in ("pe", self.pe, self.outputs), ("simd", self.simd, self.inputs):
            if not 1 <= value <= limit:
                raise ValueError(f"{name} must be in 1 ... {limit}, not {value!r}")
        if self.weight_store not in WEIGHT_STORES:
            raise ValueError(
                f"weight_store must be one of {', '.join(WEIGHT_STORES)}, not {self.weight_store!r}"
            )
        if self.preset_store not in STORES:
            raise ValueError(f"preset_store must be one of {', '.join(STORES)}, not {self.preset_store!r}")
        if self.sprams is not None and not 1 <= self.sprams <= blocks(self.pe * self.simd):
            raise ValueError(f"sprams must be in 1 ... {blocks(self.pe * self.simd)}, not {self.sprams!r}")
        if self.weight_store == "spram" and self.weight_depth > BLOCK_DEPTH:
            raise ValueError(f"a weight RAM has at most {BLOCK_DEPTH:,} words, not {self.weight_depth:,}")

    def refolded(self, **folding: Any) -> Self:
        """The unit with other values of fields that are neither its inputs nor its contents. What depends on
        those alone is checked and computed once for all foldings.
        """
        for name in _UNFOLDED:
            getattr(self, name)
        found = object.__new__(type(self))
        names = (*(field.name for field in fields(self)), *_UNFOLDED)
        found.__dict__.update({name: self.__dict__[name] for name in names}, **folding)
        found._check_folding()
        return found

    # Sizes.

    @property
    def outputs(self) -> int:
        return len(self.weights)

    @cached_property
    def slices(self) -> int:
        """Beats of one pass over the inputs (synapse fold)."""
        return -(-self.inputs // self.simd)

    @cached_property
    def groups(self) -> int:
        """Beats of an output vector (neuron fold)."""
        return -(-self.outputs // self.pe)

    @cached_property
    def halves(self) -> int:
        """Passes per plane: 2 if the weights are ternary, else 1."""
        return 1 if self.masks is None else 2

    @cached_property
    def plane_beats(self) -> int:
        """Input beats per plane: its slices, in each half."""
        return self.slices * self.halves

    @cached_property
    def beats(self) -> int:
        """Input beats per group of outputs: those of all planes."""
        return self.plane_beats * self.planes

    @cached_property
    def cycles(self) -> int:
        """Cycles per vector: one for each group, plane, half and slice."""
        return self.groups * self.beats

    @property
    def max_input(self) -> int:
        """The maximum input value."""
        return (1 << self.planes) - 1

    @property
    def element(self) -> ShapeLike:
        """Shape of one output."""
        if self.max_count is not None:
            return unsigned(bits_for(self.max_count))
        return 1 if self.signs else signed(self.sum_width)

    # Widths.

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """Initial value of each accumulator: its preset, or for ternary weights twice the preset minus what
        the zero weights add.
        """
        if self.masks is None:
            return self.presets
        return tuple(
            2 * preset - self.max_input * (self.inputs - mask.bit_count())
            for preset, mask in zip(self.presets, self.masks, strict=True)
        )

    @cached_property
    def preset_range(self) -> tuple[int, int]:
        """Minimum and maximum preset that the unit supports. A useful threshold is at most one beyond the
        largest sum.
        """
        minimum, maximum = min(self.presets), max(self.presets)
        if self.patchable and self.max_count is None:
            reach = self.inputs * self.max_input + 1
            return min(minimum, -reach), max(maximum, 0 if self.signs else reach)
        return minimum, maximum

    @cached_property
    def sum_width(self) -> int:
        """Bits, two's complement, of the sum of any supported preset and any inputs."""
        minimum, maximum = self.preset_range
        return _signed_bits(minimum, maximum + self.inputs * self.max_input)

    @cached_property
    def total_width(self) -> int:
        """Bits, two's complement, of every intermediate sum. A sum only grows from its initial value."""
        if self.masks is None:
            return self.sum_width
        if self.patchable:
            minimum, maximum = self.preset_range
            reach = self.max_input * self.inputs
            return _signed_bits(2 * minimum - reach, 2 * (maximum + reach))
        ends = (
            2 * (preset + self.max_input * mask.bit_count())
            for preset, mask in zip(self.presets, self.masks, strict=True)
        )
        return _signed_bits(min(self.starts), max(ends))

    @property
    def accumulator_width(self) -> int:
        """Bits of an accumulator: those of the total, plus one fractional bit for each later doubling."""
        return self.total_width + self.planes - 1

    # Timing.

    @cached_property
    def weights_registered(self) -> bool:
        """Whether there is a register after the weight ROM: on request, and always for a deep ROM (on iCE40
        that register is free, in the cells of the ROM's multiplexer).
        """
        return (
            self.registered
            or (self.weight_store == "bram" or self.rest_width > 0)
            and self.weight_depth > SHALLOW
        )

    @cached_property
    def latency(self) -> int:
        """Cycles from the acceptance of a group's last slice to its valid outputs."""
        return 4 + self.weights_registered + XnorPopcount.latency(self.simd)

    @cached_property
    def queue_depth(self) -> int:
        """Finished groups to buffer so that a sink that is always ready never stalls the unit.

        A group takes its place when its last slice is accepted, and frees it in the cycle after it has left.
        """
        return -(-(self.latency + 1) // self.beats)

    # Memories.

    @cached_property
    def weight_depth(self) -> int:
        """Words of the weight ROM."""
        return self.groups * self.plane_beats

    @cached_property
    def weight_blocks(self) -> int:
        """SPRAM blocks that store weights; 0 if the weights are in a ROM."""
        return (self.sprams or blocks(self.pe * self.simd)) if self.weight_store == "spram" else 0

    @cached_property
    def rest_width(self) -> int:
        """Bits of a weight word that do not fit the `weight_blocks` and are in block RAM."""
        return max(0, self.pe * self.simd - self.weight_blocks * BLOCK_WIDTH) if self.weight_blocks else 0

    @property
    def rest_words(self) -> tuple[int, ...]:
        """The top `rest_width` bits of each weight word."""
        return tuple(word >> self.pe * self.simd - self.rest_width for word in self.weight_words)

    @cached_property
    def weight_words(self) -> tuple[int, ...]:
        """Contents of the weight ROM: one word per (group, half, slice), which is read once per plane.

        A word has `simd` bits for each processing element, the first in the least significant bits, encoded
        for :class:`.XnorPopcount`. Positions past the last input are 1, which never agrees with the input
        padding of 0. Rows past the last output are 0.
        """
        padding = (1 << self.slices * self.simd) - (1 << self.inputs)
        inputs, unused = (1 << self.inputs) - 1, [0] * (self.groups * self.pe - self.outputs)
        halves: list[Sequence[int]] = [self.weights]
        if self.masks is not None:
            pairs = list(zip(self.weights, self.masks, strict=True))
            halves = [[row | inputs & ~mask for row, mask in pairs], [row & mask for row, mask in pairs]]
        padded = [[row | padding for row in half] + unused for half in halves]
        ones = (1 << self.simd) - 1
        return tuple(
            XnorPopcount.code_complements(
                sum(
                    (rows[group * self.pe + lane] >> (index * self.simd) & ones) << (lane * self.simd)
                    for lane in range(self.pe)
                ),
                width=self.simd,
                lanes=self.pe,
            )
            for group in range(self.groups)
            for rows in padded
            for index in range(self.slices)
        )

    @property
    def ram_contents(self) -> tuple[tuple[int, ...], ...]:
        """Contents of each of the `weight_blocks`, as 16-bit words."""
        return columns(self.weight_words, self.pe * self.simd)[: self.weight_blocks]

    @cached_property
    def preset_words(self) -> tuple[int, ...]:
        """Contents of the preset ROM: one word per group with `total_width` bits for each processing element,
        the first in the least significant bits.
        """
        mask = (1 << self.total_width) - 1
        starts = list(self.starts) + [0] * (self.groups * self.pe - self.outputs)
        return tuple(
            sum(
                (starts[group * self.pe + lane] & mask) << (lane * self.total_width)
                for lane in range(self.pe)
            )
            for group in range(self.groups)
        )

    @property
    def presets_constant(self) -> bool:
        """Whether all groups have the same presets, so that no preset ROM is needed; for a patchable unit,
        whether they do for all contents.
        """
        if self.patchable:
            # Counts start from 0, but with ternary weights from what the zero weights add.
            return self.max_count is not None and self.masks is None
        return len(set(self.preset_words)) == 1

    # What it computes.

    def compute(self, vector: Sequence[int]) -> list[int]:
        """The outputs for one input vector of `inputs` numbers, each 0 ... `max_input`."""
        masks = self.masks or [(1 << self.inputs) - 1] * self.outputs
        sums = [
            preset
            + sum(
                value if row >> n & 1 else self.max_input - value
                for n, value in enumerate(vector)
                if mask >> n & 1
            )
            for row, preset, mask in zip(self.weights, self.presets, masks, strict=True)
        ]
        return [int(value >= 0) for value in sums] if self.signs else sums

    @property
    def i_shape(self) -> data.ArrayLayout:
        return bits(self.simd * self.vectors)

    @property
    def o_shape(self) -> data.ArrayLayout:
        return data.ArrayLayout(self.element, self.pe * self.vectors)

    def o_beats(self, i_beats: int) -> int:
        return i_beats // self.beats

    def create(self) -> Mvtu:
        """The hardware with these parameters."""
        from .mvtu import Mvtu  # the component needs this class

        return Mvtu(self)
