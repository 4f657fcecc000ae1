// An emulated board: bytes from standard input go to its pins, by a UART or a USB host, and bytes from there to standard output.
//
// Arguments: clock cycles per bit, cycles until the board listens, and cycles without a byte after which the board has
// certainly answered. Then the clock nearly stops, so that a board that waits takes no processor. "ready" on standard
// error says that the board listens. The end of standard input ends the program; then standard error has the cycles from
// the first byte that was sent to the last that was received.
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <poll.h>
#include <unistd.h>

#include "Vemulated.h"
#include "verilated.h"

namespace {

using Clock = std::chrono::steady_clock;

// Bytes that were read from standard input and are not sent yet.
unsigned char waiting[1024];
size_t first = 0, last = 0;
bool ended = false;

// Read what is there; wait for it up to `milliseconds`.
void read_input(int milliseconds) {
  pollfd input{STDIN_FILENO, POLLIN, 0};
  if (ended || poll(&input, 1, milliseconds) <= 0) return;
  const ssize_t count = read(STDIN_FILENO, waiting, sizeof waiting);
  first = 0;
  last = count > 0 ? size_t(count) : 0;
  ended = count <= 0;
}

#ifdef USB
// Passes bytes to the USB host of board.v.
class Line {
 public:
  explicit Line(long) {}
  bool idle() const { return !valid_; }
  void send(unsigned char byte) { byte_ = byte, valid_ = true; }
  // Before and after a clock cycle; the latter returns whether a byte has come.
  void before(Vemulated& board) {
    board.send_byte = byte_;
    board.send_valid = valid_;
    taken_ = valid_ && board.send_ready;
  }
  bool after(Vemulated& board) {
    if (taken_) valid_ = false;
    byte_heard_ = board.heard_byte;
    return board.heard_valid;
  }
  unsigned char byte() const { return byte_heard_; }
  // The host waits for the board, and begins with its enumeration.
  static void begin(Vemulated& board) { board.start = 1; }
  static bool begun(const Vemulated& board) { return board.configured; }
  static bool failed(const Vemulated& board) { return board.failed; }

 private:
  unsigned char byte_ = 0, byte_heard_ = 0;
  bool valid_ = false, taken_ = false;
};
#else
// Puts bytes onto rx: a start bit, eight data bits, the least significant first, a stop bit.
class Sender {
 public:
  explicit Sender(long divisor) : divisor_(divisor) {}
  bool idle() const { return left_ == 0; }
  void send(unsigned char byte) { bits_ = 0x200u | unsigned(byte) << 1, left_ = 10 * divisor_, bit_left_ = divisor_; }
  bool step() {
    if (left_ == 0) return true;
    const bool level = bits_ & 1;
    --left_;
    if (--bit_left_ == 0) bits_ >>= 1, bit_left_ = divisor_;
    return level;
  }

 private:
  const long divisor_;
  unsigned bits_ = 0;
  long left_ = 0, bit_left_ = 0;
};

// Takes bytes from tx, each sampled in the middle of its bits; one without a stop bit is dropped, as a UART does.
class Receiver {
 public:
  explicit Receiver(long divisor) : divisor_(divisor) {}
  // Whether a byte has ended in this cycle.
  bool step(bool level) {
    if (left_ == 0) {
      if (!level) left_ = 10, wait_ = divisor_ / 2;
      return false;
    }
    if (wait_ != 0) return --wait_, false;
    wait_ = divisor_ - 1;
    bits_ = bits_ >> 1 | unsigned(level) << 9;
    return --left_ == 0 && level && !(bits_ & 1);
  }
  unsigned char byte() const { return bits_ >> 1; }

 private:
  const long divisor_;
  unsigned bits_ = 0;
  long left_ = 0, wait_ = 0;
};

class Line {
 public:
  explicit Line(long divisor) : sender_(divisor), receiver_(divisor) {}
  bool idle() const { return sender_.idle(); }
  void send(unsigned char byte) { sender_.send(byte); }
  void before(Vemulated& board) { board.rx = sender_.step(); }
  bool after(Vemulated& board) { return receiver_.step(board.tx); }
  unsigned char byte() const { return receiver_.byte(); }
  static void begin(Vemulated&) {}
  static bool begun(const Vemulated&) { return true; }
  static bool failed(const Vemulated&) { return false; }

 private:
  Sender sender_;
  Receiver receiver_;
};
#endif

// One cycle of the line's clock.
void step(Vemulated& board) {
#ifdef USB_CLOCK
  // Half the periods of both clocks in picoseconds, and when each changes next.
  static long line_at = USB_PS, core_at = CORE_PS;
  for (int changes = 0; changes < 2;) {
    const long now = line_at < core_at ? line_at : core_at;
    if (core_at == now) board.clk = !board.clk, core_at += CORE_PS;
    if (line_at == now) board.usb_clk = !board.usb_clk, line_at += USB_PS, ++changes;
    board.eval();
  }
#else
  for (int level = 1; level >= 0; --level) {
    board.clk = level;
#ifdef USB
    board.usb_clk = level;
#endif
    board.eval();
  }
#endif
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const long divisor = std::atol(argv[1]), deaf_cycles = std::atol(argv[2]), busy_cycles = std::atol(argv[3]);
  std::signal(SIGINT, SIG_IGN);  // of the terminal: whoever started this program ends it
  std::signal(SIGPIPE, SIG_DFL);
  VerilatedContext context;
  Vemulated board{&context};
  Line line{divisor};

  line.before(board);
  for (long n = 0; n < deaf_cycles; ++n) step(board);
  Line::begin(board);
  while (!Line::begun(board)) {
    if (Line::failed(board)) return 3;
    step(board);
  }
  std::fputs("ready\n", stderr);

  long quiet = 0;  // cycles since the last byte
  long cycles = 0, started = -1, last_heard = 0;
  Clock::time_point burst_end;
  while (true) {
    if (line.idle()) {
      if (first == last && quiet % (10 * divisor) == 0) read_input(0);
      if (first != last) {
        line.send(waiting[first++]);
        quiet = 0;
        if (started < 0) started = cycles;
      } else if (ended) {
        break;
      } else if (quiet > busy_cycles && Clock::now() >= burst_end) {
        // Nothing should happen now. In case it does, the clock goes on for a 50th of the time.
        read_input(10);
        burst_end = Clock::now() + std::chrono::microseconds(200);
      }
    }
    line.before(board);
    step(board);
    ++cycles;
    ++quiet;
    if (Line::failed(board)) return 3;
    if (line.after(board)) {
      const unsigned char byte = line.byte();
      if (write(STDOUT_FILENO, &byte, 1) != 1) break;
      quiet = 0;
      last_heard = cycles;
    }
  }
  board.final();
  std::fprintf(stderr, "%ld cycles\n", last_heard - started);
}
