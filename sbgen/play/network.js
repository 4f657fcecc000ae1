// The integer network of an exchange file, computed exactly (docs/semantics.md).
//
// A bit 1 stands for +1 and a bit 0 for -1. Elements between layers are integers, and every number here is below
// 2^53, so that JavaScript's numbers hold it exactly. An output is {shape, data, bits}: `data` in row-major order,
// `bits` where all of it is 0 or 1.

const volume = (shape) => shape.reduce((product, size) => product * size, 1);

// Bits in a word of 32.
function ones(word) {
  word -= (word >>> 1) & 0x55555555;
  word = (word & 0x33333333) + ((word >>> 2) & 0x33333333);
  return Math.imul((word + (word >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

// The bits of `numpy.packbits` in base64, 0 or 1 each.
function unpacked(text, size) {
  const bytes = atob(text);
  const bits = new Uint8Array(size);
  for (let n = 0; n < size; n++) bits[n] = (bytes.charCodeAt(n >> 3) >> (7 - (n & 7))) & 1;
  return bits;
}

// Rows of bits as rows of words of 32, the first bit lowest; the last word of a row is filled with 0.
function packedRows(bits, rows) {
  const length = bits.length / rows;
  const words = Math.ceil(length / 32);
  const packed = new Uint32Array(rows * words);
  for (let row = 0; row < rows; row++) {
    for (let n = 0; n < length; n++) {
      if (bits[row * length + n]) packed[row * words + (n >> 5)] |= 1 << (n & 31);
    }
  }
  return packed;
}

// The weights of a layer and the mask that says which inputs count, each row as words. Unpacked once.
const prepared = new WeakMap();
function weightsOf(layer) {
  if (!prepared.has(layer)) {
    const size = volume(layer.weights.shape);
    const rows = layer.weights.shape[0];
    const mask = layer.mask ? unpacked(layer.mask.bits, size) : new Uint8Array(size).fill(1);
    prepared.set(layer, {
      rows,
      inputs: size / rows,
      words: Math.ceil(size / rows / 32),
      values: packedRows(unpacked(layer.weights.bits, size), rows),
      mask: packedRows(mask, rows),
    });
  }
  return prepared.get(layer);
}

// Counts of neurons first ... last - 1 on inputs of `planes` bits each: over all planes, 2^plane times the agreeing
// bits. `read(n)` is input n; the counts are written to `out` from place `at`.
function count(layer, planes, read, first, last, out, at) {
  const { inputs, words, values, mask } = weightsOf(layer);
  const x = new Uint32Array(planes * words);
  for (let n = 0; n < inputs; n++) {
    const element = read(n);
    for (let plane = 0; plane < planes; plane++) {
      if ((element >>> plane) & 1) x[plane * words + (n >> 5)] |= 1 << (n & 31);
    }
  }
  for (let row = first; row < last; row++) {
    let total = 0;
    for (let plane = 0; plane < planes; plane++) {
      let agreeing = 0;
      for (let word = 0; word < words; word++) {
        const weight = row * words + word;
        agreeing += ones(~(values[weight] ^ x[plane * words + word]) & mask[weight]);
      }
      total += agreeing * 2 ** plane;
    }
    out[at + row - first] = total;
  }
}

// Counts as they are, or bits by the threshold of each output, outputs last.
function neurons(layer, shape, counts) {
  if (!layer.thresholds) return { shape, data: counts, bits: false };
  const outputs = layer.thresholds.length;
  return { shape, data: counts.map((value, n) => Number(value >= layer.thresholds[n % outputs])), bits: true };
}

function positions(layer, kernel, [height, width], padding) {
  const sizes = [height + padding[0][0] + padding[0][1], width + padding[1][0] + padding[1][1]];
  return sizes.map((size, axis) => Math.floor((size - kernel[axis]) / layer.stride[axis]) + 1);
}

const NO_PADDING = [[0, 0], [0, 0]];

// For each channel, what `combine` makes of the elements under a kernel, from `start`. Padding never decides.
function pool(layer, x, combine) {
  const padding = layer.padding ?? NO_PADDING;
  const [height, width, channels] = x.shape;
  const [down, across] = positions(layer, layer.kernel, x.shape, padding);
  const data = new Float64Array(down * across * channels);
  for (let row = 0; row < down; row++) {
    for (let column = 0; column < across; column++) {
      for (let y = 0; y < layer.kernel[0]; y++) {
        for (let z = 0; z < layer.kernel[1]; z++) {
          const from = row * layer.stride[0] + y - padding[0][0];
          const beside = column * layer.stride[1] + z - padding[1][0];
          if (from < 0 || from >= height || beside < 0 || beside >= width) continue;
          for (let channel = 0; channel < channels; channel++) {
            const at = (row * across + column) * channels + channel;
            data[at] = combine(data[at], x.data[(from * width + beside) * channels + channel]);
          }
        }
      }
    }
  }
  return { shape: [down, across, channels], data };
}

// After a layer on raw pixels an image has its channels as one axis, `levels` for each.
const flatChannels = (shape, levels) =>
  shape.length === 1 ? [shape[0] * levels] : [shape[0], shape[1], volume(shape.slice(2)) * levels];

// What each kind of layer outputs: of a layer, its input, and what the `fork` that it names stored.
const KINDS = {
  binarize(layer, x) {
    const levels = layer.thresholds[0].length;
    const data = Float64Array.from({ length: x.data.length * levels }, (_, n) =>
      Number(x.data[Math.floor(n / levels)] >= layer.thresholds[Math.floor(n / levels)][n % levels]));
    return { shape: flatChannels(x.shape, levels), data, bits: true };
  },

  lookup(layer, x) {
    return { shape: flatChannels(x.shape, 1), data: x.data.map((pixel) => layer.table[pixel]), bits: false };
  },

  dense(layer, x) {
    const { rows } = weightsOf(layer);
    const counts = new Float64Array(rows);
    count(layer, layer.planes, (n) => x.data[n], 0, rows, counts, 0);
    return neurons(layer, [rows], counts);
  },

  conv2d(layer, x) {
    const [outputs, tall, wide, depth] = layer.weights.shape;
    const [height, width, channels] = x.shape;
    const [down, across] = positions(layer, [tall, wide], x.shape, layer.padding);
    const outside = layer.padding_bit * (2 ** layer.planes - 1);
    const each = outputs / layer.groups;
    const counts = new Float64Array(down * across * outputs);
    for (let place = 0; place < down * across; place++) {
      const top = Math.floor(place / across) * layer.stride[0] - layer.padding[0][0];
      const left = (place % across) * layer.stride[1] - layer.padding[1][0];
      for (let group = 0; group < layer.groups; group++) {
        const read = (n) => {
          const y = top + Math.floor(n / (wide * depth));
          const z = left + Math.floor(n / depth) % wide;
          if (y < 0 || y >= height || z < 0 || z >= width) return outside;
          return x.data[(y * width + z) * channels + group * depth + (n % depth)];
        };
        const first = group * each;
        count(layer, layer.planes, read, first, first + each, counts, place * outputs + first);
      }
    }
    return neurons(layer, [down, across, outputs], counts);
  },

  maxpool(layer, x) {
    return { ...pool(layer, x, Math.max), bits: x.bits };
  },

  sumpool(layer, x) {
    return { ...pool(layer, x, (sum, element) => sum + element), bits: false };
  },

  threshold(layer, x) {
    // One threshold for each channel, or a list of several, of which the number that is reached goes on.
    const levels = layer.thresholds.map((level) => [level].flat());
    const channels = levels.length;
    const data = x.data.map((element, n) => levels[n % channels].reduce((reached, level) =>
      reached + (Number(element >= level) ^ layer.inverted[n % channels]), 0));
    return { shape: x.shape, data, bits: levels[0].length === 1 };
  },

  fork(layer, x) {
    return x;
  },

  switch(layer, x, stored) {
    return stored;
  },

  add(layer, x, stored) {
    return { shape: x.shape, data: x.data.map((element, n) => element + layer.scale * stored.data[n]), bits: false };
  },

  scores(layer, x) {
    const { rows } = weightsOf(layer);
    const counts = new Float64Array(rows);
    count(layer, layer.planes ?? 1, (n) => x.data[n], 0, rows, counts, 0);
    const data = counts.map((value, n) => value * (layer.scales ? layer.scales[n] : 1) + layer.offsets[n]);
    return { shape: [rows], data, bits: false };
  },
};

// What scores mean: the class, or of a multi-label network a bit for each output.
function decide(network, scores) {
  if (network.decision !== "sign") return scores.indexOf(Math.max(...scores));
  const bits = Array.from(scores, (score) => Number(score >= 0));
  return bits.length === 1 ? bits[0] : bits;
}

// The output of every layer for the bytes of one image, the scores, and what they mean.
function evaluate(network, pixels) {
  if (pixels.length !== volume(network.image_shape)) {
    throw new RangeError(`an image must have ${volume(network.image_shape)} values, not ${pixels.length}`);
  }
  // Widths of images without a channel axis: a layer on raw pixels sees one channel.
  let x = { shape: network.image_shape, data: Float64Array.from(pixels), bits: false };
  const inputs = new Map(); // by the names of the layers: what a fork or a switch stores
  const layers = [];
  for (const layer of network.layers) {
    inputs.set(layer.name, x);
    x = KINDS[layer.kind](layer, x, inputs.get(layer.fork));
    layers.push(x);
  }
  const scores = Array.from(x.data);
  return { layers, scores, decision: decide(network, scores) };
}
