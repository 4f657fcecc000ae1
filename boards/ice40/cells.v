// The iCE40's memories as they behave (Lattice: iCE40 Technology Library, SB_RAM40_4K and SB_SPRAM256KA).

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
  wire [15:0] keep = WRITE_MODE == 0 ? mask : WRITE_MODE == 1 ? ~(16'h5555 << place) :
                     WRITE_MODE == 2 ? ~(16'h1111 << place) : ~(16'h0101 << place);
  always @(posedge wclk) if (we) words[waddr[7:0]] <= words[waddr[7:0]] & keep | put & ~keep;
endmodule

module ice40_spram(input clk, cs, we, input [13:0] addr, input [15:0] din, input [3:0] mask, output reg [15:0] dout);
  // One port; the mask writes four bits each.
  // What it holds at power-up is not known, but it is bits: an unknown value in a simulation would spread.
  reg [15:0] words [0:16383];
  integer n;
  initial begin
    for (n = 0; n < 16384; n = n + 1) words[n] = n * 40503 + 12345;
    dout = 16'h5a5a;
  end
  wire [15:0] put = {{4{mask[3]}}, {4{mask[2]}}, {4{mask[1]}}, {4{mask[0]}}};
  always @(posedge clk) if (cs) begin
    if (we) words[addr] <= din & put | words[addr] & ~put;
    else dout <= words[addr];
  end
endmodule
