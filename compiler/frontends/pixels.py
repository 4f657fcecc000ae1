"""What a raw pixel stands for in a file that does not say so (``--pixels``)."""

from collections.abc import Callable

import numpy as np

from ...errors import ModelError
from .. import ir
from .constant import first_constant

__all__ = ["PIXELS", "PIXELS_MEAN", "check_pixels", "read_varying"]

#: The value of a raw pixel p at a floating-point input, as a function of 0 ... 255.
PIXELS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "unit": lambda p: p / p.dtype.type(255),
    "fixed": lambda p: p / p.dtype.type(256),
    "raw": lambda p: p,
    "signed": lambda p: p / p.dtype.type(127.5) - p.dtype.type(1),
}

#: The same for messages.
PIXELS_MEAN = {"unit": "p/255", "fixed": "p/256", "raw": "p", "signed": "p/127.5 - 1"}


def check_pixels(pixels: str | None) -> None:
    """Raise a `ModelError` unless `pixels` is one of `PIXELS` or None."""
    if pixels not in (None, *PIXELS):
        raise ModelError(f"pixels must be one of {', '.join(PIXELS)}, not {pixels!r}")


def read_varying(
    read: Callable[[str | None], tuple[ir.Network, bool]], pixels: str | None, default: str
) -> ir.Network:
    """The network of a file, checked to have scores that depend on the image.

    Parameters
    ----------
    read : function
        From one of `PIXELS` or None to the network, and whether the file leaves open what a pixel stands for.
    pixels : str or None
        What a pixel stands for, according to the user.
    default : str
        What a pixel stands for if neither the user nor the file says so.

    Raises
    ------
    ModelError
        The first layer is the same for every image; or the scores are, and would differ if pixels stood for
        something else. The message names the values of ``--pixels`` with which scores differ.
    """
    network, is_open = read(pixels)
    constant = first_constant(network)
    if constant is None:
        return network
    assumed, others = pixels or default, []
    for other in PIXELS if is_open else ():
        try:
            if other != assumed and first_constant(read(other)[0]) is None:
                others.append(f"--pixels {other} ({PIXELS_MEAN[other]})")
        except ModelError:
            pass
    what = "no pixel of 0 ... 255 changes anything " + (
        f"when it stands for {PIXELS_MEAN[assumed]}"
        if is_open
        else f"of the input's type {network.pixel_type}"
    )
    if others:
        raise ModelError(
            f"{what}; if the network was trained on other values, say which: " + " or ".join(others)
        )
    first_quantiser = 1 if isinstance(network.layers[0], ir.Lookup) else 0
    if constant <= first_quantiser:
        raise ModelError(
            f"{what}{', nor with any other --pixels' if is_open else ''}; the first quantiser must have"
            " values on both sides of its steps"
        )
    return network  # a later layer is constant, so the file itself is
