import dataclasses
import json

import numpy as np
import pytest

from sbgen.compiler import design_file
from sbgen.compiler.design import Design
from sbgen.compiler.folding import Folding
from sbgen.compiler.ir import Binarize, Conv2d, Dense, Network, Scores
from sbgen.compiler.random_network import random_design, random_network
from sbgen.errors import ModelError


@pytest.mark.parametrize("seed", range(10))
def test_round_trip(seed, tmp_path):
    made = random_design(seed)
    design_file.save(made, tmp_path / "design.json")
    assert design_file.load(tmp_path / "design.json", made.network) == made
    assert [path.name for path in tmp_path.iterdir()] == ["design.json"]


def layers(made, **change):
    content = {layer.name: {"pe": folding.pe, "simd": folding.simd} for layer, folding in made.stages}
    name = made.network.layers[-1].name
    content[name] = {**content[name], **change}
    return json.dumps({"layers": content})


@pytest.mark.parametrize(
    "change, message",
    [
        ({"pe": 0}, "layer 'scores': pe must be in 1"),
        ({"simd": 10**6}, "layer 'scores': simd must be in 1"),
        ({"pe": "2"}, "layer 'scores': pe must be in 1"),
        ({"pe": 1.0}, "layer 'scores': pe must be in 1"),
        ({"pe": True}, "layer 'scores': pe must be in 1"),
        ({"store": "sram"}, "store must be one of bram, lut, spram, unrolled, not 'sram'"),
        ({"preset_store": "spram"}, "preset_store must be one of bram, lut, not 'spram'"),
        (
            {"store": "unrolled"},
            r"layer 'scores': unrolled weights need pe \d+ and simd \d+, not pe \d+ and simd \d+",
        ),
        ({"levels": 0}, "layer 'scores': levels must be at least 1, not 0"),
        ({"speed": 9}, "found TypeError"),
    ],
)
def test_illegal_folding(change, message):
    made = random_design(3)
    with pytest.raises(ModelError, match=message):
        Design(
            network=made.network,
            foldings=design_file.foldings_from_json(layers(made, **change), made.network),
        )


@pytest.mark.parametrize(
    "store, sprams, message",
    [
        ("spram", 0, "sprams must be in 1 ... 2, not 0"),
        ("spram", 3, "sprams must be in 1 ... 2, not 3"),
        ("spram", True, "sprams must be in 1 ... 2, not True"),
        ("bram", 1, "has no weights in SPRAM, so sprams must be left out, not 1"),
    ],
)
def test_illegal_number_of_sprams(store, sprams, message):
    network = Network(
        name="wide",
        image_shape=(64,),
        labels=("a", "b"),
        layers=(
            Binarize(name="pixels", thresholds=np.full((64, 1), 128)),
            Scores(name="scores", weights=np.zeros((2, 64), int), offsets=np.zeros(2, int)),
        ),
    )
    with pytest.raises(ModelError, match=f"layer 'scores': {message}"):
        Design(
            network=network,
            foldings=(Folding(pe=1, simd=1), Folding(pe=2, simd=9, store=store, sprams=sprams)),
        )


def test_too_deep_for_spram():
    network = Network(
        name="deep",
        image_shape=(64,),
        labels=("a", "b"),
        layers=(
            Binarize(name="pixels", thresholds=np.full((64, 1), 128)),
            Dense(name="dense", weights=np.zeros((257, 64), int), thresholds=np.zeros(257, int)),
            Scores(name="scores", weights=np.zeros((2, 257), int), offsets=np.zeros(2, int)),
        ),
    )
    one = Folding(pe=1, simd=1)
    with pytest.raises(
        ModelError,
        match="layer 'dense': in SPRAM it can have 16,384 words of weights, but pe 1 and simd 1 make 16,448",
    ):
        Design(network=network, foldings=(one, Folding(pe=1, simd=1, store="spram"), one))
    Design(network=network, foldings=(one, Folding(pe=2, simd=1, store="spram"), one))


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "must be JSON of the form"),
        ("{}", "KeyError"),
        ("[1]", "TypeError"),
        ('{"layers": {"other": {"pe": 1, "simd": 1}}}', "it names other"),
    ],
)
def test_foreign_files(text, message):
    with pytest.raises(ModelError, match=message):
        design_file.foldings_from_json(text, random_network(3))


