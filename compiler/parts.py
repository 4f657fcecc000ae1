"""FPGAs without a board, for Verilog and estimates: by name, or by what one has.

::

    xc7z020             a part of a vendor's family table, or the beginning of an ordering code
    lut6=53200,bram36=140,ff=106400   numbers of a data sheet
"""

import difflib
from collections.abc import Mapping
from dataclasses import replace

from ..errors import BoardError
from .device import DEVICES, Device, Fabric
from .vendor_devices import BLOCK_RAMS, VENDOR_DEVICES

__all__ = ["part", "part_names"]

#: Block RAMs by the key that counts them: kbit of one, the fabric with such block RAMs, and how many of the
#: fabric's block RAMs it is.
_BLOCK_RAMS: Mapping[str, tuple[Fabric, int]] = {
    "bram4": (DEVICES["up5k"].fabric, 1),
    "bram9": (BLOCK_RAMS["M9K"], 1),
    "bram10": (BLOCK_RAMS["M10K"], 1),
    "bram18": (BLOCK_RAMS["18 kbit"], 1),
    "bram36": (BLOCK_RAMS["18 kbit"], 2),
}

#: LUTs by the key that counts them: a fabric of such LUTs, whose costs count, and flip-flops for each where
#: their number is not given.
_LUTS = {"lut4": (BLOCK_RAMS["18 kbit"], 1), "lut6": (BLOCK_RAMS["18 kbit, LUT6"], 2)}

_EXAMPLE = "lut6=53200,bram36=140"


def part_names() -> list[str]:
    """The names of all parts that are known."""
    return [*DEVICES, *(device.name for device in VENDOR_DEVICES.values())]


def part(text: str) -> Device:
    """The FPGA that `text` names or describes; designs for it have no host link.

    Parameters
    ----------
    text : str
        A name of `part_names`, an ordering code that begins with one, in any case, or ``KEY=N,...``: ``lut4``
        or ``lut6``, the number of LUTs; ``bram4``, ``bram9``, ``bram10``, ``bram18`` or ``bram36``, the
        number of block RAMs of so many kbit; and ``ff``, flip-flops, by default one for each LUT of four
        inputs and two for each of six.

    Raises
    ------
    BoardError
        There is no such part, or a number is missing, twice there, or none.
    """
    if "=" in text:
        return _described(text)
    name = text.lower()
    for device in (*DEVICES.values(), *VENDOR_DEVICES.values()):
        if name in (device.name, device.part.lower()):
            return replace(device, host_link=False)
    for prefix, device in VENDOR_DEVICES.items():
        if name.startswith(prefix.lower()):
            return replace(device, host_link=False)
    close = difflib.get_close_matches(name, part_names(), n=3, cutoff=0.4) or part_names()[:3]
    raise BoardError(
        f"--part must be one of the parts of docs/parts.md, such as {', '.join(close)}, or what the FPGA has,"
        f" such as {_EXAMPLE}, not {text!r}"
    )


def _described(text: str) -> Device:
    """A device by its numbers."""
    numbers: dict[str, int] = {}
    for word in text.split(","):
        key, equals, number = word.strip().partition("=")
        known = key in (*_LUTS, *_BLOCK_RAMS, "ff")
        if not known or not equals or not number.isdecimal() or len(number) > 9 or key in numbers:
            raise BoardError(
                f"--part must be numbers of {', '.join((*_LUTS, 'ff', *_BLOCK_RAMS))}, each once, such as"
                f" {_EXAMPLE}, but has {word.strip()!r}"
            )
        numbers[key] = int(number)
    luts, memories = ([key for key in numbers if key in known] for known in (_LUTS, _BLOCK_RAMS))
    for found, what, keys in (luts, "LUTs", _LUTS), (memories, "block RAMs", _BLOCK_RAMS):
        if len(found) != 1 or what == "LUTs" and not numbers[found[0]]:
            raise BoardError(
                f"--part must have the number of {what} as one of {', '.join(keys)} (such as {_EXAMPLE}), but"
                f" {text!r} has {' and '.join(found) if len(found) > 1 else 'none'}"
            )
    logic, flip_flops = _LUTS[luts[0]]
    memory, blocks = _BLOCK_RAMS[memories[0]]
    return Device(
        name=text.replace(" ", ""),
        part=text.replace(" ", ""),
        family="part",
        own_fabric=replace(logic, bram_shapes=memory.bram_shapes, max_banks=memory.max_banks),
        lut=numbers[luts[0]],
        ff=numbers.get("ff", flip_flops * numbers[luts[0]]),
        bram=blocks * numbers[memories[0]],
        spram=0,
        dsp=0,
        host_link=False,
    )
