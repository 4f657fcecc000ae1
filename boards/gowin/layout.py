"""The text of `frames`; of its bits only the block RAMs are understood."""

import numpy as np

from ...errors import BoardError
from ..layout import Layout
from . import frames

__all__ = ["GowinLayout"]

#: Rows of a block RAM and bits in a row.
_ROWS, _LANES = 2048, 9

#: Words of 18 bits in a block RAM, and frames that it takes part in.
_WORDS, _FRAMES = 1024, 256

#: For each bit of a word, in the quarters of the addresses, its bit among those of a block RAM in a frame.
_BITS = np.fromstring(
    "21 22 27 28 30 31 35 37 38 39 44 45 47 48 53 54 56 57 61 62 64 65 70 71 72 73 79 80 82 83 87 89 90 91"
    " 96 97 98 99 105 106 107 109 113 114 116 117 122 123 124 125 131 132 133 134 139 140 142 143 148 149 150"
    " 151 156 157 159 160 165 166 168 169 173 175",
    dtype=int,
    sep=" ",
).reshape(18, 4)


def _frame_of_words() -> np.ndarray:
    """For each word of a quarter its frame, from the block RAM's first: the last word is in the first, and
    the two lowest bits of the address are the two highest of its place, the lowest on top.
    """
    word = np.arange(_FRAMES)
    return _FRAMES - 1 - ((word & 1) << 7 | (word >> 1 & 1) << 6 | word >> 2)


_WORD_FRAMES = _frame_of_words()


class GowinLayout(Layout):
    """The text of a bitstream."""

    def __init__(self, text: str):
        self._head, self._ram, self._end = text, "", ""
        before, mark, after = text.partition("\n.ram\n")
        if mark:
            ram, end, rest = after.partition(".end\n")
            self._head, self._ram, self._end = before + mark, ram, end + rest
        self._rows: np.ndarray | None = None

    @property
    def text(self) -> str:
        if self._rows is not None:
            packed = np.packbits(self._rows, axis=1)
            self._ram = "".join(f"{row.tobytes().hex()}\n" for row in packed)
        return self._head + self._ram + self._end

    @property
    def _sites(self) -> dict[str, tuple[int, int]]:
        """For each block RAM which of the rows it is in, and its first bit in a frame."""
        if not self._ram:
            return {}
        chip = frames.chip_of_text(self._head)
        return {name: (band, first) for name, band, first in chip.sites()}

    @property
    def blocks(self) -> tuple[str, ...]:
        return tuple(self._sites)

    def _bits(self) -> np.ndarray:
        """The frames of block RAMs: each from its last bit to its first, behind filler."""
        if self._rows is None:
            rows = [bytes.fromhex(line) for line in self._ram.splitlines()]
            self._rows = np.unpackbits(np.array([np.frombuffer(row, np.uint8) for row in rows]), axis=1)
        return self._rows

    def _place(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Frame and bit of each bit of a block RAM's words: arrays of shape (quarter, word in it, bit)."""
        band, first = self._sites[name]
        frame = _FRAMES * band + _WORD_FRAMES[None, :, None]
        bit = self._bits().shape[1] - 1 - (first + _BITS.T[:, None, :])
        frame, bit = np.broadcast_arrays(frame, bit)
        return frame, bit

    def block(self, name: str) -> np.ndarray:
        frame, bit = self._place(name)
        if frame.max() >= len(self._bits()):
            raise BoardError(
                f"block RAMs of gowin must have {_FRAMES} frames, but {name} of the bitstream has fewer"
            )
        return self._bits()[frame, bit].reshape(_ROWS, _LANES)

    def set_block(self, name: str, rows: np.ndarray) -> None:
        frame, bit = self._place(name)
        self._bits()[frame, bit] = rows.reshape(_WORDS // _FRAMES, _FRAMES, 18)

    def block_rams(self) -> dict[str, np.ndarray]:
        """As `Layout.block_rams`: 2,048 bytes of 9 bits each, by locations such as ``"X4Y9"``.

        A design that initialises one has the contents of all in its bitstream.
        """
        return {name: self.block(name).ravel() for name in self.blocks}
