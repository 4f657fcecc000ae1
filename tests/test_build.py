"""`sbgen build` from its command line to its files; place and route and the simulators have benches of their
own in sim/.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from types import SimpleNamespace

import numpy as np
import pytest
from processes import started

from sbgen import cli, folding, samples, verdict
from sbgen.boards import flash_image, flow, harness
from sbgen.compiler import design_file, exchange, fast_reference, reference, simulate
from sbgen.compiler.ir import Binarize, Dense, Network, Scores
from sbgen.compiler.lower import lower
from sbgen.errors import FitError, ToolError
from sbgen.tools import find

try:
    find("yosys")
except ToolError as error:
    pytest.skip(f"Verilog needs yosys: {error}", allow_module_level=True)

FILES = ["core.v", "design.json", "network.json", "report.html", "report.json", "top.v"]


def network(*, hidden=12, seed=3):
    rng = np.random.default_rng(seed)
    return Network(
        name="tiny",
        image_shape=(4, 5),
        labels=("a", "b", "c"),
        layers=(
            Binarize(name="input", thresholds=rng.integers(1, 256, (20, 2))),
            Dense(
                name="hidden",
                weights=rng.integers(0, 2, (hidden, 40)),
                thresholds=rng.integers(15, 25, hidden),
            ),
            Scores(name="scores", weights=rng.integers(0, 2, (3, hidden)), offsets=np.array([0, -2, 1])),
        ),
    )


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "tiny.json"
    exchange.save(network(), path)
    return path


def build(model, out, *options):
    return cli.main(
        [
            "build",
            "--model",
            str(model),
            "--board",
            "icebreaker",
            "--out",
            str(out),
            "--no-bitstream",
            *options,
        ]
    )


def fake_simulation(monkeypatch, *, change=None, wait=False):
    """Let the reference play the simulator; `change` may spoil its scores. The images of each run are in the
    list returned.
    """
    seen = []

    def run(text, network, images, *, lanes, simulator, top_k, results, ram_contents, progress):
        seen.append(images)
        assert "module top(" in text and results == network.outputs
        scores, _ = reference.evaluate(network, images)
        ranked = reference.ranked(scores, top_k)
        if change is not None:
            change(scores)
        while wait:
            progress(0, 1)
            time.sleep(0.01)
        return SimpleNamespace(
            scores=scores,
            ranked=ranked,
            labels=ranked[:, 0],
            simulator="the reference itself",
            latency_cycles=9,
            interval_cycles=8,
        )

    monkeypatch.setattr(simulate, "simulate", run)
    monkeypatch.setattr(simulate, "quickest", lambda network, images: "the reference")
    return seen


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_files_and_their_digests(model, tmp_path, monkeypatch, capsys):
    fake_simulation(monkeypatch)
    assert build(model, tmp_path / "out", "--images", "40") == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert sorted(contents(tmp_path / "out")) == FILES
    assert report["files"] == {
        name: hashlib.sha256(content).hexdigest()
        for name, content in contents(tmp_path / "out").items()
        if not name.startswith("report.")
    }
    assert report["verdict"]["images"] == 40 and report["verdict"]["scores"] == 120
    assert exchange.load(tmp_path / "out" / "network.json") == network()
    shown = capsys.readouterr().out
    assert shown.isascii() and "exact: 40 random images" in shown and "4x5x2 -> 12" in shown


def own_samples(folder, *, wrong=3):
    """Samples with labels, of which the reference has all but some right."""
    images = np.random.default_rng(11).integers(0, 256, (50, 4, 5)).astype(np.uint8)
    labels = reference.evaluate(network(), images)[1]
    labels[:wrong] = (labels[:wrong] + 1) % 3
    np.savez(folder / "own.npz", images=images, labels=labels)
    return images, labels


def test_samples_are_what_is_simulated_and_counted(model, tmp_path, monkeypatch, capsys):
    images, labels = own_samples(tmp_path)
    simulated = fake_simulation(monkeypatch)
    assert build(model, tmp_path / "out", "--samples", str(tmp_path / "own.npz"), "--images", "20") == 0
    assert np.array_equal(simulated[0], images[:20])
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["images"] == {
        "source": "samples",
        "name": "own.npz",
        "sha256": samples.digest(images, labels),
        "count": 50,
        "note": "",
    }
    accuracy = report["accuracy"]
    assert (accuracy["integer"], accuracy["integer_rtl_images"], accuracy["rtl"], accuracy["images"]) == (
        0.94,
        0.85,
        0.85,
        50,
    )
    assert accuracy["dataset"] is None
    found = reference.evaluate(network(), images)[1]
    assert accuracy["confusion"] == [
        [int(((labels == true) & (found == each)).sum()) for each in range(3)] for true in range(3)
    ]
    shown = capsys.readouterr().out
    assert "50 samples of own.npz, SHA-256 " in shown and "exact: 20 samples in" in shown
    assert "integer 94.00%, rtl 85.00% (20 images, where integer is 85.00%)" in shown and "mistakes" in shown


def test_random_images_are_said_to_be_random(model, tmp_path, monkeypatch, capsys):
    fake_simulation(monkeypatch)
    assert build(model, tmp_path / "out", "--images", "40") == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["images"] == {
        "source": "random images",
        "name": None,
        "sha256": None,
        "count": 40,
        "note": "seed 0, pixels of 0 ... 255; the model names no known data set",
    }
    assert (
        report["accuracy"]["integer"] is report["accuracy"]["rtl"] is report["accuracy"]["confusion"] is None
    )
    shown = capsys.readouterr().out
    assert "images             40 random images: seed 0" in shown and "accuracy" not in shown
    assert "40 random images ran through" in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.parametrize(
    "images", [np.zeros((3, 5, 4), np.uint8), np.zeros((3, 4, 5)), np.zeros((0, 4, 5), np.uint8)]
)
def test_samples_that_are_none_write_nothing(model, tmp_path, images, capsys):
    np.savez(tmp_path / "own.npz", images=images)
    assert build(model, tmp_path / "out", "--no-sim", "--samples", str(tmp_path / "own.npz")) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {tmp_path / 'own.npz'}, images must") and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_samples_or_a_data_set(model, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        build(model, tmp_path / "out", "--samples", "x.npz", "--data", ".")
    assert ended.value.code == 2 and "not allowed with argument" in capsys.readouterr().err


def test_same_input_gives_the_same_bytes(model, tmp_path):
    for seed in "1", "2":
        subprocess.run(
            [
                sys.executable,
                "-m",
                "sbgen",
                "build",
                "--model",
                model,
                "--board",
                "icebreaker",
                "--no-sim",
                "--no-bitstream",
                "--out",
                tmp_path / seed,
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


@pytest.mark.parametrize("simulators", [{}, {"SBGEN_IVERILOG": "no-such", "SBGEN_VERILATOR": "no-such"}])
def test_nothing_is_printed_to_standard_error(model, tmp_path, simulators):
    """Such as a warning about a component that was created and never used."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "sbgen", "build", "--model", model, "--board", "icebreaker"),
            *("--no-bitstream", "--images", "2", "--pe", "1,1", "--simd", "1,1", "--out", tmp_path / "out"),
        ],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **simulators},
    )
    assert done.stderr == "" and "scores equal the reference" in done.stdout


