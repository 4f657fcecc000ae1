"""`sbgen.boards.configuration` on layouts of random bits, one of which is flipped."""

import random

import pytest

from sbgen.boards import configuration
from sbgen.boards.ecp5 import ECP5
from sbgen.boards.ice40 import ICE40

#: For each section of an iCE40's layout its columns and rows.
SECTIONS = {
    "logic_tile 3 5": (54, 16),
    "logic_tile 4 5": (54, 16),
    "io_tile 1 0": (18, 16),
    "ramb_tile 6 3": (42, 16),
    "ramt_tile 6 4": (42, 16),
    "ipcon_tile 0 21": (54, 16),
    "dsp0_tile 0 5": (54, 16),
    "dsp3_tile 25 8": (54, 16),
}


def ice40(rng):
    """A text of every kind of section, as a dict of header to rows."""
    made = {
        header: ["".join(rng.choice("01") for _ in range(width)) for _ in range(rows)]
        for header, (width, rows) in SECTIONS.items()
    }
    return (
        {"device 5k": []}
        | made
        | {"ram_data 6 3": [f"{rng.getrandbits(256):064x}" for _ in range(16)], "extra_bit 0 330 143": []}
    )


def text(sections, *, comment="placed"):
    return (
        f".comment {comment}\n"
        + "".join(
            f".{header}\n" + "".join(f"{row}\n" for row in rows) + "\n" for header, rows in sections.items()
        )
        + f".sym 5 {comment}\n"
    )


def compare(expected, found):
    return configuration.compare(text(expected), text(found, comment="unpacked"), family=ICE40)


class TestIce40:
    def test_equal_apart_from_comments_names_and_sections_of_zeros(self):
        placed = ice40(random.Random(1))
        unpacked = placed | {"ram_data 19 1": ["0" * 64] * 16, "logic_tile 9 9": ["0" * 54] * 16}
        bits = sum(width * rows for width, rows in SECTIONS.values()) + 4096
        assert compare(placed, placed) == ([], bits + 2)
        assert compare(placed, unpacked)[0] == [] and compare(unpacked, placed)[0] == []

    @pytest.mark.parametrize("header", [*SECTIONS, "ram_data 6 3"])
    def test_any_flipped_bit_is_named(self, header):
        seed = header
        rng = random.Random(seed)
        placed = ice40(rng)
        for _ in range(30):
            rows = list(placed[header])
            row, column = (
                rng.randrange(len(rows)),
                rng.randrange(256 if header.startswith("ram_data") else len(rows[0])),
            )
            if header.startswith("ram_data"):
                before = int(rows[row], 16) >> column & 1
                rows[row] = f"{int(rows[row], 16) ^ 1 << column:064x}"
            else:
                before = int(rows[row][column])
                rows[row] = rows[row][:column] + str(1 - before) + rows[row][column + 1 :]
            (found,), _ = compare(placed, placed | {header: rows})
            assert (found.where, found.expected, found.found) == (
                f"{header}, B{row}[{column}]",
                str(before),
                str(1 - before),
            ), f"seed {seed}"

    @pytest.mark.parametrize(
        ("header", "row", "column", "kind"),
        [
            ("logic_tile 3 5", 0, 36, "truth table"),
            ("logic_tile 3 5", 1, 43, "truth table"),
            ("logic_tile 3 5", 6, 44, "carry chain"),
            ("logic_tile 3 5", 6, 45, "flip-flop"),
            ("logic_tile 3 5", 7, 44, "flip-flop"),
            ("logic_tile 3 5", 7, 45, "flip-flop"),
            ("logic_tile 3 5", 0, 35, "routing"),
            ("logic_tile 3 5", 0, 46, "routing"),
            ("io_tile 1 0", 0, 0, "IO"),
            ("ramb_tile 6 3", 0, 0, "block RAM"),
            ("ipcon_tile 0 21", 15, 53, "hard block"),
            ("dsp0_tile 0 5", 0, 0, "DSP"),
        ],
    )
    def test_what_a_bit_configures(self, header, row, column, kind):
        placed = ice40(random.Random(2))
        rows = list(placed[header])
        rows[row] = rows[row][:column] + "10"[int(rows[row][column])] + rows[row][column + 1 :]
        (found,), _ = compare(placed, placed | {header: rows})
        assert found.kind == kind

    @pytest.mark.parametrize("header", [*SECTIONS, "ram_data 6 3", "extra_bit 0 330 143", "device 5k"])
    def test_a_section_that_is_absent(self, header):
        placed = ice40(random.Random(3))
        rest = {name: rows for name, rows in placed.items() if name != header}
        assert compare(placed, rest)[0] and compare(rest, placed)[0]

    def test_summary(self):
        placed = ice40(random.Random(4))
        other = placed | {"io_tile 1 0": ["0" * 18] * 16}
        differences, _ = compare(placed | {"io_tile 1 0": ["1" * 18] * 16}, other)
        assert (
            configuration.summary(differences)
            == "IO at io_tile 1 0, B0[0]: expected 1, found 0; 288 differ (IO 288)"
        )


TEXT = """\
.device LFE5U-85F

.comment Part: x

.tile R10C20:PLC2
arc: A0 H02W0701
word: SLICEA.K0.INIT 0000000011111111
enum: SLICEA.REG0.REGSET RESET
enum: SLICEA.MODE CCU2

.tile MIB_R36C0:PICL1
enum: PIOC.DRIVE 8
unknown: F7B5

.bram_init 3
000 1ff 0a5
001 002 003
"""


class TestEcp5:
    def test_equal_in_any_order_of_lines(self):
        other = TEXT.replace("arc: A0 H02W0701\n", "").replace(".tile MIB", "arc: A0 H02W0701\n\n.tile MIB")
        assert configuration.compare(TEXT, other, family=ECP5) == ([], 13)

    @pytest.mark.parametrize(
        ("old", "new", "kind", "where"),
        [
            ("arc: A0 H02W0701\n", "", "routing", "tile R10C20:PLC2"),
            ("0000000011111111", "0000000011111110", "truth table", "tile R10C20:PLC2"),
            ("REGSET RESET", "REGSET SET", "flip-flop", "tile R10C20:PLC2"),
            ("enum: SLICEA.MODE CCU2\n", "", "carry chain", "tile R10C20:PLC2"),
            ("DRIVE 8", "DRIVE 4", "IO", "tile MIB_R36C0:PICL1"),
            ("unknown: F7B5\n", "", "unnamed bit", "tile MIB_R36C0:PICL1"),
            ("0a5", "0a4", "RAM contents", "bram_init 3, byte 2"),
            ("LFE5U-85F", "LFE5U-45F", "global setting", "device LFE5U-85F"),
        ],
    )
    def test_a_changed_setting_is_named(self, old, new, kind, where):
        for expected, found in (TEXT, TEXT.replace(old, new)), (TEXT.replace(old, new), TEXT):
            differences, _ = configuration.compare(expected, found, family=ECP5)
            assert any((each.kind, each.where) == (kind, where) for each in differences), differences
