// The host of a serial line of eight data bits, as a simulated board sees it. A bit takes `divisor` cycles of clk.

module uart_host(
  input clk, input start, input [31:0] divisor, output reg rx, input tx,
  input [7:0] send_byte, input send_valid, output send_ready, output [7:0] heard_byte, output heard_valid,
  output reg failed, output reg [7:0] failure  // the bit of a byte that was not a level, or no start or stop bit
);
  reg [31:0] send_bits = 0, send_count = 0, hear_bits = 0, hear_count = 0;
  reg [9:0] send_shift = 0;
  reg [7:0] hear_shift = 0;
  initial begin
    rx = 1;
    failed = 0;
    failure = 0;
  end

  assign send_ready = start && send_bits == 0;
  assign heard_valid = hear_bits == 1 && hear_count == 0;
  assign heard_byte = hear_shift;
  always @(posedge clk) begin
    if (send_bits != 0) begin
      if (send_count == divisor - 1) begin
        send_count <= 0;
        send_bits <= send_bits - 1;
        rx <= send_bits == 1 ? 1'b1 : send_shift[1];
        send_shift <= send_shift >> 1;
      end else send_count <= send_count + 1;
    end else if (start && send_valid) begin
      send_shift <= {1'b1, send_byte, 1'b0};
      send_bits <= 10;
      rx <= 0;
    end

    if (hear_bits == 0) begin
      if (tx === 1'b0) begin
        hear_bits <= 10;
        hear_count <= divisor / 2;
      end
    end else if (hear_count == 0) begin
      hear_count <= divisor - 1;
      hear_bits <= hear_bits - 1;
      if (hear_bits != 1) hear_shift <= {tx, hear_shift[7:1]};
      if (tx === 1'bx || (hear_bits == 10 && tx) || (hear_bits == 1 && !tx)) begin
        failed <= 1;
        failure <= 10 - hear_bits;
      end
    end else hear_count <= hear_count - 1;
  end
endmodule