def foldings(folder):
    return {
        name: (folding["pe"], folding["simd"])
        for name, folding in json.loads((folder / "design.json").read_text())["layers"].items()
    }


def test_folding_by_hand(model, tmp_path):
    assert build(model, tmp_path / "out", "--no-sim", "--pe", "5,2", "--simd", "7,3") == 0
    assert foldings(tmp_path / "out")["hidden"] == (5, 7)
    assert foldings(tmp_path / "out")["scores"] == (2, 3)


def test_folding_of_layers_by_name(model, tmp_path):
    assert build(model, tmp_path / "out", "--no-sim", "--pe", "hidden=4", "--simd", "input=3,hidden=6") == 0
    assert foldings(tmp_path / "out")["hidden"] == (4, 6)
    assert foldings(tmp_path / "out")["input"] == (6, 3)


def test_design_file_of_an_earlier_build(model, tmp_path):
    assert build(model, tmp_path / "a", "--no-sim", "--pe", "5,2", "--simd", "7,3") == 0
    assert build(model, tmp_path / "b", "--no-sim", "--design", str(tmp_path / "a" / "design.json")) == 0
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_weights_in_spram_are_a_file_of_their_own(model, tmp_path, monkeypatch):
    assert build(model, tmp_path / "a", "--no-sim", "--pe", "5,2", "--simd", "7,3") == 0
    chosen = json.loads((tmp_path / "a" / "design.json").read_text())
    chosen["layers"]["hidden"]["store"] = "spram"
    (tmp_path / "design.json").write_text(json.dumps(chosen))
    assert build(model, tmp_path / "b", "--no-sim", "--design", str(tmp_path / "design.json")) == 0
    made = lower(design_file.load(tmp_path / "design.json", network()))
    assert contents(tmp_path / "b")["weights.bin"] == flash_image.weight_bytes(made.ram_contents)
    assert "load__data" in contents(tmp_path / "b")["core.v"].decode()
    report = json.loads((tmp_path / "b" / "report.json").read_text())
    # Three for the weights, and one for the requests of the host link.
    assert report["estimate"]["spram"] == 4 and report["model"]["layers"][1]["store"] == "spram"
    assert "weights.bin" in report["files"]
    # Without SPRAM none is left behind.
    assert build(model, tmp_path / "b", "--no-sim", "--design", str(tmp_path / "a" / "design.json")) == 0
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


