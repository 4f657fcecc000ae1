"""`sbgen boards`: list the supported boards."""

import argparse
from typing import TYPE_CHECKING, Any

from ..console import Console, print_json

if TYPE_CHECKING:
    from ..boards import BoardSpec

__all__ = ["about", "add_arguments", "groups", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sbgen boards`."""
    parser.add_argument("--json", action="store_true", help="print all that is known of each board as JSON")


def run(arguments: argparse.Namespace) -> None:
    """Print one row per board, by family."""
    if arguments.json:
        boards = [about(board) for group in groups().values() for board in group]
        print_json(boards)
        return
    console = Console()
    for title, group in groups().items():
        console.line(title, style="bold")
        console.table(
            ["board", "device", "LUT", "kbit", "MHz", "baud", "programmer", "description"],
            [
                [
                    board.name,
                    board.device.name,
                    board.device.lut,
                    board.device.bram_bits // 1024,
                    f"{board.default_clock_mhz:g}",
                    _baud(board),
                    _programmers(board),
                    board.description,
                ]
                for board in group
            ],
        )
        for board in group:
            if board.note:
                console.line(f"  {board.name}: {board.note}")
        console.line()
    console.line("  Any other platform of amaranth-boards, or a class in its form: --board MODULE:CLASS,")
    console.line("  such as amaranth_boards.nandland_go:NandlandGoPlatform. Without a UART it also needs")
    console.line("  two pins with a USB serial adapter: --uart rx=PIN,tx=PIN.")


def groups() -> "dict[str, list[BoardSpec]]":
    """The boards with a name, by the title of their family; at the end those of their vendors' tools."""
    from ..boards import BOARDS, VENDOR_BOARDS
    from ..boards.families import FAMILIES

    found = {
        family.title: [board for board in BOARDS.values() if board.family is family]
        for family in FAMILIES.values()
    }
    return found | {
        "Place and route by the vendor's tools, for which a build writes a project": [*VENDOR_BOARDS.values()]
    }


def about(board: "BoardSpec") -> dict[str, Any]:
    """What ``--json`` says of a board."""
    chip = board.usb_chip
    return {
        "name": board.name,
        "description": board.description,
        "note": board.note,
        "family": board.device.family if board.is_open else None,
        "device": board.device.name,
        "package": board.package,
        "lut": board.device.lut,
        "bram": board.device.bram,
        "bram_bits": board.device.bram_bits,
        "spram": board.device.spram,
        "oscillator_mhz": board.oscillator_mhz,
        "clock_mhz": board.default_clock_mhz,
        "pins": {pin.port: pin.site for pin in board.pins + board.high_pins},
        "baud": _baud(board),
        "usb": [f"{vendor:04x}:{product:04x}" for vendor, product in board.usb],
        "usb_chip": None if chip is None else {"name": chip.name, "max_baud": round(chip.max_baud)},
        "has_serial_port": board.serial_interface is not None,
        "links": ["uart", "usb"] if board.has_usb else ["uart"],
        "programmers": [
            {
                "tool": each.tool,
                "loads": [kind for kind in ("flash", "sram") if each.arguments(memory=kind) is not None],
                "default": each.first,
                "serial": bool(each.serial),
            }
            for each in board.programmers
        ],
    }


def _baud(board: "BoardSpec") -> int:
    """The baud rate of a design at the default clock."""
    from ..boards import board_line, harness

    clock_mhz, _ = harness.clock_and_pll(board)
    return board_line.choose(board, clock_mhz=clock_mhz).baud


def _programmers(board: "BoardSpec") -> str:
    return ", ".join(each.tool for each in board.programmers) or "the vendor's"
