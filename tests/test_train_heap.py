"""Freed memory stays in the process of a training; each case changes the allocator of its own process."""

import platform
import subprocess
import sys

import pytest

pytest.importorskip("torch")

#: Page faults of 10 tensors of 32 MiB, one after the other, after 10 others.
FAULTS = """
import resource, torch
torch.set_num_threads(1)
{before}
def tensor():
    torch.ones(1 << 23)
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    tensor()
start = faults()
for _ in range(10):
    tensor()
print(faults() - start)
"""


def faults(before):
    done = subprocess.run(
        [sys.executable, "-c", FAULTS.format(before=before)], check=True, capture_output=True, text=True
    )
    return int(done.stdout)


#: What a command does before it trains, and a worker.
CALLS = {
    "train": "from sbgen.commands import train; train._require_torch(1)",
    "search": "from sbgen.searching import evaluate; evaluate._one_thread()",
}


@pytest.mark.parametrize("call", CALLS)
def test_tensors_take_the_memory_of_those_before(call):
    if platform.libc_ver()[0] != "glibc":
        pytest.skip("another C library has no mallopt")
    # Ten tensors have 81,920 pages of 4 KiB. Some may lie where none was before.
    assert faults(CALLS[call]) < 40_000
