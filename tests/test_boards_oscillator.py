"""Boards whose clock is an oscillator in the FPGA, and packages without a PLL."""

import re
from types import SimpleNamespace

import pytest

from sbgen import boards
from sbgen.boards import harness, netlist_verilog, simulated
from sbgen.boards.board_spec import BoardSpec
from sbgen.boards.ice40 import icebox
from sbgen.boards.ice40.oscillator import HighFrequencyOscillator
from sbgen.errors import BoardError
from sbgen.hw.link_parameters import Parameters

LINK = Parameters(pixels=4, lanes=1, outputs=2, score_width=8)


def top_level(name):
    core = SimpleNamespace(ram_contents=())  # what a top level looks at of it
    return harness.Top(core=core, board=boards.get(name), link=LINK, digest=bytes(8))


@pytest.mark.parametrize(("divisor", "clock"), [(0, 48), (1, 24), (2, 12), (3, 6)])
def test_frequencies(divisor, clock):
    platform = SimpleNamespace(hfosc_div=divisor)
    assert HighFrequencyOscillator.of(platform).clock_mhz == clock


@pytest.mark.parametrize("settings", [{}, {"hfosc_div": 4}, {"hfosc_div": None}, {"hfosc_div": 0.5}])
def test_settings_that_it_does_not_have(settings):
    with pytest.raises(BoardError, match="hfosc_div must be 0 ... 3"):
        HighFrequencyOscillator.of(SimpleNamespace(**settings))


def test_top_level_has_no_clock_and_waits_for_it():
    board = boards.get("upduino_v3")
    top = top_level("upduino_v3")
    assert "clk" not in top.signature.members
    assert board.clock_margin == pytest.approx(0.13) and boards.get("icebreaker").clock_margin == 0.03
    assert top.clock_mhz == 48 and top.reset_cycles >= 48e6 * 100e-6
    assert [pin.port for pin in board.high_pins] == ["spi_flash_1x_cs"]
    assert top_level("icebreaker").reset_cycles == 1024


def test_the_same_board_with_its_crystal():
    board = boards.get("upduino_v3_12mhz")
    assert board.oscillator is None and board.pin("clk").site == "20" and board.oscillator_mhz == 12


TOP = """\
module top(rx, tx);
  input rx;
  output tx;
  wire oscillator_clk;
  SB_HFOSC #(
    .CLKHF_DIV("0b00")
  ) oscillator (
    .CLKHF(oscillator_clk),
    .CLKHFEN(1'h1),
    .CLKHFPU(1'h1)
  );
  assign tx = oscillator_clk & rx;
endmodule
"""


def test_simulators_drive_the_clock():
    text = simulated.top_level(TOP, board=boards.get("upduino_v3"))
    assert "SB_HFOSC" not in text and "module top(clk, rx, tx);\n  input clk;" in text
    assert re.search(r"^  assign oscillator_clk = clk;$", text, re.MULTILINE)
    # A top level with a clock stays as it is.
    assert simulated.top_level("module top(clk, rx);\n", board=boards.get("icebreaker")).startswith(
        "module top(clk, rx);\n"
    )


def test_netlists_get_a_clock():
    netlist = {
        "ports": {"tx": {"direction": "output", "bits": [2]}},
        "cells": {
            "osc": {
                "type": "ICESTORM_HFOSC",
                "parameters": {},
                "connections": {"CLKHF": [2]},
                "attributes": {},
                "port_directions": {},
            }
        },
        "netnames": {},
    }
    text = netlist_verilog.verilog(netlist, family=boards.get("upduino_v3").family)
    assert text.startswith("module top(output tx, input clk);") and "assign n2 = clk;" in text


def test_packages_without_a_pll():
    board = boards.get("amaranth_boards.nandland_go:NandlandGoPlatform")
    assert harness.clock_and_pll(board) == (25, None)
    with pytest.raises(BoardError, match="oscillator's 25 MHz, as its package has no PLL, but it is 48"):
        harness.clock_and_pll(board, 48)


def test_an_oscillator_that_is_not_known():
    class Slow(boards.get("upduino_v3").new_platform().__class__):
        default_clk = "SB_LFOSC"

    board = BoardSpec(name="slow", description="", platform="x:Slow", uart=("15", "14"))
    board.__dict__["_platform"] = Slow()
    object.__setattr__(board, "new_platform", Slow)
    with pytest.raises(BoardError, match="an oscillator on a pin of its own, or in the FPGA where"):
        board.pins  # noqa: B018


def test_bitstream_as_verilog_gets_a_clock():
    text = "module top (output led, input io_19_31_0, input rx);\nalways @(posedge io_19_31_0) n1 <= rx;\n"
    assert icebox._with_clock(text) == (
        "module top (output led, input clk, input rx);\nalways @(posedge clk) n1 <= rx;\n"
    )
