"""Damaged frames through the emitted link, a few of those that ``benchmarks/link_fuzz.py`` sends."""

import importlib
from pathlib import Path

import pytest

from sbgen import tools
from sbgen.errors import ToolError


@pytest.fixture
def link_fuzz(monkeypatch):
    try:
        tools.find("verilator")
    except ToolError as error:
        pytest.skip(str(error))
    monkeypatch.syspath_prepend(str(Path(__file__).parent.parent / "benchmarks"))
    return importlib.import_module("link_fuzz")


def test_a_fault_costs_one_frame_and_no_class_is_wrong(link_fuzz):
    found = link_fuzz.run(frames=1500, rate=0.005, seed=3)
    assert found["wrong"] == 0
    assert min(found["faults_of_requests"].values()) > 10 and len(found["faults_of_requests"]) == 3
    assert found["counts"]["answered"] > 1000 and found["counts"]["lost requests"] > 20


def test_wrong_answers_are_seen(link_fuzz, monkeypatch):
    """Against the reference of another network."""
    right = link_fuzz.reference.evaluate

    def wrong(network, images):
        scores, labels = right(network, images)
        return scores, (labels + 1) % 3

    monkeypatch.setattr(link_fuzz.reference, "evaluate", wrong)
    found = link_fuzz.run(frames=50, rate=0, seed=3)
    assert found["wrong"] == 50 and not found["faults_of_requests"]
