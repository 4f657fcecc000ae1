"""A board as data, and what follows from its amaranth-boards platform."""

import importlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

from amaranth.build import Platform

from ..compiler.device import DEVICES, Device, with_usb
from ..compiler.vendor_devices import VENDOR_DEVICES
from ..errors import BoardError, VendorError
from . import families, vendor_tools
from .board_pins import BoardPins, Pin
from .family import Family
from .oscillator import Oscillator
from .plan import MARGIN
from .usb_chips import UsbChip

__all__ = ["BAUD", "SLOW_BAUD", "BoardSpec", "Pin", "Programmer"]

#: The baud rate of a board that does not state one.
BAUD = 1_000_000

#: The same where the oscillator is too slow for it.
SLOW_BAUD = 115_200


@dataclass(frozen=True, kw_only=True)
class Programmer:
    """A command that loads a bitstream into the board.

    Parameters
    ----------
    tool : str
        Its name in `sbgen.tools.KNOWN`.
    flash, sram : tuple of str or None
        Arguments before the bitstream's path: to write the flash memory, which outlasts power, and to
        configure the FPGA until power is lost. None where it cannot.
    first : str
        ``"flash"`` or ``"sram"``: where it loads to by default.
    serial : tuple of str
        Further arguments that choose a board by its USB serial number, ``{serial}``; empty where it cannot.
    """

    tool: str
    flash: tuple[str, ...] | None = None
    sram: tuple[str, ...] | None = None
    first: str = "flash"
    serial: tuple[str, ...] = ()

    def arguments(self, *, memory: str | None = None, serial: str | None = None) -> tuple[str, ...] | None:
        """The arguments before the bitstream's path; None where it cannot load so.

        Parameters
        ----------
        memory : str or None
            ``"flash"`` or ``"sram"``; None is `first`.
        serial : str or None
            The board's USB serial number.
        """
        found = {"flash": self.flash, "sram": self.sram}[memory or self.first]
        if found is None or serial and not self.serial:
            return None
        return found + tuple(arg.format(serial=serial) for arg in self.serial if serial)


