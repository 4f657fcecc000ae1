"""Netlists as Verilog; that what it means is what the cells do is shown by benches in sim/ and by `sbgen verify`."""

import itertools
import re

import pytest

from sbgen.boards import netlist_verilog


class TestNetlistVerilog:
    """A counter of two bits that rx enables and whose carry goes to tx, as each family of cells has it."""

    def netlist(self, cells):
        return {"ports": {"clk": {"direction": "input", "bits": [2]}, "rx": {"direction": "input", "bits": [3]},
                          "tx": {"direction": "output", "bits": [9]}}, "netnames": {"count": [4, 5]},
                "cells": {str(n): {"type": kind, "parameters": parameters, "connections": connections}
                          for n, (kind, parameters, connections) in enumerate(cells)}}

    def test_logic_registers_and_carry(self):
        text = netlist_verilog.verilog(self.netlist([
            ("SB_LUT4", {"LUT_INIT": "0110011001100110"}, {"I0": [4], "I1": [5], "I2": ["0"], "I3": ["x"], "O": [6]}),
            ("SB_DFFESR", {}, {"C": [2], "E": [3], "R": [7], "D": [6], "Q": [5]}),
            ("SB_CARRY", {}, {"I0": [4], "I1": [5], "CI": ["1"], "CO": [9]})]), family="ice40", names=True)
        assert "assign n6 = 4'h6 >> {n5, n4};" in text
        assert "always @(posedge n2) if (n3) n5 <= n7 ? 1'b0 : n6;" in text
        assert "assign n9 = n4 & n5 | (n4 | n5) & 1'b1;" in text
        assert "assign tx = n9;" in text and "assign n3 = rx;" in text

    def test_placed_cells(self):
        text = netlist_verilog.verilog(self.netlist([
            ("ICESTORM_LC", {"LUT_INIT": "1" * 16, "DFF_ENABLE": "1", "SET_NORESET": "1", "CARRY_ENABLE": "1", "CIN_CONST": "1", "CIN_SET": "1"},
             {"I1": [4], "I2": [5], "CLK": [2], "CEN": [], "SR": [7], "O": [8], "COUT": [9]}),
            ("SB_GB", {}, {"GLOBAL_BUFFER_OUTPUT": [2], "USER_SIGNAL_TO_GLOBAL_BUFFER": []})]), family="ice40")
        assert "always @(posedge n2) n8 <= n7 ? 1'b1 : (1'b1) & 1'b1;" in text
        assert "assign n2 = clk;" in text and "assign n9 = n4 & n5 | (n4 | n5) & 1'b1;" in text

    def test_unknown_cell(self):
        with pytest.raises(netlist_verilog.UnknownCellError, match="all its cells are known, but 0 is a SB_MAC16"):
            netlist_verilog.verilog(self.netlist([("SB_MAC16", {}, {})]), family="ice40")


def cell(**pins):
    """An iCE40's logic cell between the pins ``a`` ... ``d`` and ``o``."""
    ports = {name: {"direction": "output" if name == "o" else "input", "bits": [number]} for number, name in enumerate("abcdo", start=2)}
    bits = {name: port["bits"][0] for name, port in ports.items()}
    return {"ports": ports, "netnames": {}, "cells": {"cell": {
        "type": "ICESTORM_LC", "attributes": {}, "parameters": {"LUT_INIT": f"{pins.pop('table'):016b}"},
        "connections": {pin: [bits[name]] for pin, name in pins.items()}}}}


def expression(netlist):
    """What is assigned to the cell's output, and the nets in it."""
    text, = re.findall(r"assign n6 = (.*);", netlist_verilog.verilog(netlist, family="ice40"))
    return text, set(re.findall(r"n\d+", text))


@pytest.mark.parametrize("table", [0x0000, 0xffff, 0x00ff, 0xaaaa, 0x6666, 0x8ce1, 0x0ff0, 0xfffe])
def test_a_table_says_what_its_inputs_do(table):
    text, nets = expression(cell(table=table, I0="a", I1="b", I2="c", I3="d", O="o"))
    names = [f"n{n}" for n in range(2, 6)]
    for values in itertools.product((0, 1), repeat=4):
        contents, _, inputs = text.partition(" >> ")
        number = int(contents.split("'")[1][1:], 16)
        # The first in a concatenation is the highest.
        at = sum(dict(zip(names, values, strict=True))[net] << n for n, net in enumerate(reversed(re.findall(r"n\d+", inputs))))
        assert number >> at & 1 == table >> sum(value << n for n, value in enumerate(values)) & 1, (text, values)
    for n, name in enumerate(names):
        depends = any((table >> at ^ table >> (at ^ 1 << n)) & 1 for at in range(16))
        assert (name in nets) == depends


def test_a_cell_whose_output_is_at_a_pin_that_its_table_leaves_aside():
    # As nextpnr packs an inverter before a carry: a simulator would never find out of what is undefined.
    _, nets = expression(cell(table=0x00ff, I1="a", I2="o", I3="d", O="o"))
    assert nets == {"n5"}
