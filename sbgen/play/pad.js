// The pad of a page: an input, and what a network answers.
//
// `startPad` connects the elements of pad.html.j2. `answer(pixels)` returns, or promises, {layers, scores, decision,
// by}; while an answer is on its way only the latest input waits for the next.

function startPad(root, pad, answer) {
  const find = (selector) => root.querySelector(selector);
  const entry = { values: valuesEntry, grey: pictureEntry, colour: pictureEntry }[pad.input.kind];
  const note = (text) => { find(".note").textContent = text; };
  let [waiting, busy, last] = [null, false, null];

  async function ask(pixels) {
    waiting = pixels;
    if (busy) return;
    busy = true;
    while (waiting) {
      const now = waiting;
      waiting = null;
      try {
        last = { pixels: now, answer: await answer(now) };
        showAnswer(root, pad, last.answer);
      } catch (error) {
        note(error.message);
      }
      // The picture is drawn before the next answer is computed.
      await new Promise((resolve) => requestAnimationFrame(resolve));
    }
    busy = false;
  }

  const input = entry(root, pad.input, ask, note, pad.labels);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => input.ask());
  find(".clear").addEventListener("click", input.clear);
  input.ask();
  return { ...input, note, last: () => last, idle: () => !busy && !waiting };
}

// Numbers as a row and, where they are few, as fields.
function valuesEntry(root, input, ask, note, labels) {
  const row = root.querySelector("textarea");
  const fields = Array.from({ length: input.count <= 40 ? input.count : 0 }, (_, n) => {
    const label = document.createElement("label");
    const field = Object.assign(document.createElement("input"), { type: "number", step: "any", value: 0 });
    label.append(input.scales?.length === input.count ? input.scales[n].name : `${n + 1}`, field);
    root.querySelector(".fields").append(label);
    return field;
  });

  function update() {
    try {
      const { numbers, label } = numbersOf(row.value, input.count, labels);
      const pixels = Uint8Array.from(numbers, (number, n) => byteOfNumber(input, number, n));
      const [low, high] = [input.values[0], input.values.at(-1)];
      const clipped = input.scales ? 0 : numbers.filter((number) => number < low || number > high).length;
      note([label === undefined ? "" : `the row says ${label}`,
        clipped ? `${clipped} beyond ${low} … ${high}, taken as the nearest value` : ""].filter(Boolean).join("; "));
      fields.forEach((field, n) => { if (document.activeElement !== field) field.value = numbers[n]; });
      return ask(pixels);
    } catch (error) {
      return note(error.message);
    }
  }

  row.addEventListener("input", update);
  fields.forEach((field) => field.addEventListener("input", () => {
    row.value = fields.map((each) => each.value).join(", ");
    update();
  }));
  // Numbers that occur, where the network's recipe knows any: far from all samples, an answer means nothing.
  const begin = () => { row.value = Array.from({ length: input.count },
    (_, n) => input.begin?.[n % input.begin.length] ?? 0).join(", "); };
  begin();
  return { ask: update, clear: () => { begin(); update(); } };
}

