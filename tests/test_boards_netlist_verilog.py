"""Netlists as Verilog; that what it means is what the cells do is shown by benches in sim/ and by `sbgen
verify`.
"""

import itertools
import random
import re

import pytest

from sbgen.boards import netlist_verilog
from sbgen.boards.families import FAMILIES
from sbgen.boards.ice40 import ICE40


class TestNetlistVerilog:
    """A counter of two bits that rx enables and whose carry goes to tx, as each family of cells has it."""

    def netlist(self, cells):
        return {
            "ports": {
                "clk": {"direction": "input", "bits": [2]},
                "rx": {"direction": "input", "bits": [3]},
                "tx": {"direction": "output", "bits": [9]},
            },
            "netnames": {"count": [4, 5]},
            "cells": {
                str(n): {"type": kind, "parameters": parameters, "connections": connections}
                for n, (kind, parameters, connections) in enumerate(cells)
            },
        }

    def test_logic_registers_and_carry(self):
        text = netlist_verilog.verilog(
            self.netlist(
                [
                    (
                        "SB_LUT4",
                        {"LUT_INIT": "0110011001100110"},
                        {"I0": [4], "I1": [5], "I2": ["0"], "I3": ["x"], "O": [6]},
                    ),
                    ("SB_DFFESR", {}, {"C": [2], "E": [3], "R": [7], "D": [6], "Q": [5]}),
                    ("SB_CARRY", {}, {"I0": [4], "I1": [5], "CI": ["1"], "CO": [9]}),
                ]
            ),
            family=ICE40,
            names=True,
        )
        assert "assign n6 = 4'h6 >> {n5, n4};" in text
        assert "always @(posedge n2) if (n3) n5 <= n7 ? 1'b0 : n6;" in text
        assert "assign n9 = n4 & n5 | (n4 | n5) & 1'b1;" in text
        assert "assign tx = n9;" in text and "assign n3 = rx;" in text

    def test_placed_cells(self):
        text = netlist_verilog.verilog(
            self.netlist(
                [
                    (
                        "ICESTORM_LC",
                        {
                            "LUT_INIT": "1" * 16,
                            "DFF_ENABLE": "1",
                            "SET_NORESET": "1",
                            "CARRY_ENABLE": "1",
                            "CIN_CONST": "1",
                            "CIN_SET": "1",
                        },
                        {"I1": [4], "I2": [5], "CLK": [2], "CEN": [], "SR": [7], "O": [8], "COUT": [9]},
                    ),
                    ("SB_GB", {}, {"GLOBAL_BUFFER_OUTPUT": [2], "USER_SIGNAL_TO_GLOBAL_BUFFER": []}),
                ]
            ),
            family=ICE40,
        )
        assert "always @(posedge n2) n8 <= n7 ? 1'b1 : (1'b1) & 1'b1;" in text
        assert "assign n2 = clk;" in text and "assign n9 = n4 & n5 | (n4 | n5) & 1'b1;" in text

    def test_unknown_cell(self):
        with pytest.raises(
            netlist_verilog.UnknownCellError, match="all its cells are known, but 0 is a SB_MAC16"
        ):
            netlist_verilog.verilog(self.netlist([("SB_MAC16", {}, {})]), family=ICE40)


def cell(**pins):
    """An iCE40's logic cell between the pins ``a`` ... ``d`` and ``o``."""
    ports = {
        name: {"direction": "output" if name == "o" else "input", "bits": [number]}
        for number, name in enumerate("abcdo", start=2)
    }
    bits = {name: port["bits"][0] for name, port in ports.items()}
    return {
        "ports": ports,
        "netnames": {},
        "cells": {
            "cell": {
                "type": "ICESTORM_LC",
                "attributes": {},
                "parameters": {"LUT_INIT": f"{pins.pop('table'):016b}"},
                "connections": {pin: [bits[name]] for pin, name in pins.items()},
            }
        },
    }


def expression(netlist):
    """What is assigned to the cell's output, and the nets in it."""
    (text,) = re.findall(r"assign n6 = (.*);", netlist_verilog.verilog(netlist, family=ICE40))
    return text, set(re.findall(r"n\d+", text))


