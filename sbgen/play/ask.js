// The page of `sbgen play`: the pad, answered by its server.

// An output as the server packs it, as in network.js.
function unpackedOutput({ shape, bits, data }) {
  if (bits) return { shape, bits, data: unpacked(data, volume(shape)) };
  const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
  return { shape, bits, data: Float64Array.from(new BigInt64Array(bytes.buffer), Number) };
}

function startPlay(pad, token) {
  const by = document.querySelector("#by");
  const measure = document.querySelector("#measure");
  let pixels = null;

  async function post(path) {
    const response = await fetch(`/${path}?token=${token}&by=${by.value}`, { method: "POST", body: pixels });
    const type = response.headers.get("content-type") ?? "";
    const content = type.startsWith("application/json") ? await response.json() : { error: await response.text() };
    if (!response.ok) throw new Error(content.error);
    return content;
  }

  async function answer(asked) {
    pixels = asked;
    const name = by.selectedOptions[0].textContent;
    const found = await post("answer");
    const verdict = found.equal ? "every score is the reference's" : "NOT the scores of the reference";
    return {
      layers: found.layers.map(unpackedOutput),
      scores: found.scores,
      decision: found.decision,
      by: `${name}, ${(1000 * found.seconds).toFixed(1)} ms: ${verdict}`,
    };
  }

  const started = startPad(document.querySelector(".pad"), pad, answer);
  by.addEventListener("change", () => started.ask());

  // Measured again and again until the button is released.
  async function rates() {
    const shown = document.querySelector("#rate");
    while (measure.ariaPressed === "true") {
      try {
        const { images, seconds } = await post("rate");
        shown.textContent = `${whole.format(Math.round(images / seconds))} images per second`;
      } catch (error) {
        shown.textContent = error.message;
        measure.ariaPressed = "false";
      }
    }
  }
  measure.addEventListener("click", () => {
    measure.ariaPressed = String(measure.ariaPressed !== "true");
    if (measure.ariaPressed === "true") rates();
  });
  return started;
}
