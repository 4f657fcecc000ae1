"""Processes that a test starts: they and their children end with the block that started them."""

import os
import signal
import subprocess
from contextlib import contextmanager, suppress

__all__ = ["started"]


@contextmanager
def started(argv, **settings):
    """A `subprocess.Popen` in a process group of its own; on leaving the block, the group is killed and the
    process waited for.
    """
    process = subprocess.Popen(argv, start_new_session=True, **settings)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with process:  # closes its pipes and waits
            pass
