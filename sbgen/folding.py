"""The options that fold a network to a board, and the design that they request."""

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from .arguments import positive
from .errors import FitError, ModelError, SbgenError

if TYPE_CHECKING:
    from .compiler.design import Design
    from .compiler.ir import Network
    from .pace import Pace
    from .target import Target

__all__ = ["Folded", "Request", "add_arguments", "find", "fold"]


@dataclass(frozen=True, kw_only=True)
class Request:
    """How a network is to be folded; by default the pace is that of the board's host link (`sbgen.pace`).

    Parameters
    ----------
    fps : float or None
        Images per second that must be reached, by the smallest design that does.
    fastest : bool
        Whether the design may fill the device to reach the most images per second, however long it builds.
    pe, simd : str or None
        As the options of these names: ``"N,N,..."`` or ``"LAYER=N,..."``.
    design : Path or None
        A design file to start from.
    patchable : bool
    top_k : int or None
        Number of best classes that are reported.
    label_only : bool
        Whether only the label and its score are reported, once per image.
    clock : float or None
        The clock in MHz that was requested, which other boards must reach to be proposed.
    lowest_clock : bool
        Whether the clock may be lowered to what `fps` needs.
    baud : int or None
        The rate of the host link that was requested.
    batch : int or None
        Images to which dense layers apply each weight word together. None is 1, or with `fps` or `fastest`
        what the rate needs.
    """

    fps: float | None = None
    fastest: bool = False
    pe: str | None = None
    simd: str | None = None
    design: Path | None = None
    patchable: bool = False
    top_k: int | None = None
    label_only: bool = False
    clock: float | None = None
    lowest_clock: bool = False
    baud: int | None = None
    batch: int | None = None

    @classmethod
    def of(cls, arguments: Namespace) -> "Request":
        """What the options of `add_arguments`, and ``--clock``, request."""
        return cls(
            fps=arguments.fps,
            fastest=arguments.fastest,
            pe=arguments.pe,
            simd=arguments.simd,
            design=arguments.design,
            patchable=arguments.patchable,
            top_k=arguments.top,
            label_only=getattr(arguments, "label_only", False),
            clock=None if arguments.clock == "best" else arguments.clock,
            lowest_clock=arguments.clock is None,
            baud=getattr(arguments, "baud", None),
            batch=arguments.batch,
        )

    @property
    def is_patchable(self) -> bool:
        """Whether the options, or the design file that they name, request a patchable design."""
        from .compiler import design_file

        return self.patchable or self.design is not None and design_file.is_patchable(self.design)

    @property
    def by_hand(self) -> list[str]:
        """The options that fold by hand."""
        return [name for name in ("pe", "simd", "design") if getattr(self, name) is not None]


