import json
import sys
from types import SimpleNamespace

import pytest

from sbgen import tools
from sbgen.commands import doctor
from sbgen.errors import ToolError

_WORKS = """
import pathlib, sys
for name in {makes!r}: pathlib.Path(name).write_text("made")
"""


@pytest.fixture
def installed(monkeypatch):
    """Let tools be what the test says: the text that each runs, or an error."""

    def install(**texts):
        makes = [
            check.writes for feature in doctor.FEATURES.values() for check in feature.checks if check.writes
        ]

        def find(name):
            text = texts.get(name.replace("-", "_"), _WORKS.format(makes=makes))
            if isinstance(text, ToolError):
                raise text
            return tools.Tool(name=name, argv=(sys.executable, "-c", text), version="1.0", origin="test")

        monkeypatch.setattr(tools, "find", find)

    return install


def run(capsys, *features, as_json=False):
    code = doctor.run(SimpleNamespace(features=list(features), json=as_json))
    return code, capsys.readouterr().out


def test_all_well(installed, capsys):
    installed()
    code, printed = run(capsys, "ice40", "ecp5")
    assert code == 0
    assert "PASS    nextpnr-ice40 1.0 from test" in printed
    assert "FAIL" not in printed and "missing" not in printed.splitlines()[-2]


def test_missing_tool_of_a_feature_not_asked_for(installed, capsys):
    installed(iverilog=ToolError("iverilog is not installed; try: apt install iverilog"))
    code, printed = run(capsys)
    assert code == 0
    assert "missing iverilog is not installed; try: apt install iverilog" in printed


def test_missing_tool_of_a_feature_asked_for(installed, capsys):
    installed(icepack=ToolError("icepack is not installed; try: pip install 'sbgen[ice40]'"))
    assert run(capsys, "ice40")[0] == 1


def test_broken_tool(installed, capsys):
    installed(nextpnr_ice40="print('ERROR: no chip database'); raise SystemExit(1)")
    code, printed = run(capsys, "ice40")
    assert code == 1
    assert "FAIL    nextpnr-ice40 failed with code 1: ERROR: no chip database\n" in printed


def test_tool_after_a_broken_one_is_not_run(installed, capsys):
    installed(yosys="raise SystemExit(1)")
    _, printed = run(capsys, "ice40")
    assert "nextpnr-ice40 1.0 from test: not run" in printed


def test_tool_that_writes_nothing(installed, capsys):
    installed(yosys="pass")
    code, printed = run(capsys, "compile")
    assert code == 1
    assert "did not write out.v" in printed


def test_warm_up_is_told(installed, capsys):
    installed(
        icepack=(
            "print('Preparing to run yowasp-icepack. This might take a while...'); "
            "open('top.bin', 'w').close()"
        )
    )
    assert "yowasp-icepack is compiled once, which takes minutes" in run(capsys, "ice40")[1]


def test_one_programmer_is_enough(installed, capsys):
    installed(iceprog=ToolError("iceprog is not installed; try: apt"))
    assert run(capsys, "flash")[0] == 0


def test_old_package(installed, capsys, monkeypatch):
    installed()
    version = doctor.importlib.metadata.version
    monkeypatch.setattr(
        doctor.importlib.metadata, "version", lambda name: "1.9.2" if name == "numpy" else version(name)
    )
    code, printed = run(capsys, "compile")
    assert code == 1
    assert "FAIL    numpy 1.9.2, but at least 2.0 is needed: pip install --upgrade 'numpy>=2.0'" in printed


def test_unknown_feature_is_refused(capsys):
    import argparse

    parser = argparse.ArgumentParser()
    doctor.add_arguments(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(["ice41"])
    assert "unknown feature 'ice41'; the features are compile, ice40" in capsys.readouterr().err


def test_as_json(installed, capsys):
    installed(icepack=ToolError("icepack is not installed; try: pip install 'sbgen[ice40]'"))
    code, printed = run(capsys, "ice40", "qonnx", as_json=True)
    found = json.loads(printed)
    assert code == 1 and found["good"] is False
    features = {each["feature"]: each for each in found["features"]}
    assert list(features) == ["ice40", "qonnx"] and features["ice40"]["complete"] is False
    outcomes = [each["outcome"] for each in features["ice40"]["checks"]]
    assert outcomes.count("missing") == 1 and outcomes.count("PASS") == len(outcomes) - 1
    assert features["ice40"]["checks"][outcomes.index("missing")]["text"].startswith(
        "icepack is not installed"
    )
