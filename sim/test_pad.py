"""The pad of report.html in a browser: its network is the reference's, and its inputs are what they show."""

import dataclasses
import json
import re
from types import SimpleNamespace
from typing import get_args

import numpy as np
import pytest
from browser import opened, until
from handwriting import drawing

from sbgen import boards, play, report, report_html, samples
from sbgen.boards import frames, messages
from sbgen.compiler import cycles, exchange, ir, reference, shipped
from sbgen.compiler.estimate import estimate
from sbgen.compiler.ir import Binarize, Dense, Network, Scores
from sbgen.compiler.pixel_type import UINT8, parse
from sbgen.compiler.random_network import fold_at_random, random_images, random_network
from sbgen.hw import protocol
from sbgen.samples.scale import Scale
from sbgen.trial_images import TrialImages

#: Bits per second of the link of an iCEBreaker whose core runs at 24 MHz: its FT2232H divides 12 MHz by 2.
BAUD = 6_000_000


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


def small(shape=(8, 8), *, pixel_type=UINT8, seed=0, levels=None, signs=None):
    """A network on an image or a table.

    Parameters
    ----------
    levels : sequence of int
        The only thresholds of its pixels; random ones if left out.
    signs : int or None
        How many outputs decide by their signs; None is two classes.
    """
    rng = np.random.default_rng(seed)
    pixels, outputs = int(np.prod(shape)), signs or 2
    low, high = (0, 256) if pixel_type.name == "UINT8" else (0, 2)
    thresholds = rng.integers(low, high, (pixels, 1)) if levels is None else rng.choice(levels, (pixels, 1))
    return Network(
        name="small",
        image_shape=shape,
        labels=("no", "</script>") if outputs < 3 else tuple(map(str, range(outputs))),
        pixel_type=pixel_type,
        decision="argmax" if signs is None else "sign",
        layers=(
            Binarize(name="input", thresholds=thresholds),
            Dense(
                name="hidden", weights=rng.integers(0, 2, (16, pixels)), thresholds=np.full(16, pixels // 2)
            ),
            Scores(
                name="scores",
                weights=rng.integers(0, 2, (outputs, 16)),
                offsets=np.full(outputs, 0 if signs is None else -8),
            ),
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
            middle = [float(f"{scale.cuts[len(scale.cuts) // 2]:.4g}") for scale in scales]
            assert check(network, page)[0].tolist() == recipe.apply(np.array([middle]))[0].tolist()
            for row in rows:
                page.locator("textarea").fill(" ".join(repr(float(value)) for value in row))
                pixels, _ = check(network, page)
                assert pixels.tolist() == recipe.apply(np.array([row]))[0].tolist()
            page.get_by_role("button", name="Reset").click()
            assert check(network, page)[0].tolist() == recipe.apply(np.array([middle]))[0].tolist()

    @pytest.mark.parametrize("labels", [("0", "1"), ("no", "very much")])
    def test_a_row_of_a_table_may_end_in_its_class(self, page_of, labels):
        network = dataclasses.replace(small((3,)), labels=labels)
        with opened() as page:
            page.goto(page_of(network))
            for label in labels:
                page.locator("textarea").fill(f'1,2,3,"{label}"')
                assert page.locator(".note").inner_text() == f"the row says {label}"
                assert check(network, page)[0].tolist() == [1, 2, 3]
            page.locator("textarea").fill("1,2,3,other")
            assert page.locator(".note").inner_text() == "each must be a number, but one is “other”"

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


#: A serial port whose other end is a function of Python. `cut` ends it, as a plug does.
PORT = """
navigator.serial.requestPort = async () => {
  let [toPage, cut] = [null, false];
  window.cut = () => { cut = true; toPage.error(new Error("unplugged")); };
  return {
    async open(settings) {
      window.opened = settings;
      this.readable = new ReadableStream({ start(controller) { toPage = controller; } });
      this.writable = new WritableStream({
        async write(bytes) {
          if (cut) throw new Error("unplugged");
          for (const part of await window.toBoard(Array.from(bytes))) toPage.enqueue(Uint8Array.from(part));
        },
      });
    },
    async close() {},
  };
};
"""


class SimulatedBoard:
    """A board behind `PORT`: what the page writes goes in, and what comes out is in parts of random sizes.

    Parameters
    ----------
    damage : float
        Share of frames of which a byte is damaged on the way to the page.
    wrong : int
        What is added to each score.
    """

    def __init__(self, network, *, levels=(), bits=8, damage=0.0, wrong=0, version=None, digest=None):
        self.network, self.damage, self.wrong, self.version = network, damage, wrong, version
        digest = exchange.digest(network) if digest is None else digest
        self.identity = messages.Identity(
            lanes=1,
            outputs=network.outputs,
            pixels=network.pixels,
            digest=bytes.fromhex(digest)[:8],
            signs=network.decision == "sign",
            pixel_bits=bits,
            levels=levels,
            score_bytes=-(-(max(map(abs, network.scores.score_range)).bit_length() + 1) // 8),
            top_k=int(network.decision == "argmax"),
        )
        self.requests, self._reader, self._rng = 0, frames.Reader(), np.random.default_rng(0)

    def __call__(self, received):
        line = b"".join(self._answer(frame) for frame in self._reader.feed(bytes(received)))
        cuts = sorted(self._rng.integers(0, len(line) + 1, 2)) if line else []
        return (
            [part.tolist() for part in np.split(np.frombuffer(line, np.uint8), cuts) if len(part)]
            if line
            else []
        )

    def _answer(self, frame):
        self.requests += 1
        if frame.command == protocol.IDENTIFY:
            payload = self.identity.encode()
            payload = payload if self.version is None else bytes([self.version]) + payload[1:16]
        else:
            assert frame.payload[0] == messages.WANT_ALL
            scores = (
                reference.evaluate(self.network, self.identity.unpack(frame.payload[1:]))[0][0] + self.wrong
            )
            decision = reference.decide(self.network, scores[None])[0]
            size = self.identity.score_bytes
            payload = b"".join(int(score).to_bytes(size, "little", signed=True) for score in scores)
            if self.identity.signs:
                payload += np.packbits(np.atleast_1d(decision).astype(bool), bitorder="little").tobytes()
            else:
                payload += int(decision).to_bytes(self.identity.class_bytes, "little")
        line = bytearray(
            frames.Frame(command=frame.command | 0x80, sequence=frame.sequence, payload=payload).encode()
        )
        if self._rng.random() < self.damage:
            line[self._rng.integers(1, len(line) - 1)] ^= 0x10
        return bytes(line)


class TestBoard:
    """The board that the report's page asks through the browser's serial port."""

    @staticmethod
    def connect(page, address, board):
        page.expose_function("toBoard", board)
        page.add_init_script(PORT)
        page.goto(address)
        page.get_by_role("button", name="Ask the board").click()
        until(page, "started.idle() && !document.querySelector('.connect').disabled")

    @pytest.mark.parametrize("signs", [None, 1, 11])
    @pytest.mark.parametrize(
        ("levels", "bits"), [((), 8), ((128,), 1), ((7, 100, 200), 2), (tuple(range(9, 24)), 4)]
    )
    def test_its_scores_are_shown_and_compared(self, page_of, levels, bits, signs):
        network = small(levels=levels or (3, 77, 254), signs=signs)
        board = SimulatedBoard(network, levels=levels, bits=bits, damage=0.2)
        with opened() as page:
            self.connect(page, page_of(network), board)
            assert page.evaluate("window.opened.baudRate") == BAUD
            draw(page, [[(0.2, 0.3), (0.8, 0.6), (0.4, 0.8)]])
            pixels, _ = check(network, page)
            shown = page.locator(".by").inner_text()
            assert pixels.any() and shown.startswith("the board, ")
            assert shown.endswith("every score is that of this page")
            asked = board.requests
            page.get_by_role("button", name="Ask this page again").click()
            until(page, "started.idle() && !document.querySelector('.connect').disabled")
            draw(page, [[(0.2, 0.3), (0.8, 0.3)]])
            check(network, page)
            assert page.locator(".by").inner_text().startswith("computed in this page")
            assert board.requests == asked

    def test_wrong_scores_are_seen(self, page_of):
        with opened() as page:
            self.connect(page, page_of(small()), SimulatedBoard(small(), wrong=1))
            assert page.locator(".by").inner_text().endswith("NOT the scores of this page")

    @pytest.mark.parametrize(
        ("settings", "said"),
        [
            ({"version": 1}, r"must speak version 3 .* but speaks 1 \(sbgen 0.1\)"),
            ({"digest": "ab" * 32}, "must run the network of this page, .*, but runs abababababababab"),
            (
                {"damage": 1.0},
                "the board must answer, but 4 requests led to: nothing, nothing, nothing, nothing",
            ),
        ],
    )
    def test_another_board_is_refused(self, page_of, settings, said):
        with opened() as page:
            self.connect(page, page_of(small()), SimulatedBoard(small(), **settings))
            assert re.search(said, page.locator(".note").inner_text())
            assert page.locator(".by").inner_text().startswith("computed in this page")
            assert page.get_by_role("button", name="Ask the board").is_enabled()

    def test_one_that_is_unplugged_is_named(self, page_of):
        with opened() as page:
            self.connect(page, page_of(small()), SimulatedBoard(small()))
            page.evaluate("window.cut()")
            draw(page, [[(0.2, 0.3), (0.8, 0.6)]])
            until(page, "document.querySelector('.note').textContent")
            assert "must stay plugged in" in page.locator(".note").inner_text()

    def test_frames_are_those_of_the_host(self):
        rng = np.random.default_rng(5)
        with opened() as page:
            page.set_content(f"<script>{play.scripts('link.js')}</script>")
            for _ in range(40):
                payload = rng.choice([0xC0, 0xDB, 0xDC, 0xDD, *range(256)], rng.integers(0, 30)).astype(
                    np.uint8
                )
                frame = frames.Frame(command=2, sequence=int(rng.integers(256)), payload=payload.tobytes())
                line = page.evaluate(
                    "([command, sequence, payload]) => Array.from(encodedFrame(command, sequence, payload))",
                    [frame.command, frame.sequence, payload.tolist()],
                )
                assert bytes(line) == frame.encode()
                found = page.evaluate(
                    """(line) => new FrameReader().feed(line).map(({ command, sequence, payload }) =>
                       [command, sequence, Array.from(payload)])""",
                    [1, 2, *line, *line],
                )
                assert found == 2 * [[frame.command, frame.sequence, payload.tolist()]]
