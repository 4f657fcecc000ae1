"""FPGAs without a board: by name, and by what they have.

``python tests/test_parts_without_board.py`` writes their table into docs/parts.md.
"""

import json
from pathlib import Path

import pytest

from sbgen import cli, target
from sbgen.compiler.device import DEVICES
from sbgen.compiler.estimate import estimate
from sbgen.compiler.fold import fold
from sbgen.compiler.parts import part, part_names
from sbgen.compiler.shipped import FOLDER
from sbgen.compiler.vendor_devices import VENDOR_DEVICES
from sbgen.errors import BoardError

PAGE = Path(__file__).parent.parent / "docs" / "parts.md"
MARKS = ("<!-- the table of tests/test_parts_without_board.py -->\n", "<!-- its end -->")


def table():
    rows = ["| part | LUT | flip-flops | block RAM | of | LUTs counted as |", "|---|---|---|---|---|---|"]
    for device in map(part, part_names()):
        width, depth = max(device.fabric.bram_shapes)
        kbit = f"{width * depth / 1024:g} kbit"
        costs = {"lut6": "LUT6", "ecp5": "ECP5", "ice40": "iCE40", "gowin": "Gowin"}[device.costs]
        rows.append(
            f"| {device.name} | {device.lut:,} | {device.ff:,} | {device.bram:,} | {kbit} | {costs} |"
        )
    return "\n".join(rows) + "\n"


def test_the_table_of_the_page():
    assert PAGE.read_text().partition(MARKS[0])[2].partition(MARKS[1])[0] == table()


@pytest.mark.parametrize("name", part_names())
def test_every_part_has_costs_and_no_link(name):
    device = part(name)
    assert device.name == name and not device.host_link and device.costs in ("ice40", "ecp5", "gowin", "lut6")
    assert part(device.part.upper()) == device


@pytest.mark.parametrize("code, name", [("XC7Z020CLG400-1", "xc7z020"), ("gw5a-25LV", "gw5a-25")])
def test_an_ordering_code(code, name):
    assert part(code).name == name


def test_numbers_are_those_of_a_known_part():
    known, described = part("xc7z020"), part("lut6=53200, bram36=140")
    for name in "lut", "ff", "bram", "fabric", "costs":
        assert getattr(known, name) == getattr(described, name), name
    assert part("lut4=100,ff=7,bram9=3").ff == 7 and part("lut4=100,bram9=3").ff == 100
    assert part("lut4=5280,bram4=30").fabric.bram_shapes == DEVICES["up5k"].fabric.bram_shapes
    assert part("lut4=1,bram18=2").bram == part("lut4=1,bram36=1").bram == 2


@pytest.mark.parametrize(
    "text, said",
    [
        ("lut6=100", "number of block RAMs as one of bram4, .* has none"),
        ("bram36=100", "number of LUTs as one of lut4, lut6 .* has none"),
        ("lut6=0,bram36=1", "number of LUTs"),
        ("lut4=1,lut6=1,bram9=1", "lut4 and lut6"),
        ("lut4=1,bram9=1,bram18=1", "bram9 and bram18"),
        ("lut4=1,bram9=1,bram9=1", "each once"),
        ("lut6=many,bram36=1", "lut6=many"),
        ("lut6=1,bram36=1,dsp=3", "dsp=3"),
        ("lut6=1,bram36=", "bram36="),
        ("lut6=1,,bram36=1", "but has ''"),
        ("xc7z02", "such as xc7z020"),
        ("", "must be one of the parts"),
    ],
)
def test_refused_in_one_line(text, said):
    with pytest.raises(BoardError, match=said) as error:
        part(text)
    assert "\n" not in str(error.value) and len(str(error.value)) < 300


def test_six_inputs_hold_four_times_the_rom():
    from sbgen.compiler.estimate import _rom_luts

    assert _rom_luts(64) == 2.3 * 4 and _rom_luts(64, inputs=6) == 1


class TestCommand:
    def test_the_core_alone(self, capsys):
        assert (
            cli.main(["estimate", "--model", "digits", "--part", "xc7z020", "--fps", "100000", "--json"]) == 0
        )
        found = json.loads(capsys.readouterr().out)
        from sbgen import network_cache

        network = network_cache.load(FOLDER / "digits.json")
        design = fold(network, part("xc7z020"), cycles=1000)
        expected = estimate(design, VENDOR_DEVICES["xc7z020"], host_link=False)
        assert {name: each["used"] for name, each in found["resources"].items()} == {
            name: expected[name] for name in ("lut", "ff", "bram")
        }
        assert found["resources"]["lut"]["available"] == 53200
        assert found["clock_mhz"] == 100 and found["host_link"] is False
        assert found["images_per_second"] == 100e6 / found["cycles"] >= 100000
        assert [layer["name"] for layer in found["layers"]] == [layer.name for layer in network.layers]
        assert found["lut_range"][0] < found["resources"]["lut"]["used"] * 1.1 < 2 * found["lut_range"][1]

    def test_in_words_it_is_said_to_be_an_estimate(self, capsys):
        options = ["--part", "lut4=8000,bram18=40", "--clock", "50", "--fps", "5000"]
        assert cli.main(["estimate", "--model", "digits", *options]) == 0
        shown = capsys.readouterr().out
        assert "Estimates for a part without a board: the core alone, and 50 MHz is assumed" in shown

    def test_the_curve(self, capsys):
        options = ["--part", "lut4=4000,bram18=20", "--fit", "--json"]
        assert cli.main(["estimate", "--model", "digits", *options]) == 0
        curve = json.loads(capsys.readouterr().out)
        cycles = [each["cycles"] for each in curve]
        assert len(curve) > 2 and cycles == sorted(cycles)

    def test_a_board_or_a_part(self, capsys):
        for options in ([], ["--board", "icebreaker", "--part", "xc7z020"]):
            with pytest.raises(SystemExit):
                cli.main(["estimate", "--model", "digits", *options])
        assert "not allowed with argument" in capsys.readouterr().err

    def test_nothing_to_patch(self, capsys):
        assert cli.main(["estimate", "--model", "digits", "--part", "xc7z020", "--patchable"]) == 1
        said = capsys.readouterr().err
        assert "xc7z020 is a part without one" in said and "name a --board" in said


def test_boards_that_are_larger_come_by_size():
    sizes = [each.device.lut for each in target.larger(target.of_board("icebreaker"))]
    assert sizes == sorted(sizes) and sizes[0] > DEVICES["up5k"].lut


if __name__ == "__main__":
    before, _, rest = PAGE.read_text().partition(MARKS[0])
    PAGE.write_text(before + MARKS[0] + table() + MARKS[1] + rest.partition(MARKS[1])[2])
