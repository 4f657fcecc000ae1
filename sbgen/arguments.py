"""Options that several commands share, and the types of their values."""

import argparse
from collections.abc import Callable
from pathlib import Path

__all__ = [
    "add_answers",
    "add_board",
    "add_images",
    "add_model",
    "add_port",
    "add_reading",
    "add_serial",
    "add_target",
    "at_least",
    "board_name",
    "fraction",
    "images",
    "percent",
    "positive",
]


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add ``--model``."""
    from .compiler import shipped

    parser.add_argument(
        "--model",
        required=True,
        type=Path,
        metavar="FILE",
        help=(
            "a net.pt of `sbgen train`, a QONNX file, a larq model, a network.json, or the name of a shipped"
            f" model: {', '.join(shipped.NAMES)}"
        ),
    )


def add_board(parser: argparse.ArgumentParser) -> None:
    """Add ``--board``, ``--link`` and ``--uart``, which `board_name` reads."""
    parser.add_argument("--board", required=True, metavar="NAME", help=_BOARD)
    _add_line(parser)


def add_target(parser: argparse.ArgumentParser) -> None:
    """Add ``--board`` or ``--part``, ``--link`` and ``--uart``; `sbgen.target.requested` reads them."""
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("--board", metavar="NAME", help=_BOARD)
    group.add_argument(
        "--part",
        metavar="NAME",
        help=(
            "an FPGA without a board, for Verilog and estimates: its name (xc7z020), or what it has"
            " (lut6=53200,bram36=140)"
        ),
    )
    _add_line(parser)


_BOARD = "a board of `sbgen boards`, or MODULE:CLASS of a platform of amaranth-boards"


def _add_line(parser: argparse.ArgumentParser) -> None:
    line = parser.add_mutually_exclusive_group()
    line.add_argument(
        "--link",
        choices=("uart", "usb"),
        help=(
            "what the host link goes over: a UART, or a USB connector that leads to the FPGA itself (default:"
            " as the board has it)"
        ),
    )
    line.add_argument(
        "--uart",
        metavar="rx=PIN,tx=PIN",
        help=(
            "two free pins with a USB serial adapter, as the package or a connector (pmod_0:1) names them,"
            " for a board without a UART or in place of it"
        ),
    )


def board_name(arguments: argparse.Namespace) -> str:
    """The name that `sbgen.boards.get` takes, from the options of `add_board` or `add_target`."""
    return ",".join(filter(None, (arguments.board, arguments.link, arguments.uart)))


def add_reading(
    parser: argparse.ArgumentParser, *, force: str = "accept a network that is not hardened enough"
) -> None:
    """Add the options of how to read the model, ``--pixels`` and ``--force``; `force` is the help of that."""
    parser.add_argument(
        "--pixels",
        choices=("unit", "fixed", "raw", "signed"),
        help=(
            "what a pixel p of 0 ... 255 means to a QONNX file or larq model: p/255, p/256, p or p/127.5 - 1"
            " (default: as the file says, else unit for QONNX, signed for larq)"
        ),
    )
    parser.add_argument("--force", action="store_true", help=force)


def add_images(parser: argparse.ArgumentParser) -> "argparse._MutuallyExclusiveGroup":
    """Add ``--samples`` and ``--data``, which exclude each other; returns their group."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--samples",
        type=Path,
        metavar="FILE",
        help=(
            "your own images, and their classes if known: .npz (images or X, labels or y), .npy, .csv, or a"
            " folder of PNG and JPEG files with a subfolder per class"
        ),
    )
    group.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="folder with data sets: mnist/, cifar10/ and so on (default: SBGEN_DATA)",
    )
    return group


def add_port(parser: argparse.ArgumentParser) -> None:
    """Add the options that select a board."""
    parser.add_argument("--board", metavar="NAME", help="a board of `sbgen boards`, found by its USB IDs")
    parser.add_argument(
        "--port",
        metavar="PORT",
        help="serial port, or a URL such as socket://HOST:PORT (default: that of --board)",
    )
    parser.add_argument(
        "--baud",
        type=at_least(1),
        metavar="N",
        help="baud rate of its bitstream (default: that of the build, if known, else of the board)",
    )


def add_answers(parser: argparse.ArgumentParser) -> None:
    """Add the options of what is printed of each image: ``--top``, ``--scores`` and so on."""
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument(
        "--top", type=int, metavar="K", help="print the K best classes of each image with their scores"
    )
    shown.add_argument("--scores", action="store_true", help="print every score of each image")
    parser.add_argument(
        "--unsure",
        type=at_least(1),
        metavar="MARGIN",
        help='answer "don\'t know" where the best score is less than MARGIN above the next',
    )
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each image")
    parser.add_argument("--quiet", action="store_true", help="print only the summary")


def add_serial(parser: argparse.ArgumentParser) -> None:
    """Add ``--serial``, which chooses one of several boards."""
    parser.add_argument(
        "--serial",
        metavar="NUMBER",
        help="the board with this USB serial number, where several are plugged in (`sbgen doctor boards`)",
    )


def at_least(minimum: int) -> Callable[[str], int]:
    """A function that parses an integer of at least `minimum`."""

    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < minimum:
            raise argparse.ArgumentTypeError(f"must be an integer of at least {minimum}, not {text!r}")
        return int(text)

    return number


def images(text: str) -> int | None:
    """A number of images, at least 1; None for ``all``."""
    if text == "all":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be an integer of at least 1, or all, not {text!r}")
    return int(text)


def fraction(text: str) -> float:
    """A number between 0 and 1, both excluded."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"must be a fraction between 0 and 1, such as 0.2, not {text!r}")
    return value


def percent(text: str) -> float:
    """A fraction, 0 ... 1, from a percentage."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError(f"must be a percentage from 0 to 100, not {text!r}")
    return value / 100


def positive(text: str) -> float:
    """A number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number above 0, not {text!r}")
    return value
