"""An output folder that is always whole: files are written next to it, then moved into it one by one."""

import os
import re
import shutil
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from .errors import SbgenError
from .system import blame, of_system

__all__ = ["FolderError", "staged"]

#: Locked by the build that writes the folder, and removed by it; of a killed build by the next.
_LOCK = ".sbgen.lock"


class FolderError(SbgenError):
    """An output folder that cannot be written, or that another build is writing."""


@contextmanager
def staged(out_dir: Path | str, *, names: Sequence[str], force: bool = False) -> Iterator[Path]:
    """Write into a temporary folder next to `out_dir`; its files then replace those of the same names.

    The body fills ``.NAME.*.part`` next to the output folder. Its files are written to the disk and then
    moved over, one `os.replace` a file, so a file in `out_dir` is always whole, old or new. When the body
    fails or the process is killed, `out_dir` stays as it was; the next build removes what a killed one left.
    The folder is locked meanwhile. The moves come last and take less than a millisecond, and Ctrl-C and
    SIGTERM wait for them. A SIGKILL or power cut during them leaves files of both builds, which the last of
    `names`, still the old one, does not describe.

    Parameters
    ----------
    out_dir : path
        Created when it is missing.
    names : sequence of str
        Every file that may be written, in the order in which they are moved. One that is not written this
        time is removed from `out_dir`, so that old and new do not mix. The last marks the folder as one of
        ours: it is always written and lists the others.
    force : bool
        Write into a folder that holds files without that mark.

    Yields
    ------
    Path
        The temporary folder. Its files are moved; folders in it are scratch.

    Raises
    ------
    FolderError
        When the folder holds foreign files, is locked by another build, or the file system refuses.
    """
    out_dir = Path(out_dir).absolute()
    try:
        with _locked(out_dir):
            if not force and not (out_dir / names[-1]).exists() and _entries(out_dir):
                raise FolderError(
                    f"the output folder must be empty or of an earlier build (with its {names[-1]}), but"
                    f" {out_dir} holds other files; give another --out, or --force to write among them"
                )
            for left in out_dir.parent.iterdir():
                if re.fullmatch(rf"\.{re.escape(out_dir.name)}\.\w{{8}}\.part", left.name):
                    shutil.rmtree(left, ignore_errors=True)
            staging = Path(tempfile.mkdtemp(prefix=f".{out_dir.name}.", suffix=".part", dir=out_dir.parent))
            try:
                yield staging
                _move(staging, out_dir, names)
            except OSError as error:
                blame(error, staging)
                raise
            finally:
                shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        if of_system(error) is None:
            raise
        # A tool's temporary folder may be on another file system, which another --out would not change.
        temporary = tempfile.gettempdir()
        ours = not str(error.filename).startswith(temporary) or str(out_dir).startswith(temporary)
        raise FolderError(
            f"cannot write {error.filename or out_dir}: {error.strerror}; what an earlier build left in"
            f" {out_dir} is whole, so make room there or"
            f" {'give another --out' if ours else 'set TMPDIR to another folder'} and build again"
        ) from error


@contextmanager
def _locked(out_dir: Path) -> Iterator[None]:
    """Hold the folder's lock; the folder is created for it, and removed again if it stays empty."""
    lock = FileLock(out_dir / _LOCK)
    created = False
    try:
        while not lock.is_locked:
            try:
                out_dir.mkdir(parents=True)
                created = True
            except FileExistsError:
                if not out_dir.is_dir():
                    raise
            with suppress(FileNotFoundError):  # another build has removed the folder since
                lock.acquire(timeout=0)
    except Timeout:
        raise FolderError(
            f"the output folder {out_dir} is in use by another build; wait for it, or give another --out"
        ) from None
    except OSError as error:
        raise FolderError(
            f"the output folder must be one that can be made and written, but {error.filename or out_dir}:"
            f" {error.strerror}; give another --out"
        ) from error
    try:
        yield
    finally:
        # While it is locked: another build that has it open already then sees that it lost it. Windows does
        # not remove an open file; there `release` does.
        with suppress(OSError):
            (out_dir / _LOCK).unlink()
        lock.release()
        if created:
            with suppress(OSError):  # not empty
                out_dir.rmdir()


def _entries(out_dir: Path) -> list[Path]:
    return [entry for entry in out_dir.iterdir() if entry.name != _LOCK]


def _move(staging: Path, out_dir: Path, names: Sequence[str]) -> None:
    written = {entry.name for entry in staging.iterdir() if entry.is_file()}
    assert written <= set(names) and names[-1] in written, written
    for name in written:
        # To the disk before the name: after a power cut a name must not stand for an empty file.
        with open(staging / name, "rb+") as file:
            os.fsync(file.fileno())
    # A second name for what is replaced: to free its blocks takes the file system longer than all the moves.
    replaced = Path(tempfile.mkdtemp(dir=staging))
    for name in names:
        with suppress(OSError):  # not there, or a file system without links
            os.link(out_dir / name, replaced / name)
    with _uninterrupted():
        for name in names:
            if name in written:
                os.replace(staging / name, out_dir / name)
            else:
                (out_dir / name).unlink(missing_ok=True)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait, on systems that can."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
