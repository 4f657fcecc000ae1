import dataclasses
import json

import by_hand
import numpy as np
import pytest

from sbgen.compiler import design_file
from sbgen.compiler.design import Design
from sbgen.compiler.folding import (
    ConvFolding,
    LaneFolding,
    QueueFolding,
    Rom,
    Spram,
    ThresholdFolding,
    Unrolled,
    UnrolledScores,
    WeightedFolding,
    WindowFolding,
)
from sbgen.compiler.ir import Binarize, Conv2d, Dense, Network, Scores
from sbgen.compiler.layers import rules
from sbgen.compiler.random_network import random_design, random_network
from sbgen.errors import ModelError


@pytest.mark.parametrize("seed", range(10))
def test_round_trip(seed, tmp_path):
    made = random_design(seed)
    design_file.save(made, tmp_path / "design.json")
    assert design_file.load(tmp_path / "design.json", made.network) == made
    assert [path.name for path in tmp_path.iterdir()] == ["design.json"]


def layers(made, **change):
    pairs = zip(rules(made.network), made.foldings, strict=True)
    content = {
        rule.layer.name: dict(zip(("pe", "simd"), rule.shape(folding), strict=True))
        for rule, folding in pairs
    }
    name = made.network.layers[-1].name
    content[name] = {**content[name], **change}
    return json.dumps({"layers": content})


def several_cycles(made):
    """Whether the scores are not all computed in one cycle."""
    scores = made.network.layers[-1]
    return rules(made.network)[-1].shape(made.foldings[-1]) != (scores.outputs, scores.inputs)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"pe": 0}, "layer 'scores': pe must be an integer of at least 1, not 0"),
        ({"simd": 10**6}, "layer 'scores': simd must be in 1"),
        ({"pe": "2"}, "layer 'scores': pe must be an integer of at least 1, not '2'"),
        ({"pe": 1.0}, "layer 'scores': pe must be an integer of at least 1, not 1.0"),
        ({"pe": True}, "layer 'scores': pe must be an integer of at least 1, not True"),
        ({"store": "sram"}, "store must be one of bram, lut, spram, unrolled, not 'sram'"),
        ({"preset_store": "spram"}, "preset_store must be one of bram, lut, not 'spram'"),
        (
            {"store": "unrolled"},
            r"layer 'scores': unrolled weights need pe \d+ and simd \d+, not pe \d+ and simd \d+",
        ),
        ({"registered": 1}, "layer 'scores': registered must be true or false, not 1"),
        ({"speed": 9}, "layer 'scores': the fields are pe, simd, store, .*, table_inputs, not 'speed'"),
    ],
)
def test_illegal_folding(change, message):
    made = next(made for made in map(random_design, range(99)) if several_cycles(made))
    with pytest.raises(ModelError, match=message):
        Design(
            network=made.network,
            foldings=design_file.foldings_from_json(layers(made, **change), made.network),
        )


