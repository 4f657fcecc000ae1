// An emulated board: bytes from standard input become bits at the pin rx, bits at the pin tx bytes on standard output.
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

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const long divisor = std::atol(argv[1]), deaf_cycles = std::atol(argv[2]), busy_cycles = std::atol(argv[3]);
  std::signal(SIGINT, SIG_IGN);  // of the terminal: whoever started this program ends it
  std::signal(SIGPIPE, SIG_DFL);
  VerilatedContext context;
  Vemulated board{&context};
  Sender sender{divisor};
  Receiver receiver{divisor};

  board.rx = 1;
  const auto cycle = [&board] {
    board.clk = 1;
    board.eval();
    board.clk = 0;
    board.eval();
  };
  for (long n = 0; n < deaf_cycles; ++n) cycle();
  std::fputs("ready\n", stderr);

  long quiet = 0;  // cycles since the last byte
  long cycles = 0, started = -1, last_heard = 0;
  Clock::time_point burst_end;
  while (true) {
    if (sender.idle()) {
      if (first == last && quiet % (10 * divisor) == 0) read_input(0);
      if (first != last) {
        sender.send(waiting[first++]);
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
    board.rx = sender.step();
    cycle();
    ++cycles;
    ++quiet;
    if (receiver.step(board.tx)) {
      const unsigned char byte = receiver.byte();
      if (write(STDOUT_FILENO, &byte, 1) != 1) break;
      quiet = 0;
      last_heard = cycles;
    }
  }
  board.final();
  std::fprintf(stderr, "%ld cycles\n", last_heard - started);
}
