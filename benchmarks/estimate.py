"""Accuracy of the resource estimate: random matrix-vector-threshold units through synthesis and packing.

Prints the error of the present estimate and the unit costs that would fit these units best. ``--keep`` writes
them to ``compiler/calibration.json``, which the estimator reads. Units are packed without placement, which
takes seconds each::

    python benchmarks/estimate.py --family ice40 --count 60 --seed 1
"""

import argparse
import hashlib
import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import calibration
import numpy as np
from gowin_luts import placed_luts
from record import write
from scan import Scan

from sbgen import boards, cache, tools
from sbgen.boards import flow
from sbgen.boards.ice40.flow import SYNTHESIS
from sbgen.compiler.device import DEVICES
from sbgen.compiler.estimate import part_cost, structures
from sbgen.compiler.vendor_devices import VENDOR_DEVICES
from sbgen.compiler.verilog import convert
from sbgen.hw.mvtu import Parameters


@dataclass(frozen=True, kw_only=True)
class Flow:
    """How a unit is synthesised and packed for a family.

    Parameters
    ----------
    device : str
    synthesis : str
        The commands of yosys that write ``top.json``.
    program : str or None
        Of place and route; None where there is no open one, and yosys counts the cells.
    options : tuple of str
        Of place and route.
    lut : tuple of str
        Cells that are LUTs; none where they are counted as `placed_luts` does.
    bram : str
        The cell that is a block RAM.
    files : dict of str to str
        Names and contents of other input files.
    cell_per_flip_flop : bool
        Whether each flip-flop of a shift register takes a cell that counts as a LUT. Elsewhere only those of
        a register that is also loaded do.
    """

    device: str
    synthesis: str
    program: str | None
    options: tuple[str, ...]
    lut: tuple[str, ...]
    bram: str
    files: Mapping[str, str] = field(default_factory=dict)
    cell_per_flip_flop: bool = False


def gowin():
    """Gowin's, with the block RAMs of its plan, and a pin for each port, as nextpnr wants."""
    board = boards.get("tang_nano_9k")
    plan = flow.plan(verilog="", board=board)
    ports = ("clk", "rst", "d", "i_valid", "i_ready", "q", "o_valid", "o_ready")
    sites = (52, 10, 11, 13, 14, 15, 16, 17)
    cst = "".join(f'IO_LOC "{port}" {site};\n' for port, site in zip(ports, sites, strict=True))
    return Flow(
        device=board.device.name,
        synthesis=plan.synthesis.args[1],
        program=plan.placements[0].tool.name,
        options=("--device", board.part, "--vopt", "family=GW1N-9C", "--vopt", "cst=top.cst"),
        lut=(),
        bram="BSRAM",
        files={**plan.files, "top.cst": cst},
        cell_per_flip_flop=True,
    )


#: Synthesis for LUTs of six inputs, and the cells that take one of them.
LUT6_SYNTHESIS = "synth_xilinx -family xc7 -noiopad -noclkbuf -top top; tee -q -o stat.json stat -json"
LUT6_CELLS = ("LUT1", "LUT2", "LUT3", "LUT4", "LUT5", "LUT6", "SRL16E", "SRLC32E")


def cells(path):
    """The cells of a design by type, from what ``stat -json`` of yosys wrote."""
    return json.loads(path.read_text())["design"]["num_cells_by_type"]


FLOWS = {
    "ice40": lambda: Flow(
        device="hx8k",
        synthesis=f"read_verilog top.v; {SYNTHESIS} -top top -json top.json",
        program="nextpnr-ice40",
        options=("--hx8k", "--package", "ct256", "--pcf-allow-unconstrained"),
        lut=("ICESTORM_LC",),
        bram="ICESTORM_RAM",
        cell_per_flip_flop=True,
    ),
    "ecp5": lambda: Flow(
        device="ecp5-85f",
        synthesis="read_verilog top.v; synth_ecp5 -nowidelut -top top -json top.json",
        program="nextpnr-ecp5",
        options=("--85k", "--package", "CABGA381", "--lpf-allow-unconstrained"),
        lut=("TRELLIS_COMB",),
        bram="DP16KD",
    ),
    "gowin": gowin,
    "lut6": lambda: Flow(
        device="xc7z020",
        synthesis=f"read_verilog top.v; {LUT6_SYNTHESIS}",
        program=None,
        options=(),
        lut=LUT6_CELLS,
        bram="RAMB18E1",
    ),
}


