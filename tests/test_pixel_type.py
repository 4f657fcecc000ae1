import json

import numpy as np
import pytest

from sbgen.compiler import exchange, ir, reference
from sbgen.compiler.pixel_type import UINT8, parse
from sbgen.errors import ModelError


def test_every_byte_has_a_value():
    assert np.array_equal(UINT8.values, np.arange(256))
    assert np.array_equal(parse("INT8").values, np.arange(256).astype(np.uint8).view(np.int8))
    assert parse("INT4").values[[0, 7, 8, 127, 128, 247, 248, 255]].tolist() == [0, 7, 7, 7, -8, -8, -8, -1]
    assert parse("UINT4").values[[0, 15, 16, 255]].tolist() == [0, 15, 15, 15]
    assert parse("BIPOLAR").values[[0, 127, 128, 255]].tolist() == [-1, -1, 1, 1]
    assert parse("TERNARY").values[[0, 1, 2, 128, 254, 255]].tolist() == [0, 1, 1, -1, -1, -1]
    assert parse("BINARY").values[[0, 1, 255]].tolist() == [0, 1, 1]
    assert parse("FIXED<8,4>").values[[1, 127, 128, 255]].tolist() == [1 / 16, 127 / 16, -8, -1 / 16]


@pytest.mark.parametrize(
    "name",
    [
        *(f"UINT{bits}" for bits in range(1, 9)),
        *(f"INT{bits}" for bits in range(1, 9)),
        "FIXED<5,2>",
        "BIPOLAR",
        "TERNARY",
        "BINARY",
    ],
)
def test_bytes_are_those_of_the_values(name):
    held = parse(name)
    assert held.values[held.bytes].tolist() == sorted(set(held.values))
    assert np.array_equal(np.sort(held.ranks[held.bytes]), np.arange(len(held.bytes)))
    assert (held.integers.min(), held.integers.max()) == (held.low, held.high)


@pytest.mark.parametrize(
    "name",
    ["INT9", "UINT16", "FIXED<16,8>", "INT0", "UINT08", "SCALEDINT<8>", "int8", "", "FIXED<4,4>", "INT8 "],
)
def test_other_names_are_refused(name):
    with pytest.raises(ModelError, match="has the data type"):
        parse(name)


def network(**settings):
    return ir.Network(
        name="net",
        image_shape=(3,),
        labels=("a", "b"),
        layers=(
            ir.Binarize(name="pixels", thresholds=np.array([[9], [128], [200]])),
            ir.Scores(name="scores", weights=np.eye(2, 3, dtype=np.uint8), offsets=np.array([0, 0])),
        ),
        **settings,
    )


def test_exchange_file_keeps_it_and_others_their_digest():
    signed = network(pixel_type=parse("INT8"))
    assert (
        exchange.loads(exchange.dumps(signed)) == signed
        and exchange.loads(exchange.dumps(network())) == network()
    )
    assert exchange.digest(signed) != exchange.digest(network()) and "pixel_type" not in exchange.dumps(
        network()
    )
    text = exchange.dumps(signed).replace('"INT8"', '"UINT9"')
    text = text.replace(exchange.digest(signed), exchange._digest(json.loads(text)["network"]))
    with pytest.raises(ModelError, match="net.json: has the data type UINT9, but a pixel is one byte"):
        exchange.loads(text, source="net.json")


def test_signed_images_are_their_bytes():
    images = np.array([[-128, -1, 127], [9, -1, 0]], np.int8)
    signed = network(pixel_type=parse("INT8"))
    assert np.array_equal(
        reference.evaluate(signed, images)[0], reference.evaluate(signed, images.view(np.uint8))[0]
    )
    for held in (UINT8, parse("BIPOLAR")):
        with pytest.raises(ValueError, match="must be raw uint8 pixels, not int8"):
            reference.evaluate(network(pixel_type=held), images)