@dataclass(frozen=True, kw_only=True)
class BoardSpec:
    """One board.

    Parameters
    ----------
    name : str
    description : str
    note : str
        What a person must connect or set, if anything.
    platform : str
        The amaranth-boards platform as ``module:Class``. It is the source of the device, the package, the
        oscillator and the pins.
    clock_mhz : float or None
        The core's default clock; None is the oscillator's, without a PLL.
    baud : int
        Of the host link.
    programmers : tuple of `Programmer`
        In the order in which they are tried.
    usb : tuple of (int, int)
        Vendor and product of the board's USB interface.
    serial_interface : int or None
        Which of its USB interfaces carries the host link; None if the link needs a USB serial adapter.
    usb_chip : UsbChip or None
        The converter between its USB and its UART, which limits the baud rate; None if it is not known.
    clock : str or None
        The platform's resource that is the clock, in place of its default one.
    uart : (str, str) or None
        Its pins for ``rx`` and ``tx``, where the platform has no ``uart``.
    kept_high : tuple of (str, str)
        Resources of the platform and their subsignals that must be high while a design runs.
    adapter : (str, str) or None
        Pins that a user chose for a USB serial adapter (`with_adapter`).
    usb_link : bool
        Whether the host link goes over a USB connector that leads to the FPGA itself, the platform's ``usb``,
        in place of a UART.
    chosen_link : str or None
        ``"uart"`` or ``"usb"`` if a user chose it (`with_link`).
    """

    name: str
    description: str
    platform: str
    note: str = ""
    clock_mhz: float | None = None
    baud: int = BAUD
    programmers: tuple[Programmer, ...] = ()
    usb: tuple[tuple[int, int], ...] = ()
    serial_interface: int | None = 0
    usb_chip: UsbChip | None = None
    clock: str | None = None
    uart: tuple[str, str] | None = None
    kept_high: tuple[tuple[str, str], ...] = ()
    adapter: tuple[str, str] | None = None
    usb_link: bool = False
    chosen_link: str | None = None

    @property
    def reference(self) -> str:
        """The name under which `sbgen.boards.get` finds this board: `name` or ``module:Class``, and the link
        of `with_link` or the pins of `with_adapter`."""
        own = self.platform if self.name == self.platform.rpartition(":")[2] else self.name
        if self.chosen_link is not None:
            own += f",{self.chosen_link}"
        return own if self.adapter is None else "{},rx={},tx={}".format(own, *self.adapter)

    def new_platform(self, **settings: str) -> Platform:
        """A fresh platform object: each one counts the resources that were requested from it.

        Parameters
        ----------
        settings
            Of its class.
        """
        module, _, cls = self.platform.partition(":")
        try:
            found = getattr(importlib.import_module(module), cls)
            # Anything else must not be called.
            if not (isinstance(found, type) and issubclass(found, Platform)):
                raise TypeError("it is another thing")
            return found(**settings)
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
        # Some platforms name the device as its family, and the part with its package and speed.
        named = getattr(self._platform, "device", None) or getattr(self._platform, "family", None)
        part = str(named or "nothing").lower()
        for device in DEVICES.values():
            if device.part.lower() == part:
                return with_usb(device) if self.usb_link else device
        for prefix, device in VENDOR_DEVICES.items():
            if part.startswith(prefix.lower()):
                return device
        raise BoardError(
            f"board {self.name!r}: its device must be one of {', '.join(DEVICES)}, or known with its vendor's"
            f" tools ({', '.join(VENDOR_DEVICES)}), but it is {named or 'nothing'}"
        )

    @property
    def is_open(self) -> bool:
        """Whether open tools place and route for its device; else a build writes its vendor's project."""
        return self.device.own_fabric is None or self.device.family in families.FAMILIES

    @property
    def family(self) -> Family:
        """The family of its device.

        Raises
        ------
        VendorError
            When place and route of its device is its vendor's alone.
        """
        if not self.is_open:
            raise VendorError(
                f"{self.name}: no open tool places and routes for {self.device.name}; `sbgen build` writes a"
                " project of its vendor's tools, and its netlists and bitstream are not seen here"
            )
        return families.get(self.device.family)

    @property
    def part(self) -> str:
        """The vendor's name of the device with its package and speed grade, where the platform has it."""
        return getattr(self._platform, "part", "")

    @property
    def package(self) -> str:
        """The package, in the platform's spelling."""
        return self._platform.package

    @property
    def speed(self) -> str:
        """The speed grade; empty for families that have none."""
        return getattr(self._platform, "speed", "")

    @property
    def clock_name(self) -> str:
        """The platform's resource of the oscillator, or its name for one in the FPGA."""
        name = self.clock if self.clock is not None else self._platform.default_clk
        return "nothing" if name is None else name

    @cached_property
    def oscillator(self) -> Oscillator | None:
        """The oscillator in the FPGA that is the clock; None where the clock comes in through a pin."""
        kind = self.family.oscillators.get(self.clock_name) if self.is_open else None
        return None if kind is None else kind.of(self._platform)

    @property
    def oscillator_mhz(self) -> float:
        """Frequency of the oscillator, at the port ``clk`` where it has one."""
        if self.oscillator is not None:
            return self.oscillator.clock_mhz
        self.pins  # noqa: B018
        if self.is_open or (self.clock_name, 0) in self._platform.resources:
            clock = self._platform.resources[self.clock_name, 0].clock
        else:
            clock = self._platform.default_clk_constraint  # of an oscillator in the FPGA
        if clock is None:
            raise BoardError(
                f"board {self.name!r}: the frequency of its oscillator must be known, but its platform"
                f" {self.platform} has none; sbgen cannot use this board"
            )
        return clock.frequency / 1e6

    @property
    def clock_margin(self) -> float:
        """Share by which a design must be faster than its clock, unless the user wants another."""
        return MARGIN + (0 if self.oscillator is None else self.oscillator.tolerance)

    @cached_property
    def _pins(self) -> BoardPins:
        return self.new_pins()

    def new_pins(self) -> BoardPins:
        """Its pins, requested from a fresh platform."""
        if not self.is_open:
            if self._platform.default_clk is None:
                raise BoardError(
                    f"board {self.name!r}: it must have an oscillator that the FPGA can use by itself, but"
                    f" its platform {self.platform} has none; sbgen cannot use this board"
                )
            settings = vendor_tools.settings(self._platform)
            return BoardPins(
                self.name,
                lambda: self.new_platform(**settings),
                clock=None,  # Amaranth connects it
                uart=self.adapter or self.uart,
                usb=False,
                adapter_attrs={},
                differential_clock=True,
            )
        return BoardPins(
            self.name,
            self.new_platform,
            clock=None if self.oscillator is not None else self.clock_name,
            uart=self.adapter or self.uart,
            usb=self.usb_link,
            adapter_attrs=self.family.adapter_attrs,
            differential_clock=self.family.differential_clock,
        )

    @property
    def pins(self) -> tuple[Pin, ...]:
        """A `Pin` for each of ``clk``, ``rx``, ``tx`` and, if the board has one that can be used, ``led``;
        no ``clk`` where the oscillator is in the FPGA, or its vendor's tools connect it. For a link over USB
        ``usb_d_p``, ``usb_d_n`` and ``usb_pullup`` are in place of ``rx`` and ``tx``."""
        return self._pins.pins

    @property
    def left_out(self) -> str | None:
        """Why the board's LED is not used, or None."""
        return self._pins.left_out

    @cached_property
    def high_pins(self) -> tuple[Pin, ...]:
        """A `Pin` for each output of the board that is always high, such as ``wifi_gpio0`` of a ULX3S."""
        return self._pins.high_pins(self.kept_high)

    @cached_property
    def flash_pins(self) -> tuple[Pin, ...]:
        """A `Pin` for each of ``flash_cs``, ``flash_clk``, ``flash_copi``, ``flash_cipo`` and, where the
        board has them, ``flash_wp`` and ``flash_hold``: the SPI flash that it is configured from."""
        return self._pins.flash_pins()

    def with_adapter(self, *, rx: str, tx: str) -> Self:
        """This board with a USB serial adapter at two of its pins in place of its own UART.

        Parameters
        ----------
        rx, tx : str
            Pins of the package, or ``CONNECTOR:PIN``.

        Raises
        ------
        BoardError
            When there is no such pin, or something else needs it.
        """
        adapted = replace(
            self,
            adapter=(rx, tx),
            kept_high=(),
            baud=BAUD,
            serial_interface=None,
            usb_chip=None,
            usb_link=False,
            chosen_link=None,
        )
        pins = adapted._pins
        for name in rx, tx:
            if use := pins.taken(pins.site(name)):
                raise BoardError(
                    f"board {self.name!r}: a pin for --uart must be free, but {name} is that of {use}; choose"
                    f" another ({pins.free()})"
                )
        return adapted

    @property
    def has_usb(self) -> bool:
        """Whether its host link can go over a USB connector that leads to the FPGA."""
        return self.is_open and self.family.usb and ("usb", 0) in self._platform.resources

    def with_link(self, kind: str) -> Self:
        """This board with its host link over a UART, or over a USB connector that leads to the FPGA.

        Parameters
        ----------
        kind : str
            ``"uart"`` or ``"usb"``.

        Raises
        ------
        BoardError
            When there is no such connector.
        """
        if kind not in ("uart", "usb"):
            raise BoardError(f"board {self.name!r}: its link must be uart or usb, not {kind!r}")
        linked = replace(self, usb_link=kind == "usb", chosen_link=kind)
        if linked.usb_link and not (self.is_open and self.family.usb):
            raise BoardError(
                f"board {self.name!r}: a link over USB is known for"
                f" {' and '.join(family.title for family in families.FAMILIES.values() if family.usb)} only;"
                " leave out --link"
            )
        linked.pins  # noqa: B018
        return linked

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
