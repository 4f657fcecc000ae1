"""Images for a network, from what a person has at hand."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError, ModelError

if TYPE_CHECKING:
    from ..compiler.ir import Network

__all__ = ["Inputs", "images_of", "option", "quiet"]

#: Images (N, ...) or samples that the network's recipe knows, or the path of a file with them.
Inputs = np.ndarray | str | PathLike[str]


def images_of(x: Inputs, network: "Network", recipe: Mapping[str, Any] | None) -> np.ndarray:
    """The images that `x` means to a network.

    Parameters
    ----------
    x : uint8 array, shape (N, ...), or other array, or path
        Pixels, as many per image as the network takes, in its order; the shape of an image is free. Of a
        network with a recipe also raw samples, as `sbgen.samples.Recipe.apply` takes them. A path is read
        as by ``sbgen build --samples``.
    network : Network
    recipe : dict or None
        Of the network.

    Returns
    -------
    uint8 array, shape (N, *image_shape)

    Raises
    ------
    DataError
        It is anything else.
    """
    from .. import samples

    if isinstance(x, (str, PathLike)):
        return samples.read_for(network, Path(x), recipe).images
    x = np.asarray(x)
    if x.dtype == np.uint8 and x.ndim >= 1 and x.size == len(x) * network.pixels:
        return x.reshape(-1, *network.image_shape)
    if recipe is not None and x.dtype.kind in "uifb":
        made = samples.Recipe.parse(recipe).checked(network.image_shape)
        return made.apply(x if made.kind == "image" else x.astype(np.float64))
    pixels = " x ".join(map(str, network.image_shape))
    raise DataError(
        f"images must be an array of uint8 (N, ...) with {network.pixels:,} pixels each ({pixels}), or the"
        f" path of a file, not {x.dtype} of shape {x.shape}"
        + ("; pixels are whole numbers 0 ... 255" if x.dtype.kind == "f" else "")
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Silence Amaranth's warning about components that are created only to read their widths."""
    import gc
    import warnings

    from amaranth.hdl import UnusedElaboratable

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusedElaboratable)
        yield
        gc.collect()


def option(name: str, value: Any) -> str | None:
    """PE or SIMD as the option of the command line has it.

    Parameters
    ----------
    value : str, int sequence, dict of str to int, or None
        One number for each layer with weights, or some by name.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return ",".join(f"{layer}={number}" for layer, number in value.items())
    try:
        return ",".join(str(int(number)) for number in value)
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"{name} must be whole numbers, one for each layer with weights, or a dict by layer, not"
            f" {value!r}"
        ) from error
