"""`sbgen.report` and `sbgen.report_html`: the form of schema 1, and a page that stands alone."""

import copy
import json
import re
from html.parser import HTMLParser
from types import SimpleNamespace
from xml.etree import ElementTree

import by_hand
import numpy as np
import pytest

from sbgen import report, report_html
from sbgen.boards import get
from sbgen.boards.flow import Trial
from sbgen.boards.link_rate import LinkRate
from sbgen.compiler import exchange
from sbgen.compiler.device import DEVICES
from sbgen.compiler.ir import Binarize, Conv2d, Dense, MaxPool, Network, Scores, SumPool
from sbgen.samples.recipe import Recipe
from sbgen.samples.scale import Scale
from sbgen.trial_images import RANDOM, SAMPLES, TEST_SET, TrialImages
from sbgen.verdict import Verdict

NETWORK = Network(
    name="tiny",
    image_shape=(2, 3),
    labels=("a", "b"),
    layers=(
        Binarize(name="input", thresholds=np.full((6, 2), 8)),
        Dense(name="hidden", weights=np.ones((4, 12), int), thresholds=np.full(4, 6)),
        Scores(name="scores", weights=np.ones((2, 4), int), offsets=np.zeros(2, int)),
    ),
)
DESIGN = by_hand.fold(NETWORK, (4, 2), (2, 6), {"pe": 1, "simd": 4, "store": "lut"})
INFO = {"dataset": "digits", "accuracy": {"test": {"soft": 0.75, "hardened": 0.5}}}
LABELS = np.array([0, 1, 1, 0])
TRIAL = TrialImages(
    images=np.zeros((4, 2, 3), np.uint8), labels=LABELS, source=TEST_SET, name="digits", sha256="ef" * 32
)
UNKNOWN = TrialImages(
    images=np.zeros((4, 2, 3), np.uint8),
    labels=None,
    source=RANDOM,
    name=None,
    sha256=None,
    note="seed 0, pixels of 0 ... 255; no data",
)
RANKED = np.array([[0], [1], [0], [1]])
VERDICT = Verdict(
    simulator="Icarus Verilog 11.0",
    images=3,
    scores=6,
    ranked=RANKED[:3],
    latency_cycles=21,
    cycles_per_image=4,
)


def assemble(**changes):
    settings = {
        "board": get("icebreaker"),
        "sha256": "ab" * 32,
        "design": DESIGN,
        "model": SimpleNamespace(file=SimpleNamespace(name="tiny.pt"), sha256="cd" * 32, info=INFO),
        "images": TRIAL.about(),
        "cycles": SimpleNamespace(interval=4, latency=21, layers=(3, 4, 2)),
        "clock_mhz": 24.0,
        "estimate": {"lut": 900, "ff": 400, "bram": 4, "spram": 0, "dsp": 0},
        "implementation": SimpleNamespace(
            fmax_mhz=31.5,
            margin=0.03,
            seed=2,
            resources={
                name: {"used": used, "available": getattr(DEVICES["up5k"], name)}
                for name, used in (("lut", 950), ("ff", 410), ("bram", 4), ("spram", 0), ("dsp", 0))
            },
            trials=(Trial(clock_mhz=24, seed=1, fmax_mhz=23.5), Trial(clock_mhz=24, seed=2, fmax_mhz=31.5)),
        ),
        "ledger": report.accuracy(tried=TRIAL, info=INFO, integer=RANKED, classes=2, verdict=VERDICT),
        "verdict": VERDICT,
        "why_not": None,
        "tools": {"yosys": "0.70"},
        "files": {"top.v": "12" * 32},
    }
    return report.assemble(**(settings | changes))


def without_bitstream_or_simulation():
    return assemble(
        implementation=None,
        verdict=None,
        why_not="no simulator is installed; try: apt install iverilog",
        images=UNKNOWN.about(),
        ledger=report.accuracy(tried=UNKNOWN, info={}, integer=RANKED, classes=2, verdict=None),
    )


