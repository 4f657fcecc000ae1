"""The whole core in Amaranth's simulator against the reference, and against the prediction of its cycles."""

from dataclasses import replace
from itertools import islice

import by_hand
import numpy as np
import pytest
from streams import beats, transfer

from sbgen.compiler import amaranth_simulator, cycles, handshakes, reference
from sbgen.compiler.device import DEVICES
from sbgen.compiler.features import features
from sbgen.compiler.fold import fold
from sbgen.compiler.ir import Add, Binarize, Conv2d, Dense, Fork, Lookup, MaxPool, Network, Scores, SumPool
from sbgen.compiler.lower import lower
from sbgen.compiler.pipeline import input_lanes
from sbgen.compiler.random_network import random_design, random_images
from sbgen.compiler.simulate import rest

IMAGES = 5


def run(design, images, **options):
    """Scores and class (or bits) of each image, and the cycle in which its last result left."""
    core = lower(design)
    flat = images.reshape(len(images), -1).tolist()
    words = transfer(
        core,
        beats(flat, core.lanes, 8),
        len(images) * core.outputs,
        deadline=200_000,
        rest=rest(design.network),
        **options,
    )
    layout = core.o.payload.shape()
    results = [(cycle, layout.from_bits(word)) for cycle, word in words]
    scores = [view.score for _, view in results]
    return (
        [scores[at : at + core.outputs] for at in range(0, len(scores), core.outputs)],
        [told(design, view) for _, view in results if view.last],
        [cycle for cycle, view in results if view.last],
    )


def told(design, view):
    if design.network.multi_label:
        return [view.label >> n & 1 for n in range(design.network.outputs)]
    return view.label if design.top_k == 1 else [view.label, *view.runners_up]


def expected(design, images):
    """Scores and class of each image; where the design has the best few classes, those."""
    scores, labels = reference.evaluate(design.network, images)
    return scores.tolist(), (labels if design.top_k == 1 else reference.ranked(scores, design.top_k)).tolist()


@pytest.mark.parametrize("seed", range(24))
def test_scores_and_classes(seed):
    design = random_design(seed, largest=12, cycles=100)
    images = random_images(seed, design.network, IMAGES)
    assert run(design, images, seed=seed)[:2] == expected(design, images)


@pytest.mark.parametrize("kind", ["several thresholds", "maximum of integers"])
@pytest.mark.parametrize("nth", range(3))
def test_numbers_of_a_few_bits(kind, nth):
    """Their scores with stalls, and in which cycle they come without."""

    def designs():
        for seed in range(1000):
            design = random_design(seed, largest=12, cycles=100)
            images = random_images(seed, design.network, IMAGES)
            if kind in features(design, images):
                yield seed, design, images

    seed, design, images = next(islice(designs(), nth, None))
    print("seed", seed)
    assert run(design, images, seed=seed)[:2] == expected(design, images)
    assert tuple(run(design, images)[2]) == cycles.predict(design, images=IMAGES).finishes


@pytest.mark.parametrize("seed", range(3))
def test_best_few_classes(seed):
    seed = next(
        n
        for n in range(100 * seed, 100 * seed + 100)
        if random_design(n, largest=12).network.decision == "argmax"
    )
    print(f"seed {seed}")
    design = random_design(seed, largest=12)
    design = replace(design, top_k=min(3, design.network.classes))
    images = random_images(seed, design.network, IMAGES)
    assert run(design, images, seed=seed)[:2] == expected(design, images)


@pytest.mark.parametrize("seed", range(24))
def test_predicted_cycles(seed):
    design = random_design(seed, largest=12, cycles=100)
    images = random_images(seed, design.network, 8)
    _, _, finishes = run(design, images)
    predicted = cycles.predict(design)
    assert tuple(finishes) == predicted.finishes
    assert predicted.latency == finishes[0]
    assert predicted.interval == finishes[-1] - finishes[-2]
    assert predicted.interval >= max(predicted.layers)


