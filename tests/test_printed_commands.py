"""Commands that README and docs print run in benchmarks/printed_commands.py, but for a table with reasons."""

import importlib
import json
import re
import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest

from sbgen import cli

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def commands():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        yield importlib.import_module("printed_commands")


@pytest.fixture(scope="module")
def printed(commands):
    return [(page, command) for page in commands.pages() for command in commands.printed(page)]


def test_every_page_is_read(commands, printed):
    assert set(commands.CONTENT["pages"]) <= set(commands.pages())
    assert len(printed) > 50 and {"README.md", "docs/first_hour.md", "docs/cli.md"} <= {
        page for page, _ in printed
    }


def test_commands_are_in_blocks_that_are_read(commands, printed):
    """A command in a block of another kind would never run."""
    words = {command.split()[0] for _, command in printed}
    assert {"sbgen", "pip", "make"} <= words
    other = [
        f"{page}: {line}"
        for page in commands.pages()
        for kind, block in re.findall(
            r"^```([^\n]*)\n(.*?)^```", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE
        )
        for line in block.splitlines()
        if kind != "sh" and line.partition(" ")[0] in words
    ]
    assert other == []


def test_what_is_not_run_is_printed_and_has_a_reason(commands, printed):
    assert set(commands.NOT_RUN) <= {command for _, command in printed}
    assert all(len(reason) > 10 for reason in commands.NOT_RUN.values())
    for reason in commands.NOT_RUN.values():
        for path in re.findall(r"(?:tests|sim|benchmarks)/\w+\.py", reason):
            assert (ROOT / path).is_file(), reason


def test_all_else_is_run(commands, printed):
    wrong = [
        f"{page}: {command}"
        for page, command in printed
        if command not in commands.NOT_RUN and not command.startswith("sbgen ")
    ]
    assert wrong == []
    from_ci = (ROOT / ".ci/run").read_text().splitlines()
    assert all(
        command in from_ci for command, reason in commands.NOT_RUN.items() if reason.startswith(".ci/run")
    )


def test_every_command_of_sbgen_is_one_that_its_parser_takes(commands, printed):
    parsers = {command.name: cli.parser_of(command) for command in cli.COMMANDS}
    lines = [*printed, *(("before", command) for command in commands.CONTENT["before"])]
    for page, command in lines:
        words = shlex.split(command)
        if words[0] == "sbgen" and words[-1] != "...":
            try:
                parsers[words[1]].parse_args(words[2:])
            except SystemExit:
                pytest.fail(f"{page}: {command}")


def test_a_record_keeps_the_rows_of_other_pages(commands, monkeypatch, tmp_path):
    monkeypatch.setattr(commands.record, "FOLDER", tmp_path)
    code = iter([0, 0, 1, 0, 0, 0, 0])
    monkeypatch.setattr(
        commands, "run", lambda *_: SimpleNamespace(returncode=next(code), stdout="", stderr="")
    )

    def recorded():
        content = json.loads((tmp_path / "printed_commands.json").read_text())
        return content, [(row["page"], row["exit_code"]) for row in content["commands"]]

    clients, parts = "docs/clients.md", "docs/parts.md"
    commands.run_pages([parts], tmp_path)
    assert recorded()[1] == [(parts, 0), (parts, 0), (parts, 1)]
    commands.run_pages([clients], tmp_path)
    content, rows = recorded()
    assert rows == [(clients, 0), (clients, 0), (parts, 0), (parts, 0), (parts, 1)] and content["failed"] == 1
    assert "docs/cli.md: sbgen fuzz --seed 0 --count 20" in content["never_run"]
    assert not {"docs/clients.md: sbgen client c --out firmware/", "README.md: make demo"} & {
        *content["never_run"]
    }
    # A command that is no longer printed is no longer in the record.
    monkeypatch.setattr(commands, "printed", lambda page: [])
    commands.run_pages([], tmp_path)
    commands.write(commands.earlier([]))
    assert recorded()[1] == []
