"""Size and clock of the 16 x 64 unit, seconds of builds and bytes of design files, by version.

    python benchmarks/versions.py [--version 0.1.0 --at COMMIT]

Adds the row of the present version to ``results/versions.json``, or replaces it, and prints the table. Units
and builds are those of ``results/mvtu.json`` and ``results/builds.json``; what was not measured anew since
the row before is left out. Design files are folded now, for the cycles that README's builds had in 0.2.0.
With ``--at`` the row is of a commit in the history: its records, without design files. A row names the
commits that were measured. Also writes ``results/versions.md``.
"""

import argparse
import hashlib
import json
import subprocess
import tempfile
from pathlib import Path

import record

import sbgen
from sbgen import boards, network_cache
from sbgen.compiler import design_file
from sbgen.compiler.fold import fold

ROOT = Path(__file__).parent.parent

#: Model, board and maximum cycles per image of the design files.
DESIGNS = (
    ("digits", "icebreaker", 208),
    ("tfc-mnist", "icebreaker", 147),
    ("tfc-mnist", "ice40_hx8k_b_evn", 112),
    ("cnn-mnist", "icebreaker", 10_584),
    ("sfc-mnist", "icebreaker", 3_784),
)


def records(at):
    """The records of units and builds, of a commit or of the working tree."""
    for name in "mvtu", "builds":
        path = f"benchmarks/results/{name}.json"
        if at is None:
            yield json.loads((ROOT / path).read_text())
        else:
            shown = subprocess.run(["git", "show", f"{at}:{path}"], cwd=ROOT, check=True, capture_output=True)
            yield json.loads(shown.stdout)


def figures(at):
    """Each figure of the records as ``{"value": ..., "commit": ...}`` by its name."""
    units, builds = records(at)
    found = {}

    def take(name, value, row, whole):
        commit = row.get("commit") or whole.get("commit") or at
        if value is not None and commit is not None:
            found[name] = {"value": value, "commit": commit}

    for unit in units["units"]:
        if (unit["pe"], unit["simd"], unit["unit"]) == (16, 64, "sbgen"):
            take(f"LUTs per product, {unit['family']}", unit["luts_a_mac"], unit, units)
            take(f"MHz, {unit['family']}", unit["fmax_median"], unit, units)
    for build in builds["builds"]:
        take(f"seconds, {build['build']}", build["seconds"], build, builds)
    return found


def design_files():
    """Bytes and SHA-256 of each design file."""
    found = {}
    with tempfile.TemporaryDirectory(prefix="sbgen-versions-") as folder:
        for model, board, cycles in DESIGNS:
            network = network_cache.load(ROOT / "models" / f"{model}.pt")
            path = Path(folder) / "design.json"
            design_file.save(fold(network, boards.get(board).device, cycles=cycles), path)
            content = path.read_bytes()
            found[f"design bytes, {model} on {board}"] = {
                "value": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
                "commit": record.MEASURED["commit"],
            }
    return found


def table(rows):
    """The table in Markdown: a line for each figure, a column for each version."""
    names = list(dict.fromkeys(name for row in rows for name in row["figures"]))
    lines = [["", *(row["version"] for row in rows)], ["---"] * (1 + len(rows))]
    for name in names:
        cells = [row["figures"].get(name) for row in rows]
        lines.append([name, *("–" if cell is None else f"{cell['value']:,.4g}" for cell in cells)])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--version", default=sbgen.__version__, help="of the row (the present one)")
    parser.add_argument("--at", metavar="COMMIT", help="a commit of that version, 40 hex digits")
    options = parser.parse_args()
    path = record.FOLDER / "versions.json"
    rows = json.loads(path.read_text())["rows"] if path.exists() else []
    rows = [row for row in rows if row["version"] != options.version]
    earlier = rows[-1]["figures"] if rows else {}
    found = {
        name: figure
        for name, figure in figures(options.at).items()
        if figure["commit"] != earlier.get(name, {}).get("commit")
    } | ({} if options.at else design_files())
    # A commit in the history is as it is there.
    measured = {"commit": options.at, "clean": True} if options.at else record.MEASURED
    rows.append({"version": options.version, "figures": found, **measured})
    rows.sort(key=lambda row: tuple(map(int, row["version"].split("."))))
    record.write("versions", {"command": "python benchmarks/versions.py", "rows": rows}, measured={})
    (record.FOLDER / "versions.md").write_text(
        "Size and Fmax of the 16 x 64 unit, seconds of builds, bytes of design files, by version.\n\n"
        + table(rows),
        encoding="utf-8",
    )
    print(table(rows))


if __name__ == "__main__":
    main()
