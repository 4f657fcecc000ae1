"""What makes one file of another: a packer or an unpacker of bitstreams."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .. import tools

__all__ = ["Command", "Converter", "Function"]


class Converter(ABC):
    """Makes one file of another."""

    name: str

    @abstractmethod
    def check(self) -> None:
        """Raise a `ToolError` when it cannot be run here."""

    @abstractmethod
    def run(self, source: str, target: str, *, folder: Path, log: Path) -> None:
        """Make the file `target` of the file `source`, both in `folder`.

        Raises
        ------
        ToolError
            When it cannot be run, or refuses the file.
        """


@dataclass(frozen=True, kw_only=True)
class Command(Converter):
    """A call of an external tool.

    Parameters
    ----------
    name : str
        The tool's name in `sbgen.tools.KNOWN`.
    args : tuple of str
        Its arguments, with ``{source}`` and ``{target}`` for the names of the files.
    """

    name: str
    args: tuple[str, ...]

    def arguments(self, source: str, target: str) -> tuple[str, ...]:
        """The arguments for two files."""
        return tuple(arg.format(source=source, target=target) for arg in self.args)

    def check(self) -> None:
        tools.find(self.name)

    def run(self, source: str, target: str, *, folder: Path, log: Path) -> None:
        tools.run(tools.find(self.name), self.arguments(source, target), cwd=folder, log=log)


@dataclass(frozen=True, kw_only=True)
class Function(Converter):
    """A function of ours, where a family has no tool for it.

    Parameters
    ----------
    name : str
    convert : function
        The bytes of `target` for those of `source`; a `ToolError` when it refuses them.
    """

    name: str
    convert: Callable[[bytes], bytes]

    def check(self) -> None:
        pass

    def run(self, source: str, target: str, *, folder: Path, log: Path) -> None:
        (folder / target).write_bytes(self.convert((folder / source).read_bytes()))
