"""A failing design, made smaller and written to files with the command that repeats it."""

import shlex
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..boards.board_spec import BoardSpec
from ..compiler import design_file, exchange
from ..compiler import shrink as shrinking
from ..compiler.design import Design
from ..output_folder import staged
from .comparison import Failure, check

__all__ = ["OUTPUTS", "shrink", "write"]

#: Files of a failure.
OUTPUTS = ("network.json", "design.json", "images.npy", "failure.txt")

#: Maximum time for shrinking one failure, in seconds.
_SHRINK_SECONDS = 1800


def shrink(
    design: Design,
    images: np.ndarray,
    failure: Failure,
    *,
    simulator: str,
    seed: int,
    seconds: float,
    timeout: float,
    tries: int,
    board: BoardSpec | None,
    level: str,
    shell: str | None,
    progress: Callable[[int, Design], None],
) -> tuple[Design, np.ndarray, str]:
    """A smaller design that fails in the same kind, its images and the text of its failure.

    Parameters
    ----------
    seconds : float
        How long the check of the design took.
    timeout : float
        Maximum time that it might have taken.
    design, images, simulator, seed, board, level, shell
        As in `check`.
    tries, progress
        As in `sbgen.compiler.shrink.shrink`.
    """
    # Smaller designs are done sooner. Only one that never ends is waited for, and not for long.
    timeout = max(10, 2 * seconds) if failure.kind != "time" else max(1, timeout / 10)
    end, text = time.monotonic() + _SHRINK_SECONDS, failure.text

    def fails(design: Design, images: np.ndarray) -> bool:
        nonlocal text
        if time.monotonic() > end:
            return False
        found = check(
            design,
            images,
            simulator=simulator,
            seed=seed,
            timeout=timeout,
            board=board,
            level=level,
            shell=shell,
        )
        if found is None or found.kind != failure.kind:
            return False
        text = found.text
        return True

    design, images = shrinking.shrink(design, images, fails, tries=tries, progress=progress)
    return design, images, text


def write(
    out: Path,
    design: Design,
    images: np.ndarray,
    text: str,
    *,
    simulator: str,
    seed: int,
    board: BoardSpec | None,
    level: str,
    shell: str | None,
) -> str:
    """Write the files of a failure to the folder `out`; returns the command that repeats it."""
    files = [out / name for name in OUTPUTS[:3]]
    options = [
        word
        for pair in zip(("--network", "--design", "--images-from"), map(str, files), strict=True)
        for word in pair
    ]
    options += ["--simulator", simulator, "--seed", str(seed), "--shrink", "0"]
    if board is not None:
        options += ["--board", board.reference, "--level", level]
    if shell is not None:
        options += ["--shell", shell]
    command = shlex.join(["sbgen", "fuzz", *options])
    out.parent.mkdir(parents=True, exist_ok=True)
    with staged(out, names=OUTPUTS) as staging:
        exchange.save(design.network, staging / "network.json")
        design_file.save(design, staging / "design.json")
        np.save(staging / "images.npy", images)
        (staging / "failure.txt").write_text(f"{text}\n{command}\n", encoding="utf-8")
    return command