def of_samples(labels=LABELS):
    own = TrialImages(
        images=TRIAL.images,
        labels=labels,
        source=SAMPLES,
        name="own.npz",
        sha256="ef" * 32,
        note="4 images of equal channels taken as grey",
    )
    return assemble(
        images=own.about(),
        ledger=report.accuracy(tried=own, info=INFO, integer=RANKED, classes=2, verdict=VERDICT),
    )


def convolutional():
    network = Network(
        name="little picture",
        image_shape=(6, 6),
        labels=("a", "b"),
        layers=(
            Binarize(name="input", thresholds=np.full((36, 1), 8)),
            Conv2d(name="edges", weights=np.ones((4, 3, 3, 1), int), thresholds=np.full(4, 5)),
            MaxPool(name="pool", kernel=(2, 2), stride=(2, 2)),
            Scores(name="scores", weights=np.ones((2, 16), int), offsets=np.zeros(2, int)),
        ),
    )
    design = by_hand.fold(network, (1, 1), (2, 1), (2, 2), (1, 4))
    return assemble(design=design, cycles=SimpleNamespace(interval=64, latency=99, layers=(36, 64, 16, 8)))


def check_schema(content):
    """The form that docs/report.md promises to its readers."""

    def number(value):
        return isinstance(value, (int, float)) and not isinstance(value, bool)

    assert content["schema"] == 2
    assert content["network"]["weights"] <= content["network"]["weight_bits"]
    assert (
        isinstance(content["sbgen"], str)
        and isinstance(content["board"], str)
        and isinstance(content["device"], str)
    )
    assert set(content["model"]) == {"file", "sha256", "dataset", "pixel_range", "layers"}
    for layer in content["model"]["layers"]:
        assert {
            "name",
            "kind",
            "description",
            "inputs",
            "outputs",
            "weight_bits",
            "pe",
            "simd",
            "cycles",
            "store",
        } <= set(layer)
        assert layer["kind"] in {"binarize", "conv2d", "dense", "maxpool", "scores"} and layer["store"] in {
            "none",
            "bram",
            "lut",
        }
    bound = content["bound"]
    assert bound["cycles"] == bound["limits"][bound["by"]] == max(bound["limits"].values())
    assert bound["reached"] == pytest.approx(bound["cycles"] / content["timing"]["cycles_per_image"])
    timing, link = content["timing"], content["link"]["images_per_second"]
    assert bound["whole"] == ("host link" if link < timing["images_per_second"] else "core")
    assert bound["whole_images_per_second"] == min(link, timing["images_per_second"])
    assert {
        "clock_mhz",
        "fmax_mhz",
        "clock_margin",
        "seed",
        "trials",
        "cycles_per_image",
        "latency_cycles",
        "images_per_second",
    } <= set(timing)
    assert timing["images_per_second"] == pytest.approx(
        timing["clock_mhz"] * 1e6 / timing["cycles_per_image"]
    )
    assert set(content["resources"]) == set(content["estimate"]) == {"lut", "ff", "bram", "spram", "dsp"}
    for entry in content["resources"].values():
        assert set(entry) == {"used", "available"} and number(entry["available"])
    ledger = content["accuracy"]
    assert {"dataset", "images", "soft", "hardened", "integer", "rtl", "confusion"} <= set(ledger)
    images = content["images"]
    assert set(images) == {"source", "name", "sha256", "count", "note"} and images["source"] in {
        "samples",
        "test set",
        "random images",
    }
    if ledger["confusion"] is not None:
        assert sum(map(sum, ledger["confusion"])) == images["count"] == ledger["images"]
        assert sum(row[n] for n, row in enumerate(ledger["confusion"])) == pytest.approx(
            ledger["integer"] * images["count"]
        )
    assert all(ledger[key] is None or 0 <= ledger[key] <= 1 for key in ("soft", "hardened", "integer", "rtl"))
    assert all(isinstance(version, str) for version in content["tools"].values())
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in content["files"].values())


