"""What is known of an external tool before it is looked for."""

from dataclasses import dataclass

__all__ = ["Known"]


@dataclass(frozen=True, kw_only=True)
class Known:
    """A tool, as far as it is known without looking for it.

    Parameters
    ----------
    program : str
        Name of the native executable.
    remedy : str
        The command that installs it.
    version : tuple of str
        Arguments that make the native program print its version; empty when it cannot.
    minimum : tuple of int
        Oldest version (major, minor) of a native program that is accepted.
    package : str
        PyPI distribution that has the tool as native code or in Python; `search` then says how it is started.
    libraries : str
        The command that installs the system libraries that the native code of `package` needs. The tool is
        then started when it is looked for.
    yowasp : str
        PyPI distribution that has it as WebAssembly; its script is ``yowasp-<program>``.
    """

    program: str
    remedy: str
    version: tuple[str, ...] = ("--version",)
    minimum: tuple[int, int] = (0, 0)
    package: str = ""
    libraries: str = ""
    yowasp: str = ""

    @property
    def variable(self) -> str:
        """The environment variable that overrides the search."""
        return "SBGEN_" + self.program.upper().replace("-", "_")
