"""Plain Verilog of a component, through RTLIL and yosys."""

import re

from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, ClockSignal, Fragment, Instance, Value
from amaranth.hdl._ir import PortDirection
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from .. import __version__, tools
from ..hw.rom import LUT_MODULE

__all__ = ["convert"]

# Amaranth's own conversion does the same three steps, but only with a yosys that it finds itself, and leaves
# paths of source files in the text.
# Tables of unrolled layers and fan-out registers stay separate in synthesis (see `sbgen.hw.unrolled` and
# `sbgen.hw.fan_out`). A memory without initial contents, which Amaranth does not know, is one that is filled
# at run time: SPRAM has none.
_SCRIPT = (
    "read_rtlil design.il; proc -nomux -norom; memory_collect; setparam -set INIT 1'x a:ram_style=huge; "
    "attrmap -remove generator -remove top -remove src -remove amaranth.hierarchy -remove amaranth.decoding; "
    "attrmap -modattr -remove generator -remove top -remove src -remove amaranth.hierarchy; "
    "setattr -mod -set keep_hierarchy 1 *.tables_* *.copy_*; write_verilog -norename design.v"
)


def _ports(component: wiring.Component) -> dict[str, tuple[Value, PortDirection]]:
    """Every member of the component's signature as a port, its path joined by two underscores."""
    return {
        "__".join(map(str, path)): (
            Value.cast(value),
            PortDirection.Input if member.flow == In else PortDirection.Output,
        )
        for path, member, value in component.signature.flatten(component)
    }


class _Modules:
    """The platform of components: those that request it are instances of modules that are written once.

    Parameters
    ----------
    prefix : str
        Begins the names of these modules.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._texts: dict[str, str] = {}

    def share(self, component: wiring.Component, *, name: str) -> Instance:
        """An instance of the module of that name, which is built from `component` if it is the first.

        Parameters
        ----------
        component : :class:`amaranth.lib.wiring.Component`
            Without a reset. Those of one name must be equal.
        """
        name, ports = f"{self._prefix}.{name}", _ports(component)
        if name not in self._texts:
            self._texts[name], _ = rtlil.convert_fragment(
                Fragment.get(component, None),
                ports,
                name,
                emit_src=False,
                missing_domain=lambda domain: ClockDomain(domain, reset_less=True),
            )
        return Instance(
            name,
            ("i", "clk", ClockSignal()),
            *((direction.value[0], port, value) for port, (value, direction) in ports.items()),
        )

    @property
    def text(self) -> str:
        """All modules."""
        return "".join(self._texts.values())


#: Words of a memory in one initial block: the time in which yosys reads a block grows with the square of its
#: length.
_INITIAL_WORDS = 256

_WORD = re.compile(r"    \S+\[\d+\] = ")


def _split_initial(verilog: str) -> str:
    """Contents of memories in initial blocks of at most `_INITIAL_WORDS` words."""
    lines, words = [], 0
    for line in verilog.splitlines(keepends=True):
        words = words + 1 if _WORD.match(line) else 0
        if words > _INITIAL_WORDS:
            lines.append("  end\n  initial begin\n")
            words = 1
        lines.append(line)
    return "".join(lines)


#: The LUT of a patchable ROM: a cell that synthesis leaves alone where the family has one, or its function.
_LUT = f"""
module {LUT_MODULE} #(parameter [15:0] INIT = 16'h0000) (input [3:0] a, output o);
`ifdef SBGEN_ICE40
  (* keep *) SB_LUT4 #(.LUT_INIT(INIT)) lut (.I0(a[0]), .I1(a[1]), .I2(a[2]), .I3(a[3]), .O(o));
`else
  assign o = INIT[a];
`endif
endmodule
"""


def convert(component: wiring.Component, *, name: str = "top") -> str:
    """The component as Verilog-2005 text, the same for the same component and version of yosys.

    Parameters
    ----------
    component : :class:`amaranth.lib.wiring.Component`
        Its signature becomes the ports of the top module: ``i`` becomes ``i__payload``, ``i__valid`` and
        ``i__ready``; the clock and the synchronous reset are ``clk`` and ``rst``, unless they are generated
        inside.
    name : str
        Name of the top module.
    """
    modules = _Modules(name)
    text, _ = rtlil.convert_fragment(
        Fragment.get(component, modules), _ports(component), name, emit_src=False
    )
    with tools.temporary() as folder:
        (folder / "design.il").write_text(text + modules.text, encoding="utf-8")
        tools.run(tools.find("yosys"), ["-p", _SCRIPT], cwd=folder, log=folder / "yosys.log")
        verilog = (folder / "design.v").read_text(encoding="utf-8")
    verilog = _split_initial(verilog)
    if f"  {LUT_MODULE} " in verilog:
        verilog += _LUT
    return re.sub(r"\A/\* Generated by .*? \*/", f"// Generated by sbgen {__version__}", verilog)
