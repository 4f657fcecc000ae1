"""`sbgen.play`: what a page knows of a network, and what it takes of it."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from test_report import Page, assemble

from sbgen import play, report_html
from sbgen.compiler import exchange, ir, shipped
from sbgen.compiler.pixel_type import parse
from sbgen.compiler.random_network import random_network


def data(network, dataset=None, pixel_range=(0, 255)):
    return play.pad_data(network, dataset=dataset, pixel_range=pixel_range)


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ((8, 8), "grey"),
        ((8, 8, 1), "grey"),
        ((5, 9, 3), "colour"),
        ((5, 9, 4), "colour"),
        ((5, 9, 2), "values"),
        ((4, 9), "values"),
        ((64,), "values"),
        ((40, 1, 1), "values"),
    ],
)
def test_entry_is_that_of_the_images(shape, kind):
    pixels = int(np.prod(shape))
    network = ir.Network(
        name="any",
        image_shape=shape,
        labels=("a", "b"),
        layers=(
            ir.Binarize(name="input", thresholds=np.full((pixels, 1), 8)),
            ir.Scores(name="scores", weights=np.ones((2, pixels), int), offsets=np.zeros(2, int)),
        ),
    )
    found = data(network)["input"]
    assert (found["kind"], found["count"]) == (kind, pixels)
    if kind != "values":
        assert (found["height"], found["width"], found["channels"]) == (*shape, 1)[:3]


@pytest.mark.parametrize(
    ("name", "levels", "values"),
    [
        ("UINT8", [0, 1, 2, 3], [0, 1, 2, 3]),
        ("INT2", [254, 255, 0, 1], [-2, -1, 0, 1]),
        ("BIPOLAR", [0, 255], [-1, 1]),
        ("FIXED<2,1>", [254, 255, 0, 1], [-1, -0.5, 0, 0.5]),
    ],
)
def test_levels_are_bytes_in_the_order_of_their_values(name, levels, values):
    digits = exchange.load(shipped.path_of("digits"))
    network = ir.Network(
        name="any",
        image_shape=digits.image_shape,
        labels=digits.labels,
        layers=digits.layers,
        pixel_type=parse(name),
    )
    found = data(network, pixel_range=(0, 3))["input"]
    assert found["levels"] == levels and found["values"] == values


def test_strokes_are_those_of_the_data_set():
    digits = exchange.load(shipped.path_of("digits"))
    assert data(digits, "digits")["input"]["strokes"]["box"] == 1
    assert data(digits, "mnist")["input"]["strokes"] == {"box": 20 / 28, "centre": "mass", "pen": 0.1}
    assert data(digits, "own")["input"]["strokes"]["box"] is None


def test_network_is_embedded_where_it_is_small_enough(monkeypatch):
    text = exchange.dumps(random_network(3))
    assert play.embedded(text) == json.loads(text)["network"]
    size = len(json.dumps(json.loads(text)["network"], separators=(",", ":")))
    monkeypatch.setattr(play, "MAX_BYTES", size)
    assert play.embedded(text) is not None
    monkeypatch.setattr(play, "MAX_BYTES", size - 1)
    assert play.embedded(text) is None
    page = report_html.page(assemble(), network=text)
    assert f"A network of more than {size - 1:,} bytes is not computed in a page." in Page(page).text
    assert "<script>" not in page


def test_every_kind_of_layer_is_computed():
    source = (play.FOLDER / "network.js").read_text()
    table = source.partition("const KINDS = {")[2].partition("\n};")[0]
    assert set(re.findall(r"^  (\w+)\(", table, re.MULTILINE)) == {
        kind.__name__.lower() for kind in ir.Layer.__args__
    }


def test_names_cannot_end_the_script():
    network = replace(exchange.load(shipped.path_of("digits")), labels=("</script><b>",) * 10)
    page = report_html.page(assemble(), network=exchange.dumps(network))
    assert page.count("</script>") == 1 and page.count("\\u003c/script\\u003e") == 20
