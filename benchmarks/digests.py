"""SHA-256 of what sbgen builds, to show that a redesign changes nothing.

    python benchmarks/digests.py [--random 300] [--folds 60] [--models [digits ...]] [--write]

Each seed is a random network and folding: SHA-256 of the network, the design file and the Verilog, cycles,
and estimates for two devices. The first seeds also have the design that the search finds. ``--models`` runs
`sbgen build` for shipped models on their boards, every step anew: SHA-256 of both Verilog files and the
bitstream. Everything is compared with ``results/digests.json``; ``--write`` replaces the records there. Exits
with status 1 if anything differs.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import record
from shipped import PACES, paces_of

from sbgen import fuzzing
from sbgen.compiler import design_file as files
from sbgen.compiler import exchange, verilog
from sbgen.compiler.cycles import predict
from sbgen.compiler.device import DEVICES
from sbgen.compiler.estimate import estimate
from sbgen.compiler.fold import fold
from sbgen.compiler.lower import lower
from sbgen.errors import FitError

ROOT = Path(__file__).parent.parent

#: Devices that estimates and the search are compared on: one of each family.
ON = tuple(DEVICES[name] for name in ("up5k", "ecp5-85f"))

#: The builds of the README's table.
BUILDS = {
    "digits": ("icebreaker", "ice40_hx8k_b_evn"),
    "tfc-mnist": ("icebreaker", "ice40_hx8k_b_evn"),
    "cnn-mnist": ("icebreaker",),
    "sfc-mnist": ("icebreaker",),
    "cnv-cifar10": ("ulx3s_85f",),
}


def sha256(text):
    return hashlib.sha256(text if isinstance(text, bytes) else text.encode()).hexdigest()


def design_file(made):
    """SHA-256 of the design file, which has every field of every layer's folding."""
    with tempfile.TemporaryDirectory(prefix="sbgen-digests-") as folder:
        path = Path(folder) / "design.json"
        files.save(made, path)
        return sha256(path.read_bytes())


def random_row(seed, *, search):
    """The digests of a seed; with `search` also of the design that the search finds."""
    made = fuzzing.random_design(seed, largest=24)
    cycles = predict(made)
    row = {
        "seed": seed,
        "network": exchange.digest(made.network),
        "design": design_file(made),
        "verilog": sha256(verilog.convert(lower(made))),
        "cycles": [cycles.latency, cycles.interval, *cycles.finishes, *cycles.layers],
        "estimates": [sha256(repr(estimate(made, device))) for device in ON],
    }
    if search:
        row["search"] = []
        for device in ON:
            try:
                row["search"].append(design_file(fold(made.network, device)))
            except FitError as error:
                row["search"].append(type(error).__name__)
    return row


def build_row(model, board):
    """The digests of the files of a build."""
    options = PACES[paces_of(model, board)[-1]]
    with tempfile.TemporaryDirectory(prefix="sbgen-digests-") as out:
        command = ["build", "--model", str(ROOT / "models" / f"{model}.pt"), "--board", board, "--out", out]
        subprocess.run(
            [sys.executable, "-m", "sbgen", *command, *options, "--fresh", "--images", "2"],
            cwd=ROOT,
            check=True,
        )
        files = {path.name: path for path in Path(out).iterdir()}
        wanted = [name for name in ("core.v", "top.v", "top.bin", "top.bit") if name in files]
        return {
            "model": model,
            "board": board,
            "files": {name: sha256(files[name].read_bytes()) for name in wanted},
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--random", type=int, default=300, metavar="N", help="random designs (300)")
    parser.add_argument("--folds", type=int, default=60, metavar="N", help="of them, searched as well (60)")
    parser.add_argument("--models", nargs="*", choices=BUILDS, help="shipped models to build, or all")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="designs at the same time (1)")
    parser.add_argument("--write", action="store_true", help="replace the record")
    options = parser.parse_args()
    models = list(BUILDS) if options.models == [] else options.models or []

    path = record.FOLDER / "digests.json"
    known = json.loads(path.read_text()) if path.exists() else {"designs": [], "builds": []}
    designs = {row["seed"]: row for row in known["designs"]}
    builds = {(row["model"], row["board"]): row for row in known["builds"]}
    different = compared = 0

    def take(rows, key, row):
        nonlocal different, compared
        old = {name: value for name, value in rows.get(key, {}).items() if name not in record.MEASURED}
        wrong = [name for name in row if name in old and old[name] != row[name]]
        compared += bool(old)
        different += bool(wrong)
        if wrong:
            print(f"{key}: {', '.join(wrong)} differ", flush=True)
        if options.write:
            rows[key] = {**rows.get(key, {}), **row, **record.MEASURED}

    with ProcessPoolExecutor(options.jobs) as pool:
        found = [pool.submit(random_row, seed, search=seed < options.folds) for seed in range(options.random)]
        for row in found:
            take(designs, row.result()["seed"], row.result())
    for model in models:
        for board in BUILDS[model]:
            take(builds, (model, board), build_row(model, board))
    if options.write:
        record.write(
            "digests", {"designs": list(designs.values()), "builds": list(builds.values())}, measured={}
        )
    print(f"{compared} compared, {different} differ")
    return int(different > 0)


if __name__ == "__main__":
    sys.exit(main())
