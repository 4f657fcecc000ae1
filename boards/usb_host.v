// The host of a full-speed USB bus with one serial device (CDC-ACM), as a simulated board sees it: reset, enumeration, then
// bytes through the bulk endpoints in both directions. A bit takes four cycles of clk (USB 2.0, chapters 7 to 9).
//
// With FAULTS, bulk packets are damaged or lost in both directions, and the host is late, at random: the bytes must come through all
// the same. The host enumerates the device twice, with an odd number of packets between: both ends then begin again at DATA0.

module usb_host #(parameter FAULTS = 0, parameter [31:0] SEED = 1) (
  input clk, input start,
  output reg p, output reg n, output reg drive, input line_p, input line_n, input present,
  // Bytes to the device; a packet ends when it is full, or when no byte is there for a while.
  input [7:0] send_byte, input send_valid, output send_ready,
  output reg [7:0] heard_byte, output reg heard_valid,
  output reg configured,  // and both ends take bytes
  output failed, output [7:0] failure
);
  localparam OUT = 8'he1, IN = 8'h69, SETUP = 8'h2d, SOF = 8'ha5, DATA0 = 8'hc3, DATA1 = 8'h4b, ACK = 8'hd2, NAK = 8'h5a,
             STALL = 8'h1e;
  localparam ADDRESS = 5, ENDPOINT = 4, FRAME = 48000, LONGEST = 3000;  // cycles of a frame and of a transaction
  localparam TIMEOUT = (18 + 8) * 4;  // cycles from the end of a packet until an answer has begun, SYNC and all (7.1.19)

  // What went wrong, by what noticed it; the numbers are below.
  reg [7:0] rx_failure = 0, t_failure = 0, s_failure = 0;
  assign failure = rx_failure != 0 ? rx_failure : t_failure != 0 ? t_failure : s_failure;
  assign failed = failure != 0;

  localparam STEPS = 9;
  reg [3:0] step = 0;  // of the enumeration; STEPS after it

  // Random numbers.
  reg [31:0] random = SEED;
  always @(posedge clk) random <= {random[30:0], random[31] ^ random[21] ^ random[1] ^ random[0]};
  function fault(input [31:0] value, input integer bits);
    fault = FAULTS != 0 && step == STEPS && (value >> 7 & (32'd1 << bits) - 1) == 0;
  endfunction

  function [4:0] crc5(input [10:0] value);
    integer i;
    begin
      crc5 = 5'h1f;
      for (i = 0; i < 11; i = i + 1) crc5 = {1'b0, crc5[4:1]} ^ (crc5[0] ^ value[i] ? 5'h14 : 5'h0);
      crc5 = ~crc5;
    end
  endfunction
  function [15:0] crc16(input [15:0] so_far, input [7:0] value);
    integer i;
    begin
      crc16 = so_far;
      for (i = 0; i < 8; i = i + 1) crc16 = {1'b0, crc16[15:1]} ^ (crc16[0] ^ value[i] ? 16'ha001 : 16'h0);
    end
  endfunction

  // The transmitter: a packet of bytes, after SYNC, with stuffed bits, NRZI and an end of packet.
  reg [7:0] packet [0:79];
  reg [6:0] packet_bytes = 0, at = 0;
  reg [2:0] bit_at = 0, ones = 0;
  reg [1:0] phase = 0;
  reg [2:0] sending = 0;  // 1 SYNC, 2 bytes, 3 and 4 SE0, 5 J, 6 its end
  wire sent = sending == 6 && phase == 3;
  wire tx_bit = sending == 1 ? bit_at == 7 : packet[at][bit_at];
  reg begin_packet = 0;
  always @(posedge clk) begin
    phase <= phase + 1;
    if (sending == 0) begin
      drive <= 0;
      p <= 1;
      n <= 0;
      if (begin_packet) begin
        sending <= 1;
        {at, bit_at, ones, phase} <= 0;
      end
    end else if (phase == 0) begin
      drive <= 1;
      case (sending)
        1, 2:
          if (ones == 6) begin
            {p, n} <= {n, p};
            ones <= 0;
          end else begin
            if (!tx_bit) {p, n} <= {n, p};
            ones <= tx_bit ? ones + 1 : 0;
            bit_at <= bit_at + 1;
            if (bit_at == 7 && sending == 1) sending <= 2;
            else if (bit_at == 7) at <= at + 1;
          end
        3: begin
          {p, n} <= 0;
          sending <= 4;
        end
        4: sending <= 5;
        default: begin
          {p, n} <= 2'b10;
          sending <= 6;
        end
      endcase
    end else if (phase == 3) begin
      // A bit that must be stuffed comes even after the last byte.
      if (sending == 2 && at == packet_bytes && ones != 6) sending <= 3;
      if (sending == 6) sending <= 0;
    end
    if (resetting) begin
      drive <= 1;
      {p, n} <= 0;
      sending <= 0;
    end
  end

  // The receiver: a bit is sampled two cycles after an edge, and then every four.
  reg [1:0] last_line = 2'b10, rx_phase = 0, rx_level = 2'b10;
  reg [7:0] rx_shift = 8'hff;
  reg [7:0] heard [0:79];
  reg [6:0] heard_bytes = 0;
  reg [2:0] rx_ones = 0, rx_bits = 0;
  reg receiving = 0, received = 0;
  reg [15:0] rx_crc = 0;
  wire [1:0] line = {line_p, line_n};
  wire rx_bit = line == rx_level;
  always @(posedge clk) begin
    received <= 0;
    last_line <= line;
    rx_phase <= line != last_line ? 0 : rx_phase + 1;
    if (drive || resetting) begin
      receiving <= 0;
      rx_shift <= 8'hff;
      rx_level <= 2'b10;
    end else if (rx_phase == 1 && line == last_line) begin
      rx_level <= line;
      if (!receiving) begin
        rx_shift <= {rx_bit, rx_shift[7:1]};
        if ({rx_bit, rx_shift[7:3]} == 6'b100000) begin
          receiving <= 1;
          rx_ones <= 1;
          rx_crc <= 16'hffff;
          {heard_bytes, rx_bits} <= 0;
        end
      end else if (line == 0) begin
        receiving <= 0;
        received <= 1;
        rx_shift <= 8'hff;
        if (rx_bits != 0) rx_failure <= 1;  // no whole number of bytes
      end else if (rx_ones == 6) begin
        rx_ones <= 0;
        if (rx_bit) rx_failure <= 2;  // a bit that must be stuffed
      end else begin
        rx_ones <= rx_bit ? rx_ones + 1 : 0;
        rx_shift <= {rx_bit, rx_shift[7:1]};
        rx_bits <= rx_bits + 1;
        if (rx_bits == 7) begin
          heard[heard_bytes] <= {rx_bit, rx_shift[7:1]};
          heard_bytes <= heard_bytes + 1;
          if (heard_bytes != 0) rx_crc <= crc16(rx_crc, {rx_bit, rx_shift[7:1]});
        end
      end
    end
  end
  wire [7:0] pid = heard[0];
  wire is_data = pid == DATA0 || pid == DATA1;

  // A transaction: token, data, handshake.
  localparam T_IDLE = 0, T_TOKEN = 1, T_DATA = 2, T_ANSWER = 3, T_ACK = 4, T_SOF = 5;
  localparam R_ACK = 0, R_NAK = 1, R_STALL = 2, R_NONE = 3, R_DATA = 4;
  reg [2:0] t_state = T_IDLE;
  reg t_begin = 0, t_done = 0;
  reg [7:0] t_pid = 0;
  reg [6:0] t_address = 0;
  reg [3:0] t_endpoint = 0;
  reg t_toggle = 0;
  reg [7:0] data [0:63];
  reg [6:0] data_bytes = 0;
  reg [2:0] t_result = 0;
  reg [11:0] wait_cycles = 0;
  reg t_damaged = 0;
  reg [15:0] crc = 0;
  integer k;

  task send(input [6:0] bytes);
    begin
      packet_bytes <= bytes;
      begin_packet <= 1;
    end
  endtask
  task send_token(input [7:0] token, input [10:0] value);
    begin
      packet[0] <= token;
      packet[1] <= value[7:0];
      packet[2] <= {crc5(value), value[10:8]};
      send(3);
    end
  endtask

  // Frames of a millisecond.
  reg [15:0] frame_cycle = 0;
  reg [10:0] frame_number = 0;
  reg frame_due = 0;
  always @(posedge clk) begin
    begin_packet <= 0;
    t_done <= 0;
    frame_cycle <= frame_cycle == FRAME - 1 ? 0 : frame_cycle + 1;
    if (frame_cycle == FRAME - 1) frame_due <= 1;
    if (wait_cycles != 0) wait_cycles <= wait_cycles - 1;
    case (t_state)
      T_IDLE:
        if (resetting) frame_due <= 0;
        else if (wait_cycles != 0 || drive) ;
        else if (frame_due) begin
          frame_due <= 0;
          frame_number <= frame_number + 1;
          send_token(SOF, frame_number);
          t_state <= T_SOF;
        end else if (t_begin && frame_cycle < FRAME - LONGEST) begin
          send_token(t_pid, {t_endpoint, t_address});
          t_state <= T_TOKEN;
          t_damaged <= fault(random, 4);
        end
      T_SOF:
        if (sent) begin
          t_state <= T_IDLE;
          wait_cycles <= 12;
        end
      T_TOKEN:
        if (sent) begin
          wait_cycles <= t_pid == IN ? TIMEOUT : 12 + (FAULTS != 0 ? random[3:0] : 0);
          t_state <= t_pid == IN ? T_ANSWER : T_DATA;
        end
      T_DATA:
        if (wait_cycles == 1) begin
          packet[0] <= t_toggle ? DATA1 : DATA0;
          crc = 16'hffff;
          for (k = 0; k < 64; k = k + 1) if (k < data_bytes) begin
            packet[1 + k] <= data[k];
            crc = crc16(crc, data[k]);
          end
          crc = ~crc;
          if (t_damaged && t_pid == OUT) crc = crc ^ 16'h0100;
          packet[1 + data_bytes] <= crc[7:0];
          packet[2 + data_bytes] <= crc[15:8];
          send(3 + data_bytes);
        end else if (sent) begin
          wait_cycles <= TIMEOUT;
          t_state <= T_ANSWER;
        end
      T_ANSWER:
        if (receiving) wait_cycles <= TIMEOUT;
        else if (received) begin
          t_state <= T_IDLE;
          t_done <= 1;
          wait_cycles <= 8 + (fault(random, 3) ? random[17:8] : FAULTS != 0 ? random[5:0] : 0);
          if (t_pid != IN) begin
            if (heard_bytes != 1) t_failure <= 3;
            t_result <= pid == ACK ? R_ACK : pid == NAK ? R_NAK : pid == STALL ? R_STALL : R_NONE;
            if (t_damaged && t_pid == OUT) t_failure <= 4;  // a damaged packet was answered
            if (pid == ACK && fault(random, 4)) t_result <= R_NONE;  // its answer is lost: the packet comes again
          end else if (is_data) begin
            if (heard_bytes < 3 || rx_crc != 16'hb001) t_failure <= 5;
            t_result <= R_DATA;
            if (t_damaged) t_result <= R_NONE;  // as if it were damaged: there is no answer
            else begin
              t_state <= T_ACK;
              t_done <= 0;
              wait_cycles <= 8;
            end
          end else begin
            if (heard_bytes != 1) t_failure <= 3;
            t_result <= pid == NAK ? R_NAK : pid == STALL ? R_STALL : R_NONE;
          end
        end else if (wait_cycles == 1) begin
          t_state <= T_IDLE;
          t_done <= 1;
          t_result <= R_NONE;
          wait_cycles <= 8;
        end
      T_ACK:
        if (wait_cycles == 1) begin
          packet[0] <= fault(random, 4) ? 8'h00 : ACK;  // no valid packet: the device does not hear it
          send(1);
        end else if (sent) begin
          t_state <= T_IDLE;
          t_done <= 1;
          wait_cycles <= 8 + (fault(random, 3) ? random[17:8] : 0);
        end
      default: ;
    endcase
  end

  // Control transfers: what each of a list asks for, and the data that it sends.
  function [63:0] setup(input [3:0] step);
    case (step)
      0: setup = 64'h00_40_00_00_01_00_06_80;  // GET_DESCRIPTOR of the device
      1: setup = 64'h00_00_00_00_00_05_05_00;  // SET_ADDRESS 5
      2: setup = 64'h00_12_00_00_01_00_06_80;
      3: setup = 64'h00_09_00_00_02_00_06_80;  // GET_DESCRIPTOR of the configuration
      4: setup = 64'h00_ff_00_00_02_00_06_80;
      5: setup = 64'h00_ff_04_09_03_02_06_80;  // GET_DESCRIPTOR of the product's name
      6: setup = 64'h00_00_00_00_00_01_09_00;  // SET_CONFIGURATION 1
      7: setup = 64'h00_07_00_00_00_00_20_21;  // SET_LINE_CODING
      default: setup = 64'h00_00_00_00_00_03_22_21;  // SET_CONTROL_LINE_STATE, which it may refuse
    endcase
  endfunction
  wire [63:0] request = setup(step);
  wire [15:0] length = request[63:48];

  localparam S_RESET = 0, S_SETUP = 1, S_DATA = 2, S_STATUS = 3, S_BULK = 4, S_OUT = 5, S_IN = 6;
  reg [2:0] state = S_RESET;
  reg resetting = 1, ask = 0, once = 0;
  reg [15:0] got = 0, cycles = 0;
  reg [2:0] tries = 0;
  reg in_toggle = 0, out_toggle = 0, control_toggle = 0;
  reg [6:0] gathered = 0, given = 0;
  reg [7:0] next_data [0:63];
  reg [5:0] pause = 0;  // cycles since a byte came
  reg [15:0] deaf = 0;
  reg pending = 0;  // a packet to the device, until it has answered
  assign send_ready = configured && gathered != 64;
  integer j;

  task transact(input [7:0] kind, input [3:0] endpoint, input toggle);
    begin
      t_begin <= 1;
      t_pid <= kind;
      t_endpoint <= endpoint;
      t_toggle <= toggle;
      ask <= 1;
    end
  endtask
  task next_step;
    begin
      step <= step + 1;
      state <= step == STEPS - 1 ? S_BULK : S_SETUP;
      tries <= 0;
      {in_toggle, out_toggle} <= 0;
    end
  endtask

  always @(posedge clk) begin
    heard_valid <= 0;
    if (t_state == T_TOKEN) t_begin <= 0;
    if (deaf != 0) deaf <= deaf - 1;
    cycles <= cycles + 1;
    if (t_done) ask <= 0;
    if (pause != 63) pause <= pause + 1;
    if (send_ready && send_valid) begin
      next_data[gathered] <= send_byte;
      gathered <= gathered + 1;
      pause <= 0;
    end
    case (state)
      S_RESET: begin
        // The device shows itself by its pull-up. A reset lasts at least 10 ms; here 100 us, as each is simulated.
        resetting <= start && present;
        if (!start || !present) cycles <= 0;
        else if (cycles == 4800) begin
          resetting <= 0;
        end else if (cycles > 4800) begin
          resetting <= 0;
          if (cycles == 6000) begin
            state <= S_SETUP;
            step <= 0;
            t_address <= 0;
          end
        end
      end
      S_SETUP:
        if (!ask) begin
          for (j = 0; j < 8; j = j + 1) data[j] <= request[8 * j +: 8];
          data_bytes <= 8;
          got <= 0;
          control_toggle <= 1;
          transact(SETUP, 0, 0);
        end else if (t_done) begin
          if (t_result == R_ACK) state <= length == 0 ? S_STATUS : S_DATA;
          else retry;
        end
      S_DATA:
        if (!ask) begin
          for (j = 0; j < 7; j = j + 1) data[j] <= 64'h08_00_00_00_1c_20_00 >> 8 * (6 - j) & 255;  // 115,200 baud, 8N1
          data_bytes <= length;
          transact(request[7] ? IN : OUT, 0, control_toggle);
        end else if (t_done) begin
          if (t_result == R_STALL) next_step;
          else if (request[7] && t_result == R_DATA) begin
            if ((pid == DATA1) == control_toggle) begin
              control_toggle <= !control_toggle;
              got <= got + heard_bytes - 3;
              if (step == 2 && (heard_bytes != 21 || heard[1] != 18 || heard[2] != 1)) s_failure <= 6;
              if (got + heard_bytes - 3 >= length || heard_bytes != 67) state <= S_STATUS;
            end
          end else if (!request[7] && t_result == R_ACK) state <= S_STATUS;
          else retry;
        end
      S_STATUS:
        if (!ask) begin
          data_bytes <= 0;
          transact(request[7] ? OUT : IN, 0, 1);
        end else if (t_done) begin
          if (t_result == R_STALL || t_result == (request[7] ? R_ACK : R_DATA)) begin
            if (t_result == R_STALL && step != STEPS - 1) s_failure <= 7;  // a request without which it is no serial port
            if (step == 1) t_address <= ADDRESS;
            next_step;
          end else retry;
        end
      S_BULK: begin
        tries <= 0;
        configured <= once || FAULTS == 0;
        once <= once || FAULTS == 0;
        if (pending) state <= S_OUT;
        else if (!once && FAULTS != 0) begin
          data[0] <= 8'hc0;
          data_bytes <= 1;
          pending <= 1;
        end else if (gathered == 64 || gathered != 0 && pause == 63) begin
          for (j = 0; j < 64; j = j + 1) data[j] <= next_data[j];
          data_bytes <= gathered;
          gathered <= 0;
          pending <= 1;
        end else state <= S_IN;
      end
      S_OUT:
        if (!ask) begin
          transact(OUT, ENDPOINT, out_toggle);
        end else if (t_done) begin
          state <= S_IN;
          if (t_result == R_ACK) begin
            out_toggle <= !out_toggle;
            pending <= 0;
            if (!once) begin
              once <= 1;
              resetting <= 1;
              cycles <= 0;
              state <= S_RESET;
            end
          end else if (t_result == R_STALL) s_failure <= 8;
          else if (!once) state <= S_BULK;
        end
      S_IN:
        if (deaf != 0) state <= S_BULK;
        else if (!ask) begin
          given <= 0;
          if (fault(random, 6)) deaf <= random[15:0];
          else transact(IN, ENDPOINT, 0);
        end else if (t_done) begin
          state <= S_BULK;
          if (t_result == R_STALL) s_failure <= 8;
          if (t_result == R_DATA && (pid == DATA1) == in_toggle) begin
            in_toggle <= !in_toggle;
            given <= heard_bytes - 3;
          end
        end
      default: ;
    endcase
    if (given != 0) begin
      heard_byte <= heard[heard_bytes - 2 - given];
      heard_valid <= 1;
      given <= given - 1;
    end
  end
  task retry;
    begin
      // NAK means later. Without an answer at all the device is lost.
      if (t_result != R_NAK) begin
        tries <= tries + 1;
        if (tries == 3) s_failure <= 9;
      end
    end
  endtask
  initial {p, n, drive, heard_valid, heard_byte, configured} = 0;
endmodule
