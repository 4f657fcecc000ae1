"""The contents of a design's patchable ROMs, separated from its hardware in its Verilog."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

from ..hw.rom import LUT_MODULE, PATCHABLE
from .constants import number

__all__ = ["Memory", "permuted", "split"]

_MODULE = re.compile(r"^module \\?(\S+) .*?^endmodule$", re.MULTILINE | re.DOTALL)
_MEMORY = re.compile(r"^  reg (?:\[(\d+):0\] )?memory \[", re.MULTILINE)
_WORD = re.compile(r"^(    memory\[)(\d+)(\] = )([^;]+);$", re.MULTILINE)
_LUT = re.compile(
    rf"^(  {LUT_MODULE} #\(\n    \.INIT\(16'h)([0-9a-f]{{4}})(\)\n  \) lut_)(\d+)_(\d+)", re.MULTILINE
)


@dataclass(frozen=True, kw_only=True)
class Memory:
    """The contents of one ROM.

    Parameters
    ----------
    store : str
        ``"bram"`` or ``"lut"``.
    width : int
        Bits in a word.
    words : tuple of int
        Address 0 first; of LUTs a multiple of 16.
    """

    store: str
    width: int
    words: tuple[int, ...]


def split(verilog: str) -> tuple[str, dict[str, Memory], dict[str, Memory]]:
    """Separate a design from the contents of its ROMs.

    Parameters
    ----------
    verilog : str

    Returns
    -------
    blank : str
        The Verilog with random fill in every patchable ROM, the same whatever was in them. In random fill no
        two bits' columns are equal and none is constant, so that synthesis keeps them all and each can be
        found in a bitstream.
    contents, fill : dict of str to Memory
        What was in each ROM, and what is in `blank`, by the ROM's path in the hierarchy.
    """
    contents: dict[str, Memory] = {}
    fill: dict[str, Memory] = {}

    def module(match: re.Match) -> str:
        name, text = match[1], match[0]
        if f"{PATCHABLE} = " in text:
            memory = _MEMORY.search(text)
            assert memory is not None
            width = int(memory[1] or 0) + 1
            before: dict[int, int] = {}
            after: dict[int, int] = {}

            def word(found: re.Match) -> str:
                address = int(found[2])
                before[address], after[address] = number(found[4]), _random(f"{name}/{address}", width)
                return f"{found[1]}{address}{found[3]}{width}'h{after[address]:0{-(-width // 4)}x};"

            text = _WORD.sub(word, text)
            for memories, words in (contents, before), (fill, after):
                memories[name] = Memory(
                    store="bram", width=width, words=tuple(words[address] for address in range(len(words)))
                )
        elif f"  {LUT_MODULE} #(" in text:
            inits: dict[tuple[int, int], int] = {}
            fills: dict[tuple[int, int], int] = {}

            def lut(found: re.Match) -> str:
                place = int(found[4]), int(found[5])
                inits[place], fills[place] = int(found[2], 16), _random_lut(f"{name}/{place}")
                return f"{found[1]}{fills[place]:04x}{found[3]}{place[0]}_{place[1]}"

            text = _LUT.sub(lut, text)
            for memories, luts in (contents, inits), (fill, fills):
                memories[name] = _of_luts(luts)
        return text

    return _MODULE.sub(module, verilog), contents, fill


def _of_luts(inits: dict[tuple[int, int], int]) -> Memory:
    """The memory in which bit `bit` of words 16 `chunk` ... 16 `chunk` + 15 is `inits[chunk, bit]`."""
    chunks, width = (max(places) + 1 for places in zip(*inits, strict=True))
    return Memory(
        store="lut",
        width=width,
        words=tuple(
            sum((inits[chunk, bit] >> n & 1) << bit for bit in range(width))
            for chunk in range(chunks)
            for n in range(16)
        ),
    )


def permuted(init: int, order: Sequence[int]) -> int:
    """The contents of a LUT, 16 bits, if its input `n` is connected to pin `order[n]`."""
    return sum(
        (init >> sum((at >> pin & 1) << n for n, pin in enumerate(order)) & 1) << at for at in range(16)
    )


def _random_lut(seed: str) -> int:
    """Contents that differ for any two orders of the inputs: place and route chooses the order."""
    tries = 0
    while True:
        init = _random(f"{seed}/{tries}", 16)
        if len({permuted(init, order) for order in permutations(range(4))}) == 24:
            return init
        tries += 1


def _random(seed: str, width: int) -> int:
    return (
        int.from_bytes(hashlib.shake_256(seed.encode()).digest(-(-width // 8)), "little") & (1 << width) - 1
    )