class TestWithoutASimulatorOfVerilog:
    @pytest.fixture(autouse=True)
    def none(self, monkeypatch):
        monkeypatch.setenv("SBGEN_IVERILOG", "no-such-program")
        monkeypatch.setenv("SBGEN_VERILATOR", "no-such-program")

    def test_amaranths_own_is_used_and_one_line_says_so(self, model, tmp_path, capsys):
        assert build(model, tmp_path / "out", "--pe", "1,1", "--simd", "1,1") == 0
        report = json.loads((tmp_path / "out" / "report.json").read_text())
        verdict, images = report["verdict"], 3000 // report["timing"]["cycles_per_image"]
        assert (verdict["status"], verdict["images"], verdict["scores"]) == ("exact", images, 3 * images)
        assert verdict["simulator"].startswith("Amaranth ")
        assert verdict["cycles_per_image"] == report["timing"]["cycles_per_image"]
        shown = capsys.readouterr().out.splitlines()
        (line,) = [line for line in shown if "no simulator of Verilog can run" in line]
        assert "SBGEN_IVERILOG" in line and "SBGEN_VERILATOR" in line
        assert line.endswith(f"; Amaranth's simulator runs {images} images on the components instead")
        assert f"exact: {images} random images in Amaranth" in "\n".join(shown)
        page = " ".join((tmp_path / "out" / "report.html").read_text().split())
        assert "the components of the core in Amaranth" in page and "emitted Verilog in Amaranth" not in page

    def test_a_wrong_score_is_an_error_there_too(self, model, tmp_path, monkeypatch, capsys):
        evaluate = reference.evaluate
        for module in reference, fast_reference:
            monkeypatch.setattr(
                module, "evaluate", lambda *settings: (evaluate(*settings)[0] + 1, evaluate(*settings)[1])
            )
        assert build(model, tmp_path / "other") == 1
        assert "the hardware must compute the reference's scores" in capsys.readouterr().err

    @pytest.mark.parametrize(
        "cycles, options, why",
        [
            (1, [], "Amaranth's simulator is too slow for "),
            (3000, ["--patchable"], "Amaranth's simulator does not know the cells of patchable ROMs"),
        ],
    )
    def test_where_it_cannot_run_either_the_build_says_so(
        self, model, tmp_path, monkeypatch, capsys, cycles, options, why
    ):
        monkeypatch.setattr(verdict, "AMARANTH_CYCLES", cycles)
        assert build(model, tmp_path / "out", *options) == 0
        found = json.loads((tmp_path / "out" / "report.json").read_text())["verdict"]
        assert found["status"] == "not run" and "SBGEN_IVERILOG" in found["reason"] and why in found["reason"]
        assert "not simulated: no simulator of Verilog can run" in capsys.readouterr().out


