"""`sbgen emulate`: a built board behind its pseudo-terminal and its socket, asked by the host's own code."""

import json

import numpy as np
import pytest

import sbgen
from sbgen import tools
from sbgen.built import Built
from sbgen.cli import main
from sbgen.compiler import design_file, exchange, reference
from sbgen.compiler.design import Design
from sbgen.compiler.folding import LaneFolding, Spram, WeightedFolding
from sbgen.compiler.ir import Binarize, Dense, Network, Scores
from sbgen.emulator import EmulatedBoard, compiled
from sbgen.errors import ToolError

CLASSES, PIXELS = 4, 30


def network(rng):
    return Network(
        name="small",
        image_shape=(PIXELS,),
        labels=tuple("abcd"),
        layers=(
            Binarize(name="pixels", thresholds=rng.integers(1, 256, (PIXELS, 1))),
            Dense(
                name="hidden",
                weights=rng.integers(0, 2, (24, PIXELS)).astype(np.uint8),
                thresholds=rng.integers(10, 20, 24),
            ),
            Scores(
                name="scores",
                weights=rng.integers(0, 2, (CLASSES, 24)).astype(np.uint8),
                offsets=rng.integers(-9, 9, CLASSES),
            ),
        ),
    )


def build(folder, seed, *options):
    try:
        for name in "verilator", "yosys":
            tools.find(name)
    except ToolError as error:
        pytest.skip(str(error))
    print("seed", seed)
    net = network(np.random.default_rng(seed))
    exchange.save(net, folder / "net.json")
    out = folder / "build"
    command = ["build", "--model", str(folder / "net.json"), "--board", "icebreaker", "--out", str(out)]
    assert main([*command, *options]) == 0
    return net, Built(out)


def check(net, port, seed):
    images = np.random.default_rng(seed).integers(0, 256, (50, PIXELS)).astype(np.uint8)
    scores, labels = reference.evaluate(net, images)
    with sbgen.Board(port=port) as board:
        assert board.identify().digest.hex() == exchange.digest(net)[:16]
        assert board.scores(images).tolist() == scores.tolist()
        assert board.predict(iter(images)).tolist() == labels.tolist()


def test_board_without_a_bitstream(tmp_path, capsys):
    net, built = build(tmp_path, 1, "--no-bitstream")
    folder = tmp_path / "emulator"
    folder.mkdir()
    program = compiled(built, folder=folder)
    with EmulatedBoard(program, tcp=("127.0.0.1", 0)) as board:
        check(net, board.port, 2)
        check(net, board.url, 3)
        capsys.readouterr()
        assert main(["check-board", str(built.folder), "--port", board.url]) == 0
        assert "PASS     300 of 300 decisions and 1,200 of 1,200 scores" in capsys.readouterr().out
        record = json.loads((built.folder / "check-board.json").read_text())
        assert record["equal"] and record["link"]["errors"]["lost"] == 0
        assert (
            main(["classify", str(images(tmp_path, net)), "--port", board.port, "--top", "2", "--quiet"]) == 0
        )
        assert "50 of 50 right, 50 among the best 2" in capsys.readouterr().out
    (tmp_path / "again").mkdir()
    again = compiled(built, folder=tmp_path / "again")
    assert again.from_cache
    with EmulatedBoard(again) as board:
        check(net, board.port, 4)


def images(folder, net):
    """A file of images whose classes are those of the reference."""
    pixels = np.random.default_rng(9).integers(0, 256, (50, PIXELS)).astype(np.uint8)
    np.savez(folder / "images.npz", images=pixels, labels=reference.evaluate(net, pixels)[1])
    return folder / "images.npz"


@pytest.mark.slow
def test_placed_netlist(tmp_path):
    try:
        tools.find("nextpnr-ice40")
    except ToolError as error:
        pytest.skip(str(error))
    net, built = build(tmp_path, 5)
    folder = tmp_path / "emulator"
    folder.mkdir()
    with EmulatedBoard(compiled(built, folder=folder, netlist=True)) as board:
        check(net, board.port, 6)


@pytest.mark.slow
def test_weights_from_flash(tmp_path):
    """A design with weights in SPRAM loads them from the model of the flash."""
    net = network(np.random.default_rng(7))
    foldings = (
        LaneFolding(simd=1),
        *(
            WeightedFolding(pe=pe, simd=simd, weights=Spram(), preset_store="bram")
            for pe, simd in ((2, 5), (1, 4))
        ),
    )
    design_file.save(Design(network=net, foldings=foldings), tmp_path / "design.json")
    _, built = build(tmp_path, 7, "--no-bitstream", "--design", str(tmp_path / "design.json"))
    assert built.spram_weights
    folder = tmp_path / "emulator"
    folder.mkdir()
    with EmulatedBoard(compiled(built, folder=folder)) as board:
        check(net, board.port, 8)
