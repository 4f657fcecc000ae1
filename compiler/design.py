"""A network and how each of its layers is folded."""

from dataclasses import dataclass, replace
from math import prod

from ..errors import FitError, ModelError
from ..hw.mvtu import WEIGHT_STORES
from ..hw.rom import STORES
from ..hw.spram import BLOCK_DEPTH, blocks
from ..hw.window import Geometry
from .device import FABRICS
from .folding import UNROLLED
from .ir import Add, Binarize, Conv2d, Dense, Fork, Lookup, MaxPool, Network, Scores, SumPool, Threshold

__all__ = ["Design", "legal_simd", "limits", "rows_limits", "to_patchable", "unrolls", "weight_words"]


@dataclass(frozen=True, kw_only=True)
class Design:
    """A network and, for each of its layers, a legal `Folding`.

    Parameters
    ----------
    network : Network
    foldings : tuple of Folding
    top : int
        How many of an image's best classes the core tells, 1 ... classes; 1 where the network decides by
        sign.
    patchable : bool
        Whether weights and thresholds can be replaced in the bitstream.
    """

    network: Network
    foldings: tuple
    top: int = 1
    patchable: bool = False

    def __post_init__(self):
        if len(self.foldings) != len(self.network.layers):
            raise ModelError(
                f"{len(self.network.layers)} layers need as many foldings, not {len(self.foldings)}"
            )
        if self.network.decision == "sign" and self.top != 1:
            raise ModelError(
                "top must be 1, as the network decides by the sign of each score and ranks none, not"
                f" {self.top!r}"
            )
        if not (type(self.top) is int and 1 <= self.top <= self.network.classes):
            raise ModelError(
                f"top must be in 1 ... {self.network.classes}, the classes of the network, not {self.top!r}"
            )
        for (layer, folding), shape in zip(self.stages, self.network.shapes, strict=False):
            for name, limit in zip(("pe", "simd"), limits(layer, shape), strict=True):
                value = getattr(folding, name)
                if not (type(value) is int and 1 <= value <= limit):
                    raise ModelError(f"layer {layer.name!r}: {name} must be in 1 ... {limit}, not {value!r}")
            if folding.simd != legal_simd(layer, folding.simd):
                raise ModelError(
                    f"layer {layer.name!r}: simd must be at most the {layer.weights.shape[3]} channels of a"
                    " pixel (of a group) or a multiple of them, whole pixels under the kernel, not"
                    f" {folding.simd}"
                )
            if isinstance(layer, Binarize) and folding.pe != folding.simd * layer.levels:
                raise ModelError(
                    f"layer {layer.name!r}: {folding.simd} pixels of {layer.levels} level(s) at once make "
                    f"pe {folding.simd * layer.levels}, not {folding.pe}"
                )
            if isinstance(layer, MaxPool | SumPool) and folding.pe != folding.simd:
                raise ModelError(
                    f"layer {layer.name!r}: pooling gives as many channels at once as it takes, so pe must be"
                    f" {folding.simd}, not {folding.pe}"
                )
            if isinstance(layer, (Add, Fork, Lookup, Threshold)) and folding.pe != folding.simd:
                raise ModelError(
                    f"layer {layer.name!r}: gives as many elements at once as it takes, so pe must be "
                    f"{folding.simd}, not {folding.pe}"
                )
            if isinstance(layer, Conv2d) and layer.groups > 1 and layer.outputs // layer.groups % folding.pe:
                raise ModelError(
                    f"layer {layer.name!r}: pe must divide the {layer.outputs // layer.groups} outputs of a"
                    f" group, which {folding.pe} does not"
                )
            if folding.rows is not None:
                least, most = rows_limits(layer, shape)
                if not (type(folding.rows) is int and least <= folding.rows <= most):
                    raise ModelError(
                        f"layer {layer.name!r}: rows must be in {least} ... {most}, not {folding.rows!r}"
                        if most
                        else (
                            f"layer {layer.name!r}: has no line buffers, so rows must be left out, "
                            f"not {folding.rows!r}"
                        )
                    )
            if not (type(folding.levels) is int and folding.levels >= 1):
                raise ModelError(f"layer {layer.name!r}: levels must be at least 1, not {folding.levels!r}")
            if type(folding.registered) is not bool:
                raise ModelError(
                    f"layer {layer.name!r}: registered must be true or false, not {folding.registered!r}"
                )
            for name in "store", "preset_store", "replay_store":
                stores = (*WEIGHT_STORES, UNROLLED) if name == "store" else tuple(STORES)
                if getattr(folding, name) not in stores:
                    raise ModelError(
                        f"layer {layer.name!r}: {name} must be one of {', '.join(stores)}, "
                        f"not {getattr(folding, name)!r}"
                    )
            if folding.unrolled and not (
                unrolls(layer) and (folding.pe, folding.simd) == limits(layer, shape)
            ):
                most = (
                    "pe {} and simd {}".format(*limits(layer, shape)) if unrolls(layer) else "a dense layer"
                )
                raise ModelError(
                    f"layer {layer.name!r}: weights that are unrolled need {most}, not pe {folding.pe} and"
                    f" simd {folding.simd} of a {type(layer).__name__.lower()}"
                )
            if folding.sprams is not None:
                most = (
                    blocks(folding.pe * folding.simd) if folding.store == "spram" and layer.weight_bits else 0
                )
                if not (type(folding.sprams) is int and 1 <= folding.sprams <= most):
                    raise ModelError(
                        f"layer {layer.name!r}: sprams must be in 1 ... {most}, not {folding.sprams!r}"
                        if most
                        else (
                            f"layer {layer.name!r}: has no weights in SPRAM, so sprams must be left out, not"
                            f" {folding.sprams!r}"
                        )
                    )
            if (
                folding.store == "spram"
                and layer.weight_bits
                and (words := weight_words(layer, pe=folding.pe, simd=folding.simd)) > BLOCK_DEPTH
            ):
                raise ModelError(
                    f"layer {layer.name!r}: in SPRAM it can have {BLOCK_DEPTH:,} words of weights, but pe"
                    f" {folding.pe} and simd {folding.simd} make {words:,}; take more of either"
                )

    @property
    def stages(self):
        """Pairs of layer and folding, in order."""
        return tuple(zip(self.network.layers, self.foldings, strict=True))


