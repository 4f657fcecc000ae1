"""Breaks sbgen in many small ways, one at a time, and checks that the tests notice.

    python tests/mutate.py [--only TEXT] [--jobs N] [--write] [--continue]

Each mutation is one change of text in a copy of the repository. The tests of the changed file run there, and
at least one must fail. First, the same tests must pass in an unchanged copy. A mutation that survives is a
gap in the tests. The list follows the data from top to bottom. ``--only TEXT`` selects mutations whose file
or change contains a text, ``--jobs N`` runs N at once.

``--write`` stores each result in ``benchmarks/results/mutations.json`` with its commit and the test that
failed; the next run begins with that test. ``--continue`` passes over mutations that were noticed at a commit
since which neither the changed file nor its tests have changed.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT / "benchmarks"))

import record

#: Seconds of the processor after which a test run that does not end counts as having noticed: a broken
#: handshake may hang.
_SECONDS = 900

#: And of the wall's clock, after which nothing is known.
_WALL_SECONDS = 20 * _SECONDS


@dataclass(frozen=True)
class Mutation:
    """A change that makes sbgen wrong.

    Parameters
    ----------
    what : str
        In a few words.
    file : str
    old, new : str
        `old` occurs in the file once.
    tests : tuple of str
        Test files, or single tests of them as pytest names them; when left out, the file of that name:
        tests/test_hw_queue.py for hw/queue.py.
    """

    what: str
    file: str
    old: str
    new: str
    tests: tuple = ()

    @property
    def test_files(self):
        folder, *_, name = self.file.removesuffix(".py").split("/")
        prefix = "" if folder in ("compiler", "sbgen") else f"{folder}_"
        return self.tests or (f"tests/test_{prefix}{name}.py",)


#: Every way to be wrong, in the order of ``tests/mutations.toml``.
MUTATIONS = tuple(
    Mutation(**{**row, "tests": tuple(row.get("tests", ()))})
    for row in tomllib.loads((ROOT / "tests" / "mutations.toml").read_text(encoding="utf-8"))["mutation"]
)


def _copy(folder):
    """The repository as git knows it, laid out so that `import sbgen` finds this copy from its folder."""
    files = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    for file in filter(None, files):
        if (ROOT / file).is_file():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / file, folder / file)
    for package in ("hw", "compiler", "proofs", "train", "boards"):
        (folder / "sbgen" / package).symlink_to(f"../{package}", target_is_directory=True)


def _pytest(folder, tests):
    """Exit code and output of the tests in a copy."""
    # The copy must be found, and no installation: only Python's own ways to find a module are left.
    run = (
        f"import resource; resource.setrlimit(resource.RLIMIT_CPU, ({_SECONDS}, {_SECONDS + 9})); import sys;"
        " sys.path.insert(0, '.'); sys.meta_path[:] = [f for f in sys.meta_path if 'frozen' in getattr(f,"
        " '__module__', '')]; import sbgen.hw, os; assert"
        " os.path.realpath(sbgen.hw.__file__).startswith(os.getcwd()), sbgen.hw.__file__; import pytest;"
        " sys.exit(pytest.main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", run, "-x", "-q", "-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            check=False,
            capture_output=True,
            text=True,
            timeout=_WALL_SECONDS,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"},
        )
    except subprocess.TimeoutExpired:
        return None, f"did not end within {_WALL_SECONDS} s"
    if done.returncode == -signal.SIGXCPU:
        return 1, f"did not end within {_SECONDS} s of the processor"
    return done.returncode, done.stdout + done.stderr


@dataclass(frozen=True)
class Outcome:
    """What came of a mutation: whether a test noticed it (None: not tried), which, and pytest's last line."""

    noticed: bool | None
    said: str
    by: str | None = None
    seconds: float = 0.0


def try_out(mutation, first=()):
    """The outcome of one mutation; the tests `first` run before those of the file."""
    for tests in filter(None, (first, mutation.test_files)):
        outcome = _try_out(mutation, tests)
        if outcome.noticed:
            break
    return outcome


