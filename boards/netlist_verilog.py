"""A netlist of yosys or nextpnr as Verilog that any simulator runs, with the meaning of each of its cells.

Logic cells become expressions and registers, a name for each net; only memories are modules. What the cells mean is the vendor's
(Lattice: iCE40 Technology Library, ECP5 and ECP5-5G Memory Usage Guide) as yosys and nextpnr use it. A PLL gives what it
gets: the clock at the pin is the one that the core is made for.
"""

import re

from ..errors import BoardError

__all__ = ["PLLS", "UnknownCellError", "from_icebox", "verilog"]


class UnknownCellError(BoardError):
    """A cell whose meaning is not written here."""


_ZERO, _ONE = "1'b0", "1'b1"


def verilog(netlist, *, family, names=False):
    """The module ``top`` of a netlist, and the modules it needs.

    Parameters
    ----------
    netlist : dict
        As `netlist.load` gives it, behind synthesis or behind place and route.
    family : str
    names : bool
        Whether public nets appear under their names too, for a waveform.

    Raises
    ------
    UnknownCellError
        When a cell has no meaning here.
    """
    module = _Module(netlist)
    for name, cell in netlist["cells"].items():
        meaning = _MEANINGS[family].get(cell["type"]) or next(
            (each for pattern, each in _PATTERNS[family] if re.fullmatch(pattern, cell["type"])), None)
        if meaning is None:
            raise UnknownCellError(f"a netlist of {family} can be simulated where all its cells are known, but {name} is a {cell['type']}")
        meaning(module, _Cell(name, cell))
    return module.text(names) + _RAMS[family]


def from_icebox(text):
    """What icebox_vlog made of an iCE40's bitstream, with the modules it needs.

    It does not know the way from the clock's pin to a PLL that takes the pin for itself.
    """
    header = re.search(r"^module top \((.*?)\);$", text, re.MULTILINE)
    ports = header[1].split(", ")
    # The ports are declared again as wires, which only the older form of a header allows.
    text = text.replace(header[0], "module top (" + ", ".join(port.split()[1] for port in ports) + ");\n"
                        + "\n".join(f"{port};" for port in ports), 1)
    return re.sub(r"\.PACKAGEPIN\(\w+\)", ".PACKAGEPIN(clk)", text) + _RAMS["ice40"] + _ICEBOX + PLLS


class _Cell:
    def __init__(self, name, cell):
        self.name, self.type, self.parameters, self._connections = name, cell["type"], cell["parameters"], cell["connections"]

    def number(self, parameter, default=0):
        """A parameter as an integer; bits that do not matter are 0."""
        text = self.parameters.get(parameter)
        return default if text is None else int(text.replace("x", "0"), 2)

    def pin(self, name, default=_ZERO):
        """What is at an input, one bit."""
        bits = self._connections.get(name) or []
        return _net(bits[0]) if bits else default

    def bus(self, name, width, default=_ZERO):
        """Inputs as a concatenation: a pin of several bits, or pins with numbers behind their name."""
        bits = self._connections.get(name)
        if bits is None or width > 1 and len(bits) <= 1 and f"{name}_0" in self._connections:
            return "{" + ", ".join(self.pin(f"{name}_{n}", default) for n in reversed(range(width))) + "}"
        padded = [_net(bit) for bit in bits] + [default] * (width - len(bits))
        return "{" + ", ".join(reversed(padded)) + "}"

    def outputs(self, name, width=1):
        """The nets at an output, the lowest first; None where nobody listens."""
        bits = self._connections.get(name) or [(self._connections.get(f"{name}_{n}") or [None])[0] for n in range(width)]
        return [None if bit is None else _net(bit) for bit in bits]

    def output(self, name):
        return self.outputs(name)[0]


def _net(bit):
    return f"n{bit}" if isinstance(bit, int) else _ONE if bit == "1" else _ZERO


