import by_hand
import numpy as np
import pytest

from sbgen import tools
from sbgen.compiler import cycles, reference, simulate, verilog
from sbgen.compiler.ir import Binarize, Conv2d, Dense, Network, Scores
from sbgen.compiler.lower import lower
from sbgen.compiler.pipeline import input_lanes
from sbgen.compiler.random_network import random_design, random_images
from sbgen.compiler.simulate import programs
from sbgen.compiler.simulate.programs import choose
from sbgen.errors import ToolError


def needs(*programs):
    for program in programs:
        try:
            tools.find(program)
        except ToolError as error:
            return pytest.mark.skip(reason=str(error))
    return pytest.mark.skipif(False, reason="found")


icarus = needs("iverilog", "vvp")
verilator = needs("verilator")


def two_classes():
    return Network(
        name="two",
        image_shape=(3,),
        labels=("a", "b"),
        layers=(
            Binarize(name="binarize", thresholds=np.full((3, 1), 128)),
            Scores(name="scores", weights=np.array([[1, 1, 1], [0, 0, 0]]), offsets=np.array([0, 0])),
        ),
    )


def broken(body):
    """A module with the ports of a core for `two_classes`, scores of 3 bits, that does something else."""
    return f"""\
module top(clk, rst, i__payload, i__valid, i__ready, o__payload, o__valid, o__ready);
  input clk, rst, i__valid, o__ready;
  input [7:0] i__payload;
  output i__ready, o__valid;
  output [4:0] o__payload;
  reg [7:0] count = 0;
  always @(posedge clk) count <= rst ? 0 : count + 1;
  {body}
endmodule
"""


def run_broken(body, **options):
    return simulate.simulate(
        broken(body), two_classes(), np.zeros((2, 3), np.uint8), lanes=1, simulator="icarus", **options
    )


