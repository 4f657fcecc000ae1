"""The options that fold a network to a board, and the design that they request."""

from argparse import ArgumentParser, Namespace
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .arguments import positive
from .errors import BoardError, FitError, ModelError, SbgenError

if TYPE_CHECKING:
    from .boards import BoardSpec
    from .compiler.design import Design
    from .compiler.ir import Network

__all__ = ["add_arguments", "fold", "patchable"]


def add_arguments(parser: ArgumentParser) -> None:
    """Add the options of folding."""
    folding = parser.add_argument_group(
        "folding",
        "By default sbgen folds the network to the board. N,N,... is one number per layer with weights;"
        " NAME=N,... sets the named layers only.",
    )
    folding.add_argument("--pe", metavar="N,..", help="outputs computed in parallel")
    folding.add_argument("--simd", metavar="N,..", help="inputs read in parallel")
    folding.add_argument(
        "--design", type=Path, metavar="FILE", help="start from a design.json of an earlier build"
    )
    folding.add_argument(
        "--fps",
        type=positive,
        metavar="N",
        help="the smallest design that reaches N images/s, instead of the fastest that fits",
    )
    folding.add_argument(
        "--fit",
        action="store_true",
        help="print images/s against LUTs and block RAMs for several designs, without building",
    )
    parser.add_argument(
        "--patchable",
        action="store_true",
        help="allow `sbgen patch` to replace the weights and thresholds in the bitstream",
    )
    parser.add_argument(
        "--top", type=int, metavar="K", help="report the K best classes of each image (default: 1)"
    )


def patchable(arguments: Namespace) -> bool:
    """Whether the options, or the design file that they name, request a patchable design."""
    from .compiler import design_file

    return arguments.patchable or arguments.design is not None and design_file.is_patchable(arguments.design)


def fold(arguments: Namespace, network: "Network", board: "BoardSpec", clock_mhz: float) -> "Design":
    """The design that the options request.

    Raises
    ------
    FitError
        When there is none, with options that would work. No tool has run by then.
    """
    try:
        return _design(arguments, network, board, clock_mhz)
    except FitError as error:
        limit = (
            ""
            if arguments.fps is None
            else (
                f"--fps {arguments.fps:,.12g} leaves {_cycles(arguments, clock_mhz):,} cycles of "
                f"{clock_mhz:g} MHz per image, and "
            )
        )
        raise FitError(
            "; ".join([f"{limit}{error}", *_remedies(arguments, network, board, clock_mhz)])
        ) from error


def _cycles(arguments: Namespace, clock_mhz: float) -> int | None:
    """The maximum number of cycles per image, or None."""
    return None if arguments.fps is None else int(clock_mhz * 1e6 / arguments.fps)


def _design(arguments: Namespace, network: "Network", board: "BoardSpec", clock_mhz: float) -> "Design":
    from .compiler import design_file
    from .compiler.design import to_patchable
    from .compiler.fold import fold as search
    from .compiler.remedies import check_fit

    if arguments.design is not None:
        design = design_file.load(arguments.design, network)
    else:
        design = search(
            network, board.device, cycles=_cycles(arguments, clock_mhz), patchable=arguments.patchable
        )
    for name in "pe", "simd":
        if getattr(arguments, name) is not None:
            design = _refold(design, name, getattr(arguments, name))
    if arguments.top is not None:
        design = replace(design, top_k=arguments.top)
    if arguments.patchable or design.patchable:
        design = to_patchable(design, board.family.name)
    check_fit(design, board.device)
    return design


def _remedies(arguments: Namespace, network: "Network", board: "BoardSpec", clock_mhz: float) -> list[str]:
    """Changes of the options that work, as was tried: no folding by hand, fewer images/s, a larger board."""
    from .boards import BOARDS
    from .boards.harness import clock_and_pll
    from .compiler.cycles import predict
    from .compiler.fit import FILL
    from .compiler.fold import fold as search

    def fits(board: "BoardSpec", clock_mhz: float, **changes: float | None) -> bool:
        try:
            _design(Namespace(**vars(arguments) | changes), network, board, clock_mhz)
        except SbgenError:
            return False
        return True

    remedies = []
    given = [name for name in ("pe", "simd", "design") if getattr(arguments, name) is not None]
    if given and fits(board, clock_mhz, **dict.fromkeys(given)):
        remedies.append(f"without {' and '.join(f'--{name}' for name in given)} it fits")
    if arguments.fps is not None:
        try:
            fastest = search(network, board.device, fill=FILL, patchable=arguments.patchable)
            fps = clock_mhz * 1e6 // predict(fastest).interval
        except FitError:
            fps = 0
        if 0 < fps < arguments.fps and fits(board, clock_mhz, fps=fps):
            remedies.append(f"--fps {fps:.0f} is reached")
    if arguments.patchable and fits(board, clock_mhz, patchable=False):
        remedies.append("without --patchable it fits")
    for other in sorted(BOARDS.values(), key=lambda other: other.device.lut):
        if other.device.lut > board.device.lut:
            try:
                other_mhz, _ = clock_and_pll(other, None if arguments.clock == "best" else arguments.clock)
            except BoardError:
                continue
            if fits(other, other_mhz):
                remedies.append(f"the board {other.name} would hold it")
                break
    return remedies


def _refold(design: "Design", name: str, text: str) -> "Design":
    """`design` with PE or SIMD replaced by those of an option: ``N,N,...`` or ``LAYER=N,...``."""
    from .compiler.layers import rules

    layers = design.network.layers
    weighted = [layer.name for layer in layers if layer.weight_bits]
    words = text.split(",")
    if all("=" in word for word in words):
        pairs = [(layer, number) for layer, _, number in (word.partition("=") for word in words)]
    elif len(words) == len(weighted):
        pairs = list(zip(weighted, words, strict=True))
    else:
        raise ModelError(
            f"--{name} must be {len(weighted)} numbers, one for each of {', '.join(weighted)}, or NAME=N "
            f"for some; found {text!r}"
        )
    foldings = dict(zip((layer.name for layer in layers), design.foldings, strict=True))
    placed = {rule.layer.name: rule for rule in rules(design.network)}
    for layer, number in pairs:
        if layer not in foldings:
            raise ModelError(f"--{name}: the layers are {', '.join(foldings)}, not {layer!r}")
        if not number.isdecimal():
            raise ModelError(f"--{name}: layer {layer!r} must have a count, not {number!r}")
        rule, folding = placed[layer], foldings[layer]
        shape = dict(zip(("pe", "simd"), rule.shape(folding), strict=True))
        try:
            foldings[layer] = rule.resized(folding, **shape | {name: int(number)})
        except ModelError as error:
            raise ModelError(f"--{name}: layer {layer!r}: {error}") from None
    return replace(design, foldings=tuple(foldings.values()))
