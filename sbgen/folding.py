"""The options that fold a network to a board, and the design that they ask for."""

from dataclasses import replace
from pathlib import Path

from .arguments import positive
from .errors import FitError, ModelError

__all__ = ["add_arguments", "fold"]

#: Cycles an image when all that counts is size; more than the smallest folding of anything that fits a device takes.
_ANY_CYCLES = 1 << 30


def add_arguments(parser):
    """Add the options of folding."""
    folding = parser.add_argument_group("folding", "Without these, sbgen folds the network to the board. N,N,... is one "
                                        "number for each layer with weights; NAME=N,... is for the layers named.")
    folding.add_argument("--pe", metavar="N,..", help="outputs at once")
    folding.add_argument("--simd", metavar="N,..", help="inputs at once")
    folding.add_argument("--design", type=Path, metavar="FILE", help="a design.json of an earlier build")
    folding.add_argument("--fps", type=positive, metavar="N",
                         help="the smallest design with N images a second, instead of the fastest")
    folding.add_argument("--fit", action="store_true",
                         help="print images a second against LUTs and block RAMs, and end without building")
    parser.add_argument("--patchable", action="store_true",
                        help="let `sbgen patch` put other weights and thresholds into the bitstream")
    parser.add_argument("--top", type=int, metavar="K", help="how many of an image's best classes the core tells (1)")


def fold(arguments, network, board, clock_mhz):
    """The design that the options ask for; a `FitError` when it is too big, before any tool has run."""
    from .compiler import design as design_file
    from .compiler import fold as search

    limit = None if arguments.fps is None else int(clock_mhz * 1e6 / arguments.fps)
    try:
        if arguments.design is not None:
            design = design_file.load(arguments.design, network)
        else:
            design = search.fold(network, board.device, cycles=limit)
        for name in "pe", "simd":
            if getattr(arguments, name) is not None:
                design = _refold(design, name, getattr(arguments, name))
        if arguments.top is not None:
            design = replace(design, top=arguments.top)
        if arguments.patchable or design.patchable:
            design = design_file.to_patchable(design, board.device.family)
        search.check_fit(design, board.device)
    except FitError as error:
        if limit is not None:
            raise FitError(f"--fps {arguments.fps:,g} leaves {limit:,} cycles of {clock_mhz:g} MHz for an image, and {error}; "
                           "or ask for fewer --fps") from error
        larger = _larger_board(network, board)
        raise FitError(f"{error}" + (f"; the board {larger} would hold it" if larger else "")) from error
    return design


def _larger_board(network, board):
    """Name of the next larger board that holds `network` at its smallest, or None."""
    from .boards import BOARDS
    from .compiler import fold

    for other in sorted(BOARDS.values(), key=lambda other: other.device.lut):
        if other.device.lut > board.device.lut:
            try:
                fold.fold(network, other.device, cycles=_ANY_CYCLES)
            except FitError:
                continue
            return other.name
    return None


def _refold(design, name, text):
    """`design` with PE or SIMD replaced as an option's text says: ``N,N,...`` or ``LAYER=N,...``."""
    layers = design.network.layers
    weighted = [layer.name for layer in layers if layer.weight_bits]
    words = text.split(",")
    if all("=" in word for word in words):
        pairs = [tuple(word.split("=", 1)) for word in words]
    elif len(words) == len(weighted):
        pairs = list(zip(weighted, words, strict=True))
    else:
        raise ModelError(f"--{name} must be {len(weighted)} numbers, one for each of {', '.join(weighted)}, or NAME=N "
                         f"for some; found {text!r}")
    foldings = dict(zip((layer.name for layer in layers), design.foldings, strict=True))
    for layer, number in pairs:
        if layer not in foldings:
            raise ModelError(f"--{name}: the layers are {', '.join(foldings)}, not {layer!r}")
        if not number.isdecimal():
            raise ModelError(f"--{name}: layer {layer!r} must have a count, not {number!r}")
        folded = not foldings[layer].unrolled or int(number) == getattr(foldings[layer], name)
        foldings[layer] = replace(foldings[layer], **{name: int(number)}, **({} if folded else {"store": "bram"}))
    # What leaves a layer without weights follows from what enters.
    for layer in layers:
        if not layer.weight_bits:
            simd = foldings[layer.name].simd
            foldings[layer.name] = replace(foldings[layer.name], pe=simd * getattr(layer, "levels", 1))
    return replace(design, foldings=tuple(foldings.values()))
