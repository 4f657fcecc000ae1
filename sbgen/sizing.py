"""Size and speed of a network without building: what `sbgen estimate` and `sbgen build --fit` print."""

from argparse import Namespace
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from io import StringIO
from typing import Any

from . import folding, network_cache
from .compiler import fold
from .compiler.cycles import predict, stage_cycles
from .compiler.design import Design
from .compiler.estimate import error_band, estimate
from .compiler.ir import Network
from .compiler.weight_count import weights
from .console import Console
from .estimate_cache import Page
from .folding import Folded, Request
from .pace import Pace
from .report import bound
from .target import Target, requested

__all__ = ["Estimate", "answer", "estimated", "interval"]

#: Cycles per image times layers up to which the interval between images is predicted exactly, in a quarter of
#: a second at most. Above, it is the interval of the slowest layer.
_EXACT = 500_000

#: Characters of the longest bar of a trade-off curve.
_BAR = 32

#: Resources that are shown, in this order, with what to call them.
_RESOURCES = {"lut": "LUT", "ff": "FF", "bram": "block RAM", "spram": "SPRAM"}


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Size and speed of one design, before anything is built.

    Parameters
    ----------
    network, target, device : str
        Names.
    weights : int
        Of the network.
    layers : list of dict
        ``name``, ``pe``, ``simd``, ``cycles`` per image, and ``store`` of the weights, or None.
    resources : dict of dict
        For ``lut``, ``ff``, ``bram`` and, where the device has some, ``spram``: how many are ``used`` and
        ``available``. LUTs are an estimate, flip-flops an upper bound, block RAMs and SPRAMs are exact.
    lut_range : tuple of (int, int)
        The LUTs that synthesis may find, judging by `lut_designs` synthesised designs.
    batch : int
        Images to which dense layers apply each weight word together.
    cycles : int
        Clock cycles per image.
    cycles_exact : bool
        Whether `cycles` is exact, or that of the slowest layer.
    latency : int or None
        Clock cycles from the first pixel of an image to its last score, where images follow each other; None
        where `cycles` is not exact.
    clock_mhz : float
        The clock that `images_per_second` assumes.
    bound : dict
        The fewest ``cycles`` per image that the device allows ``by`` what, and the share that is
        ``reached``, 0 ... 1.
    pace : str
        The rate that was aimed at, and the clock if it was lowered, with their reasons.
    host_link : bool
        Whether `resources` include the host link of a board; those of a part are of the core alone.
    """

    network: str
    target: str
    device: str
    weights: int
    layers: list[dict[str, Any]]
    resources: dict[str, dict[str, int]]
    lut_range: tuple[int, int]
    lut_designs: int
    batch: int
    cycles: int
    cycles_exact: bool
    latency: int | None
    clock_mhz: float
    bound: Mapping[str, Any] = field(repr=False)
    pace: str
    host_link: bool

    @property
    def images_per_second(self) -> float:
        """Images per second of the core, if `clock_mhz` is reached."""
        return self.clock_mhz * 1e6 / self.cycles

    def __str__(self) -> str:
        """What ``sbgen estimate`` prints."""
        text = StringIO()
        console = Console(file=text)
        available = {name: count["available"] for name, count in self.resources.items()}
        console.line(_heading(self.network, self.weights, self.target, self.device, available))
        console.line()
        _show_design(console, self)
        return text.getvalue().rstrip()

    def about(self) -> dict[str, Any]:
        """All of it as plain values: what ``sbgen estimate --json`` prints."""
        return asdict(self) | {"images_per_second": self.images_per_second}

    def _repr_html_(self) -> str:
        from .pictures import estimate_table

        return estimate_table(self)


def estimated(folded: Folded) -> Estimate:
    """The estimate of a design on its target."""
    design, target = folded.design, folded.target
    device, resources = target.device, estimate(design, target.device)
    cycles, latency = _timing(design)
    band = error_band(device)
    return Estimate(
        network=design.network.name,
        target=target.name,
        device=device.name,
        weights=sum(weights(design.network)),
        layers=[
            {"name": layer.name, "pe": pe, "simd": simd, "cycles": busy, "store": folded.store}
            for (layer, folded), (pe, simd), busy in zip(
                design.stages, design.shapes, stage_cycles(design), strict=True
            )
        ],
        resources={
            name: {"used": resources[name], "available": getattr(device, name)}
            for name in _RESOURCES
            if name != "spram" or device.spram
        },
        lut_range=(round(resources["lut"] * (1 + band["low"])), round(resources["lut"] * (1 + band["high"]))),
        lut_designs=int(band["designs"]),
        batch=design.batch,
        cycles=cycles,
        cycles_exact=latency is not None,
        latency=latency,
        clock_mhz=target.clock_mhz,
        bound=bound(design, device, cycles),
        pace=folded.why,
        host_link=device.host_link,
    )


def answer(arguments: Namespace) -> Any:
    """The estimate of one design, or with ``--fit`` of several, as plain values: what ``--json`` prints, or
    the calls of a `Page`.
    """
    target, request = requested(arguments), Request.of(arguments)
    network = network_cache.load(
        arguments.model, force=arguments.force, pixels=arguments.pixels, patchable=request.is_patchable
    )
    if getattr(arguments, "json", False):
        return _about(request, network, target, fit=arguments.fit)
    console, device = Page(), target.device
    available = {"lut": device.lut, "bram": device.bram}
    console.line(_heading(network.name, sum(weights(network)), target.name, device.name, available))
    console.line()
    if arguments.fit:
        _show_curve(request, console, network, target)
    else:
        _show_design(console, estimated(folding.fold(request, network, target)))
    if target.board is None:
        console.line(
            f"  Estimates for a part without a board: the core alone, and {target.clock_mhz:g} MHz is assumed"
        )
    return console.calls


def _heading(network: str, count: int, target: str, device: str, available: Mapping[str, int]) -> str:
    name = target if device == target else f"{target}: {device}"
    return (
        f"  {network}: {count:,} weights; {name}, {available['lut']:,} LUTs, {available['bram']} block RAMs"
    )


def interval(design: Design) -> tuple[int, bool]:
    """Cycles between two images, and whether they are exact; where that would take long, they are those of
    the slowest layer.
    """
    cycles, latency = _timing(design)
    return cycles, latency is not None


def _timing(design: Design) -> tuple[int, int | None]:
    """Cycles between two images and those of the first one, where these are predicted."""
    busy = stage_cycles(design)
    if max(busy) * len(busy) * design.batch > _EXACT:
        return max(busy), None
    predicted = predict(design)
    return predicted.interval, predicted.latency


def _about(request: Request, network: Network, target: Target, *, fit: bool) -> Any:
    """One estimate, or a list of them from the fastest to the smallest."""
    if fit:
        return [estimated(folded).about() for folded in _curve(request, network, target)[0]]
    return estimated(folding.fold(request, network, target)).about()


def _show_design(console: Page | Console, found: Estimate) -> None:
    console.table(
        ["layer", "PE", "SIMD", "cycles", "store"],
        [
            [layer["name"], layer["pe"], layer["simd"], layer["cycles"], layer["store"]]
            for layer in found.layers
        ],
    )
    console.line()
    low, high = found.lut_range
    notes = {
        "lut": f"; {low:,} ... {high:,} judging by {found.lut_designs} synthesised designs",
        "ff": ", at most",
    }
    for name, count in found.resources.items():
        used, available = count["used"], count["available"]
        share = f", {used / available:.0%}" if available else ""
        console.line(f"  {_RESOURCES[name]:12}{used:>9,} of {available:,}{share}{notes.get(name, '')}")
    console.line(
        f"  {'cycles':12}{found.cycles:>9,} per image"
        + ("" if found.cycles_exact else ", those of the slowest layer")
    )
    console.line(
        f"  {'core':12}{found.images_per_second:>9,.0f} images/s, if {found.clock_mhz:g} MHz is reached"
    )
    if found.latency is not None:
        batch = f", in batches of {found.batch}" if found.batch > 1 else ""
        console.line(
            f"  {'latency':12}{found.latency / found.clock_mhz:>9,.1f} us, {found.latency:,} cycles{batch}"
        )
    console.line(f"  {'pace':12}{found.pace}")
    console.line(
        f"  {'bound':12}{found.bound['cycles']:>9,} cycles per image by {found.bound['by']}, of which"
        f" {found.bound['reached']:.0%} is reached"
    )
    console.line(
        f"  {'slowest':12}{found.bound['stage_cycles']:>9,} cycles in {found.bound['stage']}; freed by"
        f" {found.bound['freed_by']}"
    )
    console.line()


def _curve(request: Request, network: Network, target: Target) -> tuple[list[Folded], Design]:
    """Designs from the fastest to the smallest at the clock of `target`, each once, and the one of them that
    is requested.
    """
    wanted = folding.fold(request, network, target).design
    designs = {
        design.foldings: design
        for design in (*fold.trade_off(network, target.device, patchable=wanted.patchable), wanted)
    }
    order = sorted(
        designs.values(),
        key=lambda design: (max(stage_cycles(design)), -estimate(design, target.device)["lut"]),
    )
    pace = Pace(why="one of several that fit")
    return [Folded(design=each, target=target, pace=pace, why=pace.why) for each in order], wanted


def _show_curve(request: Request, console: Page, network: Network, target: Target) -> None:
    device, clock_mhz = target.device, target.clock_mhz
    found, wanted = _curve(request, network, target)
    points = [
        (max(stage_cycles(each.design)), estimate(each.design, device), each.design == wanted)
        for each in found
    ]
    by_hand = request.fps is not None or request.fastest or request.by_hand
    most = max(resources["lut"] for _, resources, _ in points)
    rows = [
        [
            f"{clock_mhz * 1e6 / cycles:,.0f}",
            cycles,
            resources["lut"],
            resources["bram"],
            "#" * max(1, round(_BAR * resources["lut"] / most))
            + (" <- with these options" if by_hand else " <- default") * is_wanted,
        ]
        for cycles, resources, is_wanted in points
    ]
    console.table(
        [f"images/s at {clock_mhz:g} MHz", "cycles", "LUT", "block RAM", f"LUT, of {device.lut:,}"], rows
    )
    console.line()
    band = error_band(device)
    console.line(
        f"  LUTs of {band['designs']} synthesised designs differed by {band['low']:+.0%} ..."
        f" {band['high']:+.0%} from the estimate"
        + ("" if target.board is None else "; `sbgen build --fps N` builds one of these")
    )
