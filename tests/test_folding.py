"""The options of folding, and that what an error names as a remedy is one."""

import argparse
import re
from itertools import pairwise

import by_hand
import numpy as np
import pytest

from sbgen import boards, folding, target
from sbgen.arguments import positive
from sbgen.compiler import design_file
from sbgen.compiler.cycles import predict
from sbgen.compiler.ir import Binarize, Dense, Network, Scores
from sbgen.errors import FitError


def network(*sizes):
    rng = np.random.default_rng(0)
    layers = [Binarize(name="pixels", thresholds=np.full((sizes[0], 1), 128))]
    for n, (inputs, outputs) in enumerate(pairwise(sizes[:-1])):
        layers.append(
            Dense(
                name=f"dense_{n}",
                weights=rng.integers(0, 2, (outputs, inputs)),
                thresholds=np.full(outputs, inputs // 2),
            )
        )
    layers.append(
        Scores(
            name="scores",
            weights=rng.integers(0, 2, (sizes[-1], sizes[-2])),
            offsets=np.zeros(sizes[-1], int),
        )
    )
    return Network(
        name="net", image_shape=(sizes[0],), layers=tuple(layers), labels=tuple(map(str, range(sizes[-1])))
    )


def fold(net, board, *options):
    parser = argparse.ArgumentParser()
    folding.add_arguments(parser)
    parser.add_argument("--clock", type=positive)
    request = folding.Request.of(parser.parse_args(options))
    return folding.fold(request, net, target.of_board(board)).design


def refused(net, board, *options):
    with pytest.raises(FitError) as error:
        fold(net, board, *options)
    assert "\n" not in str(error.value)
    return str(error.value)


BOARDS = ["icebreaker", "ice40_hx8k_b_evn", "ulx3s_85f"]


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("sizes", [(16, 32, 32, 2), (300, 4, 2), (12, 3), (784, 2)])
def test_small_networks_are_patchable(board, sizes):
    design = fold(network(*sizes), board, "--patchable")
    assert design.patchable and all(each.store in (None, "bram", "lut") for each in design.foldings)


@pytest.mark.parametrize(
    "options", [("--pe", "pixels=300", "--simd", "pixels=300"), ("--simd", "pixels=256")]
)
def test_more_pixels_at_once_than_the_link_can_report(options):
    net = network(300, 4, 2)
    said = refused(net, "icebreaker", *options)
    assert "takes at most 255 pixels at once, not " in said and "board" not in said.replace(
        "link of a board", ""
    )
    assert "without --" in said  # and that was tried
    fold(net, "icebreaker", "--simd", "pixels=" + re.search(r"with a simd of (\d+)", said)[1])


def test_a_design_file_of_the_same(tmp_path):
    net = network(300, 4, 2)
    design_file.save(by_hand.fold(net, (300, 300), (1, 1), (1, 1)), tmp_path / "design.json")
    assert "at most 255 pixels at once, not 300" in refused(
        net, "ulx3s_85f", "--design", str(tmp_path / "design.json")
    )


def test_patchable_weights_that_would_be_loaded():
    net = network(784, 256, 256, 256, 10)
    said = refused(net, "icebreaker", "--patchable")
    larger = re.search(r"without --patchable it fits; the board (\w+) would hold it$", said)[1]
    fold(net, "icebreaker")
    fold(net, larger, "--patchable")


def test_wired_in_by_hand_is_no_matter_of_a_larger_board(tmp_path):
    net = network(16, 32, 32, 2)
    unrolled = fold(net, "ice40_hx8k_b_evn", "--fps", "20000000")
    assert any(each.store == "unrolled" for each in unrolled.foldings)
    design_file.save(unrolled, tmp_path / "design.json")
    said = refused(net, "ice40_hx8k_b_evn", "--patchable", "--design", str(tmp_path / "design.json"))
    assert "ROMs of the bitstream" in said and "would hold it" not in said
    assert "without --design it fits" in said and "without --patchable it fits" in said
    fold(net, "ice40_hx8k_b_evn", "--patchable")


def test_by_hand_too_large():
    net = network(784, 64, 10)
    said = refused(net, "icebreaker", "--pe", "64,10", "--simd", "784,64")
    assert (
        "LUTs are requested" in said and "in place of" not in said
    )  # narrower layers are not what is needed
    assert "without --pe and --simd it fits" in said
    named = re.search("the board (.*) would hold it", said)
    if named:
        fold(net, named[1], "--pe", "64,10", "--simd", "784,64")


@pytest.mark.parametrize("patchable", [(), ("--patchable",)])
def test_the_rate_that_is_named_is_reached(patchable):
    net, board = network(784, 64, 64, 10), boards.get("icebreaker")
    said = refused(net, "icebreaker", "--fps", "5000000", *patchable)
    fps = re.search(r"; --fps (\d+) is reached", said)[1]
    design = fold(net, "icebreaker", "--fps", fps, *patchable)
    assert board.default_clock_mhz * 1e6 / predict(design).interval >= float(fps)
    if "would hold it" in said:
        fold(net, re.search("the board (.*) would hold it", said)[1], "--fps", "5000000", *patchable)


def test_a_network_too_large_for_all():
    said = refused(network(4000, 4000, 4000, 10), "ulx3s_85f")
    assert "would hold it" not in said and "without" not in said