@pytest.mark.parametrize("table", [0x0000, 0xFFFF, 0x00FF, 0xAAAA, 0x6666, 0x8CE1, 0x0FF0, 0xFFFE])
def test_a_table_says_what_its_inputs_do(table):
    text, nets = expression(cell(table=table, I0="a", I1="b", I2="c", I3="d", O="o"))
    names = [f"n{n}" for n in range(2, 6)]
    for values in itertools.product((0, 1), repeat=4):
        contents, _, inputs = text.partition(" >> ")
        number = int(contents.split("'")[1][1:], 16)
        # The first in a concatenation is the highest.
        at = sum(
            dict(zip(names, values, strict=True))[net] << n
            for n, net in enumerate(reversed(re.findall(r"n\d+", inputs)))
        )
        assert number >> at & 1 == table >> sum(value << n for n, value in enumerate(values)) & 1, (
            text,
            values,
        )
    for n, name in enumerate(names):
        depends = any((table >> at ^ table >> (at ^ 1 << n)) & 1 for at in range(16))
        assert (name in nets) == depends


def test_a_cell_whose_output_is_at_a_pin_that_its_table_leaves_aside():
    # As nextpnr packs an inverter before a carry: a simulator would never find out of what is undefined.
    _, nets = expression(cell(table=0x00FF, I1="a", I2="o", I3="d", O="o"))
    assert nets == {"n5"}


def every_cell(family, rng):
    """A netlist with each kind of cell of a family, each pin on a net of its own."""
    bits = itertools.count(2)

    def pins(**widths):
        return {name: [next(bits) for _ in range(width)] for name, width in widths.items()}

    def numbered(prefix, width):
        return {f"{prefix}{n}": 1 for n in range(width)}

    table = f"{rng.getrandbits(16):016b}"
    if family == "ice40":
        ram = {"RCLK": 1, "RE": 1, "RCLKE": 1, "WCLK": 1, "WE": 1, "WCLKE": 1}
        cells = [
            ("SB_LUT4", {"LUT_INIT": table}, pins(I0=1, I1=1, I2=1, I3=1, O=1)),
            ("SB_CARRY", {}, pins(I0=1, I1=1, CI=1, CO=1)),
            *[
                (f"SB_DFF{kind}", {}, pins(C=1, E=1, R=1, S=1, D=1, Q=1))
                for kind in ("", "E", "SR", "ESS", "N")
            ],
            (
                "ICESTORM_LC",
                {"LUT_INIT": table, "DFF_ENABLE": "1", "CARRY_ENABLE": "1"},
                pins(I0=1, I1=1, I2=1, I3=1, CIN=1, CLK=1, O=1, COUT=1),
            ),
            ("ICESTORM_LC", {"LUT_INIT": table}, pins(I0=1, I1=1, I2=1, I3=1, LO=1)),
            ("SB_GB", {}, pins(GLOBAL_BUFFER_OUTPUT=1)),
            ("SB_RAM40_4K", {}, pins(**ram, RADDR=11, WADDR=11, WDATA=16, MASK=16, RDATA=16)),
            (
                "ICESTORM_RAM",
                {},
                pins(
                    **ram,
                    **numbered("RADDR_", 11),
                    **numbered("WADDR_", 11),
                    **numbered("WDATA_", 16),
                    **numbered("RDATA_", 7),
                ),
            ),
            (
                "ICESTORM_RAM",
                {},
                {
                    "RADDR": [],
                    "WADDR": [],
                    **pins(**ram, **numbered("RADDR_", 11), **numbered("WADDR_", 11), WDATA=1, RDATA=16),
                },
            ),
            (
                "SB_SPRAM256KA",
                {},
                pins(CLOCK=1, CHIPSELECT=1, WREN=1, ADDRESS=14, DATAIN=16, MASKWREN=4, DATAOUT=16),
            ),
            (
                "ICESTORM_SPRAM",
                {},
                pins(
                    CLOCK=1,
                    CHIPSELECT=1,
                    WREN=1,
                    **numbered("ADDRESS_", 14),
                    **numbered("DATAIN_", 16),
                    **numbered("DATAOUT_", 16),
                ),
            ),
            ("ICESTORM_SPRAM", {}, pins(CLOCK=1, CHIPSELECT=1, WREN=1, **numbered("DATAOUT_", 3))),
            ("ICESTORM_PLL", {}, pins(PLLOUT_A=1, LOCK=1)),
        ]
    else:
        cells = [
            ("LUT4", {"INIT": table}, pins(A=1, B=1, C=1, D=1, Z=1)),
            (
                "CCU2C",
                {"INIT0": table, "INIT1": table},
                pins(**{f"{pin}{n}": 1 for pin in "ABCDS" for n in range(2)}, CIN=1, COUT=1),
            ),
            ("TRELLIS_FF", {"REGSET": "SET"}, pins(CLK=1, CE=1, LSR=1, DI=1, Q=1)),
            ("TRELLIS_COMB", {"INITVAL": table, "MODE": "CCU2"}, pins(A=1, B=1, C=1, D=1, FCI=1, F=1, FCO=1)),
            ("TRELLIS_COMB", {"INITVAL": table}, pins(A=1, B=1, C=1, D=1, F=1)),
            (
                "DP16KD",
                {},
                {
                    "RSTA": ["0"],
                    "RSTB": ["0"],
                    **pins(
                        CLKA=1,
                        CLKB=1,
                        CEA=1,
                        CEB=1,
                        WEA=1,
                        **{
                            f"{pin}{port}{n}": 1
                            for pin, width in (("AD", 14), ("DI", 18), ("DO", 18))
                            for port in "AB"
                            for n in range(width)
                        },
                    ),
                },
            ),
            ("EHXPLLL", {}, pins(CLKOP=1, LOCK=1)),
        ]
    return {
        "ports": {"clk": {"direction": "input", "bits": [next(bits)]}},
        "netnames": {},
        "cells": {
            str(n): {"type": kind, "parameters": parameters, "connections": connections}
            for n, (kind, parameters, connections) in enumerate(cells)
        },
    }


