"""`sbgen fuzz` on tiny networks in Amaranth's simulator, with sound hardware and with hardware broken on
purpose.
"""

import dataclasses
import re
import shlex
import time
from types import SimpleNamespace

import numpy as np
import pytest

from sbgen import cli, fuzzing, tools
from sbgen.boards import placed
from sbgen.compiler import design_file, exchange, handshakes, lower, passes, reference, verilog
from sbgen.compiler.ir import Binarize, Conv2d, Scores
from sbgen.compiler.layers.convolution import Conv2dRule
from sbgen.compiler.random_network import random_design, random_images
from sbgen.errors import FitError, ToolError
from sbgen.fuzzing import comparison, failures, outcome
from sbgen.hw.argmax import Argmax
from sbgen.hw.best import Best
from sbgen.hw.core import Core
from sbgen.hw.queue import Queue
from sbgen.hw.signs import Signs

TINY = ["--largest", "6", "--images", "2", "--simulator", "amaranth"]


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def run(*arguments):
    return cli.main(["fuzz", *arguments])


def replayed(command):
    """Run the command that was printed for a failure."""
    program, *arguments = shlex.split(command)
    assert program == "sbgen"
    return cli.main(arguments)


def the_failure(capsys, tmp_path):
    """(lines printed, shrunk design, its images, the command that repeats it) of the only failure."""
    lines = capsys.readouterr().out.splitlines()
    (folder,) = (tmp_path / "build/fuzz").iterdir()
    assert sorted(path.name for path in folder.iterdir()) == sorted(fuzzing.OUTPUTS)
    design = design_file.load(folder / "design.json", exchange.load(folder / "network.json"))
    (again,) = (line.split("again: ")[1] for line in lines if "again: " in line)
    assert again in (folder / "failure.txt").read_text()
    return lines, design, np.load(folder / "images.npy"), again


def ignore_the_padding_bit(monkeypatch):
    window = Conv2dRule._window

    def without_padding(*arguments, **options):
        sound = window(*arguments, **options)
        return dataclasses.replace(sound, padding_words=(0,) * len(sound.padding_words))

    monkeypatch.setattr(Conv2dRule, "_window", without_padding)


def test_sound_hardware_agrees(capsys, tmp_path):
    assert run("--seed", "3", "--count", "3", *TINY) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines if "2 images, amaranth" in line] == [
        ["ok", "seed", str(seed)] for seed in (3, 4, 5)
    ]
    assert lines[-1].startswith("  3 of 3 agree (all ")
    assert any(line.split()[:2] == ["3", "Scores"] or "3  Scores" in line for line in lines)
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_score_is_found_shrunk_written_and_repeated(monkeypatch, capsys, tmp_path):
    # Shrinking takes a try a layer: a few layers do.
    seed = next(
        seed
        for seed in range(1000)
        if len(random_design(seed, largest=6).network.layers) < 7 and needs_the_padding_bit(seed)
    )
    print(f"seed {seed}")
    ignore_the_padding_bit(monkeypatch)
    assert run("--seed", str(seed), "--count", "1", *TINY) == 1
    lines, design, images, again = the_failure(capsys, tmp_path)
    assert lines[-1] == f"  0 of 1 agree; failed: seed {seed}"
    assert "score of image 0, output 0 must be" in "".join(lines)
    network = design.network
    assert len(network.layers) <= 3 and network.weight_bits <= 8 and network.pixels <= 4 and len(images) == 1
    assert any(isinstance(layer, Conv2d) and layer.padding_bit for layer in network.layers)
    assert replayed(again) == 1
    assert "FAIL" in capsys.readouterr().out
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert replayed(again) == 0


def needs_the_padding_bit(seed):
    """Whether the scores of the seed's network would differ without it."""
    network = random_design(seed, largest=6).network
    images = random_images(seed, network, 2)
    without = dataclasses.replace(
        network,
        layers=tuple(
            dataclasses.replace(layer, padding_bit=0) if isinstance(layer, Conv2d) else layer
            for layer in network.layers
        ),
    )
    return not np.array_equal(reference.evaluate(network, images)[0], reference.evaluate(without, images)[0])


