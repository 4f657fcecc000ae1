"""What the host link asks of a core, before there is one: a design that breaks a limit is never folded, estimated or built."""

from ..errors import FitError
from ..hw.host_link import LIMITS
from .pipeline import first_lanes, input_lanes, stages

__all__ = ["check_design", "check_network", "may_enter", "widest"]


def may_enter(layer, simd):
    """Whether a first layer folded by `simd` takes beats of pixels that the link can report."""
    return first_lanes(layer, simd) <= LIMITS["lanes"]


def widest(layer, simd):
    """The greatest simd of a first layer that is at most `simd` and takes beats that the link can report."""
    return next(each for each in range(simd, 0, -1) if may_enter(layer, each))


def check_network(network):
    """Refuse a network that no folding makes fit for the host link.

    Raises
    ------
    FitError
        With the limit and what was found.
    """
    _check("images of at most {limit:,} pixels", "pixels", network.pixels)
    _check("at most {limit:,} classes", "classes", network.classes)


def check_design(design):
    """Refuse a design whose core the host link cannot serve.

    Raises
    ------
    FitError
        With the limit and what was found.
    """
    check_network(design.network)
    first = design.network.layers[0]
    most = widest(first, design.foldings[0].simd)
    _check("at most {limit} pixels at once", "lanes", input_lanes(design), f"; fold layer {first.name!r} with a simd of {most}")
    last = stages(design)[-1]
    _check("scores of at most {limit} bits", "score_width", (last.scaling.score_width if last.scaling else last.unit.sum_width),
           "; build without --patchable" if design.patchable else "")


def _check(what, name, value, remedy=""):
    if value > LIMITS[name]:
        raise FitError(f"the host link of a board takes {what.format(limit=LIMITS[name])}, not {value:,}{remedy}")
