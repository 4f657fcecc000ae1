"""RTLIL with operands of equal width, and signals that nothing reads."""

import re

import pytest

from sbgen.compiler.rtlil_widths import equalize
from sbgen.compiler.unused import unused_signals


def cell(kind, *, a, b=None, y, signed=0):
    """A module with one cell; an operand is its text and its width."""
    operands = {"A": a} if b is None else {"A": a, "B": b}
    lines = ["module \\top", "  wire width 4 input 1 \\w", "  wire width 9 output 2 \\y", f"  cell {kind} $1"]
    for name, (_, width) in operands.items():
        lines += [f"    parameter \\{name}_SIGNED {signed}", f"    parameter \\{name}_WIDTH {width}"]
    lines.append(f"    parameter \\Y_WIDTH {y}")
    lines += [f"    connect \\{name} {text}" for name, (text, _) in operands.items()]
    return "\n".join([*lines, f"    connect \\Y \\y [{y - 1}:0]", "  end", "end", ""])


def operands(rtlil):
    return dict(re.findall(r"connect \\([AB]) (.*)", rtlil)), dict(
        re.findall(r"parameter \\([AB])_WIDTH (\d+)", rtlil)
    )


W = ("\\w", 4)


@pytest.mark.parametrize(
    ("given", "a", "b", "width"),
    [
        (cell("$add", a=W, b=("3'101", 3), y=6), "{ 2'00 \\w }", "{ 3'000 3'101 }", 6),
        (
            cell("$add", a=W, b=("3'101", 3), y=6, signed=1),
            "{ \\w [3] \\w [3] \\w }",
            "{ 1'1 1'1 1'1 3'101 }",
            6,
        ),
        (
            cell("$sub", a=("\\w [2:1]", 2), b=("\\w [0]", 1), y=3, signed=1),
            "{ \\w [2] \\w [2:1] }",
            "{ \\w [0] \\w [0] \\w [0] }",
            3,
        ),
        (cell("$add", a=W, b=("{ \\w [3:2] 2'01 }", 4), y=3), "\\w [2:0]", "{ \\w [2:2] 2'01 }", 3),
        (cell("$xor", a=("9'000000111", 9), b=W, y=3), "3'111", "\\w [2:0]", 3),
        (cell("$ge", a=W, b=("2'10", 2), y=1), "\\w", "{ 2'00 2'10 }", 4),
        (cell("$lt", a=("\\w [1:0]", 2), b=W, y=1, signed=1), "{ \\w [1] \\w [1] \\w [1:0] }", "\\w", 4),
    ],
)
def test_operands_of_one_width(given, a, b, width):
    found, widths = operands(equalize(given))
    assert found == {"A": a, "B": b}
    assert widths == {"A": str(width), "B": str(width)}


@pytest.mark.parametrize("kind", ["$shr", "$sshr", "$shift"])
def test_the_lowest_bits_of_a_shift_to_the_right(kind):
    made = equalize(cell(kind, a=W, b=("\\y [8:7]", 2), y=2))
    assert operands(made) == ({"A": "\\w", "B": "\\y [8:7]"}, {"A": "4", "B": "2"})
    lines = made.splitlines()
    assert lines.count("  wire width 4 \\shifted_1") == lines.count("    connect \\Y \\shifted_1") == 1
    assert "    parameter \\Y_WIDTH 4" in lines and "  connect \\y [1:0] \\shifted_1 [1:0]" in lines
    assert unused_signals(made)["top"] == ("shifted_1",)


def test_a_shift_to_either_side_stays():
    given = cell("$shift", a=W, b=("\\y [8:7]", 2), y=2, signed=1)
    assert equalize(given) == given


def test_a_shift_to_the_left_is_cut():
    made = equalize(cell("$shl", a=W, b=("\\y [8:7]", 2), y=2))
    assert operands(made)[0] == {"A": "\\w [1:0]", "B": "\\y [8:7]"} and "shifted" not in made


@pytest.mark.parametrize(
    ("kind", "constant", "always"),
    [
        ("$ge", ("2'00", 2), "1'1"),
        ("$ge", ("{ }", 0), "1'1"),
        ("$lt", ("{ }", 0), "1'0"),
        ("$lt", ("{ 1'1 4'0000 }", 5), "1'1"),
        ("$ge", ("5'10000", 5), "1'0"),
        ("$le", ("4'1111", 4), "1'1"),
        ("$gt", ("6'001111", 6), "1'0"),
    ],
)
def test_what_a_comparison_with_a_constant_always_is(kind, constant, always):
    made = equalize(cell(kind, a=W, b=constant, y=1))
    assert f"  connect \\y [0:0] {always}\n" in made and "cell" not in made
    assert "cell" in equalize(cell(kind, a=W, b=constant, y=1, signed=1))


@pytest.mark.parametrize("kind", ["$lt", "$le", "$ge", "$gt"])
@pytest.mark.parametrize("constant", [("2'01", 2), ("4'1110", 4), ("{ 1'1 \\w [0] }", 2), ("2'0x", 2)])
def test_a_comparison_that_says_something(kind, constant):
    assert "cell" in equalize(cell(kind, a=W, b=constant, y=1))


@pytest.mark.parametrize(
    "options", ["width 4 offset 8", "width 4 upto offset 3 signed", "width 4 output 3", "signed width 4"]
)
def test_a_wire_of_any_declaration(options):
    given = cell("$add", a=W, b=("\\v", 4), y=6)
    made = equalize(given.replace("  cell", f"  wire {options} \\v\n  cell"))
    assert operands(made)[0] == {"A": "{ 2'00 \\w }", "B": "{ 2'00 \\v }"}


def test_the_distance_of_a_shift_stays():
    found, widths = operands(equalize(cell("$shl", a=W, b=("\\w [1:0]", 2), y=7)))
    assert found == {"A": "{ 3'000 \\w }", "B": "\\w [1:0]"} and widths == {"A": "7", "B": "2"}


def test_no_bit_set_becomes_a_comparison():
    made = equalize(cell("$logic_not", a=W, y=1))
    assert "cell $eq $1" in made and operands(made)[0] == {"A": "\\w", "B": "4'0000"}


def test_other_cells_stay():
    given = cell("$mux", a=W, b=W, y=4)
    assert equalize(given) == given


def test_unused_bits_and_ports():
    text = """module \\rom
  wire input 1 \\clk
  wire input 2 \\rst
  wire width 4 \\wide
  wire width 2 \\slice
  wire width 8 output 3 \\data
  cell $dff $1
    connect \\CLK \\clk
    connect \\D { \\wide [3:1] \\slice }
    connect \\Q \\data [4:0]
  end
  connect \\data [7:5] 3'000
  connect \\slice \\wide [1:0]
end
module \\top
  wire input 1 \\clk
  wire \\fast
  wire width 8 output 2 \\o
  cell \\rom \\r
    connect \\clk \\clk
    connect \\rst \\fast
    connect \\data \\o
  end
end
"""
    assert unused_signals(text) == {"rom": ("rst",)}
    assert unused_signals(text.replace("\\wide [1:0]", "\\wide [2:1]")) == {"rom": ("rst", "wide")}
    assert unused_signals(text.replace("connect \\rst \\fast", "connect \\data \\fast"))["top"] == ("fast",)
