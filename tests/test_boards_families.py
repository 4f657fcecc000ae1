"""Every device family offers all that the rest asks of one, and one that is unknown is an error."""

import dataclasses
import re

import pytest

from sbgen import boards
from sbgen.boards import bitstream, families
from sbgen.boards.converter import Command, Converter
from sbgen.boards.families import FAMILIES
from sbgen.boards.family import Family
from sbgen.boards.layout import Layout
from sbgen.boards.pll import Pll
from sbgen.compiler.device import DEVICES, FABRICS
from sbgen.errors import BoardError, ToolError
from sbgen.tools import KNOWN
from sbgen.tools.families import FAMILY_TOOLS

#: A board of each family.
BOARDS = {"ice40": "icebreaker", "ecp5": "ulx3s_85f", "gowin": "tang_nano_9k"}

#: An unpacked bitstream with nothing in it.
EMPTY = {"ice40": ".device 5k\n", "ecp5": ".device LFE5U-85F\n", "gowin": ".header\n"}


def test_families_are_those_of_the_devices():
    assert set(FAMILIES) == {device.family for device in DEVICES.values()} == set(FABRICS) == set(BOARDS)
    assert all(families.get(name) is family and str(family) == name for name, family in FAMILIES.items())


@pytest.mark.parametrize("name", ["gatemate", "", "ICE40"])
def test_a_family_that_is_not_there_names_those_that_are(name):
    with pytest.raises(BoardError, match=f"^unknown device family '{name}': known are ice40, ecp5, gowin$"):
        families.get(name)


def test_a_board_with_a_device_of_an_unknown_family_is_refused(monkeypatch):
    board = boards.get("icebreaker")
    foreign = dataclasses.replace(board.device, family="gatemate")
    monkeypatch.setitem(DEVICES, board.device.name, foreign)
    with pytest.raises(BoardError, match="unknown device family 'gatemate'"):
        board.family  # noqa: B018


def test_tools_are_those_of_the_families():
    assert {name: tools.title for name, tools in FAMILY_TOOLS.items()} == {
        name: family.title for name, family in FAMILIES.items()
    }
    for name, tools in FAMILY_TOOLS.items():
        assert all(known.remedy == f"pip install 'sbgen[{name}]'" for known in tools.known)
        assert {check.tool for check in tools.checks} <= {"yosys", *(known.program for known in tools.known)}
        assert tools.checks[-1].writes == FAMILIES[name].bitstream_file


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
class TestEveryFamily:
    def test_its_parts_are_what_they_must_be(self, family):
        assert issubclass(family.layout, Layout) and issubclass(family.pll, Pll)
        for converter in family.packer, family.unpacker:
            assert isinstance(converter, Converter) and converter.name
            if isinstance(converter, Command):
                assert converter.name in KNOWN
                arguments = converter.arguments("a", "b")
                assert {"a", "b"} <= set(arguments) and "{" not in str(arguments)
        assert family.bitstream_file.endswith(family.bitstream_suffix) and family.bitstream_suffix[0] == "."
        assert {"lut", "bram"} <= set(family.resource_cells)
        assert ("ff" in family.resource_cells) != bool(family.flip_flops)

    def test_its_board_is_of_it_and_constrained(self, family):
        board = boards.get(BOARDS[family.name])
        assert board.family is family
        text = family.constraints(board, board.pins[:1])
        assert board.pins[0].site in text and board.pins[1].port not in text.split()

    def test_its_pll_makes_a_clock(self, family):
        assert abs(family.pll.nearest(oscillator_mhz=25, clock_mhz=50).clock_mhz - 50) < 1

    def test_its_plan_has_every_step(self, family):
        board = boards.get(BOARDS[family.name])
        try:
            plan = family.plan(
                "module top; endmodule",
                board,
                clock_mhz=30,
                margin=0.1,
                seeds=(1, 7),
                pins=None,
                patchable=False,
            )
        except ToolError as error:
            pytest.skip(str(error))
        assert plan.board is board and plan.files["top.v"] == "module top; endmodule"
        assert [step.seed for step in plan.placements] == [1, 7]
        written = set(plan.files) | {name for step in plan.steps for name in step.writes}
        # What is packed is the layout, or the placed netlist, of the seed that is taken, under another name.
        assert {name for step in plan.steps[:-1] for name in step.reads} <= written
        layouts = len(plan.placements[0].writes) == 3
        assert plan.packing.reads == ((family.layout_file,) if layouts else ("placed.json",))
        assert plan.packing.writes == (family.bitstream_file,)
        assert plan.bitstream == family.bitstream_file
        assert all(re.search(r"\b33\b", " ".join(step.args)) for step in plan.placements)

    def test_its_cells_have_their_modules(self, family):
        for path in family.cells.modules, family.cells.plls:
            text = path.read_text(encoding="ascii")
            assert text.count("\nmodule ") == text.count("\nendmodule") > 0
        assert family.cells.meaning(family.block_rams.cell) is not None
        assert family.cells.meaning("nothing") is None

    def test_words_of_any_width_use_bits_of_a_block_ram_once(self, family):
        for width, depth in FABRICS[family.name].bram_shapes:
            usable = family.block_rams.usable(width)
            assert len(set(usable.tolist())) == len(usable) >= width * depth
            assert 0 <= usable.min() and usable.max() < family.block_rams.bits

    def test_bits_of_layouts_are_compared(self, family):
        text = EMPTY[family.name]
        sections = family.layout(text).sections()
        assert sections and family.layout(text).blocks == () and family.layout(text).block_rams() == {}
        (header,) = sections
        assert family.differences(header, [], []) == ([], 1)
        ((difference,), _) = family.differences(header, [], None)
        assert (difference.expected, difference.found) == ("present", "nothing")

    def test_a_file_that_is_no_bitstream_is_refused(self, family, tmp_path):
        (tmp_path / "top").write_bytes(b"no bitstream")
        try:
            with pytest.raises(BoardError, match=f"must be a bitstream of {family.name}, but "):
                bitstream.unpack(tmp_path / "top", family=family)
        except ToolError as error:
            pytest.skip(str(error))


def test_only_tables_without_a_choice_are_optional():
    """What a family may lack is said by its type: everything else has no default."""
    optional = {each.name for each in dataclasses.fields(Family) if each.default is not dataclasses.MISSING}
    assert optional == {
        "clock_buffer",
        "differential_clock",
        "compared_with",
        "flip_flops",
        "patchable_luts",
        "to_verilog",
        "truth_tables",
        "usb",
        "without_pll",
    }
