"""Constants of Verilog, as yosys writes them: a word of 32 bits in decimal, every other in hexadecimal, in
binary where bits are unknown.
"""

import re

__all__ = ["CONSTANT", "number"]

#: A sized constant, without groups, as a pattern of `re`.
CONSTANT = r"-?\d+'s?[bodh][0-9a-fxz?_]+"

_PARTS = re.compile(r"(-?)(\d+)'s?([bodh])([0-9a-fxz?_]+)")
_BASES = {"b": 2, "o": 8, "d": 10, "h": 16}


def number(text):
    """The bits of a constant as one number: ``4'hf``, ``4'd15``, ``4'b1111`` and ``-4'sd1`` are all 15.

    Parameters
    ----------
    text : str
        As `CONSTANT`: with its width, of any base, signed or not.

    Returns
    -------
    int
        0 ... 2**width - 1.

    Raises
    ------
    ValueError
        When it is no such constant, or has bits that are not known (x, z) or more than its width.
    """
    found = _PARTS.fullmatch(text)
    if not found:
        raise ValueError(f"must be a constant of Verilog with its width, not {text!r}")
    sign, width, base, digits = found.groups()
    try:
        magnitude = int(digits, _BASES[base])
    except ValueError:
        raise ValueError(
            f"every digit of a constant must be known and of its base, not as in {text!r}"
        ) from None
    if magnitude >> int(width):
        raise ValueError(f"a constant of {width} bits must be below 2**{width}, not {text!r}")
    return (-magnitude if sign else magnitude) & (1 << int(width)) - 1
