"""A core in its shell, as `sbgen build --core` hands it over: its own bench, and a linter."""

import numpy as np

from .. import tools
from ..compiler import cycles
from ..compiler.design import Design
from ..compiler.portable import ROMS
from ..compiler.simulate import require
from ..errors import ToolError
from ..handover import check as handed_over
from ..handover import folder
from ..handover.shell import SHELLS

__all__ = ["check"]


def check(design: Design, images: np.ndarray, *, shell: str, simulator: str, seed: int) -> str:
    """What Verilator's linter says in spite of the waiver: nothing, as it should be, or its first warning.

    Where it is not installed, only the bench is run.

    Parameters
    ----------
    design : Design
    images : uint8 array, shape (N, *image_shape)
        The bench also sends some of a wrong length.
    shell : str
        A key of `SHELLS`.
    simulator : str
        Of the bench.
    seed : int
        Decides whether pixels are packed, and how ROMs get their contents.

    Raises
    ------
    MismatchError
        When a result is wrong.
    """
    rng = np.random.default_rng([seed, 5])
    context = folder.prepare(
        design,
        images,
        name="core",
        shell=shell,
        cycles=cycles.predict(design),
        clock_mhz=100,
        packed=SHELLS[shell].marked and bool(rng.integers(2)),
        roms=ROMS[rng.integers(len(ROMS))],
    )
    files = folder.files(context)
    with tools.temporary() as scratch:
        handed_over.bench(context, files, scratch, simulator=simulator)
        try:
            require("verilator")
        except ToolError:
            return ""
        said = handed_over.lint(context, files, scratch)
        return said.partition("\n")[0]
