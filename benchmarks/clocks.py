"""The clock that shipped models reach on boards, and the path that limits it.

    python benchmarks/clocks.py [--models NAME ...] [--boards NAME ...] [--seeds 3]

Each design is the one that `sbgen build` makes by default, with its host link, at the board's usual clock.
Place and route runs with each seed to its end, also if the clock is met before or not at all. Writes
``results/clocks.json`` and ``clocks.md``: Fmax of each seed and their median, and where the slowest path of
the median seed begins and ends. Rows of other models and boards stay.
"""

import argparse
import json
import re
import statistics
import sys
import tempfile
from pathlib import Path

import record

import sbgen
from sbgen import atomic, boards, tools
from sbgen.boards import flow
from sbgen.boards.harness import Top
from sbgen.boards.seeds import read_report
from sbgen.compiler import exchange
from sbgen.compiler.cycles import predict
from sbgen.compiler.linked import link_parameters
from sbgen.compiler.lower import lower
from sbgen.compiler.verilog import convert

MODELS = Path(__file__).parent.parent / "models"

#: What yosys and nextpnr add to the names of the signals that cells compute.
_ADDED = re.compile(r"(_SB|_DFF|_LUT\d|_CCU2C|_TRELLIS|_ALU|_L6MUX|_PFUMX|\$).*")


def signal(end):
    """The signal that a cell of a path computes, as the design has it."""
    return _ADDED.sub("", end["cell"]).rstrip(".") or end["cell"]


def slowest_path(report):
    """Between which signals the slowest path within a clock runs, through how many cells, and its delay in
    all and of its wires, in ns.
    """
    inside = [each for each in report["critical_paths"] if each["from"] == each["to"]]
    path = max(inside, key=lambda each: sum(step["delay"] for step in each["path"]))["path"]
    return {
        "from": signal(path[0]["from"]),
        "to": signal(path[-1]["to"]),
        "cells": sum(step["type"] == "logic" for step in path),
        "ns": round(sum(step["delay"] for step in path), 2),
        "wires_ns": round(sum(step["delay"] for step in path if step["type"] == "routing"), 2),
    }


def measure(model, board, seeds):
    """The row of a model on a board, each placed with seeds 1 ... `seeds`."""
    design = sbgen.load(MODELS / f"{model}.pt").fold(board.name).foldings
    top = Top(
        core=lower(design),
        board=board,
        link=link_parameters(design, board.device),
        clock_mhz=None,
        digest=bytes.fromhex(exchange.digest(design.network)),
    )
    plan = flow.plan(verilog=convert(top), board=board, pins=top.pins, seeds=range(1, seeds + 1))
    trials = []
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for name, text in plan.files.items():
            (folder / name).write_text(text, encoding="utf-8")
        for step in (plan.synthesis, *plan.placements):
            tools.run(step.tool, step.args, cwd=folder, log=folder / step.log)
        for step in plan.placements:
            path = folder / step.writes[0]
            fmax, _ = read_report(path, aim_mhz=plan.aim_mhz)
            trials.append((fmax, step.seed, slowest_path(json.loads(path.read_text(encoding="utf-8")))))
    median = statistics.median_low(trials)
    return {
        "model": model,
        "board": board.name,
        "clock_mhz": plan.clock_mhz,
        "cycles": predict(design).interval,
        "fmax_mhz": {str(seed): round(fmax, 1) for fmax, seed, _ in trials},
        "median_mhz": round(median[0], 1),
        "slowest": median[2],
        **record.MEASURED,
    }


def table(rows):
    lines = [
        "| model | board | clock, MHz | median Fmax | of each seed | slowest path | cells | ns | of wires |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        path = row["slowest"]
        lines.append(
            f"| {row['model']} | {row['board']} | {row['clock_mhz']:g} | {row['median_mhz']} |"
            f" {', '.join(map(str, row['fmax_mhz'].values()))} | `{path['from']}` to `{path['to']}` |"
            f" {path['cells']} | {path['ns']} | {path['wires_ns']} |"
        )
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["digits", "tfc-mnist"], help="names without .pt")
    parser.add_argument("--boards", nargs="+", default=["icebreaker", "ice40_hx8k_b_evn"])
    parser.add_argument("--seeds", type=int, default=3, help="how many (3)")
    options = parser.parse_args()

    path = record.FOLDER / "clocks.json"
    rows = json.loads(path.read_text())["rows"] if path.exists() else []
    for model in options.models:
        for board in map(boards.get, options.boards):
            row = measure(model, board, options.seeds)
            rows = [each for each in rows if (each["model"], each["board"]) != (model, board.name)] + [row]
            rows.sort(key=lambda each: (each["board"], each["model"]))
            record.write("clocks", {"command": "python benchmarks/clocks.py", "rows": rows}, measured={})
            atomic.write(path.with_suffix(".md"), table(rows))
            print(row, file=sys.stderr, flush=True)
    print(table(rows), end="")


if __name__ == "__main__":
    main()
