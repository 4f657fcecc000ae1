"""What the user sees while sbgen works: steps with their time, lines and tables.

On a terminal, `rich` draws them; elsewhere they are plain ASCII lines, suitable for a log. Control
characters are always escaped.
"""

import io
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from .errors import printable

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.progress import Progress, TaskID

__all__ = ["Console", "Step", "print_json", "silent"]


class Step:
    """A running step of `Console.step`, which shows its note and its progress."""

    def __init__(self, *, title: str, show: "Callable[[Step], None]") -> None:
        self.title = printable(title)
        self.note_text = ""
        self.portion: tuple[int, int] | None = None
        self._show = show
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start

    def note(self, text: str) -> None:
        """Show the current state, or the result at the end."""
        self.note_text = printable(text)
        self._show(self)

    def progress(self, done: int, total: int) -> None:
        """Show how much is done, in any unit."""
        self.portion = (done, total)
        self._show(self)


class Console:
    """Steps, lines and tables on one stream.

    Parameters
    ----------
    file : text stream
        By default standard output. A terminal gets colours and progress bars, anything else plain lines.
    """

    def __init__(self, *, file: TextIO | None = None) -> None:
        self._file = sys.stdout if file is None else file
        self._lock = threading.Lock()
        self._progress: Progress | None = None
        self._running: dict[Step, TaskID] = {}
        self._cancelled = False
        self._rich: RichConsole | None = None
        if self._file.isatty() and os.environ.get("TERM") != "dumb":
            # rich takes a tenth of a second to import.
            from rich.console import Console

            self._rich = Console(file=self._file, highlight=False, markup=False)

    @property
    def plain(self) -> bool:
        """Whether output is plain ASCII lines."""
        return self._rich is None

    def line(self, text: str = "", *, style: str | None = None) -> None:
        """Print a line; `style` is one of rich, for terminals."""
        text = printable(text)
        if self._rich is None:
            with self._lock:
                print(text.encode("ascii", "replace").decode(), file=self._file, flush=True)
        else:
            self._rich.print(text, style=style)

    def cancel(self) -> None:
        """Stop every step: the next note or progress raises `CancelledError` in the step's thread."""
        self._cancelled = True

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Show a step while it runs; several may run at the same time, each in its own thread.

        Yields
        ------
        Step
        """
        step = Step(title=title, show=self._show)
        self._begin(step)
        try:
            yield step
        except CancelledError:
            self._end(step, "stopped")
            raise
        except BaseException:
            self._end(step, "failed")
            raise
        self._end(step, "ok")

    def _begin(self, step: Step) -> None:
        if self._rich is None:
            self.line(f"  ..       {step.title}")
            return
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        with self._lock:
            if not self._running:
                self._progress = Progress(
                    SpinnerColumn("line"),
                    TextColumn("{task.description}", markup=False),
                    BarColumn(bar_width=16),
                    TimeElapsedColumn(),
                    TextColumn("{task.fields[note]}", markup=False, style="dim"),
                    console=self._rich,
                    transient=True,
                )
                self._progress.start()
            assert self._progress is not None
            self._running[step] = self._progress.add_task(step.title, total=None, note="")

    def _show(self, step: Step) -> None:
        if self._cancelled:
            raise CancelledError
        if self._progress is not None and step in self._running:
            done, total = step.portion or (None, None)
            self._progress.update(self._running[step], completed=done, total=total, note=step.note_text)

    def _end(self, step: Step, outcome: str) -> None:
        with self._lock:
            if self._progress is not None and step in self._running:
                self._progress.remove_task(self._running.pop(step))
                if not self._running:
                    self._progress.stop()
        if self._rich is None:
            self.line(f"  {outcome:9}{step.title:34}{step.seconds:7.1f} s  {step.note_text}".rstrip())
        else:
            from rich.text import Text

            self._rich.print(
                Text.assemble(
                    (f"  {outcome:9}", "green" if outcome == "ok" else "bold red"),
                    f"{step.title:34}",
                    (f"{step.seconds:7.1f} s  ", "cyan"),
                    (step.note_text, "dim"),
                )
            )

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Print a table; columns of numbers are right-aligned.

        Parameters
        ----------
        columns : sequence of str
        rows : sequence of sequences
            Cells are printed with ``str``, integers with a thousands separator, None as a dash.
        """
        columns = [printable(name) for name in columns]
        cells = [[_cell(value) for value in row] for row in rows]
        numeric = [
            all(value is None or isinstance(value, (int, float)) for value in column)
            for column in zip(*rows, strict=True)
        ] or [False] * len(columns)
        if self._rich is None:
            widths = [max(len(text) for text in column) for column in zip(columns, *cells, strict=True)]
            for row in [columns, ["-" * width for width in widths], *cells]:
                self.line(
                    "  "
                    + "  ".join(
                        text.rjust(width) if right else text.ljust(width)
                        for text, width, right in zip(row, widths, numeric, strict=True)
                    ).rstrip()
                )
        else:
            from rich import box
            from rich.table import Table

            table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
            for name, right in zip(columns, numeric, strict=True):
                table.add_column(name, justify="right" if right else "left", no_wrap=True)
            for row in cells:
                table.add_row(*row)
            self._rich.print(table)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else printable(str(value))


def print_json(content: Any) -> None:
    """Print what ``--json`` of a command prints: one JSON value on standard output, in ASCII."""
    for line in json.dumps(content, indent=1, ensure_ascii=True).splitlines():
        print(printable(line))


def silent() -> Console:
    """A console that shows nothing."""
    return Console(file=io.StringIO())
