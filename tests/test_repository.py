"""The repository itself: what it prints is what it does, and nothing of one machine is in it."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def tracked():
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout, so there is no list of what belongs to it")
    return [ROOT / name for name in listed.stdout.split("\0") if name]


def texts():
    for path in tracked():
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            if b"\0" not in content:
                yield path, content.decode()


def readme_commands():
    """The commands in the README's `sh` blocks, without the prompt and what follows a `#`."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line.split(" #")[0].strip() for line in lines if line.split(" #")[0].strip()]


def test_no_paths_of_one_machine():
    # Written in pieces, so that this file does not find itself.
    pattern = re.compile(
        "|".join(("/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/[a-z]", "/tmp" + "/[a-z]", "C:" + r"\\"))
    )
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path, text in texts()
        for match in pattern.finditer(text)
    ]
    assert found == []


def test_ci_runs_the_readme_commands_as_printed():
    ci = (ROOT / ".ci/run").read_text().splitlines()
    commands = [command for command in readme_commands() if command.startswith("make ")]
    assert {"make demo", "make test"} <= set(commands)
    for command in ("make demo", "make test", "make lint"):
        assert command in ci


def workflow_commands():
    """The commands of each job of the hosted workflow, the folded ones on a line."""
    text = (ROOT / ".github/workflows/ci.yml").read_text()
    jobs = re.split(r"^  (\w+):\n", text.partition("\njobs:\n")[2], flags=re.MULTILINE)[1:]
    return {
        name: [
            " ".join(folded.split()) or plain.split(" #")[0].strip()
            for folded, plain in re.findall(r"run: (?:>-\n((?: {10,}.*\n)+)|(.*))", steps)
        ]
        for name, steps in zip(jobs[::2], jobs[1::2], strict=True)
    }


def test_hosted_ci_runs_the_same_targets():
    commands = workflow_commands()
    assert commands["lint"] == ["make lint"]
    assert commands["linux"] == ["make test", "make demo"]
    assert commands["lowest"][-2:] == ["make test", "make demo"]
    assert commands["macos"][-2:] == ["make test ALL_TOOLS=", "make demo"]
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {command.split()[1] for job in commands.values() for command in job if "make " in command} < {
        *targets
    }


def test_hosted_ci_finds_its_files_and_python_versions():
    text = (ROOT / ".github/workflows/ci.yml").read_text()
    named = re.findall(r"tests/[\w*]+\.py", text)
    assert named and all(list(ROOT.glob(name)) for name in named)
    lowest = re.search(r'requires-python = ">=([\d.]+)"', (ROOT / "pyproject.toml").read_text()).group(1)
    (job,) = re.findall(r"^  lowest:\n(.*?)^      - run", text, re.MULTILINE | re.DOTALL)
    assert f'python-version: "{lowest}"' in job
    assert all(f'python: ["{lowest}", ' in line for line in re.findall(r"python: \[.*", text))


def test_hooks_before_a_commit_are_the_checks_of_lint():
    lint = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE).group(1)
    checks = re.findall(r"-m ((?:ruff|mypy).*)", lint)
    hooks = re.findall(r"entry: \S+ -m (.*)", (ROOT / ".pre-commit-config.yaml").read_text())
    assert hooks == checks and "ruff check" in hooks


def test_readme_options_exist():
    import shlex

    from sbgen import cli

    for command in readme_commands():
        words = shlex.split(command)
        if words[0] == "sbgen" and len(words) > 1:
            assert words[1] in [known.name for known in cli.COMMANDS], command
            module = cli.importlib.import_module(f"sbgen.commands.{words[1]}")
            parser = cli._Parser(prog="sbgen")
            module.add_arguments(parser)
            parser.parse_args(words[2:])


def test_links_between_pages_lead_somewhere():
    broken = []
    for path, text in texts():
        if path.suffix == ".md":
            for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", text):
                if not (path.parent / target).exists():
                    broken.append(f"{path.relative_to(ROOT)}: {target}")
    assert broken == []


