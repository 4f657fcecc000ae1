"""How a layer is folded: how much of it is computed at once, and where its memories are.

A folding is a value of the class that fits its kind of layer, with the fields that mean something there. What
is legal for any layer of the kind is checked where the folding is created; what depends on the sizes of the
layer, where both meet (`sbgen.compiler.layers.Rule.check`).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

from ..errors import ModelError
from ..hw.rom import STORES

__all__ = [
    "UNROLLED",
    "ConvFolding",
    "Folding",
    "LaneFolding",
    "QueueFolding",
    "Rom",
    "Spram",
    "ThresholdFolding",
    "Unrolled",
    "UnrolledScores",
    "WeightedFolding",
    "WindowFolding",
]


#: The store of weights that are wired in.
UNROLLED = "unrolled"


def _check(holds: bool, what: str) -> None:
    if not holds:
        raise ModelError(what)


def _check_count(name: str, found: object) -> None:
    _check(type(found) is int and found >= 1, f"{name} must be an integer of at least 1, not {found!r}")


def _check_store(name: str, found: object) -> None:
    stores: Collection[str] = tuple(STORES)
    _check(found in stores, f"{name} must be one of {', '.join(stores)}, not {found!r}")


@dataclass(frozen=True)
class Rom:
    """Weights in a ROM.

    Parameters
    ----------
    store : str
        ``"bram"`` or ``"lut"``.
    """

    store: str = "bram"

    def __post_init__(self) -> None:
        _check_store("store", self.store)


@dataclass(frozen=True)
class Spram:
    """Weights in single-port RAMs, which are filled at start-up (``docs/spram.md``).

    Parameters
    ----------
    count : int or None
        Their number; the rest of each word is in block RAM. None is as many as a word takes.
    """

    store: ClassVar[str] = "spram"
    count: int | None = None

    def __post_init__(self) -> None:
        if self.count is not None:
            _check_count("sprams", self.count)


@dataclass(frozen=True, kw_only=True)
class Folding:
    """What is common to the foldings of all kinds of layers."""

    @property
    def store(self) -> str | None:
        """Where weights are: ``"bram"``, ``"lut"``, ``"spram"`` or ``"unrolled"``; None if there are none."""
        return None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """A folding of this class, with those of its fields that `values` has."""
        return cls(**{field.name: values[field.name] for field in fields(cls) if field.name in values})


@dataclass(frozen=True, kw_only=True)
class LaneFolding(Folding):
    """The folding of a layer without a memory: `Binarize`, `Lookup`, `Add`.

    Parameters
    ----------
    simd : int
        Inputs at once, 1 ... inputs: pixels of `Binarize` and `Lookup`, channels of others. Outputs at once
        follow from it.
    """

    simd: int

    def __post_init__(self) -> None:
        _check_count("simd", self.simd)


@dataclass(frozen=True, kw_only=True)
class ThresholdFolding(LaneFolding):
    """The folding of a `Threshold`.

    Parameters
    ----------
    preset_store : str
        Where the thresholds are: ``"bram"`` or ``"lut"``.
    """

    preset_store: str = "lut"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_store("preset_store", self.preset_store)


@dataclass(frozen=True, kw_only=True)
class QueueFolding(LaneFolding):
    """The folding of a `Fork` or a `Switch`.

    Parameters
    ----------
    replay_store : str
        Where the shortcut's queue is, in other layers the buffered input: ``"bram"`` or ``"lut"``.
    """

    replay_store: str = "bram"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_store("replay_store", self.replay_store)


@dataclass(frozen=True, kw_only=True)
class WindowFolding(QueueFolding):
    """The folding of a pooling layer; `replay_store` is where line buffers and running sums are.

    Parameters
    ----------
    rows : int or None
        Rows that the line buffers hold; None is the minimum, and the only value of a layer without line
        buffers. With twice the rows of the kernel, the next image comes in while the kernel is at the bottom
        of this one.
    queued : bool
        Whether a queue of two places behind the line buffers keeps what comes after them off their critical
        path; False in a layer without line buffers.
    """

    rows: int | None = None
    queued: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rows is not None:
            _check_count("rows", self.rows)
        _check(type(self.queued) is bool, f"queued must be true or false, not {self.queued!r}")


@dataclass(frozen=True, kw_only=True)
class WeightedFolding(QueueFolding):
    """The folding of a `Dense` or `Scores` whose weights are in a memory.

    Parameters
    ----------
    pe : int
        Outputs at once, 1 ... outputs; of a convolution, those of a group.
    weights : Rom or Spram
        Where the weights are.
    preset_store : str
        Where the thresholds, score offsets or scales are: ``"bram"`` or ``"lut"``.
    registered : bool
        For large devices: whether weights, thresholds and inputs pass one more register after their memories,
        which slow memories need. In a design with such a layer payloads have no reset, whose net would be too
        long.
    """

    pe: int
    weights: Rom | Spram = Rom()
    preset_store: str = "lut"
    registered: bool = False

    def __post_init__(self) -> None:
        _check_count("pe", self.pe)
        super().__post_init__()
        _check_store("preset_store", self.preset_store)
        _check(type(self.registered) is bool, f"registered must be true or false, not {self.registered!r}")

    @property
    def store(self) -> str:
        return self.weights.store


@dataclass(frozen=True, kw_only=True)
class ConvFolding(WeightedFolding, WindowFolding):
    """The folding of a `Conv2d`: `simd` channels (of a group) of one pixel, or all of them for several pixels
    under the kernel; `pe` outputs of a group; `replay_store` is where the line buffers are.

    Parameters
    ----------
    at_once : int
        Adjacent positions of a row that meet each weight word together, 1 ... columns of the output.
    patches : bool
        Whether each pixel of the rows under the kernel is read once, into a register as large as the kernel,
        not once for each position that it is under. Only without groups, and with all channels at once.
    splitter_store : str
        Where the outputs of positions that are computed together wait for their turn: ``"lut"`` or
        ``"bram"``.
    """

    at_once: int = 1
    patches: bool = False
    splitter_store: str = "lut"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_count("at_once", self.at_once)
        _check_store("splitter_store", self.splitter_store)
        _check(type(self.patches) is bool, f"patches must be true or false, not {self.patches!r}")


@dataclass(frozen=True, kw_only=True)
class Unrolled(Folding):
    """The folding of a `Dense` or `Scores` whose weights are wired into the logic, which takes a vector in
    each cycle.

    Parameters
    ----------
    levels : int
        Maximum number of look-up tables that a bit passes between two registers.
    table_inputs : int
        Maximum inputs of a table, 4 ... 8: those of the device's LUTs.
    """

    levels: int = 4
    table_inputs: int = 4

    def __post_init__(self) -> None:
        _check_count("levels", self.levels)
        _check(
            type(self.table_inputs) is int and 4 <= self.table_inputs <= 8,
            f"table_inputs must be an integer in 4 ... 8, not {self.table_inputs!r}",
        )

    @property
    def store(self) -> str:
        return UNROLLED


@dataclass(frozen=True, kw_only=True)
class UnrolledScores(Unrolled):
    """The unrolled folding of `Scores`.

    Parameters
    ----------
    preset_store : str
        Where the scales are: ``"bram"`` or ``"lut"``.
    """

    preset_store: str = "lut"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_store("preset_store", self.preset_store)