def weight_words(layer, *, pe, simd):
    """Words in the weight memory of a layer: for each group, half of ternary weights, and slice of the
    inputs.
    """
    inputs = layer.inputs
    if isinstance(layer, Conv2d):
        channels = layer.weights.shape[3]
        lanes = min(simd, channels)
        inputs = prod(layer.kernel) * -(-channels // lanes) * lanes
    return -(-layer.outputs // pe) * (1 if layer.mask is None else 2) * -(-inputs // simd)


def to_patchable(design, family):
    """The design with every ROM where it can be replaced in a bitstream of a device family."""
    behind = [
        layer.name for layer, folding in design.stages if layer.weight_bits and folding.store not in STORES
    ]
    if behind:
        raise FitError(
            "a patchable design must have its weights in ROMs of the bitstream, but those of"
            f" {', '.join(behind)} are wired in or loaded from the flash; give other --pe and --simd, or"
            " leave --patchable out"
        )
    foldings = design.foldings
    if FABRICS[family].patchable_store == "bram":
        foldings = tuple(
            replace(folding, store="bram", preset_store="bram") if layer.weight_bits else folding
            for layer, folding in design.stages
        )
    return replace(design, foldings=foldings, patchable=True)


def rows_limits(layer, shape):
    """Fewest and most rows of a layer's line buffers; 0, 0 where it has none."""
    if not hasattr(layer, "kernel") or isinstance(layer, SumPool) and not layer.overlaps:
        return 0, 0
    return Geometry.rows_range(height=shape[0], kernel=layer.kernel, stride=layer.stride)


def unrolls(layer):
    """Whether the weights of a layer can be wired in."""
    return isinstance(layer, Dense | Scores)


def limits(layer, shape):
    """Greatest pe and simd of a layer whose input has that shape."""
    match layer:
        case Conv2d():
            return layer.outputs // layer.groups, layer.inputs
        case Lookup():
            return prod(shape), prod(shape)
        case MaxPool() | SumPool():
            return shape[2], shape[2]
        case Add() | Fork() | Threshold():
            return shape[-1], shape[-1]
        case _:
            return layer.outputs, layer.inputs


def legal_simd(layer, simd):
    """The greatest simd of a layer that is at most `simd`: in a convolution, more than one pixel are whole
    ones.
    """
    if not isinstance(layer, Conv2d):
        return simd
    channels = layer.weights.shape[3]
    return simd if simd <= channels else simd // channels * channels
