"""Boards that test themselves: the LED of the emitted Verilog, of netlists, and of damaged ones."""

import copy
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sbgen import boards, tools
from sbgen.boards import flash_image, flow, netlist_verilog, placed, simulated
from sbgen.boards.self_test import SelfTestTop
from sbgen.compiler import lower, self_test, verilog
from sbgen.compiler.design import Design
from sbgen.compiler.folding import LaneFolding, Rom, Spram, WeightedFolding
from sbgen.compiler.ir import Binarize, Dense, Network, Scores
from sbgen.compiler.random_network import random_design, random_images
from sbgen.errors import ToolError

PASS, FAIL = "pass", "fail"


def small():
    rng = np.random.default_rng(6)
    network = Network(
        name="small",
        image_shape=(3, 4),
        labels=tuple("abc"),
        layers=(
            Binarize(name="pixels", thresholds=rng.choice([40, 90, 200], (12, 1))),
            Dense(name="hidden", weights=rng.integers(0, 2, (20, 12)), thresholds=rng.integers(4, 9, 20)),
            Scores(name="scores", weights=rng.integers(0, 2, (3, 20)), offsets=rng.integers(-9, 9, 3)),
        ),
    )
    foldings = (
        WeightedFolding(pe=pe, simd=simd, weights=Rom("bram"), preset_store="bram", replay_store="bram")
        for pe, simd in ((2, 5), (1, 4))
    )
    return Design(network=network, foldings=(LaneFolding(simd=1), *foldings))


def top_of(design, board, *, images=4, store="lut", seed=3):
    """The board that tests itself with some images, blinking fast enough to simulate."""
    given = random_images(seed, design.network, images)
    return SelfTestTop(
        core=lower.lower(design),
        board=board,
        parameters=self_test.parameters(design, given, store=store),
        clock_mhz=board.oscillator_mhz,
        blink_seconds=2e-6,
    )


def result(top, text, folder, *, damage=False):
    """What the LED says after all images and some blinks, in Icarus."""
    try:
        iverilog, vvp = tools.find("iverilog"), tools.find("vvp")
    except ToolError as error:
        pytest.skip(str(error))
    flash = flash_image.weight_bytes(top._core.ram_contents)
    (folder / "top.v").write_text(text)
    program, source = folder / "self_test.vvp", Path(__file__).parent / "self_test_bench.v"
    defines = [f"-DFLASH={len(flash)}", f"-DOFFSET={flash_image.OFFSET}"] if flash else []
    if flash:
        contents = bytes([flash[0] ^ damage]) + flash[1:]
        (folder / "flash.hex").write_text(flash_image.as_hex(contents))
    sources = [folder / "top.v", source, *([flash_image.MODEL] if flash else [])]
    command = [*iverilog.argv, "-g2005", "-o", program, *defines, *sources]
    subprocess.run(list(map(str, command)), cwd=folder, check=True)
    # Some rounds, as a result takes a small part of the patience, then some blinks.
    cycles = top.reset_cycles + top.load_cycles + top._parameters.patience + 8 * top.blink_cycles
    text = subprocess.run(
        [*map(str, vvp.argv), str(program), f"+cycles={cycles}"],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    changes, led = re.search(r"changes (\d+) led (.)", text).groups()
    if (int(changes), led) == (1, "0" if top._led.invert else "1"):
        return PASS
    assert int(changes) >= 4, text
    return FAIL


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", ["icebreaker", "ulx3s_85f", "upduino_v3"])
def test_random_designs_pass(name, seed, tmp_path):
    print("seed", seed)
    board, design = boards.get(name), random_design(seed, largest=12)
    top = top_of(design, board, store=("lut", "bram")[seed % 2])
    text = simulated.top_level(verilog.convert(top), board=board)
    assert result(top, text, tmp_path) == PASS


def test_weights_from_the_flash_are_waited_for(tmp_path):
    board, design = boards.get("icebreaker"), small()
    folded = [
        replace(folding, weights=Spram()) if n else folding for n, folding in enumerate(design.foldings)
    ]
    top = top_of(replace(design, foldings=tuple(folded)), board)
    assert top.load_cycles
    text = simulated.top_level(verilog.convert(top), board=board)
    assert result(top, text, tmp_path) == PASS
    assert result(top, text, tmp_path, damage=True) == FAIL


@pytest.mark.parametrize("name", ["icebreaker", "ulx3s_85f"])
@pytest.mark.parametrize("level", ["synthesised", pytest.param("placed", marks=pytest.mark.slow)])
def test_a_flipped_bit_of_a_rom_in_the_netlist_fails(name, level, tmp_path):
    board, design = boards.get(name), small()
    try:
        for tool in "iverilog", "vvp", "yosys", f"nextpnr-{board.device.family}":
            tools.find(tool)
    except ToolError as error:
        pytest.skip(str(error))
    # A flipped bit of a coded weight can leave the scores of some images as they were, but not of so many.
    top = top_of(design, board, images=16, store="bram")
    plan = flow.plan(
        verilog=verilog.convert(top), board=board, clock_mhz=board.oscillator_mhz, seeds=[1], pins=top.pins
    )
    cells = placed._implement(plan, tmp_path, routed=level == "placed")
    assert result(top, netlist_verilog.verilog(cells, family=board.family), tmp_path) == PASS
    rng = np.random.default_rng(1)
    for _ in range(3):
        damaged = copy.deepcopy(cells)
        print(flip_a_weight(damaged, rng))
        assert result(top, netlist_verilog.verilog(damaged, family=board.family), tmp_path) == FAIL


def flip_a_weight(cells, rng):
    """Flip one bit of the memory of the last layer's weights."""
    ones = [
        (cell["parameters"], parameter, place, name)
        for name, cell in cells["cells"].items()
        if "mvtu_2.weight_rom" in name
        for parameter, value in cell["parameters"].items()
        if parameter.startswith("INIT")
        for place, bit in enumerate(value)
        if bit == "1"
    ]
    parameters, parameter, place, name = ones[rng.integers(len(ones))]
    value = parameters[parameter]
    parameters[parameter] = f"{value[:place]}0{value[place + 1 :]}"
    return name, parameter, place
