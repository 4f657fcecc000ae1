"""The link over a board's own USB: boards that have it, its clock, its rate, and the host at it."""

import random
import re
from types import SimpleNamespace

import numpy as np
import pytest
from link_cases import random_identity

from sbgen import boards
from sbgen.boards import board_line, connect, host, messages, usb_device
from sbgen.boards.ecp5.pll import Ecp5Pll
from sbgen.boards.harness import clock_and_pll
from sbgen.boards.usb_rate import USB_BAUD, UsbRate
from sbgen.errors import BoardError, LinkError

#: Boards whose USB connector leads to the FPGA, with the pins of their schematics.
PINS = {
    "orangecrab_r0_2": ("N1", "M2", "N2"),
    "ulx3s_85f": ("D15", "E15", "B12"),
    "tinyfpga_bx": ("B4", "A4", "A3"),
    "amaranth_boards.fomu_pvt:FomuPVTPlatform": ("A1", "A2", "A4"),
}


@pytest.mark.parametrize("name", PINS)
def test_a_board_with_usb(name):
    board = boards.get(f"{name},usb")
    assert board.usb_link and board.reference == f"{name},usb"
    assert boards.get(board.reference) == board
    ports = {pin.port: pin.site for pin in board.pins}
    assert tuple(ports[f"usb_{pin}"] for pin in ("d_p", "d_n", "pullup")) == PINS[name]
    assert "rx" not in ports and "clk" in ports


def test_a_board_whose_link_is_a_uart_again():
    board = boards.get("ulx3s_85f,uart")
    assert not board.usb_link and board.reference == "ulx3s_85f,uart"
    assert {pin.port for pin in board.pins} == {pin.port for pin in boards.get("ulx3s_85f").pins}


@pytest.mark.parametrize(
    "name, sentence",
    [
        ("icebreaker,usb", "its USB connector must lead to the FPGA itself"),
        ("tang_nano_9k,usb", "known for iCE40 and ECP5 only"),
        ("arty_a7,usb", "known for iCE40 and ECP5 only"),
    ],
)
def test_boards_without_usb_are_refused(name, sentence):
    with pytest.raises(BoardError, match=sentence):
        boards.get(name)


def test_a_baud_rate_is_refused():
    board = boards.get("orangecrab_r0_2,usb")
    assert board_line.choose(board, clock_mhz=72).baud == USB_BAUD
    assert board_line.choose(board, clock_mhz=72, baud=USB_BAUD).title == "USB"  # as a report has it
    with pytest.raises(BoardError, match="a link over USB has no baud rate, but 3,000,000 is requested"):
        board_line.choose(board, clock_mhz=72, baud=3_000_000)


@pytest.mark.parametrize("oscillator_mhz", [12, 16, 24, 25, 27, 48, 50, 100])
def test_second_pll_of_an_ecp5(oscillator_mhz):
    """Its dividers are in range, as the settings are checked, and the clock is that of USB."""
    pll = Ecp5Pll.second(oscillator_mhz=oscillator_mhz, clock_mhz=48)
    vco = oscillator_mhz / pll.clki_div * pll.clkfb_div * pll.clkop_div
    assert vco / pll.clkos_div == pytest.approx(48, rel=0.001) == pll.clock_mhz
    assert 400 <= vco <= 800


def test_only_one_pll():
    board = boards.get("tinyfpga_bx,usb")
    assert clock_and_pll(board)[0] == usb_device.USB_MHZ
    with pytest.raises(BoardError, match="must be 48 MHz for a link over USB"):
        board.family.pll.second(oscillator_mhz=16, clock_mhz=48)


SIZES = {
    "baud": USB_BAUD,
    "image_bytes": 98,
    "result_bytes": 1,
    "image_cycles": 1000,
    "byte_cycles": 50,
    "frame_images": 255,
    "store_bytes": 4072,
    "clock_hz": 75e6,
}


def test_rate():
    """Between the most that USB 2.0 names, 19 packets of 64 bytes a frame, and three quarters of it."""
    rate = UsbRate(**SIZES)
    assert rate.binds == "packets"
    line = 1_216_000 / (98 + 9 / rate.images)
    assert 0.75 * line < rate.images_per_second < line
    # Each image has an answer of its own, which takes a packet, or even two where it fills the first.
    single = UsbRate(**SIZES | {"frame_images": 1})
    full = UsbRate(**SIZES | {"frame_images": 1, "result_bytes": 56})
    short = UsbRate(**SIZES | {"frame_images": 1, "result_bytes": 55})
    assert full.images_per_second < 0.97 * short.images_per_second < single.images_per_second
    slow = UsbRate(**SIZES | {"image_cycles": 750_000})
    assert (slow.binds, slow.images_per_second) == ("board", 100)


class Recorder(host.Link):
    """Keeps what it would send."""

    def __init__(self, identity):
        super().__init__(port=SimpleNamespace(baudrate=USB_BAUD), number=0)
        self.identity = identity


@pytest.mark.parametrize("flow_control", [False, True])
def test_a_host_keeps_the_pace_only_where_it_must(flow_control):
    rng = random.Random(1)
    identity = random_identity(rng, outputs=(3,))
    identity = messages.Identity(
        **{
            **vars(identity),
            "image_cycles": 100_000,
            "byte_cycles": 50,
            "flow_control": flow_control,
            "weights": None,
        }
    )
    frame = messages.Frame(command=0x81, sequence=0, payload=identity.encode())
    assert messages.parse_identity(frame) == identity
    link = Recorder(identity)
    images = np.zeros((1, identity.pixels), np.uint8)
    link._send(host.Batch(identity, images, 0), identity, 0)
    assert (len(link._out) >= 2000) == (not flow_control)


def port(device, vid, pid):
    return SimpleNamespace(device=device, vid=vid, pid=pid, location="1-1", serial_number=None)


def test_the_port_is_found_by_the_ids_of_the_device(monkeypatch):
    ports = [port("/dev/ttyUSB0", 0x0403, 0x6015), port("/dev/ttyACM3", *usb_device.USB_ID)]
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: ports)
    assert connect._find_port(boards.get("ulx3s_85f,usb"), None) == "/dev/ttyACM3"
    assert connect._find_port(boards.get("orangecrab_r0_2,usb"), None) == "/dev/ttyACM3"
    assert connect._find_port(boards.get("ulx3s_85f"), None) == "/dev/ttyUSB0"
    ports.pop()
    with pytest.raises(LinkError, match=re.escape("no serial port of a USB device 1209:0001 is there")):
        connect._find_port(boards.get("orangecrab_r0_2,usb"), None)
