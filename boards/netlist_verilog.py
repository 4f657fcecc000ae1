"""A netlist of yosys or nextpnr as Verilog that any simulator runs, with the meaning of each of its cells.

Logic cells become expressions and registers, a name for each net; only memories are modules. What the cells
mean is the vendor's (Lattice: iCE40 Technology Library, ECP5 and ECP5-5G Memory Usage Guide) as yosys and
nextpnr use it. A PLL gives what it gets: the clock at the pin is the one that the core is made for.
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
            (each for pattern, each in _PATTERNS[family] if re.fullmatch(pattern, cell["type"])), None
        )
        if meaning is None:
            raise UnknownCellError(
                f"a netlist of {family} can be simulated where all its cells are known, but {name} is a"
                f" {cell['type']}"
            )
        meaning(module, _Cell(name, cell))
    return module.text(names) + _RAMS[family]


def from_icebox(text):
    """What icebox_vlog made of an iCE40's bitstream, with the modules it needs.

    It does not know the way from the clock's pin to a PLL that takes the pin for itself.
    """
    header = re.search(r"^module top \((.*?)\);$", text, re.MULTILINE)
    ports = header[1].split(", ")
    # The ports are declared again as wires, which only the older form of a header allows.
    text = text.replace(
        header[0],
        "module top ("
        + ", ".join(port.split()[1] for port in ports)
        + ");\n"
        + "\n".join(f"{port};" for port in ports),
        1,
    )
    return re.sub(r"\.PACKAGEPIN\(\w+\)", ".PACKAGEPIN(clk)", text) + _RAMS["ice40"] + _ICEBOX + PLLS


class _Cell:
    def __init__(self, name, cell):
        self.name, self.type, self.parameters, self._connections = (
            name,
            cell["type"],
            cell["parameters"],
            cell["connections"],
        )

    def number(self, parameter, default=0):
        """A parameter as an integer; bits that do not matter are 0."""
        text = self.parameters.get(parameter)
        return default if text is None else int(text.replace("x", "0"), 2)

    def pin(self, name, default=_ZERO):
        """What is at an input, one bit."""
        bits = self._connections.get(name) or []
        return _net(bits[0]) if bits else default

    def ecp5_pin(self, name):
        """What is at an input of an ECP5's cell: one that is not connected is 1, and may be inverted or
        replaced by a constant.
        """
        value, mux = self.pin(name, _ONE), self.parameters.get(f"{name}MUX", name).strip()
        return {"INV": f"~{value}", "0": _ZERO, "1": _ONE}.get(mux, value)

    def bus(self, name, width, default=_ZERO):
        """Inputs as a concatenation: a pin of several bits, or pins with numbers behind their name."""
        bits = self._connections.get(name)
        if bits is None or width > 1 and len(bits) <= 1 and f"{name}_0" in self._connections:
            return "{" + ", ".join(self.pin(f"{name}_{n}", default) for n in reversed(range(width))) + "}"
        padded = [_net(bit) for bit in bits] + [default] * (width - len(bits))
        return "{" + ", ".join(reversed(padded)) + "}"

    def outputs(self, name, width=1):
        """The nets at an output, the lowest first; None where nobody listens."""
        bits = self._connections.get(name) or [
            (self._connections.get(f"{name}_{n}") or [None])[0] for n in range(width)
        ]
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

    def spare(self):
        """A net of its own."""
        self.instances += 1
        return f"spare_{self.instances}"

    def open(self, nets):
        """Outputs of an instance as a concatenation."""
        named = []
        for net in nets:
            if net is None:
                net = self.spare()
            self._nets.add((net, "wire"))
            named.append(net)
        return "{" + ", ".join(reversed(named)) + "}"

    def text(self, names):
        declared = dict(sorted(self._nets))
        header, body = [], []
        for name, port in self.ports.items():
            (bit,) = port["bits"]
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
                    lines.append(
                        f"  wire [{len(bits) - 1}:0] \\{name}$ ="
                        f" {{{', '.join(_net(bit) for bit in reversed(bits))}}};"
                    )
        return "\n".join([*lines, "endmodule", ""])


def _lookup(table, inputs):
    """A truth table of four inputs, the first lowest; those that it does not depend on are left out.

    One of them may be the cell's own output, where a carry takes it at the same pin: a loop in text,
    undefined for ever.
    """
    needed = [n for n in range(4) if any((table >> at ^ table >> (at | 1 << n)) & 1 for at in range(16))]
    if not needed:
        return f"1'b{table & 1}"
    values = [
        table >> sum((at >> m & 1) << n for m, n in enumerate(needed)) & 1 for at in range(1 << len(needed))
    ]
    table = sum(value << at for at, value in enumerate(values))
    return f"{len(values)}'h{table:x} >> {{{', '.join(inputs[n] for n in reversed(needed))}}}"


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
    m.register(
        cell.output("Q"),
        clock=cell.pin("C"),
        negative=negative,
        value=value,
        enable=cell.pin("E", _ONE) if enabled else _ONE,
    )


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
    m.register(
        cell.output("O"),
        clock=cell.pin("CLK"),
        negative=cell.number("NEG_CLK"),
        value=value,
        enable=cell.pin("CEN", _ONE),
    )


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
    init = "".join(
        cell.parameters.get(f"INIT_{n:X}", "0" * 256).replace("x", "0") for n in reversed(range(16))
    )
    negative = cell.number("NEG_CLK_R"), cell.number("NEG_CLK_W")
    if any(negative) or cell.type.endswith(("NR", "NW")):
        raise UnknownCellError(f"{cell.name}: a falling clock is not known here")
    m.instance(
        "ice40_ram",
        {
            "rclk": cell.pin("RCLK"),
            "re": f"{cell.pin('RE', _ONE)} & {cell.pin('RCLKE', _ONE)}",
            "raddr": cell.bus("RADDR", 11),
            "rdata": m.open(cell.outputs("RDATA", 16)),
            "wclk": cell.pin("WCLK"),
            "we": f"{cell.pin('WE')} & {cell.pin('WCLKE', _ONE)}",
            "waddr": cell.bus("WADDR", 11),
            "wdata": cell.bus("WDATA", 16),
            "mask": cell.bus("MASK", 16),
        },
        f".INIT(4096'h{int(init, 2):x}), .READ_MODE({cell.number('READ_MODE')}),"
        f" .WRITE_MODE({cell.number('WRITE_MODE')})",
    )


def _ice40_spram(m, cell):
    # POWEROFF is on where it is low.
    selected = " & ".join(
        [
            cell.pin("CHIPSELECT"),
            cell.pin("POWEROFF", _ONE),
            f"~{cell.pin('STANDBY')}",
            f"~{cell.pin('SLEEP')}",
        ]
    )
    m.instance(
        "ice40_spram",
        {
            "clk": cell.pin("CLOCK"),
            "cs": selected,
            "we": cell.pin("WREN"),
            "addr": cell.bus("ADDRESS", 14),
            "din": cell.bus("DATAIN", 16),
            "mask": cell.bus("MASKWREN", 4),
            "dout": m.open(cell.outputs("DATAOUT", 16)),
        },
    )


def _lut4(m, cell):
    m.assign(cell.output("Z"), _lookup(cell.number("INIT"), [cell.pin(pin) for pin in "ABCD"]))


def _carry_half(m, table, inputs, carry_in, inject, sum_net, carry_net):
    """A half of a CCU2C, as yosys' cells_sim.v has it: the sum, and the carry by the table of its first two
    inputs.
    """
    lookup = f"(({_lookup(table, inputs)}) & 1'b1)"
    generate = _ZERO if inject else f"((4'h{table & 15:x} >> {{{inputs[1]}, {inputs[0]}}}) & 1'b1)"
    m.assign(sum_net, f"{lookup} ^ {_ZERO if inject else carry_in}")
    m.assign(carry_net, f"{lookup} ? {carry_in} : {generate}")


def _ccu2c(m, cell):
    between = m.spare()
    for n, (carry_in, carry_out) in enumerate([(cell.pin("CIN"), between), (between, cell.output("COUT"))]):
        _carry_half(
            m,
            cell.number(f"INIT{n}"),
            [cell.pin(f"{pin}{n}") for pin in "ABCD"],
            carry_in,
            cell.parameters.get(f"INJECT1_{n}") == "YES",
            cell.output(f"S{n}"),
            carry_out,
        )


def _trellis_comb(m, cell):
    table, inputs = cell.number("INITVAL"), [cell.ecp5_pin(pin) for pin in "ABCD"]
    if cell.parameters.get("MODE") == "CCU2":
        _carry_half(
            m,
            table,
            inputs,
            cell.pin("FCI"),
            cell.parameters.get("CCU2_INJECT1") == "YES",
            cell.output("F"),
            cell.output("FCO"),
        )
    elif cell.parameters.get("MODE", "LOGIC") == "LOGIC" and not cell.output("OFX"):
        m.assign(cell.output("F"), _lookup(table, inputs))
    else:
        raise UnknownCellError(f"{cell.name}: only logic and carry chains are known here")


def _trellis_ff(m, cell):
    start = int(cell.parameters.get("REGSET", "RESET").strip() == "SET")
    value = cell.pin("M", _ONE) if cell.parameters.get("SD", "1").strip() == "0" else cell.pin("DI", _ONE)
    enable, reset = cell.ecp5_pin("CE"), cell.ecp5_pin("LSR") if cell.output("LSR") else _ZERO
    if (
        cell.parameters.get("SRMODE", "LSR_OVER_CE") != "LSR_OVER_CE"
        or cell.parameters.get("CLKMUX", "CLK") != "CLK"
    ):
        raise UnknownCellError(f"{cell.name}: an asynchronous reset or falling clock is not known here")
    if reset != _ZERO:
        value, enable = f"{reset} ? 1'b{start} : {value}", _ONE if enable == _ONE else f"{reset} | {enable}"
    m.register(
        cell.output("Q"), clock=cell.pin("CLK"), negative=False, value=value, enable=enable, start=start
    )


def _dp16kd(m, cell):
    init = 0
    for n in range(64):
        # 16 words of 18 bits, each in 20.
        part = cell.parameters.get(f"INITVAL_{n:02X}", "0")
        part = int(part, 16) if part.startswith("0x") else int(part.replace("x", "0"), 2)
        for word in range(16):
            init |= (part >> 20 * word & 0x3FFFF) << 18 * (16 * n + word)
    connections, parameters = {}, [f".INIT(18432'h{init:x})"]
    for port in "AB":
        if (
            cell.ecp5_pin(f"RST{port}") not in (_ZERO, f"~{_ONE}")
            or cell.parameters.get(f"REGMODE_{port}", "NOREG") != "NOREG"
        ):
            raise UnknownCellError(
                f"{cell.name}: a block RAM with a reset or an output register is not known here"
            )
        small = port.lower()
        connections |= {
            f"clk_{small}": cell.ecp5_pin(f"CLK{port}"),
            f"ce_{small}": cell.ecp5_pin(f"CE{port}"),
            f"we_{small}": cell.ecp5_pin(f"WE{port}"),
            f"ad_{small}": "{" + ", ".join(cell.ecp5_pin(f"AD{port}{n}") for n in reversed(range(14))) + "}",
            f"di_{small}": "{" + ", ".join(cell.ecp5_pin(f"DI{port}{n}") for n in reversed(range(18))) + "}",
            f"do_{small}": m.open([cell.output(f"DO{port}{n}") for n in range(18)]),
        }
        mode = cell.parameters.get(f"WRITEMODE_{port}", "NORMAL")
        parameters += [
            f".WIDTH_{port}({cell.number(f'DATA_WIDTH_{port}', 18)})",
            f".MODE_{port}({('NORMAL', 'READBEFOREWRITE', 'WRITETHROUGH').index(mode)})",
        ]
    m.instance("ecp5_ram", connections, ", ".join(parameters))


def _trellis_io(m, cell):
    if cell.parameters.get("DIR") == "INPUT":
        m.assign(cell.output("O"), cell.output("B"))
    else:
        m.assign(cell.output("B"), cell.pin("I", _ONE))


def _ehxplll(m, cell):
    m.assign(cell.output("CLKOP"), "clk")
    m.assign(cell.output("LOCK"), _ONE)


_MEANINGS = {
    "ice40": {
        "SB_LUT4": _sb_lut4,
        "SB_CARRY": _sb_carry,
        "ICESTORM_LC": _icestorm_lc,
        "SB_GB": _sb_gb,
        "SB_IO": _sb_io,
        "ICESTORM_PLL": _ice40_pll,
        "ICESTORM_RAM": _ice40_ram,
        "SB_SPRAM256KA": _ice40_spram,
        "ICESTORM_SPRAM": _ice40_spram,
    },
    "ecp5": {
        "LUT4": _lut4,
        "CCU2C": _ccu2c,
        "TRELLIS_FF": _trellis_ff,
        "DP16KD": _dp16kd,
        "EHXPLLL": _ehxplll,
        "TRELLIS_COMB": _trellis_comb,
        "TRELLIS_IO": _trellis_io,
        "DCCA": lambda m, cell: m.assign(cell.output("CLKO"), cell.pin("CLKI")),
    },
}
_PATTERNS = {
    "ice40": ((r"SB_DFFN?E?(SR|SS)?", _sb_dff), (r"SB_PLL40_\w+", _ice40_pll), (r"SB_RAM40_4K", _ice40_ram)),
    "ecp5": (),
}

_RAMS = {
    "ice40": (
        """
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

