// Block RAMs of Gowin for those of brams.txt, after yosys's own gowin/brams_map.v.
//
// The enable of the output register, OCE, follows the clock enable. In this mode it should not matter, but the chips were found to
// skip and repeat reads where the two differ (nextpnr pull request 1278).
(* techmap_celltype = "$__SBGEN_GOWIN_SDP_" *)
module _sbgen_gowin_sdp (...);

parameter INIT = 0;
parameter WIDTH = 36;
parameter PORT_W_WR_BE_WIDTH = 4;

input PORT_R_CLK, PORT_R_CLK_EN;
input [13:0] PORT_R_ADDR;
output [WIDTH-1:0] PORT_R_RD_DATA;

input PORT_W_CLK, PORT_W_CLK_EN, PORT_W_WR_EN;
input [13:0] PORT_W_ADDR;
input [PORT_W_WR_BE_WIDTH-1:0] PORT_W_WR_BE;
input [WIDTH-1:0] PORT_W_WR_DATA;

// Words of 18 and 36 bits have an enable for each byte in the lowest bits of their address.
wire [13:0] write_address = WIDTH < 18 ? PORT_W_ADDR : WIDTH == 18 ? {PORT_W_ADDR[13:4], 2'b00, PORT_W_WR_BE[1:0]} :
                            {PORT_W_ADDR[13:5], 1'b0, PORT_W_WR_BE[3:0]};
wire write = PORT_W_CLK_EN & PORT_W_WR_EN;

// The contents of words below nine bits, which leave out every ninth bit.
function [255:0] narrow;
  input integer row;
  integer n;
  for (n = 0; n < 32; n = n + 1)
    narrow[8 * n +: 8] = INIT[9 * (32 * row + n) +: 8];
endfunction

generate
if (WIDTH < 9) begin
  wire [31:0] data = PORT_W_WR_DATA, read;
  assign PORT_R_RD_DATA = read;
  SDPB #(
      .INIT_RAM_00(narrow(0)), .INIT_RAM_01(narrow(1)), .INIT_RAM_02(narrow(2)), .INIT_RAM_03(narrow(3)),
      .INIT_RAM_04(narrow(4)), .INIT_RAM_05(narrow(5)), .INIT_RAM_06(narrow(6)), .INIT_RAM_07(narrow(7)),
      .INIT_RAM_08(narrow(8)), .INIT_RAM_09(narrow(9)), .INIT_RAM_0A(narrow(10)), .INIT_RAM_0B(narrow(11)),
      .INIT_RAM_0C(narrow(12)), .INIT_RAM_0D(narrow(13)), .INIT_RAM_0E(narrow(14)), .INIT_RAM_0F(narrow(15)),
      .INIT_RAM_10(narrow(16)), .INIT_RAM_11(narrow(17)), .INIT_RAM_12(narrow(18)), .INIT_RAM_13(narrow(19)),
      .INIT_RAM_14(narrow(20)), .INIT_RAM_15(narrow(21)), .INIT_RAM_16(narrow(22)), .INIT_RAM_17(narrow(23)),
      .INIT_RAM_18(narrow(24)), .INIT_RAM_19(narrow(25)), .INIT_RAM_1A(narrow(26)), .INIT_RAM_1B(narrow(27)),
      .INIT_RAM_1C(narrow(28)), .INIT_RAM_1D(narrow(29)), .INIT_RAM_1E(narrow(30)), .INIT_RAM_1F(narrow(31)),
      .INIT_RAM_20(narrow(32)), .INIT_RAM_21(narrow(33)), .INIT_RAM_22(narrow(34)), .INIT_RAM_23(narrow(35)),
      .INIT_RAM_24(narrow(36)), .INIT_RAM_25(narrow(37)), .INIT_RAM_26(narrow(38)), .INIT_RAM_27(narrow(39)),
      .INIT_RAM_28(narrow(40)), .INIT_RAM_29(narrow(41)), .INIT_RAM_2A(narrow(42)), .INIT_RAM_2B(narrow(43)),
      .INIT_RAM_2C(narrow(44)), .INIT_RAM_2D(narrow(45)), .INIT_RAM_2E(narrow(46)), .INIT_RAM_2F(narrow(47)),
      .INIT_RAM_30(narrow(48)), .INIT_RAM_31(narrow(49)), .INIT_RAM_32(narrow(50)), .INIT_RAM_33(narrow(51)),
      .INIT_RAM_34(narrow(52)), .INIT_RAM_35(narrow(53)), .INIT_RAM_36(narrow(54)), .INIT_RAM_37(narrow(55)),
      .INIT_RAM_38(narrow(56)), .INIT_RAM_39(narrow(57)), .INIT_RAM_3A(narrow(58)), .INIT_RAM_3B(narrow(59)),
      .INIT_RAM_3C(narrow(60)), .INIT_RAM_3D(narrow(61)), .INIT_RAM_3E(narrow(62)), .INIT_RAM_3F(narrow(63)),
      .READ_MODE(1'b0), .BIT_WIDTH_0(WIDTH), .BIT_WIDTH_1(WIDTH), .BLK_SEL_0(3'b000), .BLK_SEL_1(3'b000), .RESET_MODE("SYNC")
  ) _TECHMAP_REPLACE_ (
      .BLKSELA(3'b000), .CLKA(PORT_W_CLK), .CEA(write), .RESETA(1'b0), .ADA(write_address), .DI(data),
      .BLKSELB(3'b000), .CLKB(PORT_R_CLK), .CEB(PORT_R_CLK_EN), .OCE(PORT_R_CLK_EN), .RESETB(1'b0), .ADB(PORT_R_ADDR), .DO(read)
  );
end else begin
  wire [35:0] data = PORT_W_WR_DATA, read;
  assign PORT_R_RD_DATA = read;
  SDPX9B #(
      .INIT_RAM_00(INIT[0+:288]), .INIT_RAM_01(INIT[288+:288]), .INIT_RAM_02(INIT[576+:288]), .INIT_RAM_03(INIT[864+:288]),
      .INIT_RAM_04(INIT[1152+:288]), .INIT_RAM_05(INIT[1440+:288]), .INIT_RAM_06(INIT[1728+:288]), .INIT_RAM_07(INIT[2016+:288]),
      .INIT_RAM_08(INIT[2304+:288]), .INIT_RAM_09(INIT[2592+:288]), .INIT_RAM_0A(INIT[2880+:288]), .INIT_RAM_0B(INIT[3168+:288]),
      .INIT_RAM_0C(INIT[3456+:288]), .INIT_RAM_0D(INIT[3744+:288]), .INIT_RAM_0E(INIT[4032+:288]), .INIT_RAM_0F(INIT[4320+:288]),
      .INIT_RAM_10(INIT[4608+:288]), .INIT_RAM_11(INIT[4896+:288]), .INIT_RAM_12(INIT[5184+:288]), .INIT_RAM_13(INIT[5472+:288]),
      .INIT_RAM_14(INIT[5760+:288]), .INIT_RAM_15(INIT[6048+:288]), .INIT_RAM_16(INIT[6336+:288]), .INIT_RAM_17(INIT[6624+:288]),
      .INIT_RAM_18(INIT[6912+:288]), .INIT_RAM_19(INIT[7200+:288]), .INIT_RAM_1A(INIT[7488+:288]), .INIT_RAM_1B(INIT[7776+:288]),
      .INIT_RAM_1C(INIT[8064+:288]), .INIT_RAM_1D(INIT[8352+:288]), .INIT_RAM_1E(INIT[8640+:288]), .INIT_RAM_1F(INIT[8928+:288]),
      .INIT_RAM_20(INIT[9216+:288]), .INIT_RAM_21(INIT[9504+:288]), .INIT_RAM_22(INIT[9792+:288]), .INIT_RAM_23(INIT[10080+:288]),
      .INIT_RAM_24(INIT[10368+:288]), .INIT_RAM_25(INIT[10656+:288]), .INIT_RAM_26(INIT[10944+:288]), .INIT_RAM_27(INIT[11232+:288]),
      .INIT_RAM_28(INIT[11520+:288]), .INIT_RAM_29(INIT[11808+:288]), .INIT_RAM_2A(INIT[12096+:288]), .INIT_RAM_2B(INIT[12384+:288]),
      .INIT_RAM_2C(INIT[12672+:288]), .INIT_RAM_2D(INIT[12960+:288]), .INIT_RAM_2E(INIT[13248+:288]), .INIT_RAM_2F(INIT[13536+:288]),
      .INIT_RAM_30(INIT[13824+:288]), .INIT_RAM_31(INIT[14112+:288]), .INIT_RAM_32(INIT[14400+:288]), .INIT_RAM_33(INIT[14688+:288]),
      .INIT_RAM_34(INIT[14976+:288]), .INIT_RAM_35(INIT[15264+:288]), .INIT_RAM_36(INIT[15552+:288]), .INIT_RAM_37(INIT[15840+:288]),
      .INIT_RAM_38(INIT[16128+:288]), .INIT_RAM_39(INIT[16416+:288]), .INIT_RAM_3A(INIT[16704+:288]), .INIT_RAM_3B(INIT[16992+:288]),
      .INIT_RAM_3C(INIT[17280+:288]), .INIT_RAM_3D(INIT[17568+:288]), .INIT_RAM_3E(INIT[17856+:288]), .INIT_RAM_3F(INIT[18144+:288]),
      .READ_MODE(1'b0), .BIT_WIDTH_0(WIDTH), .BIT_WIDTH_1(WIDTH), .BLK_SEL_0(3'b000), .BLK_SEL_1(3'b000), .RESET_MODE("SYNC")
  ) _TECHMAP_REPLACE_ (
      .BLKSELA(3'b000), .CLKA(PORT_W_CLK), .CEA(write), .RESETA(1'b0), .ADA(write_address), .DI(data),
      .BLKSELB(3'b000), .CLKB(PORT_R_CLK), .CEB(PORT_R_CLK_EN), .OCE(PORT_R_CLK_EN), .RESETB(1'b0), .ADB(PORT_R_ADDR), .DO(read)
  );
end
endgenerate
endmodule