class _Module:
    """Text that grows."""

    def __init__(self, netlist):
        self._netlist = netlist
        self._nets = set()
        self._lines = []
        self.clock = None
        self.ports = {name: port for name, port in netlist["ports"].items()}
        self.instances = 0

    def assign(self, net, expression):
        if net is not None:
            self._nets.add((net, "wire"))
            self._lines.append(f"  assign {net} = {expression};")

    def register(self, net, *, clock, negative, value, enable=_ONE, start=0):
        self._nets.add((net, f"reg = {start}"))
        edge = "negedge" if negative else "posedge"
        condition = "" if enable == _ONE else f"if ({enable}) "
        self._lines.append(f"  always @({edge} {clock}) {condition}{net} <= {value};")

    def instance(self, module, connections, parameters=""):
        self.instances += 1
        pins = ", ".join(f".{pin}({expression})" for pin, expression in connections.items())
        self._lines.append(f"  {module} #({parameters}) cell_{self.instances} ({pins});")

    def open(self, nets):
        """Outputs of an instance as a concatenation."""
        named = []
        for net in nets:
            if net is None:
                self.instances += 1
                net = f"open_{self.instances}"
            self._nets.add((net, "wire"))
            named.append(net)
        return "{" + ", ".join(reversed(named)) + "}"

    def text(self, names):
        declared = dict(sorted(self._nets))
        header, body = [], []
        for name, port in self.ports.items():
            bit, = port["bits"]
            header.append(f"{port['direction']} {name}")
            if port["direction"] == "input":
                declared[_net(bit)] = "wire"
                body.append(f"  assign {_net(bit)} = {name};")
            else:
                body.append(f"  assign {name} = {_net(bit)};")
        lines = [f"module top({', '.join(header)});"]
        for net, kind in declared.items():
            lines.append(f"  wire {net};" if kind == "wire" else f"  reg {net}{kind[3:]};")
        lines += self._lines + body
        if names:
            for name, bits in self._netlist["netnames"].items():
                if all(not isinstance(bit, int) or _net(bit) in declared for bit in bits):
                    lines.append(f"  wire [{len(bits) - 1}:0] \\{name}$ = {{{', '.join(_net(bit) for bit in reversed(bits))}}};")
        return "\n".join([*lines, "endmodule", ""])


def _lookup(table, inputs):
    """A truth table of four inputs, the first lowest."""
    return f"16'h{table:04x} >> {{{', '.join(reversed(inputs))}}}"


def _sb_lut4(m, cell):
    m.assign(cell.output("O"), _lookup(cell.number("LUT_INIT"), [cell.pin(f"I{n}") for n in range(4)]))


def _majority(a, b, c):
    return f"{a} & {b} | ({a} | {b}) & {c}"


def _sb_carry(m, cell):
    m.assign(cell.output("CO"), _majority(cell.pin("I0"), cell.pin("I1"), cell.pin("CI")))


def _sb_dff(m, cell):
    negative, enabled, reset = re.fullmatch(r"SB_DFF(N?)(E?)(SR|SS)?", cell.type).groups()
    value = cell.pin("D")
    if reset:
        value = f"{cell.pin(reset[1])} ? 1'b{int(reset == 'SS')} : {value}"
    m.register(cell.output("Q"), clock=cell.pin("C"), negative=negative, value=value,
               enable=cell.pin("E", _ONE) if enabled else _ONE)


def _icestorm_lc(m, cell):
    inputs = [cell.pin(f"I{n}") for n in range(4)]
    lookup = _lookup(cell.number("LUT_INIT"), inputs)
    if cell.output("COUT"):
        carry = f"1'b{cell.number('CIN_SET')}" if cell.number("CIN_CONST") else cell.pin("CIN")
        m.assign(cell.output("COUT"), _majority(inputs[1], inputs[2], carry))
    m.assign(cell.output("LO"), lookup)
    if cell.output("O") is None:
        return
    if not cell.number("DFF_ENABLE"):
        m.assign(cell.output("O"), lookup)
        return
    if cell.number("ASYNC_SR") and cell.pin("SR") != _ZERO:
        raise UnknownCellError(f"{cell.name}: an asynchronous reset is not known here")
    # The table is one bit wide only behind its shift: a conditional would keep all sixteen.
    value = f"({lookup}) & 1'b1"
    if cell.pin("SR") != _ZERO:
        value = f"{cell.pin('SR')} ? 1'b{cell.number('SET_NORESET')} : {value}"
    m.register(cell.output("O"), clock=cell.pin("CLK"), negative=cell.number("NEG_CLK"), value=value,
               enable=cell.pin("CEN", _ONE))


