// A board at a serial port that the browser opens (WebSerial).

const TRIES = 4;
const PATIENCE_MS = 1000;

class SerialBoard {
  #port;
  #reader;
  #frames = new FrameReader();
  #waiting = null;
  #sequence = 0;
  #gone = false;

  // Asks the user for a port, opens it and asks the board who it is. `digest` is that of the network in the page.
  static async connect({ baud, digest }) {
    const board = new SerialBoard();
    board.#port = await navigator.serial.requestPort();
    await board.#port.open({ baudRate: baud, bufferSize: 1 << 16 });
    board.#listen();
    try {
      await board.#send(Uint8Array.of(END)); // ends what the line may have held
      board.identity = parsedIdentity(await board.#ask(IDENTIFY, []));
      if (board.identity.digest !== digest.slice(0, 16)) {
        throw new Error(`the board must run the network of this page, ${digest.slice(0, 16)}…, but runs ` +
          `${board.identity.digest}…; load its bitstream`);
      }
      if (!board.identity.loaded) throw new Error("the board must have loaded its weights from its flash; write it again");
    } catch (error) {
      await board.close();
      throw error;
    }
    return board;
  }

  // The scores and the decision of one image.
  async classify(pixels) {
    const payload = [WANT_ALL, ...packedImage(this.identity, pixels)];
    return parsedScores(this.identity, await this.#ask(CLASSIFY, payload));
  }

  async close() {
    this.#gone = true;
    await this.#reader?.cancel().catch(() => {});
    await this.#port.close().catch(() => {});
  }

  async #listen() {
    this.#reader = this.#port.readable.getReader();
    try {
      for (;;) {
        const { value, done } = await this.#reader.read();
        if (done) break;
        for (const frame of this.#frames.feed(value)) this.#waiting?.(frame);
      }
    } catch {
      // Unplugged: whoever asks next is told.
    }
    this.#gone = true;
    this.#reader.releaseLock();
  }

  async #send(bytes) {
    const writer = this.#port.writable.getWriter();
    try {
      await writer.write(bytes);
    } finally {
      writer.releaseLock();
    }
  }

  // The payload of the answer. Each try has a number of its own, and only its answer counts.
  async #ask(command, payload) {
    const trouble = [];
    for (let n = 0; n < TRIES; n++) {
      if (this.#gone) throw new Error("the board must stay plugged in, but its port has ended; connect it again");
      this.#sequence = (this.#sequence + 1) % 256;
      const sequence = this.#sequence;
      const answer = new Promise((resolve) => {
        this.#waiting = (frame) => { if (frame.sequence === sequence) resolve(frame); };
      });
      const late = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS));
      await this.#send(encodedFrame(command, sequence, payload));
      const frame = await Promise.race([answer, late]);
      if (frame?.command === (command | RESPONSE)) return frame.payload;
      trouble.push(frame === undefined ? "nothing" : frame.command === FAILURE ? REASONS[frame.payload[0]] : "another");
    }
    throw new Error(`the board must answer, but ${TRIES} requests led to: ${trouble.join(", ")}; check that its ` +
      "bitstream is loaded, and press its reset");
  }
}

// Connects a button: while a board is there, it answers, and each score is compared with the page's.
function offerBoard(button, settings, started, here) {
  let board = null;
  button.hidden = !("serial" in navigator);
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      if (board) {
        await board.close();
        board = null;
      } else {
        board = await SerialBoard.connect(settings);
      }
      started.note("");
    } catch (error) {
      // A user who chooses no port has said so.
      if (error.name !== "NotFoundError") started.note(error.message);
    }
    button.textContent = board ? "Ask this page again" : "Ask the board";
    button.disabled = false;
    started.ask();
  });
  return async (pixels) => {
    if (!board) return here(pixels);
    const wanted = here(pixels);
    const began = performance.now();
    const { scores, decision } = await board.classify(pixels);
    const took = (performance.now() - began).toFixed(1);
    const equal = wanted.scores.every((score, n) => score === scores[n]) && String(decision) === String(wanted.decision);
    const verdict = equal ? "every score is that of this page" : "NOT the scores of this page";
    return { layers: wanted.layers, scores, decision, by: `the board, ${took} ms: ${verdict}` };
  };
}
