// The ECP5's block RAM as it behaves (Lattice: ECP5 and ECP5-5G Memory Usage Guide, DP16KD).

module ecp5_ram #(
  parameter [18431:0] INIT = 0, parameter WIDTH_A = 18, WIDTH_B = 18, MODE_A = 0, MODE_B = 0
) (
  input clk_a, ce_a, we_a, input [13:0] ad_a, input [17:0] di_a, output [17:0] do_a,
  input clk_b, ce_b, we_b, input [13:0] ad_b, input [17:0] di_b, output [17:0] do_b
);
  // 1,024 words of two bytes of nine bits. Words of 18 and 36 bits have a write enable for each byte in the lowest bits of
  // their address; those of 36 are written through port A and read through port B, with the data of both.
  reg [17:0] words [0:1023];
  reg [17:0] read_a = 0, read_b = 0, high = 0;
  integer n;
  initial for (n = 0; n < 1024; n = n + 1) words[n] = INIT[18 * n +: 18];

  function [17:0] take(input integer width, input [13:0] ad, input [17:0] word);
    reg [8:0] one;
    begin
      one = ad[3] ? word[17:9] : word[8:0];
      take = width >= 18 ? word : width == 9 ? one : width == 4 ? one >> {ad[2], 2'b00} & 15 :
             width == 2 ? one >> {ad[2:1], 1'b0} & 3 : one >> ad[2:0] & 1;
    end
  endfunction
  function [17:0] put(input integer width, input [13:0] ad, input [17:0] word, data, input [1:0] enable);
    reg [17:0] mask, bits;
    begin
      mask = width == 9 ? 18'h1ff : width == 4 ? 18'hf << {ad[2], 2'b00} : width == 2 ? 18'h3 << {ad[2:1], 1'b0} : 18'h1 << ad[2:0];
      bits = width == 9 ? data[8:0] : width == 4 ? data[3:0] << {ad[2], 2'b00} : width == 2 ? data[1:0] << {ad[2:1], 1'b0} :
             data[0] << ad[2:0];
      if (ad[3]) begin mask = mask << 9; bits = bits << 9; end
      if (width >= 18) begin mask = {{9{enable[1]}}, {9{enable[0]}}}; bits = data; end
      put = word & ~mask | bits & mask;
    end
  endfunction

  wire [9:0] at_a = WIDTH_A == 36 ? {ad_a[13:5], 1'b0} : ad_a[13:4], at_b = WIDTH_B == 36 ? {ad_b[13:5], 1'b0} : ad_b[13:4];
  wire [17:0] put_a = put(WIDTH_A, ad_a, words[at_a], di_a, ad_a[1:0]), put_b = put(WIDTH_B, ad_b, words[at_b], di_b, ad_b[1:0]);
  assign do_a = WIDTH_B == 36 ? read_b : read_a, do_b = WIDTH_B == 36 ? high : read_b;
  always @(posedge clk_a) if (ce_a) begin
    if (!we_a || MODE_A == 1) read_a <= take(WIDTH_A, ad_a, words[at_a]);
    else if (MODE_A == 2) read_a <= take(WIDTH_A, ad_a, put_a);
    if (we_a) begin
      words[at_a] <= put_a;
      if (WIDTH_A == 36) words[at_a | 1] <= put(18, ad_a, words[at_a | 1], di_b, ad_a[3:2]);
    end
  end
  always @(posedge clk_b) if (ce_b) begin
    if (!we_b || MODE_B == 1) begin
      read_b <= take(WIDTH_B, ad_b, words[at_b]);
      high <= words[at_b | 1];
    end else if (MODE_B == 2) read_b <= take(WIDTH_B, ad_b, put_b);
    if (we_b) words[at_b] <= put_b;
  end
endmodule
