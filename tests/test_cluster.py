"""Calls in worker processes: those of this machine, and those of a Dask scheduler on loopback."""

import os
import signal
import socket
import subprocess
import sys
import time
from argparse import Namespace
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from processes import started

from sbgen import cluster
from sbgen.errors import ToolError

pytest.importorskip("distributed")


def options(workers=None, scheduler=None):
    return Namespace(workers=workers, scheduler=scheduler)


def tripled(item, offset):
    return 3 * item + offset, os.getpid()


def fatal_once(item, folder):
    """Ends its worker at the first call of item 3, as the kernel does when memory is short."""
    mark = os.path.join(folder, "killed")
    if item == 3 and not os.path.exists(mark):
        with open(mark, "w", encoding="ascii"):
            pass
        os.kill(os.getpid(), signal.SIGKILL)
    return item, os.getpid()


def fatal(item):
    os.kill(os.getpid(), signal.SIGKILL)


def failing(item):
    if item == 2:
        raise ToolError("item 2 must not fail")
    return item


def test_without_options_calls_run_here():
    with cluster.place(options()) as here:
        found = list(here.map(tripled, [5, 1], here.share(2)))
    assert found == [(5, (17, os.getpid())), (1, (5, os.getpid()))] and here.workers == 1


def test_workers_of_this_machine(tmp_path):
    """Calls, a worker that is killed, and an exception, with the same two workers."""
    with cluster.place(options(workers=2)) as place:
        assert place.workers == 2
        found = dict(place.map(tripled, range(8), place.share(100)))
        assert {item: value for item, (value, _) in found.items()} == {n: 3 * n + 100 for n in range(8)}
        pids = {pid for _, pid in found.values()}
        assert os.getpid() not in pids and 1 <= len(pids) <= 2

        shared = place.share(str(tmp_path))
        found = dict(place.map(fatal_once, range(6), shared))
        assert {item: value for item, (value, _) in found.items()} == {n: n for n in range(6)}
        assert (tmp_path / "killed").exists()
        # What the worker held is there again.
        assert dict(place.map(tripled, [1], place.share(1)))[1][0] == 4

        with pytest.raises(ToolError, match="item 2 must not fail"):
            list(place.map(failing, range(4)))
        with pytest.raises(ToolError, match="one call has ended 4 workers"):
            list(place.map(fatal, [0]))


def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def scheduler(workers):
    """A Dask scheduler and worker processes on loopback, as `dask scheduler` and `dask worker` start them."""
    address = f"tcp://127.0.0.1:{(number := port())}"
    here = os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    where = ["--host", "127.0.0.1", "--no-dashboard"]
    with ExitStack() as stack:

        def start(module, *words):
            argv = [sys.executable, "-m", f"distributed.cli.{module}", *words]
            output = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            return stack.enter_context(started(argv, env={**os.environ, "PYTHONPATH": here}, **output))

        start("dask_scheduler", *where, "--port", str(number))
        wait_for(number)
        nanny = ["--no-nanny", "--no-dashboard", "--nthreads", "1", "--host", "127.0.0.1"]
        yield address, [start("dask_worker", address, *nanny) for _ in range(workers)]


def wait_for(number):
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", number)) == 0:
                return
        time.sleep(0.1)


def slow(item):
    time.sleep(0.3)
    return os.getpid()


def test_a_scheduler_with_two_workers_of_which_one_is_killed():
    with scheduler(2) as (address, workers), cluster.place(options(scheduler=address)) as place:
        while place.workers < 2:
            time.sleep(0.1)
        shared, results = place.share(7), {}
        for item, pid in place.map(slow, range(10)):
            results[item] = pid
            if len(results) == 2:
                workers[0].kill()
        assert sorted(results) == list(range(10)) and {worker.pid for worker in workers} >= set(
            results.values()
        )
        assert dict(place.map(tripled, [1, 2], shared)) == {n: (3 * n + 7, workers[1].pid) for n in (1, 2)}


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:{port}", "nonsense:x", "tcp://", ""])
def test_a_scheduler_that_does_not_answer(address, monkeypatch):
    monkeypatch.setattr(cluster, "_ANSWER", 1)
    with (
        pytest.raises(ToolError, match="--scheduler must be the address of a Dask scheduler"),
        cluster.place(options(scheduler=address.format(port=port()))),
    ):
        pass


def test_a_scheduler_without_workers(monkeypatch):
    monkeypatch.setattr(cluster, "_ANSWER", 1)
    with (
        scheduler(0) as (address, _),
        pytest.raises(ToolError, match="must have workers"),
        cluster.place(options(scheduler=address)),
    ):
        pass


def test_a_scheduler_with_another_sbgen(monkeypatch):
    monkeypatch.setattr(cluster, "_ANSWER", 60)
    monkeypatch.setattr(cluster, "__version__", "9.9")
    with (
        scheduler(1) as (address, _),
        pytest.raises(ToolError, match=r"must have sbgen 9.9 like this process, but scheduler has 0"),
        cluster.place(options(scheduler=address)),
    ):
        pass
