"""What the byte of a pixel holds: one of the data types of up to eight bits by which QONNX annotates tensors.

The byte is the value itself, unsigned, or in two's complement if the type has negative values. Only BIPOLAR
is different: the byte 0 is -1 and the byte 255 is +1. A byte that holds no value of the type counts as the
nearest value, so that every byte has a meaning.
"""

import re
from dataclasses import dataclass

import numpy as np

from ..errors import ModelError

__all__ = ["UINT8", "PixelType", "parse"]

_BYTES = 256


@dataclass(frozen=True)
class PixelType:
    """A data type of at most 256 values.

    Parameters
    ----------
    name : str
        As QONNX writes it: UINT8, INT4, BIPOLAR, TERNARY, BINARY, FIXED<8,4>.
    low, high : int
        Minimum and maximum integer.
    fraction : int
        Bits after the binary point: the value is the integer divided by 2**fraction.
    """

    name: str
    low: int
    high: int
    fraction: int = 0

    def __str__(self) -> str:
        return self.name

    @property
    def signed(self) -> bool:
        """Whether bytes are read in two's complement."""
        return self.low < 0 and self.name != "BIPOLAR"

    @property
    def integers(self) -> np.ndarray:
        """The integer that each byte stands for, shape (256,), int64."""
        byte = np.arange(_BYTES)
        if self.name == "BIPOLAR":
            return np.where(byte < _BYTES // 2, -1, 1)
        return np.clip(
            np.where(byte >= _BYTES // 2, byte - _BYTES, byte) if self.signed else byte, self.low, self.high
        )

    @property
    def values(self) -> np.ndarray:
        """The number that each byte stands for, shape (256,), float64."""
        return self.integers / 2.0**self.fraction

    @property
    def ranks(self) -> np.ndarray:
        """The rank of each byte's value among all values, the minimum being 0: shape (256,)."""
        return np.unique(self.integers, return_inverse=True)[1].reshape(-1)

    @property
    def bytes(self) -> np.ndarray:
        """The bytes that hold a value of the type, uint8, in the order of their values."""
        if self.name == "BIPOLAR":
            return np.array([0, _BYTES - 1], np.uint8)
        return np.arange(self.low, self.high + 1).astype(np.uint8)


UINT8 = PixelType("UINT8", 0, _BYTES - 1)

_NAMED = {
    "BIPOLAR": PixelType("BIPOLAR", -1, 1),
    "TERNARY": PixelType("TERNARY", -1, 1),
    "BINARY": PixelType("BINARY", 0, 1),
}


def parse(name: str) -> PixelType:
    """The `PixelType` of a name.

    Raises
    ------
    ModelError
        The name is not a data type, or not one that a byte can hold.
    """
    if name in _NAMED:
        return _NAMED[name]
    match = re.fullmatch(r"(U?)INT([1-9]\d?)|FIXED<([1-9]\d?), ?(\d{1,2})>", name)
    if match is None:
        raise ModelError(
            f"has the data type {name[:40]!r}, but must have one of integers of up to 8 bits, which are"
            " UINT1 ... UINT8, INT1 ... INT8, FIXED<bits,integer bits>, BIPOLAR, TERNARY and BINARY"
        )
    unsigned, integer, fixed, whole = match.groups()
    bits = int(integer or fixed)
    if bits > 8:
        raise ModelError(
            f"has the data type {name}, but a pixel is one byte; quantise the input to 8 bits or fewer and"
            " annotate it so (UINT8, INT8)"
        )
    if fixed and int(whole) >= bits:
        raise ModelError(f"has the data type {name}, which must have fewer integer bits than bits")
    if unsigned:
        return PixelType(name, 0, (1 << bits) - 1)
    return PixelType(name, -(1 << (bits - 1)), (1 << (bits - 1)) - 1, bits - int(whole) if fixed else 0)
