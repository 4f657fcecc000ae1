"""The pages of the site. `make docs`, run by .ci/run, builds it with every notebook run and no warning."""

import ast
import re
from pathlib import Path

import pytest

from sbgen import cli

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"


@pytest.fixture
def command_pages(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    import command_pages

    return command_pages


def test_ten_lines_from_nothing_to_scores_of_hardware():
    program = re.search(r"```{code-cell}\n(.*?)```", (DOCS / "quickstart.md").read_text(), re.DOTALL)[1]
    assert (
        len([line for line in program.splitlines() if line.strip()]) <= 10 and 'engine="amaranth"' in program
    )


def test_ci_builds_the_site():
    assert "make docs" in (ROOT / ".ci/run").read_text().splitlines()
    rule = (ROOT / "Makefile").read_text().partition("\ndocs: setup\n")[2].partition("\n\n")[0]
    assert (
        "sphinx -W --keep-going" in rule and 'nb_execution_mode = "force"' in (DOCS / "conf.py").read_text()
    )


def test_every_page_is_in_the_contents():
    listed = re.findall(r"^(\w[\w/]*)$", (DOCS / "index.md").read_text(), re.MULTILINE)
    pages = {str(path.relative_to(DOCS).with_suffix("")) for path in DOCS.rglob("*.md")}
    pages = {page for page in pages if page.partition("/")[0] not in ("index", "generated", "_build")}
    assert pages | {"generated/commands"} == set(listed)
    # Sphinx writes pages of its own under these names, in place of ours.
    assert not pages & {"search", "genindex", "modindex", "py-modindex"}


def test_a_command_has_a_page_with_all_its_options(command_pages, tmp_path):
    command_pages.write(tmp_path)
    assert {path.stem for path in tmp_path.iterdir()} == {"commands", *(each.name for each in cli.COMMANDS)}
    page = (tmp_path / "build.md").read_text()
    for text in ("## Clock", "`--clock MHZ`", "(default: 300)", "`--no-sim`"):
        assert text in page, text
    for command in cli.COMMANDS:
        page = (tmp_path / f"{command.name}.md").read_text()
        for action in cli.parser_of(command)._actions:
            assert all(
                f"`{option}" in page for option in action.option_strings if option not in ("-h", "--help")
            )


def texts_of(path):
    """The texts of a module but for its docstrings; what is inserted is `{}`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def test_errors_of_the_faq_are_those_of_the_code():
    folders = ("boards", "compiler", "sbgen", "train")
    code = "\n".join(
        text for name in folders for path in (ROOT / name).rglob("*.py") for text in texts_of(path)
    )
    page = (DOCS / "faq.md").read_text().partition("## Errors")[2]
    errors = re.findall(r"^\*\*`(.*?)`\*\*", page, re.MULTILINE)
    words = [part.strip(" :;,") for error in errors for part in error.split("...")]
    missing = [part for part in words if part not in code and part.replace("torch", "{}") not in code]
    assert len(errors) > 7 and missing == []