@dataclass(frozen=True, kw_only=True)
class Folded:
    """A design, and how it came about.

    Parameters
    ----------
    design : Design
    target : Target
        What it was folded for, at the clock that it needs.
    pace : Pace
        The rate that was aimed at.
    why : str
        The rate and the clock, with their reasons.
    """

    design: "Design"
    target: "Target"
    pace: "Pace"
    why: str


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
    pace = folding.add_mutually_exclusive_group()
    pace.add_argument(
        "--fastest",
        action="store_true",
        help="the most images/s that the device can do; place and route may take long",
    )
    pace.add_argument(
        "--fps",
        type=positive,
        metavar="N",
        help="the smallest design that reaches N images/s, at the lowest clock (default: on a board, four"
        " times what its host link carries)",
    )
    folding.add_argument(
        "--batch",
        type=int,
        metavar="B",
        help="apply each weight word to B images in dense layers: more images/s at a higher latency (default:"
        " 1; with --fps and --fastest what the rate needs)",
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


def fold(request: Request, network: "Network", target: "Target") -> Folded:
    """The design that is requested.

    Raises
    ------
    FitError
        When there is none, with options that would work. No tool has run by then.
    """
    try:
        return find(request, network, target)
    except FitError as error:
        limit = ""
        if request.fps is not None:
            cycles = int(target.clock_mhz * 1e6 / request.fps)
            limit = (
                f"--fps {request.fps:,.12g} leaves {cycles:,} cycles of {target.clock_mhz:g} MHz per image,"
                " and "
            )
        raise FitError("; ".join([f"{limit}{error}", *_remedies(request, network, target)])) from error


def find(request: Request, network: "Network", target: "Target") -> Folded:
    """As `fold`, but a refusal says only what does not fit: no other options are tried."""
    from .pace import BY_HAND, lowest_clock, pace

    aim = pace(request, network, target)
    design, at = _design(request, network, target, aim), target
    if request.by_hand and request.fps is None:
        aim = BY_HAND
    if request.fps is not None and request.lowest_clock:
        clock_mhz = lowest_clock(design, target, fps=request.fps, baud=request.baud)
        at = replace(target, clock_mhz=clock_mhz)
    return Folded(design=design, target=at, pace=aim, why=aim.words(design, at, target.clock_mhz))


def _design(request: Request, network: "Network", target: "Target", aim: "Pace") -> "Design":
    from .compiler import design_file
    from .compiler.design import to_patchable
    from .compiler.fold import fold as search
    from .compiler.rate import fold_for_rate
    from .compiler.remedies import check_fit

    if request.batch is not None and request.batch < 1:
        raise ModelError(f"--batch must be at least 1, not {request.batch}")
    cycles = aim.cycles(target.clock_mhz)
    if request.design is not None:
        design = design_file.load(request.design, network)
        if request.batch is not None:
            design = replace(design, batch=request.batch)
    elif request.fastest or aim.required:
        design = fold_for_rate(
            network,
            target.device,
            cycles=cycles,
            batch=request.batch,
            patchable=request.patchable,
            label_only=request.label_only,
        )
    else:
        design = search(
            network,
            target.device,
            enough=cycles,
            patchable=request.patchable,
            label_only=request.label_only,
            batch=request.batch or 1,
        )
    for name in "pe", "simd":
        if getattr(request, name) is not None:
            design = _refold(design, name, getattr(request, name))
    if request.label_only:
        design = replace(design, label_only=True)
    if request.top_k is not None:
        design = replace(design, top_k=request.top_k)
    if request.patchable or design.patchable:
        design = to_patchable(design, target.family)
    check_fit(design, target.device)
    return design


def _remedies(request: Request, network: "Network", target: "Target") -> list[str]:
    """Changes of the options that work, as was tried: no folding by hand, fewer images/s, a larger board."""
    from .compiler.cycles import predict
    from .compiler.rate import fold_for_rate
    from .compiler.remedies import fits as fits_somehow
    from .target import larger

    def fits(target: "Target", request: Request) -> bool:
        try:
            find(request, network, target)
        except SbgenError:
            return False
        return True

    remedies = []
    given = request.by_hand
    if (request.batch or 1) > 1 and fits(target, replace(request, batch=None)):
        remedies.append("without --batch it fits")
    if given and fits(target, replace(request, pe=None, simd=None, design=None)):
        remedies.append(f"without {' and '.join(f'--{name}' for name in given)} it fits")
    if request.fps is not None:
        try:
            fastest = fold_for_rate(
                network,
                target.device,
                cycles=None,
                batch=request.batch,
                patchable=request.patchable,
                label_only=request.label_only,
            )
            fps = target.clock_mhz * 1e6 // predict(fastest).interval
        except FitError:
            fps = 0
        if 0 < fps < request.fps and fits(target, replace(request, fps=fps)):
            remedies.append(f"--fps {fps:.0f} is reached")
    if request.patchable and fits(target, replace(request, patchable=False)):
        remedies.append("without --patchable it fits")
    anyhow = request.fps is None and not given and (request.batch or 1) == 1
    for other in larger(target, clock=request.clock):
        if fits_somehow(network, other.device, patchable=request.patchable) and (
            anyhow or fits(other, request)
        ):
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
