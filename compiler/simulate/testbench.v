// Sends the images of a file through a core and writes its scores into a file.
//
// scores.txt has a line for each class of each image: cycle, score, last, the best classes. images.txt has a line for
// each image: the cycle in which its first beat is taken. Everything is sampled at the rising edge of clk and driven
// just after it, so there are no races in either simulator.
`timescale 1ns/1ps
`ifdef VERILATOR
module testbench(input clk);
`else
module testbench;
  reg clk = 0;
  always #5 clk = ~clk;
`endif
  localparam LANES = `LANES, SCORE = `SCORE, LABEL = `LABEL, TOP = `TOP;

  reg rst = 1;
  reg [8*LANES-1:0] i_payload = 0;
  reg i_valid = 0, o_ready = 0;
  wire i_ready, o_valid;
  wire [SCORE+LABEL*TOP:0] o_payload;
  top dut(.clk(clk), .rst(rst),
`ifdef BLOCKS
          .load__en(load_en), .load__addr(load_addr), .load__data(load_data),
`endif
          .i__payload(i_payload), .i__valid(i_valid), .i__ready(i_ready),
          .o__payload(o_payload), .o__valid(o_valid), .o__ready(o_ready));

  // Sign-extended here: Verilator 5.48 prints a narrower signed value with whatever lies above its bits.
  wire signed [31:0] score = $signed(o_payload[SCORE-1:0]);
  wire [LABEL*TOP-1:0] labels = o_payload[SCORE+LABEL*TOP-1:SCORE];
  wire last = o_payload[SCORE+LABEL*TOP];

  // RAM with weights is filled while the design is held in reset, from load.bin: number of a block, address, word.
`ifdef BLOCKS
  reg [`BLOCKS-1:0] load_en = 0;
  reg [13:0] load_addr = 0;
  reg [15:0] load_data = 0;
  reg [39:0] record;
  reg loading = 1;
  integer load_file;
  initial load_file = $fopen("load.bin", "rb");
  always @(posedge clk) begin
    load_en <= 0;
    if (loading) begin
      if ($fread(record, load_file) == 5) begin
        load_en <= 1 << record[39:32];
        load_addr <= record[29:16];
        load_data <= record[15:0];
      end else loading <= 0;
    end
  end
`else
  wire loading = 0;
`endif

  // Stalls: a xorshift generator (Marsaglia, 2003). Each side goes on with probability level/8. The levels are drawn
  // again every 64 cycles on average, so that every speed of one side meets every speed of the other.
  reg [31:0] random = 0;
  reg [3:0] source_level = 8, sink_level = 8;
  wire source_goes = {1'b0, random[2:0]} < source_level;
  wire sink_goes = {1'b0, random[5:3]} < sink_level;
  function [31:0] xorshift(input [31:0] s);
    begin
      xorshift = s ^ (s << 13);
      xorshift = xorshift ^ (xorshift >> 17);
      xorshift = xorshift ^ (xorshift << 5);
    end
  endfunction

  integer beats_file, images_file, scores_file, got, rank;
  integer images, image_beats, classes, stall, patience, rest, step;
  integer cycle = 0, idle = 0, beat = 0, image = 0, class_index = 0, done = 0;
  reg [8*LANES-1:0] next;
  reg held = 0;
  reg [SCORE+LABEL*TOP:0] held_payload;

`ifdef WAVES
  initial begin $dumpfile("waves.vcd"); $dumpvars; end
`endif

  initial begin
    got = $value$plusargs("images=%d", images) + $value$plusargs("image_beats=%d", image_beats)
        + $value$plusargs("classes=%d", classes) + $value$plusargs("stall=%d", stall)
        + $value$plusargs("patience=%d", patience) + $value$plusargs("rest=%d", rest) + $value$plusargs("step=%d", step);
    random = stall;
    if (stall != 0) begin source_level = 4; sink_level = 4; end
    beats_file = $fopen("beats.bin", "rb");
    images_file = $fopen("images.txt", "w");
    scores_file = $fopen("scores.txt", "w");
  end

  always @(posedge clk) begin
    cycle <= cycle + 1;
    rst <= cycle < 2 || loading;
    random <= xorshift(random);
    if (stall != 0 && random[31:26] == 1) begin
      source_level <= 1 + random[8:6];
      sink_level <= 1 + random[11:9];
    end

    if (!rst) begin
      idle <= idle + 1;

      if (i_valid && i_ready) begin
        idle <= 0;
        if (beat == 0) $fwrite(images_file, "%0d\n", cycle);
        beat = beat + 1;
        if (beat == image_beats) begin beat = 0; image = image + 1; end
      end
      if (!i_valid || i_ready) begin
        i_valid <= 0;
        if (rest != 0) rest = rest - 1;
        else if (image != images && source_goes) begin
          got = $fread(next, beats_file);
          i_payload <= next;
          i_valid <= 1;
        end
      end

      o_ready <= sink_goes;
      held <= o_valid && !o_ready;
      held_payload <= o_payload;
      if (held && (!o_valid || o_payload !== held_payload)) begin
        $display("error: the stream o gave up beat %0d of image %0d before it was taken", class_index, done);
        $finish;
      end
      if (o_valid && o_ready) begin
        idle <= 0;
        $fwrite(scores_file, "%0d %0d %0d", cycle, score, last);
        for (rank = 0; rank < TOP; rank = rank + 1) $fwrite(scores_file, " %0d", labels[LABEL*rank +: LABEL]);
        $fwrite(scores_file, "\n");
        class_index = class_index + 1;
        if (class_index == classes) begin
          class_index = 0;
          done = done + 1;
          if (done % step == 0) begin $display("%0d", done); $fflush; end
          if (done == images) begin $display("done"); $finish; end
        end
      end

      if (idle > patience) begin
        $display("error: nothing moved for %0d cycles; %0d images in, %0d out", patience, image, done);
        $finish;
      end
    end
  end
endmodule
