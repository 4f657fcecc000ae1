"""A USB serial port (CDC-ACM, full speed) in the FPGA, of luna's parts: bytes in both directions.

The parts are those of luna's own serial device (`luna.gateware.usb.devices.acm`). Three things differ: the
data endpoints begin again at DATA0 whenever the host resets or configures the device (USB 2.0, 9.1.1.5), a
transfer to the host ends with each frame, and the endpoint for notifications has no buffers.
"""

from __future__ import annotations

import warnings
from typing import Any

from amaranth.hdl import (
    ClockDomain,
    ClockSignal,
    Elaboratable,
    EnableInserter,
    Fragment,
    Module,
    ResetInserter,
    ResetSignal,
    Signal,
)
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import AsyncFFSynchronizer, FFSynchronizer
from amaranth.lib.fifo import AsyncFIFO
from amaranth.lib.wiring import In, Out

from ..errors import BoardError
from ..hw.slip import END
from .usb_rate import PACKET

__all__ = ["PRODUCT", "USB_ID", "USB_MHZ", "UsbDevice"]

#: The clock of the device: four cycles for a bit.
USB_MHZ = 48

#: Vendor and product: a pair of pid.codes that anyone may use for tests. None is assigned to sbgen.
USB_ID = (0x1209, 0x0001)

#: What the device calls itself.
PRODUCT = "sbgen"

#: Numbers of the endpoints, as luna's serial device has them.
_STATUS, _DATA = 3, 4

#: Bytes of the queues between the two clocks.
_QUEUE = 8