@pytest.mark.parametrize("padding", range(4))
def test_padding_goes_in_before_the_first_image(padding):
    """Patches take the columns of padding while nothing has come, so a core that was left alone for a while
    has its first result earlier than one whose first image comes with the end of the reset.
    """
    rng = np.random.default_rng(padding)
    network = Network(
        name="padded",
        image_shape=(1, 6, 2),
        labels=("a", "b"),
        layers=(
            Binarize(name="pixels", thresholds=np.full((12, 1), 128)),
            Conv2d(
                name="conv",
                weights=rng.integers(0, 2, (2, 1, 4, 2)),
                thresholds=np.array([4, 5]),
                padding=((0, 0), (padding, 0)),
            ),
            Scores(
                name="scores", weights=rng.integers(0, 2, (2, 2 * (3 + padding))), offsets=np.array([0, 1])
            ),
        ),
    )
    # Beats of four pixels, so that one is taken and cut while the padding still goes in.
    design = by_hand.fold(network, (4, 4), {"pe": 2, "simd": 8, "patches": True}, (2, 2))
    assert input_lanes(design) == 4
    images = random_images(padding, network, IMAGES)
    assert tuple(run(design, images)[2]) == cycles.predict(design, images=IMAGES).finishes
    simulated = amaranth_simulator.simulate(lower(design), network, images)
    assert (simulated.last_scores - simulated.first_beats[0]).tolist() == run(design, images)[2]


def test_latency_counts_from_where_the_first_beat_is_taken():
    """A shortcut around nothing, with nothing that holds a beat before it, takes the beat when the shortcut
    has it as well.
    """
    network = Network(
        name="empty",
        image_shape=(3, 2),
        labels=("a", "b"),
        layers=(
            Binarize(name="pixels", thresholds=np.full((6, 1), 128)),
            Fork(name="fork"),
            Add(name="add", fork="fork"),
            Scores(
                name="scores",
                weights=np.array([[1, 0, 0, 1, 1, 0], [1, 1, 0, 0, 0, 1]]),
                offsets=np.array([0, 1]),
                planes=2,
            ),
        ),
    )
    for simd in 1, 2:
        design = by_hand.fold(network, (1, 1), (1, 1), (1, 1), (2, simd))
        images = random_images(1, network, IMAGES)
        simulated = amaranth_simulator.simulate(lower(design), network, images)
        assert (
            tuple(simulated.last_scores - simulated.first_beats[0])
            == cycles.predict(design, images=IMAGES).finishes
        )


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("stalls", [None, 1])
def test_shortcuts(seed, stalls):
    design = random_design(seed, largest=9, shortcuts=True, cycles=100)
    images = random_images(seed, design.network, IMAGES)
    found = run(design, images, seed=stalls)
    assert found[:2] == expected(design, images)
    if stalls is None:
        assert tuple(found[2]) == cycles.predict(design, images=IMAGES).finishes


