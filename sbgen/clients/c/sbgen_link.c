/* See sbgen_link.h. The protocol is in docs/link.md of sbgen. */
#include "sbgen_link.h"

enum { END = 0xC0, ESC = 0xDB, ESC_END = 0xDC, ESC_ESC = 0xDD };
enum { IDENTIFY = 0x01, CLASSIFY = 0x02, RESPONSE = 0x80, FAILURE = 0xFF };
enum { VERSION = 3, TRIES = 4, WANT_CLASS = 0, WANT_ALL = 255, FIXED = 39, CRC_BYTES = 4 };

/* CRC-32 of IEEE 802.3, four bits at a time: a table of 64 bytes instead of 1024. */
static uint32_t crc_step(uint32_t crc, uint8_t byte) {
  static const uint32_t table[16] = {
      0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
      0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
  crc ^= byte;
  crc = (crc >> 4) ^ table[crc & 15];
  return (crc >> 4) ^ table[crc & 15];
}

static int raw(sbgen_link *link, uint8_t byte) {
  return link->port.write(link->port.port, &byte, 1) ? SBGEN_WRITE : 0;
}

static int escaped(sbgen_link *link, uint8_t byte) {
  int error;
  if (byte != END && byte != ESC) return raw(link, byte);
  error = raw(link, ESC);
  return error ? error : raw(link, byte == END ? ESC_END : ESC_ESC);
}

static int content(sbgen_link *link, uint8_t byte) {
  link->crc = crc_step(link->crc, byte);
  return escaped(link, byte);
}

static int open_frame(sbgen_link *link, uint8_t command) {
  int error = raw(link, END);
  link->crc = 0xffffffffu;
  link->sequence++;
  if (!error) error = content(link, command);
  return error ? error : content(link, link->sequence);
}

static int close_frame(sbgen_link *link) {
  const uint32_t crc = ~link->crc;
  int n, error = 0;
  for (n = 0; n < CRC_BYTES && !error; n++) error = escaped(link, (uint8_t)(crc >> (8 * n)));
  return error ? error : raw(link, END);
}

/* What is done with the bytes of a payload, as they come: only if the frame ends well do they count. */
typedef struct {
  uint8_t *bytes; /* the first `room` bytes of it, or NULL: the result of an image */
  size_t room;
  const sbgen_identity *identity;
  uint32_t *decision;
  int32_t *scores;
} sink;

static void put(const sink *to, size_t place, uint8_t byte) {
  const sbgen_identity *identity = to->identity;
  size_t scores, output, shift;
  if (to->bytes) {
    if (place < to->room) to->bytes[place] = byte;
    return;
  }
  scores = to->scores ? (size_t)identity->outputs * identity->score_bytes : 0;
  if (place >= scores) {
    shift = 8 * (place - scores);
    if (shift == 0) *to->decision = 0;
    if (shift < 32) *to->decision |= (uint32_t)byte << shift;
    return;
  }
  output = place / identity->score_bytes;
  shift = 8 * (place % identity->score_bytes);
  if (shift == 0) to->scores[output] = 0;
  to->scores[output] = (int32_t)((uint32_t)to->scores[output] | (uint32_t)byte << shift);
  if (place % identity->score_bytes == identity->score_bytes - 1u && byte & 0x80 && shift < 24)
    to->scores[output] = (int32_t)((uint32_t)to->scores[output] | ~(uint32_t)0 << (shift + 8)); /* its sign */
}

/* The answer to the last request, which has the command `command`: the length of its payload, or an error. */
static long receive(sbgen_link *link, uint8_t command, const sink *to) {
  uint8_t header[2] = {0, 0}, last[CRC_BYTES] = {0, 0, 0, 0}, reason = 0;
  uint32_t crc = 0xffffffffu;
  size_t size = 0; /* bytes so far, of which the last four may be the checksum */
  int escape = 0, n;
  for (;;) {
    int byte = link->port.read(link->port.port);
    if (byte < 0) return SBGEN_TIMEOUT;
    if (byte == END) {
      uint32_t sent = 0;
      for (n = 0; n < CRC_BYTES; n++) sent |= (uint32_t)last[(size + (size_t)n) % CRC_BYTES] << (8 * n);
      /* Anything else is noise, or answers an earlier request. */
      if (size >= 2 + CRC_BYTES && sent == (uint32_t)~crc && header[1] == link->sequence) {
        if (header[0] == FAILURE) {
          link->reason = reason;
          return SBGEN_REFUSED;
        }
        if (header[0] == (command | RESPONSE)) return (long)(size - 2 - CRC_BYTES);
      }
      size = 0, crc = 0xffffffffu, escape = 0;
      continue;
    }
    if (byte == ESC) {
      escape = 1;
      continue;
    }
    if (escape) byte = byte == ESC_END ? END : byte == ESC_ESC ? ESC : byte, escape = 0;
    if (size >= CRC_BYTES) { /* the byte four before is content, not checksum */
      const uint8_t before = last[size % CRC_BYTES];
      const size_t place = size - CRC_BYTES;
      crc = crc_step(crc, before);
      if (place < 2) header[place] = before;
      if (place == 2) reason = before;
      if (place >= 2 && header[0] == (command | RESPONSE) && header[1] == link->sequence) put(to, place - 2, before);
    }
    last[size % CRC_BYTES] = (uint8_t)byte;
    size++;
  }
}

static uint32_t number(const uint8_t *bytes, int count) {
  uint32_t value = 0;
  while (count--) value = value << 8 | bytes[count];
  return value;
}

static int parse_identity(sbgen_identity *identity, const uint8_t *b, long size) {
  uint8_t flags;
  int n;
  if (size < 1 || b[0] != VERSION) return SBGEN_VERSION;
  if (size < FIXED) return SBGEN_WRONG;
  identity->lanes = b[1];
  identity->outputs = (uint16_t)number(b + 2, 2);
  identity->pixels = number(b + 4, 4);
  for (n = 0; n < 8; n++) identity->digest[n] = b[8 + n];
  flags = b[16];
  identity->signs = flags & 1;
  identity->loads = flags >> 1 & 1;
  identity->pixel_bits = b[17];
  identity->score_bytes = b[18];
  identity->top_k = b[19];
  identity->image_bytes = number(b + 20, 4);
  identity->frame_images = (uint16_t)number(b + 24, 2);
  identity->wake = (uint16_t)number(b + 26, 2);
  identity->store_bytes = number(b + 28, 4);
  identity->image_cycles = number(b + 32, 4);
  identity->byte_cycles = (uint16_t)number(b + 36, 2);
  identity->levels = b[38];
  if (identity->levels > 15 || size != FIXED + identity->levels + 5 * identity->loads ||
      identity->pixel_bits < 1 || identity->pixel_bits > 8 || identity->score_bytes < 1 || identity->score_bytes > 4)
    return SBGEN_WRONG;
  for (n = 0; n < identity->levels; n++) identity->level[n] = b[FIXED + n];
  identity->weights_state = identity->loads ? b[FIXED + identity->levels] : 1;
  return 0;
}

int sbgen_identify(sbgen_link *link) {
  uint8_t bytes[FIXED + 15 + 5];
  sink to = {0};
  int tries, error;
  long size;
  to.bytes = bytes, to.room = sizeof bytes;
  for (tries = 0; tries < TRIES; tries++) {
    error = open_frame(link, IDENTIFY);
    if (!error) error = close_frame(link);
    if (error) return error;
    size = receive(link, IDENTIFY, &to);
    if (size >= 0) return size > (long)sizeof bytes ? SBGEN_WRONG : parse_identity(&link->identity, bytes, size);
  }
  return SBGEN_TIMEOUT;
}

int sbgen_begin(sbgen_link *link, int want_scores) {
  const int error = open_frame(link, CLASSIFY);
  link->partial = link->partial_bits = 0;
  return error ? error : content(link, want_scores ? WANT_ALL : WANT_CLASS);
}

int sbgen_pixels(sbgen_link *link, const uint8_t *pixels, size_t count) {
  const sbgen_identity *identity = &link->identity;
  while (count--) {
    uint8_t pixel = *pixels++, code = pixel;
    unsigned bits;
    int error = 0;
    if (identity->levels)
      for (code = 0; code < identity->levels && identity->level[code] <= pixel;) code++;
    bits = link->partial | (unsigned)code << link->partial_bits;
    link->partial_bits = (uint8_t)(link->partial_bits + identity->pixel_bits);
    if (link->partial_bits >= 8) {
      error = content(link, (uint8_t)bits);
      bits >>= 8;
      link->partial_bits = (uint8_t)(link->partial_bits - 8);
    }
    link->partial = (uint8_t)bits;
    if (error) return error;
  }
  return 0;
}

int sbgen_end(sbgen_link *link, uint32_t *decision, int32_t *scores) {
  const sbgen_identity *identity = &link->identity;
  long size, right = identity->signs ? (identity->outputs + 7) / 8 : identity->outputs <= 256 ? 1 : 2;
  sink to = {0};
  int error = link->partial_bits ? content(link, link->partial) : 0;
  if (!error) error = close_frame(link);
  if (error) return error;
  to.identity = identity, to.decision = decision, to.scores = scores;
  size = receive(link, CLASSIFY, &to);
  if (scores) right += (long)identity->outputs * identity->score_bytes;
  return size < 0 ? (int)size : size == right ? 0 : SBGEN_WRONG;
}

int sbgen_classify(sbgen_link *link, const uint8_t *pixels, uint32_t *decision, int32_t *scores) {
  int tries, error = SBGEN_TIMEOUT;
  for (tries = 0; tries < TRIES; tries++) {
    error = sbgen_begin(link, scores != NULL);
    if (!error) error = sbgen_pixels(link, pixels, link->identity.pixels);
    if (!error) error = sbgen_end(link, decision, scores);
    if (error == 0 || error == SBGEN_WRITE || error == SBGEN_WRONG) return error;
    if (error == SBGEN_REFUSED && link->reason != SBGEN_CHECKSUM && link->reason != SBGEN_BUSY) return error;
  }
  return error;
}
