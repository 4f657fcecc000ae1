// The host link's messages, version 3 (docs/link.md).

const LINK_VERSION = 3;
const [IDENTIFY, CLASSIFY, RESPONSE, FAILURE] = [0x01, 0x02, 0x80, 0xff];
const WANT_ALL = 255;
const [END, ESC, ESC_END, ESC_ESC] = [0xc0, 0xdb, 0xdc, 0xdd];
const REASONS = { 1: "checksum", 2: "length", 3: "unknown command", 4: "busy", 5: "weights not loaded", 6: "unknown want" };

// The CRC-32 of IEEE 802.3.
function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

// A frame as bytes on the line, with an END on both sides.
function encodedFrame(command, sequence, payload = []) {
  const content = [command, sequence, ...payload];
  const crc = crc32(content);
  content.push(crc & 255, (crc >>> 8) & 255, (crc >>> 16) & 255, crc >>> 24);
  const escapes = { [END]: [ESC, ESC_END], [ESC]: [ESC, ESC_ESC] };
  return Uint8Array.from([END, ...content.flatMap((byte) => escapes[byte] ?? [byte]), END]);
}

// Finds undamaged frames in the bytes of a line: {command, sequence, payload} each.
class FrameReader {
  #line = [];

  feed(bytes) {
    const frames = [];
    for (const byte of bytes) {
      if (byte !== END) {
        this.#line.push(byte);
        continue;
      }
      const content = [];
      for (let n = 0; n < this.#line.length; n++) {
        const escaped = this.#line[n] === ESC ? { [ESC_END]: END, [ESC_ESC]: ESC }[this.#line[n + 1]] : undefined;
        content.push(escaped ?? this.#line[n]);
        if (escaped !== undefined) n += 1;
      }
      this.#line = [];
      const [head, tail] = [content.slice(0, -4), content.slice(-4)];
      const crc = tail.reduce((sum, each, n) => sum + each * 2 ** (8 * n), 0);
      if (head.length >= 2 && crc === crc32(head)) {
        frames.push({ command: head[0], sequence: head[1], payload: Uint8Array.from(head.slice(2)) });
      }
    }
    return frames;
  }
}

// What a board says of itself; an Error where it speaks another version.
function parsedIdentity(payload) {
  if (payload[0] !== LINK_VERSION) {
    const old = payload[0] === 1 || payload[0] === 2 ? " (sbgen 0.1)" : "";
    throw new Error(`the board must speak version ${LINK_VERSION} of the host link, but speaks ${payload[0]}${old}; ` +
      "build its bitstream again with this sbgen");
  }
  if (payload.length < 39 || payload.length < 39 + payload[38]) throw new Error("the board's identity is cut off");
  const view = new DataView(payload.buffer, payload.byteOffset);
  const levels = Array.from(payload.subarray(39, 39 + payload[38]));
  return {
    outputs: view.getUint16(2, true),
    pixels: view.getUint32(4, true),
    digest: Array.from(payload.subarray(8, 16), (byte) => byte.toString(16).padStart(2, "0")).join(""),
    signs: Boolean(payload[16] & 1),
    pixelBits: payload[17],
    scoreBytes: payload[18],
    imageBytes: view.getUint32(20, true),
    levels,
    // State and checksum of weights that come from flash.
    loaded: payload[16] & 2 ? payload[39 + levels.length] === 1 : true,
  };
}

// An image as it goes over the line.
function packedImage(identity, pixels) {
  const { pixelBits, levels } = identity;
  const packed = new Uint8Array(identity.imageBytes);
  pixels.forEach((pixel, n) => {
    const code = levels.length ? levels.filter((level) => level <= pixel).length : pixel;
    if (code >> pixelBits) throw new Error(`a pixel must have at most ${pixelBits} bits for this board, but is ${code}`);
    for (let bit = 0; bit < pixelBits; bit++) {
      const at = n * pixelBits + bit;
      packed[at >> 3] |= ((code >> bit) & 1) << (at & 7);
    }
  });
  return packed;
}

// The scores and the decision of one image, of the response to a request that wants all.
function parsedScores({ outputs, scoreBytes, signs }, payload) {
  const decisionBytes = signs ? Math.ceil(outputs / 8) : outputs <= 256 ? 1 : 2;
  if (payload.length !== outputs * scoreBytes + decisionBytes) {
    throw new Error(`the results of an image must have ${outputs * scoreBytes + decisionBytes} bytes, not ${payload.length}`);
  }
  const scores = Array.from({ length: outputs }, (_, n) => {
    let score = 0;
    for (let byte = 0; byte < scoreBytes; byte++) score += payload[n * scoreBytes + byte] * 2 ** (8 * byte);
    return score >= 2 ** (8 * scoreBytes - 1) ? score - 2 ** (8 * scoreBytes) : score;
  });
  const rest = payload.subarray(outputs * scoreBytes);
  const bits = Array.from({ length: outputs }, (_, n) => (rest[n >> 3] >> (n & 7)) & 1);
  const decision = signs ? (outputs > 1 ? bits : bits[0]) : rest[0] + (rest[1] ?? 0) * 256;
  return { scores, decision };
}
