"""No kind of layer is forgotten: each is in every table by kind, on every page of kinds, and documented."""

import ast
import re
from pathlib import Path
from typing import get_args

import pytest

from sbgen.compiler import features, ir, layers, stage

ROOT = Path(__file__).parent.parent
KINDS = get_args(ir.Layer)


@pytest.mark.parametrize("table", [layers.RULES, stage._STAGES], ids=["layers.RULES", "stage._STAGES"])
def test_every_kind_is_in_every_table(table):
    assert len(KINDS) >= 10 and set(table) == set(KINDS)


def test_every_kind_is_a_feature():
    assert {kind.__name__ for kind in KINDS} <= set(features.FEATURES)


@pytest.mark.parametrize("file", ["reference.py", "exchange.py", "frontends/qonnx/writer.py"])
def test_every_kind_is_on_every_page(file):
    # In a class pattern, a call or an annotation: an import alone does not count.
    nodes = list(ast.walk(ast.parse((ROOT / "compiler" / file).read_text())))
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    names |= {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    assert {kind.__name__ for kind in KINDS} <= names


def test_every_kind_has_a_meaning():
    text = (ROOT / "docs/semantics.md").read_text()
    assert [kind.__name__ for kind in KINDS if f"`{kind.__name__}`" not in text] == []


@pytest.mark.parametrize("page", ["report.md", "semantics.md"])
def test_every_kind_has_its_name_in_files(page):
    words = set(re.findall(r"\w+", (ROOT / "docs" / page).read_text()))
    assert {kind.__name__.lower() for kind in KINDS} <= words
