"""Boards whose clock stops between requests: the scores are the reference's, whenever the bytes come."""

import numpy as np
import pytest
from test_netlists import network

from sbgen import boards, cli, tools
from sbgen.boards import placed
from sbgen.compiler import exchange, reference
from sbgen.compiler.fold import fold
from sbgen.compiler.random_network import fold_at_random, random_images, random_network
from sbgen.errors import ToolError


def ask(design, images, folder, **options):
    try:
        answers, _ = placed.ask(
            design, images, board=boards.get("icebreaker"), folder=folder, sleeps=True, **options
        )
    except ToolError as error:
        if "not installed" in str(error):
            pytest.skip(str(error))
        raise
    scores, labels = reference.evaluate(design.network, images)
    assert np.array_equal(answers.scores, scores) and np.array_equal(answers.labels, labels)


@pytest.mark.parametrize("seed", range(4))
def test_random_networks_with_rests_between_bytes(seed, tmp_path):
    net = random_network(seed, largest=12)
    ask(fold_at_random(seed, net), random_images(seed, net, 4), tmp_path, simulator="icarus", level="emitted")


@pytest.mark.slow
@pytest.mark.parametrize("patchable", [False, pytest.param(True, marks=pytest.mark.longest)])
def test_placed_netlist(patchable, tmp_path):
    net = network()
    design = fold(net, boards.get("icebreaker").device, patchable=patchable)
    ask(design, random_images(0, net, 5), tmp_path, simulator="icarus", level="placed")
    # A clock on a global network takes its power whether or not it is used.
    log = (tmp_path / "nextpnr-ice40-1.log").read_text()
    assert "promoting" not in log and "SB_GB: " in log


@pytest.mark.slow
@pytest.mark.longest
def test_every_level_of_a_build(tmp_path):
    try:
        tools.find("nextpnr-ice40")
    except ToolError as error:
        pytest.skip(str(error))
    exchange.save(network(), tmp_path / "small.json")
    out = tmp_path / "out"
    assert (
        cli.main(
            ["build", "--model", str(tmp_path / "small.json"), "--board", "icebreaker", "--sleep"]
            + ["--out", str(out), "--images", "5"]
        )
        == 0
    )
    assert cli.main(["verify", str(out), "--images", "5"]) == 0
