/** The server, as functions. What is said here is said in words by `Refused` and `Offline`. */

/**
 * @typedef {{id: string, name: string, view: string, time: number|null, width: number|null,
 *   height: number|null, raw: boolean, own: boolean}} Photo
 * @typedef {{seq: number, do: string, photo?: string, stars?: number, better?: string,
 *   worse?: string, photos?: string[]}} Answer
 * @typedef {{version: any, done_seq: number, ahead: (string|string[])[], ratings: Record<string, number>,
 *   flags: Record<string, "pick"|"reject">, passed: string[], pairs: number, can_undo: boolean,
 *   standing: {level: string, text: string, bar: number, verdict: string,
 *     details: [string, string][]},
 *   looking: {done: number, total: number, text: string, working: boolean},
 *   broken: Record<string, string>, unsaved: string, ranking: any, facts: number,
 *   found_stars: {count: number, text: string}|null, refused?: [number, string][], kept?: any}} State
 * @typedef {{version: any, ids: string[], stars: number[], sure: number[], generic: number[],
 *   order_known: boolean, stacks: string[][]}} Ranking
 */

/** The server does not want to; its sentence is the message. */
export class Refused extends Error {
  /** @param {number} status @param {{error?: string}} reply */
  constructor(status, reply) {
    super(reply.error ?? `The app failed at this (${status}).`);
    Object.assign(this, { status, reply });
  }
}

/** Nothing was heard of the server. */
export class Offline extends Error {
  constructor() {
    super("The app does not answer. Your answers are kept here, and sent as soon as it does.");
  }
}

const GONE = 410;

const withQuery = (path, query) =>
  Object.keys(query).length ? `${path}?${new URLSearchParams(query)}` : path;

export class Api {
  #token = "";

  /** Called when the server has forgotten this visit; has to enter again. */
  onGone = async () => {};

  /** @param {any} kept what the browser has kept of this person */
  async enter(kept) {
    const reply = await this.#once("api/enter", { json: { kept } });
    this.#token = reply.token;
    return reply;
  }

  /** @returns {Promise<State>} */
  answers(mode, scope, answers) {
    // A forgotten visit is the queue's to mend: it numbers what is unanswered anew.
    return this.#once("api/answers", { json: { mode, scope, answers } });
  }

  /** The page is left. */
  leave() {
    fetch("api/leave", { method: "POST", headers: { "X-Visit": this.#token }, keepalive: true });
  }

  /** @returns {Promise<State|null>} `null` when nothing changed */
  state = (mode, scope, since) => this.get("api/state", { mode, scope, since });

  /** @param {string} path @param {Record<string, any>} [query] */
  get(path, query = {}) {
    return this.#again(withQuery(path, query), {});
  }

  /** @param {string} path @param {any} json */
  post = (path, json = {}) => this.#again(path, { json });

  /** @param {string} path @param {Iterable<File>} files @param {Record<string, any>} [query] */
  upload(path, files, query = {}) {
    const form = new FormData();
    for (const file of files) form.append("files", file);
    return this.#again(withQuery(path, query), { form });
  }

  async #again(path, body) {
    try {
      return await this.#once(path, body);
    } catch (error) {
      if (error.status !== GONE) throw error;
      await this.onGone();
      return this.#once(path, body);
    }
  }

  async #once(path, { json, form }) {
    const headers = { "X-Visit": this.#token };
    if (json) headers["Content-Type"] = "application/json";
    const body = json ? JSON.stringify(json) : form;
    let response;
    try {
      response = await fetch(path, { method: body ? "POST" : "GET", headers, body });
    } catch {
      throw new Offline();
    }
    if (response.status === 204) return null;
    if (response.ok) return response.json();
    if ([502, 503, 504].includes(response.status)) throw new Offline();
    throw new Refused(response.status, await response.json().catch(() => ({})));
  }
}
