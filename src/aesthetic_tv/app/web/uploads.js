/** Photos that come from the person: to be scored, or to be added; and ratings from before. */

import { find, howMany, make } from "./dom.js";
import { attempt, toast } from "./toast.js";

const AT_ONCE = 10; // files in one request, at most
const SHOWN_REASONS = 5;

export class Uploads {
  /**
   * @param {import("./album.js").Album} album
   * @param {import("./asking.js").Asking} asking
   * @param {import("./api.js").Api} api
   * @param {(state: import("./api.js").State) => void} arrived
   */
  constructor(album, asking, api, arrived) {
    Object.assign(this, { album, asking, api, arrived });
    this.#accept("score", (files) => this.#score(files));
    this.#accept("add", (files) => this.#add(files));
    this.#accept("load", (files) => this.#load(files));
  }

  /** @param {{uploads: boolean, limits: string}} settings */
  begin({ uploads, limits }) {
    find("add-photos").hidden = !uploads;
    for (const id of ["add-limits", "score-limits"]) find(id).textContent = limits;
  }

  get #asked() {
    return { mode: this.asking.mode, scope: this.asking.scope };
  }

  /** A field for files takes them from the dialog, and dropped. */
  #accept(name, take) {
    const field = find(`${name}-files`);
    const zone = field.closest("label");
    field.addEventListener("change", async () => {
      const files = [...field.files];
      if (files.length) await attempt(field, () => take(files));
      field.value = "";
    });
    for (const kind of ["dragover", "dragleave", "drop"]) {
      zone.addEventListener(kind, (event) => {
        event.preventDefault();
        zone.classList.toggle("over", kind === "dragover");
      });
    }
    zone.addEventListener("drop", (event) => {
      const files = [...event.dataTransfer.files];
      if (files.length) attempt(field, () => take(files));
    });
  }

  /** A few files in each request; what was refused comes back by name. */
  async #inParts(path, files, progress, take) {
    const refused = [];
    for (let i = 0; i < files.length; i += AT_ONCE) {
      progress.textContent = `${i} of ${files.length} …`;
      const query = i ? { ...this.#asked, more: 1 } : this.#asked;
      const reply = await this.api.upload(path, files.slice(i, i + AT_ONCE), query);
      refused.push(...(reply.refused ?? []));
      take(reply);
    }
    return refused;
  }

  async #score(files) {
    const note = find("score-note");
    const scored = [];
    let text = "";
    const refused = await this.#inParts("api/score", files, note, (reply) => {
      scored.push(...reply.scored);
      text = reply.text;
    });
    scored.sort((a, b) => b.stars - a.stars);
    const whole = files.length > AT_ONCE ? `${howMany(scored.length, "photo")} scored.` : text;
    tell(note, whole, refused);
    find("scored").replaceChildren(...scored.map(scoredCell));
  }

  async #add(files) {
    let added = 0;
    const refused = await this.#inParts("api/photos", files, find("add-note"), (reply) => {
      added += reply.added.length;
      this.album.add(reply.added);
      this.arrived(reply.state);
    });
    tell(find("add-note"), `${howMany(added, "photo")} added.`, refused);
  }

  async #load(files) {
    const { text, state, kept } = await this.api.upload("api/load", files, this.#asked);
    find("load-note").textContent = text;
    toast(text);
    this.asking.settle();
    this.arrived({ ...state, kept });
  }
}

function tell(note, text, refused) {
  const reasons = refused.slice(0, SHOWN_REASONS);
  const more = refused.length - reasons.length;
  if (more > 0) reasons.push(`and ${more} more`);
  note.replaceChildren(text);
  if (!reasons.length) return;
  const list = make("ul", {}, ...reasons.map((reason) => make("li", { textContent: reason })));
  note.append(make("strong", { textContent: " Not taken:" }), list);
}

function scoredCell({ view, name, stars, above }) {
  const place = above === null ? "" : `better than ${Math.round(100 * above)} % of the album`;
  const large = make("a", { href: `${view}/1600.jpg`, target: "_blank", rel: "noopener" });
  large.append(make("img", { src: `${view}/320.jpg`, alt: name, loading: "lazy" }));
  large.dataset.view = view;
  return make(
    "li",
    {},
    large,
    make("strong", { textContent: stars === null ? "" : `${stars.toFixed(1)} ★` }),
    make("span", { className: "scored-name", textContent: name, title: name }),
    make("small", { textContent: place }),
  );
}
