/** The album and what the person said of it, as this page knows it: ahead of the server's word. */

/**
 * @typedef {import("./api.js").Photo} Photo
 * @typedef {import("./api.js").Answer} Answer
 * @typedef {{photo: string, stars: number|null, flag: string|null, passed: boolean}} Before
 */

export class Album extends EventTarget {
  /** @type {Map<string, Photo>} */
  photos = new Map();
  /** @type {Map<string, number>} */
  ratings = new Map();
  /** @type {Map<string, string>} */
  flags = new Map();
  /** @type {Set<string>} */
  passed = new Set();
  /** @type {import("./api.js").State|null} */
  state = null;
  /** @type {import("./api.js").Ranking|null} */
  ranking = null;
  /** @type {Map<string, number>} place of each photo in the ranking, from 0 */
  places = new Map();

  /** @param {Photo[]} photos */
  begin(photos) {
    this.photos.clear();
    this.add(photos);
  }

  /** @param {Photo[]} photos */
  add(photos) {
    for (const photo of photos) this.photos.set(photo.id, photo);
    this.#tell("photos");
  }

  /**
   * The server's word, and on top of it what has not arrived there.
   * @param {import("./api.js").State} state
   * @param {Answer[]} pending
   */
  take(state, pending) {
    this.state = state;
    this.ratings = new Map(Object.entries(state.ratings));
    this.flags = new Map(Object.entries(state.flags));
    this.passed = new Set(state.passed);
    for (const answer of pending) this.#apply(answer);
    this.#tell("state");
  }

  /** @param {import("./api.js").Ranking} ranking */
  rank(ranking) {
    this.ranking = ranking;
    this.places = new Map(ranking.ids.map((id, place) => [id, place]));
    this.#tell("ranking");
  }

  /**
   * Say something, at once.
   * @param {Omit<Answer, "seq">} answer
   * @returns {Before[]} how it was before
   */
  change(answer) {
    const before = this.#touched(answer).map((photo) => this.#now(photo));
    this.#apply(answer);
    this.#tell("answers");
    return before;
  }

  /** @param {string} id */
  isAnswered(id) {
    return this.ratings.has(id) || this.flags.has(id) || this.passed.has(id);
  }

  /**
   * The stars that the app shows for a photo, spread over 1 to 5, and how it got its place.
   * @param {string} id
   * @returns {{stars: number|null, sure: number, move: number}|null} `move`: places gained
   */
  place(id) {
    const place = this.places.get(id);
    if (place === undefined || !this.ranking) return null;
    const { generic, order_known: known, stars, sure } = this.ranking;
    const move = known && generic?.[place] != null ? generic[place] - (place + 1) : 0;
    return { stars: stars?.[place] ?? null, sure: sure?.[place] ?? 0.5, move };
  }

  #touched = (answer) => (answer.do === "undo" ? [] : (answer.photos ?? [answer.photo]).filter(Boolean));

  /** @returns {Before} */
  #now(photo) {
    return {
      photo,
      stars: this.ratings.get(photo) ?? null,
      flag: this.flags.get(photo) ?? null,
      passed: this.passed.has(photo),
    };
  }

  #apply(answer) {
    const { photo } = answer;
    if (answer.do === "rate") {
      this.ratings.set(photo, answer.stars);
      this.passed.delete(photo);
    } else if (answer.do === "clear") this.ratings.delete(photo);
    else if (answer.do === "pick" || answer.do === "reject") this.flags.set(photo, answer.do);
    else if (answer.do === "unflag") this.flags.delete(photo);
    else if (answer.do === "skip" && answer.photos.length === 1) this.passed.add(answer.photos[0]);
    else if (answer.do === "undo") for (const before of answer.back ?? []) this.#restore(before);
  }

  /** @param {Before} before */
  #restore({ photo, stars, flag, passed }) {
    const put = (map, value) => (value === null ? map.delete(photo) : map.set(photo, value));
    put(this.ratings, stars);
    put(this.flags, flag);
    if (passed) this.passed.add(photo);
    else this.passed.delete(photo);
  }

  #tell(what) {
    this.dispatchEvent(new Event(what));
  }
}
