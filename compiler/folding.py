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
        Inputs at once, 1 ... inputs; of a convolution channels (of a group) of one pixel, or all of them for
        several pixels under the kernel; of a pooling layer channels at once; of `Binarize` and `Lookup`
        pixels at once, and there as in pooling and all that is done element by element `pe` follows from it.
    store, preset_store, replay_store : str
        Where the weights, the thresholds (or score offsets) and the buffered input (or line buffers, sums
        under way, or a fork's shortcut) live: ``"bram"`` or ``"lut"``; the weights also ``"spram"``, which is
        filled at start-up (``docs/spram.md``), and those of a `Dense` or `Scores` with the greatest `pe` and
        `simd` ``"unrolled"``: wired into the logic, which then takes a vector in each cycle.
    registered : bool
        Whether weights, thresholds and inputs of a layer with weights pass a register more behind their
        memories, which slow ones need, and payloads have no reset, whose net would be too long: for large
        devices.
    sprams : int or None
        SPRAMs that the weights live in, where `store` is ``"spram"``; what a word of them has beyond those
        lives in block RAM. None is as many as a word takes.
    rows : int or None
        Rows that the line buffers of a convolution or pooling layer hold; None is the fewest that do. Twice
        the rows of the kernel let the next image come in while the kernel is at the bottom of this one.
    levels : int
        Most look-up tables that a bit of an unrolled layer passes between two registers.
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
        return self.store == UNROLLED
