"""Boards as data, and the way from Verilog to a running board."""

import difflib
from dataclasses import replace

from ..errors import BoardError
from .board_spec import SLOW_BAUD, BoardSpec
from .catalog import BOARDS, VENDOR_BOARDS

__all__ = ["BOARDS", "VENDOR_BOARDS", "BoardSpec", "get", "parse_uart"]


def get(name: str) -> BoardSpec:
    """The board of that name.

    Parameters
    ----------
    name : str
        A key of `BOARDS` or `VENDOR_BOARDS`, in which ``-`` may replace ``_``, or ``module:Class`` of a
        platform of amaranth-boards (or of a class like one), which then runs at its oscillator's clock.
        Either may be followed by ``,rx=PIN,tx=PIN``: the pins of a USB serial adapter, or by ``,usb`` or
        ``,uart``: what the link goes over.

    Raises
    ------
    BoardError
        When there is no such board, or sbgen cannot use it.
    """
    name, *pins = name.split(",")
    named = BOARDS | VENDOR_BOARDS
    board = named.get(name.lower().replace("-", "_")) or _imported(name)
    if pins and pins[0] in ("usb", "uart"):
        board = board.with_link(pins.pop(0))
    if pins:
        board = board.with_adapter(**parse_uart(",".join(pins)))
    if ":" in name:
        board.pins  # noqa: B018
        # A bit must take four cycles of the clock at least.
        return board if board.oscillator_mhz * 1e6 >= 4 * board.baud else replace(board, baud=SLOW_BAUD)
    return board


def parse_uart(text: str) -> dict[str, str]:
    """The pins in ``rx=PIN,tx=PIN``, by these names.

    Raises
    ------
    BoardError
        When it has another form.
    """
    pins = dict(part.partition("=")[::2] for part in text.split(","))
    if set(pins) != {"rx", "tx"} or not all(pins.values()) or text.count("=") != 2:
        raise BoardError(f"the pins of the UART must be given as rx=PIN,tx=PIN, not {text!r}")
    return pins


def _imported(name: str) -> BoardSpec:
    """The board of a platform, ``module:Class``."""
    if ":" in name:
        return BoardSpec(
            name=name.rpartition(":")[2], description=f"amaranth-boards platform {name}", platform=name
        )
    near = difflib.get_close_matches(name.lower().replace("-", "_"), BOARDS | VENDOR_BOARDS, n=2, cutoff=0.4)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise BoardError(
        f"unknown board {name!r}: known are {', '.join(BOARDS | VENDOR_BOARDS)}, and MODULE:CLASS of"
        f" an amaranth-boards platform{hint}"
    )
