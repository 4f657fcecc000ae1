"""Blind mutations of sound input for every reader; `hostile.py` does the same guided by coverage, for as long
as one likes.
"""

import os
import random
import subprocess
from pathlib import Path

import hostile
import pytest

from sbgen.errors import SbgenError

#: What a reader needs besides numpy.
NEEDS = {"pt": "torch", "pickle": "torch", "qonnx": "onnx", "larq": "h5py"}


@pytest.fixture(params=hostile.READERS)
def reader(request):
    if request.param in NEEDS:
        pytest.importorskip(NEEDS[request.param])
    return hostile.READERS[request.param]


def test_sound_input_is_read(reader):
    for seed in reader.seeds():
        reader.read(reader.prepare(seed))


def test_a_mutation_is_read_or_refused_by_name(reader):
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
        refused += not reader(data)
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
