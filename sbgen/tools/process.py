"""Running a tool: its output while it runs, its log, and limits of its time."""

import os
import re
import shlex
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from ..errors import ToolError
from ..system import blame, full
from .catalog import KNOWN
from .search import Tool

__all__ = ["OutOfTime", "Stopper", "run", "temporary"]


class OutOfTime(ToolError):
    """A tool has used up the processor time that it was given."""


@contextmanager
def temporary(prefix: str = "sbgen-", *, parent: Path | str | None = None) -> Iterator[Path]:
    """A temporary folder for tools to work in, removed at the end.

    An error about a full disk is given the folder's name while the folder is there.
    """
    with tempfile.TemporaryDirectory(prefix=prefix, dir=parent) as folder:
        try:
            yield Path(folder)
        except OSError as error:
            blame(error, Path(folder))
            raise
        except ToolError as error:
            if folder in str(error):
                error.args = (error.what,)  # its log is removed with the folder
            raise


class Stopper:
    """Ends a tool from another thread: at once, or as soon as it starts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self.stopped = False

    def stop(self) -> None:
        """End the tool; its `run` raises `ToolError`."""
        with self._lock:
            self.stopped = True
            if self._process is not None:
                self._process.kill()

    def watch(self, process: subprocess.Popen[str] | None) -> None:
        """Take charge of a process; None when it has ended."""
        with self._lock:
            self._process = process
            if self.stopped and process is not None:
                process.kill()


def run(
    tool: Tool,
    args: Iterable[str],
    *,
    cwd: Path | str,
    log: Path | str,
    on_line: Callable[[str], None] = lambda line: None,
    stopper: Stopper | None = None,
    processor_seconds: int | None = None,
) -> str:
    """Run a tool to its end and return what it printed, standard error included.

    Parameters
    ----------
    args : iterable of str
        The tool's arguments. Paths should be relative to `cwd`: WebAssembly tools see little else, and
        outputs stay free of machine paths.
    log : path
        File that gets the command and everything printed, while it is printed.
    on_line : callable
        Called with each line, without its end, as soon as it is printed.
    stopper : Stopper, optional
        Can end the tool.
    processor_seconds : int, optional
        Ends the tool after so many seconds of processor time, however long it waits for a processor (POSIX
        only).

    Raises
    ------
    OutOfTime
        When it was ended after `processor_seconds`.
    ToolError
        When it exits with anything but 0; quotes the tool's own error lines and names the log.
    """
    log, args = Path(log), list(map(str, args))
    argv = [*tool.argv, *args]
    limited = processor_seconds is not None and os.name == "posix"
    if limited:
        # The soft limit alone: SIGXCPU ends the tool, and no other signal is taken for the limit.
        argv = ["/bin/sh", "-c", f'ulimit -c 0; ulimit -S -t {processor_seconds:d} && exec "$@"', "sh", *argv]
    with open(log, "w", encoding="utf-8") as file:
        print("$", shlex.join([tool.name, *args]), file=file, flush=True)
        process = _start(tool, argv, cwd)
        lines = _follow(process, file, on_line, stopper or Stopper())
    code = process.returncode
    if limited and code in (-signal.SIGXCPU, 128 + signal.SIGXCPU):
        raise OutOfTime(
            f"{tool.name} must be done within {processor_seconds} s of the processor, but was not", log=log
        )
    if code != 0:
        quoted = " | ".join(_error_lines(lines)) or "it said nothing"
        ended = f"ended by signal {-code}" if code < 0 else f"failed with code {code}"
        # What a tool says of a file that was cut off may be anything.
        where = full(cwd, log.parent)
        disk = f"; there is no room left in {where}, make some" if where else ""
        raise ToolError(f"{tool.name} {ended}: {quoted}{disk}", log=log)
    return "\n".join(lines)


def _start(tool: Tool, argv: list[str], cwd: Path | str) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            argv,
            cwd=cwd,
            env={**os.environ, **dict(tool.env)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        raise ToolError(
            f"{tool.name} must start, but {tool.argv[0]} does not ({error.strerror}); "
            f"try: {KNOWN[tool.name].remedy}"
        ) from error


def _follow(
    process: subprocess.Popen[str], log: TextIO, on_line: Callable[[str], None], stopper: Stopper
) -> list[str]:
    """The lines that a process prints until it ends, each passed on at once."""
    assert process.stdout is not None
    lines = []
    stopper.watch(process)
    try:
        for line in process.stdout:
            log.write(line)
            log.flush()
            lines.append(line.rstrip("\r\n"))
            on_line(lines[-1])
        process.wait()
    finally:
        stopper.watch(None)
        # An exception in `on_line` or Ctrl-C must not leave the tool behind.
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()
    return lines


def _error_lines(lines: list[str]) -> list[str]:
    """The tool's own words: its error lines, else those that say what it cannot do, else its last line."""
    said = [line.strip() for line in lines if line.strip()]
    for words in r"\b(error|fatal)\b", r"\b(can't|cannot|could not|unable to|failed to)\b":
        if found := [line for line in said if re.search(words, line, re.IGNORECASE)]:
            return found[:3]
    return said[-1:]