def test_files_that_pages_name_exist():
    # A path with a folder in code quotes, as `compiler/ir.py`; NAME is any.
    folders = "benchmarks|boards|compiler|docs|hw|models|proofs|sbgen|sim|tests|train"
    missing = {}
    for path, text in texts():
        if path.suffix == ".md" and path.name != "CHANGELOG.md":
            for name in re.findall(rf"`((?:{folders})/[\w./-]*)`", text):
                if "NAME" not in name and not (ROOT / name).exists():
                    missing.setdefault(str(path.relative_to(ROOT)), []).append(name)
    assert missing == {}


def test_no_scratch_files_in_the_root():
    # The root is a table of contents; what is new here must be wanted.
    wanted = {
        ".ci",
        ".github",
        ".gitignore",
        ".pre-commit-config.yaml",
        "CHANGELOG.md",
        "CITATION.cff",
        "CONTRIBUTING.md",
        "LICENSE",
        "conftest.py",
        "Makefile",
        "README.md",
        "benchmarks",
        "boards",
        "compiler",
        "constraints.txt",
        "docs",
        "hw",
        "models",
        "proofs",
        "pyproject.toml",
        "sbgen",
        "sim",
        "tests",
        "train",
    }
    assert {path.relative_to(ROOT).parts[0] for path in tracked()} <= wanted


def test_test_modules_have_names_of_their_own():
    # Two modules of one name, in tests/ and sim/, cannot be collected together.
    names = [path.name for path in tracked() if path.match("test_*.py")]
    assert sorted(names) == sorted(set(names))


def test_no_file_is_large():
    assert [path for path in tracked() if path.is_file() and path.stat().st_size > 2_000_000] == []


def test_readme_table_is_what_was_measured(monkeypatch):
    import importlib
    import json

    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    shipped = importlib.import_module("shipped")
    table = (ROOT / "README.md").read_text().partition(shipped.MARKS[0])[2].partition(shipped.MARKS[1])[0]
    assert table == shipped.table(json.loads(shipped.RESULTS.read_text())["builds"])


def test_table_of_the_host_is_what_was_measured(monkeypatch):
    import importlib
    import json

    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    link_host = importlib.import_module("link_host")
    _, _, rest = link_host.PAGE.read_text().partition(link_host.MARKS[0])
    rows = json.loads((link_host.record.FOLDER / "link_host.json").read_text())["rates"]
    assert rest.partition(link_host.MARKS[1])[0] == link_host.table(rows)


def test_records_name_the_commit_that_was_measured():
    import json

    def named(entry):
        """Whether a record or row has its commit and state, or at least the commit that brought it in."""
        if entry.get("commit") is None:
            return entry.get("clean", False) is None and re.fullmatch("[0-9a-f]{40}", entry.get("until", ""))
        return re.fullmatch("[0-9a-f]{40}", entry["commit"]) and isinstance(entry["clean"], bool)

    records = sorted((ROOT / "benchmarks/results").glob("*.json"))
    assert records
    for path in records:
        content = json.loads(path.read_text())
        if "commit" not in content:
            rows = [
                row
                for value in content.values()
                if isinstance(value, list)
                for row in value
                if isinstance(row, dict)
            ]
            assert rows and all(named(row) for row in rows), path.name
        else:
            assert named(content), path.name


def test_a_record_is_of_the_commit_that_is_checked_out(monkeypatch, tmp_path):
    import importlib
    import json

    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    record = importlib.import_module("record")
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, check=False, capture_output=True, text=True
    ).stdout.strip()
    assert record.MEASURED["commit"] == (head or None)
    monkeypatch.setattr(record, "FOLDER", tmp_path)
    assert json.loads(record.write("a", {"x": 1}).read_text()).items() >= {**record.MEASURED, "x": 1}.items()
    assert "commit" not in json.loads(record.write("b", {"x": 1}, measured={}).read_text())
