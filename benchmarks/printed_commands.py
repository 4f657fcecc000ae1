"""Run the commands that README and docs print, as printed, in one folder, page after page.

What is not run, and why, is in ``printed_commands.toml``. Takes an hour or two, mostly place and route::

    python benchmarks/printed_commands.py [--page docs/parts.md ...]
"""

import argparse
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
    parser.add_argument("--page", action="append", help="only this page; nothing is written (default: all)")
    options = parser.parse_args()

    rows, failed = [], 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.page is None:
            prepare(folder)
        done = set()
        for page in options.page or pages():
            for command in printed(page):
                if command in NOT_RUN or (page, command) in done:
                    continue
                done.add((page, command))
                start = time.monotonic()
                result = run(command, folder)
                rows.append(
                    {
                        "page": page,
                        "command": command,
                        "exit_code": result.returncode,
                        "seconds": round(time.monotonic() - start, 1),
                    }
                )
                failed += result.returncode != 0
                print(f"{result.returncode:3} {rows[-1]['seconds']:8.1f} s  {page}: {command}", flush=True)
                if result.returncode:
                    print(result.stdout[-3000:] + result.stderr[-3000:])
    if options.page is None:
        record.write("printed_commands", {"commands": rows, "not_run": NOT_RUN, "failed": failed})
    print(
        f"{len(rows)} commands as printed, {failed} failed; {len(NOT_RUN)} are not run, each with its reason"
    )
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
