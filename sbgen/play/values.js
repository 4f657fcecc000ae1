// Numbers, pictures and files as the bytes of an image.
//
// `input` says what the network takes: `levels`, the bytes of a pixel in the order of their values, `values`, what
// each stands for, and the `height`, `width` and `channels` of a picture.

// The byte for a brightness of 0 ... 1.
const byteOf = (input, brightness) => input.levels[Math.round(brightness * (input.levels.length - 1))];

// The brightness that a byte shows, 0 ... 1; a byte of no value shows the nearest below.
function brightnessOf(input, byte) {
  const place = input.levels.indexOf(byte);
  return (place < 0 ? input.levels.findLastIndex((level) => level <= byte) : place) / (input.levels.length - 1);
}

// The byte whose value is nearest to a number.
function byteOfValue(input, number) {
  let best = 0;
  input.values.forEach((value, n) => {
    if (Math.abs(value - number) < Math.abs(input.values[best] - number)) best = n;
  });
  return input.levels[best];
}

// A pasted row of `count` numbers; an Error says what is wrong with it.
function numbersOf(text, count) {
  const words = text.trim().split(/[\s,;]+/).filter(Boolean);
  const numbers = words.map(Number);
  const wrong = words.find((word, n) => !Number.isFinite(numbers[n]));
  if (wrong !== undefined) throw new Error(`each must be a number, but one is “${wrong.slice(0, 20)}”`);
  if (numbers.length !== count) throw new Error(`the network takes ${count} numbers, found ${numbers.length}`);
  return numbers;
}

// Red, green and blue as they look in grey; equal ones stay what they are.
const grey = (red, green, blue) => Math.round((299 * red + 587 * green + 114 * blue) / 1000);

// The mean of the pixels at the border of a grey picture of bytes.
function borderOf(bytes, height, width) {
  let [sum, count] = [0, 0];
  bytes.forEach((byte, n) => {
    const [row, column] = [Math.floor(n / width), n % width];
    if (row === 0 || column === 0 || row === height - 1 || column === width - 1) {
      sum += byte;
      count += 1;
    }
  });
  return sum / count;
}

// A picture file as {brightness, notes}: brightness 0 ... 1, channels last, and what was changed.
async function readPicture(file, { height, width, channels, strokes }) {
  const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" });
  const notes = [];
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (channels !== 4) {
    context.fillStyle = "#fff";
    context.fillRect(0, 0, width, height);
  }
  if (bitmap.width === width && bitmap.height === height) {
    context.drawImage(bitmap, 0, 0);
  } else {
    const scale = Math.max(width / bitmap.width, height / bitmap.height);
    const size = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * scale)));
    const small = await createImageBitmap(bitmap,
      { resizeWidth: size[0], resizeHeight: size[1], resizeQuality: "high" });
    context.drawImage(small, Math.round((width - size[0]) / 2), Math.round((height - size[1]) / 2));
    notes.push(`resized from ${bitmap.width} × ${bitmap.height} to ${width} × ${height}` +
      (bitmap.width * height === bitmap.height * width ? "" : ", borders cut"));
  }
  const { data } = context.getImageData(0, 0, width, height);
  if (channels > 1) {
    const bytes = Array.from(data).filter((_, n) => channels === 4 || n % 4 < channels);
    return { brightness: bytes.map((byte) => byte / 255), notes };
  }
  let bytes = Array.from({ length: height * width }, (_, n) => grey(...data.slice(4 * n, 4 * n + 3)));
  if (bytes.some((byte, n) => byte !== data[4 * n] || byte !== data[4 * n + 2])) notes.push("colours to grey");
  // A network of strokes knows light ink on dark ground.
  if (strokes.box !== null && borderOf(bytes, height, width) > 127) {
    bytes = bytes.map((byte) => 255 - byte);
    notes.push("inverted");
  }
  return { brightness: bytes.map((byte) => byte / 255), notes };
}
