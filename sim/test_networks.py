"""Whole networks over their emitted Verilog, against the reference: random ones in random foldings, and the
shipped ones.
"""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from bench import SIMULATORS, Bench, run
from cases import Case, pack, save

from sbgen.compiler import cycles, fold, passes, reference, verilog
from sbgen.compiler.device import DEVICES
from sbgen.compiler.frontends import model
from sbgen.compiler.lower import lower
from sbgen.compiler.random_network import random_design, random_images
from sbgen.errors import FitError
from sbgen.train import data

MODELS = Path(__file__).parent.parent / "models"
SEEDS = range(12)
IMAGES = 5


def case_of(name, design, core, images):
    """Beats of the pixels in; out, for each output its score, the best classes or the bits so far, and the
    mark of the last.
    """
    scores, _ = reference.evaluate(design.network, images)
    width, label_bits, out = core.score_width, core.label_width, []
    # What an image has not reached yet holds what the one before it left.
    ranks, bits = [0] * core.top_k, 0
    for each in scores:
        for n, score in enumerate(each.tolist()):
            if core.signs:
                bits = (bits | (score >= 0) << label_bits) >> 1
                out.append(
                    score & ((1 << width) - 1) | bits << width | (n == len(each) - 1) << (width + label_bits)
                )
                continue
            # A class that is not among the best moves none.
            ranks = [*ranks[: (at := int((each[:n] >= score).sum()))], n, *ranks[at:]][: core.top_k]
            (labels,) = pack(ranks, lanes=core.top_k, width=label_bits)
            out.append(
                score & ((1 << width) - 1)
                | labels << width
                | (n == len(each) - 1) << (width + core.top_k * label_bits)
            )
    return Case(
        name=name,
        component=name,
        o=out,
        image=core.ram_contents,
        i=[
            beat
            for image in images.reshape(len(images), -1)
            for beat in pack(image, lanes=core.lanes, width=8)
        ],
        cycles=cycles.predict(design, images=max(2, len(images))).finishes[-1] + 100,
    )


def check(designs, images, simulator, folder):
    """Run the vector benches over cores side by side."""
    cores = {name: lower(design) for name, design in designs.items()}
    save(
        [case_of(name, designs[name], core, images[name]) for name, core in cores.items()],
        folder / "cases.json",
    )
    run(
        {"top.v": verilog.convert(Bench(cores))},
        simulator=simulator,
        module="vectors_tests",
        folder=folder / simulator,
        settings={"SBGEN_CASES": str(folder / "cases.json")},
    )


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_random_networks(simulator, tmp_path):
    seeds = SEEDS[:6] if simulator == "icarus" else SEEDS  # Icarus takes half a minute for each
    print(f"seeds {seeds[0]} ... {seeds[-1]}")
    designs = {f"random_{seed}": random_design(seed, largest=20, spram=True) for seed in seeds}
    designs = {
        name: (
            replace(design, top_k=1 + n % design.network.classes)
            if design.network.decision == "argmax"
            else design
        )
        for n, (name, design) in enumerate(designs.items())
    }
    images = {
        f"random_{seed}": random_images(seed, designs[f"random_{seed}"].network, IMAGES) for seed in seeds
    }
    check(designs, images, simulator, tmp_path)


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_shipped_models(simulator, tmp_path):
    """Those that fit the smallest device; the others are too slow for a bench, and have the same parts. What
    takes Icarus minutes runs in Verilator alone.
    """
    designs, images = {}, {}
    for path in sorted(MODELS.glob("*.pt")):
        loaded, name = model.load(path), path.stem.replace("-", "_")
        network = passes.apply_passes(loaded.network)
        try:
            design = fold.fold(network, DEVICES["up5k"])
        except FitError:
            continue
        slow = max(cycles.stage_cycles(design)) > 1000
        if slow and simulator == "icarus":
            continue
        designs[name] = design
        # Two images meet each other as well as five do.
        images[name] = _images(loaded)[: 2 if slow else IMAGES]
    assert "digits" in designs
    check(designs, images, simulator, tmp_path)


def _images(loaded):
    """Test images of the data set that a model was trained on; random ones where it would have to be
    downloaded.
    """
    dataset = loaded.info["dataset"]
    if dataset == "digits" or "SBGEN_DATA" in os.environ:
        print(f"{loaded.file.name}: images of {dataset}")
        return data.load(dataset)[2][:IMAGES]
    print(f"{loaded.file.name}: random images, for SBGEN_DATA is not set")
    return random_images(1, loaded.network, IMAGES)
