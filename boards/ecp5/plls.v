// The PLL as wires: the clock at the pin is the one that the core is built for.

module EHXPLLL #(
  parameter PLLRST_ENA = 0, INTFB_WAKE = 0, STDBY_ENABLE = 0, DPHASE_SOURCE = 0, OUTDIVIDER_MUXA = 0, OUTDIVIDER_MUXB = 0,
  OUTDIVIDER_MUXC = 0, OUTDIVIDER_MUXD = 0, CLKI_DIV = 0, CLKFB_DIV = 0, FEEDBK_PATH = 0, CLKOP_ENABLE = 0, CLKOP_DIV = 0,
  CLKOP_FPHASE = 0, CLKOP_CPHASE = 0, CLKOS_ENABLE = 0, CLKOS_DIV = 0, CLKOS_FPHASE = 0, CLKOS_CPHASE = 0
) (
  input CLKI, CLKFB, RST, STDBY, PHASESEL0, PHASESEL1, PHASEDIR, PHASESTEP, PHASELOADREG, PLLWAKESYNC, ENCLKOP, output CLKOP, CLKOS, LOCK
);
  assign CLKOP = CLKI, LOCK = 1;
`ifdef USB_CLOCK  // a simulation with a clock of its own for USB
  assign CLKOS = `USB_CLOCK;
`else
  assign CLKOS = CLKI;
`endif
endmodule
