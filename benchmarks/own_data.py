"""Five real data sets, each from its file to a verified bitstream by the command line alone.

    python benchmarks/own_data.py [--only NAME] [--seeds N] [--folder DIR]

Each set is written by `sbgen data`, trained by `sbgen train --samples`, built for the iCEBreaker and
verified. The network's accuracy is that of all its test samples, in integers; logistic regression and
gradient boosting of scikit-learn are fitted on exactly the other samples, in the same run. Writes
``results/own-data.json`` and ``.md``.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import record

from sbgen import atomic, samples
from sbgen.compiler import exchange, reference

#: Name, the file of its samples, options of `sbgen data` and of `sbgen train`; with `own_split`, a second
#: file.
SETS = (
    ("breast-cancer", "cancer.csv", [], False),
    ("wine", "wine.csv", [], False),
    ("basic-motions", "motions.npz", [], True),
    ("japanese-vowels", "vowels.npz", [], True),
    ("semeion", "digits", ["--invert"], False),
)

BOARD = "icebreaker"


def run(folder, *arguments):
    """Run `sbgen` in a folder; seconds of the clock and of processor time."""
    start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "sbgen", *map(str, arguments)],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"sbgen {' '.join(map(str, arguments))}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": round(time.monotonic() - start, 1), "processor_seconds": round(used, 1)}


def step(folder, name, *arguments):
    """`run` a step of the set in this folder, or what it took if it is done already."""
    path = folder / "steps.json"
    done = (
        json.loads(path.read_text()) if path.exists() else {"commit": record.MEASURED["commit"], "steps": {}}
    )
    if done["commit"] != record.MEASURED["commit"]:
        raise SystemExit(f"{folder} must be empty or of this commit, not of {done['commit']}; give another")
    if name not in done["steps"]:
        done["steps"][name] = run(folder, *arguments)
        atomic.write(path, json.dumps(done), encoding="ascii")
    return done["steps"]


def rivals(folder, network, recipe, files):
    """Accuracy of scikit-learn's models on the network's test samples, fitted on all the others."""
    from sklearn.ensemble import GradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    made, fit, test = samples.Recipe.parse(recipe), [], []
    for file in files:
        raw = samples.raw(folder / file, made.reading())
        seen = samples.read_for(network, folder / file, recipe).seen
        values = np.array(raw.values, np.float64).reshape(len(raw), -1)
        for part, chosen in ((fit, seen), (test, ~seen)):
            part += [(values[n], raw.labels[n]) for n in np.flatnonzero(chosen)]
    (train_x, train_y), (test_x, test_y) = (map(np.array, zip(*part, strict=True)) for part in (fit, test))
    models = {
        "logistic_regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000)),
        "gradient_boosting": GradientBoostingClassifier(random_state=0),
    }
    return {
        name: round(model.fit(train_x, train_y).score(test_x, test_y), 4) for name, model in models.items()
    }


def measure(folder, name, file, options, own_split, seeds):
    """One set: accuracy, size and seconds of each step."""
    files = [file]
    if own_split:
        test = file.replace(".", "-test.")
        files.append(test)
        step(folder, "test data", "data", name, "--part", "test", "--out", test)
        options = [*options, "--test-samples", test]
    part = ["--part", "train"] if own_split else []
    step(folder, "data", "data", name, *part, "--out", file)
    step(folder, "train", "train", "--samples", file, *options, "--seeds", seeds, "--out", "net.pt")
    build = folder / "build"
    tested = ["--samples", files[-1], "--images", "all"]
    made = ["--model", "net.pt", "--board", BOARD, "--fresh", "--out", build]
    step(folder, "build", "build", *made, *tested)
    steps = step(folder, "verify", "verify", build, "--model", "net.pt", "--samples", files[-1])
    report = json.loads((build / "report.json").read_text())
    network, recipe = exchange.load(build / "network.json"), exchange.load_recipe(build / "network.json")
    tested = samples.read_for(network, folder / files[-1], recipe).test()
    right = (reference.evaluate(network, tested.images)[1] == tested.labels).mean()
    assert abs(right - report["accuracy"]["integer"]) < 1e-9
    levels = json.loads((build / "ledger.json").read_text())["rungs"]
    return {
        "set": name,
        "test_samples": len(tested.labels),
        "sbgen": round(float(right), 4),
        **rivals(folder, network, recipe, files),
        "levels": {level["rung"]: level["status"] for level in levels},
        "timing": report["timing"],
        "resources": report["resources"],
        "steps": steps,
        "seconds": round(sum(step["seconds"] for step in steps.values()), 1),
        "processor_seconds": round(sum(step["processor_seconds"] for step in steps.values()), 1),
    }


def table(rows):
    """The record as Markdown."""
    lines = [
        "# Five real data sets by the command line alone",
        "",
        "Accuracy on samples held out as a test; scikit-learn's models are fitted on all the others.",
        "Seconds: data, training, build and verification together, by the clock and of the processor.",
        "",
        "| set | test | sbgen | logistic regression | gradient boosting | seconds | processor | levels |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        passed = sum(status == "PASS" for status in row["levels"].values())
        lines.append(
            f"| {row['set']} | {row['test_samples']} | {row['sbgen']:.1%} |"
            f" {row['logistic_regression']:.1%} | {row['gradient_boosting']:.1%} | {row['seconds']:,.0f} |"
            f" {row['processor_seconds']:,.0f} | {passed} of {len(row['levels'])} PASS |"
        )
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", metavar="NAME")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument(
        "--folder", type=Path, help="keep the files here, and go on with those of an interrupted run"
    )
    arguments = parser.parse_args()
    path = record.FOLDER / "own-data.json"
    rows = {row["set"]: row for row in json.loads(path.read_text())["sets"]} if path.exists() else {}
    with tempfile.TemporaryDirectory() as temporary:
        for name, file, options, own_split in SETS:
            if arguments.only in (None, name):
                folder = (arguments.folder or Path(temporary)) / name
                folder.mkdir(parents=True, exist_ok=True)
                row = measure(folder.resolve(), name, file, options, own_split, arguments.seeds)
                rows[name] = {**row, "seeds": arguments.seeds, **record.MEASURED}
                print(json.dumps(rows[name]), flush=True)
                kept = [rows[one] for one, *_ in SETS if one in rows]
                record.write("own-data", {"board": BOARD, "sets": kept}, measured={})
                atomic.write(record.FOLDER / "own-data.md", table(kept))


if __name__ == "__main__":
    main()
