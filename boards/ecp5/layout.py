"""The ``.config`` text of Project Trellis; of its settings only the block RAMs are understood."""

import re

import numpy as np

from ...errors import BoardError
from ..layout import Layout

__all__ = ["Ecp5Layout"]

#: Rows of a block RAM and bits in a row.
_ROWS, _LANES = 2048, 9


class Ecp5Layout(Layout):
    """The text of ecppack and ecpunpack."""

    def __init__(self, text: str):
        self._parts = re.split(r"^(\.bram_init \d+\n(?:[0-9a-f ]+\n)+)", text, flags=re.MULTILINE)
        self._rams = {
            part.split(maxsplit=2)[1]: n
            for n, part in enumerate(self._parts)
            if part.startswith(".bram_init")
        }

    @property
    def text(self) -> str:
        return "".join(self._parts)

    @property
    def blocks(self) -> tuple[str, ...]:
        return tuple(self._rams)

    def block(self, name: str) -> np.ndarray:
        rows = np.array([int(row, 16) for row in self._parts[self._rams[name]].split()[2:]])
        if len(rows) != _ROWS:
            raise BoardError(
                f"a block RAM of ecp5 must have {_ROWS * _LANES} bits, but WID {name} of the bitstream has"
                f" {_LANES * len(rows)}"
            )
        return (rows[:, None] >> np.arange(_LANES) & 1).astype(np.uint8)

    def set_block(self, name: str, rows: np.ndarray) -> None:
        words = [f"{row:03x}" for row in (rows.astype(int) << np.arange(_LANES)).sum(axis=1).tolist()]
        self._parts[self._rams[name]] = f".bram_init {name}\n" + "".join(
            " ".join(words[n : n + 8]) + "\n" for n in range(0, len(words), 8)
        )

    def block_rams(self) -> dict[str, np.ndarray]:
        """As `Layout.block_rams`: 2,048 bytes of 9 bits each, by locations such as ``"WID 3"``.

        The number links a block RAM of the netlist with its contents.
        """
        return {f"WID {name}": self.block(name).ravel() for name in self._rams}
