"""Networks for a user's own data: the thresholds of its inputs, and layers by option or by default."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .errors import SettingsError
from .presets import Convolution

__all__ = ["MAX_LEVELS", "Topology", "default", "parse_convolutions", "parse_hidden", "thresholds"]

#: Maximum number of thresholds of an input: steps of a scale by quantiles.
MAX_LEVELS = 64

#: A convolution in an option: outputs, then the size of its kernel, v without padding, the size of its
#: pooling, and its groups.
_CONVOLUTION = re.compile(r"(\d+)(?:x(\d+))?(v)?(?:p(\d+))?(?:g(\d+))?")


@dataclass(frozen=True, kw_only=True)
class Topology:
    """The hidden layers of a network, and how many thresholds each of its inputs has.

    Parameters
    ----------
    levels : int
        Thresholds of each input; 0 sums the inputs as whole numbers in the first layer.
    convolutions : tuple of `presets.Convolution`
    widths : tuple of int
        Outputs of the dense layers after them.
    """

    levels: int
    convolutions: tuple[Convolution, ...] = ()
    widths: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not all(isinstance(width, int | np.integer) and width > 0 for width in self.widths):
            raise SettingsError(f"widths of layers must be whole numbers from 1, not {self.widths}")
        if not 0 <= self.levels <= MAX_LEVELS:
            raise SettingsError(f"an input must have 0 ... {MAX_LEVELS} thresholds, not {self.levels}")

    def options(self) -> str:
        """The options of `sbgen train` for it."""
        layers = [
            f"{one.outputs}x{one.kernel}"
            + ("" if one.padding == (one.kernel - 1) // 2 else "v")
            + (f"p{one.pool}" if one.pool else "")
            + (f"g{one.groups}" if one.groups > 1 else "")
            for one in self.convolutions
        ]
        parts = [f"--conv {','.join(layers)}"] if layers else []
        hidden = ",".join(map(str, self.widths)) or "none"
        return " ".join([*parts, f"--hidden {hidden}", f"--levels {self.levels}"])


def default(kind: str, shape: Sequence[int]) -> Topology:
    """The network for samples of a kind, `samples.recipe.KINDS`, and shape, unless the user names another.

    They reach about what gradient boosting does on the sets of ``benchmarks/own_data.py`` and fit the
    smallest boards.
    """
    if kind == "table":
        return Topology(levels=8, widths=(128, 64))
    if kind == "sequence":
        length = shape[0]
        pools = [2 if length >= 2 ** (n + 3) else 0 for n in range(2)]
        convolutions = tuple(Convolution(outputs=64, kernel=5, padding=2, pool=pool) for pool in pools)
        return Topology(levels=8, convolutions=convolutions)
    side = min(shape[:2])
    if side < 8:
        return Topology(levels=4, widths=(128, 64))
    stages = min(4, int(math.log2(side)) - 1)
    return Topology(
        levels=2 if len(shape) == 2 else 4,
        convolutions=tuple(
            Convolution(outputs=outputs, kernel=3, padding=1, pool=2) for outputs in (16, 32, 48, 64)[:stages]
        ),
        widths=(64,),
    )


def thresholds(images: np.ndarray, kind: str, levels: int) -> np.ndarray | None:
    """Thresholds of every input, int64 (inputs, levels); None for 0 levels, whole numbers.

    Of tables and sequences, each column or channel has thresholds of its own, at quantiles of the training
    samples: between two thresholds lie about equally many. The inputs of images share thresholds, at
    quantiles of all pixels that are not 0 or 255; paper and ink of a drawing then count little.

    Parameters
    ----------
    images : uint8 array, shape (N, *shape)
        Training samples.
    kind : str
    levels : int
    """
    if not levels:
        return None
    inputs = math.prod(images.shape[1:])
    if kind == "image":
        grey = images[(images > 0) & (images < 255)]
        return np.tile(_quantiles(grey if grey.size > images.size // 100 else images, levels), (inputs, 1))
    columns = images.reshape(-1, images.shape[-1])
    table = np.stack([_quantiles(columns[:, n], levels) for n in range(columns.shape[1])])
    return np.tile(table, (inputs // len(table), 1))


def _quantiles(values: np.ndarray, levels: int) -> np.ndarray:
    """Increasing thresholds, int64 (levels,), of 1 ... 255; where values repeat, 256, which is never
    reached.
    """
    found, counts = np.unique(values, return_counts=True)
    if len(found) < 2:
        return np.array([128, *[256] * (levels - 1)], np.int64)
    below = np.cumsum(counts)[:-1]
    wanted = np.arange(1, levels + 1) * (values.size / (levels + 1))
    right = np.clip(np.searchsorted(below, wanted), 0, len(below) - 1)
    left = np.maximum(right - 1, 0)
    chosen = np.unique(np.where(wanted - below[left] < below[right] - wanted, left, right))
    middle = (found[chosen].astype(np.int64) + found[chosen + 1] + 1) // 2
    return np.concatenate([middle, np.full(levels - len(middle), 256)])


def parse_hidden(text: str) -> tuple[int, ...]:
    """Widths of dense layers, "64,64"; "none" is no layer."""
    if text == "none":
        return ()
    widths = text.split(",")
    if not all(width.isdecimal() and 0 < int(width) < 1 << 20 for width in widths):
        raise SettingsError(f"--hidden must be widths such as 64,64, or none, not {text!r:.60}")
    return tuple(map(int, widths))


def parse_convolutions(text: str) -> tuple[Convolution, ...]:
    """Convolutions, "16,32x5vp2g4": outputs, and if given the kernel's size (else 3), v for no padding, the
    pool's size (else none) and the groups (else 1).

    Without v an odd kernel is padded so that the image keeps its size.
    """
    if text == "none":
        return ()
    layers = []
    for part in text.split(","):
        match = _CONVOLUTION.fullmatch(part)
        bare = match is not None and match[3] == "v"
        sizes = [0] * 4 if match is None else [int(match[n] or 0) for n in (1, 2, 4, 5)]
        outputs, kernel, pool, groups = sizes[0], sizes[1] or 3, sizes[2], sizes[3] or 1
        if not 0 < outputs < 1 << 16 or max(kernel, pool) > 255:
            raise SettingsError(
                "--conv must be outputs, kernel, pooling and perhaps groups such as 16x3p2,32x3p2g2, or none,"
                f" not {part!r:.60}"
            )
        outputs, kernel, pool, groups = (
            sizes[0],
            sizes[1] or 3,
            sizes[2] if sizes[2] > 1 else 0,
            sizes[3] or 1,
        )
        padding = 0 if bare else (kernel - 1) // 2
        layers.append(Convolution(outputs=outputs, kernel=kernel, padding=padding, pool=pool, groups=groups))
    return tuple(layers)
