from collections import Counter
from dataclasses import replace
from random import Random
from types import SimpleNamespace

import pytest
from amaranth.build import Clock, DiffPairs, Pins, PinsN, Resource, Subsignal
from amaranth.vendor import LatticeICE40Platform

from sbgen import boards
from sbgen.boards import harness
from sbgen.boards.board_spec import BoardSpec
from sbgen.boards.ecp5.constraints import lpf
from sbgen.compiler.device import DEVICES
from sbgen.errors import BoardError
from sbgen.hw.link_parameters import Parameters
from sbgen.tools import KNOWN


@pytest.mark.parametrize("board", boards.BOARDS.values(), ids=boards.BOARDS)
class TestEveryBoard:
    def test_is_found_by_its_name(self, board):
        assert boards.get(board.name) is board

    def test_is_found_by_its_name_with_hyphens(self, board):
        assert boards.get(board.name.replace("_", "-")) is board

    def test_device_and_pins_come_from_the_platform(self, board):
        assert board.device in DEVICES.values()
        ports = [pin.port for pin in board.pins]
        assert ports == ["clk"] * (board.oscillator is None) + ["rx", "tx"] + ["led"] * (
            board.left_out is None
        )
        assert len({pin.site for pin in board.pins + board.high_pins}) == len(ports) + len(board.high_pins)

    def test_programmers_are_known_tools(self, board):
        assert board.programmers
        assert all(programmer.tool in KNOWN for programmer in board.programmers)

    def test_every_pin_is_constrained_once(self, board):
        text = board.family.constraints(board)
        for pin in board.pins:
            places = {
                "ice40": f"{pin.port} {pin.site}",
                "ecp5": f'"{pin.port}" SITE "{pin.site}"',
                "gowin": f'"{pin.port}" {pin.site};',
            }
            assert text.count(places[board.device.family]) == 1


def test_icebreaker_is_its_schematic():
    board = boards.get("icebreaker")
    assert (board.device.name, board.package, board.oscillator_mhz) == ("up5k", "SG48", 12)
    assert {pin.port: (pin.site, pin.invert) for pin in board.pins} == {
        "clk": ("35", False),
        "rx": ("6", False),
        "tx": ("9", False),
        "led": ("11", True),
    }
    assert board.clock_is_pll_pad
    assert (
        board.family.constraints(board)
        == "set_io clk 35\nset_io -pullup yes rx 6\nset_io tx 9\nset_io led 11\n"
    )


def test_hx8k_oscillator_is_no_pll_pad():
    assert not boards.get("ice40_hx8k_b_evn").clock_is_pll_pad


def test_ulx3s_constraints_carry_the_buffers_settings():
    assert lpf(boards.get("ulx3s_85f")).splitlines()[:2] == [
        'LOCATE COMP "clk" SITE "G2";',
        'IOBUF PORT "clk" IO_TYPE=LVCMOS33;',
    ]
    assert 'FREQUENCY PORT "clk" 25 MHZ;' in lpf(boards.get("ulx3s_85f"))


class TestImportPath:
    def test_ice40(self):
        board = boards.get("amaranth_boards.icestick:ICEStickPlatform")
        assert (board.name, board.device.name, board.default_clock_mhz) == ("ICEStickPlatform", "hx1k", 12)

    def test_ecp5(self):
        board = boards.get("amaranth_boards.icepi_zero:IcepiZero1_3Platform")
        assert (board.device.name, board.oscillator_mhz, board.speed) == ("ecp5-25f", 50, "6")

    @pytest.mark.parametrize(
        "path,what",
        [
            ("amaranth_boards.nowhere:Platform", "No module named"),
            ("amaranth_boards.icestick:Nothing", "no attribute 'Nothing'"),
            ("os:path", "it is another thing"),
            ("os:abort", "it is another thing"),
            ("builtins:dict", "it is another thing"),
            (
                "amaranth_boards.tinyfpga_ax2:TinyFPGAAX2Platform",
                "must have an oscillator that the FPGA can use by itself",
            ),
            ("amaranth_boards.fomu_pvt:FomuPVTPlatform", "must have a UART"),
        ],
    )
    def test_what_cannot_be_used(self, path, what):
        with pytest.raises(BoardError, match=what):
            boards.get(path)