def test_missing_file(tmp_path):
    with pytest.raises(ModelError, match="cannot be read as a design file"):
        design_file.load(tmp_path / "absent.json", random_network(3))


def test_number_of_foldings():
    with pytest.raises(ModelError, match="layers need as many foldings, not 1"):
        Design(network=random_network(3), foldings=(Folding(pe=1, simd=1),))


def test_lanes_of_binarize_follow_from_its_pixels():
    made = random_design(3)
    first = made.foldings[0]
    wrong = Folding(pe=first.pe - 1, simd=first.simd)
    with pytest.raises(ModelError, match="pe must be 18, which follows from simd 18, not 17"):
        Design(network=made.network, foldings=(wrong, *made.foldings[1:]))


@pytest.mark.parametrize(
    "rows, message", [(3, r"layer 'conv': rows must be in 4 \.\.\. 6, not 3"), (7, "in 4 ... 6, not 7")]
)
def test_rows_of_line_buffers(rows, message):
    network = Network(
        name="net",
        image_shape=(5, 5, 1),
        labels=("no", "yes"),
        decision="sign",
        layers=(
            Conv2d(name="conv", weights=np.zeros((1, 3, 3, 1), int), thresholds=np.zeros(1, int), planes=8),
            Scores(name="scores", weights=np.zeros((1, 9), int), offsets=np.zeros(1, int)),
        ),
    )
    folding = Folding(pe=1, simd=1)
    Design(network=network, foldings=(dataclasses.replace(folding, rows=6), folding))
    with pytest.raises(ModelError, match=message):
        Design(network=network, foldings=(dataclasses.replace(folding, rows=rows), folding))
    with pytest.raises(
        ModelError, match="layer 'scores': has no line buffers, so rows must be left out, not 6"
    ):
        Design(network=network, foldings=(folding, dataclasses.replace(folding, rows=6)))


@pytest.mark.parametrize("simd", [1, 2, 3, 6, 15, 18])
def test_whole_pixels_under_the_kernel(simd):
    Design(network=colour(), foldings=(Folding(pe=1, simd=simd), Folding(pe=1, simd=1)))


@pytest.mark.parametrize(
    "simd, message",
    [
        (
            4,
            (
                r"layer 'conv': simd must be at most the 3 channels of a pixel \(of a group\) or a multiple"
                r" of them, .*, not 4"
            ),
        ),
        (21, r"layer 'conv': simd must be in 1 \.\.\. 18, not 21"),
    ],
)
def test_parts_of_pixels_under_the_kernel(simd, message):
    with pytest.raises(ModelError, match=message):
        Design(network=colour(), foldings=(Folding(pe=1, simd=simd), Folding(pe=1, simd=1)))


def colour():
    return Network(
        name="net",
        image_shape=(2, 3, 3),
        labels=("no", "yes"),
        decision="sign",
        layers=(
            Conv2d(name="conv", weights=np.zeros((1, 2, 3, 3), int), thresholds=np.zeros(1, int), planes=8),
            Scores(name="scores", weights=np.zeros((1, 1), int), offsets=np.zeros(1, int)),
        ),
    )


def test_top_is_kept_in_the_file(tmp_path):
    made = random_design(3)
    assert made.network.classes >= 2
    design_file.save(dataclasses.replace(made, top_k=2), tmp_path / "design.json")
    assert design_file.load(tmp_path / "design.json", made.network) == dataclasses.replace(made, top_k=2)
    text = json.loads((tmp_path / "design.json").read_text())
    del text["top"]  # as older files are
    (tmp_path / "design.json").write_text(json.dumps(text))
    assert design_file.load(tmp_path / "design.json", made.network).top_k == 1


@pytest.mark.parametrize("top", [0, -1, 13, "2", 1.0])
def test_top_of_no_or_too_many_classes(top):
    made = random_design(3)
    with pytest.raises(
        ModelError,
        match=f"top must be in 1 ... {made.network.classes}, the classes of the network, not {top!r}",
    ):
        dataclasses.replace(made, top_k=top)
