"""The contents of a design's patchable ROMs apart from its hardware, as both stand in the Verilog of
`verilog.convert`.
"""

import hashlib
import re
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
    """What stands in one ROM.

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
    words: tuple


def split(verilog):
    """A design without its contents, and the contents.

    Parameters
    ----------
    verilog : str

    Returns
    -------
    blank : str
        The Verilog with noise in every patchable ROM, the same whatever was in them. In noise no two bits'
        columns are alike and none is constant, so that the synthesis keeps them all and each can be found in
        a bitstream.
    contents, noise : dict of str to Memory
        What was in each ROM, and what is in `blank`, by the ROM's path in the hierarchy.
    """
    contents, noise = {}, {}

    def module(match):
        name, text = match[1], match[0]
        if f"{PATCHABLE} = " in text:
            width = int(_MEMORY.search(text)[1] or 0) + 1
            before, after = {}, {}

            def word(found):
                address = int(found[2])
                before[address], after[address] = number(found[4]), _noise(f"{name}/{address}", width)
                return f"{found[1]}{address}{found[3]}{width}'h{after[address]:0{-(-width // 4)}x};"

            text = _WORD.sub(word, text)
            for kept, found in (contents, before), (noise, after):
                kept[name] = Memory(
                    store="bram", width=width, words=tuple(found[address] for address in range(len(found)))
                )
        elif f"  {LUT_MODULE} #(" in text:
            before, after = {}, {}

            def lut(found):
                place = int(found[4]), int(found[5])
                before[place], after[place] = int(found[2], 16), _lut_noise(f"{name}/{place}")
                return f"{found[1]}{after[place]:04x}{found[3]}{place[0]}_{place[1]}"

            text = _LUT.sub(lut, text)
            for kept, found in (contents, before), (noise, after):
                kept[name] = _of_luts(found)
        return text

    return _MODULE.sub(module, verilog), contents, noise


def _of_luts(inits):
    """The memory whose bit `bit` of words 16 `chunk` ... 16 `chunk` + 15 is the number `inits[chunk, bit]`."""
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


def permuted(init, order):
    """The contents of a LUT, 16 bits, when its input `n` comes in at `order[n]`."""
    return sum(
        (init >> sum((at >> pin & 1) << n for n, pin in enumerate(order)) & 1) << at for at in range(16)
    )


def _lut_noise(seed):
    """Contents that tell any two orders of the inputs apart: place and route chooses the order."""
    tries = 0
    while True:
        init = _noise(f"{seed}/{tries}", 16)
        if len({permuted(init, order) for order in permutations(range(4))}) == 24:
            return init
        tries += 1


def _noise(seed, width):
    return (
        int.from_bytes(hashlib.shake_256(seed.encode()).digest(-(-width // 8)), "little") & (1 << width) - 1
    )
