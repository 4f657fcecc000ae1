"""What a person sees while sbgen works: steps with their time, lines and tables.

On a terminal `rich` draws them; anywhere else they are plain ASCII lines that a log keeps well. Characters
that a terminal obeys are escaped in all of them.
"""

import os
import sys
import threading
import time
from concurrent.futures import CancelledError
from contextlib import contextmanager

from .errors import printable

__all__ = ["Console", "Step"]


class Step:
    """One running step, given by `Console.step`: its note and its progress can be told while it runs."""

    def __init__(self, *, title, show):
        self.title = printable(title)
        self.note_text = ""
        self.portion = None
        self._show = show
        self._start = time.monotonic()

    @property
    def seconds(self):
        return time.monotonic() - self._start

    def note(self, text):
        """Say what the step is at, or in the end what it found."""
        self.note_text = printable(text)
        self._show(self)

    def progress(self, done, total):
        """Say how much is done, in any unit."""
        self.portion = (done, total)
        self._show(self)


class Console:
    """Steps, lines and tables on one stream.

    Parameters
    ----------
    file : text stream
        Where to write; a terminal gets colours and moving progress, anything else plain lines.
    """

    def __init__(self, *, file=None):
        self._file = sys.stdout if file is None else file
        self._lock = threading.Lock()
        self._progress = None
        self._running = {}
        self._cancelled = False
        if self._file.isatty() and os.environ.get("TERM") != "dumb":
            # rich takes a tenth of a second to import, which only a terminal is worth.
            from rich.console import Console as RichConsole

            self._rich = RichConsole(file=self._file, highlight=False, markup=False)
        else:
            self._rich = None

    @property
    def plain(self):
        """Whether the stream gets plain ASCII lines."""
        return self._rich is None

    def line(self, text="", *, style=None):
        """One line of text; `style` is rich's, and only a terminal shows it."""
        text = printable(text)
        if self.plain:
            with self._lock:
                print(text.encode("ascii", "replace").decode(), file=self._file, flush=True)
        else:
            self._rich.print(text, style=style)

    def cancel(self):
        """End every step, in whichever thread it runs: what it next shows raises `CancelledError` there."""
        self._cancelled = True

    @contextmanager
    def step(self, title):
        """A step from beginning to end; several may run at the same time, each in its own thread.

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

    def _begin(self, step):
        if self.plain:
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
            self._running[step] = self._progress.add_task(step.title, total=None, note="")

    def _show(self, step):
        if self._cancelled:
            raise CancelledError
        if step in self._running:
            done, total = step.portion or (None, None)
            self._progress.update(self._running[step], completed=done, total=total, note=step.note_text)

    def _end(self, step, outcome):
        with self._lock:
            if step in self._running:
                self._progress.remove_task(self._running.pop(step))
                if not self._running:
                    self._progress.stop()
        if self.plain:
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

    def table(self, columns, rows):
        """A table; a column whose cells are all numbers is set to the right.

        Parameters
        ----------
        columns : sequence of str
        rows : sequence of sequences
            Cells are shown by ``str``; integers with a thousands separator, None as a dash.
        """
        columns = [printable(name) for name in columns]
        cells = [[_cell(value) for value in row] for row in rows]
        numeric = [
            all(value is None or isinstance(value, (int, float)) for value in column)
            for column in zip(*rows, strict=True)
        ] or [False] * len(columns)
        if self.plain:
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


def _cell(value):
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else printable(str(value))
