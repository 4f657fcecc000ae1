`timescale 1ns/1ps
// An SPI flash as far as sbgen uses one, with the contents of flash.bin: asleep until it is released (0xAB) and for WAKE ns more; a
// read (0x03) then gives a byte after the other from a 24-bit address on. What it is not told properly gives ones.
module spi_flash #(parameter BYTES = 1 << 18, WAKE = 35000) (
  input cs_n, input clk, input copi, output reg cipo, input wp_n, input hold_n);
  reg [7:0] contents [0:BYTES-1];
  reg [31:0] bits = 0;      // of command and address
  reg [5:0] count = 0;      // of them that have come
  reg [26:0] position = 0;  // of the bit to give, from the address on
  reg awake = 0;
  time awake_at = 0;
  integer file, got;
  wire [26:0] place = {bits[23:0], 3'b000} + position;
  wire reads = awake && $time >= awake_at && bits[31:24] == 8'h03 && hold_n;

  initial begin
    file = $fopen("flash.bin", "rb");
    got = $fread(contents, file);
    cipo = 1;
  end

  always @(posedge clk or posedge cs_n)
    if (cs_n) begin
      count <= 0;
      if (count == 8 && bits[7:0] == 8'hAB) begin
        awake <= 1;
        awake_at <= $time + WAKE;
      end
    end else if (count != 32) begin
      bits <= {bits[30:0], copi};
      count <= count + 1;
    end

  always @(negedge clk) begin
    position <= count == 32 ? position + 1 : 0;
    cipo <= count == 32 && reads ? contents[place[26:3]][~place[2:0]] : 1;
  end
endmodule

// The top level with its flash.
module board(input clk, input rx, output tx, output led);
  wire cs_n, sck, copi, cipo, wp_n, hold_n;
  top top(.clk(clk), .rx(rx), .tx(tx), .led(led), .flash_cs(cs_n), .flash_clk(sck), .flash_copi(copi),
          .flash_cipo(cipo), .flash_wp(wp_n), .flash_hold(hold_n));
  spi_flash flash(.cs_n(cs_n), .clk(sck), .copi(copi), .cipo(cipo), .wp_n(wp_n), .hold_n(hold_n));
endmodule
