"""The width converters between two layers, for every pair of their widths at once."""

from dataclasses import dataclass

import numpy as np

__all__ = ["Joints", "joints"]


@dataclass(frozen=True, kw_only=True)
class Joints:
    """What the converters from each of some widths (rows) to each of others (columns) take.

    Parameters
    ----------
    lut, ff : array of shape (from, to)
        As `sbgen.compiler.estimate.converter_cost`.
    cycles : array of shape (from, to)
        Cycles per image that the slower of them is busy. They may go through narrower beats than both layers
        have.
    """

    lut: np.ndarray
    ff: np.ndarray
    cycles: np.ndarray


def joints(
    *,
    i_length: int,
    i_lanes: np.ndarray,
    o_length: int,
    o_lanes: np.ndarray,
    element_bits: int,
    elements: int,
    images: int = 1,
) -> Joints:
    """The converters between two layers, as `sbgen.hw.width.conversions` has them.

    Parameters
    ----------
    i_length, o_length : int
        Elements in a vector that the first layer outputs, and in one that the second takes.
    i_lanes, o_lanes : array of int
        Widths of the beats on both sides.
    element_bits : int
    elements : int
        Elements per image.
    images : int
        Images side by side in the vectors.
    """
    before, after = i_lanes[:, None], o_lanes[None, :]
    short = min(i_length, o_length)
    whole = (short % before == 0) | (i_length == o_length)
    between = np.where(whole, before, np.where(short % after == 0, after, np.gcd(short, after)))
    first = _converter(i_length, before, between, element_bits, elements * images)
    second = _converter(o_length, between, after, element_bits, elements * images)
    cycles = np.maximum(first.cycles, second.cycles)
    return Joints(lut=first.lut + second.lut, ff=first.ff + second.ff, cycles=-(-cycles // images))


def _bits(limit: np.ndarray) -> np.ndarray:
    return np.ceil(np.log2(limit + 1))


def _converter(
    length: int, before: np.ndarray, after: np.ndarray, element_bits: int, elements: int
) -> Joints:
    narrow = np.gcd(before, after)
    cuts, gathers = before != narrow, after != narrow
    cut, gathered = before * element_bits, after * element_bits
    whole = -(-length // narrow) % (after // narrow) == 0
    return Joints(
        lut=cuts * (cut + 12) + gathers * (gathered * np.where(whole, 1, 1.3) + 8),
        ff=cuts * (cut + 4 + _bits(-(-length // before))) + gathers * (gathered + 4 + _bits(after // narrow)),
        cycles=(cuts | gathers) * (elements // length) * -(-length // narrow),
    )