@icarus
class TestIcarus:
    @pytest.mark.parametrize("seed", range(100, 106))
    def test_scores_and_predicted_cycles(self, seed):
        print(f"seed {seed}")
        design = random_design(seed, largest=12)
        images = random_images(seed, design.network, 6)
        result = simulate.simulate(
            verilog.convert(lower(design)),
            design.network,
            images,
            lanes=input_lanes(design),
            simulator="icarus",
        )
        scores, labels = reference.evaluate(design.network, images)
        assert np.array_equal(result.scores, scores) and result.scores.dtype == np.int64
        assert np.array_equal(result.labels, labels)
        predicted = cycles.predict(design, images=6)
        assert tuple(result.last_scores - result.first_beats[0]) == predicted.finishes
        assert result.latency_cycles == predicted.latency
        assert result.interval_cycles == predicted.interval
        assert result.simulator.startswith("Icarus Verilog 1")

    def test_convolution_whose_simd_does_not_divide_the_channels_of_a_group(self):
        print("seed 1")
        rng = np.random.default_rng(1)
        network = Network(
            name="groups",
            image_shape=(4, 3, 6),
            labels=tuple("abc"),
            layers=(
                Binarize(name="binarize", thresholds=np.full((72, 1), 128)),
                Conv2d(
                    name="conv",
                    weights=rng.integers(0, 2, (4, 2, 2, 3)),
                    thresholds=np.full(4, 6),
                    stride=(1, 1),
                    padding=((0, 0), (0, 0)),
                    padding_bit=0,
                    groups=2,
                ),
                Scores(name="scores", weights=rng.integers(0, 2, (3, 24)), offsets=np.array([0, 1, 2])),
            ),
        )
        design = by_hand.fold(network, (9, 9), (1, 2), (2, 5))
        images = random_images(1, network, 8)
        result = simulate.simulate(
            verilog.convert(lower(design)), network, images, lanes=9, simulator="icarus"
        )
        assert np.array_equal(result.scores, reference.evaluate(network, images)[0])
        assert tuple(result.last_scores - result.first_beats[0]) == cycles.predict(design, images=8).finishes

    def test_stalls_change_the_cycles_and_nothing_else(self, tmp_path):
        design = random_design(3)
        images = random_images(3, design.network, 6)
        built = simulate.Simulator(
            verilog.convert(lower(design)),
            design.network,
            lanes=input_lanes(design),
            simulator="icarus",
            folder=tmp_path,
        )
        free, one, two, again = (built.run(images, stall=stall) for stall in (None, 1, 2, 1))
        assert all(np.array_equal(free.scores, other.scores) for other in (one, two, again))
        assert len({each.last_scores[-1] for each in (free, one, two)}) == 3
        assert np.array_equal(one.last_scores, again.last_scores)

    def test_progress_reaches_the_end(self):
        design = random_design(2)
        seen = []
        simulate.simulate(
            verilog.convert(lower(design)),
            design.network,
            random_images(2, design.network, 5),
            lanes=input_lanes(design),
            simulator="icarus",
            progress=lambda *done: seen.append(done),
        )
        assert seen == [(n, 5) for n in range(1, 6)]

    def test_stored_folder_has_the_logs(self, tmp_path):
        design = random_design(2)
        simulate.simulate(
            verilog.convert(lower(design)),
            design.network,
            random_images(2, design.network, 1),
            lanes=input_lanes(design),
            simulator="icarus",
            keep=tmp_path / "kept",
        )
        assert {"top.v", "testbench.v", "build.log", "run.log", "scores.txt"} <= {
            file.name for file in (tmp_path / "kept").iterdir()
        }

    def test_verilog_that_is_none(self):
        with pytest.raises(ToolError, match="iverilog failed"):
            run_broken("assign i__ready = nonsense(;")

    def test_nothing_moves(self):
        with pytest.raises(ToolError, match="nothing moved for .* cycles; 0 images in, 0 out"):
            run_broken("assign i__ready = 0, o__valid = 0, o__payload = 0;")

    def test_images_go_in_but_nothing_comes_out(self):
        with pytest.raises(ToolError, match="nothing moved for .* cycles; 2 images in, 0 out"):
            run_broken("assign i__ready = 1, o__valid = 0, o__payload = 0;")

    def test_valid_withdrawn(self):
        with pytest.raises(ToolError, match="gave up beat"):
            run_broken("assign i__ready = 1, o__valid = count[0], o__payload = 0;", stall=1)

    def test_payload_changed(self):
        with pytest.raises(ToolError, match="gave up beat"):
            run_broken("assign i__ready = 1, o__valid = 1, o__payload = count;", stall=1)

    def test_undefined_bits(self):
        with pytest.raises(ToolError, match=r"must be defined"):
            run_broken("assign i__ready = 1, o__valid = 1, o__payload = 5'b0x000;")

    def test_wrong_mark_of_the_last_score(self):
        with pytest.raises(ToolError, match="must be marked"):
            run_broken("assign i__ready = 1, o__valid = 1, o__payload = 0;")


@icarus
@verilator
def test_both_simulators_agree_in_every_cycle(tmp_path):
    print("seed 1")
    rng = np.random.default_rng(1)
    network = Network(
        name="both",
        image_shape=(12,),
        labels=tuple("abcd"),
        layers=(
            Binarize(name="binarize", thresholds=np.full((12, 1), 128)),
            Dense(name="dense", weights=rng.integers(0, 2, (9, 12)), thresholds=np.full(9, 6)),
            Scores(name="scores", weights=rng.integers(0, 2, (4, 9)), offsets=np.array([-20, 0, 5, -6])),
        ),
    )
    design = by_hand.fold(network, (5, 5), (2, 7), (3, 4))
    images = random_images(1, network, 20)
    scores, labels = reference.evaluate(design.network, images)
    assert scores.min() < 0 < scores.max()
    text = verilog.convert(lower(design))
    one, two = (
        simulate.Simulator(
            text, design.network, lanes=input_lanes(design), simulator=simulator, folder=tmp_path / simulator
        )
        for simulator in simulate.SIMULATORS
    )
    for stall in None, 1, 2:
        a, b = one.run(images, stall=stall), two.run(images, stall=stall)
        for field in "scores", "labels", "first_beats", "last_scores":
            assert np.array_equal(getattr(a, field), getattr(b, field)), field
        assert np.array_equal(a.scores, scores) and np.array_equal(a.labels, labels)


