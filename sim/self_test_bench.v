// Clocks a board that tests itself, and prints how often its LED changed, and its level, after some cycles.
`timescale 1ns/1ps
module testbench;
  reg clk = 0;
  always #5 clk = ~clk;
  wire led;
  reg led_before;
  integer cycles, changes = 0, got;
`ifdef FLASH
  wire cs_n, sck, copi, cipo;
  top dut(.clk(clk), .led(led), .flash_cs(cs_n), .flash_clk(sck), .flash_copi(copi), .flash_cipo(cipo));
  spi_flash #(.BYTES(`FLASH), .OFFSET(`OFFSET)) flash(
    .clk(clk), .cs_n(cs_n), .sck(sck), .copi(copi), .cipo(cipo));
`else
  top dut(.clk(clk), .led(led));
`endif
  initial begin
    got = $value$plusargs("cycles=%d", cycles);
    repeat (10) @(posedge clk);
    led_before = led;
    repeat (cycles) begin
      @(posedge clk);
      if (led !== led_before) changes = changes + 1;
      led_before = led;
    end
    $display("changes %0d led %b", changes, led);
    $finish;
  end
endmodule
