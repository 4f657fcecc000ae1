"""Every command's page of the reference, from its parser."""

import argparse
from pathlib import Path

from sbgen import cli

__all__ = ["page", "write"]


def write(folder: Path) -> None:
    """Write a page for each command, and one that lists them; a page that is the same is left alone."""
    folder.mkdir(exist_ok=True)
    pages = {command.name: page(command) for command in cli.COMMANDS}
    rows = "\n".join(
        f"| [sbgen {command.name}]({command.name}.md) | {command.help} |" for command in cli.COMMANDS
    )
    names = "\n".join(pages)
    pages["commands"] = (
        "# Every command\n\n[The command line](../cli.md) explains them with examples.\n\n"
        f"| command | what it does |\n|---|---|\n{rows}\n\n```{{toctree}}\n:hidden:\n\n{names}\n```\n"
    )
    for name, text in pages.items():
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def page(command: cli.Command) -> str:
    """The page of a command in Markdown: its usage, and a table of options for each group."""
    parser = cli.parser_of(command)
    parts = [f"# sbgen {command.name}", f"{command.help[0].upper()}{command.help[1:]}."]
    parts.append(f"```text\n{parser.format_usage().strip()}\n```")
    for group in parser._action_groups:
        actions = [action for action in group._group_actions if not isinstance(action, argparse._HelpAction)]
        if not actions:
            continue
        parts.append(f"## {(group.title or '').capitalize()}")
        if group.description:
            parts.append(_escaped(group.description))
        rows = "\n".join(f"| {_name(action)} | {_help(parser, action)} |" for action in actions)
        parts.append(f"| | |\n|---|---|\n{rows}")
    return "\n\n".join(parts) + "\n"


def _name(action: argparse.Action) -> str:
    """The option with what it takes, as code."""
    takes = (
        "" if action.nargs == 0 else action.metavar or "|".join(map(str, action.choices or ())) or action.dest
    )
    names = action.option_strings or [""]
    return ", ".join(f"`{name} {takes}`".replace("` ", "`").replace(" `", "`") for name in names).replace(
        "|", "\\|"
    )


def _help(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    text = parser._get_formatter()._expand_help(action) if action.help else ""
    return _escaped(text)


def _escaped(text: str) -> str:
    """Text of a help message as Markdown; code is in backticks already."""
    return (
        " ".join(text.split())
        .replace("|", "\\|")
        .replace("<", "&lt;")
        .replace("*", "\\*")
        .replace("_", "\\_")
    )
