"""The pad of report.html in a browser: its network is the reference's, and its inputs are what they show."""

import json
from types import SimpleNamespace
from typing import get_args

import numpy as np
import pytest
from browser import opened, until
from handwriting import drawing

from sbgen import boards, play, report, report_html, samples
from sbgen.compiler import cycles, exchange, ir, reference, shipped
from sbgen.compiler.estimate import estimate
from sbgen.compiler.ir import Binarize, Dense, Network, Scores
from sbgen.compiler.pixel_type import UINT8, parse
from sbgen.compiler.random_network import fold_at_random, random_images, random_network
from sbgen.samples.scale import Scale
from sbgen.trial_images import TrialImages


@pytest.fixture
def page_of(tmp_path):
    """A function that writes the report of a network; returns its address."""

    def write(network, *, dataset=None, pixel_range=(0, 255), recipe=None):
        design = fold_at_random(0, network)
        board = boards.get("icebreaker")
        images = TrialImages(
            images=np.zeros((1, *network.image_shape), np.uint8),
            labels=None,
            source="random images",
            name=None,
            sha256=None,
        )
        info = {"dataset": dataset, "pixel_range": pixel_range}
        content = report.assemble(
            board=board,
            model=SimpleNamespace(file=SimpleNamespace(name="x.pt"), sha256="00" * 32, info=info),
            sha256=exchange.digest(network),
            design=design,
            cycles=cycles.predict(design),
            clock_mhz=24.0,
            estimate=estimate(design, board.device),
            implementation=None,
            images=images.about(),
            ledger=report.accuracy(
                tried=images, info=info, integer=np.zeros(1, int), classes=network.classes, verdict=None
            ),
            verdict=None,
            why_not="not requested",
            tools={},
            files={},
        )
        own = None if recipe is None else recipe.primitives()
        text = report_html.page(content, network=exchange.dumps(network, recipe=own))
        (tmp_path / "report.html").write_text(text, encoding="utf-8")
        return (tmp_path / "report.html").as_uri()

    return write


