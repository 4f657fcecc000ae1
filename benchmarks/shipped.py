"""Every shipped model on every board, by `sbgen build` as a user runs it; the README's table.

    python benchmarks/shipped.py [--models digits ...] [--boards icebreaker ...] [--paces default ...]
                                 [--images N] [--data DIR]

Builds into ``build/shipped/MODEL-BOARD-PACE``, with the whole test set simulated or its first N images.
Writes ``results/shipped.json`` from the builds' report.json, or the reason why a model does not fit, and the
table in README.md. Rows of other models, boards and paces stay.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import record

from sbgen.boards import BOARDS

ROOT = Path(__file__).parent.parent
RESULTS = record.FOLDER / "shipped.json"

README = ROOT / "README.md"

#: The lines before and after the table in README.md.
MARKS = "<!-- the table of benchmarks/shipped.py -->\n", "<!-- its end -->\n"

#: Boards of iCE40s, of which place and route can fill any.
SMALL = ("icebreaker", "ice40_hx8k_b_evn")

#: Boards of the table: the others have the same devices, or smaller ones.
TABLE = ("icebreaker", "ice40_hx8k_b_evn", "ulx3s_85f", "tang_nano_9k", "tang_nano_20k")

COLUMNS = (
    "| model | board | options | accuracy | simulated | clock | LUT | block RAM | cycles per image |"
    " board images/s | core images/s | latency |"
)


#: Options of a build by its pace, as the table names them.
PACES = {
    "default": (),
    "fastest": ("--fastest",),
    # At the board's usual 75 MHz the design for this rate misses the margin by 0.4 MHz.
    "15,000/s": ("--fps", "15000", "--clock", "71.875"),
}


def paces_of(model, board):
    """The paces at which a model is built: on a small device the most it can do, too."""
    if board in SMALL:
        return ("default", "fastest")
    return ("15,000/s",) if model == "cnv-cifar10" else ("default",)


def row(report, pace):
    """The figures of one build, as numbers."""
    timing, used = report["timing"], report["resources"]
    return {
        "model": report["network"]["name"],
        "board": report["board"],
        "pace": pace,
        "accuracy": report["accuracy"]["integer"],
        "images": report["accuracy"]["rtl_images"],
        "dataset": report["accuracy"]["dataset"],
        "clock_mhz": timing["clock_mhz"],
        "fmax_mhz": timing["fmax_mhz"],
        "lut": used["lut"]["used"],
        "lut_estimate": report["estimate"]["lut"],
        "bram": used["bram"]["used"],
        "bram_estimate": report["estimate"]["bram"],
        "cycles_per_image": timing["cycles_per_image"],
        "latency_cycles": timing["latency_cycles"],
        "images_per_second": timing["images_per_second"],
        "board_images_per_second": report["bound"]["whole_images_per_second"],
        "model_sha256": report["model"]["sha256"],
        "core_sha256": report["files"]["core.v"],
        **record.MEASURED,
    }


def line(row):
    """A row of the README's table."""
    whole = row.get("board_images_per_second")  # rows of before the host link of now have none
    options = " ".join(PACES.get(row.get("pace"), ()))
    asked = f"`{options}`" if options else row.get("pace", "–")  # rows of before 0.3 have none
    return (
        f"| {row['model']} | {row['board']} | {asked} | {row['accuracy']:.2%} | {row['images']:,} images |"
        f" {row['clock_mhz']:g} MHz | {row['lut']:,} | {row['bram']} | {row['cycles_per_image']:,} |"
        f" {'–' if whole is None else format(whole, ',.0f')} | {row['images_per_second']:,.0f} |"
        f" {row['latency_cycles'] / row['clock_mhz']:,.1f} µs |"
    )


def table(builds):
    """The README's table."""
    return "".join(
        f"{text}\n" for text in (COLUMNS, "|---" * (COLUMNS.count("|") - 1) + "|", *map(line, builds))
    )


def main():
    shipped = sorted(path.stem for path in (ROOT / "models").glob("*.pt"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--models", nargs="+", choices=shipped, default=shipped, help="names without .pt (all)"
    )
    parser.add_argument(
        "--boards",
        nargs="+",
        type=lambda name: name.replace("-", "_"),
        choices=list(BOARDS),
        default=list(TABLE),
        help=f"names ({', '.join(TABLE)})",
    )
    parser.add_argument(
        "--paces", nargs="+", choices=list(PACES), default=list(PACES), help=f"{', '.join(PACES)} (all)"
    )
    parser.add_argument("--images", default="all", help="test images to simulate (all)")
    parser.add_argument("--data", type=Path, help="folder that holds mnist/, fashion-mnist/ (SBGEN_DATA)")
    options = parser.parse_args()

    old = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"builds": [], "refused": []}
    mine = {
        (model, board, pace)
        for model in options.models
        for board in options.boards
        for pace in paces_of(model, board)
        if pace in options.paces
    }
    replaced = mine | {(model, board, None) for model, board, _ in mine}
    builds, refused = (
        [each for each in old[kind] if (each["model"], each["board"], each.get("pace")) not in replaced]
        for kind in ("builds", "refused")
    )
    for model, board, pace in sorted(mine):
        out = ROOT / "build" / "shipped" / f"{model}-{board}-{pace.partition(',')[0]}"
        start = time.monotonic()
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "sbgen",
                "build",
                "--model",
                ROOT / "models" / f"{model}.pt",
                "--board",
                board,
                "--out",
                out,
                "--images",
                options.images,
                *PACES[pace],
                *(["--data", options.data] if options.data else []),
            ],
            check=False,
            stderr=subprocess.PIPE,
            text=True,
        )
        if done.returncode:
            refused.append(
                {
                    "model": model,
                    "board": board,
                    "pace": pace,
                    "error": done.stderr.strip(),
                    **record.MEASURED,
                }
            )
            print(done.stderr)
        else:
            builds.append(
                row(json.loads((out / "report.json").read_text()), pace)
                | {"seconds": round(time.monotonic() - start, 1)}
            )
    order = list(PACES)
    builds.sort(
        key=lambda each: (
            each["model"],
            list(BOARDS).index(each["board"]),
            order.index(each["pace"]) if "pace" in each else -1,
        )
    )
    path = record.write(
        "shipped",
        {"command": "python benchmarks/shipped.py", "builds": builds, "refused": refused},
        measured={},
    )
    before, _, rest = README.read_text(encoding="utf-8").partition(MARKS[0])
    README.write_text(
        before + MARKS[0] + table(builds) + MARKS[1] + rest.partition(MARKS[1])[2], encoding="utf-8"
    )
    print(table(builds))
    print(f"written to {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
