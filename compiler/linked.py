"""Limits of the host link: a design that breaks one is never folded, estimated or built."""

from ..errors import FitError
from ..hw.core import Core
from ..hw.link_parameters import Parameters
from ..hw.protocol import LIMITS
from . import link_store
from .cycles import predict
from .design import Design
from .device import Device
from .estimate import estimate
from .ir import Network
from .layers import Rule, rules
from .pipeline import ends, input_lanes, stages
from .pixel_codes import pixel_codes

__all__ = [
    "check_core",
    "check_design",
    "check_network",
    "full_requests",
    "link_parameters",
    "may_enter",
    "widest",
]


def may_enter(rule: Rule, simd: int) -> bool:
    """Whether a first layer folded by `simd` takes beats of pixels that the link can report."""
    return rule.beat_pixels(simd) <= LIMITS["lanes"]


def widest(rule: Rule, simd: int) -> int:
    """The maximum simd of a first layer that is at most `simd` and takes beats that the link can report."""
    return next(each for each in range(simd, 0, -1) if may_enter(rule, each))


def check_network(network: Network) -> None:
    """Refuse a network whose core the host link cannot serve with any folding.

    Raises
    ------
    FitError
        With the limit and what was found.
    """
    _check(pixels=network.pixels, outputs=network.outputs)


def check_design(design: Design) -> None:
    """Refuse a design whose core the host link cannot serve.

    Raises
    ------
    FitError
        With the limit, what was found and what to try.
    """
    check_network(design.network)
    if design.label_only:
        raise FitError(
            "the host link of a board reports every score, but the design has label_only; leave it out, or"
            " build a core without the link"
        )
    first, (*_, decision) = rules(design.network)[0], ends(design, stages(design)[-1])
    _, simd = first.shape(design.foldings[0])
    most = widest(first, simd)
    _check(f"; fold layer {first.layer.name!r} with a simd of {most}", lanes=input_lanes(design))
    _check("; build without --patchable" if design.patchable else "", score_width=decision.score_width)


def check_core(core: Core) -> None:
    """Refuse a core that the host link cannot serve, as `check_design` does for its design."""
    _check(**{name: getattr(core, name) for name in LIMITS})


def link_parameters(design: Design, device: Device, *, flow_control: bool = False) -> Parameters:
    """The host link for a design on a device, with or without a line that waits for the board.

    Raises
    ------
    FitError
        The link cannot serve the design.
    """
    check_design(design)
    network = design.network
    _, _, decision = ends(design, stages(design)[-1])
    codes = pixel_codes(network, patchable=design.patchable)
    core = estimate(design, device, host_link=False)
    store = link_store.choose(
        image_bytes=codes.image_bytes,
        bram=core["bram"] + device.fabric.host_link_bram,
        spram=core["spram"],
        device=device,
    )
    return Parameters(
        pixels=network.pixels,
        lanes=input_lanes(design),
        outputs=network.outputs,
        score_width=decision.score_width,
        top_k=design.top_k,
        signs=network.decision == "sign",
        pixel_bits=codes.bits,
        levels=codes.levels,
        depth=store.depth,
        store=store.kind,
        core_cycles=predict(design).interval,
        flow_control=flow_control,
    )


def full_requests(network: Network, *, patchable: bool) -> Parameters:
    """The host link at its best, whatever the design: a core without delay and a store for requests of as
    many images as the protocol allows.
    """
    codes = pixel_codes(network, patchable=patchable)
    return Parameters(
        pixels=network.pixels,
        lanes=1,
        outputs=network.outputs,
        score_width=1,
        signs=network.decision == "sign",
        pixel_bits=codes.bits,
        levels=codes.levels,
        depth=1 << (2**10 * codes.image_bytes).bit_length(),
    )


_WORDS = {
    "pixels": "images of at most {:,} pixels",
    "lanes": "at most {} pixels at once",
    "outputs": "at most {:,} outputs",
    "score_width": "scores of at most {} bits",
}


def _check(remedy: str = "", **values: int) -> None:
    for name, value in values.items():
        if value > LIMITS[name]:
            raise FitError(
                f"the host link of a board takes {_WORDS[name].format(LIMITS[name])}, not {value:,}{remedy}"
            )
