"""Many calls at the same time: in this process, in worker processes of this machine, or on a cluster that
exists. Dask (`distributed`) runs them, repeats those of a worker that dies, and moves their data.
"""

import argparse
import logging
import platform
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from . import __version__
from .arguments import at_least
from .errors import ToolError

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["Cluster", "Here", "Place", "add_arguments", "place"]

Item = TypeVar("Item")

#: Seconds in which a scheduler must answer, and in which one worker must have joined it.
_ANSWER = 10


class Place(Protocol):
    """Where calls run."""

    @property
    def workers(self) -> int:
        """Calls that run at the same time, at least 1."""

    def share(self, value: Any) -> Any:
        """A value as an argument of many calls, of which each worker has one copy."""

    def map(
        self, function: Callable[..., Any], items: Sequence[Item], *shared: Any
    ) -> Iterator[tuple[Item, Any]]:
        """``function(item, *shared)`` of every item, each with its item as soon as it is there. The first
        exception of a call is raised; calls that have not begun are then dropped.
        """


class Here:
    """One call at a time, in this process."""

    workers = 1

    def share(self, value: Any) -> Any:
        return value

    def map(
        self, function: Callable[..., Any], items: Sequence[Item], *shared: Any
    ) -> Iterator[tuple[Item, Any]]:
        for item in items:
            yield item, function(item, *shared)


class Cluster:
    """The workers of a Dask scheduler."""

    def __init__(self, client: "Client", about: str) -> None:
        self._client = client
        self._about = about

    @property
    def workers(self) -> int:
        """Threads of all workers that are there now, at least 1."""
        return max(1, sum(self._client.nthreads().values()))

    def share(self, value: Any) -> Any:
        # Computed by a call, not scattered: Dask repeats a call whose worker died, and would lose data.
        return self._client.submit(_itself, value, pure=False)

    def map(
        self, function: Callable[..., Any], items: Sequence[Item], *shared: Any
    ) -> Iterator[tuple[Item, Any]]:
        from distributed import as_completed

        calls = {self._client.submit(function, item, *shared, pure=False): item for item in items}
        try:
            for future in as_completed(list(calls), loop=self._client.loop):
                yield calls[future], self._result(future)
        finally:
            self._client.cancel(list(calls), force=True)

    def _result(self, future: Any) -> Any:
        from distributed import CancelledError, KilledWorker

        try:
            return future.result()
        except KilledWorker as error:
            raise ToolError(
                f"a worker of {self._about} must live through a call, but one call has ended"
                f" {error.allowed_failures + 1} workers; give workers more memory, or use fewer of them"
            ) from error
        except CancelledError as error:
            raise ToolError(
                f"{self._about} must stay until the end, but its scheduler is gone; start it again, then the"
                " same command"
            ) from error


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--workers`` and ``--scheduler``."""
    group = parser.add_argument_group(
        "cluster", "Worker processes by Dask: `pip install 'sbgen[search]'`, on all machines."
    )
    where = group.add_mutually_exclusive_group()
    where.add_argument("--workers", type=at_least(1), metavar="N", help="worker processes on this machine")
    where.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="a Dask scheduler, such as tcp://host:8786; it and its workers have this sbgen",
    )


@contextmanager
def place(arguments: argparse.Namespace, *, workers: int | None = None) -> Iterator[Place]:
    """The place that the options name; without any, `workers` processes, or this process if that is None.

    Raises
    ------
    ToolError
        Dask is not installed, no scheduler answers, it has no workers, or their sbgen is another.
    """
    workers = arguments.workers or workers
    if arguments.scheduler is None and workers is None:
        yield Here()
        return
    try:
        import dask
        import distributed
    except ImportError as error:
        raise ToolError(
            "workers need Dask, which is not installed; try `pip install 'sbgen[search]'`"
        ) from error
    quiet = {
        "logging.distributed": "critical",
        # A call may keep its worker's interpreter busy for minutes, which is no reason to give it up.
        "distributed.admin.tick.limit": "1h",
        # Calls may have processes of their own.
        "distributed.worker.daemon": False,
        "distributed.comm.timeouts.connect": f"{_ANSWER}s",
    }
    with dask.config.set(quiet), warnings.catch_warnings():
        # Samples travel with the first call that needs them.
        warnings.filterwarnings("ignore", message="Sending large graph", category=UserWarning)
        if arguments.scheduler is not None:
            with _client(distributed, arguments.scheduler) as client:
                _check(client, arguments.scheduler)
                yield Cluster(client, arguments.scheduler)
            return
        with _local(distributed, workers) as local, _client(distributed, local) as client:
            yield Cluster(client, "this machine")


def _local(distributed: Any, workers: int | None) -> Any:
    """Worker processes here. They start while Ctrl-C is ignored, and so ignore it: it is for this process."""
    in_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN) if in_main else None
    try:
        return distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            memory_limit=None,
            silence_logs=logging.CRITICAL,
        )
    finally:
        if in_main:
            signal.signal(signal.SIGINT, before)


@contextmanager
def _client(distributed: Any, address: Any) -> Iterator["Client"]:
    try:
        client = distributed.Client(address, timeout=_ANSWER, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise ToolError(
            f"--scheduler must be the address of a Dask scheduler that answers, such as tcp://host:8786, but"
            f" {address} does not within {_ANSWER} s; start one with `dask scheduler`"
        ) from error
    try:
        yield client
    finally:
        client.close(timeout=_ANSWER)


def _check(client: "Client", address: str) -> None:
    """Raise a `ToolError` unless there are workers, with this Python and this sbgen."""
    try:
        client.wait_for_workers(1, timeout=_ANSWER)
    except TimeoutError as error:
        raise ToolError(
            f"the scheduler {address} must have workers, but none has joined it within {_ANSWER} s; start"
            f" some with `dask worker {address}`"
        ) from error
    ours = _versions()
    try:
        # The scheduler reads the calls as well, before it hands them on.
        found = {"scheduler": client.run_on_scheduler(_versions), **client.run(_versions)}
    except Exception as error:  # whatever the import of sbgen raises there
        raise ToolError(
            f"scheduler and workers of {address} must have sbgen {ours['sbgen']} installed, but"
            f" {' '.join(str(error).split()):.120}"
        ) from error
    for where, theirs in found.items():
        for name, version in ours.items():
            if theirs[name] != version:
                raise ToolError(
                    f"scheduler and workers must have {name} {version} like this process, but {where} has"
                    f" {theirs[name]}"
                )


def _versions() -> dict[str, str]:
    return {"sbgen": __version__, "Python": ".".join(platform.python_version_tuple()[:2])}


def _itself(value: Any) -> Any:
    return value
