// The block RAM under the name and with the pins that icebox_vlog writes.

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
