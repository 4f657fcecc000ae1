"""The folder's answers for `--fps` from 100 images/s to the maximum of a board, in 40 steps, by estimate.

    python benchmarks/folder.py [--models digits ...] [--boards icebreaker ...] [--before FILE]

For each model and board: the maximum, and at each step the price of the cheapest design (LUTs, with a small
price for block RAMs and SPRAMs; `sbgen.compiler.search.price`). Exits with status 1 if a step is refused or
a lower rate costs more. ``--before`` is a record of an earlier folder; its points are asked for as well, and
a design may not cost more than there. Writes ``results/folder.json``.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import record
from estimate_designs import MODELS

from sbgen import boards, network_cache
from sbgen.boards.harness import clock_and_pll
from sbgen.compiler import fold
from sbgen.compiler.chain import Prices
from sbgen.compiler.cycles import stage_cycles
from sbgen.compiler.estimate import estimate
from sbgen.compiler.fit import FILL
from sbgen.compiler.search import Search, price
from sbgen.errors import FitError

STEPS = 40


def before_price(point, device):
    """The price of a design of which only these figures were recorded."""
    rams = Prices(device=device).rams(point["bram"], point["spram"])
    return point["lut"] + 8 * point["lanes"] + rams


def curve(model, board, before):
    """The steps of a model on a board, and what an earlier folder answered."""
    network, device = network_cache.load(MODELS / f"{model}.pt"), board.device
    clock_mhz, _ = clock_and_pll(board, None)
    row = {"model": model, "board": board.name, "clock_mhz": clock_mhz}
    start = time.process_time()
    try:
        fastest = max(stage_cycles(fold.fold(network, device, fill=FILL)))
    except FitError as error:
        return row | {"refused": str(error), "seconds": round(time.process_time() - start, 2)}
    most = clock_mhz * 1e6 / fastest
    search = Search(network, device, fill=FILL, max_banks=device.fabric.max_banks)
    points = []
    for step in range(STEPS):
        cycles = (
            fastest
            if step == STEPS - 1
            else int(clock_mhz * 1e6 / (100 * (most / 100) ** (step / (STEPS - 1))))
        )
        design = search.design(cycles)
        point = {"cycles": cycles, "refused": design is None}
        if design is not None:
            used = estimate(design, device, exact=False)
            point |= {
                "price": round(price(design, device), 1),
                "busy": max(stage_cycles(design)),
                **{name: used[name] for name in ("lut", "bram", "spram")},
            }
        points.append(point)
    row |= {"fastest_cycles": fastest, "maximum": round(most), "points": points}
    if before is not None:
        old, compared = before.get((model, board.name), []), []
        for point in old:
            design = search.design(point["cycles"])
            compared.append(
                {
                    "cycles": point["cycles"],
                    "before": None if "error" in point else round(before_price(point, device), 1),
                    "now": None if design is None else round(price(design, device), 1),
                }
            )
        row["before"] = compared
    return row | {"seconds": round(time.process_time() - start, 2)}


def wrong(row):
    """What a row must not have."""
    if "points" not in row:
        return
    for slower, faster in zip(row["points"], row["points"][1:], strict=False):
        if faster["refused"] or slower["refused"]:
            yield f"{faster['cycles']} cycles are refused"
        elif slower["price"] > faster["price"] + 1:
            yield f"{slower['cycles']} cycles cost more than {faster['cycles']}"
    for point in row.get("before", ()):
        if point["before"] is not None and (point["now"] is None or point["now"] > point["before"] + 1):
            yield f"{point['cycles']} cycles cost {point['now']}, before {point['before']}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    shipped = sorted(path.stem for path in MODELS.glob("*.pt"))
    parser.add_argument("--models", nargs="+", choices=shipped, default=shipped)
    parser.add_argument(
        "--boards", nargs="+", default=["icebreaker", "ice40_hx8k_b_evn", "ulx3s_85f"], help="(three)"
    )
    parser.add_argument("--before", type=Path, metavar="FILE", help="an earlier folder's record")
    options = parser.parse_args()
    before = None
    if options.before:
        rows = json.loads(options.before.read_text())
        before = {(row["model"], row["board"]): row.get("points", []) for row in rows}

    path = record.FOLDER / "folder.json"
    rows = {}
    if path.exists():
        rows = {(row["model"], row["board"]): row for row in json.loads(path.read_text())["rows"]}
    failures = 0
    for model in options.models:
        for name in options.boards:
            row = curve(model, boards.get(name), before)
            rows[model, name] = row | record.MEASURED
            for what in wrong(row):
                failures += 1
                print(f"{model} on {name}: {what}")
            print(
                f"{model} on {name}: {row.get('maximum', 'refused')} images/s, {row['seconds']} s", flush=True
            )
            record.write(
                "folder",
                {"command": "python benchmarks/folder.py", "rows": [rows[key] for key in sorted(rows)]},
                measured={},
            )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
