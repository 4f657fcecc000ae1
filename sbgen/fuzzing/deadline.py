"""A call that must return within some time, with the tools that it runs."""

import multiprocessing
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import ParamSpec, TypeVar

__all__ = ["TimeUpError", "within"]

P = ParamSpec("P")
Result = TypeVar("Result")


class TimeUpError(Exception):
    """A call takes too long."""


def within(seconds: float, function: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
    """What the function returns.

    The function must be importable and its arguments picklable: where there is no alarm (Windows, and threads
    such as those of a cluster's workers), it runs in a process of its own.

    Raises
    ------
    TimeUpError
        When it takes longer. The tools that it runs are ended.
    """
    in_main = threading.current_thread() is threading.main_thread()
    way = _by_alarm if hasattr(signal, "SIGALRM") and in_main else _in_process
    return way(seconds, function, *args, **kwargs)


def _by_alarm(seconds: float, function: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
    """An alarm ends the call by an exception; one that was set before goes on."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise TimeUpError

    start, handler = time.monotonic(), signal.signal(signal.SIGALRM, ring)
    earlier, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        return function(*args, **kwargs)
    finally:
        signal.setitimer(
            signal.ITIMER_REAL, max(0.001, earlier - (time.monotonic() - start)) if earlier else 0
        )
        signal.signal(signal.SIGALRM, handler)


def _in_process(seconds: float, function: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
    """A process of its own, which is ended with the tools that it started."""
    with multiprocessing.get_context("spawn").Pool(1, _begin) as pool:
        process = pool.apply(os.getpid)
        try:
            return pool.apply_async(function, args, kwargs).get(seconds)
        except multiprocessing.TimeoutError:
            _end(process)
            raise TimeUpError from None


def _begin() -> None:
    """In the new process: where there are process groups, it and its tools are one."""
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)


def _end(process: int) -> None:
    """End a process and those that it started."""
    if hasattr(os, "killpg"):
        os.killpg(process, signal.SIGKILL)
    else:
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(process)], check=False, capture_output=True)
