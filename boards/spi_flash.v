// An SPI flash as far as a board reads its weights from one; the pins are sampled at the board's clock.
//
// Asleep until it is released (0xAB); a read (0x03) then outputs bytes from a 24-bit address on. It holds the bytes of
// flash.hex from OFFSET on; missing bytes are ones.
module spi_flash #(parameter BYTES = 1, OFFSET = 0) (
  input clk, input cs_n, input sck, input copi, output reg cipo
);
  reg [7:0] contents [0:BYTES-1];
  reg [31:0] sent = 0;
  reg [5:0] sent_bits = 0;
  reg [26:0] position = 0;
  reg awake = 0, sck_before = 0;
  wire [23:0] place = sent[23:0] + position[26:3] - OFFSET;
  initial begin
    cipo = 1;
    $readmemh("flash.hex", contents);
  end
  always @(posedge clk) begin
    sck_before <= sck;
    if (cs_n !== 0) begin
      if (sent_bits == 8 && sent[7:0] == 8'hAB) awake <= 1;
      sent_bits <= 0;
      position <= 0;
      cipo <= 1;
    end else if (sck && !sck_before && sent_bits != 32) begin
      sent <= {sent[30:0], copi};
      sent_bits <= sent_bits + 1;
    end else if (!sck && sck_before && sent_bits == 32) begin
      cipo <= awake && sent[31:24] == 8'h03 && place < BYTES ? contents[place][~position[2:0]] : 1;
      position <= position + 1;
    end
  end
endmodule
