"""`sbgen fuzz --shell`: cores as they are handed over. Their benches are for sim/test_handover.py."""

from types import SimpleNamespace

import pytest
from test_fuzz import replayed, run, the_failure

from sbgen import tools
from sbgen.fuzzing import in_shell, random_design
from sbgen.verdict import MismatchError

SHELLS = ("--shell", "any", "--count", "4", "--largest", "6", "--images", "2", "--simulator", "icarus")


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def bench(monkeypatch):
    """What a bench and the linter say: nothing, unless it is changed."""
    given = SimpleNamespace(calls=[], error=None, warning="")

    def check(design, images, *, shell, simulator, seed):
        given.calls.append((shell, simulator, seed))
        assert len(images) == 2 and not any("spram" in repr(each).lower() for each in design.foldings)
        if given.error:
            raise given.error
        return given.warning

    monkeypatch.setattr(in_shell, "check", check)
    monkeypatch.setattr(tools, "find", lambda name: None)
    return given


def test_each_seed_takes_the_next_shell(bench, capsys):
    assert run(*SHELLS, "--seed", "2") == 0
    shells = ("stream", "axi", "wishbone", "none")
    assert sorted(bench.calls) == sorted((shells[n % 4 - 1], "icarus", n) for n in range(2, 6))
    assert capsys.readouterr().out.splitlines()[-1].endswith("wrong lengths between)")


def test_a_wrong_result_is_a_failure_that_names_the_shell(bench, capsys, tmp_path):
    bench.error = MismatchError("result 4 is 1, not 2")
    assert run(*SHELLS, "--count", "1", "--shrink", "0", "--seed", "7") == 1
    _, _, _, again = the_failure(capsys, tmp_path)
    assert again.endswith("--shell wishbone")
    assert replayed(again) == 1
    assert bench.calls == 2 * [("wishbone", "icarus", 7)]


def test_a_warning_of_the_linter_is_a_failure(bench, capsys):
    bench.warning = "%Warning-WIDTHTRUNC: core.v:1:1"
    assert run(*SHELLS, "--count", "1", "--shrink", "0") == 1
    assert "WIDTHTRUNC" in capsys.readouterr().out


def test_what_excludes_a_shell(capsys):
    assert run(*SHELLS, "--board", "icebreaker") == 1
    assert "--board or --shell, not both" in capsys.readouterr().err
    assert run(*SHELLS, "--patchable") == 1
    assert "leave --patchable out" in capsys.readouterr().err
    assert run(*SHELLS, "--simulator", "amaranth") == 1
    assert "--simulator must run Verilog for --shell" in capsys.readouterr().err


def test_a_core_in_a_shell_is_what_is_handed_over():
    """Neither patchable, which only a bitstream can be, nor with weights that something must load."""
    for seed in range(60):
        design = random_design(seed, largest=8, shell="any")
        assert not design.patchable
        assert "spram" not in {folding.store for folding in design.foldings}
    assert any(random_design(seed, largest=8).patchable for seed in range(60))
