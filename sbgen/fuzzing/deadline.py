"""A call that must return within some time, with the tools that it runs."""

import multiprocessing
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
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
    # No pool: one whose worker is killed while it takes a call waits for its lock for ever.
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(there, function, args, kwargs))
    process.start()
    there.close()
    answered = False
    try:
        here.recv()  # it has begun: from here on time counts
        if not here.poll(seconds):
            raise TimeUpError
        result, error = here.recv()
        answered = True
    finally:
        if not answered and process.pid is not None:
            _end(process.pid)
        process.join()
        here.close()
    if error is not None:
        raise error
    return result


def _answer(to: Connection, function: Callable[..., object], args: tuple, kwargs: dict) -> None:
    """In the new process: where there are process groups, it and its tools are one."""
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)
    to.send(None)
    try:
        result, error = function(*args, **kwargs), None
    except Exception as raised:
        result, error = None, raised
    to.send((result, error))


def _end(process: int) -> None:
    """End a process and those that it started."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError):  # it has just ended
            os.killpg(process, signal.SIGKILL)
    else:
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(process)], check=False, capture_output=True)