def test_a_wrong_runner_up_is_a_failure(monkeypatch):
    ranked, seed = (
        reference.ranked,
        next(seed for seed in range(100) if random_design(seed, largest=6).top_k > 1),
    )
    print(f"seed {seed}")
    monkeypatch.setattr(
        reference,
        "ranked",
        lambda scores, count: np.concatenate(
            [ranked(scores, count)[:, :-1], ranked(scores, count)[:, :1]], axis=1
        ),
    )
    design = random_design(seed, largest=6)
    failure = fuzzing.check(design, random_images(seed, design.network, 2), simulator="amaranth")
    assert failure.kind == "class"


def test_only_patchable_designs(monkeypatch, capsys):
    designs = []
    monkeypatch.setattr(outcome, "check", lambda design, images, **_: designs.append(design))
    assert run("--count", "4", *TINY, "--patchable") == 0
    assert [design.patchable for design in designs] == [True] * 4


@pytest.mark.parametrize("wired", [True, False])
def test_verilog_of_a_patchable_design_that_depends_on_weights_is_a_failure(wired, monkeypatch):
    design = random_design(1, largest=6, patchable=True)
    monkeypatch.setattr(lower, "lower", lambda design: design.network)
    monkeypatch.setattr(
        verilog,
        "convert",
        lambda network: f"first\nadded {exchange.digest(network) if wired else 'nothing'}\n",
    )
    failure = comparison._difference_of_hardware(design, 1)
    assert (failure and failure.text) == (
        "only ROMs of a patchable design must depend on weights and thresholds, but its Verilog "
        "differs from line 2 on"
        if wired
        else None
    )