@pytest.mark.parametrize(
    "make", [assemble, convolutional, without_bitstream_or_simulation, of_samples, lambda: of_samples(None)]
)
def test_form_of_schema_1(make):
    check_schema(json.loads(report.dumps(make())))


def test_ledger_compares_the_rtl_on_the_images_it_saw():
    ledger = assemble()["accuracy"]
    assert (ledger["soft"], ledger["hardened"]) == (0.75, 0.5)
    assert (ledger["integer"], ledger["images"]) == (0.5, 4)
    assert (ledger["rtl"], ledger["rtl_images"], ledger["integer_rtl_images"]) == (2 / 3, 3, 2 / 3)


def test_link_carries_as_many_images_as_its_line():
    link = assemble()["link"]
    assert set(link) == {
        "kind",
        "baud",
        "pixel_bits",
        "image_bytes",
        "images_per_request",
        "store",
        "bound_by",
        "images_per_second",
    }
    # 24 MHz over 4; an image is a byte, but to unpack it and to send its class takes longer.
    assert (link["kind"], link["baud"], link["image_bytes"], link["store"]) == ("UART", 6_000_000, 1, "spram")
    assert link["images_per_second"] <= 600_000 * (1 - 1 / 255)
    slow = assemble(baud=1_000_000)["link"]
    assert slow["baud"] == 1_000_000 and slow["images_per_second"] < 100_000


@pytest.mark.parametrize(
    "changes, binds, rate",
    [
        ({}, "requests", 1e6 / (98 + 9 / 20)),
        ({"store_bytes": 300}, "requests", 1e6 / (98 + 9)),
        ({"frame_images": 2}, "requests", 1e6 / (98 + 9 / 2)),
        ({"image_cycles": 8000}, "board", 1e6 / 200),
        ({"result_bytes": 400}, "responses", 1e6 * 40 / 41 / (400 + 8 / 20)),
    ],
)
def test_rate_of_the_link(changes, binds, rate):
    """Frames of docs/link.md: two ENDs, command, sequence, CRC-32; what is wanted."""
    sizes = {
        "baud": 10_000_000,
        "image_bytes": 98,
        "result_bytes": 1,
        "image_cycles": 1000,
        "byte_cycles": 40,
        "frame_images": 41,
        "store_bytes": 4072,
    }
    link = LinkRate(**sizes | changes)
    assert (link.binds, link.images_per_second) == (binds, pytest.approx(rate))


def test_digests(tmp_path):
    (tmp_path / "top.v").write_bytes(b"abc")
    (tmp_path / "scratch").mkdir()
    assert report.digests(tmp_path) == {
        "top.v": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    }


def test_equal_reports_give_equal_bytes():
    assert report.dumps(assemble()) == report.dumps(assemble())
    assert report_html.page(assemble()) == report_html.page(assemble())


class Page(HTMLParser):
    """Tags in their nesting, attributes, and text."""

    VOID = ("meta", "br", "input")

    def __init__(self, text):
        super().__init__()
        self.open, self.attributes, self.words = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.attributes += [(tag, *attribute) for attribute in attributes]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.attributes += [(tag, *attribute) for attribute in attributes]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        """All text, with single spaces, as a browser shows it."""
        return " ".join("".join(self.words).split())


@pytest.mark.parametrize("network", [None, exchange.dumps(NETWORK)])
@pytest.mark.parametrize(
    "make", [assemble, convolutional, without_bitstream_or_simulation, of_samples, lambda: of_samples(None)]
)
def test_page_stands_alone(make, network):
    text = report_html.page(make(), network=network)
    page = Page(text)
    assert text.count("<script>") == (network is not None)
    assert page.open == []
    for tag, name, value in page.attributes:
        assert tag not in {"script", "link", "img", "iframe", "object"}
        assert name not in {"src", "href", "srcset", "data", "xlink:href"}, value
        assert "url(" not in (value or "") or "url(#" in value
    assert "http:" not in text and "https:" not in text and "@import" not in text and "@font-face" not in text


