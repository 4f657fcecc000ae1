"""`sbgen.samples.recipe`: samples become bytes exactly, and never those of the training a test."""

import json
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from sbgen import samples
from sbgen.compiler import exchange, pixel_type, random_network
from sbgen.errors import DataError, ModelError
from sbgen.samples import Recipe, Split
from sbgen.samples.raw import Reading
from sbgen.samples.resize import crop, grey, resize
from sbgen.samples.scale import Scale
from sbgen.samples.split import stratified

try:
    from PIL import Image
except ImportError:
    Image = None

needs_pillow = pytest.mark.skipif(Image is None, reason="Pillow is not installed")
RNG = np.random.default_rng(11)


def test_a_range_is_rounded_to_the_nearest_byte_and_clipped():
    low, high = -3.7, 12.25
    scale = Scale.of_range("x", low, high)
    values = np.array([low - 5, low, low + 0.03, 0.0, 4.2, high - 0.04, high, high + 1e9, np.inf, -np.inf])
    values = np.concatenate([values, RNG.uniform(low, high, 100)])
    for value, byte in zip(values, scale.apply(values).tolist(), strict=True):
        if np.isfinite(value):
            exact = (Fraction(value) - Fraction(low)) * 255 / (Fraction(high) - Fraction(low))
            assert abs(byte - min(255, max(0, exact))) <= Fraction(1, 2) + Fraction(1, 10**9), value
    assert scale.apply(values)[[0, 1, 6, 7, 8, 9]].tolist() == [0, 0, 255, 255, 255, 0]


