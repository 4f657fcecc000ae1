"""What the emitted Verilog contains of the network: all weight bits and thresholds, and sufficient widths."""

import re
from collections.abc import Callable
from typing import cast

import numpy as np

from ..compiler.constants import CONSTANT, number
from ..compiler.contents import split
from ..compiler.ir import Conv2d, Dense, Scores
from ..compiler.stage import Stage
from ..hw import mvtu
from ..hw import scale as scale_unit
from ..hw.popcount import XnorPopcount
from .statement import Statement

__all__ = ["loaded_words", "memory_words", "presets", "same_verilog", "scales", "weights"]

_MODULE = re.compile(r"^module \\?(\S+?) ?\(", re.MULTILINE)
_WORD = re.compile(rf"^ +\S+ ?\[(\d+)\] = ({CONSTANT});", re.MULTILINE)


def memory_words(verilog: str) -> dict[str, dict[int, int]]:
    """The contents of the initialised memories and of the patchable ROMs in LUTs of emitted Verilog.

    Returns
    -------
    dict of str to dict of int to int
        By module, its words by address.
    """
    starts, found = [*_MODULE.finditer(verilog)], {}
    for n, match in enumerate(starts):
        end = starts[n + 1].start() if n + 1 < len(starts) else len(verilog)
        words = {int(word[1]): number(word[2]) for word in _WORD.finditer(verilog, match.start(), end)}
        if words:
            found[match[1]] = words
    _, patchable, _ = split(verilog)  # those in LUTs are not memories in the text
    return found | {
        name: dict(enumerate(memory.words)) for name, memory in patchable.items() if memory.store == "lut"
    }


def loaded_words(unit: mvtu.Parameters, weights: bytes, rest: dict[int, int]) -> tuple[dict[int, int], bytes]:
    """The words of a unit whose weights are loaded, and the remaining bytes, for the units after it.

    Parameters
    ----------
    unit : mvtu.Parameters
    weights : bytes
        Block by block, each word little-endian, starting with the blocks of the unit.
    rest : dict of int to int
        By address, the bits of each word that are not in RAM, from their ROM as emitted.
    """
    depth, blocks = unit.weight_depth, unit.weight_blocks
    columns = (
        np.frombuffer(weights[: 2 * depth * blocks].ljust(2 * depth * blocks, b"\0"), "<u2")
        .reshape(blocks, depth)
        .tolist()
    )
    width = unit.pe * unit.simd - unit.rest_width
    words = {
        address: (
            sum(column[address] << 16 * n for n, column in enumerate(columns)) & (1 << width) - 1
            | rest.get(address, 0) << width
        )
        for address in range(depth)
    }
    return words, weights[2 * depth * blocks :]


def same_verilog(name: str, verilog: str, convert: Callable[[], str]) -> Statement:
    """Statement that the file `name` is what `convert` returns for the components of the other statements."""

    def check() -> list[str]:
        made = convert()
        if made == verilog:
            return []
        line = next(
            (
                n
                for n, (a, b) in enumerate(
                    zip(made.splitlines(), verilog.splitlines(), strict=False), start=1
                )
                if a != b
            ),
            min(made.count("\n"), verilog.count("\n")) + 1,
        )
        return [f"{name} differs from line {line} on; was it built by another version of sbgen or yosys?"]

    return Statement(
        subject=f"the emitted Verilog, {name}",
        claim=(
            f"{name} is, byte for byte, the Verilog of the components that the statements here are about, in"
            " the order of the network's layers"
        ),
        check=check,
    )


def _decoded(word: int, width: int) -> list[int]:
    """Weights from the prefix parities of their complements, the encoding of popcounts."""
    bits, at = [], 0
    for size in XnorPopcount.groups(width):
        before = 0
        for n in range(at, at + size):
            bits.append(1 - (before ^ word >> n & 1))
            before = word >> n & 1
        at += size
    return bits


def _weighted(stage: Stage) -> tuple[Conv2d | Dense | Scores, mvtu.Parameters]:
    """The layer and the unit of a stage that has a weight memory."""
    return cast(Conv2d | Dense | Scores, stage.layer), cast(mvtu.Parameters, stage.unit)