@pytest.mark.parametrize("make", [assemble, convolutional, without_bitstream_or_simulation])
def test_pictures_are_well_formed(make):
    pictures = re.findall(r"<svg.*?</svg>", report_html.page(make()), re.DOTALL)
    assert len(pictures) == 7
    for picture in pictures:
        ElementTree.fromstring(picture)


def test_page_shows_the_main_figures():
    text = Page(report_html.page(assemble())).text
    for wanted in (
        "tiny",
        "icebreaker",
        "6,000,000",
        "31.5 MHz",
        "950",
        "Exact",
        "3 test images",
        "50.00 %",
        "75.00 %",
        "66.67 %",
        "2 PE × 6 SIMD",
        "6,000,000 baud",
        "tiny.pt",
        "cd" * 32,
        "0.70",
    ):
        assert wanted in text, wanted


def test_page_leads_with_the_board_and_names_what_limits_it():
    data = assemble()
    assert data["link"]["images_per_second"] < data["timing"]["images_per_second"]
    rate, core = (round(data[key]["images_per_second"]) for key in ("link", "timing"))
    page = report_html.page(data)
    assert re.search(rf"<dd>{rate:,} <small></small></dd><p>by UART · core {core:,}</p>", page)
    data["link"]["images_per_second"] = 2.0 * core
    cycles = data["timing"]["cycles_per_image"]
    assert re.search(
        rf"<dd>{core:,} <small></small></dd><p>core · {cycles} cycles</p>", report_html.page(data)
    )


def test_page_shows_the_shapes_of_a_convolution():
    text = Page(report_html.page(convolutional())).text
    for wanted in (
        "6×6 → 4×4×4 → 2×2×4 → 2",
        "6×6×1 → 4×4×4",
        "max pooling",
        "2 channels per cycle",
        "2 PE × 1 SIMD",
    ):
        assert wanted in text, wanted


def test_windows_along_a_sequence_are_called_so():
    network = Network(
        name="sequence",
        image_shape=(9, 1, 2),
        labels=("a", "b"),
        layers=(
            Binarize(name="input", thresholds=np.full((18, 1), 8)),
            Conv2d(name="conv", weights=np.ones((4, 3, 1, 2), int), thresholds=np.full(4, 5)),
            Conv2d(
                name="wide",
                weights=np.ones((4, 1, 3, 4), int),
                thresholds=np.full(4, 5),
                padding=((0, 0), (1, 1)),
            ),
            MaxPool(name="pool", kernel=(2, 1), stride=(2, 1)),
            SumPool(name="mean", kernel=(3, 1), stride=(3, 1)),
            Scores(name="scores", weights=np.ones((2, 4), int), planes=2, offsets=np.zeros(2, int)),
        ),
    )
    content = assemble(
        design=by_hand.fold(network, *[(1, 1)] * 6),
        cycles=SimpleNamespace(interval=64, latency=99, layers=(64,) * 6),
    )
    assert [layer["description"] for layer in content["model"]["layers"]] == [
        "pixels to bits",
        "1-D convolution of 3",
        "convolution",
        "1-D max pooling of 2",
        "1-D sum pooling of 3",
        "dense, scores",
    ]
    assert "1-D convolution of 3" in Page(report_html.page(content)).text
    old = convolutional()
    for layer in old["model"]["layers"]:
        assert layer.pop("description")
    assert "max pooling" in Page(report_html.page(old)).text


def test_confusion_matrix_has_the_true_class_first():
    assert assemble()["accuracy"]["confusion"] == [[1, 1], [1, 1]]
    page = report_html.page(assemble())
    assert 'title="a taken for b: 1 of 2"' in page and "Of 4 images the integer network has 2 right" in page
    assert without_bitstream_or_simulation()["accuracy"]["confusion"] is None
    assert "Confusion matrix" not in report_html.page(without_bitstream_or_simulation())


