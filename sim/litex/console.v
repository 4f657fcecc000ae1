// Runs the SoC and prints what it writes to its console, until the last line is there.
`timescale 1ns/1ps
module console(input clk);
  integer cycle = 0;
  reg rst = 1;
  wire [7:0] data;
  wire valid;
  soc dut(.sys_clk(clk), .sys_rst(rst), .sim_trace(1'b0), .serial_sink_data(8'd0), .serial_sink_valid(1'b0),
          .serial_sink_ready(), .serial_source_data(data), .serial_source_valid(valid), .serial_source_ready(1'b1));
  reg [8*7-1:0] recent = 0;  // letters
  always @(posedge clk) begin
    cycle <= cycle + 1;
    rst <= cycle < 8;
    if (valid && !rst) begin
      $write("%c", data);
      recent <= {recent[8*6-1:0], data};
      if (recent == "s right" && data == 10) $finish;
    end
    if (cycle == `PATIENCE) begin $display("no end after %0d cycles", cycle); $finish; end
  end
endmodule