def _try_out(mutation, tests):
    if (output := _failing(tests)) is not None:
        return Outcome(None, f"the tests must pass before anything is changed: {output[-600:]}")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sbgen-mutate-") as folder:
        folder = Path(folder).resolve()
        _copy(folder)
        path = folder / mutation.file
        text = path.read_text(encoding="utf-8")
        if text.count(mutation.old) != 1:
            return Outcome(None, f"its text occurs {text.count(mutation.old)} times in {mutation.file}")
        path.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")
        code, output = _pytest(folder, tests)
    if code not in (0, 1):
        return Outcome(None, f"the tests could not be run: {output[-600:]}")
    failed = re.search(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", output, re.MULTILINE)
    return Outcome(
        noticed=code == 1,
        said=output.strip().splitlines()[-1],
        by=failed[1] if failed else None,
        seconds=time.monotonic() - began,
    )


@cache
def _failing(tests):
    """What test files say of code that nothing was changed in; None when they pass."""
    with tempfile.TemporaryDirectory(prefix="sbgen-mutate-") as folder:
        folder = Path(folder).resolve()
        _copy(folder)
        code, output = _pytest(folder, tests)
    return None if code == 0 else output


def _row(mutation, outcome):
    """The record's row of an outcome."""
    return {
        "file": mutation.file,
        "what": mutation.what,
        "noticed": outcome.noticed,
        "by": outcome.by,
        "seconds": round(outcome.seconds),
        **record.MEASURED,
    }


def _recorded():
    """The rows of the record by file and description."""
    path = record.FOLDER / "mutations.json"
    rows = json.loads(path.read_text(encoding="utf-8"))["mutations"] if path.exists() else []
    return {(row["file"], row["what"]): row for row in rows}


def _write(rows):
    """Write the record, in the order of the list; rows of mutations that are no more are left out."""
    found = [rows[key] for each in MUTATIONS if (key := (each.file, each.what)) in rows]
    record.write(
        "mutations",
        {
            "command": "python tests/mutate.py --write",
            "listed": len(MUTATIONS),
            "noticed": sum(row["noticed"] is True for row in found),
            "mutations": found,
        },
        measured={},
    )


@cache
def _changed(commit):
    """The files that differ from those of a commit."""
    done = subprocess.run(
        ["git", "diff", "--name-only", commit], cwd=ROOT, check=False, capture_output=True, text=True
    )
    return None if done.returncode else frozenset(done.stdout.splitlines())


def _holds(row, mutation):
    """Whether a row of the record says that the mutation is noticed, of the files as they are."""
    if not row or not row["noticed"] or not row["clean"] or (changed := _changed(row["commit"])) is None:
        return False
    files = {mutation.file, *(test.partition("::")[0] for test in mutation.test_files)}
    return not files & changed


def main():
    """Try all mutations; the exit code says whether every one was noticed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", metavar="TEXT")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N")
    parser.add_argument("--write", action="store_true", help="store the results in the record")
    parser.add_argument(
        "--continue", dest="further", action="store_true", help="pass over what the record shows already"
    )
    arguments = parser.parse_args()
    rows = _recorded()
    chosen = [
        each
        for each in MUTATIONS
        if arguments.only in f"{each.file} {each.what} {each.old} {each.new}"
        and not (arguments.further and _holds(rows.get((each.file, each.what)), each))
    ]
    first = {}  # tests by which mutations of a file were noticed
    for (file, _), row in rows.items():
        if row["by"]:
            first.setdefault(file, set()).add(row["by"])
    begin = [tuple(sorted(first.get(each.file, ()))) for each in chosen]
    survived = 0
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for mutation, outcome in zip(chosen, pool.map(try_out, chosen, begin), strict=True):
            word = {True: "noticed ", False: "SURVIVED", None: "UNTRIED "}[outcome.noticed]
            print(
                f"{word} {outcome.seconds:5.0f} s  {mutation.file}: {mutation.what}  ({outcome.said})",
                flush=True,
            )
            survived += outcome.noticed is not True
            rows[mutation.file, mutation.what] = _row(mutation, outcome)
            if arguments.write:
                _write(rows)
    print(f"{len(chosen) - survived} of {len(chosen)} mutations were noticed")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
