"""Shrinking: what is left of a failure is small, legal, and still fails."""

import dataclasses

import numpy as np
import pytest

from sbgen.compiler import reference, refit, shrink
from sbgen.compiler.design import Design
from sbgen.compiler.folding import WeightedFolding
from sbgen.compiler.ir import (
    Add,
    Binarize,
    Conv2d,
    Dense,
    Fork,
    MaxPool,
    Network,
    Scores,
    Signal,
    SumPool,
    Switch,
    Threshold,
)
from sbgen.compiler.layers import rules
from sbgen.compiler.random_network import fold_at_random, random_design, random_images
from sbgen.errors import ModelError


def kinds(design):
    return [type(layer) for layer in design.network.layers]


def shrunk(design, images, fails, **options):
    """The shrunk design and images, each try checked to be a legal network that the reference can run."""

    def checked(design, images):
        scores, _ = reference.evaluate(design.network, images)
        assert scores.shape == (len(images), design.network.outputs)
        return fails(design, images)

    assert fails(design, images)
    design, images = shrink.shrink(design, images, checked, **options)
    assert fails(design, images)
    return design, images


@pytest.mark.parametrize("seed", range(12))
def test_what_always_fails_becomes_nothing_but_pixels_and_a_score(seed):
    print(f"seed {seed}")
    design = random_design(seed, largest=24)
    design, images = shrunk(
        design, random_images(seed, design.network, 4), lambda design, images: True, tries=2000
    )
    assert len(design.network.layers) == 2 and kinds(design)[-1] is Scores
    assert design.network.pixels == design.network.outputs == len(images) == 1
    assert not images.any()
    assert design.foldings == tuple(rule.folding(pe=1, simd=1) for rule in rules(design.network))
    assert design.top_k == 1 and not design.patchable


def chain(*layers, image_shape=(6, 6, 2)):
    """Layers between pixels and scores."""
    rng, signal, made = np.random.default_rng(1), Signal(shape=image_shape, maximum=255), []
    first = Binarize(name="pixels", thresholds=rng.integers(1, 256, (int(np.prod(image_shape)), 2)))
    for make in [lambda *_: first, *layers, None]:
        if make is None:
            make = dense(3, kind=Scores, name="scores", offsets=np.arange(3))
        made.append(make(rng, signal.shape, signal.maximum))
        signal = made[-1].after(signal)
    return Network(name="chain", image_shape=image_shape, layers=tuple(made), labels=tuple("abc"))


