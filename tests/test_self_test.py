"""`sbgen build --selftest`: which images are stored, what is expected of them, and what is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
from test_report import assemble

from sbgen import boards, report_html, self_test, summary
from sbgen.boards.self_test import SelfTestTop
from sbgen.built import Built, MissingError
from sbgen.cli import main
from sbgen.compiler import exchange, lower, reference, shipped
from sbgen.compiler import self_test as chosen
from sbgen.compiler.device import DEVICES
from sbgen.compiler.random_network import random_design, random_images
from sbgen.console import Console
from sbgen.errors import BoardError, FitError, ModelError
from sbgen.hw.self_test import signature


class TestChoice:
    def test_right_and_wrong_ones_of_every_class(self):
        labels = np.array([0, 0, 0, 1, 1, 1, 2, 2])
        found = np.array([0, 0, 1, 0, 1, 1, 2, 2])  # one of class 0 is wrong, and one of class 1
        assert chosen.choose(found, labels, most=5).tolist() == [0, 2, 3, 4, 6]
        assert chosen.choose(found, labels, most=3).tolist() == [0, 4, 6]
        assert chosen.choose(found, labels, most=7).tolist() == [0, 1, 2, 3, 4, 5, 6]
        assert chosen.choose(found, labels, most=20).tolist() == list(range(8))

    def test_without_labels_every_decision(self):
        assert chosen.choose(np.array([4, 4, 4, 7, 0]), None, most=3).tolist() == [0, 3, 4]

    def test_of_a_multi_label_network_every_set(self):
        bits = np.array([[0, 1], [0, 1], [1, 1], [0, 0]])
        assert chosen.choose(bits, bits, most=3).tolist() == [0, 2, 3]

    def test_none_of_none(self):
        assert chosen.choose(np.zeros(0, int), None, most=3).tolist() == []


class TestRoom:
    DESIGN = random_design(2, largest=16)

    def device(self, **changes):
        return replace(DEVICES["up5k"], **changes)

    def test_as_many_as_fit(self):
        assert chosen.most_images(self.DESIGN, self.device())[0] == chosen.IMAGES
        used = chosen.estimate(self.DESIGN, self.device(), host_link=False)
        with pytest.raises(
            FitError, match=r"must store an image of [\d,]+ bytes .* 0 block RAMs and some 0 LUTs"
        ):
            chosen.most_images(self.DESIGN, self.device(bram=used["bram"], lut=used["lut"]))

    def test_without_block_ram_in_luts(self):
        used = chosen.estimate(self.DESIGN, self.device(), host_link=False)
        assert chosen.most_images(self.DESIGN, self.device(bram=used["bram"]))[1] == "lut"

    def test_what_is_chosen_fits(self):
        print("seeds 0 ... 19")
        for seed in range(20):
            design = random_design(seed, largest=16)
            count, store = chosen.most_images(design, self.device())
            parameters = chosen.parameters(design, random_images(seed, design.network, count), store=store)
            estimate = chosen.estimated(design, self.device(), parameters)
            if chosen.estimate(design, self.device())["lut"] > 4000:  # the design alone is too large
                continue
            assert estimate["bram"] <= self.device().bram and estimate["lut"] <= self.device().lut


@pytest.mark.parametrize("seed", range(30))
def test_expected_results_are_the_references(seed):
    print("seed", seed)
    design = random_design(seed, largest=16)
    network = design.network
    images = random_images(seed, network, 5)
    parameters = chosen.parameters(design, images, store="lut")
    scores, found = reference.evaluate(network, images)
    assert parameters.signature == signature(scores.reshape(-1).tolist())
    labels = [sum(int(bit) << n for n, bit in enumerate(np.atleast_1d(each))) for each in found]
    assert list(parameters.labels) == (labels if parameters.signs else found.tolist())
    # A pixel's representative is no other pixel to the network.
    values = np.array([0, *parameters.levels] if parameters.levels else range(256), np.uint8)
    shown = values[np.array(parameters.codes)].reshape(images.shape)
    assert np.array_equal(reference.evaluate(network, shown)[0], scores)


class TestRefusals:
    def test_board_without_a_led(self):
        with pytest.raises(BoardError, match=r"must have a LED .* without its LED.*; .*leave out --selftest"):
            self_test.require_board(boards.get("colorlight_5a_75b"), patchable=False)
        self_test.require_board(boards.get("tinyfpga_bx"), patchable=False)

    def test_patchable(self):
        with pytest.raises(ModelError, match="must know its weights.*--patchable"):
            self_test.require_board(boards.get("icebreaker"), patchable=True)

    def test_vendor_board(self):
        with pytest.raises(BoardError, match="open tools"):
            self_test.require_board(next(iter(boards.VENDOR_BOARDS.values())), patchable=False)

    def test_led_of_a_flash_pin(self):
        class Dark:
            def __getattr__(self, name):
                return getattr(boards.get("icebreaker"), name)

            def pin(self, name):
                return None

        design = random_design(0, largest=8)
        parameters = chosen.parameters(design, random_images(0, design.network, 2), store="lut")
        with pytest.raises(BoardError, match="must have a LED"):
            SelfTestTop(core=lower.lower(design), board=Dark(), parameters=parameters)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder of a build of digits that tests itself, without a bitstream."""
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    folder = tmp_path_factory.mktemp("built") / "digits"
    command = [
        "build",
        "--model",
        "digits",
        "--board",
        "icebreaker",
        "--selftest",
        "--no-bitstream",
        "--no-sim",
    ]
    assert main([*command, "--out", str(folder)]) == 0
    return folder


def test_build_reports_what_it_stored(built, capsys):
    report = json.loads((built / "report.json").read_text())
    about = report["self_test"]
    network = exchange.load(shipped.path_of("digits"))
    from sbgen import trial_images

    tried = trial_images.choose(network=network, trained_on=report["model"])
    scores, found = reference.evaluate(network, tried.images[about["places"]])
    right = (found == tried.labels[about["places"]]).sum()
    assert 0 < right == about["right"] < about["images"] == len(about["places"]) <= 20
    assert set(tried.labels[about["places"]]) == set(range(10))
    assert about["signature"] == f"{signature(scores.reshape(-1).tolist()):08x}"
    assert report["link"] is None and report["bound"]["whole"] == "core"
    summary.show(Console(), report, built)
    assert f"{about['images']} images, {right} that it gets right" in capsys.readouterr().out
    page = (built / "report.html").read_text()
    assert "again and again: the LED lights" in page and "Ask the board</button>" not in page


def test_commands_that_need_a_link_say_so(built, capsys):
    with pytest.raises(MissingError, match="tests itself and has no host link"):
        Built(built).top  # noqa: B018
    port = ["--port", str(built / "none")]
    for command in (["emulate", "--tcp", "0"], ["check-board", *port], ["play", "--no-browser", *port]):
        assert main([command[0], str(built), *command[1:]]) == 1
        assert "tests itself and has no host link" in capsys.readouterr().err


def test_a_test_without_labels_is_shown():
    page = report_html.page(assemble(self_test={"images": 3, "right": None, "places": [0, 1, 2]}))
    assert "It runs 3 stored images" in page and "found rightly" not in page
