"""`sbgen estimate` and `sbgen build --fit`, from the command line to what they print."""

import re
from functools import partial

import numpy as np
import pytest

from sbgen import cli, network_cache, sizing
from sbgen.compiler import design_file, exchange
from sbgen.compiler.cycles import predict
from sbgen.compiler.device import DEVICES
from sbgen.compiler.estimate import error_band, estimate
from sbgen.compiler.fold import fold
from sbgen.compiler.frontends import model as model_file
from sbgen.compiler.ir import Binarize, Dense, Network, Scores
from sbgen.compiler.rate import fold_for_rate


@pytest.fixture
def network():
    rng = np.random.default_rng(0)
    return Network(
        name="net",
        image_shape=(196,),
        labels=tuple("abcd"),
        layers=(
            Binarize(name="pixels", thresholds=np.full((196, 1), 128)),
            Dense(name="hidden", weights=rng.integers(0, 2, (64, 196)), thresholds=rng.integers(90, 106, 64)),
            Scores(name="scores", weights=rng.integers(0, 2, (4, 64)), offsets=np.zeros(4, int)),
        ),
    )


@pytest.fixture
def model(network, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    exchange.save(network, tmp_path / "net.json")
    return tmp_path / "net.json"


def number(text, label):
    return int(re.search(rf"^  {label} +([\d,]+)", text, re.MULTILINE)[1].replace(",", ""))


@pytest.mark.parametrize(
    "options, folded",
    [
        # 25 bytes of 10 bits of 4 cycles are 1,000, and a little for each request.
        ((), partial(fold, enough=249)),
        (("--fps", "40000"), partial(fold, cycles=993)),
        (("--fastest",), partial(fold_for_rate, cycles=None)),
    ],
)
def test_tells_what_the_design_of_these_options_takes(network, model, capsys, options, folded):
    assert (
        cli.main(["estimate", "--model", str(model), "--board", "icebreaker", "--clock", "39.75", *options])
        == 0
    )
    shown, device = capsys.readouterr().out, DEVICES["up5k"]
    design = folded(network, device)
    told = estimate(design, device)
    assert [number(shown, label) for label in ("LUT", "FF", "block RAM", "cycles")] == [
        told["lut"],
        told["ff"],
        told["bram"],
        predict(design).interval,
    ]
    band = error_band(device)
    assert band["low"] < band["high"] and f"judging by {band['designs']} synthesised designs" in shown
    assert shown.isascii()


@pytest.mark.parametrize("command", ["build", "estimate"])
def test_the_curve_falls_and_nothing_is_built(model, capsys, tmp_path, command):
    assert cli.main([command, "--model", str(model), "--board", "icebreaker", "--fit"]) == 0
    rows = [
        [int(word.replace(",", "")) for word in line.split()[:4]]
        for line in capsys.readouterr().out.splitlines()
        if line.rstrip("- unasked<").endswith("#")
    ]
    rates, cycles, luts, _ = zip(*rows, strict=True)
    assert len(rows) > 2 and list(rates) == sorted(rates, reverse=True)
    assert list(cycles) == sorted(cycles) and list(luts) == sorted(luts, reverse=True)
    assert not (tmp_path / "build").exists()


def test_the_design_of_the_options_is_marked_in_the_curve(model, capsys):
    assert cli.main(["build", "--model", str(model), "--board", "icebreaker", "--fit", "--fps", "40000"]) == 0
    marked = [line for line in capsys.readouterr().out.splitlines() if line.endswith("<- with these options")]
    assert len(marked) == 1


def test_a_model_is_read_once(model, network, monkeypatch):
    first = network_cache.load(model)
    assert exchange.digest(first) == exchange.digest(network)
    with monkeypatch.context() as without:
        without.setattr(model_file, "load", None)
        assert exchange.digest(network_cache.load(model)) == exchange.digest(network)
        with pytest.raises(TypeError):
            network_cache.load(model, force=True)  # another way to read it


def test_a_damaged_copy_is_read_anew(model, network, tmp_path):
    network_cache.load(model)
    (copy,) = (tmp_path / "cache" / "sbgen" / "networks").glob("*/network.json")
    copy.write_text("{")
    assert exchange.digest(network_cache.load(model)) == exchange.digest(network)
    assert copy.read_bytes() != b"{"


def test_the_same_question_is_answered_from_the_cache(model, capsys, monkeypatch, tmp_path):
    def printed(*options):
        assert cli.main(["estimate", "--model", str(model), "--part", "up5k", *options]) == 0
        return re.sub(r"estimated in \S+ s", "", capsys.readouterr().out)

    first = {options: printed(*options) for options in [(), ("--json",), ("--clock", "20")]}
    assert len(set(first.values())) == 3
    with monkeypatch.context() as without:
        without.setattr(sizing, "answer", None)
        assert {options: printed(*options) for options in first} == first
        for changed in ("--clock", "21"), ("--fastest",), ("--force",):
            with pytest.raises(TypeError):
                printed(*changed)
        model.write_bytes(model.read_bytes() + b"\n")  # another file, although the same network
        with pytest.raises(TypeError):
            printed()
    assert printed() == first[()]


def test_a_design_file_is_part_of_the_question(network, model, capsys, tmp_path):
    def cycles():
        options = ["--part", "up5k", "--design", str(tmp_path / "design.json")]
        assert cli.main(["estimate", "--model", str(model), *options]) == 0
        return number(capsys.readouterr().out, "cycles")

    found = []
    for limit in 1000, 100:
        design = fold(network, DEVICES["up5k"], cycles=limit)
        design_file.save(design, tmp_path / "design.json")
        found.append((cycles(), predict(design).interval))
    assert all(told == expected for told, expected in found) and found[0] != found[1]


def test_cycles_are_exact_unless_that_takes_long(model, capsys, monkeypatch):
    """Of a layer of 12,544 cycles too, as large ones of the shipped models have."""
    options = ["estimate", "--model", str(model), "--part", "up5k", "--pe", "1,1", "--simd", "1,1"]
    assert cli.main(options) == 0
    exact = capsys.readouterr().out
    assert number(exact, "cycles") > 12_500 and "latency" in exact and "slowest layer" not in exact
    monkeypatch.setattr(sizing, "_EXACT", 10_000)
    assert cli.main([*options, "--clock", "99"]) == 0
    shown = capsys.readouterr().out
    assert (
        number(shown, "cycles") == 12_544 and "latency" not in shown and "those of the slowest layer" in shown
    )


def test_what_a_file_of_the_users_own_decides_is_not_cached(model, capsys, monkeypatch):
    asked = []
    monkeypatch.setattr(sizing, "answer", lambda arguments: asked.append(arguments) or [])
    for _ in range(2):
        cli.main(["estimate", "--model", str(model), "--board", "my_board:MyBoard"])
    assert len(asked) == 2
    assert cli.main(["estimate", "--model", str(model) + "x", "--part", "up5k"]) == 0 and len(asked) == 3
