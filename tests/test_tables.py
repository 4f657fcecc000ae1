"""Nothing is forgotten: every part is in every table by part, and every kind of layer in every table and page."""

import ast
import re
from pathlib import Path
from typing import get_args

import pytest

from sbgen.compiler import cycles, estimate, features, ir, layers, shortcut_queue, stage
from sbgen.hw.part import Part
from sbgen.proofs import plan

ROOT = Path(__file__).parent.parent
KINDS = get_args(ir.Layer)


def parts():
    """Every part that a core can have."""

    def below(part):
        return {part}.union(*map(below, part.__subclasses__()))

    return {part for part in below(Part) - {Part} if part.__module__.startswith("sbgen.hw.")}


def test_there_are_parts_and_kinds():
    assert len(parts()) >= 17 and len(KINDS) >= 10


@pytest.mark.parametrize(
    "table",
    [cycles.MODELS, estimate.COSTS, shortcut_queue.BEGUN, plan.PARTS],
    ids=["cycles.MODELS", "estimate.COSTS", "shortcut_queue.BEGUN", "plan.PARTS"],
)
def test_every_part_is_in_every_table(table):
    assert set(table) == parts()


def test_names_of_parts_in_rtl_differ():
    names = [part.rtl_name for part in parts()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("table", [layers.RULES, stage._STAGES], ids=["layers.RULES", "stage._STAGES"])
def test_every_kind_is_in_every_table(table):
    assert set(table) == set(KINDS)


def test_every_kind_is_a_feature():
    assert {kind.__name__ for kind in KINDS} <= set(features.FEATURES)


@pytest.mark.parametrize("file", ["reference.py", "exchange.py", "frontends/to_qonnx.py"])
def test_every_kind_is_on_every_page(file):
    # By a class pattern, a type in an annotation or a call: all are names in the tree.
    tree = ast.parse((ROOT / "compiler" / file).read_text())
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    names |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert {kind.__name__ for kind in KINDS} <= names


@pytest.mark.parametrize("page", ["report.md", "semantics.md"])
def test_every_kind_is_documented(page):
    words = set(re.findall(r"\w+", (ROOT / "docs" / page).read_text()))
    assert {kind.__name__.lower() for kind in KINDS} <= words


def test_every_kind_has_a_meaning():
    text = (ROOT / "docs/semantics.md").read_text()
    assert [kind.__name__ for kind in KINDS if f"`{kind.__name__}`" not in text] == []