def test_unknown_board_gets_the_nearest_names():
    with pytest.raises(BoardError, match="unknown board 'icebraker'.*did you mean icebreaker"):
        boards.get("icebraker")
    with pytest.raises(BoardError, match="unknown board 'x': known are icebreaker, "):
        boards.get("x")
    with pytest.raises(BoardError, match="did you mean ulx3s_85f"):
        boards.get("ulx3s-85")


def test_clock_of_none_is_the_oscillators():
    board = replace(boards.get("icebreaker"), clock_mhz=None)
    assert isinstance(board, BoardSpec)
    assert board.default_clock_mhz == 12


def random_platform(random):
    """An iCE40 platform whose resources draw their pins from a few, so that many meet."""

    def pin():
        return str(random.randint(1, 9))

    def lane(direction):
        return random.choice(
            [
                lambda: Pins(pin(), dir=direction),
                lambda: Pins(pin(), dir=direction),
                lambda: Pins(f"{pin()} {pin()}", dir=direction),
                lambda: DiffPairs(pin(), pin(), dir=direction),
                lambda: PinsN(pin(), dir=direction),
            ]
        )()

    def subsignals(directions):
        return [
            Subsignal(name, lane(direction))
            for name, direction in directions.items()
            if random.random() < 0.95
        ]

    made = []
    if random.random() < 0.95:
        made.append(Resource("clk", 0, lane("i"), *([Clock(12e6)] if random.random() < 0.95 else [])))
    for name, directions in (
        ("uart", {"rx": "i", "tx": "o"}),
        ("spi_flash_1x", {"cs": "o", "clk": "o", "copi": "o", "cipo": "i", "wp": "o"}),
    ):
        if random.random() < 0.95 and (parts := subsignals(directions)):
            made.append(Resource(name, 0, *parts))
    if random.random() < 0.9:
        made.append(
            Resource("led", 0, lane("o"))
            if random.random() < 0.9
            else Resource("led", 0, Subsignal("r", lane("o")))
        )

    class Random(LatticeICE40Platform):
        device, package, default_clk = "iCE40UP5K", "SG48", "clk"
        resources, connectors = made, []

    return Random


def test_whatever_pins_a_platform_has_they_are_its_own_or_it_is_refused(monkeypatch):
    ends = Counter()
    for seed in range(600):
        print("seed", seed)
        random = Random(seed)
        try:
            monkeypatch.setattr("amaranth_boards.icestick.ICEStickPlatform", random_platform(random))
        except (TypeError, NameError):
            continue  # Amaranth itself takes no such resource
        try:
            board = boards.get("amaranth_boards.icestick:ICEStickPlatform")
            assert board.oscillator_mhz == 12
        except BoardError as error:
            assert "\n" not in str(error)
            ends["refused"] += 1
            continue
        assert len({pin.site for pin in board.pins}) == len(board.pins)
        assert [pin.port for pin in board.pins][:3] == ["clk", "rx", "tx"]
        ends["led" if board.pin("led") else "left out" if board.left_out else "no led"] += 1
        try:
            flash = board.flash_pins
        except BoardError:
            continue
        top = harness.Top(core=core(), board=board, link=LINK, digest=bytes(8))
        assert len({pin.site for pin in top.pins}) == len(top.pins) and set(flash) <= set(top.pins)
        ends["flash"] += 1
        ends["LED gave way"] += bool(board.pin("led")) and len(top.pins) == 3 + len(flash)
    print(ends)
    assert min(ends[end] for end in ("refused", "led", "left out", "no led", "flash", "LED gave way")) > 0


def core():
    """What a top level looks at of a core whose weights are in SPRAM."""
    return SimpleNamespace(ram_contents=(range(4),))


LINK = Parameters(pixels=4, lanes=1, outputs=2, score_width=8)


@pytest.mark.parametrize(
    "name",
    [*boards.BOARDS, "amaranth_boards.icestick:ICEStickPlatform", "amaranth_boards.ulx3s:ULX3S_25F_Platform"],
)
def test_a_report_names_a_board_that_can_be_found_again(name):
    board = boards.get(name)
    assert boards.get(board.reference) == board
