"""Every board with a name, with link and core: built down to its bitstream, and every level checked."""

import json

import numpy as np
import pytest

from sbgen import cli
from sbgen.boards import BOARDS
from sbgen.built import Built
from sbgen.compiler import exchange
from sbgen.compiler.ir import Binarize, Dense, Network, Scores

#: Boards on which no shipped network fits.
SMALL = {"icestick"}

#: One of each family for every change, and one with a USB serial adapter, with the options of the build; the
#: others take minutes to an hour each. At its oscillator's clock the Fomu needs no PLL: see `UNSEEN`.
EACH = {
    "ice40_hx8k_b_evn": [],
    "tang_nano_9k": [],
    "ulx3s_12f": [],
    "amaranth_boards.fomu_pvt:FomuPVTPlatform": ["--uart", "rx=A1,tx=A2", "--clock", "48"],
}

#: Levels that a board's design cannot have: icebox_vlog ends with a KeyError where the PLL of a UP5K is fed
#: from another pin than its pad.
UNSEEN = {"upduino_v3_12mhz": {"bitstream as Verilog"}}


def network():
    """A small network whose weights take block RAM."""
    rng = np.random.default_rng(8)

    def bits(*shape):
        return rng.integers(0, 2, shape).astype(np.uint8)

    return Network(
        name="small",
        image_shape=(8, 8),
        labels=tuple("abcd"),
        layers=(
            Binarize(name="pixels", thresholds=rng.integers(1, 256, (64, 1))),
            Dense(name="hidden", weights=bits(128, 64), thresholds=rng.integers(24, 40, 128)),
            Scores(name="scores", weights=bits(4, 128), offsets=rng.integers(-9, 9, 4)),
        ),
    )


def build(board, model, folder, options):
    """Build with few images, and verify; returns the ledger by level."""
    out = folder / "out"
    arguments = ["build", "--model", str(model), "--board", board, "--images", "5", "--out", str(out)]
    assert cli.main([*arguments, *options]) == 0
    assert cli.main(["verify", str(out), "--images", "5"]) == 0
    return {entry["rung"]: entry for entry in json.loads((out / "ledger.json").read_text())["rungs"]}


def missing(family):
    """Levels that a family cannot have; a network without its trained model has one less."""
    levels = {"model, hardened"}
    if family.truth_tables is None:
        levels.add("truth tables in the bitstream")
    if family.to_verilog is None:
        levels.add("bitstream as Verilog")
    return levels


def check(board, model, folder, *, options=()):
    levels = build(board, model, folder, options)
    absent = missing(Built(folder / "out").board.family) | UNSEEN.get(board, set())
    for name, entry in levels.items():
        print(entry)
        if entry["status"] == "not run" and "is not installed" in entry["note"]:
            pytest.skip(entry["note"])
        expected = "not run" if name in absent else "PASS"
        assert entry["status"] == expected, entry
    assert not levels["weights in the bitstream"]["note"].startswith("all 0 bits")
    assert absent <= set(levels)


@pytest.mark.slow
@pytest.mark.parametrize("board", sorted(EACH))
def test_a_small_network_on_a_board_of_each_family(board, tmp_path):
    exchange.save(network(), tmp_path / "small.json")
    # The smallest design has the deepest memories, which are block RAM then.
    check(board, tmp_path / "small.json", tmp_path, options=["--fps", "20000", *EACH[board]])


@pytest.mark.slow
@pytest.mark.longest
@pytest.mark.timeout(10_000)  # place and route of an ECP5 takes most of an hour on a small machine
@pytest.mark.parametrize("board", sorted(set(BOARDS) - SMALL))
def test_digits(board, tmp_path):
    check(board, "digits", tmp_path)
