// The PLLs of the boards as wires: the output is the input, locked after a while, until a bench sets `lost`. The bench makes the
// clock that the core is built for.

module SB_PLL40_PAD #(
  parameter FEEDBACK_PATH = "SIMPLE", DIVR = 0, DIVF = 0, DIVQ = 0, FILTER_RANGE = 0
) (
  input PACKAGEPIN, RESETB, BYPASS,
  output PLLOUTGLOBAL, LOCK
);
  reg [3:0] count = 0;
  reg lost /*verilator public_flat_rw*/ = 0;
  assign PLLOUTGLOBAL = PACKAGEPIN;
  assign LOCK = &count;
  always @(posedge PACKAGEPIN) count <= lost ? 0 : count + !LOCK;
endmodule

module rPLL #(
  parameter FCLKIN = "100.0", IDIV_SEL = 0, FBDIV_SEL = 0, ODIV_SEL = 8, CLKFB_SEL = "internal",
  parameter DYN_IDIV_SEL = "false", DYN_FBDIV_SEL = "false", DYN_ODIV_SEL = "false", DYN_DA_EN = "false",
  parameter PSDA_SEL = "0000", DUTYDA_SEL = "1000"
) (
  input CLKIN, CLKFB, RESET, RESET_P, input [5:0] FBDSEL, IDSEL, ODSEL, input [3:0] PSDA, DUTYDA, FDLY,
  output CLKOUT, LOCK
);
  reg [3:0] count = 0;
  reg lost /*verilator public_flat_rw*/ = 0;
  assign CLKOUT = CLKIN;
  assign LOCK = &count;
  always @(posedge CLKIN) count <= lost ? 0 : count + !LOCK;
endmodule

module EHXPLLL #(
  parameter PLLRST_ENA = "DISABLED", INTFB_WAKE = "DISABLED", STDBY_ENABLE = "DISABLED", DPHASE_SOURCE = "DISABLED",
  parameter OUTDIVIDER_MUXA = "DIVA", OUTDIVIDER_MUXB = "DIVB", OUTDIVIDER_MUXC = "DIVC", OUTDIVIDER_MUXD = "DIVD",
  parameter CLKI_DIV = 1, CLKFB_DIV = 1, FEEDBK_PATH = "CLKOP",
  parameter CLKOP_ENABLE = "ENABLED", CLKOP_DIV = 1, CLKOP_FPHASE = 0, CLKOP_CPHASE = 0
) (
  input CLKI, CLKFB, RST, STDBY, PHASESEL0, PHASESEL1, PHASEDIR, PHASESTEP, PHASELOADREG, PLLWAKESYNC, ENCLKOP,
  output CLKOP, LOCK
);
  reg [3:0] count = 0;
  reg lost /*verilator public_flat_rw*/ = 0;
  assign CLKOP = CLKI;
  assign LOCK = &count;
  always @(posedge CLKI) count <= lost ? 0 : count + !LOCK;
endmodule
