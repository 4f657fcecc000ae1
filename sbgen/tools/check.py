"""A run of a tool that shows that it works."""

from dataclasses import dataclass

__all__ = ["Check"]


@dataclass(frozen=True, kw_only=True)
class Check:
    """A tool, and a run that must succeed.

    Parameters
    ----------
    tool : str
        A name in `tools.KNOWN`.
    args : tuple of str
        Empty: only look for it.
    writes : str
        File that the run must write.
    needs : str
        File of an earlier check without which it cannot run.
    reads : tuple of (str, str)
        Names and contents of its other input files.
    """

    tool: str
    args: tuple[str, ...] = ()
    writes: str = ""
    needs: str = ""
    reads: tuple[tuple[str, str], ...] = ()
