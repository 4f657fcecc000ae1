"""Finished steps of earlier builds, kept so that a build that was interrupted, or changed in one place, goes
on from there.
"""

import gzip
import hashlib
import json
import os
import shutil
import tempfile
import zlib
from pathlib import Path

__all__ = ["Kept"]

#: The least recently used go when all together take more bytes.
_MAX_BYTES = 1 << 30

_DIGESTS = "sha256.json"


class Kept:
    """A folder that keeps what tools wrote, by a digest of all that they were given.

    An entry appears as a whole or not at all, and is checked when it is taken: several builds may use the
    folder, be killed, or have it removed under them. A disk that is full or read-only costs the keeping,
    never the build.

    Parameters
    ----------
    folder : path
        Made when it is needed.
    """

    def __init__(self, folder):
        self._folder = Path(folder)

    @staticmethod
    def key(step, folder):
        """SHA-256 of a step's command, its tool's version and the files that it reads in `folder`; None for a
        tool whose version is not known."""
        if not step.tool.version:
            return None
        files = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in step.reads}
        content = [step.tool.name, step.tool.version, step.tool.origin, *step.args, files]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def fetch(self, key, folder, names):
        """Write the files `names` of an entry into `folder`; returns whether the entry has them all,
        undamaged.

        Anything else that the entry may hold counts as no entry: `store` then replaces it.
        """
        entry = self._folder / key
        try:
            digests = json.loads((entry / _DIGESTS).read_text(encoding="ascii"))
            contents = {name: gzip.decompress((entry / name).read_bytes()) for name in names}
            if digests != {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}:
                return False
            os.utime(entry)
        except (OSError, ValueError, EOFError, RecursionError, zlib.error):
            return False
        for name, content in contents.items():
            (folder / name).write_bytes(content)
        return True

    def store(self, key, paths):
        """Keep files as the entry `key`."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            beside = Path(tempfile.mkdtemp(prefix=".", suffix=".part", dir=self._folder))
            try:
                digests = {}
                for path in paths:
                    content = path.read_bytes()
                    digests[path.name] = hashlib.sha256(content).hexdigest()
                    (beside / path.name).write_bytes(gzip.compress(content, compresslevel=1, mtime=0))
                (beside / _DIGESTS).write_text(json.dumps(digests), encoding="ascii")
                _remove(self._folder / key)  # a damaged one
                os.rename(beside, self._folder / key)
            finally:
                shutil.rmtree(beside, ignore_errors=True)
            self._prune()
        except OSError:
            return

    def _prune(self):
        """Remove the entries that were not used for longest, and what killed builds left."""
        entries = sorted(
            (
                (
                    entry.lstat().st_mtime,
                    entry,
                    sum(file.lstat().st_size for file in entry.rglob("*")) or entry.lstat().st_size,
                )
                for entry in self._folder.iterdir()
            ),
            reverse=True,
        )
        total = 0
        for _, entry, size in entries:
            total += size
            if total > _MAX_BYTES:
                _remove(entry)


def _remove(entry):
    """Remove an entry, also one that is no folder."""
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        entry.unlink(missing_ok=True)