module ice40_spram(input clk, cs, we, input [13:0] addr, input [15:0] din, input [3:0] mask, output reg [15:0] dout);
  // One port; the mask writes four bits each.
  reg [15:0] words [0:16383];
  wire [15:0] put = {{4{mask[3]}}, {4{mask[2]}}, {4{mask[1]}}, {4{mask[0]}}};
  always @(posedge clk) if (cs) begin
    if (we) words[addr] <= din & put | words[addr] & ~put;
    else dout <= words[addr];
  end
endmodule
"""
    ),
    "ecp5": (
        """
module ecp5_ram #(
  parameter [18431:0] INIT = 0, parameter WIDTH_A = 18, WIDTH_B = 18, MODE_A = 0, MODE_B = 0
) (
  input clk_a, ce_a, we_a, input [13:0] ad_a, input [17:0] di_a, output [17:0] do_a,
  input clk_b, ce_b, we_b, input [13:0] ad_b, input [17:0] di_b, output [17:0] do_b
);
  // 1,024 words of two bytes of nine bits. Words of 18 and 36 bits have a write enable for each byte in the lowest bits of
  // their address; those of 36 are written through port A and read through port B, with the data of both.
  reg [17:0] words [0:1023];
  reg [17:0] read_a = 0, read_b = 0, high = 0;
  integer n;
  initial for (n = 0; n < 1024; n = n + 1) words[n] = INIT[18 * n +: 18];

  function [17:0] take(input integer width, input [13:0] ad, input [17:0] word);
    reg [8:0] one;
    begin
      one = ad[3] ? word[17:9] : word[8:0];
      take = width >= 18 ? word : width == 9 ? one : width == 4 ? one >> {ad[2], 2'b00} & 15 :
             width == 2 ? one >> {ad[2:1], 1'b0} & 3 : one >> ad[2:0] & 1;
    end
  endfunction
  function [17:0] put(input integer width, input [13:0] ad, input [17:0] word, data, input [1:0] enable);
    reg [17:0] mask, bits;
    begin
      mask = width == 9 ? 18'h1ff : width == 4 ? 18'hf << {ad[2], 2'b00} : width == 2 ? 18'h3 << {ad[2:1], 1'b0} : 18'h1 << ad[2:0];
      bits = width == 9 ? data[8:0] : width == 4 ? data[3:0] << {ad[2], 2'b00} : width == 2 ? data[1:0] << {ad[2:1], 1'b0} :
             data[0] << ad[2:0];
      if (ad[3]) begin mask = mask << 9; bits = bits << 9; end
      if (width >= 18) begin mask = {{9{enable[1]}}, {9{enable[0]}}}; bits = data; end
      put = word & ~mask | bits & mask;
    end
  endfunction

  wire [9:0] at_a = WIDTH_A == 36 ? {ad_a[13:5], 1'b0} : ad_a[13:4], at_b = WIDTH_B == 36 ? {ad_b[13:5], 1'b0} : ad_b[13:4];
  wire [17:0] put_a = put(WIDTH_A, ad_a, words[at_a], di_a, ad_a[1:0]), put_b = put(WIDTH_B, ad_b, words[at_b], di_b, ad_b[1:0]);
  assign do_a = WIDTH_B == 36 ? read_b : read_a, do_b = WIDTH_B == 36 ? high : read_b;
  always @(posedge clk_a) if (ce_a) begin
    if (!we_a || MODE_A == 1) read_a <= take(WIDTH_A, ad_a, words[at_a]);
    else if (MODE_A == 2) read_a <= take(WIDTH_A, ad_a, put_a);
    if (we_a) begin
      words[at_a] <= put_a;
      if (WIDTH_A == 36) words[at_a | 1] <= put(18, ad_a, words[at_a | 1], di_b, ad_a[3:2]);
    end
  end
  always @(posedge clk_b) if (ce_b) begin
    if (!we_b || MODE_B == 1) begin
      read_b <= take(WIDTH_B, ad_b, words[at_b]);
      high <= words[at_b | 1];
    end else if (MODE_B == 2) read_b <= take(WIDTH_B, ad_b, put_b);
    if (we_b) words[at_b] <= put_b;
  end
endmodule
"""
    ),
}

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

#: The PLLs of the boards as wires: what they give is what they get. For the emitted top level, which has one
#: as an instance.
PLLS = (
    "".join(
        f"""
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
"""
        for kind, clock in (("PAD", "PACKAGEPIN"), ("CORE", "REFERENCECLK"))
    )
    + """
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
)
