"""The layout of a design: the text that a family's packer turns into a bitstream, and its unpacker back.

Each family reads and writes its own format, in one class.
"""

from abc import ABC, abstractmethod

import numpy as np

from ..errors import BoardError

__all__ = ["Layout"]


class Layout(ABC):
    """A layout whose block RAMs can be read and replaced.

    Parameters
    ----------
    text : str
        As place and route or the unpacker writes it.
    """

    @abstractmethod
    def __init__(self, text: str):
        pass

    @property
    @abstractmethod
    def text(self) -> str:
        """The layout as the packer reads it."""

    @property
    @abstractmethod
    def blocks(self) -> tuple[str, ...]:
        """Names of the block RAMs that are initialised."""

    @abstractmethod
    def block(self, name: str) -> np.ndarray:
        """The physical rows of a block RAM: uint8 array, shape (rows, lanes), values 0 and 1.

        Raises
        ------
        KeyError
            When it is not initialised.
        BoardError
            When its contents are incomplete.
        """

    @abstractmethod
    def set_block(self, name: str, rows: np.ndarray) -> None:
        """Replace the rows of a block RAM."""

    @abstractmethod
    def block_rams(self) -> dict[str, np.ndarray]:
        """For each initialised block RAM its bits in the order of addresses at its natural width.

        Returns
        -------
        dict of str to uint8 array, shape (`BlockRams.bits`,), values 0 and 1
            By location, as `BlockRams.location` names it.
        """

    def lut(self, x: int, y: int, z: int) -> int:
        """The 16 bits of the LUT of logic cell `z` of the tile at `x`, `y`, as a number."""
        raise BoardError(f"the LUTs of a {type(self).__name__} cannot be read")

    def set_lut(self, x: int, y: int, z: int, init: int) -> None:
        """Replace the 16 bits of a LUT."""
        raise BoardError(f"the LUTs of a {type(self).__name__} cannot be replaced")

    def sections(self) -> dict[str, list[str]]:
        """Lines by the ``.header`` that they follow: the form of both Project IceStorm and Project Trellis.

        Comments and net names are no configuration and are left out.
        """
        sections: dict[str, list[str]] = {}
        lines: list[str] = []
        for line in self.text.splitlines():
            if line.startswith("."):
                ignored = line.startswith((".comment", ".sym"))
                lines = [] if ignored else sections.setdefault(line[1:], [])
            elif line:
                lines.append(line)
        return sections
