"""No kind of layer is forgotten: each is in every table by kind, on every page of kinds, and documented."""

import ast
import re
from pathlib import Path
from typing import get_args

import pytest

from sbgen.compiler import features, ir, layers
from sbgen.compiler.random_network import random_network

ROOT = Path(__file__).parent.parent
KINDS = get_args(ir.Layer)


def test_every_kind_has_a_rule():
    assert len(KINDS) >= 10 and set(layers.RULES) == set(KINDS)
    for kind, rule in layers.RULES.items():
        assert rule.title and rule.takes and rule.outputs, kind


def test_every_kind_is_in_random_networks():
    print("seeds 0 ... 199")
    kinds = {type(layer) for seed in range(200) for layer in random_network(seed, largest=12).layers}
    assert kinds == set(KINDS)


def test_every_kind_is_a_feature():
    assert {kind.__name__ for kind in KINDS} <= set(features.FEATURES)


@pytest.mark.parametrize(
    "file", ["reference.py", "fast_reference.py", "exchange.py", "frontends/qonnx/writer.py"]
)
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
