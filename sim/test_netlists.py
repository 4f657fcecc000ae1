"""A small network on each family of boards: its netlists behind synthesis and behind place and route, through the pins."""

import numpy as np
import pytest

from sbgen import boards, tools
from sbgen.boards import flow, netlist, netlist_verilog, pins
from sbgen.boards.harness import Top
from sbgen.compiler import exchange, reference, verilog
from sbgen.compiler.design import Design, Folding
from sbgen.compiler.ir import Binarize, Dense, Network, Scores
from sbgen.compiler.lower import lower
from sbgen.errors import ToolError


def network():
    rng = np.random.default_rng(6)

    def bits(*shape):
        return rng.integers(0, 2, shape).astype(np.uint8)

    return Network(name="small", image_shape=(3, 4), labels=tuple("abc"), layers=(
        Binarize(name="pixels", thresholds=rng.integers(1, 256, (12, 1))),
        Dense(name="hidden", weights=bits(20, 12), thresholds=rng.integers(4, 9, 20)),
        Scores(name="scores", weights=bits(3, 20), offsets=rng.integers(-9, 9, 3))))


@pytest.mark.parametrize("placed", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["icebreaker", "ulx3s_85f"])
def test_netlist(name, placed, tmp_path):
    board, net = boards.get(name), network()
    design = Design(network=net, foldings=tuple(Folding(pe=pe, simd=simd, preset_store="bram", replay_store="bram")
                                                for pe, simd in ((1, 1), (2, 5), (1, 4))))
    digest = bytes.fromhex(exchange.digest(net))
    # As few cycles a bit as the link can bear; the PLL is not waited for.
    top = Top(core=lower(design), board=board, clock_mhz=board.oscillator_mhz, digest=digest, baud=board.oscillator_mhz * 1e6 / 16)
    try:
        tools.find("iverilog")
        plan = flow.plan(verilog=verilog.convert(top), board=board, clock_mhz=board.oscillator_mhz, seeds=[1])
    except ToolError as error:
        pytest.skip(str(error))
    for file, text in plan.files.items():
        (tmp_path / file).write_text(text)
    for step in (plan.synthesis, *plan.placements[:placed]):
        tools.run(step.tool, step.args, cwd=tmp_path, log=tmp_path / step.log)
    netlist.compact(tmp_path / (plan.placements[0].writes[2] if placed else "top.json"), tmp_path / "netlist.gz")
    made = netlist.load(tmp_path / "netlist.gz")
    assert any(cell["type"] in ("SB_RAM40_4K", "ICESTORM_RAM", "DP16KD", "PDPW16KD") for cell in made["cells"].values())

    rng = np.random.default_rng(7)
    images = rng.integers(0, 256, (3, 3, 4)).astype(np.uint8)
    scores, labels = reference.evaluate(net, images)

    def ask(text):
        return pins.Pins(text, net, simulator="icarus", divisor=top.divisor, reset_cycles=top.reset_cycles + 100,
                         folder=tmp_path / "sim").ask(images)

    text = netlist_verilog.verilog(made, family=board.device.family)
    answers = ask(text)
    assert answers.identity.digest == digest[:8]
    assert answers.scores.tolist() == scores.tolist() and answers.labels.tolist() == labels.tolist()
