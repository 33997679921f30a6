/** What the person is asked and what they say: one answer after the other, at any speed. */

import { Track } from "./track.js";

/**
 * @typedef {import("./track.js").Item} Item
 * @typedef {import("./album.js").Before} Before
 * @typedef {{answer: any, item: Item, before: Before[], track: Track}} Said
 */

const keyOf = (item) => [...item].sort().join("/");

export class Asking extends EventTarget {
  /** @type {"stars"|"pairs"} */
  mode = "stars";
  /** @type {"all"|"own"} */
  scope = "all";
  /** @type {{ids: string[], at: number}|null} photos of the grid that are looked at, one by one */
  walk = null;
  /** @type {Said[]} */
  #history = [];
  /** @type {[string, any][]} said while nothing was there to say it of */
  #waiting = [];
  /** @type {Set<string>} */
  #compared = new Set();
  /** @type {Map<string, Track>} */
  #tracks = new Map();
  #undoneUnseen = false;
  #settled = 0; // what was said up to there is the server's to undo

  /**
   * @param {import("./album.js").Album} album
   * @param {import("./queue.js").Queue} queue
   */
  constructor(album, queue) {
    super();
    this.album = album;
    this.queue = queue;
  }

  get track() {
    return this.#trackOf(this.mode, this.scope);
  }

  /** @returns {Item|null} */
  get current() {
    return this.walk ? [this.walk.ids[this.walk.at]] : this.track.current;
  }

  /** Whether there may be more to ask when the server has answered. */
  get isWaiting() {
    return !this.current && this.queue.length > 0;
  }

  get canUndo() {
    return this.#history.length > this.#settled || Boolean(this.album.state?.can_undo);
  }

  /** @param {number} count @returns {Item[]} the next ones, to be loaded ahead */
  next(count) {
    if (!this.walk) return this.track.next(count);
    return this.walk.ids.slice(this.walk.at + 1, this.walk.at + 1 + count).map((id) => [id]);
  }

  /** @param {number} count @returns {string[]} photos that were answered last, newest first */
  recent(count) {
    const shown = this.#history.map(({ answer }) => answer.photo ?? answer.better ?? answer.photos[0]);
    return [...new Set(shown.reverse())].slice(0, count);
  }

  /**
   * The server's word on what to ask next.
   * @param {(string|string[])[]} ahead
   * @param {string} mode that it was asked for
   * @param {string} scope
   */
  take(ahead, mode, scope) {
    const offered = ahead.map((item) => [item].flat());
    const track = this.#trackOf(mode, scope);
    if (this.#undoneUnseen && offered.length && !this.queue.length) {
      this.#undoneUnseen = false;
      track.insert(offered[0]);
    }
    track.take(offered);
    while (this.#waiting.length && this.current) this.act(...this.#waiting.shift());
    if (!this.isWaiting) this.#waiting = [];
    this.#changed();
  }

  /**
   * Do what a key or a button says, now or as soon as there is a photo to do it with.
   * @param {"rate"|"clear"|"flag"|"skip"|"choose"} what
   * @param {any} [value]
   */
  act(what, value) {
    if (this.isWaiting) {
      this.#waiting.push([what, value]);
      return;
    }
    const item = this.current;
    if (!item) return;
    const isPair = item.length === 2;
    if (what === "skip") this.#say({ do: "skip", photos: item }, true);
    else if (what === "choose" && isPair) {
      const [better, worse] = value === "left" ? item : [...item].reverse();
      this.#say({ do: "better", better, worse }, true);
    } else if (!isPair && what === "rate") this.rate(item[0], value, true);
    else if (!isPair && what === "clear") this.rate(item[0], null, false);
    else if (!isPair && what === "flag") this.flag(item[0], value, true);
  }

  /**
   * @param {string} photo
   * @param {number|null} stars `null` takes them away
   * @param {boolean} [goOn] to the next one
   */
  rate(photo, stars, goOn = false) {
    if (stars !== null) this.#say({ do: "rate", photo, stars }, goOn);
    else if (this.album.ratings.has(photo)) this.#say({ do: "clear", photo }, false);
  }

  /**
   * Pick or reject; once more takes it back.
   * @param {string} photo
   * @param {"pick"|"reject"} flag
   * @param {boolean} [goOn]
   */
  flag(photo, flag, goOn = false) {
    const back = this.album.flags.get(photo) === flag;
    this.#say({ do: back ? "unflag" : flag, photo }, goOn && !back);
  }

  undo() {
    if (this.#waiting.pop()) return;
    const last = this.#history.length > this.#settled ? this.#history.pop() : null;
    if (last) {
      this.#compared.delete(keyOf(last.item));
      this.#send({ do: "undo", back: last.before });
      if (!this.#walkTo(last.item[0])) last.track.insert(last.item);
    } else if (this.album.state?.can_undo) {
      this.#undoneUnseen = true; // said before this page was there: the server knows what it was
      this.#send({ do: "undo" });
    }
    this.#changed();
  }

  /** Something was said elsewhere, or the visit is a new one: what to undo, the server knows. */
  settle() {
    this.#settled = this.#history.length;
  }

  /** @param {1|-1} step along what was shown, or along the photos of the grid */
  move(step) {
    const { walk, track } = this;
    if (walk) walk.at = Math.min(Math.max(walk.at + step, 0), walk.ids.length - 1);
    else if (step > 0) track.forward();
    else track.back();
    this.#changed();
  }

  /**
   * Look at photos one by one.
   * @param {string[]} ids
   * @param {number} at the first to be looked at
   */
  open(ids, at) {
    this.walk = { ids, at };
    this.#changed();
  }

  close() {
    this.walk = null;
    this.#changed();
  }

  /**
   * @param {"stars"|"pairs"} mode
   * @param {"all"|"own"} scope
   */
  ask(mode, scope) {
    Object.assign(this, { mode, scope, walk: null });
    this.#waiting = [];
    this.#changed();
  }

  #say(answer, goOn) {
    const { track } = this;
    const item = answer.photo ? [answer.photo] : this.current;
    if (item.length === 2) this.#compared.add(keyOf(item));
    this.#history.push({ answer, item, before: this.#send(answer), track });
    if (goOn && !this.walk) track.advance();
    this.#changed();
  }

  #send(answer) {
    const before = this.album.change(answer);
    this.queue.add(answer);
    return before;
  }

  #walkTo(photo) {
    const at = this.walk ? this.walk.ids.indexOf(photo) : -1;
    if (at >= 0) this.walk.at = at;
    return Boolean(this.walk);
  }

  #trackOf(mode, scope) {
    const key = `${mode} ${scope}`;
    if (!this.#tracks.has(key)) this.#tracks.set(key, new Track((item) => this.#isAnswered(item)));
    return this.#tracks.get(key);
  }

  #isAnswered = (item) =>
    item.length === 2 ? this.#compared.has(keyOf(item)) : this.album.isAnswered(item[0]);

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