class UsbDevice(wiring.Component):
    """Carries bytes between the pins of a USB connector and the core's clock.

    The domain ``usb_io`` must have a clock of 48 MHz. Everything but the sampling of the lines steps in every
    fourth of its cycles, so there is no clock of 12 MHz.

    Members
    -------
    d_p_i, d_n_i : :py:`In(1)`
        The levels of the lines D+ and D-, asynchronous.
    d_p_o, d_n_o, oe : :py:`Out(1)`
        What to drive onto them, and whether to.
    pullup : :py:`Out(1)`
        Whether D+ is pulled up, so that the host sees a device.
    i : :py:`In(stream.Signature(8))`
        Bytes to the host. They are sent when a packet is full, or with the END of a frame.
    o : :py:`Out(stream.Signature(8))`
        Bytes of the host. It waits while they are not taken.

    Raises
    ------
    BoardError
        When luna is not installed.
    """

    d_p_i: Signal
    d_n_i: Signal
    d_p_o: Signal
    d_n_o: Signal
    oe: Signal
    pullup: Signal
    i: stream.Interface
    o: stream.Interface

    def __init__(self) -> None:
        self._luna = _Luna()
        super().__init__(
            {
                **{name: In(1) for name in ("d_p_i", "d_n_i")},
                **{name: Out(1) for name in ("d_p_o", "d_n_o", "oe", "pullup")},
                "i": In(stream.Signature(8)),
                "o": Out(stream.Signature(8)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.domains.usb = usb = ClockDomain(local=True)
        m.d.comb += [
            usb.clk.eq(ClockSignal("usb_io")),
            usb.rst.eq(ResetSignal("usb_io", allow_reset_less=True)),
        ]
        tick, count = Signal(), Signal(2)
        m.d.usb_io += [count.eq(count + 1), tick.eq(count == 0)]
        with warnings.catch_warnings():
            # luna still uses records, which Amaranth 0.5 deprecates and has.
            warnings.simplefilter("ignore", DeprecationWarning)
            device = Fragment.get(self._device(), _Platform())
        m.submodules.device = EnableInserter({"usb": tick})(device)
        return m

    def _device(self) -> Module:
        """The device, in the domain ``usb``, and the queues to and from ``sync``."""
        m = Module()
        luna = self._luna
        bus = luna.bus()
        for pin, line in ((bus.d_p, self.d_p_i), (bus.d_n, self.d_n_i)):
            # luna's reset detector takes the lines as they are.
            m.submodules += FFSynchronizer(line, pin.i, o_domain="usb_io")
        m.d.comb += [
            self.d_p_o.eq(bus.d_p.o),
            self.d_n_o.eq(bus.d_n.o),
            self.oe.eq(bus.d_p.oe),
            self.pullup.eq(bus.pullup.o),
        ]
        m.submodules.device = device = luna.USBDevice(bus=bus)
        m.d.comb += device.connect.eq(1)
        control = device.add_standard_control_endpoint(_descriptors(luna))
        control.add_request_handler(luna.ACMRequestHandlers())
        control.add_request_handler(
            luna.StallOnlyRequestHandler(
                lambda setup: (setup.type == luna.VENDOR) | (setup.type == luna.RESERVED)
            )
        )
        host, board = luna.OutEndpoint(), luna.InEndpoint()
        for endpoint in luna.StatusEndpoint(), host, board:
            device.add_endpoint(endpoint)
        configured = control.interface.config_changed
        again = device.reset_detected | configured
        m.d.comb += [host.again.eq(again), board.again.eq(again)]

        m.submodules.from_host = from_host = AsyncFIFO(width=8, depth=_QUEUE, w_domain="usb", r_domain="sync")
        m.d.comb += [
            from_host.w_data.eq(host.stream.payload),
            from_host.w_en.eq(host.stream.valid),
            host.stream.ready.eq(from_host.w_rdy),
            self.o.payload.eq(from_host.r_data),
            self.o.valid.eq(from_host.r_rdy),
            from_host.r_en.eq(self.o.ready),
        ]
        m.submodules.to_host = to_host = AsyncFIFO(width=8, depth=_QUEUE, w_domain="sync", r_domain="usb")
        within = Signal()  # a frame, which begins with an END too
        is_end = to_host.r_data == END
        m.d.comb += [
            to_host.w_data.eq(self.i.payload),
            to_host.w_en.eq(self.i.valid),
            self.i.ready.eq(to_host.w_rdy),
            board.stream.payload.eq(to_host.r_data),
            board.stream.valid.eq(to_host.r_rdy),
            board.stream.last.eq(is_end & within),
            to_host.r_en.eq(board.stream.ready),
        ]
        with m.If(board.stream.valid & board.stream.ready):
            m.d.usb += within.eq(~is_end)
        return m


class _Platform:
    """What luna and Amaranth's queues ask of the platform that they are built for."""

    #: luna splits its counters for one device, whose timing then is that of all others.
    device = ""

    @staticmethod
    def get_async_ff_sync(synchronizer: AsyncFFSynchronizer) -> Module:
        """The reset of one side of a queue at the other, by ordinary flip-flops.

        It lasts for thousands of cycles of both clocks, so it need not be asynchronous.
        """
        m = Module()
        m.submodules += FFSynchronizer(
            synchronizer.i, synchronizer.o, o_domain=synchronizer._o_domain, init=1, reset_less=True
        )
        return m


def _descriptors(luna: _Luna) -> Any:
    """What the device says of itself."""
    # Only its descriptors are used; Amaranth would warn that it is no part of any design.
    described = luna.USBSerialDevice(
        bus=None,
        idVendor=USB_ID[0],
        idProduct=USB_ID[1],
        manufacturer_string=PRODUCT,
        product_string=PRODUCT,
        max_packet_size=PACKET,
    )
    described._MustUse__used = True
    return described.create_descriptors()


class _Luna:
    """The names of luna that are used, and endpoints made of them.

    Raises
    ------
    BoardError
        When luna is not installed.
    """

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            try:
                from amaranth.hdl.rec import Record
                from luna.gateware.usb.devices.acm import ACMRequestHandlers, USBSerialDevice
                from luna.gateware.usb.usb2.device import USBDevice
                from luna.gateware.usb.usb2.endpoint import EndpointInterface
                from luna.gateware.usb.usb2.endpoints.stream import USBStreamInEndpoint, USBStreamOutEndpoint
                from luna.gateware.usb.usb2.request import StallOnlyRequestHandler
                from usb_protocol.types import USBRequestType
            except ImportError as error:
                raise BoardError(
                    f"a link over the board's own USB needs luna-usb, which is not installed ({error}); try:"
                    " pip install 'sbgen[usb]'"
                ) from None
        self._record = Record
        self.ACMRequestHandlers, self.USBSerialDevice = ACMRequestHandlers, USBSerialDevice
        self.USBDevice, self.StallOnlyRequestHandler = USBDevice, StallOnlyRequestHandler
        self.VENDOR, self.RESERVED = USBRequestType.VENDOR, USBRequestType.RESERVED

        # luna names a submodule by its class, and a second one of a class by its address in memory, which
        # would differ from run to run.
        class _Restarted:
            """An endpoint that begins again with the first packet when `again` is high."""

            def __init__(self, **settings: int) -> None:
                super().__init__(**settings)
                self.again = Signal()

            def elaborate(self, platform: object) -> Elaboratable:
                return ResetInserter({"usb": self.again})(super().elaborate(platform))  # type: ignore[misc]

        class OutEndpoint(_Restarted, USBStreamOutEndpoint):
            """Bytes from the host."""

        class InEndpoint(_Restarted, USBStreamInEndpoint):
            """Bytes to the host."""

        class StatusEndpoint(Elaboratable):
            """Has no notification for the host, whenever it asks."""

            def __init__(self) -> None:
                self.interface = EndpointInterface()

            def elaborate(self, platform: object) -> Module:
                m = Module()
                token = self.interface.tokenizer
                m.d.comb += self.interface.handshakes_out.nak.eq(
                    (token.endpoint == _STATUS) & token.is_in & token.ready_for_response
                )
                return m

        settings = {"endpoint_number": _DATA, "max_packet_size": PACKET}
        self.OutEndpoint = lambda: OutEndpoint(**settings)
        self.InEndpoint = lambda: InEndpoint(**settings)
        self.StatusEndpoint = StatusEndpoint

    def bus(self) -> Any:
        """The lines, as luna's transceiver takes them."""
        line = [("i", 1), ("o", 1), ("oe", 1)]
        return self._record([("d_p", line), ("d_n", line), ("pullup", [("o", 1)])], name="usb_lines")
