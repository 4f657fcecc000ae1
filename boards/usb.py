"""USB devices that are plugged in, as Linux lists them in /sys, and the latency of their serial ports.

pyserial lists serial ports, and `host` takes the port of a board from there. A programmer needs the USB
device itself, whether or not a serial driver has a port for it.
"""

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # pyserial is an extra
    from serial import Serial

__all__ = [
    "LATENCY_MS",
    "LOW_LATENCY_MS",
    "SYSFS",
    "UsbDevice",
    "ask_low_latency",
    "can_probe",
    "find",
    "udev_rule",
]

#: Where Linux lists USB devices.
SYSFS = Path("/sys/bus/usb/devices")

#: The latency timer of FTDI's USB converters, which all boards of `sbgen boards` have: by default, and with
#: low latency.
LATENCY_MS = 16
LOW_LATENCY_MS = 1

#: Where Linux has the latency timer of a serial port.
_TIMER = "/sys/class/tty/{name}/device/latency_timer"


@dataclass(frozen=True, kw_only=True)
class UsbDevice:
    """One plugged-in device.

    Parameters
    ----------
    vendor, product : int
    name : str
        The device's own name.
    node : Path
        Its file below ``/dev``, which programmers open.
    serial : str
        Its serial number; empty if it has none.
    """

    vendor: int
    product: int
    name: str
    node: Path
    serial: str = ""

    @property
    def accessible(self) -> bool:
        """Whether this user may open it."""
        return os.access(self.node, os.R_OK | os.W_OK)


def can_probe(sysfs: Path = SYSFS) -> bool:
    """Whether this system lists its USB devices."""
    return sysfs.is_dir()


def find(ids: Collection[tuple[int, int]], *, sysfs: Path = SYSFS) -> list[UsbDevice]:
    """The plugged-in devices with one of the (vendor, product) pairs."""
    devices = []
    for folder in sorted(sysfs.iterdir()):
        try:
            vendor, product = (int((folder / name).read_text(), 16) for name in ("idVendor", "idProduct"))
            bus, number = (int((folder / name).read_text()) for name in ("busnum", "devnum"))
        except (OSError, ValueError):
            continue  # an interface or a hub's port, not a device
        if (vendor, product) in ids:
            devices.append(
                UsbDevice(
                    vendor=vendor,
                    product=product,
                    name=_text(folder / "product") or "nameless",
                    node=Path(f"/dev/bus/usb/{bus:03}/{number:03}"),
                    serial=_text(folder / "serial"),
                )
            )
    return devices


def _text(path: Path) -> str:
    """What a file of /sys has; empty if it is not there."""
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def ask_low_latency(port: "Serial", *, timer: str = _TIMER) -> float | None:
    """Ask the driver of a serial port for low latency; returns its latency timer in ms then, None if unknown.

    A port without such a timer, or a system that cannot change it, is no error.

    Parameters
    ----------
    port : serial.Serial
    timer : str
        Path of the timer of the port `name`.
    """
    try:
        port.set_low_latency_mode(True)
    except (AttributeError, NotImplementedError, OSError, ValueError):
        pass  # not Linux, a pseudo terminal, or a driver without it
    try:
        return float(
            Path(timer.format(name=Path(os.path.realpath(port.port)).name)).read_text(encoding="ascii")
        )
    except (AttributeError, OSError, TypeError, ValueError):
        return None


def udev_rule(ids: Collection[tuple[int, int]]) -> str:
    """Lines for /etc/udev/rules.d that let the logged-in user open the devices."""
    return "\n".join(
        f'SUBSYSTEM=="usb", ATTR{{idVendor}}=="{vendor:04x}", ATTR{{idProduct}}=="{product:04x}", '
        'MODE="0660", TAG+="uaccess"'
        for vendor, product in ids
    )
