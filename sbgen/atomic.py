"""Files that are replaced as a whole or not at all."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["replaced", "write"]


@contextmanager
def replaced(path: Path | str) -> Iterator[Path]:
    """Yield a path next to `path` to write to; at the end that file replaces `path`.

    When the body fails, `path` stays as it was and the other file is removed.
    """
    path = Path(path)
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        yield part
        os.replace(part, path)
    except OSError as error:
        if error.filename is not None and os.fspath(error.filename) == str(part):
            error.filename, error.filename2 = str(path), None  # the name that the user knows
        raise
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def write(path: Path | str, content: str | bytes | memoryview, *, encoding: str = "utf-8") -> None:
    """Write a file, text with the given encoding; an existing file is replaced as a whole or not at all."""
    with replaced(path) as part:
        part.write_bytes(content.encode(encoding) if isinstance(content, str) else content)
