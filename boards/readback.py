"""Weights and thresholds read back out of a bitstream, each in its place in the network. ::

    bitstream ─▶ block RAMs ─▶ words of each memory ─▶ weights[output, input], thresholds[output] ═══ network
    flash behind it ─▶ SPRAMs ─┘

The order of the words is undone here by the rules of ``docs/hardware.md``, not by the code that laid them
out.
"""

import math
from dataclasses import dataclass

import numpy as np

from ..compiler.ir import Scores, Threshold
from ..compiler.stage import stages
from ..errors import BoardError
from ..hw.popcount import XnorPopcount
from . import memories

__all__ = ["Difference", "Part", "read", "tell"]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One number that is not what it should be.

    Parameters
    ----------
    index : tuple of int
        Its place in the network's array; empty for padding.
    address, bit : int
        In the words of the memory; the lowest bit of a number of several.
    where : str
        Block RAM of the bitstream, and the bit in it.
    expected, found : int
    """

    index: tuple
    address: int
    bit: int
    where: str
    expected: int
    found: int


@dataclass(frozen=True, kw_only=True)
class Part:
    """What was read back of one layer.

    Parameters
    ----------
    layer : str
    what : str
        ``"weights"``, ``"thresholds"``, ``"offsets"``, ``"scales"``.
    bits : int
        Bits of the memory; 0 where it is not in block RAM.
    constant : int
        How many of them are the same in every word and therefore logic, which the bitstream does not tell
        apart.
    difference : Difference or None
        The first.
    differences : int
    """

    layer: str
    what: str
    bits: int = 0
    constant: int = 0
    difference: Difference | None = None
    differences: int = 0


def read(*, design, verilog, netlist, rams, family, flash=b""):
    """What a bitstream holds of a network, part by part.

    Parameters
    ----------
    design : Design
    verilog : str
        The top level that the bitstream was made from.
    netlist : dict
        As `netlist.load` gives it, after place and route.
    rams : dict
        As `Layout.block_rams` returns it.
    family : Family
    flash : bytes
        What the flash holds from `flash_image.OFFSET` on: the weights of layers in SPRAM.

    Returns
    -------
    list of Part
        In the order of the layers. One for each kind of numbers that a layer has; those that synthesis made
        logic of have no bits.
    """
    found = {memory.path: memory for memory in memories.memories(verilog) if memory.block}
    cells = memories.cells(netlist, family=family)
    parts = []
    held = {path: _in_block_ram(memory, cells, rams, family) for path, memory in found.items()}
    held |= _in_flash(design, flash, held)
    for path, layer, what, decode, lay_out in _expected(design):
        memory = held.get(path)
        if memory is None:
            parts.append(Part(layer=layer.name, what=what))
            continue
        words = memory.words

        def difference(place, index, expected, number, memory=memory):
            address, column = divmod(int(place), memory.words.shape[1])
            return Difference(
                index=tuple(map(int, index)),
                address=address,
                bit=column,
                where=memory.where(address, column),
                expected=int(expected),
                found=int(number),
            )

        # Where the bits of each number are, the lowest first, and what the number should be.
        place, expected = lay_out(words.shape)
        bits = decode(words).ravel()[place]
        numbers = _signed(bits) if place.ndim > expected.ndim else bits
        wrong, first = np.argwhere(numbers != expected), None
        if len(wrong):
            index = tuple(wrong[0])
            first = difference(np.ravel(place[index])[0], index, expected[index], numbers[index])
        else:
            wrong = np.argwhere(words != memory.meant)
            if len(wrong):
                index = tuple(wrong[0])
                first = difference(
                    np.ravel_multi_index(index, words.shape), (), memory.meant[index], words[index]
                )
        parts.append(
            Part(
                layer=layer.name,
                what=what,
                bits=words.size,
                constant=memory.constant,
                difference=first,
                differences=len(wrong),
            )
        )
    return parts


@dataclass(frozen=True, kw_only=True)
class _Held:
    """The bits of a memory's words as they were found and as they were meant, and a function that says where
    one is.
    """

    words: np.ndarray
    meant: np.ndarray
    where: object
    constant: int = 0


def _in_block_ram(memory, cells, rams, family):
    ram, bit = memories.places(memory, cells, family=family)

    def where(address, column):
        return (
            "logic"
            if ram[address, column] < 0
            else f"{cells[ram[address, column]].location}, bit {bit[address, column]}"
        )

    return _Held(
        words=memories.read(memory, cells, rams, family=family),
        meant=memory.words,
        where=where,
        constant=int((ram < 0).sum()),
    )


def _in_flash(design, flash, held):
    """For each layer in SPRAM its words by their path: columns of 16 bits one after the other, and in block
    RAM what is beyond them."""
    words, found, made = np.frombuffer(flash[: len(flash) // 2 * 2], "<u2"), {}, stages(design)
    needed = sum(
        stage.unit.weight_depth * stage.unit.weight_blocks
        for stage in made
        if stage.unit and stage.folding.store == "spram"
    )
    if len(words) < needed:
        raise BoardError(
            f"the flash must hold {2 * needed:,} bytes of weights behind the bitstream, not {len(flash):,};"
            " give the top.bin of the build"
        )
    first = 0
    for n, stage in enumerate(made):
        unit = stage.unit
        if unit is None or stage.folding.store != "spram":
            continue
        path, depth, width = (
            f"core.mvtu_{n}.weight_rom",
            unit.weight_depth,
            unit.pe * unit.simd - unit.rest_width,
        )
        rest = held.get(f"{path}.rest.memory")
        columns = words[first : first + depth * unit.weight_blocks].reshape(-1, depth)

        def bits(columns, width=width):
            return (
                (np.asarray(columns).T[..., None] >> np.arange(16) & 1)
                .astype(np.uint8)
                .reshape(len(columns[0]), -1)[:, :width]
            )

        def where(address, column, first=first, depth=depth, width=width, rest=rest):
            if column >= width:
                return rest.where(address, column - width)
            return (
                f"byte {2 * (first + column // 16 * depth + address) + column % 16 // 8} of weights.bin, bit"
                f" {column % 8}"
            )

        parts = [_Held(words=bits(columns), meant=bits(unit.ram_contents), where=where)]
        if unit.rest_width:
            parts.append(rest)
        found[f"{path}.memory"] = _Held(
            words=np.hstack([part.words for part in parts]),
            meant=np.hstack([part.meant for part in parts]),
            where=where,
            constant=sum(part.constant for part in parts),
        )
        first += depth * unit.weight_blocks
    return found


def _signed(bits):
    """Numbers in two's complement, the lowest bit first on the last axis."""
    weights = 1 << np.arange(bits.shape[-1], dtype=np.int64)
    weights[-1] = -weights[-1]
    return bits @ weights


