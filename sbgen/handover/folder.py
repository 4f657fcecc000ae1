"""The files of a handed-over core."""

import json
import re
from typing import TYPE_CHECKING

import jinja2

from ..compiler import exchange, lower, portable
from ..compiler.cycles import Cycles
from ..compiler.design import Design
from .context import Context
from .names import check_name
from .ports import ports
from .shell import SHELLS, parameters
from .vectors import vectors

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Context", "files", "prepare"]

_TEMPLATES = {
    "{name}.core": "core.j2",
    "{name}_package.tcl": "package.tcl.j2",
    "{name}.xdc": "constraints.j2",
    "{name}.sdc": "constraints.j2",
    "{name}_amaranth.py": "amaranth.py.j2",
    "{name}.md": "readme.md.j2",
}
_OF_REGISTERS = {"{name}.h": "header.h.j2", "{name}.c": "driver.c.j2"}
_OF_WISHBONE = {"{name}_litex.py": "litex.py.j2"}


def prepare(
    design: Design,
    images: "np.ndarray",
    *,
    name: str,
    shell: str,
    cycles: Cycles,
    clock_mhz: float,
    width: int | None = None,
    packed: bool = False,
    roms: str = "initial",
) -> Context:
    """The core in its shell, and all that its files say.

    Parameters
    ----------
    design : Design
    images : uint8 array, shape (N, *image_shape)
        Of the test vectors.
    name : str
        Of the top module; all others begin with it.
    shell : str
        A key of `SHELLS`.
    cycles : Cycles
        As predicted for the design.
    clock_mhz : float
        For the constraints.
    width : int or None
        Bits of a word of the bus; None is what the core needs.
    packed : bool
        Whether a pixel takes only the bits that the network can tell apart.
    roms : str
        One of `portable.ROMS`.

    Raises
    ------
    SbgenError
        A name that some language does not take, a bus that is too narrow, weights in SPRAM.
    """
    check_name(name)
    kind = SHELLS[shell]
    core = lower.lower(design)
    bus = parameters(
        kind,
        design,
        core,
        width=8 * core.lanes if not kind.marked else width,
        packed=packed,
        in_flight=max(2, -(-cycles.latency // cycles.interval) + 1),
    )
    component = kind.create(core, bus, int(exchange.digest(design.network)[:8], 16))
    context = Context(
        name=name,
        shell=kind,
        design=design,
        core=core,
        parameters=bus,
        cycles=cycles,
        clock_mhz=clock_mhz,
        verilog=portable.convert(component, name=name, roms=roms),
        ports=(),
        vectors=vectors(design.network, images, core, bus, marked=kind.marked),
    )
    found = ports(
        component, kind, signs=core.signs, label_only=design.label_only, answers=context.answers_text
    )
    return Context(**{**vars(context), "ports": found})


def files(context: Context) -> dict[str, str]:
    """Every file by its name, the description last."""
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader(__package__, "templates"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    wanted = {**_TEMPLATES, "{name}_tb.v": context.shell.bench}
    if context.shell.registers:
        wanted |= _OF_REGISTERS
    if context.shell.name == "wishbone":
        wanted |= _OF_WISHBONE
    name = context.name
    text = _head(context) + context.verilog.text
    made = {
        f"{name}.v": text,
        f"{name}.vlt": _waiver(context, text),
        f"{name}_sent.hex": _hex(context.vectors.sent, context.width + 2),
        f"{name}_expected.hex": _hex(context.vectors.expected, context.expected_bits),
        **context.verilog.contents,
        **{
            file.format(name=name): templates.get_template(template).render(c=context)
            for file, template in wanted.items()
        },
    }
    made[f"{name}.json"] = json.dumps(context.describe(made), indent=1) + "\n"
    return made


def _hex(words: tuple[int, ...], bits: int) -> str:
    digits = -(-bits // 4)
    return "".join(f"{word:0{digits}x}\n" for word in words)


def _head(context: Context) -> str:
    """The comment before the Verilog: its ports, beats and cycles."""
    width = max(len(port.name) for port in context.ports)
    p, timing = context.parameters, context.cycles
    active = "low" if context.shell.active_low else "high"
    lines = [
        *context.comment_lines(),
        "",
        *(f"{port.direction:6} {port.name:{width}} {port.width:4}  {port.meaning}" for port in context.ports),
        "",
        f"An image is {context.core.pixels} pixels of {p.pixel_bits} bits, in {context.words} words.",
        *([f"A pixel is sent as the number of these that are not above it: {p.levels}."] if p.levels else []),
        f"The core takes {timing.interval} cycles per image; the bus carries {context.shell.limit}.",
        f"From its first beat to its last score an image takes the core {timing.latency} cycles.",
        f"The reset {context.shell.reset} is synchronous, active {active}.",
    ]
    return "".join(f"// {line}".rstrip() + "\n" for line in lines)


_REASONS = {
    "clk": "the module is combinational",
    "rst": "a ROM or a combinational module has nothing to reset",
    "reset": "a ROM or a combinational module has nothing to reset",
    "i__valid": "the payload alone decides here",
    "i__ready": "the payload alone decides here",
    "s_axi_awprot": "there is no protection",
    "s_axi_arprot": "there is no protection",
    "s_axi_awaddr": "registers are whole words",
    "s_axi_araddr": "registers are whole words",
}


def _declares(line: str, signal: str) -> bool:
    """Whether a line of Verilog declares a signal."""
    return bool(re.match(rf"  (input|output|wire|reg)\b.*[ \\\\]{re.escape(signal)} ?(;| =)", line))


def _waiver(context: Context, text: str) -> str:
    """What Verilator says of correct Verilog, with the module and the reason."""
    name = context.name
    starts = {
        match.group(1): text.count("\n", 0, match.start()) + 1
        for match in re.finditer(r"^module (\w+)", text, re.MULTILINE)
    }
    ends = [
        text.count("\n", 0, match.start()) + 1 for match in re.finditer(r"^endmodule", text, re.MULTILINE)
    ]
    lines = [
        "`verilator_config",
        context.comment("//"),
        f"// All modules of {name}: they are in one file.",
        f'lint_off -rule DECLFILENAME -file "*{name}.v"',
    ]
    code = text.splitlines()
    for module, signals in context.verilog.unused.items():
        first = starts[module]
        last = next(end for end in ends if end > first)
        for signal in sorted(set(signals)):
            reason = _REASONS.get(signal, "only some bits of it matter")
            found = [n for n in range(first, last) if _declares(code[n - 1], signal)]
            lines.append(f"// {module}, {signal}: {reason}.")
            lines += [f'lint_off -rule UNUSEDSIGNAL -file "*{name}.v" -lines {n}' for n in found]
    return "\n".join([*lines, ""])
