"""Blind mutations of sound input for every reader; `hostile.py` does the same guided by coverage, for as long
as one likes.
"""

import os
import random
import subprocess
import sys
import traceback
from contextlib import suppress
from functools import partial
from pathlib import Path

import hostile
import pytest

from sbgen.errors import SbgenError

with suppress(ImportError):  # not on Windows
    import resource

#: What a reader needs besides numpy.
NEEDS = {"pt": "torch", "pickle": "torch", "qonnx": "onnx", "larq": "h5py"}


@pytest.fixture(params=hostile.READERS)
def name(request):
    if request.param in NEEDS:
        pytest.importorskip(NEEDS[request.param])
    return request.param


@pytest.fixture
def reader(name):
    return hostile.READERS[name]


def read_apart(reader, data):
    """`reader(data)` in a process of its own; where that does not end, or not by itself, the file is refused.

    `keras_file.read` does the same for a user. Here the seconds are the processor's.
    """
    process = os.fork()
    if process == 0:
        try:
            resource.setrlimit(resource.RLIMIT_CPU, (10, 11))
            os._exit(0 if reader(data) else 1)
        except BaseException:  # noqa: BLE001
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(2)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    assert code < 2, "the process that read it says why"
    return code == 0


def test_sound_input_is_read(reader):
    for seed in reader.seeds():
        reader.read(reader.prepare(seed))


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")  # of os.fork
def test_a_mutation_is_read_or_refused_by_name(reader, name):
    if name == "larq" and not hasattr(os, "fork"):
        pytest.skip("damaged files can hang the HDF5 library, and only a fork of this process is fast")
    read = partial(read_apart, reader) if name == "larq" else reader
    seeds = reader.seeds()
    reader.warm()
    start = random.SystemRandom().randrange(1 << 32)
    refused = 0
    for n in range(start, start + 60):
        print("seed", n)
        rng = random.Random(n)
        data = rng.choice(seeds)
        for _ in range(rng.randint(1, 2)):
            data = reader.mutate(data, rng)
        refused += not read(data)
    assert refused


@pytest.mark.parametrize(
    "act",
    [
        lambda: os.system("true"),
        lambda: subprocess.run(["true"], check=True),
        lambda: exec("1"),  # noqa: S102
        lambda: Path(os.devnull).write_text(""),
    ],
    ids=["system", "subprocess", "exec", "open"],
)
def test_the_guard_refuses_what_only_a_program_may_do(act):
    with pytest.raises(hostile.Executed):
        hostile.Reader(seeds=list, read=lambda data: act())(b"")


def test_another_exception_is_a_finding():
    def read(data):
        raise KeyError(data)

    with pytest.raises(KeyError):
        hostile.Reader(seeds=list, read=read)(b"")


def test_a_named_error_is_a_refusal():
    def read(data):
        raise SbgenError("no")

    assert not hostile.Reader(seeds=list, read=read)(b"")
