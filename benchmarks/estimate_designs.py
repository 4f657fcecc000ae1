"""Accuracy of the resource estimate of whole designs: shipped models along their trade-off curves, packed.

Writes ``results/estimate-designs-FAMILY.json``, and the range of the error to ``compiler/calibration.json``,
which `sbgen estimate` prints::

    python benchmarks/estimate_designs.py --family ice40
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import calibration
from estimate import LUT6_CELLS, LUT6_SYNTHESIS, cells
from gowin_luts import placed_luts
from record import write

from sbgen import network_cache, target, tools
from sbgen.boards import flow
from sbgen.boards.gowin.chips import of_device
from sbgen.boards.harness import Top
from sbgen.compiler import exchange
from sbgen.compiler.estimate import estimate
from sbgen.compiler.fold import trade_off
from sbgen.compiler.linked import link_parameters
from sbgen.compiler.lower import lower
from sbgen.compiler.verilog import convert
from sbgen.errors import FitError

MODELS = Path(__file__).parent.parent / "models"


def _ice40(board):
    return f"--{board.device.name}", "--package", board.package.lower(), "--pcf-allow-unconstrained"


def _ecp5(board):
    return f"--{board.device.name.removeprefix('ecp5-').replace('f', 'k')}", "--lpf-allow-unconstrained"


def _gowin(board):
    return "--device", board.part, "--vopt", f"family={of_device(board.device.name).name}"


#: Boards of a family, the cells that nextpnr counts as LUTs and as block RAMs, and its options to pack for a
#: board. Without cells, LUTs are counted as `placed_luts` does.
#: `lut6` has no open place and route: cores for a part are counted after synthesis.
FAMILIES = {
    "ice40": (("icebreaker", "ice40_hx8k_b_evn"), ("ICESTORM_LC",), ("ICESTORM_RAM",), _ice40),
    "ecp5": (("ulx3s_85f",), ("TRELLIS_COMB",), ("DP16KD",), _ecp5),
    "gowin": (("tang_nano_9k", "tang_nano_20k"), (), ("BSRAM",), _gowin),
    "lut6": (("xc7z020",), LUT6_CELLS, ("RAMB18E1",), None),
}


def designs(family, models, most):
    """(target, design) of every model along its curve, up to so many LUTs."""
    names, packing = FAMILIES[family][0], FAMILIES[family][-1]
    for name in models:
        network = network_cache.load(MODELS / f"{name}.pt")
        for found in map(target.of_part if packing is None else target.of_board, names):
            try:
                curve = trade_off(network, found.device)
            except FitError:
                continue
            yield from ((found, design) for design in curve if estimate(design, found.device)["lut"] <= most)


def synthesised(design):
    """LUTs and block RAMs of a core after synthesis for LUTs of six inputs."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "top.v").write_text(convert(lower(design)), encoding="utf-8")
        script = f"read_verilog top.v; {LUT6_SYNTHESIS}"
        tools.run(tools.find("yosys"), ["-p", script], cwd=folder, log=folder / "yosys.log")
        counted = cells(folder / "stat.json")
    luts = sum(counted.get(cell, 0) for cell in LUT6_CELLS)
    return luts, counted.get("RAMB18E1", 0) + 2 * counted.get("RAMB36E1", 0)


def measure(board, design, *, clock_mhz=None, alone=False):
    """LUTs and block RAMs of a design after packing: with its host link, or its core alone."""
    core = lower(design)
    top = (
        core
        if alone
        else Top(
            core=core,
            board=board,
            link=link_parameters(design, board.device),
            clock_mhz=clock_mhz,
            digest=bytes.fromhex(exchange.digest(design.network)),
        )
    )
    plan = flow.plan(verilog=convert(top), board=board, clock_mhz=clock_mhz, seeds=(1,))
    _, *counted, packing = FAMILIES[board.device.family]
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for name, text in plan.files.items():
            (folder / name).write_text(text, encoding="utf-8")
        tools.run(plan.synthesis.tool, plan.synthesis.args, cwd=folder, log=folder / "yosys.log")
        constraints = {".pcf": "--pcf={}", ".lpf": "--lpf={}", ".cst": "--vopt=cst={}"}
        options = [] if alone else [name for name in plan.files if Path(name).suffix in constraints]
        tools.run(
            plan.placements[0].tool,
            [
                *packing(board),
                *(constraints[Path(name).suffix].format(name) for name in options),
                "--json=top.json",
                "--pack-only",
                "--report=nextpnr.json",
            ],
            cwd=folder,
            log=folder / "pack.log",
        )
        used = json.loads((folder / "nextpnr.json").read_text(encoding="utf-8"))["utilization"]
        placed = 0 if counted[0] else placed_luts(folder / "top.json", used)
    luts, brams = (sum(used.get(cell, {"used": 0})["used"] for cell in cells) for cells in counted)
    return luts + placed, brams


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--family", choices=FAMILIES, default="ice40")
    parser.add_argument(
        "--models", nargs="+", default=["digits", "tfc-mnist", "cnn-mnist"], help="names without .pt"
    )
    parser.add_argument("--most", type=int, default=8000, help="LUTs of the largest design that is measured")
    options = parser.parse_args()

    rows = []
    for found, design in designs(options.family, options.models, options.most):
        estimated = estimate(design, found.device)
        lut, bram = synthesised(design) if found.board is None else measure(found.board, design)
        rows.append(
            {
                "model": design.network.name,
                "board": found.name,
                "lut": lut,
                "lut_estimate": estimated["lut"],
                "lut_error": round(lut / estimated["lut"] - 1, 4),
                "bram": bram,
                "bram_estimate": estimated["bram"],
                "foldings": [list(shape) for shape in design.shapes],
            }
        )
        print(rows[-1], file=sys.stderr, flush=True)
    errors = [row["lut_error"] for row in rows]
    band = {"designs": len(rows), "low": min(errors), "high": max(errors)}
    write(
        f"estimate-designs-{options.family}",
        {
            "family": options.family,
            "designs": rows,
            "lut": band,
            "wrong_brams": sum(row["bram"] != row["bram_estimate"] for row in rows),
        },
    )
    calibration.update(options.family, lut=band)
    print(
        f"{options.family}: {len(rows)} designs; LUTs {band['low']:+.1%} ... {band['high']:+.1%} from the"
        " estimate"
    )


if __name__ == "__main__":
    main()
