// Gowin's block RAM with a port that writes and one that reads (Gowin UG285, SDPB and SDPX9B), without the output register.

module gowin_ram #(parameter [18431:0] INIT = 0, parameter WIDTH = 36, SELECT_W = 0, SELECT_R = 0) (
  input clk_w, ce_w, input [2:0] select_w, input [13:0] ad_w, input [35:0] di,
  input clk_r, ce_r, reset_r, input [2:0] select_r, input [13:0] ad_r, output [WIDTH-1:0] q
);
  // Addresses count bits, so those of a word of WIDTH bits are a multiple of the next lower power of two. Words of 18 and 36 bits
  // have a write enable for each byte of nine in the lowest bits. Words below nine bits leave out every ninth.
  localparam SHIFT = $clog2(WIDTH < 9 ? WIDTH : WIDTH / 9 * 8), DEPTH = 16384 >> SHIFT;
  reg [WIDTH-1:0] words [0:DEPTH-1];
  reg [WIDTH-1:0] read = 0;
  integer n;
  initial for (n = 0; n < DEPTH; n = n + 1)
    words[n] = INIT[(WIDTH < 9 ? (n * WIDTH) / 8 * 9 + (n * WIDTH) % 8 : n * WIDTH) +: WIDTH];

  // The bits that an address enables.
  function [WIDTH-1:0] enabled(input [3:0] bytes);
    integer at;
    for (at = 0; at < WIDTH; at = at + 1) enabled[at] = WIDTH < 18 || bytes[at / 9];
  endfunction
  wire [WIDTH-1:0] mask = enabled(ad_w[3:0]);
  wire [13:0] at_w = ad_w >> SHIFT, at_r = ad_r >> SHIFT;
  always @(posedge clk_w) if (ce_w && select_w == SELECT_W) words[at_w] <= words[at_w] & ~mask | di[WIDTH-1:0] & mask;
  always @(posedge clk_r)
    if (reset_r) read <= 0;
    else if (ce_r && select_r == SELECT_R) read <= words[at_r];
  assign q = read;
endmodule