def _sb_gb(m, cell):
    # nextpnr leaves the way from the PLL to its buffer unsaid.
    m.assign(cell.output("GLOBAL_BUFFER_OUTPUT"), cell.pin("USER_SIGNAL_TO_GLOBAL_BUFFER", "clk"))


def _sb_io(m, cell):
    pad = cell.output("PACKAGE_PIN")
    if cell.output("D_IN_0"):
        m.assign(cell.output("D_IN_0"), pad)
    if cell.number("PIN_TYPE") >> 2 & 15:
        m.assign(pad, cell.pin("D_OUT_0"))


def _ice40_pll(m, cell):
    for pin in "PLLOUTGLOBAL", "PLLOUTCORE", "PLLOUT_A", "PLLOUT_B":
        m.assign(cell.output(pin), "clk")
    m.assign(cell.output("LOCK"), _ONE)


def _ice40_ram(m, cell):
    init = "".join(cell.parameters.get(f"INIT_{n:X}", "0" * 256).replace("x", "0") for n in reversed(range(16)))
    negative = cell.number("NEG_CLK_R"), cell.number("NEG_CLK_W")
    if any(negative) or cell.type.endswith(("NR", "NW")):
        raise UnknownCellError(f"{cell.name}: a falling clock is not known here")
    m.instance("ice40_ram", {
        "rclk": cell.pin("RCLK"), "re": f"{cell.pin('RE', _ONE)} & {cell.pin('RCLKE', _ONE)}",
        "raddr": cell.bus("RADDR", 11), "rdata": m.open(cell.outputs("RDATA", 16)),
        "wclk": cell.pin("WCLK"), "we": f"{cell.pin('WE')} & {cell.pin('WCLKE', _ONE)}",
        "waddr": cell.bus("WADDR", 11), "wdata": cell.bus("WDATA", 16), "mask": cell.bus("MASK", 16)},
        f".INIT(4096'h{int(init, 2):x}), .READ_MODE({cell.number('READ_MODE')}), .WRITE_MODE({cell.number('WRITE_MODE')})")


_MEANINGS = {
    "ice40": {"SB_LUT4": _sb_lut4, "SB_CARRY": _sb_carry, "ICESTORM_LC": _icestorm_lc, "SB_GB": _sb_gb, "SB_IO": _sb_io,
              "ICESTORM_PLL": _ice40_pll, "ICESTORM_RAM": _ice40_ram},
    "ecp5": {},
}
_PATTERNS = {
    "ice40": ((r"SB_DFFN?E?(SR|SS)?", _sb_dff), (r"SB_PLL40_\w+", _ice40_pll), (r"SB_RAM40_4K", _ice40_ram)),
    "ecp5": (),
}

_RAMS = {"ice40": """
module ice40_ram #(parameter [4095:0] INIT = 0, parameter READ_MODE = 0, WRITE_MODE = 0) (
  input rclk, re, input [10:0] raddr, output [15:0] rdata,
  input wclk, we, input [10:0] waddr, input [15:0] wdata, mask
);
  // Words of 16 bits. In mode m only every 2^m-th bit of them is given, which of these the high bits of the address say.
  reg [15:0] words [0:255];
  reg [15:0] read = 0;
  reg [2:0] high = 0;
  integer n;
  initial for (n = 0; n < 256; n = n + 1) words[n] = INIT[16 * n +: 16];

  wire [3:0] offset = READ_MODE == 0 ? 0 : READ_MODE == 1 ? high[0] : READ_MODE == 2 ? high[1:0] : high[2:0];
  wire [15:0] shifted = read >> offset;
  assign rdata = READ_MODE == 0 ? read : READ_MODE == 1 ? shifted & 16'h5555 : READ_MODE == 2 ? (shifted & 16'h1111) << 1 : (shifted & 16'h0101) << 3;
  always @(posedge rclk) if (re) begin read <= words[raddr[7:0]]; high <= raddr[10:8]; end

  wire [3:0] place = WRITE_MODE == 0 ? 0 : WRITE_MODE == 1 ? waddr[8] : WRITE_MODE == 2 ? waddr[9:8] : waddr[10:8];
  wire [15:0] put = WRITE_MODE == 0 ? wdata : WRITE_MODE == 1 ? (wdata & 16'h5555) << place :
                    WRITE_MODE == 2 ? (wdata >> 1 & 16'h1111) << place : (wdata >> 3 & 16'h0101) << place;
  wire [15:0] kept = WRITE_MODE == 0 ? mask : WRITE_MODE == 1 ? ~(16'h5555 << place) :
                     WRITE_MODE == 2 ? ~(16'h1111 << place) : ~(16'h0101 << place);
  always @(posedge wclk) if (we) words[waddr[7:0]] <= words[waddr[7:0]] & kept | put & ~kept;
endmodule
""", "ecp5": ""}

