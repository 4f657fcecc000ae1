"""`sbgen sweep`: its rows are those of `sbgen estimate`, and it continues."""

import csv
import json
import subprocess
import sys

import pytest

from sbgen import sweeping
from sbgen.cli import main
from sbgen.compiler import exchange, random_network


@pytest.fixture
def models(tmp_path):
    """Two small random networks as files."""
    found = []
    for seed in (1, 2):
        path = tmp_path / f"net{seed}.json"
        exchange.save(random_network.random_network(seed, largest=8), path)
        found.append(str(path))
    return found


def swept(tmp_path, *words):
    return main(["sweep", *map(str, words), "--out", str(tmp_path / "out")])


def rows(tmp_path):
    return json.loads((tmp_path / "out" / "table.json").read_text())


def estimate(capsys, *words):
    capsys.readouterr()
    assert main(["estimate", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_rows_are_estimates(tmp_path, models, capsys):
    code = swept(
        tmp_path, *models, "--boards", "icebreaker,tang_nano", "--parts", "xc7z020", "--fps", "100,2000"
    )
    found = rows(tmp_path)
    assert [(row["model"], row["target"], row["fps"]) for row in found] == [
        (model, target, fps)
        for model in models
        for target in ("icebreaker", "tang_nano", "xc7z020")
        for fps in (100, 2000)
    ]
    assert code == 0 and all(row.get("verdict") == "does not fit" for row in found if row["failure"])
    fits = [row for row in found if row["failure"] is None]
    assert len(fits) >= 8
    for row in fits[:: len(fits) // 3]:
        where = "--part" if row["target"] == "xc7z020" else "--board"
        one = estimate(capsys, "--model", row["model"], where, row["target"], "--fps", str(row["fps"]))
        assert row["cycles"] == one["cycles"] and row["lut"] == one["resources"]["lut"]["used"]
        assert row["bram"] == one["resources"]["bram"]["used"] and row["weights"] == one["weights"]
        assert row["images_per_second"] == one["images_per_second"] and row["clock_mhz"] == one["clock_mhz"]


def test_the_three_tables_agree(tmp_path, models):
    assert swept(tmp_path, *models, "--boards", "icebreaker") == 0
    found = rows(tmp_path)
    with open(tmp_path / "out" / "table.csv", newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert [[line["model"], int(line["lut"])] for line in table] == [
        [row["model"], row["lut"]] for row in found
    ]
    lines = (tmp_path / "out" / "table.md").read_text().splitlines()
    assert len(lines) == 4 and all(line.count("|") == lines[0].count("|") for line in lines)
    assert "failure" not in lines[0] and "fmax_mhz" not in lines[0]


def test_what_does_not_fit_is_a_row(tmp_path, models, capsys):
    assert swept(tmp_path, models[0], "--boards", "icebreaker", "--fps", "10,48000000") == 0
    good, bad = rows(tmp_path)
    assert good["failure"] is None and "cycles" in bad["failure"] and bad.get("lut") is None
    assert bad["verdict"] == "does not fit" and good.get("verdict") is None
    assert "1 do not fit, 0 failed" in capsys.readouterr().out
    assert "failure" in (tmp_path / "out" / "table.csv").read_text().splitlines()[0]


def test_nothing_fits(tmp_path, models):
    assert swept(tmp_path, *models, "--boards", "icebreaker", "--fps", "48000000") == 1


def test_what_does_not_fit_is_not_built(tmp_path, models, monkeypatch):
    monkeypatch.setattr(sweeping.subprocess, "run", lambda *_, **__: pytest.fail("was built"))
    assert swept(tmp_path, models[0], "--boards", "icebreaker", "--fps", "48000000", "--build") == 1
    assert [row["verdict"] for row in rows(tmp_path)] == ["does not fit"]


def test_builds_follow_estimates_in_the_same_folder(tmp_path, models, monkeypatch):
    assert swept(tmp_path, models[0], "--boards", "icebreaker") == 0
    failing = subprocess.CompletedProcess([], 1, "", "error: no route")
    monkeypatch.setattr(sweeping.subprocess, "run", lambda *_, **__: failing)
    assert swept(tmp_path, models[0], "--boards", "icebreaker", "--build") == 1
    assert [row["failure"] for row in rows(tmp_path)] == ["no route"]


def test_it_goes_on_where_it_was(tmp_path, models, monkeypatch):
    done, plain = [], sweeping.estimated

    def interrupted(job):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append((job.model, job.target))
        return plain(job)

    words = *models, "--boards", "icebreaker,pico_ice"
    monkeypatch.setattr(sweeping, "estimated", interrupted)
    assert swept(tmp_path, *words) == 130 and not (tmp_path / "out" / "table.csv").exists()
    first, done = done, []
    assert swept(tmp_path, *words) == 0
    assert sorted(first + done) == sorted(
        (model, board) for model in models for board in ("icebreaker", "pico_ice")
    )
    assert len(rows(tmp_path)) == 4
    # A model that has changed since is estimated again.
    exchange.save(random_network.random_network(3, largest=8), models[0])
    done = []
    assert swept(tmp_path, *words) == 0 and {model for model, _ in done} == {models[0]}


def test_builds_are_rows_too(tmp_path, models, monkeypatch):
    """A build that succeeds and one that fails; the build itself is a stand-in that writes a report."""

    def build(argv, **settings):
        words = dict(zip(argv[4::2], argv[5::2], strict=True))
        if words["--model"] == models[1]:
            return subprocess.CompletedProcess(argv, 1, "", "a line\nerror: no route\n")
        out = tmp_path / "out" / "net1-icebreaker-50fps"
        assert argv[:4] == [sys.executable, "-m", "sbgen", "build"] and words == {
            "--model": models[0],
            "--board": "icebreaker",
            "--out": str(out),
            "--fps": "50",
        }
        timing = {"cycles_per_image": 7, "clock_mhz": 24.0, "fmax_mhz": 31.5, "images_per_second": 99.0}
        report = {
            "network": {"weights": 5},
            "timing": timing,
            "resources": {"lut": {"used": 321}, "bram": {"used": 4}},
            "verdict": {"status": "exact"},
        }
        out.mkdir()
        (out / "report.json").write_text(json.dumps(report))
        return subprocess.CompletedProcess(argv, 0, "", "")

    monkeypatch.setattr(sweeping.subprocess, "run", build)
    assert swept(tmp_path, *models, "--boards", "icebreaker", "--fps", "50", "--build") == 1
    good, bad = rows(tmp_path)
    assert (good["lut"], good["bram"], good["fmax_mhz"], good["verdict"]) == (321, 4, 31.5, "exact")
    assert bad["failure"] == "no route" and bad.get("verdict") is None


@pytest.mark.parametrize(
    "words, message",
    [
        (["--boards", "nowhere"], "unknown board 'nowhere'"),
        (["--parts", "xc0"], "xc0"),
        ([], "must have boards or parts"),
        (["--parts", "xc7z020", "--build"], "--build must be for boards"),
    ],
)
def test_refused_before_anything_is_estimated(tmp_path, models, capsys, words, message):
    assert swept(tmp_path, *models, *words) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and not (tmp_path / "out").exists()


def test_a_model_that_is_not_there(tmp_path, models, capsys):
    assert swept(tmp_path, models[0], tmp_path / "none.pt", "--boards", "icebreaker") == 1
    assert "none.pt" in capsys.readouterr().err and not (tmp_path / "out").exists()
