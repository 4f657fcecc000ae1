"""Errors of the operating system, in one line that names the place."""

import errno
import os
import tempfile
from pathlib import Path

from .errors import SbgenError

__all__ = ["blame", "full", "of_system"]

#: Errors that are no defect of sbgen.
_ENVIRONMENT = {
    getattr(errno, name)
    for name in (
        "ENOSPC",
        "EDQUOT",
        "EACCES",
        "EPERM",
        "EROFS",
        "ENOTDIR",
        "EISDIR",
        "EEXIST",
        "ENOTEMPTY",
        "ENAMETOOLONG",
        "ELOOP",
        "EIO",
        "EFBIG",
        "EBUSY",
        "ENXIO",
        "ENODEV",
        "ESTALE",
        "EMFILE",
        "ENFILE",
        "ENOMEM",
        "EAGAIN",
        "ENOLCK",
        "ETXTBSY",
        "EOPNOTSUPP",
    )
}

#: A file system with less free space than this counts as full.
_FULL_BYTES = 1 << 16


def of_system(error: OSError) -> SbgenError | None:
    """The `SbgenError` that says in one line what the system refused; None if it is a defect of sbgen.

    A missing file is the user's error unless it is one of sbgen's own or a temporary file.

    Parameters
    ----------
    error : OSError
    """
    try:
        here = Path.cwd()
    except OSError:
        return SbgenError("the current folder must be there, but it was removed; change into another one")
    try:
        temporary = tempfile.gettempdir()
    except OSError as none:
        return SbgenError(
            f"a folder for temporary files must be writable, but: {none.strerror}; set TMPDIR to one"
        )
    if error.errno == errno.ENOENT:
        ours = str(Path(__file__).resolve().parent.parent), temporary
        if error.filename is None or os.fsdecode(error.filename).startswith(ours):
            return None
    elif error.errno not in _ENVIRONMENT:
        return None
    blame(error, here)
    paths = [os.fsdecode(path) for path in (error.filename, error.filename2) if path is not None]
    remedy = (
        "make room there or choose another folder"
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        else "check the path, its owner and its permissions"
    )
    return SbgenError(
        f"the system must allow the use of {' and '.join(paths) or 'a file or the output'}, but:"
        f" {error.strerror}; {remedy}"
    )


def blame(error: OSError, *folders: Path) -> None:
    """Add the file name to an error about a full disk, which lacks it when an open file is written.

    It is the first of `folders`, or the folder of temporary files, that `full` finds.
    """
    if error.errno in (errno.ENOSPC, errno.EDQUOT) and error.filename is None:
        error.filename = full(*folders)


def full(*folders: Path | str) -> str | None:
    """The first of `folders`, or the folder of temporary files, whose file system is full; else None."""
    if not hasattr(os, "statvfs"):  # Windows
        return None
    for folder in (*folders, tempfile.gettempdir()):
        try:
            room = os.statvfs(folder)
        except OSError:
            continue
        if room.f_bavail * room.f_frsize < _FULL_BYTES or room.f_files and not room.f_favail:
            return str(folder)
    return None