// A drawing, or a picture from a file.
function pictureEntry(root, input, ask, note) {
  const [paper, seen, invert] = [".paper", ".seen", ".invert"].map((selector) => root.querySelector(selector));
  const shape = [input.height, input.width];
  const count = input.height * input.width * input.channels;
  let [strokes, opened] = [[], null];
  paper.height = 640;
  paper.width = Math.round((640 * input.width) / input.height);
  [seen.height, seen.width] = shape;

  function update() {
    let brightness = opened ?? (input.kind === "grey" ? picture(strokes, shape, input.strokes) : Array(count).fill(0));
    if (invert.checked) brightness = brightness.map((part) => 1 - part);
    const pixels = Uint8Array.from(brightness, (part) => byteOf(input, part));
    showPicture(seen, pixels, input);
    showPaper(paper, opened ? seen : null, strokes, input);
    return ask(pixels);
  }

  async function open(file) {
    if (!file) return;
    try {
      const read = await readPicture(file, input);
      [strokes, opened, invert.checked] = [[], read.brightness, input.invert];
      note([file.name, read.notes.join(", ")].filter(Boolean).join(": "));
      update();
    } catch (error) {
      const what = error instanceof RangeError ? error.message
        : "must be a picture that the browser reads, such as PNG or JPEG";
      note(`${file.name || "this"} ${what}`);
    }
  }

  function clear() {
    [strokes, opened, invert.checked] = [[], null, false];
    note("");
    update();
  }

  const begin = (point) => {
    if (opened) clear();
    strokes.push([point]);
    update();
  };
  const extend = (points) => {
    strokes.at(-1).push(...points);
    update();
  };
  if (input.kind === "grey") {
    drawByPointer(paper, begin, extend);
    drawByKeys(paper, input, begin, extend, clear);
  }
  invert.addEventListener("change", update);
  root.querySelector(".file").addEventListener("change", (event) => open(event.target.files[0]));
  const card = root.querySelector(".play");
  card.addEventListener("dragover", (event) => { event.preventDefault(); card.classList.add("over"); });
  card.addEventListener("dragleave", () => card.classList.remove("over"));
  card.addEventListener("drop", (event) => {
    event.preventDefault();
    card.classList.remove("over");
    open(event.dataTransfer.files[0]);
  });
  document.addEventListener("paste", (event) => open(event.clipboardData.files[0]));
  return { ask: update, clear, open };
}

// Points of the pad are 1 high; see strokes.js.
function drawByPointer(paper, begin, extend) {
  const pointOf = (event) => {
    const box = paper.getBoundingClientRect();
    return [(event.clientX - box.left) / box.height, (event.clientY - box.top) / box.height];
  };
  let drawing = false;
  paper.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    drawing = true;
    paper.setPointerCapture(event.pointerId);
    begin(pointOf(event));
  });
  paper.addEventListener("pointermove", (event) => {
    if (!drawing) return;
    const events = event.getCoalescedEvents?.() ?? [];
    extend((events.length ? events : [event]).map(pointOf));
  });
  for (const end of ["pointerup", "pointercancel"]) paper.addEventListener(end, () => { drawing = false; });
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function drawByKeys(paper, input, begin, extend, clear) {
  const step = 1 / input.height;
  let [x, y, down] = [input.width / input.height / 2, 0.5, false];
  paper.addEventListener("keydown", (event) => {
    const arrow = ARROWS[event.key];
    if (arrow) {
      x = Math.min(Math.max(x + arrow[0] * step, 0), input.width / input.height);
      y = Math.min(Math.max(y + arrow[1] * step, 0), 1);
      if (down) extend([[x, y]]);
    } else if (event.key === " ") {
      down = !down;
      if (down) begin([x, y]);
    } else if (event.key === "Delete" || event.key === "Backspace") {
      down = false;
      clear();
    } else {
      return;
    }
    event.preventDefault();
  });
}

// A colour of the page as [red, green, blue].
function colour(name) {
  const hex = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

function showPicture(canvas, pixels, input) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(input.width, input.height);
  for (let n = 0; n < input.height * input.width; n++) {
    const of = (channel) => 255 * brightnessOf(input, pixels[n * input.channels + (channel % input.channels)]);
    image.data.set([of(0), of(1), of(2), input.channels === 4 ? of(3) : 255], 4 * n);
  }
  context.putImageData(image, 0, 0);
}

// Strokes as they were drawn, or a picture that was opened.
function showPaper(canvas, opened, strokes, input) {
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (opened) {
    context.imageSmoothingEnabled = false;
    context.drawImage(opened, 0, 0, canvas.width, canvas.height);
    return;
  }
  if (!strokes.length && input.kind === "grey") {
    context.fillStyle = `rgb(${colour("--ink-2")})`;
    context.font = "34px system-ui, sans-serif";
    context.textAlign = "center";
    context.fillText("draw here", canvas.width / 2, canvas.height / 2);
  }
  context.lineWidth = input.strokes ? input.strokes.pen * canvas.height : 0;
  context.strokeStyle = `rgb(${colour("--ink")})`;
  context.lineCap = context.lineJoin = "round";
  for (const stroke of strokes) {
    context.beginPath();
    for (const [x, y] of [stroke[0], ...stroke]) context.lineTo(x * canvas.height, y * canvas.height);
    context.stroke();
  }
}
