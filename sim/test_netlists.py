"""A small network on each family of boards: its emitted Verilog and its netlists, through the pins."""

from pathlib import Path

import numpy as np
import pytest

from sbgen import boards, tools
from sbgen.boards import flow
from sbgen.boards import placed as placed_design
from sbgen.compiler import design_file, exchange, reference
from sbgen.compiler.design import Design
from sbgen.compiler.folding import LaneFolding, Rom, Spram, WeightedFolding
from sbgen.compiler.ir import Binarize, Dense, Network, Scores
from sbgen.compiler.random_network import random_images
from sbgen.errors import ToolError


def network():
    rng = np.random.default_rng(6)

    def bits(*shape):
        return rng.integers(0, 2, shape).astype(np.uint8)

    return Network(
        name="small",
        image_shape=(3, 4),
        labels=tuple("abc"),
        layers=(
            Binarize(name="pixels", thresholds=rng.integers(1, 256, (12, 1))),
            Dense(name="hidden", weights=bits(20, 12), thresholds=rng.integers(4, 9, 20)),
            Scores(name="scores", weights=bits(3, 20), offsets=rng.integers(-9, 9, 3)),
        ),
    )


def require_tools(board):
    try:
        for tool in "iverilog", "vvp":
            tools.find(tool)
        flow.plan(verilog="", board=board)
    except ToolError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize(
    "name, store",
    [("icebreaker", "bram"), ("ulx3s_85f", "bram"), ("tang_nano_9k", "bram"), ("icebreaker", "spram")],
)
@pytest.mark.parametrize("level", ["emitted", "synthesised", pytest.param("placed", marks=pytest.mark.slow)])
def test_levels(name, level, store, tmp_path):
    """Where weights are in SPRAM, they are loaded from a flash first."""
    board, net = boards.get(name), network()
    design = Design(
        network=net,
        foldings=(
            LaneFolding(simd=1),
            *(
                WeightedFolding(
                    pe=pe,
                    simd=simd,
                    weights=Spram() if store == "spram" else Rom(store),
                    preset_store="bram",
                    replay_store="bram",
                )
                for pe, simd in ((2, 5), (1, 4))
            ),
        ),
    )
    rng = np.random.default_rng(7)
    images = rng.integers(0, 256, (3, 3, 4)).astype(np.uint8)
    require_tools(board)
    answers, cells = placed_design.ask(
        design, images, board=board, simulator="icarus", folder=tmp_path, level=level
    )
    kinds = (
        ("SB_RAM40_4K", "ICESTORM_RAM", "DP16KD", "PDPW16KD", "SDPX9B", "SDP")
        if store == "bram"
        else ("SB_SPRAM256KA", "ICESTORM_SPRAM")
    )
    assert (
        cells is None
        if level == "emitted"
        else any(cell["type"] in kinds for cell in cells["cells"].values())
    )
    scores, labels = reference.evaluate(net, images)
    assert answers.identity.digest.hex() == exchange.digest(net)[:16]
    assert answers.scores.tolist() == scores.tolist() and answers.labels.tolist() == labels.tolist()


def test_netlist_of_a_design_that_failed_an_assertion_of_yosys(tmp_path):
    """Yosys 0.70 failed an assertion of its own on this design, found by `sbgen fuzz` (see
    `sbgen.boards.workarounds`).

    Whether it does depends on the rest of the top level; tests/test_boards_workarounds.py shows the second
    attempt by itself.
    """
    board = boards.get("amaranth_boards.ulx3s:ULX3S_25F_Platform")
    require_tools(board)
    folder = Path(__file__).parent / "element_names"
    design = design_file.load(folder / "design.json", exchange.load(folder / "network.json"))
    images = random_images(26, design.network, 3)
    answers, _ = placed_design.ask(
        design, images, board=board, simulator="icarus", folder=tmp_path, level="synthesised"
    )
    scores, labels = reference.evaluate(design.network, images)
    assert answers.scores.tolist() == scores.tolist() and answers.labels.tolist() == labels.tolist()