@pytest.mark.parametrize("seed", range(5))
def test_quantiles_hold_about_equally_many(seed):
    values = np.random.default_rng(seed).lognormal(size=1000)
    scale = Scale.of_quantiles("x", values, 16)
    found = np.bincount(scale.apply(values), minlength=256)
    assert np.flatnonzero(found).tolist() == [n * 255 // 15 for n in range(16)]
    assert 50 < found[found > 0].min() and found.max() < 75


def test_quantiles_of_few_values_separate_them_all():
    values = np.array([0.0, 0.0, 0.0, 1.0, 5.0])
    scale = Scale.of_quantiles("x", values, 64)
    assert scale.cuts.tolist() == [0.5, 3.0] and scale.apply(values).tolist() == [0, 0, 0, 127, 255]
    often = np.array([0.0] * 90 + list(range(1, 11)))
    assert Scale.of_quantiles("x", often, 2).cuts.tolist() == [0.5]
    near = np.array([1.0, np.nextafter(1.0, 2)])
    assert Scale.of_quantiles("x", near, 8).apply(near).tolist() == [0, 255]


@pytest.mark.parametrize("cuts", [[], [1.0, 1.0], [2.0, 1.0], [np.nan], [np.inf], [[1.0]], list(range(256))])
def test_cuts_that_are_none(cuts):
    with pytest.raises(DataError, match="finite, increasing cuts"):
        Scale(name="x", cuts=np.array(cuts, float))


@pytest.mark.parametrize("low, high", [(1, 1), (2, 1), (0, np.inf), (np.nan, 1), (-1.7e308, 1.7e308)])
def test_ranges_that_are_none(low, high):
    with pytest.raises(DataError, match="from a finite number to a higher one"):
        Scale.of_range("x", low, high)


@pytest.mark.parametrize(
    "rows, columns, height, width", [(5, 7, 3, 2), (2, 3, 5, 4), (16, 16, 4, 4), (1, 9, 1, 2)]
)
def test_resize_is_the_mean_of_areas(rows, columns, height, width):
    image = RNG.integers(0, 256, (rows, columns, 3)).astype(np.uint8)
    # Every pixel as height x width equal ones: then each new pixel is the mean of rows x columns of them.
    fine = np.repeat(np.repeat(image.astype(np.int64), height, 0), width, 1)
    sums = fine.reshape(height, rows, width, columns, 3).sum((1, 3))
    expected = (2 * sums + rows * columns) // (2 * rows * columns)
    found = resize(image, height, width)
    assert found.dtype == np.uint8 and (found == expected).all()
    assert (resize(image[..., 0], height, width) == expected[..., 0]).all()


def test_crop_takes_the_middle():
    image = np.arange(40, dtype=np.uint8).reshape(4, 10)
    assert crop(image, 8, 8).tolist() == image[:, 3:7].tolist()
    assert crop(image, 2, 10).tolist() == image[1:3].tolist()
    assert crop(image, 1, 1000).shape == (1, 10)


def test_grey_is_rounded():
    image = RNG.integers(0, 256, (20, 20, 3)).astype(np.uint8)
    exact = image @ np.array([0.299, 0.587, 0.114])
    assert (np.abs(grey(image) - exact) <= 0.5 + 1e-9).all()
    assert grey(np.full((1, 1, 3), 255, np.uint8)).tolist() == [[255]]


def table_recipe(**changes):
    scales = (Scale.of_range("a", 0.0, 255.0), Scale.of_quantiles("c", np.array([1.0, 2.0, 3.0]), 3))
    return Recipe(
        **{"kind": "table", "shape": (2,), "scales": scales, "places": (0, 2), "width": 3, "target": "t"}
        | changes
    )


def again(recipe):
    return Recipe.parse(json.loads(json.dumps(recipe.primitives())))


RECIPES = [
    table_recipe(),
    table_recipe(group="g"),
    Recipe(kind="image", shape=(3, 4)),
    Recipe(kind="image", shape=(3, 4, 3), resize="crop", invert=True),
    Recipe(kind="image", shape=(3, 4, 5)),
    Recipe(kind="sequence", shape=(6, 1), scales=(Scale.of_range("channel0", -1.0, 1.0),)),
]


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_survives_its_file(recipe):
    same = again(recipe)
    assert same.primitives() == recipe.primitives()
    raw = (
        RNG.integers(0, 256, (5, *recipe.shape)).astype(np.uint8)
        if recipe.kind == "image"
        else RNG.normal(size=(5, *recipe.shape)) * 100
    )
    inputs = recipe.apply(raw)
    assert inputs.shape == (5, *recipe.shape) and inputs.dtype == np.uint8
    assert (same.apply(raw) == inputs).all()


def test_every_column_has_its_own_scale():
    assert table_recipe().apply(np.array([[7.0, 2.6], [300.0, 0.0]])).tolist() == [[7, 255], [255, 0]]
    assert table_recipe().apply(np.array([[7, 2]])).tolist() == [[7, 127]]


def test_images_are_inverted_after_their_size():
    image = np.array([[0, 0, 255, 255]], np.uint8)
    recipe = Recipe(kind="image", shape=(1, 2), resize="stretch", invert=True)
    assert recipe.apply([image, np.repeat(image[..., None], 3, 2)]).tolist() == [[[255, 0]], [[255, 0]]]
    colour = Recipe(kind="image", shape=(1, 4, 3))
    assert colour.apply([image]).tolist() == [np.repeat(image[..., None], 3, 2).tolist()]


@pytest.mark.parametrize(
    "recipe, raw, message",
    [
        (table_recipe(), np.array([[1.0, np.nan]]), "no missing values"),
        (table_recipe(), np.array([[1.0]]), r"shape \(N, 2\), not \(1, 1\)"),
        (table_recipe(), np.array([["1", "2"]]), "numbers"),
        (RECIPES[2], [np.zeros((4, 3), np.uint8)], "must have the shape"),
        (RECIPES[2], [np.zeros((3, 4))], "must be uint8"),
        (RECIPES[2], [np.zeros((3, 4, 2), np.uint8)], "grey or RGB"),
    ],
)
def test_raw_samples_that_do_not_fit(recipe, raw, message):
    with pytest.raises(DataError, match=message):
        recipe.apply(raw)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"kind": "text"},
        {"shape": [3]},
        {"shape": ["2"]},
        {"places": [0, 3]},
        {"places": [0]},
        {"scales": []},
        {"scales": [{"name": "a"}, {"name": "b"}]},
        {"scales": [{"name": "a", "range": [0, "nan"]}] * 2},
        {"target": 3},
        {"split": {}},
        {"split": {"sha256": "", "samples": 9, "test": "AA==", "seen": ""}},
        {"split": {"sha256": "", "samples": 8, "test": "AA==", "seen": "AAAA"}},
    ],
)
def test_damaged_recipes_are_refused_in_a_line(change):
    with pytest.raises(ModelError, match="recipe of the network's samples is") as error:
        Recipe.parse(table_recipe().primitives() | change)
    assert "\n" not in str(error.value)
    for key in ("version", "kind", "shape"):
        with pytest.raises(ModelError):
            Recipe.parse({name: value for name, value in table_recipe().primitives().items() if name != key})


def test_a_recipe_for_another_network():
    with pytest.raises(ModelError, match="must take the inputs of its recipe"):
        table_recipe().checked((3,))
    assert table_recipe().checked((1, 2)).shape == (2,)


def split_of(count=40):
    images = RNG.integers(0, 256, (count, 3)).astype(np.uint8)
    labels = np.arange(count) % 2
    test = stratified(labels, part=0.25, seed=3)
    return images, labels, test, Split.of(images, labels, test)