def test_a_wrong_path_of_samples_is_named_before_the_design_is_folded(model, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(folding, "fold", None)
    assert build(model, tmp_path / "out", "--samples", str(tmp_path / "no-such.npz")) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ") and "no-such.npz" in captured.err
    assert "failed   read the images" in captured.out and "fold" not in captured.out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--pe", "4"], "--pe must be 2 numbers, one for each of hidden, scores"),
        (["--pe", "4,x"], "layer 'scores' must have a count, not 'x'"),
        (["--pe", "hiden=4"], "the layers are input, hidden, scores, not 'hiden'"),
        (["--simd", "0,1"], "layer 'hidden': simd must be an integer of at least 1, not 0"),
        (["--pe", "13,1"], "layer 'hidden': pe must be in 1 ... 12, not 13"),
        (["--design", "no-such-file"], "no-such-file"),
        (["--board", "icebraker"], "icebreaker"),
        (["--model", "no-such-model.pt"], "no-such-model.pt"),
        (["--fps", "100000000"], "leaves 0 cycles of 48 MHz per image"),
        (["--clock", "5000"], "5000"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(model, tmp_path, options, message, capsys):
    assert build(model, tmp_path / "out", "--no-sim", *options) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and message in error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny.json"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--images", "0"], "must be an integer of at least 1, or all, not '0'"),
        (["--images", "some"], "must be an integer of at least 1, or all, not 'some'"),
        (["--clock", "-1"], "must be a number above 0, not '-1'"),
        (["--fps", "nan"], "must be a number above 0, not 'nan'"),
    ],
)
def test_wrong_usage(model, tmp_path, options, message, capsys):
    with pytest.raises(SystemExit) as ended:
        build(model, tmp_path / "out", *options)
    assert ended.value.code == 2 and message in capsys.readouterr().err


def test_too_big_for_the_board_ends_before_any_tool_runs(tmp_path, capsys, monkeypatch):
    rng = np.random.default_rng(0)
    exchange.save(
        Network(
            name="big",
            image_shape=(784,),
            labels=("a", "b"),
            layers=(
                Binarize(name="input", thresholds=np.full((784, 1), 128)),
                Dense(name="hidden", weights=rng.integers(0, 2, (1600, 784)), thresholds=np.full(1600, 392)),
                Scores(name="scores", weights=rng.integers(0, 2, (2, 1600)), offsets=np.zeros(2, int)),
            ),
        ),
        tmp_path / "big.json",
    )
    monkeypatch.setenv("SBGEN_YOSYS", "no-such-program")
    assert build(tmp_path / "big.json", tmp_path / "out") == 1
    error = capsys.readouterr().err
    assert (
        "does not fit up5k" in error
        and "block RAMs" in error
        and "the board ulx3s_45f would hold it" in error
    )
    assert not (tmp_path / "out").exists()


def test_a_wrong_score_is_an_error_and_the_earlier_build_stays(model, tmp_path, monkeypatch, capsys):
    fake_simulation(monkeypatch)
    assert build(model, tmp_path / "out") == 0
    before = contents(tmp_path / "out")

    def spoil(scores):
        scores[7, 2] -= 1

    fake_simulation(monkeypatch, change=spoil)
    assert build(model, tmp_path / "out", "--pe", "hidden=1") == 1
    assert "image 7, output 2 has" in capsys.readouterr().err
    assert contents(tmp_path / "out") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "tiny.json"]


def test_failed_place_and_route_ends_the_simulation_too(model, tmp_path, monkeypatch, capsys):
    def fail(plan, *, folder, console, logs, cache, jobs):
        raise FitError("the design must run at 48 MHz")

    monkeypatch.setattr(flow, "implement", fail)
    monkeypatch.setattr(flow, "plan", lambda **settings: None if settings is None else "a plan")
    fake_simulation(monkeypatch, wait=True)
    assert (
        cli.main(["build", "--model", str(model), "--board", "icebreaker", "--out", str(tmp_path / "out")])
        == 1
    )
    captured = capsys.readouterr()
    assert captured.err == "error: the design must run at 48 MHz\n" and "stopped" in captured.out
    assert not (tmp_path / "out").exists()


class PlaceAndRoute:
    """A flow that reaches a given Fmax at most, whatever the design."""

    def __init__(self, monkeypatch, fmax_mhz=38.0):
        self.clocks, self.fmax_mhz = [], fmax_mhz
        monkeypatch.setattr(
            flow,
            "plan",
            lambda *, board, clock_mhz, every_seed, **settings: SimpleNamespace(
                board=board, clock_mhz=harness.clock_and_pll(board, clock_mhz)[0], every_seed=every_seed
            ),
        )
        monkeypatch.setattr(flow, "implement", self.implement)

    def implement(self, plan, *, folder, console, logs, cache, jobs):
        self.clocks.append(plan.clock_mhz)
        trials = (flow.Trial(clock_mhz=plan.clock_mhz, seed=1, fmax_mhz=self.fmax_mhz),)
        if plan.clock_mhz > self.fmax_mhz:
            raise flow.ClockError("38 MHz were reached; try --clock 36", clock_mhz=36, trials=trials)
        (folder / "top.bin").write_bytes(b"%g" % plan.clock_mhz)
        (folder / "layout.gz").write_bytes(b"a layout")
        used = {name: {"used": 1, "available": 2} for name in ("lut", "ff", "bram", "spram", "dsp")}
        return flow.Implementation(
            bitstream=folder / "top.bin",
            netlists=(),
            layout=folder / "layout.gz",
            clock_mhz=plan.clock_mhz,
            fmax_mhz=self.fmax_mhz,
            resources=used,
            tools={"nextpnr": "a version"},
            seed=1,
            trials=trials,
            digest="ab",
        )


