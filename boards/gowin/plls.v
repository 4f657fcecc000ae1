// The PLL as wires: the clock at the pin is the one that the core is built for.

module rPLL #(
  parameter FCLKIN = 0, IDIV_SEL = 0, FBDIV_SEL = 0, ODIV_SEL = 0, CLKFB_SEL = 0, DYN_IDIV_SEL = 0, DYN_FBDIV_SEL = 0,
  DYN_ODIV_SEL = 0, DYN_DA_EN = 0, PSDA_SEL = 0, DUTYDA_SEL = 0
) (
  input CLKIN, CLKFB, RESET, RESET_P, input [5:0] FBDSEL, IDSEL, ODSEL, input [3:0] PSDA, DUTYDA, FDLY, output CLKOUT, LOCK
);
  assign CLKOUT = CLKIN, LOCK = 1;
endmodule