def test_the_file_of_the_training_is_known():
    images, labels, test, split = split_of()
    images[np.flatnonzero(test)[0]] = images[np.flatnonzero(~test)[0]]  # equal inputs on both sides
    split = Split.parse(json.loads(json.dumps(Split.of(images, labels, test).primitives())))
    assert (split.unseen(images, labels) == test).all()
    # In another order or file the inputs decide.
    order = RNG.permutation(len(images))
    found = split.unseen(images[order], labels[order])
    assert (~found).sum() == (~test).sum() + 1
    assert not (found & ~test[order]).any()


def test_other_samples_are_unseen():
    images, _, test, split = split_of()
    others = RNG.integers(0, 256, (9, 3)).astype(np.uint8)
    found = split.unseen(np.concatenate([others, images[~test][:4]]), None)
    assert found.tolist() == [True] * 9 + [False] * 4


@pytest.mark.parametrize("seed", range(4))
def test_every_class_is_on_both_sides(seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(4), [2, 3, 50, 101]))
    test = stratified(labels, part=0.2, seed=seed)
    assert np.bincount(labels[test]).tolist() == [1, 1, 10, 20]
    assert (stratified(labels, part=0.2, seed=seed) == test).all()
    assert (stratified(labels, part=0.2, seed=seed + 1) != test).any()


@pytest.mark.parametrize("seed", range(4))
def test_no_group_is_on_both_sides(seed):
    rng = np.random.default_rng(seed)
    groups, labels = rng.integers(0, 12, 300), rng.integers(0, 3, 300)
    test = stratified(labels, part=0.25, seed=seed, groups=groups)
    assert not set(groups[test]) & set(groups[~test]) and 40 < test.sum() < 110


NETWORK = SimpleNamespace(
    image_shape=(2,), labels=("no", "yes"), classes=2, multi_label=False, pixel_type=pixel_type.UINT8
)
TABLE = "a,b,c,t\n7,0,2.6,yes\n300,0,0,no\n1,5,9,no\n"


def file(folder, name, text):
    (folder / name).write_text(text)
    return folder / name


def test_the_same_samples_in_every_file(tmp_path):
    recipe = table_recipe().primitives()
    expected, labels = [[7, 255], [255, 0], [1, 255]], [1, 0, 0]
    values, names = np.array([[7, 0, 2.6], [300, 0, 0], [1, 5, 9]]), np.array(["yes", "no", "no"])
    np.savez(tmp_path / "x.npz", X=values, y=names)
    np.save(tmp_path / "x.npy", values)
    for path, known in (
        (file(tmp_path, "x.csv", TABLE), True),
        (file(tmp_path, "order.csv", "t,c,extra,a\nyes,2.6,1,7\nno,0,1,300\nno,9,1,1\n"), True),
        (file(tmp_path, "bare.csv", "7,0,2.6,yes\n300,0,0,no\n1,5,9,no\n"), True),
        (file(tmp_path, "no-labels.csv", "7,0,2.6\n300,0,0\n1,5,9\n"), False),
        (file(tmp_path, "named.csv", "c,a\n2.6,7\n0,300\n9,1\n"), False),
        (tmp_path / "x.npz", True),
        (tmp_path / "x.npy", False),
    ):
        found = samples.read_for(NETWORK, path, recipe)
        assert found.images.tolist() == expected, path
        assert (found.labels.tolist() == labels) if known else found.labels is None, path


@pytest.mark.parametrize(
    "text, message",
    [
        ("a,b,t\n1,2,no\n", "must have the columns c, but has a, b and t"),
        ("a,c,t\n1,,no\n2,3,yes\n", "NaN or nothing in c, in line 2"),
        ("a,c,t\n1,5,no\n2,red,yes\n", "column 'c' must be numbers, but has 'red' in line 3"),
        ("a,c,t\n1,5,maybe\n2,3,yes\n", "names of the network's classes"),
        ("1,2\n", "must have the 3 columns"),
        ("a,c,t\n1,5,no\n2,inf,yes\n", "infinity in c, in line 3"),
        ("a,c,t\n1,5\n", "line 2: must have 3 values"),
        ("a,a,c,t\n1,1,5,no\n", "a is there twice"),
        ("", "is empty"),
    ],
)
def test_tables_that_do_not_fit(tmp_path, text, message):
    path = file(tmp_path, "x.csv", text)
    with pytest.raises(DataError, match=message) as error:
        samples.read_for(NETWORK, path, table_recipe().primitives())
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)


