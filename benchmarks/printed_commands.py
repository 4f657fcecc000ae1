"""Run the commands that README and docs print, as printed, in one folder, page after page.

What is not run, and why, is in ``printed_commands.toml``. Takes an hour or two, mostly place and route::

    python benchmarks/printed_commands.py [--page docs/parts.md ...] [--folder DIR]

Each row of the record has its commit; rows of pages that are not run stay. A page may need what the pages
before it have written: ``--folder`` keeps that for the next run.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

import record

ROOT = Path(__file__).parent.parent
CONTENT = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
NOT_RUN = CONTENT["not_run"]
NAME = "printed_commands"


def pages():
    """Every page that prints commands, in the order in which they are run."""
    found = [
        str(path.relative_to(ROOT)) for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    ]
    rest = [page for page in found if page not in CONTENT["pages"] and "generated" not in page]
    return [*CONTENT["pages"], *rest]


def printed(page):
    """The commands in the `sh` blocks of a page, without what follows a `#`."""
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))
    lines = (line.split(" #")[0] for line in blocks.replace("\\\n", " ").splitlines())
    return [" ".join(line.split()) for line in lines if line.strip()]


def prepare(folder):
    """What a reader has: the models of the checkout, images of his own, and `CONTENT["before"]`."""
    import numpy as np

    from sbgen.train import data

    (folder / "models").symlink_to(ROOT / "models")
    _, _, images, labels = data.load("digits")
    for name in "test.npz", "images.npz":
        np.savez(folder / name, images=images, labels=labels)
    for command in CONTENT["before"]:
        run(command, folder).check_returncode()


def run(command, folder):
    """Run a command with this Python's sbgen; its output is shown if it fails."""
    words = shlex.split(command)
    assert words[0] == "sbgen", f"{command}: only commands of sbgen are run; give the reason in the table"
    if "better.pt" in words and not (folder / "better.pt").exists():
        shutil.copy(folder / "net.pt", folder / "better.pt")  # another network of the same shape
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-m", "sbgen", *words[1:]],
        check=False,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--page", action="append", choices=pages(), help="only this page (default: all)")
    parser.add_argument(
        "--folder", type=Path, help="run them here and leave the files (default: a temporary folder)"
    )
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as name:
        folder = options.folder or Path(name)
        if options.folder is None or not folder.exists():
            folder.mkdir(exist_ok=True)
            prepare(folder)
        rows = run_pages([page for page in pages() if page in (options.page or pages())], folder)
    failed = sum(row["exit_code"] != 0 for row in rows)
    print(
        f"{len(rows)} commands as printed, {failed} failed; {len(NOT_RUN)} are not run, each with its reason"
    )
    return int(failed > 0)


def run_pages(chosen, folder):
    """Run the commands of pages; after each the record has its row. Rows of other pages stay."""
    rows, done = earlier(chosen), []
    for page in chosen:
        for command in dict.fromkeys(printed(page)):
            if command in NOT_RUN:
                continue
            start = time.monotonic()
            result = run(command, folder)
            row = {
                "page": page,
                "command": command,
                "exit_code": result.returncode,
                "seconds": round(time.monotonic() - start, 1),
                **record.MEASURED,
            }
            done.append(row)
            write([*rows, *done])
            print(f"{result.returncode:3} {row['seconds']:8.1f} s  {page}: {command}", flush=True)
            if result.returncode:
                print(result.stdout[-3000:] + result.stderr[-3000:])
    return done


def earlier(chosen):
    """Rows of the record that are still printed, but for those of the chosen pages."""
    path = record.FOLDER / f"{NAME}.json"
    rows = json.loads(path.read_text(encoding="ascii"))["commands"] if path.exists() else []
    wanted = {(page, command) for page in set(pages()) - set(chosen) for command in printed(page)}
    return [row for row in rows if (row["page"], row["command"]) in wanted]


def write(rows):
    """Write the record, its rows in the order in which a whole run has them."""
    order = {key: n for n, key in enumerate((page, command) for page in pages() for command in printed(page))}
    rows = sorted(rows, key=lambda row: order[row["page"], row["command"]])
    missing = set(order) - {(row["page"], row["command"]) for row in rows}
    content = {
        "commands": rows,
        "failed": sum(row["exit_code"] != 0 for row in rows),
        "not_run": NOT_RUN,
        "never_run": [
            f"{page}: {command}"
            for page, command in order
            if (page, command) in missing and command not in NOT_RUN
        ],
    }
    record.write(NAME, content, measured={})


if __name__ == "__main__":
    sys.exit(main())
