"""The ``.asc`` text of Project IceStorm, after its documentation of the format, logic tile and RAM tile."""

import re

import numpy as np

from ...errors import BoardError
from ..layout import Layout

__all__ = ["Ice40Layout"]

#: Rows of a block RAM and bits in a row; a line of the text is 16 rows.
_ROWS, _LANES, _LINES = 256, 16, 16

#: yosys (techlibs/ice40/brams_map.v) numbers the 16 columns of a word with their four bits reversed, so that
#: the bits of a narrower word are adjacent.
_COLUMNS = np.array([int(f"{n:04b}"[::-1], 2) for n in range(16)])

#: Bits of a logic cell, ten in each of two rows from column 36 on, that are bit 0, 1, ... of its LUT.
_LUT_BITS = (4, 14, 15, 5, 6, 16, 17, 7, 3, 13, 12, 2, 1, 11, 10, 0)


class Ice40Layout(Layout):
    """The text of icepack and iceunpack."""

    def __init__(self, text: str):
        self._lines = text.splitlines()
        first = {
            tuple(line.split()): n + 1
            for n, line in enumerate(self._lines)
            if line.startswith((".ram_data", ".logic_tile"))
        }
        self._rams = {f"{x}/{y}": n for (kind, x, y), n in first.items() if kind == ".ram_data"}
        self._tiles = {(int(x), int(y)): n for (kind, x, y), n in first.items() if kind == ".logic_tile"}

    @property
    def text(self) -> str:
        return "\n".join(self._lines) + "\n"

    @property
    def blocks(self) -> tuple[str, ...]:
        return tuple(self._rams)

    def block(self, name: str) -> np.ndarray:
        first = self._rams[name]
        lines = self._lines[first : first + _LINES]
        if len(lines) < _LINES or not all(re.fullmatch("[0-9a-f]{64}", line) for line in lines):
            raise BoardError(
                f"a block RAM of ice40 must have {_LINES} lines of 64 hexadecimal digits, but {name} of the"
                " bitstream has not"
            )
        # Each line is 16 rows, the first one last.
        packed = np.frombuffer(bytes.fromhex("".join(lines)), np.uint8).reshape(_LINES, -1)
        return np.unpackbits(packed[:, ::-1].reshape(-1), bitorder="little").reshape(_ROWS, _LANES)

    def set_block(self, name: str, rows: np.ndarray) -> None:
        first = self._rams[name]
        packed = np.packbits(rows.reshape(-1), bitorder="little").reshape(_LINES, -1)[:, ::-1]
        self._lines[first : first + _LINES] = [line.tobytes().hex() for line in packed]

    def block_rams(self) -> dict[str, np.ndarray]:
        """As `Layout.block_rams`: 256 words of 16 bits each, by locations such as ``"X6/Y17"``."""
        return {
            "X{}/Y{}".format(*name.split("/")): self.block(name)[:, _COLUMNS].ravel() for name in self._rams
        }

    def _lut_bits(self, x: int, y: int, z: int) -> list[tuple[int, int]]:
        """For each bit of a LUT its line and the column in it."""
        first = self._tiles[x, y] + 2 * z
        return [(first + n // 10, 36 + n % 10) for n in _LUT_BITS]

    def lut(self, x: int, y: int, z: int) -> int:
        return sum(
            (self._lines[line][column] == "1") << n
            for n, (line, column) in enumerate(self._lut_bits(x, y, z))
        )

    def set_lut(self, x: int, y: int, z: int, init: int) -> None:
        for n, (line, column) in enumerate(self._lut_bits(x, y, z)):
            text = self._lines[line]
            self._lines[line] = f"{text[:column]}{init >> n & 1}{text[column + 1 :]}"
