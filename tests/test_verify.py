import hashlib
import json
from types import SimpleNamespace

import numpy as np
import pytest
from test_waveform import always_on, core_of, network

from sbgen import cli, report_html, samples, tools, trial_images
from sbgen.boards import pins
from sbgen.commands import verify
from sbgen.compiler import design_file, exchange, reference, verilog
from sbgen.compiler.design import Design
from sbgen.compiler.folding import Folding
from sbgen.compiler.simulate import HardwareError
from sbgen.console import Console
from sbgen.errors import BoardError, ModelError, ToolError
from sbgen.ledger import RungError, SkippedError, climb
from sbgen.train import data


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
    design = Design(
        network=net,
        foldings=tuple(Folding(pe=pe, simd=simd) for pe, simd in ((2, 2), (2, 1), (3, 8), (1, 7))),
    )
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
                "accuracy": {"dataset": None},
                "files": files,
            }
        )
    )
    return tmp_path


def images(folder, count=3):
    arguments = type("Arguments", (), {"images": count, "data": None, "samples": None, "seed": 5})
    return verify._tests(arguments, verify.Built.load(folder))


class Shown:
    title = "a rung"

    def progress(self, done, total):
        pass


class TestClimb:
    def test_each_outcome_and_all_rungs(self, capsys):
        def raises(error):
            def show(step):
                raise error

            return show

        entries = climb(
            [
                ("right", lambda step: "all equal"),
                ("wrong", raises(RungError("hidden, image 3"))),
                ("missing", raises(ToolError("no tool"))),
                ("skipped", raises(SkippedError("not built"))),
                ("hangs", raises(HardwareError("nothing moved"))),
                ("damaged", raises(BoardError("cut off"))),
            ],
            console=Console(),
        )
        assert [(entry.rung, entry.status, entry.note) for entry in entries] == [
            ("right", "PASS", "all equal"),
            ("wrong", "FAIL", "hidden, image 3"),
            ("missing", "not run", "no tool"),
            ("skipped", "not run", "not built"),
            ("hangs", "FAIL", "nothing moved"),
            ("damaged", "FAIL", "cut off"),
        ]

    def test_a_defect_of_ours_keeps_its_trace(self):
        with pytest.raises(ZeroDivisionError):
            climb([("ours", lambda step: 1 // 0)], console=Console())


class TestFiles:
    def test_as_built(self, built):
        assert verify._files(verify.Built.load(built)) == "3 files have the SHA-256 of the report"

    def test_changed(self, built):
        (built / "core.v").write_text("module top; endmodule\n")
        with pytest.raises(RungError, match="core.v is not the one that was built: expected SHA-256"):
            verify._files(verify.Built.load(built))

    @pytest.mark.parametrize("name", ["core.v", "network.json", "design.json"])
    def test_a_report_that_lacks_a_digest(self, built, name):
        report = json.loads((built / "report.json").read_text())
        del report["files"][name]
        (built / "report.json").write_text(json.dumps(report))
        with pytest.raises(ModelError, match=f"report.json must have the SHA-256 of {name}, but it has none"):
            verify._files(verify.Built.load(built))

    @pytest.mark.parametrize("files", [[], None, "none", 3])
    def test_a_report_whose_digests_are_no_digests(self, built, files):
        (built / "report.json").write_text(
            json.dumps(json.loads((built / "report.json").read_text()) | {"files": files})
        )
        with pytest.raises(ModelError, match="report.json must be that of a build, but it is damaged"):
            verify.Built.load(built)

    def test_no_build(self, tmp_path):
        with pytest.raises(
            ModelError, match="must be a folder of `sbgen build`, but its report.json cannot be read: No such"
        ):
            verify.Built.load(tmp_path)

    def test_damaged_report(self, tmp_path):
        (tmp_path / "report.json").write_text("{")
        with pytest.raises(ModelError, match="report.json must be that of a build, but it is damaged"):
            verify.Built.load(tmp_path)


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
                verify._origin(verify.Built.load(packed), packed / name)
                == "it has the SHA-256 of top.bin in the report"
            )

    def test_any_flipped_bit(self, packed):
        rng, whole = np.random.default_rng(1), (packed / "top.bin").read_bytes()
        for bit in rng.choice(8 * len(whole), 200, replace=False):
            flipped = bytearray(whole)
            flipped[bit // 8] ^= 1 << bit % 8
            (packed / "top.bin").write_bytes(flipped)
            with pytest.raises(RungError, match="top.bin is not this build's: expected SHA-256"):
                verify._origin(verify.Built.load(packed), packed / "top.bin")

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
            verify._origin(verify.Built.load(packed), packed / "top.bin")


class TestCore:
    def test_amaranth_passes(self, built):
        note = verify._amaranth(verify.Built.load(built), images(built), Shown())
        assert note.startswith("all 9 scores of 3 images equal the reference (Amaranth")

    def test_amaranth_names_the_layer(self, built, monkeypatch):
        """The hardware is that of a network with one wrong threshold."""
        broken = always_on(network(), "conv", 0)
        monkeypatch.setattr(verify.Built, "core", lambda self: core_of(broken))
        tests = images(built)
        with pytest.raises(
            RungError,
            match=r"conv, image 0, index \(\d, \d, 0\): expected 0, found 1; behind it scores, image 0, "
            r"output \d: expected -?\d+, found -?\d+ \(\d+ of 9 scores differ\); waveform: .*waves\.vcd",
        ):
            verify._amaranth(verify.Built.load(built), tests, Shown())
        assert (built / "verify" / "a-rung" / "waves.vcd").stat().st_size > 1000

    @found("iverilog")
    def test_verilog_names_the_layer(self, built):
        (built / "core.v").write_text(verilog.convert(core_of(always_on(network(), "conv", 0))))
        with pytest.raises(
            RungError, match=r"conv, image 0, index \(\d, \d, 0\): expected 0, found 1; .* waveform: "
        ):
            verify._core(verify.Built.load(built), images(built), "icarus", Shown())


class TestPins:
    """A board of which something is another: what is asked through the pins must be the network's."""

    @pytest.fixture
    def ask(self, built, monkeypatch):
        """What the rung says of a board whose answers `change` has been at."""
        loaded, tests = verify.Built.load(built), images(built, count=4)

        def said(change=lambda answers: None):
            class Pins:
                def __init__(self, text, network, *, waves, folder, **settings):
                    assert (text, network.name) == ("the top level", loaded.network.name) and settings[
                        "divisor"
                    ] == loaded.top.divisor

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

            monkeypatch.setattr(pins, "Pins", Pins)
            monkeypatch.setattr(verify, "_simulator", lambda: "icarus")
            return verify._pins(loaded, tests, lambda: "the top level", Shown())

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
            RungError, match="the board tells another network: expected [0-9a-f]{16}, found [0-9a-f]{16}"
        ):
            ask(change)

    @pytest.mark.parametrize("image", range(4))
    def test_another_class(self, ask, image):
        def change(answers):
            answers.labels[image] = (answers.labels[image] + 1) % 3

        with pytest.raises(RungError, match=rf"class, image {image}: expected \d, found \d"):
            ask(change)

    @pytest.mark.parametrize("image", range(4))
    def test_another_score(self, ask, image):
        def change(answers):
            if image < len(answers.scores):
                answers.scores[image, image % 3] += 1

        with pytest.raises(
            RungError,
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
            pages[0]["ledger"]["images"] == "2 random images: seed 1, pixels of 0 ... 255; asked for"
            and (built / "report.html").read_text() == "the page"
        )
        assert pages[0] == {"ledger": json.loads((built / "ledger.json").read_text())}
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
        monkeypatch.setattr(verify, "_amaranth", lambda *_: "skipped here")
        monkeypatch.setattr(verify, "_core", lambda *_: "skipped here")
        monkeypatch.setattr(report_html, "page", lambda report, **found: "")
        (built / "core.v").write_text("")
        assert cli.main(["verify", str(built), "--images", "1"]) == 1
        assert "FAIL     files of the build" in capsys.readouterr().out

    def test_samples_are_those_of_the_build_or_others(self, built, capsys, monkeypatch):
        monkeypatch.setattr(
            tools, "find", lambda name: (_ for _ in ()).throw(ToolError(f"{name} is not installed"))
        )
        monkeypatch.setattr(report_html, "page", lambda report, **found: "")
        net = verify.Built.load(built).network
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
            f"; the build had 6 others, samples of own.npz, SHA-256 {digest[:16]}... (give them with"
            " --samples)" in capsys.readouterr().out
        )
        assert json.loads((built / "ledger.json").read_text())["tried"]["accuracy"] is None
        assert cli.main(["verify", str(built), "--images", "2"]) == 0
        assert (
            "2 random images: seed 0, pixels of 0 ... 255; the model names no known data set; the build had 6"
            " others" in capsys.readouterr().out
        )

    def test_random_images_are_those_of_the_build(self, built):
        """Their pixels are of what the network was trained on, as the build's."""
        report = json.loads((built / "report.json").read_text())
        report["model"] |= {"dataset": None, "pixel_range": [3, 16]}
        (built / "report.json").write_text(json.dumps(report))
        net = verify.Built.load(built).network
        own = trial_images.choose(
            network=net, samples_file=None, dataset=None, data=None, count=40, pixel_range=(3, 16), seed=5
        )
        got = images(built, count=40).images
        assert np.array_equal(got, own.images) and (got.min(), got.max()) == (3, 16)

    def test_a_test_set_is_looked_for_though_the_build_had_none(self, built, monkeypatch):
        report = json.loads((built / "report.json").read_text())
        report["model"] |= {"dataset": "mnist"}
        (built / "report.json").write_text(json.dumps(report))
        net = verify.Built.load(built).network
        pixels, labels = np.zeros((9, *net.image_shape), np.uint8), np.zeros(9, int)
        monkeypatch.setattr(data, "load", lambda dataset, folder: (None, None, pixels, labels))
        arguments = type("Arguments", (), {"images": 4, "data": "a folder", "samples": None, "seed": None})
        found = verify._tests(arguments, verify.Built.load(built))
        assert (found.tried.source, found.tried.name, len(found.images)) == ("test set", "mnist", 4)

    def test_nothing_given(self, capsys):
        assert cli.main(["verify"]) == 1
        assert capsys.readouterr().err.startswith(
            "error: a folder of `sbgen build`, or --bitstream FILE, must be given"
        )

    def test_another_model(self, built, capsys):
        (built / "other.pt").write_bytes(b"")
        assert cli.main(["verify", str(built), "--model", str(built / "other.pt")]) == 1
        assert "--model must be the file that" in capsys.readouterr().err


def test_a_compared_score_names_image_and_class():
    expected = np.array([[1, 2], [3, 4], [5, 6]])
    other = expected.copy()
    other[1:, 1] = -4
    verify._compare(expected, expected)
    with pytest.raises(
        verify._Wrong, match=r"scores, image 1, output 1: expected 4, found -4 \(2 of 6 scores differ\)"
    ):
        verify._compare(other, expected)
