"""`sbgen verify` on a small model for a board of each family: every level that exists there runs, up to the
bitstream, and passes.
"""

import json

import numpy as np
import pytest
from test_netlists import network

from sbgen import cli
from sbgen.compiler import exchange, reference

#: Levels that a board's build cannot have: there is no trained model of a random network, and no open tool
#: turns a bitstream of ECP5 or Gowin into Verilog that can be simulated.
_MODEL = {"model, hardened"}
_NO_VERILOG = {"bitstream as Verilog"}
_NO_TABLES = {"truth tables in the bitstream"}


@pytest.mark.parametrize(
    ("board", "missing"),
    [
        ("icebreaker", _MODEL),
        ("amaranth_boards.ulx3s:ULX3S_25F_Platform", _MODEL | _NO_VERILOG | _NO_TABLES),
        ("tang_nano_9k", _MODEL | _NO_VERILOG),
    ],
)
def test_every_level_passes(board, missing, tmp_path, capsys):
    exchange.save(network(), tmp_path / "small.json")
    out = tmp_path / "out"
    assert (
        cli.main(
            [
                "build",
                "--model",
                str(tmp_path / "small.json"),
                "--board",
                board,
                "--images",
                "5",
                "--out",
                str(out),
            ]
        )
        == 0
    )
    assert cli.main(["verify", str(out), "--images", "5"]) == 0
    levels = {entry["rung"]: entry for entry in json.loads((out / "ledger.json").read_text())["rungs"]}
    for name, entry in levels.items():
        print(entry)
        if entry["status"] == "not run" and "is not installed" in entry["note"]:
            pytest.skip(entry["note"])
        assert entry["status"] == ("not run" if name in missing else "PASS"), entry
    assert len(levels) >= 11 and missing <= set(levels)
    predict(out, capsys)


def predict(out, capsys):
    """Every engine of `sbgen run` has the scores of the reference."""
    net = network()
    images = np.random.default_rng(3).integers(0, 256, (3, *net.image_shape)).astype(np.uint8)
    np.save(out / "images.npy", images)
    scores, _ = reference.evaluate(net, images)
    for engine in "reference", "verilog", "netlist":
        capsys.readouterr()
        assert cli.main(["run", str(out), str(out / "images.npy"), "--engine", engine, "--json"]) == 0
        shown = capsys.readouterr()
        assert [json.loads(line)["scores"] for line in shown.out.splitlines()] == scores.tolist()
        assert {"reference": "the reference", "verilog": "core.v", "netlist": "placed netlist"}[engine] in (
            shown.err
        )
