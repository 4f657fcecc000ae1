"""A training with several seeds, of which the best on the validation samples is kept."""

import os
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .console import Console

if TYPE_CHECKING:  # it needs torch
    from .train.experiment import Result

__all__ = ["best_of"]


def best_of(
    seeds: Sequence[int], out: Path, train: Callable[[int, Path], "Result"], console: Console
) -> "Result":
    """Train once with each seed; keep the file of the best, and print the spread.

    Parameters
    ----------
    seeds : sequence of int
    out : Path
        The model file. With several seeds, each training writes one next to it first.
    train : callable
        From a seed and a model file to the result.
    console : Console

    Returns
    -------
    Result
        That of the highest hardened validation accuracy, the first on a tie.
    """
    if len(seeds) == 1:
        return train(seeds[0], out)
    files = [out.with_name(f"{out.name}.seed{seed}") for seed in seeds]
    try:
        results = [train(seed, file) for seed, file in zip(seeds, files, strict=True)]
        best = max(range(len(seeds)), key=lambda n: results[n].accuracy["validation"]["hardened"])
        os.replace(files[best], out)
    finally:
        for file in files:
            file.unlink(missing_ok=True)
    parts = list(results[0].accuracy)
    console.line()
    console.table(
        ["seed", *parts],
        [
            [
                f"{seed}{' <- kept' * (n == best)}",
                *(f"{results[n].accuracy[part]['hardened']:.2%}" for part in parts),
            ]
            for n, seed in enumerate(seeds)
        ],
    )
    for part in parts:
        values = [result.accuracy[part]["hardened"] for result in results]
        console.line(
            f"  {part}: mean {statistics.mean(values):.2%}, standard deviation"
            f" {100 * statistics.stdev(values):.2f} points"
        )
    return results[best]
