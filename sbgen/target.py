"""What a design is folded for: a board at a clock, or an FPGA without one."""

from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import BoardError

if TYPE_CHECKING:
    from .boards import BoardSpec
    from .compiler.device import Device

__all__ = ["PART_CLOCK_MHZ", "Target", "larger", "of_board", "of_part", "requested"]

#: The clock of an FPGA without a board, if none is given: one that small pipelines reach on most of them.
PART_CLOCK_MHZ = 100.0


@dataclass(frozen=True, kw_only=True)
class Target:
    """A device and a clock, and the board around them if there is one.

    Parameters
    ----------
    name : str
        Of the board or part, for messages.
    device : Device
    clock_mhz : float
        Clock of the core. Of a part it is only what rates are computed with.
    board : BoardSpec or None
    """

    name: str
    device: "Device"
    clock_mhz: float
    board: "BoardSpec | None" = None

    @property
    def family(self) -> str:
        """The device family whose open tools build for it.

        Raises
        ------
        VendorError
            There are none.
        BoardError
            It is an FPGA without a board.
        """
        if self.board is None:
            raise BoardError(
                f"a patchable design must be for a board, whose bitstream is patched, but {self.name} is a"
                " part without one; name a --board"
            )
        return self.board.family.name


def of_board(name: str, clock_mhz: float | None = None) -> Target:
    """A board, at its usual clock or the nearest to `clock_mhz` that it can generate.

    Raises
    ------
    BoardError
        There is no such board, or it cannot generate the clock.
    """
    from . import boards
    from .boards.harness import clock_and_pll

    board = boards.get(name)
    actual, _ = clock_and_pll(board, clock_mhz)
    return Target(name=board.name, device=board.device, clock_mhz=actual, board=board)


def of_part(text: str, clock_mhz: float | None = None) -> Target:
    """An FPGA by its name or by what it has, as `sbgen.compiler.parts.part` reads it.

    Raises
    ------
    BoardError
        There is no such part, or a number is missing.
    """
    from .compiler.parts import part

    device = part(text)
    return Target(name=device.name, device=device, clock_mhz=clock_mhz or PART_CLOCK_MHZ)


def requested(arguments: Namespace) -> Target:
    """The target of the options ``--board`` or ``--part``, and ``--clock`` where that is a number."""
    from .arguments import board_name

    clock = None if arguments.clock == "best" else arguments.clock
    part = getattr(arguments, "part", None)
    return of_board(board_name(arguments), clock) if part is None else of_part(part, clock)


def larger(target: Target, *, clock: float | None = None) -> Iterator[Target]:
    """Boards with more LUTs than the device of `target`, the smallest first, at `clock` if it is given."""
    from .boards import BOARDS

    for name in sorted(BOARDS, key=lambda name: BOARDS[name].device.lut):
        if BOARDS[name].device.lut > target.device.lut:
            try:
                yield of_board(name, clock)
            except BoardError:
                continue
