import json

import pytest
from test_report import Page, assemble

from sbgen import evidence, report

LEDGER = {
    "sbgen": "0",
    "images": "5 images, random",
    "rungs": [
        {"rung": "Verilog in Icarus", "status": "FAIL", "note": "conv, <image> 0", "seconds": 1.5},
        {"rung": "model, hardened", "status": "not run", "note": "no model", "seconds": 0.0},
    ],
}
PROOFS = {
    "sbgen": "0",
    "budget": 300,
    "without_statement": ["thing_1 (Thing)"],
    "not_proved_here": ["the solver itself"],
    "proofs": [
        {
            "subject": "queue of 2 x 8 bits",
            "places": ["mvtu_1.queue"],
            "claim": "the n-th in is the n-th out",
            "scope": "one bit stands for 8",
            "status": "proved",
            "solver": "abc scorr, pdr",
            "depth": 7,
            "seconds": 4.2,
            "violated": [],
        },
        {
            "subject": "fork of 8 bits",
            "places": ["fork_3"],
            "claim": "each payload once",
            "scope": "",
            "status": "refuted",
            "solver": "abc scorr, pdr",
            "depth": 3,
            "seconds": 1.0,
            "violated": ["o is offered a payload twice"],
        },
    ],
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "report.json").write_text(report.dumps(assemble()))
    return tmp_path


def shown(folder):
    return " ".join(" ".join(Page((folder / "report.html").read_text(encoding="utf-8")).words).split())


def test_both_are_shown(folder):
    evidence.write(folder, "ledger", LEDGER)
    assert "queue of" not in shown(folder)
    evidence.write(folder, "proofs", PROOFS)
    text = shown(folder)
    for part in (
        "FAIL",
        "conv, <image> 0",
        "not run",
        "1 of 2 statements proved",
        "The n-th in is the n-th out.",
        "In the proof one bit stands for 8.",
        "abc scorr, pdr, depth 7",
        "4.2 s",
        "o is offered a payload twice",
        "thing_1 (Thing): there is no statement about it",
        "report.json, ledger.json, proofs.json",
    ):
        assert part in text
    assert json.loads((folder / "ledger.json").read_text())["rungs"] == LEDGER["rungs"]
    assert not list(folder.glob("*.part"))


def test_what_was_found_of_another_build_is_not_shown(folder):
    evidence.write(folder, "ledger", LEDGER)
    (folder / "report.json").write_text(report.dumps(assemble(clock_mhz=12.0)))
    evidence.write(folder, "proofs", PROOFS)
    assert "conv, <image> 0" not in shown(folder) and "queue of" in shown(folder)


def test_a_damaged_file_is_left_alone(folder):
    (folder / "ledger.json").write_text("{")
    evidence.write(folder, "proofs", PROOFS)
    assert "queue of" in shown(folder)


def test_without_a_report_only_the_file_is_written(tmp_path):
    evidence.write(tmp_path, "proofs", PROOFS)
    assert [path.name for path in tmp_path.iterdir()] == ["proofs.json"]
