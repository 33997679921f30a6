/** Answers on their way to the server: none is lost, none is done twice, and they stay in order. */

/** @typedef {import("./api.js").Answer} Answer */

const BATCH = 40;
const GONE = 410;
const GAP = 409;
const WAITS = [0.4, 1, 2, 4, 8]; // seconds before the next try

export class Queue {
  /** @type {Answer[]} said, and not known to have arrived */
  pending = [];
  #last = 0;
  #sending = false;
  #failed = 0;

  /**
   * @param {object} wires
   * @param {(answers: Answer[]) => Promise<import("./api.js").State>} wires.send
   * @param {(state: import("./api.js").State) => void} wires.arrived
   * @param {() => Promise<void>} wires.enter where the visit is gone; calls `begin`
   * @param {(pending: Answer[]) => void} wires.changed
   * @param {(error: Error) => void} wires.trouble
   */
  constructor(wires) {
    this.wires = wires;
  }

  get length() {
    return this.pending.length;
  }

  /** @param {Omit<Answer, "seq">} answer */
  add(answer) {
    this.pending.push({ ...answer, seq: ++this.#last });
    this.wires.changed(this.pending);
    this.send();
  }

  /**
   * A visit has begun: what did not arrive before is said in it.
   * @param {number} done the last number that the server knows
   * @param {Answer[]} [before] what an earlier page did not get through
   */
  begin(done, before = []) {
    this.#number([...before, ...this.pending], done);
    this.send();
  }

  /** Send all there is, in order; one request at a time. */
  async send() {
    if (this.#sending) return;
    this.#sending = true;
    while (this.pending.length) await this.#round();
    this.#sending = false;
  }

  async #round() {
    try {
      const state = await this.wires.send(this.pending.slice(0, BATCH));
      this.#failed = 0;
      this.#drop(state.done_seq);
      this.wires.arrived(state);
    } catch (error) {
      // Asked for again with the same numbers: what was done already is not done twice.
      await this.#recover(error).catch((again) => this.#wait(again));
    }
  }

  async #recover(error) {
    if (error.status === GONE) await this.wires.enter();
    else if (error.status === GAP) {
      this.#drop(error.reply.done_seq);
      this.#number(this.pending, error.reply.done_seq);
    } else await this.#wait(error);
  }

  async #wait(error) {
    this.wires.trouble(error);
    const seconds = WAITS[Math.min(this.#failed++, WAITS.length - 1)];
    await new Promise((go) => setTimeout(go, 1000 * seconds));
  }

  #drop(done) {
    this.pending = this.pending.filter(({ seq }) => seq > done);
    this.wires.changed(this.pending);
  }

  #number(answers, done) {
    this.pending = answers.map((answer, i) => ({ ...answer, seq: done + 1 + i }));
    this.#last = done + answers.length;
    this.wires.changed(this.pending);
  }
}
