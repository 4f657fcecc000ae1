"""How a layer is folded: how much of it is computed at once, and where its memories are."""

from dataclasses import dataclass

__all__ = ["UNROLLED", "Folding"]

#: The store of weights that are wired in.
UNROLLED = "unrolled"


@dataclass(frozen=True, kw_only=True)
class Folding:
    """How one layer is folded.

    Parameters
    ----------
    pe : int
        Outputs at once, 1 ... outputs; of a convolution, those of a group.
    simd : int
        Inputs at once, 1 ... inputs. A convolution takes channels (of a group) of one pixel, or all of them
        for several pixels under the kernel; a pooling layer takes channels, `Binarize` and `Lookup` pixels.
        In a layer without weights `pe` follows from `simd`.
    store, preset_store, replay_store : str
        Where the weights, the thresholds (or score offsets) and the buffered input (or line buffers, running
        sums, or a fork's shortcut) are: ``"bram"`` or ``"lut"``. Weights can also be in ``"spram"``, which is
        filled at start-up (``docs/spram.md``). Those of a `Dense` or `Scores` with the maximum `pe` and
        `simd` can be ``"unrolled"``: wired into the logic, which then takes a vector in each cycle.
    registered : bool
        For large devices: whether weights, thresholds and inputs of a layer with weights pass one more
        register after their memories, which slow memories need, and payloads have no reset, whose net would
        be too long.
    sprams : int or None
        Number of SPRAMs for the weights, if `store` is ``"spram"``; the rest of each word is in block RAM.
        None is as many as a word takes.
    rows : int or None
        Rows that the line buffers of a convolution or pooling layer hold; None is the minimum. With twice the
        rows of the kernel, the next image comes in while the kernel is at the bottom of this one.
    levels : int
        Maximum number of look-up tables that a bit of an unrolled layer passes between two registers.
    """

    pe: int
    simd: int
    store: str = "bram"
    preset_store: str = "lut"
    replay_store: str = "bram"
    registered: bool = False
    sprams: int | None = None
    rows: int | None = None
    levels: int = 4

    @property
    def unrolled(self) -> bool:
        """Whether weights are wired in."""
        return self.store == UNROLLED
