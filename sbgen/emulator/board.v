// A board: the top level of a design, and the flash that holds its weights where it has one.
// With USB it has its host too, whose clock may be another than the board's (`USB_CLOCK).
`timescale 1ns/1ps
`ifdef USB
module emulated(
  input clk, input usb_clk, input start, input [7:0] send_byte, input send_valid, output send_ready,
  output [7:0] heard_byte, output heard_valid, output configured, output failed
);
  wire d_p, d_n, present, p, n, drive;
  assign d_p = drive ? p : 1'bz, d_n = drive ? n : 1'bz;
  pullup (d_p);
  pulldown (d_n);
  usb_host host(.clk(usb_clk), .start(start), .p(p), .n(n), .drive(drive), .line_p(d_p), .line_n(d_n), .present(present),
    .send_byte(send_byte), .send_valid(send_valid), .send_ready(send_ready), .heard_byte(heard_byte), .heard_valid(heard_valid),
    .configured(configured), .failed(failed), .failure());
  `define LINE .usb_d_p(d_p), .usb_d_n(d_n), .usb_pullup(present)
`else
module emulated(input clk, input rx, output tx);
  `define LINE .rx(rx), .tx(tx)
`endif
`ifdef FLASH
  wire cs_n, sck, copi, cipo;
  spi_flash #(.BYTES(`FLASH), .OFFSET(`OFFSET)) flash(.clk(clk), .cs_n(cs_n), .sck(sck), .copi(copi), .cipo(cipo));
  top board(.clk(clk), `LINE, .flash_cs(cs_n), .flash_clk(sck), .flash_copi(copi), .flash_cipo(cipo));
`else
  top board(.clk(clk), `LINE);
`endif
endmodule