def dense(outputs, *, kind=Dense, **fields):
    def make(rng, shape, greatest):
        planes, inputs = greatest.bit_length(), int(np.prod(shape))
        more = {"thresholds": np.full(outputs, inputs * (2**planes - 1) // 2)} if kind is Dense else {}
        return kind(
            weights=rng.integers(0, 2, (outputs, inputs)),
            planes=planes,
            mask=rng.integers(0, 2, (outputs, inputs)),
            **more,
            **fields,
        )

    return make


def conv(name, outputs, *, counts=False, kernel=(3, 3), **fields):
    def make(rng, shape, greatest):
        weights = rng.integers(0, 2, (outputs, *kernel, shape[2] // fields.get("groups", 1)))
        planes = greatest.bit_length()
        return Conv2d(
            name=name,
            weights=weights,
            planes=planes,
            **fields,
            thresholds=None if counts else np.full(outputs, weights[0].size * (2**planes - 1) // 2),
        )

    return make


def plain(layer):
    return lambda rng, shape, greatest: layer


def folded(network):
    return fold_at_random(1, network)


SAME = {"padding": ((1, 1), (1, 1))}


def test_layers_that_do_not_matter_are_left_out():
    network = chain(
        conv("a", 4),
        plain(MaxPool(name="pool", kernel=(2, 2), stride=(2, 2))),
        conv("b", 6, kernel=(2, 1), groups=2),
        dense(5, name="dense"),
    )
    design, _ = shrunk(
        folded(network),
        random_images(1, network, 3),
        lambda design, images: {Binarize, MaxPool} <= set(kinds(design)),
    )
    assert kinds(design) == [Binarize, MaxPool, Scores]
    assert design.network.pixels == 1 and design.network.layers[1].kernel == (1, 1)


def test_numbers_keep_what_the_failure_needs():
    network = chain(conv("a", 4, stride=(2, 1), **SAME), dense(5, name="dense"))

    def fails(design, images):
        return any(
            isinstance(layer, Conv2d) and layer.stride[0] == 2 and layer.padding[1][0] and layer.outputs >= 3
            for layer in design.network.layers
        )

    design, _ = shrunk(folded(network), random_images(1, network, 3), fails)
    layer = next(layer for layer in design.network.layers if isinstance(layer, Conv2d))
    assert (layer.stride, layer.padding, layer.outputs, layer.kernel) == ((2, 1), ((0, 0), (1, 0)), 3, (1, 2))
    assert len(design.network.layers) == 2 and design.network.pixels == 1


def test_an_image_that_matters_is_kept():
    network = chain(dense(5, name="dense"))
    images = np.zeros((5, 6, 6, 2), np.uint8)
    images[3, 2, 4, 1] = 77
    _, images = shrunk(folded(network), images, lambda design, images: (images == 77).any())
    assert images.tolist() == [[[[77]]]]


def test_a_folding_that_matters_is_kept():
    network = chain(dense(12, name="dense"))
    design = folded(network)
    design = Design(
        network=network,
        foldings=(
            design.foldings[0],
            *(WeightedFolding(pe=min(12, layer.outputs), simd=7) for layer in network.layers[1:]),
        ),
    )
    design, _ = shrunk(
        design,
        random_images(1, network, 2),
        lambda design, images: any(each.pe >= 5 for each in design.foldings[1:]),
    )
    assert max(each.pe for each in design.foldings[1:]) == 5
    assert all(each.simd == 1 for each in design.foldings)


def test_ternary_weights_become_binary():
    network = chain(dense(5, name="dense"))
    design, _ = shrunk(folded(network), random_images(1, network, 2), lambda design, images: True)
    assert all(getattr(layer, "mask", None) is None for layer in design.network.layers)


def edits(network):
    """Every legal network that is one step from `network`."""
    design = folded(network)
    for edit in shrink._edits(design, random_images(1, network, 2)):
        try:
            yield edit()[0].network
        except ModelError:
            continue


def bridged():
    return chain(
        conv("a", 4, **SAME),
        plain(Fork(name="fork")),
        conv("b", 4, counts=True, **SAME),
        plain(Add(name="add", fork="fork", scale=2)),
        plain(Threshold(name="threshold", thresholds=np.full(4, 18), inverted=np.arange(4) % 2)),
    )


def test_a_shortcut_goes_with_what_it_bridges_or_alone():
    network = bridged()
    chains = [
        [layer.name for n, layer in enumerate(network.layers) if n not in drop]
        for drop in shrink._droppable(network)
    ]
    assert ["pixels", "a", "b", "threshold", "scores"] in chains  # the shortcut alone
    assert ["pixels", "a", "threshold", "scores"] in chains  # and what it bridges
    assert ["pixels", "a", "fork", "add", "threshold", "scores"] in chains  # what it bridges alone
    for names in chains[:2]:
        fitted = refit.chain(
            network.decision, network.image_shape, [layer for layer in network.layers if layer.name in names]
        )
        assert [layer.name for layer in fitted.layers] == names


def projected():
    """A sum of which both sides have layers."""
    return chain(
        conv("a", 4, **SAME),
        plain(Fork(name="fork")),
        conv("one", 3, counts=True),
        plain(Switch(name="switch", fork="fork")),
        conv("two", 3, counts=True),
        plain(Add(name="add", fork="switch")),
        plain(Threshold(name="threshold", thresholds=np.full(3, 18), inverted=np.arange(3) % 2)),
    )


def test_each_side_of_a_sum_goes_alone():
    network = projected()
    chains = [
        [layer.name for n, layer in enumerate(network.layers) if n not in drop]
        for drop in shrink._droppable(network)
    ]
    for names in (
        ["pixels", "a", "threshold", "scores"],
        ["pixels", "a", "one", "threshold", "scores"],
        ["pixels", "a", "two", "threshold", "scores"],
    ):
        assert names in chains
        fitted = refit.chain(
            network.decision, network.image_shape, [layer for layer in network.layers if layer.name in names]
        )
        assert [layer.name for layer in fitted.layers] == names


def test_both_sides_of_a_sum_stay_alike():
    network = projected()
    layers = list(network.layers)
    layers[3] = dataclasses.replace(layers[3], weights=layers[3].weights[:2])
    fitted = refit.chain(network.decision, network.image_shape, layers)
    assert [shape[2] for shape in fitted.shapes[3:8]] == [4, 2, 4, 2, 2]


def test_a_sum_of_two_sides_that_matters_is_kept():
    design, _ = shrunk(
        folded(projected()),
        random_images(1, projected(), 2),
        lambda design, images: Switch in kinds(design),
        tries=1000,
    )
    assert kinds(design)[1:] == [Fork, Switch, Add, Scores]


def test_fewer_outputs_before_a_shortcut_are_fewer_everywhere_behind_it():
    network = bridged()
    first = network.layers[1]
    layers = list(network.layers)
    layers[1] = dataclasses.replace(first, weights=first.weights[:2], thresholds=first.thresholds[:2])
    fitted = refit.chain(network.decision, network.image_shape, layers)
    assert [shape[2] for shape in fitted.shapes[2:7]] == [2] * 5
    assert fitted.layers[4].fork == "fork" and len(fitted.layers[5].thresholds) == 2


def test_the_best_few_and_the_patchable_are_kept_while_they_matter():
    network = chain(dense(5, name="dense"))
    design = dataclasses.replace(fold_at_random(1, network, patchable=True), top_k=3)
    design, _ = shrunk(
        design, random_images(1, network, 2), lambda design, images: design.top_k > 1 and design.patchable
    )
    assert (
        design.top_k == 2
        and design.patchable
        and design.network.classes == 2
        and len(design.network.layers) == 2
    )


def test_large_numbers_become_small():
    network = chain(dense(5, name="dense"))
    scores = dataclasses.replace(network.layers[-1], offsets=np.array([2**30, -(2**30), 77]))
    network = dataclasses.replace(network, layers=(*network.layers[:-1], scores))
    design, _ = shrunk(
        folded(network),
        random_images(1, network, 2),
        lambda design, images: (design.network.layers[-1].offsets < -100).any(),
    )
    assert design.network.layers[-1].offsets.tolist() == [-128]


def interleaved():
    """Shortcut a begins and ends before shortcut b does; in b there are other channels."""
    return chain(
        conv("hidden", 4, **SAME),
        plain(Fork(name="a")),
        conv("other", 3, **SAME),
        plain(Fork(name="b")),
        conv("counts_a", 4, counts=True, **SAME),
        plain(Add(name="add_a", fork="a")),
        plain(Threshold(name="bits", thresholds=np.full(4, 18), inverted=np.arange(4) % 2)),
        conv("counts_b", 3, counts=True, **SAME),
        plain(Add(name="add_b", fork="b")),
    )


def test_interleaved_shortcuts_go_together_or_alone():
    network = interleaved()
    for drop in shrink._droppable(network):
        forks = [
            layer.name for n, layer in enumerate(network.layers) if isinstance(layer, Fork) and n not in drop
        ]
        assert forks == [
            layer.fork for n, layer in enumerate(network.layers) if isinstance(layer, Add) and n not in drop
        ], drop
    design, _ = shrunk(
        folded(network),
        random_images(1, network, 2),
        lambda design, images: Fork in kinds(design),
        tries=1000,
    )
    assert kinds(design)[1:] == [Fork, Add, Scores]


def test_interleaved_shortcuts_that_matter_are_kept():
    def fails(design, images):
        places = {layer.name: n for n, layer in enumerate(design.network.layers)}
        return {"a", "b", "add_a", "add_b"} <= set(places) and places["a"] < places["b"] < places[
            "add_a"
        ] < places["add_b"]

    network = interleaved()
    design, _ = shrunk(folded(network), random_images(1, network, 2), fails, tries=1000)
    assert kinds(design)[1:] == [Fork, Fork, Add, Add, Scores]


def test_sums_are_fitted():
    network = chain(plain(SumPool(name="sums", kernel=(6, 3), stride=(1, 3))), dense(4, name="dense"))
    found = [each for each in edits(network) if any(isinstance(layer, SumPool) for layer in each.layers)]
    assert {each.layers[1].kernel for each in found} >= {(3, 3), (1, 3), (6, 1)}
    assert all(
        each.layers[2].planes == (each.layers[1].kernel[0] * each.layers[1].kernel[1]).bit_length()
        for each in found
    )


def test_tries_are_kept_to():
    design, tried = random_design(3, largest=24), []
    shrink.shrink(design, random_images(3, design.network, 2), lambda *_: tried.append(1) or True, tries=7)
    assert len(tried) == 7
