"""A whole image of 128 x 128 through the emitted Verilog, bit for bit, and its line buffers through
synthesis.

Every other shape is in `test_networks.py`, on small images; here the rows are long.
"""

import re

import numpy as np
import pytest

from sbgen import tools
from sbgen.compiler import cycles, estimate, reference, simulate, verilog
from sbgen.compiler.design import Design
from sbgen.compiler.device import DEVICES
from sbgen.compiler.ir import Binarize, Conv2d, MaxPool, Network, Scores
from sbgen.compiler.layers import rules
from sbgen.compiler.lower import lower
from sbgen.compiler.pipeline import stages
from sbgen.compiler.random_network import random_images
from sbgen.errors import ToolError
from sbgen.hw import window

SEED, SIZE = 1, 128


def made():
    """A design whose layers all keep pace with one pixel a cycle."""
    rng = np.random.default_rng(SEED)

    def conv(name, outputs, channels, kernel, *, above=0, **fields):
        weights = rng.integers(0, 2, (outputs, *kernel, channels))
        half = weights[0].size // 2 + above
        return Conv2d(
            name=name, weights=weights, thresholds=rng.integers(half - 1, half + 3, outputs), **fields
        )

    network = Network(
        name="large",
        image_shape=(SIZE, SIZE, 1),
        labels=tuple("abcd"),
        layers=(
            Binarize(name="pixels", thresholds=np.full((SIZE * SIZE, 1), 100)),
            conv("conv_0", 8, 1, (5, 3), stride=(4, 4), padding=((1, 0), (1, 1)), padding_bit=1),
            conv("conv_1", 8, 8, (3, 3), above=7, stride=(2, 2), padding=((1, 1), (1, 1))),
            MaxPool(name="pool", kernel=(4, 4), stride=(4, 4)),
            Scores(name="scores", weights=rng.integers(0, 2, (4, 128)), offsets=np.arange(4) * 5),
        ),
    )
    return Design(
        network=network,
        foldings=tuple(
            rule.folding(pe=pe, simd=simd)
            for rule, (pe, simd) in zip(rules(network), ((1, 1), (8, 1), (2, 8), (8, 8), (1, 8)), strict=True)
        ),
    )


@pytest.fixture(scope="module")
def design():
    return made()


def test_bit_for_bit_and_each_pixel_once(design, tmp_path):
    print(f"seed {SEED}")
    network, core = design.network, lower(design)
    images = random_images(SEED, network, 3)
    scores, labels = reference.evaluate(network, images)
    assert len(np.unique(scores, axis=0)) == len(images)
    try:
        name = simulate.quickest(network, len(images))
    except ToolError as error:
        pytest.skip(str(error))
    simulator = simulate.Simulator(
        verilog.convert(core), network, lanes=core.lanes, simulator=name, folder=tmp_path
    )
    free, stalled = simulator.run(images), simulator.run(images[:2], stall=SEED)
    for result in free, stalled:
        count = len(result.labels)
        assert np.array_equal(result.scores, scores[:count]) and np.array_equal(result.labels, labels[:count])
    assert tuple(free.last_scores - free.first_beats[0]) == cycles.predict(design, images=3).finishes
    # A pixel a cycle, each once and none waited for; the scores follow the last pixel, so no image is held
    # back as a whole.
    assert core.lanes == 1 and free.interval_cycles == SIZE * SIZE
    assert free.latency_cycles < SIZE * SIZE + 10 * SIZE


@pytest.mark.parametrize(
    "device, synthesis, cell", [("up5k", "synth_ice40", "SB_RAM40_4K"), ("ecp5-85f", "synth_ecp5", "DP16KD")]
)
def test_line_buffers_are_a_few_rows_in_block_ram(design, device, synthesis, cell, tmp_path):
    parts = [part for stage in stages(design) for part in stage.parts]
    windows = [part.geometry for part in parts if isinstance(part, window.Parameters)]
    assert [window.rows for window in windows] == [9, 5, 8]
    try:
        yosys = tools.find("yosys")
    except ToolError as error:
        pytest.skip(str(error))
    (tmp_path / "top.v").write_text(verilog.convert(lower(design)))
    # Up to where memories have become block RAM; LUTs are not of interest here.
    said = tools.run(
        yosys,
        ["-p", f"read_verilog top.v; {synthesis} -top top -run begin:map_ffram; stat"],
        cwd=tmp_path,
        log=tmp_path / "yosys.log",
    )
    found = re.findall(rf"{cell}\s+(\d+)|(\d+)(?:\s+\S+)?\s+{cell}", said)
    assert [int(before or behind) for before, behind in found[-1:]] == [
        estimate.estimate(design, DEVICES[device], host_link=False)["bram"]
    ]
    assert "$mem_v2" not in said[said.rindex("=== ") :]
