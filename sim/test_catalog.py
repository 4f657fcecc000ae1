"""Every board with a name, with link and core: built down to its bitstream, and every level checked."""

import json

import pytest
from test_netlists import network

from sbgen import cli
from sbgen.boards import BOARDS
from sbgen.compiler import exchange

#: Boards on which `digits` does not fit, nor any other shipped network.
SMALL = {"icestick"}

#: One of each family for every change; the others take minutes to an hour each.
EACH = {"icestick", "ulx3s_12f"}

#: Levels that a family cannot have.
MISSING = {"ice40": set(), "ecp5": {"truth tables in the bitstream", "bitstream as Verilog"}}


def build(board, model, folder):
    """Build with few images, and verify; returns the ledger by level."""
    out = folder / "out"
    arguments = ["build", "--model", str(model), "--board", board, "--images", "5", "--out", str(out)]
    assert cli.main(arguments) == 0
    assert cli.main(["verify", str(out), "--images", "5"]) == 0
    return {entry["rung"]: entry for entry in json.loads((out / "ledger.json").read_text())["rungs"]}


def check(board, model, folder, *, absent):
    levels = build(board, model, folder)
    for name, entry in levels.items():
        print(entry)
        if entry["status"] == "not run" and "is not installed" in entry["note"]:
            pytest.skip(entry["note"])
        expected = "not run" if name in absent else "PASS"
        assert entry["status"] == expected, entry
    assert "weights in the bitstream" in levels and absent <= set(levels)


@pytest.mark.slow
@pytest.mark.parametrize("board", sorted(EACH))
def test_a_small_network_on_a_board_of_each_family(board, tmp_path):
    exchange.save(network(), tmp_path / "small.json")
    absent = {"model, hardened"} | MISSING[BOARDS[board].device.family]
    check(board, tmp_path / "small.json", tmp_path, absent=absent)


@pytest.mark.slow
@pytest.mark.longest
@pytest.mark.parametrize("board", sorted(set(BOARDS) - SMALL))
def test_digits(board, tmp_path):
    check(board, "digits", tmp_path, absent=MISSING[BOARDS[board].device.family])
