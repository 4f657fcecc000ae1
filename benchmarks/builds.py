"""Whole builds, from the model to the bitstream: clock and rate, time and memory, and the levels of `verify`.

    python benchmarks/builds.py [--cached] [NAME ...]

Each build runs every step anew, as ``sbgen build --fresh`` in a separate process; tools keep their own caches
from earlier builds. With ``--cached`` it takes steps that an earlier build left, and its time and memory are
not known. Then ``sbgen verify`` checks every level of it with a few images; a level that fails ends
the benchmark. LFC has three hidden layers of 1,024 neurons with random weights, the worst case for place and
route. Time and memory are those of the build; memory is that of the largest process. Writes
``results/builds.json`` and ``results/builds.md``; rows of other builds stay.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from record import FOLDER, MEASURED, write

from sbgen.compiler import exchange
from sbgen.compiler.ir import Binarize, Dense, Network, Scores

MODELS = Path(__file__).parent.parent / "models"


@dataclass(frozen=True, kw_only=True)
class Build:
    """A build: a shipped model's name or a function that returns a network, the board, other arguments."""

    model: object
    board: str
    arguments: tuple


def lfc():
    """LFC of the FINN paper (Umuroglu et al., 2017) on MNIST's images, with random weights and matching
    thresholds.
    """
    rng = np.random.default_rng(1)
    layers, inputs = [Binarize(name="pixels", thresholds=np.full((784, 1), 128))], 784
    for n in range(3):
        thresholds = np.round(rng.normal(inputs / 2, inputs**0.5 / 2, 1024)).astype(int).clip(0, inputs + 1)
        layers.append(
            Dense(name=f"hidden{n + 1}", weights=rng.integers(0, 2, (1024, inputs)), thresholds=thresholds)
        )
        inputs = 1024
    layers.append(
        Scores(name="scores", weights=rng.integers(0, 2, (10, inputs)), offsets=rng.integers(-20, 20, 10))
    )
    return Network(name="lfc-random", image_shape=(28, 28), layers=tuple(layers), labels=tuple("0123456789"))


BUILDS = {
    "tfc-icebreaker": Build(model="tfc-mnist", board="icebreaker", arguments=("--clock", "48")),
    "tfc-hx8k": Build(model="tfc-mnist", board="ice40_hx8k_b_evn", arguments=("--clock", "120")),
    "tfc-ulx3s": Build(model="tfc-mnist", board="ulx3s_85f", arguments=("--fps", "400000", "--clock", "120")),
    "lfc-ulx3s": Build(
        model=lfc, board="ulx3s_85f", arguments=("--fps", "200000", "--clock", "100", "--images", "3")
    ),
    "cnv-ulx3s": Build(model="cnv-cifar10", board="ulx3s_85f", arguments=("--fps", "5000", "--images", "2")),
    "digits-orangecrab-usb": Build(model="digits", board="orangecrab_r0_2,usb", arguments=("--fps", "50000")),
    "tfc-ulx3s-usb": Build(model="tfc-mnist", board="ulx3s_85f,usb", arguments=("--fps", "50000")),
    "digits-nano9k": Build(model="digits", board="tang_nano_9k", arguments=("--fps", "100000")),
    "tfc-nano9k": Build(model="tfc-mnist", board="tang_nano_9k", arguments=("--fps", "100000")),
    "sfc-nano9k": Build(model="sfc-mnist", board="tang_nano_9k", arguments=("--fps", "100000")),
    "digits-nano20k": Build(model="digits", board="tang_nano_20k", arguments=()),
    "cnn-nano20k": Build(model="cnn-mnist", board="tang_nano_20k", arguments=()),
}

#: Images of a build without ``--images``.
IMAGES = 20


def measure(name, *, cached):
    """A row of the results."""
    build = BUILDS[name]
    with tempfile.TemporaryDirectory(prefix="sbgen-") as folder:
        path = MODELS / f"{build.model}.pt"
        if callable(build.model):
            path = Path(folder) / "network.json"
            exchange.save(build.model(), path)
        out = Path(folder) / "out"
        load, start = os.getloadavg()[0], time.monotonic()
        sbgen = (sys.executable, "-m", "sbgen")
        images = () if "--images" in build.arguments else ("--images", str(IMAGES))
        arguments = (*build.arguments, *images)
        fresh = () if cached else ("--fresh",)
        process = subprocess.Popen(
            [*sbgen, "build", "--model", path, "--board", build.board, *arguments, *fresh, "--out", out]
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"{name}: the build ended with {process.returncode}")
        seconds = time.monotonic() - start
        report = json.loads((out / "report.json").read_text())
        count = arguments[arguments.index("--images") + 1]
        if subprocess.run([*sbgen, "verify", out, "--images", count], check=False).returncode:
            sys.exit(f"{name}: not every level is verified")
        levels = json.loads((out / "ledger.json").read_text())["rungs"]
    timing, used, estimate = report["timing"], report["resources"], report["estimate"]
    return {
        "build": name,
        "arguments": " ".join(build.arguments),
        "lut": used["lut"]["used"],
        "lut_estimate": estimate["lut"],
        "bram": used["bram"]["used"],
        "bram_estimate": estimate["bram"],
        "clock_mhz": timing["clock_mhz"],
        "fmax_mhz": timing["fmax_mhz"],
        "cycles": timing["cycles_per_image"],
        "images_per_second": timing["images_per_second"],
        "seconds": None if cached else round(seconds, 1),
        "mib": None if cached else usage.ru_maxrss >> 10,
        "board_images_per_second": report["bound"]["whole_images_per_second"],
        "verified": {level["rung"]: level["status"] for level in levels},
        "load": round(load, 1),
        **MEASURED,
    }


def table(rows):
    """The results as Markdown."""
    lines = [
        (
            "| build | LUT | estimated | block RAM | clock | Fmax | cycles per image | images/s |"
            " levels verified | time | memory | load before |"
        ),
        "|---" * 12 + "|",
    ]
    for row in rows:
        lines.append(
            f"| {row['build']} | {row['lut']:,} | {_error(row)} | {row['bram']} | {row['clock_mhz']:g} MHz |"
            f" {row['fmax_mhz']:.1f} MHz | {row['cycles']:,} | {row['images_per_second']:,.0f} |"
            f" {sum(status == 'PASS' for status in row.get('verified', {}).values()) or '–'} |"
            + (
                " – | – | – |"
                if row["seconds"] is None
                else f" {row['seconds']:,.0f} s | {row['mib']:,} MiB | {row['load']:.1f} |"
            )
        )
    return "\n".join(lines) + "\n"


def _error(row):
    """How far the LUTs are from the estimate; rows of before it was recorded have none."""
    return f"{row['lut'] / row['lut_estimate'] - 1:+.1%}" if "lut_estimate" in row else "–"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "builds", nargs="*", choices=BUILDS, metavar="NAME", help=f"{', '.join(BUILDS)} (all)"
    )
    parser.add_argument("--cached", action="store_true", help="take steps of earlier builds, without a time")
    options = parser.parse_args()

    path = FOLDER / "builds.json"
    rows = {row["build"]: row for row in json.loads(path.read_text())["builds"]} if path.exists() else {}
    for name in options.builds or BUILDS:
        rows[name] = measure(name, cached=options.cached)
        found = [rows[each] for each in BUILDS if each in rows]
        write(
            "builds",
            {"command": "python benchmarks/builds.py", "cores": os.cpu_count(), "builds": found},
            measured={},
        )
        (FOLDER / "builds.md").write_text(table(found), encoding="utf-8")
    print(table(found))


if __name__ == "__main__":
    main()
