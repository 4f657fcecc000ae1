"""USB devices that are plugged in, as Linux shows them in /sys."""

import os
from dataclasses import dataclass
from pathlib import Path

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

#: The latency timer of FTDI's USB converters, which all boards of `sbgen boards` have: unless it is changed,
#: and with low latency.
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
        What the device calls itself.
    node : Path
        Its file below ``/dev``, which programmers open.
    """

    vendor: int
    product: int
    name: str
    node: Path

    @property
    def accessible(self):
        """Whether this user may open it."""
        return os.access(self.node, os.R_OK | os.W_OK)


def can_probe(sysfs=SYSFS):
    """Whether this system shows its USB devices."""
    return sysfs.is_dir()


def find(ids, *, sysfs=SYSFS):
    """The plugged-in devices with one of the (vendor, product) pairs."""
    found = []
    for folder in sorted(sysfs.iterdir()):
        try:
            vendor, product = (int((folder / name).read_text(), 16) for name in ("idVendor", "idProduct"))
            bus, number = (int((folder / name).read_text()) for name in ("busnum", "devnum"))
        except (OSError, ValueError):
            continue  # an interface or a hub's port, not a device
        if (vendor, product) in ids:
            try:
                name = (folder / "product").read_text().strip()
            except OSError:
                name = "nameless"
            found.append(
                UsbDevice(
                    vendor=vendor, product=product, name=name, node=Path(f"/dev/bus/usb/{bus:03}/{number:03}")
                )
            )
    return found


def ask_low_latency(port, *, timer=_TIMER):
    """Ask the driver of a serial port for low latency; the latency timer in ms that it then has, or None
    where that is not known.

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


def udev_rule(ids):
    """Lines for /etc/udev/rules.d that let the user at the seat open the devices."""
    return "\n".join(
        f'SUBSYSTEM=="usb", ATTR{{idVendor}}=="{vendor:04x}", ATTR{{idProduct}}=="{product:04x}", '
        'MODE="0660", TAG+="uaccess"'
        for vendor, product in ids
    )