def build_bitstream(model, out, *options):
    code = cli.main(["build", "--model", str(model), "--board", "icebreaker", "--out", str(out), *options])
    return code, code or json.loads((out / "report.json").read_text())


def test_the_usual_clock_is_lowered_to_what_is_reached(model, tmp_path, monkeypatch, capsys):
    slow = PlaceAndRoute(monkeypatch)
    fake_simulation(monkeypatch)
    _, report = build_bitstream(model, tmp_path / "out")
    assert slow.clocks == [48, 36] and "once more for 36 MHz" in capsys.readouterr().out
    assert report["timing"]["clock_mhz"] == 36
    assert report["timing"]["trials"] == [
        {"clock_mhz": 48, "seed": 1, "fmax_mhz": 38.0},
        {"clock_mhz": 36, "seed": 1, "fmax_mhz": 38.0},
    ]
    assert report["timing"]["images_per_second"] == 36e6 / report["timing"]["cycles_per_image"]
    assert report["files"]["top.bin"] == hashlib.sha256(b"36").hexdigest()


def test_weights_in_spram_lie_behind_the_bitstream(model, tmp_path, monkeypatch):
    PlaceAndRoute(monkeypatch, fmax_mhz=50.0)
    (tmp_path / "design.json").write_text(
        json.dumps(
            {
                "layers": {
                    "input": {"pe": 2, "simd": 1},
                    "hidden": {"pe": 5, "simd": 7, "store": "spram"},
                    "scores": {"pe": 1, "simd": 1},
                }
            }
        )
    )
    build_bitstream(model, tmp_path / "out", "--no-sim", "--design", str(tmp_path / "design.json"))
    made = contents(tmp_path / "out")
    assert made["top.bin"] == flash_image.combine(b"48", made["weights.bin"]) and made["weights.bin"]


def test_the_best_clock_climbs_to_fmax_less_its_margin(model, tmp_path, monkeypatch):
    quick = PlaceAndRoute(monkeypatch, fmax_mhz=51.0)
    fake_simulation(monkeypatch)
    _, report = build_bitstream(model, tmp_path / "out", "--clock", "best")
    assert quick.clocks == [48, 49.5] and report["timing"]["clock_mhz"] == 49.5
    # What is written is the top level of that clock: its digest is that of a build that asks for it.
    _, asked = build_bitstream(model, tmp_path / "asked", "--clock", "49.5")
    assert asked["files"] == report["files"]


def test_a_climb_that_fails_ends_with_the_best_so_far(model, tmp_path, monkeypatch):
    flaky = PlaceAndRoute(monkeypatch, fmax_mhz=50.0)
    monkeypatch.setattr(flow, "fastest", lambda board, fmax_mhz: 60.0)
    fake_simulation(monkeypatch)
    _, report = build_bitstream(model, tmp_path / "out", "--clock", "best")
    assert flaky.clocks == [48, 60] and report["timing"]["clock_mhz"] == 48
    assert (tmp_path / "out" / "top.bin").read_bytes() == b"48"


@pytest.mark.parametrize("wish", [("--clock", "48"), ("--fps", "4000000")])
def test_a_clock_or_rate_that_was_asked_for_is_not_lowered(model, tmp_path, monkeypatch, capsys, wish):
    PlaceAndRoute(monkeypatch)
    fake_simulation(monkeypatch)
    assert build_bitstream(model, tmp_path / "out", *wish) == (1, 1)
    assert capsys.readouterr().err == "error: 38 MHz were reached; try --clock 36\n"
    assert not (tmp_path / "out").exists()


