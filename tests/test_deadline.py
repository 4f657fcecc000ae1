"""Both ways to end a call: by an alarm, and in a process of its own."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from sbgen import fuzzing
from sbgen.compiler.random_network import random_design, random_images
from sbgen.fuzzing import deadline

WAYS = {"process": deadline._in_process}
if hasattr(signal, "SIGALRM"):
    WAYS["alarm"] = deadline._by_alarm

#: A tool that says who it is and runs on.
TOOL = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)"


@pytest.fixture(params=WAYS)
def within(request):
    return WAYS[request.param]


def test_the_result(within):
    assert within(60, divmod, 7, 2) == (3, 1)
    assert within(60, int, "11", base=2) == 3


def test_an_error_is_that_of_the_call(within):
    with pytest.raises(ZeroDivisionError):
        within(60, divmod, 1, 0)


def test_a_call_that_takes_too_long(within):
    with pytest.raises(deadline.TimeUpError):
        within(0.3, time.sleep, 600)


def test_a_thread_has_no_alarm():
    """As a worker of a cluster calls it."""
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(deadline.within, 60, divmod, 7, 2).result() == (3, 1)
        with pytest.raises(deadline.TimeUpError):
            pool.submit(deadline.within, 0.3, time.sleep, 600).result()


def test_its_tools_are_ended(within, tmp_path):
    said = tmp_path / "process"
    with pytest.raises(deadline.TimeUpError):
        within(8, subprocess.run, [sys.executable, "-c", TOOL, str(said)], check=False)
    process = int(said.read_text())
    for _ in range(200):
        if not _runs(process):
            return
        time.sleep(0.05)
    raise AssertionError(f"process {process} runs on")


def _runs(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    status = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False
    )
    return not status.stdout.startswith("Z")  # nobody has asked how it ended


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="there is no alarm")
def test_an_earlier_alarm_goes_on():
    rung = []
    before = signal.signal(signal.SIGALRM, lambda *_: rung.append(True))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.4)
        deadline._by_alarm(60, time.sleep, 0.05)
        assert not rung
        time.sleep(0.5)
        assert rung
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_check_where_there_is_no_alarm(monkeypatch):
    monkeypatch.delattr(signal, "SIGALRM", raising=False)
    design = random_design(1, largest=6)
    images = random_images(1, design.network, 2)
    assert fuzzing.check(design, images, simulator="amaranth", timeout=600) is None
    failure = fuzzing.check(design, images, simulator="amaranth", timeout=0.001)
    assert failure == fuzzing.Failure(kind="time", text="must be done within 0.001 s, but was not")
