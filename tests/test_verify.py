import hashlib
import json
from types import SimpleNamespace

import by_hand
import numpy as np
import pytest
from test_waveform import always_on, core_of, network

from sbgen import board_pins, cli, report_html, samples, tools, trial_images, verification
from sbgen.boards.self_test import SelfTestTop
from sbgen.built import Built, MissingError
from sbgen.compiler import design_file, exchange, reference, verilog
from sbgen.compiler import self_test as stored_images
from sbgen.compiler.simulate import HardwareError
from sbgen.console import Console
from sbgen.errors import BoardError, ModelError, ToolError
from sbgen.train import data
from sbgen.verification import bitstream, files, level, self_test, simulation, subject
from sbgen.verification import pins as pins_level
from sbgen.verification.level import Level, LevelError, SkippedError
from sbgen.verification.scores import ScoreError, require_equal
from sbgen.verification.whole import trials_of


def found(name):
    try:
        tools.find(name)
    except ToolError as error:
        return pytest.mark.skip(reason=str(error))
    return pytest.mark.skipif(False, reason="found")


@pytest.fixture
def built(tmp_path):
    """What a build without a bitstream leaves."""
    net = network()
    design = by_hand.fold(net, (2, 2), (2, 1), (3, 8), (1, 7))
    exchange.save(net, tmp_path / "network.json")
    design_file.save(design, tmp_path / "design.json")
    (tmp_path / "core.v").write_text(verilog.convert(core_of(net)))
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in tmp_path.iterdir()}
    (tmp_path / "report.json").write_text(
        json.dumps(
            {
                "board": "icebreaker",
                "model": {"file": "no-such.pt", "sha256": "0" * 64},
                "timing": {"clock_mhz": 12},
                "link": {"baud": 3_000_000},
                "accuracy": {"dataset": None},
                "files": files,
            }
        )
    )
    return tmp_path


def images(folder, count=3):
    return trials_of(Built(folder), images=count, seed=5)


def whole(folder, **settings):
    """A build with images to run."""
    return subject.Build(built=Built(folder), model_file=None, trials=images(folder, **settings))


class Shown:
    title = "a level"

    def progress(self, done, total):
        pass