@pytest.fixture
def interruptible():
    """Ctrl-C reaches processes started here, also where the tests run in a shell's background, which ignores
    it.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("ending", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_kill_in_the_middle_leaves_the_earlier_build(model, tmp_path, ending, code, interruptible):
    out = tmp_path / "out"
    assert build(model, out, "--no-sim") == 0
    before = contents(out)
    # A simulator that never ends holds the build in its middle, however fast the machine is.
    stuck = tmp_path.parent / f"{tmp_path.name}-stuck.py"
    stuck.write_text(
        "import sys, time\nprint('version 12.0')\n"
        "while not {'-V', '--version'} & set(sys.argv): time.sleep(60)\n"
    )
    simulators = {f"SBGEN_{name}": f"{sys.executable} {stuck}" for name in ("IVERILOG", "VVP", "VERILATOR")}
    with start(model, out, "--pe", "hidden=1", env={**os.environ, **simulators}) as process:
        while not list(tmp_path.glob(".out.*.part/core.v")) and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(ending)
        assert process.wait() == code
    if ending == signal.SIGKILL:
        (out / ".sbgen.lock").unlink()  # the next build would remove it
    assert contents(out) == before
    assert build(model, out, "--no-sim") == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "tiny.json"]


def start(model, out, *options, env=None):
    """A build in a process of its own, without a bitstream, which ends with the block."""
    return started(
        [
            sys.executable,
            "-m",
            "sbgen",
            "build",
            "--model",
            model,
            "--board",
            "icebreaker",
            "--out",
            out,
            "--no-bitstream",
            *options,
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=env,
    )


def is_one_build(out, networks):
    """Whether a folder holds all files of one build, of one of the networks."""
    report = json.loads((out / "report.json").read_text())
    found = contents(out)
    assert sorted(found) == FILES
    digests = {
        name: hashlib.sha256(content).hexdigest()
        for name, content in found.items()
        if not name.startswith("report.")
    }
    return report["files"] == digests and exchange.load(out / "network.json") in networks


def test_builds_at_the_same_time_into_one_folder(tmp_path):
    networks = [network(hidden=8 + n, seed=n) for n in range(3)]
    for n, each in enumerate(networks):
        exchange.save(each, tmp_path / f"{n}.json")
    with ExitStack() as stack:
        builds = [
            stack.enter_context(start(tmp_path / f"{n}.json", tmp_path / "out", "--no-sim")) for n in range(3)
        ]
        ended = [(build.communicate()[1], build.returncode) for build in builds]
    print(ended)
    for error, code in ended:
        assert (
            code == 0
            and not error
            or code == 1
            and "is in use by another build" in error
            and error.count("\n") == 1
        )
    assert 0 in {code for _, code in ended}
    assert is_one_build(tmp_path / "out", networks)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.json", "1.json", "2.json", "out"]


@pytest.mark.slow
def test_kill_at_a_random_moment_leaves_one_build(tmp_path):
    out, whole = tmp_path / "out", []
    for n in range(2):
        exchange.save(network(hidden=8 + n, seed=n), tmp_path / f"{n}.json")
        assert build(tmp_path / f"{n}.json", out, "--no-sim", "--pe", "1,1", "--simd", "1,1") == 0
        whole.append(contents(out))
    rng, killed = np.random.default_rng(5), 0
    for n in range(20):
        # Moments are counted in files begun, and a little more, so that a slow machine is killed at the same
        # places.
        files, more = int(rng.integers(0, 5)), float(rng.uniform(0, 0.1))
        with start(tmp_path / f"{n % 2}.json", out, "--no-sim", "--pe", "1,1", "--simd", "1,1") as process:
            while len(list(tmp_path.glob(".out.*.part/*"))) < files and process.poll() is None:
                time.sleep(0.001)
            time.sleep(more)
            process.kill()
            process.communicate()
        killed += process.returncode != 0
        if process.returncode:
            (out / ".sbgen.lock").unlink(missing_ok=True)  # the next build would remove it
        # One that was killed may have been done but for what it says at its end.
        assert contents(out) in whole if process.returncode else contents(out) == whole[n % 2]
    print(f"{killed} of 20 killed")
    assert killed > 4
    assert build(tmp_path / "0.json", out, "--no-sim", "--pe", "1,1", "--simd", "1,1") == 0
    assert contents(out) == whole[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.json", "1.json", "out"]