def weights(name: str, stage: Stage, words: dict[int, int]) -> Statement:
    """Statement that the ROM of a layer contains the network's weights.

    Parameters
    ----------
    name : str
        Module of the ROM.
    stage : Stage
    words : dict of int to int
        The ROM as emitted.
    """
    layer, unit = _weighted(stage)

    def rows(array: np.ndarray, unused: int) -> np.ndarray:
        # Inputs arrive in the order of the beats. The padding of the last beat of a pixel, and of the vector,
        # agrees with no 0.
        if isinstance(layer, Conv2d):
            array = np.pad(
                array, ((0, 0),) * 3 + ((0, -array.shape[3] % stage.i_lanes),), constant_values=unused
            )
        array = array.reshape(layer.outputs, -1)
        return np.pad(array, ((0, 0), (0, -array.shape[1] % unit.simd)), constant_values=unused)

    def check(words: dict[int, int] = words) -> list[str]:
        mask = np.ones_like(layer.weights) if layer.mask is None else layer.mask
        halves = [layer.weights] if layer.mask is None else [layer.weights | (1 - mask), layer.weights & mask]
        halves = [rows(half, 1) for half in halves]
        slices, wrong = halves[0].shape[1] // unit.simd, []
        places = unit.groups * len(halves) * slices
        if unit.patchable:  # such a ROM fills its block RAM; the words beyond are never read
            words = {address: word for address, word in words.items() if address < places}
        if sorted(words) != list(range(places)):
            wrong.append(f"{name} has {len(words)} words, not {places}")
        for address in sorted(words):
            group, at = divmod(address, len(halves) * slices)
            half, at = divmod(at, slices)
            for lane in range(unit.pe):
                row = group * unit.pe + lane
                if row >= layer.outputs:
                    continue
                for n, bit in enumerate(_decoded(words[address] >> lane * unit.simd, unit.simd)):
                    if bit != halves[half][row, at * unit.simd + n]:
                        wrong.append(
                            f"{name}: output {row}, input {at * unit.simd + n}: the ROM has {bit}, the"
                            " network does not"
                        )
        return wrong

    return Statement(
        subject=f"weights of layer {layer.name}",
        claim=(
            f"word g*{unit.halves * unit.slices}+s of"
            f" {'what is loaded from weights.bin' if unit.weight_blocks else 'the ROM in core.v'} has, for"
            f" each of its {unit.pe} outputs, the network's weights for slice s of group g: all"
            f" {layer.weight_bits:,} bits compared, decoded from running parities; what fills up a slice"
            " agrees with no input"
        ),
        check=check,
    )


def _starts(layer: Conv2d | Dense | Scores) -> tuple[np.ndarray, str]:
    """The network's initial value of each accumulator of a layer, and what it is."""
    if isinstance(layer, Scores):
        return layer.offsets if layer.scales is None else np.zeros(layer.outputs, int), "its offset"
    wanted = np.zeros(layer.outputs, int) if layer.thresholds is None else -layer.thresholds
    return wanted, "minus its threshold"


def presets(stage: Stage) -> Statement:
    """Statement that a unit's sums start from the network's thresholds and fit their registers."""
    layer, unit = _weighted(stage)
    wanted, meaning = _starts(layer)

    def check() -> list[str]:
        wrong = []
        masks = unit.masks or ()
        top, half = (1 << unit.planes) - 1, 1 << unit.accumulator_width - 1
        for row, (preset, start) in enumerate(zip(wanted.tolist(), unit.starts, strict=True)):
            unused = 0 if layer.mask is None else unit.inputs - masks[row].bit_count()
            if start != unit.halves * preset - top * unused:
                wrong.append(f"output {row} starts from {start}, the network has {preset}")
            # Every beat only adds: a sum is minimal at its start, and maximal if every bit agrees.
            minimum, maximum = (
                value << unit.planes - 1
                for value in (start, start + top * (unit.halves * unit.inputs - unused))
            )
            if not -half <= minimum <= maximum < half:
                wrong.append(
                    f"output {row} reaches {minimum} ... {maximum}, but an accumulator holds {-half} ..."
                    f" {half - 1}"
                )
        return wrong

    return Statement(
        subject=f"thresholds of layer {layer.name}",
        claim=(
            f"each of the {layer.outputs} outputs starts from the network's number for it"
            f" ({meaning}), and the minimum and"
            f" maximum sum that it can reach fit the {unit.accumulator_width} bits of an accumulator"
        ),
        check=check,
    )


def scales(layer: Scores, scaling: scale_unit.Parameters, words: dict[int, int]) -> Statement:
    """Statement that the ROM of a `Scale` contains the network's scales and offsets, and that scores fit.

    Parameters
    ----------
    layer : Scores
    scaling : `sbgen.hw.scale.Parameters`
    words : dict of int to int
        The ROM as emitted.
    """

    def check() -> list[str]:
        wrong = (
            []
            if sorted(words) == list(range(layer.outputs))
            else [f"the ROM has {len(words)} words, not {layer.outputs}"]
        )
        for row, (scale, offset) in enumerate(
            zip(cast(np.ndarray, layer.scales).tolist(), layer.offsets.tolist(), strict=True)
        ):
            word = words.get(row, 0)
            # Decode two's complement; an unsigned scale has no sign bit.
            signs = (
                scaling.scale_width - 1 if scaling.signed else scaling.scale_width,
                scaling.offset_width - 1,
            )
            parts = (word & (1 << scaling.scale_width) - 1, word >> scaling.scale_width)
            found = [part - ((part >> sign & 1) << sign + 1) for part, sign in zip(parts, signs, strict=True)]
            if found != [scale, offset]:
                wrong.append(
                    f"class {row}: the ROM has {found[0]} and {found[1]}, the network {scale} and {offset}"
                )
            ends = offset, offset + scale * layer.reach
            if not -(1 << scaling.score_width - 1) <= min(ends) <= max(ends) < 1 << scaling.score_width - 1:
                wrong.append(
                    f"class {row} reaches {min(ends)} ... {max(ends)}, but a score has {scaling.score_width}"
                    " bits"
                )
        return wrong

    return Statement(
        subject=f"scales and offsets of layer {layer.name}",
        claim=(
            "word c of the ROM in core.v has the network's scale and offset of class c, for all"
            f" {layer.outputs}, and the minimum and maximum score that a class can reach fit the"
            f" {scaling.score_width} bits of a score"
        ),
        check=check,
    )