def random_parameters(rng):
    deep = rng.random() < 0.2  # more weights for each product, so that they are registered
    while True:
        inputs, outputs = int(2 ** (rng.uniform(3, 9) + deep)), int(2 ** (rng.uniform(2, 7) + 2 * deep))
        simd, pe = int(rng.integers(1, min(inputs, 64) + 1)), int(rng.integers(1, min(outputs, 16) + 1))
        if simd * pe <= 400 and not (deep and inputs * outputs <= 300 * simd * pe):
            break
    signs = bool(rng.random() < 0.75)
    presets = (
        -np.clip(np.round(rng.normal(inputs / 2, np.sqrt(inputs) / 2, outputs)), 0, inputs + 1)
        if signs
        else rng.integers(-9, 9, outputs)
    )
    return Parameters(
        inputs=inputs,
        weights=tuple(int.from_bytes(rng.bytes(inputs // 8 + 1)) >> (8 - inputs % 8) for _ in range(outputs)),
        presets=tuple(int(preset) for preset in presets),
        pe=pe,
        simd=simd,
        signs=signs,
        weight_store="lut" if rng.random() < 0.25 and inputs * outputs < 3000 else "bram",
        preset_store="bram" if rng.random() < 0.2 else "lut",
    )


def measured(parameters, family):
    """What `measure` returns, cached, so that a run that was interrupted goes on where it was."""
    store, tool = cache.Cache(cache.folder("estimates")), tools.find("yosys").version
    text = "\0".join((repr(parameters), repr(FLOWS[family]()), tool))
    key = hashlib.sha256(text.encode()).hexdigest()
    if (found := store.fetch(key, ["result"])) is not None:
        return tuple(json.loads(found["result"]))
    result = measure(parameters, family)
    store.store(key, {"result": json.dumps(result).encode()})
    return result


def measure(parameters, family):
    """(LUTs, block RAMs) of a unit after packing, without the shift registers around it."""
    made = FLOWS[family]()
    scan = Scan(parameters.create())
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for name, text in {**made.files, "top.v": convert(scan)}.items():
            (folder / name).write_text(text, encoding="utf-8")
        tools.run(tools.find("yosys"), ["-p", made.synthesis], cwd=folder, log=folder / "yosys.log")
        i_bits, o_bits = scan.bits
        if made.program is None:
            counted = cells(folder / "stat.json")
            luts = sum(counted.get(cell, 0) for cell in made.lut)
            return luts - o_bits, counted.get(made.bram, 0) + 2 * counted.get("RAMB36E1", 0)
        tools.run(
            tools.find(made.program),
            [*made.options, "--json", "top.json", "--pack-only", "--report", "report.json"],
            cwd=folder,
            log=folder / "pack.log",
        )
        used = json.loads((folder / "report.json").read_text())["utilization"]
        luts = (
            sum(used[cell]["used"] for cell in made.lut)
            if made.lut
            else placed_luts(folder / "top.json", used)
        )
    return luts - o_bits - i_bits * made.cell_per_flip_flop, used[made.bram]["used"]


def fit(units, luts):
    """Unit costs with the smallest relative error, none negative.

    Least squares; the most negative cost is dropped until none is negative.
    """
    names = list(units[0])
    matrix = np.array([[each[name] for name in names] for each in units]) / np.array(luts)[:, None]
    kept = list(range(len(names)))
    while True:
        costs, *_ = np.linalg.lstsq(matrix[:, kept], np.ones(len(luts)), rcond=None)
        if costs.min() >= 0:
            return dict.fromkeys(names, 0.0) | {
                names[at]: round(float(cost), 2) for at, cost in zip(kept, costs, strict=True)
            }
        kept.pop(int(costs.argmin()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--family", choices=FLOWS, default="ice40")
    parser.add_argument("--count", type=int, default=60, help="number of units")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="use the fit in the estimator")
    parser.add_argument(
        "--like",
        choices=FLOWS,
        help="with --keep: the costs of this family times one factor, if units are few",
    )
    options = parser.parse_args()

    device = (DEVICES | VENDOR_DEVICES)[FLOWS[options.family]().device]
    rng = np.random.default_rng(options.seed)
    rows, units, wrong_brams = [], [], 0
    for n in range(options.count):
        parameters = random_parameters(rng)
        lut, bram = measured(parameters, options.family)
        alone = part_cost(parameters, device=device)
        rows.append(
            {
                "inputs": parameters.inputs,
                "outputs": parameters.outputs,
                "pe": parameters.pe,
                "simd": parameters.simd,
                "lut": lut,
                "bram": bram,
                "lut_estimate": round(alone.lut),
                "bram_estimate": alone.bram,
            }
        )
        units.append(structures(parameters, lut_inputs=device.fabric.lut_inputs))
        wrong_brams += bram != alone.bram
        print(f"{n + 1:3}/{options.count}  {rows[-1]}", file=sys.stderr)
    luts = np.array([row["lut"] for row in rows], float)
    errors = np.array([row["lut_estimate"] for row in rows]) / luts - 1
    costs = fit(units, luts)
    fitted = np.array([sum(costs[name] * count for name, count in each.items()) for each in units]) / luts - 1
    result = {
        "family": options.family,
        "seed": options.seed,
        "units": rows,
        "lut_error": {
            "mean": float(errors.mean()),
            "rms": float(np.sqrt((errors**2).mean())),
            "worst": float(np.abs(errors).max()),
        },
        "wrong_brams": int(wrong_brams),
        "fit": costs,
        "fit_rms": float(np.sqrt((fitted**2).mean())),
    }
    print(
        f"{options.family}: {len(rows)} units; LUT error mean {errors.mean():+.1%}, rms"
        f" {result['lut_error']['rms']:.1%}, worst {result['lut_error']['worst']:.1%}; block RAMs wrong in"
        f" {wrong_brams}"
    )
    print(f"best fit (rms {result['fit_rms']:.1%}): {costs}")
    write(f"estimate-{options.family}", result)
    if options.keep and options.like is not None:
        known = json.loads(calibration.PATH.read_text(encoding="ascii"))[options.like]["units"]
        ratios = np.array([sum(known[name] * count for name, count in each.items()) for each in units]) / luts
        factor = float((1 / ratios).mean())
        off = 1 / (factor * ratios) - 1
        calibration.update(
            options.family,
            units={name: round(factor * cost, 2) for name, cost in known.items()},
            lut={"designs": len(luts), "low": round(off.min(), 4), "high": round(off.max(), 4)},
        )
        print(f"{factor:.2f} of {options.like}: LUTs {off.min():+.1%} ... {off.max():+.1%} from the estimate")
    elif options.keep:
        calibration.update(options.family, units=costs)


if __name__ == "__main__":
    main()
