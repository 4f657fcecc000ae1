"""`sbgen search` from its options to its files; the worker processes are those of test_cluster.py."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from processes import started

from sbgen.cli import main
from sbgen.cluster import Here

pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from sbgen.searching import evaluate, search
from sbgen.train import own_data as training

SMALL = ["--hidden", "12,8", "--levels", "3", "--count", "7", "--population", "3", "--epochs", "1"]


@pytest.fixture
def here(monkeypatch):
    """Calls run in this process, and full trainings have two epochs. Returns the names of the candidates that
    were trained shortly.
    """

    @contextmanager
    def place(arguments, **settings):
        yield Here()

    plain, fitness, trained = training.default_settings, evaluate.fitness, []

    def counted(candidate, task):
        trained.append(candidate.options())
        return fitness(candidate, task)

    monkeypatch.setattr(search, "place", place)
    monkeypatch.setattr(training, "default_settings", lambda ready: replace(plain(ready), epochs=2))
    monkeypatch.setattr(evaluate, "fitness", counted)
    return trained


def table(path):
    rng = np.random.default_rng(0)
    rows = [[*(rng.normal(size=4) + n % 3).round(3).tolist(), "abc"[n % 3]] for n in range(90)]
    path.write_text(
        "\n".join(",".join(map(str, row)) for row in [["p", "q", "r", "s", "label"], *rows]) + "\n"
    )
    return path


def searched(tmp_path, *options, out="out", board="icebreaker"):
    samples = ["--samples", str(table(tmp_path / "x.csv")), "--board", board]
    return main(["search", *samples, *SMALL, "--out", str(tmp_path / out), *map(str, options)])


def outcome(tmp_path, out="out"):
    return json.loads((tmp_path / out / "front.json").read_text())


def test_the_outcome_is_what_it_says(tmp_path, here, capsys):
    assert searched(tmp_path, "--budget", "lut=2500,bram=20,spram=0,fps=20000", "--best", "2") == 0
    printed, found = capsys.readouterr().out, outcome(tmp_path)
    assert len(found["candidates"]) == 7 and {row["options"] for row in found["candidates"]} == set(here)
    for row in found["candidates"]:
        assert row["lut"] <= 2500 and row["bram"] <= 20 and row["samples_per_second"] >= 20_000
        assert row["samples_per_second"] == pytest.approx(found["clock_mhz"] * 1e6 / row["cycles"])
    accuracies = [row["accuracy"] for row in found["front"]]
    assert accuracies == sorted(accuracies, reverse=True) and accuracies[0] > 0.4
    assert accuracies[0] == max(row["accuracy"] for row in found["candidates"])
    assert "7 networks to train for 1 epochs of 60 samples, about" in printed
    assert (tmp_path / "out" / "front.svg").read_text().startswith("<?xml")
    # The commands that are printed train the same files, which take on the board what the table says.
    trained = found["front"][: len(found["trained"])]
    assert len(trained) == min(2, len(found["front"])) and set(found["trained"]) == {
        row["options"] for row in trained
    }
    for row in trained:
        assert row["command"] in printed
        words = shlex.split(row["command"])[1:]
        net = tmp_path / "again.pt"
        assert main([*words, "--out", str(net)]) == 0
        name = row["options"].removeprefix("--").replace(" --", "-").replace(" ", "-")
        assert net.read_bytes() == (tmp_path / "out" / f"{name}.pt").read_bytes()
        capsys.readouterr()
        options = ["--board", "icebreaker", "--fps", "20000", "--force"]
        assert main(["estimate", "--model", str(net), *options]) == 0
        text = capsys.readouterr().out
        sizes = {
            key: int(re.search(rf"^  {word} +([\d,]+) ", text, re.MULTILINE)[1].replace(",", ""))
            for key, word in (("lut", "LUT"), ("bram", "block RAM"))
        }
        assert abs(sizes["lut"] / row["lut"] - 1) < 0.1 and abs(sizes["bram"] - row["bram"]) <= 2


def test_an_interrupted_search_goes_on_where_it_was(tmp_path, here, monkeypatch):
    assert searched(tmp_path, "--best", "0", out="whole") == 0
    whole, plain = list(here), evaluate.fitness
    here.clear()

    def interrupted(candidate, task):
        if len(here) == 4:
            raise KeyboardInterrupt
        return plain(candidate, task)

    monkeypatch.setattr(evaluate, "fitness", interrupted)
    assert searched(tmp_path, "--best", "0") == 130
    assert here == whole[:4] and not (tmp_path / "out" / "front.json").exists()
    monkeypatch.setattr(evaluate, "fitness", plain)
    assert searched(tmp_path, "--best", "0") == 0
    assert here == whole and outcome(tmp_path)["front"] == outcome(tmp_path, "whole")["front"]
    # More candidates go on from there too; nothing is trained again.
    assert searched(tmp_path, "--best", "0", "--count", "9") == 0
    assert len(here) == len(set(here)) == 9 and here[:6] == whole[:6]
    assert [row["options"] for row in outcome(tmp_path)["candidates"]] == here


def test_short_trainings_share_a_batch_and_are_measured_at_their_end(tmp_path, here, monkeypatch):
    """Also the one whose time is taken, of other numbers of samples and epochs."""
    from sbgen.train import loop

    plain, trained, batches = training.default_settings, loop.train, []

    def seen(model, *parts, validation, settings, **more):
        batches.append(settings.batch)
        assert validation is None
        return trained(model, *parts, validation=validation, settings=settings, **more)

    monkeypatch.setattr(training, "default_settings", lambda ready: replace(plain(ready), batch=48))
    monkeypatch.setattr(loop, "train", seen)
    monkeypatch.setattr(evaluate, "_STEPS", 4)
    assert searched(tmp_path, "--epochs", "2", "--best", "0") == 0
    assert set(batches) == {30} and len(batches) == 7 + 2


def test_a_training_that_fails_is_the_least_accurate(tmp_path, here, monkeypatch, capsys):
    from sbgen.errors import ModelError

    plain = evaluate._trained

    def failing(candidate, task, **how):
        if how["samples"] == task.samples and len(here) == 2:
            raise ModelError("the loss must be finite")
        return plain(candidate, task, **how)

    monkeypatch.setattr(evaluate, "_trained", failing)
    assert searched(tmp_path, "--best", "0") == 0
    rows = outcome(tmp_path)["candidates"]
    assert [row["accuracy"] == 0 for row in rows] == [n == 1 for n in range(7)]
    assert "failed" in capsys.readouterr().out


@pytest.mark.parametrize(
    "options, message",
    [
        (["--budget", "lut=10"], "fits icebreaker within lut=10; allow more"),
        (["--budget", "cycles=1,bram=1"], "fits icebreaker within cycles=1,bram=1; allow more"),
        (["--budget", "speed=1"], "--budget must be limits of fps, cycles, lut, bram"),
        (["--conv", "8x3"], "--conv must be left out for a table"),
        (["--board", "nowhere"], "board"),
        (["--target", "color"], "must have the columns color"),
    ],
)
def test_refused_before_anything_is_trained(tmp_path, here, capsys, options, message):
    code = searched(tmp_path, *options)
    error = capsys.readouterr().err
    assert code == 1 and message in error and error.count("\n") == 1 and here == []
    assert not (tmp_path / "out" / "front.json").exists()


def test_other_work_in_the_folder_is_refused(tmp_path, here, capsys):
    assert searched(tmp_path, "--best", "0", "--count", "1") == 0
    here.clear()
    for options, name in (
        (["--budget", "lut=3000"], "budget"),
        (["--seed", "1"], "seed"),
        (["--subset", "20"], "subset"),
    ):
        assert searched(tmp_path, *options) == 1
        error = capsys.readouterr().err
        assert f"has other {name}" in error and error.count("\n") == 1 and here == []
    assert searched(tmp_path, board="ulx3s_85f") == 1 and "has other device" in capsys.readouterr().err


def test_a_cluster_that_does_not_answer(tmp_path, capsys, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("sbgen.cluster._ANSWER", 1)
    assert searched(tmp_path, "--scheduler", "tcp://127.0.0.1:9") == 1
    error = capsys.readouterr().err
    assert "tcp://127.0.0.1:9 does not within 1 s" in error and error.count("\n") == 1


def test_samples_are_needed(capsys):
    assert main(["search", "--board", "icebreaker"]) == 1
    assert "--samples FILE, your own data, must be given" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ctrl_c_with_a_worker_process(tmp_path):
    """The process group gets SIGINT, as from a terminal, while a worker trains."""
    pytest.importorskip("distributed")
    words = ["search", "--samples", str(table(tmp_path / "x.csv")), "--board", "icebreaker", *SMALL]
    argv = [sys.executable, "-m", "sbgen", *words, "--out", str(tmp_path / "out"), "--workers", "2"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with started(argv, **pipes) as process:
        for line in process.stdout:
            if re.match(r" +\d+\.\d %", line):
                break
        os.killpg(process.pid, signal.SIGINT)
        _, error = process.communicate()
        assert process.returncode == 130 and error == "interrupted\n", error
        with pytest.raises(ProcessLookupError):  # no worker is left
            while True:
                os.killpg(process.pid, 0)
                time.sleep(0.1)
    kept = (tmp_path / "out" / "results.jsonl").read_text().count('"fitness ')
    done = subprocess.run([*argv, "--best", "0"], check=True, capture_output=True, text=True).stdout
    assert kept >= 1 and len(re.findall(r"^ +\d+\.\d %", done, re.MULTILINE)) == 7 - kept
