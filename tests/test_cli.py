"""`sbgen.cli`: instant help, exit codes, and messages that say what to try."""

import subprocess
import sys

import pytest

from sbgen import __version__, cli
from sbgen.errors import BoardError, ModelError


def run(*argv, **settings):
    return subprocess.run([sys.executable, "-m", "sbgen", *argv], check=False, capture_output=True, text=True, **settings)


def replace_build(monkeypatch, run):
    """Let `sbgen build` be a command without arguments that does `run`."""
    module = type(sys)("a_build")
    module.add_arguments, module.run = lambda parser: None, run
    monkeypatch.setattr(cli.importlib, "import_module", lambda name, package: module)


TORCH = {"torch", "sklearn"}
HEAVY = TORCH | {"amaranth", "amaranth_boards", "numpy", "rich", "cocotb", "serial"}


@pytest.mark.parametrize(("argv", "unwanted"), [
    (["--help"], HEAVY), (["--version"], HEAVY), (["version"], HEAVY), (["biuld"], HEAVY), (["build", "--help"], HEAVY),
    (["train", "--help"], TORCH), (["boards", "--help"], TORCH), (["doctor", "--help"], TORCH)])
def test_help_imports_nothing_heavy(argv, unwanted):
    done = subprocess.run([sys.executable, "-X", "importtime", "-m", "sbgen", *argv], check=False,
                          capture_output=True, text=True)
    assert done.returncode in (0, 2), done.stderr
    imported = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert "argparse" in imported
    assert imported.isdisjoint(unwanted)


def test_help_lists_every_command():
    done = run("--help")
    for command in cli.COMMANDS:
        assert command.name in done.stdout and command.help in done.stdout


@pytest.mark.parametrize("command", cli.COMMANDS, ids=lambda command: command.name)
def test_every_command_is_there_and_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main([command.name, "--help"])
    assert ended.value.code == 0
    assert f"usage: sbgen {command.name}" in capsys.readouterr().out


def test_output_is_ascii():
    for argv in (["--help"], ["build", "--help"], ["boards"], ["version"]):
        done = run(*argv)
        assert done.returncode == 0 and done.stdout.isascii() and done.stderr.isascii()


def test_version(capsys):
    assert cli.main(["version"]) == 0
    shown = capsys.readouterr().out
    assert f"sbgen                   {__version__}\n" in shown and "amaranth " in shown


def test_no_command_is_a_usage_error():
    assert run().returncode == 2


def test_unknown_command_names_the_nearest():
    done = run("biuld")
    assert done.returncode == 2
    assert done.stderr.startswith("error: unknown command 'biuld'; did you mean build?\n")


def test_unknown_option_names_the_nearest():
    done = run("build", "--model", "m.pt", "--board", "icebreaker", "--ou", "x")
    assert done.returncode == 2
    assert done.stderr.startswith("error: unknown argument '--ou'; did you mean --out?\n")


def test_missing_option_is_a_usage_error():
    done = run("build", "--board", "icebreaker")
    assert done.returncode == 2 and "--model" in done.stderr and "Traceback" not in done.stderr


def test_a_mistake_of_the_user_is_one_line_and_exit_code_1(monkeypatch, capsys):
    def fail(arguments):
        raise ModelError("weights must be finite,\nbut are not; train anew")

    replace_build(monkeypatch, fail)
    assert cli.main(["build"]) == 1
    assert capsys.readouterr().err == "error: weights must be finite, but are not; train anew\n"


def test_interrupt_is_exit_code_130(monkeypatch, capsys):
    def interrupt(arguments):
        raise KeyboardInterrupt

    replace_build(monkeypatch, interrupt)
    assert cli.main(["build"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_defect_keeps_its_trace(monkeypatch):
    def defect(arguments):
        raise ZeroDivisionError

    replace_build(monkeypatch, defect)
    with pytest.raises(ZeroDivisionError):
        cli.main(["build"])


def test_exit_code_of_a_command_is_kept(monkeypatch):
    replace_build(monkeypatch, lambda arguments: 3)
    assert cli.main(["build"]) == 3


def test_closed_pipe_ends_quietly():
    done = subprocess.run(f"{sys.executable} -m sbgen version | true", shell=True, check=False, capture_output=True,
                          text=True)
    assert "Traceback" not in done.stderr and "BrokenPipe" not in done.stderr


def test_nearest_of_something_quite_different_is_nothing():
    assert cli.nearest("zzz", ["build", "train"]) == ""
    assert issubclass(BoardError, cli.SbgenError)
