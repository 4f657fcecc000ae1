"""Opening the port of a board: by the board's name, the port's, or a URL."""

import errno
import os
from typing import TYPE_CHECKING

from ..errors import BoardError, LinkError
from . import board_line, usb
from .host import Link
from .line import port_errors
from .usb_device import USB_ID

if TYPE_CHECKING:
    from .board_spec import BoardSpec

__all__ = ["connect"]

#: The baud rate of a port without a board's name.
_BAUD = 1_000_000


def connect(
    *, name: str | None = None, port: str | None = None, baud: int | None = None, serial: str | None = None
) -> Link:
    """Open the link to a board.

    Parameters
    ----------
    name : str or None
        A board of `sbgen boards`.
    port : str or None
        A serial port or a URL of pyserial; by default the USB port of the board.
    baud : int or None
        By default that of a build for the board at its default clock.
    serial : str or None
        USB serial number, to choose one of several boards.

    Raises
    ------
    LinkError
        When the port cannot be found or opened, or is in use.
    BoardError
        There is no board of that name.
    """
    from . import get
    from .harness import clock_and_pll

    if name is None and port is None:
        raise LinkError("the board must be named: give --board NAME or --port PORT")
    try:
        import serial as pyserial
    except ImportError:
        raise LinkError(
            "the link to a board needs pyserial, which is not installed; try: pip install 'sbgen[link]'"
        ) from None
    board = None if name is None else get(name)
    if port is None:
        assert board is not None
        port = _find_port(board, serial)
    if baud is None:
        baud = _BAUD if board is None else board_line.choose(board, clock_mhz=clock_and_pll(board)[0]).baud
    refusals: tuple[type[Exception], ...] = (*port_errors(), ValueError, OverflowError)
    try:
        opened = pyserial.serial_for_url(port, baudrate=baud, timeout=0.05, exclusive=True)
    except refusals as error:
        raise LinkError(
            f"{port} must open at {baud:,} baud, but: {_reason(error)}; {_remedy(error)}"
        ) from error
    return Link(port=opened, latency_ms=usb.ask_low_latency(opened))


def _reason(error: Exception) -> str:
    """What the system says; pyserial repeats it within what it says itself."""
    number = error.errno if isinstance(error, OSError) else None
    return str(error) if number is None else os.strerror(number)


def _remedy(error: Exception) -> str:
    from serial.tools.list_ports import comports

    text = str(error)
    if isinstance(error, OSError) and error.errno == errno.ENOENT:
        ports = sorted(port.device for port in comports())
        return f"check the name: {' and '.join(ports) or 'none'} can be chosen"
    if "lock" in text or "Resource temporarily unavailable" in text:
        return "another program uses it: end that, or choose another board"
    if "baud" in text or isinstance(error, OverflowError):
        return "give a --baud that its driver can make, that of the bitstream"
    return "check the name, and that this user may open it (on Linux: group dialout)"


def _find_port(board: "BoardSpec", serial: str | None) -> str:
    from serial.tools.list_ports import comports

    ids, interface = board.usb, board.serial_interface
    if board.usb_link:
        ids, interface = (USB_ID,), 0
    elif board.serial_interface is None:
        rx, tx = (pin.site for port in ("rx", "tx") if (pin := board.pin(port)))
        raise LinkError(
            f"{board.name} must have a USB serial adapter at its pins {rx} (rx) and {tx} (tx), as its own USB"
            " does not lead to the link; name the adapter's port: --port PORT"
        )
    ports = sorted((port for port in comports() if (port.vid, port.pid) in ids), key=lambda port: port.device)
    # The location ends with the number of the USB interface, such as 1-4:1.1.
    right = [port for port in ports if (port.location or "").endswith(f".{interface}")] or ports
    if not right:
        wanted = (
            " or ".join(f"{vendor:04x}:{product:04x}" for vendor, product in ids)
            or "(its USB IDs are unknown)"
        )
        raise LinkError(
            f"{board.name} must be plugged in, but no serial port of a USB device {wanted} is there; "
            "plug it in, or give --port"
        )
    devices = {port.serial_number or str(port.location).rpartition(":")[0]: port for port in reversed(right)}
    if serial is not None:
        right = [port for port in right if port.serial_number == serial]
        if not right:
            raise BoardError(
                f"{board.name} with the serial number {serial} must be plugged in, but those that are have"
                f" {', '.join(devices)}"
            )
    elif len(devices) > 1:
        raise BoardError(
            f"one {board.name} must be chosen, but {len(devices)} are plugged in; give"
            f" {' or '.join(f'--serial {number}' for number in devices)}, or --port"
        )
    return right[0].device
