"""The rate that a design is folded for and the clock that it then needs, each with its reason."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import BoardError

if TYPE_CHECKING:
    from .boards.board_line import BoardLine
    from .boards.board_spec import BoardSpec
    from .compiler.design import Design
    from .compiler.ir import Network
    from .folding import Request
    from .target import Target

__all__ = ["BY_HAND", "Pace", "lowest_clock", "pace"]

#: Images per second of the core for each that the host link carries, where no rate is requested: then the
#: link limits the board, and neither latency nor a faster host needs another design.
_TIMES = 4


@dataclass(frozen=True, kw_only=True)
class Pace:
    """The rate that a design is folded for.

    Parameters
    ----------
    images_per_second : float or None
        The smallest design that reaches it is wanted; None is the fastest.
    required : bool
        Whether no slower design will do. Else the fastest is taken if none reaches the rate.
    why : str
    """

    images_per_second: float | None = None
    required: bool = False
    why: str

    def cycles(self, clock_mhz: float) -> int | None:
        """The maximum number of cycles per image at a clock, or None."""
        return None if self.images_per_second is None else int(clock_mhz * 1e6 / self.images_per_second)

    def words(self, design: "Design", target: "Target", usual_mhz: float) -> str:
        """What a report says of a design: the rate aimed at, why, and the clock where it is not the usual."""
        from .compiler.cycles import stage_cycles

        if self.images_per_second is None:
            return self.why
        said = f"{self.images_per_second:,.12g} images/s, {self.why}"
        if not self.required and max(stage_cycles(design)) > (self.cycles(target.clock_mhz) or 0):
            said = f"the fastest that is quickly built; not {said}"
        if target.clock_mhz < usual_mhz:
            said += f"; {target.clock_mhz:g} MHz is the lowest clock that suffices, of {usual_mhz:g} MHz"
        return said


#: Of a design that somebody chose.
BY_HAND = Pace(why="as it was folded by hand")


def pace(request: "Request", network: "Network", target: "Target") -> Pace:
    """The rate to fold for: the one that is requested, or four times what the host link carries."""
    if request.fps is not None:
        return Pace(images_per_second=float(request.fps), required=True, why="as requested")
    if request.fastest:
        return Pace(why="the most that the device can do, as requested")
    if request.design is not None:
        return BY_HAND
    if target.board is None or not target.device.host_link:
        return Pace(why="the fastest that is quickly built")
    from .compiler.linked import full_requests

    link = _line(target.board, target.clock_mhz, request.baud).rate(
        full_requests(network, patchable=request.patchable)
    )
    return Pace(
        images_per_second=math.floor(_TIMES * link.images_per_second),
        why=f"{_TIMES} times what the host link carries",
    )


def _line(board: "BoardSpec", clock_mhz: float, baud: int | None) -> "BoardLine":
    from .boards import board_line

    return board_line.choose(board, clock_mhz=clock_mhz, baud=baud)


def lowest_clock(design: "Design", target: "Target", *, fps: float, baud: int | None = None) -> float:
    """The lowest clock of a board at which core and host link do `fps` images per second, in MHz.

    Where the link carries fewer at the clock of `target`, it shall not carry fewer still. The clock of
    `target` is the highest that is returned; over USB it is the only one, as the line has that clock.
    """
    from .boards.harness import clock_and_pll
    from .compiler.cycles import predict
    from .compiler.linked import link_parameters

    board, usual_mhz = target.board, target.clock_mhz
    if board is None or not target.device.host_link or board.usb_link:
        return usual_mhz
    link, interval = link_parameters(design, target.device), predict(design).interval
    least = min(fps, _line(board, usual_mhz, baud).rate(link).images_per_second)

    def suffices(clock_mhz: float) -> bool:
        try:
            carried = _line(board, clock_mhz, baud).rate(link).images_per_second
        except BoardError:  # no baud rate that both sides can make
            return False
        return carried >= least and clock_mhz * 1e6 >= fps * interval

    tenths = range(math.ceil(fps * interval / 1e5), math.ceil(10 * usual_mhz))
    for wanted_mhz in sorted({*(each / 10 for each in tenths), board.oscillator_mhz}):
        if wanted_mhz < usual_mhz and suffices(wanted_mhz):
            try:
                clock_mhz, _ = clock_and_pll(board, wanted_mhz)
            except BoardError:  # lower than its PLL can make
                continue
            if clock_mhz < usual_mhz and suffices(clock_mhz):
                return clock_mhz
    return usual_mhz
