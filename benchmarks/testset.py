"""A model over its whole test set: float, hardened, integer and RTL, image by image.

    python benchmarks/testset.py [--model models/tfc-mnist.pt] [--board icebreaker] [--data DIR] [--top K]

Float is the soft network before hardening, as its training measured it: the file has only the hardened one.
Hardened is that file in torch, integer the reference before and after the passes, RTL the emitted Verilog of
the board's design in Verilator. Writes ``results/testset-<model>.json``. Exits with status 1 if a class, or a
score of integer and RTL, differs in a single image.
"""

import argparse
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import record
import torch

from sbgen import boards
from sbgen.compiler import cycles, fold, lower, passes, reference, simulate, verilog
from sbgen.compiler.frontends import model
from sbgen.console import Console
from sbgen.train import checkpoint, data, loop

ROOT = Path(__file__).parent.parent


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "tfc-mnist.pt", help="a net.pt (TFC)")
    parser.add_argument("--board", default="icebreaker", help="whose design is simulated (icebreaker)")
    parser.add_argument("--data", type=Path, help="folder that holds mnist/, fashion-mnist/ (SBGEN_DATA)")
    parser.add_argument(
        "--top", type=int, default=1, metavar="K", help="number of best classes that the core reports (1)"
    )
    options = parser.parse_args()
    console, seconds = Console(), {}

    @contextmanager
    def timed(title):
        with console.step(title) as step:
            yield step
            seconds[title] = step.seconds

    loaded = model.load(options.model)
    dataset = loaded.info["dataset"]
    _, _, images, labels = data.load(dataset, options.data)
    with timed("hardened") as step:
        hardened = loop.classify(
            checkpoint.load(options.model).model, torch.from_numpy(images.copy())
        ).numpy()
        step.note("torch")
    with timed("integer") as step:
        frontend_scores, _ = reference.evaluate(loaded.network, images)
        network = passes.apply_passes(loaded.network)
        scores, integer = reference.evaluate(network, images)
        step.note("reference, before and after the passes")
    with timed("verilog") as step:
        design = replace(fold.fold(network, boards.get(options.board).device), top_k=options.top)
        ranked = reference.ranked(scores, design.top_k)
        predicted = cycles.predict(design)
        core = lower.lower(design)
        text = verilog.convert(core)
        step.note(f"{text.count(chr(10)):,} lines, {predicted.interval} cycles per image")
    with timed("rtl") as step:
        result = simulate.simulate(
            text,
            network,
            images,
            lanes=core.lanes,
            top_k=core.top_k,
            simulator="verilator",
            ram_contents=core.ram_contents,
            progress=step.progress,
        )
        simulated = int(result.last_scores[-1])
        step.note(f"{result.simulator}, {simulated:,} cycles")

    differences = {
        "hardened to integer, classes": int((hardened != integer).sum()),
        "frontend to passes, scores": int((frontend_scores != scores).any(axis=1).sum()),
        "integer to RTL, classes": int((integer != result.labels).sum()),
        f"integer to RTL, best {design.top_k} in order": int((ranked != result.ranked).any(axis=1).sum()),
        "integer to RTL, scores": int((scores != result.scores).any(axis=1).sum()),
    }
    accuracy = {
        "soft": loaded.info["accuracy"]["test"].get("soft"),
        **{
            name: float(np.mean(classes == labels))
            for name, classes in (("hardened", hardened), ("integer", integer), ("rtl", result.labels))
        },
    }
    console.table(
        ["level", "accuracy", "wrong of " + format(len(labels), ","), "seconds"],
        [
            [name, f"{value:.2%}", round((1 - value) * len(labels)), round(seconds.get(name, 0), 1) or None]
            for name, value in accuracy.items()
            if value is not None
        ],
    )
    among = {
        name: float((best == labels[:, None]).any(axis=1).mean())
        for name, best in (("integer", ranked), ("rtl", result.ranked))
    }
    if design.top_k > 1:
        console.line(
            f"true class among the best {design.top_k}: "
            + ", ".join(f"{name} {value:.2%}" for name, value in among.items())
        )
    console.table(["images that differ", ""], list(differences.items()))
    steady = (result.latency_cycles, result.interval_cycles) == (predicted.latency, predicted.interval)
    console.line(
        f"latency {result.latency_cycles}, interval {result.interval_cycles} cycles: "
        f"{'as predicted' if steady else 'NOT as predicted'}"
    )
    path = record.write(
        f"testset-{options.model.stem}",
        {
            "command": (
                f"python benchmarks/testset.py --model models/{options.model.name} --board {options.board}"
                + (f" --top {options.top}" if options.top > 1 else "")
            ),
            "model_sha256": loaded.sha256,
            "dataset": dataset,
            "images": len(labels),
            "board": options.board,
            "layers": [
                [layer.inputs, layer.outputs, *shape]
                for layer, shape in zip(design.network.layers, design.shapes, strict=True)
            ],
            "simulator": result.simulator,
            "cycles": simulated,
            "latency": {"predicted": predicted.latency, "simulated": result.latency_cycles},
            "interval": {"predicted": predicted.interval, "simulated": result.interval_cycles},
            "accuracy": accuracy,
            "top": design.top_k,
            "accuracy_among_top": among,
            "images_that_differ": differences,
            "seconds": {name: round(value, 1) for name, value in seconds.items()},
        },
    )
    console.line(f"written to {path.relative_to(ROOT)}")
    return 0 if steady and not any(differences.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
