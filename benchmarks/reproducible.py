"""The same bytes from two clean environments: Verilog and bitstreams of one model on several boards.

    python benchmarks/reproducible.py [--model models/digits.pt] [--board NAME]... [--python PROGRAM]

Creates two environments that share only the Python program. Each has a copy of the checkout, a virtual
environment with the current versions from pip, and an empty home and caches. They differ in path, hash seed,
locale, time zone, umask and environment. Each builds the model, as an exchange file, for every board. Writes
``results/reproducible.json`` with the SHA-256 of every file; exits with status 1 if any differs. If
``YOWASP_CACHE_DIR`` is set, the tools of YoWASP need not compile themselves in each environment, which takes
minutes.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import record

from sbgen.compiler import exchange
from sbgen.compiler.frontends import model
from sbgen.console import Console

ROOT = Path(__file__).parent.parent

#: What is handed on: how pip reaches its packages, and where YoWASP's compiled tools are.
_PASSED = (
    "PATH",
    "YOWASP_CACHE_DIR",
    "LD_LIBRARY_PATH",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
)


@dataclass(frozen=True, kw_only=True)
class Environment:
    """One of the two, and all that they differ in."""

    folder: str
    variables: dict
    umask: int


ENVIRONMENTS = (
    Environment(folder="one", umask=0o022, variables={"PYTHONHASHSEED": "1", "LC_ALL": "C", "TZ": "UTC"}),
    Environment(
        folder="two/of some \u00e9 depth",
        umask=0o077,
        variables={
            "PYTHONHASHSEED": "4294967295",
            "LC_ALL": "C.UTF-8",
            "LANG": "de_DE.UTF-8",
            "TZ": "Asia/Kathmandu",
            "COLUMNS": "200",
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "2",
            "SOURCE_DATE_EPOCH": "0",
        },
    ),
)


class Clean:
    """An environment below a folder."""

    def __init__(self, environment, base):
        self._base = Path(base) / environment.folder
        self._umask = environment.umask
        # Without a space: yosys calls its own abc with the name unquoted.
        temporary = Path(base) / f"tmp-{environment.folder.partition('/')[0]}"
        for folder in self._base / "home", self._base / "cache", self._base / "builds", temporary:
            folder.mkdir(parents=True)
        passed = {
            name: value for name, value in os.environ.items() if name in _PASSED or name.startswith("PIP_")
        }
        self._variables = {
            **passed,
            **environment.variables,
            "HOME": str(self._base / "home"),
            "TMPDIR": str(temporary),
            "XDG_CACHE_HOME": str(self._base / "cache"),
        }

    def run(self, *command):
        done = subprocess.run(
            command,
            cwd=self._base / "builds",
            env=self._variables,
            umask=self._umask,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        if done.returncode:
            sys.exit(f"{' '.join(map(str, command))}\nended with {done.returncode}:\n{done.stdout[-3000:]}")

    def install(self, python, commit):
        """Check out, make a virtual environment and install."""
        checkout, venv = self._base / "checkout", self._base / "venv"
        checkout.mkdir()
        files = subprocess.run(
            ["git", "-C", str(ROOT), "archive", commit], check=True, stdout=subprocess.PIPE
        ).stdout
        subprocess.run(["tar", "-x", "-C", str(checkout)], input=files, check=True)
        self.run(python, "-m", "venv", str(venv))
        self.run(
            str(venv / "bin/python"),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            f"{checkout}[ice40,ecp5]",
            "--constraint",
            str(checkout / "constraints.txt"),
        )
        self._sbgen = venv / "bin/sbgen"
        listed = subprocess.run(
            [venv / "bin/python", "-m", "pip", "freeze"], check=True, capture_output=True, text=True
        ).stdout
        return [line for line in listed.splitlines() if not line.startswith("sbgen")]

    def build(self, text, board):
        """SHA-256 of every file of a build."""
        file, out = self._base / "builds/model.json", self._base / "builds" / board
        file.write_text(text, encoding="ascii")
        self.run(
            str(self._sbgen),
            "build",
            "--model",
            file.name,
            "--board",
            board,
            "--seed",
            "1",
            "--no-sim",
            "--out",
            out.name,
        )
        report = json.loads((out / "report.json").read_text())
        return {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(out.iterdir())
        }, report


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--model", type=Path, default=ROOT / "models" / "digits.pt", help="as for sbgen build (digits)"
    )
    parser.add_argument(
        "--board",
        action="append",
        metavar="NAME",
        help="may be repeated (icebreaker, ice40_hx8k_b_evn, ulx3s_85f)",
    )
    parser.add_argument(
        "--python",
        default=getattr(sys, "_base_executable", sys.executable),
        help="creates the environments (this one)",
    )
    options = parser.parse_args()
    names = options.board or ["icebreaker", "ice40_hx8k_b_evn", "ulx3s_85f"]
    console, start, packages, found = Console(), time.monotonic(), [], {name: [] for name in names}
    commit = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    ).stdout.strip()
    text = exchange.dumps(model.load(options.model).network)
    with tempfile.TemporaryDirectory(prefix="sbgen-reproducible-") as base:
        for environment in ENVIRONMENTS:
            clean = Clean(environment, base)
            with console.step(f"install in {environment.folder.split('/')[0]}"):
                packages.append(clean.install(options.python, commit))
            for name in names:
                with console.step(f"build for {name}"):
                    found[name].append(clean.build(text, name))
    boards = []
    for name, ((one, report), (two, _)) in found.items():
        different = sorted(file for file in one.keys() | two.keys() if one.get(file) != two.get(file))
        boards.append(
            {"board": name, "clock_mhz": report["timing"]["clock_mhz"], "different": different, "files": one}
        )
    console.table(
        ["board", "files", "different"],
        [[each["board"], len(each["files"]), ", ".join(each["different"]) or "none"] for each in boards],
    )
    path = record.write(
        "reproducible",
        {
            "command": " ".join(
                ["python benchmarks/reproducible.py", *(f"--board {name}" for name in options.board or ())]
            ),
            "model": options.model.name,
            "seconds": round(time.monotonic() - start),
            "environments": [{**each.variables, "umask": f"{each.umask:03o}"} for each in ENVIRONMENTS],
            "same_packages": packages[0] == packages[1],
            "packages": packages[0],
            "boards": boards,
        },
    )
    console.line(f"written to {path.relative_to(ROOT)}")
    return int(any(each["different"] for each in boards))


if __name__ == "__main__":
    sys.exit(main())
