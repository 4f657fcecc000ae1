from dataclasses import replace

import pytest

from sbgen import boards
from sbgen.boards import constraints
from sbgen.boards.board import Board
from sbgen.compiler.device import DEVICES
from sbgen.errors import BoardError
from sbgen.tools import KNOWN


@pytest.mark.parametrize("board", boards.BOARDS.values(), ids=boards.BOARDS)
class TestEveryBoard:
    def test_is_found_by_its_name(self, board):
        assert boards.get(board.name) is board

    def test_is_found_by_its_name_with_hyphens(self, board):
        assert boards.get(board.name.replace("_", "-")) is board

    def test_device_and_pins_come_from_the_platform(self, board):
        assert board.device in DEVICES.values()
        assert [pin.port for pin in board.pins] == ["clk", "rx", "tx", "led"]
        assert len({pin.site for pin in board.pins}) == 4

    def test_programmers_are_known_tools(self, board):
        assert board.programmers
        assert all(programmer.tool in KNOWN for programmer in board.programmers)

    def test_every_pin_is_constrained_once(self, board):
        text = constraints.pcf(board) if board.device.family == "ice40" else constraints.lpf(board)
        for pin in board.pins:
            place = f"{pin.port} {pin.site}" if board.device.family == "ice40" else f'"{pin.port}" SITE "{pin.site}"'
            assert text.count(place) == 1


def test_icebreaker_is_its_schematic():
    board = boards.get("icebreaker")
    assert (board.device.name, board.package, board.oscillator_mhz) == ("up5k", "SG48", 12)
    assert {pin.port: (pin.site, pin.invert) for pin in board.pins} == {
        "clk": ("35", False), "rx": ("6", False), "tx": ("9", False), "led": ("11", True)}
    assert board.clock_is_pll_pad
    assert constraints.pcf(board) == ("set_io clk 35\nset_io -pullup yes rx 6\nset_io tx 9\nset_io led 11\n")


def test_hx8k_oscillator_is_no_pll_pad():
    assert not boards.get("ice40_hx8k_b_evn").clock_is_pll_pad


def test_ulx3s_constraints_carry_the_buffers_settings():
    assert constraints.lpf(boards.get("ulx3s_85f")).splitlines()[:2] == [
        'LOCATE COMP "clk" SITE "G2";', 'IOBUF PORT "clk" IO_TYPE=LVCMOS33;']
    assert 'FREQUENCY PORT "clk" 25 MHZ;' in constraints.lpf(boards.get("ulx3s_85f"))


class TestImportPath:
    def test_ice40(self):
        board = boards.get("amaranth_boards.icestick:ICEStickPlatform")
        assert (board.name, board.device.name, board.default_clock_mhz) == ("ICEStickPlatform", "hx1k", 12)

    def test_ecp5(self):
        board = boards.get("amaranth_boards.icepi_zero:IcepiZero1_3Platform")
        assert (board.device.name, board.oscillator_mhz, board.speed) == ("ecp5-25f", 50, "6")

    @pytest.mark.parametrize("path,what", [
        ("amaranth_boards.nowhere:Platform", "No module named"),
        ("amaranth_boards.icestick:Nothing", "no attribute 'Nothing'"),
        ("os:path", "not callable"),
        ("amaranth_boards.arty_a7:ArtyA7_35Platform", "device must be one of up5k, .*, but it is xc7a35ti"),
        ("amaranth_boards.upduino_v3:UpduinoV3Platform", "must have an oscillator"),
        ("amaranth_boards.fomu_pvt:FomuPVTPlatform", "must have a UART"),
    ])
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
    assert isinstance(board, Board)
    assert board.default_clock_mhz == 12
