// Block RAMs of iCE40, as yosys's own ice40/brams_map.v maps them. That one computes the contents bit by bit in a constant function,
// which takes half a second a RAM and half the time of a synthesis; here they change places all at once.
// The pins of a RAM stand in the order of their bit-reversed numbers; a narrow word has the lowest of its part.
(* techmap_celltype = "$__ICE40_RAM4K_" *)
module _sbgen_ice40_ram (...);

parameter INIT = 0;
parameter OPTION_HAS_BE = 1;
parameter PORT_R_WIDTH = 16;
parameter PORT_W_WIDTH = 16;
parameter PORT_W_WR_BE_WIDTH = 16;
parameter PORT_R_CLK_POL = 1;
parameter PORT_W_CLK_POL = 1;

input PORT_R_CLK;
input PORT_R_RD_EN;
input [10:0] PORT_R_ADDR;
output [PORT_R_WIDTH-1:0] PORT_R_RD_DATA;

input PORT_W_CLK;
input PORT_W_WR_EN;
input [15:0] PORT_W_WR_BE;
input [10:0] PORT_W_ADDR;
input [PORT_W_WIDTH-1:0] PORT_W_WR_DATA;

// Of each word bit n goes to the place of n's four bits in reverse: first the highest and the lowest are exchanged, then the others.
// No bit meets another, since an unknown one would make both unknown.
localparam [4095:0] OUTER = {256{16'h00aa}}, INNER = {256{16'h0c0c}};
localparam [4095:0] HALF = INIT & ~(OUTER | OUTER << 7) | INIT >> 7 & OUTER | (INIT & OUTER) << 7;
localparam [4095:0] WORDS = HALF & ~(INNER | INNER << 2) | HALF >> 2 & INNER | (HALF & INNER) << 2;

wire [15:0] read, write, enabled, mask;
wire _TECHMAP_FAIL_ = !PORT_R_CLK_POL || !PORT_W_CLK_POL;

genvar n;
generate
for (n = 0; n < PORT_R_WIDTH; n = n + 1)
  assign PORT_R_RD_DATA[n] = read[n % 2 * 8 + n / 2 % 2 * 4 + n / 4 % 2 * 2 + n / 8 + (PORT_R_WIDTH == 2 ? 3 : PORT_R_WIDTH == 4)];
for (n = 0; n < PORT_W_WIDTH; n = n + 1)
  assign write[n % 2 * 8 + n / 2 % 2 * 4 + n / 4 % 2 * 2 + n / 8 + (PORT_W_WIDTH == 2 ? 3 : PORT_W_WIDTH == 4)] = PORT_W_WR_DATA[n];
if (PORT_W_WIDTH == 16) begin
  assign mask = ~enabled;
  for (n = 0; n < 16; n = n + 1)
    assign enabled[n % 2 * 8 + n / 2 % 2 * 4 + n / 4 % 2 * 2 + n / 8] = PORT_W_WR_BE[n];
end
endgenerate

SB_RAM40_4K #(
  .INIT_0(WORDS[0 +: 256]), .INIT_1(WORDS[256 +: 256]), .INIT_2(WORDS[512 +: 256]), .INIT_3(WORDS[768 +: 256]),
  .INIT_4(WORDS[1024 +: 256]), .INIT_5(WORDS[1280 +: 256]), .INIT_6(WORDS[1536 +: 256]), .INIT_7(WORDS[1792 +: 256]),
  .INIT_8(WORDS[2048 +: 256]), .INIT_9(WORDS[2304 +: 256]), .INIT_A(WORDS[2560 +: 256]), .INIT_B(WORDS[2816 +: 256]),
  .INIT_C(WORDS[3072 +: 256]), .INIT_D(WORDS[3328 +: 256]), .INIT_E(WORDS[3584 +: 256]), .INIT_F(WORDS[3840 +: 256]),
  .READ_MODE(PORT_R_WIDTH == 16 ? 2'd0 : PORT_R_WIDTH == 8 ? 2'd1 : PORT_R_WIDTH == 4 ? 2'd2 : 2'd3),
  .WRITE_MODE(PORT_W_WIDTH == 16 ? 2'd0 : PORT_W_WIDTH == 8 ? 2'd1 : PORT_W_WIDTH == 4 ? 2'd2 : 2'd3)
) _TECHMAP_REPLACE_ (
  .RDATA(read), .RCLK(PORT_R_CLK), .RCLKE(PORT_R_RD_EN), .RE(1'b1),
  .RADDR({PORT_R_ADDR[0], PORT_R_ADDR[1], PORT_R_ADDR[2], PORT_R_ADDR[10:3]}),
  .WDATA(write), .WCLK(PORT_W_CLK), .WCLKE(PORT_W_WR_EN), .WE(1'b1),
  .WADDR({PORT_W_ADDR[0], PORT_W_ADDR[1], PORT_W_ADDR[2], PORT_W_ADDR[10:3]}), .MASK(mask)
);

endmodule
