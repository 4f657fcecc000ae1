"""Gowin's cells as text: the pins of a block RAM before and after placement, and what is refused."""

import re

import pytest

from sbgen.boards import netlist_verilog
from sbgen.boards.families import FAMILIES
from sbgen.boards.netlist_verilog import UnknownCellError


def text_of(kind, parameters, connections):
    """The Verilog of a netlist with one cell."""
    netlist = {
        "ports": {"clk": {"direction": "input", "bits": [1]}},
        "netnames": {},
        "cells": {
            "cell": {"type": kind, "parameters": parameters, "attributes": {}, "connections": connections}
        },
    }
    return netlist_verilog.verilog(netlist, family=FAMILIES["gowin"])


def binary(value):
    return f"{value:032b}"


def pins_of(text):
    """The pins of the block RAM and its parameters."""
    (instance,) = re.findall(r"^  gowin_ram (#\(.*) cell_\d+ (\(.*\));$", text, re.MULTILINE)
    return dict(re.findall(r"\.(\w+)\(([^()]*)\)", instance[0] + instance[1]))


@pytest.mark.parametrize(("width", "first"), [(4, 18), (9, 18), (18, 18), (36, 0)])
def test_a_placed_block_ram_is_read_at_its_upper_half_where_it_is_narrow(width, first):
    connections = {f"DO{n}": [100 + n] for n in range(36)} | {f"ADB{n}": [200 + n] for n in range(14)}
    parameters = {"BIT_WIDTH_0": binary(width), "BIT_WIDTH_1": binary(width)}
    pins = pins_of(text_of("SDP", parameters, connections))
    assert pins["q"] == "{" + ", ".join(f"n{100 + first + n}" for n in reversed(range(width))) + "}"
    assert pins["ad_r"] == "{" + ", ".join(f"n{200 + n}" for n in reversed(range(14))) + "}"
    assert pins["WIDTH"] == str(width) and pins["ce_r"] == "1'b0"


@pytest.mark.parametrize(("kind", "width", "size"), [("SDPB", 4, 32), ("SDPX9B", 9, 36)])
def test_a_synthesised_one_at_its_lowest_bits(kind, width, size):
    parameters = {"BIT_WIDTH_0": binary(width), "BIT_WIDTH_1": binary(width)}
    pins = pins_of(text_of(kind, parameters, {"DO": list(range(100, 100 + size)), "ADB": [*range(200, 214)]}))
    assert pins["q"] == "{" + ", ".join(f"n{100 + n}" for n in reversed(range(width))) + "}"
    assert pins["ad_r"].startswith("{n213, ")


def test_contents_leave_out_the_ninth_bit_of_narrow_words():
    row = "1" * 256
    for width, init in ((4, sum(0xFF << 9 * n for n in range(32)) << 9 * 32), (9, (1 << 256) - 1 << 288)):
        parameters = {
            "BIT_WIDTH_0": binary(width),
            "BIT_WIDTH_1": binary(width),
            "INIT_RAM_01": row if width == 4 else "0" * 32 + row,
        }
        assert pins_of(text_of("SDP", parameters, {}))["INIT"] == f"18432'h{init:x}"


def test_an_adder_of_which_place_and_route_knows_an_input_has_its_table():
    connections = {"I1": [10], "CIN": [11], "SUM": [12], "COUT": [13]}
    whole = text_of("ALU", {"ALU_MODE": binary(2)}, connections | {"I0": ["1"], "I3": ["1"]})
    known = text_of("ALU", {"ALU_MODE": binary(2), "RAW_ALU_LUT": binary(0x303F)}, connections)
    assert "assign n12 = " in whole and whole != known
    # The third input is 1, so bits 2 and 3 of this table count: 1 for 0, 0 for 1, the complement of n10.
    assert "assign n12 = ((8'h47 >> {1'b0, 1'b1, n10}) & 1'b1) ^ n11;" in known


@pytest.mark.parametrize(
    ("kind", "parameters", "what"),
    [
        ("SDP", {"BIT_WIDTH_0": binary(18), "BIT_WIDTH_1": binary(9)}, "of the widths 18 and 9"),
        ("SDP", {"BIT_WIDTH_0": binary(16), "BIT_WIDTH_1": binary(16)}, "of the widths 16 and 16"),
        (
            "SDP",
            {"BIT_WIDTH_0": binary(9), "BIT_WIDTH_1": binary(9), "READ_MODE": "1"},
            "with an output register",
        ),
        ("ALU", {"ALU_MODE": binary(9)}, "an adder of the mode 0*1001"),
        ("DPX9B", {}, "cell is a DPX9B"),
        ("DFFP", {}, "cell is a DFFP"),
    ],
)
def test_what_is_not_known_is_refused(kind, parameters, what):
    with pytest.raises(UnknownCellError, match=what):
        text_of(kind, parameters, {})