@pytest.mark.parametrize("known", [("soft", "hardened"), ("hardened",), ()])
def test_page_shows_the_levels_that_training_measured(known):
    info = {"dataset": "digits", "accuracy": {"test": dict.fromkeys(known, 0.75)}}
    content = assemble(
        ledger=report.accuracy(tried=TRIAL, info=info, integer=RANKED, classes=2, verdict=VERDICT)
    )
    levels = re.findall(r'class="card level"><dt>(\w+)</dt>', report_html.page(content))
    assert levels == [*(name.capitalize() for name in known), "Integer", "RTL"]


def test_page_says_how_numbers_become_bytes():
    recipe = Recipe(
        kind="table",
        shape=(6,),
        scales=[Scale.of_range(f"x{n}", 0, 7) for n in range(6)],
        places=tuple(range(6)),
        width=6,
    ).primitives()
    assert "takes raw pixels, one byte each, of type UINT8" in report_html.page(assemble())
    text = report_html.page(assemble(), network=exchange.dumps(NETWORK, recipe=recipe))
    assert "Numbers become bytes by the scales" in text and "takes raw pixels" not in text


def test_labels_of_a_multi_label_network():
    bits = np.array([[0, 1], [1, 1], [0, 0], [1, 0]])
    found = bits.copy()
    found[0, 0] = 1
    own = TrialImages(images=TRIAL.images, labels=bits, source=SAMPLES, name="own.npz", sha256="ef" * 32)
    verdict = Verdict(
        simulator="Icarus Verilog 11.0",
        images=3,
        scores=6,
        ranked=found[:3],
        latency_cycles=21,
        cycles_per_image=4,
    )
    content = assemble(
        images=own.about(),
        verdict=verdict,
        ledger=report.accuracy(tried=own, info={}, integer=found, classes=2, verdict=verdict),
    )
    accuracy = content["accuracy"]
    assert (accuracy["integer"], accuracy["rtl"], accuracy["integer_bits"], accuracy["rtl_bits"]) == (
        0.75,
        2 / 3,
        7 / 8,
        5 / 6,
    )
    assert accuracy["integer_rtl_images"] == 2 / 3 and accuracy["confusion"] == [
        [[1, 1], [0, 2]],
        [[2, 0], [0, 2]],
    ]
    text = Page(report_html.page(content)).text
    assert (
        "Most frequent mistakes: a found wrongly (1)" in text
        and "rightly not found" in text
        and "Confusion matrix" not in text
    )
    assert assemble()["accuracy"]["integer_bits"] is None


def test_many_classes_are_a_list_of_mistakes():
    content = assemble()
    content["network"]["labels"] = [f"class{n}" for n in range(40)]
    content["accuracy"]["confusion"] = np.diag(np.full(40, 5)).tolist()
    assert "There is no mistake" in report_html.page(content)
    content["accuracy"]["confusion"][3][7] = 2
    page = report_html.page(content)
    assert "class3 found as class7 (2)" in page and "<th>class3</th>" not in page


def test_page_names_the_samples():
    text = Page(report_html.page(of_samples())).text
    for wanted in (
        "3 samples ran through the emitted Verilog",
        "Tried on 4 samples of own.npz, SHA-256 " + "ef" * 32,
        "4 images of equal channels taken as grey",
        "the same network with sign, on its own test set",
        "50.00 %",
    ):
        assert wanted in text, wanted
    # Accuracies of other images have no difference.
    assert "-25.00" in text and "+0.00" not in text and text.count("=") == 1


def test_page_of_random_images_says_so_and_has_no_accuracy():
    random = assemble(
        images=UNKNOWN.about(),
        ledger=report.accuracy(tried=UNKNOWN, info={}, integer=RANKED, classes=2, verdict=VERDICT),
    )
    text = Page(report_html.page(random)).text
    assert "3 random images ran through the emitted Verilog" in text and "test image" not in text
    assert (
        "Tried on 4 random images (seed 0, pixels of 0 ... 255; no data), whose true classes are unknown"
        in text
    )
    assert (
        random["accuracy"]["integer"] is random["accuracy"]["rtl"] is None
        and "Accuracy, integer– random images" in text
    )


