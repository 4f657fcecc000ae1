"""An output folder that is always whole: filled beside, then moved into place file by file."""

import fcntl
import os
import re
import shutil
import signal
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import SbgenError
from .system import blame, of_system

__all__ = ["FolderError", "staged"]


class FolderError(SbgenError):
    """An output folder that cannot be written, or that another build is writing."""


@contextmanager
def staged(folder, *, names, force=False):
    """Write into a temporary sibling of `folder`; what it holds at the end replaces the files of that name.

    ``.NAME.*.part`` beside the folder is filled by the body, written to the disk, and then moved over, one
    `os.replace` a file, so a file in `folder` is always whole, old or new. When the body fails or the process
    is killed, `folder` stays as it was, and what a killed build left beside it is removed by the next. The
    folder is locked meanwhile. The moves come last and take less than a millisecond, which Ctrl-C and SIGTERM
    wait for; a SIGKILL or power cut in it leaves files of both, which the last of `names`, still the old one,
    does not describe.

    Parameters
    ----------
    folder : path
        Made when it is not there.
    names : sequence of str
        Every file that may be written, in the order in which they are moved; one that is not written this
        time is removed from `folder`, so that old and new do not mix. The last marks the folder as one of
        ours: it is always written and lists the others.
    force : bool
        Write into a folder that holds files without that mark.

    Yields
    ------
    Path
        The sibling to write into. Its files are moved; folders in it are scratch.

    Raises
    ------
    FolderError
        When the folder holds foreign files, is locked by another build, or the file system refuses.
    """
    folder = Path(folder).absolute()
    staging = None
    try:
        with _locked(folder) as made:
            try:
                if not force and any(folder.iterdir()) and not (folder / names[-1]).exists():
                    raise FolderError(
                        "the output folder must be empty or of an earlier build (with its "
                        f"{names[-1]}), but {folder} holds other files; give another --out, "
                        "or --force to write among them"
                    )
                for beside in folder.parent.iterdir():
                    if re.fullmatch(rf"\.{re.escape(folder.name)}\.\w{{8}}\.part", beside.name):
                        shutil.rmtree(beside, ignore_errors=True)
                staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
                try:
                    yield staging
                    _move(staging, folder, names)
                except OSError as error:
                    blame(error, staging)
                    raise
            finally:
                if staging is not None:
                    shutil.rmtree(staging, ignore_errors=True)
                if made and not any(folder.iterdir()):
                    folder.rmdir()
    except OSError as error:
        if of_system(error) is None:
            raise
        # A tool's folder of temporary files is on a file system of its own, which another --out would not
        # change.
        temporary = tempfile.gettempdir()
        ours = not str(error.filename).startswith(temporary) or str(folder).startswith(temporary)
        raise FolderError(
            f"cannot write {error.filename or folder}: {error.strerror}; what an earlier build left in"
            f" {folder} is whole, so make room there or"
            f" {'give another --out' if ours else 'set TMPDIR to another folder'} and build again"
        ) from error


@contextmanager
def _locked(folder):
    """Hold the folder's lock; gives whether the folder was made for it."""
    handle, made = _lock(folder)
    try:
        yield made
    finally:
        os.close(handle)


def _lock(folder):
    made = False
    while True:
        try:
            try:
                folder.mkdir(parents=True)
                made = True
            except FileExistsError:
                if not folder.is_dir():
                    raise
            try:
                handle = os.open(folder, os.O_RDONLY)
            except FileNotFoundError:
                continue  # another build has removed it since
        except OSError as error:
            raise FolderError(
                f"the output folder must be one that can be made and read, but {error.filename or folder}:"
                f" {error.strerror}; give another --out"
            ) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise FolderError(
                f"the output folder {folder} is in use by another build; wait for it, or give another --out"
            ) from None
        # Another build may have removed the empty folder between the open and the lock.
        if folder.exists() and os.path.samestat(os.fstat(handle), os.stat(folder)):
            return handle, made
        os.close(handle)


def _move(staging, folder, names):
    written = {entry.name for entry in staging.iterdir() if entry.is_file()}
    assert written <= set(names) and names[-1] in written, written
    for name in written:
        # To the disk before the name: after a power cut a name must not stand for an empty file.
        with open(staging / name, "rb") as file:
            os.fsync(file.fileno())
    # A second name for what is replaced: to free its blocks takes the file system longer than all the moves.
    before = Path(tempfile.mkdtemp(dir=staging))
    for name in names:
        with suppress(OSError):  # not there, or a file system without links
            os.link(folder / name, before / name)
    with _uninterrupted():
        for name in names:
            if name in written:
                os.replace(staging / name, folder / name)
            else:
                (folder / name).unlink(missing_ok=True)


@contextmanager
def _uninterrupted():
    """Let Ctrl-C and SIGTERM wait."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
