"""`sbgen.console`: plain lines that a log keeps, and the same on a terminal."""

import io
import random
import threading
from concurrent.futures import CancelledError

import pytest

from sbgen.console import Console


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_steps_are_plain_ascii_lines():
    file = io.StringIO()
    console = Console(file=file)
    with console.step("synthesis") as step:
        step.progress(1, 2)
        step.note("950 LUT")
    first, last = file.getvalue().splitlines()
    assert first == "  ..       synthesis"
    assert last.startswith("  ok       synthesis ") and last.endswith(" s  950 LUT")


def test_a_step_that_fails_says_so_and_passes_the_error_on():
    for file in (io.StringIO(), Terminal()):
        with pytest.raises(ZeroDivisionError), Console(file=file).step("synthesis"):
            raise ZeroDivisionError
        assert "failed" in file.getvalue()


def test_cancelled_steps_stop_when_they_next_show_something():
    for file in (io.StringIO(), Terminal()):
        console = Console(file=file)
        with pytest.raises(CancelledError), console.step("place") as step:
            step.note("seed 1")
            console.cancel()
            step.progress(1, 2)
        assert "stopped" in file.getvalue()


def test_table_sets_numbers_to_the_right():
    file = io.StringIO()
    Console(file=file).table(["layer", "bits"], [["a", 16384], ["hidden", None]])
    assert file.getvalue() == "  layer     bits\n  ------  ------\n  a       16,384\n  hidden       -\n"


def test_table_without_rows():
    file = io.StringIO()
    Console(file=file).table(["layer"], [])
    assert file.getvalue() == "  layer\n  -----\n"


def test_what_is_not_ascii_is_replaced_in_plain_lines():
    file = io.StringIO()
    Console(file=file).line("caf\u00e9")
    assert file.getvalue() == "caf?\n"


def test_terminal_shows_brackets_as_they_are():
    file = Terminal()
    console = Console(file=file)
    console.line("pip install 'sbgen[train]' [red]")
    with console.step("read [bold]x[/bold]") as step:
        step.note("[/nonsense]")
    console.table(["[a]"], [["[/b]"]])
    assert (
        "'sbgen[train]' [red]" in file.getvalue()
        and "[/nonsense]" in file.getvalue()
        and "[/b]" in file.getvalue()
    )


@pytest.mark.parametrize("file", [io.StringIO(), Terminal()], ids=["plain", "terminal"])
def test_two_steps_at_once(file):
    console = Console(file=file)
    both = threading.Barrier(2)

    def work(title):
        with console.step(title) as step:
            both.wait()
            for n in range(20):
                step.progress(n, 20)
            both.wait()

    threads = [threading.Thread(target=work, args=(title,), daemon=True) for title in ("place", "simulate")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shown = [line for line in file.getvalue().splitlines() if "ok" in line]
    assert any("place" in line for line in shown) and any("simulate" in line for line in shown)


@pytest.mark.parametrize("terminal", [False, True])
def test_what_a_terminal_obeys_is_escaped_wherever_it_is_shown(terminal):
    for seed in range(60):
        print("seed", seed)
        rng = random.Random(seed)
        char = rng.choice(
            ["\x1b", "\x07", "\x9b", "\r", "\n", "\x08", "\u202e", "\u200b", chr(rng.randrange(32))]
        )
        name = f"a{char}]0;b"
        file = Terminal() if terminal else io.StringIO()
        console = Console(file=file)
        console.line(name)
        console.table([name], [[name]])
        with console.step(name) as step:
            step.note(name)
            step.progress(1, 2)
        assert name not in file.getvalue()
        assert file.getvalue().count(f"a{char.encode('unicode_escape').decode()}]0;b") >= 5 - terminal