@pytest.mark.parametrize("seed", range(8))
def test_reset_in_the_middle_of_an_image(seed):
    design = random_design(seed + 100, largest=12, cycles=100)
    images = random_images(seed, design.network, IMAGES)
    in_beats = IMAGES * -(-design.network.pixels // input_lanes(design))
    for reset_after in sorted({1, in_beats // 3, in_beats - 1} - {0, in_beats}):
        found = run(design, images, seed=seed, reset_after=reset_after)
        assert found[:2] == expected(design, images), f"reset after {reset_after} beats"


def test_a_deadlock_is_told(monkeypatch):
    monkeypatch.setattr(handshakes.Mvtu, "times", lambda self: (self.i.takes + 1, self.o.takes))
    with pytest.raises(cycles.DeadlockError, match="image 0 is not"):
        cycles.predict(random_design(1, largest=12, cycles=100))


def chain(rng, image_shape, *layers):
    """Pixels to bits, (kind, options) for each layer, scores of three classes; what fits between is filled in
    at random.
    """
    made = [Binarize(name="pixels", thresholds=rng.integers(1, 256, (int(np.prod(image_shape)), 1)))]
    shape, greatest = image_shape, 1
    for n, (kind, options) in enumerate([*layers, (Scores, {})]):
        options = dict(options)
        if kind not in (MaxPool, SumPool):
            rows = options.pop("outputs", 3)
            planes = greatest.bit_length()
            weights = rng.integers(
                0,
                2,
                (
                    (rows, *options.pop("kernel"), shape[2] // options.get("groups", 1))
                    if kind is Conv2d
                    else (rows, int(np.prod(shape)))
                ),
            )
            reach = weights[0].size * (2**planes - 1)
            options |= {"weights": weights, "planes": planes}
            if options.pop("ternary", False):
                options["mask"] = (rng.random(weights.shape) < 0.8).astype(int)
                reach = reach * 4 // 5
            about_half = rng.integers(reach * 2 // 5, reach * 3 // 5 + 1, rows)
            counts = options.pop("counts", False)
            options |= (
                {"offsets": np.arange(3)}
                if kind is Scores
                else {"thresholds": None if counts else about_half}
            )
        made.append(kind(name=f"layer_{n}", **options))
        shape, greatest = made[-1].output_shape(shape), made[-1].output_maximum(greatest)
    return Network(name="chain", image_shape=image_shape, layers=tuple(made), labels=tuple("abc"))


WHOLE, PAIRS, OVERLAP = (
    {"kernel": kernel, "stride": stride}
    for kernel, stride in (((4, 6), (4, 6)), ((2, 2), (2, 2)), ((3, 2), (1, 1)))
)
SUMS = {
    "whole image": [(SumPool, WHOLE)],
    "whole image before dense": [(SumPool, WHOLE), (Dense, {"outputs": 5})],
    "pairs before a convolution": [
        (SumPool, PAIRS),
        (Conv2d, {"kernel": (2, 2), "padding": ((1, 0), (0, 1)), "padding_bit": 1}),
    ],
    "overlapping before groups": [
        (SumPool, OVERLAP),
        (Conv2d, {"kernel": (2, 3), "outputs": 6, "groups": 3}),
    ],
    "ternary": [
        (Conv2d, {"kernel": (2, 2), "outputs": 4, "ternary": True}),
        (SumPool, PAIRS),
        (Dense, {"ternary": True}),
    ],
    "of a convolution of sums": [
        (SumPool, PAIRS),
        (Conv2d, {"kernel": (1, 2), "outputs": 4}),
        (SumPool, {"kernel": (2, 2), "stride": (2, 2)}),
    ],
    "of counts": [
        (Conv2d, {"kernel": (2, 2), "outputs": 5, "counts": True}),
        (SumPool, {"kernel": (3, 5), "stride": (3, 5)}),
    ],
    "of sums that overlap": [(SumPool, PAIRS), (SumPool, {"kernel": (2, 2), "stride": (1, 1)})],
    "of padded maxima": [
        (MaxPool, {"kernel": (3, 2), "stride": (2, 1), "padding": ((2, 1), (0, 1))}),
        (SumPool, PAIRS),
    ],
}


@pytest.mark.parametrize("name", SUMS)
@pytest.mark.parametrize("pe, simd", [(3, 3), (2, 2)])
def test_sums(name, pe, simd):
    rng = np.random.default_rng(6)
    network = chain(rng, (4, 6, 3), *SUMS[name])
    shapes = [
        (
            (
                simd
                if isinstance(layer, MaxPool | SumPool)
                else 1
                if isinstance(layer, Conv2d) and layer.groups > 1
                else pe
            ),
            1 if isinstance(layer, Conv2d) and layer.groups > 1 else simd,
        )
        for layer in network.layers[1:]
    ]
    design = by_hand.fold(network, (2, 2), *shapes)
    images = random_images(6, network, 4)
    scores, labels = reference.evaluate(network, images)
    assert len({tuple(each) for each in scores.tolist()}) > 1
    found = run(design, images)
    assert found[:2] == (scores.tolist(), labels.tolist())
    assert tuple(found[2]) == cycles.predict(design, images=4).finishes


PADDED = {"kernel": (2, 3), "padding": ((1, 0), (1, 1)), "padding_bit": 1, "outputs": 5}
GATHERED = {  # layers, and the simd of the last
    "two pixels of five": ([(Conv2d, {"kernel": (5, 1)})], 6),
    "a row of the padded kernel": ([(Conv2d, PADDED)], 9),
    "the whole padded kernel": ([(Conv2d, PADDED)], 18),
    "ternary": ([(Conv2d, {**PADDED, "ternary": True})], 12),
    "sums": ([(SumPool, PAIRS), (Conv2d, {"kernel": (2, 2)})], 9),
    "the whole kernel of sums, ternary": (
        [(SumPool, PAIRS), (Conv2d, {"kernel": (2, 2), "ternary": True})],
        12,
    ),
    "groups": ([(Conv2d, {**PADDED, "outputs": 6, "groups": 3})], 4),
    "the whole kernel of groups": ([(Conv2d, {**PADDED, "outputs": 6, "groups": 3})], 6),
    "stride": ([(Conv2d, {"kernel": (2, 2), "stride": (2, 3)})], 6),
}


@pytest.mark.parametrize("name", GATHERED)
@pytest.mark.parametrize("pe", ["one", "all"])
@pytest.mark.parametrize("stalls", [None, 1])
def test_several_pixels_under_the_kernel(name, pe, stalls):
    rng = np.random.default_rng(6)
    layers, simd = GATHERED[name]
    network = chain(rng, (5, 6, 3), *layers)
    *front, conv, scores = network.layers
    pe = 1 if pe == "one" else conv.outputs // conv.groups
    design = by_hand.fold(network, *[(3, 3)] * len(front), (pe, simd), (1, scores.inputs))
    images = random_images(6, network, 4)
    expected, labels = reference.evaluate(network, images)
    assert len({tuple(each) for each in expected.tolist()}) > 1
    found = run(design, images, seed=stalls)
    assert found[:2] == (expected.tolist(), labels.tolist())
    if stalls is None:
        assert tuple(found[2]) == cycles.predict(design, images=4).finishes


def test_the_first_layer_of_a_colour_image_counts_a_position_in_one_beat_a_plane():
    network = Network(
        name="colour",
        image_shape=(8, 8, 3),
        labels=("a", "b"),
        layers=(
            Conv2d(
                name="conv",
                weights=np.random.default_rng(1).integers(0, 2, (4, 3, 3, 3)),
                thresholds=np.full(4, 27 * 128),
                planes=8,
            ),
            Scores(
                name="scores",
                weights=np.random.default_rng(2).integers(0, 2, (2, 144)),
                offsets=np.zeros(2, int),
            ),
        ),
    )
    design = by_hand.fold(network, (4, 27), (2, 36))
    images = random_images(6, network, 4)
    scores, labels = reference.evaluate(network, images)
    found = run(design, images)
    assert found[:2] == (scores.tolist(), labels.tolist())
    predicted = cycles.predict(design, images=4)
    assert tuple(found[2]) == predicted.finishes
    assert predicted.layers[0] == 36 * 9  # what the window gives; 36 positions of 8 planes are fewer


@pytest.mark.parametrize("greatest", [255, 9])
@pytest.mark.parametrize("lanes", [1, 4, 72])
def test_pixels_through_a_table(greatest, lanes):
    rng = np.random.default_rng(greatest)
    table, planes = rng.permutation(np.resize(np.arange(greatest + 1), 256)), greatest.bit_length()
    reach = 12 * (2**planes - 1)
    network = Network(
        name="table",
        image_shape=(4, 6, 3),
        labels=("a", "b"),
        layers=(
            Lookup(name="pixels", table=table),
            Conv2d(
                name="conv",
                weights=rng.integers(0, 2, (5, 2, 2, 3)),
                planes=planes,
                padding=((0, 1), (1, 0)),
                padding_bit=1,
                thresholds=rng.integers(reach * 2 // 5, reach * 3 // 5, 5),
            ),
            Scores(name="scores", weights=rng.integers(0, 2, (2, 120)), offsets=np.array([0, 3])),
        ),
    )
    automatic = fold(network, DEVICES["up5k"])
    design = by_hand.fold(network, (lanes, lanes), (2, 2), (2, 4))
    images = random_images(6, network, 4)
    scores, labels = reference.evaluate(network, images)
    assert len({tuple(each) for each in scores.tolist()}) > 1
    for each in (design, automatic):
        found = run(each, images)
        assert found[:2] == (scores.tolist(), labels.tolist())
        assert tuple(found[2]) == cycles.predict(each, images=4).finishes


# Eight of them scale their classes; 7 counts ternary weights for a shortcut.
@pytest.mark.parametrize("seed", range(20))
def test_patchable_designs(seed):
    """What is around the ROMs of a patchable design is made for any contents, and has the widths of the units
    that it is around.
    """
    design = by_hand.without_unrolled(random_design(seed, largest=12), patchable=True)
    images = random_images(seed, design.network, 3)
    assert run(design, images, seed=seed)[:2] == expected(design, images)
