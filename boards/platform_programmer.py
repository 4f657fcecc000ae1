"""The commands by which a platform of amaranth-boards loads a bitstream, without running them."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from unittest import mock

from amaranth.build import Platform

from ..errors import BoardError

__all__ = ["commands"]


class _Products:
    """The products of a build that consists of a bitstream."""

    def __init__(self, bitstream: Path):
        self._bitstream = bitstream

    @contextmanager
    def extract(self, *names: str) -> Iterator[str]:
        """The path of the product; a `BoardError` if another file is wanted."""
        others = [name for name in names if Path(name).suffix != self._bitstream.suffix]
        if others or len(names) != 1:
            raise BoardError(
                f"the programmer of the platform must take a {self._bitstream.suffix}, but it takes"
                f" {', '.join(Path(name).suffix for name in names)}"
            )
        yield str(self._bitstream)


def commands(platform: Platform, bitstream: Path) -> list[list[str]]:
    """The commands that ``platform.toolchain_program`` would run, none if it has no such method.

    Parameters
    ----------
    platform : Platform
    bitstream : Path

    Raises
    ------
    BoardError
        When it needs other files, which sbgen does not write.
    """
    seen: list[list[str]] = []

    class Recorder:
        """Takes the place of a process."""

        returncode = 0
        stdin = stdout = stderr = None

        def __init__(self, args: Sequence[str], *rest: Any, **settings: Any):
            seen.append([args] if isinstance(args, str) else list(map(str, args)))
            self.args = args

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *error: object) -> None:
            pass

        def wait(self, timeout: float | None = None) -> int:
            return 0

        def poll(self) -> int:
            return 0

        def communicate(self, *rest: Any, **settings: Any) -> tuple[bytes, bytes]:
            return b"", b""

    if type(platform).toolchain_program is Platform.toolchain_program:
        return []
    with mock.patch.object(subprocess, "Popen", Recorder):
        platform.toolchain_program(_Products(bitstream), bitstream.stem)
    return seen