def _expected(design):
    """For each memory of a network: its path, its layer, what it holds, what its words have to be decoded by,
    and a function of its shape.

    The function gives the places of the numbers' bits among those of the memory, words end to end, and the
    numbers.
    """
    for n, stage in enumerate(stages(design)):
        layer, unit = stage.layer, stage.unit
        if unit is not None:
            yield (
                f"core.mvtu_{n}.weight_rom.memory",
                layer,
                "weights",
                _decode(stage.folding),
                _weights(layer, stage.folding),
            )
            if isinstance(layer, Scores) or layer.thresholds is not None:
                what = "offsets" if isinstance(layer, Scores) else "thresholds"
                yield (
                    f"core.mvtu_{n}.preset_rom.memory",
                    layer,
                    what,
                    np.asarray,
                    _starts(layer, stage.folding),
                )
        if isinstance(layer, Threshold):
            yield (
                f"core.threshold_{n}.rom.memory",
                layer,
                "thresholds",
                np.asarray,
                _thresholds(layer, stage.folding),
            )


def _decode(folding):
    """Weights from their code: each bit is the parity of the complements of its weight and those before it in
    its group.
    """
    begins = np.zeros(folding.simd, bool)
    begins[np.cumsum((0, *XnorPopcount.groups(folding.simd)))[:-1]] = True

    def decode(words):
        coded = words.reshape(-1, folding.simd)
        before = np.roll(coded, 1, axis=1)
        before[:, begins] = 0
        return (1 ^ coded ^ before).reshape(words.shape)

    return decode


def _weights(layer, folding):
    """Word (group, pass, slice) of `pe` rows of `simd` weights, the first lowest; a convolution's slices are
    the pieces of each pixel under the kernel. A ternary weight is half the sum of two: 1, 1 or 0, 0, or where
    it is 0 first 1, then 0.
    """
    channels = layer.weights.shape[-1]
    pixels = layer.weights.shape[1:-1]
    lanes = min(folding.simd, channels)  # more than that are whole pixels
    padded = -(-channels // lanes) * lanes
    inputs = math.prod(pixels) * padded
    slices = -(-inputs // folding.simd)
    groups = -(-layer.outputs // folding.pe)
    passes = 1 if layer.mask is None else 2
    expected = (
        layer.weights
        if layer.mask is None
        else np.stack([layer.weights | 1 - layer.mask, layer.weights & layer.mask], axis=1)
    )

    def lay_out(shape):
        places = np.arange(math.prod(shape)).reshape(groups, passes, slices, folding.pe, folding.simd)
        # (group, lane), pass, (slice, place in it)
        places = np.moveaxis(places, -2, 1).reshape(groups * folding.pe, passes, slices * folding.simd)
        places = places[: layer.outputs, :, :inputs].reshape(layer.outputs, passes, *pixels, padded)[
            ..., :channels
        ]
        return (places[:, 0] if layer.mask is None else places), expected

    return lay_out


def _starts(layer, folding):
    """Word (group) of `pe` accumulators' starts: minus a threshold, or an offset; of ternary weights twice
    that, less what the weights of 0 add."""
    presets = layer.offsets if isinstance(layer, Scores) else -layer.thresholds
    expected = presets.astype(np.int64)
    if layer.mask is not None:
        unmasked = layer.mask.reshape(layer.outputs, -1).sum(axis=1, dtype=np.int64)
        expected = 2 * expected - ((1 << layer.planes) - 1) * (layer.inputs - unmasked)

    def lay_out(shape):
        places = np.arange(math.prod(shape)).reshape(shape[0] * folding.pe, shape[1] // folding.pe)
        return places[: layer.outputs], expected

    return lay_out


def _thresholds(layer, folding):
    """Word (beat) of `pe` thresholds with their inversion above, which is their sign here."""

    def lay_out(shape):
        places = np.arange(math.prod(shape)).reshape(shape[0] * folding.pe, shape[1] // folding.pe)
        width = places.shape[1] - 1
        return places[: len(layer.thresholds)], layer.thresholds.astype(np.int64) - (
            layer.inverted.astype(np.int64) << width
        )

    return lay_out


def tell(part):
    """The first difference of a part, for a person."""
    first = part.difference
    index = "".join(f"[{n}]" for n in first.index)
    what = f"{part.what}{index}" if first.index else f"the padding of {part.what}"
    return (
        f"{what} (word {first.address}, bit {first.bit}; {first.where}): expected {first.expected}, found"
        f" {first.found}; {part.differences} of its numbers differ"
    )