class TestLevels:
    def test_each_outcome_and_all_levels(self, capsys):
        def raises(error):
            def check(subject, step):
                raise error

            return check

        outcomes = level.run(
            [
                Level("right", lambda subject, step: f"all {subject} equal"),
                Level("wrong", raises(LevelError("hidden, image 3"))),
                Level("missing", raises(ToolError("no tool"))),
                Level("skipped", raises(SkippedError("not here"))),
                Level("not built", raises(MissingError("no top.v"))),
                Level("hangs", raises(HardwareError("nothing moved"))),
                Level("damaged", raises(BoardError("cut off"))),
            ],
            9,
            console=Console(),
        )
        assert [(outcome.level, outcome.status, outcome.note) for outcome in outcomes] == [
            ("right", "PASS", "all 9 equal"),
            ("wrong", "FAIL", "hidden, image 3"),
            ("missing", "not run", "no tool"),
            ("skipped", "not run", "not here"),
            ("not built", "not run", "no top.v"),
            ("hangs", "FAIL", "nothing moved"),
            ("damaged", "FAIL", "cut off"),
        ]

    def test_a_defect_of_ours_keeps_its_trace(self):
        with pytest.raises(ZeroDivisionError):
            level.run([Level("ours", lambda subject, step: 1 // 0)], None, console=Console())


class TestFiles:
    def test_as_built(self, built):
        assert (
            files.check(subject.Subject(built=Built(built)), Shown())
            == "3 files have the SHA-256 of the report"
        )

    def test_changed(self, built):
        (built / "core.v").write_text("module top; endmodule\n")
        with pytest.raises(LevelError, match="core.v is not the one that was built: expected SHA-256"):
            files.check(subject.Subject(built=Built(built)), Shown())

    @pytest.mark.parametrize("name", ["core.v", "network.json", "design.json"])
    def test_a_report_that_lacks_a_digest(self, built, name):
        report = json.loads((built / "report.json").read_text())
        del report["files"][name]
        (built / "report.json").write_text(json.dumps(report))
        with pytest.raises(ModelError, match=f"report.json must have the SHA-256 of {name}, but it has none"):
            files.check(subject.Subject(built=Built(built)), Shown())

    @pytest.mark.parametrize("files", [[], None, "none", 3])
    def test_a_report_whose_digests_are_no_digests(self, built, files):
        (built / "report.json").write_text(
            json.dumps(json.loads((built / "report.json").read_text()) | {"files": files})
        )
        with pytest.raises(ModelError, match="report.json must be that of a build, but it is damaged"):
            _ = Built(built).report

    def test_no_build(self, tmp_path):
        with pytest.raises(
            ModelError, match="must be a folder of `sbgen build`, but its report.json cannot be read: No such"
        ):
            _ = Built(tmp_path).report

    def test_damaged_report(self, tmp_path):
        (tmp_path / "report.json").write_text("{")
        with pytest.raises(ModelError, match="report.json must be that of a build, but it is damaged"):
            _ = Built(tmp_path).report


class TestBitstream:
    """The bitstream of a build, and others; no tool is needed for what is not patchable."""

    @pytest.fixture
    def packed(self, built):
        (built / "top.bin").write_bytes(bytes(range(256)) * 4)
        report = json.loads((built / "report.json").read_text())
        report["files"]["top.bin"] = hashlib.sha256((built / "top.bin").read_bytes()).hexdigest()
        (built / "report.json").write_text(json.dumps(report))
        return built

    def test_as_built_under_any_name(self, packed):
        (packed / "other.bin").write_bytes((packed / "top.bin").read_bytes())
        for name in "top.bin", "other.bin":
            assert (
                bitstream.origin(subject.Subject(built=Built(packed), bitstream_file=packed / name), Shown())
                == "it has the SHA-256 of top.bin in the report"
            )

    def test_any_flipped_bit(self, packed):
        rng, whole = np.random.default_rng(1), (packed / "top.bin").read_bytes()
        for bit in rng.choice(8 * len(whole), 200, replace=False):
            flipped = bytearray(whole)
            flipped[bit // 8] ^= 1 << bit % 8
            (packed / "top.bin").write_bytes(flipped)
            with pytest.raises(LevelError, match="top.bin is not this build's: expected SHA-256"):
                bitstream.origin(
                    subject.Subject(built=Built(packed), bitstream_file=packed / "top.bin"), Shown()
                )

    def test_the_exit_code(self, packed, capsys):
        (packed / "top.bin").write_bytes(b"another")
        assert cli.main(["verify", "--bitstream", str(packed / "top.bin")]) == 1
        assert "FAIL     bitstream of the build" in capsys.readouterr().out

    def test_a_report_without_its_digest(self, packed):
        report = json.loads((packed / "report.json").read_text())
        del report["files"]["top.bin"]
        (packed / "report.json").write_text(json.dumps(report))
        with pytest.raises(
            ModelError, match="report.json must have the SHA-256 of top.bin, but it has none; build again"
        ):
            bitstream.origin(subject.Subject(built=Built(packed), bitstream_file=packed / "top.bin"), Shown())


class TestCore:
    def test_amaranth_passes(self, built):
        note = simulation.amaranth(whole(built), Shown())
        assert note.startswith("all 9 scores of 3 images equal the reference (Amaranth")

    def test_amaranth_names_the_layer(self, built, monkeypatch):
        """The hardware is that of a network with one wrong threshold."""
        broken = always_on(network(), "conv", 0)
        monkeypatch.setattr(Built, "core", lambda self: core_of(broken))
        with pytest.raises(
            LevelError,
            match=r"conv, image 0, index \(\d, \d, 0\): expected 0, found 1; downstream scores, image 0, "
            r"output \d: expected -?\d+, found -?\d+ \(\d+ of 9 scores differ\); waveform: .*waves\.vcd",
        ):
            simulation.amaranth(whole(built), Shown())
        assert (built / "verify" / "a-level" / "waves.vcd").stat().st_size > 1000

    @found("iverilog")
    def test_verilog_names_the_layer(self, built):
        (built / "core.v").write_text(verilog.convert(core_of(always_on(network(), "conv", 0))))
        with pytest.raises(
            LevelError, match=r"conv, image 0, index \(\d, \d, 0\): expected 0, found 1; .* waveform: "
        ):
            simulation.icarus(whole(built), Shown())


class TestPins:
    """A board of which something is another: what is asked through the pins must be the network's."""

    @pytest.fixture
    def ask(self, built, monkeypatch):
        """What the level says of a board whose answers `change` has changed."""
        (built / "top.v").write_text("the top level")
        build = whole(built, count=4)
        loaded = build.built

        def said(change=lambda answers: None):
            class Pins:
                def __init__(self, text, network, *, waves, folder, **settings):
                    assert text.startswith("the top level")
                    assert network.name == loaded.network.name and settings["divisor"] == loaded.top.divisor

                def ask(self, images, *, progress):
                    scores, labels = reference.evaluate(loaded.network, images)
                    answers = SimpleNamespace(
                        identity=SimpleNamespace(digest=bytes.fromhex(exchange.digest(loaded.network))[:8]),
                        scores=scores,
                        labels=labels,
                        simulator="none",
                    )
                    change(answers)
                    return answers

            monkeypatch.setattr(board_pins, "Pins", Pins)
            monkeypatch.setattr(board_pins, "simulator", lambda: "icarus")
            return pins_level.emitted(build, Shown())

        return said

    def test_the_board_itself(self, ask):
        assert (
            ask() == "identified, and all 12 scores of 4 images, byte by byte through rx and tx, equal the"
            " reference (none)"
        )

    @pytest.mark.parametrize("byte", range(8))
    def test_another_digest(self, ask, byte):
        def change(answers):
            digest = bytearray(answers.identity.digest)
            digest[byte] ^= 1
            answers.identity.digest = bytes(digest)

        with pytest.raises(
            LevelError, match="the board reports another network: expected [0-9a-f]{16}, found [0-9a-f]{16}"
        ):
            ask(change)

    @pytest.mark.parametrize("image", range(4))
    def test_another_class(self, ask, image):
        def change(answers):
            answers.labels[image] = (answers.labels[image] + 1) % 3

        with pytest.raises(LevelError, match=rf"class, image {image}: expected \d, found \d"):
            ask(change)

    @pytest.mark.parametrize("image", range(4))
    def test_another_score(self, ask, image):
        def change(answers):
            if image < len(answers.scores):
                answers.scores[image, image % 3] += 1

        with pytest.raises(
            LevelError,
            match=rf"scores, image {image}, output {image % 3}: expected -?\d+, found -?\d+ .*; waveform: ",
        ):
            ask(change)


class TestRun:
    def test_what_is_not_there_is_not_run(self, built, capsys, monkeypatch):
        monkeypatch.setattr(
            tools, "find", lambda name: (_ for _ in ()).throw(ToolError(f"{name} is not installed"))
        )
        pages = []
        monkeypatch.setattr(report_html, "page", lambda report, **found: pages.append(found) or "the page")
        assert cli.main(["verify", str(built), "--images", "2", "--seed", "1"]) == 0
        text = capsys.readouterr().out
        assert (
            pages[0]["ledger"]["images"] == "2 random images: seed 1, pixels of 0 ... 255; as requested"
            and (built / "report.html").read_text() == "the page"
        )
        assert pages[0] == {
            "ledger": json.loads((built / "ledger.json").read_text()),
            "network": (built / "network.json").read_text(),
        }
        assert "2 random images: seed 1" in text
        for line in (
            "PASS     files of the build",
            "not run  model, hardened",
            "PASS     Amaranth simulator",
            "not run  Verilog in Icarus",
            "top.v is not there",
            "netlist.json.gz is not there: built without a bitstream",
            "there is no bitstream",
        ):
            assert line in text

    def test_a_failure_is_the_exit_code(self, built, capsys, monkeypatch):
        monkeypatch.setattr(verification, "LEVELS", verification.LEVELS[:1])
        monkeypatch.setattr(report_html, "page", lambda report, **found: "")
        (built / "core.v").write_text("")
        assert cli.main(["verify", str(built), "--images", "1"]) == 1
        assert "FAIL     files of the build" in capsys.readouterr().out

    def test_as_json(self, built, capsys, monkeypatch):
        monkeypatch.setattr(verification, "LEVELS", verification.LEVELS[:2])
        monkeypatch.setattr(report_html, "page", lambda report, **found: "")
        assert cli.main(["verify", str(built), "--images", "1", "--seed", "3", "--json"]) == 0
        printed = json.loads(capsys.readouterr().out)
        assert printed == {
            k: v for k, v in json.loads((built / "ledger.json").read_text()).items() if k != "build"
        }
        assert [each["status"] for each in printed["rungs"]] == ["PASS", "not run"]
        assert printed["tried"]["count"] == 1

    def test_samples_are_those_of_the_build_or_others(self, built, capsys, monkeypatch):
        monkeypatch.setattr(
            tools, "find", lambda name: (_ for _ in ()).throw(ToolError(f"{name} is not installed"))
        )
        monkeypatch.setattr(report_html, "page", lambda report, **found: "")
        net = Built(built).network
        pixels = np.random.default_rng(4).integers(0, 256, (6, *net.image_shape)).astype(np.uint8)
        labels = reference.evaluate(net, pixels)[1]
        labels[0] = (labels[0] + 1) % net.classes
        np.savez(built / "own.npz", images=pixels, labels=labels)
        np.savez(built / "others.npz", images=pixels[::-1])
        report = json.loads((built / "report.json").read_text())
        digest = samples.digest(pixels, labels)
        report["images"] = {"source": "samples", "name": "own.npz", "sha256": digest, "count": 6, "note": ""}
        (built / "report.json").write_text(json.dumps(report))
        assert cli.main(["verify", str(built), "--samples", str(built / "own.npz"), "--images", "4"]) == 0
        assert (
            f"4 samples of own.npz, SHA-256 {digest[:16]}..., those of the build; the reference is right on"
            " 75.00% of these 4" in capsys.readouterr().out
        )
        found = json.loads((built / "ledger.json").read_text())["tried"]
        assert found == {
            "source": "samples",
            "name": "own.npz",
            "sha256": digest,
            "count": 4,
            "note": "",
            "accuracy": 0.75,
        }
        assert cli.main(["verify", str(built), "--samples", str(built / "others.npz")]) == 0
        assert (
            f"; the build used 6 others, samples of own.npz, SHA-256 {digest[:16]}... (pass them with"
            " --samples)" in capsys.readouterr().out
        )
        assert json.loads((built / "ledger.json").read_text())["tried"]["accuracy"] is None
        assert cli.main(["verify", str(built), "--images", "2"]) == 0
        assert (
            "2 random images: seed 0, pixels of 0 ... 255; the model names no known data set; the build used"
            " 6 others" in capsys.readouterr().out
        )

    def test_random_images_are_those_of_the_build(self, built):
        """Their pixels are of what the network was trained on, as the build's."""
        report = json.loads((built / "report.json").read_text())
        report["model"] |= {"dataset": None, "pixel_range": [3, 16]}
        (built / "report.json").write_text(json.dumps(report))
        net = Built(built).network
        own = trial_images.choose(network=net, trained_on={"pixel_range": (3, 16)}, count=40, seed=5)
        got = images(built, count=40).images
        assert np.array_equal(got, own.images) and (got.min(), got.max()) == (3, 16)

    def test_a_test_set_is_looked_for_though_the_build_had_none(self, built, monkeypatch):
        report = json.loads((built / "report.json").read_text())
        report["model"] |= {"dataset": "mnist"}
        (built / "report.json").write_text(json.dumps(report))
        net = Built(built).network
        pixels, labels = np.zeros((9, *net.image_shape), np.uint8), np.zeros(9, int)
        monkeypatch.setattr(data, "load", lambda dataset, folder: (None, None, pixels, labels))
        found = trials_of(Built(built), images=4, data="a folder")
        assert (found.tried.source, found.tried.name, len(found.images)) == ("test set", "mnist", 4)

    def test_nothing_given(self, capsys):
        assert cli.main(["verify"]) == 1
        assert capsys.readouterr().err.startswith(
            "error: an output folder of `sbgen build`, or --bitstream FILE, must be given"
        )

    def test_another_model(self, built, capsys):
        (built / "other.pt").write_bytes(b"")
        assert cli.main(["verify", str(built), "--model", str(built / "other.pt")]) == 1
        assert "--model must be the file that" in capsys.readouterr().err


def test_a_compared_score_names_image_and_class():
    expected = np.array([[1, 2], [3, 4], [5, 6]])
    other = expected.copy()
    other[1:, 1] = -4
    require_equal(expected, expected)
    with pytest.raises(
        ScoreError, match=r"scores, image 1, output 1: expected 4, found -4 \(2 of 6 scores differ\)"
    ):
        require_equal(other, expected)


class TestSelfTest:
    """Builds whose LED says what they found."""

    @pytest.fixture
    def tested(self, built, monkeypatch):
        """The build as one that tests itself with its first three images, by Icarus."""
        loaded = Built(built)
        stored = images(built, 4).images[:3]
        top = SelfTestTop(
            core=loaded.core(),
            board=loaded.board,
            parameters=stored_images.parameters(loaded.design, stored, store="lut"),
            clock_mhz=12,
        )
        (built / "top.v").write_text(verilog.convert(top))
        report = json.loads((built / "report.json").read_text())
        about = {"places": [0, 1, 2], "store": "lut", "signature": f"{top.parameters.signature:08x}"}
        (built / "report.json").write_text(json.dumps(report | {"self_test": about}))
        monkeypatch.setattr(self_test, "simulator", lambda: "icarus")
        return built

    @found("iverilog")
    def test_lights_for_its_weights_alone(self, tested):
        note = pins_level.emitted(whole(tested, count=4), Shown())
        assert note.startswith("the LED lights after all 3 stored images and stays on, and stays dark when")

    @found("iverilog")
    def test_another_weight_is_noticed(self, tested):
        build = whole(tested, count=4)
        other = self_test._top(build, self_test._one_weight_off(build.built.design))
        (tested / "top.v").write_text(verilog.convert(other))
        with pytest.raises(LevelError, match="must light after all stored images, but stays dark"):
            pins_level.emitted(build, Shown())

    @found("iverilog")
    def test_a_test_that_notices_nothing(self, tested, monkeypatch):
        monkeypatch.setattr(self_test, "_one_weight_off", lambda design: design)
        with pytest.raises(LevelError, match="must stay dark when one weight of the last layer is another"):
            pins_level.emitted(whole(tested, count=4), Shown())

    def test_other_images(self, tested):
        with pytest.raises(SkippedError, match="up to number 2, but 2 are tried; give --images 3"):
            pins_level.emitted(whole(tested, count=2), Shown())

    def test_another_signature(self, tested):
        report = json.loads((tested / "report.json").read_text())
        report["self_test"]["signature"] = "0" * 8
        (tested / "report.json").write_text(json.dumps(report))
        with pytest.raises(LevelError, match="expected the signature [0-9a-f]{8}, found 00000000"):
            pins_level.emitted(whole(tested, count=4), Shown())
