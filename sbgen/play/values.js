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

// The byte of number `n` of a row: by the scale of its column or channel, or the byte of the nearest value.
function byteOfNumber(input, number, n) {
  if (input.scales) {
    const cuts = input.scales[n % input.scales.length].cuts;
    return Math.floor((cuts.filter((cut) => cut <= number).length * 255) / cuts.length);
  }
  let best = 0;
  input.values.forEach((value, place) => {
    if (Math.abs(value - number) < Math.abs(input.values[best] - number)) best = place;
  });
  return input.levels[best];
}

// A pasted row of `count` numbers, and the class behind them, if it has one of `labels`; an Error says what is wrong.
function numbersOf(text, count, labels) {
  const words = text.replaceAll('"', "").trim().split(/[\s,;]+/).filter(Boolean);
  const label = labels.find((each) => each === words.slice(count).join(" "));
  if (label !== undefined) words.splice(count);
  const numbers = words.map(Number);
  const wrong = words.find((word, n) => !Number.isFinite(numbers[n]));
  if (wrong !== undefined) throw new Error(`each must be a number, but one is “${wrong.slice(0, 20)}”`);
  if (numbers.length !== count) throw new Error(`the network takes ${count} numbers, found ${numbers.length}`);
  return { numbers, label };
}

// A picture is {height, width, channels, data}: bytes, row-major, channels last.

// Red, green and blue by their brightness (ITU-R BT.601); equal ones stay what they are.
function grey({ height, width, channels, data }) {
  const bytes = Uint8Array.from({ length: height * width }, (_, n) => {
    const [red, green, blue] = data.subarray(channels * n, channels * n + 3);
    return Math.floor((299 * red + 587 * green + 114 * blue + 500) / 1000);
  });
  return { height, width, channels: 1, data: bytes };
}

// The largest part in the middle that has the proportions height : width.
function cropped(picture, height, width) {
  const rows = Math.max(1, Math.min(picture.height, Math.floor((picture.width * height) / width)));
  const columns = Math.max(1, Math.min(picture.width, Math.floor((picture.height * width) / height)));
  const [top, left] = [Math.floor((picture.height - rows) / 2), Math.floor((picture.width - columns) / 2)];
  const size = columns * picture.channels;
  const data = new Uint8Array(rows * size);
  for (let row = 0; row < rows; row++) {
    const from = ((top + row) * picture.width + left) * picture.channels;
    data.set(picture.data.subarray(from, from + size), row * size);
  }
  return { ...picture, height: rows, width: columns, data };
}

// How much of each of `count` equal parts lies in one of `wanted`, as [part, whole number]; the sum is `count`.
function overlaps(count, wanted, place) {
  const [begin, end] = [place * count, (place + 1) * count];
  const parts = [];
  for (let part = Math.floor(begin / wanted); part * wanted < end; part++) {
    parts.push([part, Math.min((part + 1) * wanted, end) - Math.max(part * wanted, begin)]);
  }
  return parts;
}

// Each new pixel is the mean of the area that it covers, rounded, a half up: as `sbgen.samples.resize`. All sums are
// whole numbers.
function resized(picture, height, width) {
  const { height: rows, width: columns, channels, data } = picture;
  if (rows === height && columns === width) return picture;
  const across = Array.from({ length: width }, (_, column) => overlaps(columns, width, column));
  const narrow = new Float64Array(rows * width * channels);
  for (let n = 0; n < narrow.length; n++) {
    const [row, column, channel] = [Math.floor(n / channels / width), Math.floor(n / channels) % width, n % channels];
    for (const [part, weight] of across[column]) narrow[n] += weight * data[(row * columns + part) * channels + channel];
  }
  const bytes = new Uint8Array(height * width * channels);
  for (let row = 0; row < height; row++) {
    const down = overlaps(rows, height, row);
    for (let n = 0; n < width * channels; n++) {
      let sum = 0;
      for (const [part, weight] of down) sum += weight * narrow[part * width * channels + n];
      bytes[row * width * channels + n] = Math.floor((2 * sum + rows * columns) / (2 * rows * columns));
    }
  }
  return { height, width, channels, data: bytes };
}

// The mean of the pixels at the border of a grey picture.
function borderOf({ height, width, data }) {
  const border = Array.from(data).filter((_, n) => {
    const [row, column] = [Math.floor(n / width), n % width];
    return row === 0 || column === 0 || row === height - 1 || column === width - 1;
  });
  return border.reduce((sum, byte) => sum + byte, 0) / border.length;
}

// The pixels of a picture file; transparent ones are white unless the network takes their alpha.
async function pixelsOf(file, channels) {
  const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" });
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d", { willReadFrequently: true });
  if (channels !== 4) {
    context.fillStyle = "#fff";
    context.fillRect(0, 0, bitmap.width, bitmap.height);
  }
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
  const bytes = channels === 4 ? Uint8Array.from(data) : Uint8Array.from(data).filter((_, n) => n % 4 < 3);
  return { height: bitmap.height, width: bitmap.width, channels: channels === 4 ? 4 : 3, data: bytes };
}

// A picture file as {brightness, notes}: brightness 0 ... 1, channels last, and what was changed.
async function readPicture(file, { height, width, channels, strokes, resize }) {
  let picture = await pixelsOf(file, channels);
  const notes = [];
  if (channels === 1) {
    const { data } = picture;
    if (data.some((byte, n) => byte !== data[n - (n % 3)])) notes.push("colours to grey");
    picture = grey(picture);
  }
  if (picture.height !== height || picture.width !== width) {
    if (resize === "none") throw new RangeError(
      `must be ${width} × ${height} pixels, as the network was trained, but is ${picture.width} × ${picture.height}`);
    const part = resize === "stretch" ? picture : cropped(picture, height, width);
    const cut = part.height === picture.height && part.width === picture.width ? "" : ", borders cut";
    notes.push(`resized from ${picture.width} × ${picture.height} to ${width} × ${height}${cut}`);
    picture = resized(part, height, width);
  }
  // A network of strokes knows light ink on dark ground.
  if (channels === 1 && strokes.box !== null && borderOf(picture) > 127) {
    picture.data = picture.data.map((byte) => 255 - byte);
    notes.push("inverted");
  }
  return { brightness: Array.from(picture.data, (byte) => byte / 255), notes };
}
