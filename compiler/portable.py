"""Verilog to be handed over: for any tool, next to other modules, and without a warning of a linter."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from amaranth.lib import wiring

from .. import tools
from .rtlil_loops import MARK, mark_copies_of_itself
from .rtlil_widths import equalize
from .unused import unused_signals
from .verilog import split_initial, to_rtlil

__all__ = ["ROMS", "PortableVerilog", "convert"]

#: How memories get their contents: from initial blocks in the text, or from files by ``$readmemh``.
ROMS = ("initial", "readmemh")

# No hierarchy is to be kept: tools that put pads at the ports of a module would put them inside. Initial
# values of registers stay, their copies in attributes go. A multiplexer of one-hot inputs would become a case
# statement whose items overlap.
_CLEAN = (
    "read_rtlil design.il; proc; memory_collect; opt_expr; wreduce; opt_expr; opt_clean -purge; "
    "attrmap -remove generator -remove top -remove src -remove amaranth.hierarchy -remove amaranth.decoding "
    "-remove keep_hierarchy; attrmap -modattr -remove generator -remove top -remove src "
    "-remove amaranth.hierarchy -remove keep_hierarchy; pmuxtree; opt_clean -purge; write_rtlil clean.il"
)
_SPLIT = f"read_rtlil marked.il; splitnets -driver a:{MARK}; attrmap -remove {MARK}; write_rtlil clean.il"
_WRITE = "read_rtlil equal.il; attrmap -remove init; write_verilog -norename design.v"

_MODULE = re.compile(r"^(module|  cell) \\([^\s$]\S*)", re.MULTILINE)
_CONTENTS = re.compile(r"  initial begin\n((?:    \S+\[\d+\] = \d+'h[0-9a-f]+;\n)+)  end\n")
_WORD = re.compile(r"    (\S+)\[(\d+)\] = \d+'h([0-9a-f]+);\n")


@dataclass(frozen=True, kw_only=True)
class PortableVerilog:
    """What `convert` returns.

    Parameters
    ----------
    text : str
        Verilog-2005.
    modules : tuple of str
        Their names, in the order of the text.
    unused : mapping of str to tuple of str
        For each module that has such the signals of which not every bit is used.
    contents : mapping of str to str
        Files of `$readmemh` by name.
    """

    text: str
    modules: tuple[str, ...]
    unused: Mapping[str, tuple[str, ...]]
    contents: Mapping[str, str]


def convert(component: wiring.Component, *, name: str, roms: str = "initial") -> PortableVerilog:
    """The component as Verilog whose modules are `name` and others that begin with it and an underscore.

    Parameters
    ----------
    component : :class:`amaranth.lib.wiring.Component`
        Each member of its signature is a port of its name.
    name : str
        Of the top module.
    roms : str
        One of `ROMS`.
    """
    if roms not in ROMS:
        raise ValueError(f"roms must be one of {', '.join(ROMS)}, not {roms!r}")
    with tools.temporary() as folder:
        yosys, log = tools.find("yosys"), folder / "yosys.log"
        (folder / "design.il").write_text(to_rtlil(component, name=name), encoding="utf-8")
        tools.run(yosys, ["-p", _CLEAN], cwd=folder, log=log)
        marked, loops = mark_copies_of_itself((folder / "clean.il").read_text(encoding="utf-8"))
        if loops:
            (folder / "marked.il").write_text(marked, encoding="utf-8")
            tools.run(yosys, ["-p", _SPLIT], cwd=folder, log=log)
        rtlil = _renamed(equalize((folder / "clean.il").read_text(encoding="utf-8")))
        (folder / "equal.il").write_text(rtlil, encoding="utf-8")
        tools.run(yosys, ["-p", _WRITE], cwd=folder, log=log)
        text = (folder / "design.v").read_text(encoding="utf-8")
    text = re.sub(r"\A/\*.*?\*/\s*", "", text)
    contents: dict[str, str] = {}
    if roms == "readmemh":
        text, contents = _to_files(text)
    else:
        text = split_initial(text)
    return PortableVerilog(
        text=text,
        modules=tuple(re.findall(r"^module (\w+)", text, re.MULTILINE)),
        unused=unused_signals(rtlil),
        contents=contents,
    )


def _renamed(rtlil: str) -> str:
    """Module names without dots; two that would be one get a number."""
    names: dict[str, str] = {}

    def plain(match: re.Match[str]) -> str:
        found = match.group(2)
        if found not in names:
            base = new = re.sub(r"\W", "_", found)
            number = 2
            while new in names.values():
                new, number = f"{base}_{number}", number + 1
            names[found] = new
        return f"{match.group(1)} \\{names[found]}"

    return _MODULE.sub(plain, rtlil)


def _to_files(text: str) -> tuple[str, dict[str, str]]:
    """Memories read from files; those that are all 0 stay as they are."""
    files: dict[str, str] = {}
    parts = re.split(r"(?m)^(?=module )", text)

    def to_file(match: re.Match[str], module: str) -> str:
        words = _WORD.findall(match.group(1))
        if all(int(value, 16) == 0 for _, _, value in words):
            return match.group()
        memory = words[0][0]
        file = f"{module}_{memory}.hex"
        files[file] = "".join(f"@{int(address):x} {value}\n" for _, address, value in words)
        last = max(int(address) for _, address, _ in words)
        return f'  initial $readmemh("{file}", {memory}, 0, {last});\n'

    for n, part in enumerate(parts):
        found = re.match(r"module (\w+)", part)
        if found:
            module = found.group(1)
            parts[n] = split_initial(_CONTENTS.sub(lambda match, module=module: to_file(match, module), part))  # type: ignore[misc]
    return "".join(parts), files
