"""Which images a board tests itself with, and what it expects of them."""

from collections.abc import Callable, Sequence

import numpy as np

from ..errors import FitError
from ..hw.self_test import Parameters, signature
from . import cycles, reference
from .design import Design
from .device import Device
from .estimate import estimate
from .ir import Network
from .pipeline import ends, input_lanes, stages
from .pixel_codes import PixelCodes, pixel_codes

__all__ = ["IMAGES", "choose", "estimated", "most_images", "parameters"]

#: Images at most: with ten classes two of each. More take memory and show little more.
IMAGES = 20

#: Bytes at most in LUTs: a ROM of more takes synthesis long.
_LUT_BYTES = 512

#: Share of the device's LUTs that may be used.
_LUT_SHARE = 0.9

#: LUTs for 16 bytes of a ROM, with what selects among them; and for the rest of the test.
_LUTS_PER_16_BYTES, _LUTS = 12, 250

#: How much longer than predicted a result may take: enough never to be wrong, and soon enough for a person.
_PATIENCE = 16


def _bytes(images: int, codes: PixelCodes) -> int:
    return -(-images * codes.pixels // (8 // codes.bits))


def most_images(design: Design, device: Device) -> tuple[int, str]:
    """How many images, at most `IMAGES`, fit next to a design, and in which store.

    Raises
    ------
    FitError
        There is no room for one.
    """
    codes = pixel_codes(design.network, patchable=False)
    used = estimate(design, device, host_link=False)
    free_bram = device.bram - used["bram"]
    free_lut = int(_LUT_SHARE * device.lut) - used["lut"] - _LUTS

    def in_bram(images: int) -> bool:
        return device.brams(width=8, depth=_bytes(images, codes)) <= free_bram

    def in_lut(images: int) -> bool:
        size = _bytes(images, codes)
        return size <= _LUT_BYTES and -(-size // 16) * _LUTS_PER_16_BYTES <= free_lut

    counts = {store: _most(fits) for store, fits in (("lut", in_lut), ("bram", in_bram))}
    store = max(counts, key=lambda name: counts[name])
    if not counts[store]:
        raise FitError(
            f"a self-test must store an image of {_bytes(1, codes):,} bytes next to the core, but there are"
            f" {max(free_bram, 0)} block RAMs and some {max(free_lut, 0):,} LUTs left; choose a smaller"
            " design (--fps) or leave out --selftest"
        )
    return counts[store], store


def _most(fits: Callable[[int], bool]) -> int:
    return next((images for images in range(IMAGES, 0, -1) if fits(images)), 0)


def estimated(design: Design, device: Device, parameters: Parameters) -> dict[str, int]:
    """What core and test take on a device, as `sbgen.compiler.estimate.estimate`."""
    size = len(parameters.words)
    used = estimate(design, device, host_link=False)
    more = {"lut": _LUTS, "ff": _LUTS // 2}
    if parameters.store == "bram":
        more["bram"] = device.brams(width=8, depth=size)
    else:
        more["lut"] += -(-size // 16) * _LUTS_PER_16_BYTES
    return {name: count + more.get(name, 0) for name, count in used.items()}


def choose(found: np.ndarray, labels: np.ndarray | None, *, most: int) -> np.ndarray:
    """Images of every class, those that the network gets right and those that it gets wrong.

    Parameters
    ----------
    found : int array, shape (N,) or (N, outputs)
        What the reference decides.
    labels : int array of the same shape, or None
        What is true.
    most : int
        How many to choose.

    Returns
    -------
    int array
        Places of at most `most` images: in turn the first of each group that was not chosen yet. A group is a
        class and whether it was found; right ones come first.
    """
    true = found if labels is None else labels
    wrong = np.array([np.any(a != b) for a, b in zip(found, true, strict=True)], bool)
    groups: dict[tuple[bool, bytes], list[int]] = {}
    for place in range(len(found)):
        groups.setdefault((bool(wrong[place]), true[place].astype(">i8").tobytes()), []).append(place)
    ordered = [groups[key] for key in sorted(groups)]
    turns = max(map(len, ordered), default=0)
    chosen = [group[turn] for turn in range(turns) for group in ordered if turn < len(group)]
    return np.array(sorted(chosen[:most]), int)


def parameters(design: Design, images: np.ndarray, *, store: str) -> Parameters:
    """What the hardware is created from; `images` are uint8, shape (N, *image_shape), as chosen."""
    network = design.network
    codes = pixel_codes(network, patchable=False)
    scores, found = reference.evaluate(network, images)
    pixels = images.reshape(-1)
    values = np.searchsorted(np.array(codes.levels), pixels, side="right") if codes.levels else pixels
    _, _, decision = ends(design, stages(design)[-1])
    predicted = cycles.predict(design)
    return Parameters(
        codes=tuple(values.tolist()),
        bits=codes.bits,
        levels=codes.levels,
        pixels=network.pixels,
        lanes=input_lanes(design),
        outputs=network.outputs,
        score_width=decision.score_width,
        top_k=design.top_k,
        signs=network.decision == "sign",
        labels=tuple(_label(network, each) for each in found),
        signature=signature(scores.reshape(-1).tolist()),
        store=store,
        # The memory gives at most a pixel per cycle, and fetches each byte.
        patience=_PATIENCE * (predicted.latency + predicted.interval + 3 * network.pixels),
    )


def _label(network: Network, found: np.ndarray) -> int:
    """A decision as the core outputs it."""
    if network.decision == "argmax":
        return int(found)
    bits: Sequence[int] = np.atleast_1d(found).tolist()
    return sum(bit << n for n, bit in enumerate(bits))
