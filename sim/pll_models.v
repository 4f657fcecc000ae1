// The PLLs of the boards as wires: what they give is what they get, locked after a while. The bench makes the clock that the
// core is built for.

module SB_PLL40_PAD #(
  parameter FEEDBACK_PATH = "SIMPLE", DIVR = 0, DIVF = 0, DIVQ = 0, FILTER_RANGE = 0
) (
  input PACKAGEPIN, RESETB, BYPASS,
  output PLLOUTGLOBAL, LOCK
);
  reg [3:0] count = 0;
  assign PLLOUTGLOBAL = PACKAGEPIN;
  assign LOCK = &count;
  always @(posedge PACKAGEPIN) if (!LOCK) count <= count + 1;
endmodule
