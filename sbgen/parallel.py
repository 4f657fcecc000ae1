"""Functions that run at the same time, each with its steps on one console."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar, cast

from .console import Console

__all__ = ["both", "run"]

Result = TypeVar("Result")
Other = TypeVar("Other")


def run(
    console: Console, functions: Sequence[Callable[[], Result]], *, jobs: int | None = None
) -> list[Result]:
    """Call functions in threads; the first that fails stops the others.

    Parameters
    ----------
    console : Console
        The one on which the functions show their steps: stopping them is done through it.
    functions : sequence of callable
    jobs : int or None
        How many run at a time; None is all.

    Returns
    -------
    list
        The results, in the order of `functions`.
    """
    with ThreadPoolExecutor(max_workers=jobs or len(functions)) as pool:
        futures = [pool.submit(function) for function in functions]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:  # also Ctrl-C, which ends the wait
            console.cancel()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [future.result() for future in futures]


def both(console: Console, first: Callable[[], Result], second: Callable[[], Other]) -> tuple[Result, Other]:
    """The results of two functions, as of `run`."""
    results = run(console, [first, second])
    return cast(Result, results[0]), cast(Other, results[1])
