// Classifies images with the core and in C, and prints a line for each to the console of the SoC.
#include <stddef.h>
#include <stdint.h>

#include "core.h"     // NAME.h of the folder, and its functions without the name
#include "network.h"  // images, what the reference computes, and the network's weights
#include "soc.h"      // addresses

#define REGISTER(address) (*(volatile uint32_t *)(address))

// The functions that the compiler calls by itself.
void *memcpy(void *to, const void *from, size_t count) {
  char *at = to;
  for (const char *byte = from; count--;) *at++ = *byte++;
  return to;
}
void *memset(void *to, int value, size_t count) {
  for (char *at = to; count--;) *at++ = (char)value;
  return to;
}

static void put(char letter) {
  while (REGISTER(UART_TXFULL)) {
  }
  REGISTER(UART_RXTX) = (uint32_t)letter;
}
static void print(const char *text) {
  while (*text) put(*text++);
}
static void print_number(uint32_t number) {
  char digits[10];
  int count = 0;
  do digits[count++] = (char)('0' + number % 10);
  while (number /= 10);
  while (count) put(digits[--count]);
}

static uint32_t cycles(void) {
  REGISTER(TIMER0_UPTIME_LATCH) = 1;
  return REGISTER(TIMER0_UPTIME_CYCLES + 4);  // of 64 bits, the lower
}

int main(void) {
  static int32_t scores[OUTPUTS], computed[OUTPUTS];
  static uint32_t answer[1], words[CORE(WORDS)];
  int right = 0;
  if (core(open)(CORE_BASE) != 0) print("another core\n");
  for (int n = 0; n < IMAGES; n++) {
    uint32_t begin = cycles();
    if (core(classify)(CORE_BASE, images[n], scores, answer) != 0) print("refused\n");
    uint32_t with_core = cycles() - begin;
    // The same with the image packed already, and the class alone read.
    core(pack)(images[n], words);
    begin = cycles();
    core(send_words)(CORE_BASE, words);
    while (core(take)(CORE_BASE, NULL, answer) != 0) {
    }
    uint32_t packed = cycles() - begin;
    begin = cycles();
    uint32_t class = network(images[n], computed);
    uint32_t in_c = cycles() - begin;
    int equal = class == answer[0];
    for (int k = 0; k < OUTPUTS; k++) equal &= scores[k] == computed[k] && scores[k] == expected[n][k];
    right += equal;
    print("image ");
    print_number((uint32_t)n);
    print(" class ");
    print_number(answer[0]);
    print(equal ? " right" : " WRONG");
    print(" core ");
    print_number(with_core);
    print(" packed ");
    print_number(packed);
    print(" c ");
    print_number(in_c);
    print("\n");
  }
  print_number((uint32_t)right);
  print(" images right\n");
  return 0;
}
