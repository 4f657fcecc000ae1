"""`sbgen.cli`: instant help, exit codes, and messages that say what to try."""

import ast
import random
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

from sbgen import __version__, cli
from sbgen.errors import BoardError, ModelError


def run(*argv, **settings):
    return subprocess.run(
        [sys.executable, "-m", "sbgen", *argv], check=False, capture_output=True, text=True, **settings
    )


def replace_build(monkeypatch, run):
    """Let `sbgen build` be a command without arguments that does `run`."""
    module = type(sys)("a_build")
    module.add_arguments, module.run = lambda parser: None, run
    monkeypatch.setattr(cli.importlib, "import_module", lambda name, package: module)


TORCH = {"torch", "sklearn"}
HEAVY = TORCH | {"amaranth", "amaranth_boards", "numpy", "rich", "cocotb", "serial"}


@pytest.mark.parametrize(
    ("argv", "unwanted"),
    [
        (["--help"], HEAVY),
        (["--version"], HEAVY),
        (["version"], HEAVY),
        (["biuld"], HEAVY),
        *(
            ([command.name, "--help"], TORCH if command.name in ("plan", "search", "train") else HEAVY)
            for command in cli.COMMANDS
        ),
    ],
)
def test_help_imports_nothing_heavy(argv, unwanted):
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "sbgen", *argv],
        check=False,
        capture_output=True,
        text=True,
    )
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
    assert shown.split()[:2] == ["sbgen", __version__] and "amaranth " in shown


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


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(
    ("argv", "code"),
    [("boards", 0), ("version", 0), ("biuld", 2), ("estimate --model none --board icebreaker", 1)],
)
def test_closed_streams_are_no_trace(closed, argv, code):
    done = subprocess.run(
        f"{sys.executable} -m sbgen {argv} {closed}",
        shell=True,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == code and "Traceback" not in done.stderr, done


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no /dev/full")
@pytest.mark.parametrize("argv", ["boards", "version"])
def test_full_output_is_one_line(argv):
    done = subprocess.run(
        f"{sys.executable} -m sbgen {argv} > /dev/full",
        shell=True,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1 and done.stderr.startswith("error: ") and done.stderr.count("\n") == 1, done


def test_closed_pipe_ends_quietly():
    done = subprocess.run(
        f"{sys.executable} -m sbgen version | true", shell=True, check=False, capture_output=True, text=True
    )
    assert "Traceback" not in done.stderr and "BrokenPipe" not in done.stderr


def test_nearest_of_something_quite_different_is_nothing():
    assert cli.nearest("zzz", ["build", "train"]) == ""
    assert issubclass(BoardError, cli.SbgenError)


#: Runs `sbgen` and interrupts it, as Ctrl-C does, when the n-th module is looked for.
INTERRUPTED = textwrap.dedent("""
    import os, signal, sys
    import sbgen
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also in a shell's background, which ignores it
    class Counting:
        left = int(sys.argv.pop(1))
        def find_spec(self, name, path, target=None):
            Counting.left -= 1
            if Counting.left == 0:
                os.kill(os.getpid(), signal.SIGINT)
    sys.meta_path.insert(0, Counting())
    from sbgen.__main__ import main
    code = main()
    print("modules", -Counting.left)
    sys.exit(code)
    """)


@pytest.mark.parametrize("argv", [["version"], ["boards"], ["build", "--help"]], ids=" ".join)
def test_interrupt_at_any_import_is_one_line(argv):
    def run(n):
        return subprocess.run(
            [sys.executable, "-c", INTERRUPTED, str(n), *argv],
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )

    modules = int(run(0).stdout.rpartition("modules ")[2].split()[0]) if argv[1:] != ["--help"] else 40
    seed = random.SystemRandom().randrange(1 << 32)
    print("seed", seed)
    early = range(2, 8)  # one is `sbgen.__main__` itself
    for n in [*early, *random.Random(seed).sample(range(8, modules), 8)]:
        done = run(n)
        assert (done.returncode, done.stderr) == (130, "interrupted\n"), (n, done)


def test_interrupt_that_a_module_turns_into_its_own_error_is_one_line():
    """As a class whose attribute is being named does (``__set_name__``), and some modules in C."""
    program = textwrap.dedent("""
        import os, signal, sys
        signal.signal(signal.SIGINT, signal.default_int_handler)
        from sbgen import __main__, cli
        def run(arguments):
            try:
                os.kill(os.getpid(), signal.SIGINT)
            except KeyboardInterrupt as error:
                raise RuntimeError("Error calling __set_name__") from error
        module = type(sys)("a_command")
        module.add_arguments, module.run = lambda parser: None, run
        cli.importlib.import_module = lambda name, package: module
        sys.exit(__main__.main())
        """)
    done = subprocess.run(
        [sys.executable, "-c", program, "boards"], check=False, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (130, "interrupted\n"), done
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            program.replace("os.kill(os.getpid(), signal.SIGINT)", "raise KeyError"),
            "boards",
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1 and done.stderr.endswith("KeyError\n"), done


def test_interrupt_while_text_runs_has_the_exit_code(tmp_path):
    """A dataclass is made by `exec` of text, after whose interrupt ``python -m`` would end by the signal."""
    (tmp_path / "interrupted.py").write_text(
        textwrap.dedent("""
            import os, signal, sys
            signal.signal(signal.SIGINT, signal.default_int_handler)
            from sbgen import __main__, cli
            module = type(sys)("a_command")
            module.add_arguments = lambda parser: None
            module.run = lambda arguments: exec("os.kill(os.getpid(), signal.SIGINT)")
            cli.importlib.import_module = lambda name, package: module
            sys.exit(__main__.main())
            """)
    )
    done = subprocess.run(
        [sys.executable, "-m", "interrupted", "boards"],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (130, "interrupted\n"), done


def test_ignored_interrupts_stay_ignored():
    """As in a shell's background."""
    program = (
        "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); from sbgen.__main__ import"
        " main; main(); "
    )
    done = subprocess.run(
        [sys.executable, "-c", program + "os.kill(os.getpid(), signal.SIGINT); print('here')", "version"],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0 and done.stdout.endswith("here\n"), done


def test_script_and_module_begin_where_interrupts_are_caught():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
    assert project["project"]["scripts"]["sbgen"] == "sbgen.__main__:main"


def hostile_names(seed):
    """A name with characters that a terminal obeys, or that hide others, among plain ones."""
    rng = random.Random(seed)
    return "".join(
        rng.choice(
            [
                "a",
                " ",
                "\x1b]0;title\x07",
                "\x1b[2J",
                "\x9b31m",
                "\r",
                "\n",
                "\x08",
                "\x7f",
                "\u202e",
                "\u200b",
                "\ud800",
                chr(rng.randrange(32)),
            ]
        )
        for _ in range(rng.randrange(1, 12))
    )


def obeyed(text):
    return sorted({char for char in text if char != "\n" and not char.isprintable()})


def test_error_with_any_name_is_one_printable_line(monkeypatch, capsys):
    for seed in range(200):
        print("seed", seed)
        capsys.readouterr()
        error = ModelError(f"{hostile_names(seed)}: cannot be read")

        def fail(arguments, error=error):
            raise error

        replace_build(monkeypatch, fail)
        assert cli.main(["build"]) == 1
        shown = capsys.readouterr().err
        assert shown.startswith("error: ") and shown.count("\n") == 1 and not obeyed(shown)


@pytest.mark.parametrize(
    "argv",
    [
        ["\x1b[31m"],
        ["build", "--\x1b[31m"],
        ["build", "--model", "x", "--board", "b", "--images", "\x1b[31m"],
        ["build", "--model", "\x1b[31m", "--board", "icebreaker"],
        ["boards", "\x1b[31m"],
        ["verify", "\x1b[31m"],
        ["doctor", "\x1b[31m"],
        ["classify", "\x1b[31m.npy", "--board", "icebreaker"],
        ["flash", "\x1b[31m"],
    ],
    ids=ascii,
)
def test_arguments_are_shown_without_what_a_terminal_obeys(argv):
    done = run(*argv)
    assert (
        done.returncode in (1, 2)
        and done.stderr.startswith("error: ")
        and not obeyed(done.stderr + done.stdout)
    ), done


def test_nothing_is_printed_past_what_escapes_it():
    """What goes to the terminal goes through `Console`, which escapes it, or through `printable`."""
    root, wrong = Path(cli.__file__).parent, []
    for path in sorted(
        path
        for part in ("", "hw", "compiler", "proofs", "train", "boards")
        for path in (root / part).rglob("*.py")
    ):
        if path.name in ("cli.py", "__main__.py", "console.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Name(id="print"), keywords=[]):
                    if not all(
                        isinstance(each, ast.Call) and getattr(each.func, "id", "") == "printable"
                        for each in node.args
                    ):
                        wrong.append(f"{path.name}:{node.lineno}")
                case ast.Attribute(
                    value=ast.Attribute(value=ast.Name(id="sys"), attr="stdout" | "stderr"), attr="write"
                ):
                    wrong.append(f"{path.name}:{node.lineno}")
    assert wrong == []
