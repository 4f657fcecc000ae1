/* The host's end of sbgen's link, version 3 of the protocol, for a microcontroller that owns the sensor.
 *
 * C99, no allocation, one request at a time. Copy sbgen_link.h and sbgen_link.c into your project, give two functions
 * that send and receive bytes, and call sbgen_identify once, then sbgen_classify for each image. Everything that differs
 * between networks comes from the board's answer to identify, so a new bitstream needs no new firmware.
 */
#ifndef SBGEN_LINK_H
#define SBGEN_LINK_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What the functions return: 0, or one of these. */
enum {
  SBGEN_TIMEOUT = -1, /* no undamaged answer came, after several tries */
  SBGEN_VERSION = -2, /* the bitstream speaks another version: build it with the sbgen that this file is from */
  SBGEN_REFUSED = -3, /* the board refuses the request for sbgen_link.reason */
  SBGEN_WRITE = -4,   /* write() has failed */
  SBGEN_WRONG = -5    /* the answer has not the length that identify promises */
};

/* Reasons of SBGEN_REFUSED. */
enum {
  SBGEN_CHECKSUM = 1,
  SBGEN_LENGTH = 2,
  SBGEN_COMMAND = 3,
  SBGEN_BUSY = 4,
  SBGEN_WEIGHTS = 5,
  SBGEN_WANT = 6
};

/* The serial port. */
typedef struct {
  /* Send bytes, blocking; 0 is success. */
  int (*write)(void *port, const uint8_t *data, size_t size);
  /* The next byte; -1 if none came within your timeout (100 ms, say, longer than an image takes). */
  int (*read)(void *port);
  void *port;
} sbgen_port;

/* What a board reports of itself; docs/link.md describes each field. */
typedef struct {
  uint8_t digest[8];
  uint32_t pixels, image_bytes, store_bytes, image_cycles;
  uint16_t outputs, frame_images, byte_cycles, wake;
  uint8_t lanes, pixel_bits, score_bytes, top_k;
  uint8_t signs;         /* 1 if the signs of the scores decide, else 0 */
  uint8_t levels;        /* number of ... */
  uint8_t level[15];     /* ... boundaries between the codes of a pixel */
  uint8_t loads;         /* 1 if weights come from flash; then ... */
  uint8_t weights_state; /* 0 loading, 1 loaded, 2 wrong checksum */
} sbgen_identity;

typedef struct {
  sbgen_port port;
  sbgen_identity identity;
  uint8_t sequence; /* of the last request */
  uint8_t reason;   /* why the board refused one */
  /* Of the request that is being sent: */
  uint32_t crc;
  uint8_t partial, partial_bits;
} sbgen_link;

/* Ask the board what it is. Zero the link and set its port before; the identity is valid at 0. */
int sbgen_identify(sbgen_link *link);

/* Classify an image.
 *
 * pixels: identity.pixels bytes, row-major, channels last.
 * decision: the class; where signs decide, a bit for each output (identity.outputs of at most 32), output 0 lowest.
 * scores: identity.outputs numbers, or NULL: then only the decision crosses the line.
 */
int sbgen_classify(sbgen_link *link, const uint8_t *pixels, uint32_t *decision, int32_t *scores);

/* The same in pieces, for an image that is never in memory as a whole: begin, pixels as they come from the sensor, end.
 * After an error, begin again. */
int sbgen_begin(sbgen_link *link, int want_scores);
int sbgen_pixels(sbgen_link *link, const uint8_t *pixels, size_t count);
int sbgen_end(sbgen_link *link, uint32_t *decision, int32_t *scores);

#ifdef __cplusplus
}
#endif
#endif
