"""`sbgen boards`, and the table of boards in docs/boards.md."""

import json
from pathlib import Path

from sbgen import cli
from sbgen.boards import BOARDS, VENDOR_BOARDS
from sbgen.commands import boards

PAGE = Path(__file__).parent.parent / "docs" / "boards.md"

#: The lines before and after the table.
MARKS = "<!-- the table of `python tests/test_boards_command.py` -->\n", "<!-- its end -->"


def memories(programmer):
    """Where a programmer loads to, its default first."""
    return " or ".join(sorted(programmer["loads"], key=lambda kind: kind != programmer["default"]))


def table():
    """The table of docs/boards.md."""
    lines = ["| board | device | clock | programmer | link |", "|---|---|---|---|---|"]
    for group in boards.groups().values():
        for board in group:
            about = boards.about(board)
            programmers = ", ".join(f"{each['tool']} ({memories(each)})" for each in about["programmers"])
            link = (
                "UART"
                if about["has_serial_port"]
                else f"adapter: {about['pins']['rx']}, {about['pins']['tx']}"
            )
            link += " or USB" * ("usb" in about["links"])
            lines.append(
                f"| `{board.name}` | {about['device']}{', ' * bool(about['package'])}{about['package']} |"
                f" {about['clock_mhz']:g} MHz | {programmers or 'the tools of its vendor'} | {link} |"
            )
    return "\n".join(lines) + "\n"


def test_the_table_in_the_docs():
    text = PAGE.read_text()
    assert text.partition(MARKS[0])[2].partition(MARKS[1])[0] == table()


def test_list_is_by_family(capsys):
    assert cli.main(["boards"]) == 0
    printed = capsys.readouterr().out
    titles = ["iCE40", "ECP5", "Gowin", "Place and route by the vendor's tools"]
    places = [printed.index(f"\n{title}") if title != "iCE40" else printed.index(title) for title in titles]
    assert places == sorted(places)
    names = [line.split()[0] for line in printed.splitlines() if line.startswith("  ") and line.split()]
    assert set(BOARDS) | set(VENDOR_BOARDS) <= set(names)
    assert "tinyfpga_bx: a USB serial adapter at pins 1 (rx) and 2 (tx)" in printed
    assert "openFPGALoader" in printed and "--uart rx=PIN,tx=PIN" in printed


def test_json_has_every_board_once(capsys):
    assert cli.main(["boards", "--json"]) == 0
    found = {each["name"]: each for each in json.loads(capsys.readouterr().out)}
    assert list(found) == [board.name for group in boards.groups().values() for board in group]
    assert set(found) == set(BOARDS) | set(VENDOR_BOARDS)
    assert found["icebreaker"]["usb"] == ["0403:6010"] and found["icebreaker"]["pins"]["clk"] == "35"
    assert found["icebreaker"]["usb_chip"] == {"name": "FT2232H", "max_baud": 12_000_000}
    assert found["ulx3s_85f"]["programmers"] == [
        {"tool": "openFPGALoader", "loads": ["flash", "sram"], "default": "sram", "serial": True}
    ]
    assert found["arty_a7"]["family"] is None and found["arty_a7"]["programmers"] == []
    assert not found["orangecrab_r0_2"]["has_serial_port"]
    assert found["orangecrab_r0_2"]["links"] == found["ulx3s_12f"]["links"] == ["uart", "usb"]
    assert found["icebreaker"]["links"] == found["arty_a7"]["links"] == ["uart"]


def main():
    """Write the table into the page."""
    before, _, rest = PAGE.read_text().partition(MARKS[0])
    PAGE.write_text(before + MARKS[0] + table() + MARKS[1] + rest.partition(MARKS[1])[2])


if __name__ == "__main__":
    main()
