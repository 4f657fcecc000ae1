"""The top level of a board over its emitted Verilog, through the pins of its serial line."""

import json
import re
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from bench import SIMULATORS, run

from sbgen import tools
from sbgen.boards import flash_image, get
from sbgen.boards.harness import Top
from sbgen.compiler import cycles, estimate, exchange, fold, reference, verilog
from sbgen.compiler.folding import Spram, WeightedFolding
from sbgen.compiler.frontends import model
from sbgen.compiler.linked import link_parameters
from sbgen.compiler.lower import lower
from sbgen.errors import ToolError
from sbgen.hw import uart
from sbgen.train import data

BOARD = "icebreaker"
IMAGES = 3


def prepare(folder, *, scores=None, board=BOARD, signs=None):
    """The top level of the smallest model, perhaps with another folding of its scores, or with so many
    outputs that decide by their `signs`.

    In `folder` is what is expected of it.
    """
    board = get(board)
    network = model.load(Path(__file__).parent.parent / "models" / "digits.pt").network
    if signs:
        last = network.layers[-1]
        last = replace(last, weights=last.weights[:signs], offsets=last.offsets[:signs] - last.inputs // 2)
        network = replace(
            network,
            layers=(*network.layers[:-1], last),
            labels=network.labels[: max(2, signs)],
            decision="sign",
        )
    design = fold.fold(network, board.device)
    if scores is not None:
        design = replace(design, foldings=(*design.foldings[:-1], scores))
    digest = bytes.fromhex(exchange.digest(network))
    core = lower(design)
    link = link_parameters(design, board.device)
    # As few clock cycles a bit as the link can bear.
    baud = round(board.default_clock_mhz * 1e6 / uart.MINIMUM_DIVISOR)
    top = Top(core=core, board=replace(board, usb_chip=None), link=link, digest=digest, baud=baud)
    loads = bool(core.ram_contents)
    identity = link.identity(digest=digest[:8], byte_cycles=10 * top.divisor, loads=loads)
    images = data.load("digits")[2][:IMAGES]
    truth, labels = reference.evaluate(network, images)
    (folder / "cases.json").write_text(
        json.dumps(
            {
                "clock_mhz": top.clock_mhz,
                "divisor": top.divisor,
                "reset_cycles": top.reset_cycles + 50,
                "outputs": core.outputs,
                "identity": (identity + bytes(5 * loads)).hex(),
                "cycles": cycles.predict(design).latency,
                "images": [image.ravel().tolist() for image in images],
                "scores": truth.tolist(),
                "labels": labels.tolist(),
            }
        )
    )
    return core, {
        "pll_models.v": (Path(__file__).parent / "pll_models.v").read_text(),
        "top.v": verilog.convert(top),
    }


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_board(simulator, tmp_path):
    _, sources = prepare(tmp_path)
    run(
        sources,
        simulator=simulator,
        module="board_tests",
        folder=tmp_path / simulator,
        settings={"SBGEN_CASES": str(tmp_path / "cases.json")},
    )


@pytest.mark.parametrize("board", [BOARD, "ulx3s_85f", "tang_nano_9k"])
@pytest.mark.parametrize("simulator", SIMULATORS)
def test_lock_of_the_pll_is_lost(simulator, board, tmp_path):
    _, sources = prepare(tmp_path, board=board)
    run(
        sources,
        simulator=simulator,
        module="lock_tests",
        folder=tmp_path / simulator,
        settings={"SBGEN_CASES": str(tmp_path / "cases.json")},
    )


@pytest.mark.parametrize("outputs", [1, 9])
@pytest.mark.parametrize("simulator", SIMULATORS)
def test_board_whose_signs_decide(simulator, outputs, tmp_path):
    _, sources = prepare(tmp_path, signs=outputs)
    run(
        sources,
        simulator=simulator,
        module="board_tests",
        folder=tmp_path / simulator,
        settings={"SBGEN_CASES": str(tmp_path / "cases.json")},
    )


def test_synthesis_finds_the_spram_and_the_block_ram_of_the_rest(tmp_path):
    network = model.load(Path(__file__).parent.parent / "models" / "digits.pt").network
    device = get(BOARD).device
    design = fold.fold(network, device)
    design = replace(
        design, foldings=(*design.foldings[:-1], WeightedFolding(pe=3, simd=16, weights=Spram(2)))
    )
    try:
        yosys = tools.find("yosys")
    except ToolError as error:
        pytest.skip(str(error))
    (tmp_path / "top.v").write_text(verilog.convert(lower(design)))
    # Up to where memories have become block RAM; LUTs are not of interest here.
    said = tools.run(
        yosys,
        ["-p", "read_verilog top.v; synth_ice40 -device u -top top -run begin:map_ffram; stat"],
        cwd=tmp_path,
        log=tmp_path / "yosys.log",
    )
    expected = estimate.estimate(design, device, host_link=False)
    assert expected["spram"] == 2
    for cell, resource in ("SB_SPRAM256KA", "spram"), ("SB_RAM40_4K", "bram"):
        found = re.findall(rf"{cell}\s+(\d+)|(\d+)(?:\s+\S+)?\s+{cell}\b", said)
        assert [int(before or behind) for before, behind in found[-1:]] == [expected[resource]], cell


@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize("simulator", SIMULATORS)
def test_weights_from_flash(simulator, right, tmp_path):
    core, sources = prepare(tmp_path, scores=WeightedFolding(pe=2, simd=16, weights=Spram()))
    assert [len(words) for words in core.ram_contents] == [20, 20]
    weights = bytearray(flash_image.weight_bytes(core.ram_contents))
    weights[-1] ^= not right
    folder = tmp_path / simulator
    folder.mkdir()
    (folder / "flash.bin").write_bytes(flash_image.combine(b"", bytes(weights)))
    cases = json.loads((tmp_path / "cases.json").read_text())
    cases |= {"checksum": zlib.crc32(weights), "right": right, "load_cycles": 16 * len(weights) + 4000}
    (tmp_path / "cases.json").write_text(json.dumps(cases))
    flash = (
        (Path(__file__).parent / "spi_flash.v").read_text().replace("flash.bin", str(folder / "flash.bin"))
    )
    run(
        sources | {"spi_flash.v": flash},
        simulator=simulator,
        module="flash_tests",
        folder=folder,
        top="board",
        settings={"SBGEN_CASES": str(tmp_path / "cases.json")},
    )