class TestArguments:
    @pytest.mark.parametrize("stall", [0, -1, 2**31])
    def test_stall_that_is_no_seed(self, stall, monkeypatch, tmp_path):
        monkeypatch.setattr(
            tools, "find", lambda name: tools.Tool(name=name, argv=("true",), version="1", origin="")
        )
        with pytest.raises(ValueError, match="stall must be"):
            run_broken("", stall=stall)

    def test_no_images(self, monkeypatch):
        monkeypatch.setattr(
            tools, "find", lambda name: tools.Tool(name=name, argv=("true",), version="1", origin="")
        )
        with pytest.raises(ValueError, match="at least one image"):
            simulate.simulate(
                broken(""), two_classes(), np.zeros((0, 3), np.uint8), lanes=1, simulator="icarus"
            )

    def test_unknown_simulator(self):
        with pytest.raises(ValueError, match="simulator must be one of icarus, verilator, not 'cver'"):
            simulate.simulate(
                broken(""), two_classes(), np.zeros((1, 3), np.uint8), lanes=1, simulator="cver"
            )


class TestAuto:
    @pytest.mark.parametrize(
        "installed, weights, chosen",
        [
            (("iverilog", "verilator"), 1000, "icarus"),
            (("iverilog", "verilator"), 10**9, "verilator"),
            (("verilator",), 1000, "verilator"),
            (("iverilog",), 10**9, "icarus"),
        ],
    )
    def test_choice(self, installed, weights, chosen, monkeypatch):
        def find(name):
            if name not in installed:
                raise ToolError(f"{name} is not installed")

        monkeypatch.setattr(tools, "find", find)
        assert choose(weights) == chosen

    def test_neither_is_installed(self, monkeypatch):
        def find(name):
            raise ToolError(f"{name} is not installed; try this")

        monkeypatch.setattr(tools, "find", find)
        with pytest.raises(
            ToolError, match="iverilog is not installed; try this; verilator is not installed; try"
        ):
            choose(1)

    @pytest.mark.parametrize(
        "installed, missing",
        [
            ((), "perl and make and g[+]{2}, which are"),
            (("perl", "make"), "g[+]{2}, which is"),
            (("make", "g++"), "perl, which is"),
            (("perl", "g++"), "make, which is"),
            (("perl", "make", "g++"), None),
            (("perl", "make", "clang++"), None),
        ],
    )
    def test_verilator_needs_a_compiler(self, installed, missing, monkeypatch):
        def find(name):
            if name == "iverilog":
                raise ToolError("iverilog is not installed")

        monkeypatch.setattr(tools, "find", find)
        monkeypatch.setattr(programs.shutil, "which", lambda name: name if name in installed else None)
        if missing is None:
            assert choose(1) == "verilator"
        else:
            with pytest.raises(
                ToolError, match=f"iverilog is not installed; verilator needs {missing} not installed"
            ):
                choose(1)


@pytest.mark.parametrize("quick, level", [(True, "-O0"), (False, "-O2")])
def test_what_must_be_compiled_soon_is_not_optimised(quick, level, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(
        tools, "find", lambda name: tools.Tool(name=name, argv=(name,), version="5.1", origin="")
    )
    monkeypatch.setattr(tools, "run", lambda tool, args, **settings: asked.append((tool.name, args)))
    program, name = simulate.build(tmp_path, simulator="verilator", macros={"WIDTH": 8}, quick=quick)
    ((tool, args),) = asked
    assert (tool, name) == ("verilator", "Verilator 5.1") and program.argv == (
        str(tmp_path / "obj" / "testbench"),
    )
    assert (
        f"OPT_FAST={level}" in args[args.index("-MAKEFLAGS") + 1]
        and "-DWIDTH=8" in args
        and (tmp_path / "main.cpp").exists()
    )
    simulate.build(tmp_path, simulator="icarus", macros={"WIDTH": 8}, quick=quick)
    assert asked[1][0] == "iverilog"


class TestResult:
    def test_interval_of_one_image(self):
        one = np.zeros(1, np.int64)
        single = simulate.Simulation(
            scores=one, ranked=one, first_beats=one, last_scores=one, simulator="none"
        )
        with pytest.raises(ValueError, match="at least 2 images, not 1"):
            print(single.interval_cycles)
