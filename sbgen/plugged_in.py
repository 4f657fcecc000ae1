"""Which boards are plugged in, whether this user may use them, and what to do if not."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .boards import BOARDS, VENDOR_BOARDS, usb
from .boards.usb_device import USB_ID

if TYPE_CHECKING:
    from .boards import BoardSpec

__all__ = ["Finding", "findings"]

#: What a system needs that lists no USB devices in /sys, by `sys.platform`.
_NOTES = {
    "darwin": (
        "macOS: ports are /dev/cu.usbserial-* and /dev/cu.usbmodem* (not /dev/tty.*), and of an FTDI with two"
        " ports the link is the one that ends in 1; no driver is needed"
    ),
    "win32": (
        "Windows: a programmer needs the driver WinUSB for the board's first interface (put there by Zadig),"
        " and the link the serial driver of its maker for the other"
    ),
}


@dataclass(frozen=True)
class Finding:
    """One line: ``"PASS"``, ``"FAIL"`` or ``"missing"``, and what was found."""

    outcome: str
    text: str


def findings() -> Iterator[Finding]:
    """What is plugged in, and its serial ports."""
    by_ids: dict[tuple[int, int], list[BoardSpec]] = {}
    for board in (BOARDS | VENDOR_BOARDS).values():
        for ids in (*board.usb, *((USB_ID,) if board.has_usb else ())):
            by_ids.setdefault(ids, []).append(board)
    found = False
    if usb.can_probe():
        for device in usb.find(by_ids):
            found = True
            yield _device(device, by_ids[device.vendor, device.product])
    elif sys.platform in _NOTES:
        yield Finding("PASS", _NOTES[sys.platform])
    try:
        from serial.tools.list_ports import comports
    except ImportError:
        yield Finding("missing", "pyserial, which lists serial ports: pip install 'sbgen[link]'")
        return
    for port in sorted(comports(), key=lambda port: port.device):
        if (port.vid, port.pid) in by_ids:
            found = True
            yield _port(port.device, by_ids[port.vid, port.pid])
    if not found:
        yield Finding("missing", "no board of `sbgen boards` is plugged in, or its cable carries no data")


def _names(boards: "list[BoardSpec]") -> str:
    names = [board.name for board in boards]
    return ", ".join(names[:-1]) + " or " * (len(names) > 1) + names[-1]


def _device(device: usb.UsbDevice, boards: "list[BoardSpec]") -> Finding:
    ids = f"{device.vendor:04x}:{device.product:04x}"
    text = f"{device.name} ({ids}), by its ids {_names(boards)}"
    if device.serial:
        text += f"; --serial {device.serial}"
    if device.accessible:
        return Finding("PASS", text)
    return Finding(
        "FAIL",
        f"{text}: this user may not open {device.node}; put this into /etc/udev/rules.d/70-sbgen.rules, run"
        " `sudo udevadm control --reload` and plug it in again:"
        f" {usb.udev_rule([(device.vendor, device.product)])}",
    )


def _port(name: str, boards: "list[BoardSpec]") -> Finding:
    text = f"serial port {name}, of {_names(boards)}"
    if os.access(name, os.R_OK | os.W_OK) or os.name != "posix":
        return Finding("PASS", text)
    try:
        group = Path(name).group()
    except (KeyError, OSError):
        group = "dialout"
    return Finding(
        "FAIL",
        f"{text}: this user may not open it; run `sudo usermod --append --groups {group} $USER` and log in"
        " again",
    )