_ICEBOX = """
module SB_RAM40_4K #(parameter READ_MODE = 0, WRITE_MODE = 0, parameter [255:0] INIT_0 = 0,
  INIT_1 = 0,
  INIT_2 = 0,
  INIT_3 = 0,
  INIT_4 = 0,
  INIT_5 = 0,
  INIT_6 = 0,
  INIT_7 = 0,
  INIT_8 = 0,
  INIT_9 = 0,
  INIT_A = 0,
  INIT_B = 0,
  INIT_C = 0,
  INIT_D = 0,
  INIT_E = 0,
  INIT_F = 0) (
  input RCLK, RCLKE, RE, input [10:0] RADDR, output [15:0] RDATA,
  input WCLK, WCLKE, WE, input [10:0] WADDR, input [15:0] WDATA, MASK
);
  ice40_ram #(.READ_MODE(READ_MODE), .WRITE_MODE(WRITE_MODE), .INIT({INIT_F, INIT_E, INIT_D, INIT_C, INIT_B, INIT_A, INIT_9, INIT_8, INIT_7, INIT_6, INIT_5, INIT_4, INIT_3, INIT_2, INIT_1, INIT_0})) ram (
    .rclk(RCLK), .re(RE & RCLKE), .raddr(RADDR), .rdata(RDATA),
    .wclk(WCLK), .we(WE & WCLKE), .waddr(WADDR), .wdata(WDATA), .mask(MASK));
endmodule
"""

#: The PLLs of the boards as wires: what they give is what they get. For the emitted top level, which has one as an instance.
PLLS = "".join(f"""
module SB_PLL40_{kind} #(
  parameter FEEDBACK_PATH = 0, DELAY_ADJUSTMENT_MODE_FEEDBACK = 0, DELAY_ADJUSTMENT_MODE_RELATIVE = 0, PLLOUT_SELECT = 0,
  SHIFTREG_DIV_MODE = 0, FDA_FEEDBACK = 0, FDA_RELATIVE = 0, DIVR = 0, DIVF = 0, DIVQ = 0, FILTER_RANGE = 0, ENABLE_ICEGATE = 0,
  TEST_MODE = 0
) (
  input {clock}, EXTFEEDBACK, BYPASS, RESETB, LATCHINPUTVALUE, SDI, SCLK, input [7:0] DYNAMICDELAY,
  output PLLOUTCORE, PLLOUTGLOBAL, LOCK, SDO
);
  assign PLLOUTCORE = {clock}, PLLOUTGLOBAL = {clock}, LOCK = 1, SDO = 0;
endmodule
""" for kind, clock in (("PAD", "PACKAGEPIN"), ("CORE", "REFERENCECLK"))) + """
module EHXPLLL #(
  parameter PLLRST_ENA = 0, INTFB_WAKE = 0, STDBY_ENABLE = 0, DPHASE_SOURCE = 0, OUTDIVIDER_MUXA = 0, OUTDIVIDER_MUXB = 0,
  OUTDIVIDER_MUXC = 0, OUTDIVIDER_MUXD = 0, CLKI_DIV = 0, CLKFB_DIV = 0, FEEDBK_PATH = 0, CLKOP_ENABLE = 0, CLKOP_DIV = 0,
  CLKOP_FPHASE = 0, CLKOP_CPHASE = 0
) (
  input CLKI, CLKFB, RST, STDBY, PHASESEL0, PHASESEL1, PHASEDIR, PHASESTEP, PHASELOADREG, PLLWAKESYNC, ENCLKOP, output CLKOP, LOCK
);
  assign CLKOP = CLKI, LOCK = 1;
endmodule
"""
