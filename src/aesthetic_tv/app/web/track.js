/** What was shown, what is on screen, and what comes next. */

/** @typedef {string[]} Item one photo's id, or two */

const keyOf = (item) => [...item].sort().join("/");

export class Track {
  /** @type {Item[]} shown so far, the one on screen among them */
  trail = [];
  at = 0;
  /** @type {Item[]} */
  ahead = [];

  /** @param {(item: Item) => boolean} isAnswered */
  constructor(isAnswered) {
    this.isAnswered = isAnswered;
  }

  /** @returns {Item|null} `null` when nothing is left to show */
  get current() {
    return this.trail[this.at] ?? null;
  }

  /** @param {number} count @returns {Item[]} */
  next(count) {
    return [...this.trail.slice(this.at + 1), ...this.ahead].slice(0, count);
  }

  /**
   * Take over what the server would ask. What is on screen and the one after it stay, so that
   * nothing changes under a person's fingers.
   * @param {Item[]} offered
   */
  take(offered) {
    const open = (item) => !this.isAnswered(item);
    const stays = this.ahead.slice(0, 1).filter(open);
    const rest = offered.filter(open);
    // What was passed by without an answer is asked again only when nothing else is left.
    const shown = new Set([...this.trail.filter(open), ...stays].map(keyOf));
    const here = new Set([this.current, ...stays].filter(Boolean).map(keyOf));
    const fresh = rest.filter((item) => !shown.has(keyOf(item)));
    const again = rest.filter((item) => !here.has(keyOf(item)));
    this.ahead = [...stays, ...(stays.length + fresh.length ? fresh : again)];
    if (!this.current) this.forward();
  }

  /** To the one after; stays where there is none and this one is unanswered. */
  forward() {
    if (this.at < this.trail.length - 1) this.at += 1;
    else if (this.ahead.length) {
      this.trail.push(this.ahead.shift());
      this.at = this.trail.length - 1;
    } else if (this.current && this.isAnswered(this.current)) this.at = this.trail.length;
  }

  back() {
    if (this.at > 0) this.at -= 1;
  }

  /** After an answer: to the next one that has none. */
  advance() {
    let before;
    do {
      before = this.at;
      this.forward();
    } while (this.at !== before && this.current && this.isAnswered(this.current));
  }

  /** @param {Item} item @returns {boolean} whether it is here */
  goTo(item) {
    const key = keyOf(item);
    const found = this.trail.findLastIndex((shown) => keyOf(shown) === key);
    if (found >= 0) this.at = found;
    return found >= 0;
  }

  /** Show this one now, before those ahead. @param {Item} item */
  insert(item) {
    if (!this.goTo(item)) this.trail.splice(this.at, 0, item);
  }
}
