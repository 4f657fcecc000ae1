"""The pad: a page's place to draw, to drop a picture or to paste numbers, answered by an integer network. ::

input -> strokes.js, values.js -> bytes of an image -> network.js -> answers.js
                                          \\-> the server of `sbgen play`, a board

In `report.html` the network itself is computed in the page, from the text of its exchange file. The page of
`sbgen play` has the same pad and asks its server.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from ..samples.recipe import Recipe
from ..samples.scale import Scale

if TYPE_CHECKING:
    from ..compiler.ir import Network

__all__ = ["FOLDER", "MAX_BYTES", "STROKES", "Strokes", "pad_data", "scripts", "style"]

#: Templates, scripts and style of the pad.
FOLDER = Path(__file__).parent

#: Maximum size of a network within a page, as JSON: 24 million weights. A report remains something to send.
MAX_BYTES = 4_000_000

_SCRIPTS = ("network.js", "strokes.js", "values.js", "answers.js", "pad.js")

#: Smaller images are tables: a row of numbers is typed, not drawn.
_SMALLEST_SIDE = 5


@dataclass(frozen=True, kw_only=True)
class Strokes:
    """How a drawing becomes an image like those of a data set.

    Parameters
    ----------
    box : float or None
        Part of the image's height that the drawing fills; None leaves it where it was drawn.
    centre : str
        What is then in the middle: ``"mass"`` or ``"box"``.
    pen : float
        Diameter of the pen, as a part of the image's height.
    """

    box: float | None
    centre: str
    pen: float


#: By data set. MNIST: digits fill a box of 20 x 20 in 28 x 28, the centre of mass in the middle (LeCun,
#: Cortes, Burges: The MNIST database); a pen that inks as many pixels as its images have. digits (UCI:
#: optical recognition of handwritten digits): 32 x 32 bitmaps filled by the digit, 4 x 4 counted per pixel.
STROKES = {
    "mnist": Strokes(box=20 / 28, centre="mass", pen=0.1),
    "digits": Strokes(box=1.0, centre="box", pen=0.16),
}

_AS_DRAWN = Strokes(box=None, centre="box", pen=0.085)


def pad_data(
    network: "Network",
    *,
    dataset: str | None,
    pixel_range: tuple[int, int],
    recipe: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What the scripts of a pad need to know of a network, without its weights.

    Parameters
    ----------
    network : Network
    dataset : str or None
        What it was trained on; a key of `STROKES` says how its images came from strokes.
    pixel_range : pair of int
        Minimum and maximum pixel of that data set, for raw pixels (UINT8).
    recipe : dict or None
        How samples become its inputs, as `sbgen.samples.Recipe.primitives` returns it: columns and channels
        by their scales, pictures by size and inversion. Without one a picture of another size is cropped.
    """
    own = None if recipe is None else Recipe.parse(recipe).checked(network.image_shape)
    return {
        "labels": list(network.labels),
        "decision": network.decision,
        "layers": [layer.name for layer in network.layers],
        "board": None,
        "input": _input(network, STROKES.get(dataset or "", _AS_DRAWN), pixel_range)
        | (
            {"resize": "crop", "invert": False, "scales": None, "begin": None}
            if own is None
            else _prepared(own)
        ),
    }


def _input(network: "Network", strokes: Strokes, pixel_range: tuple[int, int]) -> dict[str, Any]:
    if network.pixel_type.name == "UINT8":
        levels = list(range(pixel_range[0], pixel_range[1] + 1))
    else:
        levels = network.pixel_type.bytes.tolist()
    content = {
        "levels": levels,
        "values": network.pixel_type.values[levels].tolist(),
        "count": network.pixels,
    }
    height, width, channels = (*network.image_shape, 1)[:3] if len(network.image_shape) > 1 else (0, 0, 0)
    if min(height, width) < _SMALLEST_SIDE or channels not in (1, 3, 4):
        return {"kind": "values", **content}
    return {
        "kind": "grey" if channels == 1 else "colour",
        **content,
        "height": height,
        "width": width,
        "channels": channels,
        "strokes": asdict(strokes),
    }


def _prepared(recipe: Recipe) -> dict[str, Any]:
    return {
        "resize": recipe.resize,
        "invert": recipe.invert,
        "scales": [{"name": scale.name, "cuts": scale.cuts.tolist()} for scale in recipe.scales] or None,
        "begin": [_middle(scale) for scale in recipe.scales] or None,
    }


def _middle(scale: Scale) -> float:
    """A usual number of a column or channel, in a few digits: the median of the samples, or of the range."""
    return float(f"{scale.cuts[len(scale.cuts) // 2]:.4g}")


def embedded(exchange_text: str) -> Mapping[str, Any] | None:
    """The network of an exchange file's text, for `evaluate` of network.js; None if it is too large."""
    network = json.loads(exchange_text)["network"]
    size = len(json.dumps(network, separators=(",", ":")))
    return network if size <= MAX_BYTES else None


@cache
def scripts(*more: str) -> Markup:
    """The scripts of the pad, and more of this folder, as the content of one element."""
    return Markup("\n".join((FOLDER / name).read_text(encoding="utf-8") for name in (*_SCRIPTS, *more)))


@cache
def style() -> Markup:
    """The style of the pad, which takes its colours from the report's."""
    return Markup((FOLDER / "pad.css").read_text(encoding="utf-8"))
