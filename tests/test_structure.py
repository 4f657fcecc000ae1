"""The counting of signs of the design, on code that has a known number of each."""

import importlib
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).parent.parent

_IR = """
    from dataclasses import dataclass

    class _Layer:
        name: str

    @dataclass(frozen=True)
    class Dense(_Layer):
        weights: object

    @dataclass(frozen=True)
    class Fork(_Layer):
        pass

    Layer = Dense | Fork
"""


@pytest.fixture
def counted(monkeypatch, tmp_path):
    """A function: the signs of a package of one file besides the kinds."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    structure = importlib.import_module("structure")

    def count(code, path="compiler/x.py"):
        files = {"compiler/ir.py": _IR, path: code}
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(dedent(text))
        return structure.measure(structure.Source(tmp_path, list(files)))

    return count


@pytest.mark.parametrize(
    "asks",
    [
        "isinstance(layer, Dense)",
        "isinstance(layer, Dense | str)",
        "isinstance(layer, BOTH)",
        "isinstance(layer, ir.Fork)",
        "type(layer) is Dense",
        "type(layer) in (Dense, Fork)",
        "RULES[type(layer)]",
        "RULES.get(type(layer))",
        "layer['kind'] == 'dense'",
        "hasattr(layer, 'weights')",
        "getattr(layer, 'weights', None)",
    ],
)
def test_a_place_that_asks_for_a_kind(counted, asks):
    names = (
        "from . import ir\nfrom .ir import Dense, Fork\nBOTH = (Dense, Fork)\nRULES = {Dense: 1, Fork: 2}\n"
    )
    counts = counted(f"{names}answer = {asks}\n")
    assert counts["kind"] == counts["kind_cases"] == counts["kind_files"] == 1


@pytest.mark.parametrize(
    "else_",
    [
        "isinstance(layer, str)",
        "type(layer) is str",
        "layer.weights",
        "getattr(layer, 'weights')",
        "hasattr(layer, 'name')",
        "Dense(weights=1)",
        "layer['kind'] == 'other'",
    ],
)
def test_what_does_not_ask_for_a_kind(counted, else_):
    assert counted(f"from .ir import Dense\nanswer = {else_}\n")["kind"] == 0


def test_a_component_of_the_same_name_is_no_kind(counted):
    assert counted("from ..hw.dense import Dense\nanswer = isinstance(x, Dense)\n")["kind"] == 0


def test_a_match_is_one_place_with_a_case_for_each_kind(counted):
    code = """
        from .ir import Dense, Fork
        match layer:
            case Dense(weights=None):
                pass
            case Fork():
                pass
            case _:
                pass
    """
    counts = counted(code)
    assert (counts["kind"], counts["kind_cases"]) == (1, 2)


@pytest.mark.parametrize(
    ("path", "code", "files"),
    [
        ("boards/x.py", "suffix = 'bin' if family == 'ice40' else 'bit'", 1),
        ("boards/x.py", "class Ecp5Layout:\n    pass", 1),
        ("boards/x.py", '"""A word on ECP5."""', 0),
        ("boards/x.py", "X = BoardSpec(tool='ice40_generic')", 0),
        ("boards/ice40/flow.py", "x = 'ice40'", 0),
        ("compiler/device.py", "x = 'ice40'", 0),
    ],
)
def test_files_that_know_a_family(counted, path, code, files):
    assert counted(code, path)["family"] == files


def test_long_files_functions_and_lines(counted):
    body = "    x = 1\n"
    counts = counted("def f():\n" + 79 * body + "def g():\n" + 80 * body)
    assert (counts["long_functions"], counts["long_files"], counts["wide_lines"]) == (1, 0, 0)
    line = "x = 1\n"
    counts = counted(400 * line + f"y = '{106 * 'y'}'\n")
    assert (counts["long_functions"], counts["long_files"], counts["wide_lines"]) == (0, 1, 1)


def test_share_of_annotated_arguments_and_returns(counted):
    code = """
        class Part:
            def __init__(self, width: int): ...
            def elaborate(self, platform): ...
            def f(self, x: object, *, y) -> None: ...
    """
    assert counted(code)["annotated"] == 50.0  # width and the return of four


def test_share_of_fields_with_a_type(counted):
    code = """
        @dataclass(frozen=True)
        class Part:
            a: int
            b: object
            c: int | None = None
    """
    assert counted(code)["fields"] == 50.0  # two of four: `weights` of Dense is an object too


def test_the_record_has_the_design_before(counted):
    import json

    rows = json.loads((ROOT / "benchmarks/results/structure.json").read_text())["counts"]
    assert rows[0]["revision"] == "fe0a2d8" and rows[0]["kind"] == 133 and rows[0]["family"] == 19


def test_recipe_for_a_family_names_every_file_that_knows_one(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    structure = importlib.import_module("structure")
    text = (ROOT / "CONTRIBUTING.md").read_text()
    recipe = text.partition("\n## Add a device family\n")[2].partition("\n## ")[0]
    knowing = {place.path for place in structure.family(structure.checkout())}
    # The LUT of patchable ROMs is the iCE40's; the other family has these ROMs in block RAM.
    knowing -= {"compiler/verilog.py"}
    data = {"compiler/device.py", "compiler/calibration.json", "pyproject.toml"}
    assert [path for path in sorted(knowing | data) if f"`{path}`" not in recipe] == []
