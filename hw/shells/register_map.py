"""Addresses and bits of the registers of a core on a bus."""

from dataclasses import dataclass
from enum import IntEnum

from amaranth.utils import bits_for

from ..core import Core
from .result_words import answer_words

__all__ = ["IDENTITY", "VERSION", "Control", "Register", "RegisterMap", "Status"]

#: What the first register holds: the letters SBGN.
IDENTITY = 0x5342474E

#: Version of the map.
VERSION = 1


class Register(IntEnum):
    """Registers by the number of their word; a byte address is four times that."""

    ID = 0
    VERSION = 1
    DIGEST = 2
    STATUS = 3
    CONTROL = 4
    DROPS = 5
    NEXT = 6
    DATA = 8
    LAST = 9


class Status(IntEnum):
    """Bits of `STATUS`."""

    ROOM = 0
    RESULT = 1
    INSIDE = 2
    DROPPED = 3


class Control(IntEnum):
    """Bits of `CONTROL`."""

    RESULT_INTERRUPT = 0
    DROP_INTERRUPT = 1
    RESET = 8


@dataclass(frozen=True, kw_only=True)
class RegisterMap:
    """Where the results of a core are.

    Parameters
    ----------
    outputs : :class:`int`
        Scores of an image.
    answers : :class:`int`
        Words of what is decided.
    """

    outputs: int
    answers: int

    @classmethod
    def of(cls, core: Core) -> "RegisterMap":
        """The map of a core with words of 32 bits."""
        return cls(outputs=core.outputs, answers=answer_words(core, 32))

    @property
    def index_bits(self) -> int:
        """Bits of the number of a word among an image's results."""
        return max(4, bits_for(self.outputs + self.answers - 1))

    @property
    def results(self) -> int:
        """Number of the word with the first score; the answers follow the scores."""
        return 1 << self.index_bits

    @property
    def address_bits(self) -> int:
        """Bits of a word's number."""
        return self.index_bits + 1