@pytest.mark.parametrize("family", ["ice40", "ecp5"])
@pytest.mark.parametrize("seed", range(3))
def test_what_is_driven_is_declared_as_what_drives_it(family, seed):
    """A register where it is clocked, else a wire; once; and a port gets as many bits as it has."""
    print(f"seed {seed}")
    netlist = every_cell(family, random.Random(seed))
    text = netlist_verilog.verilog(netlist, family=FAMILIES[family])
    top, _, rest = text.partition("endmodule")
    declared = re.findall(r"^  (wire|reg) (\w+)(?: = [01])?;", top, re.MULTILINE)
    kinds = {net: kind for kind, net in declared}
    assert len(kinds) == len(declared)
    clocked = re.findall(r"^  always .*?\b(\w+) <= ", top, re.MULTILINE)
    driven = re.findall(r"^  assign (\w+) = ", top, re.MULTILINE)
    outputs, ports = [], {}
    for module, body in re.findall(
        r"^module (\w+).*?\n?\s*(?:\) )?\(((?:(?! = 0)[^;])*?)\);$", rest, re.MULTILINE | re.DOTALL
    ):
        width, direction = 1, None
        for each in re.split(r",\s*", body.strip()):
            found = re.match(r"\s*(?:(input|output(?: reg)?) )?(?:\[(\d+):0\] )?(\w+)$", each)
            if found[1]:
                direction, width = found[1], 1
            width = int(found[2]) + 1 if found[2] else width
            ports[module, found[3]] = direction, width
    for module, pins in re.findall(r"^  (\w+_s?p?ram) #\(.*?\) cell_\d+ \((.*)\);$", top, re.MULTILINE):
        for pin, value in re.findall(r"\.(\w+)\((.*?)\)(?:, |$)", pins):
            direction, width = ports[module, pin]
            nets = value.strip("{}").split(", ")
            assert len(nets) == width, (module, pin)
            if direction != "input":
                outputs += nets
    assert clocked and driven and outputs
    assert {kinds[net] for net in clocked} == {"reg"} and {kinds[net] for net in driven + outputs} == {"wire"}
    for each in netlist["cells"].values():
        if "RAM" in each["type"] or each["type"] == "DP16KD":
            assert all(
                re.search(rf"\bn{bit}\b", top)
                for bits in each["connections"].values()
                for bit in bits
                if isinstance(bit, int)
            ), each
    assert len({*clocked, *driven, *outputs}) == len(clocked) + len(driven) + len(outputs) == len(kinds)