def test_samples_of_the_training_are_no_test(tmp_path):
    path = file(tmp_path, "x.csv", TABLE)
    every = samples.read_for(NETWORK, path, table_recipe().primitives())
    assert every.seen is None and every.test() is every
    test = np.array([False, True, False])
    recipe = table_recipe(split=Split.of(every.images, every.labels, test)).primitives()
    found = samples.read_for(NETWORK, path, recipe)
    assert found.seen.tolist() == [True, False, True]
    kept = found.test()
    assert kept.images.tolist() == [[255, 0]] and kept.labels.tolist() == [0]
    assert kept.note == "2 samples of the training left out"
    assert kept.sha256 == samples.digest(kept.images, kept.labels) != found.sha256
    part = file(tmp_path, "part.csv", "a,b,c,t\n7,0,2.6,yes\n1,5,9,no\n")
    with pytest.raises(
        DataError, match="not trained on, but all 2 are of its training; .*leave out their classes"
    ):
        samples.read_for(NETWORK, part, recipe).test()


@needs_pillow
def test_pictures_of_any_size_and_colour(tmp_path):
    big, small = (RNG.integers(0, 256, shape).astype(np.uint8) for shape in ((9, 12), (4, 5, 3)))
    for name, image in (("no/big.png", big), ("yes/small.png", small)):
        (tmp_path / name).parent.mkdir()
        Image.fromarray(image).save(tmp_path / name)
    recipe = Recipe(kind="image", shape=(2, 3), resize="stretch", invert=True)
    network = SimpleNamespace(**vars(NETWORK) | {"image_shape": (2, 3, 1)})
    found = samples.read_for(network, tmp_path, recipe.primitives())
    expected = [255 - resize(big, 2, 3), 255 - resize(grey(small), 2, 3)]
    assert (found.images[..., 0] == expected).all() and found.labels.tolist() == [0, 1]
    with pytest.raises(DataError, match="must be samples of kind table, found image"):
        samples.raw(tmp_path, Reading(kind="table"))


def test_sequences_and_images_in_arrays_and_rows(tmp_path):
    values = RNG.normal(size=(3, 4, 2))
    scales = tuple(Scale.of_range(f"channel{n}", -2.0, 2.0) for n in range(2))
    recipe = Recipe(kind="sequence", shape=(4, 2), scales=scales)
    network = SimpleNamespace(**vars(NETWORK) | {"image_shape": (4, 1, 2)})
    np.savez(tmp_path / "x.npz", X=values, y=[0, 1, 1])
    np.savez(tmp_path / "flat.npz", X=values.reshape(3, 8), y=[0, 1, 1])
    rows = "\n".join(",".join(map(repr, [*row.ravel().tolist(), "no"][:-1])) + ",no" for row in values)
    for path in (tmp_path / "x.npz", tmp_path / "flat.npz", file(tmp_path, "x.csv", rows)):
        found = samples.read_for(network, path, recipe.primitives())
        assert found.images.shape == (3, 4, 1, 2) and (found.images[:, :, 0] == recipe.apply(values)).all()
    pixels = RNG.integers(0, 256, (3, 2, 3))
    np.savez(tmp_path / "i.npz", X=pixels.astype(float))
    network = SimpleNamespace(**vars(NETWORK) | {"image_shape": (2, 3, 1)})
    found = samples.read_for(network, tmp_path / "i.npz", Recipe(kind="image", shape=(2, 3)).primitives())
    assert (found.images[..., 0] == pixels).all() and found.labels is None


def test_network_json_has_the_recipe_and_the_old_digest(tmp_path):
    network = random_network.random_network(0)
    plain, path = exchange.dumps(network), tmp_path / "network.json"
    exchange.save(network, path)
    assert path.read_text() == plain and exchange.load_recipe(path) is None
    recipe = table_recipe().primitives()
    exchange.save(network, path, recipe=recipe)
    assert exchange.load_recipe(path) == recipe
    assert exchange.digest(exchange.load(path)) == exchange.digest(network)
    path.write_text(path.read_text().replace('"width": 3', '"width": 4'))
    with pytest.raises(ModelError, match="does not match its recipe"):
        exchange.load_recipe(path)
    assert exchange.digest(exchange.load(path)) == exchange.digest(network)


def test_a_large_table_is_read_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr("sbgen.samples.raw_table._VALUES", 8)
    rows = [f"{n},{n / 7!r},{'?' if n == 12 else n},{'no' if n % 3 else 1}" for n in range(25)]
    path = file(tmp_path, "x.csv", "\n".join(["a,b,c,t", *rows]))
    raw = samples.raw(path, Reading(target="t"))
    assert raw.values[:, :2].tolist() == [[n, n / 7] for n in range(25)]
    assert np.flatnonzero(np.isnan(raw.values[:, 2])).tolist() == [12] and raw.values[13, 2] == 13
    assert raw.labels == tuple("no" if n % 3 else "1" for n in range(25)) and raw.where[12] == "line 14"
    path.write_text(path.read_text().replace("\n20,", "\nx,"))
    with pytest.raises(DataError, match="column 'a' must be numbers, but has 'x' in line 22"):
        samples.raw(path, Reading(target="t"))
