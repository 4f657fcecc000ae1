"""The user's cache: where it is, and entries of files that are whole or absent.

A cache only saves time. An entry that is missing or damaged is computed again and replaced. A disk that is
full or read-only costs the entry, never the result.
"""

import atexit
import functools
import gzip
import hashlib
import json
import os
import shutil
import stat
import tempfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from platformdirs import PlatformDirs
from platformdirs.unix import Unix

__all__ = ["Cache", "folder"]

#: The least recently used entries are removed when all together take more bytes.
_MAX_BYTES = 1 << 30

_DIGESTS = "sha256.json"


def folder(part: str) -> Path:
    """The folder of one kind of entry: downloads ("data"), trained "teachers", "steps" of tools and others.

    It is below ``XDG_CACHE_HOME``, else in ``~/.cache`` (on Windows in the local application data). A user
    without a home has one below the system's folder for temporary files that no other user can write.
    """
    # On macOS too the cache is in ~/.cache, where the first release put it.
    dirs = PlatformDirs("sbgen", appauthor=False) if os.name == "nt" else Unix("sbgen")
    try:
        return Path(dirs.user_cache_dir) / part
    except RuntimeError:  # no HOME and no entry in the user database
        return _own_temporary() / "sbgen" / part


@functools.cache
def _own_temporary() -> Path:
    path = Path(tempfile.gettempdir()) / f"sbgen-cache-{os.getuid()}"
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022:
            return path
    except OSError:
        pass
    # It belongs to somebody else: take one for this process alone, which is of use while it runs.
    path = Path(tempfile.mkdtemp(prefix="sbgen-cache-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


class Cache:
    """A folder of entries, each a few files stored under a key (a digest of all that they depend on).

    An entry appears as a whole or not at all and is checked when it is read. Several processes may use the
    folder, be killed, or have it removed while they run.

    Parameters
    ----------
    path : path
        Created when the first entry is stored.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)

    def fetch(self, key: str, names: Iterable[str]) -> dict[str, bytes] | None:
        """The contents of an entry's files, or None unless it has exactly those of `names`, undamaged."""
        entry = self._path / key
        try:
            digests = json.loads((entry / _DIGESTS).read_text(encoding="ascii"))
            files = {name: gzip.decompress((entry / name).read_bytes()) for name in names}
            if digests != _digests(files):
                return None
            os.utime(entry)
        except (OSError, ValueError, EOFError, RecursionError, zlib.error):
            return None
        return files

    def store(self, key: str, files: Mapping[str, bytes]) -> None:
        """Store files, contents by name, as the entry `key`; it replaces a damaged one."""
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            part = Path(tempfile.mkdtemp(prefix=".", suffix=".part", dir=self._path))
            try:
                for name, content in files.items():
                    (part / name).write_bytes(gzip.compress(content, compresslevel=1, mtime=0))
                (part / _DIGESTS).write_text(json.dumps(_digests(files)), encoding="ascii")
                _remove(self._path / key)
                os.rename(part, self._path / key)
            finally:
                shutil.rmtree(part, ignore_errors=True)
            self._prune()
        except OSError:
            return

    def _prune(self) -> None:
        """Remove the entries that were not used for longest, and what killed processes left."""
        entries = sorted(
            (
                (
                    entry.lstat().st_mtime,
                    entry,
                    sum(file.lstat().st_size for file in entry.rglob("*")) or entry.lstat().st_size,
                )
                for entry in self._path.iterdir()
            ),
            reverse=True,
        )
        total = 0
        for _, entry, size in entries:
            total += size
            if total > _MAX_BYTES:
                _remove(entry)


def _digests(files: Mapping[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def _remove(entry: Path) -> None:
    """Remove an entry, also one that is no folder."""
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        entry.unlink(missing_ok=True)
