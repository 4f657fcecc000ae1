"""Results that outlive their process: one line of JSON each, in a file that only grows."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from .errors import DataError

__all__ = ["Ledger", "digest", "opened"]


class Ledger:
    """Results by their key. Each is on the disk when `record` returns. `opened` makes one."""

    def __init__(self, file: BinaryIO, results: dict[str, Any]) -> None:
        self._file, self._results = file, results

    def __len__(self) -> int:
        return len(self._results)

    def __iter__(self) -> Iterator[str]:
        return iter(self._results)

    def get(self, key: str) -> Any:
        """The result of a key; None if there is none."""
        return self._results.get(key)

    def record(self, key: str, result: Any) -> None:
        """Keep a result, as JSON has it."""
        self._append({"key": key, "result": result})
        self._results[key] = result

    def _append(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())


@contextmanager
def opened(path: Path, work: dict[str, Any]) -> Iterator[Ledger]:
    """The ledger of a file, which one process at a time may have.

    Parameters
    ----------
    path : path
        Created with its folder if it does not exist.
    work : dict
        Everything that a result depends on besides its key, as JSON has it. A file of other work is refused.

    Raises
    ------
    DataError
        The file is of other work, is none of these, or another process has it, or it cannot be written.
    """
    lock = FileLock(path.with_name(f"{path.name}.lock"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise DataError(
            f"{path} must be written by one process, but another one has it; wait for it, or give another"
            " --out"
        ) from None
    except OSError as error:
        raise DataError(
            f"{path}: cannot be written: {error.strerror or error}; give another --out"
        ) from error
    try:
        results = _read(path, json.loads(json.dumps(work)))
        with open(path, "ab") as file:
            ledger = Ledger(file, results)
            if not file.tell():
                ledger._append({"work": work})
            yield ledger
    finally:
        with suppress(OSError):
            Path(lock.lock_file).unlink()  # while it is locked
        lock.release()


def _read(path: Path, work: dict[str, Any]) -> dict[str, Any]:
    """The results of a file; a line that a killed process has not finished is removed."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}
    whole = content[: content.rfind(b"\n") + 1]
    try:
        first, *lines = [json.loads(line) for line in whole.splitlines()] or [{"work": work}]
        found = first["work"]
        results = {line["key"]: line["result"] for line in lines}
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(
            f"{path} must hold the results of an earlier run, but is damaged or another file; remove it, or"
            " give another --out"
        ) from error
    other = [name for name in {**work, **found} if work.get(name) != found.get(name)]
    if other:
        raise DataError(
            f"{path} must be of the same work to continue, but has other"
            f" {', '.join(name.replace('_', ' ') for name in other)}; give another --out, or remove it to"
            " start again"
        )
    if len(whole) < len(content):
        os.truncate(path, len(whole))
    return results


def digest(*parts: bytes | memoryview) -> str:
    """16 digits of a SHA-256 of bytes."""
    found = hashlib.sha256()
    for part in parts:
        found.update(part)
    return found.hexdigest()[:16]
