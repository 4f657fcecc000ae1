"""The top level of a board over its emitted Verilog, through the pins of its serial line."""

import json
from pathlib import Path

import pytest
from bench import SIMULATORS, run

from sbgen.boards import get
from sbgen.boards.harness import Top
from sbgen.compiler import cycles, exchange, fold, model, reference, verilog
from sbgen.compiler.lower import lower
from sbgen.hw import uart
from sbgen.train import data

BOARD = "icebreaker"
IMAGES = 3


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_board(simulator, tmp_path):
    board = get(BOARD)
    network = model.load(Path(__file__).parent.parent / "models" / "digits.pt").network
    design = fold.fold(network, board.device)
    digest = bytes.fromhex(exchange.digest(network))
    core = lower(design)
    baud = round(board.default_clock_mhz * 1e6 / uart.MINIMUM_DIVISOR)  # as few clock cycles a bit as the link can bear
    top = Top(core=core, board=board, digest=digest, baud=baud)
    images = data.load("digits")[2][:IMAGES]
    scores, labels = reference.evaluate(network, images)
    (tmp_path / "cases.json").write_text(json.dumps({
        "clock_mhz": top.clock_mhz, "divisor": top.divisor, "reset_cycles": top.reset_cycles + 50,
        "lanes": core.lanes, "classes": core.classes, "pixels": core.pixels, "digest": digest[:8].hex(),
        "cycles": cycles.predict(design).latency,
        "images": [image.ravel().tolist() for image in images], "scores": scores.tolist(), "labels": labels.tolist()}))
    run({"pll_models.v": (Path(__file__).parent / "pll_models.v").read_text(), "top.v": verilog.convert(top)},
        simulator=simulator, module="board_tests", folder=tmp_path / simulator,
        settings={"SBGEN_CASES": str(tmp_path / "cases.json")})
