/** What the person likes more than most, in pictures, and whether this order is the better one. */

import { facts, find, make } from "./dom.js";
import { attempt } from "./toast.js";

export class TasteView {
  #version = null;

  /**
   * @param {import("./album.js").Album} album
   * @param {import("./asking.js").Asking} asking
   * @param {import("./api.js").Api} api
   */
  constructor(album, asking, api) {
    Object.assign(this, { album, asking, api });
    album.addEventListener("state", () => this.show());
  }

  async show() {
    const { scope } = this.asking;
    const { ranking, standing } = this.album.state;
    const version = [ranking, standing.text, standing.verdict, scope].join();
    if (version === this.#version || find("taste").hidden) return;
    this.#version = version;
    await attempt(null, async () => {
      const [why, figures] = await Promise.all(
        ["api/why", "api/figures"].map((path) => this.api.get(path, { scope })),
      );
      this.#showFigures(figures);
      this.#showWhy(why);
    });
  }

  #showFigures({ ready, verdict, text, rows, pictures }) {
    find("figures-verdict").textContent = ready ? verdict : text;
    find("figures-text").textContent = text;
    find("figures-numbers").hidden = !ready;
    find("figures-rows").replaceChildren(facts(rows ?? []));
    find("figures-pictures").replaceChildren(
      ...(pictures ?? []).map((picture) =>
        make(
          "figure",
          {},
          make("img", { src: picture.url, alt: picture.text, loading: "lazy" }),
          make("figcaption", { textContent: picture.text }),
        ),
      ),
    );
  }

  #showWhy({ ready, traits, note, heat_map: heatMap }) {
    find("why-note").textContent = note ?? "";
    find("traits").replaceChildren(...(ready ? traits : []).map((trait) => this.#trait(trait)));
    find("heat-map").hidden = !heatMap;
    if (heatMap) find("heat-map-image").src = heatMap;
  }

  #trait({ name, words, liking, text, most, least }) {
    const half = 50 * Math.min(Math.abs(liking), 1);
    const fill = make("span", { className: liking < 0 ? "less" : "more" });
    Object.assign(fill.style, { width: `${half}%`, [liking < 0 ? "right" : "left"]: "50%" });
    const bar = make("div", { className: "liking", role: "img" }, fill);
    bar.setAttribute("aria-label", `${name}: you like it ${text}`);
    const strips = [this.#strip("most", most), this.#strip("least", least)];
    return make(
      "article",
      { className: "trait" },
      make("h3", { textContent: name }),
      make("p", { className: "trait-words", textContent: words ?? "" }),
      bar,
      make("p", { className: "liking-text", textContent: text }),
      make("div", { className: "strips" }, ...strips),
    );
  }

  #strip(title, ids) {
    const photos = ids.map((id) => this.album.photos.get(id)).filter(Boolean);
    const images = photos.map((photo) =>
      make("img", { src: `${photo.view}/320.jpg`, alt: photo.name, title: photo.name, loading: "lazy" }),
    );
    return make(
      "div",
      { className: "trait-strip" },
      make("h4", { textContent: title }),
      make("div", {}, ...images),
    );
  }
}
