"""A board as data, and what follows from its amaranth-boards platform."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from amaranth.build import Platform, ResourceError
from amaranth.lib.io import PortLike

from ..compiler.device import DEVICES, Device
from ..errors import BoardError
from . import families
from .family import Family
from .usb_chips import UsbChip

__all__ = ["BoardSpec", "Pin", "Programmer"]

#: Pins that must be high while a design runs, and their ports, by resource and subsignal of the platform. The
#: ESP32 of a ULX3S takes over the board when its gpio0 is low.
_HIGH = {("esp32", "gpio0"): "wifi_gpio0"}


@dataclass(frozen=True, kw_only=True)
class Pin:
    """The package pin of one port of the top level.

    Parameters
    ----------
    port : str
        ``"clk"``, ``"rx"``, ``"tx"`` or ``"led"``; ``"flash_cs"``, ``"flash_clk"``, ``"flash_copi"``,
        ``"flash_cipo"``, ``"flash_wp"`` or ``"flash_hold"``; ``"wifi_gpio0"``.
    site : str
        The package's name for the pin.
    invert : bool
        Whether the board sees the opposite level.
    attrs : tuple of (str, value)
        The platform's attributes of the pin, such as its I/O standard.
    """

    port: str
    site: str
    invert: bool
    attrs: tuple[tuple[str, str | int | bool], ...]


@dataclass(frozen=True, kw_only=True)
class Programmer:
    """A command that loads a bitstream into the board.

    Parameters
    ----------
    tool : str
        Its name in `sbgen.tools.KNOWN`.
    args : tuple of str
        Arguments before the bitstream's path.
    """

    tool: str
    args: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class BoardSpec:
    """One board.

    Parameters
    ----------
    name : str
    description : str
    platform : str
        The amaranth-boards platform as ``module:Class``. It is the source of the device, the package, the
        oscillator and the pins; it needs a ``uart`` resource and a default clock that comes in through a pin.
    clock_mhz : float or None
        The core's default clock; None is the oscillator's, without a PLL.
    baud : int
        Of the host link.
    programmers : tuple of `Programmer`
        In the order in which they are tried.
    usb : tuple of (int, int)
        Vendor and product of the board's USB interface.
    serial_interface : int
        Which of its USB interfaces carries the host link.
    usb_chip : UsbChip or None
        The converter between its USB and its UART, which limits the baud rate; None if it is not known.
    """

    name: str
    description: str
    platform: str
    clock_mhz: float | None = None
    baud: int = 1_000_000
    programmers: tuple[Programmer, ...] = ()
    usb: tuple[tuple[int, int], ...] = ()
    serial_interface: int = 0
    usb_chip: UsbChip | None = None

    @property
    def reference(self) -> str:
        """The name under which `sbgen.boards.get` finds this board: `name` or ``module:Class``."""
        return self.platform if self.name == self.platform.rpartition(":")[2] else self.name

    def new_platform(self) -> Platform:
        """A fresh platform object: each one counts the resources that were requested from it."""
        module, _, cls = self.platform.partition(":")
        try:
            found = getattr(importlib.import_module(module), cls)
            # Anything else must not be called.
            if not (isinstance(found, type) and issubclass(found, Platform)):
                raise TypeError("it is another thing")
            return found()
        except (ImportError, AttributeError, TypeError, ValueError) as error:
            raise BoardError(
                f"board {self.name!r}: {self.platform} must be a platform class of amaranth-boards, "
                f"but it cannot be had ({error}); check the path MODULE:CLASS"
            ) from error

    @cached_property
    def _platform(self) -> Platform:
        return self.new_platform()

    @property
    def device(self) -> Device:
        """The `Device` on it, by the platform's name for it."""
        part = str(getattr(self._platform, "device", "nothing"))
        for device in DEVICES.values():
            if device.part.lower() == part.lower():
                return device
        raise BoardError(
            f"board {self.name!r}: its device must be one of {', '.join(DEVICES)}, but it is {part}"
        )

    @property
    def family(self) -> Family:
        """The family of its device."""
        return families.get(self.device.family)

    @property
    def package(self) -> str:
        """The package, in the platform's spelling."""
        return self._platform.package

    @property
    def speed(self) -> str:
        """The speed grade; empty for families that have none."""
        return getattr(self._platform, "speed", "")

    @property
    def oscillator_mhz(self) -> float:
        """Frequency at the port ``clk``."""
        self.pins  # noqa: B018
        try:
            return self._platform.default_clk_frequency / 1e6
        except (AttributeError, TypeError) as error:
            raise BoardError(
                f"board {self.name!r}: the frequency of its oscillator must be known, but its platform"
                f" {self.platform} has none; sbgen cannot use this board"
            ) from error

    @property
    def pins(self) -> tuple[Pin, ...]:
        """A `Pin` for each of ``clk``, ``rx``, ``tx`` and, if the board has one that can be used, ``led``."""
        return self._pins[0]

    @property
    def left_out(self) -> str | None:
        """Why the board's LED is not used, or None."""
        return self._pins[1]

    @cached_property
    def _pins(self) -> tuple[tuple[Pin, ...], str | None]:
        """The `pins`, and why the LED is left out."""
        platform = self.new_platform()
        for name, what in (platform.default_clk, "an oscillator"), ("uart", "a UART"):
            if (name, 0) not in platform.resources:
                raise BoardError(
                    f"board {self.name!r}: it must have {what} on pins of its own, but its platform "
                    f"{self.platform} has none; sbgen cannot use this board"
                )
        uart = self._request(platform, "uart")
        ports = {
            "clk": self._request(platform, platform.default_clk),
            "rx": getattr(uart, "rx", None),
            "tx": getattr(uart, "tx", None),
        }
        pins = self._single(ports)
        if ("led", 0) not in platform.resources:
            return pins, None
        try:
            return pins + self._single({"led": self._request(platform, "led")}), None
        except BoardError as error:
            return pins, f"the board is used without its LED: {error}"

    def _request(self, platform: Platform, name: str) -> PortLike:
        """The platform's port of that name; a `BoardError` when another port has its pins."""
        try:
            return platform.request(name, 0, dir="-")
        except (ResourceError, TypeError) as error:
            raise BoardError(
                f"board {self.name!r}: {name} must have pins of its own, but: {error}; sbgen cannot use it"
            ) from error

    @cached_property
    def high_pins(self) -> tuple[Pin, ...]:
        """A `Pin` for each output of the board that is always high, such as ``wifi_gpio0`` of a ULX3S."""
        platform = self.new_platform()
        ports = {}
        for (name, signal), port in _HIGH.items():
            if (name, 0) in platform.resources:
                found = platform.request(name, 0, dir="-")
                if hasattr(found, signal):
                    ports[port] = getattr(found, signal)
        return self._single(ports)

    @cached_property
    def flash_pins(self) -> tuple[Pin, ...]:
        """A `Pin` for each of ``flash_cs``, ``flash_clk``, ``flash_copi``, ``flash_cipo`` and, where the
        board has them, ``flash_wp`` and ``flash_hold``: the SPI flash that it is configured from."""
        platform = self.new_platform()
        if ("spi_flash_1x", 0) not in platform.resources:
            raise BoardError(
                f"board {self.name!r}: it must have an SPI flash for weights in SPRAM, but its platform"
                f" {self.platform} has no spi_flash_1x; keep the weights in block RAM (a design file with"
                ' "store": "bram")'
            )
        flash = self._request(platform, "spi_flash_1x")
        pins = self._single(
            {
                f"flash_{name}": getattr(flash, name, None)
                for name in ("cs", "clk", "copi", "cipo", "wp", "hold")
                if hasattr(flash, name) or name not in ("wp", "hold")
            }
        )
        taken = {pin.site: pin.port for pin in self.pins if pin.port != "led"}  # the LED gives way
        for pin in pins:
            if pin.site in taken:
                raise BoardError(
                    f"board {self.name!r}: {pin.port} must have a pin of its own for weights in SPRAM, but"
                    f" {pin.site} is "
                    f'{taken[pin.site]}\'s; keep the weights in block RAM (a design file with "store":'
                    ' "bram")'
                )
        return pins

    def _single(self, ports: Mapping[str, PortLike | None]) -> tuple[Pin, ...]:
        """The pins of platform ports, each of which must be a single one."""
        pins = []
        for name, port in ports.items():
            if port is None or not hasattr(port, "io") or len(port) != 1:
                raise BoardError(
                    f"board {self.name!r}: {name} must be one single-ended pin, but it is {port!r}; "
                    "sbgen cannot use this board"
                )
            metadata = port.io.metadata[0]
            pins.append(
                Pin(
                    port=name,
                    site=metadata.name,
                    invert=port.invert[0],
                    attrs=tuple(sorted(metadata.attrs.items())),
                )
            )
        return tuple(pins)

    def pin(self, port: str) -> Pin | None:
        """The `Pin` of that name, or None."""
        return next((pin for pin in self.pins if pin.port == port), None)

    @property
    def clock_is_pll_pad(self) -> bool:
        """Whether the oscillator comes in at a pad that feeds the PLL directly."""
        pads = self.family.pll_pads.get((self.device.name, self.package.lower()), ())
        return any(pin.port == "clk" and pin.site in pads for pin in self.pins)

    @property
    def default_clock_mhz(self) -> float:
        """The core's clock unless the user wants another."""
        return self.oscillator_mhz if self.clock_mhz is None else self.clock_mhz
