// Strokes as a grey picture of the network's size, prepared as the images that the network was trained on.
//
// A stroke is a list of points [x, y], of a pad that is 1 high and as wide as the picture's shape has it. The recipe
// says how far a drawing fills the picture's height (`box`; null: it stays as drawn), what is then in the middle
// (`centre`: "mass" or "box"), and the diameter of the pen as a part of the height (`pen`).

// Places within a pixel, in each direction, that are either ink or not.
const SAMPLES = 4;

// The part of each pixel that is ink, 0 ... 1, row-major. `place` moves a point of the pad onto the picture.
function inked(strokes, [height, width], radius, place) {
  const columns = width * SAMPLES;
  const rows = height * SAMPLES;
  const ink = new Uint8Array(rows * columns);
  const reach = radius * SAMPLES;
  const line = ([ax, ay], [bx, by]) => {
    const square = (bx - ax) ** 2 + (by - ay) ** 2;
    const [left, right] = [Math.min(ax, bx) - reach, Math.max(ax, bx) + reach].map(Math.floor);
    const [top, bottom] = [Math.min(ay, by) - reach, Math.max(ay, by) + reach].map(Math.floor);
    for (let row = Math.max(top, 0); row <= Math.min(bottom, rows - 1); row++) {
      for (let column = Math.max(left, 0); column <= Math.min(right, columns - 1); column++) {
        const [x, y] = [column + 0.5, row + 0.5];
        const along = square ? ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / square : 0;
        const part = Math.min(Math.max(along, 0), 1);
        const far = (ax + part * (bx - ax) - x) ** 2 + (ay + part * (by - ay) - y) ** 2;
        if (far <= reach * reach) ink[row * columns + column] = 1;
      }
    }
  };
  for (const stroke of strokes) {
    const points = stroke.map((point) => place(point).map((at) => at * SAMPLES));
    points.forEach((point, n) => line(points[Math.max(n - 1, 0)], point));
  }
  const coverage = new Float64Array(height * width);
  ink.forEach((on, n) => {
    const [row, column] = [Math.floor(n / columns / SAMPLES), Math.floor((n % columns) / SAMPLES)];
    coverage[row * width + column] += on / SAMPLES ** 2;
  });
  return coverage;
}

// The middle of what has ink, [x, y] in pixels.
function centreOfMass(coverage, width) {
  let [total, x, y] = [0, 0, 0];
  coverage.forEach((part, n) => {
    total += part;
    x += part * ((n % width) + 0.5);
    y += part * (Math.floor(n / width) + 0.5);
  });
  return total ? [x / total, y / total] : null;
}

// The part of each pixel that is ink after the recipe.
function picture(strokes, [height, width], recipe) {
  const radius = (recipe.pen * height) / 2;
  const points = strokes.flat();
  const asDrawn = ([x, y]) => [x * height, y * height];
  if (recipe.box === null || !points.length) return inked(strokes, [height, width], radius, asDrawn);
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const size = Math.max((right - left) * (height / width), bottom - top);
  // A dot stays a dot.
  const scale = size > recipe.pen ? (recipe.box * height - 2 * radius) / size : height;
  const moved = ([dx, dy]) => ([x, y]) => [
    (x - (left + right) / 2) * scale + width / 2 + dx,
    (y - (top + bottom) / 2) * scale + height / 2 + dy,
  ];
  const coverage = inked(strokes, [height, width], radius, moved([0, 0]));
  const middle = centreOfMass(coverage, width);
  if (recipe.centre === "box" || !middle) return coverage;
  return inked(strokes, [height, width], radius, moved([width / 2 - middle[0], height / 2 - middle[1]]));
}