def test_page_of_a_report_from_before_images_were_in_it():
    for make, wanted in (
        (assemble, "3 test images ran"),
        (without_bitstream_or_simulation, "random images (no test data available)"),
    ):
        old = make()
        del old["images"], old["accuracy"]["confusion"]
        assert wanted in Page(report_html.page(old)).text


def test_page_without_bitstream_or_simulation_says_so():
    text = Page(report_html.page(without_bitstream_or_simulation())).text
    assert "no simulator is installed; try: apt install iverilog" in text and "Exact" not in text
    assert "No bitstream was requested" in text


def test_page_says_when_simulation_and_prediction_differ():
    assert "the simulation measured the same" in report_html.page(assemble())
    off = assemble(cycles=SimpleNamespace(interval=5, latency=21, layers=(3, 4, 2)))
    assert (
        "5 cycles per image were predicted, but the simulation measured 4" in Page(report_html.page(off)).text
    )


def test_rtl_accuracy_on_fewer_images_is_compared_on_the_same_images():
    text = Page(report_html.page(assemble())).text
    assert "on 4 images" in text and "on 3 images; the reference has 66.67 % on the same" in text


def _strings(value, path=()):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _strings(inner, (*path, key))
    elif isinstance(value, list):
        for n, inner in enumerate(value):
            yield from _strings(inner, (*path, n))
    elif isinstance(value, str) and path[-1] not in {"kind", "status"}:
        yield path


def test_every_string_from_outside_is_escaped():
    evil = "<script>alert('1')</script>\"&"
    for make in (assemble, without_bitstream_or_simulation):
        clean = make()
        for path in _strings(clean):
            content = copy.deepcopy(clean)
            place = content
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = evil
            page = Page(report_html.page(content))
            assert not any(tag == "script" for tag in page.open) and "<script>" not in report_html.page(
                content
            ), path


def test_one_long_name_and_many_layers_still_make_a_picture():
    content = assemble()
    content["network"]["name"] = "n" * 300
    content["model"]["layers"] = content["model"]["layers"][:1] + [
        dict(content["model"]["layers"][1], name=f"hidden layer number {n}") for n in range(12)
    ]
    Page(report_html.page(content))


def test_page_shows_what_verify_and_prove_found():
    ledger = {
        "images": "2 test images",
        "rungs": [
            {"status": "PASS", "rung": "passes", "note": "equal", "seconds": 1.25},
            {"status": "FAIL", "rung": "netlist", "note": "<b> differs", "seconds": 1111.5},
        ],
    }
    proof = {
        "claim": "a beat stays",
        "subject": "mvtu",
        "places": ["one", "two"],
        "seconds": 2.0,
        "solver": "abc",
    }
    proofs = {
        "proofs": [
            proof | {"status": "proved", "scope": "", "violated": [], "depth": 3},
            proof | {"status": "refuted", "scope": "widths are <small>", "violated": ["v1"], "depth": 0},
        ],
        "without_statement": ["uart"],
        "not_proved_here": ["synthesis"],
    }
    text = report_html.page(assemble(), ledger=ledger, proofs=proofs)
    page = Page(text)
    assert page.open == [] and "&lt;b&gt; differs" in text
    assert ("td", "class", "status ok") in page.attributes and (
        "td",
        "class",
        "status bad",
    ) in page.attributes
    for wanted in (
        "by sbgen verify: 2 test images.",
        "1,111.5 s",
        "1 of 2 statements proved",
        "A beat stays.",
        "one, two",
        "abc, depth 3",
        "In the proof widths are <small>.v1",
        "uart: there is no statement about it",
        "report.json, ledger.json, proofs.json next to it",
    ):
        assert wanted in page.text, wanted
    assert "sbgen verify" not in report_html.page(assemble())
