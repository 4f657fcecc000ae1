// What a network answered, as words, bars and pictures of each layer's outputs.

const whole = new Intl.NumberFormat("en");

function showAnswer(root, pad, { layers, scores, decision, by }) {
  const said = root.querySelector(".said");
  const [name, ...rest] = words(pad, scores, decision);
  said.replaceChildren(Object.assign(document.createElement("b"), { textContent: name }), ...rest);
  root.querySelector(".bars").replaceChildren(...bars(pad, scores, decision));
  root.querySelector(".by").textContent = by;
  const bits = root.querySelector(".bits");
  if (layers && !bits.childElementCount) {
    for (const layer of pad.layers) {
      const figure = document.createElement("figure");
      const canvas = Object.assign(document.createElement("canvas"), { role: "img" });
      canvas.setAttribute("aria-label", `Outputs of ${layer}`);
      figure.append(canvas, document.createElement("figcaption"));
      bits.append(figure);
    }
  }
  (layers ?? []).forEach((output, n) => showLayer(bits.children[n], pad.layers[n], output));
}

// The classes in the order of their scores, a tie to the lower.
const ranking = (scores) => scores.map((_, n) => n).sort((a, b) => scores[b] - scores[a] || a - b);

function words(pad, scores, decision) {
  if (pad.decision === "argmax") {
    const [best, next] = ranking(scores);
    const margin = scores[best] - scores[next];
    return [pad.labels[best], margin ? `${whole.format(margin)} above ${pad.labels[next]}` : `a tie with ${pad.labels[next]}`];
  }
  if (scores.length === 1) return [pad.labels[decision], `score ${whole.format(scores[0])}`];
  const on = pad.labels.filter((_, n) => decision[n]);
  return [on.join(", ") || "none", `${on.length} of ${scores.length} labels`];
}

function bars(pad, scores, decision) {
  const argmax = pad.decision === "argmax";
  const shown = scores.length > 16 ? ranking(scores).slice(0, 12) : scores.map((_, n) => n);
  const low = argmax ? Math.min(...scores) : 0;
  const high = argmax ? Math.max(...scores) : Math.max(...scores.map(Math.abs));
  return shown.map((n) => {
    const bar = document.createElement("li");
    const name = scores.length > 1 || argmax ? pad.labels[n] : "score";
    bar.className = (argmax ? n === decision : scores[n] >= 0) ? "best" : "";
    const part = high > low ? (argmax ? scores[n] - low : Math.abs(scores[n])) / (high - low) : 0;
    const texts = [name, "", whole.format(scores[n])];
    bar.append(...texts.map((text, place) =>
      Object.assign(document.createElement(place === 1 ? "i" : "span"), { textContent: text })));
    bar.children[0].title = name;
    bar.children[1].style.setProperty("--part", `${Math.round(2 + 98 * part)}%`);
    return bar;
  });
}

// An output as cells: a vector in rows of 32, of an image one tile per channel.
function showLayer(figure, name, { shape, data, bits }) {
  const [canvas, caption] = figure.children;
  const image = shape.length === 3 && shape[0] * shape[1] > 1;
  const [height, width, channels] = image ? shape : [1, 1, data.length];
  const across = image ? Math.max(1, Math.min(channels, Math.floor(260 / (width + 1)), Math.ceil(Math.sqrt(2 * channels))))
    : Math.min(channels, 32);
  const gap = image ? 1 : 0;
  canvas.width = across * (width + gap);
  canvas.height = Math.ceil(channels / across) * (height + gap);
  canvas.style.width = `${canvas.width * Math.max(1, Math.min(8, Math.floor(280 / canvas.width)))}px`;
  const [on, off] = [colour("--fill"), colour("--track")];
  const low = Math.min(0, ...[data.reduce((a, b) => Math.min(a, b))]);
  const high = bits ? 1 : Math.max(low + 1, data.reduce((a, b) => Math.max(a, b)));
  const picture = canvas.getContext("2d").createImageData(canvas.width, canvas.height);
  for (let n = 0; n < data.length; n++) {
    const channel = n % channels;
    const place = Math.floor(n / channels);
    const row = Math.floor(channel / across) * (height + gap) + Math.floor(place / width);
    const column = (channel % across) * (width + gap) + (place % width);
    const part = (data[n] - low) / (high - low);
    const at = 4 * (row * canvas.width + column);
    for (let c = 0; c < 3; c++) picture.data[at + c] = off[c] + part * (on[c] - off[c]);
    picture.data[at + 3] = 255;
  }
  canvas.getContext("2d").putImageData(picture, 0, 0);
  caption.textContent = `${name} · ` + (bits
    ? `${whole.format(data.reduce((a, b) => a + b))} of ${whole.format(data.length)} bits on`
    : `${whole.format(data.length)} numbers, ${whole.format(low)} … ${whole.format(high)}`);
}
