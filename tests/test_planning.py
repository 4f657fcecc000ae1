"""`sbgen plan`: its networks fit, and have the size and rate that training and estimating them finds."""

import re
import shlex

import numpy as np
import pytest

from sbgen import planning
from sbgen.cli import main
from sbgen.train.topology import Topology, parse_convolutions

pytest.importorskip("torch")


def table(path, columns=6):
    rng = np.random.default_rng(0)
    rows = [[*rng.normal(size=columns).round(3).tolist(), "ab"[n % 2]] for n in range(60)]
    header = [*(f"c{n}" for n in range(columns)), "kind of"]
    path.write_text("\n".join(",".join(map(str, row)) for row in [header, *rows]) + "\n")
    return path


def planned(capsys, *options):
    code = main(["plan", *map(str, options)])
    return code, capsys.readouterr()


def rows_of(text):
    """Weights, cycles, LUTs, block RAMs and the command of each proposal, by its letter."""
    sizes = re.findall(r"^  ([a-z])  +([\d,]+)  ([\d,]+) +([\d,]+) +([\d,]+) +(\d+)$", text, re.MULTILINE)
    commands = dict(re.findall(r"^  ([a-z])  sbgen (.*)$", text, re.MULTILINE))
    assert set(commands) == {row[0] for row in sizes} and len(sizes) > 1
    return [[*(int(value.replace(",", "")) for value in row[1:]), commands[row[0]]] for row in sizes]


def test_a_proposal_is_what_it_becomes(tmp_path, capsys):
    samples = table(tmp_path / "my data.csv")
    code, printed = planned(
        capsys,
        "--samples",
        samples,
        "--target",
        "kind of",
        "--drop",
        "c1,c2",
        "--board",
        "icebreaker",
        "--hidden",
        "64,32",
    )
    rows = rows_of(printed.out)
    assert code == 0 and [row[0] for row in rows] == sorted(row[0] for row in rows)
    assert all(row[4] <= 30 for row in rows)
    _, _, cycles, lut, bram, command = rows[-1]
    words = shlex.split(command)
    assert words[:7] == ["train", "--samples", str(samples), "--target", "kind of", "--drop", "c1,c2"]
    out = tmp_path / "net.pt"
    assert main([*words, "--epochs", "1", "--out", str(out)]) == 0
    capsys.readouterr()
    assert main(["estimate", "--model", str(out), "--board", "icebreaker", "--force"]) == 0
    text = capsys.readouterr().out
    found = {
        name: int(re.search(rf"^  {name} +([\d,]+) ", text, re.MULTILINE)[1].replace(",", ""))
        for name in ("cycles", "LUT", "block RAM")
    }
    # The trained thresholds change a comparison here and there, and so perhaps the folding.
    assert abs(found["cycles"] / cycles - 1) < 0.1 and abs(found["LUT"] / lut - 1) < 0.1
    assert abs(found["block RAM"] - bram) <= 2


def test_a_rate_gives_the_smallest_designs(tmp_path, capsys):
    options = "--samples", table(tmp_path / "x.csv"), "--target", "kind of", "--board", "icebreaker"
    fast, slow = (rows_of(planned(capsys, *options, *rate)[1].out) for rate in ((), ("--fps", "10000")))
    assert all(row[1] >= 10_000 for row in slow) and len(slow) >= len(fast)
    assert sum(row[3] for row in slow[: len(fast)]) < sum(row[3] for row in fast)


@pytest.mark.parametrize(
    "options, message",
    [
        (["--fps", "1e9"], "no network from --hidden 32,16 --levels 8 to --hidden 512,256 --levels 8 fits"),
        (["--board", "nowhere"], "board"),
        (["--target", "color"], "must have the columns color"),
    ],
)
def test_what_cannot_be_planned(tmp_path, capsys, options, message):
    base = ["--samples", table(tmp_path / "x.csv"), "--target", "kind of", "--board", "icebreaker"]
    code, printed = planned(capsys, *base, *options)
    assert code == 1 and message in printed.err and printed.err.count("\n") == 1


def test_a_part_without_a_board(tmp_path, capsys):
    options = "--samples", table(tmp_path / "x.csv"), "--target", "kind of", "--fps", "1000000"
    code, printed = planned(capsys, *options, "--part", "lut6=20000,bram36=50", "--clock", "50")
    assert code == 0 and "20,000 LUTs, 100 block RAMs, 50 MHz" in printed.out
    assert all(row[2] <= 50 for row in rows_of(printed.out))  # cycles


def test_samples_are_needed(capsys):
    code, printed = planned(capsys, "--board", "icebreaker")
    assert code == 1 and "--samples FILE, your own data, must be given" in printed.err


def test_the_ladder_goes_both_ways():
    middle = Topology(levels=2, convolutions=parse_convolutions("16x3p2"), widths=(32,))
    rungs = planning.ladder(middle)
    assert middle in rungs and len(rungs) == len(set(rungs)) == 10
    assert [rung.convolutions[0].outputs for rung in rungs if rung.convolutions] == [4, 8, 16, 32, 64]
    assert {rung.levels for rung in rungs} == {2} and sum(not rung.convolutions for rung in rungs) == 5