def small(shape=(8, 8), *, pixel_type=UINT8, seed=0):
    """A network of two classes on an image or a table."""
    rng = np.random.default_rng(seed)
    pixels = int(np.prod(shape))
    low, high = (0, 256) if pixel_type.name == "UINT8" else (0, 2)
    return Network(
        name="small",
        image_shape=shape,
        labels=("no", "</script>"),
        pixel_type=pixel_type,
        layers=(
            Binarize(name="input", thresholds=rng.integers(low, high, (pixels, 1))),
            Dense(
                name="hidden", weights=rng.integers(0, 2, (16, pixels)), thresholds=np.full(16, pixels // 2)
            ),
            Scores(name="scores", weights=rng.integers(0, 2, (2, 16)), offsets=np.zeros(2, int)),
        ),
    )


def settled(page):
    """What the page asked and was answered last: the bytes of the image, the scores and the decision."""
    until(page, "started.idle()")
    last = page.evaluate(
        "(({pixels, answer}) => [Array.from(pixels), answer.scores, answer.decision])(started.last())"
    )
    return np.array(last[0], np.uint8), last[1], last[2]


def check(network, page):
    """The last answer is the reference's, and is what the page shows; returns its image and decision."""
    pixels, scores, decision = settled(page)
    wanted, decisions = reference.evaluate(network, pixels[None])
    assert scores == wanted[0].tolist() and decision == decisions[0].tolist()
    if network.decision == "argmax":
        assert page.locator(".said b").inner_text() == network.labels[decision]
    return pixels, decision


def draw(page, strokes):
    page.locator(".paper").scroll_into_view_if_needed()
    box = page.locator(".paper").bounding_box()
    for stroke in strokes:
        points = [(box["x"] + x * box["height"], box["y"] + y * box["height"]) for x, y in stroke]
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in [*points[1:-1:6], points[-1]]:
            page.mouse.move(*point)
        page.mouse.up()


def png(path, pixels):
    Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    Image.fromarray(pixels).save(path)
    return path


def test_every_layer_of_random_networks_is_the_references():
    print("seeds 0 ... 79")
    found = set()
    with opened() as page:
        page.set_content(f"<script>{play.scripts()}</script>")
        for seed in range(80):
            network = random_network(seed, largest=20)
            images = random_images(seed, network, 4)
            found |= {type(layer) for layer in network.layers}
            answers = page.evaluate(
                """([network, images]) => images.map((pixels) => {
                    const { layers, decision } = evaluate(network, pixels);
                    return [layers.map(({ shape, data, bits }) => [shape, Array.from(data), bits]), decision];
                })""",
                [json.loads(exchange.dumps(network))["network"], images.reshape(len(images), -1).tolist()],
            )
            wanted = reference.run(network, images)
            decisions = reference.decide(network, wanted[-1])
            for n, (layers, decision) in enumerate(answers):
                assert decision == decisions[n].tolist(), (seed, n)
                for layer, (shape, data, bits), outputs, maximum in zip(
                    network.layers, layers, wanted, network.maxima[1:], strict=True
                ):
                    assert tuple(shape) == outputs[n].shape, (seed, layer.name)
                    assert data == outputs[n].reshape(-1).tolist(), (seed, layer.name)
                    assert not bits or maximum == 1, (seed, layer.name)
    assert found == set(get_args(ir.Layer))


@pytest.mark.parametrize(
    ("name", "dataset", "pixel_range", "least"),
    [("digits", "digits", (0, 16), 0.8), ("tfc-mnist", "mnist", (0, 255), 0.9)],
)
def test_50_digits_drawn_by_mouse(page_of, name, dataset, pixel_range, least):
    network = exchange.load(shipped.path_of(name))
    address = page_of(network, dataset=dataset, pixel_range=pixel_range)
    right = 0
    with opened(viewport={"width": 1200, "height": 1400}) as page:
        requests = []
        page.on("request", lambda request: requests.append(request.url))
        page.goto(address)
        for n in range(50):
            draw(page, drawing(n % 10, n))
            pixels, found = check(network, page)
            assert pixel_range[1] / 2 < pixels.max() <= pixel_range[1]
            right += found == n % 10
            page.get_by_role("button", name="Clear").click()
        assert settled(page)[0].max() == 0
    print(f"{right} of 50 drawn digits are found")
    assert right >= least * 50
    assert requests == [address]  # and nothing else is loaded


def test_drawing_has_its_mass_in_the_middle(page_of):
    network = exchange.load(shipped.path_of("tfc-mnist"))
    with opened() as page:
        page.goto(page_of(network, dataset="mnist"))
        # Most of the ink is at the left.
        draw(page, [[(0.3, 0.3), (0.3, 0.7), (0.32, 0.3), (0.32, 0.7), (0.7, 0.7)]])
        image = check(network, page)[0].reshape(28, 28)
    rows, columns = np.nonzero(image)
    assert 19 <= np.ptp(rows) + 1 <= 21 and np.ptp(columns) + 1 <= 21
    for axis in (0, 1):
        mass = image.sum(axis=axis)
        assert (mass * (np.arange(28) + 0.5)).sum() / mass.sum() == pytest.approx(14, abs=0.2)
    assert columns.mean() != pytest.approx((columns.min() + columns.max()) / 2, abs=1)


def test_keys_draw(page_of):
    network = small()
    with opened() as page:
        page.goto(page_of(network))
        page.locator(".paper").focus()
        for key in ("Space", "ArrowRight", "ArrowDown", "ArrowDown", "Space", "ArrowUp", "ArrowUp"):
            page.keyboard.press(key)
        pixels, _ = check(network, page)
        # From the middle one to the right, then two down.
        ink = pixels.reshape(8, 8) > 0
        assert ink[3:7, 4:6].any(axis=1).all() and ink.sum() <= 12 and not ink[:3].any()
        page.keyboard.press("Delete")
        assert settled(page)[0].max() == 0


class TestPictures:
    def open(self, page, file):
        page.locator(".file").set_input_files(file)
        until(page, "document.querySelector('.note').textContent")
        return page.locator(".note").inner_text()

    @pytest.mark.parametrize("shape", [(9, 7), (8, 8, 3), (6, 6, 1)])
    def test_of_the_networks_size_is_taken_to_the_bit(self, page_of, tmp_path, shape):
        network = small(shape)
        image = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
        with opened() as page:
            page.goto(page_of(network))
            note = self.open(page, png(tmp_path / "a.png", image.squeeze()))
            pixels, _ = check(network, page)
            assert pixels.tolist() == image.reshape(-1).tolist() and note == "a.png"
            page.locator(".invert").check()
            assert check(network, page)[0].tolist() == (255 - image).reshape(-1).tolist()

    @pytest.mark.parametrize(
        ("size", "shape"), [((31, 47), (8, 8)), ((8, 5), (8, 8)), ((50, 20, 3), (6, 9, 3))]
    )
    @pytest.mark.parametrize("way", [None, "stretch", "crop"])
    def test_of_another_size_is_resized_as_the_recipe_has_it(self, page_of, tmp_path, size, shape, way):
        network = small(shape)
        recipe = samples.Recipe(kind="image", shape=shape, resize=way or "crop", invert=way == "crop")
        image = np.random.default_rng(2).integers(0, 256, size).astype(np.uint8)
        with opened() as page:
            page.goto(page_of(network, recipe=None if way is None else recipe))
            note = self.open(page, png(tmp_path / "a.png", image))
            pixels, _ = check(network, page)
        assert pixels.tolist() == recipe.apply([image])[0].reshape(-1).tolist()
        assert f"resized from {size[1]} × {size[0]} to {shape[1]} × {shape[0]}" in note
        assert ("borders cut" in note) == (way != "stretch")

    def test_colours_become_grey_as_in_the_recipe(self, page_of, tmp_path):
        image = np.random.default_rng(3).integers(0, 256, (20, 20, 3)).astype(np.uint8)
        recipe = samples.Recipe(kind="image", shape=(8, 8), resize="stretch")
        with opened() as page:
            page.goto(page_of(small(), recipe=recipe))
            note = self.open(page, png(tmp_path / "a.png", image))
            assert settled(page)[0].tolist() == recipe.apply([image])[0].reshape(-1).tolist()
        assert note == "a.png: colours to grey, resized from 20 × 20 to 8 × 8"

    def test_of_another_size_is_refused_where_the_recipe_has_no_way(self, page_of, tmp_path):
        recipe = samples.Recipe(kind="image", shape=(8, 8))
        with opened() as page:
            page.goto(page_of(small(), recipe=recipe))
            note = self.open(page, png(tmp_path / "a.png", np.zeros((9, 8), np.uint8)))
        assert note == "a.png must be 8 × 8 pixels, as the network was trained, but is 8 × 9"

    def test_dark_ink_on_light_ground_is_inverted_for_digits(self, page_of, tmp_path):
        image = np.full((8, 8), 250, np.uint8)
        image[2:6, 3] = 10
        with opened() as page:
            page.goto(page_of(small(), dataset="mnist"))
            note = self.open(page, png(tmp_path / "a.png", image))
            assert settled(page)[0].tolist() == (255 - image).reshape(-1).tolist()
        assert note == "a.png: inverted"

    def test_that_is_none_is_refused(self, page_of, tmp_path):
        (tmp_path / "a.png").write_bytes(b"not a picture")
        with opened() as page:
            page.goto(page_of(small()))
            assert "must be a picture" in self.open(page, tmp_path / "a.png")


class TestValues:
    @pytest.mark.parametrize("kind", ["UINT8", "INT8", "BIPOLAR", "FIXED<4,2>", "UINT3"])
    def test_numbers_become_the_bytes_of_their_type(self, page_of, kind):
        pixel_type = parse(kind)
        network = small((5,), pixel_type=pixel_type)
        values = [pixel_type.values[byte] for byte in pixel_type.bytes[[0, -1, 1, 0, -1]]]
        with opened() as page:
            page.goto(page_of(network))
            page.locator("textarea").fill("\t".join(map(str, values)))
            assert check(network, page)[0].tolist() == pixel_type.bytes[[0, -1, 1, 0, -1]].tolist()
            assert page.locator(".fields input").nth(1).input_value() == f"{values[1]:g}"
            page.locator(".fields input").nth(0).fill(str(values[1]))
            assert check(network, page)[0][0] == pixel_type.bytes[-1]

    def test_of_a_recipe_are_scaled_by_it(self, page_of):
        rng = np.random.default_rng(4)
        scales = [Scale.of_quantiles("width", rng.normal(size=50), 7), Scale.of_range("b", -1, 2)]
        recipe = samples.Recipe(kind="table", shape=(2,), scales=scales, places=(0, 1), width=2)
        network = small((2,))
        rows = [*rng.normal(size=(5, 2)), [scales[0].cuts[3], -1], [np.nextafter(scales[0].cuts[3], -9), 2]]
        with opened() as page:
            page.goto(page_of(network, recipe=recipe))
            assert page.locator(".fields label").nth(0).inner_text().strip() == "width"
            for row in rows:
                page.locator("textarea").fill(" ".join(repr(float(value)) for value in row))
                pixels, _ = check(network, page)
                assert pixels.tolist() == recipe.apply(np.array([row]))[0].tolist()

    def test_what_is_wrong_is_said(self, page_of):
        with opened() as page:
            page.goto(page_of(small((3,))))
            for text, said in (
                ("1 2", "the network takes 3 numbers, found 2"),
                ("1, x, 3", "each must be a number, but one is “x”"),
                ("1; 2; 300", "1 beyond 0 … 255, taken as the nearest value"),
            ):
                page.locator("textarea").fill(text)
                assert page.locator(".note").inner_text() == said
            assert settled(page)[0].tolist() == [1, 2, 255]
