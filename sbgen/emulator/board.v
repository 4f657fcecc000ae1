// A board: the top level of a design, and the flash that holds its weights where it has one.
`timescale 1ns/1ps
module emulated(input clk, input rx, output tx);
`ifdef FLASH
  wire cs_n, sck, copi, cipo;
  spi_flash #(.BYTES(`FLASH), .OFFSET(`OFFSET)) flash(.clk(clk), .cs_n(cs_n), .sck(sck), .copi(copi), .cipo(cipo));
  top board(.clk(clk), .rx(rx), .tx(tx), .flash_cs(cs_n), .flash_clk(sck), .flash_copi(copi), .flash_cipo(cipo));
`else
  top board(.clk(clk), .rx(rx), .tx(tx));
`endif
endmodule
