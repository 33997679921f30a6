/** What the person takes home: stars in the files, the best photos, tables, and the taste itself. */

import { find, howMany, make } from "./dom.js";
import { attempt, toast } from "./toast.js";

const CHECK = 2000; // milliseconds until files that are being made are asked for again

export class KeepView {
  #plan = null;
  #downloads = "";

  /** @param {import("./api.js").Api} api */
  constructor(api) {
    this.api = api;
    const forms = {
      "stars-form": () => this.#planStars(),
      "best-form": () => this.#planBest(),
      "push-form": () => this.#push(),
    };
    for (const [id, action] of Object.entries(forms)) {
      find(id).addEventListener("submit", (event) => {
        event.preventDefault();
        attempt(event.submitter, action);
      });
    }
    const writes = { "stars-write": () => this.#writeStars(), "best-write": () => this.#writeBest() };
    for (const [id, action] of Object.entries(writes)) {
      find(id).addEventListener("click", () => attempt(find(id), action));
    }
    for (const form of [find("stars-form"), find("best-form")]) {
      form.addEventListener("input", () => this.#forget());
    }
    for (const id of ["best-count", "best-what"]) {
      find(id).addEventListener("input", () => this.#aimZip());
    }
    find("stars-spread").addEventListener("change", () => this.#showShares());
  }

  /**
   * @param {{downloads: string, album: {samples: boolean},
   *   settings: {local: boolean, hub: boolean, signed_in: string|null}}} entered
   */
  begin({ downloads, album, settings }) {
    const { local, hub, signed_in: signedIn } = settings;
    this.#downloads = downloads;
    find("stars-card").hidden = find("best-folder").hidden = !local || album.samples;
    find("sign-in").hidden = !hub || Boolean(signedIn);
    find("sign-out").hidden = !hub || !signedIn;
    find("sign-out").textContent = `Sign out ${signedIn ?? ""}`;
    find("push-form").hidden = hub && !signedIn;
    this.#aimZip();
    this.#showShares();
  }

  async show() {
    const reply = await attempt(null, () => this.api.get("api/files"));
    if (!reply || find("keep").hidden) return;
    find("files-text").textContent = reply.text;
    find("files").replaceChildren(
      ...reply.files.map(({ name, url, what }) =>
        make("li", {}, make("a", { href: url, download: name, textContent: name }), make("small", { textContent: what })),
      ),
    );
    find("files-making").hidden = !reply.making;
    if (reply.making) setTimeout(() => find("keep").hidden || this.show(), CHECK);
  }

  #forget() {
    this.#plan = null;
    for (const id of ["stars-plan", "best-plan"]) find(id).hidden = true;
  }

  // Stars in the files.

  #showShares() {
    find("stars-shares").hidden = find("stars-spread").value !== "shares";
  }

  #wishedStars() {
    const spread = find("stars-spread").value;
    return {
      spread: spread === "shares" ? find("shares").value : spread,
      overwrite: find("stars-overwrite").checked,
    };
  }

  async #planStars() {
    const plan = await this.api.post("api/stars", { ...this.#wishedStars(), write: false });
    this.#plan = plan.plan;
    find("stars-plan").hidden = false;
    find("stars-text").textContent = plan.text;
    find("stars-rows").replaceChildren(...plan.rows.map(starsRow));
    find("stars-table").hidden = !plan.rows.length;
    listProblems(find("stars-problems"), plan.problems);
    find("stars-write").hidden = !plan.changed;
    find("stars-write").textContent = `Write the stars of ${howMany(plan.changed, "photo")}`;
    find("stars-undo").replaceChildren();
  }

  async #writeStars() {
    const wish = { ...this.#wishedStars(), write: true, plan: this.#plan };
    const { text, undo, problems } = await this.api.post("api/stars", wish);
    find("stars-text").textContent = text;
    find("stars-table").hidden = find("stars-write").hidden = true;
    listProblems(find("stars-problems"), problems);
    if (!undo) return;
    const button = make("button", { type: "button", textContent: "Undo: as it was before" });
    button.addEventListener("click", () => attempt(button, () => this.#undoStars(undo)));
    find("stars-undo").replaceChildren(button);
  }

  async #undoStars(undo) {
    const { text } = await this.api.post("api/stars/undo", { undo });
    find("stars-text").textContent = text;
    find("stars-undo").replaceChildren();
  }

  // The best.

  #aimZip() {
    const query = new URLSearchParams({ count: find("best-count").value, what: find("best-what").value });
    find("best-zip").href = `${this.#downloads}/best.zip?${query}`;
    find("best-count").disabled = find("best-what").value === "picks";
  }

  #wishedBest() {
    return {
      count: Number(find("best-count").value),
      what: find("best-what").value,
      to: find("best-to").value,
      link: find("best-link").checked,
    };
  }

  async #planBest() {
    const { text, names, problems } = await this.api.post("api/best", { ...this.#wishedBest(), write: false });
    find("best-plan").hidden = false;
    listProblems(find("best-problems"), problems);
    find("best-text").textContent = text;
    find("best-names").replaceChildren(...names.map((name) => make("li", { textContent: name })));
    find("best-write").hidden = !names.length;
    find("best-write").textContent = `Copy ${howMany(names.length, "photo")}`;
  }

  async #writeBest() {
    const { text, problems } = await this.api.post("api/best", { ...this.#wishedBest(), write: true });
    find("best-text").textContent = text;
    listProblems(find("best-problems"), problems);
    find("best-write").hidden = true;
    toast(text);
  }

  // The Hub.

  async #push() {
    find("pushed").replaceChildren("Pushing …");
    try {
      const wish = { repo: find("repo").value, private: find("private").checked };
      const { url, code, notes } = await this.api.post("api/push", wish);
      const link = make("a", { href: url, target: "_blank", rel: "noopener", textContent: url });
      const more = [notes ?? []].flat().map((note) => make("p", { textContent: note }));
      find("pushed").replaceChildren(
        make("p", {}, "Pushed: ", link),
        make("pre", { textContent: code }),
        ...more,
      );
    } catch (error) {
      find("pushed").replaceChildren(error.message);
      throw error;
    }
  }
}

const REJECTED = -1;

function starsRow([name, before, after, files]) {
  const inWords = (stars) => (stars === REJECTED ? "rejected" : stars ? `${stars} ★` : "–");
  const cells = [name, inWords(before), inWords(after), [files].flat().join(", ")].map((text) =>
    make("td", { textContent: text, title: text }),
  );
  return make("tr", {}, ...cells);
}

function listProblems(list, problems) {
  list.replaceChildren(...(problems ?? []).map((text) => make("li", { textContent: text })));
}