@pytest.mark.parametrize(
    "store, sprams, message",
    [
        ("spram", 0, "sprams must be an integer of at least 1, not 0"),
        ("spram", 3, "sprams must be in 1 ... 2, not 3"),
        ("spram", True, "sprams must be an integer of at least 1, not True"),
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
        by_hand.fold(network, (1, 1), {"pe": 2, "simd": 9, "store": store, "sprams": sprams})


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
    with pytest.raises(
        ModelError,
        match="layer 'dense': in SPRAM it can have 16,384 words of weights, but pe 1 and simd 1 make 16,448",
    ):
        by_hand.fold(network, (1, 1), {"pe": 1, "simd": 1, "store": "spram"}, (1, 1))
    by_hand.fold(network, (1, 1), {"pe": 2, "simd": 1, "store": "spram"}, (1, 1))


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
        Design(network=random_network(3), foldings=(LaneFolding(simd=1),))


def test_lanes_of_binarize_follow_from_its_pixels():
    with pytest.raises(ModelError, match="layer 'pixels': pe must be 6, which follows from simd 3, not 5"):
        by_hand.fold(two_layers(), (5, 3), (1, 1))
    assert by_hand.fold(two_layers(), (6, 3), (1, 1)).foldings[0] == LaneFolding(simd=3)


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
    one = {"pe": 1, "simd": 1}
    by_hand.fold(network, {**one, "rows": 6}, one)
    with pytest.raises(ModelError, match=message):
        by_hand.fold(network, {**one, "rows": rows}, one)
    with pytest.raises(
        ModelError, match="layer 'scores': has no line buffers, so rows must be left out, not 6"
    ):
        by_hand.fold(network, one, {**one, "rows": 6})


@pytest.mark.parametrize("simd", [1, 2, 3, 6, 15, 18])
def test_whole_pixels_under_the_kernel(simd):
    by_hand.fold(colour(), (1, simd), (1, 1))


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
        by_hand.fold(colour(), (1, simd), (1, 1))


def two_layers():
    return Network(
        name="net",
        image_shape=(6,),
        labels=("a", "b", "c"),
        layers=(
            Binarize(name="pixels", thresholds=np.full((6, 2), (1, 9))),
            Scores(
                name="scores",
                weights=np.zeros((3, 12), int),
                offsets=np.zeros(3, int),
                scales=np.array([1, 2, 3]),
            ),
        ),
    )


#: Foldings that no layer has.
ILLEGAL = {
    "no weights": (LaneFolding, {"simd": 1, "pe": 1}),
    "no memory": (LaneFolding, {"simd": 1, "replay_store": "lut"}),
    "a queue has no rows": (QueueFolding, {"simd": 1, "rows": 2}),
    "a window has no thresholds": (WindowFolding, {"simd": 1, "preset_store": "lut"}),
    "thresholds have no queue": (ThresholdFolding, {"simd": 1, "replay_store": "lut"}),
    "dense layers have no rows": (WeightedFolding, {"pe": 1, "simd": 1, "rows": 2}),
    "levels of weights in a ROM": (WeightedFolding, {"pe": 1, "simd": 1, "levels": 2}),
    "SPRAMs of a ROM": (Rom, {"store": "bram", "count": 1}),
    "unrolled weights take all inputs": (Unrolled, {"simd": 1}),
    "unrolled thresholds are wired in": (Unrolled, {"preset_store": "lut"}),
}


@pytest.mark.parametrize("name", ILLEGAL)
def test_a_field_that_means_nothing_does_not_exist(name):
    kind, values = ILLEGAL[name]
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        kind(**values)


@pytest.mark.parametrize(
    "kind, values, message",
    [
        (Rom, {"store": "spram"}, "store must be one of bram, lut, not 'spram'"),
        (Spram, {"count": 0}, "sprams must be an integer of at least 1, not 0"),
        (LaneFolding, {"simd": 0}, "simd must be an integer of at least 1, not 0"),
        (QueueFolding, {"simd": 1, "replay_store": "spram"}, "replay_store must be one of bram, lut"),
        (ThresholdFolding, {"simd": 1, "preset_store": None}, "preset_store must be one of bram, lut"),
        (ConvFolding, {"pe": 1, "simd": 1, "rows": 0}, "rows must be an integer of at least 1, not 0"),
        (ConvFolding, {"pe": 1, "simd": 0}, "simd must be an integer of at least 1, not 0"),
        (WeightedFolding, {"pe": 1, "simd": True}, "simd must be an integer of at least 1, not True"),
        (Unrolled, {"levels": 0}, "levels must be an integer of at least 1, not 0"),
        (Unrolled, {"table_inputs": 3}, r"table_inputs must be an integer in 4 \.\.\. 8, not 3"),
        (UnrolledScores, {"preset_store": "rom"}, "preset_store must be one of bram, lut, not 'rom'"),
    ],
)
def test_an_illegal_folding_cannot_be_created(kind, values, message):
    with pytest.raises(ModelError, match=message):
        kind(**values)


def test_a_folding_of_another_kind_of_layer():
    scores = WeightedFolding(pe=1, simd=1)
    Design(network=two_layers(), foldings=(LaneFolding(simd=1), scores))
    for first in ThresholdFolding(simd=1), scores, Unrolled():
        with pytest.raises(TypeError, match="layer 'pixels': a binarize has a LaneFolding, not a"):
            Design(network=two_layers(), foldings=(first, scores))
    for last in ConvFolding(pe=1, simd=1), Unrolled():
        with pytest.raises(TypeError, match="layer 'scores': a scores has a WeightedFolding"):
            Design(network=two_layers(), foldings=(LaneFolding(simd=1), last))


def test_files_with_meaningless_stores_are_read():
    """Older ones have all fields of every layer, with any value."""
    old = {"store": "lut", "preset_store": "bram", "replay_store": "lut", "registered": True}
    old |= {"sprams": None, "rows": None, "levels": 7}
    design = by_hand.fold(
        two_layers(), {"pe": 4, "simd": 2, **old}, {"pe": 3, "simd": 12, **old, "store": "unrolled"}
    )
    assert design.foldings == (LaneFolding(simd=2), UnrolledScores(levels=7, preset_store="bram"))


def test_fields_of_a_file(tmp_path):
    """As every version has written them: what a kind lacks has its default."""
    network = two_layers()
    foldings = (LaneFolding(simd=2), WeightedFolding(pe=2, simd=3, weights=Spram(1), registered=True))
    design_file.save(Design(network=network, foldings=foldings), tmp_path / "design.json")
    usual = {"store": "bram", "preset_store": "lut", "replay_store": "bram", "registered": False}
    usual |= {"sprams": None, "rows": None, "levels": 4}
    pixels = {"pe": 4, "simd": 2, **usual}
    scores = {"pe": 2, "simd": 3, **usual, "store": "spram", "registered": True, "sprams": 1}
    expected = {"top": 1, "layers": {"pixels": pixels, "scores": scores}}
    assert (tmp_path / "design.json").read_text() == json.dumps(expected, indent=1) + "\n"


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
