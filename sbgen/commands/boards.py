"""`sbgen boards`: list the supported boards."""

import argparse

from ..console import Console

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`sbgen boards` takes no arguments."""


def run(arguments: argparse.Namespace) -> None:
    """Print one row per board."""
    from ..boards import BOARDS
    from ..boards.families import FAMILIES

    console = Console()
    console.table(
        ["board", "device", "LUT4", "block RAM", "kbit", "MHz", "host link", "description"],
        [
            [
                board.name,
                board.device.name,
                board.device.lut,
                board.device.bram,
                board.device.bram_bits // 1024,
                f"{board.default_clock_mhz:g}",
                f"{board.baud // 1000} kbaud",
                board.description,
            ]
            for board in BOARDS.values()
        ],
    )
    console.line()
    families = " or ".join(family.title for family in FAMILIES.values())
    console.line(
        f"  Any {families} board of amaranth-boards with an oscillator and a UART: --board MODULE:CLASS,"
    )
    console.line("  such as amaranth_boards.icestick:ICEStickPlatform.")
