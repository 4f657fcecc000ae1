"""The pins that a top level uses of an amaranth-boards platform."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from amaranth.build import Attrs, Pins, Platform, Resource, ResourceError, Subsignal
from amaranth.lib.io import DifferentialPort, PortLike, SingleEndedPort

from ..errors import BoardError

__all__ = ["BoardPins", "Pin"]

#: Pins that must be high while a design runs, and their ports, by resource and subsignal of the platform. The
#: ESP32 of a ULX3S takes over the board when its gpio0 is low.
_HIGH = {("esp32", "gpio0"): "wifi_gpio0"}


@dataclass(frozen=True, kw_only=True)
class Pin:
    """The package pin of one port of the top level.

    Parameters
    ----------
    port : str
        ``"clk"``, ``"rx"``, ``"tx"`` or ``"led"``; ``"usb_d_p"``, ``"usb_d_n"`` or ``"usb_pullup"``;
        ``"flash_cs"``, ``"flash_clk"``, ``"flash_copi"``,
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


class BoardPins:
    """The pins of one board.

    Parameters
    ----------
    name : str
        Of the board, for errors.
    new_platform : function
        Makes a platform, which counts the resources that are requested from it.
    clock : str or None
        The resource of the oscillator; None is an oscillator in the FPGA, which has no pin.
    uart : (str, str) or None
        Pins for ``rx`` and ``tx`` in place of the platform's ``uart``.
    usb : bool
        Whether the pins of the platform's ``usb`` are in place of ``rx`` and ``tx``.
    adapter_attrs : dict
        Attributes of the pins in `uart`.
    differential_clock : bool
        Whether the oscillator may come in at a pair of pins; ``clk`` is then the first of them.

    Raises
    ------
    BoardError
        When a pin that every top level needs does not exist, or is used twice.
    """

    def __init__(
        self,
        name: str,
        new_platform: Callable[[], Platform],
        *,
        clock: str | None,
        uart: tuple[str, str] | None,
        usb: bool,
        adapter_attrs: Mapping[str, str | int],
        differential_clock: bool,
    ):
        self._name, self._new_platform = name, new_platform
        #: The platform whose resources were requested, and its port for each of `pins`.
        self.platform = platform = new_platform()
        self.ports: dict[str, PortLike] = {}
        pins = () if clock is None else self._clock(clock, differential=differential_clock)
        if usb:
            pins += self._usb_resource()
        elif uart is None:
            pins += self._uart_resource()
        else:
            pins += self._uart_pins(uart, adapter_attrs, {pin.site for pin in pins})
        #: Of ``clk``, ``rx`` and ``tx`` or those of USB, and ``led`` if the board has one that can be used.
        self.pins = pins
        #: Why the board's LED is not used, or None.
        self.left_out: str | None = None
        if ("led", 0) in platform.resources or ("rgb_led", 0) in platform.resources:
            try:
                self.pins += self._single({"led": self._led()})
            except BoardError as error:
                self.left_out = f"the board is used without its LED: {error}"

    def _clock(self, name: str, *, differential: bool) -> tuple[Pin, ...]:
        if (name, 0) not in self.platform.resources:
            raise BoardError(
                f"board {self._name!r}: it must have an oscillator on a pin of its own, or in the FPGA where"
                f" sbgen knows it, but its platform has {name!r}; sbgen cannot use this board"
            )
        port = self._request(name)
        if differential and isinstance(port, DifferentialPort):
            port = SingleEndedPort(port.p, invert=port.invert, direction=port.direction)
        return self._single({"clk": port})

    def _uart_resource(self) -> tuple[Pin, ...]:
        if ("uart", 0) not in self.platform.resources:
            raise BoardError(
                f"board {self._name!r}: it must have a UART on pins of its own, but its platform has none;"
                " connect a USB serial adapter to two free pins and name them: --uart rx=PIN,tx=PIN"
                f" ({self.free()})"
            )
        uart = self._request("uart")
        return self._single({name: getattr(uart, name, None) for name in ("rx", "tx")})

    def _usb_resource(self) -> tuple[Pin, ...]:
        if ("usb", 0) not in self.platform.resources:
            raise BoardError(
                f"board {self._name!r}: its USB connector must lead to the FPGA itself for a link over USB,"
                " but its platform has no 'usb'; leave out --link"
            )
        usb = self._request("usb")
        return self._single({f"usb_{name}": getattr(usb, name, None) for name in ("d_p", "d_n", "pullup")})

    def _uart_pins(
        self, uart: tuple[str, str], attrs: Mapping[str, str | int], used: set[str]
    ) -> tuple[Pin, ...]:
        rx, tx = (self.site(name) for name in uart)
        if rx == tx or used & {rx, tx}:
            raise BoardError(
                f"board {self._name!r}: rx, tx and the clock must be different pins, but rx is {rx}, tx {tx}"
                f" and the clock {', '.join(used) or 'none'}; choose others ({self.free()})"
            )
        directions = Subsignal("rx", Pins(rx, dir="i")), Subsignal("tx", Pins(tx, dir="o"))
        self.platform.add_resources([Resource("sbgen_uart", 0, *directions, Attrs(**attrs))])
        port = self._request("sbgen_uart")
        return self._single({"rx": port.rx, "tx": port.tx})

    def site(self, name: str) -> str:
        """The package's name of a pin, which a user may also name as ``CONNECTOR:PIN``, in any case.

        Raises
        ------
        BoardError
            When the platform names no such pin.
        """
        connectors = {key.lower(): site for key, site in self._connector_pins().items()}
        sites = {site.lower(): site for site in self._known()}
        found = connectors.get(name.lower()) or sites.get(name.lower())
        if found is None:
            raise BoardError(
                f"board {self._name!r}: a pin must be one that its platform names, but {name!r} is"
                f" not; choose another ({self.free()})"
            )
        return found

    def taken(self, site: str) -> str | None:
        """What else needs a pin while a design runs: the flash, an oscillator, a level that must be kept."""
        for (name, number), resource in self.platform.resources.items():
            kept = name.startswith("spi_flash") or resource.clock is not None or (name, "gpio0") in _HIGH
            if kept and site in _names(resource):
                return f"{name} {number}"
        return None

    def free(self) -> str:
        """Some pins for an adapter, in words."""
        resources = self.platform.resources.values()
        used = {site for resource in resources for site in _names(resource)}
        free = [f"{name} is {site}" for name, site in self._connector_pins().items() if site not in used]
        rest = sorted(site for site in self._known() if not self.taken(site))
        return "free are " + ", ".join(free[:6]) if free else "it has " + ", ".join(rest[:12])

    def _connector_pins(self) -> dict[str, str]:
        """Every pin of a connector that leads to the FPGA, such as ``{"pmod_0:1": "4"}``."""
        return dict(
            sorted(
                (name, site)
                for connector in self.platform.connectors.values()
                for name, site in connector
                if site.isalnum()
            )
        )

    def _known(self) -> set[str]:
        """Every pin of the FPGA that the platform names."""
        named = {name for resource in self.platform.resources.values() for name in _names(resource)}
        return {name for name in named if name.isalnum()} | set(self._connector_pins().values())

    def _led(self) -> PortLike:
        if ("led", 0) in self.platform.resources:
            return self._request("led")
        colours = self._request("rgb_led")
        return getattr(colours, "g", colours)

    def _request(self, name: str, platform: Platform | None = None) -> PortLike:
        """The platform's port of that name; a `BoardError` when another port has its pins."""
        try:
            return (platform or self.platform).request(name, 0, dir="-")
        except (ResourceError, TypeError) as error:
            raise BoardError(
                f"board {self._name!r}: {name} must have pins of its own, but: {error}; sbgen cannot use it"
            ) from error

    def high_pins(self, kept_high: tuple[tuple[str, str], ...] = ()) -> tuple[Pin, ...]:
        """A `Pin` for each output of the board that is always high.

        Parameters
        ----------
        kept_high : tuple of (str, str)
            Resource and subsignal of such outputs, in addition to those that every platform has.
        """
        platform, ports = self._new_platform(), {}
        for name, signal in (*_HIGH, *kept_high):
            if (name, 0) in platform.resources:
                found = self._request(name, platform)
                if hasattr(found, signal):
                    ports[_HIGH.get((name, signal), f"{name}_{signal}")] = getattr(found, signal)
        return self._single(ports)

    def flash_pins(self) -> tuple[Pin, ...]:
        """As `BoardSpec.flash_pins`."""
        platform = self._new_platform()
        if ("spi_flash_1x", 0) not in platform.resources:
            raise BoardError(
                f"board {self._name!r}: it must have an SPI flash for weights in SPRAM, but its platform"
                ' has no spi_flash_1x; keep the weights in block RAM (a design file with "store": "bram")'
            )
        flash = self._request("spi_flash_1x", platform)
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
                    f"board {self._name!r}: {pin.port} must have a pin of its own for weights in SPRAM, but"
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
                    f"board {self._name!r}: {name} must be one single-ended pin, but it is {port!r}; "
                    "sbgen cannot use this board"
                )
            self.ports[name] = port
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


def _names(part: Resource | Subsignal) -> Iterator[str]:
    """The pins of a resource, of all its subsignals too."""
    for io in part.ios:
        if isinstance(io, Subsignal):
            yield from _names(io)
        elif hasattr(io, "names"):
            yield from io.names
        elif hasattr(io, "p"):
            yield from (*io.p.names, *io.n.names)
