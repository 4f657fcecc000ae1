"""The rate that a design is folded for by default, and the lowest clock that does a requested one."""

import argparse
from dataclasses import replace

import pytest
from test_folding import network

from sbgen import folding
from sbgen.arguments import positive
from sbgen.boards import board_line
from sbgen.boards.harness import clock_and_pll
from sbgen.compiler import linked
from sbgen.compiler.cycles import predict, stage_cycles
from sbgen.compiler.device import DEVICES
from sbgen.compiler.estimate import estimate
from sbgen.compiler.fold import fold
from sbgen.errors import BoardError
from sbgen.pace import Pace, pace
from sbgen.target import of_board, of_part


def folded(net, at, *options):
    parser = argparse.ArgumentParser()
    folding.add_arguments(parser)
    parser.add_argument("--clock", type=lambda text: text if text == "best" else positive(text))
    parser.add_argument("--baud", type=int)
    return folding.fold(folding.Request.of(parser.parse_args(options)), net, at)


def carried(design, board, clock_mhz):
    """Images per second of the line alone."""
    link = replace(linked.link_parameters(design, board.device), core_cycles=1)
    return board_line.choose(board, clock_mhz=clock_mhz).rate(link).images_per_second


@pytest.mark.parametrize("board", ["icebreaker", "ulx3s_85f"])
def test_by_default_four_times_what_the_link_carries(board):
    net, at = network(196, 32, 4), of_board(board)
    found = folded(net, at)
    line = carried(found.design, at.board, at.clock_mhz)
    aim = found.pace.images_per_second
    assert 4 * line <= aim + 1 and aim < 4.5 * line  # requests of one image carry a little less
    cycles = int(at.clock_mhz * 1e6 / aim)
    assert predict(found.design).interval <= cycles and found.target == at
    smaller = fold(net, at.device, cycles=2 * cycles)
    assert (
        estimate(smaller, at.device)["lut"]
        <= estimate(found.design, at.device)["lut"]
        < estimate(fold(net, at.device), at.device)["lut"]
    )
    assert found.why == f"{aim:,} images/s, 4 times what the host link carries"


def test_the_fastest_where_the_link_carries_more_than_a_quarter():
    net, at = network(16, 256, 256, 2), of_board("icebreaker")
    found = folded(net, at)
    assert found.design.foldings == fold(net, at.device).foldings
    assert found.why.startswith("the fastest that is quickly built; not 2,")
    assert max(stage_cycles(found.design)) > at.clock_mhz * 1e6 / found.pace.images_per_second


def test_without_a_link_the_fastest():
    net = network(196, 32, 4)
    bare = of_board("icebreaker")
    bare = replace(bare, device=replace(bare.device, host_link=False))
    for at in of_part("up5k"), bare:
        found = folded(net, at)
        assert found.pace == Pace(why="the fastest that is quickly built")
        assert found.design.foldings == fold(net, at.device).foldings


@pytest.mark.parametrize("fps", [30, 2_000, 12_345, 40_000])
def test_the_lowest_clock_that_does_the_rate(fps):
    net, at = network(196, 32, 4), of_board("icebreaker")
    found = folded(net, at, "--fps", str(fps))
    design, clock_mhz = found.design, found.target.clock_mhz
    interval = predict(design).interval
    least = min(fps, carried(design, at.board, at.clock_mhz))

    def suffices(mhz):
        return mhz * 1e6 / interval >= fps and carried(design, at.board, mhz) >= least

    assert suffices(clock_mhz) and clock_mhz <= at.clock_mhz
    for wanted in range(12, 49):
        try:
            mhz, _ = clock_and_pll(at.board, wanted)
        except BoardError:
            continue
        assert mhz >= clock_mhz or not suffices(mhz), mhz
    assert ("lowest clock" in found.why) == (clock_mhz < at.clock_mhz)
    assert clock_mhz == 12 or fps > 30


@pytest.mark.parametrize("options", [("--clock", "39.75"), ("--clock", "best"), ()])
def test_the_clock_stays_where_it_is_asked_for_or_no_rate_is(options):
    fps = () if not options else ("--fps", "30")
    assert folded(network(16, 8, 2), of_board("icebreaker"), *options, *fps).target.clock_mhz == 48


def test_a_slower_line_asks_for_less():
    net, at = network(196, 32, 4), of_board("icebreaker")
    rates = [pace(folding.Request(baud=baud), net, at).images_per_second for baud in (1_000_000, None)]
    assert rates[0] == pytest.approx(rates[1] / 12, rel=0.01)


def test_over_usb_the_clock_is_that_of_the_line():
    at = of_board("orangecrab_r0_2,usb")
    assert at.board.usb_link
    assert folded(network(16, 8, 2), at, "--fps", "30").target == at


def test_a_link_at_its_best_is_never_slower():
    net = network(784, 16, 10)
    best = linked.full_requests(net, patchable=False)
    real = linked.link_parameters(fold(net, DEVICES["up5k"]), DEVICES["up5k"])
    assert (best.image_bytes, best.decision_bytes) == (real.image_bytes, real.decision_bytes)
    assert best.frame_images == 255 >= real.frame_images and best.image_cycles <= real.image_cycles