def test_a_pass_that_changes_a_score_is_a_failure(monkeypatch):
    def broken(network):
        scores = network.layers[-1]
        return dataclasses.replace(
            network,
            layers=(*network.layers[:-1], dataclasses.replace(scores, offsets=scores.offsets // 2 - 1)),
        )

    monkeypatch.setattr(passes, "apply_passes", broken)
    design = random_design(1, largest=6)
    failure = fuzzing.check(design, random_images(1, design.network, 2), simulator="amaranth")
    assert failure.kind == "score after the passes"


def test_a_wrong_cycle_is_a_failure(monkeypatch, capsys, tmp_path):
    def late(self, times=handshakes.Gather.times):
        ready, offers = times(self)
        return ready, offers + 1

    monkeypatch.setattr(handshakes.Gather, "times", late)
    failures = [
        fuzzing.check(design, random_images(seed, design.network, 2), simulator="amaranth", seed=seed)
        for seed in range(6, 10)
        for design in [random_design(seed, largest=6)]
    ]
    assert {failure.kind for failure in failures if failure} <= {"cycle of the last score", "DeadlockError"}
    assert any(failure and failure.kind == "cycle of the last score" for failure in failures)


def test_hardware_that_hangs_is_a_failure(monkeypatch, capsys, tmp_path):
    for last in Argmax, Best, Signs:

        def hang(self, platform, elaborate=last.elaborate):
            m = elaborate(self, platform)
            m.d.comb += self.o.valid.eq(0)
            return m

        monkeypatch.setattr(last, "elaborate", hang)
    assert run("--count", "1", *TINY, "--shrink", "20") == 1
    lines, design, images, _ = the_failure(capsys, tmp_path)
    assert "nothing moved for" in "".join(lines)
    assert len(design.network.layers) == 2 and len(images) == 1


def test_a_check_ends_in_time(monkeypatch):
    def endless(self, platform):
        while True:
            time.sleep(0.01)

    monkeypatch.setattr(Core, "elaborate", endless)
    design = random_design(1, largest=6)
    failure = fuzzing.check(design, random_images(1, design.network, 2), simulator="amaranth", timeout=0.3)
    assert failure == fuzzing.Failure(kind="time", text="must be done within 0.3 s, but was not")


def test_an_error_of_ours_is_a_failure_with_its_place(monkeypatch):
    def broken(self, platform):
        raise IndexError("beyond the end")

    monkeypatch.setattr(Queue, "elaborate", broken)
    design = random_design(1, largest=6)
    failure = fuzzing.check(design, random_images(1, design.network, 2), simulator="amaranth")
    assert failure.kind == "IndexError"
    assert failure.text.startswith("IndexError in test_fuzz.py:") and failure.text.endswith(
        ": beyond the end"
    )


def test_a_full_disk_is_no_failure_of_the_design(monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(comparison, "_simulations", full)
    design = random_design(1, largest=6)
    with pytest.raises(OSError, match="No space"):
        fuzzing.check(design, random_images(1, design.network, 2), simulator="amaranth")


def test_failures_beyond_the_third_are_only_listed(monkeypatch, capsys, tmp_path):
    for module in outcome, failures:
        monkeypatch.setattr(module, "check", lambda *_, **__: fuzzing.Failure(kind="score", text="wrong"))
    assert run("--count", "5", *TINY, "--shrink", "0") == 1
    assert capsys.readouterr().out.splitlines()[-1] == "  0 of 5 agree; failed: seed 0, 1, 2, 3, 4"
    assert len(list((tmp_path / "build/fuzz").iterdir())) == 3


def test_a_given_network_in_random_foldings(capsys, tmp_path):
    network = random_design(2, largest=6).network
    exchange.save(network, tmp_path / "network.json")
    assert run("--network", "network.json", "--count", "2", *TINY) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("  2 of 2 agree")


class TestBoard:
    """Through a board's pins; what the tools make of a design there is a bench's to show,
    sim/test_netlists.py.
    """

    BOARD = (
        "--board",
        "icebreaker",
        "--count",
        "2",
        "--largest",
        "6",
        "--images",
        "2",
        "--simulator",
        "icarus",
    )

    @pytest.fixture
    def netlist(self, monkeypatch):
        """What the netlist's answer is made of, which is the reference's unless it is changed."""
        given = SimpleNamespace(
            calls=[], error=None, scores=lambda scores: scores, digest=lambda digest: digest
        )

        def ask(design, images, *, board, simulator, folder, seed, level):
            given.calls.append((board.name, simulator, seed, level))
            if given.error:
                raise given.error
            scores, labels = reference.evaluate(design.network, images)
            digest = given.digest(exchange.digest(design.network)[:16])
            return (
                SimpleNamespace(
                    scores=given.scores(scores),
                    labels=labels,
                    identity=SimpleNamespace(digest=bytes.fromhex(digest)),
                ),
                {},
            )

        monkeypatch.setattr(placed, "ask", ask)
        monkeypatch.setattr(tools, "find", lambda name: None)
        return given

    def test_what_the_pins_tell_is_compared(self, netlist, capsys):
        assert run(*self.BOARD) == 0
        assert netlist.calls == [("icebreaker", "icarus", seed, "placed") for seed in (1, 2)]
        assert "through the pins of icebreaker, placed)" in capsys.readouterr().out.splitlines()[-1]

    def test_a_wrong_score_is_a_failure_that_names_the_board(self, netlist, capsys, tmp_path):
        netlist.scores = lambda scores: scores + 1
        assert run(*self.BOARD, "--count", "1", "--shrink", "0") == 1
        _, _, _, again = the_failure(capsys, tmp_path)
        assert again.endswith("--board icebreaker --level placed")
        assert replayed(again) == 1

    def test_a_level_before_place_and_route(self, netlist, capsys):
        assert run(*self.BOARD, "--level", "emitted", "--count", "1") == 0
        assert netlist.calls == [("icebreaker", "icarus", 1, "emitted")]
        assert "through the pins of icebreaker, emitted" in capsys.readouterr().out.splitlines()[-1]

    def test_another_network_is_a_failure(self, netlist, capsys):
        netlist.digest = lambda digest: digest[::-1]
        assert run(*self.BOARD, "--shrink", "0") == 1
        assert "the board must report the network" in capsys.readouterr().out

    def test_a_failing_tool_names_no_log_that_is_gone(self, netlist, capsys):
        netlist.error = ToolError("yosys failed with code 1: ERROR: of its own", log="gone.log")
        assert run(*self.BOARD, "--shrink", "0", "--count", "1") == 1
        shown = capsys.readouterr().out
        assert "ERROR: of its own" in shown and "gone.log" not in shown

    def test_too_big_is_no_failure(self, netlist, capsys):
        netlist.error = FitError("the design must fit up5k")
        assert run(*self.BOARD) == 0
        shown = capsys.readouterr().out
        assert "too big  seed 0" in shown and "0 of 0 agree" in shown

    def test_amaranth_runs_no_netlist(self, capsys):
        assert run(*self.BOARD, "--simulator", "amaranth") == 1
        assert "--simulator must run Verilog for --board" in capsys.readouterr().err


class TestArguments:
    def test_a_folding_without_its_network(self, capsys):
        assert run("--design", "design.json") == 1
        assert capsys.readouterr().err.startswith("error: --design and --images-from are of one network")

    @pytest.mark.parametrize(
        "content", [b"", b"images", np.full((2, 3), -1, np.int16), np.zeros((0, 4), np.uint8)]
    )
    def test_images_that_are_none(self, content, capsys, tmp_path):
        network = random_design(2, largest=6).network
        exchange.save(network, tmp_path / "network.json")
        if isinstance(content, bytes):
            (tmp_path / "images.npy").write_bytes(content)
        else:
            np.save(tmp_path / "images.npy", content)
        assert run("--network", "network.json", "--images-from", "images.npy", *TINY) == 1
        error = capsys.readouterr().err
        assert error.startswith("error: images.npy") and error.count("\n") == 1

    @pytest.mark.parametrize("argument", [["--count", "0"], ["--seed", "-1"], ["--images", "x"]])
    def test_numbers_out_of_range(self, argument, capsys):
        with pytest.raises(SystemExit) as ended:
            run(*argument)
        assert ended.value.code == 2
        assert "must be an integer of at least" in capsys.readouterr().err

    def test_a_simulator_that_is_not_there(self, monkeypatch, capsys):
        def find(name):
            raise ToolError(f"{name} is not installed; try this")

        monkeypatch.setattr(tools, "find", find)
        assert run("--simulator", "icarus") == 1
        assert capsys.readouterr().err == "error: iverilog is not installed; try this\n"

    def test_no_tool_is_needed(self, monkeypatch, capsys):
        def find(name):
            raise ToolError(f"{name} is not installed")

        monkeypatch.setattr(tools, "find", find)
        assert run("--count", "1", "--largest", "4", "--images", "1") == 0
        assert "1 in amaranth" in capsys.readouterr().out


def test_smallest_kinds_are_still_networks():
    # What shrinking ends in must have hardware at all.
    seed = next(
        seed
        for seed in range(100)
        if [type(layer) for layer in random_design(seed, largest=1).network.layers] == [Binarize, Scores]
    )
    print(f"seed {seed}")
    design = random_design(seed, largest=1)
    assert fuzzing.check(design, random_images(seed, design.network, 1), simulator="amaranth") is None


@pytest.mark.timeout(600)
def test_workers_check_what_this_process_does(capsys, tmp_path):
    """The same outcomes in processes of workers."""
    pytest.importorskip("distributed")

    def lines(*options):
        code = run("--count", "3", *TINY, *options)
        text = capsys.readouterr().out
        return code, sorted(re.findall(r"^  ok +(seed .*), [\d.]+ s", text, re.MULTILINE))

    here = lines()
    assert here == lines("--workers", "2") and here[0] == 0 and len(here[1]) == 3
